/* alerts: who is told, what was told, what is silenced. */
#include "analyzer/alert.h"

#include "base/str.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- receivers -------------------------------------------------------------------------------- */

struct alerts_pending {
    const char *receiver;
    int64_t count;
};

static int
alerts_pending_cb(void *ctx, const struct catalog_doc *d)
{
    struct alerts_pending *p = ctx;
    const char *last = strrchr(d->id, ':'); /* INCIDENT:REVISION:RECEIVER */
    p->count += last && !strcmp(last + 1, p->receiver);
    return 0;
}

static int
alerts_receivers(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL;
    struct buf text;
    struct jsonw j;
    (void)req;
    buf_init(&text, (size_t)1 << 20);
    if (w->cfg.alert)
        alert_receivers_json(w->cfg.alert, &text);
    if (text.len && doc_parse_json(buf_str(&text), text.len, "receivers", &d, NULL))
        d = NULL;
    buf_done(&text);
    web_list_begin(&j, resp);
    for (const struct doc_node *n = d ? doc_root(d)->first : NULL; n; n = n->next) {
        struct alerts_pending p = {doc_get_str(n, "name", ""), 0};
        struct catalog_query q = {.kind = "outbox", .state = "pending", .limit = 1000};
        catalog_list(w->cfg.store, &q, alerts_pending_cb, &p, NULL, NULL);
        jsonw_object(&j);
        for (const struct doc_node *m = n->first; m; m = m->next) {
            jsonw_key(&j, m->key);
            web_copy_node(&j, m);
        }
        jsonw_kint(&j, "pending", p.count);
        jsonw_end_object(&j);
    }
    web_list_end(&j, NULL);
    doc_free(d);
    return 0;
}

static int
alerts_test(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct err err = {0};
    struct jsonw j;
    char text[600];
    const char *name = httpd_param(req, "name");
    int64_t begin = clock_mono_us();
    int rc = w->cfg.alert ? alert_test(w->cfg.alert, name, &err)
                          : err_set(&err, ERR_NOTFOUND, "no receiver is named %s", name);
    if (rc == ERR_NOTFOUND)
        return httpd_reply_fail(resp, 404, "not_found", "%s", err.text);
    snprintf(text, sizeof text, "%s%sin %lld ms", err.text, *err.text ? " " : "",
             (long long)((clock_mono_us() - begin) / 1000));
    jsonw_init(&j, &resp->body);
    jsonw_object(&j);
    jsonw_kbool(&j, "ok", rc == 0);
    jsonw_kstr(&j, "message", text);
    jsonw_end_object(&j);
    return 0;
}

/* --- deliveries ------------------------------------------------------------------------------- */

struct alerts_page {
    struct jsonw *j;
    const char *receiver;
    size_t kept;
};

static int
alerts_delivery(void *ctx, const struct catalog_doc *d)
{
    static const char *const members[] = {"id",       "incident",  "title",
                                          "receiver", "revision",  "attempts",
                                          "created",  "delivered", "error"};
    struct alerts_page *p = ctx;
    struct doc *doc = NULL;
    if (doc_parse_json(d->json, d->json_len, "delivery", &doc, NULL))
        return 0;
    const struct doc_node *n = doc_root(doc);
    if (!p->receiver || !*p->receiver || !strcmp(doc_get_str(n, "receiver", ""), p->receiver)) {
        jsonw_object(p->j);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            const struct doc_node *m = doc_get(n, members[i]);
            jsonw_key(p->j, members[i]);
            if (m)
                web_copy_node(p->j, m);
            else
                jsonw_null(p->j);
        }
        jsonw_kstr(p->j, "state", d->state);
        jsonw_ktime(p->j, "next_attempt", !strcmp(d->state, "pending") ? d->time_ms : 0);
        jsonw_end_object(p->j);
        p->kept++;
    }
    doc_free(doc);
    return 0;
}

static int
alerts_deliveries(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct catalog_query q = {.kind = "outbox",
                              .tenant = web_tenant(req),
                              .key = httpd_query(req, "incident"),
                              .state = httpd_query(req, "state"),
                              .cursor = httpd_query(req, "cursor")};
    struct err err = {0};
    struct jsonw j;
    struct alerts_page p = {&j, httpd_query(req, "receiver"), 0};
    char next[256] = "", cursor[256];
    size_t limit;
    int rc = web_limit(req, &limit, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    web_list_begin(&j, resp);
    do {
        q.limit = limit - p.kept;
        rc = catalog_list(w->cfg.store, &q, alerts_delivery, &p, next, &err);
        str_copy(cursor, sizeof cursor, next);
        q.cursor = cursor;
    } while (rc > 0 && *next && p.kept < limit);
    if (rc < 0)
        return web_fail(resp, rc, &err);
    web_list_end(&j, next);
    return 0;
}

/* --- silences --------------------------------------------------------------------------------- */

static const char *const alerts_matchers[] = {"entity", "node",  "rack",  "cluster",  "job",
                                              "tenant", "class", "cause", "severity", NULL};

static int64_t
alerts_time(const struct doc_node *n, const char *key)
{
    int64_t ms = 0;
    const char *s = doc_get_str(n, key, "");
    return *s && !time_parse(s, &ms) ? ms : 0;
}

static void
alerts_silence_write(struct jsonw *j, const struct doc_node *n, int64_t now)
{
    int64_t start = alerts_time(n, "start"), end = alerts_time(n, "end");
    jsonw_object(j);
    for (const struct doc_node *m = n ? n->first : NULL; m; m = m->next) {
        jsonw_key(j, m->key);
        web_copy_node(j, m);
    }
    jsonw_kstr(j, "state", now < start ? "pending" : now < end ? "active" : "expired");
    jsonw_end_object(j);
}

struct alerts_silences {
    struct jsonw *j;
    int64_t now;
};

static int
alerts_silence_row(void *ctx, const struct catalog_doc *d)
{
    struct alerts_silences *s = ctx;
    struct doc *doc = NULL;
    if (!doc_parse_json(d->json, d->json_len, "silence", &doc, NULL))
        alerts_silence_write(s->j, doc_root(doc), s->now);
    doc_free(doc);
    return 0;
}

static int
alerts_silence_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct catalog_query q = {
        .kind = "silence", .tenant = web_tenant(req), .cursor = httpd_query(req, "cursor")};
    struct err err = {0};
    struct jsonw j;
    struct alerts_silences s = {&j, web_now(w)};
    char next[256];
    int rc = web_limit(req, &q.limit, &err);
    if (!rc) {
        web_list_begin(&j, resp);
        rc = catalog_list(w->cfg.store, &q, alerts_silence_row, &s, next, &err);
    }
    if (rc < 0)
        return web_fail(resp, rc, &err);
    web_list_end(&j, next);
    return 0;
}

static int
alerts_silence_matchers(const struct doc_node *list, struct jsonw *j, struct err *err)
{
    if (!list || list->kind != DOC_SEQ || !list->count || list->count > 64)
        return err_set(err, ERR_SYNTAX, "matchers: 1 to 64 are needed");
    jsonw_key(j, "matchers");
    jsonw_array(j);
    for (const struct doc_node *n = list->first; n; n = n->next) {
        const char *name = doc_get_str(n, "name", "");
        size_t i = 0;
        while (alerts_matchers[i] && strcmp(alerts_matchers[i], name))
            i++;
        if (!alerts_matchers[i])
            return err_set(err, ERR_RANGE,
                           "matchers: '%s' is not known; entity, node, rack, cluster, job, tenant, "
                           "class, cause, severity are",
                           name);
        jsonw_object(j);
        jsonw_kstr(j, "name", name);
        jsonw_kstr(j, "value", doc_get_str(n, "value", ""));
        jsonw_kbool(j, "regex", doc_get_bool(n, "regex", false));
        jsonw_kbool(j, "equal", doc_get_bool(n, "equal", true));
        jsonw_end_object(j);
    }
    jsonw_end_array(j);
    return 0;
}

static int
alerts_silence_span(const struct doc_node *n, int64_t now, int64_t *ret_start, int64_t *ret_end,
                    struct err *err)
{
    const char *start = doc_get_str(n, "start", "");
    *ret_start = now;
    if ((*start && time_parse(start, ret_start)) || time_parse(doc_get_str(n, "end", "?"), ret_end))
        return err_set(err, ERR_SYNTAX, "start and end: RFC 3339 is needed");
    if (*ret_end <= *ret_start || *ret_end <= now)
        return err_set(err, ERR_RANGE, "end: later than start, and not in the past");
    return 0;
}

static int
alerts_silence_put(struct web *w, const char *id, const char *tenant, int64_t start,
                   const struct buf *json, struct err *err)
{
    struct catalog_doc d = {.kind = "silence",
                            .id = id,
                            .tenant = tenant,
                            .state = "",
                            .key = "",
                            .time_ms = start,
                            .json = buf_str(json),
                            .json_len = json->len};
    return json->failed ? err_set(err, ERR_LIMIT, "the silence is too large")
                        : catalog_put(w->cfg.store, &d, err);
}

static int
alerts_silence_post(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL, *made = NULL;
    struct err err = {0};
    struct jsonw j;
    struct buf json;
    char id[48];
    uint32_t salt = 0;
    int64_t now = web_now(w), start, end;
    file_random(&salt, sizeof salt);
    snprintf(id, sizeof id, "s-%lld-%04x", (long long)(now / 1000), salt & 0xffff);
    buf_init(&json, (size_t)256 << 10);
    int rc = web_body(req, &d, &err);
    if (!rc)
        rc = alerts_silence_span(doc_root(d), now, &start, &end, &err);
    if (!rc) {
        jsonw_init(&j, &json);
        jsonw_object(&j);
        jsonw_kstr(&j, "id", id);
        rc = alerts_silence_matchers(doc_get(doc_root(d), "matchers"), &j, &err);
    }
    if (!rc) {
        jsonw_ktime(&j, "start", start);
        jsonw_ktime(&j, "end", end);
        jsonw_kstr(&j, "user", req->who.name);
        jsonw_kstr(&j, "comment", doc_get_str(doc_root(d), "comment", ""));
        jsonw_end_object(&j);
        rc = alerts_silence_put(w, id, req->who.tenant, start, &json, &err);
    }
    if (!rc && !(rc = doc_parse_json(buf_str(&json), json.len, "silence", &made, &err))) {
        jsonw_init(&j, &resp->body);
        alerts_silence_write(&j, doc_root(made), now);
        resp->status = 201;
    }
    doc_free(made);
    doc_free(d);
    buf_done(&json);
    return rc ? web_fail(resp, rc, &err) : 0;
}

struct alerts_owner {
    const struct httpd_request *req;
    char tenant[64];
};

static int
alerts_silence_tenant(void *ctx, const struct catalog_doc *d)
{
    struct alerts_owner *o = ctx;
    str_copy(o->tenant, sizeof o->tenant, d->tenant);
    return web_sees(o->req, d->tenant) ? 0 : ERR_NOTFOUND;
}

/* Ends it now; it stays in the list as expired. */
static int
alerts_silence_delete(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL;
    struct err err = {0};
    struct jsonw j;
    struct buf json;
    const char *id = httpd_param(req, "id");
    int64_t now = web_now(w);
    struct alerts_owner owner = {.req = req};
    int rc = catalog_get(w->cfg.store, "silence", id, alerts_silence_tenant, &owner, &err);
    char *text = rc ? NULL : catalog_get_json(w->cfg.store, "silence", id, &err);
    if (rc || !text)
        return httpd_reply_fail(resp, 404, "not_found", "there is no silence %s", id);
    buf_init(&json, (size_t)256 << 10);
    rc = doc_parse_json(text, strlen(text), "silence", &d, &err);
    free(text);
    if (!rc) {
        const struct doc_node *root = doc_root(d);
        jsonw_init(&j, &json);
        jsonw_object(&j);
        for (const struct doc_node *m = root ? root->first : NULL; m; m = m->next)
            if (strcmp(m->key, "end")) {
                jsonw_key(&j, m->key);
                web_copy_node(&j, m);
            }
        jsonw_ktime(&j, "end", alerts_time(root, "end") < now ? alerts_time(root, "end") : now);
        jsonw_end_object(&j);
        rc = alerts_silence_put(w, id, owner.tenant, alerts_time(root, "start"), &json, &err);
    }
    doc_free(d);
    buf_done(&json);
    resp->status = 204;
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route alerts_routes[] = {
    {"GET", "/api/v1/alerts/receivers", ROLE_VIEWER, alerts_receivers,
     .help = "Whom incidents go to, and whether that works; secrets are never shown."},
    {"POST", "/api/v1/alerts/receivers/{name}/test", ROLE_OPERATOR, alerts_test,
     .help = "Sends a test message now and says what came back."},
    {"GET", "/api/v1/alerts/deliveries", ROLE_VIEWER, alerts_deliveries,
     .help = "What was sent, is waiting, or failed; newest first.",
     .query = "incident=its id; receiver=its name; state=pending, delivered, failed, silenced; "
              "limit=1 to 1000; cursor=from a former answer"},
    {"GET", "/api/v1/alerts/silences", ROLE_VIEWER, alerts_silence_list,
     .help = "Silences: pending, active and expired.",
     .query = "limit=1 to 1000; cursor=from a former answer"},
    {"POST", "/api/v1/alerts/silences", ROLE_OPERATOR, alerts_silence_post,
     .help = "Silences what all matchers match, from start to end."},
    {"DELETE", "/api/v1/alerts/silences/{id}", ROLE_OPERATOR, alerts_silence_delete,
     .help = "Ends a silence now."},
};
const size_t alerts_route_count = sizeof alerts_routes / sizeof *alerts_routes;
