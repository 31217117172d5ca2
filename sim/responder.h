/* responder: answers SNMPv2c get, get-next and get-bulk for simulated switches: system, IF-MIB
 * (ifTable, ifXTable), ENTITY-MIB and ENTITY-SENSOR-MIB (light and temperature of modules).
 *
 * One UDP socket for all switches on a loopback port. A switch is chosen by the address it was
 * asked at (127.x.y.z of the topology document), or by the community "public@NAME" or "NAME".
 * Expected load: some thousands of requests a second. */
#ifndef SIM_RESPONDER_H
#define SIM_RESPONDER_H

#include "base/err.h"
#include "sim/world.h"

struct responder;
/* port 0 takes a free one. */
int responder_open(struct world *w, unsigned port, struct responder **ret, struct err *err);
int responder_fd(const struct responder *r);
unsigned responder_port(const struct responder *r);
/* Answers all requests that wait. */
void responder_run(struct responder *r);
void responder_close(struct responder *r);
/* One request to one answer, for tests: the answer's length (0: none is due), its start in *ret_at.
 * sw -1: chosen by community. */
int responder_answer(struct responder *r, int64_t sw, const uint8_t *request, size_t len,
                     uint8_t *memory, size_t size, const uint8_t **ret_at);

#endif
