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

#define COLLECTIVE_RANKS 131072

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
/* A record of a flight recorder: last collective that the rank enqueued and completed. */
void collective_record(struct collective *c, int rank, int64_t enqueued, int64_t completed);

struct collective_answer {
    int behind; /* the one rank that lags, -1: none stands out */
    int64_t behind_seq, others_seq;
    int silent[8];
    size_t silent_count; /* ranks of a known world of whom there is no line at all */
    int quiet[8];
    size_t quiet_count; /* ranks that spoke, but neither complain as the others do nor say why */
    size_t timed_out, world;
};
void collective_answer(const struct collective *c, struct collective_answer *ret);

#endif
