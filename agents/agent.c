/* agent: puts the parts together. Always true: while `busy` only the collecting thread touches the
 * probes and the inventory, otherwise only the pacing one; what others read goes through collect's
 * and the outbox' mutexes. */
#include "agents/agent.h"

#include "agents/collect.h"
#include "agents/logs.h"
#include "agents/outbox.h"
#include "agents/shed.h"
#include "agents/trial.h"
#include "base/clock.h"
#include "base/httpd.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define AGENT_TEXT_MAX      ((size_t)16 << 20)
#define AGENT_INVENTORY_MAX ((size_t)256 << 10)
#define AGENT_INVENTORY_MS  600000 /* how often it is looked at again */
#define AGENT_STARTED       3      /* the turn by which every probe ran, and a batch was sent */

struct agent {
    const struct agent_conf *conf;
    const struct log *log;
    char node[WIRE_AGENT_MAX + 1], spool_dir[4096];
    struct collect *collect;
    struct outbox *outbox; /* NULL: nothing is sent */
    struct logs *logs;     /* NULL: nothing is sent */
    struct trial *trial;   /* NULL: no tests */
    const char *helper;
    struct httpd *httpd; /* NULL: off */
    pthread_mutex_t mutex;
    pthread_cond_t wake, work;
    pthread_t thread, collector;
    bool started, paced, quit, busy, inventory_new;
    struct buf inventory; /* as last sent */
    int64_t inventory_ms, cpu_us;
    double cpu_seconds; /* at cpu_us */
};

/* --- series about itself ---------------------------------------------------------------------- */

static double
agent_seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

/* Of this process, whatever the root of the probes. */
static double
agent_resident(void)
{
    double pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*s %lf", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

/* Of this process and its helpers. */
static double
agent_cpu(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return agent_seconds(&self.ru_utime) + agent_seconds(&self.ru_stime) +
           agent_seconds(&children.ru_utime) + agent_seconds(&children.ru_stime);
}

static void
agent_self(const char *node, struct outbox *o, bool live, struct snap *out)
{
    struct rusage self;
    struct outbox_counts n = {0};
    getrusage(RUSAGE_SELF, &self);
    if (o)
        outbox_counts(o, &n);
    snap_add(out, "myriascope_agent_info", 1, "node", node, "version", PACKAGE_VERSION, NULL);
    snap_add(out, "myriascope_agent_cpu_seconds_total", agent_cpu(), NULL);
    snap_add(out, "myriascope_agent_resident_bytes",
             live ? agent_resident() : (double)self.ru_maxrss * 1024, NULL);
    snap_add(out, "myriascope_agent_spooled_batches", (double)(n.spooled + n.waiting), NULL);
    snap_add(out, "myriascope_agent_sent_batches_total", (double)n.acknowledged, NULL);
    snap_add(out, "myriascope_agent_send_failures_total", (double)n.failures, NULL);
    snap_add(out, "myriascope_agent_dropped_total", (double)n.dropped, NULL);
}

/* --- one collection --------------------------------------------------------------------------- */

static void
agent_name(const char *root, const char *wanted, char out[WIRE_AGENT_MAX + 1])
{
    char path[4200], host[256] = "";
    struct buf text;
    if (wanted && *wanted) {
        str_copy(out, WIRE_AGENT_MAX + 1, wanted);
        return;
    }
    snprintf(path, sizeof path, "%.4000s/proc/sys/kernel/hostname", root);
    if (*root && !file_read(path, 4096, &text, NULL))
        str_copy(host, sizeof host, buf_str(&text));
    else
        gethostname(host, sizeof host - 1);
    if (*root)
        buf_done(&text);
    host[strcspn(host, ".\n")] = 0;
    str_copy(out, WIRE_AGENT_MAX + 1, *host ? host : "localhost");
}

struct agent_once {
    struct collect *collect;
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool ended;
};

static void *
agent_once_main(void *ctx)
{
    struct agent_once *o = ctx;
    collect_run(o->collect, clock_now_ms(NULL), true);
    pthread_mutex_lock(&o->mutex);
    o->ended = true;
    pthread_cond_signal(&o->done);
    pthread_mutex_unlock(&o->mutex);
    return NULL;
}

int
agent_once(const char *root, const char *node, const char *helper, int ms, struct buf *out,
           struct err *err)
{
    /* On the heap, and left there with its thread if a probe hangs: the program ends right after.
     */
    struct agent_once *o = calloc(1, sizeof *o);
    char name[WIRE_AGENT_MAX + 1];
    pthread_t thread;
    struct timespec until;
    struct snap self;
    if (!o)
        return err_set(err, ERR_NOMEM, "no memory");
    agent_name(root, node, name);
    int rc = collect_new(root, name, NULL, NULL, NULL, helper, &o->collect, err);
    if (rc) {
        free(o);
        return rc;
    }
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->done, NULL);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    if (pthread_create(&thread, NULL, agent_once_main, o))
        return err_set(err, ERR_NOMEM, "cannot start a thread");
    pthread_mutex_lock(&o->mutex);
    while (!o->ended && !pthread_cond_timedwait(&o->done, &o->mutex, &until))
        ;
    bool ended = o->ended;
    pthread_mutex_unlock(&o->mutex);
    snap_init(&self);
    agent_self(name, NULL, !*root, &self);
    rc = collect_text(o->collect, &self, out);
    snap_done(&self);
    if (ended) {
        pthread_join(thread, NULL);
        collect_free(o->collect);
        free(o);
    }
    return rc ? err_set(err, rc, "the collection does not fit") : 0;
}

/* --- the collecting thread -------------------------------------------------------------------- */

struct agent_fill {
    struct agent *a;
    int64_t now_ms;
    bool stalled; /* a probe has not come back: there is nothing but `self` */
    struct snap self;
};

static int
agent_fill(void *ctx, struct wire_encoder *e)
{
    struct agent_fill *f = ctx;
    struct agent *a = f->a;
    int n = f->stalled ? 0 : collect_encode(a->collect, a->node, f->now_ms, e);
    int own = n < 0 ? n : snap_encode(&f->self, a->node, f->now_ms, e);
    if (own < 0)
        return own;
    bool told = !f->stalled && a->inventory_new &&
                !wire_encode_inventory(e, a->inventory.data, a->inventory.len);
    return n + own + told;
}

/* Only the collecting thread looks at the inventory, and the sending one while that one rests. */
static void
agent_look(struct agent *a, int64_t now_ms)
{
    struct buf now;
    if (!a->outbox || (a->inventory_ms && now_ms - a->inventory_ms < AGENT_INVENTORY_MS))
        return;
    a->inventory_ms = now_ms;
    buf_init(&now, AGENT_INVENTORY_MAX);
    if (!collect_inventory(a->collect, &now) &&
        (now.len != a->inventory.len || memcmp(now.data, a->inventory.data, now.len) != 0)) {
        struct buf old = a->inventory;
        a->inventory = now;
        a->inventory_new = true;
        now = old;
    }
    buf_done(&now);
}

static void *
agent_collector(void *ctx)
{
    struct agent *a = ctx;
    pthread_mutex_lock(&a->mutex);
    while (!a->quit) {
        if (!a->busy) {
            pthread_cond_wait(&a->work, &a->mutex);
            continue;
        }
        pthread_mutex_unlock(&a->mutex);
        int64_t now_ms = clock_now_ms(NULL);
        collect_run(a->collect, now_ms, false);
        agent_look(a, now_ms);
        pthread_mutex_lock(&a->mutex);
        a->busy = false;
        pthread_cond_signal(&a->wake);
    }
    a->busy = false;
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

static void
agent_send(struct agent *a, int64_t now_ms, bool stalled)
{
    struct agent_fill f = {.a = a, .now_ms = now_ms, .stalled = stalled};
    int64_t since;
    snap_init(&f.self);
    agent_self(a->node, a->outbox, !a->conf->root, &f.self);
    const char *probe = collect_running(a->collect, &since);
    double cpu = agent_cpu();
    int64_t now_us = clock_mono_us();
    if (a->cpu_us) /* share of one processor since the last batch */
        snap_add(&f.self, "myriascope_agent_cpu_ratio",
                 (cpu - a->cpu_seconds) * 1e6 / (double)(now_us - a->cpu_us), NULL);
    a->cpu_us = now_us;
    a->cpu_seconds = cpu;
    if (stalled && probe)
        snap_add(&f.self, "myriascope_agent_probe_stalled_seconds",
                 (double)(clock_mono_us() - since) / 1e6, "probe", probe, NULL);
    int rc = a->outbox ? outbox_batch(a->outbox, agent_fill, &f) : 0;
    snap_done(&f.self);
    if (rc < 0)
        outbox_lost(a->outbox, "batch-failed", now_ms, now_ms, 1);
    else if (!stalled)
        a->inventory_new = false;
}

/* Paces: each interval one collection, waited for at most that long, and one batch, with what came
 * of it or with the news that a probe hangs. */
static void *
agent_main(void *ctx)
{
    struct agent *a = ctx;
    int64_t next_us = clock_mono_us();
    unsigned turns = 0;
    pthread_mutex_lock(&a->mutex);
    while (!a->quit) {
        int64_t now_ms = clock_now_ms(NULL);
        if (++turns == AGENT_STARTED)
            shed_pages(false);
        a->busy = true;
        pthread_cond_signal(&a->work);
        do
            next_us += a->conf->interval * 1000;
        while (next_us <= clock_mono_us());
        struct timespec until = {next_us / 1000000, (next_us % 1000000) * 1000};
        int rc = 0;
        while (!a->quit && a->busy && !rc)
            rc = pthread_cond_timedwait(&a->wake, &a->mutex, &until);
        bool stalled = a->busy;
        if (a->quit && stalled)
            break;
        pthread_mutex_unlock(&a->mutex);
        agent_send(a, now_ms, stalled);
        pthread_mutex_lock(&a->mutex);
        while (!a->quit && !rc)
            rc = pthread_cond_timedwait(&a->wake, &a->mutex, &until);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

/* --- metrics ---------------------------------------------------------------------------------- */

static int
agent_metrics(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct agent *a = ctx;
    struct snap self;
    (void)req;
    resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    snap_init(&self);
    agent_self(a->node, a->outbox, !a->conf->root, &self);
    int rc = collect_text(a->collect, &self, &resp->body);
    snap_done(&self);
    return rc;
}

static int
agent_healthz(void *ctx, const struct httpd_request *req, struct httpd_response *resp)
{
    struct agent *a = ctx;
    int64_t since;
    (void)req;
    const char *probe = collect_running(a->collect, &since);
    int64_t s = (clock_mono_us() - since) / 1000000;
    if (probe && s > 30)
        return httpd_reply_fail(resp, 503, "timeout", "probe %s hangs for %lld s", probe,
                                (long long)s);
    buf_puts(&resp->body, "{\"status\":\"ok\"}");
    return 0;
}

static const struct route agent_routes[] = {
    {.method = "GET",
     .path = "/metrics",
     .role = ROLE_NONE,
     .handler = agent_metrics,
     .help = "All series of the last collection, for Prometheus."},
    {.method = "GET",
     .path = "/healthz",
     .role = ROLE_NONE,
     .handler = agent_healthz,
     .help = "200 while collection goes on, 503 when a probe hangs."},
};

static int
agent_serve(struct agent *a, struct err *err)
{
    struct httpd_config c = {
        .listen = a->conf->listen, .listen_fd = -1, .threads = 1, .connections_max = 16};
    a->httpd = httpd_new(&c);
    if (!a->httpd)
        return err_set(err, ERR_NOMEM, "no memory for the listener");
    int rc = httpd_routes(a->httpd, agent_routes, sizeof agent_routes / sizeof *agent_routes, a);
    return rc ? err_set(err, rc, "cannot serve /metrics") : httpd_start(a->httpd, err);
}

unsigned
agent_port(const struct agent *a)
{
    return a->httpd ? httpd_port(a->httpd) : 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static void
agent_spool_dir(struct agent *a)
{
    const char *state = getenv("STATE_DIRECTORY");
    if (a->conf->spool.dir)
        str_copy(a->spool_dir, sizeof a->spool_dir, a->conf->spool.dir);
    else if (state && *state)
        snprintf(a->spool_dir, sizeof a->spool_dir, "%.*s/spool", (int)strcspn(state, ":"), state);
    else
        str_copy(a->spool_dir, sizeof a->spool_dir, "agent-spool");
}

static int
agent_outbox(struct agent *a, struct err *err)
{
    struct outbox_config c = {.node = a->node,
                              .url = a->conf->server.url,
                              .token_file = a->conf->server.token_file,
                              .ca = a->conf->server.ca,
                              .spool_dir = a->spool_dir,
                              .keep_ms = a->conf->spool.keep,
                              .max_bytes = a->conf->spool.max_size,
                              .log = a->log};
    agent_spool_dir(a);
    if (!a->conf->server.url)
        return 0;
    int rc = outbox_new(&c, &a->outbox, err);
    const char *root = a->conf->root ? a->conf->root : "";
    return rc ? rc
              : logs_new(a->conf, root, a->node, a->spool_dir, a->outbox, a->log, &a->logs, err);
}

int
agent_new(const struct agent_conf *conf, const char *helper, const struct log *log,
          struct agent **ret, struct err *err)
{
    struct agent *a = calloc(1, sizeof *a);
    pthread_condattr_t mono;
    if (!a)
        return err_set(err, ERR_NOMEM, "no memory for the agent");
    a->conf = conf;
    a->log = log;
    a->helper = helper;
    buf_init(&a->inventory, AGENT_INVENTORY_MAX);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->wake, &mono);
    pthread_cond_init(&a->work, NULL);
    pthread_condattr_destroy(&mono);
    const char *root = conf->root ? conf->root : "";
    agent_name(root, conf->node, a->node);
    int rc = collect_new(root, a->node, &conf->probes.disable, conf->probes.nvml, conf->probes.dcmi,
                         helper, &a->collect, err);
    if (!rc)
        rc = agent_outbox(a, err);
    if (!rc && conf->listen)
        rc = agent_serve(a, err);
    if (rc) {
        agent_free(a);
        return rc;
    }
    *ret = a;
    return 0;
}

int
agent_start(struct agent *a, struct err *err)
{
    int rc = a->outbox ? outbox_start(a->outbox, err) : 0;
    if (!rc && a->logs)
        rc = logs_start(a->logs, err);
    bool may = a->conf->tests.allow && !a->conf->root;
    if (!rc && a->outbox)
        rc = trial_new(a->outbox, may ? a->helper : NULL, a->spool_dir, a->log, &a->trial, err);
    if (rc)
        return rc;
    if (pthread_create(&a->collector, NULL, agent_collector, a))
        return err_set(err, ERR_NOMEM, "cannot start a thread");
    a->started = true;
    if (pthread_create(&a->thread, NULL, agent_main, a))
        return err_set(err, ERR_NOMEM, "cannot start a thread");
    a->paced = true;
    return 0;
}

/* The collecting thread may hang in a probe; it is given two seconds and then left alone. */
static bool
agent_stop_collecting(struct agent *a)
{
    struct timespec until;
    if (!a->started)
        return true;
    pthread_mutex_lock(&a->mutex);
    a->quit = true;
    pthread_cond_signal(&a->wake);
    pthread_cond_signal(&a->work);
    pthread_mutex_unlock(&a->mutex);
    if (a->paced)
        pthread_join(a->thread, NULL);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    return !pthread_timedjoin_np(a->collector, NULL, &until);
}

void
agent_free(struct agent *a)
{
    if (!a)
        return;
    bool ended = agent_stop_collecting(a);
    if (a->httpd) {
        httpd_stop(a->httpd);
        httpd_free(a->httpd);
    }
    trial_free(a->trial);
    logs_free(a->logs);
    outbox_free(a->outbox);
    if (!ended)
        return; /* a probe hangs in what the rest belongs to; the program ends now */
    collect_free(a->collect);
    buf_done(&a->inventory);
    pthread_cond_destroy(&a->wake);
    pthread_cond_destroy(&a->work);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}
