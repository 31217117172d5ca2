/* loghead: a table of lines as software prints them, and what their heads tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "decode/loghead.h"

static const struct {
    const char *line, *time, *node, *text;
    int rank, gpu;
} cases[] = {
    {"2026-11-23T08:00:00.500Z something", "2026-11-23T08:00:00.500Z", "", "something", -1, -1},
    {"[2026-11-23 08:00:00,123] ERROR: x", "2026-11-23T08:00:00.123Z", "", "ERROR: x", -1, -1},
    {"Nov 23 08:00:01 node00001 kernel: NVRM: Xid", "2026-11-23T08:00:01.000Z", "node00001",
     "kernel: NVRM: Xid", -1, -1},
    {"Dec 31 23:59:59 n1 sshd[12]: x", "2025-12-31T23:59:59.000Z", "n1", "sshd[12]: x", -1, -1},
    {"[  123.456789] NVRM: Xid", NULL, "", "NVRM: Xid", -1, -1},
    {"[rank37]: Traceback", NULL, "", "Traceback", 37, -1},
    {"[rank3]:[E1123 08:00:00.0] x", "2026-11-23T08:00:00.000Z", "", "[E1123 08:00:00.0] x", 3, -1},
    {"W1122 23:59:59.9 7 a.cc:1] x", "2026-11-22T23:59:59.000Z", "", "W1122 23:59:59.9 7 a.cc:1] x",
     -1, -1},
    {"node00017:4242:4300 [5] NCCL WARN x", NULL, "node00017", "NCCL WARN x", -1, 5},
    {"12: node00017:4242:4300 [5] NCCL WARN x", NULL, "node00017", "NCCL WARN x", 12, 5},
    {"[1,9]<stderr>:boom", NULL, "", "boom", 9, -1},
    {"2026-11-23T08:00:00.5Z stderr F [rank3]: boom", "2026-11-23T08:00:00.500Z", "", "boom", 3,
     -1},
    {"plain text", NULL, "", "plain text", -1, -1},
    {"10.0.0.1 is up", NULL, "", "10.0.0.1 is up", -1, -1},
    {"", NULL, "", "", -1, -1},
};

static void
each_head_gives_time_node_rank_and_text(void **state)
{
    (void)state;
    int64_t hint, want;
    assert_int_equal(time_parse("2026-11-23T09:00:00Z", &hint), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct loghead h;
        if (strstr(cases[i].line, "Dec 31"))
            assert_int_equal(time_parse("2026-01-01T00:10:00Z", &hint), 0);
        else
            assert_int_equal(time_parse("2026-11-23T09:00:00Z", &hint), 0);
        loghead_parse(cases[i].line, strlen(cases[i].line), hint, &h);
        want = 0;
        if (cases[i].time)
            assert_int_equal(time_parse(cases[i].time, &want), 0);
        assert_int_equal(h.time_ms, want);
        assert_string_equal(h.node, cases[i].node);
        assert_string_equal(cases[i].line + h.text, cases[i].text);
        assert_int_equal(h.rank, cases[i].rank);
        assert_int_equal(h.gpu, cases[i].gpu);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_head_gives_time_node_rank_and_text)};
    return cmocka_run_group_tests_name("loghead", tests, NULL, NULL);
}
