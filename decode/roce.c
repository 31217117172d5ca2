/* roce: one hash look-up a frame. Always true: totals count every frame, flows those within the
 * ceiling. */
#include "decode/roce.h"

#include "base/err.h"
#include "base/map.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROCE_FLOWS_MAX 262144u
#define ROCE_PORTS_MAX 65536u
#define ROCE_PSN_MASK  0xffffffu
#define ROCE_PSN_HALF  0x800000u

struct roce {
    struct roce_totals totals;
    struct map *flows, *ports;
    struct roce_flow *last; /* frames of one flow follow one another */
};

struct roce *
roce_new(void)
{
    struct roce *r = calloc(1, sizeof *r);
    if (r && (!(r->flows = map_new(ROCE_FLOWS_MAX)) || !(r->ports = map_new(ROCE_PORTS_MAX)))) {
        roce_free(r);
        return NULL;
    }
    return r;
}

void
roce_free(struct roce *r)
{
    if (!r)
        return;
    map_free(r->flows, free);
    map_free(r->ports, free);
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

static struct roce_port *
roce_port(struct roce *r, const uint8_t mac[6])
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

static void
roce_packet(struct roce *r, const struct packet *p, int64_t time_us, size_t wire_length)
{
    struct roce_flow *f = roce_flow(r, p);
    r->totals.roce += p->kind == PACKET_ROCE;
    r->totals.cnp += p->kind == PACKET_CNP;
    r->totals.ce += p->ecn == 3;
    r->totals.ect += p->ecn == 1 || p->ecn == 2;
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
    if (p->kind == PACKET_CNP) {
        f->cnp++;
        return;
    }
    if (p->has_aeth)
        roce_acknowledge(f, p->syndrome);
    roce_operation(f, p);
}

static void
roce_pause(struct roce *r, const struct packet *p, int64_t time_us)
{
    struct roce_port *port = roce_port(r, p->mac_from);
    r->totals.pfc += p->kind == PACKET_PFC;
    r->totals.pause += p->kind == PACKET_PAUSE;
    if (!port) {
        r->totals.untracked++;
        return;
    }
    port->first_us = port->pfc + port->pause ? port->first_us : time_us;
    port->last_us = time_us;
    port->pfc += p->kind == PACKET_PFC;
    port->pause += p->kind == PACKET_PAUSE;
    unsigned classes = p->kind == PACKET_PFC ? p->classes : 1u;
    for (unsigned i = 0; i < 8; i++) {
        if (!(classes >> i & 1))
            continue;
        port->xoff[i] += p->quanta[i] != 0;
        port->xon[i] += p->quanta[i] == 0;
        port->quanta[i] += p->quanta[i];
    }
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
    else if (p.kind != PACKET_OTHER)
        roce_pause(r, &p, time_us);
}

const struct roce_totals *
roce_totals(const struct roce *r)
{
    return &r->totals;
}

/* --- report ----------------------------------------------------------------------------------- */

static uint64_t
roce_trouble(const struct roce_flow *f)
{
    return f->requests.gaps + f->requests.repeated + f->responses.gaps + f->responses.repeated +
           f->nak_psn + f->nak_other + f->rnr;
}

static int
roce_flow_compare(const void *a, const void *b)
{
    const struct roce_flow *x = *(const struct roce_flow *const *)a;
    const struct roce_flow *y = *(const struct roce_flow *const *)b;
    uint64_t tx = roce_trouble(x), ty = roce_trouble(y);
    if (tx != ty)
        return tx > ty ? -1 : 1;
    if (x->cnp != y->cnp)
        return x->cnp > y->cnp ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return memcmp(x, y, offsetof(struct roce_flow, packets));
}

static int
roce_port_compare(const void *a, const void *b)
{
    const struct roce_port *x = *(const struct roce_port *const *)a;
    const struct roce_port *y = *(const struct roce_port *const *)b;
    uint64_t fx = x->pfc + x->pause, fy = y->pfc + y->pause;
    return fx != fy ? (fx > fy ? -1 : 1) : memcmp(x->mac, y->mac, 6);
}

static size_t
roce_sorted(const struct map *m, void *ret, int (*compare)(const void *, const void *))
{
    const void **at = calloc(map_count(m) + 1, sizeof *at);
    size_t n = 0, pos = 0, len;
    for (void *value; at && map_next(m, &pos, &len, &value);)
        at[n++] = value;
    if (n)
        qsort(at, n, sizeof *at, compare);
    memcpy(ret, &at, sizeof at);
    return n;
}

size_t
roce_flows(const struct roce *r, const struct roce_flow ***ret)
{
    return roce_sorted(r->flows, ret, roce_flow_compare);
}

size_t
roce_ports(const struct roce *r, const struct roce_port ***ret)
{
    return roce_sorted(r->ports, ret, roce_port_compare);
}

void
roce_address(const uint8_t a[16], char out[48])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool four = !memcmp(a, mapped, sizeof mapped);
    if (!inet_ntop(four ? AF_INET : AF_INET6, four ? a + 12 : a, out, 48))
        *out = 0;
}

static void
roce_json_flow(const struct roce_flow *f, struct jsonw *w)
{
    char from[48], to[48];
    roce_address(f->from, from);
    roce_address(f->to, to);
    jsonw_object(w);
    jsonw_kstr(w, "from", from);
    jsonw_kstr(w, "to", to);
    jsonw_kint(w, "qp", f->qp);
    jsonw_kint(w, "packets", (int64_t)f->packets);
    jsonw_kint(w, "bytes", (int64_t)f->bytes);
    jsonw_kint(w, "messages", (int64_t)f->messages);
    jsonw_kint(w, "psn_gaps", (int64_t)(f->requests.gaps + f->responses.gaps));
    jsonw_kint(w, "packets_missing", (int64_t)(f->requests.missing + f->responses.missing));
    jsonw_kint(w, "retransmitted", (int64_t)(f->requests.repeated + f->responses.repeated));
    jsonw_kint(w, "acks", (int64_t)f->acks);
    jsonw_kint(w, "rnr", (int64_t)f->rnr);
    jsonw_kint(w, "nak_sequence", (int64_t)f->nak_psn);
    jsonw_kint(w, "nak_other", (int64_t)f->nak_other);
    jsonw_kint(w, "cnp", (int64_t)f->cnp);
    jsonw_kint(w, "ce", (int64_t)f->ce);
    jsonw_kint(w, "source_ports", __builtin_popcountll(f->ports));
    jsonw_kreal(w, "seconds", (double)(f->last_us - f->first_us) / 1e6);
    jsonw_end_object(w);
}

static void
roce_json_port(const struct roce_port *p, struct jsonw *w)
{
    char mac[20];
    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2],
             p->mac[3], p->mac[4], p->mac[5]);
    jsonw_object(w);
    jsonw_kstr(w, "mac", mac);
    jsonw_kint(w, "pfc", (int64_t)p->pfc);
    jsonw_kint(w, "pause", (int64_t)p->pause);
    jsonw_key(w, "priorities");
    jsonw_array(w);
    for (unsigned i = 0; i < 8; i++) {
        if (!p->xoff[i] && !p->xon[i])
            continue;
        jsonw_object(w);
        jsonw_kint(w, "priority", i);
        jsonw_kint(w, "xoff", (int64_t)p->xoff[i]);
        jsonw_kint(w, "xon", (int64_t)p->xon[i]);
        jsonw_kint(w, "quanta", (int64_t)p->quanta[i]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void
roce_json_totals(const struct roce_totals *t, struct jsonw *w)
{
    jsonw_kint(w, "frames", (int64_t)t->frames);
    jsonw_kint(w, "bytes", (int64_t)t->bytes);
    jsonw_kreal(w, "seconds", (double)(t->last_us - t->first_us) / 1e6);
    jsonw_kint(w, "roce", (int64_t)t->roce);
    jsonw_kint(w, "cnp", (int64_t)t->cnp);
    jsonw_kint(w, "ce", (int64_t)t->ce);
    jsonw_kint(w, "ect", (int64_t)t->ect);
    jsonw_kint(w, "pfc", (int64_t)t->pfc);
    jsonw_kint(w, "pause", (int64_t)t->pause);
    jsonw_kint(w, "malformed", (int64_t)t->malformed);
    jsonw_kint(w, "untracked", (int64_t)t->untracked);
    jsonw_key(w, "opcodes");
    jsonw_array(w);
    for (unsigned i = 0; i < 256; i++) {
        if (!t->opcodes[i])
            continue;
        jsonw_object(w);
        jsonw_kint(w, "opcode", i);
        jsonw_kstr(w, "name", packet_opcode_name((uint8_t)i));
        jsonw_kint(w, "packets", (int64_t)t->opcodes[i]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

void
roce_json(const struct roce *r, size_t flows_max, struct jsonw *w)
{
    const struct roce_flow **flows;
    const struct roce_port **ports;
    size_t flow_count = roce_flows(r, &flows), port_count = roce_ports(r, &ports);
    jsonw_object(w);
    roce_json_totals(&r->totals, w);
    jsonw_kint(w, "flow_count", (int64_t)flow_count);
    jsonw_key(w, "flows");
    jsonw_array(w);
    for (size_t i = 0; i < flow_count && i < flows_max; i++)
        roce_json_flow(flows[i], w);
    jsonw_end_array(w);
    jsonw_key(w, "pausing_ports");
    jsonw_array(w);
    for (size_t i = 0; i < port_count; i++)
        roce_json_port(ports[i], w);
    jsonw_end_array(w);
    jsonw_end_object(w);
    free(flows);
    free(ports);
}
