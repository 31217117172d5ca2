/* Answers of an engine elsewhere, of any bytes: label sets come sorted and within their limits. */
#include "store/remote_priv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
fuzz_row(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    (void)ctx;
    for (size_t i = 1; i < l->count; i++)
        if (!l->at[i].value_len || !l->at[i].name_len)
            abort();
    for (size_t i = 0; i < n; i++)
        if (s[i].t_ms > INT64_C(10000000000000000) || s[i].t_ms < -INT64_C(10000000000000000))
            abort();
    return 0;
}

static int
fuzz_word(void *ctx, const char *word)
{
    (void)ctx;
    return *word == '!' ? ERR_CLOSED : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct remote_answer_sink sink = {.row = fuzz_row, .word = fuzz_word, .max_samples = 1000};
    char text[300];
    remote_answer_parse((const char *)data, size, &sink, NULL);
    remote_answer_error((const char *)data, size, text, sizeof text);
    return 0;
}
