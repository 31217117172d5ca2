/* topo_fabric: expands `fabric:` of a topology document into nodes, switches and links.
 *
 * rail-spine-leaf: node i stands in group i / nodes_per_group; its nic mlx5_k is cabled to
 * leaf-gGG-(k+1), port Ethernet(1 + place in the group). A leaf's ports follow with one to each
 * spine-NN, whose port number is the leaf's number over all groups. fat-tree: leaves and
 * aggregation switches (agg-gGG-N) in each group, every leaf to every agg of its group, every agg
 * to its share of core-NN. Ports count Ethernet1.. down, then up. */
#include "base/str.h"
#include "store/topo_priv.h"

#include <stdio.h>
#include <string.h>

enum topo_fabric_kind { FABRIC_RAIL, FABRIC_TREE };

struct topo_fabric {
    const struct doc *d;
    const struct doc_node *at;
    struct topo_build *b;
    struct err *err;
    topo_id cluster;
    enum topo_fabric_kind kind;
    unsigned groups, nodes_per_group, rails, spines, leaves, aggs, cores, gpus, nodes_per_rack;
    const char *vendor, *model, *plane;
    char gbps[64];
    bool optic;
};

struct topo_fabric_number {
    const char *key;
    size_t offset;
    int64_t least, most, otherwise; /* otherwise -1: required */
};

static int
topo_fabric_numbers(struct topo_fabric *f, const struct topo_fabric_number *rows)
{
    for (; rows->key; rows++) {
        const struct doc_node *n = doc_get(f->at, rows->key);
        bool absent = !n || n->kind == DOC_NULL;
        if (absent && rows->otherwise < 0)
            return doc_err(f->d, f->at, f->err, ERR_SYNTAX, "the fabric needs '%s'", rows->key);
        int64_t v = absent ? rows->otherwise : doc_int(n, INT64_MIN);
        if (v < rows->least || v > rows->most)
            return doc_err(f->d, n ? n : f->at, f->err, ERR_RANGE,
                           "'%s' must be a number from %lld to %lld", rows->key,
                           (long long)rows->least, (long long)rows->most);
        *(unsigned *)((char *)f + rows->offset) = (unsigned)v;
    }
    return 0;
}

static int
topo_fabric_fail(struct topo_fabric *f, int rc)
{
    return topo_doc_nomem(f->d, f->at, f->err, rc);
}

/* An entity of the template: it must be new, or another document has it already. */
static int
topo_fabric_add(struct topo_fabric *f, enum entity_kind k, const char *owner, const char *part,
                topo_id parent, topo_id *ret)
{
    bool added;
    int rc = topo_build_add(f->b, k, owner, part, ret, &added);
    if (rc < 0)
        return topo_fabric_fail(f, rc);
    if (!added)
        return doc_err(f->d, f->at, f->err, ERR_SYNTAX,
                       "the fabric's %s '%s' is in another cluster's topology already",
                       entity_kind_row(k)->word, topo_build_bare(f->b, *ret));
    f->b->flags[*ret] |= TOPO_FLAG_FABRIC;
    rc = topo_build_edge(f->b, parent, RELATION_CONTAINS, *ret);
    return rc < 0 ? topo_fabric_fail(f, rc) : 0;
}

static int
topo_fabric_attr(struct topo_fabric *f, topo_id id, enum topo_attr_name a, const char *value)
{
    int rc = topo_build_attr(f->b, id, a, value);
    return rc < 0 ? topo_fabric_fail(f, rc) : 0;
}

static int
topo_fabric_switch(struct topo_fabric *f, const char *name, const char *role, const char *group,
                   const char *rail)
{
    topo_id id;
    int rc;
    if ((rc = topo_fabric_add(f, ENTITY_SWITCH, name, NULL, f->cluster, &id)) < 0 ||
        (rc = topo_fabric_attr(f, id, TOPO_ATTR_ROLE, role)) < 0 ||
        (rc = topo_fabric_attr(f, id, TOPO_ATTR_GROUP, group)) < 0 ||
        (rc = topo_fabric_attr(f, id, TOPO_ATTR_RAIL, rail)) < 0)
        return rc;
    return topo_fabric_attr(f, id, TOPO_ATTR_PLANE, f->plane);
}

/* One cable between two ends given by owner and part; ports are made, nics are there. */
static int
topo_fabric_cable(struct topo_fabric *f, topo_id a, const char *sw, unsigned port)
{
    char part[32];
    topo_id z, link, owner = topo_build_find(f->b, ENTITY_SWITCH, sw, NULL);
    snprintf(part, sizeof part, "Ethernet%u", port);
    int rc = topo_fabric_add(f, ENTITY_PORT, sw, part, owner, &z);
    if (rc < 0)
        return rc;
    rc = topo_build_link(f->b, a, z, f->optic, f->gbps, f->plane, TOPO_FLAG_FABRIC, &link);
    if (rc < 0)
        return topo_fabric_fail(f, rc);
    /* a cable of a rail bears the rail of its nic */
    const char *rail = topo_build_attr_get(f->b, a, TOPO_ATTR_RAIL);
    return topo_fabric_attr(f, link, TOPO_ATTR_RAIL, rail);
}

static int
topo_fabric_between(struct topo_fabric *f, const char *low, unsigned low_port, const char *high,
                    unsigned high_port)
{
    char part[32];
    topo_id a, owner = topo_build_find(f->b, ENTITY_SWITCH, low, NULL);
    snprintf(part, sizeof part, "Ethernet%u", low_port);
    int rc = topo_fabric_add(f, ENTITY_PORT, low, part, owner, &a);
    return rc < 0 ? rc : topo_fabric_cable(f, a, high, high_port);
}

static int
topo_fabric_rack(struct topo_fabric *f, unsigned node, topo_id id)
{
    char name[32], supply[32];
    topo_id rack, pdu, cdu;
    bool added;
    unsigned n = f->nodes_per_rack ? node / f->nodes_per_rack : 0;
    int rc;
    if (!f->nodes_per_rack)
        return 0;
    snprintf(name, sizeof name, "r%02u", n + 1);
    if ((rc = topo_build_add(f->b, ENTITY_RACK, name, NULL, &rack, &added)) < 0)
        return topo_fabric_fail(f, rc);
    if (added) {
        snprintf(supply, sizeof supply, "p%02u", n + 1);
        if ((rc = topo_build_edge(f->b, f->cluster, RELATION_CONTAINS, rack)) < 0 ||
            (rc = topo_build_add(f->b, ENTITY_PDU, supply, NULL, &pdu, NULL)) < 0 ||
            (rc = topo_build_edge(f->b, rack, RELATION_POWERED_BY, pdu)) < 0)
            return topo_fabric_fail(f, rc);
        snprintf(supply, sizeof supply, "c%02u", n / 8 + 1);
        if ((rc = topo_build_add(f->b, ENTITY_CDU, supply, NULL, &cdu, NULL)) < 0 ||
            (rc = topo_build_edge(f->b, rack, RELATION_COOLED_BY, cdu)) < 0)
            return topo_fabric_fail(f, rc);
        f->b->flags[rack] |= TOPO_FLAG_FABRIC;
    }
    return topo_fabric_attr(f, id, TOPO_ATTR_RACK, name);
}

static int
topo_fabric_gpus(struct topo_fabric *f, const char *node, topo_id id)
{
    for (unsigned i = 0; i < f->gpus; i++) {
        char index[16];
        topo_id gpu;
        int rc;
        snprintf(index, sizeof index, "%u", i);
        if ((rc = topo_fabric_add(f, ENTITY_GPU, node, index, id, &gpu)) < 0 ||
            (rc = topo_fabric_attr(f, gpu, TOPO_ATTR_VENDOR, f->vendor)) < 0 ||
            (rc = topo_fabric_attr(f, gpu, TOPO_ATTR_MODEL, f->model)) < 0)
            return rc;
    }
    return 0;
}

/* Where nic k of the node at `place` of its group is cabled to. */
static unsigned
topo_fabric_leaf(const struct topo_fabric *f, unsigned place, unsigned k, char *name, size_t size,
                 unsigned group)
{
    if (f->kind == FABRIC_RAIL) {
        snprintf(name, size, "leaf-g%02u-%u", group + 1, k + 1);
        return place + 1;
    }
    unsigned leaf = place * f->leaves / f->nodes_per_group;
    unsigned first = (leaf * f->nodes_per_group + f->leaves - 1) / f->leaves;
    snprintf(name, size, "leaf-g%02u-%u", group + 1, leaf + 1);
    return (place - first) * f->rails + k + 1;
}

static int
topo_fabric_node(struct topo_fabric *f, unsigned number)
{
    char name[32], group[16], leaf[64];
    unsigned g = number / f->nodes_per_group;
    topo_id id, nic;
    int rc;
    snprintf(name, sizeof name, "node%05u", number + 1);
    snprintf(group, sizeof group, "g%02u", g + 1);
    if ((rc = topo_fabric_add(f, ENTITY_NODE, name, NULL, f->cluster, &id)) < 0 ||
        (rc = topo_fabric_attr(f, id, TOPO_ATTR_GROUP, group)) < 0 ||
        (rc = topo_fabric_rack(f, number, id)) < 0 || (rc = topo_fabric_gpus(f, name, id)) < 0)
        return rc;
    f->b->flags[id] |= TOPO_FLAG_NICS;
    for (unsigned k = 0; k < f->rails; k++) {
        char part[16], netdev[16], rail[16];
        snprintf(part, sizeof part, "mlx5_%u", k);
        snprintf(netdev, sizeof netdev, "eth%u", k + 1);
        snprintf(rail, sizeof rail, "%u", k + 1);
        unsigned port = topo_fabric_leaf(f, number % f->nodes_per_group, k, leaf, sizeof leaf, g);
        if ((rc = topo_fabric_add(f, ENTITY_NIC, name, part, id, &nic)) < 0 ||
            (rc = topo_fabric_attr(f, nic, TOPO_ATTR_RAIL, rail)) < 0 ||
            (rc = topo_fabric_attr(f, nic, TOPO_ATTR_NETDEV, netdev)) < 0 ||
            (rc = topo_fabric_cable(f, nic, leaf, port)) < 0)
            return rc;
    }
    return 0;
}

static int
topo_fabric_rail_switches(struct topo_fabric *f)
{
    char name[48], group[16], rail[16];
    int rc = 0;
    for (unsigned s = 1; s <= f->spines && rc == 0; s++) {
        snprintf(name, sizeof name, "spine-%02u", s);
        rc = topo_fabric_switch(f, name, "spine", "", "");
    }
    for (unsigned g = 1; g <= f->groups && rc == 0; g++) {
        for (unsigned r = 1; r <= f->rails && rc == 0; r++) {
            snprintf(name, sizeof name, "leaf-g%02u-%u", g, r);
            snprintf(group, sizeof group, "g%02u", g);
            snprintf(rail, sizeof rail, "%u", r);
            rc = topo_fabric_switch(f, name, "leaf", group, rail);
        }
    }
    return rc;
}

static int
topo_fabric_rail_up(struct topo_fabric *f)
{
    char leaf[48], spine[48];
    int rc = 0;
    for (unsigned g = 1; g <= f->groups; g++) {
        for (unsigned r = 1; r <= f->rails; r++) {
            snprintf(leaf, sizeof leaf, "leaf-g%02u-%u", g, r);
            for (unsigned s = 1; s <= f->spines && rc == 0; s++) {
                snprintf(spine, sizeof spine, "spine-%02u", s);
                rc = topo_fabric_between(f, leaf, f->nodes_per_group + s, spine,
                                         (g - 1) * f->rails + r);
            }
        }
    }
    return rc;
}

static int
topo_fabric_tree_switches(struct topo_fabric *f)
{
    char name[48], group[16];
    int rc = 0;
    for (unsigned c = 1; c <= f->cores && rc == 0; c++) {
        snprintf(name, sizeof name, "core-%02u", c);
        rc = topo_fabric_switch(f, name, "core", "", "");
    }
    for (unsigned g = 1; g <= f->groups; g++) {
        snprintf(group, sizeof group, "g%02u", g);
        for (unsigned a = 1; a <= f->aggs && rc == 0; a++) {
            snprintf(name, sizeof name, "agg-g%02u-%u", g, a);
            rc = topo_fabric_switch(f, name, "spine", group, "");
        }
        for (unsigned l = 1; l <= f->leaves && rc == 0; l++) {
            snprintf(name, sizeof name, "leaf-g%02u-%u", g, l);
            rc = topo_fabric_switch(f, name, "leaf", group, "");
        }
    }
    return rc;
}

/* Nodes under leaf l (0-based) of a group. */
static unsigned
topo_fabric_under(const struct topo_fabric *f, unsigned l)
{
    unsigned first = (l * f->nodes_per_group + f->leaves - 1) / f->leaves;
    unsigned next = ((l + 1) * f->nodes_per_group + f->leaves - 1) / f->leaves;
    return next - first;
}

static int
topo_fabric_tree_up(struct topo_fabric *f)
{
    char leaf[48], agg[48], core[48];
    unsigned share = f->cores / f->aggs;
    int rc = 0;
    for (unsigned g = 1; g <= f->groups; g++) {
        for (unsigned a = 1; a <= f->aggs; a++) {
            snprintf(agg, sizeof agg, "agg-g%02u-%u", g, a);
            for (unsigned l = 1; l <= f->leaves && rc == 0; l++) {
                snprintf(leaf, sizeof leaf, "leaf-g%02u-%u", g, l);
                rc = topo_fabric_between(f, leaf, topo_fabric_under(f, l - 1) * f->rails + a, agg,
                                         l);
            }
            for (unsigned c = 1; c <= share && rc == 0; c++) {
                snprintf(core, sizeof core, "core-%02u", (a - 1) * share + c);
                rc = topo_fabric_between(f, agg, f->leaves + c, core, g);
            }
        }
    }
    return rc;
}

static int
topo_fabric_kind(struct topo_fabric *f)
{
    static const char *const kinds[] = {"rail-spine-leaf", "fat-tree", NULL};
    const struct doc_node *n = doc_get(f->at, "kind");
    const char *word = doc_str(n, "");
    for (int i = 0; kinds[i]; i++) {
        if (strcmp(kinds[i], word) == 0) {
            f->kind = (enum topo_fabric_kind)i;
            return 0;
        }
    }
    const char *near = str_nearest(word, kinds);
    return doc_err(f->d, n ? n : f->at, f->err, ERR_SYNTAX,
                   "the kind of a fabric is 'rail-spine-leaf' or 'fat-tree'%s%s%s",
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

#define AT(member) offsetof(struct topo_fabric, member)

static int
topo_fabric_sizes(struct topo_fabric *f)
{
    static const struct topo_fabric_number both[] = {
        {"groups", AT(groups), 1, 4096, -1},
        {"nodes_per_group", AT(nodes_per_group), 1, 4096, -1},
        {"nodes_per_rack", AT(nodes_per_rack), 0, 4096, 0},
        {NULL, 0, 0, 0, 0}};
    static const struct topo_fabric_number rail[] = {
        {"rails", AT(rails), 1, 64, 8}, {"spines", AT(spines), 0, 4096, -1}, {NULL, 0, 0, 0, 0}};
    static const struct topo_fabric_number tree[] = {
        {"rails", AT(rails), 1, 64, 1},    {"leaves", AT(leaves), 1, 1024, 1},
        {"aggs", AT(aggs), 0, 1024, 0},    {"spines", AT(spines), 0, 1024, 0},
        {"cores", AT(cores), 1, 4096, -1}, {NULL, 0, 0, 0, 0}};
    int rc;
    if ((rc = topo_fabric_numbers(f, both)) < 0 ||
        (rc = topo_fabric_numbers(f, f->kind == FABRIC_RAIL ? rail : tree)) < 0)
        return rc;
    if (f->kind == FABRIC_TREE && !f->aggs)
        f->aggs = f->spines;
    if (f->kind == FABRIC_TREE && (!f->aggs || f->cores % f->aggs))
        return doc_err(f->d, f->at, f->err, ERR_RANGE,
                       "a fat tree needs 'aggs', switches a group above the leaves, and a multiple "
                       "of them as 'cores'");
    uint64_t nodes = (uint64_t)f->groups * f->nodes_per_group;
    uint64_t up = f->kind == FABRIC_RAIL ? (uint64_t)f->groups * f->rails * f->spines
                                         : (uint64_t)f->groups * (f->leaves * f->aggs + f->cores);
    if (nodes > 65536 || nodes * f->rails + up > 400000)
        return doc_err(f->d, f->at, f->err, ERR_LIMIT,
                       "the fabric would have %llu nodes and %llu links; at most 65536 and 400000",
                       (unsigned long long)nodes, (unsigned long long)(nodes * f->rails + up));
    return 0;
}

static int
topo_fabric_options(struct topo_fabric *f)
{
    static const char *const known[] = {"kind",   "groups", "nodes_per_group", "rails", "spines",
                                        "leaves", "aggs",   "cores",           "gpus",  "gbps",
                                        "optic",  "plane",  "nodes_per_rack",  NULL};
    static const char *const gpu_keys[] = {"count", "vendor", "model", NULL};
    const struct doc_node *gpus = doc_get(f->at, "gpus"), *gbps = doc_get(f->at, "gbps");
    char number[64];
    int rc;
    if ((rc = doc_only(f->d, f->at, known, f->err)) < 0 || (rc = topo_fabric_kind(f)) < 0 ||
        (rc = topo_fabric_sizes(f)) < 0)
        return rc;
    if (gpus && gpus->kind == DOC_MAP && (rc = doc_only(f->d, gpus, gpu_keys, f->err)) < 0)
        return rc;
    int64_t count = f->kind == FABRIC_RAIL ? f->rails : 8;
    if (gpus && gpus->kind != DOC_NULL)
        count = gpus->kind == DOC_MAP ? doc_get_int(gpus, "count", count) : doc_int(gpus, -1);
    if (count < 0 || count > 64)
        return doc_err(f->d, gpus, f->err, ERR_RANGE, "the count of gpus must be 0 to 64");
    f->gpus = (unsigned)count;
    f->vendor = doc_get_str(gpus, "vendor", "nvidia");
    f->model = doc_get_str(gpus, "model", "");
    f->plane = doc_get_str(f->at, "plane", "parameter");
    f->optic = doc_get_bool(f->at, "optic", true);
    str_copy(f->gbps, sizeof f->gbps, gbps ? topo_scalar(gbps, number) : "400");
    return 0;
}

int
topo_fabric_expand(struct topo_build *b, const struct doc *d, const struct doc_node *fabric,
                   topo_id cluster, struct err *err)
{
    struct topo_fabric f = {.d = d, .at = fabric, .b = b, .err = err, .cluster = cluster};
    int rc = topo_fabric_options(&f);
    if (rc < 0)
        return rc;
    rc = f.kind == FABRIC_RAIL ? topo_fabric_rail_switches(&f) : topo_fabric_tree_switches(&f);
    for (unsigned i = 0; i < f.groups * f.nodes_per_group && rc == 0; i++)
        rc = topo_fabric_node(&f, i);
    if (rc < 0)
        return rc;
    return f.kind == FABRIC_RAIL ? topo_fabric_rail_up(&f) : topo_fabric_tree_up(&f);
}
