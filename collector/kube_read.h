/* kube_read: objects of the Kubernetes API, of which only what a job needs is read.
 *
 * Texts point into the document. What is absent or of another type is "" or 0. Sources: Kubernetes
 * API v1, batch/v1; labels of the Kubeflow training operator, Volcano, JobSet, LeaderWorkerSet,
 * KubeRay; Ascend's device annotations. */
#ifndef COLLECTOR_KUBE_READ_H
#define COLLECTOR_KUBE_READ_H

#include "base/doc.h"
#include "store/jobs.h"

#define KUBE_NAME_MAX    253 /* of an object, a DNS subdomain */
#define KUBE_DEVICES_MAX 64

enum kube_phase { KUBE_PENDING, KUBE_RUNNING, KUBE_SUCCEEDED, KUBE_FAILED };

struct kube_pod {
    const char *uid, *namespace, *name, *node, *job, *tenant, *user, *framework;
    const char *reason;    /* why it failed: Evicted, NodeLost, OOMKilled, ... */
    const char *container; /* that ended with exit_code */
    enum kube_phase phase;
    bool leader;    /* its ranks come first */
    int64_t index;  /* among those of its role */
    unsigned gpus;  /* accelerators that it asks for */
    int exit_code;  /* of the container that failed, 0 none */
    int64_t end_ms; /* when its last container ended */
    int64_t start_ms;
    unsigned device_count; /* that its devices are known by */
    unsigned devices[KUBE_DEVICES_MAX];
};
struct kube_want { /* what the site's configuration says; may be NULL */
    const char *job_label, *tenant, *user;
};
/* 0, or ERR_NOTFOUND: not a pod, or of no job. */
int kube_read_pod(const struct doc_node *object, const struct kube_want *want,
                  struct kube_pod *ret);

struct kube_job { /* an object that makes pods */
    const char *uid, *namespace, *name, *reason;
    bool owned; /* by another object, which is the job then */
    bool known; /* it tells a state */
    enum job_state state;
    int64_t start_ms, end_ms;
};
int kube_read_job(const struct doc_node *object, struct kube_job *ret);

struct kube_event {
    const char *type, *reason, *component, *kind, *namespace, *name, *text;
    int64_t time_ms;
};
int kube_read_event(const struct doc_node *object, struct kube_event *ret);

#endif
