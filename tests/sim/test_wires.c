/* What leaves the simulator besides samples: syslog, Loki, SNMP. */
#include "base/doc.h"
#include "base/wire.h"
#include "sim/ber.h"
#include "sim/emit_agent.h"
#include "sim/emit_lines.h"
#include "sim/emit_trap.h"
#include "sim/responder.h"
#include "tests/sim/sim_test.h"

static const struct world_line host_line = {.t_ms = SIM_TEST_START + 120,
                                            .host = "node00001",
                                            .source = "kernel",
                                            .app = "kernel",
                                            .job = "",
                                            .rank = -1,
                                            .severity = 3,
                                            .text = "NVRM: \"quoted\" line"};
static const struct world_line switch_line = {.t_ms = SIM_TEST_START,
                                              .host = "leaf-g01-1",
                                              .address = "127.16.0.1",
                                              .source = "switch",
                                              .app = "switch",
                                              .job = "",
                                              .rank = -1,
                                              .severity = 3,
                                              .text = "%A-3-B: c"};

static void
syslog_lines_have_their_heads(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    emit_lines_5424(&b, &host_line);
    assert_string_equal(
        b.data, "<3>1 2025-11-23T08:00:00.120Z node00001 kernel - - - NVRM: \"quoted\" line");
    buf_reset(&b);
    emit_lines_3164(&b, &switch_line);
    assert_string_equal(b.data, "<187>Nov 23 08:00:00 leaf-g01-1 %A-3-B: c");
    buf_done(&b);
}

static void
loki_body_is_json_with_labels_and_nanoseconds(void **state)
{
    (void)state;
    struct buf b;
    struct doc *d;
    buf_init(&b, 4096);
    emit_lines_open(&b);
    emit_lines_loki(&b, &host_line);
    emit_lines_loki(&b, &switch_line);
    emit_lines_close(&b);
    assert_int_equal(doc_parse_json(b.data, b.len, "t", &d, NULL), 0);
    const struct doc_node *streams = doc_get(doc_root(d), "streams"), *s = doc_at(streams, 0);
    assert_int_equal(streams->count, 2);
    assert_string_equal(doc_get_str(doc_get(s, "stream"), "node", ""), "node00001");
    assert_string_equal(doc_get_str(doc_get(s, "stream"), "source", ""), "kernel");
    assert_string_equal(doc_str(doc_at(doc_at(doc_get(s, "values"), 0), 0), ""),
                        "1763884800120000000");
    assert_string_equal(doc_get_str(doc_get(doc_at(streams, 1), "stream"), "host", ""),
                        "leaf-g01-1");
    doc_free(d);
    buf_done(&b);
}

static void
integers_are_written_in_least_bytes_and_read_back(void **state)
{
    (void)state;
    static const int64_t cases[] = {0,    1,    127,   128,       255,       256,      -1,
                                    -128, -129, 65535, INT32_MAX, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t memory[32];
        struct ber_writer w;
        int64_t v = 0;
        ber_write_init(&w, memory, sizeof memory);
        ber_write_int(&w, BER_INTEGER, cases[i]);
        struct ber_reader r = {w.at, memory + sizeof memory};
        assert_true(ber_read_int(&r, &v));
        assert_true(v == cases[i]);
    }
}

static size_t
snmp_request(uint8_t pdu, const char *community, const char *oid, int64_t skip, int64_t max,
             uint8_t *memory, size_t size, const uint8_t **at)
{
    struct ber_writer w;
    struct ber_oid o;
    ber_write_init(&w, memory, size);
    ber_write_head(&w, BER_NULL, 0);
    assert_true(ber_oid_parse(oid, &o));
    ber_write_oid(&w, &o);
    ber_write_head(&w, BER_SEQUENCE, ber_written(&w));
    ber_write_head(&w, BER_SEQUENCE, ber_written(&w));
    ber_write_int(&w, BER_INTEGER, max);
    ber_write_int(&w, BER_INTEGER, skip);
    ber_write_int(&w, BER_INTEGER, 77);
    ber_write_head(&w, pdu, ber_written(&w));
    ber_write_bytes(&w, BER_OCTETS, community, strlen(community));
    ber_write_int(&w, BER_INTEGER, 1);
    ber_write_head(&w, BER_SEQUENCE, ber_written(&w));
    *at = w.at;
    return ber_written(&w);
}

/* The varbind list of an answer. */
static struct ber_reader
snmp_binds(const uint8_t *p, size_t len)
{
    struct ber_reader r = {p, p + len}, message, c, pdu, list;
    uint8_t tag;
    int64_t v;
    assert_true(ber_read(&r, &tag, &message));
    assert_true(ber_read_int(&message, &v) && v == 1);
    assert_true(ber_read(&message, &tag, &c) && tag == BER_OCTETS);
    assert_true(ber_read(&message, &tag, &pdu));
    assert_true(ber_read_int(&pdu, &v) && ber_read_int(&pdu, &v) && ber_read_int(&pdu, &v));
    assert_true(ber_read(&pdu, &tag, &list) && tag == BER_SEQUENCE);
    return list;
}

static void
snmp_walk_gives_every_port_by_name_then_ends(void **state)
{
    (void)state;
    struct sim_test t;
    struct responder *r;
    struct ber_oid at, under;
    unsigned names = 0;
    sim_test_open(&t, 1, false);
    sim_test_run(&t, 6);
    assert_int_equal(responder_open(t.world, 0, &r, NULL), 0);
    char oid[256] = "1.3.6.1.2.1.31.1.1.1.1";
    ber_oid_parse(oid, &under);
    for (bool more = true; more;) {
        uint8_t q[512], a[4096], tag;
        const uint8_t *qp, *ap;
        size_t n = snmp_request(BER_GETBULK, "public@leaf-g01-1", oid, 0, 5, q, sizeof q, &qp);
        int len = responder_answer(r, -1, qp, n, a, sizeof a, &ap);
        assert_true(len > 0);
        struct ber_reader list = snmp_binds(ap, (size_t)len), bind, c, value;
        while (more && ber_read(&list, &tag, &bind)) {
            assert_true(ber_read(&bind, &tag, &c) && ber_read_oid(&c, &at));
            assert_true(ber_read(&bind, &tag, &value));
            more = at.len == under.len + 1 &&
                   memcmp(at.at, under.at, under.len * sizeof at.at[0]) == 0;
            names += more && tag == BER_OCTETS && memcmp(value.at, "Ethernet", 8) == 0;
            size_t k = 0;
            for (unsigned i = 0; i < at.len; i++)
                k += (size_t)snprintf(oid + k, sizeof oid - k, "%s%u", i == 0 ? "" : ".", at.at[i]);
        }
    }
    assert_int_equal(names, t.plan->switches.at[0].ports);
    responder_close(r);
    sim_test_close(&t);
}

static void
snmp_is_silent_for_strangers_and_dead_switches(void **state)
{
    (void)state;
    struct sim_test t;
    struct responder *r;
    uint8_t q[512], a[4096];
    const uint8_t *qp, *ap;
    sim_test_open(&t, 1, false);
    assert_int_equal(responder_open(t.world, 0, &r, NULL), 0);
    size_t n = snmp_request(BER_GET, "public", "1.3.6.1.2.1.1.5.0", 0, 0, q, sizeof q, &qp);
    assert_int_equal(responder_answer(r, -1, qp, n, a, sizeof a, &ap), 0);
    assert_true(responder_answer(r, 0, qp, n, a, sizeof a, &ap) > 0);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(responder_answer(r, 0, qp, cut, a, sizeof a, &ap), 0);
    fault_add_text(t.world, "leaf-down@0s+60s:leaf-g01-1", NULL);
    sim_test_run(&t, 2);
    assert_int_equal(responder_answer(r, 0, qp, n, a, sizeof a, &ap), 0);
    responder_close(r);
    sim_test_close(&t);
}

static void
trap_names_kind_port_and_switch(void **state)
{
    (void)state;
    struct sim_test t;
    uint8_t memory[1500], tag;
    const uint8_t *at;
    struct ber_oid oid;
    struct ber_reader bind, c, value;
    unsigned binds = 0;
    sim_test_open(&t, 1, false);
    struct world_trap trap = {.t_ms = SIM_TEST_START, .port = 0, .up = false};
    int n = emit_trap_encode(t.world, &trap, 5, memory, sizeof memory, &at);
    assert_true(n > 0);
    struct ber_reader list = snmp_binds(at, (size_t)n);
    for (; ber_read(&list, &tag, &bind); binds++) {
        assert_true(ber_read(&bind, &tag, &c) && ber_read_oid(&c, &oid) &&
                    ber_read(&bind, &tag, &value));
        if (binds == 1) {
            assert_true(ber_read_oid(&value, &oid));
            assert_int_equal(oid.at[oid.len - 1], 3); /* linkDown */
        }
    }
    assert_int_equal(binds, 7);
    sim_test_close(&t);
}

struct batch_seen {
    unsigned samples, temperatures;
    char agent[64];
    uint64_t sequence;
};

static int
batch_head(void *ctx, const struct wire_head *h)
{
    struct batch_seen *s = ctx;
    snprintf(s->agent, sizeof s->agent, "%s", h->agent);
    s->sequence = h->sequence;
    return 0;
}

static int
batch_samples(void *ctx, const struct labels *l, const struct sample *v, size_t n)
{
    struct batch_seen *s = ctx;
    const struct label *name = labels_find(l, "__name__");
    (void)v;
    s->samples += (unsigned)n;
    s->temperatures +=
        name->value_len == 20 && memcmp(name->value, "DCGM_FI_DEV_GPU_TEMP", 20) == 0;
    return 0;
}

static void
agent_batch_holds_the_node_and_a_silent_node_sends_none(void **state)
{
    (void)state;
    struct sim_test t;
    struct buf b;
    struct batch_seen seen = {0};
    struct wire_handler h = {.head = batch_head, .samples = batch_samples, .ctx = &seen};
    sim_test_open(&t, 1, false);
    sim_test_run(&t, 6);
    struct emit_agent *e = emit_agent_new(t.world);
    assert_non_null(e);
    buf_init(&b, 16u << 20);
    assert_int_equal(emit_agent_node(e, 2, t.world->now_ms, true, &b), 1);
    buf_reset(&b);
    assert_int_equal(emit_agent_node(e, 2, t.world->now_ms, true, &b), 1);
    assert_int_equal(wire_decode(b.data, b.len, &h, NULL), 0);
    assert_string_equal(seen.agent, "node00003");
    assert_int_equal(seen.sequence, 2);
    assert_int_equal(seen.temperatures, 8);
    assert_true(seen.samples > 400);
    fault_add_text(t.world, "node-crash@0s+60s:node00003", NULL);
    sim_test_run(&t, 8);
    assert_int_equal(emit_agent_node(e, 2, t.world->now_ms, true, &b), 0);
    buf_done(&b);
    emit_agent_free(e);
    sim_test_close(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syslog_lines_have_their_heads),
        cmocka_unit_test(loki_body_is_json_with_labels_and_nanoseconds),
        cmocka_unit_test(integers_are_written_in_least_bytes_and_read_back),
        cmocka_unit_test(snmp_walk_gives_every_port_by_name_then_ends),
        cmocka_unit_test(snmp_is_silent_for_strangers_and_dead_switches),
        cmocka_unit_test(agent_batch_holds_the_node_and_a_silent_node_sends_none),
        cmocka_unit_test(trap_names_kind_port_and_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
