/* chunk and block: whatever goes in comes out, bit by bit, and a flipped bit is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "store/block.h"
#include "store/bytes.h"
#include "store/chunk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 88172645463325252u;

static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static const double nasty[] = {
    0.0,
    -0.0,
    1,
    -1,
    0.1,
    0.2,
    0.30000000000000004,
    1e-300,
    -1e300,
    4.9406564584124654e-324,
    1.7976931348623157e308,
    9007199254740991.0,
    9007199254740992.0,
    9007199254740993.0,
    -9007199254740991.0,
    1e15 + 0.3,
    123456.789,
    1e9,
    1e-9,
    99.99,
    2147483647,
    4294967296.0,
};
#define NASTY (sizeof nasty / sizeof *nasty)

/* Values of one of several kinds, as metrics have them. */
static double
value_of(unsigned kind, size_t i, double last)
{
    switch (kind % 14) {
    case 0:
        return 42;
    case 1:
        return last + (double)(rnd() % 1000); /* counter */
    case 2:
        return 40 + (double)(rnd() % 50); /* temperature */
    case 3:
        return (double)(rnd() % 1000000) / 1000.0; /* power */
    case 4:
        return bytes_to_double(rnd()); /* anything, NaN too */
    case 5:
        return nasty[rnd() % NASTY];
    case 6:
        return i % 17 == 16 ? bytes_to_double(0x7ff0000000000002u) : 7.5 + (double)i;
    case 7:
        return (double)rnd() / 1e19; /* noise */
    case 8:
        return rnd() % 3 ? last + 4096 * ((double)(rnd() % 2000) - 1000) : last; /* pages */
    case 9:
        return last + (double)(rnd() >> 19); /* a counter, quick */
    case 10:
        return (i % 2 ? -600 : 600) + (double)(rnd() % 80000) / 1000; /* sums of decimals */
    case 11:
        return last + 17 * (double)i + (double)(rnd() % 4); /* quicker and quicker */
    case 12:
        return rnd() % 100 ? last : last + (double)(rnd() >> 20); /* still, and then a leap */
    default:
        return (double)(int64_t)(rnd() >> 11) * (i % 2 ? 1 : -1);
    }
}

static size_t
fill(struct sample *at, size_t max, unsigned kind)
{
    size_t n = 1 + rnd() % max;
    int64_t t = (int64_t)(rnd() % 2000000000000u) - (kind % 13 == 0 ? 1000000000000 : 0);
    double last = (double)(rnd() % 1000000);
    for (size_t i = 0; i < n; i++) {
        t += kind % 3 == 0   ? 15000
             : kind % 3 == 1 ? 15000 + (int64_t)(rnd() % 7)
                             : 1 + (int64_t)(rnd() % 100000000);
        last = value_of(kind, i, last);
        at[i] = (struct sample){t, last};
    }
    return n;
}

static void
assert_same(const struct sample *a, const struct sample *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].t_ms, b[i].t_ms);
        assert_true(bytes_of_double(a[i].v) == bytes_of_double(b[i].v));
    }
}

static void
a_chunk_gives_back_every_bit(void **state)
{
    enum { SERIES = 40, MAX = 300 };
    struct sample *in = calloc(SERIES * MAX, sizeof *in), *out = calloc(MAX, sizeof *out);
    struct chunk_writer *w = chunk_writer_new();
    struct buf b;
    (void)state;
    buf_init(&b, 4 * CHUNK_BYTES_MAX);
    for (unsigned round = 0; round < 60; round++) {
        size_t n[SERIES];
        uint64_t ids[SERIES], id = rnd() % 1000;
        struct chunk_info info;
        struct chunk_reader *r;
        for (unsigned k = 0; k < SERIES; k++) {
            n[k] = fill(in + k * MAX, MAX, round % 2 ? k : round);
            if (k % 4 == 3) { /* scraped together: the same times */
                n[k] = n[k - 1];
                for (size_t i = 0; i < n[k]; i++)
                    in[k * MAX + i].t_ms = in[(k - 1) * MAX + i].t_ms;
            }
            ids[k] = id += 1 + rnd() % 100;
            assert_int_equal(chunk_writer_add(w, id, in + k * MAX, n[k]), 0);
        }
        assert_int_equal(chunk_writer_finish(w, &b, &info), 0);
        assert_int_equal(info.series, SERIES);
        assert_int_equal(chunk_reader_new(b.data, b.len, &r), 0);
        for (unsigned k = 0; k < SERIES; k++) {
            assert_int_equal(chunk_reader_id(r, k), ids[k]);
            assert_int_equal(chunk_reader_count(r, k), n[k]);
            assert_int_equal(chunk_reader_samples(r, k, out), 0);
            assert_same(in + k * MAX, out, n[k]);
        }
        chunk_reader_free(r);
    }
    chunk_writer_free(w);
    buf_done(&b);
    free(in);
    free(out);
}

static void
a_flipped_bit_in_a_chunk_is_found(void **state)
{
    struct sample in[120];
    struct chunk_writer *w = chunk_writer_new();
    struct chunk_info info;
    struct chunk_reader *r;
    struct buf b;
    (void)state;
    buf_init(&b, CHUNK_BYTES_MAX);
    for (uint64_t id = 1; id < 20; id++) {
        size_t n = fill(in, 120, (unsigned)id);
        assert_int_equal(chunk_writer_add(w, id, in, n), 0);
    }
    assert_int_equal(chunk_writer_finish(w, &b, &info), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(chunk_reader_new(b.data, b.len, &r), ERR_CORRUPT);
        b.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(chunk_reader_new(b.data, n, &r), ERR_CORRUPT);
    chunk_writer_free(w);
    buf_done(&b);
}

/* What the program wrote before integers were tokens. */
static const uint8_t planes[] = {
    0x4d, 0x53, 0x43, 0x32, 0xf3, 0xa4, 0x01, 0xa1, 0x01, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00,
    0xd1, 0x00, 0x00, 0x00, 0x68, 0x00, 0x00, 0x00, 0x63, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x68, 0xd5, 0x02, 0x00, 0xe4, 0x04, 0x06, 0x03, 0x27, 0x80, 0xa0,
    0xab, 0xfe, 0xf9, 0x62, 0x00, 0xb0, 0xea, 0x01, 0x26, 0x05, 0x02, 0x00, 0x03, 0x00, 0x02, 0x1e,
    0x07, 0x0a, 0x03, 0x03, 0x03, 0x03, 0x03, 0x50, 0x00, 0x00, 0x00, 0x00, 0x3d, 0x00, 0x00, 0x02,
    0x01, 0x00, 0x04, 0x10, 0x02, 0x22, 0x03, 0x02, 0x00, 0xd2, 0x06, 0x0a, 0xd0, 0x0f, 0x16, 0x00,
    0xe0, 0x5d, 0x32, 0x00, 0x00, 0x80, 0x89, 0x7a, 0x01, 0x0b, 0x00, 0x80, 0x03, 0x28, 0x17, 0x17,
    0x08, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x28, 0x11, 0x03, 0x00, 0xc3, 0x8d, 0x42, 0x73, 0x6f,
    0xde, 0x8a, 0x12, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x78, 0xfd, 0x00, 0x00, 0x60, 0x00, 0x00, 0x0d,
    0x0e, 0x64, 0x95, 0x95, 0x64, 0x64, 0x7f, 0x00, 0x7f, 0x07, 0x00, 0x80, 0x02, 0x16, 0x3c, 0x30,
    0xa0, 0x84, 0x0b, 0xa0, 0x8c, 0x5a, 0x65, 0x60, 0x01, 0x60, 0x01, 0x28, 0xb5, 0x2f, 0xfd, 0x20,
    0x78, 0x75, 0x00, 0x00, 0x30, 0x00, 0x00, 0x84, 0x09, 0x84, 0x00, 0x02, 0x00, 0x60, 0x21, 0x36,
    0x01, 0x2c, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x78, 0x75, 0x00, 0x00, 0x30, 0x00, 0x00, 0x1e, 0x3d,
    0x1e, 0x00, 0x02, 0x00, 0x60, 0x21, 0x36, 0x01, 0x2c, 0x55, 0x55, 0x9a, 0xcf, 0xc7, 0x92, 0x1c,
    0x86, 0xdc, 0x13, 0x41, 0x86, 0x83, 0x11, 0x1e, 0x02, 0x34, 0xb2, 0x82, 0x5e, 0x22, 0x31, 0x2e,
    0x6f, 0x7c, 0xfa, 0x04, 0x87, 0x95, 0x84, 0x08, 0x16, 0x03, 0x01, 0xcc, 0xf8, 0x32, 0x80, 0x60,
    0xe2, 0x55, 0x55, 0x99, 0xcc, 0x71, 0x24, 0xc7, 0x5e, 0x8e, 0x42, 0x6e, 0x1f, 0x35, 0x11, 0x1e,
    0xd9, 0x68, 0x36, 0x1f, 0x91, 0x36, 0x74, 0x41, 0x2f, 0x14, 0x0b, 0x5f, 0x6a, 0x01, 0x10, 0x1f,
    0x01, 0xca, 0x13, 0x7d, 0x15, 0x0b, 0x3d, 0x81, 0x9e, 0x55, 0x55, 0x99, 0xcc, 0x1c, 0x49, 0x71,
    0xe8, 0xc4, 0x08, 0xe4, 0xf8, 0x58, 0x11, 0x1e, 0x6f, 0xd0, 0x38, 0xf8, 0x3c, 0x56, 0x5e, 0xfb,
    0x1f, 0x10, 0xe8, 0x53, 0x0b, 0x53, 0x42, 0x7c, 0x62, 0x5f, 0x30, 0xb0, 0x60, 0xe0, 0xd8, 0x05,
    0xfd, 0x55, 0x55, 0x99, 0xcc, 0xc7, 0x92, 0x1c, 0x85, 0xed, 0x21, 0x46, 0x81, 0x83, 0x11, 0x1e,
    0x02, 0xa0, 0x25, 0x81, 0x6c, 0x2d, 0x0c, 0x12, 0x54, 0xae, 0x2f, 0xf3, 0x70, 0x19, 0x08, 0xf0,
    0xee, 0x03, 0x01, 0x08, 0xa8, 0xa6, 0x83, 0x16, 0x97, 0x55, 0x55, 0x99, 0xcc, 0x71, 0x24, 0xc7,
    0x5e, 0x48, 0x84, 0x6e, 0x1f, 0x35, 0x11, 0x1e, 0xd9, 0x41, 0x1f, 0x1f, 0x57, 0x19, 0x9d, 0xb4,
    0xda, 0xbf, 0xa0, 0x9d, 0xa8, 0x30, 0x21, 0xc1, 0xdf, 0xca, 0x13, 0x3e, 0x7f, 0x22, 0x3d, 0x58,
    0x47, 0x55, 0x55, 0x99, 0xcc, 0x1c, 0x49, 0x71, 0xe8, 0xdc, 0x10, 0xe4, 0xf8, 0x58, 0x11, 0x1e,
    0x6f, 0x83, 0x6b, 0xf8, 0x24, 0x07, 0x17, 0x2f, 0xcb, 0x47, 0xbf, 0xee, 0xb6, 0x95, 0x84, 0x07,
    0x19, 0x5f, 0x30, 0xdd, 0x5e, 0xb3, 0xd8, 0x60, 0x98, 0xd5, 0x05, 0x19, 0x0c, 0x07, 0x02, 0x7c,
    0x05, 0x0e, 0x02, 0x06, 0x01, 0x03, 0x01, 0x1e, 0x02, 0x06, 0x03, 0x01, 0x0f, 0x01, 0x03, 0x01,
    0x07, 0x01, 0x00, 0x03, 0x00, 0x01, 0x00, 0x3f, 0x01, 0x03, 0x01, 0x07, 0x01, 0x00, 0x03, 0x01,
    0x00, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x28, 0x45, 0x00, 0x00, 0x10, 0x3f, 0x00, 0x01, 0x00, 0x1f,
    0x80, 0x05,
};

static void
integers_of_earlier_programs_are_read(void **state)
{
    struct sample out[40];
    struct chunk_reader *r;
    (void)state;
    assert_int_equal(chunk_reader_new(planes, sizeof planes, &r), 0);
    assert_int_equal(chunk_reader_series(r), 6);
    for (unsigned k = 0; k < 6; k++) {
        size_t n = k == 5 ? 9 : 40;
        assert_int_equal(chunk_reader_id(r, k), 10 + 3 * k);
        assert_int_equal(chunk_reader_count(r, k), n);
        assert_int_equal(chunk_reader_samples(r, k, out), 0);
        for (unsigned i = 0; i < n; i++) {
            double v = k == 0   ? 42.5
                       : k == 1 ? 1000 + i * 10 + i % 7
                       : k == 2 ? 60 + (i * i % 5) * 0.25
                       : k == 3 ? 1.0 / (3 + i)
                       : k == 4 ? (i == 11 ? -0.0 : i * 1e6)
                                : 5;
            assert_true(bytes_of_double(out[i].v) == bytes_of_double(v));
            assert_int_equal(out[i].t_ms, 1700000000000 + 15000 * (int64_t)i + (i == 7 && k == 2));
        }
    }
    chunk_reader_free(r);
}

static void
constant_and_small_series_take_few_bytes(void **state)
{
    struct sample in[120];
    struct chunk_writer *w = chunk_writer_new();
    struct chunk_info info;
    struct buf b;
    (void)state;
    buf_init(&b, CHUNK_BYTES_MAX);
    for (uint64_t id = 1; id <= 500; id++) {
        for (int i = 0; i < 120; i++)
            in[i] =
                (struct sample){1790000000000 + i * 15000, id % 2 ? 0 : 60 + (double)(rnd() % 4)};
        assert_int_equal(chunk_writer_add(w, id, in, 120), 0);
    }
    assert_int_equal(chunk_writer_finish(w, &b, &info), 0);
    assert_true(b.len < 500 * 120 / 4); /* 2 bits a sample */
    chunk_writer_free(w);
    buf_done(&b);
}

static void
a_block_gives_back_every_bit(void **state)
{
    struct sample in[600], out[600];
    struct cells *c = cells_new();
    (void)state;
    for (unsigned round = 0; round < 900; round++) {
        size_t n = fill(in, 600, round), at = 1;
        struct block *b = block_new(c, in[0].t_ms, in[0].v, 5, false);
        for (; at < n; at++) {
            int rc = block_append(c, &b, in[at].t_ms, in[at].v, in[at - 1].v);
            if (rc == ERR_LIMIT)
                break;
            assert_int_equal(rc, 0);
        }
        assert_int_equal(b->count, at);
        assert_int_equal(block_last_ms(b), in[at - 1].t_ms);
        block_decode(b, out);
        assert_same(in, out, at);
        if (at > 40) {
            struct block *t = block_tail(c, b, 40);
            block_decode(t, out);
            assert_int_equal(t->count, 40);
            assert_same(in + at - 40, out, 40);
            block_free(c, t);
        }
        block_free(c, b);
    }
    cells_free(c);
}

static void
a_raw_block_sorts_and_refuses_the_same_time(void **state)
{
    struct sample out[64];
    struct cells *c = cells_new();
    struct block *b = block_new(c, 1000, 1, 0, true);
    (void)state;
    for (int i = 1; i < 50; i++)
        assert_int_equal(block_insert(c, &b, 1000 + (i * 37) % 50 * 10, i), 0);
    assert_int_equal(block_insert(c, &b, 1000, 9), ERR_EXISTS);
    block_decode(b, out);
    for (int i = 0; i < 50; i++)
        assert_int_equal(out[i].t_ms, 1000 + i * 10);
    assert_int_equal(block_last_ms(b), 1490);
    cells_free(c);
}

/* Cells are no one else's while they are taken, and what was given back is used again. */
static void
cells_of_all_sizes_do_not_meet(void **state)
{
    enum { N = 3000 };
    static struct {
        unsigned char *at;
        size_t size;
    } held[N];
    struct cells *c = cells_new();
    uint32_t x = 1;
    (void)state;
    assert_null(cells_take(c, CELLS_MAX + 1));
    for (unsigned i = 0; i < 40 * N; i++) {
        unsigned k = (x = x * 1664525 + 1013904223) % N;
        if (held[k].at) {
            for (size_t j = 0; j < held[k].size; j++)
                assert_int_equal(held[k].at[j], (unsigned char)k);
            cells_give(c, held[k].at, held[k].size);
            held[k].at = NULL;
            continue;
        }
        held[k].size = 1 + x / 7 % (i / N % 2 ? CELLS_MAX : 200);
        held[k].at = cells_take(c, held[k].size);
        assert_non_null(held[k].at);
        memset(held[k].at, (int)k, held[k].size);
    }
    for (unsigned k = 0; k < N; k++) {
        if (held[k].at)
            cells_give(c, held[k].at, held[k].size);
        held[k].at = NULL;
    }
    cells_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_gives_back_every_bit),
        cmocka_unit_test(a_flipped_bit_in_a_chunk_is_found),
        cmocka_unit_test(integers_of_earlier_programs_are_read),
        cmocka_unit_test(constant_and_small_series_take_few_bytes),
        cmocka_unit_test(a_block_gives_back_every_bit),
        cmocka_unit_test(cells_of_all_sizes_do_not_meet),
        cmocka_unit_test(a_raw_block_sorts_and_refuses_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
