/* Tests of the built-in entries themselves: the files pass every check, and loading is quick. */
#include "tests/kb/kb_test.h"

#include "base/clock.h"

static void
every_entry_passes_every_check(void **state)
{
    (void)state;
    char folder[1024];
    const char *src = getenv("MS_SRCDIR");
    snprintf(folder, sizeof folder, "%s/kb/entries", src ? src : ".");
    struct buf problems;
    struct kb *kb = NULL;
    struct err err = {0};
    buf_init(&problems, 4u << 20);
    assert_int_equal(kb_load_folder(folder, &kb, &problems, &err), 0);
    kb_lint(kb, &problems);
    if (problems.len)
        print_error("%s", buf_str(&problems));
    assert_int_equal(problems.len, 0);
    struct kb *builtin = NULL;
    assert_int_equal(kb_load(NULL, &builtin, &err), 0);
    assert_int_equal(kb_count(builtin), kb_count(kb));
    kb_free(builtin);
    kb_free(kb);
    buf_done(&problems);
}

static void
builtin_loads_in_milliseconds(void **state)
{
    (void)state;
    struct kb *kb = NULL;
    int64_t start = clock_mono_us();
    assert_int_equal(kb_load(NULL, &kb, NULL), 0);
    int64_t took = clock_mono_us() - start;
    print_message("# %zu entries load in %.2f ms\n", kb_count(kb), (double)took / 1000);
    assert_true(kb_count(kb) > 100);
    assert_true(took < 60000);
    start = clock_mono_us();
    struct kb_hit hits[10];
    kb_search(kb, "xid", hits, 10);
    print_message("# first search takes %.2f ms\n", (double)(clock_mono_us() - start) / 1000);
    start = clock_mono_us();
    kb_search(kb, "xid 79", hits, 10);
    print_message("# a later one %.2f ms\n", (double)(clock_mono_us() - start) / 1000);
    kb_free(kb);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_passes_every_check),
        cmocka_unit_test(builtin_loads_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
