/* catalog_text: full text of documents: what is indexed, and how a query's words become an FTS5
 * expression.
 *
 * Indexed kinds have one row in doc_text per document: `body` holds the words of the id and of the
 * values, `tags` hashes of kind, tenant, state, key and the id's own prefix ("gpu:"), so that
 * filters and words intersect inside the index and a page of any query over 200,000 devices costs
 * milliseconds. */
#include "base/map.h"
#include "store/catalog_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CATALOG_TEXT_WORDS 16 /* of a query; more are not looked at */

static const char *const catalog_text_kinds[] = {"device", "job"};

bool
catalog_text_indexed(const char *kind)
{
    for (size_t i = 0; i < sizeof catalog_text_kinds / sizeof *catalog_text_kinds; i++)
        if (strcmp(kind, catalog_text_kinds[i]) == 0)
            return true;
    return false;
}

/* Past the end of the JSON string that starts behind p's quote. */
static const char *
catalog_text_string_end(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p;
}

static bool
catalog_text_is_key(const char *p, const char *end)
{
    while (p < end && isspace((unsigned char)*p))
        p++;
    return p < end && *p == ':';
}

static void
catalog_text_unicode(const char *hex, struct buf *out)
{
    unsigned u = 0;
    if (sscanf(hex, "%4x", &u) != 1 || u < 0x20 || (u >= 0xd800 && u < 0xe000))
        u = ' ';
    if (u < 0x80) {
        buf_putc(out, (char)u);
    } else if (u < 0x800) {
        buf_putc(out, (char)(0xc0 | (u >> 6)));
        buf_putc(out, (char)(0x80 | (u & 0x3f)));
    } else {
        buf_putc(out, (char)(0xe0 | (u >> 12)));
        buf_putc(out, (char)(0x80 | ((u >> 6) & 0x3f)));
        buf_putc(out, (char)(0x80 | (u & 0x3f)));
    }
}

static void
catalog_text_unescape(const char *p, const char *end, struct buf *out)
{
    while (p < end) {
        const char *q = memchr(p, '\\', (size_t)(end - p));
        if (!q)
            q = end;
        buf_append(out, p, (size_t)(q - p));
        p = q;
        if (p + 1 >= end)
            return;
        if (p[1] == 'u' && end - p >= 6) {
            catalog_text_unicode(p + 2, out);
            p += 6;
        } else {
            buf_putc(out, strchr("nrtbf", p[1]) ? ' ' : p[1]);
            p += 2;
        }
    }
}

void
catalog_text_body(const char *id, const char *json, size_t len, struct buf *out)
{
    const char *p = json, *end = json + len;
    buf_puts(out, id);
    while (p < end) {
        if (*p == '"') {
            const char *q = catalog_text_string_end(p + 1, end);
            if (q >= end)
                return;
            if (!catalog_text_is_key(q + 1, end)) {
                buf_putc(out, ' ');
                catalog_text_unescape(p + 1, q, out);
            }
            p = q + 1;
        } else if (isdigit((unsigned char)*p)) {
            const char *q = p;
            while (q < end && (isalnum((unsigned char)*q) || *q == '.'))
                q++;
            buf_putc(out, ' ');
            buf_append(out, p, (size_t)(q - p));
            p = q;
        } else {
            p++;
        }
    }
}

static void
catalog_text_tag(struct buf *out, char what, const char *s, size_t len)
{
    if (len)
        buf_printf(out, " %c%016llx", what, (unsigned long long)map_hash(s, len));
}

/* The part of an id that ends with its ':', 0 when there is none. */
static size_t
catalog_text_head(const char *id)
{
    const char *colon = strchr(id, ':');
    return colon ? (size_t)(colon - id) + 1 : 0;
}

void
catalog_text_tags(const struct catalog_doc *d, struct buf *out)
{
    catalog_text_tag(out, 'k', d->kind, strlen(d->kind));
    catalog_text_tag(out, 'h', d->id, catalog_text_head(d->id));
    catalog_text_tag(out, 't', d->tenant, strlen(d->tenant));
    catalog_text_tag(out, 's', d->state, strlen(d->state));
    catalog_text_tag(out, 'y', d->key, strlen(d->key));
}

static bool
catalog_text_has_word(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isalnum((unsigned char)s[i]) || (unsigned char)s[i] >= 0x80)
            return true;
    return false;
}

static void
catalog_text_phrase(struct buf *out, const char *s, size_t n)
{
    buf_puts(out, " AND body:\"");
    for (size_t i = 0; i < n; i++)
        buf_putc(out, s[i] == '"' ? ' ' : s[i]);
    buf_puts(out, "\"*");
}

static void
catalog_text_states(struct buf *out, const char *state)
{
    buf_puts(out, " AND tags:(");
    for (bool first = true; *state; first = false) {
        size_t n = strcspn(state, "|");
        if (!first)
            buf_puts(out, " OR");
        catalog_text_tag(out, 's', state, n);
        state += n + (state[n] == '|');
    }
    buf_puts(out, ")");
}

static void
catalog_text_filter(struct buf *out, char what, const char *s, size_t len)
{
    if (!len)
        return;
    buf_puts(out, " AND tags:");
    catalog_text_tag(out, what, s, len);
}

int
catalog_text_query(const struct catalog_query *q, struct buf *out)
{
    const char *p = q->text;
    unsigned words = 0;
    buf_puts(out, "tags:");
    catalog_text_tag(out, 'k', q->kind, strlen(q->kind));
    if (q->id_prefix)
        catalog_text_filter(out, 'h', q->id_prefix, catalog_text_head(q->id_prefix));
    if (q->tenant)
        catalog_text_filter(out, 't', q->tenant, strlen(q->tenant));
    if (q->key)
        catalog_text_filter(out, 'y', q->key, strlen(q->key));
    if (q->state && *q->state)
        catalog_text_states(out, q->state);
    while (*p && words < CATALOG_TEXT_WORDS) {
        size_t n = strcspn(p, " \t\r\n");
        if (catalog_text_has_word(p, n)) {
            catalog_text_phrase(out, p, n);
            words++;
        }
        p += n + (p[n] != 0);
    }
    return out->failed ? ERR_LIMIT : words ? 0 : ERR_NOTFOUND;
}

static bool
catalog_text_find(const char *hay, const char *word, size_t n)
{
    for (; *hay; hay++)
        if (strncasecmp(hay, word, n) == 0)
            return true;
    return false;
}

bool
catalog_text_match(const char *words, const char *id, const char *json)
{
    while (*words) {
        size_t n = strcspn(words, " \t\r\n");
        if (n && !catalog_text_find(id, words, n) && !catalog_text_find(json, words, n))
            return false;
        words += n + (words[n] != 0);
    }
    return true;
}
