/* roce: one hash look-up a frame. Always true: totals count every frame, flows those within the
 * ceiling. */
#include "base/err.h"
#include "decode/roce_in.h"

#include <stdlib.h>
#include <string.h>

#define ROCE_FLOWS_MAX      262144u
#define ROCE_PORTS_MAX      65536u
#define ROCE_NEIGHBOURS_MAX 4096u
#define ROCE_GBPS           400
#define ROCE_PSN_MASK       0xffffffu
#define ROCE_PSN_HALF       0x800000u

struct roce *
roce_new(double gbps)
{
    struct roce *r = calloc(1, sizeof *r);
    if (r && (!(r->flows = map_new(ROCE_FLOWS_MAX)) || !(r->ports = map_new(ROCE_PORTS_MAX)) ||
              !(r->neighbours = map_new(ROCE_NEIGHBOURS_MAX)) ||
              !(r->waits = calloc(ROCE_WAIT_SLOTS, sizeof *r->waits)))) {
        roce_free(r);
        return NULL;
    }
    if (r)
        r->ns_a_quantum = 512 / (gbps > 0 ? gbps : ROCE_GBPS);
    return r;
}

void
roce_free(struct roce *r)
{
    if (!r)
        return;
    map_free(r->flows, free);
    map_free(r->ports, free);
    map_free(r->neighbours, free);
    free(r->waits);
    free(r);
}

static struct roce_flow *
roce_flow(struct roce *r, const struct packet *p)
{
    uint8_t key[36];
    memcpy(key, p->from, 16);
    memcpy(key + 16, p->to, 16);
    memcpy(key + 32, &p->qp, 4);
    if (r->last && !memcmp(r->last->from, key, 16) && !memcmp(r->last->to, key + 16, 16) &&
        r->last->qp == p->qp)
        return r->last;
    struct roce_flow *f = map_get(r->flows, key, sizeof key);
    if (!f && (f = calloc(1, sizeof *f))) {
        memcpy(f->from, p->from, 16);
        memcpy(f->to, p->to, 16);
        f->qp = p->qp;
        if (map_set(r->flows, key, sizeof key, f, NULL)) {
            free(f);
            f = NULL;
        }
    }
    r->last = f;
    return f;
}

static void
roce_track(struct roce_track *t, uint32_t psn)
{
    uint32_t ahead = (psn - t->next) & ROCE_PSN_MASK;
    if (t->started && ahead >= ROCE_PSN_HALF) {
        t->repeated++;
        return;
    }
    if (t->started && ahead) {
        t->gaps++;
        t->missing += ahead;
    }
    t->started = true;
    t->next = (psn + 1) & ROCE_PSN_MASK;
}

static void
roce_acknowledge(struct roce_flow *f, uint8_t syndrome)
{
    switch (packet_ack_kind(syndrome)) {
    case PACKET_ACK:
        f->acks++;
        break;
    case PACKET_RNR:
        f->rnr++;
        break;
    case PACKET_NAK_PSN:
        f->nak_psn++;
        break;
    default:
        f->nak_other++;
    }
}

static void
roce_operation(struct roce_flow *f, const struct packet *p)
{
    unsigned op = p->opcode & 31u, transport = p->opcode >> 5;
    bool connected = transport == 0 || transport == 1 || transport == 5;
    f->messages +=
        op == 2 || op == 3 || op == 4 || op == 5 || (op >= 8 && op <= 12) || (op >= 19 && op <= 23);
    if (!connected)
        return;
    if (op >= 13 && op <= 16) {
        roce_track(&f->responses, p->psn);
    } else if (op == 12) { /* takes as many numbers as its answer has packets: not known here */
        roce_track(&f->requests, p->psn);
        f->requests.started = false;
    } else if (op != 17 && op != 18) {
        roce_track(&f->requests, p->psn);
    }
}

/* A read asks by itself; the first response, or the only one, answers it. */
static void
roce_answers(struct roce *r, struct roce_flow *f, const struct packet *p, int64_t time_us)
{
    unsigned op = p->opcode & 31u;
    if (p->opcode >> 5 != 0 && p->opcode >> 5 != 5)
        return;
    if (op == 13 || op == 16 || op == 17 || op == 18)
        roce_wait_answer(r, p, time_us);
    else if (p->ack_request || op == 12)
        roce_wait_ask(r, f, p, time_us);
}

static void
roce_packet(struct roce *r, const struct packet *p, int64_t time_us, size_t wire_length)
{
    struct roce_flow *f = roce_flow(r, p);
    if (p->length > wire_length) { /* cut by a mirror */
        r->totals.bytes += p->length - wire_length;
        wire_length = p->length;
    }
    r->totals.roce += p->kind == PACKET_ROCE;
    r->totals.cnp += p->kind == PACKET_CNP;
    r->totals.ce += p->ecn == 3;
    r->totals.ect += p->ecn == 1 || p->ecn == 2;
    r->totals.becn += p->becn;
    r->totals.opcodes[p->opcode]++;
    if (!f) {
        r->totals.untracked++;
        return;
    }
    f->first_us = f->packets ? f->first_us : time_us;
    f->last_us = time_us;
    f->packets++;
    f->bytes += wire_length;
    f->ce += p->ecn == 3;
    f->ports |= (uint64_t)1 << ((p->source_port * 40503u >> 8) & 63);
    f->source_port = p->source_port;
    f->path = p->path;
    f->becn += p->becn;
    if (p->kind == PACKET_CNP) {
        f->cnp++;
        return;
    }
    if (p->has_aeth)
        roce_acknowledge(f, p->syndrome);
    roce_operation(f, p);
    roce_answers(r, f, p, time_us);
}

static void
roce_neighbour(struct roce *r, const struct packet *p)
{
    struct lldp says;
    struct roce_neighbour *n = map_get(r->neighbours, p->mac_from, 6);
    r->totals.lldp++;
    if (lldp_decode(p->body, p->body_len, &says)) {
        r->totals.malformed++;
        return;
    }
    if (!n && (n = calloc(1, sizeof *n))) {
        memcpy(n->mac, p->mac_from, 6);
        if (map_set(r->neighbours, n->mac, 6, n, NULL)) {
            free(n);
            n = NULL;
        }
    }
    if (!n) {
        r->totals.untracked++;
        return;
    }
    n->frames++;
    n->says = says;
}

void
roce_frame(struct roce *r, int link, int64_t time_us, size_t wire_length, const uint8_t *data,
           size_t len)
{
    struct packet p;
    struct roce_totals *t = &r->totals;
    t->first_us = t->frames ? t->first_us : time_us;
    t->last_us = time_us;
    t->frames++;
    t->bytes += wire_length;
    if (packet_decode(link, data, len, &p)) {
        t->malformed++;
        return;
    }
    if (p.kind == PACKET_ROCE || p.kind == PACKET_CNP)
        roce_packet(r, &p, time_us, wire_length);
    else if (p.kind == PACKET_LLDP)
        roce_neighbour(r, &p);
    else if (p.kind != PACKET_OTHER)
        roce_pause_take(r, &p, time_us);
}

const struct roce_totals *
roce_totals(const struct roce *r)
{
    return &r->totals;
}
