/* eval: how a tree becomes values. Every node gives all its steps at once: series in rows, a double
 * a step, ABSENT (the bits of the stale marker, which no arithmetic makes) where there is none. A
 * node owns the rows it was given by its children. */
#ifndef STORE_PROMQL_EVAL_H
#define STORE_PROMQL_EVAL_H

#include "store/promql/ast.h"
#include "store/slabs.h"

#include <string.h>

struct series {
    const struct labels *labels; /* cut at their count */
    double *v;
    bool nameless; /* __name__ does not count although labels may hold it */
};

struct value {
    enum promql_type type;
    struct series *series;
    size_t count;
    double *scalar; /* SCALAR: a value a step */
    const char *string;
    bool sorted;   /* order means something: sort(), topk() */
    bool one_name; /* dropping the names cannot make two series equal */
};

struct run { /* one query */
    struct store *store;
    const struct promql_options *o;
    struct arena *arena;
    int64_t start_ms, end_ms; /* for @ start() and @ end() */
    int64_t lookback_ms, deadline_us;
    size_t samples, samples_max;
    struct err *err;
    struct series_set *sets;
    size_t set_count;    /* kept until the end: labels point into them */
    struct slabs labels; /* of what was scanned */
};

struct eval { /* one walk over steps: the query's own, a subquery's, a constant's */
    struct run *run;
    int64_t from_ms, step_ms;
    size_t steps;
    int64_t read_to_ms; /* within a subquery with @: nothing behind it is read; 0: no end */
};

#define ABSENT      sample_stale()
#define ABSENT_BITS UINT64_C(0x7ff0000000000002)
static inline bool
absent(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == ABSENT_BITS;
}
static inline int64_t
eval_time(const struct eval *e, size_t step)
{
    return e->from_ms + (int64_t)step * e->step_ms;
}

int eval_node(struct eval *e, const struct ast *n, struct value *ret);
int eval_fail(struct eval *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int eval_tick(struct eval *e, size_t samples);           /* counts samples; time */
void *eval_alloc(struct eval *e, size_t n, size_t size); /* zeroed; NULL with the error set */
double *eval_row(struct eval *e, bool fill);             /* a value a step, ABSENT when filled */
/* Drops the metric names. Series that become equal are merged; two values at one step are an error,
 * with `strict` two series are. */
int eval_drop_names(struct eval *e, struct value *v, bool strict);
int eval_merge(struct eval *e, struct value *v, bool strict);
int eval_one(struct eval *e, const struct labels *l, struct value *ret); /* one series, ABSENT */
static inline const struct ast *
ast_bare(const struct ast *n)
{
    while (n->kind == AST_PAREN)
        n = n->args[0];
    return n;
}

/* --- selecting -------------------------------------------------------------------------------- */
struct ranges {
    struct series_row *rows;
    size_t count;
    int64_t range_ms;
    const struct ast *node;
    bool one_name;
};
int select_vector(struct eval *e, const struct ast *n, bool times, struct value *ret);
int select_ranges(struct eval *e, const struct ast *n, struct ranges *ret);
struct scan;
struct function;
struct tier_plan;
/* window_ms 0: an instant selector. *function may become the one that fits what a tier gives. */
int select_scan(struct eval *e, const struct ast *n, int64_t window_ms, int64_t back_ms,
                const struct function **function, struct scan **ret);
/* 1: a tier answers the same. */
int tiered_plan(const struct eval *e, const struct ast *n, int64_t window_ms, int64_t back_ms,
                const struct function **function, struct tier_plan *ret);
/* At each step the newest sample not older than the lookback, or its time; false when there is none
 * at all. */
bool select_steps(const struct eval *e, const struct ast *n, const struct sample *s, size_t count,
                  bool times, double *v);
int64_t select_reference(const struct eval *e, const struct ast *n,
                         size_t step); /* the time that a selector looks at */

/* --- label sets ------------------------------------------------------------------------------- */
/* Which labels of a series count: all, those named, or all but those named; with or without the
 * metric name. */
enum pick_kind { PICK_ALL, PICK_WITH, PICK_WITHOUT };
struct pick {
    enum pick_kind kind;
    bool drop_name;
    const struct ast_names *names;
    struct pick_place {
        const char *name;
        uint32_t len;
        bool keep, is_name;
        uint64_t hash;
    } places[LABELS_MAX]; /* decided once a place */
};
void pick_init(struct pick *p, enum pick_kind kind, const struct ast_names *names, bool drop_name);
uint64_t pick_hash(struct pick *p, const struct series *s);
bool pick_equal(struct pick *p, const struct series *a, const struct series *b);
struct labels *pick_labels(struct eval *e, struct pick *p, const struct series *s, size_t room);

/* Series by what is picked of them: numbers from 0 in order of arrival. */
struct groups {
    struct pick *pick;
    uint32_t *slots;
    size_t mask, count;
    struct group {
        uint64_t hash;
        const struct series *first;
    } * at;
};
int groups_init(struct groups *g, struct eval *e, struct pick *p, size_t max);
void groups_done(struct groups *g);
size_t groups_find(struct groups *g, const struct series *s); /* SIZE_MAX: none */
size_t groups_take(struct groups *g, const struct series *s); /* added when new */

const struct labels *
labels_plain(struct eval *e, const struct series *s); /* without the name where it does not count */
struct labels *labels_set(struct eval *e, const struct labels *l, const char *name,
                          const char *value, size_t len);
int labels_compare(const struct labels *a, const struct labels *b);
void labels_text(const struct labels *l, struct buf *out); /* {__name__="m", a="b"} */

/* --- functions -------------------------------------------------------------------------------- */
struct window {
    const struct sample *s;
    size_t count;
    int64_t from_ms, to_ms, now_ms;
    bool resets;
};
struct function {
    const char *name;
    enum promql_type returns;
    enum promql_type args[6];
    size_t arg_min, arg_max; /* the last type repeats where arg_max exceeds 6 */
    double (*over)(const struct window *w,
                   const double *args); /* range function: a value a window, ABSENT for none */
    double (*math)(double v);           /* element-wise */
    double (*map)(double v, const double *args); /* element-wise, with scalars */
    int (*special)(struct eval *e, const struct ast *n, struct value *ret);
    int (*check)(struct eval *e, const double *args); /* arguments of `over` */
    bool keeps_name, uses_time;
    char slide; /* 'r' resets are counted, 'x' maximum, 'n' minimum, 's' sum, 'a' average */
};
/* --- leaves: series read and cut into steps batch by batch --- */
struct range_job { /* a function over windows of samples */
    const struct function *function;
    const struct ast *node;
    int64_t range_ms;
    const double *const *args;
    size_t arg_count;
};
struct leaf {
    struct eval *e;
    const struct ast *node; /* the selector */
    struct scan *scan;
    struct range_job job; /* function NULL: an instant selector */
    bool times, one_name, nameless;
};
struct leaf_sink {
    int (*series)(void *ctx, const struct series *s); /* of those that have a value */
    int (*batch)(void *ctx);                          /* after each batch; may be NULL */
    bool keeps; /* the rows are the sink's; else they are used again after the batch */
    void *ctx;
};
int leaf_vector(struct eval *e, const struct ast *n, bool times, struct leaf *ret);
int leaf_range(struct eval *e, const struct ast *call, const struct ast *n,
               const double *const *rows, size_t row_count, struct leaf *ret);
const struct ast *leaf_selector(const struct ast *call);
bool leaf_one_name(const struct ast *selector); /* dropping names makes no two series equal */
int leaf_each(struct leaf *l, const struct leaf_sink *sink);
int leaf_value(struct leaf *l, struct value *ret);
void leaf_done(struct leaf *l);
struct range_prefix { /* a sum in two doubles */
    double hi, lo;
};
#define RANGE_ROOM sizeof(struct range_prefix)
/* A row of windows: 1 some have a value, 0 none, negative. room is scratch: RANGE_ROOM bytes for
 * each sample and one more. */
int range_row(struct eval *e, const struct range_job *j, const struct sample *s, size_t n,
              void *room, double *out);
/* Opens n as a leaf whose rows may be folded: 1; 0 when it is something else. */
int eval_leaf(struct eval *e, const struct ast *n, struct leaf *ret);
int fold_value(struct eval *e, const struct ast *n, const struct value *in, struct value *ret);
int fold_leaf(struct eval *e, const struct ast *n, struct leaf *l, struct value *ret);

int eval_call(struct eval *e, const struct ast *n, struct value *ret);
int eval_aggregate(struct eval *e, const struct ast *n, struct value *ret);
int eval_binary(struct eval *e, const struct ast *n, struct value *ret);
int range_call(struct eval *e, const struct ast *n, const double *const *rows, size_t row_count,
               struct value *ret);
double quantile_of(double q, double *v, size_t n); /* sorts v */

typedef double range_function(const struct window *w, const double *a);
range_function range_rate, range_increase, range_delta, range_irate, range_idelta, range_sum,
    range_avg, range_min, range_max, range_count, range_last, range_present, range_stdvar,
    range_stddev, range_quantile, range_changes, range_resets, range_deriv, range_predict,
    range_holt_winters;
int range_holt_winters_check(struct eval *e, const double *a);

typedef int special_function(struct eval *e, const struct ast *n, struct value *ret);
special_function special_absent, special_absent_over_time, special_date, special_histogram_quantile,
    special_label_join, special_label_replace, special_nothing, special_pi, special_scalar,
    special_sort, special_time, special_timestamp, special_vector;

#endif
