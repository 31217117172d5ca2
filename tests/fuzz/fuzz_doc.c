/* fuzz_doc: hostile JSON and YAML. What is accepted obeys the promises of doc.h, and JSON written
 * from it reads back as the same tree. */
#include "base/doc.h"
#include "base/jsonw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_node(struct jsonw *w, const struct doc_node *n, unsigned depth)
{
    if (depth > 64)
        abort();
    if (n->key)
        jsonw_key(w, n->key);
    size_t count = 0;
    switch (n->kind) {
    case DOC_NULL:
        jsonw_null(w);
        return;
    case DOC_BOOL:
        jsonw_bool(w, n->v.b);
        return;
    case DOC_INT:
        jsonw_int(w, n->v.i);
        return;
    case DOC_REAL:
        jsonw_real(w, n->v.r);
        return;
    case DOC_STR:
        if (strlen(n->str) != n->len)
            abort();
        jsonw_strn(w, n->str, n->len);
        return;
    case DOC_SEQ:
    case DOC_MAP:
        break;
    }
    if (n->kind == DOC_SEQ)
        jsonw_array(w);
    else
        jsonw_object(w);
    for (const struct doc_node *c = n->first; c; c = c->next, count++) {
        if ((n->kind == DOC_MAP) != (c->key != NULL) || doc_at(n, count) != c)
            abort();
        write_node(w, c, depth + 1);
    }
    if (count != n->count)
        abort();
    if (n->kind == DOC_SEQ)
        jsonw_end_array(w);
    else
        jsonw_end_object(w);
}

static bool
same(const struct doc_node *a, const struct doc_node *b)
{
    if (a->kind ==
        DOC_REAL) /* integral ones are written as integers, those that are none as null */
        return !isfinite(a->v.r) || doc_real(b, NAN) == a->v.r;
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == DOC_STR && strcmp(a->str, b->str) != 0)
        return false;
    if ((a->kind == DOC_INT && a->v.i != b->v.i) || (a->kind == DOC_BOOL && a->v.b != b->v.b))
        return false;
    for (a = a->first, b = b->first; a; a = a->next, b = b->next)
        if ((a->key && strcmp(a->key, b->key) != 0) || !same(a, b))
            return false;
    return true;
}

static void
check(const struct doc *d)
{
    struct buf b;
    struct jsonw w;
    struct doc *again;
    buf_init(&b, 64 << 20);
    jsonw_init(&w, &b);
    write_node(&w, doc_root(d), 0);
    /* The tree may be one level deeper than the writer goes, and a name that is no UTF-8 is mended.
     */
    if (!b.failed) {
        if (doc_parse_json(buf_str(&b), b.len, "again", &again, NULL))
            abort();
        if (!same(doc_root(d), doc_root(again)))
            abort();
        doc_free(again);
    }
    buf_done(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const parse[])(const char *, size_t, const char *, struct doc **,
                                struct err *) = {doc_parse_json, doc_parse_yaml, doc_parse_any};
    if (!size || size > 1 << 16)
        return 0;
    struct doc *d = NULL;
    struct err err = {0};
    int rc = parse[data[0] % 3]((const char *)data + 1, size - 1, "fuzz", &d, &err);
    if ((rc != 0) != (d == NULL) || (rc && (err.code != rc || !err.text[0])))
        abort();
    if (!rc)
        check(d);
    doc_free(d);
    return 0;
}
