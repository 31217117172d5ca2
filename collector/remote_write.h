/* remote_write: Prometheus remote_write 1.0 bodies: snappy block of a protobuf WriteRequest.
 *
 *   WriteRequest { repeated TimeSeries timeseries = 1; }     (metadata = 3 and others are skipped)
 *   TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; }
 *   Label { string name = 1; string value = 2; }   Sample { double value = 1; int64 timestamp = 2;
 * }
 *
 * Source: prometheus/prompb types.proto and remote.proto, remote_write specification 1.0. Hot: no
 * allocation a series. */
#ifndef COLLECTOR_REMOTE_WRITE_H
#define COLLECTOR_REMOTE_WRITE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sample.h"

#define REMOTE_WRITE_RAW_MAX ((size_t)64 << 20)

struct remote_write_counts {
    uint64_t series, samples, refused;
};
/* Decompresses into `scratch` and calls the sink a series. A series with bad labels is skipped and
 * counted; a body that is not protobuf is refused whole: before the sink is called, or, where the
 * sink knows sets by their bytes, after: then drop what it took. */
int remote_write_decode(const void *body, size_t len, struct buf *scratch,
                        const struct sample_sink *sink, struct remote_write_counts *ret,
                        struct err *err);
/* The protobuf alone, not compressed. */
int remote_write_decode_raw(const void *raw, size_t len, const struct sample_sink *sink,
                            struct remote_write_counts *ret, struct err *err);

#endif
