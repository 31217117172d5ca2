/* test_decode: bodies of remote_write, Loki and OTLP as their senders write them, and as nobody
 * should. */
#include "base/compress.h"
#include "base/protobuf.h"
#include "collector/loki.h"
#include "collector/otlp.h"
#include "collector/remote_write.h"
#include "tests/base/base_test.h"

/* What sinks got, as text: name{labels} value @time, or [severity node/source/job#rank @time] line.
 */
static int
take_series(void *ctx, const struct labels *l, const struct sample *s, size_t n)
{
    struct buf *out = ctx;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < l->count; k++)
            buf_printf(out, "%s%.*s=%.*s", k ? "," : "", (int)l->at[k].name_len, l->at[k].name,
                       (int)l->at[k].value_len, l->at[k].value);
        if (sample_is_stale(s[i].v))
            buf_printf(out, " stale @%lld\n", (long long)s[i].t_ms);
        else
            buf_printf(out, " %g @%lld\n", s[i].v, (long long)s[i].t_ms);
    }
    return 0;
}

static int
take_line(void *ctx, const struct log_line *l)
{
    buf_printf(ctx, "[%d %s/%s/%s#%d @%lld] %s\n", (int)l->severity, l->node, l->source, l->job,
               l->rank, (long long)l->time_ms, l->text);
    return 0;
}

static void
put_label(struct buf *out, const char *name, const char *value)
{
    size_t m = protobuf_begin(out, 1);
    protobuf_put_str(out, 1, name);
    protobuf_put_str(out, 2, value);
    protobuf_end(out, m);
}

static void
put_sample(struct buf *out, double v, int64_t t)
{
    size_t m = protobuf_begin(out, 2);
    protobuf_put_double(out, 1, v);
    protobuf_put_varint(out, 2, (uint64_t)t);
    protobuf_end(out, m);
}

static void
write_request(struct buf *out)
{
    size_t m = protobuf_begin(out, 1);
    put_label(out, "node", "n1");
    put_label(out, "__name__", "up");
    put_sample(out, 1, 1000);
    put_sample(out, sample_stale(), 2000);
    protobuf_end(out, m);
    m = protobuf_begin(out, 1);
    put_label(out, "no_name", "x");
    put_sample(out, 1, 1000);
    protobuf_end(out, m);
    m = protobuf_begin(out, 1);
    put_label(out, "__name__", "bad_utf8");
    put_label(out, "node", "\xff\xfe");
    put_sample(out, 1, 1000);
    protobuf_end(out, m);
    m = protobuf_begin(out, 3); /* metadata */
    protobuf_put_str(out, 2, "up");
    protobuf_end(out, m);
}

static void
remote_write_keeps_what_is_sound(void **state)
{
    struct buf raw, packed, scratch, got;
    struct remote_write_counts n;
    struct err err;
    (void)state;
    buf_init(&raw, 65536);
    buf_init(&packed, 65536);
    buf_init(&scratch, 65536);
    buf_init(&got, 65536);
    struct sample_sink sink = {.series = take_series, .ctx = &got};
    write_request(&raw);
    compress_snappy(buf_str(&raw), raw.len, &packed);
    assert_int_equal(remote_write_decode(buf_str(&packed), packed.len, &scratch, &sink, &n, &err),
                     0);
    assert_string_equal(buf_str(&got),
                        "__name__=up,node=n1 1 @1000\n__name__=up,node=n1 stale @2000\n");
    assert_int_equal(n.samples, 2);
    assert_int_equal(n.refused, 2);
    buf_done(&raw);
    buf_done(&packed);
    buf_done(&scratch);
    buf_done(&got);
}

static void
remote_write_cut_anywhere_is_refused_whole(void **state)
{
    struct buf raw, got;
    struct remote_write_counts n;
    struct err err;
    size_t well = 0;
    (void)state;
    buf_init(&raw, 65536);
    buf_init(&got, 65536);
    struct sample_sink sink = {.series = take_series, .ctx = &got};
    write_request(&raw);
    for (size_t len = 0; len < raw.len; len++) {
        buf_reset(&got);
        int rc = remote_write_decode_raw(buf_str(&raw), len, &sink, &n, &err);
        well += !rc;
        if (rc) {
            assert_int_equal(rc, ERR_SYNTAX);
            assert_int_equal(got.len, 0);
        }
    }
    assert_int_equal(well, 4); /* between its messages it is whole */
    buf_done(&raw);
    buf_done(&got);
}

static void
bombs_do_not_unpack(void **state)
{
    struct buf packed, scratch, got;
    struct remote_write_counts n;
    struct err err;
    uint64_t lines;
    char *zeros = calloc(1, 80 << 20);
    (void)state;
    buf_init(&packed, 256 << 20);
    buf_init(&scratch, 64 << 20);
    buf_init(&got, 4096);
    struct sample_sink sink = {.series = take_series, .ctx = &got};
    struct loki_sink line_sink = {take_line, &got};
    assert_int_equal(compress_snappy(zeros, 80 << 20, &packed), 0);
    assert_int_equal(remote_write_decode(buf_str(&packed), packed.len, &scratch, &sink, &n, &err),
                     ERR_LIMIT);
    assert_int_equal(loki_decode_protobuf(buf_str(&packed), packed.len, &line_sink, &lines, &err),
                     ERR_LIMIT);
    assert_int_equal(remote_write_decode("not snappy", 10, &scratch, &sink, &n, &err), ERR_SYNTAX);
    free(zeros);
    buf_done(&packed);
    buf_done(&scratch);
    buf_done(&got);
}

/* --- Loki ----------------------------------------------------------------------------------------
 */

static void
loki_request(struct buf *out, const char *labels)
{
    size_t stream = protobuf_begin(out, 1);
    protobuf_put_str(out, 1, labels);
    size_t entry = protobuf_begin(out, 2), at = protobuf_begin(out, 1);
    protobuf_put_varint(out, 1, 1795420800);
    protobuf_put_varint(out, 2, 123456789);
    protobuf_end(out, at);
    protobuf_put_str(out, 2, "Traceback \xff here");
    protobuf_end(out, entry);
    protobuf_end(out, stream);
}

static int
loki_packed(const struct buf *raw, struct buf *got, struct err *err)
{
    struct buf packed;
    uint64_t lines;
    struct loki_sink sink = {take_line, got};
    buf_init(&packed, 65536);
    compress_snappy(buf_str(raw), raw->len, &packed);
    int rc = loki_decode_protobuf(buf_str(&packed), packed.len, &sink, &lines, err);
    buf_done(&packed);
    return rc;
}

static void
loki_protobuf_is_read(void **state)
{
    static const struct {
        const char *labels, *want;
        int rc;
    } cases[] = {
        {"{node=\"n1\", job_id=\"7\", rank=\"3\", source=\"job\", level=\"error\"}",
         "[2 n1/job/7#3 @1795420800123] Traceback ? here\n", 0},
        {"{host=\"a\\\"b\",service_name=\"x\"}", "[0 a\"b/x/#-1 @1795420800123] Traceback ? here\n",
         0},
        {"{}", "[0 //#-1 @1795420800123] Traceback ? here\n", 0},
        {"{node=\"n1\"", "", ERR_SYNTAX},
        {"{node=n1}", "", ERR_SYNTAX},
        {"{rank=\"-5\", node=\"n1\"}", "[0 n1//#-1 @1795420800123] Traceback ? here\n", 0},
    };
    struct err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf raw, got;
        buf_init(&raw, 65536);
        buf_init(&got, 65536);
        loki_request(&raw, cases[i].labels);
        assert_int_equal(loki_packed(&raw, &got, &err), cases[i].rc);
        assert_string_equal(buf_str(&got), cases[i].want);
        raw.len -= 3;
        assert_int_equal(loki_packed(&raw, &got, &err), ERR_SYNTAX);
        buf_done(&raw);
        buf_done(&got);
    }
}

static void
loki_json_is_read_or_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *body, *want;
    } cases[] = {
        {"{\"streams\":[{\"stream\":{\"hostname\":\"n1\",\"level\":\"WARN\"},\"values\":[["
         "\"1795420800000000000\",\"a\"]]}]}",
         "[1 n1//#-1 @1795420800000] a\n"},
        {"{\"streams\":[{\"stream\":{},\"values\":[[1,\"a\"]]}]}", NULL},
        {"{\"streams\":{}}", NULL},
        {"{\"streams\":[{\"stream\":{}}]}", NULL},
        {"{\"streams\":[", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf got;
        struct err err = {0};
        uint64_t lines;
        buf_init(&got, 65536);
        struct loki_sink sink = {take_line, &got};
        int rc = loki_decode_json(cases[i].body, strlen(cases[i].body), &sink, &lines, &err);
        assert_int_equal(rc, cases[i].want ? 0 : ERR_SYNTAX);
        assert_string_equal(buf_str(&got), cases[i].want ? cases[i].want : "");
        if (rc)
            assert_true(strlen(err.text) > 5);
        buf_done(&got);
    }
}

/* --- OTLP ----------------------------------------------------------------------------------------
 */

#define RESOURCE                                                                                   \
    "\"resource\":{\"attributes\":[{\"key\":\"host.name\",\"value\":{\"stringValue\":\"n1\"}},{"   \
    "\"key\":\"service.name\",\"value\":{\"stringValue\":\"trainer\"}}]}"
#define METRICS(m) "{\"resourceMetrics\":[{" RESOURCE ",\"scopeMetrics\":[{\"metrics\":[" m "]}]}]}"
#define POINT                                                                                      \
    "\"timeUnixNano\":\"1795420800123000000\",\"attributes\":[{\"key\":\"gpu\",\"value\":{"        \
    "\"intValue\":\"3\"}}]"

static void
otlp_metrics_become_series(void **state)
{
    static const struct {
        const char *body, *want;
        uint64_t refused;
    } cases[] = {
        {METRICS("{\"name\":\"hw.temperature\",\"unit\":\"Cel\",\"gauge\":{\"dataPoints\":[{"
                 "\"asDouble\":41.5," POINT "}]}}"),
         "__name__=hw_temperature_celsius,gpu=3,job=trainer,node=n1 41.5 @1795420800123\n", 0},
        {METRICS("{\"name\":\"net.io\",\"unit\":\"By\",\"sum\":{\"aggregationTemporality\":2,"
                 "\"isMonotonic\":true,\"dataPoints\":[{\"asInt\":\"7\"," POINT "}]}}"),
         "__name__=net_io_bytes_total,gpu=3,job=trainer,node=n1 7 @1795420800123\n", 0},
        {METRICS("{\"name\":\"net.io\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,"
                 "\"dataPoints\":[{\"asInt\":7," POINT "}]}}"),
         "", 1},
        {METRICS("{\"name\":\"lat\",\"unit\":\"s\",\"histogram\":{\"aggregationTemporality\":"
                 "\"AGGREGATION_TEMPORALITY_CUMULATIVE\",\"dataPoints\":[{\"count\":\"3\",\"sum\":"
                 "1.5,\"bucketCounts\":[\"1\",\"2\"],\"explicitBounds\":[0.5]," POINT "}]}}"),
         "__name__=lat_seconds_count,gpu=3,job=trainer,node=n1 3 @1795420800123\n"
         "__name__=lat_seconds_sum,gpu=3,job=trainer,node=n1 1.5 @1795420800123\n"
         "__name__=lat_seconds_bucket,gpu=3,job=trainer,le=0.5,node=n1 1 @1795420800123\n"
         "__name__=lat_seconds_bucket,gpu=3,job=trainer,le=+Inf,node=n1 3 @1795420800123\n",
         0},
        {METRICS("{\"name\":\"q\",\"summary\":{\"dataPoints\":[{\"count\":2,\"sum\":3,"
                 "\"quantileValues\":[{\"quantile\":0.5,\"value\":1}]," POINT "}]}}"),
         "__name__=q_count,gpu=3,job=trainer,node=n1 2 @1795420800123\n"
         "__name__=q_sum,gpu=3,job=trainer,node=n1 3 @1795420800123\n"
         "__name__=q,gpu=3,job=trainer,node=n1,quantile=0.5 1 @1795420800123\n",
         0},
        {METRICS("{\"name\":\"gone\",\"gauge\":{\"dataPoints\":[{\"flags\":1," POINT "}]}}"),
         "__name__=gone,gpu=3,job=trainer,node=n1 stale @1795420800123\n", 0},
        {METRICS("{\"name\":\"e\",\"exponentialHistogram\":{\"dataPoints\":[{" POINT "}]}}"), "",
         1}, /* it does not say that it is cumulative */
        {METRICS("{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,"
                 "\"dataPoints\":[{\"count\":\"6\",\"sum\":9,\"scale\":0,\"zeroCount\":\"1\","
                 "\"positive\":{\"offset\":-1,\"bucketCounts\":[\"2\",\"0\",\"3\"]}," POINT "}]}}"),
         "__name__=e_count,gpu=3,job=trainer,node=n1 6 @1795420800123\n"
         "__name__=e_sum,gpu=3,job=trainer,node=n1 9 @1795420800123\n"
         "__name__=e_bucket,gpu=3,job=trainer,le=0,node=n1 1 @1795420800123\n"
         "__name__=e_bucket,gpu=3,job=trainer,le=1,node=n1 3 @1795420800123\n"
         "__name__=e_bucket,gpu=3,job=trainer,le=2,node=n1 3 @1795420800123\n"
         "__name__=e_bucket,gpu=3,job=trainer,le=4,node=n1 6 @1795420800123\n"
         "__name__=e_bucket,gpu=3,job=trainer,le=+Inf,node=n1 6 @1795420800123\n",
         0},
        {METRICS("{\"name\":\"u\",\"unit\":\"1\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"-2\"}]}}"),
         "__name__=u_ratio,job=trainer,node=n1 -2 @5\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf got;
        struct err err = {0};
        struct otlp_counts n;
        buf_init(&got, 65536);
        struct sample_sink sink = {.series = take_series, .ctx = &got};
        int rc =
            otlp_decode_metrics(cases[i].body, strlen(cases[i].body), true, 5, &sink, &n, &err);
        if (rc)
            fail_msg("%zu: %s", i, err.text);
        assert_string_equal(buf_str(&got), cases[i].want);
        assert_int_equal(n.refused, cases[i].refused);
        buf_done(&got);
    }
}

static void
otlp_logs_become_lines(void **state)
{
    static const char body[] =
        "{\"resourceLogs\":[{" RESOURCE ",\"scopeLogs\":[{\"logRecords\":["
        "{\"timeUnixNano\":\"1795420800123000000\",\"severityNumber\":17,"
        "\"body\":{\"stringValue\":\"CUDA error\"},"
        "\"attributes\":[{\"key\":\"rank\",\"value\":{\"intValue\":\"12\"}},"
        "{\"key\":\"job_id\",\"value\":{\"stringValue\":\"4711\"}}]},"
        "{\"severityText\":\"warn\",\"body\":{\"stringValue\":\"slow\"}},{\"body\":{"
        "\"kvlistValue\":{\"values\":[{\"key\":\"msg\",\"value\":{"
        "\"stringValue\":\"x y\"}},{\"key\":\"at\",\"value\":{"
        "\"arrayValue\":{\"values\":[{\"intValue\":1},{\"boolValue\":"
        "true}]}}}]}}},{"
        "\"severityNumber\":9}]}]}]}";
    struct buf got;
    struct err err = {0};
    struct otlp_counts n;
    (void)state;
    buf_init(&got, 65536);
    struct loki_sink sink = {take_line, &got};
    if (otlp_decode_logs(body, sizeof body - 1, true, 5, &sink, &n, &err))
        fail_msg("%s", err.text);
    assert_string_equal(buf_str(&got), "[2 n1/trainer/4711#12 @1795420800123] CUDA error\n"
                                       "[1 n1/trainer/#-1 @5] slow\n"
                                       "[0 n1/trainer/#-1 @5] msg=x y at=1, true\n");
    assert_int_equal(n.refused, 1);
    buf_done(&got);
}

static void
otlp_that_is_kept_in_part_is_told(void **state)
{
    static const struct otlp_counts some = {.taken = 4, .refused = 3, .delta = 3},
                                    all = {.taken = 4};
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    otlp_answer(&all, false, true, &out);
    assert_string_equal(buf_str(&out), "{}");
    buf_reset(&out);
    otlp_answer(&all, false, false, &out);
    assert_int_equal(out.len, 0);
    otlp_answer(&some, false, true, &out);
    assert_non_null(strstr(buf_str(&out), "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\""));
    assert_non_null(strstr(buf_str(&out), "send cumulative"));
    buf_reset(&out);
    otlp_answer(&some, true, false, &out);
    assert_int_equal(out.data[0], 0x0a);
    assert_int_equal(out.data[3], 0x08);
    assert_int_equal(out.data[4], 3);
    buf_done(&out);
}

static void
otlp_that_is_none_is_refused(void **state)
{
    static const char *const bodies[] = {
        "{\"resourceMetrics\":[{\"scopeMetrics\":7}]}",
        "[]",
        "{",
        "{\"resourceMetrics\":[1]}",
        METRICS("{\"name\":3}"),
        METRICS("{\"name\":\"x\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"many\"}]}}")};
    struct otlp_counts n;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct buf got;
        struct err err = {0};
        buf_init(&got, 4096);
        struct sample_sink sink = {.series = take_series, .ctx = &got};
        assert_int_equal(
            otlp_decode_metrics(bodies[i], strlen(bodies[i]), true, 5, &sink, &n, &err),
            ERR_SYNTAX);
        assert_true(strlen(err.text) > 5);
        buf_done(&got);
    }
    struct err err = {0};
    struct sample_sink sink = {.series = take_series, .ctx = NULL};
    assert_int_equal(otlp_decode_metrics("\x0a\x7f\x01", 3, false, 5, &sink, &n, &err), ERR_SYNTAX);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_write_keeps_what_is_sound),
        cmocka_unit_test(remote_write_cut_anywhere_is_refused_whole),
        cmocka_unit_test(bombs_do_not_unpack),
        cmocka_unit_test(loki_protobuf_is_read),
        cmocka_unit_test(loki_json_is_read_or_refused_with_a_sentence),
        cmocka_unit_test(otlp_metrics_become_series),
        cmocka_unit_test(otlp_logs_become_lines),
        cmocka_unit_test(otlp_that_is_kept_in_part_is_told),
        cmocka_unit_test(otlp_that_is_none_is_refused),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
