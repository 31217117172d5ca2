/* engine: who answers for series: the store's own files alone (`sqlite`), or they and an engine
 * elsewhere (`prometheus`). Everything above asks here, so that dashboards, rules, detectors and
 * checks do not know which it is. */
#include "store/read.h"
#include "store/remote_priv.h"

int
store_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
             const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    return s->remote ? remote_select(s, m, n, from_ms, to_ms, lim, ret, err)
                     : read_select(s, m, n, from_ms, to_ms, lim, ret, err);
}

int
store_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms, int64_t lookback_ms,
             const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    return s->remote ? remote_latest(s, m, n, at_ms, lookback_ms, lim, ret, err)
                     : read_latest(s, m, n, at_ms, lookback_ms, lim, ret, err);
}

int
store_label_names(struct store *s, const struct matcher *m, size_t n, int64_t from_ms,
                  int64_t to_ms, int (*cb)(void *ctx, const char *name), void *ctx)
{
    return s->remote ? remote_labels(s, NULL, m, n, from_ms, to_ms, cb, ctx)
                     : read_label_names(s, m, n, from_ms, to_ms, cb, ctx);
}

int
store_label_values(struct store *s, const char *label, const struct matcher *m, size_t n,
                   int64_t from_ms, int64_t to_ms, int (*cb)(void *ctx, const char *value),
                   void *ctx)
{
    return s->remote ? remote_labels(s, label, m, n, from_ms, to_ms, cb, ctx)
                     : read_label_values(s, label, m, n, from_ms, to_ms, cb, ctx);
}
