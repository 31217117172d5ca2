/* kube_jobs: two maps, pods by namespace and name, jobs likewise; a job holds its pods in a list.
 * What changed is dirty until its document is asked for. */
#include "collector/kube_jobs.h"

#include "base/jsonw.h"
#include "base/map.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KUBE_PODS_MAX 200000u
#define KUBE_JOBS_MAX 50000u
#define KUBE_KEY_MAX  (2 * KUBE_NAME_MAX + 2)
#define KUBE_WORD     64

struct kube_known;
struct kube_member { /* a pod */
    struct kube_member *next;
    struct kube_known *job;
    uint64_t round;
    char uid[40], name[KUBE_NAME_MAX + 1], node[KUBE_NAME_MAX + 1], reason[KUBE_WORD];
    enum kube_phase phase;
    bool leader;
    int64_t index, start_ms, end_ms;
    int exit_code;
    unsigned gpus, device_count, devices[KUBE_DEVICES_MAX];
};

struct kube_known { /* a job */
    struct kube_member *pods;
    size_t pod_count;
    char namespace[KUBE_NAME_MAX + 1], name[KUBE_NAME_MAX + 1];
    char uid[40], id[KUBE_ID_MAX + 1], kind[32], framework[32], tenant[KUBE_WORD], user[KUBE_WORD];
    char reason[KUBE_WORD];
    int source;     /* watch of its object, 0 none */
    uint64_t round; /* of the object */
    bool known, gone, dirty, had_pods;
    enum job_state state; /* as the object tells, when known */
    enum job_state last;  /* of the document last given */
    int64_t start_ms, end_ms;
    uint64_t hash; /* of the document last given */
};

struct kube_jobs {
    struct store *store;
    struct map *pods, *jobs;
    size_t dirty, cursor;
    uint64_t refused;
};

static size_t
kube_jobs_key(char out[KUBE_KEY_MAX], const char *namespace, const char *name)
{
    return (size_t)snprintf(out, KUBE_KEY_MAX, "%s/%s", namespace, name);
}

static void
kube_jobs_touch(struct kube_jobs *j, struct kube_known *k)
{
    j->dirty += !k->dirty;
    k->dirty = true;
}

static struct kube_known *
kube_jobs_get(struct kube_jobs *j, const char *namespace, const char *name)
{
    char key[KUBE_KEY_MAX];
    size_t len = kube_jobs_key(key, namespace, name);
    struct kube_known *k = map_get(j->jobs, key, len);
    if (k)
        return k;
    if (!(k = calloc(1, sizeof *k)) || map_set(j->jobs, key, len, k, NULL)) {
        free(k);
        j->refused++;
        return NULL;
    }
    str_copy(k->namespace, sizeof k->namespace, namespace);
    str_copy(k->name, sizeof k->name, name);
    return k;
}

/* --- pods ----------------------------------------------------------------------------------------
 */

static void
kube_jobs_unlink(struct kube_member *m)
{
    struct kube_member **at = &m->job->pods;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    m->job->pod_count--;
}

static struct kube_member *
kube_jobs_member(struct kube_jobs *j, const struct kube_pod *p)
{
    char key[KUBE_KEY_MAX];
    size_t len = kube_jobs_key(key, p->namespace, p->name);
    struct kube_member *m = map_get(j->pods, key, len);
    struct kube_known *k = kube_jobs_get(j, p->namespace, p->job);
    if (!k)
        return NULL;
    if (m && m->job != k) { /* its labels were changed */
        kube_jobs_unlink(m);
        kube_jobs_touch(j, m->job);
    } else if (m) {
        return m;
    } else if (!(m = calloc(1, sizeof *m)) || map_set(j->pods, key, len, m, NULL)) {
        free(m);
        j->refused++;
        return NULL;
    }
    m->job = k;
    m->next = k->pods;
    k->pods = m;
    k->pod_count++;
    k->had_pods = true;
    str_copy(m->name, sizeof m->name, p->name);
    return m;
}

bool
kube_jobs_pod(struct kube_jobs *j, const struct kube_pod *p, uint64_t round)
{
    struct kube_member *m = kube_jobs_member(j, p);
    if (!m)
        return false;
    struct kube_known *k = m->job;
    bool same = !strcmp(m->uid, p->uid);
    bool news = p->exit_code && (!same || m->exit_code != p->exit_code || m->end_ms != p->end_ms);
    m->round = round;
    str_copy(m->uid, sizeof m->uid, p->uid);
    str_copy(m->node, sizeof m->node, p->node);
    str_copy(m->reason, sizeof m->reason, p->reason);
    m->phase = p->phase;
    m->leader = p->leader;
    m->index = p->index;
    m->gpus = p->gpus;
    m->exit_code = p->exit_code;
    m->start_ms = p->start_ms;
    m->end_ms = p->end_ms;
    m->device_count = p->device_count;
    memcpy(m->devices, p->devices, sizeof m->devices);
    str_copy(k->framework, sizeof k->framework, p->framework);
    if (*p->tenant)
        str_copy(k->tenant, sizeof k->tenant, p->tenant);
    if (*p->user)
        str_copy(k->user, sizeof k->user, p->user);
    kube_jobs_touch(j, k);
    return news;
}

static void
kube_jobs_drop_pod(struct kube_jobs *j, const char *key, size_t len)
{
    struct kube_member *m = map_remove(j->pods, key, len);
    if (!m)
        return;
    kube_jobs_touch(j, m->job);
    kube_jobs_unlink(m);
    free(m);
}

void
kube_jobs_pod_gone(struct kube_jobs *j, const char *namespace, const char *name)
{
    char key[KUBE_KEY_MAX];
    kube_jobs_drop_pod(j, key, kube_jobs_key(key, namespace, name));
}

/* --- objects -------------------------------------------------------------------------------------
 */

void
kube_jobs_object(struct kube_jobs *j, const struct kube_job *o, const char *kind, int source,
                 uint64_t round)
{
    if (o->owned)
        return;
    struct kube_known *k = kube_jobs_get(j, o->namespace, o->name);
    if (!k)
        return;
    if (strcmp(k->uid, o->uid)) { /* another under the same name: another document */
        *k->id = 0;
        k->gone = k->had_pods = false;
        k->last = JOB_PENDING;
        k->hash = 0;
    }
    str_copy(k->uid, sizeof k->uid, o->uid);
    str_copy(k->kind, sizeof k->kind, kind);
    str_copy(k->reason, sizeof k->reason, o->reason);
    k->source = source;
    k->round = round;
    k->known = o->known;
    k->state = o->state;
    k->start_ms = o->start_ms;
    k->end_ms = o->end_ms;
    k->had_pods |= k->pod_count > 0;
    kube_jobs_touch(j, k);
}

static void
kube_jobs_lose(struct kube_jobs *j, struct kube_known *k)
{
    k->gone = true;
    k->source = 0;
    kube_jobs_touch(j, k);
}

void
kube_jobs_object_gone(struct kube_jobs *j, const char *namespace, const char *name)
{
    char key[KUBE_KEY_MAX];
    struct kube_known *k = map_get(j->jobs, key, kube_jobs_key(key, namespace, name));
    if (k && k->source)
        kube_jobs_lose(j, k);
}

void
kube_jobs_sweep(struct kube_jobs *j, int source, uint64_t round)
{
    const char *key;
    char keys[64][KUBE_KEY_MAX];
    size_t pos = 0, len, n;
    void *value;
    while (source && (key = map_next(j->jobs, &pos, &len, &value))) {
        struct kube_known *k = value;
        if (k->source == source && k->round < round)
            kube_jobs_lose(j, k);
    }
    do { /* some at a time: a map does not change under a walk */
        n = pos = 0;
        while (!source && n < 64 && (key = map_next(j->pods, &pos, &len, &value)))
            if (((struct kube_member *)value)->round < round)
                snprintf(keys[n++], KUBE_KEY_MAX, "%.*s", (int)len, key);
        for (size_t i = 0; i < n; i++)
            kube_jobs_drop_pod(j, keys[i], strlen(keys[i]));
    } while (n == 64);
}

void
kube_jobs_whereabouts(const struct kube_jobs *j, const char *namespace, const char *pod,
                      const char **ret_node, const char **ret_job)
{
    char key[KUBE_KEY_MAX];
    const struct kube_member *m = map_get(j->pods, key, kube_jobs_key(key, namespace, pod));
    *ret_node = m ? m->node : "";
    *ret_job = m ? m->job->id : "";
}

/* --- documents -----------------------------------------------------------------------------------
 */

static int
kube_jobs_order(const void *a, const void *b)
{
    const struct kube_member *x = *(struct kube_member *const *)a,
                             *y = *(struct kube_member *const *)b;
    if (x->leader != y->leader)
        return x->leader ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index ? 1 : strcmp(x->name, y->name);
}

struct kube_sum {            /* of a job's pods */
    struct kube_member **at; /* those that hold ranks, in order */
    size_t count, running, succeeded, failed;
    int64_t start_ms, end_ms;
    const struct kube_member *culprit; /* the first that failed */
    unsigned gpus;                     /* of each, 0: they differ */
    bool alone;                        /* each has its node, and its devices from 0 on */
};

static void
kube_jobs_tally(const struct kube_known *k, struct kube_sum *s)
{
    bool accelerated = false;
    for (const struct kube_member *m = k->pods; m; m = m->next)
        accelerated |= m->gpus > 0;
    for (struct kube_member *m = k->pods; m; m = m->next) {
        s->running += m->phase == KUBE_RUNNING;
        s->succeeded += m->phase == KUBE_SUCCEEDED;
        s->failed += m->phase == KUBE_FAILED;
        if (m->start_ms && (!s->start_ms || m->start_ms < s->start_ms))
            s->start_ms = m->start_ms;
        s->end_ms = m->end_ms > s->end_ms ? m->end_ms : s->end_ms;
        if (m->exit_code && (!s->culprit || m->end_ms < s->culprit->end_ms))
            s->culprit = m;
        if (m->phase == KUBE_FAILED && !s->culprit)
            s->culprit = m;
        if (*m->node && (m->gpus || !accelerated)) /* a launcher holds no rank */
            s->at[s->count++] = m;
    }
    qsort(s->at, s->count, sizeof *s->at, kube_jobs_order);
    s->gpus = s->count ? s->at[0]->gpus : 0;
    s->alone = true;
    for (size_t i = 0; i < s->count; i++) {
        if (s->at[i]->gpus != s->gpus)
            s->gpus = 0;
        for (unsigned d = 0; d < s->at[i]->device_count; d++)
            s->alone &= s->at[i]->devices[d] == d;
    }
}

static bool
kube_jobs_node_lost(const struct kube_member *m)
{
    static const char *const reasons[] = {"NodeLost", "NodeShutdown", "NodeAffinity",
                                          "UnexpectedAdmissionError", "Terminated"};
    for (size_t i = 0; m && i < sizeof reasons / sizeof *reasons; i++)
        if (!strcmp(m->reason, reasons[i]))
            return true;
    return false;
}

static enum job_state
kube_jobs_state(const struct kube_known *k, const struct kube_sum *s)
{
    enum job_state state = k->known ? k->state : JOB_PENDING;
    bool ended = k->known && state >= JOB_COMPLETED;
    if (!ended && (k->gone || (k->had_pods && !k->pod_count && !k->source)))
        return k->last >= JOB_COMPLETED                       ? k->last
               : s->succeeded && s->succeeded == k->pod_count ? JOB_COMPLETED
                                                              : JOB_CANCELLED;
    if (!ended && !k->source && k->pod_count) /* nobody but the pods tells */
        state = s->failed && !s->running                       ? JOB_FAILED
                : s->succeeded && s->succeeded == k->pod_count ? JOB_COMPLETED
                                                               : JOB_PENDING;
    if (state == JOB_PENDING && s->running)
        state = JOB_RUNNING;
    return state == JOB_FAILED && kube_jobs_node_lost(s->culprit) ? JOB_NODE_FAIL : state;
}

/* Nodes in the order of ranks, each once; *ret_shared: some hold several pods. */
static void
kube_jobs_nodes(const struct kube_sum *s, struct buf *out, bool *ret_shared)
{
    struct map *seen = map_new(s->count + 1);
    *ret_shared = false;
    for (size_t i = 0; seen && i < s->count; i++) {
        const char *node = s->at[i]->node;
        if (map_get(seen, node, strlen(node))) {
            *ret_shared = true;
            continue;
        }
        map_set(seen, node, strlen(node), s->at[i], NULL);
        buf_printf(out, "%s%s", out->len ? "," : "", node);
    }
    map_free(seen, NULL);
}

/* Which accelerator each rank holds, where the order of nodes alone does not tell it. Pods that
 * share a node hold its devices one after the other, unless it is known which. */
static void
kube_jobs_ranks(const struct kube_sum *s, struct jsonw *w)
{
    struct map *used = map_new(s->count + 1);
    int64_t rank = 0;
    jsonw_key(w, "ranks");
    jsonw_array(w);
    for (size_t i = 0; used && i < s->count; i++) {
        const struct kube_member *m = s->at[i];
        uintptr_t first = (uintptr_t)map_get(used, m->node, strlen(m->node));
        for (unsigned g = 0; g < m->gpus; g++) {
            jsonw_object(w);
            jsonw_kint(w, "rank", rank++);
            jsonw_kstr(w, "node", m->node);
            jsonw_kint(w, "gpu", g < m->device_count ? m->devices[g] : (int64_t)first + g);
            jsonw_end_object(w);
        }
        map_set(used, m->node, strlen(m->node), (void *)(first + m->gpus), NULL);
    }
    jsonw_end_array(w);
    map_free(used, NULL);
}

static void
kube_jobs_label(struct jsonw *w, const char *key, const char *value)
{
    if (*value)
        jsonw_kstr(w, key, value);
}

static void
kube_jobs_labels(const struct kube_known *k, const struct kube_sum *s, struct jsonw *w)
{
    jsonw_key(w, "labels");
    jsonw_object(w);
    jsonw_kstr(w, "scheduler", "kubernetes");
    jsonw_kstr(w, "namespace", k->namespace);
    kube_jobs_label(w, "kind", *k->kind ? k->kind : k->framework);
    kube_jobs_label(w, "uid", k->uid);
    kube_jobs_label(w, "reason",
                    s->culprit && *s->culprit->reason ? s->culprit->reason : k->reason);
    if (s->culprit)
        jsonw_kstr(w, "failed_pod", s->culprit->name);
    jsonw_end_object(w);
}

static void
kube_jobs_document(struct kube_known *k, struct kube_sum *s, struct buf *out)
{
    struct jsonw w;
    struct buf nodes;
    bool shared;
    enum job_state state = k->last = kube_jobs_state(k, s);
    int64_t start = k->start_ms ? k->start_ms : s->start_ms, end = k->end_ms   ? k->end_ms
                                                                   : s->end_ms ? s->end_ms
                                                                               : start;
    buf_init(&nodes, (size_t)1 << 20);
    kube_jobs_nodes(s, &nodes, &shared);
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", k->id);
    jsonw_kstr(&w, "name", k->name);
    kube_jobs_label(&w, "user", k->user);
    kube_jobs_label(&w, "tenant", k->tenant);
    jsonw_kstr(&w, "state", job_state_word(state));
    if (nodes.len)
        jsonw_kstr(&w, "nodes", buf_str(&nodes));
    if (s->gpus && !shared)
        jsonw_kint(&w, "gpus_per_node", s->gpus);
    if (s->count && (shared || !s->alone || !s->gpus))
        kube_jobs_ranks(s, &w);
    if (state != JOB_PENDING && start)
        jsonw_ktime(&w, "start", start);
    jsonw_ktime(&w, "end", state >= JOB_COMPLETED ? (end > start ? end : start) : 0);
    jsonw_key(&w, "exit_code");
    if (state >= JOB_COMPLETED && (s->culprit || state == JOB_COMPLETED))
        jsonw_int(&w, s->culprit ? s->culprit->exit_code : 0);
    else
        jsonw_null(&w);
    kube_jobs_labels(k, s, &w);
    jsonw_end_object(&w);
    buf_done(&nodes);
}

/* The id that this job has, or the next that is free. */
static void
kube_jobs_name(struct kube_jobs *j, struct kube_known *k)
{
    struct doc *d = NULL;
    struct job held;
    struct err err;
    snprintf(k->id, sizeof k->id, "%.63s.%.100s", k->namespace, k->name);
    if (!*k->uid || job_get(j->store, k->id, &held, &err))
        return;
    if (!doc_parse_json(held.json, strlen(held.json), "job", &d, &err)) {
        const char *uid = doc_get_str(doc_get(doc_root(d), "labels"), "uid", "");
        if (strcmp(uid, k->uid) && (*uid || held.state >= JOB_COMPLETED))
            snprintf(k->id, sizeof k->id, "%.63s.%.100s.%.8s", k->namespace, k->name, k->uid);
    }
    doc_free(d);
    job_done(&held);
}

/* Gives one document when it says something new; a job that is no more is forgotten after it. */
static bool
kube_jobs_give(struct kube_jobs *j, struct kube_known *k, char ret_id[KUBE_ID_MAX + 1],
               struct buf *ret)
{
    struct kube_sum s = {.at = calloc(k->pod_count + 1, sizeof *s.at)};
    k->dirty = false;
    j->dirty--;
    if (!s.at)
        return false;
    if (!*k->id)
        kube_jobs_name(j, k);
    buf_reset(ret);
    kube_jobs_tally(k, &s);
    kube_jobs_document(k, &s, ret);
    free(s.at);
    uint64_t hash = map_hash(buf_str(ret), ret->len);
    bool news = hash != k->hash && !ret->failed;
    k->hash = hash;
    snprintf(ret_id, KUBE_ID_MAX + 1, "%s", k->id);
    if (!k->pods && !k->source) {
        char key[KUBE_KEY_MAX];
        free(map_remove(j->jobs, key, kube_jobs_key(key, k->namespace, k->name)));
    }
    return news;
}

bool
kube_jobs_next(struct kube_jobs *j, char ret_id[KUBE_ID_MAX + 1], struct buf *ret_json)
{
    size_t len;
    void *value;
    while (j->dirty) {
        struct kube_known *k = NULL;
        while (map_next(j->jobs, &j->cursor, &len, &value))
            if (((struct kube_known *)value)->dirty) {
                k = value;
                break;
            }
        if (!k)
            j->cursor = 0;
        else if (kube_jobs_give(j, k, ret_id, ret_json))
            return true;
    }
    return false;
}

bool
kube_jobs_has(const struct kube_jobs *j, const char *id)
{
    size_t pos = 0, len;
    void *value;
    while (map_next(j->jobs, &pos, &len, &value))
        if (!strcmp(((struct kube_known *)value)->id, id))
            return true;
    return false;
}

size_t
kube_jobs_count(const struct kube_jobs *j, size_t *ret_pods)
{
    *ret_pods = map_count(j->pods);
    return map_count(j->jobs);
}

uint64_t
kube_jobs_refused(const struct kube_jobs *j)
{
    return j->refused;
}

struct kube_jobs *
kube_jobs_new(struct store *s)
{
    struct kube_jobs *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->store = s;
    j->pods = map_new(KUBE_PODS_MAX);
    j->jobs = map_new(KUBE_JOBS_MAX);
    if (j->pods && j->jobs)
        return j;
    kube_jobs_free(j);
    return NULL;
}

void
kube_jobs_free(struct kube_jobs *j)
{
    if (!j)
        return;
    map_free(j->pods, free);
    map_free(j->jobs, free);
    free(j);
}
