/* web: the floor put together: state, the tables of routes, helpers of answering that every
 * resource needs.
 *
 * Handlers run on several threads at once: struct web is constant after web_attach, its parts lock
 * for themselves. */
#include "web/web_priv.h"

#include "analyzer/incident_doc.h"
#include "web/auth.h"
#include "web/check_runs.h"
#include "web/entries.h"
#include "web/resources.h"
#include "web/stream.h"
#include "web/ui_files.h"
#include "web/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct web_table web_tables[] = {
#define X(name) {name##_routes, &name##_route_count},
    WEB_RESOURCES(X)
#undef X
};

int
web_new(const struct web_config *cfg, struct web **ret, struct err *err)
{
    struct web *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "no memory for the web interface");
    w->cfg = *cfg;
    snprintf(w->build, sizeof w->build, "%s-%s", cfg->build_id ? cfg->build_id : "0",
             ui_files_hash);
    w->cfg.build_id = w->build;
    w->clock = store_clock(cfg->store);
    pthread_mutex_init(&w->speed.mutex, NULL);
    int rc = auth_new(w, &w->auth, err);
    if (!rc)
        rc = entries_new(w, &w->entries, err);
    if (!rc)
        rc = stream_new(w, &w->stream, err);
    if (!rc)
        rc = view_cache_new(cfg->store, cfg->metrics, &w->views, err);
    if (!rc)
        rc = check_runs_new(w, &w->checks, err);
    if (rc) {
        web_free(w);
        return rc;
    }
    *ret = w;
    return 0;
}

void
web_free(struct web *w)
{
    if (!w)
        return;
    check_runs_free(w->checks);
    view_cache_free(w->views);
    stream_free(w->stream);
    entries_free(w->entries);
    auth_free(w->auth);
    pthread_mutex_destroy(&w->speed.mutex);
    free(w);
}

int
web_attach(struct web *w, struct httpd *server)
{
    w->httpd = server;
    for (size_t i = 0; i < sizeof web_tables / sizeof *web_tables; i++) {
        int rc = httpd_routes(server, web_tables[i].rows, *web_tables[i].count, w);
        if (rc)
            return rc;
    }
    return 0;
}

/* --- helpers -------------------------------------------------------------------------------------
 */

int64_t
web_now(const struct web *w)
{
    return clock_now_ms(w->clock);
}

int
web_fail(struct httpd_response *resp, int rc, const struct err *err)
{
    struct err e = *err;
    if (e.code != rc)
        err_set(&e, rc, "%s", err_text(rc));
    return httpd_reply_err(resp, &e);
}

int
web_limit(const struct httpd_request *req, size_t *ret_limit, struct err *err)
{
    int64_t n;
    int rc = httpd_query_int(req, "limit", 100, 1, 1000, &n);
    if (rc)
        return err_set(err, rc, "limit: a number from 1 to 1000 is needed");
    *ret_limit = (size_t)n;
    return 0;
}

int
web_time(const struct httpd_request *req, const char *name, int64_t dflt_ms, int64_t *ret_ms,
         struct err *err)
{
    int rc = httpd_query_time(req, name, dflt_ms, ret_ms);
    return rc ? err_set(err, rc, "%s: RFC 3339 or Unix seconds are needed", name) : 0;
}

int
web_body(const struct httpd_request *req, struct doc **ret_doc, struct err *err)
{
    struct doc *d = NULL;
    if (!req->body_len)
        return err_set(err, ERR_SYNTAX, "a JSON object is needed in the body");
    int rc = doc_parse_json(req->body, req->body_len, "body", &d, err);
    if (rc)
        return rc;
    if (!doc_root(d) || doc_root(d)->kind != DOC_MAP) {
        doc_free(d);
        return err_set(err, ERR_SYNTAX, "the body is no JSON object");
    }
    *ret_doc = d;
    return 0;
}

const char *
web_tenant(const struct httpd_request *req)
{
    return *req->who.tenant ? req->who.tenant : NULL;
}

bool
web_sees(const struct httpd_request *req, const char *tenant)
{
    return !*req->who.tenant || (tenant && !strcmp(req->who.tenant, tenant));
}

void
web_list_begin(struct jsonw *w, struct httpd_response *resp)
{
    jsonw_init(w, &resp->body);
    jsonw_object(w);
    jsonw_key(w, "items");
    jsonw_array(w);
}

void
web_list_end(struct jsonw *w, const char *next)
{
    jsonw_end_array(w);
    web_kstr_or_null(w, "next", next);
    jsonw_end_object(w);
}

void
web_kstr_or_null(struct jsonw *w, const char *key, const char *s)
{
    jsonw_kstr(w, key, s && *s ? s : NULL);
}

void
web_copy_node(struct jsonw *w, const struct doc_node *n)
{
    incident_doc_copy(n, w);
}
