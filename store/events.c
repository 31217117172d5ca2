/* events: questions to events, log lines and gaps, in day files and in memory, merged by id.
 *
 * An id begins with the time a row is filed under, so that order by id is order by time, in every
 * file and over all of them, and a page's last id is the next page's cursor. Memory is read first:
 * a row that moves to its file meanwhile is met twice and dropped once. */
#include "store/store.h"

#include "store/dayfile.h"
#include "store/dayrow.h"
#include "store/db.h"
#include "store/rows.h"
#include "store/store_priv.h"
#include "store/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_LIMIT   100
#define EVENTS_SQL_MAX 2048
#define EVENTS_BINDS   16

struct events_ask {
    struct store *store;
    const struct event_query *q;
    enum record_kind kind;
    struct text_query *text;
    char node[256];     /* of a log question by entity */
    uint64_t low, high; /* ids, both included */
    struct events_row {
        uint64_t id;
        uint8_t *bytes;
        size_t len;
    } * pending;
    size_t pending_count, pending_cap, at, limit, given;
    int (*cb)(void *ctx, const struct record *r, uint64_t id);
    void *ctx;
};

static bool
events_any(const char *s)
{
    return !s || !*s;
}

/* --- the filter, once as code ----------------------------------------------------------------- */

static bool
events_entity(const char *wanted, const char *entity)
{
    size_t n = strlen(wanted);
    if (n && wanted[n - 1] == '*')
        return strncmp(wanted, entity, n - 1) == 0;
    if (n && wanted[n - 1] == '/')
        return strncmp(wanted, entity, n) == 0;
    return strcmp(wanted, entity) == 0;
}

static bool
events_same(const char *wanted, const char *is)
{
    return events_any(wanted) || !strcmp(wanted, is);
}

static bool
events_match(const struct events_ask *a, uint64_t id, const struct record *r)
{
    const struct event_query *q = a->q;
    if (r->kind != a->kind || id < a->low || id > a->high)
        return false;
    if (r->kind == RECORD_GAP)
        return events_same(q->source, r->gap.source) && (!q->to_ms || r->gap.from_ms < q->to_ms);
    bool ev = r->kind == RECORD_EVENT;
    const char *text = ev ? r->event.text : r->log.text;
    if ((int)(ev ? r->event.severity : r->log.severity) < q->severity_min)
        return false;
    if (!events_same(q->node, ev ? r->event.node : r->log.node) ||
        !events_same(q->job, ev ? r->event.job : r->log.job) ||
        !events_same(q->source, ev ? r->event.source : r->log.source) ||
        !events_same(q->tenant, ev ? r->event.tenant : r->log.tenant))
        return false;
    if (ev && (!events_same(q->code, r->event.code) ||
               (!events_any(q->entity) && !events_entity(q->entity, r->event.entity))))
        return false;
    if (!ev && !events_same(a->node, r->log.node))
        return false;
    return !a->text || text_query_match(a->text, text);
}

/* --- and once as SQL -------------------------------------------------------------------------- */

struct events_sql {
    char text[EVENTS_SQL_MAX];
    const char *bind[EVENTS_BINDS]; /* texts bound as ?3 and on; ?1, ?2 are the id bounds */
    int count;
    char *range[2]; /* owned texts of an entity prefix */
};

static void
events_sql_add(struct events_sql *s, const char *sql)
{
    strncat(s->text, sql, sizeof s->text - strlen(s->text) - 1);
}

static void
events_sql_equal(struct events_sql *s, const char *column, const char *value, bool partial)
{
    char part[128];
    if (events_any(value))
        return;
    s->bind[s->count++] = value;
    snprintf(part, sizeof part, " AND t.%s = ?%d%s%s%s", column, s->count + 2,
             partial ? " AND t." : "", partial ? column : "", partial ? " <> ''" : "");
    events_sql_add(s, part);
}

static int
events_sql_entity(struct events_sql *s, const char *entity)
{
    size_t n = entity ? strlen(entity) : 0;
    if (!n || (entity[n - 1] != '*' && entity[n - 1] != '/')) {
        events_sql_equal(s, "entity", entity, false);
        return 0;
    }
    n -= entity[n - 1] == '*';
    s->range[0] = strndup(entity, n);
    s->range[1] = malloc(n + 2);
    if (!s->range[0] || !s->range[1])
        return ERR_NOMEM;
    memcpy(s->range[1], entity, n);
    memcpy(s->range[1] + n, "\xff", 2);
    char part[96];
    s->bind[s->count++] = s->range[0];
    s->bind[s->count++] = s->range[1];
    snprintf(part, sizeof part, " AND t.entity >= ?%d AND t.entity < ?%d", s->count + 1,
             s->count + 2);
    events_sql_add(s, part);
    return 0;
}

static int
events_sql_make(const struct events_ask *a, struct events_sql *s)
{
    const struct dayrow_table *t = &dayrow_tables[a->kind];
    const struct event_query *q = a->q;
    char part[256];
    int rc = 0;
    if (a->text) {
        s->bind[s->count++] = text_query_fts(a->text);
        snprintf(part, sizeof part,
                 "SELECT t.* FROM %s f JOIN %s t ON t.id = f.rowid WHERE f.%s MATCH ?3 AND f.rowid "
                 "BETWEEN ?1 AND ?2",
                 t->text_table, t->name, t->text_table);
    } else {
        snprintf(part, sizeof part, "SELECT t.* FROM %s t WHERE t.id BETWEEN ?1 AND ?2", t->name);
    }
    events_sql_add(s, part);
    events_sql_equal(s, "source", q->source, false);
    if (a->kind == RECORD_GAP) {
        if (q->to_ms) {
            snprintf(part, sizeof part, " AND t.from_ms < %lld", (long long)q->to_ms);
            events_sql_add(s, part);
        }
    } else {
        events_sql_equal(s, "node", q->node, true);
        events_sql_equal(s, "job", q->job, true);
        events_sql_equal(s, "tenant", q->tenant, false);
        if (a->kind == RECORD_LOG)
            events_sql_equal(s, "node", a->node, true);
        if (a->kind == RECORD_EVENT) {
            events_sql_equal(s, "code", q->code, false);
            rc = events_sql_entity(s, q->entity);
        }
        snprintf(part, sizeof part, " AND t.severity >= %d", q->severity_min);
        events_sql_add(s, q->severity_min > 0 ? part : "");
    }
    snprintf(part, sizeof part, " ORDER BY %s %s", a->text ? "f.rowid" : "t.id",
             q->ascending ? "ASC" : "DESC");
    events_sql_add(s, part);
    return rc;
}

/* --- merging ---------------------------------------------------------------------------------- */

static int
events_collect(void *ctx, uint64_t number, uint64_t id, const struct record *r, const void *bytes,
               size_t len)
{
    struct events_ask *a = ctx;
    (void)number;
    if (!events_match(a, id, r))
        return 0;
    if (a->pending_count == a->pending_cap) {
        size_t n = a->pending_cap ? a->pending_cap * 2 : 64;
        struct events_row *p = realloc(a->pending, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        a->pending = p;
        a->pending_cap = n;
    }
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        return ERR_NOMEM;
    memcpy(copy, bytes, len);
    a->pending[a->pending_count++] = (struct events_row){id, copy, len};
    return 0;
}

static int
events_newest(const void *x, const void *y)
{
    const struct events_row *a = x, *b = y;
    return a->id < b->id ? 1 : a->id > b->id ? -1 : 0;
}

static int
events_oldest(const void *x, const void *y)
{
    return -events_newest(x, y);
}

/* 1 when the limit is reached. */
static int
events_give(struct events_ask *a, const struct record *r, uint64_t id)
{
    int rc = a->cb(a->ctx, r, id);
    a->given++;
    return rc < 0 ? rc : a->given >= a->limit;
}

/* Gives the pending rows that come before `id`; one with that very id is dropped. */
static int
events_before(struct events_ask *a, uint64_t id, bool all)
{
    int rc = 0;
    for (; !rc && a->at < a->pending_count; a->at++) {
        const struct events_row *p = &a->pending[a->at];
        struct record r;
        if (!all && p->id == id)
            continue;
        if (!all && (a->q->ascending ? p->id > id : p->id < id))
            break;
        if (!record_take(p->bytes, p->len, &r))
            rc = events_give(a, &r, p->id);
    }
    return rc;
}

static int
events_step(struct events_ask *a, sqlite3 *db, sqlite3_stmt *st, struct err *err)
{
    int rc = 0, step = SQLITE_DONE;
    while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct record r;
        uint64_t id;
        if (dayrow_read(st, a->kind, &id, &r)) {
            a->store->counters.damaged++;
            continue;
        }
        rc = events_before(a, id, false);
        if (!rc)
            rc = events_give(a, &r, id);
    }
    if (!rc && step != SQLITE_DONE)
        rc = db_error(db, step, err, "day file");
    return rc;
}

static int
events_day(struct events_ask *a, struct day *day, const struct events_sql *sql, struct err *err)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    int rc = day_reader_take(a->store->days, day, &db, err);
    if (rc)
        return rc;
    rc = db_prepare(db, sql->text, &st, err);
    if (!rc) {
        sqlite3_bind_int64(st, 1, (int64_t)a->low);
        sqlite3_bind_int64(st, 2, (int64_t)a->high);
        for (int i = 0; i < sql->count; i++)
            sqlite3_bind_text(st, i + 3, sql->bind[i], -1, SQLITE_STATIC);
        rc = events_step(a, db, st, err);
        sqlite3_finalize(st);
    }
    day_reader_give(a->store->days, day, db);
    if (rc == ERR_CORRUPT) { /* what can be read is read */
        a->store->counters.damaged++;
        rc = 0;
    }
    return rc;
}

static int
events_days(struct events_ask *a, struct err *err)
{
    struct events_sql sql = {.count = 0};
    struct day **at = NULL;
    size_t n = 0;
    int rc = events_sql_make(a, &sql);
    if (!rc)
        rc = days_list(a->store->days, record_id_ms(a->low), record_id_ms(a->high), &at, &n);
    if (rc)
        err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct day *day = at[a->q->ascending ? i : n - 1 - i];
        if (!rc)
            rc = events_day(a, day, &sql, err);
        day_put(a->store->days, day);
    }
    free(at);
    free(sql.range[0]);
    free(sql.range[1]);
    return rc ? rc : events_before(a, 0, true);
}

/* Id bounds of [from, to) and the cursor. */
static void
events_bounds(struct events_ask *a)
{
    const struct event_query *q = a->q;
    const uint64_t max = INT64_MAX;
    a->low = q->from_ms > 0 ? record_id(q->from_ms, 0) : 0;
    a->high = q->to_ms > 0 && a->kind != RECORD_GAP ? record_id(q->to_ms, 0) - 1 : max;
    if (q->before_id && q->ascending && q->before_id >= a->low)
        a->low = q->before_id + 1;
    else if (q->before_id && !q->ascending && q->before_id <= a->high)
        a->high = q->before_id - 1;
}

static int
events_run(struct events_ask *a, struct err *err)
{
    int rc = 0;
    events_bounds(a);
    if (!events_any(a->q->text) && (rc = text_query_new(a->q->text, &a->text)))
        return err_set(err, rc,
                       rc == ERR_SYNTAX ? "the search text holds no word"
                                        : "the search text is too long");
    const char *colon = a->kind == RECORD_LOG && a->q->entity ? strchr(a->q->entity, ':') : NULL;
    if (colon) { /* lines know their node only */
        size_t n = strcspn(colon + 1, "/*");
        memcpy(a->node, colon + 1, n < sizeof a->node ? n : sizeof a->node - 1);
    }
    if (a->low <= a->high)
        rc = rows_each(a->store->rows, events_collect, a);
    if (rc)
        err_set(err, rc, "out of memory");
    if (a->pending_count)
        qsort(a->pending, a->pending_count, sizeof *a->pending,
              a->q->ascending ? events_oldest : events_newest);
    if (!rc && a->low <= a->high)
        rc = events_days(a, err);
    for (size_t i = 0; i < a->pending_count; i++)
        free(a->pending[i].bytes);
    free(a->pending);
    text_query_free(a->text);
    return rc < 0 ? rc : (int)a->given;
}

/* --- callers ---------------------------------------------------------------------------------- */

struct events_events {
    int (*cb)(void *, const struct event *, uint64_t);
    void *ctx;
};

static int
events_give_event(void *ctx, const struct record *r, uint64_t id)
{
    struct events_events *e = ctx;
    return e->cb(e->ctx, &r->event, id);
}

int
store_events(struct store *s, const struct event_query *q,
             int (*cb)(void *, const struct event *, uint64_t), void *ctx, struct err *err)
{
    struct events_events e = {cb, ctx};
    struct events_ask a = {.store = s,
                           .q = q,
                           .kind = RECORD_EVENT,
                           .limit = q->limit ? q->limit : EVENTS_LIMIT,
                           .cb = events_give_event,
                           .ctx = &e};
    return events_run(&a, err);
}

struct events_logs {
    int (*cb)(void *, const struct log_line *, uint64_t);
    void *ctx;
};

static int
events_give_log(void *ctx, const struct record *r, uint64_t id)
{
    struct events_logs *l = ctx;
    return l->cb(l->ctx, &r->log, id);
}

int
store_logs(struct store *s, const struct event_query *q,
           int (*cb)(void *, const struct log_line *, uint64_t), void *ctx, struct err *err)
{
    struct events_logs l = {cb, ctx};
    struct events_ask a = {.store = s,
                           .q = q,
                           .kind = RECORD_LOG,
                           .limit = q->limit ? q->limit : EVENTS_LIMIT,
                           .cb = events_give_log,
                           .ctx = &l};
    return events_run(&a, err);
}

struct events_gaps {
    int (*cb)(void *, const struct gap *);
    void *ctx;
};

static int
events_give_gap(void *ctx, const struct record *r, uint64_t id)
{
    struct events_gaps *g = ctx;
    (void)id;
    return g->cb(g->ctx, &r->gap);
}

int
store_gaps(struct store *s, int64_t from_ms, int64_t to_ms, const char *source,
           int (*cb)(void *, const struct gap *), void *ctx, struct err *err)
{
    struct events_gaps g = {cb, ctx};
    struct event_query q = {
        .from_ms = from_ms, .to_ms = to_ms, .source = source, .ascending = true};
    struct events_ask a = {.store = s,
                           .q = &q,
                           .kind = RECORD_GAP,
                           .limit = SIZE_MAX,
                           .cb = events_give_gap,
                           .ctx = &g};
    return events_run(&a, err);
}
