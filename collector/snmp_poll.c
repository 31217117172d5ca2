/* snmp_poll: one poll of one switch: uptime, interfaces, then sensors, question after question. */
#include "base/clock.h"
#include "base/str.h"
#include "collector/snmp_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_POLL_ROWS_MAX    20000u
#define SNMP_POLL_REPETITIONS 10u
#define SNMP_POLL_NAMES_EVERY 10u

/* The order of value[] in struct snmp_port, behind the two names. */
static const char *const snmp_poll_ports[] = {
    "1.3.6.1.2.1.31.1.1.1.1",  "1.3.6.1.2.1.2.2.1.2",     "1.3.6.1.2.1.2.2.1.7",
    "1.3.6.1.2.1.2.2.1.8",     "1.3.6.1.2.1.31.1.1.1.15", "1.3.6.1.2.1.31.1.1.1.6",
    "1.3.6.1.2.1.31.1.1.1.10", "1.3.6.1.2.1.2.2.1.14",    "1.3.6.1.2.1.2.2.1.20",
    "1.3.6.1.2.1.2.2.1.13",    "1.3.6.1.2.1.2.2.1.19",    "1.3.6.1.2.1.2.2.1.9"};
static const char *const snmp_poll_names[] = {
    "1.3.6.1.2.1.47.1.1.1.1.2", "1.3.6.1.2.1.47.1.1.1.1.7", "1.3.6.1.2.1.47.1.1.1.1.4",
    "1.3.6.1.2.1.47.1.1.1.1.5"};
static const char *const snmp_poll_sensors[] = {"1.3.6.1.2.1.99.1.1.1.1", "1.3.6.1.2.1.99.1.1.1.2",
                                                "1.3.6.1.2.1.99.1.1.1.3", "1.3.6.1.2.1.99.1.1.1.4",
                                                "1.3.6.1.2.1.99.1.1.1.5"};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* The element with this index in a sorted array, made when it is new; NULL at the ceiling. Its
 * index is its first member. */
static void *
snmp_poll_row(void **rows, size_t *count, size_t *room, size_t size, uint32_t index)
{
    size_t lo = 0, hi = *count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        uint32_t at = *(uint32_t *)((char *)*rows + mid * size);
        if (at == index)
            return (char *)*rows + mid * size;
        if (at < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (*count == *room) {
        size_t more = *room ? 2 * *room : 64;
        void *p = more > SNMP_POLL_ROWS_MAX ? NULL : realloc(*rows, more * size);
        if (!p)
            return NULL;
        *rows = p;
        *room = more;
    }
    char *at = (char *)*rows + lo * size;
    memmove(at + size, at, (*count - lo) * size);
    memset(at, 0, size);
    *(uint32_t *)at = index;
    (*count)++;
    return at;
}

const struct snmp_port *
snmp_poll_port(const struct snmp_target *t, uint32_t index)
{
    for (size_t i = 0; i < t->port_count; i++)
        if (t->ports[i].index == index)
            return &t->ports[i];
    return NULL;
}

/* The end of a poll, good or bad; the next is due at the interval, later after failures. */
static void
snmp_poll_end(struct snmp_target *t, int rc)
{
    char why[160];
    snprintf(why, sizeof why, "%s: %s", t->conf->address,
             rc == ERR_TIMEOUT  ? "no answer"
             : rc == ERR_DENIED ? "the device refuses our credentials"
                                : err_text(rc));
    t->failures = rc ? t->failures + 1 : 0;
    snmp_series_write(t, rc ? why : NULL);
    t->polls++;
    t->busy = false;
    unsigned wait = t->failures < 2 ? 1 : t->failures < 4 ? 2 : 4;
    if (wait > 1)
        t->due_us = t->began_us + t->conf->interval * 1000 * wait;
    if (t->again)
        snmp_poll_soon(t);
}

/* --- sensors -------------------------------------------------------------------------------------
 */

static struct snmp_entity *
snmp_poll_entity(struct snmp_target *t, const uint32_t *index, size_t len)
{
    return len == 1 ? snmp_poll_row((void **)&t->entities, &t->entity_count, &t->entity_room,
                                    sizeof *t->entities, index[0])
                    : NULL;
}

static void
snmp_poll_sensor_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                      const struct snmpc_value *v)
{
    struct snmp_entity *e = snmp_poll_entity(ctx, index, len);
    if (!e)
        return;
    int n = (int)v->i;
    switch (column) {
    case 0:
        e->type = n;
        e->measures = true;
        break;
    case 1:
        e->scale = n;
        break;
    case 2:
        e->precision = n;
        break;
    case 3:
        e->value = snmpc_value_number(v);
        break;
    default:
        e->status = n;
    }
}

static void
snmp_poll_sensors_done(void *ctx, int rc)
{
    struct snmp_target *t = ctx;
    bool any = false;
    for (size_t i = 0; i < t->entity_count; i++)
        any |= t->entities[i].measures;
    t->no_sensors = !rc && !any;
    snmp_poll_end(t, rc == ERR_LIMIT ? 0 : rc);
}

static void
snmp_poll_ask_sensors(struct snmp_target *t)
{
    t->walk.cell = snmp_poll_sensor_cell;
    t->walk.done = snmp_poll_sensors_done;
    int rc = snmp_walk_start(&t->walk, t->session, snmp_poll_sensors, COUNT(snmp_poll_sensors),
                             2 * SNMP_POLL_REPETITIONS);
    if (rc)
        snmp_poll_end(t, rc);
}

static void
snmp_poll_name_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                    const struct snmpc_value *v)
{
    struct snmp_entity *e = snmp_poll_entity(ctx, index, len);
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

static void
snmp_poll_names_done(void *ctx, int rc)
{
    struct snmp_target *t = ctx;
    if (rc && rc != ERR_LIMIT)
        snmp_poll_end(t, rc);
    else
        snmp_poll_ask_sensors(t);
}

static void
snmp_poll_ask_names(struct snmp_target *t)
{
    t->entity_count = 0;
    t->walk.cell = snmp_poll_name_cell;
    t->walk.done = snmp_poll_names_done;
    int rc = snmp_walk_start(&t->walk, t->session, snmp_poll_names, COUNT(snmp_poll_names),
                             2 * SNMP_POLL_REPETITIONS);
    if (rc)
        snmp_poll_end(t, rc);
}

/* --- interfaces ----------------------------------------------------------------------------------
 */

static void
snmp_poll_port_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                    const struct snmpc_value *v)
{
    struct snmp_target *t = ctx;
    struct snmp_port *p = len == 1 ? snmp_poll_row((void **)&t->ports, &t->port_count,
                                                   &t->port_room, sizeof *t->ports, index[0])
                                   : NULL;
    if (!p)
        return;
    if (column == 0) {
        snmpc_value_text(v, p->name, sizeof p->name);
    } else if (column == 1) {
        snmpc_value_text(v, p->descr, sizeof p->descr);
    } else if (v->kind == SNMPC_INT || v->kind == SNMPC_COUNT) {
        p->value[column - 2] = snmpc_value_number(v);
        p->have |= 1u << (column - 2);
    }
}

static void
snmp_poll_ports_done(void *ctx, int rc)
{
    struct snmp_target *t = ctx;
    bool names = t->polls % SNMP_POLL_NAMES_EVERY == 0;
    for (size_t i = 0; i < t->entity_count; i++)
        t->entities[i].measures = false;
    if (rc || !t->conf->sensors || (t->no_sensors && !names))
        snmp_poll_end(t, rc);
    else if (names || !t->entity_count)
        snmp_poll_ask_names(t);
    else
        snmp_poll_ask_sensors(t);
}

static void
snmp_poll_system(void *ctx, int rc, const struct snmpc_value *values, size_t n)
{
    struct snmp_target *t = ctx;
    if (!rc && n) {
        t->up_time = snmpc_value_number(&values[0]);
        t->port_count = 0;
        t->walk.cell = snmp_poll_port_cell;
        t->walk.done = snmp_poll_ports_done;
        rc = snmp_walk_start(&t->walk, t->session, snmp_poll_ports, COUNT(snmp_poll_ports),
                             SNMP_POLL_REPETITIONS);
        if (!rc)
            return;
    }
    snmp_poll_end(t, rc ? rc : ERR_CORRUPT);
}

void
snmp_poll_start(struct snmp_target *t)
{
    struct snmpc_oid up_time;
    t->busy = true;
    t->again = false;
    t->began_us = clock_mono_us();
    t->at_ms = clock_now_ms(store_clock(t->s->env.store));
    t->walk.ctx = t;
    snmpc_oid_parse("1.3.6.1.2.1.1.3.0", &up_time);
    int rc = snmpc_ask(t->session, &up_time, 1, 0, snmp_poll_system, t);
    if (rc)
        snmp_poll_end(t, rc);
}

void
snmp_poll_done(struct snmp_target *t)
{
    free(t->ports);
    free(t->entities);
}
