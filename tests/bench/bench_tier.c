/* bench_tier: a chart of many days from raw samples and from tiers, and what filling them costs.
 *
 * bench_tier [SERIES [DAYS [STEP_S]]]: 1000 series, 90 days, a sample a minute. */
#include "base/clock.h"
#include "store/promql/promql.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DAY INT64_C(86400000)

static int64_t bench_clock_ms;

static int64_t
bench_now(void *ctx)
{
    (void)ctx;
    return bench_clock_ms;
}

static double
bench_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
           (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static void
bench_die(const char *what, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(1);
}

static void
bench_day(struct store *s, int series, int64_t start, int64_t step_ms, double *counters)
{
    size_t n = (size_t)(DAY / step_ms);
    struct sample *at = malloc(n * sizeof *at);
    struct err err;
    for (int i = 0; i < series;) {
        struct store_batch *b = store_batch_new(s);
        for (; i < series && store_batch_size(b) < (24 << 20); i++) {
            struct labels l = {0};
            char node[16];
            snprintf(node, sizeof node, "n%04d", i);
            labels_add_str(&l, "__name__", i % 2 ? "requests_total" : "power_watts");
            labels_add_str(&l, "node", node);
            labels_finish(&l);
            for (size_t k = 0; k < n; k++) {
                counters[i] += rand() % 100;
                at[k] = (struct sample){start + (int64_t)k * step_ms + i % 1000,
                                        i % 2 ? counters[i] : 600 + (double)(rand() % 800) / 8};
            }
            if (store_batch_samples(b, &l, at, n))
                break;
        }
        if (store_commit(s, b, NULL, &err))
            bench_die("commit", &err);
    }
    free(at);
    if (store_flush(s, &err))
        bench_die("flush", &err);
}

static void
bench_ask(struct store *s, const char *text, int days, int64_t end, const char *what)
{
    struct promql_options o = {.max_samples = (size_t)4 << 30, .timeout_ms = 600000};
    struct promql_result r;
    struct promql *q;
    struct err err;
    int64_t from = end - (days - 1) * DAY;
    double best = 1e9, cpu = 0;
    for (int i = 0; i < (*what == 'r' ? 1 : 3); i++) {
        int64_t t = clock_mono_us();
        double c = bench_cpu();
        if (promql_parse(text, &q, &err) ||
            promql_range(s, q, from, end, 6 * 3600000, &o, &r, &err))
            bench_die(text, &err);
        double took = (double)(clock_mono_us() - t) / 1000;
        if (took < best) {
            best = took;
            cpu = bench_cpu() - c;
        }
        promql_free(q);
        if (i == 0)
            printf("%-6s %-44s %5zu series", what, text, r.set.count);
        promql_result_done(&r);
    }
    printf(" %9.1f ms %8.1f ms CPU\n", best, cpu * 1000);
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    static const char *const texts[] = {"power_watts", "avg(max_over_time(power_watts[6h]))",
                                        "sum(rate(requests_total[6h]))",
                                        "avg_over_time(power_watts[1d])"};
    int series = argc > 1 ? atoi(argv[1]) : 1000, days = argc > 2 ? atoi(argv[2]) : 90;
    int64_t step_ms = argc > 3 ? atoi(argv[3]) * 1000 : 60000, start = INT64_C(1780012800000);
    char folder[] = "/tmp/ms-bench-tier-XXXXXX", cmd[256];
    struct clock clock = {bench_now, NULL};
    struct store_config cfg = {
        .folder = mkdtemp(folder), .clock = &clock, .retention_ms = 400 * DAY};
    struct store *s;
    struct err err;
    double *counters = calloc((size_t)series, sizeof *counters);
    start = start / DAY * DAY;
    bench_clock_ms = start;
    if (store_open(&cfg, &s, &err))
        bench_die("open", &err);
    for (int d = 0; d < days; d++) {
        bench_clock_ms = start + (d + 1) * DAY;
        bench_day(s, series, start + d * DAY, step_ms, counters);
    }
    int64_t end = start + days * DAY;
    double samples = (double)series * days * (double)(DAY / step_ms);
    printf("%d series, %d days, every %lld s: %.0f M samples\n", series, days,
           (long long)step_ms / 1000, samples / 1e6);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bench_ask(s, texts[i], days, end, "raw");
    bench_clock_ms = end + DAY / 12;
    double cpu = bench_cpu();
    int64_t t = clock_mono_us();
    if (store_fill_tiers(s, &err))
        bench_die("fill", &err);
    printf("filling both tiers: %.1f s, %.3f us CPU a sample\n",
           (double)(clock_mono_us() - t) / 1e6, (bench_cpu() - cpu) * 1e6 / samples);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bench_ask(s, texts[i], days, end, "tier");
    fflush(stdout);
    snprintf(cmd, sizeof cmd, "cd %s && du -ch day-* | tail -1; du -ch tier-5m-* | tail -1",
             folder);
    if (system(cmd))
        return 1;
    snprintf(cmd, sizeof cmd, "cd %s && du -ch tier-1h-* | tail -1", folder);
    if (system(cmd))
        return 1;
    store_close(s);
    free(counters);
    snprintf(cmd, sizeof cmd, "rm -rf %s", folder);
    return system(cmd) != 0;
}
