/* sandbox: the system calls that the appliance gives up. */
#ifndef PROGRAMS_SANDBOX_H
#define PROGRAMS_SANDBOX_H

#include "base/err.h"

/* Sets the filter for this thread and all that it starts, for good. Call it before the first
 * thread. ERR_IO where the kernel has no seccomp: the caller says so and goes on. */
int sandbox_enter(struct err *err);

#endif
