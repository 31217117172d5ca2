/* function: the table of functions, those of one value at a time, and calls. Functions of a range
 * are in range.c; those that need labels, whole vectors or the time in special.c. */
#include "store/promql/eval.h"

#include <math.h>

#define ARGS_MAX 4 /* scalar arguments of a function of values */

/* --- element-wise ----------------------------------------------------------------------------- */

static double
map_deg(double v)
{
    return v * 180 / M_PI;
}

static double
map_rad(double v)
{
    return v * M_PI / 180;
}

static double
map_sgn(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

/* An infinity wins over NaN, NaN over all else. */
static double
map_greater(double a, double b)
{
    if ((isinf(a) && a > 0) || (isinf(b) && b > 0))
        return INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}

static double
map_smaller(double a, double b)
{
    return -map_greater(-a, -b);
}

static double
map_clamp(double v, const double *a)
{
    return a[1] < a[0] ? ABSENT : map_greater(a[0], map_smaller(a[1], v));
}
static double
map_clamp_min(double v, const double *a)
{
    return map_greater(a[0], v);
}
static double
map_clamp_max(double v, const double *a)
{
    return map_smaller(a[0], v);
}

static double
map_round(double v, const double *a)
{
    double inverse = 1 / a[0];
    return floor(v * inverse + 0.5) / inverse;
}

#define V PROMQL_VECTOR
#define S PROMQL_SCALAR
#define M PROMQL_MATRIX
#define T PROMQL_STRING

static const struct function functions[] = {
    {"abs", V, {V}, 1, 1, .math = fabs},
    {"absent", V, {V}, 1, 1, .special = special_absent},
    {"absent_over_time", V, {M}, 1, 1, .special = special_absent_over_time},
    {"acos", V, {V}, 1, 1, .math = acos},
    {"acosh", V, {V}, 1, 1, .math = acosh},
    {"asin", V, {V}, 1, 1, .math = asin},
    {"asinh", V, {V}, 1, 1, .math = asinh},
    {"atan", V, {V}, 1, 1, .math = atan},
    {"atanh", V, {V}, 1, 1, .math = atanh},
    {"avg_over_time", V, {M}, 1, 1, .over = range_avg, .slide = 'a'},
    {"ceil", V, {V}, 1, 1, .math = ceil},
    {"changes", V, {M}, 1, 1, .over = range_changes},
    {"clamp", V, {V, S, S}, 3, 3, .map = map_clamp},
    {"clamp_max", V, {V, S}, 2, 2, .map = map_clamp_max},
    {"clamp_min", V, {V, S}, 2, 2, .map = map_clamp_min},
    {"cos", V, {V}, 1, 1, .math = cos},
    {"cosh", V, {V}, 1, 1, .math = cosh},
    {"count_over_time", V, {M}, 1, 1, .over = range_count},
    {"day_of_month", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"day_of_week", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"day_of_year", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"days_in_month", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"deg", V, {V}, 1, 1, .math = map_deg},
    {"delta", V, {M}, 1, 1, .over = range_delta},
    {"deriv", V, {M}, 1, 1, .over = range_deriv},
    {"exp", V, {V}, 1, 1, .math = exp},
    {"floor", V, {V}, 1, 1, .math = floor},
    {"histogram_quantile", V, {S, V}, 2, 2, .special = special_histogram_quantile},
    {"histogram_count", V, {V}, 1, 1, .special = special_nothing},
    {"histogram_fraction", V, {S, S, V}, 3, 3, .special = special_nothing},
    {"histogram_sum", V, {V}, 1, 1, .special = special_nothing},
    {"holt_winters",
     V,
     {M, S, S},
     3,
     3,
     .over = range_holt_winters,
     .check = range_holt_winters_check},
    {"hour", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"idelta", V, {M}, 1, 1, .over = range_idelta},
    {"increase", V, {M}, 1, 1, .over = range_increase, .slide = 'r'},
    {"irate", V, {M}, 1, 1, .over = range_irate},
    {"label_join", V, {V, T, T, T, T, T}, 3, SIZE_MAX, .special = special_label_join},
    {"label_replace", V, {V, T, T, T, T}, 5, 5, .special = special_label_replace},
    {"last_over_time", V, {M}, 1, 1, .over = range_last, .keeps_name = true},
    {"ln", V, {V}, 1, 1, .math = log},
    {"log10", V, {V}, 1, 1, .math = log10},
    {"log2", V, {V}, 1, 1, .math = log2},
    {"max_over_time", V, {M}, 1, 1, .over = range_max, .slide = 'x'},
    {"min_over_time", V, {M}, 1, 1, .over = range_min, .slide = 'n'},
    {"minute", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"month", V, {V}, 0, 1, .special = special_date, .uses_time = true},
    {"pi", S, {S}, 0, 0, .special = special_pi},
    {"predict_linear", V, {M, S}, 2, 2, .over = range_predict, .uses_time = true},
    {"present_over_time", V, {M}, 1, 1, .over = range_present},
    {"quantile_over_time", V, {S, M}, 2, 2, .over = range_quantile},
    {"rad", V, {V}, 1, 1, .math = map_rad},
    {"rate", V, {M}, 1, 1, .over = range_rate, .slide = 'r'},
    {"resets", V, {M}, 1, 1, .over = range_resets},
    {"round", V, {V, S}, 1, 2, .map = map_round},
    {"scalar", S, {V}, 1, 1, .special = special_scalar},
    {"sgn", V, {V}, 1, 1, .math = map_sgn},
    {"sin", V, {V}, 1, 1, .math = sin},
    {"sinh", V, {V}, 1, 1, .math = sinh},
    {"sort", V, {V}, 1, 1, .special = special_sort},
    {"sort_desc", V, {V}, 1, 1, .special = special_sort},
    {"sqrt", V, {V}, 1, 1, .math = sqrt},
    {"stddev_over_time", V, {M}, 1, 1, .over = range_stddev},
    {"stdvar_over_time", V, {M}, 1, 1, .over = range_stdvar},
    {"sum_over_time", V, {M}, 1, 1, .over = range_sum, .slide = 's'},
    {"tan", V, {V}, 1, 1, .math = tan},
    {"tanh", V, {V}, 1, 1, .math = tanh},
    {"time", S, {S}, 0, 0, .special = special_time, .uses_time = true},
    {"timestamp", V, {V}, 1, 1, .special = special_timestamp, .uses_time = true},
    {"vector", V, {S}, 1, 1, .special = special_vector},
    {"year", V, {V}, 0, 1, .special = special_date, .uses_time = true},
};

const struct function *
function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i].name) == len && !strncmp(functions[i].name, name, len))
            return &functions[i];
    return NULL;
}

/* --- calling ---------------------------------------------------------------------------------- */

/* Scalar arguments of a call, a row each; the vector's or range's place is skipped. */
static int
function_scalars(struct eval *e, const struct ast *n, const double *rows[ARGS_MAX], size_t *count)
{
    for (size_t i = 0; i < n->arg_count; i++) {
        struct value v;
        if (n->args[i]->type != PROMQL_SCALAR || *count == ARGS_MAX)
            continue;
        int rc = eval_node(e, n->args[i], &v);
        if (rc)
            return rc;
        rows[(*count)++] = v.scalar;
    }
    return 0;
}

static int
function_map(struct eval *e, const struct ast *n, const double *const *rows, size_t row_count,
             struct value *ret)
{
    double args[ARGS_MAX] = {1}; /* round's default */
    size_t at = 0;
    while (n->args[at]->type != PROMQL_VECTOR)
        at++;
    int rc = eval_node(e, n->args[at], ret);
    for (size_t k = 0; !rc && k < ret->count; k++) {
        double *v = ret->series[k].v;
        for (size_t i = 0; i < e->steps; i++) {
            for (size_t a = 0; a < row_count; a++)
                args[a] = rows[a][i];
            if (!absent(v[i]))
                v[i] = n->function->math ? n->function->math(v[i]) : n->function->map(v[i], args);
        }
    }
    if (rc)
        return rc;
    ret->sorted = false;
    return eval_drop_names(e, ret, false);
}

int
eval_call(struct eval *e, const struct ast *n, struct value *ret)
{
    const double *rows[ARGS_MAX] = {0};
    size_t count = 0;
    if (n->function->special)
        return n->function->special(e, n, ret);
    int rc = function_scalars(e, n, rows, &count);
    if (rc)
        return rc;
    return n->function->over ? range_call(e, n, rows, count, ret)
                             : function_map(e, n, rows, count, ret);
}

int
eval_leaf(struct eval *e, const struct ast *n, struct leaf *ret)
{
    const double *rows[ARGS_MAX] = {0}, **kept;
    size_t count = 0;
    const struct ast *selector = NULL;
    int rc = 0;
    *ret = (struct leaf){0};
    if (n->kind == AST_SELECTOR && n->type == PROMQL_VECTOR && e->steps > 1) {
        rc = leaf_vector(e, n, false, ret);
    } else {
        if (n->kind == AST_CALL && n->function->over)
            selector = leaf_selector(n);
        if (!selector || !(n->function->keeps_name || leaf_one_name(selector)))
            return 0;
        rc = function_scalars(e, n, rows, &count);
        kept = rc ? NULL : eval_alloc(e, ARGS_MAX, sizeof *kept);
        if (!kept)
            return rc ? rc : ERR_LIMIT;
        memcpy(kept, rows, sizeof rows);
        rc = leaf_range(e, n, selector, kept, count, ret);
    }
    if (rc)
        leaf_done(ret);
    return rc ? rc : 1;
}
