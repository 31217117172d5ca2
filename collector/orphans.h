/* orphans: jobs that the store holds as running and that their scheduler may no longer know: those
 * that ended while nobody looked. */
#ifndef COLLECTOR_ORPHANS_H
#define COLLECTOR_ORPHANS_H

#include "store/store.h"

/* Calls cb for each running job whose document names this scheduler. Returns how many. */
size_t orphans_each(struct store *s, const char *scheduler, void (*cb)(void *ctx, const char *id),
                    void *ctx);
/* Ends one: nobody knows how, so it has no exit code. 0 or the store's error. */
int orphans_end(struct store *s, const char *id, int64_t now_ms, const char *reason,
                struct err *err);

#endif
