/* feed: a world's voice: samples, lines, jobs and traps on the real inputs of a server.
 *
 * remote_write to /prometheus/api/v1/write; lines by Loki push to /loki/api/v1/push, or by syslog
 * where an address is given; jobs as documents; traps by UDP from each switch's own loopback
 * address. */
#ifndef SIM_FEED_H
#define SIM_FEED_H

#include "base/err.h"
#include "sim/world.h"

#include <stdio.h>

struct feed_config {
    const char *server;                                  /* NULL: nothing is sent over HTTP */
    const char *token;                                   /* NULL: none */
    const char *syslog_udp, *syslog_tcp, *trap, *mirror; /* host:port, or NULL */
    FILE *lines, *truth;        /* copies for people and for evaluation, or NULL */
    bool replay;                /* wait for the server rather than drop */
    unsigned agents;            /* the first so many nodes send agents' batches instead */
    unsigned series_max;        /* a request; 0: 8,000 */
    unsigned switch_interval_s; /* 0: the world's, 60 from 20,000 ports on */
};

struct feed_counts {
    uint64_t samples, requests, failed, dropped, retries, lines, traps, bytes;
    unsigned queued;
    char last_error[160];
};

struct feed;
int feed_new(const struct feed_config *cfg, struct feed **ret, struct err *err);
void feed_free(struct feed *f, int64_t wait_ms);
/* The sink to give to world_new; feed_bind afterwards. */
struct world_sink feed_sink(struct feed *f);
int feed_bind(struct feed *f, struct world *w, struct err *err);
void feed_skip_switch(struct feed *f, uint32_t sw);
/* Samples what is due in this second of the world's time and sends what has gathered. */
void feed_tick(struct feed *f);
void feed_counts(struct feed *f, struct feed_counts *ret);
/* The job document of a job, appended. */
int feed_job_document(const struct plan *p, const struct simjob *j, bool whole, struct buf *out);

#endif
