/* known: open addressing; an entry is {half of the key, 32 more bits of it and the id}, so that a
 * reader that meets one half written sees that it is not its own. */
#include "store/known.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define KNOWN_FIRST 4096

struct known_entry {
    atomic_uint_fast64_t key, id; /* id: high half the rest of the key, low half the id; 0: empty */
};

struct known {
    pthread_rwlock_t lock; /* the table's place and size */
    struct known_entry *at;
    size_t mask, used;
};

struct known *
known_new(void)
{
    struct known *k = calloc(1, sizeof *k);
    if (!k || !(k->at = calloc(KNOWN_FIRST, sizeof *k->at))) {
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
    free(k->at);
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
    __builtin_prefetch(&k->at[key[0] & k->mask]);
}

uint64_t
known_find(const struct known *k, const uint64_t key[2])
{
    for (size_t at = key[0] & k->mask;; at = (at + 1) & k->mask) {
        uint64_t id = atomic_load_explicit(&k->at[at].id, memory_order_acquire);
        if (!id)
            return 0;
        if (id >> 32 == key[1] >> 32 &&
            atomic_load_explicit(&k->at[at].key, memory_order_relaxed) == key[0])
            return id & UINT32_MAX;
    }
}

static void
known_place(struct known_entry *table, size_t mask, uint64_t key, uint64_t id)
{
    size_t at = key & mask;
    while (atomic_load_explicit(&table[at].id, memory_order_relaxed))
        at = (at + 1) & mask;
    atomic_store_explicit(&table[at].key, key, memory_order_relaxed);
    atomic_store_explicit(&table[at].id, id, memory_order_release);
}

static int
known_grow(struct known *k)
{
    size_t size = (k->mask + 1) * 2;
    if (pthread_rwlock_trywrlock(&k->lock))
        return ERR_BUSY;
    struct known_entry *at = calloc(size, sizeof *at);
    for (size_t i = 0; at && i <= k->mask; i++)
        if (k->at[i].id)
            known_place(at, size - 1, k->at[i].key, k->at[i].id);
    if (at) {
        free(k->at);
        k->at = at;
        k->mask = size - 1;
    }
    pthread_rwlock_unlock(&k->lock);
    return at ? 0 : ERR_NOMEM;
}

void
known_put(struct known *k, const uint64_t key[2], uint64_t id)
{
    if (id > UINT32_MAX || known_find(k, key))
        return;
    /* three quarters full is when to grow, seven eighths when no more goes in */
    if (k->used * 4 >= (k->mask + 1) * 3 && known_grow(k) && k->used * 8 >= (k->mask + 1) * 7)
        return;
    known_place(k->at, k->mask, key[0], key[1] >> 32 << 32 | id);
    k->used++;
}

void
known_forget(struct known *k)
{
    pthread_rwlock_wrlock(&k->lock);
    for (size_t i = 0; i <= k->mask; i++)
        atomic_store_explicit(&k->at[i].id, 0, memory_order_relaxed);
    k->used = 0;
    pthread_rwlock_unlock(&k->lock);
}

size_t
known_bytes(const struct known *k)
{
    return (k->mask + 1) * sizeof *k->at;
}
