/* registry: which id means which label set, in the journal as blocks of labels: a segment is the
 * 1,024 ids with the same high bits, told by one block once it was tidied, and by a few more while
 * series come. All on the writer's thread. Insiders only. */
#ifndef STORE_REGISTRY_H
#define STORE_REGISTRY_H

#include "store/apply.h"
#include "store/journal.h"
#include "store/store_priv.h"

/* Within a transaction of the journal: the series of a group. */
int registry_add(struct journal *j, const struct apply_new *added, size_t n,
                 const struct buf *labels, struct err *err);
/* Within a transaction: tells a segment anew from the index, without what is forgotten. */
int registry_rewrite(struct store *s, uint64_t segment, struct err *err);
/* Makes one block of each segment that has several. Runs on the caller's thread, a few segments a
 * turn of the writer. */
int registry_tidy(struct store *s, struct err *err);

#endif
