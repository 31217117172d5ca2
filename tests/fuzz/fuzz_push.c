/* fuzz_push: bodies of the protocols that are pushed to us: remote_write, Loki and OTLP, packed or
 * not, protobuf or JSON. The first byte chooses. What the sinks get is well-formed. */
#include "base/compress.h"
#include "base/str.h"
#include "collector/loki.h"
#include "collector/otlp.h"
#include "collector/remote_write.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
fuzz_push_series(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    (void)ctx, (void)s;
    if (!n || l->count > LABELS_MAX || !labels_find(l, "__name__"))
        abort();
    for (size_t i = 0; i < l->count; i++)
        if (!l->at[i].value_len || !str_utf8_ok(l->at[i].value, l->at[i].value_len))
            abort();
    return 0;
}

static int
fuzz_push_line(void *ctx, const struct log_line *line)
{
    (void)ctx;
    if (!line->node || !line->job || !line->source || !line->tenant || line->rank < -1 ||
        !str_utf8_ok(line->text, strlen(line->text)))
        abort();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample_sink series = {.series = fuzz_push_series, .ctx = NULL};
    struct loki_sink lines = {fuzz_push_line, NULL};
    struct remote_write_counts counts;
    struct otlp_counts taken;
    struct buf packed;
    struct err err;
    uint64_t n;
    if (!size)
        return 0;
    const uint8_t *body = data + 1;
    size_t len = size - 1;
    char *text = strndup((const char *)body, len);
    buf_init(&packed, 1 << 20);
    switch (data[0] % 7) {
    case 0:
        remote_write_decode_raw(body, len, &series, &counts, &err);
        break;
    case 1:
        remote_write_decode(body, len, &packed, &series, &counts, &err);
        break;
    case 2:
        if (!compress_snappy(body, len, &packed))
            loki_decode_protobuf(buf_str(&packed), packed.len, &lines, &n, &err);
        break;
    case 3:
        loki_decode_json(text, strlen(text), &lines, &n, &err);
        break;
    case 4:
        otlp_decode_metrics(body, len, false, 1, &series, &taken, &err);
        break;
    case 5:
        otlp_decode_logs(body, len, false, 1, &lines, &taken, &err);
        break;
    default:
        otlp_decode_metrics(text, strlen(text), true, 1, &series, &taken, &err);
        otlp_decode_logs(text, strlen(text), true, 1, &lines, &taken, &err);
    }
    buf_done(&packed);
    free(text);
    return 0;
}
