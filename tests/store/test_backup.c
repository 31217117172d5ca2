/* backup: under load, killed in the middle, restored, compared sample by sample. */
#include "tests/store/support.h"

#include "store/manifest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODES 20

struct shared { /* with the child */
    _Atomic int64_t acked, at_backup, backups;
};

static double
value_of(int64_t i, int node)
{
    return (double)(i * 31 + node) / 8;
}

static void
put_step(struct store *s, int64_t i)
{
    struct store_batch *b = store_batch_new(s);
    for (int n = 0; n < NODES; n++) {
        struct labels l = {0};
        char node[16];
        snprintf(node, sizeof node, "n%d", n);
        labels_add_str(&l, "__name__", "m");
        labels_add_str(&l, "node", node);
        labels_finish(&l);
        struct sample x = {SUPPORT_NOW + i * 1000, value_of(i, n)};
        if (store_batch_samples(b, &l, &x, 1))
            _exit(3);
    }
    struct event ev = {.time_ms = SUPPORT_NOW + i * 1000, .entity = "node:n1", .code = "c"};
    if (store_batch_event(b, &ev) || store_commit(s, b, NULL, NULL))
        _exit(4);
}

/* Every sample of steps below `steps`, each value right, and no step twice. */
static int64_t
check_steps(struct store *s)
{
    struct matcher m = {MATCH_EQ, "__name__", "m"};
    struct series_set set;
    size_t steps = SIZE_MAX;
    assert_int_equal(store_select(s, &m, 1, 0, INT64_MAX, NULL, &set, NULL), 0);
    for (size_t i = 0; i < set.count; i++) {
        char node[16];
        labels_copy(set.rows[i].labels, "node", node, sizeof node);
        if (steps == SIZE_MAX)
            steps = set.rows[i].count;
        assert_int_equal(set.rows[i].count, steps); /* all nodes of a batch, or none */
        for (size_t k = 0; k < set.rows[i].count; k++) {
            assert_int_equal(set.rows[i].samples[k].t_ms, SUPPORT_NOW + (int64_t)k * 1000);
            assert_true(set.rows[i].samples[k].v == value_of((int64_t)k, atoi(node + 1)));
        }
    }
    struct event_query all = {.limit = 1000000};
    assert_int_equal(set.count, NODES);
    assert_int_equal(support_events(s, &all), steps);
    series_set_done(&set);
    return (int64_t)steps;
}

/* Commits, flushes and backs up until it is killed. */
static void
child_run(struct support *f, struct shared *sh)
{
    char since[128] = "", folder[128];
    support_open(f);
    for (int64_t i = 0;; i++) {
        put_step(f->s, i);
        sh->acked = i + 1;
        if (i % 40 == 39 && store_flush(f->s, NULL))
            _exit(5);
        if (i % 50 == 25) {
            snprintf(folder, sizeof folder, "%s-b%d", f->folder, (int)sh->backups + 1);
            if (store_backup(f->s, folder, *since ? since : NULL, NULL, NULL))
                _exit(6);
            sh->at_backup = i + 1;
            sh->backups++;
            snprintf(since, sizeof since, "%s", folder);
        }
    }
}

static void
clean(const struct support *f)
{
    char cmd[256];
    snprintf(cmd, sizeof cmd, "rm -rf %s-*", f->folder);
    assert_int_equal(system(cmd), 0);
}

static void
a_backup_taken_under_load_of_a_process_that_is_killed_restores_every_sample(void **state)
{
    struct support *f = *state, copy = {.now = SUPPORT_NOW + 3600000, .cfg = f->cfg};
    struct shared *sh =
        mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct store_restore how = {.only = NULL};
    char backup[128];
    f->now += 3600000;
    support_close(f);
    for (int round = 1; round <= 3; round++) {
        char cmd[160];
        snprintf(cmd, sizeof cmd, "rm -rf %s/* %s-*", f->folder, f->folder);
        assert_int_equal(system(cmd), 0);
        *sh = (struct shared){0};
        pid_t pid = fork();
        if (!pid)
            child_run(f, sh);
        while (sh->backups < round && !waitpid(pid, NULL, WNOHANG))
            usleep(1000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        int64_t acked = sh->acked, at = sh->at_backup;
        snprintf(backup, sizeof backup, "%s-b%d", f->folder, (int)sh->backups);
        snprintf(copy.folder, sizeof copy.folder, "%.40s-r%d", f->folder, round);
        copy.clock = f->clock;
        assert_int_equal(store_restore(backup, copy.folder, &how, NULL), 0);
        assert_int_equal(store_verify_folder(copy.folder, NULL, NULL, NULL), 0);
        support_open(&copy);
        assert_true(check_steps(copy.s) == at);
        put_step(copy.s, at); /* and it goes on from there */
        assert_int_equal(store_flush(copy.s, NULL), 0);
        support_close(&copy);
        support_open(&copy);
        assert_true(check_steps(copy.s) == at + 1);
        support_close(&copy);
        support_open(f); /* the one that was killed has all that it acknowledged */
        assert_true(check_steps(f->s) >= acked);
        support_close(f);
    }
    munmap(sh, sizeof *sh);
    clean(f);
    support_open(f);
}

static void
a_day_that_did_not_change_is_linked_and_what_did_is_copied(void **state)
{
    struct support *f = *state;
    struct stat a, b;
    char one[128], two[128], path[192];
    snprintf(one, sizeof one, "%s-b1", f->folder);
    snprintf(two, sizeof two, "%s-b2", f->folder);
    support_put(f->s, "m", "a", SUPPORT_NOW - 86400000, 1, NULL);
    support_put(f->s, "m", "a", SUPPORT_NOW, 2, NULL);
    assert_int_equal(store_compact(f->s, NULL), 0);
    assert_int_equal(store_backup(f->s, one, NULL, NULL, NULL), 0);
    support_put(f->s, "m", "a", SUPPORT_NOW + 1000, 3, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_int_equal(store_backup(f->s, two, one, NULL, NULL), 0);
    static const struct {
        const char *name;
        bool linked;
    } cases[] = {{"day-20260920.db", true}, {"day-20260921.db", false}};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", one, cases[i].name);
        assert_int_equal(stat(path, &a), 0);
        snprintf(path, sizeof path, "%s/%s", two, cases[i].name);
        assert_int_equal(stat(path, &b), 0);
        assert_int_equal(a.st_ino == b.st_ino, cases[i].linked);
    }
    clean(f);
}

static void
damage(const char *folder, const char *name)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "r+");
    assert_non_null(out);
    fseek(out, 100, SEEK_SET);
    int c = fgetc(out);
    fseek(out, 100, SEEK_SET);
    fputc(c ^ 4, out);
    fclose(out);
}

static void
restore_refuses_what_is_not_empty_in_use_half_or_damaged_and_changes_nothing(void **state)
{
    struct support *f = *state;
    struct store_restore plain = {.only = NULL}, force = {.force = true},
                         only = {.only = "day-20260921.db"}, none = {.only = "day-20200101.db"};
    struct sample at[4];
    char one[128];
    snprintf(one, sizeof one, "%s-b1", f->folder);
    support_put(f->s, "m", "a", SUPPORT_NOW, 1, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    assert_int_equal(store_restore(one, f->folder, &force, NULL), ERR_NOTFOUND);
    assert_int_equal(store_backup(f->s, one, NULL, NULL, NULL), 0);
    assert_int_equal(store_restore(one, f->folder, &force, NULL), ERR_STATE);
    support_put(f->s, "m", "a", SUPPORT_NOW + 1000, 2, NULL);
    support_close(f);
    assert_int_equal(store_restore(one, f->folder, &plain, NULL), ERR_EXISTS);
    assert_int_equal(store_restore(one, f->folder, &none, NULL), ERR_NOTFOUND);
    damage(one, "catalog.db");
    assert_int_equal(store_restore(one, f->folder, &force, NULL), ERR_CORRUPT);
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 4), 2);
    support_close(f);
    damage(one, "catalog.db"); /* the same bit again: whole */
    assert_int_equal(store_restore(one, f->folder, &only, NULL), 0);
    assert_int_equal(store_restore(one, f->folder, &force, NULL), 0);
    damage(one, MANIFEST_NAME);
    assert_true(store_restore(one, f->folder, &force, NULL) < 0);
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 4), 1);
    clean(f);
}

static void
an_older_journal_beside_newer_days_loses_nothing_that_comes_after(void **state)
{
    struct support *f = *state;
    struct store_restore only = {.only = "journal.db"};
    struct sample at[64];
    char one[128];
    snprintf(one, sizeof one, "%s-b1", f->folder);
    support_put(f->s, "m", "a", SUPPORT_NOW, 0, NULL);
    assert_int_equal(store_backup(f->s, one, NULL, NULL, NULL), 0);
    for (int i = 1; i < 30; i++)
        support_put(f->s, "m", "a", SUPPORT_NOW + i, i, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    support_close(f);
    assert_int_equal(store_restore(one, f->folder, &only, NULL), 0);
    support_open(f);
    for (int i = 30; i < 40; i++) /* their numbers are above what the day file says it holds */
        support_put(f->s, "m", "a", SUPPORT_NOW + i, i, NULL);
    assert_int_equal(store_flush(f->s, NULL), 0);
    support_close(f);
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 64), 40);
    clean(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_backup_taken_under_load_of_a_process_that_is_killed_restores_every_sample),
        T(a_day_that_did_not_change_is_linked_and_what_did_is_copied),
        T(restore_refuses_what_is_not_empty_in_use_half_or_damaged_and_changes_nothing),
        T(an_older_journal_beside_newer_days_loses_nothing_that_comes_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
