/* sim_test: a small world for tests: two groups of four nodes, a job on all, everything it says
 * kept. */
#ifndef TESTS_SIM_TEST_H
#define TESTS_SIM_TEST_H

#include "base/compress.h"
#include "sim/emit_write.h"
#include "sim/fault.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIM_TEST_START 1763884800000 /* 2025-11-23T08:00:00Z */

struct sim_test {
    struct plan *plan;
    struct world *world;
    struct emit_write *write;
    uint32_t crc; /* of all bodies and lines */
    unsigned lines, traps, jobs_created, jobs_ended, bodies, series;
    char want_line[64], want_metric[80], want_labels[80];
    unsigned line_hits;
    double value; /* last of the wanted series */
    unsigned value_hits;
    bool stale;
    char last_state[16];
    int last_exit;
};

static inline void
sim_test_line(void *ctx, const struct world_line *l)
{
    struct sim_test *t = ctx;
    t->lines++;
    t->crc = crc32c(t->crc, l->text, strlen(l->text));
    t->line_hits += *t->want_line != 0 && strstr(l->text, t->want_line) != NULL;
}

static inline void
sim_test_trap(void *ctx, const struct world_trap *trap)
{
    (void)trap;
    ((struct sim_test *)ctx)->traps++;
}

static inline void
sim_test_job(void *ctx, const struct simjob *j, bool created)
{
    struct sim_test *t = ctx;
    t->jobs_created += created;
    t->jobs_ended += !created;
    if (!created) {
        snprintf(t->last_state, sizeof t->last_state, "%s", simjob_state_word(j->state));
        t->last_exit = j->exit_code;
    }
}

static inline size_t
sim_test_varint(const uint8_t *p, size_t len, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < len && i < 10; i++) {
        *ret |= (uint64_t)(p[i] & 127) << (7 * i);
        if (!(p[i] & 128))
            return i + 1;
    }
    fail_msg("a varint is cut");
    return 0;
}

/* One TimeSeries: labels become "k=v,k=v,"; they are sorted and unique, or the test fails. */
static inline void
sim_test_series(struct sim_test *t, const uint8_t *p, size_t len)
{
    char labels[1024] = "", last[128] = "", metric[256] = "";
    double v = 0;
    for (size_t i = 0; i < len;) {
        uint8_t tag = p[i++];
        uint64_t n, k, m;
        i += sim_test_varint(p + i, len - i, &n);
        assert_true(i + n <= len);
        const uint8_t *e = p + i;
        i += n;
        if (tag == 0x12) {
            assert_int_equal(e[0], 0x09);
            memcpy(&v, e + 1, 8);
            continue;
        }
        assert_int_equal(tag, 0x0a);
        assert_int_equal(e[0], 0x0a);
        size_t at = 1 + sim_test_varint(e + 1, n - 1, &k);
        char name[128], value[256];
        snprintf(name, sizeof name, "%.*s", (int)k, (const char *)e + at);
        at += k;
        assert_int_equal(e[at], 0x12);
        at += 1 + sim_test_varint(e + at + 1, n - at - 1, &m);
        assert_int_equal(at + m, n);
        snprintf(value, sizeof value, "%.*s", (int)m, (const char *)e + at);
        assert_true(strcmp(last, name) < 0);
        snprintf(last, sizeof last, "%s", name);
        if (strcmp(name, "__name__") == 0)
            snprintf(metric, sizeof metric, "%s", value);
        else
            snprintf(labels + strlen(labels), sizeof labels - strlen(labels), "%s=%s,", name,
                     value);
    }
    t->series++;
    if (strcmp(metric, t->want_metric) == 0 && strstr(labels, t->want_labels) != NULL) {
        t->stale = isnan(v);
        t->value = v;
        t->value_hits++;
    }
}

static inline void
sim_test_body(void *ctx, const void *body, size_t len, unsigned series)
{
    struct sim_test *t = ctx;
    const uint8_t *p = body;
    unsigned before = t->series;
    t->crc = crc32c(t->crc, body, len);
    t->bodies++;
    for (size_t i = 0; i < len;) {
        uint64_t n;
        assert_int_equal(p[i], 0x0a);
        i++;
        i += sim_test_varint(p + i, len - i, &n);
        assert_true(i + n <= len);
        sim_test_series(t, p + i, n);
        i += n;
    }
    assert_int_equal(t->series - before, series);
}

static inline void
sim_test_open(struct sim_test *t, uint64_t seed, bool noise)
{
    struct plan_fabric f = {.nodes = 8, .nodes_per_group = 4};
    struct world_config cfg = {.seed = seed,
                               .start_ms = SIM_TEST_START,
                               .interval_s = 5,
                               .jobs = 1,
                               .timer_scale = 0.02,
                               .noise = noise};
    *t = (struct sim_test){0};
    struct world_sink sink = {
        .line = sim_test_line, .trap = sim_test_trap, .job = sim_test_job, .ctx = t};
    assert_int_equal(plan_new("test", &t->plan, NULL), 0);
    assert_int_equal(plan_expand(t->plan, &f, NULL), 0);
    assert_int_equal(plan_share_storage(t->plan), 0);
    assert_int_equal(world_new(t->plan, &cfg, &sink, &t->world, NULL), 0);
    t->write = emit_write_new(t->world, 500, sim_test_body, t);
    assert_non_null(t->write);
}

/* Steps second by second up to `seconds` after the start, sampling everything each 5 s. */
static inline void
sim_test_run(struct sim_test *t, int seconds)
{
    for (int64_t ms = t->world->now_ms + 1000; ms <= SIM_TEST_START + seconds * 1000; ms += 1000) {
        world_step(t->world, ms);
        if (ms / 1000 % 5 != 0)
            continue;
        world_sample_site(t->world);
        for (uint32_t i = 0; i < t->plan->nodes.count; i++) {
            world_sample_node(t->world, i);
            emit_write_node(t->write, i, ms, true);
        }
        for (uint32_t i = 0; i < t->plan->switches.count; i++) {
            world_sample_switch(t->world, i);
            emit_write_switch(t->write, i, ms, true);
        }
        emit_write_site(t->write, ms);
        emit_write_flush(t->write);
    }
}

static inline void
sim_test_close(struct sim_test *t)
{
    emit_write_free(t->write);
    world_free(t->world);
    plan_free(t->plan);
}

#endif
