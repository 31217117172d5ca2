/* dayfile: the list of day files and their readers.
 *
 * What is always true: a listed file has its schema; a file leaves the list before it is removed,
 * and is removed when its last reader has gone. A file that is no database is moved aside as
 * NAME.damaged and counted. */
#include "store/dayfile.h"

#include "base/compress.h"
#include "store/dayfile_priv.h"
#include "store/db.h"
#include "store/labelblock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAYS_CACHE ((size_t)64 << 20) /* the last hour of 10,000 series is 10 MiB */

/* --- the list --------------------------------------------------------------------------------- */

struct day *
days_find(struct days *d, int64_t number)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (d->at[mid]->number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low < d->count && d->at[low]->number == number ? d->at[low] : NULL;
}

int
days_add(struct days *d, int64_t number, struct day **ret)
{
    if (d->count == d->cap) {
        size_t n = d->cap ? d->cap * 2 : 32;
        struct day **p = realloc(d->at, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        d->at = p;
        d->cap = n;
    }
    struct day *day = calloc(1, sizeof *day);
    if (!day)
        return ERR_NOMEM;
    time_t t = (time_t)(number * (DAY_MS / 1000));
    struct tm tm;
    gmtime_r(&t, &tm);
    day->days = d;
    day->number = number;
    snprintf(day->path, sizeof day->path, "%s/%s%04d%02d%02d.db", d->folder, d->prefix,
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    pthread_mutex_init(&day->ids_lock, NULL);
    buf_init(&day->words, (size_t)1 << 20);
    size_t i = d->count++;
    for (; i > 0 && d->at[i - 1]->number > number; i--)
        d->at[i] = d->at[i - 1];
    d->at[i] = day;
    *ret = day;
    return 0;
}

void
days_unlist(struct days *d, struct day *day)
{
    size_t i = 0;
    while (d->at[i] != day)
        i++;
    d->count--;
    memmove(d->at + i, d->at + i + 1, (d->count - i) * sizeof *d->at);
}

void
day_free(struct day *day)
{
    if (!day)
        return;
    day_writer_close(day);
    for (size_t i = 0; i < day->idle; i++)
        day_reader_close(day->readers[i]);
    pthread_mutex_destroy(&day->ids_lock);
    buf_done(&day->words);
    free(day->ids);
    free(day);
}

static bool
days_parse(const char *prefix, const char *name, int64_t *ret)
{
    int y, m, dd, used = 0;
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0)
        return false;
    name += n;
    if (sscanf(name, "%4d%2d%2d.db%n", &y, &m, &dd, &used) != 3 || used != 11 || name[11])
        return false;
    struct tm tm = {.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = dd};
    *ret = (int64_t)timegm(&tm) / (DAY_MS / 1000);
    return true;
}

/* What the file holds of the journal. Opening for writing recovers its WAL and completes its
 * schema. */
static int
day_load(struct day *day, struct err *err)
{
    int64_t samples, rows;
    int rc = day_writer_open(day, err);
    if (!rc)
        rc = db_integer(day->w, "SELECT value FROM meta WHERE key = 'held_samples'", 0, &samples,
                        err);
    if (!rc)
        rc = db_integer(day->w, "SELECT value FROM meta WHERE key = 'held_rows'", 0, &rows, err);
    int64_t registry = 0;
    if (!rc)
        rc = db_integer(day->w, "SELECT value FROM meta WHERE key = 'registry'", 0, &registry, err);
    day->registry = (uint64_t)registry;
    if (!rc) {
        day->held_samples = (uint64_t)samples;
        day->held_rows = (uint64_t)rows;
    }
    day_writer_close(day);
    return rc;
}

static int
days_scan_one(struct days *d, int64_t number, uint64_t *damaged, struct err *err)
{
    struct day *day;
    int rc = days_add(d, number, &day);
    if (rc)
        return err_set(err, rc, "out of memory");
    rc = day_load(day, err);
    if (rc != ERR_CORRUPT)
        return rc;
    rc = days_set_aside(d, number, err);
    if (rc)
        return rc;
    ++*damaged;
    return 0;
}

int
days_open(const char *folder, struct days **ret, uint64_t *ret_damaged, struct err *err)
{
    return days_open_named(folder, "day-", ret, ret_damaged, err);
}

int
days_open_named(const char *folder, const char *prefix, struct days **ret, uint64_t *ret_damaged,
                struct err *err)
{
    struct days *d = calloc(1, sizeof *d);
    if (!d || !(d->folder = strdup(folder)) || !(d->cache = chunkcache_new(DAYS_CACHE))) {
        free(d ? d->folder : NULL);
        free(d);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    d->prefix = prefix;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->released, NULL);
    DIR *dir = opendir(folder);
    int rc = dir ? 0 : err_set_errno(err, "cannot read %s", folder);
    uint64_t damaged = 0;
    for (struct dirent *e; !rc && (e = readdir(dir));) {
        int64_t number;
        if (days_parse(prefix, e->d_name, &number))
            rc = days_scan_one(d, number, &damaged, err);
    }
    if (dir)
        closedir(dir);
    if (rc) {
        days_close(d);
        return rc;
    }
    *ret = d;
    *ret_damaged = damaged;
    return 0;
}

void
days_close(struct days *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        day_free(d->at[i]);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->released);
    chunkcache_free(d->cache);
    free(d->at);
    free(d->folder);
    free(d);
}

void
days_registry(struct days *d, uint64_t seed)
{
    d->registry = seed;
}

uint64_t
days_bytes(struct days *d)
{
    static const char *const tails[] = {"", "-wal"};
    uint64_t total = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < 2 * d->count; i++) {
        char path[4200];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", d->at[i / 2]->path, tails[i % 2]);
        total += stat(path, &st) ? 0 : (uint64_t)st.st_size;
    }
    pthread_mutex_unlock(&d->lock);
    return total;
}

size_t
days_count(struct days *d)
{
    pthread_mutex_lock(&d->lock);
    size_t n = d->count;
    pthread_mutex_unlock(&d->lock);
    return n;
}

int
days_numbers(struct days *d, int64_t **ret, size_t *ret_count)
{
    pthread_mutex_lock(&d->lock);
    int64_t *at = malloc((d->count ? d->count : 1) * sizeof *at);
    for (size_t i = 0; at && i < d->count; i++)
        at[i] = d->at[i]->number;
    *ret = at;
    *ret_count = d->count;
    pthread_mutex_unlock(&d->lock);
    return at ? 0 : ERR_NOMEM;
}

uint64_t
days_held_samples(struct days *d, int64_t number)
{
    pthread_mutex_lock(&d->lock);
    struct day *day = days_find(d, number);
    uint64_t n = day ? day->held_samples : 0;
    pthread_mutex_unlock(&d->lock);
    return n;
}

uint64_t
days_held_rows(struct days *d, int64_t number)
{
    pthread_mutex_lock(&d->lock);
    struct day *day = days_find(d, number);
    uint64_t n = day ? day->held_rows : 0;
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* Out of the list, and nobody reads it any more. NULL: there is none. */
static struct day *
days_take_out(struct days *d, int64_t number)
{
    pthread_mutex_lock(&d->lock);
    struct day *day = days_find(d, number);
    if (day) {
        days_unlist(d, day);
        day->dead = true;
        while (day->refs)
            pthread_cond_wait(&d->released, &d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return day;
}

static void
day_tails(const struct day *day, char wal[4200], char shm[4200])
{
    snprintf(wal, 4200, "%s-wal", day->path);
    snprintf(shm, 4200, "%s-shm", day->path);
}

int
days_remove(struct days *d, int64_t number, struct err *err)
{
    char path[4200], wal[4200], shm[4200];
    struct day *day = days_take_out(d, number);
    if (!day)
        return ERR_NOTFOUND;
    snprintf(path, sizeof path, "%s", day->path);
    day_tails(day, wal, shm);
    day_free(day);
    int rc = unlink(path) ? err_set_errno(err, "cannot remove %s", path) : 0;
    unlink(wal);
    unlink(shm);
    return rc;
}

int
days_set_aside(struct days *d, int64_t number, struct err *err)
{
    char path[4200], wal[4200], shm[4200], aside[4300];
    struct day *day = days_take_out(d, number);
    if (!day)
        return ERR_NOTFOUND;
    snprintf(path, sizeof path, "%s", day->path);
    day_tails(day, wal, shm);
    day_free(day);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    for (unsigned i = 2; access(aside, F_OK) == 0; i++) /* never over an earlier one */
        snprintf(aside, sizeof aside, "%s.damaged.%u", path, i);
    int rc = rename(path, aside) ? err_set_errno(err, "cannot move damaged %s aside", path) : 0;
    snprintf(path, sizeof path, "%.4190s-wal", aside);
    rename(wal, path);
    unlink(shm);
    return rc;
}

/* --- readers ---------------------------------------------------------------------------------- */

int
days_list(struct days *d, int64_t from_ms, int64_t to_ms, struct day ***ret, size_t *ret_count)
{
    pthread_mutex_lock(&d->lock);
    struct day **at = malloc((d->count ? d->count : 1) * sizeof *at);
    size_t n = 0;
    for (size_t i = 0; at && i < d->count; i++) {
        int64_t start = d->at[i]->number * DAY_MS;
        if (start > to_ms || start + DAY_MS - 1 < from_ms)
            continue;
        d->at[i]->refs++;
        at[n++] = d->at[i];
    }
    pthread_mutex_unlock(&d->lock);
    if (!at)
        return ERR_NOMEM;
    *ret = at;
    *ret_count = n;
    return 0;
}

void
day_put(struct days *d, struct day *day)
{
    pthread_mutex_lock(&d->lock);
    if (--day->refs == 0 && day->dead)
        pthread_cond_broadcast(&d->released);
    pthread_mutex_unlock(&d->lock);
}

int64_t
day_number(const struct day *day)
{
    return day->number;
}

const char *
day_path(const struct day *day)
{
    return day->path;
}

int
day_reader_take(struct days *d, struct day *day, sqlite3 **ret, struct err *err)
{
    sqlite3 *db = NULL;
    pthread_mutex_lock(&d->lock);
    if (day->idle)
        db = day->readers[--day->idle];
    pthread_mutex_unlock(&d->lock);
    int rc = db ? 0 : db_open(day->path, DB_READ, 0, &db, err);
    if (!rc)
        *ret = db;
    return rc;
}

void
day_reader_give(struct days *d, struct day *day, sqlite3 *db)
{
    pthread_mutex_lock(&d->lock);
    if (day->idle < DAY_READERS && !day->dead) {
        day->readers[day->idle++] = db;
        db = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    day_reader_close(db);
}

/* Statements that stay with their connection begin so: FTS5 has statements of its own there. */
#define DAY_KEPT "/* kept */ "

static bool
day_reader_kept(sqlite3_stmt *st)
{
    const char *sql = sqlite3_sql(st);
    return sql && !strncmp(sql, DAY_KEPT, sizeof DAY_KEPT - 1);
}

void
day_reader_close(sqlite3 *db)
{
    for (sqlite3_stmt *st = db ? sqlite3_next_stmt(db, NULL) : NULL, *next; st; st = next) {
        next = sqlite3_next_stmt(db, st);
        if (day_reader_kept(st))
            sqlite3_finalize(st);
    }
    db_close(db);
}

/* The statement of this text that the connection kept, or a new one. Reset, it stays with it:
 * preparing takes longer than answering. */
static int
day_reader_statement(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct err *err)
{
    sqlite3_stmt *st = sqlite3_next_stmt(db, NULL);
    while (st && (sqlite3_stmt_busy(st) || !day_reader_kept(st) || strcmp(sqlite3_sql(st), sql)))
        st = sqlite3_next_stmt(db, st);
    if (!st)
        return db_prepare(db, sql, ret, err);
    *ret = st;
    return 0;
}

/* --- chunks ---------------------------------------------------------------------------------- */

struct days_walk {
    struct days *days;
    struct days_chunk_query *q;
    int (*cb)(void *, struct chunk_held *);
    void *ctx;
};

/* The chunk's bytes, unpacked: ERR_CORRUPT when they are not what was written. */
static int
day_chunk_read(struct days *d, sqlite3_blob *blob, const struct chunk_key *key, int64_t min_ms,
               int64_t max_ms, struct chunk_held **ret)
{
    struct chunk_reader *reader = NULL;
    int len = sqlite3_blob_bytes(blob);
    char *p = len ? malloc((size_t)len) : NULL;
    int rc = p ? 0 : len ? ERR_NOMEM : ERR_CORRUPT;
    if (!rc && sqlite3_blob_read(blob, p, len, 0))
        rc = ERR_CORRUPT;
    if (!rc)
        rc = chunk_reader_new(p, (size_t)len, &reader);
    free(p);
    if (!rc && !(*ret = chunkcache_put(d->cache, key, reader, min_ms, max_ms)))
        rc = ERR_NOMEM;
    return rc;
}

static int
day_chunk_row(const struct days_walk *w, struct day *day, sqlite3 *db, sqlite3_stmt *st,
              sqlite3_blob **blob)
{
    struct chunk_key key = {.day = day->number, .row = sqlite3_column_int64(st, 0)};
    struct chunk_held *h = NULL;
    int rc = *blob ? sqlite3_blob_reopen(*blob, key.row)
                   : sqlite3_blob_open(db, "main", "chunk", "data", key.row, 0, blob);
    rc = rc ? ERR_CORRUPT : 0;
    if (!rc && (sqlite3_blob_bytes(*blob) < (int)sizeof key.head ||
                sqlite3_blob_read(*blob, key.head, sizeof key.head, 0)))
        rc = ERR_CORRUPT;
    if (!rc && !(h = chunkcache_take(w->days->cache, &key)))
        rc = day_chunk_read(w->days, *blob, &key, sqlite3_column_int64(st, 1),
                            sqlite3_column_int64(st, 2), &h);
    if (rc == ERR_CORRUPT) {
        sqlite3_blob_close(*blob); /* a handle that failed cannot be moved to another row */
        *blob = NULL;
        w->q->damaged++;
        return 0;
    }
    return rc ? rc : w->cb(w->ctx, h);
}

static int
day_each_chunk(const struct days_walk *w, struct day *day, struct err *err)
{
    const struct days_chunk_query *q = w->q;
    sqlite3 *db;
    sqlite3_stmt *st;
    sqlite3_blob *blob = NULL;
    int rc = day_reader_take(w->days, day, &db, err);
    if (rc)
        return rc;
    rc = day_reader_statement(
        db,
        q->metric ? DAY_KEPT "SELECT id, min_ms, max_ms FROM chunk WHERE metric = ?1 AND "
                             "max_ms >= ?2 AND min_ms <= ?3 AND last_id >= ?4 AND "
                             "first_id <= ?5 ORDER BY id"
                  : DAY_KEPT "SELECT id, min_ms, max_ms FROM chunk WHERE max_ms >= ?2 AND "
                             "min_ms <= ?3 AND last_id >= ?4 AND first_id <= ?5 ORDER BY id",
        &st, err);
    if (!rc) {
        if (q->metric)
            db_bind_text(st, 1, q->metric);
        sqlite3_bind_int64(st, 2, q->from_ms);
        sqlite3_bind_int64(st, 3, q->to_ms);
        sqlite3_bind_int64(st, 4, (int64_t)q->low);
        sqlite3_bind_int64(st, 5, (int64_t)q->high);
        int step = SQLITE_DONE;
        while (rc >= 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
            rc = day_chunk_row(w, day, db, st, &blob);
        if (rc >= 0)
            rc = step == SQLITE_DONE ? 0 : db_error(db, step, err, "day file");
        sqlite3_blob_close(blob);
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
    }
    day_reader_give(w->days, day, db);
    return rc;
}

int
days_each_held(struct days *d, struct days_chunk_query *q,
               int (*cb)(void *ctx, struct chunk_held *h), void *ctx, struct err *err)
{
    struct days_walk w = {d, q, cb, ctx};
    struct day **at;
    size_t n;
    int rc = days_list(d, q->from_ms, q->to_ms, &at, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (rc >= 0)
            rc = day_each_chunk(&w, at[i], err);
        if (rc == ERR_CORRUPT) { /* what can be read is read */
            q->damaged++;
            rc = 0;
        }
        day_put(d, at[i]);
    }
    free(at);
    return rc < 0 ? rc : 0;
}

struct days_plain {
    int (*cb)(void *, const struct chunk_reader *);
    void *ctx;
};

static int
days_plain_chunk(void *ctx, struct chunk_held *h)
{
    const struct days_plain *p = ctx;
    int rc = p->cb(p->ctx, h->reader);
    chunk_held_drop(h);
    return rc;
}

int
days_each_chunk(struct days *d, struct days_chunk_query *q,
                int (*cb)(void *ctx, const struct chunk_reader *r), void *ctx, struct err *err)
{
    struct days_plain p = {cb, ctx};
    return days_each_held(d, q, days_plain_chunk, &p, err);
}

/* --- which series ----------------------------------------------------------------------------- */

int
day_ids_add(struct day *day, uint64_t id)
{
    size_t word = id / 64;
    if (word >= day->ids_words) {
        size_t n = day->ids_words ? day->ids_words * 2 : 1024;
        while (n <= word)
            n *= 2;
        uint64_t *p = realloc(day->ids, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        memset(p + day->ids_words, 0, (n - day->ids_words) * sizeof *p);
        day->ids = p;
        day->ids_words = n;
    }
    day->ids[word] |= (uint64_t)1 << (id % 64);
    return 0;
}

bool
day_ids_have(const struct day *day, uint64_t id)
{
    return id / 64 < day->ids_words && day->ids[id / 64] >> (id % 64) & 1;
}

static int
day_ids_of_block(void *ctx, uint64_t id, const void *labels, size_t len)
{
    (void)labels, (void)len;
    return day_ids_add(ctx, id & UINT32_MAX);
}

/* A damaged block's series are not known: they are told again when they come. */
static int
day_ids_of_row(struct day *day, sqlite3_stmt *st, bool block)
{
    if (!block)
        return day_ids_add(day, (uint64_t)sqlite3_column_int64(st, 0) & UINT32_MAX);
    int rc = labelblock_ids(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0),
                            day_ids_of_block, day);
    return rc == ERR_CORRUPT ? 0 : rc;
}

int
day_ids_load(struct days *d, struct day *day, struct err *err)
{
    static const char *const sql[] = {"SELECT id FROM series", "SELECT data FROM labels"};
    sqlite3 *db;
    sqlite3_stmt *st;
    int rc = day_reader_take(d, day, &db, err), step = SQLITE_DONE;
    if (rc)
        return rc;
    rc = day_ids_add(day, 0);
    for (int i = 0; !rc && i < 2; i++) {
        rc = db_prepare(db, sql[i], &st, err);
        if (rc)
            break;
        while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW)
            rc = day_ids_of_row(day, st, i == 1);
        if (!rc && step != SQLITE_DONE)
            rc = db_error(db, step, err, "day file");
        sqlite3_finalize(st);
    }
    day_reader_give(d, day, db);
    return rc;
}

uint64_t
days_samples(struct days *d, int64_t from_ms)
{
    struct day **at;
    size_t n;
    uint64_t total = 0;
    if (days_list(d, from_ms, INT64_MAX, &at, &n))
        return 0;
    for (size_t i = 0; i < n; i++) {
        sqlite3 *db;
        char sql[96];
        int64_t samples = 0;
        snprintf(sql, sizeof sql, "SELECT sum(samples) FROM chunk WHERE max_ms >= %lld",
                 (long long)from_ms);
        if (!day_reader_take(d, at[i], &db, NULL)) {
            if (!db_integer(db, sql, 0, &samples, NULL))
                total += (uint64_t)samples;
            day_reader_give(d, at[i], db);
        }
        day_put(d, at[i]);
    }
    free(at);
    return total;
}

bool
days_hold_series(struct days *d, uint64_t id, int64_t from_ms, int64_t to_ms)
{
    struct day **at;
    size_t n;
    bool have = false;
    if (days_list(d, from_ms, to_ms, &at, &n))
        return true;
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&at[i]->ids_lock);
        if (!have && !at[i]->ids && day_ids_load(d, at[i], NULL))
            have = true;
        have = have || day_ids_have(at[i], id);
        pthread_mutex_unlock(&at[i]->ids_lock);
        day_put(d, at[i]);
    }
    free(at);
    return have;
}

static int
day_each_series(sqlite3 *db, int (*cb)(void *, uint64_t, const void *, size_t), void *ctx,
                struct err *err)
{
    sqlite3_stmt *st;
    int rc = db_prepare(db, "SELECT id, labels, crc FROM series ORDER BY id", &st, err),
        step = SQLITE_DONE;
    if (rc)
        return rc;
    while (rc >= 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(st, 0);
        const void *p = sqlite3_column_blob(st, 1);
        size_t len = (size_t)sqlite3_column_bytes(st, 1);
        if (crc32c((uint32_t)id, p, len) == (uint32_t)sqlite3_column_int64(st, 2))
            rc = cb(ctx, id, p, len);
    }
    if (rc >= 0)
        rc = step == SQLITE_DONE ? 0 : db_error(db, step, err, "day file");
    sqlite3_finalize(st);
    return rc;
}

static int
day_each_block(sqlite3 *db, int (*cb)(void *, uint64_t, const void *, size_t), void *ctx,
               struct err *err)
{
    sqlite3_stmt *st;
    int rc = db_prepare(db, "SELECT data FROM labels ORDER BY id", &st, err), step = SQLITE_DONE;
    if (rc)
        return rc;
    while (rc >= 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
        rc = labelblock_read(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), cb,
                             ctx);
        rc = rc == ERR_CORRUPT ? 0 : rc;
    }
    if (rc >= 0)
        rc = step == SQLITE_DONE ? 0 : db_error(db, step, err, "day file");
    sqlite3_finalize(st);
    return rc;
}

int
days_each_series(struct days *d, bool all,
                 int (*cb)(void *ctx, uint64_t id, const void *labels, size_t len), void *ctx,
                 struct err *err)
{
    struct day **at;
    size_t n;
    int rc = days_list(d, INT64_MIN, INT64_MAX, &at, &n);
    if (rc)
        return err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++) {
        sqlite3 *db;
        bool known = !all && d->registry && at[i]->registry == d->registry;
        if (rc >= 0 && !known)
            rc = day_reader_take(d, at[i], &db, err);
        if (rc >= 0 && !known) {
            rc = day_each_series(db, cb, ctx, err);
            if (rc >= 0)
                rc = day_each_block(db, cb, ctx, err);
            day_reader_give(d, at[i], db);
        }
        day_put(d, at[i]);
    }
    free(at);
    return rc < 0 ? rc : 0;
}
