/* topo_state: the snapshot in force and what makes it anew.
 *
 * Documents: topo_put_document builds the new base itself and answers when it is in force. Jobs and
 * maintenance: a watcher of the catalog notes the change; the next topo_get lays a new top
 * (milliseconds). Devices: a thread of its own writes what was discovered and builds a new base
 * behind the readers' backs, at most a fifth of the time. Locks, in this order: `build` (one builds
 * a base at a time), `swap` (one lays a top at a time), `lock` (what the fields are); the catalog's
 * commit is never waited for under `swap` or `lock`. */
#include "base/str.h"
#include "base/jsonw.h"
#include "store/catalog_priv.h"
#include "store/store_priv.h"
#include "store/topo_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOPO_PENDING_MAX    200000 /* discoveries waiting to be written; beyond: seen again later */
#define TOPO_SEEN_MAX       2000000
#define TOPO_DISCOVER_BATCH 2000
#define TOPO_PAST_BASES     2

struct topo_found { /* a discovery that waits */
    char *entity, *source;
    struct topo_found *next;
};

struct topo_state {
    struct store *s;
    pthread_mutex_t build, swap, lock;
    pthread_cond_t wake, idle;
    pthread_t thread;
    bool started, stop, busy, hurry;
    struct topo *current;
    struct topo_base *past[TOPO_PAST_BASES];
    uint64_t revision;
    bool top_dirty, base_dirty;
    struct map *jobs;       /* id -> struct topo_source */
    struct map *maintained; /* entity -> (void *)1 on, 2 off: since the base was built */
    struct map *seen;       /* entities told to topo_discovered */
    struct topo_found *pending, **pending_last;
    size_t pending_count;
    uint64_t refused; /* discoveries beyond the ceilings */
};

/* --- the base --------------------------------------------------------------------------------- */

struct topo_reading {
    struct topo_build b;
    uint64_t key;
    const char *except; /* a cluster whose document is not read: its new one follows */
    struct err err;
};

static int
topo_state_read_document(void *ctx, const struct catalog_topology *t)
{
    struct topo_reading *r = ctx;
    if (r->except && strcmp(r->except, t->cluster) == 0)
        return 0;
    r->key = r->key * 1000003 + t->revision;
    int rc = topo_doc_read(&r->b, t->text, t->len, t->name, NULL, &r->err);
    return rc == ERR_NOMEM ? rc
                           : 0; /* one that is no longer understood must not keep the others out */
}

static topo_id
topo_state_owner(struct topo_build *b, const struct entity *e)
{
    char owner[ENTITY_SIZE];
    enum entity_kind k = entity_kind_row(e->kind)->owner;
    topo_id id;
    snprintf(owner, sizeof owner, "%.*s", (int)e->owner_len, e->name);
    if (e->kind == ENTITY_OPTIC) {
        char part[ENTITY_SIZE];
        snprintf(part, sizeof part, "%.*s", (int)e->part_len, e->part);
        if ((id = topo_build_find(b, ENTITY_PORT, owner, part)) != TOPO_NONE ||
            (id = topo_build_find(b, ENTITY_NIC, owner, part)) != TOPO_NONE ||
            (id = topo_build_find(b, ENTITY_SWITCH, owner, NULL)) != TOPO_NONE)
            return id;
        return topo_build_find(b, ENTITY_NODE, owner, NULL);
    }
    if (k == ENTITY_NONE || topo_build_add(b, k, owner, NULL, &id, NULL) < 0)
        return TOPO_NONE;
    return id;
}

static void
topo_state_device_attrs(struct topo_build *b, topo_id id, const struct catalog_doc *d)
{
    static const char *const keys[] = {"vendor", "model", "serial", "address", "role",
                                       "group",  "rail",  "plane",  "netdev",  "pci",
                                       "uuid",   "rack",  NULL};
    struct doc *doc = NULL;
    if (doc_parse_json(d->json, d->json_len, "", &doc, NULL) < 0)
        return;
    const struct doc_node *attributes = doc_get(doc_root(doc), "attributes");
    for (const char *const *k = keys; *k; k++) {
        enum topo_attr_name a = topo_attr_find(*k);
        const char *value = doc_get_str(doc_root(doc), *k, doc_get_str(attributes, *k, ""));
        topo_build_attr(b, id, a,
                        value); /* what a person or an inventory says wins over the plan */
    }
    const char *rack = doc_get_str(doc_root(doc), "rack", "");
    topo_id r;
    if (*rack && b->kinds[id] != ENTITY_RACK &&
        topo_build_add(b, ENTITY_RACK, rack, NULL, &r, NULL) == 0)
        topo_build_edge(b, r, RELATION_CONTAINS, id);
    doc_free(doc);
}

static int
topo_state_read_device(void *ctx, const struct catalog_doc *d)
{
    struct topo_reading *r = ctx;
    char name[ENTITY_SIZE];
    struct entity e;
    topo_id id;
    bool added, retired = strcmp(d->state, "retired") == 0;
    if (entity_parse(d->id, &e, NULL) < 0 ||
        (retired && topo_build_find_text(&r->b, d->id) == TOPO_NONE))
        return 0;
    str_copy(name, sizeof name, e.name);
    int rc = topo_build_add(&r->b, e.kind, name, NULL, &id, &added);
    if (rc < 0)
        return rc == ERR_NOMEM ? rc : 0;
    r->b.flags[id] = (uint8_t)(r->b.flags[id] | TOPO_FLAG_DEVICE |
                               (strcmp(d->state, "maintenance") == 0 ? TOPO_FLAG_MAINTENANCE : 0) |
                               (strcmp(d->state, "discovered") == 0 ? TOPO_FLAG_DISCOVERED : 0) |
                               (added && e.part ? TOPO_FLAG_ORPHAN : 0));
    if (strcmp(d->state, "active") != 0)
        topo_build_attr(&r->b, id, TOPO_ATTR_STATE, d->state);
    topo_state_device_attrs(&r->b, id, d);
    return 0;
}

/* Parts that devices brought get their owners once all are there: an optic's may be a port that
 * came after it. */
static int
topo_state_adopt(struct topo_build *b)
{
    for (topo_id i = 0; i < b->n; i++) {
        struct entity e;
        if (!(b->flags[i] & TOPO_FLAG_ORPHAN) || entity_parse(b->names[i], &e, NULL) < 0)
            continue;
        topo_id owner = topo_state_owner(b, &e);
        int rc = owner == TOPO_NONE ? 0 : topo_build_edge(b, owner, RELATION_CONTAINS, i);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
topo_state_read_devices(struct store *s, struct topo_reading *r)
{
    struct catalog_query q = {.kind = "device", .by_id = true, .limit = 10000};
    char cursor[256] = "", next[256];
    int rc;
    do {
        q.cursor = *cursor ? cursor : NULL;
        rc = catalog_list(s, &q, topo_state_read_device, r, next, &r->err);
        memcpy(cursor, next, sizeof cursor);
    } while (rc >= 0 && *cursor);
    if (rc >= 0)
        rc = catalog_each_found(s, topo_state_read_device, r, &r->err);
    return rc < 0 ? rc : topo_state_adopt(&r->b);
}

/* A base of the documents in force at a time (0: now) and the devices; with `document` instead of
 * its cluster's. */
static int
topo_state_base(struct store *s, int64_t at_ms, const char *cluster,
                const struct catalog_topology *document, struct topo_base **ret, struct err *err)
{
    struct topo_reading r = {.except = cluster};
    int rc = topo_build_init(&r.b);
    if (rc == 0)
        rc = catalog_topology_list(s, at_ms, topo_state_read_document, &r, &r.err);
    if (rc >= 0 && document)
        rc = topo_doc_read(&r.b, document->text, document->len, document->name, NULL, &r.err);
    if (rc >= 0)
        rc = topo_state_read_devices(s, &r);
    if (rc >= 0)
        rc = topo_base_new(&r.b, r.key, ret);
    else
        topo_build_done(&r.b);
    if (rc < 0 && err) {
        *err = r.err;
        if (!err->code)
            err_set(err, rc, "%s while the topology was built", err_text(rc));
    }
    return rc;
}

/* --- the top ---------------------------------------------------------------------------------- */

static int
topo_state_change_order(const void *a, const void *b)
{
    const struct topo_change *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Under lock: copies of what a top is made of. */
static int
topo_state_collect(struct topo_state *st, const struct topo_base *base,
                   struct topo_source ***ret_jobs, size_t *ret_n, struct topo_change **ret_changes,
                   size_t *ret_count)
{
    struct topo_source **jobs = calloc(map_count(st->jobs) + 1, sizeof(struct topo_source *));
    struct topo_change *changes = calloc(map_count(st->maintained) + 1, sizeof *changes);
    size_t pos = 0, n = 0, count = 0, len;
    const char *name;
    void *value;
    if (!jobs || !changes) {
        free(jobs);
        free(changes);
        return ERR_NOMEM;
    }
    while (map_next(st->jobs, &pos, &len, &value))
        jobs[n++] = topo_source_ref(value);
    for (pos = 0; (name = map_next(st->maintained, &pos, &len, &value));) {
        topo_id id = topo_base_find(base, name);
        if (id != TOPO_NONE)
            changes[count++] = (struct topo_change){id, value == (void *)1};
    }
    qsort(changes, count, sizeof *changes, topo_state_change_order);
    *ret_jobs = jobs;
    *ret_n = n;
    *ret_changes = changes;
    *ret_count = count;
    return 0;
}

/* Under `swap`: lays a new top on a base (NULL: the present one) and puts it in force. */
static int
topo_state_lay(struct topo_state *st, struct topo_base *base)
{
    struct topo_source **jobs = NULL;
    struct topo_change *changes = NULL;
    size_t n = 0, count = 0;
    struct topo *t = NULL, *old = NULL;
    pthread_mutex_lock(&st->lock);
    bool was_dirty = st->top_dirty;
    st->top_dirty = false;
    base = topo_base_ref(base ? base : st->current->base);
    int rc = topo_state_collect(st, base, &jobs, &n, &changes, &count);
    pthread_mutex_unlock(&st->lock);
    if (rc == 0)
        rc = topo_new(base, jobs, n, changes, count, &t);
    pthread_mutex_lock(&st->lock);
    if (rc == 0) {
        old = st->current;
        t->revision = ++st->revision;
        t->plan = old && old->base == base ? old->plan : st->revision;
        st->current = t;
    } else {
        st->top_dirty = st->top_dirty || was_dirty;
    }
    pthread_mutex_unlock(&st->lock);
    for (size_t i = 0; i < n; i++)
        topo_source_put(jobs[i]);
    free(jobs);
    free(changes);
    topo_base_put(base);
    topo_put(old);
    return rc;
}

static int
topo_state_swap(struct topo_state *st, struct topo_base *base)
{
    pthread_mutex_lock(&st->swap);
    int rc = topo_state_lay(st, base);
    pthread_mutex_unlock(&st->swap);
    return rc;
}

struct topo *
topo_get(struct store *s)
{
    struct topo_state *st = s->topo;
    pthread_mutex_lock(&st->lock);
    if (st->top_dirty) {
        pthread_mutex_unlock(&st->lock);
        pthread_mutex_lock(&st->swap);
        pthread_mutex_lock(&st->lock);
        bool dirty = st->top_dirty; /* another reader may have been quicker */
        pthread_mutex_unlock(&st->lock);
        if (dirty)
            topo_state_lay(st, NULL);
        pthread_mutex_unlock(&st->swap);
        pthread_mutex_lock(&st->lock);
    }
    struct topo *t = topo_ref(st->current);
    pthread_mutex_unlock(&st->lock);
    return t;
}

/* Builds a base of what is stored now and puts it in force. Under `build`. */
static int
topo_state_rebuild(struct topo_state *st, struct err *err)
{
    struct topo_base *base = NULL;
    pthread_mutex_lock(&st->lock);
    st->base_dirty = false;
    pthread_mutex_unlock(&st->lock);
    int rc = topo_state_base(st->s, 0, NULL, NULL, &base, err);
    if (rc == 0)
        rc = topo_state_swap(st, base);
    topo_base_put(base);
    return rc;
}

/* --- watchers: on the writer's thread --------------------------------------------------------- */

static void
topo_state_job(struct topo_state *st, const struct catalog_doc *d, bool deleted)
{
    struct topo_source *j = NULL;
    void *old = NULL;
    if (!deleted && strcmp(d->state, "running") == 0)
        topo_source_new(d->id, d->json, d->json_len, &j, NULL);
    pthread_mutex_lock(&st->lock);
    if (!j)
        old = map_remove(st->jobs, d->id, strlen(d->id));
    else if (map_set(st->jobs, d->id, strlen(d->id), j, &old) < 0)
        old = j;
    st->top_dirty = st->top_dirty || j || old;
    pthread_mutex_unlock(&st->lock);
    topo_source_put(old);
}

static void
topo_state_device(struct topo_state *st, const struct catalog_doc *d, const char *before,
                  bool deleted)
{
    bool on = !deleted && strcmp(d->state, "maintenance") == 0,
         was = strcmp(before, "maintenance") == 0;
    pthread_mutex_lock(&st->lock);
    if (on != was) {
        map_set(st->maintained, d->id, strlen(d->id), on ? (void *)1 : (void *)2, NULL);
        st->top_dirty = true;
    }
    st->base_dirty = true;
    if (deleted) /* may be discovered again */
        map_remove(st->seen, d->id, strlen(d->id));
    pthread_cond_signal(&st->wake);
    pthread_mutex_unlock(&st->lock);
}

static void
topo_state_watch(void *ctx, const struct catalog_doc *d, const char *before, bool deleted)
{
    if (strcmp(d->kind, "job") == 0)
        topo_state_job(ctx, d, deleted);
    else if (strcmp(d->kind, "device") == 0)
        topo_state_device(ctx, d, before, deleted);
}

/* --- discoveries ------------------------------------------------------------------------------ */

int
topo_discovered(struct store *s, const char *entity, const char *source)
{
    struct topo_state *st = s->topo;
    struct topo_found *f;
    struct topo *t = topo_get(s);
    bool known = topo_find(t, entity) != TOPO_NONE;
    size_t len = strlen(entity);
    int rc = 0;
    topo_put(t);
    if (known)
        return 0;
    if (!entity_ok(entity))
        return ERR_SYNTAX;
    if (!topo_build_holds(entity_kind_of(entity)))
        return 0;
    pthread_mutex_lock(&st->lock);
    if (map_get(st->seen, entity, len))
        goto out;
    rc = ERR_LIMIT;
    if (st->pending_count >= TOPO_PENDING_MAX ||
        map_set(st->seen, entity, len, (void *)1, NULL) < 0 || !(f = calloc(1, sizeof *f))) {
        st->refused++;
        goto out;
    }
    f->entity = strdup(entity);
    f->source = strdup(source ? source : "");
    *st->pending_last = f;
    st->pending_last = &f->next;
    st->pending_count++;
    pthread_cond_signal(&st->wake);
    rc = 0;
out:
    pthread_mutex_unlock(&st->lock);
    return rc;
}

static void
topo_state_found_free(struct topo_found *f)
{
    while (f) {
        struct topo_found *next = f->next;
        free(f->entity);
        free(f->source);
        free(f);
        f = next;
    }
}

static void
topo_state_write_found(struct topo_state *st, struct topo_found *list)
{
    struct catalog_found *at = calloc(TOPO_DISCOVER_BATCH, sizeof *at);
    int64_t now = clock_now_ms(st->s->cfg.clock);
    struct topo_found *f = list;
    while (f && at) {
        size_t n = 0;
        for (; f && n < TOPO_DISCOVER_BATCH; f = f->next)
            if (f->entity && f->source)
                at[n++] = (struct catalog_found){f->entity, f->source, now, false};
        /* what could not be written (disk full) is discovered again after a restart */
        catalog_add_found(st->s, at, n, NULL);
    }
    free(at);
    topo_state_found_free(list);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Under lock: sleeps, but no longer than ms and not when hurried. */
static void
topo_state_pause(struct topo_state *st, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!st->stop && !st->hurry)
        if (pthread_cond_timedwait(&st->wake, &st->lock, &until) == ETIMEDOUT)
            return;
}

/* Under lock: one round of work, outside of it. Returns how long it took, in ms. */
static int64_t
topo_state_round(struct topo_state *st)
{
    struct topo_found *list = st->pending;
    int64_t start = clock_mono_us();
    st->busy = true;
    st->pending = NULL;
    st->pending_last = &st->pending;
    st->pending_count = 0;
    pthread_mutex_unlock(&st->lock);
    topo_state_write_found(st, list);
    pthread_mutex_lock(&st->build);
    pthread_mutex_lock(&st->lock);
    bool dirty = st->base_dirty;
    pthread_mutex_unlock(&st->lock);
    if (dirty)
        topo_state_rebuild(st, NULL);
    pthread_mutex_unlock(&st->build);
    pthread_mutex_lock(&st->lock);
    st->busy = false;
    pthread_cond_broadcast(&st->idle);
    return (clock_mono_us() - start) / 1000;
}

static void *
topo_state_run(void *ctx)
{
    struct topo_state *st = ctx;
    pthread_mutex_lock(&st->lock);
    while (!st->stop) {
        if (!st->pending && !st->base_dirty) {
            st->hurry = false;
            pthread_cond_broadcast(&st->idle);
            pthread_cond_wait(&st->wake, &st->lock);
            continue;
        }
        topo_state_pause(st, 50); /* what comes together is written together */
        int64_t took = topo_state_round(st);
        topo_state_pause(st, took * 4);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

void
topo_settle(struct store *s)
{
    struct topo_state *st = s->topo;
    pthread_mutex_lock(&st->lock);
    while (!st->stop && (st->pending || st->base_dirty || st->busy)) {
        st->hurry = true;
        pthread_cond_signal(&st->wake);
        pthread_cond_wait(&st->idle, &st->lock);
    }
    pthread_mutex_unlock(&st->lock);
    topo_put(topo_get(s));
}

/* --- life ------------------------------------------------------------------------------------- */

static int
topo_state_load_job(void *ctx, const struct catalog_doc *d)
{
    topo_state_job(ctx, d, false);
    return 0;
}

static int
topo_state_load_jobs(struct topo_state *st, struct err *err)
{
    struct catalog_query q = {.kind = "job", .state = "running", .by_id = true, .limit = 1000};
    char cursor[256] = "", next[256];
    int rc;
    do {
        q.cursor = *cursor ? cursor : NULL;
        rc = catalog_list(st->s, &q, topo_state_load_job, st, next, err);
        memcpy(cursor, next, sizeof cursor);
    } while (rc >= 0 && *cursor);
    return rc < 0 ? rc : 0;
}

static void
topo_state_free_source(void *p)
{
    topo_source_put(p);
}

static int
topo_state_init(struct topo_state *st, struct store *s)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&st->build, NULL);
    pthread_mutex_init(&st->swap, NULL);
    pthread_mutex_init(&st->lock, NULL);
    pthread_cond_init(&st->wake, &attr);
    pthread_cond_init(&st->idle, NULL);
    pthread_condattr_destroy(&attr);
    st->s = s;
    st->pending_last = &st->pending;
    st->jobs = map_new(1000000);
    st->maintained = map_new(TOPO_SEEN_MAX);
    st->seen = map_new(TOPO_SEEN_MAX);
    return st->jobs && st->maintained && st->seen ? 0 : ERR_NOMEM;
}

int
topo_state_open(struct store *s, struct err *err)
{
    struct topo_state *st = calloc(1, sizeof *st);
    struct topo_build b;
    struct topo_base *empty = NULL;
    if (!st)
        return err_set(err, ERR_NOMEM, "no memory for the topology");
    s->topo = st;
    int rc = topo_state_init(st, s);
    if (rc == 0 && (rc = topo_build_init(&b)) == 0 && (rc = topo_base_new(&b, 0, &empty)) == 0)
        rc = topo_new(empty, NULL, 0, NULL, 0, &st->current);
    topo_base_put(empty);
    if (rc < 0)
        err_set(err, rc, "no memory for the topology");
    if (rc == 0 && (rc = catalog_watch_states(s, topo_state_watch, st)) < 0)
        err_set(err, rc, "the catalog has too many watchers");
    if (rc == 0 && (rc = topo_state_load_jobs(st, err)) == 0)
        rc = topo_state_rebuild(st, err);
    if (rc == 0 && pthread_create(&st->thread, NULL, topo_state_run, st) != 0)
        rc = err_set(err, ERR_NOMEM, "no thread for the topology");
    if (rc == 0)
        st->started = true;
    else
        topo_state_close(s);
    return rc;
}

void
topo_state_close(struct store *s)
{
    struct topo_state *st = s->topo;
    if (!st)
        return;
    pthread_mutex_lock(&st->lock);
    st->stop = true;
    pthread_cond_broadcast(&st->wake);
    pthread_cond_broadcast(&st->idle);
    pthread_mutex_unlock(&st->lock);
    if (st->started)
        pthread_join(st->thread, NULL);
    catalog_unwatch(s, st);
    topo_state_found_free(st->pending);
    topo_put(st->current);
    for (size_t i = 0; i < TOPO_PAST_BASES; i++)
        topo_base_put(st->past[i]);
    map_free(st->jobs, topo_state_free_source);
    map_free(st->maintained, NULL);
    map_free(st->seen, NULL);
    pthread_mutex_destroy(&st->build);
    pthread_mutex_destroy(&st->swap);
    pthread_mutex_destroy(&st->lock);
    pthread_cond_destroy(&st->wake);
    pthread_cond_destroy(&st->idle);
    free(st);
    s->topo = NULL;
}

/* --- documents -------------------------------------------------------------------------------- */

static int
topo_state_key(void *ctx, const struct catalog_topology *t)
{
    uint64_t *key = ctx;
    *key = *key * 1000003 + t->revision;
    return 0;
}

/* Under `build`: all clusters together first, for names must not clash; then stored; then in force.
 */
static int
topo_state_take(struct topo_state *st, const char *cluster, const struct catalog_topology *document,
                struct err *err)
{
    struct topo_base *base = NULL;
    uint64_t key = 0;
    int rc = topo_state_base(st->s, 0, cluster, document, &base, err);
    if (rc == 0)
        rc = catalog_topology_put(st->s, cluster, document->name, document->text, document->len,
                                  clock_now_ms(st->s->cfg.clock), NULL, err);
    if (rc == 0)
        rc = catalog_topology_list(st->s, 0, topo_state_key, &key, err);
    if (rc >= 0) {
        base->key = key; /* nobody else has it yet */
        rc = topo_state_swap(st, base);
    }
    topo_base_put(base);
    return rc;
}

int
topo_put_document(struct store *s, const char *text, size_t len, const char *name, struct err *err)
{
    struct topo_state *st = s->topo;
    struct catalog_topology document = {
        .name = name && *name ? name : "topology", .text = text, .len = len};
    char cluster[ENTITY_SIZE];
    int rc = topo_doc_cluster_name(text, len, document.name, cluster, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&st->build);
    rc = topo_state_take(st, cluster, &document, err);
    pthread_mutex_unlock(&st->build);
    return rc;
}

struct topo_wanted {
    const char *cluster;
    struct buf *out;
    bool found;
};

static int
topo_state_copy_document(void *ctx, const struct catalog_topology *t)
{
    struct topo_wanted *w = ctx;
    if (w->found || (w->cluster && *w->cluster && strcmp(w->cluster, t->cluster) != 0))
        return 0;
    w->found = true;
    return buf_append(w->out, t->text, t->len);
}

int
topo_get_document(struct store *s, const char *cluster, struct buf *out, struct err *err)
{
    struct topo_wanted w = {.cluster = cluster, .out = out};
    int rc = catalog_topology_list(s, 0, topo_state_copy_document, &w, err);
    if (rc == ERR_LIMIT || rc == ERR_NOMEM)
        return err_set(err, rc, "the topology document is too large");
    if (rc >= 0 && !w.found && cluster && *cluster)
        return err_set(err, ERR_NOTFOUND, "cluster '%s' has no topology document", cluster);
    return rc < 0 ? rc : 0;
}

/* --- the past --------------------------------------------------------------------------------- */

/* Under `build`: the base of the documents in force at a time: the present one, one kept, or one
 * built. */
static int
topo_state_base_at(struct topo_state *st, int64_t t_ms, struct topo_base **ret, struct err *err)
{
    uint64_t key = 0;
    int rc = catalog_topology_list(st->s, t_ms, topo_state_key, &key, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&st->lock);
    *ret = st->current->base->key == key ? topo_base_ref(st->current->base) : NULL;
    pthread_mutex_unlock(&st->lock);
    for (size_t i = 0; i < TOPO_PAST_BASES && !*ret; i++)
        if (st->past[i] && st->past[i]->key == key)
            *ret = topo_base_ref(st->past[i]);
    if (*ret)
        return 0;
    rc = topo_state_base(st->s, t_ms, NULL, NULL, ret, err);
    if (rc < 0)
        return rc;
    topo_base_put(st->past[TOPO_PAST_BASES - 1]);
    memmove(&st->past[1], &st->past[0], (TOPO_PAST_BASES - 1) * sizeof(struct topo_base *));
    st->past[0] = topo_base_ref(*ret);
    return 0;
}

struct topo_jobs_at {
    int64_t t_ms;
    struct topo_source **jobs;
    size_t count, cap;
};

static int
topo_state_job_at(void *ctx, const struct catalog_doc *d)
{
    struct topo_jobs_at *at = ctx;
    struct doc *doc = NULL;
    int64_t end = 0;
    bool ran = strcmp(d->state, "pending") != 0 &&
               doc_parse_json(d->json, d->json_len, "", &doc, NULL) == 0;
    const char *text = doc_get_str(ran ? doc_root(doc) : NULL, "end", NULL);
    ran = ran &&
          (text ? time_parse(text, &end) == 0 && end > at->t_ms : strcmp(d->state, "running") == 0);
    doc_free(doc);
    if (!ran)
        return 0;
    if (at->count == at->cap) {
        size_t cap = at->cap ? at->cap * 2 : 64;
        struct topo_source **jobs = reallocarray(at->jobs, cap, sizeof(struct topo_source *));
        if (!jobs)
            return ERR_NOMEM;
        at->jobs = jobs;
        at->cap = cap;
    }
    if (topo_source_new(d->id, d->json, d->json_len, &at->jobs[at->count], NULL) == 0)
        at->count++;
    return 0;
}

struct topo *
topo_at(struct store *s, int64_t t_ms, struct err *err)
{
    struct topo_state *st = s->topo;
    struct topo_jobs_at at = {.t_ms = t_ms};
    struct topo_base *base = NULL;
    struct topo *t = NULL;
    /* jobs longer than half a year are not looked for */
    struct catalog_query q = {
        .kind = "job", .from_ms = t_ms - 183LL * 86400000, .to_ms = t_ms + 1, .limit = 100000};
    pthread_mutex_lock(&st->build);
    int rc = topo_state_base_at(st, t_ms, &base, err);
    pthread_mutex_unlock(&st->build);
    if (rc == 0 && (rc = catalog_list(s, &q, topo_state_job_at, &at, NULL, err)) >= 0 &&
        (rc = topo_new(base, at.jobs, at.count, NULL, 0, &t)) < 0)
        err_set(err, rc, "no memory for a topology of the past");
    for (size_t i = 0; i < at.count; i++)
        topo_source_put(at.jobs[i]);
    free(at.jobs);
    topo_base_put(base);
    return rc < 0 ? NULL : t;
}
