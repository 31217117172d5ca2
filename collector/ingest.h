/* ingest: from a decoded request to a durable batch and the HTTP answer that says so; and the
 * counters of each input. */
#ifndef COLLECTOR_INGEST_H
#define COLLECTOR_INGEST_H

#include "base/httpd.h"
#include "base/jsonw.h"
#include "store/store.h"

enum ingest_input {
    INGEST_REMOTE_WRITE,
    INGEST_IMPORT,
    INGEST_LOKI,
    INGEST_OTLP,
    INGEST_AGENT,
    INGEST_ALERTS,
    INGEST_INPUTS
};

struct ingest; /* counters; thread-safe */
struct ingest *ingest_new(struct store *s);
void ingest_free(struct ingest *i);
/* Commits (takes the batch) and fills the answer: 204, 429 with Retry-After (ERR_BUSY), 503
 * (ERR_FULL, ERR_IO, ERR_CLOSED). Returns the store's code; ERR_EXISTS counts as done. */
int ingest_commit(struct ingest *i, enum ingest_input in, struct store_batch *b,
                  struct httpd_response *resp);
/* A body that cannot be decoded: 400 with the sentence. Counts. Returns 0 as handlers do. */
int ingest_refuse(struct ingest *i, enum ingest_input in, struct httpd_response *resp,
                  const struct err *err);
void ingest_count(struct ingest *i, enum ingest_input in, uint64_t accepted, uint64_t refused);
void ingest_json(struct ingest *i, struct jsonw *w); /* rows of GET /api/v1/sources */
void ingest_metrics(struct ingest *i, struct buf *out);

#endif
