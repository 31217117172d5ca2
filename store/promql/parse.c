/* parse: PromQL text to a tree: a hand-written lexer and precedence climbing, with Prometheus' error sentences.
 *
 * Grammar: prometheus/promql/parser/generated_parser.y of 2.42 ("Querying basics" and "Operators" in the manual). */
#include "store/promql/ast.h"

#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARSE_TEXT_MAX 65536

enum token_kind { T_END, T_IDENT, T_NUMBER, T_DURATION, T_STRING, T_PUNCT };

struct token {
    enum token_kind kind;
    const char *p;
    size_t len;
    double number;
    int64_t duration_ms;
    const char *text;                   /* STRING: unescaped */
    size_t text_len;
};

struct parser {
    const char *text, *p, *end;
    struct token t;                     /* present token */
    struct promql *q;
    struct err *err;
    unsigned depth;
};

static int
parse_fail(struct parser *ps, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
parse_fail(struct parser *ps, const char *at, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    unsigned line = 1, column = 1;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    for (const char *c = ps->text; c < at && c < ps->end; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    if (ps->err && ps->err->code)
        return ERR_SYNTAX;              /* the first error is the one to show */
    err_set(ps->err, ERR_SYNTAX, "%u:%u: parse error: %s", line, column, what);
    if (ps->err) {
        ps->err->line = line;
        ps->err->column = column;
    }
    return ERR_SYNTAX;
}

/* --- lexer ---------------------------------------------------------------------------------------- */

static bool
lex_ident_char(char c, bool first)
{
    return isalpha((unsigned char)c) || c == '_' || c == ':' || (!first && isdigit((unsigned char)c));
}

static void
lex_space(struct parser *ps)
{
    for (;;) {
        while (ps->p < ps->end && isspace((unsigned char)*ps->p))
            ps->p++;
        if (ps->p >= ps->end || *ps->p != '#')
            return;
        while (ps->p < ps->end && *ps->p != '\n')
            ps->p++;
    }
}

static size_t
lex_utf8(unsigned long c, char out[4])
{
    if (c < 0x80)
        return out[0] = (char)c, (size_t)1;
    if (c < 0x800)
        return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), (size_t)2;
    if (c < 0x10000)
        return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63)), (size_t)3;
    out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63)), out[2] = (char)(0x80 | (c >> 6 & 63));
    return out[3] = (char)(0x80 | (c & 63)), (size_t)4;
}

/* One escape behind the backslash; bytes written, or 0 when ill-formed. */
static size_t
lex_escape(const char **p, const char *end, char out[4])
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    const char *at = *p < end ? strchr(from, **p) : NULL;
    if (at && *at) {
        out[0] = to[at - from];
        (*p)++;
        return 1;
    }
    size_t digits = *p >= end ? 0 : **p == 'x' ? 2 : **p == 'u' ? 4 : **p == 'U' ? 8 : **p >= '0' && **p <= '7' ? 3 : 0;
    unsigned base = digits == 3 ? 8 : 16;
    char text[9] = "", *stop;
    if (digits != 3)
        (*p)++;
    if (!digits || (size_t)(end - *p) < digits)
        return 0;
    memcpy(text, *p, digits);
    unsigned long v = strtoul(text, &stop, (int)base);
    if (*stop || v > 0x10ffff)
        return 0;
    *p += digits;
    if (digits > 3)
        return lex_utf8(v, out);
    out[0] = (char)v;
    return v < 256;
}

static int
lex_string(struct parser *ps)
{
    char quote = *ps->p;
    const char *start = ps->p++;
    char *out = arena_alloc(ps->q->arena, (size_t)(ps->end - ps->p) + 4);
    size_t n = 0;
    if (!out)
        return parse_fail(ps, start, "out of memory");
    while (ps->p < ps->end && *ps->p != quote) {
        if (*ps->p == '\n' && quote != '`')
            return parse_fail(ps, start, "unterminated quoted string");
        if (*ps->p == '\\' && quote != '`') {
            ps->p++;
            size_t k = lex_escape(&ps->p, ps->end, out + n);
            if (!k)
                return parse_fail(ps, start, "unknown escape sequence");
            n += k;
        } else {
            out[n++] = *ps->p++;
        }
    }
    if (ps->p >= ps->end)
        return parse_fail(ps, start, "unterminated %s", quote == '`' ? "raw string" : "quoted string");
    ps->p++;
    ps->t = (struct token){.kind = T_STRING, .p = start, .len = (size_t)(ps->p - start), .text = out, .text_len = n};
    return 0;
}

/* A number or a duration: "5m", "1h30m" are durations, "5", "0x1f", "1e3", ".5" numbers. */
static int
lex_number(struct parser *ps)
{
    const char *start = ps->p, *p = ps->p;
    char text[64], *stop;
    while (p < ps->end && (isalnum((unsigned char)*p) || *p == '.' || ((*p == '+' || *p == '-') && (p[-1] == 'e' || p[-1] == 'E') && strncasecmp(start, "0x", 2))))
        p++;
    size_t n = (size_t)(p - start);
    if (n >= sizeof text)
        return parse_fail(ps, start, "bad number or duration syntax: \"%.20s...\"", start);
    memcpy(text, start, n);
    text[n] = 0;
    ps->p = p;
    ps->t = (struct token){.kind = T_NUMBER, .p = start, .len = n};
    ps->t.number = strtod(text, &stop);
    if (!*stop)
        return 0;
    if (strpbrk(text, "smhdwy") && isdigit((unsigned char)*text) && !duration_parse(text, &ps->t.duration_ms) && !isdigit((unsigned char)text[n - 1]) && !strpbrk(text, ".")) {
        ps->t.kind = T_DURATION;
        return 0;
    }
    return parse_fail(ps, start, "bad number or duration syntax: \"%s\"", text);
}

static int
lex_next(struct parser *ps)
{
    static const char *const two[] = {"==", "!=", ">=", "<=", "=~", "!~"};
    lex_space(ps);
    ps->t = (struct token){.kind = T_END, .p = ps->p};
    if (ps->p >= ps->end)
        return 0;
    char c = *ps->p;
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(ps);
    if (isdigit((unsigned char)c) || (c == '.' && ps->p + 1 < ps->end && isdigit((unsigned char)ps->p[1])))
        return lex_number(ps);
    const char *start = ps->p;
    if (lex_ident_char(c, true)) {
        while (ps->p < ps->end && lex_ident_char(*ps->p, false))
            ps->p++;
        ps->t = (struct token){.kind = T_IDENT, .p = start, .len = (size_t)(ps->p - start)};
        return 0;
    }
    size_t n = 1;
    for (size_t i = 0; i < 6; i++)
        if (ps->p + 1 < ps->end && !strncmp(ps->p, two[i], 2))
            n = 2;
    if (n == 1 && !strchr("(){}[],+-*/%^=<>@:!", c))
        return parse_fail(ps, start, "unexpected character: '%c'", c);
    ps->p += n;
    ps->t = (struct token){.kind = T_PUNCT, .p = start, .len = n};
    return 0;
}

static bool
is_punct(const struct parser *ps, const char *s)
{
    return ps->t.kind == T_PUNCT && ps->t.len == strlen(s) && !strncmp(ps->t.p, s, ps->t.len);
}

static bool
is_word(const struct parser *ps, const char *s)
{
    return ps->t.kind == T_IDENT && ps->t.len == strlen(s) && !strncasecmp(ps->t.p, s, ps->t.len);
}

static int
parse_unexpected(struct parser *ps, const char *where)
{
    if (ps->t.kind == T_END)
        return parse_fail(ps, ps->t.p, "unexpected end of input%s%s", *where ? " in " : "", where);
    return parse_fail(ps, ps->t.p, "unexpected %s%.*s%s%s%s", ps->t.kind == T_IDENT ? "identifier \"" : ps->t.kind == T_STRING ? "string " : ps->t.kind == T_NUMBER ? "number \"" : ps->t.kind == T_DURATION ? "duration \"" : "\"",
                      (int)(ps->t.len > 40 ? 40 : ps->t.len), ps->t.p, ps->t.kind == T_STRING ? "" : "\"", *where ? " in " : "", where);
}

static int
expect(struct parser *ps, const char *punct, const char *where)
{
    if (!is_punct(ps, punct))
        return parse_unexpected(ps, where);
    return lex_next(ps);
}

/* --- tree ------------------------------------------------------------------------------------------- */

static int parse_binary(struct parser *ps, int least, struct ast **ret);

static struct ast *
node_new(struct parser *ps, enum ast_kind kind, enum promql_type type, const char *at)
{
    struct ast *n = arena_alloc(ps->q->arena, sizeof *n);
    if (!n) {
        parse_fail(ps, at, "the query is too large");
        return NULL;
    }
    n->kind = kind;
    n->type = type;
    n->pos = (unsigned)(at - ps->text);
    return n;
}

static const char *
type_name(enum promql_type t)
{
    static const char *const names[] = {"scalar", "instant vector", "range vector", "string"};
    return names[t];
}

/* ( a, b, c ) of on, by, group_left ... */
static int
parse_names(struct parser *ps, struct ast_names *out)
{
    size_t cap = 0;
    int rc = expect(ps, "(", "grouping opts");
    while (!rc && !is_punct(ps, ")")) {
        if (ps->t.kind != T_IDENT || memchr(ps->t.p, ':', ps->t.len))
            return parse_unexpected(ps, "grouping opts");
        if (out->count == cap) {
            const char **p = arena_alloc(ps->q->arena, (cap = cap ? cap * 2 : 4) * sizeof *p);
            if (!p)
                return parse_fail(ps, ps->t.p, "the query is too large");
            if (out->count)
                memcpy(p, out->at, out->count * sizeof *p);
            out->at = p;
        }
        out->at[out->count++] = arena_str(ps->q->arena, ps->t.p, ps->t.len);
        rc = lex_next(ps);
        if (!rc && is_punct(ps, ","))
            rc = lex_next(ps);
        else if (!rc && !is_punct(ps, ")"))
            return parse_unexpected(ps, "grouping opts");
    }
    return rc ? rc : lex_next(ps);
}

static int
parse_matcher(struct parser *ps, struct ast *n)
{
    static const struct { const char *text; enum match_op op; } ops[] = {{"=", MATCH_EQ}, {"!=", MATCH_NE}, {"=~", MATCH_RE}, {"!~", MATCH_NRE}};
    struct matcher *m = &n->matchers[n->matcher_count];
    if (ps->t.kind != T_IDENT || memchr(ps->t.p, ':', ps->t.len))
        return parse_unexpected(ps, "label matching, expected identifier or \"}\"");
    if (n->matcher_count == AST_MATCHERS)
        return parse_fail(ps, ps->t.p, "too many label matchers");
    m->name = arena_str(ps->q->arena, ps->t.p, ps->t.len);
    if (lex_next(ps))
        return ERR_SYNTAX;
    size_t i = 0;
    while (i < 4 && !is_punct(ps, ops[i].text))
        i++;
    if (i == 4)
        return parse_unexpected(ps, "label matching, expected label matching operator");
    m->op = ops[i].op;
    if (lex_next(ps))
        return ERR_SYNTAX;
    if (ps->t.kind != T_STRING)
        return parse_unexpected(ps, "label matching, expected string");
    m->value = ps->t.text;
    n->matcher_count++;
    return lex_next(ps);
}

static int
parse_matchers(struct parser *ps, struct ast *n)
{
    int rc = lex_next(ps);
    while (!rc && !is_punct(ps, "}")) {
        rc = parse_matcher(ps, n);
        if (!rc && is_punct(ps, ","))
            rc = lex_next(ps);
        else if (!rc && !is_punct(ps, "}"))
            return parse_unexpected(ps, "label matching, expected \",\" or \"}\"");
    }
    return rc ? rc : lex_next(ps);
}

static bool
matcher_empty(const struct matcher *m)
{
    return (m->op == MATCH_EQ && !*m->value) || (m->op == MATCH_NE && *m->value) ||
           (m->op == MATCH_RE && (!*m->value || !strcmp(m->value, ".*"))) || (m->op == MATCH_NRE && strcmp(m->value, ".+") && strcmp(m->value, ""));
}

static int
parse_selector(struct parser *ps, const char *name, size_t name_len, const char *at, struct ast **ret)
{
    struct ast *n = node_new(ps, AST_SELECTOR, PROMQL_VECTOR, at);
    bool all_empty = true;
    if (!n || !(n->matchers = arena_alloc(ps->q->arena, (AST_MATCHERS + 1) * sizeof *n->matchers)))
        return ERR_NOMEM;
    if (name) {
        n->name = arena_str(ps->q->arena, name, name_len);
        n->matchers[n->matcher_count++] = (struct matcher){MATCH_EQ, "__name__", n->name};
    }
    if (is_punct(ps, "{") && parse_matchers(ps, n))
        return ERR_SYNTAX;
    for (size_t i = name ? 1 : 0; i < n->matcher_count; i++)
        if (name && !strcmp(n->matchers[i].name, "__name__"))
            return parse_fail(ps, at, "metric name must not be set twice: \"%s\" or \"%s\"", n->name, n->matchers[i].value);
    for (size_t i = 0; i < n->matcher_count; i++)
        all_empty &= matcher_empty(&n->matchers[i]);
    if (all_empty)
        return parse_fail(ps, at, "vector selector must contain at least one non-empty matcher");
    *ret = n;
    return 0;
}

static int
parse_duration(struct parser *ps, int64_t *ret, bool zero_ok)
{
    if (ps->t.kind != T_DURATION)
        return parse_unexpected(ps, "duration");
    if (!ps->t.duration_ms && !zero_ok)
        return parse_fail(ps, ps->t.p, "duration must be greater than 0");
    *ret = ps->t.duration_ms;
    return lex_next(ps);
}

/* [5m] makes a range selector, [1h:5m] a subquery */
static int
parse_range(struct parser *ps, struct ast **n)
{
    const char *at = ps->t.p;
    int64_t range = 0, step = 0;
    bool sub = false;
    if (lex_next(ps) || parse_duration(ps, &range, false))
        return ERR_SYNTAX;
    if (is_punct(ps, ":")) {
        sub = true;
        if (lex_next(ps) || (!is_punct(ps, "]") && parse_duration(ps, &step, false)))
            return ERR_SYNTAX;
    }
    if (expect(ps, "]", "subquery or range"))
        return ERR_SYNTAX;
    if (!sub) {
        if ((*n)->kind != AST_SELECTOR || (*n)->range_ms)
            return parse_fail(ps, at, "ranges only allowed for vector selectors");
        if ((*n)->offset_ms || (*n)->at)
            return parse_fail(ps, at, "no offset modifiers allowed before range");
        (*n)->range_ms = range;
        (*n)->type = PROMQL_MATRIX;
        return 0;
    }
    if ((*n)->type != PROMQL_VECTOR && (*n)->type != PROMQL_SCALAR)
        return parse_fail(ps, at, "subquery is only allowed on instant vector, got %s instead", type_name((*n)->type));
    struct ast *s = node_new(ps, AST_SUBQUERY, PROMQL_MATRIX, at);
    if (!s)
        return ERR_NOMEM;
    s->range_ms = range;
    s->step_ms = step;
    s->args[s->arg_count++] = *n;
    *n = s;
    return 0;
}

static int
parse_offset(struct parser *ps, struct ast *n)
{
    int sign = 1;
    if (n->kind != AST_SELECTOR && n->kind != AST_SUBQUERY)
        return parse_fail(ps, ps->t.p, "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (n->offset_ms)
        return parse_fail(ps, ps->t.p, "offset may not be set multiple times");
    if (lex_next(ps))
        return ERR_SYNTAX;
    if (is_punct(ps, "-") || is_punct(ps, "+")) {
        sign = is_punct(ps, "-") ? -1 : 1;
        if (lex_next(ps))
            return ERR_SYNTAX;
    }
    int rc = parse_duration(ps, &n->offset_ms, true);
    n->offset_ms *= sign;
    return rc;
}

static int
parse_at(struct parser *ps, struct ast *n)
{
    if (n->kind != AST_SELECTOR && n->kind != AST_SUBQUERY)
        return parse_fail(ps, ps->t.p, "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (n->at)
        return parse_fail(ps, ps->t.p, "@ <timestamp> may not be set multiple times");
    if (lex_next(ps))
        return ERR_SYNTAX;
    if (is_word(ps, "start") || is_word(ps, "end")) {
        n->at = is_word(ps, "start") ? AT_START : AT_END;
        return lex_next(ps) || expect(ps, "(", "@ modifier") || expect(ps, ")", "@ modifier") ? ERR_SYNTAX : 0;
    }
    double sign = 1;
    if (is_punct(ps, "-") || is_punct(ps, "+")) {
        sign = is_punct(ps, "-") ? -1 : 1;
        if (lex_next(ps))
            return ERR_SYNTAX;
    }
    if (ps->t.kind != T_NUMBER || fabs(ps->t.number) > 9e15)
        return parse_unexpected(ps, "@ modifier");
    n->at = AT_TIME;
    n->at_ms = (int64_t)llround(sign * ps->t.number * 1000);
    return lex_next(ps);
}

static int
parse_postfix(struct parser *ps, struct ast **n)
{
    for (;;) {
        int rc;
        if (is_punct(ps, "["))
            rc = parse_range(ps, n);
        else if (is_word(ps, "offset"))
            rc = parse_offset(ps, *n);
        else if (is_punct(ps, "@"))
            rc = parse_at(ps, *n);
        else
            return 0;
        if (rc)
            return rc;
    }
}

/* --- calls and aggregations --------------------------------------------------------------------------- */

static int
parse_args(struct parser *ps, struct ast *n, const char *where)
{
    int rc = expect(ps, "(", where);
    while (!rc && !is_punct(ps, ")")) {
        if (n->arg_count == AST_ARGS)
            return parse_fail(ps, ps->t.p, "too many arguments");
        rc = parse_binary(ps, 0, &n->args[n->arg_count++]);
        if (!rc && is_punct(ps, ",")) {
            rc = lex_next(ps);
            if (!rc && is_punct(ps, ")"))
                return parse_fail(ps, ps->t.p, "trailing commas not allowed in function call args");
        } else if (!rc && !is_punct(ps, ")")) {
            return parse_unexpected(ps, where);
        }
    }
    return rc ? rc : lex_next(ps);
}

static int
parse_call(struct parser *ps, const struct function *f, const char *at, struct ast **ret)
{
    struct ast *n = node_new(ps, AST_CALL, f->returns, at);
    if (!n)
        return ERR_NOMEM;
    n->function = f;
    if (parse_args(ps, n, "function call"))
        return ERR_SYNTAX;
    if (f->arg_min == f->arg_max && n->arg_count != f->arg_min)
        return parse_fail(ps, at, "expected %zu argument(s) in call to \"%s\", got %zu", f->arg_min, f->name, n->arg_count);
    if (n->arg_count < f->arg_min)
        return parse_fail(ps, at, "expected at least %zu argument(s) in call to \"%s\", got %zu", f->arg_min, f->name, n->arg_count);
    if (n->arg_count > f->arg_max)
        return parse_fail(ps, at, "expected at most %zu argument(s) in call to \"%s\", got %zu", f->arg_max, f->name, n->arg_count);
    for (size_t i = 0; i < n->arg_count; i++) {
        enum promql_type want = f->args[i < 6 ? i : 5];
        if (n->args[i]->type != want)
            return parse_fail(ps, ps->text + n->args[i]->pos, "expected type %s in call to function \"%s\", got %s", type_name(want), f->name, type_name(n->args[i]->type));
    }
    *ret = n;
    return 0;
}

static const char *const aggregate_names[] = {"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile"};

static int
aggregate_find(const struct token *t)
{
    for (int i = 0; i <= AGG_QUANTILE; i++)
        if (t->len == strlen(aggregate_names[i]) && !strncasecmp(t->p, aggregate_names[i], t->len))
            return i;
    return -1;
}

static int
parse_grouping(struct parser *ps, struct ast *n)
{
    if (!is_word(ps, "by") && !is_word(ps, "without"))
        return 0;
    n->without = is_word(ps, "without");
    n->matching = true;
    return lex_next(ps) ? ERR_SYNTAX : parse_names(ps, &n->names);
}

static int
parse_aggregate(struct parser *ps, enum ast_aggregate a, const char *at, struct ast **ret)
{
    struct ast *n = node_new(ps, AST_AGGREGATE, PROMQL_VECTOR, at);
    if (!n)
        return ERR_NOMEM;
    n->aggregate = a;
    if (parse_grouping(ps, n) || parse_args(ps, n, "aggregation") || (!n->matching && parse_grouping(ps, n)))
        return ERR_SYNTAX;
    size_t want = a >= AGG_COUNT_VALUES ? 2 : 1;
    if (n->arg_count != want)
        return parse_fail(ps, at, "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", want, n->arg_count);
    if (n->args[want - 1]->type != PROMQL_VECTOR)
        return parse_fail(ps, ps->text + n->args[want - 1]->pos, "expected type instant vector in aggregation expression, got %s", type_name(n->args[want - 1]->type));
    enum promql_type param = a == AGG_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR;
    if (want == 2 && n->args[0]->type != param)
        return parse_fail(ps, ps->text + n->args[0]->pos, "expected type %s in aggregation parameter, got %s", type_name(param), type_name(n->args[0]->type));
    *ret = n;
    return 0;
}

/* --- primary -------------------------------------------------------------------------------------------- */

static int
parse_ident(struct parser *ps, struct ast **ret)
{
    struct token t = ps->t;
    int a = aggregate_find(&t);
    if (lex_next(ps))
        return ERR_SYNTAX;
    if (a >= 0 && (is_punct(ps, "(") || is_word(ps, "by") || is_word(ps, "without")))
        return parse_aggregate(ps, (enum ast_aggregate)a, t.p, ret);
    if (is_punct(ps, "(")) {
        const struct function *f = function_find(t.p, t.len);
        if (!f)
            return parse_fail(ps, t.p, "unknown function with name \"%.*s\"", (int)t.len, t.p);
        return parse_call(ps, f, t.p, ret);
    }
    bool inf = t.len == 3 && !strncasecmp(t.p, "inf", 3);
    if (inf || (t.len == 3 && !strncasecmp(t.p, "nan", 3))) {
        struct ast *n = node_new(ps, AST_NUMBER, PROMQL_SCALAR, t.p);
        if (!n)
            return ERR_NOMEM;
        n->number = inf ? INFINITY : NAN;
        *ret = n;
        return 0;
    }
    return parse_selector(ps, t.p, t.len, t.p, ret);
}

static int
parse_paren(struct parser *ps, struct ast **ret)
{
    const char *at = ps->t.p;
    struct ast *inner, *n;
    if (lex_next(ps) || parse_binary(ps, 0, &inner) || expect(ps, ")", "paren expression"))
        return ERR_SYNTAX;
    if (!(n = node_new(ps, AST_PAREN, inner->type, at)))
        return ERR_NOMEM;
    n->args[n->arg_count++] = inner;
    *ret = n;
    return 0;
}

static int
parse_primary(struct parser *ps, struct ast **ret)
{
    struct ast *n = NULL;
    const char *at = ps->t.p;
    int rc;
    if (ps->t.kind == T_NUMBER || ps->t.kind == T_STRING) {
        bool number = ps->t.kind == T_NUMBER;
        if (!(n = node_new(ps, number ? AST_NUMBER : AST_STRING, number ? PROMQL_SCALAR : PROMQL_STRING, at)))
            return ERR_NOMEM;
        n->number = ps->t.number;
        n->text = ps->t.text;
        rc = lex_next(ps);
    } else if (ps->t.kind == T_IDENT) {
        rc = parse_ident(ps, &n);
    } else if (is_punct(ps, "{")) {
        rc = parse_selector(ps, NULL, 0, at, &n);
    } else if (is_punct(ps, "(")) {
        rc = parse_paren(ps, &n);
    } else {
        return parse_unexpected(ps, "");
    }
    if (!rc)
        rc = parse_postfix(ps, &n);
    if (!rc)
        *ret = n;
    return rc;
}

#define PREC_UNARY 5                    /* as * and / */

static int
parse_unary(struct parser *ps, struct ast **ret)
{
    if (!is_punct(ps, "-") && !is_punct(ps, "+"))
        return parse_primary(ps, ret);
    struct ast *n = node_new(ps, AST_UNARY, PROMQL_SCALAR, ps->t.p);
    if (!n)
        return ERR_NOMEM;
    n->op = is_punct(ps, "-") ? OP_SUB : OP_ADD;
    if (lex_next(ps) || parse_binary(ps, PREC_UNARY + 1, &n->args[0]))
        return ERR_SYNTAX;
    n->arg_count = 1;
    n->type = n->args[0]->type;
    if (n->type != PROMQL_SCALAR && n->type != PROMQL_VECTOR)
        return parse_fail(ps, ps->text + n->pos, "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"", type_name(n->type));
    *ret = n;
    return 0;
}

/* --- binary operators -------------------------------------------------------------------------------------- */

static const struct { const char *text; enum ast_op op; int precedence; } operators[] = {
    {"or", OP_OR, 1}, {"and", OP_AND, 2}, {"unless", OP_UNLESS, 2}, {"==", OP_EQ, 3}, {"!=", OP_NE, 3}, {"<=", OP_LE, 3},
    {"<", OP_LT, 3}, {">=", OP_GE, 3}, {">", OP_GT, 3}, {"+", OP_ADD, 4}, {"-", OP_SUB, 4}, {"*", OP_MUL, 5}, {"/", OP_DIV, 5},
    {"%", OP_MOD, 5}, {"atan2", OP_ATAN2, 5}, {"^", OP_POW, 6}};

static int
operator_here(const struct parser *ps)
{
    for (int i = 0; i < (int)(sizeof operators / sizeof *operators); i++)
        if (is_punct(ps, operators[i].text) || is_word(ps, operators[i].text))
            return i;
    return -1;
}

static int
parse_modifiers(struct parser *ps, struct ast *n)
{
    bool comparison = n->op >= OP_EQ && n->op <= OP_LE, set = n->op >= OP_AND;
    if (is_word(ps, "bool")) {
        if (!comparison)
            return parse_fail(ps, ps->t.p, "bool modifier can only be used on comparison operators");
        n->returns_bool = true;
        if (lex_next(ps))
            return ERR_SYNTAX;
    }
    if (is_word(ps, "on") || is_word(ps, "ignoring")) {
        n->on = is_word(ps, "on");
        n->matching = true;
        if (lex_next(ps) || parse_names(ps, &n->names))
            return ERR_SYNTAX;
    }
    if (is_word(ps, "group_left") || is_word(ps, "group_right")) {
        if (!n->matching)
            return parse_unexpected(ps, "binary expression");
        if (set)
            return parse_fail(ps, ps->t.p, "no grouping allowed for \"%s\" operation", n->op == OP_AND ? "and" : n->op == OP_OR ? "or" : "unless");
        n->group = is_word(ps, "group_left") ? 1 : 2;
        if (lex_next(ps) || (is_punct(ps, "(") && parse_names(ps, &n->include)))
            return ERR_SYNTAX;
    }
    return 0;
}

static int
check_binary(struct parser *ps, struct ast *n)
{
    const struct ast *a = n->args[0], *b = n->args[1];
    bool comparison = n->op >= OP_EQ && n->op <= OP_LE, set = n->op >= OP_AND;
    for (int i = 0; i < 2; i++)
        if (n->args[i]->type != PROMQL_SCALAR && n->args[i]->type != PROMQL_VECTOR)
            return parse_fail(ps, ps->text + n->args[i]->pos, "binary expression must contain only scalar and instant vector types");
    bool scalars = a->type == PROMQL_SCALAR && b->type == PROMQL_SCALAR;
    if (comparison && scalars && !n->returns_bool)
        return parse_fail(ps, ps->text + n->pos, "comparisons between scalars must use BOOL modifier");
    if (set && (a->type == PROMQL_SCALAR || b->type == PROMQL_SCALAR))
        return parse_fail(ps, ps->text + n->pos, "set operator \"%s\" not allowed in binary scalar expression", n->op == OP_AND ? "and" : n->op == OP_OR ? "or" : "unless");
    if (n->matching && (a->type == PROMQL_SCALAR || b->type == PROMQL_SCALAR))
        return parse_fail(ps, ps->text + n->pos, "vector matching only allowed between instant vectors");
    for (size_t i = 0; n->on && i < n->include.count; i++)
        for (size_t k = 0; k < n->names.count; k++)
            if (!strcmp(n->include.at[i], n->names.at[k]))
                return parse_fail(ps, ps->text + n->pos, "label \"%s\" must not occur in ON and GROUP clause at once", n->names.at[k]);
    n->type = scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
    return 0;
}

static int
parse_binary(struct parser *ps, int least, struct ast **ret)
{
    struct ast *left = NULL;
    int i;
    if (++ps->depth > AST_DEPTH)
        return parse_fail(ps, ps->t.p, "the query is nested too deeply");
    if (parse_unary(ps, &left))
        return ERR_SYNTAX;
    while ((i = operator_here(ps)) >= 0 && operators[i].precedence >= least) {
        struct ast *n = node_new(ps, AST_BINARY, PROMQL_VECTOR, left ? ps->text + left->pos : ps->t.p);
        if (!n)
            return ERR_NOMEM;
        n->op = operators[i].op;
        n->args[0] = left;
        n->arg_count = 2;
        int next = operators[i].precedence + (n->op == OP_POW ? 0 : 1);
        if (lex_next(ps) || parse_modifiers(ps, n) || parse_binary(ps, next, &n->args[1]) || check_binary(ps, n))
            return ERR_SYNTAX;
        left = n;
    }
    ps->depth--;
    *ret = left;
    return 0;
}

int
promql_parse(const char *text, struct promql **ret, struct err *err)
{
    struct promql *q = calloc(1, sizeof *q);
    size_t len = strlen(text);
    if (err)
        err->code = 0;
    if (len > PARSE_TEXT_MAX) {
        free(q);
        return err_set(err, ERR_LIMIT, "the query is longer than %d bytes", PARSE_TEXT_MAX);
    }
    if (!q || !(q->arena = arena_new((size_t)64 << 20)) || !(q->text = arena_str(q->arena, text, len))) {
        promql_free(q);
        return err_set(err, ERR_NOMEM, "no memory for the query");
    }
    struct parser ps = {.text = q->text, .p = q->text, .end = q->text + len, .q = q, .err = err};
    int rc = lex_next(&ps);
    if (!rc && ps.t.kind == T_END)
        rc = parse_fail(&ps, ps.p, "no expression found in input");
    if (!rc)
        rc = parse_binary(&ps, 0, &q->root);
    if (!rc && ps.t.kind != T_END)
        rc = parse_unexpected(&ps, "");
    if (rc) {
        promql_free(q);
        if (err && !err->code)
            err_set(err, rc, "the query cannot be parsed");
        return rc;
    }
    *ret = q;
    return 0;
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
promql_selector(const struct promql *q, const struct matcher **ret, size_t *ret_count, struct err *err)
{
    const struct ast *n = q->root;
    if (n->kind != AST_SELECTOR || n->range_ms)
        return err_set(err, ERR_SYNTAX, "1:1: parse error: a series selector is expected, as in up{job=\"x\"}");
    *ret = n->matchers;
    *ret_count = n->matcher_count;
    return 0;
}

enum promql_type
promql_type(const struct promql *q)
{
    return q->root->type;
}
