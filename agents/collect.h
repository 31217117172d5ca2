/* collect: runs the probes that are due, each into a snapshot of its own that the others may read
 * meanwhile. */
#ifndef AGENTS_COLLECT_H
#define AGENTS_COLLECT_H

#include "agents/snap.h"
#include "base/conf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct collect;
/* root "" is this machine's own. disable, nvml, dcmi, helper may be NULL. */
int collect_new(const char *root, const char *node, const struct conf_strs *disable,
                const char *nvml, const char *dcmi, const char *helper, struct collect **ret,
                struct err *err);
void collect_free(struct collect *c);
/* Runs what is due at now_ms (all: everything). Returns the number of probes run. */
int collect_run(struct collect *c, int64_t now_ms, bool all);
/* Which probe runs now, and since when (monotonic us); NULL: none. Thread-safe. */
const char *collect_running(struct collect *c, int64_t *ret_since_us);
/* Adds what the last collect_run found to a batch. Samples, or an error. */
int collect_encode(struct collect *c, const char *node, int64_t t_ms, struct wire_encoder *e);
/* All that is known, as exposition text. `more` (may be NULL) is added. Thread-safe. */
int collect_text(struct collect *c, const struct snap *more, struct buf *out);
/* JSON of what the node is made of. 0, or an error. */
int collect_inventory(struct collect *c, struct buf *out);

#endif
