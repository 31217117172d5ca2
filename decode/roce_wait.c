/* roce_wait: how long answers take. A request that asks for an acknowledgement, or a read, is kept
 * by (asker, asked, sequence number) in a table of fixed size; the acknowledgement, or the read's
 * first response, of that number takes it. Queue pairs of two hosts may be at one number at a time:
 * after the first answer a flow is known to be answered at one queue pair, and others' are passed
 * by. */
#include "decode/roce_in.h"

#include <math.h>
#include <string.h>

static struct roce_wait *
roce_wait_slot(struct roce *r, const uint8_t asker[16], const uint8_t asked[16], uint32_t psn,
               uint64_t *ret_key)
{
    uint8_t key[36];
    memcpy(key, asker, 16);
    memcpy(key + 16, asked, 16);
    memcpy(key + 32, &psn, 4);
    *ret_key = map_hash(key, sizeof key) | 1;
    return &r->waits[*ret_key >> 16 & (ROCE_WAIT_SLOTS - 1)];
}

void
roce_wait_ask(struct roce *r, struct roce_flow *f, const struct packet *p, int64_t time_us)
{
    uint64_t key;
    struct roce_wait *w = roce_wait_slot(r, p->from, p->to, p->psn, &key);
    *w = (struct roce_wait){key, time_us, f};
}

static void
roce_waits_add(struct roce_waits *w, uint64_t us)
{
    unsigned b = us ? 64u - (unsigned)__builtin_clzll(us) : 0;
    w->below[b < ROCE_WAITS ? b : ROCE_WAITS - 1]++;
    w->count++;
    w->sum_us += us;
    w->max_us = us > w->max_us ? us : w->max_us;
}

void
roce_wait_answer(struct roce *r, const struct packet *p, int64_t time_us)
{
    uint64_t key;
    struct roce_wait *w = roce_wait_slot(r, p->to, p->from, p->psn, &key);
    if (w->key != key || time_us < w->time_us || (w->flow->peer && w->flow->peer != p->qp))
        return;
    w->flow->peer = p->qp;
    roce_waits_add(&w->flow->waits, (uint64_t)(time_us - w->time_us));
    roce_waits_add(&r->totals.waits, (uint64_t)(time_us - w->time_us));
    w->key = 0;
}

double
roce_waits_quantile(const struct roce_waits *w, double share)
{
    uint64_t n = 0;
    for (unsigned b = 0; w->count && b < ROCE_WAITS; b++) {
        n += w->below[b];
        if ((double)n >= share * (double)w->count)
            return fmin((double)(1u << b), (double)w->max_us);
    }
    return w->count ? (double)w->max_us : NAN;
}
