/* otlp_json: one table of messages and fields drives the turn; names are those of the .proto files
 * in lowerCamelCase. */
#include "collector/otlp_json.h"

#include "base/doc.h"
#include "base/protobuf.h"
#include "base/str.h"

#include <string.h>

enum otlp_json_kind {
    TEXT,
    BOOL,
    INT,
    ZIGZAG,
    FIXED,
    DOUBLE,
    ENUM,
    PACKED_FIXED,
    PACKED_VARINT,
    PACKED_DOUBLE,
    MESSAGE
};

struct otlp_json_field {
    const char *name; /* NULL ends a message */
    uint32_t number;
    enum otlp_json_kind kind;
    const struct otlp_json_field *message;
};

static const struct otlp_json_field otlp_json_any[];

static const struct otlp_json_field otlp_json_pair[] = {
    {"key", 1, TEXT, NULL}, {"value", 2, MESSAGE, otlp_json_any}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_pairs[] = {{"values", 1, MESSAGE, otlp_json_pair},
                                                         {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_array[] = {{"values", 1, MESSAGE, otlp_json_any},
                                                         {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_any[] = {{"stringValue", 1, TEXT, NULL},
                                                       {"boolValue", 2, BOOL, NULL},
                                                       {"intValue", 3, INT, NULL},
                                                       {"doubleValue", 4, DOUBLE, NULL},
                                                       {"arrayValue", 5, MESSAGE, otlp_json_array},
                                                       {"kvlistValue", 6, MESSAGE, otlp_json_pairs},
                                                       {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_resource[] = {
    {"attributes", 1, MESSAGE, otlp_json_pair}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_number[] = {
    {"timeUnixNano", 3, FIXED, NULL}, {"asDouble", 4, DOUBLE, NULL},
    {"asInt", 6, FIXED, NULL},        {"attributes", 7, MESSAGE, otlp_json_pair},
    {"flags", 8, INT, NULL},          {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_histogram_point[] = {
    {"timeUnixNano", 3, FIXED, NULL},
    {"count", 4, FIXED, NULL},
    {"sum", 5, DOUBLE, NULL},
    {"bucketCounts", 6, PACKED_FIXED, NULL},
    {"explicitBounds", 7, PACKED_DOUBLE, NULL},
    {"attributes", 9, MESSAGE, otlp_json_pair},
    {"flags", 10, INT, NULL},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_quantile[] = {
    {"quantile", 1, DOUBLE, NULL}, {"value", 2, DOUBLE, NULL}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_summary_point[] = {
    {"timeUnixNano", 3, FIXED, NULL},
    {"count", 4, FIXED, NULL},
    {"sum", 5, DOUBLE, NULL},
    {"quantileValues", 6, MESSAGE, otlp_json_quantile},
    {"attributes", 7, MESSAGE, otlp_json_pair},
    {"flags", 8, INT, NULL},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_gauge[] = {
    {"dataPoints", 1, MESSAGE, otlp_json_number}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_sum[] = {{"dataPoints", 1, MESSAGE, otlp_json_number},
                                                       {"aggregationTemporality", 2, ENUM, NULL},
                                                       {"isMonotonic", 3, BOOL, NULL},
                                                       {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_histogram[] = {
    {"dataPoints", 1, MESSAGE, otlp_json_histogram_point},
    {"aggregationTemporality", 2, ENUM, NULL},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_summary[] = {
    {"dataPoints", 1, MESSAGE, otlp_json_summary_point}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_buckets[] = {
    {"offset", 1, ZIGZAG, NULL}, {"bucketCounts", 2, PACKED_VARINT, NULL}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_exponential_point[] = {
    {"attributes", 1, MESSAGE, otlp_json_pair},
    {"timeUnixNano", 3, FIXED, NULL},
    {"count", 4, FIXED, NULL},
    {"sum", 5, DOUBLE, NULL},
    {"scale", 6, ZIGZAG, NULL},
    {"zeroCount", 7, FIXED, NULL},
    {"positive", 8, MESSAGE, otlp_json_buckets},
    {"negative", 9, MESSAGE, otlp_json_buckets},
    {"flags", 10, INT, NULL},
    {"zeroThreshold", 14, DOUBLE, NULL},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_exponential[] = {
    {"dataPoints", 1, MESSAGE, otlp_json_exponential_point},
    {"aggregationTemporality", 2, ENUM, NULL},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_metric[] = {
    {"name", 1, TEXT, NULL},
    {"unit", 3, TEXT, NULL},
    {"gauge", 5, MESSAGE, otlp_json_gauge},
    {"sum", 7, MESSAGE, otlp_json_sum},
    {"histogram", 9, MESSAGE, otlp_json_histogram},
    {"exponentialHistogram", 10, MESSAGE, otlp_json_exponential},
    {"summary", 11, MESSAGE, otlp_json_summary},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_scope_metrics[] = {
    {"metrics", 2, MESSAGE, otlp_json_metric}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_resource_metrics[] = {
    {"resource", 1, MESSAGE, otlp_json_resource},
    {"scopeMetrics", 2, MESSAGE, otlp_json_scope_metrics},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_record[] = {
    {"timeUnixNano", 1, FIXED, NULL},
    {"severityNumber", 2, ENUM, NULL},
    {"severityText", 3, TEXT, NULL},
    {"body", 5, MESSAGE, otlp_json_any},
    {"attributes", 6, MESSAGE, otlp_json_pair},
    {"observedTimeUnixNano", 11, FIXED, NULL},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_scope_logs[] = {
    {"logRecords", 2, MESSAGE, otlp_json_record}, {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_resource_logs[] = {
    {"resource", 1, MESSAGE, otlp_json_resource},
    {"scopeLogs", 2, MESSAGE, otlp_json_scope_logs},
    {NULL, 0, TEXT, NULL}};

static const struct otlp_json_field otlp_json_roots[2][2] = {
    [OTLP_JSON_METRICS] = {{"resourceMetrics", 1, MESSAGE, otlp_json_resource_metrics},
                           {NULL, 0, TEXT, NULL}},
    [OTLP_JSON_LOGS] = {{"resourceLogs", 1, MESSAGE, otlp_json_resource_logs},
                        {NULL, 0, TEXT, NULL}},
};

struct otlp_json {
    const struct doc *doc;
    struct buf *out;
    struct err *err;
};

static int otlp_json_message(struct otlp_json *j, const struct doc_node *map,
                             const struct otlp_json_field *fields);

/* A 64-bit integer, as a number or as text; the unsigned half beyond int64 is taken too. */
static int
otlp_json_int(const struct doc_node *n, uint64_t *ret)
{
    int64_t i;
    if (n->kind == DOC_INT)
        *ret = (uint64_t)n->v.i;
    else if (n->kind == DOC_STR && !str_i64(n->str, n->len, &i))
        *ret = (uint64_t)i;
    else if (n->kind != DOC_STR || str_u64(n->str, n->len, ret))
        return ERR_SYNTAX;
    return 0;
}

static int
otlp_json_double(const struct doc_node *n, double *ret)
{
    if (n->kind == DOC_INT || n->kind == DOC_REAL) {
        *ret = doc_real(n, 0);
        return 0;
    }
    if (n->kind != DOC_STR)
        return ERR_SYNTAX;
    if (!strcmp(n->str, "Infinity") || !strcmp(n->str, "-Infinity"))
        return str_double(*n->str == '-' ? "-Inf" : "+Inf", 4, ret);
    return str_double(n->str, n->len, ret);
}

/* An enum is its number; its name is accepted where the name tells (temporality). */
static int
otlp_json_enum(const struct doc_node *n, uint64_t *ret)
{
    if (!otlp_json_int(n, ret))
        return 0;
    if (n->kind != DOC_STR)
        return ERR_SYNTAX;
    *ret = str_suffix(n->str, "_CUMULATIVE") ? 2 : str_suffix(n->str, "_DELTA") ? 1 : 0;
    return 0;
}

static int
otlp_json_packed(struct otlp_json *j, const struct doc_node *n, const struct otlp_json_field *f)
{
    int rc = n->kind == DOC_SEQ ? 0 : ERR_SYNTAX;
    size_t mark = protobuf_begin(j->out, f->number);
    for (const struct doc_node *c = rc ? NULL : n->first; !rc && c; c = c->next) {
        uint64_t bits = 0;
        double v = 0;
        rc = f->kind == PACKED_DOUBLE ? otlp_json_double(c, &v) : otlp_json_int(c, &bits);
        if (f->kind == PACKED_DOUBLE)
            memcpy(&bits, &v, sizeof bits);
        if (f->kind == PACKED_VARINT) {
            for (; bits > 127; bits >>= 7)
                buf_putc(j->out, (char)(bits | 128));
            buf_putc(j->out, (char)bits);
            continue;
        }
        buf_append(j->out, &bits, sizeof bits); /* little endian, as every machine we run on */
    }
    protobuf_end(j->out, mark);
    return rc;
}

static int
otlp_json_value(struct otlp_json *j, const struct doc_node *n, const struct otlp_json_field *f)
{
    uint64_t bits = 0;
    double v = 0;
    int rc = 0;
    size_t mark;
    switch (f->kind) {
    case TEXT:
        if (n->kind != DOC_STR)
            return ERR_SYNTAX;
        protobuf_put_bytes(j->out, f->number, n->str, n->len);
        return 0;
    case BOOL:
        if (n->kind != DOC_BOOL)
            return ERR_SYNTAX;
        protobuf_put_varint(j->out, f->number, n->v.b);
        return 0;
    case INT:
    case ENUM:
        if (!(rc = f->kind == INT ? otlp_json_int(n, &bits) : otlp_json_enum(n, &bits)))
            protobuf_put_varint(j->out, f->number, bits);
        return rc;
    case ZIGZAG:
        if (!(rc = otlp_json_int(n, &bits)))
            protobuf_put_varint(j->out, f->number, bits << 1 ^ (0 - (bits >> 63)));
        return rc;
    case FIXED:
        if (!(rc = otlp_json_int(n, &bits)))
            protobuf_put_fixed64(j->out, f->number, bits);
        return rc;
    case DOUBLE:
        if (!(rc = otlp_json_double(n, &v)))
            protobuf_put_double(j->out, f->number, v);
        return rc;
    case PACKED_FIXED:
    case PACKED_VARINT:
    case PACKED_DOUBLE:
        return otlp_json_packed(j, n, f);
    case MESSAGE:
        mark = protobuf_begin(j->out, f->number);
        rc = otlp_json_message(j, n, f->message);
        protobuf_end(j->out, mark);
        return rc;
    }
    return 0;
}

/* Depth is that of the document, which base/doc bounds. */
static int
otlp_json_message(struct otlp_json *j, const struct doc_node *map,
                  const struct otlp_json_field *fields)
{
    if (map->kind != DOC_MAP)
        return doc_err(j->doc, map, j->err, ERR_SYNTAX, "%s is not an object",
                       map->key ? map->key : "an element");
    for (const struct otlp_json_field *f = fields; f->name; f++) {
        const struct doc_node *n = doc_get(map, f->name);
        bool list = n && f->kind == MESSAGE && n->kind == DOC_SEQ;
        if (!n || n->kind == DOC_NULL)
            continue;
        for (const struct doc_node *c = list ? n->first : n; c; c = list ? c->next : NULL) {
            int rc = otlp_json_value(j, c, f);
            if (rc && f->kind != MESSAGE)
                doc_err(j->doc, c, j->err, rc, "%s is not what OTLP has there", f->name);
            if (rc)
                return rc;
        }
    }
    return 0;
}

int
otlp_json_encode(enum otlp_json_root root, const char *text, size_t len, struct buf *out,
                 struct err *err)
{
    struct doc *d = NULL;
    int rc = doc_parse_json(text, len, "body", &d, err);
    struct otlp_json j = {d, out, err};
    if (!rc)
        rc = otlp_json_message(&j, doc_root(d), otlp_json_roots[root]);
    if (!rc && out->failed)
        rc = err_set(err, ERR_LIMIT, "the body is too large");
    doc_free(d);
    return rc;
}
