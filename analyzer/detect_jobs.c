/* detect_jobs: what only shows against others: an accelerator against the peers of its job, a job
 * against its own past, a file system by what all of its clients see.
 *
 * A job steps together, so its accelerators are alike: the middle of them is the norm, the spread
 * of them the yardstick. While a job saves or loads (tensor cores idle everywhere) nobody is
 * compared. */
#include "analyzer/detect_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_PEERS   8 /* fewer tell nothing of a norm */
#define DETECT_LEARN   3 /* samples of a step before it is a baseline */
#define DETECT_CLIENTS 1024

struct detect_past { /* of one job */
    double power, step, floor;
    unsigned powers, steps;
    int64_t seen_ms;
};

struct detect_peers {
    const struct topo_job *job;
    uint32_t *gpu;
    size_t count;
    double tensor, util, power, clock; /* medians */
    double clock_spread, tensor_spread;
    int64_t t_ms;
};

struct detect_jobs {
    struct map *past; /* job id -> struct detect_past */
    struct detect_peers *peers;
    size_t count;
    int64_t read_ms;
    double *scratch;
    size_t scratch_size;
};

struct detect_jobs *
detect_jobs_new(void)
{
    struct detect_jobs *j = calloc(1, sizeof *j);
    if (j && !(j->past = map_new(100000))) {
        free(j);
        return NULL;
    }
    return j;
}

static void
detect_peers_done(struct detect_jobs *j)
{
    for (size_t i = 0; i < j->count; i++)
        free(j->peers[i].gpu);
    free(j->peers);
    j->peers = NULL;
    j->count = 0;
}

void
detect_jobs_free(struct detect_jobs *j)
{
    if (!j)
        return;
    detect_peers_done(j);
    map_free(j->past, free);
    free(j->scratch);
    free(j);
}

static struct detect_past *
detect_past_of(struct detect_jobs *j, const char *id)
{
    struct detect_past *p = map_get(j->past, id, strlen(id));
    if (p)
        return p;
    p = calloc(1, sizeof *p);
    if (p && map_set(j->past, id, strlen(id), p, NULL)) {
        free(p);
        return NULL;
    }
    return p;
}

/* --- the middle of a job ---------------------------------------------------------------------- */

static int
detect_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median of a column over a job's accelerators, and the median distance from it (times 1.4826: a
 * standard deviation). */
static double
detect_middle(struct detect_jobs *j, const struct detect_peers *p, const struct detect_column *c,
              double *ret_spread)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        if (!isnan(detect_v(c, p->gpu[i])))
            j->scratch[n++] = c->v[p->gpu[i]];
    if (n < DETECT_PEERS)
        return NAN;
    qsort(j->scratch, n, sizeof *j->scratch, detect_by_size);
    double middle = j->scratch[n / 2];
    for (size_t i = 0; i < n; i++)
        j->scratch[i] = fabs(j->scratch[i] - middle);
    qsort(j->scratch, n, sizeof *j->scratch, detect_by_size);
    if (ret_spread)
        *ret_spread = 1.4826 * j->scratch[n / 2];
    return middle;
}

static int
detect_peers_job(struct detectors *d, const struct topo_job *job, struct detect_peers *p)
{
    char gpu[ENTITY_SIZE], part[16];
    *p = (struct detect_peers){.job = job};
    p->gpu =
        calloc(job->node_count * (job->gpus_per_node ? job->gpus_per_node : 1) + 1, sizeof *p->gpu);
    if (!p->gpu)
        return ERR_NOMEM;
    for (size_t i = 0; i < job->node_count; i++)
        for (unsigned g = 0; g < job->gpus_per_node; g++) {
            snprintf(part, sizeof part, "%u", g);
            if (entity_format(gpu, ENTITY_GPU, topo_name(d->topo, job->nodes[i]) + 5, part))
                continue;
            uint32_t s = detect_subject_find(d, gpu);
            if (s != DETECT_NONE)
                p->gpu[p->count++] = s;
        }
    return 0;
}

static void
detect_peers_measure(struct detectors *d, struct detect_peers *p)
{
    struct detect_jobs *j = d->jobs;
    const struct detect_column *util = detect_read(d, METRIC_GPU_UTIL);
    p->tensor = detect_middle(j, p, detect_read(d, METRIC_GPU_TENSOR_ACTIVE), &p->tensor_spread);
    p->util = detect_middle(j, p, util, NULL);
    p->power = detect_middle(j, p, detect_read(d, METRIC_GPU_POWER), NULL);
    p->clock = detect_middle(j, p, detect_read(d, METRIC_GPU_CLOCK), &p->clock_spread);
    for (size_t i = 0; i < p->count; i++)
        if (p->gpu[i] < util->count && util->fresh[p->gpu[i]] && util->t_ms[p->gpu[i]] > p->t_ms)
            p->t_ms = util->t_ms[p->gpu[i]];
}

/* The running jobs of this turn, measured once. */
static struct detect_jobs *
detect_peers_read(struct detectors *d)
{
    struct detect_jobs *j = d->jobs;
    const struct topo_job *jobs;
    if (j->read_ms == d->now_ms)
        return j;
    detect_read(d, METRIC_GPU_UTIL);
    detect_peers_done(j);
    j->read_ms = d->now_ms;
    size_t n = topo_jobs(d->topo, &jobs), gpus = d->kinds[ENTITY_GPU].count + 1;
    if (gpus > j->scratch_size) {
        double *p = realloc(j->scratch, gpus * sizeof *p);
        if (!p)
            return j;
        j->scratch = p;
        j->scratch_size = gpus;
    }
    if (!(j->peers = calloc(n + 1, sizeof *j->peers)))
        return j;
    for (size_t i = 0; i < n; i++)
        if (!detect_peers_job(d, &jobs[i], &j->peers[j->count])) {
            if (j->peers[j->count].count <= gpus)
                detect_peers_measure(d, &j->peers[j->count]);
            j->count++;
        }
    return j;
}

/* --- accelerators against their peers --------------------------------------------------------- */

/* Slower: its clock is far below the others'; or it works on while the others wait for it, more of
 * them than not. */
static bool
detect_straggles(const struct detect_row *row, const struct detect_peers *p, double clock,
                 double tensor, char *text, size_t size)
{
    double z = (p->clock - clock) / (p->clock_spread + 0.01 * p->clock);
    if (!isnan(clock) && p->clock > 0 && z > row->limit && clock < 0.88 * p->clock) {
        snprintf(text, size, "SM clock %.0f MHz < %.0f MHz (median of %zu peers), z %.1f > %.0f",
                 clock, p->clock, p->count, z, row->limit);
        return true;
    }
    z = (tensor - p->tensor) / (p->tensor_spread + 0.02 * p->tensor + 0.002);
    if (isnan(tensor) || !(p->tensor > 0.05) || z < row->limit || tensor < 1.25 * p->tensor)
        return false;
    snprintf(text, size,
             "tensor cores active %.2f > %.2f (median of %zu peers, which wait), z %.1f > %.0f",
             tensor, p->tensor, p->count, z, row->limit);
    return true;
}

void
detect_rule_straggler(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *clock = detect_read(d, METRIC_GPU_CLOCK),
                               *tensor = detect_read(d, METRIC_GPU_TENSOR_ACTIVE);
    struct detect_jobs *j = detect_peers_read(d);
    char text[256];
    for (size_t k = 0; k < j->count; k++) {
        const struct detect_peers *p = &j->peers[k];
        /* peers that wait have idle tensor cores but high utilisation: compare them all the same */
        bool comparable = p->count >= DETECT_PEERS && p->util > 50;
        for (size_t i = 0; i < p->count; i++) {
            uint32_t g = p->gpu[i];
            if (!detect_fresh(clock, g) || (!comparable && !detect_finding_of(d, row, g, false)))
                continue;
            struct detect_verdict v = {.t_ms = clock->t_ms[g], .text = text};
            v.bad = comparable && detect_straggles(row, p, detect_v(clock, g), detect_v(tensor, g),
                                                   text, sizeof text);
            detect_judge(d, row, g, &v);
        }
    }
}

void
detect_rule_idle(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *util = detect_read(d, row->meaning);
    struct detect_jobs *j = detect_peers_read(d);
    char text[160];
    for (size_t k = 0; k < j->count; k++) {
        const struct detect_peers *p = &j->peers[k];
        bool busy = p->count >= DETECT_PEERS && p->util > 60;
        for (size_t i = 0; i < p->count; i++) {
            uint32_t g = p->gpu[i];
            if (!detect_fresh(util, g))
                continue;
            struct detect_verdict v = {
                .bad = busy && util->v[g] < row->limit, .t_ms = util->t_ms[g], .text = text};
            snprintf(text, sizeof text,
                     "utilization %.0f %% < %.0f %% while %.0f %% is the median of %zu peers",
                     util->v[g], row->limit, p->util, p->count);
            detect_judge(d, row, g, &v);
        }
    }
}

/* --- jobs against their past ------------------------------------------------------------------ */

/* Everybody spins in a collective: utilisation high, power low against what the job usually draws.
 */
void
detect_rule_hang(struct detectors *d, const struct detect_row *row)
{
    struct detect_jobs *j = detect_peers_read(d);
    char name[ENTITY_SIZE], text[160];
    for (size_t k = 0; k < j->count; k++) {
        const struct detect_peers *p = &j->peers[k];
        struct detect_past *past = detect_past_of(j, p->job->id);
        if (!past || p->count < 2 || isnan(p->power) || isnan(p->util) ||
            p->t_ms <= past->seen_ms || entity_format(name, ENTITY_JOB, p->job->id, NULL))
            continue;
        past->seen_ms = p->t_ms;
        bool low = past->powers >= DETECT_LEARN && p->power < past->power * row->limit &&
                   !(p->tensor > 0.1);
        uint32_t s = detect_subject_of(d, name);
        struct detect_verdict v = {.bad = low && p->util > 80,
                                   .t_ms = p->t_ms,
                                   .value = p->power,
                                   .limit = past->power * row->limit,
                                   .text = text};
        snprintf(text, sizeof text,
                 "median power %.0f W < %.0f W (usual %.0f W) at %.0f %% utilization on %zu "
                 "accelerators",
                 p->power, past->power * row->limit, past->power, p->util, p->count);
        if (s != DETECT_NONE)
            detect_judge(d, row, s, &v);
        if (!low && p->util > 80) {
            past->power = past->powers ? past->power + (p->power - past->power) * 0.1 : p->power;
            past->powers++;
        }
    }
}

void
detect_rule_slow(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *c = detect_read(d, row->meaning);
    char text[160];
    for (uint32_t i = 0; i < c->count; i++) {
        struct detect_past *p = c->fresh[i] && c->v[i] > 0
                                    ? detect_past_of(d->jobs, d->kinds[ENTITY_JOB].at[i].name + 4)
                                    : NULL;
        if (!p)
            continue;
        if (p->steps < DETECT_LEARN) {
            p->step = p->steps ? fmin(p->step, c->v[i]) : c->v[i];
            p->steps++;
            continue;
        }
        double limit = p->step * row->limit;
        struct detect_verdict v = {.bad = c->v[i] > limit,
                                   .t_ms = c->t_ms[i],
                                   .value = c->v[i],
                                   .limit = limit,
                                   .text = text};
        snprintf(text, sizeof text, "step time %.2f s > %.2f s (usual %.2f s)", c->v[i], limit,
                 p->step);
        if (!v.bad)
            p->step += (c->v[i] - p->step) * 0.05;
        detect_judge(d, row, i, &v);
    }
}

/* --- file systems by their clients ------------------------------------------------------------ */

struct detect_clients {
    uint32_t storage;
    size_t count, slow, stalled;
    double worst;
    int64_t t_ms;
};

static void
detect_client(struct detectors *d, uint32_t node, double ops, double seconds, int64_t t_ms,
              struct detect_clients *all, size_t *n)
{
    struct detect_subject *s = &d->kinds[ENTITY_NODE].at[node];
    topo_id id = detect_topo(d, ENTITY_NODE, node);
    topo_id fs = id == TOPO_NONE ? TOPO_NONE : topo_neighbour(d->topo, id, ENTITY_STORAGE);
    uint32_t storage = fs == TOPO_NONE ? DETECT_NONE : detect_subject_of(d, topo_name(d->topo, fs));
    size_t k = 0;
    if (storage == DETECT_NONE)
        return;
    while (k < *n && all[k].storage != storage)
        k++;
    if (k == DETECT_CLIENTS)
        return;
    if (k == *n)
        all[(*n)++] = (struct detect_clients){.storage = storage};
    double usual = s->memory[1],
           each = ops > 0 ? seconds / ops : 0; /* memory[1]: usual operations a second */
    bool stalled = (ops > 0 && each > 5) || (usual > 0.5 && ops < usual * 0.02);
    all[k].count++;
    all[k].stalled += stalled;
    all[k].slow += ops > 0 && each > 0.25;
    all[k].worst = fmax(all[k].worst, each);
    all[k].t_ms = t_ms > all[k].t_ms ? t_ms : all[k].t_ms;
    if (!stalled)
        s->memory[1] = isnan(usual) ? ops : usual + (ops - usual) * 0.1;
}

/* Of the clients that use it, more than half (and two) see it slow, or not answer. `limit` 1:
 * stalled, 0: slow. */
void
detect_rule_storage(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *sec = detect_read(d, METRIC_STORAGE_OP_SECONDS),
                               *ops = detect_read(d, METRIC_STORAGE_OPS);
    struct detect_clients *all = calloc(DETECT_CLIENTS + 1, sizeof *all);
    size_t n = 0;
    char text[160];
    for (uint32_t i = 0; all && i < sec->count; i++)
        if (i < ops->count && !isnan(sec->rate[i]) && !isnan(ops->rate[i]) &&
            ops->t_ms[i] > d->now_ms - DETECT_LOOKBACK_MS)
            detect_client(d, i, ops->rate[i], sec->rate[i], ops->t_ms[i], all, &n);
    for (size_t k = 0; k < n; k++) {
        size_t many = row->limit > 0 ? all[k].stalled : all[k].slow;
        bool worse = row->limit == 0 && all[k].stalled * 2 > all[k].count;
        struct detect_verdict v = {.bad = many * 2 > all[k].count && many >= 2 && !worse,
                                   .t_ms = all[k].t_ms,
                                   .text = text};
        if (row->limit > 0)
            snprintf(text, sizeof text,
                     "%zu of %zu clients get no answer (%.0f s and more an operation)", many,
                     all[k].count, all[k].worst);
        else
            snprintf(text, sizeof text,
                     "%zu of %zu clients wait more than 250 ms an operation (worst %.2f s)", many,
                     all[k].count, all[k].worst);
        detect_judge(d, row, all[k].storage, &v);
    }
    free(all);
}
