/* simjob_lines: what ranks, launcher and scheduler print when a job dies.
 *
 * Forms: NCCL 2.2x WARN lines, PyTorch 2.x ProcessGroupNCCL and torch.distributed.elastic, Slurm. A
 * job of many ranks prints from SIMJOB_VOICES of them: the whole choir says the same. */
#include "base/clock.h"
#include "sim/simline.h"
#include "sim/world.h"

#include <stdio.h>
#include <time.h>

#define SIMJOB_VOICES 48u

static const char *
simjob_glog(int64_t ms, char out[32])
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    snprintf(out, 32, "%02d%02d %02d:%02d:%02d.%06d", tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, (int)(ms % 1000) * 1000 + 417);
    return out;
}

static unsigned
simjob_pid(const struct simjob *j, uint32_t rank)
{
    return 20000 +
           (unsigned)(rng_hash(j->iteration > 0 ? (uint64_t)j->iteration : 1, rank) % 400000);
}

static uint32_t
simjob_culprit_rank(const struct world *w, const struct simjob *j)
{
    uint32_t local = 0;
    const struct plan_node *p = &w->plan->nodes.at[j->culprit_node];
    if (j->culprit_gpu >= 0)
        local = (uint32_t)j->culprit_gpu - p->first_gpu;
    else if (j->culprit_nic >= 0 && j->gpus_per_node > 0)
        local = ((uint32_t)j->culprit_nic - p->first_nic) % j->gpus_per_node;
    return (j->culprit_node - j->first_node) * j->gpus_per_node + local;
}

/* Neighbours in the ring of the culprit's rail see the transport end first. */
static void
simjob_lines_transport(struct world *w, struct simjob *j, uint32_t rank, int64_t at)
{
    uint32_t gpn = j->gpus_per_node, local = rank % gpn, node = rank / gpn;
    const uint32_t around[] = {(node + 1) % j->nodes, (node + j->nodes - 1) % j->nodes, node};
    for (int i = 0; i < (j->culprit_nic >= 0 ? 3 : 2); i++) {
        uint32_t n = around[i], r = n * gpn + local, peer = i == 2 ? around[0] : node;
        const struct plan_node *p = &w->plan->nodes.at[j->first_node + n];
        if ((i < 2 && n == node) || p->nics == 0)
            continue;
        uint32_t addr = j->first_node + peer + 1;
        simline_rank(w, j, r, at + 40 * i, 4,
                     "%s:%u:%u [%u] transport/net_ib.cc:2310 NCCL WARN NET/IB: Got completion from "
                     "peer 10.1.%u.%u<%u> with status=12 "
                     "opcode=0 len=0 vendor err 129 (Send) localGid ::ffff:10.1.%u.%u "
                     "remoteGids::ffff:10.1.%u.%u hca %s",
                     p->name, simjob_pid(j, r), simjob_pid(j, r) + 112, local, addr >> 8,
                     addr & 255, 40000 + local * 7, (j->first_node + n + 1) >> 8,
                     (j->first_node + n + 1) & 255, addr >> 8, addr & 255,
                     w->plan->nics.at[p->first_nic + local % p->nics].name);
        simline_rank(w, j, r, at + 40 * i + 8, 4,
                     "%s:%u:%u [%u] NCCL INFO transport/net.cc:1298 -> 6", p->name,
                     simjob_pid(j, r), simjob_pid(j, r) + 112, local);
    }
}

static void
simjob_lines_closed(struct world *w, struct simjob *j, uint32_t rank, int64_t at)
{
    uint32_t gpn = j->gpus_per_node, local = rank % gpn, node = rank / gpn;
    for (uint32_t i = 0; i < gpn; i++) {
        uint32_t r = node * gpn + i;
        if (r == rank)
            r = ((node + 1) % j->nodes) * gpn + local;
        if (r == rank)
            continue;
        const char *host = w->plan->nodes.at[j->first_node + r / gpn].name;
        simline_rank(w, j, r, at + 30 * i, 4,
                     "%s:%u:%u [%u] misc/socket.cc:50 NCCL WARN socketProgress: Connection closed "
                     "by remote peer %s<%u>",
                     host, simjob_pid(j, r), simjob_pid(j, r) + 98, r % gpn,
                     w->plan->nodes.at[j->culprit_node].name, 51000 + local);
    }
}

static void
simjob_lines_watchdog(struct world *w, struct simjob *j, uint32_t rank, int64_t at, bool hang)
{
    char t[32];
    uint32_t ranks = j->nodes * j->gpus_per_node,
             step = ranks > SIMJOB_VOICES ? ranks / SIMJOB_VOICES : 1;
    unsigned limit = (unsigned)(600000 * (w->cfg.timer_scale > 0 ? w->cfg.timer_scale : 1));
    uint64_t seq = (uint64_t)j->iteration * 37 + 5;
    for (uint32_t r = 0; r < ranks; r += step) {
        if (r == rank || (j->culprit_gpu < 0 && j->culprit_nic < 0 &&
                          r / j->gpus_per_node == rank / j->gpus_per_node))
            continue;
        int64_t when = at + (int64_t)(rng_hash(r, 3) % 900);
        simjob_glog(w->now_ms + when, t);
        if (hang) {
            simline_rank(w, j, r, when, 3,
                         "[rank%u]:[E%s ProcessGroupNCCL.cpp:632] [Rank %u] Watchdog caught "
                         "collective operation timeout: "
                         "WorkNCCL(SeqNum=%llu, OpType=ALLREDUCE, NumelIn=16777216, "
                         "NumelOut=16777216, Timeout(ms)=%u) ran for %u "
                         "milliseconds before timing out.",
                         r, t, r, (unsigned long long)seq, limit, limit + 12 + r % 60);
            simline_rank(w, j, r, when + 5, 3,
                         "[rank%u]:[E%s ProcessGroupNCCL.cpp:1834] [PG ID 0 PG GUID 0(default_pg) "
                         "Rank %u] Timeout at NCCL work: %llu, "
                         "last enqueued NCCL work: %llu, last completed NCCL work: %llu.",
                         r, t, r, (unsigned long long)seq, (unsigned long long)seq,
                         (unsigned long long)seq - 1);
        } else {
            simline_rank(w, j, r, when, 3,
                         "[rank%u]:[E%s ProcessGroupNCCL.cpp:1896] [PG ID 0 PG GUID 0(default_pg) "
                         "Rank %u] Process group watchdog thread "
                         "terminated with exception: NCCL error: remote process exited or there "
                         "was a network error, NCCL version "
                         "2.21.5; ncclRemoteError: A call failed possibly due to a network error "
                         "or a remote process exiting prematurely.",
                         r, t, r);
        }
    }
}

static void
simjob_lines_launcher(struct world *w, struct simjob *j, uint32_t rank, int64_t at)
{
    uint32_t node = j->culprit_node, local = rank % j->gpus_per_node;
    char t[32], stamp[TIME_TEXT_SIZE];
    simjob_glog(w->now_ms + at, t);
    simline_rank(w, j, rank, at, 3,
                 "E%s %u torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: "
                 "%d) local_rank: %u (pid: %u) of binary: "
                 "/usr/bin/python3",
                 t, simjob_pid(j, rank) - 1, j->exit_code > 128 ? 128 - j->exit_code : j->exit_code,
                 local, simjob_pid(j, rank));
    simline_rank(w, j, 0, at + 700, 3, "slurmstepd: error: *** STEP %s.0 ON %s CANCELLED AT %s ***",
                 j->id, w->plan->nodes.at[j->first_node].name, time_format(w->now_ms + at, stamp));
    simline_rank(w, j, 0, at + 1200, 3, "srun: error: %s: task %u: Exited with exit code %d",
                 w->plan->nodes.at[node].name, rank, j->exit_code);
    simline_rank(w, j, 0, at + 1300, 3,
                 "srun: Job step aborted: Waiting up to 32 seconds for job step to finish.");
}

void
simjob_lines_fail(struct world *w, struct simjob *j)
{
    if (j->gpus_per_node == 0)
        return;
    uint32_t rank = simjob_culprit_rank(w, j);
    bool off = w->node_mods[j->culprit_node].off;
    if (j->trouble == TROUBLE_HANG) {
        simjob_lines_watchdog(w, j, rank, 200, true);
    } else if (j->trouble == TROUBLE_NET || off) {
        simjob_lines_transport(w, j, rank, 300);
        simjob_lines_watchdog(w, j, rank, 1500, false);
    } else {
        if (j->culprit_gpu >= 0 && w->gpus[j->culprit_gpu].xid >= 48)
            simline_rank(w, j, rank, 100, 3, "[rank%u]: torch.AcceleratorError: CUDA error: %s",
                         rank,
                         w->gpus[j->culprit_gpu].xid == 48 || w->gpus[j->culprit_gpu].xid >= 94
                             ? "uncorrectable ECC error encountered"
                             : "unspecified launch failure");
        simjob_lines_closed(w, j, rank, 900);
        if (j->nodes > 1)
            simjob_lines_watchdog(w, j, rank, 1800, false);
    }
    simjob_lines_launcher(w, j, rank, 3800);
}

void
simjob_user_error(struct world *w, struct simjob *j, uint32_t rank, int what)
{
    if (j->state != SIMJOB_RUNNING || j->gpus_per_node == 0)
        return;
    uint32_t node = j->first_node + rank / j->gpus_per_node;
    if (node >= j->first_node + j->nodes)
        return;
    static const char *const python[] = {
        "[rank%u]: Traceback (most recent call last):",
        "[rank%u]:   File \"/workspace/train.py\", line 412, in <module>",
        "[rank%u]:     main(parse_args())",
        "[rank%u]:   File \"/workspace/train.py\", line 288, in main",
        "[rank%u]:     loss = model(batch[\"tokens\"], labels=batch[\"label\"])",
        "[rank%u]: KeyError: 'label'",
    };
    static const char *const memory[] = {
        "[rank%u]: Traceback (most recent call last):",
        "[rank%u]:   File \"/workspace/train.py\", line 291, in main",
        "[rank%u]:     loss.backward()",
        "[rank%u]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 "
        "has a total capacity of 79.10 GiB of "
        "which 1.31 GiB is free. Process 18211 has 77.78 GiB memory in use. Of the allocated "
        "memory 74.02 GiB is allocated by PyTorch, "
        "and 2.11 GiB is reserved by PyTorch but unallocated.",
    };
    const char *const *lines = what == 0 ? python : memory;
    size_t n = what == 0 ? sizeof python / sizeof python[0] : sizeof memory / sizeof memory[0];
    for (size_t i = 0; i < n; i++) {
        char text[600];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, lines[i], rank);
#pragma GCC diagnostic pop
        simline_rank(w, j, rank, (int64_t)i, 3, "%s", text);
    }
    simjob_kill(w, node, (int32_t)(w->plan->nodes.at[node].first_gpu + rank % j->gpus_per_node), 1);
}
