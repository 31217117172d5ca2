/* web_test: a whole server on a free port of loopback over a store in a temporary folder. Header
 * X-Tenant makes the caller that tenant's viewer, X-Role another role; without them the caller is
 * admin of all. */
#ifndef TESTS_WEB_WEB_TEST_H
#define TESTS_WEB_WEB_TEST_H

#include "base/clock.h"
#include "base/doc.h"
#include "base/httpc.h"
#include "base/httpd.h"
#include "base/metric.h"
#include "base/str.h"
#include "kb/kb.h"
#include "kb/matcher.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/store.h"
#include "store/topo.h"
#include "web/web.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct web_test {
    struct store *store;
    struct kb *kb;
    struct metric_table *metrics;
    struct web *web;
    struct httpd *httpd;
    struct httpc *client;
    int64_t now;
    char folder[64], base[64], site[80];
    bool bare; /* leave X-Requested-With out */
    struct kb_matcher *matcher;
};

static inline int
web_test_who(void *ctx, const struct httpd_request *req, struct identity *ret)
{
    const char *tenant = httpd_header(req, "X-Tenant"), *role = httpd_header(req, "X-Role");
    (void)ctx;
    memset(ret, 0, sizeof *ret);
    ret->role = role ? (enum role)role_find(role) : tenant ? ROLE_VIEWER : ROLE_ADMIN;
    str_copy(ret->name, sizeof ret->name, "ann");
    str_copy(ret->tenant, sizeof ret->tenant, tenant ? tenant : "");
    return 0;
}

/* auth: the server's own sign-in instead of the headers above. */
static inline void
web_test_open_with(struct web_test *f, bool auth)
{
    struct err err = {0};
    memset(f, 0, sizeof *f);
    strcpy(f->folder, "/tmp/ms-web-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    struct store_config sc = {.folder = f->folder};
    if (store_open(&sc, &f->store, &err))
        fail_msg("store: %s", err.text);
    assert_int_equal(kb_load(NULL, &f->kb, &err), 0);
    assert_int_equal(kb_matcher_builtin(&f->matcher, &err), 0);
    f->metrics = metric_table_new();
    snprintf(f->site, sizeof f->site, "%s/kb.d", f->folder);
    struct web_config wc = {.store = f->store,
                            .kb = f->kb,
                            .matcher = f->matcher,
                            .metrics = f->metrics,
                            .state_folder = f->folder,
                            .kb_site_folder = f->site,
                            .build_id = "test",
                            .base_url = "http://x",
                            .auth_required = auth};
    assert_int_equal(file_mkdir(f->site, 0700, &err), 0);
    if (web_new(&wc, &f->web, &err))
        fail_msg("web: %s", err.text);
    struct httpd_config hc = {.listen = "127.0.0.1:0",
                              .listen_fd = -1,
                              .auth = {web_test_who, NULL},
                              .fallback = web_fallback,
                              .fallback_ctx = f->web};
    if (auth)
        hc.auth = web_auth(f->web);
    f->httpd = httpd_new(&hc);
    assert_non_null(f->httpd);
    assert_int_equal(web_attach(f->web, f->httpd), 0);
    if (httpd_start(f->httpd, &err))
        fail_msg("httpd: %s", err.text);
    snprintf(f->base, sizeof f->base, "http://127.0.0.1:%u", httpd_port(f->httpd));
    f->client = httpc_new();
    f->now = clock_now_ms(NULL);
}

static inline void
web_test_open(struct web_test *f)
{
    web_test_open_with(f, false);
}

static inline void
web_test_empty(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(folder);
}

static inline void
web_test_close(struct web_test *f)
{
    httpc_free(f->client);
    httpd_stop(f->httpd);
    httpd_free(f->httpd);
    web_free(f->web);
    store_close(f->store);
    kb_free(f->kb);
    metric_table_free(f->metrics);
    web_test_empty(f->site);
    web_test_empty(f->folder);
    kb_matcher_free(f->matcher);
}

/* Answers are kept until the next call. */
static inline const struct doc_node *
web_test_call(struct web_test *f, const char *method, const char *path, const char *who,
              const char *type, const char *body, int status)
{
    static struct doc *d;
    static struct httpc_response r;
    static bool have;
    char url[1024], header[128], content[128];
    const char *headers[] = {"X-Requested-With: myriascope", header, content, NULL};
    struct err err = {0};
    if (have)
        httpc_response_done(&r);
    doc_free(d);
    d = NULL;
    snprintf(url, sizeof url, "%s%s", f->base, path);
    snprintf(header, sizeof header, "%s", who ? who : "X-None: 1");
    snprintf(content, sizeof content, "Content-Type: %s", type ? type : "application/json");
    struct httpc_request q = {.method = method,
                              .url = url,
                              .body = body,
                              .body_len = body ? strlen(body) : 0,
                              .headers = headers + f->bare,
                              .timeout_ms = 60000, /* patterns are compiled on a busy machine */
                              .max_body = (size_t)64 << 20};
    if (httpc_fetch(f->client, &q, &r, &err))
        fail_msg("%s %s: %s", method, path, err.text);
    have = true;
    if (r.status != status)
        fail_msg("%s %s: %d instead of %d: %.500s", method, path, r.status, status,
                 buf_str(&r.body));
    if (r.body.len && strstr(r.content_type, "json") &&
        doc_parse_json(r.body.data, r.body.len, path, &d, &err))
        fail_msg("%s: %s", path, err.text);
    return d ? doc_root(d) : NULL;
}

static inline const struct doc_node *
web_test_get(struct web_test *f, const char *path, const char *who)
{
    return web_test_call(f, "GET", path, who, NULL, NULL, 200);
}

/* Writes one series: "name{a=b,c=d}" given as pairs, NULL-terminated. Samples every 15 s of the
 * last `span_ms`, value v. */
static inline void
web_test_series(struct web_test *f, double v, double slope, int64_t span_ms, const char *name, ...)
{
    struct labels l = {0};
    struct sample s[400];
    size_t n = 0;
    va_list ap;
    labels_add_str(&l, "__name__", name);
    va_start(ap, name);
    for (const char *k; (k = va_arg(ap, const char *));)
        labels_add_str(&l, k, va_arg(ap, const char *));
    va_end(ap);
    assert_int_equal(labels_finish(&l), 0);
    for (int64_t t = f->now - span_ms; t <= f->now && n < 400; t += 15000)
        s[n++] = (struct sample){t, v + slope * (double)(t - f->now) / 1000};
    struct store_batch *b = store_batch_new(f->store);
    assert_int_equal(store_batch_samples(b, &l, s, n), 0);
    assert_int_equal(store_commit(f->store, b, NULL, NULL), 0);
}

static inline void
web_test_incident(struct web_test *f, const char *id, const char *entity, const char *severity,
                  const char *class_name, const char *job, const char *tenant, int64_t opened,
                  int64_t resolved)
{
    char json[2048], a[TIME_TEXT_SIZE], b[TIME_TEXT_SIZE], end[40] = "null";
    if (resolved)
        snprintf(end, sizeof end, "\"%s\"", time_format(resolved, b));
    snprintf(
        json, sizeof json,
        "{\"id\":\"%s\",\"state\":\"%s\",\"severity\":\"%s\",\"title\":{\"en\":\"t\",\"zh\":\"t\"},"
        "\"entity\":\"%s\",\"opened\":\"%s\","
        "\"resolved\":%s,\"tenant\":\"%s\",\"jobs\":[%s%s%s],\"verdict\":\"infrastructure\","
        "\"confidence\":0.9,"
        "\"hypotheses\":[{\"cause\":\"x\",\"class\":\"%s\",\"entity\":\"%s\",\"confidence\":0.9,"
        "\"evidence\":[]}],\"victims\":[],\"acknowledged_by\":null,\"history\":[],\"feedback\":[]}",
        id, resolved ? "resolved" : "open", severity, entity, time_format(opened, a), end, tenant,
        job ? "\"" : "", job ? job : "", job ? "\"" : "", class_name, entity);
    struct catalog_doc d = {.kind = "incident",
                            .id = id,
                            .tenant = tenant,
                            .state = resolved ? "resolved" : "open",
                            .key = entity,
                            .time_ms = opened,
                            .json = json,
                            .json_len = strlen(json)};
    assert_int_equal(catalog_put(f->store, &d, NULL), 0);
}

static inline void
web_test_job(struct web_test *f, const char *id, const char *tenant, const char *state,
             const char *nodes, int64_t start, int64_t end)
{
    char json[1024], a[TIME_TEXT_SIZE], b[TIME_TEXT_SIZE], ended[40] = "null";
    struct err err = {0};
    if (end)
        snprintf(ended, sizeof ended, "\"%s\"", time_format(end, b));
    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"name\":\"train\",\"user\":\"u1\",\"tenant\":\"%s\",\"state\":\"%s\","
             "\"nodes\":\"%s\",\"gpus_per_node\":2,\"start\":\"%s\",\"end\":%s}",
             id, tenant, state, nodes, time_format(start, a), ended);
    if (job_put(f->store, id, json, strlen(json), false, NULL, &err))
        fail_msg("job: %s", err.text);
}

static inline void
web_test_topology(struct web_test *f, const char *yaml)
{
    struct err err = {0};
    if (topo_put_document(f->store, yaml, strlen(yaml), "test", &err))
        fail_msg("topology: %s", err.text);
    topo_settle(f->store);
}

#define WEB_TEST_FABRIC                                                                            \
    "cluster: {name: demo}\n"                                                                      \
    "racks: [{name: r01}, {name: r02}]\n"                                                          \
    "switches: [{name: leaf1, role: leaf, group: g01, rail: 1}, {name: leaf2, role: leaf, group: " \
    "g01, rail: 2}, {name: spine1, role: spine}]\n"                                                \
    "nodes:\n"                                                                                     \
    "  - {name: 'node[1-2]', rack: r01, group: g01, gpus: {count: 2, vendor: nvidia, model: "      \
    "H100}, nics: [{name: mlx5_0, rail: 1}, {name: mlx5_1, rail: 2}]}\n"                           \
    "  - {name: 'node[3-4]', rack: r02, group: g02, gpus: {count: 2, vendor: nvidia, model: "      \
    "A100}, nics: [{name: mlx5_0, rail: 1}, {name: mlx5_1, rail: 2}]}\n"                           \
    "links:\n"                                                                                     \
    "  - {a: node1/mlx5_0, b: leaf1/Ethernet1, gbps: 400, optic: true}\n"                          \
    "  - {a: node1/mlx5_1, b: leaf2/Ethernet1, gbps: 400, optic: true}\n"                          \
    "  - {a: node2/mlx5_0, b: leaf1/Ethernet2, gbps: 400, optic: true}\n"                          \
    "  - {a: node2/mlx5_1, b: leaf2/Ethernet2, gbps: 400, optic: true}\n"                          \
    "  - {a: leaf1/Ethernet33, b: spine1/Ethernet1, gbps: 400}\n"                                  \
    "  - {a: leaf2/Ethernet33, b: spine1/Ethernet2, gbps: 400}\n"

/* Telemetry of two metrics for every accelerator of node1 to node4. */
static inline void
web_test_telemetry(struct web_test *f, int64_t span_ms)
{
    for (int n = 1; n <= 4; n++)
        for (int g = 0; g < 2; g++) {
            char node[16], gpu[8];
            snprintf(node, sizeof node, "node%d", n);
            snprintf(gpu, sizeof gpu, "%d", g);
            web_test_series(f, 60 + n, 0, span_ms, "DCGM_FI_DEV_GPU_TEMP", "Hostname", node, "gpu",
                            gpu, NULL);
            web_test_series(f, n == 4 && g == 1 ? 20 : 95, 0, span_ms, "DCGM_FI_DEV_GPU_UTIL",
                            "Hostname", node, "gpu", gpu, NULL);
        }
}

/* The member of a list whose `key` has this value; NULL. */
static inline const struct doc_node *
web_test_item(const struct doc_node *list, const char *key, const char *value)
{
    for (const struct doc_node *n = list ? list->first : NULL; n; n = n->next)
        if (!strcmp(doc_get_str(n, key, ""), value))
            return n;
    return NULL;
}

#endif
