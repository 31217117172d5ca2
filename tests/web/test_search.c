/* Search, reliability and analysis, over a real store and HTTP. */
#include "tests/web/web_test.h"

#include "base/clock.h"

static struct web_test t;

static int
setup(void **state)
{
    (void)state;
    web_test_open(&t);
    web_test_topology(&t, WEB_TEST_FABRIC);
    web_test_telemetry(&t, 600000);
    web_test_job(&t, "4711", "t1", "running", "node[1-2]", t.now - 3600000, 0);
    web_test_job(&t, "4700", "t1", "node_fail", "node[1-2]", t.now - 7200000, t.now - 3900000);
    web_test_job(&t, "8", "t2", "running", "node3", t.now - 1800000, 0);
    web_test_incident(&t, "inc-1", "node:node2", "critical", "power", "4700", "t1", t.now - 3960000,
                      t.now - 3600000);
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
search_puts_what_begins_so_first(void **state)
{
    (void)state;
    const struct doc_node *items =
        doc_get(web_test_get(&t, "/api/v1/search?q=node1", NULL), "items");
    assert_string_equal(doc_get_str(doc_at(items, 0), "id", ""), "node:node1");
    const struct doc_node *g = web_test_item(items, "id", "gpu:node1/0");
    assert_string_equal(doc_get_str(doc_get(g, "title"), "en", ""), "node1 / GPU 0");
    assert_string_equal(doc_get_str(g, "health", ""), "ok");
    items = doc_get(web_test_get(&t, "/api/v1/search?q=47", NULL), "items");
    assert_string_equal(doc_get_str(web_test_item(items, "type", "job"), "id", ""), "4711");
    items = doc_get(web_test_get(&t, "/api/v1/search?q=af1", NULL), "items");
    assert_non_null(web_test_item(items, "id", "switch:leaf1"));
    items = doc_get(web_test_get(&t, "/api/v1/search?q=xid", NULL), "items");
    assert_non_null(web_test_item(items, "type", "kb"));
    assert_null(
        web_test_item(doc_get(web_test_get(&t, "/api/v1/search?q=node1", "X-Tenant: t2"), "items"),
                      "type", "device"));
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/search?q=", NULL), "items")->count, 0);
    assert_int_equal(
        doc_get(web_test_get(&t, "/api/v1/search?q=node&limit=2", NULL), "items")->count, 2);
    web_test_call(&t, "GET", "/api/v1/search?q=x&limit=0", NULL, NULL, NULL, 400);
}

static bool
near(double a, double b)
{
    return a > b * 0.999 - 1e-9 && a < b * 1.001 + 1e-9;
}

/* Job 4700 ran 55 minutes, hurt by the incident for its last minute, and went on as 4711 five
 * minutes later. */
static void
reliability_counts_from_the_fault_to_the_restart(void **state)
{
    char path[200];
    (void)state;
    snprintf(path, sizeof path, "/api/v1/reliability?start=%lld&end=%lld.%03lld",
             (long long)(t.now / 1000 - 8000), (long long)(t.now / 1000),
             (long long)(t.now % 1000));
    const struct doc_node *n = web_test_get(&t, path, NULL);
    assert_int_equal(doc_get_int(n, "interruptions", -1), 1);
    assert_true(near(doc_get_real(n, "lost_gpu_hours", 0), 4 * 360 / 3600.0));
    assert_true(near(doc_get_real(n, "gpu_hours", 0), 4 * 2.0 + 2 * 0.5));
    assert_true(near(doc_get_real(n, "mttr_seconds", 0), 360));
    assert_true(near(doc_get_real(n, "mtbf_seconds", 0), 7200 - 300));
    const struct doc_node *why = doc_at(doc_get(n, "by_reason"), 0);
    assert_string_equal(doc_get_str(why, "reason", ""), "power");
    assert_true(*doc_get_str(doc_get(why, "title"), "zh", ""));
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "by_job"), 0), "job", ""), "4700");
    assert_true(doc_get(n, "timeline")->count <= 120);
    assert_string_equal(doc_get_str(doc_get(n, "breaker"), "state", ""), "closed");
    double ratio = doc_get_real(n, "effective_ratio", 0);
    assert_true(near(ratio, 1 - 0.4 / 9));
    n = web_test_get(&t, path, "X-Tenant: t2");
    assert_int_equal(doc_get_int(n, "interruptions", -1), 0);
    assert_true(near(doc_get_real(n, "effective_ratio", 0), 1));
    web_test_call(&t, "GET", "/api/v1/reliability?start=20&end=10", NULL, NULL, NULL, 400);
}

static void
analysis_groups_and_finds_what_stands_out(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/analysis?measure=gpu_temperature&by=rack",
                                            NULL),
                          *g;
    assert_string_equal(doc_get_str(n, "unit", ""), "celsius");
    g = web_test_item(doc_get(n, "groups"), "key", "r01");
    assert_string_equal(doc_get_str(g, "entity", ""), "rack:r01");
    assert_int_equal(doc_get_int(g, "count", 0), 4);
    assert_true(near(doc_get_real(g, "avg", 0), 61.5));
    assert_true(near(doc_get_real(g, "max", 0), 62));
    assert_int_equal(doc_get(g, "previous")->kind, DOC_NULL);
    n = web_test_get(&t, "/api/v1/analysis?measure=gpu_utilization&by=rack", NULL);
    const struct doc_node *o = doc_at(doc_get(n, "outliers"), 0);
    assert_string_equal(doc_get_str(o, "entity", ""), "gpu:node4/1");
    assert_true(near(doc_get_real(o, "expected", 0), 95));
    assert_true(doc_get_real(o, "deviations", 0) < -3.5);
}

static void
analysis_knows_every_grouping(void **state)
{
    (void)state;
    static const struct {
        const char *by;
        size_t groups;
        const char *first;
    } cases[] = {{"job", 2, "4711"},  {"model", 2, "A100"},    {"leaf", 2, "leaf1"},
                 {"pod", 2, "g01"},   {"vendor", 1, "nvidia"}, {"tenant", 2, "t1"},
                 {"node", 4, "node1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/v1/analysis?measure=gpu_temperature&by=%s", cases[i].by);
        const struct doc_node *g = doc_get(web_test_get(&t, path, NULL), "groups");
        if (g->count != cases[i].groups ||
            strcmp(doc_get_str(g->first, "key", ""), cases[i].first) != 0)
            fail_msg("by %s: %zu groups, first %s", cases[i].by, g->count,
                     doc_get_str(g->first, "key", ""));
    }
    const struct doc_node *n =
        web_test_get(&t, "/api/v1/analysis?measure=gpu_temperature&by=node&filter=job:8", NULL);
    assert_int_equal(doc_get(n, "groups")->count, 1);
    n = web_test_get(&t, "/api/v1/analysis?measure=gpu_temperature&by=node", "X-Tenant: t2");
    assert_int_equal(doc_get(n, "groups")->count, 1);
    web_test_call(&t, "GET", "/api/v1/analysis?measure=none", NULL, NULL, NULL, 400);
    web_test_call(&t, "GET", "/api/v1/analysis?measure=gpu_temperature&by=colour", NULL, NULL, NULL,
                  400);
    web_test_call(&t, "GET", "/api/v1/analysis?measure=gpu_temperature&filter=r01", NULL, NULL,
                  NULL, 400);
}

static void
analysis_sets_a_second_period_beside(void **state)
{
    char path[300];
    (void)state;
    snprintf(
        path, sizeof path,
        "/api/v1/analysis?measure=gpu_temperature&by=time&start=%lld&end=%lld&compare_start=%lld",
        (long long)(t.now / 1000 - 600), (long long)(t.now / 1000),
        (long long)(t.now / 1000 - 1200));
    const struct doc_node *n = web_test_get(&t, path, NULL), *g = doc_get(n, "groups");
    assert_int_equal(g->count, 20);
    assert_int_equal(doc_get_int(g->first->next, "count", 0), 8);
    assert_int_equal(doc_get_int(doc_get(g->first, "previous"), "count", -1), 0);
    assert_true(doc_get_real(n, "coverage", 0) > 0.9);
    snprintf(
        path, sizeof path,
        "/api/v1/analysis?measure=gpu_temperature&by=rack&start=%lld&end=%lld&compare_start=%lld",
        (long long)(t.now / 1000 - 300), (long long)(t.now / 1000),
        (long long)(t.now / 1000 - 600));
    g = doc_get(web_test_get(&t, path, NULL), "groups");
    assert_true(near(doc_get_real(doc_get(g->first, "previous"), "p50", 0), 61.5));
    snprintf(path, sizeof path, "/api/v1/analysis?measure=gpu_temperature&by=rack&start=%lld",
             (long long)(t.now / 1000 - 864000));
    assert_non_null(web_test_item(doc_get(web_test_get(&t, path, NULL), "groups"), "key", "r01"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_puts_what_begins_so_first),
        cmocka_unit_test(analysis_groups_and_finds_what_stands_out),
        cmocka_unit_test(analysis_knows_every_grouping),
        cmocka_unit_test(analysis_sets_a_second_period_beside),
        cmocka_unit_test(reliability_counts_from_the_fault_to_the_restart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
