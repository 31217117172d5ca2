/* function_special: functions that need more than a window or a value: labels, whole vectors, the evaluation's time. */
#ifndef STORE_PROMQL_FUNCTION_SPECIAL_H
#define STORE_PROMQL_FUNCTION_SPECIAL_H

#include "store/promql/ast.h"

typedef int special_function(struct eval *e, const struct ast *n, struct value *ret);
special_function special_absent, special_absent_over_time, special_date, special_histogram_quantile, special_label_join,
    special_label_replace, special_pi, special_scalar, special_sort, special_time, special_timestamp, special_vector;

#endif
