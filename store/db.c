/* db: opening, errors and copies of SQLite files.
 *
 * What is always true: a file has at most one DB_WRITE connection at a time, and only it
 * checkpoints, because two checkpointing writers can corrupt a WAL in SQLite 3.40. A commit on it
 * is on disk when it returns (WAL, FULL). */
#include "store/db.h"

#include "store/pagesum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DB_BUSY_MS                                                                                 \
    10000 /* only another process (a backup, a verify) can hold a lock; it never does for long */

/* Did a write fail for want of room? SQLite says so itself for ENOSPC, not for quotas and limits of
 * file size; the errno of the WAL is kept by its file. */
static bool
db_no_room(sqlite3 *db)
{
    sqlite3_file *wal = NULL;
    int e[3] = {sqlite3_system_errno(db), 0, 0};
    sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &e[1]);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &e[2]);
    for (int i = 0; i < 3; i++)
        if (e[i] == ENOSPC || e[i] == EDQUOT || e[i] == EFBIG)
            return true;
    return false;
}

static int
db_code(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_IOERR:
        return db && db_no_room(db) ? ERR_FULL : ERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return ERR_DENIED;
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default:
        return ERR_IO;
    }
}

int
db_error(sqlite3 *db, int rc, struct err *err, const char *what)
{
    int code = db_code(db, rc);
    if (!code)
        return 0;
    const char *file = db ? sqlite3_db_filename(db, "main") : NULL;
    return err_set(err, code, "%s: %s%s%s", what, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc),
                   file && *file ? " in " : "", file ? file : "");
}

int
db_exec(sqlite3 *db, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_error(db, rc, err, "database");
}

int
db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct err *err)
{
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    return rc == SQLITE_OK ? 0 : db_error(db, rc, err, "database");
}

int
db_run(sqlite3 *db, sqlite3_stmt *st, struct err *err)
{
    int rc = sqlite3_step(st);
    int code = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_error(db, rc, err, "database");
    sqlite3_reset(st);
    return code;
}

int
db_integer(sqlite3 *db, const char *sql, int64_t none, int64_t *ret, struct err *err)
{
    sqlite3_stmt *st;
    int rc = db_prepare(db, sql, &st, err);
    if (rc)
        return rc;
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW)
        *ret = sqlite3_column_type(st, 0) == SQLITE_NULL ? none : sqlite3_column_int64(st, 0);
    else if (step == SQLITE_DONE)
        *ret = none;
    else
        rc = db_error(db, step, err, "database");
    sqlite3_finalize(st);
    return rc;
}

static int
db_pragmas_write(sqlite3 *db, int page_size, struct err *err)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA page_size=%d", page_size);
    int rc = db_exec(db, text, err);
    pagesum_reserve(db); /* after the size, which sets it back; before the first page is made */
    if (rc)
        return rc;
    /* secure_delete would write zeros over every page of a cut journal; Debian compiles it on */
    return db_exec(db,
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
                   "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF; PRAGMA cell_size_check=ON;",
                   err);
}

int
db_open(const char *path, enum db_mode mode, int page_size, sqlite3 **ret, struct err *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |= mode == DB_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    sqlite3 *db = NULL;
    const char *vfs = mode == DB_WRITE ? pagesum_vfs() : NULL;
    int code = 0, rc = sqlite3_open_v2(path, &db, flags, vfs);
    if (rc != SQLITE_OK) {
        code = err_set(err, db_code(db, rc), "cannot open %s: %s", path,
                       db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
        goto out;
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, DB_BUSY_MS);
    if (mode == DB_WRITE)
        code = db_pragmas_write(db, page_size, err);
    else if (sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        code = db_error(db, SQLITE_ERROR, err, "database");
    if (!code)
        code = db_exec(
            db,
            mode == DB_READ
                ? "PRAGMA temp_store=MEMORY; PRAGMA query_only=ON; PRAGMA mmap_size=1073741824"
                : "PRAGMA wal_autocheckpoint=4000",
            err);
out:
    if (code)
        sqlite3_close_v2(db);
    else
        *ret = db;
    return code;
}

void
db_close(sqlite3 *db)
{
    if (db)
        sqlite3_close_v2(db);
}

int
db_checkpoint(sqlite3 *db, struct err *err)
{
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if ((rc & 0xff) ==
        SQLITE_BUSY) /* a reader keeps the end of the WAL; the next checkpoint takes it */
        return 0;
    return rc == SQLITE_OK ? 0 : db_error(db, rc, err, "checkpoint");
}

static int
db_sync_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s", path);
    int rc = fsync(fd) ? err_set_errno(err, "cannot sync %s", path) : 0;
    close(fd);
    return rc;
}

int
db_copy_open(sqlite3 *from, const char *to, struct err *err)
{
    sqlite3 *b = NULL;
    sqlite3_backup *k = NULL;
    int rc = 0, sq = sqlite3_open_v2(
                    to, &b, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                    pagesum_vfs());
    if (sq != SQLITE_OK) {
        rc = db_error(b, sq, err, "backup");
        goto out;
    }
    k = sqlite3_backup_init(b, "main", from, "main");
    if (!k) {
        rc = db_error(b, sqlite3_errcode(b), err, "backup");
        goto out;
    }
    sq = sqlite3_backup_step(k, -1); /* all pages under one read transaction: one point in time */
    if (sq != SQLITE_DONE)
        rc = db_error(b, sq, err, "backup");
    int fin = sqlite3_backup_finish(k);
    if (!rc && fin != SQLITE_OK)
        rc = db_error(b, fin, err, "backup");
out:
    db_close(b);
    return rc ? rc : db_sync_file(to, err);
}

int
db_copy(const char *from, const char *to, struct err *err)
{
    sqlite3 *a = NULL;
    int rc = db_open(from, DB_READ, 0, &a, err);
    if (!rc)
        rc = db_copy_open(a, to, err);
    db_close(a);
    return rc;
}
