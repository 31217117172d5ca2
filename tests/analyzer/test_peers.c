/* Peers on small fleets with a noise that is fixed: who is named, who is not, and the middle of a
 * column against a sort. */
#include "analyzer/peers.h"
#include "analyzer/peers_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NODES 32
#define EACH  8
#define GPUS  (NODES * EACH)
#define RACK  4 /* nodes */

static uint64_t seed;

static double
dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

static double
normal(void)
{
    return sqrt(-2 * log(dice() + 1e-300)) * cos(6.283185307 * dice());
}

/* --- the middle ------------------------------------------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void
the_middle_is_that_of_a_sort(void **state)
{
    static float x[9000], room[9000], sorted[9000];
    (void)state;
    seed = 7;
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + (size_t)(dice() * (round < 200 ? 600 : 8999)), m = 0;
        int kinds = round % 3 ? 100000 : 1 + round % 4; /* many alike too */
        for (size_t i = 0; i < n; i++) {
            x[i] = dice() < 0.05 ? NAN : (float)(int)(dice() * kinds);
            if (!isnan(x[i]))
                sorted[m++] = x[i];
        }
        qsort(sorted, m, sizeof *sorted, by_size);
        float middle = peers_median(x, n, 1, room);
        if (m)
            assert_true(middle == sorted[m / 2]);
        else
            assert_true(isnan(middle));
        assert_true(isnan(peers_median(x, n, m + 1, room)));
    }
}

/* --- a fleet of one job ----------------------------------------------------------------------- */

struct fleet {
    struct peers *p;
    double slow[GPUS];  /* of each clock: 0.1 is a tenth */
    double late[GPUS];  /* share of a step it starts late */
    double extra[GPUS]; /* its part of the work */
    double pace;        /* of all: 0.9 is a tenth slower */
    int64_t t_ms;
};

static void
fleet_open_racks(struct fleet *f, uint32_t nodes)
{
    static const uint64_t job = 4711;
    static struct peers_member members[GPUS];
    memset(f, 0, sizeof *f);
    f->pace = 1;
    seed = 99;
    for (uint32_t g = 0; g < GPUS; g++) {
        uint32_t n = g / EACH;
        members[g] = (struct peers_member){.key = g};
        members[g].group[PEERS_NODE] = n;
        members[g].group[PEERS_RACK] = n / nodes;
        members[g].group[PEERS_LEAF] = g % EACH;
        members[g].group[PEERS_POWER] = n / nodes; /* one unit a rack: the rack is named */
        members[g].group[PEERS_COOLING] = 0;
        f->extra[g] = 1;
    }
    assert_non_null(f->p = peers_new());
    assert_int_equal(peers_layout(f->p, members, GPUS, &job, 1), 0);
}

static void
fleet_open(struct fleet *f)
{
    fleet_open_racks(f, RACK);
}

static void
fleet_put(struct fleet *f, enum metric_meaning m, size_t g, double v)
{
    peers_set(f->p, (size_t)peers_measure(m), g, (float)(v * (1 + 0.05 * normal())));
}

/* Who is slow computes longer; the step is as long as the slowest takes, and the rest wait. */
static void
fleet_step(struct fleet *f)
{
    double longest = 0;
    f->t_ms += 5000;
    for (size_t g = 0; g < GPUS; g++)
        longest = fmax(longest, f->extra[g] / (1 - f->slow[g]) + f->late[g]);
    for (size_t g = 0; g < GPUS; g++) {
        double step = (longest + 0.25) / f->pace, busy = f->extra[g] / (1 - f->slow[g]) / step;
        fleet_put(f, METRIC_GPU_TENSOR_ACTIVE, g, 0.5 * busy);
        fleet_put(f, METRIC_GPU_SM_ACTIVE, g, 0.86 * busy + 0.2 * (1 - busy - f->late[g] / step));
        fleet_put(f, METRIC_GPU_UTIL, g, 95 * (1 - f->late[g] / step));
        fleet_put(f, METRIC_GPU_POWER, g, 90 + 560 * busy);
        fleet_put(f, METRIC_GPU_CLOCK, g, 1755 * (1 - f->slow[g]));
    }
    peers_step(f->p, NULL, f->t_ms, 5000);
}

/* Steps until something is found; the number of steps, or `most`. */
static int
fleet_until_found(struct fleet *f, int most, const struct peers_finding **ret, size_t *ret_count)
{
    int n = 0;
    do
        fleet_step(f);
    while (!(*ret_count = peers_decide(f->p, ret)) && ++n < most);
    return n;
}

static void
healthy_noise_names_nobody(void **state)
{
    struct fleet f;
    const struct peers_finding *found;
    size_t n;
    (void)state;
    fleet_open(&f);
    assert_int_equal(fleet_until_found(&f, 500, &found, &n), 500);
    assert_true(peers_steady(f.p, 0));
    assert_int_equal(peers_slow_since(f.p, 0), 0);
    peers_free(f.p);
}

static const struct {
    const char *what;
    enum peers_level level;
    uint32_t index;
    size_t first, count;
    double slow, late;
    int steps; /* at the most */
} culprits[] = {
    {"one accelerator's clock", PEERS_GPU, 77, 77, 1, 0.1, 0, 12},
    {"one process starts late", PEERS_GPU, 130, 130, 1, 0, 0.12, 20},
    {"a node", PEERS_NODE, 5, 40, 8, 0.1, 0, 8},
    {"a rack", PEERS_RACK, 2, 64, 32, 0.1, 0, 8},
    {"one accelerator, much slower", PEERS_GPU, 3, 3, 1, 0.45, 0, 6},
};

static void
the_slow_part_is_named_and_not_what_waits_for_it(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof culprits / sizeof *culprits; c++) {
        struct fleet f;
        const struct peers_finding *found;
        size_t n;
        fleet_open(&f);
        assert_int_equal(fleet_until_found(&f, 30, &found, &n), 30);
        for (size_t i = 0; i < culprits[c].count; i++) {
            f.slow[culprits[c].first + i] = culprits[c].slow;
            f.late[culprits[c].first + i] = culprits[c].late;
        }
        int steps = fleet_until_found(&f, 30, &found, &n);
        if (steps > culprits[c].steps || n != 1 || found->level != culprits[c].level ||
            found->index != culprits[c].index)
            fail_msg("%s: %zu found after %d steps, the first at level %d index %u",
                     culprits[c].what, n, steps, n ? (int)found->level : -1, n ? found->index : 0);
        assert_true(found->score > found->limit);
        assert_int_equal(peers_slow_since(f.p, 0), 0); /* somebody is named */
        memset(f.slow, 0, sizeof f.slow);
        memset(f.late, 0, sizeof f.late);
        for (int i = 0; i < 20; i++)
            fleet_step(&f);
        assert_int_equal(peers_decide(f.p, &found), 0);
        peers_free(f.p);
    }
}

static void
a_job_that_is_slow_in_all_parts_has_no_culprit(void **state)
{
    struct fleet f;
    const struct peers_finding *found;
    size_t n;
    (void)state;
    fleet_open(&f);
    assert_int_equal(fleet_until_found(&f, 30, &found, &n), 30);
    f.pace = 0.88;
    assert_int_equal(fleet_until_found(&f, 60, &found, &n), 60);
    assert_in_range(peers_slow_since(f.p, 0), 30 * 5000, 45 * 5000);
    f.pace = 1;
    for (int i = 0; i < 20; i++)
        fleet_step(&f);
    assert_int_equal(peers_slow_since(f.p, 0), 0);
    peers_free(f.p);
}

static void
members_with_another_part_of_the_work_are_no_stragglers(void **state)
{
    struct fleet f;
    const struct peers_finding *found;
    size_t n;
    (void)state;
    fleet_open(&f);
    for (size_t g = 7; g < GPUS; g += 8)
        f.extra[g] = 1.12; /* the last stage of a pipeline */
    assert_int_equal(fleet_until_found(&f, 200, &found, &n), 200);
    f.slow[7] = 0.15;
    assert_true(fleet_until_found(&f, 30, &found, &n) < 20);
    assert_int_equal(found->index, 7);
    peers_free(f.p);
}

/* Most of a job is its norm: what it does says nothing of the rack that it happens to fill. */
static void
a_rack_that_is_most_of_a_job_is_not_named(void **state)
{
    struct fleet f;
    const struct peers_finding *found;
    (void)state;
    fleet_open_racks(&f, 20); /* of 32 nodes */
    for (int i = 0; i < 30; i++)
        fleet_step(&f);
    for (size_t g = 0; g < 20 * EACH; g++)
        f.slow[g] = 0.1;
    for (int i = 0; i < 60; i++) {
        fleet_step(&f);
        size_t n = peers_decide(f.p, &found);
        for (size_t k = 0; k < n; k++)
            assert_false(found[k].level == PEERS_RACK && found[k].index == 0);
    }
    peers_free(f.p);
}

static void
a_new_layout_keeps_what_is_known(void **state)
{
    struct fleet f;
    const struct peers_finding *found;
    const uint64_t jobs[] = {4712, 4711};
    static struct peers_member members[GPUS + 8];
    size_t n;
    (void)state;
    fleet_open(&f);
    f.slow[9] = 0.1;
    assert_true(fleet_until_found(&f, 120, &found, &n) < 120); /* slow from the start */
    for (uint32_t g = 0; g < GPUS + 8; g++) {
        uint32_t node = g < 8 ? NODES : g / EACH - 1;
        members[g] = (struct peers_member){.key = g < 8 ? 1000 + g : g - 8, .job = g >= 8};
        for (int l = PEERS_NODE; l < PEERS_LEVELS; l++)
            members[g].group[l] = l == PEERS_NODE ? node : PEERS_NONE;
    }
    assert_int_equal(peers_layout(f.p, members, GPUS + 8, jobs, 2), 0);
    n = peers_decide(f.p, &found);
    assert_int_equal(n, 1);
    assert_int_equal(members[found->index].key, 9);
    assert_true(isnan(peers_medians(f.p, 0)[0]));
    peers_free(f.p);
}

/* Slow for ten minutes, right again: nobody is named a minute and a half later, nor named anew. */
static void
what_is_right_again_is_soon_no_longer_named(void **state)
{
    static const struct {
        size_t from, count;
    } cases[] = {{37, 1}, {5 * EACH, EACH}, {8 * EACH, RACK * EACH}, {0, GPUS / 2}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        static struct fleet f;
        const struct peers_finding *found;
        size_t n = 0;
        fleet_open(&f);
        for (int i = 0; i < 100; i++)
            fleet_step(&f);
        for (size_t g = cases[c].from; g < cases[c].from + cases[c].count; g++)
            f.slow[g] = 0.3;
        for (int i = 0; i < 120; i++) {
            fleet_step(&f);
            n = peers_decide(f.p, &found);
        }
        assert_true(n > 0 || cases[c].count == GPUS / 2); /* with half of all no norm is left */
        memset(f.slow, 0, sizeof f.slow);
        for (int i = 0; i < 120; i++) {
            fleet_step(&f);
            n = peers_decide(f.p, &found);
            if (i >= 18)
                assert_int_equal(n, 0);
        }
        peers_free(f.p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_is_that_of_a_sort),
        cmocka_unit_test(healthy_noise_names_nobody),
        cmocka_unit_test(the_slow_part_is_named_and_not_what_waits_for_it),
        cmocka_unit_test(a_job_that_is_slow_in_all_parts_has_no_culprit),
        cmocka_unit_test(members_with_another_part_of_the_work_are_no_stragglers),
        cmocka_unit_test(what_is_right_again_is_soon_no_longer_named),
        cmocka_unit_test(a_rack_that_is_most_of_a_job_is_not_named),
        cmocka_unit_test(a_new_layout_keeps_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
