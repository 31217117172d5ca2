/* view: what many answers need at one instant, worked out once: topology, health of everything,
 * columns of values, open incidents, jobs with their health.
 *
 * A view is immutable to its users and reference-counted; its parts are made when first asked for,
 * each once, whoever asks. The view of now lives three seconds, or until an incident, job, device
 * or topology changes; views of the past a minute. */
#ifndef WEB_VIEW_H
#define WEB_VIEW_H

#include "analyzer/kpi.h"
#include "analyzer/path.h"
#include "base/httpd.h"
#include "base/metric.h"
#include "store/jobs.h"
#include "store/store.h"
#include "store/topo.h"

#include <stdbool.h>
#include <stdint.h>

struct view_cache;
int view_cache_new(struct store *s, const struct metric_table *metrics, struct view_cache **ret,
                   struct err *err);
void view_cache_free(struct view_cache *c);
/* What is remembered of the present's series, for others who read columns. */
struct kpi_places *view_places(const struct view_cache *c);

struct view {
    struct topo *topo;
    int64_t at_ms;
    bool now;
    struct view_parts *parts; /* view.c's */
};

/* at_ms 0: now. Release with view_put. */
int view_get(struct view_cache *c, int64_t at_ms, struct view **ret, struct err *err);
void view_put(struct view *v); /* NULL is fine */

/* Borrowed until view_put. NULL, with the cause in err, when the store could not answer. */
const struct health_map *view_health(struct view *v, struct err *err);
const struct kpi *view_column(struct view *v, enum metric_meaning m, enum kpi_fold fold);
/* For path_source.column: ctx is the view. */
const struct kpi *view_column_of(void *ctx, enum metric_meaning m, enum kpi_fold fold);

/* Incidents that were not resolved at the view's time. */
struct view_incident {
    const char *id, *entity, *severity, *state, *tenant, *class_name;
    const char *const *jobs;
    size_t job_count;
};
size_t view_incidents(struct view *v, const struct view_incident **ret);

/* Jobs that run on the view, in the order of topo_jobs. */
struct view_job {
    enum health health;
    double score;
};
const struct view_job *view_job_find(struct view *v, const char *id);

/* What an identity may see. A tenant: its jobs, their nodes, and what belongs to those. */
bool view_sees(struct view *v, const char *tenant, topo_id id);
/* One byte an entity, non-zero where seen; NULL when all is. Borrowed. */
const uint8_t *view_mask(struct view *v, const char *tenant);

/* --- of the topology -------------------------------------------------------------------------- */

/* Rows of the fleet map: nodes by cluster, pod, rack, name; accelerators of a node by index. */
struct view_fleet {
    const topo_id *nodes;
    const uint32_t *first; /* of each node in gpus; count + 1 places */
    const topo_id *gpus;
    const topo_id *clusters; /* of each node, TOPO_NONE */
    size_t count, gpu_count;
};
const struct view_fleet *view_fleet(struct view *v); /* NULL: no memory */
/* The cluster an entity belongs to, the node or switch it is part of (itself when it is one);
 * TOPO_NONE. */
topo_id view_cluster_of(const struct topo *t, topo_id id);
topo_id view_owner(const struct topo *t, topo_id id);
/* Plain name: what follows the colon. */
const char *view_plain(const struct topo *t, topo_id id);
/* The leaf switch an entity hangs on: of a node its first, of an accelerator that of its rail.
 * TOPO_NONE. */
topo_id view_leaf(const struct topo *t, topo_id id);

#endif
