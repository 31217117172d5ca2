/* lifetimes: how long parts last, and which node will fail next.
 *
 * A failure is an incident of the infrastructure, warning or critical, by the entity of its first
 * hypothesis. MTBF of a group = its devices x the period / failures, with the 95 % interval of a
 * Poisson count; MTTR = mean time from opened to resolved. Groups: kind; kind and vendor; kind and
 * model; kind and batch (attribute `batch` of the device's document).
 *
 * The hazard of a node is estimated from its own past and the fleet's (gamma-Poisson): failures of
 * its parts, each half as much after four weeks, against the time that it was watched, drawn to the
 * fleet's rate by a prior worth one failure. risk = 1 - exp(-rate x 7 days). */
#ifndef ANALYZER_LIFETIMES_H
#define ANALYZER_LIFETIMES_H

#include "base/err.h"
#include "base/jsonw.h"
#include "store/store.h"

struct lifetimes_query {
    int64_t from_ms, to_ms;
    const char *by; /* part, vendor, model, batch */
};
/* Members `by` and `groups`: [{kind, key, devices, device_hours, failures, mtbf_hours,
 * mtbf_low_hours, mtbf_high_hours, mttr_seconds}] of the open object. */
int lifetimes_write(struct store *s, const struct lifetimes_query *q, struct jsonw *w,
                    struct err *err);
/* Elements of the open array, highest risk first: [{entity, failures, weight, rate_per_day,
 * fleet_rate_per_day, risk_7d, last}]; at most `limit`. */
int lifetimes_hazard(struct store *s, int64_t now_ms, size_t limit, struct jsonw *w,
                     struct err *err);

/* Of a count of failures in `exposure`: the rate's 95 % interval (Wilson and Hilferty). */
void lifetimes_interval(double failures, double exposure, double *ret_low, double *ret_high);
/* Failures of one node weighed down by age, the fleet's rate, the exposure likewise weighed. */
double lifetimes_rate(double weight, double exposure, double fleet_rate);

#endif
