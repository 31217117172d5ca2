/* probe_ethtool: statistics of network drivers, and the optical modules in their ports. Statistics
 * are named node_ethtool_NAME with the driver's NAME; those of single queues, which a NIC of 64
 * queues has a thousand of, are left out. A driver is asked for names once, for values each time.
 *
 * Always true: a module is read no oftener than once a minute; one that cannot be read (an empty
 * cage, a copper port: many drivers write an error line for each try) is left in peace for ten
 * minutes, twice as long each time, until its port's carrier changes.
 *
 * Of a recorded machine (--root DIR) both come from files: DIR/ethtool/NETDEV/statistics is what
 * `ethtool -S` prints, DIR/ethtool/NETDEV/module what `ethtool -m NETDEV raw on` does. */
#include "agents/ethtool.h"
#include "agents/probe.h"
#include "agents/probes.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_ETHTOOL_DEVS     64u
#define PROBE_ETHTOOL_MODULE_S 60   /* between two looks at a module: its bus is slow */
#define PROBE_ETHTOOL_ABSENT_S 600  /* after one that failed, doubled each time */
#define PROBE_ETHTOOL_REST_S   9600 /* the longest */

struct probe_ethtool_dev {
    char name[32];
    char *names; /* ETHTOOL_NAME_SIZE each; empty: not wanted */
    uint64_t *values;
    size_t count;
};

/* A port whose module is looked at. */
struct probe_ethtool_port {
    char name[32];
    int64_t next_ms, tried_ms, rest_s;
    double changes; /* of its carrier, when it was last tried */
};

struct probe_ethtool_state {
    struct ethtool *e; /* NULL: of a recorded machine */
    struct probe_ethtool_dev devs[PROBE_ETHTOOL_DEVS];
    struct probe_ethtool_port ports[PROBE_ETHTOOL_DEVS];
};

static void
probe_ethtool_forget(struct probe_ethtool_dev *d)
{
    free(d->names);
    free(d->values);
    memset(d, 0, sizeof *d);
}

void
probe_ethtool_done(void *state)
{
    struct probe_ethtool_state *s = state;
    if (!s)
        return;
    ethtool_free(s->e);
    for (size_t i = 0; i < PROBE_ETHTOOL_DEVS; i++)
        probe_ethtool_forget(&s->devs[i]);
    free(s);
}

static struct probe_ethtool_state *
probe_ethtool_state(struct probe *p)
{
    struct probe_ethtool_state *s = *p->state;
    if (!s && (s = calloc(1, sizeof *s))) {
        s->e = p->live ? ethtool_new() : NULL;
        *p->state = s;
    }
    return s && (s->e || !p->live) ? s : NULL;
}

/* rx12_packets, tx_queue_3_bytes, ch7_events, "[3]: rx_ucast": of one queue. */
static bool
probe_ethtool_queue(const char *name)
{
    static const char *const heads[] = {"rx",        "tx",        "ch",     "rx_", "tx_",
                                        "rx_queue_", "tx_queue_", "queue_", "rx-", "tx-",
                                        "[",         "rx_xsk",    "tx_xsk", "xdp"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (str_prefix(name, heads[i]) && isdigit((unsigned char)name[strlen(heads[i])]))
            return true;
    return false;
}

/* Lower case; all but letters, digits and '_' become '_'; none of these at the begin. */
static void
probe_ethtool_clean(char name[ETHTOOL_NAME_SIZE])
{
    char out[ETHTOOL_NAME_SIZE];
    size_t n = 0;
    name[ETHTOOL_NAME_SIZE - 1] = 0;
    bool queue = probe_ethtool_queue(name);
    for (size_t i = 0; name[i] && !queue; i++) {
        char c = isalnum((unsigned char)name[i]) ? (char)tolower((unsigned char)name[i]) : '_';
        if (n || c != '_')
            out[n++] = c;
    }
    out[n] = 0;
    memcpy(name, out, n + 1);
}

static struct probe_ethtool_dev *
probe_ethtool_dev(struct probe_ethtool_state *s, const char *name)
{
    struct probe_ethtool_dev *empty = NULL;
    for (size_t i = 0; i < PROBE_ETHTOOL_DEVS; i++) {
        if (!strcmp(s->devs[i].name, name))
            return &s->devs[i];
        if (!empty && !s->devs[i].name[0])
            empty = &s->devs[i];
    }
    char *names = NULL;
    int n = empty ? ethtool_names(s->e, name, &names) : 0;
    if (n <= 0)
        return NULL;
    empty->names = names;
    empty->count = (size_t)n;
    empty->values = calloc((size_t)n, sizeof *empty->values);
    str_copy(empty->name, sizeof empty->name, name);
    for (size_t i = 0; i < empty->count; i++)
        probe_ethtool_clean(names + i * ETHTOOL_NAME_SIZE);
    return empty;
}

static void
probe_ethtool_of(struct probe *p, struct probe_ethtool_state *s, const char *name)
{
    char metric[64];
    struct probe_ethtool_dev *d = probe_ethtool_dev(s, name);
    if (!d || !d->values)
        return;
    if (ethtool_values(s->e, name, d->values, d->count) < 0) {
        probe_ethtool_forget(d); /* other queues, or gone: names are asked again */
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        const char *stat = d->names + i * ETHTOOL_NAME_SIZE;
        if (!*stat)
            continue;
        snprintf(metric, sizeof metric, "node_ethtool_%s", stat);
        snap_add(p->out, metric, (double)d->values[i], "device", name, NULL);
    }
}

/* Lines "     rx_bytes: 123" below the head "NIC statistics:". */
static void
probe_ethtool_recorded(struct probe *p, const char *dev)
{
    char *text = probe_read(p, "ethtool/%s/statistics", dev) ? p->text.data : NULL, *line;
    char name[ETHTOOL_NAME_SIZE], metric[64];
    while ((line = probe_line(&text))) {
        char *colon = strrchr(line, ':'), *end;
        line += strspn(line, " \t");
        if (!colon || colon <= line)
            continue;
        *colon = 0;
        double v = strtod(colon + 1, &end);
        str_copy(name, sizeof name, line);
        probe_ethtool_clean(name);
        if (end == colon + 1 || !*name)
            continue;
        snprintf(metric, sizeof metric, "node_ethtool_%s", name);
        snap_add(p->out, metric, v, "device", dev, NULL);
    }
}

int
probe_ethtool(struct probe *p)
{
    struct probe_names devs;
    struct probe_ethtool_state *s = probe_ethtool_state(p);
    if (!s)
        return 0;
    probe_list(p, &devs, "sys/class/net");
    for (size_t i = 0; i < devs.count; i++)
        if (!*probe_target(p, "sys/class/net/%s/device", devs.at[i]))
            continue; /* no virtual ones */
        else if (s->e)
            probe_ethtool_of(p, s, devs.at[i]);
        else
            probe_ethtool_recorded(p, devs.at[i]);
    probe_names_done(&devs);
    return 0;
}

/* --- modules ---------------------------------------------------------------------------------- */

static void
probe_ethtool_number(struct probe *p, const char *dev, const char *name, double v)
{
    if (!isnan(v))
        snap_add(p->out, name, v, "device", dev, NULL);
}

static void
probe_ethtool_limits(struct probe *p, const char *dev, const char *name,
                     const struct module_limits *l)
{
    const struct {
        const char *suffix;
        double v;
    } rows[] = {{"low_alarm", l->low_alarm},
                {"low_warning", l->low_warning},
                {"high_warning", l->high_warning},
                {"high_alarm", l->high_alarm}};
    char metric[96];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(metric, sizeof metric, "%s_%s", name, rows[i].suffix);
        probe_ethtool_number(p, dev, metric, rows[i].v);
    }
}

static void
probe_ethtool_lanes(struct probe *p, const char *dev, const struct module *m)
{
    for (unsigned i = 0; i < m->lane_count; i++) {
        const struct {
            const char *name;
            double v;
        } rows[] = {{"optic_rx_power_dbm", m->lanes[i].rx_power_dbm},
                    {"optic_tx_power_dbm", m->lanes[i].tx_power_dbm},
                    {"optic_bias_milliamperes", m->lanes[i].bias_ma}};
        char lane[8];
        snprintf(lane, sizeof lane, "%u", i + 1);
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            if (!isnan(rows[k].v))
                snap_add(p->out, rows[k].name, rows[k].v, "device", dev, "lane", lane, NULL);
    }
}

static void
probe_ethtool_optic(struct probe *p, const char *dev, const struct module *m)
{
    snap_add(p->out, "optic_info", 1, "device", dev, "form", m->form, "vendor", m->vendor, "part",
             m->part, "serial", m->serial, "firmware", m->firmware, NULL);
    probe_ethtool_number(p, dev, "optic_temperature_celsius", m->temperature);
    probe_ethtool_number(p, dev, "optic_voltage_volts", m->voltage);
    probe_ethtool_number(p, dev, "optic_pre_fec_ber", m->pre_fec_ber);
    probe_ethtool_lanes(p, dev, m);
    probe_ethtool_limits(p, dev, "optic_temperature_celsius", &m->temperature_limits);
    probe_ethtool_limits(p, dev, "optic_voltage_volts", &m->voltage_limits);
    probe_ethtool_limits(p, dev, "optic_rx_power_dbm", &m->rx_limits);
    probe_ethtool_limits(p, dev, "optic_tx_power_dbm", &m->tx_limits);
    probe_ethtool_limits(p, dev, "optic_bias_milliamperes", &m->bias_limits);
}

static struct probe_ethtool_port *
probe_ethtool_port(struct probe_ethtool_state *s, const char *name)
{
    for (size_t i = 0; i < PROBE_ETHTOOL_DEVS; i++) {
        struct probe_ethtool_port *port = &s->ports[i];
        if (!*port->name)
            str_copy(port->name, sizeof port->name, name);
        if (!strcmp(port->name, name))
            return port;
    }
    return NULL;
}

static int
probe_ethtool_pages(struct probe *p, struct probe_ethtool_state *s, const char *dev,
                    struct module_pages *ret)
{
    size_t next = 0;
    if (s->e)
        return ethtool_module(s->e, dev, ret);
    if (!probe_read(p, "ethtool/%s/module", dev))
        return ERR_UNSUPPORTED;
    return module_pages_parse(p->text.data, p->text.len, &next, ret, NULL) == 1 ? 0
                                                                                : ERR_UNSUPPORTED;
}

/* 0: *ret is what the module says now. */
static int
probe_ethtool_look(struct probe *p, struct probe_ethtool_state *s, const char *dev,
                   struct module *ret)
{
    struct module_pages pages;
    struct probe_ethtool_port *port = probe_ethtool_port(s, dev);
    double changes = 0;
    if (!port)
        return ERR_LIMIT;
    probe_number(p, &changes, "sys/class/net/%s/carrier_changes", dev);
    /* A port that flaps is no reason to look oftener than once a minute either. */
    bool moved = port->rest_s && changes > port->changes &&
                 p->now_ms >= port->tried_ms + PROBE_ETHTOOL_MODULE_S * 1000;
    if (p->now_ms < port->next_ms && !moved)
        return ERR_BUSY;
    int rc = probe_ethtool_pages(p, s, dev, &pages);
    if (!rc)
        rc = module_decode(&pages, ret, NULL);
    int64_t rest = port->rest_s && !moved ? port->rest_s * 2 : PROBE_ETHTOOL_ABSENT_S;
    port->rest_s = !rc ? 0 : rest < PROBE_ETHTOOL_REST_S ? rest : PROBE_ETHTOOL_REST_S;
    port->next_ms = p->now_ms + (rc ? port->rest_s : PROBE_ETHTOOL_MODULE_S) * 1000;
    port->tried_ms = p->now_ms;
    port->changes = changes;
    return rc;
}

/* The port bears its RDMA device's name where it has one, as in the topology. */
int
probe_ethtool_modules(struct probe *p)
{
    struct probe_names devs, rdma;
    struct module m;
    struct probe_ethtool_state *s = probe_ethtool_state(p);
    if (!s)
        return 0;
    probe_list(p, &devs, "sys/class/net");
    for (size_t i = 0; i < devs.count; i++) {
        if (!*probe_target(p, "sys/class/net/%s/device", devs.at[i]) ||
            probe_ethtool_look(p, s, devs.at[i], &m))
            continue;
        probe_list(p, &rdma, "sys/class/net/%s/device/infiniband", devs.at[i]);
        probe_ethtool_optic(p, rdma.count == 1 ? rdma.at[0] : devs.at[i], &m);
        probe_names_done(&rdma);
    }
    probe_names_done(&devs);
    return 0;
}
