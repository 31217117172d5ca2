/* loki: two passes over a body: shape first, so that a bad one stores nothing, then the lines. */
#include "collector/loki.h"

#include "base/clock.h"
#include "base/compress.h"
#include "base/doc.h"
#include "base/protobuf.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOKI_RAW_MAX   ((size_t)64 << 20)
#define LOKI_PAIRS_MAX 64u

static const struct {
    const char *word;
    enum severity severity;
} loki_words[] = {
    {"emerg", SEVERITY_CRITICAL}, {"alert", SEVERITY_CRITICAL}, {"crit", SEVERITY_CRITICAL},
    {"fatal", SEVERITY_CRITICAL}, {"panic", SEVERITY_CRITICAL}, {"err", SEVERITY_CRITICAL},
    {"warn", SEVERITY_WARNING},   {"0", SEVERITY_CRITICAL},     {"1", SEVERITY_CRITICAL},
    {"2", SEVERITY_CRITICAL},     {"3", SEVERITY_CRITICAL},     {"4", SEVERITY_WARNING},
};

enum severity
loki_severity(const char *word)
{
    for (size_t i = 0; word && i < sizeof loki_words / sizeof *loki_words; i++)
        if (!strncasecmp(word, loki_words[i].word, strlen(loki_words[i].word)))
            return loki_words[i].severity;
    return SEVERITY_INFO;
}

/* --- a stream's labels ---------------------------------------------------------------------------
 */

struct loki_pairs {
    size_t count;
    struct {
        const char *name, *value;
    } at[LOKI_PAIRS_MAX];
};

static void
loki_pair(struct loki_pairs *p, const char *name, const char *value)
{
    if (p->count < LOKI_PAIRS_MAX && *value) {
        p->at[p->count].name = name;
        p->at[p->count++].value = value;
    }
}

/* Value of the first name of the list that is there. */
static const char *
loki_label(const struct loki_pairs *p, const char *const *names)
{
    for (; *names; names++)
        for (size_t i = 0; i < p->count; i++)
            if (!strcmp(p->at[i].name, *names))
                return p->at[i].value;
    return "";
}

static struct log_line
loki_head(const struct loki_pairs *p)
{
    static const char *const nodes[] = {"node", "host", "hostname", "instance", NULL};
    static const char *const jobs[] = {"job_id", "slurm_job_id", NULL};
    static const char *const sources[] = {"source", "service_name", "service", NULL};
    static const char *const levels[] = {"level", "severity", "detected_level", NULL};
    static const char *const ranks[] = {"rank", NULL};
    static const char *const tenants[] = {"tenant", NULL};
    const char *rank = loki_label(p, ranks);
    int64_t r;
    bool ranked = *rank && !str_i64(rank, strlen(rank), &r) && r >= 0 && r < INT32_MAX;
    return (struct log_line){.severity = loki_severity(loki_label(p, levels)),
                             .node = loki_label(p, nodes),
                             .job = loki_label(p, jobs),
                             .source = loki_label(p, sources),
                             .tenant = loki_label(p, tenants),
                             .rank = ranked ? (int)r : -1};
}

/* --- JSON ----------------------------------------------------------------------------------------
 */

static int
loki_check(const struct doc *d, const struct doc_node *streams, struct err *err)
{
    if (!streams || streams->kind != DOC_SEQ)
        return err_set(err, ERR_SYNTAX, "no \"streams\" list in the body");
    for (const struct doc_node *s = streams->first; s; s = s->next) {
        const struct doc_node *values = doc_get(s, "values");
        if (!values || values->kind != DOC_SEQ)
            return doc_err(d, s, err, ERR_SYNTAX, "a stream has no \"values\" list");
        for (const struct doc_node *v = values->first; v; v = v->next) {
            int64_t ns;
            const struct doc_node *t = doc_at(v, 0), *line = doc_at(v, 1);
            if (!t || t->kind != DOC_STR || str_i64(t->str, t->len, &ns) || !line ||
                line->kind != DOC_STR)
                return doc_err(d, v, err, ERR_SYNTAX, "a value is not [\"nanoseconds\", \"line\"]");
        }
    }
    return 0;
}

static int
loki_stream(const struct doc_node *s, const struct loki_sink *sink, uint64_t *lines)
{
    struct loki_pairs pairs = {.count = 0};
    const struct doc_node *labels = doc_get(s, "stream");
    for (const struct doc_node *c = labels ? labels->first : NULL; c; c = c->next)
        if (c->kind == DOC_STR && c->key)
            loki_pair(&pairs, c->key, c->str);
    struct log_line line = loki_head(&pairs);
    int rc = 0;
    for (const struct doc_node *v = doc_get(s, "values")->first; rc >= 0 && v; v = v->next) {
        int64_t ns = 0;
        const struct doc_node *t = doc_at(v, 0);
        str_i64(t->str, t->len, &ns);
        line.time_ms = ns / 1000000;
        line.text = doc_at(v, 1)->str;
        rc = sink->line(sink->ctx, &line);
        (*lines)++;
    }
    return rc < 0 ? rc : 0;
}

int
loki_decode_json(const char *body, size_t len, const struct loki_sink *sink, uint64_t *ret_lines,
                 struct err *err)
{
    struct doc *d = NULL;
    uint64_t lines = 0;
    int rc = doc_parse_json(body, len, "body", &d, err);
    if (!rc)
        rc = loki_check(d, doc_get(doc_root(d), "streams"), err);
    if (!rc)
        for (const struct doc_node *s = doc_get(doc_root(d), "streams")->first; !rc && s;
             s = s->next)
            if ((rc = loki_stream(s, sink, &lines)))
                err_set(err, rc, "the lines do not fit: %s", err_text(rc));
    doc_free(d);
    if (!rc)
        *ret_lines = lines;
    return rc;
}

/* --- protobuf ------------------------------------------------------------------------------------
 */

/* A Go string in quotes at *p, unescaped into out (0-terminated). Moves *p behind it. */
static int
loki_quoted(const char **p, const char *end, struct buf *out)
{
    const char *s = *p;
    if (s == end || *s++ != '"')
        return ERR_SYNTAX;
    for (; s < end && *s != '"'; s++) {
        char c = *s;
        if (c == '\\') {
            if (++s == end)
                return ERR_SYNTAX;
            c = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'r' ? '\r' : *s;
        }
        buf_putc(out, c ? c : '?');
    }
    if (s == end || buf_append(out, "", 1))
        return ERR_SYNTAX;
    *p = s + 1;
    return 0;
}

/* {name="value", ...} into memory of `text`, which has room for all of it. */
static int
loki_selector(const char *p, size_t len, struct buf *text, struct loki_pairs *ret)
{
    const char *end = p + len;
    buf_reset(text);
    if (buf_reserve(text, 2 * len + 16))
        return ERR_NOMEM;
    while (p < end && (*p == '{' || *p == ' '))
        p++;
    while (p < end && *p != '}') {
        const char *name = p;
        while (p < end && *p != '=')
            p++;
        size_t at = text->len;
        if (p == end || buf_append(text, name, (size_t)(p - name)) || buf_append(text, "", 1))
            return ERR_SYNTAX;
        size_t value = text->len;
        p++;
        if (loki_quoted(&p, end, text))
            return ERR_SYNTAX;
        loki_pair(ret, text->data + at, text->data + value);
        while (p < end && (*p == ',' || *p == ' '))
            p++;
    }
    return p < end ? 0 : ERR_SYNTAX;
}

/* Every message of the body is well-formed, three levels down. */
static int
loki_sound(struct protobuf_reader in, int depth, struct buf *text)
{
    struct protobuf_field f;
    struct loki_pairs pairs = {.count = 0};
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (f.type != PROTOBUF_BYTES)
            continue;
        bool message = (depth == 0 && f.number == 1) || (depth == 1 && f.number == 2) ||
                       (depth == 2 && f.number == 1);
        if (message && (rc = loki_sound(protobuf_open(f.data, f.len), depth + 1, text)))
            return rc;
        if (depth == 1 && f.number == 1 &&
            (rc = loki_selector((const char *)f.data, f.len, text, &pairs)))
            return rc;
    }
    return rc;
}

static int64_t
loki_time(const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    int64_t ms = 0;
    while (protobuf_next(&in, &f) > 0) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT) && f.value < (uint64_t)1 << 40)
            ms += (int64_t)f.value * 1000;
        else if (protobuf_is(&f, 2, PROTOBUF_VARINT) && f.value < 1000000000)
            ms += (int64_t)f.value / 1000000;
    }
    return ms;
}

static int
loki_entry(const struct protobuf_field *message, struct log_line *line, struct buf *text,
           const struct loki_sink *sink)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    line->time_ms = 0;
    buf_reset(text);
    while (protobuf_next(&in, &f) > 0) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES))
            line->time_ms = loki_time(&f);
        else if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            buf_reset(text);
            buf_append(text, f.data, f.len < EVENT_TEXT_MAX ? f.len : EVENT_TEXT_MAX);
        }
    }
    if (text->len) {
        for (size_t i = 0; i < text->len; i++)
            if (!text->data[i])
                text->data[i] = ' ';
        str_utf8_mend(text->data, &text->len);
        text->data[text->len] = 0;
    }
    line->text = buf_str(text);
    return text->failed ? ERR_NOMEM : sink->line(sink->ctx, line);
}

static int
loki_stream_message(const struct protobuf_field *message, struct buf *selector, struct buf *text,
                    const struct loki_sink *sink, uint64_t *lines)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    struct loki_pairs pairs = {.count = 0};
    int rc = 0;
    buf_reset(selector);
    while (protobuf_next(&in, &f) > 0) /* labels may stand behind the entries */
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            pairs.count = 0;
            if ((rc = loki_selector((const char *)f.data, f.len, selector, &pairs)))
                return rc;
        }
    struct log_line line = loki_head(&pairs);
    in = protobuf_open(message->data, message->len);
    while (rc >= 0 && protobuf_next(&in, &f) > 0)
        if (protobuf_is(&f, 2, PROTOBUF_BYTES)) {
            rc = loki_entry(&f, &line, text, sink);
            (*lines)++;
        }
    return rc < 0 ? rc : 0;
}

int
loki_decode_protobuf(const void *body, size_t len, const struct loki_sink *sink,
                     uint64_t *ret_lines, struct err *err)
{
    struct buf raw, selector, text;
    struct protobuf_field f;
    uint64_t lines = 0;
    buf_init(&raw, LOKI_RAW_MAX);
    buf_init(&selector, LOKI_RAW_MAX);
    buf_init(&text, EVENT_TEXT_MAX + 16);
    int rc = compress_unsnappy(body, len, &raw);
    if (rc == ERR_LIMIT)
        err_set(err, rc, "the body unpacks to more than %zu bytes", LOKI_RAW_MAX);
    else if (rc)
        rc = err_set(err, ERR_SYNTAX, "the body is not a snappy block");
    else if (loki_sound(protobuf_open(buf_str(&raw), raw.len), 0, &selector))
        rc = err_set(err, ERR_SYNTAX, "the body is not a Loki PushRequest: cut or ill-formed");
    struct protobuf_reader in = protobuf_open(buf_str(&raw), raw.len);
    while (!rc && protobuf_next(&in, &f) > 0)
        if (protobuf_is(&f, 1, PROTOBUF_BYTES) &&
            (rc = loki_stream_message(&f, &selector, &text, sink, &lines)))
            err_set(err, rc, "the lines do not fit: %s", err_text(rc));
    buf_done(&raw);
    buf_done(&selector);
    buf_done(&text);
    if (!rc)
        *ret_lines = lines;
    return rc;
}
