/* loki: two passes over the parsed document: shape first, so that a bad body stores nothing, then the lines. */
#include "collector/loki.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    enum severity severity;
} loki_words[] = {
    {"emerg", SEVERITY_CRITICAL}, {"alert", SEVERITY_CRITICAL}, {"crit", SEVERITY_CRITICAL}, {"fatal", SEVERITY_CRITICAL},
    {"panic", SEVERITY_CRITICAL}, {"err", SEVERITY_CRITICAL}, {"warn", SEVERITY_WARNING},
    {"0", SEVERITY_CRITICAL}, {"1", SEVERITY_CRITICAL}, {"2", SEVERITY_CRITICAL}, {"3", SEVERITY_CRITICAL},
    {"4", SEVERITY_WARNING},
};

enum severity
loki_severity(const char *word)
{
    for (size_t i = 0; word && i < sizeof loki_words / sizeof *loki_words; i++)
        if (!strncasecmp(word, loki_words[i].word, strlen(loki_words[i].word)))
            return loki_words[i].severity;
    return SEVERITY_INFO;
}

/* First label of the list that is there. */
static const char *
loki_label(const struct doc_node *stream, const char *const *names)
{
    for (; *names; names++) {
        const char *v = doc_get_str(stream, *names, NULL);
        if (v && *v)
            return v;
    }
    return "";
}

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
            if (!t || t->kind != DOC_STR || str_i64(t->str, t->len, &ns) || !line || line->kind != DOC_STR)
                return doc_err(d, v, err, ERR_SYNTAX, "a value is not [\"nanoseconds\", \"line\"]");
        }
    }
    return 0;
}

static int
loki_stream(const struct doc_node *s, const struct loki_sink *sink, uint64_t *lines)
{
    static const char *const nodes[] = {"node", "host", "hostname", "instance", NULL};
    static const char *const jobs[] = {"job_id", "slurm_job_id", NULL};
    static const char *const sources[] = {"source", "service_name", "service", NULL};
    static const char *const levels[] = {"level", "severity", "detected_level", NULL};
    const struct doc_node *labels = doc_get(s, "stream");
    const char *rank = doc_get_str(labels, "rank", NULL);
    struct log_line line = {
        .severity = loki_severity(loki_label(labels, levels)), .node = loki_label(labels, nodes), .job = loki_label(labels, jobs),
        .source = loki_label(labels, sources), .tenant = doc_get_str(labels, "tenant", ""), .rank = rank ? atoi(rank) : -1};
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
loki_decode_json(const char *body, size_t len, const struct loki_sink *sink, uint64_t *ret_lines, struct err *err)
{
    struct doc *d = NULL;
    uint64_t lines = 0;
    int rc = doc_parse_json(body, len, "body", &d, err);
    if (!rc)
        rc = loki_check(d, doc_get(doc_root(d), "streams"), err);
    if (!rc)
        for (const struct doc_node *s = doc_get(doc_root(d), "streams")->first; !rc && s; s = s->next)
            if ((rc = loki_stream(s, sink, &lines)))
                err_set(err, rc, "the lines do not fit: %s", err_text(rc));
    doc_free(d);
    if (!rc)
        *ret_lines = lines;
    return rc;
}
