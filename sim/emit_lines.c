/* emit_lines: three forms of the same line. */
#include "sim/emit_lines.h"
#include "base/clock.h"
#include "base/jsonw.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void
emit_lines_open(struct buf *out)
{
    buf_puts(out, "{\"streams\":[");
}

void
emit_lines_close(struct buf *out)
{
    buf_puts(out, "]}");
}

static const char *
emit_lines_level(int severity)
{
    return severity <= 2   ? "critical"
           : severity == 3 ? "error"
           : severity == 4 ? "warning"
                           : "info";
}

unsigned
emit_lines_pid(const struct world_line *l)
{
    unsigned pid = 700;
    for (const char *c = l->app; *c != 0; c++)
        pid = (pid * 31 + (unsigned char)*c) % 30000;
    return pid + 300;
}

/* A shipper that tails /var/log/syslog sends what stands in the file: the tag first. */
static void
emit_lines_tagged(struct jsonw *w, const struct world_line *l)
{
    char text[4096];
    if (strcmp(l->source, "syslog") != 0) {
        jsonw_str(w, l->text);
        return;
    }
    snprintf(text, sizeof text, "%.48s[%u]: %s", l->app, emit_lines_pid(l), l->text);
    jsonw_str(w, text);
}

void
emit_lines_loki(struct buf *out, const struct world_line *l)
{
    struct jsonw w;
    char ns[32];
    if (out->len > 0 && out->data[out->len - 1] == '}')
        buf_putc(out, ',');
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_key(&w, "stream");
    jsonw_object(&w);
    jsonw_kstr(&w, l->address != NULL ? "host" : "node", l->host);
    jsonw_kstr(&w, "source", l->source);
    jsonw_kstr(&w, "level", emit_lines_level(l->severity));
    if (*l->job != 0)
        jsonw_kstr(&w, "job_id", l->job);
    if (l->rank >= 0) {
        snprintf(ns, sizeof ns, "%d", l->rank);
        jsonw_kstr(&w, "rank", ns);
    }
    if (strcmp(l->source, "syslog") == 0)
        jsonw_kstr(&w, "app", l->app);
    jsonw_end_object(&w);
    jsonw_key(&w, "values");
    jsonw_array(&w);
    jsonw_array(&w);
    snprintf(ns, sizeof ns, "%lld000000", (long long)l->t_ms);
    jsonw_str(&w, ns);
    emit_lines_tagged(&w, l);
    jsonw_end_array(&w);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}

void
emit_lines_5424(struct buf *out, const struct world_line *l)
{
    char t[TIME_TEXT_SIZE];
    char pid[16] = "-";
    bool kernel = strcmp(l->source, "kernel") == 0;
    int facility = kernel ? 0 : *l->job != 0 ? 1 : 3;
    if (!kernel)
        snprintf(pid, sizeof pid, "%u", emit_lines_pid(l));
    buf_printf(out, "<%d>1 %s %s %.48s %s - - %s", facility * 8 + l->severity,
               time_format(l->t_ms, t), l->host, kernel ? "kernel" : l->app, pid, l->text);
}

void
emit_lines_3164(struct buf *out, const struct world_line *l)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t s = (time_t)(l->t_ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    buf_printf(out, "<%d>%s %2d %02d:%02d:%02d %s %s", 23 * 8 + l->severity, months[tm.tm_mon % 12],
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, l->host, l->text);
}
