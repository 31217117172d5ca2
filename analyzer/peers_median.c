/* peers_median: the middle of a column. Two ranks of a few of its values, three deviations below
 * and above their middle, enclose the middle of all whatever the values are (Floyd and Rivest,
 * 1975): one pass counts what lies below and gathers what lies between; only when the middle is not
 * there is everything gathered. Then nth element by quickselect (Hoare, 1961). */
#include "analyzer/peers_priv.h"

#include <math.h>

#define PEERS_SOME 256 /* values that tell where the middle is */

/* Brings the values below the pivot (or equal to it) to the front of [low, high), without a branch
 * that could be guessed wrong; returns where they end. */
static size_t
peers_part(float *v, size_t low, size_t high, float pivot, bool equal)
{
    size_t end = low;
    for (size_t i = low; i < high; i++) {
        float x = v[i];
        v[i] = v[end];
        v[end] = x;
        end += (x < pivot) | (equal & (x == pivot));
    }
    return end;
}

/* The k-th smallest of n values; reorders them. */
static float
peers_select(float *v, size_t n, size_t k)
{
    size_t low = 0, high = n;
    for (;;) {
        float a = v[low], b = v[low + (high - low) / 2], c = v[high - 1];
        float pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        size_t end = peers_part(v, low, high, pivot, false);
        if (k < end) {
            high = end;
            continue;
        }
        low = peers_part(v, end, high, pivot, true); /* at least the pivot itself */
        if (k < low)
            return pivot;
    }
}

struct peers_band {
    size_t below, inside, valid;
};

static struct peers_band
peers_gather(const float *x, size_t n, float low, float high, float *out)
{
    struct peers_band b = {0};
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        out[b.inside] = v;
        b.below += v < low;
        b.inside += (v >= low) & (v <= high);
        b.valid += v == v;
    }
    return b;
}

/* What encloses the middle, of every few values. */
static bool
peers_bounds(const float *x, size_t n, float *sorted, float *ret_low, float *ret_high)
{
    size_t step = n > 8 * PEERS_SOME ? n / PEERS_SOME : 8, count = 0;
    for (size_t i = 0; i < n; i += step) {
        sorted[count] = x[i];
        count += x[i] == x[i];
    }
    size_t reach = (size_t)(1.5f * sqrtf((float)count)) + 1; /* a rank deviates by half a root */
    if (count < 16)
        return false;
    *ret_high = peers_select(sorted, count, count / 2 + reach);
    *ret_low = peers_select(sorted, count, count / 2 - reach);
    return true;
}

float
peers_median(const float *x, size_t n, size_t least, float *sorted)
{
    struct peers_band b;
    float low, high;
    if (n >= PEERS_SOME && peers_bounds(x, n, sorted, &low, &high)) {
        b = peers_gather(x, n, low, high, sorted);
        if (b.valid < least || !b.valid)
            return NAN;
        size_t k = b.valid / 2;
        if (k >= b.below && k < b.below + b.inside)
            return low == high ? low : peers_select(sorted, b.inside, k - b.below);
    }
    b = peers_gather(x, n, -INFINITY, INFINITY, sorted);
    if (b.valid < least || !b.valid)
        return NAN;
    return peers_select(sorted, b.inside, b.valid / 2);
}
