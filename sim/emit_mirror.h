/* emit_mirror: what switches of the simulated world would mirror: RoCE frames of some adapters, cut
 * at 128 bytes, each in a datagram of VXLAN (RFC 7348) whose network is the adapter's rail.
 *
 * A sample of the traffic, not all of it: a burst of ten packets an adapter and second, with their
 * acknowledgement. What is wrong in the world is wrong in the frames: losses and refusals where
 * frames are corrupted, pauses where a port pauses, congestion notices; LLDP with DCBX now and
 * then. */
#ifndef SIM_EMIT_MIRROR_H
#define SIM_EMIT_MIRROR_H

#include "sim/world.h"

#define EMIT_MIRROR_NODES 8u /* of the first job, or of the plan */

struct emit_mirror;
struct emit_mirror *emit_mirror_new(const struct world *w,
                                    void (*send)(void *ctx, const void *datagram, size_t len),
                                    void *ctx);
void emit_mirror_free(struct emit_mirror *e);
void emit_mirror_tick(struct emit_mirror *e); /* the frames of one second */

#endif
