/* diagnose: why did it fail: of a job that is known, or of log text that is sent and not kept. */
#include "analyzer/diagnosis.h"
#include "analyzer/job_diagnosis.h"
#include "analyzer/offline.h"
#include "web/resources.h"
#include "web/web_priv.h"

#define DIAGNOSE_BODY ((size_t)64 << 20)

static int
diagnose_job(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct err err = {0};
    const char *id = httpd_param(req, "id");
    int rc =
        job_diagnosis(w->cfg.store, w->cfg.kb, id, web_tenant(req), web_now(w), &resp->body, &err);
    if (rc == ERR_NOTFOUND)
        return httpd_reply_fail(resp, 404, "not_found", "there is no job %s", id);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* Plain text and NDJSON are told apart line by line. */
static int
diagnose_text(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct diagnosis *d = NULL;
    struct err err = {0};
    const char *node = httpd_query(req, "node"), *job = httpd_query(req, "job");
    struct offline_origin from = {.node = node ? node : "",
                                  .job = job ? job : "",
                                  .name = "text",
                                  .rank = -1,
                                  .source = "any"};
    if (!req->body_len)
        return httpd_reply_fail(resp, 400, "syntax", "log text is needed in the body");
    struct offline *o = offline_new(w->cfg.kb, w->cfg.matcher);
    int rc = o ? offline_text(o, &from, req->body, req->body_len) : ERR_NOMEM;
    if (!rc)
        rc = offline_finish(o, &d, &err);
    if (!rc)
        diagnosis_json(d, &resp->body);
    diagnosis_free(d);
    offline_free(o);
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route diagnose_routes[] = {
    {"POST", "/api/v1/diagnose", ROLE_VIEWER, diagnose_text,
     .help = "Diagnoses log text (text/plain, or NDJSON lines with ts, node, rank, line); nothing "
             "is stored.",
     .body_max = DIAGNOSE_BODY,
     .query = "node=of lines that name none; job=of lines that name none"},
    {"GET", "/api/v1/jobs/{id}/diagnosis", ROLE_VIEWER, diagnose_job,
     .help = "Why a job died: of the incident that names it, else reasoned from what happened "
             "around it."},
};
const size_t diagnose_route_count = sizeof diagnose_routes / sizeof *diagnose_routes;
