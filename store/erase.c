/* erase: series that matchers name lose their samples of a time range, everywhere.
 *
 * First all that memory holds goes to the day files, so that no journal batch brings it back. Then,
 * under the flusher's lock, each day file gives up the samples in one transaction: its chunks are
 * written anew without them, its label blocks without the series that have none left. Last, memory
 * forgets what it kept of them and the registry the series that are nowhere any more. What arrives
 * meanwhile stays. A crash in the middle leaves some days done and others not: ask again. */
#include "store/store.h"

#include "store/chunk.h"
#include "store/dayfile_priv.h"
#include "store/db.h"
#include "store/flush.h"
#include "store/head.h"
#include "store/labelblock.h"
#include "store/scan.h"
#include "store/series.h"
#include "store/store_priv.h"
#include "store/tier.h"
#include "store/writer.h"

#include <stdlib.h>
#include <string.h>

#define ERASE_SLICE 1024 /* series between two looks at writers of the index */

struct erase {
    struct store *store;
    const uint32_t *ids; /* ascending */
    size_t count;
    int64_t from, to;
    uint64_t erased; /* samples */
    struct chunk_writer *chunk;
    struct buf data;
    struct sample *room;
    size_t room_cap;
    uint64_t *left; /* bitmap: ids that still have samples in the day */
    size_t left_words;
};

static bool
erase_named(const struct erase *e, uint64_t id)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (e->ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < e->count && e->ids[low] == id;
}

/* --- one day's chunks ------------------------------------------------------------------------- */

static int
erase_put_chunk(struct erase *e, struct day *day, const char *metric, struct err *err)
{
    struct chunk_info info;
    sqlite3_stmt *st = day->st[DAY_ADD_CHUNK];
    if (!chunk_writer_series(e->chunk))
        return 0;
    int rc = chunk_writer_finish(e->chunk, &e->data, &info);
    if (rc)
        return err_set(err, rc, "a chunk cannot be encoded: %s", err_text(rc));
    db_bind_text(st, 1, metric);
    sqlite3_bind_int64(st, 2, info.min_ms);
    sqlite3_bind_int64(st, 3, info.max_ms);
    sqlite3_bind_int64(st, 4, (int64_t)info.first_id);
    sqlite3_bind_int64(st, 5, (int64_t)info.last_id);
    sqlite3_bind_int64(st, 6, info.series);
    sqlite3_bind_int64(st, 7, (int64_t)info.samples);
    sqlite3_bind_blob64(st, 8, e->data.data, e->data.len, SQLITE_STATIC);
    return db_run(day->w, st, err);
}

static void
erase_left(struct erase *e, uint64_t id)
{
    if (id / 64 < e->left_words)
        e->left[id / 64] |= (uint64_t)1 << (id % 64);
}

/* The samples of series i that stay, into the room; how many. */
static int64_t
erase_keep(struct erase *e, const struct chunk_reader *r, size_t i)
{
    size_t n = chunk_reader_count(r, i), kept = 0;
    if (n > e->room_cap) {
        struct sample *p = realloc(e->room, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        e->room = p;
        e->room_cap = n;
    }
    int rc = chunk_reader_samples(r, i, e->room);
    if (rc)
        return rc;
    bool named = erase_named(e, chunk_reader_id(r, i));
    for (size_t k = 0; k < n; k++)
        if (!named || e->room[k].t_ms < e->from || e->room[k].t_ms > e->to)
            e->room[kept++] = e->room[k];
    e->erased += n - kept;
    return (int64_t)kept;
}

/* Does the chunk hold anything that goes? */
static bool
erase_meets(const struct erase *e, const struct chunk_reader *r)
{
    for (size_t i = 0; i < chunk_reader_series(r); i++)
        if (erase_named(e, chunk_reader_id(r, i)))
            return true;
    return false;
}

static int
erase_chunk(struct erase *e, struct day *day, const struct chunk_reader *r, const char *metric,
            struct err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < chunk_reader_series(r); i++) {
        int64_t n = erase_keep(e, r, i);
        uint64_t id = chunk_reader_id(r, i);
        if (n < 0)
            return err_set(err, (int)n, "a chunk cannot be read: %s", err_text((int)n));
        if (!n)
            continue;
        erase_left(e, id);
        rc = chunk_writer_add(e->chunk, id, e->room, (size_t)n);
        if (rc == ERR_LIMIT && !(rc = erase_put_chunk(e, day, metric, err)))
            rc = chunk_writer_add(e->chunk, id, e->room, (size_t)n);
    }
    return rc ? rc : erase_put_chunk(e, day, metric, err);
}

/* One row: left as it is (0), or replaced (1). */
static int
erase_row(struct erase *e, struct day *day, sqlite3_stmt *st, struct err *err)
{
    struct chunk_reader *r;
    const char *metric = db_text(st, 1);
    bool inside = sqlite3_column_int64(st, 3) >= e->from && sqlite3_column_int64(st, 4) <= e->to;
    int rc = chunk_reader_new(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2), &r);
    if (rc == ERR_CORRUPT) /* it answers nothing anyway */
        return 0;
    if (rc)
        return err_set(err, rc, "out of memory");
    if (inside && erase_meets(e, r)) {
        rc = erase_chunk(e, day, r, metric, err);
        rc = rc ? rc : 1;
    } else {
        for (size_t i = 0; i < chunk_reader_series(r); i++)
            erase_left(e, chunk_reader_id(r, i));
    }
    chunk_reader_free(r);
    return rc;
}

static int
erase_chunks(struct erase *e, struct day *day, struct err *err)
{
    sqlite3_stmt *st, *gone = NULL;
    int64_t last = 0;
    int rc = db_integer(day->w, "SELECT max(id) FROM chunk", 0, &last, err), step = SQLITE_DONE;
    if (rc)
        return rc;
    rc = db_prepare(day->w,
                    "SELECT id, metric, data, max_ms, min_ms FROM chunk WHERE id <= ?1 ORDER BY id",
                    &st, err);
    if (rc)
        return rc;
    rc = db_prepare(day->w, "DELETE FROM chunk WHERE id = ?1", &gone, err);
    sqlite3_bind_int64(st, 1, last); /* what is put meanwhile is done */
    while (rc >= 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
        rc = erase_row(e, day, st, err);
        if (rc == 1) {
            sqlite3_bind_int64(gone, 1, sqlite3_column_int64(st, 0));
            rc = db_run(day->w, gone, err);
        }
    }
    if (rc >= 0)
        rc = step == SQLITE_DONE ? 0 : db_error(day->w, step, err, "day file");
    sqlite3_finalize(gone);
    sqlite3_finalize(st);
    return rc;
}

/* --- its labels ------------------------------------------------------------------------------- */

static bool
erase_gone(const struct erase *e, uint64_t id)
{
    return erase_named(e, id) && !(id / 64 < e->left_words && e->left[id / 64] >> (id % 64) & 1);
}

struct erase_block {
    struct erase *e;
    struct labelblock *out;
    bool any;
};

static int
erase_block_look(void *ctx, uint64_t id, const void *labels, size_t len)
{
    struct erase_block *b = ctx;
    (void)labels, (void)len;
    b->any |= erase_gone(b->e, id);
    return 0;
}

static int
erase_block_copy(void *ctx, uint64_t id, const void *labels, size_t len)
{
    struct erase_block *b = ctx;
    struct labels l;
    if (erase_gone(b->e, id))
        return 0;
    int rc = record_take_labels(labels, len, &l);
    return rc ? rc : labelblock_add(b->out, id, &l);
}

/* A block without those that are gone; taken out when none is left. */
static int
erase_label_row(struct erase *e, struct day *day, sqlite3_stmt *st, sqlite3_stmt *set,
                sqlite3_stmt *drop, struct err *err)
{
    struct erase_block b = {.e = e};
    const void *p = sqlite3_column_blob(st, 1);
    size_t len = (size_t)sqlite3_column_bytes(st, 1);
    if (labelblock_ids(p, len, erase_block_look, &b) || !b.any)
        return 0;
    if (!(b.out = labelblock_new()))
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = labelblock_read(p, len, erase_block_copy, &b);
    sqlite3_stmt *do_it = rc || labelblock_count(b.out) ? set : drop;
    if (!rc && do_it == set && !(rc = labelblock_finish(b.out, &e->data)))
        sqlite3_bind_blob64(set, 2, e->data.data, e->data.len, SQLITE_STATIC);
    sqlite3_bind_int64(do_it, 1, sqlite3_column_int64(st, 0));
    rc = rc ? err_set(err, rc, "labels cannot be written anew: %s", err_text(rc))
            : db_run(day->w, do_it, err);
    labelblock_free(b.out);
    return rc;
}

static int
erase_labels(struct erase *e, struct day *day, struct err *err)
{
    static const char *const sql[] = {
        "SELECT id, data FROM labels ORDER BY id", "UPDATE labels SET data = ?2 WHERE id = ?1",
        "DELETE FROM labels WHERE id = ?1", "DELETE FROM series WHERE id = ?1"};
    sqlite3_stmt *st[4] = {NULL};
    int rc = 0, step = SQLITE_DONE;
    for (int i = 0; !rc && i < 4; i++)
        rc = db_prepare(day->w, sql[i], &st[i], err);
    while (!rc && (step = sqlite3_step(st[0])) == SQLITE_ROW)
        rc = erase_label_row(e, day, st[0], st[1], st[2], err);
    if (!rc && step != SQLITE_DONE)
        rc = db_error(day->w, step, err, "day file");
    for (size_t i = 0; !rc && i < e->count; i++) {
        if (!erase_gone(e, e->ids[i]))
            continue;
        sqlite3_bind_int64(st[3], 1, e->ids[i]);
        rc = db_run(day->w, st[3], err);
    }
    for (int i = 0; i < 4; i++)
        sqlite3_finalize(st[i]);
    return rc;
}

static void
erase_forget_ids(struct erase *e, struct day *day)
{
    pthread_mutex_lock(&day->ids_lock);
    for (size_t i = 0; day->ids && i < e->count; i++)
        if (erase_gone(e, e->ids[i]) && e->ids[i] / 64 < day->ids_words)
            day->ids[e->ids[i] / 64] &= ~((uint64_t)1 << (e->ids[i] % 64));
    pthread_mutex_unlock(&day->ids_lock);
}

static int
erase_day(struct erase *e, struct day *day, struct err *err)
{
    uint64_t before = e->erased;
    memset(e->left, 0, e->left_words * sizeof *e->left);
    int rc = day_writer_open(day, err);
    if (!rc)
        rc = db_exec(day->w, "BEGIN IMMEDIATE", err);
    if (rc)
        return rc;
    rc = erase_chunks(e, day, err);
    if (!rc && e->erased != before)
        rc = erase_labels(e, day, err);
    if (!rc)
        rc = db_exec(day->w, "COMMIT", err);
    if (rc && !sqlite3_get_autocommit(day->w))
        db_exec(day->w, "ROLLBACK", NULL);
    if (!rc && e->erased != before)
        erase_forget_ids(e, day);
    if (!rc && e->erased != before)
        tier_changed(e->store->tiers, day->number);
    if (rc) /* what was collected belongs to a transaction that is undone */
        e->erased = before;
    return rc;
}

static int
erase_days(struct erase *e, struct err *err)
{
    struct day **at;
    size_t n;
    int rc = days_list(e->store->days, e->from, e->to, &at, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!rc)
            rc = erase_day(e, at[i], err);
        day_put(e->store->days, at[i]);
    }
    free(at);
    return rc;
}

/* --- memory ----------------------------------------------------------------------------------- */

static void
erase_memory(struct erase *e)
{
    struct index *ix = e->store->index;
    for (size_t i = 0; i < e->count; i += ERASE_SLICE) {
        pthread_rwlock_wrlock(&ix->lock);
        for (size_t k = i; k < i + ERASE_SLICE && k < e->count; k++)
            head_erase(ix, series_at(ix, e->ids[k]), e->from, e->to);
        pthread_rwlock_unlock(&ix->lock);
    }
}

static int
erase_run(struct erase *e, struct err *err)
{
    if (!e->count)
        return 0;
    e->left_words = e->ids[e->count - 1] / 64 + 1;
    e->left = calloc(e->left_words, sizeof *e->left);
    e->chunk = chunk_writer_new();
    buf_init(&e->data, 4 * CHUNK_BYTES_MAX);
    int rc = e->left && e->chunk ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    flush_lock(e->store->flusher);
    if (!rc)
        rc = erase_days(e, err);
    if (!rc)
        erase_memory(e);
    if (!rc)
        rc = writer_call(e->store->writer, retention_forget, NULL);
    flush_unlock(e->store->flusher);
    chunk_writer_free(e->chunk);
    buf_done(&e->data);
    free(e->left);
    free(e->room);
    return rc;
}

int64_t
store_delete(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
             struct err *err)
{
    struct select_limits lim = {.max_series = (size_t)s->cfg.max_series};
    struct erase e = {.store = s, .from = from_ms, .to = to_ms};
    uint32_t *ids = NULL;
    if (!n)
        return err_set(err, ERR_USAGE, "deleting needs a selector");
    int rc = flush_all(s->flusher, err);
    if (!rc)
        rc = scan_match(s, m, n, &lim, &ids, &e.count, err);
    e.ids = ids;
    if (!rc)
        rc = erase_run(&e, err);
    free(ids);
    return rc ? rc : (int64_t)e.erased;
}
