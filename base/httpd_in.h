/* httpd_in: what the files of httpd share among themselves. Floors above include base/httpd.h only.
 *
 * httpd.c         the server's life: socket, TLS, threads, stop; libmicrohttpd's callbacks
 * httpd_route.c   path patterns: which row answers
 * httpd_query.c   what a request says: percent encoding, parameters, headers, times
 * httpd_gate.c    who may ask: Host, cross-site writes, authentication, ceilings
 * httpd_reply.c   answers: errors, headers, compression
 * httpd_stream.c  server-sent events */
#ifndef BASE_HTTPD_IN_H
#define BASE_HTTPD_IN_H

#include "base/httpd.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTPD_BODY_DEFAULT (1u << 20)
#define HTTPD_ANSWER_MAX   (256u << 20)
#define HTTPD_PAIRS_MAX    4096 /* parameters of a request, query and form together */
#define HTTPD_SEGMENTS_MAX 16   /* of a pattern */
#define HTTPD_PARAMS_MAX   4    /* of a pattern */
#define HTTPD_ROUTES_MAX   1024
#define HTTPD_STREAMS_MAX  1024
#define HTTPD_STREAM_QUEUE (1u << 20)
#define HTTPD_PAST_EVENTS  1000              /* kept for a stream that comes again */
#define HTTPD_PAST_BYTES   ((size_t)1 << 19) /* of them all: half a stream's queue */
#define HTTPD_TIMEOUT_S                                                                            \
    30 /* a connection that neither sends nor takes a byte for so long is closed */
#define HTTPD_HEARTBEAT_S   15 /* a comment on every stream, so that proxies keep it open */
#define HTTPD_STOP_S        5  /* answers under way get so long at a stop */
#define HTTPD_COMPRESS_FROM 1024

/* Parameters in order of appearance. Names and values point into `text`, which is owned. */
struct httpd_pairs {
    struct httpd_pair {
        const char *name, *value;
    } * at;
    size_t count, cap;
    char *text[2]; /* query, form */
};
/* Decodes "a=1&b=%20x+y" in place and appends; 0, ERR_SYNTAX (a broken %XX, %00), ERR_LIMIT,
 * ERR_NOMEM. */
int httpd_pairs_parse(struct httpd_pairs *p, char *text);
void httpd_pairs_done(struct httpd_pairs *p);
/* Decodes %XX in place; plus: '+' is a space. The new length, or ERR_SYNTAX. */
int64_t httpd_percent_decode(char *text, bool plus);

/* A row with its pattern taken apart. */
struct httpd_row {
    const struct route *route;
    void *ctx;
    struct httpd_segment {
        const char *text; /* literal, or the parameter's name */
        size_t len;
        bool param, rest;
    } seg[HTTPD_SEGMENTS_MAX];
    unsigned count;
    unsigned literal; /* bytes of literal segments: the longest wins */
};
struct httpd_table {
    struct httpd_row *rows; /* sorted, most literal first */
    size_t count, cap;
    const struct route **order; /* as the tables gave them */
};
/* A path's parameters as found by a pattern; values are raw, into the path that was matched. */
struct httpd_found {
    const struct httpd_row *row; /* NULL: no route has this path with this method */
    bool path_known;             /* another method has it */
    bool first_known;            /* some route begins with the path's first segment */
    enum role least;             /* of the rows that have this path */
    struct {
        const char *name, *raw;
        size_t name_len, raw_len;
    } param[HTTPD_PARAMS_MAX];
    unsigned params;
};
int httpd_table_add(struct httpd_table *t, const struct route *rows, size_t count, void *ctx);
void httpd_table_find(const struct httpd_table *t, const char *method, const char *path,
                      struct httpd_found *ret_found);
/* "GET, HEAD, POST, OPTIONS": methods of a path, for Allow. */
void httpd_table_allow(const struct httpd_table *t, const char *path, struct buf *out);
void httpd_table_done(struct httpd_table *t);

/* The last events, oldest first, for streams that come again after a break. */
struct httpd_past {
    struct httpd_past_event {
        char *text; /* with its "id:" line */
        size_t len;
        char tenant[64];
    } at[HTTPD_PAST_EVENTS]; /* event n at n modulo the size */
    uint64_t epoch;          /* of this server's life: numbers of another mean nothing */
    uint64_t first, next;    /* numbers kept: first <= n < next */
    size_t bytes;
};

enum httpd_counter {
    HTTPD_REFUSED_HOST,
    HTTPD_REFUSED_AUTH,
    HTTPD_REFUSED_ROLE,
    HTTPD_REFUSED_SIZE,
    HTTPD_REFUSED_SYNTAX,
    HTTPD_REFUSED_STREAMS,
    HTTPD_REFUSED_STOPPING,
    HTTPD_REFUSED_SLOW,
    HTTPD_REFUSED_COUNT
};

struct httpd {
    struct httpd_config cfg; /* strings owned */
    char *listen, *cert_path, *key_path;
    struct httpd_table table;
    struct MHD_Daemon *daemon;
    struct buf cert, key;
    char mhd_text[256]; /* what libmicrohttpd said while starting */
    int fd;
    unsigned port;
    bool beating;
    pthread_t heart;
    pthread_mutex_t lock; /* guards what follows, up to the counters */
    pthread_cond_t changed;
    bool stopping;
    unsigned running; /* requests between their first line and the end of their answer */
    struct httpd_stream *streams;
    size_t stream_count;
    struct httpd_past past;
    atomic_uint_fast64_t by_class[6]; /* [2]: 2xx */
    atomic_uint_fast64_t refused[HTTPD_REFUSED_COUNT];
    atomic_uint_fast64_t bytes_in, bytes_out, events, handler_us;
};

/* One request, from its first line to the end of its answer. */
struct httpd_exchange {
    struct httpd_request req; /* priv points back here */
    struct httpd *s;
    struct MHD_Connection *conn;
    char *target;     /* as sent, cut at '?' */
    char *path;       /* decoded */
    char *param_text; /* decoded values of param, each 0-terminated */
    const char *param[HTTPD_PARAMS_MAX];
    struct httpd_found found;
    struct httpd_pairs pairs;
    char peer[64];
    struct buf body;
    size_t body_max, drained;
    bool begun, refused;
    bool fallback;
    struct httpd_response resp;
};

/* Decides before the body is read; a refusal is left in x->resp and x->refused. */
void httpd_gate(struct httpd_exchange *x);
/* Marks the exchange as refused and counts it. */
void httpd_refuse(struct httpd_exchange *x, enum httpd_counter why);
bool httpd_host_is_loopback(const char *host); /* the Host header: "localhost:80", "[::1]" */
/* Undoes Content-Encoding and reads a form body; refuses on failure. */
void httpd_body_finish(struct httpd_exchange *x);
/* Path and query of x->target; refuses on failure. */
void httpd_target_parse(struct httpd_exchange *x);
void httpd_params_fill(struct httpd_exchange *x);

/* Sends x->resp. */
enum MHD_Result httpd_send(struct httpd_exchange *x);
/* Whether a header value such as "gzip, br;q=0" accepts `coding`. */
bool httpd_accepts(const char *accept, const char *coding);
int httpd_status_of(int code);

/* Makes the answer that stays open; resp->body is sent first. NULL: too many. */
struct MHD_Response *httpd_stream_new(struct httpd_exchange *x);
void httpd_streams_end(struct httpd *s);
void httpd_streams_beat(struct httpd *s); /* a comment to each */
void httpd_past_done(struct httpd_past *p);

#endif
