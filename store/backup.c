/* backup: a copy of every file while the store runs, all of one moment.
 *
 * Under the flusher's lock, so that nothing moves between journal and day files, every file that
 * changed since the backup before gets a read transaction of its own; that takes milliseconds, and
 * batches are acknowledged meanwhile. Then the lock is let go and the files are copied out of
 * those transactions at leisure. What did not change is linked to the earlier backup's file, so
 * that each backup is whole and a day that is over is copied once. The manifest comes last. */
#include "store/store.h"

#include "base/str.h"
#include "store/dayfile.h"
#include "store/db.h"
#include "store/flush.h"
#include "store/manifest.h"
#include "store/store_priv.h"
#include "store/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct backup_file {
    struct manifest_file row;
    sqlite3 *db; /* within a read transaction; NULL: linked to the earlier one */
};

struct backup {
    struct store *store;
    const char *folder, *since;
    const struct store_watch *watch;
    struct manifest before;
    struct backup_file *files;
    size_t count, cap;
    uint64_t done, total; /* bytes */
};

static void
backup_step(void *ctx, uint64_t bytes)
{
    struct backup *b = ctx;
    b->done += bytes;
    if (b->watch && b->watch->progress)
        b->watch->progress(b->watch->ctx, b->done, b->total > b->done ? b->total : b->done);
}

static void
backup_done(struct backup *b)
{
    for (size_t i = 0; i < b->count; i++)
        db_close(b->files[i].db);
    free(b->files);
    manifest_done(&b->before);
}

/* The state of the store's file, when all of it is in the file itself. */
static void
backup_source(const struct backup *b, struct manifest_file *row)
{
    char path[4600];
    struct stat st, wal;
    snprintf(path, sizeof path, "%s/%s-wal", b->store->cfg.folder, row->name);
    bool clean = stat(path, &wal) || !wal.st_size;
    path[strlen(path) - 4] = 0;
    if (stat(path, &st))
        return;
    row->bytes = (uint64_t)st.st_size;
    if (clean) {
        row->source_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        row->source_size = st.st_size;
    }
}

/* One file at this moment: the earlier copy's row, or a transaction to copy out of. */
static int
backup_pin(struct backup *b, const char *name, struct err *err)
{
    struct backup_file f = {0};
    char path[4600];
    int rc = 0;
    if (b->count == b->cap) {
        size_t n = b->cap ? b->cap * 2 : 64;
        struct backup_file *p = realloc(b->files, n * sizeof *p);
        if (!p)
            return err_set(err, ERR_NOMEM, "out of memory");
        b->files = p;
        b->cap = n;
    }
    str_copy(f.row.name, sizeof f.row.name, name);
    backup_source(b, &f.row);
    const struct manifest_file *was = manifest_find(&b->before, name);
    if (was && was->source_ns && was->source_ns == f.row.source_ns &&
        was->source_size == f.row.source_size) {
        f.row = *was;
    } else {
        snprintf(path, sizeof path, "%s/%s", b->store->cfg.folder, name);
        rc = db_open(path, DB_READ, 0, &f.db, err);
        if (!rc)
            rc = db_exec(f.db, "BEGIN; SELECT count(*) FROM sqlite_master", err);
        b->total += f.row.bytes * 2; /* copied, then read again for its checksum */
    }
    b->files[b->count++] = f;
    return rc;
}

static int
backup_pins(struct backup *b, struct err *err)
{
    struct dirent **names = NULL;
    flush_lock(b->store->flusher);
    int rc = days_checkpoint(b->store->days, err); /* so that files of today can be told apart */
    int n = rc ? 0 : scandir(b->store->cfg.folder, &names, NULL, alphasort);
    if (n < 0)
        rc = err_set_errno(err, "cannot read %s", b->store->cfg.folder);
    for (int i = 0; i < n; i++) {
        if (!rc && verify_wanted(names[i]->d_name))
            rc = backup_pin(b, names[i]->d_name, err);
        free(names[i]);
    }
    flush_unlock(b->store->flusher);
    free(names);
    return rc;
}

static int
backup_file(struct backup *b, struct backup_file *f, struct err *err)
{
    char to[4600], was[4600];
    uint64_t bytes;
    uint32_t crc;
    snprintf(to, sizeof to, "%s/%s", b->folder, f->row.name);
    if (file_exists(to))
        return err_set(err, ERR_EXISTS, "%s is there already: a backup needs a folder of its own",
                       to);
    if (f->db) {
        int rc = db_copy_open(f->db, to, err);
        db_close(f->db);
        f->db = NULL;
        backup_step(b, f->row.bytes);
        return rc ? rc : manifest_copy(to, NULL, backup_step, b, &f->row.bytes, &f->row.crc, err);
    }
    snprintf(was, sizeof was, "%s/%s", b->since, f->row.name);
    if (!link(was, to))
        return 0;
    int rc = manifest_copy(was, to, NULL, NULL, &bytes, &crc, err); /* another file system */
    if (!rc && (bytes != f->row.bytes || crc != f->row.crc))
        rc = err_set(err, ERR_CORRUPT, "%s of the earlier backup is damaged", was);
    return rc;
}

static int
backup_sync(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s", folder);
    int rc = fsync(fd) ? err_set_errno(err, "cannot sync %s", folder) : 0;
    close(fd);
    return rc;
}

static int
backup_files(struct backup *b, struct err *err)
{
    struct manifest m = {.made_ms = clock_now_ms(b->store->cfg.clock)};
    int rc = 0;
    for (size_t i = 0; !rc && i < b->count; i++) {
        rc = backup_file(b, &b->files[i], err);
        if (!rc && manifest_add(&m, &b->files[i].row))
            rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (!rc)
        rc = backup_sync(b->folder, err);
    if (!rc)
        rc = manifest_write(&m, b->folder, err);
    manifest_done(&m);
    return rc ? rc : backup_sync(b->folder, err);
}

int
store_backup(struct store *s, const char *folder, const char *since,
             const struct store_watch *watch, struct err *err)
{
    struct backup b = {.store = s, .folder = folder, .since = since, .watch = watch};
    char path[4600];
    snprintf(path, sizeof path, "%s/" MANIFEST_NAME, folder);
    if (file_exists(path))
        return err_set(err, ERR_EXISTS, "%s holds a backup already", folder);
    int rc = since ? manifest_read(since, &b.before, err) : 0;
    if (!rc)
        rc = file_mkdir(folder, 0700, err);
    if (rc >= 0)
        rc = backup_pins(&b, err);
    if (rc >= 0)
        rc = backup_files(&b, err);
    backup_done(&b);
    return rc;
}
