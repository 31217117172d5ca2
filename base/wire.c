/* wire: the writing half, as agents use it.
 *
 * Expected load: an agent's collection of 1,000 to 3,000 samples each 15 s. Always true: a record
 * is in `raw` whole or not at all; the samples of one time wait in `group` until another record or
 * the end flushes them. */
#include "base/wire.h"

#include "base/compress.h"
#include "base/entity.h"
#include "base/map.h"
#include "base/wire_in.h"

#include <stdlib.h>
#include <string.h>

/* zstd's fastest ordinary level: an agent may cost its node nothing that training notices. */
#define WIRE_ZSTD_LEVEL 1

struct wire_encoder {
    struct buf raw;
    struct buf group; /* entries of the open samples record */
    size_t group_count;
    int64_t group_ms;
    struct buf key;     /* one label set, encoded: the key in `series` */
    struct map *series; /* encoded label set -> number + 1 */
    size_t series_count, records;
    int failed; /* first error of wire_encode_begin, given by every later call */
};

struct wire_encoder *
wire_encoder_new(void)
{
    struct wire_encoder *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    buf_init(&e->raw, WIRE_RAW_MAX);
    buf_init(&e->group, WIRE_RAW_MAX);
    buf_init(&e->key, LABELS_MAX * (LABEL_NAME_MAX + LABEL_VALUE_MAX + 8));
    e->failed = ERR_STATE;
    return e;
}

void
wire_encoder_free(struct wire_encoder *e)
{
    if (!e)
        return;
    buf_done(&e->raw);
    buf_done(&e->group);
    buf_done(&e->key);
    map_free(e->series, NULL);
    free(e);
}

static void
wire_put_le(struct buf *b, uint64_t v, size_t bytes)
{
    char text[8];
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(v >> 8 * i);
    buf_append(b, text, bytes);
}

static void
wire_put_varint(struct buf *b, uint64_t v)
{
    char text[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        text[n++] = (char)(v | 0x80);
    text[n++] = (char)v;
    buf_append(b, text, n);
}

static void
wire_put_str(struct buf *b, const char *s, size_t len)
{
    wire_put_varint(b, len);
    buf_append(b, s, len);
}

/* A str with a 0 behind it, which is not counted. */
static void
wire_put_text(struct buf *b, const char *s)
{
    size_t len = s ? strlen(s) : 0;
    wire_put_str(b, s ? s : "", len);
    buf_putc(b, 0);
}

void
wire_encode_begin(struct wire_encoder *e, const struct wire_head *head)
{
    buf_reset(&e->raw);
    buf_reset(&e->group);
    map_free(e->series, NULL);
    e->series = map_new(WIRE_RECORDS_MAX);
    e->series_count = e->records = e->group_count = 0;
    e->failed = e->series ? 0 : ERR_NOMEM;
    wire_put_str(&e->raw, head->agent, strnlen(head->agent, WIRE_AGENT_MAX));
    wire_put_le(&e->raw, head->epoch, 8);
    wire_put_le(&e->raw, head->sequence, 8);
    wire_put_le(&e->raw, (uint64_t)head->sent_ms, 8);
}

size_t
wire_encoded_size(const struct wire_encoder *e)
{
    return e->raw.len + (e->group_count ? e->group.len + 20 : 0);
}

/* Before a record of at most `more` bytes: is there room? */
static int
wire_room(const struct wire_encoder *e, size_t more)
{
    if (e->failed)
        return e->failed;
    if (e->records >= WIRE_RECORDS_MAX || more > WIRE_RAW_MAX ||
        wire_encoded_size(e) + more > WIRE_RAW_MAX)
        return ERR_LIMIT;
    return 0;
}

/* A record is written: counts it, or takes it back when memory ran out half way. */
static int
wire_record_end(struct wire_encoder *e, size_t mark)
{
    if (e->raw.failed) {
        e->raw.len = mark;
        e->raw.failed = false;
        return ERR_NOMEM;
    }
    e->records++;
    return 0;
}

static int
wire_group_flush(struct wire_encoder *e)
{
    if (!e->group_count)
        return 0;
    int rc = buf_reserve(&e->raw, e->group.len + 20);
    if (rc)
        return rc;
    buf_putc(&e->raw, WIRE_SAMPLES);
    wire_put_le(&e->raw, (uint64_t)e->group_ms, 8);
    wire_put_varint(&e->raw, e->group_count);
    buf_append(&e->raw, e->group.data, e->group.len);
    buf_reset(&e->group);
    e->group_count = 0;
    return 0;
}

/* The number of a label set, defining it when it is new. */
static int
wire_series(struct wire_encoder *e, const struct labels *l, size_t *ret_number)
{
    buf_reset(&e->key);
    wire_put_varint(&e->key, l->count);
    for (size_t i = 0; i < l->count; i++) {
        wire_put_str(&e->key, l->at[i].name, l->at[i].name_len);
        wire_put_str(&e->key, l->at[i].value, l->at[i].value_len);
    }
    if (e->key.failed)
        return ERR_NOMEM;
    uintptr_t found = (uintptr_t)map_get(e->series, e->key.data, e->key.len);
    if (found) {
        *ret_number = found - 1;
        return 0;
    }
    int rc = wire_room(e, e->key.len + 1);
    size_t mark = e->raw.len;
    if (rc)
        return rc;
    buf_putc(&e->raw, WIRE_LABELS);
    buf_append(&e->raw, e->key.data, e->key.len);
    rc = wire_record_end(e, mark);
    if (!rc)
        rc = map_set(e->series, e->key.data, e->key.len, (void *)(e->series_count + 1), NULL);
    if (rc) {
        e->raw.len = mark;
        return rc;
    }
    *ret_number = e->series_count++;
    return 0;
}

int
wire_encode_sample(struct wire_encoder *e, const struct labels *l, int64_t t_ms, double v)
{
    size_t number, mark;
    uint64_t bits;
    int rc = wire_room(e, 64);
    if (!rc && e->group_count && e->group_ms != t_ms)
        rc = wire_group_flush(e);
    if (!rc)
        rc = wire_series(e, l, &number);
    if (!rc)
        rc = wire_room(e, 64);
    if (rc)
        return rc;
    memcpy(&bits, &v, sizeof bits);
    mark = e->group.len;
    wire_put_varint(&e->group, number);
    wire_put_le(&e->group, bits, 8);
    if (e->group.failed) {
        e->group.len = mark;
        e->group.failed = false;
        return ERR_NOMEM;
    }
    e->group_ms = t_ms;
    e->group_count++;
    e->records++;
    return 0;
}

static size_t
wire_text_size(const char *s)
{
    return (s ? strlen(s) : 0) + 12;
}

int
wire_encode_event(struct wire_encoder *e, const struct event *ev)
{
    const char *const texts[] = {ev->entity, ev->code, ev->source, ev->text,
                                 ev->node,   ev->job,  ev->tenant, ev->fields};
    size_t size = 16;
    if (!ev->entity || !entity_ok(ev->entity) || !ev->code || !*ev->code)
        return ERR_SYNTAX;
    if (strlen(ev->code) > EVENT_CODE_MAX || (ev->text && strlen(ev->text) > EVENT_TEXT_MAX))
        return ERR_LIMIT;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (wire_text_size(texts[i]) > WIRE_STR_MAX)
            return ERR_LIMIT;
        size += wire_text_size(texts[i]);
    }
    int rc = wire_room(e, size);
    if (!rc)
        rc = wire_group_flush(e);
    if (rc)
        return rc;
    size_t mark = e->raw.len;
    buf_putc(&e->raw, WIRE_EVENT);
    wire_put_le(&e->raw, (uint64_t)ev->time_ms, 8);
    wire_put_le(&e->raw, (uint64_t)ev->phase, 1);
    wire_put_le(&e->raw, (uint64_t)ev->severity, 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        wire_put_text(&e->raw, texts[i]);
    return wire_record_end(e, mark);
}

int
wire_encode_log(struct wire_encoder *e, const struct log_line *line)
{
    const char *const texts[] = {line->node, line->job, line->source, line->tenant, line->text};
    size_t size = 16;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (wire_text_size(texts[i]) > WIRE_STR_MAX)
            return ERR_LIMIT;
        size += wire_text_size(texts[i]);
    }
    int rc = wire_room(e, size);
    if (!rc)
        rc = wire_group_flush(e);
    if (rc)
        return rc;
    size_t mark = e->raw.len;
    buf_putc(&e->raw, WIRE_LOG);
    wire_put_le(&e->raw, (uint64_t)line->time_ms, 8);
    wire_put_le(&e->raw, (uint64_t)line->severity, 1);
    wire_put_le(&e->raw, (uint64_t)line->rank, 4);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        wire_put_text(&e->raw, texts[i]);
    return wire_record_end(e, mark);
}

int
wire_encode_gap(struct wire_encoder *e, const struct gap *gap)
{
    size_t size = wire_text_size(gap->source) + wire_text_size(gap->reason) + 32;
    int rc = wire_room(e, size);
    if (!rc)
        rc = wire_group_flush(e);
    if (rc)
        return rc;
    size_t mark = e->raw.len;
    buf_putc(&e->raw, WIRE_GAP);
    wire_put_le(&e->raw, (uint64_t)gap->from_ms, 8);
    wire_put_le(&e->raw, (uint64_t)gap->to_ms, 8);
    wire_put_le(&e->raw, gap->count, 8);
    wire_put_text(&e->raw, gap->source);
    wire_put_text(&e->raw, gap->reason);
    return wire_record_end(e, mark);
}

static int
wire_encode_json(struct wire_encoder *e, char type, const char *json, size_t len)
{
    if (len > WIRE_STR_MAX)
        return ERR_LIMIT;
    if (memchr(json, 0, len))
        return ERR_SYNTAX;
    int rc = wire_room(e, len + 16);
    if (!rc)
        rc = wire_group_flush(e);
    if (rc)
        return rc;
    size_t mark = e->raw.len;
    buf_putc(&e->raw, type);
    wire_put_str(&e->raw, json, len);
    buf_putc(&e->raw, 0);
    return wire_record_end(e, mark);
}

int
wire_encode_inventory(struct wire_encoder *e, const char *json, size_t len)
{
    return wire_encode_json(e, WIRE_INVENTORY, json, len);
}

int
wire_encode_result(struct wire_encoder *e, const char *json, size_t len)
{
    return wire_encode_json(e, WIRE_RESULT, json, len);
}

int
wire_encode_end(struct wire_encoder *e, struct buf *out)
{
    int rc = e->failed ? e->failed : wire_group_flush(e);
    size_t start = out->len;
    if (rc)
        return rc;
    buf_append(out, WIRE_MAGIC "\0\0\0\0", 8);
    wire_put_le(out, e->raw.len, 4);
    rc = out->failed ? ERR_LIMIT : compress_zstd(e->raw.data, e->raw.len, WIRE_ZSTD_LEVEL, out);
    if (rc) {
        if (out->len > start)
            out->len = start;
        return rc;
    }
    uint32_t crc = crc32c(0, out->data + start + 8, out->len - start - 8);
    for (size_t i = 0; i < 4; i++)
        out->data[start + 4 + i] = (char)(crc >> 8 * i);
    e->failed = ERR_STATE;
    return 0;
}
