/* offline: logs of failed jobs as the software prints them, each with what it has to be told apart
 * as. A case is a text file in tests/analyzer/logs: a head (what, verdict, class, cause, entity,
 * missing; alternatives with |, an entity by its beginning), then files, `== PATH [for LIST [per
 * N]]`: one file a number r of the list, with {r}, {n} = r / N, {g} = r % N and {ms} filled in.
 * Files under healthy/ are of a healthy run to compare with.
 *
 * All cases run; the score is printed, and each row that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/offline.h"
#include "base/str.h"

#define LOGS_NUMBERS 4096

static struct kb *kb;
static struct kb_matcher *matcher;
static char logs[1024];

struct expected {
    char what[256], verdict[32], class_name[64], cause[256], entity[256], missing[64];
};

static int
setup(void **state)
{
    const char *src = getenv("MS_SRCDIR");
    struct err err;
    (void)state;
    snprintf(logs, sizeof logs, "%s/tests/analyzer/logs", src ? src : "..");
    return kb_load(NULL, &kb, &err) || kb_matcher_builtin(&matcher, &err);
}

static int
teardown(void **state)
{
    (void)state;
    kb_matcher_free(matcher);
    kb_free(kb);
    return 0;
}

/* --- a case's files ----------------------------------------------------------------------------
 */

/* "0-3,7" -> the numbers */
static size_t
numbers(const char *list, unsigned at[LOGS_NUMBERS])
{
    size_t n = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        unsigned long from = strtoul(list, &end, 10), to = from;
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        for (; from <= to && n < LOGS_NUMBERS; from++)
            at[n++] = (unsigned)from;
        list = end + (*end == ',');
    }
    return n;
}

/* Fills {r}, {n}, {g}, {ms} in. */
static void
fill(const char *text, size_t len, unsigned r, unsigned per, FILE *out)
{
    const struct {
        const char *name;
        char value[16];
    } rows[] = {{"{r}", ""}, {"{n}", ""}, {"{g}", ""}, {"{ms}", ""}};
    char values[4][16];
    snprintf(values[0], sizeof values[0], "%u", r);
    snprintf(values[1], sizeof values[1], "%u", r / per);
    snprintf(values[2], sizeof values[2], "%u", r % per);
    snprintf(values[3], sizeof values[3], "%03u", (r * 137 + 11) % 1000);
    for (size_t i = 0; i < len;) {
        size_t k = 0, n = 0;
        for (; text[i] == '{' && k < 4; k++) {
            n = strlen(rows[k].name);
            if (n <= len - i && !strncmp(text + i, rows[k].name, n))
                break;
        }
        if (text[i] == '{' && k < 4) {
            fputs(values[k], out);
            i += n;
        } else {
            fputc(text[i++], out);
        }
    }
}

static void
folders_make(char *path)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        assert_true(!mkdir(path, 0700) || errno == EEXIST);
        *p = '/';
    }
}

/* One `== ` section with its body into files under folder. */
static void
section_write(const char *folder, char *head, const char *body, size_t len)
{
    static unsigned at[LOGS_NUMBERS];
    char *list = strstr(head, " for "), *per = list ? strstr(list, " per ") : NULL;
    size_t n = 1;
    at[0] = 0;
    if (list) {
        *list = 0;
        n = numbers(list + 5, at);
    }
    unsigned size = per ? (unsigned)atoi(per + 5) : 8;
    for (size_t i = 0; i < n; i++) {
        char path[2048], name[512] = "";
        FILE *f = fmemopen(name, sizeof name, "w");
        fill(head, strlen(head), at[i], size, f);
        fclose(f);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (str_prefix(name, "healthy/"))
            snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(folder, '/') - folder), folder,
                     name);
        folders_make(path);
        f = fopen(path, "a");
        assert_non_null(f);
        fill(body, len, at[i], size, f);
        fclose(f);
    }
}

static void
head_line(struct expected *e, const char *line)
{
    const struct {
        const char *key;
        char *at;
        size_t size;
    } rows[] = {
        {"what: ", e->what, sizeof e->what},       {"verdict: ", e->verdict, sizeof e->verdict},
        {"cause: ", e->cause, sizeof e->cause},    {"class: ", e->class_name, sizeof e->class_name},
        {"entity: ", e->entity, sizeof e->entity}, {"missing: ", e->missing, sizeof e->missing},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_prefix(line, rows[i].key)) {
            str_copy(rows[i].at, rows[i].size, line + strlen(rows[i].key));
            return;
        }
    fail_msg("no such key: %s", line);
}

/* Unpacks a case under folder. */
static void
case_unpack(const char *path, const char *folder, struct expected *e)
{
    struct buf text;
    struct err err;
    assert_int_equal(file_read(path, 16u << 20, &text, &err), 0);
    char *p = strdup(buf_str(&text));
    *e = (struct expected){0};
    buf_done(&text);
    char *all = p;
    while (*p && strncmp(p, "== ", 3)) {
        char *nl = strchr(p, '\n');
        *nl = 0;
        head_line(e, p);
        p = nl + 1;
    }
    while (*p) {
        char *head = p + 3, *body = strchr(head, '\n'), *next = strstr(body, "\n== ");
        *body++ = 0;
        size_t len = next ? (size_t)(next + 1 - body) : strlen(body);
        p = body + len;
        section_write(folder, head, body, len);
    }
    free(all);
}

static int
forget(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* --- judging -----------------------------------------------------------------------------------
 */

/* One of the alternatives `a | b`, whole or as a beginning; nothing expected: anything. */
static bool
one_of(const char *expected, const char *got, bool beginning)
{
    char word[256];
    while (*expected) {
        size_t n = strcspn(expected, "|"), len = n;
        while (len && expected[len - 1] == ' ')
            len--;
        snprintf(word, sizeof word, "%.*s", (int)len, expected);
        if (beginning ? str_prefix(got, word) : !strcmp(got, word))
            return true;
        expected += n + (expected[n] == '|');
        expected += strspn(expected, " ");
    }
    return false;
}

struct score {
    unsigned cases, verdict, class_name, cause, entity, missing, whole;
};

static bool
case_missing(const struct diagnosis *d, const char *expected)
{
    for (size_t i = 0; d->hypothesis_count && i < d->hypotheses[0].missing_count; i++)
        if (strstr(d->hypotheses[0].missing[i].signal, expected) ||
            strstr(d->hypotheses[0].missing[i].why.en, expected))
            return true;
    return false;
}

static void
case_judge(const char *name, const struct expected *e, const struct diagnosis *d, struct score *s)
{
    const struct hypothesis *h = d->hypothesis_count ? &d->hypotheses[0] : NULL;
    const char *class_name = h ? h->class_name : "", *cause = h ? h->cause : "",
               *entity = h ? h->entity : "";
    bool verdict = one_of(e->verdict, verdict_word(d->verdict), false),
         class_ok = !*e->class_name || one_of(e->class_name, class_name, false),
         cause_ok = !*e->cause || one_of(e->cause, h ? cause : "none", false),
         entity_ok = !*e->entity || one_of(e->entity, entity, true),
         missing = !*e->missing || case_missing(d, e->missing);
    s->cases++;
    s->verdict += verdict;
    s->class_name += class_ok;
    s->cause += cause_ok;
    s->entity += entity_ok;
    s->missing += missing;
    s->whole += verdict && class_ok && cause_ok && entity_ok && missing;
    if (verdict && class_ok && cause_ok && entity_ok && missing)
        return;
    print_message("# %s: %s\n#   expected %s, %s, %s, %s %s\n#   got      %s, %s, %s, %s (%.2f)\n",
                  name, e->what, e->verdict, e->class_name, e->cause, e->entity, e->missing,
                  verdict_word(d->verdict), class_name, cause, entity, d->confidence);
    for (size_t i = 1; i < d->hypothesis_count && i < 4; i++)
        print_message("#   then     %s %s (%.2f)\n", d->hypotheses[i].cause,
                      d->hypotheses[i].entity, d->hypotheses[i].confidence);
}

static void
case_run(const char *name, struct score *s)
{
    char path[2048], folder[] = "/tmp/ms-logs-XXXXXX", inside[256];
    struct expected e;
    struct err err;
    struct diagnosis *d = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/%s", logs, name);
    snprintf(inside, sizeof inside, "%s/case", folder);
    case_unpack(path, inside, &e);
    struct offline *o = offline_new(kb, matcher);
    assert_non_null(o);
    snprintf(path, sizeof path, "%s/healthy", folder);
    if (!access(path, F_OK))
        assert_int_equal(offline_healthy(o, path, &err), 0);
    assert_int_equal(offline_path(o, inside, &err), 0);
    assert_int_equal(offline_finish(o, &d, &err), 0);
    case_judge(name, &e, d, s);
    diagnosis_free(d);
    offline_free(o);
    nftw(folder, forget, 16, FTW_DEPTH | FTW_PHYS);
}

static int
is_case(const struct dirent *d)
{
    const char *only = getenv("MS_LOGS_ONLY");
    return str_suffix(d->d_name, ".case") && (!only || strstr(d->d_name, only));
}

static void
logs_of_failed_jobs_are_told_apart(void **state)
{
    struct dirent **names;
    struct score s = {0};
    (void)state;
    int n = scandir(logs, &names, is_case, versionsort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        case_run(names[i]->d_name, &s);
        free(names[i]);
    }
    free(names);
    print_message("# of %u cases right: verdict %u, class %u, cause %u, entity %u, missing %u, "
                  "all of it %u\n",
                  s.cases, s.verdict, s.class_name, s.cause, s.entity, s.missing, s.whole);
    assert_int_equal(s.whole, s.cases);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_of_failed_jobs_are_told_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
