/* series: the tables of the index. Everything is found by hash; a series' identity is 128 bits of
 * XXH3, seeded per store, so that one cache line decides and two label sets do not meet by chance
 * or by design. */
#include "store/series.h"

#include "base/hash.h"
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct series) << SERIES_SEGMENT_BITS == CELLS_REGION,
               "a segment is a region");

#define SERIES_ARENA_BLOCK ((size_t)1 << 20)
#define SERIES_NAMES_MAX   65536u
#define SERIES_IDS_MAX     ((uint64_t)UINT32_MAX - 2)

static void *
series_arena_alloc(struct index *ix, size_t n, size_t align)
{
    struct series_arena *a = ix->arena;
    size_t at = a ? (a->used + align - 1) & ~(align - 1) : 0;
    if (!a || at + n > a->size) {
        size_t size = n > SERIES_ARENA_BLOCK ? n : SERIES_ARENA_BLOCK;
        a = malloc(sizeof *a + size);
        if (!a)
            return NULL;
        *a = (struct series_arena){.next = ix->arena, .size = size};
        ix->arena = a;
        ix->bytes += sizeof *a + size;
        at = 0;
    }
    a->used = at + n;
    return a->data + at;
}

static const char *
series_arena_text(struct index *ix, const char *s, size_t len)
{
    char *p = series_arena_alloc(ix, len + 1, 1);
    if (!p)
        return NULL;
    memcpy(p, s, len);
    p[len] = 0;
    return p;
}

/* --- hash tables ------------------------------------------------------------------------------ */

static int
series_table_grow(struct index *ix, struct series_table *t,
                  uint64_t (*hash_of)(const struct index *, uint32_t))
{
    if (t->slots && t->used * 4 < (t->mask + 1) * 3)
        return 0;
    size_t size = t->slots ? (t->mask + 1) * 2 : 1024;
    struct series_slot *slots = calloc(size, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    for (size_t i = 0; t->slots && i <= t->mask; i++) {
        if (!t->slots[i].id)
            continue;
        size_t at = hash_of(ix, t->slots[i].id - 1) & (size - 1);
        while (slots[at].id)
            at = (at + 1) & (size - 1);
        slots[at] = t->slots[i];
    }
    ix->bytes += (size - (t->slots ? t->mask + 1 : 0)) * sizeof *slots;
    free(t->slots);
    t->slots = slots;
    t->mask = size - 1;
    return 0;
}

static void
series_table_put(struct series_table *t, uint64_t hash, uint32_t id)
{
    size_t at = hash & t->mask;
    while (t->slots[at].id)
        at = (at + 1) & t->mask;
    t->slots[at] = (struct series_slot){(uint32_t)(hash >> 32), id + 1};
    t->used++;
}

/* Walks the slots with this hash's tag: start with *pos = hash; UINT32_MAX at the end. */
static uint32_t
series_table_next(const struct series_table *t, uint64_t hash, size_t *pos)
{
    if (!t->slots)
        return UINT32_MAX;
    for (size_t at = *pos & t->mask;; at = (at + 1) & t->mask) {
        if (!t->slots[at].id)
            return UINT32_MAX;
        if (t->slots[at].tag != (uint32_t)(hash >> 32))
            continue;
        *pos = at + 1;
        return t->slots[at].id - 1;
    }
}

static uint64_t
series_hash_of_series(const struct index *ix, uint32_t id)
{
    return series_at(ix, id)->hash[0];
}

static uint64_t
series_hash_name(const struct index *ix, const char *s, size_t len)
{
    return hash_64(s, len, ix->seed);
}

static uint64_t
series_hash_of_name(const struct index *ix, uint32_t id)
{
    return series_hash_name(ix, ix->names[id].text, ix->names[id].len);
}

static uint64_t
series_hash_pair(const struct index *ix, uint32_t name, const char *s, size_t len)
{
    return hash_64(s, len, ix->seed + 0x9e3779b97f4a7c15u * (name + 1));
}

static uint64_t
series_hash_of_pair(const struct index *ix, uint32_t id)
{
    return series_hash_pair(ix, ix->pairs[id].name, ix->pairs[id].value, ix->pairs[id].len);
}

/* --- names and pairs -------------------------------------------------------------------------- */

static int
series_u32_push(struct index *ix, uint32_t **at, uint32_t *count, uint32_t *cap, uint32_t v)
{
    if (*count == *cap) {
        /* long lists are most of the memory: they grow by an eighth */
        uint32_t n = *cap < 2 ? *cap + 1 : *cap + *cap / (*cap < 1024 ? 2 : 8);
        uint32_t *p = realloc(*at, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        ix->bytes += (n - *cap) * sizeof *p;
        *at = p;
        *cap = n;
    }
    (*at)[(*count)++] = v;
    return 0;
}

uint32_t
series_name_find(const struct index *ix, const char *name, size_t len)
{
    uint64_t h = series_hash_name(ix, name, len);
    size_t pos = h;
    for (uint32_t id; (id = series_table_next(&ix->by_name, h, &pos)) != UINT32_MAX;)
        if (ix->names[id].len == len && !memcmp(ix->names[id].text, name, len))
            return id;
    return UINT32_MAX;
}

uint32_t
series_pair_find(const struct index *ix, uint32_t name, const char *value, size_t len)
{
    uint64_t h = series_hash_pair(ix, name, value, len);
    size_t pos = h;
    for (uint32_t id; (id = series_table_next(&ix->by_pair, h, &pos)) != UINT32_MAX;) {
        const struct series_pair *p = &ix->pairs[id];
        if (p->name == name && p->len == len && !memcmp(p->value, value, len))
            return id;
    }
    return SERIES_NO_PAIR;
}

static int
series_array_grow(struct index *ix, void **at, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return 0;
    uint32_t n = *cap ? *cap + *cap / 2 : 256;
    void *p = realloc(*at, n * size);
    if (!p)
        return ERR_NOMEM;
    ix->bytes += (n - *cap) * size;
    *at = p;
    *cap = n;
    return 0;
}

static int
series_name_take(struct index *ix, const char *name, size_t len, uint32_t *ret)
{
    *ret = series_name_find(ix, name, len);
    if (*ret != UINT32_MAX)
        return 0;
    if (ix->name_count >= SERIES_NAMES_MAX)
        return ERR_LIMIT;
    const char *text = series_arena_text(ix, name, len);
    if (!text ||
        series_array_grow(ix, (void **)&ix->names, ix->name_count, &ix->name_cap,
                          sizeof *ix->names) ||
        series_table_grow(ix, &ix->by_name, series_hash_of_name))
        return ERR_NOMEM;
    *ret = ix->name_count++;
    ix->names[*ret] = (struct series_name){.text = text, .len = (uint32_t)len};
    series_table_put(&ix->by_name, series_hash_name(ix, name, len), *ret);
    return 0;
}

static int
series_pair_take(struct index *ix, const struct label *l, uint32_t *ret)
{
    uint32_t name;
    int rc = series_name_take(ix, l->name, l->name_len, &name);
    if (rc)
        return rc;
    *ret = series_pair_find(ix, name, l->value, l->value_len);
    if (*ret != SERIES_NO_PAIR)
        return 0;
    const char *text = series_arena_text(ix, l->value, l->value_len);
    if (!text || ix->pair_count >= SERIES_IDS_MAX ||
        series_array_grow(ix, (void **)&ix->pairs, ix->pair_count, &ix->pair_cap,
                          sizeof *ix->pairs) ||
        series_table_grow(ix, &ix->by_pair, series_hash_of_pair))
        return ERR_NOMEM;
    struct series_name *n = &ix->names[name];
    rc = series_u32_push(ix, &n->pairs, &n->count, &n->cap, ix->pair_count);
    if (rc)
        return rc;
    *ret = ix->pair_count++;
    ix->pairs[*ret] = (struct series_pair){.name = name, .len = l->value_len, .value = text};
    series_table_put(&ix->by_pair, series_hash_pair(ix, name, l->value, l->value_len), *ret);
    return 0;
}

/* --- series ----------------------------------------------------------------------------------- */

void
series_hash(const void *labels, size_t len, uint64_t seed, uint64_t ret[2])
{
    hash_128(labels, len, seed, ret);
}

uint64_t
series_find(const struct index *ix, const uint64_t hash[2])
{
    size_t pos = hash[0];
    for (uint32_t id; (id = series_table_next(&ix->by_labels, hash[0], &pos)) != UINT32_MAX;) {
        const struct series *s = series_at(ix, id);
        if (s->hash[0] == hash[0] && s->hash[1] == hash[1])
            return id;
    }
    return 0;
}

static int
series_place(struct index *ix, uint64_t id) /* makes room up to id */
{
    size_t segment = id >> SERIES_SEGMENT_BITS;
    if (segment >= ix->segment_cap) {
        size_t n = ix->segment_cap ? ix->segment_cap : 64;
        while (n <= segment)
            n *= 2;
        struct series **p = realloc(ix->segments, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        memset(p + ix->segment_cap, 0, (n - ix->segment_cap) * sizeof *p);
        ix->segments = p;
        ix->segment_cap = n;
    }
    for (size_t i = ix->next_id >> SERIES_SEGMENT_BITS; i <= segment; i++) {
        if (ix->segments[i])
            continue;
        if (!(ix->segments[i] = cells_region_map())) /* a series is one cache line */
            return ERR_NOMEM;
        ix->bytes += sizeof(struct series) << SERIES_SEGMENT_BITS;
    }
    if (id >= ix->next_id)
        ix->next_id = id + 1;
    return 0;
}

static int
series_take_pairs(struct index *ix, const struct labels *l, uint32_t *pairs)
{
    for (size_t i = 0; i < l->count; i++) {
        int rc = series_pair_take(ix, &l->at[i], &pairs[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int
series_post(struct index *ix, const uint32_t *pairs, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++) {
        struct series_pair *p = &ix->pairs[pairs[i]];
        int rc = series_u32_push(ix, &p->ids, &p->count, &p->cap, (uint32_t)id);
        while (rc && i > 0)
            ix->pairs[pairs[--i]].count--;
        if (rc)
            return rc;
    }
    return 0;
}

int64_t
series_add(struct index *ix, uint64_t id, const void *labels, size_t len, const uint64_t hash[2])
{
    struct labels l;
    uint32_t pairs[LABELS_MAX];
    int rc = record_take_labels(labels, len, &l);
    if (rc)
        return rc;
    if (ix->live >= ix->max)
        return ERR_LIMIT;
    bool reuse = !id && ix->free_count;
    if (!id)
        id = reuse ? ix->free_ids[ix->free_count - 1] : ix->next_id;
    if (id > SERIES_IDS_MAX)
        return ERR_LIMIT;
    if (id < ix->next_id && series_at(ix, id)->pairs)
        return ERR_EXISTS;
    rc = series_take_pairs(ix, &l, pairs);
    struct series_spare *spare = &ix->spare[l.count];
    uint32_t *kept = rc             ? NULL
                     : spare->count ? spare->at[--spare->count]
                                    : series_arena_alloc(ix, (l.count ? l.count : 1) * sizeof *kept,
                                                         sizeof *kept);
    if (!kept || series_table_grow(ix, &ix->by_labels, series_hash_of_series) ||
        series_place(ix, id) || series_post(ix, pairs, l.count, id))
        return rc ? rc : ERR_NOMEM;
    memcpy(kept, pairs, l.count * sizeof *kept);
    struct series *s = series_at(ix, id);
    *s = (struct series){.hash = {hash[0], hash[1]},
                         .pairs = kept,
                         .pair_count = (uint8_t)l.count,
                         .mem_from = INT64_MIN,
                         .last_t = INT64_MIN,
                         .metric = SERIES_NO_PAIR};
    s->metric = series_label(ix, s, ix->metric_name);
    series_table_put(&ix->by_labels, hash[0], (uint32_t)id);
    ix->live++;
    if (reuse)
        ix->free_count--;
    return (int64_t)id;
}

void
series_collect_free(struct index *ix)
{
    size_t n = 0;
    for (uint64_t id = 1; id < ix->next_id; id++)
        n += !series_at(ix, id)->pairs;
    free(ix->free_ids);
    ix->free_count = 0;
    ix->free_ids = n ? malloc(n * sizeof *ix->free_ids) : NULL;
    ix->free_cap = ix->free_ids ? n : 0;
    for (uint64_t id = ix->next_id; ix->free_ids && id-- > 1;)
        if (!series_at(ix, id)->pairs)
            ix->free_ids[ix->free_count++] = id;
}

/* --- removing --------------------------------------------------------------------------------- */

static bool
series_marked(const uint64_t *marks, uint64_t id)
{
    return marks[id / 64] >> (id % 64) & 1;
}

/* Takes the id out and moves what followed it up, so that no search ends early. */
static void
series_table_remove(struct index *ix, struct series_table *t, uint64_t hash, uint32_t id)
{
    size_t at = hash & t->mask;
    while (t->slots[at].id != id + 1)
        at = (at + 1) & t->mask;
    for (size_t next = (at + 1) & t->mask; t->slots[next].id; next = (next + 1) & t->mask) {
        size_t home = series_hash_of_series(ix, t->slots[next].id - 1) & t->mask;
        if (((next - home) & t->mask) < ((next - at) & t->mask))
            continue; /* it may not go before its own place */
        t->slots[at] = t->slots[next];
        at = next;
    }
    t->slots[at] = (struct series_slot){0, 0};
    t->used--;
}

static void
series_unpost(struct index *ix, const uint64_t *marks)
{
    for (uint32_t i = 0; i < ix->pair_count; i++) {
        struct series_pair *p = &ix->pairs[i];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < p->count; k++)
            if (!series_marked(marks, p->ids[k]))
                p->ids[kept++] = p->ids[k];
        p->count = kept;
        if (kept >= p->cap / 2)
            continue;
        uint32_t *less = kept ? realloc(p->ids, kept * sizeof *less) : NULL;
        if (kept && !less)
            continue;
        if (!kept)
            free(p->ids);
        ix->bytes -= (p->cap - kept) * sizeof *p->ids;
        p->ids = less;
        p->cap = kept;
    }
}

/* Room for the id and the pairs of every marked series. */
static int
series_spare_room(struct index *ix, size_t n)
{
    uint64_t *ids = realloc(ix->free_ids, (ix->free_count + n) * sizeof *ids);
    if (!ids)
        return ERR_NOMEM;
    ix->free_ids = ids;
    ix->free_cap = ix->free_count + n;
    return 0;
}

static void
series_spare_put(struct index *ix, const uint32_t *pairs, unsigned count)
{
    struct series_spare *s = &ix->spare[count];
    if (s->count == s->cap) {
        size_t n = s->cap ? s->cap * 2 : 64;
        uint32_t **p = realloc(s->at, n * sizeof *p);
        if (!p)
            return; /* its place is lost until the index is freed */
        s->at = p;
        s->cap = n;
    }
    s->at[s->count++] = (uint32_t *)(uintptr_t)pairs;
}

int64_t
series_remove_dying(struct index *ix)
{
    size_t n = 0;
    uint64_t *marks = calloc(ix->next_id / 64 + 1, sizeof *marks);
    if (!marks)
        return ERR_NOMEM;
    for (uint64_t id = 1; id < ix->next_id; id++) {
        const struct series *s = series_at(ix, id);
        if (!s->pairs || !s->dying || !s->forgotten || s->blocks)
            continue;
        marks[id / 64] |= (uint64_t)1 << (id % 64);
        n++;
    }
    if (n && series_spare_room(ix, n)) {
        free(marks);
        return ERR_NOMEM;
    }
    if (n)
        series_unpost(ix, marks);
    for (uint64_t id = ix->next_id; n && id-- > 1;) {
        struct series *s = series_at(ix, id);
        if (!series_marked(marks, id))
            continue;
        series_table_remove(ix, &ix->by_labels, s->hash[0], (uint32_t)id);
        series_spare_put(ix, s->pairs, s->pair_count);
        memset(s, 0, sizeof *s);
        ix->free_ids[ix->free_count++] = id;
        ix->live--;
    }
    free(marks);
    return (int64_t)n;
}

uint32_t
series_label(const struct index *ix, const struct series *s, uint32_t name)
{
    for (unsigned i = 0; i < s->pair_count; i++)
        if (ix->pairs[s->pairs[i]].name == name)
            return s->pairs[i];
    return SERIES_NO_PAIR;
}

void
series_labels(const struct index *ix, const struct series *s, struct labels *ret)
{
    ret->count = s->pair_count;
    for (unsigned i = 0; i < s->pair_count; i++) {
        const struct series_pair *p = &ix->pairs[s->pairs[i]];
        const struct series_name *n = &ix->names[p->name];
        ret->at[i] = (struct label){n->text, p->value, n->len, p->len};
    }
}

const char *
series_metric(const struct index *ix, const struct series *s)
{
    return s->metric == SERIES_NO_PAIR ? "" : ix->pairs[s->metric].value;
}

struct index *
series_index_new(uint64_t max, uint64_t seed)
{
    struct index *ix = calloc(1, sizeof *ix);
    if (!ix)
        return NULL;
    pthread_rwlockattr_t a;
    pthread_rwlockattr_init(&a);
    /* the writer's thread must not starve behind dashboards */
    pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&ix->lock, &a);
    pthread_rwlockattr_destroy(&a);
    ix->max = max;
    ix->seed = seed;
    ix->next_id = 1;
    if (!(ix->cells = cells_new()) || series_place(ix, 0) ||
        series_name_take(ix, "__name__", 8, &ix->metric_name)) {
        series_index_free(ix);
        return NULL;
    }
    return ix;
}

void
series_index_free(struct index *ix)
{
    if (!ix)
        return;
    for (size_t i = 0; i < ix->segment_cap; i++)
        cells_region_unmap(ix->segments[i]);
    cells_free(ix->cells);
    for (uint32_t i = 0; i < ix->pair_count; i++)
        free(ix->pairs[i].ids);
    for (uint32_t i = 0; i < ix->name_count; i++)
        free(ix->names[i].pairs);
    for (struct series_arena *a = ix->arena, *next; a; a = next) {
        next = a->next;
        free(a);
    }
    free(ix->by_labels.slots);
    free(ix->by_pair.slots);
    free(ix->by_name.slots);
    free(ix->names);
    free(ix->pairs);
    free(ix->segments);
    free(ix->free_ids);
    for (size_t i = 0; i <= LABELS_MAX; i++)
        free(ix->spare[i].at);
    pthread_rwlock_destroy(&ix->lock);
    free(ix);
}
