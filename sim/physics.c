/* physics: how GPUs, hosts, links and cooling follow load, over the time since each was last
 * sampled.
 *
 * Numbers are those of an 8-way H100 server (700 W limit, 1,980 MHz boost, 80 GB) on 400G DR4
 * modules. First-order thermal model: dT/dt = (T_coolant + 0.056 K/W * P - T) / 18 s. */
#include "sim/world.h"

#include <math.h>

enum {
    REASON_IDLE = 0x1,
    REASON_POWER_CAP = 0x4,
    REASON_HW_SLOW = 0x8,
    REASON_SW_THERMAL = 0x20,
    REASON_HW_THERMAL = 0x40
};

#define PHYSICS_THROTTLE_C 87.0 /* software thermal slowdown */
#define PHYSICS_COMPUTE_W  635.0
#define PHYSICS_SPIN_W     245.0 /* a kernel that polls for its peers */
#define PHYSICS_IDLE_W     78.0

static const struct simjob *
physics_job(const struct world *w, uint32_t gpu)
{
    int32_t j = w->gpus[gpu].job;
    return j < 0 || w->jobs[j].state > SIMJOB_FAILING ? NULL : &w->jobs[j];
}

double
world_job_speed(const struct world *w, uint32_t gpu)
{
    const struct simjob *j = physics_job(w, gpu);
    return j == NULL ? 0 : j->speed;
}

static double
physics_coolant(const struct world *w, uint32_t node)
{
    int32_t r = w->plan->nodes.at[node].rack;
    int32_t c = r < 0 ? -1 : w->plan->racks.at[r].cdu;
    if (c < 0)
        return 26;
    return w->cdus[c].supply +
           58.0 * (double)w->cdus[c].flow_lost; /* less flow carries the heat worse */
}

struct physics_load {
    double busy, spin, clock, tensor;
    bool saving;
};

static struct physics_load
physics_gpu_load(const struct world *w, uint32_t i, const struct simjob *j)
{
    const struct world_gpu_mod *m = &w->gpu_mods[i];
    struct physics_load l = {.clock = 1.0 - (double)m->slow};
    const struct world_gpu *g = &w->gpus[i];
    if (g->temp > PHYSICS_THROTTLE_C)
        l.clock *= fmax(0.35, 1.0 - (g->temp - PHYSICS_THROTTLE_C) * 0.05);
    if (j == NULL)
        return l;
    double own = l.clock * (m->narrow ? 0.55 : 1.0);
    l.saving = w->now_ms < j->checkpoint_until_ms || j->trouble == TROUBLE_STORAGE;
    if (m->hung)
        return l;
    l.busy =
        l.saving
            ? 0.12
            : fmin(1.0, j->speed / fmax(own, 0.05)); /* of the time, computing; the rest it waits */
    l.spin = l.saving ? 0.05 : 1.0 - l.busy;
    l.tensor = 0.43 * l.busy;
    return l;
}

static void
physics_gpu_heat(struct world *w, uint32_t i, double target_w, double dt)
{
    struct world_gpu *g = &w->gpus[i];
    double tau = 1.0 - exp(-dt / 5.0);
    g->power += (fmin(target_w, 699) - g->power) * tau;
    double rest = physics_coolant(w, w->plan->gpus.at[i].node) + 0.056 * g->power +
                  (double)(rng_hash(w->cfg.seed, i) % 500) / 100.0 + (double)w->gpu_mods[i].heat +
                  g->blip;
    g->temp += (rest - g->temp) * (1.0 - exp(-dt / 18.0));
    g->mem_temp = g->temp + 6 + g->power / 90.0;
}

static void
physics_gpu_counters(struct world *w, uint32_t i, const struct physics_load *l, double dt)
{
    struct world_gpu *g = &w->gpus[i];
    const struct world_gpu_mod *m = &w->gpu_mods[i];
    double wide = m->narrow ? 0.12 : 1.0;
    g->pcie_gen = m->narrow ? 3 : 5;
    g->pcie_width = m->narrow ? 4 : 16;
    g->pcie_replay += floor((double)m->replay * dt * rng_between(&w->rng, 0.8, 1.2));
    g->nvlink_crc += floor((double)m->nvlink_crc * dt * rng_between(&w->rng, 0.8, 1.2));
    g->nvlink_kib += 2.1e11 / 1024 * l->busy * dt; /* DCGM counts KiB */
    g->pcie_tx = (l->busy * 11e9 + (l->saving ? 9e9 : 0)) * wide * rng_between(&w->rng, 0.9, 1.1);
    g->pcie_rx = l->busy * 12e9 * wide * rng_between(&w->rng, 0.9, 1.1);
    g->net_tx = g->net_rx = l->busy * 13000;
    uint32_t reasons = m->throttle;
    if (g->temp > PHYSICS_THROTTLE_C) {
        reasons |= REASON_SW_THERMAL | (g->temp > 92 ? REASON_HW_THERMAL : 0u);
        g->thermal_violation += dt * 1e9 * 0.6;
    }
    if (reasons == 0 && g->power > 640)
        reasons = REASON_POWER_CAP;
    if (l->busy + l->spin <= 0 && !m->hung && reasons == 0)
        reasons = REASON_IDLE;
    if (reasons & (REASON_HW_SLOW | 0x80u))
        g->power_violation += dt * 1e9 * 0.6;
    g->throttle = reasons;
}

static void
physics_gpu(struct world *w, uint32_t i, double dt)
{
    struct world_gpu *g = &w->gpus[i];
    const struct simjob *j = physics_job(w, i);
    struct physics_load l = physics_gpu_load(w, i, j);
    double n = rng_normal(&w->rng);
    bool works = l.busy + l.spin > 0.2, hung = w->gpu_mods[i].hung != 0;
    g->util = hung ? 0 : works ? fmin(100, 98.3 + n) : l.saving ? fmax(0, 22 + 6 * n) : 0;
    g->util = floor(g->util);
    g->tensor = fmax(0, l.tensor * (1 + 0.02 * n));
    g->sm_active = fmin(1, 0.86 * l.busy + 0.21 * l.spin);
    g->clock = j == NULL ? 345 : floor((hung ? 1980 : 1755 + 30 * n) * l.clock / 15) * 15;
    double target = PHYSICS_IDLE_W +
                    (PHYSICS_COMPUTE_W - PHYSICS_IDLE_W) * l.busy * (0.3 + 0.7 * l.clock) +
                    (PHYSICS_SPIN_W - PHYSICS_IDLE_W) * l.spin + (hung ? 45 : 0) + 6 * n;
    physics_gpu_heat(w, i, target, dt);
    g->fb_used = j == NULL ? 600 : floor(71800 + (double)(rng_hash(7, i) % 900));
    g->fb_free = 81559 - g->fb_used;
    physics_gpu_counters(w, i, &l, dt);
    g->health = hung || w->gpu_mods[i].lost ? 0 : 1;
}

static void
physics_nic(struct world *w, uint32_t i, double dt)
{
    struct world_nic *n = &w->nics[i];
    const struct plan_nic *p = &w->plan->nics.at[i];
    const struct plan_node *node = &w->plan->nodes.at[p->node];
    const struct world_nic_mod *m = &w->nic_mods[i];
    bool down = p->link >= 0 && n->was_down;
    uint32_t gpu = node->first_gpu + (node->gpus == 0 ? 0 : (i - node->first_nic) % node->gpus);
    double speed = node->gpus == 0 ? 0 : world_job_speed(w, gpu);
    bool many = speed > 0 && w->jobs[w->gpus[gpu].job].nodes > 1;
    double rate = down || !many ? 0 : n->rate * 0.34 * speed * rng_between(&w->rng, 0.95, 1.05);
    n->state = down ? 1 : 4;
    n->phys_state = down ? 3 : 5;
    n->tx_bytes += rate * dt;
    n->rx_bytes += rate * dt * rng_between(&w->rng, 0.99, 1.01);
    double resent = floor((double)m->retrans * dt * rng_between(&w->rng, 0.8, 1.2));
    n->crc += floor((double)m->crc * dt * rng_between(&w->rng, 0.8, 1.2));
    n->symbol_errors += floor((double)m->crc * dt * 1.5);
    n->out_of_sequence += resent;
    n->seq_err += resent;
    n->adp_retrans += floor(resent * 0.7);
    n->ack_timeout += floor(resent * 0.02) + (down && many ? 4 : 0);
    n->discards += floor((double)m->discards * dt);
    double marked = rate > 0 ? floor(rng_between(&w->rng, 0, 40))
                             : 0; /* a busy fabric marks a little, always */
    n->ecn += marked;
    n->cnp_sent += marked;
    n->cnp_handled += marked;
    n->pause_rx += floor((double)m->pause_rx * dt);
    n->pause_tx += floor((double)m->pause_tx * dt);
    n->pause_storm += m->pause_tx > 20000 ? floor(dt / 5) + 1 : 0;
}

static void
physics_node_memory(struct world *w, uint32_t i, double work, double dt)
{
    struct world_node *n = &w->nodes[i];
    const struct world_node_mod *m = &w->node_mods[i];
    n->mem_available = n->mem_total * (1.0 - fmin(0.995, 0.08 + 0.30 * work + (double)m->memory));
    n->pressure_memory += dt * (m->memory > 0.4f ? 0.6 : 0);
    n->edac_ce += floor((double)m->ce * dt);
    n->edac_ue += floor((double)m->ue * dt);
    n->clock_offset = (double)m->clock + rng_normal(&w->rng) * 20e-6;
    n->clock_synced = fabs((double)m->clock) > 0.5 ? 0 : 1;
    n->root_avail =
        m->disk_full ? n->root_avail * exp(-dt / 2) : fmax(n->root_avail, n->root_size * 0.55);
}

static void
physics_node(struct world *w, uint32_t i, double work, bool saving, double dt)
{
    struct world_node *n = &w->nodes[i];
    const struct world_node_mod *m = &w->node_mods[i];
    double user = 18 * work + 1.2, system = 4 * work + 0.6,
           wait = m->io_stall ? 20
                  : saving    ? 3
                              : 0.05; /* of 192 */
    n->cpu_user += user * dt;
    n->cpu_system += system * dt;
    n->cpu_iowait += wait * dt;
    n->cpu_idle += fmax(0, 192 - user - system - wait) * dt;
    double load = user + system + (m->io_stall ? 96 : 0) + (double)m->load;
    n->load1 += (load * rng_between(&w->rng, 0.95, 1.05) - n->load1) * (1 - exp(-dt / 30));
    n->cpu_temp = 44 + 14 * work + rng_normal(&w->rng);
    n->pressure_io += dt * (m->io_stall ? 0.95 : saving ? 0.05 : 0.001);
    n->pressure_cpu += dt * 0.002;
    n->disk_written += 2e5 * dt + (saving ? 1e6 * dt : 0);
    n->disk_read += 5e4 * dt;
    bool stalled =
        w->plan->nodes.at[i].storage >= 0 && w->storage_stalled[w->plan->nodes.at[i].storage];
    double ops = stalled ? 0 : (saving ? 900 : 40) * rng_between(&w->rng, 0.8, 1.2) * dt;
    n->nfs_ops += floor(ops) + (stalled ? 1 : 0);
    n->nfs_seconds += ops * 0.0021 + (stalled ? dt * 12 : 0);
    n->up = world_node_silent(w, i) ? 0 : 1;
    physics_node_memory(w, i, work, dt);
}

/* The first sample counts as one of a second ago. */
static double
physics_elapsed(const struct world *w, int64_t *sampled_ms)
{
    double dt = *sampled_ms == 0 ? 1 : (double)(w->now_ms - *sampled_ms) / 1000;
    *sampled_ms = w->now_ms;
    return dt;
}

void
world_sample_node(struct world *w, uint32_t i)
{
    const struct plan_node *p = &w->plan->nodes.at[i];
    double dt = physics_elapsed(w, &w->nodes[i].sampled_ms);
    double watts = 0, work = 0;
    bool saving = false;
    if (w->node_mods[i].off) {
        for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++) {
            w->gpus[g].power = w->gpus[g].util = w->gpus[g].tensor = 0;
            w->gpus[g].temp += (24 - w->gpus[g].temp) * (1 - exp(-dt / 60));
        }
        w->nodes[i].power = w->nodes[i].up = 0;
        return;
    }
    for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++) {
        const struct simjob *j = physics_job(w, g);
        physics_gpu(w, g, dt);
        watts += w->gpus[g].power;
        work += j == NULL ? 0 : 1.0 / p->gpus;
        saving = saving || (j != NULL &&
                            (w->now_ms < j->checkpoint_until_ms || j->trouble == TROUBLE_STORAGE));
    }
    for (uint32_t k = p->first_nic; k < p->first_nic + p->nics; k++) {
        physics_nic(w, k, dt);
        if (w->plan->nics.at[k].optic >= 0)
            world_optics(w, (uint32_t)w->plan->nics.at[k].optic, dt);
    }
    physics_node(w, i, work, saving, dt);
    w->nodes[i].power = watts + 1900 + 700 * work;
}

/* Q of the receiver: noise of the light in quadrature with what the electronics cannot better. */
double
world_optic_ber(double rx_dbm)
{
    double light = 12.0 * pow(10.0, (rx_dbm + 5.0) / 10.0), best = 5.9;
    double q = 1.0 / sqrt(1.0 / (light * light) + 1.0 / (best * best));
    return fmin(0.5, 0.5 * erfc(q / sqrt(2.0)));
}

/* KP4 corrects up to about 2.4e-4; from there on failures rise some ten decades a decade of BER. */
double
world_optic_uncorrectable(double ber, double gbps)
{
    double over = log10(fmax(ber, 1e-12)) + 3.62;
    double p = pow(10.0, fmin(0.0, -9.0 + over * 11.0));
    return over < -1.2 ? 0 : gbps * 1e9 / 5440.0 * p;
}

void
world_optics(struct world *w, uint32_t i, double dt)
{
    struct world_optic *o = &w->optics[i];
    const struct world_optic_mod *m = &w->optic_mods[i];
    struct plan_end at = w->plan->optics.at[i].at, far = plan_far_end(w->plan, at);
    int32_t peer = plan_end_optic(w->plan, far);
    bool far_dark = (peer >= 0 && w->optic_mods[peer].dark) ||
                    (far.what == PLAN_PORT ? w->switch_down[w->plan->ports.at[far.i].sw]
                                           : w->node_mods[w->plan->nics.at[far.i].node].off);
    double worst = 99;
    for (int lane = 0; lane < WORLD_LANES; lane++) {
        double share = lane == 0 ? 1.0 : 0.82;
        double noise = rng_normal(&w->rng) * 0.03;
        o->rx[lane] =
            far_dark || m->dark ? -40 : o->rx_base - (double)m->loss * share + noise - 0.08 * lane;
        o->tx[lane] = m->dark ? -40 : o->tx_base + noise;
        o->bias[lane] = m->dark ? 0 : o->bias_base + (double)m->bias + noise;
        worst = fmin(worst, o->rx[lane]);
    }
    o->temp += (46 + (double)(rng_hash(3, i) % 60) / 10.0 + (double)m->heat - o->temp) *
                   (1 - exp(-dt / 60)) +
               rng_normal(&w->rng) * 0.05;
    o->ber = worst < -30 ? 0.5 : world_optic_ber(worst) * rng_between(&w->rng, 0.9, 1.1);
    if (worst > -30)
        o->uncorrectable += floor(fmin(1e7, world_optic_uncorrectable(o->ber, 400)) * dt);
}

static double
physics_port_rate(const struct world *w, uint32_t port)
{
    const struct plan_port *p = &w->plan->ports.at[port];
    struct plan_end far = plan_far_end(w->plan, (struct plan_end){PLAN_PORT, port});
    if (p->link < 0 || w->ports[port].was_down)
        return 0;
    double full = w->plan->links.at[p->link].gbps * 1e9 / 8;
    if (far.what == PLAN_PORT) { /* between switches: what crosses groups, spread by ECMP */
        double busy = w->job_count == 0 ? 0 : w->jobs[0].speed;
        return full * 0.16 * busy * (0.85 + 0.3 * (double)(rng_hash(5, port) % 100) / 100.0);
    }
    const struct plan_nic *nic = &w->plan->nics.at[far.i];
    const struct plan_node *node = &w->plan->nodes.at[nic->node];
    if (node->gpus == 0 || w->node_mods[nic->node].off)
        return 0;
    uint32_t gpu = node->first_gpu + (far.i - node->first_nic) % node->gpus;
    double speed = world_job_speed(w, gpu);
    return speed > 0 && w->jobs[w->gpus[gpu].job].nodes > 1 ? full * 0.34 * speed : 0;
}

static void
physics_port(struct world *w, uint32_t i, double dt)
{
    struct world_port *o = &w->ports[i];
    const struct world_port_mod *m = &w->port_mods[i];
    double rate = physics_port_rate(w, i);
    o->oper = o->was_down ? 2 : 1;
    o->mtu = m->mtu > 0 ? m->mtu : 9216;
    o->in_octets += floor(rate * dt * rng_between(&w->rng, 0.97, 1.03));
    o->out_octets += floor(rate * dt * rng_between(&w->rng, 0.97, 1.03));
    o->in_errors += floor((double)m->crc * dt * rng_between(&w->rng, 0.8, 1.2));
    o->in_discards += floor((double)m->discards * dt * rng_between(&w->rng, 0.8, 1.2));
    o->pfc_rx += floor((double)m->pfc_rx * dt * rng_between(&w->rng, 0.8, 1.2));
    o->pfc_tx += floor((double)m->pfc_tx * dt * rng_between(&w->rng, 0.8, 1.2));
    o->ecn += rate > 0 ? floor(rng_between(&w->rng, 0, 60)) + (double)m->pfc_rx * dt * 0.2 : 0;
    o->ecn = floor(o->ecn);
    if (w->plan->ports.at[i].optic >= 0)
        world_optics(w, (uint32_t)w->plan->ports.at[i].optic, dt);
}

void
world_sample_switch(struct world *w, uint32_t sw)
{
    struct world_switch *s = &w->switches[sw];
    double dt = physics_elapsed(w, &s->sampled_ms);
    if (w->switch_down[sw]) {
        s->up_since_ms = (double)w->now_ms;
        return;
    }
    s->uptime = floor(((double)w->now_ms - s->up_since_ms) / 10);
    s->cpu = 12 + 3 * rng_normal(&w->rng);
    s->temp = 41 + rng_normal(&w->rng);
    for (int32_t i = w->plan->switches.at[sw].first_port; i >= 0; i = w->plan->ports.at[i].next)
        physics_port(w, (uint32_t)i, dt);
}

void
world_sample_site(struct world *w)
{
    const struct plan *p = w->plan;
    double dt = physics_elapsed(w, &w->site.sampled_ms);
    for (uint32_t i = 0; i < p->racks.count; i++)
        w->racks[i] = (struct world_rack){.power = 400,
                                          .inlet = 24 + (double)(rng_hash(9, i) % 20) / 10 +
                                                   rng_normal(&w->rng) * 0.1};
    for (uint32_t i = 0; i < p->nodes.count; i++)
        if (p->nodes.at[i].rack >= 0)
            w->racks[p->nodes.at[i].rack].power += w->nodes[i].power;
    for (uint32_t i = 0; i < p->pdus.count; i++)
        w->pdus[i] = (struct world_pdu){.feed = w->pdu_off[i] ? 0 : 1};
    double total = 0;
    for (uint32_t i = 0; i < p->racks.count; i++) {
        int32_t u = p->racks.at[i].pdu;
        if (u >= 0 && w->pdu_off[u])
            w->racks[i].power = 0;
        if (u >= 0)
            w->pdus[u].power += w->racks[i].power;
        total += w->racks[i].power;
    }
    for (uint32_t i = 0; i < p->cdus.count; i++) {
        struct world_cdu *c = &w->cdus[i];
        double flow = 600 * (1 - (double)c->flow_lost);
        c->flow += (flow - c->flow) * (1 - exp(-dt / 3)) + rng_normal(&w->rng);
        c->supply = 25 + rng_normal(&w->rng) * 0.1;
        c->back = fmin(78, c->supply + 9 * 600 / fmax(c->flow, 60));
    }
    w->site.power = total * 1.17;
}
