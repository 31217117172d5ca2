/* probe_time: what the kernel knows of the clock's discipline (adjtimex(2)); only of the machine we
 * run on. Names as node_exporter writes them. */
#include "agents/probe.h"
#include "agents/probes.h"

#include <string.h>
#include <sys/timex.h>

int
probe_time(struct probe *p)
{
    struct timex t;
    memset(&t, 0, sizeof t);
    int state = p->live ? adjtimex(&t) : -1;
    if (state < 0)
        return 0;
    double unit = t.status & STA_NANO ? 1e9 : 1e6;
    snap_add(p->out, "node_timex_sync_status", state != TIME_ERROR, NULL);
    snap_add(p->out, "node_timex_offset_seconds", (double)t.offset / unit, NULL);
    snap_add(p->out, "node_timex_frequency_adjustment_ratio", 1 + (double)t.freq / 65536e6, NULL);
    snap_add(p->out, "node_timex_maxerror_seconds", (double)t.maxerror / 1e6, NULL);
    snap_add(p->out, "node_timex_estimated_error_seconds", (double)t.esterror / 1e6, NULL);
    snap_add(p->out, "node_timex_status", t.status, NULL);
    snap_add(p->out, "node_timex_loop_time_constant", (double)t.constant, NULL);
    snap_add(p->out, "node_timex_tick_seconds", (double)t.tick / 1e6, NULL);
    snap_add(p->out, "node_timex_tai_offset_seconds", t.tai, NULL);
    return 0;
}
