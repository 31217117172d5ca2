/* compress: snappy (block), zstd, gzip; whole inputs into a buf. Output is bounded by the buffer's
 * ceiling: a bomb gives ERR_LIMIT before memory is spent. Output is appended; a failed call leaves
 * what was there. */
#ifndef BASE_COMPRESS_H
#define BASE_COMPRESS_H

#include "base/buf.h"

#include <stdint.h>

/* Packing asks for room for the worst case (snappy: len + len/6 + 32; zstd, gzip: a little over
 * len). 0, ERR_LIMIT, ERR_NOMEM. */
int compress_snappy(const void *data, size_t len, struct buf *out);
int compress_unsnappy(const void *data, size_t len, struct buf *out); /* ERR_CORRUPT, ERR_LIMIT */
int compress_zstd(const void *data, size_t len, int level, struct buf *out);
int compress_unzstd(const void *data, size_t len, struct buf *out);
int compress_gzip(const void *data, size_t len, struct buf *out);
int compress_gunzip(const void *data, size_t len, struct buf *out);
uint32_t crc32c(uint32_t crc, const void *data,
                size_t len); /* Castagnoli, RFC 3720; start with 0 */
uint32_t crc32c_portable(uint32_t crc, const void *data,
                         size_t len); /* the same without the CPU's instruction */

#endif
