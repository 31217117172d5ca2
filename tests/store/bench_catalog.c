/* bench_catalog: what searching 200,000 devices, building a fabric of 2,304 nodes and changing its
 * jobs cost. Prints one line a measure; not a test. */
#include "base/clock.h"
#include "store/catalog_priv.h"
#include "store/devices.h"
#include "store/jobs.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES 200000
#define BATCH   1000

static const char fabric[] = "cluster: {name: demo}\n"
                             "fabric: {kind: rail-spine-leaf, groups: 36, nodes_per_group: 64, "
                             "rails: 8, spines: 64, gpus: {count: 8, model: H100}}\n";

static int
bench_fill(struct store *s)
{
    static char ids[BATCH][64], json[BATCH][512];
    static struct catalog_change ch[BATCH];
    for (unsigned done = 0; done < DEVICES; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            unsigned n = done + i;
            snprintf(ids[i], sizeof ids[i], "gpu:node%05u/%u", n / 8 + 1, n % 8);
            snprintf(json[i], sizeof json[i],
                     "{\"entity\":\"%.63s\",\"vendor\":\"nvidia\",\"model\":\"H100\",\"serial\":"
                     "\"SN%08u\",\"rack\":\"r%03u\"}",
                     ids[i], n * 7919u, n / 64);
            ch[i].op = CATALOG_PUT;
            ch[i].doc = (struct catalog_doc){.kind = "device",
                                             .id = ids[i],
                                             .state = n % 100 ? "active" : "maintenance",
                                             .time_ms = n,
                                             .json = json[i],
                                             .json_len = strlen(json[i])};
        }
        if (catalog_apply(s, ch, BATCH, NULL, NULL) < 0)
            return -1;
    }
    return 0;
}

static int
bench_row(void *ctx, const struct catalog_doc *d)
{
    (void)d;
    ++*(int *)ctx;
    return 0;
}

static void
bench_search(struct store *s, const char *what, struct catalog_query q)
{
    int64_t best = INT64_MAX, worst = 0;
    int rows = 0;
    q.kind = "device";
    for (int i = 0; i < 7; i++) {
        int64_t start = clock_mono_us();
        rows = 0;
        catalog_list(s, &q, bench_row, &rows, NULL, NULL);
        int64_t took = clock_mono_us() - start;
        best = took < best ? took : best;
        worst = took > worst ? took : worst;
    }
    printf("search %-28s %4d rows, best %6.2f ms, worst %6.2f ms\n", what, rows, (double)best / 1e3,
           (double)worst / 1e3);
}

static void
bench_catalog(struct store *s)
{
    int64_t start = clock_mono_us();
    if (bench_fill(s) < 0)
        printf("the catalog could not be filled\n");
    double seconds = (double)(clock_mono_us() - start) / 1e6;
    printf("put %d devices: %.1f s, %.0f a second\n", DEVICES, seconds, DEVICES / seconds);
    bench_search(s, "node00017", (struct catalog_query){.text = "node00017"});
    bench_search(s, "n (all)", (struct catalog_query){.text = "n"});
    bench_search(s, "node (all)", (struct catalog_query){.text = "node"});
    bench_search(s, "node0 (most)", (struct catalog_query){.text = "node0"});
    bench_search(s, "nvidia h100 sn00", (struct catalog_query){.text = "nvidia h100 sn00"});
    bench_search(s, "r001", (struct catalog_query){.text = "r001"});
    bench_search(s, "nobody", (struct catalog_query){.text = "nobody"});
    bench_search(s, "node + maintenance",
                 (struct catalog_query){.text = "node", .state = "maintenance"});
    bench_search(s, "no text, by id",
                 (struct catalog_query){.by_id = true, .id_prefix = "gpu:node01"});
}

static int
bench_device(void *ctx, const struct device *d)
{
    (void)d;
    ++*(int *)ctx;
    return 0;
}

static void
bench_view(struct store *s, const char *what, struct device_query q)
{
    int64_t best = INT64_MAX;
    size_t total = 0;
    int rows = 0;
    for (int i = 0; i < 5; i++) {
        int64_t start = clock_mono_us();
        rows = 0;
        device_list(s, &q, bench_device, &rows, NULL, &total, NULL);
        int64_t took = clock_mono_us() - start;
        best = took < best ? took : best;
    }
    printf("view %-30s %4d of %zu, best %6.2f ms\n", what, rows, total, (double)best / 1e3);
}

static void
bench_topology(struct store *s)
{
    int64_t start = clock_mono_us();
    struct topo *t;
    char json[128];
    topo_put_document(s, fabric, strlen(fabric), "bench", NULL);
    t = topo_get(s);
    printf("document of 2,304 nodes in force: %.0f ms, %zu entities\n",
           (double)(clock_mono_us() - start) / 1e3, topo_count(t));
    topo_put(t);
    snprintf(json, sizeof json, "{\"state\":\"running\",\"nodes\":\"node[00001-02304]\"}");
    job_put(s, "1", json, strlen(json), false, NULL, NULL);
    topo_put(topo_get(s));
    for (int i = 0; i < 3; i++) {
        job_put(s, "2", json, strlen(json), false, NULL, NULL);
        start = clock_mono_us();
        topo_put(topo_get(s));
        printf("a job changes: %.2f ms\n", (double)(clock_mono_us() - start) / 1e3);
    }
    bench_view(s, "all", (struct device_query){0});
    bench_view(s, "node00017", (struct device_query){.text = "node00017"});
    bench_view(s, "h100 node01", (struct device_query){.text = "h100 node01"});
    bench_view(s, "nobody", (struct device_query){.text = "nobody"});
}

int
main(void)
{
    char folder[] = "/tmp/ms-bench-XXXXXX", command[64];
    struct store *s = calloc(1, sizeof *s);
    struct err err;
    if (!s || !mkdtemp(folder) || catalog_open(s, folder, &err) < 0 || topo_state_open(s, &err) < 0)
        return 2;
    bench_topology(s);
    topo_state_close(s);
    bench_catalog(s);
    catalog_close(s);
    free(s);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 2;
}
