/* rng: SplitMix64 and what the simulator draws from it. */
#include "sim/rng.h"

#include <math.h>

uint64_t
rng_hash(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9e3779b97f4a7c15u + b + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t
rng_next(struct rng *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double
rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1.0p-53;
}

double
rng_between(struct rng *r, double lo, double hi)
{
    return lo + (hi - lo) * rng_unit(r);
}

double
rng_normal(struct rng *r)
{
    /* four 16-bit uniforms: variance 4/12, so scaled by sqrt(3) */
    uint64_t x = rng_next(r);
    double sum = (double)(x & 0xffff) + (double)((x >> 16) & 0xffff) +
                 (double)((x >> 32) & 0xffff) + (double)(x >> 48);
    return (sum / 65536.0 - 2.0) * 1.7320508;
}

uint32_t
rng_below(struct rng *r, uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)(rng_next(r) % n);
}

int64_t
rng_wait_ms(struct rng *r, double per_hour)
{
    const double ten_years_ms = 3.15e11;
    if (per_hour <= 0)
        return (int64_t)ten_years_ms;
    double ms = -log(1.0 - rng_unit(r)) * 3600e3 / per_hour;
    return (int64_t)fmin(ms + 1, ten_years_ms);
}
