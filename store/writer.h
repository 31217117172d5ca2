/* writer: the queue of batches and the one thread that commits them to the journal, in groups, and
 * then applies them. Insiders only; callers see store_commit and store_submit. */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "store/store.h"

struct writer;
int writer_new(struct store *s, uint64_t row0,
               struct writer **ret); /* marks are loaded, the thread not started */
int writer_mark(struct writer *w, const char *source, uint64_t epoch, uint64_t sequence);
int writer_start(struct writer *w, struct err *err);
void writer_free(struct writer *w);  /* commits what waits, ends the thread; NULL: nothing */
void writer_drain(struct writer *w); /* takes no more batches, and waits for those it has */
/* Runs fn on the writer's thread between two groups and waits for it: for what needs the journal.
 */
int writer_call(struct writer *w, int (*fn)(struct store *s, void *ctx), void *ctx);
uint64_t writer_applied(struct writer *w); /* every batch up to this number is in memory */
uint64_t writer_row0(struct writer *w);
size_t writer_queue_bytes(struct writer *w);
/* Applies one journal record in memory; `held` says what day files hold already. Used by replay. */
struct writer_held {
    bool (*samples)(void *ctx, int64_t t_ms);
    bool (*rows)(void *ctx, int64_t filed_ms);
    void *ctx;
};
int writer_replay(struct store *s, uint64_t number, const void *data, size_t len,
                  const struct writer_held *held, uint64_t *ret_rows);

#endif
