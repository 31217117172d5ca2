/* kpi: the newest value of a meaning for every entity of a snapshot, as one column; and rates of
 * counters.
 *
 * One store query a metric name that carries the meaning; a fleet of 18,432 GPUs is one column of
 * 18,432 numbers. */
#ifndef ANALYZER_KPI_H
#define ANALYZER_KPI_H

#include "base/err.h"
#include "base/metric.h"
#include "store/store.h"
#include "store/topo.h"

#include <stdint.h>

#define KPI_LOOKBACK_MS 120000 /* older than this is no present value: eight intervals of 15 s */

enum kpi_fold {
    KPI_LAST,
    KPI_SUM,
    KPI_MIN,
    KPI_MAX,
    KPI_AVG
}; /* several series of one entity (lanes, priorities) */

struct kpi {
    double *at;    /* by topo_id; NaN: none */
    int64_t *t_ms; /* time of the newest sample, 0 none */
    size_t count, known;
    const char *unit;
};
/* Gauges: newest value; counters: per second over the last two minutes. Values in the meaning's
 * unit. */
int kpi_read(struct store *s, const struct metric_table *m, const struct topo *t,
             enum metric_meaning meaning, enum kpi_fold fold, int64_t at_ms, struct kpi *ret,
             struct err *err);
void kpi_done(struct kpi *k);

/* Remembers which entity each series is of, for the newest plan it was used with: most of the cost
 * of reading a column. Thread-safe; one for all who read the present again and again. */
struct kpi_places;
struct kpi_places *kpi_places_new(void); /* NULL: no memory */
void kpi_places_free(struct kpi_places *p);
/* The entity of a series of any name, TOPO_NONE: none; p may be NULL. row: of its name, NULL where
 * the name is in no table. */
topo_id kpi_place_of(struct kpi_places *p, const struct topo *t, const struct metric_row *row,
                     const struct series_row *r);
/* Does somebody ask for this series, as far as its place is known? */
bool kpi_place_wanted(struct kpi_places *p, const struct topo *t, const uint8_t *in,
                      uint64_t series);
/* As kpi_read; places may be NULL. `in`: by topo_id, 0 for entities nobody asks for: of series
 * whose places are known only those of the others are read; NULL: all. */
int kpi_read_scope(struct store *s, const struct metric_table *m, const struct topo *t,
                   struct kpi_places *places, const uint8_t *in, enum metric_meaning meaning,
                   enum kpi_fold fold, int64_t at_ms, struct kpi *ret, struct err *err);
int kpi_read_with(struct store *s, const struct metric_table *m, const struct topo *t,
                  struct kpi_places *places, enum metric_meaning meaning, enum kpi_fold fold,
                  int64_t at_ms, struct kpi *ret, struct err *err);

#endif
