/* merge: the chunks of one metric and slot are walked together by series, as many open at a time as
 * there were fills, and written anew; the old rows go in the same transaction.
 *
 * What is always true: a reader sees the old chunks or the new ones; of samples with the same time
 * the one that was filed first stays, as everywhere. */
#include "store/merge.h"

#include "store/db.h"
#include "store/head.h"

#include <stdlib.h>
#include <string.h>

#define MERGE_SAMPLES ((uint64_t)8 << 20) /* of one transaction: some 10 MB, a second */
#define MERGE_JOBS    256

struct merge_chunk { /* a row, in the order of its first series */
    int64_t row;
    uint64_t first_id, last_id;
    struct chunk_reader *reader;
    size_t at; /* next series */
    bool damaged;
};

struct merge_job {
    char *metric;
    int64_t slot;
};

struct merge {
    sqlite3 *db;
    struct day_writer *w;
    struct err *err;
    const char *metric;
    struct merge_chunk *chunks;
    size_t count, cap, next;     /* next: to be opened */
    struct merge_chunk **active; /* open, by row */
    size_t active_count;
    struct sample *samples;
    size_t sample_cap;
    struct chunk_writer *out;
    struct buf data;
    sqlite3_stmt *read, *drop;
    uint64_t done, damaged;
};

static void
merge_done(struct merge *m)
{
    for (size_t i = 0; i < m->count; i++)
        chunk_reader_free(m->chunks[i].reader);
    free(m->chunks);
    free(m->active);
    free(m->samples);
    chunk_writer_free(m->out);
    buf_done(&m->data);
    sqlite3_finalize(m->read);
    sqlite3_finalize(m->drop);
}

static int
merge_grow(void **at, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t n = *cap ? *cap * 2 : 64;
    while (n < need)
        n *= 2;
    void *p = realloc(*at, n * size);
    if (!p)
        return ERR_NOMEM;
    *at = p;
    *cap = n;
    return 0;
}

/* --- one metric and slot ---------------------------------------------------------------------- */

/* Rows of the slot. 1 when some of them hold the same series and merging is worth while. */
static int
merge_rows(struct merge *m, const struct merge_job *j)
{
    static const char sql[] = "SELECT id, first_id, last_id FROM chunk WHERE metric = ?1 AND "
                              "max_ms >= ?2 AND max_ms < ?3 AND min_ms >= ?2 ORDER BY first_id, id";
    sqlite3_stmt *st;
    uint64_t last = 0;
    bool overlap = false;
    int rc = db_prepare(m->db, sql, &st, m->err), step = SQLITE_DONE;
    if (rc)
        return rc;
    db_bind_text(st, 1, j->metric);
    sqlite3_bind_int64(st, 2, j->slot * SLOT_MS);
    sqlite3_bind_int64(st, 3, (j->slot + 1) * SLOT_MS);
    m->count = m->next = m->active_count = 0;
    while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW) {
        rc = merge_grow((void **)&m->chunks, &m->cap, m->count + 1, sizeof *m->chunks);
        if (rc)
            break;
        struct merge_chunk *c = &m->chunks[m->count++];
        *c = (struct merge_chunk){.row = sqlite3_column_int64(st, 0),
                                  .first_id = (uint64_t)sqlite3_column_int64(st, 1),
                                  .last_id = (uint64_t)sqlite3_column_int64(st, 2)};
        overlap |= m->count > 1 && c->first_id <= last;
        last = c->last_id > last ? c->last_id : last;
    }
    if (!rc && step != SQLITE_DONE)
        rc = db_error(m->db, step, m->err, "day file");
    sqlite3_finalize(st);
    return rc ? rc : overlap;
}

/* Reads a chunk and takes its row away; a damaged one stays. */
static int
merge_open(struct merge *m, struct merge_chunk *c)
{
    sqlite3_bind_int64(m->read, 1, c->row);
    int rc = sqlite3_step(m->read) == SQLITE_ROW
                 ? chunk_reader_new(sqlite3_column_blob(m->read, 0),
                                    (size_t)sqlite3_column_bytes(m->read, 0), &c->reader)
                 : ERR_CORRUPT;
    sqlite3_reset(m->read);
    if (rc == ERR_CORRUPT) {
        c->damaged = true;
        m->damaged++;
        return 0;
    }
    if (rc)
        return err_set(m->err, rc, "out of memory");
    size_t i = m->active_count++; /* by row: the first filed of equal times stays */
    for (; i > 0 && m->active[i - 1]->row > c->row; i--)
        m->active[i] = m->active[i - 1];
    m->active[i] = c;
    sqlite3_bind_int64(m->drop, 1, c->row);
    return db_run(m->db, m->drop, m->err);
}

static int
merge_put(struct merge *m)
{
    struct chunk_info info;
    if (!chunk_writer_series(m->out))
        return 0;
    int rc = chunk_writer_finish(m->out, &m->data, &info);
    return rc ? err_set(m->err, rc, "a chunk cannot be encoded: %s", err_text(rc))
              : day_writer_chunk(m->w, m->metric, &info, &m->data, m->err);
}

/* Samples of a series go out; n may be more than a chunk takes. */
static int
merge_add(struct merge *m, uint64_t id, size_t n)
{
    int rc = 0;
    for (size_t at = 0; !rc && at < n;) {
        size_t some = n - at < CHUNK_SAMPLES_MAX ? n - at : CHUNK_SAMPLES_MAX;
        int add = at ? ERR_LIMIT : chunk_writer_add(m->out, id, m->samples + at, some);
        if (add == ERR_LIMIT) {
            rc = merge_put(m);
            add = rc ? 0 : chunk_writer_add(m->out, id, m->samples + at, some);
        }
        if (add)
            rc = err_set(m->err, add, "a chunk cannot be encoded: %s", err_text(add));
        at += some;
    }
    m->done += n;
    return rc;
}

/* A chunk may hold a series whose bytes say other than they did: as whole chunks do, it stays out
 * and is counted; that takes a checksum that fits by chance. */
static int
merge_take(struct merge *m, uint64_t id, size_t *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < m->active_count; i++) {
        struct merge_chunk *c = m->active[i];
        while (c->at < chunk_reader_series(c->reader) && chunk_reader_id(c->reader, c->at) == id) {
            size_t more = chunk_reader_count(c->reader, c->at);
            if (merge_grow((void **)&m->samples, &m->sample_cap, n + more, sizeof *m->samples))
                return err_set(m->err, ERR_NOMEM, "out of memory");
            if (chunk_reader_samples(c->reader, c->at++, m->samples + n) == 0)
                n += more;
            else
                m->damaged++;
        }
    }
    *ret = head_sort(m->samples, n);
    return 0;
}

static void
merge_close_finished(struct merge *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->active_count; i++) {
        struct merge_chunk *c = m->active[i];
        if (c->at < chunk_reader_series(c->reader)) {
            m->active[kept++] = c;
            continue;
        }
        chunk_reader_free(c->reader);
        c->reader = NULL;
    }
    m->active_count = kept;
}

static uint64_t
merge_least(const struct merge *m)
{
    uint64_t id = m->next < m->count ? m->chunks[m->next].first_id : UINT64_MAX;
    for (size_t i = 0; i < m->active_count; i++) {
        uint64_t k = chunk_reader_id(m->active[i]->reader, m->active[i]->at);
        id = k < id ? k : id;
    }
    return id;
}

static int
merge_walk(struct merge *m)
{
    int rc = 0;
    for (uint64_t id; !rc && (id = merge_least(m)) != UINT64_MAX;) {
        size_t n = 0;
        while (!rc && m->next < m->count && m->chunks[m->next].first_id <= id)
            rc = merge_open(m, &m->chunks[m->next++]);
        if (!rc)
            rc = merge_take(m, id, &n);
        if (!rc)
            rc = merge_add(m, id, n);
        merge_close_finished(m);
    }
    return rc ? rc : merge_put(m);
}

static int
merge_slot(struct merge *m, const struct merge_job *j)
{
    int rc = merge_rows(m, j);
    if (rc <= 0)
        return rc;
    m->metric = j->metric;
    free(m->active);
    m->active = malloc(m->count * sizeof *m->active);
    return m->active ? merge_walk(m) : err_set(m->err, ERR_NOMEM, "out of memory");
}

/* --- what there is to do ---------------------------------------------------------------------- */

static int
merge_jobs(struct merge *m, int64_t before_ms, struct merge_job *jobs, size_t *ret)
{
    static const char sql[] =
        "SELECT a.metric, a.max_ms / ?1 AS slot FROM chunk a WHERE a.min_ms / ?1 = a.max_ms / ?1 "
        "AND a.min_ms >= 0 AND (a.max_ms / ?1 + 1) * ?1 <= ?2 AND EXISTS (SELECT 1 FROM chunk b "
        "WHERE b.metric = a.metric AND b.max_ms >= a.max_ms / ?1 * ?1 AND b.max_ms < (a.max_ms / "
        "?1 + 1) * ?1 AND b.min_ms >= a.max_ms / ?1 * ?1 AND b.id < a.id AND b.first_id <= "
        "a.last_id AND b.last_id >= a.first_id) GROUP BY 1, 2 LIMIT ?3";
    sqlite3_stmt *st;
    int rc = db_prepare(m->db, sql, &st, m->err), step = SQLITE_DONE;
    if (rc)
        return rc;
    sqlite3_bind_int64(st, 1, SLOT_MS);
    sqlite3_bind_int64(st, 2, before_ms);
    sqlite3_bind_int64(st, 3, MERGE_JOBS);
    *ret = 0;
    while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct merge_job *j = &jobs[(*ret)++];
        *j = (struct merge_job){strdup(db_text(st, 0)), sqlite3_column_int64(st, 1)};
        if (!j->metric)
            rc = err_set(m->err, ERR_NOMEM, "out of memory");
    }
    if (!rc && step != SQLITE_DONE)
        rc = db_error(m->db, step, m->err, "day file");
    sqlite3_finalize(st);
    return rc;
}

static int
merge_prepare(struct merge *m)
{
    m->out = chunk_writer_new();
    buf_init(&m->data, 4 * CHUNK_BYTES_MAX);
    if (!m->out)
        return err_set(m->err, ERR_NOMEM, "out of memory");
    int rc = db_prepare(m->db, "SELECT data FROM chunk WHERE id = ?", &m->read, m->err);
    return rc ? rc : db_prepare(m->db, "DELETE FROM chunk WHERE id = ?", &m->drop, m->err);
}

int
merge_day(struct days *d, int64_t day, int64_t before_ms, uint64_t *ret_damaged, struct err *err)
{
    struct merge_job jobs[MERGE_JOBS];
    struct merge m = {.err = err};
    size_t n = 0, i = 0;
    int rc = day_writer_begin(d, day, &m.w, err);
    if (rc)
        return rc;
    m.db = day_writer_db(m.w);
    rc = merge_prepare(&m);
    if (!rc)
        rc = merge_jobs(&m, before_ms, jobs, &n);
    for (; !rc && i < n && m.done < MERGE_SAMPLES; i++)
        rc = merge_slot(&m, &jobs[i]);
    for (size_t k = 0; k < n; k++)
        free(jobs[k].metric);
    bool more = m.done > 0 && (i < n || n == MERGE_JOBS);
    *ret_damaged += m.damaged;
    merge_done(&m);
    rc = day_writer_end(m.w, rc, DAY_NEITHER, 0, err);
    return rc ? rc : more;
}
