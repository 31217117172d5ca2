/* tier_read: what a query reads of a tier instead of the raw days, where the answer is the same.
 * Insiders only.
 *
 * A plan holds where every window begins and ends on the tier's grid. What is read are samples
 * again: for most functions their own kind of value, and each sample exactly on the grid by itself,
 * as a window counts both its ends. TIER_WANT_AVG and TIER_WANT_RATE give pairs of one time: a
 * value and what it stands for (tiered.c folds them). */
#ifndef STORE_TIER_READ_H
#define STORE_TIER_READ_H

#include "store/store.h"

enum tier_want {
    TIER_WANT_LAST,
    TIER_WANT_MIN,
    TIER_WANT_MAX,
    TIER_WANT_SUM,
    TIER_WANT_COUNT, /* a sum of these is the count */
    TIER_WANT_AVG,   /* (sum, count) */
    TIER_WANT_RATE   /* (value, samples since the one before) or (lost by falls, -1) */
};
struct tier_plan {
    int level;
    int64_t from_ms, until_ms; /* the tier has (from, until] and the sample at from; raw the rest */
    enum tier_want want;
};
/* Steps at first, first + step, ... each looking `back` behind. window 0: the newest within back.
 */
struct tier_ask {
    int64_t first_ms, step_ms, window_ms, back_ms;
    size_t steps;
    enum tier_want want;
};
/* False: read raw. */
bool tier_choose(struct store *s, const struct tier_ask *a, struct tier_plan *ret);

struct tier_read;
/* For ids, ascending. */
int tier_read_open(struct store *s, const struct tier_plan *p, const uint32_t *ids, size_t n,
                   struct tier_read **ret, struct err *err);
void tier_read_close(struct tier_read *t); /* NULL: nothing */
/* Room that a row needs in front of `raw` raw samples. */
size_t tier_read_room(const struct tier_read *t, size_t raw);
/* The row's samples, then the raw ones (which lie behind them in time), into out. Their count. */
size_t tier_read_row(const struct tier_read *t, size_t row, const struct sample *raw, size_t n,
                     struct sample *out);
size_t tier_read_samples(const struct tier_read *t); /* of all rows */

#endif
