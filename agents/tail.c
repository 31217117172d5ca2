/* tail: twice a second one fstat and one stat a file. Always true: `part` is the begin of a line
 * whose end has not been read. */
#include "agents/tail.h"

#include "base/buf.h"
#include "base/str.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_FILES_MAX 1024u
#define TAIL_LINE_MAX  ((size_t)64 << 10)
#define TAIL_GLOB_MS   10000

struct tail_file {
    char *path;
    int fd;
    dev_t dev;
    ino_t ino;
    off_t at;
    struct buf part;
    bool cut; /* the rest of an overlong line is passed over */
};

struct tail {
    const struct conf_strs *patterns;
    tail_line *cb;
    void *ctx;
    struct tail_file *files;
    size_t count;
    int64_t next_ms;
    bool started;
};

struct tail *
tail_new(const struct conf_strs *patterns, tail_line *cb, void *ctx)
{
    struct tail *t = calloc(1, sizeof *t);
    if (!t || !(t->files = calloc(TAIL_FILES_MAX, sizeof *t->files))) {
        free(t);
        return NULL;
    }
    t->patterns = patterns;
    t->cb = cb;
    t->ctx = ctx;
    return t;
}

static bool
tail_open(struct tail_file *f, bool end)
{
    struct stat st;
    f->fd = open(f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (f->fd >= 0 && (fstat(f->fd, &st) || !S_ISREG(st.st_mode))) {
        close(f->fd);
        f->fd = -1;
    }
    if (f->fd < 0)
        return false;
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    f->at = end ? st.st_size : 0;
    f->cut = false;
    buf_reset(&f->part);
    return true;
}

static void
tail_add(struct tail *t, const char *path)
{
    struct tail_file *f = &t->files[t->count];
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->files[i].path, path))
            return;
    if (t->count == TAIL_FILES_MAX || !(f->path = strdup(path)))
        return;
    buf_init(&f->part, TAIL_LINE_MAX + 1);
    if (tail_open(f, !t->started)) {
        t->count++;
        return;
    }
    free(f->path);
    f->path = NULL;
}

static void
tail_close(struct tail *t, size_t i)
{
    struct tail_file *f = &t->files[i];
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    buf_done(&f->part);
    *f = t->files[--t->count];
    memset(&t->files[t->count], 0, sizeof *f);
}

static void
tail_look(struct tail *t)
{
    for (size_t i = 0; i < t->patterns->count; i++) {
        glob_t g;
        if (glob(t->patterns->at[i], GLOB_NOSORT, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc; k++)
                tail_add(t, g.gl_pathv[k]);
            globfree(&g);
        }
    }
    t->started = true;
}

static void
tail_emit(struct tail *t, struct tail_file *f)
{
    if (f->part.len && f->part.data[f->part.len - 1] == '\r')
        f->part.data[--f->part.len] = 0;
    if (f->part.len)
        t->cb(t->ctx, f->path, f->part.data, f->part.len);
    buf_reset(&f->part);
}

static void
tail_feed(struct tail *t, struct tail_file *f, const char *data, size_t len)
{
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len, room = TAIL_LINE_MAX - f->part.len;
        if (!f->cut)
            buf_append(&f->part, data, n < room ? n : room);
        if (!f->cut && n > room) { /* what fits is a line; the rest is passed over */
            tail_emit(t, f);
            f->cut = true;
        }
        if (end && !f->cut)
            tail_emit(t, f);
        if (end)
            f->cut = false;
        n += end != NULL;
        data += n;
        len -= n;
    }
}

static void
tail_drain(struct tail *t, struct tail_file *f, size_t max)
{
    char data[16384];
    ssize_t n = 1;
    while (max && n > 0) {
        n = pread(f->fd, data, sizeof data < max ? sizeof data : max, f->at);
        if (n <= 0)
            break;
        f->at += n;
        max -= (size_t)n;
        tail_feed(t, f, data, (size_t)n);
    }
}

/* false: the file is gone. */
static bool
tail_file(struct tail *t, struct tail_file *f, size_t max)
{
    struct stat st, named;
    if (fstat(f->fd, &st))
        return false;
    if (st.st_size < f->at) { /* truncated in place */
        f->at = 0;
        buf_reset(&f->part);
    }
    if (st.st_size > f->at) {
        tail_drain(t, f, max);
        return true;
    }
    if (stat(f->path, &named))
        return false;
    if (named.st_ino != f->ino || named.st_dev != f->dev) { /* rotated: the old one is read out */
        if (f->part.len)
            tail_emit(t, f);
        close(f->fd);
        return tail_open(f, false);
    }
    return true;
}

void
tail_read(struct tail *t, int64_t now_ms, size_t max)
{
    if (now_ms >= t->next_ms || now_ms < t->next_ms - TAIL_GLOB_MS) {
        t->next_ms = now_ms + TAIL_GLOB_MS;
        tail_look(t);
    }
    for (size_t i = t->count; i-- > 0;)
        if (!tail_file(t, &t->files[i], max))
            tail_close(t, i);
}

void
tail_free(struct tail *t)
{
    if (!t)
        return;
    while (t->count)
        tail_close(t, t->count - 1);
    free(t->files);
    free(t);
}
