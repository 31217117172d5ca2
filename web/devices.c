/* devices: everything one can point at: searched, shown with its past, entered, imported, edited,
 * retired. */
#include "web/charts.h"
#include "web/job_item.h"
#include "web/resources.h"

#include "base/hostlist.h"
#include "base/str.h"
#include "store/devices.h"

#include <stdlib.h>
#include <string.h>

#define DEVICES_RELATIONS   500
#define DEVICES_JOBS        50
#define DEVICES_HISTORY     200
#define DEVICES_IMPORT_ROWS 200
#define DEVICES_IMPORT_MAX  ((size_t)64 << 20)

struct devices_answer {
    struct web *web;
    struct jsonw *w;
    struct view *v;
    const struct health_map *health;
    const uint8_t *mask; /* NULL: all is seen */
    unsigned healths;    /* wanted, by bit; 0: all */
};

static const char *
devices_query(const struct httpd_request *req, const char *name)
{
    const char *v = httpd_query(req, name);
    return v ? v : "";
}

static int
devices_begin(struct web *web, const struct httpd_request *req, struct jsonw *w,
              struct devices_answer *ret, struct err *err)
{
    struct devices_answer a = {.web = web, .w = w};
    int rc = view_get(web->views, 0, &a.v, err);
    if (rc)
        return rc;
    if (!(a.health = view_health(a.v, err))) {
        view_put(a.v);
        return err->code ? err->code : ERR_NOMEM;
    }
    a.mask = view_mask(a.v, req->who.tenant);
    *ret = a;
    return 0;
}

static bool
devices_keep(void *ctx, const char *entity)
{
    const struct devices_answer *a = ctx;
    topo_id id = topo_find(a->v->topo, entity);
    if (a->mask && (id == TOPO_NONE || !a->mask[id]))
        return false;
    return !a->healths || a->healths & 1u << health_of(a->health, id);
}

static void
devices_members(struct devices_answer *a, const struct device *d)
{
    topo_id id = topo_find(a->v->topo, d->entity);
    const char *const *issues;
    size_t n = id == TOPO_NONE ? 0 : health_issues(a->health, id, &issues);
    device_write(a->w, d);
    jsonw_kstr(a->w, "health", health_word(health_of(a->health, id)));
    jsonw_ktime(a->w, "last_seen", health_seen(a->health, id));
    jsonw_key(a->w, "issues");
    jsonw_array(a->w);
    for (size_t i = 0; i < n; i++)
        jsonw_str(a->w, issues[i]);
    jsonw_end_array(a->w);
}

static int
devices_item(void *ctx, const struct device *d)
{
    struct devices_answer *a = ctx;
    jsonw_object(a->w);
    devices_members(a, d);
    jsonw_end_object(a->w);
    return 0;
}

static int
devices_healths(const char *list, unsigned *ret, struct err *err)
{
    const char *p = list, *field;
    size_t len;
    while ((field = str_field(&p, ",", &len))) {
        int h = HEALTH_UNKNOWN;
        while (h <= HEALTH_CRITICAL && (strlen(health_word((enum health)h)) != len ||
                                        memcmp(field, health_word((enum health)h), len) != 0))
            h++;
        if (h > HEALTH_CRITICAL)
            return err_set(err, ERR_SYNTAX,
                           "health: ok, minor, major, critical and unknown are known, not '%.*s'",
                           (int)len, field);
        *ret |= 1u << h;
    }
    return 0;
}

static int
devices_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    struct devices_answer a;
    size_t limit, total = 0;
    unsigned healths = 0;
    char next[256] = "";
    int rc = web_limit(req, &limit, &err);
    if (!rc)
        rc = devices_healths(devices_query(req, "health"), &healths, &err);
    if (!rc)
        rc = devices_begin(web, req, &w, &a, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    a.healths = healths;
    struct device_query q = {.text = devices_query(req, "q"),
                             .kind = devices_query(req, "kind"),
                             .state = devices_query(req, "state"),
                             .cluster = devices_query(req, "cluster"),
                             .rack = devices_query(req, "rack"),
                             .vendor = devices_query(req, "vendor"),
                             .origin = devices_query(req, "origin"),
                             .parent = devices_query(req, "parent"),
                             .cursor = devices_query(req, "cursor"),
                             .keep = healths || a.mask ? devices_keep : NULL,
                             .ctx = &a,
                             .limit = limit};
    if (!strcmp(devices_query(req, "format"), "csv")) {
        resp->content_type = "text/csv; charset=utf-8";
        httpd_reply_header(resp, "Content-Disposition", "attachment; filename=\"devices.csv\"");
        q.limit = 0;
        rc = device_export(web->cfg.store, &q, &resp->body, &err);
    } else {
        jsonw_init(&w, &resp->body);
        jsonw_object(&w);
        jsonw_key(&w, "items");
        jsonw_array(&w);
        rc = device_list(web->cfg.store, &q, devices_item, &a, next, &total, &err);
        jsonw_end_array(&w);
        jsonw_kint(&w, "total", (int64_t)total);
        web_kstr_or_null(&w, "next", next);
        jsonw_end_object(&w);
    }
    view_put(a.v);
    if (rc < 0)
        buf_reset(&resp->body);
    return rc < 0 ? web_fail(resp, rc, &err) : 0;
}

/* --- one -------------------------------------------------------------------------------------- */

static void
devices_relations(struct devices_answer *a, topo_id id)
{
    const struct topo *t = a->v->topo;
    size_t n = 0, shown = 0;
    const struct topo_edge *e = id == TOPO_NONE ? NULL : topo_edges(t, id, &n);
    jsonw_key(a->w, "relations");
    jsonw_array(a->w);
    for (size_t i = 0; i < n && shown < DEVICES_RELATIONS; i++) {
        if (a->mask && !a->mask[e[i].to])
            continue;
        const char *name = topo_name(t, e[i].to);
        const struct topo_job *j =
            topo_kind(t, e[i].to) == ENTITY_JOB ? topo_job_find(t, view_plain(t, e[i].to)) : NULL;
        jsonw_object(a->w);
        jsonw_kstr(a->w, "type", relation_word((enum relation)e[i].relation));
        jsonw_kstr(a->w, "entity", name);
        jsonw_kstr(a->w, "direction", e[i].reverse ? "in" : "out");
        jsonw_kstr(a->w, "health", health_word(health_of(a->health, e[i].to)));
        jsonw_ktime(a->w, "start", j ? j->start_ms : 0);
        jsonw_ktime(a->w, "end", 0);
        jsonw_end_object(a->w);
        shown++;
    }
    jsonw_end_array(a->w);
}

struct devices_jobs {
    struct devices_answer *a;
    const struct httpd_request *req;
    const char *node;
    size_t count;
};

static bool
devices_has_node(const char *nodes, const char *node)
{
    struct hostlist l;
    bool found = false;
    if (hostlist_parse(nodes, &l, NULL))
        return false;
    for (size_t i = 0; i < l.count && !found; i++)
        found = !strcmp(l.names[i], node);
    hostlist_done(&l);
    return found;
}

static int
devices_job(void *ctx, const struct catalog_doc *c)
{
    struct devices_jobs *j = ctx;
    struct doc *d = NULL;
    if (j->count == DEVICES_JOBS || !web_sees(j->req, c->tenant) ||
        doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d);
    if (devices_has_node(doc_get_str(n, "nodes", ""), j->node)) {
        struct job_item_view iv = {.store = j->a->web->cfg.store, .v = j->a->v};
        double score;
        jsonw_object(j->a->w);
        jsonw_kstr(j->a->w, "id", c->id);
        jsonw_kstr(j->a->w, "name", doc_get_str(n, "name", ""));
        jsonw_kstr(j->a->w, "state", c->state);
        jsonw_kstr(j->a->w, "start", doc_get_str(n, "start", NULL));
        jsonw_kstr(j->a->w, "end", doc_get_str(n, "end", NULL));
        jsonw_kstr(j->a->w, "health", health_word(job_item_health(&iv, c->id, c->state, &score)));
        jsonw_end_object(j->a->w);
        j->count++;
    }
    doc_free(d);
    return 0;
}

static void
devices_jobs(struct devices_answer *a, const struct httpd_request *req, topo_id id)
{
    topo_id owner = view_owner(a->v->topo, id);
    struct devices_jobs j = {a, req, owner == TOPO_NONE ? "" : view_plain(a->v->topo, owner), 0};
    struct catalog_query q = {.kind = "job", .tenant = web_tenant(req), .limit = 1000};
    jsonw_key(a->w, "jobs");
    jsonw_array(a->w);
    if (owner != TOPO_NONE && topo_kind(a->v->topo, owner) == ENTITY_NODE)
        catalog_list(a->web->cfg.store, &q, devices_job, &j, NULL, NULL);
    jsonw_end_array(a->w);
}

static int
devices_history_row(void *ctx, const struct device_history *h)
{
    struct jsonw *w = ctx;
    jsonw_object(w);
    jsonw_ktime(w, "time", h->time_ms);
    web_kstr_or_null(w, "user", h->user);
    jsonw_kstr(w, "action", h->action);
    web_kstr_or_null(w, "text", h->text);
    jsonw_end_object(w);
    return 0;
}

struct devices_detail {
    struct devices_answer *a;
    const struct httpd_request *req;
};

static int
devices_detail(void *ctx, const struct device *d)
{
    struct devices_detail *x = ctx;
    struct devices_answer *a = x->a;
    topo_id id = topo_find(a->v->topo, d->entity);
    jsonw_object(a->w);
    devices_members(a, d);
    devices_relations(a, id);
    devices_jobs(a, x->req, id);
    jsonw_key(a->w, "charts");
    jsonw_array(a->w);
    charts_write(a->web, a->v, d->entity, a->w);
    jsonw_end_array(a->w);
    jsonw_key(a->w, "history");
    jsonw_array(a->w);
    device_history(a->web->cfg.store, d->entity, DEVICES_HISTORY, devices_history_row, a->w, NULL);
    jsonw_end_array(a->w);
    jsonw_end_object(a->w);
    return 0;
}

static int
devices_answer(struct web *web, const struct httpd_request *req, struct httpd_response *resp,
               const char *entity)
{
    struct err err = {0};
    struct jsonw w;
    struct devices_answer a;
    int rc = devices_begin(web, req, &w, &a, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    struct devices_detail x = {&a, req};
    jsonw_init(&w, &resp->body);
    if (a.mask && !devices_keep(&a, entity))
        rc = err_set(&err, ERR_NOTFOUND, "there is no device %.180s", entity);
    else
        rc = device_get(web->cfg.store, entity, devices_detail, &x, &err);
    view_put(a.v);
    if (rc < 0)
        buf_reset(&resp->body);
    return rc < 0 ? web_fail(resp, rc, &err) : 0;
}

static int
devices_one(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    return devices_answer(ctx, req, resp, httpd_param(req, "entity"));
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Devices are the site's: a tenant's operator changes none. */
static bool
devices_refused(const struct httpd_request *req, struct httpd_response *resp)
{
    if (!*req->who.tenant)
        return false;
    httpd_reply_fail(resp, 403, "denied", "a tenant changes no devices");
    return true;
}

static int
devices_put(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct doc *d = NULL;
    const char *entity = httpd_param(req, "entity");
    if (devices_refused(req, resp))
        return 0;
    int rc = web_body(req, &d, &err);
    if (!rc)
        rc = device_put(web->cfg.store, entity, d, doc_root(d), "manual", req->who.name, &err);
    doc_free(d);
    if (rc < 0)
        return web_fail(resp, rc, &err);
    topo_settle(web->cfg.store);
    return devices_answer(web, req, resp, entity);
}

static int
devices_delete(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    if (devices_refused(req, resp))
        return 0;
    int rc = device_set_state(web->cfg.store, httpd_param(req, "entity"), "retired", 0,
                              req->who.name, "", &err);
    resp->status = 204;
    return rc < 0 ? web_fail(resp, rc, &err) : 0;
}

static void
devices_import_write(struct jsonw *w, const struct device_import *r, bool dry_run)
{
    jsonw_object(w);
    jsonw_kbool(w, "dry_run", dry_run);
    jsonw_kint(w, "created", (int64_t)r->created);
    jsonw_kint(w, "updated", (int64_t)r->updated);
    jsonw_kint(w, "unchanged", (int64_t)r->unchanged);
    jsonw_key(w, "errors");
    jsonw_array(w);
    for (size_t i = 0; i < r->error_count; i++) {
        jsonw_object(w);
        jsonw_kint(w, "line", r->errors[i].line);
        jsonw_kstr(w, "message", r->errors[i].message);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_key(w, "rows");
    jsonw_array(w);
    for (size_t i = 0; i < r->row_count && i < DEVICES_IMPORT_ROWS; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "entity", r->rows[i].entity);
        jsonw_kstr(w, "action", r->rows[i].action);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

/* Not a topology document and not a list: what it is by its type, else by how it begins. */
static bool
devices_is_csv(const struct httpd_request *req)
{
    const char *type = httpd_header(req, "Content-Type");
    return type && (strstr(type, "csv") != NULL);
}

static int
devices_import(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct device_import r = {0};
    struct jsonw w;
    bool dry = !strcmp(devices_query(req, "dry_run"), "1") ||
               !strcmp(devices_query(req, "dry_run"), "true");
    if (devices_refused(req, resp))
        return 0;
    int rc = device_import(web->cfg.store, req->body, req->body_len, devices_is_csv(req), dry,
                           req->who.name, &r, &err);
    /* Lines in error are an answer; what cannot be told by lines is a failure. */
    if (rc < 0 && !r.error_count)
        return web_fail(resp, rc, &err);
    if (!dry && !r.error_count)
        topo_settle(web->cfg.store);
    jsonw_init(&w, &resp->body);
    devices_import_write(&w, &r, dry);
    device_import_done(&r);
    return 0;
}

const struct route devices_routes[] = {
    {"GET", "/api/v1/devices", ROLE_VIEWER, devices_list,
     .query = "q=part of any text; kind=; state=; health=; cluster=; rack=; vendor=; origin=; "
              "parent=; format=csv; limit=; cursor=",
     .help = "Devices: declared, discovered, entered or imported; searched and paged."},
    {"GET", "/api/v1/devices/{entity*}", ROLE_VIEWER, devices_one,
     .help = "One device: relations, jobs, what to draw, history."},
    {"PUT", "/api/v1/devices/{entity*}", ROLE_OPERATOR, devices_put,
     .help = "Changes members of a device; makes it if absent."},
    {"DELETE", "/api/v1/devices/{entity*}", ROLE_OPERATOR, devices_delete,
     .help = "Retires a device."},
    {"POST", "/api/v1/devices/import", ROLE_OPERATOR, devices_import,
     .body_max = DEVICES_IMPORT_MAX, .query = "dry_run=1: changes nothing",
     .help = "Imports devices from CSV, or YAML (a sequence of devices, or a topology document): "
             "all or none."},
};
const size_t devices_route_count = sizeof devices_routes / sizeof *devices_routes;
