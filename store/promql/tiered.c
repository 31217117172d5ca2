/* tiered: which functions may be answered by a tier, and how its pairs are folded. The answers are
 * those of the raw samples but for the order in which sums are rounded. */
#include "store/promql/eval.h"

#include "store/scan.h"
#include "store/tier_read.h"

#include <string.h>

static double
tiered_avg(const struct window *w, const double *a)
{
    double sum = 0, count = 0;
    (void)a;
    for (size_t i = 0; i + 1 < w->count; i += 2) {
        sum += w->s[i].v;
        count += w->s[i + 1].v;
    }
    return count > 0 ? sum / count : ABSENT;
}

/* As range.c's, over pairs: a value and the samples since the one before; or a loss and -1. */
static double
tiered_extrapolate(const struct window *w, bool counter, bool rate)
{
    const struct sample *a = w->s, *b = a;
    double lost = 0, count = 1;
    bool fell = false;
    for (size_t i = 2; i + 1 < w->count; i += 2) {
        if (w->s[i + 1].v < 0) {
            lost += w->s[i].v;
            fell = true;
            continue;
        }
        if (!fell && w->s[i].v < b->v)
            lost += b->v;
        fell = false;
        b = &w->s[i];
        count += w->s[i + 1].v;
    }
    if (w->count < 4 || count < 2 || b->t_ms == a->t_ms)
        return ABSENT;
    double result = b->v - a->v + (counter ? lost : 0);
    double sampled = (double)(b->t_ms - a->t_ms) / 1000, extended = sampled;
    double to_start = (double)(a->t_ms - w->from_ms) / 1000,
           to_end = (double)(w->to_ms - b->t_ms) / 1000, mean = sampled / (count - 1);
    if (counter && result > 0 && a->v >= 0) {
        double to_zero = sampled * (a->v / result);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    extended += to_start < mean * 1.1 ? to_start : mean / 2;
    extended += to_end < mean * 1.1 ? to_end : mean / 2;
    double factor = extended / sampled;
    return result * (rate ? factor / ((double)(w->to_ms - w->from_ms) / 1000) : factor);
}

static double
tiered_rate(const struct window *w, const double *a)
{
    (void)a;
    return tiered_extrapolate(w, true, true);
}

static double
tiered_increase(const struct window *w, const double *a)
{
    (void)a;
    return tiered_extrapolate(w, true, false);
}

static double
tiered_delta(const struct window *w, const double *a)
{
    (void)a;
    return tiered_extrapolate(w, false, false);
}

static const struct tiered_row {
    enum tier_want want;
    struct function function; /* stands in for the one of that name; over NULL: it itself will do */
} tiered_rows[] = {
    {TIER_WANT_LAST, {.name = "last_over_time"}},
    {TIER_WANT_LAST, {.name = "present_over_time"}},
    {TIER_WANT_MIN, {.name = "min_over_time"}},
    {TIER_WANT_MAX, {.name = "max_over_time"}},
    {TIER_WANT_SUM, {.name = "sum_over_time"}},
    {TIER_WANT_COUNT, {.name = "count_over_time", .over = range_sum, .slide = 's'}},
    {TIER_WANT_AVG, {.name = "avg_over_time", .over = tiered_avg}},
    {TIER_WANT_RATE, {.name = "rate", .over = tiered_rate}},
    {TIER_WANT_RATE, {.name = "increase", .over = tiered_increase}},
    {TIER_WANT_RATE, {.name = "delta", .over = tiered_delta}},
};

int
tiered_plan(const struct eval *e, const struct ast *n, int64_t window_ms, int64_t back_ms,
            const struct function **function, struct tier_plan *ret)
{
    struct tier_ask ask = {.first_ms = select_reference(e, n, 0),
                           .step_ms = e->step_ms,
                           .steps = e->steps,
                           .window_ms = window_ms,
                           .back_ms = back_ms};
    const struct tiered_row *r = NULL;
    if (n->at != AT_NONE || e->read_to_ms)
        return 0;
    for (size_t i = 0; *function && i < sizeof tiered_rows / sizeof *tiered_rows; i++)
        if ((*function)->name && !strcmp(tiered_rows[i].function.name, (*function)->name))
            r = &tiered_rows[i];
    if (*function && !r)
        return 0;
    ask.want = r ? r->want : TIER_WANT_LAST;
    if (!tier_choose(e->run->store, &ask, ret))
        return 0;
    if (r && r->function.over)
        *function = &r->function;
    return 1;
}
