/* verify: reads everything and checks every checksum: of each page of each file, then SQLite's own
 * structure, then each batch, series, chunk, event, log line and gap. Works beside a running store
 * and on a folder nobody has open. */
#include "store/verify.h"

#include "base/compress.h"
#include "store/chunk.h"
#include "store/dayrow.h"
#include "store/db.h"
#include "store/labelblock.h"
#include "store/pagesum.h"
#include "store/record.h"
#include "store/store.h"
#include "store/store_priv.h"
#include "store/walsum.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_STEP  1000 /* rows and pages between two calls of progress */
#define VERIFY_PAGES 64

struct verify {
    const struct store_watch *watch;
    const char *file; /* name of the one being read */
    uint64_t done, total, faults;
};

static void
verify_fault(struct verify *v, enum store_fault_kind kind, const char *table, int64_t at)
{
    struct store_fault f = {kind, v->file, table, at};
    v->faults++;
    if (v->watch->fault)
        v->watch->fault(v->watch->ctx, &f);
}

static void
verify_step(struct verify *v, uint64_t n)
{
    uint64_t before = v->done / VERIFY_STEP;
    v->done += n;
    if (v->watch->progress && v->done / VERIFY_STEP != before)
        v->watch->progress(v->watch->ctx, v->done, v->total > v->done ? v->total : v->done);
}

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
    const char *name, *sql; /* the row's id last */
    bool (*good)(sqlite3_stmt *st);
} verify_tables[] = {
    {"batch", "SELECT data, number FROM batch", verify_batch},
    {"series", "SELECT id, labels, crc, id FROM series", verify_series},
    {"labels", "SELECT data, rowid FROM labels", verify_labels},
    {"chunk", "SELECT data, id FROM chunk", verify_chunk},
    {"event", "SELECT *, id FROM event", verify_event},
    {"log", "SELECT *, id FROM log", verify_log},
    {"gap", "SELECT *, id FROM gap", verify_gap},
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
        verify_fault(v, STORE_FAULT_STRUCTURE, t->name, 0);
        return;
    }
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        if (!t->good(st))
            verify_fault(v, STORE_FAULT_ROW, t->name,
                         sqlite3_column_int64(st, sqlite3_column_count(st) - 1));
        verify_step(v, 1);
    }
    if (step != SQLITE_DONE)
        verify_fault(v, STORE_FAULT_STRUCTURE, t->name, 0);
    sqlite3_finalize(st);
}

static void
verify_structure(struct verify *v, sqlite3 *db)
{
    sqlite3_stmt *st;
    int step;
    if (db_prepare(db, "PRAGMA integrity_check(100)", &st, NULL)) {
        verify_fault(v, STORE_FAULT_STRUCTURE, "", 0);
        return;
    }
    while ((step = sqlite3_step(st)) == SQLITE_ROW)
        if (strcmp(db_text(st, 0), "ok"))
            verify_fault(v, STORE_FAULT_STRUCTURE, db_text(st, 0), 0);
    if (step != SQLITE_DONE)
        verify_fault(v, STORE_FAULT_STRUCTURE, "", 0);
    sqlite3_finalize(st);
}

static void
verify_page(void *ctx, uint64_t page)
{
    verify_fault(ctx, page ? STORE_FAULT_PAGE : STORE_FAULT_SHORT, "", (int64_t)page);
}

static int
verify_pages(struct verify *v, const char *path, bool count, struct err *err)
{
    struct pagesum_scan *s;
    int rc = pagesum_begin(path, &s, err), n = 1;
    if (rc)
        return rc;
    if (count)
        v->total += pagesum_sealed(s) ? pagesum_pages(s) : 0;
    while (!count && n > 0) {
        n = pagesum_some(s, VERIFY_PAGES, verify_page, v, err);
        verify_step(v, n > 0 ? (uint64_t)n : 0);
    }
    pagesum_end(s);
    return n < 0 ? n : 0;
}

/* One file: counts its pages and rows, or checks them. Pages first: where one is damaged, what
 * SQLite makes of it says little. */
static int
verify_file(struct verify *v, const char *path, bool count, struct err *err)
{
    sqlite3 *db = NULL;
    uint64_t before = v->faults;
    int rc = verify_pages(v, path, count, err);
    int64_t frame = count ? 0 : walsum_check(path);
    if (frame)
        verify_fault(v, STORE_FAULT_WAL, "", frame);
    if (!rc && v->faults == before)
        rc = db_open(path, DB_READ, 0, &db, err);
    if (rc == ERR_CORRUPT && !count)
        verify_fault(v, STORE_FAULT_FILE, "", 0);
    if (rc || !db)
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

bool
verify_wanted(const char *name)
{
    size_t n = strlen(name);
    if (n < 3)
        return false;
    return !strcmp(name, "journal.db") || !strcmp(name, "catalog.db") ||
           !strcmp(name, "remote.db") ||
           ((!strncmp(name, "day-", 4) || !strncmp(name, "tier-", 5)) &&
            !strcmp(name + n - 3, ".db"));
}

static int
verify_pass(struct verify *v, const char *folder, bool count, struct err *err)
{
    DIR *dir = opendir(folder);
    int rc = dir ? 0 : err_set_errno(err, "cannot read %s", folder);
    for (struct dirent *e; !rc && (e = readdir(dir));) {
        char path[4600];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        v->file = e->d_name;
        if (verify_wanted(e->d_name))
            rc = verify_file(v, path, count, err);
        else if (!count && strstr(e->d_name, ".db.damaged") && !strstr(e->d_name, "-wal"))
            verify_fault(v, STORE_FAULT_ASIDE, "", 0);
    }
    if (dir)
        closedir(dir);
    return rc;
}

int
store_verify_watched(const char *folder, const struct store_watch *w, struct err *err)
{
    struct verify v = {.watch = w};
    int rc = verify_pass(&v, folder, true, err);
    if (!rc)
        rc = verify_pass(&v, folder, false, err);
    if (rc)
        return rc;
    if (w->progress)
        w->progress(w->ctx, v.done, v.done);
    return v.faults > INT32_MAX ? INT32_MAX : (int)v.faults;
}

int
store_verify_folder(const char *folder, void (*progress)(void *, uint64_t, uint64_t), void *ctx,
                    struct err *err)
{
    struct store_watch w = {.progress = progress, .ctx = ctx};
    return store_verify_watched(folder, &w, err);
}

int
store_verify(struct store *s, void (*progress)(void *, uint64_t, uint64_t), void *ctx,
             struct err *err)
{
    return store_verify_folder(s->cfg.folder, progress, ctx, err);
}

/* --- in words --------------------------------------------------------------------------------- */

static const char *const verify_what[][2] = {
    [STORE_FAULT_FILE] = {"is no database any more", "已不是数据库文件"},
    [STORE_FAULT_SHORT] = {"is shorter than it says", "长度不足,文件尾部丢失"},
    [STORE_FAULT_PAGE] = {"page %lld is damaged", "第 %lld 页损坏"},
    [STORE_FAULT_STRUCTURE] = {"its structure is damaged", "内部结构损坏"},
    [STORE_FAULT_ROW] = {"row %lld is damaged", "第 %lld 行损坏"},
    [STORE_FAULT_WAL] =
        {"its write-ahead log is broken at frame %lld: what it holds from there on "
         "is forgotten at the next start; after a power cut that is nothing that "
         "was acknowledged",
         "预写日志(WAL)在第 %lld 帧处损坏,其后的内容下次启动时会被丢弃;若是断电所致,"
         "则不含已确认的数据"},
    [STORE_FAULT_ASIDE] = {"was moved aside as damaged", "曾因损坏被移出"},
};

static const struct verify_repair { /* by the beginning of the file's name */
    const char *prefix, *en, *zh;
} verify_repairs[] = {
    {"journal.db",
     "Run myriascope store compact, so that what memory holds gets into day files; then stop the "
     "server and restore the newest backup with --only journal.db.",
     "先执行 myriascope store compact 把内存中的数据写入按天文件,再停止服务,用 --only journal.db "
     "从最近的备份恢复。"},
    {"catalog.db",
     "Stop the server and restore the newest backup with --only catalog.db; changes made since are "
     "to be entered again.",
     "停止服务,用 --only catalog.db 从最近的备份恢复;备份之后的修改需重新录入。"},
    {"tier-", "Stop the server and remove the file: it is filled again from the day files.",
     "停止服务并删除该文件:会从按天文件重新生成。"},
    {"",
     "Stop the server and restore this file from a backup with --only; without one, leave it: what "
     "is damaged is left out of answers and counted, the rest of the day is read.",
     "停止服务,用 --only "
     "从备份恢复该文件;若无备份可不处理:损坏部分不参与查询并计数,当天其余数据仍可"
     "读取。"},
};

void
store_fault_text(const struct store_fault *f, bool zh, struct buf *out)
{
    const struct verify_repair *r = verify_repairs;
    while (strncmp(f->file, r->prefix, strlen(r->prefix)) != 0)
        r++;
    buf_printf(out, "%s: %s%s", f->file, f->table ? f->table : "",
               f->table && *f->table ? ": " : "");
    const char *what = verify_what[f->kind][zh], *at = strstr(what, "%lld");
    if (at)
        buf_printf(out, "%.*s%lld%s", (int)(at - what), what, (long long)f->at, at + 4);
    else
        buf_puts(out, what);
    buf_printf(out, zh ? "。%s" : ". %s", zh ? r->zh : r->en);
}
