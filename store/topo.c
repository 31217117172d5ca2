/* topo: questions to a snapshot: names, kinds, relations, walks, attributes. All are read-only and
 * lock-free. */
#include "store/topo.h"
#include "store/topo_priv.h"

#include <stdlib.h>
#include <string.h>

struct topo *
topo_ref(struct topo *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void
topo_put(struct topo *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < t->source_count; i++)
        topo_source_put(t->sources[i]);
    map_free(t->index, NULL);
    arena_free(t->arena);
    topo_base_put(t->base);
    free(t);
}

uint64_t
topo_revision(const struct topo *t)
{
    return t->revision;
}

uint64_t
topo_plan_revision(const struct topo *t)
{
    return t->plan;
}

size_t
topo_planned(const struct topo *t)
{
    return t->base->n;
}

int
topo_parse(const char *text, size_t len, const char *name, struct topo **ret, struct err *err)
{
    struct topo_build b;
    struct topo_base *base = NULL;
    if (topo_build_init(&b) < 0)
        return err_set(err, ERR_NOMEM, "no memory for a topology");
    int rc = topo_doc_read(&b, text, len, name, NULL, err);
    if (rc < 0) {
        topo_build_done(&b);
        return rc;
    }
    if ((rc = topo_base_new(&b, 0, &base)) < 0 || (rc = topo_new(base, NULL, 0, NULL, 0, ret)) < 0)
        err_set(err, rc, "no memory for a topology");
    topo_base_put(base);
    return rc;
}

size_t
topo_count(const struct topo *t)
{
    return t->base->n + t->extra;
}

topo_id
topo_find(const struct topo *t, const char *entity)
{
    topo_id id = topo_base_find(t->base, entity);
    if (id != TOPO_NONE || !t->extra)
        return id;
    uintptr_t at = (uintptr_t)map_get(t->index, entity, strlen(entity));
    return at ? (topo_id)(at - 1) : TOPO_NONE;
}

const char *
topo_name(const struct topo *t, topo_id id)
{
    return id < t->base->n      ? t->base->names[id]
           : id < topo_count(t) ? t->names[id - t->base->n]
                                : "";
}

enum entity_kind
topo_kind(const struct topo *t, topo_id id)
{
    uint8_t k = id < t->base->n      ? t->base->kinds[id]
                : id < topo_count(t) ? t->kinds[id - t->base->n]
                                     : ENTITY_NONE;
    return (enum entity_kind)k;
}

const topo_id *
topo_of_kind(const struct topo *t, enum entity_kind k, size_t *ret_count)
{
    if ((unsigned)k >= ENTITY_KINDS)
        k = ENTITY_NONE;
    *ret_count = t->kind_counts[k];
    return t->kind_lists[k];
}

const struct topo_edge *
topo_edges(const struct topo *t, topo_id id, size_t *ret_count)
{
    const struct topo_base *b = t->base;
    const struct topo_list *own = NULL;
    *ret_count = 0;
    if (id >= topo_count(t))
        return NULL;
    if (id >= b->n)
        own = &t->lists[id - b->n];
    else if (b->kinds[id] == ENTITY_NODE && t->node_lists[id - b->kind_first[ENTITY_NODE]].edges)
        own = &t->node_lists[id - b->kind_first[ENTITY_NODE]];
    *ret_count = own ? own->count : b->edge_first[id + 1] - b->edge_first[id];
    return own ? own->edges : b->edges + b->edge_first[id];
}

topo_id
topo_neighbour(const struct topo *t, topo_id id, enum entity_kind k)
{
    size_t n;
    const struct topo_edge *e = topo_edges(t, id, &n);
    for (size_t i = 0; i < n; i++)
        if (topo_kind(t, e[i].to) == k)
            return e[i].to;
    return TOPO_NONE;
}

/* --- walks ------------------------------------------------------------------------------------ */

#define TOPO_FEW 48 /* so many entities are compared one by one: most walks reach fewer */

struct topo_front { /* the entities reached by one step, each once */
    topo_id few[TOPO_FEW];
    topo_id *ids; /* few, or allocated */
    size_t count, cap, bytes;
    uint8_t *seen; /* a bit an entity, once there are more than a few */
};

/* From comparing to a bit an entity. */
static int
topo_front_grow(struct topo_front *f)
{
    size_t cap = f->cap * 2;
    bool few = f->ids == f->few;
    topo_id *ids = reallocarray(few ? NULL : f->ids, cap, sizeof *ids);
    if (!ids)
        return ERR_NOMEM;
    if (few)
        memcpy(ids, f->few, sizeof f->few);
    f->ids = ids;
    f->cap = cap;
    if (!f->seen && !(f->seen = calloc(1, f->bytes)))
        return ERR_NOMEM;
    for (size_t i = 0; few && i < f->count; i++)
        f->seen[f->ids[i] / 8] = (uint8_t)(f->seen[f->ids[i] / 8] | (1u << (f->ids[i] % 8)));
    return 0;
}

static bool
topo_front_has(const struct topo_front *f, topo_id id)
{
    if (f->seen)
        return f->seen[id / 8] & (1u << (id % 8));
    for (size_t i = 0; i < f->count; i++)
        if (f->ids[i] == id)
            return true;
    return false;
}

static int
topo_front_add(struct topo_front *f, topo_id id)
{
    if (topo_front_has(f, id))
        return 0;
    if (f->count == f->cap && topo_front_grow(f) < 0)
        return ERR_NOMEM;
    if (f->seen)
        f->seen[id / 8] = (uint8_t)(f->seen[id / 8] | (1u << (id % 8)));
    f->ids[f->count++] = id;
    return 0;
}

static void
topo_front_init(struct topo_front *f, size_t bytes)
{
    f->ids = f->few;
    f->count = 0;
    f->cap = TOPO_FEW;
    f->bytes = bytes;
    f->seen = NULL;
}

static void
topo_front_done(struct topo_front *f)
{
    free(f->seen);
    if (f->ids != f->few)
        free(f->ids);
}

static void
topo_front_clear(struct topo_front *f)
{
    for (size_t i = 0; f->seen && i < f->count; i++)
        f->seen[f->ids[i] / 8] = 0;
    f->count = 0;
}

static int
topo_front_step(const struct topo *t, const struct topo_front *from, struct topo_front *to,
                enum entity_kind k)
{
    topo_front_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        size_t n;
        const struct topo_edge *e = topo_edges(t, from->ids[i], &n);
        for (size_t j = 0; j < n; j++)
            if (topo_kind(t, e[j].to) == k && topo_front_add(to, e[j].to) < 0)
                return ERR_NOMEM;
    }
    return 0;
}

/* Where a walk begins: 1 at `from`, 0 when `from` is the node of a part that nobody named, and its
 * parts are to be found first; negative: not here. */
static int
topo_walk_start(const struct topo *t, topo_id from, const enum entity_kind *kinds, size_t n)
{
    if (from == TOPO_NONE || !n)
        return ERR_NOTFOUND;
    enum entity_kind k = topo_kind(t, from);
    if (k == kinds[0])
        return 1;
    if (k != ENTITY_NODE || (kinds[0] != ENTITY_NIC && kinds[0] != ENTITY_GPU))
        return ERR_NOTFOUND;
    return n > 1 && kinds[1] == ENTITY_NODE ? 2 : 0;
}

size_t
topo_walk(const struct topo *t, topo_id from, const enum entity_kind *kinds, size_t n, size_t max,
          void (*cb)(void *ctx, topo_id id), void *ctx)
{
    size_t count = 0;
    struct topo_front a, b, *at = &a, *next = &b;
    topo_front_init(&a, topo_count(t) / 8 + 1);
    topo_front_init(&b, topo_count(t) / 8 + 1);
    int start = topo_walk_start(t, from, kinds, n);
    if (start < 0 || topo_front_add(at, from) < 0)
        goto out;
    for (size_t i = (size_t)start; i < n; i++) {
        struct topo_front *swap = at;
        if (topo_front_step(t, at, next, kinds[i]) < 0)
            goto out;
        at = next;
        next = swap;
    }
    for (size_t i = 0; i < at->count && count < max; i++) {
        if (at->ids[i] == from && n > 1 && start == 1)
            continue;
        cb(ctx, at->ids[i]);
        count++;
    }
out:
    topo_front_done(&a);
    topo_front_done(&b);
    return count;
}

int
topo_path_parse(const char *text, enum entity_kind *ret, size_t size)
{
    size_t n = 0;
    for (;;) {
        text += strspn(text, " ");
        size_t len = strcspn(text, " >");
        enum entity_kind k = entity_kind_find(text, len);
        if (k == ENTITY_NONE || n == size)
            return ERR_SYNTAX;
        ret[n++] = k;
        text += len;
        text += strspn(text, " ");
        if (!*text)
            return (int)n;
        if (*text++ != '>')
            return ERR_SYNTAX;
    }
}

/* --- attributes ------------------------------------------------------------------------------- */

const char *
topo_attr(const struct topo *t, topo_id id, const char *name)
{
    enum topo_attr_name a = topo_attr_find(name);
    return a == TOPO_ATTR_NONE || id >= t->base->n ? "" : topo_base_attr(t->base, id, a);
}

static int
topo_change_order(const void *a, const void *b)
{
    const struct topo_change *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool
topo_maintained(const struct topo *t, topo_id id)
{
    struct topo_change want = {.id = id}, *c = NULL;
    if (id >= t->base->n)
        return false;
    if (t->change_count)
        c = bsearch(&want, t->changes, t->change_count, sizeof want, topo_change_order);
    return c ? c->on : (t->base->flags[id] & TOPO_FLAG_MAINTENANCE) != 0;
}

/* An entity is in maintenance when it or what contains it is; the cluster as a whole does not
 * count. */
static bool
topo_maintained_above(const struct topo *t, topo_id id, unsigned depth)
{
    size_t n;
    if (topo_maintained(t, id))
        return true;
    const struct topo_edge *e = depth ? topo_edges(t, id, &n) : NULL;
    for (size_t i = 0; e && i < n; i++)
        if (e[i].reverse && e[i].relation == RELATION_CONTAINS &&
            topo_kind(t, e[i].to) != ENTITY_CLUSTER && topo_maintained_above(t, e[i].to, depth - 1))
            return true;
    return false;
}

bool
topo_in_maintenance(const struct topo *t, topo_id id)
{
    return id < topo_count(t) && topo_maintained_above(t, id, 4);
}
