/* test_protobuf: what is written is read, and everything cut or overlong is refused. */
#include "base/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
written_fields_are_read_back(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 10000);
    protobuf_put_varint(&out, 1, 0);
    protobuf_put_varint(&out, 2, UINT64_MAX);
    protobuf_put_double(&out, 3, -1.5);
    protobuf_put_str(&out, 536870911, "text");
    protobuf_put_bytes(&out, 5, NULL, 0);
    struct protobuf_reader in = protobuf_open(out.data, out.len);
    struct protobuf_field f;
    assert_int_equal(protobuf_next(&in, &f), 1);
    assert_true(protobuf_is(&f, 1, PROTOBUF_VARINT) && f.value == 0);
    assert_int_equal(protobuf_next(&in, &f), 1);
    assert_true(protobuf_is(&f, 2, PROTOBUF_VARINT) && f.value == UINT64_MAX);
    assert_int_equal(protobuf_next(&in, &f), 1);
    assert_true(protobuf_is(&f, 3, PROTOBUF_FIXED64) && protobuf_double(&f) == -1.5);
    assert_int_equal(protobuf_next(&in, &f), 1);
    assert_true(protobuf_is(&f, 536870911, PROTOBUF_BYTES) && f.len == 4 &&
                !memcmp(f.data, "text", 4));
    assert_int_equal(protobuf_next(&in, &f), 1);
    assert_true(protobuf_is(&f, 5, PROTOBUF_BYTES) && f.len == 0 && f.data);
    assert_int_equal(protobuf_next(&in, &f), 0);
    assert_int_equal(protobuf_next(&in, &f), 0);
    buf_done(&out);
}

static void
messages_nest_with_lengths_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 127, 128, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf out;
        char *text = calloc(1, sizes[i] + 1);
        memset(text, 'x', sizes[i]);
        buf_init(&out, 100000);
        size_t a = protobuf_begin(&out, 1), b = protobuf_begin(&out, 2);
        protobuf_put_bytes(&out, 3, text, sizes[i]);
        protobuf_end(&out, b);
        protobuf_put_varint(&out, 4, 5);
        protobuf_end(&out, a);
        struct protobuf_reader in = protobuf_open(out.data, out.len), in2, in3;
        struct protobuf_field f, f2, f3;
        assert_int_equal(protobuf_next(&in, &f), 1);
        assert_int_equal(protobuf_next(&in, &f2), 0);
        in2 = protobuf_open(f.data, f.len);
        assert_int_equal(protobuf_next(&in2, &f2), 1);
        in3 = protobuf_open(f2.data, f2.len);
        assert_int_equal(protobuf_next(&in3, &f3), 1);
        assert_int_equal(f3.len, sizes[i]);
        assert_memory_equal(f3.data, text, sizes[i]);
        assert_int_equal(protobuf_next(&in2, &f2), 1);
        assert_int_equal(f2.value, 5);
        assert_int_equal(protobuf_next(&in2, &f2), 0);
        buf_done(&out);
        free(text);
    }
}

static void
ill_formed_input_is_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\x08", 1},                                              /* value missing */
        {"\x08\x80", 2},                                          /* varint cut */
        {"\x80", 1},                                              /* tag cut */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},     /* 65 bits */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 12}, /* 11 bytes */
        {"\x00\x01", 2},                                          /* field 0 */
        {"\x80\x80\x80\x80\x10\x01", 6},                          /* field 2^29 */
        {"\x09"
         "1234567",
         8}, /* fixed64 cut */
        {"\x0d"
         "123",
         4}, /* fixed32 cut */
        {"\x0a\x02"
         "1",
         3},                                                  /* bytes cut */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* length 2^64-1 */
        {"\x0b\x0c", 2},                                      /* group */
        {"\x0e", 1},                                          /* type 6 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct protobuf_reader in = protobuf_open(rows[i].bytes, rows[i].len);
        struct protobuf_field f;
        assert_int_equal(protobuf_next(&in, &f), ERR_CORRUPT);
        assert_int_equal(protobuf_next(&in, &f), ERR_CORRUPT);
    }
}

static void
packed_items_and_zigzag_are_read(void **state)
{
    (void)state;
    struct protobuf_reader in = protobuf_open("\x01\xac\x02\x80", 4);
    uint64_t v;
    assert_int_equal(protobuf_next_varint(&in, &v), 1);
    assert_int_equal(protobuf_next_varint(&in, &v), 1);
    assert_int_equal(v, 300);
    assert_int_equal(protobuf_next_varint(&in, &v), ERR_CORRUPT);
    in = protobuf_open("\x01\x00\x00\x00\x00\x00\x00\x80\x01", 9);
    assert_int_equal(protobuf_next_fixed64(&in, &v), 1);
    assert_true(v == UINT64_C(0x8000000000000001));
    assert_int_equal(protobuf_next_fixed64(&in, &v), ERR_CORRUPT);
    uint32_t w;
    in = protobuf_open("\x02\x00\x00\x80", 4);
    assert_int_equal(protobuf_next_fixed32(&in, &w), 1);
    assert_int_equal(w, 0x80000002u);
    assert_int_equal(protobuf_next_fixed32(&in, &w), 0);
    static const int64_t zigzag[] = {0, -1, 1, -2, 2};
    for (uint64_t i = 0; i < 5; i++) {
        struct protobuf_field f = {.value = i};
        assert_int_equal(protobuf_zigzag(&f), zigzag[i]);
    }
    struct protobuf_field min = {.value = UINT64_MAX}, one = {.value = 0x3fc00000};
    assert_true(protobuf_zigzag(&min) == INT64_MIN);
    assert_true(protobuf_float(&one) == 1.5f);
}

static void
full_buffer_fails_and_stays_failed(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 8);
    size_t mark = protobuf_begin(&out, 1);
    protobuf_put_str(&out, 2, "12345678");
    protobuf_end(&out, mark);
    assert_true(out.failed);
    buf_done(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_fields_are_read_back),
        cmocka_unit_test(messages_nest_with_lengths_of_any_size),
        cmocka_unit_test(ill_formed_input_is_corrupt),
        cmocka_unit_test(packed_items_and_zigzag_are_read),
        cmocka_unit_test(full_buffer_fails_and_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
