/* loop_spawn: runs a command and collects what it says. A hook or two at a time, seconds long.
 *
 * The child leads a session of its own, so that a time-out kills its children too. Always true: the
 * callback comes once, when the child has ended and its outputs are closed (after a time-out:
 * without waiting for outputs that a stray grandchild holds); the loop's end kills it and calls
 * back as well. */
#include "base/loop_in.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LOOP_CHILD_IN, LOOP_CHILD_OUT, LOOP_CHILD_ERR, LOOP_CHILD_PIPES };

struct loop_child {
    struct loop_object o;
    uv_process_t process;
    uv_pipe_t pipe[LOOP_CHILD_PIPES];
    uv_timer_t timer;
    uv_write_t write;
    char *in;
    struct buf text[LOOP_CHILD_PIPES]; /* OUT, ERR */
    unsigned open;                     /* handles that have not closed */
    unsigned reading;                  /* outputs that have not ended */
    bool exited, timed_out, shut;
    int status, signal;
    loop_exited *cb;
    void *ctx;
};

static void
loop_child_gone(uv_handle_t *h)
{
    struct loop_child *c = h->data;
    if (--c->open)
        return;
    if (c->cb)
        c->cb(c->ctx, c->status, c->signal, c->timed_out, &c->text[LOOP_CHILD_OUT],
              &c->text[LOOP_CHILD_ERR]);
    buf_done(&c->text[LOOP_CHILD_OUT]);
    buf_done(&c->text[LOOP_CHILD_ERR]);
    free(c->in);
    free(c);
}

static void
loop_child_close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, loop_child_gone);
}

/* Closes all; a child that still runs is killed and waited for, so that none is left as a zombie.
 */
static void
loop_child_shut(struct loop_object *o)
{
    struct loop_child *c = (struct loop_child *)o;
    if (c->shut)
        return;
    c->shut = true;
    if (!c->exited && c->process.pid > 0) {
        kill(-c->process.pid, SIGKILL);
        waitpid(c->process.pid, NULL, 0);
        c->status = -1;
        c->signal = SIGKILL;
    }
    loop_child_close_handle((uv_handle_t *)&c->process);
    loop_child_close_handle((uv_handle_t *)&c->timer);
    for (int i = 0; i < LOOP_CHILD_PIPES; i++)
        loop_child_close_handle((uv_handle_t *)&c->pipe[i]);
}

static void
loop_child_check(struct loop_child *c)
{
    if (c->exited && (!c->reading || c->timed_out))
        loop_child_shut(&c->o);
}

static void
loop_child_exited(uv_process_t *p, int64_t status, int signum)
{
    struct loop_child *c = p->data;
    c->exited = true;
    c->status = (int)status;
    c->signal = signum;
    loop_child_check(c);
}

static void
loop_child_late(uv_timer_t *t)
{
    struct loop_child *c = t->data;
    c->timed_out = true;
    kill(-c->process.pid, SIGKILL);
    loop_child_check(c);
}

static void
loop_child_room(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    (void)hint;
    struct loop *l = h->loop->data;
    *ret = uv_buf_init(l->scratch, sizeof l->scratch);
}

static void
loop_child_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct loop_child *c = s->data;
    struct buf *text = &c->text[(uv_pipe_t *)s - c->pipe];
    if (n < 0) {
        uv_read_stop(s);
        c->reading--;
        loop_child_check(c);
        return;
    }
    /* Over the ceiling the child goes on; what it says is not kept. */
    size_t left = text->max - text->len;
    buf_append(text, b->base, (size_t)n < left ? (size_t)n : left);
}

static void
loop_child_fed(uv_write_t *w, int status)
{
    (void)status;
    loop_child_close_handle((uv_handle_t *)w->handle);
}

static int
loop_child_start(struct loop *l, struct loop_child *c, const char *const *argv)
{
    uv_stdio_container_t stdio[LOOP_CHILD_PIPES];
    c->open = 2 + LOOP_CHILD_PIPES;
    uv_timer_init(&l->uv, &c->timer);
    c->timer.data = c->process.data = c;
    for (int i = 0; i < LOOP_CHILD_PIPES; i++) {
        uv_pipe_init(&l->uv, &c->pipe[i], 0);
        c->pipe[i].data = c;
        stdio[i].flags =
            UV_CREATE_PIPE | (i == LOOP_CHILD_IN ? UV_READABLE_PIPE : UV_WRITABLE_PIPE);
        stdio[i].data.stream = (uv_stream_t *)&c->pipe[i];
    }
    uv_process_options_t o = {
        .file = argv[0],
        .args = (char **)argv,
        .exit_cb = loop_child_exited,
        .stdio_count = LOOP_CHILD_PIPES,
        .stdio = stdio,
        .flags = UV_PROCESS_DETACHED,
    };
    int rc = uv_spawn(&l->uv, &c->process, &o);
    c->exited = rc != 0;
    return rc;
}

static void
loop_child_feed(struct loop_child *c, size_t len)
{
    uv_buf_t b = uv_buf_init(c->in, (unsigned)len);
    uv_stream_t *s = (uv_stream_t *)&c->pipe[LOOP_CHILD_IN];
    if (!len || uv_write(&c->write, s, &b, 1, loop_child_fed))
        loop_child_close_handle((uv_handle_t *)s);
}

int
loop_spawn(struct loop *l, const char *const *argv, const char *in, size_t in_len,
           int64_t timeout_ms, size_t max_out, loop_exited *cb, void *ctx, struct err *err)
{
    struct loop_child *c = calloc(1, sizeof *c);
    if (!c || !(c->in = malloc(in_len + 1))) {
        free(c);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    c->o.close = loop_child_shut;
    if (in_len)
        memcpy(c->in, in, in_len);
    buf_init(&c->text[LOOP_CHILD_OUT], max_out);
    buf_init(&c->text[LOOP_CHILD_ERR], max_out);
    c->ctx = ctx;
    int rc = loop_child_start(l, c, argv);
    if (rc) {
        loop_child_shut(&c->o); /* cb is not set: it is not called */
        return loop_err(err, rc, "cannot run", argv[0]);
    }
    c->cb = cb;
    c->reading = 2;
    uv_read_start((uv_stream_t *)&c->pipe[LOOP_CHILD_OUT], loop_child_room, loop_child_read);
    uv_read_start((uv_stream_t *)&c->pipe[LOOP_CHILD_ERR], loop_child_room, loop_child_read);
    if (timeout_ms > 0)
        uv_timer_start(&c->timer, loop_child_late, (uint64_t)timeout_ms, 0);
    loop_child_feed(c, in_len);
    return 0;
}
