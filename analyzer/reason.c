/* reason: hypotheses, what each explains, and their scores. How an answer is put into words is in
 * reason_answer.c.
 *
 * Invariants: scores are natural-log units; strength is a probability; an explanation is kept per
 * (candidate, symptom). */
#include "analyzer/reason.h"

#include "analyzer/reason_priv.h"
#include "base/err.h"
#include "base/map.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_DEPTH        4 /* causal steps followed: optic > port > nic > NCCL > job is four */
#define REASON_PLACES_MOST  1000000 /* more than the entities of 18,432 accelerators */
#define REASON_VOTES        64      /* a symptom that points at so many does not point at any */
#define REASON_STRENGTH_MIN 0.03    /* weaker explanations are coincidence */
#define REASON_UNSEEN_STEP  0.5     /* a step through something that was not itself reported */
#define REASON_WEIGHT_MAX   8.0     /* one kind of symptom never outweighs more than e^8 */
#define REASON_SILENT_JOB   3.0     /* a program's own error was not printed */
#define REASON_PARTIAL      25.0    /* at most, for each kind of effect of which many are missing */
#define REASON_PARTIAL_SLOW 3.0     /* the same where the effect may still come */
#define REASON_SLOW_MS      300000
#define REASON_SPEAK_MS     30000 /* in which who is well has spoken */
#define REASON_HALF                                                                                \
    0.5 /* of what it would take: so much has to be there for it to be believed at once */
#define REASON_ALIKE   8.0 /* how alike faults are in the share that they take: a beta sum */
#define REASON_INSTEAD 0.6 /* of what an unseen cause explains */
#define REASON_UPSTREAM                                                                            \
    0.25 /* a cause that was seen and explains the best one this well stands above it */
#define REASON_SILENT_SEEN 5.0    /* a part whose telemetry is fresh shows nothing */
#define REASON_BLINK       0.2    /* of what a sign explains that was over before */
#define REASON_BLINK_MS    12000  /* adapters retry for longer: seven times some four seconds */
#define REASON_TIMER_MS    30000  /* effects due so late at the least have a timer of their own */
#define REASON_OVER_MS     120000 /* how soon after a fault's end its effects cease to begin */
#define REASON_PLACES                                                                              \
    0.5 /* what each further place with the same symptom adds, up to REASON_PLACES_MAX of them: */
#define REASON_PLACES_MAX                                                                          \
    8 /* alone each would need a rare fault of its own; beyond, they share what made them */

void
symptom_of_rank(const struct kb_entry *e, const char *job, int rank, char entity[ENTITY_SIZE])
{
    char part[16];
    if (rank < 0 || strncmp(e->class_name, "user-", 5))
        return;
    snprintf(part, sizeof part, "%d", rank);
    entity_format(entity, ENTITY_RANK, job, part);
}

/* --- which entries can lead to something that was seen ------------------------------------------
 */

static int
reason_mark(struct reason *r, const struct kb_entry *e, unsigned depth)
{
    size_t n;
    if (depth > REASON_DEPTH || map_get(r->leads, &e, sizeof e))
        return 0;
    int rc = map_set(r->leads, &e, sizeof e, (void *)e, NULL);
    const struct kb_why *why = kb_causes_of(r->kb, e, &n);
    for (size_t i = 0; !rc && i < n; i++)
        rc = reason_mark(r, why[i].entry, depth + 1);
    return rc;
}

static bool
reason_leads(const struct reason *r, const struct kb_entry *e)
{
    return e && map_get(r->leads, &e, sizeof e);
}

/* A job's entry that is kept by rank is found under the job too. */
static int
reason_index_rank(struct reason *r, size_t i)
{
    char job[ENTITY_SIZE];
    const struct symptom *s = &r->symptoms[i];
    struct entity e;
    if (s->entry->scope != ENTITY_JOB || entity_parse(s->entity, &e, NULL) || e.kind != ENTITY_RANK)
        return 0;
    snprintf(job, sizeof job, "job:%.*s", (int)e.owner_len, e.name);
    struct reason_place *p = reason_place(r, job);
    return p ? reason_place_rank(r, p, i) : ERR_NOMEM;
}

static int
reason_index(struct reason *r)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < r->count; i++) {
        struct reason_place *p = reason_place(r, r->symptoms[i].entity);
        rc = p ? reason_place_symptom(r, p, i) : ERR_NOMEM;
        if (!rc)
            rc = reason_index_rank(r, i);
        if (!rc)
            rc = reason_mark(r, r->symptoms[i].entry, 0);
    }
    return rc;
}

/* --- candidates ------------------------------------------------------------------------------- */

static void reason_expand(struct reason *r, struct candidate *c);

struct candidate *
reason_candidate(struct reason *r, const struct kb_entry *e, struct reason_place *place)
{
    const void *key[2] = {place, e};
    struct candidate *c = map_get(r->by_key, key, sizeof key);
    if (c || r->candidate_count >= REASON_CANDIDATES)
        return c;
    c = arena_alloc(r->arena, sizeof *c);
    if (!c || map_set(r->by_key, key, sizeof key, c, NULL))
        return NULL;
    c->entry = e;
    c->place = place;
    c->entity = place->name;
    c->own = reason_seen(r, e, place, &c->own_index);
    c->observable =
        !c->own && r->world->observable && r->world->observable(r->world->ctx, c->entity, e);
    r->candidates[r->candidate_count++] = c;
    if (r->built)
        reason_expand(r, c);
    return c;
}

/* Roots nobody reported, inferred from what they would have caused: walk each cause's path
 * backwards. */
static void
reason_infer(struct reason *r, const struct symptom *s)
{
    size_t n;
    const struct kb_why *why = kb_causes_of(r->kb, s->entry, &n);
    struct reason_place *at = reason_place(r, s->entity);
    for (size_t i = 0; at && i < n; i++) {
        const struct kb_cause *c = why[i].cause;
        if (why[i].entry->role != KB_ROOT)
            continue;
        enum entity_kind back[8];
        for (size_t k = 0; k < c->path_len; k++)
            back[k] = c->path[c->path_len - 1 - k];
        if (c->path_len <= 1) {
            reason_candidate(r, why[i].entry, at);
            continue;
        }
        const struct reason_walk *w = reason_place_walk(r, at, back, c->path_len);
        if (!w || w->count >= REASON_VOTES)
            continue; /* points everywhere: says nothing */
        for (size_t k = 0; k < w->count; k++)
            reason_candidate(r, why[i].entry, w->at[k]);
    }
}

/* --- what a candidate explains ------------------------------------------------------------------
 */

/* What a sign that was over still explains: little of what came well after. Within seconds an
 * adapter's retries outlast it; later, what waits for a timer of its own (a watchdog) may still be
 * its. */
static double
reason_over(const struct symptom *from, const struct symptom *to, const struct kb_cause *c,
            int64_t late)
{
    if (!from->end_ms || to->first_ms <= from->end_ms)
        return 1;
    if (from->count == 1 && from->end_ms - from->first_ms < REASON_BLINK_MS &&
        to->first_ms - from->end_ms > REASON_BLINK_MS)
        return REASON_BLINK;
    int64_t gap = to->first_ms - from->end_ms - late;
    return c->delay_min_ms >= REASON_TIMER_MS || gap <= 0 ? 1 : exp(-(double)gap / REASON_OVER_MS);
}

/* How well a symptom's onset fits the cause's, 0 to 1. Unknown times fit. */
static double
reason_timing(const struct reason *r, const struct symptom *from, const struct symptom *to,
              const struct kb_cause *c)
{
    if (!from || !from->first_ms || !to->first_ms)
        return 0.8;
    int64_t blur = r->options.blur_ms;
    int64_t early =
        blur + (from->sampled ? r->options.sampling_ms : 0); /* the cause may be reported late */
    int64_t late = blur + (to->sampled ? r->options.sampling_ms : 0);
    int64_t delay = to->first_ms - from->first_ms;
    int64_t under = c->delay_min_ms - early - delay, over = delay - c->delay_max_ms - late;
    if (under > 0) /* an effect does not come before its cause, whoever reports late */
        return exp(-(double)under / (double)(15000 + early));
    double fits = over > 0 ? 0.1 + 0.9 * exp(-(double)over / (double)(30000 + late)) : 1;
    return fits * reason_over(from, to, c, late);
}

struct reason_step {
    const struct kb_entry *entry;
    struct reason_place *place;
    const struct symptom *seen;
    double strength;
    unsigned depth;
};

struct reason_reach {
    struct reason *r;
    struct candidate *c;
    const struct reason_step *from;
    const struct kb_cause *cause;
    struct reason_step *queue;
    size_t *tail, max;
    size_t hits, reached;
    double probability; /* the cause's, or what is left of it */
};

static void
reason_explain(struct reason *r, struct candidate *c, size_t symptom, double strength)
{
    if (r->slot[symptom]) {
        double *p = &c->explained[r->slot[symptom] - 1].strength;
        *p = 1 - (1 - *p) * (1 - strength); /* noisy-OR over paths */
        return;
    }
    if (c->explained_count == c->explained_cap) {
        size_t cap = c->explained_cap ? c->explained_cap * 2 : 8;
        struct explained *p = arena_alloc(r->arena, cap * sizeof *p);
        if (!p)
            return;
        if (c->explained_count)
            memcpy(p, c->explained, c->explained_count * sizeof *p);
        c->explained = p;
        c->explained_cap = cap;
    }
    c->explained[c->explained_count++] =
        (struct explained){.symptom = symptom, .strength = strength};
    r->slot[symptom] = c->explained_count;
}

/* One entity that a cause reaches; s: what was seen there of its symptom, NULL nothing. */
static void
reason_reached(struct reason_reach *w, struct reason_place *place, const struct symptom *s,
               size_t index)
{
    double p = w->from->strength * w->probability;
    if (s) {
        p *= reason_timing(w->r, w->from->seen, s, w->cause);
        w->hits++;
        if (p >= REASON_STRENGTH_MIN && s != w->c->own)
            reason_explain(w->r, w->c, index, p);
    } else {
        p *= REASON_UNSEEN_STEP;
    }
    if (p < REASON_STRENGTH_MIN || w->from->depth + 1 >= REASON_DEPTH || *w->tail >= w->max ||
        !reason_leads(w->r, w->cause->entry))
        return;
    if (s && strcmp(s->entity, place->name)) /* a rank's, found under its job */
        place = reason_place(w->r, s->entity);
    if (place)
        w->queue[(*w->tail)++] =
            (struct reason_step){w->cause->entry, place, s, p, w->from->depth + 1};
}

static void
reason_reach(struct reason_reach *w, struct reason_place *place)
{
    size_t index = 0;
    const struct symptom *s = reason_seen(w->r, w->cause->entry, place, &index);
    w->reached++;
    size_t i = s ? 0 : reason_first_rank(w->cause->entry, place);
    if (!i)
        reason_reached(w, place, s, index);
    for (; i; i = w->r->next[i - 1])
        reason_reached(w, place, &w->r->symptoms[i - 1], i - 1);
}

/* Would an effect that was not seen count: likely, due by now, and of an entity that is watched? */
static bool
reason_due(const struct reason *r, const struct candidate *c, const struct kb_cause *cause)
{
    const struct symptom *own = c->own;
    return cause->probability >= 0.6 && own &&
           own->first_ms + cause->delay_max_ms + r->options.blur_ms + r->options.sampling_ms <=
               r->options.now_ms &&
           r->world->observable(r->world->ctx, c->entity, cause->entry);
}

/* A direct effect that was due, could be seen, and was not: counts against. */
static void
reason_absent(struct reason *r, struct candidate *c, const struct kb_cause *cause, size_t reached)
{
    if (!reached || !reason_due(r, c, cause))
        return;
    double against = -log(1 - (cause->probability > 0.95 ? 0.95 : cause->probability));
    c->against += against > 1.5 ? 1.5 : against;
    if (c->absent_count < DIAGNOSIS_MISSING)
        c->absent[c->absent_count++] = cause;
}

/* A detector's word for silence: who has spoken since is well, without any grace. */
static bool
reason_silence(const struct kb_entry *e)
{
    size_t n = e ? strlen(e->id) : 0;
    return n > 7 && !strcmp(e->id + n - 7, ".absent");
}

struct reason_share {
    size_t hits, well; /* of those reached: shows it; shows nothing though it has spoken since */
    int64_t first_ms, since_ms; /* first of the hits; and with what its reporting may lag */
};

static void
reason_share_add(const struct reason *r, struct reason_share *sh, const struct symptom *s)
{
    int64_t since = s->first_ms + (s->sampled ? r->options.sampling_ms : 2 * r->options.blur_ms);
    if (reason_silence(s->entry))
        since = s->first_ms + 2 * r->options.blur_ms + REASON_SPEAK_MS;
    sh->since_ms = !sh->hits || since < sh->since_ms ? since : sh->since_ms;
    sh->first_ms = !sh->hits || s->first_ms < sh->first_ms ? s->first_ms : sh->first_ms;
    sh->hits++;
}

static struct reason_share
reason_share(struct reason *r, const struct kb_cause *cause, const struct reason_walk *walk)
{
    struct reason_share sh = {0};
    for (size_t i = 0; i < walk->count; i++) {
        const struct symptom *s = reason_seen(r, cause->entry, walk->at[i], NULL);
        size_t rank = s ? 0 : reason_first_rank(cause->entry, walk->at[i]);
        if (s || rank)
            reason_share_add(r, &sh, s ? s : &r->symptoms[rank - 1]);
    }
    for (size_t i = 0; sh.hits && i < walk->count; i++) {
        const struct reason_place *p = walk->at[i];
        if (reason_seen(r, cause->entry, p, NULL) || reason_first_rank(cause->entry, p))
            continue;
        sh.well += r->world->spoke ? r->world->spoke(r->world->ctx, p->name) >
                                         sh.first_ms + 2 * r->options.blur_ms
                                   : r->world->observable(r->world->ctx, p->name, cause->entry);
    }
    return sh;
}

/* A cause nobody saw, of whose many effects only some are there though the others are watched: a
 * rack that lost its power does not take one node of nine. The share that a fault takes varies from
 * fault to fault as a beta distribution about the cause's probability: its density at the share
 * against its peak counts against the cause, its mean after what was seen is the probability for
 * the rest. Returns that. */
static double
reason_partial(struct reason *r, struct candidate *c, const struct kb_cause *cause,
               const struct reason_walk *walk)
{
    double p = cause->probability > 0.95 ? 0.95 : cause->probability;
    struct reason_share sh = reason_share(r, cause, walk);
    bool slow = cause->delay_max_ms > REASON_SLOW_MS;
    c->whole |= !slow && (double)sh.hits >= REASON_HALF * p * (double)walk->count;
    if (!sh.hits || sh.hits == walk->count)
        return cause->probability;
    double share = (double)sh.hits / (double)(sh.hits + sh.well);
    if (sh.since_ms > r->options.now_ms) {
        c->early |= !slow;
        return cause->probability;
    }
    if (share >= p)
        return cause->probability;
    c->against +=
        fmin(slow ? REASON_PARTIAL_SLOW : REASON_PARTIAL, (REASON_ALIKE * p - 1) * log(p / share));
    return slow ? p
                : (REASON_ALIKE * p + (double)sh.hits) /
                      (REASON_ALIKE + (double)(sh.hits + sh.well));
}

/* An entry's causes, those that lead to something seen first. */
static const struct reason_effects *
reason_effects(struct reason *r, const struct kb_entry *e)
{
    struct reason_effects *f = map_get(r->effects, &e, sizeof e);
    if (f)
        return f;
    f = arena_alloc(r->arena, sizeof *f);
    if (!f || !(f->at = arena_alloc(r->arena, (e->cause_count + 1) * sizeof *f->at)))
        return NULL;
    for (int leads = 1; leads >= 0; leads--) {
        for (size_t i = 0; i < e->cause_count; i++)
            if (reason_leads(r, e->causes[i].entry) == (leads == 1))
                f->at[f->count++] = (struct reason_cause){&e->causes[i], leads == 1};
        f->leading = leads ? f->count : f->leading;
    }
    return map_set(r->effects, &e, sizeof e, f, NULL) ? NULL : f;
}

static void
reason_follow(struct reason *r, struct candidate *c, const struct reason_step *from,
              struct reason_step *queue, size_t *tail, size_t max)
{
    const struct reason_effects *f = reason_effects(r, from->entry);
    bool part_known = from->entry->scope == ENTITY_NODE || from->place->kind != ENTITY_NODE;
    for (size_t i = 0; f && i < (from->depth ? f->leading : f->count); i++) {
        const struct kb_cause *cause = f->at[i].cause;
        bool leads = f->at[i].leads;
        if (!leads && !reason_due(r, c, cause))
            continue;
        struct reason_reach w = {.r = r,
                                 .c = c,
                                 .from = from,
                                 .cause = cause,
                                 .queue = queue,
                                 .tail = tail,
                                 .max = max,
                                 .probability = cause->probability};
        const struct reason_walk *walk =
            cause->path_len > 1 || !part_known
                ? reason_place_walk(r, from->place, cause->path, cause->path_len)
                : NULL;
        if (walk && !from->depth && !c->own && part_known && cause->probability >= 0.5)
            w.probability = reason_partial(r, c, cause, walk);
        if (cause->path_len <= 1)
            reason_reach(&w, from->place);
        for (size_t k = 0; walk && k < walk->count && (leads || !k); k++)
            reason_reach(&w, walk->at[k]);
        if (!w.hits && !from->depth)
            reason_absent(r, c, cause, w.reached);
    }
}

/* Whatever goes wrong in a job's own processes, or badly on its nodes, can end the job: no entry
 * has to say so. */
static void
reason_job(struct reason *r, struct candidate *c)
{
    char job[ENTITY_SIZE];
    size_t index;
    const struct kb_cause ends = {.delay_min_ms = 0, .delay_max_ms = 900000};
    bool inside = c->entry->scope == ENTITY_JOB || c->entry->scope == ENTITY_RANK;
    if (!c->own || !c->own->job || !*c->own->job || c->entry->role != KB_ROOT ||
        (!inside && c->entry->severity != SEVERITY_CRITICAL) ||
        entity_format(job, ENTITY_JOB, c->own->job, NULL))
        return;
    const struct symptom *failed =
        reason_seen(r, kb_find(r->kb, "job.failed"), reason_place(r, job), &index);
    if (failed && failed != c->own && !r->slot[index])
        reason_explain(r, c, index, 0.6 * reason_timing(r, c->own, failed, &ends));
}

/* By kind of symptom, the best explained first. */
static int
reason_by_entry(const void *a, const void *b, void *ctx)
{
    const struct reason *r = ctx;
    const struct explained *x = a, *y = b;
    const struct kb_entry *p = r->symptoms[x->symptom].entry, *q = r->symptoms[y->symptom].entry;
    if (p != q)
        return p < q ? -1 : 1;
    return x->strength > y->strength ? -1 : x->strength < y->strength;
}

static void
reason_expand(struct reason *r, struct candidate *c)
{
    struct reason_step *queue = r->queue;
    size_t tail = 0;
    queue[tail++] = (struct reason_step){c->entry, c->place, c->own, 1, 0};
    if (c->own)
        reason_explain(r, c, c->own_index, 1);
    for (size_t head = 0; head < tail; head++) {
        struct reason_step step = queue[head];
        reason_follow(r, c, &step, queue, &tail, REASON_REACH);
    }
    reason_job(r, c);
    c->early &= !c->whole; /* one kind of effect that is complete is enough */
    for (size_t i = 0; i < c->explained_count; i++)
        r->slot[c->explained[i].symptom] = 0;
    if (c->explained_count)
        qsort_r(c->explained, c->explained_count, sizeof *c->explained, reason_by_entry, r);
}

/* --- scores ----------------------------------------------------------------------------------- */

/* What seeing a symptom is worth when explained with full strength: log of its rate with the fault
 * over its rate without; the background is per 10,000 entities and 30 days, the window about ten
 * minutes. */
static double
reason_weight(const struct kb_entry *e)
{
    double background = e->background > 0 ? e->background : 0.1;
    double w = 4.5 - 0.8 * log(background);
    if (e->severity == SEVERITY_INFO)
        w *= 0.4;
    return w < 0.5 ? 0.5 : w > REASON_WEIGHT_MAX ? REASON_WEIGHT_MAX : w;
}

static double
reason_prior(const struct kb_entry *e)
{
    double p = log((e->prior > 0 ? e->prior : 0.05) / 10);
    return p < -3 ? -3 : p > 2 ? 2 : p;
}

static double
reason_places(size_t n)
{
    double more = (double)(n - 1);
    return more <= REASON_PLACES_MAX
               ? 1 + REASON_PLACES * more
               : 1 + REASON_PLACES * REASON_PLACES_MAX + 0.3 * log(more / REASON_PLACES_MAX);
}

/* What it costs that a cause did not show itself: much where it would have by now (its telemetry is
 * fresh), and for a program, whose output is read anyway. */
static double
reason_silent(const struct reason *r, const struct candidate *c)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < c->explained_count; i++)
        if (r->symptoms[c->explained[i].symptom].first_ms < first)
            first = r->symptoms[c->explained[i].symptom].first_ms;
    if (c->entry->scope == ENTITY_JOB || c->entry->scope == ENTITY_RANK)
        return REASON_SILENT_JOB;
    bool due = first != INT64_MAX &&
               first + r->options.sampling_ms + 2 * r->options.blur_ms < r->options.now_ms;
    return due && c->observable ? REASON_SILENT_SEEN : 0;
}

/* Score over the symptoms that are not taken yet. */
void
reason_score(const struct reason *r, struct candidate *c)
{
    double score = 0.6 * reason_prior(c->entry) - c->against + c->common;
    size_t kinds = 0, places = 0;
    for (size_t i = 0; i < c->explained_count;) {
        const struct kb_entry *e = r->symptoms[c->explained[i].symptom].entry;
        double best = 0;
        size_t n = 0;
        for (; i < c->explained_count && r->symptoms[c->explained[i].symptom].entry == e; i++)
            if (!r->taken[c->explained[i].symptom]) {
                best = c->explained[i].strength > best ? c->explained[i].strength : best;
                n++;
            }
        if (!n)
            continue;
        kinds++;
        places += n;
        score += reason_weight(e) * best * reason_places(n);
    }
    c->seen_kinds = kinds;
    c->seen_places = places;
    if (!c->own || r->taken[c->own_index]) {
        score -= places < 4
                     ? 5
                     : 3; /* its own signal was not seen; many witnesses make up for some of it */
        if (!c->own)
            score -= reason_silent(r, c);
        if (places < 2)
            score -= 3; /* one witness does not convict somebody unseen */
    } else if (c->entry->role == KB_CASCADE)
        score -= 6; /* a consequence, by what is known of it */
    else if (c->entry->role == KB_CONFIRMATION)
        score -= 3;
    c->score = kinds ? score : -1e9;
}

static int
reason_build(struct reason *r)
{
    /* roots first: a flood of consequences must not crowd them out */
    static const enum kb_role order[] = {KB_ROOT, KB_CONFIRMATION, KB_CASCADE};
    int rc = reason_index(r);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; !rc && i < r->count; i++)
            if (r->symptoms[i].entry->role == order[k] &&
                !reason_candidate(r, r->symptoms[i].entry,
                                  reason_place(r, r->symptoms[i].entity)) &&
                r->candidate_count < REASON_CANDIDATES)
                rc = ERR_NOMEM;
    for (size_t i = 0; !rc && i < r->count; i++)
        reason_infer(r, &r->symptoms[i]);
    for (size_t i = 0; !rc && i < r->candidate_count; i++)
        reason_expand(r, r->candidates[i]);
    r->built = true;
    return rc;
}

static void
reason_done(struct reason *r)
{
    map_free(r->places, NULL);
    map_free(r->effects, NULL);
    free(r->next);
    free(r->slot);
    map_free(r->leads, NULL);
    map_free(r->by_key, NULL);
    arena_free(r->arena);
    free(r->candidates);
    free(r->taken);
    free(r->queue);
}

static int
reason_init(struct reason *r, const struct kb *kb, const struct world *w, const struct symptom *s,
            size_t n, const struct reason_options *o)
{
    *r = (struct reason){.kb = kb, .world = w, .symptoms = s, .count = n, .options = *o};
    if (n > REASON_SYMPTOMS)
        return ERR_LIMIT;
    if (!r->options.blur_ms)
        r->options.blur_ms = 5000;
    if (!r->options.sampling_ms)
        r->options.sampling_ms = 45000;
    r->next = calloc(n + 1, sizeof *r->next);
    r->slot = calloc(n + 1, sizeof *r->slot);
    r->leads = map_new(100000);
    r->by_key = map_new(REASON_CANDIDATES);
    r->arena = arena_new((size_t)512 << 20);
    r->candidates = calloc(REASON_CANDIDATES, sizeof *r->candidates);
    r->taken = calloc(n + 1, sizeof *r->taken);
    r->queue = calloc(REASON_REACH, sizeof(struct reason_step));
    r->places = map_new(REASON_PLACES_MOST);
    r->effects = map_new(100000);
    if (!r->places || !r->effects || !r->next || !r->slot || !r->leads || !r->by_key || !r->arena ||
        !r->candidates || !r->taken || !r->queue)
        return ERR_NOMEM;
    return reason_build(r);
}

static struct candidate *
reason_best(struct reason *r)
{
    struct candidate *best = NULL;
    for (size_t i = 0; i < r->candidate_count; i++) {
        struct candidate *c = r->candidates[i];
        reason_score(r, c);
        if (c->score > -1e8 && (!best || c->score > best->score))
            best = c;
    }
    return best;
}

static double
reason_strength(const struct candidate *c, size_t symptom)
{
    for (size_t i = 0; i < c->explained_count; i++)
        if (c->explained[i].symptom == symptom)
            return c->explained[i].strength;
    return 0;
}

/* A cause that was seen and explains most of what an unseen one would is believed instead of it. */
static struct candidate *
reason_seen_instead(struct reason *r, struct candidate *best)
{
    struct candidate *instead = NULL;
    double most = REASON_INSTEAD * (double)best->explained_count;
    for (size_t i = 0; i < r->candidate_count; i++) {
        struct candidate *c = r->candidates[i];
        double shared = 0;
        if (!c->own || r->taken[c->own_index] || c->entry->role != KB_ROOT || c->score < -1e8 ||
            c->entry->scope == ENTITY_JOB || c->entry->scope == ENTITY_RANK ||
            c->explained_count < best->explained_count / 2)
            continue;
        for (size_t k = 0; k < best->explained_count; k++)
            shared += reason_strength(c, best->explained[k].symptom) > 0;
        if (shared > most) {
            instead = c;
            most = shared;
        }
    }
    return instead ? instead : best;
}

/* A remark that explains a fault that was seen does not stand before it. */
static struct candidate *
reason_not_remark(struct reason *r, struct candidate *best)
{
    struct candidate *fault = best;
    for (size_t i = 0; i < r->candidate_count; i++) {
        struct candidate *c = r->candidates[i];
        if (!c->own || r->taken[c->own_index] || c->entry->role != KB_ROOT || c->score < -1e8 ||
            c->entry->severity == SEVERITY_INFO || !(reason_strength(best, c->own_index) > 0))
            continue;
        if (fault == best || c->score > fault->score)
            fault = c;
    }
    return fault;
}

/* Up the chain: the best by score often is what shows most, a step below the cause that was itself
 * seen. */
static struct candidate *
reason_upstream(struct reason *r, struct candidate *best)
{
    if (best && !best->own)
        best = reason_seen_instead(r, best);
    for (unsigned depth = 0; best && best->own && depth < REASON_DEPTH; depth++) {
        struct candidate *up = NULL;
        double most = REASON_UPSTREAM;
        for (size_t i = 0; i < r->candidate_count; i++) {
            struct candidate *c = r->candidates[i];
            if (c == best || !c->own || r->taken[c->own_index] || c->entry->role != KB_ROOT ||
                c->score < -1e8 || c->entry->severity == SEVERITY_INFO)
                continue;
            double s = reason_strength(c, best->own_index);
            if (s > most && s > reason_strength(best, c->own_index) + 0.1) {
                up = c;
                most = s;
            }
        }
        if (!up)
            break;
        best = up;
    }
    return best && best->own && best->entry->severity == SEVERITY_INFO ? reason_not_remark(r, best)
                                                                       : best;
}

static int
reason_take(struct reason *r, struct candidate *best, struct reason_case *c)
{
    c->symptoms = calloc(best->explained_count + 1, sizeof *c->symptoms);
    if (!c->symptoms)
        return ERR_NOMEM;
    int rc = reason_answer(r, best, &c->diagnosis);
    for (size_t i = 0; !rc && i < best->explained_count; i++) {
        size_t s = best->explained[i].symptom;
        if (!r->taken[s])
            c->symptoms[c->symptom_count++] = s;
    }
    for (size_t i = 0; i < c->symptom_count; i++)
        r->taken[c->symptoms[i]] = true;
    c->planned = r->world->planned && r->world->planned(r->world->ctx, best->entity);
    c->seen = best->own != NULL;
    c->early = best->early;
    c->telling = best->own ? best->entry->role == KB_ROOT : best->seen_places > 1;
    return rc;
}

int
reason_again(struct reason *r, struct candidate *best, struct reason_case *ret)
{
    reason_best(r);
    return reason_take(r, best, ret);
}

int
reason_cases(const struct kb *kb, const struct world *w, const struct symptom *s, size_t n,
             const struct reason_options *o, struct reason_cases *ret)
{
    struct reason r;
    struct reason_cases out = {.at = calloc(n + 1, sizeof *out.at)};
    int rc = reason_init(&r, kb, w, s, n, o);
    if (!out.at)
        rc = ERR_NOMEM;
    struct candidate *best;
    const struct candidate **firsts = calloc(n + 1, sizeof *firsts);
    if (!firsts)
        rc = ERR_NOMEM;
    while (!rc && out.count < n && (best = reason_upstream(&r, reason_best(&r)))) {
        firsts[out.count] = best;
        rc = reason_take(&r, best, &out.at[out.count++]);
    }
    if (!rc)
        rc = reason_common(&r, firsts, &out);
    if (!rc)
        rc = reason_kin(&r, firsts, &out);
    free(firsts);
    reason_done(&r);
    if (rc)
        reason_cases_done(&out);
    else
        *ret = out;
    return rc;
}

void
reason_cases_done(struct reason_cases *c)
{
    for (size_t i = 0; c->at && i < c->count; i++) {
        diagnosis_free(c->at[i].diagnosis);
        free(c->at[i].symptoms);
    }
    free(c->at);
    *c = (struct reason_cases){0};
}

int
reason_one(const struct kb *kb, const struct world *w, const struct symptom *s, size_t n,
           const struct reason_options *o, struct diagnosis **ret)
{
    struct reason r;
    int rc = reason_init(&r, kb, w, s, n, o);
    struct candidate *best = rc ? NULL : reason_upstream(&r, reason_best(&r));
    if (!rc && best)
        rc = reason_answer(&r, best, ret);
    else if (!rc && !(*ret = diagnosis_new()))
        rc = ERR_NOMEM;
    reason_done(&r);
    return rc;
}
