/* map: open addressing with linear probing over a table of 16-byte slots (hash, entry); arena: a
 * chain of blocks.
 *
 * Expected load: catalogs of 200,000 entities, label tables of a few thousand series; lookups
 * dominate. Always true: the table is at most 3/4 full counting tombstones; a slot is empty (entry
 * NULL), a tombstone (entry == map_gone) or holds one entry; an entry is one allocation with its
 * key behind it. */
#include "base/map.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct map_entry {
    void *value;
    size_t len;
    char key[]; /* 0-terminated, for map_next */
};

struct map_slot {
    uint64_t hash;
    struct map_entry *entry;
};

struct map {
    struct map_slot *slots;
    size_t size;  /* power of two, 0 before the first key */
    size_t used;  /* entries and tombstones */
    size_t count; /* entries */
    size_t max;
};

/* What a removed slot points to, so that probing goes on behind it. */
static const struct map_entry map_tombstone;
#define map_gone ((struct map_entry *)(uintptr_t)&map_tombstone)

uint64_t
map_hash(const void *key, size_t len)
{
    return hash_64(key, len, 0);
}

struct map *
map_new(size_t max)
{
    struct map *m = calloc(1, sizeof *m);
    if (m)
        m->max = max;
    return m;
}

void
map_free(struct map *m, void (*free_value)(void *))
{
    if (!m)
        return;
    for (size_t i = 0; i < m->size; i++) {
        struct map_entry *e = m->slots[i].entry;
        if (!e || e == map_gone)
            continue;
        if (free_value)
            free_value(e->value);
        free(e);
    }
    free(m->slots);
    free(m);
}

static struct map_slot *
map_slot_find(const struct map *m, const void *key, size_t len, uint64_t hash)
{
    if (!m->size)
        return NULL;
    size_t mask = m->size - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &m->slots[i];
        if (!s->entry)
            return NULL;
        if (s->hash == hash && s->entry != map_gone && s->entry->len == len &&
            (!len || !memcmp(s->entry->key, key, len)))
            return s;
    }
}

void *
map_get(const struct map *m, const void *key, size_t len)
{
    struct map_slot *s = map_slot_find(m, key, len, map_hash(key, len));
    return s ? s->entry->value : NULL;
}

static void
map_slot_put(struct map_slot *slots, size_t size, uint64_t hash, struct map_entry *e)
{
    size_t mask = size - 1, i = hash & mask;
    while (slots[i].entry)
        i = (i + 1) & mask;
    slots[i] = (struct map_slot){hash, e};
}

/* Makes room for one more key; drops tombstones. */
static int
map_grow(struct map *m)
{
    if (m->used + 1 <= m->size / 4 * 3)
        return 0;
    size_t size = 16;
    while (size / 2 <= m->count)
        size *= 2;
    struct map_slot *slots = calloc(size, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].entry && m->slots[i].entry != map_gone)
            map_slot_put(slots, size, m->slots[i].hash, m->slots[i].entry);
    free(m->slots);
    m->slots = slots;
    m->size = size;
    m->used = m->count;
    return 0;
}

int
map_set(struct map *m, const void *key, size_t len, void *value, void **ret_old)
{
    uint64_t hash = map_hash(key, len);
    struct map_slot *s = map_slot_find(m, key, len, hash);
    if (s) {
        if (ret_old)
            *ret_old = s->entry->value;
        s->entry->value = value;
        return 0;
    }
    if (m->count >= m->max)
        return ERR_LIMIT;
    int rc = map_grow(m);
    if (rc)
        return rc;
    struct map_entry *e = malloc(sizeof *e + len + 1);
    if (!e)
        return ERR_NOMEM;
    e->value = value;
    e->len = len;
    if (len)
        memcpy(e->key, key, len);
    e->key[len] = 0;
    map_slot_put(m->slots, m->size, hash, e);
    m->used++;
    m->count++;
    if (ret_old)
        *ret_old = NULL;
    return 0;
}

void *
map_remove(struct map *m, const void *key, size_t len)
{
    struct map_slot *s = map_slot_find(m, key, len, map_hash(key, len));
    if (!s)
        return NULL;
    void *value = s->entry->value;
    free(s->entry);
    s->entry = map_gone;
    m->count--;
    return value;
}

size_t
map_count(const struct map *m)
{
    return m->count;
}

const char *
map_next(const struct map *m, size_t *pos, size_t *ret_len, void **ret_value)
{
    while (*pos < m->size) {
        const struct map_entry *e = m->slots[(*pos)++].entry;
        if (!e || e == map_gone)
            continue;
        if (ret_len)
            *ret_len = e->len;
        if (ret_value)
            *ret_value = e->value;
        return e->key;
    }
    return NULL;
}

/* Blocks double from 4 KiB to 1 MiB, so that a small arena is small and a big one makes few calls.
 */
#define ARENA_BLOCK_MIN 4096u
#define ARENA_BLOCK_MAX (1024u * 1024u)

struct arena_block {
    struct arena_block *next; /* the one before this in time */
    size_t size, used;
    _Alignas(16) char data[];
};

struct arena {
    struct arena_block *top;
    size_t used, max;
};

struct arena *
arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a)
        a->max = max;
    return a;
}

static struct arena_block *
arena_block_new(struct arena *a, size_t n)
{
    size_t size = a->top ? a->top->size * 2 : ARENA_BLOCK_MIN;
    if (size > ARENA_BLOCK_MAX)
        size = ARENA_BLOCK_MAX;
    if (size < n)
        size = n;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->next = a->top;
    b->size = size;
    b->used = 0;
    a->top = b;
    return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
    if (n > a->max)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    if (n > a->max - a->used)
        return NULL;
    struct arena_block *b = a->top;
    if (!b || n > b->size - b->used)
        b = arena_block_new(a, n);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += n;
    a->used += n;
    return memset(p, 0, n);
}

char *
arena_str(struct arena *a, const char *s, size_t len)
{
    char *p = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;
    if (p && len)
        memcpy(p, s, len);
    return p;
}

size_t
arena_used(const struct arena *a)
{
    return a->used;
}

void
arena_reset(struct arena *a)
{
    struct arena_block *b = a->top;
    while (b && b->next) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    if (b)
        b->used = 0;
    a->top = b;
    a->used = 0;
}

void
arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    free(a->top);
    free(a);
}
