/* recovery: one pass over the incidents since the job began; of those that name it, a chain each.
 * Load: asked when a person looks at a job. Always true: at most RECOVERY_CHAINS chains, newest
 * first; only incidents with verdict infrastructure, or that an action was taken for. */
#include "analyzer/recovery.h"

#include "analyzer/alert_send.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/entity.h"
#include "base/str.h"
#include "store/catalog.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECOVERY_CHAINS  20
#define RECOVERY_PAGES   20
#define RECOVERY_NEAR_MS 600000   /* a run may end so long before its incident opens */
#define RECOVERY_DAY_MS  86400000 /* a restart later than that is not of this fault */
#define RECOVERY_HOUR_MS 3600000
#define RECOVERY_NAMES   8

enum recovery_step {
    RECOVERY_FAULT,
    RECOVERY_DETECTED,
    RECOVERY_DIAGNOSED,
    RECOVERY_PAGED,
    RECOVERY_ISOLATED,
    RECOVERY_STOPPED,
    RECOVERY_REQUEUED,
    RECOVERY_RESTARTED,
    RECOVERY_FIRST_STEP,
    RECOVERY_STEPS
};
static const struct {
    const char *word, *en, *zh;
} recovery_words[RECOVERY_STEPS] = {
    {"fault", "First evidence", "首个证据"},        {"detected", "Incident opened", "故障发现"},
    {"diagnosed", "Cause named", "定位根因"},       {"paged", "On-call paged", "通知值班"},
    {"isolated", "Node isolated", "隔离节点"},      {"stopped", "Run ended", "运行终止"},
    {"requeued", "Job put back", "重新排队"},       {"restarted", "Running again", "恢复运行"},
    {"first_step", "First step again", "恢复首步"},
};

struct recovery {
    struct store *store;
    const struct metric_table *metrics;
    const struct job *job;
    const struct doc_node *doc; /* of the job */
    struct jsonw *w;
    char quoted[160]; /* "ID" as it stands in an incident */
    size_t chains;
};

struct recovery_chain {
    const struct recovery *r;
    const char *incident;
    int64_t at[RECOVERY_STEPS], opened;
    char text[RECOVERY_STEPS][320];
    bool dry_run, refused;
};

/* --- what was done ---------------------------------------------------------------------------- */

static int
recovery_hook(void *ctx, const struct catalog_doc *c)
{
    struct recovery_chain *k = ctx;
    char job[ENTITY_SIZE];
    struct doc *d = NULL;
    int64_t time = 0;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d);
    const char *action = doc_get_str(n, "action", ""), *result = doc_get_str(n, "result", "");
    bool requeue = !strcmp(action, "requeue"), done = !strcmp(result, "done");
    enum recovery_step step = requeue ? RECOVERY_REQUEUED : RECOVERY_ISOLATED;
    bool ours = !requeue || (!entity_format(job, ENTITY_JOB, k->r->job->id, NULL) &&
                             !strcmp(job, doc_get_str(n, "entity", "")));
    time_parse(doc_get_str(n, "time", ""), &time);
    if (ours && (done || !k->at[step])) {
        k->at[step] = done ? time : 0;
        str_copy(k->text[step], sizeof k->text[step], doc_get_str(n, "text", ""));
        k->dry_run |= done && doc_get_bool(n, "dry_run", false);
        k->refused |= !strcmp(result, "refused");
    }
    doc_free(d);
    return 0;
}

static int
recovery_page(void *ctx, const struct catalog_doc *c)
{
    struct recovery_chain *k = ctx;
    struct doc *d = NULL;
    int64_t time = 0;
    if (doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const char *receiver = doc_get_str(doc_root(d), "receiver", "");
    time_parse(doc_get_str(doc_root(d), "delivered", ""), &time);
    /* a hook's row says what it did, others' what the receiver answered */
    bool acted = k->text[RECOVERY_ISOLATED][0] &&
                 !strcmp(doc_get_str(doc_root(d), "error", ""), k->text[RECOVERY_ISOLATED]);
    if (!acted && time && (!k->at[RECOVERY_PAGED] || time < k->at[RECOVERY_PAGED])) {
        k->at[RECOVERY_PAGED] = time;
        str_copy(k->text[RECOVERY_PAGED], sizeof k->text[RECOVERY_PAGED], receiver);
    }
    doc_free(d);
    return 0;
}

static void
recovery_acts(struct recovery_chain *k)
{
    struct catalog_query q = {.kind = "hook", .key = k->incident, .limit = 1000};
    catalog_list(k->r->store, &q, recovery_hook, k, NULL, NULL);
    q = (struct catalog_query){
        .kind = "outbox", .key = k->incident, .state = "delivered", .limit = 200};
    catalog_list(k->r->store, &q, recovery_page, k, NULL, NULL);
}

/* --- what the incident says ------------------------------------------------------------------- */

static void
recovery_incident_times(struct recovery_chain *k, const struct doc_node *n)
{
    const struct doc_node *h = doc_at(doc_get(n, "hypotheses"), 0), *list = doc_get(h, "evidence"),
                          *history = doc_get(n, "history");
    int64_t t;
    k->opened = k->at[RECOVERY_DETECTED];
    k->at[RECOVERY_FAULT] = k->opened;
    for (const struct doc_node *e = list ? list->first : NULL; e; e = e->next)
        if (!time_parse(doc_get_str(e, "time", ""), &t) && t && t < k->at[RECOVERY_FAULT]) {
            k->at[RECOVERY_FAULT] = t;
            str_copy(k->text[RECOVERY_FAULT], sizeof k->text[RECOVERY_FAULT],
                     doc_get_str(e, "text", ""));
        }
    if (!k->text[RECOVERY_FAULT][0])
        str_copy(k->text[RECOVERY_FAULT], sizeof k->text[RECOVERY_FAULT],
                 doc_get_str(doc_at(list, 0), "text", ""));
    k->at[RECOVERY_DIAGNOSED] = k->opened;
    for (const struct doc_node *e = history ? history->first : NULL; e; e = e->next)
        if (!strcmp(doc_get_str(e, "action", ""), "updated") &&
            !time_parse(doc_get_str(e, "time", ""), &t))
            k->at[RECOVERY_DIAGNOSED] = t;
    snprintf(k->text[RECOVERY_DIAGNOSED], sizeof k->text[0], "%s, %s, %.0f %%",
             doc_get_str(h, "cause", ""), doc_get_str(h, "entity", ""),
             doc_get_real(n, "confidence", 0) * 100);
    str_copy(k->text[RECOVERY_DETECTED], sizeof k->text[0], k->incident);
}

/* --- what the job did ------------------------------------------------------------------------- */

static void
recovery_run_texts(struct recovery_chain *k, const char *state, const char *nodes)
{
    str_copy(k->text[RECOVERY_STOPPED], sizeof k->text[0], state);
    str_copy(k->text[RECOVERY_RESTARTED], sizeof k->text[0], nodes);
}

struct recovery_run {
    int64_t start, end; /* end 0: it runs */
    const char *state, *nodes;
};

static struct recovery_run
recovery_run_of(const struct doc_node *n)
{
    struct recovery_run r = {.state = doc_get_str(n, "state", ""),
                             .nodes = doc_get_str(n, "nodes", "")};
    if (time_parse(doc_get_str(n, "start", ""), &r.start))
        r.start = 0;
    if (time_parse(doc_get_str(n, "end", ""), &r.end))
        r.end = 0;
    return r;
}

/* The run during which the fault came, and the one after it. */
static void
recovery_runs(struct recovery_chain *k)
{
    const struct doc_node *runs = doc_get(k->r->doc, "runs");
    const struct doc_node *n = runs ? runs->first : NULL;
    int64_t fault = k->at[RECOVERY_FAULT];
    struct recovery_run last = {0}, next;
    for (bool own = !n;; own = !n) {
        next = recovery_run_of(own ? k->r->doc : n);
        if (last.end && next.start >= last.end - 1000 && strcmp(next.state, "pending")) {
            k->at[RECOVERY_RESTARTED] = next.start;
            recovery_run_texts(k, last.state, next.nodes);
            return;
        }
        if (!last.end && next.end && next.start <= fault + 1000 &&
            next.end >= fault - RECOVERY_NEAR_MS) {
            k->at[RECOVERY_STOPPED] = next.end;
            recovery_run_texts(k, next.state, "");
            last = next;
        }
        if (own)
            return;
        n = n->next;
    }
}

/* A user who submits it anew gives it another id. */
static int
recovery_again(void *ctx, const struct catalog_doc *c)
{
    struct recovery_chain *k = ctx;
    const struct job *mine = k->r->job;
    struct doc *d = NULL;
    struct job j;
    if (k->at[RECOVERY_RESTARTED] || !strcmp(c->id, mine->id) ||
        doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    if (!job_parse(c->id, doc_root(d), d, &j, NULL)) {
        if (*j.name && !strcmp(j.name, mine->name) && !strcmp(j.user, mine->user) &&
            !strcmp(j.tenant, mine->tenant) && j.start_ms >= k->at[RECOVERY_STOPPED]) {
            k->at[RECOVERY_RESTARTED] = j.start_ms;
            snprintf(k->text[RECOVERY_RESTARTED], sizeof k->text[0], "job:%.100s %.200s", j.id,
                     j.nodes);
        }
        job_done(&j);
    }
    doc_free(d);
    return 0;
}

static void
recovery_resubmitted(struct recovery_chain *k)
{
    struct catalog_query q = {.kind = "job",
                              .state = "running|completed|failed|cancelled|timeout|node_fail",
                              .from_ms = k->at[RECOVERY_STOPPED],
                              .to_ms = k->at[RECOVERY_STOPPED] + RECOVERY_DAY_MS,
                              .ascending = true,
                              .limit = 1000};
    if (k->at[RECOVERY_STOPPED] && !k->at[RECOVERY_RESTARTED])
        catalog_list(k->r->store, &q, recovery_again, k, NULL, NULL);
}

/* The first sample of the job's own step time since `from`; 0: none. */
static int64_t
recovery_sample(const struct recovery *r, const char *job, int64_t from)
{
    const char *names[RECOVERY_NAMES];
    size_t n = metric_names_of(r->metrics, METRIC_JOB_STEP, names, RECOVERY_NAMES);
    int64_t first = 0;
    for (size_t i = 0; i < (n < RECOVERY_NAMES ? n : RECOVERY_NAMES); i++) {
        struct matcher m[] = {{MATCH_EQ, "__name__", names[i]}, {MATCH_EQ, "job_id", job}};
        struct series_set set;
        struct select_limits lim = {.max_series = 10000, .max_samples = 1000000};
        if (store_select(r->store, m, 2, from, from + RECOVERY_HOUR_MS, &lim, &set, NULL))
            continue;
        for (size_t k = 0; k < set.count; k++)
            for (size_t s = 0; s < set.rows[k].count; s++) {
                const struct sample *v = &set.rows[k].samples[s];
                if (!sample_is_stale(v->v) && (!first || v->t_ms < first))
                    first = v->t_ms;
            }
        series_set_done(&set);
    }
    return first;
}

static void
recovery_first_step(struct recovery_chain *k)
{
    char job[128];
    const char *again = k->text[RECOVERY_RESTARTED];
    if (!k->at[RECOVERY_RESTARTED])
        return;
    str_copy(job, sizeof job, k->r->job->id);
    if (str_prefix(again, "job:"))
        snprintf(job, sizeof job, "%.*s", (int)strcspn(again + 4, " "), again + 4);
    k->at[RECOVERY_FIRST_STEP] = recovery_sample(k->r, job, k->at[RECOVERY_RESTARTED]);
    if (!k->at[RECOVERY_FIRST_STEP])
        str_copy(k->text[RECOVERY_FIRST_STEP], sizeof k->text[0], "no step reported yet");
}

/* --- writing ---------------------------------------------------------------------------------- */

static const char *
recovery_state(const struct recovery_chain *k)
{
    return k->at[RECOVERY_RESTARTED] ? "done"
           : k->refused              ? "refused"
           : k->dry_run              ? "dry_run"
                                     : "running";
}

/* Known links by time, then the others. */
static void
recovery_order(const struct recovery_chain *k, int order[RECOVERY_STEPS])
{
    int n = 0;
    for (int s = 0; s < RECOVERY_STEPS; s++) {
        int at = n;
        if (!k->at[s])
            continue;
        for (; at && k->at[order[at - 1]] > k->at[s]; at--)
            order[at] = order[at - 1];
        order[at] = s;
        n++;
    }
    for (int s = 0; s < RECOVERY_STEPS; s++)
        if (!k->at[s])
            order[n++] = s;
}

static void
recovery_write_steps(const struct recovery_chain *k, struct jsonw *w)
{
    int64_t from = k->at[RECOVERY_FAULT];
    int order[RECOVERY_STEPS];
    recovery_order(k, order);
    jsonw_key(w, "steps");
    jsonw_array(w);
    for (int i = 0; i < RECOVERY_STEPS; i++) {
        int s = order[i];
        jsonw_object(w);
        jsonw_kstr(w, "step", recovery_words[s].word);
        jsonw_ktext(w, "title", recovery_words[s].en, recovery_words[s].zh);
        jsonw_ktime(w, "time", k->at[s]);
        jsonw_kreal(w, "seconds", k->at[s] ? (double)(k->at[s] - from) / 1000 : NAN);
        jsonw_kstr(w, "text", k->text[s]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void
recovery_write_chain(const struct recovery_chain *k, const struct doc_node *n)
{
    struct jsonw *w = k->r->w;
    const struct doc_node *h = doc_at(doc_get(n, "hypotheses"), 0), *title = doc_get(n, "title");
    char node[128] = "", entity[160];
    int64_t last = 0;
    bool one = alert_node(n, node, sizeof node);
    snprintf(entity, sizeof entity, "node:%s", node);
    for (int s = 0; s < RECOVERY_STEPS; s++)
        last = k->at[s] > last ? k->at[s] : last;
    jsonw_object(w);
    jsonw_kstr(w, "incident", k->incident);
    jsonw_ktext(w, "title", doc_get_str(title, "en", ""), doc_get_str(title, "zh", ""));
    jsonw_kstr(w, "entity", doc_get_str(h, "entity", NULL));
    jsonw_kstr(w, "node", one ? entity : NULL);
    jsonw_kstr(w, "cause", doc_get_str(h, "cause", ""));
    jsonw_kstr(w, "class", doc_get_str(h, "class", ""));
    jsonw_kbool(w, "dry_run", k->dry_run);
    jsonw_kstr(w, "state", recovery_state(k));
    jsonw_kreal(w, "total_seconds", (double)(last - k->at[RECOVERY_FAULT]) / 1000);
    recovery_write_steps(k, w);
    jsonw_end_object(w);
}

static int
recovery_incident(void *ctx, const struct catalog_doc *c)
{
    struct recovery *r = ctx;
    struct doc *d = NULL;
    bool named = false;
    if (r->chains == RECOVERY_CHAINS ||
        !memmem(c->json, c->json_len, r->quoted, strlen(r->quoted)) ||
        doc_parse_json(c->json, c->json_len, c->id, &d, NULL))
        return 0;
    const struct doc_node *n = doc_root(d), *jobs = doc_get(n, "jobs");
    for (const struct doc_node *j = jobs ? jobs->first : NULL; j && !named; j = j->next)
        named = !strcmp(doc_str(j, ""), r->job->id);
    struct recovery_chain *k = named ? calloc(1, sizeof *k) : NULL;
    if (k && !strcmp(doc_get_str(n, "verdict", ""), "infrastructure")) {
        k->r = r;
        k->incident = c->id;
        k->at[RECOVERY_DETECTED] = c->time_ms;
        recovery_incident_times(k, n);
        recovery_acts(k);
        recovery_runs(k);
        recovery_resubmitted(k);
        recovery_first_step(k);
        recovery_write_chain(k, n);
        r->chains++;
    }
    free(k);
    doc_free(d);
    return 0;
}

static int64_t
recovery_began(const struct recovery *r)
{
    const struct doc_node *first = doc_at(doc_get(r->doc, "runs"), 0);
    int64_t t = r->job->start_ms;
    if (first)
        time_parse(doc_get_str(first, "start", ""), &t);
    return t ? t : 1;
}

int
recovery_write(struct store *s, const struct metric_table *metrics, const struct job *j,
               struct jsonw *w, struct err *err)
{
    struct recovery r = {.store = s, .metrics = metrics, .job = j, .w = w};
    struct doc *d = NULL;
    char next[256] = "", from[256];
    int rc = doc_parse_json(j->json, strlen(j->json), j->id, &d, err);
    if (rc)
        return rc;
    r.doc = doc_root(d);
    snprintf(r.quoted, sizeof r.quoted, "\"%.140s\"", j->id);
    struct catalog_query q = {.kind = "incident",
                              .from_ms = recovery_began(&r) - RECOVERY_HOUR_MS,
                              .to_ms = INT64_MAX / 2,
                              .limit = 1000};
    q.from_ms = q.from_ms < 1 ? 1 : q.from_ms;
    for (int page = 0; page < RECOVERY_PAGES && rc >= 0; page++) {
        str_copy(from, sizeof from, next);
        q.cursor = *from ? from : NULL;
        rc = catalog_list(s, &q, recovery_incident, &r, next, err);
        if (!*next)
            break;
    }
    doc_free(d);
    return rc < 0 ? rc : 0;
}
