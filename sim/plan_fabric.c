/* plan_fabric: the two templates.
 *
 * rail-spine-leaf: in each group one leaf a rail; NIC r of each node of the group goes down to
 * leaf-gGG-r, ports Ethernet1..N; each leaf goes up to every spine, ports after them. fat-tree
 * (Al-Fares, Loukissas, Vahdat 2008): k pods of k/2 edge ("leaf") and k/2 aggregation ("spine")
 * switches, (k/2)^2 cores. */
#include "sim/plan.h"
#include "base/hostlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FABRIC_NODES_PER_RACK 8
#define FABRIC_RACKS_PER_CDU  4
#define FABRIC_SPARE_PORTS    2 /* a leaf: where healthy flaps happen */

static int
plan_fabric_node(struct plan *p, const struct plan_fabric *f, uint32_t n, const char *group)
{
    char name[32], rack[32], pdu[32], cdu[32];
    uint32_t r = n / FABRIC_NODES_PER_RACK;
    if (n % FABRIC_NODES_PER_RACK == 0) {
        snprintf(rack, sizeof rack, "r%02u", r + 1);
        snprintf(pdu, sizeof pdu, "p%02u", r + 1);
        snprintf(cdu, sizeof cdu, "c%02u", r / FABRIC_RACKS_PER_CDU + 1);
        int64_t rc = plan_add_rack(p, rack, pdu, cdu);
        if (rc < 0)
            return (int)rc;
    }
    snprintf(name, sizeof name, "node%05u", n + 1);
    struct plan_node node = {.name = name, .group = group, .vendor = f->vendor, .model = f->model};
    node.rack = (int32_t)p->racks.count - 1;
    node.gpus = f->gpus == 0 ? 8 : f->gpus;
    int64_t rc = plan_add_node(p, &node);
    return rc < 0 ? (int)rc : 0;
}

static int64_t
plan_fabric_nic(struct plan *p, uint32_t index, uint32_t rail)
{
    char name[32];
    snprintf(name, sizeof name, "mlx5_%u", index);
    struct plan_nic nic = {.name = name, .rail = (int)rail};
    return plan_add_nic(p, &nic);
}

static int64_t
plan_fabric_port(struct plan *p, uint32_t sw, uint32_t number)
{
    char name[32];
    snprintf(name, sizeof name, "Ethernet%u", number);
    return plan_add_port(p, sw, name);
}

static int
plan_fabric_cable(struct plan *p, struct plan_end a, int64_t port, double gbps)
{
    if (port < 0)
        return (int)port;
    int64_t rc = plan_add_link(p, a, (struct plan_end){PLAN_PORT, (uint32_t)port}, gbps, true);
    return rc < 0 ? (int)rc : 0;
}

static int
plan_fabric_switch_pair(struct plan *p, uint32_t low, uint32_t up_port, uint32_t high,
                        uint32_t down_port, double gbps)
{
    int64_t a = plan_fabric_port(p, low, up_port), b = plan_fabric_port(p, high, down_port);
    if (a < 0)
        return (int)a;
    return plan_fabric_cable(p, (struct plan_end){PLAN_PORT, (uint32_t)a}, b, gbps);
}

static int64_t
plan_fabric_switch(struct plan *p, const char *name, const char *role, const char *group,
                   uint32_t rail)
{
    struct plan_switch s = {.name = name, .role = role, .group = group, .rail = (int)rail};
    return plan_add_switch(p, &s);
}

static int
plan_fabric_rail_switches(struct plan *p, const struct plan_fabric *f, uint32_t *ret_leaf,
                          uint32_t *ret_spine)
{
    char name[32], group[16];
    int64_t rc;
    *ret_leaf = p->switches.count;
    for (uint32_t g = 0; g < f->groups; g++)
        for (uint32_t r = 0; r < f->rails; r++) {
            snprintf(group, sizeof group, "g%02u", g + 1);
            snprintf(name, sizeof name, "leaf-%s-%u", group, r + 1);
            if ((rc = plan_fabric_switch(p, name, "leaf", group, r + 1)) < 0)
                return (int)rc;
        }
    *ret_spine = p->switches.count;
    for (uint32_t s = 0; s < f->spines; s++) {
        snprintf(name, sizeof name, "spine-%02u", s + 1);
        if ((rc = plan_fabric_switch(p, name, "spine", "", 0)) < 0)
            return (int)rc;
    }
    return 0;
}

static int
plan_fabric_rail_group(struct plan *p, const struct plan_fabric *f, uint32_t g, uint32_t leaf)
{
    char group[16];
    snprintf(group, sizeof group, "g%02u", g + 1);
    for (uint32_t i = 0; i < f->nodes_per_group && p->nodes.count < f->nodes; i++) {
        int rc = plan_fabric_node(p, f, p->nodes.count, group);
        for (uint32_t r = 0; rc >= 0 && r < f->rails; r++) {
            int64_t nic = plan_fabric_nic(p, r, r + 1);
            if (nic < 0)
                return (int)nic;
            int64_t port = plan_fabric_port(p, leaf + g * f->rails + r, i + 1);
            rc = plan_fabric_cable(p, (struct plan_end){PLAN_NIC, (uint32_t)nic}, port, f->gbps);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
plan_fabric_rail_expand(struct plan *p, struct plan_fabric f)
{
    uint32_t leaf = 0, spine = 0;
    int rc = plan_fabric_rail_switches(p, &f, &leaf, &spine);
    for (uint32_t g = 0; rc >= 0 && g < f.groups; g++) {
        rc = plan_fabric_rail_group(p, &f, g, leaf);
        for (uint32_t r = 0; rc >= 0 && r < f.rails; r++) {
            uint32_t l = g * f.rails + r;
            for (uint32_t s = 0; rc >= 0 && s < f.spines; s++)
                rc = plan_fabric_switch_pair(p, leaf + l, f.nodes_per_group + s + 1, spine + s,
                                             l + 1, f.gbps);
            for (uint32_t x = 0; rc >= 0 && x < FABRIC_SPARE_PORTS; x++)
                rc = plan_fabric_port(p, leaf + l, f.nodes_per_group + f.spines + x + 1) < 0
                         ? ERR_NOMEM
                         : 0;
        }
    }
    return rc;
}

static int
plan_fabric_tree_pod(struct plan *p, const struct plan_fabric *f, uint32_t pod, uint32_t core)
{
    uint32_t half = f->k / 2, edge = p->switches.count;
    char name[32], group[16];
    snprintf(group, sizeof group, "p%02u", pod + 1);
    for (uint32_t i = 0; i < f->k; i++) {
        snprintf(name, sizeof name, "%s-%s-%u", i < half ? "leaf" : "spine", group, i % half + 1);
        int64_t rc = plan_fabric_switch(p, name, i < half ? "leaf" : "spine", group, 0);
        if (rc < 0)
            return (int)rc;
    }
    int rc = 0;
    for (uint32_t e = 0; e < half; e++)
        for (uint32_t a = 0; rc >= 0 && a < half; a++)
            rc =
                plan_fabric_switch_pair(p, edge + e, half + a + 1, edge + half + a, e + 1, f->gbps);
    for (uint32_t a = 0; a < half; a++)
        for (uint32_t c = 0; rc >= 0 && c < half; c++)
            rc = plan_fabric_switch_pair(p, edge + half + a, half + c + 1, core + a * half + c,
                                         pod + 1, f->gbps);
    uint32_t ports = half * half / f->rails;
    for (uint32_t n = 0; rc >= 0 && n < ports && p->nodes.count < f->nodes; n++) {
        rc = plan_fabric_node(p, f, p->nodes.count, group);
        for (uint32_t r = 0; rc >= 0 && r < f->rails; r++) {
            int64_t nic = plan_fabric_nic(p, r, 0);
            uint32_t at = n * f->rails + r;
            rc = nic < 0 ? (int)nic
                         : plan_fabric_cable(p, (struct plan_end){PLAN_NIC, (uint32_t)nic},
                                             plan_fabric_port(p, edge + at / half, at % half + 1),
                                             f->gbps);
        }
    }
    return rc;
}

static int
plan_fabric_tree_expand(struct plan *p, struct plan_fabric f)
{
    uint32_t half = f.k / 2, core = p->switches.count;
    char name[32];
    int rc = 0;
    for (uint32_t c = 0; rc >= 0 && c < half * half; c++) {
        snprintf(name, sizeof name, "core-%02u", c + 1);
        rc = plan_fabric_switch(p, name, "core", "", 0) < 0 ? ERR_EXISTS : 0;
    }
    for (uint32_t pod = 0; rc >= 0 && pod < f.k && p->nodes.count < f.nodes; pod++)
        rc = plan_fabric_tree_pod(p, &f, pod, core);
    return rc;
}

static void
plan_fabric_rail_defaults(struct plan_fabric *f)
{
    if (f->rails == 0)
        f->rails = 8;
    if (f->nodes_per_group == 0)
        f->nodes_per_group = f->nodes > 0 && f->nodes < 64 ? (f->nodes + 1) / 2 : 64;
    if (f->groups == 0)
        f->groups = f->nodes == 0 ? 1 : (f->nodes + f->nodes_per_group - 1) / f->nodes_per_group;
    if (f->nodes == 0)
        f->nodes = f->groups * f->nodes_per_group;
    if (f->spines == 0)
        f->spines = f->nodes > 512 ? 64 : f->nodes > 32 ? 16 : 4;
}

static void
plan_fabric_tree_defaults(struct plan_fabric *f)
{
    if (f->rails == 0)
        f->rails = 1;
    uint32_t want = f->nodes == 0 ? 16 : f->nodes;
    if (f->k == 0)
        for (f->k = 4; f->k < 64 && f->k * (f->k * f->k / 4 / f->rails) < want;)
            f->k += 2;
    if (f->nodes == 0)
        f->nodes = f->k * (f->k * f->k / 4 / f->rails);
}

int
plan_expand(struct plan *p, const struct plan_fabric *from, struct err *err)
{
    struct plan_fabric f = *from;
    bool tree = f.kind != NULL && strcmp(f.kind, "fat-tree") == 0;
    if (f.kind != NULL && !tree && strcmp(f.kind, "rail-spine-leaf") != 0)
        return err_set(err, ERR_RANGE, "fabric kind '%s' is neither rail-spine-leaf nor fat-tree",
                       f.kind);
    if (f.gbps <= 0)
        f.gbps = 400;
    if (tree)
        plan_fabric_tree_defaults(&f);
    else
        plan_fabric_rail_defaults(&f);
    if (f.nodes > 32768 || f.gpus > 64 || f.rails > 16 || f.spines > 512 ||
        f.nodes_per_group > 512 || f.groups > 1024)
        return err_set(
            err, ERR_LIMIT,
            "the fabric is too large: at most 32,768 nodes of 64 GPUs, 1,024 groups of 512 "
            "nodes, 16 rails, 512 spines");
    if (tree && (f.k < 4 || f.k > 128 || f.k % 2 != 0))
        return err_set(err, ERR_RANGE, "a fat-tree needs an even k of 4 to 128, not %u", f.k);
    int rc = tree ? plan_fabric_tree_expand(p, f) : plan_fabric_rail_expand(p, f);
    if (rc < 0)
        return err_set(err, rc, "the fabric could not be expanded: %s", err_text(rc));
    return 0;
}

int
plan_share_storage(struct plan *p)
{
    struct buf list;
    const char **names;
    if (p->storage.count > 0 || p->nodes.count == 0)
        return 0;
    names = calloc(p->nodes.count, sizeof *names);
    if (names == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < p->nodes.count; i++) {
        names[i] = p->nodes.at[i].name;
        p->nodes.at[i].mounts = true;
        p->nodes.at[i].storage = 0;
    }
    buf_init(&list, 4u << 20);
    int64_t rc = hostlist_format(names, p->nodes.count, &list);
    if (rc >= 0)
        rc = plan_add_storage(p, &(struct plan_storage){.name = "fs01", .nodes = buf_str(&list)});
    buf_done(&list);
    free(names);
    return rc < 0 ? (int)rc : 0;
}
