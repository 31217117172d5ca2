/* test_netfs: mounts that answer and mounts that hang, real ones: FUSE file systems of a process
 * that stops answering, in a mount namespace of the test's own. Skips where mounts are not allowed.
 */
#include "agents/netfs.h"
#include "base/clock.h"
#include "tests/base/base_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char netfs_dir[64];

static void
netfs_fill(struct netfs_mount m[4])
{
    static const char *const names[] = {"dead0", "well", "dead1", "dead2"};
    memset(m, 0, 4 * sizeof *m);
    for (int i = 0; i < 4; i++)
        snprintf(m[i].path, sizeof m[i].path, "%s/%s", netfs_dir, names[i]);
}

static unsigned
netfs_children(void)
{
    char path[64], text[4096];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof text);
    close(fd);
    for (ssize_t i = 0; i < len; i++)
        n += text[i] == ' ';
    return n;
}

static void
mounts_that_hang_are_told_and_the_others_answer(void **state)
{
    struct netfs *n = netfs_new();
    struct netfs_mount m[4];
    (void)state;
    netfs_fill(m);
    int64_t began = clock_mono_us();
    netfs_ask(n, m, 4, 300, 2000);
    int64_t took = clock_mono_us() - began;
    assert_int_equal(m[1].state, NETFS_ANSWERS);
    assert_int_equal(m[1].st.f_blocks, 1000);
    assert_int_equal(m[0].state, NETFS_STALLS);
    assert_int_equal(m[2].state, NETFS_STALLS);
    assert_int_equal(m[3].state, NETFS_STALLS);
    assert_true(took < 2500000);
    /* Known to hang: no time is lost with them, no more children are made. */
    for (int i = 0; i < 20; i++) {
        netfs_fill(m);
        began = clock_mono_us();
        netfs_ask(n, m, 4, 300, 2000);
        assert_int_equal(m[1].state, NETFS_ANSWERS);
        assert_int_equal(m[0].state, NETFS_STALLS);
        assert_true(m[0].stalled_us <= began);
        assert_true(clock_mono_us() - began < 250000);
        assert_in_range(netfs_children(), 3, 4);
    }
    netfs_free(n);
}

static void
what_no_time_is_left_for_is_not_judged(void **state)
{
    struct netfs *n = netfs_new();
    struct netfs_mount m[4];
    (void)state;
    netfs_fill(m);
    netfs_ask(n, m, 4, 300, 400); /* one may hang, then time is over */
    assert_int_equal(m[0].state, NETFS_STALLS);
    assert_int_equal(m[3].state, NETFS_UNASKED);
    netfs_free(n);
}

/* A child that hangs beyond SIGKILL must hold neither a port nor a lock of the agent's. */
static void
child_that_hangs_holds_no_descriptor(void **state)
{
    struct netfs *n = netfs_new();
    struct netfs_mount m[4];
    char path[64];
    int pid = 0, fds = 0;
    (void)state;
    netfs_fill(m);
    netfs_ask(n, m, 1, 300, 1000);
    assert_int_equal(m[0].state, NETFS_STALLS);
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "r");
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        fds += e->d_name[0] != '.';
    closedir(d);
    assert_int_equal(fds, 1);
    netfs_free(n);
}

static void
mount_that_comes_back_is_asked_again(void **state)
{
    struct netfs *n = netfs_new();
    struct netfs_mount m[4];
    char hold[128];
    (void)state;
    netfs_fill(m);
    netfs_ask(n, m, 4, 300, 2000);
    assert_int_equal(m[0].state, NETFS_STALLS);
    snprintf(hold, sizeof hold, "%s/hold", netfs_dir);
    unlink(hold); /* unplugged: what hangs in it gets an error */
    for (int i = 0; i < 200 && m[0].state == NETFS_STALLS; i++) {
        netfs_fill(m);
        netfs_ask(n, m, 4, 300, 2000);
        usleep(20000);
    }
    assert_int_equal(m[0].state, NETFS_REFUSES);
    assert_int_equal(m[1].state, NETFS_ANSWERS);
    netfs_free(n);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    assert_int_equal(netfs_children(), 0);
}

static void
types_are_of_the_network_or_local(void **state)
{
    static const struct {
        const char *type;
        bool network;
    } cases[] = {{"nfs", true},      {"nfs4", true},   {"lustre", true}, {"fuse.ceph", true},
                 {"gpfs", true},     {"cifs", true},   {"ext4", false},  {"xfs", false},
                 {"tmpfs", false},   {"zfs", false},   {"btrfs", false}, {"fusectl", false},
                 {"overlay", false}, {"beegfs", true}, {"wekafs", true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (netfs_is(cases[i].type) != cases[i].network)
            fail_msg("%s", cases[i].type);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_of_the_network_or_local),
        cmocka_unit_test(mounts_that_hang_are_told_and_the_others_answer),
        cmocka_unit_test(what_no_time_is_left_for_is_not_judged),
        cmocka_unit_test(child_that_hangs_holds_no_descriptor),
        cmocka_unit_test(mount_that_comes_back_is_asked_again),
    };
    if (argc > 1) { /* called by with_dead_mounts.sh, which makes the mounts */
        snprintf(netfs_dir, sizeof netfs_dir, "%s", argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    const struct CMUnitTest alone[] = {cmocka_unit_test(types_are_of_the_network_or_local)};
    return cmocka_run_group_tests(alone, NULL, NULL);
}
