/* loki: Loki push bodies, JSON: {"streams": [{"stream": {labels}, "values": [["ns", "line"],
 * ...]}]}, to log lines.
 *
 * Labels: node (or host, hostname, instance), job_id (or job when it is no scrape job), rank,
 * source (or job-type words), level. Source: Grafana Loki HTTP API, "Ingest logs". */
#ifndef COLLECTOR_LOKI_H
#define COLLECTOR_LOKI_H

#include "base/err.h"
#include "base/event.h"

#include <stddef.h>
#include <stdint.h>

struct loki_sink {
    int (*line)(void *ctx, const struct log_line *line);
    void *ctx;
};
/* Lines longer than EVENT_TEXT_MAX are cut. 0, ERR_SYNTAX (nothing handed on), or what the sink
 * returned. */
int loki_decode_json(const char *body, size_t len, const struct loki_sink *sink,
                     uint64_t *ret_lines, struct err *err);
/* Snappy protobuf: PushRequest { repeated Stream streams = 1 }, Stream { string labels = 1;
 * repeated Entry entries = 2 }, Entry { Timestamp { int64 seconds = 1; int32 nanos = 2 } = 1;
 * string line = 2 }; labels as {name="value", ...}. */
int loki_decode_protobuf(const void *body, size_t len, const struct loki_sink *sink,
                         uint64_t *ret_lines, struct err *err);
/* A severity word of any logger ("error", "WARN", "4", ...); SEVERITY_INFO when it says nothing. */
enum severity loki_severity(const char *word);

#endif
