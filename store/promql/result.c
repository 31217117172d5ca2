/* result: runs a query and makes its answer: rows of samples, in order of labels unless sort() or
 * topk() asked otherwise.
 *
 * All memory of a query is one arena, and the sets that the store answered; both go with the
 * result. */
#include "store/promql/eval.h"

#include "base/clock.h"
#include "store/remote_query.h"

#include <math.h>
#include <stdlib.h>

#define RESULT_SAMPLES     50000000
#define RESULT_TIMEOUT_MS  120000
#define RESULT_POINTS      11000 /* Prometheus' own limit of points a series */
#define RESULT_LOOKBACK_MS 300000
#define RESULT_ARENA       ((size_t)4 << 30)

struct result_memory {
    struct arena *arena;
    struct series_set *sets;
    size_t set_count;
    struct slabs labels;
};

/* --- order ------------------------------------------------------------------------------------ */

struct result_key {
    uint64_t head;
    struct series_row row;
};

static int
result_order(const void *a, const void *b)
{
    const struct result_key *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    return labels_compare(x->row.labels, y->row.labels);
}

static bool
result_same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a == b || !memcmp(a, b, a_len));
}

/* The place of the first label at which rows differ in value, while all have the same name there;
 * SIZE_MAX when they have not. */
static size_t
result_differs(const struct series_row *rows, size_t n)
{
    const struct labels *a = rows->labels;
    size_t best = a->count;
    for (size_t k = 1; k < n && best; k++) {
        const struct labels *b = rows[k].labels;
        size_t i = 0;
        while (i < best && i < b->count &&
               result_same(a->at[i].name, a->at[i].name_len, b->at[i].name, b->at[i].name_len) &&
               result_same(a->at[i].value, a->at[i].value_len, b->at[i].value, b->at[i].value_len))
            i++;
        best = i;
    }
    for (size_t k = 1; k < n; k++) {
        const struct labels *b = rows[k].labels;
        if (best >= a->count || best >= b->count ||
            !result_same(a->at[best].name, a->at[best].name_len, b->at[best].name,
                         b->at[best].name_len))
            return SIZE_MAX;
    }
    return best;
}

/* Sorts by labels; the first eight bytes in which the first telling label differs decide most
 * comparisons. */
static int
result_sort(struct eval *e, struct series_row *rows, size_t n)
{
    size_t at = n ? result_differs(rows, n) : 0, skip = SIZE_MAX;
    struct result_key *keys = eval_alloc(e, n, sizeof *keys);
    bool telling = n && at != SIZE_MAX && at < rows->labels->count;
    if (!keys)
        return ERR_LIMIT;
    for (size_t k = 0; telling && k < n; k++) {
        const struct label *x = &rows[0].labels->at[at], *y = &rows[k].labels->at[at];
        size_t i = 0;
        while (i < skip && i < x->value_len && i < y->value_len && x->value[i] == y->value[i])
            i++;
        skip = i < skip ? i : skip;
    }
    for (size_t k = 0; k < n; k++) {
        keys[k].row = rows[k];
        const struct label *y = telling ? &rows[k].labels->at[at] : NULL;
        for (size_t i = 0; y && i < 8; i++)
            keys[k].head = keys[k].head << 8 |
                           (skip + i < y->value_len ? (unsigned char)y->value[skip + i] : 0);
    }
    if (n)
        qsort(keys, n, sizeof *keys, result_order);
    for (size_t k = 0; k < n; k++)
        rows[k] = keys[k].row;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int
result_row(struct eval *e, const struct series *s, struct series_row *row)
{
    size_t n = 0;
    for (size_t i = 0; i < e->steps; i++)
        n += !absent(s->v[i]);
    *row = (struct series_row){.count = n};
    if (!n)
        return 0;
    row->labels = (struct labels *)(uintptr_t)labels_plain(e, s);
    row->samples = eval_alloc(e, n, sizeof *row->samples);
    if (!row->labels || !row->samples)
        return ERR_LIMIT;
    n = 0;
    for (size_t i = 0; i < e->steps; i++)
        if (!absent(s->v[i]))
            row->samples[n++] = (struct sample){eval_time(e, i), s->v[i]};
    return 0;
}

static int
result_rows(struct eval *e, const struct value *v, bool range, struct promql_result *r)
{
    r->set.rows = eval_alloc(e, v->count, sizeof *r->set.rows);
    if (!r->set.rows)
        return ERR_LIMIT;
    for (size_t k = 0; k < v->count; k++) {
        struct series_row *row = &r->set.rows[r->set.count];
        if (result_row(e, &v->series[k], row))
            return ERR_LIMIT;
        r->set.count += row->count > 0;
    }
    return range || !v->sorted ? result_sort(e, r->set.rows, r->set.count) : 0;
}

/* A range selector or subquery as an instant query: the samples themselves. */
static int
result_ranges(struct eval *e, const struct ast *n, struct promql_result *r)
{
    struct ranges ranges;
    int rc = select_ranges(e, n, &ranges);
    int64_t to = rc ? 0 : select_reference(e, ranges.node, 0), from = rc ? 0 : to - ranges.range_ms;
    r->type = PROMQL_MATRIX;
    r->set.rows = rc ? NULL : eval_alloc(e, ranges.count, sizeof *r->set.rows);
    for (size_t k = 0; r->set.rows && k < ranges.count; k++) {
        struct series_row row = ranges.rows[k];
        while (row.count && row.samples->t_ms < from)
            row.samples++, row.count--;
        while (row.count && row.samples[row.count - 1].t_ms > to)
            row.count--;
        if (row.count)
            r->set.rows[r->set.count++] = row;
    }
    return rc ? rc : r->set.rows ? result_sort(e, r->set.rows, r->set.count) : ERR_LIMIT;
}

static int
result_scalar(struct eval *e, const struct value *v, bool range, struct promql_result *r)
{
    static const struct labels none = {0};
    struct series s = {.labels = &none, .v = v->scalar};
    struct value one = {.type = PROMQL_VECTOR, .series = &s, .count = 1};
    r->scalar = (struct sample){e->from_ms, v->scalar[0]};
    r->type = range ? PROMQL_MATRIX : PROMQL_SCALAR;
    return range ? result_rows(e, &one, true, r) : 0;
}

static int
result_fill(struct eval *e, const struct promql *q, bool range, struct promql_result *r)
{
    struct value v = {0};
    if (q->root->type == PROMQL_MATRIX)
        return result_ranges(e, q->root, r);
    int rc = eval_node(e, q->root, &v);
    if (rc)
        return rc;
    if (v.type == PROMQL_SCALAR)
        return result_scalar(e, &v, range, r);
    if (v.type == PROMQL_VECTOR) {
        r->type = range ? PROMQL_MATRIX : PROMQL_VECTOR;
        return result_rows(e, &v, range, r);
    }
    r->type = PROMQL_STRING;
    r->scalar.t_ms = e->from_ms;
    r->string = arena_str(e->run->arena, v.string, strlen(v.string));
    return r->string ? 0 : eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
}

/* --- queries ---------------------------------------------------------------------------------- */

static int
result_run(struct store *s, const struct promql *q, struct eval *e, int64_t end_ms,
           const struct promql_options *o, bool range, struct promql_result *ret, struct err *err)
{
    static const struct promql_options none = {0};
    struct promql_result r = {0};
    struct err local;
    o = o ? o : &none;
    struct run run = {
        .store = s, .o = o, .err = err ? err : &local, .start_ms = e->from_ms, .end_ms = end_ms};
    run.lookback_ms = o->lookback_ms ? o->lookback_ms : RESULT_LOOKBACK_MS;
    run.samples_max = o->max_samples ? o->max_samples : RESULT_SAMPLES;
    run.deadline_us = clock_mono_us() + (o->timeout_ms ? o->timeout_ms : RESULT_TIMEOUT_MS) * 1000;
    struct result_memory *m = calloc(1, sizeof *m);
    if (!m || !(run.arena = m->arena = arena_new(RESULT_ARENA))) {
        free(m);
        return err_set(err, ERR_NOMEM, "no memory for the query");
    }
    e->run = &run;
    r.set.priv = m;
    int rc = result_fill(e, q, range, &r);
    m->sets = run.sets;
    m->set_count = run.set_count;
    m->labels = run.labels;
    if (rc)
        promql_result_done(&r);
    else
        *ret = r;
    return rc;
}

int
promql_instant(struct store *s, const struct promql *q, int64_t at_ms,
               const struct promql_options *o, struct promql_result *ret, struct err *err)
{
    struct eval e = {.from_ms = at_ms, .step_ms = 1, .steps = 1};
    int rc = remote_promql(s, q, &(struct remote_span){at_ms, at_ms, 1, false}, o, ret, err);
    if (rc <= 0)
        return rc;
    return result_run(s, q, &e, at_ms, o, false, ret, err);
}

int
promql_range(struct store *s, const struct promql *q, int64_t from_ms, int64_t to_ms,
             int64_t step_ms, const struct promql_options *o, struct promql_result *ret,
             struct err *err)
{
    if (step_ms <= 0)
        return err_set(err, ERR_RANGE,
                       "zero or negative query resolution step widths are not accepted. Try a "
                       "positive integer");
    if (to_ms < from_ms)
        return err_set(err, ERR_RANGE, "end timestamp must not be before start time");
    if ((to_ms - from_ms) / step_ms > RESULT_POINTS)
        return err_set(err, ERR_RANGE,
                       "exceeded maximum resolution of 11,000 points per timeseries. Try "
                       "decreasing the query resolution (?step=XX)");
    if (q->root->type != PROMQL_SCALAR && q->root->type != PROMQL_VECTOR)
        return err_set(
            err, ERR_SYNTAX,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            ast_type_name(q->root->type));
    int rc = remote_promql(s, q, &(struct remote_span){from_ms, to_ms, step_ms, true}, o, ret, err);
    if (rc <= 0)
        return rc;
    struct eval e = {
        .from_ms = from_ms, .step_ms = step_ms, .steps = (size_t)((to_ms - from_ms) / step_ms) + 1};
    return result_run(s, q, &e, to_ms, o, true, ret, err);
}

int
promql_result_new(struct promql_result *r, struct arena **ret_arena)
{
    struct result_memory *m = calloc(1, sizeof *m);
    if (!m || !(m->arena = arena_new(RESULT_ARENA))) {
        free(m);
        return ERR_NOMEM;
    }
    *r = (struct promql_result){.set.priv = m};
    *ret_arena = m->arena;
    return 0;
}

void
promql_result_warn(struct promql_result *r, const char *text)
{
    struct result_memory *m = r->set.priv;
    char *copy = arena_str(m->arena, text, strlen(text));
    if (copy && r->warning_count < sizeof r->warnings / sizeof *r->warnings)
        r->warnings[r->warning_count++] = copy;
}

void
promql_result_done(struct promql_result *r)
{
    struct result_memory *m = r->set.priv;
    if (!m)
        return;
    for (size_t i = 0; i < m->set_count; i++)
        series_set_done(&m->sets[i]);
    free(m->sets);
    slabs_done(&m->labels);
    arena_free(m->arena);
    free(m);
    *r = (struct promql_result){0};
}
