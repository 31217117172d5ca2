/* httpc: HTTP client (libcurl). Blocking calls, and a pool for many at once.
 *
 * Never follows redirects to another scheme, at most 3; answers are cut off at `max_body`
 * (ERR_LIMIT). */
#ifndef BASE_HTTPC_H
#define BASE_HTTPC_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

struct httpc_request {
    const char *method, *url; /* method NULL: GET, or POST when there is a body */
    const void *body;
    size_t body_len;
    const char *const *headers;           /* "Name: value", NULL-terminated; may be NULL */
    const char *bearer, *user, *password; /* may be NULL */
    const char *ca, *cert, *key;          /* PEM files, may be NULL */
    const char *server_name;              /* TLS name when it differs from the URL's */
    bool insecure;                        /* do not verify TLS */
    unsigned timeout_ms;                  /* 0: 10,000 */
    size_t max_body;                      /* 0: 16 MiB */
    const char *unix_socket;              /* path, or NULL */
    /* NULL, or who takes the body of a 2xx answer as it comes: then resp.body stays empty, max_body
     * bounds nothing, and two minutes without a byte end the call. A negative return ends it with
     * ERR_CLOSED. On the thread that calls. */
    int (*data)(void *ctx, const char *data, size_t len);
    void *data_ctx;
};

struct httpc_response {
    int status;
    char content_type[128];
    char retry_after[32];                /* header, "" if none */
    char location[256], auth_token[256]; /* headers Location, X-Auth-Token; "" if none or longer */
    struct buf body;
    double seconds;
};
void httpc_response_done(struct httpc_response *r);

struct httpc; /* keeps connections; one per thread */
struct httpc *httpc_new(void);
void httpc_free(struct httpc *c);
/* 0 with any HTTP status; negative when no answer came. ret is initialised by the call; caller
 * calls done. */
int httpc_fetch(struct httpc *c, const struct httpc_request *req, struct httpc_response *ret,
                struct err *err);

/* Many at once: a thread that owns a multi handle. cb runs on that thread, exactly once per
 * accepted submit. */
typedef void httpc_done(void *ctx, int rc, const struct httpc_response *resp,
                        const struct err *err);
struct httpc_pool;
struct httpc_pool *httpc_pool_new(unsigned max_running, unsigned max_queued);
int httpc_pool_submit(struct httpc_pool *p, const struct httpc_request *req, httpc_done *cb,
                      void *ctx);           /* copies req; ERR_BUSY */
void httpc_pool_free(struct httpc_pool *p); /* ends running ones with ERR_CLOSED, waits */

/* SMTP: sends one message (whole RFC 5322 text). url smtp://host:port or smtps://. */
int httpc_mail(const char *url, const char *user, const char *password, const char *ca,
               const char *from, const char *const *to, const char *message, unsigned timeout_ms,
               struct err *err);

#endif
