/* eval: nodes, and what they share: rows, ceilings, names dropped.
 *
 * Always true: what is constant (the same at every step) is evaluated once; each read or made
 * sample is counted against max_samples; the deadline is looked at with every row. */
#include "store/promql/eval.h"

#include "base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int
eval_fail(struct eval *e, int code, const char *fmt, ...)
{
    char text[460];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e->run->err, code, "%s", text);
}

int
eval_tick(struct eval *e, size_t samples)
{
    struct run *r = e->run;
    bool look = r->samples / 65536 != (r->samples + samples + 16) / 65536;
    r->samples += samples + 16; /* a series has a price of its own */
    if (r->samples > r->samples_max)
        return eval_fail(
            e, ERR_LIMIT,
            "query processing would load too many samples into memory in query execution");
    if (look && clock_mono_us() > r->deadline_us)
        return eval_fail(e, ERR_TIMEOUT, "query timed out in expression evaluation");
    return 0;
}

void *
eval_alloc(struct eval *e, size_t n, size_t size)
{
    void *p = size && n > SIZE_MAX / 2 / size ? NULL : arena_alloc(e->run->arena, n * size + 1);
    if (!p)
        eval_fail(e, ERR_LIMIT, "the query needs more memory than allowed");
    return p;
}

double *
eval_row(struct eval *e, bool fill)
{
    if (eval_tick(e, e->steps))
        return NULL;
    double *v = eval_alloc(e, e->steps, sizeof *v), none = ABSENT;
    for (size_t i = 0; fill && v && i < e->steps; i++)
        v[i] = none;
    return v;
}

int
eval_one(struct eval *e, const struct labels *l, struct value *ret)
{
    struct series *s = eval_alloc(e, 1, sizeof *s);
    if (!s || !(s->v = eval_row(e, true)))
        return ERR_LIMIT;
    s->labels = l;
    *ret = (struct value){.type = PROMQL_VECTOR, .series = s, .count = 1, .one_name = true};
    return 0;
}

/* --- equal series ----------------------------------------------------------------------------- */

static bool
eval_empty(const struct eval *e, const double *v)
{
    for (size_t i = 0; i < e->steps; i++)
        if (!absent(v[i]))
            return false;
    return true;
}

static int
eval_merge_rows(struct eval *e, double *into, const double *from, bool strict)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (absent(from[i]))
            continue;
        if (strict || !absent(into[i]))
            return eval_fail(e, ERR_STATE, "vector cannot contain metrics with the same labelset");
        into[i] = from[i];
    }
    return 0;
}

int
eval_merge(struct eval *e, struct value *v, bool strict)
{
    struct pick all;
    struct groups g;
    size_t kept = 0;
    pick_init(&all, PICK_ALL, NULL, false);
    int rc = groups_init(&g, e, &all, v->count);
    for (size_t k = 0; !rc && k < v->count; k++) {
        struct series s = v->series[k];
        if (eval_empty(e, s.v))
            continue;
        v->series[kept] = s; /* kept <= k: in place */
        size_t at = groups_take(&g, &v->series[kept]);
        if (at == kept)
            kept++;
        else
            rc = eval_merge_rows(e, v->series[at].v, s.v, strict);
    }
    v->count = kept;
    groups_done(&g);
    return rc;
}

int
eval_drop_names(struct eval *e, struct value *v, bool strict)
{
    for (size_t k = 0; k < v->count; k++)
        v->series[k].nameless = true;
    int rc = v->one_name ? 0 : eval_merge(e, v, strict);
    v->one_name = true;
    return rc;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int
eval_number(struct eval *e, double v, struct value *ret)
{
    double *row = eval_row(e, false);
    for (size_t i = 0; row && i < e->steps; i++)
        row[i] = v;
    *ret = (struct value){.type = PROMQL_SCALAR, .scalar = row};
    return row ? 0 : ERR_LIMIT;
}

static int
eval_unary(struct eval *e, const struct ast *n, struct value *ret)
{
    int rc = eval_node(e, n->args[0], ret);
    if (rc || n->op == OP_ADD)
        return rc;
    for (size_t i = 0; ret->type == PROMQL_SCALAR && i < e->steps; i++)
        ret->scalar[i] = -ret->scalar[i];
    if (ret->type != PROMQL_VECTOR)
        return 0;
    for (size_t k = 0; k < ret->count; k++)
        for (size_t i = 0; i < e->steps; i++)
            if (!absent(ret->series[k].v[i]))
                ret->series[k].v[i] = -ret->series[k].v[i];
    return eval_drop_names(e, ret, true);
}

/* Once, at the first step; then the same at all. */
static int
eval_constant(struct eval *e, const struct ast *n, struct value *ret)
{
    struct eval once = *e;
    struct ast bare = *n;
    once.steps = 1;
    bare.constant = false;
    int rc = eval_node(&once, &bare, ret);
    size_t rows = ret->type == PROMQL_SCALAR ? 1 : ret->type == PROMQL_VECTOR ? ret->count : 0;
    for (size_t k = 0; !rc && k < rows; k++) {
        double *row = eval_row(e, false),
               **at = ret->type == PROMQL_SCALAR ? &ret->scalar : &ret->series[k].v;
        for (size_t i = 0; row && i < e->steps; i++)
            row[i] = **at;
        *at = row;
        rc = row ? 0 : ERR_LIMIT;
    }
    return rc;
}

int
eval_node(struct eval *e, const struct ast *n, struct value *ret)
{
    if (n->constant && e->steps > 1 && n->kind != AST_STRING)
        return eval_constant(e, n, ret);
    switch (n->kind) {
    case AST_NUMBER:
        return eval_number(e, n->number, ret);
    case AST_STRING:
        *ret = (struct value){.type = PROMQL_STRING, .string = n->text};
        return 0;
    case AST_SELECTOR:
        if (n->type == PROMQL_VECTOR)
            return select_vector(e, n, false, ret);
        break;
    case AST_SUBQUERY:
        break;
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
    return eval_fail(e, ERR_UNSUPPORTED, "a range vector can only be an argument of a function");
}
