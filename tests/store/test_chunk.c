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
    switch (kind % 9) {
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
    (void)state;
    for (unsigned round = 0; round < 900; round++) {
        size_t n = fill(in, 600, round), at = 1;
        struct block *b = block_new(in[0].t_ms, in[0].v, 5, false);
        for (; at < n; at++) {
            int rc = block_append(&b, in[at].t_ms, in[at].v, in[at - 1].v);
            if (rc == ERR_LIMIT)
                break;
            assert_int_equal(rc, 0);
        }
        assert_int_equal(b->count, at);
        assert_int_equal(block_last_ms(b), in[at - 1].t_ms);
        block_decode(b, out);
        assert_same(in, out, at);
        if (at > 40) {
            struct block *t = block_tail(b, 40);
            block_decode(t, out);
            assert_int_equal(t->count, 40);
            assert_same(in + at - 40, out, 40);
            free(t);
        }
        free(b);
    }
}

static void
a_raw_block_sorts_and_refuses_the_same_time(void **state)
{
    struct sample out[64];
    struct block *b = block_new(1000, 1, 0, true);
    (void)state;
    for (int i = 1; i < 50; i++)
        assert_int_equal(block_insert(&b, 1000 + (i * 37) % 50 * 10, i), 0);
    assert_int_equal(block_insert(&b, 1000, 9), ERR_EXISTS);
    block_decode(b, out);
    for (int i = 0; i < 50; i++)
        assert_int_equal(out[i].t_ms, 1000 + i * 10);
    assert_int_equal(block_last_ms(b), 1490);
    free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_gives_back_every_bit),
        cmocka_unit_test(a_flipped_bit_in_a_chunk_is_found),
        cmocka_unit_test(constant_and_small_series_take_few_bytes),
        cmocka_unit_test(a_block_gives_back_every_bit),
        cmocka_unit_test(a_raw_block_sorts_and_refuses_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
