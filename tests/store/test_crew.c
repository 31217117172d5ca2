/* crew, scan and chunkcache: parts are done once each whoever does them; queries by many threads
 * miss nothing while memory becomes day files. */
#include "tests/store/support.h"

#include "store/chunkcache.h"
#include "store/crew.h"
#include "store/promql/promql.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 257, ASKERS = 4, ROUNDS = 200, SERIES = 300, STEPS = 120 };

/* --- crew ------------------------------------------------------------------------------------- */

struct counted {
    struct crew *crew;
    atomic_int done[PARTS];
    atomic_int wrong;
};

static void
count_part(void *ctx, size_t part)
{
    atomic_int *done = ctx;
    done[part]++;
}

static void *
count_rounds(void *arg)
{
    struct counted *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_int done[PARTS] = {0};
        crew_run(c->crew, PARTS, count_part, done);
        for (size_t k = 0; k < PARTS; k++)
            c->wrong += done[k] != 1;
    }
    return NULL;
}

static void
each_part_is_done_once_whoever_asks(void **state)
{
    struct counted c = {.crew = crew_new(3)};
    pthread_t threads[ASKERS];
    (void)state;
    assert_non_null(c.crew);
    assert_true(crew_size(c.crew) >= 1 && crew_size(c.crew) <= 4);
    assert_int_equal(crew_size(NULL), 1);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_rounds, &c), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.wrong, 0);
    crew_free(c.crew);
    c.crew = NULL; /* without one the caller does all */
    count_rounds(&c);
    assert_int_equal(c.wrong, 0);
}

/* --- chunkcache ------------------------------------------------------------------------------- */

static struct chunk_reader *
a_chunk(uint64_t id)
{
    struct chunk_writer *w = chunk_writer_new();
    struct chunk_reader *r = NULL;
    struct chunk_info info;
    struct buf out;
    struct sample s[50];
    for (int i = 0; i < 50; i++)
        s[i] = (struct sample){i * 1000, (double)(i % 7)};
    buf_init(&out, CHUNK_BYTES_MAX);
    assert_int_equal(chunk_writer_add(w, id, s, 50), 0);
    assert_int_equal(chunk_writer_finish(w, &out, &info), 0);
    assert_int_equal(chunk_reader_new(out.data, out.len, &r), 0);
    buf_done(&out);
    chunk_writer_free(w);
    return r;
}

static void
what_is_held_outlives_the_cache_and_the_oldest_goes_first(void **state)
{
    struct chunk_key key[3] = {{.day = 1, .row = 1}, {.day = 1, .row = 2}, {.day = 1, .row = 3}};
    struct chunk_reader *r = a_chunk(1);
    size_t each = chunk_reader_bytes(r) + sizeof(struct chunk_held);
    struct chunkcache *c = chunkcache_new(2 * each + each / 2);
    struct sample at[50];
    (void)state;
    struct chunk_held *first = chunkcache_put(c, &key[0], r, 0, 49000), *again, *h;
    chunk_held_drop(chunkcache_put(c, &key[1], a_chunk(2), 0, 49000));
    again = chunkcache_take(c, &key[0]); /* used again: the second is the oldest now */
    assert_ptr_equal(first, again);
    chunk_held_drop(chunkcache_put(c, &key[2], a_chunk(3), 0, 49000));
    assert_null(chunkcache_take(c, &key[1]));
    h = chunkcache_take(c, &key[2]);
    assert_int_equal(chunk_reader_id(h->reader, 0), 3);
    key[0].head[4] = 1; /* another chunk stands there by now */
    assert_null(chunkcache_take(c, &key[0]));
    chunkcache_free(c);
    assert_int_equal(chunk_reader_samples(first->reader, 0, at), 0);
    assert_true(at[8].v == 1);
    chunk_held_drop(first);
    chunk_held_drop(again);
    chunk_held_drop(h);
}

/* --- queries while memory becomes files ------------------------------------------------------- */

struct growing {
    struct support *f;
    atomic_int step; /* committed */
    atomic_int running, wrong, asked;
};

static void *
grow(void *arg)
{
    struct growing *g = arg;
    for (int i = 1; i <= STEPS; i++) {
        struct store_batch *b = store_batch_new(g->f->s);
        for (int k = 0; k < SERIES; k++) {
            char node[24];
            struct labels l = {0};
            snprintf(node, sizeof node, "n%d", k);
            labels_add_str(&l, "__name__", "m");
            labels_add_str(&l, "node", node);
            labels_finish(&l);
            store_batch_samples(b, &l, &(struct sample){SUPPORT_NOW + i * 1000, i}, 1);
        }
        g->wrong += store_commit(g->f->s, b, NULL, NULL) != 0;
        g->step = i;
        if (i % 10 == 0)
            g->wrong += store_flush(g->f->s, NULL) != 0;
    }
    g->running = 0;
    return NULL;
}

/* The sum of a query's only row at its last step. */
static double
ask_sum(struct support *f, const char *query)
{
    struct promql *q;
    struct promql_result r;
    double v = -1;
    if (promql_parse(query, &q, NULL))
        return -1;
    if (!promql_range(f->s, q, SUPPORT_NOW, SUPPORT_NOW + 200000, 1000, NULL, &r, NULL)) {
        if (r.set.count == 1)
            v = r.set.rows[0].samples[r.set.rows[0].count - 1].v;
        promql_result_done(&r);
    }
    promql_free(q);
    return v;
}

static void *
ask(void *arg)
{
    struct growing *g = arg;
    while (g->running) {
        int before = g->step;
        double seen = ask_sum(g->f, "sum(count_over_time(m[1h]))");
        int after = g->step;
        /* a batch that is applied may be seen before its commit is told */
        if (before && (seen < (double)before * SERIES || seen > (double)(after + 1) * SERIES))
            g->wrong++;
        g->asked++;
    }
    return NULL;
}

static void
queries_miss_nothing_while_memory_becomes_day_files(void **state)
{
    struct growing g = {.f = *state, .running = 1};
    pthread_t writer, askers[ASKERS];
    assert_int_equal(pthread_create(&writer, NULL, grow, &g), 0);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&askers[i], NULL, ask, &g), 0);
    pthread_join(writer, NULL);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(askers[i], NULL);
    assert_int_equal(g.wrong, 0);
    assert_true(g.asked > 0);
    assert_true(ask_sum(g.f, "sum(count_over_time(m[1h]))") == (double)SERIES * STEPS);
    assert_int_equal(store_compact(g.f->s, NULL), 0);
    assert_true(ask_sum(g.f, "sum(count_over_time(m[1h]))") == (double)SERIES * STEPS);
    assert_true(ask_sum(g.f, "avg(last_over_time(m[1h]))") == STEPS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_done_once_whoever_asks),
        cmocka_unit_test(what_is_held_outlives_the_cache_and_the_oldest_goes_first),
        cmocka_unit_test_setup_teardown(queries_miss_nothing_while_memory_becomes_day_files,
                                        support_setup, support_teardown)};
    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
