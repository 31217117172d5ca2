/* exposition: one pass over the text. Scrapes of thousands of exporters, some ten million lines a
 * minute: names and values point into the text, only a value with a backslash is copied, and
 * nothing is allocated for a text without one. */
#include "base/exposition.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXPOSITION_LINE_MAX 65536u
/* Milliseconds: year 9999; nothing of ours is later, and the sum with any window fits. */
#define EXPOSITION_TIME_MAX 253402300799999.0

struct exposition {
    const char *p, *end; /* of the line that is read */
    const char *line;    /* its begin */
    const char *text_end;
    unsigned number;
    bool open; /* OpenMetrics */
    int64_t t_ms;
    const struct sample_sink *sink;
    struct exposition_counts counts;
    struct labels labels;
    bool refuse;   /* this line's series */
    char *scratch; /* EXPOSITION_LINE_MAX bytes: values that had escapes */
    size_t scratch_len;
    struct err *err;
};

static int
exposition_fail(struct exposition *x, int code, const char *what)
{
    err_set(x->err, code, "%s", what);
    err_at(x->err, NULL, x->number, (unsigned)(x->p - x->line) + 1);
    return code;
}

static void
exposition_blanks(struct exposition *x)
{
    while (x->p < x->end && (*x->p == ' ' || *x->p == '\t'))
        x->p++;
}

static bool
exposition_letter(char c, bool first)
{
    char letter = (char)(c | 0x20);
    return (letter >= 'a' && letter <= 'z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9');
}

/* A name's length at x->p; 0: none. Colons are for metric names; labels_finish refuses them in
 * others. */
static size_t
exposition_name(const struct exposition *x)
{
    const char *p = x->p;
    while (p < x->end && exposition_letter(*p, p == x->p))
        p++;
    return (size_t)(p - x->p);
}

/* Copies a value with escapes (\\ \" \n) from x->p, where a quote ends it; moves x->p behind that.
 */
static int
exposition_unescape(struct exposition *x, const char **ret, size_t *ret_len)
{
    if (!x->scratch && !(x->scratch = malloc(EXPOSITION_LINE_MAX)))
        return exposition_fail(x, ERR_NOMEM, "out of memory");
    char *begin = x->scratch + x->scratch_len, *out = begin;
    for (; x->p < x->end && *x->p != '"'; x->p++) {
        char c = *x->p;
        if (c == '\\' && x->p + 1 < x->end) {
            x->p++;
            c = *x->p;
            if (c == 'n')
                c = '\n';
            else if (c != '\\' && c != '"')
                *out++ = '\\'; /* an unknown escape stands for itself, as in Prometheus */
        }
        *out++ = c;
    }
    if (x->p == x->end)
        return exposition_fail(x, ERR_SYNTAX, "a label value has no closing quote");
    x->p++;
    *ret = begin;
    *ret_len = (size_t)(out - begin);
    x->scratch_len += *ret_len;
    return 0;
}

/* A quoted value; x->p is behind the opening quote, and behind the closing one afterwards. */
static int
exposition_value(struct exposition *x, const char **ret, size_t *ret_len)
{
    const char *p = x->p;
    unsigned char high = 0;
    for (; p < x->end && *p != '"' && *p != '\\'; p++)
        high |= (unsigned char)*p;
    int rc = 0;
    if (p < x->end && *p == '"') {
        *ret = x->p;
        *ret_len = (size_t)(p - x->p);
        x->p = p + 1;
    } else {
        rc = exposition_unescape(x, ret, ret_len);
        high = 0x80;
    }
    if (!rc && (high & 0x80) && !str_utf8_ok(*ret, *ret_len))
        x->refuse = true;
    return rc;
}

static void
exposition_add(struct exposition *x, const char *name, size_t name_len, const char *value,
               size_t value_len)
{
    if (labels_add(&x->labels, name, name_len, value, value_len))
        x->refuse = true;
}

/* One label, or a metric name in quotes. */
static int
exposition_label(struct exposition *x)
{
    const char *name = x->p, *value;
    size_t name_len, value_len;
    if (*x->p == '"') {
        x->p++;
        int rc = exposition_value(x, &value, &value_len);
        if (!rc)
            exposition_add(x, "__name__", 8, value, value_len);
        return rc;
    }
    name_len = exposition_name(x);
    if (!name_len)
        return exposition_fail(x, ERR_SYNTAX, "a label name is expected");
    x->p += name_len;
    exposition_blanks(x);
    if (x->p == x->end || *x->p != '=')
        return exposition_fail(x, ERR_SYNTAX, "'=' is expected after a label name");
    x->p++;
    exposition_blanks(x);
    if (x->p == x->end || *x->p != '"')
        return exposition_fail(x, ERR_SYNTAX, "a label value must stand in quotes");
    x->p++;
    int rc = exposition_value(x, &value, &value_len);
    if (!rc)
        exposition_add(x, name, name_len, value, value_len);
    return rc;
}

/* What stands between braces; x->p is behind the opening one. A comma before the closing one is
 * allowed. */
static int
exposition_labels(struct exposition *x)
{
    for (;;) {
        exposition_blanks(x);
        if (x->p < x->end && *x->p == '}') {
            x->p++;
            return 0;
        }
        if (x->p == x->end)
            return exposition_fail(x, ERR_SYNTAX, "the labels have no closing brace");
        int rc = exposition_label(x);
        if (rc)
            return rc;
        exposition_blanks(x);
        if (x->p < x->end && *x->p == ',')
            x->p++;
        else if (x->p == x->end || *x->p != '}')
            return exposition_fail(x, ERR_SYNTAX, "',' or '}' is expected after a label");
    }
}

/* The next word's end. */
static size_t
exposition_word(const struct exposition *x)
{
    const char *p = x->p;
    while (p < x->end && *p != ' ' && *p != '\t')
        p++;
    return (size_t)(p - x->p);
}

static int
exposition_time(struct exposition *x, int64_t *ret_ms)
{
    size_t len = exposition_word(x);
    double seconds;
    int64_t ms;
    if (x->open) {
        if (str_double(x->p, len, &seconds) || !isfinite(seconds) ||
            fabs(seconds) * 1e3 > EXPOSITION_TIME_MAX)
            return exposition_fail(x, ERR_SYNTAX, "the timestamp is not in seconds");
        ms = (int64_t)llround(seconds * 1e3);
    } else if (str_i64(x->p, len, &ms) || fabs((double)ms) > EXPOSITION_TIME_MAX) {
        return exposition_fail(x, ERR_SYNTAX, "the timestamp is not in milliseconds");
    }
    x->p += len;
    *ret_ms = ms;
    return 0;
}

/* Value, then time, then (OpenMetrics) an exemplar, which is passed over. */
static int
exposition_numbers(struct exposition *x, struct sample *ret)
{
    exposition_blanks(x);
    size_t len = exposition_word(x);
    struct sample s = {.t_ms = x->t_ms};
    if (str_double(x->p, len, &s.v))
        return exposition_fail(x, ERR_SYNTAX,
                               len ? "the value is not a number" : "the value is missing");
    x->p += len;
    exposition_blanks(x);
    if (x->p < x->end && *x->p != '#') {
        int rc = exposition_time(x, &s.t_ms);
        if (rc)
            return rc;
        exposition_blanks(x);
    }
    if (x->p < x->end && !(x->open && *x->p == '#'))
        return exposition_fail(x, ERR_SYNTAX, "there is more after value and timestamp");
    *ret = s;
    return 0;
}

static int
exposition_hand_on(struct exposition *x, const struct sample *s)
{
    int rc = x->refuse ? ERR_LIMIT : labels_finish(&x->labels);
    if (rc == ERR_SYNTAX)
        return exposition_fail(x, rc, "a label name is ill-formed or appears twice");
    if (rc) {
        x->counts.refused++;
        return 0;
    }
    rc = x->sink->series(x->sink->ctx, &x->labels, s, 1);
    if (rc < 0)
        return exposition_fail(x, rc, err_text(rc));
    x->counts.samples++;
    return 0;
}

static int
exposition_line(struct exposition *x)
{
    x->labels.count = 0;
    x->refuse = false;
    x->scratch_len = 0;
    exposition_blanks(x);
    if (x->p == x->end || *x->p == '#')
        return 0;
    size_t len = exposition_name(x);
    if (len)
        exposition_add(x, "__name__", 8, x->p, len);
    x->p += len;
    exposition_blanks(x);
    if (x->p < x->end && *x->p == '{') {
        x->p++;
        int rc = exposition_labels(x);
        if (rc)
            return rc;
    }
    if (!len && !x->refuse && !labels_find(&x->labels, "__name__"))
        return exposition_fail(x, ERR_SYNTAX, "a metric name is expected");
    struct sample s;
    int rc = exposition_numbers(x, &s);
    return rc ? rc : exposition_hand_on(x, &s);
}

/* Whether the last line is "# EOF". */
static bool
exposition_is_open(const char *text, size_t len)
{
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len >= 5 && !memcmp(text + len - 5, "# EOF", 5) && (len == 5 || text[len - 6] == '\n');
}

int
exposition_read(const char *text, size_t len, int64_t t_ms, const struct sample_sink *sink,
                struct exposition_counts *ret_counts, struct err *err)
{
    struct exposition x;
    x.p = text;
    x.text_end = text + len;
    x.number = 0;
    x.open = exposition_is_open(text, len);
    x.t_ms = t_ms;
    x.sink = sink;
    x.counts = (struct exposition_counts){0};
    x.scratch = NULL;
    x.err = err;
    int rc = 0;
    for (const char *next = text; !rc && next < x.text_end;) {
        const char *end = memchr(next, '\n', (size_t)(x.text_end - next));
        x.line = x.p = next;
        x.end = end ? end : x.text_end;
        next = end ? end + 1 : x.text_end;
        x.number++;
        if (x.end > x.p && x.end[-1] == '\r')
            x.end--;
        rc = (size_t)(x.end - x.p) > EXPOSITION_LINE_MAX
                 ? exposition_fail(&x, ERR_LIMIT, "the line is over 64 KiB")
                 : exposition_line(&x);
    }
    free(x.scratch);
    if (ret_counts)
        *ret_counts = x.counts;
    return rc;
}

int
exposition_parse(const char *text, size_t len, int64_t t_ms, const struct sample_sink *sink,
                 struct err *err)
{
    return exposition_read(text, len, t_ms, sink, NULL, err);
}
