/* catalog_write: one change of one document, inside the transaction that the writer has open.
 *
 * Documents of indexed kinds keep their row of doc_text in step: the old words are taken out before
 * the new ones go in, which needs the old document, so it is read first. */
#include "store/catalog_priv.h"
#include "base/str.h"

#include <string.h>

#define CATALOG_SQL_OLD                                                                            \
    "SELECT rid, tenant, state, key, revision, json FROM doc WHERE kind=?1 AND id=?2"
#define CATALOG_SQL_PUT                                                                            \
    "INSERT INTO doc(kind, id, tenant, state, key, time_ms, updated_ms, revision, json)"           \
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8) ON CONFLICT(kind, id) DO UPDATE SET tenant=?3, "   \
    "state=?4,"                                                                                    \
    " key=?5, time_ms=?6, updated_ms=?7, revision=revision+1, json=?8 RETURNING rid, revision"

struct catalog_old { /* what is there before the change */
    bool there;
    int64_t rid;
    uint64_t revision;
    struct buf body, tags; /* as indexed, for kinds that are */
};

static int
catalog_write_check(const struct catalog_change *ch, struct err *err)
{
    const struct catalog_doc *d = &ch->doc;
    if (!d->kind || !*d->kind || strlen(d->kind) >= CATALOG_WORD_MAX)
        return err_set(err, ERR_USAGE, "a document needs a kind of at most %d bytes",
                       CATALOG_WORD_MAX - 1);
    if (!d->id || !*d->id || strlen(d->id) > CATALOG_ID_MAX)
        return err_set(err, ERR_RANGE, "the id of a %s must have 1 to %d bytes", d->kind,
                       CATALOG_ID_MAX);
    if ((d->tenant && strlen(d->tenant) >= CATALOG_WORD_MAX) ||
        (d->state && strlen(d->state) >= CATALOG_WORD_MAX))
        return err_set(err, ERR_RANGE, "tenant and state of %s %s must be shorter than %d bytes",
                       d->kind, d->id, CATALOG_WORD_MAX);
    if (d->key && strlen(d->key) > CATALOG_KEY_MAX)
        return err_set(err, ERR_RANGE, "the key of %s %s is longer than %d bytes", d->kind, d->id,
                       CATALOG_KEY_MAX);
    if (ch->op == CATALOG_DELETE)
        return 0;
    if (!d->json || !d->json_len)
        return err_set(err, ERR_USAGE, "%s %s has no document", d->kind, d->id);
    if (d->json_len > CATALOG_JSON_MAX)
        return err_set(err, ERR_LIMIT, "the document of %s %s is larger than 16 MiB", d->kind,
                       d->id);
    return 0;
}

static void
catalog_write_index(const struct catalog_doc *d, struct buf *body, struct buf *tags)
{
    catalog_text_body(d->id, d->json, d->json_len, body);
    catalog_text_tags(d, tags);
}

static const char *
catalog_write_column(struct sqlite3_stmt *st, int at)
{
    const char *s = (const char *)sqlite3_column_text(st, at);
    return s ? s : "";
}

static int
catalog_write_old(struct catalog_conn *w, const struct catalog_doc *d, struct catalog_old *old,
                  struct catalog_effect *effect, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(w, CATALOG_SQL_OLD, &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, d->kind);
    db_bind_text(st, 2, d->id);
    rc = catalog_db_step(w, st, err);
    if (rc <= 0)
        return rc;
    struct catalog_doc was = {.kind = d->kind, .id = d->id};
    was.tenant = catalog_write_column(st, 1);
    was.state = catalog_write_column(st, 2);
    was.key = catalog_write_column(st, 3);
    was.json = catalog_write_column(st, 5);
    was.json_len = (size_t)sqlite3_column_bytes(st, 5);
    old->there = true;
    old->rid = sqlite3_column_int64(st, 0);
    old->revision = (uint64_t)sqlite3_column_int64(st, 4);
    str_copy(effect->before, sizeof effect->before, was.state);
    str_copy(effect->tenant, sizeof effect->tenant, was.tenant);
    str_copy(effect->key, sizeof effect->key, was.key);
    if (catalog_text_indexed(d->kind))
        catalog_write_index(&was, &old->body, &old->tags);
    sqlite3_reset(st);
    return 0;
}

static int
catalog_write_run(struct catalog_conn *w, struct sqlite3_stmt *st, struct err *err)
{
    int rc = catalog_db_step(w, st, err);
    sqlite3_reset(st);
    return rc < 0 ? rc : 0;
}

static int
catalog_write_words(struct catalog_conn *w, const char *sql, int64_t rid, const struct buf *body,
                    const struct buf *tags, struct err *err)
{
    struct sqlite3_stmt *st;
    if (body->failed || tags->failed)
        return err_set(err, ERR_NOMEM, "no memory to index a document");
    int rc = catalog_db_prepare(w, sql, &st, err);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(st, 1, rid);
    db_bind_text(st, 2, buf_str(body));
    db_bind_text(st, 3, buf_str(tags));
    return catalog_write_run(w, st, err);
}

static int
catalog_write_put(struct catalog_conn *w, const struct catalog_doc *d,
                  struct catalog_effect *effect, int64_t *ret_rid, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(w, CATALOG_SQL_PUT, &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, d->kind);
    db_bind_text(st, 2, d->id);
    db_bind_text(st, 3, d->tenant);
    db_bind_text(st, 4, d->state);
    db_bind_text(st, 5, d->key);
    sqlite3_bind_int64(st, 6, d->time_ms);
    sqlite3_bind_int64(st, 7, effect->updated_ms);
    sqlite3_bind_text64(st, 8, d->json, d->json_len, SQLITE_STATIC, SQLITE_UTF8);
    rc = catalog_db_step(w, st, err);
    if (rc < 0)
        return rc;
    *ret_rid = sqlite3_column_int64(st, 0);
    effect->revision = (uint64_t)sqlite3_column_int64(st, 1);
    return catalog_write_run(w, st, err);
}

static int
catalog_write_delete(struct catalog_conn *w, int64_t rid, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(w, "DELETE FROM doc WHERE rid=?1", &st, err);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(st, 1, rid);
    return catalog_write_run(w, st, err);
}

static int
catalog_write_allowed(const struct catalog_change *ch, const struct catalog_old *old,
                      struct err *err)
{
    const struct catalog_doc *d = &ch->doc;
    if (ch->op == CATALOG_INSERT && old->there)
        return err_set(err, ERR_EXISTS, "%s %s exists already", d->kind, d->id);
    if (ch->op == CATALOG_DELETE && !old->there)
        return err_set(err, ERR_NOTFOUND, "there is no %s %s", d->kind, d->id);
    if (ch->op == CATALOG_PUT_IF && old->revision != d->revision)
        return err_set(err, ERR_STATE, "%s %s has revision %llu, not %llu: someone else changed it",
                       d->kind, d->id, (unsigned long long)old->revision,
                       (unsigned long long)d->revision);
    return 0;
}

static int
catalog_write_apply(struct catalog_conn *w, const struct catalog_change *ch,
                    const struct catalog_old *old, struct catalog_effect *effect, struct err *err)
{
    struct buf body, tags;
    bool indexed = catalog_text_indexed(ch->doc.kind);
    int64_t rid = old->rid;
    int rc = 0;
    buf_init(&body, 2 * CATALOG_JSON_MAX);
    buf_init(&tags, 4096);
    if (old->there && indexed)
        rc = catalog_write_words(
            w, "INSERT INTO doc_text(doc_text, rowid, body, tags) VALUES('delete', ?1, ?2, ?3)",
            rid, &old->body, &old->tags, err);
    if (rc == 0 && ch->op == CATALOG_DELETE)
        rc = catalog_write_delete(w, rid, err);
    else if (rc == 0)
        rc = catalog_write_put(w, &ch->doc, effect, &rid, err);
    if (rc == 0 && indexed && ch->op != CATALOG_DELETE) {
        struct catalog_doc d = ch->doc;
        d.tenant = d.tenant ? d.tenant : "";
        d.state = d.state ? d.state : "";
        d.key = d.key ? d.key : "";
        catalog_write_index(&d, &body, &tags);
        rc = catalog_write_words(w, "INSERT INTO doc_text(rowid, body, tags) VALUES(?1, ?2, ?3)",
                                 rid, &body, &tags, err);
    }
    buf_done(&body);
    buf_done(&tags);
    return rc;
}

/* A device that nobody touched so far becomes a document, to be changed. */
static int
catalog_write_found(void *ctx, const struct catalog_doc *d)
{
    struct catalog_change ch = {.op = CATALOG_INSERT, .doc = *d};
    struct catalog_effect effect = {.updated_ms = d->updated_ms};
    struct catalog_old none = {0};
    return catalog_write_apply(ctx, &ch, &none, &effect, NULL);
}

static int
catalog_write_look(struct catalog_conn *w, const struct catalog_doc *d, struct catalog_old *old,
                   struct catalog_effect *effect, struct err *err)
{
    int rc = catalog_write_old(w, d, old, effect, err);
    if (rc < 0 || old->there || strcmp(d->kind, "device"))
        return rc;
    rc = found_take(w, d->id, catalog_write_found, w, err);
    return rc == ERR_NOTFOUND ? 0 : rc < 0 ? rc : catalog_write_old(w, d, old, effect, err);
}

int
catalog_write_change(struct catalog_conn *w, const struct catalog_change *ch, int64_t now_ms,
                     struct catalog_effect *ret, struct err *err)
{
    struct catalog_effect effect = {.updated_ms = now_ms};
    struct catalog_old old = {0};
    int rc = catalog_write_check(ch, err);
    if (rc < 0)
        return rc;
    buf_init(&old.body, 2 * CATALOG_JSON_MAX);
    buf_init(&old.tags, 4096);
    if ((rc = catalog_write_look(w, &ch->doc, &old, &effect, err)) == 0 &&
        (rc = catalog_write_allowed(ch, &old, err)) == 0 &&
        (rc = catalog_write_apply(w, ch, &old, &effect, err)) == 0)
        *ret = effect;
    buf_done(&old.body);
    buf_done(&old.tags);
    return rc;
}
