/* kube: follows the pods and jobs of a Kubernetes cluster by its API. Expected load: 20,000 pods,
 * listed once in pages of 500, then watched: some changes a second.
 *
 * One row of kube_watches is one list and one watch: what is there is listed, then the server tells
 * what changes from that version on, with bookmarks so that a watch that ends begins where it was;
 * when the server no longer knows the version (410 Gone), all is listed again. A kind that the
 * cluster does not have is asked for every ten minutes. Answers are read on the pool's thread,
 * documents written on the loop's; the mutex guards what both see. */
#include "base/clock.h"
#include "base/httpc.h"
#include "base/str.h"
#include "collector/inlet.h"
#include "collector/kube_conf.h"
#include "collector/kube_jobs.h"
#include "collector/kube_read.h"
#include "collector/orphans.h"
#include "collector/source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KUBE_TICK_MS    50
#define KUBE_WRITES     4u /* documents a tick: each waits for the disk */
#define KUBE_PAGE       500
#define KUBE_PAGE_MAX   ((size_t)64 << 20)
#define KUBE_LINE_MAX   ((size_t)8 << 20)
#define KUBE_WATCH_S    300
#define KUBE_ABSENT_US  600000000ll
#define KUBE_BACKOFF_US 60000000ll
#define KUBE_PAST_MS    600000 /* events this old are still news at a start */

enum kube_what { KUBE_PODS, KUBE_OBJECTS, KUBE_EVENTS };
static const struct kube_watch_row {
    const char *group, *resource, *kind;
    enum kube_what what;
} kube_rows[] = {
    {"/api/v1", "pods", "Pod", KUBE_PODS}, /* first: source 0 of kube_jobs */
    {"/apis/batch/v1", "jobs", "Job", KUBE_OBJECTS},
    {"/apis/kubeflow.org/v1", "pytorchjobs", "PyTorchJob", KUBE_OBJECTS},
    {"/apis/kubeflow.org/v1", "mpijobs", "MPIJob", KUBE_OBJECTS},
    {"/apis/batch.volcano.sh/v1alpha1", "jobs", "VolcanoJob", KUBE_OBJECTS},
    {"/apis/jobset.x-k8s.io/v1alpha2", "jobsets", "JobSet", KUBE_OBJECTS},
    {"/api/v1", "events", "Event", KUBE_EVENTS},
};
#define KUBE_ROWS (sizeof kube_rows / sizeof *kube_rows)

struct kube;
struct kube_watch {
    struct kube *k;
    const struct kube_watch_row *row;
    int source;
    _Atomic bool busy, listed; /* listed: or known to be absent */
    int64_t due_us;            /* the loop's, while not busy */
    unsigned failures;
    bool watching;      /* what is under way */
    char version[64];   /* resourceVersion, "" list anew */
    char *more;         /* where a list goes on */
    uint64_t round;     /* of the list */
    struct buf line;    /* of a watch, not yet whole */
    bool gone, discard; /* the server forgot the version; the line is too long */
    struct store_batch *batch;
    uint64_t lines;
};

struct kube {
    struct source_env env;
    const struct kube_conf *conf;
    struct kube_want want;
    struct httpc_pool *pool;
    struct loop_timer *timer;
    struct inlet *inlet;
    struct kube_watch watches[KUBE_ROWS];
    pthread_mutex_t mutex; /* guards jobs */
    struct kube_jobs *jobs;
    struct buf json;
    bool reconciled; /* jobs of a former run that are gone were ended */
    _Atomic bool stopping;
    _Atomic uint64_t written, failed, told, lists, changes;
    int64_t began_ms;
};

/* --- lines ---------------------------------------------------------------------------------------
 */

static void
kube_line(struct kube_watch *w, const struct log_line *line)
{
    if (!w->batch && !(w->batch = store_batch_new(w->k->env.store)))
        return;
    if (store_batch_log(w->batch, line) >= 0)
        w->lines++;
}

static void
kube_submit(struct kube_watch *w)
{
    if (w->batch && w->lines)
        inlet_submit(w->k->inlet, w->batch, w->lines);
    else if (w->batch)
        store_batch_free(w->batch);
    atomic_fetch_add(&w->k->told, w->lines);
    w->batch = NULL;
    w->lines = 0;
}

/* Of pods what warns, of nodes everything: as kubectl prints it, which the knowledge base reads. */
static void
kube_event(struct kube_watch *w, const struct doc_node *object)
{
    struct kube_event e;
    const char *node = "", *job = "";
    char text[EVENT_TEXT_MAX];
    if (kube_read_event(object, &e) || e.time_ms < w->k->began_ms - KUBE_PAST_MS)
        return;
    bool of_node = !strcmp(e.kind, "Node"), warning = !strcmp(e.type, "Warning");
    if (!of_node && !warning)
        return;
    if (of_node)
        node = e.name;
    else
        kube_jobs_whereabouts(w->k->jobs, e.namespace, e.name, &node, &job);
    int n = snprintf(text, sizeof text, "%s  %s  %s  %s/%s%s%s  %s", e.type, e.reason, e.component,
                     e.kind, e.namespace, *e.namespace ? "/" : "", e.name, e.text);
    for (int i = 0; i < n && i < (int)sizeof text - 1; i++)
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    struct log_line line = {.time_ms = e.time_ms,
                            .severity = warning ? SEVERITY_WARNING : SEVERITY_INFO,
                            .node = node,
                            .job = job,
                            .source = "kubernetes",
                            .tenant = "",
                            .rank = -1,
                            .text = text};
    kube_line(w, &line);
}

static void
kube_pod(struct kube_watch *w, const struct doc_node *object)
{
    struct kube_pod p;
    const char *node, *job;
    char text[1024];
    if (kube_read_pod(object, &w->k->want, &p) || !kube_jobs_pod(w->k->jobs, &p, w->round) ||
        p.end_ms < w->k->began_ms - KUBE_PAST_MS)
        return;
    kube_jobs_whereabouts(w->k->jobs, p.namespace, p.name, &node, &job);
    snprintf(text, sizeof text,
             "Pod %s/%s on %s: container %s terminated, Reason: %s, exit code %d", p.namespace,
             p.name, *p.node ? p.node : "no node", p.container, *p.reason ? p.reason : "Error",
             p.exit_code);
    struct log_line line = {.time_ms = p.end_ms,
                            .severity = SEVERITY_WARNING,
                            .node = p.node,
                            .job = job,
                            .source = "kubernetes",
                            .tenant = "",
                            .rank = -1,
                            .text = text};
    kube_line(w, &line);
}

/* --- objects -------------------------------------------------------------------------------------
 */

static void
kube_there(struct kube_watch *w, const struct doc_node *object)
{
    struct kube_job o;
    pthread_mutex_lock(&w->k->mutex);
    if (w->row->what == KUBE_PODS)
        kube_pod(w, object);
    else if (w->row->what == KUBE_EVENTS)
        kube_event(w, object);
    else if (!kube_read_job(object, &o))
        kube_jobs_object(w->k->jobs, &o, w->row->kind, w->source, w->round);
    pthread_mutex_unlock(&w->k->mutex);
}

static void
kube_gone(struct kube_watch *w, const struct doc_node *object)
{
    const struct doc_node *meta = doc_get(object, "metadata");
    const char *namespace = doc_get_str(meta, "namespace", ""),
               *name = doc_get_str(meta, "name", "");
    if (strlen(namespace) > KUBE_NAME_MAX || strlen(name) > KUBE_NAME_MAX)
        return;
    if (w->row->what == KUBE_PODS)
        kube_there(w, object); /* its last state counts */
    pthread_mutex_lock(&w->k->mutex);
    if (w->row->what == KUBE_PODS)
        kube_jobs_pod_gone(w->k->jobs, namespace, name);
    else if (w->row->what == KUBE_OBJECTS)
        kube_jobs_object_gone(w->k->jobs, namespace, name);
    pthread_mutex_unlock(&w->k->mutex);
}

/* One line of a watch. */
static void
kube_change(struct kube_watch *w, const char *text, size_t len)
{
    struct doc *d = NULL;
    struct err err;
    if (!len || doc_parse_json(text, len, "watch", &d, &err))
        return;
    const struct doc_node *object = doc_get(doc_root(d), "object");
    const char *type = doc_get_str(doc_root(d), "type", "");
    const char *version = doc_get_str(doc_get(object, "metadata"), "resourceVersion", "");
    if (!strcmp(type, "ERROR")) {
        w->gone = true; /* whatever it is: what is there is asked for again */
    } else if (!strcmp(type, "DELETED")) {
        kube_gone(w, object);
    } else if (!strcmp(type, "ADDED") || !strcmp(type, "MODIFIED")) {
        kube_there(w, object);
    }
    if (*version && !w->gone)
        str_copy(w->version, sizeof w->version, version);
    atomic_fetch_add(&w->k->changes, 1);
    doc_free(d);
}

/* A piece of a watch: lines end where they will. */
static int
kube_data(void *ctx, const char *data, size_t len)
{
    struct kube_watch *w = ctx;
    while (len && !w->gone) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        if (!w->discard && buf_append(&w->line, data, n))
            w->discard = true;
        if (end && w->discard)
            w->gone = true; /* what it said is not known: list again */
        else if (end)
            kube_change(w, buf_str(&w->line), w->line.len);
        if (end)
            buf_reset(&w->line);
        data += n + (end != NULL);
        len -= n + (end != NULL);
    }
    kube_submit(w);
    return w->gone || atomic_load(&w->k->stopping) ? ERR_CLOSED : 0;
}

/* A page of a list. 0 or ERR_SYNTAX. */
static int
kube_page(struct kube_watch *w, const struct httpc_response *resp, struct err *err)
{
    struct doc *d = NULL;
    int rc = doc_parse_json(buf_str(&resp->body), resp->body.len, w->row->resource, &d, err);
    const struct doc_node *meta = rc ? NULL : doc_get(doc_root(d), "metadata");
    const struct doc_node *items = rc ? NULL : doc_get(doc_root(d), "items");
    const char *version = doc_get_str(meta, "resourceVersion", "");
    const char *more = doc_get_str(meta, "continue", "");
    if (!rc && (!*version || !items || (items->kind != DOC_SEQ && items->kind != DOC_NULL)))
        rc = err_set(err, ERR_SYNTAX, "%s: the answer is not a list", w->row->resource);
    for (const struct doc_node *n = !rc && items->kind == DOC_SEQ ? items->first : NULL; n;
         n = n->next)
        kube_there(w, n);
    free(w->more);
    w->more = !rc && *more && strlen(more) < 8192 ? strdup(more) : NULL;
    if (!rc && !w->more) {
        str_copy(w->version, sizeof w->version, version);
        pthread_mutex_lock(&w->k->mutex);
        if (w->row->what != KUBE_EVENTS)
            kube_jobs_sweep(w->k->jobs, w->source, w->round);
        pthread_mutex_unlock(&w->k->mutex);
        atomic_store(&w->listed, true);
        atomic_fetch_add(&w->k->lists, 1);
    }
    doc_free(d);
    kube_submit(w);
    return rc;
}

/* --- questions -----------------------------------------------------------------------------------
 */

static void
kube_failed(struct kube_watch *w, const char *why)
{
    int64_t pause = 1000000ll << (w->failures < 6 ? w->failures : 6);
    w->failures++;
    w->due_us = clock_mono_us() + (pause < KUBE_BACKOFF_US ? pause : KUBE_BACKOFF_US);
    inlet_state(w->k->inlet, why);
}

static void
kube_well(struct kube_watch *w)
{
    if (w->failures)
        inlet_state(w->k->inlet, NULL);
    w->failures = 0;
    w->due_us = clock_mono_us();
}

static void
kube_answered(struct kube_watch *w, int rc, const struct httpc_response *resp,
              const struct err *err)
{
    char why[256];
    struct err bad = {0};
    int status = rc ? 0 : resp->status;
    buf_reset(&w->line);
    w->discard = false;
    if (w->gone || status == 410) {
        w->version[0] = 0;
        free(w->more);
        w->more = NULL;
        w->due_us = clock_mono_us() + 100000;
    } else if (status == 404 && !w->watching) {
        atomic_store(&w->listed, true); /* this cluster has no such kind */
        w->due_us = clock_mono_us() + KUBE_ABSENT_US;
    } else if (rc && !(w->watching && (rc == ERR_TIMEOUT || rc == ERR_CLOSED))) {
        kube_failed(w, err->text);
    } else if (rc) { /* a watch that was cut goes on; one that is cut at once waits a little */
        w->due_us = clock_mono_us() + 1000000;
    } else if (status != 200) {
        snprintf(why, sizeof why, "%s: HTTP status %d%s", w->row->resource, status,
                 status == 401   ? ", the token is refused"
                 : status == 403 ? ", the account may not list and watch them"
                                 : "");
        kube_failed(w, why);
    } else if (!w->watching && kube_page(w, resp, &bad)) {
        kube_failed(w, bad.text);
    } else {
        kube_well(w);
        w->due_us += w->watching ? 100000 : 0;
    }
    w->gone = false;
}

static void
kube_done(void *ctx, int rc, const struct httpc_response *resp, const struct err *err)
{
    struct kube_watch *w = ctx;
    if (!atomic_load(&w->k->stopping))
        kube_answered(w, rc, resp, err);
    kube_submit(w);
    atomic_store(&w->busy, false);
}

static void
kube_url(const struct kube_watch *w, struct buf *out)
{
    const struct kube_conf *c = w->k->conf;
    size_t len = strlen(c->url);
    buf_printf(out, "%.*s%s", (int)(len && c->url[len - 1] == '/' ? len - 1 : len), c->url,
               w->row->group);
    if (c->namespace && *c->namespace)
        buf_printf(out, "/namespaces/%s", c->namespace);
    buf_printf(out, "/%s?", w->row->resource);
    if (w->row->what == KUBE_PODS && c->selector && *c->selector) {
        buf_puts(out, "labelSelector=");
        str_percent_encode(out, c->selector, "");
        buf_putc(out, '&');
    }
    if (!w->watching) {
        buf_printf(out, "limit=%d", KUBE_PAGE);
        if (w->more) {
            buf_puts(out, "&continue=");
            str_percent_encode(out, w->more, "");
        }
        return;
    }
    buf_printf(out,
               "watch=1&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=", KUBE_WATCH_S);
    str_percent_encode(out, w->version, "");
}

static void
kube_ask(struct kube_watch *w)
{
    const struct kube_conf *c = w->k->conf;
    struct buf url, token = {0};
    struct err err = {0};
    size_t n = 0;
    int rc = 0;
    w->watching = *w->version && !w->more;
    if (!w->watching && !w->more)
        w->round++;
    if (c->token_file && *c->token_file && !(rc = file_read(c->token_file, 65536, &token, &err)))
        for (n = token.len; n && strchr(" \t\r\n", buf_str(&token)[n - 1]); n--)
            token.data[n - 1] = 0;
    buf_init(&url, 32768);
    kube_url(w, &url);
    struct httpc_request req = {.url = buf_str(&url),
                                .bearer = n ? buf_str(&token) : NULL,
                                .ca = c->ca,
                                .cert = c->cert,
                                .key = c->key,
                                .insecure = c->insecure,
                                .max_body = w->watching ? 65536 : KUBE_PAGE_MAX,
                                .timeout_ms =
                                    w->watching ? (KUBE_WATCH_S + 30) * 1000 : (unsigned)c->timeout,
                                .data = w->watching ? kube_data : NULL,
                                .data_ctx = w};
    atomic_store(&w->busy, true);
    if (!rc)
        rc = httpc_pool_submit(w->k->pool, &req, kube_done, w);
    if (rc) {
        kube_failed(w, *err.text ? err.text : err_text(rc));
        atomic_store(&w->busy, false);
    }
    buf_done(&url);
    buf_done(&token);
}

/* --- documents -----------------------------------------------------------------------------------
 */

static bool
kube_listed(struct kube *k)
{
    for (size_t i = 0; i < KUBE_ROWS; i++)
        if (!atomic_load(&k->watches[i].listed) && k->watches[i].row->what != KUBE_EVENTS)
            return false;
    return true;
}

/* Some documents; true when there may be more. */
static bool
kube_write(struct kube *k)
{
    char id[KUBE_ID_MAX + 1];
    for (unsigned n = 0; n < KUBE_WRITES; n++) {
        struct err err;
        struct job j;
        pthread_mutex_lock(&k->mutex);
        bool any = kube_jobs_next(k->jobs, id, &k->json);
        pthread_mutex_unlock(&k->mutex);
        if (!any)
            return false;
        int rc = job_put(k->env.store, id, buf_str(&k->json), k->json.len, true, &j, &err);
        if (rc == ERR_NOTFOUND)
            rc = job_put(k->env.store, id, buf_str(&k->json), k->json.len, false, &j, &err);
        if (rc) {
            atomic_fetch_add(&k->failed, 1);
            log_write(k->env.log, LOG_LEVEL_WARNING, "kubernetes: job %s: %s", id, err.text);
        } else {
            atomic_fetch_add(&k->written, 1);
            job_done(&j);
        }
    }
    return true;
}

/* A job that ran when we were last here and of which the cluster has nothing more. */
static void
kube_orphan(void *ctx, const char *id)
{
    struct kube *k = ctx;
    struct err err;
    const char *dot = strchr(id, '.'), *only = k->conf->namespace;
    size_t len = dot ? (size_t)(dot - id) : 0;
    if (only && *only && (strlen(only) != len || strncmp(id, only, len) != 0))
        return;
    pthread_mutex_lock(&k->mutex);
    bool known = kube_jobs_has(k->jobs, id);
    pthread_mutex_unlock(&k->mutex);
    if (!known && orphans_end(k->env.store, id, clock_now_ms(store_clock(k->env.store)),
                              "gone from Kubernetes", &err))
        log_write(k->env.log, LOG_LEVEL_WARNING, "kubernetes: job %s: %s", id, err.text);
}

static void
kube_tick(void *ctx)
{
    struct kube *k = ctx;
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < KUBE_ROWS; i++) {
        struct kube_watch *w = &k->watches[i];
        if (w->row->what == KUBE_EVENTS &&
            (!k->conf->events || !atomic_load(&k->watches[KUBE_PODS].listed)))
            continue; /* whose pods they are is known then */
        if (!atomic_load(&w->busy) && now >= w->due_us)
            kube_ask(w);
    }
    if (!kube_listed(k))
        return;
    if (kube_write(k) || k->reconciled)
        return;
    k->reconciled = true;
    orphans_each(k->env.store, "kubernetes", kube_orphan, k);
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void
kube_stop(void *source)
{
    struct kube *k = source;
    if (!k)
        return;
    if (k->timer)
        loop_timer_close(k->timer);
    atomic_store(&k->stopping, true);
    httpc_pool_free(k->pool);
    for (size_t i = 0; i < KUBE_ROWS; i++) {
        buf_done(&k->watches[i].line);
        free(k->watches[i].more);
        if (k->watches[i].batch)
            store_batch_free(k->watches[i].batch);
    }
    kube_jobs_free(k->jobs);
    inlet_put(k->inlet);
    buf_done(&k->json);
    pthread_mutex_destroy(&k->mutex);
    free(k);
}

static int
kube_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    struct kube *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(err, ERR_NOMEM, "no memory for Kubernetes");
    k->env = *env;
    k->conf = conf;
    k->want = (struct kube_want){k->conf->job_label, k->conf->tenant, k->conf->user};
    k->began_ms = clock_now_ms(store_clock(env->store));
    pthread_mutex_init(&k->mutex, NULL);
    buf_init(&k->json, (size_t)4 << 20);
    for (size_t i = 0; i < KUBE_ROWS; i++) {
        k->watches[i].k = k;
        k->watches[i].row = &kube_rows[i];
        k->watches[i].source = (int)i;
        buf_init(&k->watches[i].line, KUBE_LINE_MAX);
    }
    k->jobs = kube_jobs_new(env->store);
    k->inlet = inlet_new(env->store, "kubernetes", "kubernetes");
    k->pool = httpc_pool_new(KUBE_ROWS + 1, KUBE_ROWS + 1);
    k->timer = loop_timer_open(env->loop, kube_tick, k);
    int rc = 0;
    if (!k->jobs || !k->inlet || !k->pool || !k->timer)
        rc = err_set(err, ERR_NOMEM, "no memory for Kubernetes");
    else if (!str_prefix(k->conf->url, "https://") && !str_prefix(k->conf->url, "http://"))
        rc = err_set(err, ERR_SYNTAX, "kubernetes: url %s is no http or https address",
                     k->conf->url);
    if (rc) {
        kube_stop(k);
        return rc;
    }
    loop_timer_set(k->timer, 0, KUBE_TICK_MS);
    *ret = k;
    return 0;
}

static void
kube_json(void *source, struct jsonw *w)
{
    inlet_json(((struct kube *)source)->inlet, w);
}

static void
kube_metrics(void *source, struct buf *out)
{
    struct kube *k = source;
    size_t pods;
    pthread_mutex_lock(&k->mutex);
    size_t jobs = kube_jobs_count(k->jobs, &pods);
    uint64_t refused = kube_jobs_refused(k->jobs);
    pthread_mutex_unlock(&k->mutex);
    inlet_metrics("kubernetes", inlet_counts(k->inlet), out);
    const struct {
        const char *name, *type, *help;
        uint64_t v;
    } rows[] = {
        {"jobs", "gauge", "Jobs that are known.", jobs},
        {"pods", "gauge", "Their pods.", pods},
        {"jobs_written_total", "counter", "Job documents written.", atomic_load(&k->written)},
        {"jobs_refused_total", "counter", "Pods, jobs and documents not taken.",
         refused + atomic_load(&k->failed)},
        {"lists_total", "counter", "Lists read to their end.", atomic_load(&k->lists)},
        {"changes_total", "counter", "Changes told by watches.", atomic_load(&k->changes)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out,
                   "# HELP myriascope_kubernetes_%s %s\n# TYPE myriascope_kubernetes_%s %s\n"
                   "myriascope_kubernetes_%s %llu\n",
                   rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name,
                   (unsigned long long)rows[i].v);
}

const struct source_ops source_kubernetes = {"kubernetes", kube_conf_rows, sizeof(struct kube_conf),
                                             false,        kube_start,     kube_stop,
                                             kube_json,    kube_metrics,   NULL};
