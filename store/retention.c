/* retention: whole day files go when they are older than the retention or when all together are too
 * big; then series that no file and no memory holds leave the registry. Under the flusher's lock.
 */
#include "store/dayfile.h"
#include "store/flush.h"
#include "store/journal.h"
#include "store/known.h"
#include "store/remote_priv.h"
#include "store/labelblock.h"
#include "store/limit.h"
#include "store/registry.h"
#include "store/series.h"
#include "store/store_priv.h"
#include "store/tier.h"
#include "store/writer.h"

#include <stdlib.h>

#define RETENTION_MARKS_MS                                                                         \
    ((int64_t)35 * 86400000)  /* watermarks of epochs that long silent; agents keep a day */
#define RETENTION_SLICE 65536 /* series a look at waiting batches */

/* On the writer's thread, so that no sample comes between the question and the answer. */
int
retention_forget(struct store *s, void *ctx)
{
    struct index *ix = s->index;
    (void)ctx;
    if (remote_behind(s->remote)) /* what waits names series by their ids */
        return 0;
    int rc = journal_begin(s->journal, NULL);
    bool dying = false;
    uint64_t gone = UINT64_MAX; /* segment that lost a series */
    for (uint64_t id = 1; !rc && id <= ix->next_id; id++) {
        if (gone != UINT64_MAX && (id == ix->next_id || id >> LABELBLOCK_BITS != gone)) {
            rc = registry_rewrite(s, gone, NULL);
            gone = UINT64_MAX;
        }
        if (rc || id == ix->next_id)
            break;
        struct series *se = series_at(ix, id);
        if (!se->pairs || se->blocks || se->forgotten ||
            days_hold_series(s->days, id, INT64_MIN, INT64_MAX) || tier_hold_series(s->tiers, id))
            continue;
        gone = id >> LABELBLOCK_BITS;
        limit_forget(s->limits, id);
        pthread_rwlock_wrlock(&ix->lock);
        se->forgotten = true; /* the next sample registers it again */
        se->dying = true;
        pthread_rwlock_unlock(&ix->lock);
        dying = true;
    }
    if (dying)
        known_forget(s->known);
    if (!rc)
        rc = journal_forget_watermarks(s->journal, clock_now_ms(s->cfg.clock) - RETENTION_MARKS_MS,
                                       NULL);
    if (!rc)
        rc = journal_commit(s->journal, NULL);
    if (rc)
        journal_rollback(s->journal);
    return rc;
}

/* What the round before left dying goes: by now no batch and no question knows its id. */
static int
retention_bury(struct store *s, void *ctx)
{
    struct index *ix = s->index;
    (void)ctx;
    if (remote_behind(s->remote))
        return 0;
    pthread_rwlock_wrlock(&ix->lock);
    int64_t n = series_remove_dying(ix);
    pthread_rwlock_unlock(&ix->lock);
    return n < 0 ? (int)n : 0;
}

struct retention_sweep {
    uint64_t from, end;
};

/* On the writer's thread, which alone changes owners: a slice between two groups. */
static int
retention_sweep_some(struct store *s, void *ctx)
{
    struct retention_sweep *w = ctx;
    w->end = s->index->next_id;
    limit_sweep(s->limits, s->index, w->from,
                w->from + RETENTION_SLICE < w->end ? w->from + RETENTION_SLICE : w->end,
                clock_now_ms(s->cfg.clock) - LIMIT_IDLE_MS);
    w->from += RETENTION_SLICE;
    return w->from < w->end;
}

int
retention_run(struct store *s, struct err *err)
{
    int64_t first = days_of(clock_now_ms(s->cfg.clock) - s->cfg.retention_ms), *days;
    size_t n, gone = 0;
    struct retention_sweep sweep = {.from = 0};
    while (writer_call(s->writer, retention_sweep_some, &sweep) > 0)
        ;
    int rc = writer_call(s->writer, retention_bury, NULL);
    if (!rc)
        rc = remote_trim(s->remote, err);
    if (rc)
        return rc;
    if ((rc = days_numbers(s->days, &days, &n)))
        return err_set(err, rc, "out of memory");
    while (!rc && gone < n &&
           (days[gone] < first || (s->cfg.max_size > 0 && gone + 1 < n &&
                                   days_bytes(s->days) > (uint64_t)s->cfg.max_size)))
        rc = days_remove(s->days, days[gone++], err);
    free(days);
    if (!rc && gone)
        rc = writer_call(s->writer, retention_forget, NULL);
    return rc;
}
