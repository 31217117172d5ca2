/* test_once: one collection of a recorded machine, and of this one. */
#include "agents/agent.h"
#include "base/exposition.h"
#include "tests/base/base_test.h"

#include <sys/stat.h>
#include <unistd.h>

static void
once_path(char out[4096], const char *name)
{
    const char *src = getenv("MS_SRCDIR"), *built = getenv("MS_BUILDDIR");
    snprintf(out, 4096, "%s/tests/agents/%s", built ? built : ".",
             name); /* where a release unpacks it */
    if (access(out, F_OK))
        snprintf(out, 4096, "%s/tests/agents/%s", src ? src : ".", name);
}

static void
recorded_machine_gives_the_series_we_expect(void **state)
{
    char root[4096], want[4096], line[1024];
    struct buf out;
    struct err err;
    (void)state;
    once_path(root, "root-gpu");
    once_path(want, "root-gpu.prom");
    buf_init(&out, (size_t)16 << 20);
    assert_int_equal(agent_once(root, NULL, NULL, 4000, &out, &err), 0);
    FILE *f = fopen(want, "r");
    assert_non_null(f);
    size_t lines = 0;
    while (fgets(line, sizeof line, f)) {
        if (!strstr(buf_str(&out), line))
            fail_msg("missing: %s", line);
        lines++;
    }
    fclose(f);
    assert_true(lines > 100);
    assert_non_null(strstr(buf_str(&out), "myriascope_agent_info{node=\"node00017\""));
    buf_done(&out);
}

static void
no_link_leads_out_of_the_root(void **state)
{
    char dir[] = "/tmp/ms-once-XXXXXX", path[256], secret[] = "/tmp/ms-secret-XXXXXX";
    struct buf out;
    struct err err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    int fd = mkstemp(secret);
    assert_int_equal(write(fd, "66.5 66.5 66.5 1/2 3\n", 21), 21);
    close(fd);
    snprintf(path, sizeof path, "%s/proc", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/proc/loadavg", dir);
    assert_int_equal(symlink(secret, path), 0);
    buf_init(&out, (size_t)16 << 20);
    assert_int_equal(agent_once(dir, "n1", NULL, 4000, &out, &err), 0);
    assert_null(strstr(buf_str(&out), "66.5"));
    assert_null(strstr(buf_str(&out), "node_load1"));
    buf_done(&out);
    unlink(path);
    unlink(secret);
    snprintf(path, sizeof path, "%s/proc", dir);
    rmdir(path);
    rmdir(dir);
}

static int
once_count(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    size_t *load = ctx;
    char name[128];
    (void)s;
    (void)n;
    labels_copy(l, "__name__", name, sizeof name);
    *load += !strcmp(name, "node_load1");
    return 0;
}

static void
this_machine_gives_well_formed_text(void **state)
{
    struct buf out;
    struct err err;
    size_t load = 0;
    struct sample_sink sink = {.series = once_count, .ctx = &load};
    struct exposition_counts counts;
    (void)state;
    buf_init(&out, (size_t)64 << 20);
    assert_int_equal(agent_once("", NULL, NULL, 4000, &out, &err), 0);
    assert_int_equal(exposition_read(out.data, out.len, 1, &sink, &counts, &err), 0);
    assert_int_equal(counts.refused, 0);
    assert_true(counts.samples > 50);
    assert_int_equal(load, 1);
    buf_done(&out);
}

static void
configuration_names_its_mistakes(void **state)
{
    static const struct {
        const char *text, *cause;
    } cases[] = {
        {"intervall: 15s\n", "interval"},
        {"interval: never\n", "interval"},
        {"logs: {forward: some}\n", "forward"},
        {"probes: {disable: [cpus]}\n", "there is no probe cpus"},
        {"server: {url: 'http://127.0.0.1:1', token: x}\n", "token"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char path[] = "/tmp/ms-conf-XXXXXX";
        struct agent_conf conf;
        struct err err;
        int fd = mkstemp(path);
        assert_true(write(fd, cases[i].text, strlen(cases[i].text)) > 0);
        close(fd);
        assert_true(agent_conf_load(path, &conf, &err) < 0);
        assert_int_equal(err.line, 1);
        assert_non_null(strstr(err.text, cases[i].cause));
        unlink(path);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_machine_gives_the_series_we_expect),
        cmocka_unit_test(no_link_leads_out_of_the_root),
        cmocka_unit_test(this_machine_gives_well_formed_text),
        cmocka_unit_test(configuration_names_its_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
