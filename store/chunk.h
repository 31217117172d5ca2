/* chunk: closed samples of many series of one metric as bytes for a day file. Drawn in
 * store/FORMAT.md. Insiders only. */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include "base/buf.h"
#include "base/sample.h"

#include <stdbool.h>
#include <stdint.h>

#define CHUNK_SERIES_MAX  4096
#define CHUNK_SAMPLES_MAX 262144
#define CHUNK_BYTES_MAX   ((size_t)16 << 20)

struct chunk_writer; /* collects series, ids ascending */
struct chunk_writer *chunk_writer_new(void);
void chunk_writer_free(struct chunk_writer *w);
/* n samples by time, n > 0. 0; ERR_LIMIT: encode what there is and begin anew. */
int chunk_writer_add(struct chunk_writer *w, uint64_t id, const struct sample *s, size_t n);
size_t chunk_writer_series(const struct chunk_writer *w);
struct chunk_info {
    uint64_t first_id, last_id, samples;
    uint32_t series;
    int64_t min_ms, max_ms;
};
/* Encodes into out (reset first), then forgets everything. */
int chunk_writer_finish(struct chunk_writer *w, struct buf *out, struct chunk_info *ret);

struct chunk_reader;
/* Checks magic, version, sizes and checksum. ERR_CORRUPT. The bytes are not needed afterwards.
 * Several threads may ask it. */
int chunk_reader_new(const void *p, size_t len, struct chunk_reader **ret);
void chunk_reader_free(struct chunk_reader *r);
size_t chunk_reader_bytes(const struct chunk_reader *r); /* of memory */
size_t chunk_reader_series(const struct chunk_reader *r);
uint64_t chunk_reader_id(const struct chunk_reader *r, size_t i); /* ascending */
size_t chunk_reader_count(const struct chunk_reader *r, size_t i);
/* out has room for the count. 0 or ERR_CORRUPT. */
int chunk_reader_samples(const struct chunk_reader *r, size_t i, struct sample *out);

#endif
