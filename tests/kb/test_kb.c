/* Tests of kb: what the schema takes and refuses, links, digest, override by a site, search,
 * explanation. */
#include "tests/kb/kb_test.h"

#include "base/doc.h"
#include "base/str.h"

#include <unistd.h>

static void
entry_keeps_what_it_says(void **state)
{
    (void)state;
    struct kb *kb = kb_test_good(
        KB_TEST_HEAD("a.b.1") "  signals:\n"
                              "    - log: {pattern: 'Xid (?<code>79)', source: kernel, match: "
                              "['Xid 79'], reject: ['Xid 7']}\n"
                              "    - metric: {expr: 'x > 1', for: 5m}\n"
                              "    - trap: {oid: 1.3.6.1}\n"
                              "    - delta: {metric: m, over: 30s, above: 2.5}\n"
                              "    - code: {is: '0x80E2'}\n"
                              "  clears: {after: 10m, pattern: 'back again'}\n"
                              "  causes:\n    - {symptom: a.b.1, path: gpu>node>gpu, probability: "
                              "0.5, delay: [1s, 2s]}\n"
                              "  advice:\n    - by: V\n      source: S\n      version: '1'\n      "
                              "says: {en: Do, zh: 做}\n"
                              "  references:\n    - {title: T, url: 'https://example.org/'}\n");
    const struct kb_entry *e = kb_find(kb, "a.b.1");
    assert_non_null(e);
    assert_string_equal(e->class_name, "gpu");
    assert_string_equal(e->domain, "t");
    assert_int_equal(e->scope, ENTITY_GPU);
    assert_int_equal(e->severity, SEVERITY_CRITICAL);
    assert_true(e->prior == 20 && e->background == 0.1);
    assert_string_equal(e->title.zh, "掉卡");
    assert_int_equal(e->signal_count, 5);
    assert_string_equal(e->signals[0].source, "kernel");
    assert_string_equal(e->signals[0].reject[0], "Xid 7");
    assert_int_equal(e->signals[1].for_ms, 300000);
    assert_true(e->signals[3].above == 2.5);
    assert_int_equal(e->clear_after_ms, 600000);
    assert_string_equal(e->clear_pattern, "back again");
    assert_int_equal(e->cause_count, 1);
    assert_ptr_equal(e->causes[0].entry, e);
    assert_int_equal(e->causes[0].path_len, 3);
    assert_int_equal(e->causes[0].delay_max_ms, 2000);
    assert_string_equal(e->advice[0].says.zh, "做");
    assert_ptr_equal(kb_find_code(kb, "80e2"), e);
    assert_ptr_equal(kb_find_code(kb, "a.b.1"), e);
    size_t n = 0;
    const struct kb_why *w = kb_causes_of(kb, e, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(w->entry, e);
    kb_free(kb);
}

static void
bad_entries_are_named_with_place_and_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"- id: a\n  clas: gpu\n", "t.yaml:2:3: unknown key clas; did you mean class?"},
        {"- id: A B\n", "t.yaml:1:7: an entry begins with an id of lower-case letters"},
        {"id: a\n", "a file of entries is a list"},
        {"- id: a\n", "a has no class"},
        {"- id: a\n", "a has no signals"},
        {KB_TEST_HEAD("a") "  signals: []\n", "a has no usable signal"},
        {KB_TEST_HEAD("a") KB_TEST_LOG("x(", "x"), "missing closing parenthesis"},
        {KB_TEST_HEAD("a") "  signals:\n    - log: {pattern: x}\n",
         "at least one whole line under match"},
        {KB_TEST_HEAD("a") "  signals:\n    - log: {pattern: x, match: [x], source: jobs}\n",
         "not jobs"},
        {KB_TEST_HEAD("a") "  signals:\n    - lgo: {pattern: x}\n",
         "unknown key lgo; did you mean log?"},
        {KB_TEST_HEAD("a") "  signals:\n    - {code: {is: x}, trap: {oid: 1.2}}\n",
         "a signal is one of"},
        {KB_TEST_HEAD("a") "  signals:\n    - trap: {oid: ifDown}\n", "not an OID in numbers"},
        {KB_TEST_HEAD("a") "  signals:\n    - metric: {expr: x, for: soon}\n",
         "soon is not a duration"},
        {KB_TEST_HEAD("a") KB_TEST_LOG(
             "xx", "xx") "  causes:\n    - {symptom: b, probability: 0.1, delay: [0s, 1s]}\n",
         "a names the symptom b, which is no entry's id"},
        {KB_TEST_HEAD("a") KB_TEST_LOG("xx", "xx") "  causes:\n    - {symptom: a, path: gpu>node, "
                                                   "probability: 0.1, delay: [0s, 1s]}\n",
         "the path to a runs from gpu to node"},
        {KB_TEST_HEAD("a") KB_TEST_LOG("xx", "xx") "  causes:\n    - {symptom: a, path: gpu>moon, "
                                                   "probability: 0.1, delay: [0s, 1s]}\n",
         "moon is no kind of entity"},
        {KB_TEST_HEAD("a") KB_TEST_LOG(
             "xx", "xx") "  causes:\n    - {symptom: a, probability: 2, delay: [0s, 1s]}\n",
         "probability is a number from 0 to 1"},
        {KB_TEST_HEAD("a") KB_TEST_LOG("xx", "xx") KB_TEST_HEAD("a") KB_TEST_LOG("xx", "xx"),
         "the id a is already used at t.yaml line 1"},
        {"- id: a\n  title:\n    en: only\n", "title has no zh text"},
        {"- id: a\n  class: gpus\n", "gpus is no class of causes"},
        {"- id: a\n  scope: moon\n", "moon is no kind of entity"},
        {"- id: a\n  role: boss\n", "not boss"},
        {"- id: a\n  clears:\n    event: x\n", "has no"},
        {"- id: a\n\tclass: b\n", "t.yaml:2"},
        {"- id: a\n  references:\n    - {title: x, url: 'ftp://x'}\n", "begins with https://"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf problems;
        buf_init(&problems, 65536);
        struct kb *kb = kb_test_read(cases[i].text, &problems);
        if (!strstr(buf_str(&problems), cases[i].said))
            print_error("case %zu wants \"%s\", got:\n%s", i, cases[i].said, buf_str(&problems));
        assert_non_null(strstr(buf_str(&problems), cases[i].said));
        kb_free(kb);
        buf_done(&problems);
    }
}

static const char family_text[] =
    "- id: v.e.7\n"
    "  class: gpu\n  scope: gpu\n  role: root\n  severity: info\n  prior: 1\n"
    "  title: {en: By hand, zh: 手写}\n  description: {en: D, zh: 描}\n  actions: [{en: A, zh: "
    "做}]\n"
    "  signals:\n    - code: {is: E7}\n" KB_TEST_HEAD("v.e.8") KB_TEST_LOG(
        "error 8, own words",
        "dev 1 error 8, own words") "- id: v.e\n"
                                    "  family:\n"
                                    "    title: {en: 'Code {code}, {name}', zh: '错误码 "
                                    "{code},{name}'}\n"
                                    "    log: {pattern: 'dev (?<gpu>[0-9]+) error "
                                    "(?<code>[0-9]+),', source: kernel, match: ['dev 1 error 9, "
                                    "x']}\n"
                                    "    codes: ['E{code}']\n"
                                    "    advice: {by: V, source: S, version: '1'}\n"
                                    "    buckets:\n"
                                    "      - name: RESET\n        class: gpu\n        scope: gpu\n "
                                    "       role: root\n        severity: critical\n"
                                    "        prior: 2\n        description: {en: D, zh: 描}\n      "
                                    "  actions: [{en: Reset., zh: 复位。}]\n"
                                    "        says: {en: Reset, zh: 复位}\n"
                                    "    rows:\n"
                                    "      - {code: 7, name: seven, bucket: RESET}\n"
                                    "      - {code: 8, name: eight, bucket: RESET}\n"
                                    "      - {code: 9, name: nine, zh: 九, bucket: RESET, "
                                    "severity: warning, leads: [E7]}\n"
                                    "      - {code: '*', name: any, bucket: RESET}\n";

static void
family_rows_become_entries_unless_written_by_hand(void **state)
{
    (void)state;
    struct kb *kb = kb_test_good(family_text);
    assert_int_equal(kb_count(kb), 4);
    assert_string_equal(kb_find(kb, "v.e.7")->title.en, "By hand");
    const struct kb_entry *e = kb_find_code(kb, "E9");
    assert_non_null(e);
    assert_string_equal(e->id, "v.e.9");
    assert_string_equal(e->title.zh, "错误码 9,九");
    assert_int_equal(e->severity, SEVERITY_WARNING);
    assert_string_equal(e->causes[0].symptom, "v.e.7");
    assert_string_equal(e->advice[0].says.zh, "复位");
    struct kb_matcher *m = NULL;
    assert_int_equal(kb_matcher_new(kb, &m, NULL), 0);
    struct kb_scratch *s = kb_scratch_new(m);
    static const char *const want[][2] = {{"dev 3 error 7, x", "v.e.7"},
                                          {"dev 3 error 9, x", "v.e.9"},
                                          {"dev 3 error 12, x", "v.e.other"},
                                          {"dev 3 error 8, own words", "v.e.8"}};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        struct kb_match match[4];
        assert_int_equal(kb_match_line(m, s, want[i][0], strlen(want[i][0]), "kernel", match, 4),
                         1);
        assert_string_equal(match[0].id, want[i][1]);
    }
    struct kb_match
        none[4]; /* the hand-written entry of code 8 has a pattern, which does not take this line */
    assert_int_equal(kb_match_line(m, s, "dev 3 error 8, x", 16, "kernel", none, 4), 0);
    kb_scratch_free(s);
    kb_matcher_free(m);
    kb_free(kb);
}

static void
digest_gives_the_same_knowledge_back(void **state)
{
    (void)state;
    struct kb *kb = kb_test_good(family_text), *again = kb_new();
    struct buf a, b;
    buf_init(&a, 1u << 20);
    buf_init(&b, 1u << 20);
    assert_int_equal(kb_digest_encode(kb, &a), 0);
    assert_int_equal(kb_digest_decode(again, a.data, a.len), 0);
    assert_int_equal(kb_finish(again, &(struct kb_problems){0}), 0);
    assert_int_equal(kb_digest_encode(again, &b), 0);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_string_equal(kb_find_code(again, "E9")->title.en, "Code 9, nine");
    kb_free(kb);
    kb_free(again);
    buf_done(&a);
    buf_done(&b);
}

static void
damaged_digest_is_refused(void **state)
{
    (void)state;
    struct kb *kb = kb_test_good(family_text);
    struct buf a;
    buf_init(&a, 1u << 20);
    assert_int_equal(kb_digest_encode(kb, &a), 0);
    for (size_t cut = 0; cut < a.len; cut++) {
        struct kb *again = kb_new();
        assert_int_equal(kb_digest_decode(again, a.data, cut), ERR_CORRUPT);
        kb_free(again);
    }
    for (size_t i = 0; i < a.len; i++) { /* any one byte changed: an answer, never a crash */
        struct kb *again = kb_new();
        a.data[i] = (char)(a.data[i] ^ 0x5a);
        (void)kb_digest_decode(again, a.data, a.len);
        a.data[i] = (char)(a.data[i] ^ 0x5a);
        kb_free(again);
    }
    kb_free(kb);
    buf_done(&a);
}

static void
write_site(const char *folder, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/site.yaml", folder);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void
site_overrides_and_extends_by_id(void **state)
{
    (void)state;
    char folder[] = "/tmp/kb-site-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    struct kb *plain = NULL, *kb = NULL;
    struct err err = {0};
    assert_int_equal(kb_load(NULL, &plain, &err), 0);
    const struct kb_entry *had = kb_find(plain, "nvidia.xid.79");
    assert_non_null(had);
    write_site(folder, "- id: nvidia.xid.79\n  severity: info\n  extend: true\n  actions:\n"
                       "    - en: Call the site's desk.\n      zh: 联系现场值班。\n" KB_TEST_HEAD(
                           "site.one") KB_TEST_LOG("site fault", "a site fault"));
    assert_int_equal(kb_load(folder, &kb, &err), 0);
    const struct kb_entry *e = kb_find(kb, "nvidia.xid.79");
    assert_int_equal(e->severity, SEVERITY_INFO);
    assert_int_equal(e->action_count, had->action_count + 1);
    assert_string_equal(e->title.en, had->title.en);
    assert_true(e->site && kb_find(kb, "site.one")->site);
    assert_int_equal(kb_count(kb), kb_count(plain) + 1);
    assert_true(kb_hash(kb) != kb_hash(plain));
    kb_free(kb);
    write_site(folder, "- id: nvidia.xid.79\n  severity: fatal\n");
    assert_int_equal(kb_load(folder, &kb, &err), ERR_SYNTAX);
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.file, "site.yaml"));
    assert_non_null(strstr(err.text, "not fatal"));
    kb_free(plain);
    snprintf(path, sizeof path, "%s/site.yaml", folder);
    unlink(path);
    rmdir(folder);
    assert_int_equal(kb_load(folder, &kb, &err), ERR_NOTFOUND);
}

static void
example_of_a_site_loads_and_passes_lint(void **state)
{
    (void)state;
    char folder[1024];
    const char *src = getenv("MS_SRCDIR");
    snprintf(folder, sizeof folder, "%s/examples/kb", src ? src : "..");
    struct kb *kb = NULL;
    struct buf problems;
    buf_init(&problems, 1u << 20);
    assert_int_equal(kb_load_site(folder, &kb, &problems, NULL), 0);
    kb_lint(kb, &problems);
    if (problems.len)
        print_error("%s", buf_str(&problems));
    assert_int_equal(problems.len, 0);
    assert_true(kb_find(kb, "site.power-cap-script")->site);
    kb_free(kb);
    buf_done(&problems);
}

static void
site_lint_tells_every_problem(void **state)
{
    (void)state;
    char folder[] = "/tmp/kb-site-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    write_site(folder, "- id: nvidia.xid.79\n  severity: fatal\n- id: site.x\n  role: boss\n");
    struct kb *kb = NULL;
    struct buf problems;
    buf_init(&problems, 65536);
    assert_int_equal(kb_load_site(folder, &kb, &problems, NULL), 0);
    assert_non_null(strstr(buf_str(&problems), "site.yaml:2:13: severity is"));
    assert_non_null(strstr(buf_str(&problems), "site.yaml:4:9: role is"));
    assert_non_null(kb_find(kb, "nvidia.xid.79")); /* the built-in one stands */
    kb_free(kb);
    buf_done(&problems);
    snprintf(path, sizeof path, "%s/site.yaml", folder);
    unlink(path);
    rmdir(folder);
}

static void
search_finds_in_both_languages(void **state)
{
    (void)state;
    struct kb *kb = NULL;
    assert_int_equal(kb_load(NULL, &kb, NULL), 0);
    static const char *const cases[][2] = {
        {"xid 79", "nvidia.xid.79"},
        {"nvidia.xid.79", "nvidia.xid.79"},
        {"掉卡", "nvidia.xid.79"},
        {"fallen off the bus", "nvidia.xid.79"},
        {"NODE fallen Silent", "node.absent"},
        {"节点失联", "node.absent"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct kb_hit hits[5];
        size_t n = kb_search(kb, cases[i][0], hits, 5), at = 0;
        while (at < n && strcmp(hits[at].entry->id, cases[i][1]) != 0)
            at++;
        if (at == n)
            print_error("%s: first is %s of %zu\n", cases[i][0], n ? hits[0].entry->id : "none", n);
        assert_true(at < n);
    }
    struct kb_hit one[1];
    assert_int_equal(kb_search(kb, "", one, 1), 0);
    assert_int_equal(kb_search(kb, "qqqqzzzz", one, 1), 0);
    assert_int_equal(kb_search(kb, "\xff\xe6\xe6\xff", one, 1), 0);
    kb_free(kb);
}

static void
every_entry_has_json_and_text_in_both_languages(void **state)
{
    (void)state;
    struct kb *kb = NULL;
    assert_int_equal(kb_load(NULL, &kb, NULL), 0);
    for (size_t i = 0; i < kb_count(kb); i++) {
        struct buf out;
        struct doc *d = NULL;
        buf_init(&out, 1u << 20);
        assert_int_equal(kb_entry_json(kb_at(kb, i), &out), 0);
        assert_int_equal(doc_parse_json(buf_str(&out), out.len, "entry", &d, NULL), 0);
        assert_string_equal(doc_get_str(doc_root(d), "id", ""), kb_at(kb, i)->id);
        doc_free(d);
        buf_reset(&out);
        assert_int_equal(kb_entry_explain(kb_at(kb, i), "en", &out), 0);
        assert_non_null(strstr(buf_str(&out), "What to do"));
        buf_reset(&out);
        assert_int_equal(kb_entry_explain(kb_at(kb, i), "zh", &out), 0);
        assert_non_null(strstr(buf_str(&out), "处理步骤"));
        buf_done(&out);
    }
    kb_free(kb);
}

static void
lint_names_lines_that_go_astray(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {KB_TEST_HEAD("a") KB_TEST_LOG("alpha beta", "alpha gamma"),
         "a: its line is not matched by its pattern"},
        {KB_TEST_HEAD("a") KB_TEST_LOG("alpha beta", "alpha beta") KB_TEST_HEAD("b")
             KB_TEST_LOG("alpha", "alpha"),
         "a: its line is matched by b too"},
        {KB_TEST_HEAD("a") KB_TEST_LOG(".*a.*", "xaxxx"), "has no run of 5 fixed characters"},
        {KB_TEST_HEAD("a") KB_TEST_LOG("alpha beta|", "alpha beta"), "matches an empty line"},
        {KB_TEST_HEAD("a") "  signals:\n    - code: {is: x}\n" KB_TEST_HEAD(
             "b") "  signals:\n    - code: {is: X}\n",
         "b: the code X belongs to a already"},
        {KB_TEST_HEAD("a") "  signals:\n    - log: {pattern: 'alpha', match: ['alpha'], reject: "
                           "['the alpha']}\n",
         "the line it must not match is matched"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out, 65536);
        struct kb *kb = kb_test_good(cases[i].text);
        assert_true(kb_lint(kb, &out) > 0);
        if (!strstr(buf_str(&out), cases[i].said))
            print_error("case %zu wants \"%s\", got:\n%s", i, cases[i].said, buf_str(&out));
        assert_non_null(strstr(buf_str(&out), cases[i].said));
        kb_free(kb);
        buf_done(&out);
    }
}

static void
classes_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(kb_class("optic")->zh, "光模块或线缆");
    assert_null(kb_class("optics"));
    assert_null(kb_class(NULL));
}

static void
every_class_in_use_tells_what_settles_it_in_two_languages(void **state)
{
    struct err err;
    struct kb *kb = NULL;
    (void)state;
    assert_int_equal(kb_load(NULL, &kb, &err), 0);
    assert_true(kb_count(kb) > 0);
    for (size_t i = 0; i < kb_count(kb); i++) {
        const struct kb_text *t = kb_class_test(kb_at(kb, i)->class_name);
        assert_non_null(t);
        assert_true(strlen(t->en) > 20 && t->en[strlen(t->en) - 1] == '.');
        assert_true(strlen(t->zh) > 20 && strcmp(t->zh, t->en));
    }
    assert_null(kb_class_test("optics"));
    kb_free(kb);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entry_keeps_what_it_says),
        cmocka_unit_test(bad_entries_are_named_with_place_and_sentence),
        cmocka_unit_test(family_rows_become_entries_unless_written_by_hand),
        cmocka_unit_test(digest_gives_the_same_knowledge_back),
        cmocka_unit_test(damaged_digest_is_refused),
        cmocka_unit_test(site_overrides_and_extends_by_id),
        cmocka_unit_test(example_of_a_site_loads_and_passes_lint),
        cmocka_unit_test(site_lint_tells_every_problem),
        cmocka_unit_test(search_finds_in_both_languages),
        cmocka_unit_test(every_entry_has_json_and_text_in_both_languages),
        cmocka_unit_test(lint_names_lines_that_go_astray),
        cmocka_unit_test(classes_are_those_of_the_contract),
        cmocka_unit_test(every_class_in_use_tells_what_settles_it_in_two_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
