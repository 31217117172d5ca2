/* snmp_table: rows a table, tables a maker. A table that a switch does not have costs one name of
 * one question at each discovery. What tells of lanes stands before what tells of the module as a
 * whole: the first that a port gives for a lane counts. */
#include "collector/snmp_table.h"

#include <math.h>
#include <stdlib.h>

#define EVERY          INT64_MIN  /* every value counts */
#define SNMP_DARK_DBM  -40.0      /* what modules report as no light at all */
#define SNMP_DBM_MAX   45.0       /* of a module; above it a number counts hundredths */
#define INVALID32      2147483647 /* "not supported" where makers follow their own modules */
#define INVALID_IPI    -100001
#define INVALID_HUAWEI -1

static const char *const snmp_metric_names[SNMP_METRICS] = {
    [SNMP_UP] = "up",
    [SNMP_UP_TIME] = "sysUpTime",
    [SNMP_POLL_SECONDS] = "snmp_poll_seconds",
    [SNMP_IF_ADMIN] = "ifAdminStatus",
    [SNMP_IF_OPER] = "ifOperStatus",
    [SNMP_IF_SPEED] = "ifHighSpeed",
    [SNMP_IF_IN_OCTETS] = "ifHCInOctets",
    [SNMP_IF_OUT_OCTETS] = "ifHCOutOctets",
    [SNMP_IF_IN_ERRORS] = "ifInErrors",
    [SNMP_IF_OUT_ERRORS] = "ifOutErrors",
    [SNMP_IF_IN_DISCARDS] = "ifInDiscards",
    [SNMP_IF_OUT_DISCARDS] = "ifOutDiscards",
    [SNMP_IF_LAST_CHANGE] = "ifLastChange",
    [SNMP_PFC_RX] = "switch_pfc_rx_total",
    [SNMP_PFC_TX] = "switch_pfc_tx_total",
    [SNMP_QUEUE_DROPS] = "switch_queue_drops_total",
    [SNMP_FCS_ERRORS] = "dot3StatsFCSErrors",
    [SNMP_SYMBOL_ERRORS] = "dot3StatsSymbolErrors",
#define NAMES(M, NAME)                                                                             \
    [M] = NAME, [M##_LOW_ALARM] = NAME "_low_alarm", [M##_LOW_WARNING] = NAME "_low_warning",      \
    [M##_HIGH_WARNING] = NAME "_high_warning", [M##_HIGH_ALARM] = NAME "_high_alarm"
    NAMES(SNMP_RX_POWER, "optic_rx_power_dbm"),
    NAMES(SNMP_TX_POWER, "optic_tx_power_dbm"),
    NAMES(SNMP_BIAS, "optic_bias_milliamperes"),
    NAMES(SNMP_TEMP, "optic_temperature_celsius"),
    NAMES(SNMP_VOLTAGE, "optic_voltage_volts"),
    [SNMP_SWITCH_CPU] = "switch_cpu_percent",
    [SNMP_SWITCH_MEMORY] = "switch_memory_percent",
    [SNMP_SWITCH_TEMP] = "switch_temperature_celsius",
    [SNMP_SWITCH_FAN] = "switch_fan_rpm",
    [SNMP_SWITCH_WATTS] = "switch_power_watts",
    [SNMP_SWITCH_VOLTS] = "switch_voltage_volts",
    [SNMP_SWITCH_AMPERES] = "switch_current_amperes",
};

const char *
snmp_metric_name(unsigned m)
{
    return m < SNMP_METRICS ? snmp_metric_names[m] : "";
}

bool
snmp_metric_optic(unsigned m)
{
    return m >= SNMP_RX_POWER && m <= SNMP_VOLTAGE_HIGH_ALARM;
}

bool
snmp_metric_laned(unsigned m)
{
    return m == SNMP_RX_POWER || m == SNMP_TX_POWER || m == SNMP_BIAS;
}

#define PORT(OID, METRIC)                                                                          \
    {                                                                                              \
        OID, METRIC, SNMP_BY_PORT, SNMP_LINEAR, 0, 1, EVERY                                        \
    }

static const struct snmp_column snmp_interfaces[] = {
    PORT("1.3.6.1.2.1.2.2.1.7", SNMP_IF_ADMIN),
    PORT("1.3.6.1.2.1.2.2.1.8", SNMP_IF_OPER),
    PORT("1.3.6.1.2.1.31.1.1.1.15", SNMP_IF_SPEED),
    PORT("1.3.6.1.2.1.31.1.1.1.6", SNMP_IF_IN_OCTETS),
    PORT("1.3.6.1.2.1.31.1.1.1.10", SNMP_IF_OUT_OCTETS),
    PORT("1.3.6.1.2.1.2.2.1.14", SNMP_IF_IN_ERRORS),
    PORT("1.3.6.1.2.1.2.2.1.20", SNMP_IF_OUT_ERRORS),
    PORT("1.3.6.1.2.1.2.2.1.13", SNMP_IF_IN_DISCARDS),
    PORT("1.3.6.1.2.1.2.2.1.19", SNMP_IF_OUT_DISCARDS),
    PORT("1.3.6.1.2.1.2.2.1.9", SNMP_IF_LAST_CHANGE)};

static const struct snmp_column snmp_etherlike[] = {
    PORT("1.3.6.1.2.1.10.7.2.1.3", SNMP_FCS_ERRORS),
    PORT("1.3.6.1.2.1.10.7.2.1.18", SNMP_SYMBOL_ERRORS)};

/* CISCO-PFC-EXT-MIB: requests are what the port sends. SONiC answers with it too. */
static const struct snmp_column snmp_cisco_pfc[] = {
    {"1.3.6.1.4.1.9.9.813.1.2.1.2", SNMP_PFC_TX, SNMP_BY_PORT_PRIORITY, SNMP_LINEAR, 0, 1, EVERY},
    {"1.3.6.1.4.1.9.9.813.1.2.1.3", SNMP_PFC_RX, SNMP_BY_PORT_PRIORITY, SNMP_LINEAR, 0, 1, EVERY}};

/* ARISTA-PFC-MIB */
static const struct snmp_column snmp_arista_pfc[] = {
    {"1.3.6.1.4.1.30065.3.11.1.1.1.3", SNMP_PFC_TX, SNMP_BY_PORT_PRIORITY, SNMP_LINEAR, 0, 1,
     EVERY},
    {"1.3.6.1.4.1.30065.3.11.1.1.1.4", SNMP_PFC_RX, SNMP_BY_PORT_PRIORITY, SNMP_LINEAR, 0, 1,
     EVERY}};

/* ARISTA-QUEUE-MIB: packets that a port's queue dropped; the type is that of their destination. */
static const struct snmp_column snmp_arista_queues[] = {{"1.3.6.1.4.1.30065.3.6.1.2.1.6",
                                                         SNMP_QUEUE_DROPS, SNMP_BY_PORT_QUEUE,
                                                         SNMP_LINEAR, 0, 1, EVERY}};

/* CISCO-SWITCH-QOS-MIB, csqIfQosGroupStatsTable; SONiC answers with it too (type 5: unicast packets
 * dropped, 7: others). */
static const struct snmp_column snmp_cisco_queues[] = {{"1.3.6.1.4.1.9.9.580.1.5.5.1.4",
                                                        SNMP_QUEUE_DROPS, SNMP_BY_PORT_DROPS,
                                                        SNMP_LINEAR, 0, 1, EVERY}};

static const struct snmp_column snmp_host[] = {
    {"1.3.6.1.2.1.25.3.3.1.2", SNMP_SWITCH_CPU, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, EVERY}};

/* CISCO-PROCESS-MIB: load over one minute */
static const struct snmp_column snmp_cisco_cpu[] = {
    {"1.3.6.1.4.1.9.9.109.1.1.1.1.7", SNMP_SWITCH_CPU, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, EVERY}};

/* HUAWEI-ENTITY-EXTENT-MIB, hwEntityStateTable: parts answer with 0 for what they have not. */
static const struct snmp_column snmp_huawei_state[] = {
    {"1.3.6.1.4.1.2011.5.25.31.1.1.1.1.5", SNMP_SWITCH_CPU, SNMP_BY_PART, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.1.1.7", SNMP_SWITCH_MEMORY, SNMP_BY_PART, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.2011.5.25.31.1.1.1.1.11", SNMP_SWITCH_TEMP, SNMP_BY_PART, SNMP_LINEAR, 0, 1,
     INVALID32}};

#define HUAWEI(N, METRIC, UNIT, SCALE)                                                             \
    {                                                                                              \
        "1.3.6.1.4.1.2011.5.25.31.1.1.3.1." #N, METRIC, SNMP_BY_ENTITY, UNIT, 0, SCALE,            \
            INVALID_HUAWEI                                                                         \
    }
/* hwOpticalModuleInfoTable */
static const struct snmp_column snmp_huawei_optics[] = {
    HUAWEI(5, SNMP_TEMP, SNMP_LINEAR, 1),
    HUAWEI(6, SNMP_VOLTAGE, SNMP_LINEAR, 1e-3),
    HUAWEI(31, SNMP_BIAS, SNMP_LANES, 1),
    HUAWEI(32, SNMP_RX_POWER, SNMP_LANES_DBM, 1),
    HUAWEI(33, SNMP_TX_POWER, SNMP_LANES_DBM, 1),
    HUAWEI(7, SNMP_BIAS, SNMP_LINEAR, 1e-3),
    HUAWEI(8, SNMP_RX_POWER, SNMP_LIGHT_EITHER, 1e-3),
    HUAWEI(9, SNMP_TX_POWER, SNMP_LIGHT_EITHER, 1e-3)};
static const struct snmp_column snmp_huawei_limits[] = {
    HUAWEI(13, SNMP_RX_POWER_LOW_ALARM, SNMP_LINEAR, 0.01),
    HUAWEI(14, SNMP_RX_POWER_HIGH_ALARM, SNMP_LINEAR, 0.01),
    HUAWEI(15, SNMP_TX_POWER_LOW_ALARM, SNMP_LINEAR, 0.01),
    HUAWEI(16, SNMP_TX_POWER_HIGH_ALARM, SNMP_LINEAR, 0.01),
    HUAWEI(20, SNMP_RX_POWER_LOW_WARNING, SNMP_LINEAR, 0.01),
    HUAWEI(21, SNMP_RX_POWER_HIGH_WARNING, SNMP_LINEAR, 0.01),
    HUAWEI(22, SNMP_TX_POWER_LOW_WARNING, SNMP_LINEAR, 0.01),
    HUAWEI(23, SNMP_TX_POWER_HIGH_WARNING, SNMP_LINEAR, 0.01)};

/* HH3C-ENTITY-EXT-MIB */
static const struct snmp_column snmp_h3c_state[] = {
    {"1.3.6.1.4.1.25506.2.6.1.1.1.1.6", SNMP_SWITCH_CPU, SNMP_BY_PART, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.25506.2.6.1.1.1.1.8", SNMP_SWITCH_MEMORY, SNMP_BY_PART, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.25506.2.6.1.1.1.1.12", SNMP_SWITCH_TEMP, SNMP_BY_PART, SNMP_LINEAR, 0, 1, 65535}};

#define H3C(N, METRIC, UNIT, SCALE)                                                                \
    {                                                                                              \
        "1.3.6.1.4.1.25506.2.70.1.1.1." #N, METRIC, SNMP_BY_PORT, UNIT, 0, SCALE, INVALID32        \
    }
#define H3C_LANE(N, METRIC)                                                                        \
    {                                                                                              \
        "1.3.6.1.4.1.25506.2.70.1.2.1." #N, METRIC, SNMP_BY_PORT_LANE, SNMP_LINEAR, 0, 0.01,       \
            INVALID32                                                                              \
    }
/* HH3C-TRANSCEIVER-INFO-MIB; its limits of light are in tenths of a microwatt */
static const struct snmp_column snmp_h3c_optics[] = {
    H3C(9, SNMP_TX_POWER, SNMP_LINEAR, 0.01), H3C(12, SNMP_RX_POWER, SNMP_LINEAR, 0.01),
    H3C(15, SNMP_TEMP, SNMP_LINEAR, 1), H3C(16, SNMP_VOLTAGE, SNMP_LINEAR, 0.01),
    H3C(17, SNMP_BIAS, SNMP_LINEAR, 0.01)};
static const struct snmp_column snmp_h3c_lanes[] = {
    H3C_LANE(2, SNMP_TX_POWER), H3C_LANE(3, SNMP_RX_POWER), H3C_LANE(5, SNMP_BIAS)};
static const struct snmp_column snmp_h3c_limits[] = {
    H3C(18, SNMP_TEMP_HIGH_ALARM, SNMP_LINEAR, 1e-3),
    H3C(19, SNMP_TEMP_LOW_ALARM, SNMP_LINEAR, 1e-3),
    H3C(20, SNMP_TEMP_HIGH_WARNING, SNMP_LINEAR, 1e-3),
    H3C(21, SNMP_TEMP_LOW_WARNING, SNMP_LINEAR, 1e-3),
    H3C(22, SNMP_VOLTAGE_HIGH_ALARM, SNMP_LINEAR, 1e-4),
    H3C(23, SNMP_VOLTAGE_LOW_ALARM, SNMP_LINEAR, 1e-4),
    H3C(24, SNMP_VOLTAGE_HIGH_WARNING, SNMP_LINEAR, 1e-4),
    H3C(25, SNMP_VOLTAGE_LOW_WARNING, SNMP_LINEAR, 1e-4),
    H3C(26, SNMP_BIAS_HIGH_ALARM, SNMP_LINEAR, 1e-3),
    H3C(27, SNMP_BIAS_LOW_ALARM, SNMP_LINEAR, 1e-3),
    H3C(28, SNMP_BIAS_HIGH_WARNING, SNMP_LINEAR, 1e-3),
    H3C(29, SNMP_BIAS_LOW_WARNING, SNMP_LINEAR, 1e-3),
    H3C(30, SNMP_TX_POWER_HIGH_ALARM, SNMP_LIGHT, 1e-4),
    H3C(31, SNMP_TX_POWER_LOW_ALARM, SNMP_LIGHT, 1e-4),
    H3C(32, SNMP_TX_POWER_HIGH_WARNING, SNMP_LIGHT, 1e-4),
    H3C(33, SNMP_TX_POWER_LOW_WARNING, SNMP_LIGHT, 1e-4),
    H3C(34, SNMP_RX_POWER_HIGH_ALARM, SNMP_LIGHT, 1e-4),
    H3C(35, SNMP_RX_POWER_LOW_ALARM, SNMP_LIGHT, 1e-4),
    H3C(36, SNMP_RX_POWER_HIGH_WARNING, SNMP_LIGHT, 1e-4),
    H3C(37, SNMP_RX_POWER_LOW_WARNING, SNMP_LIGHT, 1e-4)};

#define JUNIPER(N, METRIC, SCALE)                                                                  \
    {                                                                                              \
        "1.3.6.1.4.1.2636.3.60.1.1.1.1." #N, METRIC, SNMP_BY_PORT, SNMP_LINEAR, 0, SCALE, 0        \
    }
#define JUNIPER_LANE(N, METRIC, SCALE)                                                             \
    {                                                                                              \
        "1.3.6.1.4.1.2636.3.60.1.2.1.1." #N, METRIC, SNMP_BY_PORT_LANE0, SNMP_LINEAR, 0, SCALE, 0  \
    }
/* JUNIPER-DOM-MIB: the light of a module with lanes stands in the table of lanes */
static const struct snmp_column snmp_juniper_optics[] = {
    JUNIPER(5, SNMP_RX_POWER, 0.01), JUNIPER(6, SNMP_BIAS, 1e-3), JUNIPER(7, SNMP_TX_POWER, 0.01),
    JUNIPER(8, SNMP_TEMP, 1)};
static const struct snmp_column snmp_juniper_lanes[] = {JUNIPER_LANE(6, SNMP_RX_POWER, 0.01),
                                                        JUNIPER_LANE(7, SNMP_BIAS, 1e-3),
                                                        JUNIPER_LANE(8, SNMP_TX_POWER, 0.01)};
static const struct snmp_column snmp_juniper_limits[] = {
    JUNIPER(9, SNMP_RX_POWER_HIGH_ALARM, 0.01),    JUNIPER(10, SNMP_RX_POWER_LOW_ALARM, 0.01),
    JUNIPER(11, SNMP_RX_POWER_HIGH_WARNING, 0.01), JUNIPER(12, SNMP_RX_POWER_LOW_WARNING, 0.01),
    JUNIPER(13, SNMP_BIAS_HIGH_ALARM, 1e-3),       JUNIPER(14, SNMP_BIAS_LOW_ALARM, 1e-3),
    JUNIPER(15, SNMP_BIAS_HIGH_WARNING, 1e-3),     JUNIPER(16, SNMP_BIAS_LOW_WARNING, 1e-3),
    JUNIPER(17, SNMP_TX_POWER_HIGH_ALARM, 0.01),   JUNIPER(18, SNMP_TX_POWER_LOW_ALARM, 0.01),
    JUNIPER(19, SNMP_TX_POWER_HIGH_WARNING, 0.01), JUNIPER(20, SNMP_TX_POWER_LOW_WARNING, 0.01),
    JUNIPER(21, SNMP_TEMP_HIGH_ALARM, 1),          JUNIPER(22, SNMP_TEMP_LOW_ALARM, 1),
    JUNIPER(23, SNMP_TEMP_HIGH_WARNING, 1),        JUNIPER(24, SNMP_TEMP_LOW_WARNING, 1)};

/* JUNIPER-MIB, jnxOperatingTable: parts answer with 0 for what they have not */
static const struct snmp_column snmp_juniper_state[] = {
    {"1.3.6.1.4.1.2636.3.1.13.1.7", SNMP_SWITCH_TEMP, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.2636.3.1.13.1.8", SNMP_SWITCH_CPU, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.2636.3.1.13.1.11", SNMP_SWITCH_MEMORY, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, 0}};

#define DELL(N, METRIC, LANE)                                                                      \
    {                                                                                              \
        "1.3.6.1.4.1.6027.3.11.1.3.1.1." #N, METRIC, SNMP_BY_PORT, SNMP_LANES, LANE, 1, EVERY      \
    }
/* DELL-NETWORKING-IF-EXTENSION-MIB: texts in dBm, mA, V and degrees, a column a lane */
static const struct snmp_column snmp_dell_optics[] = {
    DELL(8, SNMP_TX_POWER, 1),  DELL(9, SNMP_TX_POWER, 2),  DELL(10, SNMP_TX_POWER, 3),
    DELL(11, SNMP_TX_POWER, 4), DELL(12, SNMP_RX_POWER, 1), DELL(13, SNMP_RX_POWER, 2),
    DELL(14, SNMP_RX_POWER, 3), DELL(15, SNMP_RX_POWER, 4), DELL(16, SNMP_TEMP, 1),
    DELL(17, SNMP_VOLTAGE, 1),  DELL(18, SNMP_BIAS, 1),     DELL(19, SNMP_BIAS, 2),
    DELL(20, SNMP_BIAS, 3),     DELL(21, SNMP_BIAS, 4)};

#define IPI(N, METRIC, SCALE)                                                                      \
    {                                                                                              \
        "1.3.6.1.4.1.36673.100.1.2.3.1." #N, METRIC, SNMP_BY_STACK_LANE, SNMP_LINEAR, 0, SCALE,    \
            INVALID_IPI                                                                            \
    }
/* IPI-CMM-CHASSIS-MIB: OcNOS on UfiSpace, Edgecore and others (the order of its limits differs
 * between releases, so they are not read) */
static const struct snmp_column snmp_ocnos_optics[] = {
    IPI(2, SNMP_TEMP, 0.01), IPI(7, SNMP_VOLTAGE, 1e-3), IPI(12, SNMP_BIAS, 1e-3),
    IPI(17, SNMP_TX_POWER, 1e-3), IPI(22, SNMP_RX_POWER, 1e-3)};
/* ECS4xxx modules of Edgecore: texts with their unit */
static const struct snmp_column snmp_edgecore_optics[] = {
    {"1.3.6.1.4.1.259.10.1.45.1.2.11.1.5", SNMP_TX_POWER, SNMP_BY_PORT, SNMP_LANES, 1, 1, EVERY},
    {"1.3.6.1.4.1.259.10.1.45.1.2.11.1.6", SNMP_RX_POWER, SNMP_BY_PORT, SNMP_LANES, 1, 1, EVERY}};

/* RUIJIE-SYSTEM-MIB and its twin at FS */
static const struct snmp_column snmp_ruijie_state[] = {
    {"1.3.6.1.4.1.4881.1.1.10.2.1.1.44.1.5", SNMP_SWITCH_TEMP, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, 0}};
static const struct snmp_column snmp_fs_state[] = {
    {"1.3.6.1.4.1.52642.1.1.10.2.1.1.44.1.5", SNMP_SWITCH_TEMP, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, 0},
    {"1.3.6.1.4.1.52642.1.1.10.2.1.1.43.1.6", SNMP_SWITCH_FAN, SNMP_BY_ROW, SNMP_LINEAR, 0, 1, 0}};

#define TABLE(NAME, PERIOD, COLUMNS)                                                               \
    {                                                                                              \
        NAME, PERIOD, COLUMNS, sizeof COLUMNS / sizeof *COLUMNS                                    \
    }

const struct snmp_table snmp_tables[] = {
    TABLE("IF-MIB", SNMP_COUNTERS, snmp_interfaces),
    TABLE("EtherLike-MIB", SNMP_SENSORS, snmp_etherlike),
    TABLE("CISCO-PFC-EXT-MIB", SNMP_COUNTERS, snmp_cisco_pfc),
    TABLE("ARISTA-PFC-MIB", SNMP_COUNTERS, snmp_arista_pfc),
    TABLE("ARISTA-QUEUE-MIB", SNMP_SENSORS, snmp_arista_queues),
    TABLE("CISCO-SWITCH-QOS-MIB", SNMP_SENSORS, snmp_cisco_queues),
    TABLE("HOST-RESOURCES-MIB", SNMP_SENSORS, snmp_host),
    TABLE("CISCO-PROCESS-MIB", SNMP_SENSORS, snmp_cisco_cpu),
    TABLE("HUAWEI-ENTITY-EXTENT-MIB state", SNMP_SENSORS, snmp_huawei_state),
    TABLE("HUAWEI-ENTITY-EXTENT-MIB modules", SNMP_SENSORS, snmp_huawei_optics),
    TABLE("HUAWEI-ENTITY-EXTENT-MIB limits", SNMP_LIMITS, snmp_huawei_limits),
    TABLE("HH3C-ENTITY-EXT-MIB", SNMP_SENSORS, snmp_h3c_state),
    TABLE("HH3C-TRANSCEIVER-INFO-MIB lanes", SNMP_SENSORS, snmp_h3c_lanes),
    TABLE("HH3C-TRANSCEIVER-INFO-MIB", SNMP_SENSORS, snmp_h3c_optics),
    TABLE("HH3C-TRANSCEIVER-INFO-MIB limits", SNMP_LIMITS, snmp_h3c_limits),
    TABLE("JUNIPER-DOM-MIB lanes", SNMP_SENSORS, snmp_juniper_lanes),
    TABLE("JUNIPER-DOM-MIB", SNMP_SENSORS, snmp_juniper_optics),
    TABLE("JUNIPER-DOM-MIB limits", SNMP_LIMITS, snmp_juniper_limits),
    TABLE("JUNIPER-MIB", SNMP_SENSORS, snmp_juniper_state),
    TABLE("DELL-NETWORKING-IF-EXTENSION-MIB", SNMP_SENSORS, snmp_dell_optics),
    TABLE("IPI-CMM-CHASSIS-MIB", SNMP_SENSORS, snmp_ocnos_optics),
    TABLE("ECS4120-MIB", SNMP_SENSORS, snmp_edgecore_optics),
    TABLE("RUIJIE-SYSTEM-MIB", SNMP_SENSORS, snmp_ruijie_state),
    TABLE("FS-SYSTEM-MIB", SNMP_SENSORS, snmp_fs_state),
};
const size_t snmp_table_count = sizeof snmp_tables / sizeof *snmp_tables;

static double
snmp_column_dbm(double milliwatts)
{
    return milliwatts > 1e-4 ? 10 * log10(milliwatts) : SNMP_DARK_DBM;
}

double
snmp_column_number(const struct snmp_column *c, double v)
{
    if (c->none != EVERY && v == (double)c->none)
        return NAN;
    switch (c->unit) {
    case SNMP_LIGHT:
        return snmp_column_dbm(v * c->scale);
    case SNMP_LIGHT_EITHER:
        return v < 0 ? v * 0.01 : snmp_column_dbm(v * c->scale);
    default:
        return v * c->scale;
    }
}

size_t
snmp_column_lanes(const struct snmp_column *c, const char *text, double *ret, size_t max)
{
    bool hundredths = false;
    size_t n = 0;
    for (const char *p = text; n < max; p++) {
        char *end;
        double v = strtod(p, &end);
        if (end == p || !isfinite(v))
            break; /* "N/A", "-", and what is empty */
        hundredths |= fabs(v) > SNMP_DBM_MAX;
        ret[n++] = v * c->scale;
        for (p = end; *p && *p != ','; p++)
            ; /* a unit may follow */
        if (!*p)
            break;
    }
    for (size_t i = 0; c->unit == SNMP_LANES_DBM && hundredths && i < n; i++)
        ret[i] *= 0.01;
    return n;
}
