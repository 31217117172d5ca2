/* recovery: what happened to a job from a fault to its first step again, with the time of each
 * link: fault, detected, diagnosed, paged, isolated, stopped, requeued, restarted, first step.
 *
 * Nothing is kept for it: the chain is read from the incident, the rows of hooks and of the outbox,
 * the job's runs and what the job reports. A link that is not known has no time. */
#ifndef ANALYZER_RECOVERY_H
#define ANALYZER_RECOVERY_H

#include "base/jsonw.h"
#include "base/metric.h"
#include "store/jobs.h"
#include "store/store.h"

/* The chains of a job, newest first, as the elements of an array that the caller has opened:
 * {incident, title, entity, node, cause, class, dry_run, state, total_seconds,
 * steps: [{step, title, time, seconds, text}]}. state: running, done, refused, dry_run. */
int recovery_write(struct store *s, const struct metric_table *metrics, const struct job *j,
                   struct jsonw *w, struct err *err);

#endif
