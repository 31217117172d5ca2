/* catalog: everything that is an object rather than a measurement, as documents of a kind in one
 * table.
 *
 * A document: (kind, id) -> JSON text, with the columns that lists filter by. Kinds are words of
 * their owners: "job", "incident", "cluster", "device", "silence", "check", "user", "token",
 * "session", "outbox", "feedback", "setting", ... Revisions count up by one with each put. Every
 * row carries its tenant. */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct catalog_doc {
    const char *kind, *id, *tenant, *state; /* state: free word that lists filter by, may be "" */
    const char *key;    /* second lookup key (entity, parent id, hash), may be "" */
    int64_t time_ms;    /* what lists sort by: opened, started, due */
    int64_t updated_ms; /* set by the catalog */
    uint64_t revision;  /* set by the catalog */
    const char *json;
    size_t json_len;
};

enum catalog_op {
    CATALOG_PUT,
    CATALOG_INSERT /* ERR_EXISTS if there */,
    CATALOG_DELETE,
    CATALOG_PUT_IF /* revision must equal, else ERR_STATE */
};
struct catalog_change {
    enum catalog_op op;
    struct catalog_doc doc;
};
/* All or none, durable on return. On failure *ret_failed (may be NULL) is the index of the change
 * that failed. */
int catalog_apply(struct store *s, const struct catalog_change *changes, size_t n,
                  size_t *ret_failed, struct err *err);
int catalog_put(struct store *s, const struct catalog_doc *doc, struct err *err);
int catalog_delete(struct store *s, const char *kind, const char *id,
                   struct err *err); /* ERR_NOTFOUND */

/* Devices that were seen and nobody touched: a few bytes each, beside the documents. catalog_get
 * and watchers see documents of kind "device" and state "discovered" in them, catalog_list does
 * not; a change makes a document of one. What is there already is left as it is. Puts `at` in order
 * and tells what was added. */
struct catalog_found {
    const char *id, *source;
    int64_t time_ms; /* first seen */
    bool added;
};
int catalog_add_found(struct store *s, struct catalog_found *at, size_t n, struct err *err);
/* All of them, by id. cb < 0 ends it and is returned. */
int catalog_each_found(struct store *s, int (*cb)(void *ctx, const struct catalog_doc *d),
                       void *ctx, struct err *err);

/* Valid during cb only. 0 or ERR_NOTFOUND. */
int catalog_get(struct store *s, const char *kind, const char *id,
                int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, struct err *err);
char *catalog_get_json(struct store *s, const char *kind, const char *id,
                       struct err *err); /* malloc'ed text, NULL */

struct catalog_query {
    const char *kind;
    const char *tenant, *state, *key; /* NULL or "": any; state may be "a|b" */
    const char
        *id_prefix;   /* ids that begin so, NULL or "": any; a "gpu:" form is fast beside text */
    const char *text; /* words that occur in id or values (prefix search; fast for kinds device,
                       * job; elsewhere any part of the document). Where more than 2,000 match, they
                       * come in the order of entry, newest first, whatever order is asked for. */
    int64_t from_ms, to_ms; /* of time_ms; 0, 0: any */
    const char *cursor;     /* from a former answer's next; NULL: from the start */
    size_t limit;           /* 0: 100 */
    bool ascending;         /* by time_ms then id; else newest first */
    bool by_id;             /* sort by id instead of time */
};
/* Returns the count; ret_next (size 256, may be NULL) is "" at the end. */
int catalog_list(struct store *s, const struct catalog_query *q,
                 int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, char *ret_next,
                 struct err *err);
int64_t catalog_count(struct store *s, const struct catalog_query *q, struct err *err);

/* After each commit, on the writer's thread, for each change: for live views and caches. At most 16
 * watchers. They may read the catalog; a write from within answers ERR_STATE. A deleted document
 * has kind, id, tenant, state, key. */
int catalog_watch(struct store *s,
                  void (*cb)(void *ctx, enum catalog_op op, const struct catalog_doc *d),
                  void *ctx);
/* Takes out every watcher with this ctx; none runs any more on return. */
void catalog_unwatch(struct store *s, const void *ctx);

#endif
