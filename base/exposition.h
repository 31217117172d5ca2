/* exposition: reads the texts that exporters give: Prometheus text format 0.0.4 and OpenMetrics 1.0
 * (prometheus.io/docs/instrumenting/exposition_formats, openmetrics.io). A text that ends with "#
 * EOF" is OpenMetrics: its timestamps are seconds, else milliseconds. Comments, types and exemplars
 * are passed over; a metric name in quotes within the braces is taken.
 *
 * An ill-formed line ends the reading with line and column: what was handed on before is the
 * caller's to drop. A series that is over the limits of base/sample.h, or whose label values are
 * not UTF-8, is counted and left out. Ceiling: 64 KiB a line. */
#ifndef BASE_EXPOSITION_H
#define BASE_EXPOSITION_H

#include "base/err.h"
#include "base/sample.h"

struct exposition_counts {
    uint64_t samples; /* handed on */
    uint64_t refused; /* over a limit, or not UTF-8 */
};
/* t_ms is the time of samples that carry none. 0, ERR_SYNTAX, ERR_LIMIT (a line), ERR_NOMEM, or
 * what the sink returned. ret_counts may be NULL; it is written on failure too. text may hold
 * anything, zeros too. */
int exposition_read(const char *text, size_t len, int64_t t_ms, const struct sample_sink *sink,
                    struct exposition_counts *ret_counts, struct err *err);
int exposition_parse(const char *text, size_t len, int64_t t_ms, const struct sample_sink *sink,
                     struct err *err);

#endif
