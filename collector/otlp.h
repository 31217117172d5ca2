/* otlp: OpenTelemetry over HTTP, protobuf and JSON: ExportMetricsServiceRequest and
 * ExportLogsServiceRequest.
 *
 * Names become Prometheus' (dots to underscores, suffixes of unit and _total); resource attributes
 * host.name (or k8s.node.name) become node, service.name job (of logs: source), service.instance.id
 * instance. Gauge, Sum, Histogram, ExponentialHistogram (as buckets with `le`) and Summary are
 * taken; points of delta temporality are refused: what they add up to is known to their sender
 * alone. A body of a log that is a list or map becomes "a, b" and "key=value key=value". Source:
 * opentelemetry-proto v1, metrics.proto and logs.proto; "Prometheus and OpenMetrics compatibility".
 */
#ifndef COLLECTOR_OTLP_H
#define COLLECTOR_OTLP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sample.h"
#include "collector/loki.h"

#include <stdbool.h>

struct otlp_counts {
    uint64_t taken, refused; /* points or lines */
    uint64_t delta;          /* of those refused: points of delta temporality */
};
/* The answer of a request that was kept, whole or in part, with the sender's advice in words. */
void otlp_answer(const struct otlp_counts *n, bool logs, bool json, struct buf *out);
/* now_ms is the time of points and lines that bear none. 0, ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM, or
 * what the sink returned: what was handed on before is then the caller's to drop. */
int otlp_decode_metrics(const void *body, size_t len, bool json, int64_t now_ms,
                        const struct sample_sink *sink, struct otlp_counts *ret, struct err *err);
int otlp_decode_logs(const void *body, size_t len, bool json, int64_t now_ms,
                     const struct loki_sink *sink, struct otlp_counts *ret, struct err *err);

#endif
