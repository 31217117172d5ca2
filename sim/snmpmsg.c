/* snmpmsg: read with bounds, written backwards. */
#include "sim/snmpmsg.h"

#include <string.h>

bool
snmpmsg_parse(const uint8_t *p, size_t len, struct snmpmsg *q)
{
    struct ber_reader r = {p, p + len}, message, pdu, list, bind, c;
    uint8_t tag;
    if (!ber_read(&r, &tag, &message) || tag != BER_SEQUENCE ||
        !ber_read_int(&message, &q->version) || !ber_read(&message, &tag, &c) ||
        tag != BER_OCTETS || (size_t)(c.end - c.at) >= sizeof q->community)
        return false;
    memcpy(q->community, c.at, (size_t)(c.end - c.at));
    q->community[c.end - c.at] = 0;
    if (!ber_read(&message, &q->pdu, &pdu) || !ber_read_int(&pdu, &q->id) ||
        !ber_read_int(&pdu, &q->repeat_skip) || !ber_read_int(&pdu, &q->repeat_max) ||
        !ber_read(&pdu, &tag, &list) || tag != BER_SEQUENCE)
        return false;
    for (q->count = 0; list.at < list.end; q->count++) {
        if (q->count == SNMPMSG_BINDS_MAX || !ber_read(&list, &tag, &bind) || tag != BER_SEQUENCE ||
            !ber_read(&bind, &tag, &c) || tag != BER_OID || !ber_read_oid(&c, &q->binds[q->count]))
            return false;
    }
    return q->version == 1;
}

void
snmpmsg_bind(struct ber_writer *out, const struct ber_oid *name, size_t mark)
{
    ber_write_oid(out, name);
    ber_write_head(out, BER_SEQUENCE, ber_written(out) - mark);
}

void
snmpmsg_answer(struct ber_writer *out, const struct snmpmsg *q, int64_t status, int64_t index)
{
    ber_write_head(out, BER_SEQUENCE, ber_written(out));
    ber_write_int(out, BER_INTEGER, index);
    ber_write_int(out, BER_INTEGER, status);
    ber_write_int(out, BER_INTEGER, q->id);
    ber_write_head(out, BER_RESPONSE, ber_written(out));
    ber_write_bytes(out, BER_OCTETS, q->community, strlen(q->community));
    ber_write_int(out, BER_INTEGER, 1);
    ber_write_head(out, BER_SEQUENCE, ber_written(out));
}
