/* kmsg: records of /dev/kmsg. Source: Documentation/ABI/testing/dev-kmsg:
 * "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];text" and lines of " KEY=value" behind it. */
#ifndef AGENTS_KMSG_H
#define AGENTS_KMSG_H

#include "base/event.h"

#include <stddef.h>
#include <stdint.h>

struct kmsg_record {
    enum severity severity;
    uint64_t sequence;
    int64_t since_boot_us;
    const char *text; /* into the line parsed; 0-terminated by the parser */
    size_t len;
};

/* One line, 0-terminated, changed in place (\xNN undone, control characters to blanks). 0, or
 * ERR_SYNTAX for what is no record (a line of properties too). */
int kmsg_parse(char *line, struct kmsg_record *ret);

#endif
