/* known: a set of labels that came once is found by its bytes, by those of its tenant alone, also
 * while the table grows; and samples told by bytes are as good as samples told by labels. */
#include "tests/store/support.h"

#include "base/hash.h"
#include "store/known.h"

#include <stdio.h>
#include <string.h>

/* Gives one sample as a decoder does: by bytes, then by labels. Was it known? */
static bool
give(struct store_batch *b, const char *node, int64_t t, double v)
{
    struct sample_sink sink = store_batch_sink(b);
    struct sample x = {t, v};
    struct labels l = {0};
    uint64_t key[2];
    sink.key(sink.memory, node, strlen(node), key);
    int rc = sink.known(sink.memory, key, strlen(node), &x, 1);
    assert_true(rc == 0 || rc == 1);
    if (rc)
        return true;
    labels_add_str(&l, "__name__", "m");
    labels_add_str(&l, "node", node);
    labels_finish(&l);
    assert_int_equal(sink.series(sink.ctx, &l, &x, 1), 0);
    return false;
}

static void
commit(struct support *f, struct store_batch *b)
{
    assert_int_equal(store_commit(f->s, b, NULL, NULL), 0);
}

static void
what_was_committed_is_known_by_its_bytes(void **state)
{
    struct support *f = *state;
    struct sample at[8];
    for (int i = 0; i < 3; i++) {
        struct store_batch *b = store_batch_new(f->s);
        assert_int_equal(give(b, "a", SUPPORT_NOW + i * 1000, i), i > 0);
        assert_int_equal(give(b, "b", SUPPORT_NOW + i * 1000, i + 10), i > 0);
        commit(f, b);
    }
    assert_int_equal(support_get(f->s, "m", "a", 0, INT64_MAX, at, 8), 3);
    assert_true(at[2].v == 2);
    assert_int_equal(support_get(f->s, "m", "b", 0, INT64_MAX, at, 8), 3);
    assert_true(at[2].v == 12);
    support_close(f); /* what came by bytes is in the journal as everything else */
    support_open(f);
    assert_int_equal(support_get(f->s, "m", "b", 0, INT64_MAX, at, 8), 3);
}

static void
what_was_not_committed_is_not_known(void **state)
{
    struct support *f = *state;
    struct store_batch *b = store_batch_new(f->s);
    assert_false(give(b, "a", SUPPORT_NOW, 1));
    assert_false(give(b, "a", SUPPORT_NOW + 1, 1)); /* not yet */
    store_batch_free(b);
    b = store_batch_new(f->s);
    assert_false(give(b, "a", SUPPORT_NOW, 1));
    commit(f, b);
}

static void
the_same_bytes_are_other_series_of_another_tenant(void **state)
{
    struct support *f = *state;
    static const char *const tenants[] = {NULL, "t1", "t2"};
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 3; i++) {
            struct store_batch *b = store_batch_new(f->s);
            store_batch_tenant(b, tenants[i]);
            assert_int_equal(give(b, "a", SUPPORT_NOW + pass * 1000, i), pass);
            commit(f, b);
        }
    struct store_stats st;
    store_stats_get(f->s, &st);
    assert_int_equal(st.series, 3);
}

static void
a_table_that_grows_loses_nothing_and_waits_for_nobody(void **state)
{
    struct known *k = known_new();
    (void)state;
    for (uint64_t id = 1; id <= 20000; id++) {
        uint64_t key[2];
        if (id == 10000)
            known_hold(k); /* from here on it cannot grow, and takes what fits */
        hash_128(&id, sizeof id, 7, key);
        known_put(k, key, sizeof id, id);
    }
    known_release(k);
    unsigned lost = 0;
    for (uint64_t id = 1; id <= 20000; id++) {
        uint64_t key[2];
        hash_128(&id, sizeof id, 7, key);
        uint32_t place = 0;
        uint64_t found = known_find(k, key, &place);
        assert_true(found == id || (!found && id > 10000));
        assert_true(!found || (known_at(k, place, key) == id && known_len(k, place) == 8));
        lost += !found;
    }
    assert_true(lost > 0);
    known_forget(k);
    uint64_t one = 1, key[2];
    hash_128(&one, sizeof one, 7, key);
    uint32_t place;
    assert_int_equal(known_find(k, key, &place), 0);
    assert_int_equal(known_len(k, 0), 0);
    assert_int_equal(known_at(k, 0, key), 0);
    known_free(k);
}

static void
a_source_that_keeps_its_order_is_followed(void **state)
{
    struct support *f = *state;
    static const char *const sets[] = {"a", "bb", "ccc"};
    for (int pass = 0; pass < 2; pass++) {
        struct store_batch *b = store_batch_new(f->s);
        struct sample_sink sink = store_batch_sink(b);
        struct sample x = {SUPPORT_NOW + pass * 1000, 1};
        assert_int_equal(sink.likely(sink.memory), 0); /* nothing came before */
        assert_int_equal(give(b, "a", x.t_ms, 1), pass);
        for (int i = 1; i < 3; i++) {
            assert_int_equal(sink.likely(sink.memory), pass ? strlen(sets[i]) : 0);
            if (pass) {
                assert_int_equal(sink.follows(sink.memory, "zz", 2, &x, 1), 0);
                assert_int_equal(sink.follows(sink.memory, sets[i], strlen(sets[i]), &x, 1), 1);
            } else {
                give(b, sets[i], x.t_ms, 1);
            }
        }
        assert_int_equal(sink.likely(sink.memory), 0); /* nothing came after */
        commit(f, b);
    }
    struct sample at[8];
    assert_int_equal(support_get(f->s, "m", "ccc", 0, INT64_MAX, at, 8), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_committed_is_known_by_its_bytes, support_setup,
                                        support_teardown),
        cmocka_unit_test_setup_teardown(what_was_not_committed_is_not_known, support_setup,
                                        support_teardown),
        cmocka_unit_test_setup_teardown(the_same_bytes_are_other_series_of_another_tenant,
                                        support_setup, support_teardown),
        cmocka_unit_test_setup_teardown(a_source_that_keeps_its_order_is_followed, support_setup,
                                        support_teardown),
        cmocka_unit_test(a_table_that_grows_loses_nothing_and_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
