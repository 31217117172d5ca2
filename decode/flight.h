/* flight: what a dump of PyTorch's flight recorder says of each process group: how far the rank
 * came.
 *
 * Two forms, as torch writes them: a pickle (protocol 2, plain dictionaries, lists and numbers) and
 * JSON, both with "pg_status" (last_enqueued_collective, last_completed_collective of each group)
 * and "entries" (collective_seq_id, process_group or pg_id, profiling_name, state); version 2.1 and
 * later have the first, older ones only the second. Bytes are hostile: nothing is executed, no
 * class is known, every list is bounded. */
#ifndef DECODE_FLIGHT_H
#define DECODE_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLIGHT_GROUPS 256
#define FLIGHT_OP     48
#define FLIGHT_MAX    ((size_t)256 << 20) /* larger dumps are not read */

struct flight_group {
    int64_t group;               /* the process group's number */
    int64_t enqueued, completed; /* sequence numbers, -1 not told */
    char op[FLIGHT_OP];          /* what the last entry does, "" not told */
};

struct flight {
    struct flight_group at[FLIGHT_GROUPS];
    size_t count, entries;
};

/* Do these first bytes of a file look like a dump? */
bool flight_is(const void *data, size_t len);
/* 0, ERR_SYNTAX: not a dump or damaged (what was read until then is in *ret), ERR_NOMEM. */
int flight_parse(const void *data, size_t len, struct flight *ret);

#endif
