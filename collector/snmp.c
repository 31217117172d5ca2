/* snmp: switches polled at their intervals, and the traps they send. Expected load: 600 switches of
 * 64 ports every 15 s, some 30,000 values a second; a burst of some thousand traps when a leaf
 * goes. */
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "collector/snmp_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNMP_TICK_MS 100
#define SNMP_FIRST_US                                                                              \
    5000000 /* the first polls are spread over this, that a page shows something soon */
#define SNMP_SOON_US                                                                               \
    500000 /* a trap's poll waits this long: the port settles, traps come in swarms */

void
snmp_poll_soon(struct snmp_target *t, uint32_t port)
{
    if (!t->soon_us) {
        t->soon_us = clock_mono_us() + SNMP_SOON_US;
        t->soon_port = port;
    } else if (t->soon_port != port) {
        t->soon_port = 0;
    }
}

static void
snmp_tick(void *ctx)
{
    struct snmp *s = ctx;
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < s->target_count; i++) {
        struct snmp_target *t = &s->targets[i];
        int64_t interval = t->conf->interval * 1000;
        if (t->soon_us && now >= t->soon_us && !t->busy) {
            uint32_t port = t->soon_port;
            t->soon_us = t->soon_port = 0;
            snmp_poll_start(t, port);
        }
        if (now < t->due_us)
            continue;
        t->due_us += interval * ((now - t->due_us) / interval + 1);
        if (!t->busy)
            snmp_poll_start(t, 0);
    }
}

static void
snmp_stop(void *source)
{
    struct snmp *s = source;
    if (!s)
        return;
    if (s->timer)
        loop_timer_close(s->timer);
    snmpc_listener_close(s->listener);
    for (size_t i = 0; i < s->target_count; i++) {
        struct snmp_target *t = &s->targets[i];
        snmpc_close(t->session);
        snmp_poll_done(t);
        inlet_put(t->inlet);
    }
    inlet_put(s->traps);
    free(s->targets);
    free(s);
}

static int
snmp_target_open(struct snmp *s, struct snmp_target *t, const struct snmp_conf_target *c,
                 struct err *err)
{
    unsigned port;
    char address[96];
    struct snmpc_access a = {.address = address,
                             .version = c->version,
                             .community = c->community,
                             .user = c->user,
                             .auth_protocol = c->auth_protocol,
                             .auth_password = c->auth_password,
                             .priv_protocol = c->priv_protocol,
                             .priv_password = c->priv_password,
                             .timeout_ms = (unsigned)c->timeout};
    t->s = s;
    t->conf = c;
    snprintf(address, sizeof address, "%s", c->address);
    if (loop_address_split(c->address, t->host, &port)) {
        if (strlen(c->address) >= sizeof t->host || strchr(c->address, ':'))
            return err_set(err, ERR_SYNTAX, "snmp: %s is not an address such as 10.0.0.1:161",
                           c->address);
        str_copy(t->host, sizeof t->host, c->address);
        snprintf(address, sizeof address, "%s:161", c->address);
    }
    if (c->version == SNMPC_VERSION_3 && (!c->user || !*c->user))
        return err_set(err, ERR_SYNTAX, "snmp: %s: version 3 needs a user", c->name);
    if (c->auth_password && strlen(c->auth_password) < 8)
        return err_set(err, ERR_RANGE, "snmp: %s: a password has at least 8 characters", c->name);
    if (!(t->inlet = inlet_new(s->env.store, "snmp", c->name)))
        return err_set(err, ERR_NOMEM, "no memory for SNMP");
    int64_t interval = c->interval * 1000;
    t->due_us = clock_mono_us() +
                (int64_t)(map_hash(c->name, strlen(c->name)) %
                          (uint64_t)(interval < SNMP_FIRST_US ? interval : SNMP_FIRST_US));
    return snmpc_open(s->env.loop, &a, &t->session, err);
}

static int
snmp_targets_open(struct snmp *s, struct err *err)
{
    const struct conf_list *list = &s->conf->targets;
    int rc = 0;
    s->targets = calloc(list->count + 1, sizeof *s->targets);
    if (!s->targets)
        return err_set(err, ERR_NOMEM, "no memory for SNMP");
    for (size_t i = 0; !rc && i < list->count; i++) {
        s->target_count = i + 1;
        rc =
            snmp_target_open(s, &s->targets[i], (const struct snmp_conf_target *)list->at + i, err);
    }
    return rc;
}

static int
snmp_traps_open(struct snmp *s, struct err *err)
{
    const struct snmp_conf_trap *c = &s->conf->trap;
    struct snmpc_access users[64];
    struct snmpc_listener_conf conf = {.listen = c->listen, .users = users};
    if (!c->listen)
        return 0;
    if (c->users.count > sizeof users / sizeof *users)
        return err_set(err, ERR_LIMIT, "snmp.trap.users: more than 64");
    for (size_t i = 0; i < c->users.count; i++) {
        const struct snmp_conf_user *u = (const struct snmp_conf_user *)c->users.at + i;
        users[conf.user_count++] = (struct snmpc_access){.version = SNMPC_VERSION_3,
                                                         .user = u->user,
                                                         .auth_protocol = u->auth_protocol,
                                                         .auth_password = u->auth_password,
                                                         .priv_protocol = u->priv_protocol,
                                                         .priv_password = u->priv_password,
                                                         .engine_id = u->engine_id};
    }
    if (!(s->traps = inlet_new(s->env.store, "snmp-trap", c->listen)))
        return err_set(err, ERR_NOMEM, "no memory for SNMP");
    return snmpc_listener_open(s->env.loop, &conf, snmp_trap_take, s, &s->listener, err);
}

static int
snmp_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    struct snmp *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "no memory for SNMP");
    s->env = *env;
    s->conf = conf;
    int rc = snmp_targets_open(s, err);
    if (!rc)
        rc = snmp_traps_open(s, err);
    if (!rc && !(s->timer = loop_timer_open(env->loop, snmp_tick, s)))
        rc = err_set(err, ERR_NOMEM, "no memory for SNMP");
    if (rc) {
        snmp_stop(s);
        return rc;
    }
    snmp_series_adopt(s);
    loop_timer_set(s->timer, 0, SNMP_TICK_MS);
    *ret = s;
    return 0;
}

/* --- what it tells of itself ---------------------------------------------------------------------
 */

static void
snmp_json(void *source, struct jsonw *w)
{
    struct snmp *s = source;
    for (size_t i = 0; i < s->target_count; i++)
        inlet_json(s->targets[i].inlet, w);
    if (s->traps)
        inlet_json(s->traps, w);
}

static void
snmp_metrics(void *source, struct buf *out)
{
    struct snmp *s = source;
    struct inlet_counts sum = {0};
    size_t failing = 0;
    for (size_t i = 0; i < s->target_count; i++) {
        struct inlet_counts n = inlet_counts(s->targets[i].inlet);
        sum.accepted += n.accepted;
        sum.refused += n.refused;
        sum.errors += n.errors;
        failing += inlet_failing(s->targets[i].inlet);
    }
    inlet_metrics("snmp", sum, out);
    if (s->traps)
        inlet_metrics("snmp_trap", inlet_counts(s->traps), out);
    buf_printf(
        out,
        "# HELP myriascope_snmp_targets Switches that are polled.\n"
        "# TYPE myriascope_snmp_targets gauge\nmyriascope_snmp_targets %zu\n"
        "# HELP myriascope_snmp_targets_failing Of those, how many did not answer.\n"
        "# TYPE myriascope_snmp_targets_failing gauge\nmyriascope_snmp_targets_failing %zu\n",
        s->target_count, failing);
}

static unsigned
snmp_port(void *source, const char *what)
{
    struct snmp *s = source;
    return s->listener && !strcmp(what, "trap") ? snmpc_listener_port(s->listener) : 0;
}

const struct source_ops source_snmp = {"snmp",    snmp_conf_rows, sizeof(struct snmp_conf),
                                       false,     snmp_start,     snmp_stop,
                                       snmp_json, snmp_metrics,   snmp_port};
