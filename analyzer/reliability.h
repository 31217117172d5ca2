/* reliability: what faults cost: effective training time, mean time between failures and to repair,
 * by reason and by job.
 *
 * An interruption of a job is its end in failed, node_fail or timeout, unless its incident says the
 * user's program did it; or a critical incident of the infrastructure that names it while it runs.
 * It lasts from the fault until the job runs again: the incident is resolved, or a job of the same
 * name, user and tenant starts within a day. Time lost is that time on the job's accelerators,
 * overlaps counted once. GPU hours are those of running plus those lost between an end and the
 * restart; effective ratio = 1 - lost / all. MTBF = time during which anything ran / interruptions;
 * MTTR = mean length of those that are over. */
#ifndef ANALYZER_RELIABILITY_H
#define ANALYZER_RELIABILITY_H

#include "base/err.h"
#include "base/jsonw.h"
#include "store/store.h"

struct reliability_query {
    int64_t from_ms, to_ms;       /* [from, to) */
    const char *cluster, *tenant; /* NULL or "": all */
};
/* Members start to timeline (docs/UI-API.md, "Reliability") of the object the caller has opened. */
int reliability_write(struct store *s, const struct reliability_query *q, struct jsonw *w,
                      struct err *err);

#endif
