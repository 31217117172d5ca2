/* fuzz_chunk: a chunk of either version and a block of labels with any payload under a right header
 * and checksum are read within bounds. */
#include "base/compress.h"
#include "store/bytes.h"
#include "store/chunk.h"
#include "store/labelblock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_all(const void *p, size_t len)
{
    struct chunk_reader *r;
    if (chunk_reader_new(p, len, &r))
        return;
    for (size_t i = 0; i < chunk_reader_series(r); i++) {
        size_t n = chunk_reader_count(r, i);
        struct sample *at = n < 100000 ? malloc(n * sizeof *at) : NULL;
        if (at)
            chunk_reader_samples(r, i, at);
        free(at);
    }
    chunk_reader_free(r);
}

/* Version 1: all of the input is the payload. */
static void
old_chunk(const uint8_t *data, size_t size, struct buf *b)
{
    static const uint8_t head[32] = {0};
    buf_reset(b);
    buf_append(b, head, sizeof head);
    if (compress_zstd(data + 4, size - 4, 1, b))
        return;
    uint8_t *p = (uint8_t *)b->data;
    bytes_put_u32(p, 0x3143534du);
    p[8] = 1;
    bytes_put_u32(p + 12, data[0]);
    bytes_put_u32(p + 16, bytes_get_u32(data) >> 8);
    bytes_put_u32(p + 20, (uint32_t)(size - 4));
    bytes_put_u32(p + 4, crc32c(0, p + 8, b->len - 8));
    read_all(b->data, b->len);
}

/* Version 2: a directory, and planes or tokens behind it. */
static void
chunk(const uint8_t *data, size_t size, uint8_t codec, struct buf *b)
{
    static const uint8_t head[32] = {0};
    size_t directory = (data[4] | (size_t)data[5] << 8) % (size - 5);
    buf_reset(b);
    buf_append(b, head, sizeof head);
    if (compress_zstd(data + 6, directory, 1, b))
        return;
    size_t packed = b->len - sizeof head;
    buf_append(b, data + 6 + directory, size - 6 - directory);
    uint8_t *p = (uint8_t *)b->data;
    bytes_put_u32(p, 0x3243534du);
    p[8] = codec;
    bytes_put_u32(p + 12, data[0]);
    bytes_put_u32(p + 16, bytes_get_u32(data) >> 8);
    bytes_put_u32(p + 20, (uint32_t)directory);
    bytes_put_u32(p + 24, (uint32_t)packed);
    bytes_put_u32(p + 4, crc32c(0, p + 8, b->len - 8));
    read_all(b->data, b->len);
}

static int
label(void *ctx, uint64_t id, const void *labels, size_t len)
{
    (void)ctx, (void)id, (void)labels, (void)len;
    return 0;
}

static void
labels(const uint8_t *data, size_t size, struct buf *b)
{
    static const uint8_t head[16] = {0};
    buf_reset(b);
    buf_append(b, head, sizeof head);
    if (compress_zstd(data + 4, size - 4, 1, b))
        return;
    uint8_t *p = (uint8_t *)b->data;
    bytes_put_u32(p, 0x314c534du);
    bytes_put_u32(p + 8, data[0]);
    bytes_put_u32(p + 12, (uint32_t)(size - 4));
    bytes_put_u32(p + 4, crc32c(0, p + 8, b->len - 8));
    labelblock_read(b->data, b->len, label, NULL);
    labelblock_ids(b->data, b->len, label, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;
    read_all(data, size);
    if (size < 6)
        return 0;
    buf_init(&b, 1 << 22);
    old_chunk(data, size, &b);
    chunk(data, size, 1, &b);
    chunk(data, size, 2, &b);
    labels(data, size, &b);
    buf_done(&b);
    return 0;
}
