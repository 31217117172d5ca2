/* checks: profiles, what a run would do, runs, their reports. A run takes milliseconds to a second
 * and answers at once; one that takes longer than its caller waits answers 202 with its id. */
#include "analyzer/check.h"

#include "analyzer/check_active.h"
#include "base/clock.h"
#include "base/hostlist.h"
#include "base/str.h"
#include "store/jobs.h"
#include "store/topo.h"
#include "web/check_runs.h"
#include "web/resources.h"
#include "web/view.h"
#include "web/web_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- profiles --------------------------------------------------------------------------------- */

#define CHECKS_WAIT_S     10 /* that a caller waits unless it says otherwise */
#define CHECKS_WAIT_MAX_S 25 /* below the time after which a silent connection is closed */

struct checks_profile {
    const char *name, *en, *zh, *about_en, *about_zh;
};

static const struct checks_profile checks_profiles[] = {
    {"prejob", "Before a job", "作业前检查",
     "Exactly the nodes that a job will use: what would stop or slow it. For a scheduler's prolog.",
     "只检查作业将使用的节点,找出会中断或拖慢作业的问题,供调度器 prolog 调用。"},
    {"full", "Whole environment", "全面体检",
     "Hardware, software, configuration and performance of everything, with an outlier list.",
     "全面检查硬件、软件、配置与性能,并列出离群项。"},
};

static bool
checks_in(const struct doc_node *row, const char *profile)
{
    return strcmp(profile, "prejob") || doc_get_bool(row, "prejob", true);
}

static void
checks_profile_write(struct jsonw *j, const struct checks_profile *p, const struct doc_node *table)
{
    static const char *const members[] = {"check", "category", "title", "impact"};
    jsonw_object(j);
    jsonw_kstr(j, "name", p->name);
    jsonw_ktext(j, "title", p->en, p->zh);
    jsonw_ktext(j, "description", p->about_en, p->about_zh);
    jsonw_key(j, "checks");
    jsonw_array(j);
    for (const struct doc_node *n = table ? table->first : NULL; n; n = n->next) {
        if (!checks_in(n, p->name))
            continue;
        jsonw_object(j);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            if (doc_get(n, members[i])) {
                jsonw_key(j, members[i]);
                web_copy_node(j, doc_get(n, members[i]));
            }
        jsonw_end_object(j);
    }
    jsonw_end_array(j);
    jsonw_end_object(j);
}

static int
checks_table(struct doc **ret_table)
{
    struct buf text;
    buf_init(&text, (size_t)4 << 20);
    check_table_json(&text);
    int rc = doc_parse_json(buf_str(&text), text.len, "checks", ret_table, NULL);
    buf_done(&text);
    return rc;
}

static int
checks_profile_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct doc *table = NULL;
    struct jsonw j;
    (void)ctx;
    (void)req;
    int rc = checks_table(&table);
    if (rc)
        return rc;
    web_list_begin(&j, resp);
    for (size_t i = 0; i < sizeof checks_profiles / sizeof *checks_profiles; i++)
        checks_profile_write(&j, &checks_profiles[i], doc_root(table));
    web_list_end(&j, NULL);
    doc_free(table);
    return 0;
}

/* --- scope ------------------------------------------------------------------------------------ */

/* A tenant checks its own jobs, nothing else. */
static int
checks_request(struct web *w, const struct httpd_request *req, const struct doc_node *n,
               struct check_request *ret, struct err *err)
{
    const struct doc_node *scope = doc_get(n, "scope"), *text = doc_get(n, "profile_text");
    struct job job;
    *ret = (struct check_request){.profile = doc_get_str(n, "profile", "full"),
                                  .job = doc_get_str(scope, "job", NULL),
                                  .nodes = doc_get_str(scope, "nodes", NULL),
                                  .cluster = doc_get_str(scope, "cluster", NULL),
                                  .tenant = req->who.tenant,
                                  .who = req->who.name,
                                  .busy = doc_get_bool(n, "busy", false),
                                  .passed = !strcmp(doc_get_str(n, "items", ""), "all"),
                                  .places = view_places(w->views)};
    if (text && text->kind == DOC_STR) {
        ret->profile_text = text->str;
        ret->profile_len = text->len;
    }
    if ((ret->job && ret->nodes) || (scope && scope->kind != DOC_MAP))
        return err_set(err, ERR_SYNTAX, "scope: one of job, nodes, cluster is needed");
    if (ret->job) {
        int rc = job_get(w->cfg.store, ret->job, &job, err);
        if (rc)
            return err_set(err, rc, "scope: there is no job %s", ret->job);
        bool sees = web_sees(req, job.tenant ? job.tenant : "");
        job_done(&job);
        return sees ? 0 : err_set(err, ERR_NOTFOUND, "scope: there is no job %s", ret->job);
    }
    return *req->who.tenant ? err_set(err, ERR_DENIED, "scope: you may check your own jobs") : 0;
}

struct checks_scope {
    struct topo *t;
    uint8_t *in; /* of each entity */
    size_t counts[ENTITY_KINDS];
};

static void
checks_scope_take(void *ctx, topo_id id)
{
    struct checks_scope *s = ctx;
    if (!s->in[id]) {
        s->in[id] = 1;
        s->counts[topo_kind(s->t, id)]++;
    }
}

/* What a node brings along. */
static void
checks_scope_node(struct checks_scope *s, topo_id node)
{
    static const enum entity_kind paths[][5] = {
        {ENTITY_NODE, ENTITY_GPU},
        {ENTITY_NODE, ENTITY_NIC},
        {ENTITY_NODE, ENTITY_NIC, ENTITY_OPTIC},
        {ENTITY_NODE, ENTITY_NIC, ENTITY_LINK},
        {ENTITY_NODE, ENTITY_NIC, ENTITY_LINK, ENTITY_PORT},
        {ENTITY_NODE, ENTITY_NIC, ENTITY_LINK, ENTITY_PORT, ENTITY_OPTIC}};
    checks_scope_take(s, node);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t n = 0;
        while (n < 5 && paths[i][n])
            n++;
        topo_walk(s->t, node, paths[i], n, 4096, checks_scope_take, s);
    }
}

static int
checks_scope_hosts(struct checks_scope *s, const char *hosts, struct err *err)
{
    struct hostlist l;
    char entity[ENTITY_SIZE];
    int rc = hostlist_parse(hosts, &l, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < l.count; i++) {
        topo_id id = entity_format(entity, ENTITY_NODE, l.names[i], NULL) ? TOPO_NONE
                                                                          : topo_find(s->t, entity);
        if (id != TOPO_NONE)
            checks_scope_node(s, id);
    }
    hostlist_done(&l);
    return s->counts[ENTITY_NODE] ? 0
                                  : err_set(err, ERR_RANGE, "scope: none of these nodes is known");
}

static int
checks_scope_fill(struct web *w, struct checks_scope *s, const struct check_request *r,
                  struct err *err)
{
    struct job job;
    size_t n;
    if (r->nodes && *r->nodes)
        return checks_scope_hosts(s, r->nodes, err);
    if (r->job && *r->job) {
        int rc = job_get(w->cfg.store, r->job, &job, err);
        if (!rc) {
            rc = checks_scope_hosts(s, job.nodes ? job.nodes : "", err);
            job_done(&job);
        }
        return rc;
    }
    for (int k = 1; k < ENTITY_KINDS; k++) {
        topo_of_kind(s->t, (enum entity_kind)k, &n);
        s->counts[k] = n;
    }
    return s->counts[ENTITY_NODE] ? 0 : err_set(err, ERR_RANGE, "scope: there are no nodes yet");
}

static void
checks_plan_write(struct jsonw *j, const struct checks_scope *s, const struct check_request *r,
                  const struct doc_node *table)
{
    bool used[ENTITY_KINDS] = {0};
    size_t rows = 0, work = 0;
    for (const struct doc_node *n = table ? table->first : NULL; n; n = n->next)
        if (checks_in(n, r->profile)) {
            for (int k = 1; k < ENTITY_KINDS; k++)
                if (!strcmp(entity_kind_row((enum entity_kind)k)->word,
                            doc_get_str(n, "kind", ""))) {
                    used[k] = true;
                    work += s->counts[k];
                }
            rows++;
        }
    jsonw_object(j);
    jsonw_kstr(j, "profile", r->profile);
    jsonw_key(j, "targets");
    jsonw_object(j);
    for (int k = 1; k < ENTITY_KINDS; k++)
        if (used[k] && s->counts[k])
            jsonw_kint(j, entity_kind_row((enum entity_kind)k)->word, (int64_t)s->counts[k]);
    jsonw_end_object(j);
    jsonw_kint(j, "checks", (int64_t)rows);
    jsonw_kint(j, "duration_ms",
               (int64_t)(20 + work / 500)); /* about two microseconds an entity and check */
    jsonw_kstr(j, "impact", "none");
    jsonw_ktext(j, "impact_text", "Reads stored telemetry only; running jobs notice nothing.",
                "只读取已存数据,不影响运行中的作业。");
    jsonw_end_object(j);
}

static int
checks_plan(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL, *table = NULL;
    struct check_request r;
    struct err err = {0};
    struct jsonw j;
    struct checks_scope s = {.t = topo_get(w->cfg.store)};
    s.in = calloc(topo_count(s.t) + 1, 1);
    int rc = s.in ? web_body(req, &d, &err) : err_set(&err, ERR_NOMEM, "no memory");
    if (!rc)
        rc = checks_request(w, req, doc_root(d), &r, &err);
    if (!rc)
        rc = checks_scope_fill(w, &s, &r, &err);
    if (!rc)
        rc = checks_table(&table);
    if (!rc) {
        jsonw_init(&j, &resp->body);
        checks_plan_write(&j, &s, &r, doc_root(table));
    }
    free(s.in);
    topo_put(s.t);
    doc_free(table);
    doc_free(d);
    if (rc == ERR_NOTFOUND)
        return httpd_reply_fail(resp, 400, "range", "%s", err.text);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* --- runs ------------------------------------------------------------------------------------- */

static int
checks_run(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct doc *d = NULL;
    struct check_request r;
    struct err err = {0};
    int rc = web_body(req, &d, &err);
    double wait_s = rc ? 0 : doc_get_real(doc_root(d), "wait", CHECKS_WAIT_S);
    if (!rc && !(wait_s >= 0 && wait_s <= CHECKS_WAIT_MAX_S))
        rc = err_set(&err, ERR_RANGE, "wait: 0 to %d seconds", CHECKS_WAIT_MAX_S);
    if (!rc)
        rc = checks_request(w, req, doc_root(d), &r, &err);
    bool active = !rc && doc_get_bool(doc_root(d), "active", false);
    if (active)
        rc = check_active_start(w->cfg.store, &r, web_now(w), &resp->body, &err);
    else if (!rc)
        rc = check_runs_start(w->checks, &r, (int64_t)(wait_s * 1000), &resp->body, &err);
    doc_free(d);
    if (rc == ERR_NOTFOUND || rc == ERR_USAGE)
        return httpd_reply_fail(resp, 400, "range", "%s", err.text);
    if (rc < 0)
        return web_fail(resp, rc, &err);
    resp->status = rc ? 200 : 202;
    return 0;
}

struct checks_page {
    struct jsonw *j;
    bool items;
};

/* Without items the row ends before "summary", the first of the long members, which the report
 * writes last. */
static int
checks_row(void *ctx, const struct catalog_doc *d)
{
    static const char tail[] = ",\"summary\":[",
                      rest[] = ",\"summary\":[],\"previous\":null,\"items\":[]}";
    struct checks_page *p = ctx;
    const char *cut = p->items ? NULL : memmem(d->json, d->json_len, tail, sizeof tail - 1);
    struct buf row;
    if (!cut) {
        jsonw_raw(p->j, d->json, d->json_len);
        return 0;
    }
    buf_init(&row, (size_t)1 << 20);
    buf_append(&row, d->json, (size_t)(cut - d->json));
    buf_puts(&row, rest);
    if (!row.failed)
        jsonw_raw(p->j, buf_str(&row), row.len);
    buf_done(&row);
    return 0;
}

static int
checks_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    const char *items = httpd_query(req, "items");
    struct catalog_query q = {
        .kind = "check", .tenant = web_tenant(req), .cursor = httpd_query(req, "cursor")};
    struct err err = {0};
    struct jsonw j;
    struct checks_page p = {&j, !items || strcmp(items, "0")};
    char next[256];
    int rc = web_limit(req, &q.limit, &err);
    if (!rc) {
        web_list_begin(&j, resp);
        rc = catalog_list(w->cfg.store, &q, checks_row, &p, next, &err);
    }
    if (rc < 0)
        return web_fail(resp, rc, &err);
    web_list_end(&j, next);
    return 0;
}

/* --- one report ------------------------------------------------------------------------------- */

struct checks_report {
    const struct httpd_request *req;
    char tenant[64]; /* whose run it is */
    char *json;
    size_t len;
};

static int
checks_take(void *ctx, const struct catalog_doc *d)
{
    struct checks_report *r = ctx;
    if (!web_sees(r->req, d->tenant))
        return ERR_NOTFOUND;
    str_copy(r->tenant, sizeof r->tenant, d->tenant);
    r->json = malloc(d->json_len + 1);
    if (!r->json)
        return ERR_NOMEM;
    memcpy(r->json, d->json, d->json_len);
    r->json[d->json_len] = 0;
    r->len = d->json_len;
    return 0;
}

/* The report without the items that pass. */
static int
checks_problems(const struct checks_report *r, struct buf *out, struct err *err)
{
    struct doc *d = NULL;
    struct jsonw j;
    int rc = doc_parse_json(r->json, r->len, "report", &d, err);
    if (rc)
        return rc;
    jsonw_init(&j, out);
    jsonw_object(&j);
    for (const struct doc_node *m = doc_root(d)->first; m; m = m->next) {
        jsonw_key(&j, m->key);
        if (strcmp(m->key, "items")) {
            web_copy_node(&j, m);
            continue;
        }
        jsonw_array(&j);
        for (const struct doc_node *i = m->first; i; i = i->next)
            if (strcmp(doc_get_str(i, "verdict", ""), "pass"))
                web_copy_node(&j, i);
        jsonw_end_array(&j);
    }
    jsonw_end_object(&j);
    doc_free(d);
    return 0;
}

static const struct {
    const char *format, *type, *ending;
} checks_formats[] = {
    {"json", "application/json", "json"},
    {"csv", "text/csv; charset=utf-8", "csv"},
    {"html", "text/html; charset=utf-8", "html"},
    {"junit", "application/xml; charset=utf-8", "xml"},
    {"text", "text/plain; charset=utf-8", "txt"},
    {"nagios", "text/plain; charset=utf-8", "txt"},
};

static int
checks_answer(const struct checks_report *r, const struct httpd_request *req,
              struct httpd_response *resp, struct err *err)
{
    const char *format = httpd_query(req, "format"), *lang = httpd_query(req, "lang"),
               *problems = httpd_query(req, "problems");
    const char *download = httpd_query(req, "download");
    char name[320];
    size_t i = 0, n = sizeof checks_formats / sizeof *checks_formats;
    while (format && i < n && strcmp(checks_formats[i].format, format))
        i++;
    if (i == n)
        return err_set(err, ERR_RANGE, "format: json, csv, html, junit, text or nagios are needed");
    resp->content_type = checks_formats[i].type;
    if (download && !strcmp(download, "1")) {
        snprintf(name, sizeof name, "attachment; filename=\"check-%.200s.%s\"",
                 httpd_param(req, "id"), checks_formats[i].ending);
        httpd_reply_header(resp, "Content-Disposition", name);
    }
    if (i == 0 && problems && !strcmp(problems, "1"))
        return checks_problems(r, &resp->body, err);
    if (i == 0)
        return buf_append(&resp->body, r->json, r->len);
    if (!strcmp(checks_formats[i].format, "html"))
        httpd_reply_header(resp, "Content-Security-Policy",
                           "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox");
    return check_render(r->json, r->len, format, lang && !strcmp(lang, "zh") ? "zh" : "en",
                        &resp->body, err);
}

/* How far an active run is; the report itself once it may be made, in place of what is stored. */
static int
checks_active(struct web *w, struct checks_report *r, const char *id, struct err *err)
{
    struct doc *d = NULL;
    struct buf out;
    struct jsonw j;
    int64_t began = 0, now = web_now(w);
    int rc = doc_parse_json(r->json, r->len, "report", &d, err);
    const struct doc_node *n = rc ? NULL : doc_root(d);
    if (rc || strcmp(doc_get_str(n, "state", "done"), "running")) {
        doc_free(d);
        return rc;
    }
    time_parse(doc_get_str(n, "started", ""), &began);
    double progress = check_active_progress(w->cfg.store, id, began, now);
    buf_init(&out, (size_t)64 << 20);
    if (progress < 1) {
        jsonw_init(&j, &out);
        jsonw_object(&j);
        for (const struct doc_node *m = n->first; m; m = m->next)
            if (strcmp(m->key, "progress")) {
                jsonw_key(&j, m->key);
                web_copy_node(&j, m);
            }
        jsonw_kreal(&j, "progress", progress);
        jsonw_end_object(&j);
    } else {
        const struct doc_node *scope = doc_get(n, "scope"), *text = doc_get(n, "profile_text");
        struct check_request q = {.profile = doc_get_str(n, "profile", "full"),
                                  .job = doc_get_str(scope, "job", NULL),
                                  .nodes = doc_get_str(scope, "nodes", NULL),
                                  .cluster = doc_get_str(scope, "cluster", NULL),
                                  .tenant = r->tenant,
                                  .who = doc_get_str(n, "user", ""),
                                  .busy = doc_get_bool(n, "busy", false),
                                  .passed = doc_get_bool(n, "passed", false),
                                  .active = id,
                                  .began_ms = began,
                                  .places = view_places(w->views)};
        if (text && text->kind == DOC_STR) {
            q.profile_text = text->str;
            q.profile_len = text->len;
        }
        rc = check_run(w->cfg.store, w->cfg.metrics, w->cfg.kb, &q, now, &out, err);
    }
    if (!rc) {
        free(r->json);
        r->json = buf_take(&out, &r->len);
        rc = r->json ? 0 : ERR_NOMEM;
    }
    buf_done(&out);
    doc_free(d);
    return rc;
}

static int
checks_get(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct checks_report r = {.req = req};
    struct err err = {0};
    const char *id = httpd_param(req, "id");
    if (check_runs_answer(w->checks, req, id, resp))
        return 0;
    int rc = catalog_get(w->cfg.store, "check", id, checks_take, &r, &err);
    if (rc == ERR_NOTFOUND)
        return httpd_reply_fail(resp, 404, "not_found", "there is no check %s", id);
    if (!rc)
        rc = checks_active(w, &r, id, &err);
    if (!rc)
        rc = checks_answer(&r, req, resp, &err);
    free(r.json);
    return rc ? web_fail(resp, rc, &err) : 0;
}

const struct route checks_routes[] = {
    {"GET", "/api/v1/checks/profiles", ROLE_VIEWER, checks_profile_list,
     .help = "The profiles and the checks each holds."},
    {"POST", "/api/v1/checks/plan", ROLE_OPERATOR, checks_plan,
     .help = "Says what a check would look at; runs nothing.", .body_max = (size_t)4 << 20},
    {"POST", "/api/v1/checks", ROLE_OPERATOR, checks_run,
     .help =
         "Runs a check of a job's nodes, of named nodes, or of the cluster, and answers its "
         "report. What passed is counted; \"items\": \"all\" lists it too. After \"wait\" seconds "
         "(10) the answer is 202 with its id, and the report comes there. \"active\": true asks "
         "the "
         "nodes' agents for light tests too: 202 at once, done within a minute; \"busy\": true "
         "tests "
         "nodes that run a job as well.",
     .body_max = (size_t)4 << 20},
    {"GET", "/api/v1/checks", ROLE_VIEWER, checks_list, .help = "Past runs, newest first.",
     .query = "items=0 leaves items and summary out; limit=1 to 1000; cursor=from a former answer"},
    {"GET", "/api/v1/checks/{id}", ROLE_VIEWER, checks_get, .help = "The report of a run.",
     .query = "problems=1 leaves out what passed; format=json, csv, html, junit, text, nagios; "
              "lang=en or zh; download=1 as a file"},
};
const size_t checks_route_count = sizeof checks_routes / sizeof *checks_routes;
