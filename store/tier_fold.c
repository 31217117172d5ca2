/* tier_fold: samples of one series become buckets. Minima and maxima are as Prometheus' range
 * functions have them (a NaN gives way to anything), sums Neumaier's. */
#include "store/tier.h"

#include <math.h>
#include <stdlib.h>

struct tier_bucket {
    struct sample first, last, stale;
    int64_t fall_ms;
    double min, max, sum, c, lost;
    uint64_t count, inner; /* inner: but the one exactly at the end */
    bool ended;            /* a stale marker came last */
};

static int
tier_put(struct tier_stream *s, int64_t t, double v)
{
    if (s->count == s->cap) {
        size_t n = s->cap ? s->cap * 2 : 512;
        struct sample *p = realloc(s->at, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        s->at = p;
        s->cap = n;
    }
    s->at[s->count++] = (struct sample){t, v};
    return 0;
}

static int
tier_close(struct tier_bucket *b, int64_t end, struct tier_stream out[TIER_KINDS])
{
    int rc = 0;
    if (b->count) {
        rc = tier_put(&out[TIER_FIRST], b->first.t_ms, b->first.v);
        rc = rc ? rc : tier_put(&out[TIER_LAST], b->last.t_ms, b->last.v);
    }
    if (!rc && b->ended)
        rc = tier_put(&out[TIER_LAST], b->stale.t_ms, b->stale.v);
    if (!rc && b->inner) {
        rc = tier_put(&out[TIER_MIN], end - 1, b->min);
        rc = rc ? rc : tier_put(&out[TIER_MAX], end - 1, b->max);
        rc = rc ? rc : tier_put(&out[TIER_SUM], end - 1, isinf(b->sum) ? b->sum : b->sum + b->c);
        rc = rc ? rc : tier_put(&out[TIER_COUNT], end - 1, (double)b->inner);
    }
    if (!rc && b->fall_ms)
        rc = tier_put(&out[TIER_RESET], b->fall_ms, b->lost);
    *b = (struct tier_bucket){.count = 0};
    return rc;
}

static void
tier_inner(struct tier_bucket *b, double v)
{
    double t = b->sum + v;
    b->c += fabs(b->sum) >= fabs(v) ? (b->sum - t) + v : (v - t) + b->sum;
    b->sum = t;
    if (!b->inner++) {
        b->min = b->max = v;
        return;
    }
    if (v < b->min || isnan(b->min))
        b->min = v;
    if (v > b->max || isnan(b->max))
        b->max = v;
}

static void
tier_take(struct tier_bucket *b, const struct sample *s, int64_t end)
{
    b->ended = sample_is_stale(s->v);
    if (b->ended) {
        b->stale = *s;
        return;
    }
    if (!b->count++) {
        b->first = *s;
    } else if (s->v < b->last.v) {
        b->lost += b->last.v;
        b->fall_ms = s->t_ms;
    }
    b->last = *s;
    if (s->t_ms != end)
        tier_inner(b, s->v);
}

int
tier_fold(const struct sample *s, size_t n, int64_t width, struct tier_stream out[TIER_KINDS])
{
    struct tier_bucket b = {.count = 0};
    int64_t end = INT64_MIN;
    int rc = 0;
    for (int k = 0; k < TIER_KINDS; k++)
        out[k].count = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        if (s[i].t_ms > end) {
            rc = tier_close(&b, end, out);
            end = (s[i].t_ms + width - 1) / width * width;
        }
        tier_take(&b, &s[i], end);
    }
    return rc ? rc : tier_close(&b, end, out);
}
