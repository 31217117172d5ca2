/* emit_write: samples of a world as Prometheus remote_write 1.0 request bodies (protobuf, before
 * snappy).
 *
 * WriteRequest: repeated TimeSeries timeseries = 1; TimeSeries: repeated Label = 1, repeated Sample
 * = 2; Sample: double value = 1, int64 timestamp = 2. A series whose entity fell silent gets one
 * stale marker, as Prometheus itself sends. Load: 18,432 GPUs give 31,000 series a second at 15 s;
 * a series costs about 100 ns. */
#ifndef SIM_EMIT_WRITE_H
#define SIM_EMIT_WRITE_H

#include "sim/series.h"

struct emit_write;
/* send gets a whole body of at most `series_max` series; it must copy or compress before it
 * returns. */
struct emit_write *
emit_write_new(const struct world *w, unsigned series_max,
               void (*send)(void *ctx, const void *body, size_t len, unsigned series), void *ctx);
void emit_write_free(struct emit_write *e);
/* Leaves switch sw out: its SNMP responder speaks for it. */
void emit_write_skip_switch(struct emit_write *e, uint32_t sw);
/* Everything of a node, of a switch; rare: also what changes slowly (limits, once in four). */
void emit_write_node(struct emit_write *e, uint32_t node, int64_t t_ms, bool rare);
void emit_write_switch(struct emit_write *e, uint32_t sw, int64_t t_ms, bool rare);
void emit_write_site(struct emit_write *e, int64_t t_ms);
void emit_write_flush(struct emit_write *e);
uint64_t emit_write_samples(const struct emit_write *e);

#endif
