/* test_scrape: a real node exporter, an exporter of our own that changes its mind, discovery from
 * files and HTTP, relabelling, and what is told when a target fails. */
#include "base/httpd.h"
#include "collector/relabel.h"
#include "tests/collector/collector_test.h"

#include <pthread.h>

/* An exporter that gives what the test puts there, and target groups beside it. */
struct exporter {
    struct httpd *httpd;
    pthread_mutex_t mutex;
    char text[4096], groups[1024], seen[512];
    int status;
};

static int
exporter_metrics(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct exporter *e = ctx;
    const char *auth = httpd_header(req, "Authorization"), *match = httpd_query(req, "match");
    pthread_mutex_lock(&e->mutex);
    snprintf(e->seen, sizeof e->seen, "%s|%s", auth ? auth : "", match ? match : "");
    resp->status = e->status;
    resp->content_type = "text/plain; version=0.0.4";
    buf_puts(&resp->body, e->text);
    pthread_mutex_unlock(&e->mutex);
    return 0;
}

static int
exporter_groups(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct exporter *e = ctx;
    (void)req;
    pthread_mutex_lock(&e->mutex);
    buf_puts(&resp->body, e->groups);
    pthread_mutex_unlock(&e->mutex);
    return 0;
}

static const struct route exporter_routes[] = {
    {"GET", "/metrics", ROLE_NONE, exporter_metrics, "Metrics.", 0, NULL},
    {"GET", "/groups", ROLE_NONE, exporter_groups, "Target groups.", 0, NULL},
};

static void
exporter_open(struct exporter *e, const char *text)
{
    struct httpd_config cfg = {.listen = "127.0.0.1:0", .listen_fd = -1, .threads = 1};
    struct err err;
    memset(e, 0, sizeof *e);
    pthread_mutex_init(&e->mutex, NULL);
    e->status = 200;
    str_copy(e->text, sizeof e->text, text);
    e->httpd = httpd_new(&cfg);
    assert_int_equal(httpd_routes(e->httpd, exporter_routes, 2, e), 0);
    if (httpd_start(e->httpd, &err))
        fail_msg("%s", err.text);
}

static void
exporter_say(struct exporter *e, const char *text, int status)
{
    pthread_mutex_lock(&e->mutex);
    str_copy(e->text, sizeof e->text, text);
    e->status = status;
    pthread_mutex_unlock(&e->mutex);
}

static void
exporter_close(struct exporter *e)
{
    httpd_stop(e->httpd);
    httpd_free(e->httpd);
    pthread_mutex_destroy(&e->mutex);
}

/* Waits until a series has no fresh value any more: it is stale. */
static bool
wait_gone(struct fixture *f, const char *name)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    double v;
    while (fixture_value(f, name, NULL, NULL, NULL, NULL, &v)) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

static bool
wait_is(struct fixture *f, const char *name, double want)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    double v;
    while (!fixture_value(f, name, NULL, NULL, NULL, NULL, &v) || v != want) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

static void
series_that_vanish_become_stale(void **state)
{
    struct fixture f;
    struct exporter e;
    char yaml[512];
    double v;
    (void)state;
    exporter_open(&e, "a{x=\"1\"} 1\nb 2\n");
    fixture_open_store(&f);
    snprintf(yaml, sizeof yaml,
             "scrape_configs:\n- job_name: t\n  scrape_interval: 200ms\n"
             "  static_configs: [{targets: ['127.0.0.1:%u'], labels: {rack: r01}}]\n",
             httpd_port(e.httpd));
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "a", "job", "t", "rack", "r01", &v));
    assert_true(v == 1);
    assert_true(wait_is(&f, "up", 1));
    assert_true(fixture_value(&f, "scrape_samples_scraped", NULL, NULL, NULL, NULL, &v) && v == 2);
    exporter_say(&e, "b 3\n", 200);
    assert_true(wait_gone(&f, "a"));
    assert_true(wait_is(&f, "b", 3));
    exporter_say(&e, "b 4\n", 503);
    assert_true(wait_is(&f, "up", 0));
    assert_true(wait_gone(&f, "b"));
    exporter_say(&e, "b{ 4\n", 200); /* ill-formed: nothing of it is kept */
    assert_true(wait_is(&f, "up", 0));
    exporter_say(&e, "b 5\n", 200);
    assert_true(wait_is(&f, "b", 5));
    assert_true(wait_is(&f, "up", 1));
    fixture_close(&f);
    exporter_close(&e);
}

static void
labels_collide_and_rules_apply(void **state)
{
    struct fixture f;
    struct exporter e;
    char yaml[1024];
    double v;
    (void)state;
    exporter_open(&e, "a{job=\"theirs\"} 1\nnoise_total 2\nrenamed_by_rule{device=\"eth0\"} 7\n");
    fixture_open_store(&f);
    snprintf(yaml, sizeof yaml,
             "scrape_configs:\n- job_name: t\n  scrape_interval: 200ms\n  params: {match: [one]}\n"
             "  basic_auth: {username: u, password: p}\n"
             "  static_configs: [{targets: ['127.0.0.1:%u', 'dropped:1']}]\n"
             "  relabel_configs:\n"
             "  - {source_labels: [__address__], regex: 'dropped:.*', action: drop}\n"
             "  - {source_labels: [__address__], regex: '127.0.0.1:.*', target_label: node, "
             "replacement: node00001}\n"
             "  metric_relabel_configs:\n"
             "  - {source_labels: [__name__], regex: noise_.*, action: drop}\n"
             "  - {source_labels: [__name__, device], regex: 'renamed_by_rule;(.*)', target_label: "
             "__name__, replacement: 'kept_$1'}\n",
             httpd_port(e.httpd));
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "a", "exported_job", "theirs", "job", "t", &v));
    assert_true(fixture_wait_value(&f, "kept_eth0", "node", "node00001", NULL, NULL, &v));
    assert_false(fixture_value(&f, "noise_total", NULL, NULL, NULL, NULL, &v));
    pthread_mutex_lock(&e.mutex);
    assert_string_equal(e.seen, "Basic dTpw|one");
    pthread_mutex_unlock(&e.mutex);
    fixture_close(&f);
    exporter_close(&e);
}

static void
too_many_samples_fail_the_scrape(void **state)
{
    struct fixture f;
    struct exporter e;
    struct buf out;
    char yaml[512];
    double v;
    (void)state;
    exporter_open(&e, "a 1\nb 2\nc 3\n");
    fixture_open_store(&f);
    snprintf(yaml, sizeof yaml,
             "scrape_configs:\n- job_name: t\n  scrape_interval: 200ms\n  sample_limit: 2\n"
             "  static_configs: [{targets: ['127.0.0.1:%u']}]\n",
             httpd_port(e.httpd));
    fixture_start(&f, yaml, NULL);
    assert_true(wait_is(&f, "up", 0));
    assert_false(fixture_value(&f, "a", NULL, NULL, NULL, NULL, &v));
    buf_init(&out, 65536);
    collector_sources_json(f.collector, &out);
    assert_non_null(strstr(buf_str(&out), "sample_limit"));
    buf_done(&out);
    fixture_close(&f);
    exporter_close(&e);
}

static void
targets_come_and_go_by_file_and_http(void **state)
{
    struct fixture f;
    struct exporter e;
    char yaml[1024], path[128], group[256];
    double v;
    (void)state;
    exporter_open(&e, "a 1\n");
    fixture_open_store(&f);
    snprintf(path, sizeof path, "%s/targets.yaml", f.folder);
    snprintf(group, sizeof group, "- targets: ['127.0.0.1:%u']\n  labels: {from: file}\n",
             httpd_port(e.httpd));
    file_write_atomic(path, group, strlen(group), 0600, NULL);
    snprintf(e.groups, sizeof e.groups,
             "[{\"targets\":[\"127.0.0.1:%u\"],\"labels\":{\"from\":\"http\"}}]",
             httpd_port(e.httpd));
    snprintf(yaml, sizeof yaml,
             "scrape_configs:\n- job_name: t\n  scrape_interval: 200ms\n"
             "  file_sd_configs: [{files: ['*.yaml'], refresh_interval: 1s}]\n"
             "  http_sd_configs: [{url: 'http://127.0.0.1:%u/groups', refresh_interval: 1s}]\n",
             httpd_port(e.httpd));
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "a", "from", "file", NULL, NULL, &v));
    assert_true(fixture_wait_value(&f, "a", "from", "http", NULL, NULL, &v));
    file_write_atomic(path, "[]\n", 3, 0600, NULL);
    pthread_mutex_lock(&e.mutex);
    str_copy(e.groups, sizeof e.groups, "not json");
    pthread_mutex_unlock(&e.mutex);
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (fixture_value(&f, "a", "from", "file", NULL, NULL, &v) && clock_mono_us() < end)
        poll(NULL, 0, 20);
    assert_false(fixture_value(&f, "a", "from", "file", NULL, NULL, &v));
    assert_true(
        fixture_value(&f, "a", "from", "http", NULL, NULL, &v)); /* what it last gave stays */
    fixture_close(&f);
    exporter_close(&e);
}

static void
real_node_exporter_is_read(void **state)
{
    static const char program[] = "/usr/bin/prometheus-node-exporter";
    struct fixture f;
    char yaml[512], listen[64];
    double v;
    (void)state;
    if (access(program, X_OK))
        skip();
    fixture_open_store(&f);
    unsigned port = fixture_free_port(SOCK_STREAM);
    snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%u", port);
    const char *argv[] = {program, listen, NULL};
    pid_t pid = fixture_spawn(argv);
    snprintf(yaml, sizeof yaml,
             "scrape_configs:\n- job_name: node\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
             "  static_configs: [{targets: ['127.0.0.1:%u'], labels: {node: node00001}}]\n",
             port);
    fixture_start(&f, yaml, NULL);
    assert_true(
        fixture_wait_value(&f, "node_memory_MemTotal_bytes", "node", "node00001", NULL, NULL, &v));
    assert_true(v > 1e8);
    assert_true(fixture_wait_value(&f, "node_load1", "job", "node", NULL, NULL, &v));
    fixture_kill(pid);
    assert_true(wait_is(&f, "up", 0));
    assert_true(wait_gone(&f, "node_load1"));
    fixture_close(&f);
}

static void
wrong_configuration_is_told(void **state)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"scrape_configs:\n- {job_name: a}\n- {job_name: a}\n", "two jobs"},
        {"scrape_configs:\n- job_name: a\n  relabel_configs: [{action: hashmod, target_label: "
         "x}]\n",
         "modulus"},
        {"scrape_configs:\n- job_name: a\n  relabel_configs: [{regex: '('}]\n", "a"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        struct err err;
        fixture_open_store(&f);
        fixture_start(&f, cases[i].yaml, &err);
        assert_true(err.code < 0);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s", err.text);
        fixture_close(&f);
    }
}

/* --- relabelling ---------------------------------------------------------------------------------
 */

static void
relabel_actions_do_what_prometheus_says(void **state)
{
    static const struct {
        const char *yaml, *want; /* want NULL: dropped */
    } cases[] = {
        {"[{source_labels: [a, b], separator: '-', target_label: c, replacement: '<$1>'}]",
         "a=1,b=2,c=<1-2>"},
        {"[{source_labels: [a], regex: '(?<n>.)', target_label: c, replacement: '${n}$$x$1'}]",
         "a=1,b=2,c=1$x1"},
        {"[{source_labels: [a], regex: nomatch, target_label: c}]", "a=1,b=2"},
        {"[{source_labels: [z], target_label: a}]", "b=2"},
        {"[{source_labels: [a], regex: '1', action: keep}]", "a=1,b=2"},
        {"[{source_labels: [a], regex: '2', action: keep}]", NULL},
        {"[{source_labels: [a], regex: '1', action: drop}]", NULL},
        {"[{action: labelmap, regex: '(.)', replacement: 'x_$1'}]", "a=1,b=2,x_a=1,x_b=2"},
        {"[{action: labeldrop, regex: a}]", "b=2"},
        {"[{action: labelkeep, regex: a}]", "a=1"},
        {"[{source_labels: [a], target_label: b, action: keepequal}]", NULL},
        {"[{source_labels: [a], target_label: b, action: dropequal}]", "a=1,b=2"},
        {"[{source_labels: [a], target_label: h, modulus: 1, action: hashmod}]", "a=1,b=2,h=0"},
        {"[{replacement: Up, target_label: c}, {source_labels: [c], target_label: c, action: "
         "lowercase}]",
         "a=1,b=2,c=up"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char yaml[512], got[256] = "";
        struct conf_row rows[2] = {{.key = "r",
                                    .type = CONF_LIST,
                                    .rows = relabel_rows,
                                    .size = sizeof(struct relabel_conf),
                                    .help = "r"}};
        struct conf_list list;
        struct doc *d;
        struct relabel *r;
        struct err err;
        struct labels l = {0};
        struct arena *a = arena_new(65536);
        snprintf(yaml, sizeof yaml, "r: %s\n", cases[i].yaml);
        assert_int_equal(doc_parse_yaml(yaml, strlen(yaml), "t", &d, &err), 0);
        assert_int_equal(conf_fill(rows, d, doc_root(d), ".", &list, &err), 0);
        if (relabel_new(&list, &r, &err))
            fail_msg("%s", err.text);
        labels_add_str(&l, "a", "1");
        labels_add_str(&l, "b", "2");
        bool kept = relabel_apply(r, &l, a);
        assert_int_equal(kept, cases[i].want != NULL);
        labels_finish(&l);
        for (size_t k = 0; k < l.count; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s=%.*s", k ? "," : "",
                     (int)l.at[k].name_len, l.at[k].name, (int)l.at[k].value_len, l.at[k].value);
        if (kept)
            assert_string_equal(got, cases[i].want);
        relabel_free(r);
        conf_done(rows, &list);
        doc_free(d);
        arena_free(a);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(relabel_actions_do_what_prometheus_says),
        cmocka_unit_test(series_that_vanish_become_stale),
        cmocka_unit_test(labels_collide_and_rules_apply),
        cmocka_unit_test(too_many_samples_fail_the_scrape),
        cmocka_unit_test(targets_come_and_go_by_file_and_http),
        cmocka_unit_test(real_node_exporter_is_read),
        cmocka_unit_test(wrong_configuration_is_told),
    };
    return cmocka_run_group_tests_name("scrape", tests, NULL, NULL);
}
