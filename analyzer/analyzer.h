/* analyzer: reads what the store took in, works out what broke, keeps incidents and pages.
 *
 * One thread of its own: events come by the store's feed into a bounded queue, detectors run on
 * their periods, cases are judged after each burst, incidents are catalog documents. Everything an
 * API or program asks on demand (checks, job path, diagnosis of a text) is a function in its own
 * header and runs on the caller's thread. */
#ifndef ANALYZER_ANALYZER_H
#define ANALYZER_ANALYZER_H

#include "analyzer/alert.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metric.h"
#include "kb/kb.h"
#include "kb/matcher.h"
#include "store/store.h"

#include <stdbool.h>

struct analyzer;

struct analyzer_config {
    struct store *store;
    const struct kb *kb;
    const struct kb_matcher *matcher;
    const struct metric_table *metrics;
    const struct clock *clock; /* NULL: wall */
    const struct log *log;
    bool data_clock; /* time is that of the data (replays): the newest sample or event seen */
    const char *const *rule_files; /* NULL-terminated, may be NULL */
    struct alert *alert;           /* whom incidents go to; NULL: nobody */
    int64_t settle_ms; /* how long a case waits for a better explanation before it opens; 0: 10 s */
    const char *base_url; /* of links in pages: "http://host:8686" */
    /* tells live views: event is incident, alert, job, device, check; may be NULL; any thread */
    void (*publish)(void *ctx, const char *event, const char *json, const char *tenant);
    void *publish_ctx;
};

int analyzer_new(const struct analyzer_config *cfg, struct analyzer **ret, struct err *err);
int analyzer_start(struct analyzer *a, struct err *err); /* its thread */
void analyzer_stop(struct analyzer *a);
void analyzer_free(struct analyzer *a);
const struct analyzer_config *analyzer_configuration(const struct analyzer *a);
/* One turn of work at the given time, on the caller's thread: for tests and replays; not while
 * started. */
int analyzer_turn(struct analyzer *a, int64_t now_ms);
void analyzer_metrics(struct analyzer *a, struct buf *out);

#endif
