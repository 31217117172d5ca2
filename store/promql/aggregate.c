/* aggregate: sum by (...), topk, quantile, count_values ...: groups first, then each group step by step. */
#include "store/promql/ast.h"

#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct groups {
    struct gather g;                    /* one series a group: the output */
    size_t *of;                         /* group of each input series */
    size_t *members, *starts;           /* input series by group */
};

static int
compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(x) ? (isnan(y) ? 0 : -1) : 1;
    return x < y ? -1 : x > y;
}

double
quantile_of(double q, double *v, size_t n)
{
    if (!n || isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    qsort(v, n, sizeof *v, compare_double);
    double rank = q * (double)(n - 1);
    size_t lo = (size_t)floor(rank), hi = lo + 1 < n ? lo + 1 : n - 1;
    double w = rank - floor(rank);
    return v[lo] * (1 - w) + v[hi] * w;
}

/* Sum with Neumaier's correction, as Prometheus sums. */
static double
kahan_sum(const double *v, size_t n)
{
    double sum = 0, c = 0;
    for (size_t i = 0; i < n; i++) {
        double t = sum + v[i];
        c += fabs(sum) >= fabs(v[i]) ? (sum - t) + v[i] : (v[i] - t) + sum;
        sum = t;
    }
    return isinf(sum) ? sum : sum + c;
}

static double
plain_sum(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

static double
variance(const double *v, size_t n)
{
    double mean = 0, m2 = 0;
    for (size_t i = 0; i < n; i++) {
        double d = v[i] - mean;
        mean += d / (double)(i + 1);
        m2 += d * (v[i] - mean);
    }
    return m2 / (double)n;
}

static double
average(const double *v, size_t n)
{
    double sum = plain_sum(v, n);
    if (isfinite(sum))
        return sum / (double)n;
    double mean = 0;                    /* the sum overflowed: running mean */
    for (size_t i = 0; i < n; i++)
        mean += v[i] / (double)n;
    return mean;
}

static double
extreme(const double *v, size_t n, bool max)
{
    double m = v[0];
    for (size_t i = 1; i < n; i++)
        if ((max ? v[i] > m : v[i] < m) || isnan(m))
            m = v[i];
    return m;
}

static double
aggregate_value(enum ast_aggregate a, double *v, size_t n, double param)
{
    switch (a) {
    case AGG_SUM: return plain_sum(v, n);
    case AGG_AVG: return average(v, n);
    case AGG_MIN: return extreme(v, n, false);
    case AGG_MAX: return extreme(v, n, true);
    case AGG_GROUP: return 1;
    case AGG_COUNT: return (double)n;
    case AGG_STDVAR: return variance(v, n);
    case AGG_STDDEV: return sqrt(variance(v, n));
    case AGG_QUANTILE: return quantile_of(param, v, n);
    default: return kahan_sum(v, n);
    }
}

static int
groups_make(struct eval *e, const struct ast *n, const struct value *in, struct groups *out)
{
    int rc = gather_init(&out->g, e);
    out->of = arena_alloc(e->arena, (in->count + 1) * sizeof *out->of);
    out->members = arena_alloc(e->arena, (in->count + 1) * sizeof *out->members);
    for (size_t k = 0; !rc && k < in->count; k++) {
        const struct labels *l = n->without ? labels_without(e, in->series[k].labels, &n->names, true) : labels_with(e, in->series[k].labels, &n->names);
        struct series *s = l && out->of && out->members ? gather_series(&out->g, l) : NULL;
        if (!s)
            return ERR_LIMIT;
        out->of[k] = (size_t)(s - out->g.series);
    }
    out->starts = arena_alloc(e->arena, (out->g.count + 2) * sizeof *out->starts);
    if (rc || !out->starts)
        return rc ? rc : ERR_LIMIT;
    for (size_t k = 0; k < in->count; k++)
        out->starts[out->of[k] + 1]++;
    for (size_t g = 0; g < out->g.count; g++)
        out->starts[g + 1] += out->starts[g];
    size_t *at = arena_alloc(e->arena, (out->g.count + 1) * sizeof *at);
    if (!at)
        return ERR_LIMIT;
    memcpy(at, out->starts, out->g.count * sizeof *at);
    for (size_t k = 0; k < in->count; k++)
        out->members[at[out->of[k]]++] = k;
    return 0;
}

/* --- topk, bottomk ------------------------------------------------------------------------------------- */

struct ranked { double v; size_t series; };

static int
ranked_down(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (isnan(x->v) || isnan(y->v))
        return isnan(x->v) ? (isnan(y->v) ? 0 : 1) : -1;
    return x->v > y->v ? -1 : x->v < y->v;
}

static int
ranked_up(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (isnan(x->v) || isnan(y->v))
        return isnan(x->v) ? (isnan(y->v) ? 0 : 1) : -1;
    return x->v < y->v ? -1 : x->v > y->v;
}

static int
aggregate_topk(struct eval *e, const struct ast *n, struct value *in, const struct groups *g, const double *k, struct value *ret)
{
    struct ranked *r = calloc(in->count + 1, sizeof *r);
    double **out = calloc(in->count + 1, sizeof *out);
    size_t *order = arena_alloc(e->arena, (in->count + 1) * sizeof *order), order_count = 0;
    int rc = r && out && order ? 0 : eval_fail(e, ERR_NOMEM, "no memory for the query");
    for (size_t i = 0; !rc && i < in->count; i++)
        if (!(out[i] = eval_row(e)))
            rc = ERR_LIMIT;
    for (size_t group = 0; !rc && group < g->g.count; group++)
        for (size_t i = 0; i < e->steps; i++) {
            size_t m = 0;
            double want = k[i];
            for (size_t p = g->starts[group]; p < g->starts[group + 1]; p++)
                if (!absent(in->series[g->members[p]].v[i]))
                    r[m++] = (struct ranked){in->series[g->members[p]].v[i], g->members[p]};
            qsort(r, m, sizeof *r, n->aggregate == AGG_TOPK ? ranked_down : ranked_up);
            for (size_t p = 0; p < m && (double)p + 1 <= want; p++) {
                out[r[p].series][i] = r[p].v;
                if (e->steps == 1)
                    order[order_count++] = r[p].series;
            }
        }
    *ret = (struct value){.type = PROMQL_VECTOR, .series = arena_alloc(e->arena, (in->count + 1) * sizeof *ret->series), .sorted = e->steps == 1};
    for (size_t i = 0; !rc && ret->series && i < (e->steps == 1 ? order_count : in->count); i++) {
        size_t s = e->steps == 1 ? order[i] : i;
        ret->series[ret->count++] = (struct series){in->series[s].labels, out[s]};
    }
    free(r);
    free(out);
    return rc;
}

/* --- count_values ---------------------------------------------------------------------------------------- */

static int
aggregate_count_values(struct eval *e, const struct ast *n, const struct value *in, const char *label, struct value *ret)
{
    struct gather g;
    char text[32];
    int rc = gather_init(&g, e);
    for (size_t k = 0; !rc && k < in->count; k++) {
        const struct labels *l = n->without ? labels_without(e, in->series[k].labels, &n->names, true) : labels_with(e, in->series[k].labels, &n->names);
        for (size_t i = 0; !rc && l && i < e->steps; i++) {
            double v = in->series[k].v[i];
            if (absent(v))
                continue;
            size_t len = str_double_format(v, text);
            const struct labels *m = labels_set(e, l, label, text, len);
            struct series *s = m ? gather_series(&g, m) : NULL;
            if (!s)
                rc = ERR_LIMIT;
            else
                s->v[i] = absent(s->v[i]) ? 1 : s->v[i] + 1;
        }
    }
    *ret = (struct value){.type = PROMQL_VECTOR, .series = g.series, .count = g.count};
    gather_done(&g);
    return rc;
}

static int
aggregate_groups(struct eval *e, const struct ast *n, const struct value *in, struct groups *g, const double *param, struct value *ret)
{
    double *v = malloc((in->count + 1) * sizeof *v);
    if (!v)
        return eval_fail(e, ERR_NOMEM, "no memory for the query");
    for (size_t group = 0; group < g->g.count; group++)
        for (size_t i = 0; i < e->steps; i++) {
            size_t m = 0;
            for (size_t p = g->starts[group]; p < g->starts[group + 1]; p++)
                if (!absent(in->series[g->members[p]].v[i]))
                    v[m++] = in->series[g->members[p]].v[i];
            if (m)
                g->g.series[group].v[i] = aggregate_value(n->aggregate, v, m, param ? param[i] : 0);
        }
    *ret = (struct value){.type = PROMQL_VECTOR, .series = g->g.series, .count = g->g.count};
    free(v);
    return 0;
}

int
eval_aggregate(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value in, param = {0};
    struct groups g = {0};
    int rc = eval_node(e, n->args[n->arg_count - 1], &in);
    if (!rc && n->arg_count == 2)
        rc = eval_node(e, n->args[0], &param);
    if (rc)
        return rc;
    if (n->aggregate == AGG_COUNT_VALUES)
        return aggregate_count_values(e, n, &in, param.string, ret);
    rc = groups_make(e, n, &in, &g);
    if (!rc && (n->aggregate == AGG_TOPK || n->aggregate == AGG_BOTTOMK))
        rc = aggregate_topk(e, n, &in, &g, param.scalar, ret);
    else if (!rc)
        rc = aggregate_groups(e, n, &in, &g, param.scalar, ret);
    gather_done(&g.g);
    return rc;
}
