/* snmp_in: what the files of the SNMP source share. All of it is the loop's thread's. */
#ifndef COLLECTOR_SNMP_IN_H
#define COLLECTOR_SNMP_IN_H

#include "collector/inlet.h"
#include "collector/snmp_conf.h"
#include "collector/snmp_table.h"
#include "collector/snmp_walk.h"
#include "collector/snmpc.h"
#include "collector/source.h"

#define SNMP_NO_NAME   UINT32_MAX
#define SNMP_CHANGE_US 30000000 /* a switch that changes all the time is learnt no oftener */

struct snmp_name { /* what a series is of: a port's two names (one text when they are the same), or
                    * a sensor's one */
    char *name, *descr;
};
struct snmp_port {
    uint32_t index, name; /* ifIndex; place in names */
    uint8_t admin, oper;
    bool here;        /* named by the discovery under way */
    uint16_t seen[5]; /* lanes of Rx, Tx, bias, temperature, voltage that this poll gave */
};
struct snmp_entity { /* a row of ENTITY-MIB, during a discovery */
    uint32_t index, inside;
    char descr[128], name[64];
    int class;
    struct {
        int type, scale, precision;
        bool measures;
    } kind[2]; /* by ENTITY-SENSOR-MIB, by Cisco's */
};
struct snmp_sensed { /* a sensor that is read, by (source, index) */
    uint32_t index, name;
    uint8_t source, metric, lane, status;
    bool light;
    double factor;
};
struct snmp_place { /* the port that an entity lies in, or the entity's own name */
    uint32_t entity, name;
    bool port;
};
struct snmp_neighbour {    /* of LLDP */
    uint32_t key[3], name; /* index of its row; the port that sees it */
    int chassis_kind, id_kind;
    char chassis[24], id[48], descr[64], system[64];
};
struct snmp_cell { /* a series */
    uint32_t name;
    uint16_t metric, lane;
};
struct snmp_cells {
    struct snmp_cell *at;
    size_t count, room;
};

struct snmp;
struct snmp_target {
    struct snmp *s;
    const struct snmp_conf_target *conf;
    struct inlet *inlet;
    struct snmpc *session;
    struct snmp_walk *walk; /* during a poll */
    struct snmp_pace pace;
    char host[64]; /* address without port */

    int64_t due_us, sensors_due_us, limits_due_us, discovery_due_us;
    unsigned failures, polls; /* failures: in a row */
    bool busy;                /* a poll runs */
    int64_t soon_us;          /* a trap asks for a poll then; 0: none does */
    uint32_t soon_port;       /* ifIndex that it spoke of; 0: the whole switch */

    /* the poll under way */
    uint32_t port;                      /* this one alone is read; 0: the whole switch */
    size_t stage, table, column, asked; /* of a table: its first column asked for, how many */
    unsigned strangers;                 /* rows of ports that the discovery did not name */
    bool due[SNMP_PERIODS], discover, lldp;
    bool probed, inherited; /* once: the switch is known; its former series were looked through */
    bool broken;            /* a table that did not end; the others are read */
    int64_t at_ms, began_us;
    struct store_batch *batch;
    uint64_t written;
    struct snmp_cells now[SNMP_PERIODS];

    /* what is known of the switch */
    uint64_t tables;        /* bits of snmp_tables that it has */
    uint64_t banned_tables; /* bits of those, and of stages, that did not end */
    uint32_t banned_stages;
    int64_t banned_until_us;
    bool has_sensors[2], has_limits[2], has_lldp;
    double up_time, raw_up_time, engine_time; /* hundredths; as sent; seconds */
    unsigned wraps;
    uint64_t changes[3]; /* when interfaces, entities, neighbours last changed, as it says */
    struct snmp_name *names;
    size_t name_count, name_room;
    struct map *name_index;
    struct snmp_port *ports; /* by index */
    size_t port_count, port_room;
    struct snmp_entity *entities; /* during a discovery only */
    size_t entity_count, entity_room;
    struct snmp_sensed *sensors; /* by source, index */
    size_t sensor_count, sensor_room;
    struct snmp_place *places; /* by entity */
    size_t place_count, place_room;
    struct snmp_cells was[SNMP_PERIODS]; /* series alive in the store, sorted */
    struct snmp_neighbour *neighbours;   /* as last seen */
    size_t neighbour_count;
    struct snmp_neighbour *found; /* by the walk under way */
    size_t found_count, found_room;
    struct snmp_place *local; /* LLDP's port numbers */
    size_t local_count, local_room;
    uint32_t scratch[4]; /* index, severity, relation of the row of limits under way */
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
void snmp_poll_start(struct snmp_target *t, uint32_t port); /* ifIndex; 0: the whole switch */
void snmp_poll_done(struct snmp_target *t);                 /* frees what polls keep */
struct snmp_port *snmp_poll_port(const struct snmp_target *t, uint32_t index); /* NULL */
void snmp_poll_step(struct snmp_target *t, int rc); /* a stage's question was answered */
/* The row with this index in a sorted array, made when it is new; NULL at the ceiling. Its index is
 * its first member. */
void *snmp_poll_row(void **rows, size_t *count, size_t *room, size_t size, uint32_t index);
int snmp_poll_walk(struct snmp_target *t, const char *const *columns, size_t n,
                   snmp_walk_cell *cell);

/* snmp_discover.c: stages that learn what there is. 0 asked, 1 nothing to do, negative. */
int snmp_discover_probe(struct snmp_target *t);
int snmp_discover_ports(struct snmp_target *t);
int snmp_discover_entities(struct snmp_target *t);
int snmp_discover_kinds(struct snmp_target *t);
int snmp_discover_kinds_cisco(struct snmp_target *t);
int snmp_discover_end(struct snmp_target *t);
uint32_t snmp_discover_name(struct snmp_target *t, const char *name, const char *descr);
const struct snmp_place *snmp_discover_place(const struct snmp_target *t, uint32_t entity);

/* snmp_read.c: stages that read values. */
int snmp_read_tables(struct snmp_target *t);
int snmp_read_sensors(struct snmp_target *t);
int snmp_read_sensors_cisco(struct snmp_target *t);
int snmp_read_limits(struct snmp_target *t);
int snmp_read_limits_cisco(struct snmp_target *t);
int snmp_read_port(struct snmp_target *t); /* the one a trap spoke of */

/* snmp_lldp.c */
int snmp_lldp_local(struct snmp_target *t);
int snmp_lldp_remote(struct snmp_target *t);
void snmp_lldp_done(struct snmp_target *t);
void snmp_lldp_gone(struct snmp_target *t); /* it does not answer: its neighbours are stale */

/* snmp_series.c: what a poll found, into its batch. */
void snmp_series_put(struct snmp_target *t, enum snmp_period p, struct snmp_cell c, double v);
void snmp_series_optic(struct snmp_target *t, enum snmp_period p, struct snmp_cell c, double v,
                       struct snmp_port *port);
void snmp_series_neighbour(struct snmp_target *t, const struct snmp_neighbour *n, double v);
void snmp_series_open(struct snmp_target *t);
void snmp_series_close(struct snmp_target *t, const char *error); /* NULL: it went well */
void snmp_series_done(struct snmp_target *t);
void snmp_series_adopt(struct snmp *s); /* series of switches that are polled no more: stale */

/* snmp_trap.c */
void snmp_trap_take(void *ctx, const struct snmpc_trap *trap); /* ctx: struct snmp */
/* snmp.c */
void snmp_poll_soon(struct snmp_target *t, uint32_t port);

#endif
