/* probe_host: processors, memory, pressure and what the kernel counts of itself. Sources: proc(5),
 * Documentation/accounting/psi.rst; names as node_exporter writes them. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The line "cpu3 10 20 ..." in clock ticks. */
static void
probe_host_cpu_line(struct probe *p, char **f, size_t n, double hz)
{
    static const char *const modes[] = {"user",   "nice", "system",  "idle",
                                        "iowait", "irq",  "softirq", "steal"};
    const char *cpu = f[0] + 3;
    for (size_t i = 0; i < 8 && i + 1 < n; i++)
        snap_add(p->out, "node_cpu_seconds_total", strtod(f[i + 1], NULL) / hz, "cpu", cpu, "mode",
                 modes[i], NULL);
    for (size_t i = 0; i < 2 && i + 9 < n; i++)
        snap_add(p->out, "node_cpu_guest_seconds_total", strtod(f[i + 9], NULL) / hz, "cpu", cpu,
                 "mode", modes[i], NULL);
}

int
probe_host_stat(struct probe *p)
{
    static const char *const words[][2] = {{"intr", "node_intr_total"},
                                           {"ctxt", "node_context_switches_total"},
                                           {"btime", "node_boot_time_seconds"},
                                           {"processes", "node_forks_total"},
                                           {"procs_running", "node_procs_running"},
                                           {"procs_blocked", "node_procs_blocked"}};
    double hz = p->live ? (double)sysconf(_SC_CLK_TCK) : 100;
    char *text = probe_read(p, "proc/stat") ? p->text.data : NULL, *line, *f[12];
    while ((line = probe_line(&text))) {
        size_t n = probe_fields(line, f, sizeof f / sizeof *f);
        if (n < 2)
            continue;
        if (str_prefix(f[0], "cpu") && isdigit((unsigned char)f[0][3]))
            probe_host_cpu_line(p, f, n, hz);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (!strcmp(f[0], words[i][0]))
                snap_add(p->out, words[i][1], strtod(f[1], NULL), NULL);
    }
    return 0;
}

int
probe_host_memory(struct probe *p)
{
    char *text = probe_read(p, "proc/meminfo") ? p->text.data : NULL, *line, *f[4], name[96];
    while ((line = probe_line(&text))) {
        size_t n = probe_fields(line, f, sizeof f / sizeof *f), len = n ? strlen(f[0]) : 0;
        if (n < 2 || len < 2 || len > 60)
            continue;
        f[0][--len] = 0;
        for (char *c = f[0]; *c; c++)
            if (*c == '(')
                *c = '_';
            else if (*c == ')')
                *c = 0;
        bool kilo = n > 2 && !strcmp(f[2], "kB");
        snprintf(name, sizeof name, "node_memory_%s%s", f[0], kilo ? "_bytes" : "");
        snap_add(p->out, name, strtod(f[1], NULL) * (kilo ? 1024 : 1), NULL);
    }
    return 0;
}

/* node_exporter's default choice: oom_kill|pgpg|pswp|pg.*fault */
static bool
probe_host_vm_wanted(const char *name)
{
    return str_prefix(name, "oom_kill") || str_prefix(name, "pgpg") || str_prefix(name, "pswp") ||
           (str_prefix(name, "pg") && strstr(name, "fault"));
}

int
probe_host_vmstat(struct probe *p)
{
    char *text = probe_read(p, "proc/vmstat") ? p->text.data : NULL, *line, *f[2], name[96];
    while ((line = probe_line(&text))) {
        if ((*line != 'p' && *line != 'o') || probe_fields(line, f, 2) < 2 ||
            !probe_host_vm_wanted(f[0]))
            continue;
        snprintf(name, sizeof name, "node_vmstat_%.60s", f[0]);
        snap_add(p->out, name, strtod(f[1], NULL), NULL);
    }
    return 0;
}

static void
probe_host_pressure_of(struct probe *p, const char *what)
{
    char *text = probe_read(p, "proc/pressure/%s", what) ? p->text.data : NULL, *line, name[96];
    while ((line = probe_line(&text))) {
        bool full = str_prefix(line, "full");
        const char *total = strstr(line, "total=");
        if (!total || (full && !strcmp(what, "cpu")))
            continue;
        snprintf(name, sizeof name, "node_pressure_%s_%s_seconds_total", what,
                 full ? "stalled" : "waiting");
        snap_add(p->out, name, strtod(total + 6, NULL) / 1e6, NULL);
    }
}

int
probe_host_pressure(struct probe *p)
{
    probe_host_pressure_of(p, "cpu");
    probe_host_pressure_of(p, "io");
    probe_host_pressure_of(p, "memory");
    return 0;
}

int
probe_host_limits(struct probe *p)
{
    double used, max, v;
    const char *text = probe_read(p, "proc/sys/fs/file-nr");
    if (text && sscanf(text, "%lf %*f %lf", &used, &max) == 2) {
        snap_add(p->out, "node_filefd_allocated", used, NULL);
        snap_add(p->out, "node_filefd_maximum", max, NULL);
    }
    if (probe_number(p, &v, "proc/sys/net/netfilter/nf_conntrack_count"))
        snap_add(p->out, "node_nf_conntrack_entries", v, NULL);
    if (probe_number(p, &v, "proc/sys/net/netfilter/nf_conntrack_max"))
        snap_add(p->out, "node_nf_conntrack_entries_limit", v, NULL);
    if (probe_number(p, &v, "proc/sys/kernel/random/entropy_avail"))
        snap_add(p->out, "node_entropy_available_bits", v, NULL);
    if (probe_number(p, &v, "proc/sys/kernel/random/poolsize"))
        snap_add(p->out, "node_entropy_pool_size_bits", v, NULL);
    return 0;
}

int
probe_host_names(struct probe *p)
{
    char release[256], version[256], name[128], domain[128];
    str_copy(release, sizeof release, probe_word(p, "proc/sys/kernel/osrelease"));
    str_copy(version, sizeof version, probe_word(p, "proc/sys/kernel/version"));
    str_copy(name, sizeof name, probe_word(p, "proc/sys/kernel/hostname"));
    str_copy(domain, sizeof domain, probe_word(p, "proc/sys/kernel/domainname"));
    if (*release)
        snap_add(p->out, "node_uname_info", 1, "domainname", domain, "machine",
                 probe_word(p, "proc/sys/kernel/arch"), "nodename", name, "release", release,
                 "sysname", "Linux", "version", version, NULL);
    return 0;
}
