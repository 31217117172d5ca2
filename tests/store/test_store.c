/* store: what is acknowledged is there, now and after the store was closed or killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/store.h"

struct fixture {
    char folder[64];
    struct store *s;
    int64_t now;
};

static void
fixture_open(struct fixture *f)
{
    struct err err;
    struct store_config cfg = {.folder = f->folder};
    if (store_open(&cfg, &f->s, &err))
        fail_msg("%s", err.text);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ms-store-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    f->now = clock_now_ms(NULL);
    fixture_open(f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];
    store_close(f->s);
    snprintf(cmd, sizeof cmd, "rm -rf %s", f->folder);
    int rc = system(cmd);
    free(f);
    return rc;
}

static void
put(struct store *s, const char *name, const char *node, int64_t t, double v, uint64_t sequence)
{
    struct labels l = {0};
    struct err err;
    labels_add_str(&l, "__name__", name);
    labels_add_str(&l, "node", node);
    assert_int_equal(labels_finish(&l), 0);
    struct store_batch *b = store_batch_new(s);
    struct sample x = {t, v};
    assert_true(store_batch_samples(b, &l, &x, 1) >= 0);
    if (sequence)
        store_batch_watermark(b, "agent:n1", 7, sequence);
    int rc = store_commit(s, b, NULL, &err);
    if (rc && rc != ERR_EXISTS)
        fail_msg("%s", err.text);
}

static size_t
samples_of(struct store *s, const char *name, int64_t from, int64_t to, double *last)
{
    struct matcher m = {MATCH_EQ, "__name__", name};
    struct series_set set;
    struct err err;
    size_t n = 0;
    if (store_select(s, &m, 1, from, to, NULL, &set, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < set.count; i++) {
        n += set.rows[i].count;
        if (set.rows[i].count && last)
            *last = set.rows[i].samples[set.rows[i].count - 1].v;
    }
    series_set_done(&set);
    return n;
}

static void
samples_survive_closing_flushing_and_compacting(void **state)
{
    struct fixture *f = *state;
    struct err err;
    double last = 0;
    for (int i = 0; i < 100; i++)
        put(f->s, "m", "n1", f->now - 100000 + i * 1000, i, 0);
    assert_int_equal(samples_of(f->s, "m", f->now - 200000, f->now, &last), 100);
    assert_true(last == 99);
    store_close(f->s);
    fixture_open(f);
    assert_int_equal(samples_of(f->s, "m", f->now - 200000, f->now, &last), 100);
    assert_int_equal(store_flush(f->s, &err), 0);
    assert_int_equal(samples_of(f->s, "m", f->now - 200000, f->now, &last), 100);
    put(f->s, "m", "n1", f->now, 100, 0);
    assert_int_equal(store_compact(f->s, &err), 0);
    store_close(f->s);
    fixture_open(f);
    assert_int_equal(samples_of(f->s, "m", f->now - 200000, f->now, &last), 101);
    assert_true(last == 100);
    assert_int_equal(store_verify(f->s, NULL, NULL, &err), 0);
}

static void
a_replayed_batch_changes_nothing(void **state)
{
    struct fixture *f = *state;
    put(f->s, "m", "n1", f->now, 1, 5);
    put(f->s, "m", "n1", f->now + 1000, 2, 5);
    put(f->s, "m", "n1", f->now + 2000, 3, 4);
    assert_int_equal(samples_of(f->s, "m", 0, f->now + 5000, NULL), 1);
    assert_int_equal(store_watermark(f->s, "agent:n1", 7), 5);
    store_close(f->s);
    fixture_open(f);
    assert_int_equal(store_watermark(f->s, "agent:n1", 7), 5);
    put(f->s, "m", "n1", f->now + 3000, 3, 5);
    assert_int_equal(samples_of(f->s, "m", 0, f->now + 5000, NULL), 1);
}

static int
count_event(void *ctx, const struct event *ev, uint64_t id)
{
    int *n = ctx;
    (void)id;
    assert_string_equal(ev->code, "nvidia.xid.79");
    (*n)++;
    return 0;
}

static int
count_line(void *ctx, const struct log_line *l, uint64_t id)
{
    (void)l, (void)id;
    (*(int *)ctx)++;
    return 0;
}

static int
lines_with(struct store *s, int64_t now, const char *text)
{
    struct event_query q = {.from_ms = now - 60000, .to_ms = now + 60000, .text = text};
    struct err err;
    int n = 0;
    if (store_logs(s, &q, count_line, &n, &err) < 0)
        fail_msg("%s", err.text);
    return n;
}

static void
put_rows(struct fixture *f)
{
    struct err err;
    struct store_batch *b = store_batch_new(f->s);
    struct event ev = {.time_ms = f->now,
                       .severity = SEVERITY_CRITICAL,
                       .entity = "gpu:n1/3",
                       .code = "nvidia.xid.79",
                       .source = "kernel",
                       .text = "GPU has fallen off the bus",
                       .node = "n1",
                       .job = "4711",
                       .tenant = "",
                       .fields = ""};
    struct log_line one = {.time_ms = f->now,
                           .node = "n1",
                           .job = "",
                           .source = "kernel",
                           .tenant = "",
                           .rank = -1,
                           .text = "NVRM: Xid 79 fallen off the bus"};
    struct log_line two = one;
    two.text = "光模块接收功率过低 rx power low";
    assert_int_equal(store_batch_event(b, &ev), 0);
    assert_int_equal(store_batch_log(b, &one), 0);
    assert_int_equal(store_batch_log(b, &two), 0);
    assert_int_equal(store_commit(f->s, b, NULL, &err), 0);
}

static void
events_and_lines_are_found_by_words_of_both_languages(void **state)
{
    struct fixture *f = *state;
    struct err err;
    put_rows(f);
    for (int pass = 0; pass < 3; pass++) {
        int n = 0;
        struct event_query q = {
            .from_ms = f->now - 1000, .to_ms = f->now + 1000, .entity = "gpu:n1/3"};
        assert_int_equal(store_events(f->s, &q, count_event, &n, &err), 1);
        assert_int_equal(n, 1);
        assert_int_equal(lines_with(f->s, f->now, "fallen bus"), 1);
        assert_int_equal(lines_with(f->s, f->now, "光模块"), 1);
        assert_int_equal(lines_with(f->s, f->now, "nothing"), 0);
        n = 0;
        q = (struct event_query){.to_ms = INT64_MAX / 4, .entity = "gpu:n1/3"};
        assert_int_equal(store_events(f->s, &q, count_event, &n, &err),
                         1); /* a bound beyond all time */
        assert_int_equal(n, 1);
        if (pass == 0)
            assert_int_equal(store_flush(f->s, &err), 0);
        if (pass == 1) {
            store_close(f->s);
            fixture_open(f);
        }
    }
}

/* A child commits and says each acknowledged number; it is killed in the middle; everything it said
 * must be there, once. */
static void
a_kill_loses_nothing_acknowledged_and_doubles_nothing(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    uint64_t acknowledged = 0;
    int rounds = getenv("MS_KILLS") ? atoi(getenv("MS_KILLS")) : 10;
    for (int round = 0; round < rounds; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (!pid) {
            struct store_config cfg = {.folder = f->folder};
            struct store *s;
            struct err err;
            close(fds[0]);
            if (store_open(&cfg, &s, &err))
                _exit(1);
            for (uint64_t i = acknowledged + 1;; i++) {
                put(s, "k", "n1", f->now - 3000000 + (int64_t)i, (double)i, 0);
                if (write(fds[1], &i, sizeof i) != sizeof i)
                    _exit(2);
            }
        }
        close(fds[1]);
        uint64_t i, said = 0;
        while (said < 20 && read(fds[0], &i, sizeof i) == sizeof i) {
            acknowledged = i;
            said++;
        }
        kill(pid, SIGKILL);
        while (read(fds[0], &i, sizeof i) == sizeof i)
            acknowledged = i;
        waitpid(pid, NULL, 0);
        close(fds[0]);
        assert_true(said == 20);
    }
    fixture_open(f);
    size_t n = samples_of(f->s, "k", f->now - 3000000, f->now, NULL);
    assert_true(n == acknowledged ||
                n == acknowledged + 1); /* the last one may be durable and unsaid */
}

static void
latest_gives_the_newest_sample_within_the_lookback(void **state)
{
    struct fixture *f = *state;
    struct matcher m = {MATCH_RE, "node", "n[12]"};
    struct series_set set;
    struct err err;
    put(f->s, "u", "n1", f->now - 1000, 1, 0);
    put(f->s, "u", "n1", f->now, 2, 0);
    put(f->s, "u", "n2", f->now - 600000, 3, 0);
    put(f->s, "u", "n3", f->now, 4, 0);
    assert_int_equal(store_latest(f->s, &m, 1, f->now, 300000, NULL, &set, &err), 0);
    assert_int_equal(set.count, 1);
    assert_true(set.rows[0].samples[0].v == 2);
    series_set_done(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(samples_survive_closing_flushing_and_compacting, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_replayed_batch_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(events_and_lines_are_found_by_words_of_both_languages,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(latest_gives_the_newest_sample_within_the_lookback, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_kill_loses_nothing_acknowledged_and_doubles_nothing,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
