/* measures: what a person may choose to look at, by name: rows over the metric table's meanings,
 * with the units of the API. GET /api/v1/measures. */
#ifndef WEB_MEASURES_H
#define WEB_MEASURES_H

#include "analyzer/kpi.h"
#include "base/metric.h"

#include <stdbool.h>

struct measure {
    enum metric_meaning meaning;
    enum kpi_fold fold; /* several series of one entity */
    const char *better; /* high, low, none */
    double low, high;   /* range in the API's unit; both 0: taken from the data */
};

size_t measure_count(void);
const struct measure *measure_at(size_t i);
const struct measure *measure_find(const char *name);   /* "gpu_temperature"; NULL */
void measure_name(enum metric_meaning m, char out[64]); /* the meaning's word with underscores */
bool measure_fleet(const struct measure *m);            /* usable on the fleet map */
/* The API's unit of a meaning's values as kpi_read gives them, counters a second; times *ret_scale.
 */
const char *measure_unit(const struct metric_table *t, enum metric_meaning m, double *ret_scale);
bool measure_counter(const struct metric_table *t, enum metric_meaning m);

#endif
