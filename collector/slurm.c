/* slurm: asks a Slurm controller for its jobs and nodes by its own commands. Expected load: some
 * hundred jobs and 2,500 nodes every 10 s; an array of 10,000 jobs now and then.
 *
 * A job's document is written when what Slurm says of it changed, some at a time, as each is a
 * durable write. A job that the controller has forgotten is looked up with sacct, if that is
 * configured; else it ends without an exit code, since nobody knows. A node that is drained or away
 * is an event that lasts until it is well again. */
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "collector/inlet.h"
#include "collector/orphans.h"
#include "collector/slurm_conf.h"
#include "collector/slurm_parse.h"
#include "collector/source.h"
#include "store/jobs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLURM_OUTPUT_MAX ((size_t)64 << 20)
#define SLURM_JOBS_MAX   200000u
#define SLURM_NODES_MAX  200000u
#define SLURM_TICK_MS    20
#define SLURM_WRITES     4u /* documents a tick: each waits for the disk */
#define SLURM_ARGS       16
#define SLURM_ASKED_MAX  100u          /* jobs of one sacct */
#define SLURM_OURS       "myriascope:" /* how reasons begin that the appliance gives when it drains */

struct slurm_known { /* a job as last written */
    uint64_t hash;
    uint64_t round; /* the poll that saw it last */
    bool ended;
};
struct slurm_node_known {
    enum slurm_node_state state;
    uint64_t round;
};
struct slurm_item { /* a document to be written */
    struct slurm_item *next;
    char id[32];
    size_t len;
    char json[];
};

enum { SLURM_JOBS, SLURM_NODES, SLURM_ENDED, SLURM_CALLS };

struct slurm;
struct slurm_call { /* a command that runs; outlives the source when it must */
    struct slurm *s;
    int what; /* index into calls */
};

struct slurm {
    struct source_env env;
    const struct slurm_conf *conf;
    struct inlet *inlet;
    struct loop_timer *timer;
    struct slurm_call *calls[SLURM_CALLS];
    int64_t due_us;
    struct map *jobs, *nodes; /* id -> slurm_known, name -> slurm_node_known */
    struct slurm_item *first, **last;
    uint64_t round;
    _Atomic uint64_t written, refused, failed;
};

/* --- commands ------------------------------------------------------------------------------------
 */

static void slurm_exited(void *ctx, int status, int term_signal, bool timed_out,
                         const struct buf *out, const struct buf *errout);

static void
slurm_call(struct slurm *s, int what, const char *const *args)
{
    const char *argv[SLURM_ARGS + 8] = {"env", "TZ=UTC", "LC_ALL=C"};
    size_t n = 3;
    struct err err;
    if (s->calls[what])
        return;
    for (; *args && n < SLURM_ARGS; args++)
        if (**args)
            argv[n++] = *args;
    struct slurm_call *c = calloc(1, sizeof *c);
    if (!c)
        return;
    c->s = s;
    c->what = what;
    if (loop_spawn(s->env.loop, argv, NULL, 0, s->conf->timeout, SLURM_OUTPUT_MAX, slurm_exited, c,
                   &err)) {
        free(c);
        inlet_state(s->inlet, err.text);
        return;
    }
    s->calls[what] = c;
}

static void
slurm_ask(struct slurm *s)
{
    char cluster[160] = "";
    const struct slurm_conf *c = s->conf;
    if (c->cluster && *c->cluster)
        snprintf(cluster, sizeof cluster, "--clusters=%s", c->cluster);
    const char *jobs[] = {c->scontrol, cluster, "--all", "--oneliner", "show", "jobs", NULL};
    const char *nodes[] = {c->sinfo, cluster, "--all", "-N", "-h", "-o", "%N|%T|%E", NULL};
    s->round++;
    slurm_call(s, SLURM_JOBS, jobs);
    if (*c->sinfo)
        slurm_call(s, SLURM_NODES, nodes);
}

/* --- jobs ----------------------------------------------------------------------------------------
 */

static void
slurm_queue(struct slurm *s, const struct slurm_job *j, const struct buf *json)
{
    struct slurm_item *i = malloc(sizeof *i + json->len + 1);
    if (!i) {
        atomic_fetch_add(&s->refused, 1);
        return;
    }
    i->next = NULL;
    str_copy(i->id, sizeof i->id, j->id);
    i->len = json->len;
    memcpy(i->json, buf_str(json), json->len + 1);
    *s->last = i;
    s->last = &i->next;
}

static const char *
slurm_tenant(const struct slurm *s, const struct slurm_job *j)
{
    const char *t = s->conf->tenant ? s->conf->tenant : "";
    return !strcmp(t, "account")     ? j->account
           : !strcmp(t, "partition") ? j->partition
           : !strcmp(t, "user")      ? j->user
                                     : "";
}

static bool
slurm_job_ended(const struct slurm_job *j)
{
    return j->state != JOB_PENDING && j->state != JOB_RUNNING;
}

/* Queues the document when it says something new. */
static void
slurm_job_seen(struct slurm *s, const struct slurm_job *j, struct buf *scratch)
{
    struct slurm_known *k = map_get(s->jobs, j->id, strlen(j->id));
    if (s->conf->user && *s->conf->user && *j->user && strcmp(s->conf->user, j->user))
        return;
    buf_reset(scratch);
    slurm_parse_document(j, slurm_tenant(s, j), s->conf->cluster ? s->conf->cluster : "", scratch);
    uint64_t hash = map_hash(buf_str(scratch), scratch->len);
    if (!k) {
        k = calloc(1, sizeof *k);
        if (!k || map_set(s->jobs, j->id, strlen(j->id), k, NULL)) {
            free(k);
            atomic_fetch_add(&s->refused, 1);
            return;
        }
    }
    k->round = s->round;
    k->ended = slurm_job_ended(j);
    if (k->hash == hash || scratch->failed)
        return;
    k->hash = hash;
    slurm_queue(s, j, scratch);
}

/* Jobs that the controller no longer knows: those that ended are done with, others are asked for.
 */
static void
slurm_jobs_gone(struct slurm *s, struct buf *scratch)
{
    char ids[SLURM_ASKED_MAX * 32];
    const char *key;
    size_t pos = 0, len, n = 0, used = 0;
    void *value;
    char *gone[256];
    size_t gone_count = 0;
    ids[0] = 0;
    while ((key = map_next(s->jobs, &pos, &len, &value))) {
        struct slurm_known *k = value;
        if (k->round == s->round || gone_count == sizeof gone / sizeof *gone)
            continue;
        if (k->ended || !s->conf->sacct || !*s->conf->sacct)
            gone[gone_count++] = strndup(key, len);
        else if (n < SLURM_ASKED_MAX)
            used += (size_t)snprintf(ids + used, sizeof ids - used, "%s%.*s", n++ ? "," : "",
                                     (int)len, key);
    }
    for (size_t i = 0; i < gone_count; i++) {
        struct slurm_known *k = gone[i] ? map_remove(s->jobs, gone[i], strlen(gone[i])) : NULL;
        struct slurm_job j = {.id = gone[i], .state = JOB_COMPLETED};
        buf_reset(scratch);
        buf_puts(scratch,
                 "{\"state\":\"completed\",\"labels\":{\"reason\":\"forgotten by Slurm\"}}");
        if (k && !k->ended)
            slurm_queue(s, &j, scratch);
        free(k);
        free(gone[i]);
    }
    const char *args[] = {s->conf->sacct ? s->conf->sacct : "",         "-n", "-P", "-X", "-j", ids,
                          "--format=JobIDRaw,State,ExitCode,Start,End", NULL};
    if (n)
        slurm_call(s, SLURM_ENDED, args);
}

/* What sacct says joins the document that is there. */
static void
slurm_ended_line(struct slurm *s, char *line, struct buf *scratch)
{
    struct slurm_job j;
    if (slurm_parse_ended(line, &j) || !slurm_job_ended(&j))
        return;
    struct slurm_known *k = map_get(s->jobs, j.id, strlen(j.id));
    if (!k || k->ended)
        return;
    buf_reset(scratch);
    slurm_parse_document(&j, "", "", scratch);
    k->ended = true;
    slurm_queue(s, &j, scratch);
}

/* --- nodes ---------------------------------------------------------------------------------------
 */

static uint64_t
slurm_node_event(struct store_batch *b, const struct slurm_node *n, enum slurm_node_state state,
                 enum event_phase phase, int64_t now)
{
    char entity[ENTITY_SIZE], text[1024];
    if (state == SLURM_NODE_WELL || entity_format(entity, ENTITY_NODE, n->name, NULL))
        return 0;
    snprintf(text, sizeof text, "slurm: node %s state %s%s%s", n->name, n->state_word,
             *n->reason ? " reason: " : "", n->reason);
    struct event ev = {
        .time_ms = now,
        .phase = phase,
        .severity = str_prefix(n->reason, SLURM_OURS) ? SEVERITY_INFO : SEVERITY_WARNING,
        .entity = entity,
        .code = state == SLURM_NODE_DRAINED ? "slurm.node-drained" : "slurm.node-not-responding",
        .source = "slurm",
        .text = text,
        .node = n->name,
        .job = "",
        .tenant = "",
        .fields = ""};
    return store_batch_event(b, &ev) >= 0;
}

static uint64_t
slurm_node_line(struct slurm *s, char *line, struct store_batch *b, int64_t now)
{
    struct slurm_node n;
    if (slurm_parse_node(line, &n)) {
        atomic_fetch_add(&s->refused, 1);
        return 0;
    }
    struct slurm_node_known *k = map_get(s->nodes, n.name, strlen(n.name));
    if (!k) {
        k = calloc(1, sizeof *k);
        if (!k || map_set(s->nodes, n.name, strlen(n.name), k, NULL)) {
            free(k);
            return 0;
        }
    }
    if (k->round == s->round) /* a node stands once in each of its partitions */
        return 0;
    k->round = s->round;
    if (k->state == n.state)
        return 0;
    uint64_t count = slurm_node_event(b, &n, k->state, EVENT_END, now);
    k->state = n.state;
    return count + slurm_node_event(b, &n, n.state, EVENT_BEGIN, now);
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void
slurm_answer(struct slurm *s, int what, char *text)
{
    struct buf scratch;
    struct slurm_job j;
    int64_t now = clock_now_ms(store_clock(s->env.store));
    struct store_batch *b = what == SLURM_NODES ? store_batch_new(s->env.store) : NULL;
    uint64_t events = 0;
    buf_init(&scratch, (size_t)1 << 20);
    for (char *line = text, *next; line && *line; line = next) {
        if ((next = strchr(line, '\n')))
            *next++ = 0;
        if (!*line)
            continue;
        if (what == SLURM_ENDED)
            slurm_ended_line(s, line, &scratch);
        else if (what == SLURM_NODES && b)
            events += slurm_node_line(s, line, b, now);
        else if (what == SLURM_JOBS && !slurm_parse_job(line, &j))
            slurm_job_seen(s, &j, &scratch);
        else if (what == SLURM_JOBS && !str_prefix(line, "No jobs"))
            atomic_fetch_add(&s->refused, 1);
    }
    if (what == SLURM_JOBS)
        slurm_jobs_gone(s, &scratch);
    if (b && events)
        inlet_submit(s->inlet, b, events);
    else if (b)
        store_batch_free(b);
    buf_done(&scratch);
}

static void
slurm_exited(void *ctx, int status, int term_signal, bool timed_out, const struct buf *out,
             const struct buf *errout)
{
    struct slurm_call *c = ctx;
    struct slurm *s = c->s;
    int what = c->what;
    free(c);
    if (!s) /* the source has ended */
        return;
    s->calls[what] = NULL;
    if (status || term_signal || timed_out) {
        char why[256];
        snprintf(why, sizeof why, "%s: %.200s",
                 what == SLURM_NODES  ? s->conf->sinfo
                 : what == SLURM_JOBS ? s->conf->scontrol
                                      : s->conf->sacct,
                 timed_out     ? "no answer in time"
                 : errout->len ? buf_str(errout)
                               : "failed");
        for (char *p = why; *p; p++)
            if (*p == '\n')
                *p = ' ';
        inlet_state(s->inlet, why);
        return;
    }
    if (what != SLURM_ENDED)
        inlet_state(s->inlet, NULL);
    char *text = strndup(buf_str(out), out->len);
    if (text)
        slurm_answer(s, what, text);
    free(text);
}

static void
slurm_write(struct slurm *s)
{
    for (unsigned n = 0; s->first && n < SLURM_WRITES; n++) {
        struct slurm_item *i = s->first;
        struct err err;
        struct job j;
        if (!(s->first = i->next))
            s->last = &s->first;
        /* merged, so that what others say of the job stays */
        int rc = job_put(s->env.store, i->id, i->json, i->len, true, &j, &err);
        if (rc == ERR_NOTFOUND)
            rc = job_put(s->env.store, i->id, i->json, i->len, false, &j, &err);
        if (rc) {
            atomic_fetch_add(&s->failed, 1);
            log_write(s->env.log, LOG_LEVEL_WARNING, "slurm: job %s: %s", i->id, err.text);
            struct slurm_known *k = map_get(s->jobs, i->id, strlen(i->id));
            if (k && err.code != ERR_SYNTAX && err.code != ERR_RANGE)
                k->hash = 0; /* tried again with the next poll */
        } else {
            atomic_fetch_add(&s->written, 1);
            job_done(&j);
        }
        free(i);
    }
}

static void
slurm_tick(void *ctx)
{
    struct slurm *s = ctx;
    int64_t now = clock_mono_us();
    slurm_write(s);
    if (now < s->due_us || s->first || s->calls[SLURM_JOBS] || s->calls[SLURM_NODES])
        return;
    s->due_us = now + s->conf->interval * 1000;
    slurm_ask(s);
}

static void
slurm_stop(void *source)
{
    struct slurm *s = source;
    if (!s)
        return;
    if (s->timer)
        loop_timer_close(s->timer);
    for (size_t i = 0; i < SLURM_CALLS; i++)
        if (s->calls[i])
            s->calls[i]->s = NULL;
    while (s->first) {
        struct slurm_item *i = s->first;
        s->first = i->next;
        free(i);
    }
    map_free(s->jobs, free);
    map_free(s->nodes, free);
    inlet_put(s->inlet);
    free(s);
}

/* Jobs that ran when we were last here: one that the controller does not name is asked for. */
static void
slurm_recall(void *ctx, const char *id)
{
    struct slurm *s = ctx;
    struct slurm_known *k = calloc(1, sizeof *k);
    if (!k || strlen(id) > 31 || map_set(s->jobs, id, strlen(id), k, NULL))
        free(k);
}

static int
slurm_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    struct slurm *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "no memory for Slurm");
    s->env = *env;
    s->conf = conf;
    s->last = &s->first;
    s->jobs = map_new(SLURM_JOBS_MAX);
    s->nodes = map_new(SLURM_NODES_MAX);
    s->inlet = inlet_new(env->store, "slurm", s->conf->cluster ? s->conf->cluster : "slurm");
    s->timer = loop_timer_open(env->loop, slurm_tick, s);
    if (!s->jobs || !s->nodes || !s->inlet || !s->timer) {
        slurm_stop(s);
        return err_set(err, ERR_NOMEM, "no memory for Slurm");
    }
    orphans_each(env->store, "slurm", slurm_recall, s);
    loop_timer_set(s->timer, 0, SLURM_TICK_MS);
    *ret = s;
    return 0;
}

/* --- what it tells of itself ---------------------------------------------------------------------
 */

static void
slurm_json(void *source, struct jsonw *w)
{
    inlet_json(((struct slurm *)source)->inlet, w);
}

static void
slurm_metrics(void *source, struct buf *out)
{
    struct slurm *s = source;
    inlet_metrics("slurm", inlet_counts(s->inlet), out);
    buf_printf(out,
               "# HELP myriascope_slurm_jobs_written_total Job documents written.\n"
               "# TYPE myriascope_slurm_jobs_written_total counter\n"
               "myriascope_slurm_jobs_written_total %llu\n"
               "# HELP myriascope_slurm_jobs_refused_total Lines and documents not taken.\n"
               "# TYPE myriascope_slurm_jobs_refused_total counter\n"
               "myriascope_slurm_jobs_refused_total %llu\n",
               (unsigned long long)atomic_load(&s->written),
               (unsigned long long)(atomic_load(&s->refused) + atomic_load(&s->failed)));
}

const struct source_ops source_slurm = {"slurm",    slurm_conf_rows, sizeof(struct slurm_conf),
                                        false,      slurm_start,     slurm_stop,
                                        slurm_json, slurm_metrics,   NULL};
