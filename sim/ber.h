/* ber: the part of ASN.1 BER that SNMPv2c needs (X.690, RFC 3416), written backwards, read with
 * bounds.
 *
 * A writer fills its buffer from the end, so that a length is known when its header is written. */
#ifndef SIM_BER_H
#define SIM_BER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BER_INTEGER = 0x02,
    BER_OCTETS = 0x04,
    BER_NULL = 0x05,
    BER_OID = 0x06,
    BER_SEQUENCE = 0x30,
    BER_IPADDRESS = 0x40,
    BER_COUNTER32 = 0x41,
    BER_GAUGE32 = 0x42,
    BER_TIMETICKS = 0x43,
    BER_COUNTER64 = 0x46,
    BER_NO_OBJECT = 0x80,
    BER_NO_INSTANCE = 0x81,
    BER_END_OF_MIB = 0x82,
    BER_GET = 0xa0,
    BER_GETNEXT = 0xa1,
    BER_RESPONSE = 0xa2,
    BER_GETBULK = 0xa5,
    BER_TRAP2 = 0xa7,
};

#define BER_OID_MAX 40
struct ber_oid {
    uint32_t at[BER_OID_MAX];
    unsigned len;
};

struct ber_writer {
    uint8_t *start, *at;
    size_t size;
    bool failed;
}; /* what is written: from `at` to start + size */
void ber_write_init(struct ber_writer *w, uint8_t *memory, size_t size);
size_t ber_written(const struct ber_writer *w);
void ber_write_bytes(struct ber_writer *w, uint8_t tag, const void *p, size_t n);
void ber_write_int(struct ber_writer *w, uint8_t tag, int64_t v);
void ber_write_uint(struct ber_writer *w, uint8_t tag, uint64_t v);
void ber_write_oid(struct ber_writer *w, const struct ber_oid *o);
void ber_write_head(struct ber_writer *w, uint8_t tag,
                    size_t len); /* before what was written last */

struct ber_reader {
    const uint8_t *at, *end;
};
/* The next element: its tag and content, moves behind it. False at the end or when it is
 * ill-formed. */
bool ber_read(struct ber_reader *r, uint8_t *ret_tag, struct ber_reader *ret_content);
bool ber_read_int(struct ber_reader *r, int64_t *ret); /* INTEGER of at most 8 bytes */
bool ber_read_oid(struct ber_reader *content, struct ber_oid *ret);
int ber_oid_compare(const struct ber_oid *a, const struct ber_oid *b);
/* "1.3.6.1.2.1.1.1" */
bool ber_oid_parse(const char *text, struct ber_oid *ret);

#endif
