/* peers: which of many accelerators that should be alike is the slow one, or which group of them.
 *
 * A synchronous job waits for its slowest member, so all of them are slow together; the culprit is
 * the one that works while the others wait. Each measure of a member is compared with the median of
 * its job at the same moment and with the member's own usual distance from it; what is left is
 * weighed by a few shapes (what a slow clock, a slow memory, a starved process look like beside
 * peers) and summed up over time, one-sided (Page's test on likelihood ratios). Limits follow from
 * how many are watched and for how long: the false discovery rate is kept by the rule of Benjamini
 * and Hochberg on the sums, which are evidence values. Groups (node, rack, leaf, power, cooling)
 * are summed likewise; a group explains its members when most of what it consists of is slow.
 *
 * Load: 18,432 members and 20 measures a step, every 5 to 15 s; a step is a few passes over
 * columns, one column a measure, members of a job side by side. Nothing is allocated in a step.
 * Not thread-safe. Source of the sums: Page, Continuous inspection schemes, Biometrika 41 (1954);
 * of the rule: Wang and Ramdas, False discovery rate control with e-values, JRSS B 84 (2022). */
#ifndef ANALYZER_PEERS_H
#define ANALYZER_PEERS_H

#include "base/metric.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEERS_MEASURES 20
#define PEERS_SHAPES   6
#define PEERS_NONE     UINT32_MAX
#define PEERS_LEAST    8 /* members of a job; fewer tell nothing of a norm */

/* From the smallest to what explains most. */
enum peers_level {
    PEERS_GPU,
    PEERS_NODE,
    PEERS_LEAF,
    PEERS_RACK,
    PEERS_COOLING,
    PEERS_POWER,
    PEERS_LEVELS
};

struct peers;
struct peers *peers_new(void); /* NULL: no memory */
void peers_free(struct peers *p);

struct peers_member {
    uint64_t key; /* stays with the accelerator: what is known of it survives a new layout */
    uint32_t job; /* 0 to jobs - 1 */
    uint32_t group[PEERS_LEVELS]; /* by level, from 0; PEERS_NONE: none. [PEERS_GPU] is not read */
};
/* Who is watched from now on, in any order; jobs are known by job_keys. 0 or ERR_NOMEM (then as
 * before). */
int peers_layout(struct peers *p, const struct peers_member *members, size_t count,
                 const uint64_t *job_keys, size_t jobs);

/* Index of a meaning's column, or -1: it tells nothing here. */
int peers_measure(enum metric_meaning m);
enum metric_meaning peers_meaning(size_t measure);
bool peers_used(size_t measure); /* part of a shape, or of a job's speed */
/* The value of a member (its number in the layout) for the next step; NAN: none. Counters as rates.
 */
void peers_set(struct peers *p, size_t measure, size_t member, float v);
/* Place of a member in each column, and the column, for callers that fill many. */
size_t peers_place(const struct peers *p, size_t member);
float *peers_column(struct peers *p, size_t measure);
/* Takes what was set of the jobs that are due (NULL: all). every_ms: usual distance of samples. */
void peers_step(struct peers *p, const bool *due, int64_t t_ms, int64_t every_ms);

/* Medians of a job at its last step, by measure, NAN: none. */
const float *peers_medians(const struct peers *p, size_t job);
/* What is usual of them, while the job steps at its speed; 0 or NAN: not known. */
const float *peers_usual_of(const struct peers *p, size_t job);
/* Since when the job is slower than it was without anybody of it being named; 0: it is not. */
int64_t peers_slow_since(const struct peers *p, size_t job);
/* Is the job doing what it usually does: not starting, saving, loading. */
bool peers_steady(const struct peers *p, size_t job);

struct peers_finding {
    enum peers_level level;
    uint32_t index;     /* member, or group of the level */
    uint32_t job;       /* of the member, or the first of the group's */
    uint32_t count, of; /* members that are slow, members it has */
    unsigned shape;
    float score, limit; /* log evidence, and what it must exceed */
    float shift;        /* of the measure that tells most, against peers: -0.1 is a tenth below */
    enum metric_meaning measure;
    float value, median; /* of that measure; of a group: of its middle member */
    int64_t since_ms;
};
/* Who is slow now, by the evidence of all steps so far; explained members are not listed. Borrowed
 * until the next call. Returns how many. */
size_t peers_decide(struct peers *p, const struct peers_finding **ret);
const char *peers_shape_word(unsigned shape); /* "clock", "memory", "host", "power", "path" */

#endif
