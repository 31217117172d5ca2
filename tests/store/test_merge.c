/* merge: compacting makes few chunks of many and changes no answer; files of the earlier version
 * are read and written on. */
#include "tests/store/support.h"

#include "base/compress.h"
#include "store/db.h"
#include "store/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NODES = 30, STEPS = 60, FILLS = 6 };

static int64_t
file_number(struct support *f, const char *sql)
{
    char path[160];
    sqlite3 *db;
    int64_t n = -1;
    snprintf(path, sizeof path, "%s/day-20260921.db", f->folder);
    assert_int_equal(db_open(path, DB_READ, 0, &db, NULL), 0);
    assert_int_equal(db_integer(db, sql, -1, &n, NULL), 0);
    db_close(db);
    return n;
}

static double
value_at(int node, int step)
{
    if (step % 17 == 3 && node % 5 == 0)
        return sample_stale();
    if (node % 7 == 6)
        return INFINITY;
    return node % 3 ? step * 1000 + node : node + step % 4 / 8.0;
}

static void
put_step(struct support *f, int step)
{
    char node[16];
    struct store_batch *b = store_batch_new(f->s);
    for (int n = 0; n < NODES; n++) {
        struct labels l = {0};
        snprintf(node, sizeof node, "n%02d", n);
        labels_add_str(&l, "__name__", "m");
        labels_add_str(&l, "node", node);
        labels_finish(&l);
        struct sample x = {SUPPORT_NOW + step * 15000, value_at(n, step)};
        assert_int_equal(store_batch_samples(b, &l, &x, 1), 0);
    }
    assert_int_equal(store_commit(f->s, b, NULL, NULL), 0);
}

static void
check_all(struct support *f)
{
    struct sample at[STEPS * 2];
    for (int n = 0; n < NODES; n++) {
        char node[16];
        snprintf(node, sizeof node, "n%02d", n);
        assert_int_equal(support_get(f->s, "m", node, 0, INT64_MAX, at, STEPS * 2), STEPS);
        for (int i = 0; i < STEPS; i++) {
            double v = value_at(n, i);
            assert_true(at[i].t_ms == SUPPORT_NOW + i * 15000);
            assert_true(memcmp(&at[i].v, &v, sizeof v) == 0);
        }
    }
}

static void
compacting_makes_one_chunk_of_many_and_changes_no_answer(void **state)
{
    struct support *f = *state;
    for (int step = 0; step < STEPS; step++) {
        put_step(f, (step * 7) % STEPS); /* late ones too */
        if (step % (STEPS / FILLS) == 0)
            assert_int_equal(store_flush(f->s, NULL), 0);
    }
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_true(file_number(f, "SELECT count(*) FROM chunk") >= FILLS);
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(file_number(f, "SELECT count(*) FROM chunk"), 1);
    assert_int_equal(file_number(f, "SELECT sum(samples) FROM chunk"), NODES * STEPS);
    assert_int_equal(file_number(f, "SELECT count(*) FROM labels"), 1);
    assert_true(file_number(f, "PRAGMA freelist_count") == 0);
    check_all(f);
    support_close(f);
    support_open(f);
    check_all(f);
    assert_int_equal(store_compact(f->s, NULL), 0); /* nothing left to do */
    assert_int_equal(file_number(f, "SELECT count(*) FROM chunk"), 1);
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
}

static void
old_days_are_filled_in_any_order_and_merged(void **state)
{
    struct support *f = *state;
    struct sample at[200];
    static const int day[] = {0, 9, 3, 27};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 40; i++) { /* backwards, a fill now and then */
            int64_t t = SUPPORT_NOW - day[k] * INT64_C(86400000) - i * INT64_C(600000);
            support_put(f->s, "m", "a", t, day[k] * 100 + i, NULL);
            if (i % 10 == 9)
                assert_int_equal(store_flush(f->s, NULL), 0);
        }
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 200), 160);
        for (int i = 1; i < 160; i++)
            assert_true(at[i - 1].t_ms < at[i].t_ms);
        assert_true(at[0].v == 27 * 100 + 39 && at[159].v == 0);
        assert_int_equal(store_compact(f->s, NULL), 0);
    }
    /* 40 samples ten minutes apart touch five slots: one chunk each */
    assert_int_equal(file_number(f, "SELECT count(*) FROM chunk"), 5);
}

static void
samples_sent_again_after_a_restart_are_there_once_when_merged(void **state)
{
    struct support *f = *state;
    struct sample at[16];
    for (int i = 0; i < 4; i++)
        support_put(f->s, "m", "a", SUPPORT_NOW + i * 1000, i, NULL);
    support_close(f);
    f->now += 2 * 3600000; /* memory begins empty */
    support_open(f);
    for (int i = 0; i < 8; i++)
        support_put(f->s, "m", "a", SUPPORT_NOW + i * 1000, i < 4 ? 99 : i, NULL);
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 16), 8);
    for (int i = 0; i < 8; i++)
        assert_true(at[i].t_ms == SUPPORT_NOW + i * 1000 && at[i].v == i);
    assert_int_equal(file_number(f, "SELECT sum(samples) FROM chunk"), 8);
}

/* A registry and a day's labels as version 1 wrote them: a row a series. */
static void
make_old(struct support *f, const char *file, const char *version)
{
    char path[160], sql[256];
    struct buf b;
    sqlite3 *db;
    sqlite3_stmt *st;
    snprintf(path, sizeof path, "%s/%s", f->folder, file);
    assert_int_equal(db_open(path, DB_WRITE, 0, &db, NULL), 0);
    snprintf(sql, sizeof sql, "DELETE FROM labels; %s", version);
    assert_int_equal(db_exec(db, sql, NULL), 0);
    assert_int_equal(
        db_prepare(db, "INSERT INTO series(id, labels, crc) VALUES(?, ?, ?)", &st, NULL), 0);
    buf_init(&b, 4096);
    for (int n = 0; n < 2; n++) {
        struct labels l = {0};
        labels_add_str(&l, "__name__", "m");
        labels_add_str(&l, "node", n ? "b" : "a");
        labels_finish(&l);
        buf_reset(&b);
        assert_int_equal(record_put_labels(&b, &l), 0);
        sqlite3_bind_int64(st, 1, n + 1);
        sqlite3_bind_blob(st, 2, b.data, (int)b.len, SQLITE_STATIC);
        sqlite3_bind_int64(st, 3, crc32c((uint32_t)n + 1, b.data, b.len));
        assert_int_equal(db_run(db, st, NULL), 0);
    }
    sqlite3_finalize(st);
    buf_done(&b);
    db_close(db);
}

static void
labels_of_version_one_are_read_and_become_blocks(void **state)
{
    struct support *f = *state;
    struct sample at[4];
    support_put(f->s, "m", "a", SUPPORT_NOW, 1, NULL);
    support_put(f->s, "m", "b", SUPPORT_NOW, 2, NULL);
    support_close(f);
    make_old(f, "journal.db", "UPDATE meta SET value = 1 WHERE key = 'version'");
    make_old(f, "day-20260921.db",
             "DELETE FROM meta WHERE key = 'registry'; PRAGMA user_version = 1");
    support_open(f);
    for (int pass = 0; pass < 3; pass++) {
        assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 4), 1 + pass);
        assert_int_equal(support_get(f->s, "m", "b", 0, INT64_MAX, at, 4), 1);
        support_put(f->s, "m", "a", SUPPORT_NOW + 1000 + pass, 3, NULL);
        assert_int_equal(store_compact(f->s, NULL), 0);
        if (pass == 1) {
            support_close(f);
            support_open(f);
        }
    }
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
}

static uint64_t
live_series(struct support *f)
{
    struct store_stats st;
    store_stats_get(f->s, &st);
    return st.series;
}

static void
put_many(struct support *f, const char *prefix, double v)
{
    for (int n = 0; n < 50; n++) {
        char node[16];
        snprintf(node, sizeof node, "%s%02d", prefix, n);
        support_put(f->s, "m", node, f->now, v, NULL);
    }
}

static void
series_that_nothing_holds_leave_memory_and_their_places_are_used_again(void **state)
{
    struct support *f = *state;
    struct sample at[4];
    put_many(f, "old", 1);
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(live_series(f), 50);
    f->now += INT64_C(40) * 86400000;
    put_many(f, "new", 2);
    for (int round = 0; round < 3;
         round++) /* idle memory goes, then the registry, then the place */
        assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(live_series(f), 50);
    put_many(f, "next", 3);
    assert_int_equal(live_series(f), 100);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(support_get(f->s, "m", "old07", 0, INT64_MAX, at, 4), 0);
        assert_int_equal(support_get(f->s, "m", "new07", 0, INT64_MAX, at, 4), 1);
        assert_true(at[0].v == 2);
        assert_int_equal(support_get(f->s, "m", "next49", 0, INT64_MAX, at, 4), 1);
        assert_true(at[0].v == 3);
        support_close(f);
        support_open(f);
        assert_int_equal(live_series(f), 100);
    }
    put_many(f, "old", 4); /* and one that was gone may come back */
    assert_int_equal(support_get(f->s, "m", "old07", 0, INT64_MAX, at, 4), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(compacting_makes_one_chunk_of_many_and_changes_no_answer,
                                        support_setup, support_teardown),
        cmocka_unit_test_setup_teardown(old_days_are_filled_in_any_order_and_merged, support_setup,
                                        support_teardown),
        cmocka_unit_test_setup_teardown(
            samples_sent_again_after_a_restart_are_there_once_when_merged, support_setup,
            support_teardown),
        cmocka_unit_test_setup_teardown(
            series_that_nothing_holds_leave_memory_and_their_places_are_used_again, support_setup,
            support_teardown),
        cmocka_unit_test_setup_teardown(labels_of_version_one_are_read_and_become_blocks,
                                        support_setup, support_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
