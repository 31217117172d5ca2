/* rows: events, log lines and gaps that are durable in the journal and in no day file yet: a second
 * or two of them. Insiders only. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "base/buf.h"
#include "store/record.h"

struct rows;
struct rows *rows_new(void);
void rows_free(struct rows *r);
/* Takes the bytes of `data` (left empty). Numbers rise. */
int rows_add(struct rows *r, uint64_t number, uint64_t row0, struct buf *data);
void rows_drop(struct rows *r, uint64_t number); /* those of batches up to number */
/* Calls cb for every row, in order of arrival, under the lock: cb copies and returns. cb < 0 stops
 * and is returned. */
int rows_each(struct rows *r,
              int (*cb)(void *ctx, uint64_t number, uint64_t id, const struct record *rec,
                        const void *bytes, size_t len),
              void *ctx);
/* The same for batches up to `number`, without the lock: for the one who drops. */
int rows_walk(struct rows *r, uint64_t number,
              int (*cb)(void *ctx, uint64_t number, uint64_t id, const struct record *rec,
                        const void *bytes, size_t len),
              void *ctx);
size_t rows_bytes(struct rows *r);

#endif
