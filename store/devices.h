/* devices: everything one can point at: what topology documents declare, what was discovered,
 * entered or imported, in one view. A device is an entity; its document (catalog kind "device",
 * only where someone or something said more than the topology) holds state and particulars; each
 * change leaves a row of history (kind "device-history"). Clusters (kind "cluster") are kept the
 * same way, see store/clusters.h. */
#ifndef STORE_DEVICES_H
#define STORE_DEVICES_H

#include "base/buf.h"
#include "base/doc.h"
#include "base/jsonw.h"
#include "store/store.h"
#include "store/topo.h"

/* The view: topology and document together. Strings are never NULL, "" for what nobody said; they
 * are valid during the callback. */
struct device {
    const char *entity, *kind, *name;
    const char *state;                   /* active, maintenance, retired */
    const char *origin;                  /* discovered, topology, manual, import */
    const char *cluster, *rack, *parent; /* parent: an entity */
    const char *vendor, *model, *serial, *firmware, *note, *tenant;
    int64_t maintenance_until_ms, first_seen_ms, updated_ms; /* 0: none */
    const char *attributes;                                  /* JSON object of texts */
};
/* Members entity ... first_seen of an object that the caller has opened, as docs/UI-API.md shows
 * them. */
void device_write(struct jsonw *w, const struct device *d);

/* Changes the members given in `edit` (a JSON or YAML mapping: state cluster rack parent vendor
 * model serial firmware note maintenance_until attributes; null clears); the device is made if
 * absent, with `origin` ("manual"). Unknown members are errors. `who` goes into the history. */
int device_put(struct store *s, const char *entity, const struct doc *d,
               const struct doc_node *edit, const char *origin, const char *who, struct err *err);
/* active, maintenance (until_ms 0: no end) or retired. */
int device_set_state(struct store *s, const char *entity, const char *state, int64_t until_ms,
                     const char *who, const char *text, struct err *err);
/* Forgets document and history; the topology's view stays. ERR_NOTFOUND. */
int device_delete(struct store *s, const char *entity, struct err *err);
int device_get(struct store *s, const char *entity, int (*cb)(void *ctx, const struct device *d),
               void *ctx,
               struct err *err); /* ERR_NOTFOUND when neither topology nor document know it */

struct device_query { /* NULL or "" does not filter; lists by comma: kind, state */
    const char *text; /* words, each of them somewhere in name or particulars */
    const char *kind, *state, *cluster, *rack, *vendor, *origin, *parent, *tenant;
    bool (*keep)(void *ctx, const char *entity); /* a further filter, may be NULL */
    void *ctx;
    const char *cursor;
    size_t limit; /* 0: 100 */
};
/* By kind and name, retired ones of the past last. ret_next has size 256; ret_total (NULL: not
 * counted, faster) is of all pages. Returns the count. 200,000 entities: under 20 ms. */
int device_list(struct store *s, const struct device_query *q,
                int (*cb)(void *ctx, const struct device *d), void *ctx, char *ret_next,
                size_t *ret_total, struct err *err);

/* Newest first: created, edited, maintenance, active, retired, discovered. */
struct device_history {
    int64_t time_ms;
    const char *user, *action, *text;
};
int device_history(struct store *s, const char *entity, size_t limit,
                   int (*cb)(void *ctx, const struct device_history *h), void *ctx,
                   struct err *err);

/* Import: all or nothing. CSV (RFC 4180): a header with `entity` or `kind,name`, then any member;
 * other columns become attributes. YAML: a sequence of devices, or the lists of a topology
 * document. */
struct device_import {
    size_t created, updated, unchanged;
    struct {
        char *entity;
        const char *action;
    } * rows; /* create, update, none; in order */
    size_t row_count;
    struct {
        unsigned line;
        char *message;
    } * errors; /* at most 100 */
    size_t error_count;
};
int device_import(struct store *s, const char *text, size_t len, bool csv, bool dry_run,
                  const char *who, struct device_import *ret, struct err *err);
void device_import_done(struct device_import *r);
/* The devices a query selects as CSV; a cell a spreadsheet would run as a formula is written with a
 * leading '. */
int device_export(struct store *s, const struct device_query *q, struct buf *out, struct err *err);

#endif
