/* health: of every entity: what open incidents say of it, else whether telemetry of it is there.
 *
 * Only an incident's first hypothesis colours an entity; its victims keep their own health. An
 * entity without telemetry is unknown, unless it is of a kind that has none (racks, links, jobs:
 * theirs is the worst of what they consist of). */
#include "analyzer/path.h"

#include "analyzer/kpi.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/map.h"
#include "store/catalog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEALTH_INCIDENTS 1000
#define HEALTH_ISSUES    8

struct health_issue {
    const char *id[HEALTH_ISSUES + 1];
    size_t count;
};

struct health_map {
    struct topo *topo;
    uint8_t *at;
    int64_t *seen;
    struct map *issues; /* topo_id -> struct health_issue */
    struct arena *arena;
    int64_t at_ms;
};

const char *
health_word(enum health h)
{
    static const char *const words[] = {"unknown", "ok", "minor", "major", "critical"};
    return words[h];
}

static enum health
health_of_severity(const char *word)
{
    return !strcmp(word, "critical")  ? HEALTH_CRITICAL
           : !strcmp(word, "warning") ? HEALTH_MAJOR
                                      : HEALTH_MINOR;
}

static void
health_set(struct health_map *m, topo_id id, enum health h)
{
    if (id != TOPO_NONE && h > m->at[id])
        m->at[id] = (uint8_t)h;
}

static void
health_issue(struct health_map *m, topo_id id, const char *incident)
{
    struct health_issue *i = map_get(m->issues, &id, sizeof id);
    if (!i && (i = arena_alloc(m->arena, sizeof *i)) && map_set(m->issues, &id, sizeof id, i, NULL))
        return;
    if (i && i->count < HEALTH_ISSUES)
        i->id[i->count++] = incident;
}

static void
health_entity(struct health_map *m, const char *entity, enum health h, const char *incident)
{
    topo_id id = topo_find(m->topo, entity);
    if (id == TOPO_NONE)
        return;
    health_set(m, id, h);
    health_issue(m, id, incident);
}

static int
health_incident(void *ctx, const struct catalog_doc *c)
{
    struct health_map *m = ctx;
    struct doc *d = NULL;
    int64_t resolved = 0;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *jobs = doc_get(n, "jobs");
    const char *end = doc_get_str(n, "resolved", NULL),
               *id = arena_str(m->arena, c->id, strlen(c->id));
    enum health h = health_of_severity(doc_get_str(n, "severity", "info"));
    char job[ENTITY_SIZE];
    bool open = !end || (!time_parse(end, &resolved) && resolved > m->at_ms);
    if (open && id && c->time_ms <= m->at_ms) {
        health_entity(m, doc_get_str(n, "entity", ""), h, id);
        for (const struct doc_node *j = jobs ? jobs->first : NULL; j; j = j->next)
            if (!entity_format(job, ENTITY_JOB, doc_str(j, ""), NULL))
                health_entity(m, job, h, id);
    }
    doc_free(d);
    return 0;
}

/* Meanings whose presence shows that an entity reports. */
static const enum metric_meaning health_signs[] = {
    METRIC_GPU_UTIL,   METRIC_GPU_TEMP,           METRIC_GPU_POWER,     METRIC_GPU_HEALTH,
    METRIC_NODE_LOAD1, METRIC_NODE_MEM_AVAILABLE, METRIC_NIC_STATE,     METRIC_NIC_RX_BYTES,
    METRIC_PORT_OPER,  METRIC_PORT_RX_BYTES,      METRIC_SWITCH_UPTIME, METRIC_OPTIC_RX_POWER,
    METRIC_OPTIC_TEMP, METRIC_RACK_POWER,         METRIC_PDU_POWER,     METRIC_PDU_FEED,
    METRIC_CDU_FLOW,   METRIC_CDU_SUPPLY};

static int
health_presence(struct health_map *m, struct store *s, const struct metric_table *metrics,
                struct kpi_places *places, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof health_signs / sizeof *health_signs; i++) {
        struct kpi k;
        rc = kpi_read_with(s, metrics, m->topo, places, health_signs[i], KPI_LAST, m->at_ms, &k,
                           err);
        for (topo_id id = 0; !rc && id < k.count; id++)
            if (!isnan(k.at[id])) {
                health_set(m, id, HEALTH_OK);
                m->seen[id] = k.t_ms[id] > m->seen[id] ? k.t_ms[id] : m->seen[id];
            }
        if (!rc)
            kpi_done(&k);
    }
    return rc;
}

/* What has no telemetry of its own takes it from what it consists of or hangs on. */
static void
health_derive(struct health_map *m)
{
    static const struct {
        enum entity_kind of, from;
        bool worst;
    } rules[] = {{ENTITY_NODE, ENTITY_GPU, false},     {ENTITY_NODE, ENTITY_NIC, false},
                 {ENTITY_SWITCH, ENTITY_PORT, false},  {ENTITY_OPTIC, ENTITY_PORT, false},
                 {ENTITY_OPTIC, ENTITY_NIC, false},    {ENTITY_LINK, ENTITY_PORT, true},
                 {ENTITY_LINK, ENTITY_NIC, true},      {ENTITY_RACK, ENTITY_NODE, false},
                 {ENTITY_STORAGE, ENTITY_NODE, false}, {ENTITY_CLUSTER, ENTITY_NODE, false},
                 {ENTITY_JOB, ENTITY_NODE, false}};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        size_t n, edges;
        const topo_id *ids = topo_of_kind(m->topo, rules[r].of, &n);
        for (size_t i = 0; i < n; i++) {
            const struct topo_edge *e = topo_edges(m->topo, ids[i], &edges);
            for (size_t k = 0; k < edges; k++)
                if (topo_kind(m->topo, e[k].to) == rules[r].from && m->at[e[k].to]) {
                    health_set(m, ids[i], rules[r].worst ? (enum health)m->at[e[k].to] : HEALTH_OK);
                    m->seen[ids[i]] =
                        m->seen[e[k].to] > m->seen[ids[i]] ? m->seen[e[k].to] : m->seen[ids[i]];
                }
        }
    }
}

int
health_map_new(struct store *s, const struct metric_table *metrics, struct topo *t, int64_t at_ms,
               struct health_map **ret, struct err *err)
{
    return health_map_new_with(s, metrics, t, NULL, at_ms, ret, err);
}

int
health_map_new_with(struct store *s, const struct metric_table *metrics, struct topo *t,
                    struct kpi_places *places, int64_t at_ms, struct health_map **ret,
                    struct err *err)
{
    struct health_map *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(err, ERR_NOMEM, "no memory");
    m->topo = topo_ref(t);
    m->at_ms = at_ms;
    m->at = calloc(topo_count(t) + 1, 1);
    m->seen = calloc(topo_count(t) + 1, sizeof *m->seen);
    m->issues = map_new(HEALTH_INCIDENTS * 65);
    m->arena = arena_new((size_t)64 << 20);
    int rc = m->at && m->seen && m->issues && m->arena ? 0 : err_set(err, ERR_NOMEM, "no memory");
    struct catalog_query open = {
        .kind = "incident", .state = "open|acknowledged", .limit = HEALTH_INCIDENTS};
    struct catalog_query past = {.kind = "incident",
                                 .from_ms = at_ms - 30 * (int64_t)86400000,
                                 .to_ms = at_ms + 1,
                                 .limit = HEALTH_INCIDENTS};
    bool now = clock_now_ms(store_clock(s)) - at_ms < 60000;
    if (!rc && (rc = catalog_list(s, now ? &open : &past, health_incident, m, NULL, err)) > 0)
        rc = 0;
    if (!rc && metrics)
        rc = health_presence(m, s, metrics, places, err);
    if (rc) {
        health_map_free(m);
        return rc;
    }
    if (metrics)
        health_derive(m);
    *ret = m;
    return 0;
}

void
health_map_free(struct health_map *m)
{
    if (!m)
        return;
    topo_put(m->topo);
    free(m->at);
    free(m->seen);
    map_free(m->issues, NULL);
    arena_free(m->arena);
    free(m);
}

enum health
health_of(const struct health_map *m, topo_id id)
{
    return id == TOPO_NONE ? HEALTH_UNKNOWN : (enum health)m->at[id];
}

int64_t
health_seen(const struct health_map *m, topo_id id)
{
    return id == TOPO_NONE ? 0 : m->seen[id];
}

size_t
health_issues(const struct health_map *m, topo_id id, const char *const **ret)
{
    static const char *const none[] = {NULL};
    const struct health_issue *i = map_get(m->issues, &id, sizeof id);
    *ret = i ? i->id : none;
    return i ? i->count : 0;
}
