/* loop: the loop itself, timers, wake-ups, descriptors, signals. Sockets are in loop_net.c,
 * processes in loop_spawn.c; these are the only files that know libuv.
 *
 * Always true: what owns handles is on the heap and is freed in uv's close callback, never earlier,
 * so that a close within any callback is safe. */
#include "base/loop_in.h"

#include <stdlib.h>

struct loop_timer {
    struct loop_object o;
    uv_timer_t uv;
    void (*cb)(void *ctx);
    void *ctx;
};

struct loop_wake {
    struct loop_object o;
    uv_async_t uv;
    void (*cb)(void *ctx);
    void *ctx;
};

struct loop_fd {
    struct loop_object o;
    uv_poll_t uv;
    void (*cb)(void *ctx, int events);
    void *ctx;
};

struct loop_signal {
    struct loop_object o;
    uv_signal_t uv;
    void (*cb)(void *ctx, int signum);
    void *ctx;
};

static void
loop_on_stop(uv_async_t *a)
{
    uv_stop(a->loop);
}

struct loop *
loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    if (uv_loop_init(&l->uv)) {
        free(l);
        return NULL;
    }
    if (uv_async_init(&l->uv, &l->stop, loop_on_stop)) {
        uv_loop_close(&l->uv);
        free(l);
        return NULL;
    }
    /* Waiting for a stop alone does not keep the loop running. */
    uv_unref((uv_handle_t *)&l->stop);
    l->uv.data = l;
    return l;
}

void
loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void
loop_stop(struct loop *l)
{
    uv_async_send(&l->stop);
}

static void
loop_close_any(uv_handle_t *h, void *ctx)
{
    (void)ctx;
    struct loop_object *o = h->data;
    if (uv_is_closing(h))
        return;
    if (o)
        o->close(o);
    else
        uv_close(h, NULL);
}

void
loop_free(struct loop *l)
{
    if (!l)
        return;
    uv_walk(&l->uv, loop_close_any, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    /* A callback of a close may have opened something again: once more, then it is a bug of ours.
     */
    uv_walk(&l->uv, loop_close_any, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    free(l);
}

int
loop_err(struct err *err, int uv_code, const char *what, const char *name)
{
    int code = uv_code == UV_ENOMEM                          ? ERR_NOMEM
               : uv_code == UV_EACCES || uv_code == UV_EPERM ? ERR_DENIED
               : uv_code == UV_ENOENT                        ? ERR_NOTFOUND
               : uv_code == UV_EADDRINUSE                    ? ERR_EXISTS
                                                             : ERR_IO;
    return err_set(err, code, "%s %s: %s", what, name, uv_strerror(uv_code));
}

static void
loop_free_data(uv_handle_t *h)
{
    free(h->data);
}

static void
loop_timer_shut(struct loop_object *o)
{
    struct loop_timer *t = (struct loop_timer *)o;
    if (!uv_is_closing((uv_handle_t *)&t->uv))
        uv_close((uv_handle_t *)&t->uv, loop_free_data);
}

static void
loop_timer_fire(uv_timer_t *h)
{
    struct loop_timer *t = h->data;
    t->cb(t->ctx);
}

struct loop_timer *
loop_timer_open(struct loop *l, void (*cb)(void *ctx), void *ctx)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct loop_timer){.o.close = loop_timer_shut, .cb = cb, .ctx = ctx};
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    return t;
}

void
loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    if (after_ms < 0) {
        uv_timer_stop(&t->uv);
        return;
    }
    /* A callback may have taken long: count from now, not from the turn's beginning. */
    uv_update_time(t->uv.loop);
    uv_timer_start(&t->uv, loop_timer_fire, (uint64_t)after_ms,
                   repeat_ms > 0 ? (uint64_t)repeat_ms : 0);
}

void
loop_timer_close(struct loop_timer *t)
{
    if (t)
        loop_timer_shut(&t->o);
}

static void
loop_wake_shut(struct loop_object *o)
{
    struct loop_wake *w = (struct loop_wake *)o;
    if (!uv_is_closing((uv_handle_t *)&w->uv))
        uv_close((uv_handle_t *)&w->uv, loop_free_data);
}

static void
loop_wake_fire(uv_async_t *h)
{
    struct loop_wake *w = h->data;
    w->cb(w->ctx);
}

struct loop_wake *
loop_wake_open(struct loop *l, void (*cb)(void *ctx), void *ctx)
{
    struct loop_wake *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct loop_wake){.o.close = loop_wake_shut, .cb = cb, .ctx = ctx};
    if (uv_async_init(&l->uv, &w->uv, loop_wake_fire)) {
        free(w);
        return NULL;
    }
    w->uv.data = w;
    return w;
}

void
loop_wake(struct loop_wake *w)
{
    uv_async_send(&w->uv);
}

void
loop_wake_close(struct loop_wake *w)
{
    if (w)
        loop_wake_shut(&w->o);
}

static void
loop_fd_shut(struct loop_object *o)
{
    struct loop_fd *f = (struct loop_fd *)o;
    if (!uv_is_closing((uv_handle_t *)&f->uv))
        uv_close((uv_handle_t *)&f->uv, loop_free_data);
}

static void
loop_fd_fire(uv_poll_t *h, int status, int events)
{
    struct loop_fd *f = h->data;
    /* An error is shown as readiness: the owner's next read or write meets it. */
    int ready = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);
    f->cb(f->ctx, status < 0 ? LOOP_READ | LOOP_WRITE : ready);
}

struct loop_fd *
loop_fd_open(struct loop *l, int fd, void (*cb)(void *ctx, int events), void *ctx)
{
    struct loop_fd *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = (struct loop_fd){.o.close = loop_fd_shut, .cb = cb, .ctx = ctx};
    if (uv_poll_init(&l->uv, &f->uv, fd)) {
        free(f);
        return NULL;
    }
    f->uv.data = f;
    return f;
}

void
loop_fd_set(struct loop_fd *f, int events)
{
    int uv = (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0);
    if (uv)
        uv_poll_start(&f->uv, uv, loop_fd_fire);
    else
        uv_poll_stop(&f->uv);
}

void
loop_fd_close(struct loop_fd *f)
{
    if (f)
        loop_fd_shut(&f->o);
}

static void
loop_signal_shut(struct loop_object *o)
{
    struct loop_signal *s = (struct loop_signal *)o;
    if (!uv_is_closing((uv_handle_t *)&s->uv))
        uv_close((uv_handle_t *)&s->uv, loop_free_data);
}

static void
loop_signal_fire(uv_signal_t *h, int signum)
{
    struct loop_signal *s = h->data;
    s->cb(s->ctx, signum);
}

struct loop_signal *
loop_signal_open(struct loop *l, int signum, void (*cb)(void *ctx, int signum), void *ctx)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct loop_signal){.o.close = loop_signal_shut, .cb = cb, .ctx = ctx};
    if (uv_signal_init(&l->uv, &s->uv)) {
        free(s);
        return NULL;
    }
    s->uv.data = s;
    if (uv_signal_start(&s->uv, loop_signal_fire, signum)) {
        loop_signal_shut(&s->o);
        return NULL;
    }
    return s;
}

void
loop_signal_close(struct loop_signal *s)
{
    if (s)
        loop_signal_shut(&s->o);
}
