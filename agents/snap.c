/* snap: rows in one growing array, their words in one buffer. Always true: the words of a row are
 * whole, and `at` of every row is inside the text. */
#include "agents/snap.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SNAP_TEXT_MAX ((size_t)4 << 20)
#define SNAP_ROWS_MAX 100000u

void
snap_init(struct snap *s)
{
    memset(s, 0, sizeof *s);
    buf_init(&s->text, SNAP_TEXT_MAX);
}

void
snap_done(struct snap *s)
{
    buf_done(&s->text);
    free(s->rows);
    s->rows = NULL;
    s->count = s->cap = 0;
}

void
snap_reset(struct snap *s)
{
    buf_reset(&s->text);
    s->count = 0;
}

static int
snap_room(struct snap *s)
{
    if (s->count < s->cap)
        return 0;
    size_t cap = s->cap ? s->cap * 2 : 64;
    struct snap_row *rows = cap > SNAP_ROWS_MAX ? NULL : realloc(s->rows, cap * sizeof *rows);
    if (!rows)
        return ERR_LIMIT;
    s->rows = rows;
    s->cap = cap;
    return 0;
}

static void
snap_put(struct snap *s, const char *word)
{
    buf_append(&s->text, word ? word : "", word ? strlen(word) + 1 : 1);
}

void
snap_add(struct snap *s, const char *name, double v, ...)
{
    size_t at = s->text.len;
    va_list ap;
    if (snap_room(s)) {
        s->refused++;
        return;
    }
    snap_put(s, name);
    va_start(ap, v);
    for (const char *key = va_arg(ap, const char *); key; key = va_arg(ap, const char *)) {
        snap_put(s, key);
        snap_put(s, va_arg(ap, const char *));
    }
    va_end(ap);
    snap_put(s, "");
    if (s->text.failed) {
        s->text.failed = false;
        s->text.len = at;
        s->refused++;
        return;
    }
    s->rows[s->count++] = (struct snap_row){(uint32_t)at, v};
}

void
snap_append(struct snap *s, const struct snap *from)
{
    size_t at = s->text.len;
    if (!from->count)
        return;
    if (buf_append(&s->text, from->text.data, from->text.len)) {
        s->text.failed = false;
        s->refused += from->count;
        return;
    }
    for (size_t i = 0; i < from->count; i++)
        if (snap_room(s))
            s->refused++;
        else
            s->rows[s->count++] =
                (struct snap_row){(uint32_t)(at + from->rows[i].at), from->rows[i].v};
}

/* --- text ---------------------------------------------------------------------------------------
 */

struct snap_key {
    const char *name;
    size_t row;
};

static int
snap_compare(const void *a, const void *b)
{
    const struct snap_key *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : (x->row > y->row) - (x->row < y->row);
}

static void
snap_text_value(struct buf *out, const char *value)
{
    for (; *value; value++)
        switch (*value) {
        case '\\':
            buf_puts(out, "\\\\");
            break;
        case '"':
            buf_puts(out, "\\\"");
            break;
        case '\n':
            buf_puts(out, "\\n");
            break;
        default:
            buf_putc(out, *value);
        }
}

static void
snap_text_row(struct buf *out, const char *word, double v)
{
    char number[32];
    const char *mark = "{";
    buf_puts(out, word);
    for (word += strlen(word) + 1; *word; mark = ",") {
        buf_puts(out, mark);
        buf_puts(out, word);
        buf_puts(out, "=\"");
        word += strlen(word) + 1;
        snap_text_value(out, word);
        buf_putc(out, '"');
        word += strlen(word) + 1;
    }
    buf_puts(out, *mark == ',' ? "} " : " ");
    str_double_format(v, number);
    buf_puts(out, number);
    buf_putc(out, '\n');
}

int
snap_text(const struct snap *s, struct buf *out)
{
    struct snap_key *keys = calloc(s->count + 1, sizeof *keys);
    if (!keys)
        return ERR_NOMEM;
    for (size_t i = 0; i < s->count; i++)
        keys[i] = (struct snap_key){s->text.data + s->rows[i].at, i};
    qsort(keys, s->count, sizeof *keys, snap_compare);
    for (size_t i = 0; i < s->count; i++) {
        if (!i || strcmp(keys[i].name, keys[i - 1].name))
            buf_printf(out, "# TYPE %s %s\n", keys[i].name,
                       str_suffix(keys[i].name, "_total") ? "counter" : "gauge");
        snap_text_row(out, keys[i].name, s->rows[keys[i].row].v);
    }
    free(keys);
    return out->failed ? ERR_LIMIT : 0;
}

/* --- wire ---------------------------------------------------------------------------------------
 */

int
snap_encode(const struct snap *s, const char *node, int64_t t_ms, struct wire_encoder *e)
{
    int count = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct labels l = {.count = 0};
        const char *word = s->text.data + s->rows[i].at;
        labels_add_str(&l, "__name__", word);
        labels_add_str(&l, "node", node);
        for (word += strlen(word) + 1; *word;) {
            const char *key = word, *value = word + strlen(word) + 1;
            if (strcmp(key, "node"))
                labels_add_str(&l, key, value);
            word = value + strlen(value) + 1;
        }
        int rc = labels_finish(&l);
        if (!rc)
            rc = wire_encode_sample(e, &l, t_ms, s->rows[i].v);
        if (rc == ERR_LIMIT || rc == ERR_SYNTAX)
            continue;
        if (rc)
            return rc;
        count++;
    }
    return count;
}
