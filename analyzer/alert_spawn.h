/* alert_spawn: runs a program of the site with fixed arguments and a text on its standard input;
 * blocks, with a deadline. */
#ifndef ANALYZER_ALERT_SPAWN_H
#define ANALYZER_ALERT_SPAWN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* argv[0] is an absolute path; no shell. out: what it printed, up to its ceiling. 0 when it exits
 * 0; ERR_IO with its status and first line; ERR_TIMEOUT after killing it. */
int alert_spawn(char *const *argv, const char *in, size_t in_len, int64_t timeout_ms,
                struct buf *out, struct err *err);

#endif
