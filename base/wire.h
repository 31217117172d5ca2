/* wire: what an agent sends: one batch, whole, with its watermark (agent, epoch, sequence).
 *
 *   magic "MSB1" | u32 crc32c of the rest | u32 raw length | zstd frame of:
 *     str agent | u64 epoch | u64 sequence | i64 sent_ms | then records until the end:
 *     u8 type, then   1 labels: varint n, n x (str, str)         (defines series number 0, 1, 2 ...)
 *                     2 samples at one time: i64 t_ms, varint n, n x (varint series, f64)
 *                     3 event   4 log line   5 gap   6 inventory (JSON text)
 *   integers are little endian, str is varint length + bytes, varint is LEB128.
 * Ceilings: 16 MiB raw, 1 MiB a string, 200,000 records. A batch is decoded whole or refused whole. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/event.h"
#include "base/sample.h"

#define WIRE_AGENT_MAX 63

struct wire_head {
    char agent[WIRE_AGENT_MAX + 1];   /* the node's name */
    uint64_t epoch;                   /* new at every loss of the agent's sequence state */
    uint64_t sequence;                /* 1, 2, ... within an epoch */
    int64_t sent_ms;
};

struct wire_encoder;
struct wire_encoder *wire_encoder_new(void);
void wire_encoder_free(struct wire_encoder *e);
void wire_encode_begin(struct wire_encoder *e, const struct wire_head *head);
/* Adds one sample; series with equal labels share a definition. 0, ERR_LIMIT, ERR_NOMEM. */
int wire_encode_sample(struct wire_encoder *e, const struct labels *l, int64_t t_ms, double v);
int wire_encode_event(struct wire_encoder *e, const struct event *ev);
int wire_encode_log(struct wire_encoder *e, const struct log_line *line);
int wire_encode_gap(struct wire_encoder *e, const struct gap *gap);
int wire_encode_inventory(struct wire_encoder *e, const char *json, size_t len);
size_t wire_encoded_size(const struct wire_encoder *e);   /* raw bytes so far */
int wire_encode_end(struct wire_encoder *e, struct buf *out); /* appends the whole batch */

struct wire_handler {                 /* called in order of the batch; pointers valid during the call */
    int (*head)(void *ctx, const struct wire_head *h);
    int (*samples)(void *ctx, const struct labels *l, const struct sample *s, size_t n);
    int (*event)(void *ctx, const struct event *ev);
    int (*log)(void *ctx, const struct log_line *line);
    int (*gap)(void *ctx, const struct gap *gap);
    int (*inventory)(void *ctx, const char *json, size_t len);
    void *ctx;
};
/* Checks everything first, then calls. 0, ERR_CORRUPT, ERR_SYNTAX, ERR_LIMIT, or what a handler returned. */
int wire_decode(const void *data, size_t len, const struct wire_handler *h, struct err *err);

#endif
