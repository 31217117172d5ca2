/* detect_peers: hands the running jobs' accelerators to peers and to pace, and says what they find:
 * a slow accelerator, node, leaf, rack, cooling or power unit; a job that stands; a job that is
 * slow in all its parts alike, which is its software.
 *
 * A job is taken when most of its members have a sample that is newer than the last one taken, so
 * that a step holds one sample of each whatever the moments at which nodes are collected. Columns
 * are read only as far as peers make use of them. */
#include "analyzer/detect_priv.h"
#include "analyzer/pace.h"
#include "analyzer/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETECT_MOST     0.9   /* of the members with a new sample: the job is taken */
#define DETECT_LATE     1.6   /* intervals; then half of them do */
#define DETECT_ALIKE_MS 90000 /* slow for so long, and nobody is: time for counters to tell */
#define DETECT_NICS     64

struct detect_crew { /* members of one job */
    char *id;
    uint32_t job; /* subject */
    size_t first, count;
    int64_t t_ms, every_ms; /* last taken */
    bool due;
    struct pace pace;
};

struct detect_peers {
    struct peers *core;
    uint64_t revision;
    size_t known; /* accelerators when the layout was made */
    struct peers_member *members;
    uint32_t *gpu, *nic; /* subjects */
    int64_t *taken;
    size_t count, cap;
    struct detect_crew *crews;
    bool *due;
    size_t crew_count;
    const struct peers_finding *found;
    size_t found_count;
    int64_t read_ms;
};

static void
detect_crews_free(struct detect_crew *crews, size_t n)
{
    for (size_t i = 0; crews && i < n; i++)
        free(crews[i].id);
    free(crews);
}

struct detect_peers *
detect_peers_new(void)
{
    struct detect_peers *p = calloc(1, sizeof *p);
    if (p && !(p->core = peers_new())) {
        free(p);
        return NULL;
    }
    return p;
}

void
detect_peers_free(struct detect_peers *p)
{
    if (!p)
        return;
    peers_free(p->core);
    detect_crews_free(p->crews, p->crew_count);
    free(p->members);
    free(p->gpu);
    free(p->nic);
    free(p->taken);
    free(p->due);
    free(p);
}

/* --- the layout ------------------------------------------------------------------------------- */

static uint32_t
detect_group(struct detectors *d, topo_id id, enum entity_kind k)
{
    topo_id at = id == TOPO_NONE ? TOPO_NONE : topo_neighbour(d->topo, id, k);
    return at == TOPO_NONE ? PEERS_NONE : detect_subject_of(d, topo_name(d->topo, at));
}

/* Adapters of a node towards other accelerators, in their order. */
static size_t
detect_rails(const struct topo *t, topo_id node, topo_id *ret_nics)
{
    size_t edges, n = 0;
    const struct topo_edge *e = topo_edges(t, node, &edges);
    for (size_t i = 0; i < edges && n < DETECT_NICS; i++) {
        const char *plane =
            topo_kind(t, e[i].to) == ENTITY_NIC ? topo_attr(t, e[i].to, "plane") : "none";
        if (*plane && strcmp(plane, "parameter"))
            continue;
        size_t at = n++;
        for (; at && strcmp(topo_name(t, ret_nics[at - 1]), topo_name(t, e[i].to)) > 0; at--)
            ret_nics[at] = ret_nics[at - 1];
        ret_nics[at] = e[i].to;
    }
    return n;
}

static int
detect_members_reserve(struct detect_peers *p)
{
    if (p->count < p->cap)
        return 0;
    size_t cap = p->cap ? p->cap * 2 : 256;
    struct peers_member *members = realloc(p->members, cap * sizeof *members);
    p->members = members ? members : p->members;
    uint32_t *gpu = realloc(p->gpu, cap * sizeof *gpu);
    p->gpu = gpu ? gpu : p->gpu;
    uint32_t *nic = realloc(p->nic, cap * sizeof *nic);
    p->nic = nic ? nic : p->nic;
    int64_t *taken = realloc(p->taken, cap * sizeof *taken);
    p->taken = taken ? taken : p->taken;
    if (!members || !gpu || !nic || !taken)
        return ERR_NOMEM;
    p->cap = cap;
    return 0;
}

static int
detect_members_node(struct detectors *d, struct detect_peers *p, const struct topo_job *job,
                    topo_id node)
{
    char gpu[ENTITY_SIZE], part[16];
    topo_id nics[DETECT_NICS];
    size_t rails = detect_rails(d->topo, node, nics);
    topo_id rack = topo_neighbour(d->topo, node, ENTITY_RACK);
    struct peers_member m = {.job = (uint32_t)p->crew_count};
    m.group[PEERS_NODE] = detect_subject_of(d, topo_name(d->topo, node));
    m.group[PEERS_RACK] = detect_group(d, node, ENTITY_RACK);
    m.group[PEERS_POWER] = detect_group(d, rack, ENTITY_PDU);
    m.group[PEERS_COOLING] = detect_group(d, rack, ENTITY_CDU);
    for (unsigned g = 0; g < job->gpus_per_node; g++) {
        snprintf(part, sizeof part, "%u", g);
        if (entity_format(gpu, ENTITY_GPU, topo_name(d->topo, node) + 5, part) ||
            (m.key = detect_subject_find(d, gpu)) == DETECT_NONE)
            continue;
        if (detect_members_reserve(p))
            return ERR_NOMEM;
        topo_id nic = rails ? nics[g * rails / job->gpus_per_node] : TOPO_NONE;
        topo_id far = nic == TOPO_NONE ? TOPO_NONE : detect_far(d->topo, nic);
        m.group[PEERS_LEAF] = detect_group(d, far, ENTITY_SWITCH);
        p->gpu[p->count] = (uint32_t)m.key;
        p->nic[p->count] =
            nic == TOPO_NONE ? DETECT_NONE : detect_subject_find(d, topo_name(d->topo, nic));
        p->taken[p->count] = 0;
        p->members[p->count++] = m;
    }
    return 0;
}

/* A job's pace goes on in a new layout. */
static struct detect_crew
detect_crew_of(struct detectors *d, const struct topo_job *job, const struct detect_crew *old,
               size_t n)
{
    char name[ENTITY_SIZE];
    struct detect_crew c = {.id = strdup(job->id), .job = DETECT_NONE};
    for (size_t i = 0; i < n; i++)
        if (!strcmp(old[i].id, job->id)) {
            c.pace = old[i].pace;
            c.t_ms = old[i].t_ms;
            c.every_ms = old[i].every_ms;
        }
    if (!entity_format(name, ENTITY_JOB, job->id, NULL))
        c.job = detect_subject_of(d, name);
    return c;
}

static int
detect_layout_jobs(struct detectors *d, struct detect_peers *p, const struct topo_job *jobs,
                   size_t n, const struct detect_crew *old, size_t old_count)
{
    for (size_t i = 0; i < n; i++) {
        struct detect_crew *c = &p->crews[p->crew_count];
        *c = detect_crew_of(d, &jobs[i], old, old_count);
        c->first = p->count;
        int rc = c->id ? 0 : ERR_NOMEM;
        for (size_t k = 0; !rc && k < jobs[i].node_count; k++)
            rc = detect_members_node(d, p, &jobs[i], jobs[i].nodes[k]);
        c->count = p->count - c->first;
        p->crew_count++;
        if (rc)
            return rc;
    }
    return 0;
}

static int
detect_layout(struct detectors *d, struct detect_peers *p)
{
    const struct topo_job *jobs;
    size_t n = topo_jobs(d->topo, &jobs), old_count = p->crew_count;
    struct detect_crew *old = p->crews;
    uint64_t *keys = calloc(n + 1, sizeof *keys);
    bool *due = realloc(p->due, n + 1);
    p->due = due ? due : p->due;
    p->count = p->crew_count = 0;
    p->crews = calloc(n + 1, sizeof *p->crews);
    int rc =
        keys && due && p->crews ? detect_layout_jobs(d, p, jobs, n, old, old_count) : ERR_NOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        keys[i] = map_hash(p->crews[i].id, strlen(p->crews[i].id));
    if (!rc)
        rc = peers_layout(p->core, p->members, p->count, keys, n);
    if (rc) {
        detect_crews_free(p->crews, p->crews ? p->crew_count : 0);
        p->crews = NULL;
        p->count = p->crew_count = 0;
    }
    detect_crews_free(old, old_count);
    free(keys);
    p->revision = topo_revision(d->topo) + 1;
    p->known = d->kinds[ENTITY_GPU].count;
    return rc;
}

/* --- taking a step ---------------------------------------------------------------------------- */

static void
detect_crew_due(struct detectors *d, struct detect_peers *p, struct detect_crew *c,
                const struct detect_column *util)
{
    size_t there = 0, new = 0;
    int64_t gap = 0;
    for (size_t i = c->first; i < c->first + c->count; i++) {
        uint32_t g = p->gpu[i];
        if (g >= util->count || isnan(util->v[g]))
            continue;
        there++;
        new += util->t_ms[g] > p->taken[i];
        gap = d->kinds[ENTITY_GPU].at[g].gap_ms > gap ? d->kinds[ENTITY_GPU].at[g].gap_ms : gap;
    }
    bool late = gap && (double)(d->now_ms - c->t_ms) > DETECT_LATE * (double)gap;
    c->due = there && (double)new >= (late ? 0.5 : DETECT_MOST) * (double)there;
    c->every_ms = gap;
}

static void
detect_fill(struct detect_peers *p, const struct detect_crew *c, size_t m, bool nic,
            const struct detect_column *col, bool counter)
{
    float *to = peers_column(p->core, m);
    for (size_t i = c->first; i < c->first + c->count; i++) {
        uint32_t s = nic ? p->nic[i] : p->gpu[i];
        bool there = s < col->count && (nic || col->t_ms[s] > p->taken[i]);
        double v = !there ? NAN : counter ? col->rate[s] : col->v[s];
        to[peers_place(p->core, i)] = (float)v;
    }
}

static void
detect_take(struct detectors *d, struct detect_peers *p)
{
    for (size_t m = 0; m < PEERS_MEASURES; m++) {
        enum metric_meaning meaning = peers_meaning(m);
        if (!peers_used(m))
            continue;
        const struct detect_column *col = detect_read(d, meaning);
        bool nic = col->kind == ENTITY_NIC;
        bool counter = col->source_count && col->sources[0].row->kind == METRIC_COUNTER;
        for (size_t i = 0; i < p->crew_count; i++)
            if (p->crews[i].due)
                detect_fill(p, &p->crews[i], m, nic, col, counter);
    }
}

static double
detect_mean_rate(struct detectors *d, const struct detect_peers *p, const struct detect_crew *c,
                 const struct detect_column *col)
{
    double sum = 0, n = 0;
    uint32_t before = DETECT_NONE;
    for (size_t i = c->first; i < c->first + c->count; i++) {
        uint32_t node = p->members[i].group[PEERS_NODE];
        if (node == before || node >= col->count)
            continue;
        before = node;
        if (isnan(col->rate[node]) || col->t_ms[node] < d->now_ms - DETECT_LOOKBACK_MS)
            continue;
        sum += col->rate[node];
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

static void
detect_pace(struct detectors *d, struct detect_peers *p, size_t job)
{
    struct detect_crew *c = &p->crews[job];
    const float *median = peers_medians(p->core, job);
    double storage = detect_mean_rate(d, p, c, detect_read(d, METRIC_STORAGE_OPS));
    double disk = detect_mean_rate(d, p, c, detect_read(d, METRIC_NODE_DISK_OPS));
    struct pace_sample s = {.t_ms = d->now_ms,
                            .util = (double)median[peers_measure(METRIC_GPU_UTIL)],
                            .tensor = (double)median[peers_measure(METRIC_GPU_TENSOR_ACTIVE)],
                            .sm = (double)median[peers_measure(METRIC_GPU_SM_ACTIVE)],
                            .power = (double)median[peers_measure(METRIC_GPU_POWER)],
                            .writes = isnan(storage) ? disk
                                      : isnan(disk)  ? storage
                                                     : storage + disk};
    pace_take(&c->pace, &s);
}

/* The running jobs of this turn, taken once. */
struct detect_peers *
detect_peers_read(struct detectors *d)
{
    struct detect_peers *p = d->peers;
    if (p->read_ms == d->now_ms)
        return p;
    p->read_ms = d->now_ms;
    p->found_count = 0;
    const struct detect_column *util = detect_read(d, METRIC_GPU_UTIL);
    if ((p->revision != topo_revision(d->topo) + 1 || p->known != d->kinds[ENTITY_GPU].count) &&
        detect_layout(d, p))
        return p;
    int64_t every = 0;
    for (size_t i = 0; i < p->crew_count; i++) {
        detect_crew_due(d, p, &p->crews[i], util);
        p->due[i] = p->crews[i].due;
        every = p->crews[i].every_ms > every ? p->crews[i].every_ms : every;
    }
    detect_take(d, p);
    peers_step(p->core, p->due, d->now_ms, every);
    for (size_t i = 0; i < p->crew_count; i++) {
        struct detect_crew *c = &p->crews[i];
        if (!c->due)
            continue;
        detect_pace(d, p, i);
        c->t_ms = d->now_ms;
        for (size_t k = c->first; k < c->first + c->count; k++)
            if (p->gpu[k] < util->count && util->t_ms[p->gpu[k]] > p->taken[k])
                p->taken[k] = util->t_ms[p->gpu[k]];
    }
    p->found_count = peers_decide(p->core, &p->found);
    return p;
}

/* --- who is slow ------------------------------------------------------------------------------ */

static enum peers_level
detect_level_of(enum entity_kind k)
{
    static const enum peers_level levels[ENTITY_KINDS] = {
        [ENTITY_GPU] = PEERS_GPU,   [ENTITY_NODE] = PEERS_NODE,   [ENTITY_SWITCH] = PEERS_LEAF,
        [ENTITY_RACK] = PEERS_RACK, [ENTITY_CDU] = PEERS_COOLING, [ENTITY_PDU] = PEERS_POWER};
    return levels[k];
}

static const struct peers_finding *
detect_found(const struct detect_peers *p, enum peers_level level, uint32_t subject)
{
    for (size_t i = 0; i < p->found_count; i++) {
        const struct peers_finding *f = &p->found[i];
        if (f->level == level && (level == PEERS_GPU ? p->gpu[f->index] : f->index) == subject)
            return f;
    }
    return NULL;
}

static void
detect_straggler_text(const struct detect_peers *p, const struct peers_finding *f, char *out,
                      size_t size)
{
    static const char *const what[] = {"clock is low",
                                       "works while the others wait",
                                       "works while the others wait",
                                       "starts late while others wait",
                                       "draws less power",
                                       "path is congested"};
    const struct metric_meaning_row *m = metric_meaning_row(f->measure);
    char of[48] = "";
    if (f->level != PEERS_GPU)
        snprintf(of, sizeof of, "%u of %u parts, ", f->count, f->of);
    bool share = f->value < 2; /* ratios have digits behind the point */
    snprintf(out, size,
             "%s%s: %s %.*f%s%s %s %.*f%s%s (median of %zu peers), %+.0f %%, evidence %.0f > %.0f",
             of, what[f->shape], m->en, share ? 2 : 0, (double)f->value, *m->unit ? " " : "",
             m->unit, f->shift < 0 ? "<" : ">", share ? 2 : 0, (double)f->median,
             *m->unit ? " " : "", m->unit, p->crews[f->job].count, (double)f->shift * 100,
             (double)f->score, (double)f->limit);
}

/* Ends the findings of a row that are no longer found. */
static void
detect_rest(struct detectors *d, const struct detect_peers *p, const struct detect_row *row)
{
    uint32_t rest[256];
    size_t pos = 0, n = 0;
    void *value;
    while (n < 256 && map_next(d->findings, &pos, NULL, &value)) {
        const struct detect_finding *f = value;
        if (&detect_table[f->row] == row &&
            !detect_found(p, detect_level_of(row->kind), f->subject))
            rest[n++] = f->subject;
    }
    for (size_t i = 0; i < n; i++) {
        struct detect_verdict v = {.t_ms = d->now_ms, .text = ""};
        detect_judge(d, row, rest[i], &v);
    }
}

void
detect_rule_straggler(struct detectors *d, const struct detect_row *row)
{
    const struct detect_peers *p = detect_peers_read(d);
    char text[256];
    for (size_t i = 0; i < p->found_count; i++) {
        const struct peers_finding *f = &p->found[i];
        uint32_t subject = f->level == PEERS_GPU ? p->gpu[f->index] : f->index;
        if (f->level != detect_level_of(row->kind))
            continue;
        struct detect_verdict v = {.bad = true, .t_ms = d->now_ms, .text = text};
        detect_straggler_text(p, f, text, sizeof text);
        struct detect_finding *known = detect_finding_of(d, row, subject, true);
        if (known && !known->bad_ms)
            known->bad_ms = f->since_ms ? f->since_ms : d->now_ms;
        detect_judge(d, row, subject, &v);
    }
    detect_rest(d, p, row);
}

void
detect_rule_idle(struct detectors *d, const struct detect_row *row)
{
    const struct detect_column *util = detect_read(d, row->meaning);
    const struct detect_peers *p = detect_peers_read(d);
    char text[160];
    for (size_t k = 0; k < p->crew_count; k++) {
        const struct detect_crew *c = &p->crews[k];
        double median = (double)peers_medians(p->core, k)[peers_measure(METRIC_GPU_UTIL)];
        bool busy = c->count >= PEERS_LEAST && median > 60;
        for (size_t i = c->first; i < c->first + c->count; i++) {
            uint32_t g = p->gpu[i];
            if (!detect_fresh(util, g))
                continue;
            struct detect_verdict v = {
                .bad = busy && util->v[g] < row->limit, .t_ms = util->t_ms[g], .text = text};
            if (v.bad)
                snprintf(text, sizeof text,
                         "utilization %.0f %% < %.0f %% while %.0f %% is the median of %zu peers",
                         util->v[g], row->limit, median, c->count);
            detect_judge(d, row, g, &v);
        }
    }
}

/* --- jobs as a whole -------------------------------------------------------------------------- */

/* Everybody spins in a collective that somebody does not enter. */
void
detect_rule_hang(struct detectors *d, const struct detect_row *row)
{
    const struct detect_peers *p = detect_peers_read(d);
    char text[200];
    for (size_t k = 0; k < p->crew_count; k++) {
        const struct detect_crew *c = &p->crews[k];
        const float *median = peers_medians(p->core, k);
        if (!c->due || c->job == DETECT_NONE)
            continue;
        bool hangs = c->pace.state == PACE_HANGS;
        struct detect_finding *f = detect_finding_of(d, row, c->job, hangs);
        struct detect_verdict v = {.bad = hangs, .t_ms = d->now_ms, .text = text};
        if (f && hangs && !f->bad_ms)
            f->bad_ms = c->pace.stopped_ms;
        snprintf(text, sizeof text,
                 "no step since %.0f s: median power %.0f W (usual %.0f W), tensor cores active "
                 "%.2f (usual %.2f) at %.0f %% utilization on %zu accelerators",
                 (double)(d->now_ms - c->pace.stopped_ms) / 1000,
                 (double)median[peers_measure(METRIC_GPU_POWER)], c->pace.power,
                 (double)median[peers_measure(METRIC_GPU_TENSOR_ACTIVE)], c->pace.tensor,
                 (double)median[peers_measure(METRIC_GPU_UTIL)], c->count);
        detect_judge(d, row, c->job, &v);
    }
}

/* Something of the job's, or of what all share, is found to be wrong. */
static bool
detect_something_wrong(struct detectors *d, const char *job)
{
    size_t pos = 0;
    void *value;
    while (map_next(d->findings, &pos, NULL, &value)) {
        const struct detect_finding *f = value;
        enum entity_kind k = detect_table[f->row].kind;
        const struct detect_subject *s = &d->kinds[k].at[f->subject];
        const char *tenant;
        if (!f->begun || k == ENTITY_JOB)
            continue;
        if (k == ENTITY_SWITCH || k == ENTITY_PORT || k == ENTITY_STORAGE || k == ENTITY_RACK ||
            k == ENTITY_PDU || k == ENTITY_CDU || !strcmp(detect_job_of(d, s, &tenant), job))
            return true;
    }
    return false;
}

static double
detect_part(const struct detect_peers *p, size_t job, enum metric_meaning m)
{
    int at = peers_measure(m);
    float usual = peers_usual_of(p->core, job)[at];
    return usual > 0 ? (double)(peers_medians(p->core, job)[at] / usual) : NAN;
}

/* Counters of the network grew, or clocks fell, for all alike. */
static bool
detect_all_suffer(const struct detect_peers *p, size_t job)
{
    static const enum metric_meaning signs[] = {METRIC_NIC_CNP_HANDLED, METRIC_NIC_PFC_RX,
                                                METRIC_NIC_RETRANSMITS, METRIC_NIC_OUT_OF_SEQUENCE,
                                                METRIC_NIC_ECN_MARKED};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        int at = peers_measure(signs[i]);
        float now = peers_medians(p->core, job)[at], usual = peers_usual_of(p->core, job)[at];
        if (now > 1.5f * usual + 20)
            return true;
    }
    return detect_part(p, job, METRIC_GPU_CLOCK) < 0.97;
}

/* Slow, and no part of it is slower than the others: what they all run. Gaps in the accelerators'
 * work are the program's (limit 1: user code); longer collectives without congestion are the
 * framework's (limit 0). */
void
detect_rule_alike(struct detectors *d, const struct detect_row *row)
{
    const struct detect_peers *p = detect_peers_read(d);
    char text[200];
    for (size_t k = 0; k < p->crew_count; k++) {
        const struct detect_crew *c = &p->crews[k];
        if (!c->due || c->job == DETECT_NONE)
            continue;
        int64_t since = peers_slow_since(p->core, k);
        double util = detect_part(p, k, METRIC_GPU_UTIL),
               tensor = detect_part(p, k, METRIC_GPU_TENSOR_ACTIVE);
        bool gaps = util < 0.95, had = detect_finding_of(d, row, c->job, false) != NULL;
        struct detect_verdict v = {.t_ms = d->now_ms, .text = text};
        v.bad = since && d->now_ms - since >= DETECT_ALIKE_MS && !(tensor > 0.97) &&
                (had || gaps == (row->limit > 0)) && !detect_all_suffer(p, k) &&
                !detect_something_wrong(d, c->id);
        struct detect_finding *f = v.bad ? detect_finding_of(d, row, c->job, true) : NULL;
        if (f && !f->bad_ms)
            f->bad_ms = since;
        snprintf(text, sizeof text,
                 "all %zu accelerators are slower alike: tensor cores active %.0f %% of usual, "
                 "utilization %.0f %% of usual; %s",
                 c->count, tensor * 100, util * 100,
                 gaps ? "they wait for their own program" : "no link, clock or node stands out");
        detect_judge(d, row, c->job, &v);
    }
}
