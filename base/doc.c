/* doc: the tree itself: how it is built under its limits, and how it is read.
 *
 * Expected load: configurations and topologies of a few megabytes, and job documents of a kilobyte,
 * hundreds a second. Everything of a document lies in one arena and goes at once. */
#include "base/doc.h"

#include "base/doc_build.h"
#include "base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nodes of the largest document and its text. */
#define DOC_MEMORY_MAX ((size_t)DOC_NODES_MAX * (sizeof(struct doc_node) + 48) + DOC_TEXT_MAX)
/* Below this many members comparing all pairs is faster than hashing. */
#define DOC_PAIRS_MAX 12u

int
doc_new(size_t text_len, const char *name, struct doc **ret_doc, struct err *err)
{
    if (text_len > DOC_TEXT_MAX) {
        err_set(err, ERR_LIMIT, "the text is larger than %u MiB", DOC_TEXT_MAX >> 20);
        err_at(err, name, 0, 0);
        return ERR_LIMIT;
    }
    struct doc *d = calloc(1, sizeof *d);
    if (d && (d->arena = arena_new(DOC_MEMORY_MAX)))
        d->name = arena_str(d->arena, name ? name : "", name ? strlen(name) : 0);
    if (!d || !d->name) {
        doc_free(d);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret_doc = d;
    return 0;
}

void
doc_free(struct doc *d)
{
    if (!d)
        return;
    arena_free(d->arena);
    free(d);
}

int
doc_node_add(struct doc *d, struct doc_node *parent, struct doc_node **tail,
             struct doc_node **ret_node, struct err *err)
{
    if (d->nodes >= DOC_NODES_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %u nodes", DOC_NODES_MAX);
    struct doc_node *n = arena_alloc(d->arena, sizeof *n);
    if (!n)
        return err_set(err, ERR_NOMEM, "out of memory");
    d->nodes++;
    if (!parent) {
        d->root = n;
    } else {
        if (*tail)
            (*tail)->next = n;
        else
            parent->first = n;
        *tail = n;
        parent->count++;
    }
    *ret_node = n;
    return 0;
}

int
doc_text_add(struct doc *d, const char *s, size_t len, const char **ret_text, struct err *err)
{
    if (len && memchr(s, 0, len))
        return err_set(err, ERR_SYNTAX, "a text holds a zero byte");
    char *text = arena_str(d->arena, s, len);
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_text = text;
    return 0;
}

static int
doc_key_twice(const struct doc *d, const struct doc_node *n, struct err *err)
{
    err_set(err, ERR_SYNTAX, "the key '%.64s' stands here twice", n->key);
    err_at(err, d->name, n->key_line, n->key_column);
    return ERR_SYNTAX;
}

static int
doc_map_close_large(const struct doc *d, const struct doc_node *map, struct err *err)
{
    struct map *seen = map_new(map->count);
    int rc = seen ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    for (const struct doc_node *n = map->first; n && !rc; n = n->next) {
        size_t len = strlen(n->key);
        if (map_get(seen, n->key, len))
            rc = doc_key_twice(d, n, err);
        else if (map_set(seen, n->key, len, seen, NULL))
            rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    map_free(seen, NULL);
    return rc;
}

int
doc_map_close(const struct doc *d, const struct doc_node *map, struct err *err)
{
    if (map->count > DOC_PAIRS_MAX)
        return doc_map_close_large(d, map, err);
    for (const struct doc_node *a = map->first; a; a = a->next)
        for (const struct doc_node *b = a->next; b; b = b->next)
            if (!strcmp(a->key, b->key))
                return doc_key_twice(d, b, err);
    return 0;
}

int
doc_parse_any(const char *text, size_t len, const char *name, struct doc **ret_doc, struct err *err)
{
    size_t i = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
    size_t start = i;
    while (i < len && strchr(" \t\r\n", text[i]) && text[i])
        i++;
    if (i < len && (text[i] == '{' || text[i] == '['))
        return doc_parse_json(text + start, len - start, name, ret_doc, err);
    return doc_parse_yaml(text, len, name, ret_doc, err);
}

int
doc_load_yaml(const char *path, struct doc **ret_doc, struct err *err)
{
    struct buf text;
    int rc = file_read(path, DOC_TEXT_MAX, &text, err);
    if (rc)
        return rc;
    rc = doc_parse_yaml(buf_str(&text), text.len, path, ret_doc, err);
    buf_done(&text);
    return rc;
}

const struct doc_node *
doc_root(const struct doc *d)
{
    return d ? d->root : NULL;
}

const char *
doc_name(const struct doc *d)
{
    return d ? d->name : "";
}

const struct doc_node *
doc_get(const struct doc_node *map, const char *key)
{
    if (!map || map->kind != DOC_MAP)
        return NULL;
    for (const struct doc_node *n = map->first; n; n = n->next)
        if (!strcmp(n->key, key))
            return n;
    return NULL;
}

const struct doc_node *
doc_at(const struct doc_node *seq, size_t i)
{
    if (!seq || (seq->kind != DOC_SEQ && seq->kind != DOC_MAP))
        return NULL;
    const struct doc_node *n = seq->first;
    while (n && i--)
        n = n->next;
    return n;
}

const char *
doc_str(const struct doc_node *n, const char *dflt)
{
    return n && n->str && n->kind != DOC_NULL ? n->str : dflt;
}

const char *
doc_get_str(const struct doc_node *map, const char *key, const char *dflt)
{
    return doc_str(doc_get(map, key), dflt);
}

int64_t
doc_int(const struct doc_node *n, int64_t dflt)
{
    if (!n)
        return dflt;
    if (n->kind == DOC_INT)
        return n->v.i;
    /* 2^63 is exact as a double; from there on nothing fits. */
    if (n->kind == DOC_REAL && n->v.r >= -0x1p63 && n->v.r < 0x1p63 && floor(n->v.r) == n->v.r)
        return (int64_t)n->v.r;
    return dflt;
}

int64_t
doc_get_int(const struct doc_node *map, const char *key, int64_t dflt)
{
    return doc_int(doc_get(map, key), dflt);
}

double
doc_real(const struct doc_node *n, double dflt)
{
    if (!n)
        return dflt;
    return n->kind == DOC_REAL ? n->v.r : n->kind == DOC_INT ? (double)n->v.i : dflt;
}

double
doc_get_real(const struct doc_node *map, const char *key, double dflt)
{
    return doc_real(doc_get(map, key), dflt);
}

bool
doc_bool(const struct doc_node *n, bool dflt)
{
    return n && n->kind == DOC_BOOL ? n->v.b : dflt;
}

bool
doc_get_bool(const struct doc_node *map, const char *key, bool dflt)
{
    return doc_bool(doc_get(map, key), dflt);
}

int
doc_err(const struct doc *d, const struct doc_node *n, struct err *err, int code, const char *fmt,
        ...)
{
    if (err) {
        char text[sizeof err->text];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        err_set(err, code, "%s", text);
        err_at(err, doc_name(d), n ? n->line : 0, n ? n->column : 0);
    }
    return code;
}

int
doc_only(const struct doc *d, const struct doc_node *map, const char *const *known, struct err *err)
{
    for (const struct doc_node *n = map && map->kind == DOC_MAP ? map->first : NULL; n;
         n = n->next) {
        const char *const *k = known;
        while (*k && strcmp(*k, n->key))
            k++;
        if (*k)
            continue;
        const char *near = str_nearest(n->key, known);
        err_set(err, ERR_SYNTAX, "unknown key '%.64s'%s%s%s", n->key,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        err_at(err, doc_name(d), n->key_line, n->key_column);
        return ERR_SYNTAX;
    }
    return 0;
}
