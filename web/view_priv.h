/* view_priv: the parts of a view, for the files that make them. */
#ifndef WEB_VIEW_PRIV_H
#define WEB_VIEW_PRIV_H

#include "web/view.h"

#include <pthread.h>

#define VIEW_COLUMNS 64
#define VIEW_MASKS   16

struct view_column_slot {
    enum metric_meaning meaning;
    enum kpi_fold fold;
    struct kpi kpi;
    bool good;
};
struct view_mask_slot {
    char tenant[64];
    uint8_t *seen;
};

struct view_parts {
    struct store *store;
    const struct metric_table *metrics;
    struct kpi_places
        *places;   /* the cache's, which outlives its views; NULL in views of the past */
    unsigned refs; /* under the mutex */
    pthread_mutex_t
        mutex; /* guards everything below until it is made; recursive, as parts need parts */
    struct arena *arena;
    struct health_map *health;
    struct view_column_slot columns[VIEW_COLUMNS];
    size_t column_count;
    struct view_incident *incidents;
    size_t incident_count, incident_cap;
    bool incidents_read;
    struct view_job *jobs; /* by place in topo_jobs */
    uint8_t *job_known;
    struct view_fleet *fleet;
    struct view_mask_slot masks[VIEW_MASKS];
    size_t mask_count;
};

/* view_topo.c: fills a fleet from a topology; memory of the arena. NULL: no memory. */
struct view_fleet *view_fleet_new(const struct topo *t, struct arena *a);
/* Marks what a tenant sees. */
void view_mask_fill(const struct topo *t, const char *tenant, uint8_t *seen);

#endif
