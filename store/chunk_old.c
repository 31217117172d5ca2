/* chunk_old: the reader of what version 1 wrote: one zstd frame of varints. Nothing writes it any
 * more. */
#include "store/chunk_priv.h"

#include "base/compress.h"
#include "base/err.h"
#include "store/bytes.h"

#include <stdlib.h>

#define CHUNK_OLD_HEADER       32
#define CHUNK_OLD_EXPONENT_MAX 9
#define CHUNK_OLD_SERIES_MAX   1024
#define CHUNK_OLD_SAMPLES_MAX  262144

enum { CHUNK_OLD_CONSTANT = 0, CHUNK_OLD_INTEGER = 1, CHUNK_OLD_PLANES = 2 };

static const double chunk_old_pow10[CHUNK_OLD_EXPONENT_MAX + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                                   1e5, 1e6, 1e7, 1e8, 1e9};

struct chunk_old_column {
    uint64_t id;
    uint32_t count, time, at, len; /* value bytes in the payload */
};

struct chunk_old {
    struct buf payload;
    size_t series, columns;
    uint32_t *times; /* start of each time column, by order of first use; columns + 1 places */
    struct chunk_old_column *at;
};

void
chunk_old_free(struct chunk_old *r)
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
chunk_old_skip_times(struct bytes_in *in, uint64_t n)
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
chunk_old_read_directory(struct chunk_old *r, uint64_t samples)
{
    struct bytes_in in = bytes_in_of(r->payload.data, r->payload.len);
    uint64_t columns = bytes_take_varint(&in), times_len = bytes_take_varint(&in), id = 0,
             total = 0, values = 0, next = 0;
    if (columns > r->series)
        return ERR_CORRUPT;
    for (size_t i = 0; i < r->series; i++) {
        struct chunk_old_column *c = &r->at[i];
        uint64_t step = bytes_take_varint(&in), n = bytes_take_varint(&in),
                 time = bytes_take_varint(&in), len = bytes_take_varint(&in);
        if (in.bad || (i && !step) || !n || n > samples - total || time > next || time >= columns ||
            len > r->payload.len)
            return ERR_CORRUPT;
        next += time == next;
        id += step;
        total += n;
        *c = (struct chunk_old_column){.id = id,
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
        if (!chunk_old_skip_times(&t, r->at[i].count))
            return ERR_CORRUPT;
        r->times[column] = (uint32_t)(t.p - start);
    }
    return t.p == t.end ? 0 : ERR_CORRUPT;
}

int
chunk_old_new(const void *p, size_t len, struct chunk_old **ret)
{
    const uint8_t *b = p;
    if (!b || len < CHUNK_OLD_HEADER || bytes_get_u32(b) != CHUNK_OLD_MAGIC ||
        bytes_get_u32(b + 4) != crc32c(0, b + 8, len - 8) || b[8] != 1)
        return ERR_CORRUPT;
    uint32_t series = bytes_get_u32(b + 12), samples = bytes_get_u32(b + 16),
             size = bytes_get_u32(b + 20);
    if (!series || series > CHUNK_OLD_SERIES_MAX || samples > CHUNK_OLD_SAMPLES_MAX ||
        size > 3 * CHUNK_BYTES_MAX)
        return ERR_CORRUPT;
    struct chunk_old *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    buf_init(&r->payload, size);
    r->series = series;
    r->times = calloc((size_t)series + 1, sizeof *r->times);
    r->at = calloc(series, sizeof *r->at);
    int rc = r->times && r->at
                 ? compress_unzstd(b + CHUNK_OLD_HEADER, len - CHUNK_OLD_HEADER, &r->payload)
                 : ERR_NOMEM;
    if (!rc && r->payload.len != size)
        rc = ERR_CORRUPT;
    if (!rc)
        rc = chunk_old_read_directory(r, samples);
    if (rc)
        chunk_old_free(r);
    else
        *ret = r;
    return rc;
}

size_t
chunk_old_bytes(const struct chunk_old *r)
{
    return sizeof *r + r->payload.cap + r->series * (sizeof *r->at + sizeof *r->times);
}

size_t
chunk_old_series(const struct chunk_old *r)
{
    return r->series;
}

uint64_t
chunk_old_id(const struct chunk_old *r, size_t i)
{
    return r->at[i].id;
}

size_t
chunk_old_count(const struct chunk_old *r, size_t i)
{
    return r->at[i].count;
}

static int
chunk_old_take_integers(struct bytes_in *in, unsigned order, size_t n, struct sample *out)
{
    unsigned e = bytes_take_u8(in);
    uint64_t odd = bytes_take_varint(in), at = 0;
    if (in->bad || e > CHUNK_OLD_EXPONENT_MAX || order > 2 || odd > n)
        return ERR_CORRUPT;
    struct bytes_in exceptions = *in;
    for (uint64_t i = 0; i < odd; i++) {
        bytes_take_varint(in);
        bytes_take_u64(in);
    }
    uint64_t first = (uint64_t)bytes_unzigzag(bytes_take_varint(in)), v = first, step = 0;
    double scale = chunk_old_pow10[e];
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
chunk_old_take_planes(struct bytes_in *in, size_t n, struct sample *out)
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
chunk_old_samples(const struct chunk_old *r, size_t i, struct sample *out)
{
    const struct chunk_old_column *c = &r->at[i];
    const char *p = r->payload.data;
    struct bytes_in in =
        bytes_in_of(p + r->times[c->time], r->times[c->time + 1] - r->times[c->time]);
    int rc = chunk_take_times(&in, c->count, out);
    if (rc || in.p != in.end)
        return ERR_CORRUPT;
    in = bytes_in_of(p + c->at, c->len);
    unsigned type = bytes_take_u8(&in);
    if ((type & 15) == CHUNK_OLD_CONSTANT) {
        double v = bytes_to_double(bytes_take_u64(&in));
        for (size_t k = 0; k < c->count; k++)
            out[k].v = v;
    } else if ((type & 15) == CHUNK_OLD_INTEGER) {
        rc = chunk_old_take_integers(&in, type >> 4, c->count, out);
    } else {
        rc = type == CHUNK_OLD_PLANES ? chunk_old_take_planes(&in, c->count, out) : ERR_CORRUPT;
    }
    return rc || in.bad || in.p != in.end ? ERR_CORRUPT : 0;
}
