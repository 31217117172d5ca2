/* remote_query: a query that looks further back than the store's own files is asked of the engine,
 * whole, so that an average over 10,000 series and a month is one row on the wire.
 *
 * Steps of a range are independent of each other: those whose samples are all here are computed
 * here, the older ones by the engine, and the rows are joined. The engine's dialect decides about
 * the latter (MetricsQL extrapolates no rates). When the engine is away, the newer part is answered
 * with a warning that names what is missing. */
#include "store/remote_query.h"

#include "base/clock.h"
#include "base/str.h"
#include "store/promql/eval.h"
#include "store/remote_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMOTE_LOOKBACK_MS 300000
#define REMOTE_QUERY_MS    120000
#define REMOTE_TEXT_MAX    ((size_t)16 << 20)

/* --- how far a query looks back --------------------------------------------------------------- */

struct remote_reach {
    int64_t back_ms; /* before a step */
    int64_t at_ms;   /* earliest fixed time; INT64_MAX: none */
    bool any, bound; /* has selectors; one is bound to the range's start or end */
};

static void
remote_reach_node(const struct ast *n, int64_t extra, int64_t lookback, struct remote_reach *r)
{
    bool reads = n->kind == AST_SELECTOR || n->kind == AST_SUBQUERY;
    struct remote_reach in = {.back_ms = INT64_MIN, .at_ms = INT64_MAX};
    int64_t back = n->offset_ms +
                   (n->kind == AST_SELECTOR && n->type == PROMQL_VECTOR ? lookback : n->range_ms);
    if (!reads) {
        for (size_t i = 0; i < n->arg_count; i++)
            remote_reach_node(n->args[i], extra, lookback, r);
        return;
    }
    if (n->kind == AST_SUBQUERY)
        remote_reach_node(n->args[0], back, lookback, &in);
    else
        in = (struct remote_reach){.back_ms = back, .at_ms = INT64_MAX, .any = true};
    if (in.back_ms != INT64_MIN && n->at == AT_TIME) {
        in.at_ms = n->at_ms - in.back_ms < in.at_ms ? n->at_ms - in.back_ms : in.at_ms;
        in.back_ms = INT64_MIN;
    } else if (in.back_ms != INT64_MIN) {
        in.back_ms += extra;
    }
    r->any |= in.any;
    r->bound |= in.bound || n->at == AT_START || n->at == AT_END;
    r->back_ms = in.back_ms > r->back_ms ? in.back_ms : r->back_ms;
    r->at_ms = in.at_ms < r->at_ms ? in.at_ms : r->at_ms;
}

/* How many steps, from the first on, the engine must answer. */
static size_t
remote_old_steps(const struct remote *rem, const struct remote_reach *r,
                 const struct remote_span *sp, size_t steps)
{
    int64_t own = remote_local_from(rem), back = r->back_ms == INT64_MIN ? 0 : r->back_ms;
    if (!r->any)
        return 0;
    if (rem->cfg.read_all || r->at_ms < own)
        return steps;
    int64_t missing = own + back - sp->from_ms; /* steps before from + missing */
    size_t n = missing <= 0 ? 0 : (size_t)((missing + sp->step_ms - 1) / sp->step_ms);
    n = n < steps ? n : steps;
    return n && r->bound ? steps : n;
}

/* Do the rows of the answer bear the metric's name? Dialects keep it in more places than PromQL. */
static bool
remote_named(const struct ast *n)
{
    static const char *const passing[] = {"sort", "sort_desc", "label_replace", "label_join"};
    n = ast_bare(n);
    switch (n->kind) {
    case AST_CALL:
        for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
            if (!strcmp(n->function->name, passing[i]))
                return remote_named(n->args[0]);
        return n->function->keeps_name && remote_named(n->args[0]);
    case AST_AGGREGATE: /* by (__name__) apart, others have no name to begin with */
        return (n->aggregate != AGG_TOPK && n->aggregate != AGG_BOTTOMK) ||
               remote_named(n->args[n->arg_count - 1]);
    case AST_BINARY:
        if (n->op < OP_EQ || n->returns_bool)
            return false;
        if (n->op == OP_OR)
            return remote_named(n->args[0]) || remote_named(n->args[1]);
        return remote_named(n->args[n->args[0]->type == PROMQL_SCALAR ? 1 : 0]);
    case AST_UNARY:
        return n->op == OP_ADD && remote_named(n->args[0]);
    case AST_SUBQUERY:
        return remote_named(n->args[0]);
    default:
        return true;
    }
}

/* --- the text of it --------------------------------------------------------------------------- */

static int
remote_scope_node(const struct remote *r, struct arena *arena, const char *tenant, struct ast *n)
{
    for (size_t i = 0; i < n->arg_count; i++) {
        int rc = remote_scope_node(r, arena, tenant, n->args[i]);
        if (rc)
            return rc;
    }
    if (n->kind != AST_SELECTOR)
        return 0;
    const struct labels *own = &r->cfg.external;
    size_t add = r->cfg.read_all ? 0 : own->count;
    struct matcher *m = arena_alloc(arena, (n->matcher_count + add + 1) * sizeof *m);
    if (!m)
        return ERR_NOMEM;
    memcpy(m, n->matchers, n->matcher_count * sizeof *m);
    for (size_t i = 0; i < add; i++)
        m[n->matcher_count++] =
            (struct matcher){MATCH_EQ, arena_str(arena, own->at[i].name, own->at[i].name_len),
                             arena_str(arena, own->at[i].value, own->at[i].value_len)};
    if (tenant && *tenant)
        m[n->matcher_count++] = (struct matcher){MATCH_EQ, "tenant", tenant};
    n->matchers = m;
    for (size_t i = 0; i < n->matcher_count; i++)
        if (!m[i].name || !m[i].value)
            return ERR_NOMEM;
    return 0;
}

/* The expression with the matchers of this appliance and the tenant in every selector. */
static int
remote_scoped(const struct remote *r, const struct promql *q, const char *tenant, struct buf *out,
              struct err *err)
{
    struct promql *copy = NULL;
    struct buf text;
    buf_init(&text, REMOTE_TEXT_MAX);
    int rc = promql_format(q, &text);
    if (!rc)
        rc = promql_parse(buf_str(&text), &copy, err);
    if (!rc)
        rc = remote_scope_node(r, copy->arena, tenant, copy->root);
    if (!rc)
        rc = promql_format(copy, out);
    promql_free(copy);
    buf_done(&text);
    return rc ? err_set(err, rc, "the query cannot be put to the engine: %s", err_text(rc)) : 0;
}

/* --- the answer ------------------------------------------------------------------------------- */

struct remote_rows {
    struct remote *remote;
    struct arena *arena;
    struct series_row *at;
    size_t count, cap, max;
    bool nameless;
};

static int
remote_rows_add(void *ctx, const struct labels *theirs, const struct sample *s, size_t n)
{
    struct remote_rows *t = ctx;
    struct labels l;
    if (!n)
        return 0;
    if (t->max && t->count >= t->max)
        return ERR_LIMIT;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct series_row *p = realloc(t->at, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        t->at = p;
        t->cap = cap;
    }
    int rc = remote_row_labels(t->remote, theirs, &l);
    if (rc)
        return rc;
    size_t kept = 0;
    for (size_t i = 0; i < l.count; i++)
        if (!t->nameless || l.at[i].name_len != 8 || memcmp(l.at[i].name, "__name__", 8))
            l.at[kept++] = l.at[i];
    l.count = kept;
    size_t size = offsetof(struct labels, at) + l.count * sizeof(struct label);
    struct series_row row = {.count = n,
                             .labels = arena_alloc(t->arena, size),
                             .samples = arena_alloc(t->arena, n * sizeof *s)};
    if (!row.labels || !row.samples)
        return ERR_LIMIT;
    memcpy(row.labels, &l, size);
    memcpy(row.samples, s, n * sizeof *s);
    t->at[t->count++] = row;
    return 0;
}

static int
remote_rows_order(const void *a, const void *b)
{
    const struct series_row *x = a, *y = b;
    return labels_compare(x->labels, y->labels);
}

static int
remote_rows_ask(struct remote *r, const struct promql *q, const struct remote_span *sp,
                const struct promql_options *o, struct remote_rows *rows, struct err *err)
{
    struct buf form, text, body = {0};
    char lookback[TIME_TEXT_SIZE];
    buf_init(&form, 2 * REMOTE_TEXT_MAX);
    buf_init(&text, REMOTE_TEXT_MAX);
    int rc = remote_scoped(r, q, o->tenant, &text, err);
    if (!rc) {
        duration_format(o->lookback_ms ? o->lookback_ms : REMOTE_LOOKBACK_MS, lookback);
        remote_form_add(&form, "query", buf_str(&text), text.len);
        remote_form_add(&form, "nocache", "1", 1);
        remote_form_add(&form, "max_lookback", lookback, strlen(lookback));
        remote_form_add(&form, "lookback_delta", lookback, strlen(lookback));
        remote_form_time(&form, sp->range ? "start" : "time", sp->from_ms);
        if (sp->range) {
            remote_form_time(&form, "end", sp->to_ms);
            remote_form_time(&form, "step", sp->step_ms);
        }
        rc = form.failed ? err_set(err, ERR_LIMIT, "the query is too long") : 0;
    }
    int64_t wait = (o->timeout_ms ? o->timeout_ms : REMOTE_QUERY_MS) * 1000;
    if (!rc)
        rc = remote_ask(r, sp->range ? "/api/v1/query_range" : "/api/v1/query", &form,
                        clock_mono_us() + wait, &body, err);
    struct remote_answer_sink sink = {
        .row = remote_rows_add, .ctx = rows, .max_samples = o->max_samples};
    if (!rc)
        rc = remote_answer_parse(buf_str(&body), body.len, &sink, err);
    buf_done(&form);
    buf_done(&text);
    buf_done(&body);
    return rc;
}

/* --- both parts ------------------------------------------------------------------------------- */

/* The newer part after the older one; both by labels. */
static int
remote_rows_join(const struct remote_rows *old, const struct series_set *fresh,
                 struct promql_result *r, struct arena *arena)
{
    struct series_row *out = arena_alloc(arena, (old->count + fresh->count + 1) * sizeof *out);
    size_t i = 0, k = 0;
    if (!out)
        return ERR_LIMIT;
    r->set.rows = out;
    while (i < old->count || k < fresh->count) {
        const struct series_row *a = i < old->count ? &old->at[i] : NULL,
                                *b = k < fresh->count ? &fresh->rows[k] : NULL;
        int c = !a ? 1 : !b ? -1 : labels_compare(a->labels, b->labels);
        struct series_row row = {.count = (c <= 0 ? a->count : 0) + (c >= 0 ? b->count : 0)};
        const struct labels *l = c <= 0 ? a->labels : b->labels;
        size_t size = offsetof(struct labels, at) + l->count * sizeof(struct label), at = 0;
        row.labels = arena_alloc(arena, size);
        row.samples = arena_alloc(arena, row.count * sizeof *row.samples);
        if (!row.labels || !row.samples)
            return ERR_LIMIT;
        memcpy(row.labels, l, size);
        if (c <= 0)
            memcpy(row.samples, a->samples, (at = a->count) * sizeof *row.samples);
        if (c >= 0)
            memcpy(row.samples + at, b->samples, b->count * sizeof *row.samples);
        i += c <= 0;
        k += c >= 0;
        if (row.count)
            r->set.rows[r->set.count++] = row;
    }
    return 0;
}

static bool
remote_keeps_order(const struct ast *n, const struct remote_span *sp)
{
    n = ast_bare(n);
    return !sp->range && ((n->kind == AST_CALL && str_prefix(n->function->name, "sort")) ||
                          (n->kind == AST_AGGREGATE &&
                           (n->aggregate == AGG_TOPK || n->aggregate == AGG_BOTTOMK)));
}

static int
remote_result_fill(const struct promql *q, const struct remote_span *sp, struct remote_rows *old,
                   const struct series_set *fresh, struct promql_result *r)
{
    r->type = sp->range ? PROMQL_MATRIX : q->root->type;
    if (r->type == PROMQL_SCALAR) {
        r->scalar = old->count ? old->at[0].samples[0] : (struct sample){sp->from_ms, NAN};
        return 0;
    }
    if (old->count && !remote_keeps_order(q->root, sp))
        qsort(old->at, old->count, sizeof *old->at, remote_rows_order);
    return remote_rows_join(old, fresh, r, old->arena);
}

/* The steps that are computed here, and a remark when the others are missing. */
static int
remote_fresh_part(struct store *s, const struct promql *q, const struct remote_span *sp, size_t old,
                  const struct promql_options *o, int asked, const struct err *why,
                  struct promql_result *ret, struct err *err)
{
    struct promql_result fresh;
    int64_t from = sp->from_ms + (int64_t)old * sp->step_ms;
    int rc = promql_range(s, q, from, sp->to_ms, sp->step_ms, o, &fresh, err);
    if (rc || !asked) {
        if (!rc)
            *ret = fresh;
        return rc;
    }
    char text[700], time[TIME_TEXT_SIZE];
    snprintf(text, sizeof text, "nothing before %s is shown: %s", time_format(from, time),
             why->text);
    promql_result_warn(&fresh, text);
    *ret = fresh;
    return 0;
}

/* Steps before `old` from the engine, the rest from here. */
static int
remote_answer(struct store *s, const struct promql *q, const struct remote_span *sp, size_t old,
              size_t steps, const struct promql_options *o, struct promql_result *ret,
              struct err *err)
{
    struct promql_result r = {0}, fresh = {0};
    struct remote_rows rows = {
        .remote = s->remote, .max = o->max_series, .nameless = !remote_named(q->root)};
    struct remote_span first = *sp;
    struct err why;
    int rc = promql_result_new(&r, &rows.arena);
    if (rc)
        return err_set(err, rc, "no memory for the query");
    first.to_ms = old < steps ? sp->from_ms + ((int64_t)old - 1) * sp->step_ms : sp->to_ms;
    rc = remote_rows_ask(s->remote, q, &first, o, &rows, &why);
    bool away = rc == ERR_CLOSED || rc == ERR_TIMEOUT || rc == ERR_BUSY;
    if (old < steps && (!rc || away)) {
        int part = remote_fresh_part(s, q, sp, old, o, rc, &why, &fresh, err);
        if (rc || part) {
            if (!part)
                *ret = fresh;
            rc = part;
            goto out;
        }
    } else if (rc) {
        if (err)
            *err = why;
        goto out;
    }
    rc = remote_result_fill(q, sp, &rows, &fresh.set, &r);
    if (rc)
        err_set(err, rc, "the query needs more memory than allowed");
    promql_result_done(&fresh);
    if (!rc) {
        *ret = r;
        r = (struct promql_result){0};
    }
out:
    free(rows.at);
    promql_result_done(&r);
    return rc;
}

/* A range selector as an instant query: the samples themselves, of both. */
static int
remote_matrix(struct store *s, const struct ast *n, int64_t at_ms, const struct promql_options *o,
              struct promql_result *ret, struct err *err)
{
    struct promql_result r;
    struct remote_rows rows = {.remote = s->remote};
    struct series_set set;
    struct select_limits lim = {
        .max_series = o->max_series, .max_samples = o->max_samples, .tenant = o->tenant};
    int64_t to = n->at == AT_TIME ? n->at_ms : at_ms;
    to -= n->offset_ms;
    int rc = promql_result_new(&r, &rows.arena);
    if (rc)
        return err_set(err, rc, "no memory for the query");
    rc = remote_select(s, n->matchers, n->matcher_count, to - n->range_ms, to, &lim, &set, err);
    if (rc) {
        promql_result_done(&r);
        return rc;
    }
    for (size_t i = 0; i < set.count; i++) { /* stale markers are no samples of a range */
        struct series_row *row = &set.rows[i];
        size_t kept = 0;
        for (size_t k = 0; k < row->count; k++)
            if (!sample_is_stale(row->samples[k].v))
                row->samples[kept++] = row->samples[k];
        row->count = kept;
    }
    qsort(set.rows, set.count, sizeof *set.rows, remote_rows_order);
    r.type = PROMQL_MATRIX;
    rc = remote_rows_join(&rows, &set, &r, rows.arena);
    series_set_done(&set);
    if (rc) {
        promql_result_done(&r);
        return err_set(err, rc, "the query needs more memory than allowed");
    }
    *ret = r;
    return 0;
}

int
remote_promql(struct store *s, const struct promql *q, const struct remote_span *sp,
              const struct promql_options *o, struct promql_result *ret, struct err *err)
{
    static const struct promql_options none = {0};
    struct remote_reach reach = {.back_ms = INT64_MIN, .at_ms = INT64_MAX};
    if (!s->remote || q->root->type == PROMQL_STRING)
        return 1;
    o = o ? o : &none;
    remote_reach_node(q->root, 0, o->lookback_ms ? o->lookback_ms : REMOTE_LOOKBACK_MS, &reach);
    size_t steps = (size_t)((sp->to_ms - sp->from_ms) / sp->step_ms) + 1;
    size_t old = remote_old_steps(s->remote, &reach, sp, steps);
    const struct ast *root = ast_bare(q->root);
    if (old && root->kind == AST_SELECTOR && root->type == PROMQL_MATRIX)
        return remote_matrix(s, root, sp->from_ms, o, ret, err);
    return old ? remote_answer(s, q, sp, old, steps, o, ret, err) : 1;
}
