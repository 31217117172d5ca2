/* peers, for insiders: columns, jobs, groups. A job's members lie side by side from a place that is
 * a multiple of PEERS_BLOCK; the places between the last member and the next job hold NAN. */
#ifndef ANALYZER_PEERS_PRIV_H
#define ANALYZER_PEERS_PRIV_H

#include "analyzer/peers.h"

#define PEERS_BLOCK  16    /* floats a loop takes at once, so that compilers make vectors of it */
#define PEERS_FIRST  4     /* steps before anybody is judged, with much reserve until PEERS_LEARN */
#define PEERS_LEARN  12    /* a mean of 12 is within 0.3 deviations */
#define PEERS_SLOW   64    /* steps over which a usual distance is averaged afterwards */
#define PEERS_HOURS  2048  /* steps over which a wider scatter becomes usual */
#define PEERS_RISE   8.0f  /* most evidence of one step: three at the least for a finding */
#define PEERS_CAP    28.0f /* above every limit by a little, so that it ends soon */
#define PEERS_FALL   8.0f  /* evidence of being as the others again: a finding is over */
#define PEERS_RANKED 4096  /* members of one decision: more are no stragglers */
#define PEERS_ALPHA  0.05f /* false findings a day, of all that are watched */
#define PEERS_DOUBT  0.02f /* false culprits of a job that became slow */

enum peers_scale { PEERS_RATIO, PEERS_DIFFERENCE };

struct peers_row { /* of a measure */
    enum metric_meaning meaning;
    enum peers_scale scale;
    float least; /* medians below tell nothing */
    float pad;   /* added to the median that divides: small counts are no ratio */
    float noise; /* deviation taken at the least, of a sample */
    float keep;  /* usual distance from peers that is believed at the start of a job */
    bool gate;   /* far from its usual median: the job does something else */
    bool pace;   /* so many a step: its median is the job's speed */
};
extern const struct peers_row peers_rows[PEERS_MEASURES];

struct peers_shape { /* shift of each measure against peers, at a slowdown of a tenth */
    const char *word;
    unsigned levels; /* bit per level that it may be reported of */
    struct {
        enum metric_meaning meaning;
        float shift;
    } at[5]; /* the first tells most; without it the shape is not looked for */
};
extern const struct peers_shape peers_shapes[PEERS_SHAPES];
float peers_shift_of(const struct peers_shape *s, enum metric_meaning m); /* 0: not part of it */
bool peers_tells(enum metric_meaning m); /* part of a shape; others only tell the job's speed */

struct peers_job {
    uint64_t key;
    uint32_t first, count, places; /* places: count rounded up */
    uint32_t steps, odd;           /* odd: steps in a row that were none of its usual ones */
    uint32_t crowd;                /* the step since which too many of it would be named; 0 */
    int64_t t_ms;
    bool blamed;        /* somebody of it is named */
    bool steady, roles; /* roles: its members differ by what they do, any distance is usual */
    float median[PEERS_MEASURES], usual[PEERS_MEASURES], sigma[PEERS_MEASURES];
    float keep[PEERS_MEASURES], calm[PEERS_MEASURES]; /* calm: deviation when nobody is slow */
    float spread[PEERS_SHAPES];          /* of the weighed sum, against independent measures */
    float pace, pace_noise, pace_before; /* evidence that the job as a whole is slower */
    int64_t slow_ms;                     /* since when; 0: it is not */
    uint32_t slow_steps;
};

struct peers_group {
    float sum, weight;         /* of this step */
    float score, shift, share; /* evidence; smoothed part of a whole shape */
    uint32_t first, members;   /* a place in it; how many */
    uint32_t here;             /* of the first shape: how many of the job at work */
    uint32_t slow, parts;      /* of the last decision */
    int64_t since_ms;
    bool flagged;
    float top; /* most evidence since it is flagged */
};

struct peers_groups { /* of one level: [group * PEERS_SHAPES + shape] */
    struct peers_group *at;
    size_t count;               /* groups */
    float spread[PEERS_SHAPES]; /* of the sums between groups */
};

struct peers_rank {
    float score;
    uint32_t place;
    unsigned shape;
};

struct peers {
    size_t count, places, job_count;
    struct peers_member *members;
    uint32_t *place_of, *member_at;   /* member -> place, place -> member or PEERS_NONE */
    uint32_t *group_of[PEERS_LEVELS]; /* by place */
    struct peers_job *jobs;
    float *x[PEERS_MEASURES], *usual[PEERS_MEASURES], *drift[PEERS_MEASURES];
    float *sum[PEERS_SHAPES], *score[PEERS_SHAPES], *share[PEERS_SHAPES];
    float *learn, *seen, *work, *sorted;
    int64_t *since_ms;
    uint8_t *flagged, *explained; /* flagged: shape + 1 */
    float *top;                   /* most evidence since it is flagged */
    struct peers_rank *ranks;
    struct peers_groups groups[PEERS_LEVELS];
    int64_t every_ms, t_ms;
    struct peers_finding *found;
    size_t found_count, found_cap;
};

/* Median of the values that are numbers, NAN below `least` of them. sorted: n floats of room. */
float peers_median(const float *x, size_t n, size_t least, float *sorted);

#endif
