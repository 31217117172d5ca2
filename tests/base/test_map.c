/* Tests of base/map: the table and the arena. */
#include "tests/base/base_test.h"

#include "base/err.h"
#include "base/map.h"

static void
map_keeps_the_last_value_of_each_key(void **state)
{
    (void)state;
    int one, two;
    void *old = &two;
    struct map *m = map_new(10);
    assert_null(map_get(m, "a", 1));
    assert_int_equal(map_set(m, "a", 1, &one, &old), 0);
    assert_null(old);
    assert_int_equal(map_set(m, "a", 1, &two, &old), 0);
    assert_ptr_equal(old, &one);
    assert_ptr_equal(map_get(m, "a", 1), &two);
    assert_int_equal(map_set(m, "", 0, &one, NULL), 0);
    assert_ptr_equal(map_get(m, "", 0), &one);
    assert_int_equal(map_count(m), 2);
    map_free(m, NULL);
}

static void
map_refuses_more_than_its_ceiling(void **state)
{
    (void)state;
    struct map *m = map_new(2);
    assert_int_equal(map_set(m, "a", 1, m, NULL), 0);
    assert_int_equal(map_set(m, "b", 1, m, NULL), 0);
    assert_int_equal(map_set(m, "c", 1, m, NULL), ERR_LIMIT);
    assert_int_equal(map_set(m, "b", 1, m, NULL), 0);
    map_free(m, NULL);
}

static void
map_survives_many_sets_and_removes(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct map *m = map_new(N);
    static char values[N];
    char key[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++)
            assert_int_equal(map_set(m, key, (size_t)sprintf(key, "k%d", i), &values[i], NULL), 0);
        for (int i = 0; i < N; i += 2)
            assert_ptr_equal(map_remove(m, key, (size_t)sprintf(key, "k%d", i)), &values[i]);
        assert_int_equal(map_count(m), N / 2);
        for (int i = 0; i < N; i++)
            assert_ptr_equal(map_get(m, key, (size_t)sprintf(key, "k%d", i)),
                             i % 2 ? &values[i] : NULL);
    }
    size_t pos = 0, seen = 0, len;
    void *value;
    for (const char *k; (k = map_next(m, &pos, &len, &value)); seen++)
        assert_ptr_equal(value, &values[atoi(k + 1)]);
    assert_int_equal(seen, N / 2);
    assert_null(map_remove(m, "none", 4));
    map_free(m, NULL);
}

static void
map_frees_its_values(void **state)
{
    (void)state;
    struct map *m = map_new(2);
    assert_int_equal(map_set(m, "a", 1, malloc(1), NULL), 0);
    map_free(m, free);
    map_free(NULL, free);
}

static void
arena_gives_aligned_zeroed_memory_up_to_its_ceiling(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    for (size_t n = 1; n < 600; n++) {
        char *p = arena_alloc(a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_null(arena_alloc(a, 1 << 20));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_str(a, "", SIZE_MAX));
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    assert_non_null(arena_alloc(a, 1 << 20));
    assert_null(arena_alloc(a, 1));
    arena_free(a);
    arena_free(NULL);
}

static void
arena_copies_text(void **state)
{
    (void)state;
    struct arena *a = arena_new(100);
    assert_string_equal(arena_str(a, "abcdef", 3), "abc");
    arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_keeps_the_last_value_of_each_key),
        cmocka_unit_test(map_refuses_more_than_its_ceiling),
        cmocka_unit_test(map_survives_many_sets_and_removes),
        cmocka_unit_test(map_frees_its_values),
        cmocka_unit_test(arena_gives_aligned_zeroed_memory_up_to_its_ceiling),
        cmocka_unit_test(arena_copies_text),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
