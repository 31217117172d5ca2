/* support: a store in a folder of its own, with a clock the test owns. */
#ifndef TESTS_STORE_SUPPORT_H
#define TESTS_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/store.h"

#include <stdatomic.h>

#define SUPPORT_NOW INT64_C(1790000000000) /* 2026-09-21T14:13:20Z */

struct support {
    char folder[64];
    atomic_llong now;
    struct clock clock;
    struct store_config cfg;
    struct store *s;
};

int support_setup(void **state);    /* opens */
int support_teardown(void **state); /* closes, removes the folder */
void support_open(struct support *f);
void support_close(struct support *f);
void support_put(struct store *s, const char *metric, const char *node, int64_t t, double v,
                 struct store_commit_result *ret);
/* All samples of {__name__=metric, node=node} in [from, to], NULL node: all nodes' first row. At
 * most max; the count. */
size_t support_get(struct store *s, const char *metric, const char *node, int64_t from, int64_t to,
                   struct sample *out, size_t max);
size_t support_events(struct store *s, const struct event_query *q);
size_t support_logs(struct store *s, const struct event_query *q);

#endif
