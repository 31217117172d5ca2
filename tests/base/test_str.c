/* Tests of base/str. */
#include "tests/base/base_test.h"

#include "base/str.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static void
copy_cuts_and_says_the_whole_length(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(str_copy(out, sizeof out, "abcdef"), 6);
    assert_string_equal(out, "abc");
    assert_int_equal(str_copy(out, 0, "x"), 1);
}

static void
prefix_and_suffix_compare_ends(void **state)
{
    (void)state;
    assert_true(str_prefix("node00001", "node"));
    assert_false(str_prefix("no", "node"));
    assert_true(str_suffix("a.yaml", ".yaml"));
    assert_false(str_suffix("l", ".yaml"));
}

static void
field_walks_a_list_with_empty_members(void **state)
{
    (void)state;
    const char *p = "a,,bc", *f;
    size_t n;
    f = str_field(&p, ",", &n);
    assert_memory_equal(f, "a", n);
    assert_non_null(str_field(&p, ",", &n));
    assert_int_equal(n, 0);
    f = str_field(&p, ",", &n);
    assert_int_equal(n, 2);
    assert_memory_equal(f, "bc", 2);
    assert_null(str_field(&p, ",", &n));
}

static void
double_reads_what_prometheus_writes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double v;
    } good[] = {
        {"0", 0},           {"-1", -1},
        {"1.5", 1.5},       {"1e3", 1000},
        {"+Inf", INFINITY}, {"-Inf", -INFINITY},
        {"Inf", INFINITY},  {".5", 0.5},
        {"0.1", 0.1},       {"123456789012345.5", 123456789012345.5},
        {"1e-320", 1e-320}, {"-12.125", -12.125},
        {"+3", 3},          {"999999999999999", 999999999999999.0},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        double v = 99;
        assert_int_equal(str_double(good[i].text, strlen(good[i].text), &v), 0);
        assert_true(v == good[i].v);
    }
    double v;
    assert_int_equal(str_double("NaN", 3, &v), 0);
    assert_true(isnan(v));
    static const char *const bad[] = {"",     " 1", "1 ",  "1x",   "-",   ".",
                                      "0x10", "1e", "--1", "nano", "+-1", "e5"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(str_double(bad[i], strlen(bad[i]), &v), ERR_SYNTAX);
}

static void
integers_know_their_range(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    assert_int_equal(str_i64("-9223372036854775808", 20, &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(str_i64("9223372036854775808", 19, &i), ERR_RANGE);
    assert_int_equal(str_u64("18446744073709551615", 20, &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(str_u64("18446744073709551616", 20, &u), ERR_RANGE);
    assert_int_equal(str_i64("", 0, &i), ERR_SYNTAX);
    assert_int_equal(str_i64("-", 1, &i), ERR_SYNTAX);
    assert_int_equal(str_u64("1a", 2, &u), ERR_SYNTAX);
}

static void
double_format_is_shortest_and_reads_back(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-12.1, "-12.1"},
        {1e300, "1e+300"},
        {1.0 / 3, "0.3333333333333333"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {1e14, "100000000000000"},
        {5e-324, "4.94065645841247e-324"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[32];
        assert_int_equal(str_double_format(rows[i].v, out), strlen(rows[i].text));
        assert_string_equal(out, rows[i].text);
    }
}

static void
nearest_finds_a_slip_and_not_another_word(void **state)
{
    (void)state;
    static const char *const known[] = {"listen", "retention", "max_size", NULL};
    assert_string_equal(str_nearest("lisen", known), "listen");
    assert_string_equal(str_nearest("retenton", known), "retention");
    assert_null(str_nearest("banana", known));
    assert_int_equal(str_distance("kitten", "sitting"), 3);
    assert_int_equal(str_distance("", "abc"), 3);
}

static void
utf8_is_judged_as_unicode_says(void **state)
{
    (void)state;
    static const char *const good[] = {"", "abc", "温度", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"};
    static const char *const bad[] = {
        "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\xb8", "\xff"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(str_utf8_ok(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char text[16];
        size_t n = strlen(bad[i]);
        assert_false(str_utf8_ok(bad[i], n));
        memcpy(text, bad[i], n + 1);
        str_utf8_mend(text, &n);
        assert_true(str_utf8_ok(text, n));
    }
}

static void
percent_and_hex_go_there_and_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(str_percent_encode(&b, "a/b c%\xe6", "/"), 0);
    assert_string_equal(buf_str(&b), "a/b%20c%25%E6");
    buf_done(&b);
    uint8_t out[4];
    assert_int_equal(str_hex("00fFa1", 6, out, 4), 3);
    assert_memory_equal(out, "\x00\xff\xa1", 3);
    assert_int_equal(str_hex("0g", 2, out, 4), ERR_SYNTAX);
    assert_int_equal(str_hex("0", 1, out, 4), ERR_SYNTAX);
    assert_int_equal(str_hex("0011223344", 10, out, 4), ERR_LIMIT);
}

static void
glob_matches_stars_and_marks(void **state)
{
    (void)state;
    assert_true(str_glob("*", ""));
    assert_true(str_glob("rules/*.yaml", "rules/a.yaml"));
    assert_true(str_glob("a*b*c", "aXXbYYbZc"));
    assert_false(str_glob("a?c", "ac"));
    assert_false(str_glob("a", "ab"));
}

static void
file_is_replaced_whole_and_read_back(void **state)
{
    (void)state;
    char folder[] = "/tmp/test-str-XXXXXX", path[96], deep[64];
    struct buf b;
    struct err err;
    struct stat st;
    assert_non_null(mkdtemp(folder));
    snprintf(deep, sizeof deep, "%s/x/y", folder);
    snprintf(path, sizeof path, "%s/f", deep);
    assert_int_equal(file_mkdir(deep, 0755, &err), 0);
    assert_int_equal(file_mkdir(deep, 0700, &err), 0);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(file_write_atomic(path, "one", 3, 0600, &err), 0);
    assert_int_equal(file_write_atomic(path, "second", 6, 0600, &err), 0);
    assert_true(file_exists(path));
    assert_int_equal(file_read(path, 100, &b, &err), 0);
    assert_string_equal(buf_str(&b), "second");
    buf_done(&b);
    assert_int_equal(file_read(path, 3, &b, &err), ERR_LIMIT);
    assert_int_equal(file_read("/nonexistent/x", 3, &b, &err), ERR_NOTFOUND);
    assert_int_equal(file_mkdir(path, 0700, &err), ERR_EXISTS);
    unlink(path);
    rmdir(deep);
    *strrchr(deep, '/') = 0;
    rmdir(deep);
    assert_int_equal(rmdir(folder), 0);
}

static void
random_bytes_differ(void **state)
{
    (void)state;
    char a[32], b[32];
    assert_int_equal(file_random(a, sizeof a), 0);
    assert_int_equal(file_random(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_cuts_and_says_the_whole_length),
        cmocka_unit_test(prefix_and_suffix_compare_ends),
        cmocka_unit_test(field_walks_a_list_with_empty_members),
        cmocka_unit_test(double_reads_what_prometheus_writes),
        cmocka_unit_test(integers_know_their_range),
        cmocka_unit_test(double_format_is_shortest_and_reads_back),
        cmocka_unit_test(nearest_finds_a_slip_and_not_another_word),
        cmocka_unit_test(utf8_is_judged_as_unicode_says),
        cmocka_unit_test(percent_and_hex_go_there_and_back),
        cmocka_unit_test(glob_matches_stars_and_marks),
        cmocka_unit_test(file_is_replaced_whole_and_read_back),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
