/* spool: in the ordinary case empty; after a day without server some 6,000 files of 20 KB. Always
 * true: `at[head..count)` are the files there are, in order. */
#include "agents/spool.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_BATCH_MAX   ((size_t)17 << 20)
#define SPOOL_FILES_MAX   200000u
#define SPOOL_REFUSED_MAX 32u

struct spool_file {
    struct spool_key key;
    int64_t size;
};

struct spool {
    char *dir;
    int64_t keep_ms, max_bytes, bytes;
    struct spool_file *at;
    size_t head, count, cap;
    unsigned refused;
};

static void
spool_path(const struct spool *s, const struct spool_key *k, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%020" PRIu64 "-%012" PRIu64 "-%014" PRId64 "-%" PRIu32 ".batch",
             s->dir, k->epoch, k->sequence, k->sent_ms, k->records);
}

static int
spool_add(struct spool *s, const struct spool_key *key, int64_t size)
{
    if (s->count == s->cap) {
        if (s->head) {
            memmove(s->at, s->at + s->head, (s->count - s->head) * sizeof *s->at);
            s->count -= s->head;
            s->head = 0;
        }
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct spool_file *at = s->count < s->cap       ? s->at
                                : cap > SPOOL_FILES_MAX ? NULL
                                                        : realloc(s->at, cap * sizeof *at);
        if (!at)
            return ERR_LIMIT;
        s->cap = s->count < s->cap ? s->cap : cap;
        s->at = at;
    }
    s->at[s->count++] = (struct spool_file){*key, size};
    s->bytes += size;
    return 0;
}

static int
spool_compare(const void *a, const void *b)
{
    const struct spool_key *x = &((const struct spool_file *)a)->key;
    const struct spool_key *y = &((const struct spool_file *)b)->key;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int
spool_scan(struct spool *s, struct err *err)
{
    DIR *dir = opendir(s->dir);
    if (!dir)
        return err_set_errno(err, "cannot read the spool %s", s->dir);
    int rc = 0;
    for (struct dirent *e; !rc && (e = readdir(dir));) {
        struct spool_key k;
        struct stat st;
        if (!str_suffix(e->d_name, ".batch") ||
            sscanf(e->d_name, "%" SCNu64 "-%" SCNu64 "-%" SCNd64 "-%" SCNu32, &k.epoch, &k.sequence,
                   &k.sent_ms, &k.records) != 4 ||
            fstatat(dirfd(dir), e->d_name, &st, 0))
            continue;
        rc = spool_add(s, &k, st.st_size);
    }
    closedir(dir);
    if (s->count)
        qsort(s->at, s->count, sizeof *s->at, spool_compare);
    return rc ? err_set(err, rc, "the spool %s holds too many files", s->dir) : 0;
}

static int64_t
spool_mark(const struct spool *s, struct err *err)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/open", s->dir);
    int64_t was = stat(path, &st) ? 0 : (int64_t)st.st_mtim.tv_sec * 1000;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, "cannot write to the spool %s", s->dir);
    futimens(fd, NULL);
    close(fd);
    return was;
}

int
spool_open(const char *dir, int64_t keep_ms, int64_t max_bytes, struct spool **ret,
           int64_t *ret_unclean_ms, struct err *err)
{
    int rc = file_mkdir(dir, 0700, err);
    if (rc)
        return rc;
    struct spool *s = calloc(1, sizeof *s);
    if (!s || !(s->dir = strdup(dir))) {
        free(s);
        return err_set(err, ERR_NOMEM, "no memory for the spool");
    }
    s->keep_ms = keep_ms;
    s->max_bytes = max_bytes;
    rc = spool_scan(s, err);
    int64_t was = rc ? rc : spool_mark(s, err);
    if (was < 0) {
        spool_close(s, 0);
        return (int)was;
    }
    *ret_unclean_ms = was;
    *ret = s;
    return 0;
}

uint64_t
spool_last_epoch(const struct spool *s)
{
    return s->count > s->head ? s->at[s->count - 1].key.epoch : 0;
}

size_t
spool_count(const struct spool *s)
{
    return s->count - s->head;
}

int
spool_put(struct spool *s, const struct spool_key *key, const void *data, size_t len,
          struct err *err)
{
    char path[PATH_MAX];
    spool_path(s, key, path);
    int rc = file_write_atomic(path, data, len, 0600, err);
    if (rc)
        return rc;
    rc = spool_add(s, key, (int64_t)len);
    if (rc) {
        unlink(path);
        return err_set(err, rc, "the spool %s holds too many batches", s->dir);
    }
    return 0;
}

static void
spool_forget(struct spool *s)
{
    s->bytes -= s->at[s->head].size;
    if (++s->head == s->count)
        s->head = s->count = 0;
}

int
spool_peek(struct spool *s, struct spool_key *ret_key, struct buf *ret, struct err *err)
{
    char path[PATH_MAX];
    if (!spool_count(s))
        return ERR_NOTFOUND;
    spool_path(s, &s->at[s->head].key, path);
    int rc = file_read(path, SPOOL_BATCH_MAX, ret, err);
    if (rc)
        spool_forget(s);
    else
        *ret_key = s->at[s->head].key;
    return rc;
}

static bool
spool_is_head(const struct spool *s, const struct spool_key *key)
{
    return spool_count(s) && s->at[s->head].key.epoch == key->epoch &&
           s->at[s->head].key.sequence == key->sequence;
}

void
spool_drop(struct spool *s, const struct spool_key *key)
{
    char path[PATH_MAX];
    if (!spool_is_head(s, key))
        return;
    spool_path(s, &s->at[s->head].key, path);
    unlink(path);
    spool_forget(s);
}

void
spool_quarantine(struct spool *s, const struct spool_key *key)
{
    char path[PATH_MAX], to[PATH_MAX];
    if (!spool_is_head(s, key))
        return;
    if (s->refused++ >= SPOOL_REFUSED_MAX) {
        spool_drop(s, key);
        return;
    }
    snprintf(to, sizeof to, "%.3000s/refused", s->dir);
    mkdir(to, 0700);
    spool_path(s, key, path);
    snprintf(to, sizeof to, "%.3000s/refused%s", s->dir, strrchr(path, '/'));
    if (rename(path, to))
        unlink(path);
    spool_forget(s);
}

uint64_t
spool_trim(struct spool *s, int64_t now_ms, struct gap *ret_gap)
{
    uint64_t lost = 0;
    while (spool_count(s)) {
        struct spool_key k = s->at[s->head].key;
        if (s->bytes <= s->max_bytes && k.sent_ms > now_ms - s->keep_ms)
            break;
        if (!lost)
            ret_gap->from_ms = k.sent_ms;
        ret_gap->to_ms = k.sent_ms;
        lost += k.records ? k.records : 1;
        spool_drop(s, &k);
    }
    return lost;
}

void
spool_alive(struct spool *s)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/open", s->dir);
    utimensat(AT_FDCWD, path, NULL, 0);
}

void
spool_close(struct spool *s, int clean)
{
    char path[PATH_MAX];
    if (!s)
        return;
    snprintf(path, sizeof path, "%s/open", s->dir);
    if (clean)
        unlink(path);
    free(s->at);
    free(s->dir);
    free(s);
}
