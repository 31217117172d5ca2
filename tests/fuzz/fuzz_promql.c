/* Queries of any bytes: parsed, written out, read back the same, and evaluated over a few series
 * with low ceilings. */
#include "tests/store/fake_series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_evaluate(const struct promql *q)
{
    static const struct promql_options few = {.max_samples = 20000, .timeout_ms = 200};
    struct store s = {0};
    struct fake_series *f = fake_series(&s, "foo{a=\"b\",le=\"1\"}"),
                       *g = fake_series(&s, "foo{a=\"c\",le=\"+Inf\"}");
    struct promql_result r;
    struct buf out;
    for (int i = 0; i < 20; i++) {
        fake_add(f, i * 15000, i % 7);
        fake_add(g, i * 15000 + 7, i == 9 ? sample_stale() : 3 * i);
    }
    buf_init(&out, 1 << 20);
    if (!promql_instant(&s, q, 200000, &few, &r, NULL)) {
        promql_result_json(&r, &out);
        promql_result_done(&r);
    }
    if (!promql_range(&s, q, 0, 300000, 20000, &few, &r, NULL))
        promql_result_done(&r);
    buf_done(&out);
    fake_done(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct promql *q = NULL, *again = NULL;
    struct buf out, second;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    int rc = promql_parse(text, &q, NULL);
    free(text);
    if (rc)
        return 0;
    buf_init(&out, 1 << 20);
    buf_init(&second, 1 << 20);
    if (!promql_format(q, &out) && !promql_parse(buf_str(&out), &again, NULL)) {
        promql_format(again, &second);
        /* "+Inf ^ x" reads back as +(Inf ^ x), in Prometheus too */
        if (strcmp(buf_str(&out), buf_str(&second)) && !strstr(buf_str(&out), "+Inf"))
            abort();
        promql_free(again);
    }
    promql_pretty(q, &second);
    fuzz_evaluate(q);
    promql_free(q);
    buf_done(&out);
    buf_done(&second);
    return 0;
}
