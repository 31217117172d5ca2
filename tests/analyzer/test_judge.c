/* From symptoms to incidents: what is one fault and what is two, who stands above whom, when an
 * incident opens, joins, calms down, resolves and comes back. A small topology, events by hand, an
 * injected clock. */
#include "analyzer/judge.h"
#include "analyzer/reason.h"
#include "analyzer/world.h"
#include "base/doc.h"
#include "store/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 INT64_C(1795420800000)
#define PLAN                                                                                       \
    "version: 1\ncluster: {name: t}\n"                                                             \
    "fabric: {kind: rail-spine-leaf, groups: 1, nodes_per_group: 16, rails: 2, spines: 2, "        \
    "nodes_per_rack: 4, "                                                                          \
    "gpus: {count: 8, model: H100}}\n"

struct bed {
    char folder[64];
    int64_t now_ms;
    struct clock clock;
    struct store *store;
    struct kb *kb;
    struct analyzer_config cfg;
    struct symptoms *table;
    struct presence *presence;
    struct judge *judge;
    uint64_t id;
};

static int64_t
bed_now(void *ctx)
{
    return ((struct bed *)ctx)->now_ms;
}

static int
bed_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int
setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    snprintf(b->folder, sizeof b->folder, "/tmp/myriascope-judge-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->now_ms = T0;
    b->clock = (struct clock){bed_now, b};
    struct store_config sc = {
        .folder = b->folder, .clock = &b->clock, .retention_ms = (int64_t)3650 * 86400000};
    assert_int_equal(store_open(&sc, &b->store, &err), 0);
    assert_int_equal(topo_put_document(b->store, PLAN, strlen(PLAN), "plan", &err), 0);
    topo_settle(b->store);
    assert_int_equal(kb_load(NULL, &b->kb, &err), 0);
    b->cfg = (struct analyzer_config){.store = b->store, .kb = b->kb, .clock = &b->clock};
    b->table = symptoms_new(b->kb);
    b->presence = presence_new();
    assert_int_equal(judge_new(&b->cfg, &b->judge, &err), 0);
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bed *b = *state;
    judge_free(b->judge);
    symptoms_free(b->table);
    presence_free(b->presence);
    store_close(b->store);
    kb_free(b->kb);
    nftw(b->folder, bed_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(b);
    return 0;
}

static void
event(struct bed *b, const char *code, const char *entity, enum event_phase phase, const char *job)
{
    const struct kb_entry *e = kb_find_code(b->kb, code);
    if (!e)
        fail_msg("the knowledge base lacks %s", code);
    struct event ev = {.time_ms = b->now_ms,
                       .phase = phase,
                       .severity = e->severity,
                       .entity = entity,
                       .code = code,
                       .source = phase == EVENT_INSTANT ? "kernel" : "detector",
                       .text = code,
                       .node = "",
                       .job = job,
                       .tenant = "",
                       .fields = ""};
    assert_true(symptoms_event(b->table, &ev, ++b->id) >= 0);
}

/* Turns of a second, for so many seconds; the node of the fault goes on reporting. */
static void
pass(struct bed *b, int seconds)
{
    struct err err;
    for (int i = 0; i < seconds; i++) {
        b->now_ms += 1000;
        presence_seen(b->presence, "node:node00003", b->now_ms);
        struct topo *t = topo_get(b->store);
        symptoms_turn(b->table, b->now_ms);
        assert_true(judge_turn(b->judge, b->table, t, b->presence, b->now_ms, &err) >= 0);
        topo_put(t);
    }
}

struct told {
    char state[16], cause[64], entity[ENTITY_SIZE], verdict[24];
};
struct list {
    struct told at[32];
    size_t count;
};

static int
list_cb(void *ctx, const struct catalog_doc *c)
{
    struct list *l = ctx;
    struct doc *d = NULL;
    assert_int_equal(doc_parse_json(c->json, c->json_len, c->id, &d, NULL), 0);
    const struct doc_node *h = doc_at(doc_get(doc_root(d), "hypotheses"), 0);
    struct told *t = &l->at[l->count++];
    snprintf(t->state, sizeof t->state, "%s", c->state);
    snprintf(t->cause, sizeof t->cause, "%s", doc_get_str(h, "cause", ""));
    snprintf(t->entity, sizeof t->entity, "%s", doc_get_str(h, "entity", ""));
    snprintf(t->verdict, sizeof t->verdict, "%s", doc_get_str(doc_root(d), "verdict", ""));
    doc_free(d);
    return 0;
}

static struct list
incidents(struct bed *b)
{
    struct list l = {.count = 0};
    struct catalog_query q = {.kind = "incident", .limit = 32};
    struct err err;
    assert_true(catalog_list(b->store, &q, list_cb, &l, NULL, &err) >= 0);
    return l;
}

static void
one_is(struct bed *b, const char *state, const char *cause, const char *entity)
{
    struct list l = incidents(b);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.at[0].state, state);
    if (cause)
        assert_string_equal(l.at[0].cause, cause);
    assert_string_equal(l.at[0].entity, entity);
}

/* --- what is one fault ------------------------------------------------------------------------ */

static void
signals_of_one_part_are_one_incident_and_the_job_joins(void **state)
{
    struct bed *b = *state;
    event(b, "nvidia.xid.48", "gpu:node00003/3", EVENT_INSTANT, "7");
    event(b, "nvidia.xid.63", "gpu:node00003/3", EVENT_INSTANT, "7");
    event(b, "nvidia.xid.94", "gpu:node00003/3", EVENT_INSTANT, "7");
    pass(b, 2);
    event(b, "nccl.connection-closed", "job:7", EVENT_INSTANT, "7");
    event(b, "pytorch.child-exit", "job:7", EVENT_INSTANT, "7");
    event(b, "job.failed", "job:7", EVENT_INSTANT, "7");
    pass(b, 20);
    event(b, "gpu.ecc-dbe", "gpu:node00003/3", EVENT_BEGIN, "7");
    pass(b, 5);
    one_is(b, "open", NULL, "gpu:node00003/3");
}

static void
parts_far_apart_are_two_incidents(void **state)
{
    struct bed *b = *state;
    event(b, "nvidia.xid.79", "gpu:node00003/3", EVENT_INSTANT, "");
    event(b, "port.down", "port:leaf-g01-2/Ethernet9", EVENT_BEGIN, "");
    pass(b, 15);
    assert_int_equal(incidents(b).count, 2);
}

static void
both_ends_of_a_cable_are_one_incident(void **state)
{
    struct bed *b = *state;
    event(b, "nic.link-down", "nic:node00003/mlx5_0", EVENT_INSTANT, "");
    event(b, "port.link-down-log", "port:leaf-g01-1/Ethernet3", EVENT_INSTANT, "");
    pass(b, 12);
    event(b, "port.down", "port:leaf-g01-1/Ethernet3", EVENT_BEGIN, "");
    event(b, "optic.tx-power-low", "optic:leaf-g01-1/Ethernet3", EVENT_BEGIN, "");
    pass(b, 12);
    assert_int_equal(incidents(b).count, 1);
}

static void
one_node_that_goes_dark_does_not_blame_its_rack(void **state)
{
    struct bed *b = *state;
    char nic[48], port[64];
    for (int k = 0; k < 2; k++) {
        snprintf(nic, sizeof nic, "nic:node00003/mlx5_%d", k);
        snprintf(port, sizeof port, "port:leaf-g01-%d/Ethernet3", k + 1);
        event(b, "nic.link-down", nic, EVENT_INSTANT, "");
        event(b, "port.down", port, EVENT_BEGIN, "");
    }
    presence_seen(b->presence, "rack:r01", b->now_ms);
    event(b, "host.mce-uncorrected", "node:node00003", EVENT_INSTANT, "");
    pass(b, 40);
    event(b, "node.absent", "node:node00003", EVENT_BEGIN, "");
    pass(b, 30);
    one_is(b, "open", "host.mce-uncorrected", "node:node00003");
}

static void
what_was_seen_to_cause_the_loudest_stands_above_it(void **state)
{
    struct bed *b = *state;
    event(b, "cdu.flow-low", "cdu:c01", EVENT_BEGIN, "");
    pass(b, 20);
    for (int g = 0; g < 8; g++) {
        char gpu[32];
        snprintf(gpu, sizeof gpu, "gpu:node00003/%d", g);
        event(b, "gpu.temperature-high", gpu, EVENT_BEGIN, "");
        event(b, "gpu.throttle-thermal", gpu, EVENT_BEGIN, "");
    }
    pass(b, 20);
    one_is(b, "open", "cdu.flow-low", "cdu:c01");
}

static void
a_remark_does_not_hide_the_fault_beside_it(void **state)
{
    struct bed *b = *state;
    event(b, "pcie.link-limited", "node:node00003", EVENT_INSTANT, "");
    event(b, "pcie.aer-corrected", "node:node00003", EVENT_INSTANT, "");
    pass(b, 3);
    event(b, "gpu.pcie-replay", "gpu:node00003/3", EVENT_BEGIN, "");
    event(b, "gpu.pcie-degraded", "gpu:node00003/3", EVENT_BEGIN, "");
    pass(b, 15);
    struct list l = incidents(b);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.at[0].state, "open");
}

static void
a_lost_feed_stands_above_the_rack_it_darkens(void **state)
{
    struct bed *b = *state;
    char name[48];
    for (int n = 1; n <= 4; n++)
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "nic:node%05d/mlx5_%d", n, k);
            event(b, "nic.link-down", name, EVENT_INSTANT, "");
            snprintf(name, sizeof name, "port:leaf-g01-%d/Ethernet%d", k + 1, n);
            event(b, "port.link-down-log", name, EVENT_INSTANT, "");
            event(b, "port.down", name, EVENT_BEGIN, "");
        }
    pass(b, 4);
    event(b, "pdu.feed-down", "pdu:p01", EVENT_BEGIN, "");
    pass(b, 15);
    event(b, "rack.power-loss", "rack:r01", EVENT_BEGIN, "");
    pass(b, 25);
    for (int n = 1; n <= 4; n++) {
        snprintf(name, sizeof name, "node:node%05d", n);
        event(b, "node.absent", name, EVENT_BEGIN, "");
    }
    pass(b, 20);
    one_is(b, "open", "pdu.feed-down", "pdu:p01");
}

/* --- a user's error --------------------------------------------------------------------------- */

static void
an_error_of_the_program_is_the_users_and_no_machines(void **state)
{
    struct bed *b = *state;
    event(b, "user.python-error", "rank:7/37", EVENT_INSTANT, "7");
    pass(b, 3);
    event(b, "nccl.connection-closed", "job:7", EVENT_INSTANT, "7");
    event(b, "job.failed", "job:7", EVENT_INSTANT, "7");
    pass(b, 15);
    one_is(b, "open", "user.python-error", "rank:7/37");
    assert_string_equal(incidents(b).at[0].verdict, "user");
}

/* --- life ------------------------------------------------------------------------------------- */

static void
an_incident_ends_with_its_finding_and_comes_back_under_its_name(void **state)
{
    struct bed *b = *state;
    event(b, "gpu.pcie-degraded", "gpu:node00003/1", EVENT_BEGIN, "");
    pass(b, 5);
    one_is(b, "open", "gpu.pcie-degraded", "gpu:node00003/1");
    event(b, "gpu.pcie-degraded", "gpu:node00003/1", EVENT_END, "");
    pass(b, 5);
    one_is(b, "open", "gpu.pcie-degraded", "gpu:node00003/1");
    pass(b, 10);
    one_is(b, "resolved", "gpu.pcie-degraded", "gpu:node00003/1");
    event(b, "gpu.pcie-degraded", "gpu:node00003/1", EVENT_BEGIN, "");
    pass(b, 5);
    one_is(b, "open", "gpu.pcie-degraded", "gpu:node00003/1");
}

static void
a_line_without_sequel_calms_down_where_the_part_reports(void **state)
{
    struct bed *b = *state;
    event(b, "nvidia.xid.119", "gpu:node00003/1", EVENT_INSTANT, "");
    pass(b, 60);
    event(b, "nvidia.xid.119", "gpu:node00003/1", EVENT_INSTANT, "");
    pass(b, 100);
    one_is(b, "open", "nvidia.xid.119", "gpu:node00003/1");
    pass(b, 60);
    one_is(b, "resolved", "nvidia.xid.119", "gpu:node00003/1");
}

static void
a_silent_part_does_not_calm_down(void **state)
{
    struct bed *b = *state;
    presence_seen(b->presence, "node:node00005", b->now_ms);
    event(b, "nvidia.xid.119", "gpu:node00005/1", EVENT_INSTANT, "");
    pass(b, 240);
    one_is(b, "open", "nvidia.xid.119", "gpu:node00005/1");
}

static void
healthy_noise_opens_nothing(void **state)
{
    struct bed *b = *state;
    event(b, "nvidia.xid.13", "gpu:node00003/1", EVENT_INSTANT, "9");
    event(b, "nvidia.xid.31", "gpu:node00003/2", EVENT_INSTANT, "9");
    event(b, "host.edac-corrected", "node:node00003", EVENT_INSTANT, "");
    event(b, "gpu.ecc-sbe-rate", "gpu:node00003/2", EVENT_BEGIN, "");
    pass(b, 60);
    assert_int_equal(incidents(b).count, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(signals_of_one_part_are_one_incident_and_the_job_joins),
        T(parts_far_apart_are_two_incidents),
        T(both_ends_of_a_cable_are_one_incident),
        T(one_node_that_goes_dark_does_not_blame_its_rack),
        T(what_was_seen_to_cause_the_loudest_stands_above_it),
        T(a_remark_does_not_hide_the_fault_beside_it),
        T(a_lost_feed_stands_above_the_rack_it_darkens),
        T(an_error_of_the_program_is_the_users_and_no_machines),
        T(an_incident_ends_with_its_finding_and_comes_back_under_its_name),
        T(a_line_without_sequel_calms_down_where_the_part_reports),
        T(a_silent_part_does_not_calm_down),
        T(healthy_noise_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
