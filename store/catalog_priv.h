/* catalog_priv: what the catalog's own files share.
 *
 * Expected load: tens of puts a second, thousands at an import; a few hundred reads a second from
 * as many threads. Always true:
 *   1. one connection writes and checkpoints catalog.db; readers are read-only, one thread at a
 * time each;
 *   2. a caller of catalog_apply returns only after the commit that holds its changes is on disk;
 *   3. watchers see changes in the order of commits, after the commit. */
#ifndef STORE_CATALOG_PRIV_H
#define STORE_CATALOG_PRIV_H

#include "base/buf.h"
#include "store/catalog.h"
#include "store/db.h"

#include <pthread.h>

#define CATALOG_ID_MAX       220 /* fits a cursor of 256 with its time */
#define CATALOG_WORD_MAX     64  /* kind, tenant, state */
#define CATALOG_KEY_MAX      255
#define CATALOG_JSON_MAX     (16 << 20)
#define CATALOG_WATCHERS     16
#define CATALOG_STATEMENTS   24 /* prepared statements kept by a connection */
#define CATALOG_IDLE_READERS 8

struct catalog_conn { /* a connection and its prepared statements; used by one thread at a time */
    struct sqlite3 *db;
    struct {
        char *sql;
        struct sqlite3_stmt *stmt;
        uint64_t used;
    } cache[CATALOG_STATEMENTS];
    uint64_t uses;
    struct catalog_conn *next;
};

struct catalog_request; /* a caller's changes, waiting for the commit */

struct catalog {
    struct store *store;
    char *path;
    struct catalog_conn *writer;
    pthread_mutex_t lock; /* queue, idle, watchers */
    pthread_cond_t changed;
    struct catalog_request *first, **last;
    bool leading, closed;
    pthread_t leader;
    struct catalog_conn *idle;
    unsigned idle_count;
    struct {
        void (*cb)(void *ctx, enum catalog_op op, const struct catalog_doc *d);
        void *ctx;
    } watchers[CATALOG_WATCHERS];
    unsigned watcher_count;
    /* Watchers of this floor: told the state before, "" of a new document. */
    struct {
        void (*cb)(void *ctx, const struct catalog_doc *d, const char *before, bool deleted);
        void *ctx;
        bool owned;
    } inside[CATALOG_WATCHERS];
    unsigned inside_count;
};

/* A consistent copy while running; a full check of the file. */
int catalog_backup(struct store *s, const char *path, struct err *err);
int catalog_verify(struct store *s, struct err *err);
/* The catalog of a store: the one place that knows where it hangs. */
struct catalog *catalog_of(const struct store *s);
/* As catalog_watch, with the state the document had before; for this floor. */
int catalog_watch_states(struct store *s,
                         void (*cb)(void *ctx, const struct catalog_doc *d, const char *before,
                                    bool deleted),
                         void *ctx);
/* The same; ctx is freed when the catalog closes. */
int catalog_watch_owned(struct store *s,
                        void (*cb)(void *ctx, const struct catalog_doc *d, const char *before,
                                   bool deleted),
                        void *ctx);

/* --- catalog_db.c: SQLite ------------------------------------------------------------------------
 */
int catalog_db_open(const char *path, bool writer, struct catalog_conn **ret, struct err *err);
void catalog_db_close(struct catalog_conn *c);
int catalog_db_migrate(struct catalog_conn *c, struct err *err);
/* A prepared statement from the cache, reset and without bindings. Owned by the connection. */
int catalog_db_prepare(struct catalog_conn *c, const char *sql, struct sqlite3_stmt **ret,
                       struct err *err);
/* 1 a row, 0 done, else an error. */
int catalog_db_step(struct catalog_conn *c, struct sqlite3_stmt *st, struct err *err);
int catalog_db_error(struct catalog_conn *c, struct err *err);
int catalog_db_verify(struct catalog_conn *c, struct err *err);
/* Readers: taken from the pool, given back. */
int catalog_reader_take(struct catalog *c, struct catalog_conn **ret, struct err *err);
void catalog_reader_give(struct catalog *c, struct catalog_conn *conn);

/* --- catalog_write.c: one change within the open transaction ---------------------------------- */
struct catalog_effect { /* what a change did, for watchers */
    uint64_t revision;
    int64_t updated_ms;
    char before[CATALOG_WORD_MAX];                           /* state before, "" for a new one */
    char tenant[CATALOG_WORD_MAX], key[CATALOG_KEY_MAX + 1]; /* of a deleted one */
};
int catalog_write_change(struct catalog_conn *w, const struct catalog_change *ch, int64_t now_ms,
                         struct catalog_effect *ret, struct err *err);

/* --- found.c: devices that were seen and nobody touched; within the writer's transaction --------
 */
int found_add(struct catalog_conn *c, struct catalog_found *at, size_t n, struct err *err);
/* As a document. ERR_NOTFOUND. */
int found_get(struct catalog_conn *c, const char *id,
              int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, struct err *err);
int found_show(const struct catalog_found *f, int (*cb)(void *ctx, const struct catalog_doc *d),
               void *ctx);
/* The same, and takes it out when cb did well. */
int found_take(struct catalog_conn *c, const char *id,
               int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, struct err *err);
int found_each(struct catalog_conn *c, int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx,
               struct err *err);

/* --- catalog_text.c: full text ---------------------------------------------------------------- */
bool catalog_text_indexed(const char *kind);
/* Words of id and of the values (not keys) of a JSON text. */
void catalog_text_body(const char *id, const char *json, size_t len, struct buf *out);
void catalog_text_tags(const struct catalog_doc *d, struct buf *out);
/* An FTS5 expression for a query; ERR_NOTFOUND when its text holds no word. */
int catalog_text_query(const struct catalog_query *q, struct buf *out);
/* Every word of `words` occurs (ASCII case ignored) in id or json. */
bool catalog_text_match(const char *words, const char *id, const char *json);

/* --- catalog_topo.c: the versioned topology documents ----------------------------------------- */
struct catalog_topology {
    const char *cluster, *name, *text; /* name: of the file it came from, for errors */
    size_t len;
    int64_t from_ms, to_ms; /* to_ms 0: in force */
    uint64_t revision;      /* counts up over all clusters */
};
/* Closes the version in force and adds one. A text equal to the one in force adds nothing. */
int catalog_topology_put(struct store *s, const char *cluster, const char *name, const char *text,
                         size_t len, int64_t from_ms, uint64_t *ret_revision, struct err *err);
/* Ends the version in force (a cluster that is no more). */
int catalog_topology_end(struct store *s, const char *cluster, int64_t at_ms, struct err *err);
/* Those in force at a time (0: now), by cluster; returns their count. */
int catalog_topology_list(struct store *s, int64_t at_ms,
                          int (*cb)(void *ctx, const struct catalog_topology *t), void *ctx,
                          struct err *err);
/* All versions of a cluster, newest first. */
int catalog_topology_versions(struct store *s, const char *cluster,
                              int (*cb)(void *ctx, const struct catalog_topology *t), void *ctx,
                              struct err *err);

/* Runs fn with the write connection as its turn comes, in a transaction of its own. */
int catalog_exclusive(struct store *s,
                      int (*fn)(void *ctx, struct catalog_conn *w, struct err *err), void *ctx,
                      struct err *err);

#endif
