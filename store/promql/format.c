/* format: expressions as Prometheus writes them: on one line for rules, or broken at 100 characters
 * for format_query. */
#include "store/promql/eval.h"

#include "store/promql/lex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FORMAT_LINE 100
#define FORMAT_MAX  ((size_t)16 << 20)

static void format_node(const struct ast *n, struct buf *out);

const char *
ast_aggregate_text(enum ast_aggregate a)
{
    static const char *const names[] = {"sum",          "min",     "max",    "avg",
                                        "group",        "stddev",  "stdvar", "count",
                                        "count_values", "bottomk", "topk",   "quantile"};
    return names[a];
}

/* As Prometheus' model.Duration: years and weeks only when they are whole. */
static void
format_duration(int64_t ms, struct buf *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
        bool exact;
    } units[] = {{"y", 31536000000, true}, {"w", 604800000, true}, {"d", 86400000, false},
                 {"h", 3600000, false},    {"m", 60000, false},    {"s", 1000, false},
                 {"ms", 1, false}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if ((units[i].exact && ms % units[i].ms) || ms < units[i].ms)
            continue;
        buf_printf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
        ms %= units[i].ms;
    }
}

/* As Go's %v: the shortest digits, with an exponent below -4 and from 6 on. */
static void
format_number(double v, struct buf *out)
{
    char digits[400];
    double a = fabs(v);
    if (a == 0 || !isfinite(v) || (a >= 1e-4 && a < 1e6)) {
        value_format(v, false, digits);
        buf_puts(out, digits);
        return;
    }
    for (int k = 14; k <= 16; k++) {
        snprintf(digits, sizeof digits, "%.*e", k, v);
        if (strtod(digits, NULL) == v)
            break;
    }
    char *e = strchr(digits, 'e'), *end = e;
    while (end[-1] == '0')
        end--;
    if (end[-1] == '.')
        end--;
    buf_printf(out, "%.*s%s", (int)(end - digits), digits, e);
}

static void
format_names(const struct ast_names *names, struct buf *out)
{
    buf_putc(out, '(');
    for (size_t i = 0; i < names->count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", names->at[i]);
    buf_putc(out, ')');
}

static void
format_times(const struct ast *n, struct buf *out)
{
    if (n->at == AT_TIME)
        buf_printf(out, " @ %.3f", (double)n->at_ms / 1000);
    else if (n->at)
        buf_puts(out, n->at == AT_START ? " @ start()" : " @ end()");
    if (n->offset_ms) {
        buf_puts(out, n->offset_ms < 0 ? " offset -" : " offset ");
        format_duration(n->offset_ms < 0 ? -n->offset_ms : n->offset_ms, out);
    }
}

static int
format_string_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
format_matchers(const struct ast *n, struct buf *out)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    char **texts = calloc(n->matcher_count + 1, sizeof *texts);
    size_t count = 0;
    for (size_t i = 0; texts && i < n->matcher_count; i++) {
        const struct matcher *m = &n->matchers[i];
        struct buf b;
        if (n->name && m->op == MATCH_EQ && !strcmp(m->name, "__name__") &&
            !strcmp(m->value, n->name))
            continue;
        buf_init(&b, FORMAT_MAX);
        buf_printf(&b, "%s%s", m->name, ops[m->op]);
        lex_quote(m->value, strlen(m->value), 0, &b);
        if ((texts[count] = buf_take(&b, NULL)))
            count++;
        buf_done(&b);
    }
    if (count)
        qsort(texts, count, sizeof *texts, format_string_order);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s", i ? "," : "{", texts[i]);
        free(texts[i]);
    }
    if (count)
        buf_putc(out, '}');
    free(texts);
}

static void
format_selector(const struct ast *n, struct buf *out)
{
    buf_puts(out, n->name ? n->name : "");
    format_matchers(n, out);
    if (n->range_ms) {
        buf_putc(out, '[');
        format_duration(n->range_ms, out);
        buf_putc(out, ']');
    }
    format_times(n, out);
}

static void
format_subquery(const struct ast *n, struct buf *out)
{
    buf_putc(out, '[');
    format_duration(n->range_ms, out);
    buf_putc(out, ':');
    format_duration(n->step_ms, out);
    buf_putc(out, ']');
    format_times(n, out);
}

/* Operator with its modifiers. */
static void
format_operator(const struct ast *n, struct buf *out)
{
    buf_printf(out, "%s%s", ast_op_text(n->op), n->returns_bool ? " bool" : "");
    if (!n->names.count && !n->on)
        return;
    buf_puts(out, n->on ? " on " : " ignoring ");
    format_names(&n->names, out);
    if (n->group) {
        buf_puts(out, n->group == 1 ? " group_left " : " group_right ");
        format_names(&n->include, out);
    }
}

static void
format_aggregate(const struct ast *n, struct buf *out)
{
    buf_puts(out, ast_aggregate_text(n->aggregate));
    if (!n->without && !n->names.count)
        return;
    buf_puts(out, n->without ? " without " : " by ");
    format_names(&n->names, out);
    buf_putc(out, ' ');
}

static void
format_args(const struct ast *n, struct buf *out)
{
    buf_putc(out, '(');
    for (size_t i = 0; i < n->arg_count; i++) {
        if (i)
            buf_puts(out, ", ");
        format_node(n->args[i], out);
    }
    buf_putc(out, ')');
}

static void
format_node(const struct ast *n, struct buf *out)
{
    switch (n->kind) {
    case AST_NUMBER:
        format_number(n->number, out);
        break;
    case AST_STRING:
        lex_quote(n->text, n->text_len, 0, out);
        break;
    case AST_SELECTOR:
        format_selector(n, out);
        break;
    case AST_SUBQUERY:
        format_node(n->args[0], out);
        format_subquery(n, out);
        break;
    case AST_CALL:
        buf_puts(out, n->function->name);
        format_args(n, out);
        break;
    case AST_AGGREGATE:
        format_aggregate(n, out);
        format_args(n, out);
        break;
    case AST_BINARY:
        format_node(n->args[0], out);
        buf_putc(out, ' ');
        format_operator(n, out);
        buf_putc(out, ' ');
        format_node(n->args[1], out);
        break;
    case AST_UNARY:
        buf_putc(out, n->op == OP_SUB ? '-' : '+');
        format_node(n->args[0], out);
        break;
    case AST_PAREN:
        format_args(n, out);
        break;
    }
}

int
promql_format(const struct promql *q, struct buf *out)
{
    format_node(q->root, out);
    return out->failed ? ERR_LIMIT : 0;
}

/* --- broken lines ----------------------------------------------------------------------------- */

static bool
format_long(const struct ast *n)
{
    struct buf b;
    buf_init(&b, FORMAT_MAX);
    format_node(n, &b);
    bool is = b.len > FORMAT_LINE;
    buf_done(&b);
    return is;
}

static void
format_indent(unsigned level, struct buf *out)
{
    for (unsigned i = 0; i < level; i++)
        buf_puts(out, "  ");
}

static void
format_pretty(const struct ast *n, unsigned level, bool indent, struct buf *out)
{
    bool whole = n->kind == AST_NUMBER || n->kind == AST_STRING || n->kind == AST_SELECTOR ||
                 (n->kind != AST_UNARY && !format_long(n));
    if (n->kind == AST_SUBQUERY) {
        if (whole) {
            format_node(n, out); /* Prometheus forgets to indent it */
            return;
        }
        format_pretty(n->args[0], level, indent, out);
        format_subquery(n, out);
        return;
    }
    if (n->kind == AST_BINARY && !whole) {
        format_pretty(n->args[0], level + 1, true, out);
        buf_putc(out, '\n');
        format_indent(level, out);
        format_operator(n, out);
        buf_putc(out, '\n');
        format_pretty(n->args[1], level + 1, true, out);
        return;
    }
    if (indent)
        format_indent(level, out);
    if (whole) {
        format_node(n, out);
        return;
    }
    if (n->kind == AST_UNARY) {
        buf_putc(out, n->op == OP_SUB ? '-' : '+');
        format_pretty(n->args[0], level, false, out);
        return;
    }
    if (n->kind == AST_CALL)
        buf_puts(out, n->function->name);
    else if (n->kind == AST_AGGREGATE)
        format_aggregate(n, out);
    buf_puts(out, "(\n");
    for (size_t i = 0; i < n->arg_count; i++) {
        if (i)
            buf_puts(out, ",\n");
        format_pretty(n->args[i], level + 1, true, out);
    }
    buf_putc(out, '\n');
    format_indent(level, out);
    buf_putc(out, ')');
}

int
promql_pretty(const struct promql *q, struct buf *out)
{
    format_pretty(q->root, 0, true, out);
    return out->failed ? ERR_LIMIT : 0;
}
