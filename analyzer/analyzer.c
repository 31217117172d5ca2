/* analyzer: the thread and its turn: take what the store took in, match lines, keep the table of
 * symptoms, run detectors, judge. Events made here (matched lines, findings, failed jobs) go to the
 * store first and come back through its feed, so that what is judged is what is kept. */
#include "analyzer/analyzer.h"

#include "analyzer/detect.h"
#include "analyzer/intake.h"
#include "analyzer/judge.h"
#include "analyzer/presence.h"
#include "analyzer/rules.h"
#include "analyzer/symptoms.h"
#include "base/map.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANALYZER_WAIT_MS 1000
#define ANALYZER_REPLAY_MS                                                                         \
    1800000 /* events read back at start: longer than any clearing delay that matters */
#define ANALYZER_MATCHES 8

struct analyzer {
    struct analyzer_config cfg;
    struct intake *intake;
    struct symptoms *symptoms;
    struct judge *judge;
    struct detectors *detectors;
    struct rules *rules;
    struct presence *presence;
    struct kb_scratch *scratch;
    struct topo *topo;         /* of this turn */
    struct store_batch *out;   /* events made this turn */
    struct map *made, *lately; /* "code\nentity" of what began in `out`, and in the batch before,
                                  which may not have come back yet */
    size_t out_count;
    bool dirty;
    int64_t judged_ms;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    _Atomic uint64_t turns, lines, matched, events, incidents_written, errors;
};

/* --- events made here ---------------------------------------------------------------------------
 */

#define ANALYZER_MADE 20000 /* beyond, an end in the same turn as its begin is not noticed */

static size_t
analyzer_key(char out[EVENT_CODE_MAX + ENTITY_SIZE + 2], const char *code, const char *entity)
{
    int n = snprintf(out, EVENT_CODE_MAX + ENTITY_SIZE + 2, "%s\n%s", code, entity);
    return n < 0 ? 0 : strlen(out);
}

static void
analyzer_emit(void *ctx, const struct event *ev)
{
    struct analyzer *a = ctx;
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    if (!a->out)
        a->out = store_batch_new(a->cfg.store);
    if (a->out && !store_batch_event(a->out, ev))
        a->out_count++;
    if (!a->made)
        a->made = map_new(ANALYZER_MADE);
    if (a->made && ev->phase != EVENT_END)
        map_set(a->made, key, analyzer_key(key, ev->code, ev->entity), a, NULL);
}

/* Is there something that a clearing line would end? A link that blinks says both in one burst,
 * before its begin has come back as a symptom. */
static bool
analyzer_open(const struct analyzer *a, const char *code, const char *entity)
{
    char key[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    size_t n = analyzer_key(key, code, entity);
    return symptoms_find(a->symptoms, code, entity) || (a->made && map_get(a->made, key, n)) ||
           (a->lately && map_get(a->lately, key, n));
}

static void
analyzer_flush(struct analyzer *a)
{
    struct err err;
    struct store_batch *b = a->out;
    if (!b)
        return;
    a->out = NULL;
    a->out_count = 0;
    map_free(a->lately, NULL);
    a->lately = a->made;
    a->made = NULL;
    if (store_commit(a->cfg.store, b, NULL, &err)) {
        atomic_fetch_add(&a->errors, 1);
        log_write(a->cfg.log, LOG_LEVEL_ERROR, "analyzer: findings could not be stored: %s",
                  err.text);
    }
}

/* The job that a node runs, when it runs one. */
static const char *
analyzer_job_of(const struct topo *t, const char *node, const char **ret_tenant)
{
    char name[ENTITY_SIZE];
    topo_id id = entity_format(name, ENTITY_NODE, node, NULL) ? TOPO_NONE : topo_find(t, name);
    if (id != TOPO_NONE)
        id = topo_neighbour(t, id, ENTITY_JOB);
    if (id == TOPO_NONE)
        return "";
    const struct topo_job *j = topo_job_find(t, topo_name(t, id) + 4);
    if (j && j->tenant)
        *ret_tenant = j->tenant;
    return topo_name(t, id) + 4;
}

/* The adapter of a node that has the network device. */
static topo_id
analyzer_netdev(const struct topo *t, const char *node, const char *netdev, size_t len)
{
    char name[ENTITY_SIZE];
    size_t n;
    topo_id id = entity_format(name, ENTITY_NODE, node, NULL) ? TOPO_NONE : topo_find(t, name);
    const struct topo_edge *e = id == TOPO_NONE ? NULL : topo_edges(t, id, &n);
    for (size_t i = 0; e && i < n; i++) {
        const char *have =
            topo_kind(t, e[i].to) == ENTITY_NIC ? topo_attr(t, e[i].to, "netdev") : "";
        if (strlen(have) == len && !strncmp(have, netdev, len))
            return e[i].to;
    }
    return TOPO_NONE;
}

/* A GPU or adapter by the PCI address that a line gives; drivers leave the function out: it is 0.
 */
static topo_id
analyzer_pci(const struct topo *t, const struct kb_match *m, const char *node,
             enum entity_kind kind)
{
    struct labels l = {0};
    char pci[32], found[ENTITY_SIZE];
    for (size_t i = 0; i < m->capture_count; i++) {
        const struct kb_capture *c = &m->captures[i];
        if (strcmp(c->name, "pci") || labels_add_str(&l, "node", node))
            continue;
        snprintf(pci, sizeof pci, "%.*s%s", (int)c->len, c->text,
                 memchr(c->text, '.', c->len) ? "" : ".0");
        labels_add_str(&l, "pci_bus_id", pci);
        if (!labels_finish(&l) && !topo_resolve(t, NULL, &l, found) &&
            entity_kind_of(found) == kind)
            return topo_find(t, found);
        return TOPO_NONE;
    }
    return TOPO_NONE;
}

static topo_id
analyzer_rank_gpu(const struct topo *t, const struct log_line *line, const char *job)
{
    char found[ENTITY_SIZE];
    const struct topo_job *j = line->rank >= 0 ? topo_job_find(t, job) : NULL;
    return j && !topo_job_rank_gpu(t, j, (unsigned)line->rank, found) ? topo_find(t, found)
                                                                      : TOPO_NONE;
}

/* What the line calls a part, as the inventory calls it: a GPU by its PCI address or by its rank,
 * an adapter by its network device, a switch that a line's host name was taken for a node. Left as
 * it is when the inventory does not tell. */
static void
analyzer_resolve(const struct topo *t, const struct kb_match *m, const struct log_line *line,
                 const char *job, char entity[ENTITY_SIZE])
{
    struct entity e;
    char found[ENTITY_SIZE];
    bool gpu = !strcmp(m->scope, "gpu"), nic = !strcmp(m->scope, "nic");
    if (entity_parse(entity, &e, NULL) ||
        (topo_find(t, entity) != TOPO_NONE && (!gpu || e.kind == ENTITY_GPU) &&
         (!nic || e.kind == ENTITY_NIC)))
        return;
    topo_id id = gpu                    ? analyzer_pci(t, m, line->node, ENTITY_GPU)
                 : e.kind == ENTITY_NIC ? analyzer_netdev(t, line->node, e.part, e.part_len)
                                        : TOPO_NONE;
    if (id == TOPO_NONE && nic)
        id = analyzer_pci(t, m, line->node, ENTITY_NIC);
    if (id == TOPO_NONE && gpu)
        id = analyzer_rank_gpu(t, line, job);
    if (id == TOPO_NONE && e.kind == ENTITY_NODE &&
        !entity_format(found, ENTITY_SWITCH, line->node, NULL))
        id = topo_find(t, found);
    if (id != TOPO_NONE)
        snprintf(entity, ENTITY_SIZE, "%s", topo_name(t, id));
}

static void
analyzer_match(struct analyzer *a, const struct log_line *line, const struct kb_match *m)
{
    char entity[ENTITY_SIZE];
    const char *tenant = line->tenant, *job = line->job;
    struct buf fields;
    if (!*job && *line->node)
        job = analyzer_job_of(a->topo, line->node, &tenant);
    if (kb_match_entity(m, line->node, job, line->rank, entity, sizeof entity) && !*entity)
        return;
    const struct kb_entry *e = kb_find(a->cfg.kb, m->id);
    analyzer_resolve(a->topo, m, line, job, entity);
    if (e)
        symptom_of_rank(e, job, line->rank, entity);
    if (m->clears && !analyzer_open(a, m->id, entity))
        return; /* ends nothing that is open */
    buf_init(&fields, EVENT_TEXT_MAX);
    kb_match_fields(m, &fields);
    struct event ev = {.time_ms = line->time_ms,
                       .phase = m->clears ? EVENT_END : EVENT_INSTANT,
                       .severity = m->severity,
                       .entity = entity,
                       .code = m->id,
                       .source = *line->source ? line->source : "log",
                       .text = line->text,
                       .node = line->node,
                       .job = job,
                       .tenant = tenant,
                       .fields = buf_str(&fields)};
    analyzer_emit(a, &ev);
    buf_done(&fields);
    atomic_fetch_add(&a->matched, 1);
}

static void
analyzer_line(struct analyzer *a, const struct log_line *line)
{
    struct kb_match m[ANALYZER_MATCHES];
    size_t n = kb_match_line(a->cfg.matcher, a->scratch, line->text, strlen(line->text),
                             *line->source ? line->source : "any", m, ANALYZER_MATCHES);
    n = kb_match_narrow(a->cfg.kb, m, n);
    atomic_fetch_add(&a->lines, 1);
    for (size_t i = 0; i < n; i++)
        analyzer_match(a, line, &m[i]);
}

static void
analyzer_job(struct analyzer *a, const struct intake_item *item, int64_t now_ms)
{
    char entity[ENTITY_SIZE];
    static const char *const running[] = {"job.hang", "job.slow"};
    bool failed =
        item->after == JOB_FAILED || item->after == JOB_NODE_FAIL || item->after == JOB_TIMEOUT;
    if (item->before == item->after || entity_format(entity, ENTITY_JOB, item->event.job, NULL))
        return;
    struct event ev = {.time_ms = item->event.time_ms ? item->event.time_ms : now_ms,
                       .entity = entity,
                       .source = "scheduler",
                       .node = "",
                       .job = item->event.job,
                       .tenant = item->event.tenant,
                       .fields = "",
                       .text = job_state_word(item->after)};
    ev.severity = SEVERITY_WARNING;
    ev.code = "job.failed";
    if (failed)
        analyzer_emit(a, &ev);
    ev.phase = EVENT_END;
    for (size_t i = 0; i < 2 && item->after != JOB_RUNNING; i++) {
        ev.code = running[i];
        if (symptoms_find(a->symptoms, ev.code, entity))
            analyzer_emit(a, &ev);
    }
}

/* --- the turn --------------------------------------------------------------------------------- */

static void
analyzer_items(struct analyzer *a, struct intake_item *list, int64_t now_ms)
{
    for (struct intake_item *i = list; i; i = i->next) {
        if (i->kind == INTAKE_LOG) {
            analyzer_line(a, &i->line);
        } else if (i->kind == INTAKE_JOB) {
            analyzer_job(a, i, now_ms);
        } else {
            atomic_fetch_add(&a->events, 1);
            detectors_event(a->detectors, &i->event);
            if (symptoms_event(a->symptoms, &i->event, i->id) > 0)
                a->dirty = true;
        }
    }
    intake_items_free(list);
}

static void
analyzer_judge(struct analyzer *a, int64_t now_ms)
{
    struct err err;
    if (symptoms_turn(a->symptoms, now_ms) > 0)
        a->dirty = true;
    bool waiting = now_ms - a->judged_ms >= ANALYZER_WAIT_MS &&
                   (judge_open_count(a->judge) || symptoms_count(a->symptoms));
    if (!a->dirty && !waiting)
        return;
    int rc = judge_turn(a->judge, a->symptoms, a->topo, a->presence, now_ms, &err);
    a->judged_ms = now_ms;
    a->dirty = false;
    if (rc < 0) {
        atomic_fetch_add(&a->errors, 1);
        log_write(a->cfg.log, LOG_LEVEL_ERROR, "analyzer: incidents could not be judged: %s",
                  err.text);
    } else {
        atomic_fetch_add(&a->incidents_written, (uint64_t)rc);
    }
}

static int64_t
analyzer_now(const struct analyzer *a)
{
    int64_t newest = intake_newest_ms(a->intake);
    return a->cfg.data_clock && newest ? newest : clock_now_ms(a->cfg.clock);
}

int
analyzer_turn(struct analyzer *a, int64_t now_ms)
{
    a->topo = topo_get(a->cfg.store);
    analyzer_items(a, intake_take(a->intake, 0), now_ms);
    analyzer_flush(a);
    detectors_turn(a->detectors, a->topo, a->presence, now_ms, analyzer_emit, a);
    rules_turn(a->rules, a->topo, now_ms, analyzer_emit, a);
    analyzer_flush(a);
    analyzer_items(a, intake_take(a->intake, 0), now_ms);
    analyzer_flush(a);
    analyzer_judge(a, now_ms);
    topo_put(a->topo);
    a->topo = NULL;
    atomic_fetch_add(&a->turns, 1);
    return 0;
}

static void *
analyzer_run(void *ctx)
{
    struct analyzer *a = ctx;
    while (!atomic_load(&a->stop)) {
        struct intake_item *list = intake_take(a->intake, ANALYZER_WAIT_MS);
        int64_t now_ms = analyzer_now(a);
        a->topo = topo_get(a->cfg.store);
        analyzer_items(a, list, now_ms);
        topo_put(a->topo);
        analyzer_turn(a, now_ms);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static int
analyzer_replay_cb(void *ctx, const struct event *ev, uint64_t id)
{
    struct analyzer *a = ctx;
    symptoms_event(a->symptoms, ev, id);
    if (!strcmp(ev->source, "detector") && ev->phase != EVENT_INSTANT)
        detectors_resume(a->detectors, ev);
    return 0;
}

/* After a restart the table is what the last half hour's events say. */
static int
analyzer_replay(struct analyzer *a, struct err *err)
{
    int64_t now_ms = clock_now_ms(a->cfg.clock);
    struct event_query q = {.from_ms = now_ms - ANALYZER_REPLAY_MS,
                            .to_ms = now_ms + 60000,
                            .limit = SYMPTOMS_MAX,
                            .ascending = true};
    int rc = a->cfg.data_clock ? 0 : store_events(a->cfg.store, &q, analyzer_replay_cb, a, err);
    return rc < 0 ? rc : 0;
}

int
analyzer_new(const struct analyzer_config *cfg, struct analyzer **ret, struct err *err)
{
    struct analyzer *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_NOMEM, "no memory for the analyzer");
    a->cfg = *cfg;
    a->symptoms = symptoms_new(cfg->kb);
    a->presence = presence_new();
    a->detectors = detectors_new(&a->cfg);
    a->scratch = kb_scratch_new(cfg->matcher);
    int rc = a->symptoms && a->presence && a->detectors && a->scratch
                 ? 0
                 : err_set(err, ERR_NOMEM, "no memory for the analyzer");
    if (!rc)
        rc = rules_new(&a->cfg, &a->rules, err);
    if (!rc)
        rc = intake_new(cfg->store, &a->intake, err);
    if (!rc)
        rc = judge_new(&a->cfg, &a->judge, err);
    if (!rc)
        rc = analyzer_replay(a, err);
    if (rc)
        analyzer_free(a);
    else
        *ret = a;
    return rc;
}

int
analyzer_start(struct analyzer *a, struct err *err)
{
    if (pthread_create(&a->thread, NULL, analyzer_run, a))
        return err_set(err, ERR_NOMEM, "the analyzer's thread could not start");
    a->started = true;
    return 0;
}

void
analyzer_stop(struct analyzer *a)
{
    if (!a || !a->started)
        return;
    atomic_store(&a->stop, true);
    intake_wake(a->intake);
    pthread_join(a->thread, NULL);
    a->started = false;
}

void
analyzer_free(struct analyzer *a)
{
    if (!a)
        return;
    analyzer_stop(a);
    store_batch_free(a->out);
    map_free(a->made, NULL);
    map_free(a->lately, NULL);
    judge_free(a->judge);
    rules_free(a->rules);
    detectors_free(a->detectors);
    kb_scratch_free(a->scratch);
    presence_free(a->presence);
    symptoms_free(a->symptoms);
    intake_free(a->intake);
    free(a);
}

const struct analyzer_config *
analyzer_configuration(const struct analyzer *a)
{
    return &a->cfg;
}

struct rules *
analyzer_rules(struct analyzer *a)
{
    return a->rules;
}

void
analyzer_metrics(struct analyzer *a, struct buf *out)
{
    const struct {
        const char *name, *help;
        uint64_t v;
    } rows[] = {
        {"myriascope_analyzer_turns_total", "Turns of the analyzer.", atomic_load(&a->turns)},
        {"myriascope_analyzer_lines_total", "Log lines matched against the knowledge base.",
         atomic_load(&a->lines)},
        {"myriascope_analyzer_matches_total", "Lines that an entry recognised.",
         atomic_load(&a->matched)},
        {"myriascope_analyzer_events_total", "Events judged.", atomic_load(&a->events)},
        {"myriascope_analyzer_incident_writes_total", "Incident documents written.",
         atomic_load(&a->incidents_written)},
        {"myriascope_analyzer_errors_total", "Turns in which something failed.",
         atomic_load(&a->errors)},
        {"myriascope_analyzer_dropped_total", "Items dropped because the queue was full.",
         intake_dropped(a->intake)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", rows[i].name, rows[i].help,
                   rows[i].name, rows[i].name, (unsigned long long)rows[i].v);
}
