/* fuzz_chunk: a chunk with any payload under a right header and checksum is read within bounds. */
#include "base/compress.h"
#include "store/bytes.h"
#include "store/chunk.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;
    uint8_t head[32] = {0};
    read_all(data, size);
    if (size < 4)
        return 0;
    buf_init(&b, 1 << 22);
    buf_append(&b, head, sizeof head);
    if (!compress_zstd(data + 4, size - 4, 1, &b)) {
        uint8_t *p = (uint8_t *)b.data;
        bytes_put_u32(p, 0x3143534du);
        p[8] = 1;
        bytes_put_u32(p + 12, data[0]);
        bytes_put_u32(p + 16, bytes_get_u32(data) >> 8);
        bytes_put_u32(p + 20, (uint32_t)(size - 4));
        bytes_put_u32(p + 4, crc32c(0, p + 8, b.len - 8));
        read_all(b.data, b.len);
    }
    buf_done(&b);
    return 0;
}
