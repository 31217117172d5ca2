/* kube_jobs: jobs of a Kubernetes cluster, put together from pods and the objects that make them.
 *
 * A job is NAMESPACE.NAME; one that is made again under the same name while the former's document
 * is kept is NAMESPACE.NAME.UID8. Its nodes stand in the order of ranks. Not thread-safe: the
 * caller holds a lock. Ceilings: 200,000 pods, 50,000 jobs; more are counted. */
#ifndef COLLECTOR_KUBE_JOBS_H
#define COLLECTOR_KUBE_JOBS_H

#include "base/buf.h"
#include "collector/kube_read.h"

#define KUBE_ID_MAX 180

struct kube_jobs;
struct kube_jobs *kube_jobs_new(struct store *s);
void kube_jobs_free(struct kube_jobs *j);
/* round: of the list that tells it; what an end of a list (sweep) finds with a lesser round is
 * gone. source: the watch it comes from. True: a container of it has failed, and that is news. */
bool kube_jobs_pod(struct kube_jobs *j, const struct kube_pod *p, uint64_t round);
void kube_jobs_pod_gone(struct kube_jobs *j, const char *namespace, const char *name);
void kube_jobs_object(struct kube_jobs *j, const struct kube_job *o, const char *kind, int source,
                      uint64_t round);
void kube_jobs_object_gone(struct kube_jobs *j, const char *namespace, const char *name);
void kube_jobs_sweep(struct kube_jobs *j, int source, uint64_t round); /* source 0: pods */
/* Node and job of a pod; "" where it is not known. */
void kube_jobs_whereabouts(const struct kube_jobs *j, const char *namespace, const char *pod,
                           const char **ret_node, const char **ret_job);
/* The next job whose document changed, as JSON to merge; false when there is none. */
bool kube_jobs_next(struct kube_jobs *j, char ret_id[KUBE_ID_MAX + 1], struct buf *ret_json);
bool kube_jobs_has(const struct kube_jobs *j, const char *id); /* a job of this id */
size_t kube_jobs_count(const struct kube_jobs *j, size_t *ret_pods);
uint64_t kube_jobs_refused(const struct kube_jobs *j);

#endif
