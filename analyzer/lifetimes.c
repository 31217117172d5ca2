/* lifetimes: incidents of the period are read once and laid upon the topology. Load: some thousand
 * incidents, 200,000 devices. Always true: a group without failures has no MTBF, only a lower
 * bound. */
#include "analyzer/lifetimes.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/entity.h"
#include "base/map.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/topo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFETIMES_GROUPS  500
#define LIFETIMES_HOUR    3600000.0
#define LIFETIMES_HALF_MS (28 * 86400000.0)
#define LIFETIMES_PAST_MS (180 * (int64_t)86400000)
#define LIFETIMES_WEEK    7.0 /* days */
#define LIFETIMES_PRIOR   1.0 /* failures that the fleet's rate is worth */
#define LIFETIMES_PAGES   1000

struct lifetimes_group {
    char key[160];
    enum entity_kind kind;
    size_t devices, failures, mended;
    double mended_ms;
};
struct lifetimes {
    struct store *store;
    struct topo *topo;
    const struct lifetimes_query *q;
    struct lifetimes_group *groups;
    size_t count;
    struct map *index; /* kind and key -> number + 1 */
};

void
lifetimes_interval(double failures, double exposure, double *ret_low, double *ret_high)
{
    double k = failures, more = failures + 1;
    double low = k > 0 ? k * pow(1 - 1 / (9 * k) - 1.96 / (3 * sqrt(k)), 3) : 0;
    double high = more * pow(1 - 1 / (9 * more) + 1.96 / (3 * sqrt(more)), 3);
    *ret_low = exposure > 0 ? low / exposure : NAN;
    *ret_high = exposure > 0 ? high / exposure : NAN;
}

double
lifetimes_rate(double weight, double exposure, double fleet_rate)
{
    if (!(fleet_rate > 0))
        return weight > 0 && exposure > 0 ? weight / exposure : 0;
    return (LIFETIMES_PRIOR + weight) / (LIFETIMES_PRIOR / fleet_rate + exposure);
}

/* --- groups ----------------------------------------------------------------------------------- */

/* The batch that a device's document names. */
static void
lifetimes_batch(struct lifetimes *l, const char *entity, char *out, size_t size)
{
    struct doc *d = NULL;
    char *json = catalog_get_json(l->store, "device", entity, NULL);
    *out = 0;
    if (json && !doc_parse_json(json, strlen(json), entity, &d, NULL)) {
        const struct doc_node *n = doc_root(d);
        str_copy(out, size,
                 doc_get_str(doc_get(n, "attributes"), "batch", doc_get_str(n, "batch", "")));
    }
    doc_free(d);
    free(json);
}

static struct lifetimes_group *
lifetimes_group(struct lifetimes *l, topo_id id)
{
    enum entity_kind kind = topo_kind(l->topo, id);
    const char *by = l->q->by;
    char value[128] = "", key[192];
    if (!strcmp(by, "vendor") || !strcmp(by, "model"))
        str_copy(value, sizeof value, topo_attr(l->topo, id, by));
    else if (!strcmp(by, "batch"))
        lifetimes_batch(l, topo_name(l->topo, id), value, sizeof value);
    int n = snprintf(key, sizeof key, "%s\n%s", entity_kind_row(kind)->word, value);
    uintptr_t at = (uintptr_t)map_get(l->index, key, (size_t)n);
    if (at)
        return &l->groups[at - 1];
    if (l->count == LIFETIMES_GROUPS)
        return NULL;
    struct lifetimes_group *g = &l->groups[l->count++];
    str_copy(g->key, sizeof g->key, value);
    g->kind = kind;
    map_set(l->index, key, (size_t)n, (void *)(uintptr_t)l->count, NULL);
    return g;
}

static bool
lifetimes_part(enum entity_kind k)
{
    return k == ENTITY_NODE || k == ENTITY_GPU || k == ENTITY_NIC || k == ENTITY_SWITCH ||
           k == ENTITY_OPTIC || k == ENTITY_PORT || k == ENTITY_LINK || k == ENTITY_STORAGE ||
           k == ENTITY_NVSWITCH || k == ENTITY_PDU || k == ENTITY_CDU || k == ENTITY_DPU;
}

static void
lifetimes_population(struct lifetimes *l)
{
    for (topo_id id = 0; id < topo_count(l->topo); id++) {
        struct lifetimes_group *g =
            lifetimes_part(topo_kind(l->topo, id)) ? lifetimes_group(l, id) : NULL;
        if (g)
            g->devices++;
    }
}

/* --- incidents -------------------------------------------------------------------------------- */

static int
lifetimes_pages(struct store *s, struct catalog_query q,
                int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, struct err *err)
{
    char next[256] = "", from[256];
    int rc = 0;
    q.limit = 1000;
    for (int page = 0; page < LIFETIMES_PAGES && rc >= 0; page++) {
        str_copy(from, sizeof from, next);
        q.cursor = *from ? from : NULL;
        rc = catalog_list(s, &q, cb, ctx, next, err);
        if (!*next)
            break;
    }
    return rc < 0 ? rc : 0;
}

/* A failure of the infrastructure, and the entity it is of. */
static topo_id
lifetimes_failed(const struct topo *t, const struct doc_node *n)
{
    if (strcmp(doc_get_str(n, "verdict", ""), "infrastructure") ||
        !strcmp(doc_get_str(n, "severity", "info"), "info") || doc_get(n, "merged_into"))
        return TOPO_NONE;
    return topo_find(t, doc_get_str(n, "entity", ""));
}

static int
lifetimes_incident(void *ctx, const struct catalog_doc *c)
{
    struct lifetimes *l = ctx;
    struct doc *d = NULL;
    int64_t resolved;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d);
    topo_id id = lifetimes_failed(l->topo, n);
    struct lifetimes_group *g =
        id != TOPO_NONE && lifetimes_part(topo_kind(l->topo, id)) ? lifetimes_group(l, id) : NULL;
    if (g) {
        g->failures++;
        if (!time_parse(doc_get_str(n, "resolved", ""), &resolved) && resolved > c->time_ms) {
            g->mended++;
            g->mended_ms += (double)(resolved - c->time_ms);
        }
    }
    doc_free(d);
    return 0;
}

static int
lifetimes_order(const void *a, const void *b)
{
    const struct lifetimes_group *x = a, *y = b;
    if (x->failures != y->failures)
        return x->failures > y->failures ? -1 : 1;
    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->key, y->key);
}

static void
lifetimes_group_write(const struct lifetimes *l, const struct lifetimes_group *g, struct jsonw *w)
{
    double hours = (double)g->devices * (double)(l->q->to_ms - l->q->from_ms) / LIFETIMES_HOUR;
    double low, high;
    lifetimes_interval((double)g->failures, hours, &low, &high);
    jsonw_object(w);
    jsonw_kstr(w, "kind", entity_kind_row(g->kind)->word);
    jsonw_kstr(w, "key", g->key);
    jsonw_kint(w, "devices", (int64_t)g->devices);
    jsonw_kreal(w, "device_hours", hours);
    jsonw_kint(w, "failures", (int64_t)g->failures);
    jsonw_kreal(w, "mtbf_hours", g->failures ? hours / (double)g->failures : NAN);
    jsonw_kreal(w, "mtbf_low_hours", high > 0 ? 1 / high : NAN);
    jsonw_kreal(w, "mtbf_high_hours", low > 0 ? 1 / low : NAN);
    jsonw_kreal(w, "mttr_seconds", g->mended ? g->mended_ms / 1000 / (double)g->mended : NAN);
    jsonw_end_object(w);
}

int
lifetimes_write(struct store *s, const struct lifetimes_query *q, struct jsonw *w, struct err *err)
{
    static const char *const known[] = {"part", "vendor", "model", "batch"};
    struct lifetimes l = {.store = s, .q = q};
    size_t i = 0;
    while (i < 4 && strcmp(known[i], q->by))
        i++;
    if (i == 4 || q->from_ms >= q->to_ms)
        return err_set(err, ERR_RANGE,
                       i == 4 ? "by: part, vendor, model or batch" : "start: must be before end");
    l.topo = topo_get(s);
    l.groups = calloc(LIFETIMES_GROUPS, sizeof *l.groups);
    l.index = map_new(LIFETIMES_GROUPS);
    int rc = l.groups && l.index ? 0 : err_set(err, ERR_NOMEM, "no memory");
    struct catalog_query incidents = {
        .kind = "incident", .from_ms = q->from_ms < 1 ? 1 : q->from_ms, .to_ms = q->to_ms};
    if (!rc)
        lifetimes_population(&l);
    if (!rc)
        rc = lifetimes_pages(s, incidents, lifetimes_incident, &l, err);
    if (!rc) {
        qsort(l.groups, l.count, sizeof *l.groups, lifetimes_order);
        jsonw_kstr(w, "by", q->by);
        jsonw_key(w, "groups");
        jsonw_array(w);
        for (i = 0; i < l.count; i++)
            if (*l.groups[i].key || !strcmp(q->by, "part") || l.groups[i].failures)
                lifetimes_group_write(&l, &l.groups[i], w);
        jsonw_end_array(w);
    }
    topo_put(l.topo);
    map_free(l.index, NULL);
    free(l.groups);
    return rc;
}

/* --- hazard ----------------------------------------------------------------------------------- */

struct lifetimes_node {
    topo_id id;
    size_t failures;
    double weight;
    int64_t last_ms;
};
struct lifetimes_nodes {
    struct topo *topo;
    struct lifetimes_node *at; /* by topo_id */
    int64_t now_ms, first_ms;
};

static topo_id
lifetimes_node_of(const struct topo *t, topo_id id)
{
    if (id == TOPO_NONE || topo_kind(t, id) == ENTITY_NODE)
        return id;
    topo_id nic = topo_kind(t, id) == ENTITY_OPTIC ? topo_neighbour(t, id, ENTITY_NIC) : TOPO_NONE;
    return topo_neighbour(t, nic == TOPO_NONE ? id : nic, ENTITY_NODE);
}

static int
lifetimes_node_incident(void *ctx, const struct catalog_doc *c)
{
    struct lifetimes_nodes *l = ctx;
    struct doc *d = NULL;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    topo_id node = lifetimes_node_of(l->topo, lifetimes_failed(l->topo, doc_root(d)));
    if (node != TOPO_NONE) {
        struct lifetimes_node *n = &l->at[node];
        n->failures++;
        n->weight += exp2(-(double)(l->now_ms - c->time_ms) / LIFETIMES_HALF_MS);
        n->last_ms = c->time_ms > n->last_ms ? c->time_ms : n->last_ms;
    }
    l->first_ms = c->time_ms < l->first_ms ? c->time_ms : l->first_ms;
    doc_free(d);
    return 0;
}

static int
lifetimes_node_order(const void *a, const void *b)
{
    const struct lifetimes_node *x = a, *y = b;
    return x->weight > y->weight   ? -1
           : x->weight < y->weight ? 1
           : x->id < y->id         ? -1
                                   : x->id > y->id;
}

static void
lifetimes_hazard_write(struct lifetimes_nodes *l, size_t count, size_t limit, struct jsonw *w)
{
    double days = (double)(l->now_ms - l->first_ms) / 86400000, all = 0;
    /* the integral of the same weight over the time that was watched */
    double exposure =
        LIFETIMES_HALF_MS / 86400000 / log(2) * (1 - exp2(-days * 86400000 / LIFETIMES_HALF_MS));
    for (size_t i = 0; i < count; i++)
        all += l->at[i].weight;
    double fleet = count && exposure > 0 ? all / ((double)count * exposure) : 0;
    for (size_t i = 0; i < count && i < limit && l->at[i].failures; i++) {
        double rate = lifetimes_rate(l->at[i].weight, exposure, fleet);
        jsonw_object(w);
        jsonw_kstr(w, "entity", topo_name(l->topo, l->at[i].id));
        jsonw_kint(w, "failures", (int64_t)l->at[i].failures);
        jsonw_kreal(w, "weight", l->at[i].weight);
        jsonw_kreal(w, "rate_per_day", rate);
        jsonw_kreal(w, "fleet_rate_per_day", fleet);
        jsonw_kreal(w, "risk_7d", 1 - exp(-rate * LIFETIMES_WEEK));
        jsonw_ktime(w, "last", l->at[i].last_ms);
        jsonw_end_object(w);
    }
}

int
lifetimes_hazard(struct store *s, int64_t now_ms, size_t limit, struct jsonw *w, struct err *err)
{
    struct lifetimes_nodes l = {
        .topo = topo_get(s), .now_ms = now_ms, .first_ms = now_ms - 86400000};
    struct catalog_query q = {.kind = "incident",
                              .from_ms =
                                  now_ms > LIFETIMES_PAST_MS ? now_ms - LIFETIMES_PAST_MS : 1,
                              .to_ms = now_ms + 1};
    size_t n, count = 0;
    int rc = 0;
    l.at = calloc(topo_count(l.topo) + 1, sizeof *l.at);
    if (!l.at)
        rc = err_set(err, ERR_NOMEM, "no memory");
    if (!rc)
        rc = lifetimes_pages(s, q, lifetimes_node_incident, &l, err);
    const topo_id *ids = topo_of_kind(l.topo, ENTITY_NODE, &n);
    if (!rc) {
        struct lifetimes_node *nodes = calloc(n + 1, sizeof *nodes);
        for (size_t i = 0; nodes && i < n; i++, count++) {
            nodes[i] = l.at[ids[i]];
            nodes[i].id = ids[i];
        }
        free(l.at);
        l.at = nodes;
        if (count)
            qsort(nodes, count, sizeof *nodes, lifetimes_node_order);
        if (nodes)
            lifetimes_hazard_write(&l, count, limit, w);
    }
    topo_put(l.topo);
    free(l.at);
    return rc;
}
