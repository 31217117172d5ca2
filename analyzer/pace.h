/* pace: what a synchronous job is doing, by the middle of its accelerators: stepping, saving, idle,
 * or standing still in a collective that somebody does not enter.
 *
 * A rank that waits in a collective spins: utilisation stays full, tensor cores stop, power falls
 * to what spinning takes. So does a rank that waits at a barrier for others to write a checkpoint;
 * then the file systems of the job's nodes are written to. Evaluation computes, with less power; a
 * job that ended is idle. Where nothing tells of writing, a stop is a hang only when it is longer
 * than the job's stops have been. */
#ifndef ANALYZER_PACE_H
#define ANALYZER_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum pace_state { PACE_LEARNS, PACE_STEPS, PACE_SAVES, PACE_IDLE, PACE_STANDS, PACE_HANGS };

struct pace_sample { /* medians of a job's accelerators; NAN: not known */
    int64_t t_ms;
    double util, tensor, sm, power; /* %, shares, W */
    double writes;                  /* storage and disk operations a second of its nodes, mean */
};

struct pace {
    enum pace_state state;
    double tensor, sm, power, writes; /* usual, while it steps */
    unsigned steps;
    unsigned stands;          /* samples in a row that stand */
    int64_t t_ms, stopped_ms; /* last sample; the first that did not step, 0: it steps */
    int64_t longest_ms;       /* stop so far after which it went on */
};

/* Zero-initialised is a job nothing is known of. Returns the state after the sample; a sample that
 * is not newer than the last changes nothing. */
enum pace_state pace_take(struct pace *p, const struct pace_sample *s);

#endif
