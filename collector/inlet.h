/* inlet: the counted way of one source of the loop thread into the store.
 *
 * A batch is handed over and forgotten: the store answers on its own thread, the inlet counts. What
 * the store did not keep, or the source had to drop, becomes a gap row with the next batch: a loss
 * is never silent. Thread-safe; reference-counted, as answers may come after the source ended. */
#ifndef COLLECTOR_INLET_H
#define COLLECTOR_INLET_H

#include "base/jsonw.h"
#include "store/store.h"

struct inlet;
/* kind and name as GET /api/v1/sources shows them; the gap's source is "kind:name", or kind where
 * both are the same. */
struct inlet *inlet_new(struct store *s, const char *kind, const char *name);
void inlet_put(struct inlet *in); /* lets go; NULL is allowed */
/* Takes the batch. count: samples, events and lines in it, for the gap if the store refuses it. */
void inlet_submit(struct inlet *in, struct store_batch *b, uint64_t count);
/* Something could not be kept: counted, and told as a gap of [from, now] with the next submit. */
void inlet_lost(struct inlet *in, const char *reason, uint64_t count);
/* The source's last attempt failed (text, kept for the row) or went well (NULL). */
void inlet_state(struct inlet *in, const char *error);
bool inlet_failing(struct inlet *in);
void inlet_json(struct inlet *in, struct jsonw *w); /* one object of GET /api/v1/sources */
struct inlet_counts {
    uint64_t accepted, refused, errors;
};
struct inlet_counts inlet_counts(const struct inlet *in);
/* The three counters as exposition text: myriascope_SOURCE_accepted_total and so on. */
void inlet_metrics(const char *source, struct inlet_counts n, struct buf *out);

#endif
