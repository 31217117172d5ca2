/* packet: millions a second. Always true: every read is behind a check of `left`. */
#include "decode/packet.h"

#include "base/err.h"

#include <string.h>

#define PACKET_DEPTH_MAX 3 /* encapsulations looked through */

struct packet_cursor {
    const uint8_t *p;
    size_t left;
    unsigned depth;
};

static unsigned
packet_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t
packet_u24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static bool
packet_skip(struct packet_cursor *c, size_t n)
{
    if (c->left < n)
        return false;
    c->p += n;
    c->left -= n;
    return true;
}

/* --- InfiniBand ------------------------------------------------------------------------------- */

/* Low five bits of the operation; the high three are the transport: RC 0, UC 1, RD 2, UD 3, XRC 5.
 */
static bool
packet_has_aeth(uint8_t opcode)
{
    unsigned op = opcode & 31u, transport = opcode >> 5;
    return (transport == 0 || transport == 5) && (op == 13 || (op >= 15 && op <= 18));
}

static bool
packet_has_reth(uint8_t opcode)
{
    unsigned op = opcode & 31u, transport = opcode >> 5;
    return (transport <= 1 || transport == 5) && (op == 6 || (op >= 10 && op <= 12));
}

static int
packet_bth(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *b = c->p;
    if (!packet_skip(c, 12))
        return ERR_SYNTAX;
    ret->opcode = b[0];
    ret->solicited = b[1] & 0x80;
    ret->qp = packet_u24(b + 5);
    ret->ack_request = b[8] & 0x80;
    ret->psn = packet_u24(b + 9);
    ret->becn = b[4] & 0x40;
    ret->kind = b[0] >> 5 == 4 || (b[0] >= 0xc0 && ret->becn) ? PACKET_CNP : PACKET_ROCE;
    if (b[0] >> 5 == 5 && !packet_skip(c, 4)) { /* XRC: its extended header comes first */
        ret->cut = true;
        return 0;
    }
    if (packet_has_aeth(b[0])) {
        ret->has_aeth = c->left >= 4;
        ret->cut = !ret->has_aeth;
        ret->syndrome = ret->has_aeth ? c->p[0] : 0;
    } else if (packet_has_reth(b[0])) {
        ret->has_reth = c->left >= 16;
        ret->cut = !ret->has_reth;
        ret->dma_length =
            ret->has_reth ? (uint32_t)packet_u16(c->p + 12) << 16 | packet_u16(c->p + 14) : 0;
    }
    return 0;
}

enum packet_ack
packet_ack_kind(uint8_t syndrome)
{
    static const enum packet_ack naks[] = {PACKET_NAK_PSN, PACKET_NAK_REQUEST, PACKET_NAK_ACCESS,
                                           PACKET_NAK_OPERATION};
    switch (syndrome >> 5 & 3) {
    case 0:
        return PACKET_ACK;
    case 1:
        return PACKET_RNR;
    case 3:
        return (syndrome & 31) < 4 ? naks[syndrome & 31] : PACKET_NAK_OTHER;
    default:
        return PACKET_NAK_OTHER;
    }
}

const char *
packet_opcode_name(uint8_t opcode)
{
    static const char *const rc[] = {"RC SEND First",
                                     "RC SEND Middle",
                                     "RC SEND Last",
                                     "RC SEND Last Immediate",
                                     "RC SEND Only",
                                     "RC SEND Only Immediate",
                                     "RC RDMA WRITE First",
                                     "RC RDMA WRITE Middle",
                                     "RC RDMA WRITE Last",
                                     "RC RDMA WRITE Last Immediate",
                                     "RC RDMA WRITE Only",
                                     "RC RDMA WRITE Only Immediate",
                                     "RC RDMA READ Request",
                                     "RC RDMA READ Response First",
                                     "RC RDMA READ Response Middle",
                                     "RC RDMA READ Response Last",
                                     "RC RDMA READ Response Only",
                                     "RC Acknowledge",
                                     "RC ATOMIC Acknowledge",
                                     "RC CmpSwap",
                                     "RC FetchAdd",
                                     "",
                                     "RC SEND Last Invalidate",
                                     "RC SEND Only Invalidate"};
    static const char *const uc[] = {"UC SEND First",       "UC SEND Middle",
                                     "UC SEND Last",        "UC SEND Last Immediate",
                                     "UC SEND Only",        "UC SEND Only Immediate",
                                     "UC RDMA WRITE First", "UC RDMA WRITE Middle",
                                     "UC RDMA WRITE Last",  "UC RDMA WRITE Last Immediate",
                                     "UC RDMA WRITE Only",  "UC RDMA WRITE Only Immediate"};
    unsigned op = opcode & 31u;
    switch (opcode >> 5) {
    case 0:
        return op < sizeof rc / sizeof *rc ? rc[op] : "";
    case 1:
        return op < sizeof uc / sizeof *uc ? uc[op] : "";
    case 3:
        return op == 4 ? "UD SEND Only" : op == 5 ? "UD SEND Only Immediate" : "";
    case 4:
        return op == 1 ? "CNP" : "";
    case 5:
        return op < sizeof rc / sizeof *rc ? "XRC" : "";
    default:
        return "";
    }
}

/* --- IP --------------------------------------------------------------------------------------- */

static int packet_ethernet(struct packet_cursor *c, struct packet *ret);

static int
packet_vxlan(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *v = c->p;
    if (!packet_skip(c, 8))
        return ERR_SYNTAX;
    ret->path = packet_u24(v + 4) + 1;
    return packet_ethernet(c, ret);
}

static int
packet_udp(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *u = c->p;
    if (!packet_skip(c, 8))
        return ERR_SYNTAX;
    unsigned port = packet_u16(u + 2);
    ret->source_port = (uint16_t)packet_u16(u);
    if (port == 4791)
        return packet_bth(c, ret);
    if (port == 4789 && c->depth < PACKET_DEPTH_MAX) { /* VXLAN, RFC 7348 */
        c->depth++;
        return packet_vxlan(c, ret);
    }
    return 0;
}

/* ERSPAN in GRE (RFC 2784, 2890): type I without sequence and header, II with 8, III with 12 or 20.
 */
static int
packet_gre(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *g = c->p;
    if (!packet_skip(c, 4))
        return ERR_SYNTAX;
    unsigned protocol = packet_u16(g + 2);
    bool sequence = g[0] & 0x10;
    size_t more = (g[0] & 0x80 ? 4u : 0u) + (g[0] & 0x20 ? 4u : 0u) + (sequence ? 4u : 0u);
    if ((protocol != 0x88be && protocol != 0x22eb) || c->depth == PACKET_DEPTH_MAX)
        return 0;
    c->depth++;
    if (!packet_skip(c, more))
        return ERR_SYNTAX;
    size_t header = protocol == 0x22eb ? 12 : sequence ? 8 : 0;
    bool extra = protocol == 0x22eb && c->left >= 12 && c->p[11] & 1;
    if (header && c->left >= 4)
        ret->path = (packet_u16(c->p + 2) & 0x3ffu) + 1;
    return packet_skip(c, header + (extra ? 8 : 0)) ? packet_ethernet(c, ret) : ERR_SYNTAX;
}

static int
packet_transport(struct packet_cursor *c, unsigned protocol, struct packet *ret)
{
    return protocol == 17 ? packet_udp(c, ret) : protocol == 47 ? packet_gre(c, ret) : 0;
}

static int
packet_ip4(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *h = c->p;
    size_t length = c->left ? (h[0] & 15u) * 4u : 0;
    if (length < 20 || h[0] >> 4 != 4 || !packet_skip(c, length))
        return ERR_SYNTAX;
    memset(ret->from, 0, 10);
    memset(ret->to, 0, 10);
    memset(ret->from + 10, 0xff, 2);
    memset(ret->to + 10, 0xff, 2);
    memcpy(ret->from + 12, h + 12, 4);
    memcpy(ret->to + 12, h + 16, 4);
    ret->length = packet_u16(h + 2) + 14;
    ret->dscp = h[1] >> 2;
    ret->ecn = h[1] & 3;
    if (packet_u16(h + 6) & 0x1fff) /* a later fragment has no headers */
        return 0;
    return packet_transport(c, h[9], ret);
}

static int
packet_ip6(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *h = c->p;
    if (!packet_skip(c, 40) || h[0] >> 4 != 6)
        return ERR_SYNTAX;
    memcpy(ret->from, h + 8, 16);
    memcpy(ret->to, h + 24, 16);
    unsigned traffic = packet_u16(h) >> 4 & 255u, next = h[6];
    ret->length = packet_u16(h + 4) + 54;
    ret->dscp = (uint8_t)(traffic >> 2);
    ret->ecn = traffic & 3;
    for (unsigned i = 0; i < 8 && (next == 0 || next == 43 || next == 60); i++) {
        const uint8_t *x = c->p; /* hop-by-hop, routing, destination options */
        if (c->left < 8 || !packet_skip(c, 8 + x[1] * 8u))
            return ERR_SYNTAX;
        next = x[0];
    }
    return packet_transport(c, next, ret);
}

/* RoCEv1: a global route header of 40 bytes, then the base transport header. */
static int
packet_grh(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *h = c->p;
    if (!packet_skip(c, 40))
        return ERR_SYNTAX;
    memcpy(ret->from, h + 8, 16);
    memcpy(ret->to, h + 24, 16);
    return h[6] == 0x1b ? packet_bth(c, ret) : 0;
}

/* --- Ethernet --------------------------------------------------------------------------------- */

static int
packet_control(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *m = c->p;
    if (c->left < 4)
        return ERR_SYNTAX;
    unsigned opcode = packet_u16(m);
    if (opcode == 1) {
        ret->kind = PACKET_PAUSE;
        ret->quanta[0] = (uint16_t)packet_u16(m + 2);
    } else if (opcode == 0x101) {
        if (c->left < 20)
            return ERR_SYNTAX;
        ret->kind = PACKET_PFC;
        ret->classes = m[3];
        for (unsigned i = 0; i < 8; i++)
            ret->quanta[i] = (uint16_t)packet_u16(m + 4 + 2 * i);
    }
    return 0;
}

static int
packet_type(struct packet_cursor *c, unsigned type, struct packet *ret)
{
    for (unsigned tags = 0; tags < 4 && (type == 0x8100 || type == 0x88a8 || type == 0x9100);
         tags++) {
        const uint8_t *t = c->p;
        if (!packet_skip(c, 4))
            return ERR_SYNTAX;
        ret->priority = t[0] >> 5;
        type = packet_u16(t + 2);
    }
    switch (type) {
    case 0x0800:
        return packet_ip4(c, ret);
    case 0x86dd:
        return packet_ip6(c, ret);
    case 0x8808:
        return packet_control(c, ret);
    case 0x8915:
        return packet_grh(c, ret);
    case 0x88cc:
        ret->kind = PACKET_LLDP;
        ret->body = c->p;
        ret->body_len = c->left;
        return 0;
    default:
        return 0;
    }
}

static int
packet_ethernet(struct packet_cursor *c, struct packet *ret)
{
    const uint8_t *e = c->p;
    if (!packet_skip(c, 14))
        return ERR_SYNTAX;
    memcpy(ret->mac_from, e + 6, 6);
    return packet_type(c, packet_u16(e + 12), ret);
}

int
packet_decode(int link, const uint8_t *data, size_t len, struct packet *ret)
{
    struct packet_cursor c = {data, len, 0};
    memset(ret, 0, sizeof *ret);
    switch (link) {
    case PACKET_LINK_ETHERNET:
        return packet_ethernet(&c, ret);
    case PACKET_LINK_SLL:
        return packet_skip(&c, 16) ? packet_type(&c, packet_u16(data + 14), ret) : ERR_SYNTAX;
    case PACKET_LINK_SLL2:
        return packet_skip(&c, 20) ? packet_type(&c, packet_u16(data), ret) : ERR_SYNTAX;
    case PACKET_LINK_VXLAN:
        c.depth++;
        return packet_vxlan(&c, ret);
    case PACKET_LINK_RAW:
        return !len ? ERR_SYNTAX : data[0] >> 4 == 6 ? packet_ip6(&c, ret) : packet_ip4(&c, ret);
    default:
        return 0;
    }
}
