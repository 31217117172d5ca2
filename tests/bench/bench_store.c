/* bench_store: what the series store costs, printed: CPU and bytes a sample, memory a series, and
 * the time of the questions a fleet's dashboards ask. One process, the data of a GPU fleet, batches
 * as agents send them.
 *
 *   bench_store [NODES] [STEPS] [FOLDER]     8 GPUs a node, 10 metrics a GPU, a step every 15 s */
#include "base/str.h"
#include "store/series.h"
#include "store/store_priv.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { GPUS = 8, METRICS = 10, PRODUCERS = 4, NODES_A_BATCH = 16 };

static const char *const metrics[METRICS] = {
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_XID_ERRORS",
};

struct bench {
    struct store *s;
    unsigned nodes, steps;
    int64_t start_ms;
    double *values; /* nodes x GPUS x METRICS */
    pthread_barrier_t step;
};

struct producer {
    struct bench *b;
    unsigned number;
    uint64_t rng;
};

static double
cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double
uniform(uint64_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return (double)(*rng >> 11) / 9007199254740992.0;
}

/* Counters, slow integers, noisy decimals and constants, as a fleet has them. */
static double
next_value(unsigned m, double v, uint64_t *rng)
{
    double u = uniform(rng);
    switch (m) {
    case 0:
        return (double)(int)(90 + 10 * u);
    case 1:
        return u < 0.1 ? v + 1 : u > 0.9 ? v - 1 : v;
    case 2:
        return (double)(int)((600 + 80 * u) * 1000) / 1000;
    case 3:
        return u < 0.02 ? v + 2 : v;
    case 4:
        return u < 0.05 ? 1965 : 1980;
    case 5:
        return v + (double)(int)(9000000 + 1000000 * u);
    case 6:
        return (double)(int)((0.35 + 0.1 * u) * 1e6) / 1e6;
    case 7:
        return v + (double)(int64_t)(4e11 * (0.9 + 0.1 * u));
    default:
        return v;
    }
}

static void
add_node(struct producer *p, struct store_batch *batch, unsigned node, unsigned step)
{
    char host[16], device[16], instance[32], pod[16];
    snprintf(host, sizeof host, "node%05u", node);
    snprintf(instance, sizeof instance, "node%05u:9400", node);
    snprintf(pod, sizeof pod, "pod%02u", node / 128);
    for (unsigned i = 0; i < GPUS * METRICS; i++) {
        unsigned g = i / METRICS, m = i % METRICS;
        struct labels l = {0};
        snprintf(device, sizeof device, "nvidia%u", g);
        labels_add_str(&l, "Hostname", host);
        labels_add_str(&l, "__name__", metrics[m]);
        labels_add_str(&l, "device", device);
        labels_add_str(&l, "gpu", device + 6);
        labels_add_str(&l, "instance", instance);
        labels_add_str(&l, "job", "dcgm");
        labels_add_str(&l, "modelName", "NVIDIA H100 80GB HBM3");
        labels_add_str(&l, "pod", pod);
        labels_finish(&l);
        double *v = &p->b->values[node * GPUS * METRICS + i];
        *v = next_value(m, *v, &p->rng);
        struct sample x = {p->b->start_ms + (int64_t)step * 15000 + (node * 7919) % 15000, *v};
        store_batch_samples(batch, &l, &x, 1);
    }
}

static void *
producer_main(void *arg)
{
    struct producer *p = arg;
    struct bench *b = p->b;
    for (unsigned step = 0; step < b->steps; step++) {
        for (unsigned from = p->number * NODES_A_BATCH; from < b->nodes;
             from += PRODUCERS * NODES_A_BATCH) {
            struct store_batch *batch = store_batch_new(b->s);
            for (unsigned n = from; n < from + NODES_A_BATCH && n < b->nodes; n++)
                add_node(p, batch, n, step);
            if (store_commit(b->s, batch, NULL, NULL))
                exit(1);
        }
        pthread_barrier_wait(&b->step);
    }
    return NULL;
}

static void
feed(struct bench *b)
{
    pthread_t t[PRODUCERS];
    struct producer p[PRODUCERS];
    pthread_barrier_init(&b->step, NULL, PRODUCERS);
    for (unsigned i = 0; i < PRODUCERS; i++) {
        p[i] = (struct producer){b, i, 88172645463325252u + i};
        pthread_create(&t[i], NULL, producer_main, &p[i]);
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        pthread_join(t[i], NULL);
    pthread_barrier_destroy(&b->step);
}

static void
ask(struct bench *b, const char *what, bool latest, const struct matcher *m, size_t n,
    int64_t window_ms)
{
    int64_t end = b->start_ms + (int64_t)b->steps * 15000, best = INT64_MAX;
    struct series_set set = {0};
    size_t rows = 0, samples = 0;
    for (int i = 0; i < 5; i++) {
        int64_t t = clock_mono_us();
        int rc = latest ? store_latest(b->s, m, n, end, window_ms, NULL, &set, NULL)
                        : store_select(b->s, m, n, end - window_ms, end, NULL, &set, NULL);
        if (rc)
            exit(1);
        t = clock_mono_us() - t;
        best = t < best ? t : best;
        rows = set.count;
        samples = 0;
        for (size_t k = 0; k < set.count; k++)
            samples += set.rows[k].count;
        series_set_done(&set);
    }
    printf("  %-44s %9.2f ms  %8zu series %10zu samples\n", what, (double)best / 1000, rows,
           samples);
}

static void
questions(struct bench *b, const char *title)
{
    struct matcher one[] = {{MATCH_EQ, "__name__", metrics[1]},
                            {MATCH_EQ, "Hostname", "node00001"},
                            {MATCH_EQ, "gpu", "3"}};
    struct matcher fleet = {MATCH_RE, "__name__", "DCGM_FI_.*"};
    printf("%s\n", title);
    ask(b, "latest of one series", true, one, 3, 300000);
    ask(b, "latest of one metric, fleet", true, one, 1, 300000);
    ask(b, "latest of ten metrics, fleet", true, &fleet, 1, 300000);
    ask(b, "one series, whole", false, one, 3, 86400000);
    ask(b, "one node, whole", false, one + 1, 1, 86400000);
    ask(b, "one metric of the fleet, 5 min", false, one, 1, 300000);
    ask(b, "one metric of the fleet, whole", false, one, 1, 86400000);
}

static void
open_store(struct bench *b, const char *folder)
{
    struct err err;
    int64_t t = clock_mono_us();
    struct store_config cfg = {.folder = folder};
    if (store_open(&cfg, &b->s, &err)) {
        fprintf(stderr, "bench_store: %s\n", err.text);
        exit(1);
    }
    printf("open: %.0f ms\n", (double)(clock_mono_us() - t) / 1000);
}

int
main(int argc, char **argv)
{
    struct bench b = {.nodes = argc > 1 ? (unsigned)atoi(argv[1]) : 2304,
                      .steps = argc > 2 ? (unsigned)atoi(argv[2]) : 40};
    char folder[256] = "/tmp/ms-bench-XXXXXX", cmd[300];
    if (argc > 3)
        str_copy(folder, sizeof folder, argv[3]);
    else if (!mkdtemp(folder))
        return 1;
    size_t series = (size_t)b.nodes * GPUS * METRICS;
    b.values = calloc(series, sizeof *b.values);
    b.start_ms = clock_now_ms(NULL) - (int64_t)b.steps * 15000;
    open_store(&b, folder);
    double cpu = cpu_s();
    int64_t wall = clock_mono_us();
    feed(&b);
    double n = (double)series * b.steps, cpu_feed = cpu_s() - cpu;
    printf("commit: %.0f samples/s, %.3f us CPU a sample (its producers' work in it)\n",
           n / ((double)(clock_mono_us() - wall) / 1e6), cpu_feed / n * 1e6);
    struct store_stats st;
    store_stats_get(b.s, &st);
    printf("memory: index %.0f + samples %.0f bytes a series (%u samples each); journal %.2f bytes "
           "a sample\n",
           (double)b.s->index->bytes / (double)series,
           (double)b.s->index->block_bytes / (double)series, b.steps, (double)st.journal_bytes / n);
    questions(&b, "in memory:");
    cpu = cpu_s();
    wall = clock_mono_us();
    if (store_flush(b.s, NULL))
        return 1;
    printf("fill of day files: %.2f s, %.3f us CPU a sample\n",
           (double)(clock_mono_us() - wall) / 1e6, (cpu_s() - cpu) / n * 1e6);
    if (store_compact(b.s, NULL))
        return 1;
    store_stats_get(b.s, &st);
    printf("disk: %.2f bytes a sample in day files, journal %.0f KiB\n", (double)st.day_bytes / n,
           (double)st.journal_bytes / 1024);
    store_close(b.s);
    malloc_trim(0);
    open_store(&b, folder);
    questions(&b, "after a restart:");
    store_close(b.s);
    free(b.values);
    snprintf(cmd, sizeof cmd, "rm -rf %s", folder);
    return argc > 3 ? 0 : system(cmd);
}
