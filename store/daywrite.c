/* daywrite: filling day files: one transaction a file and fill, with the journal number it holds
 * from then on.
 *
 * What is always true: one thread at a time is here, under the flusher's lock (or the opener); at
 * most DAYWRITE_OPEN files have a write connection between two fills. */
#include "store/dayfile.h"

#include "base/compress.h"
#include "store/dayfile_priv.h"
#include "store/dayrow.h"
#include "store/db.h"
#include "store/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYWRITE_OPEN   4
#define DAYWRITE_SPARE  50 /* a file with more than a fiftieth of free pages is rewritten */
#define DAYWRITE_SHIFTS 64 /* rows of one millisecond beyond 2^20 move to the next ones */

static const char daywrite_schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, labels BLOB NOT NULL, crc INTEGER "
    "NOT NULL);"
    "CREATE TABLE IF NOT EXISTS labels(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY, metric TEXT NOT NULL, min_ms INTEGER "
    "NOT NULL, max_ms INTEGER NOT NULL,"
    " first_id INTEGER NOT NULL, last_id INTEGER NOT NULL, series INTEGER NOT NULL, samples "
    "INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS chunk_metric ON chunk(metric, max_ms, min_ms, first_id, last_id);"
    "CREATE INDEX IF NOT EXISTS chunk_time ON chunk(max_ms);"
    "CREATE TABLE IF NOT EXISTS event(id INTEGER PRIMARY KEY, time_ms INTEGER, seen_ms INTEGER, "
    "phase INTEGER, severity INTEGER,"
    " entity TEXT, code TEXT, source TEXT, node TEXT, job TEXT, tenant TEXT, text TEXT, fields "
    "TEXT, crc INTEGER);"
    "CREATE INDEX IF NOT EXISTS event_entity ON event(entity, id);"
    "CREATE INDEX IF NOT EXISTS event_code ON event(code, id);"
    "CREATE INDEX IF NOT EXISTS event_node ON event(node, id) WHERE node <> '';"
    "CREATE INDEX IF NOT EXISTS event_job ON event(job, id) WHERE job <> '';"
    "CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, time_ms INTEGER, severity INTEGER, "
    "rank INTEGER, node TEXT, job TEXT,"
    " source TEXT, tenant TEXT, text TEXT, crc INTEGER);"
    "CREATE INDEX IF NOT EXISTS log_node ON log(node, id) WHERE node <> '';"
    "CREATE INDEX IF NOT EXISTS log_job ON log(job, id) WHERE job <> '';"
    "CREATE TABLE IF NOT EXISTS gap(id INTEGER PRIMARY KEY, from_ms INTEGER, to_ms INTEGER, count "
    "INTEGER, source TEXT, reason TEXT,"
    " crc INTEGER);"
    "CREATE VIRTUAL TABLE IF NOT EXISTS event_text USING fts5(words, content='', columnsize=0, "
    "tokenize='unicode61');"
    "CREATE VIRTUAL TABLE IF NOT EXISTS log_text USING fts5(words, content='', columnsize=0, "
    "tokenize='unicode61');";

static const char *const daywrite_sql[DAY_STATEMENTS] = {
    [DAY_ADD_LABELS] = "INSERT INTO labels(data) VALUES(?)",
    [DAY_ADD_CHUNK] = ("INSERT INTO chunk(metric, min_ms, max_ms, first_id, last_id, series, "
                       "samples, data) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"),
    [DAY_ADD_EVENT] = "INSERT INTO event VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [DAY_ADD_LOG] = "INSERT INTO log VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [DAY_ADD_GAP] = "INSERT INTO gap VALUES(?, ?, ?, ?, ?, ?, ?)",
    [DAY_ADD_EVENT_TEXT] = "INSERT INTO event_text(rowid, words) VALUES(?, ?)",
    [DAY_ADD_LOG_TEXT] = "INSERT INTO log_text(rowid, words) VALUES(?, ?)",
    [DAY_SET_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
};

static int
daywrite_meta(struct day *day, const char *key, int64_t value, struct err *err)
{
    db_bind_text(day->st[DAY_SET_META], 1, key);
    sqlite3_bind_int64(day->st[DAY_SET_META], 2, value);
    return db_run(day->w, day->st[DAY_SET_META], err);
}

static int
daywrite_schema_make(struct day *day, struct err *err)
{
    int64_t version;
    int rc = db_integer(day->w, "PRAGMA user_version", 0, &version, err);
    if (rc || version == DAY_VERSION)
        return rc;
    if (version > DAY_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "%s was written by a newer program", day->path);
    char set[160];
    if (!version)
        day->registry = day->days->registry;
    snprintf(
        set, sizeof set,
        "INSERT OR IGNORE INTO meta VALUES('registry', %lld); PRAGMA user_version = %d; COMMIT",
        (long long)day->registry, DAY_VERSION);
    rc = db_exec(day->w, "BEGIN IMMEDIATE", err);
    if (!rc)
        rc = db_exec(day->w, daywrite_schema, err);
    if (!rc)
        rc = db_exec(day->w, set, err);
    if (rc && !sqlite3_get_autocommit(day->w))
        db_exec(day->w, "ROLLBACK", NULL);
    return rc;
}

int
day_writer_open(struct day *day, struct err *err)
{
    if (day->w)
        return 0;
    int rc = db_open(day->path, DB_WRITE, DAY_PAGE, &day->w, err);
    if (rc)
        return rc;
    day->days->open_writers++;
    rc = daywrite_schema_make(day, err);
    for (int i = 0; !rc && i < DAY_STATEMENTS; i++)
        rc = db_prepare(day->w, daywrite_sql[i], &day->st[i], err);
    if (rc)
        day_writer_close(day);
    return rc;
}

void
day_writer_close(struct day *day)
{
    if (!day->w)
        return;
    for (int i = 0; i < DAY_STATEMENTS; i++) {
        sqlite3_finalize(day->st[i]);
        day->st[i] = NULL;
    }
    db_checkpoint(day->w, NULL);
    db_close(day->w);
    day->w = NULL;
    day->days->open_writers--;
}

struct day_writer {
    struct day *day;
    uint64_t *fresh; /* series added in this transaction: unknown again if it fails */
    size_t fresh_count, fresh_cap;
};

static void
daywrite_close_others(struct days *d, const struct day *keep)
{
    for (size_t i = 0; d->open_writers > DAYWRITE_OPEN && i < d->count; i++)
        if (d->at[i] != keep)
            day_writer_close(d->at[i]);
}

int
day_writer_begin(struct days *d, int64_t number, struct day_writer **ret, struct err *err)
{
    struct day_writer *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_mutex_lock(
        &d->lock); /* a new file is listed when it has its schema, so that readers find it whole */
    w->day = days_find(d, number);
    bool made = !w->day;
    int rc = w->day ? 0 : days_add(d, number, &w->day);
    if (!rc)
        rc = day_writer_open(w->day, err);
    if (rc && made && w->day) {
        days_unlist(d, w->day);
        day_free(w->day);
    }
    pthread_mutex_unlock(&d->lock);
    if (!rc)
        daywrite_close_others(d, w->day);
    if (!rc)
        rc = db_exec(w->day->w, "BEGIN IMMEDIATE", err);
    if (!rc) {
        pthread_mutex_lock(&w->day->ids_lock);
        if (!w->day->ids)
            rc = day_ids_load(d, w->day, err);
        pthread_mutex_unlock(&w->day->ids_lock);
        if (rc)
            db_exec(w->day->w, "ROLLBACK", NULL);
    }
    if (rc)
        free(w);
    else
        *ret = w;
    return rc;
}

int
day_writer_series(struct day_writer *w, uint64_t id, struct err *err)
{
    pthread_mutex_lock(&w->day->ids_lock);
    bool known = day_ids_have(w->day, id);
    int rc = known ? 0 : day_ids_add(w->day, id);
    pthread_mutex_unlock(&w->day->ids_lock);
    if (known)
        return 0;
    if (!rc && w->fresh_count == w->fresh_cap) {
        size_t n = w->fresh_cap ? w->fresh_cap * 2 : 1024;
        uint64_t *p = realloc(w->fresh, n * sizeof *p);
        if (p) {
            w->fresh = p;
            w->fresh_cap = n;
        } else {
            rc = ERR_NOMEM;
        }
    }
    if (rc)
        return err_set(err, ERR_NOMEM, "out of memory");
    w->fresh[w->fresh_count++] = id;
    return 0;
}

static int
daywrite_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

const uint64_t *
day_writer_fresh(struct day_writer *w, size_t *ret_count)
{
    *ret_count = w->fresh_count;
    if (w->fresh_count)
        qsort(w->fresh, w->fresh_count, sizeof *w->fresh, daywrite_compare);
    return w->fresh;
}

int
day_writer_labels(struct day_writer *w, const struct buf *block, struct err *err)
{
    sqlite3_stmt *st = w->day->st[DAY_ADD_LABELS];
    sqlite3_bind_blob64(st, 1, block->data, block->len, SQLITE_STATIC);
    return db_run(w->day->w, st, err);
}

int
day_writer_chunk(struct day_writer *w, const char *metric, const struct chunk_info *info,
                 const struct buf *data, struct err *err)
{
    sqlite3_stmt *st = w->day->st[DAY_ADD_CHUNK];
    db_bind_text(st, 1, metric);
    sqlite3_bind_int64(st, 2, info->min_ms);
    sqlite3_bind_int64(st, 3, info->max_ms);
    sqlite3_bind_int64(st, 4, (int64_t)info->first_id);
    sqlite3_bind_int64(st, 5, (int64_t)info->last_id);
    sqlite3_bind_int64(st, 6, info->series);
    sqlite3_bind_int64(st, 7, (int64_t)info->samples);
    sqlite3_bind_blob64(st, 8, data->data, data->len, SQLITE_STATIC);
    return db_run(w->day->w, st, err);
}

static int
daywrite_text(struct day_writer *w, uint64_t id, const struct record *r, struct err *err)
{
    struct day *day = w->day;
    const char *text = dayrow_text(r);
    if (!text || !*text)
        return 0;
    sqlite3_stmt *st = day->st[r->kind == RECORD_EVENT ? DAY_ADD_EVENT_TEXT : DAY_ADD_LOG_TEXT];
    buf_reset(&day->words);
    if (text_words(text, &day->words) || !day->words.len)
        return 0;
    sqlite3_bind_int64(st, 1, (int64_t)id);
    sqlite3_bind_text(st, 2, day->words.data, (int)day->words.len, SQLITE_STATIC);
    return db_run(day->w, st, err);
}

int
day_writer_row(struct day_writer *w, uint64_t id, const struct record *r, struct err *err)
{
    sqlite3_stmt *st = w->day->st[DAY_ADD_EVENT + (int)r->kind - RECORD_EVENT];
    int rc = ERR_EXISTS;
    for (unsigned i = 0; rc == ERR_EXISTS && i < DAYWRITE_SHIFTS; i++) {
        dayrow_bind(st, id, r);
        rc = db_run(w->day->w, st, err);
        if (rc == ERR_EXISTS)
            id += (uint64_t)1 << RECORD_ID_BITS;
    }
    return rc ? rc : daywrite_text(w, id, r, err);
}

int
day_writer_end(struct day_writer *w, int rc, enum day_held what, uint64_t held, struct err *err)
{
    struct day *day = w->day;
    if (!rc && what != DAY_NEITHER)
        rc = daywrite_meta(day, what == DAY_SAMPLES ? "held_samples" : "held_rows", (int64_t)held,
                           err);
    if (!rc)
        rc = db_exec(day->w, "COMMIT", err);
    if (!rc && what != DAY_NEITHER) {
        *(what == DAY_SAMPLES ? &day->held_samples : &day->held_rows) = held;
    } else if (rc) {
        if (!sqlite3_get_autocommit(day->w))
            db_exec(day->w, "ROLLBACK", NULL);
        pthread_mutex_lock(&day->ids_lock);
        for (size_t i = 0; i < w->fresh_count; i++)
            day->ids[w->fresh[i] / 64] &= ~((uint64_t)1 << (w->fresh[i] % 64));
        pthread_mutex_unlock(&day->ids_lock);
    }
    free(w->fresh);
    free(w);
    return rc;
}

bool
days_merge_due(struct days *d, int64_t number, int64_t before_ms)
{
    int64_t end = (number + 1) * DAY_MS;
    pthread_mutex_lock(&d->lock);
    const struct day *day = days_find(d, number);
    bool due = day && day->held_samples &&
               (day->held_samples != day->merged_held ||
                day->merged_ms < (before_ms < end ? before_ms / SLOT_MS * SLOT_MS : end));
    pthread_mutex_unlock(&d->lock);
    return due;
}

void
days_merged(struct days *d, int64_t number, int64_t before_ms)
{
    pthread_mutex_lock(&d->lock);
    struct day *day = days_find(d, number);
    if (day) {
        day->merged_held = day->held_samples;
        day->merged_ms = before_ms;
    }
    pthread_mutex_unlock(&d->lock);
}

sqlite3 *
day_writer_db(struct day_writer *w)
{
    return w->day->w;
}

/* Readers that wait for their next question keep the files beside the database alive. */
static void
daywrite_close_idle(struct days *d, struct day *day)
{
    sqlite3 *idle[DAY_READERS];
    pthread_mutex_lock(&d->lock);
    size_t n = day->idle;
    memcpy(idle, day->readers, n * sizeof *idle);
    day->idle = 0;
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < n; i++)
        day_reader_close(idle[i]);
}

int
days_shrink(struct days *d, int64_t number, struct err *err)
{
    pthread_mutex_lock(&d->lock);
    struct day *day = days_find(d, number);
    pthread_mutex_unlock(&d->lock);
    int64_t unused, pages;
    int rc = day ? day_writer_open(day, err) : ERR_NOTFOUND;
    if (rc)
        return rc == ERR_NOTFOUND ? 0 : rc;
    rc = db_integer(day->w, "PRAGMA freelist_count", 0, &unused, err);
    if (!rc)
        rc = db_integer(day->w, "PRAGMA page_count", 0, &pages, err);
    if (!rc && unused * DAYWRITE_SPARE > pages)
        rc = db_exec(day->w, "VACUUM", err);
    if (!rc)
        rc = db_checkpoint(day->w, err);
    daywrite_close_idle(d, day);
    day_writer_close(day);
    return rc;
}

static int
daywrite_trim_one(struct days *d, int64_t day, int64_t from_ms, int64_t to_ms, struct err *err)
{
    struct day_writer *w;
    char sql[160];
    int rc = day_writer_begin(d, day, &w, err);
    if (rc)
        return rc;
    snprintf(sql, sizeof sql, "DELETE FROM chunk WHERE max_ms < %lld AND min_ms >= %lld",
             (long long)to_ms, (long long)from_ms);
    rc = db_exec(w->day->w, sql, err);
    rc = day_writer_end(w, rc, DAY_SAMPLES, days_held_samples(d, day), err);
    return !rc && (day + 1) * DAY_MS <= to_ms ? days_shrink(d, day, err) : rc;
}

int
days_trim(struct days *d, int64_t from_ms, int64_t to_ms, struct err *err)
{
    int64_t *days;
    size_t n;
    int rc = days_numbers(d, &days, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t i = 0; !rc && i < n; i++)
        if (days[i] >= days_of(from_ms) && days[i] <= days_of(to_ms))
            rc = daywrite_trim_one(d, days[i], from_ms, to_ms, err);
    free(days);
    return rc;
}

int
days_checkpoint(struct days *d, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < d->count; i++)
        if (d->at[i]->w)
            rc = db_checkpoint(d->at[i]->w, err);
    return rc;
}
