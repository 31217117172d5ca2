/* ui-embed DIST BIN INC: run by make. Puts every file of DIST and DIST/assets into BIN, plain and
 * packed, and a table of them as C into INC. */
#include "base/buf.h"
#include "base/compress.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UI_EMBED_MAX ((size_t)64 << 20)

static const struct {
    const char *ending, *type;
} ui_embed_types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".woff2", "font/woff2"},
    {".webmanifest", "application/manifest+json"},
};

struct ui_embed {
    const char *dist;
    struct buf bytes, rows;
    uint64_t hash;
    size_t count;
};

static const char *
ui_embed_type(const char *name)
{
    for (size_t i = 0; i < sizeof ui_embed_types / sizeof *ui_embed_types; i++)
        if (str_suffix(name, ui_embed_types[i].ending))
            return ui_embed_types[i].type;
    return NULL;
}

static int
ui_embed_file(struct ui_embed *e, const char *name, struct err *err)
{
    char path[4096];
    struct buf text, packed;
    const char *type = ui_embed_type(name);
    if (!type)
        return err_set(err, ERR_UNSUPPORTED, "%s/%s: no content type is known for its ending",
                       e->dist, name);
    snprintf(path, sizeof path, "%s/%s", e->dist, name);
    int rc = file_read(path, UI_EMBED_MAX, &text, err);
    if (rc < 0)
        return rc;
    buf_init(&packed, UI_EMBED_MAX);
    compress_gzip(buf_str(&text), text.len, &packed);
    bool smaller = packed.len && packed.len < text.len;
    uint64_t hash = hash_64(buf_str(&text), text.len, 0);
    size_t at = e->bytes.len, packed_at = at + text.len;
    buf_append(&e->bytes, buf_str(&text), text.len);
    if (smaller)
        buf_append(&e->bytes, buf_str(&packed), packed.len);
    buf_printf(&e->rows, "    {\"%s\", \"%s\", \"\\\"%016llx\\\"\", %zu, %zu, %zu, %zu},\n", name,
               type, (unsigned long long)hash, at, text.len, smaller ? packed_at : 0,
               smaller ? packed.len : 0);
    e->hash = hash_64(name, strlen(name), e->hash ^ hash);
    e->count++;
    buf_done(&packed);
    buf_done(&text);
    return 0;
}

/* Sorted, so that two builds of the same files are the same bytes. */
static int
ui_embed_folder(struct ui_embed *e, const char *folder, struct err *err)
{
    char path[4096], name[512];
    struct dirent **names;
    snprintf(path, sizeof path, "%s/%s", e->dist, folder);
    int n = scandir(path, &names, NULL, alphasort), rc = 0;
    if (n < 0)
        return err_set_errno(err, "%s cannot be listed", path);
    for (int i = 0; i < n; i++) {
        const char *leaf = names[i]->d_name;
        snprintf(name, sizeof name, "%s%s%s", folder, *folder ? "/" : "", leaf);
        if (!rc && *leaf != '.' && strcmp(leaf, "assets") && strcmp(leaf, "carried"))
            rc = ui_embed_file(e, name, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

static int
ui_embed_write(struct ui_embed *e, const char *bin, const char *inc, struct err *err)
{
    struct buf text;
    buf_init(&text, UI_EMBED_MAX);
    buf_printf(&text,
               "/* made by ui-embed */\nconst struct ui_file ui_files[] = {\n%s};\nconst size_t "
               "ui_file_count = %zu;\nconst char ui_files_hash[] = \"%06llx\";\n",
               buf_str(&e->rows), e->count, (unsigned long long)(e->hash & 0xffffff));
    int rc = text.failed || e->bytes.failed
                 ? err_set(err, ERR_LIMIT, "%s is larger than 64 MiB", e->dist)
                 : 0;
    if (!rc)
        rc = file_write_atomic(bin, buf_str(&e->bytes), e->bytes.len, 0644, err);
    if (!rc)
        rc = file_write_atomic(inc, buf_str(&text), text.len, 0644, err);
    buf_done(&text);
    return rc;
}

int
main(int argc, char **argv)
{
    struct err err = {0};
    char text[1024];
    struct ui_embed e = {.dist = argc == 4 ? argv[1] : ""};
    if (argc != 4) {
        fputs("usage: ui-embed DIST BIN INC\n", stderr);
        return 3;
    }
    buf_init(&e.bytes, UI_EMBED_MAX);
    buf_init(&e.rows, UI_EMBED_MAX);
    int rc = ui_embed_folder(&e, "", &err);
    if (!rc)
        rc = ui_embed_folder(&e, "assets", &err);
    if (!rc)
        rc = ui_embed_write(&e, argv[2], argv[3], &err);
    if (rc)
        fprintf(stderr, "ui-embed: %s\n", err_format(&err, text, sizeof text));
    buf_done(&e.bytes);
    buf_done(&e.rows);
    return rc ? 1 : 0;
}
