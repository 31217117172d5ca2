/* probe_fs: sizes of the mounted filesystems. statvfs goes to a helper thread (agents/statfs.h):
 * where a mount does not answer in time, node_filesystem_device_error is 1 and the others go on
 * being asked, by a fresh helper, while the stuck one is left behind. At most PROBE_FS_STUCK are
 * ever left behind; a mount that hangs is asked again only when its helper has come back. */
#include "agents/probe.h"
#include "agents/probes.h"
#include "agents/statfs.h"
#include "base/err.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define PROBE_FS_WAIT_MS 700
#define PROBE_FS_STUCK   4

struct probe_fs_state {
    struct statfs_helper *helper;
    struct {
        struct statfs_helper *helper;
        char path[256];
    } stuck[PROBE_FS_STUCK];
};

void
probe_fs_done(void *state)
{
    struct probe_fs_state *s = state;
    if (!s)
        return;
    statfs_free(s->helper);
    for (size_t i = 0; i < PROBE_FS_STUCK; i++)
        statfs_free(s->stuck[i].helper);
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

static int
probe_fs_ask(struct probe_fs_state *s, const char *path, struct statvfs *ret)
{
    size_t place = PROBE_FS_STUCK;
    for (size_t i = 0; i < PROBE_FS_STUCK; i++) {
        if (!s->stuck[i].helper) {
            place = i;
        } else if (!strcmp(s->stuck[i].path, path)) {
            int rc = statfs_ask(s->stuck[i].helper, path, PROBE_FS_WAIT_MS, ret);
            if (rc != ERR_BUSY && rc != ERR_TIMEOUT) {
                statfs_free(s->stuck[i].helper);
                s->stuck[i].helper = NULL;
            }
            return rc;
        }
    }
    if (!s->helper && !(s->helper = statfs_new()))
        return ERR_NOMEM;
    int rc = statfs_ask(s->helper, path, PROBE_FS_WAIT_MS, ret);
    if (rc == ERR_TIMEOUT && place < PROBE_FS_STUCK) {
        s->stuck[place].helper = s->helper;
        str_copy(s->stuck[place].path, sizeof s->stuck[place].path, path);
        s->helper = NULL;
    }
    return rc;
}

static void
probe_fs_mount(struct probe *p, struct probe_fs_state *s, char **f)
{
    struct statvfs st;
    probe_fs_unescape(f[0]);
    probe_fs_unescape(f[1]);
    const char *dev = f[0], *point = f[1], *type = f[2];
    bool readonly = !strcmp(f[3], "ro") || str_prefix(f[3], "ro,");
    int rc = probe_fs_ask(s, point, &st);
#define PROBE_FS_ADD(name, v)                                                                      \
    snap_add(p->out, name, (double)(v), "device", dev, "fstype", type, "mountpoint", point, NULL)
    PROBE_FS_ADD("node_filesystem_device_error", rc != 0);
    PROBE_FS_ADD("node_filesystem_readonly", readonly);
    if (rc)
        return;
    double unit = (double)st.f_frsize;
    PROBE_FS_ADD("node_filesystem_size_bytes", (double)st.f_blocks * unit);
    PROBE_FS_ADD("node_filesystem_free_bytes", (double)st.f_bfree * unit);
    PROBE_FS_ADD("node_filesystem_avail_bytes", (double)st.f_bavail * unit);
    PROBE_FS_ADD("node_filesystem_files", st.f_files);
    PROBE_FS_ADD("node_filesystem_files_free", st.f_ffree);
#undef PROBE_FS_ADD
}

int
probe_fs(struct probe *p)
{
    if (!p->live)
        return 0;
    if (!*p->state && !(*p->state = calloc(1, sizeof(struct probe_fs_state))))
        return ERR_NOMEM;
    const char *read = probe_read(p, "proc/1/mounts");
    if (!read)
        read = probe_read(p, "proc/self/mounts");
    char *text = read ? p->text.data : NULL, *line, *f[4], *seen[64];
    size_t seen_count = 0;
    while ((line = probe_line(&text))) {
        if (probe_fields(line, f, 4) < 4 || !probe_fs_wanted(f[1], f[2]))
            continue;
        bool again = false; /* a folder mounted over twice is told once */
        for (size_t i = 0; i < seen_count; i++)
            again = again || !strcmp(seen[i], f[1]);
        if (again || seen_count == sizeof seen / sizeof *seen)
            continue;
        seen[seen_count++] = f[1];
        probe_fs_mount(p, *p->state, f);
    }
    return 0;
}
