/* peers: the layout of columns, and a step: medians, distances, evidence. See peers.h for the idea.
 *
 * Always true: what is usual of a member is not learned while evidence against it stands; a step in
 * which the job does something else than usual, or scatters more than usual, changes nothing. */
#include "analyzer/peers_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_STILL 3.0f /* evidence above which a member's usual distance is not learned */
#define PEERS_CLIP  6.0f /* deviations; beyond, a sample says no more */
#define PEERS_SLOWER                                                                               \
    11.5f                /* log evidence that a job is slower: by chance once in weeks of a job    \
                          */
#define PEERS_GATE 0.25f /* of the usual median: below, the job saves, loads or stands */

struct peers *
peers_new(void)
{
    struct peers *p = calloc(1, sizeof *p);
    return p;
}

/* --- layout ----------------------------------------------------------------------------------- */

static void
peers_columns_free(struct peers *p)
{
    for (size_t m = 0; m < PEERS_MEASURES; m++) {
        free(p->x[m]);
        free(p->usual[m]);
        free(p->drift[m]);
    }
    for (size_t k = 0; k < PEERS_SHAPES; k++) {
        free(p->sum[k]);
        free(p->score[k]);
        free(p->share[k]);
    }
    for (size_t l = 0; l < PEERS_LEVELS; l++) {
        free(p->groups[l].at);
        free(p->group_of[l]);
    }
    free(p->learn);
    free(p->seen);
    free(p->work);
    free(p->sorted);
    free(p->since_ms);
    free(p->flagged);
    free(p->top);
    free(p->explained);
    free(p->ranks);
    free(p->members);
    free(p->place_of);
    free(p->member_at);
    free(p->jobs);
    free(p->found);
}

void
peers_free(struct peers *p)
{
    if (!p)
        return;
    peers_columns_free(p);
    free(p);
}

static float *
peers_floats(size_t n, float v, bool *ok)
{
    float *f = malloc((n + PEERS_BLOCK) * sizeof *f);
    for (size_t i = 0; f && i < n + PEERS_BLOCK; i++)
        f[i] = v;
    *ok = *ok && f;
    return f;
}

static int
peers_reserve(struct peers *p)
{
    bool ok = true;
    size_t n = p->places;
    for (size_t m = 0; m < PEERS_MEASURES; m++) {
        p->x[m] = peers_floats(n, NAN, &ok);
        p->usual[m] = peers_floats(n, 0, &ok);
        p->drift[m] = peers_floats(n, 0, &ok);
    }
    for (size_t k = 0; k < PEERS_SHAPES; k++) {
        p->sum[k] = peers_floats(n, 0, &ok);
        p->score[k] = peers_floats(n, 0, &ok);
        p->share[k] = peers_floats(n, 0, &ok);
    }
    p->learn = peers_floats(n, 1, &ok);
    p->seen = peers_floats(n, 0, &ok);
    p->work = peers_floats(n, 0, &ok);
    p->sorted = peers_floats(n, 0, &ok);
    p->since_ms = calloc(n + 1, sizeof *p->since_ms);
    p->flagged = calloc(n + 1, 1);
    p->top = calloc(n + 1, sizeof *p->top);
    p->explained = calloc(n + 1, 1);
    p->ranks = malloc(PEERS_RANKED * sizeof *p->ranks);
    for (size_t l = PEERS_NODE; ok && l < PEERS_LEVELS; l++) {
        struct peers_groups *g = &p->groups[l];
        for (size_t i = 0; i < p->count; i++)
            if (p->members[i].group[l] != PEERS_NONE && p->members[i].group[l] >= g->count)
                g->count = (size_t)p->members[i].group[l] + 1;
        g->at = calloc(g->count * PEERS_SHAPES + 1, sizeof *g->at);
        p->group_of[l] = malloc((n + 1) * sizeof *p->group_of[l]);
        ok = g->at && p->group_of[l];
        for (size_t i = 0; ok && i < n; i++)
            p->group_of[l][i] =
                p->member_at[i] == PEERS_NONE ? PEERS_NONE : p->members[p->member_at[i]].group[l];
    }
    return ok && p->since_ms && p->flagged && p->top && p->explained && p->ranks ? 0 : ERR_NOMEM;
}

/* Members side by side by job, each job from a whole block on. */
static int
peers_places(struct peers *p, const struct peers_member *members, const uint64_t *keys)
{
    uint32_t at = 0;
    p->members = malloc((p->count + 1) * sizeof *p->members);
    p->place_of = malloc((p->count + 1) * sizeof *p->place_of);
    p->jobs = calloc(p->job_count + 1, sizeof *p->jobs);
    if (!p->members || !p->place_of || !p->jobs)
        return ERR_NOMEM;
    memcpy(p->members, members, p->count * sizeof *members);
    for (size_t i = 0; i < p->count; i++)
        p->jobs[members[i].job].count++;
    for (size_t j = 0; j < p->job_count; j++) {
        struct peers_job *job = &p->jobs[j];
        job->key = keys[j];
        job->first = at;
        job->places = (job->count + PEERS_BLOCK - 1) / PEERS_BLOCK * PEERS_BLOCK;
        at += job->places;
        job->count = 0;
        for (size_t m = 0; m < PEERS_MEASURES; m++) {
            job->median[m] = job->usual[m] = job->sigma[m] = NAN;
            job->keep[m] = INFINITY;
        }
    }
    p->places = at;
    p->member_at = malloc((p->places + 1) * sizeof *p->member_at);
    if (!p->member_at)
        return ERR_NOMEM;
    memset(p->member_at, 0xff, (p->places + 1) * sizeof *p->member_at);
    for (size_t i = 0; i < p->count; i++) {
        struct peers_job *job = &p->jobs[members[i].job];
        p->place_of[i] = job->first + job->count++;
        p->member_at[p->place_of[i]] = (uint32_t)i;
    }
    return 0;
}

struct peers_key {
    uint64_t key;
    uint32_t at;
};

static int
peers_by_key(const void *a, const void *b)
{
    const struct peers_key *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* What was known of a job and of a member in it goes on; in another job a member starts anew. */
static void
peers_move(struct peers *p, const struct peers *old, struct peers_key *keys)
{
    for (size_t i = 0; i < old->count; i++)
        keys[i] = (struct peers_key){old->members[i].key, (uint32_t)i};
    qsort(keys, old->count, sizeof *keys, peers_by_key);
    for (size_t j = 0; j < p->job_count; j++)
        for (size_t o = 0; o < old->job_count; o++)
            if (old->jobs[o].key == p->jobs[j].key && old->jobs[o].count == p->jobs[j].count) {
                struct peers_job to = old->jobs[o];
                to.first = p->jobs[j].first;
                p->jobs[j] = to;
            }
    for (size_t i = 0; i < p->count; i++) {
        struct peers_key want = {p->members[i].key, 0};
        const struct peers_key *k = bsearch(&want, keys, old->count, sizeof *keys, peers_by_key);
        if (!k || old->jobs[old->members[k->at].job].key != p->jobs[p->members[i].job].key ||
            !p->jobs[p->members[i].job].steps)
            continue;
        uint32_t from = old->place_of[k->at], to = p->place_of[i];
        for (size_t m = 0; m < PEERS_MEASURES; m++) {
            p->usual[m][to] = old->usual[m][from];
            p->drift[m][to] = old->drift[m][from];
            p->x[m][to] = old->x[m][from];
        }
        for (size_t s = 0; s < PEERS_SHAPES; s++) {
            p->score[s][to] = old->score[s][from];
            p->share[s][to] = old->share[s][from];
        }
        p->learn[to] = old->learn[from];
        p->since_ms[to] = old->since_ms[from];
        p->flagged[to] = old->flagged[from];
        p->top[to] = old->top[from];
    }
    for (size_t l = PEERS_NODE; l < PEERS_LEVELS; l++)
        for (size_t g = 0; g < p->groups[l].count && g < old->groups[l].count; g++)
            memcpy(&p->groups[l].at[g * PEERS_SHAPES], &old->groups[l].at[g * PEERS_SHAPES],
                   PEERS_SHAPES * sizeof *p->groups[l].at);
}

static void
peers_group_first(struct peers *p)
{
    for (size_t l = PEERS_NODE; l < PEERS_LEVELS; l++) {
        for (size_t g = 0; g < p->groups[l].count * PEERS_SHAPES; g++)
            p->groups[l].at[g].members = 0;
        for (size_t i = 0; i < p->count; i++)
            for (size_t k = 0; p->members[i].group[l] != PEERS_NONE && k < PEERS_SHAPES; k++) {
                struct peers_group *g = &p->groups[l].at[p->members[i].group[l] * PEERS_SHAPES + k];
                g->first = g->members++ ? g->first : p->place_of[i];
            }
    }
}

int
peers_layout(struct peers *p, const struct peers_member *members, size_t count,
             const uint64_t *job_keys, size_t jobs)
{
    struct peers new = {.count = count, .job_count = jobs, .every_ms = p->every_ms};
    struct peers_key *keys = malloc((p->count + 1) * sizeof *keys);
    int rc = keys ? peers_places(&new, members, job_keys) : ERR_NOMEM;
    if (!rc)
        rc = peers_reserve(&new);
    if (!rc) {
        peers_move(&new, p, keys);
        peers_group_first(&new);
        peers_columns_free(p);
        *p = new;
    } else {
        peers_columns_free(&new);
    }
    free(keys);
    return rc;
}

size_t
peers_place(const struct peers *p, size_t member)
{
    return p->place_of[member];
}

float *
peers_column(struct peers *p, size_t measure)
{
    return p->x[measure];
}

void
peers_set(struct peers *p, size_t measure, size_t member, float v)
{
    p->x[measure][p->place_of[member]] = v;
}

const float *
peers_medians(const struct peers *p, size_t job)
{
    return p->jobs[job].median;
}

const float *
peers_usual_of(const struct peers *p, size_t job)
{
    return p->jobs[job].usual;
}

int64_t
peers_slow_since(const struct peers *p, size_t job)
{
    return p->jobs[job].blamed ? 0 : p->jobs[job].slow_ms;
}

bool
peers_steady(const struct peers *p, size_t job)
{
    return p->jobs[job].steady;
}

/* --- a step ----------------------------------------------------------------------------------- */

static float
peers_noise(const struct peers_job *j, size_t m)
{
    return j->sigma[m] > peers_rows[m].noise ? j->sigma[m] : peers_rows[m].noise;
}

/* Medians of all measures. Is the job doing what it usually does? */
static bool
peers_measure_job(struct peers *p, struct peers_job *j)
{
    bool usual = true;
    size_t least = j->count / 2 > PEERS_LEAST ? j->count / 2 : PEERS_LEAST;
    for (size_t m = 0; m < PEERS_MEASURES; m++) {
        const struct peers_row *r = &peers_rows[m];
        j->median[m] = peers_median(p->x[m] + j->first, j->places, least, p->sorted);
        bool there = !isnan(j->median[m]);
        if (r->gate && there &&
            (j->median[m] < r->least || j->median[m] < PEERS_GATE * j->usual[m]))
            usual = false;
    }
    return usual;
}

/* Distances from the median less the usual ones, into `work` (0 where there is no value), and their
 * mean size, large ones cut: by it, the deviation of a sample. */
static float
peers_distances(struct peers *p, const struct peers_job *j, size_t m)
{
    const struct peers_row *r = &peers_rows[m];
    float median = j->median[m], cut = isnan(j->sigma[m]) ? INFINITY : 3 * j->sigma[m];
    float scale = r->scale == PEERS_RATIO ? 1 / (median + r->pad) : 1;
    const float *restrict x = p->x[m] + j->first, *restrict usual = p->usual[m] + j->first;
    float *restrict out = p->work, *restrict seen = p->seen;
    float size[PEERS_BLOCK] = {0}, count[PEERS_BLOCK] = {0};
    for (size_t i = 0; i < j->places; i += PEERS_BLOCK)
        for (size_t k = 0; k < PEERS_BLOCK; k++) {
            float d = (x[i + k] - median) * scale - usual[i + k];
            float there = d == d ? 1.0f : 0.0f;
            d = d == d ? d : 0.0f;
            float a = d < 0 ? -d : d;
            out[i + k] = d;
            size[k] += a < cut ? a : cut;
            count[k] += there;
            seen[i + k] = there > seen[i + k] ? there : seen[i + k];
        }
    float sum = 0, n = 0;
    for (size_t k = 0; k < PEERS_BLOCK; k++) {
        sum += size[k];
        n += count[k];
    }
    return n > 0 ? 1.2533f * sum / n : NAN; /* of a normal: mean size times sqrt(pi/2) */
}

/* The first deviation is that of the middle: single members that are far off shall not widen it. */
static float
peers_sigma_first(struct peers *p, const struct peers_job *j)
{
    for (size_t i = 0; i < j->places; i++)
        p->work[i] = p->seen[i] > 0 ? fabsf(p->work[i]) : NAN;
    return 1.4826f * peers_median(p->work, j->places, 1, p->sorted);
}

/* One measure alone speaks for no more than twice what the shape expects of it. */
static void
peers_add(struct peers *p, const struct peers_job *j, size_t k, float weight, float sigma)
{
    float *restrict sum = p->sum[k];
    const float *restrict d = p->work;
    float scale = 1 / sigma, most = 2 * (weight > 1 ? weight : weight < -1 ? -weight : 1);
    float high = weight > 0 ? most : PEERS_CLIP, low = weight > 0 ? -PEERS_CLIP : -most;
    for (size_t i = 0; i < j->places; i += PEERS_BLOCK)
        for (size_t b = 0; b < PEERS_BLOCK; b++) {
            float z = d[i + b] * scale;
            z = z < high ? z : high;
            z = z > low ? z : low;
            sum[i + b] += weight * z;
        }
}

/* Do its members lie apart as they did: what they do while many are slow is usual of nobody. Who
 * stays apart for hours is believed in the end. */
static bool
peers_calm(struct peers_job *j, size_t m)
{
    float *calm = &j->calm[m], sigma = fmaxf(j->sigma[m], peers_rows[m].noise / 2);
    if (!(*calm > 0) || j->steps <= PEERS_LEARN)
        *calm = sigma;
    bool is = sigma <= 1.5f * *calm;
    *calm += (sigma - *calm) / (is ? PEERS_SLOW : PEERS_HOURS);
    return is && (j->steady || j->steps <= PEERS_LEARN);
}

/* What is usual of each, and the smoothed distance for reports. */
static void
peers_learn(struct peers *p, struct peers_job *j, size_t m)
{
    float rate = 1 / (float)(j->steps + 1 < PEERS_SLOW ? j->steps + 1 : PEERS_SLOW);
    rate = peers_calm(j, m) ? rate : 0;
    float cut = 3 * j->sigma[m], keep = j->roles ? INFINITY : j->keep[m];
    float *restrict usual = p->usual[m] + j->first, *restrict drift = p->drift[m] + j->first;
    const float *restrict d = p->work, *restrict learn = p->learn + j->first;
    for (size_t i = 0; i < j->places; i += PEERS_BLOCK)
        for (size_t b = 0; b < PEERS_BLOCK; b++) {
            float v = d[i + b], c = v < cut ? v : cut;
            c = c > -cut ? c : -cut;
            float u = usual[i + b] + rate * learn[i + b] * c;
            u = u < keep ? u : keep;
            u = u > -keep ? u : -keep;
            drift[i + b] += 0.2f * (v + usual[i + b] - drift[i + b]);
            usual[i + b] = u;
        }
}

/* One measure: false when its members scatter so that nothing can be said of this step. */
static bool
peers_take(struct peers *p, struct peers_job *j, size_t m, float *weight, float *known)
{
    const struct peers_row *r = &peers_rows[m];
    if (isnan(j->median[m]) || j->median[m] < r->least || !peers_tells(r->meaning))
        return true;
    float sigma = peers_distances(p, j, m);
    if (isnan(j->sigma[m])) {
        j->sigma[m] = fmaxf(peers_sigma_first(p, j), 1e-6f);
        peers_distances(p, j, m);
    } else if (j->steps > PEERS_LEARN && r->gate && sigma > 2 * fmaxf(j->sigma[m], r->noise / 2)) {
        return false;
    } else {
        float rate = 1 / (float)(j->steps + 1 < 16 ? j->steps + 1 : 16);
        j->sigma[m] += rate * (sigma - j->sigma[m]);
        j->sigma[m] = fmaxf(j->sigma[m], 1e-6f);
    }
    for (size_t k = 0; k < PEERS_SHAPES; k++) {
        float w = peers_shift_of(&peers_shapes[k], r->meaning) / peers_noise(j, m);
        if (w == 0 || known[k] < 0)
            continue;
        peers_add(p, j, k, w, peers_noise(j, m));
        weight[k] += w * w;
        if (peers_shapes[k].at[0].meaning == r->meaning)
            known[k] = 1;
    }
    peers_learn(p, j, m);
    return true;
}

/* What is usual of the job itself stays while it is slower than that. */
static void
peers_usual(struct peers_job *j)
{
    float rate = 1 / (float)(j->steps + 1 < PEERS_SLOW ? j->steps + 1 : PEERS_SLOW);
    for (size_t m = 0; m < PEERS_MEASURES; m++)
        if (isnan(j->usual[m]))
            j->usual[m] = j->median[m];
        else if (!isnan(j->median[m]) && j->pace < PEERS_STILL)
            j->usual[m] += (j->median[m] - j->usual[m]) * rate;
}

/* Evidence that the whole job is slower than it was: that is when a culprit is looked for with less
 * reserve, since there must be a cause. */
static void
peers_pace(struct peers *p, struct peers_job *j)
{
    float sum = 0, n = 0;
    for (size_t m = 0; m < PEERS_MEASURES; m++)
        if (peers_rows[m].pace && j->usual[m] > 0 && !isnan(j->median[m])) {
            sum += 1 - j->median[m] / j->usual[m];
            n++;
        }
    if (n <= 0)
        return;
    float less = sum / n, jump = fabsf(less - j->pace_before) * 0.8862f; /* sqrt(pi)/2 */
    j->pace_before = less;
    jump = fminf(jump, 3 * fmaxf(j->pace_noise, 0.01f));
    j->pace_noise += (jump - j->pace_noise) / 16;
    if (j->steps < PEERS_FIRST)
        return;
    float sigma = fmaxf(j->pace_noise, 0.015f), w = 0.06f / sigma, z = less / sigma;
    float more = fminf(fmaxf(w * z - 0.5f * w * w, -PEERS_RISE), 0.75f * PEERS_RISE);
    j->pace = fminf(fmaxf(j->pace + more, 0), 30);
    if (j->pace > PEERS_SLOWER && !j->slow_ms) {
        j->slow_ms = p->t_ms;
        j->slow_steps = 0;
    } else if (j->pace < 1) {
        j->slow_ms = 0;
    }
    j->slow_steps += j->slow_ms != 0;
}

/* Measures of one accelerator go up and down together: by how much more than if they did not. */
static float
peers_spread(const struct peers *p, const struct peers_job *j, size_t k, float weight)
{
    const float *restrict sum = p->sum[k];
    float size[PEERS_BLOCK] = {0}, norm = 1 / sqrtf(weight);
    for (size_t i = 0; i < j->places; i += PEERS_BLOCK)
        for (size_t b = 0; b < PEERS_BLOCK; b++) {
            float u = sum[i + b] * norm, a = u < 0 ? -u : u;
            size[b] += a < 4 ? a : 4;
        }
    float total = 0;
    for (size_t b = 0; b < PEERS_BLOCK; b++)
        total += size[b];
    return 1.2533f * total / (float)j->count;
}

/* Evidence of each member for a shape: the logarithm of how much likelier this step is with it than
 * without, summed up, never below zero. */
static void
peers_sum_up(struct peers *p, struct peers_job *j, size_t k, float weight)
{
    float seen = fmaxf(peers_spread(p, j, k, weight), 0.5f);
    j->spread[k] = j->spread[k] > 0 ? j->spread[k] + 0.1f * (seen - j->spread[k]) : seen;
    float v = fmaxf(j->spread[k] * j->spread[k], 1), steps = (float)j->steps,
          wary = 1 + fminf(8 / steps, 96 / (steps * steps));
    float scale = 1 / v, drop = 0.5f * weight * wary / v, part = 1 / weight;
    float high = PEERS_RISE, cap = PEERS_CAP;
    const float *restrict sum = p->sum[k], *restrict there = p->seen;
    float *restrict score = p->score[k] + j->first, *restrict share = p->share[k] + j->first;
    for (size_t i = 0; i < j->places; i += PEERS_BLOCK)
        for (size_t b = 0; b < PEERS_BLOCK; b++) {
            float more = sum[i + b] * scale - drop;
            more = more < high ? more : high;
            more = more > -high ? more : -high;
            float s = score[i + b] + more * there[i + b];
            s = s > 0 ? s : 0;
            score[i + b] = s < cap ? s : cap;
            share[i + b] += 0.25f * there[i + b] * (sum[i + b] * part - share[i + b]);
        }
}

/* How many of a job's members each group has: who is most of a job makes its median, and tells
 * nothing of itself by its distance from it. */
static void
peers_group_here(struct peers *p, const struct peers_job *j)
{
    for (size_t l = PEERS_NODE; l < PEERS_LEVELS; l++) {
        const uint32_t *group = p->group_of[l] + j->first;
        struct peers_group *at = p->groups[l].at;
        for (size_t i = 0; p->groups[l].count && i < j->count; i++)
            if (group[i] != PEERS_NONE)
                at[group[i] * PEERS_SHAPES].here = 0;
        for (size_t i = 0; p->groups[l].count && i < j->count; i++)
            if (group[i] != PEERS_NONE)
                at[group[i] * PEERS_SHAPES].here++;
    }
}

/* Adds members up to their groups. A member counts for no more than 2.5 deviations, so that one
 * alone is no group. */
static void
peers_group_sums(struct peers *p, const struct peers_job *j, size_t k, float weight)
{
    float most = 2.5f * sqrtf(weight) * j->spread[k];
    float scale = 1 / fmaxf(j->spread[k] * j->spread[k], 1);
    for (size_t l = PEERS_NODE; l < PEERS_LEVELS; l++) {
        if (!(peers_shapes[k].levels & 1u << l) || !p->groups[l].count)
            continue;
        const uint32_t *group = p->group_of[l] + j->first;
        struct peers_group *at = p->groups[l].at + k;
        for (size_t i = 0; i < j->count; i++) {
            float s = p->sum[k][i];
            if (group[i] == PEERS_NONE || !(p->seen[i] > 0) ||
                p->groups[l].at[group[i] * PEERS_SHAPES].here * 2 > j->count)
                continue;
            at[group[i] * PEERS_SHAPES].sum += (s < most ? s > -most ? s : -most : most) * scale;
            at[group[i] * PEERS_SHAPES].weight += weight * scale;
        }
    }
}

static void
peers_since(struct peers *p, const struct peers_job *j)
{
    for (size_t i = j->first; i < j->first + j->count; i++) {
        float best = 0;
        for (size_t k = 0; k < PEERS_SHAPES; k++)
            best = p->score[k][i] > best ? p->score[k][i] : best;
        p->learn[i] = best > PEERS_STILL ? 0.0f : 1.0f;
        if (best <= 1)
            p->since_ms[i] = p->t_ms;
    }
}

/* After the first steps: how far apart members usually are is what is believed of each. Who is
 * further off was so from the start, which excuses nobody. */
static void
peers_keep(struct peers *p, struct peers_job *j)
{
    for (size_t m = 0; m < PEERS_MEASURES && j->steps % PEERS_SLOW == PEERS_LEARN; m++) {
        float sum = 0;
        for (size_t i = j->first; i < j->first + j->count; i++)
            sum += p->usual[m][i] * p->usual[m][i];
        float root = sqrtf(sum / (float)j->count), keep = fmaxf(peers_rows[m].keep, 4 * root);
        float far = fmaxf(peers_rows[m].keep, 5.5f * root); /* one of ten millions by chance */
        j->keep[m] = keep;
        for (size_t i = j->first; !j->roles && i < j->first + j->count; i++) {
            float u = p->usual[m][i];
            p->usual[m][i] = fabsf(u) > far ? 0 : fminf(fmaxf(u, -keep), keep);
        }
    }
}

static void
peers_step_job(struct peers *p, struct peers_job *j)
{
    float weight[PEERS_SHAPES] = {0}, known[PEERS_SHAPES] = {0};
    bool usual = j->count >= PEERS_LEAST && peers_measure_job(p, j);
    if (usual) {
        memset(p->seen, 0, j->places * sizeof *p->seen);
        for (size_t k = 0; k < PEERS_SHAPES; k++)
            memset(p->sum[k], 0, j->places * sizeof *p->sum[k]);
        for (size_t m = 0; usual && m < PEERS_MEASURES; m++)
            usual = peers_take(p, j, m, weight, known);
    }
    bool was = j->steady;
    j->steady = usual;
    j->t_ms = p->t_ms;
    j->odd = usual ? 0 : j->odd + 1;
    if (j->odd > 2 * PEERS_LEARN) /* it has become another job: its level is learned anew */
        for (size_t m = 0; m < PEERS_MEASURES; m++)
            j->usual[m] = j->sigma[m] = NAN;
    if (!usual)
        return;
    peers_usual(j);
    peers_pace(p, j);
    j->steps++;
    if (j->steps <= PEERS_FIRST || !was)
        return;
    peers_group_here(p, j);
    for (size_t k = 0; k < PEERS_SHAPES; k++)
        if (known[k] > 0) {
            peers_sum_up(p, j, k, weight[k]);
            peers_group_sums(p, j, k, weight[k]);
        }
    peers_since(p, j);
    peers_keep(p, j);
}

/* --- groups ----------------------------------------------------------------------------------- */

static float
peers_group_spread(struct peers_groups *g, size_t k)
{
    float sum = 0, n = 0;
    for (size_t i = 0; i < g->count; i++) {
        const struct peers_group *at = &g->at[i * PEERS_SHAPES + k];
        if (!(at->weight > 0))
            continue;
        float a = fabsf(at->sum) / sqrtf(at->weight);
        sum += a < 4 ? a : 4;
        n++;
    }
    float seen = n >= 8 ? 1.2533f * sum / n : 1.5f;
    g->spread[k] = g->spread[k] > 0 ? g->spread[k] + 0.1f * (seen - g->spread[k]) : seen;
    return fmaxf(g->spread[k], 1);
}

/* A group is looked for that is a third as slow as a shape says; by many members it shows in one
 * step, so that no step counts for more than three deviations. */
static void
peers_group_step(struct peers *p, struct peers_groups *g, size_t k)
{
    float spread = peers_group_spread(g, k);
    for (size_t i = 0; i < g->count; i++) {
        struct peers_group *at = &g->at[i * PEERS_SHAPES + k];
        if (!(at->weight > 0))
            continue;
        float root = sqrtf(at->weight), u = at->sum / root / spread;
        float want = fminf(0.4f * root / spread, 3), more = want * u - 0.5f * want * want;
        more = fminf(fmaxf(more, -PEERS_RISE), PEERS_RISE);
        at->score = fminf(fmaxf(at->score + more, 0), PEERS_CAP);
        at->share += 0.25f * (at->sum / at->weight - at->share);
        if (at->score <= 1)
            at->since_ms = p->t_ms;
        at->sum = at->weight = 0;
    }
}

void
peers_step(struct peers *p, const bool *due, int64_t t_ms, int64_t every_ms)
{
    p->t_ms = t_ms;
    p->every_ms = every_ms;
    for (size_t j = 0; j < p->job_count; j++)
        if (!due || due[j])
            peers_step_job(p, &p->jobs[j]);
    for (size_t l = PEERS_NODE; l < PEERS_LEVELS; l++)
        for (size_t k = 0; k < PEERS_SHAPES; k++)
            if (peers_shapes[k].levels & 1u << l)
                peers_group_step(p, &p->groups[l], k);
}
