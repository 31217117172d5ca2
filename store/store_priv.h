/* store_priv: what the files of this floor share; callers of the store include store/store.h.
 *
 * Every part owns its own lock; none calls another part while it holds one, except the index lock,
 * which is the last to be taken. Opened in the order of the members, closed in reverse. */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include "store/store.h"

#include <stdatomic.h>

struct catalog;    /* catalog.c: catalog.db, its one write connection and mutex */
struct topo_state; /* topo*.c: the present snapshot */
struct known;      /* known.c: label sets by their sources' own bytes */
struct batch_pool; /* batch.c: memory of batches */
struct index;      /* series.c: label sets, postings, heads */
struct journal;    /* journal.c: journal.db */
struct days;       /* dayfile.c: the day files and their readers */
struct rows;       /* rows.c: events, logs and gaps that are not in a day file yet */
struct writer;     /* writer.c: the queue and the thread that commits */
struct remote;     /* remote.c: the engine elsewhere; NULL: none */
struct limits;     /* limit.c: series a source */
struct tiers;      /* tier.c: buckets of 5 minutes and an hour */
struct scrubber;   /* scrub.c: reads every page now and then */
struct flusher;    /* flush.c: the thread that fills day files */

struct store_counters { /* since open */
    atomic_uint_fast64_t samples, duplicates, too_old, refused_series, out_of_order, events, logs,
        gaps;
    atomic_uint_fast64_t commits, batches, replays, busy, full, failed, damaged, flushes,
        flush_failures, chunks, chunk_bytes;
};

struct store {
    struct store_config cfg; /* defaults filled in; folder is owned */
    struct index *index;
    struct known *known;
    struct batch_pool *batches;
    struct days *days;
    struct rows *rows;
    struct limits *limits;
    struct remote *remote;
    struct journal *journal;
    struct writer *writer;
    struct flusher *flusher;
    struct crew *crew;
    struct tiers *tiers;
    struct scrubber *scrubber;
    struct catalog *catalog;
    struct topo_state *topo;
    struct tasks *tasks;
    struct store_counters counters;
    int lock_fd; /* flock: one process a folder */
    atomic_bool ready;
};

/* Implemented by catalog.c and topo*.c. store_open calls them last, catalog first; close takes NULL
 * members. They set s->catalog and s->topo. */
int catalog_open(struct store *s, const char *folder, struct err *err);
void catalog_close(struct store *s);
int catalog_compact(struct store *s, struct err *err); /* returns free pages, cuts the WAL */
int topo_state_open(struct store *s, struct err *err);
void topo_state_close(struct store *s);

#endif
