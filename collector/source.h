/* source: what a source of the loop thread is: one row of a table, one file, one section of the
 * configuration.
 *
 * start runs on the caller's thread before the loop runs and opens listeners, so that readiness
 * means "open". All callbacks then come on the loop's thread. A source owns what it makes; stop
 * closes it, on the loop's thread or after it ended. */
#ifndef COLLECTOR_SOURCE_H
#define COLLECTOR_SOURCE_H

#include "base/conf.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "base/loop.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/store.h"

struct source_env {
    struct store *store;
    const struct metric_table *metrics;
    const struct log *log;
    struct loop *loop;
    const char *folder;
};

struct source_ops {
    const char *key; /* the configuration's section */
    const struct conf_row *rows;
    size_t size; /* of the section's struct (LIST: of an element) */
    bool list;
    int (*start)(const struct source_env *env, const void *conf, void **ret, struct err *err);
    void (*stop)(void *source);
    void (*json)(void *source,
                 struct jsonw *w); /* its rows of GET /api/v1/sources, objects into an open array */
    void (*metrics)(void *source, struct buf *out);   /* own counters as exposition text */
    unsigned (*port)(void *source, const char *what); /* bound port, 0 none; may be NULL */
};
extern const struct source_ops source_scrape, source_snmp, source_syslog, source_slurm,
    source_redfish, source_mirror, source_kubernetes, source_power;

#endif
