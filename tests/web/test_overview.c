/* The front page, the fleet map, measures and agents, over a real store and HTTP. */
#include "tests/web/web_test.h"

static struct web_test t;

static int
setup(void **state)
{
    (void)state;
    web_test_open(&t);
    web_test_topology(&t, WEB_TEST_FABRIC);
    web_test_telemetry(&t, 60000);
    web_test_job(&t, "7", "t1", "running", "node[1-2]", t.now - 3600000, 0);
    web_test_job(&t, "8", "t2", "running", "node3", t.now - 3600000, 0);
    web_test_incident(&t, "inc-1", "gpu:node1/1", "critical", "gpu", "7", "t1", t.now - 60000, 0);
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
overview_counts_what_is_there_and_how_it_is(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/overview", NULL);
    assert_int_equal(doc_get_int(doc_get(n, "counts"), "gpu", -1), 8);
    assert_int_equal(doc_get_int(doc_get(n, "counts"), "node", -1), 4);
    const struct doc_node *gpu = doc_get(doc_get(n, "health"), "gpu");
    assert_int_equal(doc_get_int(gpu, "ok", -1), 7);
    assert_int_equal(doc_get_int(gpu, "critical", -1), 1);
    assert_int_equal(doc_get_int(gpu, "unknown", -1), 0);
    assert_int_equal(doc_get_int(doc_get(doc_get(n, "health"), "switch"), "unknown", -1), 3);
    assert_int_equal(doc_get_int(doc_get(n, "incidents"), "critical", -1), 1);
    assert_int_equal(doc_get_int(doc_get(n, "jobs"), "running", -1), 2);
    assert_int_equal(doc_get_int(doc_get(n, "jobs"), "suffering", -1), 1);
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "suffering"), 0), "id", ""), "7");
    assert_non_null(web_test_item(doc_get(n, "partial"), "part", "snmp"));
}

static void
overview_of_a_tenant_shows_its_own_nodes_only(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/overview", "X-Tenant: t2");
    assert_int_equal(doc_get_int(doc_get(n, "counts"), "gpu", -1), 2);
    assert_int_equal(doc_get_int(doc_get(n, "jobs"), "running", -1), 1);
    assert_int_equal(doc_get_int(doc_get(n, "incidents"), "open", -1), 0);
    assert_int_equal(doc_get(n, "suffering")->count, 0);
}

static void
fleet_states_follow_the_topology_order(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/fleet/topology", NULL);
    assert_int_equal(doc_get(n, "nodes")->count, 4);
    assert_string_equal(doc_str(doc_at(doc_get(n, "nodes"), 0), ""), "node1");
    assert_int_equal(doc_int(doc_at(doc_get(n, "gpus"), 0), 0), 2);
    assert_string_equal(doc_str(doc_at(doc_get(n, "models"), 1), ""), "A100");
    assert_int_equal(doc_int(doc_at(doc_get(n, "model"), 3), -1), 1);
    assert_int_equal(doc_int(doc_at(doc_get(n, "cluster"), 0), -1), 0);
    n = web_test_get(&t, "/api/v1/fleet?measure=gpu_temperature", NULL);
    assert_string_equal(doc_get_str(n, "states", ""), "03000000");
    assert_int_equal(strlen(doc_get_str(n, "node_states", "")), 4);
    assert_string_equal(doc_get_str(n, "unit", ""), "celsius");
    assert_true(doc_real(doc_at(doc_get(n, "values"), 0), 0) == 61);
    assert_true(doc_real(doc_at(doc_get(n, "values"), 7), 0) == 64);
    assert_int_equal(doc_int(doc_at(doc_get(n, "job"), 0), -2), 0);
    assert_int_equal(doc_int(doc_at(doc_get(n, "job"), 3), -2), -1);
    n = web_test_get(&t, "/api/v1/fleet", "X-Tenant: t2");
    assert_string_equal(doc_get_str(n, "states", ""), "00");
    web_test_call(&t, "GET", "/api/v1/fleet?measure=optic_bias", NULL, NULL, NULL, 400);
}

static void
fleet_topology_is_not_sent_again(void **state)
{
    char tag[80];
    (void)state;
    int64_t revision = doc_get_int(web_test_get(&t, "/api/v1/fleet/topology", NULL), "revision", 0);
    snprintf(tag, sizeof tag, "If-None-Match: \"%lld\"", (long long)revision);
    web_test_call(&t, "GET", "/api/v1/fleet/topology", tag, NULL, NULL, 304);
}

static void
fleet_of_a_time_without_data_is_unknown(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "/api/v1/fleet?measure=gpu_temperature&at=%lld",
             (long long)(t.now / 1000 - 7200));
    const struct doc_node *n = web_test_get(&t, path, NULL);
    for (const char *p = doc_get_str(n, "states", "x"); *p; p++)
        assert_int_equal(*p, '4');
}

static void
measures_have_units_of_the_api(void **state)
{
    (void)state;
    const struct doc_node *items = doc_get(web_test_get(&t, "/api/v1/measures", NULL), "items");
    assert_string_equal(doc_get_str(web_test_item(items, "name", "gpu_temperature"), "unit", ""),
                        "celsius");
    assert_string_equal(doc_get_str(web_test_item(items, "name", "nic_tx_bytes"), "unit", ""),
                        "bytes_per_second");
    assert_true(doc_get_bool(web_test_item(items, "name", "gpu_temperature"), "fleet", false));
    for (const struct doc_node *n = items->first; n; n = n->next)
        assert_true(*doc_get_str(doc_get(n, "title"), "zh", ""));
}

static void
agents_are_online_late_or_lost(void **state)
{
    (void)state;
    struct catalog_doc d = {.kind = "agent",
                            .id = "node9",
                            .tenant = "",
                            .time_ms = t.now,
                            .json = "{\"version\":\"1.2\",\"last_seen\":\"2020-01-01T00:00:00Z\"}",
                            .json_len = 52};
    d.json_len = strlen(d.json);
    assert_int_equal(catalog_put(t.store, &d, NULL), 0);
    web_test_series(&t, 0, 0, 0, "myriascope_agent_lag_seconds", "node", "node1", NULL);
    const struct doc_node *items = doc_get(web_test_get(&t, "/api/v1/agents", NULL), "items");
    assert_string_equal(doc_get_str(web_test_item(items, "node", "node1"), "state", ""), "online");
    assert_string_equal(doc_get_str(web_test_item(items, "node", "node9"), "state", ""), "lost");
    items = doc_get(web_test_get(&t, "/api/v1/agents?state=lost", NULL), "items");
    assert_int_equal(items->count, 1);
    assert_int_equal(
        doc_get_int(doc_get(web_test_get(&t, "/api/v1/overview", NULL), "agents"), "lost", -1), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overview_counts_what_is_there_and_how_it_is),
        cmocka_unit_test(overview_of_a_tenant_shows_its_own_nodes_only),
        cmocka_unit_test(fleet_states_follow_the_topology_order),
        cmocka_unit_test(fleet_topology_is_not_sent_again),
        cmocka_unit_test(fleet_of_a_time_without_data_is_unknown),
        cmocka_unit_test(measures_have_units_of_the_api),
        cmocka_unit_test(agents_are_online_late_or_lost),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
