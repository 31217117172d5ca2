/* metric_rows: the built-in rows; metric.c alone includes it. */
#ifndef BASE_METRIC_ROWS_H
#define BASE_METRIC_ROWS_H

#include "base/metric.h"

const struct metric_row *
metric_builtin_rows(size_t *ret_count); /* constant, in the order of documentation */

#endif
