/* topo_base: a builder frozen: entities sorted by kind and name, relations of each in one array
 * (CSR), attributes, and the tables by which series and hosts are recognised. Immutable from then
 * on, shared by reference count. */
#include "base/str.h"
#include "store/topo_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- order ------------------------------------------------------------------------------------ */

static int
topo_base_order(const void *a, const void *b, void *ctx)
{
    const struct topo_build *t = ctx;
    return strcmp(t->names[*(const uint32_t *)a], t->names[*(const uint32_t *)b]);
}

static bool
topo_base_in_order(const struct topo_build *t, const uint32_t *ids, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(t->names[ids[i - 1]], t->names[ids[i]]) > 0)
            return false;
    return true;
}

/* old[new id] = builder's id, sorted by kind, then name. */
static uint32_t *
topo_base_sort(const struct topo_build *t, struct topo_base *b)
{
    uint32_t *old = malloc((t->n + 1) * sizeof *old), at[ENTITY_KINDS];
    if (!old)
        return NULL;
    memset(b->kind_first, 0, sizeof b->kind_first);
    for (size_t i = 0; i < t->n; i++)
        b->kind_first[t->kinds[i] + 1]++;
    for (int k = 0; k < ENTITY_KINDS; k++) {
        b->kind_first[k + 1] += b->kind_first[k];
        at[k] = b->kind_first[k];
    }
    for (uint32_t i = 0; i < t->n; i++)
        old[at[t->kinds[i]]++] = i;
    for (int k = 0; k < ENTITY_KINDS; k++) {
        uint32_t *first = old + b->kind_first[k];
        size_t n = b->kind_first[k + 1] - b->kind_first[k];
        if (!topo_base_in_order(t, first, n))
            qsort_r(first, n, sizeof *first, topo_base_order, (void *)(uintptr_t)t);
    }
    return old;
}

static int
topo_base_names(const struct topo_build *t, struct topo_base *b, const uint32_t *old)
{
    b->n = t->n;
    b->names = arena_alloc(b->arena, (b->n + 1) * sizeof *b->names);
    b->kinds = arena_alloc(b->arena, b->n + 1);
    b->flags = arena_alloc(b->arena, b->n + 1);
    b->ids = arena_alloc(b->arena, (b->n + 1) * sizeof *b->ids);
    for (b->table_size = 1024; b->table_size < b->n * 2;)
        b->table_size *= 2;
    b->table = arena_alloc(b->arena, b->table_size * sizeof *b->table);
    if (!b->names || !b->kinds || !b->flags || !b->ids || !b->table)
        return ERR_NOMEM;
    memset(b->table, 0xff, b->table_size * sizeof *b->table);
    for (uint32_t i = 0; i < b->n; i++) {
        b->names[i] = t->names[old[i]];
        b->kinds[i] = t->kinds[old[i]];
        b->flags[i] = t->flags[old[i]];
        b->ids[i] = i;
        size_t slot = (size_t)map_hash(b->names[i], strlen(b->names[i])) & (b->table_size - 1);
        while (b->table[slot] != TOPO_NONE)
            slot = (slot + 1) & (b->table_size - 1);
        b->table[slot] = i;
    }
    return 0;
}

topo_id
topo_base_find(const struct topo_base *b, const char *entity)
{
    size_t mask = b->table_size - 1, slot = (size_t)map_hash(entity, strlen(entity)) & mask;
    while (b->table[slot] != TOPO_NONE && strcmp(b->names[b->table[slot]], entity) != 0)
        slot = (slot + 1) & mask;
    return b->table[slot];
}

/* --- relations -------------------------------------------------------------------------------- */

static int
topo_base_edge_order(const void *a, const void *b)
{
    const struct topo_edge *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->relation != y->relation ? x->relation - y->relation : x->reverse - y->reverse;
}

/* Sorts each list and drops doubles; lists move together. */
static void
topo_base_edges_tidy(struct topo_base *b)
{
    uint32_t out = 0;
    for (size_t i = 0; i < b->n; i++) {
        uint32_t from = b->edge_first[i], to = b->edge_first[i + 1];
        qsort(b->edges + from, to - from, sizeof *b->edges, topo_base_edge_order);
        b->edge_first[i] = out;
        for (uint32_t e = from; e < to; e++)
            if (e == from || topo_base_edge_order(&b->edges[e - 1], &b->edges[e]) != 0 ||
                out == b->edge_first[i])
                b->edges[out++] = b->edges[e];
    }
    b->edge_first[b->n] = out;
}

static int
topo_base_edges(const struct topo_build *t, struct topo_base *b, const uint32_t *new)
{
    b->edge_first = arena_alloc(b->arena, (b->n + 2) * sizeof *b->edge_first);
    b->edges = arena_alloc(b->arena, (t->edge_count * 2 + 1) * sizeof *b->edges);
    uint32_t *at = malloc((b->n + 1) * sizeof *at);
    if (!b->edge_first || !b->edges || !at) {
        free(at);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->edge_count; i++) {
        b->edge_first[new[t->edges[i].from] + 1]++;
        b->edge_first[new[t->edges[i].to] + 1]++;
    }
    for (size_t i = 0; i < b->n; i++) {
        b->edge_first[i + 1] += b->edge_first[i];
        at[i] = b->edge_first[i];
    }
    for (size_t i = 0; i < t->edge_count; i++) {
        uint32_t from = new[t->edges[i].from], to = new[t->edges[i].to];
        b->edges[at[from]++] = (struct topo_edge){to, t->edges[i].relation, false};
        b->edges[at[to]++] = (struct topo_edge){from, t->edges[i].relation, true};
    }
    free(at);
    topo_base_edges_tidy(b);
    return 0;
}

/* --- attributes ------------------------------------------------------------------------------- */

static int
topo_base_attrs(const struct topo_build *t, struct topo_base *b, const uint32_t *old)
{
    uint32_t out = 0;
    b->attr_first = arena_alloc(b->arena, (b->n + 2) * sizeof *b->attr_first);
    b->attrs = arena_alloc(b->arena, (t->attr_count + 1) * sizeof *b->attrs);
    if (!b->attr_first || !b->attrs)
        return ERR_NOMEM;
    for (size_t i = 0; i < b->n; i++) {
        uint32_t seen = 0; /* TOPO_ATTRS is below 32 */
        b->attr_first[i] = out;
        for (uint32_t a = t->attr_first[old[i]]; a != TOPO_NONE; a = t->attrs[a].next) {
            if (seen & (1u << t->attrs[a].name))
                continue;
            seen |= 1u << t->attrs[a].name;
            b->attrs[out++] = t->attrs[a];
        }
    }
    b->attr_first[b->n] = out;
    return 0;
}

const char *
topo_base_attr(const struct topo_base *b, topo_id id, enum topo_attr_name a)
{
    for (uint32_t i = b->attr_first[id]; i < b->attr_first[id + 1]; i++)
        if (b->attrs[i].name == a)
            return b->attrs[i].value;
    return "";
}

/* --- recognition ------------------------------------------------------------------------------ */

static int
topo_base_know(struct map *m, const char *key, topo_id id)
{
    if (!*key || map_get(m, key, strlen(key)))
        return 0; /* the first that bears it */
    return map_set(m, key, strlen(key), (void *)((uintptr_t)id + 1), NULL);
}

/* "node/WHAT" and WHAT alone for what is unique in the world (uuid). */
static int
topo_base_know_part(struct topo_base *b, topo_id id, enum topo_attr_name a)
{
    char key[ENTITY_SIZE + 64];
    const char *value = topo_base_attr(b, id, a), *bare = strchr(b->names[id], ':') + 1;
    if (!*value)
        return 0;
    int n = snprintf(key, sizeof key, "%.*s/%s", (int)strcspn(bare, "/"), bare, value);
    if (n < 0 || (size_t)n >= sizeof key)
        return 0;
    for (char *p = key; a == TOPO_ATTR_PCI && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return topo_base_know(b->parts, a == TOPO_ATTR_UUID ? value : key, id);
}

static int
topo_base_known(struct topo_base *b)
{
    int rc = 0;
    for (topo_id i = 0; i < b->n && rc == 0; i++) {
        switch (b->kinds[i]) {
        case ENTITY_NODE:
        case ENTITY_SWITCH:
            rc = topo_base_know(b->hosts, topo_base_attr(b, i, TOPO_ATTR_ADDRESS), i);
            break;
        case ENTITY_NIC:
            if ((rc = topo_base_know_part(b, i, TOPO_ATTR_NETDEV)) == 0)
                rc = topo_base_know_part(b, i, TOPO_ATTR_PCI);
            break;
        case ENTITY_GPU:
            if ((rc = topo_base_know_part(b, i, TOPO_ATTR_PCI)) == 0)
                rc = topo_base_know_part(b, i, TOPO_ATTR_UUID);
            break;
        default:
            break;
        }
    }
    return rc;
}

static size_t
topo_base_alias_key(const struct label *l, char *out, size_t size)
{
    int n =
        snprintf(out, size, "%.*s=%.*s", (int)l->name_len, l->name, (int)l->value_len, l->value);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

static void
topo_base_alias_label(struct topo_base *b, const char *name)
{
    for (size_t i = 0; i < b->alias_label_count; i++)
        if (strcmp(b->alias_labels[i], name) == 0)
            return;
    if (b->alias_label_count < sizeof b->alias_labels / sizeof *b->alias_labels)
        b->alias_labels[b->alias_label_count++] = name;
}

static int
topo_base_aliases(const struct topo_build *t, struct topo_base *b)
{
    static const char *const host_labels[] = {"instance", "node",     "host",
                                              "hostname", "Hostname", NULL};
    b->aliases = arena_alloc(b->arena, (t->alias_count + 1) * sizeof *b->aliases);
    if (!b->aliases)
        return ERR_NOMEM;
    b->alias_count = t->alias_count;
    for (uint32_t i = 0; i < t->alias_count; i++) {
        char key[LABEL_NAME_MAX + LABEL_VALUE_MAX + 2];
        const struct label *first = &t->aliases[i].match[0];
        size_t len = topo_base_alias_key(first, key, sizeof key);
        void *before = NULL;
        b->aliases[i] = t->aliases[i];
        int rc = len ? map_set(b->alias_index, key, len, (void *)((uintptr_t)i + 1), &before) : 0;
        if (rc < 0)
            return rc;
        b->aliases[i].next = before ? (uint32_t)((uintptr_t)before - 1) : TOPO_NONE;
        topo_base_alias_label(b, first->name);
        topo_id id = topo_base_find(b, t->aliases[i].entity);
        for (const char *const *h = host_labels; t->aliases[i].count == 1 && *h && id != TOPO_NONE;
             h++)
            if (strcmp(first->name, *h) == 0 &&
                (b->kinds[id] == ENTITY_NODE || b->kinds[id] == ENTITY_SWITCH) &&
                (rc = topo_base_know(b->hosts, first->value, id)) < 0)
                return rc;
    }
    return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

int
topo_base_new(struct topo_build *t, uint64_t key, struct topo_base **ret)
{
    struct topo_base *b = calloc(1, sizeof *b);
    uint32_t *old = NULL, *new = NULL;
    int rc = ERR_NOMEM;
    if (!b)
        return ERR_NOMEM;
    atomic_init(&b->refs, 1);
    b->key = key;
    b->arena = t->arena;
    t->arena = NULL;
    b->hosts = map_new(TOPO_ENTITIES_MAX);
    b->parts = map_new(TOPO_ENTITIES_MAX);
    b->alias_index = map_new(TOPO_ENTITIES_MAX);
    old = topo_base_sort(t, b);
    new = malloc((t->n + 1) * sizeof *new);
    if (!b->hosts || !b->parts || !b->alias_index || !old || !new)
        goto out;
    for (uint32_t i = 0; i < t->n; i++)
        new[old[i]] = i;
    if ((rc = topo_base_names(t, b, old)) < 0 || (rc = topo_base_edges(t, b, new)) < 0 ||
        (rc = topo_base_attrs(t, b, old)) < 0 || (rc = topo_base_known(b)) < 0)
        goto out;
    rc = topo_base_aliases(t, b);
out:
    free(old);
    free(new);
    topo_build_done(t);
    if (rc < 0)
        topo_base_put(b);
    else
        *ret = b;
    return rc;
}

struct topo_base *
topo_base_ref(struct topo_base *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void
topo_base_put(struct topo_base *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    map_free(b->hosts, NULL);
    map_free(b->parts, NULL);
    map_free(b->alias_index, NULL);
    arena_free(b->arena);
    free(b);
}
