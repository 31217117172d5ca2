/* cabling: what a port's neighbour says of itself against the cable that the topology plans there.
 *
 * Names differ between equipment: hosts give their full name, switches write Eth1/1 for
 * Ethernet1/1, adapters tell a hardware address for a port. What cannot be told is not a
 * difference.
 */
#ifndef STORE_CABLING_H
#define STORE_CABLING_H

#include "store/topo.h"

enum cabling_kind {
    CABLING_SAME,      /* as planned, as far as the neighbour tells */
    CABLING_WRONG,     /* a neighbour that the plan has elsewhere */
    CABLING_MISSING,   /* planned, and nobody is there */
    CABLING_UNPLANNED, /* somebody is there where nothing is planned */
    CABLING_UNKNOWN,   /* the neighbour's name is not in the topology */
    CABLING_NOTHING    /* neither planned nor there */
};
const char *cabling_word(enum cabling_kind k); /* same wrong missing unplanned unknown nothing */

struct cabling_neighbour {              /* as LLDP has it; texts may be "" */
    const char *peer;                   /* system name */
    const char *peer_port, *peer_descr; /* its port's id and description */
};
struct cabling_verdict {
    enum cabling_kind kind;
    char port[ENTITY_SIZE];    /* of the switch that was asked */
    char link[ENTITY_SIZE];    /* planned; "" */
    char planned[ENTITY_SIZE]; /* the port or adapter at its other end; "" */
    char seen[ENTITY_SIZE];    /* who is there: an entity where it is known, else its name; "" */
};
/* n NULL: nobody is there. names: ifName and ifDescr of the switch's port. 0, or ERR_SYNTAX when
 * they make no entity. */
int cabling_judge(const struct topo *t, const char *of_switch, const char *name, const char *descr,
                  const struct cabling_neighbour *n, struct cabling_verdict *ret);

/* All ports of switches whose neighbours are known at a time that are cabled or planned to be,
 * those as planned too; a link comes once for each end that is a switch's. cb returns negative to
 * stop. 0 or a negative code. */
struct cabling_count {
    uint64_t switches, ports, same, wrong, missing, unplanned, unknown;
};
int cabling_compare(struct store *s, const struct topo *t, int64_t at_ms,
                    int (*cb)(void *ctx, const struct cabling_verdict *v), void *ctx,
                    struct cabling_count *ret_count, struct err *err);

#endif
