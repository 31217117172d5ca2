/* tasks: one list, oldest run first, and for each node the chain of its tasks. */
#include "store/tasks.h"

#include "base/clock.h"
#include "base/doc.h"
#include "base/map.h"
#include "base/str.h"
#include "store/store_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_KEPT_US 600000000

struct task {
    char run[48], id[48], *node, *json, *result;
    int64_t made_us;
    bool sent;
};
struct tasks {
    pthread_mutex_t mutex;
    struct task *at;
    size_t count, cap, waiting;
    struct map *peers; /* node -> the address it calls from */
};

#define TASKS_NODES 200000

struct tasks *
tasks_new(void)
{
    struct tasks *t = calloc(1, sizeof *t);
    if (t && !(t->peers = map_new(TASKS_NODES))) {
        free(t);
        return NULL;
    }
    if (t)
        pthread_mutex_init(&t->mutex, NULL);
    return t;
}

static void
tasks_drop(struct task *k)
{
    free(k->node);
    free(k->json);
    free(k->result);
}

void
tasks_free(struct tasks *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        tasks_drop(&t->at[i]);
    free(t->at);
    map_free(t->peers, free);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

/* What is old goes; the list is in order of age. */
static void
tasks_forget(struct tasks *t, int64_t now_us)
{
    size_t n = 0;
    while (n < t->count && now_us - t->at[n].made_us > TASKS_KEPT_US) {
        t->waiting -= !t->at[n].sent;
        tasks_drop(&t->at[n++]);
    }
    memmove(t->at, t->at + n, (t->count - n) * sizeof *t->at);
    t->count -= n;
}

static int
tasks_room(struct tasks *t)
{
    if (t->count < t->cap)
        return 0;
    size_t cap = t->cap ? t->cap * 2 : 64;
    struct task *at = t->count < TASKS_MAX ? realloc(t->at, cap * sizeof *at) : NULL;
    if (!at)
        return ERR_LIMIT;
    t->at = at;
    t->cap = cap;
    return 0;
}

int
tasks_add(struct store *s, const char *run, const char *node, const char *id, const char *json)
{
    struct tasks *t = s->tasks;
    int64_t now = clock_mono_us();
    struct task k = {.made_us = now};
    if (strlen(json) > TASKS_TEXT_MAX)
        return ERR_LIMIT;
    str_copy(k.run, sizeof k.run, run);
    str_copy(k.id, sizeof k.id, id);
    k.node = strdup(node);
    k.json = strdup(json);
    pthread_mutex_lock(&t->mutex);
    if (t->count)
        tasks_forget(t, now);
    int rc = k.node && k.json ? tasks_room(t) : ERR_NOMEM;
    if (!rc) {
        t->at[t->count++] = k;
        t->waiting++;
    }
    pthread_mutex_unlock(&t->mutex);
    if (rc)
        tasks_drop(&k);
    return rc;
}

static void
tasks_calls(struct tasks *t, const char *node, const char *peer)
{
    const char *held = map_get(t->peers, node, strlen(node));
    char *copy = held && !strcmp(held, peer) ? NULL : strdup(peer);
    void *old = NULL;
    if (copy && map_set(t->peers, node, strlen(node), copy, &old))
        old = copy;
    free(old);
}

void
tasks_peer(struct store *s, const char *node, char *out, size_t size)
{
    pthread_mutex_lock(&s->tasks->mutex);
    const char *held = map_get(s->tasks->peers, node, strlen(node));
    str_copy(out, size, held ? held : "");
    pthread_mutex_unlock(&s->tasks->mutex);
}

void
tasks_take(struct store *s, const char *node, const char *peer, struct jsonw *w)
{
    struct tasks *t = s->tasks;
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    tasks_calls(t, node, peer);
    for (size_t i = 0; t->waiting && i < t->count; i++) {
        struct task *k = &t->at[i];
        if (k->sent || strcmp(k->node, node))
            continue;
        jsonw_raw(w, k->json, strlen(k->json));
        k->sent = true;
        t->waiting--;
    }
    pthread_mutex_unlock(&t->mutex);
}

void
tasks_result(struct store *s, const char *node, const char *json, size_t len)
{
    struct tasks *t = s->tasks;
    struct doc *d = NULL;
    if (!t || len > TASKS_TEXT_MAX || doc_parse_json(json, len, "result", &d, NULL))
        return;
    const char *run = doc_get_str(doc_root(d), "run", ""), *id = doc_get_str(doc_root(d), "id", "");
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < t->count; i++) {
        struct task *k = &t->at[i];
        if (k->sent && !k->result && !strcmp(k->id, id) && !strcmp(k->run, run) &&
            !strcmp(k->node, node)) {
            k->result = strndup(json, len);
            break;
        }
    }
    pthread_mutex_unlock(&t->mutex);
    doc_free(d);
}

size_t
tasks_each(struct store *s, const char *run,
           void (*cb)(void *ctx, const char *node, const char *task, const char *result), void *ctx)
{
    struct tasks *t = s->tasks;
    size_t open = 0;
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < t->count; i++) {
        const struct task *k = &t->at[i];
        if (strcmp(k->run, run))
            continue;
        open += !k->result;
        if (cb)
            cb(ctx, k->node, k->json, k->result ? k->result : "");
    }
    pthread_mutex_unlock(&t->mutex);
    return open;
}
