/* test_snmp: polls of a real snmpd in versions 2c and 3, traps and informs of a real snmptrap, and
 * what sensors' names mean. Absent programs are skipped. */
#include "collector/snmp_sensor.h"
#include "collector/snmpc.h"
#include "tests/collector/collector_test.h"

#include <math.h>

static const char snmpd_conf[] = "rocommunity testing 127.0.0.1\n"
                                 "createUser reader SHA \"authpassword\" AES \"privpassword\"\n"
                                 "rouser reader priv\n"
                                 "sysName leaf-g01-1\n";

static bool
have(const char *program)
{
    char path[256];
    snprintf(path, sizeof path, "/usr/sbin/%s", program);
    if (!access(path, X_OK))
        return true;
    snprintf(path, sizeof path, "/usr/bin/%s", program);
    return !access(path, X_OK);
}

static pid_t
snmpd(struct fixture *f, unsigned port)
{
    char conf[128], address[64], persistent[160];
    snprintf(conf, sizeof conf, "%s/snmpd.conf", f->folder);
    snprintf(address, sizeof address, "udp:127.0.0.1:%u", port);
    snprintf(persistent, sizeof persistent, "--persistentDir=%s/snmp", f->folder);
    assert_int_equal(file_write_atomic(conf, snmpd_conf, strlen(snmpd_conf), 0600, NULL), 0);
    const char *argv[] = {"/usr/sbin/snmpd", "-f",  "-C",    "-c", conf,
                          persistent,        "-Lo", address, NULL};
    return fixture_spawn(argv);
}

static void
polls_interfaces_of_a_real_agent(void **state)
{
    struct fixture f;
    char yaml[512];
    double v = -1;
    (void)state;
    if (!have("snmpd"))
        skip();
    fixture_open_store(&f);
    unsigned port = fixture_free_port(SOCK_DGRAM);
    pid_t pid = snmpd(&f, port);
    assert_true(pid > 0);
    snprintf(
        yaml, sizeof yaml,
        "snmp:\n  targets:\n"
        "  - {switch: leaf-g01-1, address: '127.0.0.1:%u', community: testing, interval: 1s}\n",
        port);
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "ifOperStatus", "node", "leaf-g01-1", "ifName", "lo", &v));
    assert_true(v == 1);
    assert_true(fixture_wait_value(&f, "sysUpTime", "instance", "leaf-g01-1", NULL, NULL, &v));
    assert_true(fixture_value(&f, "up", "node", "leaf-g01-1", NULL, NULL, &v) && v >= 0);
    assert_true(fixture_wait_value(&f, "ifHCInOctets", "node", "leaf-g01-1", "ifName", "lo", &v));
    fixture_kill(pid);
    fixture_close(&f);
}

static void
polls_with_authentication_and_encryption(void **state)
{
    struct fixture f;
    char yaml[512];
    double v = -1;
    (void)state;
    if (!have("snmpd"))
        skip();
    fixture_open_store(&f);
    unsigned port = fixture_free_port(SOCK_DGRAM);
    pid_t pid = snmpd(&f, port);
    snprintf(
        yaml, sizeof yaml,
        "snmp:\n  targets:\n"
        "  - {switch: spine-1, address: '127.0.0.1:%u', version: 3, user: reader, interval: 1s,\n"
        "     auth_protocol: sha, auth_password: authpassword, priv_protocol: aes,\n"
        "     priv_password: privpassword}\n",
        port);
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "ifOperStatus", "node", "spine-1", "ifName", "lo", &v));
    fixture_kill(pid);
    fixture_close(&f);
}

static void
an_agent_that_is_away_is_down(void **state)
{
    struct fixture f;
    char yaml[512];
    double v = -1;
    (void)state;
    fixture_open_store(&f);
    snprintf(yaml, sizeof yaml,
             "snmp:\n  targets:\n"
             "  - {switch: leaf-g01-1, address: '127.0.0.1:%u', interval: 1s, timeout: 100ms}\n",
             fixture_free_port(SOCK_DGRAM));
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "up", "node", "leaf-g01-1", NULL, NULL, &v));
    assert_true(v == 0);
    struct buf out;
    buf_init(&out, 65536);
    collector_sources_json(f.collector, &out);
    assert_non_null(strstr(buf_str(&out), "\"failing\""));
    assert_non_null(strstr(buf_str(&out), "no answer"));
    buf_done(&out);
    fixture_close(&f);
}

static void
trap_becomes_line_and_event(void **state)
{
    struct fixture f;
    struct fixture_line line;
    char to[64];
    (void)state;
    if (!have("snmptrap"))
        skip();
    fixture_open_store(&f);
    fixture_start(&f, "snmp:\n  trap: {listen: '127.0.0.1:0', communities: [testing]}\n", NULL);
    unsigned port = collector_port(f.collector, "trap");
    assert_true(port > 0);
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    const char *wrong[] = {"snmptrap", "-v", "2c", "-c", "guess", to, "", "1.3.6.1.6.3.1.1.5.1",
                           NULL};
    const char *v2[] = {"snmptrap",
                        "-m",
                        "",
                        "-v",
                        "2c",
                        "-c",
                        "testing",
                        to,
                        "1234",
                        "1.3.6.1.6.3.1.1.5.3",
                        "1.3.6.1.2.1.2.2.1.1.7",
                        "i",
                        "7",
                        "1.3.6.1.2.1.31.1.1.1.1.7",
                        "s",
                        "Ethernet1/7",
                        "1.3.6.1.6.3.18.1.3.0",
                        "a",
                        "10.1.2.3",
                        NULL};
    assert_int_equal(fixture_run(wrong), 0);
    assert_int_equal(fixture_run(v2), 0);
    assert_true(fixture_wait_line(&f, "UPDOWN", &line));
    assert_string_equal(line.text, "%LINK-3-UPDOWN: Interface Ethernet1/7, changed state to down");
    assert_string_equal(line.source, "snmp-trap");
    const char *v1[] = {"snmptrap",      "-m",       "",  "-v", "1", "-c", "testing", to,
                        "1.3.6.1.4.1.9", "10.1.2.3", "0", "0",  "",  NULL};
    assert_int_equal(fixture_run(v1), 0);
    assert_true(fixture_wait_line(&f, "coldStart", &line));
    const char *inform[] = {"snmptrap",
                            "-m",
                            "",
                            "-v",
                            "2c",
                            "-c",
                            "testing",
                            "-Ci",
                            "-t",
                            "3",
                            "-r",
                            "0",
                            to,
                            "",
                            "1.3.6.1.6.3.1.1.5.4",
                            "1.3.6.1.2.1.2.2.1.2.9",
                            "s",
                            "Ethernet1/9",
                            NULL};
    assert_int_equal(fixture_run(inform), 0); /* 0: it was confirmed */
    assert_true(fixture_wait_line(&f, "\"changed state to up\"", &line));
    fixture_close(&f);
}

static void
trap_of_version_3_needs_its_user(void **state)
{
    struct fixture f;
    struct fixture_line line;
    char to[64];
    (void)state;
    if (!have("snmptrap"))
        skip();
    fixture_open_store(&f);
    fixture_start(
        &f,
        "snmp:\n  trap:\n    listen: 127.0.0.1:0\n    users:\n"
        "    - {user: trapper, auth_protocol: sha, auth_password: authpassword,\n"
        "       priv_protocol: aes, priv_password: privpassword, engine_id: '8000000001020304'}\n",
        NULL);
    snprintf(to, sizeof to, "127.0.0.1:%u", collector_port(f.collector, "trap"));
    const char *wrong[] = {"snmptrap",
                           "-m",
                           "",
                           "-v",
                           "3",
                           "-e",
                           "0x8000000001020304",
                           "-u",
                           "trapper",
                           "-l",
                           "authPriv",
                           "-a",
                           "SHA",
                           "-A",
                           "not-the-password",
                           "-x",
                           "AES",
                           "-X",
                           "privpassword",
                           to,
                           "",
                           "1.3.6.1.6.3.1.1.5.2",
                           NULL};
    const char *right[] = {"snmptrap",
                           "-m",
                           "",
                           "-v",
                           "3",
                           "-e",
                           "0x8000000001020304",
                           "-u",
                           "trapper",
                           "-l",
                           "authPriv",
                           "-a",
                           "SHA",
                           "-A",
                           "authpassword",
                           "-x",
                           "AES",
                           "-X",
                           "privpassword",
                           to,
                           "",
                           "1.3.6.1.6.3.1.1.5.1",
                           NULL};
    fixture_run(wrong);
    fixture_run(right);
    assert_true(fixture_wait_line(&f, "coldStart", &line));
    struct event_query q = {.from_ms = 1, .to_ms = INT64_MAX / 4, .text = "warmStart", .limit = 1};
    memset(&line, 0, sizeof line);
    assert_int_equal(store_logs(f.store, &q, fixture_line_take, &line, NULL), 0);
    fixture_close(&f);
}

static void
names_tell_what_a_sensor_measures(void **state)
{
    static const struct {
        struct snmp_sensor_raw raw;
        const char *metric;
        double value;
        int lane;
    } cases[] = {
        {{"DOM RX Power Sensor for Ethernet1/1 Lane 2", 6, 7, 1, 5000, false},
         "optic_rx_power_dbm",
         -3.01,
         2},
        {{"DOM RX Power Sensor for Ethernet1/1 Lane 2", 6, 7, 1, 0, false},
         "optic_rx_power_dbm",
         -40,
         2},
        {{"DOM TX Bias Sensor for Ethernet1/1", 5, 8, 2, 650, false},
         "optic_bias_milliamperes",
         6.5,
         1},
        {{"DOM Temperature Sensor for Ethernet1/1", 8, 9, 1, 455, false},
         "optic_temperature_celsius",
         45.5,
         0},
        {{"DOM Voltage Sensor for Ethernet1/1", 4, 9, 2, 331, false},
         "optic_voltage_volts",
         3.31,
         0},
        {{"Ethernet1/1 Transceiver Receive Power", 14, 9, 2, -1234, false},
         "optic_rx_power_dbm",
         -12.34,
         1},
        {{"Front panel temp sensor", 8, 9, 1, 285, false}, "switch_temperature_celsius", 28.5, 0},
        {{"Fan 1 speed", 10, 9, 0, 6000, false}, "", 6000, 0},
        {{"PSU 1 input power", 6, 9, 0, 350, false}, "", 350, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snmp_sensor s;
        snmp_sensor_read(&cases[i].raw, &s);
        assert_string_equal(s.metric, cases[i].metric);
        assert_true(fabs(s.value - cases[i].value) < 0.01);
        if (*s.metric)
            assert_int_equal(s.lane, cases[i].lane);
    }
}

static void
longest_port_that_stands_as_a_word_is_meant(void **state)
{
    static const char *const ports[] = {"Ethernet1", "Ethernet1/1", "Ethernet1/10", "lo"};
    int lane = -1;
    (void)state;
    assert_int_equal(
        snmp_sensor_port("DOM RX Power Sensor for Ethernet1/10 Lane 1", ports, 4, &lane), 2);
    assert_int_equal(lane, 0);
    assert_int_equal(snmp_sensor_port("RX Power for Ethernet1/1/3", ports, 4, &lane), 1);
    assert_int_equal(lane, 3);
    assert_int_equal(snmp_sensor_port("Ethernet1: temperature", ports, 4, &lane), 0);
    assert_int_equal(snmp_sensor_port("floor", ports, 4, &lane), -1);
}

static void
oids_are_read_written_and_compared(void **state)
{
    struct snmpc_oid a, b;
    char text[64];
    (void)state;
    assert_true(snmpc_oid_parse(".1.3.6.1", &a));
    assert_true(snmpc_oid_parse("1.3.6.1.2", &b));
    assert_string_equal(snmpc_oid_format(&a, text, sizeof text), "1.3.6.1");
    assert_true(snmpc_oid_prefix(&b, &a));
    assert_false(snmpc_oid_prefix(&a, &b));
    assert_int_equal(snmpc_oid_compare(&a, &b), -1);
    assert_false(snmpc_oid_parse("1.3.x", &a));
    assert_false(snmpc_oid_parse("", &a));
    assert_false(snmpc_oid_parse("4294967296", &a));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(oids_are_read_written_and_compared),
        cmocka_unit_test(names_tell_what_a_sensor_measures),
        cmocka_unit_test(longest_port_that_stands_as_a_word_is_meant),
        cmocka_unit_test(polls_interfaces_of_a_real_agent),
        cmocka_unit_test(polls_with_authentication_and_encryption),
        cmocka_unit_test(an_agent_that_is_away_is_down),
        cmocka_unit_test(trap_becomes_line_and_event),
        cmocka_unit_test(trap_of_version_3_needs_its_user),
    };
    return cmocka_run_group_tests_name("snmp", tests, NULL, NULL);
}
