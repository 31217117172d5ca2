/* outbox: numbers batches and brings them to the server, in order, each until it is acknowledged.
 *
 * A batch waits in memory; when the server does not take it, it and all that follow go to the spool
 * on disk and are sent again, oldest first. What cannot be kept is counted, and told in the next
 * batch as a gap. A token that nodes join with is exchanged for the node's own, kept in the spool's
 * folder. A thread of its own sends: filling a batch never waits for the network. */
#ifndef AGENTS_OUTBOX_H
#define AGENTS_OUTBOX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"

#include <stdint.h>

struct outbox_config {                        /* texts live as long as the outbox */
    const char *node, *url, *token_file, *ca; /* token_file, ca may be NULL */
    const char *spool_dir;
    int64_t keep_ms, max_bytes;
    const struct log *log;
};

struct outbox_counts {
    uint64_t sent, acknowledged, failures; /* batches, answers, tries that failed */
    uint64_t spooled;                      /* batches that wait on disk */
    uint64_t waiting;                      /* and in memory */
    uint64_t dropped;                      /* records that were lost */
};

struct outbox;
int outbox_new(const struct outbox_config *c, struct outbox **ret, struct err *err);
int outbox_start(struct outbox *o, struct err *err);
/* fill adds records and returns how many, or an error; with none the batch is not sent, and keeps
 * its number for the next. Thread-safe. 0, or the error of fill. */
int outbox_batch(struct outbox *o, int (*fill)(void *ctx, struct wire_encoder *e), void *ctx);
/* Something was lost before it reached a batch. reason: constant text. */
void outbox_lost(struct outbox *o, const char *reason, int64_t from_ms, int64_t to_ms, uint64_t n);
void outbox_counts(struct outbox *o, struct outbox_counts *ret);
/* A pattern database that the server has and we have not: moves it to ret and returns true. */
bool outbox_matcher(struct outbox *o, struct buf *ret);
/* Tasks that came with an answer, a JSON array; waits for some so long at most. Moves them to ret.
 */
bool outbox_tasks(struct outbox *o, int wait_ms, struct buf *ret);
void outbox_matcher_is(struct outbox *o, uint64_t hash); /* the one in use */
/* Ends the thread (after the request under way, 10 s at most), writes what waits to the spool. */
void outbox_free(struct outbox *o);

#endif
