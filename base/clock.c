/* clock: the two clocks of the system, and the texts of times (RFC 3339) and durations. */
#include "base/clock.h"

#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
clock_system_ms(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const struct clock clock_wall = {.now_ms = clock_system_ms};

int64_t
clock_now_ms(const struct clock *c)
{
    return c ? c->now_ms(c->ctx) : clock_system_ms(NULL);
}

int64_t
clock_mono_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

const char *
time_format(int64_t ms, char out[TIME_TEXT_SIZE])
{
    int64_t s = ms / 1000, f = ms % 1000;
    if (f < 0) {
        f += 1000;
        s--;
    }
    time_t t = (time_t)s;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year > 8099 || tm.tm_year < -1900) {
        snprintf(out, TIME_TEXT_SIZE, "1970-01-01T00:00:00.000Z");
        return out;
    }
    size_t n = strftime(out, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, TIME_TEXT_SIZE - n, ".%03dZ", (int)f);
    return out;
}

/* ".123456" at *p to milliseconds; moves p behind it. */
static int
time_fraction(const char **p)
{
    int ms = 0, scale = 100;
    for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        ms += (**p - '0') * scale;
    return ms;
}

static int
time_offset(const char *p, int64_t *ret_s)
{
    int h, m, n = 0, sign = *p == '-' ? -1 : 1;
    if ((*p == 'Z' || *p == 'z') && !p[1])
        *ret_s = 0;
    else if (!*p)
        *ret_s = 0;
    else if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2d:%2d%n", &h, &m, &n) == 2 && !p[1 + n])
        *ret_s = sign * (h * 3600 + m * 60);
    else
        return ERR_SYNTAX;
    return 0;
}

int
time_parse(const char *s, int64_t *ret_ms)
{
    struct tm tm = {0};
    int n = 0, ms = 0;
    char sep;
    if (sscanf(s, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &sep,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 7 &&
        strchr("Tt ", sep)) {
        const char *p = s + n;
        if (*p == '.' || *p == ',')
            ms = time_fraction(&p);
        int64_t off;
        if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
            tm.tm_hour < 0 || tm.tm_hour > 24 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
            tm.tm_sec > 60 || time_offset(p, &off))
            return ERR_SYNTAX;
        tm.tm_year -= 1900;
        tm.tm_mon--;
        *ret_ms = ((int64_t)timegm(&tm) - off) * 1000 + ms;
        return 0;
    }
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || !isfinite(v) || fabs(v) > 2.6e11)
        return ERR_SYNTAX;
    *ret_ms = (int64_t)llround(v * 1000);
    return 0;
}

static const struct {
    const char *name;
    double ms;
} duration_units[] = {
    {"ms", 1}, {"y", 31536e6}, {"w", 6048e5}, {"d", 864e5}, {"h", 36e5}, {"m", 6e4}, {"s", 1e3},
};

static int
duration_unit(const char **p, double *ret_ms)
{
    for (size_t i = 0; i < sizeof duration_units / sizeof *duration_units; i++) {
        size_t n = strlen(duration_units[i].name);
        if (!strncmp(*p, duration_units[i].name, n)) {
            *p += n;
            *ret_ms = duration_units[i].ms;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

int
duration_parse(const char *s, int64_t *ret_ms)
{
    double sum = 0, unit;
    const char *p = s;
    char *end;
    if (!*p)
        return ERR_SYNTAX;
    while (*p) {
        if (*p < '0' || *p > '9')
            return ERR_SYNTAX;
        double v = strtod(p, &end);
        if (!*end && p == s)
            unit = 1000;
        else if ((p = end, duration_unit(&p, &unit)))
            return ERR_SYNTAX;
        else
            end = (char *)p;
        p = end;
        sum += v * unit;
        if (!(sum <= 31536e8))
            return ERR_RANGE;
    }
    *ret_ms = (int64_t)llround(sum);
    return 0;
}

const char *
duration_format(int64_t ms, char out[TIME_TEXT_SIZE])
{
    static const char *const order[] = {"d", "h", "m", "s", "ms"};
    static const int64_t scale[] = {86400000, 3600000, 60000, 1000, 1};
    size_t n = 0;
    out[0] = 0;
    if (ms < 0)
        n += (size_t)snprintf(out, TIME_TEXT_SIZE, "-"), ms = -ms;
    if (!ms)
        snprintf(out, TIME_TEXT_SIZE, "0s");
    for (size_t i = 0; i < 5 && ms && n < TIME_TEXT_SIZE; i++)
        if (ms >= scale[i]) {
            n += (size_t)snprintf(out + n, TIME_TEXT_SIZE - n, "%lld%s", (long long)(ms / scale[i]),
                                  order[i]);
            ms %= scale[i];
        }
    return out;
}
