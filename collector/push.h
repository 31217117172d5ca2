/* push: handlers of the routes that sources post to; their ctx is the struct push inside the
 * collector. */
#ifndef COLLECTOR_PUSH_H
#define COLLECTOR_PUSH_H

#include "base/buf.h"
#include "base/httpd.h"
#include "collector/ingest.h"
#include "store/store.h"

#include <pthread.h>

struct discover;
struct map;

#define PUSH_SPARES 8

struct push {
    struct store *store;
    struct ingest *ingest;
    struct discover *discover; /* NULL: nothing is looked for */
    pthread_mutex_t mutex;     /* guards inventories */
    struct map *inventories;   /* node -> hash of the inventory last kept */
    uint64_t matcher_hash;
    const void *matcher;
    size_t matcher_len;
    pthread_mutex_t spare_lock;
    struct buf spares[PUSH_SPARES]; /* what bodies were unpacked into, for the next ones */
    size_t spare_count;
};

void push_done(struct push *p); /* frees the spares */

httpd_handler push_remote_write, push_exposition, push_loki, push_otlp_metrics, push_otlp_logs,
    push_agent_batch, push_agent_matcher, push_topology, push_job_put, push_job_patch, push_alerts;

#endif
