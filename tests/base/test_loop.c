/* test_loop: timers, wake-ups, sockets and children on a real loop. */
#include "base/clock.h"
#include "base/loop.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
    struct loop *l;
    struct loop_timer *timer;
    struct loop_wake *wake;
    struct loop_udp *udp;
    struct loop_tcp *tcp;
    struct loop_fd *fd;
    int fires, opened, closed, pipe[2];
    char text[64 * 1024];
    size_t len;
};

static int
setup(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    struct world *w = calloc(1, sizeof *w);
    w->l = loop_new();
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    loop_free(w->l);
    free(w);
    return 0;
}

static int
client(unsigned port, int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void
on_timer(void *ctx)
{
    struct world *w = ctx;
    if (++w->fires == 3)
        loop_timer_close(w->timer);
}

static void
timer_repeats_until_closed_and_the_loop_ends(void **state)
{
    struct world *w = *state;
    w->timer = loop_timer_open(w->l, on_timer, w);
    loop_timer_set(w->timer, 0, 1);
    loop_run(w->l);
    assert_int_equal(w->fires, 3);
}

static void
on_wake(void *ctx)
{
    struct world *w = ctx;
    if (++w->fires >= 1)
        loop_stop(w->l);
}

static void *
wake_from_thread(void *ctx)
{
    struct world *w = ctx;
    loop_wake(w->wake);
    return NULL;
}

static void
another_thread_wakes_the_loop(void **state)
{
    struct world *w = *state;
    pthread_t t;
    w->wake = loop_wake_open(w->l, on_wake, w);
    pthread_create(&t, NULL, wake_from_thread, w);
    loop_run(w->l);
    pthread_join(t, NULL);
    assert_true(w->fires >= 1);
}

static void
on_datagram(void *ctx, const char *data, size_t len, const char *peer)
{
    struct world *w = ctx;
    assert_string_equal(peer, "127.0.0.1");
    memcpy(w->text + w->len, data, len);
    w->len += len;
    if (++w->fires == 20)
        loop_udp_close(w->udp);
}

static void
datagrams_arrive_whole_and_in_order(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_udp_open(w->l, "127.0.0.1:0", on_datagram, w, &w->udp, NULL), 0);
    int fd = client(loop_udp_port(w->udp), SOCK_DGRAM);
    for (int i = 0; i < 20; i++) {
        char text[8];
        int n = snprintf(text, sizeof text, "<%d>", i);
        assert_int_equal(send(fd, text, (size_t)n, 0), n);
    }
    loop_run(w->l);
    close(fd);
    assert_memory_equal(w->text, "<0><1><2><3>", 12);
    assert_int_equal(w->len, 10 * 3 + 10 * 4);
}

static void *
on_opened(void *ctx, struct loop_conn *c, const char *peer)
{
    (void)c;
    struct world *w = ctx;
    assert_string_equal(peer, "127.0.0.1");
    w->opened++;
    return w;
}

static void
on_data(void *ctx, struct loop_conn *c, const char *data, size_t len)
{
    struct world *w = ctx;
    w->len += len;
    assert_int_equal(loop_conn_write(c, data, len), 0);
    if (memchr(data, 'q', len))
        loop_conn_close(c);
}

static void
on_closed(void *ctx)
{
    struct world *w = ctx;
    if (++w->closed == 2)
        loop_tcp_close(w->tcp);
}

static const struct loop_tcp_handler handler = {
    .opened = on_opened, .data = on_data, .closed = on_closed, .connections_max = 2};

static void *
talk(void *arg)
{
    unsigned port = *(unsigned *)arg;
    int a = client(port, SOCK_STREAM), b = client(port, SOCK_STREAM), c = client(port, SOCK_STREAM);
    char text[16] = "";
    (void)!write(a, "hello", 5);
    for (size_t n = 0; n < 5;)
        n += (size_t)read(a, text + n, 5 - n);
    /* The third is over the ceiling: closed at once. */
    ssize_t third = read(c, text + 8, 1);
    (void)!write(b, "q", 1);
    while (read(b, text + 8, 1) > 0)
        ;
    close(a);
    close(b);
    close(c);
    return strcmp(text, "hello") || third > 0 ? "wrong" : NULL;
}

static void
connections_echo_and_close_exactly_once(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_tcp_open(w->l, "127.0.0.1:0", &handler, w, &w->tcp, NULL), 0);
    unsigned port = loop_tcp_port(w->tcp);
    pthread_t t;
    pthread_create(&t, NULL, talk, &port);
    loop_run(w->l);
    void *wrong;
    pthread_join(t, &wrong);
    assert_null(wrong);
    assert_int_equal(w->opened, 2);
    assert_int_equal(w->closed, 2);
    assert_int_equal(w->len, 6);
}

static void
idle_connection_is_closed(void **state)
{
    struct world *w = *state;
    struct loop_tcp_handler h = handler;
    h.idle_ms = 5;
    w->closed = 1;
    assert_int_equal(loop_tcp_open(w->l, "127.0.0.1:0", &h, w, &w->tcp, NULL), 0);
    int fd = client(loop_tcp_port(w->tcp), SOCK_STREAM);
    loop_run(w->l);
    assert_int_equal(w->closed, 2);
    close(fd);
}

static void
taken_port_is_an_error_with_its_address(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    char address[32];
    assert_int_equal(loop_tcp_open(w->l, "127.0.0.1:0", &handler, w, &w->tcp, NULL), 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", loop_tcp_port(w->tcp));
    struct loop_tcp *again = NULL;
    assert_int_equal(loop_tcp_open(w->l, address, &handler, w, &again, &err), ERR_EXISTS);
    assert_non_null(strstr(err.text, address));
}

static void
on_ready(void *ctx, int events)
{
    struct world *w = ctx;
    assert_true(events & LOOP_READ);
    w->len = (size_t)read(w->pipe[0], w->text, 10);
    loop_fd_close(w->fd);
}

static void
descriptor_tells_when_it_is_readable(void **state)
{
    struct world *w = *state;
    assert_int_equal(pipe(w->pipe), 0);
    w->fd = loop_fd_open(w->l, w->pipe[0], on_ready, w);
    loop_fd_set(w->fd, LOOP_READ);
    (void)!write(w->pipe[1], "abc", 3);
    loop_run(w->l);
    assert_int_equal(w->len, 3);
    close(w->pipe[0]);
    close(w->pipe[1]);
}

static void
on_signal(void *ctx, int signum)
{
    struct world *w = ctx;
    w->fires = signum;
    loop_stop(w->l);
}

static void
signal_reaches_the_loop(void **state)
{
    struct world *w = *state;
    struct loop_signal *s = loop_signal_open(w->l, SIGUSR1, on_signal, w);
    assert_non_null(s);
    kill(getpid(), SIGUSR1);
    loop_run(w->l);
    assert_int_equal(w->fires, SIGUSR1);
    loop_signal_close(s);
}

struct ended {
    int calls, status, signal;
    bool timed_out;
    char out[64], err[64];
};

static void
on_exited(void *ctx, int status, int signum, bool timed_out, const struct buf *out,
          const struct buf *errout)
{
    struct ended *e = ctx;
    e->calls++;
    e->status = status;
    e->signal = signum;
    e->timed_out = timed_out;
    snprintf(e->out, sizeof e->out, "%s", buf_str(out));
    snprintf(e->err, sizeof e->err, "%s", buf_str(errout));
}

static void
child_reads_its_input_and_its_output_is_collected(void **state)
{
    struct world *w = *state;
    struct ended e = {0};
    const char *argv[] = {"sh", "-c", "cat; echo no >&2; exit 3", NULL};
    assert_int_equal(loop_spawn(w->l, argv, "hello", 5, 10000, 4, on_exited, &e, NULL), 0);
    loop_run(w->l);
    assert_int_equal(e.calls, 1);
    assert_int_equal(e.status, 3);
    assert_string_equal(e.out, "hell");
    assert_string_equal(e.err, "no\n");
    assert_false(e.timed_out);
}

static void
late_child_is_killed_with_its_children(void **state)
{
    struct world *w = *state;
    struct ended e = {0};
    const char *argv[] = {"sh", "-c", "sleep 100 & sleep 100", NULL};
    int64_t begin = clock_mono_us();
    assert_int_equal(loop_spawn(w->l, argv, NULL, 0, 20, 100, on_exited, &e, NULL), 0);
    loop_run(w->l);
    assert_int_equal(e.calls, 1);
    assert_true(e.timed_out);
    assert_int_equal(e.signal, SIGKILL);
    assert_true(clock_mono_us() - begin < 20000000);
}

static void
absent_command_is_an_error_and_no_callback(void **state)
{
    struct world *w = *state;
    struct ended e = {0};
    struct err err = {0};
    const char *argv[] = {"/nonexistent/command", NULL};
    assert_int_equal(loop_spawn(w->l, argv, NULL, 0, 20, 100, on_exited, &e, &err), ERR_NOTFOUND);
    loop_run(w->l);
    assert_int_equal(e.calls, 0);
    assert_non_null(strstr(err.text, "/nonexistent/command"));
}

static void
end_of_the_loop_ends_all_it_holds(void **state)
{
    struct world *w = *state;
    struct ended e = {0};
    const char *argv[] = {"sleep", "100", NULL};
    struct loop *l = loop_new();
    assert_int_equal(loop_spawn(l, argv, NULL, 0, 0, 100, on_exited, &e, NULL), 0);
    struct loop_timer *t = loop_timer_open(l, on_timer, w);
    loop_timer_set(t, 100000, 0);
    assert_int_equal(loop_tcp_open(l, "127.0.0.1:0", &handler, w, &w->tcp, NULL), 0);
    loop_free(l);
    assert_int_equal(e.calls, 1);
    assert_int_equal(e.signal, SIGKILL);
}

static void
addresses_split_into_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        unsigned port;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1", 80},
        {"[::1]:8686", "::1", 8686},
        {":514", "", 514},
        {"localhost:0", "localhost", 0},
        {"host", NULL, 0},
        {"host:", NULL, 0},
        {"host:x", NULL, 0},
        {"host:70000", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[]:1", NULL, 0},
        {"[::1:80", NULL, 0},
        {"a]:1", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char host[64];
        unsigned port = 1;
        int rc = loop_address_split(rows[i].text, host, &port);
        assert_int_equal(rc, rows[i].host ? 0 : ERR_SYNTAX);
        if (rc)
            continue;
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timer_repeats_until_closed_and_the_loop_ends),
        LOOP_TEST(another_thread_wakes_the_loop),
        LOOP_TEST(datagrams_arrive_whole_and_in_order),
        LOOP_TEST(connections_echo_and_close_exactly_once),
        LOOP_TEST(idle_connection_is_closed),
        LOOP_TEST(taken_port_is_an_error_with_its_address),
        LOOP_TEST(descriptor_tells_when_it_is_readable),
        LOOP_TEST(signal_reaches_the_loop),
        LOOP_TEST(child_reads_its_input_and_its_output_is_collected),
        LOOP_TEST(late_child_is_killed_with_its_children),
        LOOP_TEST(absent_command_is_an_error_and_no_callback),
        LOOP_TEST(end_of_the_loop_ends_all_it_holds),
        cmocka_unit_test(addresses_split_into_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
