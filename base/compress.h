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
/* The same for many small pieces: the working memory of zstd is kept between them. One thread. */
struct compress_zstd_ctx;
struct compress_zstd_ctx *compress_zstd_ctx_new(void);
void compress_zstd_ctx_free(struct compress_zstd_ctx *c);
int compress_zstd_with(struct compress_zstd_ctx *c, const void *data, size_t len, int level,
                       struct buf *out);
/* One frame that unpacks to exactly size bytes. 0, ERR_CORRUPT, ERR_NOMEM. */
int compress_unzstd_with(struct compress_zstd_ctx *c, const void *data, size_t len, void *out,
                         size_t size);
int compress_gzip(const void *data, size_t len, struct buf *out);
int compress_gunzip(const void *data, size_t len, struct buf *out);
uint32_t crc32c(uint32_t crc, const void *data,
                size_t len); /* Castagnoli, RFC 3720; start with 0 */
uint32_t crc32c_portable(uint32_t crc, const void *data,
                         size_t len); /* the same without the CPU's instruction */

#endif
