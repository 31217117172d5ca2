/* catalog_topo: topology documents as written, each with the span of time in which it was in force.
 */
#include "store/catalog_priv.h"
#include "store/store_priv.h"

#include <string.h>

struct catalog_topo_put {
    const char *cluster, *name, *text;
    size_t len;
    int64_t at_ms;
    uint64_t revision;
};

static int
catalog_topo_close(struct catalog_conn *w, const char *cluster, int64_t at_ms, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(
        w, "UPDATE topology SET to_ms=max(?2, from_ms + 1) WHERE cluster=?1 AND to_ms=0", &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, cluster);
    sqlite3_bind_int64(st, 2, at_ms);
    if ((rc = catalog_db_step(w, st, err)) < 0)
        return rc;
    return sqlite3_changes(w->db);
}

/* Revision of the text in force when it is the same, else 0. */
static int
catalog_topo_same(struct catalog_conn *w, struct catalog_topo_put *p, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(
        w, "SELECT revision FROM topology WHERE cluster=?1 AND to_ms=0 AND text=?2", &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, p->cluster);
    sqlite3_bind_text64(st, 2, p->text, p->len, SQLITE_STATIC, SQLITE_UTF8);
    if ((rc = catalog_db_step(w, st, err)) == 1)
        p->revision = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return rc;
}

static int
catalog_topo_write(void *ctx, struct catalog_conn *w, struct err *err)
{
    struct catalog_topo_put *p = ctx;
    struct sqlite3_stmt *st;
    int rc = catalog_topo_same(w, p, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = catalog_topo_close(w, p->cluster, p->at_ms, err)) < 0)
        return rc;
    rc = catalog_db_prepare(
        w, "INSERT INTO topology(cluster, name, from_ms, to_ms, text) VALUES(?1, ?2, ?3, 0, ?4)",
        &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, p->cluster);
    db_bind_text(st, 2, p->name);
    sqlite3_bind_int64(st, 3, p->at_ms);
    sqlite3_bind_text64(st, 4, p->text, p->len, SQLITE_STATIC, SQLITE_UTF8);
    if ((rc = catalog_db_step(w, st, err)) < 0)
        return rc;
    p->revision = (uint64_t)sqlite3_last_insert_rowid(w->db);
    return 0;
}

int
catalog_topology_put(struct store *s, const char *cluster, const char *name, const char *text,
                     size_t len, int64_t from_ms, uint64_t *ret_revision, struct err *err)
{
    struct catalog_topo_put p = {cluster, name, text, len, from_ms, 0};
    int rc = catalog_exclusive(s, catalog_topo_write, &p, err);
    if (rc == 0 && ret_revision)
        *ret_revision = p.revision;
    return rc;
}

static int
catalog_topo_end(void *ctx, struct catalog_conn *w, struct err *err)
{
    struct catalog_topo_put *p = ctx;
    int rc = catalog_topo_close(w, p->cluster, p->at_ms, err);
    return rc == 0  ? err_set(err, ERR_NOTFOUND, "cluster %s has no topology document", p->cluster)
           : rc < 0 ? rc
                    : 0;
}

int
catalog_topology_end(struct store *s, const char *cluster, int64_t at_ms, struct err *err)
{
    struct catalog_topo_put p = {.cluster = cluster, .at_ms = at_ms};
    return catalog_exclusive(s, catalog_topo_end, &p, err);
}

static int
catalog_topo_rows(struct catalog_conn *conn, struct sqlite3_stmt *st,
                  int (*cb)(void *ctx, const struct catalog_topology *t), void *ctx,
                  struct err *err)
{
    int count = 0, rc;
    while ((rc = catalog_db_step(conn, st, err)) == 1) {
        struct catalog_topology t = {
            .cluster = (const char *)sqlite3_column_text(st, 0),
            .name = (const char *)sqlite3_column_text(st, 1),
            .text = (const char *)sqlite3_column_text(st, 2),
            .len = (size_t)sqlite3_column_bytes(st, 2),
            .from_ms = sqlite3_column_int64(st, 3),
            .to_ms = sqlite3_column_int64(st, 4),
            .revision = (uint64_t)sqlite3_column_int64(st, 5),
        };
        count++;
        if ((rc = cb(ctx, &t)) < 0)
            return rc;
    }
    return rc < 0 ? rc : count;
}

#define CATALOG_TOPO_COLUMNS "SELECT cluster, name, text, from_ms, to_ms, revision FROM topology"

int
catalog_topology_list(struct store *s, int64_t at_ms,
                      int (*cb)(void *ctx, const struct catalog_topology *t), void *ctx,
                      struct err *err)
{
    struct catalog_conn *conn;
    struct sqlite3_stmt *st;
    int rc = catalog_reader_take(s->catalog, &conn, err);
    if (rc < 0)
        return rc;
    rc = catalog_db_prepare(conn,
                            at_ms ? CATALOG_TOPO_COLUMNS
                                " WHERE from_ms<=?1 AND (to_ms=0 OR to_ms>?1) ORDER BY cluster"
                                  : CATALOG_TOPO_COLUMNS " WHERE to_ms=0 ORDER BY cluster",
                            &st, err);
    if (rc == 0) {
        if (at_ms)
            sqlite3_bind_int64(st, 1, at_ms);
        rc = catalog_topo_rows(conn, st, cb, ctx, err);
    }
    catalog_reader_give(s->catalog, conn);
    return rc;
}

int
catalog_topology_versions(struct store *s, const char *cluster,
                          int (*cb)(void *ctx, const struct catalog_topology *t), void *ctx,
                          struct err *err)
{
    struct catalog_conn *conn;
    struct sqlite3_stmt *st;
    int rc = catalog_reader_take(s->catalog, &conn, err);
    if (rc < 0)
        return rc;
    rc = catalog_db_prepare(conn, CATALOG_TOPO_COLUMNS " WHERE cluster=?1 ORDER BY revision DESC",
                            &st, err);
    if (rc == 0) {
        db_bind_text(st, 1, cluster);
        rc = catalog_topo_rows(conn, st, cb, ctx, err);
    }
    catalog_reader_give(s->catalog, conn);
    return rc;
}
