/* promql_diff: series and queries for the comparison with Prometheus. */
#ifndef TESTS_STORE_PROMQL_DIFF_H
#define TESTS_STORE_PROMQL_DIFF_H

#include "base/sample.h"

#define DIFF_START INT64_C(1700000100000) /* a multiple of 60 s and 15 s */
#define DIFF_STEPS 705 /* of 15 s: under the 3 h at which Prometheus starts a new block */

struct diff_series {
    char name[48], labels[200]; /* a="b",c="d" */
    char kind;
    unsigned seed;
    int64_t shift_ms;
};
size_t diff_series(struct diff_series *out, size_t max);
/* The sample of a series at a step; false when there is none. */
bool diff_sample(const struct diff_series *s, unsigned step, struct sample *ret);
/* Samples of some series come a block late, or in time and again a block later: 0 or 1; *ret_first:
 * is it there in time. */
unsigned diff_late(const struct diff_series *s, unsigned step, bool *ret_first);
/* Calls cb with each query. */
void diff_queries(void (*cb)(void *ctx, const char *query), void *ctx);
void diff_malformed(void (*cb)(void *ctx, const char *query), void *ctx);

#endif
