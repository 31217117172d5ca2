/* simline: saying a line as its reporter would, now or later.
 *
 * A kernel line is what dmesg holds; a switch line is "%FAC-SEV-MNEMONIC: text" or another vendor's
 * words. */
#ifndef SIM_SIMLINE_H
#define SIM_SIMLINE_H

#include "sim/world.h"

/* Severity in syslog numbers: 2 critical, 3 error, 4 warning, 6 information. delay_ms 0: now. */
void simline_kernel(struct world *w, uint32_t node, int64_t delay_ms, int severity, const char *fmt,
                    ...) __attribute__((format(printf, 5, 6)));
void simline_syslog(struct world *w, uint32_t node, int64_t delay_ms, int severity, const char *app,
                    const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void simline_rank(struct world *w, const struct simjob *j, uint32_t rank, int64_t delay_ms,
                  int severity, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void simline_switch(struct world *w, uint32_t sw, int64_t delay_ms, int severity, const char *fmt,
                    ...) __attribute__((format(printf, 5, 6)));
void simline_event(struct world *w, const struct agenda_item *item);
/* The states of a switch port as lines and traps. */
void simline_port_state(struct world *w, uint32_t port, bool up);
void simline_nic_state(struct world *w, uint32_t nic, bool up);

#endif
