/* remote_priv: what the files of the engine share. Insiders only. */
#ifndef STORE_REMOTE_PRIV_H
#define STORE_REMOTE_PRIV_H

#include "store/remote.h"
#include "store/store_priv.h"

#include <pthread.h>

struct remote_spool;
struct remote_sender;
struct remote_words;
struct httpc;

#define REMOTE_IDLE_MAX 8 /* connections kept for questions */

struct remote_counters {
    atomic_uint_fast64_t sent, requests, bytes, retries, refused, dropped, damaged, asked,
        ask_failures;
};

struct remote {
    struct store *store;
    struct remote_config cfg; /* defaults filled in */
    struct remote_spool *spool;
    struct remote_sender *sender;
    struct remote_counters counters;
    _Atomic int64_t since;     /* when this folder first met the engine */
    _Atomic int64_t trimmed;   /* samples before this time may have left the day files */
    _Atomic int64_t synced_ms; /* all that was taken in before this time is sent; 0: not known */
    pthread_mutex_t lock;      /* all below */
    struct httpc *idle[REMOTE_IDLE_MAX];
    size_t idle_count;
    struct remote_words *words;
    char trouble[256]; /* why the last request was not taken; "" */
};

/* From this time on everything that was taken in is in the store's own files. */
int64_t remote_local_from(const struct remote *r);
/* Would the engine be asked for times from `from_ms` on? */
bool remote_wanted(const struct remote *r, int64_t from_ms);
void remote_trouble(struct remote *r, const char *text); /* "": none any more */
/* An event: the engine has taken nothing for a while, and why; or it does again. */
void remote_tell(struct remote *r, bool away);
/* A row that tells of samples which the engine does not have. */
void remote_gap(struct remote *r, int64_t from, int64_t to, uint64_t count, const char *reason);

/* --- remote_spool.c: remote.db, and a look into the journal ----------------------------------- */

int remote_spool_open(const char *folder, uint64_t seed, uint64_t next, struct remote_spool **ret,
                      struct err *err);
void remote_spool_close(struct remote_spool *sp);
uint64_t remote_spool_sent(struct remote_spool *sp); /* batches up to here are at the engine */
uint64_t remote_spool_bytes(struct remote_spool *sp);
/* Numbers kept between runs; `none` when there is none. */
int remote_spool_get(struct remote_spool *sp, const char *key, int64_t none, int64_t *ret,
                     struct err *err);
int remote_spool_set(struct remote_spool *sp, const char *key, int64_t value, struct err *err);
/* Batches above `after`, in order, from the spool and the journal. cb: 0 go on, 1 enough, negative
 * an error. */
typedef int remote_batch(void *ctx, uint64_t number, const void *data, size_t len);
int remote_spool_read(struct remote_spool *sp, uint64_t after, remote_batch *cb, void *ctx,
                      struct err *err);
/* Batches up to `sent` are at the engine: durable, and they leave the spool. */
int remote_spool_mark(struct remote_spool *sp, uint64_t sent, struct err *err);
/* Copies what the journal holds up to `through` and is not sent, so that the journal may forget it.
 * Beyond max_bytes the oldest batches after `busy` go, each told by `dropped`. */
struct remote_spool_keep {
    uint64_t through, busy;
    int64_t max_bytes;
    remote_batch *dropped;
    void *ctx;
};
int remote_spool_keep(struct remote_spool *sp, const struct remote_spool_keep *k, struct err *err);

/* --- remote_encode.c -------------------------------------------------------------------------- */

struct remote_entry { /* a sample on its way */
    uint32_t id;
    int64_t t_ms;
    double v;
};
/* A TimeSeries of a WriteRequest (Prometheus remote write 1.0): the labels, the external ones among
 * them (a label of the same name becomes exported_NAME), and the samples. */
int remote_encode_series(struct buf *out, const struct labels *l, const struct labels *external,
                         const struct remote_entry *at, size_t n);
/* By id, stable; tmp has room for n. */
void remote_sort_entries(struct remote_entry *at, struct remote_entry *tmp, size_t n);

/* --- remote_send.c ---------------------------------------------------------------------------- */

int remote_sender_start(struct remote *r, struct remote_sender **ret, struct err *err);
/* Sends what waits, for two seconds at most, and ends the threads; free comes when the writer has
 * ended. */
void remote_sender_stop(struct remote_sender *s);
void remote_sender_free(struct remote_sender *s);
uint64_t remote_sender_busy(struct remote_sender *s); /* last number of the round under way */

/* --- remote_ask.c ----------------------------------------------------------------------------- */

struct httpc_request;
/* What every request to the engine bears: credentials, headers; strings in *tmp. */
struct remote_access {
    const char *headers[20];
    char token[4096], password[1024];
};
int remote_access_fill(const struct remote_config *c, const char *const *more,
                       struct remote_access *tmp, struct httpc_request *req, struct err *err);
void remote_form_add(struct buf *form, const char *key, const char *value, size_t len);
void remote_form_time(struct buf *form, const char *key, int64_t ms);
/* {name="value",...}: the matchers, the tenant's, and those of this appliance. */
int remote_selector(const struct remote *r, const struct matcher *m, size_t n, const char *tenant,
                    struct buf *out);
/* The body of an answer with status 2xx; `form` NULL: GET. Deadline as in struct select_limits. */
int remote_ask(struct remote *r, const char *path, const struct buf *form, int64_t deadline_us,
               struct buf *ret_body, struct err *err);

/* --- remote_answer.c -------------------------------------------------------------------------- */

struct remote_answer_sink {
    int (*row)(void *ctx, const struct labels *l, const struct sample *s, size_t n);
    int (*word)(void *ctx, const char *word);
    void *ctx;
    size_t max_samples;
};
/* Reads the body that Prometheus' API answers: data.result of a query, or data as a list of label
 * sets or words. Labels are sorted, not 0-terminated, and valid during the call. ERR_SYNTAX,
 * ERR_LIMIT, ERR_NOMEM, or what the sink answers. */
int remote_answer_parse(const char *text, size_t len, const struct remote_answer_sink *sink,
                        struct err *err);
/* The sentence of an error's body, "" when there is none. */
void remote_answer_error(const char *text, size_t len, char *out, size_t size);

/* --- remote_words.c: strings that live as long as the store ----------------------------------- */

struct remote_words *remote_words_new(void);
void remote_words_free(struct remote_words *w);
/* Under remote.lock. NULL at its ceiling. */
const char *remote_words_take(struct remote_words *w, const char *s, size_t len);

/* --- remote_read.c ---------------------------------------------------------------------------- */

int remote_select(struct store *s, const struct matcher *m, size_t n, int64_t from_ms,
                  int64_t to_ms, const struct select_limits *lim, struct series_set *ret,
                  struct err *err);
int remote_latest(struct store *s, const struct matcher *m, size_t n, int64_t at_ms,
                  int64_t lookback_ms, const struct select_limits *lim, struct series_set *ret,
                  struct err *err);
int remote_labels(struct store *s, const char *label, const struct matcher *m, size_t n,
                  int64_t from_ms, int64_t to_ms, int (*cb)(void *ctx, const char *text),
                  void *ctx);
/* Rows of an answer as this appliance knows its series: without the external labels, strings taken
 * for good. */
int remote_row_labels(struct remote *r, const struct labels *l, struct labels *ret);

/* --- hooks ------------------------------------------------------------------------------------ */

int remote_open(struct store *s, struct err *err);
void remote_stop(struct remote *r); /* the sender; NULL: nothing */
void remote_close(struct remote *r);
/* Before the journal forgets batches up to `number`. */
int remote_keep(struct remote *r, uint64_t number, struct err *err);
/* Samples that are old and sent leave the day files. Under the flusher's lock. */
int remote_trim(struct remote *r, struct err *err);
bool remote_behind(struct remote *r); /* batches wait: series ids must stay what they are */
void remote_metrics(struct remote *r, struct buf *out);

#endif
