/* plan: arrays, names and the checks that keep them consistent. */
#include "sim/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_NAMES_MAX    (4u << 20)
#define PLAN_ARENA_MAX    (1u << 30)
#define PLAN_ELEMENTS_MAX (1u << 21)

#define PLAN_PUSH(array) plan_grow(&(array).at, &(array).count, &(array).cap, sizeof *(array).at)

int
plan_new(const char *cluster, struct plan **ret_plan, struct err *err)
{
    struct plan *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the plan");
    p->arena = arena_new(PLAN_ARENA_MAX);
    p->names = map_new(PLAN_NAMES_MAX);
    p->cluster = p->arena == NULL ? NULL : arena_str(p->arena, cluster, strlen(cluster));
    if (p->names == NULL || p->cluster == NULL) {
        plan_free(p);
        return err_set(err, ERR_NOMEM, "no memory for the plan");
    }
    *ret_plan = p;
    return 0;
}

void
plan_free(struct plan *p)
{
    if (p == NULL)
        return;
    free(p->pdus.at);
    free(p->cdus.at);
    free(p->racks.at);
    free(p->switches.at);
    free(p->ports.at);
    free(p->nodes.at);
    free(p->gpus.at);
    free(p->nics.at);
    free(p->links.at);
    free(p->optics.at);
    free(p->storage.at);
    arena_free(p->arena);
    map_free(p->names, NULL);
    free(p);
}

void *
plan_grow(void *array_at, uint32_t *count, uint32_t *cap, size_t size)
{
    void *at;
    memcpy(&at, array_at, sizeof at); /* any T ** has the layout of void ** here */
    if (*count == *cap) {
        uint32_t more = *cap == 0 ? 64 : *cap * 2;
        if (more > PLAN_ELEMENTS_MAX)
            return NULL;
        at = realloc(at, (size_t)more * size);
        if (at == NULL)
            return NULL;
        memcpy(array_at, &at, sizeof at);
        *cap = more;
    }
    void *slot = (char *)at + (size_t)*count * size;
    memset(slot, 0, size);
    *count += 1;
    return slot;
}

static int
plan_name(struct plan *p, const char *kind, const char *owner, const char *part, size_t index)
{
    char text[256];
    int n = part == NULL ? snprintf(text, sizeof text, "%s:%s", kind, owner)
                         : snprintf(text, sizeof text, "%s:%s/%s", kind, owner, part);
    if (n < 0 || (size_t)n >= sizeof text)
        return ERR_RANGE;
    if (map_get(p->names, text, (size_t)n) != NULL)
        return ERR_EXISTS;
    return map_set(p->names, text, (size_t)n, (void *)(uintptr_t)(index + 1), NULL);
}

static const char *
plan_str(struct plan *p, const char *s)
{
    return arena_str(p->arena, s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
}

static int64_t
plan_lookup(const struct plan *p, const char *text, size_t len)
{
    return (int64_t)(uintptr_t)map_get(p->names, text, len) - 1;
}

int64_t
plan_find(const struct plan *p, const char *entity)
{
    size_t len = strlen(entity);
    int64_t i = plan_lookup(p, entity, len);
    if (i < 0 && len > 2 && strcmp(entity + len - 2, "/1") == 0)
        i = plan_lookup(p, entity, len - 2);
    return i;
}

static int64_t
plan_add_unit(struct plan *p, bool pdu, const char *name)
{
    if (name == NULL || *name == 0)
        return -1;
    char text[256];
    snprintf(text, sizeof text, "%s:%s", pdu ? "pdu" : "cdu", name);
    int64_t i = plan_lookup(p, text, strlen(text));
    if (i >= 0)
        return i;
    struct plan_unit *u = pdu ? PLAN_PUSH(p->pdus) : PLAN_PUSH(p->cdus);
    if (u == NULL || (u->name = plan_str(p, name)) == NULL)
        return ERR_NOMEM;
    i = (pdu ? p->pdus.count : p->cdus.count) - 1;
    return plan_name(p, pdu ? "pdu" : "cdu", name, NULL, (size_t)i) < 0 ? ERR_NOMEM : i;
}

int64_t
plan_add_rack(struct plan *p, const char *name, const char *pdu, const char *cdu)
{
    int rc = plan_name(p, "rack", name, NULL, p->racks.count);
    if (rc < 0)
        return rc;
    int64_t u = plan_add_unit(p, true, pdu), c = plan_add_unit(p, false, cdu);
    struct plan_rack *r = PLAN_PUSH(p->racks);
    if (r == NULL || u < -1 || c < -1 || (r->name = plan_str(p, name)) == NULL)
        return ERR_NOMEM;
    r->pdu = (int32_t)u;
    r->cdu = (int32_t)c;
    return p->racks.count - 1;
}

int64_t
plan_add_switch(struct plan *p, const struct plan_switch *s)
{
    uint32_t i = p->switches.count;
    int rc = plan_name(p, "switch", s->name, NULL, i);
    if (rc < 0)
        return rc;
    struct plan_switch *w = PLAN_PUSH(p->switches);
    if (w == NULL)
        return ERR_NOMEM;
    *w = *s;
    char own[32];
    snprintf(own, sizeof own, "127.%u.%u.%u", 16 + ((i + 1) >> 16), ((i + 1) >> 8) & 255,
             (i + 1) & 255);
    w->name = plan_str(p, s->name);
    w->role = plan_str(p, s->role);
    w->group = plan_str(p, s->group);
    w->plane = plan_str(p, s->plane == NULL ? "parameter" : s->plane);
    w->address = plan_str(p, s->address == NULL || *s->address == 0 ? own : s->address);
    w->first_port = -1;
    w->ports = 0;
    return w->address == NULL ? ERR_NOMEM : (int64_t)i;
}

static int
plan_add_gpus(struct plan *p, struct plan_node *n, uint32_t node)
{
    /* the bus numbers of an 8-way SXM board; a ninth and later continue from 0xe0 */
    static const unsigned bus[] = {0x18, 0x2a, 0x3a, 0x5d, 0x9a, 0xab, 0xba, 0xdb};
    n->first_gpu = p->gpus.count;
    for (uint32_t g = 0; g < n->gpus; g++) {
        struct plan_gpu *gpu = PLAN_PUSH(p->gpus);
        char part[16];
        if (gpu == NULL)
            return ERR_NOMEM;
        gpu->node = node;
        gpu->index = g;
        snprintf(gpu->pci, sizeof gpu->pci, "0000:%02x:00.0", g < 8 ? bus[g] : (0xe0 + g) & 0xff);
        snprintf(part, sizeof part, "%u", g);
        int rc = plan_name(p, "gpu", n->name, part, p->gpus.count - 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int64_t
plan_add_node(struct plan *p, const struct plan_node *from)
{
    uint32_t i = p->nodes.count;
    int rc = plan_name(p, "node", from->name, NULL, i);
    if (rc < 0)
        return rc;
    struct plan_node *n = PLAN_PUSH(p->nodes);
    if (n == NULL)
        return ERR_NOMEM;
    *n = *from;
    n->name = plan_str(p, from->name);
    n->group = plan_str(p, from->group);
    n->vendor = plan_str(p, from->vendor == NULL ? "nvidia" : from->vendor);
    n->model = plan_str(p, from->model == NULL ? "H100" : from->model);
    if (n->model == NULL)
        return ERR_NOMEM;
    n->storage = -1;
    n->first_nic = p->nics.count;
    n->nics = 0;
    rc = plan_add_gpus(p, n, i);
    return rc < 0 ? rc : (int64_t)i;
}

int64_t
plan_add_nic(struct plan *p, const struct plan_nic *from)
{
    struct plan_node *node = &p->nodes.at[p->nodes.count - 1];
    char netdev[32];
    int rc = plan_name(p, "nic", node->name, from->name, p->nics.count);
    if (rc < 0)
        return rc;
    struct plan_nic *n = PLAN_PUSH(p->nics);
    if (n == NULL)
        return ERR_NOMEM;
    *n = *from;
    snprintf(netdev, sizeof netdev, "eth%u", node->nics + 1);
    n->name = plan_str(p, from->name);
    n->netdev = plan_str(p, from->netdev == NULL ? netdev : from->netdev);
    n->plane = plan_str(p, from->plane == NULL ? "parameter" : from->plane);
    n->node = p->nodes.count - 1;
    n->link = n->optic = -1;
    snprintf(n->pci, sizeof n->pci, "0000:%02x:00.0", (0x19 + node->nics * 0x1b) & 0xff);
    node->nics++;
    return n->plane == NULL ? ERR_NOMEM : (int64_t)(p->nics.count - 1);
}

int64_t
plan_add_port(struct plan *p, uint32_t sw, const char *name)
{
    char text[256];
    struct plan_switch *w = &p->switches.at[sw];
    snprintf(text, sizeof text, "port:%s/%s", w->name, name);
    int64_t found = plan_lookup(p, text, strlen(text));
    if (found >= 0)
        return found;
    int rc = plan_name(p, "port", w->name, name, p->ports.count);
    struct plan_port *port = rc < 0 ? NULL : PLAN_PUSH(p->ports);
    if (port == NULL || (port->name = plan_str(p, name)) == NULL)
        return rc < 0 ? rc : ERR_NOMEM;
    port->sw = sw;
    port->link = port->optic = -1;
    port->next = w->first_port;
    port->if_index = ++w->ports;
    w->first_port = (int32_t)(p->ports.count - 1);
    return w->first_port;
}

const char *
plan_nic_address(const struct plan *p, uint32_t nic, char out[16])
{
    const struct plan_nic *n = &p->nics.at[nic];
    unsigned rail = n->rail > 0 ? (unsigned)n->rail : nic - p->nodes.at[n->node].first_nic + 1;
    snprintf(out, 16, "10.%u.%u.%u", rail & 255u, n->node >> 8 & 255u, n->node & 255u);
    return out;
}

int32_t
plan_end_link(const struct plan *p, struct plan_end e)
{
    return e.what == PLAN_NIC ? p->nics.at[e.i].link : p->ports.at[e.i].link;
}

int32_t
plan_end_optic(const struct plan *p, struct plan_end e)
{
    return e.what == PLAN_NIC ? p->nics.at[e.i].optic : p->ports.at[e.i].optic;
}

static int
plan_plug(struct plan *p, struct plan_end e, int32_t link, bool optic)
{
    int32_t module = -1;
    if (optic) {
        struct plan_optic *o = PLAN_PUSH(p->optics);
        char name[256];
        if (o == NULL)
            return ERR_NOMEM;
        o->at = e;
        module = (int32_t)p->optics.count - 1;
        plan_end_name(p, e, name, sizeof name);
        int rc = plan_name(p, "optic", name, NULL, (size_t)module);
        if (rc < 0)
            return rc;
    }
    if (e.what == PLAN_NIC) {
        p->nics.at[e.i].link = link;
        p->nics.at[e.i].optic = module;
    } else {
        p->ports.at[e.i].link = link;
        p->ports.at[e.i].optic = module;
    }
    return 0;
}

int64_t
plan_add_link(struct plan *p, struct plan_end a, struct plan_end b, double gbps, bool optic)
{
    if (plan_end_link(p, a) >= 0 || plan_end_link(p, b) >= 0)
        return ERR_EXISTS;
    char x[256], y[256], name[520];
    plan_end_name(p, a, x, sizeof x);
    plan_end_name(p, b, y, sizeof y);
    bool swap = strcmp(x, y) > 0;
    snprintf(name, sizeof name, "%s--%s", swap ? y : x, swap ? x : y);
    if (strlen(name) > 240)
        return ERR_RANGE;
    int rc = plan_name(p, "link", name, NULL, p->links.count);
    struct plan_link *l = rc < 0 ? NULL : PLAN_PUSH(p->links);
    if (l == NULL)
        return rc < 0 ? rc : ERR_NOMEM;
    *l = (struct plan_link){.a = a, .b = b, .gbps = gbps > 0 ? gbps : 400};
    int32_t i = (int32_t)p->links.count - 1;
    rc = plan_plug(p, a, i, optic);
    if (rc >= 0)
        rc = plan_plug(p, b, i, optic);
    return rc < 0 ? rc : (int64_t)i;
}

int64_t
plan_add_storage(struct plan *p, const struct plan_storage *from)
{
    int rc = plan_name(p, "storage", from->name, NULL, p->storage.count);
    struct plan_storage *s = rc < 0 ? NULL : PLAN_PUSH(p->storage);
    if (s == NULL)
        return rc < 0 ? rc : ERR_NOMEM;
    s->name = plan_str(p, from->name);
    s->kind = plan_str(p, from->kind == NULL ? "nfs" : from->kind);
    s->path = plan_str(p, from->path == NULL ? "/data" : from->path);
    s->server = plan_str(p, from->server == NULL ? from->name : from->server);
    s->nodes = plan_str(p, from->nodes);
    return s->nodes == NULL ? ERR_NOMEM : (int64_t)(p->storage.count - 1);
}

const char *
plan_end_name(const struct plan *p, struct plan_end e, char *out, size_t size)
{
    if (e.what == PLAN_NIC) {
        const struct plan_nic *n = &p->nics.at[e.i];
        snprintf(out, size, "%s/%s", p->nodes.at[n->node].name, n->name);
    } else {
        const struct plan_port *o = &p->ports.at[e.i];
        snprintf(out, size, "%s/%s", p->switches.at[o->sw].name, o->name);
    }
    return out;
}

struct plan_end
plan_far_end(const struct plan *p, struct plan_end e)
{
    int32_t l = plan_end_link(p, e);
    if (l < 0)
        return e;
    const struct plan_link *link = &p->links.at[l];
    return link->a.what == e.what && link->a.i == e.i ? link->b : link->a;
}
