/* judge: each turn splits the symptoms into cases, finds the incident each case belongs to, and
 * writes what changed.
 *
 * Always true: a symptom row names at most one incident; an incident that is not resolved has a row
 * here; every document written goes out in one catalog transaction with the outbox rows it causes.
 */
#include "analyzer/judge.h"

#include "analyzer/incident_doc.h"
#include "analyzer/reason.h"
#include "analyzer/world.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JUDGE_INCIDENTS  2000 /* open or lately resolved */
#define JUDGE_JOBS       64
#define JUDGE_OUTBOX     64
#define JUDGE_DOC_MAX    ((size_t)4 << 20)
#define JUDGE_LOAD       500
#define JUDGE_PLANNED_MS 600000 /* after the end of announced work */
#define JUDGE_ABOVE_MS   30000  /* several inferred roots of a kind wait for what is above them */

struct judged {
    char id[INCIDENT_ID_SIZE], root[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    enum severity severity;
    int64_t opened_ms, resolved_ms, quiet_ms, written_ms;
    uint64_t content;   /* hash of what a reader would notice */
    bool touched;       /* a case of this turn is its */
    int64_t planned_ms; /* when its root last was in maintenance, 0: never */
};

struct judge {
    const struct analyzer_config *cfg;
    struct judged *at;
    size_t count;
    unsigned number; /* of the last id of `day` */
    char day[9];
    int64_t settle_ms;
};

/* One turn's view. */
struct judge_turn {
    struct judge *j;
    struct symptoms *t;
    struct topo *topo;
    struct symptom *symptoms;
    struct symptom_row **rows;
    size_t *case_of; /* of each row, its number of this turn + 1 */
    const struct reason_cases *cases;
    size_t count;
    int64_t now_ms;
    size_t written;
    struct err *err;
};

/* --- start ------------------------------------------------------------------------------------ */

static struct judged *
judge_add(struct judge *j, const char *id)
{
    if (j->count == JUDGE_INCIDENTS)
        return NULL;
    struct judged *d = &j->at[j->count++];
    *d = (struct judged){0};
    snprintf(d->id, sizeof d->id, "%s", id);
    return d;
}

static int
judge_load_cb(void *ctx, const struct catalog_doc *c)
{
    struct judge *j = ctx;
    struct doc *doc = NULL;
    if (doc_parse_json(c->json, c->json_len, c->id, &doc, NULL))
        return 0;
    const struct doc_node *n = doc_root(doc), *h = doc_at(doc_get(n, "hypotheses"), 0);
    struct judged *d = judge_add(j, c->id);
    if (d) {
        int severity = severity_find(doc_get_str(n, "severity", "warning"));
        snprintf(d->root, sizeof d->root, "%s\n%s", doc_get_str(h, "cause", ""),
                 doc_get_str(n, "entity", ""));
        d->severity = severity < 0 ? SEVERITY_WARNING : (enum severity)severity;
        d->opened_ms = c->time_ms;
        const char *resolved = doc_get_str(n, "resolved", NULL);
        if (resolved)
            time_parse(resolved, &d->resolved_ms);
    }
    doc_free(doc);
    return 0;
}

/* Ids are i-YYYYMMDD-NNNN; the highest of the newest is where numbering goes on. */
static int
judge_number_cb(void *ctx, const struct catalog_doc *c)
{
    struct judge *j = ctx;
    char day[9];
    unsigned n;
    if (sscanf(c->id, "i-%8[0-9]-%u", day, &n) == 2 &&
        (strcmp(day, j->day) > 0 || (!strcmp(day, j->day) && n > j->number))) {
        memcpy(j->day, day, sizeof j->day);
        j->number = n;
    }
    return 0;
}

int
judge_new(const struct analyzer_config *cfg, struct judge **ret, struct err *err)
{
    struct judge *j = calloc(1, sizeof *j);
    int rc = ERR_NOMEM;
    if (!j || !(j->at = calloc(JUDGE_INCIDENTS, sizeof *j->at)))
        goto out;
    j->cfg = cfg;
    j->settle_ms = cfg->settle_ms ? cfg->settle_ms : 10000;
    struct catalog_query open = {
        .kind = "incident", .state = "open|acknowledged", .limit = JUDGE_LOAD};
    struct catalog_query last = {.kind = "incident", .limit = 50};
    rc = catalog_list(cfg->store, &open, judge_load_cb, j, NULL, err);
    if (rc >= 0)
        rc = catalog_list(cfg->store, &last, judge_number_cb, j, NULL, err);
out:
    if (rc < 0) {
        judge_free(j);
        return rc;
    }
    *ret = j;
    return 0;
}

void
judge_free(struct judge *j)
{
    if (!j)
        return;
    free(j->at);
    free(j);
}

size_t
judge_open_count(const struct judge *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->count; i++)
        n += !j->at[i].resolved_ms;
    return n;
}

static struct judged *
judge_find(struct judge *j, const char *id)
{
    for (size_t i = 0; i < j->count; i++)
        if (!strcmp(j->at[i].id, id))
            return &j->at[i];
    return NULL;
}

static void
judge_id(struct judge *j, int64_t now_ms, char out[INCIDENT_ID_SIZE])
{
    char text[TIME_TEXT_SIZE], day[9];
    time_format(now_ms, text);
    snprintf(day, sizeof day, "%.4s%.2s%.2s", text, text + 5, text + 8);
    if (strcmp(day, j->day) > 0) {
        memcpy(j->day, day, sizeof day);
        j->number = 0;
    }
    snprintf(out, INCIDENT_ID_SIZE, "i-%s-%04u", j->day, ++j->number);
}

/* --- which incident a case belongs to --------------------------------------------------------- */

static const struct hypothesis *
judge_top(const struct reason_case *c)
{
    return &c->diagnosis->hypotheses[0];
}

static bool
judge_active(const struct judge_turn *u, const struct reason_case *c)
{
    for (size_t i = 0; i < c->symptom_count; i++)
        if (!u->symptoms[c->symptoms[i]].end_ms)
            return true;
    return false;
}

/* The row of a symptom "code\nentity" of this turn, NULL none. */
static struct symptom_row *
judge_row(const struct judge_turn *u, const char *root, size_t *ret_index)
{
    const char *entity = strchr(root, '\n');
    size_t code = entity ? (size_t)(entity - root) : 0;
    for (size_t i = 0; entity && i < u->count; i++)
        if (!strncmp(root, u->symptoms[i].entry->id, code) && !u->symptoms[i].entry->id[code] &&
            !strcmp(entity + 1, u->symptoms[i].entity)) {
            *ret_index = i;
            return u->rows[i];
        }
    return NULL;
}

static size_t
judge_number_of(const struct judge_turn *u, const struct reason_case *c)
{
    return c->symptom_count ? u->case_of[c->symptoms[0]] : 0;
}

/* Does another case of this turn hold the sign of the incident's root, while this one's own is new
 * to it? Then the incident is that one's, whatever else the two share: a slow job has many causes.
 */
static bool
judge_elsewhere(const struct judge_turn *u, const struct judged *d, const struct reason_case *c)
{
    char root[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    size_t of = 0, own = 0;
    if (!c->seen || !judge_row(u, d->root, &of) || !u->case_of[of] ||
        u->case_of[of] == judge_number_of(u, c))
        return false;
    snprintf(root, sizeof root, "%s\n%s", judge_top(c)->cause, judge_top(c)->entity);
    const struct symptom_row *r = judge_row(u, root, &own);
    return !r || strcmp(r->incident, d->id) != 0;
}

/* The oldest unresolved incident that any row of the case is in, else one with the same root. */
static struct judged *
judge_match(struct judge_turn *u, const struct reason_case *c)
{
    char root[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    struct judged *best = NULL;
    for (size_t i = 0; i < c->symptom_count; i++) {
        struct symptom_row *r = u->rows[c->symptoms[i]];
        struct judged *d = r->incident[0] ? judge_find(u->j, r->incident) : NULL;
        if (d && d != best && !d->resolved_ms && (!best || d->opened_ms < best->opened_ms) &&
            !judge_elsewhere(u, d, c))
            best = d;
    }
    snprintf(root, sizeof root, "%s\n%s", judge_top(c)->cause, judge_top(c)->entity);
    for (size_t i = 0; !best && i < u->j->count; i++) {
        struct judged *d = &u->j->at[i];
        if (!strcmp(d->root, root) &&
            (!d->resolved_ms || u->now_ms - d->resolved_ms < JUDGE_REOPEN_MS))
            best = d;
    }
    return best;
}

static bool
judge_has(const struct judge_turn *u, const struct reason_case *c, const char *code)
{
    for (size_t i = 0; i < c->symptom_count; i++)
        if (!strcmp(u->symptoms[c->symptoms[i]].entry->id, code))
            return true;
    return false;
}

static int64_t
judge_since(const struct judge_turn *u, const struct reason_case *c)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < c->symptom_count; i++)
        if (!u->symptoms[c->symptoms[i]].end_ms && u->symptoms[c->symptoms[i]].first_ms < first)
            first = u->symptoms[c->symptoms[i]].first_ms;
    return first;
}

static enum severity
judge_worst(const struct judge_turn *u, const struct reason_case *c)
{
    enum severity worst = SEVERITY_INFO;
    for (size_t i = 0; i < c->symptom_count; i++)
        if (!u->symptoms[c->symptoms[i]].end_ms &&
            u->symptoms[c->symptoms[i]].entry->severity > worst)
            worst = u->symptoms[c->symptoms[i]].entry->severity;
    return worst;
}

/* Several roots of one kind at once that nobody saw: likely one thing above them, which its own
 * sampling shows soon. */
static bool
judge_crowded(const struct judge_turn *u, const struct reason_case *c)
{
    size_t like = 0;
    if (c->seen || u->now_ms - judge_since(u, c) >= JUDGE_ABOVE_MS)
        return false;
    for (size_t i = 0; i < u->cases->count; i++)
        like += !u->cases->at[i].seen && judge_top(&u->cases->at[i])->entry == judge_top(c)->entry;
    return like > 1;
}

/* A telling root of the infrastructure opens at once; what cannot be told waits for a better
 * explanation, and opens only when a job died of it or something critical stays unexplained. A
 * user's error is an incident only where a job failed. */
static bool
judge_opens(const struct judge_turn *u, const struct reason_case *c)
{
    const struct hypothesis *h = judge_top(c);
    bool failed = judge_has(u, c, "job.failed");
    bool settled = u->now_ms - judge_since(u, c) >= u->j->settle_ms;
    if (!judge_active(u, c) || c->early || judge_crowded(u, c))
        return false;
    if (c->diagnosis->verdict == VERDICT_INFRASTRUCTURE && h->entry->severity >= SEVERITY_WARNING) {
        if (c->telling && h->entry->role == KB_ROOT)
            return h->entry->scope != ENTITY_JOB && h->entry->scope != ENTITY_RANK
                       ? true
                       : failed || settled;
        return settled;
    }
    if (c->diagnosis->verdict == VERDICT_USER)
        return failed;
    return settled && (failed || judge_worst(u, c) == SEVERITY_CRITICAL);
}

/* What began in announced work belongs to it until some time after: things come back one by one. */
static enum severity
judge_severity(const struct judge_turn *u, const struct judged *d, const struct reason_case *c)
{
    bool planned =
        c->planned || (d && d->planned_ms && u->now_ms - d->planned_ms < JUDGE_PLANNED_MS);
    if (c->diagnosis->verdict != VERDICT_INFRASTRUCTURE || planned)
        return SEVERITY_INFO;
    return judge_top(c)->entry->severity;
}

/* --- jobs that an entity hurts ---------------------------------------------------------------- */

struct judge_jobs {
    const struct topo *topo;
    const char *at[JUDGE_JOBS];
    size_t count;
    const char *tenant;
    bool mixed; /* jobs of several tenants: nobody's alone */
    struct arena *arena;
};

static void
judge_job(struct judge_jobs *jobs, const char *id)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (!strcmp(jobs->at[i], id))
            return;
    if (jobs->count < JUDGE_JOBS) {
        const struct topo_job *j = topo_job_find(jobs->topo, id);
        if (j && j->tenant && *j->tenant) {
            jobs->mixed |= *jobs->tenant && strcmp(jobs->tenant, j->tenant);
            jobs->tenant = jobs->mixed ? "" : j->tenant;
        }
        jobs->at[jobs->count++] = id;
    }
}

static void
judge_job_cb(void *ctx, const char *entity)
{
    const char *id = arena_str(((struct judge_jobs *)ctx)->arena, entity + 4, strlen(entity + 4));
    if (id && !strncmp(entity, "job:", 4))
        judge_job(ctx, id);
}

static void
judge_jobs_all(struct judge_turn *u, const struct world *w, const struct reason_case *c,
               struct judge_jobs *jobs)
{
    jobs->topo = u->topo;
    jobs->arena = c->diagnosis->arena;
    jobs->tenant = "";
    for (size_t i = 0; i < c->symptom_count; i++)
        if (u->symptoms[c->symptoms[i]].job[0])
            judge_job(jobs, u->symptoms[c->symptoms[i]].job);
    judge_job_cb(jobs, judge_top(c)->entity);
    reason_walk_jobs(w, judge_top(c)->entity, JUDGE_JOBS, judge_job_cb, jobs);
    for (size_t i = 0; i < c->diagnosis->victim_count; i++)
        judge_job_cb(jobs, c->diagnosis->victims[i]);
}

/* --- writing ---------------------------------------------------------------------------------- */

struct judge_before {
    struct doc *doc;
    uint64_t revision;
    int state;
};

static int
judge_before_cb(void *ctx, const struct catalog_doc *c)
{
    struct judge_before *b = ctx;
    b->revision = c->revision;
    b->state = incident_state_find(c->state);
    return doc_parse_json(c->json, c->json_len, c->id, &b->doc, NULL);
}

static int
judge_put(struct judge_turn *u, const struct catalog_doc *doc)
{
    struct catalog_change changes[JUDGE_OUTBOX + 1];
    struct arena *arena = arena_new((size_t)16 << 20);
    size_t n = 1;
    if (!arena)
        return ERR_NOMEM;
    changes[0] = (struct catalog_change){.op = CATALOG_PUT, .doc = *doc};
    if (u->j->cfg->alert)
        n += alert_outbox_rows(u->j->cfg->alert, doc->json, doc->json_len, doc->revision + 1,
                               u->now_ms, arena, changes + 1, JUDGE_OUTBOX);
    int rc = catalog_apply(u->j->cfg->store, changes, n, NULL, u->err);
    if (!rc && n > 1)
        alert_wake(u->j->cfg->alert);
    if (!rc && u->j->cfg->publish)
        u->j->cfg->publish(u->j->cfg->publish_ctx, "incident", doc->json, doc->tenant);
    if (!rc)
        u->written++;
    arena_free(arena);
    return rc;
}

static size_t
judge_events(const struct judge_turn *u, const struct reason_case *c, uint64_t *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < c->symptom_count; i++)
        for (size_t k = 0; k < 4 && n < size; k++)
            if (u->rows[c->symptoms[i]]->events[k])
                out[n++] = u->rows[c->symptoms[i]]->events[k];
    return n;
}

static int
judge_write(struct judge_turn *u, struct judged *d, const struct reason_case *c,
            const struct judge_jobs *jobs, const char *action, const char *text)
{
    uint64_t events[256];
    struct judge_before b = {.state = INCIDENT_OPEN};
    struct buf out;
    int rc = catalog_get(u->j->cfg->store, "incident", d->id, judge_before_cb, &b, NULL);
    int state = rc || b.state < 0 || b.state == INCIDENT_RESOLVED ? INCIDENT_OPEN : b.state;
    /* A job that has ended since runs nowhere any more: its tenant still sees what ended it. */
    const char *tenant =
        *jobs->tenant || jobs->mixed ? jobs->tenant : doc_get_str(doc_root(b.doc), "tenant", "");
    struct incident_facts f = {.id = d->id,
                               .state = (enum incident_state)state,
                               .severity = d->severity,
                               .opened_ms = d->opened_ms,
                               .updated_ms = u->now_ms,
                               .jobs = jobs->at,
                               .job_count = jobs->count,
                               .events = events,
                               .event_count = judge_events(u, c, events, 256),
                               .tenant = tenant,
                               .action = action,
                               .action_text = text};
    buf_init(&out, JUDGE_DOC_MAX);
    rc = incident_doc_write(&f, c->diagnosis, doc_root(b.doc), &out);
    struct catalog_doc doc = {.kind = "incident",
                              .id = d->id,
                              .tenant = tenant,
                              .state = incident_state_word(f.state),
                              .key = judge_top(c)->entity,
                              .time_ms = d->opened_ms,
                              .revision = b.revision,
                              .json = buf_str(&out),
                              .json_len = out.len};
    if (!rc)
        rc = judge_put(u, &doc);
    d->written_ms = u->now_ms;
    doc_free(b.doc);
    buf_done(&out);
    return rc;
}

/* Ends an incident's document: quiet, or merged into another. */
static int
judge_end(struct judge_turn *u, struct judged *d, const char *text, const char *into)
{
    struct judge_before b = {0};
    struct buf out;
    struct incident_change change = {.state = INCIDENT_RESOLVED,
                                     .now_ms = u->now_ms,
                                     .action = "resolved",
                                     .text = text,
                                     .merged_into = into};
    d->resolved_ms = u->now_ms;
    int rc = catalog_get(u->j->cfg->store, "incident", d->id, judge_before_cb, &b, u->err);
    if (rc || b.state == INCIDENT_RESOLVED)
        goto out;
    buf_init(&out, JUDGE_DOC_MAX);
    rc = incident_doc_change(doc_root(b.doc), &change, &out);
    const char *tenant = doc_get_str(doc_root(b.doc), "tenant", "");
    struct catalog_doc doc = {.kind = "incident",
                              .id = d->id,
                              .tenant = tenant,
                              .state = "resolved",
                              .key = doc_get_str(doc_root(b.doc), "entity", ""),
                              .time_ms = d->opened_ms,
                              .revision = b.revision,
                              .json = buf_str(&out),
                              .json_len = out.len};
    if (!rc)
        rc = judge_put(u, &doc);
    buf_done(&out);
out:
    doc_free(b.doc);
    return rc;
}

static void
judge_claim(struct judge_turn *u, struct judged *d, const struct reason_case *c)
{
    for (size_t i = 0; i < c->symptom_count; i++) {
        struct symptom_row *r = u->rows[c->symptoms[i]];
        struct judged *other =
            r->incident[0] && strcmp(r->incident, d->id) ? judge_find(u->j, r->incident) : NULL;
        if (other && judge_elsewhere(u, other, c))
            continue;
        if (other && !other->resolved_ms && !other->touched) {
            char text[96];
            snprintf(text, sizeof text, "merged into %s", d->id);
            judge_end(u, other, text, d->id);
        }
        snprintf(r->incident, sizeof r->incident, "%s", d->id);
    }
}

/* What a reader would notice: root, severity, verdict, tenths of confidence, how many symptoms (by
 * doubling), jobs. */
static uint64_t
judge_content(const struct reason_case *c, const struct judge_jobs *jobs, enum severity severity)
{
    char text[EVENT_CODE_MAX + ENTITY_SIZE + 64];
    unsigned size = 0;
    for (size_t n = c->symptom_count; n; n >>= 1)
        size++;
    int n = snprintf(text, sizeof text, "%s\n%s\n%d\n%d\n%d\n%u\n%zu", judge_top(c)->cause,
                     judge_top(c)->entity, (int)severity, (int)c->diagnosis->verdict,
                     (int)(judge_top(c)->confidence * 10), size, jobs->count);
    return map_hash(text, (size_t)n);
}

/* Is the root's own sign there again? */
static bool
judge_back(const struct judge_turn *u, const struct reason_case *c)
{
    char root[EVENT_CODE_MAX + ENTITY_SIZE + 2];
    size_t i = 0;
    snprintf(root, sizeof root, "%s\n%s", judge_top(c)->cause, judge_top(c)->entity);
    return !judge_row(u, root, &i) || !u->symptoms[i].end_ms;
}

static int
judge_case(struct judge_turn *u, const struct world *w, const struct reason_case *c)
{
    struct judge_jobs jobs = {0};
    struct judged *d = judge_match(u, c);
    const char *action = NULL, *text = NULL;
    if (d && d->touched) { /* a better case of this turn speaks for the incident; this one's
                              symptoms join it */
        judge_claim(u, d, c);
        return 0;
    }
    if (d && d->resolved_ms && c->seen && !judge_back(u, c))
        return 0; /* a late effect of what is over */
    if (d ? d->resolved_ms && !judge_opens(u, c) : !judge_opens(u, c))
        return 0;
    judge_jobs_all(u, w, c, &jobs);
    enum severity severity = judge_severity(u, d, c);
    uint64_t content = judge_content(c, &jobs, severity);
    if (!d) {
        char id[INCIDENT_ID_SIZE];
        judge_id(u->j, u->now_ms, id);
        if (!(d = judge_add(u->j, id)))
            return ERR_LIMIT;
        d->opened_ms = u->now_ms;
        action = "opened";
    } else if (d->resolved_ms) {
        d->resolved_ms = 0;
        action = "reopened";
    }
    d->touched = true;
    if (c->planned)
        d->planned_ms = u->now_ms;
    judge_claim(u, d, c);
    if (judge_active(u, c))
        d->quiet_ms = 0;
    if (!action &&
        (content == d->content || u->now_ms - d->written_ms < 1000 || !judge_active(u, c)))
        return 0;
    char root[sizeof d->root];
    snprintf(root, sizeof root, "%s\n%s", judge_top(c)->cause, judge_top(c)->entity);
    if (!action && strcmp(root, d->root)) {
        action = "updated";
        text = judge_top(c)->summary.en;
    } else if (!action && severity > d->severity)
        action = "escalated";
    memcpy(d->root, root, sizeof root);
    d->severity = severity;
    d->content = content;
    return judge_write(u, d, c, &jobs, action, text);
}

/* A line says that something happened, seldom that it is over. When nothing that is measured is
 * wrong any more, the part reports, and no further sign has come for the calm time, its signs are
 * taken as over; should one come, the incident reopens. A sign that has a clearing line of its own
 * is given thrice that time for it where nothing is measured. */
static void
judge_calm(struct judge_turn *u, const struct presence *p)
{
    for (size_t i = 0; i < u->j->count; i++) {
        struct judged *d = &u->j->at[i];
        const char *entity = strchr(d->root, '\n');
        enum entity_kind kind = entity ? entity_kind_of(entity + 1) : ENTITY_NONE;
        bool reports =
            kind != ENTITY_JOB && kind != ENTITY_RANK && p && presence_last(p, entity + 1);
        bool held = d->resolved_ms || (reports && !presence_fresh(p, entity + 1, u->now_ms));
        bool measured = false; /* what was measured is over: no need to wait for more lines */
        for (size_t k = 0; k < u->count; k++)
            measured |=
                u->rows[k]->ongoing && u->rows[k]->s.end_ms && !strcmp(u->rows[k]->incident, d->id);
        for (size_t k = 0; k < u->count && !held; k++) {
            const struct symptom_row *r = u->rows[k];
            if (r->s.end_ms || strcmp(r->incident, d->id))
                continue;
            bool told = !measured && (r->s.entry->clear_pattern || r->s.entry->clear_event);
            held =
                r->ongoing || u->now_ms - r->s.last_ms < (told ? 3 * JUDGE_CALM_MS : JUDGE_CALM_MS);
        }
        for (size_t k = 0; k < u->count && !held; k++)
            if (!u->rows[k]->s.end_ms && !strcmp(u->rows[k]->incident, d->id))
                u->rows[k]->s.end_ms = u->symptoms[k].end_ms = u->now_ms;
    }
}

/* Incidents none of whose symptoms is still there end after the hold; long resolved ones are
 * forgotten. */
static int
judge_quiet(struct judge_turn *u)
{
    int rc = 0;
    for (size_t i = 0; i < u->j->count; i++)
        if (!u->j->at[i].quiet_ms)
            u->j->at[i].quiet_ms = u->now_ms;
    for (size_t i = 0; i < u->count; i++) {
        struct judged *d = u->symptoms[i].end_ms || !u->rows[i]->incident[0]
                               ? NULL
                               : judge_find(u->j, u->rows[i]->incident);
        if (d)
            d->quiet_ms = 0;
    }
    for (size_t i = 0; !rc && i < u->j->count;) {
        struct judged *d = &u->j->at[i];
        if (!d->resolved_ms && d->quiet_ms && u->now_ms - d->quiet_ms >= JUDGE_HOLD_MS)
            rc = judge_end(u, d, "all of its signals have ended", NULL);
        if (d->resolved_ms && u->now_ms - d->resolved_ms > JUDGE_REOPEN_MS)
            u->j->at[i] = u->j->at[--u->j->count];
        else
            i++;
    }
    return rc;
}

/* What an open incident rests on stays in the table. */
static void
judge_hold(struct judge_turn *u)
{
    for (size_t i = 0; i < u->count; i++) {
        struct symptom_row *r = u->rows[i];
        const struct judged *d = r->incident[0] ? judge_find(u->j, r->incident) : NULL;
        r->held = d && !d->resolved_ms;
    }
}

/* People resolve too: the catalog knows. */
static int
judge_people_cb(void *ctx, const struct catalog_doc *c)
{
    struct judged *d = judge_find(ctx, c->id);
    if (d && !d->resolved_ms)
        d->resolved_ms = c->updated_ms;
    return 0;
}

static int
judge_view(struct judge_turn *u)
{
    size_t n = symptoms_count(u->t);
    u->symptoms = calloc(n + 1, sizeof *u->symptoms);
    u->rows = calloc(n + 1, sizeof *u->rows);
    u->case_of = calloc(n + 1, sizeof *u->case_of);
    if (!u->symptoms || !u->rows || !u->case_of)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        u->rows[i] = symptoms_at(u->t, i);
        u->symptoms[i] = u->rows[i]->s;
    }
    u->count = n;
    return 0;
}

int
judge_turn(struct judge *j, struct symptoms *t, struct topo *topo, const struct presence *p,
           int64_t now_ms, struct err *err)
{
    struct judge_turn u = {.j = j, .t = t, .topo = topo, .now_ms = now_ms, .err = err};
    struct world_topo wt = {topo, p, now_ms};
    struct world w = world_of_topo(&wt);
    struct reason_options o = {.now_ms = now_ms};
    struct reason_cases cases = {0};
    struct catalog_query resolved = {.kind = "incident", .state = "resolved", .limit = 50};
    int rc = catalog_list(j->cfg->store, &resolved, judge_people_cb, j, NULL, err);
    if (rc >= 0)
        rc = judge_view(&u);
    for (size_t i = 0; i < j->count; i++)
        j->at[i].touched = false;
    if (!rc)
        rc = reason_cases(j->cfg->kb, &w, u.symptoms, u.count, &o, &cases);
    for (size_t i = 0; !rc && i < cases.count; i++)
        for (size_t k = 0; k < cases.at[i].symptom_count; k++)
            u.case_of[cases.at[i].symptoms[k]] = i + 1;
    u.cases = &cases;
    for (size_t i = 0; !rc && i < cases.count; i++)
        rc = judge_case(&u, &w, &cases.at[i]);
    if (!rc) {
        judge_calm(&u, p);
        rc = judge_quiet(&u);
        judge_hold(&u);
    }
    reason_cases_done(&cases);
    free(u.symptoms);
    free(u.rows);
    free(u.case_of);
    return rc ? rc : (int)u.written;
}
