/* test_outbox: batches and a server that takes them, is away, refuses, or answers nonsense. */
#include "agents/outbox.h"
#include "base/clock.h"
#include "base/httpd.h"
#include "base/wire.h"
#include "tests/base/base_test.h"

#include <dirent.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

struct peer {
    struct httpd *httpd;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int refuse; /* this status for that many requests */
    int refuse_count;
    bool guarded; /* takes only the token it gave at a join */
    unsigned joins;
    bool nonsense; /* 200 that acknowledges nothing */
    unsigned requests, taken, gaps;
    uint64_t lost;
    struct wire_head heads[64];
    char reason[64], token[64];
};

static int
peer_head(void *ctx, const struct wire_head *h)
{
    struct peer *p = ctx;
    p->heads[p->taken % 64] = *h;
    return 0;
}

static int
peer_gap(void *ctx, const struct gap *g)
{
    struct peer *p = ctx;
    p->gaps++;
    p->lost += g->count;
    snprintf(p->reason, sizeof p->reason, "%s", g->reason);
    return 0;
}

static int
peer_batch(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct peer *p = ctx;
    struct err err;
    struct wire_handler h = {.head = peer_head, .gap = peer_gap, .ctx = p};
    pthread_mutex_lock(&p->mutex);
    p->requests++;
    const char *auth = httpd_header(req, "Authorization");
    snprintf(p->token, sizeof p->token, "%s", auth ? auth : "");
    if (p->guarded && strcmp(p->token, "Bearer own")) {
        httpd_reply_fail(resp, 401, "denied", "another token");
    } else if (p->refuse_count > 0) {
        p->refuse_count--;
        httpd_reply_fail(resp, p->refuse, "no", "not now");
    } else if (p->nonsense) {
        buf_puts(&resp->body, "{}");
    } else {
        assert_int_equal(wire_decode(req->body, req->body_len, &h, &err), 0);
        struct wire_head *head = &p->heads[p->taken++ % 64];
        buf_printf(&resp->body, "{\"epoch\":%llu,\"sequence\":%llu,\"matcher\":\"0\",\"tasks\":[]}",
                   (unsigned long long)head->epoch, (unsigned long long)head->sequence);
    }
    pthread_cond_broadcast(&p->cond);
    pthread_mutex_unlock(&p->mutex);
    return 0;
}

static int
peer_join(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct peer *p = ctx;
    const char *auth = httpd_header(req, "Authorization");
    pthread_mutex_lock(&p->mutex);
    p->joins++;
    pthread_mutex_unlock(&p->mutex);
    resp->status = auth && !strcmp(auth, "Bearer secret") ? 201 : 403;
    buf_puts(&resp->body, "{\"token\":\"own\"}");
    return 0;
}

static const struct route peer_routes[] = {{.method = "POST",
                                            .path = "/api/v1/agents/{node}/join",
                                            .role = ROLE_NONE,
                                            .handler = peer_join,
                                            .help = "Exchanges a token."},
                                           {.method = "POST",
                                            .path = "/api/v1/agents/{node}/batches",
                                            .role = ROLE_NONE,
                                            .handler = peer_batch,
                                            .help = "Takes a batch.",
                                            .body_max = (size_t)17 << 20}};

static unsigned
peer_start(struct peer *p, const char *listen)
{
    struct httpd_config c = {.listen = listen, .listen_fd = -1, .threads = 1};
    struct err err;
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->cond, NULL);
    p->httpd = httpd_new(&c);
    assert_int_equal(httpd_routes(p->httpd, peer_routes, 2, p), 0);
    if (httpd_start(p->httpd, &err))
        fail_msg("%s", err.text);
    return httpd_port(p->httpd);
}

static void
peer_stop(struct peer *p)
{
    httpd_stop(p->httpd);
    httpd_free(p->httpd);
}

/* Until `what` reaches n, 20 s at most. */
static void
peer_wait(struct peer *p, const unsigned *what, unsigned n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&p->mutex);
    while (*what < n && !pthread_cond_timedwait(&p->cond, &p->mutex, &until))
        ;
    assert_true(*what >= n);
    pthread_mutex_unlock(&p->mutex);
}

static int
one_sample(void *ctx, struct wire_encoder *e)
{
    struct labels l = {.count = 0};
    (void)ctx;
    labels_add_str(&l, "__name__", "node_load1");
    labels_add_str(&l, "node", "n1");
    labels_finish(&l);
    return wire_encode_sample(e, &l, clock_now_ms(NULL), 1) ? ERR_LIMIT : 1;
}

static struct outbox *
outbox_at(unsigned port, const char *dir, const char *token)
{
    static char url[64];
    struct outbox *o = NULL;
    struct err err;
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    struct outbox_config c = {.node = "n1",
                              .url = url,
                              .token_file = token,
                              .spool_dir = dir,
                              .keep_ms = 86400000,
                              .max_bytes = 100000000};
    if (outbox_new(&c, &o, &err) || outbox_start(o, &err))
        fail_msg("%s", err.text);
    return o;
}

static size_t
files_in(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strstr(e->d_name, ".batch") != NULL;
    if (d)
        closedir(d);
    return n;
}

static void
fresh_dir(char dir[64])
{
    snprintf(dir, 64, "/tmp/ms-outbox-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static void
clear_dir(const char *dir)
{
    char path[512];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && unlink(path))
            clear_dir(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static void
batches_arrive_in_order_with_the_token(void **state)
{
    struct peer p;
    char dir[64], token[] = "/tmp/ms-token-XXXXXX";
    (void)state;
    fresh_dir(dir);
    int fd = mkstemp(token);
    assert_int_equal(write(fd, "secret\n", 7), 7);
    close(fd);
    unsigned port = peer_start(&p, "127.0.0.1:0");
    struct outbox *o = outbox_at(port, dir, token);
    for (int i = 0; i < 5; i++)
        assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    peer_wait(&p, &p.taken, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(p.heads[i].sequence, i + 1);
        assert_int_equal(p.heads[i].epoch, p.heads[0].epoch);
    }
    assert_string_equal(p.token, "Bearer secret");
    outbox_free(o);
    assert_int_equal(files_in(dir), 0);
    peer_stop(&p);
    unlink(token);
    clear_dir(dir);
}

static void
what_waits_survives_the_end_and_goes_first(void **state)
{
    struct peer p;
    char dir[64];
    (void)state;
    fresh_dir(dir);
    unsigned port = peer_start(&p, "127.0.0.1:0");
    peer_stop(&p); /* nobody listens there now */
    struct outbox *o = outbox_at(port, dir, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    outbox_free(o);
    assert_int_equal(files_in(dir), 3);
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    peer_start(&p, listen);
    o = outbox_at(port, dir, NULL);
    assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    peer_wait(&p, &p.taken, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(p.heads[i].sequence, i + 1);
    assert_true(p.heads[3].epoch > p.heads[2].epoch);
    assert_int_equal(p.heads[3].sequence, 1);
    outbox_free(o);
    assert_int_equal(files_in(dir), 0);
    peer_stop(&p);
    clear_dir(dir);
}

static void
overload_is_waited_out_and_nothing_is_lost(void **state)
{
    struct peer p;
    char dir[64];
    (void)state;
    fresh_dir(dir);
    unsigned port = peer_start(&p, "127.0.0.1:0");
    p.refuse = 503;
    p.refuse_count = 1;
    struct outbox *o = outbox_at(port, dir, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    peer_wait(&p, &p.taken, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(p.heads[i].sequence, i + 1);
    assert_int_equal(p.gaps, 0);
    outbox_free(o);
    peer_stop(&p);
    clear_dir(dir);
}

static void
a_refused_batch_is_put_aside_and_told_as_a_gap(void **state)
{
    struct peer p;
    char dir[64], refused[96];
    (void)state;
    fresh_dir(dir);
    unsigned port = peer_start(&p, "127.0.0.1:0");
    p.refuse = 400;
    p.refuse_count = 1;
    struct outbox *o = outbox_at(port, dir, NULL);
    struct outbox_counts n = {0};
    assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    peer_wait(&p, &p.requests, 1);
    while (!n.dropped)
        outbox_counts(o, &n);
    assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    peer_wait(&p, &p.taken, 1);
    assert_int_equal(p.gaps, 1);
    assert_int_equal(p.lost, 1);
    assert_string_equal(p.reason, "refused");
    snprintf(refused, sizeof refused, "%s/refused", dir);
    assert_int_equal(files_in(refused), 1);
    outbox_free(o);
    peer_stop(&p);
    clear_dir(dir);
}

static void
an_answer_that_acknowledges_nothing_is_no_answer(void **state)
{
    struct peer p;
    char dir[64];
    (void)state;
    fresh_dir(dir);
    unsigned port = peer_start(&p, "127.0.0.1:0");
    p.nonsense = true;
    struct outbox *o = outbox_at(port, dir, NULL);
    assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
    peer_wait(&p, &p.requests, 1);
    outbox_free(o);
    assert_int_equal(files_in(dir), 1);
    peer_stop(&p);
    clear_dir(dir);
}

static void
a_token_to_join_with_is_exchanged_once(void **state)
{
    struct peer p;
    char dir[64], token[] = "/tmp/ms-token-XXXXXX";
    (void)state;
    fresh_dir(dir);
    int fd = mkstemp(token);
    assert_int_equal(write(fd, "secret\n", 7), 7);
    close(fd);
    unsigned port = peer_start(&p, "127.0.0.1:0");
    p.guarded = true;
    for (unsigned run = 1; run <= 2; run++) { /* a second start has the node's own token */
        struct outbox *o = outbox_at(port, dir, token);
        assert_int_equal(outbox_batch(o, one_sample, NULL), 0);
        peer_wait(&p, &p.taken, run);
        outbox_free(o);
    }
    assert_int_equal(p.joins, 1);
    assert_string_equal(p.token, "Bearer own");
    peer_stop(&p);
    unlink(token);
    clear_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_arrive_in_order_with_the_token),
        cmocka_unit_test(what_waits_survives_the_end_and_goes_first),
        cmocka_unit_test(overload_is_waited_out_and_nothing_is_lost),
        cmocka_unit_test(a_refused_batch_is_put_aside_and_told_as_a_gap),
        cmocka_unit_test(a_token_to_join_with_is_exchanged_once),
        cmocka_unit_test(an_answer_that_acknowledges_nothing_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
