/* cells: memory of the blocks of samples. Insiders only.
 *
 * Load: a cell a series, four million of them, that grows by 64 bytes every twenty samples; all of
 * a fleet grow in the order of their ids, so cells taken one after the other lie side by side and a
 * step through the series is a step through memory. Not thread-safe: all under the index's lock. */
#ifndef STORE_CELLS_H
#define STORE_CELLS_H

#include <stddef.h>

#define CELLS_UNIT 64
#define CELLS_MAX  4224 /* the largest cell */

struct cells;
struct cells *cells_new(void);
void cells_free(struct cells *c); /* and every cell */
/* Sizes are rounded up to units: cells_size tells to what. NULL: no memory. */
void *cells_take(struct cells *c, size_t size);
void cells_give(struct cells *c, void *cell, size_t size);
static inline size_t
cells_size(size_t n)
{
    return (n + CELLS_UNIT - 1) / CELLS_UNIT * CELLS_UNIT;
}

#endif
