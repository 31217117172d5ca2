/* wire: the reading half, as the collector uses it.
 *
 * Expected load: 2,300 agents, 160 batches a second of 1,000 to 3,000 samples. Memory is taken
 * twice a batch: the raw bytes, and one offset for each label set. The first pass checks every
 * record and notes the offsets; the second hands out pointers into the raw bytes. Always true:
 * nothing is handed out of a batch whose last byte has not been checked. */
#include "base/wire.h"

#include "base/compress.h"
#include "base/entity.h"
#include "base/wire_in.h"

#include <stdlib.h>
#include <string.h>

struct wire_reader {
    const unsigned char *base, *p, *end;
    bool bad; /* the record is cut or ill-formed; once set it stays */
};

struct wire_batch {
    struct wire_reader r;
    struct wire_head head;
    struct wire_set {
        uint32_t offset, len; /* in the raw bytes */
        bool known;           /* by the handler */
        uint64_t key[2];
    } * series;
    size_t series_count, series_cap;
    size_t passed; /* sets that the second pass has seen */
    size_t records;
    const struct wire_handler *handler; /* NULL in the first pass */
    const struct wire_handler *memory;  /* knows label sets by their bytes; NULL: nobody does */
    struct err *err;
};

static uint64_t
wire_get_le(struct wire_reader *r, size_t bytes)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->p) < bytes) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)r->p[i] << 8 * i;
    r->p += bytes;
    return v;
}

static uint64_t
wire_get_varint(struct wire_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        unsigned char c = *r->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return v;
    }
    r->bad = true;
    return 0;
}

static const char *
wire_get_str(struct wire_reader *r, size_t max, size_t *ret_len)
{
    uint64_t n = wire_get_varint(r);
    if (r->bad || n > max || n > (size_t)(r->end - r->p)) {
        r->bad = true;
        *ret_len = 0;
        return "";
    }
    const char *s = (const char *)r->p;
    r->p += n;
    *ret_len = (size_t)n;
    return s;
}

/* A str with a 0 behind it and none inside. */
static const char *
wire_get_text(struct wire_reader *r, size_t max)
{
    size_t n;
    const char *s = wire_get_str(r, max, &n);
    if (r->bad || r->p == r->end || *r->p || memchr(s, 0, n)) {
        r->bad = true;
        return "";
    }
    r->p++;
    return s;
}

static int
wire_fail(struct wire_batch *b, int code, const char *sentence)
{
    return err_set(b->err, code, "batch, raw byte %zu: %s", (size_t)(b->r.p - b->r.base), sentence);
}

static void
wire_get_labels(struct wire_reader *r, struct labels *l)
{
    uint64_t n = wire_get_varint(r);
    if (n > LABELS_MAX)
        r->bad = true;
    l->count = 0;
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        size_t name_len, value_len;
        const char *name = wire_get_str(r, LABEL_NAME_MAX, &name_len);
        const char *value = wire_get_str(r, LABEL_VALUE_MAX, &value_len);
        if (labels_add(l, name, name_len, value, value_len))
            r->bad = true;
    }
}

/* Over the bytes of a label set, looking at lengths alone. */
static void
wire_pass_labels(struct wire_reader *r)
{
    size_t len;
    uint64_t n = wire_get_varint(r);
    for (uint64_t i = 0; i < 2 * n && !r->bad; i++)
        wire_get_str(r, LABEL_VALUE_MAX, &len);
}

/* Are the next len bytes a set that is known? Then they are one whole. */
static bool
wire_knows_bytes(struct wire_batch *b, struct wire_set *set, size_t len)
{
    b->memory->key(b->memory->ctx, b->r.p, len, set->key);
    set->known = b->memory->known(b->memory->ctx, set->key, len, NULL, 0) > 0;
    set->len = (uint32_t)len;
    if (set->known)
        b->r.p += len;
    return set->known;
}

static bool
wire_knows(struct wire_batch *b, struct wire_set *set)
{
    if (!b->memory)
        return false;
    size_t likely = b->memory->likely ? b->memory->likely(b->memory->ctx) : 0;
    if (likely && likely <= (size_t)(b->r.end - b->r.p) && wire_knows_bytes(b, set, likely))
        return true;
    struct wire_reader end = b->r;
    wire_pass_labels(&end);
    size_t len = (size_t)(end.p - b->r.p);
    return !end.bad && len != likely && wire_knows_bytes(b, set, len);
}

/* First pass: well-formed, sorted (so that the second pass need not sort), and its place is kept.
 */
static int
wire_check_labels(struct wire_batch *b)
{
    struct labels l, sorted;
    struct wire_set set = {.offset = (uint32_t)(b->r.p - b->r.base)};
    if (!wire_knows(b, &set)) {
        wire_get_labels(&b->r, &l);
        sorted.count = l.count;
        memcpy(sorted.at, l.at, l.count * sizeof *l.at);
        if (b->r.bad || !l.count || labels_finish(&sorted) ||
            memcmp(sorted.at, l.at, l.count * sizeof *l.at) != 0)
            return wire_fail(b, ERR_SYNTAX, "an ill-formed label set");
        set.len = (uint32_t)(b->r.p - b->r.base) - set.offset;
    }
    if (b->series_count == b->series_cap) {
        size_t cap = b->series_cap ? b->series_cap * 2 : 1024;
        struct wire_set *p = realloc(b->series, cap * sizeof *p);
        if (!p)
            return err_set(b->err, ERR_NOMEM, "out of memory");
        b->series = p;
        b->series_cap = cap;
    }
    b->series[b->series_count++] = set;
    return 0;
}

static int
wire_skip_labels(struct wire_batch *b)
{
    const struct wire_set *set = &b->series[b->passed++];
    b->r.p = b->r.base + set->offset + set->len;
    return 0;
}

static int
wire_check_samples(struct wire_batch *b)
{
    wire_get_le(&b->r, 8);
    uint64_t n = wire_get_varint(&b->r);
    if (b->r.bad || !n || n > WIRE_RECORDS_MAX - b->records)
        return wire_fail(b, b->r.bad || !n ? ERR_SYNTAX : ERR_LIMIT,
                         n ? "too many samples" : "an empty record");
    b->records += n;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t number = wire_get_varint(&b->r);
        wire_get_le(&b->r, 8);
        if (b->r.bad || number >= b->series_count)
            return wire_fail(b, ERR_SYNTAX, "a sample of no known series");
    }
    return 0;
}

static int
wire_give_sample(struct wire_batch *b, const struct wire_set *set, const struct sample *s)
{
    const struct wire_handler *h = b->handler;
    struct wire_reader at = {.base = b->r.base, .p = b->r.base + set->offset, .end = b->r.end};
    struct labels l;
    int rc = b->memory ? h->known(h->ctx, set->key, set->len, s, 1) : 0;
    if (rc)
        return rc < 0 ? rc : 0;
    wire_get_labels(&at, &l);
    return h->samples(h->ctx, &l, s, 1);
}

static int
wire_give_samples(struct wire_batch *b)
{
    struct sample s = {.t_ms = (int64_t)wire_get_le(&b->r, 8)};
    int rc = 0;
    for (uint64_t n = wire_get_varint(&b->r); n && !rc; n--) {
        const struct wire_set *set = &b->series[wire_get_varint(&b->r)];
        uint64_t bits = wire_get_le(&b->r, 8);
        memcpy(&s.v, &bits, sizeof s.v);
        rc = wire_give_sample(b, set, &s);
    }
    return rc;
}

static int
wire_event(struct wire_batch *b)
{
    struct wire_reader *r = &b->r;
    struct event ev = {.time_ms = (int64_t)wire_get_le(r, 8)};
    uint64_t phase = wire_get_le(r, 1), severity = wire_get_le(r, 1);
    ev.entity = wire_get_text(r, ENTITY_MAX);
    ev.code = wire_get_text(r, EVENT_CODE_MAX);
    ev.source = wire_get_text(r, WIRE_STR_MAX);
    ev.text = wire_get_text(r, EVENT_TEXT_MAX);
    ev.node = wire_get_text(r, WIRE_STR_MAX);
    ev.job = wire_get_text(r, WIRE_STR_MAX);
    ev.tenant = wire_get_text(r, WIRE_STR_MAX);
    ev.fields = wire_get_text(r, WIRE_STR_MAX);
    if (r->bad || phase > EVENT_END || severity >= SEVERITIES)
        return wire_fail(b, ERR_SYNTAX, "an ill-formed event");
    ev.phase = (enum event_phase)phase;
    ev.severity = (enum severity)severity;
    if (b->handler)
        return b->handler->event ? b->handler->event(b->handler->ctx, &ev) : 0;
    return *ev.code && entity_ok(ev.entity)
               ? 0
               : wire_fail(b, ERR_SYNTAX, "an event without entity or code");
}

static int
wire_log(struct wire_batch *b)
{
    struct wire_reader *r = &b->r;
    struct log_line line = {.time_ms = (int64_t)wire_get_le(r, 8)};
    uint64_t severity = wire_get_le(r, 1);
    line.rank = (int)(int32_t)(uint32_t)wire_get_le(r, 4);
    line.node = wire_get_text(r, WIRE_STR_MAX);
    line.job = wire_get_text(r, WIRE_STR_MAX);
    line.source = wire_get_text(r, WIRE_STR_MAX);
    line.tenant = wire_get_text(r, WIRE_STR_MAX);
    line.text = wire_get_text(r, WIRE_STR_MAX);
    if (r->bad || severity >= SEVERITIES)
        return wire_fail(b, ERR_SYNTAX, "an ill-formed log line");
    line.severity = (enum severity)severity;
    return b->handler && b->handler->log ? b->handler->log(b->handler->ctx, &line) : 0;
}

static int
wire_gap(struct wire_batch *b)
{
    struct wire_reader *r = &b->r;
    struct gap gap = {.from_ms = (int64_t)wire_get_le(r, 8)};
    gap.to_ms = (int64_t)wire_get_le(r, 8);
    gap.count = wire_get_le(r, 8);
    gap.source = wire_get_text(r, WIRE_STR_MAX);
    gap.reason = wire_get_text(r, WIRE_STR_MAX);
    if (r->bad)
        return wire_fail(b, ERR_SYNTAX, "an ill-formed gap");
    return b->handler && b->handler->gap ? b->handler->gap(b->handler->ctx, &gap) : 0;
}

/* Inventories and results: a JSON text, read by whoever wants it. */
static int
wire_json(struct wire_batch *b, int (*give)(void *ctx, const char *json, size_t len))
{
    const char *json = wire_get_text(&b->r, WIRE_STR_MAX);
    if (b->r.bad)
        return wire_fail(b, ERR_SYNTAX, "an ill-formed inventory or result");
    if (!give)
        return 0;
    return give(b->handler->ctx, json, (size_t)((const char *)b->r.p - json) - 1);
}

static int
wire_record(struct wire_batch *b)
{
    switch (*b->r.p++) {
    case WIRE_LABELS:
        return b->handler ? wire_skip_labels(b) : wire_check_labels(b);
    case WIRE_SAMPLES:
        return b->handler && b->handler->samples ? wire_give_samples(b) : wire_check_samples(b);
    case WIRE_EVENT:
        return wire_event(b);
    case WIRE_LOG:
        return wire_log(b);
    case WIRE_GAP:
        return wire_gap(b);
    case WIRE_INVENTORY:
        return wire_json(b, b->handler ? b->handler->inventory : NULL);
    case WIRE_RESULT:
        return wire_json(b, b->handler ? b->handler->result : NULL);
    default:
        return wire_fail(b, ERR_SYNTAX, "a record of no known type");
    }
}

static int
wire_read_head(struct wire_batch *b)
{
    char entity[ENTITY_SIZE];
    size_t n;
    const char *agent = wire_get_str(&b->r, WIRE_AGENT_MAX, &n);
    memcpy(b->head.agent, agent, n);
    b->head.agent[n] = 0;
    b->head.epoch = wire_get_le(&b->r, 8);
    b->head.sequence = wire_get_le(&b->r, 8);
    b->head.sent_ms = (int64_t)wire_get_le(&b->r, 8);
    if (b->r.bad || memchr(agent, 0, n) || entity_format(entity, ENTITY_NODE, b->head.agent, NULL))
        return wire_fail(b, ERR_SYNTAX, "an ill-formed head");
    return 0;
}

/* One pass over all records; the number of records is limited in the first. */
static int
wire_pass(struct wire_batch *b, const struct wire_handler *handler)
{
    b->handler = handler;
    b->records = 0;
    b->r.p = b->r.base;
    int rc = wire_read_head(b);
    if (!rc && handler && handler->head)
        rc = handler->head(handler->ctx, &b->head);
    while (!rc && b->r.p < b->r.end) {
        /* The entries of a samples record count, its head does not; an empty one is refused. */
        b->records += *b->r.p != WIRE_SAMPLES;
        if (b->records > WIRE_RECORDS_MAX)
            return wire_fail(b, ERR_LIMIT, "too many records");
        rc = wire_record(b);
    }
    return rc;
}

/* Checksum, sizes, and the raw bytes into `raw`. */
static int
wire_unpack(const unsigned char *data, size_t len, struct buf *raw, struct err *err)
{
    struct wire_reader r = {.base = data, .p = data + 4, .end = data + len};
    if (len < WIRE_HEAD_SIZE || memcmp(data, WIRE_MAGIC, 4) != 0)
        return err_set(err, ERR_SYNTAX, "not a batch: the magic bytes are missing");
    uint32_t crc = (uint32_t)wire_get_le(&r, 4);
    if (crc32c(0, r.p, (size_t)(r.end - r.p)) != crc)
        return err_set(err, ERR_CORRUPT, "the batch's checksum is wrong");
    uint64_t size = wire_get_le(&r, 4);
    if (size > WIRE_RAW_MAX)
        return err_set(err, ERR_LIMIT, "a batch of %llu raw bytes is too large",
                       (unsigned long long)size);
    buf_init(raw, size);
    int rc = compress_unzstd(r.p, (size_t)(r.end - r.p), raw);
    if (rc == ERR_NOMEM)
        return err_set(err, rc, "out of memory");
    if (rc || raw->len != size)
        return err_set(err, rc ? rc : ERR_CORRUPT, "the batch does not unpack to its size");
    return 0;
}

int
wire_decode(const void *data, size_t len, const struct wire_handler *h, struct err *err)
{
    struct wire_batch b = {.err = err, .memory = h && h->known ? h : NULL};
    struct buf raw = {0};
    int rc = wire_unpack(data, len, &raw, err);
    if (!rc) {
        b.r.base = (const unsigned char *)buf_str(&raw);
        b.r.end = b.r.base + raw.len;
        rc = wire_pass(&b, NULL);
        b.r.bad = false;
    }
    if (!rc)
        rc = wire_pass(&b, h);
    free(b.series);
    buf_done(&raw);
    return rc;
}
