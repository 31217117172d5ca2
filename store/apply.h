/* apply: what a batch becomes: series ids and journal bytes before the commit, heads and rows after
 * it. On the writer's thread only. Insiders only. */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "store/batch.h"
#include "store/writer.h"

struct apply_new {
    uint64_t id;
    uint32_t off, len;
}; /* a series the journal does not know yet; labels in `labels` */
struct apply {
    struct store *store;
    uint64_t *ids; /* of the series of the batches of one group; 0: refused */
    size_t id_count, id_cap;
    struct apply_new *added;
    size_t added_count, added_cap;
    struct buf labels;
    uint64_t row0; /* next row number */
};

void apply_done(struct apply *a);
void apply_begin(struct apply *a); /* a new group */
/* Finds or makes the series (ids from *ret_first on), drops what is too old or too new, adds the
 * gaps of what it refuses, and encodes. */
int apply_encode(struct apply *a, struct store_batch *b, size_t *ret_first, struct buf *out);
/* After the commit: into memory; b->rows moves. */
int apply_commit(struct apply *a, struct store_batch *b, size_t first);
void apply_journaled(struct apply *a); /* the added series are durable */

#endif
