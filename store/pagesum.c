/* pagesum: a thin layer between SQLite and the system's files.
 *
 * Only main database files are wrapped; WAL, temporary files and shared memory are the system
 * layer's own. A write of a whole page to a file that reserves the bytes gets its checksum: CRC32C
 * of the page's number and of all before the last 8 bytes, then the same number XOR "MSP1". Pages
 * in SQLite's cache do not use these bytes, so that writing into its buffer changes nothing.
 * Always true: a page that was never written is all zero. */
#include "store/pagesum.h"

#include "base/compress.h"
#include "store/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PAGESUM_NAME    "myriascope"
#define PAGESUM_MAGIC   0x3150534du /* "MSP1" */
#define PAGESUM_PIECE   ((size_t)1 << 20)
#define PAGESUM_TRIES   5        /* a page may be under way from a checkpoint */
#define PAGESUM_WAIT_NS 20000000 /* between two looks at it */
#define PAGESUM_HEADER  100

static void
pagesum_of(uint64_t number, const uint8_t *page, size_t size, uint8_t out[PAGESUM_BYTES])
{
    uint8_t key[8];
    bytes_put_u64(key, number);
    uint32_t crc = crc32c(crc32c(0, key, sizeof key), page, size - PAGESUM_BYTES);
    bytes_put_u32(bytes_put_u32(out, crc), crc ^ PAGESUM_MAGIC);
}

static bool
pagesum_header(const uint8_t *h, size_t *ret_size, bool *ret_sealed)
{
    size_t size = (size_t)h[16] << 8 | h[17];
    size = size == 1 ? 65536 : size;
    if (memcmp(h, "SQLite format 3", 16) || size < 512 || size > 65536 || size & (size - 1))
        return false;
    *ret_size = size;
    *ret_sealed = h[20] == PAGESUM_BYTES;
    return true;
}

/* --- the layer -------------------------------------------------------------------------------- */

struct pagesum_file {
    sqlite3_file base;
    bool on;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *
pagesum_real(sqlite3_file *f)
{
    return ((struct pagesum_file *)f)->real;
}

static int
pagesum_close(sqlite3_file *f)
{
    return pagesum_real(f)->pMethods->xClose(pagesum_real(f));
}

static int
pagesum_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return pagesum_real(f)->pMethods->xRead(pagesum_real(f), p, n, at);
}

static int
pagesum_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct pagesum_file *pf = (struct pagesum_file *)f;
    size_t size;
    bool sealed;
    if (at == 0 && n >= 512 && pagesum_header(p, &size, &sealed))
        pf->on = sealed;
    if (pf->on && n >= 512 && !(n & (n - 1)) && at % n == 0)
        pagesum_of((uint64_t)(at / n) + 1, p, (size_t)n,
                   (uint8_t *)(uintptr_t)p + n - PAGESUM_BYTES);
    return pf->real->pMethods->xWrite(pf->real, p, n, at);
}

static int
pagesum_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return pagesum_real(f)->pMethods->xTruncate(pagesum_real(f), size);
}

static int
pagesum_sync(sqlite3_file *f, int flags)
{
    return pagesum_real(f)->pMethods->xSync(pagesum_real(f), flags);
}

static int
pagesum_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return pagesum_real(f)->pMethods->xFileSize(pagesum_real(f), ret);
}

static int
pagesum_lock(sqlite3_file *f, int level)
{
    return pagesum_real(f)->pMethods->xLock(pagesum_real(f), level);
}

static int
pagesum_unlock(sqlite3_file *f, int level)
{
    return pagesum_real(f)->pMethods->xUnlock(pagesum_real(f), level);
}

static int
pagesum_check_lock(sqlite3_file *f, int *ret)
{
    return pagesum_real(f)->pMethods->xCheckReservedLock(pagesum_real(f), ret);
}

static int
pagesum_control(sqlite3_file *f, int op, void *arg)
{
    return pagesum_real(f)->pMethods->xFileControl(pagesum_real(f), op, arg);
}

static int
pagesum_sector(sqlite3_file *f)
{
    return pagesum_real(f)->pMethods->xSectorSize(pagesum_real(f));
}

static int
pagesum_device(sqlite3_file *f)
{
    return pagesum_real(f)->pMethods->xDeviceCharacteristics(pagesum_real(f));
}

static int
pagesum_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return pagesum_real(f)->pMethods->xShmMap(pagesum_real(f), page, size, extend, ret);
}

static int
pagesum_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return pagesum_real(f)->pMethods->xShmLock(pagesum_real(f), at, n, flags);
}

static void
pagesum_shm_barrier(sqlite3_file *f)
{
    pagesum_real(f)->pMethods->xShmBarrier(pagesum_real(f));
}

static int
pagesum_shm_unmap(sqlite3_file *f, int gone)
{
    return pagesum_real(f)->pMethods->xShmUnmap(pagesum_real(f), gone);
}

static int
pagesum_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **ret)
{
    return pagesum_real(f)->pMethods->xFetch(pagesum_real(f), at, n, ret);
}

static int
pagesum_unfetch(sqlite3_file *f, sqlite3_int64 at, void *p)
{
    return pagesum_real(f)->pMethods->xUnfetch(pagesum_real(f), at, p);
}

static const sqlite3_io_methods pagesum_methods = {
    .iVersion = 3,
    .xClose = pagesum_close,
    .xRead = pagesum_read,
    .xWrite = pagesum_write,
    .xTruncate = pagesum_truncate,
    .xSync = pagesum_sync,
    .xFileSize = pagesum_size,
    .xLock = pagesum_lock,
    .xUnlock = pagesum_unlock,
    .xCheckReservedLock = pagesum_check_lock,
    .xFileControl = pagesum_control,
    .xSectorSize = pagesum_sector,
    .xDeviceCharacteristics = pagesum_device,
    .xShmMap = pagesum_shm_map,
    .xShmLock = pagesum_shm_lock,
    .xShmBarrier = pagesum_shm_barrier,
    .xShmUnmap = pagesum_shm_unmap,
    .xFetch = pagesum_fetch,
    .xUnfetch = pagesum_unfetch,
};

static int
pagesum_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    sqlite3_vfs *below = vfs->pAppData;
    struct pagesum_file *pf = (struct pagesum_file *)f;
    uint8_t header[PAGESUM_HEADER];
    size_t size;
    bool sealed;
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return below->xOpen(below, name, f, flags, ret_flags);
    *pf = (struct pagesum_file){.real = (sqlite3_file *)(pf + 1)};
    int rc = below->xOpen(below, name, pf->real, flags, ret_flags);
    if (rc == SQLITE_OK) {
        f->pMethods = &pagesum_methods;
        if (pf->real->pMethods->xRead(pf->real, header, sizeof header, 0) == SQLITE_OK &&
            pagesum_header(header, &size, &sealed))
            pf->on = sealed;
    }
    return rc;
}

const char *
pagesum_vfs(void)
{
    sqlite3_vfs *below = sqlite3_vfs_find(NULL), *vfs;
    sqlite3_mutex *m = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    sqlite3_mutex_enter(m);
    if (!(vfs = sqlite3_vfs_find(PAGESUM_NAME)) && (vfs = malloc(sizeof *vfs))) {
        *vfs = *below; /* everything but opening is the layer's below, which gets itself by name */
        vfs->zName = PAGESUM_NAME;
        vfs->pNext = NULL;
        vfs->szOsFile = below->szOsFile + (int)sizeof(struct pagesum_file);
        vfs->pAppData = below;
        vfs->xOpen = pagesum_open;
        sqlite3_vfs_register(vfs, 0); /* lives as long as the process, as SQLite's own do */
    }
    sqlite3_mutex_leave(m);
    return vfs ? PAGESUM_NAME : NULL;
}

void
pagesum_reserve(sqlite3 *db)
{
    int n = PAGESUM_BYTES;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &n);
}

/* --- reading a file as bytes ------------------------------------------------------------------ */

/* Through SQLite's own handle: closing any other one of a file would drop the locks that this
 * process holds on it (POSIX advisory locks belong to process and file). */
struct pagesum_scan {
    sqlite3 *db;
    sqlite3_file *file;
    char path[4200];
    bool sealed, told;
    size_t size;
    uint64_t pages, at; /* whole pages in the file; looked at */
    uint8_t *piece;
};

static bool
pagesum_get(const struct pagesum_scan *s, void *out, size_t n, uint64_t at)
{
    return s->file->pMethods->xRead(s->file, out, (int)n, (sqlite3_int64)at) == SQLITE_OK;
}

static int
pagesum_attach(struct pagesum_scan *s, struct err *err)
{
    uint8_t header[PAGESUM_HEADER];
    sqlite3_int64 bytes = 0;
    if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
        sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &s->file) != SQLITE_OK ||
        s->file->pMethods->xFileSize(s->file, &bytes) != SQLITE_OK)
        return err_set(err, ERR_IO, "cannot read %s: %s", s->path, sqlite3_errmsg(s->db));
    if (!bytes) /* made, and not written yet: its pages are in the WAL */
        return 0;
    if (!pagesum_get(s, header, sizeof header, 0) || !pagesum_header(header, &s->size, &s->sealed))
        return err_set(err, ERR_CORRUPT, "%s is no database", s->path);
    s->pages = (uint64_t)bytes / s->size;
    uint8_t sum[PAGESUM_BYTES]; /* the byte that says so may be the damaged one */
    if (!s->sealed && pagesum_get(s, sum, sizeof sum, s->size - sizeof sum))
        s->sealed = (bytes_get_u32(sum) ^ bytes_get_u32(sum + 4)) == PAGESUM_MAGIC;
    return 0;
}

int
pagesum_begin(const char *path, struct pagesum_scan **ret, struct err *err)
{
    struct pagesum_scan *s = calloc(1, sizeof *s);
    if (!s || !(s->piece = malloc(PAGESUM_PIECE))) {
        free(s);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    snprintf(s->path, sizeof s->path, "%s", path);
    int rc = pagesum_attach(s, err);
    if (rc)
        pagesum_end(s);
    else
        *ret = s;
    return rc;
}

void
pagesum_end(struct pagesum_scan *s)
{
    if (!s)
        return;
    sqlite3_close_v2(s->db);
    free(s->piece);
    free(s);
}

bool
pagesum_sealed(const struct pagesum_scan *s)
{
    return s->sealed;
}

uint64_t
pagesum_pages(const struct pagesum_scan *s)
{
    return s->pages;
}

static bool
pagesum_good(uint64_t number, const uint8_t *page, size_t size)
{
    uint8_t sum[PAGESUM_BYTES];
    pagesum_of(number, page, size, sum);
    if (!memcmp(sum, page + size - PAGESUM_BYTES, PAGESUM_BYTES))
        return true;
    for (size_t i = 0; i < size; i++)
        if (page[i])
            return false;
    return true;
}

static bool
pagesum_written(const struct pagesum_scan *s) /* who writes it has a WAL */
{
    char wal[4210];
    struct stat st;
    snprintf(wal, sizeof wal, "%s-wal", s->path);
    return !stat(wal, &st) && st.st_size > 0;
}

/* A checkpoint may write the page just now: it is read again before it is called damaged. */
static bool
pagesum_page(const struct pagesum_scan *s, uint64_t number, uint8_t *page)
{
    for (int i = 0; !pagesum_good(number, page, s->size); i++) {
        struct timespec wait = {.tv_nsec = PAGESUM_WAIT_NS};
        if (i == PAGESUM_TRIES || !pagesum_written(s))
            return false;
        nanosleep(&wait, NULL);
        if (!pagesum_get(s, page, s->size, (number - 1) * s->size))
            return true; /* cut off meanwhile */
    }
    return true;
}

/* Is the file shorter than the header says? Only when no WAL holds what is missing. */
static bool
pagesum_short(const struct pagesum_scan *s)
{
    char wal[4210];
    struct stat st;
    uint8_t h[PAGESUM_HEADER];
    sqlite3_int64 bytes;
    snprintf(wal, sizeof wal, "%s-wal", s->path);
    if ((!stat(wal, &st) && st.st_size) || !pagesum_get(s, h, sizeof h, 0) ||
        memcmp(h + 24, h + 92, 4))
        return false; /* the size is valid where both counters agree (SQLite's file format, 1.3.7)
                       */
    uint64_t pages = (uint64_t)h[28] << 24 | (uint64_t)h[29] << 16 | (uint64_t)h[30] << 8 | h[31];
    return s->file->pMethods->xFileSize(s->file, &bytes) == SQLITE_OK &&
           (uint64_t)bytes < pages * s->size;
}

int
pagesum_some(struct pagesum_scan *s, unsigned pages, void (*bad)(void *ctx, uint64_t page),
             void *ctx, struct err *err)
{
    uint64_t n = s->pages - s->at < pages ? s->pages - s->at : pages;
    if (!s->sealed || !n) {
        if (s->sealed && !s->told && pagesum_short(s))
            bad(ctx, 0);
        s->told = true;
        return 0;
    }
    n = n > PAGESUM_PIECE / s->size ? PAGESUM_PIECE / s->size : n;
    int rc = s->file->pMethods->xRead(s->file, s->piece, (int)(n * s->size),
                                      (sqlite3_int64)(s->at * s->size));
    if (rc == SQLITE_IOERR_SHORT_READ) { /* cut off meanwhile: what is gone reads as zeroes */
        s->at += n;
        return (int)n;
    }
    if (rc != SQLITE_OK)
        return err_set(err, ERR_IO, "cannot read %s: %s", s->path, sqlite3_errstr(rc));
    for (uint64_t i = 0; i < n; i++)
        if (!pagesum_page(s, s->at + i + 1, s->piece + i * s->size))
            bad(ctx, s->at + i + 1);
    s->at += n;
    return (int)n;
}
