/* view_topo: what is read off the topology alone: the rows of the fleet map, owners, clusters,
 * leaves, a tenant's part. */
#include "web/view_priv.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

const char *
view_plain(const struct topo *t, topo_id id)
{
    const char *name = topo_name(t, id), *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

topo_id
view_owner(const struct topo *t, topo_id id)
{
    enum entity_kind k = id == TOPO_NONE ? ENTITY_NONE : topo_kind(t, id);
    if (k == ENTITY_NODE || k == ENTITY_SWITCH)
        return id;
    if (k == ENTITY_GPU || k == ENTITY_NIC || k == ENTITY_NVSWITCH || k == ENTITY_DPU)
        return topo_neighbour(t, id, ENTITY_NODE);
    if (k == ENTITY_PORT)
        return topo_neighbour(t, id, ENTITY_SWITCH);
    if (k != ENTITY_OPTIC)
        return TOPO_NONE;
    topo_id end = topo_neighbour(t, id, ENTITY_NIC);
    return view_owner(t, end != TOPO_NONE ? end : topo_neighbour(t, id, ENTITY_PORT));
}

topo_id
view_cluster_of(const struct topo *t, topo_id id)
{
    size_t n;
    const topo_id *clusters = topo_of_kind(t, ENTITY_CLUSTER, &n);
    topo_id owner = view_owner(t, id), c = TOPO_NONE;
    if (n == 1)
        return clusters[0];
    if (id != TOPO_NONE)
        c = topo_kind(t, id) == ENTITY_CLUSTER ? id : topo_neighbour(t, id, ENTITY_CLUSTER);
    if (c == TOPO_NONE && owner != TOPO_NONE)
        c = topo_neighbour(t, owner, ENTITY_CLUSTER);
    if (c == TOPO_NONE && owner != TOPO_NONE)
        owner = topo_neighbour(t, owner, ENTITY_RACK);
    return c == TOPO_NONE && owner != TOPO_NONE ? topo_neighbour(t, owner, ENTITY_CLUSTER) : c;
}

static topo_id
view_nic_leaf(const struct topo *t, topo_id nic)
{
    topo_id link = topo_neighbour(t, nic, ENTITY_LINK);
    topo_id port = link == TOPO_NONE ? TOPO_NONE : topo_neighbour(t, link, ENTITY_PORT);
    return port == TOPO_NONE ? TOPO_NONE : topo_neighbour(t, port, ENTITY_SWITCH);
}

/* The NICs of a node in name order; the accelerator with index i uses the one of rail i. */
static topo_id
view_gpu_leaf(const struct topo *t, topo_id gpu)
{
    topo_id node = view_owner(t, gpu), nics[64];
    const char *part = strrchr(topo_name(t, gpu), '/');
    size_t n, count = 0;
    unsigned long index = part ? strtoul(part + 1, NULL, 10) : 0;
    const struct topo_edge *e = node == TOPO_NONE ? NULL : topo_edges(t, node, &n);
    for (size_t i = 0; e && i < n && count < 64; i++)
        if (topo_kind(t, e[i].to) == ENTITY_NIC && view_nic_leaf(t, e[i].to) != TOPO_NONE)
            nics[count++] = e[i].to;
    for (size_t i = 0; i < count; i++)
        if (strtoul(topo_attr(t, nics[i], "rail"), NULL, 10) == index + 1)
            return view_nic_leaf(t, nics[i]);
    return count ? view_nic_leaf(t, nics[index % count]) : TOPO_NONE;
}

topo_id
view_leaf(const struct topo *t, topo_id id)
{
    enum entity_kind k = id == TOPO_NONE ? ENTITY_NONE : topo_kind(t, id);
    topo_id nic = TOPO_NONE;
    if (k == ENTITY_GPU)
        return view_gpu_leaf(t, id);
    if (k == ENTITY_NIC)
        nic = id;
    else if (k == ENTITY_NODE ||
             (k == ENTITY_OPTIC && topo_neighbour(t, id, ENTITY_NIC) != TOPO_NONE))
        nic = topo_neighbour(t, id, ENTITY_NIC);
    else
        id = view_owner(t, id);
    if (nic != TOPO_NONE)
        return view_nic_leaf(t, nic);
    return id != TOPO_NONE && topo_kind(t, id) == ENTITY_SWITCH ? id : TOPO_NONE;
}

/* --- the fleet -------------------------------------------------------------------------------- */

struct view_row {
    topo_id node, cluster;
    const char *cluster_name, *pod, *rack, *name;
};

static int
view_row_order(const void *a, const void *b)
{
    const struct view_row *x = a, *y = b;
    int c = strcmp(x->cluster_name, y->cluster_name);
    c = c ? c : strcmp(x->pod, y->pod);
    c = c ? c : strcmp(x->rack, y->rack);
    return c ? c : strcmp(x->name, y->name);
}

static int
view_gpu_order(const void *a, const void *b, void *ctx)
{
    const char *x = strrchr(topo_name(ctx, *(const topo_id *)a), '/'),
               *y = strrchr(topo_name(ctx, *(const topo_id *)b), '/');
    unsigned long i = x ? strtoul(x + 1, NULL, 10) : 0, j = y ? strtoul(y + 1, NULL, 10) : 0;
    return i < j ? -1 : i > j;
}

static struct view_row *
view_rows(const struct topo *t, const topo_id *nodes, size_t n)
{
    struct view_row *rows = calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++) {
        topo_id c = view_cluster_of(t, nodes[i]);
        rows[i] = (struct view_row){nodes[i],
                                    c,
                                    c == TOPO_NONE ? "" : view_plain(t, c),
                                    topo_attr(t, nodes[i], "group"),
                                    topo_attr(t, nodes[i], "rack"),
                                    view_plain(t, nodes[i])};
    }
    if (rows)
        qsort(rows, n, sizeof *rows, view_row_order);
    return rows;
}

static size_t
view_fleet_gpus(const struct topo *t, topo_id node, topo_id *out)
{
    size_t n, count = 0;
    const struct topo_edge *e = topo_edges(t, node, &n);
    for (size_t i = 0; i < n; i++)
        if (topo_kind(t, e[i].to) == ENTITY_GPU)
            out[count++] = e[i].to;
    qsort_r(out, count, sizeof *out, view_gpu_order, (void *)(uintptr_t)t);
    return count;
}

struct view_fleet *
view_fleet_new(const struct topo *t, struct arena *a)
{
    size_t n, all;
    const topo_id *ids = topo_of_kind(t, ENTITY_NODE, &n);
    topo_of_kind(t, ENTITY_GPU, &all);
    struct view_fleet *f = arena_alloc(a, sizeof *f);
    topo_id *nodes = arena_alloc(a, (n + 1) * sizeof *nodes),
            *clusters = arena_alloc(a, (n + 1) * sizeof *clusters);
    topo_id *gpus = arena_alloc(a, (all + 1) * sizeof *gpus);
    uint32_t *first = arena_alloc(a, (n + 1) * sizeof *first);
    struct view_row *rows = view_rows(t, ids, n);
    if (!f || !nodes || !clusters || !gpus || !first || !rows) {
        free(rows);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        nodes[i] = rows[i].node;
        clusters[i] = rows[i].cluster;
        first[i] = (uint32_t)f->gpu_count;
        f->gpu_count += view_fleet_gpus(t, rows[i].node, gpus + f->gpu_count);
    }
    first[n] = (uint32_t)f->gpu_count;
    free(rows);
    f->nodes = nodes;
    f->clusters = clusters;
    f->gpus = gpus;
    f->first = first;
    f->count = n;
    return f;
}

/* --- a tenant's part -------------------------------------------------------------------------- */

static void
view_mask_parts(const struct topo *t, topo_id id, uint8_t *seen, int depth)
{
    static const bool parts[ENTITY_KINDS] = {
        [ENTITY_GPU] = true,  [ENTITY_NIC] = true,      [ENTITY_OPTIC] = true,
        [ENTITY_LINK] = true, [ENTITY_NVSWITCH] = true, [ENTITY_DPU] = true};
    size_t n;
    const struct topo_edge *e = topo_edges(t, id, &n);
    seen[id] = 1;
    for (size_t i = 0; depth && i < n; i++)
        if (parts[topo_kind(t, e[i].to)] && !seen[e[i].to] && topo_kind(t, id) != ENTITY_LINK)
            view_mask_parts(t, e[i].to, seen, depth - 1);
}

void
view_mask_fill(const struct topo *t, const char *tenant, uint8_t *seen)
{
    const struct topo_job *jobs;
    char name[ENTITY_SIZE];
    size_t n = topo_jobs(t, &jobs);
    for (size_t i = 0; i < n; i++) {
        if (!jobs[i].tenant || strcmp(jobs[i].tenant, tenant) != 0)
            continue;
        topo_id job =
            entity_format(name, ENTITY_JOB, jobs[i].id, NULL) ? TOPO_NONE : topo_find(t, name);
        if (job != TOPO_NONE)
            seen[job] = 1;
        for (size_t k = 0; k < jobs[i].node_count; k++)
            view_mask_parts(t, jobs[i].nodes[k], seen, 2);
    }
}
