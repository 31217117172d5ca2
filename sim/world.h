/* world: the state of everything simulated and the step that moves it.
 *
 * Time is the caller's: world_step(w, now_ms) moves the world to now. Each step clears all
 * modifiers, runs what the agenda holds, lets every active fault set its modifiers, works out links
 * and jobs from them, and then integrates the counters and temperatures of the entities whose turn
 * it is. So an effect ends with its fault, and a world is a function of plan, seed and faults
 * alone. Values that become series are doubles, so that the series table names them by offset.
 * Expected load: 18,432 GPUs stepped each second in a few milliseconds. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/agenda.h"
#include "sim/plan.h"
#include "sim/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define WORLD_LANES 4

struct world_gpu {
    double util, temp, mem_temp, power, clock, fb_used, fb_free, xid, sbe, dbe, remap_failure,
        remap_rows;
    double pcie_replay, pcie_gen, pcie_width, nvlink_kib, nvlink_crc, throttle, thermal_violation,
        power_violation;
    double tensor, sm_active, pcie_tx, pcie_rx, health, error_code, net_rx, net_tx;
    double blip; /* degrees of a passing thermal blip */
    int32_t job; /* index of the job it works for, -1 idle */
};
struct world_gpu_mod {
    float slow;                 /* share of its speed lost, 0..1 */
    float heat;                 /* degrees on top */
    float nvlink_crc, replay;   /* per second */
    uint32_t throttle;          /* DCGM clock event reasons */
    uint8_t lost, hung, narrow; /* off the bus; stuck; PCIe trained down */
};
struct world_nic {
    double tx_bytes, rx_bytes, state, phys_state, rate, crc, symbol_errors, link_downed,
        out_of_sequence, ack_timeout, seq_err;
    double adp_retrans, cnp_sent, cnp_handled, ecn, pause_rx, pause_tx, discards, pause_storm,
        carrier;
    bool was_down;
};
struct world_nic_mod {
    float crc, retrans, pause_rx, pause_tx, discards;
    uint8_t down;
};
struct world_port {
    double admin, oper, speed, mtu, in_octets, out_octets, in_errors, out_errors, in_discards,
        out_discards;
    double last_change, pfc_rx, pfc_tx, ecn;
    bool was_down;
};
struct world_port_mod {
    float crc, discards, pfc_rx, pfc_tx;
    uint32_t swapped; /* its cable is in that port + 1 instead; 0: it is as planned */
    uint16_t mtu;
    uint8_t down;
};
struct world_optic {
    double rx[WORLD_LANES], tx[WORLD_LANES], bias[WORLD_LANES];
    double temp, voltage, ber, uncorrectable;
    double rx_base, tx_base, bias_base;
};
struct world_optic_mod {
    float loss, bias, heat;
    uint8_t dark;
}; /* loss: dB on its receive side, lane 1 most */
struct world_node {
    double cpu_idle, cpu_user, cpu_system, cpu_iowait, load1, mem_total, mem_available,
        pressure_cpu, pressure_io, pressure_memory;
    double oom_kills, edac_ce, edac_ue, cpu_temp, root_size, root_avail, data_size, data_avail,
        disk_read, disk_written;
    double nfs_ops, nfs_seconds, clock_offset, clock_synced, boot_time, up, power;
    int64_t sampled_ms;
};
struct world_node_mod {
    float ce, ue, load, memory; /* errors per second, extra load, share of memory eaten 0..1 */
    float clock;                /* seconds ahead */
    uint8_t off, silent, disk_full,
        io_stall; /* off: no power or crashed; silent: only its telemetry is gone */
};
struct world_switch {
    double up_since_ms, cpu, temp, uptime;
    int64_t sampled_ms;
};
struct world_rack {
    double power, inlet;
};
struct world_pdu {
    double power, feed;
};
struct world_cdu {
    double supply, back, flow;
    float flow_lost;
};
struct world_site {
    double power;
    int64_t sampled_ms;
};

enum simjob_state { SIMJOB_RUNNING, SIMJOB_FAILING, SIMJOB_FAILED, SIMJOB_NODE_FAIL, SIMJOB_ENDED };
enum simjob_trouble { TROUBLE_NONE, TROUBLE_STORAGE, TROUBLE_HANG, TROUBLE_NET, TROUBLE_DEAD };

struct simjob {
    char id[24], name[32], user[16], tenant[16];
    uint32_t first_node, nodes, gpus_per_node;
    int64_t start_ms, end_ms;
    enum simjob_state state;
    int exit_code;
    bool small; /* a developer's own small job: its noise is the user's */
    double base_step, step, mfu, loss, tokens, checkpoint; /* series */
    double speed;                                          /* of the slowest member, 0..1 */
    double done_s, iteration;
    int64_t next_checkpoint_ms, checkpoint_until_ms;
    enum simjob_trouble trouble;
    int64_t trouble_since_ms;
    uint32_t culprit_node;
    int32_t culprit_gpu, culprit_nic; /* -1: the whole node */
    int64_t requeue_ms;
};

struct world_line {
    int64_t t_ms;
    const char *host, *address; /* address: of a switch, else NULL */
    const char *source;         /* kernel syslog job switch */
    const char *app;            /* syslog APP-NAME */
    const char *job;            /* "" : none */
    int rank;                   /* -1: none */
    int severity;               /* syslog, 0..7 */
    const char *text;
};
struct world_trap {
    int64_t t_ms;
    uint32_t port;
    bool up;
};

struct world_sink { /* where the world speaks to; any member may be NULL */
    void (*line)(void *ctx, const struct world_line *line);
    void (*trap)(void *ctx, const struct world_trap *trap);
    void (*job)(void *ctx, const struct simjob *job, bool created);
    void (*fault)(void *ctx, const char *name, const char *entity, bool begins, int64_t t_ms);
    void *ctx;
};

struct world_config {
    uint64_t seed;
    int64_t start_ms;
    unsigned interval_s; /* between two samples of a series, 1..3600 */
    unsigned jobs;       /* 0: one per 64 nodes, at least 1, at most 32 */
    double timer_scale;  /* of watchdogs and retries; 1 is as in life */
    bool noise;
    unsigned first_job; /* number of the first job; 0: 4711 */
};

#define WORLD_JOBS_MAX   4096u
#define WORLD_FAULTS_MAX 1024u

struct fault;
struct world {
    struct plan *plan; /* borrowed */
    struct world_config cfg;
    struct world_sink sink;
    struct rng rng;
    int64_t now_ms,
        said_ms; /* said_ms: the time of what is being said; now, or an agenda entry's own */
    struct agenda agenda;
    struct world_gpu *gpus;
    struct world_gpu_mod *gpu_mods;
    struct world_nic *nics;
    struct world_nic_mod *nic_mods;
    struct world_port *ports;
    struct world_port_mod *port_mods;
    struct world_optic *optics;
    struct world_optic_mod *optic_mods;
    struct world_node *nodes;
    struct world_node_mod *node_mods;
    struct world_switch *switches;
    uint8_t *switch_down;
    struct world_rack *racks;
    struct world_pdu *pdus;
    uint8_t *pdu_off;
    struct world_cdu *cdus;
    uint8_t *storage_stalled;
    struct world_site site;
    struct simjob *jobs;
    uint32_t job_count, next_job;
    struct fault *faults;
    uint32_t fault_count;
    int64_t noise_next_ms[16];
    uint64_t lines, traps;
    int64_t cabled_ms; /* when cables last changed ports; 0: never */
};

int world_new(struct plan *plan, const struct world_config *cfg, const struct world_sink *sink,
              struct world **ret, struct err *err);
void world_free(struct world *w);
/* Tells the sink of the jobs that run from the start. */
void world_announce(struct world *w);
/* Ends the jobs that still run, as completed, and tells the sink. */
void world_end_jobs(struct world *w);
/* Moves to now, which is later than the last: modifiers, faults, links, jobs. No series are
 * touched. */
void world_step(struct world *w, int64_t now_ms);
/* Integrates node i and its parts, or switch i and its ports, since it was last sampled: call just
 * before use. */
void world_sample_node(struct world *w, uint32_t node);
void world_sample_switch(struct world *w, uint32_t sw);
void world_sample_site(struct world *w);

/* What others of the floor use. */
bool world_gpu_gone(const struct world *w, uint32_t gpu);
bool world_node_silent(const struct world *w, uint32_t node);
bool world_end_down(const struct world *w,
                    struct plan_end e); /* link at this end is down, whatever the cause */
void world_link_down(struct world *w, struct plan_end e); /* for this step */
/* Who LLDP sees at a port: what its cable leads to as it is plugged now. False: nobody, as it is
 * not cabled or the link is down. */
bool world_neighbour(const struct world *w, uint32_t port, struct plan_end *ret);
void world_optics(struct world *w, uint32_t optic, double dt); /* light, bias, BER of one module */
double world_optic_ber(double rx_dbm);
double world_optic_uncorrectable(double ber,
                                 double gbps); /* codewords a second (KP4, 5,440 bits) */
double world_job_speed(const struct world *w, uint32_t gpu); /* 0 when idle */

/* simjob.c */
void simjob_start_all(struct world *w);
void simjob_step(struct world *w, double dt);
void simjob_event(struct world *w, const struct agenda_item *item);
struct simjob *simjob_find(struct world *w, const char *id);
const char *simjob_state_word(enum simjob_state s);
/* The process of that GPU (-1: the node's first) dies: its job fails with exit_code. */
void simjob_kill(struct world *w, uint32_t node, int32_t gpu, int exit_code);
/* Kills one rank by the program's own fault; what 0: Python error, 1: CUDA out of memory. */
void simjob_user_error(struct world *w, struct simjob *j, uint32_t rank, int what);
void simjob_lines_fail(struct world *w, struct simjob *j); /* simjob_lines.c */

/* agenda entries */
enum {
    AGENDA_NODE_LINE,
    AGENDA_RANK_LINE,
    AGENDA_SWITCH_LINE,
    AGENDA_JOB_STATE,
    AGENDA_BLIP_END,
    AGENDA_PORT_UP
};

/* noise.c */
void noise_start(struct world *w);
void noise_step(struct world *w);
void noise_event(struct world *w, const struct agenda_item *item);

#endif
