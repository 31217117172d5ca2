/* reason_answer: puts a ranked hypothesis list into an answer: confidences, evidence in time order,
 * what is missing, the test that would settle it, victims apart from the root. */
#include "analyzer/reason_priv.h"
#include "base/err.h"
#include "base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_UNKNOWN_SCORE 2.5  /* the rival "something we do not know": log units */
#define ANSWER_SAME_PART     0.3  /* another sign of the same part, seen too, is hardly a rival */
#define ANSWER_OTHER_NAME    0.1  /* what a further name of the same fault keeps for itself */
#define ANSWER_RIVAL         0.05 /* a rival below is not worth a test of its own */
#define ANSWER_SHARPER                                                                             \
    2.0 /* on the log-odds: learnt from campaigns (tests/campaign/calibrate), docs/CAMPAIGN.md */
#define ANSWER_TEMPERATURE                                                                         \
    1.6 /* scores are over-sure by about this factor (correlated evidence)                         \
         */

struct answer {
    const struct reason *r;
    struct diagnosis *d;
    const struct candidate *rivals[REASON_CANDIDATES];
    double scores[REASON_CANDIDATES];
    size_t rival_count;
    bool *of_best; /* by symptom: the first rival explains it */
};

static const char *answer_printf(struct diagnosis *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static const char *
answer_printf(struct diagnosis *d, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *s = arena_str(d->arena, text, strlen(text));
    return s ? s : "";
}

static const char *
answer_str(struct diagnosis *d, const char *s)
{
    const char *p = s ? arena_str(d->arena, s, strlen(s)) : "";
    return p ? p : "";
}

/* A rival explains something that the best one does, and nothing but what is still free. */
static bool
answer_rivals(const struct reason *r, const bool *of_best, const struct candidate *c)
{
    for (size_t i = 0; i < c->explained_count; i++)
        if (of_best[c->explained[i].symptom] && !r->taken[c->explained[i].symptom])
            return true;
    return false;
}

static int
answer_by_score(const void *a, const void *b)
{
    const struct candidate *x = *(const struct candidate *const *)a,
                           *y = *(const struct candidate *const *)b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    bool ox = x->own != NULL, oy = y->own != NULL;
    if (ox != oy)
        return ox ? -1 : 1;
    int64_t tx = ox ? x->own->first_ms : 0, ty = oy ? y->own->first_ms : 0;
    return tx != ty ? (tx < ty ? -1 : 1) : strcmp(x->entity, y->entity);
}

static int
answer_rank(struct answer *a, const struct candidate *best)
{
    const struct reason *r = a->r;
    bool *of_best = a->of_best = calloc(r->count + 1, sizeof *of_best);
    if (!of_best)
        return ERR_NOMEM;
    for (size_t i = 0; i < best->explained_count; i++)
        of_best[best->explained[i].symptom] = true;
    for (size_t i = 0; i < r->candidate_count; i++)
        if (r->candidates[i] == best ||
            (r->candidates[i]->score > -1e8 && answer_rivals(r, of_best, r->candidates[i])))
            a->rivals[a->rival_count++] = r->candidates[i];
    if (a->rival_count)
        qsort(a->rivals, a->rival_count, sizeof *a->rivals, answer_by_score);
    for (size_t i = 1; i < a->rival_count; i++)
        if (a->rivals[i] == best) { /* it may stand above what shows most */
            memmove(&a->rivals[1], &a->rivals[0], i * sizeof *a->rivals);
            a->rivals[0] = best;
            break;
        }
    return 0;
}

/* --- one hypothesis --------------------------------------------------------------------------- */

static int
answer_by_time(const void *a, const void *b)
{
    const struct evidence *x = a, *y = b;
    return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

static int
answer_by_strength(const void *a, const void *b)
{
    const struct explained *x = a, *y = b;
    return x->strength > y->strength ? -1 : x->strength < y->strength;
}

static void
answer_evidence(struct answer *a, const struct candidate *c, struct hypothesis *h)
{
    struct diagnosis *d = a->d;
    h->evidence = arena_alloc(d->arena, DIAGNOSIS_EVIDENCE * sizeof *h->evidence);
    struct explained *order = malloc((c->explained_count + 1) * sizeof *order);
    if (!h->evidence || !order)
        goto out;
    if (c->explained_count)
        memcpy(order, c->explained, c->explained_count * sizeof *order);
    if (c->explained_count)
        qsort(order, c->explained_count, sizeof *order, answer_by_strength);
    for (size_t i = 0; i < c->explained_count && h->evidence_count < DIAGNOSIS_EVIDENCE; i++) {
        const struct symptom *s = &a->r->symptoms[order[i].symptom];
        if (a->r->taken[order[i].symptom])
            continue;
        h->evidence[h->evidence_count++] =
            (struct evidence){.time_ms = s->first_ms,
                              .entity = answer_str(d, s->entity),
                              .signal = answer_str(d, s->entry->id),
                              .source = answer_str(d, s->source),
                              .text = answer_str(d, s->text),
                              .count = s->count,
                              .weight = order[i].strength * (s == c->own ? 6 : 3)};
    }
    if (h->evidence_count)
        qsort(h->evidence, h->evidence_count, sizeof *h->evidence, answer_by_time);
out:
    free(order);
}

static void
answer_missing(struct answer *a, const struct candidate *c, struct hypothesis *h)
{
    struct diagnosis *d = a->d;
    h->missing = arena_alloc(d->arena, (DIAGNOSIS_MISSING + 1) * sizeof *h->missing);
    if (!h->missing)
        return;
    if (!c->own)
        h->missing[h->missing_count++] = (struct missing){
            answer_str(d, c->entry->id),
            {answer_printf(d, "%s itself reported nothing; it is inferred from what depends on it",
                           c->entity),
             answer_printf(d, "%s 自身没有上报,由依赖它的对象推断得出", c->entity)}};
    for (size_t i = 0; i < c->absent_count && h->missing_count < DIAGNOSIS_MISSING; i++) {
        const struct kb_entry *e = c->absent[i]->entry;
        if (e)
            h->missing[h->missing_count++] = (struct missing){
                answer_str(d, e->id),
                {answer_printf(d, "expected in %.0f %% of such cases and due by now: %s",
                               c->absent[i]->probability * 100, e->title.en),
                 answer_printf(d, "此类故障中 %.0f %% 会出现且应已出现:%s",
                               c->absent[i]->probability * 100, e->title.zh)}};
    }
}

/* What settles it: a look at a part that said nothing itself; what tells it from a rival elsewhere
 * that may well be it; else what shows that it is of its class. */
static void
answer_next_test(struct answer *a, size_t i, struct hypothesis *h)
{
    struct diagnosis *d = a->d;
    const struct candidate *c = a->rivals[i],
                           *rival = i + 1 < a->rival_count ? a->rivals[i + 1] : NULL;
    const struct kb_text *test = kb_class_test(c->entry->class_name);
    if (!c->own)
        h->next_test = (struct kb_text){
            answer_printf(d, "Look at %s directly: %s", c->entity, c->entry->title.en),
            answer_printf(d, "直接检查 %s:%s", c->entity, c->entry->title.zh)};
    else if (rival && strcmp(rival->entity, c->entity) && a->scores[i + 1] >= ANSWER_RIVAL)
        h->next_test = (struct kb_text){
            answer_printf(d, "Tell it from the next candidate: check %s for \"%s\"", rival->entity,
                          rival->entry->title.en),
            answer_printf(d, "与下一候选区分:检查 %s 是否存在“%s”", rival->entity,
                          rival->entry->title.zh)};
    else
        h->next_test = test ? *test : *kb_class_test("unknown");
}

/* A user's error that several ranks of a job print is the job's, not one rank's. */
static const char *
answer_entity(struct answer *a, const struct candidate *c)
{
    char job[ENTITY_SIZE];
    struct entity e;
    if (entity_kind_of(c->entity) != ENTITY_RANK || entity_parse(c->entity, &e, NULL))
        return answer_str(a->d, c->entity);
    for (size_t i = 0; i < a->r->count; i++) {
        const struct symptom *s = &a->r->symptoms[i];
        if (s->entry == c->entry && strcmp(s->entity, c->entity) &&
            !strncmp(s->entity, c->entity, (size_t)(e.name - c->entity) + e.owner_len + 1)) {
            snprintf(job, sizeof job, "job:%.*s", (int)e.owner_len, e.name);
            return answer_str(a->d, job);
        }
    }
    return answer_str(a->d, c->entity);
}

static void
answer_hypothesis(struct answer *a, size_t i)
{
    const struct candidate *c = a->rivals[i];
    struct hypothesis *h = &a->d->hypotheses[a->d->hypothesis_count];
    const char *entity = answer_entity(a, c);
    for (size_t k = 0; k < a->d->hypothesis_count; k++)
        if (a->d->hypotheses[k].entry == c->entry && !strcmp(a->d->hypotheses[k].entity, entity)) {
            a->d->hypotheses[k].confidence += a->scores[i];
            return;
        }
    h->entry = c->entry;
    h->cause = c->entry->id;
    h->class_name = c->entry->class_name;
    h->entity = entity;
    h->score = c->score;
    h->confidence = a->scores[i];
    h->summary = (struct kb_text){answer_printf(a->d, "%s: %s", entity, c->entry->title.en),
                                  answer_printf(a->d, "%s:%s", entity, c->entry->title.zh)};
    h->actions = c->entry->actions;
    h->action_count = c->entry->action_count;
    answer_evidence(a, c, h);
    answer_missing(a, c, h);
    answer_next_test(a, i, h);
    a->d->hypothesis_count++;
}

/* The share of what the best one explains that a rival explains too: who explains one of sixty is
 * no rival for all. */
static double
answer_coverage(const struct answer *a, const struct candidate *c)
{
    size_t both = 0;
    for (size_t k = 0; k < c->explained_count; k++)
        both += a->of_best[c->explained[k].symptom];
    return a->rivals[0]->explained_count ? (double)both / (double)a->rivals[0]->explained_count : 1;
}

/* An answer is right when it names the part and what kind of fault it has: hypotheses that say both
 * alike speak for the first one, whichever of them is the very cause. */
static void
answer_agree(struct answer *a)
{
    const struct candidate *best = a->rivals[0];
    for (size_t i = 1; i < a->rival_count; i++) {
        const struct candidate *c = a->rivals[i];
        if (strcmp(c->entry->class_name, best->entry->class_name) ||
            strcmp(strchr(c->entity, ':'), strchr(best->entity, ':')))
            continue;
        a->scores[0] += (1 - ANSWER_OTHER_NAME) * a->scores[i];
        a->scores[i] *= ANSWER_OTHER_NAME;
    }
}

/* Temperature scaling of what is claimed: one half stays one half, so that no verdict changes. */
static void
answer_sharpen(struct answer *a)
{
    double p = a->scores[0], q = 1 - p;
    if (p <= 0 || q <= 0)
        return;
    double sharp = pow(p, ANSWER_SHARPER) / (pow(p, ANSWER_SHARPER) + pow(q, ANSWER_SHARPER));
    a->scores[0] = sharp;
    for (size_t i = 1; i < a->rival_count; i++)
        a->scores[i] *= (1 - sharp) / q;
}

/* Softmax over the rivals and "unknown". What the best one itself caused is no rival of its: it
 * keeps a tenth. */
static void
answer_confidence(struct answer *a)
{
    const struct candidate *best = a->rivals[0];
    double top = best->score, sum;
    for (size_t i = 1; i < a->rival_count; i++)
        top = a->rivals[i]->score > top ? a->rivals[i]->score : top;
    sum = exp((ANSWER_UNKNOWN_SCORE - top) / ANSWER_TEMPERATURE);
    for (size_t i = 0; i < a->rival_count; i++) {
        const struct candidate *c = a->rivals[i];
        double s = i ? exp((c->score - top) / ANSWER_TEMPERATURE) : 1;
        if (i && c->own && best->own && reason_near(c->entity, best->entity))
            s *= ANSWER_SAME_PART;
        if (i)
            s *= answer_coverage(a, c);
        for (size_t k = 0; i && c->own && k < best->explained_count; k++)
            if (best->explained[k].symptom == c->own_index)
                s *= 1 - 0.9 * best->explained[k].strength;
        a->scores[i] = s;
        sum += s;
    }
    for (size_t i = 0; i < a->rival_count; i++)
        a->scores[i] /= sum;
    answer_agree(a);
    answer_sharpen(a);
}

static bool
answer_has_victim(const struct diagnosis *d, const char *entity)
{
    for (size_t i = 0; i < d->victim_count; i++)
        if (!strcmp(d->victims[i], entity))
            return true;
    return false;
}

static void
answer_victim(struct diagnosis *d, const char *entity)
{
    if (d->victim_count < DIAGNOSIS_VICTIMS && strcmp(entity, d->hypotheses[0].entity) &&
        !answer_has_victim(d, entity))
        d->victims[d->victim_count++] = answer_str(d, entity);
}

static void
answer_victims(struct answer *a, const struct candidate *best)
{
    struct diagnosis *d = a->d;
    char job[ENTITY_SIZE];
    d->victims = arena_alloc(d->arena, DIAGNOSIS_VICTIMS * sizeof *d->victims);
    if (!d->victims)
        return;
    for (size_t i = 0; i < best->explained_count; i++) {
        const struct symptom *s = &a->r->symptoms[best->explained[i].symptom];
        if (a->r->taken[best->explained[i].symptom])
            continue;
        if (s->first_ms && (!d->from_ms || s->first_ms < d->from_ms))
            d->from_ms = s->first_ms;
        if (s->last_ms > d->to_ms)
            d->to_ms = s->last_ms;
        answer_victim(d, s->entity);
        if (s->job && *s->job && strcmp(s->job, "-") &&
            !entity_format(job, ENTITY_JOB, s->job, NULL))
            answer_victim(d, job);
    }
}

int
reason_answer(const struct reason *r, const struct candidate *best, struct diagnosis **ret)
{
    struct answer *a = calloc(1, sizeof *a);
    struct diagnosis *d = diagnosis_new();
    int rc = a && d ? 0 : ERR_NOMEM;
    if (rc)
        goto out;
    a->r = r;
    a->d = d;
    rc = answer_rank(a, best);
    if (rc)
        goto out;
    answer_confidence(a);
    for (size_t i = 0; i < a->rival_count && d->hypothesis_count < DIAGNOSIS_HYPOTHESES; i++)
        answer_hypothesis(a, i);
    answer_victims(a, best);
    diagnosis_conclude(d);
    *ret = d;
    d = NULL;
out:
    diagnosis_free(d);
    if (a)
        free(a->of_best);
    free(a);
    return rc;
}
