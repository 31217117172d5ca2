/* httpd: the server's life, and libmicrohttpd's callbacks.
 *
 * Load: some thousand kept-alive connections of agents, one batch every 15 s each; remote_write of
 * tens of MB/s; some hundred browsers. A pool of threads, each with its own epoll set; a handler
 * runs on the thread that read its request. Always true: `running` counts exchanges between first
 * line and end, so that a stop waits for what is under way; nothing is global, several servers live
 * in one process. */
#include "base/httpd_in.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Read buffer and headers of one connection: the largest target and cookies, and pieces of a body.
 */
#define HTTPD_CONNECTION_MEMORY (128u << 10)
/* What a refused request may still send, and is read to its end: closing before that resets the
 * connection, and its client sees a broken pipe instead of the reason. Discarding is cheap; more
 * than this is cut off. */
#define HTTPD_DRAIN_MAX (64u << 20)

static const char *const httpd_refused_words[HTTPD_REFUSED_COUNT] = {
    "host", "auth", "role", "size", "syntax", "streams", "stopping", "slow",
};

struct httpd *
httpd_new(const struct httpd_config *cfg)
{
    struct httpd *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->cfg = *cfg;
    s->fd = -1;
    s->listen = cfg->listen ? strdup(cfg->listen) : NULL;
    s->cert_path = cfg->tls_cert ? strdup(cfg->tls_cert) : NULL;
    s->key_path = cfg->tls_key ? strdup(cfg->tls_key) : NULL;
    s->cfg.listen = s->listen;
    s->cfg.tls_cert = s->cert_path;
    s->cfg.tls_key = s->key_path;
    buf_init(&s->cert, 1u << 20);
    buf_init(&s->key, 1u << 20);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

int
httpd_routes(struct httpd *s, const struct route *rows, size_t count, void *ctx)
{
    return s->daemon ? ERR_STATE : httpd_table_add(&s->table, rows, count, ctx);
}

size_t
httpd_route_count(const struct httpd *s)
{
    return s->table.count;
}

const struct route *
httpd_route_at(const struct httpd *s, size_t i)
{
    return i < s->table.count ? s->table.order[i] : NULL;
}

unsigned
httpd_port(const struct httpd *s)
{
    return s->port;
}

/* First of libmicrohttpd's calls for a request: its first line is read. */
static void *
httpd_on_target(void *ctx, const char *target, struct MHD_Connection *conn)
{
    struct httpd *s = ctx;
    struct httpd_exchange *x = calloc(1, sizeof *x);
    if (!x || !(x->target = strdup(target))) {
        free(x);
        return NULL;
    }
    x->s = s;
    x->conn = conn;
    x->req.priv = x;
    x->resp = (struct httpd_response){0};
    buf_init(&x->resp.body, HTTPD_ANSWER_MAX);
    buf_init(&x->resp.headers, 64u << 10);
    pthread_mutex_lock(&s->lock);
    s->running++;
    pthread_mutex_unlock(&s->lock);
    return x;
}

/* Last of its calls: the answer is sent, or the connection is gone. */
static void
httpd_on_end(void *ctx, struct MHD_Connection *conn, void **slot,
             enum MHD_RequestTerminationCode why)
{
    (void)conn;
    struct httpd *s = ctx;
    struct httpd_exchange *x = *slot;
    if (!x)
        return;
    *slot = NULL;
    if (why == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        atomic_fetch_add(&s->refused[HTTPD_REFUSED_SLOW], 1);
    free(x->target);
    free(x->path);
    free(x->param_text);
    httpd_pairs_done(&x->pairs);
    buf_done(&x->body);
    buf_done(&x->resp.body);
    buf_done(&x->resp.headers);
    free(x);
    pthread_mutex_lock(&s->lock);
    s->running--;
    if (s->stopping) /* who waits else is the heart, which no exchange concerns */
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void
httpd_fill_peer(struct httpd_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info ? info->client_addr : NULL;
    x->req.peer = x->peer;
    if (!sa)
        return;
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, x->peer, sizeof x->peer);
    else if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, x->peer, sizeof x->peer);
    if (!strncmp(x->peer, "::ffff:", 7) && strchr(x->peer, '.'))
        memmove(x->peer, x->peer + 7, strlen(x->peer + 7) + 1);
}

/* The headers are read: decide. A refusal of a large body is answered at once, without reading it.
 */
static enum MHD_Result
httpd_begin(struct httpd_exchange *x, const char *method)
{
    struct httpd *s = x->s;
    x->begun = true;
    x->req.method = method;
    x->req.tls = s->cfg.tls_cert != NULL;
    httpd_fill_peer(x);
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    if (stopping) {
        httpd_refuse(x, HTTPD_REFUSED_STOPPING);
        httpd_reply_fail(&x->resp, 503, "closed", "the server is stopping");
        httpd_reply_header(&x->resp, "Retry-After", "5");
        httpd_reply_header(&x->resp, "Connection", "close");
    } else {
        httpd_gate(x);
    }
    if (!x->refused)
        return MHD_YES;
    const char *len = httpd_header(&x->req, "Content-Length");
    if (httpd_header(&x->req, "Expect") || (len && strtoull(len, NULL, 10) > HTTPD_DRAIN_MAX))
        return httpd_send(x);
    return MHD_YES;
}

static enum MHD_Result
httpd_take_body(struct httpd_exchange *x, const char *data, size_t len)
{
    atomic_fetch_add(&x->s->bytes_in, len);
    if (!x->refused && buf_append(&x->body, data, len)) {
        httpd_refuse(x, HTTPD_REFUSED_SIZE);
        httpd_reply_fail(&x->resp, 413, "limit", "the body is over %zu bytes", x->body_max);
    }
    if (!x->refused)
        return MHD_YES;
    x->drained += len;
    return x->drained > HTTPD_DRAIN_MAX ? MHD_NO : MHD_YES;
}

static void
httpd_handle(struct httpd_exchange *x)
{
    struct httpd *s = x->s;
    const struct httpd_row *row = x->found.row;
    int64_t begin = clock_mono_us();
    x->req.body = buf_str(&x->body);
    x->req.body_len = x->body.len;
    int rc = row ? row->route->handler(row->ctx, &x->req, &x->resp)
                 : s->cfg.fallback(s->cfg.fallback_ctx, &x->req, &x->resp);
    if (rc < 0) {
        struct err err = {.code = rc};
        httpd_reply_err(&x->resp, &err);
    }
    atomic_fetch_add(&s->handler_us, (uint64_t)(clock_mono_us() - begin));
}

static enum MHD_Result
httpd_on_request(void *ctx, struct MHD_Connection *conn, const char *url, const char *method,
                 const char *version, const char *data, size_t *size, void **slot)
{
    (void)ctx, (void)conn, (void)url, (void)version;
    struct httpd_exchange *x = *slot;
    if (!x)
        return MHD_NO;
    if (!x->begun)
        return httpd_begin(x, method);
    if (*size) {
        size_t len = *size;
        *size = 0;
        return httpd_take_body(x, data, len);
    }
    if (!x->refused)
        httpd_body_finish(x);
    if (!x->refused)
        httpd_handle(x);
    return httpd_send(x);
}

/* Escapes stay as they are: a route's pattern is matched before they are decoded. */
static size_t
httpd_on_unescape(void *ctx, struct MHD_Connection *conn, char *text)
{
    (void)ctx, (void)conn;
    return strlen(text);
}

static void
httpd_on_text(void *ctx, const char *fmt, va_list ap)
{
    struct httpd *s = ctx;
    if (!s->daemon)
        vsnprintf(s->mhd_text, sizeof s->mhd_text, fmt, ap);
}

static int
httpd_bind(const struct addrinfo *ai)
{
    int one = 1, zero = 0;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (!bind(fd, ai->ai_addr, ai->ai_addrlen) && !listen(fd, 1024))
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

static int
httpd_listen(struct httpd *s, struct err *err)
{
    char host[64], service[8];
    unsigned port;
    if (!s->listen || loop_address_split(s->listen, host, &port))
        return err_set(err, ERR_SYNTAX, "listen address %s is not host:port",
                       s->listen ? s->listen : "");
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *ai;
    int rc = getaddrinfo(*host ? host : "::", service, &hints, &ai);
    if (rc)
        return err_set(err, ERR_NOTFOUND, "listen address %s: %s", s->listen, gai_strerror(rc));
    s->fd = httpd_bind(ai);
    if (s->fd < 0 && !*host) { /* a kernel without IPv6 */
        freeaddrinfo(ai);
        if (getaddrinfo("0.0.0.0", service, &hints, &ai))
            return err_set(err, ERR_NOTFOUND, "listen address %s", s->listen);
        s->fd = httpd_bind(ai);
    }
    rc = s->fd < 0 ? err_set_errno(err, "cannot listen on %s", s->listen) : 0;
    freeaddrinfo(ai);
    return rc;
}

static int
httpd_open_socket(struct httpd *s, struct err *err)
{
    if (s->cfg.listen_fd >= 0) {
        s->fd = s->cfg.listen_fd;
        fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
    } else {
        int rc = httpd_listen(s, err);
        if (rc)
            return rc;
    }
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss;
    if (getsockname(s->fd, (struct sockaddr *)&ss, &len))
        return err_set_errno(err, "the socket handed over");
    s->port = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                             : ((struct sockaddr_in *)&ss)->sin_port);
    return 0;
}

static int
httpd_read_pem(const char *path, struct buf *ret, struct err *err)
{
    int rc = file_read(path, 1u << 20, ret, err);
    return rc < 0 ? rc : 0;
}

static int
httpd_start_daemon(struct httpd *s, struct err *err)
{
    unsigned threads = s->cfg.threads ? s->cfg.threads : 4;
    unsigned most = s->cfg.connections_max ? s->cfg.connections_max : 4096;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem opt[16];
    size_t n = 0;
    opt[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, s->fd, NULL};
    opt[n++] =
        (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, most < threads ? threads : most, NULL};
    opt[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, HTTPD_TIMEOUT_S, NULL};
    opt[n++] =
        (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTPD_CONNECTION_MEMORY, NULL};
    opt[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    opt[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)httpd_on_end, s};
    opt[n++] = (struct MHD_OptionItem){MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)httpd_on_target, s};
    opt[n++] =
        (struct MHD_OptionItem){MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)httpd_on_unescape, s};
    if (threads > 1)
        opt[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, threads, NULL};
    if (s->cfg.tls_cert) {
        flags |= MHD_USE_TLS;
        opt[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert.data};
        opt[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->key.data};
        opt[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                           "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
    }
    opt[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    s->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, httpd_on_request, s, MHD_OPTION_EXTERNAL_LOGGER,
                         httpd_on_text, s, MHD_OPTION_ARRAY, opt, MHD_OPTION_END);
    if (!s->daemon)
        return err_set(err, ERR_IO, "cannot start the HTTP server: %s",
                       *s->mhd_text ? s->mhd_text : strerror(errno));
    return 0;
}

static void *
httpd_heart(void *ctx)
{
    struct httpd *s = ctx;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += HTTPD_HEARTBEAT_S;
        int rc = 0;
        while (!s->stopping && !rc)
            rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
        if (s->stopping)
            break;
        pthread_mutex_unlock(&s->lock);
        httpd_streams_beat(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int
httpd_start(struct httpd *s, struct err *err)
{
    if (s->daemon || s->stopping)
        return err_set(err, ERR_STATE, "the HTTP server was started before");
    int rc = 0;
    if (s->cfg.tls_cert && !s->cfg.tls_key)
        rc = err_set(err, ERR_USAGE, "TLS needs a certificate and its key");
    if (!rc && s->cfg.tls_cert)
        rc = httpd_read_pem(s->cfg.tls_cert, &s->cert, err);
    if (!rc && s->cfg.tls_cert)
        rc = httpd_read_pem(s->cfg.tls_key, &s->key, err);
    if (!rc)
        rc = httpd_open_socket(s, err);
    if (!rc)
        rc = httpd_start_daemon(s, err);
    if (rc) {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        return rc;
    }
    s->beating = !pthread_create(&s->heart, NULL, httpd_heart, s);
    return 0;
}

void
httpd_stop(struct httpd *s)
{
    if (!s || !s->daemon)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    MHD_socket fd = MHD_quiesce_daemon(s->daemon);
    httpd_streams_end(s);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HTTPD_STOP_S;
    pthread_mutex_lock(&s->lock);
    for (int rc = 0; s->running && !rc;)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    if (s->beating)
        pthread_join(s->heart, NULL);
    MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    s->fd = -1;
}

void
httpd_free(struct httpd *s)
{
    if (!s)
        return;
    httpd_stop(s);
    httpd_table_done(&s->table);
    httpd_past_done(&s->past);
    buf_done(&s->cert);
    buf_done(&s->key);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->listen);
    free(s->cert_path);
    free(s->key_path);
    free(s);
}

static void
httpd_metric(struct buf *out, const char *name, const char *kind, const char *help, uint64_t value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, kind, name,
               (unsigned long long)value);
}

void
httpd_metrics(const struct httpd *cs, struct buf *out)
{
    struct httpd *s = (struct httpd *)cs; /* the lock is no part of what const promises */
    pthread_mutex_lock(&s->lock);
    size_t streams = s->stream_count, running = s->running;
    pthread_mutex_unlock(&s->lock);
    buf_puts(out, "# HELP myriascope_http_requests_total Requests answered, by class of status.\n"
                  "# TYPE myriascope_http_requests_total counter\n");
    for (int i = 1; i < 6; i++)
        buf_printf(out, "myriascope_http_requests_total{code=\"%dxx\"} %llu\n", i,
                   (unsigned long long)atomic_load(&s->by_class[i]));
    buf_puts(out,
             "# HELP myriascope_http_refused_total Requests refused before a handler, by reason.\n"
             "# TYPE myriascope_http_refused_total counter\n");
    for (int i = 0; i < HTTPD_REFUSED_COUNT; i++)
        buf_printf(out, "myriascope_http_refused_total{reason=\"%s\"} %llu\n",
                   httpd_refused_words[i], (unsigned long long)atomic_load(&s->refused[i]));
    httpd_metric(out, "myriascope_http_request_bytes_total", "counter", "Bytes of request bodies.",
                 atomic_load(&s->bytes_in));
    httpd_metric(out, "myriascope_http_response_bytes_total", "counter",
                 "Bytes of answers, packed.", atomic_load(&s->bytes_out));
    httpd_metric(out, "myriascope_http_events_total", "counter", "Server-sent events published.",
                 atomic_load(&s->events));
    httpd_metric(out, "myriascope_http_running", "gauge", "Requests under way.", running);
    httpd_metric(out, "myriascope_http_streams", "gauge", "Server-sent event streams open.",
                 streams);
    buf_printf(out,
               "# HELP myriascope_http_handler_seconds_total Time spent in handlers.\n"
               "# TYPE myriascope_http_handler_seconds_total counter\n"
               "myriascope_http_handler_seconds_total %.6f\n",
               (double)atomic_load(&s->handler_us) / 1e6);
}
