/* emit_trap: SNMPv2c notifications linkDown and linkUp (RFC 3418, RFC 2863) of simulated switches.
 */
#ifndef SIM_EMIT_TRAP_H
#define SIM_EMIT_TRAP_H

#include "sim/world.h"

#include <stddef.h>
#include <stdint.h>

/* Writes one message at the end of memory; its start comes back in *ret_at, its length is returned,
 * or ERR_LIMIT. Varbinds: sysUpTime.0, snmpTrapOID.0, ifIndex, ifAdminStatus, ifOperStatus,
 * ifDescr, snmpTrapAddress.0 (RFC 3584). */
int emit_trap_encode(const struct world *w, const struct world_trap *t, int32_t request_id,
                     uint8_t *memory, size_t size, const uint8_t **ret_at);

#endif
