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

static void
turn(struct bed *b)
{
    struct err err;
    struct topo *t = topo_get(b->store);
    b->now_ms += 1000;
    symptoms_turn(b->table, b->now_ms);
    assert_true(judge_turn(b->judge, b->table, t, b->presence, b->now_ms, &err) >= 0);
    topo_put(t);
}

/* Turns of a second, for so many seconds; the node of the fault goes on reporting. */
static void
pass(struct bed *b, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        presence_seen(b->presence, "node:node00003", b->now_ms + 1000);
        turn(b);
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

/* --- what goes dark at once --------------------------------------------------------------------
 */

#define DARK_NODES 32 /* in racks of four, two racks on a power unit, in two groups of 16 */

static void
dark_plan(struct bed *b)
{
    char doc[8192];
    struct err err;
    int n = snprintf(doc, sizeof doc,
                     "version: 1\ncluster: {name: t}\n"
                     "fabric: {kind: rail-spine-leaf, groups: 2, nodes_per_group: 16, rails: 2, "
                     "spines: 2, gpus: {count: 8, model: H100}}\nracks:\n");
    for (int r = 1; r <= DARK_NODES / 4; r++)
        n += snprintf(doc + n, sizeof doc - (size_t)n, "  - {name: r%02d, pdu: p%02d}\n", r,
                      (r + 1) / 2);
    n += snprintf(doc + n, sizeof doc - (size_t)n, "nodes:\n");
    for (int i = 0; i < DARK_NODES; i++)
        n += snprintf(doc + n, sizeof doc - (size_t)n, "  - {name: node%05d, rack: r%02d}\n", i + 1,
                      i / 4 + 1);
    assert_int_equal(topo_put_document(b->store, doc, (size_t)n, "t", &err), 0);
    topo_settle(b->store);
}

enum dark_sign { DARK_ABSENT = 1, DARK_REBOOTED = 2, DARK_METER = 4, DARK_PORTS = 8 };

struct dark {
    const char *name;
    struct {
        int from, to;
    } nodes[3];                 /* that go dark, from 1 */
    bool switches;              /* all of them too */
    unsigned signs;             /* what is seen of it */
    int apart_s;                /* between a rack and the next */
    size_t count;               /* incidents */
    const char *cause, *entity; /* of the one; NULL: any */
};

static bool
dark_is(const struct dark *c, int node)
{
    for (size_t i = 0; i < 3; i++)
        if (node >= c->nodes[i].from && node <= c->nodes[i].to)
            return true;
    return false;
}

static const char *const dark_switches[] = {"leaf-g01-1", "leaf-g01-2", "leaf-g02-1",
                                            "leaf-g02-2", "spine-01",   "spine-02"};

/* Turns in which what is not dark reports. */
static void
dark_pass(struct bed *b, const struct dark *c, int seconds)
{
    char name[48];
    for (int s = 0; s < seconds; s++) {
        for (int i = 1; i <= DARK_NODES; i++) {
            snprintf(name, sizeof name, "node:node%05d", i);
            if (!dark_is(c, i))
                presence_seen(b->presence, name, b->now_ms);
        }
        for (size_t i = 0; !c->switches && i < sizeof dark_switches / sizeof *dark_switches; i++) {
            snprintf(name, sizeof name, "switch:%s", dark_switches[i]);
            presence_seen(b->presence, name, b->now_ms);
        }
        turn(b);
    }
}

static void
dark_ports(struct bed *b, int node)
{
    char name[64];
    for (int k = 1; k <= 2; k++) {
        snprintf(name, sizeof name, "port:leaf-g%02d-%d/Ethernet%d", (node - 1) / 16 + 1, k,
                 (node - 1) % 16 + 1);
        event(b, "port.link-down-log", name, EVENT_INSTANT, "");
        event(b, "port.down", name, EVENT_BEGIN, "");
    }
}

static void
dark_later(struct bed *b, const struct dark *c, int seconds)
{
    if (seconds > 60)
        b->now_ms += (int64_t)(seconds - 60) * 1000;
    dark_pass(b, c, seconds > 60 ? 60 : seconds);
}

static void
dark_said(struct bed *b, const struct dark *c, const char *code, bool switches)
{
    bool absent = strstr(code, ".absent") != NULL; /* told late, of when it fell silent */
    char name[48], of_switch[48];
    for (int i = 1; i <= DARK_NODES; i++) {
        snprintf(name, sizeof name, "node:node%05d", i);
        b->now_ms -= absent ? 40000 : 0;
        if (dark_is(c, i))
            event(b, code, name, EVENT_BEGIN, "");
        b->now_ms += absent ? 40000 : 0;
        if (i % 4 == 0 && dark_is(c, i) && c->apart_s)
            dark_later(b, c, c->apart_s);
    }
    snprintf(of_switch, sizeof of_switch, "switch.%s", strchr(code, '.') + 1);
    for (size_t i = 0; switches && i < 6; i++) {
        snprintf(name, sizeof name, "switch:%s", dark_switches[i]);
        event(b, of_switch, name, EVENT_BEGIN, "");
    }
}

static const struct dark darks[] = {
    {"a rack", {{5, 8}}, false, DARK_ABSENT | DARK_PORTS, 1, 1, "rack.power-loss", "rack:r02"},
    {"a rack with a meter",
     {{5, 8}},
     false,
     DARK_ABSENT | DARK_PORTS | DARK_METER,
     1,
     1,
     "rack.power-loss",
     "rack:r02"},
    {"a rack, its ports unseen", {{5, 8}}, false, DARK_ABSENT, 1, 1, "rack.power-loss", "rack:r02"},
    {"a rack that rebooted", {{5, 8}}, false, DARK_REBOOTED, 1, 1, "rack.power-loss", "rack:r02"},
    {"both racks of a power unit",
     {{1, 8}},
     false,
     DARK_ABSENT | DARK_PORTS,
     1,
     1,
     NULL,
     "pdu:p01"},
    {"both racks of a power unit, with meters",
     {{1, 8}},
     false,
     DARK_ABSENT | DARK_PORTS | DARK_METER,
     1,
     1,
     NULL,
     "pdu:p01"},
    {"three racks of a row",
     {{1, 12}},
     false,
     DARK_ABSENT | DARK_PORTS | DARK_METER,
     1,
     1,
     NULL,
     "cluster:t"},
    {"racks apart in the room",
     {{1, 4}, {13, 16}, {25, 28}},
     false,
     DARK_ABSENT | DARK_METER,
     1,
     1,
     NULL,
     "cluster:t"},
    {"all nodes", {{1, 32}}, false, DARK_ABSENT | DARK_PORTS, 1, 1, "power.site-loss", "cluster:t"},
    {"all nodes, with meters",
     {{1, 32}},
     false,
     DARK_ABSENT | DARK_PORTS | DARK_METER,
     1,
     1,
     "power.site-loss",
     "cluster:t"},
    {"everything rebooted", {{1, 32}}, true, DARK_REBOOTED, 10, 1, "power.site-loss", "cluster:t"},
    {"everything rebooted at once",
     {{1, 32}},
     true,
     DARK_REBOOTED,
     0,
     1,
     "power.site-loss",
     "cluster:t"},
    {"everything dark and back",
     {{1, 32}},
     true,
     DARK_ABSENT | DARK_REBOOTED,
     2,
     1,
     "power.site-loss",
     "cluster:t"},
    {"one node", {{7, 7}}, false, DARK_ABSENT | DARK_PORTS, 1, 1, "node.absent", "node:node00007"},
    {"one node that rebooted",
     {{7, 7}},
     false,
     DARK_REBOOTED | DARK_PORTS,
     1,
     1,
     "node.rebooted",
     "node:node00007"},
    {"two nodes of two racks",
     {{7, 7}, {23, 23}},
     false,
     DARK_ABSENT | DARK_PORTS,
     1,
     2,
     NULL,
     NULL},
    {"a rack, then an hour later one far away",
     {{5, 8}, {29, 32}},
     false,
     DARK_ABSENT,
     3600,
     2,
     NULL,
     NULL},
};

static void
what_goes_dark_at_once_is_one_incident_of_what_it_shares(void **state)
{
    for (size_t i = 0; i < sizeof darks / sizeof *darks; i++) {
        const struct dark *c = &darks[i];
        void *own = NULL;
        char name[48];
        setup(&own);
        struct bed *b = own;
        dark_plan(b);
        dark_pass(b, c, 2);
        for (int n = 1; c->signs & DARK_PORTS && n <= DARK_NODES; n++)
            if (dark_is(c, n))
                dark_ports(b, n);
        dark_pass(b, c, 15);
        for (int r = 1; c->signs & DARK_METER && r <= DARK_NODES / 4; r++) {
            snprintf(name, sizeof name, "rack:r%02d", r);
            if (dark_is(c, r * 4))
                event(b, "rack.power-loss", name, EVENT_BEGIN, "");
        }
        dark_pass(b, c, 25);
        if (c->signs & DARK_ABSENT)
            dark_said(b, c, "node.absent", c->switches);
        dark_pass(b, c, 60);
        if (c->signs & DARK_REBOOTED)
            dark_said(b, c, "node.rebooted", c->switches);
        dark_pass(b, c, 60);
        struct list l = incidents(b);
        struct list open = {.count = 0};
        for (size_t k = 0; k < l.count; k++)
            if (strcmp(l.at[k].state, "resolved") || c->count > 1)
                open.at[open.count++] = l.at[k];
        if (open.count != c->count || (c->entity && strcmp(open.at[0].entity, c->entity)) ||
            (c->cause && strcmp(open.at[0].cause, c->cause)))
            fail_msg("%s: %zu of %zu open, first %s at %s", c->name, open.count, l.count,
                     open.count ? open.at[0].cause : "-", open.count ? open.at[0].entity : "-");
        teardown(&own);
    }
    (void)state;
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

/* The line that says why is logged once; what follows from it goes on for hours. */
static void
what_began_a_fault_stays_its_reason_while_it_lasts(void **state)
{
    struct bed *b = *state;
    event(b, "nvidia.xid.79", "gpu:node00003/3", EVENT_INSTANT, "");
    pass(b, 5);
    event(b, "gpu.absent", "gpu:node00003/3", EVENT_BEGIN, "");
    pass(b, 20);
    one_is(b, "open", "nvidia.xid.79", "gpu:node00003/3");
    for (int i = 0; i < 300; i++) {
        b->now_ms += 59000;
        pass(b, 1);
    }
    one_is(b, "open", "nvidia.xid.79", "gpu:node00003/3");
    event(b, "gpu.absent", "gpu:node00003/3", EVENT_END, "");
    pass(b, 15);
    one_is(b, "resolved", "nvidia.xid.79", "gpu:node00003/3");
    b->now_ms += 2 * SYMPTOMS_MEMORY_MS;
    pass(b, 2);
    assert_int_equal(symptoms_count(b->table), 0);
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
        cmocka_unit_test(what_goes_dark_at_once_is_one_incident_of_what_it_shares),
        T(an_error_of_the_program_is_the_users_and_no_machines),
        T(an_incident_ends_with_its_finding_and_comes_back_under_its_name),
        T(a_line_without_sequel_calms_down_where_the_part_reports),
        T(a_silent_part_does_not_calm_down),
        T(what_began_a_fault_stays_its_reason_while_it_lasts),
        T(healthy_noise_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
