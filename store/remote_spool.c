/* remote_spool: what is on its way to the engine, so that neither a crash nor an hour without the
 * engine loses it.
 *
 * Load: while the engine is well nothing but one number a second is written: batches are read from
 * the journal. When the journal is cut while the engine is away, batches are copied here first, as
 * they are: about five bytes a sample.
 *
 * What is always true: batches of the spool come before those that only the journal holds; a batch
 * leaves the journal after it is sent or durable here; one connection writes remote.db. */
#include "store/remote_priv.h"

#include "store/db.h"
#include "store/record.h"

#include <stdio.h>
#include <stdlib.h>

#define REMOTE_SPOOL_PAGE  8192
#define REMOTE_SPOOL_GROUP ((size_t)64 << 20) /* bytes copied in one transaction */

static const char remote_spool_schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS batch(number INTEGER PRIMARY KEY, data BLOB NOT NULL);";

enum { SPOOL_ADD, SPOOL_READ, SPOOL_META, SPOOL_CUT, SPOOL_DROP, SPOOL_SIZE, SPOOL_STATEMENTS };
static const char *const remote_spool_sql[SPOOL_STATEMENTS] = {
    [SPOOL_ADD] = "INSERT OR REPLACE INTO batch(number, data) VALUES(?, ?)",
    [SPOOL_READ] = "SELECT number, data FROM batch WHERE number > ? ORDER BY number",
    [SPOOL_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
    [SPOOL_CUT] = "DELETE FROM batch WHERE number <= ?",
    [SPOOL_DROP] = "DELETE FROM batch WHERE number = ?",
    [SPOOL_SIZE] = "SELECT coalesce(sum(length(data)), 0) FROM batch WHERE number <= ?",
};

struct remote_spool {
    pthread_mutex_t lock; /* everything */
    sqlite3 *db, *journal;
    sqlite3_stmt *st[SPOOL_STATEMENTS], *journal_read;
    uint64_t sent;
    uint64_t last; /* highest number in the spool, 0: empty */
    uint64_t bytes;
};

int
remote_spool_get(struct remote_spool *sp, const char *key, int64_t none, int64_t *ret,
                 struct err *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT value FROM meta WHERE key = '%s'", key);
    pthread_mutex_lock(&sp->lock);
    int rc = db_integer(sp->db, sql, none, ret, err);
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

static int
remote_spool_put(struct remote_spool *sp, const char *key, int64_t value, struct err *err)
{
    db_bind_text(sp->st[SPOOL_META], 1, key);
    sqlite3_bind_int64(sp->st[SPOOL_META], 2, value);
    return db_run(sp->db, sp->st[SPOOL_META], err);
}

int
remote_spool_set(struct remote_spool *sp, const char *key, int64_t value, struct err *err)
{
    pthread_mutex_lock(&sp->lock);
    int rc = remote_spool_put(sp, key, value, err);
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

/* --- life ------------------------------------------------------------------------------------- */

/* A spool of another folder's journal names series by other ids: it is of no use here. */
static int
remote_spool_load(struct remote_spool *sp, uint64_t seed, uint64_t next, struct err *err)
{
    int64_t seed_then, sent, last, bytes;
    int rc = remote_spool_get(sp, "seed", (int64_t)seed, &seed_then, err);
    if (!rc)
        rc = remote_spool_get(sp, "sent", 0, &sent, err);
    if (!rc && (seed_then != (int64_t)seed || (uint64_t)sent >= next)) {
        rc = db_exec(sp->db, "DELETE FROM batch", err);
        sent = 0;
    }
    if (!rc)
        rc = remote_spool_set(sp, "seed", (int64_t)seed, err);
    if (!rc)
        rc = remote_spool_set(sp, "sent", sent, err);
    if (!rc)
        rc = db_integer(sp->db, "SELECT max(number) FROM batch", 0, &last, err);
    if (!rc)
        rc = db_integer(sp->db, "SELECT sum(length(data)) FROM batch", 0, &bytes, err);
    if (rc)
        return rc;
    sp->sent = (uint64_t)sent;
    sp->last = (uint64_t)last;
    sp->bytes = (uint64_t)bytes;
    return 0;
}

int
remote_spool_open(const char *folder, uint64_t seed, uint64_t next, struct remote_spool **ret,
                  struct err *err)
{
    char path[4200];
    struct remote_spool *sp = calloc(1, sizeof *sp);
    if (!sp)
        return err_set(err, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&sp->lock, NULL);
    snprintf(path, sizeof path, "%s/remote.db", folder);
    int rc = db_open(path, DB_WRITE, REMOTE_SPOOL_PAGE, &sp->db, err);
    if (!rc)
        rc = db_exec(sp->db, remote_spool_schema, err);
    for (int i = 0; !rc && i < SPOOL_STATEMENTS; i++)
        rc = db_prepare(sp->db, remote_spool_sql[i], &sp->st[i], err);
    snprintf(path, sizeof path, "%s/journal.db", folder);
    if (!rc)
        rc = db_open(path, DB_READ, 0, &sp->journal, err);
    if (!rc)
        rc = db_prepare(sp->journal, remote_spool_sql[SPOOL_READ], &sp->journal_read, err);
    if (!rc)
        rc = remote_spool_load(sp, seed, next, err);
    if (rc)
        remote_spool_close(sp);
    else
        *ret = sp;
    return rc;
}

void
remote_spool_close(struct remote_spool *sp)
{
    if (!sp)
        return;
    for (int i = 0; i < SPOOL_STATEMENTS; i++)
        sqlite3_finalize(sp->st[i]);
    sqlite3_finalize(sp->journal_read);
    db_close(sp->journal);
    db_close(sp->db);
    pthread_mutex_destroy(&sp->lock);
    free(sp);
}

uint64_t
remote_spool_sent(struct remote_spool *sp)
{
    pthread_mutex_lock(&sp->lock);
    uint64_t n = sp->sent;
    pthread_mutex_unlock(&sp->lock);
    return n;
}

uint64_t
remote_spool_bytes(struct remote_spool *sp)
{
    pthread_mutex_lock(&sp->lock);
    uint64_t n = sp->bytes;
    pthread_mutex_unlock(&sp->lock);
    return n;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Hands on the rows above *after, which follows them. 1: cb has enough; 0: no more. */
static int
remote_spool_rows(sqlite3 *db, sqlite3_stmt *st, uint64_t *after, remote_batch *cb, void *ctx,
                  struct err *err)
{
    int rc = 0, step = SQLITE_DONE;
    sqlite3_bind_int64(st, 1, (int64_t)*after);
    while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t number = (uint64_t)sqlite3_column_int64(st, 0);
        const void *data = sqlite3_column_blob(st, 1);
        rc = cb(ctx, number, data, (size_t)sqlite3_column_bytes(st, 1));
        if (rc >= 0)
            *after = number;
    }
    if (!rc && step != SQLITE_DONE)
        rc = db_error(db, step, err, "what waits for the engine");
    sqlite3_reset(st);
    return rc;
}

int
remote_spool_read(struct remote_spool *sp, uint64_t after, remote_batch *cb, void *ctx,
                  struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&sp->lock);
    if (sp->last > after)
        rc = remote_spool_rows(sp->db, sp->st[SPOOL_READ], &after, cb, ctx, err);
    if (!rc)
        rc = remote_spool_rows(sp->journal, sp->journal_read, &after, cb, ctx, err);
    pthread_mutex_unlock(&sp->lock);
    return rc < 0 ? rc : 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int
remote_spool_end(struct remote_spool *sp, int rc, struct err *err)
{
    if (!rc)
        rc = db_exec(sp->db, "COMMIT", err);
    if (rc && !sqlite3_get_autocommit(sp->db))
        db_exec(sp->db, "ROLLBACK", NULL);
    return rc;
}

int
remote_spool_mark(struct remote_spool *sp, uint64_t sent, struct err *err)
{
    int64_t gone = 0;
    pthread_mutex_lock(&sp->lock);
    bool held = sp->bytes > 0;
    int rc = db_exec(sp->db, "BEGIN IMMEDIATE", err);
    if (!rc && held) {
        sqlite3_stmt *st = sp->st[SPOOL_SIZE];
        sqlite3_bind_int64(st, 1, (int64_t)sent);
        gone = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
        sqlite3_reset(st);
        sqlite3_bind_int64(sp->st[SPOOL_CUT], 1, (int64_t)sent);
        rc = db_run(sp->db, sp->st[SPOOL_CUT], err);
    }
    if (!rc)
        rc = remote_spool_put(sp, "sent", (int64_t)sent, err);
    rc = remote_spool_end(sp, rc, err);
    if (!rc) {
        sp->sent = sent;
        sp->bytes -= (uint64_t)gone < sp->bytes ? (uint64_t)gone : sp->bytes;
        sp->last = sp->last <= sent ? 0 : sp->last;
        if (held && !sp->last) /* the pages that an hour took go back to the file system */
            rc = db_exec(sp->db, "VACUUM", err);
    }
    pthread_mutex_unlock(&sp->lock);
    return rc;
}

struct remote_copy {
    struct remote_spool *sp;
    uint64_t through, last;
    size_t bytes;
};

static int
remote_spool_copy_one(void *ctx, uint64_t number, const void *data, size_t len)
{
    struct remote_copy *c = ctx;
    struct record_batch rb;
    if (number > c->through)
        return 1;
    c->last = number;
    if (!record_batch_open(data, len, &rb) && !rb.series_left)
        return 0; /* lines and events alone: nothing of it goes to the engine */
    sqlite3_stmt *st = c->sp->st[SPOOL_ADD];
    sqlite3_bind_int64(st, 1, (int64_t)number);
    sqlite3_bind_blob64(st, 2, data, len, SQLITE_STATIC);
    int rc = db_run(c->sp->db, st, NULL);
    c->bytes += rc ? 0 : len;
    return rc ? rc : c->bytes > REMOTE_SPOOL_GROUP;
}

/* Under the lock. One transaction; *ret_more while there is more. */
static int
remote_spool_copy(struct remote_spool *sp, uint64_t through, bool *ret_more, struct err *err)
{
    uint64_t after = sp->last > sp->sent ? sp->last : sp->sent;
    struct remote_copy c = {.sp = sp, .through = through};
    *ret_more = false;
    if (after >= through)
        return 0;
    int rc = db_exec(sp->db, "BEGIN IMMEDIATE", err);
    if (rc)
        return rc;
    rc = remote_spool_rows(sp->journal, sp->journal_read, &after, remote_spool_copy_one, &c, err);
    rc = remote_spool_end(sp, rc < 0 ? rc : 0, err);
    if (rc)
        return rc;
    sp->last = c.last > sp->last ? c.last : sp->last;
    sp->bytes += c.bytes;
    *ret_more = c.bytes > REMOTE_SPOOL_GROUP;
    return 0;
}

struct remote_drop {
    const struct remote_spool_keep *keep;
    struct remote_spool *sp;
    uint64_t numbers[256], bytes;
    size_t count;
};

static int
remote_spool_drop_one(void *ctx, uint64_t number, const void *data, size_t len)
{
    struct remote_drop *d = ctx;
    if (d->sp->bytes - d->bytes <= (uint64_t)d->keep->max_bytes)
        return 1;
    d->numbers[d->count++] = number;
    d->bytes += len;
    d->keep->dropped(d->keep->ctx, number, data, len);
    return d->count == sizeof d->numbers / sizeof *d->numbers;
}

/* Under the lock: the oldest go until the rest fits. */
static int
remote_spool_shrink(struct remote_spool *sp, const struct remote_spool_keep *k, struct err *err)
{
    int rc = 0;
    while (!rc && sp->bytes > (uint64_t)k->max_bytes) {
        struct remote_drop d = {.keep = k, .sp = sp};
        uint64_t after = k->busy > sp->sent ? k->busy : sp->sent;
        rc = remote_spool_rows(sp->db, sp->st[SPOOL_READ], &after, remote_spool_drop_one, &d, err);
        if (rc < 0 || !d.count)
            return rc < 0 ? rc : 0;
        rc = db_exec(sp->db, "BEGIN IMMEDIATE", err);
        for (size_t i = 0; !rc && i < d.count; i++) {
            sqlite3_bind_int64(sp->st[SPOOL_DROP], 1, (int64_t)d.numbers[i]);
            rc = db_run(sp->db, sp->st[SPOOL_DROP], err);
        }
        rc = remote_spool_end(sp, rc, err);
        sp->bytes -= rc ? 0 : d.bytes;
    }
    return rc;
}

int
remote_spool_keep(struct remote_spool *sp, const struct remote_spool_keep *k, struct err *err)
{
    bool more = true;
    int rc = 0;
    while (!rc && more) { /* the lock is given up between two: the sender reads meanwhile */
        pthread_mutex_lock(&sp->lock);
        rc = remote_spool_copy(sp, k->through, &more, err);
        if (!rc)
            rc = remote_spool_shrink(sp, k, err);
        pthread_mutex_unlock(&sp->lock);
    }
    return rc;
}
