/* found: devices that someone's series or lines spoke of and nobody touched since. Their documents
 * would say the same of each, so they stand together, a thousand in a block, a block in a row under
 * the id of its first; 100,000 take 0.5 MB instead of 60. The first change makes a document of one.
 *
 * Load: discoveries come in batches of hundreds, all within minutes of a start. What is always
 * true: ids ascend within a block and over blocks; an id is in a block or a document, never in
 * both; the row under '' is the first block. Drawn in store/FORMAT.md. */
#include "base/compress.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "store/bytes.h"
#include "store/catalog_priv.h"

#include <stdlib.h>
#include <string.h>

#define FOUND_MAGIC  0x3146534du /* "MSF1" */
#define FOUND_HEADER 12
#define FOUND_BLOCK  1024
#define FOUND_BYTES  ((size_t)4 << 20)
#define FOUND_SQL_AT "SELECT first, data FROM found WHERE first <= ?1 ORDER BY first DESC LIMIT 1"

struct found_block {
    struct catalog_found at[2 * FOUND_BLOCK]; /* a block, and what comes to it */
    size_t count;
    char first[CATALOG_ID_MAX + 1]; /* its row */
    struct buf text;                /* what `at` points into */
};

static struct found_block *
found_block_new(void)
{
    struct found_block *b = calloc(1, sizeof *b);
    if (b)
        buf_init(&b->text, FOUND_BYTES);
    return b;
}

static void
found_block_free(struct found_block *b)
{
    if (b)
        buf_done(&b->text);
    free(b);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void
found_put_varint(struct buf *out, uint64_t v)
{
    uint8_t room[BYTES_VARINT_MAX];
    buf_append(out, room, (size_t)(bytes_put_varint(room, v) - room));
}

static void
found_put_text(struct buf *out, const char *s)
{
    size_t n = strlen(s) + 1; /* with its 0, so that it is read where it lies */
    found_put_varint(out, n);
    buf_append(out, s, n);
}

static int
found_encode(const struct catalog_found *at, size_t n, struct buf *out)
{
    struct buf plain;
    uint8_t head[FOUND_HEADER] = {0};
    int64_t before = 0;
    buf_init(&plain, FOUND_BYTES);
    for (size_t i = 0; i < n; i++)
        found_put_text(&plain, at[i].id);
    for (size_t i = 0; i < n; i++)
        found_put_text(&plain, at[i].source);
    for (size_t i = 0; i < n; before = at[i++].time_ms)
        found_put_varint(&plain, bytes_zigzag(at[i].time_ms - before));
    bytes_put_u32(head, FOUND_MAGIC);
    bytes_put_u32(head + 8, (uint32_t)n);
    buf_reset(out);
    buf_append(out, head, sizeof head);
    int rc = plain.failed ? ERR_NOMEM : compress_zstd(buf_str(&plain), plain.len, 9, out);
    if (!rc)
        bytes_put_u32((uint8_t *)out->data + 4, crc32c(0, out->data + 8, out->len - 8));
    buf_done(&plain);
    return rc;
}

static const char *
found_take_text(struct bytes_in *in)
{
    uint64_t n = bytes_take_varint(in);
    const char *s = (const char *)bytes_take(in, n);
    in->bad = in->bad || !n || n > CATALOG_ID_MAX + 1 || s[n - 1] || strlen(s) != n - 1;
    return in->bad ? "" : s;
}

static int
found_decode(const void *data, size_t len, struct found_block *b)
{
    const uint8_t *p = data;
    int64_t t = 0;
    if (len < FOUND_HEADER || bytes_get_u32(p) != FOUND_MAGIC ||
        bytes_get_u32(p + 4) != crc32c(0, p + 8, len - 8) || bytes_get_u32(p + 8) > FOUND_BLOCK)
        return ERR_CORRUPT;
    buf_reset(&b->text);
    b->count = bytes_get_u32(p + 8);
    int rc = compress_unzstd(p + FOUND_HEADER, len - FOUND_HEADER, &b->text);
    struct bytes_in in = bytes_in_of(b->text.data, b->text.len);
    for (size_t i = 0; !rc && i < b->count; i++)
        b->at[i].id = found_take_text(&in);
    for (size_t i = 0; !rc && i < b->count; i++)
        b->at[i].source = found_take_text(&in);
    for (size_t i = 0; !rc && i < b->count; i++)
        b->at[i].time_ms = t += bytes_unzigzag(bytes_take_varint(&in));
    return rc ? rc : in.bad || in.p != in.end ? ERR_CORRUPT : 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int
found_row(struct sqlite3_stmt *st, struct found_block *b, struct err *err)
{
    str_copy(b->first, sizeof b->first, (const char *)sqlite3_column_text(st, 0));
    int rc = found_decode(sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1), b);
    return rc ? err_set(err, rc, "a block of discovered devices in catalog.db is damaged") : 0;
}

/* The block that would hold the id; an empty one where there is none. */
static int
found_load(struct catalog_conn *c, const char *id, struct found_block *b, struct err *err)
{
    struct sqlite3_stmt *st;
    b->count = 0;
    b->first[0] = 0;
    int rc = catalog_db_prepare(c, FOUND_SQL_AT, &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, id);
    rc = catalog_db_step(c, st, err);
    if (rc == 1)
        rc = found_row(st, b, err);
    sqlite3_reset(st);
    return rc;
}

static size_t
found_place(const struct found_block *b, const char *id)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(b->at[mid].id, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool
found_has(const struct found_block *b, const char *id, size_t *ret)
{
    *ret = found_place(b, id);
    return *ret < b->count && !strcmp(b->at[*ret].id, id);
}

static int
found_store(struct catalog_conn *c, const char *first, const struct catalog_found *at, size_t n,
            struct err *err)
{
    struct sqlite3_stmt *st;
    struct buf data;
    buf_init(&data, FOUND_BYTES);
    int rc = found_encode(at, n, &data);
    if (rc)
        rc = err_set(err, rc, "no memory for discovered devices");
    else
        rc = catalog_db_prepare(c, "INSERT OR REPLACE INTO found VALUES(?1, ?2)", &st, err);
    if (!rc) {
        db_bind_text(st, 1, first);
        sqlite3_bind_blob64(st, 2, data.data, data.len, SQLITE_STATIC);
        rc = catalog_db_step(c, st, err);
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
    }
    buf_done(&data);
    return rc;
}

/* A block that grew too large becomes two; the first keeps its row. */
static int
found_save(struct catalog_conn *c, const struct found_block *b, struct err *err)
{
    size_t half = b->count > FOUND_BLOCK ? b->count / 2 : b->count;
    int rc = found_store(c, b->first, b->at, half, err);
    return rc || half == b->count
               ? rc
               : found_store(c, b->at[half].id, b->at + half, b->count - half, err);
}

static int
found_is_document(struct catalog_conn *c, const char *id, struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(c, "SELECT 1 FROM doc WHERE kind='device' AND id=?1", &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, id);
    rc = catalog_db_step(c, st, err);
    sqlite3_reset(st);
    return rc;
}

/* --- for the catalog -------------------------------------------------------------------------- */

static int
found_compare(const void *a, const void *b)
{
    const struct catalog_found *x = a, *y = b;
    return strcmp(x->id, y->id);
}

/* Adds those that belong into the block of at[0] and are not there; returns how many were looked
 * at. */
static int
found_add_some(struct catalog_conn *c, struct found_block *b, struct catalog_found *at, size_t n,
               const char *end, struct err *err)
{
    size_t i = 0, place;
    bool changed = false;
    for (; i < n && b->count < 2 * FOUND_BLOCK && (!*end || strcmp(at[i].id, end) < 0); i++) {
        int rc = found_is_document(c, at[i].id, err);
        if (rc < 0)
            return rc;
        at[i].added = !rc && !found_has(b, at[i].id, &place);
        if (!at[i].added)
            continue;
        memmove(b->at + place + 1, b->at + place, (b->count++ - place) * sizeof *b->at);
        b->at[place] = at[i];
        changed = true;
    }
    int rc = changed ? found_save(c, b, err) : 0;
    return rc ? rc : (int)i;
}

/* The row behind that of an id, "" at the end. */
static int
found_next(struct catalog_conn *c, const char *id, char ret[CATALOG_ID_MAX + 1], struct err *err)
{
    struct sqlite3_stmt *st;
    int rc = catalog_db_prepare(
        c, "SELECT first FROM found WHERE first > ?1 ORDER BY first LIMIT 1", &st, err);
    if (rc < 0)
        return rc;
    db_bind_text(st, 1, id);
    rc = catalog_db_step(c, st, err);
    str_copy(ret, CATALOG_ID_MAX + 1, rc == 1 ? (const char *)sqlite3_column_text(st, 0) : "");
    sqlite3_reset(st);
    return rc < 0 ? rc : 0;
}

int
found_add(struct catalog_conn *c, struct catalog_found *at, size_t n, struct err *err)
{
    struct found_block *b = found_block_new();
    char end[CATALOG_ID_MAX + 1];
    int rc = b ? 0 : err_set(err, ERR_NOMEM, "no memory for discovered devices");
    qsort(at, n, sizeof *at, found_compare);
    for (size_t i = 0; !rc && i < n;) {
        rc = found_load(c, at[i].id, b, err);
        if (!rc)
            rc = found_next(c, at[i].id, end, err);
        if (!rc)
            rc = found_add_some(c, b, at + i, n - i, end, err);
        i += rc > 0 ? (size_t)rc : 0;
        rc = rc > 0 ? 0 : rc;
    }
    found_block_free(b);
    return rc;
}

static void
found_json(const struct catalog_found *f, struct buf *out)
{
    struct jsonw w;
    size_t kind = strcspn(f->id, ":");
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "entity", f->id);
    jsonw_key(&w, "kind");
    jsonw_strn(&w, f->id, kind);
    jsonw_kstr(&w, "state", "discovered");
    jsonw_kstr(&w, "origin", "discovered");
    jsonw_ktime(&w, "first_seen", f->time_ms);
    jsonw_key(&w, "attributes");
    jsonw_object(&w);
    jsonw_kstr(&w, "source", f->source);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
}

int
found_show(const struct catalog_found *f, int (*cb)(void *ctx, const struct catalog_doc *d),
           void *ctx)
{
    struct buf json;
    buf_init(&json, 4096);
    found_json(f, &json);
    struct catalog_doc d = {.kind = "device",
                            .id = f->id,
                            .tenant = "",
                            .state = "discovered",
                            .key = "",
                            .time_ms = f->time_ms,
                            .updated_ms = f->time_ms,
                            .revision = 1,
                            .json = buf_str(&json),
                            .json_len = json.len};
    int rc = json.failed ? ERR_NOMEM : cb(ctx, &d);
    buf_done(&json);
    return rc;
}

int
found_get(struct catalog_conn *c, const char *id, int (*cb)(void *ctx, const struct catalog_doc *d),
          void *ctx, struct err *err)
{
    struct found_block *b = found_block_new();
    size_t i = 0;
    int rc = b ? found_load(c, id, b, err) : err_set(err, ERR_NOMEM, "no memory");
    if (!rc)
        rc = found_has(b, id, &i) ? found_show(&b->at[i], cb, ctx) : ERR_NOTFOUND;
    found_block_free(b);
    return rc;
}

int
found_take(struct catalog_conn *c, const char *id,
           int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx, struct err *err)
{
    struct found_block *b = found_block_new();
    size_t i = 0;
    int rc = b ? found_load(c, id, b, err) : err_set(err, ERR_NOMEM, "no memory");
    if (!rc && !found_has(b, id, &i))
        rc = ERR_NOTFOUND;
    if (!rc)
        rc = found_show(&b->at[i], cb, ctx);
    if (rc >= 0) {
        memmove(b->at + i, b->at + i + 1, (--b->count - i) * sizeof *b->at);
        rc = found_save(c, b, err);
    }
    found_block_free(b);
    return rc;
}

int
found_each(struct catalog_conn *c, int (*cb)(void *ctx, const struct catalog_doc *d), void *ctx,
           struct err *err)
{
    struct found_block *b = found_block_new();
    struct sqlite3_stmt *st = NULL;
    int rc = b ? catalog_db_prepare(c, "SELECT first, data FROM found ORDER BY first", &st, err)
               : err_set(err, ERR_NOMEM, "no memory");
    while (rc >= 0 && (rc = catalog_db_step(c, st, err)) == 1) {
        rc = found_row(st, b, err);
        for (size_t i = 0; rc >= 0 && i < b->count; i++)
            rc = found_show(&b->at[i], cb, ctx);
    }
    if (st)
        sqlite3_reset(st);
    found_block_free(b);
    return rc < 0 ? rc : 0;
}
