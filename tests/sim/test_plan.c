/* What the plan of a cluster holds, from templates and documents. */
#include "tests/sim/sim_test.h"

static void
rail_template_cables_every_nic_to_the_leaf_of_its_rail(void **state)
{
    (void)state;
    struct plan *p;
    struct plan_fabric f = {.nodes = 10, .nodes_per_group = 4, .rails = 8, .spines = 3, .gpus = 8};
    assert_int_equal(plan_new("t", &p, NULL), 0);
    assert_int_equal(plan_expand(p, &f, NULL), 0);
    assert_int_equal(p->nodes.count, 10);
    assert_int_equal(p->gpus.count, 80);
    assert_int_equal(p->switches.count, 3 * 8 + 3);
    assert_int_equal(p->links.count, 80 + 24 * 3);
    assert_int_equal(p->optics.count, 2 * p->links.count);
    for (uint32_t i = 0; i < p->nics.count; i++) {
        struct plan_end far = plan_far_end(p, (struct plan_end){PLAN_NIC, i});
        assert_int_equal(far.what, PLAN_PORT);
        assert_int_equal(p->switches.at[p->ports.at[far.i].sw].rail, p->nics.at[i].rail);
        assert_string_equal(p->switches.at[p->ports.at[far.i].sw].group,
                            p->nodes.at[p->nics.at[i].node].group);
    }
    assert_true(plan_find(p, "port:leaf-g01-1/Ethernet1") >= 0);
    assert_int_equal(plan_find(p, "port:leaf-g01-1/Ethernet1/1"),
                     plan_find(p, "port:leaf-g01-1/Ethernet1"));
    assert_true(plan_find(p, "optic:node00001/mlx5_0") >= 0);
    assert_true(plan_find(p, "link:leaf-g01-1/Ethernet1--node00001/mlx5_0") >= 0);
    assert_int_equal(plan_find(p, "node:node00011"), -1);
    plan_free(p);
}

static void
fat_tree_of_k_has_five_quarters_k_squared_switches(void **state)
{
    (void)state;
    struct plan *p;
    struct plan_fabric f = {.kind = "fat-tree", .k = 4};
    assert_int_equal(plan_new("t", &p, NULL), 0);
    assert_int_equal(plan_expand(p, &f, NULL), 0);
    assert_int_equal(p->switches.count, 20);
    assert_int_equal(p->nodes.count, 16);
    assert_int_equal(p->links.count, 48);
    plan_free(p);
}

static void
printed_plan_reads_back_the_same(void **state)
{
    (void)state;
    struct plan *p, *q;
    struct doc *d;
    struct buf a, b;
    struct err err = {0};
    struct plan_fabric f = {.nodes = 6, .vendor = "ascend", .model = "910B"};
    buf_init(&a, 1 << 24);
    buf_init(&b, 1 << 24);
    assert_int_equal(plan_new("t", &p, NULL), 0);
    assert_int_equal(plan_expand(p, &f, NULL), 0);
    assert_int_equal(plan_share_storage(p), 0);
    assert_int_equal(plan_print(p, &a), 0);
    assert_int_equal(doc_parse_any(a.data, a.len, "t", &d, &err), 0);
    assert_int_equal(plan_load(d, &q, &err), 0);
    assert_int_equal(plan_print(q, &b), 0);
    assert_string_equal(a.data, b.data);
    assert_true(q->nodes.at[5].mounts);
    doc_free(d);
    plan_free(p);
    plan_free(q);
    buf_done(&a);
    buf_done(&b);
}

static void
wrong_documents_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } cases[] = {
        {"version: 1\nnodes:\n  - {name: a, rack: r9}\n", 3, "r9"},
        {"nodes:\n  - {gpus: 8}\n", 2, "name"},
        {"nodes: 7\n", 1, "list"},
        {"switches:\n  - {name: s}\nlinks:\n  - {a: x/y, b: s/e1}\n", 4, "x/y"},
        {"nodes:\n  - {name: a}\n  - {name: a}\n", 3, "a"},
        {"fabric: {kind: torus}\n", 1, "torus"},
        {"nodes:\n  - {name: a, gpus: {count: 900}}\n", 2, "900"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct doc *d;
        struct plan *p = NULL;
        struct err err = {0};
        assert_int_equal(doc_parse_yaml(cases[i].text, strlen(cases[i].text), "t.yaml", &d, &err),
                         0);
        assert_true(plan_load(d, &p, &err) < 0);
        assert_int_equal(err.line, cases[i].line);
        assert_non_null(strstr(err.text, cases[i].says));
        doc_free(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rail_template_cables_every_nic_to_the_leaf_of_its_rail),
        cmocka_unit_test(fat_tree_of_k_has_five_quarters_k_squared_switches),
        cmocka_unit_test(printed_plan_reads_back_the_same),
        cmocka_unit_test(wrong_documents_are_refused_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
