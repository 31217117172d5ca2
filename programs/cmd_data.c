/* cmd_data: logs, PromQL, the overview. */
#include "base/clock.h"
#include "base/str.h"
#include "programs/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "1h" is an age, everything else a time; NULL stays NULL. */
static const char *
data_time(const char *text, char out[TIME_TEXT_SIZE])
{
    int64_t ms;
    if (!text)
        return NULL;
    if (text[strspn(text, "0123456789")] && !duration_parse(text, &ms))
        return time_format(clock_now_ms(NULL) - ms, out);
    return text;
}

struct data_tail {
    char time[TIME_TEXT_SIZE], id[64];
}; /* the newest line shown */

static void
data_print_logs(const struct doc *d, bool reversed, struct data_tail *last)
{
    const struct doc_node *items = doc_get(doc_root(d), "items");
    char skip[sizeof last->id];
    str_copy(skip, sizeof skip, last->id);
    for (size_t i = 0; items && i < items->count; i++) {
        const struct doc_node *n = doc_at(items, reversed ? items->count - 1 - i : i);
        const char *id = doc_get_str(n, "id", "");
        if (*skip && !strcmp(skip, id))
            continue;
        printf("%s %s %s: %s\n", doc_get_str(n, "time", ""), doc_get_str(n, "entity", "-"),
               doc_get_str(n, "source", ""), doc_get_str(n, "text", ""));
        str_copy(last->time, sizeof last->time, doc_get_str(n, "time", ""));
        str_copy(last->id, sizeof last->id, id);
    }
    fflush(stdout);
}

int
cmd_logs(struct cmd_args *a)
{
    char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];
    struct data_tail last = {"", ""};
    const char *start = data_time(a->since, since);
    if (a->count > 1)
        return cmd_usage(a, "give the query as one word: myriascope logs 'words \"a phrase\"'");
    for (;;) {
        struct doc *d = NULL;
        struct buf raw;
        struct err err;
        char *path =
            client_path("/api/v1/logs", "query", a->count ? a->words[0] : NULL, "start",
                        *last.time ? last.time : start, "end", data_time(a->until, until), "job",
                        a->job, "node", a->nodes, "limit", a->limit ? a->limit : "100", "order",
                        *last.time ? "asc" : "desc", NULL);
        int rc = client_call(a, "GET", path, NULL, 0, &d, &raw, &err);
        free(path);
        if (rc)
            return cmd_fail(a, &err);
        if (cmd_json(a))
            printf("%s\n", buf_str(&raw));
        else
            data_print_logs(d, !*last.time, &last);
        buf_done(&raw);
        doc_free(d);
        if (!a->follow || cmd_json(a))
            return CMD_DONE;
        if (!*last.time)
            time_format(clock_now_ms(NULL), last.time);
        sleep(2);
    }
}

/* {name="value", ...} as PromQL writes it */
static void
data_metric(const struct doc_node *m)
{
    const char *name = doc_get_str(m, "__name__", "");
    bool first = true;
    printf("%s{", name);
    for (const struct doc_node *n = m ? m->first : NULL; n; n = n->next) {
        if (!strcmp(n->key, "__name__"))
            continue;
        printf("%s%s=\"%s\"", first ? "" : ",", n->key, doc_str(n, ""));
        first = false;
    }
    fputs("}", stdout);
}

static void
data_print(const struct doc_node *data)
{
    const struct doc_node *result = doc_get(data, "result");
    const char *type = doc_get_str(data, "resultType", "");
    if (!strcmp(type, "scalar") || !strcmp(type, "string")) {
        printf("%s\n", doc_str(doc_at(result, 1), ""));
        return;
    }
    for (const struct doc_node *n = result ? result->first : NULL; n; n = n->next) {
        const struct doc_node *value = doc_get(n, "value"), *values = doc_get(n, "values");
        char when[TIME_TEXT_SIZE];
        data_metric(doc_get(n, "metric"));
        printf(value ? " %s\n" : "\n", doc_str(doc_at(value, 1), ""));
        for (const struct doc_node *v = values ? values->first : NULL; v; v = v->next)
            printf("  %s %s\n", time_format((int64_t)(doc_real(doc_at(v, 0), 0) * 1000), when),
                   doc_str(doc_at(v, 1), ""));
    }
}

int
cmd_query(struct cmd_args *a)
{
    char at[TIME_TEXT_SIZE], since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE], now[TIME_TEXT_SIZE];
    struct doc *d = NULL;
    struct buf raw;
    struct err err;
    if (a->count != 1)
        return cmd_usage(a, "give one expression, quoted: myriascope query 'up == 0'");
    char *path = a->since ? client_path("/prometheus/api/v1/query_range", "query", a->words[0],
                                        "start", data_time(a->since, since), "end",
                                        a->until ? data_time(a->until, until)
                                                 : time_format(clock_now_ms(NULL), now),
                                        "step", a->step ? a->step : "15s", NULL)
                          : client_path("/prometheus/api/v1/query", "query", a->words[0], "time",
                                        data_time(a->at, at), NULL);
    int rc = client_call(a, "GET", path, NULL, 0, &d, &raw, &err);
    free(path);
    if (rc)
        return cmd_fail(a, &err);
    if (cmd_json(a))
        printf("%s\n", buf_str(&raw));
    else
        data_print(doc_get(doc_root(d), "data"));
    buf_done(&raw);
    doc_free(d);
    return CMD_DONE;
}

/* --- top -------------------------------------------------------------------------------------- */

static void
top_print(const struct cmd_args *a, const struct doc_node *n)
{
    static const char *const words[] = {"ok", "minor", "major", "critical", "unknown"};
    const struct doc_node *counts = doc_get(n, "counts"), *health = doc_get(n, "health"),
                          *inc = doc_get(n, "incidents"), *jobs = doc_get(n, "jobs");
    printf("%s  %s %lld, %s %lld  %s %lld, %s %lld\n", doc_get_str(n, "now", ""),
           a->zh ? "未恢复故障" : "open incidents", (long long)doc_get_int(inc, "open", 0),
           a->zh ? "紧急" : "critical", (long long)doc_get_int(inc, "critical", 0),
           a->zh ? "运行作业" : "running jobs", (long long)doc_get_int(jobs, "running", 0),
           a->zh ? "受影响" : "suffering", (long long)doc_get_int(jobs, "suffering", 0));
    for (const struct doc_node *k = counts ? counts->first : NULL; k; k = k->next) {
        const struct doc_node *h = doc_get(health, k->key);
        printf("%-10s %8lld", k->key, (long long)doc_int(k, 0));
        for (size_t i = 0; h && h->count && i < 5; i++)
            printf("  %s %lld", words[i], (long long)doc_get_int(h, words[i], 0));
        putchar('\n');
    }
}

int
cmd_top(struct cmd_args *a)
{
    bool live = cmd_colour() && !cmd_json(a);
    for (;;) {
        struct doc *d = NULL;
        struct buf raw;
        struct err err;
        if (client_call(a, "GET", "/api/v1/overview", NULL, 0, &d, &raw, &err))
            return cmd_fail(a, &err);
        if (live)
            fputs("\033[H\033[2J", stdout);
        if (cmd_json(a))
            printf("%s\n", buf_str(&raw));
        else
            top_print(a, doc_root(d));
        fflush(stdout);
        buf_done(&raw);
        doc_free(d);
        if (!live)
            return CMD_DONE;
        sleep(2);
    }
}
