/* ast: a parsed query, for the parser and the evaluator. Nodes and texts live in the query's arena.
 */
#ifndef STORE_PROMQL_AST_H
#define STORE_PROMQL_AST_H

#include "base/map.h"
#include "store/promql/promql.h"

struct function;
const struct function *function_find(const char *name, size_t len);

enum ast_kind {
    AST_NUMBER,
    AST_STRING,
    AST_SELECTOR,
    AST_SUBQUERY,
    AST_CALL,
    AST_AGGREGATE,
    AST_BINARY,
    AST_UNARY,
    AST_PAREN
};

enum ast_op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_LT,
    OP_GE,
    OP_LE,
    OP_AND,
    OP_OR,
    OP_UNLESS
};

enum ast_aggregate {
    AGG_SUM,
    AGG_MIN,
    AGG_MAX,
    AGG_AVG,
    AGG_GROUP,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_COUNT,
    AGG_COUNT_VALUES,
    AGG_BOTTOMK,
    AGG_TOPK,
    AGG_QUANTILE
};

enum ast_at { AT_NONE, AT_TIME, AT_START, AT_END };

#define AST_DEPTH 250 /* of nesting; a chain of operators counts too */

struct ast_names {
    const char **at;
    size_t count;
};

struct ast {
    enum ast_kind kind;
    enum promql_type type;
    unsigned pos; /* offset in the query, for errors */
    double number;
    const char *text;
    size_t text_len; /* STRING */
    /* SELECTOR, SUBQUERY */
    struct matcher *matchers;
    size_t matcher_count;
    const char *name; /* metric name, for printing */
    int64_t range_ms, step_ms, offset_ms;
    enum ast_at at;
    int64_t at_ms;
    /* CALL */
    const struct function *function;
    /* AGGREGATE, BINARY, UNARY */
    enum ast_aggregate aggregate;
    enum ast_op op;
    bool without, returns_bool, on, matching; /* matching: on() or ignoring() was written */
    int group;                                /* 0 one-to-one, 1 group_left, 2 group_right */
    struct ast_names names, include;
    struct ast **args;
    size_t arg_count;
    unsigned depth;
    unsigned op_pos; /* BINARY: of the operator */
    bool constant;   /* the same at every step: evaluated once (step invariant, as Prometheus finds
                        it) */
    bool at_bound;   /* @ start() and @ end() hold; they are without effect in an aggregation's
                        parameter */
};

struct promql {
    struct ast *root;
    struct arena *arena;
    char *text;
};

/* Types and arguments of a parsed tree, with Prometheus' sentences and order; marks what is
 * constant. */
struct parse;
int check_tree(struct parse *ps, struct ast *n);
void check_mark(struct ast *root);
int parse_fail(struct parse *ps, unsigned pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An answer that others fill: its memory goes with it. */
int promql_result_new(struct promql_result *r, struct arena **ret_arena);
void promql_result_warn(struct promql_result *r, const char *text); /* copied */
const char *ast_type_name(enum promql_type t);
const char *ast_op_text(enum ast_op op);
const char *ast_aggregate_text(enum ast_aggregate a);
/* NULL, or what Go's regexp would say of a pattern ("missing closing ): `^(?:()$`"); text in out.
 */
const char *parse_regex_fault(const char *pattern, char *out, size_t size);
int value_format(double v, bool json,
                 char out[400]); /* as strconv 'f'; json: 'e' for the very large and small */

#endif
