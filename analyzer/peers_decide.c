/* peers_decide: of all evidence, what is said: which members, which groups, and who is explained by
 * whom.
 *
 * The limit: with n sums watched for a day of s steps, a member is named when its evidence exceeds
 * log(n s / alpha) less the logarithm of its rank; so of what is named at most the part alpha is
 * false, and about alpha a day where nobody is slow. */
#include "analyzer/peers_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MOST 0.6f  /* of its parts must be slow before a group is */
#define PEERS_PART 0.35f /* of a shape, smoothed: a part that is slow */

static float
peers_limit(const struct peers *p, size_t watched)
{
    double steps = 86400000.0 / (double)(p->every_ms > 0 ? p->every_ms : 5000);
    return (float)log(((double)watched + 1) * PEERS_SHAPES * steps / (double)PEERS_ALPHA);
}

static struct peers_finding *
peers_found(struct peers *p)
{
    if (p->found_count == p->found_cap) {
        size_t cap = p->found_cap ? p->found_cap * 2 : 64;
        struct peers_finding *f = realloc(p->found, cap * sizeof *f);
        if (!f)
            return NULL;
        p->found = f;
        p->found_cap = cap;
    }
    struct peers_finding *f = &p->found[p->found_count++];
    *f = (struct peers_finding){0};
    return f;
}

static const struct peers_job *
peers_job_at(const struct peers *p, size_t place)
{
    return &p->jobs[p->members[p->member_at[place]].job];
}

/* The measure whose distance is most of what the shape expects of it. */
static void
peers_tell(const struct peers *p, struct peers_finding *f, size_t place)
{
    const struct peers_job *j = peers_job_at(p, place);
    const struct peers_shape *s = &peers_shapes[f->shape];
    float best = -INFINITY;
    f->job = p->members[p->member_at[place]].job;
    for (size_t i = 0; i < sizeof s->at / sizeof *s->at && s->at[i].shift != 0; i++) {
        int m = peers_measure(s->at[i].meaning);
        if (m < 0 || isnan(j->median[m]))
            continue;
        float part = p->drift[m][place] / s->at[i].shift * fabsf(s->at[i].shift);
        if (part <= best)
            continue;
        best = part;
        f->measure = s->at[i].meaning;
        f->shift = p->drift[m][place];
        f->median = j->median[m];
        f->value = j->median[m] + f->shift * (j->median[m] + peers_rows[m].pad);
    }
}

/* Is the rest of the group as slow? Then it is not this part of it alone: `part` is left out. */
static bool
peers_rest_is_slow(const struct peers *p, enum peers_level level, uint32_t group, size_t k,
                   enum peers_level part, uint32_t part_at)
{
    float sum = 0;
    uint32_t n = 0;
    if (group == PEERS_NONE || !(peers_shapes[k].levels & 1u << level))
        return false;
    for (size_t i = p->groups[level].at[group * PEERS_SHAPES].first; i < p->places; i++) {
        uint32_t m = p->member_at[i];
        if (m == PEERS_NONE || p->members[m].group[level] != group ||
            (part == PEERS_GPU ? m : p->members[m].group[part]) == part_at)
            continue;
        sum += p->share[k][i];
        n++;
        if (n == p->groups[level].at[group * PEERS_SHAPES].members)
            break;
    }
    return n && sum / (float)n > PEERS_PART / 2;
}

/* --- groups ----------------------------------------------------------------------------------- */

/* Parts of a group: accelerators of a node, nodes of what is larger. Adds each member to its part
 * (part_of: node -> slot), so that one slow node is no slow rack. */
struct peers_parts {
    uint32_t slow, of, members;
    float share;
};

static struct peers_parts
peers_parts_of(const struct peers *p, enum peers_level level, uint32_t group, size_t k, float part)
{
    struct peers_parts r = {0};
    uint32_t node = PEERS_NONE, n = 0;
    float sum = 0;
    for (size_t i = 0; i <= p->places; i++) {
        uint32_t m = i < p->places ? p->member_at[i] : PEERS_NONE;
        if (i < p->places && (m == PEERS_NONE || p->members[m].group[level] != group))
            continue;
        uint32_t of = i == p->places        ? PEERS_NONE
                      : level == PEERS_NODE ? (uint32_t)i
                                            : p->members[m].group[PEERS_NODE];
        if (n && of != node) {
            r.of++;
            r.slow += sum / (float)n > part;
            sum = 0;
            n = 0;
        }
        if (i == p->places)
            break;
        node = of;
        sum += p->share[k][i];
        r.share += p->share[k][i];
        n++;
        r.members++;
    }
    r.share /= (float)(r.members ? r.members : 1);
    return r;
}

/* Power and cooling that feed nothing but one rack are that rack. */
static bool
peers_is_rack(const struct peers *p, enum peers_level level, uint32_t group)
{
    if (level <= PEERS_RACK)
        return false;
    const struct peers_group *g = &p->groups[level].at[group * PEERS_SHAPES];
    uint32_t rack = p->members[p->member_at[g->first]].group[PEERS_RACK];
    return rack != PEERS_NONE &&
           p->groups[PEERS_RACK].at[rack * PEERS_SHAPES].members == g->members;
}

static void
peers_explain(struct peers *p, enum peers_level level, uint32_t group)
{
    for (size_t i = 0; i < p->places; i++)
        if (p->member_at[i] != PEERS_NONE && p->members[p->member_at[i]].group[level] == group) {
            p->explained[i] = 1;
            p->jobs[p->members[p->member_at[i]].job].blamed = true;
        }
}

static bool
peers_explained(const struct peers *p, enum peers_level level, uint32_t group)
{
    size_t n = 0, all = 0;
    for (size_t i = 0; i < p->places; i++)
        if (p->member_at[i] != PEERS_NONE && p->members[p->member_at[i]].group[level] == group) {
            n += p->explained[i];
            all++;
        }
    return n * 2 >= all;
}

/* It is as the others again: what was held against it is not the start of the next finding. */
static void
peers_forget(struct peers *p, size_t place)
{
    for (size_t k = 0; k < PEERS_SHAPES; k++)
        p->score[k][place] = 0;
}

/* Its members too: else they would be named one by one for what they did in it. */
static void
peers_forget_group(struct peers *p, enum peers_level level, uint32_t group)
{
    for (size_t k = 0; k < PEERS_SHAPES; k++)
        p->groups[level].at[group * PEERS_SHAPES + k].score = 0;
    for (size_t i = 0; i < p->places; i++)
        if (p->member_at[i] != PEERS_NONE && p->members[p->member_at[i]].group[level] == group)
            peers_forget(p, i);
}

static void
peers_judge_group(struct peers *p, enum peers_level level, uint32_t group, size_t k, float limit)
{
    struct peers_group *g = &p->groups[level].at[group * PEERS_SHAPES + k];
    bool was = g->flagged;
    g->top = was ? fmaxf(g->top, g->score) : g->score;
    float need = was ? fmaxf(limit / 3, g->top - PEERS_FALL) : limit;
    g->flagged = false;
    if (was && g->score < need)
        peers_forget_group(p, level, group);
    if (g->members < 2 || g->score < need || peers_is_rack(p, level, group) ||
        peers_explained(p, level, group))
        return;
    if (level == PEERS_NODE && !was &&
        peers_rest_is_slow(p, PEERS_RACK, p->members[p->member_at[g->first]].group[PEERS_RACK], k,
                           level, group))
        return;
    struct peers_parts parts =
        peers_parts_of(p, level, group, k, was ? PEERS_PART / 2 : PEERS_PART);
    g->slow = parts.slow;
    g->parts = parts.of;
    if (parts.of < 2 || (float)parts.slow < PEERS_MOST * (float)parts.of ||
        (!was && parts.share < 0.3f))
        return;
    struct peers_finding *f = peers_found(p);
    if (!f)
        return;
    g->flagged = true;
    f->level = level;
    f->index = group;
    f->shape = (unsigned)k;
    f->score = g->score;
    f->limit = limit;
    f->count = parts.slow;
    f->of = parts.of;
    f->since_ms = g->since_ms;
    peers_tell(p, f, g->first);
    peers_explain(p, level, group);
}

/* The shape with most evidence of each group, largest groups first. */
static void
peers_judge_level(struct peers *p, enum peers_level level)
{
    struct peers_groups *all = &p->groups[level];
    float limit = peers_limit(p, all->count);
    for (size_t g = 0; g < all->count; g++) {
        size_t best = PEERS_SHAPES;
        struct peers_group *at = &all->at[g * PEERS_SHAPES];
        for (size_t k = 0; k < PEERS_SHAPES; k++)
            if (at[k].score > limit / 3 && (best == PEERS_SHAPES || at[k].score > at[best].score))
                best = k;
        for (size_t k = 0; k < PEERS_SHAPES; k++)
            if (k != best && at[k].flagged && best < PEERS_SHAPES) {
                at[best].flagged = true; /* the same finding, seen as another shape */
                at[best].top = 0;
                at[k].flagged = false;
            } else if (k != best) {
                at[k].flagged = false;
            }
        if (best < PEERS_SHAPES)
            peers_judge_group(p, level, (uint32_t)g, best, limit);
    }
}

/* --- members ---------------------------------------------------------------------------------- */

static int
peers_by_score(const void *a, const void *b)
{
    const struct peers_rank *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score;
}

/* A job that became slow has a cause: its members are doubted, not everybody at every step; until
 * one is found. */
static float
peers_limit_job(const struct peers_job *j)
{
    if (!j->slow_ms || j->blamed)
        return INFINITY;
    return logf((float)j->count * PEERS_SHAPES * (1 + (float)j->slow_steps / 8) / PEERS_DOUBT);
}

/* Those whose evidence is worth a rank, most first; who was named stays until a third is left, or
 * until enough of it is taken back. */
static size_t
peers_rank(struct peers *p, float limit)
{
    struct peers_rank *ranks = p->ranks;
    size_t n = 0;
    for (size_t i = 0; i < p->places && n < PEERS_RANKED; i++) {
        bool was = p->flagged[i] != 0;
        p->flagged[i] = 0;
        if (p->member_at[i] == PEERS_NONE || p->explained[i])
            continue;
        struct peers_rank best = {0, (uint32_t)i, 0};
        for (size_t k = 0; k < PEERS_SHAPES; k++)
            if (peers_shapes[k].levels & 1u << PEERS_GPU && p->score[k][i] > best.score) {
                best.score = p->score[k][i];
                best.shape = (unsigned)k;
            }
        float low = fminf(limit - logf(PEERS_RANKED), peers_limit_job(peers_job_at(p, i)));
        p->top[i] = was ? fmaxf(p->top[i], best.score) : best.score;
        if (was && best.score <= fmaxf(low / 3, p->top[i] - PEERS_FALL)) {
            peers_forget(p, i);
            continue;
        }
        if (!was && best.score <= low)
            continue;
        p->flagged[i] = was;
        ranks[n++] = best;
    }
    qsort(ranks, n, sizeof *ranks, peers_by_score);
    return n;
}

static void
peers_judge_member(struct peers *p, const struct peers_rank *r, float limit)
{
    struct peers_finding *f = peers_found(p);
    if (!f)
        return;
    p->flagged[r->place] = (uint8_t)(r->shape + 1);
    f->level = PEERS_GPU;
    f->index = p->member_at[r->place];
    f->shape = r->shape;
    f->score = r->score;
    f->limit = limit;
    f->count = f->of = 1;
    f->since_ms = p->since_ms[r->place];
    peers_tell(p, f, r->place);
}

/* More than one in fifty of a job, and no group: its members do not all do the same. What they do
 * is taken as usual, unless it passes, as at the end of a fault. */
static bool
peers_roles(struct peers *p, size_t found)
{
    bool any = false;
    for (size_t j = 0; j < p->job_count; j++) {
        struct peers_job *job = &p->jobs[j];
        size_t n = 0;
        for (size_t i = found; i < p->found_count; i++)
            n += p->found[i].job == j;
        if (n <= 4 || n * 50 <= job->count) {
            job->crowd = 0;
            continue;
        }
        any = true;
        job->crowd = job->crowd ? job->crowd : job->steps;
        if (job->steps - job->crowd < PEERS_LEARN)
            continue;
        job->roles = true;
        for (size_t i = job->first; i < job->first + job->count; i++) {
            for (size_t k = 0; k < PEERS_SHAPES; k++)
                p->score[k][i] = 0;
            for (size_t m = 0; m < PEERS_MEASURES; m++)
                p->usual[m][i] = p->drift[m][i];
            p->flagged[i] = 0;
            p->learn[i] = 1;
        }
    }
    return any;
}

size_t
peers_decide(struct peers *p, const struct peers_finding **ret)
{
    static const enum peers_level order[] = {PEERS_POWER, PEERS_COOLING, PEERS_RACK, PEERS_LEAF,
                                             PEERS_NODE};
    p->found_count = 0;
    memset(p->explained, 0, p->places);
    for (size_t j = 0; j < p->job_count; j++)
        p->jobs[j].blamed = false;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        peers_judge_level(p, order[i]);
    float limit = peers_limit(p, p->count);
    for (size_t i = 0; i < p->places; i++)
        if (p->flagged[i] && p->member_at[i] != PEERS_NONE)
            p->jobs[p->members[p->member_at[i]].job].blamed = true;
    size_t n = peers_rank(p, limit), last = 0, groups = p->found_count;
    for (size_t i = 0; i < n; i++)
        if (p->ranks[i].score >= limit - logf((float)(i + 1)))
            last = i + 1;
    for (size_t i = 0; i < n; i++) {
        const struct peers_rank *r = &p->ranks[i];
        struct peers_job *j = &p->jobs[p->members[p->member_at[r->place]].job];
        float least = fminf(limit, peers_limit_job(j));
        uint32_t m = p->member_at[r->place], node = p->members[m].group[PEERS_NODE];
        bool was = p->flagged[r->place] != 0;
        if (!was && ((i >= last && r->score <= least) ||
                     peers_rest_is_slow(p, PEERS_NODE, node, r->shape, PEERS_GPU, m)))
            continue;
        peers_judge_member(p, r, least);
        j->blamed = true;
    }
    if (peers_roles(p, groups))
        p->found_count = groups;
    *ret = p->found;
    return p->found_count;
}
