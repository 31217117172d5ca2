/* chunkcache: a table and a list by use. What was used longest ago goes first. */
#include "store/chunkcache.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHUNKCACHE_SLOTS 4096 /* a chunk unpacked is about 200 KB */

struct chunkcache {
    pthread_mutex_t lock;
    size_t bytes, max;
    struct chunk_held *newest, *oldest, *slots[CHUNKCACHE_SLOTS];
};

struct chunkcache *
chunkcache_new(size_t max_bytes)
{
    struct chunkcache *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->max = max_bytes;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void
chunk_held_drop(struct chunk_held *h)
{
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    chunk_reader_free(h->reader);
    free(h);
}

static struct chunk_held **
chunkcache_slot(struct chunkcache *c, const struct chunk_key *key)
{
    return &c->slots[hash_64(key, sizeof *key, 0) % CHUNKCACHE_SLOTS];
}

static void
chunkcache_unlink(struct chunkcache *c, struct chunk_held *h)
{
    *(h->newer ? &h->newer->older : &c->newest) = h->older;
    *(h->older ? &h->older->newer : &c->oldest) = h->newer;
}

static void
chunkcache_link(struct chunkcache *c, struct chunk_held *h)
{
    h->newer = NULL;
    h->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = h;
    c->newest = h;
}

static void
chunkcache_forget(struct chunkcache *c, struct chunk_held *h)
{
    struct chunk_held **at = chunkcache_slot(c, &h->key);
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    chunkcache_unlink(c, h);
    c->bytes -= h->bytes;
    chunk_held_drop(h);
}

void
chunkcache_free(struct chunkcache *c)
{
    if (!c)
        return;
    while (c->oldest)
        chunkcache_forget(c, c->oldest);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct chunk_held *
chunkcache_find(struct chunkcache *c, const struct chunk_key *key)
{
    struct chunk_held *h = *chunkcache_slot(c, key);
    while (h && memcmp(&h->key, key, sizeof *key))
        h = h->next;
    return h;
}

struct chunk_held *
chunkcache_take(struct chunkcache *c, const struct chunk_key *key)
{
    pthread_mutex_lock(&c->lock);
    struct chunk_held *h = chunkcache_find(c, key);
    if (h) {
        chunkcache_unlink(c, h);
        chunkcache_link(c, h);
        h->refs++;
    }
    pthread_mutex_unlock(&c->lock);
    return h;
}

struct chunk_held *
chunkcache_put(struct chunkcache *c, const struct chunk_key *key, struct chunk_reader *reader,
               int64_t min_ms, int64_t max_ms)
{
    struct chunk_held *h = calloc(1, sizeof *h);
    if (!h) {
        chunk_reader_free(reader);
        return NULL;
    }
    h->reader = reader;
    h->min_ms = min_ms;
    h->max_ms = max_ms;
    h->key = *key;
    h->refs = 1;
    h->bytes = sizeof *h + chunk_reader_bytes(reader);
    pthread_mutex_lock(&c->lock);
    if (h->bytes <= c->max && !chunkcache_find(c, key)) { /* another may have read it meanwhile */
        while (c->oldest && c->bytes + h->bytes > c->max)
            chunkcache_forget(c, c->oldest);
        struct chunk_held **slot = chunkcache_slot(c, key);
        h->next = *slot;
        *slot = h;
        h->refs++;
        chunkcache_link(c, h);
        c->bytes += h->bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return h;
}
