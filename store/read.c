/* read: series as rows of samples, all of a range or the newest of each. */
#include "store/read.h"

#include "store/head.h"
#include "store/scan.h"
#include "store/slabs.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define READ_SLICE       2048
#define READ_SAMPLES_MAX ((size_t)100000000)

void
series_set_done(struct series_set *set)
{
    if (!set)
        return;
    slabs_done(&(struct slabs){set->priv});
    free(set->rows);
    *set = (struct series_set){0};
}

void *
read_alloc(struct series_set *set, size_t n)
{
    struct slabs s = {set->priv};
    void *p = slabs_alloc(&s, n);
    set->priv = s.top;
    return p;
}

/* --- ranges ----------------------------------------------------------------------------------- */

struct read_rows {
    const struct scan *scan;
    const struct select_limits *lim;
    struct series_set *set;
    struct slabs slabs;
    struct sample *room;
    size_t total, max;
};

/* Rows without a sample are left out; `last`: only the newest one of each. */
static int
read_row(struct read_rows *r, size_t i, bool last, struct err *err)
{
    struct sample *first;
    size_t n = scan_read(r->scan, i, r->room, &first);
    if (!n)
        return 0;
    r->total += n;
    if (r->total > r->max)
        return err_set(err, ERR_LIMIT, "the query reads more than %zu samples", r->max);
    if (last) {
        first += n - 1;
        n = 1;
        if (sample_is_stale(first->v))
            return 0;
    }
    struct sample *at = slabs_alloc(&r->slabs, n * sizeof *at);
    if (!at)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(at, first, n * sizeof *at);
    r->set->rows[r->set->count++] = (struct series_row){
        .labels = scan_labels(r->scan, i), .id = scan_id(r->scan, i), .samples = at, .count = n};
    return i % 1024 ? 0 : scan_deadline(r->lim, err);
}

static int
read_rows(struct scan *c, bool last, const struct select_limits *lim, struct series_set *set,
          struct err *err)
{
    struct read_rows r = {.scan = c, .lim = lim, .set = set, .slabs = {set->priv}};
    size_t n = scan_count(c);
    int rc = 0;
    r.max = lim && lim->max_samples ? lim->max_samples : READ_SAMPLES_MAX;
    r.room = malloc((scan_room(c) + 1) * sizeof *r.room);
    if (!set->rows)
        set->rows = calloc(n ? n : 1, sizeof *set->rows);
    if (!r.room || !set->rows)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < n; i++)
        rc = read_row(&r, i, last, err);
    free(r.room);
    scan_give_labels(c, &r.slabs);
    set->priv = r.slabs.top;
    return rc;
}

int
read_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
            const struct select_limits *lim, struct series_set *ret, struct err *err)
{
    struct scan *c = NULL;
    struct series_set set = {0};
    int rc = scan_open(s, m, n, from_ms, to_ms, lim, &c, err);
    if (!rc)
        rc = read_rows(c, false, lim, &set, err);
    scan_close(c);
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
    struct slabs slabs;
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
    *row = (struct series_row){.id = id,
                               .count = 1,
                               .labels = scan_copy_labels(&l->slabs, ix, s),
                               .samples = slabs_alloc(&l->slabs, sizeof *row->samples)};
    if (!row->samples || !row->labels)
        return ERR_NOMEM;
    *row->samples = x;
    l->set->count++;
    return 0;
}

/* Rows of the ids that memory could not answer. */
static int
read_latest_days(struct read_latest *l, const struct select_limits *lim, struct err *err)
{
    struct scan *c = NULL;
    int rc = scan_open_ids(l->store, l->ask, l->ask_count, l->from, l->to, lim, &c, err);
    if (!rc)
        rc = read_rows(c, true, lim, l->set, err);
    scan_close(c);
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
    int rc = scan_match(s, m, n, lim, &ids, &count, err);
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
        rc = rc ? err_set(err, rc, "out of memory") : scan_deadline(lim, err);
    }
    set.priv = l.slabs.top;
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
