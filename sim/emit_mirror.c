/* emit_mirror: frames written field by field; an adapter talks to the same rail of the next node.
 * Sources: InfiniBand Architecture 1.6 chapter 9 and annexes A16, A17; IEEE 802.1Q-2018 36.2, D.2.
 */
#include "sim/emit_mirror.h"
#include "base/buf.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIRROR_CUT = 128,
    MIRROR_HEAD = 8,
    MIRROR_BURST = 10,
    MIRROR_PAYLOAD = 4096,
    MIRROR_PAUSES = 20,
    MIRROR_LLDP_EACH = 30, /* seconds */
    MIRROR_CE_EACH = 211,  /* packets */
    MIRROR_PRIORITY = 3,
    MIRROR_QP = 0x200
};
enum {
    WRITE_MIDDLE = 7,
    WRITE_LAST = 8,
    ACKNOWLEDGE = 17,
    CNP = 0x81,
    ACK_OK = 0x1f,
    NAK_SEQUENCE = 0x60
};

struct emit_mirror {
    const struct world *w;
    void (*send)(void *ctx, const void *datagram, size_t len);
    void *ctx;
    uint32_t first_node, nodes, first_nic, nics;
    uint32_t *psn;
    uint64_t ticks, packets;
};

struct mirror_frame {
    uint8_t at[MIRROR_HEAD + MIRROR_CUT];
    size_t len;
};

struct emit_mirror *
emit_mirror_new(const struct world *w, void (*send)(void *, const void *, size_t), void *ctx)
{
    struct emit_mirror *e = calloc(1, sizeof *e);
    const struct plan *p = w->plan;
    if (e == NULL)
        return NULL;
    *e = (struct emit_mirror){.w = w, .send = send, .ctx = ctx};
    e->first_node = w->job_count > 0 ? w->jobs[0].first_node : 0;
    while (e->nodes < EMIT_MIRROR_NODES && e->first_node + e->nodes < p->nodes.count)
        e->nics += p->nodes.at[e->first_node + e->nodes++].nics;
    e->first_nic = p->nodes.count > 0 ? p->nodes.at[e->first_node].first_nic : 0;
    e->psn = calloc(e->nics + 1u, sizeof *e->psn);
    if (e->psn == NULL) {
        free(e);
        return NULL;
    }
    return e;
}

void
emit_mirror_free(struct emit_mirror *e)
{
    if (e != NULL)
        free(e->psn);
    free(e);
}

/* --- a frame ------------------------------------------------------------------------------------
 */

static void
mirror_put(struct mirror_frame *f, uint64_t v, size_t bytes)
{
    for (size_t i = bytes; i-- > 0 && f->len < sizeof f->at;)
        f->at[f->len++] = (uint8_t)(v >> 8 * i);
}

static void
mirror_begin(struct mirror_frame *f, int rail, uint64_t to, uint64_t from, unsigned type)
{
    memset(f, 0, sizeof *f);
    mirror_put(f, 0x08000000u, 4);
    mirror_put(f, (uint64_t)(rail > 0 ? rail : 0) << 8, 4);
    mirror_put(f, to, 6);
    mirror_put(f, from, 6);
    mirror_put(f, type, 2);
}

static uint64_t
mirror_mac(uint64_t kind, uint32_t i)
{
    return 0x020000000000u | kind << 32 | i;
}

static void
mirror_address(struct mirror_frame *f, const struct plan *p, uint32_t nic)
{
    char text[16];
    struct in_addr a = {0};
    inet_pton(AF_INET, plan_nic_address(p, nic, text), &a);
    mirror_put(f, ntohl(a.s_addr), 4);
}

/* An acknowledgement, a notice, or a write, as long as on the wire though cut. */
static void
mirror_roce(struct emit_mirror *e, uint32_t from, uint32_t to, unsigned opcode, uint32_t psn,
            unsigned more)
{
    struct mirror_frame f;
    const struct plan *p = e->w->plan;
    bool data = opcode < ACKNOWLEDGE;
    size_t size = 20 + 8 + 12 + 4 + (data ? MIRROR_PAYLOAD : opcode == ACKNOWLEDGE ? 4u : 16u);
    unsigned ecn = data ? ++e->packets % MIRROR_CE_EACH == 0 ? 3 : 2 : 1;
    mirror_begin(&f, p->nics.at[from].rail, mirror_mac(1, to), mirror_mac(1, from), 0x0800);
    mirror_put(&f, 0x4500u | 26u << 2 | ecn, 2);
    mirror_put(&f, size, 2);
    mirror_put(&f, 0x0001400040110000u, 8);
    mirror_address(&f, p, from);
    mirror_address(&f, p, to);
    mirror_put(&f, 49152 + from * 7919u % 16384, 2);
    mirror_put(&f, 4791, 2);
    mirror_put(&f, size - 20, 2);
    mirror_put(&f, 0, 2);
    mirror_put(&f, opcode << 24 | 0x40ffffu, 4);
    mirror_put(&f, MIRROR_QP + (data ? from : to), 4);
    mirror_put(&f, (uint64_t)(opcode == WRITE_LAST) << 31 | (psn & 0xffffffu), 4);
    mirror_put(&f, more, opcode == ACKNOWLEDGE ? 4 : 0);
    while (f.len < MIRROR_HEAD + 14 + size && f.len < sizeof f.at)
        f.at[f.len++] = 0;
    e->send(e->ctx, f.at, f.len);
    if (ecn == 3)
        mirror_roce(e, to, from, CNP, 0, 0);
}

static void
mirror_pause(struct emit_mirror *e, uint32_t nic)
{
    struct mirror_frame f;
    for (int i = 0; i < MIRROR_PAUSES; i++) {
        mirror_begin(&f, e->w->plan->nics.at[nic].rail, 0x0180c2000001u, mirror_mac(1, nic),
                     0x8808);
        mirror_put(&f, 0x0101u << 16 | 1u << MIRROR_PRIORITY, 4);
        mirror_put(&f, 0, 2 * MIRROR_PRIORITY);
        mirror_put(&f, 0xffff, 2);
        f.len = MIRROR_HEAD + 60;
        e->send(e->ctx, f.at, f.len);
    }
}

static void
mirror_tlv(struct mirror_frame *f, unsigned type, const char *text, int subtype)
{
    size_t n = strlen(text);
    mirror_put(f, type << 9 | (n + (subtype >= 0)), 2);
    if (subtype >= 0)
        mirror_put(f, (uint64_t)subtype, 1);
    for (size_t i = 0; i < n; i++)
        mirror_put(f, (uint8_t)text[i], 1);
}

/* The switch's port, with PFC on the priority of RoCE. */
static void
mirror_lldp(struct emit_mirror *e, uint32_t nic)
{
    struct mirror_frame f;
    const struct plan *p = e->w->plan;
    struct plan_end at = plan_far_end(p, (struct plan_end){PLAN_NIC, nic});
    if (at.what != PLAN_PORT)
        return;
    const struct plan_port *port = &p->ports.at[at.i];
    mirror_begin(&f, p->nics.at[nic].rail, 0x0180c200000eu, mirror_mac(2, at.i), 0x88cc);
    mirror_tlv(&f, 1, p->switches.at[port->sw].name, 7);
    mirror_tlv(&f, 2, port->name, 5);
    mirror_put(&f, 3u << 9 | 2u, 2);
    mirror_put(&f, 120, 2);
    mirror_tlv(&f, 5, p->switches.at[port->sw].name, -1);
    mirror_put(&f, 127u << 9 | 6u, 2);
    mirror_put(&f, 0x0080c20b08ull << 8 | 1u << MIRROR_PRIORITY, 6);
    mirror_put(&f, 127u << 9 | 8u, 2);
    mirror_put(&f, 0x0080c20c00ull << 24 | (MIRROR_PRIORITY << 5 | 3) << 16 | 4791, 8);
    mirror_put(&f, 0, 2);
    e->send(e->ctx, f.at, f.len);
}

/* --- a second -----------------------------------------------------------------------------------
 */

static bool
mirror_loses(const struct world *w, uint32_t nic)
{
    struct plan_end at = plan_far_end(w->plan, (struct plan_end){PLAN_NIC, nic});
    return w->nic_mods[nic].crc > 1 || w->nic_mods[nic].retrans > 1 ||
           (at.what == PLAN_PORT &&
            (w->port_mods[at.i].crc > 1 || w->port_mods[at.i].discards > 1));
}

static void
mirror_burst(struct emit_mirror *e, uint32_t from, uint32_t to)
{
    uint32_t *psn = &e->psn[from - e->first_nic];
    bool loses = mirror_loses(e->w, from);
    for (unsigned i = 0; i < MIRROR_BURST; i++, (*psn)++) {
        if (!loses || i != MIRROR_BURST / 2)
            mirror_roce(e, from, to, i + 1 < MIRROR_BURST ? WRITE_MIDDLE : WRITE_LAST, *psn, 0);
        if (!loses || i != MIRROR_BURST / 2 + 2)
            continue;
        mirror_roce(e, to, from, ACKNOWLEDGE, *psn - 2, (unsigned)NAK_SEQUENCE << 24);
        for (uint32_t again = *psn - 2; again != *psn + 1; again++)
            mirror_roce(e, from, to, WRITE_MIDDLE, again, 0);
    }
    mirror_roce(e, to, from, ACKNOWLEDGE, *psn - 1, (unsigned)ACK_OK << 24);
}

/* The adapter of the same rail in the next node; itself where there is none. */
static uint32_t
mirror_peer(const struct emit_mirror *e, uint32_t nic)
{
    const struct plan *p = e->w->plan;
    uint32_t node = p->nics.at[nic].node, of = nic - p->nodes.at[node].first_nic;
    uint32_t next = e->first_node + (node - e->first_node + 1) % e->nodes;
    return of < p->nodes.at[next].nics ? p->nodes.at[next].first_nic + of : nic;
}

void
emit_mirror_tick(struct emit_mirror *e)
{
    const struct world *w = e->w;
    bool lldp = e->ticks++ % MIRROR_LLDP_EACH == 0;
    for (uint32_t nic = e->first_nic; nic < e->first_nic + e->nics; nic++) {
        uint32_t peer = mirror_peer(e, nic);
        if (world_end_down(w, (struct plan_end){PLAN_NIC, nic}))
            continue;
        if (lldp)
            mirror_lldp(e, nic);
        if (w->nic_mods[nic].pause_tx > 1000)
            mirror_pause(e, nic);
        if (peer != nic && !world_end_down(w, (struct plan_end){PLAN_NIC, peer}) &&
            !world_node_silent(w, w->plan->nics.at[nic].node))
            mirror_burst(e, nic, peer);
    }
}
