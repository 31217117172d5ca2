/* fault_site: power, cooling and shared storage: what many nodes have in common. */
#include "sim/fault.h"
#include "sim/simline.h"

#include <string.h>

static void
fault_site_cdu_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)dt;
    w->cdus[f->i].flow_lost = (float)(progress < 0.1 ? progress * 7.5 : 0.75);
}

static void
fault_site_pdu_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->pdu_off[f->i] = 1;
    for (uint32_t i = 0; i < w->plan->nodes.count; i++) {
        int32_t r = w->plan->nodes.at[i].rack;
        if (r >= 0 && w->plan->racks.at[r].pdu == (int32_t)f->i)
            w->node_mods[i].off = 1;
    }
}

static void
fault_site_pdu_end(struct world *w, struct fault *f)
{
    for (uint32_t i = 0; i < w->plan->nodes.count; i++) {
        int32_t r = w->plan->nodes.at[i].rack;
        if (r < 0 || w->plan->racks.at[r].pdu != (int32_t)f->i)
            continue;
        w->nodes[i].boot_time = (double)(w->now_ms / 1000);
        simline_syslog(
            w, i, 4000, 6, "systemd",
            "Startup finished in 21.337s (kernel) + 1min 2.120s (userspace) = 1min 23.457s.");
    }
}

static void
fault_site_storage_say(struct world *w, struct fault *f, bool ok)
{
    const struct plan_storage *s = &w->plan->storage.at[f->i];
    bool lustre = strcmp(s->kind, "lustre") == 0;
    for (uint32_t i = 0; i < w->plan->nodes.count; i++) {
        if (w->plan->nodes.at[i].storage != (int32_t)f->i || w->node_mods[i].off)
            continue;
        int64_t delay = (int64_t)(rng_hash(i, 11) % 3000);
        if (lustre && ok)
            simline_kernel(w, i, delay, 6,
                           "Lustre: %s-OST0000-osc-ffff8881: Connection restored to 10.0.9.11@o2ib "
                           "(at 10.0.9.11@o2ib)",
                           s->name);
        else if (lustre)
            simline_kernel(w, i, delay, 3,
                           "Lustre: %s-OST0000-osc-ffff8881: Connection to %s-OST0000 (at "
                           "10.0.9.11@o2ib) was lost; in progress "
                           "operations using this service will wait for recovery to complete",
                           s->name, s->name);
        else
            simline_kernel(w, i, delay, ok ? 6 : 3,
                           ok ? "nfs: server %s OK" : "nfs: server %s not responding, still trying",
                           s->server);
    }
}

static void
fault_site_storage_begin(struct world *w, struct fault *f)
{
    fault_site_storage_say(w, f, false);
}

static void
fault_site_storage_apply(struct world *w, struct fault *f, double progress, double dt)
{
    (void)progress, (void)dt;
    w->storage_stalled[f->i] = 1;
    for (uint32_t i = 0; i < w->plan->nodes.count; i++)
        if (w->plan->nodes.at[i].storage == (int32_t)f->i)
            w->node_mods[i].io_stall = 1;
    if (fault_due(w, f, 120)) /* the hung task watchdog speaks after 120 s, on a few nodes here */
        for (uint32_t i = 0; i < w->plan->nodes.count && f->memo[0] > 0 && i < 8; i++)
            simline_kernel(w, i, 0, 3, "INFO: task python3:%u blocked for more than 120 seconds.",
                           20000 + i);
    f->memo[0] = 1;
}

static void
fault_site_storage_end(struct world *w, struct fault *f)
{
    fault_site_storage_say(w, f, true);
}

const struct fault_row fault_rows_site[] = {
    {"storage-stall", "storage", 150,
     "the shared file system stops answering: checkpoints and loaders of every job wait, then go "
     "on",
     fault_site_storage_begin, fault_site_storage_apply, fault_site_storage_end, "storage",
     "storage", "infrastructure"},
    {"cdu-flow-low", "cdu", 300,
     "a coolant pump fails: flow falls, every GPU of its racks heats up and throttles", NULL,
     fault_site_cdu_apply, NULL, "cdu", "cooling", "infrastructure"},
    {"pdu-feed-loss", "pdu", 180,
     "a PDU loses its feed: its rack goes dark at once, the jobs on it end as node_fail", NULL,
     fault_site_pdu_apply, fault_site_pdu_end, "pdu rack", "power", "infrastructure"},
    {.name = NULL},
};
