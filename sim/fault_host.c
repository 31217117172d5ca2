/* fault_host: servers, their memory, disks and clocks, and the programs that run on them. */
#include "sim/fault.h"
#include "sim/simline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
fault_host_crash_begin(struct world *w, struct fault *f)
{
    simline_kernel(w, f->i, 0, 0, "BUG: unable to handle page fault for address: ffffb1c0c0a7d000");
    simline_kernel(w, f->i, 0, 0, "Kernel panic - not syncing: Fatal exception in interrupt");
}

static void
fault_host_off_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->node_mods[f->i].off = 1;
}

static void
fault_host_boot(struct world *w, struct fault *f)
{
    const struct plan_node *p = &w->plan->nodes.at[f->i];
    w->nodes[f->i].boot_time = (double)(w->now_ms / 1000);
    for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++)
        w->gpus[g].xid = w->gpus[g].sbe = w->gpus[g].dbe = 0;
    simline_kernel(w, f->i, 500, 5,
                   "Linux version 5.15.0-105-generic (buildd@lcy02-amd64-081) (gcc (Ubuntu "
                   "11.4.0-1ubuntu1~22.04) 11.4.0) #115-"
                   "Ubuntu SMP");
    simline_syslog(
        w, f->i, 3000, 6, "systemd",
        "Startup finished in 21.337s (kernel) + 1min 2.120s (userspace) = 1min 23.457s.");
    simline_syslog(w, f->i, 4000, 6, "slurmd", "slurmd version 23.02.7 started");
}

static void
fault_host_reboot_begin(struct world *w, struct fault *f)
{
    simline_syslog(w, f->i, 0, 5, "systemd-logind", "System is rebooting.");
    simline_syslog(w, f->i, 0, 5, "systemd", "Shutting down.");
    simline_kernel(w, f->i, 0, 5, "reboot: Restarting system");
}

static void
fault_host_oom_begin(struct world *w, struct fault *f)
{
    unsigned pid = 20000 + f->i;
    w->nodes[f->i].oom_kills += 1;
    simline_kernel(w, f->i, 0, 4,
                   "python3 invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, "
                   "oom_score_adj=0");
    simline_kernel(w, f->i, 20, 4,
                   "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/"
                   ",mems_allowed=0-1,global_oom,task_memcg="
                   "/system.slice/slurmstepd.scope,task=python3,pid=%u,uid=1004",
                   pid);
    simline_kernel(w, f->i, 24, 3,
                   "Out of memory: Killed process %u (python3) total-vm:2214592512kB, "
                   "anon-rss:2051473920kB, file-rss:12288kB, "
                   "shmem-rss:8192kB, UID:1004 pgtables:4108288kB oom_score_adj:0",
                   pid);
    simjob_kill(w, f->i, -1, 137);
}

static void
fault_host_oom_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)dt;
    w->node_mods[f->i].memory = progress < 0.7 ? 0.95f : 0;
    w->node_mods[f->i].load = 30;
}

static void
fault_host_ce_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->node_mods[f->i].ce = 60;
    if (!fault_due(w, f, 5))
        return;
    simline_kernel(w, f->i, 0, 4, "mce: [Hardware Error]: Machine check events logged");
    simline_kernel(w, f->i, 10, 4,
                   "EDAC MC0: 300 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 "
                   "(channel:1 slot:0 page:0x1a%05x "
                   "offset:0x%x40 grain:32 syndrome:0x0 -  err_code:0x0101:0x0090 )",
                   (unsigned)(w->now_ms & 0xfffff), (unsigned)(w->now_ms % 15));
}

static void
fault_host_ue_begin(struct world *w, struct fault *f)
{
    w->nodes[f->i].edac_ue += 1;
    simline_kernel(
        w, f->i, 0, 0,
        "mce: [Hardware Error]: CPU 12: Machine Check Exception: 5 Bank 7: be00000000800400");
    simline_kernel(w, f->i, 0, 1,
                   "EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1 "
                   "slot:0 page:0x2b1f00 "
                   "offset:0x0 grain:32 -  err_code:0x0000:0x009f)");
    simline_kernel(w, f->i, 0, 0,
                   "Memory failure: 0x2b1f00: recovery action for dirty LRU page: Failed");
    simline_kernel(w, f->i, 0, 0, "Kernel panic - not syncing: Fatal local machine check");
}

static void
fault_host_disk_begin(struct world *w, struct fault *f)
{
    const struct plan_node *p = &w->plan->nodes.at[f->i];
    int32_t index = p->gpus == 0 ? -1 : w->gpus[p->first_gpu].job;
    w->nodes[f->i].root_avail = 4096;
    simline_syslog(
        w, f->i, 0, 3, "systemd-journald",
        "Failed to write entry (22 items, 764 bytes), ignoring: No space left on device");
    simline_syslog(w, f->i, 300, 3, "slurmd",
                   "error: unable to write to /var/spool/slurmd: No space left on device");
    if (index < 0 || w->jobs[index].state != SIMJOB_RUNNING)
        return;
    struct simjob *j = &w->jobs[index];
    uint32_t rank = (f->i - j->first_node) * j->gpus_per_node;
    simline_rank(
        w, j, rank, 400, 3,
        "[rank%u]: OSError: [Errno 28] No space left on device: '/tmp/torchinductor_%s/fxgraph'",
        rank, j->user);
    simjob_kill(w, f->i, -1, 1);
}

static void
fault_host_disk_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->node_mods[f->i].disk_full = 1;
    if (fault_due(w, f, 30))
        simline_kernel(
            w, f->i, 500, 4,
            "EXT4-fs warning (device nvme0n1p2): ext4_da_write_begin: No space left on device");
}

static void
fault_host_lockup_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    const struct plan_node *p = &w->plan->nodes.at[f->i];
    w->node_mods[f->i].load = 180;
    for (uint32_t g = p->first_gpu; g < p->first_gpu + p->gpus; g++)
        w->gpu_mods[g].slow = 0.6f;
    if (fault_due(w, f, 24))
        simline_kernel(w, f->i, 0, 0,
                       "watchdog: BUG: soft lockup - CPU#37 stuck for %us! [kworker/37:2:1187]",
                       23 + (unsigned)((w->now_ms - f->at_ms) / 1000));
}

static void
fault_host_clock_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->node_mods[f->i].clock = 47.3f;
    if (fault_due(w, f, 40))
        simline_syslog(w, f->i, 0, 4, "chronyd", "System clock wrong by -47.300218 seconds");
}

static void
fault_host_clock_begin(struct world *w, struct fault *f)
{
    simline_syslog(w, f->i, 0, 4, "chronyd", "Can't synchronise: no selectable sources");
}

static void
fault_host_clock_end(struct world *w, struct fault *f)
{
    simline_syslog(w, f->i, 0, 6, "chronyd", "Selected source 10.0.0.2 (ntp1)");
}

static void
fault_host_silent_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->node_mods[f->i].silent = 1;
}

static void
fault_host_user(struct world *w, struct fault *f, int what)
{
    const char *slash = strrchr(f->entity, '/');
    if (f->i < w->job_count)
        simjob_user_error(w, &w->jobs[f->i],
                          slash == NULL ? 0 : (uint32_t)strtoul(slash + 1, NULL, 10), what);
}

static void
fault_host_user_code(struct world *w, struct fault *f)
{
    fault_host_user(w, f, 0);
}

static void
fault_host_user_oom(struct world *w, struct fault *f)
{
    fault_host_user(w, f, 1);
}

const struct fault_row fault_rows_host[] = {
    {"node-crash", "node", 240,
     "the kernel panics: everything of the node ends at once, the job ends as node_fail",
     fault_host_crash_begin, fault_host_off_apply, fault_host_boot, "node", "host-os",
     "infrastructure"},
    {"node-reboot", "node", 90,
     "the node restarts under a running job: it is away for a while and comes back with a new boot "
     "time",
     fault_host_reboot_begin, fault_host_off_apply, fault_host_boot, "node", "host-os",
     "infrastructure"},
    {"host-oom", "node", 90,
     "the host runs out of memory and the kernel kills a rank: the job fails with exit code 137",
     fault_host_oom_begin, fault_host_oom_apply, NULL, "node", "host-memory", "infrastructure"},
    {"host-memory-ce-storm", "node", 180,
     "a DIMM gives thousands of corrected errors: the node slows a little, nothing fails yet", NULL,
     fault_host_ce_apply, NULL, "node", "host-memory", "infrastructure"},
    {"host-memory-ue", "node", 240,
     "a DIMM gives an uncorrected error: the kernel panics, the job ends as node_fail",
     fault_host_ue_begin, fault_host_off_apply, fault_host_boot, "node", "host-memory",
     "infrastructure"},
    {"disk-full", "node", 120,
     "the node's root file system fills up: its ranks cannot write, the job fails",
     fault_host_disk_begin, fault_host_disk_apply, NULL, "node", "storage", "infrastructure"},
    {"cpu-lockup", "node", 120,
     "a kernel thread holds a CPU: soft lockup lines, high load, the job slows down", NULL,
     fault_host_lockup_apply, NULL, "node", "host-os host-cpu", "infrastructure"},
    {"clock-skew", "node", 240,
     "the node's clock runs 47 s ahead: its lines carry wrong times, nothing fails",
     fault_host_clock_begin, fault_host_clock_apply, fault_host_clock_end, "node", "clock",
     "infrastructure"},
    {"agent-lost", "node", 240,
     "telemetry of the node ends while its job goes on: the observer is at fault", NULL,
     fault_host_silent_apply, NULL, "node", "telemetry", "infrastructure"},
    {"user-code-error", "rank", 30,
     "one rank dies of a Python error: the job fails, and the machines are innocent",
     fault_host_user_code, NULL, NULL, "rank job", "user-code user-data", "user"},
    {"user-oom", "rank", 30,
     "one rank asks for more accelerator memory than there is: the job fails, and the machines are "
     "innocent",
     fault_host_user_oom, NULL, NULL, "rank job", "user-oom", "user"},
    {.name = NULL},
};
