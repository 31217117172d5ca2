/* test_apart: a probe whose device hangs, dies or is gone harms nobody else; accelerators of AMD
 * and Lustre's statistics from files, wedged, unplugged and lying ones too. */
#include "agents/apart.h"
#include "agents/lustre.h"
#include "agents/probes.h"
#include "base/clock.h"
#include "tests/base/base_test.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static char apart_root[] = "/tmp/ms-apart-XXXXXX";

static int
apart_well(struct probe *p)
{
    for (int i = 0; i < 3000; i++) /* more than a pipe holds */
        snap_add(p->out, "a_series", i, "label", "value with some length", NULL);
    return 0;
}

static int
apart_hangs(struct probe *p)
{
    (void)p;
    pause();
    return 0;
}

static int
apart_dies(struct probe *p)
{
    snap_add(p->out, "half", 1, NULL);
    raise(SIGKILL);
    return 0;
}

static void
apart_put(const char *path, const char *text)
{
    char at[512], cmd[1200];
    snprintf(at, sizeof at, "%s/%s", apart_root, path);
    snprintf(cmd, sizeof cmd, "mkdir -p \"$(dirname '%s')\"", at);
    assert_int_equal(system(cmd), 0);
    FILE *f = fopen(at, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int
apart_setup(void **state)
{
    static struct probe p;
    static struct snap out;
    struct err err;
    strcpy(apart_root, "/tmp/ms-apart-XXXXXX");
    assert_non_null(mkdtemp(apart_root));
    assert_int_equal(probe_init(&p, apart_root, "n1", &err), 0);
    snap_init(&out);
    p.out = &out;
    *state = &p;
    return 0;
}

static int
apart_teardown(void **state)
{
    struct probe *p = *state;
    char cmd[128];
    snap_done(p->out);
    probe_done(p);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", apart_root);
    return system(cmd);
}

static void
probe_gives_the_same_as_in_the_agent(void **state)
{
    static const struct probe_row row = {.key = "well", .run = apart_well};
    struct probe *p = *state;
    struct apart a = {.pid = 0};
    assert_int_equal(apart_run(&a, p, &row, 3000), 0);
    assert_int_equal(p->out->count, 3000);
    assert_string_equal(p->out->text.data + p->out->rows[2999].at, "a_series");
    assert_true(p->out->rows[2999].v == 2999);
    apart_done(&a);
}

static void
probe_that_hangs_is_left_alone_and_tried_again_when_it_is_gone(void **state)
{
    static const struct probe_row hangs = {.key = "hangs", .run = apart_hangs},
                                  well = {.key = "well", .run = apart_well};
    struct probe *p = *state;
    struct apart a = {.pid = 0};
    int64_t began = clock_mono_us();
    assert_int_equal(apart_run(&a, p, &hangs, 200), ERR_TIMEOUT);
    assert_true(clock_mono_us() - began < 2000000);
    assert_int_equal(p->out->count, 0);
    assert_int_equal(apart_run(&a, p, &well, 3000), 0); /* SIGKILL did for it */
    apart_done(&a);
}

static void
probe_that_dies_gives_nothing(void **state)
{
    static const struct probe_row row = {.key = "dies", .run = apart_dies};
    struct probe *p = *state;
    struct apart a = {.pid = 0};
    assert_int_equal(apart_run(&a, p, &row, 3000), ERR_CLOSED);
    assert_int_equal(p->out->count, 0);
    apart_done(&a);
}

/* --- AMD -------------------------------------------------------------------------------------- */

static void
apart_card(int n, const char *busy, const char *used)
{
    static const struct {
        const char *file, *text;
    } files[] = {{"vendor", "0x1002\n"},
                 {"product_name", "Example Accelerator\n"},
                 {"unique_id", "0123456789abcdef\n"},
                 {"mem_info_vram_total", "206141652992\n"},
                 {"pcie_replay_count", "3\n"},
                 {"power/runtime_status", "active\n"},
                 {"hwmon/hwmon7/temp2_label", "junction\n"},
                 {"hwmon/hwmon7/temp2_input", "61000\n"},
                 {"hwmon/hwmon7/temp3_label", "mem\n"},
                 {"hwmon/hwmon7/temp3_input", "-999000\n"},
                 {"hwmon/hwmon7/power1_input", "703000000\n"},
                 {"ras/umc_err_count", "ue: 1\nce: 5\n"},
                 {"ras/xgmi_wafl_err_count", "ue: 0\nce: 2\n"}};
    char path[256];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "sys/class/drm/card%d/device/%s", n, files[i].file);
        apart_put(path, files[i].text);
    }
    snprintf(path, sizeof path, "sys/class/drm/card%d/device/gpu_busy_percent", n);
    apart_put(path, busy);
    snprintf(path, sizeof path, "sys/class/drm/card%d/device/mem_info_vram_used", n);
    apart_put(path, used);
}

static const struct snap_row *
apart_find(const struct snap *s, const char *name, const char *value)
{
    for (size_t i = 0; i < s->count; i++) {
        const char *w = s->text.data + s->rows[i].at;
        bool found = !strcmp(w, name), of = !value;
        for (w += strlen(w) + 1; found && *w; w += strlen(w) + 1)
            of = of || !strcmp(w, value);
        if (found && of)
            return &s->rows[i];
    }
    return NULL;
}

static void
accelerators_of_amd_are_told_from_files(void **state)
{
    static const struct {
        const char *name;
        double v;
    } want[] = {{"gpu_gfx_activity", 97},        {"gpu_junction_temperature", 61},
                {"gpu_package_power", 703},      {"gpu_used_vram", 1024},
                {"gpu_total_vram", 196592},      {"gpu_ecc_correct_total", 7},
                {"gpu_ecc_uncorrect_total", 1},  {"pcie_replay_count", 3},
                {"myriascope_agent_gpu_lost", 0}};
    struct probe *p = *state;
    apart_card(1, "97\n", "1073741824\n");
    apart_put("sys/class/drm/card0/device/vendor", "0x1a03\n"); /* the board's own display */
    assert_int_equal(probe_amd(p), 0);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const struct snap_row *r = apart_find(p->out, want[i].name, "0");
        if (!r || r->v != want[i].v)
            fail_msg("%s", want[i].name);
    }
}

static void
accelerator_that_lies_is_told_apart_from_its_sound_values(void **state)
{
    struct probe *p = *state;
    apart_card(0, "4294967295\n", "99999999999999\n");
    assert_int_equal(probe_amd(p), 0);
    assert_null(apart_find(p->out, "gpu_gfx_activity", NULL));
    assert_null(apart_find(p->out, "gpu_used_vram", NULL));
    assert_null(apart_find(p->out, "gpu_memory_temperature", NULL));
    assert_non_null(apart_find(p->out, "gpu_junction_temperature", NULL));
    assert_non_null(apart_find(p->out, "myriascope_agent_gpu_implausible", "gpu_gfx_activity"));
}

static void
accelerator_that_gives_nothing_is_lost(void **state)
{
    struct probe *p = *state;
    apart_put("sys/class/drm/card0/device/vendor", "0x1002\n");
    assert_int_equal(probe_amd(p), 0);
    assert_true(apart_find(p->out, "myriascope_agent_gpu_lost", "0")->v == 1);
}

static void
accelerator_that_sleeps_is_not_read(void **state)
{
    struct probe *p = *state;
    apart_card(0, "97\n", "1\n");
    apart_put("sys/class/drm/card0/device/power/runtime_status", "suspended\n");
    assert_int_equal(probe_amd(p), 0);
    assert_null(apart_find(p->out, "gpu_gfx_activity", NULL));
    assert_non_null(apart_find(p->out, "myriascope_agent_gpu_asleep", "0"));
}

/* --- Lustre ----------------------------------------------------------------------------------- */

static void
clients_and_servers_of_lustre_are_told(void **state)
{
    static const struct {
        const char *name, *label;
        double v;
    } want[] = {{"lustre_write_bytes_total", "client", 4294967296.0},
                {"lustre_write_samples_total", "client", 1024},
                {"lustre_stats_total", "open", 12},
                {"lustre_operation_seconds_total", "fsync", 2.5},
                {"lustre_read_bytes_total", "fs01-OST0000", 8192},
                {"lustre_capacity_kilobytes", "fs01-OST0000", 1000},
                {"lustre_stats_total", "getattr", 33},
                {"lustre_import_connected", "fs01-OST0000", 1},
                {"lustre_import_connected", "fs01-OST0001", 0},
                {"lustre_health_check", NULL, 0}};
    struct probe *p = *state;
    apart_put("sys/kernel/debug/lustre/llite/fs01-ffff8801/stats",
              "snapshot_time             1700000000.1 secs.nsecs\n"
              "write_bytes               1024 samples [bytes] 4194304 4194304 4294967296\n"
              "open                      12 samples [usec] 1 9 100 1000\n"
              "fsync                     3 samples [usec] 100 2000000 2500000 9\n");
    apart_put("sys/fs/lustre/llite/fs01-ffff8801/kbytestotal", "5\n");
    apart_put("proc/fs/lustre/obdfilter/fs01-OST0000/stats",
              "read_bytes 2 samples [bytes] 4096 4096 8192\n");
    apart_put("proc/fs/lustre/obdfilter/fs01-OST0000/kbytestotal", "1000\n");
    apart_put("proc/fs/lustre/mdt/fs01-MDT0000/md_stats", "getattr 33 samples [reqs]\n");
    apart_put("proc/fs/lustre/osc/fs01-OST0000-osc-ffff8801/import", "import:\n    state: FULL\n");
    apart_put("proc/fs/lustre/osc/fs01-OST0001-osc-ffff8801/import",
              "import:\n    state: DISCONN\n");
    apart_put("sys/fs/lustre/health_check", "NOT HEALTHY\n");
    assert_int_equal(probe_lustre(p), 0);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const struct snap_row *r = apart_find(p->out, want[i].name, want[i].label);
        if (!r || r->v != want[i].v)
            fail_msg("%s %s: %g", want[i].name, want[i].label ? want[i].label : "", r ? r->v : -1);
    }
}

static void
statistics_that_are_no_statistics_give_nothing(void **state)
{
    static const char *const cases[] = {"",
                                        "\n\n\n",
                                        "read_bytes",
                                        "read_bytes 1 samples",
                                        "a b c d e f g h i j\n",
                                        "x -1 sample [usec] 1 2 3\n"};
    struct probe *p = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s", cases[i]);
        lustre_stats(text, "client", "fs01", p->out);
    }
    assert_int_equal(p->out->count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define APART_TEST(name) cmocka_unit_test_setup_teardown(name, apart_setup, apart_teardown)
        APART_TEST(probe_gives_the_same_as_in_the_agent),
        APART_TEST(probe_that_hangs_is_left_alone_and_tried_again_when_it_is_gone),
        APART_TEST(probe_that_dies_gives_nothing),
        APART_TEST(accelerators_of_amd_are_told_from_files),
        APART_TEST(accelerator_that_lies_is_told_apart_from_its_sound_values),
        APART_TEST(accelerator_that_gives_nothing_is_lost),
        APART_TEST(accelerator_that_sleeps_is_not_read),
        APART_TEST(clients_and_servers_of_lustre_are_told),
        APART_TEST(statistics_that_are_no_statistics_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
