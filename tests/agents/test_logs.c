/* test_logs: lines in, batches in the spool out; files that grow and rotate; kernel records. */
#include "agents/kmsg.h"
#include "agents/logs.h"
#include "agents/tail.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/wire.h"
#include "tests/base/base_test.h"

#include <dirent.h>
#include <unistd.h>

struct seen {
    size_t events, lines, gaps;
    uint64_t lost;
    char entity[200], code[128], job[64], reason[64], first[256];
    enum severity severity;
};

static int
seen_event(void *ctx, const struct event *ev)
{
    struct seen *s = ctx;
    s->events++;
    snprintf(s->entity, sizeof s->entity, "%s", ev->entity);
    snprintf(s->code, sizeof s->code, "%s", ev->code);
    snprintf(s->job, sizeof s->job, "%s", ev->job);
    s->severity = ev->severity;
    return 0;
}

static int
seen_log(void *ctx, const struct log_line *line)
{
    struct seen *s = ctx;
    if (!s->lines++)
        snprintf(s->first, sizeof s->first, "%s", line->text);
    return 0;
}

static int
seen_gap(void *ctx, const struct gap *g)
{
    struct seen *s = ctx;
    s->gaps++;
    s->lost += g->count;
    snprintf(s->reason, sizeof s->reason, "%s", g->reason);
    return 0;
}

struct bench {
    char dir[64];
    struct agent_conf conf;
    struct outbox *outbox;
    struct logs *logs;
};

static void
bench_open(struct bench *b, int forward, int64_t rate)
{
    struct err err;
    memset(b, 0, sizeof *b);
    snprintf(b->dir, sizeof b->dir, "/tmp/ms-logs-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->conf.logs.forward = forward;
    b->conf.logs.rate = rate;
    struct outbox_config c = {.node = "node00017",
                              .url = "http://127.0.0.1:1",
                              .spool_dir = b->dir,
                              .keep_ms = 86400000,
                              .max_bytes = 100000000};
    if (outbox_new(&c, &b->outbox, &err) ||
        logs_new(&b->conf, "", "node00017", b->dir, b->outbox, NULL, &b->logs, &err))
        fail_msg("%s", err.text);
}

/* Ends all, so that what waits is in the spool; reads it, and clears the folder. */
static void
bench_close(struct bench *b, struct seen *ret)
{
    struct wire_handler h = {.event = seen_event, .log = seen_log, .gap = seen_gap, .ctx = ret};
    char path[512];
    struct buf data;
    memset(ret, 0, sizeof *ret);
    logs_free(b->logs);
    outbox_free(b->outbox);
    DIR *d = opendir(b->dir);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", b->dir, e->d_name);
        if (strstr(e->d_name, ".batch")) {
            assert_int_equal(file_read(path, (size_t)20 << 20, &data, NULL), 0);
            assert_int_equal(wire_decode(data.data, data.len, &h, NULL), 0);
            buf_done(&data);
        }
        if (e->d_name[0] != '.')
            unlink(path);
    }
    closedir(d);
    rmdir(b->dir);
}

static void
bench_line(struct bench *b, const char *source, const char *path, const char *text)
{
    char line[4096];
    snprintf(line, sizeof line, "%s", text);
    logs_line(b->logs, source, path, line, strlen(line), 0, SEVERITY_INFO);
}

#define XID "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus."

static void
a_matched_line_becomes_an_event_with_its_context(void **state)
{
    struct bench b;
    struct seen s;
    char text[64];
    (void)state;
    bench_open(&b, AGENT_FORWARD_CONTEXT, 100);
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "ordinary line %d", i);
        bench_line(&b, "kernel", "/dev/kmsg", text);
    }
    bench_line(&b, "kernel", "/dev/kmsg", XID);
    for (int i = 30; i < 60; i++) {
        snprintf(text, sizeof text, "ordinary line %d", i);
        bench_line(&b, "kernel", "/dev/kmsg", text);
    }
    bench_close(&b, &s);
    assert_int_equal(s.events, 1);
    assert_string_equal(s.code, "nvidia.xid.79");
    assert_string_equal(s.entity, "node:node00017");
    assert_int_equal(s.severity, SEVERITY_CRITICAL);
    assert_int_equal(s.lines, 21);
    assert_string_equal(s.first, "ordinary line 20");
}

static void
lines_without_meaning_follow_as_configured(void **state)
{
    static const struct {
        int forward;
        size_t lines;
    } cases[] = {{AGENT_FORWARD_ALL, 50}, {AGENT_FORWARD_CONTEXT, 0}, {AGENT_FORWARD_NONE, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench b;
        struct seen s;
        bench_open(&b, cases[i].forward, 1000);
        for (int k = 0; k < 50; k++)
            bench_line(&b, "job", "/logs/slurm-4711.out", "step 100 loss 2.31");
        bench_close(&b, &s);
        assert_int_equal(s.lines, cases[i].lines);
        assert_int_equal(s.gaps, 0);
    }
}

static void
a_storm_of_one_event_is_thinned_and_told(void **state)
{
    struct bench b;
    struct seen s;
    (void)state;
    bench_open(&b, AGENT_FORWARD_CONTEXT, 100);
    for (int i = 0; i < 1000; i++)
        bench_line(&b, "kernel", "/dev/kmsg", XID);
    logs_flush(b.logs);
    bench_line(&b, "kernel", "/dev/kmsg", "NVRM: Xid (PCI:0000:3b:00): 48, pid=1, DBE");
    bench_close(&b, &s);
    assert_in_range(s.events, 20, 22);
    assert_int_equal(s.gaps, 1);
    assert_int_equal(s.lost, 980);
    assert_string_equal(s.reason, "log-rate");
}

static void
the_job_is_told_by_the_name_of_its_file(void **state)
{
    static const char *const cases[][2] = {{"/logs/u/slurm-4711.out", "4711"},
                                           {"/logs/job_12_rank3.log", "12"},
                                           {"/logs/job-99/out", ""},
                                           {"/var/log/syslog", ""}};
    char job[32];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(logs_job(cases[i][0], job), cases[i][1]);
}

static void
kernel_records_are_taken_apart(void **state)
{
    static const struct {
        const char *line;
        int rc;
        uint64_t sequence;
        int64_t us;
        enum severity severity;
        const char *text;
    } cases[] = {
        {"6,339,5140900,-;NET: Registered", 0, 339, 5140900, SEVERITY_INFO, "NET: Registered"},
        {"2,1,0,c;machine check", 0, 1, 0, SEVERITY_CRITICAL, "machine check"},
        {"3,7,1,-,caller=T12;a\\x0ab\\x5cc", 0, 7, 1, SEVERITY_WARNING, "a b\\c"},
        {" SUBSYSTEM=pci", ERR_SYNTAX, 0, 0, 0, NULL},
        {"6,339", ERR_SYNTAX, 0, 0, 0, NULL},
        {"", ERR_SYNTAX, 0, 0, 0, NULL},
        {"6,1,2,-no text", ERR_SYNTAX, 0, 0, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[128];
        struct kmsg_record r;
        snprintf(line, sizeof line, "%s", cases[i].line);
        assert_int_equal(kmsg_parse(line, &r), cases[i].rc);
        if (cases[i].rc)
            continue;
        assert_int_equal(r.sequence, cases[i].sequence);
        assert_int_equal(r.since_boot_us, cases[i].us);
        assert_int_equal(r.severity, cases[i].severity);
        assert_string_equal(r.text, cases[i].text);
    }
}

struct tailed {
    size_t count, longest;
    char last[128];
};

static void
tailed_line(void *ctx, const char *path, char *line, size_t len)
{
    struct tailed *t = ctx;
    (void)path;
    t->count++;
    t->longest = len > t->longest ? len : t->longest;
    snprintf(t->last, sizeof t->last, "%.100s", line);
}

static void
append(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static void
files_are_followed_through_rotation_and_truncation(void **state)
{
    char dir[] = "/tmp/ms-tail-XXXXXX", a[128], old[128], b[128], pattern[128];
    char *patterns[] = {pattern}, *big = malloc(200001);
    struct conf_strs strs = {patterns, 1};
    struct tailed got = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a, sizeof a, "%s/a.log", dir);
    snprintf(old, sizeof old, "%s/a.1", dir);
    snprintf(b, sizeof b, "%s/b.log", dir);
    snprintf(pattern, sizeof pattern, "%s/*.log", dir);
    append(a, "was here before\n", 16);
    struct tail *t = tail_new(&strs, tailed_line, &got);
    tail_read(t, 0, 1 << 20);
    assert_int_equal(got.count, 0);
    append(a, "one\ntwo", 7);
    tail_read(t, 1, 1 << 20);
    assert_int_equal(got.count, 1);
    append(a, " halves\n", 8);
    tail_read(t, 2, 1 << 20);
    assert_string_equal(got.last, "two halves");
    append(a, "last of the old\n", 16);
    assert_int_equal(rename(a, old), 0);
    append(a, "first of the new\n", 17);
    for (int i = 3; i < 6; i++)
        tail_read(t, i, 1 << 20);
    assert_int_equal(got.count, 4);
    assert_string_equal(got.last, "first of the new");
    assert_int_equal(truncate(a, 0), 0);
    tail_read(t, 6, 1 << 20);
    append(a, "after\n", 6);
    tail_read(t, 7, 1 << 20);
    assert_string_equal(got.last, "after");
    memset(big, 'x', 200000);
    big[199999] = '\n';
    append(b, big, 200000);
    append(b, "short\n", 6);
    tail_read(t, 20000, 1 << 20);
    tail_read(t, 20001, 1 << 20);
    assert_int_equal(got.longest, 65536);
    assert_string_equal(got.last, "short");
    assert_int_equal(got.count, 7);
    tail_free(t);
    free(big);
    unlink(a);
    unlink(old);
    unlink(b);
    rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_matched_line_becomes_an_event_with_its_context),
        cmocka_unit_test(lines_without_meaning_follow_as_configured),
        cmocka_unit_test(a_storm_of_one_event_is_thinned_and_told),
        cmocka_unit_test(the_job_is_told_by_the_name_of_its_file),
        cmocka_unit_test(kernel_records_are_taken_apart),
        cmocka_unit_test(files_are_followed_through_rotation_and_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
