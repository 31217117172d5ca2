/* chunk_unpack: the reader of what chunk_pack wrote. The tokens of a group are unpacked when one of
 * its series is asked for first, by whoever asks, and stay; the raw bits are read where they lie.
 *
 * What is always true: the tokens of an unpacked group tell of exactly the raw bits that it has. */
#include "store/chunk_pack.h"

#include "base/err.h"
#include "store/rans.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct chunk_packed_series {
    uint64_t divisor, first, step, low; /* modulo 2^64 */
    uint32_t count, rest, group, at;    /* at: of its tokens in the group */
    uint8_t class;
};

struct chunk_packed_group {
    uint32_t from, to; /* series */
    uint32_t tokens, coded_len, raw_len;
    const uint8_t *coded, *raw;
    _Atomic(uint8_t *) unpacked; /* where the raw bits of each series begin, 4 bytes each; tokens */
};

struct chunk_packed {
    size_t count, groups, group_cap, tokens;
    unsigned mode, classes;
    uint32_t *tables; /* RANS_TOTAL a class */
    struct chunk_packed_series *series;
    struct chunk_packed_group *group;
    uint64_t base[RANS_SYMBOLS]; /* what a token tells of a residual, and how many bits follow */
    uint8_t length[RANS_SYMBOLS];
};

void
chunk_packed_free(struct chunk_packed *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->groups; i++)
        free(atomic_load(&p->group[i].unpacked));
    free(p->group);
    free(p->series);
    free(p->tables);
    free(p);
}

size_t
chunk_packed_bytes(const struct chunk_packed *p)
{
    return p ? sizeof *p + p->count * (sizeof *p->series + 4) + p->groups * sizeof *p->group +
                   p->tokens + p->classes * RANS_TOTAL * sizeof *p->tables
             : 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

static void
chunk_packed_tokens(struct chunk_packed *p, unsigned bits)
{
    for (unsigned t = 0; t < RANS_SYMBOLS; t++) {
        unsigned k = t - CHUNK_PACK_EXACT, top = 4 + (k >> bits);
        if (t < CHUNK_PACK_EXACT) {
            p->base[t] = t;
            continue;
        }
        p->length[t] = (uint8_t)(top - bits < 57 ? top - bits : 56);
        p->base[t] = (uint64_t)((1u << bits) | (k & ((1u << bits) - 1))) << p->length[t];
    }
}

/* A class without tokens has no frequencies; it may not be asked. */
static int
chunk_packed_codes(struct chunk_packed *p, struct bytes_in *in, bool used[CHUNK_PACK_CLASSES])
{
    p->mode = bytes_take_u8(in);
    unsigned bits = bytes_take_u8(in);
    p->classes = bytes_take_u8(in);
    if (in->bad || !chunk_pack_mode_ok(p->mode) || (bits != 2 && bits != 3) || !p->classes ||
        p->classes > CHUNK_PACK_CLASSES)
        return ERR_CORRUPT;
    chunk_packed_tokens(p, bits);
    p->tables = calloc((size_t)p->classes * RANS_TOTAL, sizeof *p->tables);
    if (!p->tables)
        return ERR_NOMEM;
    for (unsigned c = 0; c < p->classes; c++) {
        struct rans_code code = {0};
        uint64_t n = bytes_take_varint(in);
        if (n > RANS_SYMBOLS)
            return ERR_CORRUPT;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t f = bytes_take_varint(in);
            code.freq[i] = (uint16_t)(f <= RANS_TOTAL ? f : RANS_TOTAL + 1);
        }
        used[c] = n > 0;
        if (in->bad || (n && !rans_code_check(&code)))
            return ERR_CORRUPT;
        if (n)
            rans_table(&code, p->tables + (size_t)c * RANS_TOTAL);
    }
    return 0;
}

static uint64_t
chunk_packed_after(struct bytes_in *in, uint64_t *before)
{
    return *before += (uint64_t)bytes_unzigzag(bytes_take_varint(in));
}

static int
chunk_packed_columns(struct chunk_packed *p, struct bytes_in *in, const uint32_t *counts)
{
    bool used[CHUNK_PACK_CLASSES] = {0};
    uint64_t before = 0;
    int rc = chunk_packed_codes(p, in, used);
    for (size_t i = 0; !rc && i < p->count; i++) {
        struct chunk_packed_series *s = &p->series[i];
        s->count = counts[i];
        s->rest = chunk_pack_rest(s->count, p->mode);
        s->class = bytes_take_u8(in);
        if (s->class >= p->classes || (s->rest && !used[s->class]))
            rc = ERR_CORRUPT;
    }
    for (size_t i = 0; !rc && i < p->count; i++)
        p->series[i].divisor = bytes_take_varint(in);
    for (size_t i = 0; !rc && (p->mode & CHUNK_PACK_ORDER) && i < p->count; i++)
        p->series[i].first = chunk_packed_after(in, &before);
    before = 0;
    for (size_t i = 0; !rc && (p->mode & CHUNK_PACK_ORDER) == 2 && i < p->count; i++)
        p->series[i].step = chunk_packed_after(in, &before);
    before = 0;
    for (size_t i = 0; !rc && !(p->mode & CHUNK_PACK_ZIGZAG) && i < p->count; i++)
        p->series[i].low = chunk_packed_after(in, &before);
    return rc ? rc : in->bad ? ERR_CORRUPT : 0;
}

static int
chunk_packed_group(struct chunk_packed *p, size_t from, struct chunk_packed_group **ret)
{
    if (p->groups == p->group_cap) {
        size_t n = p->group_cap ? p->group_cap * 2 : 16;
        struct chunk_packed_group *g = realloc(p->group, n * sizeof *g);
        if (!g)
            return ERR_NOMEM;
        p->group = g;
        p->group_cap = n;
    }
    struct chunk_packed_group *g = &p->group[p->groups];
    memset(g, 0, sizeof *g);
    g->from = g->to = (uint32_t)from;
    for (; g->to < p->count; g->to++) { /* the same walk as the writer's */
        struct chunk_packed_series *s = &p->series[g->to];
        if (g->to > g->from && (uint64_t)g->tokens + s->rest > CHUNK_PACK_GROUP)
            break;
        s->group = (uint32_t)p->groups;
        s->at = g->tokens;
        g->tokens += s->rest;
    }
    p->groups++;
    *ret = g;
    return 0;
}

static int
chunk_packed_groups(struct chunk_packed *p, struct bytes_in *in, const uint8_t *bytes, size_t len,
                    size_t *at)
{
    struct chunk_packed_group *g;
    for (size_t from = 0; from < p->count; from = g->to) {
        int rc = chunk_packed_group(p, from, &g);
        if (rc)
            return rc;
        uint64_t coded = bytes_take_varint(in), raw = bytes_take_varint(in);
        if (in->bad || coded > len - *at || raw > len - *at - coded || raw > UINT32_MAX / 8 ||
            (g->tokens ? coded < RANS_STATES : coded + raw > 0))
            return ERR_CORRUPT;
        g->coded = bytes + *at;
        g->coded_len = (uint32_t)coded;
        g->raw = g->coded + coded;
        g->raw_len = (uint32_t)raw;
        p->tokens += g->tokens;
        *at += (size_t)(coded + raw);
    }
    return 0;
}

int
chunk_packed_new(struct bytes_in *directory, const uint32_t *counts, size_t n, const uint8_t *bytes,
                 size_t len, size_t *at, struct chunk_packed **ret)
{
    struct chunk_packed *p = calloc(1, sizeof *p);
    int rc = p && (p->series = calloc(n, sizeof *p->series)) ? 0 : ERR_NOMEM;
    if (!rc) {
        p->count = n;
        rc = chunk_packed_columns(p, directory, counts);
    }
    if (!rc)
        rc = chunk_packed_groups(p, directory, bytes, len, at);
    if (rc)
        chunk_packed_free(p);
    else
        *ret = p;
    return rc;
}

/* --- values ----------------------------------------------------------------------------------- */

static int
chunk_packed_fill(const struct chunk_packed *p, const struct chunk_packed_group *g, uint8_t *to)
{
    struct rans_decoder d;
    uint8_t *starts = to, *tokens = to + (size_t)4 * (g->to - g->from);
    uint64_t bits = 0;
    int rc = rans_decoder_init(&d, g->coded, g->coded_len);
    for (uint32_t i = g->from; !rc && i < g->to; i++) {
        const struct chunk_packed_series *s = &p->series[i];
        rc = rans_decode(&d, p->tables + (size_t)s->class * RANS_TOTAL, tokens, s->rest);
        starts = bytes_put_u32(starts, (uint32_t)bits);
        for (uint32_t k = 0; !rc && k < s->rest; k++)
            bits += p->length[tokens[k]];
        tokens += s->rest;
    }
    return rc ? rc : rans_decoder_ended(&d) && (bits + 7) / 8 == g->raw_len ? 0 : ERR_CORRUPT;
}

/* Two may unpack the same group at once; the first one's is kept. */
static int
chunk_packed_unpack(const struct chunk_packed *p, struct chunk_packed_group *g, const uint8_t **ret)
{
    uint8_t *have = atomic_load_explicit(&g->unpacked, memory_order_acquire);
    if (!have && g->tokens) {
        uint8_t *to = malloc((size_t)4 * (g->to - g->from) + g->tokens);
        int rc = to ? chunk_packed_fill(p, g, to) : ERR_NOMEM;
        if (rc || !atomic_compare_exchange_strong(&g->unpacked, &have, to))
            free(to);
        if (rc)
            return rc;
        have = have ? have : to;
    }
    *ret = have;
    return 0;
}

struct chunk_packed_bits {
    const uint8_t *tokens, *raw;
    uint64_t at;
};

/* RANS_PAD bytes lie behind all that can be read. A residual has at most 54 raw bits, 7 go before.
 */
static inline uint64_t
chunk_packed_next(const struct chunk_packed *p, struct chunk_packed_bits *b)
{
    unsigned token = *b->tokens++, length = p->length[token];
    uint64_t word = bytes_get_u64(b->raw + b->at / 8) >> (b->at % 8);
    b->at += length;
    return p->base[token] + (word & (((uint64_t)1 << length) - 1));
}

static void
chunk_packed_direct(const struct chunk_packed *p, const struct chunk_packed_series *s,
                    struct chunk_packed_bits b, struct sample *out)
{
    uint64_t low = s->low, divisor = s->divisor;
    for (uint32_t i = 0; i < s->count; i++)
        out[i].v = (double)(int64_t)(low + chunk_packed_next(p, &b) * divisor);
}

static void
chunk_packed_first(const struct chunk_packed *p, const struct chunk_packed_series *s,
                   struct chunk_packed_bits b, struct sample *out)
{
    uint64_t v = s->first, low = s->low, divisor = s->divisor;
    bool zigzag = p->mode & CHUNK_PACK_ZIGZAG;
    out[0].v = (double)(int64_t)v;
    for (uint32_t i = 1; i < s->count; i++) {
        uint64_t u = chunk_packed_next(p, &b);
        u = zigzag ? (uint64_t)bytes_unzigzag(u) : u;
        v += u * divisor + low;
        out[i].v = (double)(int64_t)v;
    }
}

static void
chunk_packed_second(const struct chunk_packed *p, const struct chunk_packed_series *s,
                    struct chunk_packed_bits b, struct sample *out)
{
    uint64_t v = s->first, step = s->step, low = s->low, divisor = s->divisor;
    bool zigzag = p->mode & CHUNK_PACK_ZIGZAG;
    out[0].v = (double)(int64_t)v;
    if (s->count > 1)
        out[1].v = (double)(int64_t)(v += step);
    for (uint32_t i = 2; i < s->count; i++) {
        uint64_t u = chunk_packed_next(p, &b);
        u = zigzag ? (uint64_t)bytes_unzigzag(u) : u;
        step += u * divisor + low;
        out[i].v = (double)(int64_t)(v += step);
    }
}

int
chunk_packed_take(const struct chunk_packed *p, size_t i, struct sample *out)
{
    const struct chunk_packed_series *s = &p->series[i];
    struct chunk_packed_group *g = &p->group[s->group];
    struct chunk_packed_bits b = {.raw = g->raw};
    const uint8_t *unpacked;
    int rc = chunk_packed_unpack(p, g, &unpacked);
    if (rc)
        return rc;
    if (unpacked) {
        b.tokens = unpacked + (size_t)4 * (g->to - g->from) + s->at;
        b.at = bytes_get_u32(unpacked + (size_t)4 * (i - g->from));
    }
    if ((p->mode & CHUNK_PACK_ORDER) == 0)
        chunk_packed_direct(p, s, b, out);
    else if ((p->mode & CHUNK_PACK_ORDER) == 1)
        chunk_packed_first(p, s, b, out);
    else
        chunk_packed_second(p, s, b, out);
    return 0;
}
