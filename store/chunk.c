/* chunk: the writer. Values of a series are a constant, or integers of 10^-exponent, or any bits.
 * Integers go to chunk_pack. Bits become the XOR with those before and lie as planes of bytes: the
 * low bytes of many samples together, then the next ones, each plane packed by itself.
 *
 * Every value comes back bit by bit. */
#include "store/chunk.h"

#include "base/compress.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/bytes.h"
#include "store/chunk_pack.h"
#include "store/chunk_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ZSTD_LEVEL 1    /* levels up to 3 gain 1 % on planes and cost twice the time */
#define CHUNK_TIMES      256  /* slots to find a series' times among those already written */
#define CHUNK_NEAR       4096 /* steps of a double from a decimal: sums and products of decimals */

const double chunk_pow10[CHUNK_EXPONENT_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* --- what is collected ------------------------------------------------------------------------ */

struct chunk_time { /* where the columns of times written last are */
    uint32_t column, count, off, len;
};

struct chunk_entry { /* one series */
    uint64_t id;
    uint32_t count, column;
    uint32_t at; /* of its numbers in the writer's */
    uint32_t odd, odd_count;
    uint8_t kind, exponent;
};

struct chunk_odd { /* a value that is no integer among those that are */
    uint32_t index;
    uint64_t bits;
    int64_t steps; /* doubles away from the integer that stands for it; 0: far */
};

struct chunk_writer {
    struct chunk_info info;
    struct chunk_entry *series;
    int64_t *numbers; /* integers, or bits */
    size_t used, cap;
    struct chunk_odd *odd;
    size_t odd_count, odd_cap;
    uint64_t *residuals; /* of one group */
    size_t residual_cap;
    struct buf times, directory, values, plane;
    struct chunk_time known[CHUNK_TIMES];
    uint32_t columns;
    struct compress_zstd_ctx *zstd;
    struct chunk_pack *pack;
};

struct chunk_writer *
chunk_writer_new(void)
{
    struct chunk_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    buf_init(&w->directory, CHUNK_BYTES_MAX);
    buf_init(&w->times, CHUNK_BYTES_MAX);
    buf_init(&w->values, CHUNK_BYTES_MAX);
    buf_init(&w->plane, CHUNK_BYTES_MAX);
    w->series = malloc(CHUNK_SERIES_MAX * sizeof *w->series);
    w->zstd = compress_zstd_ctx_new();
    w->pack = chunk_pack_new();
    if (!w->series || !w->zstd || !w->pack) {
        chunk_writer_free(w);
        return NULL;
    }
    return w;
}

void
chunk_writer_free(struct chunk_writer *w)
{
    if (!w)
        return;
    buf_done(&w->directory);
    buf_done(&w->times);
    buf_done(&w->values);
    buf_done(&w->plane);
    compress_zstd_ctx_free(w->zstd);
    chunk_pack_free(w->pack);
    free(w->series);
    free(w->numbers);
    free(w->odd);
    free(w->residuals);
    free(w);
}

size_t
chunk_writer_series(const struct chunk_writer *w)
{
    return w->info.series;
}

static void
chunk_put(struct buf *out, uint64_t v)
{
    if (buf_reserve(out, BYTES_VARINT_MAX))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    out->len += (size_t)(bytes_put_varint(p, v) - p);
}

static void
chunk_put_u64(struct buf *out, uint64_t v)
{
    uint8_t bits[8];
    bytes_put_u64(bits, v);
    buf_append(out, bits, sizeof bits);
}

static void
chunk_put_times(struct buf *out, const struct sample *s, size_t n)
{
    chunk_put(out, bytes_zigzag(s[0].t_ms));
    uint64_t zeros = 0;
    int64_t step = 0;
    for (size_t i = 1; i < n; i++) {
        int64_t next = (int64_t)((uint64_t)s[i].t_ms - (uint64_t)s[i - 1].t_ms);
        int64_t change = (int64_t)((uint64_t)next - (uint64_t)step);
        step = next;
        if (!change) {
            zeros++;
            continue;
        }
        chunk_put(out, zeros);
        chunk_put(out, bytes_zigzag(change));
        zeros = 0;
    }
    if (zeros)
        chunk_put(out, zeros);
}

/* The column of these times: an earlier one with the same bytes, or a new one. */
static uint32_t
chunk_time_column(struct chunk_writer *w, const struct sample *s, size_t n)
{
    size_t from = w->times.len;
    chunk_put_times(&w->times, s, n);
    if (w->times.failed)
        return 0;
    size_t len = w->times.len - from;
    struct chunk_time *k = &w->known[hash_64(w->times.data + from, len, n) % CHUNK_TIMES];
    if (k->count == n && k->len == len &&
        !memcmp(w->times.data + k->off, w->times.data + from, len)) {
        w->times.len = from;
        return k->column;
    }
    *k = (struct chunk_time){w->columns, (uint32_t)n, (uint32_t)from, (uint32_t)len};
    return w->columns++;
}

static inline bool
chunk_scaled(double v, unsigned e, int64_t *ret)
{
    double x = v * chunk_pow10[e];
    if (!(fabs(x) < 9007199254740992.0))
        return false;
    int64_t i = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    *ret = i;
    return bytes_of_double((double)i / chunk_pow10[e]) == bytes_of_double(v);
}

static int
chunk_odd_add(struct chunk_writer *w, struct chunk_entry *e, size_t index, double v)
{
    if (w->odd_count == w->odd_cap) {
        size_t n = w->odd_cap ? w->odd_cap * 2 : 256;
        struct chunk_odd *p = realloc(w->odd, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        w->odd = p;
        w->odd_cap = n;
    }
    w->odd[w->odd_count++] = (struct chunk_odd){(uint32_t)index, bytes_of_double(v), 0};
    e->odd_count++;
    return 0;
}

/* Makes the numbers before `end` those of a larger exponent; false when one does not fit. */
static bool
chunk_rescale(int64_t *v, size_t end, unsigned from, unsigned to)
{
    int64_t by = (int64_t)chunk_pow10[to - from];
    for (size_t i = 0; i < end; i++)
        if (v[i] > 9007199254740991 / by || v[i] < -9007199254740991 / by)
            return false;
    for (size_t i = 0; i < end; i++)
        v[i] *= by;
    return true;
}

/* The exceptions that are almost integers of the exponent: a few doubles beside one. */
static void
chunk_near(struct chunk_writer *w, const struct chunk_entry *e, unsigned exponent)
{
    int64_t *v = w->numbers + e->at;
    for (size_t i = e->odd; i < w->odd_count; i++) {
        struct chunk_odd *o = &w->odd[i];
        double x = bytes_to_double(o->bits) * chunk_pow10[exponent];
        if (!(fabs(x) < 9007199254740991.0))
            continue;
        int64_t near = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
        int64_t steps = (int64_t)(o->bits - bytes_of_double((double)near / chunk_pow10[exponent]));
        if (!steps || steps > CHUNK_NEAR || steps < -CHUNK_NEAR)
            continue;
        v[o->index] = near;
        o->steps = steps;
    }
}

/* Numbers under the least exponent that fits nearly all; 1 when more than a quarter do not. */
static int
chunk_integers(struct chunk_writer *w, struct chunk_entry *e, const struct sample *s, size_t n)
{
    int64_t *v = w->numbers + e->at;
    unsigned exponent = 0;
    for (size_t i = 0; i < n; i++) {
        if (chunk_scaled(s[i].v, exponent, &v[i]))
            continue;
        unsigned k = exponent + 1;
        while (k <= CHUNK_EXPONENT_MAX && !chunk_scaled(s[i].v, k, &v[i]))
            k++;
        if (k <= CHUNK_EXPONENT_MAX && chunk_rescale(v, i, exponent, k)) {
            exponent = k;
            continue;
        }
        v[i] = i ? v[i - 1] : 0;
        if (e->odd_count >= n / 4)
            return 1;
        int rc = chunk_odd_add(w, e, i, s[i].v);
        if (rc)
            return rc;
    }
    e->exponent = (uint8_t)exponent;
    chunk_near(w, e, exponent);
    return 0;
}

static int
chunk_values(struct chunk_writer *w, struct chunk_entry *e, const struct sample *s, size_t n)
{
    int64_t *v = w->numbers + e->at;
    uint64_t first = bytes_of_double(s[0].v);
    size_t same = 1;
    while (same < n && bytes_of_double(s[same].v) == first)
        same++;
    if (same == n) {
        e->kind = CHUNK_CONSTANT_BITS;
        for (unsigned k = 0; k <= CHUNK_EXPONENT_MAX; k++)
            if (chunk_scaled(s[0].v, k, v)) {
                e->kind = CHUNK_CONSTANT;
                e->exponent = (uint8_t)k;
                return 0;
            }
        *v = (int64_t)first;
        return 0;
    }
    e->kind = CHUNK_INTEGER;
    int rc = chunk_integers(w, e, s, n);
    if (rc != 1)
        return rc;
    w->odd_count = e->odd;
    e->odd_count = 0;
    e->kind = CHUNK_BITS;
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)bytes_of_double(s[i].v);
    return 0;
}

static int
chunk_room(struct chunk_writer *w, size_t n)
{
    if (w->used + n <= w->cap)
        return 0;
    size_t cap = w->cap ? w->cap * 2 : 65536;
    while (cap < w->used + n)
        cap *= 2;
    int64_t *p = realloc(w->numbers, cap * sizeof *p);
    if (!p)
        return ERR_NOMEM;
    w->numbers = p;
    w->cap = cap;
    return 0;
}

int
chunk_writer_add(struct chunk_writer *w, uint64_t id, const struct sample *s, size_t n)
{
    struct chunk_info *i = &w->info;
    if (i->series == CHUNK_SERIES_MAX || (i->series && i->samples + n > CHUNK_SAMPLES_MAX))
        return ERR_LIMIT;
    struct chunk_entry e = {.id = id,
                            .count = (uint32_t)n,
                            .at = (uint32_t)w->used,
                            .odd = (uint32_t)w->odd_count,
                            .column = chunk_time_column(w, s, n)};
    int rc = chunk_room(w, n);
    if (!rc)
        rc = chunk_values(w, &e, s, n);
    if (rc || w->times.failed)
        return rc ? rc : ERR_NOMEM;
    w->used += e.kind < CHUNK_INTEGER ? 1 : n;
    if (!i->series) {
        i->first_id = id;
        i->min_ms = s[0].t_ms;
        i->max_ms = s[n - 1].t_ms;
    }
    i->last_id = id;
    w->series[i->series++] = e;
    i->samples += n;
    i->min_ms = s[0].t_ms < i->min_ms ? s[0].t_ms : i->min_ms;
    i->max_ms = s[n - 1].t_ms > i->max_ms ? s[n - 1].t_ms : i->max_ms;
    return 0;
}

/* --- planes ------------------------------------------------------------------------------------
 */

static void
chunk_bits(const int64_t *v, size_t n, uint64_t *r)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        r[i] = (uint64_t)v[i] ^ last;
        last = (uint64_t)v[i];
    }
}

/* Packs the planes of n residuals onto the values, their lengths onto the directory. */
static int
chunk_planes(struct chunk_writer *w, const uint64_t *r, size_t n)
{
    struct buf *out = &w->values;
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++)
        all |= r[i];
    unsigned planes = all ? (71 - (unsigned)__builtin_clzll(all)) / 8 : 0;
    int rc = buf_reserve(&w->plane, n);
    chunk_put(&w->directory, planes);
    for (unsigned k = 0; !rc && k < planes; k++) {
        uint8_t *p = (uint8_t *)w->plane.data;
        size_t before = out->len;
        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)(r[i] >> (8 * k));
        rc = compress_zstd_with(w->zstd, p, n, CHUNK_ZSTD_LEVEL, out);
        if (!rc && out->len - before >= n) {
            out->len = before;
            rc = buf_append(out, p, n);
        }
        chunk_put(&w->directory, out->len - before);
    }
    return rc;
}

static int
chunk_residual_room(struct chunk_writer *w, size_t n)
{
    if (n <= w->residual_cap)
        return 0;
    uint64_t *p = realloc(w->residuals, n * sizeof *p);
    if (!p)
        return ERR_NOMEM;
    w->residuals = p;
    w->residual_cap = n;
    return 0;
}

/* --- the directory ---------------------------------------------------------------------------- */

static void
chunk_put_exceptions(struct chunk_writer *w)
{
    const struct chunk_entry *end = w->series + w->info.series;
    for (const struct chunk_entry *e = w->series; e < end; e++)
        if (e->kind == CHUNK_INTEGER)
            chunk_put(&w->directory, e->odd_count);
    for (const struct chunk_entry *e = w->series; e < end; e++)
        for (size_t i = e->odd, before = 0; i < e->odd + e->odd_count; i++) {
            const struct chunk_odd *o = &w->odd[i];
            chunk_put(&w->directory, o->index - before);
            chunk_put(&w->directory, bytes_zigzag(o->steps));
            if (!o->steps)
                chunk_put_u64(&w->directory, o->bits);
            before = o->index;
        }
}

static void
chunk_put_columns(struct chunk_writer *w)
{
    const struct chunk_entry *s = w->series, *end = s + w->info.series;
    uint64_t id = 0;
    int64_t count = 0, column = 0;
    for (const struct chunk_entry *e = s; e < end; id = (e++)->id)
        chunk_put(&w->directory, e->id - id);
    for (const struct chunk_entry *e = s; e < end; count = (e++)->count)
        chunk_put(&w->directory, bytes_zigzag(e->count - count));
    for (const struct chunk_entry *e = s; e < end; column = (e++)->column)
        chunk_put(&w->directory, bytes_zigzag(e->column - column));
    for (const struct chunk_entry *e = s; e < end; e++)
        buf_putc(&w->directory, (char)(e->kind | e->exponent << 4));
    for (const struct chunk_entry *e = s; e < end; e++) {
        if (e->kind == CHUNK_CONSTANT)
            chunk_put(&w->directory, bytes_zigzag(w->numbers[e->at]));
        else if (e->kind == CHUNK_CONSTANT_BITS)
            chunk_put_u64(&w->directory, (uint64_t)w->numbers[e->at]);
    }
}

/* Integers of all series, and what stands beside them. */
static int
chunk_put_integers(struct chunk_writer *w)
{
    for (size_t i = 0; i < w->info.series; i++)
        if (w->series[i].kind == CHUNK_INTEGER)
            chunk_pack_add(w->pack, w->numbers + w->series[i].at, w->series[i].count);
    int rc = chunk_pack_finish(w->pack, &w->directory, &w->values);
    chunk_put_exceptions(w);
    return rc;
}

/* The series of bits, in groups. */
static int
chunk_put_bits(struct chunk_writer *w)
{
    int rc = 0;
    for (size_t at = 0; !rc && at < w->info.series;) {
        size_t n = 0;
        for (; !rc && at < w->info.series; at++) {
            const struct chunk_entry *e = &w->series[at];
            if (e->kind != CHUNK_BITS)
                continue;
            if (n && n + e->count > CHUNK_GROUP)
                break;
            rc = chunk_residual_room(w, n + e->count);
            if (!rc)
                chunk_bits(w->numbers + e->at, e->count, w->residuals + n);
            n += e->count;
        }
        if (!rc && n)
            rc = chunk_planes(w, w->residuals, n);
    }
    return rc;
}

static void
chunk_writer_reset(struct chunk_writer *w)
{
    buf_reset(&w->directory);
    buf_reset(&w->times);
    buf_reset(&w->values);
    memset(w->known, 0, sizeof w->known);
    w->info = (struct chunk_info){0};
    w->used = w->odd_count = 0;
    w->columns = 0;
}

static void
chunk_put_header(const struct chunk_writer *w, size_t packed, struct buf *out)
{
    uint8_t *p = (uint8_t *)out->data;
    bytes_put_u32(p, CHUNK_MAGIC);
    p[8] = CHUNK_PACKED;
    bytes_put_u32(p + 12, w->info.series);
    bytes_put_u32(p + 16, (uint32_t)w->info.samples);
    bytes_put_u32(p + 20, (uint32_t)w->directory.len);
    bytes_put_u32(p + 24, (uint32_t)packed);
    bytes_put_u32(p + 4, crc32c(0, p + 8, out->len - 8));
}

int
chunk_writer_finish(struct chunk_writer *w, struct buf *out, struct chunk_info *ret)
{
    static const uint8_t head[CHUNK_HEADER] = {0};
    buf_reset(out);
    chunk_put(&w->directory, w->columns);
    chunk_put(&w->directory, w->times.len);
    buf_append(&w->directory, w->times.data, w->times.len);
    chunk_put_columns(w);
    int rc = chunk_put_integers(w);
    if (!rc)
        rc = chunk_put_bits(w);
    if (!rc && (w->directory.failed || w->times.failed || w->values.failed))
        rc = ERR_LIMIT;
    buf_append(out, head, sizeof head);
    if (!rc)
        rc =
            compress_zstd_with(w->zstd, w->directory.data, w->directory.len, CHUNK_ZSTD_LEVEL, out);
    size_t packed = out->len - sizeof head;
    if (!rc)
        rc = buf_append(out, w->values.data, w->values.len);
    if (!rc) {
        chunk_put_header(w, packed, out);
        *ret = w->info;
    }
    chunk_writer_reset(w);
    return rc;
}
