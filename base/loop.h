/* loop: one event loop a thread (libuv): timers, UDP, TCP, descriptors, wake-ups, signals, child
 * processes.
 *
 * All calls but loop_wake and loop_stop are made on the loop's own thread (or before it runs).
 * Handles close with their _close function, which may be called in a callback; memory goes at the
 * next turn. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop *loop_new(void);
void loop_run(struct loop *l);  /* until loop_stop, or nothing is left */
void loop_stop(struct loop *l); /* thread-safe */
void loop_free(struct loop *l); /* closes all handles */

struct loop_timer;
struct loop_timer *loop_timer_open(struct loop *l, void (*cb)(void *ctx), void *ctx);
void loop_timer_set(struct loop_timer *t, int64_t after_ms,
                    int64_t repeat_ms); /* after < 0: stop */
void loop_timer_close(struct loop_timer *t);

struct loop_wake; /* wakes the loop from another thread; wake-ups merge */
struct loop_wake *loop_wake_open(struct loop *l, void (*cb)(void *ctx), void *ctx);
void loop_wake(struct loop_wake *w); /* thread-safe, async-signal-safe */
void loop_wake_close(struct loop_wake *w);

struct loop_fd; /* readiness of a descriptor that a library owns */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_fd *loop_fd_open(struct loop *l, int fd, void (*cb)(void *ctx, int events), void *ctx);
void loop_fd_set(struct loop_fd *f, int events);
void loop_fd_close(struct loop_fd *f);

struct loop_udp;
typedef void loop_datagram(void *ctx, const char *data, size_t len, const char *peer);
int loop_udp_open(struct loop *l, const char *listen, loop_datagram *cb, void *ctx,
                  struct loop_udp **ret, struct err *err);
unsigned loop_udp_port(const struct loop_udp *u);
void loop_udp_close(struct loop_udp *u);

struct loop_tcp; /* a listener; connections call back with data */
struct loop_conn;
struct loop_tcp_handler {
    void *(*opened)(void *ctx, struct loop_conn *c,
                    const char *peer); /* returns the connection's own ctx; NULL refuses */
    void (*data)(void *conn_ctx, struct loop_conn *c, const char *data, size_t len);
    void (*closed)(void *conn_ctx); /* exactly once for each opened */
    size_t connections_max;         /* more are closed at once */
    int64_t idle_ms;                /* 0: never */
};
int loop_tcp_open(struct loop *l, const char *listen, const struct loop_tcp_handler *h, void *ctx,
                  struct loop_tcp **ret, struct err *err);
unsigned loop_tcp_port(const struct loop_tcp *t);
void loop_tcp_close(struct loop_tcp *t); /* and its connections */
int loop_conn_write(struct loop_conn *c, const void *data,
                    size_t len); /* copies; ERR_FULL over 1 MiB waiting */
void loop_conn_close(struct loop_conn *c);

struct loop_signal;
struct loop_signal *loop_signal_open(struct loop *l, int signum, void (*cb)(void *ctx, int signum),
                                     void *ctx);
void loop_signal_close(struct loop_signal *s);

/* Runs argv (no shell) with `in` on its standard input; collects standard output and error up to
 * max_out; kills it after timeout_ms. cb once. */
typedef void loop_exited(void *ctx, int status, int term_signal, bool timed_out,
                         const struct buf *out, const struct buf *errout);
int loop_spawn(struct loop *l, const char *const *argv, const char *in, size_t in_len,
               int64_t timeout_ms, size_t max_out, loop_exited *cb, void *ctx, struct err *err);

/* "host:port", "[v6]:port", ":port", "host" is not accepted. host out 0-terminated. 0 or
 * ERR_SYNTAX. */
int loop_address_split(const char *text, char host[64], unsigned *ret_port);

#endif
