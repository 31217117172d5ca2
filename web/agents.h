/* agents: the node agents that report, from what they send of themselves. GET /api/v1/agents. */
#ifndef WEB_AGENTS_H
#define WEB_AGENTS_H

#include "web/web_priv.h"

enum agent_state { AGENT_ONLINE, AGENT_LATE, AGENT_LOST, AGENT_STATES };
struct agent_counts {
    size_t of[AGENT_STATES];
};
/* tenant "": all; else the agents of nodes the tenant's jobs run on. */
int agents_count(struct web *web, const char *tenant, int64_t at_ms, struct agent_counts *ret,
                 struct err *err);

#endif
