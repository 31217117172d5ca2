/* slabs: memory for an answer's rows, given in order and freed at once. Insiders only. */
#ifndef STORE_SLABS_H
#define STORE_SLABS_H

#include <stddef.h>

struct slab;
struct slabs {
    struct slab *top;
};
/* 16-aligned, not zeroed. A whole struct labels may be read behind the start of any piece. NULL: no
 * memory. */
void *slabs_alloc(struct slabs *s, size_t n);
void slabs_done(struct slabs *s);
void slabs_join(struct slabs *into, struct slabs *from); /* from is empty afterwards */

#endif
