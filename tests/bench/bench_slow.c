/* bench_slow: worlds in which something is slow without an error, and what the comparison of peers
 * makes of them. Prints precision, recall, time to detection, culprit accuracy, false alarms over
 * healthy GPU-days and the CPU time of a scan. Not a test; arguments: worlds, healthy hours.
 *
 * The physics here is its own: a synchronous job of n ranks computes for c seconds a step, waits
 * for its slowest rank, communicates for m. Nothing of analyzer's tables is used but the names of
 * measures. Each sample has 5 % noise (normal, one in a thousand three to six times that), each GPU
 * a distance of its own from its like, each job a common wobble, checkpoints with ragged edges; 1 %
 * of samples are missing. Members of a job play different parts: the last of eight stages of a
 * pipeline computes 4 % more. */
#include "analyzer/pace.h"
#include "analyzer/peers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES   2304
#define EACH    8
#define GPUS    (NODES * EACH)
#define JOBS    512
#define NORMALS (1u << 20)

enum fault { CLOCK, MEMORY, HOST, POWER, NODE_HOST, NODE_POWER, RACK_HOT, LEAF, FAULTS };
static const char *const fault_words[FAULTS] = {"clock", "memory",     "host",     "power",
                                                "node",  "node-power", "rack-hot", "leaf"};

struct job {
    uint32_t first, nodes;
    double compute, comm, wobble, cnp;
    int64_t save_ms, save_end; /* the next checkpoint, and its end */
    int fault;                 /* -1: none */
    uint32_t at;               /* GPU, node, rack or leaf */
    int64_t begin_ms;
    int64_t found_ms; /* first finding of the right entity; 0: none */
    bool first_wrong, any;
    double step; /* of this sample: time of a step */
    bool saving;
};

struct world {
    struct job jobs[JOBS];
    uint32_t job_count;
    int16_t job_of[NODES];
    float off[8][GPUS]; /* own distances: tensor sm util power clock temp nvlink pcie */
    int64_t now_ms;
    double slow; /* a tenth: 0.1 */
    uint64_t rng;
    struct peers *peers;
    float *column[PEERS_MEASURES];
    size_t place[GPUS];
    struct peers_member members[GPUS];
};

static float normals[NORMALS];
static double scan_s;
static unsigned long scans;

static uint64_t
rng_next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static double
rng_unit(uint64_t *s)
{
    return (double)(rng_next(s) >> 11) * 0x1p-53;
}

static void
normals_fill(void)
{
    uint64_t s = 88172645463325252u;
    for (size_t i = 0; i < NORMALS; i += 2) {
        double r = sqrt(-2 * log(rng_unit(&s) + 1e-300)), a = 6.283185307 * rng_unit(&s);
        normals[i] = (float)(r * cos(a));
        normals[i + 1] = (float)(r * sin(a));
    }
}

static double
cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- a world ---------------------------------------------------------------------------------- */

static void
world_jobs(struct world *w)
{
    static const uint32_t sizes[] = {1024, 256, 256, 64, 64, 64, 64, 64, 64, 64, 64};
    uint32_t at = 0;
    for (size_t i = 0; at < NODES; i++) {
        uint32_t n = i < sizeof sizes / sizeof *sizes ? sizes[i]
                     : i % 3 == 0                     ? 16
                     : i % 3 == 1                     ? 8
                                                      : 4;
        struct job *j = &w->jobs[w->job_count];
        n = n < NODES - at ? n : NODES - at;
        *j = (struct job){.first = at, .nodes = n, .fault = -1};
        j->compute = 1 + 4 * rng_unit(&w->rng);
        j->comm = j->compute * (0.12 + 0.3 * rng_unit(&w->rng));
        j->cnp = 500 + 3000 * rng_unit(&w->rng);
        j->save_ms = (int64_t)((0.5 + rng_unit(&w->rng)) * 900000);
        for (uint32_t k = at; k < at + n; k++)
            w->job_of[k] = (int16_t)w->job_count;
        at += n;
        w->job_count++;
    }
}

static void
world_layout(struct world *w)
{
    static uint64_t keys[JOBS];
    for (uint32_t g = 0; g < GPUS; g++) {
        uint32_t n = g / EACH;
        w->members[g] = (struct peers_member){.key = g + 1, .job = (uint32_t)w->job_of[n]};
        w->members[g].group[PEERS_NODE] = n;
        w->members[g].group[PEERS_RACK] = n / 8;
        w->members[g].group[PEERS_LEAF] = n / 64 * 8 + g % EACH;
        w->members[g].group[PEERS_POWER] = n / 16;
        w->members[g].group[PEERS_COOLING] = n / 64;
    }
    for (uint32_t j = 0; j < w->job_count; j++)
        keys[j] = j + 1;
    if (peers_layout(w->peers, w->members, GPUS, keys, w->job_count))
        abort();
    for (uint32_t g = 0; g < GPUS; g++)
        w->place[g] = peers_place(w->peers, g);
    for (size_t m = 0; m < PEERS_MEASURES; m++)
        w->column[m] = peers_column(w->peers, m);
}

static struct world *
world_new(uint64_t seed, double slow)
{
    static const float sizes[8] = {0.01f, 0.01f, 0.003f, 0.03f, 0.007f, 3, 0.02f, 0.03f};
    struct world *w = calloc(1, sizeof *w);
    w->rng = seed * 0x9e3779b97f4a7c15u + 1;
    w->slow = slow;
    w->peers = peers_new();
    world_jobs(w);
    for (size_t k = 0; k < 8; k++)
        for (size_t g = 0; g < GPUS; g++)
            w->off[k][g] = sizes[k] * normals[rng_next(&w->rng) % NORMALS];
    world_layout(w);
    return w;
}

static void
world_free(struct world *w)
{
    peers_free(w->peers);
    free(w);
}

/* One fault in every second job that is large enough for it. */
static void
world_faults(struct world *w, int64_t begin_ms, bool gpus_only)
{
    for (uint32_t i = 0; i < w->job_count; i++) {
        struct job *j = &w->jobs[i];
        if (rng_unit(&w->rng) < 0.5)
            continue;
        j->fault = (int)(rng_next(&w->rng) % (gpus_only ? 4u : (uint64_t)FAULTS));
        uint32_t node = j->first + (uint32_t)(rng_next(&w->rng) % j->nodes);
        if (j->fault >= RACK_HOT && j->nodes < 64)
            j->fault = (int)(rng_next(&w->rng) % 4);
        j->at = j->fault < NODE_HOST     ? node * EACH + (uint32_t)(rng_next(&w->rng) % EACH)
                : j->fault <= NODE_POWER ? node
                : j->fault == RACK_HOT   ? node / 8
                                         : node / 64 * 8 + (uint32_t)(rng_next(&w->rng) % 8);
        j->begin_ms = begin_ms + (int64_t)(rng_unit(&w->rng) * 60000);
    }
}

/* --- physics ---------------------------------------------------------------------------------- */

struct gpu {
    double compute, late, clock, heat, path;
};

static bool
job_hits(const struct world *w, const struct job *j, uint32_t g)
{
    uint32_t n = g / EACH;
    if (j->fault < 0 || w->now_ms < j->begin_ms)
        return false;
    return j->fault < NODE_HOST     ? g == j->at
           : j->fault <= NODE_POWER ? n == j->at
           : j->fault == RACK_HOT   ? n / 8 == j->at
                                    : n / 64 * 8 + g % EACH == j->at;
}

/* What a rank takes for its part of a step, alone. */
static struct gpu
gpu_of(const struct world *w, const struct job *j, uint32_t g)
{
    double part = (g / EACH - j->first) % 8 == 7 && j->nodes >= 8 ? 1.04 : 1;
    struct gpu r = {j->compute * part, 0, 1, 0, 1};
    if (!job_hits(w, j, g))
        return r;
    switch (j->fault) {
    case CLOCK:
    case RACK_HOT:
        r.clock = 1 / (1 + w->slow);
        r.heat = j->fault == RACK_HOT ? 9 : 0;
        break;
    case POWER:
    case NODE_POWER:
        r.clock = 1 / (1 + w->slow);
        r.heat = -4;
        break;
    case MEMORY:
        r.compute *= 1 + w->slow;
        return r;
    case HOST:
    case NODE_HOST:
        r.late = w->slow * r.compute;
        return r;
    case LEAF:
        r.path = 4;
        return r;
    }
    r.compute /= r.clock;
    return r;
}

static double
job_step(const struct world *w, const struct job *j)
{
    double longest = 0;
    for (uint32_t n = j->first; n < j->first + j->nodes; n++)
        for (uint32_t k = 0; k < EACH; k++) {
            struct gpu r = gpu_of(w, j, n * EACH + k);
            longest = fmax(longest, r.compute + r.late);
        }
    bool leaf = j->fault == LEAF && w->now_ms >= j->begin_ms;
    return longest + j->comm * (leaf ? 1.3 : 1);
}

static float
noisy(uint64_t *rng, double v, double share)
{
    uint64_t r = rng_next(rng);
    double size = (r >> 54) == 0 ? 3 + 3 * (double)(r >> 44 & 0x3ff) / 1024 : 1;
    if ((r >> 34 & 0x3ff) < 10)
        return NAN; /* 1 % never arrives */
    return (float)(v * (1 + share * size * (double)normals[r % NORMALS]));
}

static void
put(struct world *w, enum metric_meaning m, uint32_t g, float v)
{
    int i = peers_measure(m);
    if (i >= 0)
        w->column[i][w->place[g]] = v;
}

static void
gpu_sample(struct world *w, const struct job *j, uint32_t g)
{
    struct gpu r = gpu_of(w, j, g);
    uint64_t *s = &w->rng;
    double step = j->step, busy = r.compute / step, late = r.late / step, spin = 1 - busy - late;
    double work = j->compute / step; /* operations are the same whoever does them */
    if ((g / EACH - j->first) % 8 == 7 && j->nodes >= 8)
        work *= 1.04;
    double mine = 1 + 0.01 * (double)normals[rng_next(s) % NORMALS]; /* of all its measures */
    double all = j->wobble * mine;
    double power = 90 + 560 * busy * r.clock * r.clock + 150 * spin;
    if (r.heat < 0)
        power *= 0.93;
    if (j->saving) { /* ranks leave and join raggedly */
        bool still = rng_unit(s) < 0.1;
        busy = still ? busy : 0.02;
        work = busy;
        power = still ? power : 130;
        late = still ? 0 : 0.8;
        spin = still ? spin : 0.1;
    }
    double temp = 30 + 0.056 * power + r.heat;
    put(w, METRIC_GPU_TENSOR_ACTIVE, g,
        noisy(s, 0.5 * work / r.clock * all * (1 + (double)w->off[0][g]), 0.05));
    put(w, METRIC_GPU_SM_ACTIVE, g,
        noisy(s, (0.86 * busy + 0.2 * spin) * all * (1 + (double)w->off[1][g]), 0.05));
    put(w, METRIC_GPU_UTIL, g,
        fminf(100, noisy(s, 97 * (1 - late) * (1 + (double)w->off[2][g]), 0.05)));
    put(w, METRIC_GPU_POWER, g, noisy(s, power * all * (1 + (double)w->off[3][g]), 0.05));
    put(w, METRIC_GPU_CLOCK, g, noisy(s, 1755 * r.clock * (1 + (double)w->off[4][g]), 0.05));
    put(w, METRIC_GPU_TEMP, g, noisy(s, temp + (double)w->off[5][g], 0.02));
    put(w, METRIC_GPU_MEM_TEMP, g, noisy(s, temp + 10 + (double)w->off[5][g], 0.02));
    put(w, METRIC_GPU_NVLINK_BYTES, g,
        noisy(s, 2e11 / step * all * (1 + (double)w->off[6][g]), 0.05));
    put(w, METRIC_GPU_PCIE_TX, g, noisy(s, 3e9 / step * (1 + (double)w->off[7][g]), 0.05));
    put(w, METRIC_GPU_PCIE_RX, g, noisy(s, 3e9 / step * (1 + (double)w->off[7][g]), 0.05));
    put(w, METRIC_NIC_TX_BYTES, g, noisy(s, 4e10 / step * all, 0.05));
    put(w, METRIC_NIC_RX_BYTES, g, noisy(s, 4e10 / step * all, 0.05));
    /* congestion comes in bursts: noise of the size of the thing itself */
    double burst = j->cnp * r.path;
    put(w, METRIC_NIC_CNP_HANDLED, g, fmaxf(0, noisy(s, burst, 0.5)));
    put(w, METRIC_NIC_CNP_SENT, g, fmaxf(0, noisy(s, j->cnp, 0.5)));
    put(w, METRIC_NIC_ECN_MARKED, g, fmaxf(0, noisy(s, burst * 2, 0.5)));
    put(w, METRIC_NIC_PFC_RX, g, fmaxf(0, noisy(s, burst / 4, 0.8)));
    put(w, METRIC_NIC_PFC_TX, g, fmaxf(0, noisy(s, 100, 0.8)));
    put(w, METRIC_NIC_RETRANSMITS, g, fmaxf(0, noisy(s, 2, 1)));
    put(w, METRIC_NIC_OUT_OF_SEQUENCE, g, fmaxf(0, noisy(s, 3, 1)));
    put(w, METRIC_NIC_ACK_TIMEOUT, g, 0);
}

static void
world_sample(struct world *w, int64_t every_ms)
{
    w->now_ms += every_ms;
    for (uint32_t i = 0; i < w->job_count; i++) {
        struct job *j = &w->jobs[i];
        if (w->now_ms >= j->save_ms && !j->save_end)
            j->save_end = w->now_ms + 20000 + (int64_t)(rng_next(&w->rng) % 30000);
        if (j->save_end && w->now_ms >= j->save_end) {
            j->save_end = 0;
            j->save_ms = w->now_ms + 900000;
        }
        j->saving = j->save_end != 0;
        j->step = job_step(w, j);
        j->wobble = 1 + 0.02 * (double)normals[rng_next(&w->rng) % NORMALS];
        for (uint32_t g = j->first * EACH; g < (j->first + j->nodes) * EACH; g++)
            gpu_sample(w, j, g);
    }
}

/* --- judging ---------------------------------------------------------------------------------- */

struct tally {
    unsigned faults, found, in_time, named, right_first, first;
    unsigned by_fault[FAULTS], found_by[FAULTS], in_time_by[FAULTS];
    unsigned right, wrong;
    double *times;
    size_t time_count;
};

static bool
finding_is(const struct job *j, const struct peers_finding *f, uint32_t gpu)
{
    static const enum peers_level levels[FAULTS] = {PEERS_GPU,  PEERS_GPU,  PEERS_GPU,  PEERS_GPU,
                                                    PEERS_NODE, PEERS_NODE, PEERS_RACK, PEERS_LEAF};
    (void)gpu;
    return j->fault >= 0 && f->level == levels[j->fault] && f->index == j->at;
}

static struct {
    uint8_t gpu[GPUS], node[NODES], leaf[NODES], rack[NODES], power[NODES], cooling[NODES];
} told;

static bool
tell_once(const struct peers_finding *f)
{
    uint8_t *const at[PEERS_LEVELS] = {told.gpu,  told.node,    told.leaf,
                                       told.rack, told.cooling, told.power};
    bool before = at[f->level][f->index];
    at[f->level][f->index] = 1;
    return !before;
}

static void
world_judge(struct world *w, struct tally *t, int64_t limit_ms, bool show)
{
    const struct peers_finding *f;
    double start = cpu_s();
    size_t n = peers_decide(w->peers, &f);
    scan_s += cpu_s() - start;
    for (size_t i = 0; i < n; i++) {
        if (!tell_once(&f[i]))
            continue;
        struct job *j = NULL;
        for (uint32_t k = 0; k < w->job_count; k++)
            if (finding_is(&w->jobs[k], &f[i], f[i].index) && w->now_ms >= w->jobs[k].begin_ms)
                j = &w->jobs[k];
        struct job *in = j ? j : &w->jobs[f[i].job];
        if (!in->any && in->fault >= 0) {
            in->any = true;
            t->first++;
            t->right_first += j != NULL;
        }
        if (!j) {
            t->wrong++;
            if (show)
                printf("    wrong: level %d index %u shape %s score %.1f share %u/%u at %lld s "
                       "(job %u of %u nodes, fault %s)\n",
                       f[i].level, f[i].index, peers_shape_word(f[i].shape), (double)f[i].score,
                       f[i].count, f[i].of, (long long)w->now_ms / 1000, f[i].job, in->nodes,
                       in->fault < 0 ? "none" : fault_words[in->fault]);
            continue;
        }
        t->right++;
        j->found_ms = w->now_ms;
        double took = (double)(w->now_ms - j->begin_ms) / 1000;
        t->times[t->time_count++] = took;
        t->in_time += took * 1000 <= (double)limit_ms;
        t->in_time_by[j->fault] += took * 1000 <= (double)limit_ms;
    }
}

static void
world_step(struct world *w, int64_t every_ms)
{
    world_sample(w, every_ms);
    double start = cpu_s();
    peers_step(w->peers, NULL, w->now_ms, every_ms);
    scan_s += cpu_s() - start;
    scans++;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void
run_faults(unsigned worlds, int64_t every_ms, int64_t limit_ms, double slow, bool gpus_only,
           bool show)
{
    struct tally t = {.times = calloc(worlds * JOBS + 1, sizeof(double))};
    for (unsigned i = 0; i < worlds; i++) {
        struct world *w = world_new(i + 1000, slow);
        int64_t warm = every_ms * 48, end = warm + 60000 + 3 * limit_ms;
        memset(&told, 0, sizeof told);
        world_faults(w, warm, gpus_only);
        while (w->now_ms < end) {
            world_step(w, every_ms);
            world_judge(w, &t, limit_ms, show);
        }
        for (uint32_t k = 0; k < w->job_count; k++)
            if (w->jobs[k].fault >= 0) {
                t.faults++;
                t.by_fault[w->jobs[k].fault]++;
                t.found_by[w->jobs[k].fault] += w->jobs[k].found_ms != 0;
                t.found += w->jobs[k].found_ms != 0;
            }
        world_free(w);
    }
    qsort(t.times, t.time_count, sizeof *t.times, by_size);
    printf("slower by %.0f %%, samples every %lld s, %u worlds, %u faults%s\n", slow * 100,
           (long long)every_ms / 1000, worlds, t.faults, gpus_only ? ", one GPU each" : "");
    printf("  precision %.3f (%u right, %u wrong)\n",
           t.right + t.wrong ? t.right / (double)(t.right + t.wrong) : 1, t.right, t.wrong);
    printf("  recall %.3f, within %lld s %.3f; time to detection p50 %.0f s, p95 %.0f s\n",
           t.found / (double)t.faults, (long long)limit_ms / 1000, t.in_time / (double)t.faults,
           t.time_count ? t.times[t.time_count / 2] : 0.0,
           t.time_count ? t.times[t.time_count * 95 / 100] : 0.0);
    printf("  culprit named first in %.3f of the jobs in which anything was named\n",
           t.first ? t.right_first / (double)t.first : 1);
    for (int k = 0; k < FAULTS; k++)
        if (t.by_fault[k])
            printf("    %-10s found %u of %u, in time %u\n", fault_words[k], t.found_by[k],
                   t.by_fault[k], t.in_time_by[k]);
    free(t.times);
}

static void
run_healthy(double hours, int64_t every_ms, bool show)
{
    struct tally t = {.times = calloc(JOBS + 1, sizeof(double))};
    struct world *w = world_new(77, 0.1);
    memset(&told, 0, sizeof told);
    while ((double)w->now_ms < hours * 3600000) {
        world_step(w, every_ms);
        world_judge(w, &t, 0, show);
    }
    printf("healthy: %u false in %.0f GPU-days (%.1f h of %d GPUs at %lld s)\n", t.wrong,
           hours / 24 * GPUS, hours, GPUS, (long long)every_ms / 1000);
    world_free(w);
    free(t.times);
}

/* --- hangs ------------------------------------------------------------------------------------ */

enum phase { STEPS, SAVES_IDLE, SAVES_AT_BARRIER, EVALUATES, HANGS, ENDS };

/* Medians of a job's accelerators while it does that. A collective's kernel holds a sixth of the
 * processors and draws a third to a half of the power; a pass forward alone draws four fifths. */
static struct pace_sample
phase_sample(enum phase phase, int64_t t_ms, uint64_t *rng)
{
    static const double at[][5] = {[STEPS] = {98, 0.42, 0.74, 560, 40},
                                   [SAVES_IDLE] = {15, 0.005, 0.05, 140, 900},
                                   [SAVES_AT_BARRIER] = {99, 0.002, 0.2, 240, 700},
                                   [EVALUATES] = {93, 0.25, 0.55, 450, 60},
                                   [HANGS] = {100, 0, 0.2, 240, 15},
                                   [ENDS] = {0, 0, 0, 92, 10}};
    double v[5];
    for (int k = 0; k < 5; k++)
        v[k] = at[phase][k] * (1 + 0.04 * (double)normals[rng_next(rng) % NORMALS]);
    return (struct pace_sample){t_ms, fmin(v[0], 100), v[1], v[2], v[3], v[4]};
}

/* A job that steps, saves in both ways and evaluates in turn, then hangs or ends. */
static void
run_hang(int64_t every_ms, bool ends, uint64_t *rng, unsigned *ret_false, int64_t *ret_took)
{
    struct pace p = {0};
    int64_t change = 0, hang = 600000 + (int64_t)(rng_next(rng) % 7200000), t = 0;
    enum phase phase = STEPS;
    *ret_took = -1;
    for (; t < hang + 10 * every_ms; t += every_ms) {
        if (t >= hang) {
            phase = ends ? ENDS : HANGS;
        } else if (t >= change) {
            bool stepped = phase == STEPS;
            phase = stepped && t > 120000 ? (enum phase)(SAVES_IDLE + rng_next(rng) % 3) : STEPS;
            change = t + (phase == STEPS ? 300000 : 20000) + (int64_t)(rng_next(rng) % 60000);
        }
        struct pace_sample s = phase_sample(phase, t, rng);
        if (pace_take(&p, &s) != PACE_HANGS)
            continue;
        if (phase != HANGS) {
            (*ret_false)++;
            return;
        }
        *ret_took = t - hang;
        return;
    }
}

static void
run_hangs(int64_t every_ms)
{
    unsigned wrong = 0, in_time = 0, found = 0, jobs = 500;
    uint64_t rng = 4711;
    int64_t took, longest = 0;
    for (unsigned i = 0; i < jobs; i++) {
        run_hang(every_ms, false, &rng, &wrong, &took);
        found += took >= 0;
        in_time += took >= 0 && took <= 2 * every_ms + 5000;
        longest = took > longest ? took : longest;
    }
    for (unsigned i = 0; i < jobs; i++)
        run_hang(every_ms, true, &rng, &wrong, &took);
    printf(
        "hangs: %u of %u found, %u within two intervals and 5 s, the last after %.0f s at %lld s a "
        "sample; %u times a checkpoint, an evaluation or an end was taken for one\n",
        found, jobs, in_time, (double)longest / 1000, (long long)every_ms / 1000, wrong);
}

int
main(int argc, char **argv)
{
    unsigned worlds = argc > 1 ? (unsigned)atoi(argv[1]) : 6;
    double hours = argc > 2 ? atof(argv[2]) : 1;
    bool show = argc > 3;
    normals_fill();
    run_faults(worlds, 5000, 60000, 0.1, true, show);
    run_faults(worlds, 15000, 240000, 0.1, true, show);
    run_faults(worlds, 5000, 60000, 0.1, false, show);
    run_hangs(5000);
    run_hangs(15000);
    run_healthy(hours, 5000, show);
    run_healthy(hours * 3, 15000, show);
    printf(
        "scan: 20 measures x %d GPUs x 15 min: %.2f s of CPU at 5 s a sample (180 samples), %.2f "
        "s at 15 s (60)\n",
        GPUS, scan_s / (double)scans * 180, scan_s / (double)scans * 60);
    return 0;
}
