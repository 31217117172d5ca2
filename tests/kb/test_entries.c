/* Tests of the built-in entries themselves: the files pass every check, and loading is quick. */
#include "tests/kb/kb_test.h"

#include "base/clock.h"

static void
every_entry_passes_every_check(void **state)
{
    (void)state;
    char folder[1024];
    const char *src = getenv("MS_SRCDIR");
    snprintf(folder, sizeof folder, "%s/kb/entries", src ? src : "..");
    struct buf problems;
    struct kb *kb = NULL;
    struct err err = {0};
    buf_init(&problems, 4u << 20);
    assert_int_equal(kb_load_folder(folder, &kb, &problems, &err), 0);
    kb_lint(kb, &problems);
    if (problems.len)
        print_error("%s", buf_str(&problems));
    assert_int_equal(problems.len, 0);
    struct kb *builtin = NULL;
    assert_int_equal(kb_load(NULL, &builtin, &err), 0);
    assert_int_equal(kb_count(builtin), kb_count(kb));
    kb_free(builtin);
    kb_free(kb);
    buf_done(&problems);
}

static void
builtin_loads_in_milliseconds(void **state)
{
    (void)state;
    struct kb *kb = NULL;
    int64_t start = clock_mono_us();
    assert_int_equal(kb_load(NULL, &kb, NULL), 0);
    int64_t took = clock_mono_us() - start;
    print_message("# %zu entries load in %.2f ms\n", kb_count(kb), (double)took / 1000);
    assert_true(kb_count(kb) > 100);
    assert_true(took < 60000);
    start = clock_mono_us();
    struct kb_hit hits[10];
    kb_search(kb, "xid", hits, 10);
    print_message("# first search takes %.2f ms\n", (double)(clock_mono_us() - start) / 1000);
    start = clock_mono_us();
    kb_search(kb, "xid 79", hits, 10);
    print_message("# a later one %.2f ms\n", (double)(clock_mono_us() - start) / 1000);
    kb_free(kb);
}

static void
ordinary_output_means_nothing(void **state)
{
    (void)state;
    char path[1024], line[4096];
    const char *src = getenv("MS_SRCDIR");
    snprintf(path, sizeof path, "%s/tests/kb/ordinary.log", src ? src : "..");
    FILE *f = fopen(path, "r");
    struct kb_matcher *m = NULL;
    assert_non_null(f);
    assert_int_equal(kb_matcher_builtin(&m, NULL), 0);
    struct kb_scratch *s = kb_scratch_new(m);
    size_t lines = 0, wrong = 0;
    for (; fgets(line, sizeof line, f); lines++) {
        struct kb_match r[8];
        size_t n = kb_match_line(m, s, line, strcspn(line, "\n"), "any", r, 8);
        for (size_t i = 0; i < n; i++)
            if (!r[i].clears) {
                print_error("%s takes: %s", r[i].id, line);
                wrong++;
            }
    }
    fclose(f);
    assert_true(lines > 100);
    assert_int_equal(wrong, 0);
    kb_scratch_free(s);
    kb_matcher_free(m);
}

/* --- what healthy machines and jobs write, by template ---------------------------------------- */

#define ORDINARY_TIMES 4 /* each template that often, times the number before it */

/* Fills the variables of a template in; n makes the values differ. */
static size_t
ordinary_fill(const char *text, unsigned n, char *out, size_t size)
{
    static const char *const services[] = {
        "slurmd",    "nvidia-fabricmanager", "containerd", "chrony", "node_exporter",
        "apt-daily", "nvidia-dcgm",          "opensmd"};
    char values[9][40];
    const char *const names[] = {"{n}",   "{h}",  "{pci}", "{gpu}", "{node}",
                                 "{mac}", "{ip}", "{g}",   "{p}"};
    unsigned mixed = n * 2654435761u;
    size_t len = 0;
    snprintf(values[0], sizeof values[0], "%u", mixed % 9973);
    snprintf(values[1], sizeof values[1], "%08x", mixed);
    snprintf(values[2], sizeof values[2], "0000:%02x:%02x.%u", mixed % 250, mixed / 250 % 32,
             n % 8);
    snprintf(values[3], sizeof values[3], "0000:%02x:00.0", 0x18 + n % 8 * 0x1a);
    snprintf(values[4], sizeof values[4], "node%05u", 1 + mixed % 2304);
    snprintf(values[5], sizeof values[5], "0c:42:a1:%02x:%02x:%02x", n % 256, mixed % 256, 7);
    snprintf(values[6], sizeof values[6], "10.%u.%u.%u", n % 16, mixed % 256, 1 + n % 250);
    snprintf(values[7], sizeof values[7], "%u", n % 8);
    snprintf(values[8], sizeof values[8], "%u", 10 + n % 50);
    while (*text && len + 64 < size) {
        size_t k = 0;
        if (strncmp(text, "{svc}", 5) == 0) {
            len += (size_t)snprintf(out + len, size - len, "%s", services[n % 8]);
            text += 5;
            continue;
        }
        while (*text == '{' && k < 9 && strncmp(text, names[k], strlen(names[k])) != 0)
            k++;
        if (*text == '{' && k < 9) {
            len += (size_t)snprintf(out + len, size - len, "%s", values[k]);
            text += strlen(names[k]);
        } else {
            out[len++] = *text++;
        }
    }
    out[len] = 0;
    return len;
}

/* Matches of severity warning and above, printed. */
static size_t
ordinary_wrong(const struct kb_matcher *m, struct kb_scratch *s, const char *line, size_t len)
{
    struct kb_match r[8];
    size_t wrong = 0, n = kb_match_line(m, s, line, len, "any", r, 8);
    for (size_t i = 0; i < n; i++)
        if (!r[i].clears && r[i].severity != SEVERITY_INFO) {
            print_error("%s takes: %s\n", r[i].id, line);
            wrong++;
        }
    return wrong;
}

static size_t
ordinary_file(const struct kb_matcher *m, struct kb_scratch *s, const char *name, size_t *wrong)
{
    char path[1024], text[4096], line[8192];
    const char *src = getenv("MS_SRCDIR");
    size_t lines = 0;
    snprintf(path, sizeof path, "%s/tests/kb/ordinary/%s", src ? src : "..", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(text, sizeof text, f)) {
        text[strcspn(text, "\n")] = 0;
        if (*text != '*')
            continue;
        char *body;
        unsigned times = (unsigned)strtoul(text + 1, &body, 10) * ORDINARY_TIMES;
        for (unsigned i = 0; i < times; i++, lines++) {
            size_t len = ordinary_fill(body + 1, (unsigned)lines + i, line, sizeof line);
            *wrong += ordinary_wrong(m, s, line, len);
        }
    }
    fclose(f);
    return lines;
}

static void
thousands_of_ordinary_lines_raise_nothing(void **state)
{
    static const char *const files[] = {"kernel.lines", "services.lines", "jobs.lines"};
    struct kb_matcher *m = NULL;
    size_t lines = 0, wrong = 0;
    (void)state;
    assert_int_equal(kb_matcher_builtin(&m, NULL), 0);
    struct kb_scratch *s = kb_scratch_new(m);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        lines += ordinary_file(m, s, files[i], &wrong);
    print_message("# %zu ordinary lines\n", lines);
    assert_true(lines > 5000);
    assert_int_equal(wrong, 0);
    kb_scratch_free(s);
    kb_matcher_free(m);
}

/* Calls f for each word of a list of codes; # begins a comment. Returns their number. */
static size_t
each_code(const char *name, void (*f)(void *ctx, const char *code), void *ctx)
{
    char path[1024], line[4096];
    const char *src = getenv("MS_SRCDIR");
    size_t n = 0;
    snprintf(path, sizeof path, "%s/tests/kb/%s", src ? src : "..", name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        char *save = NULL;
        for (char *w = line[0] == '#' ? NULL : strtok_r(line, " \n", &save); w;
             w = strtok_r(NULL, " \n", &save), n++)
            f(ctx, w);
    }
    fclose(in);
    return n;
}

struct code_list {
    const struct kb *kb;
    const struct kb_matcher *m;
    struct kb_scratch *s;
    const char *prefix;
    size_t missing;
};

static void
code_leads_to_an_entry(void *ctx, const char *code)
{
    struct code_list *l = ctx;
    char text[128];
    snprintf(text, sizeof text, "%s%s", l->prefix, code);
    if (kb_find_code(l->kb, text))
        return;
    print_error("%s has no entry\n", text);
    l->missing++;
}

static void
every_code_in_force_leads_to_an_entry(void **state)
{
    (void)state;
    static const struct {
        const char *list, *prefix;
        size_t least;
    } cases[] = {{"codes-xid.list", "Xid ", 172},
                 {"codes-sxid.list", "SXid ", 93},
                 {"codes-dcgm.list", "DCGM_FR_", 134},
                 {"codes-ascend-device.list", "0x", 804},
                 {"codes-ascend-software.list", "", 1050}};
    struct code_list l = {0};
    struct kb *kb = NULL;
    assert_int_equal(kb_load(NULL, &kb, NULL), 0);
    l.kb = kb;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        l.prefix = cases[i].prefix;
        size_t n = each_code(cases[i].list, code_leads_to_an_entry, &l);
        print_message("# %zu codes of %s\n", n, cases[i].list);
        assert_true(n >= cases[i].least);
    }
    assert_int_equal(l.missing, 0);
    kb_free(kb);
}

/* "145,RLW_REMAP,0x00000040,Fatal" as the driver prints it leads to the row of its unit and status.
 */
static void
unit_is_decoded(void *ctx, const char *code)
{
    struct code_list *l = ctx;
    char copy[128], line[256], *save = NULL;
    struct kb_match r[4];
    snprintf(copy, sizeof copy, "%s", code);
    const char *xid = strtok_r(copy, ",", &save), *unit = strtok_r(NULL, ",", &save),
               *status = strtok_r(NULL, ",", &save), *severity = strtok_r(NULL, ",", &save);
    int n = snprintf(line, sizeof line,
                     "NVRM: Xid (PCI:0018:01:00): %s, %s %s XC0 i0 Link 13 (0x0409a0c2 %s "
                     "0x00000000 0x00000000 0x00000000 0x00000000)",
                     xid, unit, severity, status);
    size_t found = kb_match_line(l->m, l->s, line, (size_t)n, "kernel", r, 4);
    if (found == 1 && strncmp(r[0].id, "nvidia.nvlink5.", 15) == 0 && strstr(r[0].id, status))
        return;
    print_error("%s leads to %s\n", line, found ? r[0].id : "nothing");
    l->missing++;
}

static void
every_nvlink5_status_is_decoded(void **state)
{
    (void)state;
    struct code_list l = {0};
    struct kb_matcher *m = NULL;
    assert_int_equal(kb_matcher_builtin(&m, NULL), 0);
    l.m = m;
    l.s = kb_scratch_new(m);
    size_t n = each_code("codes-nvlink5.list", unit_is_decoded, &l);
    print_message("# %zu rows of NVLink 5 units\n", n);
    assert_true(n > 70);
    assert_int_equal(l.missing, 0);
    kb_scratch_free(l.s);
    kb_matcher_free(m);
}

static size_t
count_codes(const struct kb *kb, const char *prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < kb_count(kb); i++)
        for (size_t j = 0; j < kb_at(kb, i)->signal_count; j++) {
            const char *code = kb_at(kb, i)->signals[j].code;
            n += code && strncmp(code, prefix, strlen(prefix)) == 0;
        }
    return n;
}

static void
codes_are_found_however_they_are_written(void **state)
{
    (void)state;
    struct kb *kb = NULL;
    assert_int_equal(kb_load(NULL, &kb, NULL), 0);
    static const struct {
        const char *prefix;
        size_t least;
    } cases[] = {{"XID ", 172}, {"SXID ", 93},  {"DCGM_FR_", 134},
                 {"0x", 850},   {"AISW_", 700}, {"Comp_", 60}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = count_codes(kb, cases[i].prefix);
        print_message("# %zu codes %s\n", n, cases[i].prefix);
        assert_true(n >= cases[i].least);
    }
    static const char *const some[] = {"trap.1.3.6.1.6.3.1.1.5.3",
                                       "trap.1.3.6.1.4.1.2636.4.18.0.1",
                                       "SXid 12028",
                                       "SXID 20034",
                                       "DCGM_FR_PCI_REPLAY_RATE",
                                       "dcgm_fr_xid_error",
                                       "0x80E18400",
                                       "80e18400",
                                       "8F180245",
                                       "AISW_CANN_HCCL_029",
                                       "Comp_OS_HW_CPU_01"};
    for (size_t i = 0; i < COUNT_OF(some); i++)
        assert_non_null(kb_find_code(kb, some[i]));
    kb_free(kb);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_passes_every_check),
        cmocka_unit_test(ordinary_output_means_nothing),
        cmocka_unit_test(thousands_of_ordinary_lines_raise_nothing),
        cmocka_unit_test(every_code_in_force_leads_to_an_entry),
        cmocka_unit_test(every_nvlink5_status_is_decoded),
        cmocka_unit_test(codes_are_found_however_they_are_written),
        cmocka_unit_test(builtin_loads_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
