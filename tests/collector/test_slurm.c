/* test_slurm: lines as Slurm's commands print them (22.05, 23.11), and a real controller with a
 * real daemon where the packages are there and start. */
#include "collector/slurm_parse.h"
#include "tests/collector/collector_test.h"

#define REST                                                                                       \
    " GroupId=g(100) MCS_label=N/A Priority=1 Nice=0 Account=%s QOS=normal JobState=%s Reason=%s " \
    "Dependency=(null) "                                                                           \
    "Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=%s RunTime=00:00:00 TimeLimit=UNLIMITED "  \
    "TimeMin=N/A "                                                                                 \
    "SubmitTime=2026-11-23T08:00:00 EligibleTime=2026-11-23T08:00:00 "                             \
    "AccrueTime=2026-11-23T08:00:00 "                                                              \
    "StartTime=%s EndTime=%s Deadline=N/A SuspendTime=None Scheduler=Main Partition=gpu "          \
    "AllocNode:Sid=login:1 ReqNodeList=(null) ExcNodeList=(null) NodeList=%s BatchHost=x "         \
    "NumNodes=2 NumCPUs=4 "                                                                        \
    "ReqB:S:C:T=0:0:*:* TRES=cpu=4,mem=1M,node=2,gres/gpu=16 Features=(null) Command=/opt/a "      \
    "JobState=FAKE.sh %s"

static void
jobs_are_read_as_scontrol_prints_them(void **state)
{
    static const struct {
        const char *head, *account, *word, *reason, *exit, *start, *end, *nodes, *more;
        const char *id, *name, *array;
        enum job_state state;
        unsigned gpus;
        int code;
    } cases[] = {
        {"JobId=4711 JobName=llm pretrain UserId=u1(1001)", "t1", "RUNNING", "None", "0:0",
         "2026-11-23T08:00:05", "2026-12-23T08:00:05", "node[00001-00002]",
         "TresPerNode=gres:gpu:8", "4711", "llm pretrain", "", JOB_RUNNING, 8, -1},
        {"JobId=4712 JobName=JobState=RUNNING UserId=u1(1001)", "(null)", "FAILED",
         "NonZeroExitCode", "3:0", "2026-11-23T08:00:05", "2026-11-23T09:00:05", "node00001",
         "TresPerNode=gres/gpu:h100:4", "4712", "JobState=RUNNING", "", JOB_FAILED, 4, 3},
        {"JobId=4713 ArrayJobId=4710 ArrayTaskId=3 JobName=a UserId=u1(1001)", "t1",
         "OUT_OF_MEMORY", "OutOfMemory", "0:9", "2026-11-23T08:00:05", "2026-11-23T09:00:05",
         "node00001", "", "4713", "a", "3", JOB_FAILED, 8, 137},
        {"JobId=4714 JobName=(null) UserId=u1(1001)", "t1", "PENDING", "Resources", "0:0",
         "Unknown", "Unknown", "(null)", "", "4714", "", "", JOB_PENDING, 8, -1},
        {"JobId=4715 JobName=t UserId=u1(1001)", "t1", "CANCELLED", "None", "0:15",
         "2026-11-23T08:00:05", "2026-11-23T09:00:05", "node00001", "", "4715", "t", "",
         JOB_CANCELLED, 8, 143},
        {"JobId=4716 JobName=n UserId=u1(1001)", "t1", "NODE_FAIL", "NodeDown", "1:0",
         "2026-11-23T08:00:05", "2026-11-23T09:00:05", "node00001", "", "4716", "n", "",
         JOB_NODE_FAIL, 8, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[4096], rest[4096], text[TIME_TEXT_SIZE];
        struct slurm_job j;
        snprintf(rest, sizeof rest, REST, cases[i].account, cases[i].word, cases[i].reason,
                 cases[i].exit, cases[i].start, cases[i].end, cases[i].nodes, cases[i].more);
        snprintf(line, sizeof line, "%s%s", cases[i].head, rest);
        assert_int_equal(slurm_parse_job(line, &j), 0);
        assert_string_equal(j.id, cases[i].id);
        assert_string_equal(j.name, cases[i].name);
        assert_string_equal(j.array, cases[i].array);
        assert_string_equal(j.user, "u1");
        assert_int_equal(j.state, cases[i].state);
        assert_int_equal(j.gpus_per_node, cases[i].gpus);
        assert_int_equal(j.has_exit_code ? j.exit_code : -1, cases[i].code);
        if (j.state == JOB_RUNNING)
            assert_int_equal(j.end_ms, 0);
        if (j.start_ms)
            assert_string_equal(time_format(j.start_ms, text), "2026-11-23T08:00:05.000Z");
    }
}

static void
nodes_and_ends_are_read(void **state)
{
    static const struct {
        const char *line;
        int rc;
        enum slurm_node_state state;
    } cases[] = {
        {"node00001|idle|none", 0, SLURM_NODE_WELL},
        {"node00001|allocated|none", 0, SLURM_NODE_WELL},
        {"node00001|drained|gpu check failed", 0, SLURM_NODE_DRAINED},
        {"node00001|draining|a|b", 0, SLURM_NODE_DRAINED},
        {"node00001|down*|Not responding", 0, SLURM_NODE_AWAY},
        {"node00001|idle*|none", 0, SLURM_NODE_AWAY},
        {"nonsense", ERR_SYNTAX, SLURM_NODE_WELL},
    };
    char ended[] = "4711|CANCELLED by 1001|0:0|2026-11-23T08:00:05|2026-11-23T09:00:05",
         cut[] = "4711|FAILED|1:0";
    struct slurm_job j;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[256];
        struct slurm_node n;
        str_copy(line, sizeof line, cases[i].line);
        assert_int_equal(slurm_parse_node(line, &n), cases[i].rc);
        if (!cases[i].rc)
            assert_int_equal(n.state, cases[i].state);
    }
    assert_int_equal(slurm_parse_ended(ended, &j), 0);
    assert_int_equal(j.state, JOB_CANCELLED);
    assert_int_equal(j.end_ms - j.start_ms, 3600000);
    assert_int_equal(slurm_parse_ended(cut, &j), ERR_SYNTAX);
}

static void
document_names_what_slurm_said(void **state)
{
    struct slurm_job j = {.id = "1",
                          .name = "a\"b",
                          .user = "u",
                          .account = "t1",
                          .partition = "gpu",
                          .qos = "",
                          .reason = "",
                          .array = "",
                          .restarts = "",
                          .nodes = "n1",
                          .state = JOB_FAILED,
                          .start_ms = 1000,
                          .end_ms = 2000,
                          .has_exit_code = true,
                          .exit_code = 3};
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    slurm_parse_document(&j, "t1", "c1", &out);
    assert_string_equal(buf_str(&out), "{\"id\":\"1\",\"name\":\"a\\\"b\",\"user\":\"u\","
                                       "\"tenant\":\"t1\",\"state\":\"failed\",\"nodes\":\"n1\","
                                       "\"start\":\"1970-01-01T00:00:01.000Z\",\"end\":\"1970-01-"
                                       "01T00:00:02.000Z\",\"exit_code\":3,"
                                       "\"labels\":{\"scheduler\":\"slurm\",\"cluster\":\"c1\","
                                       "\"partition\":\"gpu\",\"account\":\"t1\"}}");
    buf_done(&out);
}

/* --- a real controller ---------------------------------------------------------------------------
 */

struct real_slurm {
    char folder[64], conf[128], socket[128];
    pid_t munged, controller, daemon;
};

static bool
wait_file(const char *path, int seconds)
{
    for (int i = 0; i < seconds * 20; i++) {
        if (!access(path, F_OK))
            return true;
        poll(NULL, 0, 50);
    }
    return false;
}

static void
real_write_conf(struct real_slurm *r, unsigned port, unsigned node_port)
{
    char host[128] = "", text[4096];
    gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = 0;
    snprintf(
        text, sizeof text,
        "ClusterName=t\nSlurmctldHost=%s(127.0.0.1)\nSlurmctldPort=%u\nSlurmUser=root\nSlurmdUser="
        "root\n"
        "AuthType=auth/munge\nAuthInfo=socket=%s\nCredType=cred/munge\nStateSaveLocation=%s/state\n"
        "SlurmdSpoolDir=%s/spool\nSlurmctldPidFile=%s/c.pid\nSlurmdPidFile=%s/d.pid\n"
        "SlurmctldLogFile=%s/c.log\nSlurmdLogFile=%s/d.log\nProctrackType=proctrack/linuxproc\n"
        "TaskPlugin=task/none\nReturnToService=2\nMailProg=/bin/"
        "true\nSchedulerParameters=sched_min_interval=1000\n"
        "NodeName=n1 NodeHostname=%s NodeAddr=127.0.0.1 Port=%u CPUs=1 State=UNKNOWN\n"
        "PartitionName=p Nodes=ALL Default=YES State=UP\n",
        host, port, r->socket, r->folder, r->folder, r->folder, r->folder, r->folder, r->folder,
        host, node_port);
    assert_int_equal(file_write_atomic(r->conf, text, strlen(text), 0644, NULL), 0);
}

static bool
real_start(struct real_slurm *r)
{
    char path[128], key[160], sock[160], pid[160], log[160], seed[160], bytes[1024];
    strcpy(r->folder, "/tmp/slurm-test-XXXXXX");
    if (!mkdtemp(r->folder))
        return false;
    chmod(r->folder, 0755);
    snprintf(r->conf, sizeof r->conf, "%s/slurm.conf", r->folder);
    snprintf(r->socket, sizeof r->socket, "%s/m/sock", r->folder);
    snprintf(path, sizeof path, "%s/m", r->folder);
    mkdir(path, 0711);
    snprintf(key, sizeof key, "%s/m/key", r->folder);
    file_random(bytes, sizeof bytes);
    file_write_atomic(key, bytes, sizeof bytes, 0600, NULL);
    const char *folders[] = {"state", "spool"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", r->folder, folders[i]);
        mkdir(path, 0755);
    }
    real_write_conf(r, fixture_free_port(SOCK_STREAM), fixture_free_port(SOCK_STREAM));
    setenv("SLURM_CONF", r->conf, 1);
    snprintf(key, sizeof key, "--key-file=%s/m/key", r->folder);
    snprintf(sock, sizeof sock, "--socket=%s", r->socket);
    snprintf(pid, sizeof pid, "--pid-file=%s/m/pid", r->folder);
    snprintf(log, sizeof log, "--log-file=%s/m/log", r->folder);
    snprintf(seed, sizeof seed, "--seed-file=%s/m/seed", r->folder);
    const char *munged[] = {"/usr/sbin/munged", "-F", "--force", key, sock, pid, log, seed, NULL};
    const char *controller[] = {"/usr/sbin/slurmctld", "-D", "-f", r->conf, NULL};
    const char *daemon[] = {"/usr/sbin/slurmd", "-D", "-N", "n1", "-f", r->conf, NULL};
    const char *ping[] = {"scontrol", "show", "config", NULL};
    r->munged = fixture_spawn(munged);
    if (!wait_file(r->socket, 5))
        return false;
    r->controller = fixture_spawn(controller);
    r->daemon = fixture_spawn(daemon);
    for (int i = 0; i < 50; i++, poll(NULL, 0, 100))
        if (!fixture_run(ping))
            return true;
    return false;
}

static void
real_stop(struct real_slurm *r)
{
    fixture_kill(r->daemon);
    fixture_kill(r->controller);
    fixture_kill(r->munged);
    unsetenv("SLURM_CONF");
    nftw(r->folder, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static bool
wait_job(struct fixture *f, const char *id, enum job_state want, struct job *ret)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (clock_mono_us() < end) {
        struct err err;
        if (!job_get(f->store, id, ret, &err)) {
            if (ret->state == want)
                return true;
            job_done(ret);
        }
        poll(NULL, 0, 50);
    }
    return false;
}

static void
real_controller_is_followed(void **state)
{
    struct real_slurm r = {.munged = -1, .controller = -1, .daemon = -1};
    struct fixture f;
    struct job j;
    (void)state;
    if (geteuid() || access("/usr/sbin/slurmctld", X_OK) || access("/usr/sbin/munged", X_OK) ||
        access("/usr/bin/sbatch", X_OK))
        skip();
    if (!real_start(&r)) {
        real_stop(&r);
        skip();
    }
    const char *submit[] = {"sbatch", "-o",     "/dev/null", "-J", "held job",
                            "--hold", "--wrap", "exit 3",    NULL};
    const char *cancel[] = {"scancel", "1", NULL};
    int submitted = fixture_run(submit);
    fixture_open_store(&f);
    fixture_start(&f, "slurm: {interval: 1s, cluster: ''}\n", NULL);
    bool pending = !submitted && wait_job(&f, "1", JOB_PENDING, &j);
    if (pending) {
        assert_string_equal(j.name, "held job");
        assert_string_equal(j.user, "root");
        job_done(&j);
    }
    fixture_run(cancel);
    bool cancelled = wait_job(&f, "1", JOB_CANCELLED, &j);
    if (cancelled)
        job_done(&j);
    fixture_close(&f);
    real_stop(&r);
    assert_true(pending);
    assert_true(cancelled);
}

static void
commands_that_fail_are_told(void **state)
{
    struct fixture f;
    struct buf out;
    (void)state;
    fixture_open_store(&f);
    fixture_start(&f, "slurm: {interval: 1s, scontrol: /nonexistent/scontrol, sinfo: ''}\n", NULL);
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    bool told = false;
    while (!told && clock_mono_us() < end) {
        buf_init(&out, 65536);
        collector_sources_json(f.collector, &out);
        told = strstr(buf_str(&out), "/nonexistent/scontrol") != NULL;
        buf_done(&out);
        poll(NULL, 0, 20);
    }
    assert_true(told);
    fixture_close(&f);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_read_as_scontrol_prints_them),
        cmocka_unit_test(nodes_and_ends_are_read),
        cmocka_unit_test(document_names_what_slurm_said),
        cmocka_unit_test(commands_that_fail_are_told),
        cmocka_unit_test(real_controller_is_followed),
    };
    return cmocka_run_group_tests_name("slurm", tests, NULL, NULL);
}
