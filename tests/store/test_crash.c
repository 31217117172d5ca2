/* crash: a process that commits from four threads is killed without warning, again and again. What
 * it had acknowledged is there, once; so is what it had not, or it is absent, but nothing is half
 * there. */
#include "tests/store/support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 100, SERIES = 8, T_STEP = 1000 };

struct producer {
    struct store *s;
    int fd, thread;
    uint64_t first;
};
struct ack {
    uint32_t thread;
    uint32_t spare;
    uint64_t sequence;
};

static void
producer_batch(struct producer *p, uint64_t seq, struct store_batch *b)
{
    char node[32], text[64];
    for (int k = 0; k < SERIES; k++) {
        struct labels l = {0};
        snprintf(node, sizeof node, "n%d-%d", p->thread, k);
        labels_add_str(&l, "__name__", "m");
        labels_add_str(&l, "node", node);
        labels_finish(&l);
        struct sample x = {SUPPORT_NOW + (int64_t)seq * T_STEP, (double)seq + k * 0.25};
        store_batch_samples(b, &l, &x, 1);
    }
    snprintf(text, sizeof text, "thread %d sequence %llu", p->thread, (unsigned long long)seq);
    struct event ev = {.time_ms = SUPPORT_NOW + (int64_t)seq * T_STEP,
                       .entity = "node:n",
                       .code = "test.crash",
                       .source = "test",
                       .text = text,
                       .severity = SEVERITY_WARNING};
    snprintf(node, sizeof node, "t%d", p->thread);
    ev.node = node;
    store_batch_event(b, &ev);
}

static void *
producer_main(void *arg)
{
    struct producer *p = arg;
    char source[32];
    snprintf(source, sizeof source, "agent:t%d", p->thread);
    for (uint64_t seq = p->first;; seq++) {
        struct store_batch *b = store_batch_new(p->s);
        producer_batch(p, seq, b);
        store_batch_watermark(b, source, 1, seq);
        if (store_commit(p->s, b, NULL, NULL))
            return NULL;
        struct ack a = {.thread = (uint32_t)p->thread, .sequence = seq};
        if (write(p->fd, &a, sizeof a) != sizeof a)
            return NULL;
    }
}

static void
child(struct support *f, int fd, const uint64_t *next, unsigned round)
{
    struct err err;
    pthread_t t[THREADS];
    struct producer p[THREADS];
    if (store_open(&f->cfg, &f->s, &err)) {
        fprintf(stderr, "child: %s\n", err.text);
        _exit(9);
    }
    for (int i = 0; i < THREADS; i++) {
        p[i] = (struct producer){f->s, fd, i, next[i]};
        pthread_create(&t[i], NULL, producer_main, &p[i]);
    }
    for (;;) { /* fills and cuts while the others commit in two rounds of three, merges in one */
        if (round % 3 == 1)
            store_flush(f->s, NULL);
        else if (round % 3 == 2)
            store_compact(f->s, NULL);
        usleep(1000);
    }
}

/* Samples 1..n of each series, each once, each with its value; n at least what was acknowledged. */
static uint64_t
check_series(struct support *f, int thread, uint64_t acked)
{
    uint64_t held = 0;
    for (int k = 0; k < SERIES; k++) {
        char node[32];
        struct sample *at = calloc(1 << 20, sizeof *at);
        snprintf(node, sizeof node, "n%d-%d", thread, k);
        size_t n = support_get(f->s, "m", node, 0, INT64_MAX, at, 1 << 20);
        assert_true(n >= acked);
        assert_true(k == 0 || n == held); /* a batch is whole or absent */
        held = n;
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(at[i].t_ms, SUPPORT_NOW + (int64_t)(i + 1) * T_STEP);
            assert_true(at[i].v == (double)(i + 1) + k * 0.25);
        }
        free(at);
    }
    return held;
}

static void
check(struct support *f, const uint64_t *acked, uint64_t *next)
{
    for (int i = 0; i < THREADS; i++) {
        char node[32], source[32];
        snprintf(node, sizeof node, "t%d", i);
        snprintf(source, sizeof source, "agent:t%d", i);
        uint64_t held = check_series(f, i, acked[i]);
        struct event_query q = {.node = node, .limit = 1 << 20};
        assert_int_equal(support_events(f->s, &q), held);
        assert_int_equal(store_watermark(f->s, source, 1), held);
        next[i] = held + 1;
    }
}

static void
no_acknowledged_sample_or_event_is_lost_or_doubled_by_a_hundred_kills(void **state)
{
    struct support *f = *state;
    uint64_t acked[THREADS] = {0}, next[THREADS] = {1, 1, 1, 1};
    support_close(f);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int fd[2];
        assert_int_equal(pipe(fd), 0);
        pid_t pid = fork();
        if (!pid) {
            close(fd[0]);
            child(f, fd[1], next, round);
        }
        close(fd[1]);
        struct ack a;
        unsigned wanted =
            5 + round * 7 % 90; /* dies after so many acknowledgements, wherever it is then */
        for (unsigned n = 0; read(fd[0], &a, sizeof a) == sizeof a; n++) {
            acked[a.thread] = a.sequence > acked[a.thread] ? a.sequence : acked[a.thread];
            if (n == wanted)
                kill(pid, SIGKILL);
        }
        close(fd[0]);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        f->now = SUPPORT_NOW + (int64_t)acked[0] * T_STEP;
        support_open(f);
        check(f, acked, next);
        support_close(f);
    }
    support_open(f);
    check(f, acked, next);
    assert_int_equal(store_verify(f->s, NULL, NULL, NULL), 0);
}

static void
a_second_process_is_refused_the_folder(void **state)
{
    struct support *f = *state;
    struct store *other;
    struct err err;
    assert_int_equal(store_open(&f->cfg, &other, &err), ERR_STATE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            no_acknowledged_sample_or_event_is_lost_or_doubled_by_a_hundred_kills, support_setup,
            support_teardown),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused_the_folder, support_setup,
                                        support_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
