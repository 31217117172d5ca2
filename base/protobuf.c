/* protobuf: some ten million fields a second of remote_write and OTLP; most varints are one byte.
 */
#include "base/protobuf.h"

#include <string.h>

#define PROTOBUF_NUMBER_MAX 0x1fffffffu

struct protobuf_reader
protobuf_open(const void *data, size_t len)
{
    const uint8_t *p = len ? data : (const uint8_t *)"";
    return (struct protobuf_reader){p, p + len};
}

/* At most ten bytes; bits over 64 are an error, as is a cut. */
static bool
protobuf_varint(struct protobuf_reader *in, uint64_t *ret)
{
    const uint8_t *p = in->p;
    if (p < in->end && *p < 0x80) {
        *ret = *p;
        in->p = p + 1;
        return true;
    }
    uint64_t v = 0;
    for (unsigned shift = 0; p < in->end && shift < 70; shift += 7) {
        uint8_t b = *p++;
        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *ret = v;
            in->p = p;
            return true;
        }
    }
    return false;
}

static bool
protobuf_fixed(struct protobuf_reader *in, size_t n, uint64_t *ret)
{
    if ((size_t)(in->end - in->p) < n)
        return false;
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | in->p[i];
    in->p += n;
    *ret = v;
    return true;
}

static bool
protobuf_bytes(struct protobuf_reader *in, struct protobuf_field *f)
{
    uint64_t len;
    if (!protobuf_varint(in, &len) || len > (uint64_t)(in->end - in->p))
        return false;
    f->data = in->p;
    f->len = (size_t)len;
    in->p += len;
    return true;
}

static bool
protobuf_value(struct protobuf_reader *in, struct protobuf_field *f)
{
    switch (f->type) {
    case PROTOBUF_VARINT:
        return protobuf_varint(in, &f->value);
    case PROTOBUF_FIXED64:
        return protobuf_fixed(in, 8, &f->value);
    case PROTOBUF_FIXED32:
        return protobuf_fixed(in, 4, &f->value);
    case PROTOBUF_BYTES:
        return protobuf_bytes(in, f);
    }
    return false;
}

int
protobuf_next(struct protobuf_reader *in, struct protobuf_field *ret)
{
    if (in->p == in->end)
        return 0;
    struct protobuf_reader at = *in;
    struct protobuf_field f = {.data = (const uint8_t *)""};
    uint64_t tag;
    if (!protobuf_varint(&at, &tag) || tag >> 3 == 0 || tag >> 3 > PROTOBUF_NUMBER_MAX)
        return ERR_CORRUPT;
    f.number = (uint32_t)(tag >> 3);
    f.type = (enum protobuf_type)(tag & 7);
    if (!protobuf_value(&at, &f))
        return ERR_CORRUPT;
    *in = at;
    *ret = f;
    return 1;
}

bool
protobuf_is(const struct protobuf_field *f, uint32_t number, enum protobuf_type type)
{
    return f->number == number && f->type == type;
}

double
protobuf_double(const struct protobuf_field *f)
{
    double v;
    memcpy(&v, &f->value, sizeof v);
    return v;
}

float
protobuf_float(const struct protobuf_field *f)
{
    uint32_t bits = (uint32_t)f->value;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

int64_t
protobuf_zigzag(const struct protobuf_field *f)
{
    return (int64_t)(f->value >> 1 ^ (0 - (f->value & 1)));
}

int
protobuf_next_varint(struct protobuf_reader *in, uint64_t *ret)
{
    if (in->p == in->end)
        return 0;
    return protobuf_varint(in, ret) ? 1 : ERR_CORRUPT;
}

int
protobuf_next_fixed64(struct protobuf_reader *in, uint64_t *ret)
{
    if (in->p == in->end)
        return 0;
    return protobuf_fixed(in, 8, ret) ? 1 : ERR_CORRUPT;
}

int
protobuf_next_fixed32(struct protobuf_reader *in, uint32_t *ret)
{
    uint64_t v;
    if (in->p == in->end)
        return 0;
    if (!protobuf_fixed(in, 4, &v))
        return ERR_CORRUPT;
    *ret = (uint32_t)v;
    return 1;
}

static size_t
protobuf_format_varint(uint8_t out[10], uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static void
protobuf_put_raw(struct buf *out, uint64_t v)
{
    uint8_t text[10];
    buf_append(out, text, protobuf_format_varint(text, v));
}

static void
protobuf_put_tag(struct buf *out, uint32_t number, enum protobuf_type type)
{
    protobuf_put_raw(out, (uint64_t)number << 3 | (unsigned)type);
}

void
protobuf_put_varint(struct buf *out, uint32_t number, uint64_t v)
{
    protobuf_put_tag(out, number, PROTOBUF_VARINT);
    protobuf_put_raw(out, v);
}

void
protobuf_put_fixed64(struct buf *out, uint32_t number, uint64_t v)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> 8 * i);
    protobuf_put_tag(out, number, PROTOBUF_FIXED64);
    buf_append(out, bytes, 8);
}

void
protobuf_put_double(struct buf *out, uint32_t number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    protobuf_put_fixed64(out, number, bits);
}

void
protobuf_put_bytes(struct buf *out, uint32_t number, const void *data, size_t len)
{
    protobuf_put_tag(out, number, PROTOBUF_BYTES);
    protobuf_put_raw(out, len);
    buf_append(out, data, len);
}

void
protobuf_put_str(struct buf *out, uint32_t number, const char *s)
{
    protobuf_put_bytes(out, number, s, strlen(s));
}

size_t
protobuf_begin(struct buf *out, uint32_t number)
{
    protobuf_put_tag(out, number, PROTOBUF_BYTES);
    return out->len;
}

/* The length stands before what it measures: known only now, so the message moves by its size. */
void
protobuf_end(struct buf *out, size_t mark)
{
    if (out->failed)
        return;
    uint8_t text[10];
    size_t len = out->len - mark, n = protobuf_format_varint(text, len);
    if (buf_reserve(out, n))
        return;
    memmove(out->data + mark + n, out->data + mark, len);
    memcpy(out->data + mark, text, n);
    out->len += n;
    out->data[out->len] = 0;
}
