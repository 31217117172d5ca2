/* alert_spawn: posix_spawn, poll on both pipes, kill at the deadline. */
#include "analyzer/alert_spawn.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct alert_pipes {
    int in[2], out[2];
};

static int
alert_start(char *const *argv, const struct alert_pipes *p, pid_t *pid, struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, p->in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, p->out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, p->out[1], 2);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int rc = posix_spawn(pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc ? err_set(err, ERR_IO, "%s cannot be started: %s", argv[0], strerror(rc)) : 0;
}

/* Feeds and reads until the program closes its output; false at the deadline. */
static bool
alert_talk(struct alert_pipes *p, const char *in, size_t len, int64_t deadline_us, struct buf *out)
{
    size_t done = 0;
    char piece[4096];
    for (;;) {
        struct pollfd fds[2] = {{p->out[0], POLLIN, 0}, {done < len ? p->in[1] : -1, POLLOUT, 0}};
        int64_t left = (deadline_us - clock_mono_us()) / 1000;
        if (left <= 0)
            return false;
        if (poll(fds, 2, (int)(left > 60000 ? 60000 : left)) < 0 && errno != EINTR)
            return true;
        if (fds[1].revents) {
            ssize_t n = write(p->in[1], in + done, len - done);
            done = n > 0 ? done + (size_t)n : len;
        }
        if (done >= len && p->in[1] >= 0) {
            close(p->in[1]);
            p->in[1] = -1;
        }
        if (fds[0].revents) {
            ssize_t n = read(p->out[0], piece, sizeof piece);
            if (n <= 0)
                return true;
            buf_append(out, piece, (size_t)n);
        }
    }
}

static int
alert_end(pid_t pid, bool in_time, const char *name, const struct buf *out, struct err *err)
{
    int status = 0;
    if (!in_time)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!in_time)
        return err_set(err, ERR_TIMEOUT, "%s took too long and was killed", name);
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return 0;
    int line = (int)strcspn(buf_str(out), "\n");
    return err_set(err, ERR_IO, "%s ended with %s %d: %.*s", name,
                   WIFEXITED(status) ? "status" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                   line > 200 ? 200 : line, buf_str(out));
}

int
alert_spawn(char *const *argv, const char *in, size_t in_len, int64_t timeout_ms, struct buf *out,
            struct err *err)
{
    struct alert_pipes p = {{-1, -1}, {-1, -1}};
    pid_t pid;
    int rc = 0;
    if (!argv[0] || argv[0][0] != '/')
        return err_set(err, ERR_USAGE, "a command needs an absolute path");
    if (pipe2(p.in, O_CLOEXEC) || pipe2(p.out, O_CLOEXEC))
        rc = err_set_errno(err, "no pipe for %s", argv[0]);
    if (!rc)
        rc = alert_start(argv, &p, &pid, err);
    if (!rc) {
        close(p.in[0]);
        close(p.out[1]);
        p.in[0] = p.out[1] = -1;
        bool in_time = alert_talk(&p, in, in_len, clock_mono_us() + timeout_ms * 1000, out);
        rc = alert_end(pid, in_time, argv[0], out, err);
    }
    for (int i = 0; i < 2; i++) {
        if (p.in[i] >= 0)
            close(p.in[i]);
        if (p.out[i] >= 0)
            close(p.out[i]);
    }
    return rc;
}
