/* apart: runs a probe in a child process with a deadline: for files behind which sits a device that
 * may hang whoever reads them (sensors, an accelerator's registers, a server's statistics).
 *
 * Always true: a probe has at most one child; while it hangs the probe is not run again, and the
 * others go on. What a probe keeps between runs is lost with the child, so such a probe keeps
 * nothing. */
#ifndef AGENTS_APART_H
#define AGENTS_APART_H

#include "agents/probe.h"

#include <stdint.h>
#include <sys/types.h>

struct apart {
    pid_t pid; /* 0: none hangs */
    int64_t since_us;
};

/* Runs the row and appends what it found to p->out. 0 or the probe's error; ERR_TIMEOUT: it hangs
 * now; ERR_BUSY: it still hangs; ERR_CLOSED: it died. */
int apart_run(struct apart *a, struct probe *p, const struct probe_row *row, int ms);
void apart_done(struct apart *a); /* a child that hangs is left to itself */

#endif
