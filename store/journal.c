/* journal: a SQLite file written by one connection with WAL and synchronous=FULL.
 *
 * What is always true: a batch, its watermark and the series it introduces belong to one
 * transaction; numbers rise by one and are never used twice, also across cuts. */
#include "store/journal.h"

#include "base/compress.h"
#include "base/str.h"
#include "store/db.h"
#include "store/labelblock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_PAGE    8192
#define JOURNAL_VERSION 2  /* 1: a row a series; read, and rewritten when the registry is tidied */
#define JOURNAL_PART    40 /* bits of a block's number within its segment */

static const char journal_schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS batch(number INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, labels BLOB NOT NULL, crc INTEGER "
    "NOT NULL);"
    "CREATE TABLE IF NOT EXISTS labels(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS watermark(source TEXT, epoch INTEGER, sequence INTEGER NOT NULL, "
    "time_ms INTEGER NOT NULL,"
    " PRIMARY KEY(source, epoch)) WITHOUT ROWID;";

enum {
    JOURNAL_ADD,
    JOURNAL_MARK,
    JOURNAL_LABELS,
    JOURNAL_LABELS_DROP,
    JOURNAL_SERIES_DROP,
    JOURNAL_BEGIN,
    JOURNAL_COMMIT,
    JOURNAL_CUT,
    JOURNAL_META,
    JOURNAL_STATEMENTS
};
static const char *const journal_sql[JOURNAL_STATEMENTS] = {
    [JOURNAL_ADD] = "INSERT INTO batch(number, data) VALUES(?, ?)",
    [JOURNAL_MARK] =
        "INSERT OR REPLACE INTO watermark(source, epoch, sequence, time_ms) VALUES(?, ?, ?, ?)",
    [JOURNAL_LABELS] = "INSERT INTO labels(id, data) VALUES(?, ?)",
    [JOURNAL_LABELS_DROP] = "DELETE FROM labels WHERE id >= ? AND id < ?",
    [JOURNAL_SERIES_DROP] = "DELETE FROM series WHERE id >= ? AND id < ?",
    [JOURNAL_BEGIN] = "BEGIN IMMEDIATE",
    [JOURNAL_COMMIT] = "COMMIT",
    [JOURNAL_CUT] =
        "DELETE FROM batch WHERE number <= ?1 AND number < (SELECT min(number) FROM batch) + ?2",
    [JOURNAL_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *st[JOURNAL_STATEMENTS];
    char path[4096];
    uint64_t next, row0, seed;
    uint64_t part; /* of the next block of labels */
};

static int
journal_meta_set(struct journal *j, const char *key, uint64_t value, struct err *err)
{
    sqlite3_stmt *st = j->st[JOURNAL_META];
    db_bind_text(st, 1, key);
    sqlite3_bind_int64(st, 2, (int64_t)value);
    return db_run(j->db, st, err);
}

static int
journal_meta_get(struct journal *j, const char *key, uint64_t none, uint64_t *ret, struct err *err)
{
    char sql[128];
    int64_t v;
    snprintf(sql, sizeof sql, "SELECT value FROM meta WHERE key = '%s'", key);
    int rc = db_integer(j->db, sql, (int64_t)none, &v, err);
    if (!rc)
        *ret = (uint64_t)v;
    return rc;
}

static int
journal_load(struct journal *j, struct err *err)
{
    int64_t last;
    uint64_t version, next;
    int rc = journal_meta_get(j, "version", 0, &version, err);
    if (!rc && version > JOURNAL_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "%s was written by a newer program", j->path);
    if (!rc && !version && !(rc = file_random(&j->seed, sizeof j->seed)))
        rc = journal_meta_set(j, "seed", j->seed, err);
    if (!rc && version < JOURNAL_VERSION)
        rc = journal_meta_set(j, "version", JOURNAL_VERSION, err);
    if (!rc)
        rc = journal_meta_get(j, "seed", 0, &j->seed, err);
    if (!rc)
        rc = journal_meta_get(j, "row0", 0, &j->row0, err);
    if (!rc)
        rc = journal_meta_get(j, "next", 1, &next, err);
    if (!rc)
        rc = db_integer(j->db, "SELECT max(number) FROM batch", 0, &last, err);
    int64_t part;
    if (!rc)
        rc = db_integer(j->db, "SELECT max(id & 1099511627775) FROM labels", 0, &part, err);
    if (!rc)
        j->part = (uint64_t)part + 1;
    if (!rc)
        j->next = (uint64_t)last + 1 > next ? (uint64_t)last + 1 : next;
    return rc;
}

int
journal_open(const char *folder, struct journal **ret, struct err *err)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return err_set(err, ERR_NOMEM, "out of memory");
    snprintf(j->path, sizeof j->path, "%s/journal.db", folder);
    int rc = db_open(j->path, DB_WRITE, JOURNAL_PAGE, &j->db, err);
    if (!rc)
        rc = db_exec(j->db, journal_schema, err);
    for (int i = 0; !rc && i < JOURNAL_STATEMENTS; i++)
        rc = db_prepare(j->db, journal_sql[i], &j->st[i], err);
    if (!rc)
        rc = journal_load(j, err);
    if (rc) {
        journal_close(j);
        return rc;
    }
    *ret = j;
    return 0;
}

void
journal_close(struct journal *j)
{
    if (!j)
        return;
    for (int i = 0; i < JOURNAL_STATEMENTS; i++)
        sqlite3_finalize(j->st[i]);
    db_close(j->db);
    free(j);
}

int
journal_begin(struct journal *j, struct err *err)
{
    return db_run(j->db, j->st[JOURNAL_BEGIN], err);
}

int
journal_add(struct journal *j, uint64_t number, const void *data, size_t len, struct err *err)
{
    sqlite3_stmt *st = j->st[JOURNAL_ADD];
    sqlite3_bind_int64(st, 1, (int64_t)number);
    sqlite3_bind_blob64(st, 2, data, len, SQLITE_STATIC);
    return db_run(j->db, st, err);
}

int
journal_watermark(struct journal *j, const char *source, uint64_t epoch, uint64_t sequence,
                  int64_t now_ms, struct err *err)
{
    sqlite3_stmt *st = j->st[JOURNAL_MARK];
    db_bind_text(st, 1, source);
    sqlite3_bind_int64(st, 2, (int64_t)epoch);
    sqlite3_bind_int64(st, 3, (int64_t)sequence);
    sqlite3_bind_int64(st, 4, now_ms);
    return db_run(j->db, st, err);
}

int
journal_labels(struct journal *j, uint64_t segment, const void *data, size_t len, struct err *err)
{
    sqlite3_stmt *st = j->st[JOURNAL_LABELS];
    sqlite3_bind_int64(st, 1, (int64_t)(segment << JOURNAL_PART | j->part++));
    sqlite3_bind_blob64(st, 2, data, len, SQLITE_STATIC);
    return db_run(j->db, st, err);
}

static int
journal_drop(struct journal *j, sqlite3_stmt *st, uint64_t from, uint64_t end, struct err *err)
{
    sqlite3_bind_int64(st, 1, (int64_t)from);
    sqlite3_bind_int64(st, 2, (int64_t)end);
    return db_run(j->db, st, err);
}

int
journal_labels_drop(struct journal *j, uint64_t segment, struct err *err)
{
    int rc = journal_drop(j, j->st[JOURNAL_LABELS_DROP], segment << JOURNAL_PART,
                          (segment + 1) << JOURNAL_PART, err);
    return rc ? rc
              : journal_drop(j, j->st[JOURNAL_SERIES_DROP], segment << LABELBLOCK_BITS,
                             (segment + 1) << LABELBLOCK_BITS, err);
}

int
journal_labels_scattered(struct journal *j, uint64_t **ret, size_t *ret_count, struct err *err)
{
    static const char sql[] =
        "SELECT id >> 40 FROM labels GROUP BY 1 HAVING count(*) > 1 UNION SELECT id >> 10 FROM "
        "series";
    sqlite3_stmt *st;
    uint64_t *at = NULL;
    size_t n = 0, cap = 0;
    int rc = db_prepare(j->db, sql, &st, err), step = SQLITE_DONE;
    if (rc)
        return rc;
    while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW) {
        if (n == cap) {
            cap = cap ? cap * 2 : 256;
            uint64_t *p = realloc(at, cap * sizeof *p);
            if (!p) {
                rc = err_set(err, ERR_NOMEM, "out of memory");
                break;
            }
            at = p;
        }
        at[n++] = (uint64_t)sqlite3_column_int64(st, 0);
    }
    if (!rc && step != SQLITE_DONE)
        rc = db_error(j->db, step, err, "journal");
    sqlite3_finalize(st);
    if (rc) {
        free(at);
        return rc;
    }
    *ret = at;
    *ret_count = n;
    return 0;
}

int
journal_commit(struct journal *j, struct err *err)
{
    return db_run(j->db, j->st[JOURNAL_COMMIT], err);
}

void
journal_rollback(struct journal *j)
{
    if (!sqlite3_get_autocommit(j->db))
        db_exec(j->db, "ROLLBACK", NULL);
}

uint64_t
journal_next(const struct journal *j)
{
    return j->next;
}

void
journal_advance(struct journal *j, uint64_t next)
{
    j->next = next;
}

uint64_t
journal_row0(const struct journal *j)
{
    return j->row0;
}

uint64_t
journal_seed(const struct journal *j)
{
    return j->seed;
}

/* Steps `sql` and hands each row to row(); a negative return stops. */
static int
journal_each(struct journal *j, const char *sql, int (*row)(void *ctx, sqlite3_stmt *st), void *ctx,
             struct err *err)
{
    sqlite3_stmt *st;
    int rc = db_prepare(j->db, sql, &st, err), step;
    if (rc)
        return rc;
    while ((step = sqlite3_step(st)) == SQLITE_ROW && rc >= 0)
        rc = row(ctx, st);
    if (rc >= 0)
        rc = step == SQLITE_DONE ? 0 : db_error(j->db, step, err, "journal");
    sqlite3_finalize(st);
    return rc;
}

struct journal_replay_row {
    int (*cb)(void *, uint64_t, const void *, size_t);
    void *ctx;
};

static int
journal_replay_row(void *ctx, sqlite3_stmt *st)
{
    struct journal_replay_row *r = ctx;
    const void *data = sqlite3_column_blob(st, 1);
    return r->cb(r->ctx, (uint64_t)sqlite3_column_int64(st, 0), data,
                 (size_t)sqlite3_column_bytes(st, 1));
}

int
journal_replay(struct journal *j, int (*cb)(void *, uint64_t, const void *, size_t), void *ctx,
               struct err *err)
{
    return journal_each(j, "SELECT number, data FROM batch ORDER BY number", journal_replay_row,
                        &(struct journal_replay_row){cb, ctx}, err);
}

struct journal_series_row {
    int (*cb)(void *, uint64_t, const void *, size_t);
    void *ctx;
    uint64_t damaged;
};

static int
journal_series_row(void *ctx, sqlite3_stmt *st)
{
    struct journal_series_row *r = ctx;
    uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
    const void *labels = sqlite3_column_blob(st, 1);
    size_t len = (size_t)sqlite3_column_bytes(st, 1);
    if (crc32c((uint32_t)id, labels, len) == (uint32_t)sqlite3_column_int64(st, 2))
        return r->cb(r->ctx, id, labels, len);
    r->damaged++;
    return 0;
}

static int
journal_labels_row(void *ctx, sqlite3_stmt *st)
{
    struct journal_series_row *r = ctx;
    int rc = labelblock_read(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), r->cb,
                             r->ctx);
    r->damaged += rc == ERR_CORRUPT;
    return rc == ERR_CORRUPT ? 0 : rc;
}

int
journal_each_series(struct journal *j, int (*cb)(void *, uint64_t, const void *, size_t), void *ctx,
                    uint64_t *ret_damaged, struct err *err)
{
    struct journal_series_row r = {cb, ctx, 0};
    int rc = journal_each(j, "SELECT id, labels, crc FROM series ORDER BY id", journal_series_row,
                          &r, err);
    if (!rc)
        rc = journal_each(j, "SELECT data FROM labels ORDER BY id", journal_labels_row, &r, err);
    if (!rc && ret_damaged)
        *ret_damaged = r.damaged;
    return rc;
}

struct journal_mark_row {
    int (*cb)(void *, const char *, uint64_t, uint64_t);
    void *ctx;
};

static int
journal_mark_row(void *ctx, sqlite3_stmt *st)
{
    struct journal_mark_row *r = ctx;
    return r->cb(r->ctx, db_text(st, 0), (uint64_t)sqlite3_column_int64(st, 1),
                 (uint64_t)sqlite3_column_int64(st, 2));
}

int
journal_each_watermark(struct journal *j, int (*cb)(void *, const char *, uint64_t, uint64_t),
                       void *ctx, struct err *err)
{
    return journal_each(j, "SELECT source, epoch, sequence FROM watermark", journal_mark_row,
                        &(struct journal_mark_row){cb, ctx}, err);
}

int
journal_cut(struct journal *j, uint64_t number, unsigned batches, uint64_t row0, struct err *err)
{
    sqlite3_stmt *st = j->st[JOURNAL_CUT];
    int rc = journal_begin(j, err);
    if (rc)
        return rc;
    sqlite3_bind_int64(st, 1, (int64_t)number);
    sqlite3_bind_int64(st, 2, batches);
    rc = db_run(j->db, st, err);
    int gone = sqlite3_changes(j->db);
    if (!rc)
        rc = journal_meta_set(j, "row0", row0, err);
    if (!rc)
        rc = journal_meta_set(j, "next", j->next, err);
    if (!rc)
        rc = journal_commit(j, err);
    if (rc)
        journal_rollback(j);
    return rc ? rc : gone > 0;
}

int
journal_forget_watermarks(struct journal *j, int64_t before_ms, struct err *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "DELETE FROM watermark WHERE time_ms < %lld", (long long)before_ms);
    return db_exec(j->db, sql, err);
}

int
journal_checkpoint(struct journal *j, struct err *err)
{
    return db_checkpoint(j->db, err);
}

int
journal_vacuum(struct journal *j, struct err *err)
{
    int rc = db_exec(j->db, "VACUUM", err);
    return rc ? rc : db_checkpoint(j->db, err);
}

int
journal_bytes(struct journal *j, uint64_t *ret)
{
    struct stat st;
    char wal[4200];
    snprintf(wal, sizeof wal, "%s-wal", j->path);
    *ret = stat(j->path, &st) ? 0 : (uint64_t)st.st_size;
    *ret += stat(wal, &st) ? 0 : (uint64_t)st.st_size;
    return 0;
}
