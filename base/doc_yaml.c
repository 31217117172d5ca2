/* doc (YAML): libyaml's events, so that every node keeps its place. Scalars mean what YAML 1.2's
 * core schema says: `yes` and `on` are strings, `0o17` and `0x1f` are integers, quoted or block
 * text is always a string. Refused: aliases (they make bombs), tags other than the core ones, more
 * than one document, keys that are not scalars. */
#include "base/doc_build.h"

#include "base/str.h"

#include <math.h>
#include <string.h>
#include <yaml.h>

struct doc_yaml_frame {
    struct doc_node *node, *tail;
};

struct doc_yaml {
    yaml_parser_t parser;
    struct doc *doc;
    struct err *err;
    struct doc_yaml_frame stack[DOC_DEPTH_MAX];
    unsigned depth;
    struct doc_node *member; /* a map's child whose key is read and whose value comes next */
    bool done;
};

static int
doc_yaml_fail(struct doc_yaml *y, const yaml_mark_t *at, int code, const char *sentence)
{
    err_set(y->err, code, "%s", sentence);
    err_at(y->err, NULL, (unsigned)at->line + 1, (unsigned)at->column + 1);
    return code;
}

/* A reader's problem has an offset only: the line is found by counting. */
static int
doc_yaml_problem(struct doc_yaml *y, const char *text, size_t len)
{
    const yaml_parser_t *p = &y->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(y->err, ERR_NOMEM, "out of memory");
    yaml_mark_t at = p->problem_mark;
    if (p->error == YAML_READER_ERROR) {
        at = (yaml_mark_t){0};
        for (size_t i = 0; i < p->problem_offset && i < len; i++) {
            at.line += text[i] == '\n';
            at.column = text[i] == '\n' ? 0 : at.column + 1;
        }
    }
    err_set(y->err, ERR_SYNTAX, "not YAML: %s%s%s", p->problem ? p->problem : "unreadable",
            p->context ? " " : "", p->context ? p->context : "");
    err_at(y->err, NULL, (unsigned)at.line + 1, (unsigned)at.column + 1);
    return ERR_SYNTAX;
}

static bool
doc_yaml_word(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(s, *words))
            return true;
    return false;
}

/* 0o17, 0x1f: YAML's core schema. */
static bool
doc_yaml_based(const char *s, size_t len, int64_t *ret)
{
    unsigned shift = len > 2 && s[0] == '0' && s[1] == 'x'   ? 4
                     : len > 2 && s[0] == '0' && s[1] == 'o' ? 3
                                                             : 0;
    uint64_t v = 0;
    if (!shift)
        return false;
    for (size_t i = 2; i < len; i++) {
        const char *digits = "0123456789abcdef",
                   *at = strchr(digits, s[i] | (s[i] >= 'A' ? 0x20 : 0));
        if (!s[i] || !at || (at - digits) >> shift || v >> (63 - shift))
            return false;
        v = v << shift | (uint64_t)(at - digits);
    }
    *ret = (int64_t)v;
    return true;
}

/* .5, 1., 1.5e3, .inf, -.Inf, .nan; plain "inf", "nan" and hexadecimal reals are text. */
static bool
doc_yaml_real(const char *s, size_t len, double *ret)
{
    static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan_words[] = {".nan", ".NaN", ".NAN", NULL};
    const char *p = s + (*s == '-' || *s == '+');
    if (doc_yaml_word(p, inf)) {
        *ret = *s == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (doc_yaml_word(s, nan_words)) {
        *ret = (double)NAN;
        return true;
    }
    bool digit = (*p >= '0' && *p <= '9') || (*p == '.' && p[1] >= '0' && p[1] <= '9');
    return digit && !str_double(s, len, ret);
}

static void
doc_yaml_plain(struct doc_node *n)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    n->kind = DOC_STR;
    if (doc_yaml_word(n->str, nulls)) {
        n->kind = DOC_NULL;
    } else if (doc_yaml_word(n->str, trues) || doc_yaml_word(n->str, falses)) {
        n->kind = DOC_BOOL;
        n->v.b = (n->str[0] | 0x20) == 't';
    } else if (!str_i64(n->str, n->len, &n->v.i) || doc_yaml_based(n->str, n->len, &n->v.i)) {
        n->kind = DOC_INT;
    } else if (doc_yaml_real(n->str, n->len, &n->v.r)) {
        n->kind = DOC_REAL;
    }
}

static bool
doc_yaml_tag_ok(const yaml_char_t *tag)
{
    static const char *const core[] = {
        YAML_NULL_TAG, YAML_BOOL_TAG, YAML_STR_TAG, YAML_INT_TAG, YAML_FLOAT_TAG,
        YAML_SEQ_TAG,  YAML_MAP_TAG,  "!",          NULL};
    return !tag || doc_yaml_word((const char *)tag, core);
}

/* The node that the next value fills: the waiting member of a map, a new item of a sequence, or the
 * root. */
static int
doc_yaml_place(struct doc_yaml *y, struct doc_node **ret_node)
{
    if (y->member) {
        *ret_node = y->member;
        y->member = NULL;
        return 0;
    }
    struct doc_yaml_frame *f = y->depth ? &y->stack[y->depth - 1] : NULL;
    return doc_node_add(y->doc, f ? f->node : NULL, f ? &f->tail : NULL, ret_node, y->err);
}

static int
doc_yaml_key(struct doc_yaml *y, const yaml_event_t *ev)
{
    struct doc_yaml_frame *f = &y->stack[y->depth - 1];
    struct doc_node *n;
    int rc = doc_node_add(y->doc, f->node, &f->tail, &n, y->err);
    if (!rc) {
        n->key = ""; /* so that a map left half-built still has all its keys */
        rc = doc_text_add(y->doc, (const char *)ev->data.scalar.value, ev->data.scalar.length,
                          &n->key, y->err);
    }
    if (rc)
        return rc;
    n->key_line = (unsigned)ev->start_mark.line + 1;
    n->key_column = (unsigned)ev->start_mark.column + 1;
    y->member = n;
    return 0;
}

static bool
doc_yaml_wants_key(const struct doc_yaml *y)
{
    return y->depth && y->stack[y->depth - 1].node->kind == DOC_MAP && !y->member;
}

static int
doc_yaml_scalar(struct doc_yaml *y, const yaml_event_t *ev)
{
    struct doc_node *n;
    if (!doc_yaml_tag_ok(ev->data.scalar.tag))
        return doc_yaml_fail(y, &ev->start_mark, ERR_SYNTAX, "this tag is not supported");
    if (doc_yaml_wants_key(y))
        return doc_yaml_key(y, ev);
    int rc = doc_yaml_place(y, &n);
    if (rc)
        return rc;
    n->line = (unsigned)ev->start_mark.line + 1;
    n->column = (unsigned)ev->start_mark.column + 1;
    n->len = ev->data.scalar.length;
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    rc = doc_text_add(y->doc, (const char *)ev->data.scalar.value, n->len, &n->str, y->err);
    if (rc)
        return rc;
    const char *tag = (const char *)ev->data.scalar.tag;
    bool text = n->quoted || (tag && (!strcmp(tag, YAML_STR_TAG) || !strcmp(tag, "!")));
    if (text)
        n->kind = DOC_STR;
    else
        doc_yaml_plain(n);
    return 0;
}

static int
doc_yaml_open(struct doc_yaml *y, const yaml_event_t *ev, enum doc_kind kind,
              const yaml_char_t *tag)
{
    struct doc_node *n;
    if (!doc_yaml_tag_ok(tag))
        return doc_yaml_fail(y, &ev->start_mark, ERR_SYNTAX, "this tag is not supported");
    if (doc_yaml_wants_key(y))
        return doc_yaml_fail(y, &ev->start_mark, ERR_SYNTAX,
                             "a key must be a plain or quoted word");
    if (y->depth == DOC_DEPTH_MAX)
        return doc_yaml_fail(y, &ev->start_mark, ERR_LIMIT, "nested too deeply");
    int rc = doc_yaml_place(y, &n);
    if (rc)
        return rc;
    n->kind = kind;
    n->line = (unsigned)ev->start_mark.line + 1;
    n->column = (unsigned)ev->start_mark.column + 1;
    y->stack[y->depth++] = (struct doc_yaml_frame){.node = n};
    return 0;
}

static int
doc_yaml_event(struct doc_yaml *y, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return doc_yaml_scalar(y, ev);
    case YAML_SEQUENCE_START_EVENT:
        return doc_yaml_open(y, ev, DOC_SEQ, ev->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return doc_yaml_open(y, ev, DOC_MAP, ev->data.mapping_start.tag);
    case YAML_MAPPING_END_EVENT:
        return doc_map_close(y->doc, y->stack[--y->depth].node, y->err);
    case YAML_SEQUENCE_END_EVENT:
        y->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return doc_yaml_fail(y, &ev->start_mark, ERR_SYNTAX, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        if (y->doc->root)
            return doc_yaml_fail(y, &ev->start_mark, ERR_SYNTAX, "a second document starts here");
        return 0;
    case YAML_STREAM_END_EVENT:
        y->done = true;
        return 0;
    default:
        return 0;
    }
}

static int
doc_yaml_read(struct doc_yaml *y, const char *text, size_t len)
{
    int rc = 0;
    yaml_event_t ev;
    yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y->parser, (const unsigned char *)text, len);
    while (!rc && !y->done) {
        if (!yaml_parser_parse(&y->parser, &ev))
            return doc_yaml_problem(y, text, len);
        rc = doc_yaml_event(y, &ev);
        if (rc)
            err_at(y->err, NULL, (unsigned)ev.start_mark.line + 1,
                   (unsigned)ev.start_mark.column + 1);
        yaml_event_delete(&ev);
    }
    struct doc_node *n;
    if (!rc && !y->doc->root) /* an empty text is an empty document */
        rc = doc_node_add(y->doc, NULL, NULL, &n, y->err);
    return rc;
}

int
doc_parse_yaml(const char *text, size_t len, const char *name, struct doc **ret_doc,
               struct err *err)
{
    struct doc_yaml y = {.err = err};
    int rc = doc_new(len, name, &y.doc, err);
    if (rc)
        return rc;
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        len -= 3;
    }
    if (!yaml_parser_initialize(&y.parser)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = doc_yaml_read(&y, text, len);
        yaml_parser_delete(&y.parser);
    }
    if (rc) {
        err_at(err, y.doc->name, 0, 0);
        doc_free(y.doc);
        return rc;
    }
    *ret_doc = y.doc;
    return 0;
}
