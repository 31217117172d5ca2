/* httpc_pool: many calls at once, on one thread with a multi handle. Scrapes of thousands of
 * exporters, some tens of deliveries; connections are kept. Always true: each accepted submit is
 * called back exactly once, on the pool's thread, without the lock. */
#include "base/httpc_in.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct httpc_job {
    struct httpc_job *next, **self; /* in the queue or among the running */
    struct httpc_request req;       /* pointers into text and headers */
    char *text;
    const char **headers;
    struct httpc_call call;
    httpc_done *cb;
    void *ctx;
};

struct httpc_pool {
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the queue and stopping */
    struct httpc_job *queue, **queue_end;
    unsigned queued, max_queued;
    bool stopping;
    struct httpc_job *running; /* the thread's own */
    unsigned count, max_running;
};

static void
httpc_job_free(struct httpc_job *j)
{
    if (!j)
        return;
    if (j->call.easy)
        curl_easy_cleanup(j->call.easy);
    httpc_call_done(&j->call);
    free(j->headers);
    free(j->text);
    free(j);
}

/* Copies what *text points to (0-terminated) behind *at, and points there. */
static void
httpc_job_copy(const char **text, char **at)
{
    if (!*text)
        return;
    size_t n = strlen(*text) + 1;
    memcpy(*at, *text, n);
    *text = *at;
    *at += n;
}

static struct httpc_job *
httpc_job_new(const struct httpc_request *req)
{
    struct httpc_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    buf_init(&j->call.resp.body, 0);
    j->req = *req;
    const char **texts[] = {&j->req.method,      &j->req.url,        &j->req.bearer, &j->req.user,
                            &j->req.password,    &j->req.ca,         &j->req.cert,   &j->req.key,
                            &j->req.server_name, &j->req.unix_socket};
    size_t size = req->body_len + 1, headers = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    for (; req->headers && req->headers[headers]; headers++)
        size += strlen(req->headers[headers]) + 1;
    char *at = j->text = malloc(size);
    j->headers = calloc(headers + 1, sizeof *j->headers);
    if (!j->text || !j->headers) {
        httpc_job_free(j);
        return NULL;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        httpc_job_copy(texts[i], &at);
    for (size_t i = 0; i < headers; i++) {
        j->headers[i] = req->headers[i];
        httpc_job_copy(&j->headers[i], &at);
    }
    j->req.headers = j->headers;
    if (req->body)
        j->req.body = memcpy(at, req->body, req->body_len);
    return j;
}

static void
httpc_job_end(struct httpc_pool *p, struct httpc_job *j, int rc, const struct err *err)
{
    if (j->self) {
        *j->self = j->next;
        if (j->next)
            j->next->self = j->self;
        p->count--;
        curl_multi_remove_handle(p->multi, j->call.easy);
    }
    j->cb(j->ctx, rc, &j->call.resp, err);
    httpc_job_free(j);
}

static void
httpc_pool_launch(struct httpc_pool *p, struct httpc_job *j)
{
    struct err err = {0};
    CURL *easy = curl_easy_init();
    int rc = easy ? httpc_call_begin(&j->call, easy, &j->req, &err)
                  : err_set(&err, ERR_NOMEM, "out of memory");
    if (!rc) {
        curl_easy_setopt(easy, CURLOPT_PRIVATE, j);
        if (curl_multi_add_handle(p->multi, easy))
            rc = err_set(&err, ERR_NOMEM, "out of memory");
    }
    if (rc) {
        j->self = NULL;
        httpc_job_end(p, j, rc, &err);
        return;
    }
    j->self = &p->running;
    j->next = p->running;
    if (j->next)
        j->next->self = &j->next;
    p->running = j;
    p->count++;
}

/* The next job that waits, NULL when none does or as many run as may; *ret_stop: the pool ends. */
static struct httpc_job *
httpc_pool_take(struct httpc_pool *p, bool *ret_stop)
{
    struct httpc_job *j = NULL;
    pthread_mutex_lock(&p->lock);
    *ret_stop = p->stopping;
    if (p->queue && (p->count < p->max_running || p->stopping)) {
        j = p->queue;
        p->queue = j->next;
        if (!p->queue)
            p->queue_end = &p->queue;
        p->queued--;
    }
    pthread_mutex_unlock(&p->lock);
    if (j)
        j->self = NULL;
    return j;
}

/* Calls back for what has ended; true when there was any, so that room may be for the next. */
static bool
httpc_pool_reap(struct httpc_pool *p)
{
    bool any = false;
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(p->multi, &left));) {
        struct httpc_job *j = NULL;
        struct err err = {0};
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&j);
        int rc = httpc_call_end(&j->call, code, &err);
        httpc_job_end(p, j, rc, &err);
        any = true;
    }
    return any;
}

static void *
httpc_pool_run(void *ctx)
{
    struct httpc_pool *p = ctx;
    bool stop = false;
    while (!stop) {
        struct httpc_job *j;
        while ((j = httpc_pool_take(p, &stop)) && !stop)
            httpc_pool_launch(p, j);
        int running = 0;
        curl_multi_perform(p->multi, &running);
        bool ended = httpc_pool_reap(p);
        if (j) { /* taken after the stop: ends with the others */
            struct err err;
            httpc_job_end(p, j, err_set(&err, ERR_CLOSED, "the pool is closed"), &err);
        }
        if (!stop && !ended)
            curl_multi_poll(p->multi, NULL, 0, 1000, NULL);
    }
    struct err err;
    err_set(&err, ERR_CLOSED, "the pool is closed");
    for (struct httpc_job *j; (j = httpc_pool_take(p, &stop));)
        httpc_job_end(p, j, ERR_CLOSED, &err);
    while (p->running)
        httpc_job_end(p, p->running, ERR_CLOSED, &err);
    return NULL;
}

struct httpc_pool *
httpc_pool_new(unsigned max_running, unsigned max_queued)
{
    struct httpc_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->max_running = max_running ? max_running : 1;
    p->max_queued = max_queued;
    p->queue_end = &p->queue;
    pthread_mutex_init(&p->lock, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    p->multi = curl_multi_init();
    if (p->multi) {
        curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)p->max_running);
        if (!pthread_create(&p->thread, NULL, httpc_pool_run, p))
            return p;
        curl_multi_cleanup(p->multi);
    }
    curl_global_cleanup();
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

int
httpc_pool_submit(struct httpc_pool *p, const struct httpc_request *req, httpc_done *cb, void *ctx)
{
    struct httpc_job *j = httpc_job_new(req);
    if (!j)
        return ERR_NOMEM;
    j->cb = cb;
    j->ctx = ctx;
    pthread_mutex_lock(&p->lock);
    int rc = p->stopping ? ERR_CLOSED : p->queued >= p->max_queued ? ERR_BUSY : 0;
    if (!rc) {
        *p->queue_end = j;
        p->queue_end = &j->next;
        p->queued++;
    }
    pthread_mutex_unlock(&p->lock);
    if (rc)
        httpc_job_free(j);
    else
        curl_multi_wakeup(p->multi);
    return rc;
}

void
httpc_pool_free(struct httpc_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    curl_multi_wakeup(p->multi);
    pthread_join(p->thread, NULL);
    curl_multi_cleanup(p->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&p->lock);
    free(p);
}
