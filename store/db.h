/* db: SQLite as this floor uses it: WAL, synchronous=FULL, one connection that writes and
 * checkpoints a file, and read-only ones that never do. Insiders only. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

enum db_mode {
    DB_WRITE, /* creates, WAL, FULL, secure_delete off; the only one that checkpoints */
    DB_READ,  /* read-only, never checkpoints, also on close */
};

int db_open(const char *path, enum db_mode mode, int page_size, sqlite3 **ret, struct err *err);
void db_close(sqlite3 *db); /* NULL: nothing. Statements must be finalized. */
/* Runs statements separated by ';'. */
int db_exec(sqlite3 *db, const char *sql, struct err *err);
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct err *err);
/* Steps a statement that answers no rows and resets it. 0 or an error. */
int db_run(sqlite3 *db, sqlite3_stmt *st, struct err *err);
/* Our code for SQLite's (ERR_FULL, ERR_CORRUPT, ERR_BUSY, ERR_NOMEM, ERR_IO); writes the sentence
 * "what: why". */
int db_error(sqlite3 *db, int rc, struct err *err, const char *what);
int db_checkpoint(sqlite3 *db, struct err *err); /* whole WAL, truncated */
/* First column of the first row as integer; `none` when there is no row. */
int db_integer(sqlite3 *db, const char *sql, int64_t none, int64_t *ret, struct err *err);
/* Copies a database as its open connection sees it (within a read transaction: as of its beginning)
 * by the backup API, synced. */
int db_copy_open(sqlite3 *from, const char *to, struct err *err);
int db_copy(const char *from, const char *to, struct err *err);
static inline void
db_bind_text(sqlite3_stmt *st, int at,
             const char *s) /* not copied: valid until the step; NULL binds "" */
{
    sqlite3_bind_text(st, at, s ? s : "", -1, SQLITE_STATIC);
}
static inline const char *
db_text(sqlite3_stmt *st, int column) /* never NULL */
{
    const char *s = (const char *)sqlite3_column_text(st, column);
    return s ? s : "";
}

#endif
