/* test_httpd: the server and the client against each other, on real sockets of this machine. */
#include "base/clock.h"
#include "base/compress.h"
#include "base/httpc.h"
#include "base/httpd_in.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
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
    struct httpd *s;
    struct httpc *c;
    char url[64];
    atomic_int calls;
};

static int
on_echo(void *ctx, const struct httpd_request *r, struct httpd_response *resp)
{
    struct world *w = ctx;
    const char *all[4] = {"", "", "", ""};
    size_t n = httpd_query_all(r, "match[]", all, 4);
    atomic_fetch_add(&w->calls, 1);
    buf_printf(&resp->body, "%s|%s|%s|%s|%zu|%zu:%s,%s|%s|%s|%s|%s", r->method, r->path,
               httpd_param(r, "id"), httpd_query(r, "q") ? httpd_query(r, "q") : "-", r->body_len,
               n, all[0], all[1], r->peer, r->who.name,
               httpd_cookie(r, "session") ? httpd_cookie(r, "session") : "-",
               httpd_header(r, "X-Test") ? httpd_header(r, "X-Test") : "-");
    resp->content_type = "text/plain; charset=utf-8";
    httpd_reply_header(resp, "X-Mine", "yes");
    httpd_reply_header(resp, "X-Evil", "a\r\nSet-Cookie: b");
    return 0;
}

static int
on_large(void *ctx, const struct httpd_request *r, struct httpd_response *resp)
{
    (void)ctx, (void)r;
    for (int i = 0; i < 10000; i++)
        buf_puts(&resp->body, "{\"a\":1},");
    return 0;
}

static int
on_fail(void *ctx, const struct httpd_request *r, struct httpd_response *resp)
{
    (void)ctx, (void)resp;
    return -atoi(httpd_param(r, "code"));
}

static int
on_stream(void *ctx, const struct httpd_request *r, struct httpd_response *resp)
{
    (void)ctx, (void)r;
    resp->stream = true;
    return 0;
}

static int
on_packed(void *ctx, const struct httpd_request *r, struct httpd_response *resp)
{
    (void)r;
    struct buf *b = ctx;
    resp->static_body = b->data;
    resp->static_len = b->len;
    resp->static_gzip = true;
    resp->content_type = "text/javascript";
    httpd_reply_header(resp, "Cache-Control", "max-age=60");
    return 0;
}

static const struct route routes[] = {
    {"GET", "/api/v1/echo/{id}", ROLE_VIEWER, on_echo, "Echoes.", 0, NULL},
    {"POST", "/api/v1/echo/{id}", ROLE_VIEWER, on_echo, "Echoes.", 0, NULL},
    {"POST", "/write", ROLE_AGENT, on_echo, "Takes much.", 32u << 20, NULL},
    {"PUT", "/small", ROLE_OPERATOR, on_echo, "Takes little.", 10, NULL},
    {"GET", "/large", ROLE_VIEWER, on_large, "Gives much.", 0, NULL},
    {"GET", "/fail/{code}", ROLE_VIEWER, on_fail, "Fails.", 0, NULL},
    {"GET", "/api/v1/stream", ROLE_VIEWER, on_stream, "Streams.", 0, NULL},
    {"GET", "/healthz", ROLE_NONE, on_echo, "Is open.", 0, NULL},
};

static int
check(void *ctx, const struct httpd_request *r, struct identity *ret)
{
    (void)ctx;
    const char *auth = httpd_header(r, "Authorization");
    if (!auth || strncmp(auth, "Bearer ", 7))
        return ERR_DENIED;
    int role = role_find(auth + 7);
    if (role < 0)
        return ERR_DENIED;
    ret->role = (enum role)role;
    snprintf(ret->name, sizeof ret->name, "%s", auth + 7);
    snprintf(ret->tenant, sizeof ret->tenant, "%s", role == ROLE_VIEWER ? "t1" : "");
    return 0;
}

static struct world *
world_open(const struct httpd_config *cfg, bool tls)
{
    signal(SIGPIPE, SIG_IGN);
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    w->s = httpd_new(cfg);
    assert_int_equal(httpd_routes(w->s, routes, sizeof routes / sizeof *routes, w), 0);
    if (httpd_start(w->s, &err))
        fail_msg("%s", err.text);
    snprintf(w->url, sizeof w->url, "http%s://127.0.0.1:%u", tls ? "s" : "", httpd_port(w->s));
    w->c = httpc_new();
    return w;
}

static void
world_close(struct world *w)
{
    httpc_free(w->c);
    httpd_free(w->s);
    free(w);
}

static int
setup_open(void **state)
{
    struct httpd_config cfg = {
        .listen = "127.0.0.1:0", .listen_fd = -1, .loopback_hosts_only = true};
    *state = world_open(&cfg, false);
    return 0;
}

static int
setup_auth(void **state)
{
    struct httpd_config cfg = {.listen = "127.0.0.1:0", .listen_fd = -1, .auth.check = check};
    *state = world_open(&cfg, false);
    return 0;
}

static int
teardown(void **state)
{
    world_close(*state);
    return 0;
}

/* One call; the body is left in `out`, the status returned. */
static int
ask(struct world *w, struct httpc_request req, const char *path, char *out, size_t size)
{
    char url[512];
    struct httpc_response resp;
    struct err err = {0};
    snprintf(url, sizeof url, "%s%s", w->url, path);
    req.url = url;
    if (httpc_fetch(w->c, &req, &resp, &err))
        fail_msg("%s: %s", path, err.text);
    int status = resp.status;
    if (out)
        snprintf(out, size, "%s", buf_str(&resp.body));
    httpc_response_done(&resp);
    return status;
}

static int
connect_to(const struct world *w)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)httpd_port(w->s))};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/* Sends text on a new connection and reads until `until` was seen or the end. */
static void
raw(const struct world *w, const char *text, const char *until, char *out, size_t size)
{
    int fd = connect_to(w);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    size_t len = 0;
    *out = 0;
    for (ssize_t n; len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0;) {
        out[len += (size_t)n] = 0;
        if (until && strstr(out, until))
            break;
    }
    close(fd);
}

static void
request_reaches_its_handler_with_all_it_says(void **state)
{
    struct world *w = *state;
    char out[512];
    const char *headers[] = {"X-Test: t", "Cookie: a=b; session=s1", NULL};
    struct httpc_request get = {.headers = headers};
    assert_int_equal(
        ask(w, get, "/api/v1/echo/a%2Fb%20c?q=%E4%B8%AD+x&match[]=up&match%5B%5D=b", out, 512),
        200);
    assert_string_equal(out, "GET|/api/v1/echo/a/b c|a/b c|中 x|0|2:up,b|127.0.0.1|anonymous|s1|t");
    const char *form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    struct httpc_request post = {.headers = form, .body = "q=up%7B%7D&match[]=z", .body_len = 20};
    assert_int_equal(ask(w, post, "/api/v1/echo/1?match[]=y", out, 512), 200);
    assert_string_equal(out, "POST|/api/v1/echo/1|1|up{}|20|2:y,z|127.0.0.1|anonymous|-|-");
}

static void
errors_are_json_with_the_right_status(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *method, *path, *code;
        int status;
    } rows[] = {
        {"GET", "/nope", "not_found", 404},
        {"GET", "/api/v1/echo/", "not_found", 404},
        {"DELETE", "/healthz", "method", 405},
        {"GET", "/api/v1/echo/%zz", "syntax", 400},
        {"GET", "/api/v1/echo/%00", "syntax", 400},
        {"GET", "/healthz?a=%", "syntax", 400},
        {"GET", "/fail/7", "not_found", 404} /* 7: see err.h */,
        {"GET", "/fail/6", "not_found", 404},
        {"GET", "/fail/13", "busy", 429},
        {"GET", "/fail/3", "syntax", 400},
        {"GET", "/fail/14", "full", 503},
        {"GET", "/fail/9", "timeout", 504},
        {"GET", "/fail/10", "denied", 403},
        {"GET", "/fail/2", "io", 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[512], code[64];
        int status =
            ask(w, (struct httpc_request){.method = rows[i].method}, rows[i].path, out, 512);
        if (i == 6) { /* exists */
            assert_int_equal(status, 409);
            continue;
        }
        snprintf(code, sizeof code, "{\"error\":{\"code\":\"%s\",\"message\":\"", rows[i].code);
        if (status != rows[i].status || strncmp(out, code, strlen(code)))
            fail_msg("%s: %d %s", rows[i].path, status, out);
    }
}

static void
overload_says_when_to_come_again(void **state)
{
    struct world *w = *state;
    char url[128];
    struct httpc_response resp;
    snprintf(url, sizeof url, "%s/fail/13", w->url);
    struct httpc_request req = {.url = url};
    assert_int_equal(httpc_fetch(w->c, &req, &resp, NULL), 0);
    assert_string_equal(resp.retry_after, "1");
    assert_string_equal(resp.content_type, "application/json");
    httpc_response_done(&resp);
}

static void
body_over_its_ceiling_is_413_by_any_way(void **state)
{
    struct world *w = *state;
    char out[512], *big = calloc(1, 3u << 20);
    assert_int_equal(ask(w, (struct httpc_request){.method = "PUT", .body = big, .body_len = 10},
                         "/small", out, 512),
                     200);
    assert_int_equal(ask(w, (struct httpc_request){.method = "PUT", .body = big, .body_len = 11},
                         "/small", out, 512),
                     413);
    assert_int_equal(
        ask(w, (struct httpc_request){.method = "POST", .body = big, .body_len = 1u << 20},
            "/api/v1/echo/1", out, 512),
        200);
    assert_int_equal(
        ask(w, (struct httpc_request){.method = "POST", .body = big, .body_len = (1u << 20) + 1},
            "/api/v1/echo/1", out, 512),
        413);
    raw(w,
        "PUT /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
        "chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
        "}}", out, sizeof out);
    assert_non_null(strstr(out, " 413 "));
    raw(w, "PUT /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", "}}",
        out, sizeof out);
    assert_non_null(strstr(out, " 413 "));
    struct buf bomb;
    buf_init(&bomb, 4u << 20);
    assert_int_equal(compress_gzip(big, 3u << 20, &bomb), 0);
    const char *gzip[] = {"Content-Encoding: gzip", NULL};
    assert_int_equal(
        ask(w, (struct httpc_request){.headers = gzip, .body = bomb.data, .body_len = bomb.len},
            "/api/v1/echo/1", out, 512),
        413);
    assert_int_equal(
        ask(w, (struct httpc_request){.headers = gzip, .body = bomb.data, .body_len = bomb.len},
            "/write", out, 512),
        200);
    assert_non_null(strstr(out, "|3145728|"));
    buf_done(&bomb);
    free(big);
}

static void
body_is_unpacked_by_its_content_encoding(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *coding;
        int status;
    } rows[] = {{"Content-Encoding: zstd", 200},
                {"Content-Encoding: gzip", 400},
                {"Content-Encoding: br", 415},
                {"Content-Encoding: snappy", 200}};
    struct buf packed;
    buf_init(&packed, 1000);
    compress_zstd("0123456789", 10, 3, &packed);
    for (size_t i = 0; i < 4; i++) {
        char out[512];
        const char *headers[] = {rows[i].coding, NULL};
        struct httpc_request req = {
            .headers = headers, .body = packed.data, .body_len = packed.len};
        assert_int_equal(ask(w, req, "/write", out, 512), rows[i].status);
        if (!i)
            assert_non_null(strstr(out, "|10|"));
    }
    buf_done(&packed);
}

static void
answers_are_packed_for_those_who_accept_it(void **state)
{
    struct world *w = *state;
    char out[200000];
    static const char *const codings[] = {"gzip", "zstd"};
    for (int i = 0; i < 2; i++) {
        char text[200], want[64];
        snprintf(text, sizeof text,
                 "GET /large HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: %s\r\nConnection: "
                 "close\r\n\r\n",
                 codings[i]);
        raw(w, text, NULL, out, sizeof out);
        snprintf(want, sizeof want, "Content-Encoding: %s\r\n", codings[i]);
        assert_non_null(strstr(out, want));
        assert_non_null(strstr(out, "Vary: Accept-Encoding"));
    }
    raw(w, "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", NULL, out,
        sizeof out);
    assert_null(strstr(out, "Content-Encoding"));
    assert_non_null(strstr(out, "Content-Length: 80000"));
    assert_int_equal(ask(w, (struct httpc_request){0}, "/large", out, sizeof out), 200);
    assert_int_equal(strlen(out), 80000);
}

static void
every_answer_has_the_security_headers_and_none_that_was_smuggled(void **state)
{
    struct world *w = *state;
    static const char *const paths[] = {"/healthz", "/nope", "/fail/2", "/large"};
    for (int i = 0; i < 4; i++) {
        char out[100000], text[200];
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", paths[i]);
        raw(w, text, NULL, out, sizeof out);
        assert_non_null(strstr(out, "X-Content-Type-Options: nosniff\r\n"));
        assert_non_null(strstr(out, "Referrer-Policy: same-origin\r\n"));
        assert_non_null(strstr(out, "X-Frame-Options: DENY\r\n"));
        assert_non_null(strstr(out, "frame-ancestors 'none'"));
        assert_null(strstr(out, "Set-Cookie"));
    }
}

static void
head_has_no_body_and_options_lists_methods(void **state)
{
    struct world *w = *state;
    char out[2000];
    raw(w, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", NULL, out,
        sizeof out);
    assert_non_null(strstr(out, " 200 OK"));
    assert_string_equal(strstr(out, "\r\n\r\n"), "\r\n\r\n");
    raw(w, "OPTIONS /api/v1/echo/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", NULL,
        out, sizeof out);
    assert_non_null(strstr(out, " 204 "));
    assert_non_null(strstr(out, "Allow: GET, HEAD, POST, OPTIONS\r\n"));
}

static void
foreign_host_and_cross_site_write_are_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *method, *header;
        int status;
    } rows[] = {
        {"GET", "Host: evil.example", 403},
        {"GET", "Host: localhost:1", 200},
        {"GET", "Origin: http://evil.example", 200},
        {"POST", "Origin: http://evil.example", 403},
        {"POST", "Origin: null", 403},
        {"POST", "Origin: http://localhost:8080", 200},
        {"POST", "Sec-Fetch-Site: cross-site", 403},
        {"POST", "Sec-Fetch-Site: same-origin", 200},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *headers[] = {rows[i].header, NULL};
        struct httpc_request req = {.method = rows[i].method, .headers = headers};
        if (ask(w, req, "/api/v1/echo/1", NULL, 0) != rows[i].status)
            fail_msg("%s %s", rows[i].method, rows[i].header);
    }
}

static void
roles_are_asked_before_paths_are_told(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *method, *path, *token;
        int status;
    } rows[] = {
        {"GET", "/healthz", NULL, 200},
        {"GET", "/healthz", "bad", 200},
        {"GET", "/nope", NULL, 401},
        {"GET", "/nope", "viewer", 404},
        {"GET", "/api/v1/echo/1", NULL, 401},
        {"GET", "/api/v1/echo/1", "bad", 401},
        {"GET", "/api/v1/echo/1", "viewer", 200},
        {"GET", "/api/v1/echo/1", "agent", 403},
        {"POST", "/write", "agent", 200},
        {"POST", "/write", "viewer", 403},
        {"POST", "/write", "admin", 200},
        {"PUT", "/small", "viewer", 403},
        {"PUT", "/small", "operator", 200},
        {"DELETE", "/small", NULL, 401},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct httpc_request req = {.method = rows[i].method, .bearer = rows[i].token};
        int status = ask(w, req, rows[i].path, NULL, 0);
        if (status != rows[i].status)
            fail_msg("%s %s as %s: %d", rows[i].method, rows[i].path, rows[i].token, status);
    }
    char out[2000];
    raw(w, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL, out, sizeof out);
    assert_non_null(strstr(out, "WWW-Authenticate: Bearer"));
    assert_non_null(strstr(out, "WWW-Authenticate: Basic"));
    raw(w, "GET /large HTTP/1.1\r\nHost: x\r\nSec-Fetch-Mode: cors\r\nConnection: close\r\n\r\n",
        NULL, out, sizeof out);
    assert_null(strstr(out, "Basic"));
}

static void
events_reach_the_streams_that_may_see_them(void **state)
{
    struct world *w = *state;
    int fd[2];
    static const char *const tokens[] = {"viewer", "admin"};
    char out[2][4096] = {"", ""};
    for (int i = 0; i < 2; i++) {
        char text[200];
        fd[i] = connect_to(w);
        snprintf(text, sizeof text,
                 "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
                 tokens[i]);
        assert_int_equal(write(fd[i], text, strlen(text)), strlen(text));
        for (size_t len = 0; !strstr(out[i], "retry: 3000");)
            len += (size_t)read(fd[i], out[i] + len, sizeof out[i] - len - 1);
    }
    httpd_publish(w->s, "job", "{\"a\":\n1}", "t1");
    httpd_publish(w->s, "job", "{\"secret\":1}", "t2");
    httpd_streams_beat(w->s);
    httpd_publish(w->s, "end", "{}", "");
    for (int i = 0; i < 2; i++) {
        for (size_t len = strlen(out[i]); !strstr(out[i], "event: end");)
            len += (size_t)read(fd[i], out[i] + len, sizeof out[i] - len - 1);
        assert_non_null(strstr(out[i], "event: job\ndata: {\"a\":\ndata: 1}\n\n"));
        assert_non_null(strstr(out[i], ": still here\n\n"));
        assert_true((strstr(out[i], "secret") != NULL) == (i == 1));
    }
    /* A stop ends the streams with their last chunk. */
    httpd_stop(w->s);
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(out[i]);
        for (ssize_t n; (n = read(fd[i], out[i] + len, sizeof out[i] - len - 1)) > 0;)
            out[i][len += (size_t)n] = 0;
        assert_string_equal(out[i] + len - 5, "0\r\n\r\n");
        close(fd[i]);
    }
}

/* Opens a stream, which says that it had `last` (NULL: nothing), and reads until `until` is there.
 */
static int
stream_from(const struct world *w, const char *token, const char *last, const char *until,
            char *out, size_t size)
{
    char text[300];
    size_t len = 0;
    int fd = connect_to(w);
    snprintf(text, sizeof text,
             "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s%s%s\r\n",
             token, last ? "Last-Event-ID: " : "", last ? last : "", last ? "\r\n" : "");
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    for (*out = 0; !strstr(out, until); out[len] = 0) {
        ssize_t n = read(fd, out + len, size - len - 1);
        assert_true(n > 0);
        len += (size_t)n;
    }
    return fd;
}

/* The last id in what a stream said. */
static void
stream_last_id(const char *out, char id[64])
{
    const char *at = out, *next;
    while ((next = strstr(at, "\nid: ")))
        at = next + 5;
    assert_true(at != out);
    snprintf(id, 64, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static void
stream_that_comes_again_gets_what_it_missed(void **state)
{
    struct world *w = *state;
    char out[65536], id[64], foreign[64];
    int fd = stream_from(w, "viewer", NULL, "id: ", out, sizeof out);
    assert_null(strstr(out, "reset"));
    stream_last_id(out, id);
    close(fd);
    httpd_publish(w->s, "job", "{\"n\":1}", "t1");
    httpd_publish(w->s, "job", "{\"secret\":1}", "t2");
    httpd_publish(w->s, "job", "{\"n\":2}", "");
    fd = stream_from(w, "viewer", id, "{\"n\":2}\n\nid: ", out, sizeof out);
    assert_non_null(strstr(out, "event: job\ndata: {\"n\":1}\n\n"));
    assert_null(strstr(out, "secret"));
    assert_null(strstr(out, "reset"));
    stream_last_id(out, id);
    close(fd);
    fd = stream_from(w, "viewer", id, "id: ", out, sizeof out); /* it had all */
    assert_null(strstr(out, "data: {\"n\""));
    assert_null(strstr(out, "reset"));
    close(fd);
    snprintf(foreign, sizeof foreign, "1-%s", strchr(id, '-') + 1); /* of another server's life */
    static const char *const bad[] = {"1", "x-y", "-", "ffffffffffffffffffffff-1"};
    close(stream_from(w, "viewer", foreign, "event: reset", out, sizeof out));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        close(stream_from(w, "viewer", bad[i], "event: reset", out, sizeof out));
}

static void
stream_that_missed_too_much_is_reset(void **state)
{
    struct world *w = *state;
    static char out[1 << 20], large[400000];
    char id[64];
    close(stream_from(w, "viewer", NULL, "id: ", out, sizeof out));
    stream_last_id(out, id);
    for (int i = 0; i < 1000; i++)
        httpd_publish(w->s, "job", "{}", "");
    close(stream_from(w, "viewer", id, "\n\nid: ", out, sizeof out));
    size_t events = 0;
    for (const char *p = out; (p = strstr(p, "event: job")); p++)
        events++;
    assert_true(events > 0);
    assert_null(strstr(out, "reset"));
    httpd_publish(w->s, "job", "{}", "");
    close(stream_from(w, "viewer", id, "event: reset", out, sizeof out));
    stream_last_id(out, id);
    memset(large, 'x', sizeof large - 1);
    httpd_publish(w->s, "x", large, "");
    httpd_publish(w->s, "x", large, ""); /* two are more than is kept */
    close(stream_from(w, "viewer", id, "event: reset", out, sizeof out));
}

static void
stream_that_does_not_read_is_closed(void **state)
{
    struct world *w = *state;
    char json[40000], out[256];
    memset(json, 'x', sizeof json - 1);
    json[sizeof json - 1] = 0;
    int fd = connect_to(w);
    const char *text =
        "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n\r\n";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_true(read(fd, out, sizeof out) > 0);
    for (int i = 0; i < 1000; i++)
        httpd_publish(w->s, "x", json, "");
    size_t got = 0;
    static char drop[1 << 20];
    for (ssize_t n; (n = read(fd, drop, sizeof drop)) > 0;)
        got += (size_t)n;
    assert_true(got < 40000000); /* the stream ended before it had all */
    close(fd);
}

struct load {
    struct world *w;
    int ok;
};

static void *
load_run(void *arg)
{
    struct load *l = arg;
    struct httpc *c = httpc_new();
    char url[128], *body = calloc(1, 300000);
    snprintf(url, sizeof url, "%s/write", l->w->url);
    for (int i = 0; i < 50; i++) {
        struct httpc_response resp;
        struct httpc_request req = {.url = url, .body = body, .body_len = (size_t)(i * 6000)};
        if (!httpc_fetch(c, &req, &resp, NULL) && resp.status == 200)
            l->ok++;
        httpc_response_done(&resp);
    }
    httpc_free(c);
    free(body);
    return NULL;
}

static void
many_clients_are_served_at_once_on_kept_connections(void **state)
{
    struct world *w = *state;
    pthread_t t[8];
    struct load load[8];
    for (int i = 0; i < 8; i++) {
        load[i] = (struct load){.w = w};
        pthread_create(&t[i], NULL, load_run, &load[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(load[i].ok, 50);
    }
    assert_int_equal(atomic_load(&w->calls), 400);
    struct buf out;
    buf_init(&out, 1u << 16);
    httpd_metrics(w->s, &out);
    assert_non_null(strstr(buf_str(&out), "myriascope_http_requests_total{code=\"2xx\"} 400\n"));
    buf_done(&out);
}

static void
two_requests_pass_over_one_connection(void **state)
{
    struct world *w = *state;
    char out[4000];
    raw(w,
        "GET /healthz?q=first HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "GET /healthz?q=second HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "second", out, sizeof out);
    assert_non_null(strstr(out, "first"));
    assert_non_null(strstr(out, "second"));
}

static void
socket_handed_over_is_served(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 10), 0);
    struct httpd_config cfg = {.listen_fd = fd, .threads = 1};
    struct world *w = world_open(&cfg, false);
    assert_true(httpd_port(w->s) > 0);
    assert_int_equal(ask(w, (struct httpc_request){0}, "/healthz", NULL, 0), 200);
    world_close(w);
}

static void
start_fails_with_the_cause(void **state)
{
    struct world *w = *state;
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", httpd_port(w->s));
    struct httpd_config rows[] = {
        {.listen = taken, .listen_fd = -1},
        {.listen = "nonsense", .listen_fd = -1},
        {.listen = "127.0.0.1:0", .listen_fd = -1, .tls_cert = "/nonexistent.pem", .tls_key = "/x"},
        {.listen = "127.0.0.1:0",
         .listen_fd = -1,
         .tls_cert = "/etc/hostname",
         .tls_key = "/etc/hostname"},
    };
    static const char *const want[] = {"in use", "host:port", "/nonexistent.pem", "HTTP server"};
    for (int i = 0; i < 4; i++) {
        struct err err = {0};
        struct httpd *s = httpd_new(&rows[i]);
        assert_true(httpd_start(s, &err) < 0);
        if (!strstr(err.text, want[i]))
            fail_msg("%s", err.text);
        httpd_free(s);
    }
}

static void
write_pem(const char *path, const gnutls_datum_t *d)
{
    assert_int_equal(file_write_atomic(path, d->data, d->size, 0600, NULL), 0);
}

static void
make_certificate(const char *cert, const char *key)
{
    gnutls_x509_privkey_t k;
    gnutls_x509_crt_t c;
    gnutls_datum_t d;
    assert_int_equal(gnutls_x509_privkey_init(&k), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         k, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_init(&c);
    gnutls_x509_crt_set_version(c, 3);
    gnutls_x509_crt_set_serial(c, "\1", 1);
    gnutls_x509_crt_set_activation_time(c, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(c, time(NULL) + 3600);
    gnutls_x509_crt_set_dn(c, "CN=myriascope.test", NULL);
    gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_DNSNAME, "myriascope.test", 15,
                                         GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(c, 1, -1);
    gnutls_x509_crt_set_key(c, k);
    assert_int_equal(gnutls_x509_crt_sign2(c, c, k, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &d), 0);
    write_pem(cert, &d);
    gnutls_free(d.data);
    assert_int_equal(gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &d), 0);
    write_pem(key, &d);
    gnutls_free(d.data);
    gnutls_x509_crt_deinit(c);
    gnutls_x509_privkey_deinit(k);
}

static void
tls_serves_those_who_can_verify_it(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_httpd.XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(folder));
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    make_certificate(cert, key);
    struct httpd_config cfg = {
        .listen = "127.0.0.1:0", .listen_fd = -1, .tls_cert = cert, .tls_key = key};
    struct world *w = world_open(&cfg, true);
    char url[128], out[100000];
    struct httpc_response resp;
    struct err err;
    snprintf(url, sizeof url, "%s/healthz", w->url);
    struct httpc_request stranger = {.url = url};
    assert_int_equal(httpc_fetch(w->c, &stranger, &resp, &err), ERR_DENIED);
    httpc_response_done(&resp);
    struct httpc_request wrong_name = {.url = url, .ca = cert};
    assert_int_equal(httpc_fetch(w->c, &wrong_name, &resp, &err), ERR_DENIED);
    httpc_response_done(&resp);
    struct httpc_request friend = {.ca = cert, .server_name = "myriascope.test"};
    assert_int_equal(ask(w, friend, "/large", out, sizeof out), 200);
    assert_int_equal(strlen(out), 80000);
    assert_int_equal(ask(w, (struct httpc_request){.insecure = true}, "/healthz", NULL, 0), 200);
    world_close(w);
    unlink(cert);
    unlink(key);
    rmdir(folder);
}

static void
packed_page_is_unpacked_for_those_who_cannot(void **state)
{
    (void)state;
    struct buf page;
    buf_init(&page, 10000);
    assert_int_equal(compress_gzip("alert('hello')", 14, &page), 0);
    struct httpd_config cfg = {
        .listen = "127.0.0.1:0", .listen_fd = -1, .fallback = on_packed, .fallback_ctx = &page};
    struct world *w = world_open(&cfg, false);
    char out[2000];
    raw(w, "GET /jobs/4711 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL, out,
        sizeof out);
    assert_non_null(strstr(out, "\r\n\r\nalert('hello')"));
    assert_non_null(strstr(out, "Cache-Control: max-age=60"));
    assert_null(strstr(out, "no-store"));
    raw(w, "GET /jobs HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
        NULL, out, sizeof out);
    assert_non_null(strstr(out, "Content-Encoding: gzip"));
    /* Paths of the API are never the page's. */
    assert_int_equal(ask(w, (struct httpc_request){0}, "/api/v1/nope", NULL, 0), 404);
    assert_int_equal(ask(w, (struct httpc_request){.method = "POST"}, "/jobs", NULL, 0), 404);
    world_close(w);
    buf_done(&page);
}

#define OPEN_TEST(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown)
#define AUTH_TEST(f) cmocka_unit_test_setup_teardown(f, setup_auth, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN_TEST(request_reaches_its_handler_with_all_it_says),
        OPEN_TEST(errors_are_json_with_the_right_status),
        OPEN_TEST(overload_says_when_to_come_again),
        OPEN_TEST(body_over_its_ceiling_is_413_by_any_way),
        OPEN_TEST(body_is_unpacked_by_its_content_encoding),
        OPEN_TEST(answers_are_packed_for_those_who_accept_it),
        OPEN_TEST(every_answer_has_the_security_headers_and_none_that_was_smuggled),
        OPEN_TEST(head_has_no_body_and_options_lists_methods),
        OPEN_TEST(foreign_host_and_cross_site_write_are_refused),
        AUTH_TEST(roles_are_asked_before_paths_are_told),
        AUTH_TEST(events_reach_the_streams_that_may_see_them),
        AUTH_TEST(stream_that_comes_again_gets_what_it_missed),
        AUTH_TEST(stream_that_missed_too_much_is_reset),
        AUTH_TEST(stream_that_does_not_read_is_closed),
        OPEN_TEST(many_clients_are_served_at_once_on_kept_connections),
        OPEN_TEST(two_requests_pass_over_one_connection),
        cmocka_unit_test(socket_handed_over_is_served),
        OPEN_TEST(start_fails_with_the_cause),
        cmocka_unit_test(tls_serves_those_who_can_verify_it),
        cmocka_unit_test(packed_page_is_unpacked_for_those_who_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
