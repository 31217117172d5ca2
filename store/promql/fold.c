/* fold: sum, min, max, avg, count, group, stddev and stdvar: rows of series are folded into the row
 * of their group, step by step, in the order in which they come. The store's crew shares out the
 * steps, not the series, so that the arithmetic is the same whoever does it. Running means,
 * Welford's variance: as Prometheus. */
#include "store/promql/eval.h"

#include "store/crew.h"
#include "store/scan.h"

#include <math.h>
#include <stdlib.h>

#define FOLD_SMALL 65536 /* values that are not worth waking anybody for */

struct fold_group {
    double *v, *count, *mean; /* a row each; count and mean where they are needed */
};

struct fold_row {
    const double *v;
    uint32_t group;
};

struct fold {
    struct eval *e;
    const struct ast *n;
    struct pick pick;
    struct groups g;
    struct fold_group *at;
    struct series *series; /* those that came first of a group */
    size_t max;
    struct fold_row *rows; /* that wait to be folded */
    size_t row_count, parts;
};

/* --- arithmetic: steps from a to b ------------------------------------------------------------ */

static void
fold_sum(double *out, const double *v, size_t a, size_t b)
{
    for (size_t i = a; i < b; i++)
        if (!absent(v[i]))
            out[i] = absent(out[i]) ? v[i] : out[i] + v[i];
}

static void
fold_extreme(double *out, const double *v, size_t a, size_t b, bool max)
{
    for (size_t i = a; i < b; i++)
        if (!absent(v[i]) &&
            (absent(out[i]) || (max ? out[i] < v[i] : out[i] > v[i]) || isnan(out[i])))
            out[i] = v[i];
}

static void
fold_count(double *out, const double *v, size_t a, size_t b, bool group)
{
    for (size_t i = a; i < b; i++)
        if (!absent(v[i]))
            out[i] = absent(out[i]) || group ? 1 : out[i] + 1;
}

static void
fold_average(const struct fold_group *g, const double *v, size_t a, size_t b)
{
    for (size_t i = a; i < b; i++) {
        if (absent(v[i]))
            continue;
        double n = ++g->count[i], mean = g->v[i];
        if (n == 1)
            g->v[i] = v[i];
        else if (!(isinf(mean) &&
                   ((isinf(v[i]) && (mean > 0) == (v[i] > 0)) || (!isinf(v[i]) && !isnan(v[i])))))
            g->v[i] = mean + (v[i] / n - mean / n);
    }
}

static void
fold_variance(const struct fold_group *g, const double *v, size_t a, size_t b)
{
    for (size_t i = a; i < b; i++) {
        if (absent(v[i]))
            continue;
        if (++g->count[i] == 1) {
            g->mean[i] = v[i];
            g->v[i] = 0;
            continue;
        }
        double delta = v[i] - g->mean[i];
        g->mean[i] += delta / g->count[i];
        g->v[i] += delta * (v[i] - g->mean[i]);
    }
}

static void
fold_steps(const struct fold *f, const struct fold_row *r, size_t a, size_t b)
{
    const struct fold_group *g = &f->at[r->group];
    switch (f->n->aggregate) {
    case AGG_SUM:
        fold_sum(g->v, r->v, a, b);
        break;
    case AGG_MIN:
    case AGG_MAX:
        fold_extreme(g->v, r->v, a, b, f->n->aggregate == AGG_MAX);
        break;
    case AGG_AVG:
        fold_average(g, r->v, a, b);
        break;
    case AGG_STDDEV:
    case AGG_STDVAR:
        fold_variance(g, r->v, a, b);
        break;
    default:
        fold_count(g->v, r->v, a, b, f->n->aggregate == AGG_GROUP);
    }
}

static void
fold_end(const struct fold *f, const struct fold_group *g)
{
    for (size_t i = 0; g->mean && i < f->e->steps; i++) {
        if (absent(g->v[i]))
            continue;
        g->v[i] /= g->count[i];
        if (f->n->aggregate == AGG_STDDEV)
            g->v[i] = sqrt(g->v[i]);
    }
}

/* --- groups ----------------------------------------------------------------------------------- */

static int
fold_init(struct fold *f, struct eval *e, const struct ast *n, size_t max)
{
    *f = (struct fold){.e = e, .n = n, .max = max};
    pick_init(&f->pick, n->without ? PICK_WITHOUT : PICK_WITH, &n->names, n->without);
    f->at = eval_alloc(e, max, sizeof *f->at);
    f->rows = eval_alloc(e, max, sizeof *f->rows);
    f->series = eval_alloc(e, max + 1, sizeof *f->series);
    return f->at && f->rows && f->series ? groups_init(&f->g, e, &f->pick, max) : ERR_LIMIT;
}

static int
fold_group_new(struct fold *f, struct fold_group *g)
{
    struct eval *e = f->e;
    bool variance = f->n->aggregate == AGG_STDDEV || f->n->aggregate == AGG_STDVAR;
    g->v = eval_row(e, true);
    if (variance || f->n->aggregate == AGG_AVG)
        g->count = eval_alloc(e, e->steps, sizeof *g->count);
    if (variance)
        g->mean = eval_alloc(e, e->steps, sizeof *g->mean);
    return g->v && (g->count || (!variance && f->n->aggregate != AGG_AVG)) && (g->mean || !variance)
               ? 0
               : ERR_LIMIT;
}

/* A series waits; its row stays as it is until the batch is folded. */
static int
fold_series(void *ctx, const struct series *s)
{
    struct fold *f = ctx;
    size_t before = f->g.count;
    f->series[before] = *s; /* groups look at it later only when it was the first */
    size_t group = groups_take(&f->g, &f->series[before]);
    f->rows[f->row_count++] = (struct fold_row){s->v, (uint32_t)group};
    return f->g.count == before ? 0 : fold_group_new(f, &f->at[group]);
}

static void
fold_part(void *ctx, size_t part)
{
    const struct fold *f = ctx;
    size_t a = f->e->steps * part / f->parts, b = f->e->steps * (part + 1) / f->parts;
    for (size_t i = 0; i < f->row_count; i++)
        fold_steps(f, &f->rows[i], a, b);
}

static int
fold_batch(void *ctx)
{
    struct fold *f = ctx;
    struct crew *crew = store_crew(f->e->run->store);
    size_t parts = crew_size(crew);
    f->parts = f->row_count * f->e->steps < FOLD_SMALL || f->e->steps < parts * 16 ? 1 : parts;
    crew_run(crew, f->parts, fold_part, f);
    f->row_count = 0;
    return 0;
}

static int
fold_answer(struct fold *f, struct value *ret)
{
    struct eval *e = f->e;
    struct series *out = eval_alloc(e, f->g.count, sizeof *out);
    *ret = (struct value){.type = PROMQL_VECTOR, .series = out, .one_name = true};
    for (size_t k = 0; out && k < f->g.count; k++) {
        fold_end(f, &f->at[k]);
        out[k].labels = pick_labels(e, &f->pick, f->g.at[k].first, 0);
        out[k].v = f->at[k].v;
        if (!out[k].labels)
            return ERR_LIMIT;
        ret->count++;
    }
    return out ? 0 : ERR_LIMIT;
}

int
fold_value(struct eval *e, const struct ast *n, const struct value *in, struct value *ret)
{
    struct fold f;
    int rc = fold_init(&f, e, n, in->count);
    for (size_t k = 0; !rc && k < in->count; k++)
        rc = fold_series(&f, &in->series[k]);
    if (!rc)
        rc = fold_batch(&f);
    if (!rc)
        rc = fold_answer(&f, ret);
    groups_done(&f.g);
    return rc;
}

int
fold_leaf(struct eval *e, const struct ast *n, struct leaf *l, struct value *ret)
{
    struct fold f;
    struct leaf_sink sink = {.series = fold_series, .batch = fold_batch, .ctx = &f};
    int rc = fold_init(&f, e, n, scan_count(l->scan));
    if (!rc)
        rc = leaf_each(l, &sink);
    if (!rc)
        rc = fold_answer(&f, ret);
    groups_done(&f.g);
    return rc;
}
