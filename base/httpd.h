/* httpd: the HTTP server (libmicrohttpd, TLS by GnuTLS). Floors above export tables of routes.
 *
 * A route is a row {method, path, role, handler, help}. Path patterns: literal segments, "{name}"
 * for one segment, "{name*}" for the rest of the path, slashes kept, percent-decoded. The longest
 * literal match wins; a path with another method gives 405, none gives 404, both as JSON errors.
 * HEAD is GET without body. Handlers run on the server's threads (several at a time): they must be
 * thread-safe and may block for milliseconds. Bodies are read whole up to the route's ceiling (413
 * beyond); Content-Encoding gzip, deflate and zstd is undone within the same ceiling, snappy is the
 * handler's own business, any other gives 415. Answers are gzip- or zstd-compressed for clients
 * that accept it when text and over 1 KiB. */
#ifndef BASE_HTTPD_H
#define BASE_HTTPD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NONE: open to all. Viewer, operator and admin each may what the ones before may. AGENT stands
 * aside: its routes take agents, operators and admins (never viewers), and an agent may call no
 * other. */
enum role { ROLE_NONE, ROLE_AGENT, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };
bool role_may(enum role who, enum role need);
const char *role_word(enum role r);
int role_find(const char *word); /* ERR_NOTFOUND */

struct identity { /* who asks; filled by the authenticator */
    enum role role;
    char name[64];   /* user, token name, or node for an agent */
    char tenant[64]; /* "" : all tenants */
};

struct httpd_request {
    const char *method, *path; /* path percent-decoded */
    const char *body;          /* 0-terminated behind body_len */
    size_t body_len;
    const char *peer; /* "127.0.0.1" */
    struct identity who;
    bool tls;
    void *priv;
};
const char *httpd_param(const struct httpd_request *r,
                        const char *name); /* path pattern's; "" if none */
const char *httpd_query(const struct httpd_request *r,
                        const char *name); /* query or form body; NULL */
size_t httpd_query_all(const struct httpd_request *r, const char *name, const char **ret,
                       size_t size);
const char *httpd_header(const struct httpd_request *r, const char *name); /* NULL */
const char *httpd_cookie(const struct httpd_request *r, const char *name); /* NULL */
/* Query helpers with bounds: missing gives dflt; 0 or ERR_RANGE/ERR_SYNTAX (answer 400). */
int httpd_query_int(const struct httpd_request *r, const char *name, int64_t dflt, int64_t min,
                    int64_t max, int64_t *ret);
int httpd_query_time(const struct httpd_request *r, const char *name, int64_t dflt_ms,
                     int64_t *ret_ms);

struct httpd_stream; /* a server-sent event stream that stays open */

struct httpd_response {
    int status;               /* 200 unless set */
    const char *content_type; /* constant string; "application/json" unless set */
    struct buf body;          /* ceiling 256 MiB */
    struct buf headers;       /* "Name: value\n" lines */
    const char *static_body;  /* instead of body: memory that outlives the server */
    size_t static_len;
    bool static_gzip; /* static_body is gzip already */
    bool stream;      /* stays open: text/event-stream; feed with httpd_publish */
};
void httpd_reply_header(struct httpd_response *resp, const char *name, const char *value);
/* {"error":{"code":err_name,"message":...}} with the status that fits the code; returns 0. */
int httpd_reply_err(struct httpd_response *resp, const struct err *err);
int httpd_reply_fail(struct httpd_response *resp, int status, const char *code, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));

typedef int httpd_handler(void *ctx, const struct httpd_request *req, struct httpd_response *resp);
/* A handler returns 0 after filling resp, or a negative code (answered as that error). */

struct route {
    const char *method, *path;
    enum role role; /* least role that may call */
    httpd_handler *handler;
    const char *help;  /* one sentence, for the API reference */
    size_t body_max;   /* 0: 1 MiB */
    const char *query; /* "name=what; name=what": parameters, for the reference */
};

struct httpd_auth { /* fills who; 0, ERR_DENIED (401), ERR_BUSY (429), ERR_USAGE (403: the cookie's
                       header) */
    int (*check)(void *ctx, const struct httpd_request *req, struct identity *ret_who);
    void *ctx;
};

struct httpd_config {
    const char *listen;             /* "127.0.0.1:8686", "[::]:8686"; port 0 takes a free one */
    int listen_fd;                  /* >= 0: a socket handed over (socket activation); else -1 */
    const char *tls_cert, *tls_key; /* PEM files, NULL: plain */
    unsigned threads;               /* 0: 4 */
    unsigned connections_max;       /* 0: 4,096 */
    bool loopback_hosts_only;       /* refuse a Host header that is not loopback (auth: none) */
    struct httpd_auth auth;         /* check NULL: all are admin */
    httpd_handler *fallback;        /* GET paths that no route has (the UI); may be NULL */
    void *fallback_ctx;
};

struct httpd;
struct httpd *httpd_new(const struct httpd_config *cfg);
/* Tables are kept by reference. ctx goes to their handlers. */
int httpd_routes(struct httpd *s, const struct route *rows, size_t count, void *ctx);
int httpd_start(struct httpd *s, struct err *err);
unsigned httpd_port(const struct httpd *s);
void httpd_stop(struct httpd *s); /* refuses new requests, ends streams, waits for handlers */
void httpd_free(struct httpd *s);
/* Sends one server-sent event ("id: ID\nevent: NAME\ndata: JSON\n\n") to every open stream whose
 * identity passes (tenant "" = all may see). The last 1,000 are kept (512 KiB at the most): a
 * client that comes again with Last-Event-ID gets what it missed, else the event "reset". Streams
 * that cannot keep up (1 MiB waiting) are closed. Thread-safe. */
void httpd_publish(struct httpd *s, const char *event, const char *json, const char *tenant);
/* Iterates over all routes of all tables, for the API reference. */
size_t httpd_route_count(const struct httpd *s);
const struct route *httpd_route_at(const struct httpd *s, size_t i);
/* Counters: requests by status class, bytes, refused; written as exposition text. */
void httpd_metrics(const struct httpd *s, struct buf *out);

#endif
