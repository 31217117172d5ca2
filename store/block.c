/* block: a byte-wise stream of samples.
 *
 * Each sample after the first is a tag byte and what the tag announces:
 *   bits 7..6  time: 0 the same step as before; 1 step changed by int8; 2 a new int32 step
 *   bits 3..0  value: 0 the same bits; 1 to 5 difference of so many bytes, in 10^-exponent;
 *              6 a new exponent (a byte) and a difference of 5 bytes;
 *              7 XOR with the value before: a byte (shift << 4 | length), bytes
 *
 * Regular series of small changes take 2 bytes a sample, constant ones 1. Lives in memory only:
 * free to change. */
#include "store/block.h"

#include "store/bytes.h"

#include <math.h>
#include <stdlib.h>

#define BLOCK_FIRST_CAP      24   /* with the header 64 bytes, one cache line */
#define BLOCK_CAP_MAX        4096 /* with header and rounding below CELLS_MAX */
#define BLOCK_SAMPLE_MAX     20   /* tag, int64, exponent or XOR head, 8 bytes */
#define BLOCK_EXPONENT_MAX   6
#define BLOCK_DIFFERENCE_MAX 5 /* bytes: counters of bytes move by less than 2^39 a scrape */
#define BLOCK_STEP_MAX       INT32_MAX

enum { BLOCK_RESCALED = 6, BLOCK_XOR = 7 };

static const double block_pow10[BLOCK_EXPONENT_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

struct block *
block_new(struct cells *c, int64_t t, double v, unsigned generation, bool raw)
{
    struct block *b = cells_take(c, sizeof *b + BLOCK_FIRST_CAP);
    if (!b)
        return NULL;
    *b = (struct block){.t0 = t, .v0 = v, .cap = BLOCK_FIRST_CAP, .count = 1};
    b->flags = (uint8_t)(generation << 2 | (raw ? BLOCK_RAW : 0));
    if (raw) {
        memcpy(b->data, &(struct sample){t, v}, sizeof(struct sample));
        b->used = sizeof(struct sample);
    }
    return b;
}

void
block_free(struct cells *c, struct block *b)
{
    cells_give(c, b, sizeof *b + b->cap);
}

/* Room for so many bytes of data; the block moves. Small steps: a fleet of slack is more than the
 * copying. */
static int
block_move(struct cells *c, struct block **bp, size_t need)
{
    struct block *o = *bp;
    size_t size = cells_size(sizeof *o + need);
    if (need > BLOCK_CAP_MAX)
        return ERR_LIMIT;
    struct block *b = cells_take(c, size);
    if (!b)
        return ERR_NOMEM;
    memcpy(b, o, block_bytes(o));
    b->cap = (uint16_t)(size - sizeof *b);
    block_free(c, o);
    *bp = b;
    return 0;
}

static inline int
block_room(struct cells *c, struct block **b, size_t more)
{
    size_t need = (size_t)(*b)->used + more;
    return need <= (*b)->cap ? 0 : block_move(c, b, need);
}

/* v as an integer of 10^-e, exactly: true and *ret. */
static inline bool
block_scaled(double v, unsigned e, int64_t *ret)
{
    double x = e ? v * block_pow10[e] : v;
    if (!(fabs(x) < 9007199254740992.0))
        return false;
    int64_t i = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    *ret = i;
    x = (double)i;
    return bytes_of_double(e ? x / block_pow10[e] : x) == bytes_of_double(v);
}

static uint8_t *
block_put_xor(uint8_t *p, double v, double last)
{
    uint64_t x = bytes_of_double(v) ^ bytes_of_double(last);
    unsigned shift = (unsigned)__builtin_ctzll(x) / 8;
    unsigned length = 8 - (unsigned)__builtin_clzll(x) / 8 - shift;
    *p++ = (uint8_t)(shift << 4 | length);
    x >>= shift * 8;
    for (unsigned i = 0; i < length; i++)
        *p++ = (uint8_t)(x >> (8 * i));
    return p;
}

static uint8_t *
block_put_difference(uint8_t *p, int64_t d, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *p++ = (uint8_t)((uint64_t)d >> (8 * i));
    return p;
}

static unsigned
block_difference_bytes(int64_t d)
{
    uint64_t u = (uint64_t)(d < 0 ? ~d : d) << 1 | 1; /* with the sign's bit */
    return (71 - (unsigned)__builtin_clzll(u)) / 8;
}

/* Writes the value's bytes, perhaps with another exponent; *ret_kind is the tag's low half. */
static uint8_t *
block_put_value(uint8_t *exponent, uint8_t *p, double v, double last, uint8_t *ret_kind)
{
    if (bytes_of_double(v) == bytes_of_double(last)) {
        *ret_kind = 0;
        return p;
    }
    int64_t i, j;
    for (unsigned e = *exponent; e <= BLOCK_EXPONENT_MAX; e++) {
        if (!block_scaled(v, e, &i))
            continue;
        if (!block_scaled(last, e, &j) || block_difference_bytes(i - j) > BLOCK_DIFFERENCE_MAX)
            break;
        *ret_kind = BLOCK_RESCALED;
        if (e == *exponent) {
            *ret_kind = (uint8_t)block_difference_bytes(i - j);
            return block_put_difference(p, i - j, *ret_kind);
        }
        *exponent = (uint8_t)e;
        *p++ = (uint8_t)e;
        return block_put_difference(p, i - j, BLOCK_DIFFERENCE_MAX);
    }
    *ret_kind = BLOCK_XOR;
    return block_put_xor(p, v, last);
}

int
block_append(struct cells *c, struct block **bp, int64_t t, double v, double last)
{
    struct block *b = *bp;
    int64_t step = t - block_last_ms(b);
    if (b->count == UINT16_MAX || t - b->t0 > UINT32_MAX || step > BLOCK_STEP_MAX)
        return ERR_LIMIT;
    uint8_t one[BLOCK_SAMPLE_MAX], *p = one + 1, kind, exponent = b->exponent;
    int64_t change = step - b->delta;
    unsigned time = 0;
    if (change >= INT8_MIN && change <= INT8_MAX) {
        time = change ? 1 : 0;
        if (change)
            *p++ = (uint8_t)change;
    } else {
        time = 2;
        p = bytes_put_u32(p, (uint32_t)(int32_t)step);
    }
    p = block_put_value(&exponent, p, v, last, &kind);
    one[0] = (uint8_t)(time << 6 | kind);
    size_t n = (size_t)(p - one);
    int rc = block_room(c, bp, n);
    if (rc)
        return rc;
    b = *bp;
    memcpy(b->data + b->used, one, n);
    b->exponent = exponent;
    b->used = (uint16_t)(b->used + n);
    b->delta = (int32_t)step;
    b->span = (uint32_t)(t - b->t0);
    b->count++;
    return 0;
}

int
block_insert(struct cells *c, struct block **bp, int64_t t, double v)
{
    struct block *b = *bp;
    struct sample *at = (struct sample *)(void *)b->data;
    int64_t low = t < b->t0 ? t : b->t0, high = t > block_last_ms(b) ? t : block_last_ms(b);
    if (b->count == UINT16_MAX || high - low > UINT32_MAX)
        return ERR_LIMIT;
    size_t i = b->count;
    while (i > 0 && at[i - 1].t_ms > t)
        i--;
    if (i > 0 && at[i - 1].t_ms == t)
        return ERR_EXISTS;
    int rc = block_room(c, bp, sizeof(struct sample));
    if (rc)
        return rc;
    b = *bp;
    at = (struct sample *)(void *)b->data;
    memmove(at + i + 1, at + i, (b->count - i) * sizeof *at);
    at[i] = (struct sample){t, v};
    b->used = (uint16_t)(b->used + sizeof *at);
    b->count++;
    b->t0 = low;
    b->span = (uint32_t)(high - low);
    return 0;
}

static const uint8_t *
block_take_xor(const uint8_t *p, double *v)
{
    unsigned shift = *p >> 4, length = *p & 15;
    uint64_t x = 0;
    p++;
    for (unsigned i = 0; i < length; i++)
        x |= (uint64_t)p[i] << (8 * (shift + i));
    *v = bytes_to_double(bytes_of_double(*v) ^ x);
    return p + length;
}

struct block_value { /* the value before, and as an integer of 10^-exponent where that is known */
    double v;
    int64_t base;
    unsigned exponent;
    bool scaled;
};

/* So many bytes as a signed number; whole words are read where the block has them. */
static int64_t
block_take_difference(const uint8_t *p, const uint8_t *end, unsigned bytes)
{
    uint64_t d = 0;
    unsigned spare = 64 - 8 * bytes;
    if (end - p >= 8)
        d = bytes_get_u64(p);
    else
        for (unsigned i = 0; i < bytes; i++)
            d |= (uint64_t)p[i] << (8 * i);
    return (int64_t)(d << spare) >> spare;
}

static const uint8_t *
block_take_value(const uint8_t *p, const uint8_t *end, unsigned kind, struct block_value *at)
{
    if (kind == BLOCK_XOR) {
        at->scaled = false;
        return block_take_xor(p, &at->v);
    }
    if (kind == BLOCK_RESCALED) {
        at->exponent = *p++;
        at->scaled = false;
        kind = BLOCK_DIFFERENCE_MAX;
    }
    if (!at->scaled)
        (void)block_scaled(at->v, at->exponent, &at->base);
    at->scaled = true;
    at->base += block_take_difference(p, end, kind);
    at->v = (double)at->base;
    if (at->exponent)
        at->v /= block_pow10[at->exponent];
    return p + kind;
}

void
block_decode(const struct block *b, struct sample *out)
{
    if (b->flags & BLOCK_RAW) {
        memcpy(out, b->data, b->count * sizeof *out);
        return;
    }
    const uint8_t *p = b->data, *end = p + b->used;
    struct block_value at = {.v = b->v0};
    int64_t t = b->t0, step = 0;
    out[0] = (struct sample){t, at.v};
    for (unsigned i = 1; i < b->count; i++) {
        unsigned tag = *p++;
        if (tag >> 6 == 1) {
            step += (int8_t)*p++;
        } else if (tag >> 6 == 2) {
            step = (int32_t)bytes_get_u32(p);
            p += 4;
        }
        t += step;
        if (tag & 15)
            p = block_take_value(p, end, tag & 15, &at);
        out[i] = (struct sample){t, at.v};
    }
}

struct block *
block_tail(struct cells *c, const struct block *b, size_t keep)
{
    struct sample at[UINT8_MAX], *all = b->count <= UINT8_MAX ? at : malloc(b->count * sizeof *at);
    size_t i = b->count - keep;
    if (!all)
        return NULL;
    block_decode(b, all);
    struct block *t = block_new(c, all[i].t_ms, all[i].v, block_generation(b), false);
    for (i++; t && i < b->count; i++)
        if (block_append(c, &t, all[i].t_ms, all[i].v, all[i - 1].v)) {
            block_free(c, t);
            t = NULL;
        }
    if (all != at)
        free(all);
    return t;
}
