/* crew: a few threads that help whoever has work in parts: a query's series. Insiders only. */
#ifndef STORE_CREW_H
#define STORE_CREW_H

#include <stddef.h>

struct crew;
/* helpers 0: those who ask do all by themselves. NULL: no memory. Threads that cannot be started
 * are done without. */
struct crew *crew_new(unsigned helpers);
void crew_free(struct crew *c);         /* nobody may be running */
size_t crew_size(const struct crew *c); /* with the one who asks; NULL: 1 */
/* Calls fn for each part from 0 on, in no order, by the caller and by helpers who have nothing else
 * to do. Returns when all are done. */
void crew_run(struct crew *c, size_t parts, void (*fn)(void *ctx, size_t part), void *ctx);

#endif
