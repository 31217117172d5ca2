/* roce_report: what was gathered, sorted and as JSON. */
#include "decode/roce_in.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROCE_ELEPHANT_OF    100 /* a flow of one in so many bytes, or more */
#define ROCE_ELEPHANT_MEANS 2   /* and twice the mean flow: of equals none is one */
#define ROCE_ELEPHANT_LEAST ((uint64_t)1 << 20)

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

static int
roce_neighbour_compare(const void *a, const void *b)
{
    const struct roce_neighbour *x = *(const struct roce_neighbour *const *)a;
    const struct roce_neighbour *y = *(const struct roce_neighbour *const *)b;
    int c = strcmp(x->says.system, y->says.system);
    c = c ? c : strcmp(x->says.port, y->says.port);
    return c ? c : memcmp(x->mac, y->mac, 6);
}

size_t
roce_neighbours(const struct roce *r, const struct roce_neighbour ***ret)
{
    return roce_sorted(r->neighbours, ret, roce_neighbour_compare);
}

/* --- flows that share a path ------------------------------------------------------------------ */

bool
roce_elephant(const struct roce *r, const struct roce_flow *f)
{
    uint64_t flows = map_count(r->flows);
    return f->bytes > ROCE_ELEPHANT_LEAST && f->bytes * ROCE_ELEPHANT_OF >= r->totals.bytes &&
           f->bytes * flows >= r->totals.bytes * ROCE_ELEPHANT_MEANS;
}

/* Those of one port of a mirror lie together, the others by what a switch hashes. */
static int
roce_shared_compare(const void *a, const void *b)
{
    const struct roce_flow *x = *(const struct roce_flow *const *)a;
    const struct roce_flow *y = *(const struct roce_flow *const *)b;
    if (x->path != y->path)
        return x->path < y->path ? -1 : 1;
    if (x->path)
        return 0;
    int c = memcmp(x->from, y->from, sizeof x->from + sizeof x->to);
    return c ? c : (x->source_port > y->source_port) - (x->source_port < y->source_port);
}

size_t
roce_collisions(const struct roce *r, struct roce_shared **ret)
{
    const struct roce_flow *big[ROCE_ELEPHANT_OF];
    size_t n = 0, pos = 0, len, groups = 0;
    struct roce_shared *at = calloc(ROCE_ELEPHANT_OF, sizeof *at);
    for (void *value; at && n < ROCE_ELEPHANT_OF && map_next(r->flows, &pos, &len, &value);)
        if (roce_elephant(r, value))
            big[n++] = value;
    if (n)
        qsort(big, n, sizeof *big, roce_shared_compare);
    for (size_t i = 0, k; i < n; i = k) {
        struct roce_shared s = {.of = big[i], .path = big[i]->path};
        for (k = i; k < n && !roce_shared_compare(&big[i], &big[k]); k++) {
            s.bytes += big[k]->bytes;
            s.flows++;
        }
        if (s.flows > 1)
            at[groups++] = s;
    }
    *ret = at;
    return groups;
}

/* --- JSON ------------------------------------------------------------------------------------- */

void
roce_address(const uint8_t a[16], char out[48])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool four = !memcmp(a, mapped, sizeof mapped);
    if (!inet_ntop(four ? AF_INET : AF_INET6, four ? a + 12 : a, out, 48))
        *out = 0;
}

void
roce_mac(const uint8_t mac[6], char out[18])
{
    snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}

static void
roce_json_waits(const char *key, const struct roce_waits *v, struct jsonw *w)
{
    jsonw_key(w, key);
    if (!v->count) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_kint(w, "count", (int64_t)v->count);
    jsonw_kreal(w, "mean_us", round((double)v->sum_us / (double)v->count * 10) / 10);
    jsonw_kreal(w, "p50_us", roce_waits_quantile(v, 0.5));
    jsonw_kreal(w, "p99_us", roce_waits_quantile(v, 0.99));
    jsonw_kint(w, "max_us", (int64_t)v->max_us);
    jsonw_end_object(w);
}

static void
roce_json_flow(const struct roce *r, const struct roce_flow *f, struct jsonw *w)
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
    jsonw_kint(w, "becn", (int64_t)f->becn);
    jsonw_kint(w, "source_ports", __builtin_popcountll(f->ports));
    jsonw_kint(w, "source_port", f->source_port);
    jsonw_kbool(w, "elephant", roce_elephant(r, f));
    roce_json_waits("answers", &f->waits, w);
    jsonw_kreal(w, "seconds", (double)(f->last_us - f->first_us) / 1e6);
    jsonw_end_object(w);
}

static void
roce_json_port(const struct roce_port *p, struct jsonw *w)
{
    char mac[18];
    roce_mac(p->mac, mac);
    jsonw_object(w);
    jsonw_kstr(w, "mac", mac);
    jsonw_kint(w, "pfc", (int64_t)p->pfc);
    jsonw_kint(w, "pause", (int64_t)p->pause);
    jsonw_kint(w, "storm_windows", (int64_t)p->storm_windows);
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
        jsonw_kreal(w, "paused_seconds", (double)p->paused_ns[i] / 1e9);
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
    jsonw_kint(w, "becn", (int64_t)t->becn);
    jsonw_kint(w, "lldp", (int64_t)t->lldp);
    roce_json_waits("answers", &t->waits, w);
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

static void
roce_json_storm(const struct roce *r, struct jsonw *w)
{
    const struct roce_port *p = roce_storm(r);
    char mac[18];
    jsonw_key(w, "storm");
    if (!p) {
        jsonw_null(w);
        return;
    }
    const struct roce_neighbour *n = map_get(r->neighbours, p->mac, 6);
    roce_mac(p->mac, mac);
    jsonw_object(w);
    jsonw_kstr(w, "mac", mac);
    jsonw_kstr(w, "system", n ? n->says.system : NULL);
    jsonw_kstr(w, "port", n ? n->says.port : NULL);
    jsonw_ktime(w, "since", p->storm_us / 1000);
    jsonw_end_object(w);
}

static void
roce_json_collisions(const struct roce *r, struct jsonw *w)
{
    struct roce_shared *at;
    size_t n = roce_collisions(r, &at);
    jsonw_key(w, "collisions");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++) {
        char from[48], to[48];
        roce_address(at[i].of->from, from);
        roce_address(at[i].of->to, to);
        jsonw_object(w);
        jsonw_kint(w, "flows", (int64_t)at[i].flows);
        jsonw_kint(w, "bytes", (int64_t)at[i].bytes);
        if (at[i].path)
            jsonw_kint(w, "path", at[i].path - 1);
        else {
            jsonw_kstr(w, "from", from);
            jsonw_kstr(w, "to", to);
            jsonw_kint(w, "source_port", at[i].of->source_port);
        }
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    free(at);
}

static void
roce_json_neighbour(const struct roce_neighbour *n, struct jsonw *w)
{
    char mac[18];
    const struct lldp *l = &n->says;
    roce_mac(n->mac, mac);
    jsonw_object(w);
    jsonw_kstr(w, "mac", mac);
    jsonw_kstr(w, "system", l->system);
    jsonw_kstr(w, "chassis", l->chassis);
    jsonw_kstr(w, "port", l->port);
    jsonw_kstr(w, "port_description", l->port_descr);
    jsonw_kstr(w, "dcbx", *l->dcbx ? l->dcbx : NULL);
    jsonw_key(w, "pfc_priorities");
    if (l->has_pfc) {
        jsonw_array(w);
        for (unsigned i = 0; i < 8; i++)
            if (l->pfc >> i & 1)
                jsonw_int(w, i);
        jsonw_end_array(w);
    } else {
        jsonw_null(w);
    }
    jsonw_key(w, "applications");
    jsonw_array(w);
    for (unsigned i = 0; i < l->app_count; i++) {
        jsonw_object(w);
        jsonw_kint(w, "selector", l->apps[i].selector);
        jsonw_kint(w, "protocol", l->apps[i].protocol);
        jsonw_kint(w, "priority", l->apps[i].priority);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void
roce_json_neighbours(const struct roce *r, struct jsonw *w)
{
    const struct roce_neighbour **at;
    size_t n = roce_neighbours(r, &at);
    jsonw_key(w, "neighbours");
    jsonw_array(w);
    for (size_t i = 0; i < n; i++)
        roce_json_neighbour(at[i], w);
    jsonw_end_array(w);
    free(at);
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
        roce_json_flow(r, flows[i], w);
    jsonw_end_array(w);
    jsonw_key(w, "pausing_ports");
    jsonw_array(w);
    for (size_t i = 0; i < port_count; i++)
        roce_json_port(ports[i], w);
    jsonw_end_array(w);
    roce_json_storm(r, w);
    roce_json_collisions(r, w);
    roce_json_neighbours(r, w);
    jsonw_end_object(w);
    free(flows);
    free(ports);
}
