/* container: two wrappings, told apart by how they begin. Linear, allocates nothing. */
#include "decode/container.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_TIME_MAX 48

/* A time of `len` characters; runtimes write nine digits of a second. */
static bool
container_time(const char *s, size_t len, int64_t *ret)
{
    char text[CONTAINER_TIME_MAX];
    if (len < 20 || len >= sizeof text)
        return false;
    memcpy(text, s, len);
    text[len] = 0;
    return !time_parse(text, ret);
}

static bool
container_cri(char *line, size_t len, struct container_line *ret)
{
    char *space = memchr(line, ' ', len < CONTAINER_TIME_MAX ? len : CONTAINER_TIME_MAX);
    if (!space || !container_time(line, (size_t)(space - line), &ret->time_ms))
        return false;
    bool out = !strncmp(space + 1, "stdout ", 7);
    if (!out && strncmp(space + 1, "stderr ", 7))
        return false;
    char *tag = space + 8;
    if ((*tag != 'F' && *tag != 'P') || (tag[1] != ' ' && tag[1] != ':' && tag[1]))
        return false;
    char *text = strchr(tag, ' ');
    ret->error = !out;
    ret->partial = *tag == 'P';
    ret->text = text ? text + 1 : line + len;
    ret->len = len - (size_t)(ret->text - line);
    return true;
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static bool
container_hex(const char *s, unsigned *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d > 15)
            return false;
        *ret = *ret << 4 | d;
    }
    return true;
}

static char *
container_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* What follows \u, with its second half where it has one; a half alone becomes U+FFFD. *p moves on.
 */
static bool
container_unicode(const char **p, unsigned *ret)
{
    unsigned low;
    if (!container_hex(*p, ret))
        return false;
    *p += 4;
    if (*ret >= 0xd800 && *ret < 0xdc00 && (*p)[0] == '\\' && (*p)[1] == 'u' &&
        container_hex(*p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
        *p += 6;
    } else if (*ret >= 0xd800 && *ret < 0xe000) {
        *ret = 0xfffd;
    }
    return true;
}

/* The end of a JSON string that begins at `from` (behind its quote); NULL when it has none. */
static char *
container_string_end(char *from)
{
    for (; *from && *from != '"'; from++)
        if (*from == '\\' && !*++from)
            return NULL;
    return *from ? from : NULL;
}

/* Unescapes [from, end) in place: the text never grows. False at an escape that is none. */
static bool
container_unescape(char *from, const char *end, size_t *ret_len)
{
    static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    char *to = from;
    unsigned c;
    for (const char *p = from; p < end;) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        p++;
        const char *at = *p ? strchr(escapes, *p) : NULL;
        if (at) {
            *to++ = means[at - escapes];
            p++;
        } else if (*p == 'u' && (p++, container_unicode(&p, &c))) {
            to = container_utf8(to, c ? c : ' ');
        } else {
            return false;
        }
    }
    *ret_len = (size_t)(to - from);
    return true;
}

static bool
container_docker(char *line, size_t len, struct container_line *ret)
{
    static const char head[] = "{\"log\":\"", stream[] = "\"stream\":\"", time[] = "\"time\":\"";
    char *text = line + sizeof head - 1, *end, *at;
    size_t n;
    if (strncmp(line, head, sizeof head - 1) || line[len - 1] != '}' ||
        !(end = container_string_end(text)))
        return false;
    if (!(at = strstr(end, stream)))
        return false;
    ret->error = !strncmp(at + sizeof stream - 1, "stderr", 6);
    if (!(at = strstr(end, time)))
        return false;
    at += sizeof time - 1;
    if (!container_time(at, strcspn(at, "\""), &ret->time_ms) || !container_unescape(text, end, &n))
        return false;
    ret->partial = !n || text[n - 1] != '\n';
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = 0;
    ret->text = text;
    ret->len = n;
    return true;
}

bool
container_unwrap(char *line, size_t len, struct container_line *ret)
{
    *ret = (struct container_line){0};
    if (!len)
        return false;
    return *line == '{' ? container_docker(line, len, ret) : container_cri(line, len, ret);
}
