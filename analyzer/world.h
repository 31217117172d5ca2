/* world: the topology of a server as the reasoner asks of it; and a world without a topology, for
 * logs alone. */
#ifndef ANALYZER_WORLD_H
#define ANALYZER_WORLD_H

#include "analyzer/reason.h"
#include "store/topo.h"

struct presence; /* entity -> when telemetry of it was last seen; presence.h */

struct world_topo {
    struct topo *topo;               /* held by the caller while used */
    const struct presence *presence; /* may be NULL: nothing counts as observable */
    int64_t now_ms;
};
struct world world_of_topo(struct world_topo *w);

/* Offline: entities are those of the symptoms; a part belongs to its owner, everything belongs to
 * the one job. */
struct world_names {
    const struct symptom *symptoms;
    size_t count;
};
struct world world_of_names(struct world_names *w);

#endif
