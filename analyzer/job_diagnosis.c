/* job_diagnosis: asked for by people, some times a day; reads at most JOB_DIAGNOSIS_EVENTS events
 * around the job's end. */
#include "analyzer/job_diagnosis.h"

#include "analyzer/diagnosis.h"
#include "analyzer/incident_doc.h"
#include "analyzer/reason.h"
#include "analyzer/world.h"
#include "base/clock.h"
#include "base/map.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_DIAGNOSIS_EVENTS 20000
#define JOB_DIAGNOSIS_BEFORE_MS                                                                    \
    (INT64_C(30) * 60000) /* a cause is seldom older than this at the end of a job */
#define JOB_DIAGNOSIS_AFTER_MS                                                                     \
    (INT64_C(5) * 60000) /* late reporters: syslog of a dying node, switch counters */
#define JOB_DIAGNOSIS_INCIDENTS 1000

/* --- the incident that names it --------------------------------------------------------------- */

struct job_diagnosis_best {
    const char *job, *tenant;
    int64_t end_ms;
    struct doc *doc; /* the best so far */
    double confidence;
};

static bool
job_diagnosis_names(const struct doc_node *incident, const char *job)
{
    const struct doc_node *jobs = doc_get(incident, "jobs");
    for (const struct doc_node *n = jobs ? jobs->first : NULL; n; n = n->next)
        if (!strcmp(doc_str(n, ""), job))
            return true;
    return false;
}

/* Rows come newest first: a later one wins only by being surer. */
static int
job_diagnosis_incident_cb(void *ctx, const struct catalog_doc *d)
{
    struct job_diagnosis_best *b = ctx;
    struct doc *doc = NULL;
    int64_t resolved = 0;
    if (!memmem(d->json, d->json_len, b->job, strlen(b->job)) ||
        doc_parse_json(d->json, d->json_len, "incident", &doc, NULL))
        return 0;
    const struct doc_node *n = doc_root(doc);
    const char *end = doc_get_str(n, "resolved", "");
    double confidence = doc_get_real(n, "confidence", 0);
    bool over =
        *end && !time_parse(end, &resolved) && resolved < b->end_ms - JOB_DIAGNOSIS_BEFORE_MS;
    if (job_diagnosis_names(n, b->job) && !over && (!b->doc || confidence > b->confidence)) {
        doc_free(b->doc);
        b->doc = doc;
        b->confidence = confidence;
        return 0;
    }
    doc_free(doc);
    return 0;
}

static void
job_diagnosis_write_incident(const struct doc_node *n, const char *job, struct buf *out)
{
    static const char *const members[] = {"verdict", "confidence", "hypotheses", "victims",
                                          "window"};
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "job", job);
    jsonw_kstr(&w, "incident", doc_get_str(n, "id", NULL));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct doc_node *m = doc_get(n, members[i]);
        jsonw_key(&w, members[i]);
        if (m)
            incident_doc_copy(m, &w);
        else
            jsonw_null(&w);
    }
    jsonw_end_object(&w);
}

/* --- what the job stands on ------------------------------------------------------------------- */

#define JOB_DIAGNOSIS_NEAR 8 /* relations from a node to the farthest thing that counts */

struct job_diagnosis_near {
    const struct topo *t;
    uint8_t *depth; /* of each entity, 0: not near */
    topo_id *queue;
    size_t head, tail;
};

/* Kinds that many share: they are near, what lies behind them is not. */
static bool
job_diagnosis_ends(enum entity_kind k)
{
    return k == ENTITY_CLUSTER || k == ENTITY_SWITCH || k == ENTITY_STORAGE || k == ENTITY_RACK ||
           k == ENTITY_PDU || k == ENTITY_CDU || k == ENTITY_JOB || k == ENTITY_TENANT ||
           k == ENTITY_SUPERPOD;
}

static void
job_diagnosis_reach(struct job_diagnosis_near *n, topo_id id, unsigned depth)
{
    if (n->depth[id])
        return;
    n->depth[id] = (uint8_t)depth;
    n->queue[n->tail++] = id;
}

static void
job_diagnosis_spread(struct job_diagnosis_near *n)
{
    while (n->head < n->tail) {
        topo_id id = n->queue[n->head++];
        size_t count;
        const struct topo_edge *e = topo_edges(n->t, id, &count);
        if (job_diagnosis_ends(topo_kind(n->t, id)) || n->depth[id] >= JOB_DIAGNOSIS_NEAR)
            continue;
        for (size_t i = 0; i < count; i++) {
            enum entity_kind k = topo_kind(n->t, e[i].to);
            if (k != ENTITY_NODE && k != ENTITY_JOB && k != ENTITY_CLUSTER && k != ENTITY_TENANT)
                job_diagnosis_reach(n, e[i].to, n->depth[id] + 1u);
        }
    }
}

static int
job_diagnosis_near_init(struct job_diagnosis_near *n, const struct topo *t, const char *job)
{
    const struct topo_job *j = topo_job_find(t, job);
    size_t count = topo_count(t) + 1;
    *n = (struct job_diagnosis_near){
        .t = t, .depth = calloc(count, 1), .queue = calloc(count, sizeof *n->queue)};
    if (!n->depth || !n->queue)
        return ERR_NOMEM;
    for (size_t i = 0; j && i < j->node_count; i++)
        job_diagnosis_reach(n, j->nodes[i], 1);
    job_diagnosis_spread(n);
    return 0;
}

static bool
job_diagnosis_is_near(const struct job_diagnosis_near *n, const char *entity, const char *node)
{
    char name[ENTITY_SIZE];
    topo_id id = topo_find(n->t, entity);
    if (id == TOPO_NONE && *node && !entity_format(name, ENTITY_NODE, node, NULL))
        id = topo_find(n->t, name);
    return id != TOPO_NONE && n->depth[id];
}

/* --- reasoned from events --------------------------------------------------------------------- */

struct job_diagnosis_events {
    const struct kb *kb;
    const char *job;
    struct job_diagnosis_near near;
    struct arena *arena;
    struct map *index;
    struct symptom *at;
    size_t count;
};

static const char *
job_diagnosis_text(struct job_diagnosis_events *e, const char *s)
{
    const char *copy = arena_str(e->arena, s ? s : "", s ? strlen(s) : 0);
    return copy ? copy : "";
}

/* Newest first: the first time goes back with each row, the last stays. */
static int
job_diagnosis_event_cb(void *ctx, const struct event *ev, uint64_t id)
{
    struct job_diagnosis_events *e = ctx;
    const struct kb_entry *entry = kb_find_code(e->kb, ev->code);
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    (void)id;
    if (!entry || ev->phase == EVENT_END || e->count == JOB_DIAGNOSIS_EVENTS)
        return 0;
    if (strcmp(ev->job, e->job) && !job_diagnosis_is_near(&e->near, ev->entity, ev->node))
        return 0;
    int n = snprintf(key, sizeof key, "%s\n%s", ev->code, ev->entity);
    struct symptom *s = n > 0 && (size_t)n < sizeof key ? map_get(e->index, key, (size_t)n) : NULL;
    if (!s) {
        s = &e->at[e->count];
        *s = (struct symptom){.entity = job_diagnosis_text(e, ev->entity),
                              .entry = entry,
                              .last_ms = ev->time_ms,
                              .source = job_diagnosis_text(e, ev->source),
                              .node = job_diagnosis_text(e, ev->node),
                              .job = job_diagnosis_text(e, ev->job)};
        int rc = map_set(e->index, key, (size_t)n, s, NULL);
        if (rc)
            return rc;
        e->count++;
    }
    s->first_ms = ev->time_ms;
    s->text = job_diagnosis_text(e, ev->text);
    s->count++;
    return 0;
}

static int
job_diagnosis_read(struct store *s, const struct job *j, int64_t end_ms,
                   struct job_diagnosis_events *e, struct err *err)
{
    struct event_query q = {.from_ms = end_ms - JOB_DIAGNOSIS_BEFORE_MS,
                            .to_ms = end_ms + JOB_DIAGNOSIS_AFTER_MS,
                            .limit = JOB_DIAGNOSIS_EVENTS};
    if (j->start_ms && j->start_ms - 60000 > q.from_ms)
        q.from_ms = j->start_ms - 60000;
    e->arena = arena_new((size_t)128 << 20);
    e->index = map_new(JOB_DIAGNOSIS_EVENTS);
    e->at = calloc(JOB_DIAGNOSIS_EVENTS, sizeof *e->at);
    if (!e->arena || !e->index || !e->at)
        return err_set(err, ERR_NOMEM, "no memory for the job's events");
    int rc = store_events(s, &q, job_diagnosis_event_cb, e, err);
    return rc < 0 ? rc : 0;
}

static void
job_diagnosis_write(const struct diagnosis *d, const char *job, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "job", job);
    jsonw_key(&w, "incident");
    jsonw_null(&w);
    diagnosis_members(d, &w);
    jsonw_end_object(&w);
}

static int
job_diagnosis_reason(struct store *s, const struct kb *kb, const struct job *j, int64_t end_ms,
                     struct buf *out, struct err *err)
{
    struct job_diagnosis_events e = {.kb = kb, .job = j->id};
    struct diagnosis *d = NULL;
    char focus[ENTITY_SIZE];
    struct topo *t = topo_at(s, end_ms - 1000, NULL); /* while it still ran */
    if (!t)
        t = topo_get(s);
    struct world_topo wt = {.topo = t, .now_ms = end_ms};
    struct world world = world_of_topo(&wt);
    int rc = entity_format(focus, ENTITY_JOB, j->id, NULL);
    if (!rc && (rc = job_diagnosis_near_init(&e.near, t, j->id)))
        err_set(err, rc, "%s", err_text(rc));
    if (!rc)
        rc = job_diagnosis_read(s, j, end_ms, &e, err);
    struct reason_options o = {.now_ms = end_ms + JOB_DIAGNOSIS_AFTER_MS, .focus = focus};
    if (!rc && (rc = reason_one(kb, &world, e.at, e.count, &o, &d)))
        err_set(err, rc, "%s", err_text(rc));
    if (!rc)
        job_diagnosis_write(d, j->id, out);
    diagnosis_free(d);
    free(e.near.depth);
    free(e.near.queue);
    free(e.at);
    map_free(e.index, NULL);
    arena_free(e.arena);
    topo_put(t);
    return rc;
}

int
job_diagnosis(struct store *s, const struct kb *kb, const char *job, const char *tenant,
              int64_t now_ms, struct buf *out, struct err *err)
{
    struct job j;
    int rc = job_get(s, job, &j, err);
    if (rc)
        return rc;
    if (tenant && *tenant && strcmp(j.tenant ? j.tenant : "", tenant)) {
        job_done(&j);
        return err_set(err, ERR_NOTFOUND, "there is no job %s", job);
    }
    struct job_diagnosis_best best = {.job = job, .end_ms = j.end_ms ? j.end_ms : now_ms};
    struct catalog_query q = {.kind = "incident",
                              .to_ms = best.end_ms + JOB_DIAGNOSIS_AFTER_MS,
                              .from_ms = 1,
                              .limit = JOB_DIAGNOSIS_INCIDENTS};
    catalog_list(s, &q, job_diagnosis_incident_cb, &best, NULL, NULL);
    if (best.doc)
        job_diagnosis_write_incident(doc_root(best.doc), job, out);
    else
        rc = job_diagnosis_reason(s, kb, &j, best.end_ms, out, err);
    doc_free(best.doc);
    job_done(&j);
    return rc;
}
