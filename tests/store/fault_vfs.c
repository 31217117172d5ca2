/* fault_vfs: see fault_vfs.h. Every file of a database is wrapped: itself, its WAL, its journal. */
#include "tests/store/fault_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static struct {
    sqlite3_vfs vfs, *below;
    atomic_long count, at;
    atomic_int how;
} fault;

static sqlite3_file *
fault_real(sqlite3_file *f)
{
    return ((struct fault_file *)f)->real;
}

/* Is it this one's turn? */
static bool
fault_now(bool writes)
{
    long n = atomic_fetch_add(&fault.count, 1) + 1, at = fault.at;
    if (!at || n < at)
        return false;
    return fault.how == FAULT_FULL ? writes : n == at;
}

static int
fault_close(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xClose(fault_real(f));
}

static int
fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return fault_real(f)->pMethods->xRead(fault_real(f), p, n, at);
}

static int
fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (!fault_now(true))
        return fault_real(f)->pMethods->xWrite(fault_real(f), p, n, at);
    if (fault.how != FAULT_FULL)
        fault_real(f)->pMethods->xWrite(fault_real(f), p, n / 2, at);
    if (fault.how == FAULT_KILL)
        _exit(0);
    return fault.how == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int
fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (!fault_now(false))
        return fault_real(f)->pMethods->xTruncate(fault_real(f), size);
    if (fault.how == FAULT_KILL)
        _exit(0);
    return SQLITE_IOERR_TRUNCATE;
}

static int
fault_sync(sqlite3_file *f, int flags)
{
    if (!fault_now(false))
        return fault_real(f)->pMethods->xSync(fault_real(f), flags);
    if (fault.how == FAULT_KILL)
        _exit(0);
    return SQLITE_IOERR_FSYNC;
}

static int
fault_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return fault_real(f)->pMethods->xFileSize(fault_real(f), ret);
}

static int
fault_lock(sqlite3_file *f, int level)
{
    return fault_real(f)->pMethods->xLock(fault_real(f), level);
}

static int
fault_unlock(sqlite3_file *f, int level)
{
    return fault_real(f)->pMethods->xUnlock(fault_real(f), level);
}

static int
fault_check_lock(sqlite3_file *f, int *ret)
{
    return fault_real(f)->pMethods->xCheckReservedLock(fault_real(f), ret);
}

static int
fault_control(sqlite3_file *f, int op, void *arg)
{
    return fault_real(f)->pMethods->xFileControl(fault_real(f), op, arg);
}

static int
fault_sector(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xSectorSize(fault_real(f));
}

static int
fault_device(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xDeviceCharacteristics(fault_real(f));
}

static int
fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return fault_real(f)->pMethods->xShmMap(fault_real(f), page, size, extend, ret);
}

static int
fault_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return fault_real(f)->pMethods->xShmLock(fault_real(f), at, n, flags);
}

static void
fault_shm_barrier(sqlite3_file *f)
{
    fault_real(f)->pMethods->xShmBarrier(fault_real(f));
}

static int
fault_shm_unmap(sqlite3_file *f, int gone)
{
    return fault_real(f)->pMethods->xShmUnmap(fault_real(f), gone);
}

static int
fault_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **ret)
{
    return fault_real(f)->pMethods->xFetch(fault_real(f), at, n, ret);
}

static int
fault_unfetch(sqlite3_file *f, sqlite3_int64 at, void *p)
{
    return fault_real(f)->pMethods->xUnfetch(fault_real(f), at, p);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 3,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
    .xFetch = fault_fetch,
    .xUnfetch = fault_unfetch,
};

static int
fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    struct fault_file *ff = (struct fault_file *)f;
    (void)vfs;
    *ff = (struct fault_file){.real = (sqlite3_file *)(ff + 1)};
    int rc = fault.below->xOpen(fault.below, name, ff->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        f->pMethods = &fault_methods;
    return rc;
}

void
fault_vfs_install(void)
{
    fault.below = sqlite3_vfs_find(NULL);
    fault.vfs = *fault.below;
    fault.vfs.zName = "fault";
    fault.vfs.pNext = NULL;
    fault.vfs.szOsFile = fault.below->szOsFile + (int)sizeof(struct fault_file);
    fault.vfs.xOpen = fault_open;
    sqlite3_vfs_register(&fault.vfs, 1);
}

void
fault_vfs_arm(long n, enum fault_how how)
{
    fault.how = (int)how;
    fault.count = 0;
    fault.at = n;
}

long
fault_vfs_count(void)
{
    return fault.count;
}
