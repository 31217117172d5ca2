/* read: series out of memory and day files, merged.
 *
 * Memory is read first, then the day files: what is flushed between the two appears twice and is
 * dropped as a duplicate, never missing. Each series knows from which time on memory alone holds
 * everything, so that recent questions touch no file. The index lock is held a slice of series at a
 * time. */
#include "store/read.h"

#include "store/dayfile.h"
#include "store/head.h"
#include "store/match.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define READ_SLICE       2048
#define READ_SLAB        ((size_t)1 << 20)
#define READ_SERIES_MAX  ((size_t)1000000)
#define READ_SAMPLES_MAX ((size_t)100000000)

struct read_slab {
    struct read_slab *next;
    size_t used, size;
    _Alignas(16) char data[];
};

struct read_piece { /* samples of one row from one chunk */
    struct read_piece *next;
    struct sample *at;
    size_t count;
};

struct read {
    struct store *store;
    const struct select_limits *lim;
    struct series_set *set;
    int64_t from, to;
    size_t max_samples, total;
    const uint32_t *ids; /* of the rows, ascending */
    size_t count;
    const char **metrics; /* of each row that must ask the day files, else NULL */
    struct read_piece **pieces;
    const char *metric; /* being read from the day files */
    size_t cursor;
};

void *
read_alloc(struct series_set *set, size_t n)
{
    struct read_slab *s = set->priv;
    n = (n + 15) & ~(size_t)15;
    if (!s || s->used + n > s->size) {
        size_t size = n > READ_SLAB ? n : READ_SLAB;
        s = malloc(
            sizeof *s + size +
            sizeof(struct labels)); /* so that a whole struct labels may be copied from the end */
        if (!s)
            return NULL;
        *s = (struct read_slab){.next = set->priv, .size = size};
        set->priv = s;
    }
    s->used += n;
    return s->data + s->used - n;
}

static void
read_unalloc(struct series_set *set,
             size_t n) /* gives back the end of the last allocation; n in 16s */
{
    struct read_slab *s = set->priv;
    s->used -= n;
}

void
series_set_done(struct series_set *set)
{
    if (!set)
        return;
    for (struct read_slab *s = set->priv, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(set->rows);
    *set = (struct series_set){0};
}

static int
read_deadline(const struct select_limits *lim, struct err *err)
{
    if (lim && lim->deadline_mono_us && clock_mono_us() > lim->deadline_mono_us)
        return err_set(err, ERR_TIMEOUT, "the query took too long");
    return 0;
}

static int
read_labels(struct series_set *set, const struct index *ix, const struct series *s,
            struct series_row *row)
{
    row->labels =
        read_alloc(set, offsetof(struct labels, at) + s->pair_count * sizeof(struct label));
    if (!row->labels)
        return ERR_NOMEM;
    series_labels(ix, s, row->labels);
    return 0;
}

/* One row from memory. */
static int
read_memory_row(struct read *r, size_t i)
{
    struct index *ix = r->store->index;
    const struct series *s = series_at(ix, r->ids[i]);
    struct series_row *row = &r->set->rows[i];
    *row = (struct series_row){.id = r->ids[i]};
    int rc = read_labels(r->set, ix, s, row);
    size_t room = rc ? 0 : head_count(ix, s, 0);
    if (room) {
        row->samples = read_alloc(r->set, room * sizeof *row->samples);
        if (!row->samples)
            return ERR_NOMEM;
        row->count = head_read(ix, s, 0, r->from, r->to, row->samples);
        read_unalloc(r->set, (room - row->count) * sizeof *row->samples);
        r->total += row->count;
    }
    if (r->from < s->mem_from)
        r->metrics[i] = series_metric(ix, s);
    return rc;
}

static int
read_memory(struct read *r, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < r->count; i += READ_SLICE) {
        size_t end = i + READ_SLICE < r->count ? i + READ_SLICE : r->count;
        pthread_rwlock_rdlock(&r->store->index->lock);
        for (size_t k = i; !rc && k < end; k++)
            rc = read_memory_row(r, k);
        pthread_rwlock_unlock(&r->store->index->lock);
        if (rc)
            return err_set(err, rc, "out of memory");
        if (r->total > r->max_samples)
            return err_set(err, ERR_LIMIT, "the query reads more than %zu samples", r->max_samples);
        rc = read_deadline(r->lim, err);
    }
    return rc;
}

static int
read_piece(struct read *r, size_t row, const struct chunk_reader *c, size_t i)
{
    size_t n = chunk_reader_count(c, i), kept = 0;
    struct read_piece *p = read_alloc(r->set, sizeof *p);
    struct sample *at = p ? read_alloc(r->set, n * sizeof *at) : NULL;
    if (!at)
        return ERR_NOMEM;
    if (chunk_reader_samples(c, i, at)) {
        r->store->counters.damaged++;
        return 0;
    }
    for (size_t k = 0; k < n; k++)
        if (at[k].t_ms >= r->from && at[k].t_ms <= r->to)
            at[kept++] = at[k];
    read_unalloc(r->set, (n - kept) * sizeof *at);
    *p = (struct read_piece){.next = r->pieces[row], .at = at, .count = kept};
    r->pieces[row] = p;
    r->total += kept;
    return 0;
}

/* Rows and the chunk's series both ascend by id. */
static int
read_chunk(void *ctx, const struct chunk_reader *c)
{
    struct read *r = ctx;
    size_t row = 0, n = chunk_reader_series(c), high = r->count;
    uint64_t first = n ? chunk_reader_id(c, 0) : 0;
    while (row < high) { /* first row not below the chunk */
        size_t mid = row + (high - row) / 2;
        if (r->ids[mid] < first)
            row = mid + 1;
        else
            high = mid;
    }
    for (size_t i = 0; i < n && row < r->count; i++) {
        uint64_t id = chunk_reader_id(c, i);
        while (row < r->count && r->ids[row] < id)
            row++;
        if (row == r->count || r->ids[row] != id || r->metrics[row] != r->metric)
            continue;
        int rc = read_piece(r, row, c, i);
        if (rc)
            return rc;
    }
    if (r->total > r->max_samples)
        return ERR_LIMIT;
    return read_deadline(r->lim, NULL);
}

static int
read_days(struct read *r, struct err *err)
{
    bool *seen = NULL;
    int rc = 0;
    for (size_t i = 0; !rc && i < r->count; i++) {
        if (!r->metrics[i] || (seen && seen[i]))
            continue;
        struct days_chunk_query q = {
            .metric = r->metrics[i], .from_ms = r->from, .to_ms = r->to, .low = UINT64_MAX};
        if (!seen && !(seen = calloc(r->count, 1)))
            return err_set(err, ERR_NOMEM, "out of memory");
        for (size_t k = i; k < r->count; k++) { /* names are interned: one pointer a metric */
            if (r->metrics[k] != q.metric)
                continue;
            seen[k] = true;
            q.low = r->ids[k] < q.low ? r->ids[k] : q.low;
            q.high = r->ids[k] > q.high ? r->ids[k] : q.high;
        }
        r->metric = q.metric;
        rc = days_each_chunk(r->store->days, &q, read_chunk, r, err);
        r->store->counters.damaged += q.damaged;
    }
    free(seen);
    if (rc == ERR_LIMIT)
        return err_set(err, rc, "the query reads more than %zu samples", r->max_samples);
    return rc == ERR_TIMEOUT ? read_deadline(r->lim, err) : rc;
}

/* Puts the pieces before what memory gave. */
static int
read_join(struct read *r, size_t i)
{
    struct series_row *row = &r->set->rows[i];
    size_t n = row->count;
    for (struct read_piece *p = r->pieces[i]; p; p = p->next)
        n += p->count;
    if (n == row->count)
        return 0;
    struct sample *at = read_alloc(r->set, n * sizeof *at);
    if (!at)
        return ERR_NOMEM;
    size_t end = n; /* pieces hang newest read first: fill from the back */
    end -= row->count;
    if (row->count)
        memcpy(at + end, row->samples, row->count * sizeof *at);
    for (struct read_piece *p = r->pieces[i]; p; p = p->next) {
        end -= p->count;
        memcpy(at + end, p->at, p->count * sizeof *at);
    }
    row->samples = at;
    row->count = head_sort(at, n);
    return 0;
}

/* Rows of the ids (ascending), those without a sample left out. */
static int
read_rows(struct store *s, const uint32_t *ids, size_t n, int64_t from, int64_t to,
          const struct select_limits *lim, struct series_set *set, struct err *err)
{
    struct read r = {
        .store = s, .lim = lim, .set = set, .from = from, .to = to, .ids = ids, .count = n};
    r.max_samples = lim && lim->max_samples ? lim->max_samples : READ_SAMPLES_MAX;
    set->rows = calloc(n ? n : 1, sizeof *set->rows);
    r.metrics = calloc(n ? n : 1, sizeof *r.metrics);
    r.pieces = calloc(n ? n : 1, sizeof *r.pieces);
    int rc = set->rows && r.metrics && r.pieces ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (!rc)
        rc = read_memory(&r, err);
    if (!rc)
        rc = read_days(&r, err);
    for (size_t i = 0; !rc && i < n; i++)
        if (r.pieces[i] && read_join(&r, i))
            rc = err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < n; i++)
        if (set->rows[i].count)
            set->rows[set->count++] = set->rows[i];
    free(r.metrics);
    free(r.pieces);
    return rc;
}

static int
read_compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Matching ids, ascending. */
static int
read_match(struct store *s, const struct matcher *m, size_t n, const struct select_limits *lim,
           uint32_t **ret_ids, size_t *ret_count, struct err *err)
{
    struct match *match = NULL;
    int rc = match_new(m, n, lim ? lim->tenant : NULL, &match, err);
    if (rc)
        return rc;
    pthread_rwlock_rdlock(&s->index->lock);
    rc = match_series(match, s->index, lim && lim->max_series ? lim->max_series : READ_SERIES_MAX,
                      ret_ids, ret_count, err);
    pthread_rwlock_unlock(&s->index->lock);
    match_free(match);
    if (rc)
        return rc;
    for (size_t i = 1; i < *ret_count; i++)
        if ((*ret_ids)[i - 1] > (*ret_ids)[i]) {
            qsort(*ret_ids, *ret_count, sizeof **ret_ids, read_compare_ids);
            break;
        }
    return 0;
}

int
read_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
            const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    uint32_t *ids = NULL;
    size_t count = 0;
    struct series_set set = {0};
    int rc = read_match(s, m, n, lim, &ids, &count, err);
    if (!rc)
        rc = read_rows(s, ids, count, from_ms, to_ms, lim, &set, err);
    free(ids);
    if (rc)
        series_set_done(&set);
    else
        *ret = set;
    return rc;
}

/* --- newest samples --------------------------------------------------------------------------- */

struct read_latest {
    struct store *store;
    struct series_set *set;
    int64_t from, to;
    uint32_t *ask; /* ids that need the day files */
    size_t ask_count;
};

static int
read_latest_one(struct read_latest *l, uint32_t id)
{
    const struct index *ix = l->store->index;
    const struct series *s = series_at(ix, id);
    struct sample x;
    int found = head_latest(ix, s, l->from, l->to, &x);
    if (found < 0)
        l->ask[l->ask_count++] = id;
    if (found <= 0 || sample_is_stale(x.v))
        return 0;
    struct series_row *row = &l->set->rows[l->set->count];
    *row = (struct series_row){
        .id = id, .count = 1, .samples = read_alloc(l->set, sizeof *row->samples)};
    if (!row->samples || read_labels(l->set, ix, s, row))
        return ERR_NOMEM;
    *row->samples = x;
    l->set->count++;
    return 0;
}

/* Rows of the ids that memory could not answer: chained to the set, last samples only. */
static int
read_latest_days(struct read_latest *l, const struct select_limits *lim, struct err *err)
{
    struct series_set more = {0};
    int rc = read_rows(l->store, l->ask, l->ask_count, l->from, l->to, lim, &more, err);
    for (size_t i = 0; !rc && i < more.count; i++) {
        struct series_row row = more.rows[i];
        row.samples += row.count - 1;
        row.count = 1;
        if (!sample_is_stale(row.samples->v))
            l->set->rows[l->set->count++] = row;
    }
    if (!rc && more.priv) {
        struct read_slab *end = more.priv;
        while (end->next)
            end = end->next;
        end->next = l->set->priv;
        l->set->priv = more.priv;
        more.priv = NULL;
    }
    series_set_done(&more);
    return rc;
}

int
read_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms, int64_t lookback_ms,
            const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    struct series_set set = {0};
    struct read_latest l = {.store = s, .set = &set, .from = at_ms - lookback_ms, .to = at_ms};
    uint32_t *ids = NULL;
    size_t count = 0;
    int rc = read_match(s, m, n, lim, &ids, &count, err);
    if (rc)
        return rc;
    set.rows = calloc(count ? count : 1, sizeof *set.rows);
    l.ask = calloc(count ? count : 1, sizeof *l.ask);
    if (!set.rows || !l.ask)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < count; i += READ_SLICE) {
        size_t end = i + READ_SLICE < count ? i + READ_SLICE : count;
        pthread_rwlock_rdlock(&s->index->lock);
        for (size_t k = i; !rc && k < end; k++) {
            if (k + 8 < end)
                __builtin_prefetch(series_at(s->index, ids[k + 8]));
            rc = read_latest_one(&l, ids[k]);
        }
        pthread_rwlock_unlock(&s->index->lock);
        rc = rc ? err_set(err, rc, "out of memory") : read_deadline(lim, err);
    }
    if (!rc && l.ask_count)
        rc = read_latest_days(&l, lim, err);
    free(ids);
    free(l.ask);
    if (rc)
        series_set_done(&set);
    else
        *ret = set;
    return rc;
}
