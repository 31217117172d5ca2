/* test_snmp: polls of a real snmpd in versions 2c and 3, traps and informs of a real snmptrap, and
 * what sensors' names mean. Absent programs are skipped. */
#include "collector/snmp_sensor.h"
#include "collector/snmpc.h"
#include "tests/collector/collector_test.h"

#include <math.h>

static const char snmpd_conf[] = "rocommunity testing 127.0.0.1\n"
                                 "createUser reader SHA \"authpassword\" AES \"privpassword\"\n"
                                 "createUser reader256 SHA-256 \"authpassword\" AES "
                                 "\"privpassword\"\n"
                                 "rouser reader priv\n"
                                 "rouser reader256 priv\n"
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
polls_with_sha256_beside_sha1(void **state)
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
    snprintf(yaml, sizeof yaml,
             "snmp:\n  targets:\n"
             "  - {switch: spine-2, address: '127.0.0.1:%u', version: 3, user: reader256,\n"
             "     interval: 1s, auth_protocol: sha256, auth_password: authpassword,\n"
             "     priv_protocol: aes, priv_password: privpassword}\n",
             port);
    fixture_start(&f, yaml, NULL);
    assert_true(fixture_wait_value(&f, "ifOperStatus", "node", "spine-2", "ifName", "lo", &v));
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
        double in;
        const char *metric;
        double value;
        int lane;
    } cases[] = {
        {{"DOM RX Power Sensor for Ethernet1/1 Lane 2", 6, 7, 1, false},
         5000,
         "optic_rx_power_dbm",
         -3.01,
         2},
        {{"DOM RX Power Sensor for Ethernet1/1 Lane 2", 6, 7, 1, false},
         0,
         "optic_rx_power_dbm",
         -40,
         2},
        {{"DOM TX Bias Sensor for Ethernet1/1", 5, 8, 2, false},
         650,
         "optic_bias_milliamperes",
         6.5,
         1},
        {{"DOM Temperature Sensor for Ethernet1/1", 8, 9, 1, false},
         455,
         "optic_temperature_celsius",
         45.5,
         0},
        {{"DOM Voltage Sensor for Ethernet1/1", 4, 9, 2, false},
         331,
         "optic_voltage_volts",
         3.31,
         0},
        {{"Ethernet1/1 Transceiver Receive Power", 14, 9, 2, false},
         -1234,
         "optic_rx_power_dbm",
         -12.34,
         1},
        {{"Front panel temp sensor", 8, 9, 1, false}, 285, "switch_temperature_celsius", 28.5, 0},
        {{"Fan 1 speed", 10, 9, 0, false}, 6000, "switch_fan_rpm", 6000, 0},
        {{"PSU 1 input power", 6, 9, 0, false}, 350, "switch_power_watts", 350, 0},
        {{"humidity", 9, 9, 0, false}, 40, "", 40, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snmp_sensor s;
        snmp_sensor_plan(&cases[i].raw, &s);
        assert_string_equal(snmp_metric_name(s.metric), cases[i].metric);
        assert_true(fabs(snmp_sensor_value(&s, cases[i].in) - cases[i].value) < 0.01);
        assert_int_equal(s.lane, cases[i].lane);
    }
}

static void
makers_numbers_become_units(void **state)
{
    static const struct {
        struct snmp_column c;
        double in, out;
    } cases[] = {
        {{"", SNMP_RX_POWER, SNMP_BY_PORT, SNMP_LINEAR, 0, 0.01, INT64_MIN}, -512, -5.12},
        {{"", SNMP_RX_POWER_LOW_ALARM, SNMP_BY_PORT, SNMP_LIGHT, 0, 1e-4, 2147483647}, 1000, -10},
        {{"", SNMP_RX_POWER, SNMP_BY_ENTITY, SNMP_LIGHT_EITHER, 0, 1e-3, -1}, 500, -3.01},
        {{"", SNMP_RX_POWER, SNMP_BY_ENTITY, SNMP_LIGHT_EITHER, 0, 1e-3, -1}, -250, -2.5},
        {{"", SNMP_TEMP, SNMP_BY_PORT, SNMP_LINEAR, 0, 1, 2147483647}, 0, 0},
    };
    static const struct snmp_column huawei = {
        "", SNMP_RX_POWER, SNMP_BY_ENTITY, SNMP_LANES_DBM, 0, 1, -1};
    double lanes[4];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(fabs(snmp_column_number(&cases[i].c, cases[i].in) - cases[i].out) < 0.01);
    assert_true(isnan(snmp_column_number(&cases[4].c, 2147483647)));
    assert_true(isnan(snmp_column_number(&cases[2].c, -1)));
    assert_int_equal(snmp_column_lanes(&huawei, "133.83,98.54,179.26,80.16", lanes, 4), 4);
    assert_true(fabs(lanes[0] - 1.3383) < 1e-6 && fabs(lanes[3] - 0.8016) < 1e-6);
    assert_int_equal(snmp_column_lanes(&huawei, "-1.21,-1.51,-1.83,-2.18", lanes, 4), 4);
    assert_true(fabs(lanes[3] + 2.18) < 1e-6);
    assert_int_equal(snmp_column_lanes(&huawei, "-3.4 dBm", lanes, 4), 1);
    assert_int_equal(snmp_column_lanes(&huawei, "N/A", lanes, 4), 0);
    assert_int_equal(snmp_column_lanes(&huawei, "", lanes, 4), 0);
    assert_int_equal(snmp_column_lanes(&huawei, "1,2,3,4,5,6", lanes, 4), 4);
}

static void
every_column_is_an_oid_of_a_named_metric(void **state)
{
    struct snmpc_oid o;
    (void)state;
    assert_true(snmp_table_count <= 64);
    for (size_t i = 0; i < snmp_table_count; i++)
        for (size_t k = 0; k < snmp_tables[i].count; k++) {
            const struct snmp_column *c = &snmp_tables[i].columns[k];
            assert_true(snmpc_oid_parse(c->oid, &o));
            assert_true(c->metric > SNMP_POLL_SECONDS && c->metric < SNMP_METRICS);
            assert_true(*snmp_metric_name(c->metric));
            assert_true(c->scale != 0);
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
        cmocka_unit_test(makers_numbers_become_units),
        cmocka_unit_test(every_column_is_an_oid_of_a_named_metric),
        cmocka_unit_test(longest_port_that_stands_as_a_word_is_meant),
        cmocka_unit_test(polls_interfaces_of_a_real_agent),
        cmocka_unit_test(polls_with_authentication_and_encryption),
        cmocka_unit_test(polls_with_sha256_beside_sha1),
        cmocka_unit_test(an_agent_that_is_away_is_down),
        cmocka_unit_test(trap_becomes_line_and_event),
        cmocka_unit_test(trap_of_version_3_needs_its_user),
    };
    return cmocka_run_group_tests_name("snmp", tests, NULL, NULL);
}
