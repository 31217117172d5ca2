/* control: faults injected at run time over HTTP: POST /fault {name, entity, duration}, DELETE
 * /fault, GET /faults, GET /kinds, GET /status. Loopback only, no authentication: it steers a
 * simulation. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "base/err.h"
#include "sim/world.h"

struct control;
/* lock and unlock guard the world, which the caller steps on its own thread. */
struct control_guard {
    void (*lock)(void *ctx);
    void (*unlock)(void *ctx);
    void *ctx;
};
int control_open(struct world *w, const char *listen, const struct control_guard *guard,
                 struct control **ret, struct err *err);
unsigned control_port(const struct control *c);
void control_close(struct control *c);

#endif
