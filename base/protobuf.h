/* protobuf: reads and writes the wire format of Protocol Buffers
 * (protobuf.dev/programming-guides/encoding), without schema, copies or allocation. Every length is
 * checked against what is left; groups are refused, as proto3 has none.
 *
 * Reading: for each message an iterator over its fields; a field of bytes may be a message again:
 *     struct protobuf_reader in = protobuf_open(data, len);
 *     struct protobuf_field f;
 *     while ((rc = protobuf_next(&in, &f)) > 0)
 *         if (protobuf_is(&f, 1, PROTOBUF_BYTES)) ... protobuf_open(f.data, f.len) ... */
#ifndef BASE_PROTOBUF_H
#define BASE_PROTOBUF_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protobuf_type {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2,
    PROTOBUF_FIXED32 = 5
};

struct protobuf_reader {
    const uint8_t *p, *end;
};
struct protobuf_field {
    uint32_t number; /* 1 to 2^29 - 1 */
    enum protobuf_type type;
    uint64_t value;      /* VARINT, FIXED64, FIXED32: the bits */
    const uint8_t *data; /* BYTES: into the input; "" when empty */
    size_t len;
};
struct protobuf_reader protobuf_open(const void *data, size_t len);
/* 1 a field, 0 the end, ERR_CORRUPT; after an error the reader stays at it. */
int protobuf_next(struct protobuf_reader *in, struct protobuf_field *ret);
bool protobuf_is(const struct protobuf_field *f, uint32_t number, enum protobuf_type type);
double protobuf_double(const struct protobuf_field *f);  /* of a FIXED64 */
float protobuf_float(const struct protobuf_field *f);    /* of a FIXED32 */
int64_t protobuf_zigzag(const struct protobuf_field *f); /* sint32, sint64 */
/* Items of a packed field (open f.data): 1, 0 at the end, ERR_CORRUPT. */
int protobuf_next_varint(struct protobuf_reader *in, uint64_t *ret);
int protobuf_next_fixed64(struct protobuf_reader *in, uint64_t *ret);
int protobuf_next_fixed32(struct protobuf_reader *in, uint32_t *ret);

/* Writers append a field; a failure is kept by the buf. protobuf_begin opens a message within,
 * protobuf_end closes it. */
void protobuf_put_varint(struct buf *out, uint32_t number,
                         uint64_t v); /* also bool, enum, int64 as its bits */
void protobuf_put_fixed64(struct buf *out, uint32_t number, uint64_t v);
void protobuf_put_double(struct buf *out, uint32_t number, double v);
void protobuf_put_bytes(struct buf *out, uint32_t number, const void *data, size_t len);
void protobuf_put_str(struct buf *out, uint32_t number, const char *s);
size_t protobuf_begin(struct buf *out, uint32_t number); /* a mark for protobuf_end */
void protobuf_end(struct buf *out, size_t mark);

#endif
