/* fuzz_exposition: hostile exporter texts; what is handed on keeps the promises of base/sample.h.
 */
#include "base/exposition.h"
#include "base/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_series(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    (void)ctx, (void)s;
    struct labels again = *l;
    if (n != 1 || !labels_find(l, "__name__") || labels_finish(&again))
        abort();
    for (size_t i = 0; i < l->count; i++)
        if (!l->at[i].value_len || !str_utf8_ok(l->at[i].value, l->at[i].value_len))
            abort();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample_sink sink = {.series = on_series, .ctx = NULL};
    struct err err = {0};
    if (exposition_parse((const char *)data, size, 0, &sink, &err) && !err.line)
        abort();
    return 0;
}
