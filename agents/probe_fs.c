/* probe_fs: sizes of the mounted filesystems, and whether they answer. Local ones are asked by a
 * helper thread (agents/statfs.h), those that live by a network or a process by a child
 * (agents/netfs.h): where one does not answer in time, node_filesystem_device_error is 1,
 * myriascope_agent_mount_stalled_seconds grows, and all others are told as ever. Sizes of a network
 * mount are asked each turn, for that question is the one that finds it dead. */
#include "agents/netfs.h"
#include "agents/probe.h"
#include "agents/probes.h"
#include "agents/statfs.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_FS_WAIT_MS 700 /* for one */
#define PROBE_FS_ALL_MS                                                                            \
    2200 /* for all of the network: three that hang at once, then the next turn */
#define PROBE_FS_LOCAL    64 /* local mounts that are told */
#define PROBE_FS_SUSPECTS 8

struct probe_fs_state {
    struct statfs_helper *helper;
    struct netfs *netfs;
    char suspects[PROBE_FS_SUSPECTS][256]; /* local, but hung once: from then on as the network's */
    size_t suspect_count;
};

/* A line of /proc/mounts, in the probe's text. */
struct probe_fs_mount {
    const char *device, *point, *type;
    bool readonly;
};

void
probe_fs_done(void *state)
{
    struct probe_fs_state *s = state;
    if (!s)
        return;
    statfs_free(s->helper);
    netfs_free(s->netfs);
    free(s);
}

/* node_exporter's defaults. */
static bool
probe_fs_wanted(const char *point, const char *type)
{
    static const char *const points[] = {"/dev", "/proc", "/sys", NULL};
    static const char *const under[] = {"/run/credentials/", "/var/lib/docker/",
                                        "/var/lib/containers/storage/", NULL};
    static const char *const types[] = {
        "autofs",   "binfmt_misc", "bpf",     "cgroup",    "cgroup2",    "configfs",   "debugfs",
        "devpts",   "devtmpfs",    "fusectl", "hugetlbfs", "iso9660",    "mqueue",     "nsfs",
        "overlay",  "proc",        "procfs",  "pstore",    "rpc_pipefs", "securityfs", "selinuxfs",
        "squashfs", "sysfs",       "tracefs", NULL};
    for (size_t i = 0; points[i]; i++) {
        size_t n = strlen(points[i]);
        if (!strncmp(point, points[i], n) && (!point[n] || point[n] == '/'))
            return false;
    }
    for (size_t i = 0; under[i]; i++)
        if (str_prefix(point, under[i]))
            return false;
    for (size_t i = 0; types[i]; i++)
        if (!strcmp(type, types[i]))
            return false;
    return true;
}

/* \040 and the like, in place. */
static void
probe_fs_unescape(char *s)
{
    char *to = s;
    for (; *s; s++, to++) {
        unsigned v = 0, digits = 0;
        if (*s == '\\')
            for (; digits < 3 && s[digits + 1] >= '0' && s[digits + 1] <= '7'; digits++)
                v = v * 8 + (unsigned)(s[digits + 1] - '0');
        *to = digits == 3 ? (char)v : *s;
        s += digits == 3 ? 3 : 0;
    }
    *to = 0;
}

#define PROBE_FS_ADD(name, v)                                                                      \
    snap_add(p->out, name, (double)(v), "device", m->device, "fstype", m->type, "mountpoint",      \
             m->point, NULL)

static void
probe_fs_tell(struct probe *p, const struct probe_fs_mount *m, const struct statvfs *st)
{
    PROBE_FS_ADD("node_filesystem_device_error", !st);
    PROBE_FS_ADD("node_filesystem_readonly", m->readonly);
    if (!st)
        return;
    double unit = (double)st->f_frsize;
    PROBE_FS_ADD("node_filesystem_size_bytes", (double)st->f_blocks * unit);
    PROBE_FS_ADD("node_filesystem_free_bytes", (double)st->f_bfree * unit);
    PROBE_FS_ADD("node_filesystem_avail_bytes", (double)st->f_bavail * unit);
    PROBE_FS_ADD("node_filesystem_files", st->f_files);
    PROBE_FS_ADD("node_filesystem_files_free", st->f_ffree);
}

static void
probe_fs_local(struct probe *p, struct probe_fs_state *s, const struct probe_fs_mount *m)
{
    struct statvfs st;
    if (!s->helper && !(s->helper = statfs_new()))
        return;
    int rc = statfs_ask(s->helper, m->point, PROBE_FS_WAIT_MS, &st);
    if (rc == ERR_BUSY)
        return; /* too many hang: not known */
    probe_fs_tell(p, m, rc ? NULL : &st);
    if (rc != ERR_TIMEOUT || s->suspect_count == PROBE_FS_SUSPECTS)
        return;
    /* The thread is left behind with its question; the next mount gets another. */
    str_copy(s->suspects[s->suspect_count++], sizeof s->suspects[0], m->point);
    statfs_free(s->helper);
    s->helper = NULL;
}

static void
probe_fs_network(struct probe *p, struct probe_fs_state *s, const struct probe_fs_mount *list,
                 size_t count)
{
    size_t unasked = 0;
    struct netfs_mount *asked = count ? calloc(count, sizeof *asked) : NULL;
    if (!asked || (!s->netfs && !(s->netfs = netfs_new()))) {
        free(asked);
        return;
    }
    for (size_t i = 0; i < count; i++)
        str_copy(asked[i].path, sizeof asked[i].path, list[i].point);
    netfs_ask(s->netfs, asked, count, PROBE_FS_WAIT_MS, PROBE_FS_ALL_MS);
    for (size_t i = 0; i < count; i++) {
        const struct probe_fs_mount *m = &list[i];
        unasked += asked[i].state == NETFS_UNASKED;
        if (asked[i].state == NETFS_UNASKED)
            continue; /* neither well nor stalled: not known */
        bool stalls = asked[i].state == NETFS_STALLS;
        probe_fs_tell(p, m, asked[i].state == NETFS_ANSWERS ? &asked[i].st : NULL);
        PROBE_FS_ADD("myriascope_agent_mount_stalled_seconds",
                     stalls ? (double)(clock_mono_us() - asked[i].stalled_us) / 1e6 : 0);
    }
    snap_add(p->out, "myriascope_agent_mounts_unasked", (double)unasked, NULL);
    free(asked);
}
#undef PROBE_FS_ADD

/* A folder mounted over twice is told once. */
static bool
probe_fs_again(const struct probe_fs_mount *list, size_t count, const char *point)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i].point, point))
            return true;
    return false;
}

static bool
probe_fs_apart(const struct probe_fs_state *s, const struct probe_fs_mount *m)
{
    for (size_t i = 0; i < s->suspect_count; i++)
        if (!strcmp(s->suspects[i], m->point))
            return true;
    return netfs_is(m->type);
}

int
probe_fs(struct probe *p)
{
    struct probe_fs_mount local[PROBE_FS_LOCAL], network[NETFS_MOUNTS];
    size_t locals = 0, networks = 0;
    if (!p->live)
        return 0;
    if (!*p->state && !(*p->state = calloc(1, sizeof(struct probe_fs_state))))
        return ERR_NOMEM;
    const char *read = probe_read(p, "proc/1/mounts");
    if (!read)
        read = probe_read(p, "proc/self/mounts");
    char *text = read ? p->text.data : NULL, *line, *f[4];
    while ((line = probe_line(&text))) {
        if (probe_fields(line, f, 4) < 4 || !probe_fs_wanted(f[1], f[2]))
            continue;
        probe_fs_unescape(f[0]);
        probe_fs_unescape(f[1]);
        struct probe_fs_mount m = {f[0], f[1], f[2],
                                   !strcmp(f[3], "ro") || str_prefix(f[3], "ro,")};
        if (probe_fs_again(local, locals, m.point) || probe_fs_again(network, networks, m.point))
            continue;
        bool apart = probe_fs_apart(*p->state, &m);
        if (apart && networks < NETFS_MOUNTS)
            network[networks++] = m;
        else if (!apart && locals < PROBE_FS_LOCAL)
            local[locals++] = m;
    }
    for (size_t i = 0; i < locals; i++)
        probe_fs_local(p, *p->state, &local[i]);
    probe_fs_network(p, *p->state, network, networks);
    return 0;
}
