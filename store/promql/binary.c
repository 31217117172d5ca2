/* binary: operators between scalars and vectors, with Prometheus' matching rules, whole rows at a
 * time.
 *
 * Series meet by the labels that on() keeps or ignoring() leaves. At each step at most one series
 * of the "one" side may stand in a group, and each result may be made once. */
#include "store/promql/eval.h"

#include <math.h>

static double
binary_apply(enum ast_op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_MOD:
        return fmod(a, b);
    case OP_POW:
        return pow(a, b);
    case OP_ATAN2:
        return atan2(a, b);
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_GT:
        return a > b;
    case OP_LT:
        return a < b;
    case OP_GE:
        return a >= b;
    case OP_LE:
        return a <= b;
    default:
        return NAN;
    }
}

static bool
binary_compares(const struct ast *n)
{
    return n->op >= OP_EQ && n->op <= OP_LE;
}

/* Arithmetic and bool take the metric's name away; filters keep it, and so does atan2 in
 * Prometheus 2.42. */
static bool
binary_drops_name(const struct ast *n)
{
    return n->op < OP_ATAN2 || n->returns_bool;
}

/* What one pair gives: ABSENT where a filter drops it. `keep` is the value that a filter passes on.
 */
static double
binary_pair(const struct ast *n, double a, double b, double keep)
{
    double v = binary_apply(n->op, a, b);
    return !binary_compares(n) || n->returns_bool ? v : v != 0 ? keep : ABSENT;
}

static int
binary_scalars(struct eval *e, const struct ast *n, const struct value *a, const struct value *b,
               struct value *ret)
{
    double *row = eval_row(e, false);
    for (size_t i = 0; row && i < e->steps; i++)
        row[i] = binary_apply(n->op, a->scalar[i], b->scalar[i]);
    *ret = (struct value){.type = PROMQL_SCALAR, .scalar = row};
    return row ? 0 : ERR_LIMIT;
}

static int
binary_scalar(struct eval *e, const struct ast *n, struct value *vector, const double *scalar,
              bool swapped, struct value *ret)
{
    *ret = *vector;
    for (size_t k = 0; k < ret->count; k++) {
        double *v = ret->series[k].v;
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(v[i]))
                v[i] = swapped ? binary_pair(n, scalar[i], v[i], v[i])
                               : binary_pair(n, v[i], scalar[i], v[i]);
    }
    return binary_drops_name(n) ? eval_drop_names(e, ret, false) : 0;
}

/* --- and, or, unless -------------------------------------------------------------------------- */

static void
binary_signature(struct pick *p, const struct ast *n)
{
    pick_init(p, n->on ? PICK_WITH : PICK_WITHOUT, &n->names, !n->on);
}

/* For each group of `by` at which steps it is there: a row of booleans a group. */
static int
binary_present(struct eval *e, const struct value *by, struct groups *g, struct pick *p,
               unsigned char **ret)
{
    int rc = groups_init(g, e, p, by->count);
    unsigned char *there = rc ? NULL : eval_alloc(e, by->count + 1, e->steps);
    for (size_t k = 0; there && k < by->count; k++) {
        unsigned char *row = there + groups_take(g, &by->series[k]) * e->steps;
        for (size_t i = 0; i < e->steps; i++)
            row[i] |= !absent(by->series[k].v[i]);
    }
    *ret = there;
    return there ? 0 : ERR_LIMIT;
}

/* Takes away what is (not) there on the other side. */
static void
binary_filter(struct eval *e, struct value *v, struct groups *g, const unsigned char *there,
              bool want)
{
    double none = ABSENT;
    for (size_t k = 0; k < v->count; k++) {
        size_t at = groups_find(g, &v->series[k]);
        for (size_t i = 0; i < e->steps; i++)
            if ((at != SIZE_MAX && there[at * e->steps + i]) != want)
                v->series[k].v[i] = none;
    }
}

static int
binary_set(struct eval *e, const struct ast *n, struct value *a, struct value *b, struct value *ret)
{
    struct pick p;
    struct groups g;
    unsigned char *there;
    bool either = n->op == OP_OR;
    binary_signature(&p, n);
    int rc = binary_present(e, either ? a : b, &g, &p, &there);
    if (!rc)
        binary_filter(e, either ? b : a, &g, there, n->op == OP_AND);
    groups_done(&g);
    *ret = *a;
    ret->sorted = false;
    if (rc || !either)
        return rc;
    ret->series = eval_alloc(e, a->count + b->count, sizeof *ret->series);
    if (!ret->series)
        return ERR_LIMIT;
    memcpy(ret->series, a->series, a->count * sizeof *ret->series);
    memcpy(ret->series + a->count, b->series, b->count * sizeof *ret->series);
    ret->count = a->count + b->count;
    ret->one_name = false;
    return eval_merge(e, ret, false); /* equal label sets of both sides are one series */
}

/* --- vector and vector ------------------------------------------------------------------------ */

struct match {
    struct eval *e;
    const struct ast *n;
    struct pick signature, result;
    struct groups g;        /* of the "one" side */
    uint32_t *first, *next; /* chains of a group's series, by number + 1 */
    const struct value *one;
    struct value *out;
    unsigned char *taken; /* one-to-one: groups matched at each step */
    size_t cap;
};

static int
match_index(struct match *m)
{
    struct eval *e = m->e;
    int rc = groups_init(&m->g, e, &m->signature, m->one->count);
    m->first = rc ? NULL : eval_alloc(e, m->one->count + 1, sizeof *m->first);
    m->next = rc ? NULL : eval_alloc(e, m->one->count + 1, sizeof *m->next);
    if (!m->first || !m->next)
        return ERR_LIMIT;
    for (size_t k = 0; k < m->one->count; k++) {
        size_t at = groups_take(&m->g, &m->one->series[k]);
        m->next[k] = m->first[at];
        m->first[at] = (uint32_t)k + 1;
    }
    return 0;
}

static int
match_fail(struct match *m, const struct series *a, const struct series *b)
{
    struct buf x, y, z;
    buf_init(&x, 400);
    buf_init(&y, 400);
    buf_init(&z, 400);
    const struct labels *k = labels_plain(m->e, a), *o = labels_plain(m->e, b),
                        *l = pick_labels(m->e, &m->signature, a, 0);
    if (k && o) {
        labels_text(k, &x);
        labels_text(o, &y);
    }
    if (l)
        labels_text(l, &z);
    int rc =
        eval_fail(m->e, ERR_STATE,
                  "found duplicate series for the match group %s on the %s hand-side of the "
                  "operation: [%s, %s]"
                  ";many-to-many matching not allowed: matching labels must be unique on one side",
                  buf_str(&z), m->n->group == 2 ? "left" : "right", buf_str(&x), buf_str(&y));
    buf_done(&x);
    buf_done(&y);
    buf_done(&z);
    return rc;
}

/* The first two of a group that are there at a step; chains begin with those that came last. */
static bool
match_twice(const struct match *m, size_t group, size_t step, uint32_t ret[2])
{
    ret[0] = ret[1] = 0;
    for (uint32_t k = m->first[group]; k; k = m->next[k - 1])
        if (!absent(m->one->series[k - 1].v[step])) {
            ret[1] = ret[0];
            ret[0] = k;
        }
    return ret[1] != 0;
}

/* At no step may two of a group be there at once, unless the other side is empty then. What is told
 * is what comes first. */
static int
match_unique(struct match *m, const unsigned char *busy)
{
    uint32_t first[2] = {0, UINT32_MAX}, pair[2];
    size_t step = m->e->steps;
    for (size_t g = 0; g < m->g.count; g++) {
        if (!m->next[m->first[g] - 1])
            continue;
        for (size_t i = 0; i < m->e->steps && i <= step; i++) {
            if (!busy[i] || !match_twice(m, g, i, pair) || (i == step && pair[1] > first[1]))
                continue;
            step = i;
            first[0] = pair[0];
            first[1] = pair[1];
        }
    }
    return step == m->e->steps
               ? 0
               : match_fail(m, &m->one->series[first[1] - 1], &m->one->series[first[0] - 1]);
}

/* Labels of a result: those of the "many" side, or of the match for one-to-one; plus the included
 * ones. */
static const struct labels *
match_labels(struct match *m, const struct series *many, const struct series *one)
{
    const struct labels *l = pick_labels(m->e, &m->result, many, 0);
    for (size_t i = 0; l && i < m->n->include.count; i++) {
        const struct label *x = labels_find(one->labels, m->n->include.at[i]);
        if (x && one->nameless && !strcmp(m->n->include.at[i], "__name__"))
            x = NULL;
        l = labels_set(m->e, l, m->n->include.at[i], x ? x->value : "", x ? x->value_len : 0);
    }
    return l;
}

static int
match_add(struct match *m, const struct series *many, const struct series *one, double **ret)
{
    struct value *out = m->out;
    if (out->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct series *p = eval_alloc(m->e, cap, sizeof *p);
        if (!p)
            return ERR_LIMIT;
        if (out->count)
            memcpy(p, out->series, out->count * sizeof *p);
        out->series = p;
        m->cap = cap;
    }
    struct series *s = &out->series[out->count];
    if (!(s->labels = match_labels(m, many, one)) || !(s->v = eval_row(m->e, true)))
        return ERR_LIMIT;
    out->count++;
    *ret = s->v;
    return 0;
}

static int
match_pair(struct match *m, const struct series *many, const struct series *one, size_t group)
{
    double *out = NULL;
    unsigned char *taken = m->n->group ? NULL : m->taken + group * m->e->steps;
    for (size_t i = 0; i < m->e->steps; i++) {
        if (absent(many->v[i]) || absent(one->v[i]))
            continue;
        double a = m->n->group == 2 ? one->v[i] : many->v[i],
               b = m->n->group == 2 ? many->v[i] : one->v[i];
        double v = binary_pair(m->n, a, b, a);
        if (absent(v))
            continue;
        if (taken && taken[i])
            return eval_fail(m->e, ERR_STATE,
                             "multiple matches for labels: many-to-one matching must be explicit "
                             "(group_left/group_right)");
        if (taken)
            taken[i] = 1;
        if (!out && match_add(m, many, one, &out))
            return ERR_LIMIT;
        out[i] = v;
    }
    return 0;
}

/* Results of many-to-one with equal labels: an error within a group, a doubled label set across
 * groups. */
static int
match_merge(struct match *m)
{
    struct eval *e = m->e;
    int rc = eval_merge(e, m->out, false);
    if (rc == ERR_STATE && m->n->group)
        return eval_fail(e, ERR_STATE,
                         "multiple matches for labels: grouping labels must ensure unique matches");
    return rc;
}

static void
match_result(struct match *m)
{
    const struct ast *n = m->n;
    bool drop = binary_drops_name(n);
    if (n->group)
        pick_init(&m->result, PICK_ALL, NULL, drop);
    else
        pick_init(&m->result, n->on ? PICK_WITH : PICK_WITHOUT, &n->names, drop);
}

static int
binary_vectors(struct eval *e, const struct ast *n, struct value *a, struct value *b,
               struct value *ret)
{
    bool swapped = n->group == 2;
    const struct value *many = swapped ? b : a;
    struct match m = {.e = e, .n = n, .one = swapped ? a : b, .out = ret};
    unsigned char *busy = eval_alloc(e, e->steps, 1);
    *ret = (struct value){.type = PROMQL_VECTOR};
    binary_signature(&m.signature, n);
    match_result(&m);
    for (size_t k = 0; busy && k < many->count; k++)
        for (size_t i = 0; i < e->steps; i++)
            busy[i] |= !absent(many->series[k].v[i]);
    ret->one_name = m.result.drop_name;
    int rc = busy ? match_index(&m) : ERR_LIMIT;
    if (!rc)
        rc = match_unique(&m, busy);
    if (!rc && !n->group && !(m.taken = eval_alloc(e, m.g.count, e->steps)))
        rc = ERR_LIMIT;
    for (size_t k = 0; !rc && k < many->count; k++) {
        size_t at = groups_find(&m.g, &many->series[k]);
        for (uint32_t o = at == SIZE_MAX ? 0 : m.first[at]; !rc && o; o = m.next[o - 1])
            rc = match_pair(&m, &many->series[k], &m.one->series[o - 1], at);
    }
    if (!rc)
        rc = match_merge(&m);
    groups_done(&m.g);
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
        return binary_scalars(e, n, &a, &b, ret);
    if (a.type == PROMQL_SCALAR)
        return binary_scalar(e, n, &b, a.scalar, true, ret);
    if (b.type == PROMQL_SCALAR)
        return binary_scalar(e, n, &a, b.scalar, false, ret);
    return n->op >= OP_AND ? binary_set(e, n, &a, &b, ret) : binary_vectors(e, n, &a, &b, ret);
}
