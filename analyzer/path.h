/* path: what a job's health rests on: layers, links, health, KPIs, issues (CONTRACT.md, GET
 * /api/v1/jobs/ID/path); and health of any entity. */
#ifndef ANALYZER_PATH_H
#define ANALYZER_PATH_H

#include "analyzer/kpi.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/store.h"
#include "store/topo.h"

enum health { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_MINOR, HEALTH_MAJOR, HEALTH_CRITICAL };
const char *health_word(enum health h); /* unknown ok minor major critical */

/* Health of every entity of a snapshot at a time: open incidents' first hypotheses, active
 * findings, presence of telemetry. metrics NULL: incidents alone. */
struct health_map;
int health_map_new(struct store *s, const struct metric_table *metrics, struct topo *t,
                   int64_t at_ms, struct health_map **ret, struct err *err);
/* With what a reader of the present remembers of its series; places may be NULL. */
int health_map_new_with(struct store *s, const struct metric_table *metrics, struct topo *t,
                        struct kpi_places *places, int64_t at_ms, struct health_map **ret,
                        struct err *err);
void health_map_free(struct health_map *m);
enum health health_of(const struct health_map *m, topo_id id);
/* Ids of open incidents that concern the entity (first hypothesis' entity); count, NULL-terminated
 * list owned by the map. */
size_t health_issues(const struct health_map *m, topo_id id, const char *const **ret);

/* When telemetry of the entity was last seen before the map's time, within its lookback; 0: not. */
int64_t health_seen(const struct health_map *m, topo_id id);

/* Health and score (0 to 100) of a job that runs on the snapshot: the worst of its path.
 * ERR_NOTFOUND. */
int path_judge(struct topo *t, const struct health_map *h, const char *job, enum health *ret_health,
               double *ret_score, struct err *err);

/* What a path is made of where the caller holds it already. */
struct path_source {
    struct store *store;
    struct topo *topo;
    const struct health_map *health;
    int64_t at_ms;
    const struct kpi *(*column)(void *ctx, enum metric_meaning m,
                                enum kpi_fold fold); /* NULL: no such values */
    void *ctx;
    const char *job_json, *kpi_json; /* members `job` and `kpi` */
    const char *tenant;              /* incidents of others are left out; NULL: none are */
};
int path_write(const struct path_source *src, const char *job, struct buf *out, struct err *err);
/* The same from the store alone. */
int path_json(struct store *s, const struct metric_table *metrics, const char *job, int64_t at_ms,
              struct buf *out, struct err *err);

#endif
