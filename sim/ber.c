/* ber: see the header. */
#include "sim/ber.h"

#include <stdlib.h>
#include <string.h>

void
ber_write_init(struct ber_writer *w, uint8_t *memory, size_t size)
{
    *w = (struct ber_writer){.start = memory, .at = memory + size, .size = size};
}

size_t
ber_written(const struct ber_writer *w)
{
    return (size_t)(w->start + w->size - w->at);
}

static void
ber_put(struct ber_writer *w, uint8_t b)
{
    if (w->at == w->start)
        w->failed = true;
    else
        *--w->at = b;
}

void
ber_write_head(struct ber_writer *w, uint8_t tag, size_t len)
{
    if (len < 128) {
        ber_put(w, (uint8_t)len);
    } else {
        uint8_t n = 0;
        for (; len > 0; len >>= 8, n++)
            ber_put(w, (uint8_t)len);
        ber_put(w, (uint8_t)(0x80 | n));
    }
    ber_put(w, tag);
}

void
ber_write_bytes(struct ber_writer *w, uint8_t tag, const void *p, size_t n)
{
    if ((size_t)(w->at - w->start) < n) {
        w->failed = true;
        return;
    }
    w->at -= n;
    if (n > 0)
        memcpy(w->at, p, n);
    ber_write_head(w, tag, n);
}

void
ber_write_int(struct ber_writer *w, uint8_t tag, int64_t v)
{
    size_t n = 0;
    bool more = true;
    while (more) { /* two's complement, least bytes */
        ber_put(w, (uint8_t)v);
        n++;
        int64_t rest = v >> 8;
        more = !((rest == 0 && !(v & 0x80)) || (rest == -1 && (v & 0x80)));
        v = rest;
    }
    ber_write_head(w, tag, n);
}

void
ber_write_uint(struct ber_writer *w, uint8_t tag, uint64_t v)
{
    size_t n = 0;
    uint8_t last;
    do {
        last = (uint8_t)v;
        ber_put(w, last);
        n++;
        v >>= 8;
    } while (v > 0);
    if (last & 0x80) {
        ber_put(w, 0);
        n++;
    }
    ber_write_head(w, tag, n);
}

static size_t
ber_put_arc(struct ber_writer *w, uint32_t arc)
{
    size_t n = 0;
    do {
        ber_put(w, (uint8_t)((arc & 127) | (n > 0 ? 128 : 0)));
        n++;
        arc >>= 7;
    } while (arc > 0);
    return n;
}

void
ber_write_oid(struct ber_writer *w, const struct ber_oid *o)
{
    size_t n = 0;
    for (unsigned i = o->len; i > 2; i--)
        n += ber_put_arc(w, o->at[i - 1]);
    n += ber_put_arc(w, o->len < 2 ? 0 : o->at[0] * 40 + o->at[1]);
    ber_write_head(w, BER_OID, n);
}

bool
ber_read(struct ber_reader *r, uint8_t *ret_tag, struct ber_reader *ret_content)
{
    if (r->end - r->at < 2)
        return false;
    const uint8_t *p = r->at;
    uint8_t tag = *p++;
    size_t len = *p++;
    if (len & 0x80) {
        size_t n = len & 0x7f;
        if (n == 0 || n > 4 || (size_t)(r->end - p) < n)
            return false;
        for (len = 0; n > 0; n--)
            len = len << 8 | *p++;
    }
    if ((size_t)(r->end - p) < len)
        return false;
    *ret_tag = tag;
    *ret_content = (struct ber_reader){p, p + len};
    r->at = p + len;
    return true;
}

bool
ber_read_int(struct ber_reader *r, int64_t *ret)
{
    uint8_t tag;
    struct ber_reader c;
    if (!ber_read(r, &tag, &c) || tag != BER_INTEGER || c.end == c.at || c.end - c.at > 8)
        return false;
    uint64_t v = (*c.at & 0x80) ? UINT64_MAX : 0;
    for (; c.at < c.end; c.at++)
        v = v << 8 | *c.at;
    *ret = (int64_t)v;
    return true;
}

bool
ber_read_oid(struct ber_reader *c, struct ber_oid *ret)
{
    uint32_t arc = 0;
    unsigned bytes = 0;
    ret->len = 0;
    for (; c->at < c->end; c->at++) {
        if (++bytes > 5)
            return false;
        arc = arc << 7 | (*c->at & 127u);
        if (*c->at & 128)
            continue;
        if (ret->len + 2 > BER_OID_MAX)
            return false;
        if (ret->len == 0) {
            ret->at[0] = arc < 80 ? arc / 40 : 2;
            ret->at[1] = arc - ret->at[0] * 40;
            ret->len = 2;
        } else {
            ret->at[ret->len++] = arc;
        }
        arc = 0;
        bytes = 0;
    }
    return bytes == 0 && ret->len > 0;
}

int
ber_oid_compare(const struct ber_oid *a, const struct ber_oid *b)
{
    for (unsigned i = 0; i < a->len && i < b->len; i++)
        if (a->at[i] != b->at[i])
            return a->at[i] < b->at[i] ? -1 : 1;
    return a->len == b->len ? 0 : a->len < b->len ? -1 : 1;
}

bool
ber_oid_parse(const char *text, struct ber_oid *ret)
{
    ret->len = 0;
    while (*text != 0) {
        char *end;
        unsigned long v = strtoul(text, &end, 10);
        if (end == text || v > UINT32_MAX || ret->len == BER_OID_MAX || (*end != 0 && *end != '.'))
            return false;
        ret->at[ret->len++] = (uint32_t)v;
        text = *end == '.' ? end + 1 : end;
    }
    return ret->len >= 2;
}
