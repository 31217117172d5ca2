/* search: one box for everything: devices, jobs, incidents, the knowledge base. Names that begin
 * with the text come first.
 *
 * Must answer within 50 ms over 200,000 entities: names of a kind are sorted, so a prefix is two
 * binary searches; only what is left of the answer is filled by the device search's scan. */
#include "web/resources.h"
#include "web/view.h"
#include "web/web_priv.h"

#include "base/str.h"
#include "kb/kb.h"
#include "store/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEARCH_MAX       50
#define SEARCH_JOBS      4
#define SEARCH_INCIDENTS 3
#define SEARCH_ENTRIES   4

enum search_type { SEARCH_DEVICE, SEARCH_JOB, SEARCH_INCIDENT, SEARCH_KB };

struct search_hit {
    enum search_type type;
    char id[ENTITY_SIZE + 64];
    char en[256], zh[256];
    enum health health;
};

struct search {
    struct web *web;
    struct view *v;
    const struct health_map *health;
    const char *q, *tenant;
    struct search_hit *hits; /* SEARCH_MAX */
    size_t count, limit;
};

static struct search_hit *
search_add(struct search *s, enum search_type type, const char *id)
{
    if (s->count >= s->limit)
        return NULL;
    for (size_t i = 0; i < s->count; i++)
        if (s->hits[i].type == type && !strcmp(s->hits[i].id, id))
            return NULL;
    struct search_hit *h = &s->hits[s->count++];
    memset(h, 0, sizeof *h);
    h->type = type;
    str_copy(h->id, sizeof h->id, id);
    return h;
}

/* "node00001 / GPU 3": what it is part of, what it is. */
static void
search_device(struct search *s, const char *entity)
{
    struct entity e;
    topo_id id = topo_find(s->v->topo, entity);
    if (!view_sees(s->v, s->tenant, id) || entity_parse(entity, &e, NULL))
        return;
    struct search_hit *h = search_add(s, SEARCH_DEVICE, entity);
    if (!h)
        return;
    const struct entity_kind_row *row = entity_kind_row(e.kind);
    h->health = health_of(s->health, id);
    if (e.part) {
        snprintf(h->en, sizeof h->en, "%.*s / %s %s", (int)e.owner_len, e.name,
                 e.kind == ENTITY_GPU ? "GPU" : row->en, e.part);
        snprintf(h->zh, sizeof h->zh, "%.*s / %s %s", (int)e.owner_len, e.name,
                 e.kind == ENTITY_GPU ? "GPU" : row->zh, e.part);
    } else {
        str_copy(h->en, sizeof h->en, e.name);
        str_copy(h->zh, sizeof h->zh, e.name);
    }
}

/* Entities of one kind whose name begins so, at most `max`. */
static void
search_prefix(struct search *s, enum entity_kind k, const char *begin, size_t max)
{
    size_t n, lo = 0, shown = s->count;
    const topo_id *ids = topo_of_kind(s->v->topo, k, &n);
    size_t hi = n, len = strlen(begin);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(view_plain(s->v->topo, ids[mid]), begin) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = lo;
         i < n && s->count - shown < max && !strncmp(view_plain(s->v->topo, ids[i]), begin, len);
         i++)
        search_device(s, topo_name(s->v->topo, ids[i]));
}

static void
search_prefixes(struct search *s, size_t each)
{
    static const enum entity_kind order[] = {
        ENTITY_NODE, ENTITY_SWITCH, ENTITY_RACK,     ENTITY_STORAGE,  ENTITY_CLUSTER,
        ENTITY_GPU,  ENTITY_NIC,    ENTITY_OPTIC,    ENTITY_PORT,     ENTITY_LINK,
        ENTITY_PDU,  ENTITY_CDU,    ENTITY_NVSWITCH, ENTITY_SUPERPOD, ENTITY_DPU};
    const char *colon = strchr(s->q, ':');
    enum entity_kind k = colon ? entity_kind_find(s->q, (size_t)(colon - s->q)) : ENTITY_NONE;
    if (k != ENTITY_NONE && k != ENTITY_JOB)
        search_prefix(s, k, colon + 1, SEARCH_MAX);
    else
        for (size_t i = 0; i < sizeof order / sizeof *order; i++)
            search_prefix(s, order[i], s->q, each);
}

/* --- documents -------------------------------------------------------------------------------- */

static int
search_job(void *ctx, const struct catalog_doc *c)
{
    struct search *s = ctx;
    struct doc *d = NULL;
    if (s->tenant[0] && strcmp(s->tenant, c->tenant) != 0)
        return 0;
    struct search_hit *h = search_add(s, SEARCH_JOB, c->id);
    if (!h || doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct view_job *j = view_job_find(s->v, c->id);
    const char *name = doc_get_str(doc_root(d), "name", "");
    snprintf(h->en, sizeof h->en, "%.60s%s%.150s", c->id, *name ? " " : "", name);
    str_copy(h->zh, sizeof h->zh, h->en);
    h->health = j ? j->health : HEALTH_UNKNOWN;
    doc_free(d);
    return 0;
}

static int
search_incident(void *ctx, const struct catalog_doc *c)
{
    struct search *s = ctx;
    struct doc *d = NULL;
    if (s->tenant[0] && strcmp(s->tenant, c->tenant) != 0)
        return 0;
    struct search_hit *h = search_add(s, SEARCH_INCIDENT, c->id);
    if (!h || doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *title = doc_get(n, "title");
    const char *severity = doc_get_str(n, "severity", "");
    str_copy(h->en, sizeof h->en, doc_get_str(title, "en", c->id));
    str_copy(h->zh, sizeof h->zh, doc_get_str(title, "zh", c->id));
    h->health = !strcmp(severity, "critical")  ? HEALTH_CRITICAL
                : !strcmp(severity, "warning") ? HEALTH_MAJOR
                                               : HEALTH_MINOR;
    doc_free(d);
    return 0;
}

static void
search_documents(struct search *s)
{
    const char *job = str_prefix(s->q, "job:") ? s->q + 4 : s->q;
    struct catalog_query jobs = {
        .kind = "job", .tenant = s->tenant, .id_prefix = job, .limit = SEARCH_JOBS};
    struct catalog_query words = {
        .kind = "job", .tenant = s->tenant, .text = job, .limit = SEARCH_JOBS};
    struct catalog_query incidents = {
        .kind = "incident", .tenant = s->tenant, .id_prefix = s->q, .limit = SEARCH_INCIDENTS};
    struct store *st = s->web->cfg.store;
    const struct view_incident *open;
    size_t before = s->count, n = view_incidents(s->v, &open);
    catalog_list(st, &jobs, search_job, s, NULL, NULL);
    if (s->count - before < SEARCH_JOBS)
        catalog_list(st, &words, search_job, s, NULL, NULL);
    catalog_list(st, &incidents, search_incident, s, NULL, NULL);
    before = s->count;
    for (size_t i = 0; i < n && s->count - before < SEARCH_INCIDENTS; i++)
        if (strstr(open[i].entity, s->q))
            catalog_get(st, "incident", open[i].id, search_incident, s, NULL);
}

static void
search_entries(struct search *s)
{
    struct kb_hit hits[SEARCH_ENTRIES];
    size_t n = s->web->cfg.kb ? kb_search(s->web->cfg.kb, s->q, hits, SEARCH_ENTRIES) : 0;
    for (size_t i = 0; i < n && i < SEARCH_ENTRIES; i++) {
        struct search_hit *h = search_add(s, SEARCH_KB, hits[i].entry->id);
        if (h) {
            str_copy(h->en, sizeof h->en, hits[i].entry->title.en);
            str_copy(h->zh, sizeof h->zh, hits[i].entry->title.zh);
        }
    }
}

static int
search_inside(void *ctx, const struct device *d)
{
    search_device(ctx, d->entity);
    return 0;
}

static bool
search_keep(void *ctx, const char *entity)
{
    struct search *s = ctx;
    return view_sees(s->v, s->tenant, topo_find(s->v->topo, entity));
}

/* Half of the places are for names that begin so, the other half for the rest; what stays free goes
 * to devices again. */
static void
search_all(struct search *s)
{
    size_t limit = s->limit;
    s->limit = (limit + 1) / 2;
    search_prefixes(s, 3);
    s->limit = limit;
    search_documents(s);
    search_entries(s);
    search_prefixes(s, SEARCH_MAX);
    if (s->count < s->limit) {
        struct device_query q = {
            .text = s->q, .limit = s->limit, .keep = *s->tenant ? search_keep : NULL, .ctx = s};
        device_list(s->web->cfg.store, &q, search_inside, s, NULL, NULL, NULL);
    }
}

static void
search_write(struct jsonw *w, const struct search_hit *h)
{
    static const char *const types[] = {"device", "job", "incident", "kb"};
    jsonw_object(w);
    jsonw_kstr(w, "type", types[h->type]);
    jsonw_kstr(w, "id", h->id);
    jsonw_ktext(w, "title", h->en, h->zh);
    jsonw_kstr(w, "health", h->type == SEARCH_KB ? NULL : health_word(h->health));
    jsonw_end_object(w);
}

static int
search_read(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct jsonw w;
    const char *q = httpd_query(req, "q");
    struct search s = {.web = web, .q = q ? q : "", .tenant = req->who.tenant};
    int64_t limit;
    if (httpd_query_int(req, "limit", 12, 1, SEARCH_MAX, &limit))
        return httpd_reply_fail(resp, 400, "range", "limit: a number from 1 to %d is needed",
                                SEARCH_MAX);
    while (*s.q == ' ')
        s.q++;
    int rc = view_get(web->views, 0, &s.v, &err);
    if (rc)
        return web_fail(resp, rc, &err);
    s.limit = (size_t)limit;
    s.hits = calloc(SEARCH_MAX, sizeof *s.hits);
    s.health = view_health(s.v, &err);
    if (s.hits && s.health && *s.q)
        search_all(&s);
    web_list_begin(&w, resp);
    for (size_t i = 0; i < s.count; i++)
        search_write(&w, &s.hits[i]);
    web_list_end(&w, NULL);
    free(s.hits);
    view_put(s.v);
    return 0;
}

const struct route search_routes[] = {
    {"GET", "/api/v1/search", ROLE_VIEWER, search_read, .query = "q=text; limit=1 to 50, 12",
     .help = "Devices, jobs, incidents and knowledge-base entries that a text names, those that "
             "begin with it first."},
};
const size_t search_route_count = sizeof search_routes / sizeof *search_routes;
