/* wire: what an agent sends: one batch, whole, with its watermark (agent, epoch, sequence).
 *
 *   magic "MSB1" | u32 crc32c of the rest | u32 raw length | zstd frame of:
 *     str agent | u64 epoch | u64 sequence | i64 sent_ms | then records until the end:
 *     u8 type, then   1 labels: varint n, n x (str name, str value), sorted   (defines series
 * number 0, 1, 2 ...) 2 samples of one time: i64 t_ms, varint n, n x (varint series, f64) 3 event:
 * i64 time_ms, u8 phase, u8 severity, text entity, code, source, text, node, job, tenant, fields 4
 * log line: i64 time_ms, u8 severity, i32 rank, text node, job, source, tenant, text 5 gap: i64
 * from_ms, i64 to_ms, u64 count, text source, reason 6 inventory: text (JSON)  7 result of a task:
 * text (JSON) integers are little endian, str is varint length + bytes, text is a str with a 0
 * behind it that its length does not count (so that a decoder need not copy), varint is LEB128.
 * Ceilings: 16 MiB raw, 1 MiB a string, 200,000 records. A batch is decoded whole or refused whole.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/event.h"
#include "base/sample.h"

#define WIRE_AGENT_MAX 63

struct wire_head {
    char agent[WIRE_AGENT_MAX + 1]; /* the node's name */
    uint64_t epoch;                 /* new at every loss of the agent's sequence state */
    uint64_t sequence;              /* 1, 2, ... within an epoch */
    int64_t sent_ms;
};

struct wire_encoder;
struct wire_encoder *wire_encoder_new(void);
void wire_encoder_free(struct wire_encoder *e);
void wire_encode_begin(struct wire_encoder *e, const struct wire_head *head);
/* Adds one sample (labels finished); series with equal labels share a definition. All of these: 0,
 * ERR_LIMIT (the batch is full: end it and begin another; or this record never fits), ERR_SYNTAX
 * (an event without entity or code), ERR_NOMEM, ERR_STATE before begin. What failed is not in the
 * batch. */
int wire_encode_sample(struct wire_encoder *e, const struct labels *l, int64_t t_ms, double v);
int wire_encode_event(struct wire_encoder *e, const struct event *ev);
int wire_encode_log(struct wire_encoder *e, const struct log_line *line);
int wire_encode_gap(struct wire_encoder *e, const struct gap *gap);
int wire_encode_inventory(struct wire_encoder *e, const char *json, size_t len);
int wire_encode_result(struct wire_encoder *e, const char *json, size_t len);
size_t wire_encoded_size(const struct wire_encoder *e);       /* raw bytes so far */
int wire_encode_end(struct wire_encoder *e, struct buf *out); /* appends the whole batch */

struct wire_handler { /* called in order of the batch; pointers valid during the call; NULL: skipped
                       */
    int (*head)(void *ctx, const struct wire_head *h);
    int (*samples)(void *ctx, const struct labels *l, const struct sample *s, size_t n);
    int (*event)(void *ctx, const struct event *ev);
    int (*log)(void *ctx, const struct log_line *line);
    int (*gap)(void *ctx, const struct gap *gap);
    int (*inventory)(void *ctx, const char *json, size_t len);
    int (*result)(void *ctx, const char *json, size_t len);
    void *ctx;
    /* As of struct sample_sink: a set whose bytes are known (asked with count 0) is neither checked
     * nor read again; its samples go to `known` alone. likely may be NULL. */
    void (*key)(void *ctx, const void *bytes, size_t len, uint64_t ret[2]);
    int (*known)(void *ctx, const uint64_t key[2], size_t len, const struct sample *samples,
                 size_t count);
    size_t (*likely)(void *ctx);
};
/* Checks everything first, then calls. 0, ERR_CORRUPT, ERR_SYNTAX, ERR_LIMIT, or what a handler
 * returned. */
int wire_decode(const void *data, size_t len, const struct wire_handler *h, struct err *err);

#endif
