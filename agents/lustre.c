/* lustre: some forty lines a file. */
#include "agents/lustre.h"

#include "agents/probe.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LUSTRE_LABELS "component", component, "target", target

/* Units are usec, usecs, nsec, sec; others are no time. */
static double
lustre_seconds(const char *unit)
{
    return str_prefix(unit, "[usec")   ? 1e-6
           : str_prefix(unit, "[nsec") ? 1e-9
           : str_prefix(unit, "[sec")  ? 1
                                       : 0;
}

static void
lustre_bytes(const char *kind, double samples, double sum, const char *component,
             const char *target, struct snap *out)
{
    char name[64];
    snprintf(name, sizeof name, "lustre_%s_samples_total", kind);
    snap_add(out, name, samples, LUSTRE_LABELS, NULL);
    snprintf(name, sizeof name, "lustre_%s_bytes_total", kind);
    snap_add(out, name, sum, LUSTRE_LABELS, NULL);
}

void
lustre_stats(char *text, const char *component, const char *target, struct snap *out)
{
    char *line, *f[8];
    while ((line = probe_line(&text))) {
        size_t n = probe_fields(line, f, 8);
        if (n < 4 || strcmp(f[2], "samples"))
            continue; /* snapshot_time, start_time, elapsed_time */
        double samples = (double)strtoull(f[1], NULL, 10);
        double sum = n >= 7 ? (double)strtoull(f[6], NULL, 10) : 0;
        if (!strcmp(f[0], "read_bytes") || !strcmp(f[0], "write_bytes")) {
            lustre_bytes(*f[0] == 'r' ? "read" : "write", samples, sum, component, target, out);
            continue;
        }
        snap_add(out, "lustre_stats_total", samples, LUSTRE_LABELS, "operation", f[0], NULL);
        if (n >= 7 && lustre_seconds(f[3]) > 0)
            snap_add(out, "lustre_operation_seconds_total", sum * lustre_seconds(f[3]),
                     LUSTRE_LABELS, "operation", f[0], NULL);
    }
}

/* "    state: FULL" and "    connect_flags: [ ... ]" */
void
lustre_import(char *text, const char *target, struct snap *out)
{
    char *line, *f[3];
    while ((line = probe_line(&text)))
        if (probe_fields(line, f, 3) >= 2 && !strcmp(f[0], "state:")) {
            bool full = !strcmp(f[1], "FULL") || !strcmp(f[1], "IDLE");
            snap_add(out, "lustre_import_connected", full, "component", "client", "target", target,
                     "state", f[1], NULL);
            return;
        }
}
