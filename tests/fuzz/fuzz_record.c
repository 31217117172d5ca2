/* fuzz_record: label sets, rows and journal batches of any bytes are read within bounds; what
 * reads, writes back the same. */
#include "base/compress.h"
#include "store/bytes.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_batch(const void *p, size_t len)
{
    struct record_batch b;
    uint64_t id, n;
    struct sample s;
    if (record_batch_open(p, len, &b))
        return;
    while (record_batch_next(&b, &id, &n) > 0)
        while (n-- > 0 && record_batch_sample(&b, &s))
            ;
    const uint8_t *at;
    size_t row;
    struct record r;
    while (record_next(&b.in, &at, &row) > 0)
        record_take(at, row, &r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct labels l;
    struct record r;
    struct buf b;
    buf_init(&b, 1 << 22);
    if (!record_take_labels(data, size, &l) && record_put_labels(&b, &l))
        abort();
    buf_reset(&b);
    if (!record_take(data, size, &r) && record_put(&b, &r))
        abort();
    read_batch(data, size);
    buf_reset(&b);
    uint8_t head[8] = {'M', 'S', 'J', '1'};
    bytes_put_u32(head + 4, crc32c(0, data, size));
    buf_append(&b, head, sizeof head);
    buf_append(&b, data, size);
    read_batch(b.data, b.len);
    buf_done(&b);
    return 0;
}
