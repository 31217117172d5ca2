/* remote: the engine's life within the store, and what the store's other parts ask of it. */
#include "store/remote_priv.h"

#include "base/clock.h"
#include "base/httpc.h"
#include "base/str.h"
#include "store/dayfile.h"
#include "store/journal.h"
#include "store/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMOTE_RECENT_MS  ((int64_t)6 * 3600000)
#define REMOTE_SPOOL      ((int64_t)50000000000)
#define REMOTE_SHARDS     4
#define REMOTE_TIMEOUT_MS 30000
#define REMOTE_AWAY_US    ((int64_t)60000000)
#define REMOTE_AGAIN_S    30
#define REMOTE_BEHIND_MS  ((int64_t)120000)
#define REMOTE_SAFE_MS    ((int64_t)600000) /* between what is sent and what may leave here */

/* --- configuration ---------------------------------------------------------------------------- */

static int
remote_check_url(const char *key, const char *url, struct err *err)
{
    if (!url || !*url)
        return err_set(err, ERR_SYNTAX, "store.engine: prometheus needs store.%s", key);
    if (!str_prefix(url, "http://") && !str_prefix(url, "https://"))
        return err_set(err, ERR_SYNTAX, "store.%s must begin with http:// or https://: %.200s", key,
                       url);
    return strlen(url) < 1500 ? 0 : err_set(err, ERR_LIMIT, "store.%s is too long", key);
}

int
remote_config_check(const struct remote_config *c, struct err *err)
{
    int rc = remote_check_url("write_url", c->write_url, err);
    if (!rc)
        rc = remote_check_url("query_url", c->query_url, err);
    for (size_t i = 0; !rc && i < c->external.count; i++) {
        const struct label *l = &c->external.at[i];
        for (uint32_t k = 0; k < l->name_len; k++)
            if (!(l->name[k] == '_' || (l->name[k] >= 'a' && l->name[k] <= 'z') ||
                  (l->name[k] >= 'A' && l->name[k] <= 'Z') ||
                  (k && l->name[k] >= '0' && l->name[k] <= '9')))
                rc = err_set(err, ERR_SYNTAX, "store.external_labels: %.*s is no label name",
                             (int)l->name_len, l->name);
        if (!rc && l->name_len == 8 && !memcmp(l->name, "__name__", 8))
            rc = err_set(err, ERR_SYNTAX, "store.external_labels cannot name the metric");
    }
    return rc;
}

/* --- times ------------------------------------------------------------------------------------ */

int64_t
remote_local_from(const struct remote *r)
{
    int64_t since = r->since, trimmed = r->trimmed;
    return since > trimmed ? since : trimmed;
}

bool
remote_wanted(const struct remote *r, int64_t from_ms)
{
    return r->cfg.read_all || from_ms < remote_local_from(r);
}

void
remote_trouble(struct remote *r, const char *text)
{
    pthread_mutex_lock(&r->lock);
    str_copy(r->trouble, sizeof r->trouble, text);
    pthread_mutex_unlock(&r->lock);
}

/* --- life ------------------------------------------------------------------------------------- */

static void
remote_defaults(struct remote *r)
{
    struct remote_config *c = &r->cfg;
    c->recent_ms = c->recent_ms ? c->recent_ms : REMOTE_RECENT_MS;
    c->spool_bytes = c->spool_bytes ? c->spool_bytes : REMOTE_SPOOL;
    c->shards = c->shards ? c->shards : REMOTE_SHARDS;
    c->shards = c->shards < 64 ? c->shards : 64;
    c->again_s = c->again_s ? c->again_s : REMOTE_AGAIN_S;
    c->again_s = c->again_s < 600 ? c->again_s : 600;
    c->away_us = c->away_us ? c->away_us : REMOTE_AWAY_US;
    c->timeout_ms = c->timeout_ms ? c->timeout_ms : REMOTE_TIMEOUT_MS;
}

static int
remote_load(struct remote *r, struct err *err)
{
    int64_t now = clock_now_ms(r->store->cfg.clock), since = now, trimmed = 0;
    int rc = remote_spool_get(r->spool, "since", now, &since, err);
    if (!rc && since == now)
        rc = remote_spool_set(r->spool, "since", now, err);
    if (!rc)
        rc = remote_spool_get(r->spool, "trimmed", 0, &trimmed, err);
    r->since = since;
    r->trimmed = trimmed;
    return rc;
}

int
remote_open(struct store *s, struct err *err)
{
    struct remote *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for the engine");
    r->store = s;
    r->cfg = *s->cfg.engine;
    pthread_mutex_init(&r->lock, NULL);
    remote_defaults(r);
    s->remote = r;
    int rc = remote_config_check(&r->cfg, err);
    if (!rc && !(r->words = remote_words_new()))
        rc = err_set(err, ERR_NOMEM, "no memory for the engine");
    if (!rc)
        rc = remote_spool_open(s->cfg.folder, journal_seed(s->journal), journal_next(s->journal),
                               &r->spool, err);
    if (!rc)
        rc = remote_load(r, err);
    return rc ? rc : remote_sender_start(r, &r->sender, err);
}

void
remote_stop(struct remote *r)
{
    if (r)
        remote_sender_stop(r->sender);
}

void
remote_close(struct remote *r)
{
    if (!r)
        return;
    remote_sender_free(r->sender);
    remote_spool_close(r->spool);
    for (size_t i = 0; i < r->idle_count; i++)
        httpc_free(r->idle[i]);
    remote_words_free(r->words);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* --- hooks ------------------------------------------------------------------------------------ */

struct remote_lost {
    struct remote *remote;
    int64_t from, to;
    uint64_t count;
};

/* A batch for which the spool has no room: what it held becomes a gap. */
static int
remote_lost_batch(void *ctx, uint64_t number, const void *data, size_t len)
{
    struct remote_lost *l = ctx;
    struct record_batch rb;
    uint64_t id, n;
    struct sample x;
    (void)number;
    if (record_batch_open(data, len, &rb))
        return 0;
    while (record_batch_next(&rb, &id, &n) > 0)
        for (; n > 0 && record_batch_sample(&rb, &x); n--) {
            l->from = !l->count || x.t_ms < l->from ? x.t_ms : l->from;
            l->to = !l->count || x.t_ms > l->to ? x.t_ms : l->to;
            l->count++;
        }
    return 0;
}

int
remote_keep(struct remote *r, uint64_t number, struct err *err)
{
    if (!r)
        return 0;
    struct remote_lost lost = {.remote = r};
    struct remote_spool_keep k = {.through = number,
                                  .busy = remote_sender_busy(r->sender),
                                  .max_bytes = r->cfg.spool_bytes,
                                  .dropped = remote_lost_batch,
                                  .ctx = &lost};
    int rc = remote_spool_keep(r->spool, &k, err);
    r->counters.dropped += lost.count;
    if (lost.count)
        remote_gap(r, lost.from, lost.to, lost.count, "spool-full");
    return rc;
}

bool
remote_behind(struct remote *r)
{
    return r && (remote_spool_bytes(r->spool) > 0 ||
                 clock_now_ms(r->store->cfg.clock) - r->synced_ms > REMOTE_BEHIND_MS);
}

/* What is older than recent_ms, and was sent some time ago, leaves. The boundary is durable before
 * anything goes, so that nobody looks for it here. */
int
remote_trim(struct remote *r, struct err *err)
{
    if (!r)
        return 0;
    int64_t to = clock_now_ms(r->store->cfg.clock) - r->cfg.recent_ms,
            sent = r->synced_ms - REMOTE_SAFE_MS, since = r->since;
    to = to < sent ? to : sent;
    if (to <= since || to <= r->trimmed)
        return 0;
    int rc = remote_spool_set(r->spool, "trimmed", to, err);
    if (rc)
        return rc;
    r->trimmed = to;
    return days_trim(r->store->days, since, to, err);
}

void
remote_tell(struct remote *r, bool away)
{
    char text[300];
    struct store_batch *b = store_batch_new(r->store);
    pthread_mutex_lock(&r->lock);
    str_copy(text, sizeof text, away ? r->trouble : "the engine takes samples again");
    pthread_mutex_unlock(&r->lock);
    struct event ev = {.time_ms = clock_now_ms(r->store->cfg.clock),
                       .severity = away ? SEVERITY_WARNING : SEVERITY_INFO,
                       .phase = away ? EVENT_BEGIN : EVENT_END,
                       .entity = "cluster:-",
                       .code = "telemetry.engine-unreachable",
                       .source = "store",
                       .text = text};
    if (b && !store_batch_event(b, &ev))
        store_submit(r->store, b, NULL, NULL);
    else
        store_batch_free(b);
}

void
remote_gap(struct remote *r, int64_t from, int64_t to, uint64_t count, const char *reason)
{
    struct gap gap = {
        .from_ms = from, .to_ms = to, .count = count, .source = "engine", .reason = reason};
    struct store_batch *b = store_batch_new(r->store);
    if (b && !store_batch_gap(b, &gap))
        store_submit(r->store, b, NULL, NULL);
    else
        store_batch_free(b);
}

/* --- what it says of itself ------------------------------------------------------------------- */

static const struct remote_metric {
    const char *name, *help;
    size_t offset;
} remote_metric_rows[] = {
    {"sent_samples_total", "Samples that the engine took.", offsetof(struct remote_counters, sent)},
    {"requests_total", "Requests of samples to the engine.",
     offsetof(struct remote_counters, requests)},
    {"sent_bytes_total", "Bytes of the requests that the engine took, compressed.",
     offsetof(struct remote_counters, bytes)},
    {"retries_total", "Requests that were not answered, or with 429 or 5xx, and sent again.",
     offsetof(struct remote_counters, retries)},
    {"refused_samples_total", "Samples that the engine would not have (4xx); each is in a gap.",
     offsetof(struct remote_counters, refused)},
    {"dropped_samples_total", "Samples for which the spool had no room; each is in a gap.",
     offsetof(struct remote_counters, dropped)},
    {"damaged_batches_total", "Batches on their way whose checksum was wrong.",
     offsetof(struct remote_counters, damaged)},
    {"questions_total", "Questions to the engine.", offsetof(struct remote_counters, asked)},
    {"question_failures_total", "Questions that the engine did not answer, or with an error.",
     offsetof(struct remote_counters, ask_failures)},
};

static void
remote_put(struct buf *out, const char *name, const char *type, const char *help, double v)
{
    buf_printf(out,
               "# HELP myriascope_engine_%s %s\n# TYPE myriascope_engine_%s %s\n"
               "myriascope_engine_%s %.15g\n",
               name, help, name, type, name, v);
}

void
remote_metrics(struct remote *r, struct buf *out)
{
    if (!r)
        return;
    for (size_t i = 0; i < sizeof remote_metric_rows / sizeof *remote_metric_rows; i++) {
        const struct remote_metric *m = &remote_metric_rows[i];
        const atomic_uint_fast64_t *at = (const void *)((const char *)&r->counters + m->offset);
        remote_put(out, m->name, "counter", m->help, (double)*at);
    }
    pthread_mutex_lock(&r->lock);
    bool up = !*r->trouble;
    pthread_mutex_unlock(&r->lock);
    int64_t synced = r->synced_ms, now = clock_now_ms(r->store->cfg.clock);
    remote_put(out, "up", "gauge", "1: the last request of samples was taken.", up);
    remote_put(out, "spool_bytes", "gauge", "What waits for the engine beside the journal.",
               (double)remote_spool_bytes(r->spool));
    if (synced)
        remote_put(out, "lag_seconds", "gauge",
                   "Everything taken in longer ago than this is at the engine.",
                   (double)(now - synced) / 1000);
}

int
store_engine(struct store *s, struct store_engine *ret)
{
    struct remote *r = s->remote;
    if (!r)
        return ERR_NOTFOUND;
    *ret = (struct store_engine){.write_url = r->cfg.write_url,
                                 .query_url = r->cfg.query_url,
                                 .spool_bytes = remote_spool_bytes(r->spool),
                                 .sent_samples = r->counters.sent,
                                 .lost_samples = r->counters.refused + r->counters.dropped,
                                 .synced_ms = r->synced_ms};
    pthread_mutex_lock(&r->lock);
    str_copy(ret->trouble, sizeof ret->trouble, r->trouble);
    pthread_mutex_unlock(&r->lock);
    return 0;
}
