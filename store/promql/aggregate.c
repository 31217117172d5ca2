/* aggregate: sum by (...), topk, quantile, count_values ... What can be folded is (fold.c), where
 * possible as it is read. What needs a group's values side by side (topk, quantile) has all rows
 * and gathers them step by step, grouped by the labels that count, without copying any. */
#include "store/promql/eval.h"

#include <math.h>
#include <stdlib.h>

struct grouping {
    struct eval *e;
    const struct ast *n;
    struct pick pick;
    struct groups g;
    struct series *out; /* a group's result */
};

static int
aggregate_compare(const void *a, const void *b)
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
    qsort(v, n, sizeof *v, aggregate_compare);
    double rank = q * (double)(n - 1), low = fmax(0, floor(rank)),
           high = fmin((double)(n - 1), low + 1), w = rank - floor(rank);
    return v[(size_t)low] * (1 - w) + v[(size_t)high] * w;
}

/* --- groups ----------------------------------------------------------------------------------- */

/* The group of each input series. */
static int
aggregate_group(struct grouping *f, const struct value *in, uint32_t **ret_of)
{
    struct eval *e = f->e;
    pick_init(&f->pick, f->n->without ? PICK_WITHOUT : PICK_WITH, &f->n->names, f->n->without);
    int rc = groups_init(&f->g, e, &f->pick, in->count);
    uint32_t *of = rc ? NULL : eval_alloc(e, in->count, sizeof *of);
    for (size_t k = 0; of && k < in->count; k++)
        of[k] = (uint32_t)groups_take(&f->g, &in->series[k]);
    if (of)
        *ret_of = of;
    return of ? 0 : ERR_LIMIT;
}

static int
aggregate_outputs(struct grouping *f)
{
    struct eval *e = f->e;
    f->out = eval_alloc(e, f->g.count, sizeof *f->out);
    for (size_t k = 0; f->out && k < f->g.count; k++) {
        f->out[k].labels = pick_labels(e, &f->pick, f->g.at[k].first, 0);
        f->out[k].v = eval_row(e, true);
        if (!f->out[k].labels || !f->out[k].v)
            return ERR_LIMIT;
    }
    return f->out ? 0 : ERR_LIMIT;
}

/* Input series by group: those of group g are members[starts[g]] .. members[starts[g + 1] - 1]. */
static int
aggregate_members(struct grouping *f, size_t count, const uint32_t *of, uint32_t **ret_members,
                  uint32_t **ret_starts)
{
    uint32_t *members = eval_alloc(f->e, count, sizeof *members),
             *starts = eval_alloc(f->e, f->g.count + 2, sizeof *starts);
    if (!members || !starts)
        return ERR_LIMIT;
    for (size_t k = 0; k < count; k++)
        starts[of[k] + 2]++;
    for (size_t g = 2; g < f->g.count + 2; g++)
        starts[g] += starts[g - 1];
    for (size_t k = 0; k < count; k++)
        members[starts[of[k] + 1]++] = (uint32_t)k;
    *ret_members = members;
    *ret_starts = starts;
    return 0;
}

static int
aggregate_quantile(struct grouping *f, const struct value *in, const uint32_t *of,
                   const double *param)
{
    struct eval *e = f->e;
    uint32_t *members, *starts;
    int rc = aggregate_outputs(f);
    double *v = eval_alloc(e, in->count, sizeof *v);
    if (rc || !v || aggregate_members(f, in->count, of, &members, &starts))
        return ERR_LIMIT;
    for (size_t g = 0; g < f->g.count; g++)
        for (size_t i = 0; i < e->steps; i++) {
            size_t m = 0;
            for (size_t p = starts[g]; p < starts[g + 1]; p++)
                if (!absent(in->series[members[p]].v[i]))
                    v[m++] = in->series[members[p]].v[i];
            if (m)
                f->out[g].v[i] = quantile_of(param[i], v, m);
        }
    return eval_tick(e, 0);
}

/* --- topk, bottomk ---------------------------------------------------------------------------- */

struct ranked {
    double v;
    const struct series *s;
};

/* NaN last; equal values in order of labels, so that the answer does not depend on how series are
 * kept. */
static int
aggregate_rank(const struct ranked *x, const struct ranked *y, bool top)
{
    if (isnan(x->v) != isnan(y->v))
        return isnan(x->v) ? 1 : -1;
    if (x->v != y->v && !isnan(x->v))
        return (top ? x->v > y->v : x->v < y->v) ? -1 : 1;
    return labels_compare(x->s->labels, y->s->labels);
}

static void
aggregate_sift(struct ranked *heap, size_t n, size_t i, bool top)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) { /* the worst stands first */
        if (child + 1 < n && aggregate_rank(&heap[child + 1], &heap[child], top) > 0)
            child++;
        if (aggregate_rank(&heap[child], &heap[i], top) <= 0)
            return;
        struct ranked t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

/* The best k of n, best first. */
static size_t
aggregate_best(struct ranked *r, size_t n, size_t k, bool top)
{
    size_t kept = n < k ? n : k;
    for (size_t i = kept / 2; i-- > 0;)
        aggregate_sift(r, kept, i, top);
    for (size_t i = kept; i < n; i++)
        if (aggregate_rank(&r[i], &r[0], top) < 0) {
            r[0] = r[i];
            aggregate_sift(r, kept, 0, top);
        }
    for (size_t i = kept; i-- > 1;) {
        struct ranked t = r[0];
        r[0] = r[i];
        r[i] = t;
        aggregate_sift(r, i, 0, top);
    }
    return kept;
}

/* How many are wanted at a step; -1 with the error set. */
static int64_t
aggregate_wanted(struct eval *e, double k)
{
    char text[400];
    if (k >= -0x1p63 && k <= 0x1p63)
        return k < 1 ? 0 : k > 1e9 ? 1000000000 : (int64_t)k;
    value_format(k, false, text);
    eval_fail(e, ERR_RANGE, "Scalar value %s overflows int64", text);
    return -1;
}

static int
aggregate_top_step(struct grouping *f, const struct value *in, const uint32_t *members, size_t from,
                   size_t to, size_t step, size_t want, struct ranked *r, struct value *ret)
{
    struct eval *e = f->e;
    bool top = f->n->aggregate == AGG_TOPK;
    size_t m = 0;
    for (size_t p = from; p < to; p++)
        if (!absent(in->series[members[p]].v[step]))
            r[m++] = (struct ranked){in->series[members[p]].v[step], &in->series[members[p]]};
    m = want ? aggregate_best(r, m, want, top) : 0;
    for (size_t p = 0; p < m; p++) {
        if (e->steps == 1) { /* best first in the answer */
            ret->series[ret->count++] = *r[p].s;
            continue;
        }
        struct series *s = &ret->series[r[p].s - in->series];
        if (!s->v && !(s->v = eval_row(e, true)))
            return ERR_LIMIT;
        s->v[step] = r[p].v;
    }
    return 0;
}

static int
aggregate_top(struct grouping *f, const struct value *in, const uint32_t *of, const double *param,
              struct value *ret)
{
    struct eval *e = f->e;
    uint32_t *members, *starts;
    struct ranked *r = eval_alloc(e, in->count, sizeof *r);
    struct series *out = eval_alloc(e, in->count, sizeof *out);
    if (!r || !out || aggregate_members(f, in->count, of, &members, &starts))
        return ERR_LIMIT;
    *ret = (struct value){
        .type = PROMQL_VECTOR, .series = out, .sorted = e->steps == 1, .one_name = in->one_name};
    for (size_t i = 0; i < e->steps; i++) {
        int64_t want = aggregate_wanted(e, param[i]);
        for (size_t g = 0; want >= 0 && g < f->g.count; g++)
            if (aggregate_top_step(f, in, members, starts[g], starts[g + 1], i, (size_t)want, r,
                                   ret))
                return ERR_LIMIT;
        if (want < 0)
            return ERR_RANGE;
    }
    for (size_t k = 0; e->steps > 1 && k < in->count; k++)
        if (out[k].v)
            out[ret->count++] =
                (struct series){in->series[k].labels, out[k].v, in->series[k].nameless};
    return eval_tick(e, 0);
}

/* --- count_values ----------------------------------------------------------------------------- */

static bool
aggregate_label_ok(const char *s)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return *s && (*s < '0' || *s > '9') && strspn(s, word) == strlen(s);
}

struct counted {
    struct series s;
    struct counted *next;
};

/* One for each value at each step, then summed where labels are equal. */
static int
aggregate_count_values(struct eval *e, const struct ast *n, const struct value *in,
                       const char *label, struct value *ret)
{
    struct pick pick;
    size_t cap = 0, count = 0;
    struct series *all = NULL;
    char text[400], before[400] = "";
    int rc = 0;
    struct ast_names names = {eval_alloc(e, n->names.count + 1, sizeof *names.at), n->names.count};
    if (!names.at)
        return ERR_LIMIT;
    for (size_t i = 0; i < names.count; i++)
        names.at[i] = n->names.at[i];
    if (!n->without)
        names.at[names.count++] = label;
    if (!aggregate_label_ok(label))
        return eval_fail(e, ERR_SYNTAX, "invalid label name \"%s\"", label);
    pick_init(&pick, n->without ? PICK_WITHOUT : PICK_WITH, &names, n->without);
    for (size_t k = 0; !rc && k < in->count; k++) {
        struct series *now = NULL;
        for (size_t i = 0; !rc && i < e->steps; i++) {
            if (absent(in->series[k].v[i]))
                continue;
            int len = value_format(in->series[k].v[i], false, text);
            if (!now || strcmp(text, before)) {
                if (count == cap) {
                    size_t more = cap ? cap * 2 : 64;
                    struct series *p = eval_alloc(e, more, sizeof *p);
                    if (!p)
                        return ERR_LIMIT;
                    if (count)
                        memcpy(p, all, count * sizeof *p);
                    all = p;
                    cap = more;
                }
                struct series set = {.labels = labels_set(e, labels_plain(e, &in->series[k]), label,
                                                          text, (size_t)len)};
                now = &all[count++];
                *now = (struct series){.labels = set.labels ? pick_labels(e, &pick, &set, 0) : NULL,
                                       .v = eval_row(e, true)};
                rc = now->labels && now->v ? 0 : ERR_LIMIT;
                memcpy(before, text, sizeof before);
            }
            if (!rc)
                now->v[i] = absent(now->v[i]) ? 1 : now->v[i] + 1;
        }
    }
    struct grouping f = {.e = e, .n = n, .out = NULL};
    pick_init(&f.pick, PICK_ALL, NULL, false);
    if (!rc)
        rc = groups_init(&f.g, e, &f.pick, count);
    size_t kept = 0;
    for (size_t k = 0; !rc && k < count; k++) {
        struct series s = all[k];
        all[kept] = s;
        size_t at = groups_take(&f.g, &all[kept]);
        if (at == kept)
            kept++;
        else
            for (size_t i = 0; i < e->steps; i++)
                if (!absent(s.v[i]))
                    all[at].v[i] = absent(all[at].v[i]) ? s.v[i] : all[at].v[i] + s.v[i];
    }
    groups_done(&f.g);
    *ret = (struct value){.type = PROMQL_VECTOR, .series = all, .count = kept, .one_name = true};
    return rc;
}

/* Those that a row can be folded into; the others need a group's values side by side. */
static bool
aggregate_folds(enum ast_aggregate a)
{
    return a != AGG_COUNT_VALUES && a != AGG_TOPK && a != AGG_BOTTOMK && a != AGG_QUANTILE;
}

/* Folds what a leaf reads as it is read: 1 done, 0 it is no leaf or its names matter. */
static int
aggregate_leaf(struct eval *e, const struct ast *n, struct value *ret)
{
    const struct ast *arg = ast_bare(n->args[n->arg_count - 1]);
    struct leaf l;
    if (!aggregate_folds(n->aggregate) || (arg->constant && e->steps > 1))
        return 0;
    int rc = eval_leaf(e, arg, &l);
    if (rc <= 0)
        return rc;
    rc = fold_leaf(e, n, &l, ret);
    leaf_done(&l);
    return rc ? rc : 1;
}

int
eval_aggregate(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value in, param = {0};
    struct grouping f = {.e = e, .n = n};
    uint32_t *of;
    int rc = aggregate_leaf(e, n, ret);
    if (rc)
        return rc < 0 ? rc : 0;
    rc = eval_node(e, n->args[n->arg_count - 1], &in);
    if (!rc && n->arg_count == 2)
        rc = eval_node(e, n->args[0], &param);
    if (rc)
        return rc;
    if (n->aggregate == AGG_COUNT_VALUES)
        return aggregate_count_values(e, n, &in, ast_bare(n->args[0])->text, ret);
    if (aggregate_folds(n->aggregate))
        return fold_value(e, n, &in, ret);
    rc = aggregate_group(&f, &in, &of);
    if (!rc && n->aggregate != AGG_QUANTILE) {
        rc = aggregate_top(&f, &in, of, param.scalar, ret);
    } else if (!rc) {
        rc = aggregate_quantile(&f, &in, of, param.scalar);
        *ret = (struct value){
            .type = PROMQL_VECTOR, .series = f.out, .count = f.g.count, .one_name = true};
    }
    groups_done(&f.g);
    return rc;
}
