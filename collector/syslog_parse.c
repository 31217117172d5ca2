/* syslog_parse: a cursor over the message; each reader of a part moves it or leaves it. */
#include "collector/syslog_parse.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define SYSLOG_PARSE_DAY_MS 86400000

struct syslog_in {
    const char *p, *end;
};

static bool
syslog_parse_char(struct syslog_in *in, char c)
{
    if (in->p == in->end || *in->p != c)
        return false;
    in->p++;
    return true;
}

static void
syslog_parse_spaces(struct syslog_in *in)
{
    while (in->p < in->end && *in->p == ' ')
        in->p++;
}

/* Between min and max digits; -1 and nothing moved when there are fewer or more. */
static int
syslog_parse_number(struct syslog_in *in, int min, int max)
{
    const char *p = in->p;
    int v = 0, n = 0;
    for (; p < in->end && isdigit((unsigned char)*p); p++, n++) {
        if (n == max)
            return -1;
        v = v * 10 + (*p - '0');
    }
    if (n < min)
        return -1;
    in->p = p;
    return v;
}

/* The next run without spaces, "" at the end; moved behind it. */
static size_t
syslog_parse_word(struct syslog_in *in, const char **ret)
{
    *ret = in->p;
    while (in->p < in->end && *in->p != ' ')
        in->p++;
    return (size_t)(in->p - *ret);
}

/* --- times ---------------------------------------------------------------------------------------
 */

struct syslog_time {
    int year, month, day, hour, minute, second, ms; /* year 0: none; month 1 to 12 */
    bool has_zone;
    int zone_s; /* east positive */
};

static int
syslog_parse_month(struct syslog_in *in)
{
    static const char *const names = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (in->end - in->p < 4 || in->p[3] != ' ')
        return 0;
    for (int i = 0; i < 12; i++)
        if (!memcmp(in->p, names + 3 * i, 3)) {
            in->p += 4;
            return i + 1;
        }
    return 0;
}

/* ".123456", ",123" or ":123"; nothing is well too. */
static int
syslog_parse_fraction(struct syslog_in *in)
{
    int ms = 0, unit = 100;
    if (in->end - in->p < 2 || !strchr(".,:", *in->p) || !*in->p ||
        !isdigit((unsigned char)in->p[1]))
        return 0;
    for (in->p++; in->p < in->end && isdigit((unsigned char)*in->p); in->p++, unit /= 10)
        ms += (*in->p - '0') * unit;
    return ms;
}

static bool
syslog_parse_clock(struct syslog_in *in, struct syslog_time *t)
{
    t->hour = syslog_parse_number(in, 1, 2);
    if (t->hour < 0 || t->hour > 23 || !syslog_parse_char(in, ':'))
        return false;
    t->minute = syslog_parse_number(in, 2, 2);
    if (t->minute < 0 || t->minute > 59 || !syslog_parse_char(in, ':'))
        return false;
    t->second = syslog_parse_number(in, 2, 2);
    if (t->second < 0 || t->second > 60)
        return false;
    t->ms = syslog_parse_fraction(in);
    return true;
}

/* "Z", "+08:00", "+0800", or " UTC", " GMT" (others' names say nothing certain: passed over). */
static void
syslog_parse_zone(struct syslog_in *in, struct syslog_time *t)
{
    struct syslog_in at = *in;
    if (syslog_parse_char(&at, 'Z')) {
        t->has_zone = true;
        *in = at;
        return;
    }
    if (at.p < at.end && (*at.p == '+' || *at.p == '-')) {
        int sign = *at.p++ == '-' ? -1 : 1, hours = syslog_parse_number(&at, 2, 2), minutes;
        if (hours < 0) {
            hours = syslog_parse_number(&at, 4, 4);
            minutes = hours % 100;
            hours /= 100;
        } else {
            syslog_parse_char(&at, ':');
            minutes = syslog_parse_number(&at, 2, 2);
        }
        if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
            return;
        t->has_zone = true;
        t->zone_s = sign * (hours * 3600 + minutes * 60);
        *in = at;
        return;
    }
    /* a word in capitals that ends in a colon: Cisco's zone */
    syslog_parse_spaces(&at);
    const char *word = at.p;
    while (at.p < at.end && isupper((unsigned char)*at.p))
        at.p++;
    size_t n = (size_t)(at.p - word);
    if (n >= 2 && n <= 5 && at.p < at.end && *at.p == ':') {
        t->has_zone = n == 3 && (!memcmp(word, "UTC", 3) || !memcmp(word, "GMT", 3));
        *in = at;
    }
}

/* 2026-11-23T08:00:00.123+08:00 */
static bool
syslog_parse_iso(struct syslog_in *in, struct syslog_time *t)
{
    struct syslog_in at = *in;
    t->year = syslog_parse_number(&at, 4, 4);
    if (t->year < 1970 || !syslog_parse_char(&at, '-'))
        return false;
    t->month = syslog_parse_number(&at, 2, 2);
    if (t->month < 1 || t->month > 12 || !syslog_parse_char(&at, '-'))
        return false;
    t->day = syslog_parse_number(&at, 2, 2);
    if (t->day < 1 || t->day > 31 || at.p == at.end || (*at.p != 'T' && *at.p != ' '))
        return false;
    at.p++;
    if (!syslog_parse_clock(&at, t))
        return false;
    syslog_parse_zone(&at, t);
    *in = at;
    return true;
}

/* [yyyy ]Mmm dd [yyyy ]hh:mm:ss[.f][ yyyy][zone] */
static bool
syslog_parse_bsd(struct syslog_in *in, struct syslog_time *t)
{
    struct syslog_in at = *in, back;
    int year = syslog_parse_number(&at, 4, 4);
    if (year >= 1970 && !syslog_parse_char(&at, ' '))
        return false;
    t->month = syslog_parse_month(&at);
    if (!t->month)
        return false;
    syslog_parse_spaces(&at);
    t->day = syslog_parse_number(&at, 1, 2);
    if (t->day < 1 || t->day > 31 || !syslog_parse_char(&at, ' '))
        return false;
    back = at;
    int middle = syslog_parse_number(&at, 4, 4);
    if (middle >= 1970 && syslog_parse_char(&at, ' '))
        year = middle;
    else
        at = back;
    syslog_parse_spaces(&at);
    if (!syslog_parse_clock(&at, t))
        return false;
    back = at;
    if (syslog_parse_char(&at, ' ') && (middle = syslog_parse_number(&at, 4, 4)) >= 1970 &&
        (at.p == at.end || *at.p == ' '))
        year = middle;
    else
        at = back;
    syslog_parse_zone(&at, t);
    t->year = year < 0 ? 0 : year;
    *in = at;
    return true;
}

static int64_t
syslog_parse_utc(const struct syslog_time *t, int year)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = t->month - 1,
                    .tm_mday = t->day,
                    .tm_hour = t->hour,
                    .tm_min = t->minute,
                    .tm_sec = t->second};
    return (int64_t)timegm(&tm) * 1000 + t->ms;
}

/* A time without a year is the one nearest to now: of this year, the last or the next. */
static int64_t
syslog_parse_ms(const struct syslog_time *t, int64_t now_ms, int64_t offset_ms)
{
    int64_t east = t->has_zone ? (int64_t)t->zone_s * 1000 : offset_ms, best = 0;
    time_t now = (time_t)((now_ms + east) / 1000);
    struct tm tm;
    if (t->year)
        return syslog_parse_utc(t, t->year) - east;
    gmtime_r(&now, &tm);
    for (int i = -1; i <= 1; i++) {
        int64_t ms = syslog_parse_utc(t, tm.tm_year + 1900 + i) - east;
        int64_t away = ms > now_ms ? ms - now_ms : now_ms - ms;
        int64_t best_away = best > now_ms ? best - now_ms : now_ms - best;
        if (i == -1 || away < best_away)
            best = ms;
    }
    return best;
}

static bool
syslog_parse_time(struct syslog_in *in, int64_t now_ms, int64_t offset_ms, struct syslog_message *m)
{
    struct syslog_time t = {0};
    if (!syslog_parse_iso(in, &t)) {
        t = (struct syslog_time){0};
        if (!syslog_parse_bsd(in, &t))
            return false;
    }
    m->time_ms = syslog_parse_ms(&t, now_ms, offset_ms);
    m->has_zone = t.has_zone;
    return true;
}

/* --- text ----------------------------------------------------------------------------------------
 */

static void
syslog_parse_put(struct syslog_message *m, const char *s, size_t n)
{
    size_t room = EVENT_TEXT_MAX - m->text_len;
    if (n > room) {
        n = room;
        m->cut = true;
    }
    memcpy(m->text + m->text_len, s, n);
    m->text_len += n;
}

/* Control characters become spaces, what is not UTF-8 question marks; ends are trimmed. */
static void
syslog_parse_end(struct syslog_message *m)
{
    for (size_t i = 0; i < m->text_len; i++)
        if ((unsigned char)m->text[i] < 32 || m->text[i] == 127)
            m->text[i] = ' ';
    if (m->cut) /* not within a character */
        while (m->text_len && ((unsigned char)m->text[m->text_len - 1] & 0xc0) == 0x80)
            m->text_len--;
    str_utf8_mend(m->text, &m->text_len);
    while (m->text_len && m->text[m->text_len - 1] == ' ')
        m->text_len--;
    m->text[m->text_len] = 0;
}

static bool
syslog_parse_host_ok(const char *s, size_t n)
{
    if (n == 0 || n > SYSLOG_HOST_MAX || !isalnum((unsigned char)*s))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("-._:%", s[i]))
            return false;
    return true;
}

static void
syslog_parse_host(struct syslog_message *m, const char *s, size_t n)
{
    memcpy(m->host, s, n);
    m->host[n] = 0;
}

static bool
syslog_parse_vendor(const struct syslog_in *in)
{
    const char *p = in->p, *end = in->end;
    if (end - p < 4 || *p++ != '%')
        return false;
    if (*p == '%') /* %%01IFNET/4/... */
        return isdigit((unsigned char)p[1]);
    while (p < end &&
           (isupper((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_' || *p == '-'))
        p++;
    return p < end && (*p == ':' || *p == '(') && memchr(in->p, '-', (size_t)(p - in->p));
}

/* The daemon's name from "name[pid]:" or "name:" at the start of the text. */
static void
syslog_parse_tag(struct syslog_message *m, const struct syslog_in *in)
{
    const char *p = in->p;
    while (p < in->end && p - in->p < (ptrdiff_t)sizeof m->app - 1 &&
           (isalnum((unsigned char)*p) || strchr("-._/#+@()", *p)) && *p)
        p++;
    if (p > in->p && p < in->end && (*p == ':' || *p == '[')) {
        memcpy(m->app, in->p, (size_t)(p - in->p));
        m->app[p - in->p] = 0;
    }
}

/* --- RFC 5424 ------------------------------------------------------------------------------------
 */

/* "-" or "[id name="value" ...]...": passed over, quotes and escapes minded. False when ill-formed.
 */
static bool
syslog_parse_structured(struct syslog_in *in)
{
    if (syslog_parse_char(in, '-'))
        return true;
    if (in->p == in->end || *in->p != '[')
        return false;
    while (in->p < in->end && *in->p == '[') {
        bool quoted = false;
        for (in->p++; in->p < in->end && (quoted || *in->p != ']'); in->p++) {
            if (quoted && *in->p == '\\' && in->p + 1 < in->end)
                in->p++;
            else if (*in->p == '"')
                quoted = !quoted;
        }
        if (!syslog_parse_char(in, ']'))
            return false;
    }
    return true;
}

static bool
syslog_parse_5424(struct syslog_in *in, int64_t now_ms, struct syslog_message *m)
{
    struct syslog_in at = *in;
    const char *host, *app, *pid, *id;
    if (!syslog_parse_char(&at, '1') || !syslog_parse_char(&at, ' '))
        return false;
    if (!syslog_parse_char(&at, '-')) {
        struct syslog_time t = {0};
        if (!syslog_parse_iso(&at, &t))
            return false;
        m->time_ms = syslog_parse_ms(&t, now_ms, 0);
        m->has_zone = true;
    }
    if (!syslog_parse_char(&at, ' '))
        return false;
    size_t host_len = syslog_parse_word(&at, &host);
    syslog_parse_char(&at, ' ');
    size_t app_len = syslog_parse_word(&at, &app);
    syslog_parse_char(&at, ' ');
    size_t pid_len = syslog_parse_word(&at, &pid);
    syslog_parse_char(&at, ' ');
    if (!syslog_parse_word(&at, &id) || !syslog_parse_char(&at, ' ') ||
        !syslog_parse_structured(&at))
        return false;
    syslog_parse_char(&at, ' ');
    if (at.end - at.p >= 3 && !memcmp(at.p, "\xef\xbb\xbf", 3))
        at.p += 3;
    if (syslog_parse_host_ok(host, host_len))
        syslog_parse_host(m, host, host_len);
    bool named = app_len && !(app_len == 1 && *app == '-');
    m->vendor = syslog_parse_vendor(&at);
    if (named) {
        str_copy(m->app, sizeof m->app, "");
        size_t n = app_len < sizeof m->app ? app_len : sizeof m->app - 1;
        memcpy(m->app, app, n);
        m->app[n] = 0;
        syslog_parse_put(m, app, app_len);
        if (pid_len && !(pid_len == 1 && *pid == '-')) {
            syslog_parse_put(m, "[", 1);
            syslog_parse_put(m, pid, pid_len);
            syslog_parse_put(m, "]", 1);
        }
        syslog_parse_put(m, ": ", 2);
    }
    *in = at;
    return true;
}

/* --- the older forms -----------------------------------------------------------------------------
 */

/* Cisco's sequence number, "123: " or ": ". */
static void
syslog_parse_sequence(struct syslog_in *in)
{
    struct syslog_in at = *in;
    syslog_parse_number(&at, 1, 9);
    if (syslog_parse_char(&at, ':') && syslog_parse_char(&at, ' '))
        *in = at;
}

/* "HOST: " in front of a time (Cisco's logging origin-id). */
static void
syslog_parse_origin(struct syslog_in *in, struct syslog_message *m)
{
    struct syslog_in at = *in;
    const char *word;
    size_t n = syslog_parse_word(&at, &word);
    if (n > 1 && word[n - 1] == ':' && syslog_parse_host_ok(word, n - 1) &&
        syslog_parse_char(&at, ' ') && at.p < at.end &&
        (strchr("*.", *at.p) || isupper((unsigned char)*at.p) || isdigit((unsigned char)*at.p))) {
        struct syslog_time t = {0};
        struct syslog_in probe = at;
        if (probe.p < probe.end && (*probe.p == '*' || *probe.p == '.'))
            probe.p++;
        if (!syslog_parse_bsd(&probe, &t))
            return;
        syslog_parse_host(m, word, n - 1);
        *in = at;
    }
}

static void
syslog_parse_3164(struct syslog_in *in, int64_t now_ms, int64_t offset_ms, struct syslog_message *m)
{
    const char *word;
    syslog_parse_sequence(in);
    syslog_parse_origin(in, m);
    if (in->p < in->end && (*in->p == '*' || *in->p == '.') && in->end - in->p > 1 &&
        isalnum((unsigned char)in->p[1]))
        in->p++; /* Cisco: the clock is not synchronised */
    bool timed = syslog_parse_time(in, now_ms, offset_ms, m);
    if (timed)
        syslog_parse_char(in, ':');
    syslog_parse_spaces(in);
    if (!*m->host && !syslog_parse_vendor(in)) {
        struct syslog_in at = *in;
        size_t n = syslog_parse_word(&at, &word);
        bool colon = n > 1 && word[n - 1] == ':'; /* "leaf07: %LINK-3-..." */
        struct syslog_in behind = at;
        syslog_parse_spaces(&behind);
        if (timed && n && behind.p < behind.end &&
            syslog_parse_host_ok(word, n - (colon ? 1 : 0)) &&
            (!colon || syslog_parse_vendor(&behind))) {
            syslog_parse_host(m, word, n - (colon ? 1 : 0));
            *in = behind;
        }
    }
    m->vendor = syslog_parse_vendor(in);
    syslog_parse_tag(m, in);
}

void
syslog_parse(const char *data, size_t len, int64_t now_ms, int64_t offset_ms,
             struct syslog_message *ret)
{
    struct syslog_in in = {data, data + len}, at;
    ret->facility = 1;
    ret->severity = 6;
    ret->time_ms = 0;
    ret->has_zone = ret->vendor = ret->cut = false;
    ret->host[0] = ret->app[0] = ret->text[0] = 0;
    ret->text_len = 0;
    while (in.p < in.end && strchr(" \t\r\n", in.end[-1]))
        in.end--;
    at = in;
    if (syslog_parse_char(&at, '<')) {
        int pri = syslog_parse_number(&at, 1, 3);
        if (pri >= 0 && pri <= 191 && syslog_parse_char(&at, '>')) {
            ret->facility = pri / 8;
            ret->severity = pri % 8;
            in = at;
        }
    }
    if (!syslog_parse_5424(&in, now_ms, ret)) {
        ret->time_ms = 0;
        ret->has_zone = false;
        syslog_parse_3164(&in, now_ms, offset_ms, ret);
    }
    syslog_parse_put(ret, in.p, (size_t)(in.end - in.p));
    syslog_parse_end(ret);
}

/* --- framing -------------------------------------------------------------------------------------
 */

void
syslog_frame_init(struct syslog_frame *f, size_t max)
{
    memset(f, 0, sizeof *f);
    buf_init(&f->line, max);
}

void
syslog_frame_done(struct syslog_frame *f)
{
    buf_done(&f->line);
}

/* Takes what fits, counts what does not. */
static void
syslog_frame_keep(struct syslog_frame *f, const char *data, size_t len)
{
    size_t room = f->line.max - 1 - f->line.len;
    if (len > room) {
        len = room;
        if (!f->skipping)
            f->cut++;
        f->skipping = true;
    }
    if (len)
        buf_append(&f->line, data, len);
}

static void
syslog_frame_end(struct syslog_frame *f, void (*cb)(void *ctx, const char *msg, size_t len),
                 void *ctx)
{
    if (f->line.len)
        cb(ctx, buf_str(&f->line), f->line.len);
    buf_reset(&f->line);
    f->skipping = f->counted = false;
}

/* "LEN SP" at the start of a message, all of it in the buffer: the length, else 0. */
static size_t
syslog_frame_count(struct syslog_frame *f)
{
    const char *p = buf_str(&f->line);
    size_t n = 0, i = 0;
    while (i < f->line.len && i < 8 && isdigit((unsigned char)p[i]))
        n = n * 10 + (size_t)(p[i++] - '0');
    return i && i < f->line.len && p[i] == ' ' && *p != '0' ? n : 0;
}

void
syslog_frame_feed(struct syslog_frame *f, const char *data, size_t len,
                  void (*cb)(void *ctx, const char *msg, size_t len), void *ctx)
{
    const char *end = data + len;
    while (data < end) {
        if (f->counted) {
            size_t n = (size_t)(end - data) < f->want ? (size_t)(end - data) : f->want;
            syslog_frame_keep(f, data, n);
            data += n;
            f->want -= n;
            if (!f->want)
                syslog_frame_end(f, cb, ctx);
            continue;
        }
        if (f->line.len <= 8 && !f->skipping && *data == ' ') { /* may end a length */
            syslog_frame_keep(f, data++, 1);
            f->want = syslog_frame_count(f);
            if (f->want) {
                f->counted = true;
                buf_reset(&f->line);
            }
            continue;
        }
        size_t n = 0; /* up to a line's end, or a space that may end a length */
        while (data + n < end && data[n] != '\n' && data[n] &&
               !(data[n] == ' ' && f->line.len + n <= 8))
            n++;
        syslog_frame_keep(f, data, n);
        data += n;
        if (data < end && (*data == '\n' || !*data)) {
            syslog_frame_end(f, cb, ctx);
            data++;
        }
    }
}
