/* inlet: atomics for what the store's thread adds, a mutex for texts. */
#include "collector/inlet.h"

#include "base/clock.h"
#include "base/str.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INLET_REASONS 8u    /* kinds of loss that may wait for the next batch */
#define INLET_RATE_MS 10000 /* the rate shown is that of a window this long */

struct inlet_loss {
    char reason[32];
    uint64_t count;
    int64_t from_ms;
};

struct inlet {
    struct store *store;
    _Atomic uint32_t refs;
    char kind[24], name[128], source[160];
    _Atomic uint64_t accepted, refused, errors;
    _Atomic int64_t last_ms;
    pthread_mutex_t mutex; /* guards what follows */
    struct inlet_loss losses[INLET_REASONS];
    char error[256];
    int64_t window_ms;
    uint64_t window_accepted;
    double rate;
};

struct inlet *
inlet_new(struct store *s, const char *kind, const char *name)
{
    struct inlet *in = calloc(1, sizeof *in);
    if (!in)
        return NULL;
    in->store = s;
    atomic_init(&in->refs, 1);
    str_copy(in->kind, sizeof in->kind, kind);
    str_copy(in->name, sizeof in->name, name);
    snprintf(in->source, sizeof in->source, "%s%s%s", kind, strcmp(kind, name) ? ":" : "",
             strcmp(kind, name) ? name : "");
    pthread_mutex_init(&in->mutex, NULL);
    in->window_ms = clock_now_ms(store_clock(s));
    return in;
}

void
inlet_put(struct inlet *in)
{
    if (!in || atomic_fetch_sub(&in->refs, 1) > 1)
        return;
    pthread_mutex_destroy(&in->mutex);
    free(in);
}

void
inlet_lost(struct inlet *in, const char *reason, uint64_t count)
{
    int64_t now = clock_now_ms(store_clock(in->store));
    atomic_fetch_add(&in->refused, count);
    pthread_mutex_lock(&in->mutex);
    size_t i = 0;
    while (i < INLET_REASONS - 1 && in->losses[i].count && strcmp(in->losses[i].reason, reason))
        i++;
    if (!in->losses[i].count) {
        str_copy(in->losses[i].reason, sizeof in->losses[i].reason, reason);
        in->losses[i].from_ms = now;
    }
    in->losses[i].count += count;
    pthread_mutex_unlock(&in->mutex);
}

/* Moves waiting losses into the batch. */
static void
inlet_losses_add(struct inlet *in, struct store_batch *b)
{
    int64_t now = clock_now_ms(store_clock(in->store));
    pthread_mutex_lock(&in->mutex);
    for (size_t i = 0; i < INLET_REASONS; i++) {
        struct inlet_loss *l = &in->losses[i];
        struct gap g = {.from_ms = l->from_ms,
                        .to_ms = now,
                        .source = in->source,
                        .reason = l->reason,
                        .count = l->count};
        if (l->count && !store_batch_gap(b, &g))
            *l = (struct inlet_loss){.count = 0};
    }
    pthread_mutex_unlock(&in->mutex);
}

struct inlet_pending { /* a batch under way */
    struct inlet *in;
    uint64_t count;
};

static void
inlet_committed(void *ctx, int rc, const struct store_commit_result *res)
{
    struct inlet_pending *p = ctx;
    struct inlet *in = p->in;
    int64_t now = clock_now_ms(store_clock(in->store));
    if (!rc && res) {
        uint64_t n = res->samples + res->events + res->logs;
        atomic_fetch_add(&in->accepted, n);
        atomic_fetch_add(&in->refused, res->refused + res->too_old);
        if (n)
            atomic_store(&in->last_ms, now);
    } else if (rc) {
        atomic_fetch_add(&in->errors, 1);
        inlet_lost(in, err_name(rc), p->count);
    }
    free(p);
    pthread_mutex_lock(&in->mutex);
    if (now - in->window_ms >= INLET_RATE_MS) {
        uint64_t all = atomic_load(&in->accepted);
        in->rate = (double)(all - in->window_accepted) * 1000 / (double)(now - in->window_ms);
        in->window_accepted = all;
        in->window_ms = now;
    }
    pthread_mutex_unlock(&in->mutex);
    inlet_put(in);
}

void
inlet_submit(struct inlet *in, struct store_batch *b, uint64_t count)
{
    struct inlet_pending *p = malloc(sizeof *p);
    if (!p) {
        inlet_lost(in, err_name(ERR_NOMEM), count);
        store_batch_free(b);
        return;
    }
    *p = (struct inlet_pending){in, count};
    inlet_losses_add(in, b);
    store_batch_origin(b, in->source);
    atomic_fetch_add(&in->refs, 1);
    int rc = store_submit(in->store, b, inlet_committed, p);
    if (rc) { /* refused at the door: the callback never comes */
        free(p);
        atomic_fetch_add(&in->errors, 1);
        inlet_lost(in, err_name(rc), count);
        inlet_put(in);
    }
}

void
inlet_state(struct inlet *in, const char *error)
{
    pthread_mutex_lock(&in->mutex);
    str_copy(in->error, sizeof in->error, error ? error : "");
    pthread_mutex_unlock(&in->mutex);
    if (error)
        atomic_fetch_add(&in->errors, 1);
}

bool
inlet_failing(struct inlet *in)
{
    pthread_mutex_lock(&in->mutex);
    bool failing = *in->error;
    pthread_mutex_unlock(&in->mutex);
    return failing;
}

void
inlet_json(struct inlet *in, struct jsonw *w)
{
    int64_t last = atomic_load(&in->last_ms);
    pthread_mutex_lock(&in->mutex);
    jsonw_object(w);
    jsonw_kstr(w, "kind", in->kind);
    jsonw_kstr(w, "name", in->name);
    jsonw_kstr(w, "state", *in->error ? "failing" : last ? "ok" : "idle");
    jsonw_kreal(w, "rate", in->rate);
    jsonw_kint(w, "accepted", (int64_t)atomic_load(&in->accepted));
    jsonw_kint(w, "refused", (int64_t)(atomic_load(&in->refused) + atomic_load(&in->errors)));
    jsonw_ktime(w, "last_seen", last);
    jsonw_kstr(w, "error", *in->error ? in->error : NULL);
    jsonw_end_object(w);
    pthread_mutex_unlock(&in->mutex);
}

struct inlet_counts
inlet_counts(const struct inlet *in)
{
    return (struct inlet_counts){atomic_load(&in->accepted), atomic_load(&in->refused),
                                 atomic_load(&in->errors)};
}

void
inlet_metrics(const char *source, struct inlet_counts n, struct buf *out)
{
    const struct {
        const char *name, *help;
        uint64_t v;
    } rows[] = {
        {"accepted", "Samples, events and lines kept.", n.accepted},
        {"refused", "Samples, events and lines not kept, each in a gap.", n.refused},
        {"errors", "Attempts that failed.", n.errors},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out,
                   "# HELP myriascope_%s_%s_total %s\n# TYPE myriascope_%s_%s_total counter\n"
                   "myriascope_%s_%s_total %llu\n",
                   source, rows[i].name, rows[i].help, source, rows[i].name, source, rows[i].name,
                   (unsigned long long)rows[i].v);
}
