/* clock: time comes from outside, so that tests and replays own it.
 *
 * Wall time is milliseconds since 1970 UTC (int64_t, *_ms); durations for deadlines come from the
 * monotonic clock in microseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock {
    int64_t (*now_ms)(void *ctx);
    void *ctx;
};

int64_t clock_now_ms(const struct clock *c); /* c NULL: the system's wall clock */
int64_t clock_mono_us(void);
extern const struct clock clock_wall; /* constant: the system's */

#define TIME_TEXT_SIZE 32
/* RFC 3339 UTC with milliseconds: 2026-11-23T08:00:00.000Z. Returns out. */
const char *time_format(int64_t ms, char out[TIME_TEXT_SIZE]);
/* RFC 3339 (any offset, fraction), "YYYY-MM-DD HH:MM:SS[.f]" taken as UTC, or Unix seconds with
 * fraction. 0 or ERR_SYNTAX. */
int time_parse(const char *s, int64_t *ret_ms);
/* Prometheus durations: "1h30m", "15s", "250ms", "7d", "2w", "1y"; a bare number is seconds.
 * 0, ERR_SYNTAX or ERR_RANGE (over 100 years). */
int duration_parse(const char *s, int64_t *ret_ms);
const char *duration_format(int64_t ms, char out[TIME_TEXT_SIZE]);

#endif
