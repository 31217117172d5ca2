/* Checks over a fleet that is healthy and noisy, and with nodes in it that are not: who is refused,
 * who is not, what the report says of it. */
#include "analyzer/check.h"
#include "analyzer/kpi.h"
#include "tests/analyzer/detect_bed.h"

#include "base/hostlist.h"
#include "store/catalog.h"

#include <math.h>

#define NODES 64

#define FLEET                                                                                      \
    "version: 1\ncluster: {name: t}\n"                                                             \
    "fabric: {kind: rail-spine-leaf, groups: 1, nodes_per_group: 64, rails: 2, spines: 2, "        \
    "nodes_per_rack: 8, gpus: {count: 8, model: H100}}\n"

static uint64_t seed;

static double
dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

static double
noise(void) /* nearly normal */
{
    double v = -6;
    for (int i = 0; i < 12; i++)
        v += dice();
    return v;
}

static void __attribute__((format(printf, 4, 5)))
put(struct bed *b, struct store_batch *batch, double v, const char *format, ...)
{
    char series[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(series, sizeof series, format, ap);
    va_end(ap);
    bed_put(b, batch, series, v);
}

struct odd { /* what is different at a node; NULL: as everywhere */
    int node;
    const char *kernel, *driver, *mounts;
    int mtu;
    double rx;
};

static void
put_parts(struct bed *b, struct store_batch *batch, int n, const struct odd *o)
{
    const char *driver = o && o->driver ? o->driver : "550.90.07";
    for (int g = 0; g < 8; g++) {
        put(b, batch, 58 + 4 * noise(),
            "DCGM_FI_DEV_GPU_TEMP{Hostname=node%05d,gpu=%d,modelName=H100,"
            "DCGM_FI_DRIVER_VERSION=%s}",
            n, g, driver);
        bool busy = n % 4 == 0; /* a job of its own still runs there; the others rest */
        put(b, batch, busy ? 98 : 0, "DCGM_FI_DEV_GPU_UTIL{Hostname=node%05d,gpu=%d}", n, g);
        put(b, batch, busy || dice() < 0.6 ? floor(1755 + 25 * noise()) : 345,
            "DCGM_FI_DEV_SM_CLOCK{Hostname=node%05d,gpu=%d}", n, g);
        put(b, batch, 16, "DCGM_FI_DEV_PCIE_LINK_WIDTH{Hostname=node%05d,gpu=%d}", n, g);
    }
    for (int k = 0; k < 2; k++) {
        put(b, batch, 50e9, "node_infiniband_rate_bytes_per_second{node=node%05d,device=mlx5_%d}",
            n, k);
        put(b, batch, 4, "node_infiniband_state_id{node=node%05d,device=mlx5_%d,port=1}", n, k);
        put(b, batch, o && o->mtu && !k ? o->mtu : 4200,
            "node_network_mtu_bytes{node=node%05d,device=eth%d}", n, k + 1);
        for (int lane = 1; lane <= 4; lane++)
            put(b, batch, (o && o->rx < 0 ? o->rx : -2) + 0.4 * noise(),
                "optic_rx_power_dbm{node=node%05d,port=mlx5_%d,lane=%d}", n, k, lane);
    }
    put(b, batch, 0, "node_network_up{node=node%05d,device=lo}", n); /* its state is "unknown" */
    for (int v = 0; v < (int)(dice() * 20); v++)                     /* containers come and go */
        put(b, batch, 1500, "node_network_mtu_bytes{node=node%05d,device=veth%d}", n, v);
}

static void
put_node(struct bed *b, struct store_batch *batch, int n, const struct odd *o)
{
    put(b, batch, 20 + 15 * dice(), "node_load1{node=node%05d}", n);
    put(b, batch, 2e12, "node_memory_MemTotal_bytes{node=node%05d}", n);
    put(b, batch, 1.4e12 + 1e11 * noise(), "node_memory_MemAvailable_bytes{node=node%05d}", n);
    put(b, batch, 1e-5 * noise(), "node_timex_offset_seconds{node=node%05d}", n);
    put(b, batch, 1, "node_timex_sync_status{node=node%05d}", n);
    put(b, batch, 1, "node_uname_info{node=node%05d,release=%s}", n,
        o && o->kernel ? o->kernel : "5.15.0-91-generic");
    put(b, batch, 1e15,
        "node_filesystem_size_bytes{node=node%05d,device=nas:/x,fstype=nfs4,mountpoint=%s}", n,
        o && o->mounts ? o->mounts : "/data");
    put(b, batch, 6e14,
        "node_filesystem_avail_bytes{node=node%05d,device=nas:/x,fstype=nfs4,mountpoint=%s}", n,
        o && o->mounts ? o->mounts : "/data");
    put_parts(b, batch, n, o);
}

static void
put_fleet(struct bed *b, const struct odd *odd, size_t count)
{
    struct err err;
    for (int step = 0; step < 3; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        b->now_ms += STEP;
        for (int n = 1; n <= NODES; n++) {
            const struct odd *o = NULL;
            for (size_t i = 0; i < count; i++)
                o = odd[i].node == n ? &odd[i] : o;
            put_node(b, batch, n, o);
        }
        assert_int_equal(store_commit(b->store, batch, NULL, &err), 0);
    }
    topo_settle(b->store);
}

static struct doc *
run(struct bed *b, struct check_request *req)
{
    struct buf out;
    struct doc *d = NULL;
    struct err err = {0};
    buf_init(&out, (size_t)64 << 20);
    if (check_run(b->store, b->metrics, b->kb, req, b->now_ms, &out, &err))
        fail_msg("%s", err.text);
    assert_int_equal(doc_parse_json(buf_str(&out), out.len, "report", &d, &err), 0);
    buf_done(&out);
    return d;
}

static const struct doc_node *
item_of(const struct doc *d, const char *check, const char *entity)
{
    for (const struct doc_node *i = doc_get(doc_root(d), "items")->first; i; i = i->next)
        if (!strcmp(doc_get_str(i, "check", ""), check) &&
            !strcmp(doc_get_str(i, "entity", ""), entity))
            return i;
    return NULL;
}

static void
at_most_one_in_two_hundred_good_nodes_is_refused(void **state)
{
    size_t refused = 0, rounds = 12;
    for (size_t r = 0; r < rounds; r++) {
        seed = 1000 + r;
        bed_setup_with(state, FLEET);
        struct bed *b = *state;
        put_fleet(b, NULL, 0);
        struct check_request req = {.profile = "prejob", .nodes = "node[00001-00064]"};
        struct doc *d = run(b, &req);
        struct hostlist out = {0};
        struct err err;
        const char *exclude = doc_get_str(doc_root(d), "exclude", "");
        if (*exclude)
            assert_int_equal(hostlist_parse(exclude, &out, &err), 0);
        refused += out.count;
        hostlist_done(&out);
        doc_free(d);
        bed_teardown(state);
    }
    if (refused * 200 > rounds * NODES)
        fail_msg("%zu of %zu good nodes refused", refused, rounds * NODES);
}

static void
outliers_are_found_by_majority_and_say_what_they_share(void **state)
{
    const struct odd odd[] = {{.node = 3, .driver = "535.54.03"},
                              {.node = 5, .kernel = "5.4.0-42-generic"},
                              {.node = 6, .mtu = 1500},
                              {.node = 7, .mounts = "/other"},
                              {.node = 17, .rx = -13},
                              {.node = 18, .rx = -13},
                              {.node = 19, .rx = -13},
                              {.node = 20, .rx = -13}};
    static const struct {
        const char *check, *entity, *verdict, *seen;
    } want[] = {{"gpu-driver", "node:node00003", "fail", "535.54.03"},
                {"kernel-version", "node:node00005", "warn", "5.4.0-42-generic"},
                {"nic-mtu", "node:node00006", "fail", "1500 x1, 4200 x1"},
                {"storage-mounts", "node:node00007", "warn", "/other"}};
    seed = 5;
    bed_setup_with(state, FLEET);
    struct bed *b = *state;
    put_fleet(b, odd, sizeof odd / sizeof *odd);
    struct check_request req = {.profile = "full"};
    struct doc *d = run(b, &req);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct doc_node *n = item_of(d, want[i].check, want[i].entity);
        if (!n)
            fail_msg("%s at %s is not listed", want[i].check, want[i].entity);
        assert_string_equal(doc_get_str(n, "verdict", ""), want[i].verdict);
        assert_string_equal(doc_get_str(n, "observed", ""), want[i].seen);
    }
    assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "node[00003,00006,00017-00020]");
    const struct doc_node *g = doc_get(doc_root(d), "groups")->first;
    assert_non_null(g);
    assert_string_equal(doc_get_str(g, "check", ""), "optic-rx-power");
    assert_string_equal(doc_get_str(g, "shared", ""), "rack:r03");
    assert_null(item_of(d, "kernel-version", "node:node00001")); /* what passes is counted */
    assert_true(doc_get_int(doc_get(doc_root(d), "counts"), "pass", 0) > 1000);
    doc_free(d);
    req.passed = true;
    d = run(b, &req);
    assert_non_null(item_of(d, "kernel-version", "node:node00001"));
    doc_free(d);
    bed_teardown(state);
}

static void
a_golden_value_decides_over_the_majority(void **state)
{
    static const char profile[] = "name: site\nchecks: [kernel-*, nic-mtu]\n"
                                  "golden: {kernel-version: '5.4.*', nic-mtu: '4200 x2'}\n";
    const struct odd odd[] = {{.node = 5, .kernel = "5.4.0-42-generic"}};
    seed = 6;
    bed_setup_with(state, FLEET);
    struct bed *b = *state;
    put_fleet(b, odd, 1);
    struct check_request req = {.profile = "site",
                                .profile_text = profile,
                                .profile_len = strlen(profile),
                                .nodes = "node[00004-00006]"};
    struct doc *d = run(b, &req);
    assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "node[00004,00006]");
    const struct doc_node *n = item_of(d, "kernel-version", "node:node00004");
    assert_string_equal(doc_get_str(n, "expected", ""), "5.4.*");
    assert_null(item_of(d, "nic-mtu", "node:node00004"));
    doc_free(d);
    bed_teardown(state);
}

static void
a_site_adds_settings_of_its_own(void **state)
{
    static const char profile[] =
        "checks: [nccl-*]\ntraits:\n"
        "  - {check: nccl-gid-index, metric: site_environment_info, label: gid, fails: true}\n"
        "  - {check: nccl-algo, metric: site_environment_info, label: algo}\n";
    static const char wrong[] = "traits: [{check: nic-mtu, metric: x}]\n";
    seed = 9;
    bed_setup_with(state, FLEET);
    struct bed *b = *state;
    put_fleet(b, NULL, 0);
    struct store_batch *batch = store_batch_new(b->store);
    struct buf out;
    struct err err;
    for (int n = 1; n <= NODES; n++)
        put(b, batch, 1, "site_environment_info{node=node%05d,gid=%d,algo=%s}", n, n == 2 ? 0 : 3,
            n == 3 ? "Ring" : "Tree");
    assert_int_equal(store_commit(b->store, batch, NULL, &err), 0);
    struct check_request req = {
        .profile = "site", .profile_text = profile, .profile_len = strlen(profile)};
    struct doc *d = run(b, &req);
    assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "node00002");
    assert_string_equal(doc_get_str(item_of(d, "nccl-algo", "node:node00003"), "verdict", ""),
                        "warn");
    doc_free(d);
    req.profile_text = wrong;
    req.profile_len = strlen(wrong);
    buf_init(&out, 4096);
    assert_true(check_run(b->store, b->metrics, b->kb, &req, b->now_ms, &out, &err) < 0);
    assert_non_null(strstr(err.text, "already"));
    buf_done(&out);
    bed_teardown(state);
}

static void
a_node_that_broke_again_and_again_is_a_lemon(void **state)
{
    seed = 7;
    bed_setup_with(state, FLEET);
    struct bed *b = *state;
    put_fleet(b, NULL, 0);
    for (int i = 0; i < 4; i++) {
        char id[16], json[256];
        struct err err;
        snprintf(id, sizeof id, "inc-%d", i);
        snprintf(json, sizeof json,
                 "{\"id\":\"%s\",\"state\":\"resolved\",\"severity\":\"critical\",\"verdict\":"
                 "\"infrastructure\",\"entity\":\"gpu:node%05d/%d\",\"resolved\":"
                 "\"2023-11-14T22:13:00.000Z\"}",
                 id, i < 3 ? 9 : 10, i);
        struct catalog_doc doc = {.kind = "incident",
                                  .id = id,
                                  .tenant = "",
                                  .state = "resolved",
                                  .key = id,
                                  .time_ms = b->now_ms - (int64_t)(i + 1) * 3600000,
                                  .json = json,
                                  .json_len = strlen(json)};
        assert_int_equal(catalog_put(b->store, &doc, &err), 0);
    }
    struct check_request req = {.profile = "prejob", .nodes = "node[00009-00010]"};
    struct doc *d = run(b, &req);
    assert_string_equal(doc_get_str(item_of(d, "node-lemon", "node:node00009"), "verdict", ""),
                        "warn");
    assert_null(item_of(d, "node-lemon", "node:node00010"));
    assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "");
    doc_free(d);
    bed_teardown(state);
}

static void
remembered_places_change_no_answer(void **state)
{
    const struct odd odd[] = {{.node = 3, .driver = "535.54.03"}, {.node = 40, .rx = -13}};
    seed = 8;
    bed_setup_with(state, FLEET);
    struct bed *b = *state;
    put_fleet(b, odd, 2);
    struct kpi_places *places = kpi_places_new();
    struct check_request req = {.profile = "prejob", .nodes = "node[00001-00008,00033-00040]"};
    for (int i = 0; i < 3; i++) {
        struct doc *d = run(b, &req);
        assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "node[00003,00040]");
        assert_int_equal(doc_get_int(doc_get(doc_root(d), "counts"), "unknown", 9), 0);
        doc_free(d);
        req.places = places;
        bed_job_on(b, i ? "node[00001-00008]" : "node[00009-00010]"); /* jobs come and go */
    }
    kpi_places_free(places);
    bed_teardown(state);
}

static void
only_a_port_with_a_cable_has_to_be_up(void **state)
{
    bed_setup_with(state, FLEET);
    struct bed *b = *state;
    struct err err;
    for (int step = 0; step < 3; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        b->now_ms += STEP;
        put(b, batch, 1, "node_load1{node=node00001}");
        put(b, batch, 2, "ifOperStatus{node=leaf-g01-1,ifName=Ethernet1}");
        put(b, batch, 2, "ifOperStatus{node=leaf-g01-1,ifName=Ethernet99}"); /* free */
        assert_int_equal(store_commit(b->store, batch, NULL, &err), 0);
    }
    topo_settle(b->store);
    struct check_request req = {.profile = "full"};
    struct doc *d = run(b, &req);
    assert_non_null(item_of(d, "port-up", "port:leaf-g01-1/Ethernet1"));
    assert_null(item_of(d, "port-up", "port:leaf-g01-1/Ethernet99"));
    doc_free(d);
    bed_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_one_in_two_hundred_good_nodes_is_refused),
        cmocka_unit_test(outliers_are_found_by_majority_and_say_what_they_share),
        cmocka_unit_test(a_golden_value_decides_over_the_majority),
        cmocka_unit_test(a_site_adds_settings_of_its_own),
        cmocka_unit_test(a_node_that_broke_again_and_again_is_a_lemon),
        cmocka_unit_test(remembered_places_change_no_answer),
        cmocka_unit_test(only_a_port_with_a_cable_has_to_be_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
