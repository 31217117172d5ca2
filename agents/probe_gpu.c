/* probe_gpu: GPUs by NVIDIA's library, NPUs by Huawei's, each called in a helper process with a
 * deadline. A
 * helper that does not answer makes the node blind (myriascope_agent_gpu_blind 1): it is waited for
 * without waiting, killed after a while, and no second one is started until it is really gone, so
 * that a driver that hangs holds one process, never more. Always true: at most one helper exists.
 */
#include "agents/gpu_child.h"
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/exposition.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_GPU_WAIT_MS  2500      /* for an answer, each time */
#define PROBE_GPU_START_US 60000000  /* a library may take long to begin */
#define PROBE_GPU_HANG_US  20000000  /* then the helper is killed */
#define PROBE_GPU_RETRY_US 600000000 /* where there is no library or GPU */
#define PROBE_GPU_AGAIN_US 30000000  /* after a helper that died */

/* What differs between vendors. */
struct probe_gpu_vendor {
    const char *option, *plain; /* of the helper; plain: asks less */
    int (*series)(void *ctx, const struct labels *l, const struct sample *sample, size_t count);
};

struct probe_gpu_state {
    const struct probe_gpu_vendor *vendor;
    const char *library;
    pid_t pid; /* 0: none */
    int fd;
    bool asked, answered, killed, plain; /* plain: a helper crashed; the next asks less */
    int64_t asked_us, retry_us;
    struct buf in; /* what was read of the two frames */
    struct buf series, gpus;
    const char *problem;
};

static void
probe_gpu_close(struct probe_gpu_state *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->asked = false;
    buf_reset(&s->in);
}

void
probe_gpu_done(void *state)
{
    struct probe_gpu_state *s = state;
    if (!s)
        return;
    probe_gpu_close(s);
    if (s->pid) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, WNOHANG);
    }
    buf_done(&s->in);
    buf_done(&s->series);
    buf_done(&s->gpus);
    free(s);
}

static int
probe_gpu_spawn(struct probe *p, struct probe_gpu_state *s)
{
    extern char **environ;
    int sv[2];
    posix_spawn_file_actions_t actions;
    char option[32], library[512], node[128], name[] = "myriascope-agent";
    char *argv[] = {name, option, library, node, NULL};
    str_copy(option, sizeof option, s->plain ? s->vendor->plain : s->vendor->option);
    str_copy(library, sizeof library, s->library);
    str_copy(node, sizeof node, p->node);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
        return ERR_IO;
    /* dup2 onto itself would leave close-on-exec set: move the end away from the number first. */
    int far = fcntl(sv[1], F_DUPFD_CLOEXEC, 10);
    close(sv[1]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, far, GPU_CHILD_FD);
    int rc = far < 0 ? ERR_IO : posix_spawn(&s->pid, p->helper, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (far >= 0)
        close(far);
    s->fd = sv[0];
    s->killed = s->answered = false;
    if (!rc)
        return 0;
    s->pid = 0;
    probe_gpu_close(s);
    return ERR_IO;
}

/* true: the helper is gone, or was never there. */
static bool
probe_gpu_reap(struct probe_gpu_state *s, int64_t now)
{
    int status;
    if (!s->pid)
        return true;
    if (waitpid(s->pid, &status, WNOHANG) != s->pid)
        return false;
    s->pid = 0;
    probe_gpu_close(s);
    bool absent = WIFEXITED(status) && (WEXITSTATUS(status) == GPU_CHILD_NO_LIBRARY ||
                                        WEXITSTATUS(status) == GPU_CHILD_NO_GPU);
    s->plain = s->plain || WIFSIGNALED(status);
    bool lies = WIFEXITED(status) && WEXITSTATUS(status) == GPU_CHILD_LIES;
    s->problem = absent      ? NULL
                 : s->killed ? "gpu-library-hangs"
                 : lies      ? "gpu-library-lies"
                             : "gpu-library-crashed";
    s->retry_us = now + (absent ? PROBE_GPU_RETRY_US : PROBE_GPU_AGAIN_US);
    return true;
}

static size_t
probe_gpu_length(const struct buf *b, size_t at)
{
    size_t n = 0;
    for (unsigned i = 0; i < 4; i++)
        n |= (size_t)(uint8_t)b->data[at + i] << 8 * i;
    return n;
}

/* 1: both frames are there and were taken; 0: not yet; ERR_CORRUPT. */
static int
probe_gpu_frames(struct probe_gpu_state *s)
{
    if (s->in.len < 4)
        return 0;
    size_t first = probe_gpu_length(&s->in, 0);
    if (first > GPU_CHILD_FRAME_MAX)
        return ERR_CORRUPT;
    if (s->in.len < 8 + first)
        return 0;
    size_t second = probe_gpu_length(&s->in, 4 + first);
    if (second > GPU_CHILD_FRAME_MAX)
        return ERR_CORRUPT;
    if (s->in.len < 8 + first + second)
        return 0;
    buf_reset(&s->series);
    buf_reset(&s->gpus);
    buf_append(&s->series, s->in.data + 4, first);
    buf_append(&s->gpus, s->in.data + 8 + first, second);
    buf_reset(&s->in);
    return 1;
}

/* Waits for the answer, at most so long. 1: it is here. */
static int
probe_gpu_receive(struct probe_gpu_state *s, int64_t wait_ms)
{
    int64_t end = clock_mono_us() + wait_ms * 1000;
    char part[16384];
    int rc;
    while (!(rc = probe_gpu_frames(s))) {
        int64_t left = end - clock_mono_us();
        struct pollfd pfd = {.fd = s->fd, .events = POLLIN};
        if (poll(&pfd, 1, left > 0 ? (int)(left / 1000) + 1 : 0) <= 0)
            return 0;
        ssize_t n = read(s->fd, part, sizeof part);
        if (n <= 0 || buf_append(&s->in, part, (size_t)n))
            return ERR_CLOSED;
    }
    return rc;
}

static int
probe_gpu_sample(void *ctx, const struct labels *l, const struct sample *sample, size_t count)
{
    struct snap *out = ctx;
    char text[8][256];
    (void)count;
    static const char *const keys[] = {"__name__",  "gpu",      "UUID",      "device",
                                       "modelName", "Hostname", "pci_bus_id"};
    for (size_t i = 0; i < 7; i++)
        if (!labels_copy(l, keys[i], text[i], sizeof text[i]))
            *text[i] = 0;
    if (*text[1])
        snap_add(out, text[0], sample->v, "gpu", text[1], "UUID", text[2], "device", text[3],
                 "modelName", text[4], "Hostname", text[5], "pci_bus_id", text[6], NULL);
    else
        snap_add(out, text[0], sample->v, NULL);
    return 0;
}

static void
probe_gpu_hang(struct probe_gpu_state *s, int64_t now)
{
    int64_t limit = s->answered ? PROBE_GPU_HANG_US : PROBE_GPU_START_US;
    s->problem = "gpu-library-hangs";
    if (now - s->asked_us < limit || s->killed)
        return;
    kill(s->pid,
         SIGKILL); /* in uninterruptible sleep it stays; then we stay blind, with one helper */
    s->killed = true;
}

/* Asks, or goes on waiting for what was asked before. 1: there is a fresh answer. */
static int
probe_gpu_ask(struct probe *p, struct probe_gpu_state *s)
{
    int64_t now = clock_mono_us();
    if (probe_gpu_reap(s, now)) {
        if (now < s->retry_us || probe_gpu_spawn(p, s))
            return 0;
    }
    int64_t wait_ms = s->asked ? 0 : PROBE_GPU_WAIT_MS; /* it was waited for before */
    if (!s->asked && !s->killed) {
        s->asked = send(s->fd, "c", 1, MSG_NOSIGNAL) == 1;
        s->asked_us = now;
    }
    int rc = s->killed ? 0 : probe_gpu_receive(s, wait_ms);
    if (rc > 0) {
        s->asked = false;
        s->answered = true;
        s->problem = NULL;
        return 1;
    }
    if (rc < 0 || !s->asked) { /* it is ending: its exit code tells why, a moment later */
        for (int i = 0; i < 50 && !probe_gpu_reap(s, now); i++)
            usleep(2000);
        if (s->pid && rc == ERR_CORRUPT)
            kill(s->pid, SIGKILL);
        return 0;
    }
    probe_gpu_hang(s, clock_mono_us());
    return 0;
}

static int
probe_gpu_npu(void *ctx, const struct labels *l, const struct sample *sample, size_t count)
{
    static const char *const keys[] = {"__name__", "id", "model_name", "pcie_bus_info"};
    struct snap *out = ctx;
    char text[4][256];
    (void)count;
    for (size_t i = 0; i < 4; i++)
        if (!labels_copy(l, keys[i], text[i], sizeof text[i]))
            *text[i] = 0;
    if (*text[1])
        snap_add(out, text[0], sample->v, keys[1], text[1], keys[2], text[2], keys[3], text[3],
                 NULL);
    else
        snap_add(out, text[0], sample->v, NULL);
    return 0;
}

static struct probe_gpu_state *
probe_gpu_state(struct probe *p, const struct probe_gpu_vendor *vendor, const char *library)
{
    struct probe_gpu_state *s = *p->state;
    if (s || !(s = calloc(1, sizeof *s)))
        return s;
    s->fd = -1;
    s->vendor = vendor;
    s->library = library;
    buf_init(&s->in, 2 * (size_t)GPU_CHILD_FRAME_MAX + 16);
    buf_init(&s->series, GPU_CHILD_FRAME_MAX);
    buf_init(&s->gpus, GPU_CHILD_FRAME_MAX);
    *p->state = s;
    return s;
}

static int
probe_gpu_of(struct probe *p, const struct probe_gpu_vendor *vendor, const char *library)
{
    /* Of a recorded machine, or a host seen from a container, only a library named by its path. */
    if (!p->helper || (!p->live && !strchr(library, '/')))
        return 0;
    struct probe_gpu_state *s = probe_gpu_state(p, vendor, library);
    if (!s)
        return ERR_NOMEM;
    if (probe_gpu_ask(p, s) > 0) {
        struct sample_sink sink = {.series = vendor->series, .ctx = p->out};
        exposition_parse(buf_str(&s->series), s->series.len, 0, &sink, NULL);
    }
    if (s->gpus.len)
        p->gpus = buf_str(&s->gpus);
    if (s->problem)
        p->gpu_problem = s->problem;
    if (s->answered || s->problem || s->gpus.len)
        snap_add(p->out, "myriascope_agent_gpu_blind", s->problem != NULL, NULL);
    return 0;
}

int
probe_gpu(struct probe *p)
{
    static const struct probe_gpu_vendor nvidia = {GPU_CHILD_OPTION, GPU_CHILD_PLAIN,
                                                   probe_gpu_sample};
    p->gpus = p->gpu_problem = NULL;
    return probe_gpu_of(p, &nvidia, p->nvml);
}

/* Asked only where the driver's device is, or the library is named by its path. */
int
probe_gpu_ascend(struct probe *p)
{
    static const struct probe_gpu_vendor ascend = {NPU_CHILD_OPTION, NPU_CHILD_OPTION,
                                                   probe_gpu_npu};
    int fd = strchr(p->dcmi, '/') ? -1 : probe_open(p, "dev/davinci_manager", O_PATH);
    if (fd < 0 && !strchr(p->dcmi, '/'))
        return 0;
    if (fd >= 0)
        close(fd);
    return probe_gpu_of(p, &ascend, p->dcmi);
}
