/* chunk_pack: the integers of many series as differences, the differences as tokens and raw bits,
 * the tokens in as many bits as they are worth. Drawn in store/FORMAT.md. chunk_pack.c writes,
 * chunk_unpack.c reads. Insiders only. */
#ifndef STORE_CHUNK_PACK_H
#define STORE_CHUNK_PACK_H

#include "base/buf.h"
#include "base/sample.h"
#include "store/bytes.h"

#define CHUNK_PACK_GROUP                                                                           \
    4096                      /* residuals that are unpacked together, unless one series has more  \
                               */
#define CHUNK_PACK_CLASSES 8  /* kinds of series within a chunk, each with its own frequencies */
#define CHUNK_PACK_EXACT   16 /* residuals below are tokens of their own */
#define CHUNK_PACK_WIDE    34 /* bits from which tokens keep two bits behind the first, not three */

/* Order of the differences, and what a residual is: above the series' least, or zigzag. */
enum { CHUNK_PACK_ORDER = 3, CHUNK_PACK_ZIGZAG = 4, CHUNK_PACK_MODES = 7 };
static inline bool
chunk_pack_mode_ok(unsigned mode)
{
    return mode < CHUNK_PACK_MODES && mode != 3 && mode != 4;
}

/* Series have that many residuals fewer than samples. */
static inline uint32_t
chunk_pack_rest(uint32_t count, unsigned mode)
{
    unsigned order = mode & CHUNK_PACK_ORDER;
    return count > order ? count - order : 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct chunk_pack;
struct chunk_pack *chunk_pack_new(void);
void chunk_pack_free(struct chunk_pack *p);
/* n > 0 integers within 54 bits, which stay until the end. At most CHUNK_SERIES_MAX series. */
void chunk_pack_add(struct chunk_pack *p, const int64_t *v, uint32_t n);
/* Appends what is told of the series to directory and what they hold to values; forgets all. */
int chunk_pack_finish(struct chunk_pack *p, struct buf *directory, struct buf *values);

/* --- reading ---------------------------------------------------------------------------------- */

struct chunk_packed;
/* The series have counts[0..n) samples. `bytes` stay as long as this does, RANS_PAD more than `len`
 * are readable; *at is where the values of the series begin, and then where they end. */
int chunk_packed_new(struct bytes_in *directory, const uint32_t *counts, size_t n,
                     const uint8_t *bytes, size_t len, size_t *at, struct chunk_packed **ret);
void chunk_packed_free(struct chunk_packed *p);
size_t chunk_packed_bytes(const struct chunk_packed *p); /* of memory, when all was asked */
/* Values of series i, as numbers; the times are not touched when this returns. Several threads may
 * ask. 0 or ERR_CORRUPT. */
int chunk_packed_take(const struct chunk_packed *p, size_t i, struct sample *out);

#endif
