/* test_redfish: a controller of our own (redfish_bmc.py) with the older and the newer schema, over
 * TLS, with sessions that end, a log that grows and is cleared, lies and silence. */
#include "base/httpc.h"
#include "tests/collector/collector_test.h"

#include <stdio.h>
#include <stdlib.h>

#define QUICK "  log_interval: 200ms\n  timeout: 2s\n"

struct bmc {
    pid_t pid;
    unsigned port;
    char scheme[8];
};

/* The body of an answer of the controller's test side; empty when none comes. */
static void
bmc_say(const struct bmc *b, const char *method, const char *what, struct buf *ret)
{
    struct httpc *c = httpc_new();
    struct httpc_response resp;
    struct err err;
    char url[128];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/test/%s", b->scheme, b->port, what);
    struct httpc_request req = {.method = method, .url = url, .insecure = true};
    buf_init(ret, 65536);
    if (!httpc_fetch(c, &req, &resp, &err))
        buf_puts(ret, buf_str(&resp.body));
    httpc_response_done(&resp);
    httpc_free(c);
}

static void
bmc_do(const struct bmc *b, const char *what)
{
    struct buf out;
    bmc_say(b, "POST", what, &out);
    buf_done(&out);
}

static int64_t
bmc_seen(const struct bmc *b, const char *key)
{
    struct doc *d = NULL;
    struct buf out;
    struct err err;
    int64_t n = -1;
    bmc_say(b, "GET", "seen", &out);
    if (out.len && !doc_parse_json(buf_str(&out), out.len, "seen", &d, &err))
        n = doc_get_int(doc_root(d), key, 0);
    doc_free(d);
    buf_done(&out);
    return n;
}

static bool
bmc_open(struct bmc *b, const char *const *options)
{
    char port[16], script[512];
    const char *top = getenv("MS_SRCDIR"), *argv[16] = {"python3", script, port};
    size_t n = 3;
    *b = (struct bmc){.port = fixture_free_port(SOCK_STREAM), .scheme = "http"};
    snprintf(port, sizeof port, "%u", b->port);
    snprintf(script, sizeof script, "%s/tests/collector/redfish_bmc.py", top ? top : ".");
    for (; *options && n < 15; options++) {
        argv[n++] = *options;
        if (!strcmp(*options, "--tls"))
            strcpy(b->scheme, "https");
    }
    b->pid = fixture_spawn(argv);
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (bmc_seen(b, "get") < 0 && clock_mono_us() < end)
        poll(NULL, 0, 50);
    if (bmc_seen(b, "get") < 0 && !access("/usr/bin/python3", X_OK))
        fail_msg("%s does not start", script);
    return bmc_seen(b, "get") >= 0;
}

static void
start(struct fixture *f, const struct bmc *b, const char *more)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "redfish:\n  user: monitor\n  password: secret\n  interval: 200ms\n%s"
             "  targets: [{nodes: node00001, address: '%s://127.0.0.1:%u'}]\n",
             more, b->scheme, b->port);
    fixture_start(f, yaml, NULL);
}

static bool
wait_value(struct fixture *f, const char *name, const char *label, const char *value, double want)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    double v = -1;
    while (!fixture_value(f, name, "node", "node00001", label, value, &v) || v != want) {
        if (clock_mono_us() > end) {
            print_message("%s is %g\n", name, v);
            return false;
        }
        poll(NULL, 0, 20);
    }
    return true;
}

static bool
wait_seen(const struct bmc *b, const char *key, int64_t more_than)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (bmc_seen(b, key) <= more_than) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

static void
check_values(struct fixture *f, bool old)
{
    assert_true(wait_value(f, "redfish_up", NULL, NULL, 1));
    assert_true(wait_value(f, "redfish_chassis_power_consumed_watts", "chassis_id", "1", 812));
    assert_true(wait_value(f, "redfish_chassis_temperature_celsius", "sensor_id",
                           old ? "4" : "inlet", 23.5));
    assert_true(wait_value(f, "redfish_chassis_fan_rpm", "fan", "FAN1", 9120));
    assert_true(
        wait_value(f, "redfish_chassis_power_powersupply_health", "power_supply", "PSU1", 1));
    assert_true(wait_value(f, "redfish_system_health_state", NULL, NULL, 2));
    assert_true(wait_value(f, "redfish_system_power_state", NULL, NULL, 1));
}

static void
older_schema_is_read_in_three_answers_a_round(void **state)
{
    struct fixture f;
    struct bmc b;
    double v;
    (void)state;
    if (!bmc_open(&b, (const char *const[]){NULL})) {
        fixture_kill(b.pid);
        skip();
    }
    fixture_open_store(&f);
    start(&f, &b, "  log_interval: 1h\n");
    check_values(&f, true);
    assert_true(wait_value(&f, "redfish_chassis_power_powersupply_last_power_output_watts",
                           "power_supply", "PSU1", 406.5)); /* a number in quotes */
    assert_true(
        wait_value(&f, "redfish_chassis_power_powersupply_health", "power_supply", "PSU2", 3));
    assert_true(wait_value(&f, "redfish_chassis_fan_rpm_percentage", "fan", "FAN2", 61));
    assert_true(
        wait_value(&f, "redfish_chassis_temperature_celsius_high_alarm", "sensor_id", "4", 47));
    assert_false(fixture_value(&f, "redfish_chassis_power_powersupply_last_power_output_watts",
                               "power_supply", "PSU3", NULL, NULL, &v)); /* an empty slot */
    int64_t before = bmc_seen(&b, "get");
    bmc_do(&b, "watts/900");
    assert_true(wait_value(&f, "redfish_chassis_power_consumed_watts", "chassis_id", "1", 900));
    assert_true(bmc_seen(&b, "get") - before <=
                9); /* system, power, thermal; two rounds and a bit */
    assert_int_equal(bmc_seen(&b, "login"), 1);
    fixture_stop(&f);
    assert_int_equal(bmc_seen(&b, "sessions"), 0); /* it was signed out */
    fixture_close(&f);
    fixture_kill(b.pid);
}

static void
newer_schema_is_read_whole_and_by_links(void **state)
{
    const char *const options[2][4] = {{"--schema", "new", "--expand", NULL},
                                       {"--schema", "new", NULL}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct bmc b;
        if (!bmc_open(&b, options[i])) {
            fixture_kill(b.pid);
            skip();
        }
        fixture_open_store(&f);
        start(&f, &b, QUICK);
        check_values(&f, false);
        assert_true(wait_value(&f, "redfish_chassis_energy_joules_total", "chassis_id", "1", 9e6));
        assert_true(wait_value(&f, "redfish_chassis_power_powersupply_power_output_watts",
                               "power_supply", "PSU1", 406.5));
        assert_true(wait_value(&f, "redfish_leak_detector_state", "leak_detector", "Tray leak", 3));
        if (!i)
            assert_true(wait_value(&f, "redfish_chassis_temperature_celsius_high_alarm",
                                   "sensor_id", "inlet", 47));
        fixture_close(&f);
        fixture_kill(b.pid);
    }
}

static int
count_line(void *ctx, const struct log_line *line, uint64_t id)
{
    (void)line, (void)id;
    ++*(size_t *)ctx;
    return 0;
}

static size_t
lines(struct fixture *f, const char *words)
{
    struct event_query q = {.from_ms = 1, .text = words, .limit = 10000};
    struct err err;
    size_t n = 0;
    if (store_logs(f->store, &q, count_line, &n, &err) < 0)
        fail_msg("%s", err.text);
    return n;
}

static bool
wait_lines(struct fixture *f, const char *words, size_t want)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (lines(f, words) < want && clock_mono_us() < end)
        poll(NULL, 0, 20);
    if (lines(f, words) != want)
        print_message("%zu lines of %s\n", lines(f, words), words);
    return lines(f, words) == want;
}

static void
follow_log(const char *const *options)
{
    struct fixture f;
    struct fixture_line line;
    struct bmc b;
    if (!bmc_open(&b, options)) {
        fixture_kill(b.pid);
        skip();
    }
    bmc_do(&b, "log/199"); /* 201 entries: four pages and one more */
    fixture_open_store(&f);
    start(&f, &b, QUICK);
    assert_true(wait_lines(&f, "marker200", 1));
    assert_true(wait_lines(&f, "correctable", 199));
    assert_true(fixture_wait_line(&f, "marker200", &line));
    assert_string_equal(line.node, "node00001");
    assert_string_equal(line.source, "bmc");
    assert_int_equal(line.severity, SEVERITY_CRITICAL);
    int64_t whole = bmc_seen(&b, "entries-sent-whole");
    bmc_do(&b, "log/3");
    assert_true(wait_lines(&f, "marker204", 1));
    assert_true(wait_lines(&f, "correctable", 202));
    assert_int_equal(bmc_seen(&b, "entries-sent-whole"), whole); /* its end was enough */
    bmc_do(&b, "log/99");                                        /* more than its end holds */
    assert_true(wait_lines(&f, "correctable", 301));
    bmc_do(&b, "clear/1");
    bmc_do(&b, "log/2");
    assert_true(wait_lines(&f, "correctable", 303));
    /* the server is away for a while: nothing is taken twice, nothing is missed */
    fixture_stop(&f);
    bmc_do(&b, "log/4");
    start(&f, &b, QUICK);
    assert_true(wait_lines(&f, "correctable", 307));
    assert_true(wait_seen(&b, "get", bmc_seen(&b, "get") + 8));
    assert_true(wait_lines(&f, "correctable", 307));
    fixture_close(&f);
    fixture_kill(b.pid);
}

static void
log_is_followed_from_where_it_was(void **state)
{
    (void)state;
    follow_log((const char *const[]){NULL});
}

static void
log_with_the_newest_first_is_followed_too(void **state)
{
    (void)state;
    follow_log((const char *const[]){"--newest-first", NULL});
}

static void
session_that_ends_is_opened_again(void **state)
{
    struct fixture f;
    struct bmc b;
    (void)state;
    if (!bmc_open(&b, (const char *const[]){NULL})) {
        fixture_kill(b.pid);
        skip();
    }
    fixture_open_store(&f);
    start(&f, &b, QUICK);
    assert_true(wait_value(&f, "redfish_up", NULL, NULL, 1));
    bmc_do(&b, "expire/1");
    bmc_do(&b, "watts/555");
    assert_true(wait_value(&f, "redfish_chassis_power_consumed_watts", "chassis_id", "1", 555));
    assert_true(bmc_seen(&b, "login") >= 2);
    fixture_close(&f);
    fixture_kill(b.pid);
}

static void
liar_is_survived_and_a_wedged_one_left_alone(void **state)
{
    struct fixture f;
    struct bmc b;
    double v;
    (void)state;
    if (!bmc_open(&b, (const char *const[]){NULL})) {
        fixture_kill(b.pid);
        skip();
    }
    bmc_do(&b, "lie/1");
    fixture_open_store(&f);
    start(&f, &b, "  log_interval: 200ms\n  timeout: 500ms\n  discovery_interval: 100ms\n");
    assert_true(wait_seen(&b, "get", 30));
    assert_false(
        fixture_value(&f, "redfish_chassis_power_consumed_watts", NULL, NULL, NULL, NULL, &v));
    assert_true(wait_lines(&f, "liar", 1)); /* in the future, once, and never again */
    bmc_do(&b, "lie/0");
    assert_true(wait_value(&f, "redfish_chassis_power_consumed_watts", "chassis_id", "1", 812));
    bmc_do(&b, "wedge/1");
    assert_true(wait_value(&f, "redfish_up", NULL, NULL, 0));
    int64_t end = clock_mono_us() + 4000000;
    int64_t before = bmc_seen(&b, "wedged");
    while (clock_mono_us() < end)
        poll(NULL, 0, 100);
    assert_true(bmc_seen(&b, "wedged") - before <= 6); /* at 20 rounds without a pause */
    fixture_close(&f);
    fixture_kill(b.pid);
}

static void
certificate_is_verified(void **state)
{
    struct fixture f;
    struct bmc b;
    char cert[128], key[128], more[256];
    (void)state;
    if (access("/usr/bin/openssl", X_OK))
        skip();
    fixture_open_store(&f);
    snprintf(cert, sizeof cert, "%s/bmc.pem", f.folder);
    snprintf(key, sizeof key, "%s/bmc.key", f.folder);
    const char *const make[] = {"openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:prime256v1",
                                "-nodes",
                                "-days",
                                "2",
                                "-subj",
                                "/CN=bmc",
                                "-addext",
                                "subjectAltName=IP:127.0.0.1",
                                "-keyout",
                                key,
                                "-out",
                                cert,
                                NULL};
    assert_int_equal(fixture_run(make), 0);
    if (!bmc_open(&b, (const char *const[]){"--tls", cert, key, NULL})) {
        fixture_kill(b.pid);
        fixture_close(&f);
        skip();
    }
    start(&f, &b, QUICK); /* nobody vouches for it */
    assert_true(wait_value(&f, "redfish_up", NULL, NULL, 0));
    assert_int_equal(bmc_seen(&b, "login"), 0);
    fixture_stop(&f);
    snprintf(more, sizeof more, "%s  ca: '%s'\n", QUICK, cert);
    start(&f, &b, more);
    assert_true(wait_value(&f, "redfish_up", NULL, NULL, 1));
    fixture_close(&f);
    fixture_kill(b.pid);
}

static void
addresses_are_given_by_list_or_by_name(void **state)
{
    static const struct {
        const char *target, *want;
    } rows[] = {
        {"{nodes: 'n[1-3]', address: 'bmc-{}.mgmt'}", ""},
        {"{nodes: 'n[1-3]', address: 'https://10.0.0.[1-3]:8443'}", ""},
        {"{pdus: p01, address: 'http://[::1]:8000'}", ""},
        {"{nodes: 'n[1-3]', address: '10.0.0.[1-2]'}", "2 addresses for the 3 names"},
        {"{nodes: 'n[1-3]', address: '10.0.0.1'}", "1 addresses for the 3 names"},
        {"{nodes: n1, pdus: p1, address: '10.0.0.1'}", "one of nodes, switches"},
        {"{address: '10.0.0.1'}", "needs nodes"},
        {"{nodes: n1, address: 'ftp://10.0.0.1'}", "no http or https"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct err err = {0};
        char yaml[512];
        fixture_open_store(&f);
        snprintf(yaml, sizeof yaml, "redfish: {timeout: 50ms, targets: [%s]}\n", rows[i].target);
        fixture_start(&f, yaml, &err);
        if (*rows[i].want ? !strstr(err.text, rows[i].want) : *err.text)
            fail_msg("%s: %s", rows[i].target, err.text);
        fixture_close(&f);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_schema_is_read_in_three_answers_a_round),
        cmocka_unit_test(newer_schema_is_read_whole_and_by_links),
        cmocka_unit_test(log_is_followed_from_where_it_was),
        cmocka_unit_test(log_with_the_newest_first_is_followed_too),
        cmocka_unit_test(session_that_ends_is_opened_again),
        cmocka_unit_test(liar_is_survived_and_a_wedged_one_left_alone),
        cmocka_unit_test(certificate_is_verified),
        cmocka_unit_test(addresses_are_given_by_list_or_by_name),
    };
    return cmocka_run_group_tests_name("redfish", tests, NULL, NULL);
}
