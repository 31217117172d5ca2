/* reason: small topologies, symptoms by hand, and who is named first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/reason.h"
#include "analyzer/world.h"
#include "store/topo.h"

static struct kb *kb;
static struct topo *topo;

static const char document[] =
    "version: 1\n"
    "cluster: {name: t}\n"
    "fabric: {kind: rail-spine-leaf, groups: 1, nodes_per_group: 16, rails: 2, spines: 2}\n"
    "storage: [{name: fs01, kind: nfs, servers: [fs01], path: /data, nodes: "
    "'node[00001-00016]'}]\n";

static int
setup(void **state)
{
    struct err err;
    (void)state;
    if (kb_load(NULL, &kb, &err) || topo_parse(document, sizeof document - 1, "t", &topo, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    topo_put(topo);
    kb_free(kb);
    return 0;
}

#define T0 INT64_C(1795420800000)

static struct symptom
seen(const char *code, const char *entity, int64_t after_ms)
{
    const struct kb_entry *e = kb_find_code(kb, code);
    if (!e)
        fail_msg("the knowledge base lacks %s", code);
    return (struct symptom){.entity = entity,
                            .entry = e,
                            .first_ms = T0 + after_ms,
                            .last_ms = T0 + after_ms,
                            .count = 1,
                            .source = "kernel",
                            .text = code,
                            .node = "",
                            .job = ""};
}

static struct reason_cases
cases_of(const struct symptom *s, size_t n)
{
    struct world_topo wt = {topo, NULL, T0 + 60000};
    struct world w = world_of_topo(&wt);
    struct reason_options o = {.now_ms = T0 + 60000};
    struct reason_cases c = {0};
    assert_int_equal(reason_cases(kb, &w, s, n, &o, &c), 0);
    return c;
}

static void
first_is(const struct reason_cases *c, const char *cause, const char *entity)
{
    assert_true(c->count > 0);
    assert_string_equal(c->at[0].diagnosis->hypotheses[0].entity, entity);
    assert_string_equal(c->at[0].diagnosis->hypotheses[0].cause, cause);
}

static void
one_node_that_waits_for_its_file_server_is_named_itself(void **state)
{
    (void)state;
    struct symptom s[] = {seen("nfs.not-responding", "node:node00003", 0)};
    struct reason_cases c = cases_of(s, 1);
    first_is(&c, "nfs.not-responding", "node:node00003");
    reason_cases_done(&c);
}

static void
many_nodes_that_wait_name_the_file_system_once(void **state)
{
    (void)state;
    struct symptom s[16];
    char names[16][32];
    for (int i = 0; i < 16; i++) {
        snprintf(names[i], sizeof names[i], "node:node%05d", i + 1);
        s[i] = seen("nfs.not-responding", names[i], i * 100);
    }
    struct reason_cases c = cases_of(s, 16);
    first_is(&c, "storage.stalled", "storage:fs01");
    assert_int_equal(c.count, 1);
    reason_cases_done(&c);
}

static void
a_dark_leaf_is_one_case_with_its_adapters_as_victims(void **state)
{
    (void)state;
    struct symptom s[17];
    char names[16][48];
    s[0] = seen("switch.absent", "switch:leaf-g01-1", 20000);
    s[0].sampled = true;
    for (int i = 0; i < 16; i++) {
        snprintf(names[i], sizeof names[i], "nic:node%05d/mlx5_0", i + 1);
        s[i + 1] = seen("nic.link-down", names[i], i * 10);
    }
    struct reason_cases c = cases_of(s, 17);
    first_is(&c, "switch.absent", "switch:leaf-g01-1");
    assert_int_equal(c.count, 1);
    reason_cases_done(&c);
}

static void
two_faults_far_apart_are_two_cases(void **state)
{
    (void)state;
    struct symptom s[] = {seen("nvidia.xid.79", "gpu:node00002/3", 0),
                          seen("nfs.not-responding", "node:node00009", 5000)};
    struct reason_cases c = cases_of(s, 2);
    assert_int_equal(c.count, 2);
    reason_cases_done(&c);
}

static void
a_consequence_alone_is_told_as_unknown(void **state)
{
    (void)state;
    struct symptom s[] = {seen("nccl.watchdog-timeout", "job:4711", 0)};
    struct reason_cases c = cases_of(s, 1);
    assert_int_equal(c.at[0].diagnosis->verdict, VERDICT_UNKNOWN);
    reason_cases_done(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_that_waits_for_its_file_server_is_named_itself),
        cmocka_unit_test(many_nodes_that_wait_name_the_file_system_once),
        cmocka_unit_test(a_dark_leaf_is_one_case_with_its_adapters_as_victims),
        cmocka_unit_test(two_faults_far_apart_are_two_cases),
        cmocka_unit_test(a_consequence_alone_is_told_as_unknown),
    };
    return cmocka_run_group_tests_name("reason", tests, setup, teardown);
}
