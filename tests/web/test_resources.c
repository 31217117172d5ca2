/* Incidents, diagnosis, checks, knowledge base, logs, alerts, the application's files and the API's
 * description, over HTTP. */
#include "tests/web/web_test.h"

#include "web/web_priv.h"

static struct web_test t;

static void
log_line(const char *node, const char *text, enum severity severity)
{
    struct log_line l = {.time_ms = t.now - 1000,
                         .severity = severity,
                         .node = node,
                         .job = "",
                         .source = "kernel",
                         .tenant = "",
                         .rank = -1,
                         .text = text};
    struct store_batch *b = store_batch_new(t.store);
    assert_int_equal(store_batch_log(b, &l), 0);
    assert_int_equal(store_commit(t.store, b, NULL, NULL), 0);
}

static void
event(const char *entity, const char *code, enum event_phase phase, int64_t at)
{
    struct event e = {.time_ms = at,
                      .phase = phase,
                      .severity = SEVERITY_CRITICAL,
                      .entity = entity,
                      .code = code,
                      .source = "kernel",
                      .text = "x",
                      .node = "node1",
                      .job = "4711",
                      .tenant = "",
                      .fields = ""};
    struct store_batch *b = store_batch_new(t.store);
    assert_int_equal(store_batch_event(b, &e), 0);
    assert_int_equal(store_commit(t.store, b, NULL, NULL), 0);
}

static int
setup(void **state)
{
    (void)state;
    web_test_open(&t);
    web_test_topology(&t, WEB_TEST_FABRIC);
    web_test_telemetry(&t, 600000);
    web_test_job(&t, "4711", "t1", "failed", "node[1-2]", t.now - 3600000, t.now - 5000);
    web_test_job(&t, "4712", "t2", "running", "node3", t.now - 3600000, 0);
    web_test_incident(&t, "i-1", "gpu:node1/0", "critical", "gpu", "4711", "t1", t.now - 20000, 0);
    web_test_incident(&t, "i-2", "optic:leaf1/Ethernet1", "warning", "optic", NULL, "",
                      t.now - 10000, 0);
    web_test_incident(&t, "i-3", "node:node4", "info", "power", NULL, "", t.now - 50000,
                      t.now - 40000);
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

/* The ids of a list, joined. */
static const char *
ids(const char *path, const char *who)
{
    static char out[512];
    const struct doc_node *items = doc_get(web_test_get(&t, path, who), "items");
    *out = 0;
    for (const struct doc_node *n = items->first; n; n = n->next)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", *out ? " " : "",
                 doc_get_str(n, "id", "?"));
    return out;
}

static void
incidents_are_filtered(void **state)
{
    static const struct {
        const char *query, *who, *ids;
    } rows[] = {
        {"", NULL, "i-2 i-1 i-3"},
        {"?state=open", NULL, "i-2 i-1"},
        {"?state=open,resolved&severity=info,critical", NULL, "i-1 i-3"},
        {"?class=optic", NULL, "i-2"},
        {"?entity=gpu:node1/0", NULL, "i-1"},
        {"?job=4711", NULL, "i-1"},
        {"?job=471", NULL, ""},
        {"?severity=critical&limit=1", NULL, "i-1"},
        {"", "X-Tenant: t1", "i-1"},
        {"", "X-Tenant: t2", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128];
        snprintf(path, sizeof path, "/api/v1/incidents%s", rows[i].query);
        assert_string_equal(ids(path, rows[i].who), rows[i].ids);
    }
    web_test_call(&t, "GET", "/api/v1/incidents?limit=0", NULL, NULL, NULL, 400);
    web_test_call(&t, "GET", "/api/v1/incidents?start=yesterday", NULL, NULL, NULL, 400);
}

static void
pages_of_incidents_follow_each_other(void **state)
{
    char path[400], next[300];
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/incidents?limit=2", NULL);
    str_copy(next, sizeof next, doc_get_str(n, "next", ""));
    assert_true(*next);
    snprintf(path, sizeof path, "/api/v1/incidents?limit=2&cursor=%s", next);
    assert_string_equal(ids(path, NULL), "i-3");
}

static void
people_act_on_incidents(void **state)
{
    (void)state;
    web_test_call(&t, "POST", "/api/v1/incidents/i-1/acknowledge", "X-Role: viewer", NULL, "{}",
                  403);
    const struct doc_node *n = web_test_call(&t, "POST", "/api/v1/incidents/i-1/acknowledge", NULL,
                                             NULL, "{\"text\":\"on it\"}", 200);
    assert_string_equal(doc_get_str(n, "state", ""), "acknowledged");
    assert_string_equal(doc_get_str(n, "acknowledged_by", ""), "ann");
    web_test_call(&t, "POST", "/api/v1/incidents/i-1/comment", NULL, NULL, "{\"text\":\"\"}", 400);
    n = web_test_call(&t, "POST", "/api/v1/incidents/i-1/comment", NULL, NULL,
                      "{\"text\":\"card swapped\"}", 200);
    assert_non_null(web_test_item(doc_get(n, "history"), "text", "card swapped"));
    n = web_test_call(&t, "POST", "/api/v1/incidents/i-1/feedback", NULL, NULL,
                      "{\"correct\":false,\"cause\":\"nvidia.xid.79\"}", 200);
    assert_int_equal(doc_get(n, "feedback")->count, 1);
    web_test_call(&t, "POST", "/api/v1/incidents/i-1/feedback", NULL, NULL, "{}", 400);
    n = web_test_call(&t, "POST", "/api/v1/incidents/i-1/resolve", NULL, NULL,
                      "{\"text\":\"done\"}", 200);
    assert_string_equal(doc_get_str(n, "state", ""), "resolved");
    web_test_call(&t, "GET", "/api/v1/incidents/none", NULL, NULL, NULL, 404);
    web_test_call(&t, "POST", "/api/v1/incidents/none/resolve", NULL, NULL, "{}", 404);
    web_test_call(&t, "GET", "/api/v1/incidents/i-2", "X-Tenant: t1", NULL, NULL, 404);
}

static void
a_job_has_the_diagnosis_of_its_incident(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/jobs/4711/diagnosis", NULL);
    assert_string_equal(doc_get_str(n, "incident", ""), "i-1");
    assert_string_equal(doc_get_str(n, "verdict", ""), "infrastructure");
    assert_int_equal(doc_get(n, "hypotheses")->count, 1);
    web_test_call(&t, "GET", "/api/v1/jobs/9999/diagnosis", NULL, NULL, NULL, 404);
    web_test_call(&t, "GET", "/api/v1/jobs/4711/diagnosis", "X-Tenant: t2", NULL, NULL, 404);
}

static void
a_job_without_incident_is_reasoned_from_events(void **state)
{
    (void)state;
    web_test_job(&t, "5000", "t1", "failed", "node[1-2]", t.now - 3600000, t.now - 4000);
    web_test_job(&t, "5001", "t1", "failed", "node4", t.now - 3600000, t.now - 4000);
    topo_settle(t.store);
    event("gpu:node2/1", "nvidia.xid.79", EVENT_INSTANT, t.now - 6000);
    const struct doc_node *n = web_test_get(&t, "/api/v1/jobs/5000/diagnosis", NULL),
                          *h = doc_at(doc_get(n, "hypotheses"), 0);
    assert_int_equal(doc_get(n, "incident")->kind, DOC_NULL);
    assert_string_equal(doc_get_str(h, "cause", ""), "nvidia.xid.79");
    assert_string_equal(doc_get_str(h, "entity", ""), "gpu:node2/1");
    n = web_test_get(&t, "/api/v1/jobs/5001/diagnosis", NULL); /* nothing happened where it ran */
    assert_string_equal(doc_get_str(n, "verdict", ""), "unknown");
}

static void
log_text_is_diagnosed_and_not_kept(void **state)
{
    static const char plain[] = "Nov 23 08:00:00 node00017 kernel: NVRM: Xid (PCI:0000:5a:00): 79, "
                                "pid=1, name=python3, GPU has fallen off the bus.\n";
    static const char ndjson[] =
        "{\"ts\":1795468784,\"node\":\"n7\",\"line\":\"NVRM: Xid (PCI:0000:5a:00): 79, pid=1, "
        "name=p, GPU has fallen off the bus.\"}\n";
    (void)state;
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/diagnose", NULL, "text/plain", plain, 200);
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "hypotheses"), 0), "cause", ""),
                        "nvidia.xid.79");
    n = web_test_call(&t, "POST", "/api/v1/diagnose", "X-Role: viewer", "application/x-ndjson",
                      ndjson, 200);
    assert_string_equal(doc_get_str(doc_at(doc_get(n, "hypotheses"), 0), "entity", ""), "node:n7");
    n = web_test_call(&t, "POST", "/api/v1/diagnose", NULL, "text/plain", "hello\n", 200);
    assert_string_equal(doc_get_str(n, "verdict", ""), "unknown");
    web_test_call(&t, "POST", "/api/v1/diagnose", NULL, "text/plain", NULL, 400);
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/logs?query=fallen", NULL), "items")->count,
                     0);
}

static void
checks_are_planned_run_and_rendered(void **state)
{
    char path[160], id[80];
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/checks/profiles", NULL);
    assert_non_null(web_test_item(doc_get(n, "items"), "name", "prejob"));
    n = web_test_call(&t, "POST", "/api/v1/checks/plan", NULL, NULL,
                      "{\"profile\":\"prejob\",\"scope\":{\"nodes\":\"node[1-2]\"}}", 200);
    assert_int_equal(doc_get_int(doc_get(n, "targets"), "node", 0), 2);
    assert_int_equal(doc_get_int(doc_get(n, "targets"), "gpu", 0), 4);
    web_test_call(&t, "POST", "/api/v1/checks/plan", NULL, NULL,
                  "{\"scope\":{\"nodes\":\"nothing[1-2]\"}}", 400);
    web_test_call(&t, "POST", "/api/v1/checks/plan", NULL, NULL, "{\"scope\":{\"job\":\"77\"}}",
                  400);
    n = web_test_call(&t, "POST", "/api/v1/checks", NULL, NULL,
                      "{\"profile\":\"prejob\",\"scope\":{\"nodes\":\"node[1-2]\"}}", 200);
    assert_string_equal(doc_get_str(n, "state", ""), "done");
    str_copy(id, sizeof id, doc_get_str(n, "id", ""));
    n = doc_at(doc_get(web_test_get(&t, "/api/v1/checks?items=0", NULL), "items"), 0);
    assert_string_equal(doc_get_str(n, "id", ""), id);
    assert_int_equal(doc_get(n, "items")->count, 0);
    snprintf(path, sizeof path, "/api/v1/checks/%s?problems=1", id);
    for (const struct doc_node *i = doc_get(web_test_get(&t, path, NULL), "items")->first; i;
         i = i->next)
        assert_string_not_equal(doc_get_str(i, "verdict", ""), "pass");
    static const char *const formats[] = {"json", "csv", "html", "junit", "text", "nagios"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        snprintf(path, sizeof path, "/api/v1/checks/%s?format=%s&lang=zh&download=1", id,
                 formats[i]);
        web_test_call(&t, "GET", path, NULL, NULL, NULL, 200);
    }
    snprintf(path, sizeof path, "/api/v1/checks/%s?format=pdf", id);
    web_test_call(&t, "GET", path, NULL, NULL, NULL, 400);
    web_test_call(&t, "GET", "/api/v1/checks/none", NULL, NULL, NULL, 404);
    web_test_call(&t, "POST", "/api/v1/checks", "X-Tenant: t1", NULL,
                  "{\"scope\":{\"nodes\":\"node1\"}}", 403);
}

/* A run that fails says why at its id, once it has ended. */
static void
resources_until_fails(const char *path)
{
    struct httpc_response resp;
    char url[256];
    snprintf(url, sizeof url, "%s%s", t.base, path);
    do {
        struct httpc_request req = {.url = url};
        assert_int_equal(httpc_fetch(t.client, &req, &resp, NULL), 0);
        assert_true(resp.status == 200 || resp.status == 400);
        if (resp.status == 200)
            assert_non_null(strstr(buf_str(&resp.body), "running"));
        else
            assert_non_null(strstr(buf_str(&resp.body), "nothing1"));
        httpc_response_done(&resp);
    } while (resp.status == 200);
}

static void
a_check_nobody_waits_for_is_answered_by_its_id(void **state)
{
    char path[160];
    (void)state;
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/checks", NULL, NULL,
                      "{\"profile\":\"full\",\"wait\":0,\"scope\":{\"nodes\":\"node[1-2]\"}}", 202);
    assert_string_equal(doc_get_str(n, "state", ""), "running");
    assert_string_equal(doc_get_str(doc_get(n, "scope"), "nodes", ""), "node[1-2]");
    snprintf(path, sizeof path, "/api/v1/checks/%s", doc_get_str(n, "id", ""));
    do
        n = web_test_get(&t, path, NULL);
    while (!strcmp(doc_get_str(n, "state", ""), "running"));
    assert_string_equal(doc_get_str(n, "state", ""), "done");
    assert_string_equal(doc_get_str(n, "id", ""), path + strlen("/api/v1/checks/"));
    n = web_test_call(&t, "POST", "/api/v1/checks", NULL, NULL,
                      "{\"profile\":\"full\",\"wait\":0,\"scope\":{\"nodes\":\"nothing[1-2]\"}}",
                      202);
    snprintf(path, sizeof path, "/api/v1/checks/%s", doc_get_str(n, "id", ""));
    resources_until_fails(path);
    web_test_call(&t, "POST", "/api/v1/checks", NULL, NULL, "{\"wait\":99}", 400);
    web_test_call(&t, "POST", "/api/v1/checks", NULL, NULL, "{\"wait\":-1}", 400);
}

static void
entries_are_found_in_both_languages(void **state)
{
    (void)state;
    assert_string_equal(
        doc_get_str(
            doc_at(doc_get(web_test_get(&t, "/api/v1/kb?q=xid+79&limit=3", NULL), "items"), 0),
            "id", ""),
        "nvidia.xid.79");
    assert_non_null(
        web_test_item(doc_get(web_test_get(&t, "/api/v1/kb?q=%E6%8E%89%E5%8D%A1", NULL), "items"),
                      "id", "nvidia.xid.79"));
    const struct doc_node *n = web_test_get(&t, "/api/v1/kb?class=optic&limit=1000", NULL);
    for (const struct doc_node *e = doc_get(n, "items")->first; e; e = e->next)
        assert_string_equal(doc_get_str(e, "class", ""), "optic");
    n = web_test_get(&t, "/api/v1/kb/nvidia.xid.79", NULL);
    assert_string_equal(doc_get_str(n, "origin", ""), "builtin");
    assert_true(str_prefix(doc_get_str(n, "yaml", ""), "- id: nvidia.xid.79"));
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/kb?origin=site", NULL), "items")->count, 0);
    web_test_call(&t, "GET", "/api/v1/kb/no.such", NULL, NULL, NULL, 404);
    web_test_call(&t, "DELETE", "/api/v1/kb/nvidia.xid.79", NULL, NULL, NULL, 409);
}

#define SITE_ENTRY                                                                                 \
    "- id: site.cap\n  class: power\n  scope: node\n  role: root\n  severity: warning\n  prior: "  \
    "1\n"                                                                                          \
    "  title:\n    en: The power-cap script ran\n    zh: 功率封顶脚本已执行\n"            \
    "  description:\n    en: The facility caps rows during an alarm.\n    zh: "                    \
    "告警期间机房会限制整排功率。\n"                                                 \
    "  actions:\n    - en: Ask the facility desk.\n      zh: 询问机房值班。\n"              \
    "  signals:\n    - log:\n        pattern: 'powercapd: capping all GPUs to [0-9]+ W'\n        " \
    "source: syslog\n        match:\n          - 'powercapd: capping all GPUs to 500 W'\n"         \
    "  clears:\n    after: 10m\n"

static void
a_site_entry_is_linted_saved_and_removed(void **state)
{
    (void)state;
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/kb/lint", NULL, "application/yaml", SITE_ENTRY, 200);
    if (!doc_get_bool(n, "ok", false))
        fail_msg("%s", doc_get_str(doc_at(doc_get(n, "problems"), 0), "message", ""));
    n = web_test_call(&t, "POST", "/api/v1/kb/lint", NULL, "application/yaml",
                      "- id: site.bad\n  clas: power\n", 200);
    assert_false(doc_get_bool(n, "ok", true));
    assert_true(doc_get_int(doc_at(doc_get(n, "problems"), 0), "line", 0) >= 1);
    n = web_test_call(&t, "POST", "/api/v1/kb/lint", NULL, "application/yaml", "- id: [\n", 200);
    assert_false(doc_get_bool(n, "ok", true));
    n = web_test_call(&t, "PUT", "/api/v1/kb/site.cap", NULL, "application/yaml", SITE_ENTRY, 200);
    assert_string_equal(doc_get_str(n, "origin", ""), "site");
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/kb?origin=site", NULL), "items")->count, 1);
    n = web_test_call(&t, "PUT", "/api/v1/kb/site.cap", NULL, "application/yaml", SITE_ENTRY,
                      200); /* again: replaced */
    n = web_test_call(&t, "PUT", "/api/v1/kb/site.other", NULL, "application/yaml", SITE_ENTRY,
                      422);
    assert_int_equal(doc_get(n, "problems")->count, 1);
    web_test_call(&t, "PUT", "/api/v1/kb/..%2Fx", NULL, "application/yaml", SITE_ENTRY, 400);
    web_test_call(&t, "PUT", "/api/v1/kb/site.cap", "X-Role: viewer", "application/yaml",
                  SITE_ENTRY, 403);
    web_test_call(&t, "DELETE", "/api/v1/kb/site.cap", NULL, NULL, NULL, 204);
    web_test_call(&t, "GET", "/api/v1/kb/site.cap", NULL, NULL, NULL, 404);
}

static void
an_entry_starts_from_an_incident(void **state)
{
    (void)state;
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/kb/draft", NULL, NULL, "{\"incident\":\"i-2\"}", 200);
    assert_string_equal(doc_get_str(n, "id", ""), "site.optic.i-2");
    assert_non_null(strstr(doc_get_str(n, "yaml", ""), "class: optic"));
    web_test_call(&t, "POST", "/api/v1/kb/draft", NULL, NULL, "{\"incident\":\"none\"}", 404);
}

static void
lines_and_events_are_searched(void **state)
{
    (void)state;
    log_line("node1",
             "NVRM: Xid (PCI:0000:5a:00): 79, pid=1, name=python3, GPU has fallen off the bus.",
             SEVERITY_CRITICAL);
    log_line("node2", "usb 1-1: new device", SEVERITY_INFO);
    const struct doc_node *n =
        doc_at(doc_get(web_test_get(&t, "/api/v1/logs?query=Xid", NULL), "items"), 0);
    assert_string_equal(doc_get_str(n, "entity", ""), "node:node1");
    assert_string_equal(doc_get_str(n, "code", ""), "nvidia.xid.79");
    assert_string_equal(doc_get_str(n, "severity", ""), "err");
    assert_int_equal(
        doc_get(web_test_get(&t, "/api/v1/logs?entity=gpu:node2/1", NULL), "items")->count, 1);
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/logs?severity=err", NULL), "items")->count,
                     1);
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/logs", "X-Tenant: t2"), "items")->count, 0);
    n = web_test_get(&t, "/api/v1/logs?limit=1", NULL);
    assert_int_equal(doc_get(n, "items")->count, 1);
    assert_true(doc_get(n, "next")->kind == DOC_STR);
    web_test_call(&t, "GET", "/api/v1/logs?cursor=abc", NULL, NULL, NULL, 400);
    event("gpu:node1/1", "nvidia.xid.48", EVENT_BEGIN, t.now - 3000);
    event("gpu:node1/1", "nvidia.xid.48", EVENT_END, t.now - 2000);
    n = doc_get(web_test_get(&t, "/api/v1/events?entity=gpu:node1/1", NULL), "items");
    assert_int_equal(n->count, 2);
    assert_int_equal(doc_get(doc_at(n, 0), "cleared")->kind, DOC_NULL);
    assert_int_equal(doc_get(doc_at(n, 1), "cleared")->kind, DOC_STR);
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/events?incident=i-2", NULL), "items")->count,
                     0);
}

static void
silences_begin_and_end(void **state)
{
    char body[512], end[TIME_TEXT_SIZE], path[128];
    (void)state;
    time_format(t.now + 3600000, end);
    snprintf(body, sizeof body,
             "{\"matchers\":[{\"name\":\"node\",\"value\":\"node:node1\"}],\"end\":\"%s\","
             "\"comment\":\"cable work\"}",
             end);
    const struct doc_node *n =
        web_test_call(&t, "POST", "/api/v1/alerts/silences", NULL, NULL, body, 201);
    assert_string_equal(doc_get_str(n, "state", ""), "active");
    assert_string_equal(doc_get_str(n, "user", ""), "ann");
    snprintf(path, sizeof path, "/api/v1/alerts/silences/%s", doc_get_str(n, "id", ""));
    web_test_call(&t, "DELETE", path, NULL, NULL, NULL, 204);
    n = doc_at(doc_get(web_test_get(&t, "/api/v1/alerts/silences", NULL), "items"), 0);
    assert_string_equal(doc_get_str(n, "state", ""), "expired");
    snprintf(body, sizeof body,
             "{\"matchers\":[{\"name\":\"nod\",\"value\":\"x\"}],\"end\":\"%s\"}", end);
    web_test_call(&t, "POST", "/api/v1/alerts/silences", NULL, NULL, body, 400);
    web_test_call(
        &t, "POST", "/api/v1/alerts/silences", NULL, NULL,
        "{\"matchers\":[{\"name\":\"node\",\"value\":\"x\"}],\"end\":\"2001-01-01T00:00:00Z\"}",
        400);
    web_test_call(&t, "DELETE", "/api/v1/alerts/silences/none", NULL, NULL, NULL, 404);
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/alerts/receivers", NULL), "items")->count,
                     0);
    web_test_call(&t, "POST", "/api/v1/alerts/receivers/none/test", NULL, NULL, NULL, 404);
    assert_int_equal(doc_get(web_test_get(&t, "/api/v1/alerts/deliveries", NULL), "items")->count,
                     0);
}

static void
unknown_pages_are_the_application_and_unknown_apis_are_not(void **state)
{
    (void)state;
    web_test_call(&t, "GET", "/jobs/4711", NULL, NULL, NULL, 200);
    web_test_call(&t, "GET", "/assets/app.css", NULL, NULL, NULL, 200);
    web_test_call(&t, "GET", "/assets/none.js", NULL, NULL, NULL, 404);
    web_test_call(&t, "GET", "/api/v1/nothing", NULL, NULL, NULL, 404);
    web_test_call(&t, "GET", "/prometheus/nothing", NULL, NULL, NULL, 404);
}

static void
the_description_names_every_route(void **state)
{
    (void)state;
    const struct doc_node *n = web_test_get(&t, "/api/v1/openapi.json", NULL),
                          *paths = doc_get(n, "paths");
    size_t operations = 0;
    for (const struct doc_node *p = paths->first; p; p = p->next)
        for (const struct doc_node *m = p->first; m; m = m->next) {
            assert_true(*doc_get_str(m, "summary", ""));
            operations++;
        }
    assert_int_equal(operations, httpd_route_count(t.httpd));
}

static void
the_topology_is_given_back_as_written(void **state)
{
    (void)state;
    web_test_call(&t, "GET", "/api/v1/topology", NULL, NULL, NULL, 200);
    web_test_call(&t, "GET", "/api/v1/topology", "X-Tenant: t1", NULL, NULL, 403);
    web_test_call(&t, "GET", "/api/v1/topology?cluster=none", NULL, NULL, NULL, 404);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incidents_are_filtered),
        cmocka_unit_test(pages_of_incidents_follow_each_other),
        cmocka_unit_test(a_job_has_the_diagnosis_of_its_incident),
        cmocka_unit_test(people_act_on_incidents),
        cmocka_unit_test(a_job_without_incident_is_reasoned_from_events),
        cmocka_unit_test(log_text_is_diagnosed_and_not_kept),
        cmocka_unit_test(checks_are_planned_run_and_rendered),
        cmocka_unit_test(a_check_nobody_waits_for_is_answered_by_its_id),
        cmocka_unit_test(entries_are_found_in_both_languages),
        cmocka_unit_test(a_site_entry_is_linted_saved_and_removed),
        cmocka_unit_test(an_entry_starts_from_an_incident),
        cmocka_unit_test(lines_and_events_are_searched),
        cmocka_unit_test(silences_begin_and_end),
        cmocka_unit_test(unknown_pages_are_the_application_and_unknown_apis_are_not),
        cmocka_unit_test(the_description_names_every_route),
        cmocka_unit_test(the_topology_is_given_back_as_written)};
    return cmocka_run_group_tests_name("resources", tests, setup, teardown);
}
