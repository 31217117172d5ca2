/* agents: one row a node that has an agent: its inventory document (catalog kind "agent", id the
 * node, {version, ...}) and the newest of its own series (myriascope_agent_*), which say how it
 * fares.
 *
 * Online: heard of within 45 s (three intervals); late: within five minutes; lost: longer. 2,304
 * agents are read in one pass. */
#include "web/agents.h"

#include "base/map.h"
#include "base/str.h"
#include "web/resources.h"
#include "web/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS_MAX       100000
#define AGENTS_ONLINE_MS 45000
#define AGENTS_LATE_MS   300000

enum agent_value { AGENT_LAG, AGENT_SPOOLED, AGENT_DROPPED, AGENT_CPU, AGENT_MEMORY, AGENT_VALUES };

/* Names of an agent's own series, the value they give, and what makes it the API's unit. */
static const struct {
    const char *name;
    enum agent_value value;
    double scale;
} agent_series[] = {
    {"myriascope_agent_lag_seconds", AGENT_LAG, 1000},
    {"myriascope_agent_spooled_batches", AGENT_SPOOLED, 1},
    {"myriascope_agent_spool_batches", AGENT_SPOOLED, 1},
    {"myriascope_agent_dropped_total", AGENT_DROPPED, 1},
    {"myriascope_agent_cpu_percent", AGENT_CPU, 1},
    {"myriascope_agent_cpu_ratio", AGENT_CPU, 100},
    {"myriascope_agent_resident_bytes", AGENT_MEMORY, 1},
    {"myriascope_agent_memory_bytes", AGENT_MEMORY, 1},
    {"myriascope_agent_resident_memory_bytes", AGENT_MEMORY, 1},
};

struct agent {
    char node[64], version[64];
    int64_t seen_ms;
    double value[AGENT_VALUES];
    const char *problems; /* JSON array, in the arena */
};

struct agents {
    struct arena *arena;
    struct map *by_node;
    struct agent **rows;
    size_t count, cap;
};

static struct agent *
agents_row(struct agents *a, const char *node, size_t len)
{
    struct agent *row = map_get(a->by_node, node, len);
    if (row || !len || len >= sizeof row->node || a->count == AGENTS_MAX)
        return row;
    if (a->count == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 256;
        struct agent **rows = realloc(a->rows, cap * sizeof(struct agent *));
        if (!rows)
            return NULL;
        a->rows = rows;
        a->cap = cap;
    }
    row = arena_alloc(a->arena, sizeof *row);
    if (!row || map_set(a->by_node, node, len, row, NULL))
        return NULL;
    memcpy(row->node, node, len);
    for (int i = 0; i < AGENT_VALUES; i++)
        row->value[i] = NAN;
    row->problems = "[]";
    return a->rows[a->count++] = row;
}

static int
agents_document(void *ctx, const struct catalog_doc *c)
{
    struct agents *a = ctx;
    struct doc *d = NULL;
    struct agent *row = agents_row(a, c->id, strlen(c->id));
    int64_t seen = 0;
    if (!row || doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *problems = doc_get(n, "problems");
    str_copy(row->version, sizeof row->version, doc_get_str(n, "version", ""));
    if (time_parse(doc_get_str(n, "last_seen", ""), &seen))
        seen = c->updated_ms;
    row->seen_ms = seen > row->seen_ms ? seen : row->seen_ms;
    if (problems && problems->kind == DOC_SEQ) {
        struct buf out;
        struct jsonw w;
        buf_init(&out, 65536);
        jsonw_init(&w, &out);
        web_copy_node(&w, problems);
        const char *copy = out.failed ? NULL : arena_str(a->arena, buf_str(&out), out.len);
        row->problems = copy ? copy : "[]";
        buf_done(&out);
    }
    doc_free(d);
    return 0;
}

static void
agents_sample(struct agents *a, const struct series_row *r)
{
    char node[64], name[128];
    if (!r->count || (!labels_copy(r->labels, "node", node, sizeof node) &&
                      !labels_copy(r->labels, "instance", node, sizeof node)))
        return;
    struct agent *row = agents_row(a, node, strcspn(node, ":"));
    if (!row || !labels_copy(r->labels, "__name__", name, sizeof name))
        return;
    const struct sample *s = &r->samples[r->count - 1];
    row->seen_ms = s->t_ms > row->seen_ms ? s->t_ms : row->seen_ms;
    if (!strcmp(name, "myriascope_agent_build_info") || !strcmp(name, "myriascope_agent_info"))
        labels_copy(r->labels, "version", row->version, sizeof row->version);
    for (size_t i = 0; i < sizeof agent_series / sizeof *agent_series; i++)
        if (!strcmp(name, agent_series[i].name)) {
            double v = s->v * agent_series[i].scale, *have = &row->value[agent_series[i].value];
            *have = isnan(*have) || agent_series[i].value != AGENT_DROPPED ? v : *have + v;
        }
}

static int
agents_order(const void *x, const void *y)
{
    return strcmp((*(struct agent *const *)x)->node, (*(struct agent *const *)y)->node);
}

static void
agents_done(struct agents *a)
{
    free(a->rows);
    map_free(a->by_node, NULL);
    arena_free(a->arena);
}

static int
agents_read(struct web *web, int64_t at_ms, struct agents *a, struct err *err)
{
    struct catalog_query q = {
        .kind = "agent", .limit = AGENTS_MAX, .by_id = true, .ascending = true};
    struct matcher m = {MATCH_RE, "__name__", "myriascope_agent_.+"};
    struct series_set set;
    *a = (struct agents){.arena = arena_new((size_t)128 << 20), .by_node = map_new(AGENTS_MAX)};
    int rc = a->arena && a->by_node ? 0 : err_set(err, ERR_NOMEM, "no memory for the agents");
    if (!rc && (rc = catalog_list(web->cfg.store, &q, agents_document, a, NULL, err)) > 0)
        rc = 0;
    /* A day back: an agent that is lost is still told until then. */
    if (!rc && !(rc = store_latest(web->cfg.store, &m, 1, at_ms, 86400000, NULL, &set, err))) {
        for (size_t i = 0; i < set.count; i++)
            agents_sample(a, &set.rows[i]);
        series_set_done(&set);
    }
    if (rc)
        agents_done(a);
    else if (a->count)
        qsort(a->rows, a->count, sizeof *a->rows, agents_order);
    return rc;
}

static enum agent_state
agents_state(const struct agent *a, int64_t at_ms)
{
    int64_t age = at_ms - a->seen_ms;
    return age < AGENTS_ONLINE_MS ? AGENT_ONLINE : age < AGENTS_LATE_MS ? AGENT_LATE : AGENT_LOST;
}

static const char *const agent_words[AGENT_STATES] = {"online", "late", "lost"};

static bool
agents_seen_by(struct view *v, const char *tenant, const struct agent *a)
{
    char entity[ENTITY_SIZE];
    return !*tenant || (v && !entity_format(entity, ENTITY_NODE, a->node, NULL) &&
                        view_sees(v, tenant, topo_find(v->topo, entity)));
}

int
agents_count(struct web *web, const char *tenant, int64_t at_ms, struct agent_counts *ret,
             struct err *err)
{
    struct agents a;
    struct view *v = NULL;
    struct agent_counts c = {0};
    int rc = *tenant ? view_get(web->views, 0, &v, err) : 0;
    if (!rc)
        rc = agents_read(web, at_ms, &a, err);
    if (!rc) {
        for (size_t i = 0; i < a.count; i++)
            if (agents_seen_by(v, tenant, a.rows[i]))
                c.of[agents_state(a.rows[i], at_ms)]++;
        agents_done(&a);
        *ret = c;
    }
    view_put(v);
    return rc;
}

static void
agents_write(struct jsonw *w, const struct agent *a, int64_t now_ms)
{
    static const struct {
        const char *key;
        enum agent_value value;
        bool null;
    } numbers[] = {{"lag_ms", AGENT_LAG, false},
                   {"spooled", AGENT_SPOOLED, false},
                   {"dropped", AGENT_DROPPED, false},
                   {"cpu_percent", AGENT_CPU, true},
                   {"memory_bytes", AGENT_MEMORY, true}};
    jsonw_object(w);
    jsonw_kstr(w, "node", a->node);
    jsonw_kstr(w, "version", a->version);
    jsonw_kstr(w, "state", agent_words[agents_state(a, now_ms)]);
    jsonw_ktime(w, "last_seen", a->seen_ms);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double v = a->value[numbers[i].value];
        jsonw_kreal(w, numbers[i].key, isnan(v) && !numbers[i].null ? 0 : v);
    }
    jsonw_key(w, "problems");
    jsonw_raw(w, a->problems, strlen(a->problems));
    jsonw_end_object(w);
}

static bool
agents_wanted(const struct agent *a, const char *q, const char *states, int64_t now_ms)
{
    const char *word = agent_words[agents_state(a, now_ms)], *p = states, *field;
    size_t len;
    if (q && *q && !strstr(a->node, q) && !strstr(a->version, q))
        return false;
    if (!states || !*states)
        return true;
    while ((field = str_field(&p, ",", &len)))
        if (len == strlen(word) && !memcmp(field, word, len))
            return true;
    return false;
}

static int
agents_list(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct web *web = ctx;
    struct err err = {0};
    struct agents a;
    struct view *v = NULL;
    struct jsonw w;
    size_t limit, shown = 0;
    int64_t now = web_now(web);
    const char *from = httpd_query(req, "cursor"), *next = NULL;
    int rc = web_limit(req, &limit, &err);
    if (!rc && *req->who.tenant)
        rc = view_get(web->views, 0, &v, &err);
    if (!rc)
        rc = agents_read(web, now, &a, &err);
    if (rc) {
        view_put(v);
        return web_fail(resp, rc, &err);
    }
    web_list_begin(&w, resp);
    for (size_t i = 0; i < a.count && !next; i++) {
        if ((from && *from && strcmp(a.rows[i]->node, from) <= 0) ||
            !agents_seen_by(v, req->who.tenant, a.rows[i]) ||
            !agents_wanted(a.rows[i], httpd_query(req, "q"), httpd_query(req, "state"), now))
            continue;
        agents_write(&w, a.rows[i], now);
        next = ++shown == limit && i + 1 < a.count ? a.rows[i]->node : NULL;
    }
    web_list_end(&w, next);
    agents_done(&a);
    view_put(v);
    return 0;
}

const struct route agents_routes[] = {
    {"GET", "/api/v1/agents", ROLE_VIEWER, agents_list,
     .query = "q=part of a node's name; state=online, late, lost; limit=; cursor=",
     .help = "Node agents: version, when last heard of, what they spool, drop and cost."},
};
const size_t agents_route_count = sizeof agents_routes / sizeof *agents_routes;
