/* Jobs with their path, clusters and devices, over a real store and HTTP. */
#include "tests/web/web_test.h"

static struct web_test t;

static int
setup(void **state)
{
    (void)state;
    web_test_open(&t);
    web_test_topology(&t, WEB_TEST_FABRIC);
    web_test_telemetry(&t, 60000);
    web_test_series(&t, -12, 0, 60000, "optic_rx_power_dbm", "node", "node1", "port", "mlx5_0",
                    "lane", "0", NULL);
    web_test_job(&t, "7", "t1", "running", "node[1-2]", t.now - 3600000, 0);
    web_test_job(&t, "8", "t2", "running", "node3", t.now - 1800000, 0);
    web_test_job(&t, "6", "t1", "failed", "node1", t.now - 7200000, t.now - 5400000);
    web_test_incident(&t, "inc-1", "optic:node1/mlx5_0", "critical", "optic", "7", "t1",
                      t.now - 60000, 0);
    topo_settle(t.store);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    web_test_close(&t);
    return 0;
}

static void
jobs_are_listed_newest_first_with_health(void **state)
{
    (void)state;
    const struct doc_node *items = doc_get(web_test_get(&t, "/api/v1/jobs", NULL), "items");
    assert_int_equal(items->count, 3);
    assert_string_equal(doc_get_str(doc_at(items, 0), "id", ""), "8");
    const struct doc_node *j = web_test_item(items, "id", "7");
    assert_string_equal(doc_get_str(j, "health", ""), "critical");
    assert_int_equal(doc_get_int(j, "node_count", 0), 2);
    assert_string_equal(doc_str(doc_at(doc_get(j, "incidents"), 0), ""), "inc-1");
    assert_true(doc_get_real(doc_get(doc_get(j, "kpi"), "gpu_util"), "value", 0) == 95);
    assert_non_null(doc_get(j, "labels"));
    assert_true(doc_get_int(j, "score", 100) < 100);
}

static void
jobs_are_filtered_and_paged(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        size_t count;
    } cases[] = {{"state=running", 2}, {"state=failed,running", 3},
                 {"state=failed", 1},  {"tenant=t2", 1},
                 {"user=u1", 3},       {"user=nobody", 0},
                 {"node=node3", 1},    {"node=node1", 2},
                 {"suffering=1", 1},   {"q=train", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/jobs?%s", cases[i].query);
        size_t n = doc_get(web_test_get(&t, path, NULL), "items")->count;
        if (n != cases[i].count)
            fail_msg("%s: %zu instead of %zu", cases[i].query, n, cases[i].count);
    }
    const struct doc_node *n = web_test_get(&t, "/api/v1/jobs?user=u1&limit=2", NULL);
    char path[400];
    assert_int_equal(doc_get(n, "items")->count, 2);
    snprintf(path, sizeof path, "/api/v1/jobs?user=u1&limit=2&cursor=%s",
             doc_get_str(n, "next", ""));
    n = web_test_get(&t, path, NULL);
    assert_int_equal(doc_get(n, "items")->count, 1);
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "items"), 0), "id", ""), "6");
}

static void
jobs_of_other_tenants_do_not_exist(void **state)
{
    (void)state;
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/jobs", "X-Tenant: t2"), "items")->count, 1);
    web_test_call(&t, "GET", "/api/v1/jobs/7", "X-Tenant: t2", NULL, NULL, 404);
    web_test_call(&t, "GET", "/api/v1/jobs/7/path", "X-Tenant: t2", NULL, NULL, 404);
    web_test_call(&t, "GET", "/api/v1/jobs/none", NULL, NULL, NULL, 404);
    web_test_call(&t, "GET", "/api/v1/jobs?limit=0", NULL, NULL, NULL, 400);
}

static const struct doc_node *
layer(const struct doc_node *path, const char *name)
{
    return doc_get(web_test_item(doc_get(path, "layers"), "name", name), "items");
}

static void
path_names_the_culprit_in_its_layer(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/jobs/7/path", NULL);
    assert_string_equal(doc_get_str(n, "health", ""), "critical");
    assert_string_equal(doc_get_str(doc_get(n, "job"), "id", ""), "7");
    assert_int_equal(layer(n, "node")->count, 2);
    assert_int_equal(layer(n, "gpu")->count, 4);
    assert_int_equal(layer(n, "leaf")->count, 2);
    assert_int_equal(layer(n, "spine")->count, 1);
    const struct doc_node *o = web_test_item(layer(n, "optic"), "entity", "optic:node1/mlx5_0");
    assert_string_equal(doc_get_str(o, "health", ""), "critical");
    assert_string_equal(doc_get_str(o, "role", ""), "root");
    assert_true(doc_get_real(doc_get(doc_get(o, "kpi"), "rx_power"), "value", 0) == -12);
    assert_int_equal(doc_get(n, "incidents")->count, 1);
    assert_true(doc_get(n, "links")->count >= 6);
}

static void
path_of_a_job_that_ended_is_told_as_it_was(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/jobs/6/path", NULL);
    assert_int_equal(layer(n, "node")->count, 1);
}

static void
clusters_show_what_is_there_and_take_edits(void **state)
{
    (void)state;
    const struct doc_node *c =
        web_test_item(doc_get(web_test_get(&t, "/api/v1/clusters", NULL), "items"), "name", "demo");
    assert_int_equal(doc_get_int(doc_get(c, "counts"), "gpu", 0), 8);
    assert_string_equal(doc_get_str(c, "state", ""), "active");
    c = web_test_call(
        &t, "PUT", "/api/v1/clusters/demo", NULL, NULL,
        "{\"title\":\"Demo\",\"size\":{\"nodes\":4,\"gpus\":8},\"metadata\":{\"site\":\"lab\"}}",
        200);
    assert_string_equal(doc_get_str(c, "title", ""), "Demo");
    assert_int_equal(doc_get_int(doc_get(c, "size"), "gpus", 0), 8);
    assert_string_equal(doc_get_str(doc_get(c, "metadata"), "site", ""), "lab");
    web_test_call(&t, "PUT", "/api/v1/clusters/demo", NULL, NULL, "{\"sise\":1}", 400);
    web_test_call(&t, "PUT", "/api/v1/clusters/demo", "X-Role: viewer", NULL, "{\"title\":\"x\"}",
                  403);
}

static void
devices_are_found_by_health_and_text(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int64_t total;
    } cases[] = {{"kind=gpu", 8},
                 {"health=critical", 1},
                 {"kind=gpu&health=ok,unknown", 8},
                 {"kind=gpu&q=node1", 2},
                 {"parent=node:node1&kind=nic", 2},
                 {"rack=r02&kind=node", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/devices?%s", cases[i].query);
        int64_t n = doc_get_int(web_test_get(&t, path, NULL), "total", -1);
        if (n != cases[i].total)
            fail_msg("%s: %lld instead of %lld", cases[i].query, (long long)n,
                     (long long)cases[i].total);
    }
    assert_int_equal(
        doc_get_int(web_test_get(&t, "/api/v1/devices?kind=gpu", "X-Tenant: t2"), "total", -1), 2);
    web_test_call(&t, "GET", "/api/v1/devices?health=good", NULL, NULL, NULL, 400);
}

static void
device_shows_relations_jobs_charts_and_history(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/devices/gpu:node1/1", NULL);
    assert_string_equal(doc_get_str(n, "model", ""), "H100");
    assert_string_equal(doc_get_str(n, "health", ""), "ok");
    assert_non_null(web_test_item(doc_get(n, "relations"), "entity", "node:node1"));
    assert_int_equal(doc_get(n, "jobs")->count, 2);
    const struct doc_node *c = web_test_item(doc_get(n, "charts"), "name", "gpu_temperature");
    assert_string_equal(doc_get_str(c, "expr", ""),
                        "DCGM_FI_DEV_GPU_TEMP{Hostname=\"node1\",gpu=\"1\"}");
    assert_string_equal(doc_get_str(c, "legend", "?"), "");
    assert_non_null(doc_get_str(n, "last_seen", NULL));
    n = web_test_get(&t, "/api/v1/devices/node:node1", NULL);
    c = web_test_item(doc_get(n, "charts"), "name", "gpu_temperature");
    assert_string_equal(doc_get_str(c, "expr", ""), "DCGM_FI_DEV_GPU_TEMP{Hostname=\"node1\"}");
    assert_string_equal(doc_get_str(c, "legend", ""), "gpu");
    web_test_call(&t, "GET", "/api/v1/devices/gpu:none/0", NULL, NULL, NULL, 404);
    web_test_call(&t, "GET", "/api/v1/devices/gpu:node1/1", "X-Tenant: t2", NULL, NULL, 404);
}

static void
device_is_edited_put_into_maintenance_and_retired(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_call(&t, "PUT", "/api/v1/devices/node:node4", NULL, NULL,
                                             "{\"note\":\"fan\",\"state\":\"maintenance\"}", 200);
    assert_string_equal(doc_get_str(n, "note", ""), "fan");
    assert_string_equal(doc_get_str(n, "state", ""), "maintenance");
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "history"), 0), "user", ""), "ann");
    web_test_call(&t, "PUT", "/api/v1/devices/node:node4", NULL, NULL, "{\"nota\":1}", 400);
    web_test_call(&t, "PUT", "/api/v1/devices/pdu:p9", NULL, NULL, "{\"vendor\":\"v\"}", 200);
    web_test_call(&t, "DELETE", "/api/v1/devices/pdu:p9", NULL, NULL, NULL, 204);
    assert_string_equal(doc_get_str(web_test_get(&t, "/api/v1/devices/pdu:p9", NULL), "state", ""),
                        "retired");
}

static void
import_is_all_or_nothing(void **state)
{
    (void)state;
    static const char good[] = "entity,vendor,shelf\nnode:new1,acme,4\nnode:new2,acme,5\n",
                      bad[] = "entity,vendor\nnode:new3,acme\ngpuu:x/1,acme\n";
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/devices/import?dry_run=1", NULL, "text/csv", good, 200);
    assert_int_equal(doc_get_int(n, "created", 0), 2);
    assert_true(doc_get_bool(n, "dry_run", false));
    web_test_call(&t, "GET", "/api/v1/devices/node:new1", NULL, NULL, NULL, 404);
    n = web_test_call(&t, "POST", "/api/v1/devices/import", NULL, "text/csv", bad, 200);
    assert_int_equal(doc_get_int(doc_at(doc_get(n, "errors"), 0), "line", 0), 3);
    web_test_call(&t, "GET", "/api/v1/devices/node:new3", NULL, NULL, NULL, 404);
    n = web_test_call(&t, "POST", "/api/v1/devices/import", NULL, "text/csv", good, 200);
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "rows"), 0), "action", ""), "create");
    n = web_test_get(&t, "/api/v1/devices/node:new1", NULL);
    assert_string_equal(doc_get_str(doc_get(n, "attributes"), "shelf", ""), "4");
    n = web_test_call(&t, "POST", "/api/v1/devices/import", NULL, "application/yaml",
                      "- {entity: 'node:new4', vendor: acme}\n", 200);
    assert_int_equal(doc_get_int(n, "created", 0), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_listed_newest_first_with_health),
        cmocka_unit_test(jobs_are_filtered_and_paged),
        cmocka_unit_test(jobs_of_other_tenants_do_not_exist),
        cmocka_unit_test(path_names_the_culprit_in_its_layer),
        cmocka_unit_test(path_of_a_job_that_ended_is_told_as_it_was),
        cmocka_unit_test(clusters_show_what_is_there_and_take_edits),
        cmocka_unit_test(devices_are_found_by_health_and_text),
        cmocka_unit_test(device_shows_relations_jobs_charts_and_history),
        cmocka_unit_test(device_is_edited_put_into_maintenance_and_retired),
        cmocka_unit_test(import_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
