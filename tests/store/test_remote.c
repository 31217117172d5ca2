/* The engine elsewhere, played by a server within the test: what reaches it, in which order, and
 * what happens when it is away, slow to take, or will not have something. */
#include "tests/store/support.h"

#include "base/compress.h"
#include "base/httpd.h"
#include "base/protobuf.h"
#include "base/str.h"
#include "store/read.h"
#include "store/remote_priv.h"
#include "store/promql/promql.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOT_MAX 20000

struct engine { /* the one that is played */
    struct httpd *httpd;
    char write_url[64], query_url[64];
    pthread_mutex_t lock;
    int status;          /* answered to samples; 0: 204 */
    int fail_first;      /* so many requests are answered 503 before */
    const char *refused; /* a request with this metric is answered 400 */
    const char *answer;  /* to questions */
    int answer_status;
    char asked[4096]; /* the last question */
    int requests;
    struct got {
        char series[160];
        int64_t t;
        double v;
    } * got;
    size_t count;
};

struct world {
    struct support *f;
    struct engine e;
    struct remote_config cfg;
};

/* --- the engine ------------------------------------------------------------------------------- */

static void
engine_label(const struct protobuf_field *f, char *out, size_t size)
{
    struct protobuf_reader in = protobuf_open(f->data, f->len);
    struct protobuf_field x;
    size_t n = strlen(out);
    while (protobuf_next(&in, &x) > 0) {
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", x.number == 1 ? (n ? "," : "") : "=",
                              (int)x.len, (const char *)x.data);
    }
}

static void
engine_series(struct engine *e, const struct protobuf_field *f, bool keep, bool *bad)
{
    struct protobuf_reader in = protobuf_open(f->data, f->len);
    struct protobuf_field x, y;
    char series[160] = "";
    while (protobuf_next(&in, &x) > 0) {
        if (x.number == 1) {
            engine_label(&x, series, sizeof series);
            *bad |= e->refused && strstr(series, e->refused);
            continue;
        }
        struct protobuf_reader s = protobuf_open(x.data, x.len);
        struct got g = {0};
        while (protobuf_next(&s, &y) > 0) {
            if (y.number == 1)
                g.v = protobuf_double(&y);
            else
                g.t = (int64_t)y.value;
        }
        str_copy(g.series, sizeof g.series, series);
        if (keep && e->count < GOT_MAX)
            e->got[e->count++] = g;
    }
}

static bool
engine_body(struct engine *e, const struct buf *raw, bool keep)
{
    struct protobuf_reader in = protobuf_open(raw->data, raw->len);
    struct protobuf_field f;
    bool bad = false;
    while (protobuf_next(&in, &f) > 0)
        engine_series(e, &f, keep, &bad);
    return bad;
}

static int
engine_write(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct engine *e = ctx;
    struct buf raw;
    buf_init(&raw, 64 << 20);
    int rc = compress_unsnappy(req->body, req->body_len, &raw);
    pthread_mutex_lock(&e->lock);
    e->requests++;
    resp->status = rc ? 400 : e->status ? e->status : e->fail_first > 0 ? 503 : 204;
    e->fail_first -= e->fail_first > 0;
    if (resp->status == 204 && engine_body(e, &raw, false))
        resp->status = 400;
    if (resp->status == 204)
        engine_body(e, &raw, true);
    pthread_mutex_unlock(&e->lock);
    buf_done(&raw);
    return 0;
}

static int
engine_question(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct engine *e = ctx;
    const char *q = httpd_query(req, "query"), *start = httpd_query(req, "start"),
               *end = httpd_query(req, "end"), *time = httpd_query(req, "time");
    pthread_mutex_lock(&e->lock);
    snprintf(e->asked, sizeof e->asked, "%s %s %s %s", req->path, q ? q : "",
             time    ? time
             : start ? start
                     : "",
             end ? end : "");
    resp->status = e->answer_status ? e->answer_status : 200;
    buf_puts(&resp->body, e->answer ? e->answer : "{\"status\":\"success\",\"data\":[]}");
    pthread_mutex_unlock(&e->lock);
    return 0;
}

static const struct route engine_routes[] = {
    {"POST", "/api/v1/write", ROLE_NONE, engine_write, "Takes samples.", 64 << 20, NULL},
    {"POST", "/api/v1/query", ROLE_NONE, engine_question, "Answers.", 0, NULL},
    {"POST", "/api/v1/query_range", ROLE_NONE, engine_question, "Answers.", 0, NULL},
    {"GET", "/api/v1/labels", ROLE_NONE, engine_question, "Answers.", 0, NULL},
    {"GET", "/api/v1/label/{name}/values", ROLE_NONE, engine_question, "Answers.", 0, NULL},
};

static void
engine_start(struct engine *e, unsigned port)
{
    char listen[32];
    struct err err;
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    struct httpd_config cfg = {.listen = listen, .listen_fd = -1, .threads = 4};
    e->httpd = httpd_new(&cfg);
    assert_non_null(e->httpd);
    assert_int_equal(
        httpd_routes(e->httpd, engine_routes, sizeof engine_routes / sizeof *engine_routes, e), 0);
    if (httpd_start(e->httpd, &err))
        fail_msg("%s", err.text);
    snprintf(e->write_url, sizeof e->write_url, "http://127.0.0.1:%u/api/v1/write",
             httpd_port(e->httpd));
    snprintf(e->query_url, sizeof e->query_url, "http://127.0.0.1:%u", httpd_port(e->httpd));
}

static void
engine_end(struct engine *e)
{
    httpd_stop(e->httpd);
    httpd_free(e->httpd);
    e->httpd = NULL;
}

static size_t
engine_count(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    size_t n = e->count;
    pthread_mutex_unlock(&e->lock);
    return n;
}

static int
engine_asked(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    int n = e->requests;
    pthread_mutex_unlock(&e->lock);
    return n;
}

/* --- the world -------------------------------------------------------------------------------- */

static int
world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    void *f = NULL;
    if (!w || support_setup(&f))
        return -1;
    w->f = f;
    support_close(w->f);
    pthread_mutex_init(&w->e.lock, NULL);
    w->e.got = calloc(GOT_MAX, sizeof *w->e.got);
    engine_start(&w->e, 0);
    w->cfg = (struct remote_config){
        .write_url = w->e.write_url, .query_url = w->e.query_url, .again_s = 1};
    labels_add_str(&w->cfg.external, "appliance", "a");
    w->f->cfg.engine = &w->cfg;
    support_open(w->f);
    *state = w;
    return 0;
}

static int
world_teardown(void **state)
{
    struct world *w = *state;
    void *f = w->f;
    int rc = support_teardown(&f);
    if (w->e.httpd)
        engine_end(&w->e);
    free(w->e.got);
    free(w);
    return rc;
}

static bool
world_wait(struct world *w, bool (*done)(struct world *w, size_t n), size_t n)
{
    for (int i = 0; i < 2000; i++) {
        if (done(w, n))
            return true;
        usleep(10000);
    }
    return false;
}

static bool
world_got(struct world *w, size_t n)
{
    return engine_count(&w->e) >= n;
}

static bool
world_was_asked(struct world *w, size_t n)
{
    return engine_asked(&w->e) >= (int)n;
}

static bool world_gap(struct world *w, size_t n);

static void
world_put(struct world *w, const char *metric, int from, int to)
{
    for (int i = from; i < to; i++)
        support_put(w->f->s, metric, "n1", SUPPORT_NOW + i * 1000, i, NULL);
}

/* Every one of n samples of the metric came, in order; where `once`, not twice. */
static void
world_expect(struct world *w, const char *metric, int n, bool once)
{
    char series[160];
    int next = 0;
    snprintf(series, sizeof series, "__name__=%s,appliance=a,node=n1", metric);
    for (size_t i = 0; i < w->e.count; i++) {
        const struct got *g = &w->e.got[i];
        if (strcmp(g->series, series))
            continue;
        int at = (int)g->v;
        assert_int_equal(g->t, SUPPORT_NOW + at * 1000);
        if (once || at > next)
            assert_int_equal(at, next);
        next = at == next ? next + 1 : next;
    }
    assert_int_equal(next, n);
}

struct gaps {
    const char *reason;
    uint64_t count;
};

static int
world_gap_one(void *ctx, const struct gap *gap)
{
    struct gaps *g = ctx;
    if (!strcmp(gap->source, "engine") && !strcmp(gap->reason, g->reason))
        g->count += gap->count;
    return 0;
}

static uint64_t
world_gaps(struct world *w, const char *reason)
{
    struct gaps g = {.reason = reason};
    store_gaps(w->f->s, 0, INT64_MAX, NULL, world_gap_one, &g, NULL);
    return g.count;
}

static bool
world_gap(struct world *w, size_t n)
{
    return world_gaps(w, "refused") >= n;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void
what_is_committed_reaches_the_engine_in_order_with_the_external_labels(void **state)
{
    struct world *w = *state;
    world_put(w, "load", 0, 50);
    assert_true(world_wait(w, world_got, 50));
    world_expect(w, "load", 50, true);
}

static void
a_request_that_is_answered_503_is_sent_again(void **state)
{
    struct world *w = *state;
    w->e.fail_first = 3;
    world_put(w, "load", 0, 20);
    assert_true(world_wait(w, world_got, 20));
    world_expect(w, "load", 20, true);
    struct store_engine st;
    assert_int_equal(store_engine(w->f->s, &st), 0);
    assert_int_equal(st.lost_samples, 0);
}

static void
a_wrong_password_loses_nothing(void **state)
{
    struct world *w = *state;
    w->e.status = 401;
    world_put(w, "load", 0, 5);
    assert_true(world_wait(w, world_was_asked, 2));
    struct store_engine st;
    assert_int_equal(store_engine(w->f->s, &st), 0);
    assert_non_null(strstr(st.trouble, "answers 401"));
    assert_non_null(strstr(st.trouble, w->e.write_url));
    w->e.status = 0;
    assert_true(world_wait(w, world_got, 5));
    world_expect(w, "load", 5, true);
}

static void
a_series_that_the_engine_will_not_have_is_a_gap_and_takes_no_other_along(void **state)
{
    struct world *w = *state;
    w->e.refused = "ugly";
    w->e.fail_first = 2; /* so that all of them wait for one request */
    world_put(w, "fine", 0, 9);
    world_put(w, "ugly", 0, 3);
    world_put(w, "good", 0, 9);
    assert_true(world_wait(w, world_got, 18));
    world_expect(w, "fine", 9, true);
    world_expect(w, "good", 9, true);
    assert_true(world_wait(w, world_gap, 3));
    assert_int_equal(world_gaps(w, "refused"), 3);
}

static void
what_came_while_the_engine_was_away_is_sent_when_it_is_back(void **state)
{
    struct world *w = *state;
    unsigned port = httpd_port(w->e.httpd);
    struct err err;
    world_put(w, "load", 0, 10);
    assert_true(world_wait(w, world_got, 10));
    engine_end(&w->e);
    world_put(w, "load", 10, 400);
    assert_int_equal(store_flush(w->f->s, &err), 0); /* the journal is cut: the spool has them */
    struct store_engine st;
    assert_int_equal(store_engine(w->f->s, &st), 0);
    assert_true(st.spool_bytes > 0);
    world_put(w, "load", 400, 500);
    support_close(w->f);
    support_open(w->f);
    world_put(w, "load", 500, 600);
    engine_start(&w->e, port);
    assert_true(world_wait(w, world_got, 600));
    world_expect(w, "load", 600, false); /* what was sent last before the end may come again */
    for (int i = 0; i < 500 && (store_engine(w->f->s, &st), st.spool_bytes); i++)
        usleep(10000);
    assert_int_equal(st.spool_bytes, 0);
    assert_int_equal(st.lost_samples, 0);
}

static void
beyond_the_spools_size_the_oldest_go_and_are_a_gap(void **state)
{
    struct world *w = *state;
    struct err err;
    support_close(w->f);
    w->cfg.spool_bytes = 6000;
    support_open(w->f);
    w->e.status = 503;
    world_put(w, "load", 0, 5);
    assert_true(world_wait(w, world_was_asked, 1)); /* what is under way stays */
    world_put(w, "load", 5, 400);
    assert_int_equal(store_flush(w->f->s, &err), 0);
    struct store_engine st;
    assert_int_equal(store_engine(w->f->s, &st), 0);
    assert_true(st.lost_samples > 0 && st.lost_samples < 395);
    uint64_t lost = world_gaps(w, "spool-full");
    assert_int_equal(lost, st.lost_samples);
    w->e.status = 0;
    assert_true(world_wait(w, world_got, 400 - lost));
    assert_int_equal(engine_count(&w->e), 400 - lost);
    assert_int_equal(w->e.got[w->e.count - 1].v, 399);
}

static bool
world_in_trouble(struct world *w, size_t n)
{
    struct store_engine st;
    (void)n;
    return !store_engine(w->f->s, &st) && *st.trouble;
}

static void
an_engine_that_was_gone_is_sent_the_last_seconds_again(void **state)
{
    struct world *w = *state;
    unsigned port = httpd_port(w->e.httpd);
    support_close(w->f);
    w->cfg.again_s = 20;
    support_open(w->f);
    world_put(w, "load", 0, 10);
    assert_true(world_wait(w, world_got, 10));
    engine_end(&w->e);
    w->e.count = 0; /* it took them, and died before they were on its disk */
    world_put(w, "load", 10, 11);
    assert_true(world_wait(w, world_in_trouble, 0));
    engine_start(&w->e, port);
    assert_true(world_wait(w, world_got, 12));
    bool there[11] = {false};
    for (size_t i = 0; i < w->e.count; i++)
        there[(int)w->e.got[i].v] = true;
    for (int i = 0; i < 11; i++)
        assert_true(there[i]);
}

static bool
world_told(struct world *w, size_t n)
{
    struct event_query q = {.code = "telemetry.engine-unreachable"};
    return support_events(w->f->s, &q) >= n;
}

static void
an_engine_that_takes_nothing_is_told_and_so_is_its_return(void **state)
{
    struct world *w = *state;
    support_close(w->f);
    w->cfg.away_us = 100000;
    support_open(w->f);
    w->e.status = 500;
    world_put(w, "load", 0, 3);
    assert_true(world_wait(w, world_told, 1));
    w->e.status = 0;
    assert_true(world_wait(w, world_got, 3));
    assert_true(world_wait(w, world_told, 2));
}

static void
a_label_of_an_external_ones_name_steps_aside(void **state)
{
    struct world *w = *state;
    struct labels l = {0};
    labels_add_str(&l, "__name__", "m");
    labels_add_str(&l, "appliance", "theirs");
    labels_add_str(&l, "zone", "z");
    assert_int_equal(labels_finish(&l), 0);
    struct store_batch *b = store_batch_new(w->f->s);
    assert_int_equal(store_batch_samples(b, &l, &(struct sample){SUPPORT_NOW, 1}, 1), 0);
    assert_int_equal(store_commit(w->f->s, b, NULL, NULL), 0);
    assert_true(world_wait(w, world_got, 1));
    assert_string_equal(w->e.got[0].series,
                        "__name__=m,appliance=a,exported_appliance=theirs,zone=z");
}

/* --- asking ----------------------------------------------------------------------------------- */

static const char engine_matrix[] =
    "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
    "{\"metric\":{\"__name__\":\"load\",\"appliance\":\"a\",\"node\":\"n1\"},"
    "\"values\":[[1789999000,\"1\"],[1789999015.5,\"2.5\"],[1790000001,\"1\"]]},"
    "{\"metric\":{\"__name__\":\"load\",\"appliance\":\"a\",\"node\":\"gone\"},"
    "\"values\":[[1789999000,\"NaN\"],[1789999015,\"+Inf\"]]}]}}";

static void
a_range_that_begins_before_this_folder_is_joined_with_the_engines(void **state)
{
    struct world *w = *state;
    struct matcher m = {MATCH_EQ, "__name__", "load"};
    struct series_set set;
    struct err err;
    world_put(w, "load", 1, 4);
    w->e.answer = engine_matrix;
    if (store_select(w->f->s, &m, 1, SUPPORT_NOW - 2000000, SUPPORT_NOW + 60000, NULL, &set, &err))
        fail_msg("%s", err.text);
    assert_int_equal(set.count, 2);
    const struct series_row *r = &set.rows[0];
    assert_int_equal(r->count, 5); /* 1790000001 is told by both */
    assert_int_equal(r->samples[1].t_ms, INT64_C(1789999015500));
    assert_int_equal(r->samples[2].t_ms, SUPPORT_NOW + 1000);
    assert_int_equal(r->labels->count, 2);
    assert_null(labels_find(r->labels, "appliance"));
    assert_int_equal(set.rows[1].count, 2);
    series_set_done(&set);
    assert_string_equal(
        w->e.asked, "/api/v1/query {__name__=\"load\",appliance=\"a\"}[33m20s1ms] 1790000000.000 ");
}

static void
a_recent_question_does_not_ask_the_engine(void **state)
{
    struct world *w = *state;
    struct matcher m = {MATCH_EQ, "__name__", "load"};
    struct series_set set;
    w->f->now = SUPPORT_NOW + 600000;
    support_put(w->f->s, "load", "n1", SUPPORT_NOW + 599000, 1, NULL);
    assert_int_equal(store_latest(w->f->s, &m, 1, SUPPORT_NOW + 600000, 300000, NULL, &set, NULL),
                     0);
    assert_int_equal(set.count, 1);
    series_set_done(&set);
    assert_string_equal(w->e.asked, "");
}

static size_t
world_local(struct world *w) /* samples of `load` that the folder itself still has */
{
    struct matcher m = {MATCH_EQ, "__name__", "load"};
    struct series_set set;
    size_t n = 0;
    assert_int_equal(read_select(w->f->s, &m, 1, 0, INT64_MAX, NULL, &set, NULL), 0);
    for (size_t i = 0; i < set.count; i++)
        n += set.rows[i].count;
    series_set_done(&set);
    return n;
}

static bool
world_synced(struct world *w, size_t n)
{
    struct store_engine st;
    (void)n;
    return !store_engine(w->f->s, &st) && st.synced_ms == w->f->now;
}

static void
what_is_old_and_sent_leaves_the_day_files(void **state)
{
    struct world *w = *state;
    struct matcher m = {MATCH_EQ, "__name__", "load"};
    struct series_set set;
    struct err err;
    world_put(w, "load", 0, 100);
    assert_true(world_wait(w, world_got, 100));
    assert_int_equal(store_flush(w->f->s, &err), 0);
    w->f->now = SUPPORT_NOW + 5 * 3600000;
    support_put(w->f->s, "load", "n1", SUPPORT_NOW + 5 * 3600000, 1, NULL);
    assert_true(world_wait(w, world_synced, 0));
    if (store_compact(w->f->s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(world_local(w), 101);
    w->f->now = SUPPORT_NOW + 3 * 86400000;
    support_put(w->f->s, "load", "n1", SUPPORT_NOW + 3 * 86400000, 1, NULL);
    assert_true(world_wait(w, world_synced, 0));
    if (store_compact(w->f->s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(world_local(w), 1);
    assert_int_equal(
        store_select(w->f->s, &m, 1, SUPPORT_NOW, SUPPORT_NOW + 100000, NULL, &set, &err), 0);
    series_set_done(&set);
    assert_true(
        str_prefix(w->e.asked, "/api/v1/query {__name__=\"load\",appliance=\"a\"}[1m40s1ms]"));
}

static void
an_error_names_the_engine_and_what_it_says(void **state)
{
    struct world *w = *state;
    struct matcher m = {MATCH_EQ, "__name__", "load"};
    struct series_set set;
    struct err err;
    w->e.answer =
        "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"too many \\u0041\"}";
    w->e.answer_status = 422;
    assert_true(store_select(w->f->s, &m, 1, 0, SUPPORT_NOW, NULL, &set, &err) < 0);
    assert_non_null(strstr(err.text, w->e.query_url));
    assert_non_null(strstr(err.text, "answers 422: too many A"));
    engine_end(&w->e);
    assert_int_equal(store_select(w->f->s, &m, 1, 0, SUPPORT_NOW, NULL, &set, &err), ERR_CLOSED);
    assert_non_null(strstr(err.text, "the engine at http://127.0.0.1:"));
    assert_non_null(strstr(err.text, "does not answer"));
}

static void
world_range(struct world *w, const char *text, int64_t from, int64_t to, struct promql_result *ret)
{
    struct promql *q;
    struct err err;
    if (promql_parse(text, &q, &err) || promql_range(w->f->s, q, from, to, 60000, NULL, ret, &err))
        fail_msg("%s", err.text);
    promql_free(q);
}

static void
old_steps_are_the_engines_and_new_ones_are_computed_here(void **state)
{
    struct world *w = *state;
    struct promql_result r;
    w->f->now = SUPPORT_NOW + 3600000;
    for (int i = 0; i <= 3600; i += 60)
        support_put(w->f->s, "load", "n1", SUPPORT_NOW + i * 1000, 100, NULL);
    w->e.answer = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
                  "{\"metric\":{},\"values\":[[1790000240,\"7\"],[1790000300,\"8\"]]}]}}";
    world_range(w, "sum(load)", SUPPORT_NOW, SUPPORT_NOW + 1200000, &r);
    /* the first five minutes look back behind the folder's first moment */
    assert_string_equal(
        w->e.asked, "/api/v1/query_range sum(load{appliance=\"a\"}) 1790000000.000 1790000240.000");
    assert_int_equal(r.set.count, 1);
    assert_int_equal(r.set.rows[0].count, 2 + 16);
    assert_true(r.set.rows[0].samples[0].v == 7 && r.set.rows[0].samples[2].v == 100);
    assert_int_equal(r.set.rows[0].samples[2].t_ms, SUPPORT_NOW + 300000);
    assert_int_equal(r.warning_count, 0);
    promql_result_done(&r);
    engine_end(&w->e);
    world_range(w, "sum(load)", SUPPORT_NOW, SUPPORT_NOW + 1200000, &r);
    assert_int_equal(r.set.rows[0].count, 16);
    assert_int_equal(r.warning_count, 1);
    assert_non_null(strstr(r.warnings[0], "nothing before 2026-09-21T14:18:20.000Z is shown"));
    promql_result_done(&r);
}

static void
a_query_is_put_with_the_matchers_of_the_tenant_in_every_selector(void **state)
{
    struct world *w = *state;
    static const char *const rows[][2] = {
        {"rate(a[5m]) / on(node) b{x=\"y\"}", "rate(a{appliance=\"a\",tenant=\"t\"}[5m]) / on "
                                              "(node) b{appliance=\"a\",tenant=\"t\",x=\"y\"}"},
        {"max_over_time(sum by (x) (c)[1h:1m])",
         "max_over_time(sum by (x) (c{appliance=\"a\",tenant=\"t\"})[1h:1m])"},
        {"topk(3, {__name__=~\"d.*\"} offset 1h)",
         "topk(3, {__name__=~\"d.*\",appliance=\"a\",tenant=\"t\"} offset 1h)"},
    };
    struct promql_options o = {.tenant = "t"};
    w->e.answer = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct promql *q;
        struct promql_result r;
        struct err err;
        char want[512];
        assert_int_equal(promql_parse(rows[i][0], &q, &err), 0);
        if (promql_instant(w->f->s, q, SUPPORT_NOW - 1000, &o, &r, &err))
            fail_msg("%s", err.text);
        snprintf(want, sizeof want, "/api/v1/query %s 1789999999.000 ", rows[i][1]);
        assert_string_equal(w->e.asked, want);
        promql_result_done(&r);
        promql_free(q);
    }
}

static void
an_old_answer_bears_the_metrics_name_where_a_new_one_would(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *query;
        bool named;
    } rows[] = {{"load", true},
                {"load > 3", true},
                {"load > bool 3", false},
                {"3 < load", true},
                {"-load", false},
                {"load + 1", false},
                {"max_over_time(load[5m])", false},
                {"last_over_time(load[5m])", true},
                {"max_over_time(load[5m]) > 1", false},
                {"topk(2, load)", true},
                {"topk(2, max_over_time(load[5m]))", false},
                {"sort(load and on() load)", true}};
    w->e.answer = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
                  "{\"metric\":{\"__name__\":\"load\",\"node\":\"n1\"},\"value\":[1,\"2\"]}]}}";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct promql *q;
        struct promql_result r;
        struct err err;
        assert_int_equal(promql_parse(rows[i].query, &q, &err), 0);
        if (promql_instant(w->f->s, q, SUPPORT_NOW - 1000, NULL, &r, &err))
            fail_msg("%s: %s", rows[i].query, err.text);
        if (!!labels_find(r.set.rows[0].labels, "__name__") != rows[i].named)
            fail_msg("%s", rows[i].query);
        promql_result_done(&r);
        promql_free(q);
    }
}

static int
words_add(void *ctx, const char *word)
{
    char *out = ctx;
    strcat(out, word);
    strcat(out, " ");
    return 0;
}

static void
label_values_are_those_of_both_sorted_once(void **state)
{
    struct world *w = *state;
    char words[256] = "";
    support_put(w->f->s, "load", "n2", SUPPORT_NOW - 1000, 1, NULL);
    w->e.answer = "{\"status\":\"success\",\"data\":[\"n3\",\"n2\",\"n1\"]}";
    assert_int_equal(store_label_values(w->f->s, "node", NULL, 0, SUPPORT_NOW - 5000, SUPPORT_NOW,
                                        words_add, words),
                     3);
    assert_string_equal(words, "n1 n2 n3 ");
}

/* --- the answers' text ------------------------------------------------------------------------ */

struct tally {
    int rows, samples, words;
};

static int
tally_row(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    struct tally *t = ctx;
    (void)l, (void)s;
    t->rows++;
    t->samples += (int)n;
    return 0;
}

static int
tally_word(void *ctx, const char *word)
{
    (void)word;
    ((struct tally *)ctx)->words++;
    return 0;
}

static void
answers_are_read_and_others_refused(void **state)
{
    static const struct {
        const char *text;
        int rc, rows, samples, words;
    } rows[] = {
        {"{\"data\":{\"result\":[],\"resultType\":\"vector\"},\"status\":\"success\"}", 0, 0, 0, 0},
        {"{\"status\":\"success\",\"isPartial\":false,\"data\":{\"resultType\":\"vector\","
         "\"result\":"
         "[{\"metric\":{\"a\":\"\\u00e9\\ud83d\\ude00\\n\"},\"value\":[1,\"2\"],\"group\":1}]},"
         "\"stats\":{\"x\":[1,{\"y\":null}]}}",
         0, 1, 1, 0},
        {" {\"data\" : {\"result\" : [ 1.5 , \"3\" ] } } ", 0, 1, 1, 0},
        {"{\"data\":[\"a\",\"b\"]}", 0, 0, 0, 2},
        {"{\"data\":[{\"a\":\"b\"},{\"c\":\"d\"}]}", 0, 2, 0, 0},
        {"{\"data\":{\"result\":[{\"metric\":{},\"values\":[[1,\"1\"],[2,\"-Inf\"]]}]}}", 0, 1, 2,
         0},
        {"", ERR_SYNTAX, 0, 0, 0},
        {"<html>", ERR_SYNTAX, 0, 0, 0},
        {"{\"data\":{\"result\":[{\"metric\":{\"a\":\"b\"},\"value\":[1,2]}]}}", ERR_SYNTAX, 0, 0,
         0},
        {"{\"data\":{\"result\":[{\"metric\":{\"a\":\"b\",\"a\":\"c\"},\"value\":[1,\"2\"]}]}}",
         ERR_SYNTAX, 0, 0, 0},
        {"{\"data\":{\"result\":[{\"metric\":{},\"value\":[1e300,\"2\"]}]}}", ERR_SYNTAX, 0, 0, 0},
        {"{\"data\":[\"a\"", ERR_SYNTAX, 0, 0, 1},
        {"{\"data\":[\"\\ud800\"]}", ERR_SYNTAX, 0, 0, 0},
        {"{\"data\":[]} x", ERR_SYNTAX, 0, 0, 0},
        {"{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
         ERR_LIMIT, 0, 0, 0},
        {"{\"status\":\"error\",\"error\":\"no\"}", ERR_UNSUPPORTED, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tally t = {0};
        struct remote_answer_sink sink = {tally_row, tally_word, &t, 0};
        struct err err;
        int rc = remote_answer_parse(rows[i].text, strlen(rows[i].text), &sink, &err);
        if (rc != rows[i].rc || t.rows != rows[i].rows || t.samples != rows[i].samples ||
            t.words != rows[i].words)
            fail_msg("%s: %d, %d rows, %d samples, %d words", rows[i].text, rc, t.rows, t.samples,
                     t.words);
    }
}

static void
entries_are_sorted_by_series_and_keep_their_order(void **state)
{
    enum { N = 5000 };
    static struct remote_entry at[N], tmp[N];
    (void)state;
    for (int i = 0; i < N; i++)
        at[i] = (struct remote_entry){(uint32_t)((unsigned)i * 2654435761u) % 70001, i, i};
    remote_sort_entries(at, tmp, N);
    for (int i = 1; i < N; i++)
        assert_true(at[i - 1].id < at[i].id ||
                    (at[i - 1].id == at[i].id && at[i - 1].t_ms < at[i].t_ms));
}

static void
urls_and_labels_are_checked(void **state)
{
    struct remote_config c = {.write_url = "http://a/w", .query_url = "https://b"};
    struct err err;
    (void)state;
    assert_int_equal(remote_config_check(&c, &err), 0);
    c.query_url = NULL;
    assert_int_equal(remote_config_check(&c, &err), ERR_SYNTAX);
    assert_string_equal(err.text, "store.engine: prometheus needs store.query_url");
    c.query_url = "ftp://b";
    assert_int_equal(remote_config_check(&c, &err), ERR_SYNTAX);
    c.query_url = "http://b";
    labels_add_str(&c.external, "a-b", "x");
    assert_int_equal(remote_config_check(&c, &err), ERR_SYNTAX);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(what_is_committed_reaches_the_engine_in_order_with_the_external_labels),
        WORLD(a_request_that_is_answered_503_is_sent_again),
        WORLD(a_wrong_password_loses_nothing),
        WORLD(a_series_that_the_engine_will_not_have_is_a_gap_and_takes_no_other_along),
        WORLD(what_came_while_the_engine_was_away_is_sent_when_it_is_back),
        WORLD(beyond_the_spools_size_the_oldest_go_and_are_a_gap),
        WORLD(an_engine_that_was_gone_is_sent_the_last_seconds_again),
        WORLD(an_engine_that_takes_nothing_is_told_and_so_is_its_return),
        WORLD(a_label_of_an_external_ones_name_steps_aside),
        WORLD(a_range_that_begins_before_this_folder_is_joined_with_the_engines),
        WORLD(a_recent_question_does_not_ask_the_engine),
        WORLD(what_is_old_and_sent_leaves_the_day_files),
        WORLD(an_error_names_the_engine_and_what_it_says),
        WORLD(old_steps_are_the_engines_and_new_ones_are_computed_here),
        WORLD(a_query_is_put_with_the_matchers_of_the_tenant_in_every_selector),
        WORLD(an_old_answer_bears_the_metrics_name_where_a_new_one_would),
        WORLD(label_values_are_those_of_both_sorted_once),
        cmocka_unit_test(answers_are_read_and_others_refused),
        cmocka_unit_test(entries_are_sorted_by_series_and_keep_their_order),
        cmocka_unit_test(urls_and_labels_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
