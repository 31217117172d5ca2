/* merge: makes few large chunks of the many small ones that fills leave in a slot. Under the
 * flusher's lock. Insiders only. */
#ifndef STORE_MERGE_H
#define STORE_MERGE_H

#include "store/dayfile.h"

/* One transaction's worth of work in the file of that day, on slots that end before the time: 1
 * when there may be more, 0 when all is merged. What a crash interrupts is undone whole. Chunks
 * that cannot be read stay as they are and are counted in *ret_damaged. */
int merge_day(struct days *d, int64_t day, int64_t before_ms, uint64_t *ret_damaged,
              struct err *err);

#endif
