/* remote_answer: reads what Prometheus' HTTP API answers (prometheus.io/docs/prometheus/latest/
 * querying/api), straight out of the text, without a tree.
 *
 * Load: a range of 10,000 series with 240 points is 60 MB of text. Members that are not known are
 * skipped; depth is bounded. */
#include "store/remote_priv.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REMOTE_DEPTH      32
#define REMOTE_TEXT_MAX   ((size_t)128 << 10) /* of the label texts of one series */
#define REMOTE_POINTS_MAX ((size_t)100000000)

struct remote_json {
    const char *p, *end;
    const struct remote_answer_sink *sink;
    struct labels labels;
    struct buf text; /* of the labels; reserved whole, so that it does not move */
    struct sample *samples;
    size_t count, cap, total;
    char error[300];
};

static void
remote_space(struct remote_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r'))
        j->p++;
}

static bool
remote_eat(struct remote_json *j, char c)
{
    remote_space(j);
    if (j->p >= j->end || *j->p != c)
        return false;
    j->p++;
    return true;
}

static char
remote_peek(struct remote_json *j)
{
    remote_space(j);
    return j->p < j->end ? *j->p : 0;
}

/* --- strings ---------------------------------------------------------------------------------- */

static int
remote_hex4(struct remote_json *j, uint32_t *ret)
{
    uint8_t b[2];
    if (j->end - j->p < 4 || str_hex(j->p, 4, b, sizeof b) != 2)
        return ERR_SYNTAX;
    *ret = (uint32_t)b[0] << 8 | b[1];
    j->p += 4;
    return 0;
}

static int
remote_rune(struct remote_json *j, struct buf *out)
{
    uint32_t u, low;
    if (remote_hex4(j, &u))
        return ERR_SYNTAX;
    if (u >= 0xd800 && u < 0xdc00) {
        if (j->end - j->p < 6 || j->p[0] != '\\' || j->p[1] != 'u')
            return ERR_SYNTAX;
        j->p += 2;
        if (remote_hex4(j, &low) || low < 0xdc00 || low > 0xdfff)
            return ERR_SYNTAX;
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    } else if ((u >= 0xdc00 && u < 0xe000) || !u) {
        return ERR_SYNTAX;
    }
    char c[4];
    size_t n = 0;
    if (u < 0x80) {
        c[n++] = (char)u;
    } else if (u < 0x800) {
        c[n++] = (char)(0xc0 | u >> 6);
    } else if (u < 0x10000) {
        c[n++] = (char)(0xe0 | u >> 12);
        c[n++] = (char)(0x80 | (u >> 6 & 63));
    } else {
        c[n++] = (char)(0xf0 | u >> 18);
        c[n++] = (char)(0x80 | (u >> 12 & 63));
        c[n++] = (char)(0x80 | (u >> 6 & 63));
    }
    if (u >= 0x80)
        c[n++] = (char)(0x80 | (u & 63));
    return buf_append(out, c, n);
}

static int
remote_escape(struct remote_json *j, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (j->p >= j->end)
        return ERR_SYNTAX;
    char c = *j->p++;
    if (!out)
        return 0;
    if (c == 'u')
        return remote_rune(j, out);
    const char *at = c ? strchr(from, c) : NULL;
    return at ? buf_putc(out, to[at - from]) : ERR_SYNTAX;
}

/* Appends the text of the string that is next; out may be NULL: then escapes are passed over. */
static int
remote_string(struct remote_json *j, struct buf *out)
{
    int rc = 0;
    if (!remote_eat(j, '"'))
        return ERR_SYNTAX;
    while (!rc) {
        const char *from = j->p;
        while (j->p < j->end && *j->p != '"' && *j->p != '\\')
            j->p++;
        if (j->p >= j->end)
            return ERR_SYNTAX;
        if (out)
            rc = buf_append(out, from, (size_t)(j->p - from));
        if (*j->p++ == '"')
            break;
        if (!rc)
            rc = remote_escape(j, out);
    }
    return rc;
}

/* A key and its colon; short enough to be known, else "". */
static int
remote_key(struct remote_json *j, char *out, size_t size)
{
    struct buf b;
    buf_init(&b, 4096);
    int rc = remote_string(j, &b);
    if (!rc && !remote_eat(j, ':'))
        rc = ERR_SYNTAX;
    if (!rc)
        str_copy(out, size, buf_str(&b));
    buf_done(&b);
    return rc;
}

/* --- what is not known ------------------------------------------------------------------------ */

static int
remote_skip(struct remote_json *j)
{
    unsigned depth = 0;
    do {
        char c = remote_peek(j);
        if (c == '"') {
            int rc = remote_string(j, NULL);
            if (rc)
                return rc;
        } else if (c == '{' || c == '[') {
            j->p++;
            if (++depth > REMOTE_DEPTH)
                return ERR_LIMIT;
        } else if (c == '}' || c == ']') {
            if (!depth)
                return ERR_SYNTAX;
            j->p++;
            depth--;
        } else if (c == ',' || c == ':') {
            if (!depth)
                return ERR_SYNTAX;
            j->p++;
        } else {
            const char *from = j->p;
            while (j->p < j->end && !strchr(",]}: \t\r\n\"[{", *j->p))
                j->p++;
            if (j->p == from)
                return ERR_SYNTAX;
        }
    } while (depth);
    return 0;
}

/* --- samples ---------------------------------------------------------------------------------- */

static int
remote_number(struct remote_json *j, double *ret)
{
    remote_space(j);
    const char *from = j->p;
    while (j->p < j->end && ((*j->p >= '0' && *j->p <= '9') || strchr("+-.eE", *j->p)))
        j->p++;
    return str_double(from, (size_t)(j->p - from), ret);
}

static int
remote_value(struct remote_json *j, double *ret) /* "12.5" */
{
    if (!remote_eat(j, '"'))
        return ERR_SYNTAX;
    const char *from = j->p;
    while (j->p < j->end && *j->p != '"')
        j->p++;
    if (j->p >= j->end)
        return ERR_SYNTAX;
    return str_double(from, (size_t)(j->p++ - from), ret);
}

static int
remote_sample(struct remote_json *j) /* [seconds, "value"] */
{
    double seconds, v;
    if (!remote_eat(j, '[') || remote_number(j, &seconds) || !remote_eat(j, ',') ||
        remote_value(j, &v) || !remote_eat(j, ']') || !(fabs(seconds) < 9e12))
        return ERR_SYNTAX;
    if (j->count == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 256;
        struct sample *p = realloc(j->samples, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        j->samples = p;
        j->cap = cap;
    }
    if (++j->total > (j->sink->max_samples ? j->sink->max_samples : REMOTE_POINTS_MAX))
        return ERR_LIMIT;
    j->samples[j->count++] = (struct sample){llround(seconds * 1000), v};
    return 0;
}

static int
remote_samples(struct remote_json *j)
{
    int rc = 0;
    if (!remote_eat(j, '['))
        return ERR_SYNTAX;
    if (remote_eat(j, ']'))
        return 0;
    do
        rc = remote_sample(j);
    while (!rc && remote_eat(j, ','));
    return rc ? rc : remote_eat(j, ']') ? 0 : ERR_SYNTAX;
}

/* --- label sets ------------------------------------------------------------------------------- */

static int
remote_label(struct remote_json *j)
{
    size_t name = j->text.len;
    int rc = remote_string(j, &j->text);
    size_t value = j->text.len;
    if (!rc && !remote_eat(j, ':'))
        rc = ERR_SYNTAX;
    if (!rc)
        rc = remote_string(j, &j->text);
    return rc ? rc
              : labels_add(&j->labels, j->text.data + name, value - name, j->text.data + value,
                           j->text.len - value);
}

static int
remote_label_set(struct remote_json *j)
{
    int rc = 0;
    j->labels.count = 0;
    buf_reset(&j->text);
    if (!remote_eat(j, '{'))
        return ERR_SYNTAX;
    if (!remote_eat(j, '}')) {
        do
            rc = remote_label(j);
        while (!rc && remote_eat(j, ','));
        if (!rc && !remote_eat(j, '}'))
            rc = ERR_SYNTAX;
    }
    return rc ? rc : labels_finish(&j->labels);
}

/* {"metric": {...}, "value": [...]} or "values"; of /series a label set alone. */
static int
remote_row(struct remote_json *j)
{
    char key[16];
    int rc = 0;
    const char *from = j->p;
    bool metric = false;
    j->count = 0;
    j->labels.count = 0;
    if (!remote_eat(j, '{'))
        return ERR_SYNTAX;
    if (!remote_eat(j, '}')) {
        do {
            rc = remote_key(j, key, sizeof key);
            if (!rc && !strcmp(key, "metric") && remote_peek(j) == '{') {
                metric = true;
                rc = remote_label_set(j);
            } else if (!rc && !strcmp(key, "value") && remote_peek(j) == '[') {
                rc = remote_sample(j);
            } else if (!rc && !strcmp(key, "values") && remote_peek(j) == '[') {
                rc = remote_samples(j);
            } else if (!rc) {
                rc = remote_skip(j);
            }
        } while (!rc && remote_eat(j, ','));
        if (!rc && !remote_eat(j, '}'))
            rc = ERR_SYNTAX;
    }
    if (!rc && !metric && !j->count) {
        j->p = from;
        rc = remote_label_set(j);
    }
    if (!rc && j->sink->row)
        rc = j->sink->row(j->sink->ctx, &j->labels, j->samples, j->count);
    return rc < 0 ? rc : 0;
}

static int
remote_word(struct remote_json *j)
{
    buf_reset(&j->text);
    int rc = remote_string(j, &j->text);
    if (!rc && j->sink->word)
        rc = j->sink->word(j->sink->ctx, buf_str(&j->text));
    return rc < 0 ? rc : 0;
}

static int
remote_list(struct remote_json *j)
{
    int rc = 0;
    if (!remote_eat(j, '['))
        return ERR_SYNTAX;
    if (remote_eat(j, ']'))
        return 0;
    do {
        char c = remote_peek(j);
        rc = c == '{' ? remote_row(j) : c == '"' ? remote_word(j) : ERR_SYNTAX;
    } while (!rc && remote_eat(j, ','));
    return rc ? rc : remote_eat(j, ']') ? 0 : ERR_SYNTAX;
}

/* A scalar's result: one sample without labels. */
static int
remote_scalar(struct remote_json *j)
{
    j->count = 0;
    j->labels.count = 0;
    int rc = remote_sample(j);
    if (!rc && j->sink->row)
        rc = j->sink->row(j->sink->ctx, &j->labels, j->samples, j->count);
    return rc < 0 ? rc : 0;
}

static int
remote_result(struct remote_json *j)
{
    if (remote_peek(j) != '[')
        return remote_skip(j);
    const char *p = j->p + 1;
    while (p < j->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    bool number = p < j->end && ((*p >= '0' && *p <= '9') || *p == '-');
    return number ? remote_scalar(j) : remote_list(j);
}

/* Members of an object, each to `member` by its key. */
static int
remote_object(struct remote_json *j, int (*member)(struct remote_json *j, const char *key))
{
    char key[16];
    int rc;
    if (!remote_eat(j, '{'))
        return ERR_SYNTAX;
    if (remote_eat(j, '}'))
        return 0;
    do {
        rc = remote_key(j, key, sizeof key);
        if (!rc)
            rc = member(j, key);
    } while (!rc && remote_eat(j, ','));
    return rc ? rc : remote_eat(j, '}') ? 0 : ERR_SYNTAX;
}

static int
remote_data_member(struct remote_json *j, const char *key)
{
    return strcmp(key, "result") ? remote_skip(j) : remote_result(j);
}

static int
remote_top_member(struct remote_json *j, const char *key)
{
    if (!strcmp(key, "data") && remote_peek(j) == '{')
        return remote_object(j, remote_data_member);
    if (!strcmp(key, "data") && remote_peek(j) == '[')
        return remote_list(j);
    if (strcmp(key, "error") || remote_peek(j) != '"')
        return remote_skip(j);
    buf_reset(&j->text);
    int rc = remote_string(j, &j->text);
    str_copy(j->error, sizeof j->error, buf_str(&j->text));
    return rc;
}

int
remote_answer_parse(const char *text, size_t len, const struct remote_answer_sink *sink,
                    struct err *err)
{
    struct remote_json j = {.p = text, .end = text + len, .sink = sink};
    buf_init(&j.text, REMOTE_TEXT_MAX);
    int rc = buf_reserve(&j.text, REMOTE_TEXT_MAX - 1);
    if (!rc)
        rc = remote_object(&j, remote_top_member);
    if (!rc && remote_peek(&j))
        rc = ERR_SYNTAX;
    if (rc == ERR_SYNTAX)
        err_set(err, rc, "the engine's answer is not JSON as Prometheus writes it, at byte %zu",
                (size_t)(j.p - text));
    else if (rc)
        err_set(err, rc, "the engine's answer cannot be taken: %s", err_text(rc));
    else if (*j.error)
        rc = err_set(err, ERR_UNSUPPORTED, "the engine says: %s", j.error);
    free(j.samples);
    buf_done(&j.text);
    return rc;
}

void
remote_answer_error(const char *text, size_t len, char *out, size_t size)
{
    struct remote_answer_sink none = {0};
    struct remote_json j = {.p = text, .end = text + len, .sink = &none};
    buf_init(&j.text, REMOTE_TEXT_MAX);
    if (buf_reserve(&j.text, REMOTE_TEXT_MAX - 1) || remote_object(&j, remote_top_member))
        j.error[0] = 0;
    str_copy(out, size, j.error);
    free(j.samples);
    buf_done(&j.text);
}
