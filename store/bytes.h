/* bytes: varints (LEB128), zigzag and fixed little-endian integers; put at a place with room, taken
 * with bounds. */
#ifndef STORE_BYTES_H
#define STORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTES_VARINT_MAX 10

static inline uint64_t
bytes_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t
bytes_unzigzag(uint64_t u)
{
    return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

static inline uint8_t *
bytes_put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *
bytes_put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    return p + 4;
}

static inline uint8_t *
bytes_put_u64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    return p + 8;
}

static inline uint32_t
bytes_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t
bytes_get_u64(const uint8_t *p)
{
    return (uint64_t)bytes_get_u32(p) | (uint64_t)bytes_get_u32(p + 4) << 32;
}

static inline uint64_t
bytes_of_double(double v)
{
    uint64_t u;
    memcpy(&u, &v, 8);
    return u;
}

static inline double
bytes_to_double(uint64_t u)
{
    double v;
    memcpy(&v, &u, 8);
    return v;
}

struct bytes_in { /* a reader; after a wrong byte `bad` is set and every take gives 0 */
    const uint8_t *p, *end;
    bool bad;
};

static inline struct bytes_in
bytes_in_of(const void *p, size_t len)
{
    return (struct bytes_in){.p = p, .end = (const uint8_t *)p + len};
}

static inline uint64_t
bytes_take_varint(struct bytes_in *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && in->p < in->end; shift += 7) {
        uint8_t b = *in->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    in->bad = true;
    in->p = in->end;
    return 0;
}

static inline uint64_t
bytes_take_u64(struct bytes_in *in)
{
    if (in->end - in->p < 8) {
        in->bad = true;
        in->p = in->end;
        return 0;
    }
    in->p += 8;
    return bytes_get_u64(in->p - 8);
}

static inline uint8_t
bytes_take_u8(struct bytes_in *in)
{
    if (in->p >= in->end) {
        in->bad = true;
        return 0;
    }
    return *in->p++;
}

/* n bytes, or NULL and bad. */
static inline const uint8_t *
bytes_take(struct bytes_in *in, uint64_t n)
{
    if ((uint64_t)(in->end - in->p) < n) {
        in->bad = true;
        in->p = in->end;
        return NULL;
    }
    in->p += n;
    return in->p - n;
}

#endif
