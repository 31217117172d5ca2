/* batch: what producers fill and the writer takes. Insiders only; callers see store/store.h. */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "store/store.h"

#define BATCH_BYTES_MAX ((size_t)64 << 20) /* one batch; a producer commits and begins another */

struct batch_series {
    uint32_t id;           /* known to be this series; 0: not known */
    uint32_t first, count; /* of batch.samples */
    uint32_t set;          /* of batch.sets: its labels; UINT32_MAX: it came without */
};

struct batch_set { /* a set of labels */
    uint64_t hash[2];
    uint32_t off, len; /* canonical bytes in batch.labels */
};

struct batch_key { /* a set of labels as its source writes it, to be known from now on */
    uint64_t key[2];
    uint32_t series; /* of the batch */
    uint32_t len;    /* of the source's bytes; 0: not told */
};

struct store_batch {
    struct store *store;
    struct store_batch *next; /* in the writer's queue */
    struct buf labels, rows;  /* canonical label sets; rows as store/record.h says */
    struct batch_series *series;
    size_t series_count, series_cap;
    struct batch_set *sets;
    size_t set_count, set_cap;
    struct sample *samples;
    size_t sample_count, sample_cap;
    struct batch_key *keys;
    size_t key_count, key_cap;
    uint64_t missed[2], key_seed;
    size_t missed_len;
    bool has_missed, holds; /* the series next given has the key `missed`; holds store.known */
    uint32_t place;         /* of the set that likely comes next; UINT32_MAX: nobody can say */
    uint32_t events, logs, gaps;
    bool urgent; /* holds a critical event: shed last */
    char *tenant, *source, *origin;
    uint64_t epoch, sequence;

    store_committed *cb; /* writer's side */
    void *ctx;
    struct store_commit_result result;
    int rc;
    uint64_t number, row0; /* journal number and first row, once encoded */
};

void batch_release(struct store_batch *b); /* nothing more is asked of what is known */
/* Gives a series of the batch its labels, in canonical bytes. */
int batch_label(struct store_batch *b, struct batch_series *bs, const struct labels *l);

/* Emptied batches that keep their memory: a batch of 5,000 samples is 160 KB that else would be
 * mapped and unmapped each time. */
struct batch_pool;
struct batch_pool *batch_pool_new(void);
void batch_pool_free(struct batch_pool *p);

#endif
