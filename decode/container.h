/* container: lines as container runtimes write them to files, taken out of their wrapping.
 *
 *   CRI (containerd, CRI-O)   TIME stdout|stderr F|P[:TAG] TEXT
 *   Docker's json-file        {"log":"TEXT\n","stream":"stdout","time":"TIME"}
 *
 * P, and a Docker line without \n, is a part of a longer line: it is told, not joined. Sources: the
 * Kubernetes CRI logging format; Docker's json-file driver. */
#ifndef DECODE_CONTAINER_H
#define DECODE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container_line {
    int64_t time_ms; /* of the runtime */
    bool error;      /* stderr */
    bool partial;
    char *text; /* within the line, which is changed: JSON is unescaped in place; 0-terminated */
    size_t len;
};
/* line is 0-terminated at len. False when it is neither; of JSON with a bad escape a part may be
 * unescaped by then. */
bool container_unwrap(char *line, size_t len, struct container_line *ret);

#endif
