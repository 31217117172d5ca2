/* chunk: columns of times and values, each coded the way that is smallest for it, all compressed
 * together by zstd.
 *
 * Times: steps of steps with runs of zero; series scraped together share one column. Values: a
 * constant; or integers of 10^-exponent, as differences of order 0, 1 or 2, with a list of
 * exceptions (stale markers, NaN, infinities, -0); or bytes of XOR with the value before, plane by
 * plane. Every value comes back bit by bit. */
#include "store/chunk.h"

#include "base/compress.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MAGIC 0x3143534du /* "MSC1" */
#define CHUNK_HEADER                                                                               \
    32 /* magic, crc, codec and 3 spare bytes, series, samples, payload length, base time */
#define CHUNK_EXPONENT_MAX 9
#define CHUNK_ZSTD_LEVEL   1 /* levels up to 3 gain 2 % on these columns and cost twice the time */
#define CHUNK_TIMES        256 /* slots to find a series' times among those already written */

enum { CHUNK_CONSTANT = 0, CHUNK_INTEGER = 1, CHUNK_PLANES = 2 };

static const double chunk_pow10[CHUNK_EXPONENT_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                           1e5, 1e6, 1e7, 1e8, 1e9};

/* --- writing ---------------------------------------------------------------------------------- */

struct chunk_writer {
    uint64_t last_id;
    struct chunk_info info;
    struct buf directory, times, values, payload;
    struct chunk_time {
        uint32_t column, count, off, len;
    } known[CHUNK_TIMES]; /* count 0: free */
    uint32_t columns;
    int64_t *numbers; /* scratch: one series' values as integers */
    uint32_t *exceptions;
    size_t scratch;
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
    buf_init(&w->payload, 3 * CHUNK_BYTES_MAX);
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
    buf_done(&w->payload);
    free(w->numbers);
    free(w->exceptions);
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

static bool
chunk_scaled(double v, unsigned e, int64_t *ret)
{
    double x = v * chunk_pow10[e];
    if (!(fabs(x) < 9007199254740992.0))
        return false;
    int64_t i = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    *ret = i;
    return bytes_of_double((double)i / chunk_pow10[e]) == bytes_of_double(v);
}

/* Smallest exponent under which nearly all values are integers; -1 when more than a quarter are
 * not. */
static int
chunk_exponent(const struct sample *s, size_t n)
{
    unsigned e = 0;
    size_t odd = 0;
    int64_t v;
    for (size_t i = 0; i < n; i++) {
        unsigned k = e;
        while (k <= CHUNK_EXPONENT_MAX && !chunk_scaled(s[i].v, k, &v))
            k++;
        if (k <= CHUNK_EXPONENT_MAX)
            e = k;
        else if (++odd > n / 4)
            return -1;
    }
    return (int)e;
}

static int
chunk_scratch(struct chunk_writer *w, size_t n)
{
    if (n <= w->scratch)
        return 0;
    int64_t *a = realloc(w->numbers, n * sizeof *a);
    if (a)
        w->numbers = a;
    uint32_t *b = realloc(w->exceptions, n * sizeof *b);
    if (b)
        w->exceptions = b;
    if (!a || !b)
        return ERR_NOMEM;
    w->scratch = n;
    return 0;
}

static size_t
chunk_varint_size(int64_t v)
{
    uint64_t u = bytes_zigzag(v) | 1;
    return (size_t)(63 - __builtin_clzll(u)) / 7 + 1;
}

/* Order of differences with the fewest bytes. Differences of 54-bit integers stay within 56 bits.
 */
static unsigned
chunk_order(const int64_t *v, size_t n)
{
    size_t cost[3] = {0, 0, 0};
    for (size_t i = 1; i < n; i++) {
        int64_t d = v[i] - v[i - 1];
        cost[0] += chunk_varint_size(v[i] - v[0]);
        cost[1] += chunk_varint_size(d);
        cost[2] += chunk_varint_size(i > 1 ? d - (v[i - 1] - v[i - 2]) : d);
    }
    unsigned best = 1;
    best = cost[2] < cost[best] ? 2 : best;
    return cost[0] < cost[best] ? 0 : best;
}

static void
chunk_put_integers(struct buf *out, const struct sample *s, const int64_t *v, size_t n, unsigned e,
                   const uint32_t *odd, size_t odd_count)
{
    unsigned order = chunk_order(v, n);
    buf_putc(out, (char)(CHUNK_INTEGER | order << 4));
    buf_putc(out, (char)e);
    chunk_put(out, odd_count);
    for (size_t i = 0; i < odd_count; i++) {
        uint8_t bits[8];
        bytes_put_u64(bits, bytes_of_double(s[odd[i]].v));
        chunk_put(out, odd[i] - (i ? odd[i - 1] : 0));
        buf_append(out, bits, sizeof bits);
    }
    chunk_put(out, bytes_zigzag(v[0]));
    if (buf_reserve(out, n * BYTES_VARINT_MAX))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    for (size_t i = 1; i < n; i++) {
        int64_t d = order == 0 ? v[i] - v[0] : v[i] - v[i - 1];
        if (order == 2 && i > 1)
            d -= v[i - 1] - v[i - 2];
        p = bytes_put_varint(p, bytes_zigzag(d));
    }
    out->len = (size_t)(p - (uint8_t *)out->data);
}

static void
chunk_put_planes(struct buf *out, const struct sample *s, size_t n)
{
    buf_putc(out, CHUNK_PLANES);
    if (buf_reserve(out, n * 8))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t u = bytes_of_double(s[i].v), x = u ^ last;
        for (size_t k = 0; k < 8; k++)
            p[k * n + i] = (uint8_t)(x >> (8 * k));
        last = u;
    }
    out->len += n * 8;
}

static int
chunk_put_values(struct chunk_writer *w, const struct sample *s, size_t n)
{
    struct buf *out = &w->values;
    size_t odd = 0;
    bool constant = true;
    for (size_t i = 1; i < n && constant; i++)
        constant = bytes_of_double(s[i].v) == bytes_of_double(s[0].v);
    if (constant) {
        uint8_t bits[9] = {CHUNK_CONSTANT};
        bytes_put_u64(bits + 1, bytes_of_double(s[0].v));
        return buf_append(out, bits, sizeof bits);
    }
    int e = chunk_exponent(s, n);
    int rc = e < 0 ? 0 : chunk_scratch(w, n);
    if (rc)
        return rc;
    int64_t last = 0;
    for (size_t i = 0; e >= 0 && i < n; i++) {
        if (chunk_scaled(s[i].v, (unsigned)e, &w->numbers[i]))
            last = w->numbers[i];
        else
            w->exceptions[odd++] = (uint32_t)i;
        w->numbers[i] = last;
    }
    if (e >= 0 && odd <= n / 2)
        chunk_put_integers(out, s, w->numbers, n, (unsigned)e, w->exceptions, odd);
    else
        chunk_put_planes(out, s, n);
    return out->failed ? ERR_LIMIT : 0;
}

int
chunk_writer_add(struct chunk_writer *w, uint64_t id, const struct sample *s, size_t n)
{
    if (w->info.series == CHUNK_SERIES_MAX ||
        (w->info.series && w->info.samples + n > CHUNK_SAMPLES_MAX) ||
        w->values.len > CHUNK_BYTES_MAX / 2)
        return ERR_LIMIT;
    uint32_t column = chunk_time_column(w, s, n);
    size_t from = w->values.len;
    int rc = chunk_put_values(w, s, n);
    chunk_put(&w->directory, id - w->last_id);
    chunk_put(&w->directory, n);
    chunk_put(&w->directory, column);
    chunk_put(&w->directory, w->values.len - from);
    if (rc || w->directory.failed || w->times.failed)
        return rc ? rc : ERR_NOMEM;
    struct chunk_info *i = &w->info;
    if (!i->series) {
        i->first_id = id;
        i->min_ms = s[0].t_ms;
        i->max_ms = s[n - 1].t_ms;
    }
    i->last_id = w->last_id = id;
    i->series++;
    i->samples += n;
    i->min_ms = s[0].t_ms < i->min_ms ? s[0].t_ms : i->min_ms;
    i->max_ms = s[n - 1].t_ms > i->max_ms ? s[n - 1].t_ms : i->max_ms;
    return 0;
}

static void
chunk_writer_reset(struct chunk_writer *w)
{
    buf_reset(&w->directory);
    buf_reset(&w->times);
    buf_reset(&w->values);
    buf_reset(&w->payload);
    memset(w->known, 0, sizeof w->known);
    w->info = (struct chunk_info){0};
    w->last_id = 0;
    w->columns = 0;
}

int
chunk_writer_finish(struct chunk_writer *w, struct buf *out, struct chunk_info *ret)
{
    uint8_t head[CHUNK_HEADER] = {0};
    buf_reset(out);
    chunk_put(&w->payload, w->columns);
    chunk_put(&w->payload, w->times.len);
    buf_append(&w->payload, w->directory.data, w->directory.len);
    buf_append(&w->payload, w->times.data, w->times.len);
    buf_append(&w->payload, w->values.data, w->values.len);
    buf_append(out, head, sizeof head);
    int rc = w->payload.failed
                 ? ERR_LIMIT
                 : compress_zstd(w->payload.data, w->payload.len, CHUNK_ZSTD_LEVEL, out);
    if (!rc) {
        uint8_t *p = (uint8_t *)out->data;
        bytes_put_u32(p, CHUNK_MAGIC);
        p[8] = 1;
        bytes_put_u32(p + 12, w->info.series);
        bytes_put_u32(p + 16, (uint32_t)w->info.samples);
        bytes_put_u32(p + 20, (uint32_t)w->payload.len);
        bytes_put_u64(p + 24, (uint64_t)w->info.min_ms);
        bytes_put_u32(p + 4, crc32c(0, p + 8, out->len - 8));
        *ret = w->info;
    }
    chunk_writer_reset(w);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct chunk_column {
    uint64_t id;
    uint32_t count, time, at, len; /* value bytes in the payload */
};

struct chunk_reader {
    struct buf payload;
    size_t series, columns;
    uint32_t *times; /* start of each time column, by order of first use; columns + 1 places */
    struct chunk_column *at;
};

void
chunk_reader_free(struct chunk_reader *r)
{
    if (!r)
        return;
    buf_done(&r->payload);
    free(r->times);
    free(r->at);
    free(r);
}

/* Skips n times; false when the bytes end. */
static bool
chunk_skip_times(struct bytes_in *in, uint64_t n)
{
    bytes_take_varint(in);
    for (uint64_t left = n - 1; left && !in->bad;) {
        uint64_t zeros = bytes_take_varint(in);
        if (zeros >= left)
            return zeros == left && !in->bad;
        left -= zeros + 1;
        bytes_take_varint(in);
    }
    return !in->bad;
}

static int
chunk_read_directory(struct chunk_reader *r, uint64_t samples)
{
    struct bytes_in in = bytes_in_of(r->payload.data, r->payload.len);
    uint64_t columns = bytes_take_varint(&in), times_len = bytes_take_varint(&in), id = 0,
             total = 0, values = 0, next = 0;
    if (columns > r->series)
        return ERR_CORRUPT;
    for (size_t i = 0; i < r->series; i++) {
        struct chunk_column *c = &r->at[i];
        uint64_t step = bytes_take_varint(&in), n = bytes_take_varint(&in),
                 time = bytes_take_varint(&in), len = bytes_take_varint(&in);
        if (in.bad || (i && !step) || !n || n > samples - total || time > next || time >= columns ||
            len > r->payload.len)
            return ERR_CORRUPT;
        next += time == next;
        id += step;
        total += n;
        *c = (struct chunk_column){.id = id,
                                   .count = (uint32_t)n,
                                   .time = (uint32_t)time,
                                   .at = (uint32_t)values,
                                   .len = (uint32_t)len};
        values += len;
    }
    const uint8_t *times = bytes_take(&in, times_len), *start = (const uint8_t *)r->payload.data;
    if (in.bad || total != samples || next != columns || (uint64_t)(in.end - in.p) != values)
        return ERR_CORRUPT;
    struct bytes_in t = bytes_in_of(times, times_len);
    for (size_t i = 0, column = 0; i < r->series; i++) {
        r->at[i].at += (uint32_t)(in.p - start);
        if (r->at[i].time != column || column == columns)
            continue;
        r->times[column++] = (uint32_t)(t.p - start);
        if (!chunk_skip_times(&t, r->at[i].count))
            return ERR_CORRUPT;
        r->times[column] = (uint32_t)(t.p - start);
    }
    return t.p == t.end ? 0 : ERR_CORRUPT;
}

int
chunk_reader_new(const void *p, size_t len, struct chunk_reader **ret)
{
    const uint8_t *b = p;
    if (!b || len < CHUNK_HEADER || bytes_get_u32(b) != CHUNK_MAGIC ||
        bytes_get_u32(b + 4) != crc32c(0, b + 8, len - 8) || b[8] != 1)
        return ERR_CORRUPT;
    uint32_t series = bytes_get_u32(b + 12), samples = bytes_get_u32(b + 16),
             size = bytes_get_u32(b + 20);
    if (!series || series > CHUNK_SERIES_MAX || samples > CHUNK_SAMPLES_MAX ||
        size > 3 * CHUNK_BYTES_MAX)
        return ERR_CORRUPT;
    struct chunk_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    buf_init(&r->payload, size);
    r->series = series;
    r->times = calloc((size_t)series + 1, sizeof *r->times);
    r->at = calloc(series, sizeof *r->at);
    int rc = r->times && r->at ? compress_unzstd(b + CHUNK_HEADER, len - CHUNK_HEADER, &r->payload)
                               : ERR_NOMEM;
    if (!rc && r->payload.len != size)
        rc = ERR_CORRUPT;
    if (!rc)
        rc = chunk_read_directory(r, samples);
    if (rc)
        chunk_reader_free(r);
    else
        *ret = r;
    return rc;
}

size_t
chunk_reader_series(const struct chunk_reader *r)
{
    return r->series;
}

uint64_t
chunk_reader_id(const struct chunk_reader *r, size_t i)
{
    return r->at[i].id;
}

size_t
chunk_reader_count(const struct chunk_reader *r, size_t i)
{
    return r->at[i].count;
}

static int
chunk_take_times(struct bytes_in *in, size_t n, struct sample *out)
{
    uint64_t t = (uint64_t)bytes_unzigzag(bytes_take_varint(in)), step = 0;
    out[0].t_ms = (int64_t)t;
    for (size_t i = 1; i < n;) {
        uint64_t zeros = bytes_take_varint(in);
        if (in->bad || zeros > n - i)
            return ERR_CORRUPT;
        for (; zeros > 0; zeros--)
            out[i++].t_ms = (int64_t)(t += step);
        if (i == n)
            break;
        step += (uint64_t)bytes_unzigzag(bytes_take_varint(in));
        out[i++].t_ms = (int64_t)(t += step);
    }
    return in->bad ? ERR_CORRUPT : 0;
}

static int
chunk_take_integers(struct bytes_in *in, unsigned order, size_t n, struct sample *out)
{
    unsigned e = bytes_take_u8(in);
    uint64_t odd = bytes_take_varint(in), at = 0;
    if (in->bad || e > CHUNK_EXPONENT_MAX || order > 2 || odd > n)
        return ERR_CORRUPT;
    struct bytes_in exceptions = *in;
    for (uint64_t i = 0; i < odd; i++) {
        bytes_take_varint(in);
        bytes_take_u64(in);
    }
    uint64_t first = (uint64_t)bytes_unzigzag(bytes_take_varint(in)), v = first, step = 0;
    double scale = chunk_pow10[e];
    out[0].v = (double)(int64_t)v / scale;
    for (size_t i = 1; i < n; i++) {
        uint64_t d = (uint64_t)bytes_unzigzag(bytes_take_varint(in));
        step = order == 2 ? step + d : d;
        v = order == 0 ? first + d : v + step;
        out[i].v = (double)(int64_t)v / scale;
    }
    for (uint64_t i = 0; i < odd; i++) {
        at += bytes_take_varint(&exceptions);
        uint64_t bits = bytes_take_u64(&exceptions);
        if (at >= n)
            return ERR_CORRUPT;
        out[at].v = bytes_to_double(bits);
    }
    return in->bad ? ERR_CORRUPT : 0;
}

static int
chunk_take_planes(struct bytes_in *in, size_t n, struct sample *out)
{
    const uint8_t *p = bytes_take(in, (uint64_t)n * 8);
    uint64_t last = 0;
    for (size_t i = 0; p && i < n; i++) {
        for (size_t k = 0; k < 8; k++)
            last ^= (uint64_t)p[k * n + i] << (8 * k);
        out[i].v = bytes_to_double(last);
    }
    return p ? 0 : ERR_CORRUPT;
}

int
chunk_reader_samples(const struct chunk_reader *r, size_t i, struct sample *out)
{
    const struct chunk_column *c = &r->at[i];
    const char *p = r->payload.data;
    struct bytes_in in =
        bytes_in_of(p + r->times[c->time], r->times[c->time + 1] - r->times[c->time]);
    int rc = chunk_take_times(&in, c->count, out);
    if (rc || in.p != in.end)
        return ERR_CORRUPT;
    in = bytes_in_of(p + c->at, c->len);
    unsigned type = bytes_take_u8(&in);
    if ((type & 15) == CHUNK_CONSTANT) {
        double v = bytes_to_double(bytes_take_u64(&in));
        for (size_t k = 0; k < c->count; k++)
            out[k].v = v;
    } else if ((type & 15) == CHUNK_INTEGER) {
        rc = chunk_take_integers(&in, type >> 4, c->count, out);
    } else {
        rc = type == CHUNK_PLANES ? chunk_take_planes(&in, c->count, out) : ERR_CORRUPT;
    }
    return rc || in.bad || in.p != in.end ? ERR_CORRUPT : 0;
}
