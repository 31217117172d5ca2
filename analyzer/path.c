/* path: collects the entities that a job's health rests on, layer by layer, and writes them with
 * health, KPIs and issues. */
#include "analyzer/path.h"

#include "analyzer/kpi.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "base/map.h"
#include "store/catalog.h"
#include "store/jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum path_layer {
    PATH_CORE,
    PATH_SPINE,
    PATH_LEAF,
    PATH_OPTIC,
    PATH_NIC,
    PATH_GPU,
    PATH_NODE,
    PATH_STORAGE,
    PATH_LAYERS
};
static const char *const path_layer_words[PATH_LAYERS] = {"core", "spine", "leaf", "optic",
                                                          "nic",  "gpu",   "node", "storage"};

enum path_role { PATH_NONE, PATH_RELATED, PATH_VICTIM, PATH_ROOT };
static const char *const path_role_words[] = {NULL, "related", "victim", "root"};

/* KPI columns: meaning, word, unit, which layers show it. */
static const struct {
    enum metric_meaning meaning;
    const char *key, *unit;
    enum kpi_fold fold;
    unsigned layers;
} path_kpis[] = {
    {METRIC_GPU_UTIL, "util", "percent", KPI_LAST, 1u << PATH_GPU},
    {METRIC_GPU_TEMP, "temperature", "celsius", KPI_LAST, 1u << PATH_GPU},
    {METRIC_GPU_POWER, "power", "watts", KPI_LAST, 1u << PATH_GPU},
    {METRIC_NIC_TX_BYTES, "throughput", "bytes_per_second", KPI_MAX, 1u << PATH_NIC},
    {METRIC_NIC_ERRORS, "errors", "per_second", KPI_SUM, 1u << PATH_NIC},
    {METRIC_NIC_RETRANSMITS, "retransmits", "per_second", KPI_SUM, 1u << PATH_NIC},
    {METRIC_OPTIC_RX_POWER, "rx_power", "dbm", KPI_MIN, 1u << PATH_OPTIC},
    {METRIC_OPTIC_TEMP, "temperature", "celsius", KPI_LAST, 1u << PATH_OPTIC},
    {METRIC_NODE_LOAD1, "load", "", KPI_LAST, 1u << PATH_NODE},
};
#define PATH_KPIS (sizeof path_kpis / sizeof *path_kpis)

struct path {
    struct topo *topo;
    const struct path_source *src;
    const struct health_map *health;
    const struct topo_job *job;
    int64_t at_ms;
    uint8_t *layer; /* by topo_id: layer + 1, 0 not on the path */
    uint8_t *role;
    topo_id *ids[PATH_LAYERS];
    size_t counts[PATH_LAYERS];
    topo_id *links;
    size_t link_count;
    const struct kpi *kpis[PATH_KPIS];
    enum health worst;
    double penalty;
    size_t known, total;
};

/* --- what is on the path ---------------------------------------------------------------------- */

static void
path_add(struct path *p, enum path_layer layer, topo_id id)
{
    if (id == TOPO_NONE || p->layer[id])
        return;
    p->layer[id] = (uint8_t)(layer + 1);
    p->ids[layer][p->counts[layer]++] = id;
}

static enum path_layer
path_switch_layer(const struct path *p, topo_id id)
{
    const char *role = topo_attr(p->topo, id, "role");
    return !strcmp(role, "spine") ? PATH_SPINE : !strcmp(role, "core") ? PATH_CORE : PATH_LEAF;
}

static void
path_link(struct path *p, topo_id link)
{
    if (p->layer[link])
        return;
    p->layer[link] = PATH_LAYERS + 1;
    p->links[p->link_count++] = link;
}

static void
path_optics(struct path *p, topo_id end)
{
    size_t n;
    const struct topo_edge *e = topo_edges(p->topo, end, &n);
    for (size_t i = 0; i < n; i++)
        if (topo_kind(p->topo, e[i].to) == ENTITY_OPTIC)
            path_add(p, PATH_OPTIC, e[i].to);
}

/* From one end of a link to the switch at its other end; TOPO_NONE when there is none. */
static void
path_link_ends(struct path *p, topo_id link)
{
    size_t n;
    const struct topo_edge *e = topo_edges(p->topo, link, &n);
    path_link(p, link);
    for (size_t i = 0; i < n; i++) {
        enum entity_kind k = topo_kind(p->topo, e[i].to);
        if (k == ENTITY_PORT || k == ENTITY_NIC)
            path_optics(p, e[i].to);
        topo_id sw = k == ENTITY_PORT ? topo_neighbour(p->topo, e[i].to, ENTITY_SWITCH) : TOPO_NONE;
        if (sw != TOPO_NONE)
            path_add(p, path_switch_layer(p, sw), sw);
    }
}

/* Links between a leaf of the path and the switches above it. */
static void
path_uplinks(struct path *p, topo_id leaf)
{
    size_t n, m, k;
    const struct topo_edge *ports = topo_edges(p->topo, leaf, &n);
    for (size_t i = 0; i < n; i++) {
        if (topo_kind(p->topo, ports[i].to) != ENTITY_PORT)
            continue;
        const struct topo_edge *links = topo_edges(p->topo, ports[i].to, &m);
        for (size_t j = 0; j < m; j++) {
            if (topo_kind(p->topo, links[j].to) != ENTITY_LINK || p->layer[links[j].to])
                continue;
            const struct topo_edge *ends = topo_edges(p->topo, links[j].to, &k);
            bool up = true;
            for (size_t x = 0; x < k; x++)
                up &= topo_kind(p->topo, ends[x].to) != ENTITY_NIC;
            if (up)
                path_link_ends(p, links[j].to);
        }
    }
}

static void
path_node(struct path *p, topo_id node)
{
    size_t n, m;
    const struct topo_edge *e = topo_edges(p->topo, node, &n);
    path_add(p, PATH_NODE, node);
    for (size_t i = 0; i < n; i++) {
        enum entity_kind k = topo_kind(p->topo, e[i].to);
        if (k == ENTITY_GPU)
            path_add(p, PATH_GPU, e[i].to);
        else if (k == ENTITY_STORAGE)
            path_add(p, PATH_STORAGE, e[i].to);
        if (k != ENTITY_NIC)
            continue;
        path_add(p, PATH_NIC, e[i].to);
        const struct topo_edge *links = topo_edges(p->topo, e[i].to, &m);
        for (size_t j = 0; j < m; j++)
            if (topo_kind(p->topo, links[j].to) == ENTITY_LINK)
                path_link_ends(p, links[j].to);
    }
}

static void
path_collect(struct path *p)
{
    for (size_t i = 0; i < p->job->node_count; i++)
        path_node(p, p->job->nodes[i]);
    size_t leaves = p->counts[PATH_LEAF];
    for (size_t i = 0; i < leaves; i++)
        path_uplinks(p, p->ids[PATH_LEAF][i]);
}

/* --- judgement -------------------------------------------------------------------------------- */

static void
path_weigh(struct path *p)
{
    static const double weight[] = {0, 0, 4, 12, 30};
    p->worst = HEALTH_UNKNOWN;
    for (size_t l = 0; l < PATH_LAYERS; l++)
        for (size_t i = 0; i < p->counts[l]; i++) {
            enum health h = health_of(p->health, p->ids[l][i]);
            p->total++;
            p->known += h != HEALTH_UNKNOWN;
            p->penalty += weight[h];
            p->worst = h > p->worst ? h : p->worst;
        }
    char entity[ENTITY_SIZE];
    enum health job = entity_format(entity, ENTITY_JOB, p->job->id, NULL)
                          ? HEALTH_UNKNOWN
                          : health_of(p->health, topo_find(p->topo, entity));
    p->worst = job > p->worst ? job : p->worst;
}

static double
path_score(const struct path *p)
{
    double unknown = p->total ? 20.0 * (double)(p->total - p->known) / (double)p->total : 20;
    double score = 100 - p->penalty - unknown;
    return score < 0 ? 0 : score;
}

static void
path_mark(struct path *p, const char *entity, enum path_role role)
{
    topo_id id = topo_find(p->topo, entity);
    if (id != TOPO_NONE && role > p->role[id])
        p->role[id] = (uint8_t)role;
}

static void
path_roles(struct path *p, const struct doc_node *incident)
{
    const struct doc_node *h = doc_at(doc_get(incident, "hypotheses"), 0),
                          *v = doc_get(incident, "victims"), *e = doc_get(h, "evidence");
    path_mark(p, doc_get_str(h, "entity", ""), PATH_ROOT);
    for (const struct doc_node *c = v ? v->first : NULL; c; c = c->next)
        path_mark(p, doc_str(c, ""), PATH_VICTIM);
    for (const struct doc_node *c = e ? e->first : NULL; c; c = c->next)
        path_mark(p, doc_get_str(c, "entity", ""), PATH_RELATED);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
path_value(struct jsonw *w, const char *key, double v, const char *unit)
{
    jsonw_key(w, key);
    jsonw_object(w);
    jsonw_kreal(w, "value", v);
    jsonw_kstr(w, "unit", unit);
    jsonw_end_object(w);
}

static void
path_issues(const struct path *p, topo_id id, struct jsonw *w)
{
    const char *const *issues;
    size_t n = health_issues(p->health, id, &issues);
    jsonw_key(w, "issues");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, issues[i]);
    jsonw_end_array(w);
}

static void
path_item(const struct path *p, enum path_layer layer, topo_id id, struct jsonw *w)
{
    jsonw_object(w);
    jsonw_kstr(w, "entity", topo_name(p->topo, id));
    jsonw_kstr(w, "health", health_word(health_of(p->health, id)));
    if (p->role[id])
        jsonw_kstr(w, "role", path_role_words[p->role[id]]);
    jsonw_key(w, "kpi");
    jsonw_object(w);
    for (size_t k = 0; k < PATH_KPIS; k++)
        if (path_kpis[k].layers & 1u << layer && p->kpis[k] && !isnan(p->kpis[k]->at[id]))
            path_value(w, path_kpis[k].key, p->kpis[k]->at[id], path_kpis[k].unit);
    jsonw_end_object(w);
    path_issues(p, id, w);
    jsonw_end_object(w);
}

static void
path_layers(const struct path *p, struct jsonw *w)
{
    jsonw_key(w, "layers");
    jsonw_array(w);
    for (int l = 0; l < PATH_LAYERS; l++) {
        if (!p->counts[l])
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "name", path_layer_words[l]);
        jsonw_key(w, "items");
        jsonw_array(w);
        for (size_t i = 0; i < p->counts[l]; i++)
            path_item(p, (enum path_layer)l, p->ids[l][i], w);
        jsonw_end_array(w);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
path_links(const struct path *p, struct jsonw *w)
{
    jsonw_key(w, "links");
    jsonw_array(w);
    for (size_t i = 0; i < p->link_count; i++) {
        const char *ends[2] = {NULL, NULL};
        size_t n, k = 0;
        topo_id id = p->links[i];
        const struct topo_edge *e = topo_edges(p->topo, id, &n);
        uint8_t role = p->role[id];
        enum health h = health_of(p->health, id);
        for (size_t j = 0; j < n && k < 2; j++) {
            enum entity_kind kind = topo_kind(p->topo, e[j].to);
            if (kind != ENTITY_PORT && kind != ENTITY_NIC)
                continue;
            topo_id optic = topo_neighbour(p->topo, e[j].to, ENTITY_OPTIC);
            if (optic != TOPO_NONE) {
                role = p->role[optic] > role ? p->role[optic] : role;
                h = health_of(p->health, optic) > h ? health_of(p->health, optic) : h;
            }
            ends[k++] = topo_name(p->topo, e[j].to);
        }
        jsonw_object(w);
        jsonw_kstr(w, "a", ends[0]);
        jsonw_kstr(w, "b", ends[1]);
        jsonw_kstr(w, "entity", topo_name(p->topo, id));
        jsonw_kstr(w, "health", health_word(h));
        if (role)
            jsonw_kstr(w, "role", path_role_words[role]);
        jsonw_end_object(w);
    }
    for (size_t i = 0; i < p->counts[PATH_STORAGE]; i++)
        for (size_t k = 0; k < p->counts[PATH_NODE]; k++) {
            jsonw_object(w);
            jsonw_kstr(w, "a", topo_name(p->topo, p->ids[PATH_NODE][k]));
            jsonw_kstr(w, "b", topo_name(p->topo, p->ids[PATH_STORAGE][i]));
            jsonw_kstr(w, "entity", NULL);
            jsonw_kstr(w, "health", "ok");
            jsonw_end_object(w);
        }
    jsonw_end_array(w);
}

struct path_incidents {
    struct path *p;
    struct jsonw *w;
};

static int
path_incident(void *ctx, const struct catalog_doc *c)
{
    struct path_incidents *i = ctx;
    struct doc *d = NULL;
    int64_t resolved = 0;
    const char *tenant = i->p->src->tenant;
    if ((tenant && strcmp(tenant, c->tenant) != 0) ||
        doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *jobs = doc_get(n, "jobs");
    const char *end = doc_get_str(n, "resolved", NULL);
    topo_id root = topo_find(i->p->topo, doc_get_str(n, "entity", ""));
    bool mine = root != TOPO_NONE && i->p->layer[root];
    for (const struct doc_node *j = jobs ? jobs->first : NULL; j; j = j->next)
        mine |= !strcmp(doc_str(j, ""), i->p->job->id);
    mine &= c->time_ms <= i->p->at_ms &&
            (!end || (!time_parse(end, &resolved) && resolved > i->p->at_ms));
    if (mine) {
        path_roles(i->p, n);
        jsonw_raw(i->w, c->json, c->json_len);
    }
    doc_free(d);
    return 0;
}

/* Those open at the path's time: of the present the open ones, of the past all that may have been.
 */
static void
path_incidents(struct path *p, struct jsonw *w)
{
    struct path_incidents incidents = {p, w};
    struct catalog_query open = {.kind = "incident", .state = "open|acknowledged", .limit = 500};
    struct catalog_query past = {.kind = "incident",
                                 .from_ms = p->at_ms - 30 * (int64_t)86400000,
                                 .to_ms = p->at_ms + 1,
                                 .limit = 1000};
    bool now = clock_now_ms(store_clock(p->src->store)) - p->at_ms < 60000;
    jsonw_key(w, "incidents");
    jsonw_array(w);
    catalog_list(p->src->store, now ? &open : &past, path_incident, &incidents, NULL, NULL);
    jsonw_end_array(w);
}

static int
path_write_all(struct path *p, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "job");
    jsonw_raw(&w, p->src->job_json, strlen(p->src->job_json));
    jsonw_kstr(&w, "health", health_word(p->worst));
    jsonw_kreal(&w, "score", floor(path_score(p) + 0.5));
    jsonw_ktime(&w, "at", p->at_ms);
    jsonw_key(&w, "kpi");
    jsonw_raw(&w, p->src->kpi_json, strlen(p->src->kpi_json));
    path_incidents(p, &w);
    path_layers(p, &w);
    path_links(p, &w);
    jsonw_end_object(&w);
    return out->failed ? ERR_LIMIT : 0;
}

static int
path_init(struct path *p, const char *job, struct err *err)
{
    size_t n = topo_count(p->topo) + 1;
    p->job = topo_job_find(p->topo, job);
    if (!p->job)
        return err_set(err, ERR_NOTFOUND, "job %s runs on no node that is known at that time", job);
    p->layer = calloc(n, 1);
    p->role = calloc(n, 1);
    p->links = calloc(n, sizeof *p->links);
    for (int l = 0; l < PATH_LAYERS; l++)
        if (!(p->ids[l] = calloc(n, sizeof *p->ids[l])))
            return err_set(err, ERR_NOMEM, "no memory for the path");
    if (!p->layer || !p->role || !p->links)
        return err_set(err, ERR_NOMEM, "no memory for the path");
    path_collect(p);
    path_weigh(p);
    return 0;
}

static void
path_done(struct path *p)
{
    for (int l = 0; l < PATH_LAYERS; l++)
        free(p->ids[l]);
    free(p->layer);
    free(p->role);
    free(p->links);
}

int
path_judge(struct topo *t, const struct health_map *h, const char *job, enum health *ret_health,
           double *ret_score, struct err *err)
{
    struct path p = {.topo = t, .health = h};
    int rc = path_init(&p, job, err);
    if (!rc) {
        *ret_health = p.worst;
        *ret_score = floor(path_score(&p) + 0.5);
    }
    path_done(&p);
    return rc;
}

int
path_write(const struct path_source *src, const char *job, struct buf *out, struct err *err)
{
    struct path p = {.src = src, .topo = src->topo, .health = src->health, .at_ms = src->at_ms};
    int rc = path_init(&p, job, err);
    for (size_t k = 0; !rc && k < PATH_KPIS; k++)
        p.kpis[k] = src->column(src->ctx, path_kpis[k].meaning, path_kpis[k].fold);
    if (!rc && (rc = path_write_all(&p, out)))
        err_set(err, rc, "the path is larger than an answer may be");
    path_done(&p);
    return rc;
}

/* --- from the store alone --------------------------------------------------------------------- */

struct path_columns {
    struct store *store;
    const struct metric_table *metrics;
    struct topo *topo;
    int64_t at_ms;
    struct kpi at[PATH_KPIS];
    size_t count;
};

static const struct kpi *
path_column(void *ctx, enum metric_meaning meaning, enum kpi_fold fold)
{
    struct path_columns *c = ctx;
    if (c->count == PATH_KPIS ||
        kpi_read(c->store, c->metrics, c->topo, meaning, fold, c->at_ms, &c->at[c->count], NULL))
        return NULL;
    return &c->at[c->count++];
}

int
path_json(struct store *s, const struct metric_table *metrics, const char *job, int64_t at_ms,
          struct buf *out, struct err *err)
{
    struct job j = {0};
    int rc = job_get(s, job, &j, err);
    if (rc)
        return rc;
    if (j.end_ms && at_ms > j.end_ms)
        at_ms = j.end_ms - 1000; /* a job that ended is shown as it last was */
    bool now = clock_now_ms(store_clock(s)) - at_ms < 60000 &&
               (j.state == JOB_RUNNING || j.state == JOB_PENDING);
    struct topo *t = now ? topo_get(s) : topo_at(s, at_ms, err);
    struct health_map *health = NULL;
    struct path_columns columns = {.store = s, .metrics = metrics, .topo = t, .at_ms = at_ms};
    struct path_source src = {.store = s,
                              .topo = t,
                              .at_ms = at_ms,
                              .column = path_column,
                              .ctx = &columns,
                              .job_json = j.json,
                              .kpi_json = "{}"};
    rc = t ? health_map_new(s, metrics, t, at_ms, &health, err) : ERR_NOTFOUND;
    src.health = health;
    if (!rc)
        rc = path_write(&src, job, out, err);
    for (size_t i = 0; i < columns.count; i++)
        kpi_done(&columns.at[i]);
    health_map_free(health);
    topo_put(t);
    job_done(&j);
    return rc;
}
