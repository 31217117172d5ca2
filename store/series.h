/* series: the index in memory: label set -> series, label=value -> series, and each series' head.
 * Insiders only.
 *
 * Load: 4 million series of ten labels, a few hundred thousand distinct label values. A series
 * costs 64 bytes, 4 a label here and 4 a label in the postings, about 12 in the hash table, and its
 * blocks.
 *
 * Locking: the writer's thread alone changes it, under the write lock; it reads without lock.
 * Others read under the read lock. Label strings and pairs are never freed before
 * series_index_free: answers point at them.
 *
 * Ids are dense, begin at 1, and are those of the journal's registry. */
#ifndef STORE_SERIES_H
#define STORE_SERIES_H

#include "base/sample.h"
#include "store/block.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define SERIES_SEGMENT_BITS 15 /* 2 MiB: one huge page */

struct series {
    uint64_t hash[2];      /* of the canonical label bytes: its identity */
    const uint32_t *pairs; /* pair ids, by label name; NULL: a free place */
    int64_t mem_from;      /* every sample from here on is in the blocks */
    int64_t last_t;        /* newest sample; INT64_MIN: none known */
    double last_v;
    struct block *blocks; /* newest first */
    uint32_t metric;      /* pair of __name__, or SERIES_NO_PAIR */
    uint8_t pair_count;
    bool dying;     /* nothing holds it and no source is remembered for it: goes at the next round.
                       The writer's thread alone */
    bool dirty;     /* has blocks that no day file holds */
    bool forgotten; /* not in the registry: a new sample registers it again. The writer's thread
                       alone */
};
#define SERIES_NO_PAIR UINT32_MAX

struct series_name { /* a label name */
    const char *text;
    uint32_t len;
    uint32_t *pairs, count, cap; /* its values */
};
struct series_pair { /* name=value */
    uint32_t name, len;
    const char *value;
    uint32_t *ids, count, cap; /* series that bear it, ascending but for reused ids */
};

struct series_table { /* open addressing; a slot is {high half of the hash, id + 1} */
    struct series_slot {
        uint32_t tag, id;
    } * slots;
    size_t mask, used;
};

struct index {
    pthread_rwlock_t lock;
    struct series **segments;
    size_t segment_cap;
    uint64_t next_id, live; /* ids below next_id are used or in the free list */
    uint64_t max;
    uint64_t *free_ids;
    size_t free_count, free_cap;
    struct series_spare { /* places of pairs of removed series, by their number */
        uint32_t **at;
        size_t count, cap;
    } spare[LABELS_MAX + 1];
    struct series_table by_labels, by_pair, by_name;
    struct series_name *names;
    struct series_pair *pairs;
    uint32_t name_count, name_cap, pair_count, pair_cap;
    uint32_t metric_name; /* of "__name__" */
    struct series_arena {
        struct series_arena *next;
        size_t used, size;
        char data[];
    } * arena;
    size_t bytes;        /* of arena, postings and tables */
    size_t block_bytes;  /* of blocks */
    struct cells *cells; /* where blocks are */
    unsigned generation; /* blocks of former ones are sealed */
    uint64_t unflushed;  /* samples in blocks that no day file holds */
    uint64_t seed;
};

struct index *series_index_new(uint64_t max, uint64_t seed);
void series_index_free(struct index *ix);

void series_hash(const void *labels, size_t len, uint64_t seed, uint64_t ret[2]);
static inline struct series *
series_at(const struct index *ix, uint64_t id) /* id < next_id */
{
    return &ix->segments[id >> SERIES_SEGMENT_BITS][id & ((1u << SERIES_SEGMENT_BITS) - 1)];
}
/* 0 when there is none. */
uint64_t series_find(const struct index *ix, const uint64_t hash[2]);
/* Under the write lock. id 0: the next free one. The label set must not be there. Returns the id,
 * or ERR_LIMIT (max series), ERR_NOMEM, ERR_CORRUPT (label bytes), ERR_EXISTS (that id is in use).
 */
int64_t series_add(struct index *ix, uint64_t id, const void *labels, size_t len,
                   const uint64_t hash[2]);
/* Under the write lock: takes all series out that are dying and have no blocks; their ids become
 * free. Returns their number; ERR_NOMEM: nothing is done. */
int64_t series_remove_dying(struct index *ix);
/* Ids below next_id that nobody uses become free to reuse: once, after loading. */
void series_collect_free(struct index *ix);

/* UINT32_MAX: none. */
uint32_t series_name_find(const struct index *ix, const char *name, size_t len);
uint32_t series_pair_find(const struct index *ix, uint32_t name, const char *value, size_t len);
/* The value of a label of a series: its pair, or SERIES_NO_PAIR. */
uint32_t series_label(const struct index *ix, const struct series *s, uint32_t name);
/* Fills count and that many places. */
void series_labels(const struct index *ix, const struct series *s, struct labels *ret);
const char *series_metric(const struct index *ix,
                          const struct series *s); /* "" when it has no name */

#endif
