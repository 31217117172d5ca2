/* Tests of base/wire: what an agent writes is what the collector reads, and nothing else is read.
 */
#include "tests/base/base_test.h"

#include "base/compress.h"
#include "base/wire.h"

struct seen {
    struct wire_head head;
    struct buf text;
    int stop_at, calls;
};

static int
seen_step(struct seen *s)
{
    return ++s->calls == s->stop_at ? ERR_BUSY : 0;
}

static int
seen_head(void *ctx, const struct wire_head *h)
{
    struct seen *s = ctx;
    s->head = *h;
    return seen_step(s);
}

static int
seen_samples(void *ctx, const struct labels *l, const struct sample *v, size_t n)
{
    struct seen *s = ctx;
    for (size_t i = 0; i < l->count; i++)
        buf_printf(&s->text, "%.*s=%.*s,", (int)l->at[i].name_len, l->at[i].name,
                   (int)l->at[i].value_len, l->at[i].value);
    for (size_t i = 0; i < n; i++)
        buf_printf(&s->text, "%lld:%g;", (long long)v[i].t_ms, v[i].v);
    return seen_step(s);
}

static int
seen_event(void *ctx, const struct event *e)
{
    struct seen *s = ctx;
    buf_printf(&s->text, "event %lld %d %d %s %s %s %s %s %s %s %s;", (long long)e->time_ms,
               e->phase, e->severity, e->entity, e->code, e->source, e->text, e->node, e->job,
               e->tenant, e->fields);
    return seen_step(s);
}

static int
seen_log(void *ctx, const struct log_line *l)
{
    struct seen *s = ctx;
    buf_printf(&s->text, "log %lld %d %d %s %s %s %s %s;", (long long)l->time_ms, l->severity,
               l->rank, l->node, l->job, l->source, l->tenant, l->text);
    return seen_step(s);
}

static int
seen_gap(void *ctx, const struct gap *g)
{
    struct seen *s = ctx;
    buf_printf(&s->text, "gap %lld %lld %s %s %llu;", (long long)g->from_ms, (long long)g->to_ms,
               g->source, g->reason, (unsigned long long)g->count);
    return seen_step(s);
}

static int
seen_inventory(void *ctx, const char *json, size_t len)
{
    struct seen *s = ctx;
    buf_printf(&s->text, "inventory %.*s", (int)len, json);
    return seen_step(s);
}

static int
seen_result(void *ctx, const char *json, size_t len)
{
    struct seen *s = ctx;
    buf_printf(&s->text, ";result %.*s", (int)len, json);
    return seen_step(s);
}

static struct wire_handler
handler_of(struct seen *s)
{
    return (struct wire_handler){.head = seen_head,
                                 .samples = seen_samples,
                                 .event = seen_event,
                                 .log = seen_log,
                                 .gap = seen_gap,
                                 .inventory = seen_inventory,
                                 .result = seen_result,
                                 .ctx = s};
}

static struct labels
labels_of(const char *name, const char *node)
{
    struct labels l = {.count = 0};
    labels_add_str(&l, "__name__", name);
    labels_add_str(&l, "node", node);
    assert_int_equal(labels_finish(&l), 0);
    return l;
}

static void
make_batch(struct buf *out)
{
    struct wire_encoder *e = wire_encoder_new();
    struct wire_head head = {"node00001", 7, 42, 1000};
    struct labels a = labels_of("up", "node00001"), b = labels_of("node_load1", "node00001");
    struct event ev = {.time_ms = 5,
                       .phase = EVENT_BEGIN,
                       .severity = SEVERITY_CRITICAL,
                       .entity = "gpu:node00001/3",
                       .code = "nvidia.xid.79",
                       .source = "kernel",
                       .text = "fallen",
                       .node = "node00001"};
    struct log_line line = {.time_ms = 6,
                            .severity = SEVERITY_WARNING,
                            .node = "node00001",
                            .job = "4711",
                            .source = "job",
                            .rank = -1,
                            .text = "温度"};
    struct gap gap = {1, 2, "agent:node00001", "spool-full", 99};
    assert_int_equal(wire_encode_sample(e, &a, 1, 1), ERR_STATE);
    wire_encode_begin(e, &head);
    assert_int_equal(wire_encode_sample(e, &a, 10, 1), 0);
    assert_int_equal(wire_encode_sample(e, &b, 10, 0.5), 0);
    assert_int_equal(wire_encode_sample(e, &a, 20, 0), 0);
    assert_int_equal(wire_encode_event(e, &ev), 0);
    assert_int_equal(wire_encode_log(e, &line), 0);
    assert_int_equal(wire_encode_gap(e, &gap), 0);
    assert_int_equal(wire_encode_inventory(e, "{}", 2), 0);
    assert_int_equal(wire_encode_result(e, "[]", 2), 0);
    ev.entity = "nonsense";
    assert_int_equal(wire_encode_event(e, &ev), ERR_SYNTAX);
    buf_init(out, 1 << 20);
    assert_int_equal(wire_encode_end(e, out), 0);
    assert_int_equal(wire_encode_end(e, out), ERR_STATE);
    wire_encoder_free(e);
    wire_encoder_free(NULL);
}

static void
a_batch_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct buf batch;
    struct seen s = {0};
    struct err err = {0};
    make_batch(&batch);
    buf_init(&s.text, 1 << 16);
    struct wire_handler h = handler_of(&s);
    assert_int_equal(wire_decode(batch.data, batch.len, &h, &err), 0);
    assert_string_equal(s.head.agent, "node00001");
    assert_int_equal(s.head.epoch, 7);
    assert_int_equal(s.head.sequence, 42);
    assert_int_equal(s.head.sent_ms, 1000);
    assert_string_equal(
        buf_str(&s.text),
        "__name__=up,node=node00001,10:1;__name__=node_load1,node=node00001,10:0.5;__name__=up,"
        "node=node00001,20:0;"
        "event 5 1 2 gpu:node00001/3 nvidia.xid.79 kernel fallen node00001   ;"
        "log 6 1 -1 node00001 4711 job  温度;gap 1 2 agent:node00001 spool-full 99;inventory "
        "{};result []");
    struct wire_handler none = {0};
    assert_int_equal(wire_decode(batch.data, batch.len, &none, &err), 0);
    buf_done(&s.text);
    buf_done(&batch);
}

static void
what_a_handler_returns_stops_the_batch(void **state)
{
    (void)state;
    struct buf batch;
    make_batch(&batch);
    for (int at = 1; at <= 8; at++) {
        struct seen s = {.stop_at = at};
        buf_init(&s.text, 1 << 16);
        struct wire_handler h = handler_of(&s);
        assert_int_equal(wire_decode(batch.data, batch.len, &h, NULL), ERR_BUSY);
        assert_int_equal(s.calls, at);
        buf_done(&s.text);
    }
    buf_done(&batch);
}

/* Recomputes the checksum, so that what lies behind it is looked at. */
static void
seal(struct buf *batch)
{
    uint32_t crc = crc32c(0, batch->data + 8, batch->len - 8);
    for (size_t i = 0; i < 4; i++)
        batch->data[4 + i] = (char)(crc >> 8 * i);
}

static void
damaged_batches_are_refused_whole(void **state)
{
    (void)state;
    struct buf batch;
    make_batch(&batch);
    for (size_t i = 0; i < batch.len; i++) {
        struct seen s = {0};
        struct err err = {0};
        struct wire_handler h = handler_of(&s);
        buf_init(&s.text, 1 << 16);
        batch.data[i] = (char)(batch.data[i] ^ 0x10);
        int rc = wire_decode(batch.data, batch.len, &h, &err);
        assert_int_equal(rc, i < 4 ? ERR_SYNTAX : ERR_CORRUPT);
        assert_int_equal(s.calls, 0);
        assert_true(*err.text);
        assert_true(wire_decode(batch.data, i, &h, &err) < 0);
        batch.data[i] = (char)(batch.data[i] ^ 0x10);
        buf_done(&s.text);
    }
    buf_done(&batch);
}

/* A batch whose raw bytes are `raw` behind a right head. */
static int
decode_raw(const char *raw, size_t len, struct seen *s)
{
    struct buf inner, batch;
    buf_init(&inner, 1 << 25);
    buf_init(&batch, 1 << 25);
    buf_append(&inner, "\x01n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26);
    buf_append(&inner, raw, len);
    buf_append(&batch, "MSB1\0\0\0\0", 8);
    for (size_t i = 0; i < 4; i++)
        buf_putc(&batch, (char)(inner.len >> 8 * i));
    assert_int_equal(compress_zstd(inner.data, inner.len, 1, &batch), 0);
    seal(&batch);
    struct wire_handler h = handler_of(s);
    int rc = wire_decode(batch.data, batch.len, &h, NULL);
    buf_done(&inner);
    buf_done(&batch);
    return rc;
}

static void
ill_formed_records_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *raw;
        size_t len;
        int rc;
    } rows[] = {
        {"nothing", "", 0, 0},
        {"good labels",
         "\x01\x02\x01"
         "a\x01x\x01"
         "b\x01y",
         10, 0},
        {"unsorted labels",
         "\x01\x02\x01"
         "b\x01x\x01"
         "a\x01y",
         10, ERR_SYNTAX},
        {"a duplicate label",
         "\x01\x02\x01"
         "a\x01x\x01"
         "a\x01y",
         10, ERR_SYNTAX},
        {"an empty label set", "\x01\x00", 2, ERR_SYNTAX},
        {"too many labels", "\x01\x41", 2, ERR_SYNTAX},
        {"unknown type", "\x08", 1, ERR_SYNTAX},
        {"good result", "\x07\x02{}\0", 5, 0},
        {"cut result", "\x07\x05{}", 4, ERR_SYNTAX},
        {"sample of no series", "\x02\0\0\0\0\0\0\0\0\x01\x00\0\0\0\0\0\0\0\0", 19, ERR_SYNTAX},
        {"too many samples", "\x02\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x0f", 14, ERR_LIMIT},
        {"cut samples", "\x02\0\0", 3, ERR_SYNTAX},
        {"endless varint", "\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13, ERR_SYNTAX},
        {"good inventory", "\x06\x02{}\0", 5, 0},
        {"inventory without its end", "\x06\x02{}x", 5, ERR_SYNTAX},
        {"inventory with a zero inside", "\x06\x02{\0\0", 5, ERR_SYNTAX},
        {"cut inventory", "\x06\x05{}", 4, ERR_SYNTAX},
        {"a cut event", "\x03\0\0\0\0\0\0\0\0\0\0", 11, ERR_SYNTAX},
        {"a log of no severity", "\x04\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24,
         ERR_SYNTAX},
        {"an empty log", "\x04\0\0\0\0\0\0\0\0\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct seen s = {0};
        buf_init(&s.text, 1 << 16);
        int rc = decode_raw(rows[i].raw, rows[i].len, &s);
        if (rc != rows[i].rc)
            fail_msg("%s: %d", rows[i].what, rc);
        if (rc)
            assert_int_equal(s.calls, 0);
        buf_done(&s.text);
    }
}

static void
a_full_batch_says_so_and_stays_good(void **state)
{
    (void)state;
    struct wire_encoder *e = wire_encoder_new();
    struct wire_head head = {"n", 1, 1, 1};
    struct labels l = labels_of("up", "n");
    struct buf out;
    struct seen s = {0};
    int rc = 0, n = 0;
    buf_init(&out, 1 << 25);
    buf_init(&s.text, 64 << 20);
    wire_encode_begin(e, &head);
    while (!(rc = wire_encode_sample(e, &l, n, n)))
        n++;
    assert_int_equal(rc, ERR_LIMIT);
    assert_int_equal(n, 199999);
    assert_int_equal(wire_encode_end(e, &out), 0);
    struct wire_handler h = {.samples = seen_samples, .ctx = &s};
    /* each sample has a time, and so a record, of its own: more than is read */
    assert_int_equal(wire_decode(out.data, out.len, &h, NULL), 0);
    assert_int_equal(s.calls, n);
    char *big = malloc(2 << 20);
    memset(big, 'x', 2 << 20);
    big[(2 << 20) - 1] = 0;
    struct log_line line = {.text = big};
    wire_encode_begin(e, &head);
    assert_int_equal(wire_encode_log(e, &line), ERR_LIMIT);
    big[1000000] = 0;
    for (n = 0; !(rc = wire_encode_log(e, &line)); n++)
        ;
    assert_int_equal(rc, ERR_LIMIT);
    assert_int_equal(n, 16);
    buf_reset(&out);
    assert_int_equal(wire_encode_end(e, &out), 0);
    assert_int_equal(wire_decode(out.data, out.len, &(struct wire_handler){0}, NULL), 0);
    free(big);
    buf_done(&out);
    buf_done(&s.text);
    wire_encoder_free(e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_out_as_it_went_in),
        cmocka_unit_test(what_a_handler_returns_stops_the_batch),
        cmocka_unit_test(damaged_batches_are_refused_whole),
        cmocka_unit_test(ill_formed_records_are_refused),
        cmocka_unit_test(a_full_batch_says_so_and_stays_good),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
