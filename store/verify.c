/* verify: reads everything and checks every checksum: SQLite's own structure first, then each
 * batch, series, chunk, event, log line and gap. Works beside a running store and on a folder
 * nobody has open. */
#include "store/store.h"

#include "base/compress.h"
#include "store/chunk.h"
#include "store/dayrow.h"
#include "store/db.h"
#include "store/labelblock.h"
#include "store/record.h"
#include "store/store_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_STEP 1000 /* rows between two calls of progress */

struct verify {
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    uint64_t done, total, damaged;
};

static bool
verify_batch(sqlite3_stmt *st)
{
    struct record_batch rb;
    uint64_t id, n;
    struct sample x;
    if (record_batch_open(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), &rb))
        return false;
    int rc;
    while ((rc = record_batch_next(&rb, &id, &n)) > 0)
        while (n-- > 0 && record_batch_sample(&rb, &x))
            ;
    const uint8_t *at;
    size_t len;
    struct record r;
    while (!rc && (rc = record_next(&rb.in, &at, &len)) > 0)
        rc = record_take(at, len, &r);
    return rc == 0 && !rb.in.bad;
}

static bool
verify_series(sqlite3_stmt *st)
{
    const void *p = sqlite3_column_blob(st, 1);
    size_t len = (size_t)sqlite3_column_bytes(st, 1);
    return crc32c((uint32_t)sqlite3_column_int64(st, 0), p, len) ==
           (uint32_t)sqlite3_column_int64(st, 2);
}

static int
verify_label(void *ctx, uint64_t id, const void *labels, size_t len)
{
    (void)ctx, (void)id, (void)labels, (void)len;
    return 0;
}

static bool
verify_labels(sqlite3_stmt *st)
{
    return labelblock_read(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0),
                           verify_label, NULL) == 0;
}

static bool
verify_chunk(sqlite3_stmt *st)
{
    struct chunk_reader *c;
    if (chunk_reader_new(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), &c))
        return false;
    bool good = true;
    for (size_t i = 0; good && i < chunk_reader_series(c); i++) {
        struct sample *at = malloc(chunk_reader_count(c, i) * sizeof *at);
        good = at && chunk_reader_samples(c, i, at) == 0;
        free(at);
    }
    chunk_reader_free(c);
    return good;
}

static bool
verify_row(sqlite3_stmt *st, enum record_kind kind)
{
    struct record r;
    uint64_t id;
    return dayrow_read(st, kind, &id, &r) == 0;
}

static bool
verify_event(sqlite3_stmt *st)
{
    return verify_row(st, RECORD_EVENT);
}

static bool
verify_log(sqlite3_stmt *st)
{
    return verify_row(st, RECORD_LOG);
}

static bool
verify_gap(sqlite3_stmt *st)
{
    return verify_row(st, RECORD_GAP);
}

static const struct verify_table {
    const char *name, *sql;
    bool (*good)(sqlite3_stmt *st);
} verify_tables[] = {
    {"batch", "SELECT data FROM batch", verify_batch},
    {"series", "SELECT id, labels, crc FROM series", verify_series},
    {"labels", "SELECT data FROM labels", verify_labels},
    {"chunk", "SELECT data FROM chunk", verify_chunk},
    {"event", "SELECT * FROM event", verify_event},
    {"log", "SELECT * FROM log", verify_log},
    {"gap", "SELECT * FROM gap", verify_gap},
};
#define VERIFY_TABLES (sizeof verify_tables / sizeof *verify_tables)

static bool
verify_has(sqlite3 *db, const char *table)
{
    char sql[128];
    int64_t n = 0;
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '%s'", table);
    return db_integer(db, sql, 0, &n, NULL) == 0 && n > 0;
}

static void
verify_rows(struct verify *v, sqlite3 *db, const struct verify_table *t)
{
    sqlite3_stmt *st;
    int step;
    if (db_prepare(db, t->sql, &st, NULL)) {
        v->damaged++;
        return;
    }
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        v->damaged += !t->good(st);
        if (++v->done % VERIFY_STEP == 0 && v->progress)
            v->progress(v->ctx, v->done, v->total > v->done ? v->total : v->done);
    }
    v->damaged += step != SQLITE_DONE;
    sqlite3_finalize(st);
}

static void
verify_structure(struct verify *v, sqlite3 *db)
{
    sqlite3_stmt *st;
    int step;
    if (db_prepare(db, "PRAGMA integrity_check(1000)", &st, NULL)) {
        v->damaged++;
        return;
    }
    while ((step = sqlite3_step(st)) == SQLITE_ROW)
        v->damaged += strcmp(db_text(st, 0), "ok") != 0;
    v->damaged += step != SQLITE_DONE;
    sqlite3_finalize(st);
}

/* One file: counts its rows, or checks them. */
static int
verify_file(struct verify *v, const char *path, bool count, struct err *err)
{
    sqlite3 *db;
    int rc = db_open(path, DB_READ, 0, &db, err);
    if (rc == ERR_CORRUPT)
        v->damaged += !count;
    if (rc)
        return rc == ERR_CORRUPT ? 0 : rc;
    if (!count)
        verify_structure(v, db);
    for (size_t i = 0; i < VERIFY_TABLES; i++) {
        char sql[64];
        int64_t n = 0;
        if (!verify_has(db, verify_tables[i].name))
            continue;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", verify_tables[i].name);
        if (!count)
            verify_rows(v, db, &verify_tables[i]);
        else if (!db_integer(db, sql, 0, &n, NULL))
            v->total += (uint64_t)n;
    }
    db_close(db);
    return 0;
}

static bool
verify_wanted(const char *name)
{
    size_t n = strlen(name);
    if (n < 3)
        return false;
    return !strcmp(name, "journal.db") || !strcmp(name, "catalog.db") ||
           (!strncmp(name, "day-", 4) && !strcmp(name + n - 3, ".db"));
}

static int
verify_pass(struct verify *v, const char *folder, bool count, struct err *err)
{
    DIR *dir = opendir(folder);
    int rc = dir ? 0 : err_set_errno(err, "cannot read %s", folder);
    for (struct dirent *e; !rc && (e = readdir(dir));) {
        char path[4600];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (verify_wanted(e->d_name))
            rc = verify_file(v, path, count, err);
        else if (!count && strstr(e->d_name, ".db.damaged"))
            v->damaged++;
    }
    if (dir)
        closedir(dir);
    return rc;
}

int
store_verify_folder(const char *folder, void (*progress)(void *, uint64_t, uint64_t), void *ctx,
                    struct err *err)
{
    struct verify v = {.progress = progress, .ctx = ctx};
    int rc = verify_pass(&v, folder, true, err);
    if (!rc)
        rc = verify_pass(&v, folder, false, err);
    if (rc)
        return rc;
    if (progress)
        progress(ctx, v.done, v.done);
    return v.damaged > INT32_MAX ? INT32_MAX : (int)v.damaged;
}

int
store_verify(struct store *s, void (*progress)(void *, uint64_t, uint64_t), void *ctx,
             struct err *err)
{
    return store_verify_folder(s->cfg.folder, progress, ctx, err);
}
