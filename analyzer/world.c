/* world: walks over a topology snapshot by names; an entity that the topology does not know (a GPU
 * named by its PCI address, a rank) is reached through its owner, whose name stands before the '/'.
 */
#include "analyzer/world.h"

#include "analyzer/presence.h"
#include "base/entity.h"

#include <stdio.h>
#include <string.h>

struct world_walk {
    const struct world_topo *w;
    void (*cb)(void *ctx, const char *entity);
    void *ctx;
};

static void
world_walk_cb(void *ctx, topo_id id)
{
    struct world_walk *k = ctx;
    k->cb(k->ctx, topo_name(k->w->topo, id));
}

/* "rank:4711/37" -> "job:4711"; a part of a node or switch -> that. */
static bool
world_owner(const struct topo *t, const char *entity, char out[ENTITY_SIZE])
{
    struct entity e;
    if (entity_parse(entity, &e, NULL) || !e.part)
        return false;
    if (e.kind == ENTITY_RANK) {
        snprintf(out, ENTITY_SIZE, "job:%.*s", (int)e.owner_len, e.name);
        return true;
    }
    return !entity_owner(out, entity, false) &&
           (!t || topo_find(t, out) != TOPO_NONE || !entity_owner(out, entity, true));
}

/* A rank's node, by the job's node list. */
static topo_id
world_rank_gpu(const struct topo *t, const char *entity)
{
    struct entity e;
    char job[ENTITY_SIZE], gpu[ENTITY_SIZE];
    unsigned rank;
    if (entity_parse(entity, &e, NULL) || e.kind != ENTITY_RANK || !e.part ||
        sscanf(e.part, "%u", &rank) != 1)
        return TOPO_NONE;
    snprintf(job, sizeof job, "%.*s", (int)e.owner_len, e.name);
    const struct topo_job *j = topo_job_find(t, job);
    return j && !topo_job_rank_gpu(t, j, rank, gpu) ? topo_find(t, gpu) : TOPO_NONE;
}

static size_t
world_topo_walk(void *ctx, const char *from, const enum entity_kind *kinds, size_t n, size_t max,
                void (*cb)(void *cb_ctx, const char *entity), void *cb_ctx)
{
    const struct world_topo *w = ctx;
    struct world_walk k = {w, cb, cb_ctx};
    char owner[ENTITY_SIZE];
    topo_id id = topo_find(w->topo, from);
    if (id != TOPO_NONE && entity_kind_of(from) == kinds[0])
        return topo_walk(w->topo, id, kinds, n, max, world_walk_cb, &k);
    if (n < 2)
        return 0;
    if (kinds[0] == ENTITY_JOB &&
        entity_kind_of(from) == ENTITY_RANK) /* a job's entry kept by rank */
        return world_owner(w->topo, from, owner)
                   ? world_topo_walk(ctx, owner, kinds, n, max, cb, cb_ctx)
                   : 0;
    if (kinds[0] == ENTITY_RANK && (kinds[1] == ENTITY_GPU || kinds[1] == ENTITY_NODE)) {
        id = world_rank_gpu(w->topo, from);
        if (id != TOPO_NONE && kinds[1] == ENTITY_NODE)
            id = topo_neighbour(w->topo, id, ENTITY_NODE);
        return id == TOPO_NONE ? 0
                               : topo_walk(w->topo, id, kinds + 1, n - 1, max, world_walk_cb, &k);
    }
    if (entity_kind_of(from) == ENTITY_NODE && kinds[1] == ENTITY_NODE) {
        /* a part of which only its node is known */
        if (n > 2)
            return world_topo_walk(ctx, from, kinds + 1, n - 1, max, cb, cb_ctx);
        cb(cb_ctx, from);
        return 1;
    }
    if (!world_owner(w->topo, from, owner) || entity_kind_of(owner) != kinds[1])
        return 0;
    if (n == 2)
        cb(cb_ctx, owner);
    return n == 2 ? 1 : world_topo_walk(ctx, owner, kinds + 1, n - 1, max, cb, cb_ctx);
}

static bool
world_topo_observable(void *ctx, const char *entity, const struct kb_entry *symptom)
{
    const struct world_topo *w = ctx;
    (void)symptom;
    return w->presence && presence_fresh(w->presence, entity, w->now_ms);
}

static int64_t
world_topo_spoke(void *ctx, const char *entity)
{
    const struct world_topo *w = ctx;
    return w->presence ? presence_last(w->presence, entity) : 0;
}

static bool
world_topo_planned(void *ctx, const char *entity)
{
    const struct world_topo *w = ctx;
    char owner[ENTITY_SIZE];
    topo_id id = topo_find(w->topo, entity);
    if (id != TOPO_NONE && topo_in_maintenance(w->topo, id))
        return true;
    if (!world_owner(w->topo, entity, owner))
        return false;
    id = topo_find(w->topo, owner);
    return id != TOPO_NONE && topo_in_maintenance(w->topo, id);
}

struct world
world_of_topo(struct world_topo *w)
{
    return (struct world){.walk = world_topo_walk,
                          .observable = world_topo_observable,
                          .spoke = world_topo_spoke,
                          .planned = world_topo_planned,
                          .ctx = w};
}

/* --- names alone ------------------------------------------------------------------------------ */

static bool
world_same_owner(const char *a, const char *b)
{
    const char *x = strchr(a, ':'), *y = strchr(b, ':');
    if (!x || !y)
        return false;
    size_t n = strcspn(x + 1, "/"), m = strcspn(y + 1, "/");
    return n == m && !strncmp(x + 1, y + 1, n);
}

/* Without cabling: a path that passes a job, link, port, switch or storage may reach everyone; else
 * only parts of the same owner are connected. */
static bool
world_path_wide(const enum entity_kind *kinds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        switch (kinds[i]) {
        case ENTITY_JOB:
        case ENTITY_LINK:
        case ENTITY_PORT:
        case ENTITY_SWITCH:
        case ENTITY_STORAGE:
        case ENTITY_RACK:
        case ENTITY_RANK:
        case ENTITY_CLUSTER:
            return true;
        default:
            break;
        }
    return false;
}

static size_t
world_names_walk(void *ctx, const char *from, const enum entity_kind *kinds, size_t n, size_t max,
                 void (*cb)(void *cb_ctx, const char *entity), void *cb_ctx)
{
    const struct world_names *w = ctx;
    bool wide = world_path_wide(kinds, n);
    size_t reached = 0;
    for (size_t i = 0; i < w->count && reached < max; i++) {
        const char *to = w->symptoms[i].entity;
        if (entity_kind_of(to) != kinds[n - 1] || (!wide && !world_same_owner(from, to)))
            continue;
        cb(cb_ctx, to);
        reached++;
    }
    return reached;
}

static bool
world_names_observable(void *ctx, const char *entity, const struct kb_entry *symptom)
{
    (void)ctx, (void)entity, (void)symptom;
    return false; /* a pasted excerpt may be cut: absence tells nothing */
}

struct world
world_of_names(struct world_names *w)
{
    return (struct world){.walk = world_names_walk, .observable = world_names_observable, .ctx = w};
}
