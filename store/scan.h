/* scan: the series that matchers select, to be read one by one, by several threads at once.
 *
 * Opening takes what memory holds as it is coded (a byte or three a sample) and then the chunks of
 * the day files, so that no lock is held while samples are read: what is flushed between the two
 * appears twice and is dropped as a duplicate, never missing. Samples are decoded when they are
 * asked for, into the asker's room. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/store.h"

struct scan;
/* All series that match, also those without samples in [from, to]: scan_read tells. */
int scan_open(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
              const struct select_limits *lim, struct scan **ret, struct err *err);
/* The same for ids, ascending. */
int scan_open_ids(struct store *s, const uint32_t *ids, size_t n, int64_t from_ms, int64_t to_ms,
                  const struct select_limits *lim, struct scan **ret, struct err *err);
/* A tier's buckets up to plan->until_ms, raw samples behind it. */
struct tier_plan;
int scan_open_tier(struct store *s, const struct matcher *m, size_t n, int64_t to_ms,
                   const struct tier_plan *plan, const struct select_limits *lim, struct scan **ret,
                   struct err *err);
void scan_close(struct scan *c); /* NULL: nothing */
size_t scan_count(const struct scan *c);
struct labels *scan_labels(const struct scan *c, size_t i); /* until scan_close */
uint64_t scan_id(const struct scan *c, size_t i);
size_t scan_room(const struct scan *c); /* samples: no series needs more to be read */
/* The samples in [from, to] of series i by time, unique, stale markers included; somewhere within
 * `room`. Returns their count. Thread-safe. */
size_t scan_read(const struct scan *c, size_t i, struct sample *room, struct sample **ret_first);

/* Matching ids, ascending; malloc'ed. */
int scan_match(struct store *s, const struct matcher *m, size_t n, const struct select_limits *lim,
               uint32_t **ret_ids, size_t *ret_count, struct err *err);
/* The labels of series under the index' read lock, with room for `struct labels` behind. */
struct slabs;
struct index;
struct series;
struct labels *scan_copy_labels(struct slabs *slabs, const struct index *ix,
                                const struct series *s);
int scan_deadline(const struct select_limits *lim, struct err *err);
/* Hands over the memory of the labels: they outlive the scan. */
void scan_give_labels(struct scan *c, struct slabs *into);

#endif
