/* conf: reads option tables. Everything a row can hold is zeroed first, so that conf_done is right
 * at any point of a failure; then each key is read, or its default, which is written as a user
 * would write it. */
#include "base/conf.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_KEYS_MAX 128u /* in one table */

struct conf_reader {
    const struct doc *doc;
    const char *folder;
    struct err *err;
};

static int conf_read_rows(const struct conf_reader *c, const struct conf_row *rows,
                          const struct doc_node *map, char *out);

static const char *
conf_type_word(const struct conf_row *row)
{
    static const char *const words[] = {
        [CONF_BOOL] = "true or false",
        [CONF_INT] = "an integer",
        [CONF_REAL] = "a number",
        [CONF_STR] = "a text",
        [CONF_CHOICE] = "one of",
        [CONF_DURATION] = "a duration such as 15s or 1h30m",
        [CONF_SIZE] = "a size such as 64MiB or 200GB",
        [CONF_PATH] = "a path",
        [CONF_STRS] = "a list of texts",
        [CONF_MAP] = "a map of options",
        [CONF_LIST] = "a list",
        [CONF_NODE] = "anything",
    };
    return words[row->type];
}

static void
conf_zero(const struct conf_row *rows, char *out)
{
    static const size_t sizes[] = {
        [CONF_BOOL] = sizeof(bool),
        [CONF_INT] = sizeof(int64_t),
        [CONF_REAL] = sizeof(double),
        [CONF_STR] = sizeof(char *),
        [CONF_CHOICE] = sizeof(int),
        [CONF_DURATION] = sizeof(int64_t),
        [CONF_SIZE] = sizeof(int64_t),
        [CONF_PATH] = sizeof(char *),
        [CONF_STRS] = sizeof(struct conf_strs),
        [CONF_MAP] = 0,
        [CONF_LIST] = sizeof(struct conf_list),
        [CONF_NODE] = sizeof(struct doc_node *),
    };
    for (const struct conf_row *r = rows; r->key; r++) {
        memset(out + r->offset, 0, sizes[r->type]);
        if (r->type == CONF_MAP)
            conf_zero(r->rows, out + r->offset);
    }
}

/* "must be ..." at the node's place, or of the default, which is our own mistake. */
static int
conf_wrong(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n)
{
    if (row->type != CONF_CHOICE)
        return doc_err(c->doc, n, c->err, ERR_SYNTAX, "'%s' must be %s", row->key,
                       conf_type_word(row));
    char list[300] = "";
    size_t used = 0;
    for (const char *const *p = row->choices; *p && used < sizeof list; p++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *p);
    return doc_err(c->doc, n, c->err, ERR_SYNTAX, "'%s' must be one of %s", row->key, list);
}

static int
conf_in_range(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
              double v)
{
    if ((row->min == 0 && row->max == 0) || (v >= row->min && v <= row->max))
        return 0;
    char lo[TIME_TEXT_SIZE], hi[TIME_TEXT_SIZE];
    if (row->type == CONF_DURATION) {
        duration_format((int64_t)row->min, lo);
        duration_format((int64_t)row->max, hi);
    } else {
        str_double_format(row->min, lo);
        str_double_format(row->max, hi);
    }
    return doc_err(c->doc, n, c->err, ERR_RANGE, "'%s' must be between %s and %s", row->key, lo,
                   hi);
}

/* "200GB", "64KiB", "1.5 TB", "4096". */
static int
conf_size_parse(const char *s, int64_t *ret)
{
    static const struct {
        const char *word;
        double bytes;
    } units[] = {
        {"", 1},       {"B", 1},         {"kB", 1e3},         {"KB", 1e3},
        {"MB", 1e6},   {"GB", 1e9},      {"TB", 1e12},        {"PB", 1e15},
        {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 1099511627776.0},
    };
    size_t n = strspn(s, "0123456789.");
    double v;
    if (str_double(s, n, &v))
        return ERR_SYNTAX;
    s += n + strspn(s + n, " ");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(s, units[i].word) && v * units[i].bytes < 0x1p62) {
            *ret = (int64_t)llround(v * units[i].bytes);
            return 0;
        }
    return ERR_SYNTAX;
}

static char *
conf_path_resolve(const struct conf_reader *c, const char *text)
{
    char *path = NULL;
    if (*text == '/' || !c->folder || !*c->folder)
        return strdup(text);
    return asprintf(&path, "%s/%s", c->folder, text) < 0 ? NULL : path;
}

static int
conf_read_text(const struct conf_reader *c, const struct conf_row *row, const char *text, char *at)
{
    char *copy = row->type == CONF_PATH ? conf_path_resolve(c, text) : strdup(text);
    if (!copy)
        return err_set(c->err, ERR_NOMEM, "out of memory");
    memcpy(at, &copy, sizeof copy);
    return 0;
}

static int
conf_read_int(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
              const char *text, char *at)
{
    int64_t v;
    int rc = row->type == CONF_DURATION ? duration_parse(text, &v)
             : row->type == CONF_SIZE   ? conf_size_parse(text, &v)
                                        : str_i64(text, strlen(text), &v);
    if (rc)
        return conf_wrong(c, row, n);
    rc = conf_in_range(c, row, n, (double)v);
    if (!rc)
        memcpy(at, &v, sizeof v);
    return rc;
}

static int
conf_read_real(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
               const char *text, char *at)
{
    double v;
    if (str_double(text, strlen(text), &v) || !isfinite(v))
        return conf_wrong(c, row, n);
    int rc = conf_in_range(c, row, n, v);
    if (!rc)
        memcpy(at, &v, sizeof v);
    return rc;
}

static int
conf_read_choice(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
                 const char *text, char *at)
{
    int v = 0;
    while (row->choices[v] && strcmp(row->choices[v], text))
        v++;
    if (!row->choices[v])
        return conf_wrong(c, row, n);
    memcpy(at, &v, sizeof v);
    return 0;
}

/* A value that is one text, from the document or the default (n NULL). */
static int
conf_read_scalar(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
                 const char *text, char *at)
{
    bool v = !strcmp(text, "true");
    switch (row->type) {
    case CONF_BOOL:
        if ((n && n->kind != DOC_BOOL) || (!n && !v && strcmp(text, "false") != 0))
            return conf_wrong(c, row, n);
        v = n ? n->v.b : v;
        memcpy(at, &v, sizeof v);
        return 0;
    case CONF_REAL:
        return conf_read_real(c, row, n, text, at);
    case CONF_CHOICE:
        return conf_read_choice(c, row, n, text, at);
    case CONF_STR:
    case CONF_PATH:
        return conf_read_text(c, row, text, at);
    default:
        return conf_read_int(c, row, n, text, at);
    }
}

/* The text of a scalar: as written, or of a JSON number or word. NULL: not a scalar. */
static const char *
conf_scalar_text(const struct doc_node *n, char out[32])
{
    if (n->kind == DOC_SEQ || n->kind == DOC_MAP)
        return NULL;
    if (n->str)
        return n->str;
    if (n->kind == DOC_INT)
        snprintf(out, 32, "%lld", (long long)n->v.i);
    else if (n->kind == DOC_REAL)
        str_double_format(n->v.r, out);
    else
        str_copy(out, 32, n->kind == DOC_BOOL && n->v.b ? "true" : "false");
    return out;
}

static int
conf_read_strs(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
               char *at)
{
    struct conf_strs s = {0};
    char number[32];
    bool one = n->kind != DOC_SEQ;
    size_t count = one ? 1 : n->count;
    if (n->kind == DOC_MAP)
        return conf_wrong(c, row, n);
    s.at = calloc(count ? count : 1, sizeof *s.at);
    int rc = s.at ? 0 : err_set(c->err, ERR_NOMEM, "out of memory");
    for (const struct doc_node *item = one ? n : n->first; item && !rc;
         item = one ? NULL : item->next) {
        const char *text = conf_scalar_text(item, number);
        if (!text)
            rc = conf_wrong(c, row, item);
        else if (!(s.at[s.count] = strdup(text)))
            rc = err_set(c->err, ERR_NOMEM, "out of memory");
        else
            s.count++;
    }
    memcpy(at, &s, sizeof s);
    return rc;
}

static int
conf_read_list(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
               char *at)
{
    struct conf_list l = {0};
    int rc = 0;
    if (n->kind != DOC_SEQ)
        return conf_wrong(c, row, n);
    if (!(l.at = calloc(n->count ? n->count : 1, row->size)))
        return err_set(c->err, ERR_NOMEM, "out of memory");
    for (const struct doc_node *item = n->first; item && !rc; item = item->next) {
        if (item->kind != DOC_MAP) {
            rc = doc_err(c->doc, item, c->err, ERR_SYNTAX, "an element of '%s' must be a map",
                         row->key);
            break;
        }
        char *element = (char *)l.at + l.count++ * row->size;
        conf_zero(row->rows, element);
        rc = conf_read_rows(c, row->rows, item, element);
    }
    memcpy(at, &l, sizeof l);
    return rc;
}

static int
conf_read_map(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *n,
              char *at)
{
    if (n && n->kind != DOC_MAP)
        return conf_wrong(c, row, n);
    return conf_read_rows(c, row->rows, n, at);
}

static int
conf_read_row(const struct conf_reader *c, const struct conf_row *row, const struct doc_node *map,
              char *at)
{
    const struct doc_node *n = doc_get(map, row->key);
    char number[32];
    if (n && n->kind == DOC_NULL && row->type != CONF_NODE)
        n = NULL;
    if (!n && row->required && map)
        return doc_err(c->doc, map, c->err, ERR_SYNTAX, "'%s' is missing here", row->key);
    if (row->type == CONF_MAP)
        return conf_read_map(c, row, n, at);
    if (!n && !row->dflt)
        return 0;
    if (!n && row->type == CONF_STRS) {
        struct doc_node dflt = {.kind = DOC_STR, .str = row->dflt};
        return conf_read_strs(c, row, &dflt, at);
    }
    if (!n)
        return conf_read_scalar(c, row, NULL, row->dflt, at);
    switch (row->type) {
    case CONF_NODE:
        memcpy(at, &n, sizeof n);
        return 0;
    case CONF_STRS:
        return conf_read_strs(c, row, n, at);
    case CONF_LIST:
        return conf_read_list(c, row, n, at);
    default:
        break;
    }
    const char *text = conf_scalar_text(n, number);
    return text ? conf_read_scalar(c, row, n, text, at) : conf_wrong(c, row, n);
}

static int
conf_read_rows(const struct conf_reader *c, const struct conf_row *rows, const struct doc_node *map,
               char *out)
{
    const char *known[CONF_KEYS_MAX + 1];
    size_t count = 0;
    for (const struct conf_row *r = rows; r->key; r++) {
        if (count == CONF_KEYS_MAX)
            return err_set(c->err, ERR_LIMIT, "an option table has more than %u rows",
                           CONF_KEYS_MAX);
        known[count++] = r->key;
    }
    known[count] = NULL;
    int rc = doc_only(c->doc, map, known, c->err);
    for (const struct conf_row *r = rows; r->key && !rc; r++)
        rc = conf_read_row(c, r, map, out + r->offset);
    return rc;
}

int
conf_fill(const struct conf_row *rows, const struct doc *d, const struct doc_node *map,
          const char *folder, void *out, struct err *err)
{
    struct conf_reader c = {.doc = d, .folder = folder, .err = err};
    conf_zero(rows, out);
    int rc = 0;
    if (map && map->kind == DOC_NULL)
        map = NULL;
    if (map && map->kind != DOC_MAP)
        rc = doc_err(d, map, err, ERR_SYNTAX, "a map of options is expected here");
    if (!rc)
        rc = conf_read_rows(&c, rows, map, out);
    if (rc)
        conf_done(rows, out);
    return rc;
}

static void
conf_done_strs(struct conf_strs *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->at[i]);
    free(s->at);
    *s = (struct conf_strs){0};
}

static void
conf_done_list(const struct conf_row *row, struct conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        conf_done(row->rows, (char *)l->at + i * row->size);
    free(l->at);
    *l = (struct conf_list){0};
}

void
conf_done(const struct conf_row *rows, void *out)
{
    for (const struct conf_row *r = rows; out && r->key; r++) {
        char *at = (char *)out + r->offset, *text;
        switch (r->type) {
        case CONF_STR:
        case CONF_PATH:
            memcpy(&text, at, sizeof text);
            free(text);
            text = NULL;
            memcpy(at, &text, sizeof text);
            break;
        case CONF_STRS:
            conf_done_strs((struct conf_strs *)(void *)at);
            break;
        case CONF_LIST:
            conf_done_list(r, (struct conf_list *)(void *)at);
            break;
        case CONF_MAP:
            conf_done(r->rows, at);
            break;
        default:
            break;
        }
    }
}

/* Text as man(7) takes it: '-' and backslash escaped, a control character at the start of a line
 * defused. */
static void
conf_roff(struct buf *out, const char *s)
{
    if (*s == '.' || *s == '\'')
        buf_puts(out, "\\&");
    for (; *s; s++) {
        if (*s == '-')
            buf_puts(out, "\\-");
        else if (*s == '\\')
            buf_puts(out, "\\e");
        else
            buf_putc(out, *s);
    }
}

static void
conf_describe_row(const struct conf_row *r, const char *path, struct buf *out)
{
    buf_puts(out, ".TP\n.B ");
    conf_roff(out, path);
    buf_puts(out, "\n(");
    conf_roff(out, conf_type_word(r));
    for (const char *const *p = r->type == CONF_CHOICE ? r->choices : NULL; p && *p; p++) {
        buf_puts(out, p == r->choices ? " " : ", ");
        conf_roff(out, *p);
    }
    if (r->required)
        buf_puts(out, "; required");
    if (r->dflt) {
        buf_puts(out, "; default: ");
        conf_roff(out, r->dflt);
    }
    buf_puts(out, ")\n");
    conf_roff(out, r->help ? r->help : "");
    buf_putc(out, '\n');
}

int
conf_describe(const struct conf_row *rows, const char *prefix, struct buf *out)
{
    for (const struct conf_row *r = rows; r->key; r++) {
        char path[256];
        int n = snprintf(path, sizeof path, "%s%s%s%s", prefix, *prefix ? "." : "", r->key,
                         r->type == CONF_LIST ? "[]" : "");
        if (n < 0 || (size_t)n >= sizeof path)
            return ERR_LIMIT;
        conf_describe_row(r, path, out);
        int rc = r->rows ? conf_describe(r->rows, path, out) : 0;
        if (rc)
            return rc;
    }
    return out->failed ? ERR_LIMIT : 0;
}
