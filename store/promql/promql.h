/* promql: parse and evaluate Prometheus 2.42's query language over the store. */
#ifndef STORE_PROMQL_PROMQL_H
#define STORE_PROMQL_PROMQL_H

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct promql; /* a parsed query, immutable, thread-safe to evaluate */
/* Errors carry Prometheus' sentence ("1:5: parse error: ...") with line and column. */
int promql_parse(const char *text, struct promql **ret, struct err *err);
/* A series selector and nothing else, as match[] takes it; also one that every series passes. */
int promql_parse_selector(const char *text, struct promql **ret, struct err *err);
void promql_free(struct promql *q);
/* The expression as Prometheus writes it: on one line (rules), or broken at 100 characters
 * (format_query). */
int promql_format(const struct promql *q, struct buf *out);
int promql_pretty(const struct promql *q, struct buf *out);

enum promql_type { PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };
enum promql_type promql_type(const struct promql *q);
/* The matchers of a query that is one instant selector, as match[] takes them; borrowed. ERR_SYNTAX
 * when it is anything else. */
int promql_selector(const struct promql *q, const struct matcher **ret, size_t *ret_count,
                    struct err *err);

struct promql_options {
    int64_t lookback_ms; /* 0: 5 min */
    size_t max_samples;  /* 0: 50 million */
    size_t max_series;
    int64_t timeout_ms; /* 0: 2 min */
    const char *tenant; /* NULL: all */
};

struct promql_result {
    enum promql_type type;
    struct series_set
        set; /* VECTOR: one sample a row; MATRIX; labels without __name__ where dropped */
    struct sample scalar;
    char *string;
    size_t warning_count;
    const char *warnings[8];
};
int promql_instant(struct store *s, const struct promql *q, int64_t at_ms,
                   const struct promql_options *o, struct promql_result *ret, struct err *err);
int promql_range(struct store *s, const struct promql *q, int64_t from_ms, int64_t to_ms,
                 int64_t step_ms, const struct promql_options *o, struct promql_result *ret,
                 struct err *err);
void promql_result_done(struct promql_result *r);
/* {"resultType":...,"result":[...]} as Prometheus writes it; vector and matrix sorted by labels
 * unless sort() asked otherwise. */
int promql_result_json(const struct promql_result *r, struct buf *out);

#endif
