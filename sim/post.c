/* post: a queue, a thread, a connection. */
#include "sim/post.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/httpc.h"
#include "base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct post_item {
    struct post_item *next;
    char method[8], path[160];
    const char *type, *encoding;
    char *body;
    size_t len;
};

struct post {
    struct post_config cfg;
    char server[256], token[512];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more, less;
    struct post_item *head, *tail;
    unsigned queued;
    bool busy, stop;
    struct post_counts counts;
};

static void
post_item_free(struct post_item *i)
{
    if (i != NULL)
        free(i->body);
    free(i);
}

static int
post_fetch(struct httpc *c, const struct post_config *cfg, const struct post_item *i,
           struct httpc_response *resp, struct err *err)
{
    char url[512], type[96], encoding[64];
    const char *headers[5] = {type};
    int n = 1;
    snprintf(url, sizeof url, "%s%s", cfg->server, i->path);
    snprintf(type, sizeof type, "Content-Type: %s", i->type);
    snprintf(encoding, sizeof encoding, "Content-Encoding: %s",
             i->encoding == NULL ? "" : i->encoding);
    if (i->encoding != NULL)
        headers[n++] = encoding;
    if (i->encoding != NULL && strcmp(i->encoding, "snappy") == 0)
        headers[n++] = "X-Prometheus-Remote-Write-Version: 0.1.0";
    headers[n++] = "Expect:";
    struct httpc_request req = {.method = i->method,
                                .url = url,
                                .body = i->body,
                                .body_len = i->len,
                                .headers = headers,
                                .timeout_ms = 60000,
                                .bearer =
                                    cfg->token != NULL && *cfg->token != 0 ? cfg->token : NULL};
    return httpc_fetch(c, &req, resp, err);
}

/* True when the item is done with, sent or refused for good. */
static bool
post_try(struct post *p, struct httpc *c, const struct post_item *i)
{
    struct httpc_response resp;
    struct err err = {0};
    int rc = post_fetch(c, &p->cfg, i, &resp, &err);
    int status = rc < 0 ? 0 : resp.status;
    bool again = rc < 0 || status == 429 || status >= 500;
    pthread_mutex_lock(&p->lock);
    if (!again && status < 300) {
        p->counts.sent++;
        p->counts.bytes += i->len;
    } else {
        if (rc < 0)
            str_copy(p->counts.last_error, sizeof p->counts.last_error, err.text);
        else
            snprintf(p->counts.last_error, sizeof p->counts.last_error, "%s %.60s: %d %.60s",
                     i->method, i->path, status, buf_str(&resp.body));
        *(again ? &p->counts.retries : &p->counts.failed) += 1;
    }
    pthread_mutex_unlock(&p->lock);
    if (rc >= 0)
        httpc_response_done(&resp);
    return !again;
}

static void
post_pause(struct post *p, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->lock);
    if (!p->stop)
        pthread_cond_timedwait(&p->more, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
}

static struct post_item *
post_take(struct post *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->head == NULL && !p->stop)
        pthread_cond_wait(&p->more, &p->lock);
    struct post_item *i = p->head;
    if (i != NULL) {
        p->head = i->next;
        p->tail = p->head == NULL ? NULL : p->tail;
        p->queued--;
        p->busy = true;
    }
    pthread_cond_broadcast(&p->less);
    pthread_mutex_unlock(&p->lock);
    return i;
}

static bool
post_stopped(struct post *p)
{
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return stop;
}

static void *
post_thread(void *arg)
{
    struct post *p = arg;
    struct httpc *c = httpc_new();
    struct post_item *i;
    while (c != NULL && (i = post_take(p)) != NULL) {
        for (int64_t wait = 200; !post_try(p, c, i) && !post_stopped(p);
             wait = wait < 5000 ? wait * 2 : 5000)
            post_pause(p, wait);
        post_item_free(i);
        pthread_mutex_lock(&p->lock);
        p->busy = false;
        pthread_cond_broadcast(&p->less);
        pthread_mutex_unlock(&p->lock);
    }
    httpc_free(c);
    return NULL;
}

struct post *
post_new(const struct post_config *cfg)
{
    struct post *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->cfg = *cfg;
    str_copy(p->server, sizeof p->server, cfg->server);
    str_copy(p->token, sizeof p->token, cfg->token == NULL ? "" : cfg->token);
    p->cfg.server = p->server;
    p->cfg.token = p->token;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    pthread_cond_init(&p->less, NULL);
    if (pthread_create(&p->thread, NULL, post_thread, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

static void
post_enqueue(struct post *p, struct post_item *i)
{
    struct post_item *old = NULL;
    pthread_mutex_lock(&p->lock);
    while (p->cfg.wait && p->queued >= p->cfg.queue_max && !p->stop)
        pthread_cond_wait(&p->less, &p->lock);
    if (p->queued >= p->cfg.queue_max) {
        old = p->head;
        p->head = old->next;
        p->tail = p->head == NULL ? NULL : p->tail;
        p->queued--;
        p->counts.dropped++;
    }
    if (p->tail != NULL)
        p->tail->next = i;
    else
        p->head = i;
    p->tail = i;
    p->queued++;
    pthread_cond_signal(&p->more);
    pthread_mutex_unlock(&p->lock);
    post_item_free(old);
}

int
post_send(struct post *p, const char *method, const char *path, const char *content_type,
          const char *encoding, struct buf *body)
{
    struct post_item *i = calloc(1, sizeof *i);
    if (i == NULL || body->failed || str_copy(i->path, sizeof i->path, path) >= sizeof i->path) {
        free(i);
        return ERR_LIMIT;
    }
    str_copy(i->method, sizeof i->method, method);
    i->type = content_type;
    i->encoding = encoding;
    i->body = buf_take(body, &i->len);
    post_enqueue(p, i);
    return 0;
}

int
post_once(const struct post_config *cfg, const char *method, const char *path,
          const char *content_type, const void *body, size_t len, struct err *err)
{
    struct httpc *c = httpc_new();
    struct httpc_response resp;
    struct post_item i = {.type = content_type, .len = len};
    char *copy = malloc(len + 1);
    int rc = c == NULL || copy == NULL ? err_set(err, ERR_NOMEM, "no memory for a request") : 0;
    str_copy(i.method, sizeof i.method, method);
    str_copy(i.path, sizeof i.path, path);
    if (rc == 0) {
        memcpy(copy, body, len);
        i.body = copy;
        rc = post_fetch(c, cfg, &i, &resp, err);
    }
    if (rc >= 0) {
        rc = resp.status;
        if (rc >= 300)
            err_set(err, ERR_STATE, "%s %s was answered %d: %.200s", method, path, rc,
                    buf_str(&resp.body));
        httpc_response_done(&resp);
    }
    free(copy);
    httpc_free(c);
    return rc;
}

void
post_counts(struct post *p, struct post_counts *ret)
{
    pthread_mutex_lock(&p->lock);
    *ret = p->counts;
    ret->queued = p->queued;
    pthread_mutex_unlock(&p->lock);
}

bool
post_drain(struct post *p, int64_t wait_ms)
{
    int64_t end = clock_mono_us() + wait_ms * 1000;
    bool idle = false;
    while (!idle) {
        pthread_mutex_lock(&p->lock);
        idle = p->head == NULL && !p->busy;
        pthread_mutex_unlock(&p->lock);
        if (idle || clock_mono_us() > end)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return idle;
}

void
post_free(struct post *p, int64_t wait_ms)
{
    if (p == NULL)
        return;
    post_drain(p, wait_ms);
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    struct post_item *i = p->head;
    p->head = p->tail = NULL;
    pthread_cond_broadcast(&p->more);
    pthread_cond_broadcast(&p->less);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    while (i != NULL) {
        struct post_item *next = i->next;
        post_item_free(i);
        i = next;
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->more);
    pthread_cond_destroy(&p->less);
    free(p);
}
