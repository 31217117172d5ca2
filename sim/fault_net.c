/* fault_net: optics, links, switches, NICs, congestion and configuration of the fabric. */
#include "sim/fault.h"
#include "sim/simline.h"

#include <math.h>
#include <stdio.h>

static struct plan_end
fault_net_optic(const struct world *w, const struct fault *f)
{
    return w->plan->optics.at[f->i].at;
}

static uint32_t
fault_net_switch_of(const struct world *w, struct plan_end e)
{
    return w->plan->ports.at[e.i].sw;
}

static void
fault_net_dim_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)dt;
    struct plan_end at = fault_net_optic(w, f);
    /* the light fades over the first 60 % of the time, to about -11 dBm, and stays there */
    double loss = 9.7 * fmin(1.0, progress / 0.6);
    w->optic_mods[f->i].loss = (float)loss;
    double rx = w->optics[f->i].rx_base - loss;
    if (at.what != PLAN_PORT)
        return;
    const char *name = w->plan->ports.at[at.i].name;
    if (rx < -8.4 && !(f->said & 1)) {
        f->said |= 1;
        simline_switch(
            w, fault_net_switch_of(w, at), 0, 4,
            "%%SFF8472-5-THRESHOLD_VIOLATION: %s: Rx power low warning; Operating value: %.2f dBm, "
            "Threshold value: -8.40 dBm.",
            name, rx);
    }
    if (rx < -9.6 && !(f->said & 2)) {
        f->said |= 2;
        simline_switch(
            w, fault_net_switch_of(w, at), 0, 3,
            "%%SFF8472-5-THRESHOLD_VIOLATION: %s: Rx power low alarm; Operating value: %.2f dBm, "
            "Threshold value: -9.60 dBm.",
            name, rx);
    }
}

static void
fault_net_dim_end(struct world *w, struct fault *f)
{
    struct plan_end at = fault_net_optic(w, f);
    if (at.what == PLAN_PORT && f->said != 0)
        simline_switch(w, fault_net_switch_of(w, at), 0, 5,
                       "%%SFF8472-5-THRESHOLD_CLEARED: %s: Rx power normal; Operating value: "
                       "%.2f dBm.",
                       w->plan->ports.at[at.i].name, w->optics[f->i].rx_base);
}

static void
fault_net_dark_begin(struct world *w, struct fault *f)
{
    struct plan_end at = fault_net_optic(w, f);
    if (at.what == PLAN_PORT)
        simline_switch(
            w, fault_net_switch_of(w, at), 0, 3,
            "ERR pmon#xcvrd[61]: CMIS: %s: timeout for 'DataPathInitialized', module fault",
            w->plan->ports.at[at.i].name);
    else
        simline_kernel(
            w, w->plan->nics.at[at.i].node, 0, 3,
            "mlx5_core %s: Port module event[error]: module %u, Cable error, Module fault",
            w->plan->nics.at[at.i].pci,
            at.i - w->plan->nodes.at[w->plan->nics.at[at.i].node].first_nic);
}

static void
fault_net_dark_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->optic_mods[f->i].dark = 1;
    w->optic_mods[f->i].heat = 14;
}

static void
fault_net_flap_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    struct plan_end e = {PLAN_PORT, f->i};
    int64_t age = (w->now_ms - f->at_ms) % 14000; /* 3 s down of every 14 s */
    if (age < 3000)
        world_link_down(w, e);
    w->port_mods[f->i].crc += 8;
}

static void
fault_net_crc_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->port_mods[f->i].crc += 420;
    if (fault_due(w, f, 30))
        simline_switch(w, w->plan->ports.at[f->i].sw, 0, 4,
                       "NOTICE swss#orchagent: :- updatePortErrorStatus: Port %s oper error event: "
                       "crc_rate occurred",
                       w->plan->ports.at[f->i].name);
}

static void
fault_net_switch_down_begin(struct world *w, struct fault *f)
{
    simline_switch(w, f->i, 0, 1,
                   "%%SYSMGR-2-SERVICE_CRASHED: Service \"aclqos\" (PID 8812) hasn't caught signal "
                   "11 (core will be saved).");
}

static void
fault_net_switch_down_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->switch_down[f->i] = 1;
}

static void
fault_net_switch_down_end(struct world *w, struct fault *f)
{
    w->switches[f->i].up_since_ms = (double)w->now_ms;
    simline_switch(w, f->i, 2000, 5, "%%SYS-5-RESTART: System restarted after unexpected reload");
}

static void
fault_net_nic_down_begin(struct world *w, struct fault *f)
{
    const struct plan_nic *n = &w->plan->nics.at[f->i];
    simline_kernel(w, n->node, 0, 3,
                   "mlx5_core %s: poll_health:1000:(pid 0): Fatal error 1 detected", n->pci);
    simline_kernel(w, n->node, 3, 3,
                   "mlx5_core %s: print_health_info:423:(pid 0): Health issue observed, firmware "
                   "internal error, severity(3) "
                   "ERROR:",
                   n->pci);
    simline_kernel(w, n->node, 9, 3, "mlx5_core %s: mlx5_error_sw_reset:281:(pid 0): start",
                   n->pci);
    simline_kernel(w, n->node, 40, 3, "infiniband %s: ib_cache_update failed (-5)", n->name);
}

static void
fault_net_nic_down_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->nic_mods[f->i].down = 1;
}

static void
fault_net_nic_flap_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    const struct plan_nic *n = &w->plan->nics.at[f->i];
    int64_t age = (w->now_ms - f->at_ms) % 16000;
    if (age < 3000)
        w->nic_mods[f->i].down = 1;
    if (fault_due(w, f, 16)) {
        simline_kernel(w, n->node, 0, 4,
                       "mlx5_core %s: print_health_info:423:(pid 0): Health issue observed, "
                       "firmware internal error, "
                       "severity(4) WARNING:",
                       n->pci);
        simline_kernel(
            w, n->node, 5, 4,
            "mlx5_core %s: mlx5_health_try_recover:335:(pid 1123): handling bad device here",
            n->pci);
        simline_kernel(w, n->node, 2900, 6,
                       "mlx5_core %s: mlx5_health_try_recover: health recovery succeeded", n->pci);
    }
}

/* A receiver that does not drain: its pauses stop its leaf's queue, the leaf pauses who sends into
 * it. */
static void
fault_net_storm_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    struct plan_end port = plan_far_end(w->plan, (struct plan_end){PLAN_NIC, f->i});
    const struct plan_nic *n = &w->plan->nics.at[f->i];
    w->nic_mods[f->i].pause_tx += 42000;
    if (port.what != PLAN_PORT)
        return;
    w->port_mods[port.i].pfc_rx += 42000;
    w->port_mods[port.i].discards += 60;
    uint32_t sw = w->plan->ports.at[port.i].sw;
    for (int32_t i = w->plan->switches.at[sw].first_port; i >= 0; i = w->plan->ports.at[i].next) {
        struct plan_end far = plan_far_end(w->plan, (struct plan_end){PLAN_PORT, (uint32_t)i});
        if ((uint32_t)i == port.i || w->plan->ports.at[i].link < 0)
            continue;
        w->port_mods[i].pfc_tx += 5200;
        if (far.what == PLAN_NIC)
            w->nic_mods[far.i].pause_rx += 5200;
        else
            w->port_mods[far.i].pfc_rx += 5200;
    }
    if (!fault_due(w, f, 20))
        return;
    simline_kernel(w, n->node, 0, 4,
                   "mlx5_core %s %s: Pause storm: port stalled, tx_pause_storm_warning", n->pci,
                   n->netdev);
    simline_switch(w, sw, 100, 4,
                   "WARNING swss#orchagent: :- report_pfc_storm: PFC Watchdog detected PFC storm "
                   "on port %s, queue index 3, "
                   "queue id 0x1500000000%04x and port id 0x100000000%04x.",
                   w->plan->ports.at[port.i].name, port.i & 0xffff, port.i & 0xffff);
}

static void
fault_net_storm_end(struct world *w, struct fault *f)
{
    struct plan_end port = plan_far_end(w->plan, (struct plan_end){PLAN_NIC, f->i});
    if (port.what == PLAN_PORT)
        simline_switch(
            w, w->plan->ports.at[port.i].sw, 0, 5,
            "NOTICE swss#orchagent: :- report_pfc_restored: PFC Watchdog storm restored on "
            "port %s, queue index 3",
            w->plan->ports.at[port.i].name);
}

static void
fault_net_mtu_begin(struct world *w, struct fault *f)
{
    const struct plan_port *p = &w->plan->ports.at[f->i];
    simline_switch(w, p->sw, 0, 5,
                   "%%SYS-5-CONFIG_I: Configured from console by netops on vty0 (10.0.0.12)");
    simline_switch(w, p->sw, 700, 4,
                   "%%ETHPORT-4-IF_MTU_MISMATCH: Interface %s: local MTU 1500, neighbor 9216",
                   p->name);
}

static void
fault_net_mtu_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    struct plan_end far = plan_far_end(w->plan, (struct plan_end){PLAN_PORT, f->i});
    w->port_mods[f->i].mtu = 1500;
    w->port_mods[f->i].discards += 900;
    if (far.what == PLAN_NIC) {
        w->nic_mods[far.i].retrans += 600;
        w->nic_mods[far.i].discards += 50;
    }
    if (fault_due(w, f, 30))
        simline_switch(w, w->plan->ports.at[f->i].sw, 800, 4,
                       "%%ETHPORT-4-IF_MTU_MISMATCH: Interface %s: local MTU 1500, neighbor 9216",
                       w->plan->ports.at[f->i].name);
}

static void
fault_net_mtu_end(struct world *w, struct fault *f)
{
    simline_switch(w, w->plan->ports.at[f->i].sw, 0, 5,
                   "%%SYS-5-CONFIG_I: Configured from console by netops on vty0 (10.0.0.12)");
}

/* The port whose cable changed places with that of f: of the same node's next adapter, so that
 * rails mix; else the next cabled one of the switch. */
static uint32_t
fault_net_twin(const struct world *w, const struct fault *f)
{
    const struct plan *p = w->plan;
    struct plan_end far = plan_far_end(p, (struct plan_end){PLAN_PORT, f->i});
    if (far.what == PLAN_NIC) {
        const struct plan_node *n = &p->nodes.at[p->nics.at[far.i].node];
        for (uint32_t k = 1; k < n->nics; k++) {
            uint32_t nic = n->first_nic + (far.i - n->first_nic + k) % n->nics;
            struct plan_end other = plan_far_end(p, (struct plan_end){PLAN_NIC, nic});
            if (other.what == PLAN_PORT)
                return other.i;
        }
    }
    for (int32_t i = p->switches.at[p->ports.at[f->i].sw].first_port; i >= 0;
         i = p->ports.at[i].next)
        if ((uint32_t)i != f->i && p->ports.at[i].link >= 0)
            return (uint32_t)i;
    return f->i;
}

static void
fault_net_cables_change(struct world *w, struct fault *f)
{
    (void)f;
    w->cabled_ms = w->now_ms;
}

static void
fault_net_cables_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    uint32_t twin = fault_net_twin(w, f);
    if (twin == f->i)
        return;
    w->port_mods[f->i].swapped = twin + 1;
    w->port_mods[twin].swapped = f->i + 1;
}

const struct fault_row fault_rows_net[] = {
    {"optic-degrading", "optic", 240,
     "received light fades below its alarm limit: bit errors, then CRC errors, retransmissions and "
     "link flaps",
     NULL, fault_net_dim_apply, fault_net_dim_end, "optic link port", "optic", "infrastructure"},
    {"optic-dead", "optic", 180,
     "the module's lasers stop: no light at the other end, the link goes down, the job loses that "
     "path and fails",
     fault_net_dark_begin, fault_net_dark_apply, NULL, "optic link port", "optic",
     "infrastructure"},
    {"link-flap", "port", 180,
     "the cable loses contact for three seconds of every fourteen: both ends go down and up, the "
     "job stutters",
     NULL, fault_net_flap_apply, NULL, "link optic port", "optic", "infrastructure"},
    {"port-errors", "port", 180,
     "a dirty connector corrupts frames at one port: CRC errors with good light, retransmissions "
     "at the far NIC",
     NULL, fault_net_crc_apply, NULL, "port optic link", "optic", "infrastructure"},
    {"leaf-down", "switch", 180,
     "a leaf switch dies: its series end, every port and NIC on it goes down, the jobs on its rail "
     "fail",
     fault_net_switch_down_begin, fault_net_switch_down_apply, fault_net_switch_down_end, "switch",
     "switch", "infrastructure"},
    {"spine-down", "switch", 180,
     "a spine switch dies: its series end, one uplink of every leaf goes down, jobs go on",
     fault_net_switch_down_begin, fault_net_switch_down_apply, fault_net_switch_down_end, "switch",
     "switch", "infrastructure"},
    {"nic-down", "nic", 180,
     "the NIC's firmware halts: its port goes down, its rank cannot reach its peers, the job fails",
     fault_net_nic_down_begin, fault_net_nic_down_apply, NULL, "nic node", "nic", "infrastructure"},
    {"nic-flap", "nic", 180,
     "the NIC's firmware recovers itself again and again: its port goes down and up, the job "
     "stutters",
     NULL, fault_net_nic_flap_apply, NULL, "nic node", "nic", "infrastructure"},
    {"pfc-storm", "nic", 180,
     "a NIC that does not drain sends pauses without end; they spread over its leaf and slow every "
     "job there",
     NULL, fault_net_storm_apply, fault_net_storm_end, "nic node port", "congestion nic",
     "infrastructure"},
    {"mtu-mismatch", "port", 180,
     "a port is set to MTU 1500 while its neighbour has 9216: large frames are discarded, the job "
     "slows down",
     fault_net_mtu_begin, fault_net_mtu_apply, fault_net_mtu_end, "port switch link",
     "fabric-config", "infrastructure"},
    {"miscabled", "port", 180,
     "two cables of a node are plugged into each other's ports: links stay up, rails are mixed, "
     "and "
     "only the neighbours that LLDP tells give it away",
     fault_net_cables_change, fault_net_cables_apply, fault_net_cables_change, "link port",
     "fabric-config", "infrastructure"},
    {.name = NULL},
};
