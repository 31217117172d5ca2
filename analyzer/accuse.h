/* accuse: whom the victims name. A rank whose peer went away says so with the peer's address, host
 * or rank; the one that many name, and few others are named beside, is where to look.
 *
 * Bounded: ACCUSE_PAIRS pairs of reporter and accused; beyond, complaints are not counted. */
#ifndef ANALYZER_ACCUSE_H
#define ANALYZER_ACCUSE_H

#include <stddef.h>

#define ACCUSE_PAIRS 100000

struct accuse;
struct accuse *accuse_new(void);
void accuse_free(struct accuse *a);
/* Reads the node's own address from a line that tells it (NCCL's choice of interfaces). */
void accuse_address(struct accuse *a, const char *node, const char *line, size_t len);
/* Counts what the line says of a peer; node and rank (-1 unknown) are the reporter's. */
void accuse_line(struct accuse *a, const char *node, int rank, const char *line, size_t len);

struct accuse_answer {
    const char *node;      /* the node named, by its name where known, else by its address; NULL */
    int rank;              /* the rank named, -1 */
    size_t reporters, all; /* who name it, of how many that name anybody */
};
/* The one that stands out: named by at least two, by more than half of those who name anybody, and
 * by twice as many as the next. 1, or 0 when nobody does. */
int accuse_find(const struct accuse *a, struct accuse_answer *ret);

#endif
