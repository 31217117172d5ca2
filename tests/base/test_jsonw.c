/* Tests of base/jsonw: what is written is JSON. */
#include "tests/base/base_test.h"

#include "base/doc.h"
#include "base/jsonw.h"

#include <math.h>

static void
commas_and_nesting_are_placed(void **state)
{
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kstr(&w, "a", "x");
    jsonw_key(&w, "b");
    jsonw_array(&w);
    jsonw_int(&w, 1);
    jsonw_object(&w);
    jsonw_end_object(&w);
    jsonw_array(&w);
    jsonw_end_array(&w);
    jsonw_null(&w);
    jsonw_end_array(&w);
    jsonw_kint(&w, "c", INT64_MIN);
    jsonw_kreal(&w, "d", 0.1);
    jsonw_kreal(&w, "e", (double)NAN);
    jsonw_kbool(&w, "f", true);
    jsonw_ktime(&w, "g", 1000);
    jsonw_ktime(&w, "h", 0);
    jsonw_ktext(&w, "i", "on", "开");
    jsonw_kstr(&w, "j", NULL);
    jsonw_key(&w, "k");
    jsonw_raw(&w, "[1]", 3);
    jsonw_end_object(&w);
    assert_false(b.failed);
    assert_string_equal(buf_str(&b), "{\"a\":\"x\",\"b\":[1,{},[],null],\"c\":-9223372036854775808,"
                                     "\"d\":0.1,\"e\":null,\"f\":true,"
                                     "\"g\":\"1970-01-01T00:00:01.000Z\",\"h\":null,\"i\":{\"en\":"
                                     "\"on\",\"zh\":\"开\"},\"j\":null,\"k\":[1]}");
    buf_done(&b);
}

static void
strings_are_escaped_and_mended(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\r\b\f", "\"\\n\\t\\r\\b\\f\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
        {"温\xff度", "\"温\xef\xbf\xbd度\""},
        {"\xe6\xb8", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"", "\"\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b;
        struct jsonw w;
        buf_init(&b, 4096);
        jsonw_init(&w, &b);
        jsonw_str(&w, rows[i].in);
        assert_string_equal(buf_str(&b), rows[i].out);
        buf_done(&b);
    }
}

static void
every_byte_string_becomes_readable_json(void **state)
{
    (void)state;
    char in[256];
    for (int i = 0; i < 256; i++)
        in[i] = (char)i;
    struct buf b;
    struct jsonw w;
    struct doc *d = NULL;
    struct err err;
    buf_init(&b, 1 << 16);
    jsonw_init(&w, &b);
    jsonw_strn(&w, in + 1, 255);
    assert_int_equal(doc_parse_json(buf_str(&b), b.len, "t", &d, &err), 0);
    doc_free(d);
    buf_reset(&b);
    jsonw_init(&w, &b);
    jsonw_strn(&w, in, 1);
    assert_string_equal(buf_str(&b), "\"\\u0000\"");
    buf_done(&b);
}

static void
too_deep_fails_the_buffer(void **state)
{
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_init(&w, &b);
    for (int i = 0; i < 70; i++)
        jsonw_array(&w);
    assert_true(b.failed);
    buf_reset(&b);
    jsonw_init(&w, &b);
    jsonw_end_array(&w);
    assert_true(b.failed);
    buf_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting_are_placed),
        cmocka_unit_test(strings_are_escaped_and_mended),
        cmocka_unit_test(every_byte_string_becomes_readable_json),
        cmocka_unit_test(too_deep_fails_the_buffer),
    };
    return cmocka_run_group_tests_name("jsonw", tests, NULL, NULL);
}
