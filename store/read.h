/* read: series as the store's own files and memory hold them; store_select and its like ask the
 * engine too where there is one. Insiders only. */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "store/store.h"

/* Memory that goes with the set; NULL without memory. */
void *read_alloc(struct series_set *set, size_t n);
int read_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
                const struct select_limits *lim, struct series_set *ret, struct err *err);
int read_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms,
                int64_t lookback_ms, const struct select_limits *lim, struct series_set *ret,
                struct err *err);
int read_label_names(struct store *s, const struct matcher *m, size_t n, int64_t from_ms,
                     int64_t to_ms, int (*cb)(void *ctx, const char *name), void *ctx);
int read_label_values(struct store *s, const char *label, const struct matcher *m, size_t n,
                      int64_t from_ms, int64_t to_ms, int (*cb)(void *ctx, const char *value),
                      void *ctx);

#endif
