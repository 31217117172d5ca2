/* snmp_in: what the files of the SNMP source share. All of it is the loop's thread's. */
#ifndef COLLECTOR_SNMP_IN_H
#define COLLECTOR_SNMP_IN_H

#include "collector/inlet.h"
#include "collector/snmp_conf.h"
#include "collector/snmp_walk.h"
#include "collector/snmpc.h"
#include "collector/source.h"

#define SNMP_PORT_VALUES 10u /* ifAdminStatus ... ifOutDiscards */

struct snmp_port {
    uint32_t index; /* ifIndex */
    char name[64], descr[128];
    double value[SNMP_PORT_VALUES];
    uint32_t have; /* bits of value */
};
struct snmp_entity { /* a row of ENTITY-MIB and ENTITY-SENSOR-MIB */
    uint32_t index, inside;
    char descr[128], name[64];
    int class, type, scale, precision, status;
    double value;
    bool measures;
};

struct snmp;
struct snmp_target {
    struct snmp *s;
    const struct snmp_conf_target *conf;
    struct inlet *inlet;
    struct snmpc *session;
    struct snmp_walk walk;
    char host[64]; /* address without port */
    int64_t due_us;
    unsigned failures; /* in a row */
    bool busy, again;  /* a poll runs; another was asked for meanwhile */
    int64_t at_ms, began_us;
    double up_time;          /* hundredths of a second */
    struct snmp_port *ports; /* by index, of the poll under way or the last one */
    size_t port_count, port_room;
    struct snmp_entity *entities;
    size_t entity_count, entity_room;
    unsigned polls;  /* names of entities are read at every tenth */
    bool no_sensors; /* the device has no such table */
};

struct snmp {
    struct source_env env;
    const struct snmp_conf *conf;
    struct loop_timer *timer;
    struct snmp_target *targets;
    size_t target_count;
    struct inlet *traps;
    struct snmpc_listener *listener;
};

/* snmp_poll.c */
void snmp_poll_start(struct snmp_target *t);
void snmp_poll_done(struct snmp_target *t); /* frees what polls keep */
const struct snmp_port *snmp_poll_port(const struct snmp_target *t, uint32_t index); /* NULL */
/* snmp_series.c: what a poll found, into the store; error NULL: it went well. */
void snmp_series_write(struct snmp_target *t, const char *error);
/* snmp_trap.c */
void snmp_trap_take(void *ctx, const struct snmpc_trap *trap); /* ctx: struct snmp */
/* snmp.c */
void snmp_poll_soon(struct snmp_target *t);

#endif
