/* chunkcache: chunks of day files as they were last read, unpacked, so that a dashboard that asks
 * again reads no file. Thread-safe; insiders only.
 *
 * A chunk is known by its place and the first 32 bytes, its checksum among them: a place that holds
 * something else by now is another chunk. What is held is shared: it goes with the last one that
 * holds it. */
#ifndef STORE_CHUNKCACHE_H
#define STORE_CHUNKCACHE_H

#include "store/chunk.h"

#include <stdatomic.h>

struct chunk_key {
    int64_t day, row;
    uint8_t head[32];
};

struct chunk_held {
    struct chunk_reader *reader;
    int64_t min_ms, max_ms; /* of its samples */
    atomic_uint refs;
    struct chunk_key key;
    size_t bytes;
    struct chunk_held *newer, *older, *next; /* by use; in its slot. Under the cache's lock */
};
void chunk_held_drop(struct chunk_held *h); /* NULL: nothing */

struct chunkcache;
struct chunkcache *chunkcache_new(size_t max_bytes);
void chunkcache_free(struct chunkcache *c);
/* NULL: not there. The caller drops it. */
struct chunk_held *chunkcache_take(struct chunkcache *c, const struct chunk_key *key);
/* Takes the reader, also when there is no memory (then NULL). The caller drops the answer. */
struct chunk_held *chunkcache_put(struct chunkcache *c, const struct chunk_key *key,
                                  struct chunk_reader *reader, int64_t min_ms, int64_t max_ms);

#endif
