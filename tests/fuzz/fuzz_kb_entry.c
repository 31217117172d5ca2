/* fuzz_kb_entry: hostile files of entries: read, linked, digested and read back. */
#include "kb/inside.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_digest(const struct kb *kb)
{
    struct buf bytes;
    struct kb *again = kb_new();
    buf_init(&bytes, 16u << 20);
    if (again && !kb_digest_encode(kb, &bytes) &&
        (kb_digest_decode(again, bytes.data, bytes.len) || again->count != kb->count))
        abort();
    kb_free(again);
    buf_done(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kb_problems problems = {0};
    struct err err = {0};
    struct kb *kb = kb_new();
    if (!kb)
        return 0;
    kb_read_text(kb, (const char *)data, size, "fuzz.yaml", true, &problems, &err);
    if (kb_finish(kb, &problems) == 0)
        fuzz_digest(kb);
    kb_free(kb);
    return 0;
}
