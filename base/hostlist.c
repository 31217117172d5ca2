/* hostlist: expansion by recursion over the bracket groups of one name, formatting by sorting on
 * (prefix, suffix, number).
 *
 * Expected load: jobs of 2,300 nodes, checks of all nodes; a hostile list ends at the ceiling of
 * names, because every step of the expansion leads to a name or an error. */
#include "base/hostlist.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTLIST_NAMES_MAX  200000u
#define HOSTLIST_NAME_MAX   63u
#define HOSTLIST_GROUPS_MAX 8u
#define HOSTLIST_DIGITS_MAX 18u /* fits in 64 bits with room */

struct hostlist_parser {
    const char *text;
    struct buf names; /* each with its 0 */
    size_t count;
    struct err *err;
};

static int
hostlist_fail(struct hostlist_parser *p, const char *at, int code, const char *sentence)
{
    err_set(p->err, code, "host list: %s", sentence);
    err_at(p->err, NULL, 1, (unsigned)(at - p->text) + 1);
    return code;
}

static bool
hostlist_char_ok(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

static int
hostlist_emit(struct hostlist_parser *p, const char *at, const char *name, size_t len)
{
    if (!len)
        return hostlist_fail(p, at, ERR_SYNTAX, "a name is empty");
    if (p->count == HOSTLIST_NAMES_MAX)
        return hostlist_fail(p, at, ERR_LIMIT, "more than 200,000 names");
    if (buf_append(&p->names, name, len) || buf_putc(&p->names, 0))
        return err_set(p->err, ERR_NOMEM, "out of memory");
    p->count++;
    return 0;
}

static int hostlist_expand(struct hostlist_parser *p, const char *s, const char *end, char *name,
                           size_t len, unsigned groups);

/* One "a" or "a-b" inside brackets; s moves behind it. */
static int
hostlist_range(struct hostlist_parser *p, const char **s, const char *close, uint64_t *ret_lo,
               uint64_t *ret_hi, size_t *ret_width)
{
    const char *a = *s, *b = a;
    while (b < close && *b >= '0' && *b <= '9')
        b++;
    size_t width = (size_t)(b - a);
    if (!width || width > HOSTLIST_DIGITS_MAX || str_u64(a, width, ret_lo))
        return hostlist_fail(p, a, ERR_SYNTAX, "a number is expected here");
    *ret_hi = *ret_lo;
    if (b < close && *b == '-') {
        a = ++b;
        while (b < close && *b >= '0' && *b <= '9')
            b++;
        if (b == a || (size_t)(b - a) > HOSTLIST_DIGITS_MAX || str_u64(a, (size_t)(b - a), ret_hi))
            return hostlist_fail(p, a, ERR_SYNTAX, "a number is expected here");
        if (*ret_hi < *ret_lo)
            return hostlist_fail(p, *s, ERR_SYNTAX, "the range ends before it begins");
    }
    if (b < close && *b != ',')
        return hostlist_fail(p, b, ERR_SYNTAX, "',' or ']' is expected here");
    *ret_width = width;
    *s = b + (b < close);
    if (b < close && *s == close)
        return hostlist_fail(p, *s, ERR_SYNTAX, "a number is expected here");
    return 0;
}

static int
hostlist_group(struct hostlist_parser *p, const char *open, const char *end, char *name, size_t len,
               unsigned groups)
{
    const char *close = memchr(open, ']', (size_t)(end - open)), *s = open + 1;
    if (!close)
        return hostlist_fail(p, open, ERR_SYNTAX, "this '[' is not closed");
    if (groups == HOSTLIST_GROUPS_MAX)
        return hostlist_fail(p, open, ERR_LIMIT, "more than 8 bracket groups in a name");
    if (s == close)
        return hostlist_fail(p, s, ERR_SYNTAX, "a number is expected here");
    while (s < close) {
        const char *at = s;
        uint64_t lo, hi;
        size_t width;
        int rc = hostlist_range(p, &s, close, &lo, &hi, &width);
        for (uint64_t v = lo; !rc && v <= hi; v++) {
            char digits[24];
            size_t n = (size_t)snprintf(digits, sizeof digits, "%0*" PRIu64, (int)width, v);
            if (len + n > HOSTLIST_NAME_MAX)
                return hostlist_fail(p, at, ERR_LIMIT, "a name is longer than 63 bytes");
            memcpy(name + len, digits, n);
            rc = hostlist_expand(p, close + 1, end, name, len + n, groups + 1);
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* Appends what stands in s..end to name, and emits it in all its forms. */
static int
hostlist_expand(struct hostlist_parser *p, const char *s, const char *end, char *name, size_t len,
                unsigned groups)
{
    for (; s < end && *s != '['; s++) {
        if (!hostlist_char_ok(*s))
            return hostlist_fail(p, s, ERR_SYNTAX, "this character cannot stand in a host name");
        if (len == HOSTLIST_NAME_MAX)
            return hostlist_fail(p, s, ERR_LIMIT, "a name is longer than 63 bytes");
        name[len++] = *s;
    }
    if (s < end)
        return hostlist_group(p, s, end, name, len, groups);
    return hostlist_emit(p, s, name, len);
}

/* The end of the name at s: the next comma outside brackets. */
static const char *
hostlist_item_end(const char *s)
{
    bool inside = false;
    for (; *s && (inside || *s != ','); s++)
        inside = *s == '[' || (inside && *s != ']');
    return s;
}

static int
hostlist_build(struct hostlist_parser *p, struct hostlist *ret_list)
{
    struct hostlist l = {.count = p->count};
    if (l.count) {
        size_t head = l.count * sizeof *l.names;
        l.names = malloc(head + p->names.len);
        if (!l.names)
            return err_set(p->err, ERR_NOMEM, "out of memory");
        char *text = memcpy((char *)l.names + head, p->names.data, p->names.len);
        for (size_t i = 0; i < l.count; i++, text += strlen(text) + 1)
            l.names[i] = text;
    }
    *ret_list = l;
    return 0;
}

int
hostlist_parse(const char *text, struct hostlist *ret_list, struct err *err)
{
    struct hostlist_parser p = {.text = text, .err = err};
    char name[HOSTLIST_NAME_MAX + 1];
    int rc = 0;
    buf_init(&p.names, HOSTLIST_NAMES_MAX * (HOSTLIST_NAME_MAX + 1));
    for (const char *s = text; *s && !rc;) {
        const char *end = hostlist_item_end(s), *next = end + (*end == ',');
        while (s < end && strchr(" \t\r\n", *s))
            s++;
        while (end > s && strchr(" \t\r\n", end[-1]))
            end--;
        if (s < end)
            rc = hostlist_expand(&p, s, end, name, 0, 0);
        s = next;
    }
    if (!rc)
        rc = hostlist_build(&p, ret_list);
    buf_done(&p.names);
    return rc;
}

void
hostlist_done(struct hostlist *l)
{
    if (!l)
        return;
    free(l->names);
    *l = (struct hostlist){0};
}

/* A name split at its last run of digits. */
struct hostlist_name {
    const char *text;
    size_t prefix, digits, len; /* lengths; the suffix is the rest */
    uint64_t value;
};

static int
hostlist_split(const char *text, struct hostlist_name *ret)
{
    struct hostlist_name n = {.text = text, .len = strlen(text)};
    if (!n.len || n.len > HOSTLIST_NAME_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < n.len; i++)
        if (!hostlist_char_ok(text[i]))
            return ERR_RANGE;
    size_t end = n.len;
    while (end && !(text[end - 1] >= '0' && text[end - 1] <= '9'))
        end--;
    n.prefix = end ? end : n.len;
    while (n.prefix && end - n.prefix < HOSTLIST_DIGITS_MAX && end && text[n.prefix - 1] >= '0' &&
           text[n.prefix - 1] <= '9')
        n.prefix--;
    n.digits = end ? end - n.prefix : 0;
    if (n.digits)
        str_u64(text + n.prefix, n.digits, &n.value);
    *ret = n;
    return 0;
}

static int
hostlist_text_order(const char *a, size_t an, const char *b, size_t bn)
{
    int c = memcmp(a, b, an < bn ? an : bn);
    return c ? c : (an > bn) - (an < bn);
}

/* Orders by prefix and suffix; 0 for names that can share brackets. */
static int
hostlist_group_order(const struct hostlist_name *a, const struct hostlist_name *b)
{
    size_t as = a->prefix + a->digits, bs = b->prefix + b->digits;
    int c = hostlist_text_order(a->text, a->prefix, b->text, b->prefix);
    if (!c)
        c = hostlist_text_order(a->text + as, a->len - as, b->text + bs, b->len - bs);
    return c ? c : (a->digits > 0) - (b->digits > 0);
}

static int
hostlist_order(const void *x, const void *y)
{
    const struct hostlist_name *a = x, *b = y;
    int c = hostlist_group_order(a, b);
    if (!c)
        c = (a->value > b->value) - (a->value < b->value);
    return c ? c : (a->digits > b->digits) - (a->digits < b->digits);
}

/* Last name of the range that begins at n[i]: values go up by one and are padded as the first is.
 */
static size_t
hostlist_run(const struct hostlist_name *n, size_t i, size_t count)
{
    size_t j = i;
    while (j + 1 < count && n[j + 1].value == n[j].value + 1) {
        char digits[24];
        int len = snprintf(digits, sizeof digits, "%0*" PRIu64, (int)n[i].digits, n[j + 1].value);
        if ((size_t)len != n[j + 1].digits)
            break;
        j++;
    }
    return j;
}

/* One group n[0..count), all of one prefix and suffix, without duplicates. */
static void
hostlist_format_group(const struct hostlist_name *n, size_t count, struct buf *out)
{
    size_t tail = n->prefix + n->digits;
    buf_append(out, n->text, n->prefix);
    if (count > 1)
        buf_putc(out, '[');
    for (size_t i = 0; i < count;) {
        size_t j = hostlist_run(n, i, count);
        if (i)
            buf_putc(out, ',');
        buf_append(out, n[i].text + n[i].prefix, n[i].digits);
        if (j > i) {
            buf_putc(out, '-');
            buf_append(out, n[j].text + n[j].prefix, n[j].digits);
        }
        i = j + 1;
    }
    if (count > 1)
        buf_putc(out, ']');
    buf_append(out, n->text + tail, n->len - tail);
}

int
hostlist_format(const char *const *names, size_t count, struct buf *out)
{
    struct hostlist_name *n = calloc(count ? count : 1, sizeof *n);
    size_t kept = 0;
    int rc = n ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < count && !rc; i++)
        rc = hostlist_split(names[i], &n[i]);
    if (rc)
        goto out;
    qsort(n, count, sizeof *n, hostlist_order);
    for (size_t i = 0; i < count; i++)
        if (!kept || hostlist_order(&n[kept - 1], &n[i]))
            n[kept++] = n[i];
    for (size_t i = 0; i < kept;) {
        size_t j = i + 1;
        while (j < kept && !hostlist_group_order(&n[i], &n[j]))
            j++;
        if (i)
            buf_putc(out, ',');
        hostlist_format_group(n + i, j - i, out);
        i = j;
    }
    rc = out->failed ? ERR_LIMIT : 0;
out:
    free(n);
    return rc;
}
