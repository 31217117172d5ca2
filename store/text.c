/* text: one splitter serves the index and the question, so that both agree whatever SQLite's own
 * tokenizer thinks. */
#include "store/text.h"

#include "base/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_QUERY_MAX   4096
#define TEXT_PHRASES_MAX 32

enum text_class { TEXT_SPACE, TEXT_WORD, TEXT_CJK };

/* Code point at s (invalid bytes are themselves), and its length. */
static uint32_t
text_point(const unsigned char *s, size_t *ret_len)
{
    static const uint8_t need[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t n = need[*s >> 4];
    uint32_t c = n == 1 ? *s : *s & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            *ret_len = 1;
            return *s;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    *ret_len = n;
    return c;
}

static enum text_class
text_classify(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                   ? TEXT_WORD
                   : TEXT_SPACE;
    if ((c >= 0x3040 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7af) ||
        (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff))
        return TEXT_CJK;
    if (c < 0xc0 || (c >= 0x2000 && c <= 0x206f) || (c >= 0x3000 && c <= 0x303f) ||
        (c >= 0xff00 && c <= 0xff0f) || (c >= 0xff1a && c <= 0xff20) ||
        (c >= 0xff3b && c <= 0xff40) || (c >= 0xff5b && c <= 0xff65))
        return TEXT_SPACE;
    return TEXT_WORD;
}

static void
text_put(struct buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_putc(out, s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i]);
    buf_putc(out, ' ');
}

/* Words of s, each followed by a space. tails: the last character of a CJK run too; a run of one
 * always stands. */
static bool
text_split(const char *text, bool tails, struct buf *out)
{
    const unsigned char *s = (const unsigned char *)text;
    bool lone = false; /* ends in a single CJK character */
    while (*s) {
        size_t n;
        enum text_class k = text_classify(text_point(s, &n));
        const unsigned char *from = s, *last = s;
        size_t chars = 0;
        while (*s && text_classify(text_point(s, &n)) == k) {
            if (k == TEXT_CJK && chars > 0)
                text_put(out, (const char *)last, (size_t)(s + n - last));
            last = s;
            s += n;
            chars++;
        }
        if (k == TEXT_SPACE)
            continue;
        if (k == TEXT_WORD)
            text_put(out, (const char *)from, (size_t)(s - from));
        else if (tails || chars == 1)
            text_put(out, (const char *)last, (size_t)(s - last));
        lone = k == TEXT_CJK && chars == 1;
    }
    return lone;
}

int
text_words(const char *s, struct buf *out)
{
    text_split(s, true, out);
    return out->failed ? ERR_LIMIT : 0;
}

struct text_query {
    struct buf fts;
    size_t count;
    struct text_phrase {
        char *words;
        size_t len;
        bool prefix;
    } phrases[TEXT_PHRASES_MAX]; /* " a b " or " a b" */
};

static int
text_query_add(struct text_query *q, const char *s, size_t n)
{
    char *copy = strndup(s, n);
    struct buf words;
    buf_init(&words, TEXT_QUERY_MAX);
    if (!copy)
        return ERR_NOMEM;
    buf_putc(&words, ' ');
    bool prefix = text_split(copy, false, &words) || (n > 1 && s[n - 1] == '*');
    free(copy);
    if (words.failed || words.len == 1) {
        int rc = words.failed ? ERR_LIMIT : 0;
        buf_done(&words);
        return rc;
    }
    buf_printf(&q->fts, "%s\"%.*s\"%s", q->count ? " " : "", (int)words.len - 2, words.data + 1,
               prefix ? "*" : "");
    if (prefix)
        words.data[--words.len] = 0;
    struct text_phrase *p = &q->phrases[q->count++];
    p->prefix = prefix;
    p->words = buf_take(&words, &p->len);
    return p->words && !q->fts.failed ? 0 : ERR_NOMEM;
}

int
text_query_new(const char *question, struct text_query **ret)
{
    struct text_query *q = calloc(1, sizeof *q);
    if (!q)
        return ERR_NOMEM;
    buf_init(&q->fts, 2 * TEXT_QUERY_MAX);
    int rc = strlen(question) > TEXT_QUERY_MAX ? ERR_LIMIT : 0;
    for (const char *s = question; !rc && *s;) {
        bool quoted = *s == '"';
        s += quoted;
        size_t n = strcspn(s, quoted ? "\"" : " \t\r\n\"");
        if (n && q->count == TEXT_PHRASES_MAX)
            rc = ERR_LIMIT;
        else if (n)
            rc = text_query_add(q, s, n);
        s += n;
        if (*s && (quoted || *s != '"'))
            s++;
    }
    if (!rc && !q->count)
        rc = ERR_SYNTAX;
    if (rc)
        text_query_free(q);
    else
        *ret = q;
    return rc;
}

void
text_query_free(struct text_query *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++)
        free(q->phrases[i].words);
    buf_done(&q->fts);
    free(q);
}

const char *
text_query_fts(const struct text_query *q)
{
    return buf_str(&q->fts);
}

bool
text_query_match(const struct text_query *q, const char *s)
{
    struct buf words;
    buf_init(&words, (size_t)1 << 20);
    buf_putc(&words, ' ');
    bool all = text_words(s, &words) == 0;
    for (size_t i = 0; all && i < q->count; i++)
        all = strstr(buf_str(&words), q->phrases[i].words) != NULL;
    buf_done(&words);
    return all;
}
