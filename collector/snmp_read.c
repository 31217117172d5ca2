/* snmp_read: values, by the rows of snmp_table and by the sensors that the discovery found. Each
 * goes into the poll's batch as it comes: nothing is kept but which series there are. */
#include "base/str.h"
#include "collector/snmp_in.h"
#include "collector/snmp_sensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SNMP_READ_LANES 16

/* --- tables -------------------------------------------------------------------------------------
 */

static void
snmp_read_put(struct snmp_target *t, const struct snmp_column *c, struct snmp_cell cell,
              struct snmp_port *port, double v)
{
    enum snmp_period p = snmp_tables[t->table].period;
    if (isnan(v))
        return;
    if (snmp_metric_optic(c->metric))
        snmp_series_optic(t, p, cell, v, port);
    else
        snmp_series_put(t, p, cell, v);
}

/* A value that is a number, or a text with a number a lane. */
static void
snmp_read_value(struct snmp_target *t, const struct snmp_column *c, struct snmp_cell cell,
                struct snmp_port *port, const struct snmpc_value *v)
{
    double lanes[SNMP_READ_LANES];
    char text[256];
    if (v->kind == SNMPC_INT || v->kind == SNMPC_COUNT) {
        snmp_read_put(t, c, cell, port, snmp_column_number(c, snmpc_value_number(v)));
        return;
    }
    if (v->kind != SNMPC_TEXT || (c->unit != SNMP_LANES && c->unit != SNMP_LANES_DBM))
        return;
    size_t n = snmp_column_lanes(c, snmpc_value_text(v, text, sizeof text), lanes, SNMP_READ_LANES);
    if (n > 1 && !snmp_metric_laned(c->metric))
        n = 1;
    for (size_t i = 0; i < n; i++) {
        if (!c->lane && snmp_metric_laned(c->metric))
            cell.lane = (uint16_t)(i + 1);
        snmp_read_put(t, c, cell, port, lanes[i]);
    }
}

/* OcNOS tells a port by stack and place: the port whose name ends in that number. */
static struct snmp_port *
snmp_read_placed(struct snmp_target *t, uint32_t place)
{
    char tail[16];
    struct snmp_port *found = NULL;
    size_t n = (size_t)snprintf(tail, sizeof tail, "%u", place);
    for (size_t i = 0; i < t->port_count; i++) {
        const char *name = t->ports[i].name == SNMP_NO_NAME ? "" : t->names[t->ports[i].name].name;
        size_t len = strlen(name);
        if (len <= n || strcmp(name + len - n, tail) ||
            (name[len - n - 1] >= '0' && name[len - n - 1] <= '9'))
            continue;
        if (found)
            return NULL; /* two may be meant: neither is */
        found = &t->ports[i];
    }
    return found;
}

static struct snmp_port *
snmp_read_named(struct snmp_target *t, uint32_t name)
{
    for (size_t i = 0; i < t->port_count; i++)
        if (t->ports[i].name == name)
            return &t->ports[i];
    return NULL;
}

/* A queue and what of it is counted share the place of the lane. */
static bool
snmp_read_queue(struct snmp_target *t, const struct snmp_column *c, const uint32_t *index,
                size_t len, struct snmp_cell *cell, struct snmp_port **ret_port)
{
    enum { UNICAST_DROPPED = 5, OTHERS_DROPPED = 7 };
    bool drops = c->by == SNMP_BY_PORT_DROPS;
    uint32_t queue = len == (drops ? 4u : 3u) ? index[len - 2] : UINT32_MAX,
             type = len ? index[len - 1] : 0;
    *ret_port = queue < 256 && type < 256 ? snmp_poll_port(t, index[0]) : NULL;
    if (!*ret_port || (*ret_port)->name == SNMP_NO_NAME ||
        (drops && type != UNICAST_DROPPED && type != OTHERS_DROPPED))
        return false;
    cell->name = (*ret_port)->name;
    cell->lane = (uint16_t)(type << 8 | queue);
    return true;
}

/* What a row's index says; false when it is of nothing known. */
static bool
snmp_read_row(struct snmp_target *t, const struct snmp_column *c, const uint32_t *index, size_t len,
              struct snmp_cell *cell, struct snmp_port **ret_port)
{
    bool two =
        c->by == SNMP_BY_PORT_LANE || c->by == SNMP_BY_PORT_LANE0 || c->by == SNMP_BY_PORT_PRIORITY;
    const struct snmp_place *place = NULL;
    char text[64];
    if (c->by == SNMP_BY_ROW) {
        size_t n = 0;
        for (size_t i = 0; i < len && n < sizeof text; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%u", i ? "." : "", index[i]);
        cell->name = snmp_discover_name(t, text, "");
        return cell->name != SNMP_NO_NAME;
    }
    if (c->by == SNMP_BY_ENTITY || c->by == SNMP_BY_PART) {
        if (len != 1 || !(place = snmp_discover_place(t, index[0])))
            return false;
        cell->name = place->name;
        *ret_port = place->port ? snmp_read_named(t, place->name) : NULL;
        return c->by == SNMP_BY_PART ? !place->port : *ret_port != NULL;
    }
    if (c->by == SNMP_BY_PORT_QUEUE || c->by == SNMP_BY_PORT_DROPS)
        return snmp_read_queue(t, c, index, len, cell, ret_port);
    if (c->by == SNMP_BY_STACK_LANE)
        *ret_port = len == 3 ? snmp_read_placed(t, index[1]) : NULL;
    else
        *ret_port = len == (two ? 2u : 1u) ? snmp_poll_port(t, index[0]) : NULL;
    if (!*ret_port || (*ret_port)->name == SNMP_NO_NAME)
        return false;
    cell->name = (*ret_port)->name;
    if (len > 1)
        cell->lane = (uint16_t)(index[len - 1] + (c->by == SNMP_BY_PORT_LANE0));
    return true;
}

static void
snmp_read_state(struct snmp_port *port, unsigned metric, double v)
{
    if (metric == SNMP_IF_ADMIN)
        port->admin = v >= 0 && v < 255 ? (uint8_t)v : 0;
    else if (metric == SNMP_IF_OPER)
        port->oper = v >= 0 && v < 255 ? (uint8_t)v : 0;
}

static void
snmp_read_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
               const struct snmpc_value *v)
{
    struct snmp_target *t = ctx;
    const struct snmp_column *c = &snmp_tables[t->table].columns[t->column + column];
    struct snmp_cell cell = {.metric = c->metric, .lane = c->lane};
    struct snmp_port *port = NULL;
    if (!snmp_read_row(t, c, index, len, &cell, &port)) {
        if (c->by == SNMP_BY_PORT && !t->table && len == 1)
            t->strangers++;
        return;
    }
    if (!cell.lane && snmp_metric_laned(c->metric))
        cell.lane = 1;
    if (port)
        snmp_read_state(port, c->metric, snmpc_value_number(v));
    snmp_read_value(t, c, cell, port, v);
}

/* The next columns of a table that is there and due; on from the last ones. */
int
snmp_read_tables(struct snmp_target *t)
{
    const char *oids[SNMP_WALK_COLUMNS];
    if (t->asked) {
        t->column += t->asked;
        t->asked = 0;
    }
    for (; t->table < snmp_table_count; t->table++, t->column = 0) {
        const struct snmp_table *table = &snmp_tables[t->table];
        size_t n = 0;
        bool banned = t->banned_tables >> t->table & 1 && t->began_us < t->banned_until_us;
        if (!(t->tables >> t->table & 1) || !t->due[table->period] || banned)
            continue;
        for (; n < SNMP_WALK_COLUMNS && t->column + n < table->count; n++)
            oids[n] = table->columns[t->column + n].oid;
        if (!n)
            continue;
        t->asked = n;
        return snmp_poll_walk(t, oids, n, snmp_read_cell);
    }
    t->column = 0;
    if (t->strangers && t->discovery_due_us - t->began_us > SNMP_CHANGE_US)
        t->discovery_due_us = t->began_us + SNMP_CHANGE_US; /* ports that nobody named */
    return 1;
}

/* --- one port -----------------------------------------------------------------------------------
 */

static void
snmp_read_port_taken(void *ctx, int rc, const struct snmpc_value *values, size_t n)
{
    struct snmp_target *t = ctx;
    t->table = t->column = 0;
    for (size_t i = 0; !rc && i < n && i < snmp_tables[0].count; i++)
        if (values[i].kind == SNMPC_INT || values[i].kind == SNMPC_COUNT)
            snmp_read_cell(t, i, &t->port, 1, &values[i]);
    snmp_poll_step(t, rc);
}

int
snmp_read_port(struct snmp_target *t)
{
    const struct snmpc_oid *oids[SNMPC_ASK_MAX];
    size_t n = 0;
    for (; n < snmp_tables[0].count && n < SNMPC_ASK_MAX; n++) {
        snmpc_oid_parse(snmp_tables[0].columns[n].oid, &t->walk->at[n]);
        t->walk->at[n].at[t->walk->at[n].len++] = t->port;
        oids[n] = &t->walk->at[n];
    }
    return snmpc_ask(t->session, oids, n, 0, snmp_read_port_taken, t);
}

/* --- sensors ------------------------------------------------------------------------------------
 */

static struct snmp_sensed *
snmp_read_sensor(const struct snmp_target *t, uint32_t index)
{
    size_t lo = 0, hi = t->sensor_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->sensors[mid].index == index)
            return &t->sensors[mid];
        if (t->sensors[mid].index < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static double
snmp_read_scaled(const struct snmp_sensed *p, double raw)
{
    struct snmp_sensor s = {.light = p->light, .factor = p->factor};
    return snmp_sensor_value(&s, raw);
}

static void
snmp_read_sensed(struct snmp_target *t, int source, size_t column, const uint32_t *index,
                 size_t len, const struct snmpc_value *v)
{
    struct snmp_sensed *p = len == 1 ? snmp_read_sensor(t, index[0]) : NULL;
    if (!p || p->source != source || v->kind != SNMPC_INT)
        return;
    if (column == 0) {
        p->status = v->i >= 0 && v->i < 255 ? (uint8_t)v->i : 0;
        return;
    }
    struct snmp_cell cell = {.metric = p->metric, .lane = p->lane, .name = p->name};
    double value = snmp_read_scaled(p, (double)v->i);
    if (p->status > 1) /* not ok: unavailable or broken, so its number means nothing */
        return;
    if (snmp_metric_optic(p->metric))
        snmp_series_optic(t, SNMP_SENSORS, cell, value, snmp_read_named(t, p->name));
    else
        snmp_series_put(t, SNMP_SENSORS, cell, value);
}

static void
snmp_read_sensor_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                      const struct snmpc_value *v)
{
    snmp_read_sensed(ctx, 0, column, index, len, v);
}

static void
snmp_read_cisco_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                     const struct snmpc_value *v)
{
    snmp_read_sensed(ctx, 1, column, index, len, v);
}

int
snmp_read_sensors(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.2.1.99.1.1.1.5", "1.3.6.1.2.1.99.1.1.1.4"};
    return t->due[SNMP_SENSORS] && t->has_sensors[0] && t->sensor_count
               ? snmp_poll_walk(t, columns, 2, snmp_read_sensor_cell)
               : 1;
}

int
snmp_read_sensors_cisco(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.4.1.9.9.91.1.1.1.1.5",
                                          "1.3.6.1.4.1.9.9.91.1.1.1.1.4"};
    return t->due[SNMP_SENSORS] && t->has_sensors[1] && t->sensor_count
               ? snmp_poll_walk(t, columns, 2, snmp_read_cisco_cell)
               : 1;
}

/* --- limits of sensors --------------------------------------------------------------------------
 */

static void
snmp_read_limit(struct snmp_target *t, const struct snmp_sensed *p, enum snmp_limit limit, double v)
{
    struct snmp_cell cell = {.metric = (uint16_t)(p->metric + (unsigned)limit), .name = p->name};
    if (snmp_metric_optic(p->metric) && (!snmp_metric_laned(p->metric) || p->lane <= 1))
        snmp_series_put(t, SNMP_LIMITS, cell, snmp_read_scaled(p, v)); /* all lanes have the same */
}

/* ARISTA-ENTITY-SENSOR-MIB: a column a limit, in the sensor's own scale. */
static void
snmp_read_limit_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                     const struct snmpc_value *v)
{
    static const enum snmp_limit limits[] = {SNMP_LOW_WARNING, SNMP_LOW_ALARM, SNMP_HIGH_WARNING,
                                             SNMP_HIGH_ALARM};
    const struct snmp_sensed *p = len == 1 ? snmp_read_sensor(ctx, index[0]) : NULL;
    if (p && v->kind == SNMPC_INT && v->i > -1000000000 && v->i < 1000000000)
        snmp_read_limit(ctx, p, limits[column], (double)v->i);
}

int
snmp_read_limits(struct snmp_target *t)
{
    static const char *const columns[] = {
        "1.3.6.1.4.1.30065.3.12.1.1.1.1", "1.3.6.1.4.1.30065.3.12.1.1.1.2",
        "1.3.6.1.4.1.30065.3.12.1.1.1.3", "1.3.6.1.4.1.30065.3.12.1.1.1.4"};
    return t->due[SNMP_LIMITS] && t->has_limits[0] && t->sensor_count
               ? snmp_poll_walk(t, columns, 4, snmp_read_limit_cell)
               : 1;
}

/* CISCO-ENTITY-SENSOR-MIB: a row a limit, with its severity and the relation that is bad: less
 * than (1, 2) or greater than (3, 4). Minor is a warning, major and critical are alarms. The three
 * cells of a row follow each other. */
static void
snmp_read_cisco_limit(void *ctx, size_t column, const uint32_t *index, size_t len,
                      const struct snmpc_value *v)
{
    enum { MINOR = 10 };
    struct snmp_target *t = ctx;
    if (len != 2 || v->kind != SNMPC_INT)
        return;
    if (t->scratch[0] != index[0] || t->scratch[1] != index[1]) {
        memset(t->scratch, 0, sizeof t->scratch);
        t->scratch[0] = index[0];
        t->scratch[1] = index[1];
    }
    if (column < 2) {
        t->scratch[2 + column] = (uint32_t)v->i;
        return;
    }
    const struct snmp_sensed *p = snmp_read_sensor(t, index[0]);
    uint32_t severity = t->scratch[2], relation = t->scratch[3];
    if (!p || severity < MINOR || !relation || relation > 4)
        return;
    bool low = relation <= 2, warning = severity == MINOR;
    snmp_read_limit(t, p,
                    low       ? warning ? SNMP_LOW_WARNING : SNMP_LOW_ALARM
                    : warning ? SNMP_HIGH_WARNING
                              : SNMP_HIGH_ALARM,
                    (double)v->i);
}

int
snmp_read_limits_cisco(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.4.1.9.9.91.1.2.1.1.2",
                                          "1.3.6.1.4.1.9.9.91.1.2.1.1.3",
                                          "1.3.6.1.4.1.9.9.91.1.2.1.1.4"};
    return t->due[SNMP_LIMITS] && t->has_limits[1] && t->sensor_count
               ? snmp_poll_walk(t, columns, 3, snmp_read_cisco_limit)
               : 1;
}
