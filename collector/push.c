/* push: the routes that sources post to. Each decodes into a batch, commits it, and answers what
 * the protocol promises. */
#include "collector/push.h"

#include "base/clock.h"
#include "base/compress.h"
#include "base/doc.h"
#include "base/exposition.h"
#include "base/map.h"
#include "base/str.h"
#include "base/wire.h"
#include "collector/discover.h"
#include "collector/ingest.h"
#include "collector/loki.h"
#include "collector/otlp.h"
#include "collector/remote_write.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/tasks.h"
#include "store/topo.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUSH_TEXT_MAX  ((size_t)64 << 20)
#define PUSH_SPARE_MAX ((size_t)4 << 20) /* a larger one is given back */

/* What a decoder left out is told in the batch that keeps the rest. */
static void
push_gap(struct push *p, struct store_batch *b, const char *source, const char *reason,
         uint64_t count)
{
    int64_t now = clock_now_ms(store_clock(p->store));
    struct gap g = {
        .from_ms = now, .to_ms = now, .source = source, .reason = reason, .count = count};
    if (count)
        store_batch_gap(b, &g);
}

/* Memory for an unpacked body: a megabyte for 5,000 samples, that else is mapped, touched and
 * unmapped for each request. */
static struct buf
push_spare_take(struct push *p)
{
    struct buf b;
    buf_init(&b, REMOTE_WRITE_RAW_MAX);
    pthread_mutex_lock(&p->spare_lock);
    if (p->spare_count)
        b = p->spares[--p->spare_count];
    pthread_mutex_unlock(&p->spare_lock);
    return b;
}

static void
push_spare_give(struct push *p, struct buf *b)
{
    bool kept = false;
    buf_reset(b);
    pthread_mutex_lock(&p->spare_lock);
    if (b->cap <= PUSH_SPARE_MAX && p->spare_count < PUSH_SPARES) {
        p->spares[p->spare_count++] = *b;
        kept = true;
    }
    pthread_mutex_unlock(&p->spare_lock);
    if (!kept)
        buf_done(b);
}

void
push_done(struct push *p)
{
    for (size_t i = 0; i < p->spare_count; i++)
        buf_done(&p->spares[i]);
    p->spare_count = 0;
}

int
push_remote_write(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct store_batch *b = store_batch_new(p->store);
    struct remote_write_counts n;
    struct err err;
    if (!b)
        return ERR_NOMEM;
    struct buf scratch = push_spare_take(p);
    store_batch_tenant(b, req->who.tenant);
    struct discover_batch found;
    struct sample_sink sink =
        discover_sink(&found, p->discover, store_batch_sink(b), "remote_write");
    int rc = remote_write_decode(req->body, req->body_len, &scratch, &sink, &n, &err);
    push_spare_give(p, &scratch);
    if (rc) {
        discover_done(&found, false);
        store_batch_free(b);
        return ingest_refuse(p->ingest, INGEST_REMOTE_WRITE, resp, &err);
    }
    push_gap(p, b, "remote_write", "bad-labels", n.refused);
    discover_done(&found, !ingest_commit(p->ingest, INGEST_REMOTE_WRITE, b, resp));
    return 0;
}

int
push_exposition(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct err err;
    int64_t t;
    if (httpd_query_time(req, "timestamp", clock_now_ms(store_clock(p->store)), &t))
        return httpd_reply_fail(resp, 400, "range", "timestamp is not a time");
    struct store_batch *b = store_batch_new(p->store);
    if (!b)
        return ERR_NOMEM;
    store_batch_tenant(b, req->who.tenant);
    struct discover_batch found;
    struct exposition_counts n;
    struct sample_sink sink = discover_sink(&found, p->discover, store_batch_sink(b), "import");
    if (exposition_read(req->body, req->body_len, t, &sink, &n, &err)) {
        discover_done(&found, false);
        store_batch_free(b);
        return ingest_refuse(p->ingest, INGEST_IMPORT, resp, &err);
    }
    push_gap(p, b, "import", "bad-labels", n.refused);
    discover_done(&found, !ingest_commit(p->ingest, INGEST_IMPORT, b, resp));
    return 0;
}

static int
push_line(void *ctx, const struct log_line *line)
{
    return store_batch_log(ctx, line);
}

int
push_loki(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct store_batch *b = store_batch_new(p->store);
    struct loki_sink sink = {push_line, b};
    struct err err;
    uint64_t lines;
    const char *type = httpd_header(req, "Content-Type");
    if (!b)
        return ERR_NOMEM;
    store_batch_tenant(b, req->who.tenant);
    int rc = type && str_prefix(type, "application/x-protobuf")
                 ? loki_decode_protobuf(req->body, req->body_len, &sink, &lines, &err)
                 : loki_decode_json(req->body, req->body_len, &sink, &lines, &err);
    if (rc) {
        store_batch_free(b);
        return ingest_refuse(p->ingest, INGEST_LOKI, resp, &err);
    }
    ingest_commit(p->ingest, INGEST_LOKI, b, resp);
    return 0;
}

/* OTLP's success is 200 with an export response, which tells what was not kept. */
static void
push_otlp_done(struct httpd_response *resp, bool json, bool logs, const struct otlp_counts *n)
{
    resp->status = 200;
    resp->content_type = json ? "application/json" : "application/x-protobuf";
    otlp_answer(n, logs, json, &resp->body);
}

int
push_otlp_metrics(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct err err;
    struct store_batch *b = store_batch_new(p->store);
    const char *type = httpd_header(req, "Content-Type");
    if (!b)
        return ERR_NOMEM;
    store_batch_tenant(b, req->who.tenant);
    struct discover_batch found;
    struct sample_sink sink = discover_sink(&found, p->discover, store_batch_sink(b), "otlp");
    bool json = type && str_prefix(type, "application/json");
    struct otlp_counts n;
    if (otlp_decode_metrics(req->body, req->body_len, json, clock_now_ms(store_clock(p->store)),
                            &sink, &n, &err)) {
        discover_done(&found, false);
        store_batch_free(b);
        return ingest_refuse(p->ingest, INGEST_OTLP, resp, &err);
    }
    push_gap(p, b, "otlp", "unsupported", n.refused);
    int rc = ingest_commit(p->ingest, INGEST_OTLP, b, resp);
    discover_done(&found, !rc);
    if (!rc)
        push_otlp_done(resp, json, false, &n);
    return 0;
}

int
push_otlp_logs(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct err err;
    struct store_batch *b = store_batch_new(p->store);
    struct loki_sink sink = {push_line, b};
    const char *type = httpd_header(req, "Content-Type");
    if (!b)
        return ERR_NOMEM;
    store_batch_tenant(b, req->who.tenant);
    bool json = type && str_prefix(type, "application/json");
    struct otlp_counts n;
    if (otlp_decode_logs(req->body, req->body_len, json, clock_now_ms(store_clock(p->store)), &sink,
                         &n, &err)) {
        store_batch_free(b);
        return ingest_refuse(p->ingest, INGEST_OTLP, resp, &err);
    }
    push_gap(p, b, "otlp", "unsupported", n.refused);
    if (!ingest_commit(p->ingest, INGEST_OTLP, b, resp))
        push_otlp_done(resp, json, true, &n);
    return 0;
}

/* --- agents ----------------------------------------------------------------------------------- */

struct push_agent {
    struct push *p;
    struct store_batch *batch;
    const char *node;
    struct wire_head head;
    struct discover_batch found;
    struct sample_sink sink;
};

static int
push_agent_head(void *ctx, const struct wire_head *h)
{
    struct push_agent *a = ctx;
    char source[WIRE_AGENT_MAX + 8];
    if (strcmp(h->agent, a->node))
        return ERR_DENIED;
    a->head = *h;
    snprintf(source, sizeof source, "agent:%s", h->agent);
    store_batch_watermark(a->batch, source, h->epoch, h->sequence);
    return 0;
}

static int
push_agent_samples(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    struct push_agent *a = ctx;
    int rc = a->sink.series(a->sink.ctx, l, s, n);
    return rc < 0 ? rc : 0;
}

static void
push_agent_key(void *ctx, const void *bytes, size_t len, uint64_t ret[2])
{
    struct push_agent *a = ctx;
    a->sink.key(a->sink.memory, bytes, len, ret);
    ret[1] ^= 0x9e3779b97f4a7c15; /* the same bytes mean something else in remote_write */
}

static int
push_agent_known(void *ctx, const uint64_t key[2], size_t len, const struct sample *s, size_t n)
{
    struct push_agent *a = ctx;
    return a->sink.known(a->sink.memory, key, len, s, n);
}

static size_t
push_agent_likely(void *ctx)
{
    struct push_agent *a = ctx;
    return a->sink.likely(a->sink.memory);
}

static int
push_agent_event(void *ctx, const struct event *ev)
{
    return store_batch_event(((struct push_agent *)ctx)->batch, ev);
}

static int
push_agent_log(void *ctx, const struct log_line *line)
{
    return store_batch_log(((struct push_agent *)ctx)->batch, line);
}

static int
push_agent_gap(void *ctx, const struct gap *gap)
{
    return store_batch_gap(((struct push_agent *)ctx)->batch, gap);
}

/* What the node is made of: kept when it changed. */
static int
push_agent_inventory(void *ctx, const char *json, size_t len)
{
    struct push_agent *a = ctx;
    char entity[ENTITY_SIZE];
    uintptr_t hash = (uintptr_t)map_hash(json, len) | 1;
    pthread_mutex_lock(&a->p->mutex);
    bool same = (uintptr_t)map_get(a->p->inventories, a->node, strlen(a->node)) == hash;
    if (!same)
        map_set(a->p->inventories, a->node, strlen(a->node), (void *)hash, NULL);
    pthread_mutex_unlock(&a->p->mutex);
    if (same)
        return 0;
    struct catalog_doc d = {.kind = "agent",
                            .id = a->node,
                            .tenant = "",
                            .state = "",
                            .key = "",
                            .time_ms = a->head.sent_ms,
                            .json = json,
                            .json_len = len};
    if (!entity_format(entity, ENTITY_NODE, a->node, NULL))
        topo_discovered(a->p->store, entity, "agent");
    catalog_put(
        a->p->store, &d,
        NULL); /* the samples matter more: a failure here is tried again with the next batch */
    return 0;
}

static int
push_agent_result(void *ctx, const char *json, size_t len)
{
    struct push_agent *a = ctx;
    tasks_result(a->p->store, a->node, json, len);
    return 0;
}

static void
push_agent_answer(struct push *p, const struct wire_head *h, const char *peer,
                  struct httpd_response *resp)
{
    char hash[24];
    struct jsonw w;
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)p->matcher_hash);
    resp->status = 200;
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kint(&w, "epoch", (int64_t)h->epoch);
    jsonw_kint(&w, "sequence", (int64_t)h->sequence);
    jsonw_kstr(&w, "matcher", hash);
    jsonw_key(&w, "tasks");
    jsonw_array(&w);
    tasks_take(p->store, h->agent, peer ? peer : "", &w);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}

int
push_agent_batch(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct push_agent a = {.p = p, .node = httpd_param(req, "node")};
    struct err err = {0};
    struct wire_handler h = {.head = push_agent_head,
                             .samples = push_agent_samples,
                             .event = push_agent_event,
                             .log = push_agent_log,
                             .gap = push_agent_gap,
                             .inventory = push_agent_inventory,
                             .result = push_agent_result,
                             .ctx = &a,
                             .key = push_agent_key,
                             .known = push_agent_known,
                             .likely = push_agent_likely};
    if (req->who.role == ROLE_AGENT && strcmp(req->who.name, a.node))
        return httpd_reply_fail(resp, 403, "forbidden", "this token is bound to node %s",
                                req->who.name);
    if (!(a.batch = store_batch_new(p->store)))
        return ERR_NOMEM;
    store_batch_tenant(a.batch, req->who.tenant);
    a.sink = discover_sink(&a.found, p->discover, store_batch_sink(a.batch), "agent");
    int code = wire_decode(req->body, req->body_len, &h, &err);
    if (code) {
        discover_done(&a.found, false);
        store_batch_free(a.batch);
        if (code == ERR_DENIED)
            return httpd_reply_fail(resp, 403, "forbidden", "this batch is not of node %s", a.node);
        if (!*err.text)
            err_set(&err, code, "the batch is not well-formed: %s", err_text(code));
        return ingest_refuse(p->ingest, INGEST_AGENT, resp, &err);
    }
    int rc = ingest_commit(p->ingest, INGEST_AGENT, a.batch, resp);
    discover_done(&a.found, !rc);
    if (!rc || rc == ERR_EXISTS)
        push_agent_answer(p, &a.head, req->peer, resp);
    return 0;
}

int
push_agent_matcher(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    (void)req;
    resp->content_type = "application/octet-stream";
    resp->static_body = p->matcher;
    resp->static_len = p->matcher_len;
    return 0;
}

/* --- documents -------------------------------------------------------------------------------- */

int
push_topology(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct err err;
    struct jsonw w;
    if (topo_put_document(p->store, req->body, req->body_len, "topology", &err)) {
        char text[1024];
        return httpd_reply_fail(
            resp,
            err.code == ERR_SYNTAX || err.code == ERR_RANGE || err.code == ERR_LIMIT ? 400 : 503,
            err_name(err.code), "%s", err_format(&err, text, sizeof text));
    }
    struct topo *t = topo_get(p->store);
    jsonw_init(&w, &resp->body);
    jsonw_object(&w);
    jsonw_kint(&w, "revision", (int64_t)topo_revision(t));
    jsonw_kint(&w, "entities", (int64_t)topo_count(t));
    jsonw_end_object(&w);
    topo_put(t);
    return 0;
}

static int
push_job(struct push *p, const struct httpd_request *req, struct httpd_response *resp, bool merge)
{
    struct job j = {0};
    struct err err;
    if (job_put(p->store, httpd_param(req, "id"), req->body, req->body_len, merge, &j, &err))
        return httpd_reply_err(resp, &err);
    buf_puts(&resp->body, j.json);
    job_done(&j);
    return 0;
}

int
push_job_put(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    return push_job(ctx, req, resp, false);
}

int
push_job_patch(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    return push_job(ctx, req, resp, true);
}

/* --- a site's own alarms ---------------------------------------------------------------------- */

static const char *
push_alert_label(const struct doc_node *labels, const char *a, const char *b, const char *dflt)
{
    const char *v = doc_get_str(labels, a, NULL);
    return v ? v : doc_get_str(labels, b, dflt);
}

static int
push_alert(struct push *p, struct store_batch *b, struct topo *t, const struct doc_node *n)
{
    const struct doc_node *labels = doc_get(n, "labels"), *notes = doc_get(n, "annotations");
    const char *name = doc_get_str(labels, "alertname", ""), *ends = doc_get_str(n, "endsAt", NULL),
               *starts = doc_get_str(n, "startsAt", NULL);
    char entity[ENTITY_SIZE], code[EVENT_CODE_MAX + 1];
    struct labels l = {0};
    int64_t now = clock_now_ms(store_clock(p->store)), at = now, end = 0;
    for (const struct doc_node *c = labels ? labels->first : NULL; c; c = c->next)
        if (c->kind == DOC_STR)
            labels_add(&l, c->key, strlen(c->key), c->str, c->len);
    if (!*name || labels_finish(&l))
        return ERR_SYNTAX;
    if (topo_resolve(t, NULL, &l, entity) && !entity_ok(entity) &&
        entity_format(entity, ENTITY_CLUSTER, "site", NULL))
        return ERR_SYNTAX;
    if (starts)
        time_parse(starts, &at);
    bool ended = ends && !time_parse(ends, &end) && end > 0 && end <= now;
    int severity = severity_find(doc_get_str(labels, "severity", "warning"));
    snprintf(code, sizeof code, "alert.%s", name);
    struct event ev = {.time_ms = ended ? end : at,
                       .phase = ended ? EVENT_END : EVENT_BEGIN,
                       .entity = entity,
                       .code = code,
                       .severity = severity < 0 ? SEVERITY_WARNING : (enum severity)severity,
                       .source = "alertmanager",
                       .text = push_alert_label(notes, "summary", "description", name),
                       .node = doc_get_str(labels, "node", ""),
                       .job = doc_get_str(labels, "job_id", ""),
                       .tenant = "",
                       .fields = ""};
    return store_batch_event(b, &ev);
}

int
push_alerts(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct push *p = ctx;
    struct doc *d = NULL;
    struct err err;
    if (doc_parse_json(req->body, req->body_len, "body", &d, &err))
        return ingest_refuse(p->ingest, INGEST_ALERTS, resp, &err);
    const struct doc_node *root = doc_root(d);
    struct store_batch *b = store_batch_new(p->store);
    struct topo *t = topo_get(p->store);
    int rc = b ? 0 : ERR_NOMEM;
    if (!rc && root->kind != DOC_SEQ)
        rc = err_set(&err, ERR_SYNTAX, "the body is not a list of alerts");
    for (const struct doc_node *n = rc ? NULL : root->first; !rc && n; n = n->next)
        if ((rc = push_alert(p, b, t, n)))
            err_set(&err, rc, "an alert has no alertname, or labels that are not well-formed");
    topo_put(t);
    doc_free(d);
    if (rc) {
        store_batch_free(b);
        return ingest_refuse(p->ingest, INGEST_ALERTS, resp, &err);
    }
    if (!ingest_commit(p->ingest, INGEST_ALERTS, b, resp))
        resp->status = 200;
    return 0;
}
