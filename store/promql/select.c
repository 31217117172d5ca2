/* select: what selectors and subqueries read. Each series is read once for the whole range of
 * steps.
 *
 * A stale marker ends a series; a sample counts for the lookback (5 min), both ends of a window
 * count. */
#include "store/promql/eval.h"

#include "store/scan.h"
#include "store/tier_read.h"

#include <math.h>
#include <stdlib.h>

/* With @ a walk over many steps (predict_linear, parameters of aggregations; all else is constant
 * and has one) begins at the time given and goes on from there, but nothing behind that time is
 * read: so Prometheus 2.42 does it. */
int64_t
select_reference(const struct eval *e, const struct ast *n, size_t step)
{
    int64_t t = eval_time(e, step);
    if (n->at == AT_TIME)
        t += n->at_ms - e->from_ms;
    else if (n->at == AT_START && n->at_bound)
        t += e->run->start_ms - e->from_ms;
    else if (n->at == AT_END && n->at_bound)
        t += e->run->end_ms - e->from_ms;
    return t - n->offset_ms;
}

static int
select_keep(struct eval *e, struct series_set *set)
{
    struct run *r = e->run;
    struct series_set *p = realloc(r->sets, (r->set_count + 1) * sizeof *p);
    if (!p) {
        series_set_done(set);
        return eval_fail(e, ERR_NOMEM, "no memory for the query");
    }
    r->sets = p;
    p[r->set_count++] = *set;
    return 0;
}

/* The times that a selector reads, for all steps. */
static void
select_span(const struct eval *e, const struct ast *n, int64_t back_ms, int64_t *ret_from,
            int64_t *ret_to)
{
    bool fixed = n->at != AT_NONE && (n->at == AT_TIME || n->at_bound);
    int64_t a = select_reference(e, n, 0), b = fixed ? a : select_reference(e, n, e->steps - 1);
    if (!fixed && e->read_to_ms && b > e->read_to_ms - n->offset_ms)
        b = e->read_to_ms - n->offset_ms;
    *ret_from = a - back_ms;
    *ret_to = b;
}

static struct select_limits
select_limits_of(const struct run *r)
{
    return (struct select_limits){.max_series = r->o->max_series,
                                  .max_samples = r->samples_max - r->samples,
                                  .deadline_mono_us = r->deadline_us,
                                  .tenant = r->o->tenant};
}

static int
select_failed(struct eval *e, int rc)
{
    return rc == ERR_TIMEOUT ? eval_fail(e, ERR_TIMEOUT, "query timed out in expression evaluation")
                             : rc;
}

int
select_scan(struct eval *e, const struct ast *n, int64_t window_ms, int64_t back_ms,
            const struct function **function, struct scan **ret)
{
    struct tier_plan plan;
    struct run *r = e->run;
    struct select_limits lim = select_limits_of(r);
    int64_t from, to;
    if (!lim.max_samples)
        return eval_tick(e, 1);
    select_span(e, n, back_ms, &from, &to);
    if (tiered_plan(e, n, window_ms, back_ms, function, &plan))
        return select_failed(e, scan_open_tier(r->store, n->matchers, n->matcher_count, to, &plan,
                                               &lim, ret, r->err));
    return select_failed(
        e, scan_open(r->store, n->matchers, n->matcher_count, from, to, &lim, ret, r->err));
}

static int
select_read(struct eval *e, const struct ast *n, int64_t back_ms, bool latest,
            struct series_set *ret)
{
    struct run *r = e->run;
    struct select_limits lim = select_limits_of(r);
    int64_t from, to;
    *ret = (struct series_set){0};
    if (!lim.max_samples)
        return eval_tick(e, 1);
    select_span(e, n, back_ms, &from, &to);
    int rc =
        latest ? store_latest(r->store, n->matchers, n->matcher_count, from + back_ms, back_ms,
                              &lim, ret, r->err)
               : store_select(r->store, n->matchers, n->matcher_count, from, to, &lim, ret, r->err);
    if (rc)
        return select_failed(e, rc);
    size_t total = 0;
    for (size_t i = 0; i < ret->count; i++)
        total += ret->rows[i].count;
    return select_keep(e, ret) ? ERR_NOMEM : eval_tick(e, total);
}

bool
select_steps(const struct eval *e, const struct ast *n, const struct sample *s, size_t count,
             bool times, double *v)
{
    double none = ABSENT;
    bool any = false;
    size_t k = 0;
    int64_t t = select_reference(e, n, 0), lookback = e->run->lookback_ms;
    int64_t step = times && n->at != AT_NONE ? 0 : e->step_ms; /* timestamp() of @: one time */
    for (size_t i = 0; i < e->steps; i++, t += step) {
        while (k < count && s[k].t_ms <= t)
            k++;
        if (!k || s[k - 1].t_ms < t - lookback || absent(s[k - 1].v)) {
            v[i] = none;
            continue;
        }
        v[i] = times ? (double)s[k - 1].t_ms / 1000 : s[k - 1].v;
        any = true;
    }
    return any;
}

/* The newest samples, at one step. */
static int
select_latest(struct eval *e, const struct ast *n, bool times, struct value *ret)
{
    struct series_set set;
    int rc = select_read(e, n, e->run->lookback_ms, true, &set);
    if (rc)
        return rc;
    struct series *series = eval_alloc(e, set.count, sizeof *series);
    double *values = eval_alloc(e, set.count, sizeof *values);
    *ret = (struct value){.type = PROMQL_VECTOR, .series = series, .one_name = leaf_one_name(n)};
    if (!series || !values || eval_tick(e, set.count * 17)) /* as so many rows of a value */
        return ERR_LIMIT;
    for (size_t i = 0; i < set.count; i++) {
        const struct series_row *row = &set.rows[i];
        if (!select_steps(e, n, row->samples, row->count, times, &values[i]))
            continue;
        series[ret->count++] = (struct series){.labels = row->labels, .v = &values[i]};
    }
    return 0;
}

int
select_vector(struct eval *e, const struct ast *n, bool times, struct value *ret)
{
    struct leaf l;
    if (e->steps == 1)
        return select_latest(e, n, times, ret);
    int rc = leaf_vector(e, n, times, &l);
    if (!rc)
        rc = leaf_value(&l, ret);
    leaf_done(&l);
    return rc;
}

/* --- subqueries ------------------------------------------------------------------------------- */

#define SELECT_STEP_MS 60000 /* a subquery without step: Prometheus' evaluation interval */

static int
select_samples(struct eval *in, const struct series *s, struct series_row *row)
{
    row->labels = (struct labels *)(uintptr_t)labels_plain(in, s);
    row->samples = eval_alloc(in, in->steps, sizeof *row->samples);
    if (!row->samples || !row->labels)
        return ERR_LIMIT;
    for (size_t k = 0; k < in->steps; k++)
        if (!absent(s->v[k]))
            row->samples[row->count++] = (struct sample){eval_time(in, k), s->v[k]};
    return 0;
}

/* The inner expression at its own steps, multiples of the step, as samples. */
static int
select_subquery(struct eval *e, const struct ast *n, struct ranges *ret)
{
    struct eval in = *e;
    struct value v;
    int64_t step = n->step_ms ? n->step_ms : SELECT_STEP_MS;
    int64_t a = select_reference(e, n, 0) - n->range_ms, b = select_reference(e, n, e->steps - 1);
    *ret = (struct ranges){.range_ms = n->range_ms, .node = n};
    in.from_ms = a / step * step;
    if (in.from_ms < a)
        in.from_ms += step;
    in.step_ms = step;
    if (n->at == AT_TIME || (n->at && n->at_bound))
        in.read_to_ms = a + n->range_ms;
    if (b < in.from_ms)
        return 0;
    in.steps = (size_t)((b - in.from_ms) / step) + 1;
    if (in.steps > e->run->samples_max)
        return eval_tick(e, in.steps);
    int rc = eval_node(&in, n->args[0], &v);
    if (rc)
        return rc;
    ret->one_name = v.one_name;
    if (!(ret->rows = eval_alloc(e, v.count, sizeof *ret->rows)))
        return ERR_LIMIT;
    for (size_t i = 0; !rc && i < v.count; i++)
        rc = select_samples(&in, &v.series[i], &ret->rows[ret->count++]);
    return rc;
}

int
select_ranges(struct eval *e, const struct ast *n, struct ranges *ret)
{
    struct series_set set;
    n = ast_bare(n);
    if (n->kind == AST_SUBQUERY)
        return select_subquery(e, n, ret);
    int rc = select_read(e, n, n->range_ms, false, &set);
    if (rc)
        return rc;
    for (size_t i = 0; i < set.count; i++) { /* stale markers are no samples of a range */
        struct series_row *r = &set.rows[i];
        size_t k = 0;
        while (k < r->count && !absent(r->samples[k].v))
            k++;
        for (size_t j = k; j < r->count; j++)
            if (!absent(r->samples[j].v))
                r->samples[k++] = r->samples[j];
        r->count = k;
    }
    *ret = (struct ranges){.rows = set.rows,
                           .count = set.count,
                           .range_ms = n->range_ms,
                           .node = n,
                           .one_name = leaf_one_name(n)};
    return 0;
}
