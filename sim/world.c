/* world: birth, the step, and links. Integration of parts is physics.c, jobs are simjob.c. */
#include "sim/world.h"
#include "sim/fault.h"
#include "sim/simline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *
world_array(size_t n, size_t size)
{
    return calloc(n == 0 ? 1 : n, size);
}

static int
world_alloc(struct world *w)
{
    const struct plan *p = w->plan;
    w->gpus = world_array(p->gpus.count, sizeof *w->gpus);
    w->gpu_mods = world_array(p->gpus.count, sizeof *w->gpu_mods);
    w->nics = world_array(p->nics.count, sizeof *w->nics);
    w->nic_mods = world_array(p->nics.count, sizeof *w->nic_mods);
    w->ports = world_array(p->ports.count, sizeof *w->ports);
    w->port_mods = world_array(p->ports.count, sizeof *w->port_mods);
    w->optics = world_array(p->optics.count, sizeof *w->optics);
    w->optic_mods = world_array(p->optics.count, sizeof *w->optic_mods);
    w->nodes = world_array(p->nodes.count, sizeof *w->nodes);
    w->node_mods = world_array(p->nodes.count, sizeof *w->node_mods);
    w->switches = world_array(p->switches.count, sizeof *w->switches);
    w->switch_down = world_array(p->switches.count, 1);
    w->racks = world_array(p->racks.count, sizeof *w->racks);
    w->pdus = world_array(p->pdus.count, sizeof *w->pdus);
    w->pdu_off = world_array(p->pdus.count, 1);
    w->cdus = world_array(p->cdus.count, sizeof *w->cdus);
    w->storage_stalled = world_array(p->storage.count, 1);
    w->jobs = world_array(WORLD_JOBS_MAX, sizeof *w->jobs);
    w->faults = world_array(WORLD_FAULTS_MAX, sizeof *w->faults);
    bool ok = w->gpus && w->gpu_mods && w->nics && w->nic_mods && w->ports && w->port_mods &&
              w->optics && w->optic_mods && w->nodes && w->node_mods && w->switches &&
              w->switch_down && w->racks && w->pdus && w->pdu_off && w->cdus &&
              w->storage_stalled && w->jobs && w->faults;
    return ok ? 0 : ERR_NOMEM;
}

static void
world_birth_gpus(struct world *w)
{
    for (uint32_t i = 0; i < w->plan->gpus.count; i++) {
        struct world_gpu *g = &w->gpus[i];
        g->temp = 32 + rng_unit(&w->rng) * 4;
        g->mem_temp = g->temp + 4;
        g->power = 80;
        g->clock = 345;
        g->fb_free = 81559 - 600;
        g->fb_used = 600;
        g->pcie_gen = 5;
        g->pcie_width = 16;
        g->health = 1;
        g->job = -1;
        g->sbe = rng_below(&w->rng, 12) == 0 ? rng_below(&w->rng, 5) : 0;
        g->pcie_replay = rng_below(&w->rng, 4);
        g->nvlink_kib = rng_between(&w->rng, 1e9, 9e12);
    }
}

static void
world_birth_nodes(struct world *w)
{
    for (uint32_t i = 0; i < w->plan->nodes.count; i++) {
        struct world_node *n = &w->nodes[i];
        n->mem_total = 2164e9;
        n->boot_time = (double)(w->now_ms / 1000) - 86400.0 * rng_between(&w->rng, 3, 60);
        n->root_size = 1.9e12;
        n->root_avail = n->root_size * rng_between(&w->rng, 0.55, 0.8);
        n->data_size = 5.0e15;
        n->data_avail = 2.1e15;
        n->cpu_temp = 48;
        n->clock_synced = 1;
        n->cpu_idle = rng_between(&w->rng, 1e5, 4e6);
        n->edac_ce = rng_below(&w->rng, 20) == 0 ? 1 : 0;
    }
}

static void
world_birth_network(struct world *w)
{
    const struct plan *p = w->plan;
    for (uint32_t i = 0; i < p->nics.count; i++) {
        int32_t l = p->nics.at[i].link;
        w->nics[i].rate = (l < 0 ? 400 : p->links.at[l].gbps) * 1e9 / 8;
        w->nics[i].tx_bytes = rng_between(&w->rng, 1e12, 1e15);
        w->nics[i].rx_bytes = rng_between(&w->rng, 1e12, 1e15);
        w->nics[i].out_of_sequence = rng_below(&w->rng, 30);
    }
    for (uint32_t i = 0; i < p->ports.count; i++) {
        int32_t l = p->ports.at[i].link;
        struct world_port *o = &w->ports[i];
        o->admin = 1;
        o->mtu = 9216;
        o->was_down = l < 0;
        o->speed = l < 0 ? 400000 : p->links.at[l].gbps * 1000;
        o->in_octets = rng_between(&w->rng, 1e12, 1e15);
        o->out_octets = rng_between(&w->rng, 1e12, 1e15);
    }
    for (uint32_t i = 0; i < p->optics.count; i++) {
        struct world_optic *o = &w->optics[i];
        o->tx_base = 0.8 + rng_normal(&w->rng) * 0.5;
        o->rx_base = -1.4 + rng_normal(&w->rng) * 0.6;
        o->bias_base = 7.6 + rng_normal(&w->rng) * 0.4;
        o->temp = 46 + rng_normal(&w->rng) * 2.5;
        o->voltage = 3.28 + rng_normal(&w->rng) * 0.015;
    }
    for (uint32_t i = 0; i < p->switches.count; i++)
        w->switches[i].up_since_ms = (double)w->now_ms - 86400e3 * rng_between(&w->rng, 5, 200);
}

static void
world_birth(struct world *w)
{
    world_birth_gpus(w);
    world_birth_nodes(w);
    world_birth_network(w);
    for (uint32_t i = 0; i < w->plan->pdus.count; i++)
        w->pdus[i].feed = 1;
    for (uint32_t i = 0; i < w->plan->cdus.count; i++)
        w->cdus[i] = (struct world_cdu){.supply = 25, .back = 34, .flow = 600};
}

int
world_new(struct plan *plan, const struct world_config *cfg, const struct world_sink *sink,
          struct world **ret, struct err *err)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the world");
    w->plan = plan;
    w->cfg = *cfg;
    w->sink = *sink;
    w->rng.state = rng_hash(cfg->seed, 1);
    w->now_ms = w->said_ms = cfg->start_ms;
    if (world_alloc(w) < 0) {
        world_free(w);
        return err_set(err, ERR_NOMEM, "no memory for a world of this size");
    }
    world_birth(w);
    simjob_start_all(w);
    noise_start(w);
    *ret = w;
    return 0;
}

void
world_free(struct world *w)
{
    if (w == NULL)
        return;
    void *all[] = {w->gpus,      w->gpu_mods,        w->nics,       w->nic_mods, w->ports,
                   w->port_mods, w->optics,          w->optic_mods, w->nodes,    w->node_mods,
                   w->switches,  w->switch_down,     w->racks,      w->pdus,     w->pdu_off,
                   w->cdus,      w->storage_stalled, w->jobs,       w->faults};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    agenda_done(&w->agenda);
    free(w);
}

void
world_announce(struct world *w)
{
    for (uint32_t i = 0; i < w->job_count; i++)
        if (w->sink.job != NULL)
            w->sink.job(w->sink.ctx, &w->jobs[i], true);
}

void
world_end_jobs(struct world *w)
{
    for (uint32_t i = 0; i < w->job_count; i++) {
        struct simjob *j = &w->jobs[i];
        if (j->state > SIMJOB_FAILING)
            continue;
        j->state = SIMJOB_ENDED;
        j->end_ms = w->now_ms;
        j->exit_code = 0;
        if (w->sink.job != NULL)
            w->sink.job(w->sink.ctx, j, false);
    }
}

static void
world_clear(struct world *w)
{
    const struct plan *p = w->plan;
    memset(w->gpu_mods, 0, p->gpus.count * sizeof *w->gpu_mods);
    memset(w->nic_mods, 0, p->nics.count * sizeof *w->nic_mods);
    memset(w->port_mods, 0, p->ports.count * sizeof *w->port_mods);
    memset(w->optic_mods, 0, p->optics.count * sizeof *w->optic_mods);
    memset(w->node_mods, 0, p->nodes.count * sizeof *w->node_mods);
    memset(w->switch_down, 0, p->switches.count);
    memset(w->pdu_off, 0, p->pdus.count);
    memset(w->storage_stalled, 0, p->storage.count);
    for (uint32_t i = 0; i < p->cdus.count; i++)
        w->cdus[i].flow_lost = 0;
}

bool
world_gpu_gone(const struct world *w, uint32_t gpu)
{
    return w->gpu_mods[gpu].lost || world_node_silent(w, w->plan->gpus.at[gpu].node);
}

bool
world_node_silent(const struct world *w, uint32_t node)
{
    return w->node_mods[node].off || w->node_mods[node].silent;
}

static bool
world_end_dead(const struct world *w, struct plan_end e)
{
    if (e.what == PLAN_NIC)
        return w->nic_mods[e.i].down || w->node_mods[w->plan->nics.at[e.i].node].off;
    return w->port_mods[e.i].down || w->switch_down[w->plan->ports.at[e.i].sw];
}

static bool
world_end_dark(const struct world *w, struct plan_end e)
{
    int32_t o = plan_end_optic(w->plan, e);
    return o >= 0 && w->optic_mods[o].dark;
}

bool
world_end_down(const struct world *w, struct plan_end e)
{
    struct plan_end far = plan_far_end(w->plan, e);
    return plan_end_link(w->plan, e) < 0 || world_end_dead(w, e) || world_end_dead(w, far) ||
           world_end_dark(w, e) || world_end_dark(w, far);
}

bool
world_neighbour(const struct world *w, uint32_t port, struct plan_end *ret)
{
    uint32_t swapped = w->port_mods[port].swapped;
    struct plan_end at = {PLAN_PORT, swapped ? swapped - 1 : port}, far = plan_far_end(w->plan, at);
    if (plan_end_link(w->plan, at) < 0 || world_end_down(w, (struct plan_end){PLAN_PORT, port}) ||
        world_end_down(w, far))
        return false;
    if (far.what == PLAN_PORT && w->port_mods[far.i].swapped)
        far.i = w->port_mods[far.i].swapped - 1;
    *ret = far;
    return true;
}

void
world_link_down(struct world *w, struct plan_end e)
{
    struct plan_end far = plan_far_end(w->plan, e), both[] = {e, far};
    for (int i = 0; i < 2; i++)
        if (both[i].what == PLAN_NIC)
            w->nic_mods[both[i].i].down = 1;
        else
            w->port_mods[both[i].i].down = 1;
}

/* Changes of state become lines and traps at the second they happen. */
static void
world_states(struct world *w)
{
    for (uint32_t i = 0; i < w->plan->ports.count; i++) {
        if (w->plan->ports.at[i].link < 0)
            continue;
        bool down = world_end_down(w, (struct plan_end){PLAN_PORT, i});
        if (down == w->ports[i].was_down)
            continue;
        w->ports[i].was_down = down;
        w->ports[i].last_change = (double)w->now_ms;
        simline_port_state(w, i, !down);
    }
    for (uint32_t i = 0; i < w->plan->nics.count; i++) {
        if (w->plan->nics.at[i].link < 0)
            continue;
        bool down = world_end_down(w, (struct plan_end){PLAN_NIC, i});
        if (down == w->nics[i].was_down)
            continue;
        w->nics[i].was_down = down;
        if (down) {
            w->nics[i].link_downed++;
            w->nics[i].carrier += 1;
        }
        simline_nic_state(w, i, !down);
    }
}

/* Light that falls below what the receiver can read takes the link down now and then. */
static void
world_dim_links(struct world *w)
{
    for (uint32_t i = 0; i < w->plan->optics.count; i++) {
        const struct world_optic_mod *m = &w->optic_mods[i];
        if (m->loss < 6.0f || m->dark)
            continue;
        struct plan_end at = w->plan->optics.at[i].at;
        double ber = world_optic_ber(w->optics[i].rx_base - (double)m->loss);
        double bad = world_optic_uncorrectable(ber, 400);
        float crc = (float)fmin(bad, 4000);
        if (at.what == PLAN_NIC)
            w->nic_mods[at.i].crc += crc;
        else
            w->port_mods[at.i].crc += crc;
        if (bad > 1000 &&
            rng_unit(&w->rng) < 0.15) /* loss of alignment: retrains within a second or two */
            world_link_down(w, at);
    }
}

/* What is corrupted on one side is sent again by the other. */
static void
world_resend(struct world *w)
{
    for (uint32_t i = 0; i < w->plan->links.count; i++) {
        const struct plan_link *l = &w->plan->links.at[i];
        const struct plan_end ends[] = {l->a, l->b};
        float crc = 0;
        for (int e = 0; e < 2; e++)
            crc +=
                ends[e].what == PLAN_NIC ? w->nic_mods[ends[e].i].crc : w->port_mods[ends[e].i].crc;
        if (crc <= 0)
            continue;
        for (int e = 0; e < 2; e++)
            if (ends[e].what == PLAN_NIC)
                w->nic_mods[ends[e].i].retrans += crc;
    }
}

static void
world_agenda(struct world *w)
{
    struct agenda_item item;
    while (agenda_take(&w->agenda, w->now_ms, &item)) {
        w->said_ms = item.at_ms;
        if (item.what <= AGENDA_SWITCH_LINE)
            simline_event(w, &item);
        else if (item.what == AGENDA_JOB_STATE)
            simjob_event(w, &item);
        else
            noise_event(w, &item);
        free(item.text);
    }
    w->said_ms = w->now_ms;
}

void
world_step(struct world *w, int64_t now_ms)
{
    double dt = (double)(now_ms - w->now_ms) / 1000.0;
    if (dt <= 0)
        return;
    w->now_ms = w->said_ms = now_ms;
    world_clear(w);
    fault_step(w, dt);
    world_agenda(w);
    world_dim_links(w);
    world_resend(w);
    world_states(w);
    simjob_step(w, dt);
    if (w->cfg.noise)
        noise_step(w);
}
