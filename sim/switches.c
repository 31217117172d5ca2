/* switches: one sorted table of names for all, found by halving; a value is computed from its
 * column, its port, the switch's number and the time.
 *
 * Always true: table rows are in the order of their OIDs; a hidden port's rows are skipped. */
#include "sim/switches.h"
#include "sim/snmpmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWITCHES_PORTS_MAX 512u
#define SWITCHES_SENSORS   6u /* a port: temperature, volts, light in and out of two lanes, bias */
#define SWITCHES_ROUNDS    128u
#define SWITCHES_LATE_MAX  64u
#define SWITCHES_PUT_MAX   1024u /* objects of makers */
#define SWITCHES_MESSAGE   1400u
#define SWITCHES_TICK_MS   10.0 /* TimeTicks are hundredths of a second */

enum switches_column {
    DESCR,
    UP_TIME,
    ENGINE,
    SYS_NAME,
    CHANGED,
    IF_DESCR,
    IF_ADMIN,
    IF_OPER,
    IF_LAST_CHANGE,
    IF_IN_DISCARDS,
    IF_IN_ERRORS,
    IF_OUT_DISCARDS,
    IF_OUT_ERRORS,
    IF_NAME,
    IF_IN_OCTETS,
    IF_OUT_OCTETS,
    IF_SPEED,
    ENT_DESCR,
    ENT_INSIDE,
    ENT_CLASS,
    ENT_NAME,
    SENSOR_TYPE,
    SENSOR_SCALE,
    SENSOR_PRECISION,
    SENSOR_VALUE,
    SENSOR_STATUS,
    LLDP_LOCAL,
    LLDP_CHASSIS_KIND,
    LLDP_CHASSIS,
    LLDP_PORT_KIND,
    LLDP_PORT,
    LLDP_PORT_DESCR,
    LLDP_SYSTEM,
    PUT
};

/* Instances: 0; ifIndex; ifIndex * 100 and its sensors behind it; LLDP's own. */
enum switches_by { BY_NOTHING, BY_PORT, BY_ENTITY, BY_SENSOR, BY_NEIGHBOUR };

static const struct {
    const char *oid;
    enum switches_column column;
    enum switches_by by;
} switches_columns[] = {
    {"1.0.8802.1.1.2.1.2.1", CHANGED, BY_NOTHING},
    {"1.0.8802.1.1.2.1.3.7.1.3", LLDP_LOCAL, BY_PORT},
    {"1.0.8802.1.1.2.1.4.1.1.4", LLDP_CHASSIS_KIND, BY_NEIGHBOUR},
    {"1.0.8802.1.1.2.1.4.1.1.5", LLDP_CHASSIS, BY_NEIGHBOUR},
    {"1.0.8802.1.1.2.1.4.1.1.6", LLDP_PORT_KIND, BY_NEIGHBOUR},
    {"1.0.8802.1.1.2.1.4.1.1.7", LLDP_PORT, BY_NEIGHBOUR},
    {"1.0.8802.1.1.2.1.4.1.1.8", LLDP_PORT_DESCR, BY_NEIGHBOUR},
    {"1.0.8802.1.1.2.1.4.1.1.9", LLDP_SYSTEM, BY_NEIGHBOUR},
    {"1.3.6.1.2.1.1.1", DESCR, BY_NOTHING},
    {"1.3.6.1.2.1.1.3", UP_TIME, BY_NOTHING},
    {"1.3.6.1.2.1.1.5", SYS_NAME, BY_NOTHING},
    {"1.3.6.1.2.1.2.2.1.2", IF_DESCR, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.7", IF_ADMIN, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.8", IF_OPER, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.9", IF_LAST_CHANGE, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.13", IF_IN_DISCARDS, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.14", IF_IN_ERRORS, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.19", IF_OUT_DISCARDS, BY_PORT},
    {"1.3.6.1.2.1.2.2.1.20", IF_OUT_ERRORS, BY_PORT},
    {"1.3.6.1.2.1.31.1.1.1.1", IF_NAME, BY_PORT},
    {"1.3.6.1.2.1.31.1.1.1.6", IF_IN_OCTETS, BY_PORT},
    {"1.3.6.1.2.1.31.1.1.1.10", IF_OUT_OCTETS, BY_PORT},
    {"1.3.6.1.2.1.31.1.1.1.15", IF_SPEED, BY_PORT},
    {"1.3.6.1.2.1.31.1.5", CHANGED, BY_NOTHING},
    {"1.3.6.1.2.1.47.1.1.1.1.2", ENT_DESCR, BY_ENTITY},
    {"1.3.6.1.2.1.47.1.1.1.1.4", ENT_INSIDE, BY_ENTITY},
    {"1.3.6.1.2.1.47.1.1.1.1.5", ENT_CLASS, BY_ENTITY},
    {"1.3.6.1.2.1.47.1.1.1.1.7", ENT_NAME, BY_ENTITY},
    {"1.3.6.1.2.1.47.1.4.1", CHANGED, BY_NOTHING},
    {"1.3.6.1.2.1.99.1.1.1.1", SENSOR_TYPE, BY_SENSOR},
    {"1.3.6.1.2.1.99.1.1.1.2", SENSOR_SCALE, BY_SENSOR},
    {"1.3.6.1.2.1.99.1.1.1.3", SENSOR_PRECISION, BY_SENSOR},
    {"1.3.6.1.2.1.99.1.1.1.4", SENSOR_VALUE, BY_SENSOR},
    {"1.3.6.1.2.1.99.1.1.1.5", SENSOR_STATUS, BY_SENSOR},
    {"1.3.6.1.6.3.10.2.1.3", ENGINE, BY_NOTHING},
};
#define SWITCHES_COLUMNS (sizeof switches_columns / sizeof *switches_columns)

/* ENTITY-SENSOR-MIB: type (light is in watts), scale, precision, value. */
static const struct {
    const char *what;
    int type, scale, precision, value;
} switches_sensors[SWITCHES_SENSORS] = {
    {"DOM Temperature Sensor for %s", 8, 9, 1, 455},
    {"DOM Voltage Sensor for %s", 4, 9, 2, 331},
    {"DOM RX Power Sensor for %s Lane 1", 6, 7, 1, 5000},
    {"DOM RX Power Sensor for %s Lane 2", 6, 7, 1, 4900},
    {"DOM TX Power Sensor for %s Lane 1", 6, 7, 1, 9000},
    {"DOM TX Bias Sensor for %s Lane 1", 5, 8, 2, 650},
};

struct switches_row {
    struct ber_oid oid;
    uint16_t column;
    uint16_t sensor;
    uint32_t port; /* 1... ; 0: none */
    int64_t number;
    const char *text; /* of PUT */
};
struct switches_late {
    struct sockaddr_in peer;
    int64_t due_ms;
    size_t len;
    uint8_t message[2048];
};
struct switches {
    struct switches_config conf;
    int fd;
    unsigned port;
    struct switches_row *rows;
    size_t count, room;
    enum switches_lie lie;
    uint32_t hidden, cables[2], changed, up_from;
    bool reversed;
    int64_t start_ms;
    uint64_t values, asks;
    struct switches_late *late;
    size_t late_count;
    uint32_t flood;
};

/* --- the table ----------------------------------------------------------------------------------
 */

static void
switches_row_add(struct switches *s, size_t c, uint32_t port, unsigned sensor)
{
    struct switches_row *r = &s->rows[s->count++];
    *r = (struct switches_row){
        .column = (uint16_t)switches_columns[c].column, .port = port, .sensor = (uint16_t)sensor};
    ber_oid_parse(switches_columns[c].oid, &r->oid);
    switch (switches_columns[c].by) {
    case BY_NOTHING:
        r->oid.at[r->oid.len++] = 0;
        break;
    case BY_PORT:
        r->oid.at[r->oid.len++] = port;
        break;
    case BY_NEIGHBOUR:
        r->oid.at[r->oid.len++] = 0;
        r->oid.at[r->oid.len++] = port;
        r->oid.at[r->oid.len++] = 1;
        break;
    default:
        r->oid.at[r->oid.len++] = port * 100 + sensor;
    }
}

static bool
switches_table(struct switches *s)
{
    size_t each = SWITCHES_COLUMNS * (SWITCHES_SENSORS + 1);
    s->room = each * (s->conf.ports + 1) + SWITCHES_PUT_MAX;
    s->rows = calloc(s->room, sizeof *s->rows);
    if (s->rows == NULL)
        return false;
    for (size_t c = 0; c < SWITCHES_COLUMNS; c++) {
        enum switches_by by = switches_columns[c].by;
        if (by == BY_NOTHING)
            switches_row_add(s, c, 0, 0);
        for (uint32_t p = 1; by != BY_NOTHING && p <= s->conf.ports; p++) {
            if (by != BY_SENSOR)
                switches_row_add(s, c, p, 0);
            for (unsigned k = 1; by >= BY_ENTITY && by <= BY_SENSOR && k <= SWITCHES_SENSORS; k++)
                switches_row_add(s, c, p, k);
        }
    }
    return true;
}

static bool
switches_absent(const struct switches *s, const struct switches_row *r)
{
    return (s->hidden && r->port == s->hidden) ||
           (s->lie == SWITCHES_BARE && r->column >= SENSOR_TYPE && r->column <= SENSOR_STATUS);
}

/* The row asked for, or the first behind it; NULL: none. */
static const struct switches_row *
switches_find(const struct switches *s, const struct ber_oid *o, bool next)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = ber_oid_compare(&s->rows[mid].oid, o);
        if (c < 0 || (c == 0 && next))
            lo = mid + 1;
        else
            hi = mid;
    }
    while (next && lo < s->count && switches_absent(s, &s->rows[lo]))
        lo++;
    if (lo == s->count ||
        (!next && (ber_oid_compare(&s->rows[lo].oid, o) || switches_absent(s, &s->rows[lo]))))
        return NULL;
    return &s->rows[lo];
}

/* --- values -------------------------------------------------------------------------------------
 */

static void
switches_text(struct ber_writer *out, const char *format, uint32_t number)
{
    char text[96];
    int n = snprintf(text, sizeof text, format, number);
    ber_write_bytes(out, BER_OCTETS, text, (size_t)n);
}

static uint32_t
switches_named(const struct switches *s, uint32_t port)
{
    return s->lie == SWITCHES_NAMESAKES ? 1 : s->reversed ? s->conf.ports + 1 - port : port;
}

static uint64_t
switches_count(const struct switches *s, uint64_t rate, uint32_t sw, uint32_t port, int64_t now_ms)
{
    uint64_t grown = rate * (uint64_t)(now_ms - s->start_ms) / 1000;
    uint64_t from = (uint64_t)sw * 1000003u + (uint64_t)port * 7919u;
    return s->lie == SWITCHES_BACKWARDS ? 4294967295u - grown % 4000000000u : from + grown;
}

static void
switches_described(struct ber_writer *out, const struct switches *s, const struct switches_row *r)
{
    char name[32], text[96];
    snprintf(name, sizeof name, "Ethernet1/%u", switches_named(s, r->port));
    if (r->sensor == 0) {
        ber_write_bytes(out, BER_OCTETS, name, strlen(name));
        return;
    }
    const char *what = switches_sensors[r->sensor - 1].what, *at = strstr(what, "%s");
    int n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - what), what, name, at + 2);
    ber_write_bytes(out, BER_OCTETS, text, (size_t)n);
}

static void
switches_entity(struct ber_writer *out, const struct switches *s, const struct switches_row *r)
{
    switch (r->column) {
    case ENT_DESCR:
    case ENT_NAME:
        switches_described(out, s, r);
        break;
    case ENT_INSIDE:
        ber_write_int(out, BER_INTEGER, r->sensor ? r->port * 100 : 0);
        break;
    case ENT_CLASS:
        ber_write_int(out, BER_INTEGER, r->sensor ? 8 : 10);
        break;
    case SENSOR_TYPE:
        ber_write_int(out, BER_INTEGER, switches_sensors[r->sensor - 1].type);
        break;
    case SENSOR_SCALE:
        ber_write_int(out, BER_INTEGER, switches_sensors[r->sensor - 1].scale);
        break;
    case SENSOR_PRECISION:
        ber_write_int(out, BER_INTEGER, switches_sensors[r->sensor - 1].precision);
        break;
    case SENSOR_VALUE:
        ber_write_int(out, BER_INTEGER, switches_sensors[r->sensor - 1].value);
        break;
    default:
        ber_write_int(out, BER_INTEGER, 1);
    }
}

/* Port n is cabled to the n-th adapter of a node of the switch's own. */
static void
switches_neighbour(struct ber_writer *out, const struct switches *s, const struct switches_row *r)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 1};
    uint32_t p = switches_named(s, r->port);
    if (p == s->cables[0] || p == s->cables[1])
        p = s->cables[0] + s->cables[1] - p;
    switch (r->column) {
    case LLDP_CHASSIS_KIND:
        ber_write_int(out, BER_INTEGER, 4);
        break;
    case LLDP_CHASSIS:
        ber_write_bytes(out, BER_OCTETS, mac, sizeof mac);
        break;
    case LLDP_PORT_KIND:
        ber_write_int(out, BER_INTEGER, 5);
        break;
    case LLDP_SYSTEM:
        switches_text(out, "node%05u.example.com", p);
        break;
    default:
        switches_text(out, "eth1", p);
    }
}

static void
switches_port_value(struct ber_writer *out, const struct switches *s, const struct switches_row *r,
                    uint32_t sw, int64_t now_ms)
{
    switch (r->column) {
    case IF_DESCR:
    case IF_NAME:
    case LLDP_LOCAL:
        switches_text(out, "Ethernet1/%u", switches_named(s, r->port));
        break;
    case IF_ADMIN:
    case IF_OPER:
        ber_write_int(out, BER_INTEGER, 1);
        break;
    case IF_LAST_CHANGE:
        ber_write_uint(out, BER_TIMETICKS, 1000);
        break;
    case IF_SPEED:
        ber_write_uint(out, BER_GAUGE32, 400000);
        break;
    case IF_IN_OCTETS:
    case IF_OUT_OCTETS:
        ber_write_uint(out, BER_COUNTER64, switches_count(s, 25000000000u, sw, r->port, now_ms));
        break;
    default:
        ber_write_uint(out, BER_COUNTER32,
                       switches_count(s, r->column == IF_OUT_DISCARDS, sw, r->port, now_ms) &
                           0xffffffffu);
    }
}

static void
switches_value(struct ber_writer *out, const struct switches *s, const struct switches_row *r,
               uint32_t sw, int64_t now_ms)
{
    uint64_t up = s->up_from + (uint64_t)((double)(now_ms - s->start_ms) / SWITCHES_TICK_MS);
    if (s->lie == SWITCHES_TYPES && r->column >= IF_DESCR) {
        if (r->column == IF_NAME || r->column == IF_DESCR)
            ber_write_int(out, BER_INTEGER, -1);
        else
            switches_text(out, "many\x01\xff%u", r->port);
        return;
    }
    if (r->column == PUT && r->text)
        ber_write_bytes(out, BER_OCTETS, r->text, strlen(r->text));
    else if (r->column == PUT)
        ber_write_int(out, BER_INTEGER, r->number);
    else if (r->column == DESCR || r->column == SYS_NAME)
        switches_text(out, "switch%u", sw);
    else if (r->column == UP_TIME)
        ber_write_uint(out, BER_TIMETICKS, up & 0xffffffffu);
    else if (r->column == ENGINE)
        ber_write_int(out, BER_INTEGER, (int64_t)(up / 100));
    else if (r->column == CHANGED)
        ber_write_uint(out, BER_TIMETICKS, s->changed);
    else if (r->column >= LLDP_CHASSIS_KIND)
        switches_neighbour(out, s, r);
    else if (r->column >= ENT_DESCR && r->column <= SENSOR_STATUS)
        switches_entity(out, s, r);
    else
        switches_port_value(out, s, r, sw, now_ms);
}

/* --- an answer ----------------------------------------------------------------------------------
 */

struct switches_bind {
    const struct switches_row *row; /* NULL: the end */
    struct ber_oid name;
};

/* The name that a liar gives for the next. */
static void
switches_misname(struct switches *s, const struct ber_oid *asked, struct switches_bind *b)
{
    bool of_port = b->row && b->row->port;
    if (s->lie == SWITCHES_LOOP && of_port)
        b->name = *asked;
    if (s->lie == SWITCHES_BACK && of_port && b->name.at[b->name.len - 1] > 2)
        b->name.at[b->name.len - 1] = 1;
    if (s->lie == SWITCHES_FLOOD && of_port) {
        b->name = *asked;
        if (asked->len < b->row->oid.len)
            b->name = b->row->oid;
        b->name.at[b->name.len - 1] = ++s->flood;
    }
}

static size_t
switches_collect(struct switches *s, struct snmpmsg *q, struct switches_bind *binds, size_t max)
{
    unsigned rounds = 1;
    size_t n = 0, bytes = 0, limit = s->conf.message_max ? s->conf.message_max : SWITCHES_MESSAGE;
    if (q->pdu == BER_GETBULK)
        rounds = q->repeat_max < 1                 ? 1
                 : q->repeat_max > SWITCHES_ROUNDS ? SWITCHES_ROUNDS
                                                   : (unsigned)q->repeat_max;
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < q->count; i++) {
            if (n == max || (q->pdu == BER_GETBULK && bytes + 80 > limit && n > 0))
                return n;
            struct switches_bind *b = &binds[n++];
            b->row = switches_find(s, &q->binds[i], q->pdu != BER_GET);
            b->name = b->row ? b->row->oid : q->binds[i];
            if (q->pdu != BER_GET)
                switches_misname(s, &q->binds[i], b);
            if (b->row)
                q->binds[i] = b->name;
            bytes += 12 + b->name.len + (b->row && b->row->column <= SYS_NAME ? 20 : 8);
        }
    return n;
}

static uint32_t
switches_chosen(const char *community)
{
    const char *p = community + strlen(community);
    while (p > community && p[-1] >= '0' && p[-1] <= '9')
        p--;
    return (uint32_t)strtoul(p, NULL, 10);
}

/* An error that a liar gives instead of values; 0: none. */
static int64_t
switches_error(const struct switches *s, const struct snmpmsg *q)
{
    enum { TOO_BIG = 1, GEN_ERR = 5, MIB_2 = 5, SENSORS = 99, TOO_MANY = 8 };
    int64_t asked = (int64_t)q->count * (q->pdu == BER_GETBULK ? q->repeat_max : 1);
    if (s->lie == SWITCHES_TOO_BIG && asked > TOO_MANY)
        return TOO_BIG;
    if (s->lie == SWITCHES_FAILING && q->count && q->binds[0].len > MIB_2 + 1 &&
        q->binds[0].at[MIB_2 + 1] == SENSORS && q->pdu == BER_GETBULK)
        return GEN_ERR;
    return 0;
}

int
switches_answer(struct switches *s, int64_t now_ms, const uint8_t *request, size_t len,
                uint8_t *memory, size_t size, const uint8_t **ret_at)
{
    struct snmpmsg q;
    struct ber_writer out;
    struct switches_bind binds[512];
    if (!snmpmsg_parse(request, len, &q) ||
        (q.pdu != BER_GET && q.pdu != BER_GETNEXT && q.pdu != BER_GETBULK) ||
        s->lie == SWITCHES_SILENT)
        return 0;
    uint32_t sw = switches_chosen(q.community);
    int64_t error = switches_error(s, &q);
    size_t n = error ? 0 : switches_collect(s, &q, binds, sizeof binds / sizeof *binds);
    s->asks++;
    s->values += n;
    ber_write_init(&out, memory, size);
    while (n-- > 0) {
        size_t mark = ber_written(&out);
        if (binds[n].row)
            switches_value(&out, s, binds[n].row, sw, now_ms);
        else
            ber_write_head(&out, q.pdu == BER_GET ? BER_NO_INSTANCE : BER_END_OF_MIB, 0);
        snmpmsg_bind(&out, &binds[n].name, mark);
    }
    if (s->lie == SWITCHES_OTHER_ID)
        q.id++;
    snmpmsg_answer(&out, &q, error, 0);
    *ret_at = out.at;
    size_t all = ber_written(&out);
    return out.failed ? 0 : (int)(s->lie == SWITCHES_TRUNCATED ? all / 2 : all);
}

/* --- the socket ---------------------------------------------------------------------------------
 */

int
switches_open(const struct switches_config *c, struct switches **ret, struct err *err)
{
    struct switches *s = calloc(1, sizeof *s);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)c->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int room = 4 << 20; /* six hundred switches are asked at once */
    if (s == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the switches");
    s->conf = *c;
    s->conf.ports = c->ports == 0 ? 64 : c->ports;
    s->changed = 1;
    s->up_from = 8640000;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0)
        (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&a, &len) < 0) {
        int rc = err_set_errno(err, "the switches cannot listen on UDP port %u", c->port);
        switches_close(s);
        return rc;
    }
    s->port = ntohs(a.sin_port);
    if (s->conf.ports > SWITCHES_PORTS_MAX || !switches_table(s)) {
        switches_close(s);
        return err_set(err, ERR_LIMIT, "a switch has at most %u ports", SWITCHES_PORTS_MAX);
    }
    *ret = s;
    return 0;
}

void
switches_close(struct switches *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->rows);
    free(s->late);
    free(s);
}

int
switches_fd(const struct switches *s)
{
    return s->fd;
}

unsigned
switches_port(const struct switches *s)
{
    return s->port;
}

uint64_t
switches_values(const struct switches *s)
{
    return s->values;
}

uint64_t
switches_asks(const struct switches *s)
{
    return s->asks;
}

static void
switches_keep(struct switches *s, const struct sockaddr_in *peer, const uint8_t *at, size_t len,
              int64_t now_ms)
{
    if (s->late == NULL)
        s->late = calloc(SWITCHES_LATE_MAX, sizeof *s->late);
    if (s->late == NULL || s->late_count == SWITCHES_LATE_MAX || len > sizeof s->late[0].message)
        return;
    struct switches_late *l = &s->late[s->late_count++];
    l->peer = *peer;
    l->due_ms = now_ms + s->conf.delay_ms;
    l->len = len;
    memcpy(l->message, at, len);
}

static void
switches_send_late(struct switches *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->late_count;) {
        struct switches_late *l = &s->late[i];
        if (l->due_ms > now_ms) {
            i++;
            continue;
        }
        (void)sendto(s->fd, l->message, l->len, 0, (struct sockaddr *)&l->peer, sizeof l->peer);
        *l = s->late[--s->late_count];
    }
}

void
switches_run(struct switches *s, int64_t now_ms)
{
    uint8_t in[4096], memory[65000];
    struct sockaddr_in peer;
    if (s->start_ms == 0)
        s->start_ms = now_ms;
    for (;;) {
        socklen_t plen = sizeof peer;
        const uint8_t *at;
        ssize_t n = recvfrom(s->fd, in, sizeof in, 0, (struct sockaddr *)&peer, &plen);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        int len = switches_answer(s, now_ms, in, (size_t)n, memory, sizeof memory, &at);
        if (len > 0 && s->lie == SWITCHES_LATE)
            switches_keep(s, &peer, at, (size_t)len, now_ms);
        else if (len > 0)
            (void)sendto(s->fd, at, (size_t)len, 0, (struct sockaddr *)&peer, plen);
    }
    switches_send_late(s, now_ms);
}

static int
switches_compare(const void *a, const void *b)
{
    return ber_oid_compare(&((const struct switches_row *)a)->oid,
                           &((const struct switches_row *)b)->oid);
}

int
switches_put(struct switches *s, const char *oid, int64_t number, const char *text)
{
    struct switches_row r = {.column = PUT, .number = number, .text = text};
    if (!ber_oid_parse(oid, &r.oid))
        return ERR_SYNTAX;
    if (s->count == s->room)
        return ERR_LIMIT;
    s->rows[s->count++] = r;
    qsort(s->rows, s->count, sizeof *s->rows, switches_compare);
    return 0;
}

/* --- what it is told ----------------------------------------------------------------------------
 */

void
switches_tell(struct switches *s, enum switches_lie lie)
{
    s->lie = lie;
}

void
switches_hide(struct switches *s, uint32_t if_index)
{
    s->hidden = if_index;
}

void
switches_reverse(struct switches *s)
{
    s->reversed = !s->reversed;
    s->changed++;
}

void
switches_recable(struct switches *s, uint32_t a, uint32_t b)
{
    s->cables[0] = a;
    s->cables[1] = b;
    s->changed++;
}

void
switches_restart(struct switches *s, uint32_t up_time)
{
    s->start_ms = 0;
    s->up_from = up_time;
}
