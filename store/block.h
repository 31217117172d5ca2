/* block: the recent samples of one series in memory, in 1 to 3 bytes each. Insiders only.
 *
 * A stream block is appended to in time order and coded against the sample before; a raw block
 * holds the few samples that came out of order, sorted. Blocks of a series hang in a chain, newest
 * first. */
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include "base/sample.h"
#include "store/cells.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_RAW = 1, BLOCK_FLUSHED = 2 }; /* FLUSHED: in a day file too */
#define BLOCK_GENERATIONS 64

struct block {
    struct block *next; /* older */
    int64_t t0;         /* first sample */
    double v0;
    uint32_t span;      /* last time - t0, ms */
    uint16_t used, cap; /* of data */
    uint16_t count;
    uint8_t exponent; /* values are tried as integers / 10^exponent */
    uint8_t flags;    /* BLOCK_*, and the generation << 2 */
    int32_t delta;    /* of the last two times */
    uint8_t data[];
};

static inline size_t
block_bytes(const struct block *b) /* what a copy of it takes */
{
    return sizeof *b + b->used;
}

static inline unsigned
block_generation(const struct block *b)
{
    return b->flags >> 2;
}

/* NULL: no memory. */
struct block *block_new(struct cells *c, int64_t t, double v, unsigned generation, bool raw);
void block_free(struct cells *c, struct block *b);
/* Appends (t > last time; the last sample's value is `last`). *b may move. 0; ERR_LIMIT when a new
 * block must be begun; ERR_NOMEM. */
int block_append(struct cells *c, struct block **b, int64_t t, double v, double last);
/* Raw blocks: 0, ERR_EXISTS (same time), ERR_LIMIT, ERR_NOMEM. */
int block_insert(struct cells *c, struct block **b, int64_t t, double v);
/* All samples, in time order; out has room for b->count. */
void block_decode(const struct block *b, struct sample *out);
/* The last `keep` samples (at least 1, less than all) of a stream block as a block of their own
 * that is not appended to any more. NULL: no memory. */
struct block *block_tail(struct cells *c, const struct block *b, size_t keep);
static inline int64_t
block_last_ms(const struct block *b)
{
    return b->t0 + b->span;
}

#endif
