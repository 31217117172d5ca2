/* flush: fills day files from what is in memory, cuts the journal behind it, and drops old days.
 * Insiders only. */
#ifndef STORE_FLUSH_H
#define STORE_FLUSH_H

#include "store/store.h"

struct flusher;
int flush_new(struct store *s, struct flusher **ret);
int flush_start(struct flusher *f, struct err *err);
void flush_free(struct flusher *f); /* ends the thread; NULL: nothing */
int flush_rows_now(struct flusher *f,
                   struct err *err);               /* events, logs and gaps into day files now */
int flush_all(struct flusher *f, struct err *err); /* samples too, and cuts the journal */
int flush_retention(struct flusher *f, struct err *err); /* drops days beyond the retention */
/* Merges the small chunks of slots that end before the time. */
int flush_merge(struct flusher *f, int64_t before_ms, struct err *err);
/* For what must not run beside a fill. */
void flush_lock(struct flusher *f);
void flush_unlock(struct flusher *f);
int retention_run(struct store *s, struct err *err); /* retention.c; under the flusher's lock */
/* On the writer's thread: series that no file and no memory holds leave the registry. ctx: NULL. */
int retention_forget(struct store *s, void *ctx);

#endif
