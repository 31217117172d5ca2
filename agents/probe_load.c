/* probe_load: the load averages. The smallest probe: copy this file to begin another. */
#include "agents/probe.h"
#include "agents/probes.h"

#include <stdio.h>

int
probe_load(struct probe *p)
{
    double one, five, fifteen;
    const char *text = probe_read(p, "proc/loadavg");
    if (!text || sscanf(text, "%lf %lf %lf", &one, &five, &fifteen) != 3)
        return 0;
    snap_add(p->out, "node_load1", one, NULL);
    snap_add(p->out, "node_load5", five, NULL);
    snap_add(p->out, "node_load15", fifteen, NULL);
    return 0;
}
