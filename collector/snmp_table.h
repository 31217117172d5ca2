/* snmp_table: the one list of what is read from switches: OIDs in numbers, what each measures, its
 * unit and scale, and how its rows are named. No code needs a MIB text.
 *
 * Sources: RFC 2863 (interfaces), RFC 3418, RFC 3411 (engine time), RFC 6933 and RFC 3433
 * (entities and sensors), IEEE 802.1AB (neighbours), RFC 2790 (processors), and the makers' own
 * modules, named at their rows. */
#ifndef COLLECTOR_SNMP_TABLE_H
#define COLLECTOR_SNMP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A measure of a module is followed by its four limits. */
#define SNMP_OPTIC(M) M, M##_LOW_ALARM, M##_LOW_WARNING, M##_HIGH_WARNING, M##_HIGH_ALARM
enum snmp_limit {
    SNMP_VALUE,
    SNMP_LOW_ALARM,
    SNMP_LOW_WARNING,
    SNMP_HIGH_WARNING,
    SNMP_HIGH_ALARM
};

enum snmp_metric {
    SNMP_UP,
    SNMP_UP_TIME,
    SNMP_POLL_SECONDS,
    SNMP_IF_ADMIN, /* ten of IF-MIB, in this order */
    SNMP_IF_OPER,
    SNMP_IF_SPEED,
    SNMP_IF_IN_OCTETS,
    SNMP_IF_OUT_OCTETS,
    SNMP_IF_IN_ERRORS,
    SNMP_IF_OUT_ERRORS,
    SNMP_IF_IN_DISCARDS,
    SNMP_IF_OUT_DISCARDS,
    SNMP_IF_LAST_CHANGE,
    SNMP_PFC_RX,
    SNMP_PFC_TX,
    SNMP_QUEUE_DROPS,
    SNMP_FCS_ERRORS,
    SNMP_SYMBOL_ERRORS,
    SNMP_OPTIC(SNMP_RX_POWER),
    SNMP_OPTIC(SNMP_TX_POWER),
    SNMP_OPTIC(SNMP_BIAS),
    SNMP_OPTIC(SNMP_TEMP),
    SNMP_OPTIC(SNMP_VOLTAGE),
    SNMP_SWITCH_CPU,
    SNMP_SWITCH_MEMORY,
    SNMP_SWITCH_TEMP,
    SNMP_SWITCH_FAN,
    SNMP_SWITCH_WATTS,
    SNMP_SWITCH_VOLTS,
    SNMP_SWITCH_AMPERES,
    SNMP_METRICS
};
const char *snmp_metric_name(unsigned m);
bool snmp_metric_optic(unsigned m); /* of a module: labels port and, of light and bias, lane */
bool snmp_metric_laned(unsigned m); /* the measure itself, not its limits */

/* How a row's index names what it is of. */
enum snmp_by {
    SNMP_BY_PORT,          /* ifIndex */
    SNMP_BY_PORT_LANE,     /* ifIndex.lane, lanes from 1 */
    SNMP_BY_PORT_LANE0,    /* ifIndex.lane, lanes from 0 */
    SNMP_BY_PORT_PRIORITY, /* ifIndex.priority */
    SNMP_BY_PORT_QUEUE,    /* ifIndex.queue.type */
    SNMP_BY_PORT_DROPS,    /* ifIndex.direction.queue.type: types 5 and 7, what was dropped */
    SNMP_BY_ENTITY,        /* entPhysicalIndex of a module or what lies in it */
    SNMP_BY_PART,          /* entPhysicalIndex of a part of the switch */
    SNMP_BY_ROW,           /* anything: the index is the name */
    SNMP_BY_STACK_LANE     /* stack.port.lane: the port by its place */
};
enum snmp_unit {
    SNMP_LINEAR,      /* value * scale */
    SNMP_LIGHT,       /* value * scale in milliwatts, given as dBm */
    SNMP_LANES,       /* text, a number a lane with commas between; a lone number is lane 1 */
    SNMP_LANES_DBM,   /* the same, dBm or hundredths of it, told by their size */
    SNMP_LIGHT_EITHER /* hundredths of dBm when below zero, microwatts else */
};
enum snmp_period { SNMP_COUNTERS, SNMP_SENSORS, SNMP_LIMITS, SNMP_PERIODS };

struct snmp_column {
    const char *oid;
    uint8_t metric, by, unit, lane; /* lane: of columns that are a lane's */
    double scale;
    int64_t none; /* this value says that there is none; INT64_MIN: every value counts */
};
struct snmp_table {
    const char *name; /* whose: maker and module */
    enum snmp_period period;
    const struct snmp_column *columns;
    size_t count;
};
extern const struct snmp_table snmp_tables[];
extern const size_t snmp_table_count; /* at most 64 */

/* A number in its metric's unit, NaN when the device says that there is none. */
double snmp_column_number(const struct snmp_column *c, double v);
/* The lanes of a text; returns how many, at most `max`. */
size_t snmp_column_lanes(const struct snmp_column *c, const char *text, double *ret, size_t max);

#endif
