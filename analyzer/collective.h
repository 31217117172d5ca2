/* collective: who is late in a collective, from what every rank's watchdog says of its own sequence
 * numbers.
 *
 * When a collective times out, all ranks but the guilty one print the same complaint. The guilty
 * one is behind in sequence number, or says nothing at all. Bounded: COLLECTIVE_RANKS ranks. */
#ifndef ANALYZER_COLLECTIVE_H
#define ANALYZER_COLLECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COLLECTIVE_RANKS   131072
#define COLLECTIVE_RECORDS 1000000
#define COLLECTIVE_OP      48

struct collective;
struct collective *collective_new(void);
void collective_free(struct collective *c);
/* A rank has printed something. */
void collective_seen(struct collective *c, int rank);
/* A rank has said what may well be the cause: its silence in the collective is then explained. */
void collective_root(struct collective *c, int rank);
/* Reads sequence numbers and world sizes from a line; rank -1: the line may name it. True when the
 * line was about a collective. */
bool collective_line(struct collective *c, int rank, const char *line, size_t len);
/* A rank's own record of one process group (flight recorder): the last collective that it enqueued
 * and completed, and what that was ("" not told). At most COLLECTIVE_RECORDS are kept. */
void collective_record(struct collective *c, int rank, int64_t group, int64_t enqueued,
                       int64_t completed, const char *op);

struct collective_answer {
    int behind; /* the one rank that lags, -1: none stands out */
    int64_t behind_seq, others_seq;
    int silent[8];
    size_t silent_count; /* ranks of a known world of whom there is no line at all */
    int quiet[8];
    size_t quiet_count; /* ranks that spoke, but neither complain as the others do nor say why */
    size_t timed_out, world, seen; /* ranks that timed out; of the job; that spoke */
    bool recorded;                 /* behind is from records, not from lines */
    int odd;                    /* the rank that records another operation than the rest, -1 none */
    char odd_op[COLLECTIVE_OP]; /* its operation, and that of the others */
    char others_op[COLLECTIVE_OP];
};
void collective_answer(const struct collective *c, struct collective_answer *ret);

#endif
