/* apart: a fork each time, which costs some hundred microseconds; so for probes that run seldom or
 * whose device is known to hang. The child sends its snapshot as the arrays that it is made of. */
#include "agents/apart.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART_MAX ((size_t)8 << 20)

struct apart_head {
    uint64_t count, text;
    int64_t rc;
};

static bool
apart_write(int fd, const void *data, size_t len)
{
    for (const char *at = data; len;) {
        ssize_t n = write(fd, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* Nothing of the agent's but the pipe and the root folder stays open: a child may hang for days. */
static _Noreturn void
apart_child(int fd, struct probe *p, const struct probe_row *row)
{
    struct snap out;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int pipe_fd = fcntl(fd, F_DUPFD, 10), root = fcntl(p->root, F_DUPFD, 10);
    if (pipe_fd < 0 || root < 0 || dup2(pipe_fd, 3) < 0 || dup2(root, 4) < 0)
        _exit(1);
    syscall(SYS_close_range, 5u, ~0u, 0u);
    p->root = 4;
    snap_init(&out);
    p->out = &out;
    int rc = row->run(p);
    struct apart_head h = {.rc = rc, .count = out.count, .text = out.text.len};
    bool good = apart_write(3, &h, sizeof h) &&
                apart_write(3, out.rows, out.count * sizeof *out.rows) &&
                apart_write(3, out.text.data, out.text.len);
    _exit(good ? 0 : 1);
}

/* All that the child writes. 0; ERR_TIMEOUT; ERR_CLOSED: it ended too early; ERR_LIMIT. */
static int
apart_read(int fd, int ms, struct buf *ret)
{
    int64_t end = clock_mono_us() + (int64_t)ms * 1000;
    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left = (end - clock_mono_us()) / 1000;
        int rc = poll(&pfd, 1, left > 0 ? (int)left : 0);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return ERR_TIMEOUT;
        if (buf_reserve(ret, 65536))
            return ERR_LIMIT;
        ssize_t n = read(fd, ret->data + ret->len, 65536);
        if (n < 0)
            return ERR_CLOSED;
        if (!n)
            return 0;
        ret->len += (size_t)n;
    }
}

/* The child is ours, but it died somewhere if what it sent is not whole. */
static int
apart_take(const struct buf *b, struct probe *p)
{
    struct apart_head h;
    if (b->len < sizeof h)
        return ERR_CLOSED;
    memcpy(&h, b->data, sizeof h);
    if (h.count > APART_MAX || h.text > APART_MAX ||
        b->len != sizeof h + h.count * sizeof(struct snap_row) + h.text)
        return ERR_CLOSED;
    struct snap from = {.count = (size_t)h.count};
    from.rows = (struct snap_row *)(void *)(b->data + sizeof h);
    from.text = (struct buf){.data = b->data + sizeof h + h.count * sizeof(struct snap_row),
                             .len = (size_t)h.text};
    snap_append(p->out, &from);
    return (int)h.rc;
}

static bool
apart_gone(struct apart *a)
{
    if (a->pid && waitpid(a->pid, NULL, WNOHANG) == 0)
        return false;
    a->pid = 0;
    return true;
}

int
apart_run(struct apart *a, struct probe *p, const struct probe_row *row, int ms)
{
    int fds[2];
    struct buf b;
    if (!apart_gone(a))
        return ERR_BUSY;
    if (pipe2(fds, O_CLOEXEC))
        return ERR_IO;
    a->since_us = clock_mono_us();
    a->pid = fork();
    if (!a->pid)
        apart_child(fds[1], p, row);
    close(fds[1]);
    if (a->pid < 0) {
        a->pid = 0;
        close(fds[0]);
        return ERR_NOMEM;
    }
    buf_init(&b, APART_MAX);
    int rc = apart_read(fds[0], ms, &b);
    close(fds[0]);
    if (rc)
        kill(a->pid, SIGKILL); /* where that does not help it stays, and is the only one */
    else
        rc = apart_take(&b, p);
    buf_done(&b);
    for (int i = 0; i < 40 && !apart_gone(a); i++)
        usleep(500);
    return rc;
}

void
apart_done(struct apart *a)
{
    if (!a->pid)
        return;
    kill(a->pid, SIGKILL);
    for (int i = 0; i < 10 && !apart_gone(a); i++)
        usleep(500);
}
