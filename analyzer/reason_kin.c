/* reason_kin: puts together what the greedy split kept apart though it is one fault: other signals
 * of the same part, of what holds it and of the far end of its cable at about the same time; and
 * what a job's own processes say when a part under them has just failed.
 *
 * A further sign of a part whose fault is still there, or was three minutes ago, is taken for that
 * fault's: that is how faults look, and a part that comes back restarts. */
#include "analyzer/reason_priv.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIN_PART_MS   180000 /* signals of one part, sampled ones included */
#define KIN_BEFORE_MS 90000  /* a job may complain before sampling shows the part that failed */
#define KIN_USER_MS                                                                                \
    20000 /* an error of the program itself earlier than this came first: its own case */
#define KIN_AFTER_MS 900000

static const char *const kin_paths[] = {"node>job",           "gpu>node>job",
                                        "nic>node>job",       "port>link>nic>node>job",
                                        "optic>nic>node>job", "optic>port>link>nic>node>job",
                                        "link>nic>node>job",  "switch>port>link>nic>node>job",
                                        "rack>node>job",      "pdu>rack>node>job",
                                        "cdu>rack>node>job",  "storage>node>job",
                                        "rank>job",           "nvswitch>node>job"};

void
reason_walk_jobs(const struct world *w, const char *entity, size_t max,
                 void (*cb)(void *ctx, const char *job), void *ctx)
{
    for (size_t i = 0; i < sizeof kin_paths / sizeof *kin_paths; i++) {
        enum entity_kind kinds[8];
        size_t n = 0;
        for (const char *p = kin_paths[i]; p && n < 8;
             p = strchr(p, '>') ? strchr(p, '>') + 1 : NULL)
            kinds[n++] = entity_kind_find(p, strcspn(p, ">"));
        if (kinds[0] == entity_kind_of(entity))
            w->walk(w->ctx, entity, kinds, n, max, cb, ctx);
    }
}

struct kin {
    const struct reason *r;
    const struct candidate **best;
    struct reason_cases *cases;
};

static bool
kin_of_job(const char *entity)
{
    enum entity_kind k = entity_kind_of(entity);
    return k == ENTITY_JOB || k == ENTITY_RANK;
}

static bool
kin_user(const struct kb_entry *e)
{
    return !strncmp(e->class_name, "user-", 5);
}

static int64_t
kin_onset(const struct kin *k, size_t i)
{
    int64_t first = INT64_MAX;
    for (size_t n = 0; n < k->cases->at[i].symptom_count; n++) {
        int64_t t = k->r->symptoms[k->cases->at[i].symptoms[n]].first_ms;
        first = t < first ? t : first;
    }
    return first == INT64_MAX ? 0 : first;
}

/* When the last sign of a case ended; now while one is there. */
static int64_t
kin_until(const struct kin *k, size_t i)
{
    int64_t until = 0;
    for (size_t n = 0; n < k->cases->at[i].symptom_count; n++) {
        const struct symptom *s = &k->r->symptoms[k->cases->at[i].symptoms[n]];
        if (!s->end_ms)
            return k->r->options.now_ms;
        until = s->end_ms > until ? s->end_ms : until;
    }
    return until;
}

/* --- the same place --------------------------------------------------------------------------- */

struct kin_look {
    const char *name;
    bool found;
};

static void
kin_look_cb(void *ctx, const char *entity)
{
    struct kin_look *l = ctx;
    l->found |= !strcmp(entity, l->name);
}

static bool
kin_held(const char *part, const char *whole)
{
    const char *p = strchr(part, ':'), *w = strchr(whole, ':');
    enum entity_kind k = entity_kind_of(whole);
    if (!p || !w || (k != ENTITY_NODE && k != ENTITY_SWITCH) || !strchr(p, '/'))
        return false;
    size_t n = strcspn(p + 1, "/");
    return strlen(w + 1) == n && !strncmp(p + 1, w + 1, n);
}

/* optic:X, port:X and nic:X are one end of a cable; link:A--B is both. */
static const char *
kin_end(const char *entity)
{
    enum entity_kind k = entity_kind_of(entity);
    return k == ENTITY_OPTIC || k == ENTITY_PORT || k == ENTITY_NIC ? strchr(entity, ':') + 1
                                                                    : NULL;
}

static bool
kin_cabled(const struct reason *r, const char *a, const char *b)
{
    static const enum entity_kind ways[][3] = {{ENTITY_NIC, ENTITY_LINK, ENTITY_PORT},
                                               {ENTITY_PORT, ENTITY_LINK, ENTITY_PORT},
                                               {ENTITY_PORT, ENTITY_LINK, ENTITY_NIC}};
    static const enum entity_kind kinds[] = {ENTITY_NIC, ENTITY_PORT};
    char from[ENTITY_SIZE], to[ENTITY_SIZE];
    struct kin_look l = {.name = to};
    const char *x = kin_end(a), *y = kin_end(b);
    if (!x || !y)
        return false;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            snprintf(from, sizeof from, "%s:%s", entity_kind_row(ways[i][0])->word, x);
            snprintf(to, sizeof to, "%s:%s", entity_kind_row(kinds[k])->word, y);
            if (ways[i][2] == kinds[k])
                r->world->walk(r->world->ctx, from, ways[i], 3, 4, kin_look_cb, &l);
        }
    return l.found;
}

bool
reason_near(const char *a, const char *b)
{
    const char *x = kin_end(a), *y = kin_end(b);
    return !strcmp(a, b) || kin_held(a, b) || kin_held(b, a) || (x && y && !strcmp(x, y));
}

/* --- who joins whom --------------------------------------------------------------------------- */

static bool
kin_hurts(const struct kin *k, size_t i, const char *job)
{
    struct kin_look l = {.name = job};
    for (size_t n = 0; n < k->cases->at[i].symptom_count; n++) {
        const struct symptom *s = &k->r->symptoms[k->cases->at[i].symptoms[n]];
        if (s->job && *s->job && !strcmp(s->job, job + 4))
            return true;
    }
    reason_walk_jobs(k->r->world, k->best[i]->entity, 64, kin_look_cb, &l);
    return l.found;
}

static bool
kin_joins(const struct kin *k, size_t i, size_t j)
{
    const struct candidate *a = k->best[i], *b = k->best[j];
    int64_t ta = kin_onset(k, i), tb = kin_onset(k, j), late = tb - ta;
    char job[ENTITY_SIZE];
    struct entity e;
    if (kin_of_job(a->entity) || kin_user(a->entry) || !strcmp(a->entry->class_name, "unknown"))
        return false;
    bool lesser = a->entry->severity == SEVERITY_INFO && b->entry->severity != SEVERITY_INFO;
    bool greater = b->entry->severity == SEVERITY_INFO && a->entry->severity != SEVERITY_INFO;
    if (!kin_of_job(
            b->entity)) /* a remark never takes a fault in; it joins one that it only outscored */
        return !lesser && (i < j || greater) && late > -KIN_PART_MS &&
               tb < kin_until(k, i) + KIN_PART_MS &&
               (reason_near(a->entity, b->entity) || kin_cabled(k->r, a->entity, b->entity));
    if (!a->own || a->entry->severity == SEVERITY_INFO || entity_parse(b->entity, &e, NULL))
        return false;
    if (late > KIN_AFTER_MS ||
        late < (kin_user(b->entry) && b->own ? -KIN_USER_MS : -KIN_BEFORE_MS))
        return false;
    snprintf(job, sizeof job, "job:%.*s", (int)e.owner_len, e.name);
    return kin_hurts(k, i, job);
}

static int
kin_join(struct kin *k, size_t i, size_t j)
{
    struct reason_case *a = &k->cases->at[i], *b = &k->cases->at[j];
    size_t *all = realloc(a->symptoms, (a->symptom_count + b->symptom_count + 1) * sizeof *all);
    if (!all)
        return ERR_NOMEM;
    a->symptoms = all;
    if (b->symptom_count)
        memcpy(all + a->symptom_count, b->symptoms, b->symptom_count * sizeof *all);
    a->symptom_count += b->symptom_count;
    diagnosis_free(b->diagnosis);
    free(b->symptoms);
    size_t after = k->cases->count - j - 1;
    memmove(&k->cases->at[j], &k->cases->at[j + 1], after * sizeof *k->cases->at);
    memmove(&k->best[j], &k->best[j + 1], after * sizeof *k->best);
    k->cases->count--;
    return 0;
}

int
reason_kin(const struct reason *r, const struct candidate **best, struct reason_cases *cases)
{
    struct kin k = {r, best, cases};
    int rc = 0;
    for (size_t j = cases->count; !rc && j-- > 0;) {
        for (size_t i = 0; i < cases->count; i++)
            if (i != j && kin_joins(&k, i, j)) {
                rc = kin_join(&k, i, j);
                break;
            }
    }
    return rc;
}
