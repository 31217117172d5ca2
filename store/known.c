/* known: entries in the order in which they came, in segments that never move, and an
 * open-addressed table of their places. An entry is whole before the table and the count tell of
 * it, and does not change until known_forget, which waits for all who hold. */
#include "store/known.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define KNOWN_FIRST        4096 /* slots */
#define KNOWN_SEGMENT_BITS 12
#define KNOWN_SEGMENT      (1u << KNOWN_SEGMENT_BITS)
#define KNOWN_SEGMENTS     4096 /* 16 million sets; those beyond are read each time */

struct known_segment {
    struct known_entry {
        uint64_t key;
        uint32_t id;
        uint16_t rest, len; /* rest: the highest bits of the key's second word; len: of the set */
    } at[KNOWN_SEGMENT];
};

struct known {
    pthread_rwlock_t lock;  /* the table's place and size */
    _Atomic uint32_t *slot; /* place + 1; 0: empty */
    size_t mask;
    _Atomic uint32_t used;
    struct known_segment *segments[KNOWN_SEGMENTS];
};

static const struct known_entry *
known_entry(const struct known *k, uint32_t place)
{
    return &k->segments[place >> KNOWN_SEGMENT_BITS]->at[place & (KNOWN_SEGMENT - 1)];
}

struct known *
known_new(void)
{
    struct known *k = calloc(1, sizeof *k);
    if (!k || !(k->slot = calloc(KNOWN_FIRST, sizeof *k->slot))) {
        free(k);
        return NULL;
    }
    k->mask = KNOWN_FIRST - 1;
    pthread_rwlock_init(&k->lock, NULL);
    return k;
}

void
known_free(struct known *k)
{
    if (!k)
        return;
    pthread_rwlock_destroy(&k->lock);
    for (size_t i = 0; i < KNOWN_SEGMENTS; i++)
        free(k->segments[i]);
    free(k->slot);
    free(k);
}

void
known_hold(struct known *k)
{
    pthread_rwlock_rdlock(&k->lock);
}

void
known_release(struct known *k)
{
    pthread_rwlock_unlock(&k->lock);
}

void
known_prefetch(const struct known *k, const uint64_t key[2])
{
    __builtin_prefetch(&k->slot[key[0] & k->mask]);
}

uint64_t
known_find(const struct known *k, const uint64_t key[2], uint32_t *ret_place)
{
    uint32_t v;
    for (size_t at = key[0] & k->mask;; at = (at + 1) & k->mask) {
        if (!(v = (uint32_t)atomic_load_explicit(&k->slot[at], memory_order_acquire)))
            return 0;
        const struct known_entry *e = known_entry(k, v - 1);
        if (e->key == key[0] && e->rest == key[1] >> 48) {
            *ret_place = v - 1;
            return e->id;
        }
    }
}

uint64_t
known_at(const struct known *k, uint32_t place, const uint64_t key[2])
{
    if (place >= atomic_load_explicit(&k->used, memory_order_acquire))
        return 0;
    const struct known_entry *e = known_entry(k, place);
    return e->key == key[0] && e->rest == key[1] >> 48 ? e->id : 0;
}

size_t
known_len(const struct known *k, uint32_t place)
{
    if (place >= atomic_load_explicit(&k->used, memory_order_acquire))
        return 0;
    return known_entry(k, place)->len;
}

static void
known_place(_Atomic uint32_t *slot, size_t mask, uint64_t key, uint32_t place)
{
    size_t at = key & mask;
    while (atomic_load_explicit(&slot[at], memory_order_relaxed))
        at = (at + 1) & mask;
    atomic_store_explicit(&slot[at], place + 1, memory_order_release);
}

static int
known_grow(struct known *k)
{
    size_t size = (k->mask + 1) * 2;
    if (pthread_rwlock_trywrlock(&k->lock))
        return ERR_BUSY;
    _Atomic uint32_t *slot = calloc(size, sizeof *slot);
    for (uint32_t i = 0; slot && i < k->used; i++)
        known_place(slot, size - 1, known_entry(k, i)->key, i);
    if (slot) {
        free(k->slot);
        k->slot = slot;
        k->mask = size - 1;
    }
    pthread_rwlock_unlock(&k->lock);
    return slot ? 0 : ERR_NOMEM;
}

void
known_put(struct known *k, const uint64_t key[2], size_t len, uint64_t id)
{
    uint32_t place = (uint32_t)k->used;
    if (id > UINT32_MAX || place == KNOWN_SEGMENTS * KNOWN_SEGMENT || known_find(k, key, &place))
        return;
    /* three quarters full is when to grow, seven eighths when no more goes in */
    if ((size_t)place * 4 >= (k->mask + 1) * 3 && known_grow(k) &&
        (size_t)place * 8 >= (k->mask + 1) * 7)
        return;
    struct known_segment **segment = &k->segments[place >> KNOWN_SEGMENT_BITS];
    if (!*segment && !(*segment = malloc(sizeof **segment)))
        return;
    (*segment)->at[place & (KNOWN_SEGMENT - 1)] = (struct known_entry){
        key[0], (uint32_t)id, (uint16_t)(key[1] >> 48), len > UINT16_MAX ? 0 : (uint16_t)len};
    known_place(k->slot, k->mask, key[0], place);
    atomic_store_explicit(&k->used, place + 1, memory_order_release);
}

void
known_forget(struct known *k)
{
    pthread_rwlock_wrlock(&k->lock);
    for (size_t i = 0; i <= k->mask; i++)
        atomic_store_explicit(&k->slot[i], 0, memory_order_relaxed);
    k->used = 0;
    pthread_rwlock_unlock(&k->lock);
}

size_t
known_bytes(const struct known *k)
{
    size_t segments = ((size_t)k->used + KNOWN_SEGMENT - 1) >> KNOWN_SEGMENT_BITS;
    return (k->mask + 1) * sizeof *k->slot + segments * sizeof(struct known_segment);
}
