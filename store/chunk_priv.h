/* chunk_priv: what the files of the chunk share: chunk.c writes, chunk_read.c reads, chunk_old.c
 * reads what version 1 wrote. */
#ifndef STORE_CHUNK_PRIV_H
#define STORE_CHUNK_PRIV_H

#include "store/bytes.h"
#include "store/chunk.h"

#define CHUNK_MAGIC        0x3243534du /* "MSC2" */
#define CHUNK_OLD_MAGIC    0x3143534du /* "MSC1" */
#define CHUNK_HEADER       32
#define CHUNK_EXPONENT_MAX 9
#define CHUNK_GROUP        32768 /* samples that are unpacked together, unless one series has more */
#define CHUNK_PLANES_MAX   8

enum chunk_kind { CHUNK_CONSTANT, CHUNK_CONSTANT_BITS, CHUNK_INTEGER, CHUNK_BITS, CHUNK_KINDS };
enum chunk_codec { CHUNK_PLANES = 1, CHUNK_PACKED }; /* how integers are coded; 1 is read only */
/* How the integers of planes are coded: the order of their differences, and what a residual is. */
enum { CHUNK_ORDER = 3, CHUNK_ZIGZAG = 4 };
#define CHUNK_MODES 7 /* orders 0 to 2 above their least, then 4 + orders 0 to 2 as zigzag */

extern const double chunk_pow10[CHUNK_EXPONENT_MAX + 1];

/* Times of n samples. ERR_CORRUPT. */
int chunk_take_times(struct bytes_in *in, size_t n, struct sample *out);
/* Skips n times; false when the bytes end. */
bool chunk_skip_times(struct bytes_in *in, uint64_t n);

struct chunk_old;
int chunk_old_new(const void *p, size_t len, struct chunk_old **ret);
void chunk_old_free(struct chunk_old *r);
size_t chunk_old_bytes(const struct chunk_old *r);
size_t chunk_old_series(const struct chunk_old *r);
uint64_t chunk_old_id(const struct chunk_old *r, size_t i);
size_t chunk_old_count(const struct chunk_old *r, size_t i);
int chunk_old_samples(const struct chunk_old *r, size_t i, struct sample *out);

#endif
