/* Tests of base/entity. */
#include "tests/base/base_test.h"

#include "base/entity.h"

static void
well_formed_names_are_split(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum entity_kind kind;
        const char *owner, *part;
    } rows[] = {
        {"cluster:c", ENTITY_CLUSTER, "c", NULL},
        {"node:node00001", ENTITY_NODE, "node00001", NULL},
        {"gpu:node00001/3", ENTITY_GPU, "node00001", "3"},
        {"port:leaf-g01-1/Ethernet1/1", ENTITY_PORT, "leaf-g01-1", "Ethernet1/1"},
        {"optic:node00001/mlx5_0", ENTITY_OPTIC, "node00001", "mlx5_0"},
        {"link:leaf/E1--node1/mlx5_0", ENTITY_LINK, "leaf/E1--node1/mlx5_0", NULL},
        {"rank:-/12", ENTITY_RANK, "-", "12"},
        {"job:4711", ENTITY_JOB, "4711", NULL},
        {"storage:数据", ENTITY_STORAGE, "数据", NULL},
        {"nvswitch:n1/0", ENTITY_NVSWITCH, "n1", "0"},
        {"node:a:b", ENTITY_NODE, "a:b", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct entity e;
        struct err err;
        assert_int_equal(entity_parse(rows[i].text, &e, &err), 0);
        assert_int_equal(e.kind, rows[i].kind);
        assert_int_equal(e.owner_len, strlen(rows[i].owner));
        assert_memory_equal(e.name, rows[i].owner, e.owner_len);
        if (rows[i].part)
            assert_string_equal(e.part, rows[i].part);
        else
            assert_null(e.part);
        assert_int_equal(entity_kind_of(rows[i].text), rows[i].kind);
    }
}

static void
ill_formed_names_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",           "node",     "node:",     ":x",         "nod:x",          "gpu:node1",
        "gpu:node1/", "gpu:/1",   "node:a/b",  "switch:a/b", "node:a b",       "node:a\nb",
        "node:a\"b",  "node:a'b", "node:a\\b", "node:\xff",  "node:a\xc2\x85", "node:a\xe2\x80\xa8",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct entity e;
        struct err err = {0};
        assert_int_equal(entity_parse(rows[i], &e, &err), ERR_SYNTAX);
        assert_true(strlen(err.text) > 10);
        assert_false(entity_ok(rows[i]));
    }
    char big[ENTITY_SIZE + 1] = "node:";
    memset(big + 5, 'x', ENTITY_MAX - 5);
    big[ENTITY_MAX] = 0;
    assert_true(entity_ok(big));
    big[ENTITY_MAX] = 'x';
    big[ENTITY_MAX + 1] = 0;
    assert_false(entity_ok(big));
}

static void
names_are_composed(void **state)
{
    (void)state;
    char out[ENTITY_SIZE], big[300];
    assert_int_equal(entity_format(out, ENTITY_GPU, "n1", "3"), 0);
    assert_string_equal(out, "gpu:n1/3");
    assert_int_equal(entity_format(out, ENTITY_NODE, "n1", NULL), 0);
    assert_string_equal(out, "node:n1");
    assert_int_equal(entity_format(out, ENTITY_NODE, "n 1", NULL), ERR_RANGE);
    assert_int_equal(entity_format(out, ENTITY_GPU, "n1", NULL), ERR_RANGE);
    assert_int_equal(entity_format(out, ENTITY_NONE, "n1", NULL), ERR_RANGE);
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_int_equal(entity_format(out, ENTITY_NODE, big, NULL), ERR_RANGE);
    assert_int_equal(entity_owner(out, "gpu:n1/3", false), 0);
    assert_string_equal(out, "node:n1");
    assert_int_equal(entity_owner(out, "optic:leaf/E1/1", true), 0);
    assert_string_equal(out, "switch:leaf");
    assert_int_equal(entity_owner(out, "optic:n1/mlx5_0", false), 0);
    assert_string_equal(out, "node:n1");
    assert_int_equal(entity_owner(out, "rank:4711/3", false), 0);
    assert_string_equal(out, "job:4711");
    assert_int_equal(entity_owner(out, "node:n1", false), ERR_RANGE);
    assert_int_equal(entity_link(out, "node1/mlx5_0", "leaf/E1"), 0);
    assert_string_equal(out, "link:leaf/E1--node1/mlx5_0");
    assert_int_equal(entity_link(out, "", "x"), ERR_RANGE);
}

static void
every_kind_and_relation_has_its_words(void **state)
{
    (void)state;
    for (unsigned k = ENTITY_NONE + 1; k < ENTITY_KINDS; k++) {
        const struct entity_kind_row *r = entity_kind_row((enum entity_kind)k);
        assert_true(*r->word && *r->en && *r->zh);
        assert_int_equal(entity_kind_find(r->word, strlen(r->word)), k);
        assert_int_equal(r->has_part, r->owner != ENTITY_NONE);
    }
    assert_int_equal(entity_kind_find("nod", 3), ENTITY_NONE);
    assert_int_equal(entity_kind_find("", 0), ENTITY_NONE);
    for (unsigned r = RELATION_NONE + 1; r < RELATIONS; r++)
        assert_int_equal(
            relation_find(relation_word((enum relation)r), strlen(relation_word((enum relation)r))),
            r);
    assert_int_equal(relation_find("near", 4), RELATION_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_names_are_split),
        cmocka_unit_test(ill_formed_names_are_refused_with_a_sentence),
        cmocka_unit_test(names_are_composed),
        cmocka_unit_test(every_kind_and_relation_has_its_words),
    };
    return cmocka_run_group_tests_name("entity", tests, NULL, NULL);
}
