/* Active checks: what is asked of whom, how answers are judged, how many good nodes are refused. */
#include "analyzer/check_active.h"
#include "analyzer/check_priv.h"
#include "analyzer/efficiency.h"
#include "analyzer/lifetimes.h"
#include "base/doc.h"
#include "base/str.h"
#include "store/jobs.h"
#include "store/tasks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW   1795420800000
#define FLEET 2304

struct bed {
    char folder[64];
    struct store *s;
    struct metric_table *metrics;
    struct buf out;
};

static int
setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    struct buf text;
    strcpy(b->folder, "/tmp/ms-active-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    struct store_config cfg = {.folder = b->folder};
    assert_int_equal(store_open(&cfg, &b->s, &err), 0);
    b->metrics = metric_table_new();
    buf_init(&text, (size_t)1 << 20);
    buf_puts(&text, "version: 1\ncluster: {name: t}\nnodes:\n");
    for (int n = 1; n <= 6; n++)
        buf_printf(&text, "  - {name: n%d, gpus: {count: 1, vendor: nvidia, model: H100}}\n", n);
    assert_int_equal(topo_put_document(b->s, buf_str(&text), text.len, "topology", &err), 0);
    buf_done(&text);
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bed *b = *state;
    char command[160];
    store_close(b->s);
    metric_table_free(b->metrics);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    assert_int_equal(system(command), 0);
    free(b);
    return 0;
}

static uint64_t seed = 88172645463325252;

static double
dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

static double
normal(void)
{
    return sqrt(-2 * log(dice())) * cos(6.283185307179586 * dice());
}

/* What a node answers: as good nodes do, but its memory at `memory` of theirs. */
static void
answer(struct bed *b, const char *node, double memory)
{
    struct buf tasks;
    struct jsonw w;
    struct doc *d = NULL;
    char json[512];
    buf_init(&tasks, 1 << 20);
    jsonw_init(&w, &tasks);
    jsonw_array(&w);
    tasks_take(b->s, node, "10.0.0.1", &w);
    jsonw_end_array(&w);
    assert_int_equal(doc_parse_json(buf_str(&tasks), tasks.len, "tasks", &d, NULL), 0);
    for (const struct doc_node *t = doc_root(d)->first; t; t = t->next) {
        const char *test = doc_get_str(t, "test", "");
        double v = (!strcmp(test, "memory") ? 2e10 * memory : 1e9) * (1 + 0.02 * normal());
        int n = snprintf(json, sizeof json,
                         "{\"run\":\"%s\",\"id\":\"%s\",\"test\":\"%s\",\"status\":\"%s\","
                         "\"value\":%g,\"second\":%g,\"text\":\"\"}",
                         doc_get_str(t, "run", ""), doc_get_str(t, "id", ""), test,
                         !strcmp(test, "gpu") ? "absent" : "ok", v, 1e-4);
        tasks_result(b->s, node, json, (size_t)n);
    }
    doc_free(d);
    buf_done(&tasks);
}

static struct doc *
report(struct bed *b, struct check_request *req, const char *run)
{
    struct doc *d = NULL;
    struct buf out;
    struct err err = {0};
    req->active = run;
    req->began_ms = NOW;
    buf_init(&out, (size_t)8 << 20);
    if (check_run(b->s, b->metrics, NULL, req, NOW + 20000, &out, &err))
        fail_msg("%s", err.text);
    assert_int_equal(doc_parse_json(buf_str(&out), out.len, "report", &d, &err), 0);
    buf_done(&out);
    return d;
}

static const char *
verdict(const struct doc *d, const char *check, const char *entity)
{
    const struct doc_node *items = doc_get(doc_root(d), "items");
    for (const struct doc_node *i = items ? items->first : NULL; i; i = i->next)
        if (!strcmp(doc_get_str(i, "check", ""), check) &&
            !strcmp(doc_get_str(i, "entity", ""), entity))
            return doc_get_str(i, "verdict", "");
    return "pass";
}

static void
begin(struct bed *b, struct check_request *req, char run[64])
{
    struct doc *d = NULL;
    struct err err = {0};
    struct buf out;
    buf_init(&out, 65536);
    if (check_active_start(b->s, req, NOW, &out, &err))
        fail_msg("%s", err.text);
    assert_int_equal(doc_parse_json(buf_str(&out), out.len, "run", &d, &err), 0);
    str_copy(run, 64, doc_get_str(doc_root(d), "id", ""));
    assert_string_equal(doc_get_str(doc_root(d), "state", ""), "running");
    doc_free(d);
    buf_done(&out);
}

static void
a_node_with_slow_memory_is_refused_and_no_other(void **state)
{
    struct bed *b = *state;
    struct check_request req = {.profile = "prejob", .nodes = "n[1-6]", .tenant = "", .who = "t"};
    char run[64], node[8];
    begin(b, &req, run);
    assert_true(check_active_progress(b->s, run, NOW, NOW + 1000) < 0.01);
    for (int n = 1; n <= 6; n++) {
        snprintf(node, sizeof node, "n%d", n);
        answer(b, node, n == 3 ? 0.5 : 1);
    }
    assert_true(check_active_progress(b->s, run, NOW, NOW + 1000) >= 1);
    struct doc *d = report(b, &req, run);
    assert_string_equal(verdict(d, "active-memory", "node:n3"), "fail");
    assert_string_equal(verdict(d, "active-memory", "node:n2"), "pass");
    assert_string_equal(verdict(d, "active-disk", "node:n3"), "pass");
    assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "n3");
    assert_string_equal(doc_get_str(doc_root(d), "id", ""), run);
    doc_free(d);
}

static void
who_does_not_answer_is_unknown_after_a_minute(void **state)
{
    struct bed *b = *state;
    struct check_request req = {.profile = "prejob", .nodes = "n[1-6]", .tenant = "", .who = "t"};
    char run[64], node[8];
    begin(b, &req, run);
    for (int n = 1; n <= 5; n++) {
        snprintf(node, sizeof node, "n%d", n);
        answer(b, node, 1);
    }
    assert_true(check_active_progress(b->s, run, NOW, NOW + 30000) < 1);
    assert_true(check_active_progress(b->s, run, NOW, NOW + CHECK_ACTIVE_MS) >= 1);
    struct doc *d = report(b, &req, run);
    assert_string_equal(verdict(d, "active-memory", "node:n6"), "unknown");
    assert_string_equal(doc_get_str(doc_root(d), "exclude", ""), "");
    doc_free(d);
}

static void
a_node_with_a_job_is_left_alone_unless_asked(void **state)
{
    static const char job[] =
        "{\"state\":\"running\",\"nodes\":\"n[1-2]\",\"start\":\"2026-11-23T07:00:00Z\"}";
    struct bed *b = *state;
    struct check_request req = {.profile = "prejob", .nodes = "n[1-6]", .tenant = "", .who = "t"};
    struct err err;
    struct buf out;
    struct jsonw w;
    char run[64];
    assert_int_equal(job_put(b->s, "7", job, strlen(job), false, NULL, &err), 0);
    topo_settle(b->s);
    begin(b, &req, run);
    buf_init(&out, 65536);
    jsonw_init(&w, &out);
    jsonw_array(&w);
    tasks_take(b->s, "n1", "", &w);
    jsonw_end_array(&w);
    assert_string_equal(buf_str(&out), "[]");
    buf_reset(&out);
    req.busy = true;
    begin(b, &req, run);
    jsonw_init(&w, &out);
    jsonw_array(&w);
    tasks_take(b->s, "n1", "", &w);
    jsonw_end_array(&w);
    assert_non_null(strstr(buf_str(&out), "\"test\":\"memory\""));
    assert_non_null(strstr(buf_str(&out), "\"peer\":\"n2\""));
    buf_done(&out);
}

static int
order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Fifty healthy fleets, each test with the noise that it has: narrow for memory, wide for disks and
 * round trips, with a tail of nodes that happened to be at something else. */
static void
of_good_nodes_at_most_one_in_two_hundred_is_refused(void **state)
{
    static const struct {
        const char *check;
        double sigma, tail; /* of the logarithm; share of nodes at two thirds */
    } noise[] = {{"active-loopback", 0.12, 0.01},
                 {"active-memory", 0.04, 0.01},
                 {"active-disk", 0.35, 0.02},
                 {"active-pair-bandwidth", 0.15, 0.01},
                 {"active-pair-latency", 0.4, 0.02}};
    double *v = malloc(FLEET * sizeof *v), *w = malloc(FLEET * sizeof *w);
    size_t refused = 0, all = 0;
    (void)state;
    for (int fleet = 0; fleet < 50; fleet++) {
        bool out[FLEET] = {0};
        for (size_t t = 0; t < sizeof noise / sizeof *noise; t++) {
            const struct check_row *row = check_rows;
            while (strcmp(row->check, noise[t].check))
                row++;
            bool low = row->rule == CHECK_ACTIVE_LOW;
            for (size_t i = 0; i < FLEET; i++)
                w[i] = v[i] = exp(noise[t].sigma * normal()) *
                              (dice() < noise[t].tail ? low ? 0.67 : 1.5 : 1);
            qsort(w, FLEET, sizeof *w, order);
            double median = w[FLEET / 2];
            for (size_t i = 0; i < FLEET; i++)
                w[i] = fabs(v[i] - median);
            qsort(w, FLEET, sizeof *w, order);
            for (size_t i = 0; i < FLEET; i++)
                out[i] |=
                    check_active_judge(row, v[i], median, 1.4826 * w[FLEET / 2]) == CHECK_FAIL;
        }
        for (size_t i = 0; i < FLEET; i++, all++)
            refused += out[i];
    }
    print_message("refused %zu of %zu good nodes\n", refused, all);
    assert_true((double)refused <= 0.005 * (double)all);
    free(v);
    free(w);
}

static void
a_rate_has_its_interval_and_is_drawn_to_the_fleets(void **state)
{
    double low, high;
    (void)state;
    lifetimes_interval(10, 1000, &low, &high);
    assert_true(fabs(low - 0.0048) < 0.0001 && fabs(high - 0.01839) < 0.0002); /* exact tables */
    lifetimes_interval(0, 100, &low, &high);
    assert_true(low == 0 && fabs(high - 0.0369) < 0.001);
    assert_true(fabs(lifetimes_rate(0, 0, 0.01) - 0.01) < 1e-12); /* nothing known: the fleet's */
    assert_true(lifetimes_rate(3, 30, 0.01) > 0.02 && lifetimes_rate(3, 30, 0.01) < 0.1);
    assert_true(lifetimes_rate(0, 30, 0.01) < 0.01);
}

static void
peaks_and_parameters_are_read_from_names(void **state)
{
    (void)state;
    assert_true(efficiency_peak("NVIDIA H100 80GB HBM3") == 0.989e15);
    assert_true(efficiency_peak("NVIDIA A100-SXM4-80GB") == 0.312e15);
    assert_true(efficiency_peak("NVIDIA GB200") == 2.5e15 && efficiency_peak("B200") == 2.25e15);
    assert_true(efficiency_peak("abacus") == 0 && efficiency_peak(NULL) == 0);
    assert_true(efficiency_parameters("70B") == 70e9 && efficiency_parameters("1.8T") == 1.8e12);
    assert_true(efficiency_parameters("7e10") == 7e10 && efficiency_parameters("many") == 0);
    assert_true(efficiency_parameters("-3B") == 0 && efficiency_parameters(NULL) == 0);
}

static void
put(struct store_batch *b, const char *name, const char *key, const char *value, double v,
    int64_t t_ms)
{
    struct labels l = {.count = 0};
    struct sample s = {t_ms, v};
    labels_add_str(&l, "__name__", name);
    labels_add_str(&l, key, value);
    if (!strcmp(key, "Hostname"))
        labels_add_str(&l, "gpu", "0");
    assert_int_equal(labels_finish(&l), 0);
    assert_true(store_batch_samples(b, &l, &s, 1) >= 0);
}

/* Six H100 at 500 W, 7e9 parameters, 50,000 tokens/s: 2.1e15 FLOP/s of 5.934e15. */
static void
mfu_is_told_with_its_method(void **state)
{
    static const char job[] = "{\"state\":\"running\",\"nodes\":\"n[1-6]\",\"start\":"
                              "\"2026-11-23T07:00:00Z\",\"labels\":{\"parameters\":\"7B\"}}";
    struct bed *b = *state;
    struct store_batch *batch = store_batch_new(b->s);
    struct err err = {0};
    struct buf out;
    struct jsonw w;
    struct job j;
    struct doc *d = NULL;
    char node[8];
    assert_int_equal(job_put(b->s, "7", job, strlen(job), false, NULL, &err), 0);
    put(batch, "training_tokens_per_second", "job_id", "7", 50000, NOW - 5000);
    put(batch, "training_step_seconds", "job_id", "7", 2, NOW - 5000);
    put(batch, "checkpoint_seconds", "job_id", "7", 31, NOW - 100000);
    for (int n = 1; n <= 6; n++) {
        snprintf(node, sizeof node, "n%d", n);
        put(batch, "DCGM_FI_DEV_POWER_USAGE", "Hostname", node, 500, NOW - 5000);
    }
    assert_int_equal(store_commit(b->s, batch, NULL, &err), 0);
    assert_int_equal(job_get(b->s, "7", &j, &err), 0);
    buf_init(&out, 65536);
    jsonw_init(&w, &out);
    jsonw_object(&w);
    assert_int_equal(efficiency_write(b->s, b->metrics, &j, NOW, &w, &err), 0);
    jsonw_end_object(&w);
    assert_int_equal(doc_parse_json(buf_str(&out), out.len, "efficiency", &d, &err), 0);
    const struct doc_node *n = doc_root(d);
    assert_string_equal(doc_get_str(n, "method", ""), "tokens");
    assert_true(fabs(doc_get_real(n, "mfu", 0) - 2.1e15 / (6 * 0.989e15)) < 1e-6);
    assert_true(fabs(doc_get_real(n, "flops_per_watt", 0) - 2.1e15 / 3000) < 1e6);
    assert_true(doc_get_int(n, "steps_at_risk", 0) == 50);
    doc_free(d);
    buf_done(&out);
    job_done(&j);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_with_slow_memory_is_refused_and_no_other),
        T(who_does_not_answer_is_unknown_after_a_minute),
        T(a_node_with_a_job_is_left_alone_unless_asked),
        cmocka_unit_test(of_good_nodes_at_most_one_in_two_hundred_is_refused),
        cmocka_unit_test(peaks_and_parameters_are_read_from_names),
        T(mfu_is_told_with_its_method),
        cmocka_unit_test(a_rate_has_its_interval_and_is_drawn_to_the_fleets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
