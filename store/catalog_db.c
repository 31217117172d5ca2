/* catalog_db: the catalog's connections to SQLite, its schema and how the schema grows.
 *
 * WAL with synchronous=FULL. The writer alone checkpoints. user_version counts the rows of
 * catalog_db_schema that were applied; a file of a newer program is refused, not guessed at. */
#include "store/catalog_priv.h"
#include "store/db.h"

#include <stdlib.h>
#include <string.h>

/* Row n brings a file from user_version n to n + 1. Never edited, only appended to. */
static const char *const catalog_db_schema[] = {
    "CREATE TABLE doc("
    " rid INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, tenant TEXT NOT NULL,"
    " state TEXT NOT NULL, key TEXT NOT NULL, time_ms INTEGER NOT NULL, updated_ms INTEGER NOT "
    "NULL,"
    " revision INTEGER NOT NULL, json TEXT NOT NULL);"
    "CREATE UNIQUE INDEX doc_id ON doc(kind, id);"
    "CREATE INDEX doc_time ON doc(kind, time_ms, id);"
    "CREATE INDEX doc_state ON doc(kind, state, time_ms, id);"
    "CREATE INDEX doc_key ON doc(kind, key, time_ms, id) WHERE key <> '';"
    "CREATE INDEX doc_tenant ON doc(kind, tenant, time_ms, id) WHERE tenant <> '';"
    "CREATE VIRTUAL TABLE doc_text USING fts5(body, tags, content='', columnsize=0, detail=full,"
    " prefix='1 2 3 4 5 6', tokenize='unicode61');"
    "CREATE TABLE topology("
    " revision INTEGER PRIMARY KEY AUTOINCREMENT, cluster TEXT NOT NULL, name TEXT NOT NULL,"
    " tenant TEXT NOT NULL DEFAULT '', from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, text TEXT "
    "NOT NULL);"
    "CREATE INDEX topology_cluster ON topology(cluster, from_ms);",
    "CREATE TABLE found(first TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;",
};
#define CATALOG_SCHEMA ((int)(sizeof catalog_db_schema / sizeof *catalog_db_schema))

int
catalog_db_error(struct catalog_conn *c, struct err *err)
{
    return db_error(c->db, sqlite3_extended_errcode(c->db), err, "the catalog");
}

static void
catalog_db_words(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    (void)n;
    const char *words = (const char *)sqlite3_value_text(v[0]);
    const char *id = (const char *)sqlite3_value_text(v[1]);
    const char *json = (const char *)sqlite3_value_text(v[2]);
    sqlite3_result_int(ctx, words && id && json && catalog_text_match(words, id, json));
}

int
catalog_db_open(const char *path, bool writer, struct catalog_conn **ret, struct err *err)
{
    struct catalog_conn *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "no memory to open %s", path);
    int rc = db_open(path, writer ? DB_WRITE : DB_READ, 4096, &c->db, err);
    if (rc == 0)
        rc = db_exec(c->db, writer ? "PRAGMA cache_size=-32768" : "PRAGMA cache_size=-8192", err);
    if (rc == 0 && sqlite3_create_function(c->db, "words", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                           NULL, catalog_db_words, NULL, NULL) != SQLITE_OK)
        rc = catalog_db_error(c, err);
    if (rc < 0)
        catalog_db_close(c);
    else
        *ret = c;
    return rc;
}

void
catalog_db_close(struct catalog_conn *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CATALOG_STATEMENTS; i++) {
        sqlite3_finalize(c->cache[i].stmt);
        free(c->cache[i].sql);
    }
    db_close(c->db);
    free(c);
}

int
catalog_db_migrate(struct catalog_conn *c, struct err *err)
{
    int64_t have;
    int rc = db_integer(c->db, "PRAGMA user_version", 0, &have, err);
    if (rc < 0)
        return rc;
    if (have > CATALOG_SCHEMA)
        return err_set(err, ERR_UNSUPPORTED,
                       "catalog.db has schema %d; this program knows up to %d", (int)have,
                       CATALOG_SCHEMA);
    for (int i = (int)have; i < CATALOG_SCHEMA; i++) {
        char version[48];
        sqlite3_snprintf(sizeof version, version, "PRAGMA user_version=%d", i + 1);
        if ((rc = db_exec(c->db, "BEGIN IMMEDIATE", err)) < 0)
            return rc;
        if ((rc = db_exec(c->db, catalog_db_schema[i], err)) < 0 ||
            (rc = db_exec(c->db, version, err)) < 0 || (rc = db_exec(c->db, "COMMIT", err)) < 0) {
            db_exec(c->db, "ROLLBACK", NULL);
            return rc;
        }
    }
    return 0;
}

int
catalog_db_prepare(struct catalog_conn *c, const char *sql, struct sqlite3_stmt **ret,
                   struct err *err)
{
    size_t oldest = 0;
    for (size_t i = 0; i < CATALOG_STATEMENTS; i++) {
        if (c->cache[i].sql && strcmp(c->cache[i].sql, sql) == 0) {
            c->cache[i].used = ++c->uses;
            sqlite3_reset(c->cache[i].stmt);
            sqlite3_clear_bindings(c->cache[i].stmt);
            *ret = c->cache[i].stmt;
            return 0;
        }
        if (c->cache[i].used < c->cache[oldest].used)
            oldest = i;
    }
    struct sqlite3_stmt *st;
    int rc = db_prepare(c->db, sql, &st, err);
    if (rc < 0)
        return rc;
    char *copy = strdup(sql);
    if (!copy) {
        sqlite3_finalize(st);
        return err_set(err, ERR_NOMEM, "no memory for a statement");
    }
    sqlite3_finalize(c->cache[oldest].stmt);
    free(c->cache[oldest].sql);
    c->cache[oldest].sql = copy;
    c->cache[oldest].stmt = st;
    c->cache[oldest].used = ++c->uses;
    *ret = st;
    return 0;
}

int
catalog_db_step(struct catalog_conn *c, struct sqlite3_stmt *st, struct err *err)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    rc = catalog_db_error(c, err);
    sqlite3_reset(st);
    return rc;
}

int
catalog_db_verify(struct catalog_conn *c, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(c, "PRAGMA integrity_check(1)", &st, err);
    if (rc < 0 || (rc = catalog_db_step(c, st, err)) < 0)
        return rc;
    const char *text = (const char *)sqlite3_column_text(st, 0);
    rc = text && strcmp(text, "ok") == 0
             ? 0
             : err_set(err, ERR_CORRUPT, "catalog.db: %s", text ? text : "damaged");
    sqlite3_reset(st);
    return rc;
}

int
catalog_reader_take(struct catalog *c, struct catalog_conn **ret, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    struct catalog_conn *conn = c->idle;
    if (conn) {
        c->idle = conn->next;
        c->idle_count--;
    }
    pthread_mutex_unlock(&c->lock);
    if (conn) {
        *ret = conn;
        return 0;
    }
    return catalog_db_open(c->path, false, ret, err);
}

void
catalog_reader_give(struct catalog *c, struct catalog_conn *conn)
{
    for (size_t i = 0; i < CATALOG_STATEMENTS; i++)
        if (conn->cache[i].stmt)
            sqlite3_reset(conn->cache[i].stmt); /* no statement may hold a read transaction */
    pthread_mutex_lock(&c->lock);
    bool keep = c->idle_count < CATALOG_IDLE_READERS && !c->closed;
    if (keep) {
        conn->next = c->idle;
        c->idle = conn;
        c->idle_count++;
    }
    pthread_mutex_unlock(&c->lock);
    if (!keep)
        catalog_db_close(conn);
}
