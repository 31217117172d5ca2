/* tier: fills the tiers from days that are over, on a thread of its own, and drops them by their
 * own retention.
 *
 * What is always true: a tier's day says how much of the journal the raw day held when it was
 * filled (held_samples of both are equal); when samples come late or are deleted, they differ and
 * the day is filled again, and until then queries read the raw day. Days whose raw file is gone
 * stay as they are. One thread at a time fills, under the lock. */
#include "store/tier.h"

#include "store/dayfile_priv.h"
#include "store/labelblock.h"
#include "store/scan.h"
#include "store/series.h"
#include "store/store_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIER_TICK_S 600
#define TIER_SLICE  256 /* series a scan */

static const struct tier_level {
    const char *prefix;
    int64_t width, retention_ms; /* when the configuration says nothing */
} tier_levels[TIER_LEVELS] = {
    [TIER_5M] = {"tier-5m-", 300000, 180 * DAY_MS},
    [TIER_1H] = {"tier-1h-", 3600000, 1826 * DAY_MS},
};
static const char tier_letters[TIER_KINDS + 1] = "LFNXSCR";

struct tiers {
    struct store *store;
    struct days *days[TIER_LEVELS];
    int64_t retention_ms[TIER_LEVELS];
    pthread_t thread;
    bool started, stop;
    pthread_mutex_t wake_lock; /* stop */
    pthread_cond_t wake;
    pthread_mutex_t held_lock;
    uint64_t *held; /* bitmap: ids that some tier holds */
    size_t held_words;
    bool held_known;      /* false: any may be held */
    pthread_mutex_t lock; /* one fill at a time; what follows */
    struct day_writer *w[TIER_LEVELS];
    struct chunk_writer *chunk[TIER_LEVELS][TIER_KINDS];
    struct tier_stream stream[TIER_KINDS];
    struct buf data;
    uint32_t *ids;
    size_t id_count, id_cap;
    char metric[LABEL_VALUE_MAX + 2];
};

int64_t
tier_width(int level)
{
    return tier_levels[level].width;
}

struct days *
tier_days(struct tiers *t, int level)
{
    return t->days[level];
}

char
tier_letter(enum tier_kind k)
{
    return tier_letters[k];
}

int
tier_open(struct store *s, struct tiers **ret, struct err *err)
{
    struct tiers *t = calloc(1, sizeof *t);
    int rc = t ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (rc)
        return rc;
    t->store = s;
    t->retention_ms[TIER_5M] = s->cfg.retention_5m_ms;
    t->retention_ms[TIER_1H] = s->cfg.retention_1h_ms;
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->wake_lock, NULL);
    pthread_mutex_init(&t->held_lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    buf_init(&t->data, 4 * CHUNK_BYTES_MAX);
    for (int l = 0; !rc && l < TIER_LEVELS; l++) {
        uint64_t damaged = 0;
        if (!t->retention_ms[l])
            t->retention_ms[l] = tier_levels[l].retention_ms;
        rc = days_open_named(s->cfg.folder, tier_levels[l].prefix, &t->days[l], &damaged, err);
        s->counters.damaged += damaged;
        for (int k = 0; !rc && k < TIER_KINDS; k++)
            if (!(t->chunk[l][k] = chunk_writer_new()))
                rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc) {
        tier_free(t);
        return rc;
    }
    t->held_known = !days_count(t->days[TIER_5M]) && !days_count(t->days[TIER_1H]);
    *ret = t;
    return 0;
}

void
tier_free(struct tiers *t)
{
    if (!t)
        return;
    for (int l = 0; l < TIER_LEVELS; l++) {
        days_close(t->days[l]);
        for (int k = 0; k < TIER_KINDS; k++)
            chunk_writer_free(t->chunk[l][k]);
    }
    for (int k = 0; k < TIER_KINDS; k++)
        free(t->stream[k].at);
    buf_done(&t->data);
    free(t->ids);
    free(t->held);
    pthread_mutex_destroy(&t->held_lock);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->wake_lock);
    pthread_cond_destroy(&t->wake);
    free(t);
}

/* --- what is there ---------------------------------------------------------------------------- */

static bool
tier_filled(struct tiers *t, int level, int64_t day)
{
    return days_held_samples(t->store->days, day) == days_held_samples(t->days[level], day);
}

int64_t
tier_until(struct tiers *t, int level, int64_t from_ms)
{
    int64_t *days, until = days_of(clock_now_ms(t->store->cfg.clock)) * DAY_MS;
    size_t n;
    if (days_numbers(t->store->days, &days, &n))
        return from_ms;
    for (size_t i = 0; i < n; i++)
        if (days[i] >= days_of(from_ms) && days[i] * DAY_MS < until &&
            !tier_filled(t, level, days[i]))
            until = days[i] * DAY_MS;
    free(days);
    return until > from_ms ? until : from_ms;
}

bool
tier_hold_series(struct tiers *t, uint64_t id)
{
    pthread_mutex_lock(&t->held_lock);
    bool held = !t->held_known || (id / 64 < t->held_words && t->held[id / 64] >> (id % 64) & 1);
    pthread_mutex_unlock(&t->held_lock);
    return held;
}

/* Adds a file's ids, and lets go of its own list of them: a fleet's is half a megabyte. */
static int
tier_held_add(struct tiers *t, struct days *d, struct day *day)
{
    pthread_mutex_lock(&day->ids_lock);
    int rc = day->ids ? 0 : day_ids_load(d, day, NULL);
    pthread_mutex_lock(&t->held_lock);
    if (!rc && day->ids_words > t->held_words) {
        uint64_t *p = realloc(t->held, day->ids_words * sizeof *p);
        rc = p ? 0 : ERR_NOMEM;
        if (p) {
            memset(p + t->held_words, 0, (day->ids_words - t->held_words) * sizeof *p);
            t->held = p;
            t->held_words = day->ids_words;
        }
    }
    for (size_t i = 0; !rc && i < day->ids_words; i++)
        t->held[i] |= day->ids[i];
    t->held_known = t->held_known && !rc;
    pthread_mutex_unlock(&t->held_lock);
    free(day->ids);
    day->ids = NULL;
    day->ids_words = 0;
    pthread_mutex_unlock(&day->ids_lock);
    return rc;
}

/* From all files anew: at the start, and when one went. */
static void
tier_held_build(struct tiers *t)
{
    int rc = 0;
    pthread_mutex_lock(&t->held_lock);
    if (t->held_words)
        memset(t->held, 0, t->held_words * sizeof *t->held);
    t->held_known = false;
    pthread_mutex_unlock(&t->held_lock);
    for (int l = 0; l < TIER_LEVELS; l++) {
        struct day **at;
        size_t n;
        if (days_list(t->days[l], INT64_MIN, INT64_MAX, &at, &n))
            return;
        for (size_t i = 0; i < n; i++) {
            rc = rc ? rc : tier_held_add(t, t->days[l], at[i]);
            day_put(t->days[l], at[i]);
        }
        free(at);
    }
    pthread_mutex_lock(&t->held_lock);
    t->held_known = !rc;
    pthread_mutex_unlock(&t->held_lock);
}

void
tier_changed(struct tiers *t, int64_t day)
{
    pthread_mutex_lock(&t->lock);
    for (int l = 0; l < TIER_LEVELS; l++)
        days_remove(t->days[l], day, NULL);
    pthread_mutex_unlock(&t->lock);
}

/* --- filling ---------------------------------------------------------------------------------- */

static int
tier_put_chunk(struct tiers *t, int level, int kind, struct err *err)
{
    struct chunk_info info;
    if (!chunk_writer_series(t->chunk[level][kind]))
        return 0;
    int rc = chunk_writer_finish(t->chunk[level][kind], &t->data, &info);
    if (rc)
        return err_set(err, rc, "a chunk cannot be encoded: %s", err_text(rc));
    t->metric[0] = tier_letters[kind];
    return day_writer_chunk(t->w[level], t->metric, &info, &t->data, err);
}

static int
tier_series(struct tiers *t, uint64_t id, const struct sample *s, size_t n, struct err *err)
{
    int rc = 0;
    for (int l = 0; !rc && l < TIER_LEVELS; l++) {
        if (!t->w[l])
            continue;
        if (tier_fold(s, n, tier_levels[l].width, t->stream))
            return err_set(err, ERR_NOMEM, "out of memory");
        rc = day_writer_series(t->w[l], id, err);
        for (int k = 0; !rc && k < TIER_KINDS; k++) {
            const struct tier_stream *at = &t->stream[k];
            if (!at->count)
                continue;
            rc = chunk_writer_add(t->chunk[l][k], id, at->at, at->count);
            if (rc == ERR_LIMIT && !(rc = tier_put_chunk(t, l, k, err)))
                rc = chunk_writer_add(t->chunk[l][k], id, at->at, at->count);
        }
    }
    return rc;
}

static int
tier_slice(struct tiers *t, size_t first, size_t count, int64_t day, struct err *err)
{
    struct select_limits lim = {.max_samples = SIZE_MAX};
    struct scan *c;
    /* midnight is the end of the day before, unless there was none */
    bool alone = !days_held_samples(t->store->days, day - 1);
    int rc = scan_open_ids(t->store, t->ids + first, count, day * DAY_MS + !alone,
                           (day + 1) * DAY_MS, &lim, &c, err);
    if (rc)
        return rc;
    struct sample *room = malloc((scan_room(c) + 1) * sizeof *room), *at;
    rc = room ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < count; i++) {
        size_t n = scan_read(c, i, room, &at);
        if (n)
            rc = tier_series(t, scan_id(c, i), at, n, err);
    }
    free(room);
    scan_close(c);
    return rc;
}

static int
tier_compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The next metric's name and series; false: there is none. */
static bool
tier_metric(struct tiers *t, uint32_t number, int *ret_rc)
{
    struct index *ix = t->store->index;
    pthread_rwlock_rdlock(&ix->lock);
    const struct series_name *n = &ix->names[ix->metric_name];
    bool more = number < n->count;
    t->id_count = 0;
    if (more) {
        const struct series_pair *p = &ix->pairs[n->pairs[number]];
        if (p->count > t->id_cap) {
            uint32_t *ids = realloc(t->ids, p->count * sizeof *ids);
            *ret_rc = ids ? 0 : ERR_NOMEM;
            t->ids = ids ? ids : t->ids;
            t->id_cap = ids ? p->count : t->id_cap;
        }
        if (!*ret_rc) {
            memcpy(t->ids, p->ids, p->count * sizeof *t->ids);
            t->id_count = p->count;
            snprintf(t->metric, sizeof t->metric, " %s", p->value);
        }
    }
    pthread_rwlock_unlock(&ix->lock);
    if (t->id_count)
        qsort(t->ids, t->id_count, sizeof *t->ids, tier_compare);
    return more;
}

static bool
tier_stopping(struct tiers *t)
{
    pthread_mutex_lock(&t->wake_lock);
    bool stop = t->stop;
    pthread_mutex_unlock(&t->wake_lock);
    return stop;
}

static int
tier_metrics_of(struct tiers *t, int64_t day, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && tier_metric(t, i, &rc); i++) {
        for (size_t k = 0; !rc && k < t->id_count; k += TIER_SLICE) {
            size_t n = t->id_count - k < TIER_SLICE ? t->id_count - k : TIER_SLICE;
            rc = tier_stopping(t) ? ERR_CLOSED : tier_slice(t, k, n, day, err);
        }
        for (int l = 0; l < TIER_LEVELS; l++)
            for (int k = 0; !rc && t->w[l] && k < TIER_KINDS; k++)
                rc = tier_put_chunk(t, l, k, err);
    }
    return rc;
}

static int
tier_labels(struct tiers *t, struct day_writer *w, struct err *err)
{
    struct index *ix = t->store->index;
    size_t n;
    const uint64_t *ids = day_writer_fresh(w, &n);
    struct labelblock *b = labelblock_new();
    int rc = b ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < n; i++) {
        struct labels l;
        pthread_rwlock_rdlock(&ix->lock);
        series_labels(ix, series_at(ix, ids[i]), &l);
        rc = labelblock_add(b, ids[i], &l);
        pthread_rwlock_unlock(&ix->lock);
        bool full = rc == ERR_LIMIT;
        if (full || (!rc && i + 1 == n)) {
            rc = labelblock_finish(b, &t->data);
            rc = rc ? rc : day_writer_labels(w, &t->data, err);
            i -= full; /* once more, into an empty one */
        }
    }
    labelblock_free(b);
    return rc;
}

/* 1: filled; 0: nothing to do. */
static int
tier_day(struct tiers *t, int64_t day, struct err *err)
{
    bool any = false;
    uint64_t held = days_held_samples(t->store->days, day);
    int64_t first = clock_now_ms(t->store->cfg.clock);
    int rc = 0;
    for (int l = 0; !rc && l < TIER_LEVELS; l++) {
        t->w[l] = NULL;
        if (tier_filled(t, l, day) || days_of(first - t->retention_ms[l]) > day)
            continue;
        days_remove(t->days[l], day, NULL); /* begins anew; a crash here leaves it to be filled */
        rc = day_writer_begin(t->days[l], day, &t->w[l], err);
    }
    any = t->w[TIER_5M] || t->w[TIER_1H];
    if (!rc && any)
        rc = tier_metrics_of(t, day, err);
    for (int l = 0; l < TIER_LEVELS; l++) {
        for (int k = 0; rc && k < TIER_KINDS; k++) { /* belongs to what is undone */
            chunk_writer_free(t->chunk[l][k]);
            t->chunk[l][k] = chunk_writer_new();
        }
        if (!t->w[l])
            continue;
        if (!rc)
            rc = tier_labels(t, t->w[l], err);
        rc = day_writer_end(t->w[l], rc, DAY_SAMPLES, held, err);
        t->w[l] = NULL;
    }
    return rc ? rc : any;
}

/* Returns whether some went. */
static int
tier_drop_old(struct tiers *t, int level, struct err *err)
{
    int64_t *days, first = days_of(clock_now_ms(t->store->cfg.clock) - t->retention_ms[level]);
    size_t n;
    int rc = days_numbers(t->days[level], &days, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    size_t i = 0;
    for (; !rc && i < n && days[i] < first; i++)
        rc = days_remove(t->days[level], days[i], err);
    free(days);
    return rc ? rc : i > 0;
}

/* A day that was filled: its ids are held from now on. */
static void
tier_held_day(struct tiers *t, int level, int64_t number)
{
    struct day **at;
    size_t n;
    if (days_list(t->days[level], number * DAY_MS, number * DAY_MS, &at, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        tier_held_add(t, t->days[level], at[i]);
        day_put(t->days[level], at[i]);
    }
    free(at);
}

int
tier_fill(struct tiers *t, struct err *err)
{
    int64_t *days, now = clock_now_ms(t->store->cfg.clock);
    size_t n;
    pthread_mutex_lock(&t->lock);
    int rc = days_numbers(t->store->days, &days, &n);
    if (rc)
        err_set(err, rc, "out of memory");
    for (size_t i = 0; !rc && i < n; i++)
        if ((days[i] + 1) * DAY_MS + t->store->cfg.window_ms <= now) {
            rc = tier_day(t, days[i], err);
            for (int l = 0; rc == 1 && l < TIER_LEVELS; l++)
                tier_held_day(t, l, days[i]);
            rc = rc < 0 ? rc : 0;
        }
    bool gone = false;
    for (int l = 0; rc >= 0 && l < TIER_LEVELS; l++) {
        rc = tier_drop_old(t, l, err);
        gone |= rc > 0;
    }
    rc = rc < 0 ? rc : 0;
    if (gone || !t->held_known)
        tier_held_build(t);
    for (int l = 0; !rc && l < TIER_LEVELS; l++)
        rc = days_checkpoint(t->days[l], err);
    pthread_mutex_unlock(&t->lock);
    free(days);
    return rc;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *
tier_main(void *arg)
{
    struct tiers *t = arg;
    pthread_mutex_lock(&t->lock);
    if (!t->held_known)
        tier_held_build(t);
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_lock(&t->wake_lock);
    while (!t->stop) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec += TIER_TICK_S;
        pthread_cond_timedwait(&t->wake, &t->wake_lock, &at);
        if (t->stop)
            break;
        pthread_mutex_unlock(&t->wake_lock);
        if (tier_fill(t, NULL) < 0)
            t->store->counters.flush_failures++;
        pthread_mutex_lock(&t->wake_lock);
    }
    pthread_mutex_unlock(&t->wake_lock);
    return NULL;
}

int
tier_start(struct tiers *t, struct err *err)
{
    int rc = pthread_create(&t->thread, NULL, tier_main, t);
    if (rc)
        return err_set(err, ERR_NOMEM, "cannot start the filling of tiers: %s", strerror(rc));
    t->started = true;
    return 0;
}

void
tier_stop(struct tiers *t)
{
    if (!t || !t->started)
        return;
    pthread_mutex_lock(&t->wake_lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->wake_lock);
    pthread_join(t->thread, NULL);
    t->started = false;
}

int
store_fill_tiers(struct store *s, struct err *err)
{
    return tier_fill(s->tiers, err);
}
