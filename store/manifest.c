/* manifest: JSON for people, with a checksum over its rows for programs. */
#include "store/manifest.h"

#include "base/compress.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_FORMAT 1
#define MANIFEST_MAX    ((size_t)16 << 20)
#define MANIFEST_PIECE  ((size_t)1 << 20)

void
manifest_done(struct manifest *m)
{
    free(m->files);
    *m = (struct manifest){0};
}

int
manifest_add(struct manifest *m, const struct manifest_file *f)
{
    if (m->count == m->cap) {
        size_t n = m->cap ? m->cap * 2 : 64;
        struct manifest_file *p = realloc(m->files, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        m->files = p;
        m->cap = n;
    }
    m->files[m->count++] = *f;
    return 0;
}

const struct manifest_file *
manifest_find(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->files[i].name, name))
            return &m->files[i];
    return NULL;
}

static uint32_t
manifest_sum(const struct manifest *m)
{
    uint32_t crc = crc32c(0, &m->made_ms, sizeof m->made_ms);
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest_file *f = &m->files[i];
        char row[192];
        int n = snprintf(row, sizeof row, "%s %llu %u %lld %lld\n", f->name,
                         (unsigned long long)f->bytes, f->crc, (long long)f->source_ns,
                         (long long)f->source_size);
        crc = crc32c(crc, row, (size_t)n);
    }
    return crc;
}

int
manifest_write(const struct manifest *m, const char *folder, struct err *err)
{
    struct buf b;
    struct jsonw w;
    char path[4200];
    buf_init(&b, MANIFEST_MAX);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kint(&w, "format", MANIFEST_FORMAT);
    jsonw_ktime(&w, "made", m->made_ms);
    jsonw_kint(&w, "made_ms", m->made_ms);
    jsonw_key(&w, "files");
    jsonw_array(&w);
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest_file *f = &m->files[i];
        jsonw_object(&w);
        jsonw_kstr(&w, "name", f->name);
        jsonw_kint(&w, "bytes", (int64_t)f->bytes);
        jsonw_kint(&w, "crc32c", f->crc);
        jsonw_kint(&w, "source_ns", f->source_ns);
        jsonw_kint(&w, "source_size", f->source_size);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_kint(&w, "crc32c", manifest_sum(m));
    jsonw_end_object(&w);
    snprintf(path, sizeof path, "%s/" MANIFEST_NAME, folder);
    int rc = b.failed ? err_set(err, ERR_NOMEM, "no memory for the manifest")
                      : file_write_atomic(path, b.data, b.len, 0600, err);
    buf_done(&b);
    return rc;
}

static int
manifest_parse(const struct doc *d, const char *path, struct manifest *ret, struct err *err)
{
    const struct doc_node *root = doc_root(d), *files = doc_get(root, "files");
    int rc = 0;
    if (doc_get_int(root, "format", 0) > MANIFEST_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "%s was written by a newer program", path);
    ret->made_ms = doc_get_int(root, "made_ms", 0);
    for (const struct doc_node *n = files ? files->first : NULL; !rc && n; n = n->next) {
        struct manifest_file f = {.bytes = (uint64_t)doc_get_int(n, "bytes", 0),
                                  .crc = (uint32_t)doc_get_int(n, "crc32c", 0),
                                  .source_ns = doc_get_int(n, "source_ns", 0),
                                  .source_size = doc_get_int(n, "source_size", 0)};
        const char *name = doc_get_str(n, "name", "");
        if (!*name || strlen(name) >= sizeof f.name || strchr(name, '/'))
            return err_set(err, ERR_CORRUPT, "%s names no file", path);
        str_copy(f.name, sizeof f.name, name);
        rc = manifest_add(ret, &f);
    }
    if (rc)
        return err_set(err, rc, "out of memory");
    if (doc_get_int(root, "crc32c", -1) != (int64_t)manifest_sum(ret))
        return err_set(err, ERR_CORRUPT, "%s was changed since it was written", path);
    return 0;
}

int
manifest_read(const char *folder, struct manifest *ret, struct err *err)
{
    struct manifest m = {0};
    struct doc *d = NULL;
    struct buf b;
    char path[4200];
    snprintf(path, sizeof path, "%s/" MANIFEST_NAME, folder);
    if (!file_exists(path))
        return err_set(err, ERR_NOTFOUND, "%s holds no whole backup: it has no " MANIFEST_NAME,
                       folder);
    int rc = file_read(path, MANIFEST_MAX, &b, err);
    if (!rc)
        rc = doc_parse_json(buf_str(&b), b.len, path, &d, err);
    if (!rc)
        rc = manifest_parse(d, path, &m, err);
    doc_free(d);
    buf_done(&b);
    if (rc)
        manifest_done(&m);
    else
        *ret = m;
    return rc;
}

int
manifest_copy(const char *from, const char *to, void (*step)(void *, uint64_t), void *ctx,
              uint64_t *ret_bytes, uint32_t *ret_crc, struct err *err)
{
    char *piece = malloc(MANIFEST_PIECE);
    int in = open(from, O_RDONLY | O_CLOEXEC), rc = 0, out = -1;
    uint64_t bytes = 0;
    uint32_t crc = 0;
    ssize_t n = 0;
    if (!piece || in < 0)
        rc = piece ? err_set_errno(err, "cannot read %s", from)
                   : err_set(err, ERR_NOMEM, "out of memory");
    else if (to && (out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        rc = err_set_errno(err, "cannot make %s", to);
    while (!rc && (n = read(in, piece, MANIFEST_PIECE)) > 0) {
        crc = crc32c(crc, piece, (size_t)n);
        bytes += (uint64_t)n;
        for (ssize_t at = 0, w = 0; out >= 0 && !rc && at < n; at += w)
            if ((w = write(out, piece + at, (size_t)(n - at))) < 0)
                rc = err_set_errno(err, "cannot write %s", to);
        if (step)
            step(ctx, (uint64_t)n);
    }
    if (!rc && n < 0)
        rc = err_set_errno(err, "cannot read %s", from);
    if (out >= 0 && fsync(out) && !rc)
        rc = err_set_errno(err, "cannot sync %s", to);
    if (out >= 0)
        close(out);
    if (in >= 0)
        close(in);
    free(piece);
    *ret_bytes = bytes;
    *ret_crc = crc;
    return rc;
}
