/* tail: follows log files named by patterns, through rotation and truncation.
 *
 * A file that is there at the start is followed from its end, one that comes later from its
 * beginning. A line longer than 64 KiB is cut there. At most 1,024 files. */
#ifndef AGENTS_TAIL_H
#define AGENTS_TAIL_H

#include "base/conf.h"

#include <stddef.h>
#include <stdint.h>

/* line is 0-terminated, without its end. */
typedef void tail_line(void *ctx, const char *path, char *line, size_t len);

struct tail;
struct tail *tail_new(const struct conf_strs *patterns, tail_line *cb, void *ctx);
/* Reads what is new, at most `max` bytes a file; looks for new files every 10 s of now_ms. */
void tail_read(struct tail *t, int64_t now_ms, size_t max);
void tail_free(struct tail *t);

#endif
