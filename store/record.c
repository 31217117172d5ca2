/* record: encodes and decodes what the journal and the day files hold. Every decoder bounds every
 * length: the bytes come from a disk. */
#include "store/record.h"

#include "base/compress.h"
#include "base/err.h"

#include <math.h>
#include <string.h>

#define RECORD_BATCH_MAGIC  0x314a534du /* "MSJ1" */
#define RECORD_BATCH_HEADER 8

int
record_put_labels(struct buf *out, const struct labels *l)
{
    size_t need = BYTES_VARINT_MAX;
    for (size_t i = 0; i < l->count; i++)
        need += 2u * BYTES_VARINT_MAX + l->at[i].name_len + l->at[i].value_len;
    int rc = buf_reserve(out, need);
    if (rc)
        return rc;
    uint8_t *p = (uint8_t *)out->data + out->len;
    p = bytes_put_varint(p, l->count);
    for (size_t i = 0; i < l->count; i++) {
        p = bytes_put_varint(p, l->at[i].name_len);
        memcpy(p, l->at[i].name, l->at[i].name_len);
        p += l->at[i].name_len;
        p = bytes_put_varint(p, l->at[i].value_len);
        memcpy(p, l->at[i].value, l->at[i].value_len);
        p += l->at[i].value_len;
    }
    out->len = (size_t)(p - (uint8_t *)out->data);
    return 0;
}

int
record_take_labels(const void *p, size_t len, struct labels *ret)
{
    struct bytes_in in = bytes_in_of(p, len);
    uint64_t n = bytes_take_varint(&in);
    if (in.bad || n > LABELS_MAX)
        return ERR_CORRUPT;
    ret->count = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct label *l = &ret->at[i];
        l->name_len = (uint32_t)bytes_take_varint(&in);
        l->name = (const char *)bytes_take(&in, l->name_len);
        l->value_len = (uint32_t)bytes_take_varint(&in);
        l->value = (const char *)bytes_take(&in, l->value_len);
        if (in.bad || l->name_len > LABEL_NAME_MAX || l->value_len > LABEL_VALUE_MAX)
            return ERR_CORRUPT;
    }
    ret->count = (size_t)n;
    return in.p == in.end ? 0 : ERR_CORRUPT;
}

static void
record_put_u(struct buf *out, uint64_t v)
{
    if (buf_reserve(out, BYTES_VARINT_MAX))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    out->len += (size_t)(bytes_put_varint(p, v) - p);
}

static void
record_put_i(struct buf *out, int64_t v)
{
    record_put_u(out, bytes_zigzag(v));
}

static void
record_put_str(struct buf *out, const char *s) /* with its 0, so that readers can point at it */
{
    size_t n = s ? strlen(s) : 0;
    record_put_u(out, n);
    buf_append(out, s ? s : "", n + 1);
}

static const char *
record_take_str(struct bytes_in *in)
{
    uint64_t n = bytes_take_varint(in);
    const uint8_t *p = in->bad || n == UINT64_MAX ? NULL : bytes_take(in, n + 1);
    if (!p || p[n] || memchr(p, 0, n)) {
        in->bad = true;
        return "";
    }
    return (const char *)p;
}

static void
record_put_event(struct buf *out, const struct event *e)
{
    record_put_i(out, e->time_ms);
    record_put_i(out, e->seen_ms);
    record_put_u(out, e->phase);
    record_put_u(out, e->severity);
    const char *const text[] = {e->entity, e->code,   e->source, e->node,
                                e->job,    e->tenant, e->text,   e->fields};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        record_put_str(out, text[i]);
}

static void
record_take_event(struct bytes_in *in, struct event *e)
{
    e->time_ms = bytes_unzigzag(bytes_take_varint(in));
    e->seen_ms = bytes_unzigzag(bytes_take_varint(in));
    e->phase = (enum event_phase)bytes_take_varint(in);
    e->severity = (enum severity)bytes_take_varint(in);
    const char **const text[] = {&e->entity, &e->code,   &e->source, &e->node,
                                 &e->job,    &e->tenant, &e->text,   &e->fields};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        *text[i] = record_take_str(in);
    in->bad |= e->phase > EVENT_END || e->severity >= SEVERITIES;
}

static void
record_put_log(struct buf *out, const struct log_line *l)
{
    record_put_i(out, l->time_ms);
    record_put_u(out, l->severity);
    record_put_i(out, l->rank);
    const char *const text[] = {l->node, l->job, l->source, l->tenant, l->text};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        record_put_str(out, text[i]);
}

static void
record_take_log(struct bytes_in *in, struct log_line *l)
{
    l->time_ms = bytes_unzigzag(bytes_take_varint(in));
    l->severity = (enum severity)bytes_take_varint(in);
    l->rank = (int)bytes_unzigzag(bytes_take_varint(in));
    const char **const text[] = {&l->node, &l->job, &l->source, &l->tenant, &l->text};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        *text[i] = record_take_str(in);
    in->bad |= l->severity >= SEVERITIES;
}

int
record_put(struct buf *out, const struct record *r)
{
    record_put_u(out, r->kind);
    record_put_i(out, r->filed_ms);
    switch (r->kind) {
    case RECORD_EVENT:
        record_put_event(out, &r->event);
        break;
    case RECORD_LOG:
        record_put_log(out, &r->log);
        break;
    case RECORD_GAP:
        record_put_i(out, r->gap.from_ms);
        record_put_i(out, r->gap.to_ms);
        record_put_u(out, r->gap.count);
        record_put_str(out, r->gap.source);
        record_put_str(out, r->gap.reason);
        break;
    }
    return out->failed ? ERR_LIMIT : 0;
}

int
record_take(const void *p, size_t len, struct record *ret)
{
    struct bytes_in in = bytes_in_of(p, len);
    ret->kind = (enum record_kind)bytes_take_varint(&in);
    ret->filed_ms = bytes_unzigzag(bytes_take_varint(&in));
    switch (ret->kind) {
    case RECORD_EVENT:
        record_take_event(&in, &ret->event);
        break;
    case RECORD_LOG:
        record_take_log(&in, &ret->log);
        break;
    case RECORD_GAP:
        ret->gap.from_ms = bytes_unzigzag(bytes_take_varint(&in));
        ret->gap.to_ms = bytes_unzigzag(bytes_take_varint(&in));
        ret->gap.count = bytes_take_varint(&in);
        ret->gap.source = record_take_str(&in);
        ret->gap.reason = record_take_str(&in);
        break;
    default:
        return ERR_CORRUPT;
    }
    return in.bad || in.p != in.end ? ERR_CORRUPT : 0;
}

int
record_next(struct bytes_in *in, const uint8_t **ret_at, size_t *ret_len)
{
    if (in->p == in->end)
        return 0;
    uint64_t n = bytes_take_varint(in);
    const uint8_t *p = in->bad ? NULL : bytes_take(in, n);
    if (!p)
        return ERR_CORRUPT;
    *ret_at = p;
    *ret_len = (size_t)n;
    return 1;
}

int
record_batch_begin(struct buf *out, uint64_t row0, size_t series)
{
    int rc = buf_reserve(out, RECORD_BATCH_HEADER);
    if (rc)
        return rc;
    memset(out->data + out->len, 0, RECORD_BATCH_HEADER);
    out->len += RECORD_BATCH_HEADER;
    record_put_u(out, row0);
    record_put_u(out, series);
    return out->failed ? ERR_LIMIT : 0;
}

/* Integers as varint(zigzag << 1), others as the byte 1 and 8 bytes. */
static inline uint8_t *
record_put_value(uint8_t *p, double v)
{
    if (fabs(v) < 9007199254740992.0) {
        int64_t i = (int64_t)v;
        if (bytes_of_double((double)i) == bytes_of_double(v))
            return bytes_put_varint(p, bytes_zigzag(i) << 1);
    }
    *p++ = 1;
    return bytes_put_u64(p, bytes_of_double(v));
}

int
record_batch_series(struct buf *out, struct record_batch_state *st, uint64_t id,
                    const struct sample *s, size_t n)
{
    int rc = buf_reserve(out, 2 * BYTES_VARINT_MAX + n * (2 * BYTES_VARINT_MAX));
    if (rc)
        return rc;
    uint8_t *p = (uint8_t *)out->data + out->len;
    p = bytes_put_varint(p, bytes_zigzag((int64_t)(id - st->id)) << 1 | (n != 1));
    if (n != 1)
        p = bytes_put_varint(p, n);
    st->id = id;
    for (size_t i = 0; i < n; i++) {
        p = bytes_put_varint(p, bytes_zigzag((int64_t)((uint64_t)s[i].t_ms - (uint64_t)st->t)));
        p = record_put_value(p, s[i].v);
        st->t = s[i].t_ms;
    }
    out->len = (size_t)(p - (uint8_t *)out->data);
    return 0;
}

int
record_batch_end(struct buf *out, const void *rows, size_t rows_len)
{
    int rc = buf_append(out, rows, rows_len);
    if (rc || out->failed)
        return rc ? rc : ERR_LIMIT;
    uint8_t *p = (uint8_t *)out->data;
    bytes_put_u32(p, RECORD_BATCH_MAGIC);
    bytes_put_u32(p + 4, crc32c(0, p + RECORD_BATCH_HEADER, out->len - RECORD_BATCH_HEADER));
    return 0;
}

int
record_batch_open(const void *p, size_t len, struct record_batch *ret)
{
    const uint8_t *b = p;
    if (len < RECORD_BATCH_HEADER || bytes_get_u32(b) != RECORD_BATCH_MAGIC ||
        bytes_get_u32(b + 4) != crc32c(0, b + RECORD_BATCH_HEADER, len - RECORD_BATCH_HEADER))
        return ERR_CORRUPT;
    *ret = (struct record_batch){
        .in = bytes_in_of(b + RECORD_BATCH_HEADER, len - RECORD_BATCH_HEADER)};
    ret->row0 = bytes_take_varint(&ret->in);
    ret->series_left = bytes_take_varint(&ret->in);
    return ret->in.bad ? ERR_CORRUPT : 0;
}

int
record_batch_next(struct record_batch *b, uint64_t *ret_id, uint64_t *ret_count)
{
    if (!b->series_left)
        return 0;
    uint64_t u = bytes_take_varint(&b->in);
    b->st.id += (uint64_t)bytes_unzigzag(u >> 1);
    *ret_id = b->st.id;
    *ret_count = u & 1 ? bytes_take_varint(&b->in) : 1;
    b->series_left--;
    return b->in.bad ? ERR_CORRUPT : 1;
}

bool
record_batch_sample(struct record_batch *b, struct sample *ret)
{
    b->st.t = (int64_t)((uint64_t)b->st.t + (uint64_t)bytes_unzigzag(bytes_take_varint(&b->in)));
    ret->t_ms = b->st.t;
    uint64_t u = bytes_take_varint(&b->in);
    ret->v = u & 1 ? bytes_to_double(bytes_take_u64(&b->in)) : (double)bytes_unzigzag(u >> 1);
    return !b->in.bad;
}
