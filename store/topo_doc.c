/* topo_doc: reads a topology document (CONTRACT.md, "Topology document") into a builder.
 *
 * Every error names file, line and sentence; an unknown key or name also the nearest known one. The
 * fabric template is expanded first; explicit rows are merged over what it made, but may not repeat
 * each other. */
#include "base/str.h"
#include "store/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPO_GPUS_MAX     256
#define TOPO_SWITCH_ROLES "leaf", "spine", "core", "tor", "oob", "agg"

struct topo_doc {
    const struct doc *d;
    struct topo_build *b;
    struct err *err;
    topo_id cluster;
    bool racks_declared;
};

struct topo_doc_attr { /* a key that becomes an attribute as it is */
    const char *key;
    enum topo_attr_name attr;
    const char *const *choices; /* NULL: any */
};

static const char *const topo_doc_roles[] = {TOPO_SWITCH_ROLES, NULL};
static const char *const topo_doc_planes[] = {"parameter", "storage", "service", "management",
                                              NULL};

const char *
topo_scalar(const struct doc_node *n, char out[64])
{
    out[0] = 0;
    if (!n)
        return out;
    if (n->str)
        return n->str;
    if (n->kind == DOC_INT)
        snprintf(out, 64, "%lld", (long long)n->v.i);
    else if (n->kind == DOC_REAL)
        snprintf(out, 64, "%g", n->v.r);
    else if (n->kind == DOC_BOOL)
        snprintf(out, 64, "%s", n->v.b ? "true" : "false");
    return out;
}

int
topo_doc_nomem(const struct doc *d, const struct doc_node *n, struct err *err, int rc)
{
    switch (rc) {
    case ERR_RANGE:
    case ERR_SYNTAX:
        return doc_err(d, n, err, ERR_SYNTAX,
                       "a name must be printable, without spaces, quotes and backslashes, and of "
                       "at most %d bytes",
                       ENTITY_MAX - 16);
    case ERR_LIMIT:
        return doc_err(d, n, err, ERR_LIMIT, "the topology is too large: at most %u entities",
                       TOPO_ENTITIES_MAX);
    default:
        return doc_err(d, n, err, rc, "no memory for the topology");
    }
}

static int
topo_doc_fail(struct topo_doc *t, const struct doc_node *n, int rc)
{
    return topo_doc_nomem(t->d, n, t->err, rc);
}

/* The name of a kind that is nearest to a word, for "did you mean"; "" when none is near. */
static const char *
topo_doc_nearest(const struct topo_build *b, enum entity_kind k, const char *word)
{
    size_t best = strlen(word) / 3 + 1;
    const char *near = "";
    for (size_t i = 0; i < b->n; i++) {
        if (b->kinds[i] != k)
            continue;
        size_t d = str_distance(word, topo_build_bare(b, (topo_id)i));
        if (d < best || (d == best && !*near)) {
            best = d;
            near = topo_build_bare(b, (topo_id)i);
        }
    }
    return near;
}

static int
topo_doc_unknown(struct topo_doc *t, const struct doc_node *n, enum entity_kind k, const char *word)
{
    const char *near = topo_doc_nearest(t->b, k, word);
    return doc_err(t->d, n, t->err, ERR_SYNTAX, "there is no %s '%s'%s%s%s",
                   entity_kind_row(k)->word, word, *near ? "; did you mean '" : "", near,
                   *near ? "'?" : "");
}

static int
topo_doc_is(struct topo_doc *t, const struct doc_node *n, enum doc_kind kind, const char *what)
{
    static const char *const words[] = {[DOC_SEQ] = "a list", [DOC_MAP] = "a mapping"};
    if (n->kind == kind)
        return 0;
    return doc_err(t->d, n, t->err, ERR_SYNTAX, "%s must be %s", what, words[kind]);
}

/* The required name of a row. */
static int
topo_doc_name(struct topo_doc *t, const struct doc_node *row, const char *what,
              const struct doc_node **ret)
{
    const struct doc_node *n = doc_get(row, "name");
    if (!n || n->kind == DOC_NULL)
        return doc_err(t->d, row, t->err, ERR_SYNTAX, "a %s needs a name", what);
    if (n->kind == DOC_MAP || n->kind == DOC_SEQ || !n->str || !*n->str)
        return doc_err(t->d, n, t->err, ERR_SYNTAX,
                       "the name of a %s must be a text; put numbers into quotes", what);
    *ret = n;
    return 0;
}

static int
topo_doc_attrs(struct topo_doc *t, const struct doc_node *row, topo_id id,
               const struct topo_doc_attr *keys)
{
    for (; keys->key; keys++) {
        char number[64];
        const struct doc_node *n = doc_get(row, keys->key);
        if (!n || n->kind == DOC_NULL)
            continue;
        if (n->kind == DOC_MAP || n->kind == DOC_SEQ)
            return doc_err(t->d, n, t->err, ERR_SYNTAX, "'%s' must be one value", keys->key);
        const char *value = topo_scalar(n, number);
        const char *const *c = keys->choices;
        while (c && *c && strcmp(*c, value) != 0)
            c++;
        if (c && !*c) {
            const char *near = str_nearest(value, keys->choices);
            return doc_err(t->d, n, t->err, ERR_SYNTAX, "'%s' is no %s; %s%s%s", value, keys->key,
                           near ? "did you mean '" : "the first of those known is '",
                           near ? near : keys->choices[0], near ? "'?" : "'");
        }
        int rc = topo_build_attr(t->b, id, keys->attr, value);
        if (rc < 0)
            return topo_doc_fail(t, n, rc);
    }
    return 0;
}

/* Adds an entity that a row declares: not twice, but over a template's. */
static int
topo_doc_declare(struct topo_doc *t, const struct doc_node *n, enum entity_kind k,
                 const char *owner, const char *part, topo_id *ret)
{
    int rc = topo_build_add(t->b, k, owner, part, ret, NULL);
    if (rc < 0)
        return topo_doc_fail(t, n, rc);
    if (t->b->flags[*ret] & TOPO_FLAG_DECLARED)
        return doc_err(t->d, n, t->err, ERR_SYNTAX, "%s '%s' is declared twice",
                       entity_kind_row(k)->word, topo_build_bare(t->b, *ret));
    t->b->flags[*ret] |= TOPO_FLAG_DECLARED;
    return 0;
}

static int
topo_doc_edge(struct topo_doc *t, const struct doc_node *n, topo_id from, enum relation r,
              topo_id to)
{
    int rc = topo_build_edge(t->b, from, r, to);
    return rc < 0 ? topo_doc_fail(t, n, rc) : 0;
}

/* Each name of "pdu: p1" or "pdus: [p1, p2]" becomes an entity that powers or cools the rack. */
static int
topo_doc_supply(struct topo_doc *t, const struct doc_node *n, topo_id rack, enum entity_kind k,
                enum relation r)
{
    if (!n || n->kind == DOC_NULL)
        return 0;
    const struct doc_node *at = n->kind == DOC_SEQ ? n->first : n;
    for (; at; at = n->kind == DOC_SEQ ? at->next : NULL) {
        topo_id id;
        if (!at->str)
            return doc_err(t->d, at, t->err, ERR_SYNTAX, "a %s is named by a text",
                           entity_kind_row(k)->word);
        int rc = topo_build_add(t->b, k, at->str, NULL, &id, NULL);
        if (rc < 0)
            return topo_doc_fail(t, at, rc);
        if ((rc = topo_doc_edge(t, at, rack, r, id)) < 0)
            return rc;
    }
    return 0;
}

static int
topo_doc_rack(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"name",  "pdu",    "cdu",      "title",
                                        "model", "vendor", "metadata", NULL};
    static const struct topo_doc_attr attrs[] = {{"title", TOPO_ATTR_TITLE, NULL},
                                                 {"model", TOPO_ATTR_MODEL, NULL},
                                                 {"vendor", TOPO_ATTR_VENDOR, NULL},
                                                 {NULL, 0, NULL}};
    const struct doc_node *name;
    topo_id id;
    int rc;
    if ((rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "rack", &name)) < 0 ||
        (rc = topo_doc_declare(t, name, ENTITY_RACK, name->str, NULL, &id)) < 0 ||
        (rc = topo_doc_edge(t, row, t->cluster, RELATION_CONTAINS, id)) < 0 ||
        (rc = topo_doc_supply(t, doc_get(row, "pdu"), id, ENTITY_PDU, RELATION_POWERED_BY)) < 0 ||
        (rc = topo_doc_supply(t, doc_get(row, "cdu"), id, ENTITY_CDU, RELATION_COOLED_BY)) < 0)
        return rc;
    t->racks_declared = true;
    return topo_doc_attrs(t, row, id, attrs);
}

/* The rack of a node or switch; the relation itself is made when all rows are read. */
static int
topo_doc_in_rack(struct topo_doc *t, const struct doc_node *row, topo_id id)
{
    const struct doc_node *n = doc_get(row, "rack");
    topo_id rack;
    if (!n || n->kind == DOC_NULL)
        return 0;
    if (!n->str)
        return doc_err(t->d, n, t->err, ERR_SYNTAX,
                       "a rack is named by a text; put numbers into quotes");
    if (topo_build_find(t->b, ENTITY_RACK, n->str, NULL) == TOPO_NONE) {
        if (t->racks_declared)
            return topo_doc_unknown(t, n, ENTITY_RACK, n->str);
        int rc = topo_build_add(t->b, ENTITY_RACK, n->str, NULL, &rack, NULL);
        if (rc < 0)
            return topo_doc_fail(t, n, rc);
        if ((rc = topo_doc_edge(t, n, t->cluster, RELATION_CONTAINS, rack)) < 0)
            return rc;
    }
    int rc = topo_build_attr(t->b, id, TOPO_ATTR_RACK, n->str);
    return rc < 0 ? topo_doc_fail(t, n, rc) : 0;
}

static int
topo_doc_switch(struct topo_doc *t, const struct doc_node *row, const char *name,
                const struct doc_node *at)
{
    static const struct topo_doc_attr attrs[] = {{"role", TOPO_ATTR_ROLE, topo_doc_roles},
                                                 {"group", TOPO_ATTR_GROUP, NULL},
                                                 {"rail", TOPO_ATTR_RAIL, NULL},
                                                 {"plane", TOPO_ATTR_PLANE, topo_doc_planes},
                                                 {"address", TOPO_ATTR_ADDRESS, NULL},
                                                 {"vendor", TOPO_ATTR_VENDOR, NULL},
                                                 {"model", TOPO_ATTR_MODEL, NULL},
                                                 {"serial", TOPO_ATTR_SERIAL, NULL},
                                                 {NULL, 0, NULL}};
    topo_id id;
    int rc = topo_doc_declare(t, at, ENTITY_SWITCH, name, NULL, &id);
    if (rc < 0)
        return rc;
    if (!(t->b->flags[id] & TOPO_FLAG_FABRIC) &&
        (rc = topo_doc_edge(t, at, t->cluster, RELATION_CONTAINS, id)) < 0)
        return rc;
    if ((rc = topo_doc_in_rack(t, row, id)) < 0)
        return rc;
    return topo_doc_attrs(t, row, id, attrs);
}

static int
topo_doc_switches(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"name",   "role",  "group",  "rail", "plane",    "address",
                                        "vendor", "model", "serial", "rack", "metadata", NULL};
    const struct doc_node *name;
    struct hostlist list;
    struct err err = {0};
    int rc;
    if ((rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "switch", &name)) < 0)
        return rc;
    if ((rc = hostlist_parse(name->str, &list, &err)) < 0)
        return doc_err(t->d, name, t->err, rc, "%s", err.text);
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        rc = topo_doc_switch(t, row, list.names[i], name);
    hostlist_done(&list);
    return rc;
}

/* "pci" or "uuid" of gpus: one text a gpu. */
static int
topo_doc_gpu_texts(struct topo_doc *t, const struct doc_node *gpus, const char *key,
                   enum topo_attr_name attr, const topo_id *ids, size_t count)
{
    const struct doc_node *seq = doc_get(gpus, key);
    if (!seq || seq->kind == DOC_NULL)
        return 0;
    int rc = topo_doc_is(t, seq, DOC_SEQ, key);
    if (rc < 0)
        return rc;
    if (seq->count != count)
        return doc_err(t->d, seq, t->err, ERR_SYNTAX, "'%s' lists %zu values for %zu gpus", key,
                       seq->count, count);
    size_t i = 0;
    for (const struct doc_node *n = seq->first; n && i < count; n = n->next, i++) {
        char number[64];
        if ((rc = topo_build_attr(t->b, ids[i], attr, topo_scalar(n, number))) < 0)
            return topo_doc_fail(t, n, rc);
    }
    return 0;
}

static int
topo_doc_gpus(struct topo_doc *t, const struct doc_node *gpus, const char *node, topo_id node_id)
{
    static const char *const known[] = {"count", "vendor", "model", "pci", "uuid", NULL};
    static const struct topo_doc_attr attrs[] = {
        {"vendor", TOPO_ATTR_VENDOR, NULL}, {"model", TOPO_ATTR_MODEL, NULL}, {NULL, 0, NULL}};
    topo_id ids[TOPO_GPUS_MAX];
    int rc;
    if (!gpus || gpus->kind == DOC_NULL)
        return 0;
    const struct doc_node *number = gpus->kind == DOC_MAP ? doc_get(gpus, "count") : gpus;
    if (gpus->kind == DOC_MAP && (rc = doc_only(t->d, gpus, known, t->err)) < 0)
        return rc;
    int64_t count = number ? doc_int(number, -1)
                           : (int64_t)(doc_get(gpus, "pci") ? doc_get(gpus, "pci")->count : 0);
    if (count < 0 || count > TOPO_GPUS_MAX)
        return doc_err(t->d, number, t->err, ERR_RANGE, "the count of gpus must be 0 to %d",
                       TOPO_GPUS_MAX);
    for (int64_t i = 0; i < count; i++) {
        char index[24];
        bool added;
        snprintf(index, sizeof index, "%lld", (long long)i);
        if ((rc = topo_build_add(t->b, ENTITY_GPU, node, index, &ids[i], &added)) < 0)
            return topo_doc_fail(t, gpus, rc);
        if ((added && (rc = topo_doc_edge(t, gpus, node_id, RELATION_CONTAINS, ids[i])) < 0) ||
            (rc = topo_doc_attrs(t, gpus, ids[i], attrs)) < 0)
            return rc;
    }
    if ((rc = topo_doc_gpu_texts(t, gpus, "pci", TOPO_ATTR_PCI, ids, (size_t)count)) < 0)
        return rc;
    return topo_doc_gpu_texts(t, gpus, "uuid", TOPO_ATTR_UUID, ids, (size_t)count);
}

static int
topo_doc_nic(struct topo_doc *t, const struct doc_node *row, const char *node, topo_id node_id)
{
    static const char *const known[] = {"name",   "rail",  "plane",  "netdev",  "pci",      "gbps",
                                        "vendor", "model", "serial", "address", "metadata", NULL};
    static const struct topo_doc_attr attrs[] = {
        {"rail", TOPO_ATTR_RAIL, NULL},       {"plane", TOPO_ATTR_PLANE, topo_doc_planes},
        {"netdev", TOPO_ATTR_NETDEV, NULL},   {"pci", TOPO_ATTR_PCI, NULL},
        {"gbps", TOPO_ATTR_GBPS, NULL},       {"vendor", TOPO_ATTR_VENDOR, NULL},
        {"model", TOPO_ATTR_MODEL, NULL},     {"serial", TOPO_ATTR_SERIAL, NULL},
        {"address", TOPO_ATTR_ADDRESS, NULL}, {NULL, 0, NULL}};
    const struct doc_node *name;
    topo_id id;
    int rc;
    if ((rc = topo_doc_is(t, row, DOC_MAP, "a nic")) < 0 ||
        (rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "nic", &name)) < 0 ||
        (rc = topo_doc_declare(t, name, ENTITY_NIC, node, name->str, &id)) < 0)
        return rc;
    if (!(t->b->flags[id] & TOPO_FLAG_FABRIC) &&
        (rc = topo_doc_edge(t, name, node_id, RELATION_CONTAINS, id)) < 0)
        return rc;
    return topo_doc_attrs(t, row, id, attrs);
}

static int
topo_doc_nics(struct topo_doc *t, const struct doc_node *nics, const char *node, topo_id node_id)
{
    if (!nics || nics->kind == DOC_NULL)
        return 0;
    int rc = topo_doc_is(t, nics, DOC_SEQ, "'nics'");
    if (rc == 0 && nics->count)
        t->b->flags[node_id] |= TOPO_FLAG_NICS;
    for (const struct doc_node *n = nics->first; rc == 0 && n; n = n->next)
        rc = topo_doc_nic(t, n, node, node_id);
    return rc;
}

/* nvswitches: a count; dpus: names. */
static int
topo_doc_parts(struct topo_doc *t, const struct doc_node *row, const char *node, topo_id node_id)
{
    const struct doc_node *nv = doc_get(row, "nvswitches"), *dpus = doc_get(row, "dpus");
    int64_t count = doc_int(nv, nv && nv->kind != DOC_NULL ? -1 : 0);
    topo_id id;
    int rc = 0;
    if (count < 0 || count > TOPO_GPUS_MAX)
        return doc_err(t->d, nv, t->err, ERR_RANGE, "'nvswitches' must be a count of 0 to %d",
                       TOPO_GPUS_MAX);
    for (int64_t i = 0; i < count; i++) {
        char index[24];
        snprintf(index, sizeof index, "%lld", (long long)i);
        if ((rc = topo_build_add(t->b, ENTITY_NVSWITCH, node, index, &id, NULL)) < 0)
            return topo_doc_fail(t, nv, rc);
        if ((rc = topo_doc_edge(t, nv, node_id, RELATION_CONTAINS, id)) < 0)
            return rc;
    }
    if (!dpus || dpus->kind == DOC_NULL)
        return 0;
    rc = topo_doc_is(t, dpus, DOC_SEQ, "'dpus'");
    for (const struct doc_node *n = dpus->first; rc == 0 && n; n = n->next) {
        if (!n->str)
            return doc_err(t->d, n, t->err, ERR_SYNTAX, "a dpu is named by a text");
        if ((rc = topo_doc_declare(t, n, ENTITY_DPU, node, n->str, &id)) == 0)
            rc = topo_doc_edge(t, n, node_id, RELATION_CONTAINS, id);
    }
    return rc;
}

static int
topo_doc_superpod(struct topo_doc *t, const struct doc_node *n, const char *name, topo_id node)
{
    topo_id id;
    bool added;
    int rc = topo_build_add(t->b, ENTITY_SUPERPOD, name, NULL, &id, &added);
    if (rc < 0)
        return topo_doc_fail(t, n, rc);
    if ((added && (rc = topo_doc_edge(t, n, t->cluster, RELATION_CONTAINS, id)) < 0) ||
        (rc = topo_doc_edge(t, n, id, RELATION_CONTAINS, node)) < 0)
        return rc;
    rc = topo_build_attr(t->b, node, TOPO_ATTR_SUPERPOD, name);
    return rc < 0 ? topo_doc_fail(t, n, rc) : 0;
}

static int
topo_doc_node(struct topo_doc *t, const struct doc_node *row, const char *name,
              const struct doc_node *at)
{
    static const struct topo_doc_attr attrs[] = {{"group", TOPO_ATTR_GROUP, NULL},
                                                 {"address", TOPO_ATTR_ADDRESS, NULL},
                                                 {"vendor", TOPO_ATTR_VENDOR, NULL},
                                                 {"model", TOPO_ATTR_MODEL, NULL},
                                                 {"serial", TOPO_ATTR_SERIAL, NULL},
                                                 {"tenant", TOPO_ATTR_TENANT, NULL},
                                                 {NULL, 0, NULL}};
    const struct doc_node *pod = doc_get(row, "superpod");
    topo_id id;
    int rc = topo_doc_declare(t, at, ENTITY_NODE, name, NULL, &id);
    if (rc < 0)
        return rc;
    if (!(t->b->flags[id] & TOPO_FLAG_FABRIC) &&
        (rc = topo_doc_edge(t, at, t->cluster, RELATION_CONTAINS, id)) < 0)
        return rc;
    if ((rc = topo_doc_in_rack(t, row, id)) < 0 || (rc = topo_doc_attrs(t, row, id, attrs)) < 0 ||
        (rc = topo_doc_gpus(t, doc_get(row, "gpus"), name, id)) < 0 ||
        (rc = topo_doc_nics(t, doc_get(row, "nics"), name, id)) < 0 ||
        (rc = topo_doc_parts(t, row, name, id)) < 0)
        return rc;
    return pod && pod->str && *pod->str ? topo_doc_superpod(t, pod, pod->str, id) : 0;
}

static int
topo_doc_nodes(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"name",       "rack",   "group",  "gpus",     "nics",
                                        "address",    "vendor", "model",  "serial",   "superpod",
                                        "nvswitches", "dpus",   "tenant", "metadata", NULL};
    const struct doc_node *name;
    struct hostlist list;
    struct err err = {0};
    int rc;
    if ((rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "node", &name)) < 0)
        return rc;
    if ((rc = hostlist_parse(name->str, &list, &err)) < 0)
        return doc_err(t->d, name, t->err, rc, "%s", err.text);
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        rc = topo_doc_node(t, row, list.names[i], name);
    hostlist_done(&list);
    return rc;
}

/* Calls `each` for every node of a hostlist; a node that is not there is an error at the list. */
static int
topo_doc_node_list(struct topo_doc *t, const struct doc_node *n,
                   int (*each)(struct topo_doc *t, const struct doc_node *n, topo_id node,
                               void *ctx),
                   void *ctx)
{
    struct hostlist list;
    struct err err = {0};
    if (!n || n->kind == DOC_NULL)
        return 0;
    if (!n->str)
        return doc_err(t->d, n, t->err, ERR_SYNTAX,
                       "'nodes' must be a list of nodes as Slurm writes them");
    int rc = hostlist_parse(n->str, &list, &err);
    if (rc < 0)
        return doc_err(t->d, n, t->err, rc, "%s", err.text);
    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        topo_id node = topo_build_find(t->b, ENTITY_NODE, list.names[i], NULL);
        rc = node == TOPO_NONE ? topo_doc_unknown(t, n, ENTITY_NODE, list.names[i])
                               : each(t, n, node, ctx);
    }
    hostlist_done(&list);
    return rc;
}

static int
topo_doc_mount(struct topo_doc *t, const struct doc_node *n, topo_id node, void *ctx)
{
    return topo_doc_edge(t, n, node, RELATION_MOUNTS, *(const topo_id *)ctx);
}

static int
topo_doc_pod_node(struct topo_doc *t, const struct doc_node *n, topo_id node, void *ctx)
{
    return topo_doc_superpod(t, n, ctx, node);
}

static int
topo_doc_superpods(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"name", "nodes", "title", "metadata", NULL};
    const struct doc_node *name;
    int rc;
    if ((rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "superpod", &name)) < 0)
        return rc;
    char *text = arena_str(t->b->arena, name->str, strlen(name->str));
    if (!text)
        return topo_doc_fail(t, name, ERR_NOMEM);
    return topo_doc_node_list(t, doc_get(row, "nodes"), topo_doc_pod_node, text);
}

static int
topo_doc_storage(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"name",   "kind",  "servers", "path",     "nodes", "plane",
                                        "vendor", "model", "address", "metadata", NULL};
    static const struct topo_doc_attr attrs[] = {{"kind", TOPO_ATTR_KIND, NULL},
                                                 {"path", TOPO_ATTR_PATH, NULL},
                                                 {"plane", TOPO_ATTR_PLANE, topo_doc_planes},
                                                 {"vendor", TOPO_ATTR_VENDOR, NULL},
                                                 {"model", TOPO_ATTR_MODEL, NULL},
                                                 {"address", TOPO_ATTR_ADDRESS, NULL},
                                                 {NULL, 0, NULL}};
    const struct doc_node *name, *servers = doc_get(row, "servers");
    struct buf text;
    topo_id id;
    int rc;
    if ((rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "storage", &name)) < 0 ||
        (rc = topo_doc_declare(t, name, ENTITY_STORAGE, name->str, NULL, &id)) < 0 ||
        (rc = topo_doc_edge(t, name, t->cluster, RELATION_CONTAINS, id)) < 0 ||
        (rc = topo_doc_attrs(t, row, id, attrs)) < 0)
        return rc;
    buf_init(&text, 4096);
    for (const struct doc_node *n = servers && servers->kind == DOC_SEQ ? servers->first : NULL; n;
         n = n->next)
        buf_printf(&text, "%s%s", text.len ? "," : "", doc_str(n, ""));
    rc = topo_build_attr(t->b, id, TOPO_ATTR_SERVERS, buf_str(&text));
    buf_done(&text);
    if (rc < 0)
        return topo_doc_fail(t, row, rc);
    return topo_doc_node_list(t, doc_get(row, "nodes"), topo_doc_mount, &id);
}

/* An end of a link, "node00001/mlx5_0" or "leaf-g01-1/Ethernet1": its nic or port, made where it
 * may be. */
static int
topo_doc_end(struct topo_doc *t, const struct doc_node *row, const char *key, topo_id *ret)
{
    const struct doc_node *n = doc_get(row, key);
    char owner[ENTITY_SIZE];
    const char *slash = n && n->str ? strchr(n->str, '/') : NULL;
    if (!slash || slash == n->str || !slash[1] || slash - n->str >= ENTITY_MAX)
        return doc_err(t->d, n ? n : row, t->err, ERR_SYNTAX,
                       "a link needs '%s', an end written NODE/NIC or SWITCH/PORT", key);
    memcpy(owner, n->str, (size_t)(slash - n->str));
    owner[slash - n->str] = 0;
    topo_id node = topo_build_find(t->b, ENTITY_NODE, owner, NULL), sw = TOPO_NONE;
    if (node == TOPO_NONE &&
        (sw = topo_build_find(t->b, ENTITY_SWITCH, owner, NULL)) == TOPO_NONE) {
        const char *near = topo_doc_nearest(t->b, ENTITY_SWITCH, owner);
        return *near ? topo_doc_unknown(t, n, ENTITY_SWITCH, owner)
                     : topo_doc_unknown(t, n, ENTITY_NODE, owner);
    }
    enum entity_kind k = node != TOPO_NONE ? ENTITY_NIC : ENTITY_PORT;
    if (k == ENTITY_NIC && t->b->flags[node] & TOPO_FLAG_NICS &&
        topo_build_find(t->b, k, owner, slash + 1) == TOPO_NONE)
        return topo_doc_unknown(t, n, k, n->str);
    bool added;
    int rc = topo_build_add(t->b, k, owner, slash + 1, ret, &added);
    if (rc < 0)
        return topo_doc_fail(t, n, rc);
    return added ? topo_doc_edge(t, n, node != TOPO_NONE ? node : sw, RELATION_CONTAINS, *ret) : 0;
}

static int
topo_doc_cabled(struct topo_doc *t, const struct doc_node *row, topo_id a, topo_id z)
{
    topo_id ends[2] = {a, z};
    if (a == z)
        return doc_err(t->d, row, t->err, ERR_SYNTAX, "a link joins '%s' with itself",
                       topo_build_bare(t->b, a));
    for (int i = 0; i < 2; i++)
        if (t->b->flags[ends[i]] & TOPO_FLAG_CABLED)
            return doc_err(t->d, row, t->err, ERR_SYNTAX, "'%s' has a cable already",
                           topo_build_bare(t->b, ends[i]));
    return 0;
}

static int
topo_doc_link(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"a", "b", "gbps", "optic", "plane", "metadata", NULL};
    static const struct topo_doc_attr attrs[] = {{"gbps", TOPO_ATTR_GBPS, NULL},
                                                 {"plane", TOPO_ATTR_PLANE, topo_doc_planes},
                                                 {NULL, 0, NULL}};
    char name[ENTITY_SIZE], number[64];
    topo_id a, z, link;
    int rc;
    if ((rc = doc_only(t->d, row, known, t->err)) < 0 || (rc = topo_doc_end(t, row, "a", &a)) < 0 ||
        (rc = topo_doc_end(t, row, "b", &z)) < 0)
        return rc;
    if (entity_link(name, topo_build_bare(t->b, a), topo_build_bare(t->b, z)) < 0)
        return topo_doc_fail(t, row, ERR_RANGE);
    link = topo_build_find_text(t->b, name);
    if (link != TOPO_NONE && t->b->flags[link] & TOPO_FLAG_FABRIC) {
        t->b->flags[link] = (uint8_t)((t->b->flags[link] & ~TOPO_FLAG_FABRIC) | TOPO_FLAG_DECLARED);
        return topo_doc_attrs(t, row, link, attrs);
    }
    if ((rc = topo_doc_cabled(t, row, a, z)) < 0)
        return rc;
    const char *plane = doc_get_str(row, "plane", NULL);
    if (!plane)
        plane = topo_build_attr_get(t->b, t->b->kinds[a] == ENTITY_NIC ? a : z, TOPO_ATTR_PLANE);
    rc = topo_build_link(t->b, a, z, doc_get_bool(row, "optic", false),
                         topo_scalar(doc_get(row, "gbps"), number), plane, TOPO_FLAG_DECLARED,
                         &link);
    return rc < 0 ? topo_doc_fail(t, row, rc) : topo_doc_attrs(t, row, link, attrs);
}

static int
topo_doc_alias(struct topo_doc *t, const struct doc_node *row)
{
    static const char *const known[] = {"entity", "match", NULL};
    struct labels match = {.count = 0};
    const struct doc_node *entity = doc_get(row, "entity"), *m = doc_get(row, "match");
    struct err err = {0};
    struct entity e;
    int rc = doc_only(t->d, row, known, t->err);
    if (rc < 0)
        return rc;
    if (!entity || !entity->str)
        return doc_err(t->d, row, t->err, ERR_SYNTAX, "an alias needs the entity it is for");
    if ((rc = entity_parse(entity->str, &e, &err)) < 0)
        return doc_err(t->d, entity, t->err, rc, "%s", err.text);
    if (!m || m->kind != DOC_MAP || !m->count || m->count > 8)
        return doc_err(t->d, m ? m : row, t->err, ERR_SYNTAX,
                       "an alias needs 'match', one to eight labels and values");
    for (const struct doc_node *n = m->first; n; n = n->next) {
        if (!n->str || !*n->str)
            return doc_err(t->d, n, t->err, ERR_SYNTAX,
                           "the value of label '%s' must be a text in quotes", n->key);
        if ((rc = labels_add_str(&match, n->key, n->str)) < 0)
            return topo_doc_fail(t, n, rc);
    }
    rc = topo_build_alias(t->b, entity->str, match.at, match.count);
    return rc < 0 ? topo_doc_fail(t, row, rc) : 0;
}

static int
topo_doc_cluster(struct topo_doc *t, const struct doc_node *root, char *ret_name)
{
    static const char *const known[] = {"name",  "title",    "site",        "tenant", "vendor",
                                        "model", "metadata", "description", NULL};
    static const struct topo_doc_attr attrs[] = {{"title", TOPO_ATTR_TITLE, NULL},
                                                 {"tenant", TOPO_ATTR_TENANT, NULL},
                                                 {"vendor", TOPO_ATTR_VENDOR, NULL},
                                                 {"model", TOPO_ATTR_MODEL, NULL},
                                                 {NULL, 0, NULL}};
    const struct doc_node *row = doc_get(root, "cluster"), *name;
    int rc;
    if (!row || row->kind == DOC_NULL)
        return doc_err(t->d, root, t->err, ERR_SYNTAX, "the document needs 'cluster: {name: ...}'");
    if ((rc = topo_doc_is(t, row, DOC_MAP, "'cluster'")) < 0 ||
        (rc = doc_only(t->d, row, known, t->err)) < 0 ||
        (rc = topo_doc_name(t, row, "cluster", &name)) < 0)
        return rc;
    if (strchr(name->str, '/'))
        return doc_err(t->d, name, t->err, ERR_SYNTAX, "the name of a cluster holds no '/'");
    if ((rc = topo_doc_declare(t, name, ENTITY_CLUSTER, name->str, NULL, &t->cluster)) < 0)
        return rc;
    if (ret_name)
        str_copy(ret_name, ENTITY_SIZE, name->str);
    return topo_doc_attrs(t, row, t->cluster, attrs);
}

/* The relation of each node and switch to its rack, from the attribute that came last. */
static int
topo_doc_racks(struct topo_doc *t, size_t from)
{
    for (size_t i = from; i < t->b->n; i++) {
        const char *rack;
        if (t->b->kinds[i] != ENTITY_NODE && t->b->kinds[i] != ENTITY_SWITCH)
            continue;
        if (!*(rack = topo_build_attr_get(t->b, (topo_id)i, TOPO_ATTR_RACK)))
            continue;
        topo_id id = topo_build_find(t->b, ENTITY_RACK, rack, NULL);
        int rc = id == TOPO_NONE ? 0 : topo_build_edge(t->b, id, RELATION_CONTAINS, (topo_id)i);
        if (rc < 0)
            return topo_doc_fail(t, doc_root(t->d), rc);
    }
    return 0;
}

static int
topo_doc_lists(struct topo_doc *t, const struct doc_node *root)
{
    static const struct {
        const char *key, *what;
        int (*row)(struct topo_doc *t, const struct doc_node *row);
    } lists[] = {
        {"racks", "a rack", topo_doc_rack},         {"switches", "a switch", topo_doc_switches},
        {"nodes", "a node", topo_doc_nodes},        {"superpods", "a superpod", topo_doc_superpods},
        {"storage", "a storage", topo_doc_storage}, {"links", "a link", topo_doc_link},
        {"aliases", "an alias", topo_doc_alias},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct doc_node *seq = doc_get(root, lists[i].key);
        if (!seq || seq->kind == DOC_NULL)
            continue;
        int rc = topo_doc_is(t, seq, DOC_SEQ, lists[i].key);
        for (const struct doc_node *n = seq->first; rc == 0 && n; n = n->next)
            if ((rc = topo_doc_is(t, n, DOC_MAP, lists[i].what)) == 0)
                rc = lists[i].row(t, n);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
topo_doc_root(struct topo_doc *t, char *ret_cluster)
{
    static const char *const known[] = {"version", "cluster",   "racks",   "switches",
                                        "nodes",   "superpods", "storage", "links",
                                        "fabric",  "aliases",   NULL};
    const struct doc_node *root = doc_root(t->d), *version = doc_get(root, "version"),
                          *fabric = doc_get(root, "fabric");
    size_t from = t->b->n;
    int rc;
    if (!root || root->kind != DOC_MAP)
        return doc_err(t->d, root, t->err, ERR_SYNTAX,
                       "a topology is a mapping that begins with 'version: 1'");
    if ((rc = doc_only(t->d, root, known, t->err)) < 0)
        return rc;
    if (version && doc_int(version, -1) != 1)
        return doc_err(t->d, version, t->err, ERR_UNSUPPORTED,
                       "only 'version: 1' of the topology is known");
    if ((rc = topo_doc_cluster(t, root, ret_cluster)) < 0)
        return rc;
    if (fabric && fabric->kind != DOC_NULL &&
        ((rc = topo_doc_is(t, fabric, DOC_MAP, "'fabric'")) < 0 ||
         (rc = topo_fabric_expand(t->b, t->d, fabric, t->cluster, t->err)) < 0))
        return rc;
    if ((rc = topo_doc_lists(t, root)) < 0)
        return rc;
    return topo_doc_racks(t, from);
}

int
topo_doc_read(struct topo_build *b, const char *text, size_t len, const char *name,
              char *ret_cluster, struct err *err)
{
    struct doc *d = NULL;
    int rc = doc_parse_any(text, len, name && *name ? name : "topology", &d, err);
    if (rc < 0)
        return rc;
    struct topo_doc t = {.d = d, .b = b, .err = err};
    rc = topo_doc_root(&t, ret_cluster);
    doc_free(d);
    return rc;
}

int
topo_doc_cluster_name(const char *text, size_t len, const char *name, char *ret, struct err *err)
{
    struct doc *d = NULL;
    int rc = doc_parse_any(text, len, name, &d, err);
    if (rc < 0)
        return rc;
    str_copy(ret, ENTITY_SIZE, doc_get_str(doc_get(doc_root(d), "cluster"), "name", ""));
    doc_free(d);
    return 0;
}
