/* snmp_poll: one poll of one switch: stage after stage, question after question. What is due
 * decides which stages run: states and counters of ports each time, sensors, limits and names on
 * their own longer periods, names at once when the switch says that something changed. */
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "collector/snmp_in.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_POLL_ROWS_MAX   20000u
#define SNMP_POLL_LIMIT_EACH 4 /* sensor intervals from limits to limits */
#define SNMP_POLL_BAN_US     3600000000
#define SNMP_POLL_WRAP       4294967296.0 /* hundredths of a second: 497 days */

void *
snmp_poll_row(void **rows, size_t *count, size_t *room, size_t size, uint32_t index)
{
    size_t lo = 0, hi = *count;
    if (hi && *(uint32_t *)((char *)*rows + (hi - 1) * size) < index)
        lo = hi; /* they mostly come in order */
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
        size_t more = *room ? 2 * *room : 32;
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

struct snmp_port *
snmp_poll_port(const struct snmp_target *t, uint32_t index)
{
    size_t lo = 0, hi = t->port_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->ports[mid].index == index)
            return &t->ports[mid];
        if (t->ports[mid].index < index)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* --- stages -------------------------------------------------------------------------------------
 */

/* Uptime across its wraps: by the age of the engine where the switch tells it, else by what was
 * seen before. A switch that started again counts from zero in both. */
static void
snmp_poll_up_time(struct snmp_target *t, double up, double engine_s)
{
    double wraps = engine_s > 0 ? round((engine_s * 100 - up) / SNMP_POLL_WRAP) : 0;
    if (engine_s > 0)
        t->wraps = wraps > 0 ? (unsigned)wraps : 0;
    else if (up < t->raw_up_time)
        t->wraps = t->raw_up_time > SNMP_POLL_WRAP * 0.999 ? t->wraps + 1 : 0;
    bool restarted = up < t->raw_up_time && !t->wraps;
    t->raw_up_time = up;
    t->up_time = up + t->wraps * SNMP_POLL_WRAP;
    if (restarted) /* numbers of ports may mean others now */
        t->discover = true;
}

/* Ports or parts changed: they are learnt now, or a while after they were learnt last. */
static void
snmp_poll_learn(struct snmp_target *t)
{
    int64_t last_us = t->discovery_due_us - t->conf->discovery_interval * 1000;
    if (t->discover)
        return;
    if (t->began_us - last_us >= SNMP_CHANGE_US)
        t->discover = t->lldp = true;
    else if (last_us + SNMP_CHANGE_US < t->discovery_due_us)
        t->discovery_due_us = last_us + SNMP_CHANGE_US;
}

static void
snmp_poll_changed(struct snmp_target *t, const struct snmpc_value *values, size_t n)
{
    for (size_t i = 0; i < 3 && i + 2 < n; i++) {
        uint64_t at = values[i + 2].kind == SNMPC_COUNT ? values[i + 2].u : t->changes[i];
        if (at == t->changes[i])
            continue;
        t->changes[i] = at;
        if (i == 2)
            t->lldp |= t->has_lldp;
        else
            snmp_poll_learn(t);
    }
}

static void
snmp_poll_system(void *ctx, int rc, const struct snmpc_value *values, size_t n)
{
    struct snmp_target *t = ctx;
    if (!rc && (!n || values[0].kind != SNMPC_COUNT))
        rc = ERR_CORRUPT;
    if (!rc) {
        snmp_poll_up_time(t, snmpc_value_number(&values[0]),
                          n > 1 ? snmpc_value_number(&values[1]) : 0);
        snmp_poll_changed(t, values, n);
        snmp_series_put(t, SNMP_COUNTERS, (struct snmp_cell){SNMP_NO_NAME, SNMP_UP_TIME, 0},
                        t->up_time);
    }
    snmp_poll_step(t, rc);
}

/* Uptime, the engine's age; when interfaces, entities and neighbours last changed. */
static int
snmp_poll_ask_system(struct snmp_target *t)
{
    static const char *const names[] = {"1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.10.2.1.3.0",
                                        "1.3.6.1.2.1.31.1.5.0", "1.3.6.1.2.1.47.1.4.1.0",
                                        "1.0.8802.1.1.2.1.2.1.0"};
    const struct snmpc_oid *oids[5];
    for (size_t i = 0; i < 5; i++) {
        snmpc_oid_parse(names[i], &t->walk->at[i]);
        oids[i] = &t->walk->at[i];
    }
    return snmpc_ask(t->session, oids, 5, 0, snmp_poll_system, t);
}

static int (*const snmp_poll_stages[])(struct snmp_target *t) = {
    snmp_poll_ask_system, snmp_discover_probe,       snmp_discover_ports, snmp_discover_entities,
    snmp_discover_kinds,  snmp_discover_kinds_cisco, snmp_discover_end,   snmp_read_tables,
    snmp_read_sensors,    snmp_read_sensors_cisco,   snmp_read_limits,    snmp_read_limits_cisco,
    snmp_lldp_local,      snmp_lldp_remote,
};
#define SNMP_POLL_STAGES (sizeof snmp_poll_stages / sizeof *snmp_poll_stages)

/* The end of a poll, good or bad; the next is due at the interval, later after failures. */
static void
snmp_poll_end(struct snmp_target *t, int rc)
{
    char why[160];
    snprintf(why, sizeof why, "%s: %s", t->conf->address,
             rc == ERR_TIMEOUT   ? "no answer"
             : rc == ERR_DENIED  ? "the device refuses our credentials"
             : rc == ERR_CORRUPT ? "its answer makes no sense"
                                 : err_text(rc));
    bool away = rc && t->stage == 0;
    t->failures = rc ? t->failures + 1 : 0;
    if (away)
        snmp_lldp_gone(t);
    snmp_series_close(t, rc ? why : NULL);
    free(t->walk);
    t->walk = NULL;
    t->polls++;
    t->busy = false;
    unsigned wait = t->failures < 2 ? 1 : t->failures < 4 ? 2 : 4;
    if (wait > 1)
        t->due_us = t->began_us + t->conf->interval * 1000 * wait;
}

/* What does not end would be read in vain, and at length, each time: it is left alone for a while.
 */
static void
snmp_poll_ban(struct snmp_target *t)
{
    bool table = snmp_poll_stages[t->stage] == snmp_read_tables;
    if (t->began_us > t->banned_until_us)
        t->banned_tables = t->banned_stages = 0;
    t->banned_until_us = t->began_us + SNMP_POLL_BAN_US;
    if (table && t->table)
        t->banned_tables |= 1ull << t->table;
    else if (!table)
        t->banned_stages |= 1u << t->stage;
}

static bool
snmp_poll_banned(const struct snmp_target *t)
{
    return t->banned_stages >> t->stage & 1 && t->began_us < t->banned_until_us;
}

static void
snmp_poll_next(struct snmp_target *t)
{
    int rc = 1;
    while (rc > 0 && t->stage < SNMP_POLL_STAGES)
        if ((rc = snmp_poll_banned(t) ? 1 : snmp_poll_stages[t->stage](t)) > 0)
            t->stage++;
    if (rc)
        snmp_poll_end(t, rc < 0 ? rc : 0);
}

/* A table that does not end, or that the agent fails to read, is its own loss; silence ends the
 * poll. Reading tables is one stage of several questions. */
void
snmp_poll_step(struct snmp_target *t, int rc)
{
    bool own =
        t->stage > 0 && (rc == ERR_LIMIT || rc == ERR_IO || rc == ERR_FULL || rc == ERR_CORRUPT);
    t->broken |= rc != 0;
    if (rc == ERR_LIMIT && own)
        snmp_poll_ban(t);
    if (rc && !own) {
        snmp_poll_end(t, rc);
        return;
    }
    if (snmp_poll_stages[t->stage] != snmp_read_tables)
        t->stage++;
    snmp_poll_next(t);
}

static void
snmp_poll_walked(void *ctx, int rc)
{
    snmp_poll_step(ctx, rc);
}

int
snmp_poll_walk(struct snmp_target *t, const char *const *columns, size_t n, snmp_walk_cell *cell)
{
    t->walk->ctx = t;
    t->walk->cell = cell;
    t->walk->done = snmp_poll_walked;
    return snmp_walk_start(t->walk, t->session, &t->pace, columns, n);
}

/* --- when ---------------------------------------------------------------------------------------
 */

static bool
snmp_poll_due(int64_t *due_us, int64_t now_us, int64_t interval_ms)
{
    if (now_us < *due_us)
        return false;
    *due_us = now_us + interval_ms * 1000;
    return true;
}

static void
snmp_poll_periods(struct snmp_target *t)
{
    const struct snmp_conf_target *c = t->conf;
    int64_t now = t->began_us;
    t->due[SNMP_COUNTERS] = true;
    t->discover = snmp_poll_due(&t->discovery_due_us, now, c->discovery_interval);
    t->due[SNMP_SENSORS] = c->sensors && snmp_poll_due(&t->sensors_due_us, now, c->sensor_interval);
    t->due[SNMP_LIMITS] =
        c->sensors && t->due[SNMP_SENSORS] &&
        snmp_poll_due(&t->limits_due_us, now, c->sensor_interval * SNMP_POLL_LIMIT_EACH - 500);
    t->lldp = t->discover;
}

void
snmp_poll_start(struct snmp_target *t, uint32_t port)
{
    if (!(t->walk = calloc(1, sizeof *t->walk)))
        return; /* the next one may find memory */
    t->busy = true;
    t->broken = false;
    t->began_us = clock_mono_us();
    t->at_ms = clock_now_ms(store_clock(t->s->env.store));
    t->stage = t->table = t->column = t->asked = 0;
    t->strangers = 0;
    t->walk->ctx = t;
    t->port = port && snmp_poll_port(t, port) ? port : 0;
    memset(t->due, 0, sizeof t->due);
    t->discover = t->lldp = false;
    if (!t->port)
        snmp_poll_periods(t);
    snmp_series_open(t);
    if (!t->port) {
        snmp_poll_next(t);
        return;
    }
    t->stage = SNMP_POLL_STAGES - 1;
    int rc = snmp_read_port(t);
    if (rc)
        snmp_poll_end(t, rc);
}

void
snmp_poll_done(struct snmp_target *t)
{
    for (size_t i = 0; i < t->name_count; i++) {
        if (t->names[i].descr != t->names[i].name)
            free(t->names[i].descr);
        free(t->names[i].name);
    }
    free(t->walk);
    free(t->names);
    map_free(t->name_index, NULL);
    free(t->ports);
    free(t->entities);
    free(t->sensors);
    free(t->places);
    snmp_lldp_done(t);
    snmp_series_done(t);
}
