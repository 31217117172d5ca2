/* The topology: documents, templates, errors, snapshots, jobs on them, recognition of series,
 * versions in time. */
#include "base/hostlist.h"
#include "store/catalog_priv.h"
#include "store/jobs.h"
#include "store/store_priv.h"
#include "store/topo_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SMALL                                                                                      \
    "version: 1\n"                                                                                 \
    "cluster: {name: demo}\n"                                                                      \
    "fabric: {kind: rail-spine-leaf, groups: 2, nodes_per_group: 4, rails: 2, spines: 2, gpus: "   \
    "{count: 8, model: H100}}\n"

#define EXAMPLE                                                                                    \
    "version: 1\n"                                                                                 \
    "cluster: {name: demo}\n"                                                                      \
    "racks:    [{name: r01, pdu: p01, cdu: c01}]\n"                                                \
    "switches: [{name: leaf-g01-1, role: leaf, group: g01, rail: 1, plane: parameter, address: "   \
    "127.0.0.1}]\n"                                                                                \
    "nodes:\n"                                                                                     \
    "  - {name: node00001, rack: r01, group: g01, gpus: {count: 8, vendor: nvidia, model: "        \
    "H100},\n"                                                                                     \
    "     nics: [{name: mlx5_0, rail: 1, plane: parameter, netdev: eth1}]}\n"                      \
    "storage:  [{name: fs01, kind: lustre, servers: [oss1], path: /data, nodes: "                  \
    "'node[00001-02304]'}]\n"                                                                      \
    "links:    [{a: node00001/mlx5_0, b: leaf-g01-1/Ethernet1, gbps: 400, optic: true}]\n"         \
    "fabric:   {kind: rail-spine-leaf, groups: 36, nodes_per_group: 64, rails: 8, spines: 64}\n"   \
    "aliases:  [{entity: node:node00001, match: {instance: '10.0.0.1:9100'}}]\n"

static struct topo *
parse(const char *text)
{
    struct topo *t = NULL;
    struct err err = {0};
    char sentence[800];
    if (topo_parse(text, strlen(text), "t.yaml", &t, &err) < 0)
        fail_msg("%s", err_format(&err, sentence, sizeof sentence));
    return t;
}

static size_t
count(const struct topo *t, enum entity_kind k)
{
    size_t n;
    topo_of_kind(t, k, &n);
    return n;
}

static bool
related(const struct topo *t, const char *a, enum relation r, const char *b)
{
    size_t n;
    topo_id to = topo_find(t, b);
    const struct topo_edge *e = topo_edges(t, topo_find(t, a), &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].to == to && e[i].relation == r && !e[i].reverse)
            return true;
    return false;
}

static const char *
attr(const struct topo *t, const char *entity, const char *name)
{
    return topo_attr(t, topo_find(t, entity), name);
}

static void
the_contracts_example_expands_to_its_fabric(void **state)
{
    (void)state;
    int64_t start = clock_mono_us();
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    struct topo *t = parse(EXAMPLE);
    getrusage(RUSAGE_SELF, &after);
    print_message("# 2,304 nodes: %zu entities in %lld ms, %ld MB\n", topo_count(t),
                  (long long)(clock_mono_us() - start) / 1000,
                  (after.ru_maxrss - before.ru_maxrss) / 1024);
    assert_int_equal(count(t, ENTITY_NODE), 2304);
    assert_int_equal(count(t, ENTITY_GPU), 18432);
    assert_int_equal(count(t, ENTITY_SWITCH), 36 * 8 + 64);
    assert_int_equal(count(t, ENTITY_LINK), 2 * 18432);
    assert_int_equal(count(t, ENTITY_OPTIC), 4 * 18432);
    assert_true(related(t, "node:node00001", RELATION_MOUNTS, "storage:fs01"));
    assert_true(related(t, "rack:r01", RELATION_CONTAINS, "node:node00001"));
    assert_true(related(t, "rack:r01", RELATION_POWERED_BY, "pdu:p01"));
    assert_true(related(t, "rack:r01", RELATION_COOLED_BY, "cdu:c01"));
    assert_string_equal(attr(t, "gpu:node00001/7", "model"), "H100");
    assert_string_equal(attr(t, "gpu:node00002/7", "model"), "");
    assert_string_equal(attr(t, "link:leaf-g01-1/Ethernet1--node00001/mlx5_0", "gbps"), "400");
    assert_string_equal(attr(t, "switch:leaf-g36-8", "rail"), "8");
    topo_put(t);
}

static void
a_rail_fabric_is_cabled_by_the_rule(void **state)
{
    (void)state;
    struct topo *t = parse(SMALL);
    static const char *const links[] = {
        "link:leaf-g01-1/Ethernet1--node00001/mlx5_0",
        "link:leaf-g01-2/Ethernet4--node00004/mlx5_1",
        "link:leaf-g02-1/Ethernet1--node00005/mlx5_0",
        "link:leaf-g01-1/Ethernet5--spine-01/Ethernet1",
        "link:leaf-g02-2/Ethernet6--spine-02/Ethernet4",
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        assert_int_not_equal(topo_find(t, links[i]), TOPO_NONE);
    assert_int_equal(count(t, ENTITY_LINK), 16 + 8);
    assert_true(
        related(t, "port:leaf-g01-1/Ethernet1", RELATION_CONTAINS, "optic:leaf-g01-1/Ethernet1"));
    assert_true(related(t, "nic:node00001/mlx5_0", RELATION_CONTAINS, "optic:node00001/mlx5_0"));
    assert_true(related(t, "cluster:demo", RELATION_CONTAINS, "node:node00008"));
    assert_string_equal(attr(t, "node:node00005", "group"), "g02");
    assert_string_equal(attr(t, "nic:node00005/mlx5_1", "netdev"), "eth2");
    topo_put(t);
}

static void
a_fat_tree_is_cabled_by_the_rule(void **state)
{
    (void)state;
    struct topo *t = parse(
        "cluster: {name: t}\n"
        "fabric: {kind: fat-tree, groups: 2, nodes_per_group: 4, rails: 1, leaves: 2, aggs: 2,"
        " cores: 4, nodes_per_rack: 2}\n");
    static const char *const links[] = {
        "link:leaf-g01-1/Ethernet2--node00002/mlx5_0",
        "link:leaf-g01-2/Ethernet1--node00003/mlx5_0",
        "link:agg-g01-1/Ethernet2--leaf-g01-2/Ethernet3",
        "link:agg-g02-2/Ethernet4--core-04/Ethernet2",
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        assert_int_not_equal(topo_find(t, links[i]), TOPO_NONE);
    assert_int_equal(count(t, ENTITY_SWITCH), 4 + 4 + 4);
    assert_int_equal(count(t, ENTITY_LINK), 8 + 8 + 8);
    assert_true(related(t, "rack:r02", RELATION_CONTAINS, "node:node00003"));
    assert_string_equal(attr(t, "switch:agg-g01-1", "role"), "spine");
    assert_string_equal(attr(t, "switch:core-01", "role"), "core");
    topo_put(t);
}

static void
hostlists_name_many_nodes_of_one_row(void **state)
{
    (void)state;
    struct topo *t = parse(
        "cluster: {name: c}\n"
        "racks: [{name: r1, pdu: [p1, p2]}]\n"
        "nodes:\n"
        "  - {name: 'n[01-12]', rack: r1, gpus: 8, nvswitches: 4, dpus: [bf0], superpod: sp1}\n"
        "switches: [{name: 'tor[1-2]', role: tor}]\n"
        "storage: [{name: nfs, kind: nfs, nodes: 'n[01-12]'}]\n");
    assert_int_equal(count(t, ENTITY_NODE), 12);
    assert_int_equal(count(t, ENTITY_GPU), 96);
    assert_int_equal(count(t, ENTITY_NVSWITCH), 48);
    assert_int_equal(count(t, ENTITY_PDU), 2);
    assert_int_equal(count(t, ENTITY_SWITCH), 2);
    assert_true(related(t, "superpod:sp1", RELATION_CONTAINS, "node:n07"));
    assert_string_equal(attr(t, "node:n07", "superpod"), "sp1");
    assert_int_not_equal(topo_find(t, "dpu:n12/bf0"), TOPO_NONE);
    topo_put(t);
}

static void
every_error_names_line_and_cause(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        unsigned line;
    } cases[] = {
        {"cluster: {name: c}\nnodess: []\n", "nodes", 2},
        {"version: 2\ncluster: {name: c}\n", "version: 1", 1},
        {"nodes: []\n", "cluster", 1},
        {"cluster: {name: c}\nnodes:\n  - {name: a, rak: r1}\n", "rack", 3},
        {"cluster: {name: c}\nnodes:\n  - {name: a}\n  - {name: a}\n", "declared twice", 4},
        {"cluster: {name: c}\nnodes:\n  - {name: 'a[1-'}\n", "", 3},
        {"cluster: {name: c}\nracks: [{name: r1}]\nnodes:\n  - {name: a, rack: r2}\n",
         "did you mean 'r1'?", 4},
        {"cluster: {name: c}\nswitches: [{name: s, role: leav}]\n", "did you mean 'leaf'?", 2},
        {"cluster: {name: c}\nswitches: [{name: leaf1}]\nnodes: [{name: a}]\nlinks:\n  - {a: a/x, "
         "b: leaf2/E1}\n",
         "did you mean 'leaf1'?", 5},
        {"cluster: {name: c}\nswitches: [{name: s}]\nnodes: [{name: a, nics: [{name: mlx5_0}]}]\n"
         "links: [{a: a/mlx5_1, b: s/E1}]\n",
         "did you mean 'a/mlx5_0'?", 4},
        {"cluster: {name: c}\nswitches: [{name: s}]\nnodes: [{name: 'a[1-2]'}]\nlinks:\n"
         "  - {a: a1/x, b: s/E1}\n  - {a: a2/x, b: s/E1}\n",
         "'s/E1' has a cable already", 6},
        {"cluster: {name: c}\nnodes: [{name: a}]\nlinks: [{a: a/x, b: a/x}]\n", "itself", 3},
        {"cluster: {name: c}\nstorage: [{name: f, nodes: 'b[1-2]'}]\n", "no node 'b1'", 2},
        {"cluster: {name: c}\nfabric: {kind: rail-spine-leaf, groups: 0, nodes_per_group: 1, "
         "spines: 1}\n",
         "groups", 2},
        {"cluster: {name: c}\nfabric: {kind: rail-leaf}\n", "rail-spine-leaf", 2},
        {"cluster: {name: c}\nfabric: {kind: rail-spine-leaf, groups: 4000, nodes_per_group: 4000, "
         "spines: 1}\n",
         "at most 65536", 2},
        {"cluster: {name: c}\naliases: [{entity: nod:a, match: {instance: x}}]\n", "kind", 2},
        {"cluster: {name: c}\nnodes: [{name: a, gpus: {count: 2, pci: ['0000:1b:00.0']}}]\n",
         "1 values for 2 gpus", 2},
        {"cluster: {name: c}\nnodes: {a: b}\n", "list", 2},
        {"cluster: {name: c\nnodes: []\n", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct topo *t = NULL;
        struct err err = {0};
        assert_true(topo_parse(cases[i].text, strlen(cases[i].text), "t.yaml", &t, &err) < 0);
        if (!strstr(err.text, cases[i].want) || (cases[i].line && err.line != cases[i].line) ||
            strcmp(err.file, "t.yaml") != 0)
            fail_msg("case %zu: %s:%u: %s", i, err.file, err.line, err.text);
    }
}

static void
gather(void *ctx, topo_id id)
{
    topo_id *out = ctx;
    out[++out[0]] = id;
}

static void
walks_follow_kinds_and_reach_each_once(void **state)
{
    (void)state;
    struct topo *t = parse(SMALL);
    enum entity_kind path[8];
    topo_id out[64] = {0};
    struct {
        const char *from, *path;
        size_t want;
        const char *has;
    } cases[] = {
        {"optic:leaf-g01-1/Ethernet1", "optic>port>link>nic>node", 1, "node:node00001"},
        {"optic:node00001/mlx5_0", "optic > nic > node", 1, "node:node00001"},
        {"gpu:node00001/0", "gpu>node>gpu", 7, "gpu:node00001/7"},
        {"switch:spine-01", "switch>port>port>switch", 4, "switch:leaf-g02-2"},
        {"switch:leaf-g01-1", "switch>port>link>nic>node", 4, "node:node00004"},
        {"node:node00001", "gpu>node", 1, "node:node00001"},
        {"node:node00001", "nic>link>port", 2, "port:leaf-g01-1/Ethernet1"},
        {"node:node00001", "nic", 2, "nic:node00001/mlx5_0"},
        {"switch:leaf-g01-1", "gpu>node", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = topo_path_parse(cases[i].path, path, 8);
        assert_true(n > 0);
        out[0] = 0;
        assert_int_equal(
            topo_walk(t, topo_find(t, cases[i].from), path, (size_t)n, 60, gather, out),
            cases[i].want);
        bool has = !cases[i].has;
        for (topo_id k = 1; k <= out[0]; k++)
            has = has || strcmp(topo_name(t, out[k]), cases[i].has) == 0;
        assert_true(has);
    }
    assert_int_equal(topo_path_parse("optic>plug", path, 8), ERR_SYNTAX);
    assert_int_equal(topo_path_parse("optic>", path, 8), ERR_SYNTAX);
    out[0] = 0;
    int n = topo_path_parse("switch>port", path, 8);
    assert_int_equal(topo_walk(t, topo_find(t, "switch:spine-01"), path, (size_t)n, 2, gather, out),
                     2);
    topo_put(t);
}

static struct labels
labels(const char *text) /* "a=b c=d" */
{
    struct labels l = {.count = 0};
    while (*text) {
        size_t n = strcspn(text, "="), v = strcspn(text + n + 1, " ");
        labels_add(&l, text, n, text + n + 1, v);
        text += n + 1 + v;
        text += *text == ' ';
    }
    labels_finish(&l);
    return l;
}

static void
series_are_recognised_by_name_address_and_alias(void **state)
{
    (void)state;
    struct topo *t =
        parse("cluster: {name: c}\n"
              "switches: [{name: leaf1, address: 10.9.0.1}]\n"
              "nodes:\n"
              "  - {name: n1, address: 10.0.0.5, gpus: {count: 2, pci: "
              "['00000000:1B:00.0', '00000000:2B:00.0'],"
              " uuid: [GPU-a, GPU-b]}, nics: [{name: mlx5_0, netdev: eth1, pci: '0000:3B:00.1'}]}\n"
              "links: [{a: n1/mlx5_0, b: leaf1/Eth1/1, optic: true}]\n"
              "aliases:\n"
              "  - {entity: 'node:n1', match: {instance: '10.0.0.1:9100'}}\n"
              "  - {entity: 'gpu:n1/1', match: {chassis: '7', slot: '2'}}\n");
    struct metric_table *table = metric_table_new();
    static const struct {
        const char *metric, *labels, *want;
        int rc;
    } cases[] = {
        {"DCGM_FI_DEV_GPU_TEMP", "Hostname=n1 gpu=1", "gpu:n1/1", 0},
        {"DCGM_FI_DEV_GPU_TEMP", "Hostname=n1.example.com gpu=1", "gpu:n1/1", 0},
        {"DCGM_FI_DEV_GPU_TEMP", "instance=10.0.0.1:9100 gpu=0", "gpu:n1/0", 0},
        {"DCGM_FI_DEV_GPU_TEMP", "instance=10.0.0.5:9400 gpu=0", "gpu:n1/0", 0},
        {"DCGM_FI_DEV_GPU_TEMP", "Hostname=n1 gpu=9", "gpu:n1/9", ERR_NOTFOUND},
        {"DCGM_FI_DEV_GPU_TEMP", "chassis=7 slot=2", "gpu:n1/1", 0},
        {"DCGM_FI_DEV_GPU_TEMP", "Hostname=other gpu=0", "gpu:other/0", ERR_NOTFOUND},
        {"node_load1", "instance=n1:9100", "node:n1", 0},
        {"node_load1", "instance=10.0.0.1:9100", "node:n1", 0},
        {"node_load1", "node=N1", "node:n1", 0},
        {"ifHCInOctets", "instance=10.9.0.1 ifName=Eth1/1", "port:leaf1/Eth1/1", 0},
        {"ifHCInOctets", "node=leaf1 instance=leaf1 ifName=Eth1/1", "port:leaf1/Eth1/1", 0},
        {"ifHCInOctets", "node=leaf1 ifName=e1 ifDescr=Eth1/1", "port:leaf1/Eth1/1", 0},
        {"optic_rx_power_dbm", "node=leaf1 port=Eth1/1 lane=1", "optic:leaf1/Eth1/1", 0},
        {NULL, "node=n1 pci_bus_id=0000:2b:00", "gpu:n1/1", 0},
        {NULL, "node=n1 pci_bus_id=0000:2B:00.0", "gpu:n1/1", 0},
        {NULL, "node=n1 pci_bus_id=00000000:2B:00.0", "gpu:n1/1", 0},
        {NULL, "node=n1 pci_bus_id=2b:00.0", "gpu:n1/1", 0},
        {NULL, "node=n1 pci_bus_id=0000:3b:00.1", "nic:n1/mlx5_0", 0},
        {NULL, "node=n1 pci_bus_id=0000:2b:01.0", "node:n1", ERR_NOTFOUND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[ENTITY_SIZE] = "";
        struct labels l = labels(cases[i].labels);
        const char *name = cases[i].metric;
        const struct metric_row *row = name ? metric_find(table, name, strlen(name)) : NULL;
        int rc = topo_resolve(t, row, &l, out);
        if (rc != cases[i].rc || strcmp(out, cases[i].want) != 0)
            fail_msg("%s{%s}: %d %s", name ? name : "", cases[i].labels, rc, out);
    }
    char out[ENTITY_SIZE];
    assert_int_equal(topo_resolve_host(t, "10.9.0.1", out), 0);
    assert_string_equal(out, "switch:leaf1");
    assert_int_equal(topo_resolve_host(t, "10.0.0.1", out), ERR_NOTFOUND);
    assert_int_equal(topo_resolve_host(t, "n1.cluster.local", out), 0);
    metric_table_free(table);
    topo_put(t);
}

/* --- with a store ----------------------------------------------------------------------------- */

static int64_t fixture_now;

static int64_t
fixture_clock(void *ctx)
{
    (void)ctx;
    return fixture_now;
}

static const struct clock fixture_time = {fixture_clock, NULL};

struct fixture {
    struct store *s;
    char folder[64];
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    strcpy(f->folder, "/tmp/ms-topo-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    fixture_now = 1000;
    f->s = calloc(1, sizeof *f->s);
    f->s->cfg.clock = &fixture_time;
    assert_int_equal(catalog_open(f->s, f->folder, &err), 0);
    assert_int_equal(topo_state_open(f->s, &err), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = {"catalog.db", "catalog.db-wal", "catalog.db-shm"};
    struct fixture *f = *state;
    char path[128];
    topo_state_close(f->s);
    catalog_close(f->s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    rmdir(f->folder);
    free(f->s);
    free(f);
    return 0;
}

static void
put_document(struct store *s, const char *text)
{
    struct err err;
    char sentence[800];
    if (topo_put_document(s, text, strlen(text), "t.yaml", &err) < 0)
        fail_msg("%s", err_format(&err, sentence, sizeof sentence));
}

static void
put_job(struct store *s, const char *id, const char *json)
{
    struct err err;
    if (job_put(s, id, json, strlen(json), false, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void
a_broken_document_leaves_the_old_in_force(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct err err;
    struct buf text;
    put_document(s, SMALL);
    struct topo *t = topo_get(s);
    assert_int_equal(
        topo_put_document(s, "cluster: {name: demo}\nnodes: [{}]\n", 34, "b.yaml", &err),
        ERR_SYNTAX);
    assert_int_equal(err.line, 2);
    struct topo *now = topo_get(s);
    assert_ptr_equal(t, now);
    topo_put(now);
    topo_put(t);
    buf_init(&text, 1 << 20);
    assert_int_equal(topo_get_document(s, NULL, &text, &err), 0);
    assert_string_equal(buf_str(&text), SMALL);
    buf_done(&text);
    assert_int_equal(topo_get_document(s, "nobody", &text, &err), ERR_NOTFOUND);
}

static void
two_clusters_stand_side_by_side_but_share_no_name(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const char other[] = "cluster: {name: other}\nnodes: [{name: 'x[1-3]'}]\n";
    static const char clash[] = "cluster: {name: third}\nnodes: [{name: x1}]\n";
    static const char fabric[] = "cluster: {name: third}\nfabric: {kind: rail-spine-leaf, groups: "
                                 "1, nodes_per_group: 1, spines: 1}\n";
    struct err err;
    put_document(s, SMALL);
    put_document(s, other);
    struct topo *t = topo_get(s);
    assert_int_equal(count(t, ENTITY_CLUSTER), 2);
    assert_int_equal(count(t, ENTITY_NODE), 11);
    topo_put(t);
    assert_int_equal(topo_put_document(s, clash, sizeof clash - 1, "c.yaml", &err), ERR_SYNTAX);
    assert_int_equal(topo_put_document(s, fabric, sizeof fabric - 1, "c.yaml", &err), ERR_SYNTAX);
    assert_non_null(strstr(err.text, "another cluster"));
}

static void
jobs_that_run_are_on_the_snapshot_at_once(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char out[ENTITY_SIZE];
    put_document(s, SMALL);
    put_job(
        s, "4711",
        "{\"state\":\"running\",\"nodes\":\"node[00003,00001-00002],stranger\",\"gpus_per_node\":8,"
        "\"tenant\":\"t1\",\"user\":\"u\",\"start\":\"2026-11-23T08:00:00Z\"}");
    struct topo *t = topo_get(s);
    const struct topo_job *j = topo_job_find(t, "4711");
    assert_non_null(j);
    assert_int_equal(j->node_count, 4);
    assert_string_equal(topo_name(t, j->nodes[0]), "node:node00003");
    assert_true(related(t, "job:4711", RELATION_RUNS_ON, "node:node00001"));
    assert_true(related(t, "node:node00001", RELATION_CONTAINS, "gpu:node00001/0"));
    assert_true(related(t, "job:4711", RELATION_RUNS_ON, "node:stranger"));
    assert_int_equal(count(t, ENTITY_NODE), 9);
    assert_int_equal(topo_job_rank_gpu(t, j, 9, out), 0);
    assert_string_equal(out, "gpu:node00001/1");
    assert_int_equal(topo_job_rank_gpu(t, j, 32, out), ERR_NOTFOUND);
    assert_int_equal(topo_job_gpu_rank(t, j, topo_find(t, "gpu:node00001/1")), 9);
    assert_int_equal(topo_job_gpu_rank(t, j, topo_find(t, "gpu:node00004/1")), ERR_NOTFOUND);
    put_job(s, "4711", "{\"state\":\"failed\",\"nodes\":\"node00001\"}");
    assert_non_null(topo_job_find(t, "4711")); /* a snapshot does not change */
    topo_put(t);
    t = topo_get(s);
    assert_null(topo_job_find(t, "4711"));
    topo_put(t);
}

static void
a_job_may_say_where_its_ranks_are(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char out[ENTITY_SIZE];
    put_document(s, SMALL);
    put_job(s, "7",
            "{\"state\":\"running\",\"nodes\":\"node[00001-00002]\",\"ranks\":[{\"rank\":0,"
            "\"node\":\"node00002\","
            "\"gpu\":5},{\"rank\":1,\"node\":\"node00001\",\"gpu\":0}]}");
    struct topo *t = topo_get(s);
    const struct topo_job *j = topo_job_find(t, "7");
    assert_int_equal(j->gpus_per_node, 8);
    assert_int_equal(topo_job_rank_gpu(t, j, 0, out), 0);
    assert_string_equal(out, "gpu:node00002/5");
    assert_int_equal(topo_job_gpu_rank(t, j, topo_find(t, "gpu:node00001/0")), 1);
    assert_int_equal(topo_job_rank_gpu(t, j, 2, out), ERR_NOTFOUND);
    topo_put(t);
}

static void
put_device(struct store *s, const char *id, const char *dev_state, const char *json)
{
    struct catalog_doc d = {
        .kind = "device", .id = id, .state = dev_state, .json = json, .json_len = strlen(json)};
    assert_int_equal(catalog_put(s, &d, NULL), 0);
}

static void
maintenance_of_a_node_covers_its_parts_at_once(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put_document(s, SMALL);
    put_device(s, "node:node00001", "maintenance", "{}");
    struct topo *t = topo_get(s);
    assert_true(topo_in_maintenance(t, topo_find(t, "gpu:node00001/3")));
    assert_true(topo_in_maintenance(t, topo_find(t, "optic:node00001/mlx5_0")));
    assert_false(topo_in_maintenance(t, topo_find(t, "gpu:node00002/3")));
    assert_false(topo_in_maintenance(t, topo_find(t, "port:leaf-g01-1/Ethernet1")));
    topo_put(t);
    topo_settle(s);
    put_device(s, "node:node00001", "active", "{}");
    t = topo_get(s);
    assert_false(topo_in_maintenance(t, topo_find(t, "node:node00001")));
    topo_put(t);
}

static int
count_found(void *ctx, const struct catalog_doc *d)
{
    assert_string_equal(d->state, "discovered");
    ++*(size_t *)ctx;
    return 0;
}

static void
what_nobody_declared_becomes_a_discovered_device(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put_device(s, "node:gone", "retired", "{}");
    assert_int_equal(topo_discovered(s, "gpu:host1/0", "agent"), 0);
    assert_int_equal(topo_discovered(s, "gpu:host1/0", "agent"), 0);
    assert_int_equal(topo_discovered(s, "port:sw1/Eth1", "snmp"), 0);
    assert_int_equal(topo_discovered(s, "optic:sw1/Eth1", "snmp"), 0);
    assert_int_equal(topo_discovered(s, "node:gone", "agent"), 0);
    assert_int_equal(topo_discovered(s, "not an entity", "agent"), ERR_SYNTAX);
    topo_settle(s);
    struct topo *t = topo_get(s);
    assert_true(related(t, "node:host1", RELATION_CONTAINS, "gpu:host1/0"));
    assert_true(related(t, "switch:sw1", RELATION_CONTAINS, "port:sw1/Eth1"));
    assert_true(related(t, "port:sw1/Eth1", RELATION_CONTAINS, "optic:sw1/Eth1"));
    assert_int_equal(topo_find(t, "node:gone"), TOPO_NONE);
    topo_put(t);
    size_t n = 0;
    assert_int_equal(catalog_each_found(s, count_found, &n, NULL), 0);
    assert_int_equal(n, 3);
}

/* A series may name a job that has ended; and an old store may hold it as a device. */
static void
a_job_is_no_device_and_may_run_again_after_it_was_told_as_one(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put_document(s, SMALL);
    assert_int_equal(topo_discovered(s, "job:7", "series"), 0);
    put_device(s, "job:8", "discovered", "{}");
    topo_settle(s);
    struct topo *t = topo_get(s);
    assert_int_equal(topo_find(t, "job:7"), TOPO_NONE);
    assert_int_equal(topo_find(t, "job:8"), TOPO_NONE);
    topo_put(t);
    put_job(s, "7", "{\"state\":\"running\",\"nodes\":\"node0000[1-4]\"}");
    put_job(s, "8", "{\"state\":\"running\",\"nodes\":\"node0000[3-8]\"}");
    topo_settle(s);
    t = topo_get(s);
    assert_int_equal(topo_job_find(t, "7")->node_count, 4);
    assert_int_equal(topo_job_find(t, "8")->node_count, 6);
    assert_true(related(t, "job:8", RELATION_RUNS_ON, "node:node00003"));
    topo_put(t);
}

static void
the_past_is_judged_on_the_cabling_of_the_past(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct err err;
    fixture_now = 1000000;
    put_document(s, "cluster: {name: c}\nnodes: [{name: old}]\n");
    put_job(s, "1", "{\"state\":\"completed\",\"nodes\":\"old\",\"start\":1500,\"end\":1800}");
    put_job(s, "2", "{\"state\":\"running\",\"nodes\":\"old\",\"start\":1700}");
    fixture_now = 2000000;
    put_document(s, "cluster: {name: c}\nnodes: [{name: new}]\n");
    struct {
        int64_t at;
        const char *has, *lacks;
        size_t jobs;
    } cases[] = {{500000, "", "node:old", 0},
                 {1600000, "node:old", "node:new", 1},
                 {1750000, "node:old", "node:new", 2},
                 {1900000, "node:old", "node:new", 1},
                 {2500000, "node:new", "", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct topo_job *jobs;
        struct topo *t = topo_at(s, cases[i].at, &err);
        assert_non_null(t);
        assert_int_equal(topo_jobs(t, &jobs), cases[i].jobs);
        assert_true(!*cases[i].has || topo_find(t, cases[i].has) != TOPO_NONE);
        assert_true(!*cases[i].lacks || topo_find(t, cases[i].lacks) == TOPO_NONE);
        topo_put(t);
    }
}

static void
all_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct err err;
    put_document(f->s, SMALL);
    put_job(f->s, "1", "{\"state\":\"running\",\"nodes\":\"node00001\"}");
    put_device(f->s, "node:node00002", "maintenance", "{\"serial\":\"S1\"}");
    topo_state_close(f->s);
    catalog_close(f->s);
    assert_int_equal(catalog_open(f->s, f->folder, &err), 0);
    assert_int_equal(topo_state_open(f->s, &err), 0);
    struct topo *t = topo_get(f->s);
    assert_int_equal(count(t, ENTITY_NODE), 8);
    assert_non_null(topo_job_find(t, "1"));
    assert_true(topo_in_maintenance(t, topo_find(t, "node:node00002")));
    assert_string_equal(attr(t, "node:node00002", "serial"), "S1");
    topo_put(t);
}

struct reader {
    struct store *s;
    atomic_bool *stop;
};

static void *
read_many(void *ctx)
{
    struct reader *r = ctx;
    while (!atomic_load(r->stop)) {
        struct topo *t = topo_get(r->s);
        const struct topo_job *jobs;
        size_t n = topo_jobs(t, &jobs);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < jobs[i].node_count; k++)
                if (!*topo_name(t, jobs[i].nodes[k]))
                    return "a job stands on nothing";
        topo_put(t);
    }
    return NULL;
}

static void
readers_and_writers_do_not_meet(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    pthread_t threads[3];
    atomic_bool stop = false;
    struct reader r = {s, &stop};
    put_document(s, SMALL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, &r), 0);
    for (int i = 0; i < 60; i++) {
        char id[16], entity[32];
        snprintf(id, sizeof id, "%d", i % 7);
        snprintf(entity, sizeof entity, "node:found%d", i);
        put_job(s, id,
                i % 3 ? "{\"state\":\"running\",\"nodes\":\"node[00001-00008]\"}"
                      : "{\"state\":\"completed\"}");
        topo_discovered(s, entity, "test");
        if (i % 20 == 0)
            put_document(s, i % 40 ? SMALL : SMALL "racks: [{name: r1}]\n");
    }
    topo_settle(s);
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    struct topo *t = topo_get(s);
    assert_int_not_equal(topo_find(t, "node:found59"), TOPO_NONE);
    topo_put(t);
}

static void
a_job_change_at_full_size_costs_milliseconds(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    put_document(s, EXAMPLE);
    put_job(s, "1", "{\"state\":\"running\",\"nodes\":\"node[00001-02304]\",\"gpus_per_node\":8}");
    topo_put(topo_get(s));
    put_job(s, "2", "{\"state\":\"running\",\"nodes\":\"node[00001-00002]\"}");
    int64_t start = clock_mono_us();
    struct topo *t = topo_get(s);
    int64_t took = clock_mono_us() - start;
    print_message("# a new top at 2,304 nodes: %lld us\n", (long long)took);
    assert_int_equal(topo_job_find(t, "1")->node_count, 2304);
    assert_true(took < 500000); /* generous: a shared machine, sanitizers */
    topo_put(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_contracts_example_expands_to_its_fabric),
        cmocka_unit_test(a_rail_fabric_is_cabled_by_the_rule),
        cmocka_unit_test(a_fat_tree_is_cabled_by_the_rule),
        cmocka_unit_test(hostlists_name_many_nodes_of_one_row),
        cmocka_unit_test(every_error_names_line_and_cause),
        cmocka_unit_test(walks_follow_kinds_and_reach_each_once),
        cmocka_unit_test(series_are_recognised_by_name_address_and_alias),
        T(a_broken_document_leaves_the_old_in_force),
        T(two_clusters_stand_side_by_side_but_share_no_name),
        T(jobs_that_run_are_on_the_snapshot_at_once),
        T(a_job_may_say_where_its_ranks_are),
        T(maintenance_of_a_node_covers_its_parts_at_once),
        T(what_nobody_declared_becomes_a_discovered_device),
        T(a_job_is_no_device_and_may_run_again_after_it_was_told_as_one),
        T(the_past_is_judged_on_the_cabling_of_the_past),
        T(all_is_there_after_a_restart),
        T(readers_and_writers_do_not_meet),
        T(a_job_change_at_full_size_costs_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
