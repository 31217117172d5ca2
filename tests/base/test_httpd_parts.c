/* test_httpd_parts: the parts of the server that need no socket. */
#include "base/httpd_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
escapes_decode_and_broken_ones_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool plus;
    } rows[] = {
        {"abc", "abc", false},
        {"a%20b", "a b", false},
        {"a+b", "a+b", false},
        {"a+b", "a b", true},
        {"%e4%B8%ad", "中", false},
        {"%2F", "/", false},
        {"%", NULL, false},
        {"%1", NULL, false},
        {"%zz", NULL, false},
        {"%00", NULL, false},
        {"", "", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        strcpy(text, rows[i].in);
        int64_t n = httpd_percent_decode(text, rows[i].plus);
        if (!rows[i].out) {
            assert_int_equal(n, ERR_SYNTAX);
            continue;
        }
        assert_string_equal(text, rows[i].out);
        assert_int_equal(n, strlen(rows[i].out));
    }
}

static void
pairs_keep_order_and_repeats(void **state)
{
    (void)state;
    char text[] = "match[]=up&x=1&match%5B%5D=a+b&flag&=nothing&&e=a=b";
    struct httpd_pairs p = {0};
    assert_int_equal(httpd_pairs_parse(&p, text), 0);
    assert_int_equal(p.count, 5);
    assert_string_equal(p.at[0].name, "match[]");
    assert_string_equal(p.at[2].name, "match[]");
    assert_string_equal(p.at[2].value, "a b");
    assert_string_equal(p.at[3].name, "flag");
    assert_string_equal(p.at[3].value, "");
    assert_string_equal(p.at[4].value, "a=b");
    httpd_pairs_done(&p);
}

static void
the_most_literal_pattern_wins(void **state)
{
    (void)state;
    static const struct route routes[] = {
        {"GET", "/api/v1/devices/{entity*}", ROLE_VIEWER, NULL, "", 0, NULL},
        {"GET", "/api/v1/devices", ROLE_VIEWER, NULL, "", 0, NULL},
        {"POST", "/api/v1/devices/import", ROLE_OPERATOR, NULL, "", 0, NULL},
        {"GET", "/api/v1/jobs/{id}", ROLE_VIEWER, NULL, "", 0, NULL},
        {"GET", "/api/v1/jobs/{id}/path", ROLE_VIEWER, NULL, "", 0, NULL},
        {"GET", "/", ROLE_NONE, NULL, "", 0, NULL},
    };
    static const struct {
        const char *method, *path;
        int row; /* -1: 404, -2: 405 */
    } rows[] = {
        {"GET", "/api/v1/devices/port:leaf-1/Ethernet1/1", 0},
        {"HEAD", "/api/v1/devices", 1},
        {"POST", "/api/v1/devices/import", 2},
        {"GET", "/api/v1/devices/import", 0},
        {"GET", "/api/v1/jobs/4711", 3},
        {"GET", "/api/v1/jobs/a%2Fb", 3},
        {"GET", "/api/v1/jobs/4711/path", 4},
        {"GET", "/", 5},
        {"GET", "/api/v1/jobs/", -1},
        {"GET", "/api/v1/jobs/1/2", -1},
        {"GET", "//", -1},
        {"GET", "", -1},
        {"GET", "/api/v1/devices/", -1},
        {"DELETE", "/api/v1/jobs/4711", -2},
    };
    struct httpd_table t = {0};
    assert_int_equal(httpd_table_add(&t, routes, 6, NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpd_found f;
        httpd_table_find(&t, rows[i].method, rows[i].path, &f);
        int got = f.row ? (int)(f.row->route - routes) : f.path_known ? -2 : -1;
        if (got != rows[i].row)
            fail_msg("%s %s: %d", rows[i].method, rows[i].path, got);
    }
    struct buf allow;
    buf_init(&allow, 100);
    httpd_table_allow(&t, "/api/v1/devices/import", &allow);
    assert_string_equal(buf_str(&allow), "GET, HEAD, POST, OPTIONS");
    buf_done(&allow);
    httpd_table_done(&t);
}

static void
ill_formed_pattern_is_refused_when_added(void **state)
{
    (void)state;
    const char *bad[] = {"", "x", "/{a*}/b", "/{a}/{b}/{c}/{d}/{e}",
                         "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct route r = {"GET", bad[i], ROLE_NONE, NULL, "", 0, NULL};
        struct httpd_table t = {0};
        assert_true(httpd_table_add(&t, &r, 1, NULL) < 0);
        assert_int_equal(t.count, 0);
        httpd_table_done(&t);
    }
}

static void
only_loopback_hosts_are_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool loopback;
    } rows[] = {
        {"localhost", true},       {"localhost:8686", true},
        {"LOCALHOST.:1", true},    {"127.0.0.1", true},
        {"127.1.2.3:80", true},    {"[::1]", true},
        {"[::1]:8686", true},      {"", false},
        {"evil.example", false},   {"localhost.evil", false},
        {"127.0.0.1.evil", false}, {"[::2]", false},
        {"[::1", false},           {"127.0.0.1:80:x", false},
        {"127.0.0.999", false},    {"[::1]x", false},
        {"localhost:x", false},    {"128.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (httpd_host_is_loopback(rows[i].host) != rows[i].loopback)
            fail_msg("%s", rows[i].host);
}

static void
accepted_codings_are_read_with_their_weights(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *coding;
        bool yes;
    } rows[] = {
        {NULL, "gzip", false},
        {"gzip", "gzip", true},
        {"br, gzip;q=0.5", "gzip", true},
        {"gzip;q=0, zstd", "gzip", false},
        {"gzip;q=0, zstd", "zstd", true},
        {"GZIP", "gzip", true},
        {"gzipx", "gzip", false},
        {"deflate", "gzip", false},
        {"gzip, br;q=0", "gzip", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(httpd_accepts(rows[i].accept, rows[i].coding), rows[i].yes);
}

static void
roles_may_what_the_table_says(void **state)
{
    (void)state;
    static const bool may[5][5] = {
        /* need: none agent viewer operator admin */
        {true, false, false, false, false}, {true, true, false, false, false},
        {true, false, true, false, false},  {true, true, true, true, false},
        {true, true, true, true, true},
    };
    for (int who = 0; who < 5; who++)
        for (int need = 0; need < 5; need++)
            assert_int_equal(role_may((enum role)who, (enum role)need), may[who][need]);
    assert_int_equal(role_find("operator"), ROLE_OPERATOR);
    assert_int_equal(role_find("root"), ERR_NOTFOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_decode_and_broken_ones_are_refused),
        cmocka_unit_test(pairs_keep_order_and_repeats),
        cmocka_unit_test(the_most_literal_pattern_wins),
        cmocka_unit_test(ill_formed_pattern_is_refused_when_added),
        cmocka_unit_test(only_loopback_hosts_are_loopback),
        cmocka_unit_test(accepted_codings_are_read_with_their_weights),
        cmocka_unit_test(roles_may_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
