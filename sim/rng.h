/* rng: the simulated world's chance. SplitMix64 (Steele, Lea, Flood 2014): one word of state, so
 * that a world is a function of its seed. Not for secrets. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r); /* [0, 1) */
double rng_between(struct rng *r, double lo, double hi);
double rng_normal(struct rng *r);              /* about N(0,1), bounded by +-3.5: sum of uniforms */
uint32_t rng_below(struct rng *r, uint32_t n); /* [0, n); 0 for n = 0 */
int64_t rng_wait_ms(struct rng *r,
                    double per_hour); /* exponential wait of a Poisson process, at most 10 years */
uint64_t rng_hash(uint64_t a, uint64_t b); /* a pure function: fixed properties of parts */

#endif
