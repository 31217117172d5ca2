/* discover: entities that samples speak of and nobody declared become devices marked discovered.
 *
 * A sink in front of a batch's: each label set is looked at once, by a set of their hashes that
 * never grows over its ceiling (beyond it nothing is looked at, and counted). A sink that remembers
 * sets by their bytes needs no such set: what it knows does not come here. What was found is
 * told to the catalog after the batch is durable. Thread-safe; what is found belongs to the
 * request. Expected load: a million known series a second, some thousand new ones at a start. */
#ifndef COLLECTOR_DISCOVER_H
#define COLLECTOR_DISCOVER_H

#include "base/entity.h"
#include "base/metric.h"
#include "base/sample.h"
#include "store/store.h"

struct discover;
struct discover *discover_new(struct store *s, const struct metric_table *metrics);
void discover_free(struct discover *d);
uint64_t discover_overflow(const struct discover *d); /* series not looked at: the set is full */

#define DISCOVER_FOUND_MAX 4096
struct discover_batch { /* one request's */
    struct discover *d;
    struct sample_sink next;
    const char *source;
    size_t count;
    struct {
        uint64_t hash;
        char entity[ENTITY_SIZE];
    } * found;
    size_t room;
};
/* d may be NULL: then samples only pass. */
struct sample_sink discover_sink(struct discover_batch *b, struct discover *d,
                                 struct sample_sink next, const char *source);
/* Ends the request: stored tells whether its samples were. Frees. */
void discover_done(struct discover_batch *b, bool stored);

#endif
