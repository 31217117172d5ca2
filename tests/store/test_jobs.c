/* Job documents: what is checked, what is kept, what merges, who is told. */
#include "store/catalog_priv.h"
#include "store/jobs.h"
#include "store/store_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct store *s;
    char folder[64];
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err;
    strcpy(f->folder, "/tmp/ms-jobs-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->s = calloc(1, sizeof *f->s);
    assert_int_equal(catalog_open(f->s, f->folder, &err), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = {"catalog.db", "catalog.db-wal", "catalog.db-shm"};
    struct fixture *f = *state;
    char path[128];
    catalog_close(f->s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    rmdir(f->folder);
    free(f->s);
    free(f);
    return 0;
}

static const char contract[] = "{\"id\":\"4711\",\"name\":\"llm-pretrain\",\"user\":\"u1\","
                               "\"tenant\":\"t1\",\"state\":\"running\","
                               "\"nodes\":\"node[00001-00128]\",\"gpus_per_node\":8,\"start\":"
                               "\"2026-11-23T08:00:00Z\",\"end\":null,"
                               "\"exit_code\":null,\"labels\":{\"framework\":\"megatron\"}}";

static void
the_contracts_document_is_kept_whole(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    struct job j;
    struct err err;
    assert_int_equal(job_put(s, "4711", contract, strlen(contract), false, NULL, &err), 0);
    assert_int_equal(job_get(s, "4711", &j, &err), 0);
    assert_string_equal(j.name, "llm-pretrain");
    assert_string_equal(j.tenant, "t1");
    assert_string_equal(j.nodes, "node[00001-00128]");
    assert_int_equal(j.state, JOB_RUNNING);
    assert_int_equal(j.gpus_per_node, 8);
    assert_int_equal(j.start_ms, 1795420800000);
    assert_int_equal(j.end_ms, 0);
    assert_false(j.has_exit_code);
    assert_non_null(strstr(j.json, "\"labels\":{\"framework\":\"megatron\"}"));
    assert_non_null(strstr(j.json, "\"start\":\"2026-11-23T08:00:00.000Z\""));
    assert_non_null(strstr(j.json, "\"exit_code\":null"));
    job_done(&j);
    assert_int_equal(
        catalog_count(s, &(struct catalog_query){.kind = "job", .state = "running", .tenant = "t1"},
                      NULL),
        1);
    assert_int_equal(job_get(s, "4712", &j, &err), ERR_NOTFOUND);
}

static void
a_patch_merges_and_null_removes(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const char patch[] =
        "{\"state\":\"failed\",\"end\":\"2026-11-23T10:00:00Z\",\"exit_code\":137,"
        "\"labels\":{\"framework\":null,\"queue\":\"gpu\"},\"extra\":[1,2.5,true]}";
    struct job j;
    struct err err;
    assert_int_equal(job_put(s, "9", patch, strlen(patch), true, NULL, &err), ERR_NOTFOUND);
    assert_int_equal(job_put(s, "4711", contract, strlen(contract), false, NULL, &err), 0);
    assert_int_equal(job_put(s, "4711", patch, strlen(patch), true, &j, &err), 0);
    assert_int_equal(j.state, JOB_FAILED);
    assert_int_equal(j.exit_code, 137);
    assert_string_equal(j.nodes, "node[00001-00128]");
    assert_non_null(strstr(j.json, "\"labels\":{\"queue\":\"gpu\"}"));
    assert_non_null(strstr(j.json, "\"extra\":[1,2.5,true]"));
    job_done(&j);
    assert_int_equal(job_put(s, "4711", "{\"end\":null}", 12, true, &j, &err), 0);
    assert_int_equal(j.end_ms, 0);
    job_done(&j);
    assert_int_equal(job_put(s, "4711", "{\"nodes\":\"n1\"}", 14, false, &j, &err), 0);
    assert_string_equal(j.name, ""); /* a PUT replaces */
    assert_int_equal(j.state, JOB_PENDING);
    job_done(&j);
}

static void
a_run_that_gave_way_to_another_is_kept(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const struct {
        const char *change;
        bool merge;
        int runs; /* then */
    } cases[] = {
        {"{\"state\":\"running\",\"nodes\":\"n1\",\"start\":\"2026-11-23T08:00:00Z\"}", false, 0},
        {"{\"start\":\"2026-11-23T08:00:02Z\"}", true, 0}, /* another source, two seconds apart */
        {"{\"state\":\"pending\",\"start\":null}", true, 1},
        {"{\"labels\":{\"reason\":\"BeginTime\"}}", true, 1},
        {"{\"state\":\"running\",\"nodes\":\"n2\",\"start\":\"2026-11-23T09:00:00Z\"}", true, 1},
        {"{\"start\":\"2026-11-23T09:00:09Z\",\"labels\":{\"restarts\":\"2\"}}", true, 2},
        {"{\"state\":\"failed\",\"exit_code\":9,\"end\":\"2026-11-23T10:00:00Z\"}", true, 2},
        {"{\"state\":\"running\",\"start\":\"2026-11-23T10:00:01Z\",\"end\":null}", true, 3},
        {"{\"state\":\"running\",\"start\":\"2026-11-23T12:00:01Z\",\"runs\":[]}", false, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job j;
        struct err err;
        struct doc *d = NULL;
        int rc =
            job_put(s, "8", cases[i].change, strlen(cases[i].change), cases[i].merge, &j, &err);
        assert_int_equal(rc, 0);
        assert_int_equal(doc_parse_json(j.json, strlen(j.json), "", &d, &err), 0);
        const struct doc_node *runs = doc_get(doc_root(d), "runs");
        if ((runs ? (int)runs->count : 0) != cases[i].runs)
            fail_msg("case %zu: %s", i, j.json);
        if (i == 8) {
            assert_string_equal(doc_get_str(doc_at(runs, 0), "nodes", ""), "n1");
            assert_string_equal(doc_get_str(doc_at(runs, 0), "state", ""), "requeued");
            assert_string_equal(doc_get_str(doc_at(runs, 2), "state", ""), "failed");
            assert_int_equal(doc_get_int(doc_at(runs, 2), "exit_code", 0), 9);
        }
        doc_free(d);
        job_done(&j);
    }
}

static void
a_wrong_document_is_refused_with_its_cause(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    static const struct {
        const char *id, *json, *want;
    } cases[] = {
        {"1", "[]", "object"},
        {"1", "{", ""},
        {"1", "{\"id\":\"2\"}", "of job '2'"},
        {"1", "{\"state\":\"done\"}", "node_fail"},
        {"1", "{\"nodes\":\"n[1-\"}", "nodes"},
        {"1", "{\"nodes\":[\"n1\"]}", "Slurm"},
        {"1", "{\"start\":\"yesterday\"}", "start"},
        {"1", "{\"start\":20,\"end\":10}", "ends before"},
        {"1", "{\"gpus_per_node\":-1}", "gpus_per_node"},
        {"1", "{\"gpus_per_node\":\"8\"}", "gpus_per_node"},
        {"1", "{\"exit_code\":1.5}", "exit_code"},
        {"1", "{\"name\":5}", "name"},
        {"a b", "{}", "id of a job"},
        {"a/b", "{}", "id of a job"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        int rc = job_put(s, cases[i].id, cases[i].json, strlen(cases[i].json), false, NULL, &err);
        if (rc >= 0 || !strstr(err.text, cases[i].want))
            fail_msg("case %zu: %d %s", i, rc, err.text);
    }
    assert_int_equal(catalog_count(s, &(struct catalog_query){.kind = "job"}, NULL), 0);
}

static void
told(void *ctx, const struct job *j, enum job_state before)
{
    char *out = ctx, line[64];
    snprintf(line, sizeof line, "%s:%s>%s ", j->id,
             before == JOB_STATES ? "new" : job_state_word(before), job_state_word(j->state));
    strcat(out, line);
}

static void
watchers_hear_the_state_before_and_after(void **state)
{
    struct store *s = ((struct fixture *)*state)->s;
    char out[256] = "";
    assert_int_equal(job_watch(s, told, out), 0);
    assert_int_equal(job_put(s, "1", "{\"state\":\"pending\"}", 19, false, NULL, NULL), 0);
    assert_int_equal(job_put(s, "1", "{\"state\":\"running\"}", 19, true, NULL, NULL), 0);
    assert_int_equal(job_put(s, "1", "{\"state\":\"failed\"}", 18, true, NULL, NULL), 0);
    assert_int_equal(job_put(s, "2", "{\"state\":\"failed\"}", 18, false, NULL, NULL), 0);
    assert_string_equal(out, "1:new>pending 1:pending>running 1:running>failed 2:new>failed ");
}

static void
states_have_their_words(void **state)
{
    (void)state;
    for (int i = 0; i < JOB_STATES; i++)
        assert_int_equal(job_state_find(job_state_word((enum job_state)i)), i);
    assert_int_equal(job_state_find(""), ERR_NOTFOUND);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_contracts_document_is_kept_whole),     T(a_patch_merges_and_null_removes),
        T(a_run_that_gave_way_to_another_is_kept),   T(a_wrong_document_is_refused_with_its_cause),
        T(watchers_hear_the_state_before_and_after), cmocka_unit_test(states_have_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
