/* eval: every node becomes a value over all steps at once: series in rows, steps in columns, ABSENT where there is none.
 *
 * Selectors read each series once for the whole range; stale markers end a series; a sample counts for `lookback` (5 min).
 * Ceilings: samples read and made (max_samples), series, time. All memory is one arena that goes with the result. */
#include "store/promql/ast.h"

#include "base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVAL_SAMPLES 50000000
#define EVAL_TIMEOUT_MS 120000
#define EVAL_STEPS 11000           /* Prometheus' own limit of points a series */

int
eval_fail(struct eval *e, int code, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e->err, code, "%s", text);
}

static int
eval_tick(struct eval *e, size_t samples)
{
    e->samples += samples;
    if (e->samples > e->samples_max)
        return eval_fail(e, ERR_LIMIT, "query processing would load too many samples into memory in query execution");
    if (clock_mono_us() > e->deadline_us)
        return eval_fail(e, ERR_TIMEOUT, "query timed out in expression evaluation");
    return 0;
}

double *
eval_row(struct eval *e)
{
    if (eval_tick(e, e->steps))
        return NULL;
    double *v = arena_alloc(e->arena, e->steps * sizeof *v);
    double none = ABSENT;
    for (size_t i = 0; v && i < e->steps; i++)
        v[i] = none;
    if (!v)
        eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
    return v;
}

/* --- labels ------------------------------------------------------------------------------------------ */

static struct labels *
labels_copy_cut(struct eval *e, const struct labels *l, size_t room)
{
    struct labels *n = arena_alloc(e->arena, offsetof(struct labels, at) + (l->count + room) * sizeof *l->at);
    if (!n) {
        eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
        return NULL;
    }
    n->count = l->count;
    memcpy(n->at, l->at, l->count * sizeof *l->at);
    return n;
}

static bool
label_is(const struct label *l, const char *name)
{
    return l->name_len == strlen(name) && !memcmp(l->name, name, l->name_len);
}

static bool
names_have(const struct ast_names *names, const struct label *l)
{
    for (size_t i = 0; i < names->count; i++)
        if (label_is(l, names->at[i]))
            return true;
    return false;
}

struct labels *
labels_without(struct eval *e, const struct labels *l, const struct ast_names *names, bool metric_name)
{
    struct labels *n = labels_copy_cut(e, l, 0);
    size_t k = 0;
    for (size_t i = 0; n && i < l->count; i++)
        if (!(metric_name && label_is(&l->at[i], "__name__")) && !(names && names_have(names, &l->at[i])))
            n->at[k++] = l->at[i];
    if (n)
        n->count = k;
    return n;
}

struct labels *
labels_with(struct eval *e, const struct labels *l, const struct ast_names *names)
{
    struct labels *n = labels_copy_cut(e, l, 0);
    size_t k = 0;
    for (size_t i = 0; n && i < l->count; i++)
        if (names_have(names, &l->at[i]))
            n->at[k++] = l->at[i];
    if (n)
        n->count = k;
    return n;
}

struct labels *
labels_set(struct eval *e, const struct labels *l, const char *name, const char *value, size_t len)
{
    struct labels *n = labels_copy_cut(e, l, 1);
    size_t i = 0, name_len = strlen(name);
    if (!n || n->count >= LABELS_MAX)
        return NULL;
    while (i < n->count && (memcmp(n->at[i].name, name, n->at[i].name_len < name_len ? n->at[i].name_len : name_len) < 0 ||
                            (!memcmp(n->at[i].name, name, n->at[i].name_len < name_len ? n->at[i].name_len : name_len) && n->at[i].name_len < name_len)))
        i++;
    bool there = i < n->count && label_is(&n->at[i], name);
    if (!len) {
        if (there)
            memmove(&n->at[i], &n->at[i + 1], (--n->count - i) * sizeof *n->at);
        return n;
    }
    if (!there)
        memmove(&n->at[i + 1], &n->at[i], (n->count++ - i) * sizeof *n->at);
    n->at[i] = (struct label){.name = arena_str(e->arena, name, name_len), .name_len = (uint32_t)name_len,
                              .value = arena_str(e->arena, value, len), .value_len = (uint32_t)len};
    return n->at[i].name && n->at[i].value ? n : NULL;
}

bool
labels_equal(const struct labels *a, const struct labels *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->at[i].name_len != b->at[i].name_len || a->at[i].value_len != b->at[i].value_len ||
            memcmp(a->at[i].name, b->at[i].name, a->at[i].name_len) || memcmp(a->at[i].value, b->at[i].value, a->at[i].value_len))
            return false;
    return true;
}

/* --- gather ------------------------------------------------------------------------------------------- */

#define GATHER_MAX 5000000

int
gather_init(struct gather *g, struct eval *e)
{
    *g = (struct gather){.e = e, .index = map_new(GATHER_MAX)};
    return g->index ? 0 : eval_fail(e, ERR_NOMEM, "no memory for the query");
}

void
gather_done(struct gather *g)
{
    map_free(g->index, NULL);
}

static size_t
gather_key(const struct labels *l, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct label *x = &l->at[i];
        if (n + x->name_len + x->value_len + 2 > size)
            break;
        memcpy(out + n, x->name, x->name_len);
        n += x->name_len;
        out[n++] = (char)0xff;
        memcpy(out + n, x->value, x->value_len);
        n += x->value_len;
        out[n++] = (char)0xff;
    }
    return n;
}

struct series *
gather_series(struct gather *g, const struct labels *l)
{
    char key[16384];
    size_t n = gather_key(l, key, sizeof key);
    uintptr_t i = (uintptr_t)map_get(g->index, key, n);
    if (i)
        return &g->series[i - 1];
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64;
        struct series *p = arena_alloc(g->e->arena, cap * sizeof *p);
        if (!p) {
            eval_fail(g->e, ERR_LIMIT, "the query needs more memory than allowed");
            return NULL;
        }
        if (g->count)
            memcpy(p, g->series, g->count * sizeof *p);
        g->series = p;
        g->cap = cap;
    }
    struct series *s = &g->series[g->count];
    *s = (struct series){.labels = l, .v = eval_row(g->e)};
    if (!s->v || map_set(g->index, key, n, (void *)(uintptr_t)(++g->count), NULL))
        return NULL;
    return s;
}

/* --- selectors ------------------------------------------------------------------------------------------ */

int64_t
eval_reference(const struct eval *e, const struct ast *n, size_t step)
{
    int64_t t = n->at == AT_TIME ? n->at_ms : n->at == AT_START ? e->start_ms : n->at == AT_END ? e->end_ms : eval_time(e, step);
    return t - n->offset_ms;
}

static int
eval_keep(struct eval *e, const struct series_set *set)
{
    if (e->set_count == e->set_cap) {
        size_t cap = e->set_cap ? e->set_cap * 2 : 8;
        struct series_set *p = realloc(e->sets, cap * sizeof *p);
        if (!p)
            return eval_fail(e, ERR_NOMEM, "no memory for the query");
        e->sets = p;
        e->set_cap = cap;
    }
    e->sets[e->set_count++] = *set;
    return 0;
}

static int
eval_select(struct eval *e, const struct ast *n, int64_t back_ms, struct series_set *ret)
{
    struct select_limits lim = {.max_series = e->o->max_series, .max_samples = e->samples_max - e->samples,
                                .deadline_mono_us = e->deadline_us, .tenant = e->o->tenant};
    int64_t a = eval_reference(e, n, 0), b = eval_reference(e, n, e->steps - 1);
    int rc;
    if (e->steps == 1 && !n->range_ms)
        rc = store_latest(e->store, n->matchers, n->matcher_count, a, back_ms, &lim, ret, e->err);
    else
        rc = store_select(e->store, n->matchers, n->matcher_count, a - back_ms, b, &lim, ret, e->err);
    if (rc)
        return rc;
    size_t total = 0;
    for (size_t i = 0; i < ret->count; i++)
        total += ret->rows[i].count;
    if (eval_keep(e, ret)) {
        series_set_done(ret);
        return ERR_NOMEM;
    }
    return eval_tick(e, total);
}

/* At each step the newest sample not older than the lookback; a stale marker is none. */
static void
eval_instants(const struct eval *e, const struct ast *n, const struct series_row *row, double *v)
{
    size_t k = 0;
    for (size_t i = 0; i < e->steps; i++) {
        int64_t t = eval_reference(e, n, i);
        if (n->at != AT_NONE)
            k = 0;
        while (k < row->count && row->samples[k].t_ms <= t)
            k++;
        if (k && row->samples[k - 1].t_ms >= t - e->lookback_ms)
            v[i] = row->samples[k - 1].v;
    }
}

static int
eval_selector(struct eval *e, const struct ast *n, struct value *ret)
{
    struct series_set set;
    int rc = eval_select(e, n, e->lookback_ms, &set);
    if (rc)
        return rc;
    *ret = (struct value){.type = PROMQL_VECTOR, .series = arena_alloc(e->arena, (set.count + 1) * sizeof *ret->series)};
    if (!ret->series)
        return eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
    for (size_t i = 0; i < set.count; i++) {
        struct series *s = &ret->series[ret->count];
        *s = (struct series){.labels = set.rows[i].labels, .v = eval_row(e)};
        if (!s->v)
            return ERR_LIMIT;
        eval_instants(e, n, &set.rows[i], s->v);
        ret->count++;
    }
    return 0;
}

/* A subquery: the inner expression on its own steps, aligned to multiples of the step, as samples. */
static int
eval_subquery(struct eval *e, const struct ast *n, struct ranges *ret)
{
    struct eval in = *e;
    int64_t step = n->step_ms ? n->step_ms : e->step_ms && e->steps > 1 ? 60000 : 60000;
    int64_t a = eval_reference(e, n, 0) - n->range_ms, b = eval_reference(e, n, e->steps - 1);
    int64_t first = a / step * step;
    struct value v;
    if (first < a)
        first += step;
    in.from_ms = first;
    in.step_ms = step;
    in.steps = b < first ? 0 : (size_t)((b - first) / step) + 1;
    *ret = (struct ranges){.range_ms = n->range_ms, .offset_ms = n->offset_ms, .node = n};
    if (!in.steps)
        return 0;
    int rc = eval_node(&in, n->args[0], &v);
    e->samples = in.samples;
    e->sets = in.sets;
    e->set_count = in.set_count;
    e->set_cap = in.set_cap;
    if (rc)
        return rc;
    struct labels none = {0};
    struct series scalar = {.labels = &none, .v = v.scalar};
    if (v.type == PROMQL_SCALAR) {
        v.series = &scalar;
        v.count = 1;
    }
    ret->rows = arena_alloc(e->arena, (v.count + 1) * sizeof *ret->rows);
    for (size_t i = 0; ret->rows && i < v.count; i++) {
        struct series_row *r = &ret->rows[ret->count++];
        r->labels = labels_without(e, v.series[i].labels, NULL, false);
        r->samples = arena_alloc(e->arena, in.steps * sizeof *r->samples);
        if (!r->samples || !r->labels)
            return eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
        for (size_t k = 0; k < in.steps; k++)
            if (!absent(v.series[i].v[k]))
                r->samples[r->count++] = (struct sample){eval_time(&in, k), v.series[i].v[k]};
    }
    return ret->rows ? 0 : eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
}

int
eval_ranges(struct eval *e, const struct ast *n, struct ranges *ret)
{
    struct series_set set;
    while (n->kind == AST_PAREN)
        n = n->args[0];
    if (n->kind == AST_SUBQUERY)
        return eval_subquery(e, n, ret);
    int rc = eval_select(e, n, n->range_ms, &set);
    if (rc)
        return rc;
    for (size_t i = 0; i < set.count; i++) {    /* stale markers are no samples of a range */
        struct series_row *r = &set.rows[i];
        size_t k = 0;
        for (size_t j = 0; j < r->count; j++)
            if (!absent(r->samples[j].v))
                r->samples[k++] = r->samples[j];
        r->count = k;
    }
    *ret = (struct ranges){.rows = set.rows, .count = set.count, .range_ms = n->range_ms, .offset_ms = n->offset_ms, .node = n};
    return 0;
}

/* A bare range selector as an instant query's answer. */
static int
eval_matrix(struct eval *e, const struct ast *n, struct value *ret)
{
    (void)ret;
    (void)n;
    return eval_fail(e, ERR_UNSUPPORTED, "a range vector can only be an argument of a function");
}

/* --- nodes ----------------------------------------------------------------------------------------------- */

static int
eval_scalar(struct eval *e, double v, struct value *ret)
{
    *ret = (struct value){.type = PROMQL_SCALAR, .scalar = eval_row(e)};
    for (size_t i = 0; ret->scalar && i < e->steps; i++)
        ret->scalar[i] = v;
    return ret->scalar ? 0 : ERR_LIMIT;
}

static int
eval_unary(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = eval_node(e, n->args[0], ret);
    if (rc || n->op == OP_ADD)
        return rc;
    for (size_t i = 0; ret->type == PROMQL_SCALAR && i < e->steps; i++)
        ret->scalar[i] = -ret->scalar[i];
    for (size_t k = 0; ret->type == PROMQL_VECTOR && k < ret->count; k++) {
        if (!(ret->series[k].labels = labels_without(e, ret->series[k].labels, NULL, true)))
            return ERR_LIMIT;
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(ret->series[k].v[i]))
                ret->series[k].v[i] = -ret->series[k].v[i];
    }
    return 0;
}

int
eval_node(struct eval *e, const struct ast *n, struct value *ret)
{
    switch (n->kind) {
    case AST_NUMBER:
        return eval_scalar(e, n->number, ret);
    case AST_STRING:
        *ret = (struct value){.type = PROMQL_STRING, .string = n->text};
        return 0;
    case AST_SELECTOR:
        return n->range_ms ? eval_matrix(e, n, ret) : eval_selector(e, n, ret);
    case AST_SUBQUERY:
        return eval_matrix(e, n, ret);
    case AST_CALL:
        return eval_call(e, n, ret);
    case AST_AGGREGATE:
        return eval_aggregate(e, n, ret);
    case AST_BINARY:
        return eval_binary(e, n, ret);
    case AST_UNARY:
        return eval_unary(e, n, ret);
    case AST_PAREN:
        return eval_node(e, n->args[0], ret);
    }
    return ERR_UNSUPPORTED;
}

/* --- results ------------------------------------------------------------------------------------------------ */

struct result_memory {
    struct arena *arena;
    struct series_set *sets;
    size_t set_count;
};

static int
labels_compare(const struct labels *a, const struct labels *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct label *x = &a->at[i], *y = &b->at[i];
        size_t n = x->name_len < y->name_len ? x->name_len : y->name_len, m = x->value_len < y->value_len ? x->value_len : y->value_len;
        int c = memcmp(x->name, y->name, n);
        if (c || x->name_len != y->name_len)
            return c ? c : x->name_len < y->name_len ? -1 : 1;
        c = memcmp(x->value, y->value, m);
        if (c || x->value_len != y->value_len)
            return c ? c : x->value_len < y->value_len ? -1 : 1;
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

static int
row_compare(const void *a, const void *b)
{
    return labels_compare(((const struct series_row *)a)->labels, ((const struct series_row *)b)->labels);
}

static int
result_rows(struct eval *e, const struct value *v, bool range, struct promql_result *r)
{
    r->set.rows = arena_alloc(e->arena, (v->count + 1) * sizeof *r->set.rows);
    if (!r->set.rows)
        return eval_fail(e, ERR_LIMIT, "the answer needs more memory than allowed");
    for (size_t k = 0; k < v->count; k++) {
        struct series_row *row = &r->set.rows[r->set.count];
        *row = (struct series_row){.labels = (struct labels *)v->series[k].labels, .samples = arena_alloc(e->arena, e->steps * sizeof *row->samples)};
        if (!row->samples)
            return eval_fail(e, ERR_LIMIT, "the answer needs more memory than allowed");
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(v->series[k].v[i]))
                row->samples[row->count++] = (struct sample){eval_time(e, i), v->series[k].v[i]};
        r->set.count += row->count > 0;
    }
    if (range || !v->sorted)
        qsort(r->set.rows, r->set.count, sizeof *r->set.rows, row_compare);
    for (size_t k = 1; k < r->set.count && !v->sorted; k++)
        if (labels_equal(r->set.rows[k - 1].labels, r->set.rows[k].labels))
            return eval_fail(e, ERR_STATE, "vector cannot contain metrics with the same labelset");
    return 0;
}

static int
result_ranges(struct eval *e, const struct ast *n, struct promql_result *r)
{
    struct ranges ranges;
    int rc = eval_ranges(e, n, &ranges);
    int64_t to = rc ? 0 : eval_reference(e, ranges.node, 0), from = rc ? 0 : to - ranges.range_ms;
    if (rc)
        return rc;
    r->type = PROMQL_MATRIX;
    r->set.rows = arena_alloc(e->arena, (ranges.count + 1) * sizeof *r->set.rows);
    for (size_t k = 0; r->set.rows && k < ranges.count; k++) {
        struct series_row row = ranges.rows[k];
        while (row.count && row.samples->t_ms < from)
            row.samples++, row.count--;
        while (row.count && row.samples[row.count - 1].t_ms > to)
            row.count--;
        if (row.count)
            r->set.rows[r->set.count++] = row;
    }
    if (!r->set.rows)
        return eval_fail(e, ERR_LIMIT, "the answer needs more memory than allowed");
    qsort(r->set.rows, r->set.count, sizeof *r->set.rows, row_compare);
    return 0;
}

static int
result_fill(struct eval *e, const struct ast *root, bool range, struct promql_result *r)
{
    struct value v = {0};
    if (root->type == PROMQL_MATRIX && !range)
        return result_ranges(e, root, r);
    int rc = eval_node(e, root, &v);
    if (rc)
        return rc;
    r->type = v.type;
    if (v.type == PROMQL_STRING) {
        r->string = arena_str(e->arena, v.string, strlen(v.string));
        r->scalar.t_ms = e->from_ms;
        return 0;
    }
    if (v.type == PROMQL_VECTOR) {
        r->type = range ? PROMQL_MATRIX : PROMQL_VECTOR;
        return result_rows(e, &v, range, r);
    }
    r->scalar = (struct sample){e->from_ms, v.scalar[0]};
    if (range) {
        static const struct labels none = {0};
        struct series s = {.labels = &none, .v = v.scalar};
        struct value one = {.type = PROMQL_VECTOR, .series = &s, .count = 1};
        r->type = PROMQL_MATRIX;
        return result_rows(e, &one, true, r);
    }
    return 0;
}

static int
promql_run(struct store *s, const struct promql *q, struct eval *e, const struct promql_options *o, bool range,
           struct promql_result *ret, struct err *err)
{
    static const struct promql_options none = {0};
    struct promql_result r = {0};
    e->store = s;
    e->o = o ? o : &none;
    e->err = err;
    e->lookback_ms = e->o->lookback_ms ? e->o->lookback_ms : 300000;
    e->samples_max = e->o->max_samples ? e->o->max_samples : EVAL_SAMPLES;
    e->deadline_us = clock_mono_us() + (e->o->timeout_ms ? e->o->timeout_ms : EVAL_TIMEOUT_MS) * 1000;
    struct result_memory *m = calloc(1, sizeof *m);
    if (!m || !(e->arena = m->arena = arena_new((size_t)4 << 30))) {
        free(m);
        return err_set(err, ERR_NOMEM, "no memory for the query");
    }
    r.set.priv = m;
    int rc = result_fill(e, q->root, range, &r);
    m->sets = e->sets;
    m->set_count = e->set_count;
    if (rc)
        promql_result_done(&r);
    else
        *ret = r;
    return rc;
}

int
promql_instant(struct store *s, const struct promql *q, int64_t at_ms, const struct promql_options *o, struct promql_result *ret, struct err *err)
{
    struct eval e = {.from_ms = at_ms, .step_ms = 0, .steps = 1, .start_ms = at_ms, .end_ms = at_ms};
    return promql_run(s, q, &e, o, false, ret, err);
}

int
promql_range(struct store *s, const struct promql *q, int64_t from_ms, int64_t to_ms, int64_t step_ms, const struct promql_options *o,
             struct promql_result *ret, struct err *err)
{
    if (step_ms <= 0)
        return err_set(err, ERR_RANGE, "zero or negative query resolution step widths are not accepted. Try a positive integer");
    if (to_ms < from_ms)
        return err_set(err, ERR_RANGE, "invalid parameter \"end\": end timestamp must not be before start time");
    if ((to_ms - from_ms) / step_ms > EVAL_STEPS)
        return err_set(err, ERR_RANGE, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
    if (q->root->type != PROMQL_SCALAR && q->root->type != PROMQL_VECTOR)
        return err_set(err, ERR_SYNTAX, "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                       q->root->type == PROMQL_STRING ? "string" : "range vector");
    struct eval e = {.from_ms = from_ms, .step_ms = step_ms, .steps = (size_t)((to_ms - from_ms) / step_ms) + 1, .start_ms = from_ms, .end_ms = to_ms};
    return promql_run(s, q, &e, o, true, ret, err);
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
    arena_free(m->arena);
    free(m);
    *r = (struct promql_result){0};
}
