/* record: the bytes of rows (events, log lines, gaps), of label sets and of a journal batch.
 * Insiders only; drawn in store/FORMAT.md. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/buf.h"
#include "base/event.h"
#include "base/sample.h"
#include "store/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* --- label sets: varint count, then varint length and bytes of each name and value ------------ */

#define RECORD_LABELS_MAX 80000 /* 64 labels of 128 + 1,024 bytes and their lengths */
int record_put_labels(struct buf *out, const struct labels *l);
/* Points into the bytes; ERR_CORRUPT. */
int record_take_labels(const void *p, size_t len, struct labels *ret);

/* --- rows ------------------------------------------------------------------------------------- */

enum record_kind { RECORD_EVENT = 1, RECORD_LOG = 2, RECORD_GAP = 3 };
struct record { /* a decoded row; strings point into its bytes */
    enum record_kind kind;
    int64_t
        filed_ms; /* the time it is kept under: its own, or when it was seen if that is absurd */
    union {
        struct event event;
        struct log_line log;
        struct gap gap;
    };
};
int record_put(struct buf *out, const struct record *r);
int record_take(const void *p, size_t len, struct record *ret); /* ERR_CORRUPT */
/* Rows of a batch follow each other, each after its varint length. 1 and moves *in, 0 at the end,
 * ERR_CORRUPT. */
int record_next(struct bytes_in *in, const uint8_t **ret_at, size_t *ret_len);
/* (time, 20-bit counter): sorts by time, and is the row's key in its day file. */
#define RECORD_ID_BITS 20
static inline uint64_t
record_id(int64_t filed_ms, uint64_t row)
{
    const int64_t most = INT64_MAX >> RECORD_ID_BITS; /* the year 2248; beyond: no bound */
    filed_ms = filed_ms < 0 ? 0 : filed_ms > most ? most : filed_ms;
    return (uint64_t)filed_ms << RECORD_ID_BITS | (row & ((1u << RECORD_ID_BITS) - 1));
}
static inline int64_t
record_id_ms(uint64_t id)
{
    return (int64_t)(id >> RECORD_ID_BITS);
}

/* --- journal batches -------------------------------------------------------------------------- */

/* Header with room for the checksum; then series; then rows; then record_batch_end fills the
 * header. */
int record_batch_begin(struct buf *out, uint64_t row0, size_t series);
struct record_batch_state {
    uint64_t id;
    int64_t t;
}; /* starts as zeroes */
int record_batch_series(struct buf *out, struct record_batch_state *st, uint64_t id,
                        const struct sample *s, size_t n);
int record_batch_end(struct buf *out, const void *rows, size_t rows_len);

struct record_batch { /* a reader of a batch */
    uint64_t row0;
    uint64_t series_left;
    struct bytes_in in;
    struct record_batch_state st;
};
int record_batch_open(const void *p, size_t len,
                      struct record_batch *ret); /* ERR_CORRUPT: magic, version or checksum */
/* Next series with its sample count; then that many record_batch_sample. 1, 0 at the end (rows
 * follow in ->in), ERR_CORRUPT. */
int record_batch_next(struct record_batch *b, uint64_t *ret_id, uint64_t *ret_count);
bool record_batch_sample(struct record_batch *b, struct sample *ret);

#endif
