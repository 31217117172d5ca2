/* fuzz_compress: hostile packed bytes; and all that is packed comes back. First byte: the codec. */
#include "base/compress.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const unpack[])(const void *, size_t, struct buf *) = {
        compress_unsnappy, compress_unzstd, compress_gunzip};
    if (!size)
        return 0;
    unsigned which = data[0] % 3;
    struct buf out, packed;
    buf_init(&out, 1 << 20);
    buf_init(&packed, 4 << 20);
    int rc = unpack[which](data + 1, size - 1, &out);
    if ((rc && out.len) || out.cap > (1 << 20) + 1)
        abort();
    buf_reset(&out);
    rc = which == 0   ? compress_snappy(data, size, &packed)
         : which == 1 ? compress_zstd(data, size, 1, &packed)
                      : compress_gzip(data, size, &packed);
    if (rc || unpack[which](packed.data, packed.len, &out) || out.len != size ||
        memcmp(out.data, data, size))
        abort();
    buf_done(&out);
    buf_done(&packed);
    return 0;
}
