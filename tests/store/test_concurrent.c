/* concurrent: readers see whole, ordered, growing series while others commit, fill day files, back
 * up and verify. */
#include "tests/store/support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 3, READERS = 3, BATCHES = 150, SERIES = 40 };

struct shared {
    struct support *f;
    atomic_int running;
    atomic_int wrong;
    int number;
};

static void *
writer_thread(void *arg)
{
    struct shared *sh = ((struct shared **)arg)[0];
    int me = (int)(intptr_t)((void **)arg)[1];
    for (int i = 1; i <= BATCHES; i++) {
        struct store_batch *b = store_batch_new(sh->f->s);
        for (int k = 0; k < SERIES; k++) {
            char node[24];
            struct labels l = {0};
            snprintf(node, sizeof node, "n%d-%d", me, k);
            labels_add_str(&l, "__name__", "m");
            labels_add_str(&l, "node", node);
            labels_finish(&l);
            store_batch_samples(b, &l, &(struct sample){SUPPORT_NOW + i * 1000, i}, 1);
        }
        char node[24];
        snprintf(node, sizeof node, "w%d", me);
        struct log_line line = {.time_ms = SUPPORT_NOW + i,
                                .node = node,
                                .source = "test",
                                .rank = -1,
                                .text = "a line of the writer 日志"};
        store_batch_log(b, &line);
        if (store_commit(sh->f->s, b, NULL, NULL))
            sh->wrong++;
    }
    sh->running--;
    return NULL;
}

static void
read_series(struct shared *sh)
{
    struct matcher m = {MATCH_RE, "node", "n.*"};
    struct series_set set;
    if (store_select(sh->f->s, &m, 1, 0, INT64_MAX, NULL, &set, NULL)) {
        sh->wrong++;
        return;
    }
    for (size_t i = 0; i < set.count; i++)
        for (size_t k = 0; k < set.rows[i].count; k++)
            if (set.rows[i].samples[k].t_ms != SUPPORT_NOW + (int64_t)(k + 1) * 1000)
                sh->wrong++;
    series_set_done(&set);
    if (store_latest(sh->f->s, &m, 1, SUPPORT_NOW + 3600000, 3600000, NULL, &set, NULL) == 0)
        series_set_done(&set);
}

static int
log_text_is_whole(void *ctx, const struct log_line *l, uint64_t id)
{
    struct shared *sh = ctx;
    (void)id;
    if (strcmp(l->text, "a line of the writer 日志"))
        sh->wrong++;
    return 0;
}

static int
label_seen(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return 0;
}

static void *
reader_thread(void *arg)
{
    struct shared *sh = arg;
    int last = 0;
    while (sh->running > 0) {
        read_series(sh);
        struct event_query q = {.text = "日志 writer", .limit = 100000};
        int n = store_logs(sh->f->s, &q, log_text_is_whole, sh, NULL);
        if (n < last)
            sh->wrong++;
        last = n;
        store_label_values(sh->f->s, "node", NULL, 0, SUPPORT_NOW, SUPPORT_NOW + 3600000,
                           label_seen, NULL);
    }
    return NULL;
}

static void *
keeper_thread(void *arg)
{
    struct shared *sh = arg;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; sh->running > 0; i++) {
        if (store_flush(sh->f->s, NULL) || (i % 4 == 3 && store_compact(sh->f->s, NULL)))
            sh->wrong++;
        buf_reset(&b);
        store_metrics(sh->f->s, &b);
        if (i % 5 == 4 && store_verify(sh->f->s, NULL, NULL, NULL))
            sh->wrong++;
    }
    buf_done(&b);
    return NULL;
}

static void
readers_see_whole_series_while_others_write_and_fill(void **state)
{
    struct shared sh = {.f = *state, .running = WRITERS};
    pthread_t w[WRITERS], r[READERS], k;
    void *args[WRITERS][2];
    for (intptr_t i = 0; i < WRITERS; i++) {
        args[i][0] = &sh;
        args[i][1] = (void *)i;
        pthread_create(&w[i], NULL, writer_thread, args[i]);
    }
    for (int i = 0; i < READERS; i++)
        pthread_create(&r[i], NULL, reader_thread, &sh);
    pthread_create(&k, NULL, keeper_thread, &sh);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(w[i], NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(r[i], NULL);
    pthread_join(k, NULL);
    read_series(&sh);
    assert_int_equal(sh.wrong, 0);
    struct event_query q = {.limit = 100000};
    assert_int_equal(support_logs(sh.f->s, &q), WRITERS * BATCHES);
    struct matcher m = {MATCH_EQ, "__name__", "m"};
    struct series_set set;
    assert_int_equal(store_select(sh.f->s, &m, 1, 0, INT64_MAX, NULL, &set, NULL), 0);
    assert_int_equal(set.count, WRITERS * SERIES);
    for (size_t i = 0; i < set.count; i++)
        assert_int_equal(set.rows[i].count, BATCHES);
    series_set_done(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_see_whole_series_while_others_write_and_fill,
                                        support_setup, support_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
