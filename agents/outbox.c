/* outbox: a batch each 15 s, and one at once for each urgent event. Always true: batches leave in
 * order of (epoch, sequence); what is on disk is older than what is in memory; the one under way
 * stays where it is until it is acknowledged. */
#include "agents/outbox.h"

#include "agents/spool.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/httpc.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUTBOX_QUEUE_MAX   64u /* batches in memory */
#define OUTBOX_BYTES_MAX   ((size_t)8 << 20)
#define OUTBOX_BATCH_MAX   ((size_t)17 << 20)
#define OUTBOX_TIMEOUT_MS  10000u
#define OUTBOX_BACKOFF_MAX 60000
#define OUTBOX_GAPS        4
#define OUTBOX_TASKS_MAX   65536u
#define OUTBOX_MATCHER_MAX ((size_t)64 << 20)

struct outbox_item {
    struct spool_key key;
    struct buf data;
};

struct outbox {
    struct outbox_config cfg;
    char node_url[1024], batches_url[1280];
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool started, quit, troubled;
    struct spool *spool;
    struct wire_encoder *wire;
    uint64_t epoch, sequence;
    struct outbox_item queue[OUTBOX_QUEUE_MAX];
    size_t head, count, bytes;
    struct gap gaps[OUTBOX_GAPS];
    struct outbox_counts counts;
    struct httpc *http;
    unsigned joins; /* since the last acknowledgement */
    uint64_t matcher_hash, matcher_tried;
    struct buf matcher;
    bool matcher_new;
    struct buf tasks; /* as they came; those of one answer */
    pthread_cond_t tasked;
};

/* --- what is lost -------------------------------------------------------------------------------
 */

static void
outbox_lose(struct outbox *o, const char *reason, int64_t from_ms, int64_t to_ms, uint64_t n)
{
    o->counts.dropped += n;
    for (size_t i = 0; i < OUTBOX_GAPS; i++) {
        struct gap *g = &o->gaps[i];
        if (g->reason && strcmp(g->reason, reason))
            continue;
        if (!g->reason)
            *g = (struct gap){.from_ms = from_ms, .to_ms = to_ms, .reason = reason};
        g->from_ms = from_ms < g->from_ms ? from_ms : g->from_ms;
        g->to_ms = to_ms > g->to_ms ? to_ms : g->to_ms;
        g->count += n;
        return;
    }
}

void
outbox_lost(struct outbox *o, const char *reason, int64_t from_ms, int64_t to_ms, uint64_t n)
{
    pthread_mutex_lock(&o->mutex);
    outbox_lose(o, reason, from_ms, to_ms, n);
    pthread_mutex_unlock(&o->mutex);
}

static int
outbox_tell_gaps(struct outbox *o)
{
    char source[WIRE_AGENT_MAX + 8];
    int n = 0;
    snprintf(source, sizeof source, "agent:%s", o->cfg.node);
    for (size_t i = 0; i < OUTBOX_GAPS && o->gaps[i].reason; i++) {
        o->gaps[i].source = source;
        n += wire_encode_gap(o->wire, &o->gaps[i]) ? 0 : 1;
    }
    return n;
}

/* --- queue and spool -------------------------------------------------------------------------- */

static struct outbox_item *
outbox_head(struct outbox *o)
{
    return o->count ? &o->queue[o->head] : NULL;
}

static void
outbox_pop(struct outbox *o)
{
    struct outbox_item *it = outbox_head(o);
    o->bytes -= it->data.len;
    buf_done(&it->data);
    o->head = (o->head + 1) % OUTBOX_QUEUE_MAX;
    o->count--;
}

/* All that waits in memory goes to disk, in order. What the disk does not take is lost and told. */
static void
outbox_spill(struct outbox *o)
{
    struct gap gap = {0};
    struct err err;
    for (struct outbox_item *it; (it = outbox_head(o)); outbox_pop(o))
        if (spool_put(o->spool, &it->key, it->data.data, it->data.len, &err)) {
            log_write(o->cfg.log, LOG_LEVEL_ERROR, "a batch is lost: %s", err.text);
            outbox_lose(o, "spool-failed", it->key.sent_ms, it->key.sent_ms, it->key.records);
        }
    uint64_t lost = spool_trim(o->spool, clock_now_ms(NULL), &gap);
    if (lost)
        outbox_lose(o, "spool-full", gap.from_ms, gap.to_ms, lost);
}

static void
outbox_push(struct outbox *o, const struct spool_key *key, struct buf *data)
{
    struct outbox_item *it = &o->queue[(o->head + o->count) % OUTBOX_QUEUE_MAX];
    it->key = *key;
    it->data = *data;
    o->count++;
    o->bytes += data->len;
    if (o->troubled || o->count == OUTBOX_QUEUE_MAX || o->bytes > OUTBOX_BYTES_MAX)
        outbox_spill(o);
    pthread_cond_signal(&o->wake);
}

int
outbox_batch(struct outbox *o, int (*fill)(void *ctx, struct wire_encoder *e), void *ctx)
{
    struct wire_head head = {.sent_ms = clock_now_ms(NULL)};
    struct buf data;
    pthread_mutex_lock(&o->mutex);
    head.epoch = o->epoch;
    head.sequence = o->sequence + 1;
    str_copy(head.agent, sizeof head.agent, o->cfg.node);
    wire_encode_begin(o->wire, &head);
    int gaps = outbox_tell_gaps(o), rc = fill(ctx, o->wire);
    buf_init(&data, OUTBOX_BATCH_MAX);
    int end = rc > 0 ? wire_encode_end(o->wire, &data) : rc;
    if (rc > 0 && !end) {
        struct spool_key key = {head.epoch, head.sequence, head.sent_ms, (uint32_t)(rc + gaps)};
        o->sequence++;
        memset(o->gaps, 0, sizeof o->gaps);
        outbox_push(o, &key, &data);
    } else {
        buf_done(&data);
    }
    pthread_mutex_unlock(&o->mutex);
    return end;
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool
outbox_token_in(const char *path, char *out, size_t size)
{
    struct buf text;
    *out = 0;
    if (!file_read(path, 4096, &text, NULL)) {
        str_copy(out, size, buf_str(&text));
        out[strcspn(out, " \r\n")] = 0;
    }
    buf_done(&text);
    return *out != 0;
}

static void
outbox_own_token(const struct outbox *o, char out[4200])
{
    snprintf(out, 4200, "%.4000s/node.token", o->cfg.spool_dir);
}

/* This node's own token if it has joined, else the configured one, which is read for every request:
 * it may be exchanged while we run. true: it is the node's own. */
static bool
outbox_token(const struct outbox *o, char *out, size_t size)
{
    char path[4200];
    outbox_own_token(o, path);
    if (outbox_token_in(path, out, size))
        return true;
    if (o->cfg.token_file)
        outbox_token_in(o->cfg.token_file, out, size);
    return false;
}

/* The configured token may be one that nodes join with: it is exchanged for one that is bound to
 * this node's name. 0 when there is a new token to use. */
static int
outbox_join(struct outbox *o)
{
    char url[1280], token[512], path[4200];
    struct httpc_response resp;
    struct doc *d = NULL;
    outbox_own_token(o, path);
    if (outbox_token(o, token,
                     sizeof token)) /* our own was revoked, or belongs to another server */
        return unlink(path) ? ERR_DENIED : 0;
    snprintf(url, sizeof url, "%.*s/join", (int)(strlen(o->batches_url) - strlen("/batches")),
             o->batches_url);
    struct httpc_request req = {.method = "POST",
                                .url = url,
                                .bearer = *token ? token : NULL,
                                .ca = o->cfg.ca,
                                .timeout_ms = OUTBOX_TIMEOUT_MS,
                                .max_body = 65536};
    if (!*token || httpc_fetch(o->http, &req, &resp, NULL))
        return ERR_DENIED;
    int rc = ERR_DENIED;
    if ((resp.status == 200 || resp.status == 201) &&
        !doc_parse_json(buf_str(&resp.body), resp.body.len, "answer", &d, NULL)) {
        const char *own = doc_get_str(doc_root(d), "token", "");
        rc = *own ? file_write_atomic(path, own, strlen(own), 0600, NULL) : ERR_DENIED;
        doc_free(d);
    }
    httpc_response_done(&resp);
    if (!rc)
        log_write(o->cfg.log, LOG_LEVEL_NOTICE, "joined %s as %s", o->cfg.url, o->cfg.node);
    return rc;
}

static int
outbox_post(struct outbox *o, const struct buf *data, struct httpc_response *ret, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
    char token[512];
    outbox_token(o, token, sizeof token);
    struct httpc_request req = {.method = "POST",
                                .url = o->batches_url,
                                .body = data->data,
                                .body_len = data->len,
                                .headers = headers,
                                .bearer = *token ? token : NULL,
                                .ca = o->cfg.ca,
                                .timeout_ms = OUTBOX_TIMEOUT_MS,
                                .max_body = (size_t)1 << 20};
    return httpc_fetch(o->http, &req, ret, err);
}

static void
outbox_fetch_matcher(struct outbox *o, uint64_t hash)
{
    char url[1280], token[512];
    struct httpc_response resp;
    struct err err;
    o->matcher_tried = hash;
    snprintf(url, sizeof url, "%s/api/v1/agents/matcher", o->node_url);
    outbox_token(o, token, sizeof token);
    struct httpc_request req = {.url = url,
                                .bearer = *token ? token : NULL,
                                .ca = o->cfg.ca,
                                .timeout_ms = 60000,
                                .max_body = OUTBOX_MATCHER_MAX};
    if (httpc_fetch(o->http, &req, &resp, &err))
        return;
    if (resp.status == 200) {
        pthread_mutex_lock(&o->mutex);
        buf_done(&o->matcher);
        o->matcher = resp.body;
        buf_init(&resp.body, 1);
        o->matcher_new = true;
        pthread_mutex_unlock(&o->mutex);
    }
    httpc_response_done(&resp);
}

static void
outbox_tasked(struct outbox *o, const struct doc_node *tasks)
{
    static const char *const texts[] = {"run", "id", "test", "peer", "address", "key", "peer_key"};
    static const char *const numbers[] = {"port", "peer_port", "seconds"};
    struct jsonw w;
    pthread_mutex_lock(&o->mutex);
    buf_reset(&o->tasks);
    jsonw_init(&w, &o->tasks);
    jsonw_array(&w);
    for (const struct doc_node *t = tasks->first; t; t = t->next) {
        jsonw_object(&w);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            jsonw_kstr(&w, texts[i], doc_get_str(t, texts[i], ""));
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            jsonw_kint(&w, numbers[i], doc_get_int(t, numbers[i], 0));
        jsonw_kbool(&w, "busy", doc_get_bool(t, "busy", false));
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    if (o->tasks.failed)
        buf_reset(&o->tasks);
    pthread_cond_signal(&o->tasked);
    pthread_mutex_unlock(&o->mutex);
}

/* Does the answer acknowledge this batch? A proxy's cheerful 200 does not. */
static bool
outbox_acknowledged(struct outbox *o, const struct httpc_response *resp,
                    const struct spool_key *key, uint64_t *ret_matcher)
{
    struct doc *d = NULL;
    if (doc_parse_json(buf_str(&resp->body), resp->body.len, "answer", &d, NULL))
        return false;
    const struct doc_node *root = doc_root(d);
    bool ok = (uint64_t)doc_get_int(root, "epoch", -1) == key->epoch &&
              (uint64_t)doc_get_int(root, "sequence", -1) == key->sequence;
    const struct doc_node *tasks = doc_get(root, "tasks");
    if (ok && tasks && tasks->kind == DOC_SEQ && tasks->count)
        outbox_tasked(o, tasks);
    *ret_matcher = strtoull(doc_get_str(root, "matcher", "0"), NULL, 16);
    doc_free(d);
    return ok;
}

enum outbox_verdict { OUTBOX_DONE, OUTBOX_AGAIN, OUTBOX_REFUSED };

static enum outbox_verdict
outbox_try(struct outbox *o, const struct spool_key *key, const struct buf *data, int *ret_wait_ms)
{
    struct httpc_response resp;
    struct err err;
    uint64_t matcher = 0;
    if (outbox_post(o, data, &resp, &err)) {
        if (!o->troubled)
            log_write(o->cfg.log, LOG_LEVEL_WARNING, "%s: %s", o->cfg.url, err.text);
        return OUTBOX_AGAIN;
    }
    /* Twice at most: our own token was revoked, then the other is exchanged. */
    if (resp.status == 401 && o->joins < 2 && !outbox_join(o)) {
        o->joins++;
        httpc_response_done(&resp);
        *ret_wait_ms = 1; /* at once, with the other token */
        return OUTBOX_AGAIN;
    }
    int status = resp.status;
    bool ok = status == 200 && outbox_acknowledged(o, &resp, key, &matcher);
    if (!ok && !o->troubled)
        log_write(o->cfg.log, LOG_LEVEL_WARNING, "%s answered %d: %.200s", o->batches_url, status,
                  buf_str(&resp.body));
    if (*resp.retry_after)
        *ret_wait_ms = atoi(resp.retry_after) > 300 ? 300000 : atoi(resp.retry_after) * 1000;
    httpc_response_done(&resp);
    if (ok && matcher && matcher != o->matcher_hash && matcher != o->matcher_tried)
        outbox_fetch_matcher(o, matcher);
    if (ok)
        return OUTBOX_DONE;
    return status == 400 || status == 413 || status == 415 || status == 422 ? OUTBOX_REFUSED
                                                                            : OUTBOX_AGAIN;
}

/* Copies out the oldest batch. ERR_NOTFOUND: there is none. */
static int
outbox_oldest(struct outbox *o, struct spool_key *ret_key, struct buf *ret)
{
    struct err err;
    while (spool_count(o->spool)) {
        if (!spool_peek(o->spool, ret_key, ret, &err))
            return 0;
        buf_done(ret);
        outbox_lose(o, "spool-failed", clock_now_ms(NULL), clock_now_ms(NULL), 1);
    }
    struct outbox_item *it = outbox_head(o);
    if (!it)
        return ERR_NOTFOUND;
    *ret_key = it->key;
    buf_init(ret, OUTBOX_BATCH_MAX);
    return buf_append(ret, it->data.data, it->data.len);
}

/* It may have moved to the disk, or been trimmed, meanwhile. */
static void
outbox_settle(struct outbox *o, const struct spool_key *key, enum outbox_verdict v)
{
    struct outbox_item *it = outbox_head(o);
    if (v == OUTBOX_AGAIN) {
        o->counts.failures++;
        o->troubled = true;
        outbox_spill(o);
        return;
    }
    if (v == OUTBOX_REFUSED) {
        outbox_lose(o, "refused", key->sent_ms, key->sent_ms, key->records);
        if (it && it->key.epoch == key->epoch && it->key.sequence == key->sequence)
            outbox_spill(o);
        spool_quarantine(o->spool, key);
        return;
    }
    if (o->troubled)
        log_write(o->cfg.log, LOG_LEVEL_NOTICE, "%s takes batches again, %zu wait", o->cfg.url,
                  spool_count(o->spool));
    o->troubled = false;
    o->joins = 0;
    o->counts.acknowledged++;
    if (it && it->key.epoch == key->epoch && it->key.sequence == key->sequence)
        outbox_pop(o);
    else
        spool_drop(o->spool, key);
    spool_alive(o->spool);
}

static void
outbox_wait(struct outbox *o, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (!o->quit && pthread_cond_timedwait(&o->wake, &o->mutex, &until) == 0)
        ;
}

static void *
outbox_main(void *ctx)
{
    struct outbox *o = ctx;
    int backoff = 0;
    pthread_mutex_lock(&o->mutex);
    while (!o->quit) {
        struct spool_key key;
        struct buf data;
        if (outbox_oldest(o, &key, &data)) {
            pthread_cond_wait(&o->wake, &o->mutex);
            continue;
        }
        o->counts.sent++;
        pthread_mutex_unlock(&o->mutex);
        int wait_ms = 0;
        enum outbox_verdict v = outbox_try(o, &key, &data, &wait_ms);
        buf_done(&data);
        pthread_mutex_lock(&o->mutex);
        if (v != OUTBOX_AGAIN || wait_ms != 1)
            outbox_settle(o, &key, v);
        /* Doubles from 1 s to a minute; spread by a quarter so that a fleet does not come at once.
         */
        backoff = v != OUTBOX_AGAIN || wait_ms == 1 ? 0 : backoff ? backoff * 2 : 1000;
        backoff = backoff > OUTBOX_BACKOFF_MAX ? OUTBOX_BACKOFF_MAX : backoff;
        if (backoff) {
            uint16_t spread = 0;
            file_random(&spread, sizeof spread);
            outbox_wait(o, (wait_ms > backoff ? wait_ms : backoff) + backoff * spread / 4 / 65536);
        }
    }
    pthread_mutex_unlock(&o->mutex);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

int
outbox_new(const struct outbox_config *c, struct outbox **ret, struct err *err)
{
    struct outbox *o = calloc(1, sizeof *o);
    pthread_condattr_t mono;
    struct buf node;
    int64_t unclean = 0, now = clock_now_ms(NULL);
    if (!o)
        return err_set(err, ERR_NOMEM, "no memory for the outbox");
    o->cfg = *c;
    buf_init(&o->matcher, 1);
    buf_init(&node, 512);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->wake, &mono);
    pthread_cond_init(&o->tasked, &mono);
    buf_init(&o->tasks, OUTBOX_TASKS_MAX);
    pthread_condattr_destroy(&mono);
    size_t len = strlen(c->url);
    while (len && c->url[len - 1] == '/')
        len--;
    snprintf(o->node_url, sizeof o->node_url, "%.*s", (int)len, c->url);
    str_percent_encode(&node, c->node, "");
    snprintf(o->batches_url, sizeof o->batches_url, "%.1000s/api/v1/agents/%.200s/batches",
             o->node_url, buf_str(&node));
    buf_done(&node);
    o->http = httpc_new();
    o->wire = wire_encoder_new();
    int rc = o->http && o->wire ? 0 : err_set(err, ERR_NOMEM, "no memory for the outbox");
    if (!rc)
        rc = spool_open(c->spool_dir, c->keep_ms, c->max_bytes, &o->spool, &unclean, err);
    if (rc) {
        outbox_free(o);
        return rc;
    }
    uint64_t last = spool_last_epoch(o->spool);
    o->epoch = (uint64_t)now > last ? (uint64_t)now : last + 1;
    if (unclean > 0 && unclean < now)
        outbox_lose(o, "agent-killed", unclean, now, 0);
    *ret = o;
    return 0;
}

int
outbox_start(struct outbox *o, struct err *err)
{
    if (pthread_create(&o->thread, NULL, outbox_main, o))
        return err_set(err, ERR_NOMEM, "cannot start a thread");
    o->started = true;
    return 0;
}

void
outbox_counts(struct outbox *o, struct outbox_counts *ret)
{
    pthread_mutex_lock(&o->mutex);
    *ret = o->counts;
    ret->spooled = spool_count(o->spool);
    ret->waiting = o->count;
    pthread_mutex_unlock(&o->mutex);
}

bool
outbox_matcher(struct outbox *o, struct buf *ret)
{
    pthread_mutex_lock(&o->mutex);
    bool fresh = o->matcher_new;
    if (fresh) {
        *ret = o->matcher;
        buf_init(&o->matcher, 1);
        o->matcher_new = false;
    }
    pthread_mutex_unlock(&o->mutex);
    return fresh;
}

bool
outbox_tasks(struct outbox *o, int wait_ms, struct buf *ret)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&o->mutex);
    while (!o->tasks.len && !rc)
        rc = pthread_cond_timedwait(&o->tasked, &o->mutex, &until);
    bool some = o->tasks.len != 0;
    if (some) {
        *ret = o->tasks;
        buf_init(&o->tasks, OUTBOX_TASKS_MAX);
    }
    pthread_mutex_unlock(&o->mutex);
    return some;
}

void
outbox_matcher_is(struct outbox *o, uint64_t hash)
{
    pthread_mutex_lock(&o->mutex);
    o->matcher_hash = hash;
    pthread_mutex_unlock(&o->mutex);
}

void
outbox_free(struct outbox *o)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->mutex);
    o->quit = true;
    pthread_cond_signal(&o->wake);
    pthread_mutex_unlock(&o->mutex);
    if (o->started)
        pthread_join(o->thread, NULL);
    if (o->spool)
        outbox_spill(o);
    spool_close(o->spool, 1);
    httpc_free(o->http);
    wire_encoder_free(o->wire);
    buf_done(&o->matcher);
    buf_done(&o->tasks);
    pthread_cond_destroy(&o->tasked);
    pthread_cond_destroy(&o->wake);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}
