/* writer: batches wait in a queue with a ceiling in bytes; the thread takes what waits, up to a
 * group's size, and commits it in one transaction, so that a thousand producers share one sync.
 * When batches came while a group was committed, the next one waits a moment for as many as both
 * had: producers that were answered come again, and two of them would else take turns, a sync each.
 *
 * What is always true: a batch is acknowledged after its commit and after it can be read; a failed
 * group leaves neither marks nor samples. */
#include "store/writer.h"

#include "base/map.h"
#include "store/apply.h"
#include "store/head.h"
#include "store/journal.h"
#include "store/record.h"
#include "store/registry.h"
#include "store/rows.h"
#include "store/series.h"
#include "store/store_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WRITER_GROUP_BYTES   ((size_t)8 << 20) /* bounds the wait of the first in a group */
#define WRITER_GROUP_BATCHES 1024
#define WRITER_FEEDS         8
#define WRITER_MARKS_MAX     ((size_t)1 << 20)
#define WRITER_GATHER_NS     2000000 /* a sync costs 0.3 ms of CPU, and longer on a disk */
#define WRITER_GATHER_MAX    64      /* batches that are waited for */

struct writer_job {
    struct writer_job *next;
    int (*fn)(struct store *s, void *ctx);
    void *ctx;
    int rc;
    bool done;
};

struct writer {
    struct store *store;
    pthread_t thread;
    bool started, closed, busy, stop;
    pthread_mutex_t lock; /* queue, jobs, stop */
    pthread_cond_t work, finished;
    struct store_batch *first, *last;
    struct writer_job *jobs;
    size_t queue_bytes, queued;
    size_t expected; /* batches that the next group likely has */
    pthread_mutex_t marks_lock;
    struct map *marks; /* source 0 epoch -> sequence + 1 */
    struct store_feed feeds[WRITER_FEEDS];
    size_t feed_count;
    struct apply apply;
    struct buf record;
    struct writer_entry {
        struct store_batch *batch;
        size_t first;
        bool staged;
        void *mark_before;
    } group[WRITER_GROUP_BATCHES];
    size_t group_count;
    atomic_uint_fast64_t applied, row0;
};

/* --- watermarks ------------------------------------------------------------------------------- */

static size_t
writer_mark_key(const char *source, uint64_t epoch, char key[512])
{
    size_t n = strnlen(source, 480);
    memcpy(key, source, n);
    memcpy(key + n, &epoch, sizeof epoch);
    return n + sizeof epoch;
}

static int
writer_mark_set(struct writer *w, const char *source, uint64_t epoch, void *value, void **ret_old)
{
    char key[512];
    size_t n = writer_mark_key(source, epoch, key);
    pthread_mutex_lock(&w->marks_lock);
    int rc = 0;
    if (value)
        rc = map_set(w->marks, key, n, value, ret_old);
    else
        map_remove(w->marks, key, n);
    pthread_mutex_unlock(&w->marks_lock);
    return rc;
}

static uint64_t
writer_mark_get(struct writer *w, const char *source, uint64_t epoch) /* sequence + 1, 0: none */
{
    char key[512];
    size_t n = writer_mark_key(source, epoch, key);
    pthread_mutex_lock(&w->marks_lock);
    uint64_t v = (uint64_t)(uintptr_t)map_get(w->marks, key, n);
    pthread_mutex_unlock(&w->marks_lock);
    return v;
}

int
writer_mark(struct writer *w, const char *source, uint64_t epoch, uint64_t sequence)
{
    return writer_mark_set(w, source, epoch, (void *)(uintptr_t)(sequence + 1), NULL);
}

uint64_t
store_watermark(struct store *s, const char *source, uint64_t epoch)
{
    uint64_t v = writer_mark_get(s->writer, source, epoch);
    return v ? v - 1 : 0;
}

/* --- one group -------------------------------------------------------------------------------- */

/* Encodes a batch and adds it to the transaction. ERR_EXISTS: applied before, nothing added. */
static int
writer_stage(struct writer *w, struct writer_entry *e, uint64_t number, struct err *err)
{
    struct store_batch *b = e->batch;
    struct journal *j = w->store->journal;
    if (b->source && writer_mark_get(w, b->source, b->epoch) > b->sequence)
        return ERR_EXISTS;
    buf_reset(&w->record);
    int rc = apply_encode(&w->apply, b, &e->first, &w->record);
    if (!rc)
        rc = journal_add(j, number, w->record.data, w->record.len, err);
    if (!rc && b->source) {
        rc = journal_watermark(j, b->source, b->epoch, b->sequence,
                               clock_now_ms(w->store->cfg.clock), err);
        if (!rc)
            rc = writer_mark_set(w, b->source, b->epoch, (void *)(uintptr_t)(b->sequence + 1),
                                 &e->mark_before);
    }
    b->number = number;
    e->staged = !rc;
    return rc;
}

static void
writer_undo(struct writer *w, size_t from, size_t end, int rc)
{
    journal_rollback(w->store->journal);
    for (size_t i = end; i-- > from;) {
        struct writer_entry *e = &w->group[i];
        if (e->staged && e->batch->source)
            writer_mark_set(w, e->batch->source, e->batch->epoch, e->mark_before, NULL);
        e->staged = false;
        e->batch->rc = rc;
        e->batch->result = (struct store_commit_result){0};
    }
    w->store->counters.full += rc == ERR_FULL;
    w->store->counters.failed++;
}

/* Entries [from, end) into one transaction. 0; 1 when all of them were applied before; an error. */
static int
writer_commit(struct writer *w, size_t from, size_t end)
{
    struct journal *j = w->store->journal;
    uint64_t number = journal_next(j);
    size_t staged = 0;
    int rc = journal_begin(j, NULL);
    apply_begin(&w->apply);
    for (size_t i = from; !rc && i < end; i++) {
        struct writer_entry *e = &w->group[i];
        int one = writer_stage(w, e, number + staged, NULL);
        e->batch->rc = one;
        staged += e->staged;
        w->store->counters.replays += one == ERR_EXISTS;
        rc = one == ERR_EXISTS ? 0 : one;
    }
    if (!rc)
        rc = registry_add(j, w->apply.added, w->apply.added_count, &w->apply.labels, NULL);
    if (!rc)
        rc = staged ? journal_commit(j, NULL) : 0;
    if (rc || !staged) {
        if (rc)
            writer_undo(w, from, end, rc);
        else
            journal_rollback(j);
        return rc ? rc : 1;
    }
    journal_advance(j, number + staged);
    apply_journaled(&w->apply);
    w->store->counters.commits++;
    w->store->counters.batches += staged;
    return 0;
}

static void
writer_feed_row(struct writer *w, const struct record *r, uint64_t id)
{
    for (size_t i = 0; i < w->feed_count; i++) {
        const struct store_feed *f = &w->feeds[i];
        if (r->kind == RECORD_EVENT && f->event)
            f->event(f->ctx, &r->event, id);
        else if (r->kind == RECORD_LOG && f->log)
            f->log(f->ctx, &r->log);
        else if (r->kind == RECORD_GAP && f->gap)
            f->gap(f->ctx, &r->gap);
    }
}

static void
writer_feed_rows(struct writer *w, const struct store_batch *b)
{
    struct bytes_in in = bytes_in_of(b->rows.data, b->rows.len);
    const uint8_t *at;
    size_t len;
    for (uint64_t row = b->row0; record_next(&in, &at, &len) > 0; row++) {
        struct record r;
        if (!record_take(at, len, &r))
            writer_feed_row(w, &r, record_id(r.filed_ms, row));
    }
}

static void
writer_feed_samples(struct writer *w, const struct store_feed *f, const struct store_batch *b,
                    size_t first)
{
    struct index *ix = w->store->index;
    struct labels l;
    for (size_t i = 0; i < b->series_count; i++) {
        uint64_t id = w->apply.ids[first + i];
        if (!b->series[i].count)
            continue;
        series_labels(ix, series_at(ix, id), &l);
        f->samples(f->ctx, id, &l, b->samples + b->series[i].first, b->series[i].count);
    }
}

static void
writer_apply(struct writer *w, struct writer_entry *e)
{
    struct store_batch *b = e->batch;
    apply_commit(&w->apply, b, e->first);
    if (b->rows.len)
        writer_feed_rows(w, b);
    for (size_t i = 0; i < w->feed_count; i++)
        if (w->feeds[i].samples)
            writer_feed_samples(w, &w->feeds[i], b, e->first);
    rows_add(w->store->rows, b->number, b->row0, &b->rows);
    w->applied = b->number;
}

/* Commits entries [from, end) and gives them to memory. */
static int
writer_turn(struct writer *w, size_t from, size_t end)
{
    int rc = writer_commit(w, from, end);
    for (size_t i = from; rc == 0 && i < end; i++)
        if (w->group[i].staged)
            writer_apply(w, &w->group[i]);
    return rc;
}

/* When one batch cannot be stored for a reason of its own, each is tried alone, so that it takes no
 * other along. */
static int
writer_turns(struct writer *w)
{
    int rc = writer_turn(w, 0, w->group_count);
    if (rc >= 0 || rc == ERR_FULL || rc == ERR_IO || w->group_count == 1)
        return rc;
    for (size_t i = 0; i < w->group_count; i++) {
        w->group[i] = (struct writer_entry){.batch = w->group[i].batch};
        if (writer_turn(w, i, i + 1) == 0)
            rc = 0;
    }
    return rc;
}

static void
writer_group(struct writer *w)
{
    int rc = writer_turns(w);
    w->row0 = w->apply.row0;
    for (size_t i = 0; rc == 0 && i < w->feed_count; i++)
        if (w->feeds[i].committed)
            w->feeds[i].committed(w->feeds[i].ctx);
    for (size_t i = 0; i < w->group_count; i++) {
        struct store_batch *b = w->group[i].batch;
        if (b->cb)
            b->cb(b->ctx, b->rc, &b->result);
        store_batch_free(b);
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

static void
writer_take(struct writer *w) /* under the lock */
{
    size_t bytes = 0;
    w->group_count = 0;
    while (w->first && w->group_count < WRITER_GROUP_BATCHES && bytes < WRITER_GROUP_BYTES) {
        struct store_batch *b = w->first;
        w->first = b->next;
        if (!w->first)
            w->last = NULL;
        bytes += store_batch_size(b);
        w->group[w->group_count++] = (struct writer_entry){.batch = b};
    }
    w->queue_bytes -= bytes;
    w->queued -= w->group_count;
}

/* Waits, under the lock, for the batches that are expected. What did not come is not expected
 * again.
 */
static void
writer_gather(struct writer *w)
{
    struct timespec until;
    if (!w->queued || w->queued >= w->expected)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WRITER_GATHER_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int rc = 0;
    while (!rc && w->queued < w->expected && !w->jobs && !w->closed && !w->stop &&
           w->queue_bytes < WRITER_GROUP_BYTES)
        rc = pthread_cond_timedwait(&w->work, &w->lock, &until);
}

static void
writer_jobs(struct writer *w) /* under the lock */
{
    while (w->jobs) {
        struct writer_job *job = w->jobs;
        w->jobs = job->next;
        pthread_mutex_unlock(&w->lock);
        int rc = job->fn(w->store, job->ctx);
        pthread_mutex_lock(&w->lock);
        job->rc = rc;
        job->done = true;
        pthread_cond_broadcast(&w->finished);
    }
}

static void *
writer_main(void *arg)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop || w->first || w->jobs) {
        if (!w->first && !w->jobs) {
            pthread_cond_wait(&w->work, &w->lock);
            continue;
        }
        writer_jobs(w);
        writer_gather(w);
        writer_take(w);
        if (!w->group_count)
            continue;
        w->busy = true;
        pthread_mutex_unlock(&w->lock);
        writer_group(w);
        pthread_mutex_lock(&w->lock);
        w->busy = false;
        w->expected = w->group_count + w->queued;
        w->expected = w->expected < WRITER_GATHER_MAX ? w->expected : WRITER_GATHER_MAX;
        pthread_cond_broadcast(&w->finished);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int
writer_new(struct store *s, uint64_t row0, struct writer **ret)
{
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    w->store = s;
    w->apply = (struct apply){.store = s, .row0 = row0};
    w->row0 = row0;
    buf_init(&w->apply.labels, (size_t)1 << 31);
    buf_init(&w->record, 4 * BATCH_BYTES_MAX);
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->marks_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&w->finished, NULL);
    w->marks = map_new(WRITER_MARKS_MAX);
    if (!w->marks) {
        writer_free(w);
        return ERR_NOMEM;
    }
    *ret = w;
    return 0;
}

int
writer_start(struct writer *w, struct err *err)
{
    w->applied = journal_next(w->store->journal) - 1;
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc)
        return err_set(err, ERR_NOMEM, "cannot start the store's writer: %s", strerror(rc));
    w->started = true;
    return 0;
}

void
writer_free(struct writer *w)
{
    if (!w)
        return;
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->work);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    map_free(w->marks, NULL);
    apply_done(&w->apply);
    buf_done(&w->record);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->finished);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->marks_lock);
    free(w);
}

void
writer_drain(struct writer *w)
{
    if (!w || !w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    pthread_cond_signal(&w->work);
    while (w->first || w->busy)
        pthread_cond_wait(&w->finished, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

int
writer_call(struct writer *w, int (*fn)(struct store *s, void *ctx), void *ctx)
{
    struct writer_job job = {.fn = fn, .ctx = ctx};
    pthread_mutex_lock(&w->lock);
    if (w->stop || !w->started) {
        pthread_mutex_unlock(&w->lock);
        return ERR_CLOSED;
    }
    struct writer_job **at = &w->jobs;
    while (*at)
        at = &(*at)->next;
    *at = &job;
    pthread_cond_signal(&w->work);
    while (!job.done)
        pthread_cond_wait(&w->finished, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return job.rc;
}

uint64_t
writer_applied(struct writer *w)
{
    return w->applied;
}

uint64_t
writer_row0(struct writer *w)
{
    return w->row0;
}

size_t
writer_queue_bytes(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->queue_bytes;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* --- callers ---------------------------------------------------------------------------------- */

int
store_subscribe(struct store *s, const struct store_feed *feed)
{
    struct writer *w = s->writer;
    pthread_mutex_lock(&w->lock);
    int rc = w->feed_count < WRITER_FEEDS ? 0 : ERR_LIMIT;
    if (!rc)
        w->feeds[w->feed_count++] = *feed;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int
store_submit(struct store *s, struct store_batch *b, store_committed *cb, void *ctx)
{
    struct writer *w = s->writer;
    batch_release(b);
    size_t size = store_batch_size(b);
    size_t max = (size_t)s->cfg.max_queue_bytes *
                 (b->urgent ? 2 : 1); /* a critical event is shed last of all */
    b->cb = cb;
    b->ctx = ctx;
    pthread_mutex_lock(&w->lock);
    int rc = w->closed || w->stop                      ? ERR_CLOSED
             : w->first && w->queue_bytes + size > max ? ERR_BUSY
                                                       : 0;
    if (!rc) {
        if (w->last)
            w->last->next = b;
        else
            w->first = b;
        w->last = b;
        w->queue_bytes += size;
        w->queued++;
        if (w->queued == 1 || w->queued >= w->expected || w->queue_bytes >= WRITER_GROUP_BYTES)
            pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (rc) {
        s->counters.busy++;
        store_batch_free(b);
    }
    return rc;
}

struct writer_wait {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool over;
    int rc;
    struct store_commit_result result;
};

static void
writer_wait_over(void *ctx, int rc, const struct store_commit_result *res)
{
    struct writer_wait *wait = ctx;
    pthread_mutex_lock(&wait->lock);
    wait->over = true;
    wait->rc = rc;
    wait->result = *res;
    pthread_cond_signal(&wait->done);
    pthread_mutex_unlock(&wait->lock);
}

static int
writer_sentence(struct err *err, int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case ERR_EXISTS:
        return err_set(err, rc, "this batch was applied before");
    case ERR_BUSY:
        return err_set(err, rc, "the store's queue is full: come again");
    case ERR_FULL:
        return err_set(err, rc, "the disk is full: nothing was stored");
    default:
        return err_set(err, rc, "the batch could not be stored: %s", err_text(rc));
    }
}

int
store_commit(struct store *s, struct store_batch *b, struct store_commit_result *ret,
             struct err *err)
{
    struct writer_wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    int rc = store_submit(s, b, writer_wait_over, &wait);
    if (!rc) {
        pthread_mutex_lock(&wait.lock);
        while (!wait.over)
            pthread_cond_wait(&wait.done, &wait.lock);
        pthread_mutex_unlock(&wait.lock);
        rc = wait.rc;
        if (ret)
            *ret = wait.result;
    }
    pthread_cond_destroy(&wait.done);
    pthread_mutex_destroy(&wait.lock);
    return writer_sentence(err, rc);
}
