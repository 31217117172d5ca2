/* responder: a table of columns in the order of their OIDs; an instance is an ifIndex or a sensor's
 * number. */
#include "sim/responder.h"
#include "base/str.h"
#include "sim/snmpmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESPONDER_MESSAGE_MAX 65000u
#define RESPONDER_BINDS_MAX   1024u
#define RESPONDER_SENSORS                                                                          \
    8u /* a port: temperature, four lanes of received light, transmitted light, bias, volts */

struct responder {
    struct world *w;
    int fd;
    unsigned port;
    uint64_t requests, refused;
};

/* Of LLDP's neighbours the names hold a time mark (0) before the port and a number (1) behind it.
 */
enum responder_instances { BY_SCALAR, BY_PORT, BY_NEIGHBOUR, BY_ENTITY, BY_SENSOR };

struct responder_at {
    struct responder *r;
    uint32_t sw;
    uint32_t port;
    unsigned sensor;
};

typedef void responder_value(struct ber_writer *out, const struct responder_at *at);

static const struct plan_port *
responder_port_of(const struct responder_at *at)
{
    return &at->r->w->plan->ports.at[at->port];
}

static const struct world_port *
responder_state_of(const struct responder_at *at)
{
    return &at->r->w->ports[at->port];
}

static void
responder_str(struct ber_writer *out, const char *s)
{
    ber_write_bytes(out, BER_OCTETS, s, strlen(s));
}

static void
responder_counter32(struct ber_writer *out, double v)
{
    ber_write_uint(out, BER_COUNTER32, (uint64_t)v & 0xffffffffu);
}

static void
responder_descr(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    responder_str(out, "Simulated data center switch, 64 x 400G QSFP-DD");
}

static void
responder_object_id(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    struct ber_oid o;
    ber_oid_parse("1.3.6.1.4.1.8072.3.2.10", &o);
    ber_write_oid(out, &o);
}

static void
responder_uptime(struct ber_writer *out, const struct responder_at *at)
{
    const struct world *w = at->r->w;
    ber_write_uint(out, BER_TIMETICKS,
                   (uint64_t)(((double)w->now_ms - w->switches[at->sw].up_since_ms) / 10) &
                       0xffffffffu);
}

static void
responder_name(struct ber_writer *out, const struct responder_at *at)
{
    responder_str(out, at->r->w->plan->switches.at[at->sw].name);
}

static void
responder_if_index(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, responder_port_of(at)->if_index);
}

static void
responder_if_name(struct ber_writer *out, const struct responder_at *at)
{
    responder_str(out, responder_port_of(at)->name);
}

static void
responder_if_type(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    ber_write_int(out, BER_INTEGER, 6);
}

static void
responder_if_mtu(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, (int64_t)responder_state_of(at)->mtu);
}

static void
responder_if_speed(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    ber_write_uint(out, BER_GAUGE32, 4294967295u);
}

static void
responder_if_admin(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, (int64_t)responder_state_of(at)->admin);
}

static void
responder_if_oper(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, responder_state_of(at)->was_down ? 2 : 1);
}

static void
responder_if_last_change(struct ber_writer *out, const struct responder_at *at)
{
    double since = responder_state_of(at)->last_change - at->r->w->switches[at->sw].up_since_ms;
    ber_write_uint(out, BER_TIMETICKS, since > 0 ? (uint64_t)(since / 10) & 0xffffffffu : 0);
}

static void
responder_if_in_discards(struct ber_writer *out, const struct responder_at *at)
{
    responder_counter32(out, responder_state_of(at)->in_discards);
}

static void
responder_if_in_errors(struct ber_writer *out, const struct responder_at *at)
{
    responder_counter32(out, responder_state_of(at)->in_errors);
}

static void
responder_if_out_discards(struct ber_writer *out, const struct responder_at *at)
{
    responder_counter32(out, responder_state_of(at)->out_discards);
}

static void
responder_if_out_errors(struct ber_writer *out, const struct responder_at *at)
{
    responder_counter32(out, responder_state_of(at)->out_errors);
}

static void
responder_if_in_octets(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_uint(out, BER_COUNTER64, (uint64_t)responder_state_of(at)->in_octets);
}

static void
responder_if_out_octets(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_uint(out, BER_COUNTER64, (uint64_t)responder_state_of(at)->out_octets);
}

static void
responder_if_high_speed(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_uint(out, BER_GAUGE32, (uint64_t)responder_state_of(at)->speed);
}

/* ENTITY-SENSOR-MIB: type (dBm has none, so light is in watts), scale, precision, value. */
static const struct responder_sensor {
    const char *what;
    int type, scale, precision;
} responder_sensors[RESPONDER_SENSORS] = {
    {"DOM Temperature Sensor for %s", 8, 9, 1},     {"DOM RX Power Sensor for %s Lane 1", 6, 7, 1},
    {"DOM RX Power Sensor for %s Lane 2", 6, 7, 1}, {"DOM RX Power Sensor for %s Lane 3", 6, 7, 1},
    {"DOM RX Power Sensor for %s Lane 4", 6, 7, 1}, {"DOM TX Power Sensor for %s Lane 1", 6, 7, 1},
    {"DOM TX Bias Sensor for %s Lane 1", 5, 8, 2},  {"DOM Voltage Sensor for %s", 4, 9, 2},
};

static void
responder_entity_descr(struct ber_writer *out, const struct responder_at *at)
{
    char text[128];
    const char *what = at->sensor == 0 ? "%s" : responder_sensors[at->sensor - 1].what,
               *percent = strstr(what, "%s");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(percent - what), what,
             responder_port_of(at)->name, percent + 2);
    responder_str(out, text);
}

static void
responder_entity_inside(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, at->sensor == 0 ? 0 : responder_port_of(at)->if_index * 100);
}

static void
responder_entity_class(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, at->sensor == 0 ? 10 : 8);
}

static void
responder_sensor_type(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, responder_sensors[at->sensor - 1].type);
}

static void
responder_sensor_scale(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, responder_sensors[at->sensor - 1].scale);
}

static void
responder_sensor_precision(struct ber_writer *out, const struct responder_at *at)
{
    ber_write_int(out, BER_INTEGER, responder_sensors[at->sensor - 1].precision);
}

static void
responder_sensor_value(struct ber_writer *out, const struct responder_at *at)
{
    const struct world_optic *o = &at->r->w->optics[responder_port_of(at)->optic];
    const struct responder_sensor *s = &responder_sensors[at->sensor - 1];
    unsigned n = at->sensor - 1;
    double v = n == 0   ? o->temp
               : n <= 4 ? o->rx[n - 1]
               : n == 5 ? o->tx[0]
               : n == 6 ? o->bias[0]
                        : o->voltage;
    if (s->type == 6)
        v = pow(10, v / 10) * 1000; /* dBm to microwatts */
    ber_write_int(out, BER_INTEGER, (int64_t)(v * pow(10, s->precision) + 0.5));
}

static void
responder_sensor_status(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    ber_write_int(out, BER_INTEGER, 1);
}

/* --- LLDP-MIB: a neighbour's chassis is a hardware address made of its number ------------------
 */

static struct plan_end
responder_neighbour_of(const struct responder_at *at)
{
    struct plan_end far = {PLAN_PORT, at->port};
    (void)world_neighbour(at->r->w, at->port, &far);
    return far;
}

static void
responder_cabled(struct ber_writer *out, const struct responder_at *at)
{
    double since = (double)at->r->w->cabled_ms - at->r->w->switches[at->sw].up_since_ms;
    ber_write_uint(out, BER_TIMETICKS, since > 0 ? (uint64_t)(since / 10) & 0xffffffffu : 1);
}

static void
responder_chassis_kind(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    ber_write_int(out, BER_INTEGER, 4);
}

static void
responder_chassis(struct ber_writer *out, const struct responder_at *at)
{
    const struct plan *p = at->r->w->plan;
    struct plan_end far = responder_neighbour_of(at);
    uint32_t n = far.what == PLAN_NIC ? p->nics.at[far.i].node : p->ports.at[far.i].sw;
    const uint8_t mac[] = {
        2, far.what == PLAN_NIC, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    ber_write_bytes(out, BER_OCTETS, mac, sizeof mac);
}

static void
responder_peer_port_kind(struct ber_writer *out, const struct responder_at *at)
{
    (void)at;
    ber_write_int(out, BER_INTEGER, 5); /* interfaceName */
}

static void
responder_peer_port(struct ber_writer *out, const struct responder_at *at)
{
    const struct plan *p = at->r->w->plan;
    struct plan_end far = responder_neighbour_of(at);
    responder_str(out, far.what == PLAN_NIC ? p->nics.at[far.i].netdev : p->ports.at[far.i].name);
}

static void
responder_peer_descr(struct ber_writer *out, const struct responder_at *at)
{
    const struct plan *p = at->r->w->plan;
    struct plan_end far = responder_neighbour_of(at);
    responder_str(out, far.what == PLAN_NIC ? p->nics.at[far.i].name : p->ports.at[far.i].name);
}

static void
responder_peer(struct ber_writer *out, const struct responder_at *at)
{
    const struct plan *p = at->r->w->plan;
    struct plan_end far = responder_neighbour_of(at);
    responder_str(out, far.what == PLAN_NIC ? p->nodes.at[p->nics.at[far.i].node].name
                                            : p->switches.at[p->ports.at[far.i].sw].name);
}

static const struct responder_column {
    const char *oid;
    enum responder_instances by;
    responder_value *value;
} responder_columns[] = {
    {"1.0.8802.1.1.2.1.2.1", BY_SCALAR, responder_cabled},
    {"1.0.8802.1.1.2.1.3.7.1.3", BY_PORT, responder_if_name},
    {"1.0.8802.1.1.2.1.4.1.1.4.0", BY_NEIGHBOUR, responder_chassis_kind},
    {"1.0.8802.1.1.2.1.4.1.1.5.0", BY_NEIGHBOUR, responder_chassis},
    {"1.0.8802.1.1.2.1.4.1.1.6.0", BY_NEIGHBOUR, responder_peer_port_kind},
    {"1.0.8802.1.1.2.1.4.1.1.7.0", BY_NEIGHBOUR, responder_peer_port},
    {"1.0.8802.1.1.2.1.4.1.1.8.0", BY_NEIGHBOUR, responder_peer_descr},
    {"1.0.8802.1.1.2.1.4.1.1.9.0", BY_NEIGHBOUR, responder_peer},
    {"1.3.6.1.2.1.1.1", BY_SCALAR, responder_descr},
    {"1.3.6.1.2.1.1.2", BY_SCALAR, responder_object_id},
    {"1.3.6.1.2.1.1.3", BY_SCALAR, responder_uptime},
    {"1.3.6.1.2.1.1.5", BY_SCALAR, responder_name},
    {"1.3.6.1.2.1.2.2.1.1", BY_PORT, responder_if_index},
    {"1.3.6.1.2.1.2.2.1.2", BY_PORT, responder_if_name},
    {"1.3.6.1.2.1.2.2.1.3", BY_PORT, responder_if_type},
    {"1.3.6.1.2.1.2.2.1.4", BY_PORT, responder_if_mtu},
    {"1.3.6.1.2.1.2.2.1.5", BY_PORT, responder_if_speed},
    {"1.3.6.1.2.1.2.2.1.7", BY_PORT, responder_if_admin},
    {"1.3.6.1.2.1.2.2.1.8", BY_PORT, responder_if_oper},
    {"1.3.6.1.2.1.2.2.1.9", BY_PORT, responder_if_last_change},
    {"1.3.6.1.2.1.2.2.1.13", BY_PORT, responder_if_in_discards},
    {"1.3.6.1.2.1.2.2.1.14", BY_PORT, responder_if_in_errors},
    {"1.3.6.1.2.1.2.2.1.19", BY_PORT, responder_if_out_discards},
    {"1.3.6.1.2.1.2.2.1.20", BY_PORT, responder_if_out_errors},
    {"1.3.6.1.2.1.31.1.1.1.1", BY_PORT, responder_if_name},
    {"1.3.6.1.2.1.31.1.1.1.6", BY_PORT, responder_if_in_octets},
    {"1.3.6.1.2.1.31.1.1.1.10", BY_PORT, responder_if_out_octets},
    {"1.3.6.1.2.1.31.1.1.1.15", BY_PORT, responder_if_high_speed},
    {"1.3.6.1.2.1.47.1.1.1.1.2", BY_ENTITY, responder_entity_descr},
    {"1.3.6.1.2.1.47.1.1.1.1.4", BY_ENTITY, responder_entity_inside},
    {"1.3.6.1.2.1.47.1.1.1.1.5", BY_ENTITY, responder_entity_class},
    {"1.3.6.1.2.1.47.1.1.1.1.7", BY_ENTITY, responder_entity_descr},
    {"1.3.6.1.2.1.99.1.1.1.1", BY_SENSOR, responder_sensor_type},
    {"1.3.6.1.2.1.99.1.1.1.2", BY_SENSOR, responder_sensor_scale},
    {"1.3.6.1.2.1.99.1.1.1.3", BY_SENSOR, responder_sensor_precision},
    {"1.3.6.1.2.1.99.1.1.1.4", BY_SENSOR, responder_sensor_value},
    {"1.3.6.1.2.1.99.1.1.1.5", BY_SENSOR, responder_sensor_status},
};
#define RESPONDER_COLUMNS (sizeof responder_columns / sizeof responder_columns[0])

/* Instances: scalars 0; ports and neighbours ifIndex; entities ifIndex*100 for the port and +1..8
 * for its sensors.
 */
static bool
responder_locate(struct responder_at *at, enum responder_instances by, uint32_t instance)
{
    const struct world *w = at->r->w;
    bool whole = by == BY_PORT || by == BY_NEIGHBOUR;
    uint32_t index = whole ? instance : instance / 100;
    struct plan_end far;
    at->sensor = whole ? 0 : instance % 100;
    if (by == BY_SCALAR)
        return instance == 0;
    if (at->sensor > RESPONDER_SENSORS || (by == BY_SENSOR && at->sensor == 0))
        return false;
    for (int32_t i = w->plan->switches.at[at->sw].first_port; i >= 0; i = w->plan->ports.at[i].next)
        if (w->plan->ports.at[i].if_index == index) {
            at->port = (uint32_t)i;
            if (by == BY_NEIGHBOUR)
                return world_neighbour(w, at->port, &far);
            return at->sensor == 0 || w->plan->ports.at[i].optic >= 0;
        }
    return false;
}

/* The least instance of a kind that is at least `from`: false when there is none. */
static bool
responder_least(struct responder_at *at, enum responder_instances by, uint64_t from,
                uint32_t *ret_instance)
{
    uint32_t ports = at->r->w->plan->switches.at[at->sw].ports;
    uint64_t last = by == BY_SCALAR  ? 0
                    : by < BY_ENTITY ? ports
                                     : (uint64_t)ports * 100 + RESPONDER_SENSORS;
    for (uint64_t i = from; i <= last; i++) {
        if (by >= BY_ENTITY && i % 100 > RESPONDER_SENSORS)
            i += 100 - i % 100;
        if (responder_locate(at, by, (uint32_t)i)) {
            *ret_instance = (uint32_t)i;
            return true;
        }
    }
    return false;
}

static bool
responder_under(const struct ber_oid *column, const struct ber_oid *o)
{
    return o->len > column->len && memcmp(o->at, column->at, column->len * sizeof o->at[0]) == 0;
}

/* Finds the object asked for, or the next one behind it; *o becomes its name. NULL: none. */
static const struct responder_column *
responder_find(struct responder_at *at, struct ber_oid *o, bool next)
{
    for (size_t c = 0; c < RESPONDER_COLUMNS; c++) {
        struct ber_oid column;
        uint32_t instance = 0;
        ber_oid_parse(responder_columns[c].oid, &column);
        bool under = responder_under(&column, o);
        size_t more = responder_columns[c].by == BY_NEIGHBOUR ? 2 : 1;
        if (!next) {
            if (under && o->len == column.len + more && (more == 1 || o->at[column.len + 1] == 1) &&
                responder_locate(at, responder_columns[c].by, o->at[column.len]))
                return &responder_columns[c];
            continue;
        }
        if (!under && ber_oid_compare(&column, o) < 0)
            continue;
        uint64_t past = more == 1 || (o->len > column.len + 1 && o->at[column.len + 1] > 0);
        if (responder_least(at, responder_columns[c].by,
                            under ? (uint64_t)o->at[column.len] + past : 0, &instance)) {
            *o = column;
            o->at[o->len++] = instance;
            if (more == 2)
                o->at[o->len++] = 1;
            return &responder_columns[c];
        }
    }
    return NULL;
}

struct responder_bind {
    struct ber_oid oid;
    const struct responder_column *column;
    struct responder_at at;
    uint8_t missing;
};

static unsigned
responder_collect(struct responder *r, uint32_t sw, struct snmpmsg *q, struct responder_bind *binds)
{
    unsigned n = 0, rounds = 1;
    size_t estimate = 0;
    if (q->pdu == BER_GETBULK)
        rounds = q->repeat_max < 1 ? 1 : q->repeat_max > 128 ? 128 : (unsigned)q->repeat_max;
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < q->count; i++) {
            if (round > 0 && i < (unsigned)(q->repeat_skip < 0 ? 0 : q->repeat_skip))
                continue;
            struct responder_bind *b = &binds[n];
            if (n == RESPONDER_BINDS_MAX ||
                estimate >
                    1300) /* a datagram within one frame: what does not fit is asked for again */
                return n;
            *b = (struct responder_bind){.at = {.r = r, .sw = sw}};
            b->column = responder_find(&b->at, &q->binds[i], q->pdu != BER_GET);
            b->missing = q->pdu == BER_GET ? BER_NO_INSTANCE : BER_END_OF_MIB;
            b->oid = q->binds[i];
            estimate += q->pdu == BER_GETBULK ? 34 : 0;
            n++;
        }
    return n;
}

static int64_t
responder_choose(const struct responder *r, const char *community)
{
    char name[160];
    const char *at = strchr(community, '@');
    snprintf(name, sizeof name, "switch:%s", at == NULL ? community : at + 1);
    return plan_find(r->w->plan, name);
}

int
responder_answer(struct responder *r, int64_t sw, const uint8_t *request, size_t len,
                 uint8_t *memory, size_t size, const uint8_t **ret_at)
{
    struct snmpmsg q;
    struct ber_writer out;
    r->requests++;
    if (!snmpmsg_parse(request, len, &q) ||
        (q.pdu != BER_GET && q.pdu != BER_GETNEXT && q.pdu != BER_GETBULK)) {
        r->refused++;
        return 0;
    }
    int64_t named = responder_choose(r, q.community);
    sw = named >= 0 ? named : sw;
    if (sw < 0 || r->w->switch_down[sw])
        return 0;
    if (r->w->now_ms - r->w->switches[sw].sampled_ms >= 1000)
        world_sample_switch(r->w, (uint32_t)sw);
    struct responder_bind *binds = malloc(RESPONDER_BINDS_MAX * sizeof *binds);
    if (binds == NULL)
        return 0;
    unsigned n = responder_collect(r, (uint32_t)sw, &q, binds);
    ber_write_init(&out, memory, size);
    while (n > 0) {
        struct responder_bind *b = &binds[--n];
        size_t mark = ber_written(&out);
        if (b->column != NULL)
            b->column->value(&out, &b->at);
        else
            ber_write_head(&out, b->missing, 0);
        snmpmsg_bind(&out, &b->oid, mark);
    }
    free(binds);
    snmpmsg_answer(&out, &q, 0, 0);
    *ret_at = out.at;
    return out.failed ? 0 : (int)ber_written(&out);
}

int
responder_open(struct world *w, unsigned port, struct responder **ret, struct err *err)
{
    struct responder *r = calloc(1, sizeof *r);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof a;
    int on = 1;
    if (r == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the SNMP responder");
    r->w = w;
    r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0 || setsockopt(r->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
        bind(r->fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(r->fd, (struct sockaddr *)&a, &len) < 0) {
        int rc = err_set_errno(err, "the SNMP responder cannot listen on UDP port %u", port);
        responder_close(r);
        return rc;
    }
    r->port = ntohs(a.sin_port);
    *ret = r;
    return 0;
}

int
responder_fd(const struct responder *r)
{
    return r->fd;
}

unsigned
responder_port(const struct responder *r)
{
    return r->port;
}

void
responder_close(struct responder *r)
{
    if (r == NULL)
        return;
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

static struct in_pktinfo *
responder_pktinfo(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            return (struct in_pktinfo *)(void *)CMSG_DATA(c);
    return NULL;
}

static int64_t
responder_by_address(const struct responder *r, struct in_addr a)
{
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &a, text, sizeof text);
    for (uint32_t i = 0; i < r->w->plan->switches.count; i++)
        if (strcmp(r->w->plan->switches.at[i].address, text) == 0)
            return i;
    return -1;
}

static bool
responder_one(struct responder *r)
{
    static const uint8_t loopback = 127;
    uint8_t in[4096], *memory;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct sockaddr_in peer;
    struct iovec io = {in, sizeof in};
    struct msghdr m = {.msg_name = &peer,
                       .msg_namelen = sizeof peer,
                       .msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    ssize_t n = recvmsg(r->fd, &m, 0);
    if (n < 0)
        return errno == EINTR;
    struct in_pktinfo *info = responder_pktinfo(&m);
    if (info == NULL || (ntohl(info->ipi_addr.s_addr) >> 24) != loopback ||
        (memory = malloc(RESPONDER_MESSAGE_MAX)) == NULL)
        return true; /* asked from outside this machine: not for us */
    const uint8_t *at;
    int len = responder_answer(r, responder_by_address(r, info->ipi_addr), in, (size_t)n, memory,
                               RESPONDER_MESSAGE_MAX, &at);
    if (len > 0) {
        info->ipi_spec_dst = info->ipi_addr;
        info->ipi_ifindex = 0;
        io = (struct iovec){(void *)(uintptr_t)at, (size_t)len};
        (void)sendmsg(r->fd, &m, 0);
    }
    free(memory);
    return true;
}

void
responder_run(struct responder *r)
{
    for (int i = 0; i < 2000 && responder_one(r); i++)
        continue;
}
