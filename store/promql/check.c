/* check: what a query that reads well may still do wrong: types and numbers of arguments, matching
 * that makes no sense, patterns that Go's regexp would refuse. The order of checks is Prometheus',
 * since the first fault is the one that is told. */
#include "store/promql/eval.h"

#include "base/regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
ast_type_name(enum promql_type t)
{
    static const char *const names[] = {"scalar", "instant vector", "range vector", "string"};
    return names[t];
}

static int
check_type(struct parse *ps, struct ast *n, enum promql_type want, const char *where)
{
    if (check_tree(ps, n))
        return ERR_SYNTAX;
    if (n->type == want)
        return 0;
    return parse_fail(ps, n->pos, "expected type %s in %s, got %s", ast_type_name(want), where,
                      ast_type_name(n->type));
}

static int
check_aggregate(struct parse *ps, struct ast *n)
{
    if (check_type(ps, n->args[n->arg_count - 1], PROMQL_VECTOR, "aggregation expression"))
        return ERR_SYNTAX;
    if (n->arg_count == 1)
        return 0;
    return check_type(ps, n->args[0],
                      n->aggregate == AGG_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR,
                      "aggregation parameter");
}

static bool
check_operand(const struct ast *n)
{
    return n->type == PROMQL_SCALAR || n->type == PROMQL_VECTOR;
}

/* Modifiers against the operator, at the operator. */
static int
check_operator(struct parse *ps, struct ast *n)
{
    bool comparison = n->op >= OP_EQ && n->op <= OP_LE;
    if (n->returns_bool && !comparison)
        return parse_fail(ps, n->op_pos, "bool modifier can only be used on comparison operators");
    if (comparison && !n->returns_bool && n->args[0]->type == PROMQL_SCALAR &&
        n->args[1]->type == PROMQL_SCALAR)
        return parse_fail(ps, n->op_pos, "comparisons between scalars must use BOOL modifier");
    for (size_t i = 0; n->on && i < n->names.count; i++)
        for (size_t k = 0; k < n->include.count; k++)
            if (!strcmp(n->names.at[i], n->include.at[k]))
                return parse_fail(ps, n->op_pos,
                                  "label \"%s\" must not occur in ON and GROUP clause at once",
                                  n->names.at[i]);
    return 0;
}

static int
check_binary(struct parse *ps, struct ast *n)
{
    struct ast *a = n->args[0], *b = n->args[1];
    bool set = n->op >= OP_AND;
    if (check_tree(ps, a) || check_tree(ps, b) || check_operator(ps, n))
        return ERR_SYNTAX;
    for (size_t i = 0; i < 2; i++)
        if (!check_operand(n->args[i]))
            return parse_fail(
                ps, n->args[i]->pos,
                "binary expression must contain only scalar and instant vector types");
    if (a->type != PROMQL_VECTOR || b->type != PROMQL_VECTOR) {
        if (n->names.count)
            return parse_fail(ps, n->pos, "vector matching only allowed between instant vectors");
        n->on = n->matching = false;
        n->group = 0;
    } else if (set && n->group) {
        return parse_fail(ps, n->pos, "no grouping allowed for \"%s\" operation",
                          ast_op_text(n->op));
    }
    if (set && (a->type == PROMQL_SCALAR || b->type == PROMQL_SCALAR))
        return parse_fail(ps, n->pos, "set operator \"%s\" not allowed in binary scalar expression",
                          ast_op_text(n->op));
    return 0;
}

static int
check_call(struct parse *ps, struct ast *n)
{
    const struct function *f = n->function;
    char where[64];
    if (f->arg_min == f->arg_max && n->arg_count != f->arg_min)
        return parse_fail(ps, n->pos, "expected %zu argument(s) in call to \"%s\", got %zu",
                          f->arg_min, f->name, n->arg_count);
    if (n->arg_count < f->arg_min)
        return parse_fail(ps, n->pos,
                          "expected at least %zu argument(s) in call to \"%s\", got %zu",
                          f->arg_min, f->name, n->arg_count);
    if (n->arg_count > f->arg_max)
        return parse_fail(ps, n->pos, "expected at most %zu argument(s) in call to \"%s\", got %zu",
                          f->arg_max, f->name, n->arg_count);
    snprintf(where, sizeof where, "call to function \"%s\"", f->name);
    for (size_t i = 0; i < n->arg_count; i++)
        if (check_type(ps, n->args[i], f->args[i < 5 ? i : 5], where))
            return ERR_SYNTAX;
    return 0;
}

static int
check_selector(struct parse *ps, struct ast *n)
{
    if (n->name) {
        for (size_t i = 0; i + 1 < n->matcher_count; i++)
            if (!strcmp(n->matchers[i].name, "__name__"))
                return parse_fail(ps, n->pos, "metric name must not be set twice: \"%s\" or \"%s\"",
                                  n->name, n->matchers[i].value);
        return 0;
    }
    for (size_t i = 0; i < n->matcher_count; i++) {
        const struct matcher *m = &n->matchers[i];
        struct regex *re;
        if (m->op < MATCH_RE && (m->op == MATCH_EQ) == (*m->value != 0))
            return 0;
        if (m->op < MATCH_RE ||
            regex_compile(m->value, strlen(m->value), REGEX_ANCHORED, &re, NULL))
            continue;
        bool empty = regex_match(re, "", 0, NULL, NULL) == 1;
        regex_free(re);
        if (empty == (m->op == MATCH_NRE))
            return 0;
    }
    return parse_fail(ps, n->pos, "vector selector must contain at least one non-empty matcher");
}

int
check_tree(struct parse *ps, struct ast *n)
{
    static const char *const raw[] = {"scalar", "vector", "matrix", "string"};
    int rc = 0;
    switch (n->kind) {
    case AST_AGGREGATE:
        return check_aggregate(ps, n);
    case AST_BINARY:
        return check_binary(ps, n);
    case AST_CALL:
        return check_call(ps, n);
    case AST_SELECTOR:
        return check_selector(ps, n);
    case AST_PAREN:
        return check_tree(ps, n->args[0]);
    case AST_UNARY:
        if (!(rc = check_tree(ps, n->args[0])) && !check_operand(n->args[0]))
            rc = parse_fail(ps, n->pos,
                            "unary expression only allowed on expressions of type scalar or "
                            "instant vector, got \"%s\"",
                            ast_type_name(n->args[0]->type));
        return rc;
    case AST_SUBQUERY:
        if (!(rc = check_tree(ps, n->args[0])) && n->args[0]->type != PROMQL_VECTOR)
            rc =
                parse_fail(ps, n->pos, "subquery is only allowed on instant vector, got %s instead",
                           raw[n->args[0]->type]);
        return rc;
    default:
        return 0;
    }
}

/* --- what is the same at every step ----------------------------------------------------------- */

/* Marks children that are constant under a parent that is not; true when n itself is. */
static bool
check_constant(struct ast *n)
{
    bool all = true, is[2];
    switch (n->kind) {
    case AST_NUMBER:
    case AST_STRING:
        return true;
    case AST_SELECTOR:
        n->at_bound = true;
        return n->at != AT_NONE;
    case AST_SUBQUERY:
        n->at_bound = true;
        n->args[0]->constant = check_constant(n->args[0]);
        return n->at != AT_NONE;
    case AST_PAREN:
    case AST_UNARY:
        return check_constant(n->args[0]);
    case AST_AGGREGATE:
        return check_constant(n->args[n->arg_count - 1]);
    case AST_BINARY:
        is[0] = check_constant(n->args[0]);
        is[1] = check_constant(n->args[1]);
        if (is[0] && is[1])
            return true;
        n->args[0]->constant = is[0];
        n->args[1]->constant = is[1];
        return false;
    case AST_CALL:
        for (size_t i = 0; i < n->arg_count; i++)
            all &= n->args[i]->constant = check_constant(n->args[i]);
        all &= !n->function->uses_time;
        for (size_t i = 0; all && i < n->arg_count; i++)
            n->args[i]->constant = false;
        return all;
    }
    return false;
}

void
check_mark(struct ast *root)
{
    root->constant = check_constant(root);
}

/* --- patterns --------------------------------------------------------------------------------- */

#define CHECK_WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* Escapes that Go knows; \C and look-around are not among them. */
static bool
check_escape_known(const char *p)
{
    if (!*p || (unsigned char)*p >= 128 || strchr("AbBdDsSwWzpPQExafnrtv0", *p))
        return *p != 0;
    return !((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '1' && *p <= '9'));
}

/* The syntax that PCRE would take and Go would not, at p; NULL when there is none here. Lengths as
 * Go cites them. */
static const char *
check_foreign(const char *p, size_t *ret_len)
{
    if (*p == '\\' && p[1] && !check_escape_known(p + 1)) {
        *ret_len = 2;
        return "invalid escape sequence";
    }
    if (!strncmp(p, "(?P<", 4) && (p[4 + strspn(p + 4, CHECK_WORD)] != '>' || p[4] == '>')) {
        const char *end = strchr(p, '>');
        *ret_len = end ? (size_t)(end - p) + 1 : strlen(p);
        return end ? "invalid named capture" : "invalid named capture!";
    }
    if (*p == '{' && p[1] >= '0' && p[1] <= '9') {
        char *end;
        unsigned long low = strtoul(p + 1, &end, 10), high = *end == ',' && end[1] != '}'
                                                                 ? strtoul(end + 1, &end, 10)
                                                                 : (end += *end == ',', low);
        if (*end == '}' && (low > 1000 || high > 1000 || low > high)) {
            *ret_len = (size_t)(end - p) + 1;
            return "invalid repeat count";
        }
    }
    if (p[0] == '(' && p[1] == '?' && p[2] != ':' && strncmp(p, "(?P<", 4)) {
        size_t n = 2 + strspn(p + 2, "imsU-");
        if (n > 2 && (p[n] == ')' || p[n] == ':'))
            return NULL;
        *ret_len = p[n] ? n + 1 : n;
        return p[n] ? "invalid or unsupported Perl syntax"
                    : "missing argument to repetition operator";
    }
    if (strchr("*+?", p[0]) &&
        (p[1] == '*' || p[1] == '+' || (p[1] == '?' && p[2] && strchr("*+?", p[2])))) {
        *ret_len = p[1] == '?' ? 3 : 2;
        return "invalid nested repetition operator";
    }
    return NULL;
}

/* A range of a character class whose ends stand the wrong way round; its length, 0: none. `n` bytes
 * from "[" to "]". */
static size_t
check_class_range(const char *p, size_t n, const char **ret_at)
{
    for (size_t i = 1; i + 3 < n; i++) {
        if (p[i] == '\\' || p[i] == '[') {
            i++;
        } else if (p[i + 1] == '-' && p[i + 2] != '\\' && p[i + 2] != '[' && i + 2 < n - 1) {
            *ret_at = p + i;
            if ((unsigned char)p[i] > (unsigned char)p[i + 2] && (unsigned char)p[i] < 128)
                return 3;
            i += 2;
        }
    }
    return 0;
}

static size_t
check_class_end(const char *p)
{
    size_t n = 1 + (p[1] == '^');
    n += p[n] == ']';
    while (p[n] && p[n] != ']')
        n += p[n] == '\\' && p[n + 1] ? 2
             : p[n] == '[' && p[n + 1] == ':' && strstr(p + n, ":]")
                 ? (size_t)(strstr(p + n, ":]") - (p + n)) + 2
                 : 1;
    return p[n] ? n + 1 : 0;
}

static int
check_say(char *out, size_t size, const char *what, const char *p, size_t len)
{
    return snprintf(out, size, "%s: `%.*s`", what, (int)(len > 200 ? 200 : len), p);
}

const char *
parse_regex_fault(const char *pattern, char *out, size_t size)
{
    struct regex *re;
    struct err err;
    int depth = 0;
    bool nothing = true; /* nothing to repeat yet */
    for (const char *p = pattern; *p; p++) {
        size_t len = 0;
        const char *what = nothing && strchr("*+?", *p)
                               ? (len = 1, "missing argument to repetition operator")
                               : check_foreign(p, &len);
        if (what && strchr(what, '!'))
            return snprintf(out, size, "invalid named capture: `%s)$`", p), out;
        if (what)
            return check_say(out, size, what, p, len), out;
        if (*p == '[') {
            size_t n = check_class_end(p);
            const char *at;
            if (!n)
                return snprintf(out, size, "missing closing ]: `%s)$`", p), out;
            if ((len = check_class_range(p, n, &at)))
                return check_say(out, size, "invalid character class range", at, len), out;
            p += n - 1;
        } else if (*p == '\\') {
            if (!*++p)
                return snprintf(out, size, "missing closing ): `^(?:%s)$`", pattern), out;
        } else if (*p == '(') {
            depth++;
        } else if (*p == ')' && --depth < 0) {
            return snprintf(out, size, "unexpected ): `^(?:%s)$`", pattern), out;
        }
        nothing = *p == '(' || *p == '|';
        if (*p == '(' && p[1] == '?')
            p += 1;
    }
    if (depth)
        return snprintf(out, size, "missing closing ): `^(?:%s)$`", pattern), out;
    if (!regex_compile(pattern, strlen(pattern), REGEX_ANCHORED, &re, &err)) {
        regex_free(re);
        return NULL;
    }
    return snprintf(out, size, "%s: `%s`", err.text, pattern), out;
}
