/* ast: a parsed query, for the parser and the evaluator. Nodes and texts live in the query's arena. */
#ifndef STORE_PROMQL_AST_H
#define STORE_PROMQL_AST_H

#include "base/map.h"
#include "store/promql/promql.h"

enum ast_kind { AST_NUMBER, AST_STRING, AST_SELECTOR, AST_SUBQUERY, AST_CALL, AST_AGGREGATE, AST_BINARY, AST_UNARY, AST_PAREN };

enum ast_op {
    OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_POW, OP_ATAN2,
    OP_EQ, OP_NE, OP_GT, OP_LT, OP_GE, OP_LE,
    OP_AND, OP_OR, OP_UNLESS
};

enum ast_aggregate {
    AGG_SUM, AGG_MIN, AGG_MAX, AGG_AVG, AGG_GROUP, AGG_STDDEV, AGG_STDVAR, AGG_COUNT, AGG_COUNT_VALUES, AGG_BOTTOMK,
    AGG_TOPK, AGG_QUANTILE
};

enum ast_at { AT_NONE, AT_TIME, AT_START, AT_END };

#define AST_ARGS 16
#define AST_MATCHERS 64
#define AST_DEPTH 100

struct ast_names { const char **at; size_t count; };

struct ast {
    enum ast_kind kind;
    enum promql_type type;
    unsigned pos;                       /* offset in the query, for errors */
    double number;
    const char *text;                   /* STRING */
    /* SELECTOR, SUBQUERY */
    struct matcher *matchers; size_t matcher_count;
    const char *name;                   /* metric name, for printing */
    int64_t range_ms, step_ms, offset_ms;
    enum ast_at at; int64_t at_ms;
    /* CALL */
    const struct function *function;
    /* AGGREGATE, BINARY, UNARY */
    enum ast_aggregate aggregate;
    enum ast_op op;
    bool without, returns_bool, on, matching;  /* matching: on() or ignoring() was written */
    int group;                          /* 0 one-to-one, 1 group_left, 2 group_right */
    struct ast_names names, include;
    struct ast *args[AST_ARGS]; size_t arg_count;
};

struct promql {
    struct ast *root;
    struct arena *arena;
    char *text;
};

/* --- evaluation ---------------------------------------------------------------------------------- */

struct series {                         /* one series of a value: a value per step, ABSENT where there is none */
    const struct labels *labels;        /* cut at their count */
    double *v;
};

struct value {
    enum promql_type type;
    struct series *series; size_t count;
    double *scalar;                     /* SCALAR: a value a step */
    const char *string;
    bool sorted;                        /* order means something: sort() */
};

struct eval {
    struct store *store;
    const struct promql_options *o;
    struct arena *arena;
    int64_t from_ms, step_ms; size_t steps;
    int64_t start_ms, end_ms;           /* of the whole query: for @ start() and @ end() */
    int64_t lookback_ms, deadline_us;
    size_t samples, samples_max;
    struct err *err;
    struct series_set *sets; size_t set_count, set_cap; /* kept until the end: labels point into them */
};

#define ABSENT sample_stale()
static inline bool
absent(double v)
{
    return sample_is_stale(v);
}
static inline int64_t
eval_time(const struct eval *e, size_t step)
{
    return e->from_ms + (int64_t)step * e->step_ms;
}

int eval_node(struct eval *e, const struct ast *n, struct value *ret);
/* Values of `n` series at the evaluation's steps, all ABSENT; NULL without memory. */
double *eval_row(struct eval *e);
int eval_fail(struct eval *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The samples of a range selector or subquery, one row a series; window of each step via eval_window. */
struct ranges { struct series_row *rows; size_t count; int64_t range_ms, offset_ms; const struct ast *node; };
int eval_ranges(struct eval *e, const struct ast *n, struct ranges *ret);
int64_t eval_reference(const struct eval *e, const struct ast *n, size_t step); /* time that a selector looks at */

/* Labels without some names, or with only some; copies into the arena. */
struct labels *labels_without(struct eval *e, const struct labels *l, const struct ast_names *names, bool metric_name);
struct labels *labels_with(struct eval *e, const struct labels *l, const struct ast_names *names);
struct labels *labels_set(struct eval *e, const struct labels *l, const char *name, const char *value, size_t len);
bool labels_equal(const struct labels *a, const struct labels *b);

struct window { const struct sample *s; size_t count; int64_t from_ms, to_ms; };

struct function {
    const char *name;
    enum promql_type returns;
    enum promql_type args[6]; size_t arg_min, arg_max;  /* the last type repeats where arg_max exceeds 6 */
    double (*over)(const struct window *w, const double *args); /* range function: a value a window, ABSENT for none */
    double (*map)(double v, const double *args);                /* element-wise */
    int (*special)(struct eval *e, const struct ast *n, struct value *ret);
    bool keeps_name;
};
const struct function *function_find(const char *name, size_t len);
int eval_call(struct eval *e, const struct ast *n, struct value *ret);
int eval_aggregate(struct eval *e, const struct ast *n, struct value *ret);
int eval_binary(struct eval *e, const struct ast *n, struct value *ret);
double op_apply(enum ast_op op, double a, double b);  /* arithmetic; comparisons give 1 or 0 */
double quantile_of(double q, double *v, size_t n);    /* sorts v */

/* Where series with equal labels meet: index of the series, added when new. */
struct gather { struct eval *e; struct map *index; struct series *series; size_t count, cap; };
int gather_init(struct gather *g, struct eval *e);
void gather_done(struct gather *g);
struct series *gather_series(struct gather *g, const struct labels *l); /* NULL without memory */

#endif
