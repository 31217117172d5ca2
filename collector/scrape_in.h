/* scrape_in: what the files of scrape share.
 *
 * The loop's thread owns jobs and lists of targets. A target's answer is read on the pool's thread:
 * between submit and done (busy) the target's own members are that thread's. */
#ifndef COLLECTOR_SCRAPE_IN_H
#define COLLECTOR_SCRAPE_IN_H

#include "base/httpc.h"
#include "base/map.h"
#include "base/sample.h"
#include "collector/inlet.h"
#include "collector/relabel.h"
#include "collector/scrape_conf.h"
#include "collector/source.h"

#include <pthread.h>
#include <stdatomic.h>

#define SCRAPE_LABELS_TEXT ((size_t)64 << 10)

struct scrape;
struct scrape_job;

struct scrape_target {
    struct scrape_target *next; /* in its job */
    struct scrape_job *job;
    char *key; /* what makes it the same target: URL and labels */
    char *url;
    struct arena *text;   /* of labels */
    struct labels labels; /* added to each series; finished */
    struct inlet *inlet;
    int64_t interval_ms, timeout_ms, due_us; /* due: by the monotonic clock */
    int64_t at_ms, sent_us;                  /* of the scrape under way */
    _Atomic bool busy;
    bool found, retired; /* by the discovery under way; no longer wanted */
    /* the last good scrape, for stale markers: hashes of its series, and the text they came from */
    uint64_t *hashes;
    size_t hash_count;
    struct buf body; /* zstd */
    size_t body_len; /* before it */
};

struct scrape_feed { /* one file_sd or http_sd configuration, or the static ones of a job */
    struct scrape_job *job;
    const struct scrape_file_sd *file;
    const struct scrape_http_sd *http;
    int64_t refresh_ms, due_us;
    _Atomic bool busy; /* an answer is awaited, or waits in `doc` */
    _Atomic bool answered;
    struct doc *doc; /* http: the last answer */
    bool failing;
    struct scrape_feed *next;
    struct doc **docs; /* what is in force: one a file */
    char **names;
    size_t doc_count;
};

struct scrape_job {
    struct scrape *s;
    const struct scrape_conf *conf;
    struct relabel *relabel, *metric_relabel;
    struct scrape_target *targets;
    struct scrape_feed *feeds;
    size_t target_count;
    bool told_limit;
};

struct scrape {
    struct source_env env;
    struct httpc_pool *pool;
    struct loop_timer *timer;
    struct scrape_job *jobs;
    size_t job_count;
    pthread_mutex_t mutex;    /* the lists of targets, against readers of json and metrics */
    struct inlet_counts gone; /* of targets that are no more */
    _Atomic bool stopping;
    _Atomic uint64_t skipped; /* a scrape was due while the last had not ended */
};

/* scrape_target.c */
/* Labels as discovery gives them (__address__ and others) to a target; NULL with *ret_dropped when
 * relabelling dropped it, NULL when it is not a target (err) or memory is short. */
struct scrape_target *scrape_target_new(struct scrape_job *job, struct labels *l,
                                        struct arena *text, bool *ret_dropped, struct err *err);
void scrape_target_free(struct scrape_target *t);
void scrape_target_ask(struct scrape_target *t); /* on the loop; not busy */
/* scrape_read.c */
/* An answer's text into the store; up and the other four series in every case. `error` NULL: read
 * text. On the pool's thread. */
void scrape_read_take(struct scrape_target *t, const char *text, size_t len, double seconds,
                      const char *error);
/* Marks all series of the last scrape stale. On the loop, not busy. */
void scrape_read_retire(struct scrape_target *t);

/* scrape_sd.c */
int scrape_sd_open(struct scrape_job *job, struct err *err); /* makes the feeds, reads files once */
void scrape_sd_close(struct scrape_job *job);
void scrape_sd_turn(struct scrape_job *job, int64_t now_us); /* refreshes what is due */
/* Fills credentials and TLS of a request; texts live in `a`. 0, or an error that names the file. */
int scrape_sd_credentials(const struct scrape_http *h, struct arena *a, struct httpc_request *req,
                          const char **ret_header, struct err *err);

#endif
