/* journal: journal.db, where every acknowledged batch is, whole, with its watermark, until day
 * files hold it; and the registry of series ids. One connection, used by one thread at a time: the
 * opener, then the writer. Insiders only. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct journal;
int journal_open(const char *folder, struct journal **ret, struct err *err);
void journal_close(struct journal *j);

/* A transaction: begin, then any of the others, then commit; after an error roll back. Durable when
 * commit returns 0. */
int journal_begin(struct journal *j, struct err *err);
int journal_add(struct journal *j, uint64_t number, const void *data, size_t len, struct err *err);
int journal_watermark(struct journal *j, const char *source, uint64_t epoch, uint64_t sequence,
                      int64_t now_ms, struct err *err);
/* A block of labels (labelblock.h) of ids of one segment, beside those that are there. */
int journal_labels(struct journal *j, uint64_t segment, const void *data, size_t len,
                   struct err *err);
int journal_labels_drop(struct journal *j, uint64_t segment, struct err *err);
/* Segments that more than one block tells, or rows of version 1; malloc'ed. */
int journal_labels_scattered(struct journal *j, uint64_t **ret, size_t *ret_count, struct err *err);
int journal_commit(struct journal *j, struct err *err);
void journal_rollback(struct journal *j);

uint64_t journal_next(const struct journal *j);         /* number for the next batch */
void journal_advance(struct journal *j, uint64_t next); /* after a commit */
uint64_t journal_row0(const struct journal *j); /* counter for row ids, as of the last cut */
uint64_t journal_seed(const struct journal *j); /* of label hashes: made once a folder, random */

/* Every batch, in order; damaged ones are for the callback to find (record_batch_open). cb < 0
 * stops. */
int journal_replay(struct journal *j,
                   int (*cb)(void *ctx, uint64_t number, const void *data, size_t len), void *ctx,
                   struct err *err);
/* Every registered series; ret_damaged counts blocks (rows of version 1) that cannot be read. */
int journal_each_series(struct journal *j,
                        int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len),
                        void *ctx, uint64_t *ret_damaged, struct err *err);
int journal_each_watermark(struct journal *j,
                           int (*cb)(void *ctx, const char *source, uint64_t epoch,
                                     uint64_t sequence),
                           void *ctx, struct err *err);
/* Forgets batches up to `number`, at most `batches` of them in one transaction. 1 more to do, 0
 * done. */
int journal_cut(struct journal *j, uint64_t number, unsigned batches, uint64_t row0,
                struct err *err);
int journal_forget_watermarks(struct journal *j, int64_t before_ms, struct err *err);
int journal_checkpoint(struct journal *j, struct err *err);
int journal_vacuum(struct journal *j, struct err *err); /* returns free pages */
int journal_bytes(struct journal *j, uint64_t *ret);    /* file and WAL */

#endif
