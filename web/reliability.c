/* reliability: what faults cost, and what was done about them without a person. */
#include "analyzer/reliability.h"

#include "analyzer/alert.h"
#include "analyzer/efficiency.h"
#include "analyzer/lifetimes.h"
#include "base/str.h"
#include "web/resources.h"
#include "web/view.h"
#include "web/web_priv.h"

#include <string.h>

#define RELIABILITY_WEEK  604800000
#define RELIABILITY_HOOKS 100

struct reliability_hooks {
    struct jsonw *w;
    struct view *v;
    const char *tenant;
};

static int
reliability_hook(void *ctx, const struct catalog_doc *c)
{
    struct reliability_hooks *h = ctx;
    struct doc *d = NULL;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    topo_id id = topo_find(h->v->topo, doc_get_str(doc_root(d), "entity", ""));
    if (view_sees(h->v, h->tenant, id))
        jsonw_raw(h->w, c->json, c->json_len);
    doc_free(d);
    return 0;
}

static void
reliability_breaker(struct web *web, struct jsonw *w)
{
    jsonw_key(w, "breaker");
    if (web->cfg.alert) {
        struct buf text;
        buf_init(&text, 4096);
        alert_breaker_json(web->cfg.alert, web_now(web), &text);
        jsonw_raw(w, buf_str(&text), text.len);
        buf_done(&text);
        return;
    }
    jsonw_object(w);
    jsonw_kstr(w, "state", "closed");
    jsonw_kint(w, "used", 0);
    jsonw_kint(w, "limit", 0);
    jsonw_kint(w, "window_seconds", 0);
    jsonw_kbool(w, "dry_run", true);
    jsonw_end_object(w);
}

static int
reliability_read(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    struct view *v;
    int64_t now = web_now(web);
    struct reliability_query q = {.cluster = httpd_query(req, "cluster"),
                                  .tenant = web_tenant(req)};
    int rc = web_time(req, "end", now, &q.to_ms, &err);
    if (!rc)
        rc = web_time(req, "start", q.to_ms - RELIABILITY_WEEK, &q.from_ms, &err);
    if (!rc)
        rc = view_get(web->views, 0, &v, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    rc = reliability_write(web->cfg.store, &q, &w, &err);
    if (!rc) {
        struct reliability_hooks h = {&w, v, req->who.tenant};
        struct catalog_query hooks = {
            .kind = "hook", .from_ms = q.from_ms, .to_ms = q.to_ms, .limit = RELIABILITY_HOOKS};
        reliability_breaker(web, &w);
        jsonw_key(&w, "hooks");
        jsonw_array(&w);
        catalog_list(web->cfg.store, &hooks, reliability_hook, &h, NULL, NULL);
        jsonw_end_array(&w);
        jsonw_end_object(&w);
    }
    view_put(v);
    if (rc)
        buf_reset(&resp->body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* What breaks belongs to the whole cluster: a tenant does not see it. */
static int
reliability_all(const struct httpd_request *req, struct httpd_response *resp)
{
    return *req->who.tenant
               ? httpd_reply_fail(resp, 403, "forbidden", "only for those who see all tenants")
               : 0;
}

static int
reliability_parts(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    const char *by = httpd_query(req, "by");
    struct lifetimes_query q = {.by = by ? by : "part"};
    int rc = web_time(req, "end", web_now(web), &q.to_ms, &err);
    if (!rc)
        rc = web_time(req, "start", q.to_ms - 4 * (int64_t)RELIABILITY_WEEK, &q.from_ms, &err);
    if (rc || *req->who.tenant)
        return rc ? web_fail(resp, rc, &err) : reliability_all(req, resp);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_ktime(&w, "start", q.from_ms);
    jsonw_ktime(&w, "end", q.to_ms);
    rc = lifetimes_write(web->cfg.store, &q, &w, &err);
    jsonw_end_object(&w);
    if (rc)
        buf_reset(&resp->body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

static int
reliability_risks(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    size_t limit;
    bool watch = strstr(req->path, "/watch") != NULL;
    int rc = web_limit(req, &limit, &err);
    if (rc || *req->who.tenant)
        return rc ? web_fail(resp, rc, &err) : reliability_all(req, resp);
    web_list_begin(&w, resp);
    rc = watch ? efficiency_watch(web->cfg.store, web->cfg.metrics, web_now(web), limit, &w, &err)
               : lifetimes_hazard(web->cfg.store, web_now(web), limit, &w, &err);
    web_list_end(&w, NULL);
    if (rc)
        buf_reset(&resp->body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route reliability_routes[] = {
    {"GET", "/api/v1/reliability", ROLE_VIEWER, reliability_read, .query = "start=; end=; cluster=",
     .help = "Effective training time, mean time between failures and to repair, by reason and "
             "job; what hooks did."},
    {"GET", "/api/v1/reliability/parts", ROLE_VIEWER, reliability_parts,
     .query = "by=part, vendor, model or batch; start=; end= (four weeks unless given)",
     .help = "Mean time between failures with its 95 % interval, and to repair, by kind of part."},
    {"GET", "/api/v1/reliability/nodes", ROLE_VIEWER, reliability_risks, .query = "limit=",
     .help = "Nodes by the risk that a part of them fails within a week, from their own past."},
    {"GET", "/api/v1/reliability/watch", ROLE_VIEWER, reliability_risks, .query = "limit=",
     .help = "Optics whose received power falls towards the alarm, GPUs whose memory wears."},
};
const size_t reliability_route_count = sizeof reliability_routes / sizeof *reliability_routes;
