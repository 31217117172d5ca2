/* cabling: one port at a time, and over all series lldp_neighbor_info of a moment. */
#include "store/cabling.h"

#include "base/map.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CABLING_LOOKBACK_MS  3600000 /* neighbours are read every ten minutes or so */
#define CABLING_SWITCHES_MAX 100000u

static const char *const cabling_words[] = {"same",      "wrong",   "missing",
                                            "unplanned", "unknown", "nothing"};

const char *
cabling_word(enum cabling_kind k)
{
    return cabling_words[k];
}

/* --- names --------------------------------------------------------------------------------------
 */

/* Eth1/1 and Ethernet1/1: the letters of one begin those of the other, the rest is the same. */
static bool
cabling_same_port(const char *a, const char *b)
{
    size_t n = 0, m = 0;
    while (isalpha((unsigned char)a[n]))
        n++;
    while (isalpha((unsigned char)b[m]))
        m++;
    size_t least = n < m ? n : m;
    return *a && *b && (least || n == m) && !strncasecmp(a, b, least) && !strcmp(a + n, b + m);
}

/* The node or switch of a system name, whole or without its domain. */
static topo_id
cabling_host(const struct topo *t, const char *name)
{
    char entity[ENTITY_SIZE], host[128];
    if (!*name)
        return TOPO_NONE;
    str_copy(host, sizeof host, name);
    for (char *dot = host + strlen(host); dot; dot = strrchr(host, '.')) {
        *dot = 0;
        if (*host && !topo_resolve_host(t, host, entity))
            return topo_find(t, entity);
    }
    return TOPO_NONE;
}

static const char *
cabling_part(const char *entity)
{
    const char *slash = strchr(entity, '/');
    return slash ? slash + 1 : "";
}

/* The port or adapter of a host that one of two texts names; TOPO_NONE when neither does. */
static topo_id
cabling_port_of(const struct topo *t, topo_id host, const struct cabling_neighbour *n)
{
    size_t count;
    const struct topo_edge *e = topo_edges(t, host, &count);
    for (size_t i = 0; i < count; i++) {
        enum entity_kind k = topo_kind(t, e[i].to);
        const char *name = cabling_part(topo_name(t, e[i].to));
        const char *netdev = k == ENTITY_NIC ? topo_attr(t, e[i].to, "netdev") : "";
        if ((k == ENTITY_PORT || k == ENTITY_NIC) &&
            (cabling_same_port(name, n->peer_port) || cabling_same_port(name, n->peer_descr) ||
             cabling_same_port(netdev, n->peer_port) || cabling_same_port(netdev, n->peer_descr)))
            return e[i].to;
    }
    return TOPO_NONE;
}

/* --- one port -----------------------------------------------------------------------------------
 */

static topo_id
cabling_far_end(const struct topo *t, topo_id link, topo_id port)
{
    size_t count;
    const struct topo_edge *e = topo_edges(t, link, &count);
    for (size_t i = 0; i < count; i++)
        if (e[i].to != port &&
            (topo_kind(t, e[i].to) == ENTITY_PORT || topo_kind(t, e[i].to) == ENTITY_NIC))
            return e[i].to;
    return TOPO_NONE;
}

static topo_id
cabling_owner(const struct topo *t, topo_id end)
{
    return topo_neighbour(t, end, topo_kind(t, end) == ENTITY_NIC ? ENTITY_NODE : ENTITY_SWITCH);
}

static void
cabling_see(const struct topo *t, topo_id planned, const struct cabling_neighbour *n,
            struct cabling_verdict *ret)
{
    topo_id host = cabling_host(t, n->peer);
    if (host == TOPO_NONE) {
        str_copy(ret->seen, sizeof ret->seen, *n->peer ? n->peer : n->peer_descr);
        ret->kind = CABLING_UNKNOWN;
        return;
    }
    topo_id end = cabling_port_of(t, host, n);
    str_copy(ret->seen, sizeof ret->seen, topo_name(t, end == TOPO_NONE ? host : end));
    if (planned == TOPO_NONE)
        ret->kind = CABLING_UNPLANNED;
    else if (end != TOPO_NONE)
        ret->kind = end == planned ? CABLING_SAME : CABLING_WRONG;
    else
        ret->kind = host == cabling_owner(t, planned) ? CABLING_SAME : CABLING_WRONG;
}

int
cabling_judge(const struct topo *t, const char *of_switch, const char *name, const char *descr,
              const struct cabling_neighbour *n, struct cabling_verdict *ret)
{
    topo_id port = TOPO_NONE, link = TOPO_NONE, planned = TOPO_NONE;
    *ret = (struct cabling_verdict){.kind = CABLING_NOTHING};
    if (*descr && !entity_format(ret->port, ENTITY_PORT, of_switch, descr))
        port = topo_find(t, ret->port);
    if (port == TOPO_NONE) {
        if (entity_format(ret->port, ENTITY_PORT, of_switch, *name ? name : descr))
            return ERR_SYNTAX;
        port = topo_find(t, ret->port);
    }
    if (port != TOPO_NONE)
        link = topo_neighbour(t, port, ENTITY_LINK);
    if (link != TOPO_NONE)
        planned = cabling_far_end(t, link, port);
    if (planned != TOPO_NONE) {
        str_copy(ret->link, sizeof ret->link, topo_name(t, link));
        str_copy(ret->planned, sizeof ret->planned, topo_name(t, planned));
    }
    if (n)
        cabling_see(t, planned, n, ret);
    else if (planned != TOPO_NONE)
        ret->kind = CABLING_MISSING;
    return 0;
}

/* --- all ----------------------------------------------------------------------------------------
 */

struct cabling {
    const struct topo *topo;
    struct map *seen; /* ports with a neighbour */
    int (*cb)(void *ctx, const struct cabling_verdict *v);
    void *ctx;
    struct cabling_count *count;
};

static int
cabling_tell(struct cabling *c, const struct cabling_verdict *v)
{
    uint64_t *of[] = {&c->count->same, &c->count->wrong, &c->count->missing, &c->count->unplanned,
                      &c->count->unknown};
    if (v->kind < sizeof of / sizeof *of)
        (*of[v->kind])++;
    c->count->ports++;
    return v->kind == CABLING_NOTHING ? 0 : c->cb(c->ctx, v);
}

static int
cabling_row(struct cabling *c, const struct labels *l)
{
    char of[128], name[128], descr[256], peer[256], port[256], about[256];
    struct cabling_neighbour n = {peer, port, about};
    struct cabling_verdict v;
    *name = *descr = *peer = *port = *about = 0;
    if (!labels_copy(l, "node", of, sizeof of))
        return 0;
    labels_copy(l, "ifName", name, sizeof name);
    labels_copy(l, "ifDescr", descr, sizeof descr);
    labels_copy(l, "peer", peer, sizeof peer);
    labels_copy(l, "peer_port", port, sizeof port);
    labels_copy(l, "peer_descr", about, sizeof about);
    if (cabling_judge(c->topo, of, name, descr, &n, &v))
        return 0;
    map_set(c->seen, v.port, strlen(v.port), c, NULL);
    if (entity_format(about, ENTITY_SWITCH, of, NULL) == 0)
        map_set(c->seen, about, strlen(about), c, NULL);
    return cabling_tell(c, &v);
}

/* Planned ports, of switches that know neighbours at all, where nobody is. */
static int
cabling_absent(struct cabling *c)
{
    size_t switches, ports;
    const topo_id *at = topo_of_kind(c->topo, ENTITY_SWITCH, &switches);
    int rc = 0;
    for (size_t i = 0; i < switches; i++) {
        const char *name = topo_name(c->topo, at[i]);
        const struct topo_edge *e = topo_edges(c->topo, at[i], &ports);
        if (!map_get(c->seen, name, strlen(name)))
            continue;
        c->count->switches++;
        for (size_t k = 0; rc >= 0 && k < ports; k++) {
            const char *port = topo_name(c->topo, e[k].to);
            struct cabling_verdict v;
            if (topo_kind(c->topo, e[k].to) == ENTITY_PORT &&
                !map_get(c->seen, port, strlen(port)) &&
                !cabling_judge(c->topo, strchr(name, ':') + 1, cabling_part(port), "", NULL, &v) &&
                v.kind == CABLING_MISSING)
                rc = cabling_tell(c, &v);
        }
    }
    return rc;
}

int
cabling_compare(struct store *s, const struct topo *t, int64_t at_ms,
                int (*cb)(void *ctx, const struct cabling_verdict *v), void *ctx,
                struct cabling_count *ret_count, struct err *err)
{
    struct matcher m[] = {{MATCH_EQ, "__name__", "lldp_neighbor_info"}};
    struct series_set set = {0};
    struct cabling c = {t, map_new(CABLING_SWITCHES_MAX * 64), cb, ctx, ret_count};
    *ret_count = (struct cabling_count){0};
    if (!c.seen)
        return err_set(err, ERR_NOMEM, "no memory for the cabling");
    int rc = store_latest(s, m, 1, at_ms, CABLING_LOOKBACK_MS, NULL, &set, err);
    for (size_t i = 0; rc >= 0 && i < set.count; i++)
        rc = cabling_row(&c, set.rows[i].labels);
    if (rc >= 0)
        rc = cabling_absent(&c);
    series_set_done(&set);
    map_free(c.seen, NULL);
    return rc < 0 ? rc : 0;
}
