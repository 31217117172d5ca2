/* keep: what the store takes, refuses, counts, drops and finds damaged. */
#include "tests/store/support.h"

#include "base/str.h"
#include "store/db.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

static int
gap_find(void *ctx, const struct gap *g)
{
    const char **wanted = ctx;
    if (*wanted && !strcmp(g->reason, *wanted))
        *wanted = NULL;
    return 0;
}

static bool
gap_is_there(struct store *s, const char *reason)
{
    const char *wanted = reason;
    assert_true(store_gaps(s, 0, 0, NULL, gap_find, &wanted, NULL) >= 0);
    return !wanted;
}

/* --- samples ---------------------------------------------------------------------------------- */

static void
late_samples_find_their_place_and_the_first_of_equal_times_stays(void **state)
{
    struct support *f = *state;
    struct store_commit_result r;
    struct sample at[16];
    static const int order[] = {5, 1, 3, 2, 4, 0};
    for (size_t i = 0; i < 6; i++)
        support_put(f->s, "m", "a", SUPPORT_NOW + order[i] * 1000, order[i], &r);
    assert_int_equal(r.samples, 1);
    for (int i = 0; i < 6; i++) {
        support_put(f->s, "m", "a", SUPPORT_NOW + i * 1000, 99, &r);
        assert_int_equal(r.duplicates, 1);
        assert_int_equal(r.samples, 0);
    }
    for (int pass = 0; pass < 3; pass++) {
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 16), 6);
        for (int i = 0; i < 6; i++)
            assert_true(at[i].t_ms == SUPPORT_NOW + i * 1000 && at[i].v == i);
        if (pass == 0)
            assert_int_equal(store_flush(f->s, NULL), 0);
        if (pass == 1) {
            support_close(f);
            support_open(f);
            support_put(f->s, "m", "a", SUPPORT_NOW + 3000, 99,
                        NULL); /* on disk already: the older stays */
        }
    }
}

static void
stale_markers_nan_and_infinities_come_back_as_they_were(void **state)
{
    struct support *f = *state;
    struct sample at[8];
    const double v[] = {1.5, NAN, INFINITY, -INFINITY, -0.0, 0};
    for (int i = 0; i < 6; i++)
        support_put(f->s, "m", "a", SUPPORT_NOW + i, i == 5 ? sample_stale() : v[i], NULL);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 8), 6);
        assert_true(isnan(at[1].v) && !sample_is_stale(at[1].v) && isinf(at[2].v) && at[3].v < 0 &&
                    signbit(at[4].v));
        assert_true(sample_is_stale(at[5].v));
        struct matcher m = {MATCH_EQ, "__name__", "m"};
        struct series_set set;
        assert_int_equal(store_latest(f->s, &m, 1, SUPPORT_NOW + 10, 1000, NULL, &set, NULL), 0);
        assert_int_equal(set.count, 0); /* ended: not the value before */
        series_set_done(&set);
        assert_int_equal(store_latest(f->s, &m, 1, SUPPORT_NOW + 4, 1000, NULL, &set, NULL), 0);
        assert_int_equal(set.count, 1);
        series_set_done(&set);
        assert_int_equal(store_flush(f->s, NULL), 0);
    }
}

static void
old_samples_are_refused_counted_and_become_a_gap(void **state)
{
    struct support *f = *state;
    struct store_commit_result r;
    support_put(f->s, "m", "a", SUPPORT_NOW - 31 * DAY, 1, &r);
    assert_int_equal(r.too_old, 1);
    support_put(f->s, "m", "a", SUPPORT_NOW + 2 * DAY, 1, &r);
    assert_int_equal(r.refused, 1);
    assert_true(gap_is_there(f->s, "too-old"));
    assert_true(gap_is_there(f->s, "clock-ahead"));
    store_flush(f->s, NULL);
    assert_true(gap_is_there(f->s, "too-old"));
}

static void
backfill_of_old_days_is_accepted(void **state)
{
    struct support *f = *state;
    struct sample at[64];
    support_put(f->s, "m", "a", SUPPORT_NOW, 100, NULL);
    for (int d = 20; d > 0; d--)
        support_put(f->s, "m", "a", SUPPORT_NOW - d * DAY, d, NULL);
    for (int pass = 0; pass < 3; pass++) {
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 64), 21);
        assert_true(at[0].v == 20 && at[20].v == 100);
        assert_int_equal(
            support_get(f->s, "m", "a", SUPPORT_NOW - 3 * DAY, SUPPORT_NOW - DAY, at, 64), 3);
        if (pass == 0)
            assert_int_equal(store_flush(f->s, NULL), 0);
        if (pass == 1) {
            support_close(f);
            support_open(f);
        }
    }
}

static void
series_beyond_the_limit_are_refused_counted_and_become_a_gap(void **state)
{
    struct support *f = *state;
    struct store_commit_result r;
    char node[32];
    support_close(f);
    f->cfg.max_series = 10;
    support_open(f);
    for (int i = 0; i < 12; i++) {
        snprintf(node, sizeof node, "n%d", i);
        support_put(f->s, "m", node, SUPPORT_NOW, 1, &r);
        assert_int_equal(r.samples, i < 10);
        assert_int_equal(r.refused, i >= 10);
    }
    assert_true(gap_is_there(f->s, "limit-series"));
    support_put(f->s, "m", "n0", SUPPORT_NOW + 1000, 1, &r);
    assert_int_equal(r.samples, 1); /* known ones go on */
}

static int
limit_put(struct store *s, const char *origin, const char *label, int from, int count,
          struct store_commit_result *ret)
{
    struct store_batch *b = store_batch_new(s);
    char value[32];
    store_batch_origin(b, origin);
    for (int i = from; i < from + count; i++) {
        struct labels l = {0};
        snprintf(value, sizeof value, "v%d", i);
        labels_add_str(&l, "__name__", "requests_total");
        labels_add_str(&l, "from", origin);
        labels_add_str(&l, "core", i % 2 ? "odd" : "even");
        labels_add_str(&l, label, value);
        assert_int_equal(labels_finish(&l), 0);
        assert_int_equal(store_batch_samples(b, &l, &(struct sample){SUPPORT_NOW, i}, 1), 0);
    }
    return store_commit(s, b, ret, NULL);
}

struct limit_seen {
    char entity[64], text[512], fields[1024];
};

static int
limit_event_keep(void *ctx, const struct event *ev, uint64_t id)
{
    struct limit_seen *seen = ctx;
    (void)id;
    str_copy(seen->entity, sizeof seen->entity, ev->entity);
    str_copy(seen->text, sizeof seen->text, ev->text);
    str_copy(seen->fields, sizeof seen->fields, ev->fields);
    return 0;
}

static void
a_source_that_explodes_is_told_with_its_label_and_leaves_the_others_unharmed(void **state)
{
    struct support *f = *state;
    struct store_commit_result r;
    struct store_limit limits[] = {{"agent:n1", 200}, {"free", 0}};
    struct limit_seen seen = {.entity = ""};
    struct event_query q = {.code = "telemetry.cardinality"};
    struct buf out;
    support_close(f);
    f->cfg.source_limits = limits;
    f->cfg.source_limit_count = 2;
    f->cfg.max_series_agent = 100;
    support_open(f);
    assert_int_equal(limit_put(f->s, "agent:n1", "path", 0, 150, &r), 0);
    assert_int_equal(r.samples, 150);
    assert_int_equal(limit_put(f->s, "agent:n1", "request_id", 0, 500, &r), 0);
    assert_int_equal(r.samples, 50);
    assert_int_equal(r.refused, 450);
    assert_int_equal(limit_put(f->s, "agent:n2", "path", 0, 100, &r), 0); /* unharmed */
    assert_int_equal(r.samples, 100);
    assert_int_equal(limit_put(f->s, "agent:n1", "path", 0, 150, &r), 0); /* the known go on */
    assert_int_equal(r.refused, 0);
    assert_int_equal(limit_put(f->s, "free", "request_id", 0, 5000, &r), 0);
    assert_int_equal(r.samples, 5000);
    assert_true(gap_is_there(f->s, "limit-series-source"));
    assert_int_equal(support_events(f->s, &q), 1);
    assert_true(store_events(f->s, &q, limit_event_keep, &seen, NULL) == 1);
    assert_string_equal(seen.entity, "node:n1");
    assert_non_null(strstr(seen.text, "Label request_id has about "));
    assert_non_null(strstr(seen.fields, "\"label\":\"request_id\""));
    buf_init(&out, 1 << 20);
    store_metrics(f->s, &out);
    assert_non_null(strstr(buf_str(&out),
                           "myriascope_store_source_refused_total{source=\"agent:n1\","
                           "label=\"request_id\"} 450\n"));
    buf_done(&out);
    f->now += 25 * HOUR; /* nothing came for a day: they do not count any more */
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(limit_put(f->s, "agent:n1", "request_id", 1000, 200, &r), 0);
    assert_int_equal(r.samples, 200);
}

static void
a_tenant_is_stamped_on_samples_and_rows(void **state)
{
    struct support *f = *state;
    struct labels l = {0};
    struct err err;
    labels_add_str(&l, "__name__", "m");
    labels_add_str(&l, "tenant", "liar");
    assert_int_equal(labels_finish(&l), 0);
    struct store_batch *b = store_batch_new(f->s);
    store_batch_tenant(b, "t1");
    assert_int_equal(store_batch_samples(b, &l, &(struct sample){SUPPORT_NOW, 1}, 1), 0);
    assert_int_equal(
        store_batch_log(b, &(struct log_line){.time_ms = SUPPORT_NOW, .text = "x", .rank = -1}), 0);
    assert_int_equal(store_commit(f->s, b, NULL, &err), 0);
    static const struct {
        const char *tenant;
        size_t rows;
    } cases[] = {{"t1", 1}, {"liar", 0}, {"", 1}};
    for (size_t i = 0; i < 3; i++) {
        struct select_limits lim = {.tenant = cases[i].tenant};
        struct series_set set;
        struct event_query q = {.tenant = cases[i].tenant};
        assert_int_equal(store_select(f->s, NULL, 0, 0, INT64_MAX, &lim, &set, &err), 0);
        assert_int_equal(set.count, cases[i].rows);
        assert_int_equal(support_logs(f->s, &q), cases[i].rows);
        series_set_done(&set);
    }
}

/* --- matchers --------------------------------------------------------------------------------- */

static void
matchers_select_as_in_prometheus(void **state)
{
    struct support *f = *state;
    static const char *const nodes[] = {"n1", "n2", "n10", "x"};
    for (int i = 0; i < 4; i++) {
        support_put(f->s, "up", nodes[i], SUPPORT_NOW, i, NULL);
        support_put(f->s, "down", nodes[i], SUPPORT_NOW, i, NULL);
    }
    static const struct {
        struct matcher m[2];
        size_t n, rows;
    } cases[] = {
        {{{MATCH_EQ, "__name__", "up"}}, 1, 4},
        {{{MATCH_EQ, "__name__", "none"}}, 1, 0},
        {{{MATCH_RE, "node", "n.*"}}, 1, 6},
        {{{MATCH_RE, "node", "n"}}, 1, 0}, /* anchored */
        {{{MATCH_RE, "node", "n1|x"}, {MATCH_EQ, "__name__", "up"}}, 2, 2},
        {{{MATCH_NRE, "node", "n.+"}}, 1, 2},
        {{{MATCH_NE, "node", "x"}, {MATCH_EQ, "__name__", "up"}}, 2, 3},
        {{{MATCH_EQ, "absent", ""}}, 1, 8},
        {{{MATCH_NE, "absent", ""}}, 1, 0},
        {{{MATCH_RE, "absent", ".*"}, {MATCH_EQ, "node", "x"}}, 2, 2},
        {{{MATCH_RE, "absent", ".+"}}, 1, 0},
        {{{MATCH_NE, "__name__", "up"}}, 1, 4},
        {{{MATCH_EQ, "node", ""}}, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct series_set set;
        assert_int_equal(store_select(f->s, cases[i].m, cases[i].n, 0, INT64_MAX, NULL, &set, NULL),
                         0);
        assert_int_equal(set.count, cases[i].rows);
        series_set_done(&set);
    }
    struct series_set set;
    struct err err;
    struct matcher bad = {MATCH_RE, "node", "("};
    assert_true(store_select(f->s, &bad, 1, 0, INT64_MAX, NULL, &set, &err) < 0);
    struct select_limits lim = {.max_series = 3};
    assert_int_equal(store_select(f->s, cases[0].m, 1, 0, INT64_MAX, &lim, &set, &err), ERR_LIMIT);
}

static int
join(void *ctx, const char *s)
{
    strcat(strcat(ctx, s), " ");
    return 0;
}

static void
labels_are_listed_sorted_for_series_with_samples_in_the_range(void **state)
{
    struct support *f = *state;
    support_put(f->s, "up", "b", SUPPORT_NOW, 1, NULL);
    support_put(f->s, "up", "a", SUPPORT_NOW, 1, NULL);
    support_put(f->s, "old", "z", SUPPORT_NOW - 3 * DAY, 1, NULL);
    struct matcher m = {MATCH_EQ, "__name__", "old"};
    for (int pass = 0; pass < 3; pass++) {
        char names[64] = "", values[64] = "", recent[64] = "", matched[64] = "";
        store_label_names(f->s, NULL, 0, 0, 0, join, names);
        store_label_values(f->s, "node", NULL, 0, 0, 0, join, values);
        store_label_values(f->s, "node", NULL, 0, SUPPORT_NOW - HOUR, SUPPORT_NOW, join, recent);
        store_label_values(f->s, "node", &m, 1, SUPPORT_NOW - 4 * DAY, SUPPORT_NOW, join, matched);
        assert_string_equal(names, "__name__ node ");
        assert_string_equal(values, "a b z ");
        assert_string_equal(recent, "a b ");
        assert_string_equal(matched, "z ");
        if (pass == 0)
            store_flush(f->s, NULL);
        if (pass == 1) {
            support_close(f);
            support_open(f);
        }
    }
}

/* --- events and logs -------------------------------------------------------------------------- */

static void
put_event(struct store *s, int64_t t, const char *entity, const char *code, enum severity sev,
          const char *text)
{
    struct store_batch *b = store_batch_new(s);
    struct event ev = {.time_ms = t,
                       .entity = entity,
                       .code = code,
                       .severity = sev,
                       .source = "kernel",
                       .text = text,
                       .node = "n1",
                       .job = "4711"};
    assert_int_equal(store_batch_event(b, &ev), 0);
    assert_int_equal(store_commit(s, b, NULL, NULL), 0);
}

static void
events_are_found_by_every_column_in_memory_and_in_files(void **state)
{
    struct support *f = *state;
    put_event(f->s, SUPPORT_NOW - 2 * DAY, "gpu:n1/3", "nvidia.xid.79", SEVERITY_CRITICAL,
              "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.");
    put_event(f->s, SUPPORT_NOW - HOUR, "gpu:n1/4", "nvidia.xid.31", SEVERITY_WARNING,
              "mlx5_0 GPU 显存页错误,需要检查");
    put_event(f->s, SUPPORT_NOW - 1, "optic:leaf-1/Ethernet1", "optic.rx-power-low", SEVERITY_INFO,
              "光模块收光功率低");
    static const struct {
        struct event_query q;
        size_t rows;
    } cases[] = {
        {{0}, 3},
        {{.entity = "gpu:n1/3"}, 1},
        {{.entity = "gpu:n1/"}, 2},
        {{.entity = "gpu:*"}, 2},
        {{.entity = "gpu:n1"}, 0},
        {{.code = "nvidia.xid.31"}, 1},
        {{.severity_min = SEVERITY_WARNING}, 2},
        {{.node = "n1", .job = "4711", .source = "kernel"}, 3},
        {{.node = "n2"}, 0},
        {{.from_ms = SUPPORT_NOW - DAY}, 2},
        {{.to_ms = SUPPORT_NOW - 1}, 2},
        {{.text = "fallen bus"}, 1},
        {{.text = "\"off the bus\""}, 1},
        {{.text = "\"the off bus\""}, 0},
        {{.text = "fall*"}, 1},
        {{.text = "fall"}, 0},
        {{.text = "MLX5_0"}, 1},
        {{.text = "显存"}, 1},
        {{.text = "光模块"}, 1},
        {{.text = "低"}, 1},
        {{.text = "率"}, 1},
        {{.text = "显存 收光"}, 0},
        {{.text = "xid 79", .entity = "gpu:n1/3", .severity_min = SEVERITY_CRITICAL}, 1},
        {{.limit = 2}, 2},
    };
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            if (support_events(f->s, &cases[i].q) != cases[i].rows)
                fail_msg("pass %d case %zu: %zu rows", pass, i, support_events(f->s, &cases[i].q));
        if (pass == 0)
            assert_int_equal(store_flush(f->s, NULL), 0);
        if (pass == 1) {
            support_close(f);
            support_open(f);
        }
    }
    struct err err;
    struct event_query none = {.text = " ,. "};
    assert_int_equal(store_events(f->s, &none, NULL, NULL, &err), ERR_SYNTAX);
}

struct page {
    uint64_t ids[64];
    int64_t times[64];
    size_t n;
};

static int
page_add(void *ctx, const struct event *ev, uint64_t id)
{
    struct page *p = ctx;
    p->times[p->n] = ev->time_ms;
    p->ids[p->n++] = id;
    return 0;
}

static void
pages_follow_each_other_across_files_and_memory(void **state)
{
    struct support *f = *state;
    for (int i = 0; i < 20; i++) {
        put_event(f->s, SUPPORT_NOW - (i * 7 % 20) * 6 * HOUR, "node:n1", "c", SEVERITY_INFO, "t");
        if (i == 9)
            assert_int_equal(store_flush(f->s, NULL), 0);
    }
    for (int up = 0; up < 2; up++) {
        struct page all = {.n = 0};
        struct event_query q = {.limit = 3, .ascending = up};
        int n;
        while ((n = store_events(f->s, &q, page_add, &all, NULL)) > 0)
            q.before_id = all.ids[all.n - 1];
        assert_int_equal(all.n, 20);
        for (int i = 0; i < 20; i++)
            assert_int_equal(all.times[i], SUPPORT_NOW - (up ? 19 - i : i) * 6 * HOUR);
    }
}

static void
an_event_with_an_absurd_clock_is_filed_when_it_was_seen(void **state)
{
    struct support *f = *state;
    put_event(f->s, 0, "node:n1", "c", SEVERITY_INFO, "1970");
    put_event(f->s, SUPPORT_NOW + 300 * DAY, "node:n1", "c", SEVERITY_INFO, "ahead");
    struct event_query q = {.from_ms = SUPPORT_NOW - HOUR, .to_ms = SUPPORT_NOW + HOUR};
    struct page p = {.n = 0};
    store_flush(f->s, NULL);
    assert_int_equal(store_events(f->s, &q, page_add, &p, NULL), 2);
    assert_int_equal(p.times[0] + p.times[1], SUPPORT_NOW + 300 * DAY);
}

/* --- keeping ---------------------------------------------------------------------------------- */

static size_t
day_files(struct support *f)
{
    DIR *d = opendir(f->folder);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += str_prefix(e->d_name, "day-") && str_suffix(e->d_name, ".db");
    closedir(d);
    return n;
}

static void
retention_drops_whole_files_and_their_series(void **state)
{
    struct support *f = *state;
    struct sample at[8];
    struct store_stats st;
    support_put(f->s, "gone", "a", SUPPORT_NOW - 29 * DAY, 1, NULL);
    support_put(f->s, "m", "a", SUPPORT_NOW, 1, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_int_equal(day_files(f), 2);
    f->now = SUPPORT_NOW + 5 * DAY;
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(day_files(f), 1);
    assert_int_equal(support_get(f->s, "gone", "a", 0, INT64_MAX, at, 8), 0);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 8), 1);
    support_close(f);
    support_open(f);
    store_stats_get(f->s, &st);
    assert_int_equal(st.series, 1);
    support_put(f->s, "gone", "a", SUPPORT_NOW + 5 * DAY, 2, NULL); /* it may come back */
    support_close(f);
    support_open(f);
    assert_int_equal(support_get(f->s, "gone", "a", 0, INT64_MAX, at, 8), 1);
}

static void
retention_by_size_drops_the_oldest_files(void **state)
{
    struct support *f = *state;
    support_close(f);
    f->cfg.max_size = 1;
    support_open(f);
    for (int d = 0; d < 4; d++)
        support_put(f->s, "m", "a", SUPPORT_NOW - d * DAY, 1, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(day_files(f), 1); /* the newest stays whatever its size */
}

static void
a_day_goes_when_its_last_millisecond_is_older_than_the_retention_and_not_before(void **state)
{
    struct support *f = *state;
    int64_t end = (SUPPORT_NOW / DAY + 1) * DAY; /* of the first day */
    support_close(f);
    f->cfg.retention_ms = 10 * DAY;
    support_open(f);
    support_put(f->s, "m", "a", end - 1, 1, NULL);
    support_put(f->s, "m", "a", end, 2, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    static const struct {
        int64_t after;
        size_t files;
    } cases[] = {{-1, 2}, {0, 1}, {DAY - 1, 1}, {DAY, 0}};
    for (size_t i = 0; i < 4; i++) {
        f->now = end + 10 * DAY + cases[i].after;
        assert_int_equal(store_compact(f->s, NULL), 0);
        assert_int_equal(day_files(f), cases[i].files);
    }
}

static void
days_are_dropped_by_size_until_the_rest_fits_and_no_more(void **state)
{
    struct support *f = *state;
    struct store_stats all, newest;
    for (int d = 4; d >= 0; d--)
        for (int i = 0; i < 200; i++)
            put_event(f->s, SUPPORT_NOW - d * DAY + i, "node:n1", "c", SEVERITY_INFO, "a text");
    assert_int_equal(store_compact(f->s, NULL), 0);
    store_stats_get(f->s, &all);
    int64_t limits[] = {(int64_t)all.day_bytes, (int64_t)all.day_bytes - 1, 0};
    size_t left[] = {5, 4, 3};
    for (size_t i = 0; i < 3; i++) {
        store_stats_get(f->s, &newest);
        support_close(f);
        f->cfg.max_size = limits[i] ? limits[i] : (int64_t)newest.day_bytes - 1;
        support_open(f);
        assert_int_equal(store_compact(f->s, NULL), 0);
        assert_int_equal(day_files(f), left[i]);
    }
}

static void
damage(const char *folder, const char *name, const char *sql)
{
    char path[256];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(db_open(path, DB_WRITE, 4096, &db, NULL), 0);
    assert_int_equal(db_exec(db, sql, NULL), 0);
    db_close(db);
}

static void
a_damaged_chunk_event_or_batch_is_found_and_the_rest_is_read(void **state)
{
    struct support *f = *state;
    struct sample at[8];
    struct event_query all = {0};
    for (int i = 0; i < 3; i++) {
        support_put(f->s, i ? "m2" : "m1", "a", SUPPORT_NOW + i, i, NULL);
        put_event(f->s, SUPPORT_NOW + i, "node:n1", "c", SEVERITY_INFO, "hello");
    }
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
    support_close(f);
    damage(f->folder, "day-20260921.db",
           "UPDATE chunk SET data = substr(data, 1, 14) || x'A5' || substr(data, 16) WHERE metric "
           "= 'm1';"
           "UPDATE event SET text = 'hellp' WHERE id = (SELECT min(id) FROM event)");
    damage(f->folder, "journal.db", "INSERT INTO batch VALUES(99, x'0102')");
    assert_int_equal(store_verify_folder(f->folder, NULL, NULL, NULL), 3);
    support_open(f);
    assert_int_equal(support_get(f->s, "m1", "a", 0, INT64_MAX, at, 8), 0);
    assert_int_equal(support_get(f->s, "m2", "a", 0, INT64_MAX, at, 8), 2);
    assert_int_equal(support_events(f->s, &all), 2);
}

static void
a_day_file_that_is_no_database_is_moved_aside(void **state)
{
    struct support *f = *state;
    struct sample at[4];
    char path[128];
    support_put(f->s, "m", "a", SUPPORT_NOW, 1, NULL);
    support_put(f->s, "m", "a", SUPPORT_NOW - DAY, 2, NULL);
    support_close(f);
    snprintf(path, sizeof path, "%s/day-20260920.db", f->folder);
    FILE *out = fopen(path, "r+");
    fwrite("this is not a database at all   ", 1, 32, out);
    fclose(out);
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 4), 1);
    assert_true(store_verify(f->s, NULL, NULL, NULL) > 0);
}

static void
a_day_file_that_breaks_while_open_is_replaced_and_becomes_a_gap(void **state)
{
    struct support *f = *state;
    struct sample at[4];
    char path[128];
    struct stat st;
    for (int i = 0; i < 50; i++)
        put_event(f->s, SUPPORT_NOW + i, "node:n1", "c", SEVERITY_INFO, "hello");
    support_put(f->s, "m", "a", SUPPORT_NOW, 1, NULL);
    assert_int_equal(store_compact(f->s, NULL), 0);
    support_close(f);
    support_open(f); /* its connections know nothing of the pages yet */
    snprintf(path, sizeof path, "%s/day-20260921.db", f->folder);
    FILE *out = fopen(path, "r+");
    for (long page = 1; page < 40 && fstat(fileno(out), &st) == 0 && page * 8192 < st.st_size;
         page++) {
        fseek(out, page * 8192, SEEK_SET);
        for (int i = 0; i < 64; i++)
            fputc(0xee, out);
    }
    fclose(out);
    support_put(f->s, "m", "a", SUPPORT_NOW + 1000, 2, NULL);
    put_event(f->s, SUPPORT_NOW + 1000, "node:n1", "c", SEVERITY_INFO, "after");
    for (int i = 0; i < 4; i++) /* rows, then samples; the flusher's own turn may come between */
        store_flush(f->s, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_true(gap_is_there(f->s, "damaged-file"));
    assert_int_equal(support_get(f->s, "m", "a", SUPPORT_NOW + 1000, INT64_MAX, at, 4), 1);
    struct event_query q = {.text = "after"};
    assert_int_equal(support_events(f->s, &q), 1);
}

static void
a_backup_of_a_running_store_is_a_store(void **state)
{
    struct support *f = *state;
    struct support copy = {.now = SUPPORT_NOW, .cfg = f->cfg};
    struct sample at[64];
    char cmd[160];
    struct event_query all = {0};
    snprintf(copy.folder, sizeof copy.folder, "%.40s-copy", f->folder);
    for (int i = 0; i < 40; i++) {
        support_put(f->s, "m", "a", SUPPORT_NOW + i * 1000, i, NULL);
        put_event(f->s, SUPPORT_NOW + i, "node:n1", "c", SEVERITY_INFO, "hello");
        if (i == 20)
            assert_int_equal(store_flush(f->s, NULL), 0);
    }
    assert_int_equal(store_backup(f->s, copy.folder, NULL, NULL, NULL), 0);
    assert_int_equal(store_backup(f->s, copy.folder, NULL, NULL, NULL), ERR_EXISTS);
    copy.clock = f->clock;
    assert_int_equal(store_verify_folder(copy.folder, NULL, NULL, NULL), 0);
    support_open(&copy);
    assert_int_equal(support_get(copy.s, "m", "a", 0, INT64_MAX, at, 64), 40);
    assert_int_equal(support_events(copy.s, &all), 40);
    support_close(&copy);
    snprintf(cmd, sizeof cmd, "rm -rf %s", copy.folder);
    assert_int_equal(system(cmd), 0);
}

static void
deleted_samples_are_gone_from_files_and_memory_and_the_rest_stays(void **state)
{
    struct support *f = *state;
    struct sample at[512];
    struct matcher one[] = {{MATCH_EQ, "__name__", "m"}, {MATCH_EQ, "node", "a"}};
    struct matcher all = {MATCH_EQ, "__name__", "m"};
    char values[64] = "";
    for (int i = 0; i < 100; i++) {
        support_put(f->s, "m", "a", SUPPORT_NOW - 2 * DAY + i * 1000, i, NULL);
        support_put(f->s, "m", "a", SUPPORT_NOW + i * 1000, i, NULL);
        support_put(f->s, "m", "b", SUPPORT_NOW + i * 1000, i, NULL);
    }
    assert_int_equal(store_delete(f->s, one, 2, SUPPORT_NOW + 20000, SUPPORT_NOW + 29999, NULL),
                     10);
    for (int pass = 0; pass < 3; pass++) {
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 512), 190);
        assert_true(at[119].v == 19 && at[120].v == 30);
        assert_int_equal(support_get(f->s, "m", "b", 0, INT64_MAX, at, 512), 100);
        if (pass == 1) {
            support_close(f);
            support_open(f);
        }
    }
    assert_int_equal(store_delete(f->s, one, 2, 0, INT64_MAX, NULL), 190);
    for (int pass = 0; pass < 2; pass++) {
        struct series_set set;
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 512), 0);
        assert_int_equal(store_latest(f->s, &all, 1, SUPPORT_NOW + 99000, HOUR, NULL, &set, NULL),
                         0);
        assert_int_equal(set.count, 1); /* b alone */
        series_set_done(&set);
        *values = 0;
        store_label_values(f->s, "node", NULL, 0, SUPPORT_NOW - 3 * DAY, SUPPORT_NOW + HOUR, join,
                           values);
        assert_string_equal(values, "b ");
        assert_int_equal(support_get(f->s, "m", "b", 0, INT64_MAX, at, 512), 100);
        if (!pass) {
            support_close(f);
            support_open(f);
        }
    }
    support_put(f->s, "m", "a", SUPPORT_NOW + 50000, 7, NULL); /* and it may come back */
    assert_int_equal(store_flush(f->s, NULL), 0);
    support_close(f);
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 512), 1);
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
}

static int
fill_disk(struct support *f, int64_t *t)
{
    struct labels l = {0};
    labels_add_str(&l, "__name__", "fill");
    labels_finish(&l);
    struct store_batch *b = store_batch_new(f->s);
    for (int i = 0; i < 20000; i++) {
        struct sample x = {++*t, (double)*t + 0.123};
        store_batch_samples(b, &l, &x, 1);
    }
    return store_commit(f->s, b, NULL, NULL);
}

static void
a_full_disk_is_said_and_overcome(void **state)
{
    struct support *f = *state;
    struct rlimit was, small;
    struct sample at[4];
    int64_t t = SUPPORT_NOW;
    int rc = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    small = was;
    small.rlim_cur = 3 << 20;
    setrlimit(RLIMIT_FSIZE, &small);
    support_put(f->s, "m", "a", SUPPORT_NOW, 1, NULL);
    for (int i = 0; i < 100 && !rc; i++)
        rc = fill_disk(f, &t);
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 4), 1); /* reading goes on */
    setrlimit(RLIMIT_FSIZE, &was);
    support_put(f->s, "m", "a", SUPPORT_NOW + 1000, 2, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    support_close(f);
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 4), 2);
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
}

static void
the_same_source_epoch_and_sequence_changes_nothing_even_after_a_restart(void **state)
{
    struct support *f = *state;
    struct event_query all = {0};
    for (int pass = 0; pass < 4; pass++) {
        struct store_batch *b = store_batch_new(f->s);
        struct event ev = {.time_ms = SUPPORT_NOW, .entity = "node:n", .code = "c"};
        store_batch_event(b, &ev);
        store_batch_watermark(b, "agent:a", 9, 17);
        assert_int_equal(store_commit(f->s, b, NULL, NULL), pass ? ERR_EXISTS : 0);
        assert_int_equal(support_events(f->s, &all), 1);
        assert_int_equal(store_watermark(f->s, "agent:a", 9), 17);
        assert_int_equal(store_watermark(f->s, "agent:a", 10), 0);
        if (pass == 1)
            store_flush(f->s, NULL);
        if (pass == 2) {
            support_close(f);
            support_open(f);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(late_samples_find_their_place_and_the_first_of_equal_times_stays),
        T(stale_markers_nan_and_infinities_come_back_as_they_were),
        T(old_samples_are_refused_counted_and_become_a_gap),
        T(backfill_of_old_days_is_accepted),
        T(series_beyond_the_limit_are_refused_counted_and_become_a_gap),
        T(a_source_that_explodes_is_told_with_its_label_and_leaves_the_others_unharmed),
        T(a_tenant_is_stamped_on_samples_and_rows),
        T(matchers_select_as_in_prometheus),
        T(labels_are_listed_sorted_for_series_with_samples_in_the_range),
        T(events_are_found_by_every_column_in_memory_and_in_files),
        T(pages_follow_each_other_across_files_and_memory),
        T(an_event_with_an_absurd_clock_is_filed_when_it_was_seen),
        T(retention_drops_whole_files_and_their_series),
        T(retention_by_size_drops_the_oldest_files),
        T(a_day_goes_when_its_last_millisecond_is_older_than_the_retention_and_not_before),
        T(days_are_dropped_by_size_until_the_rest_fits_and_no_more),
        T(a_damaged_chunk_event_or_batch_is_found_and_the_rest_is_read),
        T(a_day_file_that_is_no_database_is_moved_aside),
        T(a_day_file_that_breaks_while_open_is_replaced_and_becomes_a_gap),
        T(a_backup_of_a_running_store_is_a_store),
        T(deleted_samples_are_gone_from_files_and_memory_and_the_rest_stays),
        T(a_full_disk_is_said_and_overcome),
        T(the_same_source_epoch_and_sequence_changes_nothing_even_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
