/* snmp_sensor: what a row of ENTITY-SENSOR-MIB measures, from its type and the words of its name.
 *
 * Makers write names for people: "DOM RX Power Sensor for Ethernet1/1 Lane 2", "Xcvr49 temp", "PSU1
 * inlet". Source: RFC 3433 for type, scale and precision; Cisco's module adds dBm. */
#ifndef COLLECTOR_SNMP_SENSOR_H
#define COLLECTOR_SNMP_SENSOR_H

#include "collector/snmp_table.h"

#include <stdbool.h>
#include <stddef.h>

struct snmp_sensor_raw {
    const char *name;           /* entPhysicalDescr or entPhysicalName */
    int type, scale, precision; /* entPhySensorType, Scale, Precision as they are */
    bool module;                /* it lies inside an entity that is a port or its module */
};
struct snmp_sensor {
    unsigned metric; /* enum snmp_metric; SNMP_METRICS when nothing is known that it measures */
    int lane;        /* 0: none */
    bool optic;      /* a module's: needs a port */
    bool light;      /* value * factor is in milliwatts, given as dBm */
    double factor;   /* to the metric's unit */
};
void snmp_sensor_plan(const struct snmp_sensor_raw *raw, struct snmp_sensor *ret);
double snmp_sensor_value(const struct snmp_sensor *s, double raw);
/* The port that a name speaks of: the longest of `ports` that stands in it as a word (a lane behind
 * a slash may follow). Index, or -1. */
int snmp_sensor_port(const char *name, const char *const *ports, size_t count, int *ret_lane);

#endif
