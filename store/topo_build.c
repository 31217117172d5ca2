/* topo_build: a topology being put together: entities by name, relations, attributes, aliases, in
 * the order they come. Expected load: 200,000 entities, 400,000 relations, 300,000 attributes, in a
 * third of a second. */
#include "store/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const topo_attr_words[TOPO_ATTRS] = {
    [TOPO_ATTR_NONE] = "",
    [TOPO_ATTR_RACK] = "rack",
    [TOPO_ATTR_GROUP] = "group",
    [TOPO_ATTR_RAIL] = "rail",
    [TOPO_ATTR_PLANE] = "plane",
    [TOPO_ATTR_ROLE] = "role",
    [TOPO_ATTR_MODEL] = "model",
    [TOPO_ATTR_VENDOR] = "vendor",
    [TOPO_ATTR_GBPS] = "gbps",
    [TOPO_ATTR_NETDEV] = "netdev",
    [TOPO_ATTR_SUPERPOD] = "superpod",
    [TOPO_ATTR_SERIAL] = "serial",
    [TOPO_ATTR_ADDRESS] = "address",
    [TOPO_ATTR_KIND] = "kind",
    [TOPO_ATTR_PATH] = "path",
    [TOPO_ATTR_PCI] = "pci",
    [TOPO_ATTR_UUID] = "uuid",
    [TOPO_ATTR_TENANT] = "tenant",
    [TOPO_ATTR_STATE] = "state",
    [TOPO_ATTR_SERVERS] = "servers",
    [TOPO_ATTR_TITLE] = "title",
    [TOPO_ATTR_PDU] = "pdu",
    [TOPO_ATTR_CDU] = "cdu",
};

enum topo_attr_name
topo_attr_find(const char *word)
{
    for (int i = 1; i < TOPO_ATTRS; i++)
        if (strcmp(topo_attr_words[i], word) == 0)
            return (enum topo_attr_name)i;
    return TOPO_ATTR_NONE;
}

const char *
topo_attr_word(enum topo_attr_name a)
{
    return topo_attr_words[a];
}

/* Room for one more element; doubles. */
static int
topo_build_grow(void **at, size_t count, size_t *cap, size_t size, size_t max)
{
    if (count < *cap)
        return 0;
    size_t want = *cap ? *cap * 2 : 1024;
    if (count >= max)
        return ERR_LIMIT;
    void *p = reallocarray(*at, want, size);
    if (!p)
        return ERR_NOMEM;
    *at = p;
    *cap = want;
    return 0;
}

static int
topo_build_grow_entities(struct topo_build *b)
{
    size_t cap = b->cap;
    int rc = topo_build_grow((void **)&b->names, b->n, &cap, sizeof *b->names, TOPO_ENTITIES_MAX);
    if (rc < 0 || cap == b->cap)
        return rc;
    uint8_t *kinds = realloc(b->kinds, cap), *flags;
    if (kinds)
        b->kinds = kinds;
    flags = realloc(b->flags, cap);
    if (flags)
        b->flags = flags;
    uint32_t *first = reallocarray(b->attr_first, cap, sizeof *first);
    if (first)
        b->attr_first = first;
    if (!kinds || !flags || !first)
        return ERR_NOMEM;
    b->cap = cap;
    return 0;
}

int
topo_build_init(struct topo_build *b)
{
    memset(b, 0, sizeof *b);
    b->arena = arena_new(TOPO_ARENA_MAX);
    b->strings = map_new(TOPO_ENTITIES_MAX);
    b->table_size = 4096;
    b->table = malloc(b->table_size * sizeof *b->table);
    if (!b->arena || !b->strings || !b->table) {
        topo_build_done(b);
        return ERR_NOMEM;
    }
    memset(b->table, 0xff, b->table_size * sizeof *b->table);
    return 0;
}

void
topo_build_done(struct topo_build *b)
{
    arena_free(b->arena);
    map_free(b->strings, NULL);
    free(b->names);
    free(b->kinds);
    free(b->flags);
    free(b->attr_first);
    free(b->table);
    free(b->edges);
    free(b->attrs);
    free(b->aliases);
    memset(b, 0, sizeof *b);
}

static size_t
topo_build_slot(const struct topo_build *b, const char *name, size_t len)
{
    size_t mask = b->table_size - 1, i = (size_t)map_hash(name, len) & mask;
    while (b->table[i] != TOPO_NONE) {
        const char *have = b->names[b->table[i]];
        if (strncmp(have, name, len) == 0 && !have[len])
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static int
topo_build_rehash(struct topo_build *b)
{
    if (b->n * 2 < b->table_size)
        return 0;
    uint32_t *table = malloc(b->table_size * 2 * sizeof *table);
    if (!table)
        return ERR_NOMEM;
    free(b->table);
    b->table = table;
    b->table_size *= 2;
    memset(table, 0xff, b->table_size * sizeof *table);
    for (uint32_t i = 0; i < b->n; i++)
        table[topo_build_slot(b, b->names[i], strlen(b->names[i]))] = i;
    return 0;
}

topo_id
topo_build_find_text(const struct topo_build *b, const char *entity)
{
    return b->table[topo_build_slot(b, entity, strlen(entity))];
}

topo_id
topo_build_find(const struct topo_build *b, enum entity_kind k, const char *owner, const char *part)
{
    char name[ENTITY_SIZE];
    return entity_format(name, k, owner, part) < 0 ? TOPO_NONE : topo_build_find_text(b, name);
}

bool
topo_build_holds(enum entity_kind k)
{
    return k != ENTITY_JOB && k != ENTITY_RANK && k != ENTITY_TENANT;
}

int
topo_build_add(struct topo_build *b, enum entity_kind k, const char *owner, const char *part,
               topo_id *ret, bool *ret_new)
{
    char name[ENTITY_SIZE];
    int rc = topo_build_holds(k) ? entity_format(name, k, owner, part) : ERR_RANGE;
    if (rc < 0)
        return rc;
    if ((rc = topo_build_rehash(b)) < 0)
        return rc;
    size_t len = strlen(name), slot = topo_build_slot(b, name, len);
    bool added = b->table[slot] == TOPO_NONE;
    if (added) {
        if ((rc = topo_build_grow_entities(b)) < 0)
            return rc;
        char *copy = arena_str(b->arena, name, len);
        if (!copy)
            return ERR_NOMEM;
        b->names[b->n] = copy;
        b->kinds[b->n] = (uint8_t)k;
        b->flags[b->n] = 0;
        b->attr_first[b->n] = TOPO_NONE;
        b->table[slot] = (uint32_t)b->n++;
    }
    *ret = b->table[slot];
    if (ret_new)
        *ret_new = added;
    return 0;
}

int
topo_build_edge(struct topo_build *b, topo_id from, enum relation r, topo_id to)
{
    int rc = topo_build_grow((void **)&b->edges, b->edge_count, &b->edge_cap, sizeof *b->edges,
                             TOPO_EDGES_MAX);
    if (rc < 0)
        return rc;
    b->edges[b->edge_count++] = (struct topo_raw_edge){from, to, (uint8_t)r};
    return 0;
}

static const char *
topo_build_intern(struct topo_build *b, const char *s)
{
    size_t len = strlen(s);
    char *have = map_get(b->strings, s, len);
    if (have)
        return have;
    have = arena_str(b->arena, s, len);
    return have && map_set(b->strings, s, len, have, NULL) == 0 ? have : NULL;
}

int
topo_build_attr(struct topo_build *b, topo_id id, enum topo_attr_name a, const char *value)
{
    if (!value || !*value)
        return 0;
    int rc = topo_build_grow((void **)&b->attrs, b->attr_count, &b->attr_cap, sizeof *b->attrs,
                             TOPO_EDGES_MAX);
    if (rc < 0)
        return rc;
    const char *interned = topo_build_intern(b, value);
    if (!interned)
        return ERR_NOMEM;
    b->attrs[b->attr_count] = (struct topo_attr){interned, b->attr_first[id], (uint8_t)a};
    b->attr_first[id] = (uint32_t)b->attr_count++;
    return 0;
}

const char *
topo_build_attr_get(const struct topo_build *b, topo_id id, enum topo_attr_name a)
{
    for (uint32_t i = b->attr_first[id]; i != TOPO_NONE; i = b->attrs[i].next)
        if (b->attrs[i].name == a)
            return b->attrs[i].value;
    return "";
}

int
topo_build_alias(struct topo_build *b, const char *entity, const struct label *match, size_t count)
{
    int rc = topo_build_grow((void **)&b->aliases, b->alias_count, &b->alias_cap,
                             sizeof *b->aliases, TOPO_ENTITIES_MAX);
    if (rc < 0)
        return rc;
    struct label *copy = arena_alloc(b->arena, count * sizeof *copy);
    const char *name = arena_str(b->arena, entity, strlen(entity));
    if (!copy || !name)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        copy[i] = match[i];
        copy[i].name = arena_str(b->arena, match[i].name, match[i].name_len);
        copy[i].value = arena_str(b->arena, match[i].value, match[i].value_len);
        if (!copy[i].name || !copy[i].value)
            return ERR_NOMEM;
    }
    b->aliases[b->alias_count++] = (struct topo_alias){name, copy, count, TOPO_NONE};
    return 0;
}

const char *
topo_build_bare(const struct topo_build *b, topo_id id)
{
    return strchr(b->names[id], ':') + 1;
}

static int
topo_build_optic(struct topo_build *b, topo_id end, topo_id link, uint8_t flag, const char *plane)
{
    char owner[ENTITY_SIZE];
    snprintf(owner, sizeof owner, "%s", topo_build_bare(b, end));
    char *slash = strchr(owner, '/');
    topo_id optic;
    if (!slash)
        return ERR_RANGE;
    *slash = 0;
    int rc = topo_build_add(b, ENTITY_OPTIC, owner, slash + 1, &optic, NULL);
    if (rc < 0 || (rc = topo_build_edge(b, end, RELATION_CONTAINS, optic)) < 0 ||
        (rc = topo_build_edge(b, optic, RELATION_CABLED_TO, link)) < 0 ||
        (rc = topo_build_attr(b, optic, TOPO_ATTR_PLANE, plane)) < 0)
        return rc;
    b->flags[optic] |= flag;
    return 0;
}

int
topo_build_link(struct topo_build *b, topo_id a, topo_id z, bool optic, const char *gbps,
                const char *plane, uint8_t flag, topo_id *ret)
{
    char name[ENTITY_SIZE];
    topo_id link;
    int rc = entity_link(name, topo_build_bare(b, a), topo_build_bare(b, z));
    if (rc < 0 ||
        (rc = topo_build_add(b, ENTITY_LINK, strchr(name, ':') + 1, NULL, &link, NULL)) < 0 ||
        (rc = topo_build_edge(b, a, RELATION_CABLED_TO, z)) < 0 ||
        (rc = topo_build_edge(b, a, RELATION_CABLED_TO, link)) < 0 ||
        (rc = topo_build_edge(b, z, RELATION_CABLED_TO, link)) < 0)
        return rc;
    topo_id all[] = {link, a, z};
    for (size_t i = 0; i < 3; i++)
        if ((rc = topo_build_attr(b, all[i], TOPO_ATTR_GBPS, gbps)) < 0 ||
            (rc = topo_build_attr(b, all[i], TOPO_ATTR_PLANE, plane)) < 0)
            return rc;
    if (optic && ((rc = topo_build_optic(b, a, link, flag, plane)) < 0 ||
                  (rc = topo_build_optic(b, z, link, flag, plane)) < 0))
        return rc;
    b->flags[a] |= TOPO_FLAG_CABLED;
    b->flags[z] |= TOPO_FLAG_CABLED;
    b->flags[link] |= flag;
    *ret = link;
    return 0;
}
