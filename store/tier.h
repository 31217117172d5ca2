/* tier: what is left of a day when its samples are looked at from far away: for every 5 minutes and
 * every hour the first, last, least, greatest, sum, number and resets. Insiders only.
 *
 * A bucket is (end - width, end], its end a multiple of the width since 1970. It is kept as streams
 * of ordinary samples in day files of its own (tier-5m-*.db, tier-1h-*.db), one stream a kind, so
 * that a query reads only what its function needs. Drawn in store/FORMAT.md. */
#ifndef STORE_TIER_H
#define STORE_TIER_H

#include "store/dayfile.h"
#include "store/store.h"

enum { TIER_5M, TIER_1H, TIER_LEVELS };
enum tier_kind {
    TIER_LAST,  /* the last one, at its time; and the stale marker that ends the bucket */
    TIER_FIRST, /* the first one, at its time */
    TIER_MIN,   /* of all but one exactly at the end, which is its own LAST; at end - 1 ms */
    TIER_MAX,
    TIER_SUM,
    TIER_COUNT,
    TIER_RESET, /* what a counter had lost when it fell within the bucket, at the last fall */
    TIER_KINDS
};

struct tiers;
int tier_open(struct store *s, struct tiers **ret, struct err *err);
int tier_start(struct tiers *t, struct err *err); /* begins the thread */
void tier_stop(struct tiers *t);                  /* ends it; NULL: nothing */
void tier_free(struct tiers *t);
/* Fills every day that is over and has none, or whose samples changed; drops what is too old. */
int tier_fill(struct tiers *t, struct err *err);
bool tier_hold_series(struct tiers *t, uint64_t id);
void tier_changed(struct tiers *t, int64_t day); /* samples were taken out of that day */
int64_t tier_width(int level);                   /* ms */
struct days *tier_days(struct tiers *t, int level);
/* Every bucket with an end in (from, answer] is right. `from` itself: none. */
int64_t tier_until(struct tiers *t, int level, int64_t from_ms);
char tier_letter(enum tier_kind k); /* chunks of a stream: metric is this letter and the name */

/* --- tier_fold.c ------------------------------------------------------------------------------ */

struct tier_stream {
    struct sample *at;
    size_t count, cap;
};
/* Samples by time, those in (day start, day end], into streams (emptied first). */
int tier_fold(const struct sample *s, size_t n, int64_t width, struct tier_stream out[TIER_KINDS]);

#endif
