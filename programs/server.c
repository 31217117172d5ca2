/* server: builds the floors from below upwards, starts them so that nothing answers before it can,
 * and takes them down in the other order. Which floors share a process is decided here and nowhere
 * else. */
#include "programs/server.h"

#include "analyzer/alert.h"
#include "analyzer/analyzer.h"
#include "base/httpd.h"
#include "base/str.h"
#include "collector/collector.h"
#include "kb/kb.h"
#include "kb/matcher.h"
#include "store/store.h"
#include "store/topo.h"
#include "programs/care.h"
#include "web/web.h"

#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    struct config *conf,
        *first; /* first: the one of the start; its metric table and folders are held for life */
    struct log log;
    struct store *store;
    struct kb *kb;
    struct kb_matcher *matcher;
    struct buf matcher_bytes;
    struct collector *collector;
    struct alert *alert;
    struct analyzer *analyzer;
    struct web *web;
    struct care care;
    struct httpd *httpd;
    glob_t rules;
    bool has_rules;
    char base_url[256], folder[4096];
    pthread_mutex_t reloading;
};

/* --- what web asks of the whole --------------------------------------------------------------- */

static void
server_metrics(void *ctx, struct buf *out)
{
    struct server *s = ctx;
    store_metrics(s->store, out);
    collector_metrics(s->collector, out);
    if (s->analyzer)
        analyzer_metrics(s->analyzer, out);
    if (s->alert)
        alert_metrics(s->alert, out);
    httpd_metrics(s->httpd, out);
}

static bool
server_ready(void *ctx)
{
    struct server *s = ctx;
    return store_ready(s->store) && collector_ready(s->collector);
}

static void
server_sources(void *ctx, struct buf *out)
{
    collector_sources_json(((struct server *)ctx)->collector, out);
}

static int
server_reload_asked(void *ctx, struct err *err)
{
    return server_reload(ctx, err);
}

/* --- building --------------------------------------------------------------------------------- */

static int
server_store(struct server *s, struct err *err)
{
    const struct config *c = s->conf;
    struct store_config sc = {.folder = c->state,
                              .retention_ms = c->store.retention,
                              .retention_5m_ms = c->store.retention_5m,
                              .retention_1h_ms = c->store.retention_1h,
                              .max_size = c->store.max_size,
                              .window_ms = c->store.window,
                              .read_threads = (unsigned)c->store.query_threads,
                              .max_series = (uint64_t)c->store.max_series,
                              .max_series_source = (uint64_t)c->store.max_series_source,
                              .max_series_agent = (uint64_t)c->store.max_series_agent,
                              .source_limits = c->store.source_limits.at,
                              .source_limit_count = c->store.source_limits.count,
                              .engine =
                                  c->store.engine == CONFIG_ENGINE_PROMETHEUS ? &c->engine : NULL,
                              .log = &s->log};
    int rc = file_mkdir(c->state, 0700, err);
    return rc < 0 ? rc : store_open(&sc, &s->store, err);
}

static int
server_kb(struct server *s, struct err *err)
{
    int rc = kb_load(s->conf->kb.site, &s->kb, err);
    if (!rc)
        rc = s->conf->kb.site ? kb_matcher_new(s->kb, &s->matcher, err)
                              : kb_matcher_builtin(&s->matcher, err);
    buf_init(&s->matcher_bytes, (size_t)256 << 20);
    if (!rc)
        rc = kb_matcher_serialize(s->matcher, &s->matcher_bytes);
    return rc;
}

static int
server_topology(struct server *s, struct err *err)
{
    struct buf text, now;
    int rc = s->conf->topology ? file_read(s->conf->topology, (size_t)64 << 20, &text, err) : 1;
    if (rc)
        return rc > 0 ? 0 : rc;
    buf_init(&now, (size_t)64 << 20);
    bool same = !topo_get_document(s->store, NULL, &now, NULL) && now.len == text.len &&
                !memcmp(buf_str(&now), buf_str(&text), text.len);
    if (!same)
        rc = topo_put_document(s->store, buf_str(&text), text.len, s->conf->topology, err);
    buf_done(&now);
    buf_done(&text);
    return rc;
}

static void
server_folder(struct server *s)
{
    const char *slash = s->conf->path ? strrchr(s->conf->path, '/') : NULL;
    if (slash)
        snprintf(s->folder, sizeof s->folder, "%.*s", (int)(slash - s->conf->path), s->conf->path);
    else
        str_copy(s->folder, sizeof s->folder, ".");
}

static struct collector_config
server_collector_config(struct server *s)
{
    struct collector_config cfg = {.store = s->store,
                                   .metrics = s->first->metrics,
                                   .log = &s->log,
                                   .folder = s->folder,
                                   .matcher_hash = kb_matcher_hash(s->matcher),
                                   .matcher = buf_str(&s->matcher_bytes),
                                   .matcher_len = s->matcher_bytes.len};
    struct collector_section section;
    for (size_t i = 0; collector_section(i, &section); i++)
        cfg.sections[i] = config_section(s->conf, section.key);
    return cfg;
}

static int
server_rules(struct server *s, struct err *err)
{
    char path[2 * sizeof s->folder];
    for (size_t i = 0; i < s->conf->rules.count; i++) {
        const char *p = s->conf->rules.at[i];
        snprintf(path, sizeof path, "%s%s%s", *p == '/' ? "" : s->folder, *p == '/' ? "" : "/", p);
        int rc = glob(path, s->has_rules ? GLOB_APPEND : 0, NULL, &s->rules);
        if (rc && !strpbrk(p, "*?["))
            return err_set(err, ERR_NOTFOUND, "rules: %s is not there", path);
        s->has_rules |= !rc;
    }
    return 0;
}

static void
server_publish(void *ctx, const char *event, const char *json, const char *tenant)
{
    struct server *s = ctx;
    if (s->web)
        web_publish(s->web, event, json, tenant);
}

static int
server_analysis(struct server *s, struct err *err)
{
    struct alert_config ac = {.store = s->store,
                              .conf = s->conf->alerts,
                              .log = &s->log,
                              .base_url = s->base_url,
                              .publish = server_publish,
                              .publish_ctx = s};
    int rc = alert_new(&ac, &s->alert, err);
    if (rc || !s->conf->analysis.enabled)
        return rc;
    if ((rc = server_rules(s, err)))
        return rc;
    struct analyzer_config cfg = {.store = s->store,
                                  .kb = s->kb,
                                  .matcher = s->matcher,
                                  .metrics = s->conf->metrics,
                                  .log = &s->log,
                                  .alert = s->alert,
                                  .data_clock = s->conf->analysis.clock == CONFIG_CLOCK_DATA,
                                  .settle_ms = s->conf->analysis.settle,
                                  .rule_files =
                                      s->has_rules ? (const char *const *)s->rules.gl_pathv : NULL,
                                  .base_url = s->base_url,
                                  .publish = server_publish,
                                  .publish_ctx = s};
    return analyzer_new(&cfg, &s->analyzer, err);
}

static int
server_web(struct server *s, struct err *err)
{
    struct web_config cfg = {.store = s->store,
                             .analyzer = s->analyzer,
                             .alert = s->alert,
                             .kb = s->kb,
                             .matcher = s->matcher,
                             .metrics = s->conf->metrics,
                             .state_folder = s->conf->state,
                             .kb_site_folder = s->conf->kb.site,
                             .auth_required = s->conf->http.auth == CONFIG_AUTH_REQUIRED,
                             .retention_ms = s->conf->store.retention,
                             .build_id = PACKAGE_VERSION,
                             .base_url = s->base_url,
                             .metrics_text = server_metrics,
                             .ready = server_ready,
                             .sources_json = server_sources,
                             .reload = server_reload_asked,
                             .ctx = s,
                             .log = &s->log};
    return web_new(&cfg, &s->web, err);
}

static int
server_http(struct server *s, int listen_fd, struct err *err)
{
    const struct config *c = s->conf;
    size_t n;
    struct httpd_config cfg = {.listen = c->http.listen,
                               .listen_fd = listen_fd,
                               .tls_cert = c->http.tls.cert,
                               .tls_key = c->http.tls.key,
                               .threads = (unsigned)c->http.threads,
                               .loopback_hosts_only = c->http.auth == CONFIG_AUTH_NONE,
                               .auth = web_auth(s->web),
                               .fallback = web_fallback,
                               .fallback_ctx = s->web};
    s->httpd = httpd_new(&cfg);
    if (!s->httpd)
        return err_set(err, ERR_NOMEM, "no memory for the HTTP server");
    const struct route *rows = collector_routes(&n);
    int rc = httpd_routes(s->httpd, rows, n, s->collector);
    if (!rc) {
        s->care.store = s->store;
        rows = care_routes(&n);
        rc = httpd_routes(s->httpd, rows, n, &s->care);
    }
    if (!rc)
        rc = web_attach(s->web, s->httpd);
    if (rc)
        return err_set(err, rc, "the routes do not fit");
    return 0;
}

int
server_new(struct config *c, const struct log *log, int listen_fd, struct server **ret,
           struct err *err)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        config_free(c);
        return err_set(err, ERR_NOMEM, "no memory");
    }
    s->conf = s->first = c;
    s->log = *log;
    pthread_mutex_init(&s->reloading, NULL);
    server_folder(s);
    snprintf(s->base_url, sizeof s->base_url, "%s", c->http.base_url ? c->http.base_url : "");
    if (!*s->base_url)
        snprintf(s->base_url, sizeof s->base_url, "%s://%s", c->http.tls.cert ? "https" : "http",
                 c->http.listen);
    int rc = server_store(s, err);
    if (!rc)
        rc = server_kb(s, err);
    if (!rc)
        rc = server_topology(s, err);
    struct collector_config cc;
    if (!rc) {
        cc = server_collector_config(s);
        rc = collector_new(&cc, &s->collector, err);
    }
    if (!rc)
        rc = server_analysis(s, err);
    if (!rc)
        rc = server_web(s, err);
    if (!rc)
        rc = server_http(s, listen_fd, err);
    if (rc)
        server_free(s);
    else
        *ret = s;
    return rc;
}

/* --- life ------------------------------------------------------------------------------------- */

int
server_start(struct server *s, struct err *err)
{
    int rc = collector_start(s->collector, err);
    if (!rc && s->alert)
        rc = alert_start(s->alert, err);
    if (!rc && s->analyzer)
        rc = analyzer_start(s->analyzer, err);
    return rc ? rc : httpd_start(s->httpd, err);
}

void
server_stop(struct server *s)
{
    if (s->httpd)
        httpd_stop(s->httpd);
    if (s->collector)
        collector_stop(s->collector);
    analyzer_stop(s->analyzer);
    if (s->alert)
        alert_stop(s->alert);
}

void
server_free(struct server *s)
{
    if (!s)
        return;
    server_stop(s);
    httpd_free(s->httpd);
    web_free(s->web);
    analyzer_free(s->analyzer);
    alert_free(s->alert);
    collector_free(s->collector);
    if (s->store)
        store_close(s->store);
    kb_matcher_free(s->matcher);
    kb_free(s->kb);
    buf_done(&s->matcher_bytes);
    if (s->has_rules)
        globfree(&s->rules);
    if (s->conf != s->first)
        config_free(s->conf);
    config_free(s->first);
    pthread_mutex_destroy(&s->reloading);
    free(s);
}

unsigned
server_port(const struct server *s)
{
    return httpd_port(s->httpd);
}

static bool
server_same(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

/* What can change while running: sources, receivers and routes, the topology file. The rest is
 * refused by name. */
static int
server_reloadable(const struct config *a, const struct config *b, struct err *err)
{
    if (strcmp(a->state, b->state))
        return err_set(err, ERR_STATE, "state cannot change while running: restart instead");
    if (strcmp(a->http.listen, b->http.listen) || a->http.auth != b->http.auth)
        return err_set(err, ERR_STATE,
                       "http.listen and http.auth cannot change while running: restart instead");
    if (!server_same(a->kb.site, b->kb.site))
        return err_set(err, ERR_STATE, "kb.site cannot change while running: restart instead");
    if (a->store.engine != b->store.engine ||
        !server_same(a->store.write_url, b->store.write_url) ||
        !server_same(a->store.query_url, b->store.query_url))
        return err_set(err, ERR_STATE,
                       "store.engine and its URLs cannot change while running: restart instead");
    return 0;
}

/* On return nobody reads the configuration that is freed here: the new one where it was not
 * applied, else the one before. */
int
server_reload(struct server *s, struct err *err)
{
    struct config *fresh = NULL;
    struct err again;
    pthread_mutex_lock(&s->reloading);
    struct config *old = s->conf;
    int rc = config_load(old->path, &fresh, err);
    if (!rc)
        rc = server_reloadable(old, fresh, err);
    if (!rc) {
        s->conf = fresh;
        struct collector_config cc = server_collector_config(s);
        rc = server_topology(s, err);
        if (!rc)
            rc = alert_reconfigure(s->alert, fresh->alerts, err);
        if (!rc && (rc = collector_reconfigure(s->collector, &cc, err)) &&
            alert_reconfigure(s->alert, old->alerts, &again))
            log_write(&s->log, LOG_LEVEL_ERROR, "alerts: the old receivers did not come back: %s",
                      again.text);
        if (rc)
            s->conf = old;
    }
    struct config *gone = rc ? fresh : old;
    if (gone != s->first)
        config_free(gone);
    pthread_mutex_unlock(&s->reloading);
    return rc;
}
