/* roce: what the frames of a capture say together: flows by queue pair, acknowledgements and how
 * long they took, congestion, pauses and who began them, neighbours, flows that share a path.
 *
 * A flow is (from, to, destination queue pair). Sequence numbers are followed apart for requests
 * and for read responses; a number beyond the expected is a gap, one behind it a retransmission (or
 * a copy). Ceilings: 262,144 flows, 65,536 pausing ports, 4,096 neighbours; frames of others are
 * counted in `untracked`. Constant memory otherwise. */
#ifndef DECODE_ROCE_H
#define DECODE_ROCE_H

#include "base/jsonw.h"
#include "decode/lldp.h"
#include "decode/packet.h"

#include <stddef.h>
#include <stdint.h>

#define ROCE_WAITS 24 /* bucket b: below 2^b microseconds */

struct roce_track {
    bool started;
    uint32_t next; /* expected sequence number */
    uint64_t gaps, missing, repeated;
};

struct roce_waits { /* from a request that asks for an answer to the answer */
    uint64_t count, sum_us, max_us;
    uint32_t below[ROCE_WAITS];
};

struct roce_flow {
    uint8_t from[16], to[16];
    uint32_t qp;
    uint64_t packets, bytes, messages, ce, cnp, becn, acks, rnr, nak_psn, nak_other;
    struct roce_track requests, responses;
    struct roce_waits waits;
    uint64_t ports;       /* bit per hash of a source port: how many paths it may take */
    uint16_t source_port; /* the last one */
    uint32_t path, peer;  /* of a mirror, 0 none; the queue pair that is answered, 0 unknown */
    int64_t first_us, last_us;
};

struct roce_port { /* who sent pause frames */
    uint8_t mac[6];
    uint64_t pfc, pause, xoff[8], xon[8], quanta[8];
    int64_t paused_ns[8]; /* how long it held others, at the speed given */
    int64_t until_ns[8];
    int64_t first_us, last_us;
    int64_t window_us, window_ns; /* of the window under way: its begin, paused_ns then */
    int64_t storm_us;             /* since when it held others for half of a window; 0: never */
    uint64_t storm_windows;
};

struct roce_neighbour {
    uint8_t mac[6];
    uint64_t frames;
    struct lldp says;
};

struct roce_totals {
    uint64_t frames, bytes, roce, cnp, becn, pfc, pause, lldp, ce, ect, malformed, untracked,
        opcodes[256];
    struct roce_waits waits;
    int64_t first_us, last_us;
};

struct roce;
/* gbps: speed of the ports, by which pauses last (a quantum is 512 bit times); 0: 400. */
struct roce *roce_new(double gbps);
void roce_free(struct roce *r);
void roce_frame(struct roce *r, int link, int64_t time_us, size_t wire_length, const uint8_t *data,
                size_t len);
const struct roce_totals *roce_totals(const struct roce *r);
/* Flows, most suspicious first (gaps, repeats, NAKs, then CNPs, then bytes); ports by frames. */
size_t roce_flows(const struct roce *r, const struct roce_flow ***ret); /* caller frees *ret */
size_t roce_ports(const struct roce *r, const struct roce_port ***ret);
size_t roce_neighbours(const struct roce *r, const struct roce_neighbour ***ret);
/* The port that began: the first that held others for half of a tenth of a second. NULL: no storm.
 */
const struct roce_port *roce_storm(const struct roce *r);
/* Time below which `share` of the answers came, in microseconds, by buckets; NaN: none. */
double roce_waits_quantile(const struct roce_waits *w, double share);
/* One of the flows that carry a hundredth of all bytes or more, and twice the mean. */
bool roce_elephant(const struct roce *r, const struct roce_flow *f);

struct roce_shared { /* elephants that cannot but take one path: same addresses and source port, or
                        seen together at one port of a mirror */
    const struct roce_flow *of; /* one of them */
    uint32_t path;              /* 0: by addresses and source port */
    uint64_t bytes;
    size_t flows;
};
size_t roce_collisions(const struct roce *r, struct roce_shared **ret); /* caller frees *ret */

void roce_json(const struct roce *r, size_t flows_max, struct jsonw *w); /* one object */
void roce_address(const uint8_t a[16], char out[48]);
void roce_mac(const uint8_t mac[6], char out[18]);

#endif
