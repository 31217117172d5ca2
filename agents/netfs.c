/* netfs: a dozen mounts a collection. The child is forked, not started anew: it lives for some
 * milliseconds and makes system calls only, so that nothing of the agent's threads can hold it. */
#include "agents/netfs.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct netfs_child {
    pid_t pid; /* 0: none */
    int fd;    /* answers come from here; -1: none */
    int64_t since_us;
    char path[NETFS_PATH]; /* what it hangs in */
};

struct netfs {
    struct netfs_child stuck[NETFS_STUCK];
};

struct netfs_answer {
    uint32_t index;
    int32_t failed;
    struct statvfs st;
};

bool
netfs_is(const char *type)
{
    static const char *const heads[] = {
        "nfs",     "cifs",     "smb",  "lustre",   "gpfs",     "ceph",  "beegfs",  "fuse",
        "weka",    "9p",       "afs",  "gluster",  "orangefs", "pvfs2", "panfs",   "gfs2",
        "ocfs2",   "virtiofs", "dpc",  "nvmesh",   "ncp",      "dfs",   "quobyte", "objectfs",
        "juicefs", "yrfs",     "bwfs", "parastor", "oceanfs",  "cpfs",  "alinas"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (str_prefix(type, heads[i]))
            return strcmp(type, "fusectl") != 0;
    return false;
}

struct netfs *
netfs_new(void)
{
    struct netfs *n = calloc(1, sizeof *n);
    for (size_t i = 0; n && i < NETFS_STUCK; i++)
        n->stuck[i].fd = -1;
    return n;
}

/* False: it is not gone yet (it hangs in its mount, beyond SIGKILL); asked again later. */
static bool
netfs_end(struct netfs_child *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (!c->pid)
        return true;
    kill(c->pid, SIGKILL);
    for (int i = 0; i < 20; i++) {
        if (waitpid(c->pid, NULL, WNOHANG) != 0) {
            c->pid = 0;
            return true;
        }
        usleep(500);
    }
    return false;
}

void
netfs_free(struct netfs *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < NETFS_STUCK; i++)
        netfs_end(&n->stuck[i]);
    free(n);
}

/* --- in the child: system calls only ---------------------------------------------------------- */

static int
netfs_look(const char *path, struct statvfs *ret)
{
    if (statvfs(path, ret))
        return 1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0 && errno != EACCES && errno != EPERM;
}

/* Whatever else the agent holds open (its port, its spool's lock) must not stay open for as long as
 * a child hangs. */
static _Noreturn void
netfs_child(int fd, const struct netfs_mount *mounts, const uint8_t *todo, size_t count)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    if (fd != 3 && dup2(fd, 3) < 0)
        _exit(1);
    syscall(SYS_close_range, 4u, ~0u, 0u);
    syscall(SYS_close_range, 0u, 2u, 0u);
    for (size_t i = 0; i < count; i++) {
        struct netfs_answer a;
        if (!todo[i])
            continue;
        memset(&a, 0, sizeof a);
        a.index = (uint32_t)i;
        a.failed = netfs_look(mounts[i].path, &a.st);
        if (write(3, &a, sizeof a) != (ssize_t)sizeof a)
            break;
    }
    _exit(0);
}

/* --- in the agent ----------------------------------------------------------------------------- */

static int
netfs_start(const struct netfs_mount *mounts, const uint8_t *todo, size_t count,
            struct netfs_child *ret)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC))
        return -1;
    pid_t pid = fork();
    if (!pid)
        netfs_child(fds[1], mounts, todo, count);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -1;
    }
    *ret = (struct netfs_child){.pid = pid, .fd = fds[0]};
    return 0;
}

/* 1: an answer was read; 0: none in time; -1: the child is gone. */
static int
netfs_receive(const struct netfs_child *c, int64_t ms, struct netfs_answer *ret)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int rc;
    while ((rc = poll(&p, 1, ms > 0 ? (int)ms : 0)) < 0 && errno == EINTR)
        ;
    if (rc <= 0)
        return 0;
    return read(c->fd, ret, sizeof *ret) == (ssize_t)sizeof *ret ? 1 : -1; /* below PIPE_BUF */
}

/* Children that came back from where they hung are done with. */
static void
netfs_reap(struct netfs *n)
{
    for (size_t i = 0; i < NETFS_STUCK; i++) {
        struct netfs_answer a;
        struct netfs_child *c = &n->stuck[i];
        if (c->pid && (c->fd < 0 || netfs_receive(c, 0, &a)))
            netfs_end(c);
    }
}

static struct netfs_child *
netfs_find(struct netfs *n, const char *path)
{
    for (size_t i = 0; i < NETFS_STUCK; i++)
        if (path ? n->stuck[i].pid && !strcmp(n->stuck[i].path, path) : !n->stuck[i].pid)
            return &n->stuck[i];
    return NULL;
}

static void
netfs_take(struct netfs_mount *mounts, uint8_t *todo, size_t count, const struct netfs_answer *a)
{
    if (a->index >= count || !todo[a->index])
        return;
    todo[a->index] = 0;
    mounts[a->index].state = a->failed ? NETFS_REFUSES : NETFS_ANSWERS;
    mounts[a->index].st = a->st;
}

/* Asks what is in `todo` until all have answered, one hangs, or time is over. True: go on with
 * another child. The caller saw to a free place. */
static bool
netfs_round(struct netfs *n, struct netfs_mount *mounts, uint8_t *todo, size_t count, int each_ms,
            int64_t end_us)
{
    struct netfs_child c = {.fd = -1};
    struct netfs_answer a;
    size_t next = 0;
    if (netfs_start(mounts, todo, count, &c))
        return false;
    for (;;) {
        while (next < count && !todo[next])
            next++;
        int64_t since = clock_mono_us(), left = (end_us - since) / 1000;
        int rc = next == count ? -1 : netfs_receive(&c, left < each_ms ? left : each_ms, &a);
        if (rc > 0) {
            netfs_take(mounts, todo, count, &a);
            continue;
        }
        struct netfs_child *place = netfs_find(n, NULL);
        if (rc || left < each_ms) { /* done, died, or was not given its time */
            if (!netfs_end(&c))
                *place = c;
            return false;
        }
        *place = c;
        place->since_us = since;
        str_copy(place->path, sizeof place->path, mounts[next].path);
        mounts[next].state = NETFS_STALLS;
        mounts[next].stalled_us = since;
        todo[next] = 0;
        return true;
    }
}

void
netfs_ask(struct netfs *n, struct netfs_mount *mounts, size_t count, int each_ms, int all_ms)
{
    uint8_t todo[NETFS_MOUNTS] = {0};
    size_t left = 0;
    int64_t end_us = clock_mono_us() + (int64_t)all_ms * 1000;
    netfs_reap(n);
    for (size_t i = 0; i < count && i < NETFS_MOUNTS; i++) {
        const struct netfs_child *c = netfs_find(n, mounts[i].path);
        mounts[i].state = c ? NETFS_STALLS : NETFS_UNASKED;
        mounts[i].stalled_us = c ? c->since_us : 0;
        left += todo[i] = !c;
    }
    while (left && netfs_find(n, NULL) && netfs_round(n, mounts, todo, count, each_ms, end_us))
        ;
}
