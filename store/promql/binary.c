/* binary: operators between scalars and vectors, with Prometheus' matching rules, step by step over whole rows.
 *
 * Matching is by the labels that on() keeps or ignoring() leaves; at each step at most one series of the "one" side may
 * stand in a group. */
#include "store/promql/ast.h"

#include <math.h>
#include <string.h>

double
op_apply(enum ast_op op, double a, double b)
{
    switch (op) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_MOD: return fmod(a, b);
    case OP_POW: return pow(a, b);
    case OP_ATAN2: return atan2(a, b);
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_GT: return a > b;
    case OP_LT: return a < b;
    case OP_GE: return a >= b;
    case OP_LE: return a <= b;
    default: return NAN;
    }
}

static bool
is_comparison(const struct ast *n)
{
    return n->op >= OP_EQ && n->op <= OP_LE;
}

/* What one pair gives: ABSENT where a filter drops it. `keep` is the value that a filter passes on. */
static double
pair_value(const struct ast *n, double a, double b, double keep)
{
    double v = op_apply(n->op, a, b);
    return !is_comparison(n) || n->returns_bool ? v : v != 0 ? keep : ABSENT;
}

static int
scalar_scalar(struct eval *e, const struct ast *n, const struct value *a, const struct value *b, struct value *ret)
{
    *ret = (struct value){.type = PROMQL_SCALAR, .scalar = eval_row(e)};
    for (size_t i = 0; ret->scalar && i < e->steps; i++)
        ret->scalar[i] = op_apply(n->op, a->scalar[i], b->scalar[i]);
    return ret->scalar ? 0 : ERR_LIMIT;
}

static int
vector_scalar(struct eval *e, const struct ast *n, struct value *vector, const double *scalar, bool swapped, struct value *ret)
{
    bool drop = !is_comparison(n) || n->returns_bool;
    *ret = *vector;
    ret->sorted = false;
    for (size_t k = 0; k < vector->count; k++) {
        struct series *s = &ret->series[k];
        if (drop && !(s->labels = labels_without(e, s->labels, NULL, true)))
            return ERR_LIMIT;
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(s->v[i]))
                s->v[i] = swapped ? pair_value(n, scalar[i], s->v[i], s->v[i]) : pair_value(n, s->v[i], scalar[i], s->v[i]);
    }
    return 0;
}

static struct labels *
signature(struct eval *e, const struct ast *n, const struct labels *l)
{
    return n->on ? labels_with(e, l, &n->names) : labels_without(e, l, &n->names, true);
}

/* --- and, or, unless ------------------------------------------------------------------------------------- */

/* For each signature whether any series of the value is there at each step: 1 or ABSENT. */
static int
set_present(struct eval *e, const struct ast *n, const struct value *v, struct gather *g)
{
    int rc = gather_init(g, e);
    for (size_t k = 0; !rc && k < v->count; k++) {
        struct labels *l = signature(e, n, v->series[k].labels);
        struct series *s = l ? gather_series(g, l) : NULL;
        if (!s)
            rc = ERR_LIMIT;
        for (size_t i = 0; !rc && i < e->steps; i++)
            if (!absent(v->series[k].v[i]))
                s->v[i] = 1;
    }
    return rc;
}

static int
set_filter(struct eval *e, const struct ast *n, struct value *v, struct gather *other, bool want)
{
    for (size_t k = 0; k < v->count; k++) {
        struct labels *l = signature(e, n, v->series[k].labels);
        struct series *s = l ? gather_series(other, l) : NULL;
        double *out = s ? eval_row(e) : NULL;
        if (!out)
            return ERR_LIMIT;
        for (size_t i = 0; i < e->steps; i++)
            if (absent(s->v[i]) != want)
                out[i] = v->series[k].v[i];
        v->series[k].v = out;
    }
    return 0;
}

static int
set_operator(struct eval *e, const struct ast *n, struct value *a, struct value *b, struct value *ret)
{
    struct gather g = {0};
    struct value *filtered = n->op == OP_OR ? b : a, *by = n->op == OP_OR ? a : b;
    int rc = set_present(e, n, by, &g);
    if (!rc)
        rc = set_filter(e, n, filtered, &g, n->op == OP_AND);
    gather_done(&g);
    *ret = *a;
    ret->sorted = false;
    if (rc || n->op != OP_OR)
        return rc;
    if (gather_init(&g, e))
        return ERR_NOMEM;
    for (size_t k = 0; !rc && k < a->count + b->count; k++) {   /* equal label sets of both sides are one series */
        const struct series *from = k < a->count ? &a->series[k] : &b->series[k - a->count];
        struct series *s = gather_series(&g, from->labels);
        if (!s)
            rc = ERR_LIMIT;
        for (size_t i = 0; !rc && i < e->steps; i++)
            if (!absent(from->v[i]))
                s->v[i] = from->v[i];
    }
    ret->series = g.series;
    ret->count = g.count;
    gather_done(&g);
    return rc;
}

/* --- vector and vector ---------------------------------------------------------------------------------- */

struct match {
    struct eval *e;
    const struct ast *n;
    struct gather out;
    struct map *ones;                   /* signature text -> chain of the "one" side's series */
    struct one { const struct series *s; struct one *next; } *all;
};

static size_t
match_key(const struct labels *l, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count && n + l->at[i].name_len + l->at[i].value_len + 2 < size; i++) {
        memcpy(out + n, l->at[i].name, l->at[i].name_len);
        n += l->at[i].name_len;
        out[n++] = (char)0xff;
        memcpy(out + n, l->at[i].value, l->at[i].value_len);
        n += l->at[i].value_len;
        out[n++] = (char)0xff;
    }
    return n;
}

static int
match_index(struct match *m, const struct value *one)
{
    char key[16384];
    m->all = arena_alloc(m->e->arena, (one->count + 1) * sizeof *m->all);
    if (!m->all || !(m->ones = map_new(one->count + 1)))
        return eval_fail(m->e, ERR_NOMEM, "no memory for the query");
    for (size_t k = 0; k < one->count; k++) {
        struct labels *l = signature(m->e, m->n, one->series[k].labels);
        void *old = NULL;
        if (!l)
            return ERR_LIMIT;
        size_t n = match_key(l, key, sizeof key);
        m->all[k] = (struct one){&one->series[k], map_get(m->ones, key, n)};
        if (map_set(m->ones, key, n, &m->all[k], &old))
            return eval_fail(m->e, ERR_NOMEM, "no memory for the query");
    }
    return 0;
}

/* Labels of a result: those of the "many" side, or of the match for one-to-one; plus the included ones. */
static const struct labels *
match_labels(struct match *m, const struct series *many, const struct series *one)
{
    bool drop = !is_comparison(m->n) || m->n->returns_bool;
    const struct labels *l;
    if (!m->n->group && m->n->on)
        l = labels_with(m->e, many->labels, &m->n->names);
    else
        l = labels_without(m->e, many->labels, m->n->group || m->n->on ? NULL : &m->n->names, drop);
    for (size_t i = 0; l && i < m->n->include.count; i++) {
        const struct label *x = labels_find(one->labels, m->n->include.at[i]);
        l = labels_set(m->e, l, m->n->include.at[i], x ? x->value : "", x ? x->value_len : 0);
    }
    return l;
}

static int
match_fail(struct match *m, const char *side)
{
    return eval_fail(m->e, ERR_STATE, "found duplicate series for the match group on the %s hand-side of the operation: many-to-many matching not allowed: matching labels must be unique on one side", side);
}

static int
match_pair(struct match *m, const struct series *many, const struct series *one, bool swapped)
{
    struct series *out = NULL;
    for (size_t i = 0; i < m->e->steps; i++) {
        if (absent(many->v[i]) || absent(one->v[i]))
            continue;
        double a = swapped ? one->v[i] : many->v[i], b = swapped ? many->v[i] : one->v[i];
        double v = pair_value(m->n, a, b, a);
        if (absent(v))
            continue;
        if (!out) {
            const struct labels *l = match_labels(m, many, one);
            if (!l || !(out = gather_series(&m->out, l)))
                return ERR_LIMIT;
        }
        if (!absent(out->v[i]))
            return eval_fail(m->e, ERR_STATE, m->n->group ? "multiple matches for labels: grouping labels must ensure unique matches"
                                                          : "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
        out->v[i] = v;
    }
    return 0;
}

/* At no step may two of a chain be there at once. */
static int
match_unique(struct match *m, const struct one *chain, const char *side)
{
    for (size_t i = 0; chain && chain->next && i < m->e->steps; i++) {
        size_t there = 0;
        for (const struct one *o = chain; o; o = o->next)
            there += !absent(o->s->v[i]);
        if (there > 1)
            return match_fail(m, side);
    }
    return 0;
}

static int
vector_vector(struct eval *e, const struct ast *n, struct value *a, struct value *b, struct value *ret)
{
    bool swapped = n->group == 2;
    const struct value *many = swapped ? b : a, *one = swapped ? a : b;
    struct match m = {.e = e, .n = n};
    char key[16384];
    int rc = gather_init(&m.out, e);
    if (!rc)
        rc = match_index(&m, one);
    for (size_t k = 0; !rc && k < one->count; k++) {
        struct labels *l = signature(e, n, one->series[k].labels);
        struct one *chain = l ? map_get(m.ones, key, match_key(l, key, sizeof key)) : NULL;
        rc = l ? match_unique(&m, chain && chain->s == &one->series[k] ? chain : NULL, swapped ? "left" : "right") : ERR_LIMIT;
    }
    for (size_t k = 0; !rc && k < many->count; k++) {
        struct labels *l = signature(e, n, many->series[k].labels);
        struct one *o = l ? map_get(m.ones, key, match_key(l, key, sizeof key)) : NULL;
        for (; !rc && o; o = o->next)
            rc = match_pair(&m, &many->series[k], o->s, swapped);
        if (!l)
            rc = ERR_LIMIT;
    }
    *ret = (struct value){.type = PROMQL_VECTOR, .series = m.out.series, .count = m.out.count};
    gather_done(&m.out);
    map_free(m.ones, NULL);
    return rc;
}

int
eval_binary(struct eval *e, const struct ast *n, struct value *ret)
{
    struct value a, b;
    int rc = eval_node(e, n->args[0], &a);
    if (!rc)
        rc = eval_node(e, n->args[1], &b);
    if (rc)
        return rc;
    if (a.type == PROMQL_SCALAR && b.type == PROMQL_SCALAR)
        return scalar_scalar(e, n, &a, &b, ret);
    if (a.type == PROMQL_SCALAR)
        return vector_scalar(e, n, &b, a.scalar, true, ret);
    if (b.type == PROMQL_SCALAR)
        return vector_scalar(e, n, &a, b.scalar, false, ret);
    return n->op >= OP_AND ? set_operator(e, n, &a, &b, ret) : vector_vector(e, n, &a, &b, ret);
}
