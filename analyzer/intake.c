/* intake: a list under a mutex; one allocation an item, its texts behind it. */
#include "analyzer/intake.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct intake {
    pthread_mutex_t mutex;
    pthread_cond_t some;
    struct intake_item *first, **last;
    size_t bytes;
    bool woken;
    _Atomic uint64_t dropped;
    _Atomic int64_t newest_ms;
};

/* --- copying ---------------------------------------------------------------------------------- */

struct intake_text {
    const char **field;
    const char *from;
    size_t len;
};

static struct intake_item *
intake_item_new(struct intake_text *texts, size_t n, const struct intake_item *like)
{
    size_t size = sizeof(struct intake_item);
    for (size_t i = 0; i < n; i++) {
        texts[i].len = texts[i].from ? strlen(texts[i].from) : 0;
        size += texts[i].len + 1;
    }
    struct intake_item *item = malloc(size);
    if (!item)
        return NULL;
    *item = *like;
    item->size = size;
    item->next = NULL;
    char *p = (char *)(item + 1);
    for (size_t i = 0; i < n; i++) {
        const char **field =
            (const char **)((char *)item + ((const char *)texts[i].field - (const char *)like));
        memcpy(p, texts[i].len ? texts[i].from : "", texts[i].len);
        p[texts[i].len] = 0;
        *field = p;
        p += texts[i].len + 1;
    }
    return item;
}

static struct intake_item *
intake_item_event(const struct event *ev, uint64_t id)
{
    struct intake_item like = {.kind = INTAKE_EVENT, .id = id, .event = *ev};
    struct intake_text texts[] = {
        {&like.event.entity, ev->entity, 0}, {&like.event.code, ev->code, 0},
        {&like.event.source, ev->source, 0}, {&like.event.text, ev->text, 0},
        {&like.event.node, ev->node, 0},     {&like.event.job, ev->job, 0},
        {&like.event.tenant, ev->tenant, 0}, {&like.event.fields, ev->fields, 0}};
    return intake_item_new(texts, sizeof texts / sizeof *texts, &like);
}

static struct intake_item *
intake_item_log(const struct log_line *line)
{
    struct intake_item like = {.kind = INTAKE_LOG, .line = *line};
    struct intake_text texts[] = {{&like.line.node, line->node, 0},
                                  {&like.line.job, line->job, 0},
                                  {&like.line.source, line->source, 0},
                                  {&like.line.tenant, line->tenant, 0},
                                  {&like.line.text, line->text, 0}};
    return intake_item_new(texts, sizeof texts / sizeof *texts, &like);
}

/* --- the queue -------------------------------------------------------------------------------- */

static void
intake_put(struct intake *q, struct intake_item *item)
{
    if (!item) {
        atomic_fetch_add(&q->dropped, 1);
        return;
    }
    pthread_mutex_lock(&q->mutex);
    size_t ceiling = item->kind == INTAKE_LOG ? INTAKE_MAX / 2 : INTAKE_MAX;
    if (q->bytes + item->size > ceiling) {
        pthread_mutex_unlock(&q->mutex);
        atomic_fetch_add(&q->dropped, 1);
        free(item);
        return;
    }
    q->bytes += item->size;
    *q->last = item;
    q->last = &item->next;
    pthread_mutex_unlock(&q->mutex);
}

static void
intake_time(struct intake *q, int64_t t_ms)
{
    if (t_ms > atomic_load(&q->newest_ms))
        atomic_store(&q->newest_ms, t_ms); /* one writer's thread: no race to lose */
}

static void
intake_event(void *ctx, const struct event *ev, uint64_t id)
{
    intake_time(ctx, ev->time_ms);
    intake_put(ctx, intake_item_event(ev, id));
}

static void
intake_log(void *ctx, const struct log_line *line)
{
    intake_time(ctx, line->time_ms);
    intake_put(ctx, intake_item_log(line));
}

static void
intake_samples(void *ctx, uint64_t series, const struct labels *l, const struct sample *s, size_t n)
{
    (void)series, (void)l;
    if (n)
        intake_time(ctx, s[n - 1].t_ms);
}

static void
intake_committed(void *ctx)
{
    struct intake *q = ctx;
    pthread_mutex_lock(&q->mutex);
    if (q->first)
        pthread_cond_signal(&q->some);
    pthread_mutex_unlock(&q->mutex);
}

static void
intake_job(void *ctx, const struct job *j, enum job_state before)
{
    struct event ev = {.time_ms = j->end_ms ? j->end_ms : j->start_ms,
                       .job = j->id,
                       .tenant = j->tenant,
                       .text = j->json};
    struct intake_item *item = intake_item_event(&ev, 0);
    if (item) {
        item->kind = INTAKE_JOB;
        item->before = before;
        item->after = j->state;
    }
    intake_put(ctx, item);
    intake_wake(ctx);
}

void
intake_wake(struct intake *q)
{
    pthread_mutex_lock(&q->mutex);
    q->woken = true;
    pthread_cond_signal(&q->some);
    pthread_mutex_unlock(&q->mutex);
}

struct intake_item *
intake_take(struct intake *q, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&q->mutex);
    while (!q->first && !q->woken && wait_ms > 0)
        if (pthread_cond_timedwait(&q->some, &q->mutex, &until))
            break;
    struct intake_item *list = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->bytes = 0;
    q->woken = false;
    pthread_mutex_unlock(&q->mutex);
    return list;
}

void
intake_items_free(struct intake_item *list)
{
    while (list) {
        struct intake_item *next = list->next;
        free(list);
        list = next;
    }
}

uint64_t
intake_dropped(const struct intake *q)
{
    return atomic_load(&q->dropped);
}

int64_t
intake_newest_ms(const struct intake *q)
{
    return atomic_load(&q->newest_ms);
}

int
intake_new(struct store *s, struct intake **ret, struct err *err)
{
    struct intake *q = calloc(1, sizeof *q);
    pthread_condattr_t attr;
    if (!q)
        return err_set(err, ERR_NOMEM, "no memory for the analyzer's queue");
    q->last = &q->first;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->some, &attr);
    pthread_condattr_destroy(&attr);
    struct store_feed feed = {.event = intake_event,
                              .log = intake_log,
                              .samples = intake_samples,
                              .committed = intake_committed,
                              .ctx = q};
    int rc = store_subscribe(s, &feed);
    if (!rc)
        rc = job_watch(s, intake_job, q);
    if (rc) {
        intake_free(q);
        return err_set(err, rc, "the store takes no more subscribers");
    }
    *ret = q;
    return 0;
}

void
intake_free(struct intake *q)
{
    if (!q)
        return;
    intake_items_free(q->first);
    pthread_cond_destroy(&q->some);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}
