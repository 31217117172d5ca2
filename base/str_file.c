/* str (files): whole files in and out, folders, randomness. A file is replaced by rename, so that a
 * reader or a power cut sees the old content or the new, never a part. */
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int
file_read_fd(int fd, const char *path, struct buf *b, struct err *err)
{
    for (;;) {
        char block[16384];
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, "cannot read %s", path);
        if (!n)
            return 0;
        int rc = buf_append(b, block, (size_t)n);
        if (rc)
            return err_set(err, rc, "%s is larger than %zu bytes", path, b->max);
    }
}

int
file_read(const char *path, size_t max, struct buf *ret, struct err *err)
{
    buf_init(ret, max);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s", path);
    int rc = file_read_fd(fd, path, ret, err);
    close(fd);
    if (rc)
        buf_done(ret);
    return rc;
}

static int
file_write_fd(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The rename itself must survive power loss: the folder is synced too. */
static int
file_sync_folder(const char *path)
{
    char folder[4096];
    str_copy(folder, sizeof folder, path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    int rc = fsync(fd) && errno != EINVAL ? ERR_IO : 0;
    close(fd);
    return rc;
}

int
file_write_atomic(const char *path, const void *data, size_t len, unsigned mode, struct err *err)
{
    char tmp[4096];
    int rc = 0;
    if ((size_t)snprintf(tmp, sizeof tmp, "%s.XXXXXX", path) >= sizeof tmp)
        return err_set(err, ERR_RANGE, "the path %.64s... is too long", path);
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, "cannot write beside %s", path);
    if (file_write_fd(fd, data, len) || fchmod(fd, (mode_t)mode) || fsync(fd))
        rc = err_set_errno(err, "cannot write %s", path);
    if (close(fd) && !rc)
        rc = err_set_errno(err, "cannot write %s", path);
    if (!rc && (rename(tmp, path) || file_sync_folder(path)))
        rc = err_set_errno(err, "cannot replace %s", path);
    if (rc)
        unlink(tmp);
    return rc;
}

/* Makes one folder; an existing one that is wider than `mode` is tightened when it is the last. */
static int
file_mkdir_one(const char *path, unsigned mode, bool last, struct err *err)
{
    struct stat st;
    if (!mkdir(path, (mode_t)mode))
        return 0;
    if (errno != EEXIST)
        return err_set_errno(err, "cannot make the folder %s", path);
    if (stat(path, &st))
        return err_set_errno(err, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_EXISTS, "%s exists and is not a folder", path);
    if (last && (st.st_mode & 0777 & ~mode) && chmod(path, st.st_mode & (mode_t)(mode | 07000)))
        return err_set_errno(err, "cannot tighten the folder %s", path);
    return 0;
}

int
file_mkdir(const char *path, unsigned mode, struct err *err)
{
    char part[4096];
    size_t n = str_copy(part, sizeof part, path);
    if (!n || n >= sizeof part)
        return err_set(err, ERR_RANGE, "not a usable path: '%.64s'", path);
    while (n > 1 && part[n - 1] == '/')
        part[--n] = 0;
    for (size_t i = 1; i < n; i++) {
        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = 0;
        int rc = file_mkdir_one(part, mode, false, err);
        part[i] = '/';
        if (rc)
            return rc;
    }
    return file_mkdir_one(part, mode, true, err);
}

bool
file_exists(const char *path)
{
    return !access(path, F_OK);
}

int
file_random(void *out, size_t len)
{
    for (char *p = out; len;) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}
