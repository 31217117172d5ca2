/* isolate: taking a broken node out of the scheduler, and its jobs back into the queue, without a
 * person; with a circuit breaker, a dry run, and a row of what was done for each step.
 *
 * A receiver slurm_drain or kubernetes_cordon asks for it; nothing is done that is not configured.
 * Rows are catalog documents of kind "hook", key = incident: {time, action, receiver, entity,
 * incident, dry_run, result, text, attempts, begun}. action: drain, cordon (entity: the node),
 * requeue (entity: the job). result: done, failed, refused. begun: when a job that was put back ran
 * again.
 *
 * The breaker counts rows that are done, so that it outlives a restart: it opens at `limit` nodes
 * within `window`, or at `share` of all nodes within a day. A refusal is an event that opens an
 * incident of its own, and so pages. */
#ifndef ANALYZER_ISOLATE_H
#define ANALYZER_ISOLATE_H

#include "analyzer/alert_conf.h"
#include "analyzer/alert_send.h"
#include "store/store.h"

struct isolate {
    struct store *store;
    struct httpc *http;
    const struct log *log;
    int64_t now_ms;
};
const struct alert_hook *isolate_hook_of(const struct alert_receiver *r); /* NULL: it only tells */
/* Isolates the node that the incident names, if the receiver's terms are met and the breaker lets
 * it. 0, also where there is nothing to do; ERR_DENIED: refused; ERR_BUSY: the diagnosis is not yet
 * sure enough, ask again; else it may be tried again. note: what was done. */
int isolate_run(const struct isolate *i, const struct alert_receiver *r,
                const struct alert_message *m, struct buf *note, struct err *err);
/* Jobs of nodes drained within the last quarter of an hour: those that the fault broke, or that
 * still run on them, are put back into the queue, and started as soon as may be. Cheap when there
 * are none; the caller calls it every few seconds. */
void isolate_follow(const struct isolate *i, const struct alert_conf *conf);
/* {state, used, limit, window_seconds, nodes, share_limit, dry_run} of the receiver that has used
 * most of its limit. */
void isolate_breaker_json(const struct isolate *i, const struct alert_conf *conf, struct buf *out);

#endif
