/* function: the table of functions. Range functions see one window at a time, element-wise ones one value; those that need
 * more (labels, whole vectors) are in function_special.c.
 *
 * Formulas: prometheus/promql/functions.go of 2.42 and the manual's "Functions": rate and increase extrapolate to the
 * window's ends, at most half a mean interval beyond the samples, and not below zero for counters. */
#include "store/promql/ast.h"

#include "store/promql/function_special.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- rate and its kin ------------------------------------------------------------------------------------ */

static double
extrapolated(const struct window *w, bool counter, bool rate)
{
    if (w->count < 2)
        return ABSENT;
    const struct sample *a = &w->s[0], *b = &w->s[w->count - 1];
    double result = b->v - a->v, sampled = (double)(b->t_ms - a->t_ms) / 1000;
    for (size_t i = 1; counter && i < w->count; i++)
        if (w->s[i].v < w->s[i - 1].v)
            result += w->s[i - 1].v;
    double to_start = (double)(a->t_ms - w->from_ms) / 1000, to_end = (double)(w->to_ms - b->t_ms) / 1000;
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

static double over_rate(const struct window *w, const double *a) { (void)a; return extrapolated(w, true, true); }
static double over_increase(const struct window *w, const double *a) { (void)a; return extrapolated(w, true, false); }
static double over_delta(const struct window *w, const double *a) { (void)a; return extrapolated(w, false, false); }

static double
instant_rate(const struct window *w, bool rate)
{
    if (w->count < 2)
        return ABSENT;
    const struct sample *a = &w->s[w->count - 2], *b = &w->s[w->count - 1];
    double v = rate && b->v < a->v ? b->v : b->v - a->v;
    if (b->t_ms == a->t_ms)
        return ABSENT;
    return rate ? v / ((double)(b->t_ms - a->t_ms) / 1000) : v;
}

static double over_irate(const struct window *w, const double *a) { (void)a; return instant_rate(w, true); }
static double over_idelta(const struct window *w, const double *a) { (void)a; return instant_rate(w, false); }

/* --- over time --------------------------------------------------------------------------------------------- */

static double
over_sum(const struct window *w, const double *a)
{
    double sum = 0, c = 0;
    (void)a;
    for (size_t i = 0; i < w->count; i++) {
        double v = w->s[i].v, t = sum + v;
        c += fabs(sum) >= fabs(v) ? (sum - t) + v : (v - t) + sum;
        sum = t;
    }
    return isinf(sum) ? sum : sum + c;
}

static double
over_avg(const struct window *w, const double *a)
{
    double mean = 0, c = 0;
    (void)a;
    for (size_t i = 0; i < w->count; i++) {
        double v = w->s[i].v, n = (double)(i + 1);
        if (isinf(mean) && ((isinf(v) && (mean > 0) == (v > 0)) || (!isinf(v) && !isnan(v))))
            continue;
        double inc = v / n - mean / n, t = mean + inc;
        c += fabs(mean) >= fabs(inc) ? (mean - t) + inc : (inc - t) + mean;
        mean = t;
    }
    return isinf(mean) ? mean : mean + c;
}

static double
over_extreme(const struct window *w, bool max)
{
    double m = w->s[0].v;
    for (size_t i = 1; i < w->count; i++)
        if ((max ? w->s[i].v > m : w->s[i].v < m) || isnan(m))
            m = w->s[i].v;
    return m;
}

static double over_min(const struct window *w, const double *a) { (void)a; return over_extreme(w, false); }
static double over_max(const struct window *w, const double *a) { (void)a; return over_extreme(w, true); }
static double over_count(const struct window *w, const double *a) { (void)a; return (double)w->count; }
static double over_last(const struct window *w, const double *a) { (void)a; return w->s[w->count - 1].v; }
static double over_present(const struct window *w, const double *a) { (void)a; (void)w; return 1; }

static double
over_stdvar(const struct window *w, const double *a)
{
    double mean = 0, m2 = 0;
    (void)a;
    for (size_t i = 0; i < w->count; i++) {
        double d = w->s[i].v - mean;
        mean += d / (double)(i + 1);
        m2 += d * (w->s[i].v - mean);
    }
    return m2 / (double)w->count;
}

static double over_stddev(const struct window *w, const double *a) { return sqrt(over_stdvar(w, a)); }

static double
over_quantile(const struct window *w, const double *a)
{
    double *v = malloc(w->count * sizeof *v);
    if (!v)
        return ABSENT;
    for (size_t i = 0; i < w->count; i++)
        v[i] = w->s[i].v;
    double q = quantile_of(a[0], v, w->count);
    free(v);
    return q;
}

static double
over_changes(const struct window *w, const double *a)
{
    double n = 0;
    (void)a;
    for (size_t i = 1; i < w->count; i++)
        n += w->s[i].v != w->s[i - 1].v && !(isnan(w->s[i].v) && isnan(w->s[i - 1].v));
    return n;
}

static double
over_resets(const struct window *w, const double *a)
{
    double n = 0;
    (void)a;
    for (size_t i = 1; i < w->count; i++)
        n += w->s[i].v < w->s[i - 1].v;
    return n;
}

/* Least squares over (t - origin, v); slope and intercept. */
static bool
regression(const struct window *w, int64_t origin_ms, double *slope, double *intercept)
{
    double n = 0, sx = 0, sy = 0, sxy = 0, sxx = 0;
    bool constant = true;
    if (w->count < 2)
        return false;
    for (size_t i = 0; i < w->count; i++) {
        double x = (double)(w->s[i].t_ms - origin_ms) / 1000, y = w->s[i].v;
        constant &= y == w->s[0].v;
        n += 1, sx += x, sy += y, sxy += x * y, sxx += x * x;
    }
    if (constant) {
        *slope = isinf(w->s[0].v) ? NAN : 0;
        *intercept = isinf(w->s[0].v) ? NAN : w->s[0].v;
        return true;
    }
    double cov = sxy - sx * sy / n, var = sxx - sx * sx / n;
    *slope = cov / var;
    *intercept = sy / n - *slope * sx / n;
    return true;
}

static double
over_deriv(const struct window *w, const double *a)
{
    double slope, at;
    (void)a;
    return regression(w, w->count ? w->s[0].t_ms : 0, &slope, &at) ? slope : ABSENT;
}

static double
over_predict(const struct window *w, const double *a)
{
    double slope, at;
    return regression(w, w->to_ms, &slope, &at) ? slope * a[0] + at : ABSENT;
}

static double
over_holt_winters(const struct window *w, const double *a)
{
    double sf = a[0], tf = a[1], s0 = 0, s1, b;
    if (w->count < 2)
        return ABSENT;
    if (!(sf > 0 && sf < 1 && tf > 0 && tf < 1))
        return NAN;
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

/* --- element-wise ------------------------------------------------------------------------------------------- */

#define MAP1(name, expr) static double map_##name(double v, const double *a) { (void)a; return expr; }
MAP1(abs, fabs(v)) MAP1(ceil, ceil(v)) MAP1(floor, floor(v)) MAP1(exp, exp(v)) MAP1(sqrt, sqrt(v)) MAP1(ln, log(v))
MAP1(log2, log2(v)) MAP1(log10, log10(v)) MAP1(sin, sin(v)) MAP1(cos, cos(v)) MAP1(tan, tan(v)) MAP1(asin, asin(v))
MAP1(acos, acos(v)) MAP1(atan, atan(v)) MAP1(sinh, sinh(v)) MAP1(cosh, cosh(v)) MAP1(tanh, tanh(v)) MAP1(asinh, asinh(v))
MAP1(acosh, acosh(v)) MAP1(atanh, atanh(v)) MAP1(rad, v * M_PI / 180) MAP1(deg, v * 180 / M_PI)
MAP1(sgn, v < 0 ? -1 : v > 0 ? 1 : v)

static double map_clamp(double v, const double *a) { return a[0] > a[1] ? ABSENT : isnan(a[0]) || isnan(a[1]) ? NAN : fmax(a[0], fmin(a[1], v)); }
static double map_clamp_min(double v, const double *a) { return isnan(v) || isnan(a[0]) ? NAN : fmax(a[0], v); }
static double map_clamp_max(double v, const double *a) { return isnan(v) || isnan(a[0]) ? NAN : fmin(a[0], v); }

static double
map_round(double v, const double *a)
{
    double inverse = 1 / a[0];
    return floor(v * inverse + 0.5) / inverse;
}

#define V PROMQL_VECTOR
#define S PROMQL_SCALAR
#define M PROMQL_MATRIX
#define T PROMQL_STRING

static const struct function functions[] = {
    {"abs", V, {V}, 1, 1, .map = map_abs},
    {"absent", V, {V}, 1, 1, .special = special_absent},
    {"absent_over_time", V, {M}, 1, 1, .special = special_absent_over_time},
    {"acos", V, {V}, 1, 1, .map = map_acos}, {"acosh", V, {V}, 1, 1, .map = map_acosh},
    {"asin", V, {V}, 1, 1, .map = map_asin}, {"asinh", V, {V}, 1, 1, .map = map_asinh},
    {"atan", V, {V}, 1, 1, .map = map_atan}, {"atanh", V, {V}, 1, 1, .map = map_atanh},
    {"avg_over_time", V, {M}, 1, 1, .over = over_avg},
    {"ceil", V, {V}, 1, 1, .map = map_ceil},
    {"changes", V, {M}, 1, 1, .over = over_changes},
    {"clamp", V, {V, S, S}, 3, 3, .map = map_clamp},
    {"clamp_max", V, {V, S}, 2, 2, .map = map_clamp_max},
    {"clamp_min", V, {V, S}, 2, 2, .map = map_clamp_min},
    {"cos", V, {V}, 1, 1, .map = map_cos}, {"cosh", V, {V}, 1, 1, .map = map_cosh},
    {"count_over_time", V, {M}, 1, 1, .over = over_count},
    {"day_of_month", V, {V}, 0, 1, .special = special_date}, {"day_of_week", V, {V}, 0, 1, .special = special_date},
    {"day_of_year", V, {V}, 0, 1, .special = special_date}, {"days_in_month", V, {V}, 0, 1, .special = special_date},
    {"deg", V, {V}, 1, 1, .map = map_deg},
    {"delta", V, {M}, 1, 1, .over = over_delta},
    {"deriv", V, {M}, 1, 1, .over = over_deriv},
    {"exp", V, {V}, 1, 1, .map = map_exp},
    {"floor", V, {V}, 1, 1, .map = map_floor},
    {"histogram_quantile", V, {S, V}, 2, 2, .special = special_histogram_quantile},
    {"holt_winters", V, {M, S, S}, 3, 3, .over = over_holt_winters},
    {"hour", V, {V}, 0, 1, .special = special_date},
    {"idelta", V, {M}, 1, 1, .over = over_idelta},
    {"increase", V, {M}, 1, 1, .over = over_increase},
    {"irate", V, {M}, 1, 1, .over = over_irate},
    {"label_join", V, {V, T, T, T, T, T}, 3, AST_ARGS, .special = special_label_join},
    {"label_replace", V, {V, T, T, T, T}, 5, 5, .special = special_label_replace},
    {"last_over_time", V, {M}, 1, 1, .over = over_last, .keeps_name = true},
    {"ln", V, {V}, 1, 1, .map = map_ln}, {"log10", V, {V}, 1, 1, .map = map_log10}, {"log2", V, {V}, 1, 1, .map = map_log2},
    {"max_over_time", V, {M}, 1, 1, .over = over_max}, {"min_over_time", V, {M}, 1, 1, .over = over_min},
    {"minute", V, {V}, 0, 1, .special = special_date}, {"month", V, {V}, 0, 1, .special = special_date},
    {"pi", S, {S}, 0, 0, .special = special_pi},
    {"predict_linear", V, {M, S}, 2, 2, .over = over_predict},
    {"present_over_time", V, {M}, 1, 1, .over = over_present},
    {"quantile_over_time", V, {S, M}, 2, 2, .over = over_quantile},
    {"rad", V, {V}, 1, 1, .map = map_rad},
    {"rate", V, {M}, 1, 1, .over = over_rate},
    {"resets", V, {M}, 1, 1, .over = over_resets},
    {"round", V, {V, S}, 1, 2, .map = map_round},
    {"scalar", S, {V}, 1, 1, .special = special_scalar},
    {"sgn", V, {V}, 1, 1, .map = map_sgn}, {"sin", V, {V}, 1, 1, .map = map_sin}, {"sinh", V, {V}, 1, 1, .map = map_sinh},
    {"sort", V, {V}, 1, 1, .special = special_sort}, {"sort_desc", V, {V}, 1, 1, .special = special_sort},
    {"sqrt", V, {V}, 1, 1, .map = map_sqrt},
    {"stddev_over_time", V, {M}, 1, 1, .over = over_stddev}, {"stdvar_over_time", V, {M}, 1, 1, .over = over_stdvar},
    {"sum_over_time", V, {M}, 1, 1, .over = over_sum},
    {"tan", V, {V}, 1, 1, .map = map_tan}, {"tanh", V, {V}, 1, 1, .map = map_tanh},
    {"time", S, {S}, 0, 0, .special = special_time},
    {"timestamp", V, {V}, 1, 1, .special = special_timestamp},
    {"vector", V, {S}, 1, 1, .special = special_vector},
    {"year", V, {V}, 0, 1, .special = special_date},
};

const struct function *
function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i].name) == len && !strncmp(functions[i].name, name, len))
            return &functions[i];
    return NULL;
}

/* --- calling --------------------------------------------------------------------------------------------------- */

/* Scalar arguments of a call, a row each; the vector's or range's place is skipped. */
static int
call_scalars(struct eval *e, const struct ast *n, const double *rows[AST_ARGS], size_t *count)
{
    for (size_t i = 0; i < n->arg_count; i++) {
        struct value v;
        if (n->args[i]->type != PROMQL_SCALAR)
            continue;
        int rc = eval_node(e, n->args[i], &v);
        if (rc)
            return rc;
        rows[(*count)++] = v.scalar;
    }
    return 0;
}

static const struct ast *
call_subject(const struct ast *n, enum promql_type type)
{
    for (size_t i = 0; i < n->arg_count; i++)
        if (n->args[i]->type == type)
            return n->args[i];
    return NULL;
}

static int
call_over(struct eval *e, const struct ast *n, const double *const *rows, size_t row_count, struct value *ret)
{
    struct ranges r;
    double args[AST_ARGS];
    int rc = eval_ranges(e, call_subject(n, PROMQL_MATRIX), &r);
    if (rc)
        return rc;
    *ret = (struct value){.type = PROMQL_VECTOR, .series = arena_alloc(e->arena, (r.count + 1) * sizeof *ret->series)};
    for (size_t k = 0; ret->series && k < r.count; k++) {
        const struct series_row *row = &r.rows[k];
        struct series s = {.labels = n->function->keeps_name ? row->labels : labels_without(e, row->labels, NULL, true), .v = eval_row(e)};
        size_t lo = 0, hi = 0;
        if (!s.labels || !s.v)
            return ERR_LIMIT;
        for (size_t i = 0; i < e->steps; i++) {
            struct window w = {.to_ms = eval_reference(e, r.node, i)};
            w.from_ms = w.to_ms - r.range_ms;
            while (hi < row->count && row->samples[hi].t_ms <= w.to_ms)
                hi++;
            while (lo < hi && row->samples[lo].t_ms < w.from_ms)
                lo++;
            w.s = row->samples + lo;
            w.count = hi - lo;
            for (size_t a = 0; a < row_count; a++)
                args[a] = rows[a][i];
            if (w.count)
                s.v[i] = n->function->over(&w, args);
        }
        ret->series[ret->count++] = s;
    }
    return ret->series ? 0 : ERR_LIMIT;
}

static int
call_map(struct eval *e, const struct ast *n, const double *const *rows, size_t row_count, struct value *ret)
{
    double args[AST_ARGS] = {1};        /* round's default */
    int rc = eval_node(e, call_subject(n, PROMQL_VECTOR), ret);
    for (size_t k = 0; !rc && k < ret->count; k++) {
        struct series *s = &ret->series[k];
        if (!(s->labels = labels_without(e, s->labels, NULL, true)))
            return ERR_LIMIT;
        for (size_t i = 0; i < e->steps; i++) {
            for (size_t a = 0; a < row_count; a++)
                args[a] = rows[a][i];
            if (!absent(s->v[i]))
                s->v[i] = n->function->map(s->v[i], args);
        }
    }
    if (!rc)
        ret->sorted = false;
    return rc;
}

int
eval_call(struct eval *e, const struct ast *n, struct value *ret)
{
    const double *rows[AST_ARGS] = {0};
    size_t count = 0;
    if (n->function->special)
        return n->function->special(e, n, ret);
    int rc = call_scalars(e, n, rows, &count);
    if (rc)
        return rc;
    return n->function->over ? call_over(e, n, rows, count, ret) : call_map(e, n, rows, count, ret);
}
