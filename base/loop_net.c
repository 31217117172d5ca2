/* loop_net: UDP and TCP listeners. Syslog of some ten thousand lines a second, traps in bursts:
 * datagrams are taken several a system call, into a large socket buffer; what the kernel drops it
 * counts itself.
 *
 * Always true: `closed` is called in the turn after a connection's end, so that it never runs
 * inside `data` of the same connection; a connection outlives its listener's memory, not its
 * listener's close. */
#include "base/loop_in.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libuv cuts the buffer into pieces of 64 KiB and fills as many in one call. */
#define LOOP_UDP_PIECES        8
#define LOOP_UDP_SOCKET_BUFFER (4 << 20)

struct loop_udp {
    struct loop_object o;
    uv_udp_t uv;
    loop_datagram *cb;
    void *ctx;
    char buffer[LOOP_UDP_PIECES * 65536];
};

struct loop_tcp {
    struct loop_object o;
    uv_tcp_t uv;
    struct loop *l;
    struct loop_tcp_handler h;
    void *ctx;
    struct loop_conn *conns;
    size_t count;
};

struct loop_conn {
    struct loop_object o;
    uv_tcp_t uv;
    uv_timer_t idle;
    struct loop_tcp *tcp; /* NULL once the listener is closed */
    struct loop_conn *next, **self;
    struct loop_tcp_handler h;
    void *ctx;     /* NULL: never opened */
    unsigned open; /* handles that have not closed */
};

struct loop_write {
    uv_write_t uv;
    char data[];
};

void
loop_peer_text(const struct sockaddr *sa, char *out, size_t size)
{
    *out = 0;
    if (!sa)
        return;
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, out, (socklen_t)size);
    else if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, out, (socklen_t)size);
    if (!strncmp(out, "::ffff:", 7) && strchr(out, '.'))
        memmove(out, out + 7, strlen(out + 7) + 1);
}

static int
loop_net_resolve(const char *listen, int socktype, struct sockaddr_storage *ret, struct err *err)
{
    char host[64], service[8];
    unsigned port;
    if (loop_address_split(listen, host, &port))
        return err_set(err, ERR_SYNTAX, "listen address %s is not host:port", listen);
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = socktype, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *ai;
    int rc = getaddrinfo(*host ? host : "::", service, &hints, &ai);
    if (rc)
        return err_set(err, ERR_NOTFOUND, "listen address %s: %s", listen, gai_strerror(rc));
    memcpy(ret, ai->ai_addr, ai->ai_addrlen);
    freeaddrinfo(ai);
    return 0;
}

static unsigned
loop_net_port(const struct sockaddr_storage *ss)
{
    return ntohs(ss->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)ss)->sin6_port
                                           : ((const struct sockaddr_in *)ss)->sin_port);
}

static void
loop_net_free(uv_handle_t *h)
{
    free(h->data);
}

static void
loop_udp_shut(struct loop_object *o)
{
    struct loop_udp *u = (struct loop_udp *)o;
    if (!uv_is_closing((uv_handle_t *)&u->uv))
        uv_close((uv_handle_t *)&u->uv, loop_net_free);
}

static void
loop_udp_room(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    (void)hint;
    struct loop_udp *u = h->data;
    *ret = uv_buf_init(u->buffer, sizeof u->buffer);
}

static void
loop_udp_read(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *sa, unsigned flags)
{
    (void)flags;
    struct loop_udp *u = h->data;
    char peer[64];
    if (n < 0 || !sa)
        return;
    loop_peer_text(sa, peer, sizeof peer);
    u->cb(u->ctx, b->base, (size_t)n, peer);
}

int
loop_udp_open(struct loop *l, const char *listen, loop_datagram *cb, void *ctx,
              struct loop_udp **ret, struct err *err)
{
    struct sockaddr_storage ss = {0};
    int rc = loop_net_resolve(listen, SOCK_DGRAM, &ss, err);
    if (rc)
        return rc;
    struct loop_udp *u = calloc(1, sizeof *u);
    if (!u)
        return err_set(err, ERR_NOMEM, "out of memory");
    u->o.close = loop_udp_shut;
    u->cb = cb;
    u->ctx = ctx;
    rc = uv_udp_init_ex(&l->uv, &u->uv, UV_UDP_RECVMMSG);
    if (rc) {
        free(u);
        return loop_err(err, rc, "cannot open", listen);
    }
    u->uv.data = u;
    rc = uv_udp_bind(&u->uv, (struct sockaddr *)&ss, 0);
    if (!rc) {
        int size = LOOP_UDP_SOCKET_BUFFER; /* as much of it as the system allows */
        uv_recv_buffer_size((uv_handle_t *)&u->uv, &size);
        rc = uv_udp_recv_start(&u->uv, loop_udp_room, loop_udp_read);
    }
    if (rc) {
        loop_udp_shut(&u->o);
        return loop_err(err, rc, "cannot listen on udp", listen);
    }
    *ret = u;
    return 0;
}

unsigned
loop_udp_port(const struct loop_udp *u)
{
    struct sockaddr_storage ss = {0};
    int len = sizeof ss;
    return uv_udp_getsockname(&u->uv, (struct sockaddr *)&ss, &len) ? 0 : loop_net_port(&ss);
}

void
loop_udp_close(struct loop_udp *u)
{
    if (u)
        loop_udp_shut(&u->o);
}

static void
loop_conn_gone(uv_handle_t *h)
{
    struct loop_conn *c = h->data;
    if (--c->open)
        return;
    if (c->ctx && c->h.closed)
        c->h.closed(c->ctx);
    free(c);
}

static void
loop_conn_shut(struct loop_object *o)
{
    struct loop_conn *c = (struct loop_conn *)o;
    if (uv_is_closing((uv_handle_t *)&c->uv))
        return;
    if (c->tcp) {
        *c->self = c->next;
        if (c->next)
            c->next->self = c->self;
        c->tcp->count--;
        c->tcp = NULL;
    }
    uv_close((uv_handle_t *)&c->uv, loop_conn_gone);
    uv_close((uv_handle_t *)&c->idle, loop_conn_gone);
}

void
loop_conn_close(struct loop_conn *c)
{
    if (c)
        loop_conn_shut(&c->o);
}

static void
loop_conn_idle(uv_timer_t *t)
{
    loop_conn_shut(t->data);
}

static void
loop_conn_room(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    (void)hint;
    struct loop *l = h->loop->data;
    *ret = uv_buf_init(l->scratch, sizeof l->scratch);
}

static void
loop_conn_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
    struct loop_conn *c = h->data;
    if (n < 0) {
        loop_conn_shut(&c->o);
        return;
    }
    if (!n)
        return;
    if (c->h.idle_ms > 0)
        uv_timer_again(&c->idle);
    c->h.data(c->ctx, c, b->base, (size_t)n);
}

static void
loop_tcp_accept(uv_stream_t *server, int status)
{
    struct loop_tcp *t = server->data;
    struct loop_conn *c = status < 0 ? NULL : calloc(1, sizeof *c);
    if (!c)
        return;
    c->o.close = loop_conn_shut;
    c->h = t->h;
    c->tcp = t;
    c->self = &t->conns;
    c->next = t->conns;
    if (c->next)
        c->next->self = &c->next;
    t->conns = c;
    t->count++;
    c->open = 2;
    uv_tcp_init(server->loop, &c->uv);
    uv_timer_init(server->loop, &c->idle);
    c->uv.data = c->idle.data = c;
    size_t max = t->h.connections_max ? t->h.connections_max : LOOP_LISTENER_CONNECTIONS;
    if (uv_accept(server, (uv_stream_t *)&c->uv) || t->count > max) {
        loop_conn_shut(&c->o);
        return;
    }
    struct sockaddr_storage ss = {0};
    int len = sizeof ss;
    char peer[64] = "";
    if (!uv_tcp_getpeername(&c->uv, (struct sockaddr *)&ss, &len))
        loop_peer_text((struct sockaddr *)&ss, peer, sizeof peer);
    uv_tcp_keepalive(&c->uv, 1, 60);
    c->ctx = t->h.opened(t->ctx, c, peer);
    if (!c->ctx || uv_is_closing((uv_handle_t *)&c->uv)) {
        loop_conn_shut(&c->o);
        return;
    }
    if (c->h.idle_ms > 0)
        uv_timer_start(&c->idle, loop_conn_idle, (uint64_t)c->h.idle_ms, (uint64_t)c->h.idle_ms);
    uv_read_start((uv_stream_t *)&c->uv, loop_conn_room, loop_conn_read);
}

static void
loop_tcp_shut(struct loop_object *o)
{
    struct loop_tcp *t = (struct loop_tcp *)o;
    if (uv_is_closing((uv_handle_t *)&t->uv))
        return;
    while (t->conns)
        loop_conn_shut(&t->conns->o);
    uv_close((uv_handle_t *)&t->uv, loop_net_free);
}

int
loop_tcp_open(struct loop *l, const char *listen, const struct loop_tcp_handler *h, void *ctx,
              struct loop_tcp **ret, struct err *err)
{
    struct sockaddr_storage ss = {0};
    int rc = loop_net_resolve(listen, SOCK_STREAM, &ss, err);
    if (rc)
        return rc;
    struct loop_tcp *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "out of memory");
    *t = (struct loop_tcp){.o.close = loop_tcp_shut, .l = l, .h = *h, .ctx = ctx};
    uv_tcp_init(&l->uv, &t->uv);
    t->uv.data = t;
    rc = uv_tcp_bind(&t->uv, (struct sockaddr *)&ss, 0);
    if (!rc)
        rc = uv_listen((uv_stream_t *)&t->uv, 512, loop_tcp_accept);
    if (rc) {
        loop_tcp_shut(&t->o);
        return loop_err(err, rc, "cannot listen on tcp", listen);
    }
    *ret = t;
    return 0;
}

unsigned
loop_tcp_port(const struct loop_tcp *t)
{
    struct sockaddr_storage ss = {0};
    int len = sizeof ss;
    return uv_tcp_getsockname(&t->uv, (struct sockaddr *)&ss, &len) ? 0 : loop_net_port(&ss);
}

void
loop_tcp_close(struct loop_tcp *t)
{
    if (t)
        loop_tcp_shut(&t->o);
}

static void
loop_conn_wrote(uv_write_t *w, int status)
{
    struct loop_conn *c = w->handle->data;
    free(w);
    if (status < 0)
        loop_conn_shut(&c->o);
}

int
loop_conn_write(struct loop_conn *c, const void *data, size_t len)
{
    uv_stream_t *s = (uv_stream_t *)&c->uv;
    if (uv_is_closing((uv_handle_t *)s))
        return ERR_CLOSED;
    size_t waiting = uv_stream_get_write_queue_size(s);
    if (len > LOOP_WRITE_MAX || waiting > LOOP_WRITE_MAX - len)
        return ERR_FULL;
    uv_buf_t b = uv_buf_init((char *)data, (unsigned)len);
    int done = waiting ? 0 : uv_try_write(s, &b, 1);
    size_t sent = done > 0 ? (size_t)done : 0;
    if (sent == len)
        return 0;
    struct loop_write *w = malloc(sizeof *w + len - sent);
    if (!w)
        return ERR_NOMEM;
    memcpy(w->data, (const char *)data + sent, len - sent);
    b = uv_buf_init(w->data, (unsigned)(len - sent));
    if (!uv_write(&w->uv, s, &b, 1, loop_conn_wrote))
        return 0;
    free(w);
    return ERR_CLOSED;
}
