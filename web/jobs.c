/* jobs: what runs and ran, how well, and the path it rests on. */
#include "web/jobs.h"
#include "web/resources.h"

#include "analyzer/efficiency.h"
#include "analyzer/path.h"
#include "analyzer/recovery.h"
#include "base/hostlist.h"
#include "base/str.h"
#include "store/jobs.h"

#include <stdlib.h>
#include <string.h>

#define JOBS_PAGES 40 /* pages of the catalog looked through for one answer of a filtered list */

struct jobs_filter {
    const char *user, *node;
    int64_t start_ms, end_ms;
};

struct jobs_page {
    const struct jobs_filter *f;
    struct jsonw *w;
    struct job_item_view *iv;
    size_t count;
};

static bool
jobs_on_node(const char *nodes, const char *node)
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

static bool
jobs_fits(const struct jobs_filter *f, const struct catalog_doc *c)
{
    struct doc *d = NULL;
    int64_t end = 0;
    if (!*f->user && !*f->node && !f->start_ms)
        return true;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return false;
    const struct doc_node *n = doc_root(d);
    const char *ended = doc_get_str(n, "end", NULL);
    bool fits = (!*f->user || !strcmp(doc_get_str(n, "user", ""), f->user)) &&
                (!*f->node || jobs_on_node(doc_get_str(n, "nodes", ""), f->node)) &&
                (!f->start_ms || !ended || time_parse(ended, &end) || end >= f->start_ms);
    doc_free(d);
    return fits;
}

static int
jobs_row(void *ctx, const struct catalog_doc *c)
{
    struct jobs_page *p = ctx;
    if (jobs_fits(p->f, c) && !job_item_write(p->w, p->iv, c->json, c->json_len))
        p->count++;
    return 0;
}

static const char *
jobs_query(const struct httpd_request *req, const char *name)
{
    const char *v = httpd_query(req, name);
    return v ? v : "";
}

/* The catalog's page is never larger than what is still wanted, so that its cursor is ours. */
static int
jobs_all(struct web *web, const struct httpd_request *req, struct httpd_response *resp,
         const struct jobs_filter *f, size_t limit)
{
    struct err err = {0};
    struct job_item_view iv;
    struct jsonw w;
    struct jobs_page p = {f, &w, &iv, 0};
    char state[256], next[256] = "", from[256];
    const char *tenant = web_tenant(req) ? web_tenant(req) : jobs_query(req, "tenant");
    struct catalog_query q = {.kind = "job",
                              .tenant = tenant,
                              .state = state,
                              .text = jobs_query(req, "q"),
                              .to_ms = f->end_ms,
                              .cursor = jobs_query(req, "cursor")};
    str_copy(state, sizeof state, jobs_query(req, "state"));
    for (char *c = state; *c; c++)
        *c = *c == ',' ? '|' : *c;
    bool only_running =
        !strcmp(state, "running") || !strcmp(state, "pending") || !strcmp(state, "running|pending");
    int rc = job_item_begin(web, 0,
                            only_running  ? 0
                            : f->start_ms ? f->start_ms
                                          : web_now(web) - 30 * (int64_t)86400000,
                            &iv, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    web_list_begin(&w, resp);
    for (int page = 0; page < JOBS_PAGES && p.count < limit && rc >= 0; page++) {
        q.limit = limit - p.count;
        rc = catalog_list(web->cfg.store, &q, jobs_row, &p, next, &err);
        if (!*next)
            break;
        str_copy(from, sizeof from, next);
        q.cursor = from;
    }
    web_list_end(&w, next);
    job_item_end(&iv);
    return rc < 0 ? web_fail(resp, rc, &err) : 0;
}

/* --- those that suffer ------------------------------------------------------------------------ */

struct jobs_worst {
    const char *id;
    enum health health;
    double score;
};

static int
jobs_worst_order(const void *a, const void *b)
{
    const struct jobs_worst *x = a, *y = b;
    if (x->health != y->health)
        return x->health > y->health ? -1 : 1;
    return x->score < y->score ? -1 : x->score > y->score ? 1 : strcmp(x->id, y->id);
}

size_t
jobs_suffering(struct jsonw *w, struct job_item_view *iv, const char *tenant, size_t limit,
               size_t *ret_all)
{
    const struct topo_job *jobs;
    size_t n = topo_jobs(iv->v->topo, &jobs), count = 0, shown = 0;
    struct jobs_worst *worst = calloc(n + 1, sizeof *worst);
    for (size_t i = 0; worst && i < n; i++) {
        if (tenant && *tenant && (!jobs[i].tenant || strcmp(jobs[i].tenant, tenant) != 0))
            continue;
        const struct view_job *j = view_job_find(iv->v, jobs[i].id);
        if (j && j->health >= HEALTH_MINOR)
            worst[count++] = (struct jobs_worst){jobs[i].id, j->health, j->score};
    }
    if (worst)
        qsort(worst, count, sizeof *worst, jobs_worst_order);
    for (size_t i = 0; i < count && shown < limit; i++) {
        char *json = catalog_get_json(iv->store, "job", worst[i].id, NULL);
        if (json && !job_item_write(w, iv, json, strlen(json)))
            shown++;
        free(json);
    }
    free(worst);
    if (ret_all)
        *ret_all = count;
    return shown;
}

static int
jobs_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jobs_filter f = {.user = jobs_query(req, "user"), .node = jobs_query(req, "node")};
    size_t limit;
    int rc = web_limit(req, &limit, &err);
    if (!rc)
        rc = web_time(req, "start", 0, &f.start_ms, &err);
    if (!rc)
        rc = web_time(req, "end", 0, &f.end_ms, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    if (str_prefix(f.node, "node:"))
        f.node += strlen("node:");
    if (strcmp(jobs_query(req, "suffering"), "1") != 0)
        return jobs_all(web, req, resp, &f, limit);
    struct job_item_view iv;
    struct jsonw w;
    if ((rc = job_item_begin(web, 0, 0, &iv, &err)))
        return web_fail(resp, rc, &err);
    web_list_begin(&w, resp);
    jobs_suffering(&w, &iv, req->who.tenant, limit, NULL);
    web_list_end(&w, NULL);
    job_item_end(&iv);
    return 0;
}

/* --- one -------------------------------------------------------------------------------------- */

/* A job the caller may see; others' jobs do not exist. */
static int
jobs_get(struct web *web, const struct httpd_request *req, struct job *ret, struct err *err)
{
    const char *id = httpd_param(req, "id");
    int rc = job_get(web->cfg.store, id, ret, err);
    if (!rc && !web_sees(req, ret->tenant)) {
        job_done(ret);
        rc = err_set(err, ERR_NOTFOUND, "there is no job %s", id);
    }
    return rc;
}

static int
jobs_one(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct job j;
    struct job_item_view iv;
    struct jsonw w;
    int rc = jobs_get(web, req, &j, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    bool live = j.state == JOB_RUNNING || j.state == JOB_PENDING;
    rc = job_item_begin(web, 0, live ? 0 : j.start_ms ? j.start_ms : 1, &iv, &err);
    if (!rc) {
        jsonw_init(&w, &resp->body);
        rc = job_item_write(&w, &iv, j.json, strlen(j.json));
        job_item_end(&iv);
    }
    job_done(&j);
    return rc ? web_fail(resp, rc, &err) : 0;
}

static int
jobs_path_write(struct web *web, const struct httpd_request *req, struct httpd_response *resp,
                const struct job *j, int64_t at, struct err *err)
{
    struct job_item_view iv;
    struct jsonw w;
    struct buf job, kpi;
    int rc = job_item_begin(web, at,
                            j->state == JOB_RUNNING ? 0
                            : j->start_ms           ? j->start_ms
                                                    : 1,
                            &iv, err);
    if (rc)
        return rc;
    buf_init(&job, (size_t)8 << 20);
    buf_init(&kpi, 65536);
    jsonw_init(&w, &job);
    rc = job_item_write(&w, &iv, j->json, strlen(j->json));
    jsonw_init(&w, &kpi);
    job_item_kpi(&w, &iv, j->id);
    const struct health_map *h = rc ? NULL : view_health(iv.v, err);
    if (!rc && !h)
        rc = err->code ? err->code : ERR_NOMEM;
    struct path_source src = {.store = web->cfg.store,
                              .topo = iv.v->topo,
                              .health = h,
                              .at_ms = iv.v->at_ms,
                              .column = view_column_of,
                              .ctx = iv.v,
                              .job_json = buf_str(&job),
                              .kpi_json = buf_str(&kpi),
                              .tenant = web_tenant(req)};
    if (!rc)
        rc = path_write(&src, j->id, &resp->body, err);
    buf_done(&job);
    buf_done(&kpi);
    job_item_end(&iv);
    return rc;
}

static int
jobs_path(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct job j;
    int64_t at;
    int rc = web_time(req, "at", 0, &at, &err);
    if (!rc)
        rc = jobs_get(web, req, &j, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    if (j.end_ms && (!at || at >= j.end_ms))
        at = j.end_ms - 1000; /* a job that ended is shown as it last was */
    rc = jobs_path_write(web, req, resp, &j, at, &err);
    job_done(&j);
    if (rc)
        buf_reset(&resp->body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* A job's past belongs to whoever may see the job, its incidents too. */
static int
jobs_recovery(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct job j;
    struct jsonw w;
    int rc = jobs_get(web, req, &j, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    web_list_begin(&w, resp);
    rc = recovery_write(web->cfg.store, web->cfg.metrics, &j, &w, &err);
    web_list_end(&w, NULL);
    job_done(&j);
    if (rc)
        buf_reset(&resp->body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

static int
jobs_efficiency(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct job j;
    struct jsonw w;
    int rc = jobs_get(web, req, &j, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kstr(&w, "job", j.id);
    int64_t at = j.end_ms ? j.end_ms - 1000 : web_now(web);
    rc = efficiency_write(web->cfg.store, web->cfg.metrics, &j, at, &w, &err);
    jsonw_end_object(&w);
    job_done(&j);
    if (rc)
        buf_reset(&resp->body);
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route jobs_routes[] = {
    {"GET", "/api/v1/jobs", ROLE_VIEWER, jobs_list,
     .query = "state=words by comma; q=words; tenant=; user=; node=; suffering=1: worst first; "
              "start=; end=; limit=; cursor=",
     .help = "Jobs, newest start first, each with health, score, incidents and key values."},
    {"GET", "/api/v1/jobs/{id}", ROLE_VIEWER, jobs_one, .help = "One job."},
    {"GET", "/api/v1/jobs/{id}/path", ROLE_VIEWER, jobs_path, .query = "at=instant of the past",
     .help = "What a job rests on, in layers: health, values and open issues of each hop, of the "
             "path, and its score."},
    {"GET", "/api/v1/jobs/{id}/recovery", ROLE_VIEWER, jobs_recovery,
     .help = "Of each fault that hit the job: when it was detected, diagnosed, isolated, and when "
             "the job ran and made its first step again."},
    {"GET", "/api/v1/jobs/{id}/efficiency", ROLE_VIEWER, jobs_efficiency,
     .help = "Model FLOPs utilisation with the method that gave it, FLOPs a watt, checkpoint time "
             "and the steps that a fault now would cost."},
};
const size_t jobs_route_count = sizeof jobs_routes / sizeof *jobs_routes;
