/* statfs: one question at a time, some tens a minute. Always true: `refs` counts the caller and the
 * thread; who leaves last frees. */
#include "agents/statfs.h"

#include "base/err.h"
#include "base/str.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct statfs_helper {
    pthread_mutex_t mutex;
    pthread_cond_t asked, answered;
    char path[4096];
    bool busy, quit;
    int refs, rc;
    struct statvfs st;
};

static void
statfs_leave(struct statfs_helper *h)
{
    bool last = --h->refs == 0;
    pthread_mutex_unlock(&h->mutex);
    if (!last)
        return;
    pthread_mutex_destroy(&h->mutex);
    pthread_cond_destroy(&h->asked);
    pthread_cond_destroy(&h->answered);
    free(h);
}

static void *
statfs_main(void *ctx)
{
    struct statfs_helper *h = ctx;
    pthread_mutex_lock(&h->mutex);
    while (!h->quit) {
        if (!h->busy) {
            pthread_cond_wait(&h->asked, &h->mutex);
            continue;
        }
        pthread_mutex_unlock(&h->mutex);
        struct statvfs st;
        int rc = statvfs(h->path, &st) ? ERR_IO : 0;
        pthread_mutex_lock(&h->mutex);
        h->st = st;
        h->rc = rc;
        h->busy = false;
        pthread_cond_signal(&h->answered);
    }
    statfs_leave(h);
    return NULL;
}

struct statfs_helper *
statfs_new(void)
{
    struct statfs_helper *h = calloc(1, sizeof *h);
    pthread_t thread;
    pthread_attr_t attr;
    if (!h)
        return NULL;
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->asked, &mono);
    pthread_cond_init(&h->answered, &mono);
    h->refs = 2;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)64 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, statfs_main, h);
    pthread_attr_destroy(&attr);
    pthread_condattr_destroy(&mono);
    if (rc) {
        free(h);
        return NULL;
    }
    return h;
}

int
statfs_ask(struct statfs_helper *h, const char *path, int ms, struct statvfs *ret)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&h->mutex);
    int rc = h->busy ? ERR_BUSY : 0, waited = 0;
    if (!rc) {
        str_copy(h->path, sizeof h->path, path);
        h->busy = true;
        pthread_cond_signal(&h->asked);
        while (h->busy && !waited)
            waited = pthread_cond_timedwait(&h->answered, &h->mutex, &until);
        rc = h->busy ? ERR_TIMEOUT : h->rc;
        if (!rc)
            *ret = h->st;
    }
    pthread_mutex_unlock(&h->mutex);
    return rc;
}

void
statfs_free(struct statfs_helper *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->mutex);
    h->quit = true;
    pthread_cond_signal(&h->asked);
    statfs_leave(h);
}
