/* test_regex: what matches, what is captured, and that hostile subjects and patterns end. */
#include "base/clock.h"
#include "base/regex.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct regex *
compiled(const char *pattern, unsigned flags)
{
    struct regex *r = NULL;
    struct err err = {0};
    if (regex_compile(pattern, strlen(pattern), flags, &r, &err))
        fail_msg("%s: %s", pattern, err.text);
    return r;
}

static void
flags_say_how_a_pattern_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *subject;
        unsigned flags;
        int rc;
    } rows[] = {
        {"b", "abc", 0, 1},
        {"b", "abc", REGEX_ANCHORED, 0},
        {"a|ab|abc", "abc", REGEX_ANCHORED, 1},
        {"a.c", "a\nc", REGEX_ANCHORED, 1},
        {".*", "", REGEX_ANCHORED, 1},
        {"", "", REGEX_ANCHORED, 1},
        {"", "x", REGEX_ANCHORED, 0},
        {"abc", "ABC", 0, 0},
        {"abc", "ABC", REGEX_CASELESS, 1},
        {"^.$", "\xc3\xa9", 0, 0},
        {"^.$", "\xc3\xa9", REGEX_UTF, 1},
        {"É", "é", REGEX_UTF | REGEX_CASELESS, 1},
        {"b",
         "\xff\xfe"
         "b",
         REGEX_UTF, 1},
        {".", "\xff", REGEX_UTF, 0},
        {"(a|b)+c", "xxababcxx", 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *r = compiled(rows[i].pattern, rows[i].flags);
        int rc = regex_match(r, rows[i].subject, strlen(rows[i].subject), NULL, NULL);
        if (rc != rows[i].rc)
            fail_msg("row %zu, %s on %s: %d", i, rows[i].pattern, rows[i].subject, rc);
        regex_free(r);
    }
}

static void
captures_have_names_and_absent_groups_are_null(void **state)
{
    (void)state;
    struct regex *r = compiled("Xid \\(PCI:(?<pci>[0-9a-f:.]+)\\): (\\d+)(?<rest>, pid=x)?", 0);
    const char *line = "NVRM: Xid (PCI:0000:3b:00): 79, pid=12";
    struct regex_capture c[REGEX_CAPTURES_MAX];
    size_t n = 0;
    assert_int_equal(regex_match(r, line, strlen(line), c, &n), 1);
    assert_int_equal(n, 4);
    assert_string_equal(c[1].name, "pci");
    assert_int_equal(c[1].len, 10);
    assert_memory_equal(c[1].text, "0000:3b:00", 10);
    assert_string_equal(c[2].name, "");
    assert_memory_equal(c[2].text, "79", 2);
    assert_string_equal(c[3].name, "rest");
    assert_null(c[3].text);
    assert_int_equal(c[3].len, 0);
    regex_free(r);
}

static void
more_groups_than_the_table_holds_still_match(void **state)
{
    (void)state;
    char pattern[40 * 3 + 1] = "";
    for (int i = 0; i < 40; i++)
        strcat(pattern, "(a)");
    struct regex *r = compiled(pattern, 0);
    struct regex_capture c[REGEX_CAPTURES_MAX];
    size_t n = 0;
    char subject[41];
    memset(subject, 'a', 40);
    assert_int_equal(regex_match(r, subject, 40, c, &n), 1);
    assert_int_equal(n, REGEX_CAPTURES_MAX);
    assert_ptr_equal(c[31].text, subject + 30);
    regex_free(r);
}

static void
bad_pattern_is_a_syntax_error_with_its_place(void **state)
{
    (void)state;
    char deep[301];
    memset(deep, '(', 150);
    memset(deep + 150, ')', 150);
    deep[300] = 0;
    const char *rows[] = {"(", "a{2,1}", "[z-a]", "(?<n>a)(?<n>b)", "\\", "(*UTF)a", "a\\Cb", deep};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *r = NULL;
        struct err err = {0};
        assert_int_equal(regex_compile(rows[i], strlen(rows[i]), 0, &r, &err), ERR_SYNTAX);
        assert_null(r);
        assert_non_null(strstr(err.text, "at offset"));
    }
}

static void
hostile_subject_ends_in_bounded_time(void **state)
{
    (void)state;
    const char *patterns[] = {"(.*a.*)*[cd]", "(a+)+[cd]", "(?:(?:a|b)*)*[cd]", ".*a.*b.*[cd]"};
    size_t sizes[] = {1000, 20000, 65536};
    char *subject = malloc(65536);
    for (size_t i = 0; i < 65536; i++)
        subject[i] = "ab"[i & 1];
    int64_t begin = clock_mono_us();
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 3; k++) {
            struct regex *r = compiled(patterns[i], 0);
            int rc = regex_match(r, subject, sizes[k], NULL, NULL);
            assert_true(rc == 0 || rc == ERR_LIMIT);
            regex_free(r);
        }
    assert_true(clock_mono_us() - begin < 30000000);
    free(subject);
}

static void
deep_match_gets_a_larger_stack(void **state)
{
    (void)state;
    struct regex *r = compiled("^(?:(a)|(b))*$", 0);
    char subject[8000];
    for (size_t i = 0; i < sizeof subject; i++)
        subject[i] = "ab"[i & 1];
    assert_int_equal(regex_match(r, subject, sizeof subject, NULL, NULL), 1);
    regex_free(r);
}

static void *
match_often(void *arg)
{
    size_t hits = 0;
    for (int i = 0; i < 2000; i++) {
        struct regex_capture c[REGEX_CAPTURES_MAX];
        size_t n;
        hits += regex_match(arg, "port 17 down", 12, c, &n) == 1 && c[1].len == 2;
    }
    return (void *)hits;
}

static void
one_pattern_serves_many_threads(void **state)
{
    (void)state;
    struct regex *r = compiled("port (\\d+)", 0);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, match_often, r);
    for (int i = 0; i < 4; i++) {
        void *hits;
        pthread_join(t[i], &hits);
        assert_int_equal((size_t)hits, 2000);
    }
    regex_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_say_how_a_pattern_matches),
        cmocka_unit_test(captures_have_names_and_absent_groups_are_null),
        cmocka_unit_test(more_groups_than_the_table_holds_still_match),
        cmocka_unit_test(bad_pattern_is_a_syntax_error_with_its_place),
        cmocka_unit_test(hostile_subject_ends_in_bounded_time),
        cmocka_unit_test(deep_match_gets_a_larger_stack),
        cmocka_unit_test(one_pattern_serves_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
