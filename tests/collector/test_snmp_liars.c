/* test_snmp_liars: switches that lie, are wedged, are unplugged, lose a port, number their ports
 * anew or are cabled otherwise than planned. Each stands beside an honest one, which must not
 * suffer. */
#include "sim/switches.h"
#include "store/cabling.h"
#include "tests/collector/collector_test.h"

#include <math.h>
#include <pthread.h>

#define PORTS 12

struct stage { /* a liar and an honest switch, served by one thread */
    struct fixture f;
    struct switches *liar, *honest;
    pthread_mutex_t mutex;
    pthread_t thread;
    bool over;
    char yaml[1024];
};

static void *
stage_serve(void *ctx)
{
    struct stage *s = ctx;
    bool over = false;
    while (!over) {
        struct pollfd p[] = {{switches_fd(s->liar), POLLIN, 0},
                             {switches_fd(s->honest), POLLIN, 0}};
        poll(p, 2, 20);
        pthread_mutex_lock(&s->mutex);
        switches_run(s->liar, clock_mono_us() / 1000);
        switches_run(s->honest, clock_mono_us() / 1000);
        over = s->over;
        pthread_mutex_unlock(&s->mutex);
    }
    return NULL;
}

static void
stage_open(struct stage *s, enum switches_lie lie, unsigned delay_ms)
{
    struct switches_config c = {.ports = PORTS, .delay_ms = delay_ms};
    struct err err;
    memset(s, 0, sizeof *s);
    fixture_open_store(&s->f);
    pthread_mutex_init(&s->mutex, NULL);
    assert_int_equal(switches_open(&c, &s->liar, &err), 0);
    assert_int_equal(switches_open(&c, &s->honest, &err), 0);
    switches_tell(s->liar, lie);
    assert_int_equal(pthread_create(&s->thread, NULL, stage_serve, s), 0);
    snprintf(s->yaml, sizeof s->yaml,
             "snmp:\n  targets:\n"
             "  - {switch: liar, address: '127.0.0.1:%u', community: s1, interval: 1s,\n"
             "     sensor_interval: 1s, discovery_interval: 1s, timeout: 400ms}\n"
             "  - {switch: honest, address: '127.0.0.1:%u', community: s2, interval: 1s,\n"
             "     sensor_interval: 1s, discovery_interval: 1s, timeout: 400ms}\n",
             switches_port(s->liar), switches_port(s->honest));
}

static void
stage_close(struct stage *s)
{
    pthread_mutex_lock(&s->mutex);
    s->over = true;
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    switches_close(s->liar);
    switches_close(s->honest);
    pthread_mutex_destroy(&s->mutex);
    fixture_close(&s->f);
}

static bool
stage_wait_gone(struct stage *s, const char *name, const char *l2, const char *v2)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    double v;
    while (fixture_value(&s->f, name, "node", "liar", l2, v2, &v)) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

static bool
stage_wait_is(struct stage *s, const char *name, const char *l2, const char *v2, double want)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    double v = want - 1;
    while (!fixture_value(&s->f, name, "node", "liar", l2, v2, &v) || v != want) {
        if (clock_mono_us() > end)
            return false;
        poll(NULL, 0, 20);
    }
    return true;
}

static size_t
stage_count(struct stage *s, const char *name)
{
    struct matcher m[] = {{MATCH_EQ, "__name__", name}, {MATCH_EQ, "node", "liar"}};
    struct series_set set = {0};
    assert_int_equal(
        store_latest(s->f.store, m, 2, clock_now_ms(NULL) + 1000, 600000, NULL, &set, NULL), 0);
    size_t n = set.count;
    series_set_done(&set);
    return n;
}

static void
a_liar_is_survived_and_its_neighbour_does_not_suffer(void **state)
{
    static const struct {
        enum switches_lie lie;
        double up;
    } cases[] = {{SWITCHES_LOOP, 1},      {SWITCHES_BACK, 1},     {SWITCHES_TYPES, 1},
                 {SWITCHES_TRUNCATED, 0}, {SWITCHES_OTHER_ID, 0}, {SWITCHES_FLOOD, 1},
                 {SWITCHES_LATE, 0},      {SWITCHES_SILENT, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage s;
        double v = -1;
        stage_open(&s, cases[i].lie, 4000);
        fixture_start(&s.f, s.yaml, NULL);
        assert_true(stage_wait_is(&s, "up", NULL, NULL, cases[i].up));
        assert_true(fixture_wait_value(&s.f, "ifOperStatus", "node", "honest", "ifName",
                                       "Ethernet1/12", &v));
        assert_true(fixture_wait_value(&s.f, "optic_rx_power_dbm", "node", "honest", "port",
                                       "Ethernet1/12", &v));
        assert_true(v > -4 && v < -2);
        stage_close(&s);
    }
}

static void
an_agent_of_small_answers_is_asked_for_less(void **state)
{
    struct stage s;
    double v = -1;
    (void)state;
    stage_open(&s, SWITCHES_TOO_BIG, 0);
    fixture_start(&s.f, s.yaml, NULL);
    /* ten columns are too many even for one row */
    assert_true(fixture_wait_value(&s.f, "optic_temperature_celsius", "node", "liar", "port",
                                   "Ethernet1/12", &v));
    assert_true(v == 45.5);
    assert_true(stage_wait_is(&s, "ifOperStatus", "ifName", "Ethernet1/12", 1));
    stage_close(&s);
}

static void
sensors_that_fail_cost_only_sensors(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, SWITCHES_FAILING, 0);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_is(&s, "ifOperStatus", "ifName", "Ethernet1/12", 1));
    assert_true(stage_wait_is(&s, "up", NULL, NULL, 1));
    stage_close(&s);
}

static void
sensors_are_read_again_and_again(void **state)
{
    struct matcher m[] = {{MATCH_EQ, "__name__", "optic_rx_power_dbm"},
                          {MATCH_EQ, "node", "liar"},
                          {MATCH_EQ, "port", "Ethernet1/1"}};
    struct stage s;
    size_t count = 0;
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    (void)state;
    stage_open(&s, SWITCHES_HONEST, 0);
    fixture_start(&s.f, s.yaml, NULL);
    while (count < 3 && clock_mono_us() < end) {
        struct series_set set = {0};
        assert_int_equal(store_select(s.f.store, m, 3, 1, INT64_MAX / 4, NULL, &set, NULL), 0);
        for (size_t i = 0; i < set.count; i++) {
            count = set.rows[i].count;
            for (size_t k = 0; k < count; k++)
                assert_false(sample_is_stale(set.rows[i].samples[k].v));
        }
        series_set_done(&set);
        poll(NULL, 0, 20);
    }
    assert_true(count >= 3);
    stage_close(&s);
}

static void
a_switch_that_falls_silent_leaves_no_series_and_comes_back(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, SWITCHES_HONEST, 0);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_is(&s, "ifOperStatus", "ifName", "Ethernet1/1", 1));
    assert_true(stage_wait_is(&s, "lldp_neighbor_info", "ifName", "Ethernet1/1", 1));
    pthread_mutex_lock(&s.mutex);
    switches_tell(s.liar, SWITCHES_SILENT);
    pthread_mutex_unlock(&s.mutex);
    assert_true(stage_wait_is(&s, "up", NULL, NULL, 0));
    assert_true(stage_wait_gone(&s, "ifOperStatus", "ifName", "Ethernet1/1"));
    assert_true(stage_wait_gone(&s, "optic_rx_power_dbm", "port", "Ethernet1/1"));
    assert_true(stage_wait_gone(&s, "lldp_neighbor_info", "ifName", "Ethernet1/1"));
    pthread_mutex_lock(&s.mutex);
    switches_tell(s.liar, SWITCHES_HONEST);
    pthread_mutex_unlock(&s.mutex);
    assert_true(stage_wait_is(&s, "up", NULL, NULL, 1));
    assert_true(stage_wait_is(&s, "ifOperStatus", "ifName", "Ethernet1/1", 1));
    stage_close(&s);
}

static void
a_port_that_vanishes_ends_its_series_also_across_a_restart(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, SWITCHES_HONEST, 0);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_is(&s, "optic_temperature_celsius", "port", "Ethernet1/4", 45.5));
    pthread_mutex_lock(&s.mutex);
    switches_hide(s.liar, 3);
    pthread_mutex_unlock(&s.mutex);
    assert_true(stage_wait_gone(&s, "ifOperStatus", "ifName", "Ethernet1/3"));
    assert_true(stage_wait_gone(&s, "optic_temperature_celsius", "port", "Ethernet1/3"));
    fixture_stop(&s.f);
    pthread_mutex_lock(&s.mutex);
    switches_hide(s.liar, 4);
    pthread_mutex_unlock(&s.mutex);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_gone(&s, "ifOperStatus", "ifName", "Ethernet1/4"));
    assert_true(stage_wait_gone(&s, "optic_temperature_celsius", "port", "Ethernet1/4"));
    assert_true(stage_wait_is(&s, "ifOperStatus", "ifName", "Ethernet1/3", 1));
    fixture_stop(&s.f);
    strcpy(s.yaml, "snmp: {targets: []}\n"); /* and a switch that is polled no more */
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_gone(&s, "ifOperStatus", "ifName", "Ethernet1/3"));
    assert_true(stage_wait_gone(&s, "up", NULL, NULL));
    stage_close(&s);
}

static void
a_port_keeps_its_series_when_its_number_changes(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, SWITCHES_HONEST, 0);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_is(&s, "ifInErrors", "ifName", "Ethernet1/1", 1000003 + 7919));
    pthread_mutex_lock(&s.mutex);
    switches_reverse(s.liar);
    pthread_mutex_unlock(&s.mutex);
    assert_true(stage_wait_is(&s, "ifInErrors", "ifName", "Ethernet1/1", 1000003 + PORTS * 7919));
    assert_int_equal(stage_count(&s, "ifInErrors"), PORTS);
    stage_close(&s);
}

static void
ports_of_one_name_stay_apart(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, SWITCHES_NAMESAKES, 0);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(
        stage_wait_is(&s, "ifInErrors", "ifName", "Ethernet1/1 (ifIndex 12)", 1000003 + 12 * 7919));
    assert_int_equal(stage_count(&s, "ifInErrors"), PORTS);
    stage_close(&s);
}

static void
uptime_goes_on_when_its_ticks_wrap(void **state)
{
    struct stage s;
    double v = 0;
    (void)state;
    stage_open(&s, SWITCHES_BACKWARDS, 0);
    switches_restart(s.liar, UINT32_MAX - 200);
    fixture_start(&s.f, s.yaml, NULL);
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (v <= UINT32_MAX && clock_mono_us() < end) {
        double before = v;
        fixture_value(&s.f, "sysUpTime", "node", "liar", NULL, NULL, &v);
        assert_true(v >= before);
        poll(NULL, 0, 20);
    }
    assert_true(v > UINT32_MAX);
    stage_close(&s);
}

/* The other ports are read once a minute, so their counters stand still meanwhile. */
static void
a_trap_has_its_port_read(void **state)
{
    struct stage s;
    char to[64];
    double first = 0, now = 0, other = 0;
    (void)state;
    if (access("/usr/bin/snmptrap", X_OK))
        skip();
    stage_open(&s, SWITCHES_HONEST, 0);
    snprintf(s.yaml, sizeof s.yaml,
             "snmp:\n  trap: {listen: '127.0.0.1:0'}\n  targets:\n"
             "  - {switch: liar, address: '127.0.0.1:%u', community: s1, interval: 60s}\n",
             switches_port(s.liar));
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(
        fixture_wait_value(&s.f, "ifHCInOctets", "node", "liar", "ifName", "Ethernet1/4", &first));
    assert_true(
        fixture_wait_value(&s.f, "ifHCInOctets", "node", "liar", "ifName", "Ethernet1/5", &other));
    snprintf(to, sizeof to, "127.0.0.1:%u", collector_port(s.f.collector, "trap"));
    const char *argv[] = {"snmptrap",
                          "-m",
                          "",
                          "-v",
                          "2c",
                          "-c",
                          "any",
                          to,
                          "",
                          "1.3.6.1.6.3.1.1.5.3",
                          "1.3.6.1.2.1.2.2.1.1.4",
                          "i",
                          "4",
                          "1.3.6.1.2.1.1.5.0",
                          "s",
                          "liar",
                          NULL};
    assert_int_equal(fixture_run(argv), 0);
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    do {
        poll(NULL, 0, 20);
        fixture_value(&s.f, "ifHCInOctets", "node", "liar", "ifName", "Ethernet1/4", &now);
    } while (now == first && clock_mono_us() < end);
    assert_true(now > first);
    fixture_value(&s.f, "ifHCInOctets", "node", "liar", "ifName", "Ethernet1/5", &now);
    assert_true(now == other);
    stage_close(&s);
}

/* What makers' own tables say of port 1, and what becomes of it. Values as real agents give them.
 */
struct made {
    const char *oid;
    int64_t number;
    const char *text;
};
struct meant {
    const char *metric, *lane;
    double value;
};

static const struct made huawei[] = {
    /* entity 7000 lies in port 1 (entity 100) */
    {"1.3.6.1.2.1.47.1.1.1.1.2.7000", 0, "400GBase module"},
    {"1.3.6.1.2.1.47.1.1.1.1.4.7000", 100, NULL},
    {"1.3.6.1.2.1.47.1.1.1.1.5.7000", 9, NULL},
    {"1.3.6.1.2.1.47.1.1.1.1.7.7000", 0, "module"},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.5.7000", 41, NULL},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.6.7000", 3310, NULL},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.7.7000", 5900, NULL},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.8.7000", -121, NULL},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.13.7000", -1429, NULL},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.14.7000", 340, NULL},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.3.1.32.7000", 0, "-1.21,-1.51,-1.83,-2.18"},
    {NULL, 0, NULL}};
static const struct meant huawei_means[] = {{"optic_rx_power_dbm", "4", -2.18},
                                            {"optic_rx_power_dbm_low_alarm", NULL, -14.29},
                                            {"optic_bias_milliamperes", "1", 5.9},
                                            {NULL, NULL, 0}};

static const struct made h3c[] = {{"1.3.6.1.4.1.25506.2.70.1.1.1.9.1", -150, NULL},
                                  {"1.3.6.1.4.1.25506.2.70.1.1.1.12.1", 2147483647, NULL},
                                  {"1.3.6.1.4.1.25506.2.70.1.1.1.15.1", 38, NULL},
                                  {"1.3.6.1.4.1.25506.2.70.1.1.1.18.1", 75000, NULL},
                                  {"1.3.6.1.4.1.25506.2.70.1.1.1.35.1", 1000, NULL},
                                  {"1.3.6.1.4.1.25506.2.70.1.2.1.2.1.1", -120, NULL},
                                  {"1.3.6.1.4.1.25506.2.70.1.2.1.3.1.2", -333, NULL},
                                  {NULL, 0, NULL}};
static const struct meant h3c_means[] = {{"optic_rx_power_dbm", "2", -3.33},
                                         {"optic_tx_power_dbm", "1", -1.2},
                                         {"optic_rx_power_dbm_low_alarm", NULL, -10},
                                         {"optic_temperature_celsius_high_alarm", NULL, 75},
                                         {NULL, NULL, 0}};

static const struct made juniper[] = {{"1.3.6.1.4.1.2636.3.60.1.1.1.1.8.1", 33, NULL},
                                      {"1.3.6.1.4.1.2636.3.60.1.1.1.1.5.1", 0, NULL},
                                      {"1.3.6.1.4.1.2636.3.60.1.1.1.1.9.1", 300, NULL},
                                      {"1.3.6.1.4.1.2636.3.60.1.1.1.1.10.1", -1400, NULL},
                                      {"1.3.6.1.4.1.2636.3.60.1.2.1.1.6.1.0", -507, NULL},
                                      {"1.3.6.1.4.1.2636.3.60.1.2.1.1.6.1.3", -612, NULL},
                                      {"1.3.6.1.4.1.2636.3.60.1.2.1.1.7.1.3", 6500, NULL},
                                      {NULL, 0, NULL}};
static const struct meant juniper_means[] = {{"optic_rx_power_dbm", "1", -5.07},
                                             {"optic_rx_power_dbm", "4", -6.12},
                                             {"optic_bias_milliamperes", "4", 6.5},
                                             {"optic_rx_power_dbm_low_alarm", NULL, -14},
                                             {NULL, NULL, 0}};

static const struct made cisco[] = {
    /* sensor 8000: light received by port 1, in thousandths of dBm */
    {"1.3.6.1.2.1.47.1.1.1.1.2.8000", 0, "Ethernet1/1 Lane 1 Transceiver Receive Power Sensor"},
    {"1.3.6.1.4.1.9.9.91.1.1.1.1.1.8000", 14, NULL},
    {"1.3.6.1.4.1.9.9.91.1.1.1.1.2.8000", 9, NULL},
    {"1.3.6.1.4.1.9.9.91.1.1.1.1.3.8000", 3, NULL},
    {"1.3.6.1.4.1.9.9.91.1.1.1.1.4.8000", -2345, NULL},
    {"1.3.6.1.4.1.9.9.91.1.1.1.1.5.8000", 1, NULL},
    {"1.3.6.1.4.1.9.9.91.1.2.1.1.2.8000.1", 20, NULL},
    {"1.3.6.1.4.1.9.9.91.1.2.1.1.3.8000.1", 2, NULL},
    {"1.3.6.1.4.1.9.9.91.1.2.1.1.4.8000.1", -13900, NULL},
    {"1.3.6.1.4.1.9.9.91.1.2.1.1.2.8000.2", 10, NULL},
    {"1.3.6.1.4.1.9.9.91.1.2.1.1.3.8000.2", 4, NULL},
    {"1.3.6.1.4.1.9.9.91.1.2.1.1.4.8000.2", 1500, NULL},
    {"1.3.6.1.4.1.9.9.813.1.2.1.2.1.3", 77, NULL},
    {NULL, 0, NULL}};
static const struct meant cisco_means[] = {{"optic_rx_power_dbm", "1", -2.345},
                                           {"optic_rx_power_dbm_low_alarm", NULL, -13.9},
                                           {"optic_rx_power_dbm_high_warning", NULL, 1.5},
                                           {NULL, NULL, 0}};

static const struct made dell[] = {{"1.3.6.1.4.1.6027.3.11.1.3.1.1.8.1", 0, "0.5"},
                                   {"1.3.6.1.4.1.6027.3.11.1.3.1.1.13.1", 0, "-4.25"},
                                   {"1.3.6.1.4.1.6027.3.11.1.3.1.1.14.1", 0, "N/A"},
                                   {NULL, 0, NULL}};
static const struct meant dell_means[] = {
    {"optic_rx_power_dbm", "2", -4.25}, {"optic_tx_power_dbm", "1", 0.5}, {NULL, NULL, 0}};

/* Port 1 of stack 1, lane 1; a lane that the module does not tell. */
static const struct made ocnos[] = {{"1.3.6.1.4.1.36673.100.1.2.3.1.2.1.1.1", 4123, NULL},
                                    {"1.3.6.1.4.1.36673.100.1.2.3.1.7.1.1.1", 3290, NULL},
                                    {"1.3.6.1.4.1.36673.100.1.2.3.1.12.1.1.2", 6480, NULL},
                                    {"1.3.6.1.4.1.36673.100.1.2.3.1.17.1.1.2", -1190, NULL},
                                    {"1.3.6.1.4.1.36673.100.1.2.3.1.22.1.1.1", -100001, NULL},
                                    {"1.3.6.1.4.1.36673.100.1.2.3.1.22.1.1.2", -2310, NULL},
                                    {NULL, 0, NULL}};
static const struct meant ocnos_means[] = {
    {"optic_rx_power_dbm", "2", -2.31},     {"optic_tx_power_dbm", "2", -1.19},
    {"optic_bias_milliamperes", "2", 6.48}, {"optic_temperature_celsius", NULL, 41.23},
    {"optic_voltage_volts", NULL, 3.29},    {NULL, NULL, 0}};
static const struct made edgecore[] = {{"1.3.6.1.4.1.259.10.1.45.1.2.11.1.5.1", 0, "-2.37 dBm"},
                                       {"1.3.6.1.4.1.259.10.1.45.1.2.11.1.6.1", 0, "-4.81 dBm"},
                                       {NULL, 0, NULL}};
static const struct meant edgecore_means[] = {
    {"optic_rx_power_dbm", "1", -4.81}, {"optic_tx_power_dbm", "1", -2.37}, {NULL, NULL, 0}};

static void
stage_means(struct stage *s, const struct meant *m)
{
    for (; m->metric; m++) {
        double v = NAN;
        int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
        while (!(fabs(v - m->value) < 0.005) && clock_mono_us() < end) {
            fixture_value(&s->f, m->metric, "port", "Ethernet1/1", m->lane ? "lane" : "node",
                          m->lane ? m->lane : "liar", &v);
            poll(NULL, 0, 20);
        }
        if (!(fabs(v - m->value) < 0.005))
            fail_msg("%s lane %s is %g, not %g", m->metric, m->lane ? m->lane : "-", v, m->value);
    }
}

static void
makers_tables_are_read_in_physical_units(void **state)
{
    static const struct {
        const struct made *made;
        const struct meant *means;
    } cases[] = {{huawei, huawei_means},    {h3c, h3c_means},   {juniper, juniper_means},
                 {cisco, cisco_means},      {dell, dell_means}, {ocnos, ocnos_means},
                 {edgecore, edgecore_means}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stage s;
        double v = 0;
        stage_open(&s, SWITCHES_BARE, 0);
        pthread_mutex_lock(&s.mutex);
        for (const struct made *m = cases[i].made; m->oid; m++)
            assert_int_equal(switches_put(s.liar, m->oid, m->number, m->text), 0);
        pthread_mutex_unlock(&s.mutex);
        fixture_start(&s.f, s.yaml, NULL);
        stage_means(&s, cases[i].means);
        if (cases[i].made == cisco) {
            assert_true(fixture_wait_value(&s.f, "switch_pfc_tx_total", "priority", "3", "ifName",
                                           "Ethernet1/1", &v));
            assert_true(v == 77);
        }
        stage_close(&s);
    }
}

/* Of a part of the switch, or of a port's priority or queue: the label that tells it apart. */
static void
makers_counters_and_parts_are_read(void **state)
{
    static const struct made made[] = {
        {"1.3.6.1.4.1.4881.1.1.10.2.1.1.44.1.5.1", 47, NULL},  /* Ruijie, temperature */
        {"1.3.6.1.4.1.52642.1.1.10.2.1.1.44.1.5.2", 52, NULL}, /* FS, temperature */
        {"1.3.6.1.4.1.52642.1.1.10.2.1.1.43.1.6.3", 8800, NULL},
        {"1.3.6.1.4.1.30065.3.11.1.1.1.3.1.3", 501, NULL}, /* Arista, PFC sent, received */
        {"1.3.6.1.4.1.30065.3.11.1.1.1.4.1.3", 602, NULL},
        {"1.3.6.1.4.1.30065.3.6.1.2.1.6.1.4.1", 71, NULL},   /* dropped by queue 4 */
        {"1.3.6.1.4.1.9.9.580.1.5.5.1.4.1.2.3.1", 99, NULL}, /* SONiC: sent, not read */
        {"1.3.6.1.4.1.9.9.580.1.5.5.1.4.1.2.3.5", 82, NULL}, /* dropped by queue 3 */
        {NULL, 0, NULL}};
    static const struct {
        const char *metric, *key, *value;
        double want;
    } means[] = {{"switch_temperature_celsius", "sensor", "1", 47},
                 {"switch_temperature_celsius", "sensor", "2", 52},
                 {"switch_fan_rpm", "sensor", "3", 8800},
                 {"switch_pfc_tx_total", "priority", "3", 501},
                 {"switch_pfc_rx_total", "priority", "3", 602},
                 {"switch_queue_drops_total", "queue", "4", 71},
                 {"switch_queue_drops_total", "queue", "3", 82}};
    struct stage s;
    double v = 0;
    (void)state;
    stage_open(&s, SWITCHES_BARE, 0);
    pthread_mutex_lock(&s.mutex);
    for (const struct made *m = made; m->oid; m++)
        assert_int_equal(switches_put(s.liar, m->oid, m->number, m->text), 0);
    pthread_mutex_unlock(&s.mutex);
    fixture_start(&s.f, s.yaml, NULL);
    for (size_t i = 0; i < COUNT_OF(means); i++) {
        assert_true(fixture_wait_value(&s.f, means[i].metric, "node", "liar", means[i].key,
                                       means[i].value, &v));
        assert_true(fabs(v - means[i].want) < 0.005);
    }
    assert_false(fixture_value(&s.f, "switch_queue_drops_total", "type", "1", "queue", "3", &v));
    stage_close(&s);
}

static const char plan[] = "version: 1\ncluster: {name: demo}\n"
                           "switches: [{name: liar, role: leaf, group: g01, plane: parameter}]\n"
                           "nodes:\n"
                           "  - {name: node00001, nics: [{name: mlx5_0, netdev: eth1}]}\n"
                           "  - {name: node00002, nics: [{name: mlx5_0, netdev: eth1}]}\n"
                           "  - {name: node00003, nics: [{name: mlx5_0, netdev: eth1}]}\n"
                           "links:\n"
                           "  - {a: node00001/mlx5_0, b: liar/Ethernet1/1}\n"
                           "  - {a: node00002/mlx5_0, b: liar/Ethernet1/2}\n";

static int
differs(void *ctx, const struct cabling_verdict *v)
{
    if (v->kind == CABLING_WRONG && !strcmp(v->planned, "nic:node00001/mlx5_0") &&
        !strcmp(v->seen, "nic:node00002/mlx5_0"))
        ++*(size_t *)ctx;
    return 0;
}

static bool
stage_wait_cables(struct stage *s, uint64_t same, size_t wrong)
{
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    struct cabling_count n;
    do {
        size_t seen = 0;
        struct topo *t = topo_get(s->f.store);
        assert_int_equal(cabling_compare(s->f.store, t, clock_now_ms(store_clock(s->f.store)),
                                         differs, &seen, &n, NULL),
                         0);
        topo_put(t);
        if (n.same == same && n.unplanned && seen == wrong)
            return true;
        poll(NULL, 0, 20);
    } while (clock_mono_us() < end);
    return false;
}

/* Port n of the switch has node n at it; nodes 1 and 2 are planned so, node 3 is but known. */
static void
a_cable_in_the_wrong_port_shows_against_the_plan_until_it_is_put_right(void **state)
{
    struct stage s;
    (void)state;
    stage_open(&s, SWITCHES_HONEST, 0);
    assert_int_equal(topo_put_document(s.f.store, plan, strlen(plan), "plan", NULL), 0);
    topo_settle(s.f.store);
    fixture_start(&s.f, s.yaml, NULL);
    assert_true(stage_wait_is(&s, "lldp_neighbor_info", "peer", "node00001.example.com", 1));
    assert_true(stage_wait_cables(&s, 2, 0));
    pthread_mutex_lock(&s.mutex);
    switches_recable(s.liar, 1, 2);
    pthread_mutex_unlock(&s.mutex);
    assert_true(stage_wait_cables(&s, 0, 1));
    pthread_mutex_lock(&s.mutex);
    switches_recable(s.liar, 0, 0);
    pthread_mutex_unlock(&s.mutex);
    assert_true(stage_wait_cables(&s, 2, 0));
    stage_close(&s);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_liar_is_survived_and_its_neighbour_does_not_suffer),
        cmocka_unit_test(an_agent_of_small_answers_is_asked_for_less),
        cmocka_unit_test(sensors_that_fail_cost_only_sensors),
        cmocka_unit_test(sensors_are_read_again_and_again),
        cmocka_unit_test(a_switch_that_falls_silent_leaves_no_series_and_comes_back),
        cmocka_unit_test(a_port_that_vanishes_ends_its_series_also_across_a_restart),
        cmocka_unit_test(a_port_keeps_its_series_when_its_number_changes),
        cmocka_unit_test(ports_of_one_name_stay_apart),
        cmocka_unit_test(uptime_goes_on_when_its_ticks_wrap),
        cmocka_unit_test(makers_tables_are_read_in_physical_units),
        cmocka_unit_test(makers_counters_and_parts_are_read),
        cmocka_unit_test(a_trap_has_its_port_read),
        cmocka_unit_test(a_cable_in_the_wrong_port_shows_against_the_plan_until_it_is_put_right),
    };
    return cmocka_run_group_tests_name("snmp_liars", tests, NULL, NULL);
}
