/* remote_send: from the journal to the engine, in rounds.
 *
 * A round takes what waits, up to REMOTE_ROUND samples, deals it out to the shards by series, and
 * ends when every shard has sent its part; then the number of its last batch is kept. So a series'
 * samples stay in order and memory is bounded by one round. What goes once more are the same
 * samples at the same times, which engines drop.
 *
 * Engines answer before what they took is on their disk. So the number that is kept is that of
 * cfg.again_s seconds ago: after a crash here, and when the engine was gone and is back, sending
 * goes on from there.
 *
 * Load: 300,000 samples a second are some rounds a second; after an hour's absence a round holds
 * many samples a series, and their labels go once for all of them.
 *
 * 429, 5xx and no answer are tried again with backoff for as long as it takes; so are answers that
 * speak of this appliance and not of its samples (401, 403, 404, 408, 425). With any other 4xx the
 * request is halved until the series that the engine will not have is alone: it is counted, and
 * becomes a gap. */
#include "store/remote_priv.h"

#include "base/clock.h"
#include "base/compress.h"
#include "base/httpc.h"
#include "base/str.h"
#include "store/record.h"
#include "store/series.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REMOTE_ROUND          ((size_t)500000) /* samples: 12 MB */
#define REMOTE_REQUEST        10000            /* samples: a body of about a megabyte */
#define REMOTE_LINGER_MS      300  /* more comes in that time, and shares labels and requests */
#define REMOTE_IDLE_MS        1000 /* a look without being called */
#define REMOTE_MARK_US        1000000
#define REMOTE_AGAIN_MAX      600                 /* seconds */
#define REMOTE_REWIND_US      ((int64_t)60000000) /* once in that time at most */
#define REMOTE_BODY_MAX       ((size_t)64 << 20)
#define REMOTE_BACKOFF_MS     100
#define REMOTE_BACKOFF_MAX_MS 15000
#define REMOTE_STOP_US        2000000
#define REMOTE_SLICE          256 /* series encoded between two looks at writers that wait */
#define REMOTE_SPLITS         64  /* requests that one refused request may become */

struct remote_shard {
    struct remote_sender *sender;
    pthread_t thread;
    bool started, busy;
    struct httpc *http;
    struct remote_access access;
    struct remote_entry *at;
    size_t count;
    struct buf raw, packed;
    uint64_t seed; /* of the jitter */
    unsigned splits;
    uint64_t refused; /* of this round */
    int64_t refused_from, refused_to;
};

struct remote_sender {
    struct remote *remote;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* stop, failing, fresh, busy flags */
    pthread_cond_t wake, work, done;
    bool stop, abandon, quit, fresh; /* quit: no more rounds */
    unsigned pending, failing;       /* shards at work; those that wait to try again */
    struct remote_entry *entries, *spare;
    size_t count, cap;
    uint64_t at, marked;             /* batches up to here are sent; and said so in remote.db */
    uint64_t past[REMOTE_AGAIN_MAX]; /* `at` of the last seconds, a ring from past_at, the oldest */
    size_t past_at;
    bool gone; /* the engine did not answer at all; under the lock */
    int64_t rewound_us;
    int64_t fine_us; /* when the last round ended, or nothing waited */
    bool told;       /* that the engine is away */
    atomic_uint_fast64_t busy;
    int64_t stop_us, marked_us;
    struct remote_shard *shards;
    unsigned shard_count;
};

/* --- time ------------------------------------------------------------------------------------- */

static void
remote_wait(struct remote_sender *s, pthread_cond_t *c, unsigned ms) /* under the lock */
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    t.tv_sec += (time_t)(ms / 1000) + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(c, &s->lock, &t);
}

/* Waits before the next try; false when there is none. The engine's own wish counts where it is
 * longer. */
static bool
remote_backoff(struct remote_shard *sh, unsigned *delay_ms, const char *retry_after)
{
    struct remote_sender *s = sh->sender;
    int64_t asked = 0;
    sh->seed = sh->seed * 6364136223846793005u + 1442695040888963407u;
    unsigned ms = *delay_ms * 3 / 4 + (unsigned)(sh->seed >> 33) % (*delay_ms / 2 + 1);
    if (!str_i64(retry_after, strlen(retry_after), &asked) && asked > 0 && asked <= 60)
        ms = ms > (unsigned)asked * 1000 ? ms : (unsigned)asked * 1000;
    *delay_ms = *delay_ms * 2 < REMOTE_BACKOFF_MAX_MS ? *delay_ms * 2 : REMOTE_BACKOFF_MAX_MS;
    int64_t end = clock_mono_us() + (int64_t)ms * 1000, now;
    pthread_mutex_lock(&s->lock);
    s->failing++;
    while (!s->abandon && (now = clock_mono_us()) < end)
        remote_wait(s, &s->work, (unsigned)((end - now) / 1000) + 1);
    s->failing--;
    bool go = !s->abandon;
    pthread_mutex_unlock(&s->lock);
    return go;
}

/* --- one request ------------------------------------------------------------------------------ */

static size_t
remote_run_end(const struct remote_entry *at, size_t i, size_t n)
{
    size_t end = i + 1;
    while (end < n && at[end].id == at[i].id)
        end++;
    return end;
}

static void
remote_refuse(struct remote_shard *sh, const struct remote_entry *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!sh->refused || at[i].t_ms < sh->refused_from)
            sh->refused_from = at[i].t_ms;
        if (!sh->refused || at[i].t_ms > sh->refused_to)
            sh->refused_to = at[i].t_ms;
        sh->refused++;
    }
    sh->sender->remote->counters.refused += n;
}

/* The body of a request, from entries sorted by series. */
static int
remote_body(struct remote_shard *sh, const struct remote_entry *at, size_t n)
{
    struct remote *r = sh->sender->remote;
    struct index *ix = r->store->index;
    struct labels l;
    int rc = 0;
    buf_reset(&sh->raw);
    buf_reset(&sh->packed);
    for (size_t i = 0; !rc && i < n;) {
        pthread_rwlock_rdlock(&ix->lock);
        for (size_t k = 0; !rc && k < REMOTE_SLICE && i < n; k++) {
            size_t end = remote_run_end(at, i, n);
            bool known = at[i].id < ix->next_id && series_at(ix, at[i].id)->pairs;
            if (known)
                series_labels(ix, series_at(ix, at[i].id), &l);
            rc = known ? remote_encode_series(&sh->raw, &l, &r->cfg.external, at + i, end - i)
                       : ERR_NOTFOUND;
            if (rc && rc != ERR_NOMEM) {
                remote_refuse(sh, at + i, end - i);
                rc = 0;
            }
            i = end;
        }
        pthread_rwlock_unlock(&ix->lock);
    }
    return rc ? rc : compress_snappy(sh->raw.data, sh->raw.len, &sh->packed);
}

enum remote_verdict { REMOTE_TAKEN, REMOTE_AGAIN, REMOTE_REFUSED };

static enum remote_verdict
remote_judge(struct remote *r, int rc, const struct httpc_response *resp, const struct err *err)
{
    static const int ours[] = {401, 403, 404, 405, 407, 408, 425, 429};
    char text[256], said[160] = "";
    if (!rc && resp->status >= 200 && resp->status < 300)
        return REMOTE_TAKEN;
    if (rc) {
        snprintf(text, sizeof text, "the engine at %.120s does not answer: %.100s",
                 r->cfg.write_url, err->text);
    } else {
        str_copy(said, sizeof said, buf_str(&resp->body));
        said[strcspn(said, "\r\n")] = 0;
        snprintf(text, sizeof text, "the engine at %.100s answers %d: %.110s", r->cfg.write_url,
                 resp->status, said);
    }
    remote_trouble(r, text);
    if (rc || resp->status < 400 || resp->status >= 500)
        return REMOTE_AGAIN;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (resp->status == ours[i])
            return REMOTE_AGAIN;
    return REMOTE_REFUSED;
}

/* Until it is taken or refused for good: 0, 1 refused, ERR_CLOSED. */
static int
remote_post(struct remote_shard *sh)
{
    static const char *const more[] = {"Content-Encoding: snappy",
                                       "Content-Type: application/x-protobuf",
                                       "X-Prometheus-Remote-Write-Version: 0.1.0", NULL};
    struct remote *r = sh->sender->remote;
    unsigned delay = REMOTE_BACKOFF_MS;
    for (;;) {
        struct httpc_request req = {.method = "POST", .url = r->cfg.write_url};
        struct httpc_response resp = {0};
        struct err err;
        req.body = sh->packed.data;
        req.body_len = sh->packed.len;
        req.timeout_ms = (unsigned)r->cfg.timeout_ms;
        int rc = remote_access_fill(&r->cfg, more, &sh->access, &req, &err);
        bool asked = !rc;
        if (asked)
            rc = httpc_fetch(sh->http, &req, &resp, &err);
        enum remote_verdict v = remote_judge(r, rc, &resp, &err);
        char retry_after[32];
        str_copy(retry_after, sizeof retry_after, rc ? "" : resp.retry_after);
        if (asked)
            httpc_response_done(&resp);
        r->counters.requests++;
        r->counters.bytes += v == REMOTE_TAKEN ? sh->packed.len : 0;
        if (v != REMOTE_AGAIN)
            return v == REMOTE_REFUSED;
        r->counters.retries++;
        if (rc == ERR_CLOSED) {
            pthread_mutex_lock(&sh->sender->lock);
            sh->sender->gone = true;
            pthread_mutex_unlock(&sh->sender->lock);
        }
        if (!remote_backoff(sh, &delay, retry_after))
            return ERR_CLOSED;
    }
}

static int
remote_request(struct remote_shard *sh, const struct remote_entry *at, size_t n)
{
    uint64_t before = sh->refused;
    int rc = remote_body(sh, at, n);
    if (rc)
        return rc;
    if (!sh->raw.len)
        return 0;
    rc = remote_post(sh);
    if (rc < 0)
        return rc;
    if (!rc) {
        sh->sender->remote->counters.sent += n - (sh->refused - before);
        return 0;
    }
    size_t half = n / 2;
    if (n == 1 || ++sh->splits > REMOTE_SPLITS) {
        remote_refuse(sh, at, n);
        return 0;
    }
    sh->sender->remote->counters.refused -= sh->refused - before;
    sh->refused = before; /* those that cannot be encoded are counted again below */
    rc = remote_request(sh, at, half);
    return rc ? rc : remote_request(sh, at + half, n - half);
}

/* A shard's part of a round. */
static int
remote_part(struct remote_shard *sh)
{
    int rc = 0;
    struct remote_sender *s = sh->sender;
    sh->splits = 0;
    remote_sort_entries(sh->at, s->spare + (sh->at - s->entries), sh->count);
    for (size_t i = 0; !rc && i < sh->count;) {
        size_t end = i;
        while (end < sh->count && end - i < REMOTE_REQUEST)
            end = remote_run_end(sh->at, end, sh->count);
        if (end - i > 2 * REMOTE_REQUEST) /* a series with very many samples */
            end = i + REMOTE_REQUEST;
        rc = remote_request(sh, sh->at + i, end - i);
        i = end;
    }
    return rc;
}

static void *
remote_shard_main(void *arg)
{
    struct remote_shard *sh = arg;
    struct remote_sender *s = sh->sender;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!sh->busy && !s->quit)
            pthread_cond_wait(&s->work, &s->lock);
        if (!sh->busy)
            break;
        pthread_mutex_unlock(&s->lock);
        int rc = remote_part(sh);
        pthread_mutex_lock(&s->lock);
        if (rc) /* the round is not done: it is sent again, by the next process if need be */
            s->abandon = true;
        sh->busy = false;
        s->pending--;
        pthread_cond_broadcast(&s->done);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static int
remote_room(struct remote_sender *s, size_t more)
{
    if (s->count + more <= s->cap)
        return 0;
    size_t cap = s->cap ? s->cap : REMOTE_ROUND;
    while (cap < s->count + more)
        cap *= 2;
    struct remote_entry *p = realloc(s->entries, cap * sizeof *p);
    if (p)
        s->entries = p;
    struct remote_entry *q = realloc(s->spare, cap * sizeof *q);
    if (q)
        s->spare = q;
    if (!p || !q)
        return ERR_NOMEM;
    s->cap = cap;
    return 0;
}

static int
remote_take_samples(struct remote_sender *s, struct record_batch *rb)
{
    uint64_t id, n;
    int rc;
    struct sample x;
    while ((rc = record_batch_next(rb, &id, &n)) > 0) {
        if (n > (uint64_t)(rb->in.end - rb->in.p)) /* a sample has two bytes at least */
            return ERR_CORRUPT;
        if ((rc = remote_room(s, (size_t)n)))
            return rc;
        for (; n > 0 && record_batch_sample(rb, &x); n--)
            s->entries[s->count++] = (struct remote_entry){(uint32_t)id, x.t_ms, x.v};
    }
    return rc || rb->in.bad ? ERR_CORRUPT : 0;
}

static int
remote_take(void *ctx, uint64_t number, const void *data, size_t len)
{
    struct remote_sender *s = ctx;
    struct record_batch rb;
    size_t before = s->count;
    int rc = record_batch_open(data, len, &rb);
    if (!rc)
        rc = remote_take_samples(s, &rb);
    if (rc && rc != ERR_CORRUPT)
        return rc;
    if (rc) { /* its bytes are wrong: memory and day files tell of it too */
        s->count = before;
        s->remote->counters.damaged++;
    }
    s->busy = number;
    return s->count >= REMOTE_ROUND;
}

/* Entries by shard, into the spare and back. */
static void
remote_deal(struct remote_sender *s)
{
    size_t first[65] = {0};
    unsigned n = s->shard_count;
    for (size_t i = 0; i < s->count; i++)
        first[s->entries[i].id % n + 1]++;
    for (unsigned k = 0; k < n; k++)
        first[k + 1] += first[k];
    for (unsigned k = 0; k < n; k++) {
        s->shards[k].at = s->spare + first[k];
        s->shards[k].count = 0;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct remote_shard *sh = &s->shards[s->entries[i].id % n];
        sh->at[sh->count++] = s->entries[i];
    }
    struct remote_entry *swap = s->entries;
    s->entries = s->spare;
    s->spare = swap;
}

/* What the engine will not have is told as gaps. */
static void
remote_refusals(struct remote_sender *s)
{
    for (unsigned k = 0; k < s->shard_count; k++) {
        struct remote_shard *sh = &s->shards[k];
        if (sh->refused)
            remote_gap(s->remote, sh->refused_from, sh->refused_to, sh->refused, "refused");
        sh->refused = 0;
    }
}

/* Keeps the number of again_s seconds ago, or of now when the last round is done. */
static void
remote_mark(struct remote_sender *s, bool last)
{
    int64_t now = clock_mono_us(), seconds = (now - s->marked_us) / REMOTE_MARK_US;
    size_t n = s->remote->cfg.again_s;
    uint64_t mark = s->at, before = s->past[(s->past_at + n - 1) % n];
    if (!last && seconds < 1)
        return;
    seconds = last ? 0 : seconds < (int64_t)n ? seconds : (int64_t)n;
    for (; seconds > 0; seconds--, s->past_at = (s->past_at + 1) % n) {
        mark = s->past[s->past_at];
        s->past[s->past_at] = seconds > 1 ? before : s->at;
    }
    s->marked_us = now;
    if (mark > s->marked && !remote_spool_mark(s->remote->spool, mark, NULL))
        s->marked = mark;
}

/* An engine that was gone and is back may have lost what it took last. */
static void
remote_rewind(struct remote_sender *s)
{
    pthread_mutex_lock(&s->lock);
    bool gone = s->gone;
    s->gone = false;
    pthread_mutex_unlock(&s->lock);
    int64_t now = clock_mono_us();
    if (!gone || (s->rewound_us && now - s->rewound_us < REMOTE_REWIND_US))
        return;
    s->rewound_us = now;
    s->at = s->marked;
    for (size_t i = 0; i < REMOTE_AGAIN_MAX; i++)
        s->past[i] = s->marked;
}

/* An engine that takes nothing for a minute is told once, and when it does again. */
static void
remote_watch(struct remote_sender *s, bool fine)
{
    int64_t now = clock_mono_us();
    bool away = !fine && now - s->fine_us > s->remote->cfg.away_us;
    s->fine_us = fine ? now : s->fine_us;
    if (away == s->told || (!away && !fine))
        return;
    s->told = away;
    remote_tell(s->remote, away);
}

/* 1 sent some, 0 nothing waits, negative: later. */
static int
remote_round(struct remote_sender *s)
{
    int64_t began = clock_now_ms(s->remote->store->cfg.clock);
    struct err err;
    s->count = 0;
    s->busy = s->at;
    int rc = remote_spool_read(s->remote->spool, s->at, remote_take, s, &err);
    if (rc) {
        remote_trouble(s->remote, err.text);
        s->busy = s->at;
        return rc;
    }
    bool all = s->count < REMOTE_ROUND;
    if (s->busy == s->at) {
        remote_watch(s, true);
        s->remote->synced_ms = began;
        return 0;
    }
    remote_deal(s);
    pthread_mutex_lock(&s->lock);
    for (unsigned k = 0; k < s->shard_count; k++) {
        s->shards[k].busy = s->shards[k].count > 0;
        s->pending += s->shards[k].busy;
    }
    pthread_cond_broadcast(&s->work);
    while (s->pending) {
        if (s->stop && clock_mono_us() > s->stop_us && !s->abandon) {
            s->abandon = true;
            pthread_cond_broadcast(&s->work);
        }
        remote_wait(s, &s->done, REMOTE_IDLE_MS);
        if (!s->failing) /* it takes its time, but it takes */
            continue;
        pthread_mutex_unlock(&s->lock); /* what follows may wake this sender */
        remote_watch(s, false);
        pthread_mutex_lock(&s->lock);
    }
    bool whole = !s->abandon;
    pthread_mutex_unlock(&s->lock);
    if (!whole)
        return ERR_CLOSED;
    s->at = s->busy;
    remote_watch(s, true);
    remote_refusals(s);
    if (s->count)
        remote_trouble(s->remote, "");
    if (all)
        s->remote->synced_ms = began;
    remote_mark(s, false);
    remote_rewind(s);
    return 1;
}

static void *
remote_sender_main(void *arg)
{
    struct remote_sender *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        if (!s->fresh && !s->stop)
            remote_wait(s, &s->wake, REMOTE_IDLE_MS);
        if (s->fresh && !s->stop) {
            pthread_mutex_unlock(&s->lock);
            struct timespec linger = {0, REMOTE_LINGER_MS * 1000000L};
            nanosleep(&linger, NULL);
            pthread_mutex_lock(&s->lock);
        }
        bool stop = s->stop;
        s->fresh = false;
        pthread_mutex_unlock(&s->lock);
        int rc;
        while ((rc = remote_round(s)) > 0 && !(stop && clock_mono_us() > s->stop_us))
            ;
        remote_mark(s, stop && !rc);
        pthread_mutex_lock(&s->lock);
        if (stop)
            break;
        if (s->abandon) { /* memory ran out, say: again, from the last round's end */
            s->abandon = false;
            remote_wait(s, &s->wake, REMOTE_IDLE_MS);
        }
    }
    s->quit = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static void
remote_sender_fresh(void *ctx)
{
    struct remote_sender *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->fresh = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static int
remote_shard_start(struct remote_sender *s, unsigned k)
{
    struct remote_shard *sh = &s->shards[k];
    sh->sender = s;
    sh->seed = (uint64_t)clock_mono_us() + k * 0x9e3779b97f4a7c15u;
    buf_init(&sh->raw, REMOTE_BODY_MAX);
    buf_init(&sh->packed, 2 * REMOTE_BODY_MAX);
    if (!(sh->http = httpc_new()))
        return ERR_NOMEM;
    sh->started = !pthread_create(&sh->thread, NULL, remote_shard_main, sh);
    return sh->started ? 0 : ERR_NOMEM;
}

int
remote_sender_start(struct remote *r, struct remote_sender **ret, struct err *err)
{
    struct remote_sender *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->remote = r;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->done, NULL);
    s->at = s->marked = remote_spool_sent(r->spool);
    s->busy = s->at;
    for (size_t i = 0; i < REMOTE_AGAIN_MAX; i++)
        s->past[i] = s->at;
    s->marked_us = s->fine_us = clock_mono_us();
    s->fresh = true;
    s->shards = calloc(r->cfg.shards, sizeof *s->shards);
    int rc = s->shards ? 0 : ERR_NOMEM;
    for (unsigned k = 0; !rc && k < r->cfg.shards; k++, s->shard_count++)
        rc = remote_shard_start(s, k);
    if (!rc)
        s->started = !pthread_create(&s->thread, NULL, remote_sender_main, s);
    if (!rc && s->started)
        rc = store_subscribe(r->store,
                             &(struct store_feed){.committed = remote_sender_fresh, .ctx = s});
    if (rc || !s->started) {
        remote_sender_free(s);
        return err_set(err, rc ? rc : ERR_NOMEM, "cannot start what sends to the engine");
    }
    *ret = s;
    return 0;
}

void
remote_sender_stop(struct remote_sender *s)
{
    if (!s || s->stop)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop_us = clock_mono_us() + REMOTE_STOP_US;
    s->stop = true;
    s->quit |= !s->started;
    s->abandon |= s->failing > 0; /* an engine that is away is not waited for */
    pthread_cond_broadcast(&s->wake);
    pthread_cond_broadcast(&s->work);
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    for (unsigned k = 0; s->shards && k < s->remote->cfg.shards; k++)
        if (s->shards[k].started)
            pthread_join(s->shards[k].thread, NULL);
}

void
remote_sender_free(struct remote_sender *s)
{
    if (!s)
        return;
    remote_sender_stop(s);
    for (unsigned k = 0; s->shards && k < s->remote->cfg.shards; k++) {
        struct remote_shard *sh = &s->shards[k];
        httpc_free(sh->http);
        buf_done(&sh->raw);
        buf_done(&sh->packed);
    }
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    free(s->shards);
    free(s->entries);
    free(s->spare);
    free(s);
}

uint64_t
remote_sender_busy(struct remote_sender *s)
{
    return s->busy;
}
