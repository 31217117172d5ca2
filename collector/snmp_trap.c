/* snmp_trap: a trap is an event with code trap.OID at once, a log line that says it in words, and a
 * poll of its switch, since traps are hints and counters are facts.
 *
 * The lines of link, start and neighbour traps are worded as switches word them in their own logs,
 * so that whoever reads logs reads traps. Source: RFC 3418, RFC 2863, RFC 4273. */
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "collector/snmp_in.h"
#include "store/topo.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define SNMP_TRAP_TEXT   2048
#define SNMP_TRAP_FIELDS 65536

enum snmp_trap_kind {
    OTHER,
    COLD_START,
    WARM_START,
    LINK_DOWN,
    LINK_UP,
    AUTH_FAILED,
    BGP_DOWN,
    BGP_UP
};

static const struct {
    const char *oid;
    enum snmp_trap_kind kind;
    enum severity severity;
    const char *name;
} snmp_trap_rows[] = {
    {"1.3.6.1.6.3.1.1.5.1", COLD_START, SEVERITY_WARNING, "coldStart"},
    {"1.3.6.1.6.3.1.1.5.2", WARM_START, SEVERITY_WARNING, "warmStart"},
    {"1.3.6.1.6.3.1.1.5.3", LINK_DOWN, SEVERITY_WARNING, "linkDown"},
    {"1.3.6.1.6.3.1.1.5.4", LINK_UP, SEVERITY_INFO, "linkUp"},
    {"1.3.6.1.6.3.1.1.5.5", AUTH_FAILED, SEVERITY_INFO, "authenticationFailure"},
    {"1.3.6.1.2.1.15.7.1", BGP_UP, SEVERITY_INFO, "bgpEstablished"},
    {"1.3.6.1.2.1.15.7.2", BGP_DOWN, SEVERITY_WARNING, "bgpBackwardTransition"},
    {"1.3.6.1.2.1.47.2.0.1", OTHER, SEVERITY_INFO, "entConfigChange"},
};

struct snmp_trap {
    const struct snmpc_trap *raw;
    struct snmp_target *target; /* NULL: polled by nobody */
    char entity[ENTITY_SIZE];   /* of the switch */
    const char *name;           /* its name without kind */
    enum snmp_trap_kind kind;
    enum severity severity;
    const char *word;
    char oid[256];
    char port[128];
    uint32_t index; /* ifIndex; 0: of no port */
};

/* The first value whose object lies under this name; NULL. */
static const struct snmpc_value *
snmp_trap_value(const struct snmpc_trap *raw, const char *oid)
{
    struct snmpc_oid prefix;
    snmpc_oid_parse(oid, &prefix);
    for (size_t i = 0; i < raw->count; i++)
        if (snmpc_oid_prefix(&raw->values[i].oid, &prefix))
            return &raw->values[i];
    return NULL;
}

/* --- whose it is ---------------------------------------------------------------------------------
 */

/* The one target at an address; several share it in front of a proxy, then none is meant. */
static struct snmp_target *
snmp_trap_at(struct snmp *s, const char *address)
{
    struct snmp_target *found = NULL;
    for (size_t i = 0; i < s->target_count; i++)
        if (!strcmp(s->targets[i].host, address)) {
            if (found)
                return NULL;
            found = &s->targets[i];
        }
    return found;
}

static struct snmp_target *
snmp_trap_named(struct snmp *s, const char *name)
{
    for (size_t i = 0; i < s->target_count; i++)
        if (!strcmp(s->targets[i].conf->name, name))
            return &s->targets[i];
    return NULL;
}

static bool
snmp_trap_resolve(struct snmp *s, struct snmp_trap *t, const char *host)
{
    if (!*host)
        return false;
    struct topo *topo = topo_get(s->env.store);
    bool known = !topo_resolve_host(topo, host, t->entity);
    topo_put(topo);
    if (known)
        t->target = snmp_trap_named(s, strchr(t->entity, ':') + 1);
    else if ((t->target = snmp_trap_at(s, host)) || (t->target = snmp_trap_named(s, host)))
        known = !entity_format(t->entity, ENTITY_SWITCH, t->target->conf->name, NULL);
    return known;
}

/* By what the trap says of its sender (RFC 3584: snmpTrapAddress; sysName), then by where it came
 * from; a stranger is known by its address. */
static void
snmp_trap_sender(struct snmp *s, struct snmp_trap *t)
{
    char text[64] = "";
    const struct snmpc_value *v = snmp_trap_value(t->raw, "1.3.6.1.6.3.18.1.3.0");
    if (v && v->kind == SNMPC_ADDRESS)
        inet_ntop(AF_INET, v->text, text, sizeof text);
    bool known = snmp_trap_resolve(s, t, text);
    if (!known && (v = snmp_trap_value(t->raw, "1.3.6.1.2.1.1.5.0")))
        known = snmp_trap_resolve(s, t, snmpc_value_text(v, text, sizeof text));
    known = known || (strcmp(t->raw->agent, "0.0.0.0") && snmp_trap_resolve(s, t, t->raw->agent)) ||
            snmp_trap_resolve(s, t, t->raw->source);
    if (!known && entity_format(t->entity, ENTITY_SWITCH, t->raw->source, NULL))
        str_copy(t->entity, sizeof t->entity, "cluster:site");
    t->name = strchr(t->entity, ':') + 1;
}

/* --- what it says --------------------------------------------------------------------------------
 */

/* The ifIndex that a trap speaks of: the value, or the row of any column of the interfaces. */
static uint32_t
snmp_trap_index(const struct snmpc_trap *raw)
{
    static const char *const tables[] = {"1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"};
    const struct snmpc_value *v = snmp_trap_value(raw, "1.3.6.1.2.1.2.2.1.1");
    if (v && snmpc_value_number(v) > 0)
        return (uint32_t)snmpc_value_number(v);
    for (size_t i = 0; i < 2; i++)
        if ((v = snmp_trap_value(raw, tables[i])) && v->oid.len > 2)
            return v->oid.at[v->oid.len - 1];
    return 0;
}

static void
snmp_trap_port(struct snmp_trap *t)
{
    const struct snmpc_value *v = snmp_trap_value(t->raw, "1.3.6.1.2.1.31.1.1.1.1");
    if (!v)
        v = snmp_trap_value(t->raw, "1.3.6.1.2.1.2.2.1.2");
    t->index = snmp_trap_index(t->raw);
    if (v && *snmpc_value_text(v, t->port, sizeof t->port))
        return;
    const struct snmp_port *p = t->target && t->index ? snmp_poll_port(t->target, t->index) : NULL;
    if (p && p->name != SNMP_NO_NAME)
        str_copy(t->port, sizeof t->port, t->target->names[p->name].name);
    else if (t->index && (t->kind == LINK_DOWN || t->kind == LINK_UP))
        snprintf(t->port, sizeof t->port, "ifIndex-%u", t->index);
}

static void
snmp_trap_peer(const struct snmp_trap *t, char out[64])
{
    const struct snmpc_value *v = snmp_trap_value(t->raw, "1.3.6.1.2.1.15.3.1");
    str_copy(out, 64, "unknown");
    if (v && v->oid.len >= 4) /* the table's index is the neighbour's address */
        snprintf(out, 64, "%u.%u.%u.%u", v->oid.at[v->oid.len - 4], v->oid.at[v->oid.len - 3],
                 v->oid.at[v->oid.len - 2], v->oid.at[v->oid.len - 1]);
}

static void
snmp_trap_link(const struct snmp_trap *t, char *out, size_t size)
{
    const struct snmpc_value *admin = snmp_trap_value(t->raw, "1.3.6.1.2.1.2.2.1.7");
    const char *port = *t->port ? t->port : "unknown";
    if (t->kind == LINK_DOWN && admin && snmpc_value_number(admin) == 2)
        snprintf(out, size,
                 "%%LINK-5-CHANGED: Interface %s, changed state to administratively down", port);
    else
        snprintf(out, size, "%%LINK-3-UPDOWN: Interface %s, changed state to %s", port,
                 t->kind == LINK_DOWN ? "down" : "up");
}

static void
snmp_trap_line(const struct snmp_trap *t, char *out, size_t size)
{
    char text[128], name[SNMPC_OID_MAX * 4];
    size_t n;
    switch (t->kind) {
    case LINK_DOWN:
    case LINK_UP:
        snmp_trap_link(t, out, size);
        return;
    case COLD_START:
    case WARM_START:
        snprintf(out, size, "%%SYS-5-RESTART: System restarted (%s trap)", t->word);
        return;
    case BGP_DOWN:
    case BGP_UP:
        snmp_trap_peer(t, text);
        snprintf(out, size, "%%BGP-5-ADJCHANGE: neighbor %s %s", text,
                 t->kind == BGP_UP ? "Up" : "Down");
        return;
    default:
        break;
    }
    n = (size_t)snprintf(out, size, "SNMP trap %s%s%s", t->oid, *t->word ? " " : "", t->word);
    for (size_t i = 0; i < t->raw->count && n < size; i++) {
        const struct snmpc_value *v = &t->raw->values[i];
        snmpc_oid_format(&v->oid, name, sizeof name);
        if (!strcmp(name, "1.3.6.1.2.1.1.3.0") || !strcmp(name, "1.3.6.1.6.3.1.1.4.1.0"))
            continue;
        if (v->kind == SNMPC_TEXT)
            n += (size_t)snprintf(out + n, size - n, ", %s=\"%s\"", name,
                                  snmpc_value_text(v, text, sizeof text));
        else if (v->kind == SNMPC_INT || v->kind == SNMPC_COUNT)
            n += (size_t)snprintf(out + n, size - n, ", %s=%.0f", name, snmpc_value_number(v));
    }
}

static void
snmp_trap_fields(const struct snmp_trap *t, struct buf *out)
{
    struct jsonw w;
    char name[SNMPC_OID_MAX * 4], text[256];
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "oid", t->oid);
    if (*t->port)
        jsonw_kstr(&w, "port", t->port);
    for (size_t i = 0; i < t->raw->count; i++) {
        const struct snmpc_value *v = &t->raw->values[i];
        snmpc_oid_format(&v->oid, name, sizeof name);
        if (v->kind == SNMPC_TEXT)
            jsonw_kstr(&w, name, snmpc_value_text(v, text, sizeof text));
        else if (v->kind == SNMPC_INT)
            jsonw_kint(&w, name, v->i);
        else if (v->kind == SNMPC_COUNT)
            jsonw_kint(&w, name, (int64_t)v->u);
    }
    jsonw_end_object(&w);
}

/* --- taking it -----------------------------------------------------------------------------------
 */

static bool
snmp_trap_admitted(const struct snmp *s, const struct snmpc_trap *raw)
{
    const struct conf_strs *known = &s->conf->trap.communities;
    if (*raw->user || !known->count) /* of a user, the library has checked the password */
        return true;
    for (size_t i = 0; i < known->count; i++)
        if (!strcmp(known->at[i], raw->community))
            return true;
    return false;
}

static void
snmp_trap_store(struct snmp *s, const struct snmp_trap *t)
{
    char text[SNMP_TRAP_TEXT], entity[ENTITY_SIZE], code[EVENT_CODE_MAX + 1];
    struct buf fields;
    int64_t now = clock_now_ms(store_clock(s->env.store));
    struct store_batch *b = store_batch_new(s->env.store);
    if (!b)
        return;
    buf_init(&fields, SNMP_TRAP_FIELDS);
    snmp_trap_fields(t, &fields);
    snmp_trap_line(t, text, sizeof text);
    bool of_switch = entity_kind_of(t->entity) == ENTITY_SWITCH;
    if (!*t->port || !of_switch || entity_format(entity, ENTITY_PORT, t->name, t->port))
        str_copy(entity, sizeof entity, t->entity);
    snprintf(code, sizeof code, "trap.%.120s", t->oid);
    struct event ev = {.time_ms = now,
                       .phase = EVENT_INSTANT,
                       .severity = t->severity,
                       .entity = entity,
                       .code = code,
                       .source = "snmp-trap",
                       .text = text,
                       .node = t->name,
                       .job = "",
                       .tenant = "",
                       .fields = fields.failed ? "" : buf_str(&fields)};
    struct log_line line = {.time_ms = now,
                            .severity = t->severity,
                            .node = t->name,
                            .job = "",
                            .source = "snmp-trap",
                            .tenant = "",
                            .rank = -1,
                            .text = text};
    uint64_t n = store_batch_event(b, &ev) >= 0;
    n += store_batch_log(b, &line) >= 0;
    buf_done(&fields);
    inlet_submit(s->traps, b, n);
}

void
snmp_trap_take(void *ctx, const struct snmpc_trap *raw)
{
    struct snmp *s = ctx;
    struct snmp_trap t = {.raw = raw, .kind = OTHER, .severity = SEVERITY_INFO, .word = ""};
    if (!snmp_trap_admitted(s, raw)) {
        inlet_lost(s->traps, "community", 1);
        return;
    }
    if (!raw->kind.len) {
        inlet_lost(s->traps, "ill-formed", 1);
        return;
    }
    snmpc_oid_format(&raw->kind, t.oid, sizeof t.oid);
    for (size_t i = 0; i < sizeof snmp_trap_rows / sizeof *snmp_trap_rows; i++)
        if (!strcmp(snmp_trap_rows[i].oid, t.oid)) {
            t.kind = snmp_trap_rows[i].kind;
            t.severity = snmp_trap_rows[i].severity;
            t.word = snmp_trap_rows[i].name;
        }
    snmp_trap_sender(s, &t);
    snmp_trap_port(&t);
    snmp_trap_store(s, &t);
    if (t.target)
        snmp_poll_soon(t.target, t.index);
}
