/* roce_in: what the files of roce share among themselves. */
#ifndef DECODE_ROCE_IN_H
#define DECODE_ROCE_IN_H

#include "base/map.h"
#include "decode/roce.h"

#define ROCE_WAIT_SLOTS 65536u

struct roce_wait { /* a request that asks for an answer; a later one of the same place takes it */
    uint64_t key;  /* 0: free */
    int64_t time_us;
    struct roce_flow *flow;
};

struct roce {
    struct roce_totals totals;
    struct map *flows, *ports, *neighbours;
    struct roce_flow *last; /* frames of one flow follow one another */
    struct roce_wait *waits;
    double ns_a_quantum;
};

/* roce_wait.c: f sent a request, or from got an answer; of both p is the packet. */
void roce_wait_ask(struct roce *r, struct roce_flow *f, const struct packet *p, int64_t time_us);
void roce_wait_answer(struct roce *r, const struct packet *p, int64_t time_us);
/* roce_pause.c */
void roce_pause_take(struct roce *r, const struct packet *p, int64_t time_us);

#endif
