/* range: functions of a range of samples, and how windows slide over a series.
 *
 * Formulas: the manual's "Functions" and what Prometheus 2.42 answers: rate and increase
 * extrapolate to the window's ends, at most half a mean interval beyond the samples, and not below
 * zero for counters; sums are Neumaier's. Windows are inclusive at both ends. rate looks into a
 * window only where a counter was reset in it; maxima and minima are kept in a queue, so that the
 * cost of a step does not grow with the window. */
#include "store/promql/eval.h"

#include <math.h>
#include <stdlib.h>

static void
range_add(double v, double *sum, double *c)
{
    double t = *sum + v;
    *c += fabs(*sum) >= fabs(v) ? (*sum - t) + v : (v - t) + *sum;
    *sum = t;
}

/* --- rate and its kin ------------------------------------------------------------------------- */

static double
range_extrapolate(const struct window *w, bool counter, bool rate)
{
    if (w->count < 2)
        return ABSENT;
    const struct sample *a = &w->s[0], *b = &w->s[w->count - 1];
    double result = b->v - a->v, sampled = (double)(b->t_ms - a->t_ms) / 1000;
    for (size_t i = 1; counter && w->resets && i < w->count; i++)
        if (w->s[i].v < w->s[i - 1].v)
            result += w->s[i - 1].v;
    if (a->t_ms == w->from_ms && b->t_ms == w->to_ms) /* nothing to extrapolate */
        return rate ? result * (1 / sampled) : result;
    double to_start = (double)(a->t_ms - w->from_ms) / 1000,
           to_end = (double)(w->to_ms - b->t_ms) / 1000;
    double mean = sampled / (double)(w->count - 1), threshold = mean * 1.1, extended = sampled;
    if (counter && result > 0 && a->v >= 0) {
        double to_zero = sampled * (a->v / result);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    extended += to_start < threshold ? to_start : mean / 2;
    extended += to_end < threshold ? to_end : mean / 2;
    double factor = extended / sampled;
    if (rate)
        factor /= (double)(w->to_ms - w->from_ms) / 1000;
    return result * factor;
}

static double
range_instant(const struct window *w, bool rate)
{
    if (w->count < 2)
        return ABSENT;
    const struct sample *a = &w->s[w->count - 2], *b = &w->s[w->count - 1];
    double v = rate && b->v < a->v ? b->v : b->v - a->v;
    if (b->t_ms == a->t_ms)
        return ABSENT;
    return rate ? v / ((double)(b->t_ms - a->t_ms) / 1000) : v;
}

#define RANGE_OF(name, expr)                                                                       \
    double range_##name(const struct window *w, const double *a)                                   \
    {                                                                                              \
        (void)w;                                                                                   \
        (void)a;                                                                                   \
        return expr;                                                                               \
    }
RANGE_OF(rate, range_extrapolate(w, true, true))
RANGE_OF(increase, range_extrapolate(w, true, false))
RANGE_OF(delta, range_extrapolate(w, false, false))
RANGE_OF(irate, range_instant(w, true))
RANGE_OF(idelta, range_instant(w, false))
RANGE_OF(count, (double)w->count)
RANGE_OF(last, w->s[w->count - 1].v)
RANGE_OF(present, 1)

/* --- over time -------------------------------------------------------------------------------- */

double
range_sum(const struct window *w, const double *a)
{
    double sum = 0, c = 0;
    (void)a;
    for (size_t i = 0; i < w->count; i++)
        range_add(w->s[i].v, &sum, &c);
    return isinf(sum) ? sum : sum + c;
}

double
range_avg(const struct window *w, const double *a)
{
    double mean = 0, c = 0;
    (void)a;
    for (size_t i = 0; i < w->count; i++) {
        double v = w->s[i].v, n = (double)(i + 1);
        if (isinf(mean) && ((isinf(v) && (mean > 0) == (v > 0)) || (!isinf(v) && !isnan(v))))
            continue;
        range_add(v / n - mean / n, &mean, &c);
    }
    return isinf(mean) ? mean : mean + c;
}

static double
range_extreme(const struct window *w, bool max)
{
    double m = w->s[0].v;
    for (size_t i = 1; i < w->count; i++)
        if ((max ? w->s[i].v > m : w->s[i].v < m) || isnan(m))
            m = w->s[i].v;
    return m;
}

RANGE_OF(min, range_extreme(w, false))
RANGE_OF(max, range_extreme(w, true))

double
range_stdvar(const struct window *w, const double *a)
{
    double mean = 0, mean_c = 0, aux = 0, aux_c = 0;
    (void)a;
    for (size_t i = 0; i < w->count; i++) {
        double d = w->s[i].v - (mean + mean_c);
        range_add(d / (double)(i + 1), &mean, &mean_c);
        range_add(d * (w->s[i].v - (mean + mean_c)), &aux, &aux_c);
    }
    return (aux + aux_c) / (double)w->count;
}

RANGE_OF(stddev, sqrt(range_stdvar(w, a)))

double
range_quantile(const struct window *w, const double *a)
{
    double *v = malloc(w->count * sizeof *v);
    if (!v)
        return NAN;
    for (size_t i = 0; i < w->count; i++)
        v[i] = w->s[i].v;
    double q = quantile_of(a[0], v, w->count);
    free(v);
    return q;
}

double
range_changes(const struct window *w, const double *a)
{
    double n = 0;
    (void)a;
    for (size_t i = 1; i < w->count; i++)
        n += w->s[i].v != w->s[i - 1].v && !(isnan(w->s[i].v) && isnan(w->s[i - 1].v));
    return n;
}

double
range_resets(const struct window *w, const double *a)
{
    double n = 0;
    (void)a;
    for (size_t i = 1; i < w->count; i++)
        n += w->s[i].v < w->s[i - 1].v;
    return n;
}

/* Least squares over (t - origin, v): slope, and the value at the origin. */
static bool
range_regression(const struct window *w, int64_t origin_ms, double *slope, double *intercept)
{
    double n = 0, x[2] = {0}, y[2] = {0}, xy[2] = {0}, xx[2] = {0};
    bool constant = true;
    if (w->count < 2)
        return false;
    for (size_t i = 0; i < w->count; i++) {
        double at = (double)(w->s[i].t_ms - origin_ms) / 1000, v = w->s[i].v;
        constant = constant && v == w->s[0].v;
        n += 1;
        range_add(at, &x[0], &x[1]);
        range_add(v, &y[0], &y[1]);
        range_add(at * v, &xy[0], &xy[1]);
        range_add(at * at, &xx[0], &xx[1]);
    }
    if (constant) {
        *slope = isinf(w->s[0].v) ? NAN : 0;
        *intercept = isinf(w->s[0].v) ? NAN : w->s[0].v;
        return true;
    }
    double sx = x[0] + x[1], sy = y[0] + y[1], cov = xy[0] + xy[1] - sx * sy / n,
           var = xx[0] + xx[1] - sx * sx / n;
    *slope = cov / var;
    *intercept = sy / n - *slope * sx / n;
    return true;
}

double
range_deriv(const struct window *w, const double *a)
{
    double slope, at;
    (void)a;
    return range_regression(w, w->s[0].t_ms, &slope, &at) ? slope : ABSENT;
}

double
range_predict(const struct window *w, const double *a)
{
    double slope, at;
    return range_regression(w, w->now_ms, &slope, &at) ? slope * a[0] + at : ABSENT;
}

int
range_holt_winters_check(struct eval *e, const double *a)
{
    if (a[0] <= 0 || a[0] >= 1)
        return eval_fail(e, ERR_RANGE, "invalid smoothing factor. Expected: 0 < sf < 1, got: %f",
                         a[0]);
    if (a[1] <= 0 || a[1] >= 1)
        return eval_fail(e, ERR_RANGE, "invalid trend factor. Expected: 0 < tf < 1, got: %f", a[1]);
    return 0;
}

double
range_holt_winters(const struct window *w, const double *a)
{
    double sf = a[0], tf = a[1], s0 = 0, s1, b;
    if (w->count < 2)
        return ABSENT;
    s1 = w->s[0].v;
    b = w->s[1].v - w->s[0].v;
    for (size_t i = 1; i < w->count; i++) {
        double x = sf * w->s[i].v;
        if (i > 1)
            b = tf * (s1 - s0) + (1 - tf) * b;
        double y = (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = x + y;
    }
    return s1;
}

/* --- windows ---------------------------------------------------------------------------------- */

/* A series with its window: samples lo .. hi - 1. */
struct slide {
    const struct sample *s;
    size_t count, lo, hi, resets;
};

static void
slide_to(struct slide *s, int64_t from_ms, int64_t to_ms, bool count_resets)
{
    const struct sample *p = s->s;
    while (s->hi < s->count && p[s->hi].t_ms <= to_ms) {
        s->resets += count_resets && s->hi > s->lo && p[s->hi].v < p[s->hi - 1].v;
        s->hi++;
    }
    while (s->lo < s->hi && p[s->lo].t_ms < from_ms) {
        s->resets -= count_resets && s->lo + 1 < s->hi && p[s->lo + 1].v < p[s->lo].v;
        s->lo++;
    }
}

/* Sums of all samples up to each, in two doubles: a window's sum is a difference, whatever its
 * length. */

static struct range_prefix
range_prefix_add(struct range_prefix a, double hi, double lo)
{
    double s = a.hi + hi, b = s - a.hi;
    lo += (a.hi - (s - b)) + (hi - b) + a.lo;
    double t = s + lo;
    return (struct range_prefix){t, lo - (t - s)};
}

/* Where the difference of two great sums, infinities or NaN would cost digits: sample by sample. */
static double
range_prefix_sum(const struct window *w, struct range_prefix before, struct range_prefix after,
                 double greatest)
{
    struct range_prefix d = range_prefix_add(after, -before.hi, -before.lo);
    double sum = d.hi + d.lo;
    return fabs(sum) >= greatest * 1e-12 ? sum : range_sum(w, NULL);
}

/* sum_over_time and avg_over_time. sums has room for one more than there are samples. */
static int
range_sums(const struct eval *e, const struct range_job *j, const struct sample *s, size_t n,
           struct range_prefix *sums, double *out)
{
    struct slide at = {.s = s, .count = n};
    double greatest = 0, none = ABSENT;
    int64_t to = select_reference(e, j->node, 0);
    int any = 0;
    sums[0] = (struct range_prefix){0, 0};
    for (size_t i = 0; i < n; i++) {
        sums[i + 1] = range_prefix_add(sums[i], s[i].v, 0);
        greatest = fmax(greatest, fabs(sums[i + 1].hi));
        if (!isfinite(sums[i + 1].hi))
            greatest = INFINITY;
    }
    for (size_t i = 0; i < e->steps; i++, to += e->step_ms) {
        struct window w = {.from_ms = to - j->range_ms, .to_ms = to};
        out[i] = none;
        slide_to(&at, w.from_ms, w.to_ms, false);
        if (at.lo == at.hi)
            continue;
        w.s = s + at.lo;
        w.count = at.hi - at.lo;
        out[i] = isinf(greatest) ? range_sum(&w, NULL)
                                 : range_prefix_sum(&w, sums[at.lo], sums[at.hi], greatest);
        if (j->function->slide == 'a')
            out[i] = isfinite(out[i]) ? out[i] / (double)w.count : range_avg(&w, NULL);
        any = 1;
    }
    return any;
}

/* Highest or lowest of each window: candidates in order, each beating all behind it; NaN loses to
 * everything. */
static int
range_extremes(const struct eval *e, const struct range_job *j, const struct sample *p, size_t n,
               size_t *queue, double *out)
{
    size_t head = 0, tail = 0, hi = 0;
    bool max = j->function->slide == 'x';
    int any = 0;
    for (size_t i = 0; i < e->steps; i++) {
        int64_t to = select_reference(e, j->node, i), from = to - j->range_ms;
        for (; hi < n && p[hi].t_ms <= to; hi++) {
            while (tail > head &&
                   (isnan(p[queue[tail - 1]].v) ||
                    (max ? p[hi].v >= p[queue[tail - 1]].v : p[hi].v <= p[queue[tail - 1]].v)))
                tail--;
            queue[tail++] = hi;
        }
        while (head < tail && p[queue[head]].t_ms < from)
            head++;
        out[i] = head < tail ? p[queue[head]].v : ABSENT;
        any |= head < tail;
    }
    return any;
}

int
range_row(struct eval *e, const struct range_job *j, const struct sample *s, size_t n, void *room,
          double *out)
{
    const struct function *f = j->function;
    struct slide at = {.s = s, .count = n};
    double args[4], none = ABSENT;
    int64_t to = select_reference(e, j->node, 0);
    int any = 0;
    if (e->steps > 1 && (f->slide == 'x' || f->slide == 'n'))
        return range_extremes(e, j, s, n, room, out);
    if (e->steps > 1 && (f->slide == 's' || f->slide == 'a'))
        return range_sums(e, j, s, n, room, out);
    for (size_t i = 0; i < e->steps; i++, to += e->step_ms) {
        struct window w = {.from_ms = to - j->range_ms, .to_ms = to, .now_ms = eval_time(e, i)};
        out[i] = none;
        slide_to(&at, w.from_ms, w.to_ms, f->slide == 'r');
        if (at.lo == at.hi)
            continue;
        w.s = s + at.lo;
        w.count = at.hi - at.lo;
        w.resets = at.resets > 0;
        for (size_t a = 0; a < j->arg_count; a++)
            args[a] = j->args[a][i];
        if (f->check && f->check(e, args))
            return ERR_RANGE;
        out[i] = f->over(&w, args);
        any |= !absent(out[i]);
    }
    return any;
}

/* Over a subquery: its samples are all there. */
static int
range_ranges(struct eval *e, struct range_job *j, const struct ast *n, struct value *ret)
{
    struct ranges r;
    size_t longest = 0;
    int rc = select_ranges(e, n, &r);
    struct series *out = rc ? NULL : eval_alloc(e, r.count, sizeof *out);
    for (size_t k = 0; out && k < r.count; k++)
        longest = r.rows[k].count > longest ? r.rows[k].count : longest;
    void *room = out ? eval_alloc(e, longest + 1, RANGE_ROOM) : NULL;
    if (!room)
        return rc ? rc : ERR_LIMIT;
    j->node = r.node;
    j->range_ms = r.range_ms;
    *ret = (struct value){.type = PROMQL_VECTOR, .series = out, .one_name = r.one_name};
    for (size_t k = 0; k < r.count; k++) {
        double *v = eval_row(e, false);
        if (!v)
            return ERR_LIMIT;
        rc = range_row(e, j, r.rows[k].samples, r.rows[k].count, room, v);
        if (rc < 0)
            return rc;
        if (rc)
            out[ret->count++] = (struct series){.labels = r.rows[k].labels, .v = v};
    }
    return 0;
}

int
range_call(struct eval *e, const struct ast *n, const double *const *rows, size_t row_count,
           struct value *ret)
{
    const struct ast *selector = leaf_selector(n);
    struct range_job j = {.function = n->function, .args = rows, .arg_count = row_count};
    struct leaf l;
    size_t at = 0;
    int rc;
    while (n->args[at]->type != PROMQL_MATRIX)
        at++;
    if (selector) {
        rc = leaf_range(e, n, selector, rows, row_count, &l);
        if (!rc)
            rc = leaf_value(&l, ret);
        leaf_done(&l);
    } else {
        rc = range_ranges(e, &j, n->args[at], ret);
    }
    return rc || n->function->keeps_name ? rc : eval_drop_names(e, ret, true);
}
