/* fuzz_protobuf: hostile messages, walked three levels deep; all that is given lies within the
 * input. */
#include "base/protobuf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const uint8_t *data, size_t len, int depth)
{
    struct protobuf_reader in = protobuf_open(data, len);
    struct protobuf_field f;
    for (size_t last = len + 1; protobuf_next(&in, &f) > 0;) {
        size_t left = (size_t)(in.end - in.p);
        if (left >= last)
            abort();
        last = left;
        if (f.type != PROTOBUF_BYTES)
            continue;
        if (f.len && (f.data < data || f.data + f.len > data + len))
            abort();
        if (depth)
            walk(f.data, f.len, depth - 1);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    walk(data, size, 3);
    return 0;
}
