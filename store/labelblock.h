/* labelblock: the label sets of up to a thousand series as bytes: every text once, then columns of
 * references to them, packed. Fleet labels take 1 to 4 bytes a series. Drawn in store/FORMAT.md.
 * Insiders only. */
#ifndef STORE_LABELBLOCK_H
#define STORE_LABELBLOCK_H

#include "base/buf.h"
#include "base/sample.h"

#include <stdint.h>

#define LABELBLOCK_BITS   10
#define LABELBLOCK_SERIES (1u << LABELBLOCK_BITS)
#define LABELBLOCK_MAX    ((size_t)16 << 20) /* bytes of texts and columns */

struct labelblock; /* a writer; may be used again after finish */
struct labelblock *labelblock_new(void);
void labelblock_free(struct labelblock *b);
size_t labelblock_count(const struct labelblock *b);
/* The label set is copied. 0; ERR_LIMIT: full, finish first; ERR_NOMEM. */
int labelblock_add(struct labelblock *b, uint64_t id, const struct labels *l);
/* Encodes into out (reset first), then forgets everything. */
int labelblock_finish(struct labelblock *b, struct buf *out);

/* Calls cb with the id and the canonical bytes of each label set (record_put_labels); bytes are
 * valid during the call. cb < 0 stops and is returned. ERR_CORRUPT. */
int labelblock_read(const void *p, size_t len,
                    int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len), void *ctx);
/* The ids alone; labels NULL. */
int labelblock_ids(const void *p, size_t len,
                   int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len), void *ctx);

#endif
