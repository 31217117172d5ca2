/* path: what a job's health rests on: layers, links, health, KPIs, issues (CONTRACT.md, GET /api/v1/jobs/ID/path); and health
 * of any entity. */
#ifndef ANALYZER_PATH_H
#define ANALYZER_PATH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "store/store.h"
#include "store/topo.h"

enum health { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_MINOR, HEALTH_MAJOR, HEALTH_CRITICAL };
const char *health_word(enum health h);   /* unknown ok minor major critical */

/* Health of every entity of a snapshot at a time: open incidents' first hypotheses, active findings, presence of telemetry. */
struct health_map;
int health_map_new(struct store *s, const struct metric_table *metrics, struct topo *t, int64_t at_ms, struct health_map **ret, struct err *err);
void health_map_free(struct health_map *m);
enum health health_of(const struct health_map *m, topo_id id);
/* Ids of open incidents that concern the entity (first hypothesis' entity); count, NULL-terminated list owned by the map. */
size_t health_issues(const struct health_map *m, topo_id id, const char *const **ret);

int path_json(struct store *s, const struct metric_table *metrics, const char *job, int64_t at_ms, struct buf *out, struct err *err);

#endif
