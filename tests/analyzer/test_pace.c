/* What a job is doing, sample by sample: "s" steps, "h" stands in a collective, "b" waits at a
 * barrier while files are written, "w" writes with idle accelerators, "e" evaluates, "i" idles. */
#include "analyzer/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

static struct pace_sample
sample(char what, bool sees_writes, int64_t t_ms)
{
    static const struct {
        char what;
        double util, tensor, sm, power, writes;
    } table[] = {{'s', 98, 0.42, 0.8, 610, 5},  {'h', 100, 0, 0.18, 245, 2},
                 {'b', 100, 0, 0.18, 245, 400}, {'w', 20, 0.01, 0.05, 150, 500},
                 {'e', 96, 0.25, 0.6, 480, 8},  {'i', 0, 0, 0, 90, 1}};
    size_t i = 0;
    while (table[i].what != what)
        i++;
    return (struct pace_sample){t_ms,        table[i].util,  table[i].tensor,
                                table[i].sm, table[i].power, sees_writes ? table[i].writes : NAN};
}

static const struct {
    const char *story;
    bool sees_writes;
    enum pace_state end;
    int hangs; /* the sample at which it is first said, -1: never */
} stories[] = {
    {"sssss", true, PACE_STEPS, -1},
    {"sssssh", true, PACE_STANDS, -1},
    {"ssssshh", true, PACE_HANGS, 6},               /* two samples */
    {"ssssshs", true, PACE_STEPS, -1},              /* a short wait */
    {"sssswwwwsss", true, PACE_STEPS, -1},          /* a checkpoint */
    {"ssssbbbbsss", true, PACE_STEPS, -1},          /* one with a barrier */
    {"sssswwbbhh", true, PACE_HANGS, 9},            /* one that never ends */
    {"sssseeeeeesss", true, PACE_STEPS, -1},        /* an evaluation */
    {"ssssiiiiiiii", true, PACE_IDLE, -1},          /* the end */
    {"hhhhhh", true, PACE_STEPS, -1},               /* the start: nothing is known of it */
    {"sssshhhhssshhhhh", false, PACE_STANDS, -1},   /* stops of 20 s are usual: 30 s are none */
    {"sssshhhhssshhhhhhhh", false, PACE_HANGS, 17}, /* longer is one */
    {"sssshhhhhhhhhhhhhhh", false, PACE_HANGS, 16}, /* a first stop nobody sees write: a minute */
};

static void
a_stop_is_a_hang_when_nobody_writes_and_it_does_not_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        struct pace p = {0};
        int hangs = -1;
        for (int k = 0; stories[i].story[k]; k++) {
            struct pace_sample s =
                sample(stories[i].story[k], stories[i].sees_writes, (k + 1) * 5000);
            if (pace_take(&p, &s) == PACE_HANGS && hangs < 0)
                hangs = k;
        }
        if (p.state != stories[i].end || hangs != stories[i].hangs)
            fail_msg("%s ends as %d, hangs at %d", stories[i].story, (int)p.state, hangs);
    }
}

static void
an_old_sample_changes_nothing(void **state)
{
    struct pace p = {0};
    (void)state;
    for (int k = 1; k < 6; k++) {
        struct pace_sample s = sample('s', true, k * 5000);
        pace_take(&p, &s);
    }
    struct pace before = p;
    struct pace_sample old = sample('h', true, 25000);
    assert_int_equal(pace_take(&p, &old), PACE_STEPS);
    assert_memory_equal(&p, &before, sizeof p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_a_hang_when_nobody_writes_and_it_does_not_end),
        cmocka_unit_test(an_old_sample_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
