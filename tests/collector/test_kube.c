/* test_kube: an API server of our own (kube_api.py): jobs of PyTorchJob, Volcano and plain pods,
 * their ranks, ends and events; watches that are cut or forgotten; a token that is refused. */
#include "base/httpc.h"
#include "collector/kube_read.h"
#include "store/jobs.h"
#include "tests/collector/collector_test.h"

#include <stdio.h>
#include <stdlib.h>

struct api {
    pid_t pid;
    unsigned port;
};

static bool
api_say(const struct api *a, const char *what, const char *body, struct buf *ret)
{
    struct httpc *c = httpc_new();
    struct httpc_response resp;
    struct err err;
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/test/%s", a->port, what);
    struct httpc_request req = {.method = body ? "POST" : "GET",
                                .url = url,
                                .body = body,
                                .body_len = body ? strlen(body) : 0};
    int rc = httpc_fetch(c, &req, &resp, &err);
    if (!rc && ret)
        buf_puts(ret, buf_str(&resp.body));
    httpc_response_done(&resp);
    httpc_free(c);
    return !rc;
}

static int64_t
api_seen(const struct api *a, const char *key)
{
    struct doc *d = NULL;
    struct buf out;
    struct err err;
    int64_t n = -1;
    buf_init(&out, 65536);
    if (api_say(a, "seen", NULL, &out) && !doc_parse_json(buf_str(&out), out.len, "seen", &d, &err))
        n = doc_get_int(doc_root(d), key, 0);
    doc_free(d);
    buf_done(&out);
    return n;
}

static bool
wait_seen(const struct api *a, const char *key, int64_t at_least)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (api_seen(a, key) < at_least) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

static void
api_open(struct api *a)
{
    char port[16], script[512];
    const char *top = getenv("MS_SRCDIR"), *argv[] = {"python3", script, port, NULL};
    *a = (struct api){.port = fixture_free_port(SOCK_STREAM)};
    snprintf(port, sizeof port, "%u", a->port);
    snprintf(script, sizeof script, "%s/tests/collector/kube_api.py", top ? top : ".");
    if (access("/usr/bin/python3", X_OK))
        skip();
    a->pid = fixture_spawn(argv);
    if (!wait_seen(a, "none", 0))
        fail_msg("%s does not start", script);
}

/* A pod of a job, as the API shows it. */
static void
api_pod(const struct api *a, const char *name, const char *labels, const char *node, int gpus,
        const char *status)
{
    char text[2048];
    snprintf(text, sizeof text,
             "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"train\",\"name\":\"%s\",\"uid\":"
             "\"uid-%s\",\"labels\":{%s,\"team\":\"t1\"}},\"spec\":{\"nodeName\":\"%s\","
             "\"containers\":[{\"name\":\"pytorch\",\"resources\":{\"limits\":{\"cpu\":\"64\","
             "\"nvidia.com/gpu\":\"%d\"}}}]},\"status\":{%s}}",
             name, name, labels, node, gpus, status);
    assert_true(api_say(a, "put", text, NULL));
}

static void
api_job(const struct api *a, const char *how, const char *kind, const char *name, const char *uid,
        const char *status)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"kind\":\"%s\",\"metadata\":{\"namespace\":\"train\",\"name\":\"%s\",\"uid\":"
             "\"%s\"},\"status\":{%s}}",
             kind, name, uid, status);
    assert_true(api_say(a, how, text, NULL));
}

#define RUNNING "\"phase\":\"Running\",\"startTime\":\"2026-11-23T08:00:00Z\""
#define KUBEFLOW                                                                                   \
    "\"training.kubeflow.org/job-name\":\"llm\",\"training.kubeflow.org/replica-type\":"

static void
api_llm(const struct api *a)
{
    api_job(a, "put", "PyTorchJob", "llm", "11112222-aaaa",
            "\"startTime\":\"2026-11-23T07:59:00Z\",\"conditions\":[{\"type\":\"Created\","
            "\"status\":\"True\"},{\"type\":\"Running\",\"status\":\"True\"}]");
    api_pod(a, "llm-worker-1", KUBEFLOW "\"worker\",\"training.kubeflow.org/replica-index\":\"1\"",
            "node00003", 8, RUNNING);
    api_pod(a, "llm-worker-0", KUBEFLOW "\"worker\",\"training.kubeflow.org/replica-index\":\"0\"",
            "node00001", 8, RUNNING);
    api_pod(a, "llm-master-0", KUBEFLOW "\"master\",\"training.kubeflow.org/replica-index\":\"0\"",
            "node00002", 8, RUNNING);
}

static void
start(struct fixture *f, const struct api *a, const char *token)
{
    char path[128], yaml[512];
    struct err err;
    snprintf(path, sizeof path, "%s/token", f->folder);
    assert_int_equal(file_write_atomic(path, token, strlen(token), 0600, &err), 0);
    snprintf(yaml, sizeof yaml,
             "kubernetes: {url: 'http://127.0.0.1:%u', token_file: '%s', tenant: team, "
             "timeout: 5s}\n",
             a->port, path);
    fixture_start(f, yaml, NULL);
}

static bool
wait_job(struct fixture *f, const char *id, enum job_state state, struct job *ret)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    struct err err;
    while (clock_mono_us() < end) {
        if (!job_get(f->store, id, ret, &err)) {
            if (ret->state == state)
                return true;
            job_done(ret);
        }
        poll(NULL, 0, 20);
    }
    print_message("%s is not %s\n", id, job_state_word(state));
    return false;
}

static void
pods_of_a_training_job_become_its_ranks(void **state)
{
    struct fixture f;
    struct fixture_line line;
    struct api a;
    struct job j;
    (void)state;
    api_open(&a);
    api_llm(&a);
    fixture_open_store(&f);
    start(&f, &a, "let-me-in\n");
    assert_true(wait_job(&f, "train.llm", JOB_RUNNING, &j));
    assert_string_equal(j.nodes, "node00002,node00001,node00003"); /* the master is rank 0 */
    assert_int_equal(j.gpus_per_node, 8);
    assert_string_equal(j.tenant, "t1");
    assert_int_equal(j.start_ms, 1763884740000 + 31536000000);
    assert_null(strstr(j.json, "\"ranks\""));
    job_done(&j);
    /* a worker is killed for its memory, then the job fails */
    api_pod(&a, "llm-worker-1", KUBEFLOW "\"worker\",\"training.kubeflow.org/replica-index\":\"1\"",
            "node00003", 8,
            "\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"pytorch\",\"state\":{"
            "\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\",\"finishedAt\":"
            "\"2099-01-01T00:00:00Z\"}}}]");
    assert_true(fixture_wait_line(&f, "OOMKilled", &line));
    assert_string_equal(line.node, "node00003");
    api_job(&a, "put", "PyTorchJob", "llm", "11112222-aaaa",
            "\"startTime\":\"2026-11-23T07:59:00Z\",\"completionTime\":\"2026-11-23T09:00:00Z\","
            "\"conditions\":[{\"type\":\"Running\",\"status\":\"False\"},{\"type\":\"Failed\","
            "\"status\":\"True\",\"reason\":\"PyTorchJobFailed\"}]");
    assert_true(wait_job(&f, "train.llm", JOB_FAILED, &j));
    assert_int_equal(j.exit_code, 137);
    assert_non_null(strstr(j.json, "\"failed_pod\":\"llm-worker-1\""));
    job_done(&j);
    fixture_close(&f);
    fixture_kill(a.pid);
}

static void
watch_goes_on_when_cut_and_lists_anew_when_forgotten(void **state)
{
    struct fixture f;
    struct api a;
    struct job j;
    (void)state;
    api_open(&a);
    api_llm(&a);
    fixture_open_store(&f);
    start(&f, &a, "let-me-in");
    assert_true(wait_job(&f, "train.llm", JOB_RUNNING, &j));
    job_done(&j);
    assert_true(wait_seen(&a, "watch-Pod", 1));
    int64_t lists = api_seen(&a, "list-Pod");
    assert_true(api_say(&a, "cut", "{}", NULL));
    assert_true(wait_seen(&a, "watch-Pod", 2));
    api_pod(&a, "solo-0", "\"job-name\":\"solo\"", "node00009", 4, RUNNING);
    assert_true(wait_job(&f, "train.solo", JOB_RUNNING, &j));
    job_done(&j);
    assert_int_equal(api_seen(&a, "list-Pod"), lists); /* the watch told it */
    /* what is deleted while the server forgets is missed by watches, not by us */
    api_job(&a, "delete", "Pod", "solo-0", "", "");
    assert_true(api_say(&a, "forget", "{}", NULL));
    assert_true(wait_job(&f, "train.solo", JOB_CANCELLED, &j));
    job_done(&j);
    assert_true(wait_seen(&a, "list-PyTorchJob", 2));
    fixture_close(&f);
    fixture_kill(a.pid);
}

static void
job_under_an_old_name_is_another_and_one_that_is_gone_ends(void **state)
{
    struct fixture f;
    struct api a;
    struct job j;
    (void)state;
    api_open(&a);
    api_job(&a, "put", "VolcanoJob", "vj", "aaaabbbb-1", "\"state\":{\"phase\":\"Running\"}");
    api_pod(&a, "vj-task-0", "\"volcano.sh/job-name\":\"vj\"", "node00001", 2, RUNNING);
    api_pod(&a, "vj-task-1", "\"volcano.sh/job-name\":\"vj\"", "node00001", 2, RUNNING);
    fixture_open_store(&f);
    start(&f, &a, "let-me-in");
    assert_true(wait_job(&f, "train.vj", JOB_RUNNING, &j));
    /* two pods of two devices on one node: the second's ranks hold the third and fourth */
    assert_non_null(strstr(j.json, "{\"rank\":3,\"node\":\"node00001\",\"gpu\":3}"));
    job_done(&j);
    api_job(&a, "put", "VolcanoJob", "vj", "aaaabbbb-1", "\"state\":{\"phase\":\"Completed\"}");
    assert_true(wait_job(&f, "train.vj", JOB_COMPLETED, &j));
    job_done(&j);
    api_job(&a, "delete", "VolcanoJob", "vj", "aaaabbbb-1", "");
    api_job(&a, "put", "VolcanoJob", "vj", "ccccdddd-2", "\"state\":{\"phase\":\"Running\"}");
    assert_true(wait_job(&f, "train.vj.ccccdddd", JOB_RUNNING, &j));
    job_done(&j);
    assert_true(wait_job(&f, "train.vj", JOB_COMPLETED, &j)); /* the former stays as it ended */
    job_done(&j);
    fixture_stop(&f);
    topo_settle(f.store);
    api_job(&a, "delete", "VolcanoJob", "vj", "ccccdddd-2", "");
    api_job(&a, "delete", "Pod", "vj-task-0", "", "");
    api_job(&a, "delete", "Pod", "vj-task-1", "", "");
    start(&f, &a, "let-me-in");
    assert_true(wait_job(&f, "train.vj.ccccdddd", JOB_COMPLETED, &j));
    assert_non_null(strstr(j.json, "gone from Kubernetes"));
    job_done(&j);
    fixture_close(&f);
    fixture_kill(a.pid);
}

static void
events_become_lines_and_a_refused_token_is_told(void **state)
{
    struct fixture f;
    struct fixture_line line;
    struct api a;
    struct buf out;
    char text[1024], when[TIME_TEXT_SIZE];
    (void)state;
    api_open(&a);
    api_llm(&a);
    fixture_open_store(&f);
    start(&f, &a, "wrong");
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    for (bool told = false; !told; poll(NULL, 0, 20)) {
        buf_init(&out, 65536);
        collector_sources_json(f.collector, &out);
        told = strstr(buf_str(&out), "the token is refused") != NULL;
        buf_done(&out);
        assert_true(clock_mono_us() < end);
    }
    fixture_stop(&f);
    snprintf(text, sizeof text,
             "{\"kind\":\"Event\",\"metadata\":{\"namespace\":\"train\",\"name\":\"e1\"},\"type\":"
             "\"Warning\",\"reason\":\"FailedMount\",\"lastTimestamp\":\"%s\",\"source\":{"
             "\"component\":\"kubelet\"},\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":"
             "\"train\",\"name\":\"llm-worker-0\"},\"message\":\"Unable to attach\\nvolumes\"}",
             time_format(clock_now_ms(NULL), when));
    assert_true(api_say(&a, "put", text, NULL));
    start(&f, &a, "let-me-in");
    assert_true(fixture_wait_line(&f, "FailedMount", &line));
    assert_string_equal(line.node, "node00001");
    assert_string_equal(line.source, "kubernetes");
    assert_string_equal(line.text, "Warning  FailedMount  kubelet  Pod/train/llm-worker-0  Unable "
                                   "to attach volumes");
    fixture_close(&f);
    fixture_kill(a.pid);
}

static void
pods_are_read_as_each_framework_labels_them(void **state)
{
    static const struct {
        const char *meta, *job, *framework;
        int64_t index;
        bool leader;
    } rows[] = {
        {"\"labels\":{\"training.kubeflow.org/job-name\":\"a\",\"training.kubeflow.org/"
         "replica-type\":\"Master\",\"training.kubeflow.org/replica-index\":\"0\",\"job-name\":"
         "\"inner\"}",
         "a", "kubeflow", 0, true},
        {"\"labels\":{\"volcano.sh/job-name\":\"b\",\"volcano.sh/task-spec\":\"worker\"}", "b",
         "volcano", 7, false},
        {"\"labels\":{\"jobset.sigs.k8s.io/jobset-name\":\"c\",\"jobset.sigs.k8s.io/"
         "job-global-index\":\"3\",\"batch.kubernetes.io/job-name\":\"c-w-3\"}",
         "c", "jobset", 3, false},
        {"\"labels\":{\"batch.kubernetes.io/job-name\":\"d\"},\"annotations\":{"
         "\"batch.kubernetes.io/job-completion-index\":\"12\"}",
         "d", "job", 12, false},
        {"\"labels\":{\"ray.io/cluster\":\"e\",\"ray.io/node-type\":\"head\"}", "e", "ray", 7,
         true},
        {"\"labels\":{\"app\":\"web\"}", NULL, NULL, 0, false},
        {"\"labels\":{\"job-name\":\"bad name/\"}", NULL, NULL, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024];
        struct doc *d = NULL;
        struct kube_pod p;
        struct err err;
        snprintf(text, sizeof text,
                 "{\"metadata\":{\"uid\":\"u\",\"namespace\":\"n\",\"name\":\"x-7\",%s}}",
                 rows[i].meta);
        assert_int_equal(doc_parse_json(text, strlen(text), "pod", &d, &err), 0);
        int rc = kube_read_pod(doc_root(d), NULL, &p);
        assert_int_equal(rc, rows[i].job ? 0 : ERR_NOTFOUND);
        if (!rc) {
            assert_string_equal(p.job, rows[i].job);
            assert_string_equal(p.framework, rows[i].framework);
            assert_int_equal(p.index, rows[i].index);
            assert_int_equal(p.leader, rows[i].leader);
        }
        doc_free(d);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_are_read_as_each_framework_labels_them),
        cmocka_unit_test(pods_of_a_training_job_become_its_ranks),
        cmocka_unit_test(watch_goes_on_when_cut_and_lists_anew_when_forgotten),
        cmocka_unit_test(job_under_an_old_name_is_another_and_one_that_is_gone_ends),
        cmocka_unit_test(events_become_lines_and_a_refused_token_is_told),
    };
    return cmocka_run_group_tests_name("kube", tests, NULL, NULL);
}
