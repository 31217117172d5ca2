/* store: opens the parts in order, brings memory back from the files, and closes them in reverse.
 *
 * After a crash: series come from the journal's registry and the day files, the last hour's samples
 * from the day files, and what no day file holds from the journal's batches, each judged by the
 * number that the day's file says it holds. */
#include "store/store.h"

#include "base/str.h"
#include "store/batch.h"
#include "store/chunk.h"
#include "store/crew.h"
#include "store/dayfile.h"
#include "store/flush.h"
#include "store/head.h"
#include "store/journal.h"
#include "store/remote_priv.h"
#include "store/known.h"
#include "store/registry.h"
#include "store/limit.h"
#include "store/rows.h"
#include "store/scrub.h"
#include "store/series.h"
#include "store/tasks.h"
#include "store/tier.h"
#include "store/store_priv.h"
#include "store/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STORE_LOAD_MAX                                                                             \
    ((uint64_t)20000000) /* with more samples than that the day files are asked until new ones     \
                            come: a start must not take longer than 10 s */
#define STORE_LOAD_MS                                                                              \
    ((int64_t)3600000) /* of samples brought back into memory: what live views and detectors ask   \
                        */

#define STORE_READERS 4 /* threads that one query may use unless told */

/* --- bringing memory back --------------------------------------------------------------------- */

struct store_load {
    struct store *store;
    int64_t from_ms;
    uint64_t number, row0; /* of the batch being replayed; next row */
    struct sample *samples;
    size_t cap;
};

static int
store_load_series(void *ctx, uint64_t id, const void *labels, size_t len)
{
    struct store_load *l = ctx;
    struct index *ix = l->store->index;
    uint64_t hash[2];
    series_hash(labels, len, ix->seed, hash);
    if (series_find(ix, hash))
        return 0;
    int64_t rc = series_add(ix, id, labels, len, hash);
    if (rc == ERR_NOMEM)
        return ERR_NOMEM;
    if (rc < 0)
        l->store->counters.damaged++;
    else
        series_at(ix, (uint64_t)rc)->mem_from = l->from_ms;
    return 0;
}

/* A series that only old days know: it is registered again when it comes back. */
static int
store_load_day_series(void *ctx, uint64_t id, const void *labels, size_t len)
{
    struct store_load *l = ctx;
    struct index *ix = l->store->index;
    uint64_t hash[2];
    series_hash(labels, len, ix->seed, hash);
    if (series_find(ix, hash))
        return 0;
    int rc = store_load_series(ctx, id, labels, len);
    id = rc ? 0 : series_find(ix, hash);
    if (id)
        series_at(ix, id)->forgotten = true;
    return rc;
}

static int
store_load_samples(struct store_load *l, const struct chunk_reader *r, size_t i)
{
    struct index *ix = l->store->index;
    uint64_t id = chunk_reader_id(r, i);
    size_t n = chunk_reader_count(r, i), at = 0;
    if (id >= ix->next_id || !series_at(ix, id)->pairs)
        return 0;
    if (n > l->cap) {
        struct sample *p = realloc(l->samples, n * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        l->samples = p;
        l->cap = n;
    }
    if (chunk_reader_samples(r, i, l->samples)) {
        l->store->counters.damaged++;
        return 0;
    }
    while (at < n && l->samples[at].t_ms < l->from_ms)
        at++;
    return at < n ? head_load(ix, series_at(ix, id), l->samples + at, n - at) : 0;
}

static int
store_load_chunk(void *ctx, const struct chunk_reader *r)
{
    struct store_load *l = ctx;
    int rc = 0;
    for (size_t i = 0; !rc && i < chunk_reader_series(r); i++)
        rc = store_load_samples(l, r, i);
    return rc;
}

static bool
store_held_samples(void *ctx, int64_t t_ms)
{
    struct store_load *l = ctx;
    return l->number <= days_held_samples(l->store->days, days_of(t_ms));
}

static bool
store_held_rows(void *ctx, int64_t filed_ms)
{
    struct store_load *l = ctx;
    return l->number <= days_held_rows(l->store->days, days_of(filed_ms));
}

static int
store_replay(void *ctx, uint64_t number, const void *data, size_t len)
{
    struct store_load *l = ctx;
    struct writer_held held = {store_held_samples, store_held_rows, l};
    uint64_t row = 0;
    l->number = number;
    int rc = writer_replay(l->store, number, data, len, &held, &row);
    if (rc == ERR_CORRUPT) { /* one damaged batch must not take the others along */
        l->store->counters.damaged++;
        return 0;
    }
    l->row0 = row > l->row0 ? row : l->row0;
    return rc;
}

/* A journal older than the day files (restored, or made anew) must not give out numbers again that
 * they say they hold. */
static int
store_numbers(struct store *s)
{
    int64_t *days;
    size_t n;
    uint64_t next = journal_next(s->journal);
    int rc = days_numbers(s->days, &days, &n);
    for (size_t i = 0; !rc && i < n; i++) {
        uint64_t a = days_held_samples(s->days, days[i]), b = days_held_rows(s->days, days[i]);
        a = a > b ? a : b;
        next = a >= next ? a + 1 : next;
    }
    if (!rc) {
        journal_advance(s->journal, next);
        free(days);
    }
    return rc;
}

static int
store_load_mark(void *ctx, const char *source, uint64_t epoch, uint64_t sequence)
{
    return writer_mark(((struct store_load *)ctx)->store->writer, source, epoch, sequence);
}

static int
store_load(struct store *s, struct err *err)
{
    int64_t now = clock_now_ms(s->cfg.clock);
    struct store_load l = {.store = s, .from_ms = now - STORE_LOAD_MS};
    uint64_t damaged = 0;
    bool recent = days_samples(s->days, l.from_ms) <= STORE_LOAD_MAX;
    if (!recent)
        l.from_ms = now;
    struct days_chunk_query q = {.from_ms = l.from_ms, .to_ms = INT64_MAX, .high = INT64_MAX};
    int rc = journal_each_series(s->journal, store_load_series, &l, &damaged, err);
    s->counters.damaged += damaged;
    if (!rc)
        rc = days_each_series(s->days, damaged > 0, store_load_day_series, &l, err);
    if (!rc && recent)
        rc = days_each_chunk(s->days, &q, store_load_chunk, &l, err);
    s->counters.damaged += q.damaged;
    if (!rc)
        series_collect_free(s->index);
    if (!rc && store_numbers(s))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    l.row0 = journal_row0(s->journal);
    if (!rc)
        rc = journal_replay(s->journal, store_replay, &l, err);
    free(l.samples);
    if (!rc && writer_new(s, l.row0, &s->writer))
        rc = err_set(err, ERR_NOMEM, "no memory for the store's writer");
    return rc ? rc : journal_each_watermark(s->journal, store_load_mark, &l, err);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Two processes that write one folder would ruin it: the second is refused. */
static int
store_lock_folder(struct store *s, struct err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/lock", s->cfg.folder);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return err_set_errno(err, "cannot open %s", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        return err_set(err, ERR_STATE, "%s is in use by another process", s->cfg.folder);
    return 0;
}

static int
store_parts(struct store *s, struct err *err)
{
    uint64_t damaged = 0;
    int rc = store_lock_folder(s, err);
    if (!rc)
        rc = days_open(s->cfg.folder, &s->days, &damaged, err);
    if (!rc)
        rc = tier_open(s, &s->tiers, err);
    s->counters.damaged += damaged;
    if (!rc)
        rc = journal_open(s->cfg.folder, &s->journal, err);
    if (!rc)
        days_registry(s->days, journal_seed(s->journal));
    if (!rc && (!(s->rows = rows_new()) || !(s->known = known_new()) ||
                !(s->batches = batch_pool_new()) || !(s->limits = limit_new(&s->cfg)) ||
                !(s->index = series_index_new(s->cfg.max_series, journal_seed(s->journal)))))
        rc = err_set(err, ERR_NOMEM, "no memory for the store");
    if (!rc)
        rc = store_load(s, err);
    if (!rc && s->cfg.engine)
        rc = remote_open(s, err);
    if (!rc)
        rc = writer_start(s->writer, err);
    if (!rc && flush_new(s, &s->flusher))
        rc = err_set(err, ERR_NOMEM, "no memory for the store's flusher");
    if (!rc)
        rc = flush_start(s->flusher, err);
    if (!rc && !(s->crew = crew_new(s->cfg.read_threads - 1)))
        rc = err_set(err, ERR_NOMEM, "no memory for the store's readers");
    if (!rc)
        rc = catalog_open(s, s->cfg.folder, err);
    if (!rc)
        rc = topo_state_open(s, err);
    if (!rc)
        rc = s->remote ? 0 : tier_start(s->tiers, err); /* the engine has the past */
    if (!rc && scrub_new(s, &s->scrubber))
        rc = err_set(err, ERR_NOMEM, "no memory for the store's scrubber");
    return rc ? rc : scrub_start(s->scrubber, err);
}

int
store_open(const struct store_config *cfg, struct store **ret, struct err *err)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "no memory for the store");
    s->cfg = *cfg;
    s->lock_fd = -1;
    s->cfg.retention_ms = cfg->retention_ms ? cfg->retention_ms : (int64_t)30 * 86400000;
    s->cfg.window_ms = cfg->window_ms ? cfg->window_ms : 3600000;
    s->cfg.max_series = cfg->max_series ? cfg->max_series : 10000000;
    s->cfg.max_series_source =
        cfg->max_series_source ? cfg->max_series_source : s->cfg.max_series / 2;
    s->cfg.max_series_agent = cfg->max_series_agent ? cfg->max_series_agent : 50000;
    s->cfg.max_queue_bytes = cfg->max_queue_bytes ? cfg->max_queue_bytes : (uint64_t)256 << 20;
    if (!s->cfg.read_threads) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        s->cfg.read_threads = n < 1 ? 1 : n > STORE_READERS ? STORE_READERS : (unsigned)n;
    }
    if (!s->cfg.clock)
        s->cfg.clock = &clock_wall;
    s->cfg.folder = strdup(cfg->folder);
    int rc = s->cfg.folder ? file_mkdir(cfg->folder, 0700, err)
                           : err_set(err, ERR_NOMEM, "no memory for the store");
    if (rc >= 0 && !(s->tasks = tasks_new()))
        rc = err_set(err, ERR_NOMEM, "no memory for the store");
    if (rc >= 0)
        rc = store_parts(s, err);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    s->ready = true;
    *ret = s;
    return 0;
}

void
store_close(struct store *s)
{
    if (!s)
        return;
    bool ready = s->ready;
    s->ready = false;
    scrub_free(s->scrubber);
    tier_stop(s->tiers);
    remote_stop(s->remote);
    writer_drain(s->writer);
    if (ready)
        flush_all(s->flusher, NULL); /* what cannot be filled now stays in the journal */
    topo_state_close(s);
    catalog_close(s);
    crew_free(s->crew);
    flush_free(s->flusher);
    writer_free(s->writer);
    remote_close(s->remote);
    journal_close(s->journal);
    rows_free(s->rows);
    limit_free(s->limits);
    tier_free(s->tiers);
    days_close(s->days);
    series_index_free(s->index);
    known_free(s->known);
    tasks_free(s->tasks);
    batch_pool_free(s->batches);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free((char *)(uintptr_t)s->cfg.folder);
    free(s);
}

bool
store_ready(const struct store *s)
{
    return s->ready;
}

struct crew *
store_crew(const struct store *s)
{
    return s->crew;
}

const char *
store_folder(const struct store *s)
{
    return s->cfg.folder;
}

const struct clock *
store_clock(const struct store *s)
{
    return s->cfg.clock;
}

/* --- keeping ---------------------------------------------------------------------------------- */

int
store_flush(struct store *s, struct err *err)
{
    return flush_all(s->flusher, err);
}

static int
store_shrink(struct store *s, void *ctx)
{
    struct err *err = ctx;
    int rc = journal_vacuum(s->journal, err);
    return rc ? rc : journal_checkpoint(s->journal, err);
}

int
store_compact(struct store *s, struct err *err)
{
    int64_t *days = NULL;
    size_t n = 0;
    int rc = flush_all(s->flusher, err);
    if (!rc)
        rc = flush_retention(s->flusher, err);
    if (!rc)
        rc = flush_merge(s->flusher, INT64_MAX, err);
    if (!rc)
        rc = registry_tidy(s, err);
    if (!rc)
        rc = writer_call(s->writer, store_shrink, err);
    if (!rc && days_numbers(s->days, &days, &n))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; !rc && i < n; i++) {
        flush_lock(s->flusher);
        rc = days_shrink(s->days, days[i], err);
        flush_unlock(s->flusher);
    }
    free(days);
    return rc ? rc : catalog_compact(s, err);
}
