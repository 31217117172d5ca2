/* simjob: jobs and their fate.
 *
 * A collective is as slow as its slowest member; a member that stops leaves its peers spinning
 * until a timer of theirs ends: the RDMA retry for a network that is gone, the watchdog for a peer
 * that is silent, at once for a peer whose process died. A failed job is submitted again, under a
 * new number, when its nodes are whole. */
#include "base/clock.h"
#include "sim/simline.h"
#include "sim/world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIMJOB_CHECKPOINT_EVERY_MS 300000
#define SIMJOB_REQUEUE_MS          20000

static const struct {
    const char *name, *user, *tenant;
    double step;
} simjob_kinds[] = {
    {"llm-pretrain-70b", "lin", "foundation", 5.2}, {"moe-pretrain", "zhang", "foundation", 4.1},
    {"video-diffusion", "maria", "media", 2.4},     {"sft-13b", "chen", "apps", 1.9},
    {"speech-asr", "kofi", "media", 1.3},
};

static void
simjob_claim(struct world *w, struct simjob *j)
{
    int32_t index = (int32_t)(j - w->jobs);
    for (uint32_t n = j->first_node; n < j->first_node + j->nodes; n++)
        for (uint32_t g = 0; g < w->plan->nodes.at[n].gpus && g < j->gpus_per_node; g++)
            w->gpus[w->plan->nodes.at[n].first_gpu + g].job = index;
}

static struct simjob *
simjob_new(struct world *w, uint32_t first, uint32_t nodes, unsigned kind, bool small)
{
    if (w->job_count >= WORLD_JOBS_MAX)
        return NULL;
    struct simjob *j = &w->jobs[w->job_count];
    *j = (struct simjob){.first_node = first,
                         .nodes = nodes,
                         .state = SIMJOB_RUNNING,
                         .small = small,
                         .start_ms = w->now_ms,
                         .mfu = 0.41,
                         .loss = 2.31,
                         .speed = 1,
                         .culprit_gpu = -1,
                         .culprit_nic = -1};
    snprintf(j->id, sizeof j->id, "%u",
             (w->cfg.first_job == 0 ? 4711 : w->cfg.first_job) + w->next_job++);
    kind %= sizeof simjob_kinds / sizeof simjob_kinds[0];
    snprintf(j->name, sizeof j->name, "%s", small ? "dev-session" : simjob_kinds[kind].name);
    snprintf(j->user, sizeof j->user, "%s", small ? "sam" : simjob_kinds[kind].user);
    snprintf(j->tenant, sizeof j->tenant, "%s", simjob_kinds[kind].tenant);
    j->gpus_per_node = w->plan->nodes.at[first].gpus;
    j->base_step = j->step = simjob_kinds[kind].step;
    j->iteration = 1000 + rng_below(&w->rng, 100000);
    j->next_checkpoint_ms = w->now_ms + SIMJOB_CHECKPOINT_EVERY_MS / 2 +
                            rng_below(&w->rng, SIMJOB_CHECKPOINT_EVERY_MS / 2);
    w->job_count++;
    simjob_claim(w, j);
    return j;
}

/* The first job takes half of the nodes, each next half of the rest; some stay idle; with three or
 * more jobs the last is a developer's, on one node. */
void
simjob_start_all(struct world *w)
{
    uint32_t nodes = w->plan->nodes.count, jobs = w->cfg.jobs;
    while (nodes > 0 && w->plan->nodes.at[nodes - 1].gpus == 0)
        nodes--;
    if (jobs == 0)
        jobs = nodes / 64 < 1 ? 1 : nodes / 64 > 32 ? 32 : nodes / 64;
    bool small = jobs >= 3 && nodes > 4;
    uint32_t first = 0, left = nodes - (small ? 1 : 0);
    uint32_t big = jobs - (small ? 1 : 0);
    if (jobs > 1)
        left -= left / 16;
    for (uint32_t k = 0; k < big && left > 0; k++) {
        uint32_t take = k + 1 == big ? left : left / 2 > 0 ? left / 2 : 1;
        if (w->plan->nodes.at[first].gpus > 0)
            simjob_new(w, first, take, k, false);
        first += take;
        left -= take;
    }
    if (small)
        simjob_new(w, nodes - 1, 1, 3, true);
}

const char *
simjob_state_word(enum simjob_state s)
{
    static const char *const words[] = {"running", "running", "failed", "node_fail", "completed"};
    return words[s];
}

struct simjob *
simjob_find(struct world *w, const char *id)
{
    for (uint32_t i = w->job_count; i > 0; i--)
        if (strcmp(w->jobs[i - 1].id, id) == 0)
            return &w->jobs[i - 1];
    return NULL;
}

static void
simjob_trouble(struct simjob *j, enum simjob_trouble t, uint32_t node, int32_t gpu, int32_t nic)
{
    if (t <= j->trouble)
        return;
    j->trouble = t;
    j->culprit_node = node;
    j->culprit_gpu = gpu;
    j->culprit_nic = nic;
}

static double
simjob_gpu_speed(const struct world *w, uint32_t g)
{
    const struct world_gpu_mod *m = &w->gpu_mods[g];
    double hot = w->gpus[g].temp > 87 ? fmax(0.35, 1 - (w->gpus[g].temp - 87) * 0.05) : 1;
    double crc = 1 / (1 + (double)m->nvlink_crc / 400);
    return (1.0 - (double)m->slow) * (m->narrow ? 0.55 : 1.0) * hot * crc;
}

static double
simjob_nic_speed(const struct world *w, uint32_t k)
{
    const struct world_nic_mod *m = &w->nic_mods[k];
    double pause = (double)(m->pause_rx > m->pause_tx ? m->pause_rx : m->pause_tx);
    return 1 / (1 + (double)m->retrans / 900 + pause / 25000 + (double)m->discards / 500);
}

static void
simjob_look_node(struct world *w, struct simjob *j, uint32_t n)
{
    const struct plan_node *p = &w->plan->nodes.at[n];
    if (w->node_mods[n].off)
        simjob_trouble(j, TROUBLE_DEAD, n, -1, -1);
    for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++) {
        if (w->gpu_mods[g].lost)
            simjob_trouble(j, TROUBLE_DEAD, n, (int32_t)g, -1);
        else if (w->gpu_mods[g].hung)
            simjob_trouble(j, TROUBLE_HANG, n, (int32_t)g, -1);
        j->speed = fmin(j->speed, simjob_gpu_speed(w, g));
    }
    for (uint32_t k = p->first_nic; j->nodes > 1 && k < p->first_nic + p->nics; k++) {
        if (w->plan->nics.at[k].link < 0 || strcmp(w->plan->nics.at[k].plane, "parameter") != 0)
            continue;
        if (w->nics[k].was_down)
            simjob_trouble(j, TROUBLE_NET, n, -1, (int32_t)k);
        j->speed = fmin(j->speed, simjob_nic_speed(w, k));
    }
    if (p->storage >= 0 && w->storage_stalled[p->storage])
        simjob_trouble(j, TROUBLE_STORAGE, n, -1, -1);
    if (w->node_mods[n].ce > 20)
        j->speed = fmin(j->speed, 0.9);
}

static void
simjob_look(struct world *w, struct simjob *j)
{
    enum simjob_trouble before = j->trouble;
    uint32_t node = j->culprit_node;
    j->trouble = TROUBLE_NONE;
    j->speed = 1;
    for (uint32_t n = j->first_node; n < j->first_node + j->nodes; n++)
        simjob_look_node(w, j, n);
    if (j->trouble != before || (j->trouble != TROUBLE_NONE && j->culprit_node != node))
        j->trouble_since_ms = w->now_ms;
    if (j->trouble != TROUBLE_NONE)
        j->speed = 0;
}

/* How long peers wait before a timer of theirs ends the job. A node that is gone closes no
 * connection: only the retries of the network tell its peers. */
static int64_t
simjob_patience_ms(const struct world *w, const struct simjob *j)
{
    bool gone = j->trouble == TROUBLE_DEAD && w->node_mods[j->culprit_node].off;
    if (j->trouble == TROUBLE_DEAD && !gone)
        return 1500;
    if (j->trouble == TROUBLE_NET ||
        gone) /* 7 retries of 4.096 us * 2^20: 30 s, in a demo no less than 8 s */
        return (int64_t)fmax(8000, 30000 * w->cfg.timer_scale);
    if (j->trouble == TROUBLE_HANG) /* the process group's watchdog: 600 s */
        return (int64_t)fmax(8000, 600000 * w->cfg.timer_scale);
    return INT64_MAX / 2;
}

static void
simjob_fail(struct world *w, struct simjob *j, int exit_code)
{
    j->state = SIMJOB_FAILING;
    j->exit_code = exit_code;
    j->speed = 0;
    simjob_lines_fail(w, j);
    agenda_add(&w->agenda, (struct agenda_item){.at_ms = w->now_ms + 6000,
                                                .what = AGENDA_JOB_STATE,
                                                .a = (uint32_t)(j - w->jobs)});
}

void
simjob_event(struct world *w, const struct agenda_item *item)
{
    struct simjob *j = &w->jobs[item->a];
    bool off =
        j->trouble == TROUBLE_DEAD && j->culprit_gpu < 0 && w->node_mods[j->culprit_node].off;
    j->state = off ? SIMJOB_NODE_FAIL : SIMJOB_FAILED;
    j->end_ms = w->now_ms;
    j->requeue_ms = w->now_ms + SIMJOB_REQUEUE_MS;
    for (uint32_t n = j->first_node; n < j->first_node + j->nodes; n++)
        for (uint32_t g = 0; g < w->plan->nodes.at[n].gpus; g++)
            w->gpus[w->plan->nodes.at[n].first_gpu + g].job = -1;
    if (w->sink.job != NULL)
        w->sink.job(w->sink.ctx, j, false);
}

static void
simjob_iteration(struct world *w, struct simjob *j, double lost_s)
{
    char t[TIME_TEXT_SIZE];
    j->iteration += 1;
    j->step = j->base_step * rng_between(&w->rng, 0.99, 1.01) + lost_s;
    j->loss = 1.85 + 6.0 / sqrt(j->iteration / 100) + rng_normal(&w->rng) * 0.01;
    j->mfu = 0.41 * j->base_step / j->step;
    j->tokens = 4194304.0 / j->step;
    if (j->small)
        return;
    time_format(w->now_ms, t);
    t[10] = ' ';
    t[19] = 0;
    simline_rank(w, j, j->nodes * j->gpus_per_node - 1, 0, 6,
                 " [%s] iteration %8.0f/  500000 | consumed samples: %12.0f | elapsed time per "
                 "iteration (ms): %.1f | learning rate: "
                 "1.500E-04 | global batch size:  1024 | lm loss: %.6E | loss scale: 1.0 | grad "
                 "norm: %.3f | number of skipped "
                 "iterations:   0 | number of nan iterations:   0 |",
                 t, j->iteration, j->iteration * 1024, j->step * 1000, j->loss,
                 0.4 + rng_unit(&w->rng) * 0.2);
}

static void
simjob_save(struct world *w, struct simjob *j)
{
    if (j->checkpoint_until_ms > 0 && w->now_ms >= j->checkpoint_until_ms &&
        j->trouble != TROUBLE_STORAGE) {
        j->checkpoint = 18 + (double)(w->now_ms - j->checkpoint_until_ms) / 1000;
        j->checkpoint_until_ms = 0;
        simline_rank(w, j, 0, 0, 6,
                     "  successfully saved checkpoint from iteration %8.0f to /data/%s/ckpt [ t "
                     "1/8, p 1/8 ] in %.1f s",
                     j->iteration, j->name, j->checkpoint);
    }
    if (w->now_ms < j->next_checkpoint_ms || j->trouble != TROUBLE_NONE || j->small)
        return;
    j->next_checkpoint_ms = w->now_ms + SIMJOB_CHECKPOINT_EVERY_MS;
    j->checkpoint_until_ms = w->now_ms + 18000;
    simline_rank(w, j, 0, 0, 6,
                 "saving checkpoint at iteration %8.0f to /data/%s/ckpt in torch_dist format",
                 j->iteration, j->name);
}

static void
simjob_run(struct world *w, struct simjob *j, double dt)
{
    simjob_look(w, j);
    simjob_save(w, j);
    bool saving = w->now_ms < j->checkpoint_until_ms;
    if (!saving)
        j->done_s += dt * j->speed;
    if (j->done_s >= j->base_step) {
        j->done_s = fmod(j->done_s, j->base_step);
        simjob_iteration(w, j, j->speed > 0 ? j->base_step * (1 / j->speed - 1) : 0);
    }
    if (j->trouble != TROUBLE_NONE && w->now_ms - j->trouble_since_ms >= simjob_patience_ms(w, j))
        simjob_fail(w, j,
                    j->trouble == TROUBLE_DEAD && j->culprit_gpu < 0 ? 143
                    : j->trouble == TROUBLE_DEAD                     ? 1
                                                                     : 134);
}

static bool
simjob_whole(const struct world *w, const struct simjob *j)
{
    for (uint32_t n = j->first_node; n < j->first_node + j->nodes; n++) {
        const struct plan_node *p = &w->plan->nodes.at[n];
        if (w->node_mods[n].off || w->node_mods[n].disk_full || w->node_mods[n].memory > 0.4f)
            return false;
        for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++)
            if (w->gpu_mods[g].lost || w->gpu_mods[g].hung || w->gpus[g].xid >= 48)
                return false;
        for (uint32_t k = p->first_nic; k < p->first_nic + p->nics; k++)
            if (w->nics[k].was_down)
                return false;
    }
    return true;
}

static void
simjob_requeue(struct world *w, struct simjob *j)
{
    if (!simjob_whole(w, j)) {
        j->requeue_ms = w->now_ms + 5000;
        return;
    }
    struct simjob old = *j;
    j->requeue_ms = 0;
    struct simjob *n = simjob_new(w, old.first_node, old.nodes, 0, old.small);
    if (n == NULL)
        return;
    memcpy(n->name, old.name, sizeof n->name);
    memcpy(n->user, old.user, sizeof n->user);
    memcpy(n->tenant, old.tenant, sizeof n->tenant);
    n->base_step = n->step = old.base_step;
    n->iteration = old.iteration - fmod(old.iteration, 50);
    if (w->sink.job != NULL)
        w->sink.job(w->sink.ctx, n, true);
    simline_rank(w, n, 0, 1000, 6, " loading checkpoint from /data/%s/ckpt at iteration %.0f",
                 n->name, n->iteration);
}

void
simjob_step(struct world *w, double dt)
{
    for (uint32_t i = 0; i < w->job_count; i++) {
        struct simjob *j = &w->jobs[i];
        if (j->state == SIMJOB_RUNNING)
            simjob_run(w, j, dt);
        else if (j->state >= SIMJOB_FAILED && j->requeue_ms > 0 && w->now_ms >= j->requeue_ms)
            simjob_requeue(w, j);
    }
}

void
simjob_kill(struct world *w, uint32_t node, int32_t gpu, int exit_code)
{
    const struct plan_node *p = &w->plan->nodes.at[node];
    int32_t index = p->gpus == 0 ? -1 : w->gpus[gpu >= 0 ? (uint32_t)gpu : p->first_gpu].job;
    if (index < 0 || w->jobs[index].state != SIMJOB_RUNNING)
        return;
    struct simjob *j = &w->jobs[index];
    j->trouble = TROUBLE_DEAD;
    j->culprit_node = node;
    j->culprit_gpu = gpu >= 0 ? gpu : (int32_t)p->first_gpu;
    j->culprit_nic = -1;
    simjob_fail(w, j, exit_code);
}
