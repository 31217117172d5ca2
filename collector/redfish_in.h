/* redfish_in: what the files of redfish share.
 *
 * The loop's thread owns the list of controllers and their due times; from submit to done (busy) a
 * controller's other members are the pool's thread's. One question at a time goes to a controller:
 * they are small machines. */
#ifndef COLLECTOR_REDFISH_IN_H
#define COLLECTOR_REDFISH_IN_H

#include "base/httpc.h"
#include "base/map.h"
#include "collector/inlet.h"
#include "collector/redfish_conf.h"
#include "collector/redfish_read.h"
#include "collector/source.h"

#include <pthread.h>
#include <stdatomic.h>

#define REDFISH_NAME_MAX 127

struct redfish;

struct redfish_log { /* entries of one log service */
    uint64_t *seen;  /* hashes of entries that it held, sorted */
    size_t count, room;
    uint64_t mark;   /* watermark: milliseconds * 1000, and more to be greater than the last */
    uint64_t *taken; /* hashes of the texts that a former run took of that millisecond */
    size_t taken_count;
    int64_t held;     /* entries in all at the last look, -1 unknown */
    int64_t first_ms; /* of the reading under way: time of its first and last entry */
    int64_t last_ms;
    size_t pages, known, fresh; /* of the reading under way: entries seen before, and new ones */
    int64_t first_id, last_id;  /* of it, where ids are numbers */
    bool primed;                /* it was read whole once since the start */
    bool descending;            /* newest first */
    bool whole;                 /* the reading under way is of all entries */
};

struct redfish_path {
    char *path;
    enum redfish_role role;
    bool found, walked; /* by the discovery under way */
    struct redfish_log *log;
};

enum redfish_phase { REDFISH_LOGIN, REDFISH_DISCOVER, REDFISH_VALUES, REDFISH_LOGS, REDFISH_DONE };

struct redfish_bmc {
    struct redfish *r;
    const struct redfish_conf_target *conf;
    const char *label; /* node, pdu, cdu */
    char name[REDFISH_NAME_MAX + 1];
    char *base; /* https://host:port */
    struct inlet *inlet;
    _Atomic bool busy;
    int64_t due_us, discover_us, logs_us;
    _Atomic unsigned failures;
    char token[256], session[256];
    bool basic, expands;
    struct redfish_path *paths;
    size_t count, room;
    /* the round under way */
    enum redfish_phase phase;
    size_t at; /* in paths */
    struct store_batch *batch;
    uint64_t written, skipped;
    int64_t at_ms, began_us;
    bool relogged, late, discovering, logs_due;
    char next[REDFISH_PATH_MAX + 1]; /* page on which a log goes on */
};

struct redfish {
    struct source_env env;
    const struct redfish_conf *conf;
    struct httpc_pool *pool;
    struct loop_timer *timer;
    struct redfish_bmc *bmcs;
    size_t count, room;
    pthread_mutex_t mutex; /* guards leaving */
    pthread_cond_t left;
    size_t leaving; /* sessions that are being ended */
    _Atomic bool stopping;
    _Atomic uint64_t requests, entries;
};

/* redfish_bmc.c: all on the pool's thread but begin, which is on the loop's while not busy. */
void redfish_bmc_begin(struct redfish_bmc *b); /* a round; clears busy at its end */
void redfish_bmc_done(struct redfish_bmc *b);
/* What a request needs to be let in. `scratch` holds the header. */
void redfish_bmc_request(struct redfish_bmc *b, struct httpc_request *req, char scratch[300],
                         const char *headers[2], struct buf *secret);
/* redfish_log.c */
int redfish_log_open(struct redfish_bmc *b, struct redfish_path *p);
void redfish_log_free(struct redfish_log *l);
/* Where to ask: the whole of it the first time, then its end. */
void redfish_log_url(struct redfish_bmc *b, struct redfish_path *p, struct buf *url);
/* A page of it. True when b->next, or the log once more as a whole, is to be asked. */
bool redfish_log_take(struct redfish_bmc *b, struct redfish_path *p, const struct doc_node *root);

#endif
