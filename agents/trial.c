/* trial: the agent's half: a thread that waits for tasks, starts a child for each, and tells what
 * came of it. Load: five tasks an active check. Always true: at most one child, whatever it does,
 * is killed at its deadline; results are told in the order of the tasks. */
#include "agents/trial.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_TASKS   32
#define TRIAL_WAIT_MS 200
#define TRIAL_MARGIN  4 /* seconds beyond a test's own time */
#define TRIAL_SECONDS 60
#define TRIAL_OUT_MAX 4096
#define TRIAL_BUSY    0.5 /* load a processor */

struct trial {
    struct outbox *outbox;
    const char *helper, *dir;
    const struct log *log;
    pthread_t thread;
    pthread_mutex_t mutex;
    bool quit;
};

/* --- telling ---------------------------------------------------------------------------------- */

static int
trial_fill(void *ctx, struct wire_encoder *e)
{
    const struct buf *b = ctx;
    int rc = wire_encode_result(e, buf_str(b), b->len);
    return rc ? rc : 1;
}

/* The child's object with what names the task before it. */
static void
trial_tell(struct trial *t, const struct doc_node *task, const char *status, const char *text,
           const struct doc_node *said, int64_t ms)
{
    struct buf out;
    struct jsonw w;
    buf_init(&out, TRIAL_OUT_MAX);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    jsonw_kstr(&w, "run", doc_get_str(task, "run", ""));
    jsonw_kstr(&w, "id", doc_get_str(task, "id", ""));
    jsonw_kstr(&w, "test", doc_get_str(task, "test", ""));
    jsonw_kstr(&w, "status", said ? doc_get_str(said, "status", "error") : status);
    jsonw_kreal(&w, "value", doc_get_real(said, "value", NAN));
    jsonw_kreal(&w, "second", doc_get_real(said, "second", NAN));
    jsonw_kint(&w, "ms", ms);
    jsonw_kstr(&w, "text", said ? doc_get_str(said, "text", "") : text);
    jsonw_end_object(&w);
    if (!out.failed)
        outbox_batch(t->outbox, trial_fill, &out);
    buf_done(&out);
}

/* --- the child -------------------------------------------------------------------------------- */

static pid_t
trial_spawn(struct trial *t, char *const *argv, int *ret_fd)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int fds[2];
    pid_t pid = 0;
    if (pipe2(fds, O_CLOEXEC))
        return 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&pid, t->helper, &actions, NULL, argv, environ))
        pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (!pid)
        close(fds[0]);
    *ret_fd = fds[0];
    return pid;
}

static bool
trial_quit(struct trial *t)
{
    pthread_mutex_lock(&t->mutex);
    bool quit = t->quit;
    pthread_mutex_unlock(&t->mutex);
    return quit;
}

/* Reads until it closes its output; false at the deadline, or when the agent ends. */
static bool
trial_read(struct trial *t, int fd, int64_t until_us, struct buf *out)
{
    char part[1024];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (clock_mono_us() >= until_us || trial_quit(t))
            return false;
        if (poll(&p, 1, TRIAL_WAIT_MS) <= 0)
            continue;
        ssize_t n = read(fd, part, sizeof part);
        if (n <= 0)
            return true;
        buf_append(out, part, (size_t)n);
    }
}

static void
trial_run(struct trial *t, const struct doc_node *task)
{
    char name[] = "myriascope-agent", option[] = TRIAL_CHILD_OPTION, port[16], far[16], seconds[16];
    int64_t limit = doc_get_int(task, "seconds", 10), start = clock_mono_us();
    limit = limit < 1 || limit > TRIAL_SECONDS ? TRIAL_SECONDS : limit;
    snprintf(port, sizeof port, "%d", (int)doc_get_int(task, "port", 0));
    snprintf(far, sizeof far, "%d", (int)doc_get_int(task, "peer_port", 0));
    snprintf(seconds, sizeof seconds, "%d", (int)limit);
    const char *args[] = {doc_get_str(task, "test", ""),
                          t->dir,
                          doc_get_str(task, "peer", ""),
                          doc_get_str(task, "address", ""),
                          port,
                          far,
                          doc_get_str(task, "key", ""),
                          doc_get_str(task, "peer_key", ""),
                          seconds};
    char *argv[TRIAL_CHILD_ARGS + 3] = {name, option};
    struct doc *d = NULL;
    struct buf out;
    int fd = -1, status = 0;
    for (size_t i = 0; i < TRIAL_CHILD_ARGS; i++)
        argv[i + 2] = (char *)(uintptr_t)args[i];
    buf_init(&out, TRIAL_OUT_MAX);
    pid_t pid = trial_spawn(t, argv, &fd);
    if (!pid) {
        trial_tell(t, task, "error", "the test could not be started", NULL, 0);
        return;
    }
    bool ended = trial_read(t, fd, start + (limit + TRIAL_MARGIN) * 1000000, &out);
    if (!ended)
        kill(pid, SIGKILL);
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    bool said = ended && !doc_parse_json(buf_str(&out), out.len, "answer", &d, NULL);
    trial_tell(t, task, "error",
               ended ? "the test ended without an answer" : "the test took too long and was killed",
               said ? doc_root(d) : NULL, (clock_mono_us() - start) / 1000);
    doc_free(d);
    buf_done(&out);
}

/* Is the node at work? A job that the server does not know of counts too. */
static bool
trial_busy(void)
{
    double load = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return getloadavg(&load, 1) == 1 &&
           load > TRIAL_BUSY * (double)(processors < 1 ? 1 : processors);
}

static void *
trial_main(void *ctx)
{
    struct trial *t = ctx;
    struct buf json;
    while (!trial_quit(t)) {
        struct doc *d = NULL;
        size_t n = 0;
        if (!outbox_tasks(t->outbox, TRIAL_WAIT_MS, &json))
            continue;
        if (!doc_parse_json(buf_str(&json), json.len, "tasks", &d, NULL))
            for (const struct doc_node *k = doc_root(d)->first;
                 k && n < TRIAL_TASKS && !trial_quit(t); k = k->next, n++) {
                if (!t->helper)
                    trial_tell(t, k, "error", "tests are not allowed on this node", NULL, 0);
                else if (!doc_get_bool(k, "busy", false) && trial_busy())
                    trial_tell(t, k, "busy", "the node's processors are at work", NULL, 0);
                else
                    trial_run(t, k);
            }
        doc_free(d);
        buf_done(&json);
    }
    return NULL;
}

int
trial_new(struct outbox *o, const char *helper, const char *dir, const struct log *log,
          struct trial **ret, struct err *err)
{
    struct trial *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "no memory for tests");
    *t = (struct trial){.outbox = o, .helper = helper, .dir = dir, .log = log};
    pthread_mutex_init(&t->mutex, NULL);
    if (pthread_create(&t->thread, NULL, trial_main, t)) {
        free(t);
        return err_set(err, ERR_NOMEM, "cannot start a thread");
    }
    *ret = t;
    return 0;
}

void
trial_free(struct trial *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->quit = true;
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}
