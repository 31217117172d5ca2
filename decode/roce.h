/* roce: what the frames of a capture say together: flows by queue pair, congestion, pauses.
 *
 * A flow is (from, to, destination queue pair). Sequence numbers are followed apart for requests
 * and for read responses; a number beyond the expected is a gap, one behind it a retransmission (or
 * a copy). Ceilings: 262,144 flows, 65,536 pausing ports; frames of others are counted in
 * `untracked`. */
#ifndef DECODE_ROCE_H
#define DECODE_ROCE_H

#include "base/jsonw.h"
#include "decode/packet.h"

#include <stddef.h>
#include <stdint.h>

struct roce_track {
    bool started;
    uint32_t next; /* expected sequence number */
    uint64_t gaps, missing, repeated;
};

struct roce_flow {
    uint8_t from[16], to[16];
    uint32_t qp;
    uint64_t packets, bytes, messages, ce, cnp, acks, rnr, nak_psn, nak_other;
    struct roce_track requests, responses;
    uint64_t ports; /* bit per hash of a source port: how many paths it may take */
    int64_t first_us, last_us;
};

struct roce_port { /* who sent pause frames */
    uint8_t mac[6];
    uint64_t pfc, pause, xoff[8], xon[8], quanta[8];
    int64_t first_us, last_us;
};

struct roce_totals {
    uint64_t frames, bytes, roce, cnp, pfc, pause, ce, ect, malformed, untracked, opcodes[256];
    int64_t first_us, last_us;
};

struct roce;
struct roce *roce_new(void);
void roce_free(struct roce *r);
void roce_frame(struct roce *r, int link, int64_t time_us, size_t wire_length, const uint8_t *data,
                size_t len);
const struct roce_totals *roce_totals(const struct roce *r);
/* Flows, most suspicious first (gaps, repeats, NAKs, then CNPs, then bytes); ports by frames. */
size_t roce_flows(const struct roce *r, const struct roce_flow ***ret); /* caller frees *ret */
size_t roce_ports(const struct roce *r, const struct roce_port ***ret);
void roce_json(const struct roce *r, size_t flows_max, struct jsonw *w);
void roce_address(const uint8_t a[16], char out[48]);

#endif
