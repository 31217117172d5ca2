/* Tests of base/doc: one tree for JSON and YAML, with places. */
#include "tests/base/base_test.h"

#include "base/buf.h"
#include "base/doc.h"

#include <math.h>

static struct doc *
parse(const char *text, bool json)
{
    struct doc *d = NULL;
    struct err err = {0};
    int rc = json ? doc_parse_json(text, strlen(text), "t", &d, &err)
                  : doc_parse_yaml(text, strlen(text), "t", &d, &err);
    if (rc)
        print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    return d;
}

static void
json_and_yaml_give_the_same_tree(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\": 1, \"b\": [true, null, 1.5, \"x\"], \"c\": {\"d\": \"温度\"}}",
        "a: 1\nb:\n  - true\n  - ~\n  - 1.5\n  - x\nc: {d: 温度}\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct doc *d = parse(texts[i], i == 0);
        const struct doc_node *r = doc_root(d), *b = doc_get(r, "b");
        assert_int_equal(r->count, 3);
        assert_int_equal(doc_get_int(r, "a", 0), 1);
        assert_int_equal(b->count, 4);
        assert_true(doc_bool(doc_at(b, 0), false));
        assert_int_equal(doc_at(b, 1)->kind, DOC_NULL);
        assert_true(doc_real(doc_at(b, 2), 0) == 1.5);
        assert_string_equal(doc_str(doc_at(b, 3), ""), "x");
        assert_null(doc_at(b, 4));
        assert_string_equal(doc_get_str(doc_get(r, "c"), "d", ""), "温度");
        assert_string_equal(doc_get_str(doc_get(r, "none"), "d", "dflt"), "dflt");
        doc_free(d);
    }
}

static void
yaml_scalars_follow_the_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum doc_kind kind;
        double v;
    } rows[] = {
        {"12", DOC_INT, 12},
        {"-3", DOC_INT, -3},
        {"0x1f", DOC_INT, 31},
        {"0o17", DOC_INT, 15},
        {"00012", DOC_INT, 12},
        {"1.5", DOC_REAL, 1.5},
        {"1e3", DOC_REAL, 1000},
        {".5", DOC_REAL, .5},
        {"-.inf", DOC_REAL, -INFINITY},
        {"'12'", DOC_STR, 0},
        {"\"true\"", DOC_STR, 0},
        {"yes", DOC_STR, 0},
        {"10.0.0.1", DOC_STR, 0},
        {"0x", DOC_STR, 0},
        {"inf", DOC_STR, 0},
        {"12a", DOC_STR, 0},
        {"!!str 12", DOC_STR, 0},
        {"~", DOC_NULL, 0},
        {"", DOC_NULL, 0},
        {"True", DOC_BOOL, 1},
        {"0x1p3", DOC_STR, 0},
        {"99999999999999999999", DOC_REAL, 99999999999999999999.0},
        {"-", DOC_SEQ, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct doc *d = parse(rows[i].text, false);
        assert_int_equal(doc_root(d)->kind, rows[i].kind);
        if (rows[i].kind == DOC_INT || rows[i].kind == DOC_REAL)
            assert_true(doc_real(doc_root(d), -1) == rows[i].v);
        doc_free(d);
    }
}

static void
scalars_of_yaml_keep_their_spelling(void **state)
{
    (void)state;
    struct doc *d = parse("id: 007\nv: 1.50\n", false);
    assert_string_equal(doc_get_str(doc_root(d), "id", ""), "007");
    assert_string_equal(doc_get_str(doc_root(d), "v", ""), "1.50");
    doc_free(d);
}

static void
errors_name_file_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool json;
        int code;
        unsigned line;
        const char *part;
    } rows[] = {
        {"a: 1\nb: [1, 2\nc: 3\n", false, ERR_SYNTAX, 3, "not YAML"},
        {"a: 1\nb: 2\na: 3\n", false, ERR_SYNTAX, 3, "'a' stands here twice"},
        {"a: &x 1\nb: *x\n", false, ERR_SYNTAX, 2, "aliases"},
        {"a: 1\n---\nb: 1\n", false, ERR_SYNTAX, 2, "second document"},
        {"? [1]\n: 2\n", false, ERR_SYNTAX, 1, "key"},
        {"a: !foo 1\n", false, ERR_SYNTAX, 1, "tag"},
        {"a: 1\nb: \"x\\0y\"\n", false, ERR_SYNTAX, 2, "zero byte"},
        {"a: 1\nb: \xff\n", false, ERR_SYNTAX, 2, "not YAML"},
        {"a:\n\t- 1\n", false, ERR_SYNTAX, 2, "not YAML"},
        {"{\"a\": 1,\n \"a\": 2}", true, ERR_SYNTAX, 2, "not JSON"},
        {"{\"a\": }", true, ERR_SYNTAX, 1, "not JSON"},
        {"{\"a\": 1} x", true, ERR_SYNTAX, 1, "not JSON"},
        {"{\"a\": \"\\u0000\"}", true, ERR_SYNTAX, 1, "not JSON"},
        {"", true, ERR_SYNTAX, 1, "not JSON"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct doc *d = NULL;
        struct err err = {0};
        size_t n = strlen(rows[i].text);
        int rc = rows[i].json ? doc_parse_json(rows[i].text, n, "f.x", &d, &err)
                              : doc_parse_yaml(rows[i].text, n, "f.x", &d, &err);
        assert_int_equal(rc, rows[i].code);
        assert_null(d);
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.file, "f.x");
        assert_int_equal(err.line, rows[i].line);
        assert_true(err.column > 0);
        if (!strstr(err.text, rows[i].part))
            fail_msg("'%s' lacks '%s'", err.text, rows[i].part);
        assert_int_equal(rows[i].json ? doc_parse_json(rows[i].text, n, NULL, &d, NULL)
                                      : doc_parse_yaml(rows[i].text, n, NULL, &d, NULL),
                         rows[i].code);
    }
}

static void
depth_is_limited(void **state)
{
    (void)state;
    char text[400];
    struct doc *d = NULL;
    struct err err;
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    assert_int_equal(doc_parse_json(text, 400, "t", &d, &err), ERR_LIMIT);
    assert_int_equal(doc_parse_yaml(text, 400, "t", &d, &err), ERR_LIMIT);
    assert_int_equal(doc_parse_json(text + 136, 128, "t", &d, &err), 0);
    doc_free(d);
    assert_int_equal(doc_parse_yaml(text + 136, 128, "t", &d, &err), 0);
    doc_free(d);
}

static void
large_maps_still_refuse_duplicates(void **state)
{
    (void)state;
    struct buf b;
    struct doc *d = NULL;
    struct err err;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "k%d: %d\n", i, i);
    assert_int_equal(doc_parse_yaml(buf_str(&b), b.len, "t", &d, &err), 0);
    assert_int_equal(doc_get_int(doc_root(d), "k4999", 0), 4999);
    doc_free(d);
    buf_puts(&b, "k7: 1\n");
    assert_int_equal(doc_parse_yaml(buf_str(&b), b.len, "t", &d, &err), ERR_SYNTAX);
    assert_int_equal(err.line, 5001);
    buf_done(&b);
}

static void
any_tells_json_from_yaml(void **state)
{
    (void)state;
    struct doc *d = NULL;
    struct err err;
    assert_int_equal(doc_parse_any("\n {\"a\": 1}", 10, "t", &d, &err), 0);
    assert_int_equal(doc_root(d)->line, 0);
    doc_free(d);
    assert_int_equal(doc_parse_any("a: 1", 4, "t", &d, &err), 0);
    assert_int_equal(doc_get(doc_root(d), "a")->line, 1);
    assert_int_equal(doc_get(doc_root(d), "a")->column, 4);
    doc_free(d);
    assert_int_equal(doc_load_yaml("/nonexistent.yaml", &d, &err), ERR_NOTFOUND);
}

static void
unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    static const char *const known[] = {"listen", "auth", NULL};
    struct err err;
    char out[256];
    struct doc *d = parse("auth: none\nlisten_: x\n", false);
    assert_int_equal(doc_only(d, doc_root(d), known, &err), ERR_SYNTAX);
    assert_string_equal(err_format(&err, out, sizeof out),
                        "t:2:1: unknown key 'listen_'; did you mean 'listen'?");
    assert_int_equal(doc_err(d, doc_get(doc_root(d), "auth"), &err, ERR_RANGE, "no %d", 5),
                     ERR_RANGE);
    assert_string_equal(err_format(&err, out, sizeof out), "t:1:7: no 5");
    doc_free(d);
}

static void
integers_come_from_integral_reals_only(void **state)
{
    (void)state;
    struct doc *d = parse("[2.0, 2.5, 1e300, -9223372036854775808.0, x]", false);
    const struct doc_node *r = doc_root(d);
    assert_int_equal(doc_int(doc_at(r, 0), -1), 2);
    assert_int_equal(doc_int(doc_at(r, 1), -1), -1);
    assert_int_equal(doc_int(doc_at(r, 2), -1), -1);
    assert_true(doc_int(doc_at(r, 3), -1) == INT64_MIN);
    assert_int_equal(doc_int(doc_at(r, 4), -1), -1);
    assert_int_equal(doc_int(NULL, -1), -1);
    doc_free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_and_yaml_give_the_same_tree),
        cmocka_unit_test(yaml_scalars_follow_the_core_schema),
        cmocka_unit_test(scalars_of_yaml_keep_their_spelling),
        cmocka_unit_test(errors_name_file_line_and_column),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(large_maps_still_refuse_duplicates),
        cmocka_unit_test(any_tells_json_from_yaml),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(integers_come_from_integral_reals_only),
    };
    return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
