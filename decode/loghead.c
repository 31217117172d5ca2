/* loghead: tries each known piece of a head at the present place until none fits. */
#include "decode/loghead.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct loghead_in {
    const char *p, *end;
    struct loghead *h;
    int64_t hint_ms;
    bool host_may_follow; /* a 3164 time was read */
};

static void
loghead_space(struct loghead_in *in)
{
    while (in->p < in->end && (*in->p == ' ' || *in->p == '\t'))
        in->p++;
}

/* Digits at p: their count, value in *ret. */
static size_t
loghead_number(const char *p, const char *end, long *ret)
{
    size_t n = 0;
    long v = 0;
    while (p + n < end && n < 9 && isdigit((unsigned char)p[n]))
        v = v * 10 + (p[n++] - '0');
    *ret = v;
    return n;
}

/* 2026-11-23T08:00:00.123Z, 2026-11-23 08:00:00,123, also in brackets, also with '/' between. */
static bool
loghead_iso(struct loghead_in *in)
{
    char text[48];
    const char *p = in->p;
    size_t n = 0;
    bool bracket = p < in->end && *p == '[';
    p += bracket;
    if (in->end - p < 19 || !isdigit((unsigned char)p[0]) || (p[4] != '-' && p[4] != '/') ||
        p[13] != ':' || p[16] != ':')
        return false;
    for (; n < sizeof text - 1 && p + n < in->end &&
           (isdigit((unsigned char)p[n]) || strchr("-/:.,TtZz+ ", p[n]));
         n++) {
        if (n > 10 && p[n] == ' ')
            break;
        text[n] = p[n] == '/' ? '-' : p[n] == ',' ? '.' : p[n];
    }
    text[n] = 0;
    while (n && strchr(":.-+, ", text[n - 1]))
        text[--n] = 0;
    if (time_parse(text, &in->h->time_ms))
        return false;
    p += n;
    in->p = p + (bracket && p < in->end && *p == ']');
    return true;
}

/* "stderr F " of a container runtime's log (CRI), behind its time */
static bool
loghead_cri(struct loghead_in *in)
{
    const char *p = in->p;
    if (in->end - p < 9 || (strncmp(p, "stdout ", 7) && strncmp(p, "stderr ", 7)) ||
        (p[7] != 'F' && p[7] != 'P') || p[8] != ' ')
        return false;
    in->p = p + 9;
    return true;
}

static int
loghead_month(const char *p)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (!strncmp(p, months + i * 3, 3))
            return i;
    return -1;
}

/* The year that puts the time nearest to the hint. */
static int64_t
loghead_year(struct tm tm, int64_t hint_ms)
{
    time_t hint = (time_t)(hint_ms / 1000);
    struct tm now;
    int64_t best = 0, best_off = INT64_MAX;
    gmtime_r(&hint, &now);
    for (int y = now.tm_year - 1; y <= now.tm_year + 1; y++) {
        struct tm t = tm;
        t.tm_year = y;
        int64_t s = (int64_t)timegm(&t), off = s > hint ? s - hint : hint - s;
        if (off < best_off) {
            best_off = off;
            best = s;
        }
    }
    return best * 1000;
}

/* Nov 23 08:00:00 */
static bool
loghead_3164(struct loghead_in *in)
{
    struct tm tm = {0};
    const char *p = in->p;
    int n = 0;
    if (in->end - p < 15 || (tm.tm_mon = loghead_month(p)) < 0 || p[3] != ' ')
        return false;
    char text[24];
    snprintf(text, sizeof text, "%.12s", p + 3);
    if (sscanf(text, " %2d %2d:%2d:%2d%n", &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) !=
        4)
        return false;
    if (in->hint_ms && tm.tm_mday >= 1 && tm.tm_mday <= 31 && tm.tm_hour < 24 && tm.tm_min < 60 &&
        tm.tm_sec < 61)
        in->h->time_ms = loghead_year(tm, in->hint_ms);
    in->p = p + 3 + n;
    in->host_may_follow = true;
    return true;
}

/* E1123 20:17:08.415 of glog, also behind a '[' that is left to the text */
static bool
loghead_glog(struct loghead_in *in)
{
    struct tm tm = {0};
    const char *p = in->p + (in->p < in->end && *in->p == '[');
    char text[24];
    if (in->end - p < 14 || !strchr("IWEF", *p) || p[5] != ' ' || p[8] != ':')
        return false;
    snprintf(text, sizeof text, "%.13s", p + 1);
    if (sscanf(text, "%2d%2d %2d:%2d:%2d", &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec) != 5 ||
        tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_mon--;
    if (in->hint_ms && !in->h->time_ms)
        in->h->time_ms = loghead_year(tm, in->hint_ms);
    return false; /* the text keeps its head: patterns know it */
}

/* [  123.456789] of the kernel */
static bool
loghead_kernel(struct loghead_in *in)
{
    const char *p = in->p;
    if (p >= in->end || *p != '[')
        return false;
    for (p++; p < in->end && *p == ' '; p++)
        continue;
    const char *digits = p;
    while (p < in->end && (isdigit((unsigned char)*p) || *p == '.'))
        p++;
    if (p == digits || p >= in->end || *p != ']' || !memchr(digits, '.', (size_t)(p - digits)))
        return false;
    in->p = p + 1;
    return true;
}

static bool
loghead_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

static void
loghead_node(struct loghead *h, const char *p, size_t n)
{
    if (n >= sizeof h->node)
        n = sizeof h->node - 1;
    memcpy(h->node, p, n);
    h->node[n] = 0;
}

/* host prog[pid]: after a 3164 time; "host kernel:" too */
static bool
loghead_host(struct loghead_in *in)
{
    const char *p = in->p, *q;
    if (!in->host_may_follow)
        return false;
    in->host_may_follow = false;
    while (p < in->end && loghead_name_char(*p))
        p++;
    if (p == in->p || p >= in->end || *p != ' ')
        return false;
    for (q = p + 1; q < in->end && q - p < 64 && *q != ' ' && *q != ':'; q++)
        continue;
    if (q >= in->end || *q != ':')
        return false;
    loghead_node(in->h, in->p, (size_t)(p - in->p));
    in->p = p;
    return true;
}

/* node00001:1234:5678 [3] NCCL ... : the text keeps from there, only names are taken */
static bool
loghead_nccl(struct loghead_in *in)
{
    const char *p = in->p;
    long v;
    size_t n;
    while (p < in->end && loghead_name_char(*p))
        p++;
    size_t host = (size_t)(p - in->p);
    for (int i = 0; i < 2; i++) {
        if (!host || p >= in->end || *p != ':' || !(n = loghead_number(p + 1, in->end, &v)))
            return false;
        p += 1 + n;
    }
    if (in->end - p < 4 || p[0] != ' ' || p[1] != '[' ||
        !(n = loghead_number(p + 2, in->end, &v)) || p + 2 + n >= in->end || p[2 + n] != ']')
        return false;
    loghead_node(in->h, in->p, host);
    in->h->gpu = (int)v;
    in->p = p + 3 + n;
    return true;
}

/* [rank37]: [Rank 37] [1,37]<stderr>: 37: */
static bool
loghead_rank(struct loghead_in *in)
{
    const char *p = in->p, *end = in->end;
    long v;
    size_t n;
    if (end - p > 6 && *p == '[' && !strncasecmp(p + 1, "rank", 4)) {
        p += 5;
        p += p < end && *p == ' ';
        if (!(n = loghead_number(p, end, &v)) || p + n >= end ||
            (p[n] != ']' && p[n] != ':' && p[n] != ' '))
            return false;
        in->h->rank = (int)v;
        p += n;
        if (*p != ']')
            return false; /* [Rank 37 ...]: part of the text */
        in->p = p + 1 + (p + 1 < end && p[1] == ':');
        return true;
    }
    if (end - p > 8 && !strncmp(p, "[1,", 3) && (n = loghead_number(p + 3, end, &v)) &&
        p + 3 + n + 1 < end && p[3 + n] == ']' && p[4 + n] == '<') {
        const char *q = memchr(p, ':', (size_t)(end - p));
        in->h->rank = (int)v;
        in->p = q ? q + 1 : p + 4 + n;
        return q != NULL;
    }
    n = loghead_number(p, end, &v);
    if (n && n < 7 && p + n + 1 < end && p[n] == ':' && p[n + 1] == ' ') {
        in->h->rank = (int)v;
        in->p = p + n + 2;
        return true;
    }
    return false;
}

void
loghead_parse(const char *line, size_t len, int64_t hint_ms, struct loghead *ret)
{
    *ret = (struct loghead){.rank = -1, .gpu = -1};
    struct loghead_in in = {line, line + (len > LOGHEAD_MAX ? LOGHEAD_MAX : len), ret, hint_ms,
                            false};
    for (int i = 0; i < 6; i++) {
        loghead_space(&in);
        if (!loghead_rank(&in) && !loghead_iso(&in) && !loghead_cri(&in) && !loghead_3164(&in) &&
            !loghead_kernel(&in) && !loghead_host(&in) && !loghead_nccl(&in) && !loghead_glog(&in))
            break;
    }
    loghead_space(&in);
    ret->text = (size_t)(in.p - line);
}
