/* emit_agent: a node's samples as the batches of its agent (base/wire.h): one batch a node and
 * interval.
 *
 * A silent node sends nothing, as a real agent would. Expected load: tens of nodes, not the fleet.
 */
#ifndef SIM_EMIT_AGENT_H
#define SIM_EMIT_AGENT_H

#include "base/buf.h"
#include "sim/world.h"

struct emit_agent;
struct emit_agent *emit_agent_new(const struct world *w);
void emit_agent_free(struct emit_agent *e);
/* Appends the batch of a node: 1, 0 when it is silent, or a negative code. */
int emit_agent_node(struct emit_agent *e, uint32_t node, int64_t t_ms, bool rare, struct buf *out);

#endif
