/* catalog: documents in catalog.db, and the turn-taking of those who write.
 *
 * Group commit without a thread of its own: callers queue their changes; the first that finds
 * nobody leading leads: it takes all that wait, applies each caller's changes in a savepoint of one
 * transaction, commits once, tells the watchers, wakes the callers. See catalog_priv.h for what is
 * always true. */
#include "store/catalog.h"
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATALOG_GROUP 256 /* callers in one commit: bounds how long the first of them waits */

struct catalog_request {
    const struct catalog_change *changes;
    struct catalog_found *found; /* n of them, instead of changes */
    size_t n, failed;
    int (*fn)(void *ctx, struct catalog_conn *w, struct err *err); /* instead of changes */
    void *ctx;
    struct catalog_effect *effects;
    struct err err;
    int rc;
    bool done;
    struct catalog_request *next;
};

struct catalog *
catalog_of(const struct store *s)
{
    return s->catalog;
}

int
catalog_open(struct store *s, const char *folder, struct err *err)
{
    char path[4096];
    struct catalog *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "no memory for the catalog");
    snprintf(path, sizeof path, "%s/catalog.db", folder);
    c->store = s;
    c->last = &c->first;
    c->path = strdup(path);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    s->catalog = c;
    int rc = c->path ? catalog_db_open(path, true, &c->writer, err)
                     : err_set(err, ERR_NOMEM, "no memory");
    if (rc == 0)
        rc = catalog_db_migrate(c->writer, err);
    if (rc < 0)
        catalog_close(s);
    return rc;
}

void
catalog_close(struct store *s)
{
    struct catalog *c = s->catalog;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    while (c->leading || c->first)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    while (c->idle) {
        struct catalog_conn *conn = c->idle;
        c->idle = conn->next;
        catalog_db_close(conn);
    }
    catalog_db_close(c->writer); /* the last connection to close checkpoints */
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    for (unsigned i = 0; i < c->inside_count; i++)
        if (c->inside[i].owned)
            free(c->inside[i].ctx);
    free(c->path);
    free(c);
    s->catalog = NULL;
}

static int
catalog_request_changes(struct catalog *c, struct catalog_request *r)
{
    int64_t now = clock_now_ms(c->store->cfg.clock);
    for (size_t i = 0; i < r->n; i++) {
        int rc = catalog_write_change(c->writer, &r->changes[i], now, &r->effects[i], &r->err);
        if (rc < 0) {
            r->failed = i;
            return rc;
        }
    }
    return 0;
}

/* One caller's changes: all or none. Returns what ends the whole group, 0 else. */
static int
catalog_request_run(struct catalog *c, struct catalog_request *r)
{
    int rc = db_exec(c->writer->db, "SAVEPOINT request", &r->err);
    if (rc < 0)
        return rc;
    r->rc = r->fn      ? r->fn(r->ctx, c->writer, &r->err)
            : r->found ? found_add(c->writer, r->found, r->n, &r->err)
                       : catalog_request_changes(c, r);
    if (r->rc < 0 && sqlite3_get_autocommit(c->writer->db))
        return r->rc; /* SQLite gave the transaction up: disk full, I/O error */
    struct err err;
    if (r->rc < 0 && (rc = db_exec(c->writer->db, "ROLLBACK TO request", &err)) < 0)
        return rc;
    return db_exec(c->writer->db, "RELEASE request", &r->err);
}

/* Runs the group in one transaction; every request has its rc afterwards. */
static void
catalog_group_commit(struct catalog *c, struct catalog_request *group)
{
    struct err err = {0};
    int rc = db_exec(c->writer->db, "BEGIN IMMEDIATE", &err);
    for (struct catalog_request *r = group; r && rc == 0; r = r->next) {
        rc = catalog_request_run(c, r);
        if (rc < 0)
            err = r->err;
    }
    if (rc == 0)
        rc = db_exec(c->writer->db, "COMMIT", &err);
    if (rc == 0)
        return;
    if (!sqlite3_get_autocommit(c->writer->db))
        db_exec(c->writer->db, "ROLLBACK", NULL);
    for (struct catalog_request *r = group; r; r = r->next) {
        if (r->rc == 0) {
            r->rc = rc;
            r->err = err;
            r->failed = 0;
        }
    }
}

static void
catalog_tell(struct catalog *c, enum catalog_op op, const struct catalog_doc *d, const char *before)
{
    bool deleted = op == CATALOG_DELETE;
    pthread_mutex_lock(&c->lock);
    unsigned inside = c->inside_count, watchers = c->watcher_count;
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < inside; i++)
        c->inside[i].cb(c->inside[i].ctx, d, before, deleted);
    for (unsigned i = 0; i < watchers; i++)
        c->watchers[i].cb(c->watchers[i].ctx, op, d);
}

static int
catalog_tell_found(void *ctx, const struct catalog_doc *d)
{
    catalog_tell(ctx, CATALOG_INSERT, d, "");
    return 0;
}

static void
catalog_tell_change(struct catalog *c, const struct catalog_change *ch,
                    const struct catalog_effect *e)
{
    struct catalog_doc d = ch->doc;
    bool deleted = ch->op == CATALOG_DELETE;
    d.tenant = deleted ? e->tenant : d.tenant ? d.tenant : "";
    d.key = deleted ? e->key : d.key ? d.key : "";
    d.state = deleted ? e->before : d.state ? d.state : "";
    d.updated_ms = e->updated_ms;
    d.revision = e->revision;
    if (deleted) {
        d.json = "";
        d.json_len = 0;
    }
    catalog_tell(c, ch->op, &d, e->before);
}

static void
catalog_tell_request(struct catalog *c, const struct catalog_request *r)
{
    for (size_t i = 0; r->changes && i < r->n; i++)
        catalog_tell_change(c, &r->changes[i], &r->effects[i]);
    for (size_t i = 0; r->found && i < r->n; i++)
        if (r->found[i].added)
            found_show(&r->found[i], catalog_tell_found, c);
}

static struct catalog_request *
catalog_group_take(struct catalog *c)
{
    struct catalog_request *group = c->first, *r = group;
    for (unsigned n = 1; r->next && n < CATALOG_GROUP; n++)
        r = r->next;
    c->first = r->next;
    if (!c->first)
        c->last = &c->first;
    r->next = NULL;
    return group;
}

/* With the lock held and nobody leading: serves one group. */
static void
catalog_lead(struct catalog *c)
{
    struct catalog_request *group = catalog_group_take(c);
    c->leading = true;
    c->leader = pthread_self();
    pthread_mutex_unlock(&c->lock);
    catalog_group_commit(c, group);
    for (struct catalog_request *r = group; r; r = r->next)
        if (r->rc == 0)
            catalog_tell_request(c, r);
    pthread_mutex_lock(&c->lock);
    for (struct catalog_request *r = group, *next; r; r = next) {
        next = r->next; /* the owner may go once done is seen, but not before the lock is free */
        r->done = true;
    }
    c->leading = false;
    pthread_cond_broadcast(&c->changed);
}

static int
catalog_request_wait(struct catalog *c, struct catalog_request *r, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    int rc = 0;
    if (c->closed)
        rc = err_set(err, ERR_CLOSED, "the catalog is closed");
    else if (c->leading && pthread_equal(c->leader, pthread_self()))
        rc = err_set(err, ERR_STATE, "a watcher of the catalog may not write to it");
    if (rc < 0) {
        pthread_mutex_unlock(&c->lock);
        return rc;
    }
    *c->last = r;
    c->last = &r->next;
    while (!r->done) {
        if (c->leading)
            pthread_cond_wait(&c->changed, &c->lock);
        else
            catalog_lead(c);
    }
    pthread_mutex_unlock(&c->lock);
    if (r->rc < 0 && err)
        *err = r->err;
    return r->rc;
}

int
catalog_apply(struct store *s, const struct catalog_change *changes, size_t n, size_t *ret_failed,
              struct err *err)
{
    struct catalog_request r = {.changes = changes, .n = n};
    struct catalog_effect one;
    if (n == 0)
        return 0;
    r.effects = n == 1 ? &one : calloc(n, sizeof *r.effects);
    if (!r.effects)
        return err_set(err, ERR_NOMEM, "no memory for %zu changes", n);
    int rc = catalog_request_wait(s->catalog, &r, err);
    if (rc < 0 && ret_failed)
        *ret_failed = r.failed;
    if (r.effects != &one)
        free(r.effects);
    return rc;
}

int
catalog_add_found(struct store *s, struct catalog_found *at, size_t n, struct err *err)
{
    struct catalog_request r = {.found = at, .n = n};
    return n ? catalog_request_wait(s->catalog, &r, err) : 0;
}

int
catalog_each_found(struct store *s, int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx,
                   struct err *err)
{
    struct catalog_conn *conn;
    int rc = catalog_reader_take(s->catalog, &conn, err);
    if (rc < 0)
        return rc;
    rc = found_each(conn, cb, ctx, err);
    catalog_reader_give(s->catalog, conn);
    return rc;
}

int
catalog_exclusive(struct store *s, int (*fn)(void *ctx, struct catalog_conn *w, struct err *err),
                  void *ctx, struct err *err)
{
    struct catalog_request r = {.fn = fn, .ctx = ctx};
    return catalog_request_wait(s->catalog, &r, err);
}

/* Nobody leads meanwhile: VACUUM wants no transaction around it. */
int
catalog_compact(struct store *s, struct err *err)
{
    struct catalog *c = s->catalog;
    pthread_mutex_lock(&c->lock);
    while (c->leading)
        pthread_cond_wait(&c->changed, &c->lock);
    c->leading = true;
    c->leader = pthread_self();
    pthread_mutex_unlock(&c->lock);
    int rc =
        db_exec(c->writer->db, "INSERT INTO doc_text(doc_text) VALUES('optimize'); VACUUM", err);
    if (!rc)
        rc = db_checkpoint(c->writer->db, err);
    pthread_mutex_lock(&c->lock);
    c->leading = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int
catalog_put(struct store *s, const struct catalog_doc *doc, struct err *err)
{
    struct catalog_change ch = {.op = CATALOG_PUT, .doc = *doc};
    return catalog_apply(s, &ch, 1, NULL, err);
}

int
catalog_delete(struct store *s, const char *kind, const char *id, struct err *err)
{
    struct catalog_change ch = {.op = CATALOG_DELETE, .doc = {.kind = kind, .id = id}};
    return catalog_apply(s, &ch, 1, NULL, err);
}

int
catalog_watch(struct store *s,
              void (*cb)(void *ctx, enum catalog_op op, const struct catalog_doc *d), void *ctx)
{
    struct catalog *c = s->catalog;
    int rc = ERR_LIMIT;
    pthread_mutex_lock(&c->lock);
    if (c->watcher_count < CATALOG_WATCHERS) {
        c->watchers[c->watcher_count].cb = cb;
        c->watchers[c->watcher_count++].ctx = ctx;
        rc = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static int
catalog_watch_inside(struct store *s,
                     void (*cb)(void *ctx, const struct catalog_doc *d, const char *before,
                                bool deleted),
                     void *ctx, bool owned)
{
    struct catalog *c = s->catalog;
    int rc = ERR_LIMIT;
    pthread_mutex_lock(&c->lock);
    if (c->inside_count < CATALOG_WATCHERS) {
        c->inside[c->inside_count].cb = cb;
        c->inside[c->inside_count].owned = owned;
        c->inside[c->inside_count++].ctx = ctx;
        rc = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int
catalog_watch_states(struct store *s,
                     void (*cb)(void *ctx, const struct catalog_doc *d, const char *before,
                                bool deleted),
                     void *ctx)
{
    return catalog_watch_inside(s, cb, ctx, false);
}

int
catalog_watch_owned(struct store *s,
                    void (*cb)(void *ctx, const struct catalog_doc *d, const char *before,
                               bool deleted),
                    void *ctx)
{
    return catalog_watch_inside(s, cb, ctx, true);
}

void
catalog_unwatch(struct store *s, const void *ctx)
{
    struct catalog *c = s->catalog;
    unsigned n = 0;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    while (c->leading)
        pthread_cond_wait(&c->changed, &c->lock);
    for (unsigned i = 0; i < c->inside_count; i++)
        if (c->inside[i].ctx != ctx)
            c->inside[n++] = c->inside[i];
    c->inside_count = n;
    n = 0;
    for (unsigned i = 0; i < c->watcher_count; i++)
        if (c->watchers[i].ctx != ctx)
            c->watchers[n++] = c->watchers[i];
    c->watcher_count = n;
    pthread_mutex_unlock(&c->lock);
}

int
catalog_backup(struct store *s, const char *path, struct err *err)
{
    return db_copy(s->catalog->path, path, err);
}

int
catalog_verify(struct store *s, struct err *err)
{
    struct catalog_conn *conn;
    int rc = catalog_reader_take(s->catalog, &conn, err);
    if (rc < 0)
        return rc;
    rc = catalog_db_verify(conn, err);
    catalog_reader_give(s->catalog, conn);
    return rc;
}
