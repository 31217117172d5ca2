/* Tests of kb/matcher and kb/match: candidates, sources, order, limits, bytes there and back,
 * entities. */
#include "tests/kb/kb_test.h"

#include "base/clock.h"
#include "kb/matcher_inside.h"

#include <pthread.h>

static const char matcher_text[] = KB_TEST_HEAD("g.general")
    KB_TEST_LOG("link error on (?<nic>[a-z0-9_]+)", "link error on mlx5_0")
        KB_TEST_HEAD("g.special")
            KB_TEST_LOG("link error on (?<nic>[a-z0-9_]+), reason (?<code>[0-9]+)",
                        "link error on mlx5_0, reason 4")
                KB_TEST_HEAD("g.kernel") "  signals:\n    - log: {pattern: 'kernel only words', "
                                         "source: kernel, match: ['kernel only words']}\n"
                                         "  clears: {pattern: 'kernel words are over'}\n";

struct fixture {
    struct kb *kb;
    struct kb_matcher *m;
    struct kb_scratch *s;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->kb = kb_test_good(matcher_text);
    if (kb_matcher_new(f->kb, &f->m, NULL) || !(f->s = kb_scratch_new(f->m)))
        return -1;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    kb_scratch_free(f->s);
    kb_matcher_free(f->m);
    kb_free(f->kb);
    free(f);
    return 0;
}

static size_t
match(struct fixture *f, const char *line, const char *source, struct kb_match *ret)
{
    return kb_match_line(f->m, f->s, line, strlen(line), source, ret, 8);
}

static void
the_more_specific_pattern_comes_first(void **state)
{
    struct kb_match r[8];
    assert_int_equal(match(*state, "x link error on mlx5_3, reason 12", "any", r), 2);
    assert_string_equal(r[0].id, "g.special");
    assert_string_equal(r[1].id, "g.general");
    assert_int_equal(r[0].capture_count, 2);
    assert_string_equal(r[0].captures[1].name, "code");
    assert_int_equal(r[0].captures[1].len, 2);
    assert_memory_equal(r[0].captures[0].text, "mlx5_3", 6);
    assert_int_equal(kb_match_line(((struct fixture *)*state)->m, ((struct fixture *)*state)->s,
                                   "x link error on mlx5_3, reason 12", 33, "any", r, 1),
                     1);
    assert_string_equal(r[0].id, "g.special");
}

static void
source_decides_which_patterns_apply(void **state)
{
    static const struct {
        const char *source;
        size_t count;
    } cases[] = {{"kernel", 1}, {"syslog", 1},     {"any", 1}, {"", 1},
                 {NULL, 1},     {"containerd", 1}, {"job", 0}, {"switch", 0}};
    struct kb_match r[8];
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(match(*state, "the kernel only words", cases[i].source, r),
                         cases[i].count);
}

static void
clearing_line_is_marked(void **state)
{
    struct kb_match r[8];
    assert_int_equal(match(*state, "kernel words are over", "kernel", r), 1);
    assert_string_equal(r[0].id, "g.kernel");
    assert_true(r[0].clears);
}

static void
hostile_lines_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct kb_match r[8];
    size_t len = 1u << 20;
    char *line = malloc(len);
    memset(line, 'l', len);
    memcpy(line + 100, "link error on mlx5_0", 20);
    uint64_t before = kb_scratch_limits(f->s);
    int64_t start = clock_mono_us();
    assert_int_equal(kb_match_line(f->m, f->s, line, len, "any", r, 8), 1);
    assert_true(clock_mono_us() - start < 2000000);
    assert_true(kb_scratch_limits(f->s) > before);
    memset(line, 0xff, len);
    memcpy(line + 10, "link error on \xe4\xe4\x00\xff", 18);
    assert_int_equal(kb_match_line(f->m, f->s, line, 4000, "any", r, 8), 0);
    memcpy(line + 10, "\0link error on x\0", 17);
    assert_int_equal(kb_match_line(f->m, f->s, line, 4000, "any", r, 8), 1);
    assert_int_equal(kb_match_line(f->m, f->s, "", 0, "any", r, 8), 0);
    free(line);
}

static void
bytes_go_there_and_back(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct kb_matcher *m = NULL;
    buf_init(&b, MATCHER_MAX);
    assert_int_equal(kb_matcher_serialize(f->m, &b), 0);
    assert_int_equal(kb_matcher_deserialize(b.data, b.len, &m, NULL), 0);
    assert_true(kb_matcher_hash(m) == kb_matcher_hash(f->m));
    struct fixture again = {f->kb, m, kb_scratch_new(m)};
    struct kb_match r[8];
    assert_int_equal(match(&again, "link error on mlx5_3, reason 12", "any", r), 2);
    kb_scratch_free(again.s);
    kb_matcher_free(m);
    buf_done(&b);
}

static void
database_of_another_library_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct kb_matcher *m = NULL;
    buf_init(&b, MATCHER_MAX);
    assert_int_equal(kb_matcher_serialize(f->m, &b), 0);
    size_t at = matcher_u32((uint8_t *)b.data + 28);
    memset(b.data + at, 0x7f, 16); /* the library's own magic and version */
    assert_int_equal(kb_matcher_deserialize(b.data, b.len, &m, NULL), 0);
    struct fixture again = {f->kb, m, kb_scratch_new(m)};
    struct kb_match r[8];
    assert_int_equal(match(&again, "link error on mlx5_3, reason 12", "any", r), 2);
    kb_scratch_free(again.s);
    kb_matcher_free(m);
    buf_done(&b);
}

static void
damaged_bytes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, MATCHER_MAX);
    assert_int_equal(kb_matcher_serialize(f->m, &b), 0);
    size_t tables = matcher_u32((uint8_t *)b.data + 28);
    for (size_t i = 0; i < b.len; i += i < tables ? 1 : 97) {
        struct kb_matcher *m = NULL;
        struct err err = {0};
        b.data[i] = (char)(b.data[i] ^ 0x41);
        int rc = kb_matcher_deserialize(b.data, b.len, &m, &err);
        b.data[i] = (char)(b.data[i] ^ 0x41);
        assert_true(rc == 0 || err.text[0]);
        kb_matcher_free(m);
    }
    for (size_t cut = 0; cut < tables; cut += 7) {
        struct kb_matcher *m = NULL;
        assert_int_equal(kb_matcher_deserialize(b.data, cut, &m, NULL), ERR_CORRUPT);
    }
    buf_done(&b);
}

static void *
thread_run(void *context)
{
    struct fixture *f = context, mine = {f->kb, f->m, kb_scratch_new(f->m)};
    size_t found = 0;
    struct kb_match r[8];
    for (size_t i = 0; i < 2000; i++)
        found += match(&mine, i % 2 ? "link error on mlx5_3, reason 12" : "the kernel only words",
                       "any", r);
    kb_scratch_free(mine.s);
    return (void *)found;
}

static void
threads_share_one_matcher(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, *state), 0);
    for (size_t i = 0; i < 4; i++) {
        void *found = NULL;
        pthread_join(threads[i], &found);
        assert_int_equal((size_t)found, 3000);
    }
}

static void
captures_become_fields(void **state)
{
    struct kb_match r[8];
    struct buf b;
    buf_init(&b, 1024);
    match(*state, "link error on mlx5_3, reason 12", "any", r);
    assert_int_equal(kb_match_fields(&r[0], &b), 0);
    assert_string_equal(buf_str(&b), "{\"nic\":\"mlx5_3\",\"code\":\"12\"}");
    buf_done(&b);
}

static void
captures_and_context_name_the_entity(void **state)
{
    (void)state;
    static const struct {
        const char *scope, *name, *text, *node, *job;
        int rank, rc;
        const char *want;
    } cases[] = {
        {"gpu", "gpu", "3", "n1", "", -1, 0, "gpu:n1/3"},
        {"gpu", "pci", "0000:5a:00", "n1", "", -1, ERR_NOTFOUND, "node:n1"},
        {"gpu", "pci", "0000:5a:00", "", "7", -1, ERR_NOTFOUND, "job:7"},
        {"gpu", "pci", "0000:5a:00", "", "", -1, ERR_NOTFOUND, ""},
        {"node", "node", "n9", "n1", "", -1, 0, "node:n9"},
        {"node", "x", "", "n1", "", -1, 0, "node:n1"},
        {"nic", "nic", "mlx5_0:1", "n1", "", -1, 0, "nic:n1/mlx5_0"},
        {"port", "port", "Ethernet1/1", "leaf-1", "", -1, 0, "port:leaf-1/Ethernet1/1"},
        {"optic", "nic", "mlx5_0", "n1", "", -1, 0, "optic:n1/mlx5_0"},
        {"switch", "x", "", "leaf-1", "", -1, 0, "switch:leaf-1"},
        {"rank", "rank", "37", "", "4711", -1, 0, "rank:4711/37"},
        {"rank", "x", "", "", "", 12, 0, "rank:-/12"},
        {"rank", "x", "", "n1", "4711", -1, ERR_NOTFOUND, "node:n1"},
        {"job", "x", "", "n1", "4711", 3, 0, "job:4711"},
        {"job", "x", "", "n1", "", 3, ERR_NOTFOUND, "node:n1"},
        {"nvswitch", "nvswitch", "2", "n1", "", -1, 0, "nvswitch:n1/2"},
        {"storage", "mount", "/data", "n1", "", -1, ERR_NOTFOUND, "node:n1"},
        {"gpu", "gpu", "3 \"", "n1", "", -1, ERR_NOTFOUND, "node:n1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kb_match m = {.scope = cases[i].scope, .capture_count = 1};
        m.captures[0] = (struct kb_capture){cases[i].name, cases[i].text, strlen(cases[i].text)};
        char out[ENTITY_SIZE];
        int rc = kb_match_entity(&m, cases[i].node, cases[i].job, cases[i].rank, out, sizeof out);
        if (rc != cases[i].rc || strcmp(out, cases[i].want) != 0)
            print_error("case %zu: %d %s\n", i, rc, out);
        assert_int_equal(rc, cases[i].rc);
        assert_string_equal(out, cases[i].want);
    }
}

static void
builtin_opens_in_milliseconds(void **state)
{
    (void)state;
    struct kb_matcher *m = NULL;
    int64_t start = clock_mono_us();
    assert_int_equal(kb_matcher_builtin(&m, NULL), 0);
    int64_t took = clock_mono_us() - start;
    print_message("# built-in patterns open in %.2f ms\n", (double)took / 1000);
    assert_true(took < 150000); /* 0.2 s is what a diagnosis may take to start */
    struct kb_scratch *s = kb_scratch_new(m);
    struct kb_match r[8];
    static const char line[] =
        "kernel: NVRM: Xid (PCI:0000:5a:00): 79, pid=1234, GPU has fallen off the bus.";
    assert_true(kb_match_line(m, s, line, strlen(line), "kernel", r, 8) >= 1);
    assert_string_equal(r[0].id, "nvidia.xid.79");
    kb_scratch_free(s);
    kb_matcher_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_more_specific_pattern_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(source_decides_which_patterns_apply, setup, teardown),
        cmocka_unit_test_setup_teardown(clearing_line_is_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_lines_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_go_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(database_of_another_library_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_bytes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_one_matcher, setup, teardown),
        cmocka_unit_test_setup_teardown(captures_become_fields, setup, teardown),
        cmocka_unit_test(captures_and_context_name_the_entity),
        cmocka_unit_test(builtin_opens_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
