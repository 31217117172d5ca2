/* What shows only in many series at once: a slow file system, uneven uplinks, incast, slow links, a
 * hot rack, a job that is slow by its software. Each world once as it must be told, and as its
 * neighbours that must not be. */
#include "tests/analyzer/detect_bed.h"

#include <math.h>

#define BAD_FROM 20 /* steps; so many are healthy */
#define STEPS    60

#define LARGE                                                                                      \
    "version: 1\ncluster: {name: t}\n"                                                             \
    "fabric: {kind: rail-spine-leaf, groups: 1, nodes_per_group: 16, rails: 2, spines: 4, "        \
    "nodes_per_rack: 2, gpus: {count: 8, model: H100}}\n"

static void __attribute__((format(printf, 4, 5)))
put(struct bed *b, struct store_batch *batch, double v, const char *format, ...)
{
    char series[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(series, sizeof series, format, ap);
    va_end(ap);
    bed_put(b, batch, series, v);
}

static double totals[4096]; /* counters of a world, by number */

static double
grows(size_t i, double more)
{
    return totals[i] += more;
}

/* A thing that is the same in every run and averages to nothing. */
static double
wobble(int step, int i)
{
    return sin(step * 12.9898 + i * 78.233);
}

/* --- one world each --------------------------------------------------------------------------- */

/* Clients from `first` on wait `each` seconds an operation. */
static void
storage(struct bed *b, struct store_batch *batch, int first, double each)
{
    for (int n = 1; n <= 4; n++) {
        double ops = grows((size_t)n, 600);
        put(b, batch, ops,
            "node_mountstats_nfs_operations_requests_total{node=node%05d,operation=WRITE}", n);
        put(b, batch, grows((size_t)n + 8, 600 * (n >= first ? each : 0.004)),
            "node_mountstats_nfs_operations_request_time_seconds_total{node=node%05d,"
            "operation=WRITE}",
            n);
    }
}

static void
storage_slow(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)step;
    storage(b, batch, bad ? 1 : 5, 0.4);
}

static void
storage_slow_for_one(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)step;
    storage(b, batch, bad ? 4 : 5, 0.4);
}

static void
nic_rate(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)step;
    put(b, batch, bad ? 12.5e9 : 50e9,
        "node_infiniband_rate_bytes_per_second{node=node00002,device=mlx5_1}");
}

static void
nic_rate_of_no_plan(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)step;
    put(b, batch, bad ? 3e9 : 12.5e9,
        "node_infiniband_rate_bytes_per_second{node=node00002,device=mlx5_9}");
}

/* Four uplinks, 400 Gb/s each, loaded by so much. */
static void
uplinks(struct bed *b, struct store_batch *batch, const double share[4])
{
    put(b, batch, (double)(b->now_ms - ZERO) / 10, "sysUpTime{instance=leaf-g01-1}");
    for (int i = 0; i < 4; i++) {
        put(b, batch, grows((size_t)i + 16, share[i] * 50e9 * STEP / 1000),
            "ifHCOutOctets{instance=leaf-g01-1,ifName=Ethernet%d}", 5 + i);
        put(b, batch, 400000, "ifHighSpeed{instance=leaf-g01-1,ifName=Ethernet%d}", 5 + i);
        put(b, batch, 1, "ifOperStatus{instance=leaf-g01-1,ifName=Ethernet%d}", 5 + i);
    }
}

static void
uplinks_uneven(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    static const double even[] = {0.5, 0.55, 0.48, 0.52}, uneven[] = {0.97, 0.1, 0.32, 0.3};
    (void)step;
    uplinks(b, batch, bad ? uneven : even);
}

static void
uplinks_uneven_and_idle(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    static const double even[] = {0.05, 0.05, 0.05, 0.05}, uneven[] = {0.3, 0.01, 0.05, 0.05};
    (void)step;
    uplinks(b, batch, bad ? uneven : even);
}

static void
incast_at(struct bed *b, struct store_batch *batch, double share, double marks)
{
    put(b, batch, grows(32, share * 50e9 * STEP / 1000),
        "ifHCOutOctets{instance=leaf-g01-1,ifName=Ethernet2}");
    put(b, batch, 400000, "ifHighSpeed{instance=leaf-g01-1,ifName=Ethernet2}");
    put(b, batch, grows(33, marks * STEP / 1000),
        "switch_ecn_marked_total{instance=leaf-g01-1,ifName=Ethernet2,priority=3}");
}

static void
incast(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)step;
    incast_at(b, batch, bad ? 0.97 : 0.6, bad ? 8000 : 50);
}

static void
marks_at_half_the_rate(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)step;
    incast_at(b, batch, 0.5, bad ? 8000 : 50);
}

/* A job of 128 accelerators: those from `first` on have so much of their clock; all of them `part`
 * of their speed, with gaps of their own program's making. */
static void
job_of_128(struct bed *b, struct store_batch *batch, int step, int first, int end, double clock,
           double part, double gap)
{
    double speed = (first < end ? clock : 1) * part;
    for (int i = 0; i < 128; i++) {
        double own = i >= first && i < end ? clock : 1, busy = 0.8 * speed / own, w = 0.02;
        const char *const names[] = {"PROF_PIPE_TENSOR_ACTIVE", "PROF_SM_ACTIVE", "DEV_GPU_UTIL",
                                     "DEV_POWER_USAGE", "DEV_SM_CLOCK"};
        double v[] = {0.5 * busy, 0.86 * busy + 0.2 * (1 - busy - gap), 97 * (1 - gap),
                      90 + 560 * busy, 1755 * own};
        for (int k = 0; k < 5; k++)
            put(b, batch, v[k] * (1 + w * wobble(step, i * 5 + k)),
                "DCGM_FI_%s{Hostname=node%05d,gpu=%d}", names[k], i / 8 + 1, i % 8);
    }
}

static void
rack_hot(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    job_of_128(b, batch, step, 32, bad ? 48 : 0, 0.88, 1, 0);
}

static void
all_wait_for_their_program(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    job_of_128(b, batch, step, 0, 0, 1, bad ? 0.87 : 1, bad ? 0.12 : 0);
}

static void
all_slower_without_gaps(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    job_of_128(b, batch, step, 0, 0, 1, bad ? 0.87 : 1, 0);
}

static void
nothing_changes(struct bed *b, struct store_batch *batch, int step, bool bad)
{
    (void)bad;
    job_of_128(b, batch, step, 0, 0, 1, 1, 0);
}

static const struct world {
    void (*put)(struct bed *b, struct store_batch *batch, int step, bool bad);
    const char *code, *entity; /* NULL: nothing at all is said */
    bool job;                  /* the larger plan, and a job on it */
} worlds[] = {
    {storage_slow, "storage.slow", "storage:fs01", false},
    {storage_slow_for_one, NULL, NULL, false},
    {nic_rate, "nic.slow", "nic:node00002/mlx5_1", false},
    {nic_rate_of_no_plan, NULL, NULL, false},
    {uplinks_uneven, "congestion.ecmp-imbalance", "switch:leaf-g01-1", false},
    {uplinks_uneven_and_idle, NULL, NULL, false},
    {incast, "congestion.incast", "port:leaf-g01-1/Ethernet2", false},
    {marks_at_half_the_rate, NULL, NULL, false},
    {rack_hot, "rack.straggler", "rack:r03", true},
    {all_wait_for_their_program, "job.slow-user-code", "job:7", true},
    {all_slower_without_gaps, "job.slow-framework", "job:7", true},
    {nothing_changes, NULL, NULL, true},
};

static void
each_world_is_told_for_what_it_is_and_nothing_else(void **state)
{
    for (size_t k = 0; k < sizeof worlds / sizeof *worlds; k++) {
        const struct world *w = &worlds[k];
        bed_setup_with(state, w->job ? LARGE : PLAN);
        struct bed *b = *state;
        memset(totals, 0, sizeof totals);
        if (w->job)
            bed_job_on(b, "node[00001-00016]");
        for (int step = 0; step < STEPS; step++) {
            struct store_batch *batch = store_batch_new(b->store);
            w->put(b, batch, step, step >= BAD_FROM && step < BAD_FROM + 16);
            bed_turn(b, batch);
        }
        for (size_t i = 0; i < b->count; i++)
            if (!w->code || strcmp(b->heard[i].code, w->code) ||
                strcmp(b->heard[i].entity, w->entity))
                fail_msg("world %zu: %s at %s: %s", k, b->heard[i].code, b->heard[i].entity,
                         b->heard[i].text);
        if (w->code && (!bed_find(b, w->code, EVENT_BEGIN) || !bed_find(b, w->code, EVENT_END)))
            fail_msg("world %zu: %s did not %s", k, w->code,
                     bed_find(b, w->code, EVENT_BEGIN) ? "end" : "begin");
        bed_teardown(state);
    }
}

/* All nodes fall silent at once; their leaves are still polled and say so much of the links. */
static size_t
absent_when_all_are_silent(void **state, double oper)
{
    size_t n = 0;
    bed_setup_with(state, PLAN);
    struct bed *b = *state;
    for (int step = 0; step < 40; step++) {
        struct store_batch *batch = store_batch_new(b->store);
        for (int i = 1; i <= 4; i++) {
            if (step < BAD_FROM)
                put(b, batch, 1.5, "node_load1{node=node%05d}", i);
            for (int k = 1; k <= 2; k++) {
                put(b, batch, step < BAD_FROM ? 1 : oper,
                    "ifOperStatus{instance=leaf-g01-%d,ifName=Ethernet%d}", k, i);
                put(b, batch, 1, "ifAdminStatus{instance=leaf-g01-%d,ifName=Ethernet%d}", k, i);
            }
        }
        bed_turn(b, batch);
    }
    for (size_t i = 0; i < b->count; i++)
        n += !strcmp(b->heard[i].code, "node.absent") && b->heard[i].phase == EVENT_BEGIN;
    bed_teardown(state);
    return n;
}

static void
a_dark_room_is_told_where_the_links_are_down_and_blindness_is_not(void **state)
{
    assert_int_equal(absent_when_all_are_silent(state, 2), 4);
    assert_int_equal(absent_when_all_are_silent(state, 1), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dark_room_is_told_where_the_links_are_down_and_blindness_is_not),
        cmocka_unit_test(each_world_is_told_for_what_it_is_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
