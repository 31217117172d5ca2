/* bench_overview: what the pages of a site of 18,432 accelerators cost over HTTP: 36 groups of 64
 * nodes, ten series an accelerator, two minutes of samples at 15 s, twelve jobs; with the argument
 * "all" also what adapters, switch ports and optical modules (four lanes) send: 460,000 series
 * more. Each answer is asked cold (views four seconds old, so that all is worked out anew) and
 * warm; the median of five is printed. Not a test. */
#include "tests/web/web_test.h"

#define BENCH_NODES 2304
#define BENCH_GPUS  8
#define BENCH_STEPS 8

static const char *const bench_names[] = {
    "DCGM_FI_DEV_GPU_UTIL",          "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_MEMORY_TEMP",       "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_SM_CLOCK",          "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_XID_ERRORS",        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"};

static struct web_test t;

static void
bench_gpu(struct store_batch *b, const char *node, int gpu, int64_t now, int step)
{
    char index[8], uuid[64];
    snprintf(index, sizeof index, "%d", gpu);
    snprintf(uuid, sizeof uuid, "GPU-%s-%d", node, gpu);
    for (size_t i = 0; i < sizeof bench_names / sizeof *bench_names; i++) {
        struct labels l = {0};
        struct sample s = {now - (BENCH_STEPS - 1 - step) * 15000, 50 + (double)(i + (size_t)gpu)};
        labels_add_str(&l, "__name__", bench_names[i]);
        labels_add_str(&l, "Hostname", node);
        labels_add_str(&l, "gpu", index);
        labels_add_str(&l, "UUID", uuid);
        labels_add_str(&l, "modelName", "NVIDIA H100 80GB HBM3");
        labels_finish(&l);
        store_batch_samples(b, &l, &s, 1);
    }
}

static void
bench_feed(int64_t now, int step)
{
    char node[32];
    for (int n = 1; n <= BENCH_NODES; n += 64) {
        struct store_batch *b = store_batch_new(t.store);
        for (int k = 0; k < 64; k++) {
            snprintf(node, sizeof node, "node%05d", n + k);
            for (int g = 0; g < BENCH_GPUS; g++)
                bench_gpu(b, node, g, now, step);
        }
        store_commit(t.store, b, NULL, NULL);
    }
}

static void
bench_series(struct store_batch *b, const char *name, const char *owner, const char *label,
             const char *part, const char *lane, int64_t t_ms, double v)
{
    struct labels l = {0};
    struct sample s = {t_ms, v};
    labels_add_str(&l, "__name__", name);
    labels_add_str(&l, "node", owner);
    labels_add_str(&l, label, part);
    if (lane)
        labels_add_str(&l, "lane", lane);
    labels_finish(&l);
    store_batch_samples(b, &l, &s, 1);
}

/* Of one entity: "kind:owner/part". */
static void
bench_entity(struct store_batch *b, enum entity_kind kind, const char *entity, int64_t t_ms)
{
    static const char *const lanes[] = {"0", "1", "2", "3"};
    struct entity e;
    char owner[ENTITY_SIZE];
    if (entity_parse(entity, &e, NULL) || !e.part)
        return;
    snprintf(owner, sizeof owner, "%.*s", (int)e.owner_len, e.name);
    if (kind == ENTITY_NIC) {
        bench_series(b, "node_infiniband_state_id", owner, "device", e.part, NULL, t_ms, 4);
        bench_series(b, "node_infiniband_port_data_received_bytes_total", owner, "device", e.part,
                     NULL, t_ms, (double)t_ms);
        bench_series(b, "node_infiniband_port_data_transmitted_bytes_total", owner, "device",
                     e.part, NULL, t_ms, (double)t_ms);
    } else if (kind == ENTITY_PORT) {
        bench_series(b, "ifOperStatus", owner, "ifName", e.part, NULL, t_ms, 1);
        bench_series(b, "ifHCInOctets", owner, "ifName", e.part, NULL, t_ms, (double)t_ms);
    } else {
        for (size_t i = 0; i < 4; i++)
            bench_series(b, "optic_rx_power_dbm", owner, "port", e.part, lanes[i], t_ms, -2);
    }
}

static void
bench_network(int64_t now)
{
    static const enum entity_kind kinds[] = {ENTITY_NIC, ENTITY_PORT, ENTITY_OPTIC};
    struct topo *topo = topo_get(t.store);
    for (int step = 0; step < 4; step++)
        for (size_t k = 0; k < 3; k++) {
            size_t n;
            const topo_id *ids = topo_of_kind(topo, kinds[k], &n);
            for (size_t i = 0; i < n; i += 4096) {
                struct store_batch *b = store_batch_new(t.store);
                for (size_t j = i; j < n && j < i + 4096; j++)
                    bench_entity(b, kinds[k], topo_name(topo, ids[j]), now - (3 - step) * 15000);
                store_commit(t.store, b, NULL, NULL);
            }
        }
    topo_put(topo);
}

static int
bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double
bench_once(const char *path, size_t *ret_bytes)
{
    char url[512];
    struct httpc_response r;
    snprintf(url, sizeof url, "%s%s", t.base, path);
    struct httpc_request q = {.url = url, .max_body = (size_t)256 << 20, .timeout_ms = 60000};
    int64_t start = clock_mono_us();
    if (httpc_fetch(t.client, &q, &r, NULL)) {
        printf("%s: no answer\n", path);
        return 0;
    }
    double ms = (double)(clock_mono_us() - start) / 1000;
    if (r.status != 200)
        printf("%s: %d %.200s\n", path, r.status, buf_str(&r.body));
    *ret_bytes = r.body.len;
    httpc_response_done(&r);
    return ms;
}

static void
bench_path(const char *path, bool views)
{
    double cold[5], warm[5];
    size_t bytes = 0;
    for (int i = 0; i < 5; i++) {
        if (views)
            sleep(4);
        cold[i] = bench_once(path, &bytes);
        warm[i] = bench_once(path, &bytes);
    }
    qsort(cold, 5, sizeof *cold, bench_order);
    qsort(warm, 5, sizeof *warm, bench_order);
    printf("%-58s %9zu bytes  cold %8.1f ms  warm %8.1f ms\n", path, bytes, cold[2], warm[2]);
    fflush(stdout);
}

/* A check of named nodes, over HTTP; the first of a plan places every series. */
static void
bench_check(const char *nodes)
{
    char url[128], body[160];
    double ms[6] = {0};
    size_t bytes = 0;
    snprintf(url, sizeof url, "%s/api/v1/checks", t.base);
    snprintf(body, sizeof body, "{\"profile\":\"prejob\",\"scope\":{\"nodes\":\"%s\"}}", nodes);
    for (int i = 0; i < 6; i++) {
        static const char *const headers[] = {"Content-Type: application/json",
                                              "X-Requested-With: bench", NULL};
        struct httpc_response r;
        struct httpc_request q = {.url = url,
                                  .method = "POST",
                                  .headers = headers,
                                  .body = body,
                                  .body_len = strlen(body),
                                  .max_body = (size_t)256 << 20,
                                  .timeout_ms = 60000};
        int64_t start = clock_mono_us();
        if (httpc_fetch(t.client, &q, &r, NULL))
            return;
        ms[i] = (double)(clock_mono_us() - start) / 1000;
        if (r.status != 200)
            printf("check: %d %.200s\n", r.status, buf_str(&r.body));
        bytes = r.body.len;
        httpc_response_done(&r);
    }
    qsort(ms + 1, 5, sizeof *ms, bench_order);
    printf("check of %-49s %9zu bytes  first %7.1f ms  then %8.1f ms\n", nodes, bytes, ms[0],
           ms[3]);
}

int
main(int argc, char **argv)
{
    char id[16], nodes[64];
    (void)argv;
    web_test_open(&t);
    int64_t start = clock_mono_us();
    web_test_topology(
        &t, "cluster: {name: demo}\nfabric: {kind: rail-spine-leaf, groups: 36, nodes_per_group: "
            "64, rails: 8, spines: 64, gpus: {count: 8, vendor: nvidia, model: H100}}\n");
    printf("topology   %8.1f ms\n", (double)(clock_mono_us() - start) / 1000);
    start = clock_mono_us();
    t.now = clock_now_ms(NULL);
    for (int step = 0; step < BENCH_STEPS; step++)
        bench_feed(t.now, step);
    bool all = argc > 1;
    if (all)
        bench_network(t.now);
    printf("feed       %8.1f ms for %d samples of accelerators\n",
           (double)(clock_mono_us() - start) / 1000, BENCH_STEPS * BENCH_NODES * BENCH_GPUS * 10);
    for (int j = 0; j < 12; j++) {
        snprintf(id, sizeof id, "%d", 4711 + j);
        snprintf(nodes, sizeof nodes, "node[%05d-%05d]", j * 192 + 1, (j + 1) * 192);
        web_test_job(&t, id, "t1", "running", nodes, t.now - 3600000, 0);
    }
    web_test_incident(&t, "inc-1", "gpu:node00001/3", "critical", "gpu", "4711", "t1",
                      t.now - 60000, 0);
    topo_settle(t.store);
    bench_check("node[00001-00256]");
    bench_check("node[00001-02304]");
    bench_path("/api/v1/overview", true);
    bench_path("/api/v1/fleet?measure=gpu_temperature", true);
    bench_path("/api/v1/fleet/topology", true);
    bench_path("/api/v1/jobs", true);
    bench_path("/api/v1/jobs/4711/path", true);
    bench_path("/api/v1/search?q=node017", false);
    bench_path("/api/v1/search?q=17/Eth", false);
    bench_path("/api/v1/devices?kind=gpu&health=critical", false);
    bench_path("/api/v1/devices/node:node00001", false);
    bench_path("/api/v1/analysis?measure=gpu_temperature&by=rack", false);
    web_test_close(&t);
    return 0;
}
