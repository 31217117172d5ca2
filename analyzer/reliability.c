/* reliability: jobs and incidents of a period are read once, joined by job id, and summed.
 *
 * Load: some thousand jobs and incidents a month. Always true: the stops of a job are sorted and do
 * not overlap. */
#include "analyzer/reliability.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/hostlist.h"
#include "base/map.h"
#include "kb/kb.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/topo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RELIABILITY_JOBS    100000
#define RELIABILITY_STOPS   100000
#define RELIABILITY_BUCKETS 120
#define RELIABILITY_REASONS 64
#define RELIABILITY_DAY     86400000
#define RELIABILITY_NEAR    600000 /* an incident within ten minutes of a job's end explains it */
#define RELIABILITY_SHOWN   100

struct reliability_job {
    const char *id, *name,
        *chain;         /* chain: tenant, user and name: restarts of one training share it */
    int64_t start, end; /* end INT64_MAX: runs */
    double gpus;
    bool bad, user, again; /* again: it was put back into the queue, by a fault or not */
    const char *reason;    /* of a bad end */
    int64_t fault;
    int64_t restart; /* when its chain went on, 0: not */
    double run_ms, gap_ms, lost_ms;
    size_t stops;
};

struct reliability_stop {
    size_t job;
    int64_t from, to;
    bool over;
    const char *reason;
};
struct reliability_reason {
    const char *word;
    size_t count;
    double lost;
};

struct reliability {
    const struct reliability_query *q;
    struct topo *topo;
    struct arena *arena;
    struct reliability_job *jobs;
    size_t job_count;
    struct map *by_id; /* id -> number + 1 */
    struct reliability_stop *stops;
    size_t stop_count;
    struct reliability_reason reasons[RELIABILITY_REASONS];
    size_t reason_count;
    int64_t width;
    size_t buckets;
    double all[RELIABILITY_BUCKETS], lost[RELIABILITY_BUCKETS];
    size_t count[RELIABILITY_BUCKETS];
    double mended_ms;
    size_t mended, interruptions;
};

static const char *
reliability_text(struct reliability *r, const char *s)
{
    const char *copy = arena_str(r->arena, s, strlen(s));
    return copy ? copy : "";
}

/* --- jobs ------------------------------------------------------------------------------------- */

static double
reliability_gpus(const struct reliability *r, const struct doc_node *n, bool *ret_here)
{
    struct hostlist l;
    char entity[ENTITY_SIZE];
    double per = (double)doc_get_int(n, "gpus_per_node", 0), count = 0;
    *ret_here = !r->q->cluster || !*r->q->cluster;
    if (hostlist_parse(doc_get_str(n, "nodes", ""), &l, NULL))
        return 0;
    count = (double)l.count;
    topo_id node = l.count && !entity_format(entity, ENTITY_NODE, l.names[0], NULL)
                       ? topo_find(r->topo, entity)
                       : TOPO_NONE;
    hostlist_done(&l);
    if (node != TOPO_NONE) {
        size_t edges;
        const struct topo_edge *e = topo_edges(r->topo, node, &edges);
        topo_id c = topo_neighbour(r->topo, node, ENTITY_CLUSTER),
                rack = topo_neighbour(r->topo, node, ENTITY_RACK);
        if (c == TOPO_NONE && rack != TOPO_NONE)
            c = topo_neighbour(r->topo, rack, ENTITY_CLUSTER);
        for (size_t i = 0; per < 1 && !(doc_get_int(n, "gpus_per_node", 0) > 0) && i < edges; i++)
            per += topo_kind(r->topo, e[i].to) == ENTITY_GPU ? 1 : 0;
        *ret_here = *ret_here || (c != TOPO_NONE &&
                                  !strcmp(strchr(topo_name(r->topo, c), ':') + 1, r->q->cluster));
    }
    return count * (per > 0 ? per : 1);
}

static void
reliability_add(struct reliability *r, const struct reliability_job *j)
{
    if (r->job_count == RELIABILITY_JOBS)
        return;
    r->jobs[r->job_count++] = *j;
}

/* Runs before the present one, under the same id; the id's number is that of the first. */
static void
reliability_runs(struct reliability *r, const struct doc_node *n, const struct reliability_job *now)
{
    const struct doc_node *runs = doc_get(n, "runs");
    for (const struct doc_node *k = runs ? runs->first : NULL; k; k = k->next) {
        struct reliability_job j = *now;
        const char *word = doc_get_str(k, "state", "");
        int state = job_state_find(word);
        bool here;
        if (time_parse(doc_get_str(k, "start", ""), &j.start) ||
            time_parse(doc_get_str(k, "end", ""), &j.end))
            continue;
        j.gpus = reliability_gpus(r, k, &here);
        j.gpus = j.gpus > now->gpus ? j.gpus : now->gpus;
        j.bad = state == JOB_FAILED || state == JOB_NODE_FAIL || state == JOB_TIMEOUT;
        j.again = !strcmp(word, "requeued");
        j.fault = j.end;
        reliability_add(r, &j);
    }
}

static int
reliability_job(void *ctx, const struct catalog_doc *c)
{
    struct reliability *r = ctx;
    struct doc *d = NULL;
    struct buf chain;
    bool here;
    if (r->job_count == RELIABILITY_JOBS || doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d);
    struct reliability_job j = {.end = INT64_MAX, .reason = "unknown"};
    int state = job_state_find(c->state);
    j.gpus = reliability_gpus(r, n, &here);
    if (here && !time_parse(doc_get_str(n, "start", ""), &j.start)) {
        if (time_parse(doc_get_str(n, "end", ""), &j.end))
            j.end = state == JOB_RUNNING ? INT64_MAX : c->updated_ms;
        j.bad = state == JOB_FAILED || state == JOB_NODE_FAIL || state == JOB_TIMEOUT;
        j.fault = j.end;
        j.id = reliability_text(r, c->id);
        j.name = reliability_text(r, doc_get_str(n, "name", ""));
        buf_init(&chain, 4096);
        buf_printf(&chain, "%s\n%s\n%s", c->tenant, doc_get_str(n, "user", ""), j.name);
        j.chain = reliability_text(r, buf_str(&chain));
        buf_done(&chain);
        map_set(r->by_id, j.id, strlen(j.id), (void *)(uintptr_t)(r->job_count + 1), NULL);
        reliability_runs(r, n, &j);
        reliability_add(r, &j);
    }
    doc_free(d);
    return 0;
}

static int
reliability_chain_order(const void *a, const void *b)
{
    const struct reliability_job *x = *(struct reliability_job *const *)a,
                                 *y = *(struct reliability_job *const *)b;
    int c = strcmp(x->chain, y->chain);
    return c ? c : x->start < y->start ? -1 : x->start > y->start;
}

/* Of each job that ended badly, when the next of its chain began. */
static int
reliability_chains(struct reliability *r)
{
    struct reliability_job **by = malloc((r->job_count + 1) * sizeof(struct reliability_job *));
    if (!by)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->job_count; i++)
        by[i] = &r->jobs[i];
    if (r->job_count)
        qsort(by, r->job_count, sizeof *by, reliability_chain_order);
    for (size_t i = 0; i + 1 < r->job_count; i++)
        if ((by[i]->bad || by[i]->again) && !strcmp(by[i]->chain, by[i + 1]->chain) &&
            by[i + 1]->start >= by[i]->end && by[i + 1]->start - by[i]->end < RELIABILITY_DAY)
            by[i]->restart = by[i + 1]->start;
    free(by);
    return 0;
}

/* --- incidents -------------------------------------------------------------------------------- */

static void
reliability_stop(struct reliability *r, size_t job, int64_t from, int64_t to, bool over,
                 const char *reason)
{
    from = from < r->q->from_ms ? r->q->from_ms : from;
    over = over && to <= r->q->to_ms;
    to = to > r->q->to_ms ? r->q->to_ms : to;
    if (from < to && r->stop_count < RELIABILITY_STOPS)
        r->stops[r->stop_count++] = (struct reliability_stop){job, from, to, over, reason};
}

static void
reliability_joined(struct reliability *r, size_t at, const struct doc_node *incident,
                   int64_t opened, int64_t resolved)
{
    struct reliability_job *j = &r->jobs[at];
    const char *verdict = doc_get_str(incident, "verdict", "unknown");
    const char *reason =
        doc_get_str(doc_at(doc_get(incident, "hypotheses"), 0), "class", "unknown");
    int64_t until = resolved ? resolved : INT64_MAX;
    bool explains = (j->bad || j->again) && j->end >= opened - RELIABILITY_NEAR &&
                    (until == INT64_MAX || j->end <= until + RELIABILITY_NEAR);
    if (explains && !strcmp(verdict, "user")) {
        j->user = true;
    } else if (explains && !strcmp(verdict, "infrastructure")) {
        j->reason = reliability_text(r, reason);
        j->bad = true;
        j->fault = opened < j->fault && opened >= j->start ? opened : j->fault;
    } else if (!strcmp(doc_get_str(incident, "severity", ""), "critical") &&
               !strcmp(verdict, "infrastructure") && opened < j->end && until > j->start) {
        int64_t to = until < j->end ? until : j->end;
        reliability_stop(r, at, opened > j->start ? opened : j->start, to, to != INT64_MAX,
                         reliability_text(r, reason));
    }
}

static int
reliability_incident(void *ctx, const struct catalog_doc *c)
{
    struct reliability *r = ctx;
    struct doc *d = NULL;
    int64_t resolved = 0;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *jobs = doc_get(n, "jobs");
    if (time_parse(doc_get_str(n, "resolved", ""), &resolved))
        resolved = 0;
    for (const struct doc_node *j = jobs ? jobs->first : NULL; j; j = j->next) {
        uintptr_t at = (uintptr_t)map_get(r->by_id, doc_str(j, ""), strlen(doc_str(j, "")));
        for (size_t k = at; at && k <= r->job_count && r->jobs[k - 1].id == r->jobs[at - 1].id; k++)
            reliability_joined(r, k - 1, n, c->time_ms, resolved);
    }
    doc_free(d);
    return 0;
}

static int
reliability_pages(struct store *s, struct catalog_query q,
                  int (*cb)(void *ctx, const struct catalog_doc *d), struct reliability *r,
                  struct err *err)
{
    char next[256] = "", from[256];
    int rc;
    q.limit = 1000;
    do {
        memcpy(from, next, sizeof from);
        q.cursor = *from ? from : NULL;
        rc = catalog_list(s, &q, cb, r, next, err);
    } while (rc >= 0 && *next);
    return rc < 0 ? rc : 0;
}

static int
reliability_read(struct reliability *r, struct store *s, struct err *err)
{
    struct catalog_query jobs = {.kind = "job",
                                 .tenant = r->q->tenant,
                                 .state = "running|completed|failed|cancelled|timeout|node_fail",
                                 .to_ms = r->q->to_ms};
    struct catalog_query incidents = {.kind = "incident",
                                      .from_ms = r->q->from_ms - 30 * (int64_t)RELIABILITY_DAY,
                                      .to_ms = r->q->to_ms};
    incidents.from_ms = incidents.from_ms < 1 ? 1 : incidents.from_ms;
    int rc = reliability_pages(s, jobs, reliability_job, r, err);
    if (!rc)
        rc = reliability_chains(r);
    if (!rc)
        rc = reliability_pages(s, incidents, reliability_incident, r, err);
    for (size_t i = 0; !rc && i < r->job_count; i++) {
        const struct reliability_job *j = &r->jobs[i];
        if (j->bad && !j->user && j->end < r->q->to_ms &&
            (j->end >= r->q->from_ms || j->restart > r->q->from_ms))
            reliability_stop(r, i, j->fault < j->end ? j->fault : j->end,
                             j->restart ? j->restart : j->end + 1, j->restart != 0, j->reason);
    }
    return rc;
}

/* --- sums ------------------------------------------------------------------------------------- */

static int
reliability_stop_order(const void *a, const void *b)
{
    const struct reliability_stop *x = a, *y = b;
    if (x->job != y->job)
        return x->job < y->job ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Stops of one job that overlap become one, the first's; count of what is left. */
static void
reliability_merge(struct reliability *r)
{
    size_t n = 0;
    if (r->stop_count)
        qsort(r->stops, r->stop_count, sizeof *r->stops, reliability_stop_order);
    for (size_t i = 0; i < r->stop_count; i++) {
        struct reliability_stop *last = n ? &r->stops[n - 1] : NULL, *s = &r->stops[i];
        if (last && last->job == s->job && s->from <= last->to) {
            if (s->to >= last->to) {
                last->to = s->to;
                last->over = s->over;
            }
            if (!strcmp(last->reason, "unknown"))
                last->reason = s->reason;
        } else {
            r->stops[n++] = *s;
        }
    }
    r->stop_count = n;
}

static double
reliability_spread(const struct reliability *r, double *column, int64_t from, int64_t to,
                   double gpus)
{
    from = from < r->q->from_ms ? r->q->from_ms : from;
    to = to > r->q->to_ms ? r->q->to_ms : to;
    if (from >= to)
        return 0;
    size_t a = (size_t)((from - r->q->from_ms) / r->width),
           b = (size_t)((to - 1 - r->q->from_ms) / r->width);
    for (size_t i = a; i <= b && i < r->buckets; i++) {
        int64_t lo = r->q->from_ms + (int64_t)i * r->width, hi = lo + r->width;
        column[i] += gpus * (double)((hi < to ? hi : to) - (lo > from ? lo : from));
    }
    return (double)(to - from);
}

static struct reliability_reason *
reliability_reason(struct reliability *r, const char *word)
{
    for (size_t i = 0; i < r->reason_count; i++)
        if (!strcmp(r->reasons[i].word, word))
            return &r->reasons[i];
    if (r->reason_count == RELIABILITY_REASONS)
        return &r->reasons[RELIABILITY_REASONS - 1];
    r->reasons[r->reason_count].word = word;
    return &r->reasons[r->reason_count++];
}

static void
reliability_sum(struct reliability *r)
{
    reliability_merge(r);
    for (size_t i = 0; i < r->job_count; i++) {
        struct reliability_job *j = &r->jobs[i];
        j->run_ms = reliability_spread(r, r->all, j->start, j->end, j->gpus);
        if (j->bad && !j->user && j->restart)
            j->gap_ms = reliability_spread(r, r->all, j->end, j->restart, j->gpus);
    }
    for (size_t i = 0; i < r->stop_count; i++) {
        const struct reliability_stop *s = &r->stops[i];
        struct reliability_job *j = &r->jobs[s->job];
        struct reliability_reason *why = reliability_reason(r, s->reason);
        double ms = reliability_spread(r, r->lost, s->from, s->to, j->gpus);
        size_t bucket = (size_t)((s->from - r->q->from_ms) / r->width);
        j->lost_ms += ms;
        j->stops++;
        why->count++;
        why->lost += ms * j->gpus;
        r->count[bucket < r->buckets ? bucket : r->buckets - 1]++;
        r->interruptions++;
        r->mended += s->over;
        r->mended_ms += s->over ? ms : 0;
    }
}

static int
reliability_start_order(const void *a, const void *b)
{
    const struct reliability_job *x = *(struct reliability_job *const *)a,
                                 *y = *(struct reliability_job *const *)b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Time during which any job ran. */
static double
reliability_busy(const struct reliability *r, struct reliability_job **by)
{
    double sum = 0;
    int64_t until = r->q->from_ms;
    qsort(by, r->job_count, sizeof *by, reliability_start_order);
    for (size_t i = 0; i < r->job_count; i++) {
        int64_t from = by[i]->start > until ? by[i]->start : until,
                to = by[i]->end < r->q->to_ms ? by[i]->end : r->q->to_ms;
        if (from < to) {
            sum += (double)(to - from);
            until = to;
        }
    }
    return sum;
}

/* --- writing ---------------------------------------------------------------------------------- */

#define RELIABILITY_HOUR 3600000.0

static void
reliability_ratio(struct jsonw *w, double all, double lost)
{
    jsonw_kreal(w, "effective_ratio", all > 0 ? 1 - (lost < all ? lost / all : 1) : NAN);
}

static int
reliability_reason_order(const void *a, const void *b)
{
    const struct reliability_reason *x = a, *y = b;
    return x->lost > y->lost   ? -1
           : x->lost < y->lost ? 1
                               : (x->count < y->count) - (x->count > y->count);
}

static void
reliability_reasons(struct reliability *r, struct jsonw *w)
{
    qsort(r->reasons, r->reason_count, sizeof *r->reasons, reliability_reason_order);
    jsonw_key(w, "by_reason");
    jsonw_array(w);
    for (size_t i = 0; i < r->reason_count; i++) {
        const struct kb_text *title = kb_class(r->reasons[i].word);
        jsonw_object(w);
        jsonw_kstr(w, "reason", r->reasons[i].word);
        jsonw_ktext(w, "title", title ? title->en : r->reasons[i].word,
                    title ? title->zh : r->reasons[i].word);
        jsonw_kint(w, "count", (int64_t)r->reasons[i].count);
        jsonw_kreal(w, "lost_gpu_hours", r->reasons[i].lost / RELIABILITY_HOUR);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static int
reliability_lost_order(const void *a, const void *b)
{
    const struct reliability_job *x = *(struct reliability_job *const *)a,
                                 *y = *(struct reliability_job *const *)b;
    double p = x->lost_ms * x->gpus, q = y->lost_ms * y->gpus;
    return p > q ? -1 : p < q ? 1 : strcmp(x->id, y->id);
}

static void
reliability_jobs(const struct reliability *r, struct reliability_job **by, struct jsonw *w)
{
    size_t shown = 0;
    qsort(by, r->job_count, sizeof *by, reliability_lost_order);
    jsonw_key(w, "by_job");
    jsonw_array(w);
    for (size_t i = 0; i < r->job_count && shown < RELIABILITY_SHOWN; i++) {
        double all = (by[i]->run_ms + by[i]->gap_ms) * by[i]->gpus,
               lost = by[i]->lost_ms * by[i]->gpus;
        if (!(all > 0))
            continue;
        jsonw_object(w);
        jsonw_kstr(w, "job", by[i]->id);
        jsonw_kstr(w, "name", by[i]->name);
        reliability_ratio(w, all, lost);
        jsonw_kreal(w, "gpu_hours", all / RELIABILITY_HOUR);
        jsonw_kreal(w, "lost_gpu_hours", lost / RELIABILITY_HOUR);
        jsonw_kint(w, "interruptions", (int64_t)by[i]->stops);
        jsonw_end_object(w);
        shown++;
    }
    jsonw_end_array(w);
}

static void
reliability_members(struct reliability *r, struct reliability_job **by, struct jsonw *w)
{
    double all = 0, lost = 0;
    for (size_t i = 0; i < r->buckets; i++) {
        all += r->all[i];
        lost += r->lost[i];
    }
    jsonw_ktime(w, "start", r->q->from_ms);
    jsonw_ktime(w, "end", r->q->to_ms);
    jsonw_kreal(w, "gpu_hours", all / RELIABILITY_HOUR);
    reliability_ratio(w, all, lost);
    jsonw_kreal(w, "mtbf_seconds",
                r->interruptions ? reliability_busy(r, by) / 1000 / (double)r->interruptions : NAN);
    jsonw_kreal(w, "mttr_seconds", r->mended ? r->mended_ms / 1000 / (double)r->mended : NAN);
    jsonw_kint(w, "interruptions", (int64_t)r->interruptions);
    jsonw_kreal(w, "lost_gpu_hours", lost / RELIABILITY_HOUR);
    reliability_reasons(r, w);
    reliability_jobs(r, by, w);
    jsonw_key(w, "timeline");
    jsonw_array(w);
    for (size_t i = 0; i < r->buckets; i++) {
        jsonw_object(w);
        jsonw_ktime(w, "time", r->q->from_ms + (int64_t)i * r->width);
        reliability_ratio(w, r->all[i], r->lost[i]);
        jsonw_kint(w, "interruptions", (int64_t)r->count[i]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

int
reliability_write(struct store *s, const struct reliability_query *q, struct jsonw *w,
                  struct err *err)
{
    struct reliability *r = calloc(1, sizeof *r);
    struct reliability_job **by = NULL;
    int rc = ERR_NOMEM;
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory");
    r->q = q;
    r->topo = topo_get(s);
    r->arena = arena_new((size_t)256 << 20);
    r->by_id = map_new(RELIABILITY_JOBS);
    r->jobs = calloc(RELIABILITY_JOBS, sizeof *r->jobs); /* pages are touched as they are used */
    r->stops = calloc(RELIABILITY_STOPS, sizeof *r->stops);
    /* Whole minutes, sixty buckets or a few more. */
    r->width = (q->to_ms - q->from_ms + 59) / 60;
    r->width = r->width < 60000 ? 60000 : (r->width + 59999) / 60000 * 60000;
    r->buckets = (size_t)((q->to_ms - q->from_ms + r->width - 1) / r->width);
    r->buckets = r->buckets > RELIABILITY_BUCKETS ? RELIABILITY_BUCKETS : r->buckets;
    if (q->from_ms >= q->to_ms)
        rc = err_set(err, ERR_RANGE, "start: must be before end");
    else if (r->arena && r->by_id && r->jobs && r->stops)
        rc = reliability_read(r, s, err);
    if (!rc && !(by = malloc((r->job_count + 1) * sizeof(struct reliability_job *))))
        rc = ERR_NOMEM;
    for (size_t i = 0; !rc && i < r->job_count; i++)
        by[i] = &r->jobs[i];
    if (!rc) {
        reliability_sum(r);
        reliability_members(r, by, w);
    }
    topo_put(r->topo);
    arena_free(r->arena);
    map_free(r->by_id, NULL);
    free(r->jobs);
    free(r->stops);
    free(by);
    free(r);
    return rc;
}
