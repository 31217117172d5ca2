/* test_container: lines of containerd and Docker, and what only looks like them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "decode/container.h"

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))
#define EIGHT       1795420800500 /* 2026-11-23T08:00:00.5Z */

static void
wrapped_lines_are_unwrapped(void **state)
{
    static const struct {
        const char *line, *text;
        bool error, partial;
    } cases[] = {
        {"2026-11-23T08:00:00.500000000Z stdout F NCCL WARN x", "NCCL WARN x", false, false},
        {"2026-11-23T16:00:00.500000000+08:00 stderr P part of", "part of", true, true},
        {"2026-11-23T08:00:00.5Z stdout F:tag x", "x", false, false},
        {"2026-11-23T08:00:00.5Z stdout F ", "", false, false},
        {"2026-11-23T08:00:00.5Z stdout F", "", false, false},
        {"{\"log\":\"a "
         "\\\"b\\\"\\tc\\u00e9\\ud83d\\ude00\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-"
         "23T08:00:00.500000000Z\"}",
         "a \"b\"\tc\xc3\xa9\xf0\x9f\x98\x80", true, false},
        {"{\"log\":\"cut\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},\"time\":\"2026-11-23T08:"
         "00:"
         "00.5Z\"}",
         "cut", false, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[512];
        struct container_line c;
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_true(container_unwrap(line, strlen(line), &c));
        assert_string_equal(c.text, cases[i].text);
        assert_int_equal(c.len, strlen(cases[i].text));
        assert_int_equal(c.error, cases[i].error);
        assert_int_equal(c.partial, cases[i].partial);
        assert_true(c.time_ms == EIGHT);
    }
}

static void
other_lines_stay_as_they_are(void **state)
{
    static const char *const lines[] = {
        "",
        "plain",
        "2026-11-23T08:00:00.5Z hello stdout F x",
        "2026-11-23T08:00:00.5Z stdout X x",
        "2026-11-23 stdout F x",
        "{\"log\":\"x\"}",
        "{\"log\":\"x",
        "{\"log\":\"x\\",
        "{\"log\":\"\\q\",\"stream\":\"stdout\",\"time\":\"2026-11-23T08:00:00Z\"}",
        "{\"log\":\"\\u12\",\"stream\":\"stdout\",\"time\":\"2026-11-23T08:00:00Z\"}",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"yesterday\"}",
        "{\"msg\":\"x\"}"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char line[256];
        struct container_line c;
        snprintf(line, sizeof line, "%s", lines[i]);
        assert_false(container_unwrap(line, strlen(line), &c));
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrapped_lines_are_unwrapped),
        cmocka_unit_test(other_lines_stay_as_they_are),
    };
    return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
