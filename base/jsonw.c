/* jsonw: JSON text (RFC 8259) written in one pass. Plain runs of a string are copied whole; only
 * quotes, backslashes, control characters and ill-formed UTF-8 are looked at one by one. A writer
 * that is driven past its depth marks the buffer failed, which the caller sees at its end as with
 * any other failure. */
#include "base/jsonw.h"

#include "base/clock.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define JSONW_DEPTH_MAX 63u /* bits of `comma` less the outermost */

void
jsonw_init(struct jsonw *w, struct buf *out)
{
    *w = (struct jsonw){.out = out};
}

/* Called before each value: a comma unless it is the first here or stands behind its key. */
static void
jsonw_value(struct jsonw *w)
{
    uint64_t bit = UINT64_C(1) << w->depth;
    if (w->after_key)
        w->after_key = false;
    else if (w->comma & bit)
        buf_putc(w->out, ',');
    w->comma |= bit;
}

static void
jsonw_open(struct jsonw *w, char c)
{
    jsonw_value(w);
    if (w->depth >= JSONW_DEPTH_MAX) {
        w->out->failed = true;
        return;
    }
    buf_putc(w->out, c);
    w->depth++;
    w->comma &= ~(UINT64_C(1) << w->depth);
}

static void
jsonw_close(struct jsonw *w, char c)
{
    if (!w->depth) {
        w->out->failed = true;
        return;
    }
    buf_putc(w->out, c);
    w->depth--;
    w->after_key = false;
}

void
jsonw_object(struct jsonw *w)
{
    jsonw_open(w, '{');
}

void
jsonw_end_object(struct jsonw *w)
{
    jsonw_close(w, '}');
}

void
jsonw_array(struct jsonw *w)
{
    jsonw_open(w, '[');
}

void
jsonw_end_array(struct jsonw *w)
{
    jsonw_close(w, ']');
}

/* Bytes that stand for themselves in a string. */
static bool
jsonw_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
jsonw_escape(struct buf *out, unsigned char c)
{
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(names, c) : NULL;
    char text[8];
    if (at) {
        text[0] = '\\';
        text[1] = letters[at - names];
        buf_append(out, text, 2);
    } else {
        snprintf(text, sizeof text, "\\u%04x", c);
        buf_append(out, text, 6);
    }
}

static void
jsonw_text(struct jsonw *w, const char *s, size_t n)
{
    struct buf *out = w->out;
    buf_putc(out, '"');
    for (size_t i = 0; i < n;) {
        size_t run = i;
        while (run < n && jsonw_plain((unsigned char)s[run]))
            run++;
        if (run > i)
            buf_append(out, s + i, run - i);
        if ((i = run) == n)
            break;
        unsigned char c = (unsigned char)s[i];
        size_t step = c < 0x80 ? 0 : str_utf8_length(s + i, n - i);
        if (step)
            buf_append(out, s + i, step);
        else if (c < 0x80)
            jsonw_escape(out, c);
        else
            buf_append(out, "\xef\xbf\xbd", 3);
        i += step ? step : 1;
    }
    buf_putc(out, '"');
}

void
jsonw_key(struct jsonw *w, const char *key)
{
    jsonw_value(w);
    jsonw_text(w, key, strlen(key));
    buf_putc(w->out, ':');
    w->after_key = true;
}

void
jsonw_str(struct jsonw *w, const char *s)
{
    if (s)
        jsonw_strn(w, s, strlen(s));
    else
        jsonw_null(w);
}

void
jsonw_strn(struct jsonw *w, const char *s, size_t n)
{
    jsonw_value(w);
    jsonw_text(w, s, n);
}

void
jsonw_int(struct jsonw *w, int64_t v)
{
    char text[24];
    jsonw_value(w);
    buf_append(w->out, text, (size_t)snprintf(text, sizeof text, "%" PRId64, v));
}

void
jsonw_real(struct jsonw *w, double v)
{
    char text[32];
    if (!isfinite(v)) {
        jsonw_null(w);
        return;
    }
    jsonw_value(w);
    buf_append(w->out, text, str_double_format(v, text));
}

void
jsonw_bool(struct jsonw *w, bool v)
{
    jsonw_value(w);
    buf_puts(w->out, v ? "true" : "false");
}

void
jsonw_null(struct jsonw *w)
{
    jsonw_value(w);
    buf_append(w->out, "null", 4);
}

void
jsonw_time(struct jsonw *w, int64_t ms)
{
    char text[TIME_TEXT_SIZE];
    if (ms)
        jsonw_str(w, time_format(ms, text));
    else
        jsonw_null(w);
}

void
jsonw_raw(struct jsonw *w, const char *json, size_t n)
{
    jsonw_value(w);
    buf_append(w->out, json, n);
}

void
jsonw_kstr(struct jsonw *w, const char *key, const char *s)
{
    jsonw_key(w, key);
    jsonw_str(w, s);
}

void
jsonw_kint(struct jsonw *w, const char *key, int64_t v)
{
    jsonw_key(w, key);
    jsonw_int(w, v);
}

void
jsonw_kreal(struct jsonw *w, const char *key, double v)
{
    jsonw_key(w, key);
    jsonw_real(w, v);
}

void
jsonw_kbool(struct jsonw *w, const char *key, bool v)
{
    jsonw_key(w, key);
    jsonw_bool(w, v);
}

void
jsonw_ktime(struct jsonw *w, const char *key, int64_t ms)
{
    jsonw_key(w, key);
    jsonw_time(w, ms);
}

void
jsonw_ktext(struct jsonw *w, const char *key, const char *en, const char *zh)
{
    jsonw_key(w, key);
    jsonw_object(w);
    jsonw_kstr(w, "en", en);
    jsonw_kstr(w, "zh", zh);
    jsonw_end_object(w);
}
