/* roce_pause: who held whom, for how long. A pause frame takes the place of the one before it: a
 * port is held for quanta of 512 bit times from now, zero lets it go. Source: IEEE 802.3 31B,
 * 802.1Q-2018 36.2. */
#include "decode/roce_in.h"

#include <stdlib.h>
#include <string.h>

#define ROCE_STORM_US    100000
#define ROCE_STORM_SHARE 2 /* held for one in so many parts of a window */

static struct roce_port *
roce_pause_port(struct roce *r, const uint8_t mac[6])
{
    struct roce_port *p = map_get(r->ports, mac, 6);
    if (!p && (p = calloc(1, sizeof *p))) {
        memcpy(p->mac, mac, 6);
        if (map_set(r->ports, mac, 6, p, NULL)) {
            free(p);
            p = NULL;
        }
    }
    return p;
}

/* The longest held of the priorities, up to now. */
static int64_t
roce_pause_held(const struct roce_port *p, int64_t now_ns)
{
    int64_t most = 0;
    for (unsigned i = 0; i < 8; i++) {
        int64_t ahead = p->until_ns[i] > now_ns ? p->until_ns[i] - now_ns : 0;
        most = p->paused_ns[i] - ahead > most ? p->paused_ns[i] - ahead : most;
    }
    return most;
}

static void
roce_pause_window(struct roce_port *p, int64_t time_us)
{
    int64_t age = time_us - p->window_us, held = roce_pause_held(p, time_us * 1000);
    if (age < ROCE_STORM_US && age >= 0)
        return;
    if (age > 0 && (held - p->window_ns) * ROCE_STORM_SHARE >= age * 1000) {
        p->storm_us = p->storm_us ? p->storm_us : p->window_us;
        p->storm_windows++;
    }
    p->window_us = time_us;
    p->window_ns = held;
}

void
roce_pause_take(struct roce *r, const struct packet *p, int64_t time_us)
{
    struct roce_port *port = roce_pause_port(r, p->mac_from);
    int64_t now_ns = time_us * 1000;
    r->totals.pfc += p->kind == PACKET_PFC;
    r->totals.pause += p->kind == PACKET_PAUSE;
    if (!port) {
        r->totals.untracked++;
        return;
    }
    if (!(port->pfc + port->pause))
        port->first_us = port->window_us = time_us;
    roce_pause_window(port, time_us);
    port->last_us = time_us;
    port->pfc += p->kind == PACKET_PFC;
    port->pause += p->kind == PACKET_PAUSE;
    unsigned classes = p->kind == PACKET_PFC ? p->classes : 1u;
    for (unsigned i = 0; i < 8; i++) {
        if (!(classes >> i & 1))
            continue;
        int64_t lasts = (int64_t)(p->quanta[i] * r->ns_a_quantum);
        if (port->until_ns[i] > now_ns)
            port->paused_ns[i] -= port->until_ns[i] - now_ns;
        port->until_ns[i] = now_ns + lasts;
        port->paused_ns[i] += lasts;
        port->xoff[i] += p->quanta[i] != 0;
        port->xon[i] += p->quanta[i] == 0;
        port->quanta[i] += p->quanta[i];
    }
}

const struct roce_port *
roce_storm(const struct roce *r)
{
    const struct roce_port *first = NULL;
    size_t pos = 0, len;
    for (void *value; map_next(r->ports, &pos, &len, &value);) {
        const struct roce_port *p = value;
        if (p->storm_us && (!first || p->storm_us < first->storm_us))
            first = p;
    }
    return first;
}
