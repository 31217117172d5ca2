/* rans: see rans.h for the idea. */
#include "store/rans.h"

#include "store/bytes.h"

#include <math.h>

#define RANS_LOW 65536u

/* The byte that gains most from one more of RANS_TOTAL, or loses least by one less. */
static unsigned
rans_neediest(const uint32_t *count, const struct rans_code *c, uint64_t total, bool more)
{
    unsigned best = 0;
    double worth = -INFINITY;
    for (unsigned i = 0; i < RANS_SYMBOLS; i++) {
        if (!count[i] || (!more && c->freq[i] == 1))
            continue;
        double w =
            (double)count[i] * RANS_TOTAL / (double)total / (double)(c->freq[i] + (more ? 0 : -1));
        w = more ? w : -w;
        if (w > worth) {
            worth = w;
            best = i;
        }
    }
    return best;
}

void
rans_code_of(const uint32_t *count, struct rans_code *ret)
{
    uint64_t total = 0;
    unsigned sum = 0;
    for (unsigned i = 0; i < RANS_SYMBOLS; i++)
        total += count[i];
    for (unsigned i = 0; i < RANS_SYMBOLS; i++) {
        uint64_t f = (uint64_t)count[i] * RANS_TOTAL / total;
        ret->freq[i] = (uint16_t)(count[i] && !f ? 1 : f);
        sum += ret->freq[i];
    }
    for (; sum < RANS_TOTAL; sum++)
        ret->freq[rans_neediest(count, ret, total, true)]++;
    for (; sum > RANS_TOTAL; sum--)
        ret->freq[rans_neediest(count, ret, total, false)]--;
    rans_code_check(ret);
}

bool
rans_code_check(struct rans_code *c)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < RANS_SYMBOLS; i++) {
        c->start[i] = (uint16_t)sum;
        sum += c->freq[i];
        if (sum > RANS_TOTAL)
            return false;
    }
    return sum == RANS_TOTAL;
}

double
rans_bits(const uint32_t *count)
{
    double total = 0, bits = 0;
    for (unsigned i = 0; i < RANS_SYMBOLS; i++)
        if (count[i]) {
            total += count[i];
            bits -= count[i] * log2(count[i]);
        }
    return total > 0 ? bits + total * log2(total) : 0;
}

void
rans_encoder_init(struct rans_encoder *e, uint8_t *end)
{
    for (unsigned k = 0; k < RANS_LANES; k++)
        e->x[k] = RANS_LOW;
    e->p = end;
}

void
rans_encode(struct rans_encoder *e, const struct rans_code *c, const uint8_t *s, size_t n)
{
    uint8_t *p = e->p;
    for (size_t i = n; i-- > 0;) {
        uint32_t x = e->x[i % RANS_LANES], f = c->freq[s[i]];
        if (x >= (uint64_t)f << (32 - RANS_BITS)) {
            *--p = (uint8_t)(x >> 8);
            *--p = (uint8_t)x;
            x >>= 16;
        }
        e->x[i % RANS_LANES] = (x / f << RANS_BITS) + x % f + c->start[s[i]];
    }
    e->p = p;
}

uint8_t *
rans_encoder_done(struct rans_encoder *e)
{
    e->p -= RANS_STATES;
    for (unsigned k = 0; k < RANS_LANES; k++)
        bytes_put_u32(e->p + (size_t)4 * k, e->x[k]);
    return e->p;
}

void
rans_table(const struct rans_code *c, uint32_t *ret)
{
    for (uint32_t i = 0; i < RANS_SYMBOLS; i++)
        for (uint32_t k = 0; k < c->freq[i]; k++)
            *ret++ = i | (c->freq[i] - 1u) << 8 | k << 20;
}

int
rans_decoder_init(struct rans_decoder *d, const uint8_t *p, size_t len)
{
    if (len < RANS_STATES)
        return ERR_CORRUPT;
    for (unsigned k = 0; k < RANS_LANES; k++)
        d->x[k] = bytes_get_u32(p + (size_t)4 * k);
    d->p = p + RANS_STATES;
    d->end = p + len;
    return 0;
}

/* Without a branch: whether a word is taken is as hard to foretell as the bytes are. */
static inline uint32_t
rans_step(uint32_t x, const uint32_t *table, const uint8_t **p, uint8_t *out)
{
    uint32_t e = table[x & (RANS_TOTAL - 1)];
    *out = (uint8_t)e;
    x = ((e >> 8 & (RANS_TOTAL - 1)) + 1) * (x >> RANS_BITS) + (e >> 20);
    uint32_t word = (uint32_t)(*p)[0] | (uint32_t)(*p)[1] << 8, more = x < RANS_LOW;
    *p += 2 * more;
    return more ? x << 16 | word : x;
}

int
rans_decode(struct rans_decoder *d, const uint32_t *table, uint8_t *out, size_t n)
{
    uint32_t a = d->x[0], b = d->x[1], c = d->x[2], e = d->x[3];
    const uint8_t *p = d->p;
    for (; n >= RANS_LANES && p <= d->end; n -= RANS_LANES, out += RANS_LANES) {
        a = rans_step(a, table, &p, out);
        b = rans_step(b, table, &p, out + 1);
        c = rans_step(c, table, &p, out + 2);
        e = rans_step(e, table, &p, out + 3);
    }
    if (p > d->end)
        return ERR_CORRUPT;
    if (n > 0)
        a = rans_step(a, table, &p, out);
    if (n > 1)
        b = rans_step(b, table, &p, out + 1);
    if (n > 2)
        c = rans_step(c, table, &p, out + 2);
    *d = (struct rans_decoder){{a, b, c, e}, p, d->end};
    return p > d->end ? ERR_CORRUPT : 0;
}

bool
rans_decoder_ended(const struct rans_decoder *d)
{
    return d->p == d->end && d->x[0] == RANS_LOW && d->x[1] == RANS_LOW && d->x[2] == RANS_LOW &&
           d->x[3] == RANS_LOW;
}
