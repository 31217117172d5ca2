/* cmd_reliability: what faults cost, how long parts last, what will fail next. */
#include "base/clock.h"
#include "base/str.h"
#include "programs/cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An age such as 7d, or a time; NULL stays NULL. */
static const char *
reliability_time(const char *text, char out[TIME_TEXT_SIZE])
{
    int64_t ms;
    if (text && text[strspn(text, "0123456789")] && !duration_parse(text, &ms))
        return time_format(clock_now_ms(NULL) - ms, out);
    return text;
}

static struct doc *
reliability_get(const struct cmd_args *a, char *path, int *rc)
{
    struct doc *d = NULL;
    struct buf raw;
    struct err err;
    *rc = path ? client_call(a, "GET", path, NULL, 0, &d, &raw, &err)
               : err_set(&err, ERR_NOMEM, "no memory");
    free(path);
    if (*rc) {
        *rc = cmd_fail(a, &err);
        return NULL;
    }
    if (cmd_json(a)) {
        printf("%s\n", buf_str(&raw));
        doc_free(d);
        d = NULL;
    }
    buf_done(&raw);
    return d;
}

/* A number of an object, or "-". */
static const char *
reliability_number(const struct doc_node *n, const char *key, const char *format, char out[32])
{
    double v = doc_get_real(n, key, NAN);
    if (isnan(v))
        return "-";
    /* the formats are this file's own */
    switch (*format) {
    case 'p':
        snprintf(out, 32, "%.1f %%", v * 100);
        break;
    case 'i':
        snprintf(out, 32, "%.0f", v);
        break;
    default:
        snprintf(out, 32, "%.4g", v);
    }
    return out;
}

static void
reliability_summary(const struct cmd_args *a, const struct doc_node *n)
{
    char text[5][32];
    const struct doc_node *why = doc_get(n, "by_reason");
    printf(a->zh ? "有效训练时间 %s  MTBF %s 秒  MTTR %s 秒  中断 %s 次  损失 GPU 小时 %s\n"
                 : "effective training time %s  MTBF %s s  MTTR %s s  interruptions %s  GPU hours "
                   "lost %s\n",
           reliability_number(n, "effective_ratio", "p", text[0]),
           reliability_number(n, "mtbf_seconds", "i", text[1]),
           reliability_number(n, "mttr_seconds", "i", text[2]),
           reliability_number(n, "interruptions", "i", text[3]),
           reliability_number(n, "lost_gpu_hours", "", text[4]));
    for (const struct doc_node *r = why ? why->first : NULL; r; r = r->next)
        printf("  %-40s %6s  %s\n", cmd_text(a, doc_get(r, "title")),
               reliability_number(r, "count", "i", text[0]),
               reliability_number(r, "lost_gpu_hours", "", text[1]));
}

static void
reliability_parts(const struct cmd_args *a, const struct doc_node *list)
{
    static const char *const en[] = {"KIND",      "GROUP",        "DEVICES",
                                     "FAILURES",  "MTBF (HOURS)", "95 % LOW",
                                     "95 % HIGH", "MTTR (S)",     NULL};
    static const char *const zh[] = {"类别",     "分组",     "设备数",   "故障数", "MTBF(小时)",
                                     "95% 下限", "95% 上限", "MTTR(秒)", NULL};
    struct table *t = table_new(a->zh ? zh : en);
    char text[6][32];
    for (const struct doc_node *g = list ? list->first : NULL; g; g = g->next)
        table_row(t, doc_get_str(g, "kind", ""), doc_get_str(g, "key", ""),
                  reliability_number(g, "devices", "i", text[0]),
                  reliability_number(g, "failures", "i", text[1]),
                  reliability_number(g, "mtbf_hours", "", text[2]),
                  reliability_number(g, "mtbf_low_hours", "", text[3]),
                  reliability_number(g, "mtbf_high_hours", "", text[4]),
                  reliability_number(g, "mttr_seconds", "i", text[5]));
    table_print(t);
}

static void
reliability_nodes(const struct cmd_args *a, const struct doc_node *list)
{
    static const char *const en[] = {"NODE", "FAILURES", "RISK IN 7 DAYS", "LAST", NULL};
    static const char *const zh[] = {"节点", "故障数", "7 天内故障概率", "最近一次", NULL};
    struct table *t = table_new(a->zh ? zh : en);
    char text[2][32];
    for (const struct doc_node *g = list ? list->first : NULL; g; g = g->next)
        table_row(t, doc_get_str(g, "entity", ""), reliability_number(g, "failures", "i", text[0]),
                  reliability_number(g, "risk_7d", "p", text[1]), doc_get_str(g, "last", "-"));
    table_print(t);
}

static void
reliability_watch(const struct cmd_args *a, const struct doc_node *list)
{
    static const char *const en[] = {"PART", "WHAT", "NOW", "A WEEK AGO", "LIMIT", "DAYS", NULL};
    static const char *const zh[] = {"部件", "现象", "当前", "一周前", "门限", "剩余天数", NULL};
    struct table *t = table_new(a->zh ? zh : en);
    char text[4][32];
    for (const struct doc_node *g = list ? list->first : NULL; g; g = g->next)
        table_row(t, doc_get_str(g, "entity", ""), cmd_text(a, doc_get(g, "what")),
                  reliability_number(g, "value", "", text[0]),
                  reliability_number(g, "before", "", text[1]),
                  reliability_number(g, "limit", "", text[2]),
                  reliability_number(g, "days_left", "i", text[3]));
    table_print(t);
}

int
cmd_reliability(struct cmd_args *a)
{
    char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];
    const char *from = reliability_time(a->since, since), *to = reliability_time(a->until, until);
    const char *what = a->count ? a->words[0] : "";
    bool parts = !strcmp(what, "parts"), nodes = !strcmp(what, "nodes"),
         watch = !strcmp(what, "watch");
    int rc;
    if ((*what && !parts && !nodes && !watch) || a->count > (parts ? 2 : 1))
        return cmd_usage(a, "reliability [parts [vendor|model|batch] | nodes | watch]");
    char *path =
        parts   ? client_path("/api/v1/reliability/parts", "by", a->count > 1 ? a->words[1] : NULL,
                              "start", from, "end", to, NULL)
        : nodes ? client_path("/api/v1/reliability/nodes", "limit", a->limit, NULL)
        : watch ? client_path("/api/v1/reliability/watch", "limit", a->limit, NULL)
                : client_path("/api/v1/reliability", "start", from, "end", to, NULL);
    struct doc *d = reliability_get(a, path, &rc);
    if (!d)
        return rc;
    const struct doc_node *n = doc_root(d);
    if (parts)
        reliability_parts(a, doc_get(n, "groups"));
    else if (nodes)
        reliability_nodes(a, doc_get(n, "items"));
    else if (watch)
        reliability_watch(a, doc_get(n, "items"));
    else
        reliability_summary(a, n);
    doc_free(d);
    return CMD_DONE;
}
