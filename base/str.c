/* str: text and file helpers. Leaf code: no state, no locale (numbers are always read and written
 * as in the "C" locale, because programs never call setlocale for LC_NUMERIC), no allocation except
 * in files. */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t
str_copy(char *out, size_t size, const char *s)
{
    size_t n = strlen(s);
    if (size) {
        size_t keep = n < size ? n : size - 1;
        memcpy(out, s, keep);
        out[keep] = 0;
    }
    return n;
}

bool
str_prefix(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

bool
str_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && !memcmp(s + n - m, suffix, m);
}

const char *
str_field(const char **p, const char *seps, size_t *ret_len)
{
    const char *start = *p;
    if (!start || !*start)
        return NULL;
    size_t n = strcspn(start, seps);
    *ret_len = n;
    *p = start + n + (start[n] != 0);
    return start;
}

/* Copies a text of at most 63 bytes so that strto* can read it; longer numbers are not numbers of
 * ours. */
static int
str_number_text(const char *s, size_t len, char out[64])
{
    if (!len || len > 63 || memchr(s, 0, len))
        return ERR_SYNTAX;
    unsigned char c = (unsigned char)s[0];
    if (!(c >= '0' && c <= '9') && !strchr("+-.NnIi", c))
        return ERR_SYNTAX;
    memcpy(out, s, len);
    out[len] = 0;
    return 0;
}

/* Up to 15 digits and one point need no strtod: both parts are exact doubles, so is one division.
 */
static bool
str_double_simple(const char *s, size_t len, double *ret)
{
    static const double scale[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t i = s[0] == '-', digits = 0, point = 0;
    bool seen = false;
    int64_t v = 0;
    if (len - i > 16)
        return false;
    for (; i < len; i++) {
        if (s[i] == '.' && !seen) {
            seen = true;
        } else if (s[i] >= '0' && s[i] <= '9') {
            v = v * 10 + (s[i] - '0');
            digits++;
            point += seen;
        } else {
            return false;
        }
    }
    if (!digits || digits > 15)
        return false;
    double r = (double)v / scale[point];
    *ret = s[0] == '-' ? -r : r;
    return true;
}

int
str_double(const char *s, size_t len, double *ret)
{
    char text[64], *end;
    if (len && str_double_simple(s, len, ret))
        return 0;
    if (str_number_text(s, len, text))
        return ERR_SYNTAX;
    const char *word = text + (text[0] == '+' || text[0] == '-');
    double v;
    if (!strcasecmp(word, "inf") || !strcasecmp(word, "infinity"))
        v = text[0] == '-' ? -INFINITY : INFINITY;
    else if (!strcasecmp(word, "nan"))
        v = (double)NAN;
    else if ((*word != '.' && (*word < '0' || *word > '9')) || strpbrk(word, "xXpP"))
        return ERR_SYNTAX;
    else if ((v = strtod(text, &end)), *end)
        return ERR_SYNTAX;
    *ret = v;
    return 0;
}

int
str_i64(const char *s, size_t len, int64_t *ret)
{
    bool minus = len && s[0] == '-';
    uint64_t u;
    size_t skip = len && (s[0] == '-' || s[0] == '+');
    int rc = str_u64(s + skip, len - skip, &u);
    if (rc)
        return rc;
    if (u > (uint64_t)INT64_MAX + minus)
        return ERR_RANGE;
    *ret = minus ? (int64_t)(0 - u) : (int64_t)u;
    return 0;
}

int
str_u64(const char *s, size_t len, uint64_t *ret)
{
    uint64_t v = 0;
    if (!len)
        return ERR_SYNTAX;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return ERR_SYNTAX;
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
            return ERR_RANGE;
    }
    *ret = v;
    return 0;
}

size_t
str_double_format(double v, char out[32])
{
    if (isnan(v))
        return str_copy(out, 32, "NaN");
    if (isinf(v))
        return str_copy(out, 32, v > 0 ? "+Inf" : "-Inf");
    /* 15 digits always survive text, 17 always survive the way back: one of the three is shortest.
     */
    if (fabs(v) < 1e15 && v == (double)(int64_t)v && !(v == 0 && signbit(v)))
        return (size_t)snprintf(out, 32, "%lld", (long long)v);
    for (int digits = 15; digits <= 17; digits++) {
        int n = snprintf(out, 32, "%.*g", digits, v);
        if (digits == 17 || strtod(out, NULL) == v)
            return (size_t)n;
    }
    return 0;
}

#define STR_WORD_MAX 64u

size_t
str_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[STR_WORD_MAX + 1];
    if (n > STR_WORD_MAX || m > STR_WORD_MAX)
        return strcmp(a, b) ? STR_WORD_MAX : 0;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *
str_nearest(const char *word, const char *const *known)
{
    /* One wrong letter in three is a slip, more is another word. */
    size_t best = strlen(word) / 3 + 1;
    const char *found = NULL;
    for (; *known; known++) {
        size_t d = str_distance(word, *known);
        if (d < best || (d == best && !found)) {
            best = d;
            found = *known;
        }
    }
    return found;
}

/* Bytes of the sequence that starts with c; 0 when none does. */
static size_t
str_utf8_expect(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c < 0xe0)
        return 2;
    if ((c & 0xf0) == 0xe0)
        return 3;
    return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* Length of the well-formed sequence at s (Unicode 15, table 3-7), 0 if there is none. */
size_t
str_utf8_length(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char c = s[0];
    size_t n = str_utf8_expect(c);
    if (!n || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

bool
str_utf8_ok(const char *s, size_t len)
{
    while (len) {
        size_t n = (unsigned char)*s < 0x80 ? 1 : str_utf8_length(s, len);
        if (!n)
            return false;
        s += n;
        len -= n;
    }
    return true;
}

void
str_utf8_mend(char *s, size_t *len)
{
    for (size_t left = *len; left;) {
        size_t n = str_utf8_length(s, left);
        if (!n) {
            *s = '?';
            n = 1;
        }
        s += n;
        left -= n;
    }
}

int
str_percent_encode(struct buf *out, const char *s, const char *keep)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr("-._~", c) || (keep && strchr(keep, c));
        char code[3] = {'%', hex[c >> 4], hex[c & 15]};
        int rc = plain ? buf_putc(out, (char)c) : buf_append(out, code, 3);
        if (rc)
            return rc;
    }
    return 0;
}

static int
str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
str_hex(const char *hex, size_t len, uint8_t *out, size_t size)
{
    if (len % 2)
        return ERR_SYNTAX;
    if (len / 2 > size)
        return ERR_LIMIT;
    for (size_t i = 0; i < len; i += 2) {
        int hi = str_hex_digit(hex[i]), lo = str_hex_digit(hex[i + 1]);
        if (hi < 0 || lo < 0)
            return ERR_SYNTAX;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    return (int)(len / 2);
}

bool
str_glob(const char *pattern, const char *s)
{
    /* One star to come back to is enough: a later star makes the earlier ones final. Quadratic at
     * worst. */
    const char *star = NULL, *mark = NULL;
    while (*s) {
        if (*pattern == '*') {
            star = ++pattern;
            mark = s;
        } else if (*pattern == '?' || *pattern == *s) {
            pattern++;
            s++;
        } else if (star) {
            pattern = star;
            s = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
