/* isolate: steps are rows of the catalog, so that a restart goes on where it was. Load: a few rows
 * a day. Always true: a node is drained once a day at the most, a job put back once an incident. */
#include "analyzer/isolate.h"

#include "analyzer/alert_spawn.h"
#include "base/clock.h"
#include "base/entity.h"
#include "base/hostlist.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISOLATE_DAY_MS    86400000
#define ISOLATE_FOLLOW_MS 900000 /* jobs of a fault fail within minutes of it */
#define ISOLATE_EARLY_MS  600000 /* and some before the incident opens */
#define ISOLATE_TRIES     5
#define ISOLATE_PAUSE_MS  10000 /* between tries */
#define ISOLATE_ROWS      2000
#define ISOLATE_NODES     4096
#define ISOLATE_JSON_MAX  8192
#define ISOLATE_CODE      "myriascope.isolation-stopped"

struct isolate_row { /* of the catalog; texts live in `json` */
    const char *id, *action, *receiver, *entity, *incident, *result, *text;
    bool dry_run;
    int64_t time_ms, begun_ms, attempts;
};

const struct alert_hook *
isolate_hook_of(const struct alert_receiver *r)
{
    return r->slurm.scontrol ? &r->slurm : r->kubernetes.url ? &r->kubernetes : NULL;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int
isolate_write(const struct isolate *i, const struct isolate_row *r)
{
    struct buf json;
    struct jsonw w;
    buf_init(&json, ISOLATE_JSON_MAX);
    jsonw_init(&w, &json);
    jsonw_object(&w);
    jsonw_ktime(&w, "time", r->time_ms);
    jsonw_kstr(&w, "action", r->action);
    jsonw_kstr(&w, "receiver", r->receiver);
    jsonw_kstr(&w, "entity", r->entity);
    jsonw_kstr(&w, "incident", r->incident);
    jsonw_kbool(&w, "dry_run", r->dry_run);
    jsonw_kstr(&w, "result", r->result);
    jsonw_kstr(&w, "text", r->text);
    jsonw_kint(&w, "attempts", r->attempts);
    jsonw_ktime(&w, "begun", r->begun_ms);
    jsonw_end_object(&w);
    struct catalog_doc d = {.kind = "hook",
                            .id = r->id,
                            .tenant = "",
                            .state = r->result,
                            .key = r->incident,
                            .time_ms = r->time_ms,
                            .json = buf_str(&json),
                            .json_len = json.len};
    struct err err;
    int rc = catalog_put(i->store, &d, &err);
    if (rc)
        log_write(i->log, LOG_LEVEL_ERROR, "isolate: what was done could not be written: %s",
                  err.text);
    buf_done(&json);
    return rc;
}

static void
isolate_row_of(const struct doc_node *n, const char *id, struct isolate_row *r)
{
    *r = (struct isolate_row){.id = id,
                              .action = doc_get_str(n, "action", ""),
                              .receiver = doc_get_str(n, "receiver", ""),
                              .entity = doc_get_str(n, "entity", ""),
                              .incident = doc_get_str(n, "incident", ""),
                              .result = doc_get_str(n, "result", ""),
                              .text = doc_get_str(n, "text", ""),
                              .dry_run = doc_get_bool(n, "dry_run", false),
                              .attempts = doc_get_int(n, "attempts", 0)};
    time_parse(doc_get_str(n, "time", "0"), &r->time_ms);
    if (time_parse(doc_get_str(n, "begun", ""), &r->begun_ms))
        r->begun_ms = 0;
}

/* Calls for each row since then, newest first. */
struct isolate_each {
    void (*row)(void *ctx, const struct isolate_row *r);
    void *ctx;
};

static int
isolate_each_cb(void *ctx, const struct catalog_doc *c)
{
    struct isolate_each *e = ctx;
    struct isolate_row r;
    struct doc *d = NULL;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    isolate_row_of(doc_root(d), c->id, &r);
    e->row(e->ctx, &r);
    doc_free(d);
    return 0;
}

static void
isolate_each(const struct isolate *i, int64_t from_ms, struct isolate_each *e)
{
    struct catalog_query q = {.kind = "hook",
                              .from_ms = from_ms < 1 ? 1 : from_ms,
                              .to_ms = i->now_ms + ISOLATE_DAY_MS,
                              .limit = ISOLATE_ROWS / 2};
    char next[256] = "", from[256];
    for (int page = 0; page < 2; page++) {
        str_copy(from, sizeof from, next);
        q.cursor = *from ? from : NULL;
        if (catalog_list(i->store, &q, isolate_each_cb, e, next, NULL) < 0 || !*next)
            break;
    }
}

/* --- the breaker ------------------------------------------------------------------------------ */

struct isolate_use {
    const struct isolate *i;
    const struct alert_hook *h;
    const char *receiver, *node; /* node: "node:NAME", NULL */
    size_t used, nodes;          /* actions within the window; nodes within a day */
    bool there;                  /* `node` is one of them */
};

static void
isolate_use_row(void *ctx, const struct isolate_row *r)
{
    struct isolate_use *u = ctx;
    if (strcmp(r->result, "done") || !strcmp(r->action, "requeue") || r->dry_run != u->h->dry_run ||
        strcmp(r->receiver, u->receiver))
        return;
    u->nodes++;
    u->used += u->i->now_ms - r->time_ms < u->h->window_ms;
    u->there |= u->node && !strcmp(r->entity, u->node);
}

static size_t
isolate_share(const struct isolate *i, const struct alert_hook *h)
{
    struct topo *t = topo_get(i->store);
    size_t n = 0;
    topo_of_kind(t, ENTITY_NODE, &n);
    topo_put(t);
    size_t most = (size_t)((double)n * h->share);
    return most ? most : 1;
}

static void
isolate_used(const struct isolate *i, const struct alert_receiver *r, const char *node,
             struct isolate_use *ret)
{
    *ret = (struct isolate_use){.i = i, .h = isolate_hook_of(r), .receiver = r->name, .node = node};
    struct isolate_each e = {isolate_use_row, ret};
    int64_t back = ret->h->window_ms > ISOLATE_DAY_MS ? ret->h->window_ms : ISOLATE_DAY_MS;
    isolate_each(i, i->now_ms - back, &e);
}

/* A sentence why not, in `why`; false: it may. */
static bool
isolate_refused(const struct isolate *i, const struct isolate_use *u, char *why, size_t size)
{
    size_t share = isolate_share(i, u->h);
    if ((int64_t)u->used >= u->h->limit)
        snprintf(why, size,
                 "the circuit breaker is open: %zu nodes isolated within %lld s, limit %lld",
                 u->used, (long long)(u->h->window_ms / 1000), (long long)u->h->limit);
    else if (u->nodes >= share)
        snprintf(why, size,
                 "the circuit breaker is open: %zu nodes isolated within a day, %g %% of the nodes "
                 "are %zu",
                 u->nodes, u->h->share * 100, share);
    else
        return false;
    return true;
}

static void
isolate_tell(const struct isolate *i, const char *incident, const char *entity, const char *why)
{
    char text[640];
    struct store_batch *b = store_batch_new(i->store);
    snprintf(text, sizeof text, "automatic isolation of %s for incident %s did not happen: %s",
             entity, incident, why);
    struct event ev = {.time_ms = i->now_ms,
                       .severity = SEVERITY_CRITICAL,
                       .entity = "cluster:-",
                       .code = ISOLATE_CODE,
                       .source = "myriascope",
                       .text = text};
    if (b && store_batch_event(b, &ev) >= 0)
        store_submit(i->store, b, NULL, NULL);
    else
        store_batch_free(b);
    log_write(i->log, LOG_LEVEL_ERROR, "%s", text);
}

/* --- the node --------------------------------------------------------------------------------- */

/* 1: there is a node to isolate; 0: nothing to do; ERR_BUSY: not yet, evidence still comes. */
static int
isolate_node(const struct alert_hook *h, const struct alert_message *m, char *node, size_t size,
             struct buf *note, struct err *err)
{
    if (m->resolved || m->heartbeat || m->test || !m->incident)
        buf_puts(note, "nothing to do");
    else if (!alert_node(m->incident, node, size))
        return err_set(err, ERR_BUSY, "no single node to isolate, so far");
    else if (doc_get_real(m->incident, "confidence", 0) < h->confidence)
        return err_set(err, ERR_BUSY, "confidence below %.2f, so far", h->confidence);
    else
        return 1;
    return 0;
}

int
isolate_run(const struct isolate *i, const struct alert_receiver *r, const struct alert_message *m,
            struct buf *note, struct err *err)
{
    const struct alert_hook *h = isolate_hook_of(r);
    char node[128], entity[160], why[320];
    struct isolate_use use;
    int rc = isolate_node(h, m, node, sizeof node, note, err);
    if (rc < 1)
        return rc;
    snprintf(entity, sizeof entity, "node:%s", node);
    isolate_used(i, r, entity, &use);
    if (use.there) {
        buf_printf(note, "%s was isolated within the last day", node);
        return 0;
    }
    bool refused = isolate_refused(i, &use, why, sizeof why);
    rc = refused ? err_set(err, ERR_DENIED, "%s", why) : alert_send(i->http, r, m, note, err);
    struct isolate_row row = {.id = m->idempotency_key,
                              .action = h->scontrol ? "drain" : "cordon",
                              .receiver = r->name,
                              .entity = entity,
                              .incident = doc_get_str(m->incident, "id", ""),
                              .dry_run = h->dry_run,
                              .result = refused ? "refused"
                                        : rc    ? "failed"
                                                : "done",
                              .text = rc ? err->text : buf_str(note),
                              .time_ms = i->now_ms,
                              .attempts = 1};
    isolate_write(i, &row);
    if (refused)
        isolate_tell(i, row.incident, entity, why);
    return rc;
}

/* --- its jobs --------------------------------------------------------------------------------- */

struct isolate_drained { /* a node of the last quarter of an hour */
    char entity[160], incident[64], receiver[64];
    int64_t time_ms;
};
struct isolate_round {
    const struct isolate *i;
    const struct alert_conf *conf;
    struct isolate_drained *at;
    size_t count;
};

static void
isolate_round_row(void *ctx, const struct isolate_row *r)
{
    struct isolate_round *o = ctx;
    if (strcmp(r->action, "drain") || strcmp(r->result, "done") || o->count == ISOLATE_NODES)
        return;
    struct isolate_drained *d = &o->at[o->count++];
    str_copy(d->entity, sizeof d->entity, r->entity);
    str_copy(d->incident, sizeof d->incident, r->incident);
    str_copy(d->receiver, sizeof d->receiver, r->receiver);
    d->time_ms = r->time_ms;
}

static bool
isolate_on_node(const char *nodes, const char *node)
{
    struct hostlist l;
    bool on = false;
    if (hostlist_parse(nodes, &l, NULL))
        return false;
    for (size_t k = 0; k < l.count && !on; k++)
        on = !strcmp(l.names[k], node);
    hostlist_done(&l);
    return on;
}

/* Runs on the node, or ended by the fault. */
static bool
isolate_hurt(const struct job *j, const char *node, int64_t opened_ms)
{
    bool failed = j->state == JOB_FAILED || j->state == JOB_NODE_FAIL || j->state == JOB_TIMEOUT;
    if (!isolate_on_node(j->nodes, node))
        return false;
    return j->state == JOB_RUNNING || (failed && j->end_ms >= opened_ms - ISOLATE_EARLY_MS);
}

static int
isolate_scontrol(const struct alert_receiver *r, char *const *argv, struct buf *said,
                 struct err *err)
{
    buf_init(said, 65536);
    return alert_spawn(argv, "", 0, r->timeout_ms, said, err);
}

/* Puts the job back; the row says how it went. */
static void
isolate_requeue(const struct isolate *i, const struct alert_receiver *r, const char *job,
                struct isolate_row *row)
{
    const struct alert_hook *h = &r->slurm;
    char *argv[] = {h->scontrol, (char[]){"requeue"}, (char *)(uintptr_t)job, NULL};
    char text[512];
    struct buf said;
    struct err err = {0};
    int rc = 0;
    row->time_ms = i->now_ms;
    row->attempts++;
    snprintf(text, sizeof text, "%s%.200s requeue %s", h->dry_run ? "dry run: " : "", h->scontrol,
             job);
    if (!h->dry_run) {
        rc = isolate_scontrol(r, argv, &said, &err);
        if (rc && strstr(buf_str(&said), "pending")) /* Slurm was quicker */
            rc = 0;
        buf_done(&said);
    }
    row->result = rc ? "failed" : "done";
    row->text = rc ? err.text : text;
    isolate_write(i, row);
    if (rc && row->attempts == ISOLATE_TRIES)
        isolate_tell(i, row->incident, row->entity, err.text);
}

/* Slurm lets a job that was put back wait two minutes; it is asked again and again to begin now,
 * since the pause is set only when the last process of the run before has ended. */
static void
isolate_hurry(const struct isolate *i, const struct alert_receiver *r, const struct job *j,
              struct isolate_row *row)
{
    const struct alert_hook *h = &r->slurm;
    char id[160];
    struct buf said;
    struct err err;
    bool runs = j->state == JOB_RUNNING && j->start_ms >= row->time_ms - 2000;
    if (!runs && h->hurry && !h->dry_run) {
        snprintf(id, sizeof id, "JobId=%.140s", j->id);
        char *argv[] = {h->scontrol, (char[]){"update"}, id, (char[]){"StartTime=now"}, NULL};
        int rc = isolate_scontrol(r, argv, &said, &err);
        runs = rc && strstr(buf_str(&said), "no longer pending") && i->now_ms > row->time_ms + 3000;
        buf_done(&said);
    }
    if (!runs)
        return;
    row->begun_ms = j->start_ms >= row->time_ms - 2000 ? j->start_ms : i->now_ms;
    isolate_write(i, row);
}

struct isolate_held {
    struct doc *doc;
    struct isolate_row row;
    bool there;
};

static int
isolate_held_cb(void *ctx, const struct catalog_doc *c)
{
    struct isolate_held *h = ctx;
    if (doc_parse_json(c->json, c->json_len, "row", &h->doc, NULL))
        return 0;
    isolate_row_of(doc_root(h->doc), "", &h->row);
    h->there = true;
    return 0;
}

static void
isolate_job(const struct isolate *i, const struct alert_receiver *r,
            const struct isolate_drained *d, const char *id, int64_t opened_ms)
{
    const char *node = d->entity + strlen("node:");
    char key[480], entity[ENTITY_SIZE];
    struct isolate_held held = {0};
    struct job j;
    if (entity_format(entity, ENTITY_JOB, id, NULL) || job_get(i->store, id, &j, NULL))
        return;
    snprintf(key, sizeof key, "requeue:%s:%s:%.200s", d->incident, node, id);
    catalog_get(i->store, "hook", key, isolate_held_cb, &held, NULL);
    struct isolate_row row = held.row;
    row.id = key;
    if (held.there && !strcmp(row.result, "done")) {
        if (!row.begun_ms)
            isolate_hurry(i, r, &j, &row);
    } else if (isolate_hurt(&j, node, opened_ms) &&
               (!held.there ||
                (row.attempts < ISOLATE_TRIES && i->now_ms - row.time_ms >= ISOLATE_PAUSE_MS))) {
        row.action = "requeue";
        row.receiver = d->receiver;
        row.entity = entity;
        row.incident = d->incident;
        row.dry_run = r->slurm.dry_run;
        isolate_requeue(i, r, id, &row);
    }
    doc_free(held.doc);
    job_done(&j);
}

static void
isolate_node_jobs(const struct isolate_round *o, const struct isolate_drained *d)
{
    const struct alert_receiver *r = alert_conf_receiver(o->conf, d->receiver);
    struct doc *doc = NULL;
    int64_t opened_ms = d->time_ms;
    if (!r || !r->slurm.scontrol || !r->slurm.requeue)
        return;
    char *json = catalog_get_json(o->i->store, "incident", d->incident, NULL);
    if (json && !doc_parse_json(json, strlen(json), "incident", &doc, NULL)) {
        const struct doc_node *n = doc_root(doc), *jobs = doc_get(n, "jobs");
        time_parse(doc_get_str(n, "opened", ""), &opened_ms);
        bool critical = !strcmp(doc_get_str(n, "severity", ""), "critical");
        for (const struct doc_node *j = critical && jobs ? jobs->first : NULL; j; j = j->next)
            isolate_job(o->i, r, d, doc_str(j, ""), opened_ms);
    }
    doc_free(doc);
    free(json);
}

void
isolate_follow(const struct isolate *i, const struct alert_conf *conf)
{
    struct isolate_round o = {.i = i, .conf = conf};
    struct isolate_each e = {isolate_round_row, &o};
    const struct alert_receiver *r = conf ? conf->receivers.at : NULL;
    bool any = false;
    for (size_t k = 0; r && k < conf->receivers.count; k++)
        any |= r[k].slurm.scontrol && r[k].slurm.requeue;
    if (!any || !(o.at = calloc(ISOLATE_NODES, sizeof *o.at)))
        return;
    isolate_each(i, i->now_ms - ISOLATE_FOLLOW_MS, &e);
    for (size_t k = 0; k < o.count; k++)
        isolate_node_jobs(&o, &o.at[k]);
    free(o.at);
}

void
isolate_breaker_json(const struct isolate *i, const struct alert_conf *conf, struct buf *out)
{
    const struct alert_receiver *r = conf ? conf->receivers.at : NULL;
    const struct alert_hook *worst = NULL;
    struct isolate_use most = {0}, use;
    struct jsonw w;
    char why[320];
    for (size_t k = 0; r && k < conf->receivers.count; k++) {
        if (!isolate_hook_of(&r[k]))
            continue;
        isolate_used(i, &r[k], NULL, &use);
        if (!worst || (int64_t)use.used * worst->limit > (int64_t)most.used * use.h->limit) {
            worst = use.h;
            most = use;
        }
    }
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "state",
               worst && isolate_refused(i, &most, why, sizeof why) ? "open" : "closed");
    jsonw_kint(&w, "used", (int64_t)most.used);
    jsonw_kint(&w, "limit", worst ? worst->limit : 0);
    jsonw_kint(&w, "window_seconds", worst ? worst->window_ms / 1000 : 0);
    jsonw_kint(&w, "nodes", (int64_t)most.nodes);
    jsonw_kint(&w, "share_limit", worst ? (int64_t)isolate_share(i, worst) : 0);
    jsonw_kbool(&w, "dry_run", !worst || worst->dry_run);
    jsonw_end_object(&w);
}
