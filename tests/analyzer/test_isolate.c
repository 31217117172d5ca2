/* Isolation without a person: what is done, when it waits, when the breaker stops it. The scheduler
 * is a script that writes down how it was called. */
#include "analyzer/isolate.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/jobs.h"
#include "store/store.h"
#include "store/topo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1795420800000 /* 2026-11-23T08:00:00Z */

struct bed {
    char folder[64], script[128], calls[128], state[128];
    struct store *s;
    struct alert_receiver r;
    struct isolate i;
};

static void
bed_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int
setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    struct buf text;
    char script[512];
    strcpy(b->folder, "/tmp/ms-isolate-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->state, sizeof b->state, "%s/state", b->folder);
    snprintf(b->script, sizeof b->script, "%s/scontrol", b->folder);
    snprintf(b->calls, sizeof b->calls, "%s/calls", b->folder);
    snprintf(script, sizeof script, "#!/bin/sh\necho \"$@\" >>%s\n", b->calls);
    bed_file(b->script, script);
    bed_file(b->calls, "");
    chmod(b->script, 0755);
    struct store_config cfg = {.folder = b->state};
    assert_int_equal(store_open(&cfg, &b->s, &err), 0);
    buf_init(&text, (size_t)1 << 20);
    buf_puts(&text, "version: 1\ncluster: {name: t}\nnodes:\n");
    for (int n = 1; n <= 100; n++)
        buf_printf(&text, "  - {name: n%d, gpus: {count: 1}}\n", n);
    assert_int_equal(topo_put_document(b->s, buf_str(&text), text.len, "topology", &err), 0);
    buf_done(&text);
    b->r = (struct alert_receiver){.name = strdup("drain"),
                                   .timeout_ms = 10000,
                                   .slurm = {.scontrol = strdup(b->script),
                                             .requeue = true,
                                             .hurry = true,
                                             .limit = 5,
                                             .window_ms = 3600000,
                                             .share = 0.02,
                                             .confidence = 0.8}};
    b->i = (struct isolate){.store = b->s, .now_ms = NOW};
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bed *b = *state;
    char command[160];
    store_close(b->s);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    assert_int_equal(system(command), 0);
    free(b->r.name);
    free(b->r.slurm.scontrol);
    free(b);
    return 0;
}

/* An incident of this node, as the store holds it; what isolating it answers. */
static int
bed_fault(struct bed *b, const char *node, double confidence, struct err *err)
{
    char json[1024], id[64], key[96];
    struct doc *d = NULL;
    struct buf note;
    snprintf(id, sizeof id, "i-%s", node);
    snprintf(key, sizeof key, "%s:1:drain:%lld", id, (long long)b->i.now_ms);
    int n = snprintf(json, sizeof json,
                     "{\"id\":\"%s\",\"state\":\"open\",\"severity\":\"critical\",\"opened\":"
                     "\"2026-11-23T07:59:58Z\",\"jobs\":[\"7\"],\"confidence\":%g,\"verdict\":"
                     "\"infrastructure\",\"hypotheses\":[{\"cause\":\"nvidia.xid.79\",\"class\":"
                     "\"gpu\",\"entity\":\"gpu:%s/0\"}]}",
                     id, confidence, node);
    struct catalog_doc c = {.kind = "incident",
                            .id = id,
                            .tenant = "",
                            .state = "open",
                            .key = "",
                            .time_ms = NOW - 2000,
                            .json = json,
                            .json_len = (size_t)n};
    assert_int_equal(catalog_put(b->s, &c, err), 0);
    assert_int_equal(doc_parse_json(json, (size_t)n, "incident", &d, err), 0);
    struct alert_message m = {.incident = doc_root(d),
                              .incident_json = json,
                              .incident_len = (size_t)n,
                              .idempotency_key = key};
    buf_init(&note, 4096);
    int rc = isolate_run(&b->i, &b->r, &m, &note, err);
    buf_done(&note);
    doc_free(d);
    return rc;
}

static void
bed_called(struct bed *b, const char *wanted)
{
    struct buf text;
    struct err err;
    assert_int_equal(file_read(b->calls, 65536, &text, &err), 0);
    assert_string_equal(buf_str(&text), wanted);
    buf_done(&text);
}

static void
bed_follow(struct bed *b)
{
    struct alert_conf conf = {.receivers = {.at = &b->r, .count = 1}};
    isolate_follow(&b->i, &conf);
}

static void
a_node_is_drained_and_its_job_goes_back_once(void **state)
{
    static const char job[] =
        "{\"state\":\"running\",\"nodes\":\"n[1-4]\",\"start\":\"2026-11-23T07:00:00Z\"}";
    static const char again[] =
        "{\"state\":\"running\",\"nodes\":\"n[2-5]\",\"start\":\"2026-11-23T08:00:03Z\"}";
    static const char drained[] = "update NodeName=n1 State=DRAIN Reason=myriascope:i-n1:nvidia.xid"
                                  ".79\n";
    struct bed *b = *state;
    struct err err = {0};
    char wanted[256];
    assert_int_equal(job_put(b->s, "7", job, strlen(job), false, NULL, &err), 0);
    assert_int_equal(bed_fault(b, "n1", 0.9, &err), 0);
    bed_called(b, drained);
    b->i.now_ms += 1000;
    bed_follow(b);
    snprintf(wanted, sizeof wanted, "%srequeue 7\n", drained);
    bed_called(b, wanted);
    b->i.now_ms += 1000;
    bed_follow(b); /* the pause is cut */
    snprintf(wanted, sizeof wanted, "%srequeue 7\nupdate JobId=7 StartTime=now\n", drained);
    bed_called(b, wanted);
    assert_int_equal(job_put(b->s, "7", again, strlen(again), true, NULL, &err), 0);
    bed_follow(b);
    bed_follow(b);
    bed_called(b, wanted);
    assert_int_equal(bed_fault(b, "n1", 0.9, &err), 0); /* the same fault told again */
    bed_called(b, wanted);
}

static void
a_job_elsewhere_is_left_alone(void **state)
{
    static const char job[] =
        "{\"state\":\"running\",\"nodes\":\"n[2-4]\",\"start\":\"2026-11-23T07:00:00Z\"}";
    struct bed *b = *state;
    struct err err = {0};
    assert_int_equal(job_put(b->s, "7", job, strlen(job), false, NULL, &err), 0);
    assert_int_equal(bed_fault(b, "n1", 0.9, &err), 0);
    bed_follow(b);
    bed_called(b, "update NodeName=n1 State=DRAIN Reason=myriascope:i-n1:nvidia.xid.79\n");
}

static void
it_waits_for_a_surer_diagnosis(void **state)
{
    struct bed *b = *state;
    struct err err = {0};
    assert_int_equal(bed_fault(b, "n1", 0.7, &err), ERR_BUSY);
    bed_called(b, "");
    assert_int_equal(bed_fault(b, "n1", 0.85, &err), 0);
}

static void
a_dry_run_calls_nobody(void **state)
{
    struct bed *b = *state;
    struct err err = {0};
    b->r.slurm.dry_run = true;
    assert_int_equal(bed_fault(b, "n1", 0.9, &err), 0);
    bed_follow(b);
    bed_called(b, "");
}

static int
event_seen(void *ctx, const struct event *ev, uint64_t id)
{
    (void)id;
    (void)ev;
    ++*(int *)ctx;
    return 0;
}

/* 100 nodes, two in a hundred: the third is refused; a day later it is not. */
static void
the_breaker_stops_at_its_share_and_says_so(void **state)
{
    struct bed *b = *state;
    struct err err = {0};
    int seen = 0;
    assert_int_equal(bed_fault(b, "n1", 0.9, &err), 0);
    assert_int_equal(bed_fault(b, "n2", 0.9, &err), 0);
    b->i.now_ms += 1000;
    assert_int_equal(bed_fault(b, "n3", 0.9, &err), ERR_DENIED);
    assert_non_null(strstr(err.text, "circuit breaker"));
    assert_int_equal(store_flush(b->s, &err), 0);
    struct event_query q = {.from_ms = 1, .to_ms = NOW * 2, .code = "myriascope.isolation-stopped"};
    for (int i = 0; i < 100 && !seen; i++) { /* its batch is written by another thread */
        store_events(b->s, &q, event_seen, &seen, NULL);
        usleep(20000);
    }
    assert_int_equal(seen, 1);
    b->i.now_ms += 86400000;
    assert_int_equal(bed_fault(b, "n4", 0.9, &err), 0);
}

static void
the_breaker_stops_at_its_limit_within_the_window(void **state)
{
    struct bed *b = *state;
    struct alert_conf conf = {.receivers = {.at = &b->r, .count = 1}};
    struct err err = {0};
    struct buf out;
    b->r.slurm.share = 1;
    b->r.slurm.limit = 1;
    assert_int_equal(bed_fault(b, "n1", 0.9, &err), 0);
    assert_int_equal(bed_fault(b, "n2", 0.9, &err), ERR_DENIED);
    buf_init(&out, 4096);
    isolate_breaker_json(&b->i, &conf, &out);
    assert_non_null(strstr(buf_str(&out), "\"state\":\"open\",\"used\":1,\"limit\":1"));
    buf_done(&out);
    b->i.now_ms += 3600001;
    assert_int_equal(bed_fault(b, "n2", 0.9, &err), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_is_drained_and_its_job_goes_back_once),
        T(a_job_elsewhere_is_left_alone),
        T(it_waits_for_a_surer_diagnosis),
        T(a_dry_run_calls_nobody),
        T(the_breaker_stops_at_its_share_and_says_so),
        T(the_breaker_stops_at_its_limit_within_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
