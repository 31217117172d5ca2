/* clusters: what is said of each cluster beside its topology: title, state, declared size, metadata
 * (catalog kind "cluster"). A cluster that only has a topology document is listed too, as active.
 */
#ifndef STORE_CLUSTERS_H
#define STORE_CLUSTERS_H

#include "base/doc.h"
#include "store/store.h"

struct cluster {                      /* strings never NULL, valid during the callback */
    const char *name, *title, *state; /* building, active, maintenance, retired */
    uint64_t nodes, gpus;             /* declared; 0: not said */
    const char *metadata;             /* JSON object of texts */
    const char *tenant;
    uint64_t revision; /* 0: only its topology is known */
    int64_t updated_ms;
    bool has_topology;
};
/* By name. */
int cluster_list(struct store *s, int (*cb)(void *ctx, const struct cluster *c), void *ctx,
                 struct err *err);
int cluster_get(struct store *s, const char *name, int (*cb)(void *ctx, const struct cluster *c),
                void *ctx, struct err *err);
/* Changes the members given (title state size metadata; a cluster is made if absent). Another
 * `name` renames a cluster that has no topology document. */
int cluster_put(struct store *s, const char *name, const struct doc *d, const struct doc_node *edit,
                struct err *err);
int cluster_delete(struct store *s, const char *name,
                   struct err *err); /* what is said of it; ERR_NOTFOUND */

#endif
