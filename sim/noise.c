/* noise: what a healthy cluster says and does all day, so that silence is never the norm.
 *
 * Each kind is a Poisson process, most of them with a rate by node. None of it is a fault. */
#include "sim/simline.h"
#include "sim/world.h"

#include <math.h>

enum noise_per { NOISE_PER_NODE, NOISE_PER_CLUSTER };

static void
noise_session(struct world *w)
{
    uint32_t n = rng_below(&w->rng, w->plan->nodes.count);
    unsigned s = 1000 + rng_below(&w->rng, 90000);
    switch (rng_below(&w->rng, 4)) {
    case 0:
        simline_syslog(w, n, 0, 6, "systemd", "Started Session %u of user lin.", s);
        break;
    case 1:
        simline_syslog(w, n, 0, 6, "sshd",
                       "Accepted publickey for zhang from 10.0.0.%u port %u ssh2: ED25519",
                       10 + s % 20, 30000 + s % 20000);
        break;
    case 2:
        simline_syslog(w, n, 0, 6, "CRON",
                       "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)");
        break;
    default:
        simline_syslog(w, n, 0, 6, "slurmd", "Message health check of step %u.0 done", s);
    }
}

static void
noise_kernel(struct world *w)
{
    uint32_t n = rng_below(&w->rng, w->plan->nodes.count);
    switch (rng_below(&w->rng, 4)) {
    case 0:
        simline_kernel(w, n, 0, 6,
                       "perf: interrupt took too long (%u > %u), lowering "
                       "kernel.perf_event_max_sample_rate to 50000",
                       2600 + rng_below(&w->rng, 900), 2500u);
        break;
    case 1:
        simline_kernel(w, n, 0, 6,
                       "audit: type=1400 audit(1700000000.123:%u): apparmor=\"STATUS\" "
                       "operation=\"profile_load\"",
                       rng_below(&w->rng, 9000));
        break;
    case 2:
        simline_kernel(w, n, 0, 6, "docker0: port 1(veth%06x) entered forwarding state",
                       rng_below(&w->rng, 0xffffff));
        break;
    default:
        simline_kernel(w, n, 0, 6,
                       "EXT4-fs (nvme1n1): mounted filesystem with ordered data mode. Opts: "
                       "(null). Quota mode: none.");
    }
}

static void
noise_sbe(struct world *w)
{
    if (w->plan->gpus.count > 0)
        w->gpus[rng_below(&w->rng, w->plan->gpus.count)].sbe += 1;
}

static void
noise_replay(struct world *w)
{
    if (w->plan->gpus.count > 0)
        w->gpus[rng_below(&w->rng, w->plan->gpus.count)].pcie_replay += 1;
}

static void
noise_ce(struct world *w)
{
    uint32_t n = rng_below(&w->rng, w->plan->nodes.count);
    if (w->node_mods[n].off)
        return;
    w->nodes[n].edac_ce += 1;
    simline_kernel(w, n, 0, 6,
                   "EDAC MC1: 1 CE memory read error on CPU_SrcID#1_MC#0_Chan#0_DIMM#1 (channel:0 "
                   "slot:1 page:0x%x offset:0x40 "
                   "grain:32 syndrome:0x0)",
                   rng_below(&w->rng, 0xffffff));
}

static void
noise_retransmit(struct world *w)
{
    if (w->plan->nics.count == 0)
        return;
    struct world_nic *n = &w->nics[rng_below(&w->rng, w->plan->nics.count)];
    n->out_of_sequence += 1 + rng_below(&w->rng, 3);
    n->seq_err += 1;
    n->adp_retrans += 1;
}

static void
noise_blip(struct world *w)
{
    if (w->plan->gpus.count == 0)
        return;
    uint32_t g = rng_below(&w->rng, w->plan->gpus.count);
    w->gpus[g].blip = 5 + rng_unit(&w->rng) * 4;
    agenda_add(&w->agenda,
               (struct agenda_item){.at_ms = w->now_ms + 25000, .what = AGENDA_BLIP_END, .a = g});
}

/* A port that nothing is plugged into in the plan: someone tests a cable there. */
static void
noise_spare_port(struct world *w)
{
    for (int tries = 0; tries < 400 && w->plan->ports.count > 0; tries++) {
        uint32_t p = rng_below(&w->rng, w->plan->ports.count);
        if (w->plan->ports.at[p].link >= 0 || !w->ports[p].was_down)
            continue;
        w->ports[p].was_down = false;
        w->ports[p].last_change = (double)w->now_ms;
        simline_port_state(w, p, true);
        agenda_add(&w->agenda,
                   (struct agenda_item){.at_ms = w->now_ms + 4000, .what = AGENDA_PORT_UP, .a = p});
        return;
    }
}

/* The developer's own program faults; the process is started again by hand, the allocation stays.
 */
static void
noise_user_xid(struct world *w)
{
    for (uint32_t i = 0; i < w->job_count; i++) {
        struct simjob *j = &w->jobs[i];
        if (!j->small || j->state != SIMJOB_RUNNING || j->gpus_per_node == 0)
            continue;
        uint32_t local = rng_below(&w->rng, j->gpus_per_node),
                 g = w->plan->nodes.at[j->first_node].first_gpu + local;
        unsigned pid = 30000 + rng_below(&w->rng, 9000);
        bool mmu = rng_below(&w->rng, 2) == 0;
        w->gpus[g].xid = mmu ? 31 : 13;
        if (mmu)
            simline_kernel(w, j->first_node, 0, 4,
                           "NVRM: Xid (PCI:%.10s): 31, pid=%u, name=python3, Ch 00000008, intr "
                           "00000000. MMU Fault: ENGINE "
                           "GRAPHICS GPCCLIENT_T1_3 faulted @ 0x7f2a_c8000000. Fault is of type "
                           "FAULT_PDE ACCESS_TYPE_VIRT_READ",
                           w->plan->gpus.at[g].pci, pid);
        else
            simline_kernel(w, j->first_node, 0, 4,
                           "NVRM: Xid (PCI:%.10s): 13, pid=%u, name=python3, Graphics SM Warp "
                           "Exception on (GPC 2, TPC 1, "
                           "SM 0): Out Of Range Address",
                           w->plan->gpus.at[g].pci, pid);
        simline_rank(w, j, local, 200, 3,
                     "RuntimeError: CUDA error: an illegal memory access was encountered");
        simline_rank(w, j, local, 9000, 6, "dev-session: python3 my_kernel_test.py --retry");
    }
}

static void
noise_switch(struct world *w)
{
    uint32_t sw = rng_below(&w->rng, w->plan->switches.count);
    switch (rng_below(&w->rng, 3)) {
    case 0:
        simline_switch(w, sw, 0, 6,
                       "%%SYS-6-LOGIN_SUCCESS: Login success [user: netops] [Source: 10.0.0.12] "
                       "[localport: 22]");
        break;
    case 1:
        simline_switch(
            w, sw, 0, 6,
            "INFO lldp#lldpd[31]: unable to send packet on eth0: temporarily unavailable, retried");
        break;
    default:
        simline_switch(w, sw, 0, 6, "%%NTP-6-PEERSYNC: NTP sync to peer 10.0.0.2");
    }
}

static void
noise_time(struct world *w)
{
    uint32_t n = rng_below(&w->rng, w->plan->nodes.count);
    simline_syslog(w, n, 0, 6, "chronyd", "Selected source 10.0.0.2 (ntp1)");
}

static const struct noise_row {
    const char *what;
    enum noise_per per;
    double per_hour;
    void (*run)(struct world *w);
} noise_rows[] = {
    {"sessions and daemons", NOISE_PER_NODE, 4.0, noise_session},
    {"kernel chatter", NOISE_PER_NODE, 1.0, noise_kernel},
    {"single-bit ECC errors", NOISE_PER_NODE, 0.02, noise_sbe},
    {"PCIe replays", NOISE_PER_NODE, 0.05, noise_replay},
    {"corrected memory errors", NOISE_PER_NODE, 0.01, noise_ce},
    {"retransmissions", NOISE_PER_NODE, 2.0, noise_retransmit},
    {"thermal blips", NOISE_PER_NODE, 0.2, noise_blip},
    {"tests on spare ports", NOISE_PER_CLUSTER, 12.0, noise_spare_port},
    {"a developer's faults", NOISE_PER_CLUSTER, 10.0, noise_user_xid},
    {"switch chatter", NOISE_PER_CLUSTER, 60.0, noise_switch},
    {"time source changes", NOISE_PER_CLUSTER, 20.0, noise_time},
};

#define NOISE_ROWS (sizeof noise_rows / sizeof noise_rows[0])
_Static_assert(NOISE_ROWS <= sizeof((struct world *)0)->noise_next_ms / sizeof(int64_t),
               "one clock a row");

static int64_t
noise_wait(struct world *w, size_t row)
{
    double many = noise_rows[row].per == NOISE_PER_NODE ? (double)w->plan->nodes.count : 1;
    return rng_wait_ms(&w->rng, noise_rows[row].per_hour * many);
}

void
noise_start(struct world *w)
{
    for (size_t i = 0; i < NOISE_ROWS; i++)
        w->noise_next_ms[i] = w->now_ms + noise_wait(w, i);
}

void
noise_step(struct world *w)
{
    for (size_t i = 0; i < NOISE_ROWS; i++)
        while (w->noise_next_ms[i] <= w->now_ms) {
            bool can = w->plan->nodes.count > 0 &&
                       (noise_rows[i].run != noise_switch || w->plan->switches.count > 0);
            if (can)
                noise_rows[i].run(w);
            w->noise_next_ms[i] += noise_wait(w, i);
        }
}

void
noise_event(struct world *w, const struct agenda_item *item)
{
    if (item->what == AGENDA_BLIP_END) {
        w->gpus[item->a].blip = 0;
    } else if (item->what == AGENDA_PORT_UP) {
        w->ports[item->a].was_down = true;
        w->ports[item->a].last_change = (double)w->now_ms;
        simline_port_state(w, item->a, false);
    }
}
