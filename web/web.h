/* web: the API's resources, sign-in and tokens, and the browser application, as a table of routes.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "analyzer/alert.h"
#include "analyzer/analyzer.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "store/store.h"

struct web;
struct web_config {
    struct store *store;
    struct analyzer *analyzer; /* may be NULL: analysis disabled */
    struct alert *alert;       /* may be NULL */
    const struct kb *kb;
    const struct kb_matcher *matcher;
    const struct metric_table *metrics;
    const char *state_folder;   /* admin.token lies here */
    const char *kb_site_folder; /* site entries are written here; NULL: none */
    bool auth_required;
    int64_t retention_ms; /* of the store; 0: not told */
    const char *build_id, *base_url;
    /* from the floor that knows them (programs): own metrics of all floors, readiness, sources,
     * reload */
    void (*metrics_text)(void *ctx, struct buf *out);
    bool (*ready)(void *ctx);
    void (*sources_json)(void *ctx, struct buf *out);
    int (*reload)(void *ctx, struct err *err);
    void *ctx;
    const struct log *log;
};
int web_new(const struct web_config *cfg, struct web **ret,
            struct err *err); /* writes STATE/admin.token at first start */
void web_free(struct web *w);
/* Mounts every route on the server (handlers keep w) and publishes to its streams. 0, ERR_LIMIT,
 * ERR_EXISTS. */
int web_attach(struct web *w, struct httpd *server);
httpd_handler web_fallback; /* the browser application's files, index.html else; ctx struct web */
struct httpd_auth web_auth(struct web *w);
void web_publish(void *ctx, const char *event, const char *json,
                 const char *tenant); /* analyzer's publish; ctx struct web */
/* Makes a one-time sign-in code for `user` (default admin); text into out. Used by quickstart
 * through the command. */
int web_signin_code(struct web *w, const char *who, char out[80], struct err *err);

#endif
