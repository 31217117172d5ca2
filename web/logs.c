/* logs: lines and events, searched. Pages of at most a thousand; the cursor is the last id of the
 * page. */
#include "kb/matcher.h"
#include "base/map.h"
#include "base/str.h"
#include "store/topo.h"
#include "web/entries.h"
#include "web/resources.h"
#include "web/web_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS_LOOKED    50000 /* rows one request reads at most when a filter keeps few of them */
#define LOGS_INCIDENTS 500   /* incidents whose events are told apart in a list of events */

/* --- the question ----------------------------------------------------------------------------- */

struct logs_ask {
    struct event_query q;
    char node[ENTITY_SIZE], entity[ENTITY_SIZE];
    const char *severities; /* list by comma, NULL: any */
    size_t limit;
};

/* "node:x", "gpu:x/3", "switch:s" and plain names: the host whose lines are meant. */
static void
logs_host(const char *entity, char *out, size_t size)
{
    const char *colon = strchr(entity, ':');
    str_copy(out, size, colon ? colon + 1 : entity);
    out[strcspn(out, "/")] = 0;
}

static int
logs_cursor(const struct httpd_request *req, uint64_t *ret_id, struct err *err)
{
    const char *text = httpd_query(req, "cursor");
    *ret_id = 0;
    if (text && *text && str_u64(text, strlen(text), ret_id))
        return err_set(err, ERR_SYNTAX, "cursor: not one that was given");
    return 0;
}

static int
logs_ask(struct web *w, const struct httpd_request *req, struct logs_ask *a, struct err *err)
{
    const char *order = httpd_query(req, "order");
    int64_t now = web_now(w);
    *a = (struct logs_ask){.severities = httpd_query(req, "severity"),
                           .q = {.job = httpd_query(req, "job"),
                                 .source = httpd_query(req, "source"),
                                 .tenant = web_tenant(req),
                                 .text = httpd_query(req, "query"),
                                 .code = httpd_query(req, "code")}};
    a->q.ascending = order && !strcmp(order, "asc");
    int rc = web_limit(req, &a->limit, err);
    if (!rc)
        rc = web_time(req, "start", 0, &a->q.from_ms, err);
    if (!rc)
        rc = web_time(req, "end", now + 60000, &a->q.to_ms, err);
    if (!rc)
        rc = logs_cursor(req, &a->q.before_id, err);
    return rc;
}

static bool
logs_severity_kept(const char *list, const char *word, const char *alias)
{
    const char *at;
    size_t n;
    if (!list || !*list)
        return true;
    while ((at = str_field(&list, ",", &n)))
        if ((strlen(word) == n && !strncmp(at, word, n)) ||
            (strlen(alias) == n && !strncmp(at, alias, n)))
            return true;
    return false;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* What is kept of a line's severity, in syslog's words. */
static const char *const logs_words[] = {
    [SEVERITY_INFO] = "info", [SEVERITY_WARNING] = "warning", [SEVERITY_CRITICAL] = "err"};

struct logs_page {
    struct web *w;
    const struct logs_ask *a;
    struct topo *topo;
    struct kb_scratch *scratch;
    struct jsonw j;
    size_t kept;
    uint64_t last;
};

static void
logs_line_write(struct logs_page *p, const struct log_line *l, uint64_t id)
{
    char text[32], entity[ENTITY_SIZE] = "";
    struct kb_match m;
    size_t len = strlen(l->text);
    if (*l->node && topo_resolve_host(p->topo, l->node, entity))
        entity_format(entity, ENTITY_NODE, l->node, NULL);
    size_t n = p->scratch ? kb_match_line(p->w->cfg.matcher, p->scratch, l->text, len,
                                          *l->source ? l->source : "any", &m, 1)
                          : 0;
    snprintf(text, sizeof text, "l-%llu", (unsigned long long)id);
    jsonw_object(&p->j);
    jsonw_kstr(&p->j, "id", text);
    jsonw_ktime(&p->j, "time", l->time_ms);
    web_kstr_or_null(&p->j, "entity", entity);
    jsonw_kstr(&p->j, "source", l->source);
    jsonw_kstr(&p->j, "severity", l->severity < SEVERITIES ? logs_words[l->severity] : "");
    web_kstr_or_null(&p->j, "job", l->job);
    jsonw_key(&p->j, "rank");
    if (l->rank >= 0)
        jsonw_int(&p->j, l->rank);
    else
        jsonw_null(&p->j);
    jsonw_kstr(&p->j, "code", n ? m.id : NULL);
    jsonw_kstr(&p->j, "text", l->text);
    jsonw_end_object(&p->j);
}

static int
logs_line(void *ctx, const struct log_line *l, uint64_t id)
{
    struct logs_page *p = ctx;
    const char *word = l->severity < SEVERITIES ? logs_words[l->severity] : "";
    p->last = id;
    if (logs_severity_kept(p->a->severities, word, severity_word(l->severity))) {
        logs_line_write(p, l, id);
        p->kept++;
    }
    return 0;
}

static void
logs_next(struct logs_page *p, bool more)
{
    char next[32] = "";
    if (more)
        snprintf(next, sizeof next, "%llu", (unsigned long long)p->last);
    web_list_end(&p->j, next);
}

static int
logs_pages(struct web *w, struct logs_ask *a, struct logs_page *p, struct err *err)
{
    size_t looked = 0, asked;
    int rc;
    do {
        asked = a->q.limit = a->limit - p->kept;
        rc = store_logs(w->cfg.store, &a->q, logs_line, p, err);
        a->q.before_id = p->last;
        looked += rc > 0 ? (size_t)rc : 0;
    } while (rc > 0 && (size_t)rc == asked && p->kept < a->limit && looked < LOGS_LOOKED);
    if (rc >= 0)
        logs_next(p, rc > 0 && (size_t)rc == asked);
    return rc < 0 ? rc : 0;
}

static int
logs_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct logs_ask a;
    struct err err = {0};
    const char *node = httpd_query(req, "node"), *entity = httpd_query(req, "entity");
    int rc = logs_ask(w, req, &a, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    if (entity && entity_kind_of(entity) == ENTITY_JOB)
        a.q.job = strchr(entity, ':') + 1;
    else
        logs_host(node && *node ? node : entity ? entity : "", a.node, sizeof a.node);
    a.q.node = *a.node ? a.node : NULL;
    a.q.code = NULL;
    struct logs_page p = {.w = w,
                          .a = &a,
                          .topo = topo_get(w->cfg.store),
                          .scratch = w->cfg.matcher ? kb_scratch_new(w->cfg.matcher) : NULL};
    web_list_begin(&p.j, resp);
    rc = logs_pages(w, &a, &p, &err);
    kb_scratch_free(p.scratch);
    topo_put(p.topo);
    return rc ? web_fail(resp, rc, &err) : 0;
}

/* --- events ----------------------------------------------------------------------------------- */

struct logs_events {
    struct web *w;
    const struct logs_ask *a;
    const struct kb *kb;
    struct map *incidents; /* "e12" -> id of its incident, in arena */
    struct map *ended;     /* "code\nentity" -> time of the end that came later, in arena */
    struct arena *arena;
    int64_t from_ms, to_ms; /* of that incident */
    const char *incident;   /* only events of this one, NULL: any */
    struct jsonw j;
    size_t kept;
    uint64_t last;
};

static int
logs_event_incident_cb(void *ctx, const struct catalog_doc *d)
{
    struct logs_events *p = ctx;
    struct doc *doc = NULL;
    if (doc_parse_json(d->json, d->json_len, "incident", &doc, NULL))
        return 0;
    const struct doc_node *events = doc_get(doc_root(doc), "events"),
                          *window = doc_get(doc_root(doc), "window");
    int64_t from, to;
    if (p->incident && !time_parse(doc_get_str(window, "start", ""), &from) &&
        !time_parse(doc_get_str(window, "end", ""), &to)) {
        p->from_ms = from;
        p->to_ms = to + 1;
    }
    char *id = arena_str(p->arena, d->id, strlen(d->id));
    for (const struct doc_node *e = events && id ? events->first : NULL; e; e = e->next) {
        const char *name = doc_str(e, "");
        map_set(p->incidents, name, strlen(name), id, NULL);
    }
    doc_free(doc);
    return 0;
}

static void
logs_event_incidents(struct web *w, const struct httpd_request *req, struct logs_events *p)
{
    struct catalog_query q = {
        .kind = "incident", .tenant = web_tenant(req), .limit = LOGS_INCIDENTS};
    if (p->incident)
        catalog_get(w->cfg.store, "incident", p->incident, logs_event_incident_cb, p, NULL);
    else
        catalog_list(w->cfg.store, &q, logs_event_incident_cb, p, NULL, NULL);
}

/* Newest first, an end comes before its beginning: remembered until then. */
static int64_t
logs_event_cleared(struct logs_events *p, const struct event *ev)
{
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    int n = snprintf(key, sizeof key, "%s\n%s", ev->code, ev->entity);
    if (n < 0 || (size_t)n >= sizeof key || p->a->q.ascending)
        return 0;
    int64_t *t = map_get(p->ended, key, (size_t)n);
    if (ev->phase == EVENT_END) {
        if (!t && (t = arena_alloc(p->arena, sizeof *t)))
            map_set(p->ended, key, (size_t)n, t, NULL);
        if (t)
            *t = ev->time_ms;
        return 0;
    }
    int64_t ended = t ? *t : 0;
    if (t)
        *t = 0;
    return ended;
}

static void
logs_event_write(struct logs_events *p, const struct event *ev, const char *id,
                 const char *incident, int64_t cleared)
{
    static const char *const phases[] = {
        [EVENT_INSTANT] = "instant", [EVENT_BEGIN] = "begin", [EVENT_END] = "end"};
    const struct kb_entry *e = kb_find_code(p->kb, ev->code);
    jsonw_object(&p->j);
    jsonw_kstr(&p->j, "id", id);
    jsonw_ktime(&p->j, "time", ev->time_ms);
    jsonw_kstr(&p->j, "entity", ev->entity);
    jsonw_kstr(&p->j, "code", ev->code);
    jsonw_kstr(&p->j, "severity", severity_word(ev->severity));
    jsonw_kstr(&p->j, "source", ev->source);
    jsonw_kstr(&p->j, "phase", phases[ev->phase]);
    jsonw_ktext(&p->j, "title", e ? e->title.en : ev->code, e ? e->title.zh : ev->code);
    jsonw_kstr(&p->j, "text", ev->text);
    web_kstr_or_null(&p->j, "job", ev->job);
    jsonw_kstr(&p->j, "incident", incident);
    jsonw_ktime(&p->j, "cleared", cleared);
    jsonw_end_object(&p->j);
}

static int
logs_event_row(void *ctx, const struct event *ev, uint64_t id)
{
    struct logs_events *p = ctx;
    char name[32];
    snprintf(name, sizeof name, "e%llu", (unsigned long long)id);
    const char *incident = map_get(p->incidents, name, strlen(name));
    int64_t cleared = logs_event_cleared(p, ev);
    p->last = id;
    if (logs_severity_kept(p->a->severities, severity_word(ev->severity), "") &&
        (!p->incident || incident)) {
        logs_event_write(p, ev, name, incident, cleared);
        p->kept++;
    }
    return 0;
}

static int
logs_event_pages(struct web *w, struct logs_ask *a, struct logs_events *p, struct err *err)
{
    size_t looked = 0, asked;
    int rc;
    do {
        asked = a->q.limit = a->limit - p->kept;
        rc = store_events(w->cfg.store, &a->q, logs_event_row, p, err);
        a->q.before_id = p->last;
        looked += rc > 0 ? (size_t)rc : 0;
    } while (rc > 0 && (size_t)rc == asked && p->kept < a->limit && looked < LOGS_LOOKED);
    if (rc < 0)
        return rc;
    char next[32] = "";
    if (rc > 0 && (size_t)rc == asked)
        snprintf(next, sizeof next, "%llu", (unsigned long long)p->last);
    web_list_end(&p->j, next);
    return 0;
}

static int
logs_event_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *w = ctx;
    struct logs_ask a;
    struct err err = {0};
    const char *incident = httpd_query(req, "incident");
    int rc = logs_ask(w, req, &a, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    a.q.entity = httpd_query(req, "entity");
    a.q.node = httpd_query(req, "node");
    struct logs_events p = {.w = w,
                            .a = &a,
                            .kb = entries_get(w->entries),
                            .incidents = map_new(1000000),
                            .ended = map_new(100000),
                            .arena = arena_new((size_t)64 << 20),
                            .incident = incident && *incident ? incident : NULL};
    rc = p.incidents && p.ended && p.arena ? 0 : ERR_NOMEM;
    if (!rc) {
        logs_event_incidents(w, req, &p);
        if (p.to_ms && p.to_ms < a.q.to_ms)
            a.q.to_ms = p.to_ms;
        if (p.from_ms > a.q.from_ms)
            a.q.from_ms = p.from_ms;
        web_list_begin(&p.j, resp);
        rc = logs_event_pages(w, &a, &p, &err);
    }
    entries_put(w->entries);
    map_free(p.incidents, NULL);
    map_free(p.ended, NULL);
    arena_free(p.arena);
    return rc ? web_fail(resp, rc, &err) : 0;
}

#define LOGS_PAGE                                                                                  \
    "start=from; end=before; order=desc or asc; limit=1 to 1000; cursor=from a former answer"

const struct route logs_routes[] = {
    {"GET", "/api/v1/logs", ROLE_VIEWER, logs_list,
     .help = "Searches log lines: words, \"phrases\", -not, prefix*.",
     .query =
         "query=words; node=a host; entity=node, switch or a part of one, or a job; source=kernel, "
         "job, syslog, switch; job=its id; severity=syslog words by comma; " LOGS_PAGE},
    {"GET", "/api/v1/events", ROLE_VIEWER, logs_event_list,
     .help = "Events, newest first, with the incident each belongs to.",
     .query = "entity=exact, or a prefix ending in / or *; node=a host; job=its id; code=of the "
              "knowledge base; severity=info, warning, critical by comma; "
              "incident=its id; query=words; source=who saw it; " LOGS_PAGE},
};
const size_t logs_route_count = sizeof logs_routes / sizeof *logs_routes;
