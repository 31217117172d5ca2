/* flush: rows every second, samples every FLUSH_SAMPLES_US or when many wait.
 *
 * What is always true: a fill of samples is of one sealed generation, which holds exactly the
 * batches up to sealed_number; every day file that got some of them says so in the same
 * transaction, so that filling again (after a crash, or because another day's file failed) skips
 * it; the journal is cut when all of them are done. */
#include "store/flush.h"

#include "store/chunk.h"
#include "store/dayfile.h"
#include "store/head.h"
#include "store/journal.h"
#include "store/labelblock.h"
#include "store/merge.h"
#include "store/remote_priv.h"
#include "store/rows.h"
#include "store/series.h"
#include "store/store_priv.h"
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_TICK_MS 500
#define FLUSH_SAMPLES_US                                                                           \
    ((int64_t)20 * 60 * 1000000) /* chunks of 80 samples at 15 s: long enough to compress */
#define FLUSH_SAMPLES_MAX  ((uint64_t)64000000) /* bounds memory and the time of a replay */
#define FLUSH_JOURNAL_MAX  ((uint64_t)1 << 30)
#define FLUSH_RETENTION_US ((int64_t)10 * 60 * 1000000)
#define FLUSH_SLICE        512 /* series a look at waiting writers */
#define FLUSH_CUT_BATCHES  256 /* batches forgotten between two groups */
#define FLUSH_IDLE_MS      ((int64_t)3600000)
#define FLUSH_DAYS_MAX     16384
#define FLUSH_LATE_MS      ((int64_t)3600000) /* a slot is merged when late samples have come */

struct flusher {
    struct store *store;
    pthread_t thread;
    bool started, stop;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    pthread_mutex_t lock; /* one fill at a time; all below */
    _Atomic int64_t last_samples_us, last_retention_us;
    bool sealed; /* a sealed generation waits to be filled */
    uint64_t sealed_number, rows_number;
    atomic_uint_fast64_t cut_number;
    int64_t days[FLUSH_DAYS_MAX];
    size_t day_count;
    struct chunk_writer *chunk;
    struct buf data, labels;
    struct sample *samples;
    size_t sample_cap;
    uint32_t *ids;
    size_t id_count, id_cap;
};

static int
flush_day_add(struct flusher *f, int64_t day) /* of rows a day, of samples a slot */
{
    for (size_t i = f->day_count; i-- > 0;)
        if (f->days[i] == day)
            return 0;
    if (f->day_count == FLUSH_DAYS_MAX)
        return ERR_LIMIT;
    f->days[f->day_count++] = day;
    return 0;
}

/* A day's file that SQLite cannot write any more is taken out of use, so that it does not hold up
 * all that follows; what it held is a gap. The next fill begins a new one. */
static void
flush_set_aside(struct flusher *f, int64_t day)
{
    struct store_batch *b = store_batch_new(f->store);
    struct gap gap = {.from_ms = day * DAY_MS,
                      .to_ms = day * DAY_MS + DAY_MS - 1,
                      .source = "store",
                      .reason = "damaged-file"};
    f->store->counters.damaged++;
    if (b && !days_set_aside(f->store->days, day, NULL) && !store_batch_gap(b, &gap))
        store_submit(f->store, b, NULL, NULL);
    else
        store_batch_free(b);
}

static int
flush_failed(struct flusher *f, int64_t day, int rc)
{
    if (rc == ERR_CORRUPT)
        flush_set_aside(f, day);
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int
flush_row_day(void *ctx, uint64_t number, uint64_t id, const struct record *r, const void *bytes,
              size_t len)
{
    (void)number, (void)id, (void)bytes, (void)len;
    return flush_day_add(ctx, days_of(r->filed_ms));
}

struct flush_rows_of {
    struct day_writer *w;
    int64_t day;
    uint64_t held;
    struct err *err;
};

static int
flush_row_write(void *ctx, uint64_t number, uint64_t id, const struct record *r, const void *bytes,
                size_t len)
{
    struct flush_rows_of *d = ctx;
    (void)bytes, (void)len;
    if (number <= d->held || days_of(r->filed_ms) != d->day)
        return 0;
    return day_writer_row(d->w, id, r, d->err);
}

static int
flush_rows(struct flusher *f, struct err *err)
{
    struct store *s = f->store;
    uint64_t number = writer_applied(s->writer);
    f->day_count = 0;
    int rc = rows_walk(s->rows, number, flush_row_day, f);
    for (size_t i = 0; !rc && i < f->day_count; i++) {
        struct flush_rows_of d = {
            .day = f->days[i], .held = days_held_rows(s->days, f->days[i]), .err = err};
        if (d.held >= number)
            continue;
        rc = day_writer_begin(s->days, d.day, &d.w, err);
        if (!rc) {
            rc = rows_walk(s->rows, number, flush_row_write, &d);
            rc = day_writer_end(d.w, rc, DAY_ROWS, number, err);
        }
        rc = flush_failed(f, d.day, rc);
    }
    if (!rc) {
        rows_drop(s->rows, number);
        f->rows_number = number;
    } else {
        s->counters.flush_failures++;
    }
    return rc;
}

/* --- samples ---------------------------------------------------------------------------------- */

static int
flush_seal(struct store *s, void *ctx) /* on the writer's thread: between two batches */
{
    struct flusher *f = ctx;
    pthread_rwlock_wrlock(&s->index->lock);
    head_seal(s->index);
    pthread_rwlock_unlock(&s->index->lock);
    f->sealed_number = writer_applied(s->writer);
    f->sealed = true;
    return 0;
}

static uint64_t
flush_end(struct index *ix)
{
    pthread_rwlock_rdlock(&ix->lock);
    uint64_t end = ix->next_id;
    pthread_rwlock_unlock(&ix->lock);
    return end;
}

static int64_t
flush_slot(int64_t t_ms) /* floor */
{
    return t_ms >= 0 ? t_ms / SLOT_MS : -((-t_ms + SLOT_MS - 1) / SLOT_MS);
}

static int64_t
flush_slot_day(int64_t slot)
{
    return days_of(slot * SLOT_MS);
}

static int
flush_compare_days(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The slots of what is sealed, ascending. */
static int
flush_sample_slots(struct flusher *f)
{
    struct index *ix = f->store->index;
    uint64_t end = flush_end(ix);
    int rc = 0;
    f->day_count = 0;
    for (uint64_t id = 1; !rc && id < end; id += FLUSH_SLICE) {
        pthread_rwlock_rdlock(&ix->lock);
        for (uint64_t k = id; !rc && k < id + FLUSH_SLICE && k < end; k++) {
            const struct series *s = series_at(ix, k);
            if (!s->dirty)
                continue;
            for (const struct block *b = s->blocks; !rc && b; b = b->next)
                for (int64_t d = flush_slot(b->t0);
                     !rc && !(b->flags & BLOCK_FLUSHED) && d <= flush_slot(block_last_ms(b)); d++)
                    rc = flush_day_add(f, d);
        }
        pthread_rwlock_unlock(&ix->lock);
    }
    qsort(f->days, f->day_count, sizeof *f->days, flush_compare_days);
    return rc;
}

static int
flush_chunk(struct flusher *f, struct day_writer *w, const char *metric, struct err *err)
{
    struct chunk_info info;
    if (!chunk_writer_series(f->chunk))
        return 0;
    int rc = chunk_writer_finish(f->chunk, &f->data, &info);
    if (rc)
        return err_set(err, rc, "a chunk cannot be encoded: %s", err_text(rc));
    f->store->counters.chunks++;
    f->store->counters.chunk_bytes += f->data.len;
    return day_writer_chunk(w, metric, &info, &f->data, err);
}

/* Copies out what the series has of the time. Under the read lock. */
static int
flush_take(struct flusher *f, uint32_t id, int64_t slot, size_t *ret_count)
{
    struct index *ix = f->store->index;
    const struct series *s = series_at(ix, id);
    *ret_count = 0;
    if (!s->dirty)
        return 0;
    size_t room = head_count(ix, s, HEAD_SEALED);
    if (room > f->sample_cap) {
        struct sample *p = realloc(f->samples, room * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        f->samples = p;
        f->sample_cap = room;
    }
    *ret_count = room ? head_read(ix, s, HEAD_SEALED, slot * SLOT_MS, slot * SLOT_MS + SLOT_MS - 1,
                                  f->samples)
                      : 0;
    return 0;
}

static int
flush_series(struct flusher *f, struct day_writer *w, const char *metric, uint32_t id, int64_t slot,
             struct err *err)
{
    size_t n;
    pthread_rwlock_rdlock(&f->store->index->lock);
    int rc = flush_take(f, id, slot, &n);
    pthread_rwlock_unlock(&f->store->index->lock);
    if (rc)
        return err_set(err, rc, "out of memory");
    if (!n)
        return 0;
    rc = day_writer_series(w, id, err);
    for (size_t at = 0; !rc && at < n;) {
        size_t some = n - at < CHUNK_SAMPLES_MAX ? n - at : CHUNK_SAMPLES_MAX;
        int add = at ? ERR_LIMIT : chunk_writer_add(f->chunk, id, f->samples + at, some);
        if (add == ERR_LIMIT) {
            rc = flush_chunk(f, w, metric, err);
            add = rc ? 0 : chunk_writer_add(f->chunk, id, f->samples + at, some);
        }
        if (add)
            rc = err_set(err, add, "a chunk cannot be encoded: %s", err_text(add));
        at += some;
    }
    return rc;
}

static int
flush_compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The series of a metric (pair), or those without a name: ids ascending. */
static int
flush_ids(struct flusher *f, uint32_t pair, const char **ret_metric)
{
    struct index *ix = f->store->index;
    int rc = 0;
    pthread_rwlock_rdlock(&ix->lock);
    bool named = pair != SERIES_NO_PAIR;
    size_t n = named ? ix->pairs[pair].count : ix->next_id;
    if (n > f->id_cap) {
        uint32_t *p = realloc(f->ids, n * sizeof *p);
        rc = p ? 0 : ERR_NOMEM;
        f->ids = p ? p : f->ids;
        f->id_cap = p ? n : f->id_cap;
    }
    f->id_count = 0;
    for (size_t i = 0; !rc && named && i < n; i++)
        f->ids[f->id_count++] = ix->pairs[pair].ids[i];
    for (uint64_t id = 1; !rc && !named && id < ix->next_id; id++)
        if (series_at(ix, id)->pairs && series_at(ix, id)->metric == SERIES_NO_PAIR)
            f->ids[f->id_count++] = (uint32_t)id;
    *ret_metric = named ? ix->pairs[pair].value : "";
    pthread_rwlock_unlock(&ix->lock);
    for (size_t i = 1; !rc && i < f->id_count; i++)
        if (f->ids[i - 1] > f->ids[i]) {
            qsort(f->ids, f->id_count, sizeof *f->ids, flush_compare);
            break;
        }
    return rc;
}

/* What the slots [from, to) of one day got of a metric. */
static int
flush_metric(struct flusher *f, struct day_writer *w, uint32_t pair, size_t from, size_t to,
             struct err *err)
{
    const char *metric;
    int rc = flush_ids(f, pair, &metric);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t k = from; !rc && k < to; k++) {
        for (size_t i = 0; !rc && i < f->id_count; i++)
            rc = flush_series(f, w, metric, f->ids[i], f->days[k], err);
        if (!rc)
            rc = flush_chunk(f, w, metric, err);
    }
    return rc;
}

static int
flush_label(struct flusher *f, struct labelblock *b, uint64_t id)
{
    struct index *ix = f->store->index;
    struct labels l;
    pthread_rwlock_rdlock(&ix->lock);
    series_labels(ix, series_at(ix, id), &l);
    int rc = labelblock_add(b, id, &l);
    pthread_rwlock_unlock(&ix->lock);
    return rc;
}

/* Labels of the series that this fill brought and the file did not have. */
static int
flush_labels(struct flusher *f, struct day_writer *w, struct err *err)
{
    size_t n;
    const uint64_t *ids = day_writer_fresh(w, &n);
    struct labelblock *b = n ? labelblock_new() : NULL;
    int rc = n && !b ? err_set(err, ERR_NOMEM, "out of memory") : 0;
    for (size_t i = 0; !rc && i <= n && n; i++) {
        int add = i < n ? flush_label(f, b, ids[i]) : ERR_LIMIT;
        if (add != ERR_LIMIT) {
            rc = add;
            continue;
        }
        rc = labelblock_finish(b, &f->labels);
        if (!rc)
            rc = day_writer_labels(w, &f->labels, err);
        if (!rc && i < n)
            rc = flush_label(f, b, ids[i]);
    }
    labelblock_free(b);
    return rc;
}

static int
flush_samples_day(struct flusher *f, size_t from, size_t to, struct err *err)
{
    struct index *ix = f->store->index;
    struct day_writer *w;
    int rc = day_writer_begin(f->store->days, flush_slot_day(f->days[from]), &w, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; !rc; i++) {
        pthread_rwlock_rdlock(&ix->lock);
        const struct series_name *n = &ix->names[ix->metric_name];
        uint32_t pair = i < n->count ? n->pairs[i] : SERIES_NO_PAIR;
        pthread_rwlock_unlock(&ix->lock);
        rc = flush_metric(f, w, pair, from, to, err);
        if (pair == SERIES_NO_PAIR)
            break;
    }
    if (!rc)
        rc = flush_labels(f, w, err);
    if (rc) { /* what was collected belongs to a transaction that is undone */
        chunk_writer_free(f->chunk);
        f->chunk = chunk_writer_new();
    }
    return day_writer_end(w, rc, DAY_SAMPLES, f->sealed_number, err);
}

static void
flush_mark(struct flusher *f)
{
    struct index *ix = f->store->index;
    int64_t idle = clock_now_ms(f->store->cfg.clock) - FLUSH_IDLE_MS;
    uint64_t end = flush_end(ix);
    for (uint64_t id = 1; id < end; id += FLUSH_SLICE) {
        pthread_rwlock_wrlock(&ix->lock);
        for (uint64_t k = id; k < id + FLUSH_SLICE && k < end; k++)
            if (series_at(ix, k)->blocks)
                head_flushed(ix, series_at(ix, k), idle);
        pthread_rwlock_unlock(&ix->lock);
    }
}

static int
flush_samples(struct flusher *f, struct err *err)
{
    int rc = 0;
    if (!f->chunk && !(f->chunk = chunk_writer_new()))
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!f->sealed)
        rc = writer_call(f->store->writer, flush_seal, f);
    if (rc)
        return err_set(err, rc, "the store is closed");
    rc = flush_sample_slots(f);
    for (size_t i = 0, end; !rc && i < f->day_count; i = end) {
        int64_t day = flush_slot_day(f->days[i]);
        for (end = i + 1; end < f->day_count && flush_slot_day(f->days[end]) == day; end++)
            ;
        if (days_held_samples(f->store->days, day) < f->sealed_number)
            rc = flush_failed(f, day, flush_samples_day(f, i, end, err));
    }
    if (rc) {
        f->store->counters.flush_failures++;
        return rc;
    }
    flush_mark(f);
    f->sealed = false;
    f->store->counters.flushes++;
    return 0;
}

/* --- the journal behind it -------------------------------------------------------------------- */

static int
flush_cut_some(struct store *s, void *ctx)
{
    struct flusher *f = ctx;
    return journal_cut(s->journal, f->cut_number, FLUSH_CUT_BATCHES, writer_row0(s->writer), NULL);
}

static int
flush_cut(struct flusher *f)
{
    f->cut_number = f->sealed_number < f->rows_number ? f->sealed_number : f->rows_number;
    int rc = remote_keep(f->store->remote, f->cut_number, NULL);
    if (rc)
        return rc;
    while ((rc = writer_call(f->store->writer, flush_cut_some, f)) > 0)
        ;
    return rc;
}

void
flush_lock(struct flusher *f)
{
    pthread_mutex_lock(&f->lock);
}

void
flush_unlock(struct flusher *f)
{
    pthread_mutex_unlock(&f->lock);
}

int
flush_rows_now(struct flusher *f, struct err *err)
{
    flush_lock(f);
    int rc = flush_rows(f, err);
    flush_unlock(f);
    return rc;
}

int
flush_all(struct flusher *f, struct err *err)
{
    flush_lock(f);
    int rc = flush_samples(f, err);
    if (!rc)
        rc = flush_rows(f, err);
    if (!rc)
        rc = flush_cut(f);
    f->last_samples_us = clock_mono_us();
    flush_unlock(f);
    return rc;
}

int
flush_retention(struct flusher *f, struct err *err)
{
    flush_lock(f);
    int rc = retention_run(f->store, err);
    f->last_retention_us = clock_mono_us();
    flush_unlock(f);
    return rc;
}

/* --- merging -----------------------------------------------------------------------------------
 */

int
flush_merge(struct flusher *f, int64_t before_ms, struct err *err)
{
    int64_t *days;
    size_t n;
    uint64_t damaged = 0;
    int rc = days_numbers(f->store->days, &days, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t i = n; !rc && i-- > 0;) { /* what was filled last has most to merge */
        if (!days_merge_due(f->store->days, days[i], before_ms))
            continue;
        do {
            flush_lock(f);
            rc = merge_day(f->store->days, days[i], before_ms, &damaged, err);
            if (!rc)
                days_merged(f->store->days, days[i], before_ms);
            flush_unlock(f);
        } while (rc > 0 && !f->stop);
        rc = rc > 0 ? 0 : rc;
    }
    free(days);
    f->store->counters.damaged += damaged;
    return rc;
}

/* --- the thread ------------------------------------------------------------------------------- */

static bool
flush_due(struct flusher *f)
{
    uint64_t journal = 0;
    pthread_rwlock_rdlock(&f->store->index->lock);
    uint64_t waiting = f->store->index->unflushed;
    pthread_rwlock_unlock(&f->store->index->lock);
    if (!waiting && writer_applied(f->store->writer) <= f->cut_number)
        return false;
    journal_bytes(f->store->journal, &journal);
    int64_t since = clock_mono_us() - f->last_samples_us;
    return since > FLUSH_SAMPLES_US ||
           ((waiting > FLUSH_SAMPLES_MAX || journal > FLUSH_JOURNAL_MAX) &&
            since > FLUSH_SAMPLES_US / 20);
}

static void
flush_retention_and_merge(struct flusher *f)
{
    flush_retention(f, NULL);
    flush_merge(f, clock_now_ms(f->store->cfg.clock) - FLUSH_LATE_MS, NULL);
}

static void *
flush_main(void *arg)
{
    struct flusher *f = arg;
    pthread_mutex_lock(&f->wake_lock);
    while (!f->stop) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += FLUSH_TICK_MS * 1000000L;
        t.tv_sec += t.tv_nsec / 1000000000L;
        t.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&f->wake, &f->wake_lock, &t);
        if (f->stop)
            break;
        pthread_mutex_unlock(&f->wake_lock);
        if (rows_bytes(f->store->rows))
            flush_rows_now(f, NULL);
        if (flush_due(f))
            flush_all(f, NULL);
        if (clock_mono_us() - f->last_retention_us > FLUSH_RETENTION_US)
            flush_retention_and_merge(f);
        pthread_mutex_lock(&f->wake_lock);
    }
    pthread_mutex_unlock(&f->wake_lock);
    return NULL;
}

int
flush_new(struct store *s, struct flusher **ret)
{
    struct flusher *f = calloc(1, sizeof *f);
    if (!f)
        return ERR_NOMEM;
    f->store = s;
    f->last_samples_us = f->last_retention_us = clock_mono_us();
    buf_init(&f->data, 4 * CHUNK_BYTES_MAX);
    buf_init(&f->labels, 2 * LABELBLOCK_MAX);
    pthread_mutex_init(&f->wake_lock, NULL);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->wake, NULL);
    *ret = f;
    return 0;
}

int
flush_start(struct flusher *f, struct err *err)
{
    int rc = pthread_create(&f->thread, NULL, flush_main, f);
    if (rc)
        return err_set(err, ERR_NOMEM, "cannot start the store's flusher: %s", strerror(rc));
    f->started = true;
    return 0;
}

void
flush_free(struct flusher *f)
{
    if (!f)
        return;
    if (f->started) {
        pthread_mutex_lock(&f->wake_lock);
        f->stop = true;
        pthread_cond_signal(&f->wake);
        pthread_mutex_unlock(&f->wake_lock);
        pthread_join(f->thread, NULL);
    }
    chunk_writer_free(f->chunk);
    buf_done(&f->data);
    buf_done(&f->labels);
    free(f->samples);
    free(f->ids);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    pthread_mutex_destroy(&f->wake_lock);
    free(f);
}
