/* simline: lines on their way from the world to its sink. */
#include "sim/simline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIMLINE_MAX 2048

/* The agenda's text holds "app\0severity text": c packs severity below the rank. */
static void
simline_send(struct world *w, const struct world_line *l)
{
    w->lines++;
    if (w->sink.line != NULL)
        w->sink.line(w->sink.ctx, l);
}

static void
simline_node_now(struct world *w, uint32_t node, int severity, const char *app, const char *text)
{
    bool kernel = strcmp(app, "kernel") == 0;
    if (w->node_mods[node].off && !kernel)
        return;
    struct world_line l = {.host = w->plan->nodes.at[node].name,
                           .source = kernel ? "kernel" : "syslog",
                           .app = app,
                           .job = "",
                           .rank = -1,
                           .severity = severity,
                           .text = text};
    l.t_ms = w->said_ms + (int64_t)(w->node_mods[node].clock * 1000.0f);
    simline_send(w, &l);
}

static void
simline_rank_now(struct world *w, const struct simjob *j, uint32_t rank, int severity,
                 const char *text)
{
    uint32_t node = j->first_node + rank / j->gpus_per_node;
    if (w->node_mods[node].off)
        return; /* what a dead node would say is not heard */
    struct world_line l = {.host = w->plan->nodes.at[node].name,
                           .source = "job",
                           .app = j->name,
                           .job = j->id,
                           .rank = (int)rank,
                           .severity = severity,
                           .text = text};
    l.t_ms = w->said_ms + (int64_t)(w->node_mods[node].clock * 1000.0f);
    simline_send(w, &l);
}

static void
simline_switch_now(struct world *w, uint32_t sw, int severity, const char *text)
{
    if (w->switch_down[sw])
        return;
    struct world_line l = {.host = w->plan->switches.at[sw].name,
                           .address = w->plan->switches.at[sw].address,
                           .source = "switch",
                           .app = "switch",
                           .job = "",
                           .rank = -1,
                           .severity = severity,
                           .text = text};
    l.t_ms = w->said_ms;
    simline_send(w, &l);
}

static void
simline_later(struct world *w, int64_t delay_ms, int what, uint32_t a, uint32_t b, int severity,
              const char *app, const char *text)
{
    size_t n = strlen(app) + 1, m = strlen(text) + 1;
    char *copy = malloc(n + m);
    if (copy == NULL)
        return;
    memcpy(copy, app, n);
    memcpy(copy + n, text, m);
    agenda_add(&w->agenda, (struct agenda_item){.at_ms = w->said_ms + delay_ms,
                                                .what = what,
                                                .a = a,
                                                .b = b,
                                                .c = severity,
                                                .text = copy});
}

void
simline_event(struct world *w, const struct agenda_item *item)
{
    const char *app = item->text, *text = app + strlen(app) + 1;
    if (item->what == AGENDA_NODE_LINE)
        simline_node_now(w, item->a, item->c, app, text);
    else if (item->what == AGENDA_RANK_LINE)
        simline_rank_now(w, &w->jobs[item->a], item->b, item->c, text);
    else if (item->what == AGENDA_SWITCH_LINE)
        simline_switch_now(w, item->a, item->c, text);
}

#define SIMLINE_FORMAT(text, fmt)                                                                  \
    va_list ap;                                                                                    \
    va_start(ap, fmt);                                                                             \
    vsnprintf(text, sizeof text, fmt, ap);                                                         \
    va_end(ap)

void
simline_kernel(struct world *w, uint32_t node, int64_t delay_ms, int severity, const char *fmt, ...)
{
    char text[SIMLINE_MAX];
    SIMLINE_FORMAT(text, fmt);
    if (delay_ms > 0)
        simline_later(w, delay_ms, AGENDA_NODE_LINE, node, 0, severity, "kernel", text);
    else
        simline_node_now(w, node, severity, "kernel", text);
}

void
simline_syslog(struct world *w, uint32_t node, int64_t delay_ms, int severity, const char *app,
               const char *fmt, ...)
{
    char text[SIMLINE_MAX];
    SIMLINE_FORMAT(text, fmt);
    if (delay_ms > 0)
        simline_later(w, delay_ms, AGENDA_NODE_LINE, node, 0, severity, app, text);
    else
        simline_node_now(w, node, severity, app, text);
}

void
simline_rank(struct world *w, const struct simjob *j, uint32_t rank, int64_t delay_ms, int severity,
             const char *fmt, ...)
{
    char text[SIMLINE_MAX];
    SIMLINE_FORMAT(text, fmt);
    if (delay_ms > 0)
        simline_later(w, delay_ms, AGENDA_RANK_LINE, (uint32_t)(j - w->jobs), rank, severity, "",
                      text);
    else
        simline_rank_now(w, j, rank, severity, text);
}

void
simline_switch(struct world *w, uint32_t sw, int64_t delay_ms, int severity, const char *fmt, ...)
{
    char text[SIMLINE_MAX];
    SIMLINE_FORMAT(text, fmt);
    if (delay_ms > 0)
        simline_later(w, delay_ms, AGENDA_SWITCH_LINE, sw, 0, severity, "", text);
    else
        simline_switch_now(w, sw, severity, text);
}

void
simline_port_state(struct world *w, uint32_t port, bool up)
{
    const struct plan_port *p = &w->plan->ports.at[port];
    const char *name = p->name;
    switch (rng_hash(p->sw, 7) % 3) { /* three vendors' words */
    case 0:
        simline_switch(
            w, p->sw, 0, up ? 5 : 3,
            "Ebra: %%LINEPROTO-5-UPDOWN: Line protocol on Interface %s, changed state to %s", name,
            up ? "up" : "down");
        break;
    case 1:
        simline_switch(w, p->sw, 0, up ? 5 : 3, "%%ETHPORT-5-IF_%s: Interface %s is %s%s",
                       up ? "UP" : "DOWN_LINK_FAILURE", name, up ? "up" : "down",
                       up ? " in mode access" : " (Link failure)");
        break;
    default:
        simline_switch(
            w, p->sw, 0, up ? 5 : 3,
            "NOTICE swss#orchagent: :- updatePortOperStatus: Port %s oper state set from %s to %s",
            name, up ? "down" : "up", up ? "up" : "down");
    }
    w->traps++;
    if (w->sink.trap != NULL && !w->switch_down[p->sw])
        w->sink.trap(w->sink.ctx, &(struct world_trap){.t_ms = w->said_ms, .port = port, .up = up});
}

void
simline_nic_state(struct world *w, uint32_t nic, bool up)
{
    const struct plan_nic *n = &w->plan->nics.at[nic];
    simline_kernel(w, n->node, 0, up ? 6 : 4, "mlx5_core %s %s: Link %s", n->pci, n->netdev,
                   up ? "up" : "down");
}
