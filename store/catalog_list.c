/* catalog_list: documents read: one, a page, a count.
 *
 * A page is one statement whose order an index gives; the cursor is the sort key of its last row,
 * so a page costs the same wherever it lies. Full text: the index is asked first for up to
 * CATALOG_SORT_MAX matches; that many are sorted; more stream in the order of entry. The cursor
 * remembers which of the two it was. */
#include "base/str.h"
#include "store/catalog_priv.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATALOG_SORT_MAX   5000 /* matches of a text sorted for a page: 5 ms */
#define CATALOG_STATES_MAX 16
#define CATALOG_LIMIT_MAX  100000
#define CATALOG_BINDS      40

enum catalog_order { CATALOG_BY_TIME, CATALOG_BY_ID, CATALOG_BY_ENTRY };

struct catalog_select { /* a statement being put together */
    struct buf sql, match;
    struct {
        const char *text; /* NULL: number */
        size_t len;
        int64_t number;
    } bind[CATALOG_BINDS];
    int binds;
    enum catalog_order order;
    const char *words; /* text of a kind without index */
    bool indexed, nothing;
};

struct catalog_cursor {
    enum catalog_order order;
    int64_t number;
    const char *id;
};

static int
catalog_cursor_parse(const char *text, struct catalog_cursor *ret, struct err *err)
{
    const char *end = NULL;
    if (text[0] && text[1] == ':')
        end = strchr(text + 2, ':');
    struct catalog_cursor c = {0};
    switch (end ? text[0] : 0) {
    case 't':
        c.order = CATALOG_BY_TIME;
        break;
    case 'i':
        c.order = CATALOG_BY_ID;
        break;
    case 'r':
        c.order = CATALOG_BY_ENTRY;
        break;
    default:
        return err_set(err, ERR_SYNTAX, "the cursor is not one that a list answered");
    }
    if (str_i64(text + 2, (size_t)(end - text) - 2, &c.number) < 0)
        return err_set(err, ERR_SYNTAX, "the cursor is not one that a list answered");
    c.id = end + 1;
    *ret = c;
    return 0;
}

static void
catalog_select_text(struct catalog_select *q, const char *s, size_t len)
{
    if (q->binds >= CATALOG_BINDS)
        return;
    q->bind[q->binds].text = s;
    q->bind[q->binds++].len = len;
}

static void
catalog_select_number(struct catalog_select *q, int64_t v)
{
    if (q->binds >= CATALOG_BINDS)
        return;
    q->bind[q->binds].text = NULL;
    q->bind[q->binds++].number = v;
}

static void
catalog_select_equal(struct catalog_select *q, const char *column, const char *value)
{
    if (!value || !*value)
        return;
    buf_printf(&q->sql, " AND %s=?", column);
    catalog_select_text(q, value, strlen(value));
}

static void
catalog_select_states(struct catalog_select *q, const char *state)
{
    if (!state || !*state)
        return;
    buf_puts(&q->sql, " AND d.state IN (");
    for (int n = 0; *state && n < CATALOG_STATES_MAX; n++) {
        size_t len = strcspn(state, "|");
        buf_puts(&q->sql, n ? ",?" : "?");
        catalog_select_text(q, state, len);
        state += len + (state[len] == '|');
    }
    buf_puts(&q->sql, ")");
}

static void
catalog_select_prefix(struct catalog_select *q, const char *prefix)
{
    if (!prefix || !*prefix)
        return;
    buf_puts(&q->sql,
             " AND d.id>=? AND d.id<(? || x'f7')"); /* 0xf7: above every byte of UTF-8 in use */
    catalog_select_text(q, prefix, strlen(prefix));
    catalog_select_text(q, prefix, strlen(prefix));
}

static void
catalog_select_where(struct catalog_select *q, const struct catalog_query *f)
{
    buf_puts(&q->sql, " WHERE ");
    if (q->indexed) {
        buf_puts(&q->sql, "f.doc_text MATCH ? AND ");
        catalog_select_text(q, buf_str(&q->match), q->match.len);
    }
    buf_puts(&q->sql, "d.kind=?");
    catalog_select_text(q, f->kind, strlen(f->kind));
    catalog_select_equal(q, "d.tenant<>'' AND d.tenant", f->tenant);
    catalog_select_equal(q, "d.key<>'' AND d.key", f->key);
    catalog_select_states(q, f->state);
    catalog_select_prefix(q, f->id_prefix);
    if (f->from_ms || f->to_ms) {
        buf_puts(&q->sql, " AND d.time_ms>=? AND d.time_ms<?");
        catalog_select_number(q, f->from_ms);
        catalog_select_number(q, f->to_ms ? f->to_ms : INT64_MAX);
    }
    if (q->words) {
        buf_puts(&q->sql, " AND words(?, d.id, d.json)");
        catalog_select_text(q, q->words, strlen(q->words));
    }
}

static void
catalog_select_from(struct catalog_select *q)
{
    buf_puts(&q->sql,
             q->indexed ? " FROM doc_text f CROSS JOIN doc d ON d.rid=f.rowid" : " FROM doc d");
}

static int
catalog_select_init(struct catalog_select *q, const struct catalog_query *f, struct err *err)
{
    memset(q, 0, sizeof *q);
    buf_init(&q->sql, 8192);
    buf_init(&q->match, 16384);
    if (!f->kind || !*f->kind)
        return err_set(err, ERR_USAGE, "a list needs a kind");
    if (!f->text || !*f->text)
        return 0;
    if (!catalog_text_indexed(f->kind)) {
        q->words = f->text;
        return 0;
    }
    int rc = catalog_text_query(f, &q->match);
    if (rc == ERR_LIMIT)
        return err_set(err, ERR_LIMIT, "the text searched for is too long");
    q->indexed = rc == 0;
    q->nothing = rc == ERR_NOTFOUND;
    return 0;
}

static void
catalog_select_done(struct catalog_select *q)
{
    buf_done(&q->sql);
    buf_done(&q->match);
}

static int
catalog_select_prepare(struct catalog_select *q, struct catalog_conn *conn,
                       struct sqlite3_stmt **ret, struct err *err)
{
    if (q->sql.failed)
        return err_set(err, ERR_NOMEM, "no memory for a list");
    int rc = catalog_db_prepare(conn, buf_str(&q->sql), ret, err);
    for (int i = 0; rc == 0 && i < q->binds; i++) {
        if (q->bind[i].text)
            sqlite3_bind_text64(*ret, i + 1, q->bind[i].text, q->bind[i].len, SQLITE_STATIC,
                                SQLITE_UTF8);
        else
            sqlite3_bind_int64(*ret, i + 1, q->bind[i].number);
    }
    return rc;
}

/* Whether a text matches more documents than a page sorts: 1, 0, or an error. */
static int
catalog_select_broad(struct catalog_select *q, struct catalog_conn *conn, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(
        conn, "SELECT count(*) FROM (SELECT 1 FROM doc_text WHERE doc_text MATCH ?1 LIMIT ?2)", &st,
        err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, buf_str(&q->match));
    sqlite3_bind_int(st, 2, CATALOG_SORT_MAX + 1);
    rc = catalog_db_step(conn, st, err);
    if (rc < 0)
        return rc;
    rc = sqlite3_column_int(st, 0) > CATALOG_SORT_MAX;
    sqlite3_reset(st);
    return rc;
}

static int
catalog_select_order(struct catalog_select *q, const struct catalog_query *f,
                     struct catalog_conn *conn, struct catalog_cursor *cursor, struct err *err)
{
    int rc = 0;
    q->order = f->by_id ? CATALOG_BY_ID : CATALOG_BY_TIME;
    if (f->cursor && *f->cursor) {
        rc = catalog_cursor_parse(f->cursor, cursor, err);
        if (rc == 0 && cursor->order != q->order &&
            !(q->indexed && cursor->order == CATALOG_BY_ENTRY))
            rc = err_set(err, ERR_SYNTAX, "the cursor belongs to a list in another order");
        q->order = cursor->order;
    } else if (q->indexed) {
        rc = catalog_select_broad(q, conn, err);
        if (rc == 1)
            q->order = CATALOG_BY_ENTRY;
    }
    return rc < 0 ? rc : 0;
}

static void
catalog_select_page(struct catalog_select *q, const struct catalog_query *f,
                    const struct catalog_cursor *cursor, size_t limit)
{
    static const char *const orders[][2] = {
        [CATALOG_BY_TIME] = {"d.time_ms DESC, d.id DESC", "d.time_ms, d.id"},
        [CATALOG_BY_ID] = {"d.id DESC", "d.id"},
        [CATALOG_BY_ENTRY] = {"f.rowid DESC", "f.rowid"},
    };
    static const char *const afters[][2] = {
        [CATALOG_BY_TIME] = {" AND (d.time_ms, d.id) < (?, ?)", " AND (d.time_ms, d.id) > (?, ?)"},
        [CATALOG_BY_ID] = {" AND d.id < ?", " AND d.id > ?"},
        [CATALOG_BY_ENTRY] = {" AND f.rowid < ?", " AND f.rowid > ?"},
    };
    bool up = q->order == CATALOG_BY_ENTRY ? false
              : q->order == CATALOG_BY_ID  ? true
                                           : f->ascending;
    buf_puts(&q->sql, "SELECT d.rid, d.id, d.tenant, d.state, d.key, d.time_ms, d.updated_ms, "
                      "d.revision, d.json");
    catalog_select_from(q);
    catalog_select_where(q, f);
    if (cursor) {
        buf_puts(&q->sql, afters[q->order][up]);
        if (q->order != CATALOG_BY_ID)
            catalog_select_number(q, cursor->number);
        if (q->order != CATALOG_BY_ENTRY)
            catalog_select_text(q, cursor->id, strlen(cursor->id));
    }
    buf_printf(&q->sql, " ORDER BY %s LIMIT ?", orders[q->order][up]);
    catalog_select_number(q, (int64_t)limit);
}

static void
catalog_row(struct sqlite3_stmt *st, const char *kind, struct catalog_doc *ret)
{
    ret->kind = kind;
    ret->id = (const char *)sqlite3_column_text(st, 1);
    ret->tenant = (const char *)sqlite3_column_text(st, 2);
    ret->state = (const char *)sqlite3_column_text(st, 3);
    ret->key = (const char *)sqlite3_column_text(st, 4);
    ret->time_ms = sqlite3_column_int64(st, 5);
    ret->updated_ms = sqlite3_column_int64(st, 6);
    ret->revision = (uint64_t)sqlite3_column_int64(st, 7);
    ret->json = (const char *)sqlite3_column_text(st, 8);
    ret->json_len = (size_t)sqlite3_column_bytes(st, 8);
}

static void
catalog_cursor_format(enum catalog_order order, int64_t rid, const struct catalog_doc *d, char *out)
{
    if (order == CATALOG_BY_TIME)
        snprintf(out, 256, "t:%lld:%s", (long long)d->time_ms, d->id);
    else if (order == CATALOG_BY_ID)
        snprintf(out, 256, "i:0:%s", d->id);
    else
        snprintf(out, 256, "r:%lld:", (long long)rid);
}

/* Calls back for at most `limit` rows of a statement that may give one more; returns their count.
 */
static int
catalog_select_rows(struct catalog_select *q, struct catalog_conn *conn, struct sqlite3_stmt *st,
                    const char *kind, size_t limit,
                    int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, char *next,
                    struct err *err)
{
    int count = 0, rc;
    char last[256] = "";
    while ((rc = catalog_db_step(conn, st, err)) == 1) {
        if ((size_t)count == limit) {
            memcpy(next, last, sizeof last);
            return count;
        }
        struct catalog_doc d;
        catalog_row(st, kind, &d);
        catalog_cursor_format(q->order, sqlite3_column_int64(st, 0), &d, last);
        count++;
        if ((rc = cb(ctx, &d)) < 0)
            return rc;
    }
    return rc < 0 ? rc : count;
}

int
catalog_list(struct store *s, const struct catalog_query *f,
             int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, char *ret_next,
             struct err *err)
{
    struct catalog_conn *conn = NULL;
    struct catalog_select q;
    struct catalog_cursor cursor = {0};
    struct sqlite3_stmt *st;
    char next[256] = "";
    size_t limit = f->limit ? f->limit : 100;
    if (limit > CATALOG_LIMIT_MAX)
        limit = CATALOG_LIMIT_MAX;
    int rc = catalog_select_init(&q, f, err);
    if (rc < 0 || q.nothing)
        goto out;
    if ((rc = catalog_reader_take(s->catalog, &conn, err)) < 0 ||
        (rc = catalog_select_order(&q, f, conn, &cursor, err)) < 0)
        goto out;
    catalog_select_page(&q, f, f->cursor && *f->cursor ? &cursor : NULL, limit + 1);
    if ((rc = catalog_select_prepare(&q, conn, &st, err)) == 0)
        rc = catalog_select_rows(&q, conn, st, f->kind, limit, cb, ctx, next, err);
out:
    if (conn)
        catalog_reader_give(s->catalog, conn);
    catalog_select_done(&q);
    if (rc >= 0 && ret_next)
        memcpy(ret_next, next, sizeof next);
    return rc;
}

int64_t
catalog_count(struct store *s, const struct catalog_query *f, struct err *err)
{
    struct catalog_conn *conn = NULL;
    struct catalog_select q;
    struct sqlite3_stmt *st;
    int64_t count = 0;
    int rc = catalog_select_init(&q, f, err);
    if (rc < 0 || q.nothing)
        goto out;
    if ((rc = catalog_reader_take(s->catalog, &conn, err)) < 0)
        goto out;
    buf_puts(&q.sql, "SELECT count(*)");
    catalog_select_from(&q);
    catalog_select_where(&q, f);
    if ((rc = catalog_select_prepare(&q, conn, &st, err)) == 0 &&
        (rc = catalog_db_step(conn, st, err)) == 1)
        count = sqlite3_column_int64(st, 0);
out:
    if (conn)
        catalog_reader_give(s->catalog, conn);
    catalog_select_done(&q);
    return rc < 0 ? rc : count;
}

int
catalog_get(struct store *s, const char *kind, const char *id,
            int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, struct err *err)
{
    struct catalog_conn *conn;
    struct sqlite3_stmt *st;
    int rc = catalog_reader_take(s->catalog, &conn, err);
    if (rc < 0)
        return rc;
    rc = catalog_db_prepare(
        conn,
        "SELECT rid, id, tenant, state, key, time_ms, updated_ms, revision, json FROM doc"
        " WHERE kind=?1 AND id=?2",
        &st, err);
    if (rc == 0) {
        db_bind_text(st, 1, kind);
        db_bind_text(st, 2, id);
        rc = catalog_db_step(conn, st, err);
    }
    if (rc == 1) {
        struct catalog_doc d;
        catalog_row(st, kind, &d);
        rc = cb(ctx, &d);
    } else if (rc == 0) {
        rc = strcmp(kind, "device") ? ERR_NOTFOUND : found_get(conn, id, cb, ctx, err);
        if (rc == ERR_NOTFOUND)
            err_set(err, rc, "there is no %s %s", kind, id);
    }
    catalog_reader_give(s->catalog, conn);
    return rc < 0 ? rc : 0;
}

static int
catalog_get_copy(void *ctx, const struct catalog_doc *d)
{
    char **ret = ctx;
    *ret = strndup(d->json, d->json_len);
    return *ret ? 0 : ERR_NOMEM;
}

char *
catalog_get_json(struct store *s, const char *kind, const char *id, struct err *err)
{
    char *json = NULL;
    return catalog_get(s, kind, id, catalog_get_copy, &json, err) < 0 ? NULL : json;
}
