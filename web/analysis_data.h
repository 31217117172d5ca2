/* analysis_data: a measure over a period, as one value per entity and slot of time.
 *
 * Up to two hours are read whole; a longer period is looked at through 120 windows of two minutes,
 * spread evenly: enough for a distribution over 18,432 accelerators, at a bounded cost whatever the
 * period. */
#ifndef WEB_ANALYSIS_DATA_H
#define WEB_ANALYSIS_DATA_H

#include "base/metric.h"
#include "store/store.h"
#include "store/topo.h"
#include "web/measures.h"

#include <stdint.h>

#define ANALYSIS_SLOTS 120

struct analysis_data {
    const topo_id *ids; /* the entities of the measure's kind; the snapshot's */
    size_t count, slots;
    int64_t from_ms, width_ms; /* slot i begins at from + i * width */
    float *at;                 /* count * slots, NaN: nothing known */
    double *mean;              /* of each entity over the slots, NaN */
    size_t known;              /* cells that are not NaN, of entities that are wanted */
};
/* wanted: one byte an entity of the kind, by its place in ids; NULL: all. Values in the API's unit
 * (times scale). */
int analysis_data_read(struct store *s, const struct metric_table *m, const struct topo *t,
                       const struct measure *measure, int64_t from_ms, int64_t to_ms,
                       const uint8_t *wanted, struct analysis_data *ret, struct err *err);
void analysis_data_done(struct analysis_data *d);

/* Sorts the values in place. fraction 0 to 1, linear between ranks. n > 0. */
double analysis_percentile(const double *sorted, size_t n, double fraction);
void analysis_sort(double *values, size_t n);
/* Median and a robust standard deviation (1.4826 MAD, at least one percent of the median). `sorted`
 * is ascending, scratch has room for n. */
void analysis_robust(const double *sorted, size_t n, double *scratch, double *ret_median,
                     double *ret_sigma);

#endif
