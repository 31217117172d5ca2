/* probe_nfs: NFS mounts. /proc/self/mountstats is answered by the client alone, so a dead server
 * does not stall it. Source: fs/nfs/super.c and net/sunrpc/stats.c of the kernel (statvers 1.1);
 * names as node_exporter writes them. An operation that was never asked for is left out. */
#include "agents/nfs.h"
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe_nfs_mount {
    char export[256], address[64], protocol[16];
};
#define PROBE_NFS_LABELS(m)                                                                        \
    "export", (m)->export, "mountaddr", (m)->address, "protocol", (m)->protocol

/* device fs01:/data mounted on /data with fstype nfs4 statvers=1.1 */
static bool
probe_nfs_device(char *line, struct probe_nfs_mount *m)
{
    char *f[9];
    size_t n = probe_fields(line, f, 9);
    memset(m, 0, sizeof *m);
    if (n < 8 || !str_prefix(f[7], "nfs") || !strcmp(f[7], "nfsd"))
        return false;
    str_copy(m->export, sizeof m->export, f[1]);
    return true;
}

static void
probe_nfs_bytes(struct snap *out, const struct probe_nfs_mount *m, char *line)
{
    static const char *const names[] = {
        "read_bytes",       "write_bytes",       "direct_read_bytes", "direct_write_bytes",
        "total_read_bytes", "total_write_bytes", "read_pages",        "write_pages"};
    char *f[8], name[96];
    size_t n = probe_fields(line, f, 8);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "node_mountstats_nfs_%s_total", names[i]);
        snap_add(out, name, strtod(f[i], NULL), PROBE_NFS_LABELS(m), NULL);
    }
}

/* READ: ops trans major_timeouts sent recv queue_ms rtt_ms execute_ms [errors] */
static void
probe_nfs_operation(struct snap *out, const struct probe_nfs_mount *m, char *line)
{
    static const struct {
        const char *name;
        double divisor;
    } columns[] = {{"requests", 1},
                   {"transmissions", 1},
                   {"major_timeouts", 1},
                   {"sent_bytes", 1},
                   {"received_bytes", 1},
                   {"queue_time_seconds", 1e3},
                   {"response_time_seconds", 1e3},
                   {"request_time_seconds", 1e3}};
    char *colon = strchr(line, ':'), *f[9], name[96];
    if (!colon)
        return;
    *colon = 0;
    line += strspn(line, "\t ");
    size_t n = probe_fields(colon + 1, f, 9);
    if (n < 8 || !strcmp(f[0], "0"))
        return;
    for (size_t i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "node_mountstats_nfs_operations_%s_total", columns[i].name);
        snap_add(out, name, strtod(f[i], NULL) / columns[i].divisor, PROBE_NFS_LABELS(m),
                 "operation", line, NULL);
    }
}

/* opts: rw,vers=4.1,...,proto=tcp,...,mountaddr=10.0.0.1 (or addr=) */
static void
probe_nfs_option(const char *line, const char *key, char *to, size_t size)
{
    const char *at = strstr(line, key);
    if (!at)
        return;
    at += strlen(key);
    size_t n = strcspn(at, ", \t");
    snprintf(to, size, "%.*s", (int)n, at);
}

static void
probe_nfs_line(struct snap *out, struct probe_nfs_mount *m, char *line, bool *operations)
{
    char *body = line + strspn(line, "\t ");
    if (str_prefix(body, "opts:")) {
        probe_nfs_option(body, ",proto=", m->protocol, sizeof m->protocol);
        probe_nfs_option(body, ",addr=", m->address, sizeof m->address);
        probe_nfs_option(body, ",mountaddr=", m->address, sizeof m->address);
    } else if (str_prefix(body, "age:")) {
        snap_add(out, "node_mountstats_nfs_age_seconds_total", strtod(body + 4, NULL),
                 PROBE_NFS_LABELS(m), NULL);
    } else if (str_prefix(body, "bytes:")) {
        probe_nfs_bytes(out, m, body + 6);
    } else if (str_prefix(body, "per-op statistics")) {
        *operations = true;
    } else if (*operations) {
        probe_nfs_operation(out, m, body);
    }
}

void
nfs_mountstats(char *text, struct snap *out)
{
    struct probe_nfs_mount m = {.export = ""};
    bool nfs = false, operations = false;
    char *line;
    while ((line = probe_line(&text))) {
        if (str_prefix(line, "device ")) {
            nfs = probe_nfs_device(line, &m);
            operations = false;
        } else if (nfs) {
            probe_nfs_line(out, &m, line, &operations);
        }
    }
}

int
probe_nfs(struct probe *p)
{
    const char *read = probe_read(p, "proc/1/mountstats");
    if (!read)
        read = probe_read(p, "proc/self/mountstats");
    if (read)
        nfs_mountstats(p->text.data, p->out);
    return 0;
}
