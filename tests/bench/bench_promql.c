/* bench_promql: what the engine costs at 18,432 series, store left aside: instant and 1 h range (15
 * s). One line a query. */
#include "base/clock.h"
#include "tests/store/fake_series.h"

#define BENCH_T0    INT64_C(1700000100000)
#define BENCH_STEPS 480

static void
bench_fill(struct store *s, unsigned series)
{
    char text[200];
    for (unsigned i = 0; i < series; i++) {
        snprintf(text, sizeof text,
                 "util{Hostname=\"node%05u\",UUID=\"GPU-%08u\",device=\"nvidia%u\",gpu=\"%u\","
                 "modelName=\"H100\",pod=\"p%u\"}",
                 i / 8, i * 77u, i % 8, i % 8, i / 512);
        struct fake_series *f = fake_series(s, text);
        for (int k = 0; k < BENCH_STEPS; k++)
            fake_add(f, BENCH_T0 + k * 15000,
                     (double)((i * 7 + (unsigned)k * 3) % 100) + (double)k * 100);
    }
}

static void
bench_run(struct store *s, const char *query, int64_t range_ms)
{
    struct promql *q;
    struct promql_result r;
    struct buf out;
    struct err err;
    int64_t end = BENCH_T0 + BENCH_STEPS * 15000 - 1000, best = INT64_MAX, json = 0;
    size_t bytes = 0;
    if (promql_parse(query, &q, &err))
        return;
    for (int i = 0; i < 3; i++) {
        int64_t start = clock_mono_us();
        int rc = range_ms ? promql_range(s, q, end - range_ms, end, 15000, NULL, &r, &err)
                          : promql_instant(s, q, end, NULL, &r, &err);
        int64_t took = clock_mono_us() - start;
        if (rc) {
            printf("%s: %s\n", query, err.text);
            break;
        }
        best = took < best ? took : best;
        buf_init(&out, (size_t)1 << 30);
        start = clock_mono_us();
        promql_result_json(&r, &out);
        json = clock_mono_us() - start;
        bytes = out.len;
        buf_done(&out);
        promql_result_done(&r);
    }
    printf("%-50s %5s %8.1f ms, JSON %6.1f ms, %zu bytes\n", query, range_ms ? "1h" : "now",
           (double)best / 1000, (double)json / 1000, bytes);
    promql_free(q);
}

int
main(int argc, char **argv)
{
    static const char *const queries[] = {"util",
                                          "sum by (pod) (util)",
                                          "avg by (pod) (util)",
                                          "topk(10, util)",
                                          "sum(rate(util[5m]))",
                                          "max_over_time(util[1h])",
                                          "util > 50",
                                          "util / on(UUID) util",
                                          "quantile by (pod) (0.9, util)",
                                          "avg_over_time(util[10m])"};
    struct store s = {0};
    bench_fill(&s, argc > 1 ? (unsigned)atoi(argv[1]) : 18432);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        bench_run(&s, queries[i], 0);
        bench_run(&s, queries[i], 3600000);
    }
    fake_done(&s);
    return 0;
}
