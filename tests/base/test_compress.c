/* test_compress: what is packed comes back; bombs, cuts and flipped bytes give errors. */
#include "base/compress.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int
test_zstd3(const void *data, size_t len, struct buf *out)
{
    return compress_zstd(data, len, 3, out);
}

static const struct {
    const char *name;
    int (*pack)(const void *, size_t, struct buf *);
    int (*unpack)(const void *, size_t, struct buf *);
} codecs[] = {
    {"snappy", compress_snappy, compress_unsnappy},
    {"zstd", test_zstd3, compress_unzstd},
    {"gzip", compress_gzip, compress_gunzip},
};
#define CODECS (sizeof codecs / sizeof *codecs)

/* `kind` 0: zeros, 1: text that repeats, 2: noise. */
static void
fill(uint8_t *p, size_t n, int kind)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = kind == 0 ? 0 : kind == 1 ? (uint8_t)("abcdefghij"[i % 10]) : (uint8_t)(x >> 24);
    }
}

static void
packed_data_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 4095, 65536, 65537, 1000000};
    uint8_t *data = malloc(1000000);
    for (size_t c = 0; c < CODECS; c++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int kind = 0; kind < 3; kind++) {
                struct buf packed, back;
                buf_init(&packed, 2000000);
                buf_init(&back, 3 + sizes[s]); /* the ceiling is met exactly */
                fill(data, sizes[s], kind);
                assert_int_equal(codecs[c].pack(data, sizes[s], &packed), 0);
                assert_int_equal(buf_puts(&back, "abc"), 0);
                assert_int_equal(codecs[c].unpack(packed.data, packed.len, &back), 0);
                assert_int_equal(back.len, 3 + sizes[s]);
                assert_memory_equal(back.data, "abc", 3);
                assert_memory_equal(back.data + 3, data, sizes[s]);
                assert_false(back.failed);
                buf_done(&packed);
                buf_done(&back);
            }
    free(data);
}

static void
bomb_stops_at_the_ceiling(void **state)
{
    (void)state;
    uint8_t *zeros = calloc(1, 8 << 20);
    for (size_t c = 0; c < CODECS; c++) {
        struct buf packed, back;
        buf_init(&packed, 16 << 20);
        assert_int_equal(codecs[c].pack(zeros, 8 << 20, &packed), 0);
        for (size_t max = 0; max < 8 << 20; max = max * 3 + 1) {
            buf_init(&back, max);
            assert_int_equal(codecs[c].unpack(packed.data, packed.len, &back), ERR_LIMIT);
            assert_int_equal(back.len, 0);
            assert_true(back.cap <= max + 1);
            buf_done(&back);
        }
        buf_done(&packed);
    }
    free(zeros);
}

static void
cut_input_is_corrupt_and_leaves_output_alone(void **state)
{
    (void)state;
    uint8_t data[3000];
    fill(data, sizeof data, 2);
    for (size_t c = 0; c < CODECS; c++) {
        struct buf packed, back;
        buf_init(&packed, 1 << 20);
        buf_init(&back, 1 << 20);
        buf_puts(&back, "kept");
        codecs[c].pack(data, sizeof data, &packed);
        for (size_t n = 0; n < packed.len; n++) {
            assert_int_equal(codecs[c].unpack(packed.data, n, &back), ERR_CORRUPT);
            assert_string_equal(buf_str(&back), "kept");
        }
        buf_done(&packed);
        buf_done(&back);
    }
}

static void
snappy_claim_beyond_its_input_takes_no_memory(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1ul << 30);
    assert_int_equal(compress_unsnappy("\xff\xff\xff\x7f\x00x", 6, &out), ERR_CORRUPT);
    assert_int_equal(out.cap, 0);
    assert_int_equal(compress_unsnappy("\xff\xff\xff\xff\x0f\x00x", 7, &out), ERR_LIMIT);
    buf_done(&out);
}

static void
members_that_follow_each_other_are_one(void **state)
{
    (void)state;
    for (size_t c = 1; c < CODECS; c++) {
        struct buf packed, back;
        buf_init(&packed, 1000);
        buf_init(&back, 6);
        codecs[c].pack("abc", 3, &packed);
        codecs[c].pack("def", 3, &packed);
        assert_int_equal(codecs[c].unpack(packed.data, packed.len, &back), 0);
        assert_string_equal(buf_str(&back), "abcdef");
        buf_done(&packed);
        buf_done(&back);
    }
}

static void
crc32c_gives_the_sums_of_rfc3720(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    struct {
        const void *data;
        size_t len;
        uint32_t crc;
    } rows[] = {
        {zeros, 32, 0x8a9136aa},
        {ones, 32, 0x62a8ab43},
        {up, 32, 0x46dd794e},
        {down, 32, 0x113fdb5c},
        {"", 0, 0},
        {"123456789", 9, 0xe3069283},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(crc32c(0, rows[i].data, rows[i].len), rows[i].crc);
        assert_int_equal(crc32c_portable(0, rows[i].data, rows[i].len), rows[i].crc);
    }
}

static void
crc32c_is_the_same_by_every_way_and_in_pieces(void **state)
{
    (void)state;
    uint8_t data[300];
    fill(data, sizeof data, 2);
    for (size_t from = 0; from < 9; from++)
        for (size_t to = from; to <= sizeof data; to++) {
            size_t half = (to - from) / 3;
            uint32_t crc = crc32c(0, data + from, to - from);
            assert_int_equal(crc, crc32c_portable(0, data + from, to - from));
            assert_int_equal(
                crc, crc32c(crc32c(0, data + from, half), data + from + half, to - from - half));
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_data_comes_back),
        cmocka_unit_test(bomb_stops_at_the_ceiling),
        cmocka_unit_test(cut_input_is_corrupt_and_leaves_output_alone),
        cmocka_unit_test(snappy_claim_beyond_its_input_takes_no_memory),
        cmocka_unit_test(members_that_follow_each_other_are_one),
        cmocka_unit_test(crc32c_gives_the_sums_of_rfc3720),
        cmocka_unit_test(crc32c_is_the_same_by_every_way_and_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
