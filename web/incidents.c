/* incidents: listed, shown, and what people do to them. */
#include "analyzer/incident.h"

#include "base/str.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INCIDENTS_LOOKED                                                                           \
    20000 /* rows one request reads at most when a filter keeps few of them                        \
           */

/* --- filters ---------------------------------------------------------------------------------- */

struct incidents_filter {
    const char *severity, *entity, *job,
        *class_name; /* NULL or "": any; severity and class are lists by comma */
};

struct incidents_page {
    struct jsonw *j;
    const struct incidents_filter *f;
    size_t kept;
};

/* Is `word` one of the list "a,b"? Everything is in an empty one. */
static bool
incidents_listed(const char *list, const char *word)
{
    size_t n;
    const char *at;
    if (!list || !*list)
        return true;
    while ((at = str_field(&list, ",", &n)))
        if (strlen(word) == n && !strncmp(at, word, n))
            return true;
    return false;
}

static bool
incidents_holds(const struct doc_node *seq, const char *word)
{
    for (const struct doc_node *n = seq ? seq->first : NULL; n; n = n->next)
        if (!strcmp(doc_str(n, ""), word))
            return true;
    return false;
}

/* Root of any hypothesis, victim, or in the evidence. */
static bool
incidents_concerns(const struct doc_node *n, const char *entity)
{
    const struct doc_node *hypotheses = doc_get(n, "hypotheses");
    if (!strcmp(doc_get_str(n, "entity", ""), entity) ||
        incidents_holds(doc_get(n, "victims"), entity))
        return true;
    for (const struct doc_node *h = hypotheses ? hypotheses->first : NULL; h; h = h->next) {
        const struct doc_node *evidence = doc_get(h, "evidence");
        if (!strcmp(doc_get_str(h, "entity", ""), entity))
            return true;
        for (const struct doc_node *e = evidence ? evidence->first : NULL; e; e = e->next)
            if (!strcmp(doc_get_str(e, "entity", ""), entity))
                return true;
    }
    return false;
}

static bool
incidents_keep(const struct incidents_filter *f, const struct catalog_doc *d)
{
    struct doc *doc = NULL;
    bool any = (f->severity && *f->severity) || (f->entity && *f->entity) || (f->job && *f->job) ||
               (f->class_name && *f->class_name);
    if (!any)
        return true;
    if (doc_parse_json(d->json, d->json_len, "incident", &doc, NULL))
        return false;
    const struct doc_node *n = doc_root(doc), *first = doc_at(doc_get(n, "hypotheses"), 0);
    bool keep = incidents_listed(f->severity, doc_get_str(n, "severity", "")) &&
                incidents_listed(f->class_name, doc_get_str(first, "class", "")) &&
                (!f->entity || !*f->entity || incidents_concerns(n, f->entity)) &&
                (!f->job || !*f->job || incidents_holds(doc_get(n, "jobs"), f->job));
    doc_free(doc);
    return keep;
}

static int
incidents_row(void *ctx, const struct catalog_doc *d)
{
    struct incidents_page *p = ctx;
    if (incidents_keep(p->f, d)) {
        jsonw_raw(p->j, d->json, d->json_len);
        p->kept++;
    }
    return 0;
}

/* "open,acknowledged" as the catalog wants it: "open|acknowledged". */
static const char *
incidents_states(const char *list, char *out, size_t size)
{
    if (!list || !*list)
        return NULL;
    str_copy(out, size, list);
    for (char *p = out; *p; p++)
        if (*p == ',')
            *p = '|';
    return out;
}

/* Pages are read until `limit` rows were kept: each reads as many rows as are still wanted, so that
 * none is lost. */
static int
incidents_pages(struct web *w, struct catalog_query *q, struct incidents_page *p, size_t limit,
                char next[256], struct err *err)
{
    char cursor[256];
    size_t looked = 0;
    int rc;
    do {
        q->limit = limit - p->kept;
        rc = catalog_list(w->cfg.store, q, incidents_row, p, next, err);
        str_copy(cursor, sizeof cursor, next);
        q->cursor = cursor;
        looked += rc > 0 ? (size_t)rc : 0;
    } while (rc > 0 && *next && p->kept < limit && looked < INCIDENTS_LOOKED);
    return rc < 0 ? rc : 0;
}

static int
incidents_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct incidents_filter f = {httpd_query(req, "severity"), httpd_query(req, "entity"),
                                 httpd_query(req, "job"), httpd_query(req, "class")};
    char states[128], next[256] = "";
    struct catalog_query q = {
        .kind = "incident",
        .tenant = web_tenant(req),
        .text = httpd_query(req, "q"),
        .state = incidents_states(httpd_query(req, "state"), states, sizeof states),
        .cursor = httpd_query(req, "cursor")};
    struct jsonw j;
    struct incidents_page p = {&j, &f, 0};
    struct err err = {0};
    size_t limit;
    int rc = web_limit(req, &limit, &err);
    if (!rc)
        rc = web_time(req, "start", 0, &q.from_ms, &err);
    if (!rc)
        rc = web_time(req, "end", 0, &q.to_ms, &err);
    if (q.from_ms && !q.to_ms)
        q.to_ms = INT64_MAX;
    if (rc)
        return web_fail(resp, rc, &err);
    web_list_begin(&j, resp);
    rc = incidents_pages(w, &q, &p, limit, next, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    web_list_end(&j, next);
    return 0;
}

/* --- one -------------------------------------------------------------------------------------- */

struct incidents_one {
    const struct httpd_request *req;
    struct buf *out;
};

static int
incidents_take(void *ctx, const struct catalog_doc *d)
{
    struct incidents_one *o = ctx;
    return web_sees(o->req, d->tenant) ? buf_append(o->out, d->json, d->json_len) : ERR_NOTFOUND;
}

static int
incidents_show(struct web *w, const struct httpd_request *req, struct httpd_response *resp)
{
    struct incidents_one o = {req, &resp->body};
    struct err err = {0};
    const char *id = httpd_param(req, "id");
    int rc = catalog_get(w->cfg.store, "incident", id, incidents_take, &o, &err);
    if (rc == ERR_NOTFOUND)
        return httpd_reply_fail(resp, 404, "not_found", "there is no incident %s", id);
    return rc ? web_fail(resp, rc, &err) : 0;
}

static int
incidents_get(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    return incidents_show(ctx, req, resp);
}

/* --- what people do --------------------------------------------------------------------------- */

static int
incidents_feedback(struct web *w, const struct httpd_request *req, const struct doc_node *n,
                   struct err *err)
{
    const struct doc_node *right =
        doc_get(n, "correct") ? doc_get(n, "correct") : doc_get(n, "right");
    if (!right || right->kind != DOC_BOOL)
        return err_set(err, ERR_SYNTAX, "correct: true or false is needed");
    return incident_feedback(w->cfg.store, httpd_param(req, "id"), req->who.name,
                             doc_bool(right, false), doc_get_str(n, "cause", ""),
                             doc_get_str(n, "entity", ""), doc_get_str(n, "text", ""), err);
}

/* The change that the path's last word names. */
static int
incidents_act(struct web *w, const struct httpd_request *req, const struct doc_node *n,
              struct err *err)
{
    const char *id = httpd_param(req, "id"), *who = req->who.name,
               *text = doc_get_str(n, "text", "");
    if (str_suffix(req->path, "/acknowledge")) {
        int rc = incident_acknowledge(w->cfg.store, id, who, err);
        return rc || !*text ? rc : incident_comment(w->cfg.store, id, who, text, err);
    }
    if (str_suffix(req->path, "/resolve"))
        return incident_resolve(w->cfg.store, id, who, text, err);
    if (str_suffix(req->path, "/feedback"))
        return incidents_feedback(w, req, n, err);
    if (!*text)
        return err_set(err, ERR_SYNTAX, "text: a comment is needed");
    return incident_comment(w->cfg.store, id, who, text, err);
}

static int
incidents_post(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL;
    struct err err = {0};
    incidents_show(w, req, resp);
    if (resp->status >= 400)
        return 0;
    buf_reset(&resp->body);
    int rc = req->body_len ? web_body(req, &d, &err) : 0;
    if (!rc)
        rc = incidents_act(w, req, doc_root(d), &err);
    doc_free(d);
    return rc ? web_fail(resp, rc, &err) : incidents_show(w, req, resp);
}

const struct route incidents_routes[] = {
    {"GET", "/api/v1/incidents", ROLE_VIEWER, incidents_list,
     .help = "Incidents, newest first, in all states unless told otherwise.",
     .query = "state=open, acknowledged, resolved, by comma; severity=info, warning, critical, by "
              "comma; entity=root, victim or in the evidence; job=its id; "
              "class=of the first hypothesis, by comma; q=words; start=opened from; end=opened "
              "before; limit=1 to 1000; cursor=from a former answer"},
    {"GET", "/api/v1/incidents/{id}", ROLE_VIEWER, incidents_get,
     .help = "One incident with its hypotheses, evidence and history."},
    {"POST", "/api/v1/incidents/{id}/acknowledge", ROLE_OPERATOR, incidents_post,
     .help = "Says that somebody works on it; escalation stops."},
    {"POST", "/api/v1/incidents/{id}/resolve", ROLE_OPERATOR, incidents_post,
     .help = "Ends it by hand."},
    {"POST", "/api/v1/incidents/{id}/comment", ROLE_OPERATOR, incidents_post,
     .help = "Adds a comment to its history."},
    {"POST", "/api/v1/incidents/{id}/feedback", ROLE_OPERATOR, incidents_post,
     .help = "Says whether the diagnosis was right, and what it really was."},
};
const size_t incidents_route_count = sizeof incidents_routes / sizeof *incidents_routes;
