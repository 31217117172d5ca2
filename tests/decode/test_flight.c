/* Tests of decode/flight: dumps as torch writes them, cut and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "decode/flight.h"

/* {'version': '2.4', 'pg_status': {'0': {enqueued 31, completed 30}, '3': {7, 7}},
 *  'entries': [{record_id 4, pg_id 0, process_group ('0', 'default_pg'), collective_seq_id 31,
 *  profiling_name 'nccl:all_reduce', state 'started'}]} by a pickler of protocol 2 */
#define S(n, text) "X" n "\0\0\0" text "q\x09"
static const char pickle[] =
    "\x80\x02}q\x00(" S("\x07", "version") S("\x03", "2.4") S("\x09", "pg_status") "}q\x01(" S(
        "\x01",
        "0") "}q\x02(X\x18\0\0\0last_enqueued_collectiveq\x03K\x1fX\x19\0\0\0last_completed_"
             "collectiveq\x04K\x1eu" S("\x01", "3") "}q\x05(h\x03K\x07h\x04K\x07uu" S(
                 "\x07",
                 "entries") "]q\x06(}q\x07(" S("\x09",
                                               "record_id") "K\x04" S("\x05",
                                                                      "pg_id") "K\0" S("\x0d",
                                                                                       "process_"
                                                                                       "group") "(" S("\x01",
                                                                                                      "0")
                 S("\x0a", "default_pg") "t" S("\x11", "collective_seq_id") "J\x1f\0\0\0" S(
                     "\x0e", "profiling_name") S("\x0f", "nccl:all_reduce") S("\x05", "state")
                     S("\x07", "started") "ueu.";

static const char json[] =
    "{\"version\": \"2.4\", \"pg_status\": {\"0\": {\"last_enqueued_collective\": 31, "
    "\"last_completed_collective\": 30}}, \"entries\": [{\"pg_id\": 0, \"process_group\": [\"0\", "
    "\"default_pg\"], \"collective_seq_id\": 31, \"profiling_name\": \"nccl:all_reduce\"}]}";

static void
a_pickle_tells_how_far_each_group_came(void **state)
{
    struct flight f;
    (void)state;
    assert_true(flight_is(pickle, sizeof pickle - 1));
    assert_int_equal(flight_parse(pickle, sizeof pickle - 1, &f), 0);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.at[0].group, 0);
    assert_int_equal(f.at[0].enqueued, 31);
    assert_int_equal(f.at[0].completed, 30);
    assert_string_equal(f.at[0].op, "nccl:all_reduce");
    assert_int_equal(f.at[1].group, 3);
    assert_int_equal(f.at[1].enqueued, 7);
    assert_int_equal(f.at[1].completed, 7);
    assert_int_equal(f.entries, 1);
}

static void
json_tells_the_same(void **state)
{
    struct flight f;
    (void)state;
    assert_true(flight_is(json, sizeof json - 1));
    assert_int_equal(flight_parse(json, sizeof json - 1, &f), 0);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.at[0].enqueued, 31);
    assert_int_equal(f.at[0].completed, 30);
    assert_string_equal(f.at[0].op, "nccl:all_reduce");
}

static void
a_cut_dump_is_refused_at_every_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof pickle - 1; n++) {
        char *copy = malloc(n + 1);
        struct flight f;
        memcpy(copy, pickle, n);
        assert_int_equal(flight_parse(copy, n, &f), ERR_SYNTAX);
        free(copy);
    }
}

static void
a_log_is_no_dump(void **state)
{
    static const char text[] = "[rank0]: step 1 loss 2.1, entries 5, pg_status fine";
    (void)state;
    assert_false(flight_is(text, sizeof text - 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pickle_tells_how_far_each_group_came),
        cmocka_unit_test(json_tells_the_same),
        cmocka_unit_test(a_cut_dump_is_refused_at_every_length),
        cmocka_unit_test(a_log_is_no_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
