/* store: the one place where everything is kept. SQLite files in one folder:
 *
 *   journal.db        each acknowledged batch, whole, with its watermark, in one transaction (WAL,
 * FULL) catalog.db        inventory, topology versions, jobs, incidents, users, outbox, watermarks
 * (catalog.h, topo.h) day-YYYYMMDD.db   closed chunks of series, events and logs with full-text
 * index, of one UTC day
 *
 * Recent samples live in memory and are rebuilt from the journal. One thread and connection writes
 * the journal, grouping commits; one fills the day files from it; the catalog has one of its own.
 * Everything here is thread-safe unless said otherwise. See store/FORMAT.md for bytes. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/event.h"
#include "base/log.h"
#include "base/sample.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct remote_config; /* store/remote.h */

struct store_config {
    const char *folder;                       /* made 0700 */
    int64_t retention_ms;                     /* 0: 30 days */
    int64_t max_size;                         /* bytes of all day files; 0: no limit */
    int64_t retention_5m_ms, retention_1h_ms; /* of the tiers; 0: 180 days, 5 years */
    int64_t window_ms;   /* out-of-order samples accepted this far behind; 0: 1 h. Older go to their
                            day file too (backfill). */
    uint64_t max_series; /* 0: 10 million; new ones beyond are refused, counted, a gap */
    uint64_t max_series_source, max_series_agent; /* alive, of one source, of one agent; 0: half of
                                                     max_series; 50,000 */
    const struct store_limit { /* the first pattern (* and ?) that fits a source's name decides */
        const char *pattern;
        int64_t max_series; /* 0: any number */
    } * source_limits;      /* copied */
    size_t source_limit_count;
    uint64_t max_queue_bytes; /* batches waiting for the writer; 0: 256 MiB; beyond: ERR_BUSY */
    unsigned read_threads;    /* that one query may use; 0: as many as processors, at most 4 */
    const struct remote_config *engine; /* NULL: sqlite alone; lives as long as the store */
    const struct clock *clock;          /* NULL: wall */
    const struct log *log;
};

int store_open(const struct store_config *cfg, struct store **ret, struct err *err);
void store_close(struct store *s); /* waits for the queue, checkpoints */
bool store_ready(const struct store *s);
const char *store_folder(const struct store *s);
const struct clock *store_clock(const struct store *s);
struct crew;
struct crew *store_crew(const struct store *s); /* crew.h; insiders only */

/* --- writing -------------------------------------------------------------------------------------
 */

/* A batch: samples, events, log lines, gaps, that become durable together or not at all. One thread
 * fills it. */
struct store_batch;
struct store_batch *store_batch_new(struct store *s);
void store_batch_free(struct store_batch *b);
/* Labels as base/sample.h says. `tenant` of the batch is stamped on every row (see
 * store_batch_tenant). */
int store_batch_samples(struct store_batch *b, const struct labels *l, const struct sample *samples,
                        size_t n);
int store_batch_event(struct store_batch *b, const struct event *ev);
int store_batch_log(struct store_batch *b, const struct log_line *line);
int store_batch_gap(struct store_batch *b, const struct gap *gap);
void store_batch_tenant(struct store_batch *b, const char *tenant);
/* Makes the batch apply once only: a commit whose (source, epoch, sequence) is not greater than the
 * one held for (source, epoch) changes nothing and answers ERR_EXISTS. */
void store_batch_watermark(struct store_batch *b, const char *source, uint64_t epoch,
                           uint64_t sequence);
/* Whose series these are, for the limit a source has: "agent:n1", "remote_write", "scrape:job url".
 * A batch without it is its watermark's source's. */
void store_batch_origin(struct store_batch *b, const char *origin);
size_t store_batch_size(const struct store_batch *b);       /* bytes */
struct sample_sink store_batch_sink(struct store_batch *b); /* for decoders */

struct store_commit_result {
    uint64_t samples, events, logs; /* kept */
    uint64_t duplicates, too_old,
        refused; /* samples not kept, by reason (each refusal is a gap too) */
};
/* Blocks until durable. Takes the batch (freed in every case). 0, ERR_EXISTS, ERR_BUSY, ERR_FULL,
 * ERR_CLOSED, ERR_IO. ret may be NULL. */
int store_commit(struct store *s, struct store_batch *b, struct store_commit_result *ret,
                 struct err *err);
/* Does not block: cb runs on the writer's thread once durable (or failed). Takes the batch. */
typedef void store_committed(void *ctx, int rc, const struct store_commit_result *res);
int store_submit(struct store *s, struct store_batch *b, store_committed *cb, void *ctx);
/* Last sequence held for (source, epoch); 0 when none. */
uint64_t store_watermark(struct store *s, const char *source, uint64_t epoch);

/* After each group commit, on the writer's thread, in order: what became durable. Callbacks copy
 * and return. */
struct store_feed {
    void (*event)(void *ctx, const struct event *ev, uint64_t id);
    void (*log)(void *ctx, const struct log_line *line);
    void (*gap)(void *ctx, const struct gap *gap);
    void (*samples)(void *ctx, uint64_t series, const struct labels *l, const struct sample *s,
                    size_t n);    /* may be NULL */
    void (*committed)(void *ctx); /* the group is complete: wake up now */
    void *ctx;
};
int store_subscribe(struct store *s, const struct store_feed *feed); /* before traffic; at most 8 */

/* --- series --------------------------------------------------------------------------------------
 */

enum match_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };
struct matcher {
    enum match_op op;
    const char *name,
        *value; /* 0-terminated; value is a regular expression (anchored) for RE, NRE */
};

struct series_row {         /* one series of an answer */
    struct labels *labels;  /* only the first `count` places are meaningful; strings 0-terminated,
                               valid until store_close */
    uint64_t id;            /* stable while the store is open */
    struct sample *samples; /* by time, no duplicates; stale markers included */
    size_t count;
};
struct series_set { /* owns everything in rows */
    struct series_row *rows;
    size_t count;
    void *priv;
};
struct select_limits {
    size_t max_series, max_samples; /* 0: 1,000,000 and 100 million; beyond: ERR_LIMIT */
    int64_t deadline_mono_us;       /* 0: none; then ERR_TIMEOUT */
    const char *tenant;             /* NULL or "": all */
    /* NULL: all. Else asked of each series that matches; those it does not want are not read. An
     * engine elsewhere does not ask. */
    bool (*want)(void *ctx, uint64_t series);
    void *want_ctx;
};
/* All samples in [from, to]. rows in no particular order. */
int store_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms,
                 const struct select_limits *lim, struct series_set *ret, struct err *err);
/* Only the newest sample of each series that is in [at - lookback, at] and not stale; count is 1 a
 * row. Fast: memory only when `at` is recent. */
int store_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms,
                 int64_t lookback_ms, const struct select_limits *lim, struct series_set *ret,
                 struct err *err);
void series_set_done(struct series_set *set);
/* Label names, values of one label, of the series that match (n 0: all) and have samples in the
 * range. cb's return stops when negative. Sorted. */
int store_label_names(struct store *s, const struct matcher *m, size_t n, int64_t from_ms,
                      int64_t to_ms, int (*cb)(void *ctx, const char *name), void *ctx);
int store_label_values(struct store *s, const char *label, const struct matcher *m, size_t n,
                       int64_t from_ms, int64_t to_ms, int (*cb)(void *ctx, const char *value),
                       void *ctx);

/* --- events and logs -------------------------------------------------------------------------- */

struct event_query {        /* empty or 0 fields do not filter */
    int64_t from_ms, to_ms; /* [from, to) */
    const char *entity;     /* exact, or "node:x/" prefix when it ends in '/' or '*' */
    const char *code, *node, *job, *source, *tenant;
    int severity_min;   /* enum severity */
    const char *text;   /* full-text: words all of which occur; "quoted phrase" */
    uint64_t before_id; /* cursor: ids below this only (newest first) */
    size_t limit;       /* 0: 100 */
    bool ascending;     /* oldest first; cursor then means after */
};
/* Newest first. cb's event is valid during the call. Returns the count. */
int store_events(struct store *s, const struct event_query *q,
                 int (*cb)(void *ctx, const struct event *ev, uint64_t id), void *ctx,
                 struct err *err);
int store_logs(struct store *s, const struct event_query *q,
               int (*cb)(void *ctx, const struct log_line *line, uint64_t id), void *ctx,
               struct err *err);
int store_gaps(struct store *s, int64_t from_ms, int64_t to_ms, const char *source,
               int (*cb)(void *ctx, const struct gap *gap), void *ctx, struct err *err);

/* --- keeping ---------------------------------------------------------------------------------- */

int store_compact(struct store *s,
                  struct err *err); /* closes chunks, cuts the journal, returns pages */
int store_flush(struct store *s, struct err *err); /* fills day files from the journal now */
/* Fills the tiers of 5 minutes and an hour from the days that are over, now: what happens by itself
 * every ten minutes. */
int store_fill_tiers(struct store *s, struct err *err);
/* Takes the samples in [from, to] of the series that match out of everything; n > 0. Returns how
 * many. What arrives meanwhile may stay. */
int64_t store_delete(struct store *s, const struct matcher *m, size_t n, int64_t from_ms,
                     int64_t to_ms, struct err *err);
enum store_fault_kind {
    STORE_FAULT_FILE,      /* is no database */
    STORE_FAULT_SHORT,     /* its end is missing */
    STORE_FAULT_PAGE,      /* at: number of the page, from 1 */
    STORE_FAULT_STRUCTURE, /* table: what SQLite says of it */
    STORE_FAULT_ROW,       /* table, at: id of the row */
    STORE_FAULT_WAL,       /* at: frame of what a process left behind */
    STORE_FAULT_ASIDE,     /* a file that was moved aside as damaged earlier */
};
struct store_fault {
    enum store_fault_kind kind;
    const char *file; /* name in the folder */
    const char *table;
    int64_t at;
};
struct store_watch { /* both may be NULL; calls come from the caller's thread */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void (*fault)(void *ctx, const struct store_fault *f);
    void *ctx;
};
/* What is damaged, and what to do about it, in one line. */
void store_fault_text(const struct store_fault *f, bool zh, struct buf *out);
/* Reads and checks every checksum, of pages, then of rows. Works beside a running store. Returns
 * the number of faults. */
int store_verify_watched(const char *folder, const struct store_watch *w, struct err *err);
/* The same; progress(done, total) may be NULL. */
int store_verify(struct store *s, void (*progress)(void *ctx, uint64_t done, uint64_t total),
                 void *ctx, struct err *err);
int store_verify_folder(const char *folder,
                        void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                        struct err *err);
/* One pass of the scrubber over every page of every file, now and without pauses: what it does by
 * itself in the background. Damage becomes an event. Returns the number of damaged pages. */
int store_scrub(struct store *s, struct err *err);
/* All files as of one moment, into a new folder, while the store runs; restored by store_restore.
 * since (or NULL): an earlier backup; what did not change is linked to its files. progress counts
 * bytes. ERR_EXISTS: the folder holds files of that name. */
int store_backup(struct store *s, const char *folder, const char *since,
                 const struct store_watch *watch, struct err *err);
struct store_restore {
    const char *only;                /* one file of the backup; NULL: all */
    bool force;                      /* into a folder that holds a store, which goes */
    const struct store_watch *watch; /* or NULL; progress counts bytes */
};
/* Into a folder that nobody has open. ERR_EXISTS: it holds a store and force is not set; ERR_STATE:
 * in use; ERR_CORRUPT: the backup is damaged, and nothing was changed. */
int store_restore(const char *from, const char *to, const struct store_restore *how,
                  struct err *err);
void store_metrics(struct store *s, struct buf *out); /* own counters as exposition text */
/* How the engine elsewhere does, if there is one. */
struct store_engine {
    const char *write_url, *query_url;
    uint64_t spool_bytes, sent_samples, lost_samples;
    int64_t synced_ms; /* all that was taken in before this time is there; 0: not known yet */
    char trouble[256]; /* why the last request was not taken, a sentence; "" */
};
int store_engine(struct store *s, struct store_engine *ret); /* ERR_NOTFOUND: none */
struct store_stats {
    uint64_t series, samples_total, events_total, logs_total, journal_bytes, day_bytes, queue_bytes,
        gaps_total;
};
void store_stats_get(struct store *s, struct store_stats *ret);

#endif
