/* snmp_lldp: who is at the other end of each port, as a series lldp_neighbor_info a neighbour. Read
 * with each discovery and when the switch says that its neighbours changed. Source: IEEE 802.1AB,
 * 11.5 (LLDP-MIB). */
#include "base/str.h"
#include "collector/snmp_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_NEIGHBOURS_MAX 8192u

/* Subtypes of chassis and port ids. */
enum { CHASSIS_MAC = 4, PORT_MAC = 3 };

/* --- names of the switch's own ports ------------------------------------------------------------
 */

static const struct snmp_port *
snmp_lldp_named(const struct snmp_target *t, const char *text)
{
    for (size_t i = 0; *text && i < t->port_count; i++) {
        uint32_t name = t->ports[i].name;
        if (name != SNMP_NO_NAME &&
            (!strcmp(t->names[name].name, text) || !strcmp(t->names[name].descr, text)))
            return &t->ports[i];
    }
    return NULL;
}

/* LLDP counts ports in its own way: the id or the description names one, else the number is the
 * ifIndex. */
static void
snmp_lldp_local_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                     const struct snmpc_value *v)
{
    struct snmp_target *t = ctx;
    char text[128];
    (void)column;
    if (len != 1 || v->kind != SNMPC_TEXT)
        return;
    const struct snmp_port *port = snmp_lldp_named(t, snmpc_value_text(v, text, sizeof text));
    struct snmp_place *p = port ? snmp_poll_row((void **)&t->local, &t->local_count, &t->local_room,
                                                sizeof *t->local, index[0])
                                : NULL;
    if (p && !p->port)
        *p = (struct snmp_place){index[0], port->name, true};
}

int
snmp_lldp_local(struct snmp_target *t)
{
    static const char *const columns[] = {"1.0.8802.1.1.2.1.3.7.1.3", "1.0.8802.1.1.2.1.3.7.1.4"};
    if (!t->lldp || !t->has_lldp)
        return 1;
    t->local_count = t->found_count = 0;
    return snmp_poll_walk(t, columns, 2, snmp_lldp_local_cell);
}

static uint32_t
snmp_lldp_port(const struct snmp_target *t, uint32_t number)
{
    for (size_t i = 0; i < t->local_count; i++)
        if (t->local[i].entity == number)
            return t->local[i].name;
    const struct snmp_port *p = snmp_poll_port(t, number);
    return p ? p->name : SNMP_NO_NAME;
}

/* --- neighbours ---------------------------------------------------------------------------------
 */

static struct snmp_neighbour *
snmp_lldp_row(struct snmp_target *t, const uint32_t *index)
{
    for (size_t i = t->found_count; i-- > 0;) /* the last ones first: cells come row by row */
        if (!memcmp(t->found[i].key, index, sizeof t->found[i].key))
            return &t->found[i];
    if (t->found_count == t->found_room) {
        size_t more = t->found_room ? 2 * t->found_room : 16;
        void *p = more > SNMP_NEIGHBOURS_MAX ? NULL : realloc(t->found, more * sizeof *t->found);
        if (!p)
            return NULL;
        t->found = p;
        t->found_room = more;
    }
    struct snmp_neighbour *n = &t->found[t->found_count++];
    memset(n, 0, sizeof *n);
    memcpy(n->key, index, sizeof n->key);
    n->name = snmp_lldp_port(t, index[1]);
    return n;
}

/* An id as text: a hardware address in its usual form. */
static void
snmp_lldp_id(const struct snmpc_value *v, bool mac, char *out, size_t size)
{
    if (!mac || v->kind != SNMPC_TEXT || v->len != 6)
        snmpc_value_text(v, out, size);
    else
        snprintf(out, size, "%02x:%02x:%02x:%02x:%02x:%02x", v->text[0], v->text[1], v->text[2],
                 v->text[3], v->text[4], v->text[5]);
}

static void
snmp_lldp_remote_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                      const struct snmpc_value *v)
{
    struct snmp_neighbour *n = len == 3 ? snmp_lldp_row(ctx, index) : NULL;
    if (!n)
        return;
    switch (column) {
    case 0:
        n->chassis_kind = (int)v->i;
        break;
    case 1:
        snmp_lldp_id(v, n->chassis_kind == CHASSIS_MAC, n->chassis, sizeof n->chassis);
        break;
    case 2:
        n->id_kind = (int)v->i;
        break;
    case 3:
        snmp_lldp_id(v, n->id_kind == PORT_MAC, n->id, sizeof n->id);
        break;
    case 4:
        snmpc_value_text(v, n->descr, sizeof n->descr);
        break;
    default:
        snmpc_value_text(v, n->system, sizeof n->system);
    }
}

/* --- a reading ----------------------------------------------------------------------------------
 */

static bool
snmp_lldp_same(const struct snmp_neighbour *a, const struct snmp_neighbour *b)
{
    return a->name == b->name && !strcmp(a->chassis, b->chassis) && !strcmp(a->id, b->id) &&
           !strcmp(a->descr, b->descr) && !strcmp(a->system, b->system);
}

static bool
snmp_lldp_has(const struct snmp_neighbour *list, size_t count, const struct snmp_neighbour *n)
{
    for (size_t i = 0; i < count; i++)
        if (snmp_lldp_same(&list[i], n))
            return true;
    return false;
}

/* Written at each poll of sensors, as what looks for them looks back five minutes. */
static void
snmp_lldp_write(struct snmp_target *t)
{
    for (size_t i = 0; i < t->neighbour_count; i++)
        snmp_series_neighbour(t, &t->neighbours[i], 1);
}

static void
snmp_lldp_walked(void *ctx, int rc)
{
    struct snmp_target *t = ctx;
    if (!rc) {
        for (size_t i = 0; i < t->neighbour_count; i++)
            if (!snmp_lldp_has(t->found, t->found_count, &t->neighbours[i]))
                snmp_series_neighbour(t, &t->neighbours[i], sample_stale());
        free(t->neighbours);
        void *least = t->found_count ? realloc(t->found, t->found_count * sizeof *t->found) : NULL;
        t->neighbours = least ? least : t->found;
        t->neighbour_count = t->found_count;
        t->found = NULL;
        t->found_count = t->found_room = 0;
        snmp_lldp_write(t);
    }
    snmp_poll_step(t, rc);
}

int
snmp_lldp_remote(struct snmp_target *t)
{
    static const char *const columns[] = {"1.0.8802.1.1.2.1.4.1.1.4", "1.0.8802.1.1.2.1.4.1.1.5",
                                          "1.0.8802.1.1.2.1.4.1.1.6", "1.0.8802.1.1.2.1.4.1.1.7",
                                          "1.0.8802.1.1.2.1.4.1.1.8", "1.0.8802.1.1.2.1.4.1.1.9"};
    if (t->port)
        return 1;
    if (!t->lldp || !(t->has_lldp || t->neighbour_count)) {
        if (t->due[SNMP_SENSORS])
            snmp_lldp_write(t);
        return 1;
    }
    int rc = snmp_poll_walk(t, columns, 6, snmp_lldp_remote_cell);
    t->walk->done = snmp_lldp_walked;
    return rc;
}

void
snmp_lldp_gone(struct snmp_target *t)
{
    for (size_t i = 0; i < t->neighbour_count; i++)
        snmp_series_neighbour(t, &t->neighbours[i], sample_stale());
    free(t->neighbours);
    t->neighbours = NULL;
    t->neighbour_count = 0;
    t->discovery_due_us = 0; /* all is learnt anew when it answers again */
}

void
snmp_lldp_done(struct snmp_target *t)
{
    free(t->neighbours);
    free(t->found);
    free(t->local);
}
