/* remote: the engine `prometheus`: samples go by remote_write to, and older ranges are asked of, an
 * engine that speaks both, such as VictoriaMetrics.
 *
 * The store stays what it is: journal, memory and day files take every sample in and keep it for
 * `recent_ms`. What the journal acknowledged is sent from there, in order, and nothing is cut from
 * it that was neither sent nor copied to the spool. So an appliance answers recent questions alone,
 * also while the engine is away, and the engine holds the past. */
#ifndef STORE_REMOTE_H
#define STORE_REMOTE_H

#include "base/buf.h"
#include "base/sample.h"

#include <stdbool.h>
#include <stdint.h>

struct remote_config {      /* strings live as long as the store */
    const char *write_url;  /* whole: http://host:8428/api/v1/write */
    const char *query_url;  /* what stands before /api/v1/query */
    struct labels external; /* sorted: borne by every series that is sent, so that several
                               appliances may write to one engine */
    bool read_all;          /* ask for every appliance's series, all of them of the engine */
    int64_t recent_ms;      /* kept here too; 0: 6 h */
    int64_t spool_bytes;    /* what waits while the engine is away; 0: 50 GB */
    unsigned shards;        /* requests under way at once; 0: 4 */
    unsigned again_s;   /* what was sent in the last seconds is sent again when the engine was gone,
                           or this process: it may not have been written yet; 0: 30 */
    int64_t away_us;    /* takes nothing for so long: an event; 0: 60 s */
    int64_t timeout_ms; /* of a request; 0: 30 s */
    const char *token_file, *user, *password_file; /* may be NULL */
    const char *ca, *cert, *key;                   /* PEM files, may be NULL */
    const char *const *headers;                    /* "Name: value", NULL-terminated; may be NULL */
};

/* Both URLs, the labels' names: 0, or ERR_SYNTAX with a sentence. */
struct err;
int remote_config_check(const struct remote_config *c, struct err *err);

#endif
