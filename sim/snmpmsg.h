/* snmpmsg: an SNMPv2c request as a struct, and what stands around the values of its answer (RFC
 * 3416, RFC 1901). */
#ifndef SIM_SNMPMSG_H
#define SIM_SNMPMSG_H

#include "sim/ber.h"

#define SNMPMSG_BINDS_MAX 64

struct snmpmsg {
    int64_t version, id, repeat_skip, repeat_max; /* the latter two of get-bulk */
    uint8_t pdu;
    char community[96];
    struct ber_oid binds[SNMPMSG_BINDS_MAX];
    unsigned count;
};
/* False for what is ill-formed, of another version or has too many names. */
bool snmpmsg_parse(const uint8_t *p, size_t len, struct snmpmsg *ret);
/* Puts a value's name before what was written since `mark`, and both into a sequence. */
void snmpmsg_bind(struct ber_writer *out, const struct ber_oid *name, size_t mark);
/* Puts everything else before the values that were written. */
void snmpmsg_answer(struct ber_writer *out, const struct snmpmsg *q, int64_t status, int64_t index);

#endif
