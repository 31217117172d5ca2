/* test_push: the routes that sources post to, over a real server into a real store: what is kept,
 * what is refused and with which sentence, and what happens twice. */
#include "base/compress.h"
#include "base/httpc.h"
#include "base/httpd.h"
#include "base/protobuf.h"
#include "base/wire.h"
#include "store/jobs.h"
#include "tests/collector/collector_test.h"

struct push_fixture {
    struct fixture f;
    struct httpd *httpd;
    struct httpc *client;
    char base[64];
};

/* "Bearer agent:NAME" is that node's agent, anything else an admin. */
static int
who(void *ctx, const struct httpd_request *req, struct identity *ret)
{
    const char *h = httpd_header(req, "Authorization");
    (void)ctx;
    *ret = (struct identity){.role = ROLE_ADMIN};
    if (h && str_prefix(h, "Bearer agent:")) {
        ret->role = ROLE_AGENT;
        str_copy(ret->name, sizeof ret->name, h + 13);
    }
    return 0;
}

static void
open_all(struct push_fixture *p)
{
    struct err err;
    size_t n;
    fixture_open_store(&p->f);
    fixture_start(&p->f, "{}", NULL);
    struct httpd_config cfg = {
        .listen = "127.0.0.1:0", .listen_fd = -1, .threads = 2, .auth = {who, NULL}};
    p->httpd = httpd_new(&cfg);
    const struct route *rows = collector_routes(&n);
    assert_int_equal(httpd_routes(p->httpd, rows, n, p->f.collector), 0);
    if (httpd_start(p->httpd, &err))
        fail_msg("%s", err.text);
    snprintf(p->base, sizeof p->base, "http://127.0.0.1:%u", httpd_port(p->httpd));
    p->client = httpc_new();
}

static void
close_all(struct push_fixture *p)
{
    httpc_free(p->client);
    httpd_stop(p->httpd);
    httpd_free(p->httpd);
    fixture_close(&p->f);
}

/* Status of a request; the answer's text goes to `text` when given. */
static int
send_as(struct push_fixture *p, const char *bearer, const char *method, const char *path,
        const char *type, const void *body, size_t len, char *text, size_t size)
{
    char url[256], header[128];
    const char *headers[2] = {header, NULL};
    struct httpc_response resp;
    struct err err;
    snprintf(url, sizeof url, "%s%s", p->base, path);
    snprintf(header, sizeof header, "Content-Type: %s", type);
    struct httpc_request req = {.method = method,
                                .url = url,
                                .body = body,
                                .body_len = len,
                                .headers = headers,
                                .bearer = bearer};
    if (httpc_fetch(p->client, &req, &resp, &err))
        fail_msg("%s: %s", path, err.text);
    int status = resp.status;
    if (text)
        str_copy(text, size, buf_str(&resp.body));
    httpc_response_done(&resp);
    return status;
}

static int
post(struct push_fixture *p, const char *path, const char *type, const void *body, size_t len,
     char *text, size_t size)
{
    return send_as(p, NULL, "POST", path, type, body, len, text, size);
}

static void
put_series(struct buf *raw, const char *node, const char *gpu, double v, int64_t t)
{
    size_t m = protobuf_begin(raw, 1), l;
    const char *pairs[][2] = {{"__name__", "DCGM_FI_DEV_GPU_TEMP"}, {"gpu", gpu}, {"node", node}};
    for (size_t i = 0; i < 3; i++) {
        l = protobuf_begin(raw, 1);
        protobuf_put_str(raw, 1, pairs[i][0]);
        protobuf_put_str(raw, 2, pairs[i][1]);
        protobuf_end(raw, l);
    }
    l = protobuf_begin(raw, 2);
    protobuf_put_double(raw, 1, v);
    protobuf_put_varint(raw, 2, (uint64_t)t);
    protobuf_end(raw, l);
    protobuf_end(raw, m);
}

static void
remote_write_is_kept_and_makes_devices_known(void **state)
{
    struct push_fixture p;
    struct buf raw, packed;
    double v = 0;
    (void)state;
    open_all(&p);
    buf_init(&raw, 65536);
    buf_init(&packed, 65536);
    put_series(&raw, "node00001", "3", 61, clock_now_ms(NULL));
    compress_snappy(buf_str(&raw), raw.len, &packed);
    assert_int_equal(post(&p, "/prometheus/api/v1/write", "application/x-protobuf",
                          buf_str(&packed), packed.len, NULL, 0),
                     204);
    assert_true(fixture_value(&p.f, "DCGM_FI_DEV_GPU_TEMP", "node", "node00001", NULL, NULL,
                              &v)); /* at once: 204 is durable */
    assert_true(v == 61);
    topo_settle(p.f.store);
    struct topo *t = topo_get(p.f.store);
    assert_true(topo_find(t, "gpu:node00001/3") != TOPO_NONE);
    topo_put(t);
    buf_done(&raw);
    buf_done(&packed);
    close_all(&p);
}

static void
bad_bodies_are_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *path, *type, *body;
        int status;
        const char *says;
    } cases[] = {
        {"/prometheus/api/v1/write", "application/x-protobuf", "garbage", 400, "snappy"},
        {"/prometheus/api/v1/import/prometheus", "text/plain", "up{ 1\n", 400, ""},
        {"/prometheus/api/v1/import/prometheus?timestamp=yesterday", "text/plain", "up 1\n", 400,
         "timestamp"},
        {"/loki/api/v1/push", "application/json", "{\"streams\":[{\"stream\":{}}]}", 400, "values"},
        {"/loki/api/v1/push", "application/x-protobuf", "garbage", 400, "snappy"},
        {"/v1/metrics", "application/json", "{\"resourceMetrics\":[1]}", 400, ""},
        {"/v1/logs", "application/x-protobuf", "\x0a\x7f", 400, "OTLP"},
        {"/api/v2/alerts", "application/json", "{}", 400, "list"},
        {"/api/v2/alerts", "application/json", "[{\"labels\":{}}]", 400, "alertname"},
        {"/api/v1/agents/n1/batches", "application/octet-stream", "MSB1", 400, ""},
    };
    struct push_fixture p;
    char text[1024];
    (void)state;
    open_all(&p);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = post(&p, cases[i].path, cases[i].type, cases[i].body, strlen(cases[i].body),
                          text, sizeof text);
        if (status != cases[i].status || !strstr(text, "\"error\"") || !strstr(text, cases[i].says))
            fail_msg("%s: %d %s", cases[i].path, status, text);
    }
    struct buf out;
    buf_init(&out, 65536);
    collector_metrics(p.f.collector, &out);
    assert_non_null(strstr(buf_str(&out), "myriascope_ingest_errors_total{input=\"loki\"} 2"));
    buf_done(&out);
    close_all(&p);
}

static void
snappy_bomb_is_refused_as_too_large(void **state)
{
    struct push_fixture p;
    struct buf packed;
    char *zeros = calloc(1, 80 << 20);
    (void)state;
    open_all(&p);
    buf_init(&packed, 128 << 20);
    assert_int_equal(compress_snappy(zeros, 80 << 20, &packed), 0);
    assert_int_equal(post(&p, "/prometheus/api/v1/write", "application/x-protobuf",
                          buf_str(&packed), packed.len, NULL, 0),
                     413);
    buf_done(&packed);
    free(zeros);
    close_all(&p);
}

static int
gap_count(void *ctx, const struct gap *g)
{
    if (!strcmp(g->source, "import"))
        *(uint64_t *)ctx += g->count;
    return 0;
}

static void
exposition_keeps_what_it_can_and_tells_the_rest(void **state)
{
    static const char body[] =
        "# TYPE x gauge\nx{node=\"n1\"} 1\ny{node=\"\xff\"} 2\nz{node=\"n2\"} 3\n";
    struct push_fixture p;
    struct err err;
    uint64_t lost = 0;
    double v;
    (void)state;
    open_all(&p);
    assert_int_equal(post(&p, "/prometheus/api/v1/import/prometheus", "text/plain", body,
                          sizeof body - 1, NULL, 0),
                     204);
    assert_true(fixture_value(&p.f, "x", "node", "n1", NULL, NULL, &v) && v == 1);
    assert_true(fixture_value(&p.f, "z", "node", "n2", NULL, NULL, &v) && v == 3);
    assert_false(fixture_value(&p.f, "y", NULL, NULL, NULL, NULL, &v));
    store_gaps(p.f.store, 1, INT64_MAX / 4, NULL, gap_count, &lost, &err);
    assert_int_equal(lost, 1);
    close_all(&p);
}

static void
long_and_broken_lines_are_kept_cut(void **state)
{
    struct push_fixture p;
    struct fixture_line line;
    struct buf body;
    (void)state;
    open_all(&p);
    buf_init(&body, 4 << 20);
    buf_printf(&body,
               "{\"streams\":[{\"stream\":{\"node\":\"n1\"},\"values\":[[\"%lld000000\",\"begin ",
               (long long)clock_now_ms(NULL));
    for (int i = 0; i < 1 << 20; i++)
        buf_putc(&body, 'x');
    buf_puts(&body, "\"]]}]}");
    assert_int_equal(
        post(&p, "/loki/api/v1/push", "application/json", buf_str(&body), body.len, NULL, 0), 204);
    assert_true(fixture_wait_line(&p.f, "begin", &line));
    assert_true(strlen(line.text) <= EVENT_TEXT_MAX);
    buf_done(&body);
    close_all(&p);
}

static void
agent_batch(struct buf *out, const char *agent, uint64_t sequence, double v)
{
    struct wire_encoder *e = wire_encoder_new();
    struct wire_head head = {.epoch = 9, .sequence = sequence, .sent_ms = clock_now_ms(NULL)};
    struct labels l = {0};
    str_copy(head.agent, sizeof head.agent, agent);
    labels_add_str(&l, "__name__", "node_load1");
    labels_add_str(&l, "node", agent);
    labels_finish(&l);
    wire_encode_begin(e, &head);
    wire_encode_sample(e, &l, clock_now_ms(NULL), v);
    struct log_line line = {.time_ms = clock_now_ms(NULL),
                            .severity = SEVERITY_INFO,
                            .node = agent,
                            .job = "",
                            .source = "kernel",
                            .tenant = "",
                            .rank = -1,
                            .text = "agent says hello"};
    wire_encode_log(e, &line);
    assert_int_equal(wire_encode_end(e, out), 0);
    wire_encoder_free(e);
}

static int
count_lines(void *ctx, const struct log_line *line, uint64_t id)
{
    (void)line, (void)id;
    ++*(int *)ctx;
    return 0;
}

static void
agent_replay_changes_nothing_and_is_acknowledged(void **state)
{
    struct push_fixture p;
    struct buf body;
    struct fixture_line line;
    char text[512];
    int lines = 0;
    struct event_query q = {.from_ms = 1, .to_ms = INT64_MAX / 4, .text = "hello", .limit = 10};
    (void)state;
    open_all(&p);
    buf_init(&body, 1 << 20);
    agent_batch(&body, "node00001", 1, 0.5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_as(&p, "agent:node00001", "POST", "/api/v1/agents/node00001/batches",
                                 "application/octet-stream", buf_str(&body), body.len, text,
                                 sizeof text),
                         200);
        assert_non_null(strstr(text, "\"epoch\":9,\"sequence\":1"));
    }
    assert_true(fixture_wait_line(&p.f, "hello", &line));
    store_logs(p.f.store, &q, count_lines, &lines, NULL);
    assert_int_equal(lines, 1);
    buf_done(&body);
    close_all(&p);
}

static void
agent_speaks_for_its_own_node_alone(void **state)
{
    struct push_fixture p;
    struct buf body;
    double v;
    char text[512];
    (void)state;
    open_all(&p);
    buf_init(&body, 1 << 20);
    agent_batch(&body, "node00001", 1, 0.5);
    /* another's token on this path; this path's token with another's batch */
    assert_int_equal(send_as(&p, "agent:node00002", "POST", "/api/v1/agents/node00001/batches",
                             "application/octet-stream", buf_str(&body), body.len, text,
                             sizeof text),
                     403);
    assert_int_equal(send_as(&p, "agent:node00002", "POST", "/api/v1/agents/node00002/batches",
                             "application/octet-stream", buf_str(&body), body.len, text,
                             sizeof text),
                     403);
    assert_false(fixture_value(&p.f, "node_load1", NULL, NULL, NULL, NULL, &v));
    buf_done(&body);
    close_all(&p);
}

static void
documents_are_put_patched_and_refused(void **state)
{
    static const char job[] =
        "{\"state\":\"running\",\"nodes\":\"node[00001-00002]\",\"gpus_per_node\":8}";
    struct push_fixture p;
    struct job j;
    struct err err;
    char text[1024];
    (void)state;
    open_all(&p);
    assert_int_equal(send_as(&p, NULL, "PUT", "/api/v1/topology", "application/yaml",
                             "version: 1\ncluster: {name: c}\nnodes: [{nam: x}]\n", 48, text,
                             sizeof text),
                     400);
    if (!strstr(text, "topology:3:"))
        fail_msg("%s", text);
    if (send_as(&p, NULL, "PUT", "/api/v1/jobs/4711", "application/json", job, sizeof job - 1, text,
                sizeof text) != 200)
        fail_msg("%s", text);
    assert_int_equal(send_as(&p, NULL, "PATCH", "/api/v1/jobs/4711", "application/json",
                             "{\"state\":\"failed\",\"exit_code\":1}", 32, text, sizeof text),
                     200);
    assert_int_equal(job_get(p.f.store, "4711", &j, &err), 0);
    assert_int_equal(j.state, JOB_FAILED);
    assert_string_equal(j.nodes, "node[00001-00002]");
    job_done(&j);
    assert_int_equal(send_as(&p, NULL, "PUT", "/api/v1/jobs/4712", "application/json",
                             "{\"state\":\"flying\"}", 18, text, sizeof text),
                     400);
    close_all(&p);
}

static int
take_code(void *ctx, const struct event *ev, uint64_t id)
{
    (void)id;
    snprintf(ctx, 256, "%s %s %d", ev->entity, ev->code, (int)ev->phase);
    return 0;
}

static void
alerts_of_an_alertmanager_become_events(void **state)
{
    static const char body[] = "[{\"labels\":{\"alertname\":\"FanFailed\",\"node\":\"node00007\","
                               "\"severity\":\"critical\"},"
                               "\"annotations\":{\"summary\":\"fan 3\"}}]";
    struct push_fixture p;
    struct event_query q = {.from_ms = 1, .to_ms = INT64_MAX / 4, .limit = 1};
    char text[256] = "";
    struct err err;
    (void)state;
    open_all(&p);
    assert_int_equal(post(&p, "/api/v2/alerts", "application/json", body, sizeof body - 1, NULL, 0),
                     200);
    assert_int_equal(store_events(p.f.store, &q, take_code, text, &err), 1);
    assert_string_equal(text, "node:node00007 alert.FanFailed 1");
    close_all(&p);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_write_is_kept_and_makes_devices_known),
        cmocka_unit_test(bad_bodies_are_refused_with_a_sentence),
        cmocka_unit_test(snappy_bomb_is_refused_as_too_large),
        cmocka_unit_test(exposition_keeps_what_it_can_and_tells_the_rest),
        cmocka_unit_test(long_and_broken_lines_are_kept_cut),
        cmocka_unit_test(agent_replay_changes_nothing_and_is_acknowledged),
        cmocka_unit_test(agent_speaks_for_its_own_node_alone),
        cmocka_unit_test(documents_are_put_patched_and_refused),
        cmocka_unit_test(alerts_of_an_alertmanager_become_events),
    };
    return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}
