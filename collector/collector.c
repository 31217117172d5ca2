/* collector: the tables of sources and routes, and the loop thread that the sources share. */
#include "collector/collector.h"

#include "base/loop.h"
#include "base/map.h"
#include "collector/discover.h"
#include "collector/mirror.h"
#include "collector/push.h"
#include "collector/source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTOR_AGENTS 200000
#define COLLECTOR_BODY   ((size_t)32 << 20)

static const struct source_ops *const collector_sources[] = {
    &source_scrape,  &source_snmp,   &source_syslog,     &source_slurm,
    &source_redfish, &source_mirror, &source_kubernetes, &source_power};
enum { COLLECTOR_MIRROR = 5 }; /* its place there */
#define COLLECTOR_SOURCES (sizeof collector_sources / sizeof *collector_sources)
_Static_assert(COLLECTOR_SOURCES <= COLLECTOR_SECTIONS_MAX, "one section a source");

struct collector {
    struct push push; /* first: the routes' ctx */
    struct collector_config cfg;
    struct loop *loop;
    void *running[COLLECTOR_SOURCES];
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* running[] against reconfiguration */
    _Atomic bool ready;
};

static int
collector_packets(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct collector *c = ctx;
    struct jsonw w;
    if (*req->who.tenant)
        return httpd_reply_fail(resp, 403, "denied",
                                "the traffic of all tenants is not yours to read");
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_key(&w, "items");
    jsonw_array(&w);
    pthread_mutex_lock(&c->mutex);
    mirror_reports_json(c->running[COLLECTOR_MIRROR], &w);
    pthread_mutex_unlock(&c->mutex);
    jsonw_end_array(&w);
    jsonw_key(&w, "next");
    jsonw_null(&w);
    jsonw_end_object(&w);
    return 0;
}

static const struct route collector_route_rows[] = {
    {"POST", "/prometheus/api/v1/write", ROLE_AGENT, push_remote_write,
     "Takes Prometheus remote_write 1.0; 204 only after a durable commit.", COLLECTOR_BODY, NULL},
    {"POST", "/prometheus/api/v1/import/prometheus", ROLE_AGENT, push_exposition,
     "Takes metrics in the text exposition format.", COLLECTOR_BODY,
     "timestamp=time of samples that carry none"},
    {"POST", "/loki/api/v1/push", ROLE_AGENT, push_loki,
     "Takes log lines as Loki does, JSON or snappy protobuf.", COLLECTOR_BODY, NULL},
    {"POST", "/v1/metrics", ROLE_AGENT, push_otlp_metrics,
     "Takes OpenTelemetry metrics, protobuf or JSON.", COLLECTOR_BODY, NULL},
    {"POST", "/v1/logs", ROLE_AGENT, push_otlp_logs, "Takes OpenTelemetry logs, protobuf or JSON.",
     COLLECTOR_BODY, NULL},
    {"POST", "/api/v1/agents/{node}/batches", ROLE_AGENT, push_agent_batch,
     "Takes one batch of a node agent and acknowledges it.", COLLECTOR_BODY, NULL},
    {"GET", "/api/v1/agents/matcher", ROLE_AGENT, push_agent_matcher,
     "The compiled pattern database that agents match lines with.", 0, NULL},
    {"GET", "/api/v1/packets", ROLE_VIEWER, collector_packets,
     "What each mirror saw of RoCE traffic in its last window: flows, answers, pauses, neighbours.",
     0, NULL},
    {"PUT", "/api/v1/topology", ROLE_OPERATOR, push_topology,
     "Replaces the topology document of one cluster, JSON or YAML.", (size_t)64 << 20, NULL},
    {"PUT", "/api/v1/jobs/{id}", ROLE_OPERATOR, push_job_put, "Creates or replaces a job document.",
     0, NULL},
    {"PATCH", "/api/v1/jobs/{id}", ROLE_OPERATOR, push_job_patch,
     "Changes members of a job document.", 0, NULL},
    {"POST", "/api/v2/alerts", ROLE_AGENT, push_alerts,
     "Takes alerts as an Alertmanager does; they become events.", COLLECTOR_BODY, NULL},
};

const struct route *
collector_routes(size_t *ret_count)
{
    *ret_count = sizeof collector_route_rows / sizeof *collector_route_rows;
    return collector_route_rows;
}

bool
collector_section(size_t i, struct collector_section *ret)
{
    if (i >= COLLECTOR_SOURCES)
        return false;
    *ret = (struct collector_section){collector_sources[i]->key, collector_sources[i]->rows,
                                      collector_sources[i]->size, collector_sources[i]->list};
    return true;
}

int
collector_new(const struct collector_config *cfg, struct collector **ret, struct err *err)
{
    struct collector *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "no memory for the collector");
    c->cfg = *cfg;
    c->push = (struct push){.store = cfg->store,
                            .ingest = ingest_new(cfg->store),
                            .discover = discover_new(cfg->store, cfg->metrics),
                            .inventories = map_new(COLLECTOR_AGENTS),
                            .matcher_hash = cfg->matcher_hash,
                            .matcher = cfg->matcher,
                            .matcher_len = cfg->matcher_len};
    pthread_mutex_init(&c->push.mutex, NULL);
    pthread_mutex_init(&c->push.spare_lock, NULL);
    pthread_mutex_init(&c->mutex, NULL);
    if (!c->push.ingest || !c->push.inventories) {
        collector_free(c);
        return err_set(err, ERR_NOMEM, "no memory for the collector");
    }
    *ret = c;
    return 0;
}

static void *
collector_run(void *ctx)
{
    loop_run(((struct collector *)ctx)->loop);
    return NULL;
}

/* Opens every configured source on a fresh loop. On failure all of them are closed again. */
static int
collector_open(struct collector *c, struct err *err)
{
    int rc =
        (c->loop = loop_new()) ? 0 : err_set(err, ERR_NOMEM, "no memory for the collector's loop");
    struct source_env env = {c->cfg.store, c->cfg.metrics, c->cfg.log, c->loop, c->cfg.folder};
    for (size_t i = 0; !rc && i < COLLECTOR_SOURCES; i++) {
        const void *conf = c->cfg.sections[i];
        if (conf)
            rc = collector_sources[i]->start(&env, conf, &c->running[i], err);
    }
    if (!rc && loop_wake_open(c->loop, NULL, NULL) &&
        pthread_create(&c->thread, NULL, collector_run, c))
        rc = err_set(err, ERR_NOMEM, "the collector's thread could not start");
    c->started = !rc;
    return rc;
}

static void
collector_close(struct collector *c)
{
    if (c->started) {
        loop_stop(c->loop);
        pthread_join(c->thread, NULL);
        c->started = false;
    }
    for (size_t i = 0; i < COLLECTOR_SOURCES; i++)
        if (c->running[i]) {
            collector_sources[i]->stop(c->running[i]);
            c->running[i] = NULL;
        }
    loop_free(c->loop);
    c->loop = NULL;
}

int
collector_start(struct collector *c, struct err *err)
{
    pthread_mutex_lock(&c->mutex);
    int rc = collector_open(c, err);
    if (rc)
        collector_close(c);
    atomic_store(&c->ready, !rc);
    pthread_mutex_unlock(&c->mutex);
    return rc;
}

void
collector_stop(struct collector *c)
{
    pthread_mutex_lock(&c->mutex);
    atomic_store(&c->ready, false);
    collector_close(c);
    pthread_mutex_unlock(&c->mutex);
}

/* The new sources are tried first with the old ones closed (they share ports); when they fail the
 * old ones come back. */
int
collector_reconfigure(struct collector *c, const struct collector_config *cfg, struct err *err)
{
    struct collector_config old = c->cfg;
    pthread_mutex_lock(&c->mutex);
    collector_close(c);
    c->cfg = *cfg;
    int rc = collector_open(c, err);
    if (rc) {
        struct err again;
        collector_close(c);
        c->cfg = old;
        if (collector_open(c, &again)) {
            log_write(old.log, LOG_LEVEL_ERROR,
                      "collector: the old sources did not come back either: %s", again.text);
            collector_close(c);
            atomic_store(&c->ready, false);
        }
    }
    pthread_mutex_unlock(&c->mutex);
    return rc;
}

void
collector_free(struct collector *c)
{
    if (!c)
        return;
    collector_close(c);
    ingest_free(c->push.ingest);
    discover_free(c->push.discover);
    map_free(c->push.inventories, NULL);
    push_done(&c->push);
    pthread_mutex_destroy(&c->push.spare_lock);
    pthread_mutex_destroy(&c->push.mutex);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

bool
collector_ready(const struct collector *c)
{
    return atomic_load(&c->ready);
}

void
collector_metrics(struct collector *c, struct buf *out)
{
    ingest_metrics(c->push.ingest, out);
    if (c->push.discover)
        buf_printf(out,
                   "# HELP myriascope_discover_overflow_total Series not searched for unknown "
                   "devices: too many.\n"
                   "# TYPE myriascope_discover_overflow_total "
                   "counter\nmyriascope_discover_overflow_total %llu\n",
                   (unsigned long long)discover_overflow(c->push.discover));
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < COLLECTOR_SOURCES; i++)
        if (c->running[i] && collector_sources[i]->metrics)
            collector_sources[i]->metrics(c->running[i], out);
    pthread_mutex_unlock(&c->mutex);
}

void
collector_sources_json(struct collector *c, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w);
    ingest_json(c->push.ingest, &w);
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < COLLECTOR_SOURCES; i++)
        if (c->running[i] && collector_sources[i]->json)
            collector_sources[i]->json(c->running[i], &w);
    pthread_mutex_unlock(&c->mutex);
    jsonw_end_array(&w);
}

unsigned
collector_port(const struct collector *c, const char *what)
{
    for (size_t i = 0; i < COLLECTOR_SOURCES; i++) {
        unsigned port = c->running[i] && collector_sources[i]->port
                            ? collector_sources[i]->port(c->running[i], what)
                            : 0;
        if (port)
            return port;
    }
    return 0;
}
