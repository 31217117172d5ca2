/* kube_read: tables of labels, resources and conditions. */
#include "collector/kube_read.h"

#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *
kube_read_text(const struct doc_node *map, const char *key)
{
    const struct doc_node *n = doc_get(map, key);
    return n && n->kind == DOC_STR && strlen(n->str) == n->len ? n->str : "";
}

static int64_t
kube_read_time(const struct doc_node *map, const char *key)
{
    int64_t ms;
    return time_parse(kube_read_text(map, key), &ms) ? 0 : ms;
}

/* Printable, without what the names of jobs may not hold; not too long. */
static bool
kube_read_name_ok(const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        if (!isalnum((unsigned char)s[n]) && !strchr("-._", s[n]))
            return false;
    return n && n <= KUBE_NAME_MAX;
}

static const struct doc_node *
kube_read_first(const struct doc_node *list)
{
    return list && list->kind == DOC_SEQ ? list->first : NULL;
}

/* --- pods ----------------------------------------------------------------------------------------
 */

/* Who names the job of a pod: the outermost first. */
static const struct {
    const char *job, *index, *role, *framework;
} kube_read_labels[] = {
    {"training.kubeflow.org/job-name", "training.kubeflow.org/replica-index",
     "training.kubeflow.org/replica-type", "kubeflow"},
    {"volcano.sh/job-name", "volcano.sh/task-index", "volcano.sh/task-spec", "volcano"},
    {"jobset.sigs.k8s.io/jobset-name", "jobset.sigs.k8s.io/job-global-index",
     "jobset.sigs.k8s.io/replicatedjob-name", "jobset"},
    {"leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/worker-index", "",
     "leaderworkerset"},
    {"ray.io/cluster", "ray.io/replica-index", "ray.io/node-type", "ray"},
    {"batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index", "", "job"},
    {"job-name", "batch.kubernetes.io/job-completion-index", "", "job"},
};

static void
kube_read_place(const struct doc_node *labels, const struct doc_node *notes, size_t row,
                struct kube_pod *p)
{
    static const char *const leaders[] = {"master", "launcher", "leader", "chief", "head", NULL};
    const char *index = kube_read_text(labels, kube_read_labels[row].index), *role;
    if (!*index)
        index = kube_read_text(notes, kube_read_labels[row].index);
    p->framework = kube_read_labels[row].framework;
    role = kube_read_text(labels, kube_read_labels[row].role);
    if (str_i64(index, strlen(index), &p->index) || p->index < 0) {
        const char *dash = strrchr(p->name, '-');
        p->index = dash && isdigit((unsigned char)dash[1]) ? strtol(dash + 1, NULL, 10) : 0;
    }
    for (size_t i = 0; leaders[i]; i++)
        p->leader |= !strncasecmp(role, leaders[i], strlen(leaders[i]));
}

/* nvidia.com/gpu, huawei.com/Ascend910, amd.com/gpu, nvidia.com/mig-1g.10gb, ... */
static bool
kube_read_accelerator(const char *resource)
{
    static const char *const names[] = {"nvidia.com/gpu",  "nvidia.com/mig-*", "huawei.com/Ascend*",
                                        "huawei.com/npu",  "amd.com/gpu",      "gpu.intel.com/*",
                                        "cambricon.com/*", "hygon.com/dcu*",   "metax-tech.com/gpu",
                                        "enflame.com/gcu", "kunlunxin.com/*",  "mthreads.com/gpu"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_glob(names[i], resource))
            return true;
    return false;
}

static unsigned
kube_read_gpus(const struct doc_node *spec)
{
    unsigned long sum = 0;
    for (const struct doc_node *c = kube_read_first(doc_get(spec, "containers")); c; c = c->next) {
        const struct doc_node *limits = doc_get(doc_get(c, "resources"), "limits");
        for (const struct doc_node *l = limits && limits->kind == DOC_MAP ? limits->first : NULL; l;
             l = l->next)
            if (kube_read_accelerator(l->key))
                sum += l->kind == DOC_INT && l->v.i > 0 && l->v.i < 1024 ? (unsigned long)l->v.i
                       : l->kind == DOC_STR                              ? strtoul(l->str, NULL, 10)
                                                                         : 0;
    }
    return sum > 1024 ? 1024 : (unsigned)sum;
}

/* "Ascend910-0,Ascend910-3": which devices of the node they are. */
static void
kube_read_devices(const struct doc_node *notes, struct kube_pod *p)
{
    static const char *const keys[] = {"huawei.com/AscendReal", "huawei.com/Ascend910",
                                       "huawei.com/npu", "huawei.com/Ascend310P"};
    const char *text = "", *field;
    size_t len;
    for (size_t i = 0; !*text && i < sizeof keys / sizeof *keys; i++)
        text = kube_read_text(notes, keys[i]);
    while ((field = str_field(&text, ", ", &len)) && p->device_count < KUBE_DEVICES_MAX) {
        size_t digits = 0;
        while (digits < len && isdigit((unsigned char)field[len - 1 - digits]))
            digits++;
        if (digits && digits < 5 && digits < len)
            p->devices[p->device_count++] = (unsigned)strtoul(field + len - digits, NULL, 10);
    }
}

static void
kube_read_containers(const struct doc_node *status, struct kube_pod *p)
{
    for (const struct doc_node *c = kube_read_first(doc_get(status, "containerStatuses")); c;
         c = c->next) {
        const struct doc_node *t = doc_get(doc_get(c, "state"), "terminated");
        if (!t)
            t = doc_get(doc_get(c, "lastState"), "terminated");
        int64_t code = doc_get_int(t, "exitCode", 0), end = kube_read_time(t, "finishedAt");
        p->end_ms = end > p->end_ms ? end : p->end_ms;
        if (code && !p->exit_code && code > -256 && code < 256) {
            p->exit_code = (int)code;
            p->container = kube_read_text(c, "name");
            if (!*p->reason || !strcmp(p->reason, "Error"))
                p->reason = kube_read_text(t, "reason");
        }
    }
}

static enum kube_phase
kube_read_phase(const char *phase)
{
    return !strcmp(phase, "Running")     ? KUBE_RUNNING
           : !strcmp(phase, "Succeeded") ? KUBE_SUCCEEDED
           : !strcmp(phase, "Failed")    ? KUBE_FAILED
                                         : KUBE_PENDING;
}

/* The row of labels that names the job; ERR_NOTFOUND. */
static int
kube_read_whose(const struct doc_node *labels, const struct doc_node *notes,
                const struct kube_want *want, struct kube_pod *p)
{
    if (want && want->job_label && *want->job_label) {
        p->job = kube_read_text(labels, want->job_label);
        if (kube_read_name_ok(p->job))
            return 0;
    }
    for (size_t i = 0; i < sizeof kube_read_labels / sizeof *kube_read_labels; i++) {
        p->job = kube_read_text(labels, kube_read_labels[i].job);
        if (!kube_read_name_ok(p->job))
            continue;
        kube_read_place(labels, notes, i, p);
        return 0;
    }
    return ERR_NOTFOUND;
}

int
kube_read_pod(const struct doc_node *object, const struct kube_want *want, struct kube_pod *ret)
{
    const struct doc_node *meta = doc_get(object, "metadata"), *labels = doc_get(meta, "labels");
    const struct doc_node *notes = doc_get(meta, "annotations"), *spec = doc_get(object, "spec");
    const struct doc_node *status = doc_get(object, "status");
    struct kube_pod p = {.uid = kube_read_text(meta, "uid"),
                         .namespace = kube_read_text(meta, "namespace"),
                         .name = kube_read_text(meta, "name"),
                         .node = kube_read_text(spec, "nodeName"),
                         .reason = kube_read_text(status, "reason"),
                         .container = "",
                         .tenant = "",
                         .user = "",
                         .framework = ""};
    if (!*p.uid || !kube_read_name_ok(p.namespace) || !kube_read_name_ok(p.name) ||
        (*p.node && !kube_read_name_ok(p.node)) || kube_read_whose(labels, notes, want, &p))
        return ERR_NOTFOUND;
    p.phase = kube_read_phase(kube_read_text(status, "phase"));
    p.start_ms = kube_read_time(status, "startTime");
    p.gpus = kube_read_gpus(spec);
    kube_read_devices(notes, &p);
    kube_read_containers(status, &p);
    if (want && want->tenant && !strcmp(want->tenant, "namespace"))
        p.tenant = p.namespace;
    else if (want && want->tenant)
        p.tenant = kube_read_text(labels, want->tenant);
    if (want && want->user)
        p.user = kube_read_text(labels, want->user);
    *ret = p;
    return 0;
}

/* --- jobs ----------------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    enum job_state state;
} kube_read_states[] = {
    {"Complete", JOB_COMPLETED},
    {"Completed", JOB_COMPLETED},
    {"Succeeded", JOB_COMPLETED},
    {"Failed", JOB_FAILED},
    {"FailureTarget", JOB_FAILED},
    {"Aborted", JOB_CANCELLED},
    {"Terminated", JOB_CANCELLED},
    {"Running", JOB_RUNNING},
    {"Restarting", JOB_RUNNING},
    {"Completing", JOB_RUNNING},
    {"Terminating", JOB_RUNNING},
    {"Aborting", JOB_RUNNING},
    {"StartupPolicyInProgress", JOB_RUNNING},
    {"Created", JOB_PENDING},
    {"Pending", JOB_PENDING},
    {"Suspended", JOB_PENDING},
    {"Inqueue", JOB_PENDING},
};

static void
kube_read_state(const char *word, const struct doc_node *of, struct kube_job *j)
{
    for (size_t i = 0; i < sizeof kube_read_states / sizeof *kube_read_states; i++)
        if (!strcmp(kube_read_states[i].word, word)) {
            j->known = true;
            j->state = kube_read_states[i].state;
            j->reason = kube_read_text(of, "reason");
            if (j->state == JOB_FAILED && !strcmp(j->reason, "DeadlineExceeded"))
                j->state = JOB_TIMEOUT;
            int64_t at = kube_read_time(of, "lastTransitionTime");
            if (j->state >= JOB_COMPLETED && at)
                j->end_ms = at;
        }
}

/* An end counts more than what was before, wherever it stands in the list. */
static void
kube_read_conditions(const struct doc_node *list, struct kube_job *j)
{
    for (const struct doc_node *c = kube_read_first(list); c; c = c->next) {
        bool ended = j->known && j->state >= JOB_COMPLETED;
        if (!strcmp(kube_read_text(c, "status"), "True") && !ended)
            kube_read_state(kube_read_text(c, "type"), c, j);
    }
}

int
kube_read_job(const struct doc_node *object, struct kube_job *ret)
{
    const struct doc_node *meta = doc_get(object, "metadata"), *status = doc_get(object, "status");
    const struct doc_node *owner = kube_read_first(doc_get(meta, "ownerReferences"));
    const struct doc_node *phase = doc_get(status, "state"); /* Volcano's */
    struct kube_job j = {.uid = kube_read_text(meta, "uid"),
                         .namespace = kube_read_text(meta, "namespace"),
                         .name = kube_read_text(meta, "name"),
                         .reason = "",
                         .owned = owner != NULL};
    if (!*j.uid || !kube_read_name_ok(j.namespace) || !kube_read_name_ok(j.name))
        return ERR_NOTFOUND;
    j.start_ms = kube_read_time(status, "startTime");
    kube_read_conditions(doc_get(status, "conditions"), &j);
    if (phase && phase->kind == DOC_MAP)
        kube_read_state(kube_read_text(phase, "phase"), phase, &j);
    if (kube_read_time(status, "completionTime"))
        j.end_ms = kube_read_time(status, "completionTime");
    if (!j.known || j.state < JOB_COMPLETED)
        j.end_ms = 0;
    *ret = j;
    return 0;
}

/* --- events --------------------------------------------------------------------------------------
 */

int
kube_read_event(const struct doc_node *object, struct kube_event *ret)
{
    const struct doc_node *about = doc_get(object, "involvedObject");
    const struct doc_node *meta = doc_get(object, "metadata");
    struct kube_event e = {.type = kube_read_text(object, "type"),
                           .reason = kube_read_text(object, "reason"),
                           .component = kube_read_text(doc_get(object, "source"), "component"),
                           .kind = kube_read_text(about, "kind"),
                           .namespace = kube_read_text(about, "namespace"),
                           .name = kube_read_text(about, "name"),
                           .text = kube_read_text(object, "message")};
    if (!*e.component)
        e.component = kube_read_text(object, "reportingComponent");
    if (!*e.reason || !*e.kind || !*e.name)
        return ERR_NOTFOUND;
    e.time_ms = kube_read_time(object, "lastTimestamp");
    e.time_ms = e.time_ms ? e.time_ms : kube_read_time(object, "eventTime");
    e.time_ms = e.time_ms ? e.time_ms : kube_read_time(meta, "creationTimestamp");
    *ret = e;
    return 0;
}
