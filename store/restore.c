/* restore: the files of a backup into a state folder that no server has open.
 *
 * What is always true: nothing there changes before every file of the backup was read and its
 * checksum found right; each file comes under its name whole (written beside, synced, renamed). */
#include "store/store.h"

#include "base/str.h"
#include "store/manifest.h"
#include "store/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct restore {
    const char *from, *to, *only;
    const struct store_watch *watch;
    struct manifest m;
    uint64_t done, total;
};

static void
restore_step(void *ctx, uint64_t bytes)
{
    struct restore *r = ctx;
    r->done += bytes;
    if (r->watch && r->watch->progress)
        r->watch->progress(r->watch->ctx, r->done, r->total);
}

static bool
restore_chosen(const struct restore *r, const char *name)
{
    return !r->only || !strcmp(r->only, name);
}

/* Reads a file of the backup, and copies it beside its place when `copy`. */
static int
restore_read(struct restore *r, const struct manifest_file *f, bool copy, struct err *err)
{
    char a[4600], b[4700];
    uint64_t bytes;
    uint32_t crc;
    snprintf(a, sizeof a, "%s/%s", r->from, f->name);
    snprintf(b, sizeof b, "%s/%s.restoring", r->to, f->name);
    int rc = manifest_copy(a, copy ? b : NULL, restore_step, r, &bytes, &crc, err);
    if (!rc && (bytes != f->bytes || crc != f->crc))
        rc = err_set(err, ERR_CORRUPT, "%s is damaged: its checksum is not the manifest's", a);
    if (rc && copy)
        unlink(b);
    return rc;
}

static int
restore_each(struct restore *r, bool copy, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < r->m.count; i++)
        if (restore_chosen(r, r->m.files[i].name))
            rc = restore_read(r, &r->m.files[i], copy, err);
    return rc;
}

static void
restore_remove(const struct restore *r, const char *name)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[4700];
        snprintf(path, sizeof path, "%s/%s%s", r->to, name, tails[i]);
        unlink(path);
    }
}

/* The store's files that are there. Removes them when `remove`. */
static int
restore_there(const struct restore *r, bool remove)
{
    struct dirent **names = NULL;
    int n = scandir(r->to, &names, NULL, alphasort), count = 0;
    for (int i = 0; i < n; i++) {
        if (verify_wanted(names[i]->d_name)) {
            count++;
            if (remove && restore_chosen(r, names[i]->d_name))
                restore_remove(r, names[i]->d_name);
        }
        free(names[i]);
    }
    free(names);
    return count;
}

static int
restore_place(struct restore *r, struct err *err)
{
    int rc = 0;
    restore_there(r, true);
    for (size_t i = 0; !rc && i < r->m.count; i++) {
        const char *name = r->m.files[i].name;
        char a[4700], b[4600];
        snprintf(a, sizeof a, "%s/%s.restoring", r->to, name);
        snprintf(b, sizeof b, "%s/%s", r->to, name);
        if (restore_chosen(r, name) && rename(a, b))
            rc = err_set_errno(err, "cannot make %s", b);
    }
    int fd = open(r->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!rc && (fd < 0 || fsync(fd)))
        rc = err_set_errno(err, "cannot sync %s", r->to);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int
restore_lock(const char *to, int *ret_fd, struct err *err)
{
    char path[4600];
    snprintf(path, sizeof path, "%s/lock", to);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return err_set(err, ERR_STATE, "%s is in use: stop the server first", to);
    }
    *ret_fd = fd;
    return 0;
}

int
store_restore(const char *from, const char *to, const struct store_restore *how, struct err *err)
{
    struct restore r = {.from = from, .to = to, .only = how->only, .watch = how->watch};
    int fd = -1, rc = manifest_read(from, &r.m, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < r.m.count; i++)
        r.total += restore_chosen(&r, r.m.files[i].name) ? 2 * r.m.files[i].bytes : 0;
    if (how->only && !manifest_find(&r.m, how->only))
        rc = err_set(err, ERR_NOTFOUND, "the backup %s holds no %s", from, how->only);
    if (!rc && (rc = file_mkdir(to, 0700, err)) >= 0)
        rc = restore_lock(to, &fd, err);
    if (!rc && !how->only && !how->force && restore_there(&r, false) > 0)
        rc = err_set(err, ERR_EXISTS, "%s holds a store already; --force replaces it by the backup",
                     to);
    if (!rc)
        rc = restore_each(&r, false, err);
    if (!rc)
        rc = restore_each(&r, true, err);
    if (!rc)
        rc = restore_place(&r, err);
    if (fd >= 0)
        close(fd);
    manifest_done(&r.m);
    return rc;
}
