/* crew: a list of jobs that have parts left. The caller takes parts of its own job, so that a job
 * is done even when all helpers are with others. */
#include "store/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct crew_job {
    struct crew_job *next;
    void (*fn)(void *, size_t);
    void *ctx;
    size_t parts;
    atomic_size_t taken;
    unsigned helpers; /* at it now; under the lock */
};

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct crew_job *jobs;
    bool ending;
    size_t count;
    pthread_t threads[];
};

static void
crew_work(struct crew_job *j)
{
    size_t part;
    while ((part = atomic_fetch_add(&j->taken, 1)) < j->parts)
        j->fn(j->ctx, part);
}

static void *
crew_main(void *arg)
{
    struct crew *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->ending) {
        struct crew_job *j = c->jobs;
        while (j && j->taken >= j->parts)
            j = j->next;
        if (!j) {
            pthread_cond_wait(&c->work, &c->lock);
            continue;
        }
        j->helpers++;
        pthread_mutex_unlock(&c->lock);
        crew_work(j);
        pthread_mutex_lock(&c->lock);
        if (!--j->helpers)
            pthread_cond_broadcast(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct crew *
crew_new(unsigned helpers)
{
    struct crew *c = calloc(1, sizeof *c + helpers * sizeof *c->threads);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->done, NULL);
    while (c->count < helpers && !pthread_create(&c->threads[c->count], NULL, crew_main, c)) {
        pthread_setname_np(c->threads[c->count], "query");
        c->count++;
    }
    return c;
}

void
crew_free(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->count; i++)
        pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

size_t
crew_size(const struct crew *c)
{
    return c ? c->count + 1 : 1;
}

void
crew_run(struct crew *c, size_t parts, void (*fn)(void *ctx, size_t part), void *ctx)
{
    struct crew_job j = {.fn = fn, .ctx = ctx, .parts = parts};
    if (!c || !c->count || parts < 2) {
        crew_work(&j);
        return;
    }
    pthread_mutex_lock(&c->lock);
    j.next = c->jobs;
    c->jobs = &j;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    crew_work(&j);
    pthread_mutex_lock(&c->lock);
    struct crew_job **at = &c->jobs;
    while (*at != &j)
        at = &(*at)->next;
    *at = j.next;
    while (j.helpers)
        pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
}
