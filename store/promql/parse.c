/* parse: PromQL text to a tree, by recursive descent with precedence climbing.
 *
 * The grammar and the sentences of its errors are those of Prometheus 2.42, as its HTTP API shows
 * them. Always true: the first error is the one that is kept; an unexpected token names the
 * innermost aggregation, grouping or selector it broke, because that is where Prometheus' LALR
 * parser recovers. */
#include "store/promql/eval.h"

#include "base/clock.h"
#include "store/promql/lex.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARSE_TEXT_MAX 65536
#define PARSE_ARENA    ((size_t)64 << 20)

struct parse {
    struct lexer lex;
    struct token t; /* present token */
    const char *text;
    struct promql *q;
    struct err *err;
    bool failed;
    unsigned depth, aggregates; /* aggregates: how many we are within, for the words of errors */
};

int
parse_fail(struct parse *ps, unsigned pos, const char *fmt, ...)
{
    char what[460];
    va_list ap;
    unsigned line = 1, column = 1;
    if (ps->failed)
        return ERR_SYNTAX;
    ps->failed = true;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    for (const char *c = ps->text; c < ps->text + pos; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    err_set(ps->err, ERR_SYNTAX, "%u:%u: parse error: %s", line, column, what);
    if (ps->err) {
        ps->err->line = line;
        ps->err->column = column;
    }
    return ERR_SYNTAX;
}

static unsigned
parse_pos(const struct parse *ps)
{
    return (unsigned)(ps->t.p - ps->text);
}

static int
parse_next(struct parse *ps)
{
    lex_next(&ps->lex, &ps->t);
    return ps->t.kind == LEX_ERROR ? parse_fail(ps, parse_pos(ps), "%s", ps->lex.error) : 0;
}

static int
parse_unexpected(struct parse *ps, const char *where, const char *expected)
{
    struct buf b;
    buf_init(&b, 400);
    lex_describe(&ps->t, &b);
    if (!where && ps->aggregates)
        where = "aggregation";
    int rc =
        parse_fail(ps, parse_pos(ps), "unexpected %s%s%s%s%s", buf_str(&b), where ? " in " : "",
                   where ? where : "", expected ? ", expected " : "", expected ? expected : "");
    buf_done(&b);
    return rc;
}

static int
parse_full(struct parse *ps)
{
    return parse_fail(ps, parse_pos(ps), "the query is too large");
}

/* --- tree ------------------------------------------------------------------------------------- */

static int parse_binary(struct parse *ps, int least, struct ast **ret);

static struct ast *
parse_node(struct parse *ps, enum ast_kind kind, enum promql_type type, unsigned pos)
{
    struct ast *n = arena_alloc(ps->q->arena, sizeof *n);
    if (!n) {
        parse_full(ps);
        return NULL;
    }
    n->kind = kind;
    n->type = type;
    n->pos = pos;
    n->depth = 1;
    return n;
}

static int
parse_child(struct parse *ps, struct ast *n, struct ast *child)
{
    if (!(n->arg_count & (n->arg_count - 1))) { /* full at each power of two */
        struct ast **p =
            arena_alloc(ps->q->arena, (n->arg_count ? n->arg_count * 2 : 1) * sizeof *p);
        if (!p)
            return parse_full(ps);
        if (n->arg_count)
            memcpy(p, n->args, n->arg_count * sizeof *p);
        n->args = p;
    }
    n->args[n->arg_count++] = child;
    if (child->depth >= n->depth)
        n->depth = child->depth + 1;
    return n->depth > AST_DEPTH ? parse_fail(ps, n->pos, "the query is nested too deeply") : 0;
}

static bool
parse_is_label(const struct token *t)
{
    return t->kind == LEX_IDENT || t->kind == LEX_AGGREGATE ||
           (t->kind >= LEX_BOOL && t->kind <= LEX_STOP) ||
           (t->kind == LEX_OPERATOR && (t->value == OP_AND || t->value == OP_OR ||
                                        t->value == OP_UNLESS || t->value == OP_ATAN2));
}

static int
parse_name_add(struct parse *ps, struct ast_names *out)
{
    if (!(out->count & (out->count - 1))) {
        const char **p = arena_alloc(ps->q->arena, (out->count ? out->count * 2 : 1) * sizeof *p);
        if (!p)
            return parse_full(ps);
        if (out->count)
            memcpy(p, out->at, out->count * sizeof *p);
        out->at = p;
    }
    const char *name = arena_str(ps->q->arena, ps->t.p, ps->t.len);
    out->at[out->count++] = name;
    return name ? 0 : parse_full(ps);
}

/* ( a, b, ) of by, without, on, ignoring, group_left, group_right; the present token is what should
 * be "(". */
static int
parse_names(struct parse *ps, struct ast_names *out)
{
    if (ps->t.kind != LEX_LEFT_PAREN)
        return parse_unexpected(ps, "grouping opts", "\"(\"");
    if (parse_next(ps))
        return ERR_SYNTAX;
    while (ps->t.kind != LEX_RIGHT_PAREN) {
        if (!parse_is_label(&ps->t))
            return parse_unexpected(ps, "grouping opts", "label");
        if (parse_name_add(ps, out) || parse_next(ps))
            return ERR_SYNTAX;
        if (ps->t.kind == LEX_COMMA) {
            if (parse_next(ps))
                return ERR_SYNTAX;
        } else if (ps->t.kind != LEX_RIGHT_PAREN) {
            return parse_unexpected(ps, "grouping opts", "\",\" or \")\"");
        }
    }
    return parse_next(ps);
}

/* --- selectors -------------------------------------------------------------------------------- */

static bool
parse_match_op(const struct token *t, enum match_op *ret)
{
    if (t->kind == LEX_EQL)
        *ret = MATCH_EQ;
    else if (t->kind == LEX_OPERATOR && t->value == OP_NE)
        *ret = MATCH_NE;
    else if (t->kind == LEX_EQL_REGEX)
        *ret = MATCH_RE;
    else if (t->kind == LEX_NEQ_REGEX)
        *ret = MATCH_NRE;
    else
        return false;
    return true;
}

static struct matcher *
parse_matcher_add(struct parse *ps, struct ast *n)
{
    if (!(n->matcher_count & (n->matcher_count - 1))) {
        struct matcher *p =
            arena_alloc(ps->q->arena, (n->matcher_count ? n->matcher_count * 2 : 1) * sizeof *p);
        if (!p) {
            parse_full(ps);
            return NULL;
        }
        if (n->matcher_count)
            memcpy(p, n->matchers, n->matcher_count * sizeof *p);
        n->matchers = p;
    }
    return &n->matchers[n->matcher_count++];
}

static int
parse_matcher(struct parse *ps, struct ast *n)
{
    unsigned pos = parse_pos(ps);
    struct matcher m = {0};
    char fault[400];
    size_t len;
    if (ps->t.kind != LEX_IDENT)
        return parse_unexpected(ps, "label matching", "identifier or \"}\"");
    if (!(m.name = arena_str(ps->q->arena, ps->t.p, ps->t.len)))
        return parse_full(ps);
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (!parse_match_op(&ps->t, &m.op))
        return parse_unexpected(ps, "label matching", "label matching operator");
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_STRING)
        return parse_unexpected(ps, "label matching", "string");
    if (!(m.value = lex_unquote(&ps->t, ps->q->arena, &len)))
        return parse_full(ps);
    if (m.op >= MATCH_RE && parse_regex_fault(m.value, fault, sizeof fault))
        return parse_fail(ps, pos, "error parsing regexp: %s", fault);
    struct matcher *place = parse_matcher_add(ps, n);
    if (!place)
        return ERR_SYNTAX;
    *place = m;
    return parse_next(ps);
}

static int
parse_matchers(struct parse *ps, struct ast *n)
{
    if (parse_next(ps))
        return ERR_SYNTAX;
    while (ps->t.kind != LEX_RIGHT_BRACE) {
        if (parse_matcher(ps, n))
            return ERR_SYNTAX;
        if (ps->t.kind == LEX_COMMA) {
            if (parse_next(ps))
                return ERR_SYNTAX;
        } else if (ps->t.kind != LEX_RIGHT_BRACE) {
            return parse_unexpected(ps, "label matching", "\",\" or \"}\"");
        }
    }
    return parse_next(ps);
}

/* The present token is what follows the name, or "{" without one. The name's matcher stands last,
 * as Prometheus has it. */
static int
parse_selector(struct parse *ps, const struct token *name, unsigned pos, struct ast **ret)
{
    struct ast *n = parse_node(ps, AST_SELECTOR, PROMQL_VECTOR, pos);
    if (!n || (ps->t.kind == LEX_LEFT_BRACE && parse_matchers(ps, n)))
        return ERR_SYNTAX;
    if (name) {
        struct matcher *m = parse_matcher_add(ps, n);
        if (!m || !(n->name = arena_str(ps->q->arena, name->p, name->len)))
            return parse_full(ps);
        *m = (struct matcher){MATCH_EQ, "__name__", n->name};
    }
    *ret = n;
    return 0;
}

/* --- ranges, offsets, @ ----------------------------------------------------------------------- */

static int
parse_duration(struct parse *ps, int64_t *ret)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"y", 31536000000}, {"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                 {"m", 60000},       {"s", 1000},      {"ms", 1}};
    const char *p = ps->t.p, *end = p + ps->t.len;
    int64_t sum = 0;
    size_t unit = 0;
    while (p < end && unit < 7) {
        int64_t v = 0;
        const char *digits = p;
        while (p < end && *p >= '0' && *p <= '9' && v < INT64_C(1000000000000000))
            v = v * 10 + (*p++ - '0');
        const char *word = p;
        while (p < end && (*p < '0' || *p > '9') && *p != '.')
            p++;
        size_t n = (size_t)(p - word);
        while (unit < 7 && !(strlen(units[unit].unit) == n && !memcmp(units[unit].unit, word, n)))
            unit++;
        if (unit == 7 || digits == word)
            break;
        if (v > INT64_C(9223372036854) / units[unit].ms ||
            (sum += v * units[unit++].ms) > INT64_C(9223372036854))
            return parse_fail(ps, parse_pos(ps), "duration out of range");
        if (p == end) {
            *ret = sum;
            return sum ? 0 : parse_fail(ps, parse_pos(ps), "duration must be greater than 0");
        }
    }
    return parse_fail(ps, parse_pos(ps), "not a valid duration string: \"%.*s\"", (int)ps->t.len,
                      ps->t.p);
}

/* Behind "[5m": "]" makes a range selector. */
static int
parse_range_selector(struct parse *ps, struct ast *n, unsigned bracket, int64_t range)
{
    if (n->kind != AST_SELECTOR || n->range_ms)
        return parse_fail(ps, bracket, "ranges only allowed for vector selectors");
    if (n->offset_ms)
        return parse_fail(ps, bracket, "no offset modifiers allowed before range");
    if (n->at)
        return parse_fail(ps, bracket, "no @ modifiers allowed before range");
    n->range_ms = range;
    n->type = PROMQL_MATRIX;
    return parse_next(ps);
}

static int
parse_range(struct parse *ps, struct ast **n)
{
    unsigned bracket = parse_pos(ps);
    int64_t range = 0, step = 0;
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_DURATION)
        return parse_unexpected(ps, "subquery selector", "duration");
    if (parse_duration(ps, &range) || parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind == LEX_RIGHT_BRACKET)
        return parse_range_selector(ps, *n, bracket, range);
    if (ps->t.kind != LEX_COLON)
        return parse_unexpected(ps, "subquery or range", "\":\" or \"]\"");
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind == LEX_DURATION) {
        if (parse_duration(ps, &step) || parse_next(ps))
            return ERR_SYNTAX;
        if (ps->t.kind != LEX_RIGHT_BRACKET)
            return parse_unexpected(ps, "subquery selector", "\"]\"");
    } else if (ps->t.kind != LEX_RIGHT_BRACKET) {
        return parse_unexpected(ps, "subquery selector", "duration or \"]\"");
    }
    struct ast *s = parse_node(ps, AST_SUBQUERY, PROMQL_MATRIX, (*n)->pos);
    if (!s || parse_child(ps, s, *n))
        return ERR_SYNTAX;
    s->range_ms = range;
    s->step_ms = step;
    *n = s;
    return parse_next(ps);
}

static int
parse_offset(struct parse *ps, struct ast *n)
{
    int64_t offset, sign = 1;
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind == LEX_OPERATOR && ps->t.value == OP_SUB) {
        sign = -1;
        if (parse_next(ps))
            return ERR_SYNTAX;
    }
    if (ps->t.kind != LEX_DURATION)
        return parse_unexpected(ps, "offset", "duration");
    if (parse_duration(ps, &offset))
        return ERR_SYNTAX;
    if (n->kind != AST_SELECTOR && n->kind != AST_SUBQUERY)
        return parse_fail(ps, n->pos,
                          "offset modifier must be preceded by an instant vector selector or range "
                          "vector selector or a subquery");
    if (n->offset_ms)
        return parse_fail(ps, n->pos, "offset may not be set multiple times");
    n->offset_ms = sign * offset;
    return parse_next(ps);
}

static int
parse_number(struct parse *ps, double *ret)
{
    int rc = lex_number(&ps->t, ret);
    if (!rc)
        return 0;
    return parse_fail(
        ps, parse_pos(ps), "error parsing number: strconv.ParseFloat: parsing \"%.*s\": %s",
        (int)ps->t.len, ps->t.p, rc == ERR_RANGE ? "value out of range" : "invalid syntax");
}

static int
parse_at_place(struct parse *ps, struct ast *n)
{
    if (n->kind != AST_SELECTOR && n->kind != AST_SUBQUERY)
        return parse_fail(ps, n->pos,
                          "@ modifier must be preceded by an instant vector selector or range "
                          "vector selector or a subquery");
    return n->at ? parse_fail(ps, n->pos, "@ <timestamp> may not be set multiple times") : 0;
}

static int
parse_at_call(struct parse *ps, struct ast *n)
{
    enum ast_at at = ps->t.kind == LEX_START ? AT_START : AT_END;
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_LEFT_PAREN)
        return parse_unexpected(ps, "@", "timestamp");
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_RIGHT_PAREN)
        return parse_unexpected(ps, "@", "timestamp");
    if (parse_at_place(ps, n))
        return ERR_SYNTAX;
    n->at = at;
    return parse_next(ps);
}

static int
parse_at(struct parse *ps, struct ast *n)
{
    double sign = 1, v;
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind == LEX_START || ps->t.kind == LEX_STOP)
        return parse_at_call(ps, n);
    if (ps->t.kind == LEX_OPERATOR && (ps->t.value == OP_SUB || ps->t.value == OP_ADD)) {
        sign = ps->t.value == OP_SUB ? -1 : 1;
        if (parse_next(ps))
            return ERR_SYNTAX;
    }
    if (ps->t.kind != LEX_NUMBER)
        return parse_unexpected(ps, "@", "timestamp");
    if (parse_number(ps, &v))
        return ERR_SYNTAX;
    v *= sign;
    if (!isfinite(v) || v >= 0x1p63 || v <= -0x1p63) {
        char text[360];
        snprintf(text, sizeof text,
                 isnan(v)   ? "NaN"
                 : isinf(v) ? (v > 0 ? "+Inf" : "-Inf")
                            : "%f",
                 v);
        return parse_fail(ps, n->pos, "timestamp out of bounds for @ modifier: %s", text);
    }
    if (parse_at_place(ps, n))
        return ERR_SYNTAX;
    n->at = AT_TIME;
    v = round(v * 1000);
    n->at_ms = v >= 0x1p62 || v <= -0x1p62 ? (int64_t)copysign(0x1p62, v) : (int64_t)v;
    return parse_next(ps);
}

static int
parse_postfix(struct parse *ps, struct ast **n)
{
    int rc = 0;
    while (!rc) {
        if (ps->t.kind == LEX_LEFT_BRACKET)
            rc = parse_range(ps, n);
        else if (ps->t.kind == LEX_OFFSET)
            rc = parse_offset(ps, *n);
        else if (ps->t.kind == LEX_AT)
            rc = parse_at(ps, *n);
        else
            break;
    }
    return rc;
}

/* --- calls and aggregations ------------------------------------------------------------------- */

static bool
parse_starts_expression(const struct token *t)
{
    switch (t->kind) {
    case LEX_IDENT:
    case LEX_METRIC:
    case LEX_STRING:
    case LEX_NUMBER:
    case LEX_LEFT_PAREN:
    case LEX_LEFT_BRACE:
    case LEX_AGGREGATE:
    case LEX_BY:
    case LEX_OFFSET:
    case LEX_WITHOUT:
    case LEX_START:
    case LEX_STOP:
        return true;
    case LEX_OPERATOR:
        return t->value == OP_ADD || t->value == OP_SUB || t->value == OP_AND ||
               t->value == OP_OR || t->value == OP_UNLESS;
    default:
        return false;
    }
}

/* Arguments; the present token is "(", and at the end ")" which is not yet consumed. */
static int
parse_args(struct parse *ps, struct ast *n)
{
    if (parse_next(ps))
        return ERR_SYNTAX;
    while (ps->t.kind != LEX_RIGHT_PAREN) {
        struct ast *arg;
        if (parse_binary(ps, 0, &arg) || parse_child(ps, n, arg))
            return ERR_SYNTAX;
        if (ps->t.kind == LEX_COMMA) {
            unsigned comma = parse_pos(ps);
            if (parse_next(ps))
                return ERR_SYNTAX;
            if (!parse_starts_expression(&ps->t))
                return parse_fail(ps, comma, "trailing commas not allowed in function call args");
        } else if (ps->t.kind != LEX_RIGHT_PAREN) {
            return parse_unexpected(ps, NULL, NULL);
        }
    }
    return 0;
}

static int
parse_call(struct parse *ps, const struct token *name, struct ast **ret)
{
    unsigned pos = (unsigned)(name->p - ps->text);
    struct ast *n = parse_node(ps, AST_CALL, PROMQL_VECTOR, pos);
    if (!n || parse_args(ps, n))
        return ERR_SYNTAX;
    if (!(n->function = function_find(name->p, name->len)))
        return parse_fail(ps, pos, "unknown function with name \"%.*s\"", (int)name->len, name->p);
    n->type = n->function->returns;
    *ret = n;
    return parse_next(ps);
}

static int
parse_grouping(struct parse *ps, struct ast *n)
{
    if (ps->t.kind != LEX_BY && ps->t.kind != LEX_WITHOUT)
        return 0;
    n->without = ps->t.kind == LEX_WITHOUT;
    n->matching = true;
    return parse_next(ps) ? ERR_SYNTAX : parse_names(ps, &n->names);
}

static int
parse_aggregate(struct parse *ps, const struct token *name, struct ast **ret)
{
    unsigned pos = (unsigned)(name->p - ps->text);
    struct ast *n = parse_node(ps, AST_AGGREGATE, PROMQL_VECTOR, pos);
    if (!n)
        return ERR_SYNTAX;
    n->aggregate = (enum ast_aggregate)name->value;
    ps->aggregates++;
    if (parse_grouping(ps, n))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_LEFT_PAREN)
        return parse_unexpected(ps, NULL, NULL);
    if (parse_args(ps, n))
        return ERR_SYNTAX;
    ps->aggregates--;
    if (parse_next(ps) || (!n->matching && parse_grouping(ps, n)))
        return ERR_SYNTAX;
    size_t want = n->aggregate >= AGG_COUNT_VALUES ? 2 : 1;
    if (!n->arg_count)
        return parse_fail(ps, pos, "no arguments for aggregate expression provided");
    if (n->arg_count != want)
        return parse_fail(
            ps, pos,
            "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            want, n->arg_count);
    *ret = n;
    return 0;
}

/* --- primary ---------------------------------------------------------------------------------- */

static int
parse_word(struct parse *ps, struct ast **ret)
{
    struct token name = ps->t;
    if (parse_next(ps))
        return ERR_SYNTAX;
    bool paren = ps->t.kind == LEX_LEFT_PAREN;
    if (name.kind == LEX_AGGREGATE && (paren || ps->t.kind == LEX_BY || ps->t.kind == LEX_WITHOUT))
        return parse_aggregate(ps, &name, ret);
    if (name.kind == LEX_IDENT && paren)
        return parse_call(ps, &name, ret);
    return parse_selector(ps, &name, (unsigned)(name.p - ps->text), ret);
}

static int
parse_paren(struct parse *ps, struct ast **ret)
{
    unsigned pos = parse_pos(ps);
    struct ast *inner, *n;
    if (parse_next(ps) || parse_binary(ps, 0, &inner))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_RIGHT_PAREN)
        return parse_unexpected(ps, NULL, NULL);
    if (!(n = parse_node(ps, AST_PAREN, inner->type, pos)) || parse_child(ps, n, inner))
        return ERR_SYNTAX;
    *ret = n;
    return parse_next(ps);
}

static int
parse_literal(struct parse *ps, struct ast **ret)
{
    bool number = ps->t.kind == LEX_NUMBER;
    struct ast *n = parse_node(ps, number ? AST_NUMBER : AST_STRING,
                               number ? PROMQL_SCALAR : PROMQL_STRING, parse_pos(ps));
    if (!n || (number && parse_number(ps, &n->number)))
        return ERR_SYNTAX;
    if (!number && !(n->text = lex_unquote(&ps->t, ps->q->arena, &n->text_len)))
        return parse_full(ps);
    *ret = n;
    return parse_next(ps);
}

static int
parse_primary(struct parse *ps, struct ast **ret)
{
    int rc;
    if (!parse_starts_expression(&ps->t) ||
        (ps->t.kind == LEX_OPERATOR && (ps->t.value == OP_ADD || ps->t.value == OP_SUB)))
        return parse_unexpected(ps, NULL, NULL);
    if (ps->t.kind == LEX_NUMBER || ps->t.kind == LEX_STRING)
        rc = parse_literal(ps, ret);
    else if (ps->t.kind == LEX_LEFT_BRACE)
        rc = parse_selector(ps, NULL, parse_pos(ps), ret);
    else if (ps->t.kind == LEX_LEFT_PAREN)
        rc = parse_paren(ps, ret);
    else
        rc = parse_word(ps, ret);
    return rc ? rc : parse_postfix(ps, ret);
}

#define PARSE_UNARY 5 /* binds as * and / */

static int
parse_unary(struct parse *ps, struct ast **ret)
{
    unsigned pos = parse_pos(ps);
    struct ast *inner, *n;
    if (ps->t.kind != LEX_OPERATOR || (ps->t.value != OP_ADD && ps->t.value != OP_SUB))
        return parse_primary(ps, ret);
    enum ast_op op = (enum ast_op)ps->t.value;
    if (parse_next(ps) || parse_binary(ps, PARSE_UNARY + 1, &inner))
        return ERR_SYNTAX;
    if (inner->kind == AST_NUMBER) {
        inner->number = op == OP_SUB ? inner->number * -1 : inner->number;
        inner->pos = pos;
        *ret = inner;
        return 0;
    }
    if (!(n = parse_node(ps, AST_UNARY, inner->type, pos)) || parse_child(ps, n, inner))
        return ERR_SYNTAX;
    n->op = op;
    *ret = n;
    return 0;
}

/* --- binary operators ------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int precedence;
} parse_operators[] = {[OP_ADD] = {"+", 4},        [OP_SUB] = {"-", 4},   [OP_MUL] = {"*", 5},
                       [OP_DIV] = {"/", 5},        [OP_MOD] = {"%", 5},   [OP_POW] = {"^", 6},
                       [OP_ATAN2] = {"atan2", 5},  [OP_EQ] = {"==", 3},   [OP_NE] = {"!=", 3},
                       [OP_GT] = {">", 3},         [OP_LT] = {"<", 3},    [OP_GE] = {">=", 3},
                       [OP_LE] = {"<=", 3},        [OP_AND] = {"and", 2}, [OP_OR] = {"or", 1},
                       [OP_UNLESS] = {"unless", 2}};

const char *
ast_op_text(enum ast_op op)
{
    return parse_operators[op].text;
}

static int
parse_modifiers(struct parse *ps, struct ast *n)
{
    if (ps->t.kind == LEX_BOOL) {
        n->returns_bool = true;
        if (parse_next(ps))
            return ERR_SYNTAX;
    }
    if (ps->t.kind != LEX_ON && ps->t.kind != LEX_IGNORING)
        return 0;
    n->on = ps->t.kind == LEX_ON;
    n->matching = true;
    if (parse_next(ps) || parse_names(ps, &n->names))
        return ERR_SYNTAX;
    if (ps->t.kind != LEX_GROUP_LEFT && ps->t.kind != LEX_GROUP_RIGHT)
        return 0;
    n->group = ps->t.kind == LEX_GROUP_LEFT ? 1 : 2;
    if (parse_next(ps))
        return ERR_SYNTAX;
    return ps->t.kind == LEX_LEFT_PAREN ? parse_names(ps, &n->include) : 0;
}

static int
parse_operation(struct parse *ps, struct ast **left)
{
    struct ast *right, *n = parse_node(ps, AST_BINARY, PROMQL_VECTOR, (*left)->pos);
    if (!n)
        return ERR_SYNTAX;
    n->op = (enum ast_op)ps->t.value;
    n->op_pos = parse_pos(ps);
    int precedence = parse_operators[n->op].precedence + (n->op != OP_POW);
    if (parse_next(ps) || parse_modifiers(ps, n) || parse_binary(ps, precedence, &right) ||
        parse_child(ps, n, *left) || parse_child(ps, n, right))
        return ERR_SYNTAX;
    if ((*left)->type == PROMQL_SCALAR && right->type == PROMQL_SCALAR)
        n->type = PROMQL_SCALAR;
    *left = n;
    return 0;
}

static int
parse_binary(struct parse *ps, int least, struct ast **ret)
{
    struct ast *left = NULL;
    if (++ps->depth > AST_DEPTH)
        return parse_fail(ps, parse_pos(ps), "the query is nested too deeply");
    int rc = parse_unary(ps, &left);
    while (!rc && ps->t.kind == LEX_OPERATOR && parse_operators[ps->t.value].precedence >= least)
        rc = parse_operation(ps, &left);
    ps->depth--;
    if (!rc)
        *ret = left;
    return rc;
}

/* --- queries ---------------------------------------------------------------------------------- */

static int
parse_query(struct parse *ps)
{
    if (parse_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind == LEX_END)
        return parse_fail(ps, 0, "no expression found in input");
    if (parse_binary(ps, 0, &ps->q->root))
        return ERR_SYNTAX;
    return ps->t.kind == LEX_END ? check_tree(ps, ps->q->root) : parse_unexpected(ps, NULL, NULL);
}

/* A selector alone, as match[] takes it: what would be empty is not yet refused. */
static int
parse_selector_alone(struct parse *ps)
{
    if (parse_next(ps))
        return ERR_SYNTAX;
    struct token name = ps->t;
    bool named = name.kind == LEX_IDENT || name.kind == LEX_METRIC || name.kind == LEX_AGGREGATE;
    if (!named && name.kind != LEX_LEFT_BRACE)
        return parse_unexpected(ps, NULL, NULL);
    if ((named && parse_next(ps)) ||
        parse_selector(ps, named ? &name : NULL, (unsigned)(name.p - ps->text), &ps->q->root))
        return ERR_SYNTAX;
    return ps->t.kind == LEX_END ? 0 : parse_unexpected(ps, NULL, NULL);
}

static int
parse_text(const char *text, int (*parse)(struct parse *ps), struct promql **ret, struct err *err)
{
    struct promql *q = calloc(1, sizeof *q);
    size_t len = strlen(text);
    if (len > PARSE_TEXT_MAX) {
        free(q);
        return err_set(err, ERR_LIMIT, "the query is longer than %d bytes", PARSE_TEXT_MAX);
    }
    if (!q || !(q->arena = arena_new(PARSE_ARENA)) || !(q->text = arena_str(q->arena, text, len))) {
        promql_free(q);
        return err_set(err, ERR_NOMEM, "no memory for the query");
    }
    struct parse ps = {.text = q->text, .q = q, .err = err};
    lex_init(&ps.lex, q->text, len);
    int rc = parse(&ps);
    if (rc) {
        promql_free(q);
        return rc;
    }
    check_mark(q->root);
    *ret = q;
    return 0;
}

int
promql_parse(const char *text, struct promql **ret, struct err *err)
{
    return parse_text(text, parse_query, ret, err);
}

int
promql_parse_selector(const char *text, struct promql **ret, struct err *err)
{
    return parse_text(text, parse_selector_alone, ret, err);
}

void
promql_free(struct promql *q)
{
    if (!q)
        return;
    arena_free(q->arena);
    free(q);
}

int
promql_selector(const struct promql *q, const struct matcher **ret, size_t *ret_count,
                struct err *err)
{
    const struct ast *n = q->root;
    if (n->kind != AST_SELECTOR || n->range_ms)
        return err_set(err, ERR_SYNTAX,
                       "1:1: parse error: a series selector is expected, as in up{job=\"x\"}");
    *ret = n->matchers;
    *ret_count = n->matcher_count;
    return 0;
}

enum promql_type
promql_type(const struct promql *q)
{
    return q->root->type;
}
