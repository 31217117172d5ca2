/* test_rest: reading never provokes a device. The files of a machine are watched by inotify while
 * an hour of collections runs on a clock of the test's: what is opened how often is counted. */
#include "agents/collect.h"
#include "tests/base/base_test.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct rest {
    char root[64];
    struct collect *collect;
    int watch;
};

static void
rest_put(const struct rest *r, const char *path, const char *text)
{
    char at[512], cmd[1100];
    snprintf(at, sizeof at, "%s/%s", r->root, path);
    snprintf(cmd, sizeof cmd, "mkdir -p \"$(dirname '%s')\"", at);
    assert_int_equal(system(cmd), 0);
    FILE *f = fopen(at, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void
rest_link(const struct rest *r, const char *path, const char *target)
{
    char at[512], cmd[1100];
    snprintf(at, sizeof at, "%s/%s", r->root, path);
    snprintf(cmd, sizeof cmd, "mkdir -p \"$(dirname '%s')\"", at);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(symlink(target, at), 0);
}

/* A port with a module of the file's bytes, or none. */
static void
rest_port(const struct rest *r, const char *name, const char *module)
{
    char path[256], target[256];
    snprintf(path, sizeof path, "sys/devices/pci0/%s/net/%s/carrier_changes", name, name);
    rest_put(r, path, "1\n");
    snprintf(path, sizeof path, "sys/devices/pci0/%s/net/%s/device", name, name);
    snprintf(target, sizeof target, "../../../%s", name);
    rest_link(r, path, target);
    snprintf(path, sizeof path, "sys/class/net/%s", name);
    snprintf(target, sizeof target, "../../devices/pci0/%s/net/%s", name, name);
    rest_link(r, path, target);
    snprintf(path, sizeof path, "ethtool/%s/module", name);
    rest_put(r, path, module);
}

static void
rest_function(const struct rest *r, const char *name, const char *status)
{
    char path[256];
    static const char *const files[] = {"current_link_speed", "current_link_width",
                                        "max_link_speed", "aer_dev_fatal"};
    snprintf(path, sizeof path, "sys/bus/pci/devices/%s/class", name);
    rest_put(r, path, "0x030200\n");
    snprintf(path, sizeof path, "sys/bus/pci/devices/%s/power/runtime_status", name);
    rest_put(r, path, status);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "sys/bus/pci/devices/%s/%s", name, files[i]);
        rest_put(r, path, "16\n");
    }
}

static int
rest_setup(void **state)
{
    static struct rest r;
    struct err err;
    memset(&r, 0, sizeof r);
    strcpy(r.root, "/tmp/ms-rest-XXXXXX");
    assert_non_null(mkdtemp(r.root));
    assert_int_equal(collect_new(r.root, "n1", NULL, NULL, NULL, NULL, &r.collect, &err), 0);
    r.watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    *state = &r;
    return r.watch < 0;
}

static int
rest_teardown(void **state)
{
    struct rest *r = *state;
    char cmd[128];
    collect_free(r->collect);
    close(r->watch);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", r->root);
    return system(cmd);
}

static void
rest_watch(const struct rest *r, const char *path)
{
    char at[512];
    snprintf(at, sizeof at, "%s/%s", r->root, path);
    assert_true(inotify_add_watch(r->watch, at, IN_OPEN) >= 0);
}

/* How often the watched files were opened. */
static unsigned
rest_drain(const struct rest *r)
{
    _Alignas(struct inotify_event) char data[65536];
    unsigned n = 0;
    ssize_t len;
    while ((len = read(r->watch, data, sizeof data)) > 0)
        for (char *at = data; at < data + len;) {
            const struct inotify_event *e = (const void *)at;
            n += (e->mask & IN_OPEN) != 0;
            at += sizeof *e + e->len;
        }
    return n;
}

/* Collections every `every` seconds, from..to in seconds. Returns how often the watched files were
 * opened. Counted after each: inotify tells equal events that nobody read as one. */
static unsigned
rest_run(const struct rest *r, int from, int to, int every)
{
    unsigned n = 0;
    for (int t = from; t < to; t += every) {
        collect_run(r->collect, (int64_t)t * 1000, false);
        n += rest_drain(r);
    }
    return n;
}

static const char rest_sfp[] = "lower: 03 04 07\n"; /* begins as an SFP does, and ends there */

static void
module_is_read_no_oftener_than_once_a_minute(void **state)
{
    static const struct {
        int every;
        unsigned most;
    } cases[] = {{1, 60}, {7, 60}, {15, 60}, {59, 60}};
    const struct rest *r = *state;
    char text[8192];
    size_t n = 0;
    n += (size_t)snprintf(text, sizeof text, "lower: 18 50 00 07");
    for (int i = 4; i < 128; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " 00");
    n += (size_t)snprintf(text + n, sizeof text - n, "\n00: 18");
    for (int i = 1; i < 128; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " 20");
    snprintf(text + n, sizeof text - n, "\n");
    rest_port(r, "eth0", text);
    rest_watch(r, "ethtool/eth0/module");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int begin = 100000 + (int)i * 100000;
        unsigned opened = rest_run(r, begin, begin + 3600, cases[i].every);
        assert_in_range(opened, cases[i].most / 3, cases[i].most);
    }
}

static void
module_that_cannot_be_read_is_left_in_peace(void **state)
{
    const struct rest *r = *state;
    rest_port(r, "eth0", rest_sfp);
    rest_watch(r, "ethtool/eth0/module");
    assert_in_range(rest_run(r, 100000, 100000 + 3600, 15), 1, 3);
    assert_in_range(rest_run(r, 103600, 103600 + 3 * 86400, 60), 10, 30);
}

static void
carrier_that_comes_is_a_reason_to_look_again(void **state)
{
    const struct rest *r = *state;
    rest_port(r, "eth0", rest_sfp);
    rest_watch(r, "ethtool/eth0/module");
    assert_int_equal(rest_run(r, 100000, 100300, 15), 1);
    rest_put(r, "sys/devices/pci0/eth0/net/eth0/carrier_changes", "2\n");
    assert_int_equal(rest_run(r, 100300, 100400, 15), 1);
}

static void
port_that_flaps_is_looked_at_once_a_minute(void **state)
{
    const struct rest *r = *state;
    rest_port(r, "eth0", rest_sfp);
    rest_watch(r, "ethtool/eth0/module");
    unsigned opened = 0;
    for (int i = 0; i < 600; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d\n", i + 2);
        rest_put(r, "sys/devices/pci0/eth0/net/eth0/carrier_changes", text);
        opened += rest_run(r, 100000 + i, 100001 + i, 1);
    }
    assert_in_range(opened, 2, 10);
}

static void
sleeping_device_is_not_woken(void **state)
{
    static const char *const files[] = {"current_link_speed", "current_link_width",
                                        "max_link_speed", "aer_dev_fatal"};
    const struct rest *r = *state;
    char path[256];
    rest_function(r, "0000:01:00.0", "suspended\n");
    rest_function(r, "0000:02:00.0", "active\n");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "sys/bus/pci/devices/0000:01:00.0/%s", files[i]);
        rest_watch(r, path);
    }
    assert_int_equal(rest_run(r, 100000, 103600, 15), 0);
    rest_watch(r, "sys/bus/pci/devices/0000:02:00.0/current_link_speed");
    assert_in_range(rest_run(r, 200000, 203600, 15), 60, 130);
}

static void
sensor_of_a_sleeping_device_or_a_turning_disk_is_not_read(void **state)
{
    const struct rest *r = *state;
    rest_put(r, "sys/class/hwmon/hwmon0/name", "nvme\n");
    rest_put(r, "sys/class/hwmon/hwmon0/temp1_input", "40000\n");
    rest_put(r, "sys/class/hwmon/hwmon0/device/device/power/runtime_status", "suspended\n");
    rest_put(r, "sys/class/hwmon/hwmon1/name", "drivetemp\n");
    rest_put(r, "sys/class/hwmon/hwmon1/temp1_input", "40000\n");
    rest_put(r, "sys/class/hwmon/hwmon1/device/block/sda/queue/rotational", "1\n");
    rest_watch(r, "sys/class/hwmon/hwmon0/temp1_input");
    rest_watch(r, "sys/class/hwmon/hwmon1/temp1_input");
    assert_int_equal(rest_run(r, 100000, 103600, 15), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, rest_setup, rest_teardown)
        REST_TEST(module_is_read_no_oftener_than_once_a_minute),
        REST_TEST(module_that_cannot_be_read_is_left_in_peace),
        REST_TEST(carrier_that_comes_is_a_reason_to_look_again),
        REST_TEST(port_that_flaps_is_looked_at_once_a_minute),
        REST_TEST(sleeping_device_is_not_woken),
        REST_TEST(sensor_of_a_sleeping_device_or_a_turning_disk_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
