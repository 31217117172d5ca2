/* dayrow: one place knows the order of the columns. The checksum covers the id and every column. */
#include "store/dayrow.h"

#include "base/compress.h"
#include "base/err.h"
#include "store/db.h"

#define DAYROW_BYTES_MAX ((size_t)64 << 20)

const struct dayrow_table dayrow_tables[4] = {
    [RECORD_EVENT] = {"event", "event_text", 14},
    [RECORD_LOG] = {"log", "log_text", 10},
    [RECORD_GAP] = {"gap", NULL, 7},
};

static uint32_t
dayrow_crc(uint64_t id, const struct record *r)
{
    struct record plain = *r;
    struct buf b;
    uint8_t key[8];
    plain.filed_ms = 0;
    buf_init(&b, DAYROW_BYTES_MAX);
    bytes_put_u64(key, id);
    uint32_t crc = record_put(&b, &plain) ? 0 : crc32c(crc32c(0, key, sizeof key), b.data, b.len);
    buf_done(&b);
    return crc;
}

static void
dayrow_bind_event(sqlite3_stmt *st, const struct event *e)
{
    sqlite3_bind_int64(st, 2, e->time_ms);
    sqlite3_bind_int64(st, 3, e->seen_ms);
    sqlite3_bind_int(st, 4, (int)e->phase);
    sqlite3_bind_int(st, 5, (int)e->severity);
    db_bind_text(st, 6, e->entity);
    db_bind_text(st, 7, e->code);
    db_bind_text(st, 8, e->source);
    db_bind_text(st, 9, e->node);
    db_bind_text(st, 10, e->job);
    db_bind_text(st, 11, e->tenant);
    db_bind_text(st, 12, e->text);
    db_bind_text(st, 13, e->fields);
}

static void
dayrow_bind_log(sqlite3_stmt *st, const struct log_line *l)
{
    sqlite3_bind_int64(st, 2, l->time_ms);
    sqlite3_bind_int(st, 3, (int)l->severity);
    sqlite3_bind_int(st, 4, l->rank);
    db_bind_text(st, 5, l->node);
    db_bind_text(st, 6, l->job);
    db_bind_text(st, 7, l->source);
    db_bind_text(st, 8, l->tenant);
    db_bind_text(st, 9, l->text);
}

void
dayrow_bind(sqlite3_stmt *st, uint64_t id, const struct record *r)
{
    sqlite3_bind_int64(st, 1, (int64_t)id);
    if (r->kind == RECORD_EVENT) {
        dayrow_bind_event(st, &r->event);
    } else if (r->kind == RECORD_LOG) {
        dayrow_bind_log(st, &r->log);
    } else {
        sqlite3_bind_int64(st, 2, r->gap.from_ms);
        sqlite3_bind_int64(st, 3, r->gap.to_ms);
        sqlite3_bind_int64(st, 4, (int64_t)r->gap.count);
        db_bind_text(st, 5, r->gap.source);
        db_bind_text(st, 6, r->gap.reason);
    }
    sqlite3_bind_int64(st, dayrow_tables[r->kind].count, dayrow_crc(id, r));
}

static void
dayrow_read_event(sqlite3_stmt *st, struct event *e)
{
    *e = (struct event){
        .time_ms = sqlite3_column_int64(st, 1),
        .seen_ms = sqlite3_column_int64(st, 2),
        .phase = (enum event_phase)sqlite3_column_int(st, 3),
        .severity = (enum severity)sqlite3_column_int(st, 4),
        .entity = db_text(st, 5),
        .code = db_text(st, 6),
        .source = db_text(st, 7),
        .node = db_text(st, 8),
        .job = db_text(st, 9),
        .tenant = db_text(st, 10),
        .text = db_text(st, 11),
        .fields = db_text(st, 12),
    };
}

static void
dayrow_read_log(sqlite3_stmt *st, struct log_line *l)
{
    *l = (struct log_line){
        .time_ms = sqlite3_column_int64(st, 1),
        .severity = (enum severity)sqlite3_column_int(st, 2),
        .rank = sqlite3_column_int(st, 3),
        .node = db_text(st, 4),
        .job = db_text(st, 5),
        .source = db_text(st, 6),
        .tenant = db_text(st, 7),
        .text = db_text(st, 8),
    };
}

int
dayrow_read(sqlite3_stmt *st, enum record_kind kind, uint64_t *ret_id, struct record *ret)
{
    *ret_id = (uint64_t)sqlite3_column_int64(st, 0);
    *ret = (struct record){.kind = kind, .filed_ms = record_id_ms(*ret_id)};
    if (kind == RECORD_EVENT)
        dayrow_read_event(st, &ret->event);
    else if (kind == RECORD_LOG)
        dayrow_read_log(st, &ret->log);
    else
        ret->gap = (struct gap){.from_ms = sqlite3_column_int64(st, 1),
                                .to_ms = sqlite3_column_int64(st, 2),
                                .count = (uint64_t)sqlite3_column_int64(st, 3),
                                .source = db_text(st, 4),
                                .reason = db_text(st, 5)};
    return dayrow_crc(*ret_id, ret) ==
                   (uint32_t)sqlite3_column_int64(st, dayrow_tables[kind].count - 1)
               ? 0
               : ERR_CORRUPT;
}

const char *
dayrow_text(const struct record *r)
{
    return r->kind == RECORD_EVENT ? r->event.text : r->kind == RECORD_LOG ? r->log.text : NULL;
}
