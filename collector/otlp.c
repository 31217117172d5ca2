/* otlp: one walk over the protobuf form. Texts of a point live in an arena that is emptied after
 * it; what a resource gives lives in another. */
#include "collector/otlp.h"

#include "base/jsonw.h"
#include "base/map.h"
#include "base/protobuf.h"
#include "base/str.h"
#include "collector/otlp_json.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define OTLP_RAW_MAX    ((size_t)64 << 20)
#define OTLP_TEXT_MAX   ((size_t)1 << 20) /* of one point or one resource */
#define OTLP_DEPTH_MAX  8                 /* of values within values */
#define OTLP_CUMULATIVE 2u
#define OTLP_NO_VALUE   1u /* flag: the point says that the series ended */

struct otlp {
    int64_t now_ms;
    const struct sample_sink *samples;
    const struct loki_sink *lines;
    struct arena *resource_text, *point_text;
    struct labels resource; /* not finished */
    struct log_line line;   /* what the resource says of a line */
    struct otlp_counts n;
};

struct otlp_metric {
    char name[LABEL_NAME_MAX + 1];
    size_t name_len;
    uint64_t temporality;
    bool monotonic;
};

/* --- values --------------------------------------------------------------------------------------
 */

static const char *
otlp_text(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_str(a, s, len);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (!copy[i])
            copy[i] = ' ';
    str_utf8_mend(copy, &len);
    copy[len] = 0;
    return copy;
}

static int otlp_value(const struct protobuf_field *value, unsigned depth, struct buf *out);

/* The values of a list, or pairs of a map, one after the other. */
static int
otlp_values(const struct protobuf_field *list, bool pairs, unsigned depth, struct buf *out)
{
    struct protobuf_reader in = protobuf_open(list->data, list->len), at;
    struct protobuf_field f, part;
    size_t n = 0;
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (!protobuf_is(&f, 1, PROTOBUF_BYTES))
            continue;
        buf_puts(out, n++ ? pairs ? " " : ", " : "");
        if (!pairs && (rc = otlp_value(&f, depth, out)))
            return rc;
        at = protobuf_open(f.data, f.len);
        while (pairs && (rc = protobuf_next(&at, &part)) > 0) {
            if (protobuf_is(&part, 1, PROTOBUF_BYTES)) {
                buf_append(out, part.data, part.len);
                buf_putc(out, '=');
            } else if (protobuf_is(&part, 2, PROTOBUF_BYTES) &&
                       (rc = otlp_value(&part, depth, out))) {
                return rc;
            }
        }
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* An AnyValue as text; bytes, and what lies deeper than anybody reads, are nothing. */
static int
otlp_value(const struct protobuf_field *value, unsigned depth, struct buf *out)
{
    struct protobuf_reader in = protobuf_open(value->data, value->len);
    struct protobuf_field f;
    char number[32];
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            buf_append(out, f.data, f.len);
        } else if (protobuf_is(&f, 2, PROTOBUF_VARINT)) {
            buf_puts(out, f.value ? "true" : "false");
        } else if (protobuf_is(&f, 3, PROTOBUF_VARINT)) {
            buf_printf(out, "%lld", (long long)f.value);
        } else if (protobuf_is(&f, 4, PROTOBUF_FIXED64)) {
            str_double_format(protobuf_double(&f), number);
            buf_puts(out, number);
        } else if ((protobuf_is(&f, 5, PROTOBUF_BYTES) || protobuf_is(&f, 6, PROTOBUF_BYTES)) &&
                   depth < OTLP_DEPTH_MAX &&
                   (rc = otlp_values(&f, f.number == 6, depth + 1, out))) {
            return rc;
        }
    }
    return rc;
}

/* An AnyValue as text in the arena. */
static const char *
otlp_any(struct arena *a, const struct protobuf_field *value)
{
    struct buf text;
    buf_init(&text, OTLP_TEXT_MAX / 2);
    int rc = otlp_value(value, 0, &text);
    const char *ret = rc ? "" : otlp_text(a, buf_str(&text), text.len);
    buf_done(&text);
    return ret ? ret : "";
}

struct otlp_pair {
    const char *key, *value; /* 0-terminated */
};

/* 0, ERR_CORRUPT, ERR_NOMEM. */
static int
otlp_pair(struct arena *a, const struct protobuf_field *message, struct otlp_pair *ret)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    struct otlp_pair p = {"", ""};
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (protobuf_is(&f, 1, PROTOBUF_BYTES))
            p.key = otlp_text(a, (const char *)f.data, f.len);
        else if (protobuf_is(&f, 2, PROTOBUF_BYTES))
            p.value = otlp_any(a, &f);
        if (!p.key)
            return ERR_LIMIT;
    }
    *ret = p;
    return rc;
}

/* Letters, digits and underscores; others become underscores. Of a metric colons stay. */
static void
otlp_name_mend(char *s, bool metric)
{
    for (char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_' && !(metric && *p == ':'))
            *p = '_';
}

/* Adds name and value; a name that is there already keeps its value. */
static int
otlp_label(struct arena *a, struct labels *l, const char *name, const char *value)
{
    char *clean = arena_str(a, name, strlen(name));
    if (!clean)
        return ERR_LIMIT;
    otlp_name_mend(clean, false);
    if (isdigit((unsigned char)*clean) && (clean = arena_alloc(a, strlen(name) + 5)))
        sprintf(clean, "key_%s", name);
    if (!clean || !*clean)
        return clean ? 0 : ERR_LIMIT;
    otlp_name_mend(clean, false);
    return labels_find(l, clean) ? 0 : labels_add_str(l, clean, value);
}

/* --- resources -----------------------------------------------------------------------------------
 */

static int
otlp_rank(const char *text, int dflt)
{
    int64_t rank;
    return !str_i64(text, strlen(text), &rank) && rank >= 0 && rank < INT32_MAX ? (int)rank : dflt;
}

static int
otlp_resource_pair(struct otlp *o, const struct otlp_pair *p)
{
    static const struct {
        const char *key, *label;
    } known[] = {{"host.name", "node"},
                 {"k8s.node.name", "node"},
                 {"service.name", "job"},
                 {"service.instance.id", "instance"},
                 {"job_id", "job_id"},
                 {"slurm.job.id", "job_id"},
                 {"rank", "rank"},
                 {"node", "node"},
                 {"k8s.pod.name", "pod"},
                 {"k8s.namespace.name", "namespace"},
                 {"k8s.container.name", "container"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(p->key, known[i].key)) {
            if (!strcmp(p->key, "host.name") || !strcmp(p->key, "node") ||
                !strcmp(p->key, "k8s.node.name"))
                o->line.node = p->value;
            else if (!strcmp(p->key, "service.name"))
                o->line.source = p->value;
            else if (!strcmp(known[i].label, "job_id"))
                o->line.job = p->value;
            else if (!strcmp(p->key, "rank"))
                o->line.rank = otlp_rank(p->value, o->line.rank);
            otlp_label(o->resource_text, &o->resource, known[i].label, p->value);
            return 0; /* a text too long for a label is left out */
        }
    return 0;
}

static int
otlp_resource(struct otlp *o, const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    struct otlp_pair p;
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0)
        if (protobuf_is(&f, 1, PROTOBUF_BYTES) &&
            ((rc = otlp_pair(o->resource_text, &f, &p)) || (rc = otlp_resource_pair(o, &p))))
            return rc;
    return rc;
}

/* --- metrics -------------------------------------------------------------------------------------
 */

/* Unit words of the UCUM that OpenTelemetry uses, to those of Prometheus. */
static const char *
otlp_unit(const char *unit, bool gauge)
{
    static const struct {
        const char *unit, *word;
    } rows[] = {{"s", "seconds"},       {"ms", "milliseconds"},
                {"us", "microseconds"}, {"ns", "nanoseconds"},
                {"min", "minutes"},     {"h", "hours"},
                {"d", "days"},          {"By", "bytes"},
                {"KiBy", "kibibytes"},  {"MiBy", "mebibytes"},
                {"GiBy", "gibibytes"},  {"kBy", "kilobytes"},
                {"MBy", "megabytes"},   {"GBy", "gigabytes"},
                {"Cel", "celsius"},     {"W", "watts"},
                {"J", "joules"},        {"V", "volts"},
                {"A", "amperes"},       {"Hz", "hertz"},
                {"%", "percent"},       {"By/s", "bytes_per_second"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].unit, unit))
            return rows[i].word;
    return !strcmp(unit, "1") && gauge ? "ratio" : "";
}

static void
otlp_suffix(struct otlp_metric *m, const char *word)
{
    char suffix[32];
    snprintf(suffix, sizeof suffix, "_%s", word);
    if (*word && !strstr(m->name, suffix) && m->name_len + strlen(suffix) <= LABEL_NAME_MAX)
        m->name_len +=
            (size_t)snprintf(m->name + m->name_len, sizeof m->name - m->name_len, "%s", suffix);
}

/* Sends one series of a point: name and suffix, one more label perhaps. */
static int
otlp_emit(struct otlp *o, const struct otlp_metric *m, const char *suffix,
          const struct labels *attributes, const char *extra, const char *extra_value,
          struct sample s)
{
    struct labels l = *attributes;
    char name[LABEL_NAME_MAX + 16];
    int n = snprintf(name, sizeof name, "%s%s", m->name, suffix);
    int rc = labels_add(&l, "__name__", 8, name, (size_t)n);
    if (!rc && extra)
        rc = labels_add_str(&l, extra, extra_value);
    for (size_t i = 0; !rc && i < o->resource.count; i++) {
        const struct label *r = &o->resource.at[i];
        bool there = false;
        for (size_t k = 0; k < attributes->count; k++)
            there |= attributes->at[k].name_len == r->name_len &&
                     !memcmp(attributes->at[k].name, r->name, r->name_len);
        if (!there)
            rc = labels_add(&l, r->name, r->name_len, r->value, r->value_len);
    }
    if (!rc)
        rc = labels_finish(&l);
    if (rc) {
        o->n.refused++;
        return 0;
    }
    o->n.taken++;
    rc = o->samples->series(o->samples->ctx, &l, &s, 1);
    return rc < 0 ? rc : 0;
}

struct otlp_point { /* of any kind: what its fields told */
    struct labels attributes;
    int64_t t_ms;
    uint64_t flags;
    bool has_value, has_sum;
    bool bad; /* its attributes are over a limit of labels */
    double value, count, sum;
    struct protobuf_field buckets, bounds;
};

/* Number of the attributes' field differs: 7 of numbers and summaries, 9 of histograms. */
static int
otlp_point(struct otlp *o, const struct protobuf_field *message, uint32_t attributes,
           struct otlp_point *ret)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    struct otlp_pair pair;
    int rc;
    bool histogram = attributes == 9;
    *ret = (struct otlp_point){.t_ms = o->now_ms};
    arena_reset(o->point_text);
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (protobuf_is(&f, attributes, PROTOBUF_BYTES)) {
            if ((rc = otlp_pair(o->point_text, &f, &pair)))
                return rc;
            ret->bad |= otlp_label(o->point_text, &ret->attributes, pair.key, pair.value) != 0;
        } else if (protobuf_is(&f, 3, PROTOBUF_FIXED64) && f.value) {
            ret->t_ms = (int64_t)(f.value / 1000000);
        } else if (protobuf_is(&f, 4, PROTOBUF_FIXED64)) {
            ret->value = protobuf_double(&f); /* of a number; else its count */
            ret->count = (double)f.value;
            ret->has_value = true;
        } else if (protobuf_is(&f, 5, PROTOBUF_FIXED64)) {
            ret->sum = protobuf_double(&f);
            ret->has_sum = true;
        } else if (protobuf_is(&f, 6, PROTOBUF_FIXED64)) {
            ret->value = (double)(int64_t)f.value;
            ret->has_value = true;
        } else if (histogram && protobuf_is(&f, 6, PROTOBUF_BYTES)) {
            ret->buckets = f;
        } else if (histogram && protobuf_is(&f, 7, PROTOBUF_BYTES)) {
            ret->bounds = f;
        } else if (protobuf_is(&f, histogram ? 10 : 8, PROTOBUF_VARINT)) {
            ret->flags = f.value;
        }
    }
    return rc;
}

static int
otlp_number(struct otlp *o, const struct otlp_metric *m, const struct otlp_point *p)
{
    bool ended = p->flags & OTLP_NO_VALUE;
    if (!p->has_value && !ended) {
        o->n.refused++;
        return 0;
    }
    struct sample s = {p->t_ms, ended ? sample_stale() : p->value};
    return otlp_emit(o, m, "", &p->attributes, NULL, NULL, s);
}

static int
otlp_sum_count(struct otlp *o, const struct otlp_metric *m, const struct otlp_point *p)
{
    struct sample s = {p->t_ms, p->flags & OTLP_NO_VALUE ? sample_stale() : p->count};
    int rc = otlp_emit(o, m, "_count", &p->attributes, NULL, NULL, s);
    s.v = p->flags & OTLP_NO_VALUE ? s.v : p->sum;
    return rc || !p->has_sum ? rc : otlp_emit(o, m, "_sum", &p->attributes, NULL, NULL, s);
}

static int
otlp_histogram(struct otlp *o, const struct otlp_metric *m, const struct otlp_point *p)
{
    struct protobuf_reader counts = protobuf_open(p->buckets.data, p->buckets.len);
    struct protobuf_reader bounds = protobuf_open(p->bounds.data, p->bounds.len);
    uint64_t n, bits;
    double total = 0, bound;
    int rc = otlp_sum_count(o, m, p), more;
    char text[32];
    while (!rc && (more = protobuf_next_fixed64(&counts, &n)) != 0) {
        if (more < 0)
            return more;
        int bounded = protobuf_next_fixed64(&bounds, &bits);
        if (bounded < 0)
            return bounded;
        memcpy(&bound, &bits, sizeof bound);
        total += (double)n;
        if (bounded)
            str_double_format(bound, text);
        struct sample s = {p->t_ms, p->flags & OTLP_NO_VALUE ? sample_stale() : total};
        rc = otlp_emit(o, m, "_bucket", &p->attributes, "le", bounded ? text : "+Inf", s);
    }
    return rc;
}

/* --- exponential histograms: bucket i of scale s ends at 2^((i + 1) / 2^s)
 * ------------------------
 */

#define OTLP_BUCKETS_MAX 320 /* the protocol's senders keep 160 */

struct otlp_exponential {
    struct otlp_point point;
    int64_t scale;
    double zero, threshold;
    struct protobuf_field positive, negative;
};

static int
otlp_exponential_point(struct otlp *o, const struct protobuf_field *message,
                       struct otlp_exponential *e)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    int rc = otlp_point(o, message, 1, &e->point);
    while (!rc && (rc = protobuf_next(&in, &f)) > 0) {
        rc = 0;
        if (protobuf_is(&f, 6, PROTOBUF_VARINT))
            e->scale = protobuf_zigzag(&f);
        else if (protobuf_is(&f, 7, PROTOBUF_FIXED64))
            e->zero = (double)f.value;
        else if (protobuf_is(&f, 8, PROTOBUF_BYTES))
            e->positive = f;
        else if (protobuf_is(&f, 9, PROTOBUF_BYTES))
            e->negative = f;
        else if (protobuf_is(&f, 10, PROTOBUF_VARINT))
            e->point.flags = f.value;
        else if (protobuf_is(&f, 14, PROTOBUF_FIXED64))
            e->threshold = protobuf_double(&f);
    }
    return rc;
}

/* Offset and counts of one side; counts end at the ceiling. */
static int
otlp_exponential_side(const struct protobuf_field *side, int64_t *ret_offset,
                      double counts[OTLP_BUCKETS_MAX], size_t *ret_count)
{
    struct protobuf_reader in = protobuf_open(side->data, side->len), packed;
    struct protobuf_field f;
    uint64_t n;
    int rc;
    *ret_count = 0;
    *ret_offset = 0;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (protobuf_is(&f, 1, PROTOBUF_VARINT))
            *ret_offset = protobuf_zigzag(&f);
        if (!protobuf_is(&f, 2, PROTOBUF_BYTES))
            continue;
        packed = protobuf_open(f.data, f.len);
        while (*ret_count < OTLP_BUCKETS_MAX && (rc = protobuf_next_varint(&packed, &n)) > 0)
            counts[(*ret_count)++] = (double)n;
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int
otlp_exponential(struct otlp *o, const struct otlp_metric *m, const struct otlp_exponential *e)
{
    const struct otlp_point *p = &e->point;
    double counts[OTLP_BUCKETS_MAX], total = e->zero;
    bool ended = p->flags & OTLP_NO_VALUE;
    char text[32];
    int64_t offset;
    size_t n;
    int rc = otlp_exponential_side(&e->negative, &offset, counts, &n);
    for (size_t i = 0; !rc && i < n; i++)
        total += counts[i];
    if (!rc && !(rc = otlp_exponential_side(&e->positive, &offset, counts, &n)))
        rc = otlp_sum_count(o, m, p);
    str_double_format(e->threshold > 0 ? e->threshold : 0, text);
    struct sample s = {p->t_ms, ended ? sample_stale() : total};
    if (!rc)
        rc = otlp_emit(o, m, "_bucket", &p->attributes, "le", text, s);
    for (size_t i = 0; !rc && i < n; i++) {
        double bound = exp2((double)(offset + (int64_t)i + 1) / exp2((double)e->scale));
        total += counts[i];
        s.v = ended ? s.v : total;
        str_double_format(bound, text);
        if (isfinite(bound) && bound > e->threshold)
            rc = otlp_emit(o, m, "_bucket", &p->attributes, "le", text, s);
    }
    s.v = ended ? s.v : p->count;
    return rc ? rc : otlp_emit(o, m, "_bucket", &p->attributes, "le", "+Inf", s);
}

static int
otlp_exponential_take(struct otlp *o, const struct otlp_metric *m,
                      const struct protobuf_field *message)
{
    struct otlp_exponential e = {.scale = 0};
    int rc = otlp_exponential_point(o, message, &e);
    if (rc)
        return rc;
    if (e.point.bad || e.scale < -10 || e.scale > 20) {
        o->n.refused++;
        return 0;
    }
    return otlp_exponential(o, m, &e);
}

static int
otlp_summary(struct otlp *o, const struct otlp_metric *m, const struct otlp_point *p,
             const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f, q;
    char text[32];
    int rc = otlp_sum_count(o, m, p);
    while (!rc && protobuf_next(&in, &f) > 0) {
        double quantile = 0, value = 0;
        if (!protobuf_is(&f, 6, PROTOBUF_BYTES))
            continue;
        struct protobuf_reader at = protobuf_open(f.data, f.len);
        while ((rc = protobuf_next(&at, &q)) > 0) {
            if (protobuf_is(&q, 1, PROTOBUF_FIXED64))
                quantile = protobuf_double(&q);
            else if (protobuf_is(&q, 2, PROTOBUF_FIXED64))
                value = protobuf_double(&q);
        }
        str_double_format(quantile, text);
        struct sample s = {p->t_ms, p->flags & OTLP_NO_VALUE ? sample_stale() : value};
        if (!rc)
            rc = otlp_emit(o, m, "", &p->attributes, "quantile", text, s);
    }
    return rc;
}

enum { OTLP_GAUGE = 5, OTLP_SUM = 7, OTLP_HISTOGRAM = 9, OTLP_EXPONENTIAL = 10, OTLP_SUMMARY = 11 };

/* The points of one metric: `data` is its Gauge, Sum, Histogram, ... */
static int
otlp_points(struct otlp *o, const struct otlp_metric *m, const struct protobuf_field *data)
{
    struct protobuf_reader in = protobuf_open(data->data, data->len);
    struct protobuf_field f;
    struct otlp_point p;
    int rc;
    bool whole = data->number == OTLP_GAUGE || data->number == OTLP_SUMMARY ||
                 m->temporality == OTLP_CUMULATIVE;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (!protobuf_is(&f, 1, PROTOBUF_BYTES))
            continue;
        if (!whole) {
            o->n.refused++;
            o->n.delta++;
            continue;
        }
        if (data->number == OTLP_EXPONENTIAL) {
            if ((rc = otlp_exponential_take(o, m, &f)))
                return rc;
            continue;
        }
        rc = otlp_point(o, &f, data->number == OTLP_HISTOGRAM ? 9 : 7, &p);
        if (!rc && p.bad) {
            o->n.refused++;
            continue;
        }
        if (!rc)
            rc = data->number == OTLP_HISTOGRAM ? otlp_histogram(o, m, &p)
                 : data->number == OTLP_SUMMARY ? otlp_summary(o, m, &p, &f)
                                                : otlp_number(o, m, &p);
        if (rc)
            return rc;
    }
    return rc;
}

/* Temporality and monotonic stand behind the points on the wire: read first. */
static int
otlp_data_head(const struct protobuf_field *data, struct otlp_metric *m)
{
    struct protobuf_reader in = protobuf_open(data->data, data->len);
    struct protobuf_field f;
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (protobuf_is(&f, 2, PROTOBUF_VARINT))
            m->temporality = f.value;
        else if (protobuf_is(&f, 3, PROTOBUF_VARINT))
            m->monotonic = f.value;
    }
    return rc;
}

static int
otlp_metric(struct otlp *o, const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f, data = {0};
    struct otlp_metric m = {.temporality = 0};
    char unit[16] = "";
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (f.type != PROTOBUF_BYTES)
            continue;
        if (f.number == 1 && f.len <= LABEL_NAME_MAX) {
            memcpy(m.name, f.data, f.len);
            m.name[m.name_len = f.len] = 0;
        } else if (f.number == 3 && f.len < sizeof unit) {
            memcpy(unit, f.data, f.len);
            unit[f.len] = 0;
        } else if (f.number >= OTLP_GAUGE && f.number <= OTLP_SUMMARY) {
            data = f;
        }
    }
    if (rc || !data.data || (rc = otlp_data_head(&data, &m)))
        return rc;
    otlp_name_mend(m.name, true);
    m.name_len = strlen(m.name);
    if (!m.name_len || isdigit((unsigned char)*m.name)) {
        o->n.refused++;
        return 0;
    }
    otlp_suffix(&m, otlp_unit(unit, data.number == OTLP_GAUGE));
    if (data.number == OTLP_SUM && m.monotonic && !str_suffix(m.name, "_total"))
        otlp_suffix(&m, "total");
    return otlp_points(o, &m, &data);
}

/* --- logs ----------------------------------------------------------------------------------------
 */

static void
otlp_record_pair(const struct otlp_pair *p, struct log_line *line)
{
    if (!*p->value)
        return;
    if (!strcmp(p->key, "node") || !strcmp(p->key, "host.name"))
        line->node = p->value;
    else if (!strcmp(p->key, "job_id") || !strcmp(p->key, "slurm.job.id"))
        line->job = p->value;
    else if (!strcmp(p->key, "source"))
        line->source = p->value;
    else if (!strcmp(p->key, "rank"))
        line->rank = otlp_rank(p->value, line->rank);
}

/* severityNumber: 1 to 12 trace, debug and info, 13 to 16 warning, above error and fatal. */
static enum severity
otlp_severity(uint64_t number, const char *text)
{
    if (!number)
        return loki_severity(text);
    return number >= 17 ? SEVERITY_CRITICAL : number >= 13 ? SEVERITY_WARNING : SEVERITY_INFO;
}

static int
otlp_record(struct otlp *o, const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    struct otlp_pair p;
    struct log_line line = o->line;
    uint64_t number = 0, observed = 0, at = 0;
    const char *word = "";
    int rc;
    arena_reset(o->point_text);
    line.text = "";
    while ((rc = protobuf_next(&in, &f)) > 0) {
        if (protobuf_is(&f, 1, PROTOBUF_FIXED64)) {
            at = f.value;
        } else if (protobuf_is(&f, 11, PROTOBUF_FIXED64)) {
            observed = f.value;
        } else if (protobuf_is(&f, 2, PROTOBUF_VARINT)) {
            number = f.value;
        } else if (protobuf_is(&f, 3, PROTOBUF_BYTES)) {
            word = otlp_text(o->point_text, (const char *)f.data, f.len);
        } else if (protobuf_is(&f, 5, PROTOBUF_BYTES)) {
            line.text = otlp_any(o->point_text, &f);
        } else if (protobuf_is(&f, 6, PROTOBUF_BYTES)) {
            if ((rc = otlp_pair(o->point_text, &f, &p)))
                return rc;
            otlp_record_pair(&p, &line);
        }
    }
    if (rc)
        return rc;
    if (!*line.text) {
        o->n.refused++;
        return 0;
    }
    at = at ? at : observed;
    line.time_ms = at ? (int64_t)(at / 1000000) : o->now_ms;
    line.severity = otlp_severity(number, word ? word : "");
    o->n.taken++;
    rc = o->lines->line(o->lines->ctx, &line);
    return rc < 0 ? rc : 0;
}

/* --- the tree ------------------------------------------------------------------------------------
 */

static int
otlp_scope(struct otlp *o, const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len);
    struct protobuf_field f;
    int rc;
    while ((rc = protobuf_next(&in, &f)) > 0)
        if (protobuf_is(&f, 2, PROTOBUF_BYTES) &&
            (rc = o->samples ? otlp_metric(o, &f) : otlp_record(o, &f)))
            return rc;
    return rc;
}

/* ResourceMetrics, ResourceLogs: the resource first, wherever it stands. */
static int
otlp_branch(struct otlp *o, const struct protobuf_field *message)
{
    struct protobuf_reader in = protobuf_open(message->data, message->len), again = in;
    struct protobuf_field f;
    int rc;
    arena_reset(o->resource_text);
    o->resource.count = 0;
    o->line = (struct log_line){.node = "", .job = "", .source = "", .tenant = "", .rank = -1};
    while ((rc = protobuf_next(&in, &f)) > 0)
        if (protobuf_is(&f, 1, PROTOBUF_BYTES) && (rc = otlp_resource(o, &f)))
            return rc;
    if (rc)
        return rc;
    while ((rc = protobuf_next(&again, &f)) > 0)
        if (protobuf_is(&f, 2, PROTOBUF_BYTES) && (rc = otlp_scope(o, &f)))
            return rc;
    return rc;
}

static int
otlp_decode(struct otlp *o, const void *body, size_t len, enum otlp_json_root root, bool json,
            struct otlp_counts *ret, struct err *err)
{
    struct buf made;
    struct protobuf_field f;
    buf_init(&made, OTLP_RAW_MAX);
    o->resource_text = arena_new(OTLP_TEXT_MAX);
    o->point_text = arena_new(OTLP_TEXT_MAX);
    int rc = o->resource_text && o->point_text ? 0 : err_set(err, ERR_NOMEM, "no memory");
    if (!rc && json && !(rc = otlp_json_encode(root, body, len, &made, err))) {
        body = buf_str(&made);
        len = made.len;
    }
    if (!rc) {
        struct protobuf_reader in = protobuf_open(body, len);
        while ((rc = protobuf_next(&in, &f)) > 0)
            if (protobuf_is(&f, 1, PROTOBUF_BYTES) && (rc = otlp_branch(o, &f)))
                break;
        if (rc == ERR_CORRUPT)
            rc = err_set(err, ERR_SYNTAX,
                         "the body is not an OTLP export request: cut or ill-formed");
        else if (rc)
            err_set(err, rc, "the body does not fit: %s", err_text(rc));
    }
    arena_free(o->resource_text);
    arena_free(o->point_text);
    buf_done(&made);
    if (!rc)
        *ret = o->n;
    return rc;
}

int
otlp_decode_metrics(const void *body, size_t len, bool json, int64_t now_ms,
                    const struct sample_sink *sink, struct otlp_counts *ret, struct err *err)
{
    struct otlp o = {.now_ms = now_ms, .samples = sink};
    return otlp_decode(&o, body, len, OTLP_JSON_METRICS, json, ret, err);
}

int
otlp_decode_logs(const void *body, size_t len, bool json, int64_t now_ms,
                 const struct loki_sink *sink, struct otlp_counts *ret, struct err *err)
{
    struct otlp o = {.now_ms = now_ms, .lines = sink};
    return otlp_decode(&o, body, len, OTLP_JSON_LOGS, json, ret, err);
}

void
otlp_answer(const struct otlp_counts *n, bool logs, bool json, struct buf *out)
{
    const char *why = n->delta
                          ? "points of delta temporality are not kept: send cumulative ones "
                            "(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative, or the "
                            "collector's deltatocumulative processor)"
                      : logs ? "records without a body are not kept"
                             : "points without a value, or with labels over a limit, are not kept";
    struct jsonw w;
    char number[24];
    if (!json && n->refused) {
        size_t mark = protobuf_begin(out, 1);
        protobuf_put_varint(out, 1, n->refused);
        protobuf_put_str(out, 2, why);
        protobuf_end(out, mark);
    }
    if (!json)
        return;
    jsonw_init(&w, out);
    jsonw_object(&w);
    if (n->refused) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)n->refused);
        jsonw_key(&w, "partialSuccess");
        jsonw_object(&w);
        jsonw_kstr(&w, logs ? "rejectedLogRecords" : "rejectedDataPoints", number);
        jsonw_kstr(&w, "errorMessage", why);
        jsonw_end_object(&w);
    }
    jsonw_end_object(&w);
}
