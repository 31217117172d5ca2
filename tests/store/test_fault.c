/* fault: every write, sync and truncation fails in turn, once, for lack of room, or with the end of
 * the process. What was acknowledged is there afterwards, each sample with its value, and the store
 * goes on. FAULT_STRIDE says which are tried (every 31st; make faults: every one). */
#include "tests/store/fault_vfs.h"
#include "tests/store/support.h"

#include "store/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 16

struct acked { /* shared with a child that ends in the middle */
    _Atomic bool step[STEPS + 1], doc;
};

static int
put(struct store *s, int i)
{
    struct labels l = {0};
    labels_add_str(&l, "__name__", "m");
    labels_add_str(&l, "node", i % 2 ? "a" : "b");
    labels_finish(&l);
    struct store_batch *b = store_batch_new(s);
    struct sample x = {SUPPORT_NOW + i * 1000, i * 1.5};
    struct event ev = {.time_ms = SUPPORT_NOW + i * 1000, .entity = "node:n", .code = "c"};
    assert_int_equal(store_batch_samples(b, &l, &x, 1), 0);
    assert_int_equal(store_batch_event(b, &ev), 0);
    return store_commit(s, b, NULL, NULL);
}

static int
put_doc(struct store *s)
{
    struct catalog_doc d = {.kind = "device", .id = "d", .json = "{\"a\":1}", .json_len = 7};
    return catalog_put(s, &d, NULL);
}

/* Everything that the store does to its files. */
static void
work(struct support *f, struct acked *a)
{
    struct err err;
    if (store_open(&f->cfg, &f->s, &err)) {
        f->s = NULL;
        return;
    }
    for (int i = 0; i < STEPS; i++) {
        a->step[i] = !put(f->s, i);
        if (i == 5)
            store_flush(f->s, NULL);
        if (i == 10)
            store_compact(f->s, NULL);
        if (i == 12)
            a->doc = !put_doc(f->s);
    }
}

static int
find_doc(void *ctx, const struct catalog_doc *d)
{
    (void)d;
    *(bool *)ctx = true;
    return 0;
}

static void
check(struct support *f, const struct acked *a, long n)
{
    struct sample at[64];
    bool held[STEPS + 1] = {false}, doc = false;
    for (int k = 0; k < 2; k++) {
        size_t count = support_get(f->s, "m", k ? "a" : "b", 0, INT64_MAX, at, 64);
        for (size_t i = 0; i < count; i++) {
            int64_t step = (at[i].t_ms - SUPPORT_NOW) / 1000;
            assert_true(step >= 0 && step <= STEPS && at[i].v == (double)step * 1.5 && !held[step]);
            held[step] = true;
        }
    }
    for (int i = 0; i <= STEPS; i++)
        if (a->step[i] && !held[i])
            fail_msg("call %ld: step %d was acknowledged and is lost", n, i);
    catalog_get(f->s, "device", "d", find_doc, &doc, NULL);
    if (a->doc && !doc)
        fail_msg("call %ld: the document was acknowledged and is lost", n);
}

static void
empty(struct support *f)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s/*", f->folder);
    assert_int_equal(system(cmd), 0);
}

/* Once it is over, the store takes and keeps what comes. */
static void
recovers(struct support *f, struct acked *a, long n)
{
    int rc = -1;
    if (!f->s)
        support_open(f);
    for (int i = 0; i < 3 && rc; i++)
        rc = put(f->s, STEPS);
    if (rc)
        fail_msg("call %ld: nothing is taken any more: %s", n, err_text(rc));
    a->step[STEPS] = true;
    for (int i = 0; i < 5 && store_flush(f->s, NULL); i++)
        ;
    assert_int_equal(store_flush(f->s, NULL), 0);
    check(f, a, n);
    support_close(f);
    support_open(f);
    check(f, a, n);
    support_close(f);
    if (store_verify_folder(f->folder, NULL, NULL, NULL))
        fail_msg("call %ld: damage is left behind", n);
}

static void
run(struct support *f, struct acked *a, long n, enum fault_how how)
{
    *a = (struct acked){.doc = false};
    if (how == FAULT_KILL) {
        pid_t pid = fork();
        if (!pid) {
            fault_vfs_arm(n, how);
            work(f, a);
            _exit(7); /* it was not reached */
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        f->s = NULL;
        return;
    }
    fault_vfs_arm(n, how);
    work(f, a);
    fault_vfs_arm(0, how);
}

static void
each(struct support *f, enum fault_how how)
{
    struct acked *a =
        mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long stride = getenv("FAULT_STRIDE") ? atol(getenv("FAULT_STRIDE")) : 31;
    support_close(f);
    empty(f);
    fault_vfs_arm(0, how);
    *a = (struct acked){.doc = false};
    work(f, a);
    long calls = fault_vfs_count(), tried = 0;
    support_close(f);
    for (long n = 1; n <= calls; n += stride, tried++) {
        empty(f);
        run(f, a, n, how);
        recovers(f, a, n);
    }
    print_message("%ld calls, %ld of them failed in turn\n", calls, tried);
    assert_true(calls > 50);
    munmap(a, sizeof *a);
    support_open(f);
}

static void
nothing_acknowledged_is_lost_when_one_call_fails(void **state)
{
    each(*state, FAULT_ONCE);
}

static void
nothing_acknowledged_is_lost_when_the_disk_is_full_from_some_call_on(void **state)
{
    each(*state, FAULT_FULL);
}

static void
nothing_acknowledged_is_lost_when_the_process_ends_within_a_call(void **state)
{
    each(*state, FAULT_KILL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_acknowledged_is_lost_when_one_call_fails),
        T(nothing_acknowledged_is_lost_when_the_disk_is_full_from_some_call_on),
        T(nothing_acknowledged_is_lost_when_the_process_ends_within_a_call),
    };
    fault_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
