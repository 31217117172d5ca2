/* The Prometheus API as Grafana and Prometheus' tools ask it: answers, errors, and their status. */
#include "tests/web/web_test.h"

static struct web_test t;

static int
setup(void **state)
{
    (void)state;
    web_test_open(&t);
    web_test_series(&t, 61, 0, 600000, "DCGM_FI_DEV_GPU_TEMP", "Hostname", "node1", "gpu", "0",
                    NULL);
    web_test_series(&t, 63, 0, 600000, "DCGM_FI_DEV_GPU_TEMP", "Hostname", "node1", "gpu", "1",
                    NULL);
    web_test_series(&t, 1, 0, 600000, "up", "job", "node", "instance", "a:1", "tenant", "t1", NULL);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    web_test_close(&t);
    return 0;
}

/* data of a successful answer */
static const struct doc_node *
data(const char *path, const char *who)
{
    char url[512];
    snprintf(url, sizeof url, "/prometheus/api/v1/%s", path);
    const struct doc_node *n = web_test_get(&t, url, who);
    assert_string_equal(doc_get_str(n, "status", ""), "success");
    return doc_get(n, "data");
}

static bool
has(const struct doc_node *seq, const char *word)
{
    for (const struct doc_node *n = seq ? seq->first : NULL; n; n = n->next)
        if (!strcmp(doc_str(n, ""), word))
            return true;
    return false;
}

static void
instant_queries_answer_scalars_strings_and_vectors(void **state)
{
    (void)state;
    const struct doc_node *d = data("query?query=1%2B1", NULL);
    assert_string_equal(doc_get_str(d, "resultType", ""), "scalar");
    assert_string_equal(doc_str(doc_at(doc_get(d, "result"), 1), ""), "2");
    d = data("query?query=max(DCGM_FI_DEV_GPU_TEMP)", NULL);
    assert_string_equal(doc_get_str(d, "resultType", ""), "vector");
    assert_string_equal(doc_str(doc_at(doc_get(doc_at(doc_get(d, "result"), 0), "value"), 1), ""),
                        "63");
    d = data("query?query=DCGM_FI_DEV_GPU_TEMP", NULL);
    assert_int_equal(doc_get(d, "result")->count, 2);
    d = data("query?query=absent_metric", NULL);
    assert_int_equal(doc_get(d, "result")->count, 0);
}

static void
forms_are_taken_as_queries_are(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_call(&t, "POST", "/prometheus/api/v1/query", NULL,
                                             "application/x-www-form-urlencoded", "query=2*3", 200);
    assert_string_equal(doc_str(doc_at(doc_get(doc_get(n, "data"), "result"), 1), ""), "6");
}

static void
range_queries_answer_a_matrix(void **state)
{
    char path[256];
    (void)state;
    snprintf(path, sizeof path, "query_range?query=up&start=%lld&end=%lld&step=15",
             (long long)(t.now / 1000 - 300), (long long)(t.now / 1000));
    const struct doc_node *d = data(path, NULL), *row = doc_at(doc_get(d, "result"), 0);
    assert_string_equal(doc_get_str(d, "resultType", ""), "matrix");
    assert_string_equal(doc_get_str(doc_get(row, "metric"), "job", ""), "node");
    assert_int_equal(doc_get(row, "values")->count, 21);
}

static void
mistakes_are_told_as_prometheus_tells_them(void **state)
{
    static const struct {
        const char *path, *type, *text;
        int status;
    } rows[] = {
        {"query?query=up(", "bad_data", "invalid parameter \"query\"", 400},
        {"query", "bad_data", "invalid parameter \"query\"", 400},
        {"query?query=up&time=x", "bad_data", "invalid parameter \"time\"", 400},
        {"query?query=up&timeout=x", "bad_data", "invalid parameter \"timeout\"", 400},
        {"query_range?query=up&end=2&step=1", "bad_data", "invalid parameter \"start\"", 400},
        {"query_range?query=up&start=3&end=2&step=1", "bad_data",
         "end timestamp must not be before start time", 400},
        {"query_range?query=up&start=1&end=2&step=0", "bad_data", "zero or negative", 400},
        {"query_range?query=up&start=1&end=2&step=abc", "bad_data", "invalid parameter \"step\"",
         400},
        {"query_range?query=up&start=0&end=100000&step=1", "bad_data", "11,000 points", 400},
        {"query_range?query=up[5m]&start=1&end=2&step=1", "bad_data", "range vector", 400},
        {"series", "bad_data", "no match[] parameter provided", 400},
        {"series?match[]=sum(up)", "bad_data", "match[]", 400},
        {"labels?match[]=%7B", "bad_data", "1:2: parse error: unexpected end of input", 400},
        {"labels?match[]=%7B%7D", "bad_data", "match[] must contain at least one", 400},
        {"series?match[]=up%20offset%205m", "bad_data", "1:4: parse error: unexpected <offset>",
         400},
        {"query_exemplars?query=up{", "bad_data", "1:4: parse error", 400},
        {"rules?type=x", "bad_data", "not supported value \"x\"", 400},
        {"label/0bad/values", "bad_data", "invalid label name", 400},
        {"query?query=up%20*%20on(x)%20DCGM_FI_DEV_GPU_TEMP", "execution", "", 422},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char url[256];
        snprintf(url, sizeof url, "/prometheus/api/v1/%s", rows[i].path);
        const struct doc_node *n = web_test_call(&t, "GET", url, NULL, NULL, NULL, rows[i].status);
        assert_string_equal(doc_get_str(n, "status", ""), "error");
        assert_string_equal(doc_get_str(n, "errorType", ""), rows[i].type);
        if (!strstr(doc_get_str(n, "error", ""), rows[i].text))
            fail_msg("%s: %s", rows[i].path, doc_get_str(n, "error", ""));
    }
}

static void
names_values_and_series_are_listed(void **state)
{
    (void)state;
    const struct doc_node *d = data("labels", NULL);
    assert_true(has(d, "__name__") && has(d, "Hostname") && has(d, "gpu") && has(d, "instance"));
    d = data("labels?match[]=up", NULL);
    assert_true(has(d, "instance"));
    assert_false(has(d, "gpu"));
    d = data("label/__name__/values", NULL);
    assert_true(has(d, "up") && has(d, "DCGM_FI_DEV_GPU_TEMP"));
    d = data("label/gpu/values?match[]=up&match[]=DCGM_FI_DEV_GPU_TEMP", NULL);
    assert_int_equal(d->count, 2);
    d = data("label/nothing/values", NULL);
    assert_int_equal(d->count, 0);
    d = data("series?match[]=DCGM_FI_DEV_GPU_TEMP&match[]=%7BHostname%3D%22node1%22%7D", NULL);
    assert_int_equal(d->count, 2);
    assert_string_equal(doc_get_str(doc_at(d, 0), "Hostname", ""), "node1");
    d = data("series?match[]=DCGM_FI_DEV_GPU_TEMP&limit=1", NULL);
    assert_int_equal(d->count, 1);
}

static void
a_tenant_sees_its_own_series(void **state)
{
    (void)state;
    assert_int_equal(
        doc_get(data("query?query=DCGM_FI_DEV_GPU_TEMP", "X-Tenant: t1"), "result")->count, 0);
    assert_int_equal(doc_get(data("query?query=up", "X-Tenant: t1"), "result")->count, 1);
    assert_int_equal(doc_get(data("query?query=up", "X-Tenant: t2"), "result")->count, 0);
    assert_false(has(data("label/__name__/values", "X-Tenant: t1"), "DCGM_FI_DEV_GPU_TEMP"));
    assert_int_equal(data("labels", "X-Tenant: t2")->count, 0);
    assert_int_equal(data("series?match[]=DCGM_FI_DEV_GPU_TEMP", "X-Tenant: t1")->count, 0);
    assert_null(doc_get(data("metadata", "X-Tenant: t1"), "DCGM_FI_DEV_GPU_TEMP"));
}

static void
metadata_rules_and_build_are_told(void **state)
{
    (void)state;
    const struct doc_node *d = data("metadata?metric=DCGM_FI_DEV_GPU_TEMP", NULL);
    assert_int_equal(d->count, 1);
    assert_string_equal(doc_get_str(doc_at(doc_get(d, "DCGM_FI_DEV_GPU_TEMP"), 0), "type", ""),
                        "gauge");
    assert_non_null(doc_get(data("rules", NULL), "groups"));
    assert_non_null(doc_get(data("alerts", NULL), "alerts"));
    assert_string_equal(doc_get_str(data("status/buildinfo", NULL), "version", ""), "2.42.0");
    assert_int_equal(data("query_exemplars?query=up", NULL)->count, 0);
    assert_string_equal(doc_str(data("format_query?query=up", NULL), ""), "up");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instant_queries_answer_scalars_strings_and_vectors),
        cmocka_unit_test(forms_are_taken_as_queries_are),
        cmocka_unit_test(range_queries_answer_a_matrix),
        cmocka_unit_test(mistakes_are_told_as_prometheus_tells_them),
        cmocka_unit_test(names_values_and_series_are_listed),
        cmocka_unit_test(a_tenant_sees_its_own_series),
        cmocka_unit_test(metadata_rules_and_build_are_told)};
    return cmocka_run_group_tests_name("prometheus", tests, setup, teardown);
}
