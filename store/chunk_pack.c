/* chunk_pack: the writer. The way to take differences, one of five, is the one that takes fewest
 * bits on a few of the chunk's own series. A residual below 16 is a token; of a larger one the
 * token tells how long it is and its first bits, and the others, which are noise, stay as they are.
 * Series whose residuals are about as long share the frequencies of their tokens. */
#include "store/chunk_pack.h"

#include "base/err.h"
#include "store/chunk.h"
#include "store/rans.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_PACK_TRIAL        8192 /* residuals on which the ways are compared */
#define CHUNK_PACK_TRIAL_SERIES 16
#define CHUNK_PACK_LENGTHS      128 /* mean lengths of residuals, in half bits */

struct chunk_pack_series {
    const int64_t *v;
    uint64_t divisor;
    int64_t first, step, low;
    uint32_t count, rest;
    size_t at; /* of its residuals */
    uint8_t length, class;
};

struct chunk_pack {
    struct chunk_pack_series *series;
    size_t count;
    unsigned mode, classes, bits; /* bits: how many a token keeps behind the first */
    uint64_t *residuals;
    size_t used, cap;
    uint32_t counts[CHUNK_PACK_CLASSES][RANS_SYMBOLS];
    struct rans_code codes[CHUNK_PACK_CLASSES];
    struct buf tokens, raw, coded;
};

struct chunk_pack *
chunk_pack_new(void)
{
    struct chunk_pack *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    buf_init(&p->tokens, CHUNK_BYTES_MAX);
    buf_init(&p->raw, CHUNK_BYTES_MAX);
    buf_init(&p->coded, CHUNK_BYTES_MAX);
    p->series = malloc(CHUNK_SERIES_MAX * sizeof *p->series);
    if (!p->series) {
        chunk_pack_free(p);
        return NULL;
    }
    return p;
}

void
chunk_pack_free(struct chunk_pack *p)
{
    if (!p)
        return;
    buf_done(&p->tokens);
    buf_done(&p->raw);
    buf_done(&p->coded);
    free(p->series);
    free(p->residuals);
    free(p);
}

void
chunk_pack_add(struct chunk_pack *p, const int64_t *v, uint32_t n)
{
    p->series[p->count++] = (struct chunk_pack_series){.v = v, .count = n};
}

/* --- residuals -------------------------------------------------------------------------------- */

static unsigned
chunk_pack_length(uint64_t u)
{
    return u ? 64 - (unsigned)__builtin_clzll(u) : 0;
}

static uint64_t
chunk_pack_gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t c = a % b;
        a = b;
        b = c;
    }
    return a;
}

/* Divides by what all are multiples of: pages of memory, sectors, steps of a clock. */
static void
chunk_pack_divide(struct chunk_pack_series *s, int64_t *d)
{
    uint64_t divisor = 0;
    for (uint32_t i = 0; i < s->rest && divisor != 1; i++) {
        uint64_t u = (uint64_t)(d[i] < 0 ? -d[i] : d[i]);
        if (u && (!divisor || u % divisor))
            divisor = chunk_pack_gcd(u, divisor);
    }
    s->divisor = divisor ? divisor : 1;
    if (divisor > 1)
        for (uint32_t i = 0; i < s->rest; i++)
            d[i] /= (int64_t)divisor;
}

/* Differences of 54-bit integers stay within 56 bits. */
static void
chunk_pack_differences(struct chunk_pack_series *s, unsigned order, int64_t *d)
{
    const int64_t *v = s->v;
    s->first = v[0];
    s->step = s->count > 1 ? v[1] - v[0] : 0;
    if (order == 0)
        memcpy(d, v, s->count * sizeof *d);
    else if (order == 1)
        for (uint32_t i = 1; i < s->count; i++)
            d[i - 1] = v[i] - v[i - 1];
    else
        for (uint32_t i = 2; i < s->count; i++)
            d[i - 2] = v[i] - 2 * v[i - 1] + v[i - 2];
}

/* Returns all bits that are set in one of them. */
static uint64_t
chunk_pack_residuals(struct chunk_pack_series *s, unsigned mode, uint64_t *r)
{
    int64_t *d = (int64_t *)(void *)r, low = INT64_MAX;
    uint64_t all = 0, length = 0;
    s->rest = chunk_pack_rest(s->count, mode);
    s->low = 0;
    chunk_pack_differences(s, mode & CHUNK_PACK_ORDER, d);
    if (!(mode & CHUNK_PACK_ZIGZAG)) {
        for (uint32_t i = 0; i < s->rest; i++)
            low = d[i] < low ? d[i] : low;
        s->low = s->rest ? low : 0;
        for (uint32_t i = 0; i < s->rest; i++)
            d[i] -= s->low;
    }
    chunk_pack_divide(s, d);
    for (uint32_t i = 0; i < s->rest; i++) {
        r[i] = mode & CHUNK_PACK_ZIGZAG ? bytes_zigzag(d[i]) : (uint64_t)d[i];
        all |= r[i];
        length += chunk_pack_length(r[i]);
    }
    s->length = (uint8_t)(s->rest ? 2 * length / s->rest : 0);
    return all;
}

static int
chunk_pack_room(struct chunk_pack *p, size_t more)
{
    size_t cap = p->cap ? p->cap : 16384;
    if (p->used + more <= p->cap)
        return 0;
    while (cap < p->used + more)
        cap *= 2;
    uint64_t *r = realloc(p->residuals, cap * sizeof *r);
    if (!r)
        return ERR_NOMEM;
    p->residuals = r;
    p->cap = cap;
    return 0;
}

/* --- tokens ----------------------------------------------------------------------------------- */

struct chunk_pack_token {
    unsigned token, length; /* length: of the raw bits */
};

static inline struct chunk_pack_token
chunk_pack_token(uint64_t u, unsigned bits)
{
    if (u < CHUNK_PACK_EXACT)
        return (struct chunk_pack_token){(unsigned)u, 0};
    unsigned top = 63 - (unsigned)__builtin_clzll(u), length = top - bits;
    unsigned head = (unsigned)(u >> length) & ((1u << bits) - 1);
    return (struct chunk_pack_token){CHUNK_PACK_EXACT + ((top - 4) << bits) + head, length};
}

/* Series of about the same mean length get one class; lengths are taken together until there are
 * few. */
static void
chunk_pack_classify(struct chunk_pack *p, size_t step)
{
    for (unsigned shift = 0;; shift++) {
        uint8_t class[CHUNK_PACK_LENGTHS] = {0};
        unsigned n = 0;
        for (size_t i = 0; i < p->count; i += step) {
            uint8_t *c = &class[p->series[i].length >> shift];
            *c = *c ? *c : (uint8_t)++n;
            p->series[i].class = (uint8_t)(*c - 1);
        }
        p->classes = n;
        if (n <= CHUNK_PACK_CLASSES)
            return;
    }
}

/* Residuals, classes and frequencies of every step-th series, up to a limit of residuals; what they
 * will take, in bits. */
static int
chunk_pack_fill(struct chunk_pack *p, unsigned mode, size_t step, size_t limit, double *ret)
{
    uint64_t all = 0, raw = 0;
    size_t end = 0;
    p->used = 0;
    p->mode = mode;
    for (; end < p->count && p->used < limit; end += step) {
        struct chunk_pack_series *s = &p->series[end];
        if (chunk_pack_room(p, s->count))
            return ERR_NOMEM;
        s->at = p->used;
        all |= chunk_pack_residuals(s, mode, p->residuals + p->used);
        p->used += s->rest;
        raw += mode & CHUNK_PACK_ZIGZAG ? 0 : chunk_pack_length(bytes_zigzag(s->low)) + 4;
    }
    size_t count = p->count;
    p->count = end < count ? end : count;
    p->bits = all >> CHUNK_PACK_WIDE ? 2 : 3;
    chunk_pack_classify(p, step);
    memset(p->counts, 0, sizeof p->counts);
    for (size_t i = 0; i < p->count; i += step) {
        const struct chunk_pack_series *s = &p->series[i];
        for (uint32_t k = 0; k < s->rest; k++) {
            struct chunk_pack_token t = chunk_pack_token(p->residuals[s->at + k], p->bits);
            p->counts[s->class][t.token]++;
            raw += t.length;
        }
    }
    p->count = count;
    *ret = (double)raw;
    for (unsigned c = 0; c < p->classes; c++)
        *ret += rans_bits(p->counts[c]);
    return 0;
}

static int
chunk_pack_choose(struct chunk_pack *p)
{
    size_t step = p->count / CHUNK_PACK_TRIAL_SERIES + 1;
    unsigned best = 1;
    double least = 0, bits;
    for (unsigned mode = 0; mode < CHUNK_PACK_MODES; mode++) {
        if (!chunk_pack_mode_ok(mode))
            continue;
        int rc = chunk_pack_fill(p, mode, step, CHUNK_PACK_TRIAL, &bits);
        if (rc)
            return rc;
        if (mode == 0 || bits < least) {
            least = bits;
            best = mode;
        }
    }
    return chunk_pack_fill(p, best, 1, SIZE_MAX, &bits);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void
chunk_pack_put(struct buf *out, uint64_t v)
{
    if (buf_reserve(out, BYTES_VARINT_MAX))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    out->len += (size_t)(bytes_put_varint(p, v) - p);
}

/* The difference to the one before, modulo 2^64. */
static void
chunk_pack_put_after(struct buf *out, int64_t v, int64_t *before)
{
    chunk_pack_put(out, bytes_zigzag((int64_t)((uint64_t)v - (uint64_t)*before)));
    *before = v;
}

static void
chunk_pack_put_codes(struct chunk_pack *p, struct buf *out)
{
    buf_putc(out, (char)p->mode);
    buf_putc(out, (char)p->bits);
    buf_putc(out, (char)p->classes);
    for (unsigned c = 0; c < p->classes; c++) {
        unsigned n = RANS_SYMBOLS;
        while (n && !p->counts[c][n - 1])
            n--;
        chunk_pack_put(out, n);
        if (n)
            rans_code_of(p->counts[c], &p->codes[c]);
        for (unsigned i = 0; i < n; i++)
            chunk_pack_put(out, p->codes[c].freq[i]);
    }
}

static void
chunk_pack_put_columns(struct chunk_pack *p, struct buf *out)
{
    const struct chunk_pack_series *s = p->series, *end = s + p->count;
    unsigned order = p->mode & CHUNK_PACK_ORDER;
    int64_t before = 0;
    for (const struct chunk_pack_series *e = s; e < end; e++)
        buf_putc(out, (char)e->class);
    for (const struct chunk_pack_series *e = s; e < end; e++)
        chunk_pack_put(out, e->divisor);
    for (const struct chunk_pack_series *e = s; order && e < end; e++)
        chunk_pack_put_after(out, e->first, &before);
    before = 0;
    for (const struct chunk_pack_series *e = s; order == 2 && e < end; e++)
        chunk_pack_put_after(out, e->step, &before);
    before = 0;
    for (const struct chunk_pack_series *e = s; !(p->mode & CHUNK_PACK_ZIGZAG) && e < end; e++)
        chunk_pack_put_after(out, e->low, &before);
}

/* Tokens and raw bits of the series [from, to). */
static int
chunk_pack_split(struct chunk_pack *p, size_t from, size_t to, size_t n)
{
    uint64_t word = 0;
    unsigned have = 0;
    buf_reset(&p->tokens);
    buf_reset(&p->raw);
    if (buf_reserve(&p->tokens, n) || buf_reserve(&p->raw, 8 * n + 16))
        return ERR_NOMEM;
    uint8_t *token = (uint8_t *)p->tokens.data, *raw = (uint8_t *)p->raw.data;
    for (size_t i = from; i < to; i++) {
        const uint64_t *r = p->residuals + p->series[i].at;
        for (uint32_t k = 0; k < p->series[i].rest; k++) {
            struct chunk_pack_token t = chunk_pack_token(r[k], p->bits);
            uint64_t low = r[k] & (((uint64_t)1 << t.length) - 1);
            *token++ = (uint8_t)t.token;
            word |= low << have;
            bytes_put_u64(raw, word); /* have < 8, and at most 54 more */
            have += t.length;
            raw += have / 8;
            word >>= have / 8 * 8;
            have %= 8;
        }
    }
    if (have)
        *raw++ = (uint8_t)word;
    p->tokens.len = n;
    p->raw.len = (size_t)(raw - (uint8_t *)p->raw.data);
    return 0;
}

static int
chunk_pack_put_group(struct chunk_pack *p, size_t from, size_t to, size_t n, struct buf *directory,
                     struct buf *values)
{
    struct rans_encoder e;
    size_t room = 2 * n + RANS_STATES, at = n;
    int rc = chunk_pack_split(p, from, to, n);
    if (rc || buf_reserve(&p->coded, room))
        return ERR_NOMEM;
    uint8_t *end = (uint8_t *)p->coded.data + room, *start = end;
    rans_encoder_init(&e, end);
    for (size_t i = to; i-- > from;) {
        const struct chunk_pack_series *s = &p->series[i];
        at -= s->rest;
        rans_encode(&e, &p->codes[s->class], (const uint8_t *)p->tokens.data + at, s->rest);
    }
    if (n)
        start = rans_encoder_done(&e);
    chunk_pack_put(directory, (uint64_t)(end - start));
    chunk_pack_put(directory, p->raw.len);
    rc = buf_append(values, start, (size_t)(end - start));
    return rc ? rc : buf_append(values, p->raw.data, p->raw.len);
}

int
chunk_pack_finish(struct chunk_pack *p, struct buf *directory, struct buf *values)
{
    if (!p->count)
        return 0;
    int rc = chunk_pack_choose(p);
    if (!rc) {
        chunk_pack_put_codes(p, directory);
        chunk_pack_put_columns(p, directory);
    }
    for (size_t from = 0, to; !rc && from < p->count; from = to) {
        size_t n = p->series[from].rest;
        for (to = from + 1; to < p->count && n + p->series[to].rest <= CHUNK_PACK_GROUP; to++)
            n += p->series[to].rest;
        rc = chunk_pack_put_group(p, from, to, n, directory, values);
    }
    p->count = 0;
    return rc;
}
