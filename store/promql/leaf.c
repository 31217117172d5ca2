/* leaf: what stands at the end of a tree's branches: a selector, or a function of a range selector.
 * Series are read, cut into steps and given on batch by batch, so that neither their samples nor,
 * where they are only folded into others, their rows are all in memory at once. Batches are shared
 * out among the store's crew; what comes out does not depend on who did what. */
#include "store/promql/eval.h"

#include "base/clock.h"
#include "store/crew.h"
#include "store/scan.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LEAF_BATCH 131072 /* doubles of rows: 1 MiB stays in a processor's cache */
#define LEAF_SMALL 32768  /* samples that are not worth waking anybody for */
#define LEAF_PARTS 2      /* for each of the crew, so that a slow one holds nobody up */
#define LEAF_ROWS  4096

struct leaf_work {
    const struct leaf *leaf;
    size_t first, count, parts, room;
    double **rows;
    uint32_t *samples; /* read of each series */
    bool *any;
    struct sample *scratch; /* room for each part */
    char *windows;          /* scratch of each part */
    int64_t deadline_us;
    atomic_bool late;
    int rc;
};

bool
leaf_one_name(const struct ast *n)
{
    for (size_t i = 0; i < n->matcher_count; i++)
        if (n->matchers[i].op == MATCH_EQ && !strcmp(n->matchers[i].name, "__name__"))
            return true;
    return false;
}

int
leaf_vector(struct eval *e, const struct ast *n, bool times, struct leaf *ret)
{
    *ret = (struct leaf){.e = e, .node = n, .times = times, .one_name = leaf_one_name(n)};
    const struct function *none = NULL;
    return select_scan(e, n, 0, e->run->lookback_ms, &none, &ret->scan);
}

int
leaf_range(struct eval *e, const struct ast *call, const struct ast *n, const double *const *rows,
           size_t row_count, struct leaf *ret)
{
    *ret = (struct leaf){.e = e, .node = n, .one_name = leaf_one_name(n)};
    ret->nameless = !call->function->keeps_name;
    ret->job = (struct range_job){call->function, n, n->range_ms, rows, row_count};
    return select_scan(e, n, n->range_ms, n->range_ms, &ret->job.function, &ret->scan);
}

/* Of a call, its selector of a range; NULL when it is something else. */
const struct ast *
leaf_selector(const struct ast *call)
{
    for (size_t i = 0; i < call->arg_count; i++) {
        const struct ast *n = ast_bare(call->args[i]);
        if (n->type == PROMQL_MATRIX)
            return n->kind == AST_SELECTOR ? n : NULL;
    }
    return NULL;
}

void
leaf_done(struct leaf *l)
{
    if (l->scan)
        scan_give_labels(l->scan, &l->e->run->labels);
    scan_close(l->scan);
    l->scan = NULL;
}

static size_t
leaf_drop_stale(struct sample *at, size_t n)
{
    size_t k = 0;
    while (k < n && !absent(at[k].v))
        k++;
    for (size_t i = k; i < n; i++)
        if (!absent(at[i].v))
            at[k++] = at[i];
    return k;
}

static void
leaf_row(struct leaf_work *w, size_t part, size_t i)
{
    const struct leaf *l = w->leaf;
    struct sample *first;
    size_t n = scan_read(l->scan, w->first + i, w->scratch + part * w->room, &first);
    w->samples[i] = (uint32_t)n;
    w->any[i] = false;
    if (!l->job.function) {
        w->any[i] = n && select_steps(l->e, l->node, first, n, l->times, w->rows[i]);
        return;
    }
    n = leaf_drop_stale(first, n);
    if (!n)
        return;
    int rc =
        range_row(l->e, &l->job, first, n, w->windows + part * w->room * RANGE_ROOM, w->rows[i]);
    if (rc < 0)
        w->rc = rc; /* functions that check have one part */
    w->any[i] = rc > 0;
}

static void
leaf_part(void *ctx, size_t part)
{
    struct leaf_work *w = ctx;
    size_t end = w->count * (part + 1) / w->parts;
    for (size_t i = w->count * part / w->parts; i < end && !w->late && !w->rc; i++) {
        leaf_row(w, part, i);
        if (i % 16 == 0 && clock_mono_us() > w->deadline_us)
            w->late = true;
    }
}

static int
leaf_work_init(struct leaf *l, struct leaf_work *w, size_t batch)
{
    struct eval *e = l->e;
    size_t crew = crew_size(store_crew(e->run->store));
    bool alone = crew == 1 || scan_count(l->scan) * scan_room(l->scan) < LEAF_SMALL ||
                 (l->job.function && l->job.function->check);
    *w = (struct leaf_work){.leaf = l,
                            .parts = alone ? 1 : crew * LEAF_PARTS,
                            .room = scan_room(l->scan) + 1,
                            .deadline_us = e->run->deadline_us};
    w->rows = eval_alloc(e, batch, sizeof *w->rows);
    w->samples = eval_alloc(e, batch, sizeof *w->samples);
    w->any = eval_alloc(e, batch, sizeof *w->any);
    w->scratch = malloc(w->parts * w->room * sizeof *w->scratch);
    w->windows = malloc(w->parts * w->room * RANGE_ROOM);
    if (!w->rows || !w->samples || !w->any)
        return ERR_LIMIT;
    return w->scratch && w->windows ? 0 : eval_fail(e, ERR_NOMEM, "no memory for the query");
}

static int
leaf_batch(struct leaf *l, struct leaf_work *w, const struct leaf_sink *sink)
{
    struct eval *e = l->e;
    size_t total = 0;
    for (size_t i = 0; i < w->count; i++)
        if (!w->rows[i] && !(w->rows[i] = eval_row(e, false)))
            return ERR_LIMIT;
    crew_run(store_crew(e->run->store), w->parts, leaf_part, w);
    if (w->rc)
        return w->rc;
    if (w->late)
        return eval_fail(e, ERR_TIMEOUT, "query timed out in expression evaluation");
    for (size_t i = 0; i < w->count; i++) {
        total += w->samples[i];
        if (!w->any[i])
            continue;
        struct series s = {
            .labels = scan_labels(l->scan, w->first + i), .v = w->rows[i], .nameless = l->nameless};
        int rc = sink->series(sink->ctx, &s);
        if (rc)
            return rc;
        if (sink->keeps)
            w->rows[i] = NULL;
    }
    int rc = eval_tick(e, total);
    return rc || !sink->batch ? rc : sink->batch(sink->ctx);
}

int
leaf_each(struct leaf *l, const struct leaf_sink *sink)
{
    struct leaf_work w = {0};
    size_t n = scan_count(l->scan), batch = LEAF_BATCH / l->e->steps;
    batch = batch < 64 ? 64 : batch > LEAF_ROWS ? LEAF_ROWS : batch;
    batch = batch < n ? batch : n;
    int rc = n ? leaf_work_init(l, &w, batch) : 0;
    for (w.first = 0; !rc && w.first < n; w.first += w.count) {
        w.count = n - w.first < batch ? n - w.first : batch;
        rc = leaf_batch(l, &w, sink);
    }
    free(w.scratch);
    free(w.windows);
    return rc;
}

static int
leaf_keep(void *ctx, const struct series *s)
{
    struct value *v = ctx;
    v->series[v->count++] = *s;
    return 0;
}

int
leaf_value(struct leaf *l, struct value *ret)
{
    struct leaf_sink sink = {.series = leaf_keep, .keeps = true, .ctx = ret};
    *ret = (struct value){.type = PROMQL_VECTOR, .one_name = l->one_name};
    ret->series = eval_alloc(l->e, scan_count(l->scan), sizeof *ret->series);
    return ret->series ? leaf_each(l, &sink) : ERR_LIMIT;
}
