/* web_priv: what the files of web share: the floor's state, and small helpers of answering. */
#ifndef WEB_WEB_PRIV_H
#define WEB_WEB_PRIV_H

#include "base/clock.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "store/catalog.h"
#include "web/web.h"

#include <pthread.h>

struct auth;
struct check_runs;
struct stream;
struct view_cache;

#define WEB_SPEED_READINGS 13 /* five seconds apart */

struct web_speed { /* what comes in: the store's counters of the last minute; overview.c's */
    struct {
        int64_t t_ms;
        uint64_t samples, events;
    } at[WEB_SPEED_READINGS]; /* a ring */
    size_t count, next;
    pthread_mutex_t mutex;
};

struct web {
    char build[64]; /* "0.1.0-3f2a9c": version and browser application; cfg.build_id points here */
    struct web_config cfg;     /* texts are the caller's and outlive us */
    const struct clock *clock; /* the store's */
    struct httpd *httpd;       /* NULL until attached */
    struct auth *auth;         /* who may what: auth.h */
    struct entries *entries;   /* the knowledge base: entries.h */
    struct stream *stream;     /* live events: stream.h */
    struct check_runs *checks; /* those that run: check_runs.h */
    struct view_cache *views;  /* what many answers need at one instant: view.h */
    struct web_speed speed;
};

/* Lists: limit 1 to 1000 (default 100), cursor. 0, or the error to answer (ERR_RANGE, ERR_SYNTAX).
 */
int web_limit(const struct httpd_request *req, size_t *ret_limit, struct err *err);
/* A time of the query ("at", "start", ...): dflt_ms when it is not given. Errors name the
 * parameter. */
int web_time(const struct httpd_request *req, const char *name, int64_t dflt_ms, int64_t *ret_ms,
             struct err *err);
/* The body as a JSON object. ERR_SYNTAX. Free with doc_free. */
int web_body(const struct httpd_request *req, struct doc **ret_doc, struct err *err);
/* May this identity see a row of that tenant? A tenant sees its own rows only. */
bool web_sees(const struct httpd_request *req, const char *tenant);
/* The store's filter for this identity: NULL sees all. */
const char *web_tenant(const struct httpd_request *req);
/* Answers rc (negative) with err's sentence. */
int web_fail(struct httpd_response *resp, int rc, const struct err *err);
int64_t web_now(const struct web *w);
/* {"items":[ ... ],"next":...}: begin opens both, end closes both. next "" or NULL gives null. */
void web_list_begin(struct jsonw *w, struct httpd_response *resp);
void web_list_end(struct jsonw *w, const char *next);
/* A key whose text may be "" or NULL: null then. */
void web_kstr_or_null(struct jsonw *w, const char *key, const char *s);
/* Any node of a document as JSON. */
void web_copy_node(struct jsonw *w, const struct doc_node *n);

/* Takes a reading of what comes in: call it every five seconds. */
void overview_measure(struct web *w);

#endif
