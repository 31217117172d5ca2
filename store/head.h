/* head: the recent samples of the series: taking them in, sealing, reading, letting go. Insiders
 * only.
 *
 * A block is open while its generation is the index's; raising the generation seals all of them at
 * once. The flusher writes sealed blocks into day files and marks them; of a flushed block the
 * last samples stay until the next one of its series is flushed too, so that memory always holds
 * the last ten minutes.
 */
#ifndef STORE_HEAD_H
#define STORE_HEAD_H

#include "store/series.h"

/* Under the write lock. 0 kept, 1 kept out of order, ERR_EXISTS duplicate (the first one stays),
 * ERR_NOMEM. */
int head_append(struct index *ix, struct series *s, int64_t t, double v);
/* Under the write lock: what a day file holds already, in time order, newer than what is there. */
int head_load(struct index *ix, struct series *s, const struct sample *samples, size_t n);

#define HEAD_SEALED 1u /* only blocks that are sealed and in no day file */
/* Under a lock. Upper bound of what head_read gives. */
size_t head_count(const struct index *ix, const struct series *s, unsigned what);
/* Samples in [from, to], by time, unique. out has room for head_count. */
size_t head_read(const struct index *ix, const struct series *s, unsigned what, int64_t from,
                 int64_t to, struct sample *out);
/* Newest sample in [from, to]: 1 found, 0 none, -1 ask the day files too. */
int head_latest(const struct index *ix, const struct series *s, int64_t from, int64_t to,
                struct sample *ret);

void head_seal(struct index *ix); /* under the write lock */
/* Under the write lock, after a flush: sealed blocks are held by day files now; older flushed ones
 * go, as do flushed ones that end before `idle_ms` when nothing newer came. */
void head_flushed(struct index *ix, struct series *s, int64_t idle_ms);
/* Under the write lock: what a day file holds of [from, to] was taken out of it; memory drops its
 * copy. What no day file holds stays. */
void head_erase(struct index *ix, struct series *s, int64_t from, int64_t to);
/* By time, stable, the first of equal times stays. */
size_t head_sort(struct sample *at, size_t n);

#endif
