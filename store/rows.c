/* rows: a list of the row bytes of batches, oldest first, as they stand in the journal. */
#include "store/rows.h"

#include "base/err.h"

#include <pthread.h>
#include <stdlib.h>

struct rows_chunk {
    struct rows_chunk *next;
    uint64_t number, row0;
    struct buf data;
};

struct rows {
    pthread_mutex_t lock;
    struct rows_chunk *first, *last;
    size_t bytes;
};

struct rows *
rows_new(void)
{
    struct rows *r = calloc(1, sizeof *r);
    if (r)
        pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void
rows_chunk_free(struct rows_chunk *c)
{
    buf_done(&c->data);
    free(c);
}

void
rows_free(struct rows *r)
{
    if (!r)
        return;
    rows_drop(r, UINT64_MAX);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int
rows_add(struct rows *r, uint64_t number, uint64_t row0, struct buf *data)
{
    if (!data->len)
        return 0;
    struct rows_chunk *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    *c = (struct rows_chunk){.number = number, .row0 = row0, .data = *data};
    buf_init(data, data->max);
    pthread_mutex_lock(&r->lock);
    if (r->last)
        r->last->next = c;
    else
        r->first = c;
    r->last = c;
    r->bytes += c->data.len;
    pthread_mutex_unlock(&r->lock);
    return 0;
}

void
rows_drop(struct rows *r, uint64_t number)
{
    pthread_mutex_lock(&r->lock);
    while (r->first && r->first->number <= number) {
        struct rows_chunk *c = r->first;
        r->first = c->next;
        if (!r->first)
            r->last = NULL;
        r->bytes -= c->data.len;
        rows_chunk_free(c);
    }
    pthread_mutex_unlock(&r->lock);
}

static int
rows_chunk_each(const struct rows_chunk *c,
                int (*cb)(void *, uint64_t, uint64_t, const struct record *, const void *, size_t),
                void *ctx)
{
    struct bytes_in in = bytes_in_of(c->data.data, c->data.len);
    const uint8_t *at;
    size_t len;
    int rc = 0;
    for (uint64_t row = c->row0; rc >= 0 && record_next(&in, &at, &len) > 0; row++) {
        struct record rec;
        if (!record_take(at, len, &rec))
            rc = cb(ctx, c->number, record_id(rec.filed_ms, row), &rec, at, len);
    }
    return rc;
}

int
rows_each(struct rows *r,
          int (*cb)(void *, uint64_t, uint64_t, const struct record *, const void *, size_t),
          void *ctx)
{
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    for (const struct rows_chunk *c = r->first; c && rc >= 0; c = c->next)
        rc = rows_chunk_each(c, cb, ctx);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int
rows_walk(struct rows *r, uint64_t number,
          int (*cb)(void *, uint64_t, uint64_t, const struct record *, const void *, size_t),
          void *ctx)
{
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    const struct rows_chunk *c = r->first,
                            *last = r->last; /* chunks up to last do not change any more */
    pthread_mutex_unlock(&r->lock);
    for (; c && c->number <= number && rc >= 0; c = c == last ? NULL : c->next)
        rc = rows_chunk_each(c, cb, ctx);
    return rc;
}

size_t
rows_bytes(struct rows *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->bytes;
    pthread_mutex_unlock(&r->lock);
    return n;
}
