/* doc (JSON): jansson reads, this file copies its values into the tree, so that one kind of tree
 * serves both languages. Members keep the order of the text. */
#include "base/doc_build.h"

#include "base/str.h"

#include <jansson.h>
#include <string.h>

static int doc_json_children(struct doc *d, struct doc_node *n, json_t *v, unsigned depth,
                             struct err *err);

static int
doc_json_value(struct doc *d, struct doc_node *n, json_t *v, unsigned depth, struct err *err)
{
    switch (json_typeof(v)) {
    case JSON_NULL:
        n->kind = DOC_NULL;
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        n->kind = DOC_BOOL;
        n->v.b = json_is_true(v);
        return 0;
    case JSON_INTEGER:
        n->kind = DOC_INT;
        n->v.i = json_integer_value(v);
        return 0;
    case JSON_REAL:
        n->kind = DOC_REAL;
        n->v.r = json_real_value(v);
        return 0;
    case JSON_STRING:
        n->kind = DOC_STR;
        n->quoted = true;
        n->len = json_string_length(v);
        return doc_text_add(d, json_string_value(v), n->len, &n->str, err);
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return doc_json_children(d, n, v, depth, err);
}

static int
doc_json_array(struct doc *d, struct doc_node *n, json_t *v, unsigned depth, struct err *err)
{
    struct doc_node *tail = NULL, *child;
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item)
    {
        int rc = doc_node_add(d, n, &tail, &child, err);
        if (!rc)
            rc = doc_json_value(d, child, item, depth + 1, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int
doc_json_object(struct doc *d, struct doc_node *n, json_t *v, unsigned depth, struct err *err)
{
    struct doc_node *tail = NULL, *child;
    const char *key;
    json_t *item;
    json_object_foreach(v, key, item)
    {
        int rc = doc_node_add(d, n, &tail, &child, err);
        if (!rc)
            rc = doc_text_add(d, key, strlen(key), &child->key, err);
        if (!rc)
            rc = doc_json_value(d, child, item, depth + 1, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int
doc_json_children(struct doc *d, struct doc_node *n, json_t *v, unsigned depth, struct err *err)
{
    if (depth >= DOC_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "nested deeper than %u", DOC_DEPTH_MAX);
    n->kind = json_is_object(v) ? DOC_MAP : DOC_SEQ;
    return json_is_object(v) ? doc_json_object(d, n, v, depth, err)
                             : doc_json_array(d, n, v, depth, err);
}

static int
doc_json_problem(const json_error_t *e, struct err *err)
{
    if (json_error_code(e) == json_error_out_of_memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    bool deep = json_error_code(e) == json_error_stack_overflow;
    err_set(err, deep ? ERR_LIMIT : ERR_SYNTAX, "not JSON: %s", e->text);
    /* jansson counts columns from 0 where a line has begun and not ended. */
    err_at(err, NULL, e->line > 0 ? (unsigned)e->line : 1, e->column > 0 ? (unsigned)e->column : 1);
    return deep ? ERR_LIMIT : ERR_SYNTAX;
}

int
doc_parse_json(const char *text, size_t len, const char *name, struct doc **ret_doc,
               struct err *err)
{
    struct doc *d = NULL;
    struct doc_node *root;
    json_error_t problem;
    json_t *v = NULL;
    int rc = doc_new(len, name, &d, err);
    if (rc)
        return rc;
    v = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &problem);
    if (!v)
        rc = doc_json_problem(&problem, err);
    if (!rc)
        rc = doc_node_add(d, NULL, NULL, &root, err);
    if (!rc)
        rc = doc_json_value(d, root, v, 0, err);
    json_decref(v);
    if (rc) {
        err_at(err, d->name, 0, 0);
        doc_free(d);
        return rc;
    }
    *ret_doc = d;
    return 0;
}
