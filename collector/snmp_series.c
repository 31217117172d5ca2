/* snmp_series: a poll as series. node and instance are the target's name, ifName and ifDescr as the
 * equipment gives them; of modules port is the ifName. */
#include "base/clock.h"
#include "base/str.h"
#include "collector/snmp_in.h"
#include "collector/snmp_sensor.h"
#include "store/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_SERIES_PORTS_MAX  4096u /* looked through for a sensor's port */
#define SNMP_SERIES_DEPTH      8     /* of entities within entities */
#define SNMP_SERIES_CLASS_PORT 10    /* PhysicalClass, RFC 6933 */

static const char *const snmp_series_names[SNMP_PORT_VALUES] = {
    "ifAdminStatus", "ifOperStatus", "ifHighSpeed",  "ifHCInOctets",  "ifHCOutOctets",
    "ifInErrors",    "ifOutErrors",  "ifInDiscards", "ifOutDiscards", "ifLastChange"};

struct snmp_series {
    struct snmp_target *t;
    struct store_batch *batch;
    uint64_t count;
};

static void
snmp_series_put(struct snmp_series *w, struct labels *l, const char *name, double v)
{
    struct sample s = {w->t->at_ms, v};
    struct labels full = *l;
    if (labels_add_str(&full, "__name__", name) || labels_finish(&full))
        return;
    if (store_batch_samples(w->batch, &full, &s, 1) >= 0)
        w->count++;
}

static void
snmp_series_labels(const struct snmp_target *t, struct labels *l)
{
    l->count = 0;
    labels_add_str(l, "node", t->conf->name);
    labels_add_str(l, "instance", t->conf->name);
}

static const char *
snmp_series_port_name(const struct snmp_port *p)
{
    return *p->name ? p->name : p->descr;
}

static void
snmp_series_ports(struct snmp_series *w)
{
    for (size_t i = 0; i < w->t->port_count; i++) {
        const struct snmp_port *p = &w->t->ports[i];
        struct labels l;
        snmp_series_labels(w->t, &l);
        labels_add_str(&l, "ifName", snmp_series_port_name(p));
        labels_add_str(&l, "ifDescr", p->descr);
        for (size_t k = 0; *snmp_series_port_name(p) && k < SNMP_PORT_VALUES; k++)
            if (p->have & 1u << k)
                snmp_series_put(w, &l, snmp_series_names[k], p->value[k]);
    }
}

/* --- sensors -------------------------------------------------------------------------------------
 */

static const struct snmp_entity *
snmp_series_entity(const struct snmp_target *t, uint32_t index)
{
    size_t lo = 0, hi = t->entity_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->entities[mid].index == index)
            return &t->entities[mid];
        if (t->entities[mid].index < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* The port that a sensor is of: by its own words, else by those of what it lies in. */
static int
snmp_series_port(const struct snmp_target *t, const struct snmp_entity *e, const char *const *ports,
                 size_t count, int *lane)
{
    int at = snmp_sensor_port(e->descr, ports, count, lane);
    if (at < 0)
        at = snmp_sensor_port(e->name, ports, count, lane);
    for (int depth = 0; at < 0 && e->inside && depth < SNMP_SERIES_DEPTH; depth++) {
        if (!(e = snmp_series_entity(t, e->inside)))
            break;
        at = snmp_sensor_port(e->name, ports, count, lane);
        if (at < 0)
            at = snmp_sensor_port(e->descr, ports, count, lane);
    }
    return at;
}

static void
snmp_series_sensor(struct snmp_series *w, const struct snmp_entity *e, const char *const *ports,
                   size_t count)
{
    const struct snmp_entity *parent = e->inside ? snmp_series_entity(w->t, e->inside) : NULL;
    const char *name = *e->descr ? e->descr : e->name;
    struct snmp_sensor_raw raw = {name,     e->type,
                                  e->scale, e->precision,
                                  e->value, parent && parent->class == SNMP_SERIES_CLASS_PORT};
    struct snmp_sensor s;
    struct labels l;
    char lane[16];
    int of_name = 0;
    snmp_sensor_read(&raw, &s);
    int port = *s.metric && s.optic ? snmp_series_port(w->t, e, ports, count, &of_name) : -1;
    if (!*s.metric || (s.optic && port < 0))
        return;
    snmp_series_labels(w->t, &l);
    if (s.optic) {
        labels_add_str(&l, "port", ports[port]);
        snprintf(lane, sizeof lane, "%d", of_name ? of_name : s.lane);
        if (s.lane)
            labels_add_str(&l, "lane", lane);
    } else {
        labels_add_str(&l, "sensor", name);
    }
    snmp_series_put(w, &l, s.metric, s.value);
}

static void
snmp_series_sensors(struct snmp_series *w)
{
    const struct snmp_target *t = w->t;
    const char **ports = calloc(t->port_count + 1, sizeof *ports);
    size_t n = 0;
    for (size_t i = 0; ports && i < t->port_count && n < SNMP_SERIES_PORTS_MAX; i++)
        if (*snmp_series_port_name(&t->ports[i]))
            ports[n++] = snmp_series_port_name(&t->ports[i]);
    for (size_t i = 0; ports && i < t->entity_count; i++)
        if (t->entities[i].measures && t->entities[i].status <= 1) /* ok, or not told */
            snmp_series_sensor(w, &t->entities[i], ports, n);
    free(ports);
}

void
snmp_series_write(struct snmp_target *t, const char *error)
{
    struct snmp_series w = {.t = t, .batch = store_batch_new(t->s->env.store)};
    struct labels l;
    char entity[ENTITY_SIZE];
    inlet_state(t->inlet, error);
    if (!w.batch)
        return;
    snmp_series_labels(t, &l);
    snmp_series_put(&w, &l, "up", error ? 0 : 1);
    if (!error) {
        snmp_series_put(&w, &l, "sysUpTime", t->up_time);
        snmp_series_put(&w, &l, "snmp_poll_seconds", (double)(clock_mono_us() - t->began_us) / 1e6);
        snmp_series_ports(&w);
        if (t->conf->sensors)
            snmp_series_sensors(&w);
        if (!t->polls && !entity_format(entity, ENTITY_SWITCH, t->conf->name, NULL))
            topo_discovered(t->s->env.store, entity, "snmp");
    }
    inlet_submit(t->inlet, w.batch, w.count);
}
