/* scan: see scan.h. The index lock is held a slice of series at a time. Each series knows from
 * which time on memory alone holds everything, so that recent questions touch no file. */
#include "store/scan.h"

#include "store/dayfile.h"
#include "store/head.h"
#include "store/match.h"
#include "store/slabs.h"
#include "store/store_priv.h"
#include "store/tier_read.h"

#include <stdlib.h>
#include <string.h>

#define SCAN_SLICE       1024
#define SCAN_SERIES_MAX  ((size_t)1000000)
#define SCAN_SAMPLES_MAX ((size_t)100000000)

struct scan_row {
    struct labels *labels;
    struct block *blocks; /* copies; newest first */
    const char *metric;   /* of a row that must ask the day files, else NULL */
    uint32_t id, room;
    uint32_t pieces, piece_count; /* in scan.pieces */
};

struct scan_piece { /* a row's samples in a chunk */
    const struct chunk_reader *reader;
    uint32_t row, place;
};

struct scan {
    struct store *store;
    const struct select_limits *lim;
    int64_t from, to;
    double estimate, max_samples; /* of the chunks' samples that lie in the range */
    struct scan_row *rows;
    size_t count, room;
    uint32_t *asked; /* rows that ask the day files, by metric, then id */
    size_t asked_count, metric_from, metric_to; /* of them, those of the metric being read */
    struct chunk_held **held;
    size_t held_count, held_cap;
    struct scan_piece *pieces;
    size_t piece_count, piece_cap;
    struct slabs labels, blocks;
    struct tier_read *tier; /* what lies before `from`; NULL: raw samples alone */
};

int
scan_deadline(const struct select_limits *lim, struct err *err)
{
    if (lim && lim->deadline_mono_us && clock_mono_us() > lim->deadline_mono_us)
        return err_set(err, ERR_TIMEOUT, "the query took too long");
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------- */

struct labels *
scan_copy_labels(struct slabs *slabs, const struct index *ix, const struct series *s)
{
    struct labels *l =
        slabs_alloc(slabs, offsetof(struct labels, at) + s->pair_count * sizeof(struct label));
    if (l)
        series_labels(ix, s, l);
    return l;
}

static int
scan_copy_blocks(struct scan *c, const struct series *s, struct scan_row *row)
{
    struct block **end = &row->blocks;
    for (const struct block *b = s->blocks; b; b = b->next) {
        if (b->t0 > c->to || block_last_ms(b) < c->from)
            continue;
        size_t n = block_bytes(b);
        struct block *copy = slabs_alloc(&c->blocks, n);
        if (!copy)
            return ERR_NOMEM;
        memcpy(copy, b, n);
        copy->next = NULL;
        *end = copy;
        end = &copy->next;
        row->room += b->count;
    }
    return 0;
}

static int
scan_memory_row(struct scan *c, const struct index *ix, struct scan_row *row)
{
    const struct series *s = series_at(ix, row->id);
    row->labels = scan_copy_labels(&c->labels, ix, s);
    if (!row->labels || scan_copy_blocks(c, s, row))
        return ERR_NOMEM;
    if (c->from < s->mem_from) {
        row->metric = series_metric(ix, s);
        c->asked_count++;
    }
    return 0;
}

static int
scan_memory(struct scan *c, struct err *err)
{
    struct index *ix = c->store->index;
    int rc = 0;
    for (size_t i = 0; !rc && i < c->count; i += SCAN_SLICE) {
        size_t end = i + SCAN_SLICE < c->count ? i + SCAN_SLICE : c->count;
        pthread_rwlock_rdlock(&ix->lock);
        for (size_t k = i; !rc && k < end; k++) {
            if (k + 16 < end)
                __builtin_prefetch(series_at(ix, c->rows[k + 16].id));
            if (k + 8 < end)
                __builtin_prefetch(series_at(ix, c->rows[k + 8].id)->blocks);
            rc = scan_memory_row(c, ix, &c->rows[k]);
        }
        pthread_rwlock_unlock(&ix->lock);
        rc = rc ? err_set(err, rc, "out of memory") : scan_deadline(c->lim, err);
    }
    return rc;
}

/* --- day files -------------------------------------------------------------------------------- */

static int
scan_compare_asked(const void *a, const void *b, void *ctx)
{
    const struct scan_row *rows = ctx, *x = &rows[*(const uint32_t *)a],
                          *y = &rows[*(const uint32_t *)b];
    if (x->metric != y->metric) /* names are interned: one pointer a metric */
        return (uintptr_t)x->metric < (uintptr_t)y->metric ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int
scan_piece_add(struct scan *c, uint32_t row, const struct chunk_reader *reader, size_t place)
{
    if (c->piece_count == c->piece_cap) {
        size_t cap = c->piece_cap ? c->piece_cap * 2 : 64;
        struct scan_piece *p = realloc(c->pieces, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        c->pieces = p;
        c->piece_cap = cap;
    }
    c->pieces[c->piece_count++] = (struct scan_piece){reader, row, (uint32_t)place};
    c->rows[row].room += (uint32_t)chunk_reader_count(reader, place);
    c->rows[row].piece_count++;
    return 0;
}

static int
scan_hold(struct scan *c, struct chunk_held *h)
{
    if (c->held_count == c->held_cap) {
        size_t cap = c->held_cap ? c->held_cap * 2 : 16;
        struct chunk_held **p = realloc(c->held, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        c->held = p;
        c->held_cap = cap;
    }
    c->held[c->held_count++] = h;
    return 0;
}

/* First place in the chunk, from `low` on, whose id is not below. */
static size_t
scan_place(const struct chunk_reader *r, size_t low, size_t high, uint64_t id)
{
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (chunk_reader_id(r, mid) < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static size_t
scan_first_asked(const struct scan *c, uint64_t id)
{
    size_t low = c->metric_from, high = c->metric_to;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->rows[c->asked[mid]].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Rows and the chunk's series both ascend by id. */
static int
scan_chunk_rows(struct scan *c, const struct chunk_held *h)
{
    const struct chunk_reader *r = h->reader;
    size_t n = chunk_reader_series(r), place = 0, samples = 0;
    int rc = 0;
    for (size_t k = scan_first_asked(c, chunk_reader_id(r, 0)); !rc && k < c->metric_to; k++) {
        uint32_t row = c->asked[k];
        uint64_t id = c->rows[row].id;
        if (place < n && chunk_reader_id(r, place) < id)
            place = scan_place(r, place + 1, n, id);
        if (place == n)
            break;
        if (chunk_reader_id(r, place) != id)
            continue;
        samples += chunk_reader_count(r, place);
        rc = scan_piece_add(c, row, r, place);
    }
    double from = (double)(c->from > h->min_ms ? c->from : h->min_ms),
           to = (double)(c->to < h->max_ms ? c->to : h->max_ms);
    c->estimate += (double)samples * (to - from + 1) / ((double)h->max_ms - (double)h->min_ms + 1);
    return rc;
}

static int
scan_chunk(void *ctx, struct chunk_held *h)
{
    struct scan *c = ctx;
    size_t before = c->piece_count;
    int rc = chunk_reader_series(h->reader) ? scan_chunk_rows(c, h) : 0;
    if (c->piece_count == before || scan_hold(c, h)) {
        rc = c->piece_count == before ? rc : ERR_NOMEM;
        c->piece_count = before;
        chunk_held_drop(h);
    }
    if (!rc && c->estimate > c->max_samples)
        rc = ERR_LIMIT;
    return rc ? rc : scan_deadline(c->lim, NULL);
}

/* Pieces by row; those of a row stay in the order of the files. */
static int
scan_pieces_sort(struct scan *c)
{
    struct scan_piece *at = malloc((c->piece_count + 1) * sizeof *at);
    uint32_t next = 0;
    if (!at)
        return ERR_NOMEM;
    for (size_t i = 0; i < c->count; i++) {
        c->rows[i].pieces = next;
        next += c->rows[i].piece_count;
        c->rows[i].piece_count = 0;
    }
    for (size_t i = 0; i < c->piece_count; i++) {
        struct scan_row *row = &c->rows[c->pieces[i].row];
        at[row->pieces + row->piece_count++] = c->pieces[i];
    }
    free(c->pieces);
    c->pieces = at;
    return 0;
}

static int
scan_metric(struct scan *c, struct err *err)
{
    const struct scan_row *first = &c->rows[c->asked[c->metric_from]],
                          *last = &c->rows[c->asked[c->metric_to - 1]];
    struct days_chunk_query q = {.metric = first->metric,
                                 .from_ms = c->from,
                                 .to_ms = c->to,
                                 .low = first->id,
                                 .high = last->id};
    int rc = days_each_held(c->store->days, &q, scan_chunk, c, err);
    c->store->counters.damaged += q.damaged;
    if (rc == ERR_LIMIT)
        return err_set(
            err, rc, "query processing would load too many samples into memory in query execution");
    return rc == ERR_TIMEOUT ? scan_deadline(c->lim, err) : rc;
}

static int
scan_days(struct scan *c, struct err *err)
{
    int rc = 0;
    size_t n = 0;
    bool sorted = true;
    c->asked = malloc((c->asked_count + 1) * sizeof *c->asked);
    if (!c->asked)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < c->count; i++) {
        if (!c->rows[i].metric)
            continue;
        sorted = sorted && (!n || c->rows[c->asked[n - 1]].metric == c->rows[i].metric);
        c->asked[n++] = (uint32_t)i;
    }
    if (!sorted)
        qsort_r(c->asked, n, sizeof *c->asked, scan_compare_asked, c->rows);
    for (size_t i = 0; !rc && i < n; i = c->metric_to) {
        c->metric_from = i;
        while (i < n && c->rows[c->asked[i]].metric == c->rows[c->asked[c->metric_from]].metric)
            i++;
        c->metric_to = i;
        rc = scan_metric(c, err);
    }
    if (!rc && c->piece_count && scan_pieces_sort(c))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    return rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int
scan_compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

int
scan_match(struct store *s, const struct matcher *m, size_t n, const struct select_limits *lim,
           uint32_t **ret_ids, size_t *ret_count, struct err *err)
{
    struct match *match = NULL;
    int rc = match_new(m, n, lim ? lim->tenant : NULL, &match, err);
    if (rc)
        return rc;
    pthread_rwlock_rdlock(&s->index->lock);
    rc = match_series(match, s->index, lim && lim->max_series ? lim->max_series : SCAN_SERIES_MAX,
                      ret_ids, ret_count, err);
    pthread_rwlock_unlock(&s->index->lock);
    match_free(match);
    size_t kept = 0;
    for (size_t i = 0; !rc && lim && lim->want && i < *ret_count; i++)
        if (lim->want(lim->want_ctx, (*ret_ids)[i]))
            (*ret_ids)[kept++] = (*ret_ids)[i];
    if (!rc && lim && lim->want)
        *ret_count = kept;
    for (size_t i = 1; !rc && i < *ret_count; i++)
        if ((*ret_ids)[i - 1] > (*ret_ids)[i]) {
            qsort(*ret_ids, *ret_count, sizeof **ret_ids, scan_compare_ids);
            break;
        }
    return rc;
}

int
scan_open_ids(struct store *s, const uint32_t *ids, size_t n, int64_t from_ms, int64_t to_ms,
              const struct select_limits *lim, struct scan **ret, struct err *err)
{
    struct scan *c = calloc(1, sizeof *c);
    if (!c || !(c->rows = calloc(n + 1, sizeof *c->rows))) {
        free(c);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    c->store = s;
    c->lim = lim;
    c->from = from_ms;
    c->to = to_ms;
    c->count = n;
    c->max_samples = (double)(lim && lim->max_samples ? lim->max_samples : SCAN_SAMPLES_MAX);
    for (size_t i = 0; i < n; i++)
        c->rows[i].id = ids[i];
    int rc = scan_memory(c, err);
    if (!rc && c->asked_count)
        rc = scan_days(c, err);
    if (rc) {
        scan_close(c);
        return rc;
    }
    for (size_t i = 0; i < n; i++)
        c->room = c->rows[i].room > c->room ? c->rows[i].room : c->room;
    *ret = c;
    return 0;
}

int
scan_open(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
          const struct select_limits *lim, struct scan **ret, struct err *err)
{
    uint32_t *ids = NULL;
    size_t count = 0;
    int rc = scan_match(s, m, n, lim, &ids, &count, err);
    if (!rc)
        rc = scan_open_ids(s, ids, count, from_ms, to_ms, lim, ret, err);
    free(ids);
    return rc;
}

int
scan_open_tier(struct store *s, const struct matcher *m, size_t n, int64_t to_ms,
               const struct tier_plan *plan, const struct select_limits *lim, struct scan **ret,
               struct err *err)
{
    struct scan *c = NULL;
    uint32_t *ids = NULL;
    size_t count = 0;
    int rc = scan_match(s, m, n, lim, &ids, &count, err);
    if (!rc)
        rc = scan_open_ids(s, ids, count, plan->until_ms + 1, to_ms, lim, &c, err);
    if (!rc)
        rc = tier_read_open(s, plan, ids, count, &c->tier, err);
    if (!rc && (double)tier_read_samples(c->tier) + c->estimate > c->max_samples)
        rc = err_set(err, ERR_LIMIT,
                     "query processing would load too many samples into memory in query execution");
    free(ids);
    if (rc)
        scan_close(c);
    else
        *ret = c;
    return rc;
}

void
scan_close(struct scan *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->held_count; i++)
        chunk_held_drop(c->held[i]);
    slabs_done(&c->labels);
    slabs_done(&c->blocks);
    tier_read_close(c->tier);
    free(c->held);
    free(c->pieces);
    free(c->asked);
    free(c->rows);
    free(c);
}

/* --- reading ---------------------------------------------------------------------------------- */

size_t
scan_count(const struct scan *c)
{
    return c->count;
}

struct labels *
scan_labels(const struct scan *c, size_t i)
{
    return c->rows[i].labels;
}

uint64_t
scan_id(const struct scan *c, size_t i)
{
    return c->rows[i].id;
}

size_t
scan_room(const struct scan *c)
{
    return c->tier ? c->room + tier_read_room(c->tier, c->room) : c->room;
}

void
scan_give_labels(struct scan *c, struct slabs *into)
{
    slabs_join(into, &c->labels);
}

/* Adds m samples behind n, both by time and unique. What a day file holds is often in memory still:
 * the same times once more, and then newer ones. */
static size_t
scan_join(struct sample *at, size_t n, size_t m)
{
    size_t same = 0, from = n;
    if (!n || !m || at[n - 1].t_ms < at[n].t_ms)
        return n + m;
    while (from && at[from - 1].t_ms >= at[n].t_ms)
        from--;
    while (from + same < n && same < m && at[from + same].t_ms == at[n + same].t_ms)
        same++;
    if (from + same < n && same < m)
        return head_sort(at, n + m);
    memmove(at + n, at + n + same, (m - same) * sizeof *at);
    return n + m - same;
}

static size_t
scan_read_raw(const struct scan *c, size_t i, struct sample *room, struct sample **ret_first)
{
    const struct scan_row *row = &c->rows[i];
    size_t n = 0, first = 0;
    for (uint32_t k = 0; k < row->piece_count; k++) {
        const struct scan_piece *p = &c->pieces[row->pieces + k];
        if (chunk_reader_samples(p->reader, p->place, room + n))
            c->store->counters.damaged++;
        else
            n = scan_join(room, n, chunk_reader_count(p->reader, p->place));
    }
    if (row->blocks) {
        struct series memory = {.blocks = row->blocks};
        n = scan_join(room, n, head_read(NULL, &memory, 0, c->from, c->to, room + n));
    }
    while (n > first && room[n - 1].t_ms > c->to)
        n--;
    while (first < n && room[first].t_ms < c->from)
        first++;
    *ret_first = room + first;
    return n - first;
}

size_t
scan_read(const struct scan *c, size_t i, struct sample *room, struct sample **ret_first)
{
    struct sample *raw;
    if (!c->tier)
        return scan_read_raw(c, i, room, ret_first);
    size_t n = scan_read_raw(c, i, room + tier_read_room(c->tier, c->room), &raw);
    *ret_first = room;
    return tier_read_row(c->tier, i, raw, n, room);
}
