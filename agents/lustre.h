/* lustre: text of Lustre's statistics as series. Source: the Lustre Software Release 2.x Operations
 * Manual, "Lustre Monitoring and Troubleshooting"; names as lustre_exporter writes them, and
 * lustre_operation_seconds_total, which it lacks. Input is hostile: any bytes give series or none.
 */
#ifndef AGENTS_LUSTRE_H
#define AGENTS_LUSTRE_H

#include "agents/snap.h"

/* A `stats` or `md_stats` file, changed in place: lines NAME COUNT samples [UNIT] MIN MAX SUM.
 * component: client, ost, mdt. target: fs01-OST0000, or of a client fs01. Operations of the file:
 * lustre_stats_total, and the time of those whose unit is time; read_bytes and write_bytes become
 * lustre_read_samples_total, lustre_read_bytes_total and the like. */
void lustre_stats(char *text, const char *component, const char *target, struct snap *out);
/* An `import` file: whether the client is connected to a target. */
void lustre_import(char *text, const char *target, struct snap *out);

#endif
