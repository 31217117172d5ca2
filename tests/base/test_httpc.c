/* test_httpc: the client against servers that misbehave, the pool, and mail. */
#include "base/httpc.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

/* A server of canned answers: answer i goes to connection i; what was asked is kept. */
struct canned {
    int fd;
    unsigned port;
    const char *const *answers;
    size_t count;
    bool hang; /* answers nothing until the client goes away */
    pthread_t thread;
    char asked[16384];
};

/* Reads a request's head, and its body by Content-Length. */
static void
canned_read(struct canned *s, int c)
{
    size_t len = 0;
    char *end = NULL;
    for (ssize_t n; len < sizeof s->asked - 1 &&
                    (n = read(c, s->asked + len, sizeof s->asked - 1 - len)) > 0;) {
        s->asked[len += (size_t)n] = 0;
        const char *size = strstr(s->asked, "Content-Length: ");
        end = strstr(s->asked, "\r\n\r\n");
        if (end && len >= (size_t)(end + 4 - s->asked) +
                              (size > end || !size ? 0 : (size_t)atoi(size + 16)))
            return;
    }
}

static void *
canned_run(void *ctx)
{
    struct canned *s = ctx;
    for (size_t i = 0; i < s->count; i++) {
        int c = accept(s->fd, NULL, NULL);
        if (c < 0)
            break;
        canned_read(s, c);
        char drop[16];
        if (s->hang)
            while (read(c, drop, sizeof drop) > 0)
                ;
        else if (write(c, s->answers[i], strlen(s->answers[i])) < 0)
            break;
        close(c);
    }
    return NULL;
}

static void
canned_start(struct canned *s, const char *const *answers, size_t count)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof sa;
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    getsockname(s->fd, (struct sockaddr *)&sa, &len);
    s->port = ntohs(sa.sin_port);
    s->answers = answers;
    s->count = count;
    pthread_create(&s->thread, NULL, canned_run, s);
}

static void
canned_stop(struct canned *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static int
fetch(struct httpc_request req, const struct canned *s, struct httpc_response *resp,
      struct err *err)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", s->port);
    if (!req.url)
        req.url = url;
    struct httpc *c = httpc_new();
    int rc = httpc_fetch(c, &req, resp, err);
    httpc_free(c);
    return rc;
}

static void
request_is_sent_as_it_was_asked(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nno"};
    static const char *const headers[] = {"X-Prometheus-Remote-Write-Version: 0.1.0", NULL};
    struct canned s = {0};
    struct httpc_response resp;
    canned_start(&s, answers, 1);
    struct httpc_request req = {
        .body = "a\0b", .body_len = 3, .headers = headers, .bearer = "secret", .method = "PUT"};
    assert_int_equal(fetch(req, &s, &resp, NULL), 0);
    canned_stop(&s);
    assert_int_equal(resp.status, 503);
    assert_string_equal(resp.retry_after, "7");
    assert_string_equal(resp.content_type, "text/x");
    assert_string_equal(buf_str(&resp.body), "no");
    assert_true(resp.seconds > 0);
    assert_memory_equal(s.asked, "PUT /x HTTP/1.1\r\n", 17);
    assert_non_null(strstr(s.asked, "Authorization: Bearer secret\r\n"));
    assert_non_null(strstr(s.asked, "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"));
    assert_non_null(strstr(s.asked, "User-Agent: myriascope/"));
    assert_null(strstr(s.asked, "Content-Type"));
    assert_null(strstr(s.asked, "Expect"));
    assert_memory_equal(strstr(s.asked, "\r\n\r\n") + 4, "a\0b", 3);
    httpc_response_done(&resp);
}

static void
failures_have_their_codes_and_name_the_address(void **state)
{
    (void)state;
    static const struct {
        const char *url, *answer;
        int rc;
    } rows[] = {
        {"ftp://127.0.0.1/", NULL, ERR_USAGE},
        {"file:///etc/passwd", NULL, ERR_USAGE},
        {"127.0.0.1", NULL, ERR_USAGE},
        {"http://127.0.0.1:1/", NULL, ERR_CLOSED},
        {NULL, "", ERR_CLOSED},
        {NULL, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ERR_CLOSED},
        {NULL,
         "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n0123456789012345678901234567890123456789",
         ERR_LIMIT},
        {NULL, "HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\n\r\n", ERR_USAGE},
        {NULL, "HTTP/1.1 302 Go\r\nLocation: https://127.0.0.1:1/\r\n\r\n", ERR_USAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct canned s = {0};
        struct httpc_response resp;
        struct err err = {0};
        if (rows[i].answer)
            canned_start(&s, &rows[i].answer, 1);
        int rc = fetch((struct httpc_request){.url = rows[i].url, .max_body = 32}, &s, &resp, &err);
        if (rows[i].answer)
            canned_stop(&s);
        if (rc != rows[i].rc || !*err.text)
            fail_msg("row %zu: %d %s", i, rc, err.text);
        httpc_response_done(&resp);
    }
}

static void
silent_server_ends_in_a_timeout(void **state)
{
    (void)state;
    struct canned s = {.hang = true};
    struct httpc_response resp;
    canned_start(&s, NULL, 1);
    assert_int_equal(fetch((struct httpc_request){.timeout_ms = 30}, &s, &resp, NULL), ERR_TIMEOUT);
    canned_stop(&s);
    httpc_response_done(&resp);
}

static void
header_with_a_line_end_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {"A: b\r\nC: d", NULL};
    struct canned s = {.port = 1};
    struct httpc_response resp;
    assert_int_equal(fetch((struct httpc_request){.headers = headers}, &s, &resp, NULL), ERR_USAGE);
    httpc_response_done(&resp);
}

static void
unix_socket_is_spoken_to(void **state)
{
    (void)state;
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "/tmp/test_httpc.%d", (int)getpid());
    struct canned s = {.answers = answers, .count = 1};
    s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s.fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(s.fd, 1), 0);
    pthread_create(&s.thread, NULL, canned_run, &s);
    struct httpc_response resp;
    struct httpc_request req = {.url = "http://localhost/", .unix_socket = sa.sun_path};
    assert_int_equal(fetch(req, &s, &resp, NULL), 0);
    assert_string_equal(buf_str(&resp.body), "ok");
    httpc_response_done(&resp);
    canned_stop(&s);
    unlink(sa.sun_path);
}

struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls, ok, closed, usage;
};

static void
on_done(void *ctx, int rc, const struct httpc_response *resp, const struct err *err)
{
    struct tally *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->calls++;
    t->ok += !rc && resp->status == 200 && resp->body.len == 2;
    t->closed += rc == ERR_CLOSED && *err->text;
    t->usage += rc == ERR_USAGE;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void
pool_calls_back_once_for_each_accepted_submit(void **state)
{
    (void)state;
    enum { CALLS = 40 };
    const char *answers[CALLS];
    for (int i = 0; i < CALLS; i++)
        answers[i] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct canned s = {0};
    canned_start(&s, answers, CALLS);
    struct httpc_pool *p = httpc_pool_new(4, 100);
    for (int i = 0; i <= CALLS; i++) {
        char url[64], body[16] = "body";
        snprintf(url, sizeof url, i < CALLS ? "http://127.0.0.1:%u/" : "gopher://127.0.0.1:%u/",
                 s.port);
        struct httpc_request req = {.url = url, .body = body, .body_len = 4};
        assert_int_equal(httpc_pool_submit(p, &req, on_done, &t), 0);
        memset(url, 'x', sizeof url - 1); /* the pool has its own copy */
        memset(body, 'x', sizeof body);
    }
    pthread_mutex_lock(&t.lock);
    while (t.calls < CALLS + 1)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
    httpc_pool_free(p);
    canned_stop(&s);
    assert_int_equal(t.calls, CALLS + 1);
    assert_int_equal(t.ok, CALLS);
    assert_int_equal(t.usage, 1);
    assert_non_null(strstr(s.asked, "\r\n\r\nbody"));
}

static void
full_pool_is_busy_and_its_end_ends_what_runs(void **state)
{
    (void)state;
    struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct canned s = {.hang = true};
    char url[64];
    canned_start(&s, NULL, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    struct httpc_request req = {.url = url, .timeout_ms = 60000};
    struct httpc_pool *p = httpc_pool_new(1, 2);
    int accepted = 0, rc;
    /* One runs, two wait; the thread may not have taken the first yet, never more than three fit.
     */
    while (!(rc = httpc_pool_submit(p, &req, on_done, &t)))
        accepted++;
    assert_int_equal(rc, ERR_BUSY);
    assert_in_range(accepted, 2, 3);
    httpc_pool_free(p);
    canned_stop(&s);
    assert_int_equal(t.calls, accepted);
    assert_int_equal(t.closed, accepted);
}

/* A mail server that takes one message, or refuses the recipient. */
struct sink {
    struct canned s;
    bool refuse;
    char data[4096];
};

static void *
sink_run(void *ctx)
{
    struct sink *k = ctx;
    int c = accept(k->s.fd, NULL, NULL);
    if (c < 0)
        return NULL;
    FILE *f = fdopen(c, "r+");
    char line[1024];
    fprintf(f, "220 sink\r\n");
    fflush(f);
    for (bool body = false; fgets(line, sizeof line, f);) {
        if (strlen(k->data) + strlen(line) < sizeof k->data)
            strcat(k->data, line);
        bool end = body && !strcmp(line, ".\r\n");
        if (body && !end)
            continue;
        body = !strncmp(line, "DATA", 4);
        bool no = k->refuse && !strncmp(line, "RCPT", 4);
        fseek(f, 0, SEEK_CUR);
        fprintf(f, "%s\r\n",
                body                        ? "354 go"
                : no                        ? "550 nobody"
                : !strncmp(line, "QUIT", 4) ? "221 bye"
                                            : "250 ok");
        fflush(f);
        fseek(f, 0, SEEK_CUR);
    }
    fclose(f);
    return NULL;
}

static void
message_is_mailed_with_its_dots_and_line_ends(void **state)
{
    (void)state;
    for (int refuse = 0; refuse < 2; refuse++) {
        struct sink k = {.refuse = refuse};
        struct err err = {0};
        char url[64];
        static const char *const to[] = {"oncall@example.org", "b@example.org", NULL};
        canned_start(&k.s, NULL, 0);
        pthread_t t;
        pthread_create(&t, NULL, sink_run, &k);
        snprintf(url, sizeof url, "smtp://127.0.0.1:%u", k.s.port);
        int rc = httpc_mail(url, NULL, NULL, NULL, "ms@example.org", to,
                            "Subject: x\n\n.dot\r\nend\n", 10000, &err);
        pthread_join(t, NULL);
        canned_stop(&k.s);
        if (refuse) {
            assert_true(rc < 0);
            assert_non_null(strstr(err.text, "550"));
            continue;
        }
        if (rc)
            fail_msg("%s", err.text);
        assert_non_null(strstr(k.data, "MAIL FROM:<ms@example.org>"));
        assert_non_null(strstr(k.data, "RCPT TO:<b@example.org>"));
        assert_non_null(strstr(k.data, "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"));
    }
}

static void
ill_formed_mail_is_refused_before_it_is_sent(void **state)
{
    (void)state;
    static const char *const to[] = {"a@b", NULL}, *const evil[] = {"a@b>\r\nRSET", NULL},
                             *const none[] = {NULL};
    assert_int_equal(httpc_mail("http://x", NULL, NULL, NULL, "a@b", to, "m", 10, NULL), ERR_USAGE);
    assert_int_equal(httpc_mail("smtp://x", NULL, NULL, NULL, "a@b", none, "m", 10, NULL),
                     ERR_USAGE);
    assert_int_equal(httpc_mail("smtp://x", NULL, NULL, NULL, "a@b", evil, "m", 10, NULL),
                     ERR_USAGE);
    assert_int_equal(httpc_mail("smtp://x", NULL, NULL, NULL, "a\n@b", to, "m", 10, NULL),
                     ERR_USAGE);
}

int
main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_sent_as_it_was_asked),
        cmocka_unit_test(failures_have_their_codes_and_name_the_address),
        cmocka_unit_test(silent_server_ends_in_a_timeout),
        cmocka_unit_test(header_with_a_line_end_is_refused),
        cmocka_unit_test(unix_socket_is_spoken_to),
        cmocka_unit_test(pool_calls_back_once_for_each_accepted_submit),
        cmocka_unit_test(full_pool_is_busy_and_its_end_ends_what_runs),
        cmocka_unit_test(message_is_mailed_with_its_dots_and_line_ends),
        cmocka_unit_test(ill_formed_mail_is_refused_before_it_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
