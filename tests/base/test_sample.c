/* Tests of base/sample and base/event. */
#include "tests/base/base_test.h"

#include "base/event.h"
#include "base/sample.h"

#include <math.h>

static void
labels_are_sorted_and_found(void **state)
{
    (void)state;
    struct labels l = {.count = 0};
    char out[4];
    assert_int_equal(labels_add_str(&l, "node", "node00001"), 0);
    assert_int_equal(labels_add_str(&l, "gpu", "3"), 0);
    assert_int_equal(labels_add_str(&l, "empty", ""), 0);
    assert_int_equal(labels_add_str(&l, "__name__", "x"), 0);
    assert_int_equal(labels_add_str(&l, "gp", "4"), 0);
    assert_int_equal(labels_finish(&l), 0);
    static const char *const order[] = {"__name__", "gp", "gpu", "node"};
    assert_int_equal(l.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(l.at[i].name, order[i], l.at[i].name_len);
    assert_null(labels_find(&l, "empty"));
    assert_string_equal(labels_copy(&l, "node", out, sizeof out), "nod");
    assert_null(labels_copy(&l, "no", out, sizeof out));
}

static void
ill_formed_label_sets_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int rc;
    } rows[] = {
        {"a", "a", ERR_SYNTAX}, {"1a", "b", ERR_SYNTAX}, {"a-b", "b", ERR_SYNTAX},
        {"", "b", ERR_SYNTAX},  {"a1_", "_", 0},         {"温", "b", ERR_SYNTAX},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct labels l = {.count = 0};
        labels_add_str(&l, rows[i].a, "v");
        labels_add_str(&l, rows[i].b, "v");
        assert_int_equal(labels_finish(&l), rows[i].rc);
    }
}

static void
label_ceilings_hold(void **state)
{
    (void)state;
    static char names[LABELS_MAX + 1][8], big[LABEL_VALUE_MAX + 1];
    struct labels l = {.count = 0};
    memset(big, 'x', sizeof big);
    assert_int_equal(labels_add(&l, "a", 1, big, sizeof big), ERR_LIMIT);
    assert_int_equal(labels_add(&l, big, LABEL_NAME_MAX + 1, "v", 1), ERR_LIMIT);
    for (int i = 0; i <= LABELS_MAX; i++) {
        sprintf(names[i], "l%d", i);
        assert_int_equal(labels_add(&l, names[i], strlen(names[i]), big, LABEL_VALUE_MAX),
                         i < LABELS_MAX ? 0 : ERR_LIMIT);
    }
    assert_int_equal(labels_finish(&l), 0);
    uint64_t h = labels_hash(&l);
    l.at[63].value_len--;
    assert_true(h != labels_hash(&l));
}

static void
hash_is_of_the_set_and_not_of_its_order(void **state)
{
    (void)state;
    struct labels a = {.count = 0}, b = {.count = 0}, c = {.count = 0};
    labels_add_str(&a, "x", "1");
    labels_add_str(&a, "y", "2");
    labels_add_str(&b, "y", "2");
    labels_add_str(&b, "x", "1");
    labels_add_str(&c, "x", "1y");
    labels_add_str(&c, "z", "2");
    labels_finish(&a);
    labels_finish(&b);
    labels_finish(&c);
    assert_true(labels_hash(&a) == labels_hash(&b));
    assert_true(labels_hash(&a) != labels_hash(&c));
}

static void
stale_is_one_nan_among_many(void **state)
{
    (void)state;
    assert_true(isnan(sample_stale()));
    assert_true(sample_is_stale(sample_stale()));
    assert_false(sample_is_stale((double)NAN));
    assert_false(sample_is_stale(0));
}

static void
severities_have_words(void **state)
{
    (void)state;
    assert_string_equal(severity_word(SEVERITY_CRITICAL), "critical");
    assert_int_equal(severity_find("warning"), SEVERITY_WARNING);
    assert_true(severity_find("loud") < 0);
    assert_string_equal(severity_word((enum severity)77), "info");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_sorted_and_found),
        cmocka_unit_test(ill_formed_label_sets_are_refused),
        cmocka_unit_test(label_ceilings_hold),
        cmocka_unit_test(hash_is_of_the_set_and_not_of_its_order),
        cmocka_unit_test(stale_is_one_nan_among_many),
        cmocka_unit_test(severities_have_words),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
