/* test_mirror: frames in VXLAN to a socket of ours become counts, a report that names adapters,
 * jobs and ranks, and series; what is no VXLAN, cut or empty is survived. */
#include "collector/mirror.h"
#include "tests/collector/collector_test.h"

#include "store/jobs.h"

static const char plan[] = "version: 1\ncluster: {name: demo}\n"
                           "nodes:\n"
                           "  - {name: node00001, gpus: {count: 1, model: H100},\n"
                           "     nics: [{name: mlx5_0, rail: 1, address: 10.1.0.0}]}\n"
                           "  - {name: node00002, gpus: {count: 1, model: H100},\n"
                           "     nics: [{name: mlx5_0, rail: 1, address: 10.1.0.1}]}\n";
static const char job[] = "{\"id\":\"7\",\"name\":\"j\",\"state\":\"running\","
                          "\"nodes\":\"node[00001-00002]\",\"gpus_per_node\":1,"
                          "\"start\":\"2026-11-23T08:00:00Z\"}";

/* VXLAN, Ethernet, IPv4, UDP, base transport header: a write's middle of node00001 to node00002. */
static size_t
frame(uint8_t out[128], uint32_t psn)
{
    static const uint8_t head[] = {
        8, 0, 0,    0,    0,  0,   1,  0,  2,    0, 0,  0,    0,    2,    2,  0, 0, 0, 0,  1,
        8, 0, 0x45, 106,  16, 48,  0,  1,  0x40, 0, 64, 17,   0,    0,    10, 1, 0, 0, 10, 1,
        0, 1, 0xc3, 0x50, 18, 183, 16, 28, 0,    0, 7,  0x40, 0xff, 0xff, 0,  0, 2, 0, 0};
    memset(out, 0, 128);
    memcpy(out, head, sizeof head);
    out[sizeof head] = (uint8_t)(psn >> 16);
    out[sizeof head + 1] = (uint8_t)(psn >> 8);
    out[sizeof head + 2] = (uint8_t)psn;
    return 128;
}

static void
put(int fd, unsigned port, const void *data, size_t len)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)len);
}

static void
fixture_packets(struct fixture *f, struct buf *out)
{
    const struct route *routes;
    size_t n;
    struct httpd_request req = {.method = "GET", .path = "/api/v1/packets"};
    struct httpd_response resp = {0};
    routes = collector_routes(&n);
    buf_init(&resp.body, 1 << 22);
    while (strcmp(routes->path, "/api/v1/packets"))
        routes++;
    assert_int_equal(routes->handler(f->collector, &req, &resp), 0);
    *out = resp.body;
}

static bool
wait_report(struct fixture *f, const char *holds)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    bool there = false;
    while (!there && clock_mono_us() < end) {
        struct buf text;
        fixture_packets(f, &text);
        there = strstr(buf_str(&text), holds) != NULL;
        buf_done(&text);
        poll(NULL, 0, 50);
    }
    return there;
}

static void
mirrored_frames_become_a_report_and_series(void **state)
{
    struct fixture f;
    struct job j = {0};
    struct err err;
    double v = 0;
    uint8_t data[128];
    (void)state;
    fixture_open_store(&f);
    assert_int_equal(topo_put_document(f.store, plan, strlen(plan), "plan", &err), 0);
    assert_int_equal(job_put(f.store, "7", job, strlen(job), false, &j, &err), 0);
    job_done(&j);
    topo_settle(f.store);
    fixture_start(&f, "mirror: {name: leafs, vxlan: '127.0.0.1:0', window: 5s}\n", NULL);
    unsigned port = collector_port(f.collector, "mirror");
    assert_true(port > 0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (uint32_t i = 0; i < 100; i++)
        put(fd, port, data, frame(data, i < 50 ? i : i + 3)); /* three are lost */
    for (size_t cut = 0; cut < 60; cut++)
        put(fd, port, data, cut);
    put(fd, port, "not a frame at all, but a text that somebody sent here", 54);
    close(fd);
    assert_true(wait_report(&f, "\"packets_missing\":3"));
    struct buf text;
    fixture_packets(&f, &text);
    assert_non_null(strstr(buf_str(&text), "\"name\":\"leafs\""));
    assert_non_null(strstr(buf_str(&text), "{\"entity\":\"nic:node00001/mlx5_0\",\"job\":\"7\","
                                           "\"rank\":0}"));
    assert_non_null(strstr(buf_str(&text), "{\"entity\":\"nic:node00002/mlx5_0\",\"job\":\"7\","
                                           "\"rank\":1}"));
    assert_non_null(strstr(buf_str(&text), "\"bytes\":415")); /* as on the wire, not as cut */
    buf_done(&text);
    assert_true(fixture_wait_value(&f, "roce_mirror_packets_total", "mirror", "leafs", "kind",
                                   "missing", &v));
    assert_true(v == 3);
    fixture_close(&f);
}

static void
a_mirror_without_a_place_is_refused(void **state)
{
    struct fixture f;
    struct err err = {0};
    (void)state;
    fixture_open_store(&f);
    fixture_start(&f, "mirror: {name: leafs}\n", &err);
    assert_string_equal(err.text, "mirror: give vxlan or interface");
    fixture_close(&f);
    fixture_open_store(&f);
    fixture_start(&f, "mirror: {interface: no-such-interface}\n", &err);
    assert_non_null(strstr(err.text, "cannot capture on no-such-interface"));
    fixture_close(&f);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mirrored_frames_become_a_report_and_series),
        cmocka_unit_test(a_mirror_without_a_place_is_refused),
    };
    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
