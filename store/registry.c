/* registry: see registry.h. */
#include "store/registry.h"

#include "store/labelblock.h"
#include "store/record.h"
#include "store/series.h"
#include "store/writer.h"

#include <stdlib.h>

#define REGISTRY_TURN 64 /* segments rewritten between two groups: some 20 ms */

static int
registry_put(struct journal *j, struct labelblock *b, uint64_t segment, struct buf *out,
             struct err *err)
{
    if (!labelblock_count(b))
        return 0;
    int rc = labelblock_finish(b, out);
    return rc ? err_set(err, rc, "labels cannot be encoded: %s", err_text(rc))
              : journal_labels(j, segment, out->data, out->len, err);
}

int
registry_add(struct journal *j, const struct apply_new *added, size_t n, const struct buf *labels,
             struct err *err)
{
    if (!n)
        return 0;
    struct labelblock *b = labelblock_new();
    struct buf out;
    uint64_t segment = added->id >> LABELBLOCK_BITS;
    int rc = b ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&out, 2 * LABELBLOCK_MAX);
    for (size_t i = 0; !rc && i < n; i++) {
        struct labels l;
        if (added[i].id >> LABELBLOCK_BITS != segment)
            rc = registry_put(j, b, segment, &out, err);
        segment = added[i].id >> LABELBLOCK_BITS;
        if (!rc)
            rc = record_take_labels(labels->data + added[i].off, added[i].len, &l);
        if (!rc && (rc = labelblock_add(b, added[i].id, &l)) == ERR_LIMIT) {
            rc = registry_put(j, b, segment, &out, err);
            rc = rc ? rc : labelblock_add(b, added[i].id, &l);
        }
    }
    if (!rc)
        rc = registry_put(j, b, segment, &out, err);
    labelblock_free(b);
    buf_done(&out);
    return rc;
}

int
registry_rewrite(struct store *s, uint64_t segment, struct err *err)
{
    struct index *ix = s->index;
    struct labelblock *b = labelblock_new();
    struct buf out;
    int rc = b ? journal_labels_drop(s->journal, segment, err)
               : err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&out, 2 * LABELBLOCK_MAX);
    uint64_t from = segment << LABELBLOCK_BITS, end = from + LABELBLOCK_SERIES;
    for (uint64_t id = from; !rc && id < end && id < ix->next_id; id++) {
        const struct series *se = series_at(ix, id);
        struct labels l;
        if (!se->pairs || se->forgotten)
            continue;
        series_labels(ix, se, &l);
        rc = labelblock_add(b, id, &l);
        if (rc == ERR_LIMIT) {
            rc = registry_put(s->journal, b, segment, &out, err);
            rc = rc ? rc : labelblock_add(b, id, &l);
        }
    }
    if (!rc)
        rc = registry_put(s->journal, b, segment, &out, err);
    labelblock_free(b);
    buf_done(&out);
    return rc;
}

struct registry_turn {
    uint64_t *segments;
    size_t count, at;
    struct err *err;
};

static int
registry_turn(struct store *s, void *ctx)
{
    struct registry_turn *t = ctx;
    int rc = journal_begin(s->journal, t->err);
    for (unsigned i = 0; !rc && i < REGISTRY_TURN && t->at < t->count; i++)
        rc = registry_rewrite(s, t->segments[t->at++], t->err);
    if (!rc)
        rc = journal_commit(s->journal, t->err);
    if (rc)
        journal_rollback(s->journal);
    return rc ? rc : t->at < t->count;
}

static int
registry_list(struct store *s, void *ctx)
{
    struct registry_turn *t = ctx;
    return journal_labels_scattered(s->journal, &t->segments, &t->count, t->err);
}

int
registry_tidy(struct store *s, struct err *err)
{
    struct registry_turn t = {.err = err};
    int rc = writer_call(s->writer, registry_list, &t);
    while (!rc && t.at < t.count && (rc = writer_call(s->writer, registry_turn, &t)) > 0)
        rc = 0;
    free(t.segments);
    return rc;
}
