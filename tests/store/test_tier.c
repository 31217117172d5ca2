/* tier: what queries answer with tiers is what they answer from raw samples. */
#include "tests/store/support.h"

#include "store/promql/promql.h"
#include "store/store_priv.h"
#include "store/tier.h"
#include "store/tier_read.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR  INT64_C(3600000)
#define DAY   (24 * HOUR)
#define START (SUPPORT_NOW / DAY * DAY) /* 2026-09-21 */
#define DAYS  4
#define STEP  60000

/* A counter with resets and holes, a gauge, one that ends and comes back, on and off the grid. */
static void
fill(struct support *f)
{
    uint64_t x = 88172645463325252u;
    double counter = 0;
    f->now = START;
    for (int d = 0; d < DAYS; d++) {
        struct store_batch *b = store_batch_new(f->s);
        for (int64_t t = START + d * DAY; t < START + (d + 1) * DAY; t += STEP) {
            static const char *const nodes[] = {"on", "off", "hole", "ends"};
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            counter = x % 301 == 0 ? (double)(x % 7) : counter + (double)(x % 100);
            for (int n = 0; n < 4; n++) {
                int64_t at = t + (n == 1 ? 7321 : 0);
                if (n == 2 && (x >> 20) % 5 < 2)
                    continue;
                if (n == 3 && (t / HOUR) % 7 < 2)
                    continue;
                bool end = n == 3 && (t / HOUR) % 7 == 6 && t % HOUR == 40 * 60000;
                for (int k = 0; k < 2; k++) {
                    struct labels l = {0};
                    labels_add_str(&l, "__name__", k ? "gauge" : "requests_total");
                    labels_add_str(&l, "node", nodes[n]);
                    labels_finish(&l);
                    struct sample s = {at, end ? sample_stale()
                                           : k ? (double)((int64_t)(x >> 33) % 1000) / 8
                                               : counter};
                    assert_int_equal(store_batch_samples(b, &l, &s, 1), 0);
                }
            }
        }
        f->now = START + (d + 1) * DAY;
        assert_int_equal(store_commit(f->s, b, NULL, NULL), 0);
        assert_int_equal(store_flush(f->s, NULL), 0);
    }
    f->now = START + DAYS * DAY + 2 * HOUR;
}

static void
ask(struct support *f, const char *text, int64_t from, int64_t to, int64_t step,
    struct promql_result *ret)
{
    struct promql *q;
    struct err err;
    if (promql_parse(text, &q, &err) || promql_range(f->s, q, from, to, step, NULL, ret, &err))
        fail_msg("%s: %s", text, err.text);
    promql_free(q);
}

static const struct series_row *
find(const struct promql_result *r, const struct series_row *like)
{
    for (size_t i = 0; i < r->set.count; i++) {
        const struct labels *a = r->set.rows[i].labels, *b = like->labels;
        bool same = a->count == b->count;
        for (size_t k = 0; same && k < a->count; k++)
            same = a->at[k].value_len == b->at[k].value_len &&
                   !memcmp(a->at[k].value, b->at[k].value, a->at[k].value_len);
        if (same)
            return &r->set.rows[i];
    }
    return NULL;
}

static void
same(const char *text, const struct promql_result *a, const struct promql_result *b)
{
    if (a->set.count != b->set.count || !a->set.count)
        fail_msg("%s: %zu and %zu series", text, a->set.count, b->set.count);
    for (size_t i = 0; i < a->set.count; i++) {
        const struct series_row *x = &a->set.rows[i], *y = find(b, x);
        if (!y || x->count != y->count)
            fail_msg("%s: series %zu has %zu and %zu steps", text, i, x->count, y ? y->count : 0);
        for (size_t k = 0; k < x->count; k++) {
            double u = x->samples[k].v, v = y->samples[k].v;
            if (x->samples[k].t_ms != y->samples[k].t_ms ||
                (fabs(u - v) > 1e-9 * fmax(fabs(u), fabs(v)) && !(isnan(u) && isnan(v))))
                fail_msg("%s: step %zu of %zu: %.17g and %.17g", text, k, i, u, v);
        }
    }
}

static const struct {
    const char *text;
    int64_t step;
} cases[] = {
    {"gauge", HOUR},
    {"gauge", 300000},
    {"requests_total", 6 * HOUR},
    {"sum(gauge)", HOUR},
    {"max by (node) (gauge)", HOUR},
    {"max_over_time(gauge[1h])", HOUR},
    {"min_over_time(gauge[2h])", HOUR},
    {"sum_over_time(gauge[1h])", HOUR},
    {"count_over_time(gauge[1h])", HOUR},
    {"avg_over_time(gauge[3h])", HOUR},
    {"avg(avg_over_time(gauge[15m]))", 300000},
    {"last_over_time(gauge[1h])", HOUR},
    {"present_over_time(gauge[1h])", HOUR},
    {"rate(requests_total[2h])", HOUR},
    {"increase(requests_total[1d])", 6 * HOUR},
    {"rate(requests_total[10m])", 300000},
    {"sum by (node) (rate(requests_total[30m]))", 600000},
    {"delta(gauge[2h])", HOUR},
    {"count_over_time(gauge[10m] offset 1h)", 300000},
    {"stddev_over_time(gauge[1h])", HOUR}, /* no tier knows */
    {"rate(requests_total[7m])", HOUR},    /* not on the grid */
};

static void
answers_from_tiers_are_those_of_raw_samples(void **state)
{
    struct support *f = *state;
    fill(f);
    int64_t from = START + 6 * HOUR, to = START + DAYS * DAY + HOUR;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct promql_result raw, tier;
        ask(f, cases[i].text, from, to, cases[i].step, &raw);
        assert_int_equal(store_fill_tiers(f->s, NULL), 0);
        struct tier_ask a = {
            .first_ms = from, .step_ms = HOUR, .window_ms = HOUR, .back_ms = HOUR, .steps = 90};
        struct tier_plan plan;
        assert_true(tier_choose(f->s, &a, &plan));
        assert_true(plan.until_ms == START + DAYS * DAY);
        ask(f, cases[i].text, from, to, cases[i].step, &tier);
        same(cases[i].text, &raw, &tier);
        promql_result_done(&raw);
        promql_result_done(&tier);
        for (int d = 0; d < DAYS; d++) /* raw again */
            tier_changed(f->s->tiers, START / DAY + d);
        assert_false(tier_choose(f->s, &a, &plan));
    }
}

static void
late_and_deleted_samples_fill_the_day_again(void **state)
{
    struct support *f = *state;
    struct matcher m = {MATCH_EQ, "node", "off"};
    struct promql_result r;
    fill(f);
    assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    int64_t from = START + HOUR, to = START + 2 * DAY;
    support_put(f->s, "gauge", "on", START + 5 * HOUR + 1, 1e6, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    for (int pass = 0; pass < 2; pass++) {
        ask(f, "max(max_over_time(gauge[1h]))", from, to, HOUR, &r);
        assert_true(r.set.rows[0].samples[5].v == 1e6);
        promql_result_done(&r);
        assert_int_equal(store_fill_tiers(f->s, NULL), 0);
        assert_true(tier_until(f->s->tiers, TIER_1H, from) == START + DAYS * DAY);
    }
    assert_true(store_delete(f->s, &m, 1, 0, INT64_MAX, NULL) > 0);
    for (int pass = 0; pass < 2; pass++) {
        ask(f, "count(count_over_time(gauge[1h]))", from, to, HOUR, &r);
        assert_true(r.set.rows[0].samples[30].v <= 3);
        promql_result_done(&r);
        assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    }
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
}

static size_t
tier_files(const struct support *f, const char *prefix)
{
    DIR *dir = opendir(f->folder);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir));)
        n +=
            !strncmp(e->d_name, prefix, strlen(prefix)) && strlen(e->d_name) == strlen(prefix) + 11;
    closedir(dir);
    return n;
}

static void
tiers_outlive_the_raw_days_by_their_own_retention(void **state)
{
    struct support *f = *state;
    struct promql_result before, after;
    support_close(f);
    f->cfg.retention_ms = 10 * DAY;
    f->cfg.retention_5m_ms = 20 * DAY;
    f->cfg.retention_1h_ms = 40 * DAY;
    support_open(f);
    fill(f);
    assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    int64_t from = START + 6 * HOUR, to = START + DAYS * DAY;
    ask(f, "sum(increase(requests_total[6h]))", from, to, HOUR, &before);
    f->now = START + 15 * DAY;
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    assert_int_equal(tier_files(f, "day-"), 0);
    assert_int_equal(tier_files(f, "tier-5m-"), DAYS);
    for (int pass = 0; pass < 2; pass++) {
        ask(f, "sum(increase(requests_total[6h]))", from, to, HOUR, &after);
        same("after the raw days went", &before, &after);
        promql_result_done(&after);
        support_close(f);
        support_open(f);
    }
    promql_result_done(&before);
    f->now = START + 30 * DAY;
    assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    assert_int_equal(tier_files(f, "tier-5m-"), 0);
    assert_int_equal(tier_files(f, "tier-1h-"), DAYS);
    f->now = START + 43 * DAY; /* the last one's day is 40 days behind: it stays, the others go */
    assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    assert_int_equal(tier_files(f, "tier-1h-"), 1);
    f->now += DAY;
    assert_int_equal(store_fill_tiers(f->s, NULL), 0);
    assert_int_equal(tier_files(f, "tier-1h-"), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(answers_from_tiers_are_those_of_raw_samples),
        T(late_and_deleted_samples_fill_the_day_again),
        T(tiers_outlive_the_raw_days_by_their_own_retention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
