/* efficiency: what a job gets out of its accelerators: model FLOPs utilisation with the method that
 * gave it, FLOPs a watt, checkpoints and what a fault now would cost.
 *
 * Methods, the first that can be told is the answer, all are shown:
 *   reported  the job's own training_mfu_ratio
 *   tokens    6 x parameters x tokens/s / (accelerators x peak), parameters from the job's label
 *             `parameters` ("70B", "7e10"), as Kaplan et al. (2020) count a step's FLOPs
 *   tensor    mean activity of the tensor cores: an upper bound of MFU
 * Peak is dense BF16 (FP16 where a part has none) of the model's data sheet. */
#ifndef ANALYZER_EFFICIENCY_H
#define ANALYZER_EFFICIENCY_H

#include "base/jsonw.h"
#include "base/metric.h"
#include "store/jobs.h"
#include "store/store.h"

/* Members mfu, method, methods, accelerators, model, peak_flops, power_watts, flops_per_watt,
 * tokens_per_joule, step_seconds, checkpoint_seconds, last_checkpoint, steps_at_risk of the open
 * object. */
int efficiency_write(struct store *s, const struct metric_table *metrics, const struct job *j,
                     int64_t at_ms, struct jsonw *w, struct err *err);
/* Peak FLOP/s of a model's name; 0: not known. */
double efficiency_peak(const char *model);
/* "70B", "7e10", "1.8T", "350M": a count; 0: none. */
double efficiency_parameters(const char *text);

/* What a risk is watched for, worst first, elements of an open array: optics whose received power
 * falls towards the alarm, GPUs whose memory wears: [{entity, kind, what{en,zh}, value, before,
 * limit, unit, days_left}]; at most `limit`. */
int efficiency_watch(struct store *s, const struct metric_table *metrics, int64_t now_ms,
                     size_t limit, struct jsonw *w, struct err *err);

#endif
