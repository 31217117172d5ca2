/* snmp_discover: what a switch has: tables that it answers, names of its ports, its parts and which
 * of their sensors measure what. Runs at long periods and when the switch says that it changed;
 * what it leaves is small, as 600 switches of 64 ports have 300,000 sensors. */
#include "base/map.h"
#include "base/str.h"
#include "collector/snmp_in.h"
#include "collector/snmp_sensor.h"
#include "store/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_NAMES_MAX     16384u
#define SNMP_PORTS_MAX     4096u    /* looked through for a sensor's port */
#define SNMP_LOOKS_MAX     8000000u /* of ports in names of parts: 512 ports have 2.5 million */
#define SNMP_DEPTH         8        /* of entities within entities */
#define SNMP_CLASS_PORT    10       /* PhysicalClass, RFC 6933 */
#define SNMP_PROBE_SENSORS 4u       /* behind the tables: both kinds of sensors, both of limits */
#define SNMP_PROBES        (SNMP_PROBE_SENSORS + 1) /* and neighbours */

static const char *const snmp_discover_more[SNMP_PROBES] = {
    "1.3.6.1.2.1.99.1.1.1.4", "1.3.6.1.4.1.9.9.91.1.1.1.1.4", "1.3.6.1.4.1.30065.3.12.1.1.1.1",
    "1.3.6.1.4.1.9.9.91.1.2.1.1.4", "1.0.8802.1.1.2.1.4.1.1.7"};

uint32_t
snmp_discover_name(struct snmp_target *t, const char *name, const char *descr)
{
    char key[256];
    size_t len = (size_t)snprintf(key, sizeof key, "%s\n%s", name, descr);
    len = len < sizeof key ? len : sizeof key - 1;
    if (!t->name_index && !(t->name_index = map_new(SNMP_NAMES_MAX)))
        return SNMP_NO_NAME;
    uintptr_t known = (uintptr_t)map_get(t->name_index, key, len);
    if (known)
        return (uint32_t)known - 1;
    if (t->name_count == t->name_room) {
        size_t more = t->name_room ? t->name_room + t->name_room / 2 : 80;
        void *p = more > SNMP_NAMES_MAX ? NULL : realloc(t->names, more * sizeof *t->names);
        if (!p)
            return SNMP_NO_NAME;
        t->names = p;
        t->name_room = more;
    }
    struct snmp_name *n = &t->names[t->name_count];
    n->name = strdup(name);
    n->descr = n->name && !strcmp(name, descr) ? n->name : strdup(descr);
    if (!n->name || !n->descr ||
        map_set(t->name_index, key, len, (void *)(t->name_count + 1), NULL)) {
        if (n->descr != n->name)
            free(n->descr);
        free(n->name);
        return SNMP_NO_NAME;
    }
    return (uint32_t)t->name_count++;
}

/* --- tables that it has -------------------------------------------------------------------------
 */

static const char *
snmp_discover_oid(size_t i)
{
    return i < snmp_table_count ? snmp_tables[i].columns[0].oid
                                : snmp_discover_more[i - snmp_table_count];
}

static void
snmp_discover_has(struct snmp_target *t, size_t i, bool has)
{
    size_t k = i - snmp_table_count;
    if (i < snmp_table_count)
        t->tables = has ? t->tables | 1ull << i : t->tables & ~(1ull << i);
    else if (k < 2)
        t->has_sensors[k] = has;
    else if (k < SNMP_PROBE_SENSORS)
        t->has_limits[k - 2] = has;
    else
        t->has_lldp = has;
}

static void
snmp_discover_probed(void *ctx, int rc, const struct snmpc_value *values, size_t n)
{
    struct snmp_target *t = ctx;
    size_t total = snmp_table_count + SNMP_PROBES, from = t->column;
    struct snmpc_oid column;
    if (rc == ERR_FULL && t->asked > 1) {
        t->pace.values = (unsigned)t->asked / 2;
        rc = snmp_discover_probe(t);
    } else {
        for (size_t i = 0; !rc && i < t->asked; i++) {
            snmpc_oid_parse(snmp_discover_oid(from + i), &column);
            snmp_discover_has(t, from + i,
                              i < n && values[i].kind != SNMPC_NONE &&
                                  snmpc_oid_prefix(&values[i].oid, &column));
        }
        t->column = from + t->asked;
        if (rc || t->column >= total) {
            t->column = t->asked = 0;
            snmp_poll_step(t, rc);
            return;
        }
        rc = snmp_discover_probe(t);
    }
    if (rc)
        snmp_poll_step(t, rc);
}

/* The first name behind each table's first column, as many at a time as the agent takes. */
int
snmp_discover_probe(struct snmp_target *t)
{
    const struct snmpc_oid *oids[SNMPC_ASK_MAX];
    size_t most = t->pace.values && t->pace.values < SNMPC_ASK_MAX ? t->pace.values : SNMPC_ASK_MAX;
    if (!t->discover)
        return 1;
    for (t->asked = 0; t->asked < most && t->column + t->asked < snmp_table_count + SNMP_PROBES;
         t->asked++) {
        snmpc_oid_parse(snmp_discover_oid(t->column + t->asked), &t->walk->at[t->asked]);
        oids[t->asked] = &t->walk->at[t->asked];
    }
    return snmpc_ask(t->session, oids, t->asked, 1, snmp_discover_probed, t);
}

/* --- ports --------------------------------------------------------------------------------------
 */

/* Until the discovery ends, the two texts of a row stand in `entities`. */
static void
snmp_discover_port_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                        const struct snmpc_value *v)
{
    struct snmp_target *t = ctx;
    struct snmp_entity *e = len == 1 ? snmp_poll_row((void **)&t->entities, &t->entity_count,
                                                     &t->entity_room, sizeof *t->entities, index[0])
                                     : NULL;
    if (!e)
        return;
    if (column == 0)
        snmpc_value_text(v, e->name, sizeof e->name);
    else
        snmpc_value_text(v, e->descr, sizeof e->descr);
}

int
snmp_discover_ports(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.2.2.1.2"};
    if (!t->discover)
        return 1;
    t->entity_count = 0;
    return snmp_poll_walk(t, columns, 2, snmp_discover_port_cell);
}

/* A second port of the same two names gets its index behind them: two series, not one mixed. */
static uint32_t
snmp_discover_port_name(struct snmp_target *t, const struct snmp_entity *e)
{
    const char *name = *e->name ? e->name : e->descr;
    char other[192];
    uint32_t id = snmp_discover_name(t, name, e->descr);
    for (size_t i = 0; i < t->port_count; i++)
        if (t->ports[i].here && t->ports[i].name == id && t->ports[i].index != e->index) {
            snprintf(other, sizeof other, "%s (ifIndex %u)", name, e->index);
            return snmp_discover_name(t, other, e->descr);
        }
    return id;
}

/* Ports as they are named now; those that are gone leave the list. */
static void
snmp_discover_ports_take(struct snmp_target *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->port_count; i++)
        t->ports[i].here = false;
    for (size_t i = 0; i < t->entity_count; i++) {
        const struct snmp_entity *e = &t->entities[i];
        if (!*e->name && !*e->descr)
            continue;
        uint32_t name = snmp_discover_port_name(t, e);
        struct snmp_port *p = snmp_poll_row((void **)&t->ports, &t->port_count, &t->port_room,
                                            sizeof *t->ports, e->index);
        if (!p)
            break;
        p->name = name;
        p->here = true;
    }
    for (size_t i = 0; i < t->port_count; i++)
        if (t->ports[i].here)
            t->ports[kept++] = t->ports[i];
    t->port_count = kept;
}

/* --- parts --------------------------------------------------------------------------------------
 */

static struct snmp_entity *
snmp_discover_entity(struct snmp_target *t, const uint32_t *index, size_t len)
{
    return len == 1 ? snmp_poll_row((void **)&t->entities, &t->entity_count, &t->entity_room,
                                    sizeof *t->entities, index[0])
                    : NULL;
}

static void
snmp_discover_entity_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                          const struct snmpc_value *v)
{
    struct snmp_entity *e = snmp_discover_entity(ctx, index, len);
    if (!e)
        return;
    switch (column) {
    case 0:
        snmpc_value_text(v, e->descr, sizeof e->descr);
        break;
    case 1:
        snmpc_value_text(v, e->name, sizeof e->name);
        break;
    case 2:
        e->inside = v->i > 0 ? (uint32_t)v->i : 0;
        break;
    default:
        e->class = (int)v->i;
    }
}

int
snmp_discover_entities(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.2.1.47.1.1.1.1.2", "1.3.6.1.2.1.47.1.1.1.1.7",
                                          "1.3.6.1.2.1.47.1.1.1.1.4", "1.3.6.1.2.1.47.1.1.1.1.5"};
    if (!t->discover)
        return 1;
    snmp_discover_ports_take(t);
    t->entity_count = 0;
    return t->conf->sensors ? snmp_poll_walk(t, columns, 4, snmp_discover_entity_cell) : 1;
}

static void
snmp_discover_kind(struct snmp_target *t, int source, size_t column, const uint32_t *index,
                   size_t len, const struct snmpc_value *v)
{
    struct snmp_entity *e = snmp_discover_entity(t, index, len);
    if (!e || v->kind != SNMPC_INT)
        return;
    if (column == 0) {
        e->kind[source].type = (int)v->i;
        e->kind[source].measures = true;
    } else if (column == 1) {
        e->kind[source].scale = (int)v->i;
    } else {
        e->kind[source].precision = (int)v->i;
    }
}

static void
snmp_discover_kind_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                        const struct snmpc_value *v)
{
    snmp_discover_kind(ctx, 0, column, index, len, v);
}

static void
snmp_discover_cisco_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                         const struct snmpc_value *v)
{
    snmp_discover_kind(ctx, 1, column, index, len, v);
}

int
snmp_discover_kinds(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.2.1.99.1.1.1.1", "1.3.6.1.2.1.99.1.1.1.2",
                                          "1.3.6.1.2.1.99.1.1.1.3"};
    return t->discover && t->conf->sensors && t->has_sensors[0]
               ? snmp_poll_walk(t, columns, 3, snmp_discover_kind_cell)
               : 1;
}

int
snmp_discover_kinds_cisco(struct snmp_target *t)
{
    static const char *const columns[] = {"1.3.6.1.4.1.9.9.91.1.1.1.1.1",
                                          "1.3.6.1.4.1.9.9.91.1.1.1.1.2",
                                          "1.3.6.1.4.1.9.9.91.1.1.1.1.3"};
    return t->discover && t->conf->sensors && t->has_sensors[1]
               ? snmp_poll_walk(t, columns, 3, snmp_discover_cisco_cell)
               : 1;
}

/* --- what is left of it -------------------------------------------------------------------------
 */

struct snmp_discover {
    struct snmp_target *t;
    const char **ports; /* names to look for */
    size_t count;
    struct map *used; /* names of parts by metric, each once */
};

static const struct snmp_entity *
snmp_discover_parent(const struct snmp_target *t, const struct snmp_entity *e)
{
    size_t lo = 0, hi = t->entity_count;
    while (e->inside && lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->entities[mid].index == e->inside)
            return &t->entities[mid];
        if (t->entities[mid].index < e->inside)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* The port that an entity is of: by its own words, else by those of what it lies in. Index, or -1.
 */
static int
snmp_discover_port_of(const struct snmp_discover *d, const struct snmp_entity *e, int *lane)
{
    int at = -1;
    for (int depth = 0; at < 0 && e && depth <= SNMP_DEPTH; depth++) {
        const char *first = depth ? e->name : e->descr, *second = depth ? e->descr : e->name;
        at = snmp_sensor_port(first, d->ports, d->count, lane);
        if (at < 0)
            at = snmp_sensor_port(second, d->ports, d->count, lane);
        e = snmp_discover_parent(d->t, e);
    }
    return at;
}

/* A part's name; a second part of the same name gets its index behind it. */
static uint32_t
snmp_discover_part(struct snmp_discover *d, const struct snmp_entity *e, unsigned metric)
{
    char key[224], other[192];
    const char *name = *e->descr ? e->descr : e->name;
    int n = snprintf(key, sizeof key, "%u %s", metric, name);
    if (map_get(d->used, key, (size_t)n)) {
        snprintf(other, sizeof other, "%s #%u", name, e->index);
        name = other;
    }
    map_set(d->used, key, (size_t)n, d, NULL);
    return snmp_discover_name(d->t, name, "");
}

static void
snmp_discover_sensor(struct snmp_discover *d, const struct snmp_entity *e, int source)
{
    struct snmp_target *t = d->t;
    const struct snmp_entity *parent = snmp_discover_parent(t, e);
    struct snmp_sensor_raw raw = {*e->descr ? e->descr : e->name, e->kind[source].type,
                                  e->kind[source].scale, e->kind[source].precision,
                                  parent && parent->class == SNMP_CLASS_PORT};
    struct snmp_sensor s;
    int lane = 0;
    snmp_sensor_plan(&raw, &s);
    int port = s.optic ? snmp_discover_port_of(d, e, &lane) : -1;
    if (s.optic && port < 0) { /* "module" was a power supply's, say */
        raw.name = "";
        raw.module = false;
        snmp_sensor_plan(&raw, &s);
    }
    if (s.metric == SNMP_METRICS || (source && !s.optic && e->kind[0].measures))
        return;
    uint32_t name = s.optic ? t->ports[port].name : snmp_discover_part(d, e, s.metric);
    struct snmp_sensed *p = name == SNMP_NO_NAME
                                ? NULL
                                : snmp_poll_row((void **)&t->sensors, &t->sensor_count,
                                                &t->sensor_room, sizeof *t->sensors, e->index);
    if (!p)
        return;
    *p = (struct snmp_sensed){.index = e->index,
                              .name = name,
                              .source = (uint8_t)source,
                              .metric = (uint8_t)s.metric,
                              .lane = (uint8_t)(s.lane && lane ? lane : s.lane),
                              .light = s.light,
                              .factor = s.factor};
}

/* Where a maker's table speaks of entities: those that lie in a port are that port's. */
static void
snmp_discover_place_of(struct snmp_discover *d, const struct snmp_entity *e)
{
    struct snmp_target *t = d->t;
    int lane, port = snmp_discover_port_of(d, e, &lane);
    uint32_t name =
        port < 0 ? snmp_discover_name(t, *e->name ? e->name : e->descr, "") : t->ports[port].name;
    struct snmp_place *p = snmp_poll_row((void **)&t->places, &t->place_count, &t->place_room,
                                         sizeof *t->places, e->index);
    if (p)
        *p = (struct snmp_place){e->index, name, port >= 0};
}

static bool
snmp_discover_by_entity(const struct snmp_target *t)
{
    bool any = false;
    for (size_t i = 0; i < snmp_table_count; i++)
        any |= (t->tables >> i & 1) && (snmp_tables[i].columns[0].by == SNMP_BY_ENTITY ||
                                        snmp_tables[i].columns[0].by == SNMP_BY_PART);
    return any;
}

static void
snmp_discover_plan(struct snmp_discover *d)
{
    struct snmp_target *t = d->t;
    bool places = snmp_discover_by_entity(t);
    t->sensor_count = t->place_count = 0;
    if (t->entity_count * d->count > SNMP_LOOKS_MAX)
        return;
    for (size_t i = 0; i < t->entity_count; i++) {
        const struct snmp_entity *e = &t->entities[i];
        int source = e->kind[0].measures ? 0 : 1;
        if (e->kind[source].measures)
            snmp_discover_sensor(d, e, source);
        if (places)
            snmp_discover_place_of(d, e);
    }
}

int
snmp_discover_end(struct snmp_target *t)
{
    struct snmp_discover d = {.t = t};
    char entity[ENTITY_SIZE];
    if (!t->discover)
        return 1;
    d.ports = calloc(t->port_count + 1, sizeof *d.ports);
    d.used = map_new(SNMP_NAMES_MAX);
    for (size_t i = 0; d.ports && i < t->port_count && i < SNMP_PORTS_MAX; i++)
        d.ports[d.count++] =
            t->ports[i].name == SNMP_NO_NAME ? "\n" : t->names[t->ports[i].name].name;
    if (d.ports && d.used)
        snmp_discover_plan(&d);
    free(d.ports);
    map_free(d.used, NULL);
    free(t->entities);
    t->entities = NULL;
    t->entity_count = t->entity_room = 0;
    if (!t->probed && !entity_format(entity, ENTITY_SWITCH, t->conf->name, NULL))
        topo_discovered(t->s->env.store, entity, "snmp");
    t->probed = true;
    return 1;
}

const struct snmp_place *
snmp_discover_place(const struct snmp_target *t, uint32_t entity)
{
    size_t lo = 0, hi = t->place_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->places[mid].entity == entity)
            return t->places[mid].name == SNMP_NO_NAME ? NULL : &t->places[mid];
        if (t->places[mid].entity < entity)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
