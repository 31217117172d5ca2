/* fuzz_wire: hostile batches. The first byte says whether the input is a whole batch or the raw
 * bytes of one, which is then packed and sealed, so that the fuzzer need not guess a checksum. What
 * is accepted is written again and must be accepted again, with as many calls. */
#include "base/compress.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct echo {
    struct wire_encoder *to; /* NULL: only counts */
    size_t calls;
    volatile size_t bytes; /* touched, so that a sanitizer sees every pointer used */
};

static int
echo_head(void *ctx, const struct wire_head *h)
{
    struct echo *e = ctx;
    if (e->to)
        wire_encode_begin(e->to, h);
    return 0;
}

static int
echo_samples(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    struct echo *e = ctx;
    e->calls++;
    e->bytes += (size_t)labels_hash(l) & 1;
    struct labels copy = *l;
    if (labels_finish(&copy) || n != 1)
        abort();
    if (e->to && wire_encode_sample(e->to, l, s->t_ms, s->v))
        abort();
    return 0;
}

static int
echo_event(void *ctx, const struct event *ev)
{
    struct echo *e = ctx;
    e->calls++;
    e->bytes += strlen(ev->text) + strlen(ev->fields) + strlen(ev->tenant) + strlen(ev->job) +
                strlen(ev->node);
    if (e->to && wire_encode_event(e->to, ev))
        abort();
    return 0;
}

static int
echo_log(void *ctx, const struct log_line *line)
{
    struct echo *e = ctx;
    e->calls++;
    e->bytes += strlen(line->text) + strlen(line->job);
    if (e->to && wire_encode_log(e->to, line))
        abort();
    return 0;
}

static int
echo_gap(void *ctx, const struct gap *gap)
{
    struct echo *e = ctx;
    e->calls++;
    if (e->to && wire_encode_gap(e->to, gap))
        abort();
    return 0;
}

static int
echo_inventory(void *ctx, const char *json, size_t len)
{
    struct echo *e = ctx;
    e->calls++;
    if (strlen(json) != len || (e->to && wire_encode_inventory(e->to, json, len)))
        abort();
    return 0;
}

static int
decode(const void *data, size_t len, struct echo *e)
{
    struct wire_handler h = {.head = echo_head,
                             .samples = echo_samples,
                             .event = echo_event,
                             .log = echo_log,
                             .gap = echo_gap,
                             .inventory = echo_inventory,
                             .ctx = e};
    struct err err = {0};
    int rc = wire_decode(data, len, &h, &err);
    if (rc && (!err.text[0] || e->calls))
        abort();
    return rc;
}

static void
seal(const uint8_t *raw, size_t len, struct buf *batch)
{
    buf_append(batch, "MSB1\0\0\0\0", 8);
    for (size_t i = 0; i < 4; i++)
        buf_putc(batch, (char)(len >> 8 * i));
    compress_zstd(raw, len, 1, batch);
    uint32_t crc = crc32c(0, batch->data + 8, batch->len - 8);
    for (size_t i = 0; i < 4; i++)
        batch->data[4 + i] = (char)(crc >> 8 * i);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 1 << 16)
        return 0;
    struct buf batch, again;
    struct echo first = {.to = wire_encoder_new()}, second = {0};
    buf_init(&batch, 1 << 20);
    buf_init(&again, 1 << 25);
    if (data[0] & 1)
        buf_append(&batch, data + 1, size - 1);
    else
        seal(data + 1, size - 1, &batch);
    if (!decode(buf_str(&batch), batch.len, &first)) {
        if (wire_encode_end(first.to, &again) || decode(again.data, again.len, &second) ||
            first.calls != second.calls)
            abort();
    }
    wire_encoder_free(first.to);
    buf_done(&batch);
    buf_done(&again);
    return 0;
}
