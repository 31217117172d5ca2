/* otlp: OpenTelemetry over HTTP, protobuf and JSON: ExportMetricsServiceRequest and ExportLogsServiceRequest.
 *
 * Names become Prometheus' (dots to underscores, unit and _total suffixes as the Prometheus receiver does); resource attributes
 * host.name becomes node, service.name job. Gauge, Sum (cumulative), Histogram and Summary; others are counted as refused.
 * Source: opentelemetry-proto v1, metrics.proto and logs.proto; "Prometheus and OpenMetrics compatibility". */
#ifndef COLLECTOR_OTLP_H
#define COLLECTOR_OTLP_H

#include "base/err.h"
#include "base/sample.h"
#include "collector/loki.h"

#include <stdbool.h>

int otlp_decode_metrics(const void *body, size_t len, bool json, const struct sample_sink *sink, struct err *err);
int otlp_decode_logs(const void *body, size_t len, bool json, const struct loki_sink *sink, struct err *err);

#endif
