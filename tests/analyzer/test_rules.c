/* Rules: files with errors at their place, templates, an alert's life from pending to over, what is
 * recorded. */
#include "analyzer/rules_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file {
    char path[64];
};

static void
file_write(struct file *f, const char *text)
{
    snprintf(f->path, sizeof f->path, "/tmp/myriascope-rule-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const struct {
    const char *text, *says;
    unsigned line;
} broken[] = {
    {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up ==\n", "X", 5},
    {"groups:\n- name: a\n  rules:\n  - alert: X\n", "no 'expr'", 4},
    {"groups:\n- name: a\n  rules:\n  - alert: X\n    record: y\n    expr: up\n", "either", 4},
    {"groups:\n- name: a\n  rules:\n  - record: y\n    expr: up\n    for: 5m\n", "belong to alerts",
     4},
    {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    for: soon\n", "duration", 6},
    {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    annotations:\n      summary: "
     "'{{ nope \"up\" }}'\n",
     "template", 7},
    {"groups:\n- name: a\n- name: a\n", "two groups", 3},
    {"groups:\n- rules: []\n", "name", 2},
    {"group:\n- name: a\n", "groups", 1},
    {"groups:\n- name: a\n  rulez: []\n", "rulez", 3},
};

static void
a_broken_file_is_told_with_line_and_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct file f;
        struct err err = {0};
        struct rules *r = NULL;
        file_write(&f, broken[i].text);
        const char *files[] = {f.path, NULL};
        struct analyzer_config cfg = {.rule_files = files, .metrics = metric_table_new()};
        assert_true(rules_new(&cfg, &r, &err) < 0);
        if (!strstr(err.text, broken[i].says) || err.line != broken[i].line)
            fail_msg("case %zu: line %u, '%s'", i, err.line, err.text);
        metric_table_free((struct metric_table *)(uintptr_t)cfg.metrics);
        unlink(f.path);
    }
}

static const struct {
    const char *text;
    double value;
    const char *is;
} templates[] = {
    {"plain", 1, "plain"},
    {"{{ $labels.node }} at {{ $value }}", 12.5, "node1 at 12.5"},
    {"{{ $value | humanize }}", 1234567, "1.235M"},
    {"{{ humanize $value }}B", 0.00042, "420uB"},
    {"{{ humanize1024 $value }}", 2048, "2ki"},
    {"{{ $value | humanizePercentage }}", 0.123, "12.3%"},
    {"{{ humanizeDuration $value }}", 3725, "1h 2m 5s"},
    {"{{ humanizeDuration 90061 }}", 0, "1d 1h 1m 1s"},
    {"{{ printf \"%.2f dBm\" $value }}", -12.126, "-12.13 dBm"},
    {"{{ printf \"%s!\" $labels.node }}", 0, "node1!"},
    {"{{ $labels.node | toUpper }}{{- $labels.none -}}", 0, "NODE1"},
    {"{{ title \"all is well\" }}", 0, "All Is Well"},
    {"{{ if gt $value 5.0 }}high{{ else }}low{{ end }}", 6, "high"},
    {"{{ if gt $value 5.0 }}high{{ else if eq $labels.node \"node1\" }}one{{ end }}", 4, "one"},
    {"{{ with $x := \"in\" }}{{ . }}{{ $x }}{{ end }}", 0, "inin"},
    {"{{ range query \"up\" }}x{{ else }}none{{ end }}", 0, "none"},
    {"{{ query \"up\" | first }}", 0,
     "<error expanding template: first() called on vector with no elements>"},
    {"{{ range query }}", 0, NULL},
    {"{{ if true }}", 0, NULL},
    {"{{ end }}", 0, NULL},
    {"{{ $nope }}", 0, NULL},
    {"{{ if false }}{{ nope 1 }}{{ end }}", 0, NULL},
    {"{{ $value ", 0, NULL},
};

static void
templates_expand_labels_values_and_functions(void **state)
{
    struct labels l = {0};
    (void)state;
    labels_add_str(&l, "node", "node1");
    labels_finish(&l);
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        struct buf out;
        buf_init(&out, 4096);
        const struct rules_scope scope = {.labels = &l, .value = templates[i].value};
        int rc = rules_expand(templates[i].text, &scope, &out);
        assert_int_equal(rc != 0, templates[i].is == NULL);
        if (templates[i].is)
            assert_string_equal(buf_str(&out), templates[i].is);
        buf_done(&out);
    }
}

#define RULES                                                                                      \
    "groups:\n- name: g\n  interval: 1m\n  rules:\n"                                               \
    "  - record: job:hot:sum\n    expr: sum by (job) (hot)\n    labels: {of: site}\n"              \
    "  - alert: Hot\n    expr: hot > 90\n    for: 2m\n    keep_firing_for: 3m\n    labels: "       \
    "{severity: critical}\n"                                                                       \
    "    annotations: {summary: '{{ $labels.node }} is at {{ $value }}'}\n"

#define TESTS                                                                                      \
    "rule_files: ['%s']\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n"       \
    "  - {series: 'hot{job=\"a\",node=\"n1\"}', values: '10 10 95 95 95 95 10x20'}\n"              \
    "  - {series: 'hot{job=\"a\",node=\"n2\"}', values: '1+1x30'}\n"                               \
    "  alert_rule_test:\n"                                                                         \
    "  - {eval_time: 3m, alertname: Hot}\n"                                                        \
    "  - eval_time: 4m\n    alertname: Hot\n    exp_alerts:\n"                                     \
    "    - exp_labels: {severity: critical, job: a, node: n1}\n      exp_annotations: {summary: "  \
    "n1 is at 95}\n"                                                                               \
    "  - eval_time: 7m\n    alertname: Hot\n    exp_alerts:\n"                                     \
    "    - exp_labels: {severity: critical, job: a, node: n1}\n      exp_annotations: {summary: "  \
    "n1 is at 95}\n"                                                                               \
    "  - {eval_time: 9m, alertname: Hot}\n"                                                        \
    "  promql_expr_test:\n"                                                                        \
    "  - expr: job:hot:sum\n    eval_time: 1m\n    exp_samples: [{labels: "                        \
    "'job:hot:sum{job=\"a\",of=\"site\"}', value: %d}]\n"                                          \
    "  - expr: count(ALERTS{alertstate=\"firing\"})\n    eval_time: 5m\n    exp_samples: "         \
    "[{labels: '{}', value: 1}]\n"

static int
unit(const char *rules_path, int value, struct buf *out)
{
    struct file f;
    struct err err = {0};
    char text[4096];
    snprintf(text, sizeof text, TESTS, rules_path, value);
    file_write(&f, text);
    int rc = rules_test_file(f.path, out, &err);
    if (rc < 0)
        fail_msg("%s:%u: %s", err.file, err.line, err.text);
    unlink(f.path);
    return rc;
}

static void
unit_tests_run_rules_from_pending_to_over_and_count_what_differs(void **state)
{
    struct file rules;
    struct buf out;
    (void)state;
    file_write(&rules, RULES);
    buf_init(&out, 65536);
    int rc = unit(rules.path, 12, &out);
    if (rc)
        fail_msg("%s", buf_str(&out));
    assert_int_equal(unit(rules.path, 13, &out), 1);
    assert_non_null(strstr(buf_str(&out), "job:hot:sum at 1m"));
    buf_done(&out);
    unlink(rules.path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_file_is_told_with_line_and_sentence),
        cmocka_unit_test(templates_expand_labels_values_and_functions),
        cmocka_unit_test(unit_tests_run_rules_from_pending_to_over_and_count_what_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
