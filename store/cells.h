/* cells: memory of the blocks of samples. Insiders only.
 *
 * Load: a cell a series, four million of them, that grows by 32 bytes every ten samples; all of
 * a fleet grow in the order of their ids, so cells taken one after the other lie side by side and a
 * step through the series is a step through memory. Not thread-safe: all under the index's lock. */
#ifndef STORE_CELLS_H
#define STORE_CELLS_H

#include <stddef.h>

#define CELLS_UNIT 32
#define CELLS_MAX  4224 /* the largest cell */

/* A huge page where the kernel has one, all zero, of its own: the heap would leave holes between
 * pieces so aligned. NULL: no memory. */
#define CELLS_REGION ((size_t)2 << 20)
void *cells_region_map(void);
void cells_region_unmap(void *region); /* NULL: nothing */

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
