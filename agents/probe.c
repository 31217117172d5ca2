/* probe: reading below a root. Some hundred small files a collection; nothing is kept open. */
#include "agents/probe.h"

#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROBE_TEXT_MAX  ((size_t)8 << 20)
#define PROBE_NAMES_MAX 4096u
#define PROBE_LINE_MAX  8192u

int
probe_init(struct probe *p, const char *root, const char *node, struct err *err)
{
    memset(p, 0, sizeof *p);
    p->live = !*root;
    p->node = node;
    p->nvml = "libnvidia-ml.so.1";
    p->dcmi = "libdcmi.so";
    buf_init(&p->text, PROBE_TEXT_MAX);
    p->root = open(*root ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0)
        return err_set_errno(err, "cannot open the folder %s", root);
    return 0;
}

void
probe_done(struct probe *p)
{
    buf_done(&p->text);
    if (p->root > 0)
        close(p->root);
    p->root = 0;
}

int
probe_open(const struct probe *p, const char *path, int flags)
{
    if (p->live)
        return openat(p->root, path, flags | O_CLOEXEC);
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT};
    return (int)syscall(SYS_openat2, p->root, path, &how, sizeof how);
}

static int
probe_vopen(const struct probe *p, int flags, const char *fmt, va_list ap)
{
    char path[1024];
    int n = vsnprintf(path, sizeof path, fmt, ap);
    if (n < 0 || (size_t)n >= sizeof path)
        return -1;
    return probe_open(p, path, flags);
}

const char *
probe_read(struct probe *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int fd = probe_vopen(p, O_RDONLY | O_NONBLOCK, fmt, ap);
    va_end(ap);
    if (fd < 0)
        return NULL;
    ssize_t n = 1;
    buf_reset(&p->text);
    while (n > 0 && !buf_reserve(&p->text, 16384)) {
        n = read(fd, p->text.data + p->text.len, 16383);
        if (n > 0)
            p->text.len += (size_t)n;
    }
    close(fd);
    if (n)
        return NULL;
    p->text.data[p->text.len] = 0;
    return p->text.data;
}

bool
probe_each(struct probe *p, const char *path, void (*line)(void *ctx, char *text), void *ctx)
{
    char part[PROBE_LINE_MAX + 1];
    size_t have = 0;
    bool cut = false; /* the rest of a long line is passed over */
    ssize_t n;
    int fd = probe_open(p, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return false;
    while ((n = read(fd, part + have, PROBE_LINE_MAX - have)) > 0) {
        char *at = part, *end;
        have += (size_t)n;
        while ((end = memchr(at, '\n', have - (size_t)(at - part)))) {
            *end = 0;
            if (!cut)
                line(ctx, at);
            cut = false;
            at = end + 1;
        }
        have -= (size_t)(at - part);
        memmove(part, at, have);
        if (have < PROBE_LINE_MAX)
            continue;
        part[have] = 0;
        if (!cut)
            line(ctx, part);
        cut = true;
        have = 0;
    }
    close(fd);
    return true;
}

static const char *
probe_vword(struct probe *p, const char *fmt, va_list ap)
{
    p->word[0] = 0;
    int fd = probe_vopen(p, O_RDONLY | O_NONBLOCK, fmt, ap);
    if (fd < 0)
        return p->word;
    ssize_t n = read(fd, p->word, sizeof p->word - 1);
    close(fd);
    while (n > 0 && isspace((unsigned char)p->word[n - 1]))
        n--;
    p->word[n > 0 ? n : 0] = 0;
    const char *word = p->word;
    while (isspace((unsigned char)*word))
        word++;
    return word;
}

const char *
probe_word(struct probe *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *word = probe_vword(p, fmt, ap);
    va_end(ap);
    return word;
}

bool
probe_number(struct probe *p, double *ret, const char *fmt, ...)
{
    va_list ap;
    char *end;
    va_start(ap, fmt);
    const char *word = probe_vword(p, fmt, ap);
    va_end(ap);
    double v = strtod(word, &end);
    if (end == word)
        return false;
    *ret = v;
    return true;
}

const char *
probe_target(struct probe *p, const char *fmt, ...)
{
    char path[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    p->word[0] = 0;
    if (n < 0 || (size_t)n >= sizeof path)
        return p->word;
    int fd = probe_open(p, path, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return p->word;
    ssize_t len = readlinkat(fd, "", p->word, sizeof p->word - 1);
    close(fd);
    p->word[len > 0 ? len : 0] = 0;
    return p->word;
}

const char *
probe_link(struct probe *p, const char *fmt, ...)
{
    char path[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof path)
        return "";
    const char *target = probe_target(p, "%s", path), *slash = strrchr(target, '/');
    return slash ? slash + 1 : target;
}

bool
probe_asleep(struct probe *p, const char *fmt, ...)
{
    char path[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    return str_prefix(probe_word(p, "%s/power/runtime_status", path), "suspend");
}

static int
probe_names_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t
probe_list(struct probe *p, struct probe_names *ret, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int fd = probe_vopen(p, O_RDONLY | O_DIRECTORY, fmt, ap);
    va_end(ap);
    memset(ret, 0, sizeof *ret);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return 0;
    for (struct dirent *e; (e = readdir(dir)) && ret->count < PROBE_NAMES_MAX;) {
        if (e->d_name[0] == '.')
            continue;
        if (!(ret->count & (ret->count - 1))) {
            char **at = realloc(ret->at, (ret->count ? ret->count * 2 : 1) * sizeof *at);
            if (!at)
                break;
            ret->at = at;
        }
        if (!(ret->at[ret->count] = strdup(e->d_name)))
            break;
        ret->count++;
    }
    closedir(dir);
    if (ret->count)
        qsort(ret->at, ret->count, sizeof *ret->at, probe_names_compare);
    return ret->count;
}

void
probe_names_done(struct probe_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->at[i]);
    free(n->at);
    memset(n, 0, sizeof *n);
}

size_t
probe_fields(char *line, char **fields, size_t max)
{
    size_t n = 0;
    while (n < max) {
        while (*line == ' ' || *line == '\t')
            line++;
        if (!*line)
            break;
        fields[n++] = line;
        while (*line && *line != ' ' && *line != '\t')
            line++;
        if (*line)
            *line++ = 0;
    }
    return n;
}

char *
probe_line(char **text)
{
    char *line = *text;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    if (end)
        *end++ = 0;
    *text = end ? end : line + strlen(line);
    return line;
}
