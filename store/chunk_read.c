/* chunk_read: the reader. The directory is unpacked when a chunk is opened, the packed planes of a
 * group when one of its series is asked for first, by whoever asks; they stay until the reader is
 * freed. Several threads may read one reader. */
#include "base/compress.h"
#include "base/err.h"
#include "store/chunk_pack.h"
#include "store/chunk_priv.h"
#include "store/rans.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct chunk_group {
    uint32_t samples, planes;
    uint32_t at[CHUNK_PLANES_MAX], len[CHUNK_PLANES_MAX]; /* in the bytes of the chunk */
    _Atomic(uint8_t *) unpacked; /* the planes that are packed, one after the other */
};

struct chunk_column { /* one series */
    uint64_t id;
    uint32_t count, time, group, at; /* at: of its residuals in the group, or number in packed */
    uint8_t kind, exponent;
    int64_t first, step, low; /* of constants: first is the number or the bits */
    uint32_t odd, odd_count;  /* exceptions, in the directory */
};

struct chunk_reader {
    struct chunk_old *old;       /* everything is there then */
    struct chunk_packed *packed; /* series of integers, but for those of planes */
    uint8_t *bytes;              /* a copy of the chunk */
    size_t len;
    unsigned codec, mode;
    uint8_t *directory;
    size_t directory_len, series, columns, groups, group_cap;
    uint32_t *times; /* start of each time column in the directory; columns + 1 places */
    struct chunk_column *at;
    struct chunk_group *group;
    size_t unpacked; /* bytes of planes that are unpacked when they are all asked */
    struct chunk_unpacker *unpacker;
};

struct chunk_unpacker {
    pthread_mutex_t lock;
    struct compress_zstd_ctx *zstd;
};

void
chunk_reader_free(struct chunk_reader *r)
{
    if (!r)
        return;
    chunk_old_free(r->old);
    chunk_packed_free(r->packed);
    if (r->unpacker) {
        pthread_mutex_destroy(&r->unpacker->lock);
        compress_zstd_ctx_free(r->unpacker->zstd);
    }
    for (size_t i = 0; i < r->groups; i++)
        free(atomic_load(&r->group[i].unpacked));
    free(r->unpacker);
    free(r->bytes);
    free(r->directory);
    free(r->times);
    free(r->at);
    free(r->group);
    free(r);
}

/* --- opening ---------------------------------------------------------------------------------- */

bool
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

int
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
chunk_read_columns(struct chunk_reader *r, struct bytes_in *in, uint64_t samples)
{
    uint64_t id = 0, total = 0;
    int64_t count = 0, column = 0, next = 0;
    for (size_t i = 0; i < r->series; i++) {
        uint64_t step = bytes_take_varint(in);
        if (i && !step)
            return ERR_CORRUPT;
        r->at[i].id = id += step;
    }
    for (size_t i = 0; i < r->series; i++) {
        count += bytes_unzigzag(bytes_take_varint(in));
        if (in->bad || count < 1 || (uint64_t)count > samples - total)
            return ERR_CORRUPT;
        total += (uint64_t)count;
        r->at[i].count = (uint32_t)count;
    }
    for (size_t i = 0; i < r->series; i++) {
        column += bytes_unzigzag(bytes_take_varint(in));
        if (column < 0 || column > next || (uint64_t)column >= r->columns)
            return ERR_CORRUPT;
        next += column == next;
        r->at[i].time = (uint32_t)column;
    }
    for (size_t i = 0; i < r->series; i++) {
        uint8_t kind = bytes_take_u8(in);
        r->at[i].kind = kind & 15;
        r->at[i].exponent = kind >> 4;
        if ((kind & 15) >= CHUNK_KINDS || kind >> 4 > CHUNK_EXPONENT_MAX)
            return ERR_CORRUPT;
    }
    for (size_t i = 0; i < r->series; i++) {
        if (r->at[i].kind == CHUNK_CONSTANT)
            r->at[i].first = bytes_unzigzag(bytes_take_varint(in));
        else if (r->at[i].kind == CHUNK_CONSTANT_BITS)
            r->at[i].first = (int64_t)bytes_take_u64(in);
    }
    return in->bad || total != samples || (uint64_t)next != r->columns ? ERR_CORRUPT : 0;
}

static int
chunk_read_times(struct chunk_reader *r, const uint8_t *times, size_t len)
{
    struct bytes_in t = bytes_in_of(times, len);
    for (size_t i = 0, column = 0; i < r->series && column < r->columns; i++) {
        if (r->at[i].time != column)
            continue;
        r->times[column++] = (uint32_t)(t.p - r->directory);
        if (!chunk_skip_times(&t, r->at[i].count))
            return ERR_CORRUPT;
        r->times[column] = (uint32_t)(t.p - r->directory);
    }
    return t.p == t.end ? 0 : ERR_CORRUPT;
}

static int
chunk_read_exceptions(struct chunk_reader *r, struct bytes_in *in, struct chunk_column *c)
{
    uint64_t index = 0;
    c->odd = (uint32_t)(in->p - r->directory);
    for (uint32_t i = 0; i < c->odd_count; i++) {
        index += bytes_take_varint(in);
        if (r->codec == CHUNK_PLANES || !bytes_take_varint(in))
            bytes_take_u64(in);
        if (in->bad || index >= c->count)
            return ERR_CORRUPT;
    }
    return 0;
}

static int
chunk_read_odd_count(struct bytes_in *in, struct chunk_column *c)
{
    uint64_t odd = bytes_take_varint(in);
    if (in->bad || odd > c->count)
        return ERR_CORRUPT;
    c->odd_count = (uint32_t)odd;
    return 0;
}

/* The integers of codec 2. */
static int
chunk_read_packed(struct chunk_reader *r, struct bytes_in *in, size_t *at)
{
    uint32_t *counts = malloc(r->series * sizeof *counts), n = 0;
    if (!counts)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->series; i++)
        if (r->at[i].kind == CHUNK_INTEGER) {
            r->at[i].at = n;
            counts[n++] = r->at[i].count;
        }
    int rc = n ? chunk_packed_new(in, counts, n, r->bytes, r->len, at, &r->packed) : 0;
    free(counts);
    for (size_t i = 0; !rc && i < r->series; i++)
        if (r->at[i].kind == CHUNK_INTEGER)
            rc = chunk_read_odd_count(in, &r->at[i]);
    for (size_t i = 0; !rc && i < r->series; i++)
        if (r->at[i].kind == CHUNK_INTEGER)
            rc = chunk_read_exceptions(r, in, &r->at[i]);
    return rc;
}

static int
chunk_read_base(struct chunk_reader *r, struct bytes_in *in, struct chunk_column *c)
{
    c->first = bytes_unzigzag(bytes_take_varint(in));
    if ((r->mode & CHUNK_ORDER) == 2)
        c->step = bytes_unzigzag(bytes_take_varint(in));
    if (!(r->mode & CHUNK_ZIGZAG))
        c->low = bytes_unzigzag(bytes_take_varint(in));
    int rc = chunk_read_odd_count(in, c);
    return rc ? rc : chunk_read_exceptions(r, in, c);
}

static int
chunk_read_planes(struct chunk_reader *r, struct bytes_in *in, size_t samples, size_t *at)
{
    if (r->groups == r->group_cap) {
        size_t n = r->group_cap ? r->group_cap * 2 : 8;
        struct chunk_group *p = realloc(r->group, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        r->group = p;
        r->group_cap = n;
    }
    struct chunk_group *g = &r->group[r->groups++];
    uint64_t planes = bytes_take_varint(in);
    memset(g, 0, sizeof *g);
    g->samples = (uint32_t)samples;
    g->planes = (uint32_t)planes;
    if (planes > CHUNK_PLANES_MAX)
        return ERR_CORRUPT;
    for (uint64_t k = 0; k < planes; k++) {
        uint64_t len = bytes_take_varint(in);
        if (in->bad || !len || len > samples || len > r->len - *at)
            return ERR_CORRUPT;
        g->at[k] = (uint32_t)*at;
        g->len[k] = (uint32_t)len;
        r->unpacked += len < samples ? samples : 0;
        *at += len;
    }
    return in->bad ? ERR_CORRUPT : 0;
}

/* The same walk as the writer's. */
static int
chunk_read_groups(struct chunk_reader *r, struct bytes_in *in, enum chunk_kind kind, size_t *at)
{
    for (size_t i = 0; i < r->series;) {
        size_t n = 0;
        for (; i < r->series; i++) {
            struct chunk_column *c = &r->at[i];
            if (c->kind != kind)
                continue;
            if (n && n + c->count > CHUNK_GROUP)
                break;
            c->group = (uint32_t)r->groups;
            c->at = (uint32_t)n;
            n += c->count;
            int rc = kind == CHUNK_INTEGER ? chunk_read_base(r, in, c) : 0;
            if (rc)
                return rc;
        }
        int rc = n ? chunk_read_planes(r, in, n, at) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static int
chunk_read_directory(struct chunk_reader *r, uint64_t samples, size_t at)
{
    struct bytes_in in = bytes_in_of(r->directory, r->directory_len);
    r->mode = r->codec == CHUNK_PLANES ? bytes_take_u8(&in) : 0;
    uint64_t columns = bytes_take_varint(&in), times_len = bytes_take_varint(&in);
    const uint8_t *times = bytes_take(&in, times_len);
    if (in.bad || r->mode >= CHUNK_MODES || r->mode == CHUNK_ORDER || columns > r->series)
        return ERR_CORRUPT;
    r->columns = (size_t)columns;
    int rc = chunk_read_columns(r, &in, samples);
    if (!rc)
        rc = chunk_read_times(r, times, (size_t)times_len);
    if (!rc)
        rc = r->codec == CHUNK_PLANES ? chunk_read_groups(r, &in, CHUNK_INTEGER, &at)
                                      : chunk_read_packed(r, &in, &at);
    if (!rc)
        rc = chunk_read_groups(r, &in, CHUNK_BITS, &at);
    return rc ? rc : in.bad || in.p != in.end || at != r->len ? ERR_CORRUPT : 0;
}

static int
chunk_reader_open(struct chunk_reader *r)
{
    const uint8_t *b = r->bytes;
    uint32_t series = bytes_get_u32(b + 12), samples = bytes_get_u32(b + 16),
             size = bytes_get_u32(b + 20), packed = bytes_get_u32(b + 24);
    r->codec = b[8];
    if ((b[8] != CHUNK_PLANES && b[8] != CHUNK_PACKED) || !series || series > CHUNK_SERIES_MAX ||
        samples > CHUNK_SAMPLES_MAX || size > CHUNK_BYTES_MAX || packed > r->len - CHUNK_HEADER)
        return ERR_CORRUPT;
    r->series = series;
    r->directory_len = size;
    r->directory = malloc((size_t)size + 1);
    r->times = calloc((size_t)series + 1, sizeof *r->times);
    r->at = calloc(series, sizeof *r->at);
    r->unpacker = calloc(1, sizeof *r->unpacker);
    if (r->unpacker) {
        pthread_mutex_init(&r->unpacker->lock, NULL);
        r->unpacker->zstd = compress_zstd_ctx_new();
    }
    if (!r->directory || !r->times || !r->at || !r->unpacker || !r->unpacker->zstd)
        return ERR_NOMEM;
    int rc = compress_unzstd_with(r->unpacker->zstd, b + CHUNK_HEADER, packed, r->directory, size);
    return rc ? rc : chunk_read_directory(r, samples, CHUNK_HEADER + (size_t)packed);
}

int
chunk_reader_new(const void *p, size_t len, struct chunk_reader **ret)
{
    const uint8_t *b = p;
    if (!b || len < CHUNK_HEADER || len > 4 * CHUNK_BYTES_MAX)
        return ERR_CORRUPT;
    uint32_t magic = bytes_get_u32(b);
    if ((magic != CHUNK_MAGIC && magic != CHUNK_OLD_MAGIC) ||
        bytes_get_u32(b + 4) != crc32c(0, b + 8, len - 8))
        return ERR_CORRUPT;
    struct chunk_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->len = len;
    int rc = 0;
    if (magic == CHUNK_OLD_MAGIC) {
        rc = chunk_old_new(p, len, &r->old);
    } else if ((r->bytes = malloc(len + RANS_PAD)) != NULL) {
        memcpy(r->bytes, b, len);
        memset(r->bytes + len, 0, RANS_PAD);
        rc = chunk_reader_open(r);
    } else {
        rc = ERR_NOMEM;
    }
    if (rc)
        chunk_reader_free(r);
    else
        *ret = r;
    return rc;
}

size_t
chunk_reader_bytes(const struct chunk_reader *r)
{
    return r->old
               ? chunk_old_bytes(r->old)
               : sizeof *r + r->len + r->directory_len + r->unpacked +
                     chunk_packed_bytes(r->packed) +
                     r->series * (sizeof *r->at + sizeof *r->times) + r->groups * sizeof *r->group;
}

size_t
chunk_reader_series(const struct chunk_reader *r)
{
    return r->old ? chunk_old_series(r->old) : r->series;
}

uint64_t
chunk_reader_id(const struct chunk_reader *r, size_t i)
{
    return r->old ? chunk_old_id(r->old, i) : r->at[i].id;
}

size_t
chunk_reader_count(const struct chunk_reader *r, size_t i)
{
    return r->old ? chunk_old_count(r->old, i) : r->at[i].count;
}

/* --- values ----------------------------------------------------------------------------------- */

static int
chunk_unpack_planes(const struct chunk_reader *r, const struct chunk_group *g, uint8_t *to)
{
    for (uint32_t k = 0; k < g->planes; k++) {
        if (g->len[k] == g->samples)
            continue;
        if (compress_unzstd_with(r->unpacker->zstd, r->bytes + g->at[k], g->len[k], to, g->samples))
            return ERR_CORRUPT;
        to += g->samples;
    }
    return 0;
}

/* The packed planes of a group; NULL when it has none. */
static int
chunk_unpack(const struct chunk_reader *r, struct chunk_group *g, const uint8_t **ret)
{
    size_t size = 0;
    for (uint32_t k = 0; k < g->planes; k++)
        size += g->len[k] < g->samples ? g->samples : 0;
    *ret = atomic_load_explicit(&g->unpacked, memory_order_acquire);
    if (*ret || !size)
        return 0;
    pthread_mutex_lock(&r->unpacker->lock);
    uint8_t *to = atomic_load(&g->unpacked);
    int rc = to || (to = malloc(size)) ? 0 : ERR_NOMEM;
    if (!rc && !atomic_load(&g->unpacked)) {
        rc = chunk_unpack_planes(r, g, to);
        if (rc)
            free(to);
        else
            atomic_store_explicit(&g->unpacked, to, memory_order_release);
    }
    pthread_mutex_unlock(&r->unpacker->lock);
    *ret = to;
    return rc;
}

/* The residuals of a series, in the places of the times, which come last. */
static int
chunk_take_residuals(const struct chunk_reader *r, const struct chunk_column *c, struct sample *out)
{
    struct chunk_group *g = &r->group[c->group];
    const uint8_t *unpacked;
    int rc = chunk_unpack(r, g, &unpacked);
    if (rc)
        return rc;
    if (!g->planes)
        for (uint32_t i = 0; i < c->count; i++)
            out[i].t_ms = 0;
    for (uint32_t k = 0; k < g->planes; k++) {
        const uint8_t *p = r->bytes + g->at[k];
        if (g->len[k] < g->samples) {
            p = unpacked;
            unpacked += g->samples;
        }
        p += c->at;
        if (k == 0)
            for (uint32_t i = 0; i < c->count; i++)
                out[i].t_ms = p[i];
        else
            for (uint32_t i = 0; i < c->count; i++)
                out[i].t_ms |= (int64_t)((uint64_t)p[i] << (8 * k));
    }
    return 0;
}

static void
chunk_take_integers(const struct chunk_reader *r, const struct chunk_column *c, struct sample *out)
{
    uint64_t v = (uint64_t)c->first, step = (uint64_t)c->step, low = (uint64_t)c->low;
    unsigned order = r->mode & CHUNK_ORDER;
    bool zigzag = r->mode & CHUNK_ZIGZAG;
    double scale = chunk_pow10[c->exponent];
    if (order)
        out[0].v = (double)c->first / scale;
    for (uint32_t i = order ? 1 : 0; i < c->count; i++) {
        uint64_t d = (uint64_t)out[i].t_ms;
        d = zigzag ? (uint64_t)bytes_unzigzag(d) : d + low;
        if (order == 0) {
            out[i].v = (double)(int64_t)(v + d) / scale;
            continue;
        }
        if (order == 2)
            d = step += i > 1 ? d : 0;
        out[i].v = (double)(int64_t)(v += d) / scale;
    }
}

static void
chunk_take_exceptions(const struct chunk_reader *r, const struct chunk_column *c,
                      struct sample *out)
{
    struct bytes_in in = bytes_in_of(r->directory + c->odd, r->directory_len - c->odd);
    uint64_t index = 0;
    for (uint32_t i = 0; i < c->odd_count; i++) { /* in range: seen when opened */
        index += bytes_take_varint(&in);
        uint64_t steps = r->codec == CHUNK_PLANES ? 0 : bytes_take_varint(&in);
        out[index].v =
            bytes_to_double(steps ? bytes_of_double(out[index].v) + (uint64_t)bytes_unzigzag(steps)
                                  : bytes_take_u64(&in));
    }
}

static int
chunk_take_packed(const struct chunk_reader *r, const struct chunk_column *c, struct sample *out)
{
    int rc = chunk_packed_take(r->packed, c->at, out);
    if (rc)
        return rc;
    double scale = chunk_pow10[c->exponent];
    for (uint32_t i = 0; c->exponent && i < c->count; i++)
        out[i].v /= scale;
    chunk_take_exceptions(r, c, out);
    return 0;
}

static int
chunk_take_values(const struct chunk_reader *r, const struct chunk_column *c, struct sample *out)
{
    if (c->kind < CHUNK_INTEGER) {
        double v = c->kind == CHUNK_CONSTANT ? (double)c->first / chunk_pow10[c->exponent]
                                             : bytes_to_double((uint64_t)c->first);
        for (uint32_t k = 0; k < c->count; k++)
            out[k].v = v;
        return 0;
    }
    if (c->kind == CHUNK_INTEGER && r->packed)
        return chunk_take_packed(r, c, out);
    int rc = chunk_take_residuals(r, c, out);
    if (rc)
        return rc;
    uint64_t bits = 0;
    if (c->kind == CHUNK_INTEGER) {
        chunk_take_integers(r, c, out);
        chunk_take_exceptions(r, c, out);
        return 0;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        bits ^= (uint64_t)out[i].t_ms;
        out[i].v = bytes_to_double(bits);
    }
    return 0;
}

int
chunk_reader_samples(const struct chunk_reader *r, size_t i, struct sample *out)
{
    if (r->old)
        return chunk_old_samples(r->old, i, out);
    const struct chunk_column *c = &r->at[i];
    uint32_t from = r->times[c->time];
    struct bytes_in in = bytes_in_of(r->directory + from, r->times[c->time + 1] - from);
    int rc = chunk_take_values(r, c, out);
    if (!rc)
        rc = chunk_take_times(&in, c->count, out);
    return rc || in.p != in.end ? ERR_CORRUPT : 0;
}
