/* snmp_walk: reads columns of tables by get-bulk, several at once, each to its end.
 *
 * How much is asked for at once follows the agent: what it says is too big, or does not answer, is
 * asked again by half; after a run of whole answers it is more again. A device that answers with
 * names that do not grow, or with more than the ceilings allow, ends the walk with ERR_LIMIT; what
 * came before has been handed on. */
#ifndef COLLECTOR_SNMP_WALK_H
#define COLLECTOR_SNMP_WALK_H

#include "collector/snmpc.h"

#define SNMP_WALK_COLUMNS 16
#define SNMP_WALK_ASKS    1000u /* questions of one walk at most */

struct snmp_pace {   /* of one agent; all zero at first */
    unsigned values; /* of one answer */
    unsigned good;   /* whole answers in a row */
    uint64_t halved; /* times it was too much */
};
typedef void snmp_walk_cell(void *ctx, size_t column, const uint32_t *index, size_t len,
                            const struct snmpc_value *v);
struct snmp_walk {
    struct snmpc *s;
    struct snmp_pace *pace;
    size_t count;
    /* the last name of each column; its first names are the column's own */
    struct snmpc_oid at[SNMP_WALK_COLUMNS];
    uint8_t len[SNMP_WALK_COLUMNS];
    bool over[SNMP_WALK_COLUMNS];
    size_t asked[SNMP_WALK_COLUMNS], asked_count; /* columns of the question under way */
    unsigned repetitions, asks;
    /* a cell: column's place in the list, the index behind the column's name */
    snmp_walk_cell *cell;
    void (*done)(void *ctx, int rc);
    void *ctx;
};
/* w lives until done was called (or the session is closed). Columns are dotted texts, at most
 * SNMP_WALK_COLUMNS. 0, or negative when the question could not be sent (done is not called then).
 */
int snmp_walk_start(struct snmp_walk *w, struct snmpc *s, struct snmp_pace *pace,
                    const char *const *columns, size_t n);

#endif
