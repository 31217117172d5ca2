/* cmd_objects: jobs, incidents, devices, clusters, agents: lists as tables, one as JSON or a few
 * lines. */
#include "base/str.h"
#include "programs/cmd.h"

#include "base/jsonw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GETs a list or object; prints raw JSON when asked for, and then returns NULL with *rc 0. */
static struct doc *
objects_get(const struct cmd_args *a, char *path, int *rc)
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

static int
objects_send(const struct cmd_args *a, const char *method, char *path, const char *body, size_t len,
             const char *said)
{
    struct err err;
    struct buf raw;
    int rc = path ? client_call(a, method, path, body, len, NULL, &raw, &err)
                  : err_set(&err, ERR_NOMEM, "no memory");
    free(path);
    if (rc)
        return cmd_fail(a, &err);
    if (cmd_json(a) && raw.len)
        printf("%s\n", buf_str(&raw));
    else
        puts(said);
    buf_done(&raw);
    return CMD_DONE;
}

static char *
objects_path(const char *base, const char *id, const char *tail)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", base, id, tail);
    return client_path(path, NULL);
}

static int
objects_send_file(const struct cmd_args *a, const char *method, char *path, const char *file,
                  const char *said)
{
    struct buf text;
    struct err err;
    int rc = file_read(!strcmp(file, "-") ? "/dev/stdin" : file, (size_t)64 << 20, &text, &err);
    if (rc) {
        free(path);
        return cmd_fail(a, &err);
    }
    rc = objects_send(a, method, path, buf_str(&text), text.len, said);
    buf_done(&text);
    return rc;
}

static const struct doc_node *
objects_items(const struct doc *d)
{
    const struct doc_node *items = doc_get(doc_root(d), "items");
    return items ? items->first : NULL;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static int
job_list(const struct cmd_args *a)
{
    static const char *const en[] = {"JOB",    "NAME",  "USER",  "STATE",
                                     "HEALTH", "NODES", "START", NULL};
    static const char *const zh[] = {"作业", "名称", "用户",     "状态",
                                     "健康", "节点", "开始时间", NULL};
    int rc;
    struct doc *d = objects_get(
        a, client_path("/api/v1/jobs", "state", a->state, "limit", a->limit, NULL), &rc);
    if (!d)
        return rc;
    struct table *t = table_new(a->zh ? zh : en);
    for (const struct doc_node *n = objects_items(d); n; n = n->next)
        table_row(t, doc_get_str(n, "id", ""), doc_get_str(n, "name", ""),
                  doc_get_str(n, "user", ""), doc_get_str(n, "state", ""),
                  doc_get_str(n, "health", "-"), doc_get_str(n, "nodes", ""),
                  doc_get_str(n, "start", "-"));
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

/* Each fault that hit the job as a line of links, from the first evidence to the first step again.
 */
static void
job_chain(const struct cmd_args *a, const struct doc_node *c)
{
    static const struct {
        const char *word, *en, *zh;
    } states[] = {{"running", "under way", "进行中"},
                  {"done", "done", "已恢复"},
                  {"refused", "refused by the breaker", "被熔断器拒绝"},
                  {"dry_run", "dry run, nothing was done", "演练,未执行"}};
    const struct doc_node *steps = doc_get(c, "steps");
    const char *state = doc_get_str(c, "state", "");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (!strcmp(states[i].word, state))
            state = a->zh ? states[i].zh : states[i].en;
    printf("\n%s %s  %s  [%s]  %s\n", a->zh ? "恢复" : "recovery", doc_get_str(c, "incident", ""),
           cmd_text(a, doc_get(c, "title")), doc_get_str(c, "entity", "-"), state);
    for (const struct doc_node *s = steps ? steps->first : NULL; s; s = s->next) {
        const char *time = doc_get_str(s, "time", NULL);
        if (time)
            printf("  %+8.1f s  %s  %s  %.120s\n", doc_get_real(s, "seconds", 0), time,
                   cmd_text(a, doc_get(s, "title")), doc_get_str(s, "text", ""));
        else
            printf("         -  %-24s  %s  %.120s\n", "-", cmd_text(a, doc_get(s, "title")),
                   doc_get_str(s, "text", ""));
    }
}

/* What the job gets out of its accelerators; nothing is said where nothing is known. */
static void
job_efficiency(const struct cmd_args *a, const char *id)
{
    struct doc *d = NULL;
    struct err err;
    char *path = objects_path("/api/v1/jobs", id, "/efficiency");
    if (path && !client_call(a, "GET", path, NULL, 0, &d, NULL, &err)) {
        const struct doc_node *n = doc_root(d);
        const char *method = doc_get_str(n, "method", NULL);
        double flops = doc_get_real(n, "flops_per_watt", 0),
               risk = doc_get_real(n, "steps_at_risk", 0);
        if (method)
            printf("  %-24s %.3g (%s)\n", "mfu", doc_get_real(n, "mfu", 0), method);
        if (flops > 0)
            printf("  %-24s %.4g FLOP/s/W\n", a->zh ? "能效" : "efficiency", flops);
        if (risk > 0)
            printf("  %-24s %.0f\n", a->zh ? "自上个检查点的步数" : "steps since checkpoint", risk);
    }
    doc_free(d);
    free(path);
}

static int
job_recovery(const struct cmd_args *a, const char *id)
{
    int rc;
    struct doc *d = objects_get(a, objects_path("/api/v1/jobs", id, "/recovery"), &rc);
    if (!d)
        return rc;
    for (const struct doc_node *c = objects_items(d); c; c = c->next)
        job_chain(a, c);
    if (!objects_items(d))
        puts(a->zh ? "没有影响该作业的基础设施故障"
                   : "no fault of the infrastructure hit this job");
    doc_free(d);
    return CMD_DONE;
}

static int
job_show(const struct cmd_args *a, const char *id)
{
    int rc;
    struct doc *d = objects_get(a, objects_path("/api/v1/jobs", id, ""), &rc);
    if (!d)
        return rc;
    const struct doc_node *n = doc_root(d), *kpi = doc_get(n, "kpi"),
                          *inc = doc_get(n, "incidents");
    printf("%s  %s  %s  %s %s  %s %.0f\n%s\n", doc_get_str(n, "id", ""), doc_get_str(n, "name", ""),
           doc_get_str(n, "state", ""), a->zh ? "健康" : "health", doc_get_str(n, "health", "-"),
           a->zh ? "得分" : "score", doc_get_real(n, "score", 0), doc_get_str(n, "nodes", ""));
    for (const struct doc_node *k = kpi ? kpi->first : NULL; k; k = k->next)
        printf("  %-24s %.6g %s\n", k->key, doc_get_real(k, "value", 0),
               doc_get_str(k, "unit", ""));
    for (const struct doc_node *i = inc ? inc->first : NULL; i; i = i->next)
        printf("  %s %s\n", a->zh ? "故障" : "incident", doc_str(i, doc_get_str(i, "id", "")));
    bool hurt = inc && inc->count;
    job_efficiency(a, id);
    doc_free(d);
    return hurt ? job_recovery(a, id) : CMD_DONE;
}

static int
job_path(const struct cmd_args *a, const char *id)
{
    int rc;
    struct doc *d = objects_get(a, objects_path("/api/v1/jobs", id, "/path"), &rc);
    if (!d)
        return rc;
    const struct doc_node *n = doc_root(d), *layers = doc_get(n, "layers");
    printf("%s %s, %s %.0f\n", a->zh ? "健康" : "health", doc_get_str(n, "health", ""),
           a->zh ? "得分" : "score", doc_get_real(n, "score", 0));
    for (const struct doc_node *l = layers ? layers->first : NULL; l; l = l->next) {
        const struct doc_node *items = doc_get(l, "items");
        printf("%-8s %zu\n", doc_get_str(l, "name", ""), items ? items->count : 0);
        for (const struct doc_node *i = items ? items->first : NULL; i; i = i->next)
            if (strcmp(doc_get_str(i, "health", "ok"), "ok") &&
                strcmp(doc_get_str(i, "health", ""), "unknown"))
                printf("         %-10s %s\n", doc_get_str(i, "health", ""),
                       doc_get_str(i, "entity", ""));
    }
    doc_free(d);
    return CMD_DONE;
}

int
cmd_job(struct cmd_args *a)
{
    if (!a->count)
        return job_list(a);
    if (a->count == 3 && !strcmp(a->words[0], "set"))
        return objects_send_file(a, "PUT", objects_path("/api/v1/jobs", a->words[1], ""),
                                 a->words[2], a->zh ? "已保存" : "saved");
    if (a->count == 2 && !strcmp(a->words[0], "path"))
        return job_path(a, a->words[1]);
    if (a->count == 2 && !strcmp(a->words[0], "recovery"))
        return job_recovery(a, a->words[1]);
    return a->count == 1 ? job_show(a, a->words[0])
                         : cmd_usage(a, "job [ID | set ID FILE | path ID | recovery ID]");
}

/* --- incidents -------------------------------------------------------------------------------- */

static int
incident_list(const struct cmd_args *a)
{
    static const char *const en[] = {"INCIDENT", "STATE", "SEVERITY", "ENTITY",
                                     "OPENED",   "TITLE", NULL};
    static const char *const zh[] = {"故障", "状态", "级别", "对象", "发生时间", "标题", NULL};
    int rc;
    struct doc *d = objects_get(a,
                                client_path("/api/v1/incidents", "state", a->state, "severity",
                                            a->severity, "limit", a->limit, NULL),
                                &rc);
    if (!d)
        return rc;
    struct table *t = table_new(a->zh ? zh : en);
    size_t n = 0;
    for (const struct doc_node *i = objects_items(d); i; i = i->next, n++)
        table_row(t, doc_get_str(i, "id", ""), doc_get_str(i, "state", ""),
                  doc_get_str(i, "severity", ""), doc_get_str(i, "entity", ""),
                  doc_get_str(i, "opened", ""), cmd_text(a, doc_get(i, "title")));
    table_print(t);
    if (!n)
        puts(a->zh ? "没有故障" : "no incidents");
    doc_free(d);
    return CMD_DONE;
}

static int
incident_show(const struct cmd_args *a, const char *id)
{
    int rc;
    struct doc *d = objects_get(a, objects_path("/api/v1/incidents", id, ""), &rc);
    if (!d)
        return rc;
    const struct doc_node *n = doc_root(d), *h = doc_at(doc_get(n, "hypotheses"), 0),
                          *list = doc_get(h, "evidence");
    printf("%s  %s  %s\n%s\n%s: %s (%.0f %%)  [%s, %s]\n", id, doc_get_str(n, "state", ""),
           doc_get_str(n, "severity", ""), cmd_text(a, doc_get(n, "title")),
           a->zh ? "结论" : "verdict", doc_get_str(n, "verdict", ""),
           doc_get_real(n, "confidence", 0) * 100, doc_get_str(h, "cause", ""),
           doc_get_str(h, "class", ""));
    for (const struct doc_node *e = list ? list->first : NULL; e; e = e->next)
        printf("  %s  %s  [%s]  %.200s\n", doc_get_str(e, "time", "-"),
               doc_get_str(e, "entity", ""), doc_get_str(e, "signal", ""),
               doc_get_str(e, "text", ""));
    list = doc_get(h, "actions");
    for (const struct doc_node *e = list ? list->first : NULL; e; e = e->next)
        printf("  > %s\n", cmd_text(a, e));
    doc_free(d);
    return CMD_DONE;
}

static int
incident_act(const struct cmd_args *a, const char *verb, const char *id, const char *text)
{
    struct buf body;
    struct jsonw w;
    char tail[32];
    snprintf(tail, sizeof tail, "/%s", verb);
    buf_init(&body, 65536);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    jsonw_kstr(&w, "text", text ? text : "");
    jsonw_end_object(&w);
    int rc = objects_send(a, "POST", objects_path("/api/v1/incidents", id, tail), buf_str(&body),
                          body.len, a->zh ? "已完成" : "done");
    buf_done(&body);
    return rc;
}

int
cmd_incidents(struct cmd_args *a)
{
    static const struct {
        const char *word, *verb;
        int words;
    } verbs[] = {{"ack", "acknowledge", 2}, {"resolve", "resolve", 2}, {"comment", "comment", 3}};
    if (!a->count)
        return incident_list(a);
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(a->words[0], verbs[i].word)) {
            if (a->count != verbs[i].words)
                return cmd_usage(a, "%s needs an incident's id%s", verbs[i].word,
                                 verbs[i].words == 3 ? " and a text" : "");
            return incident_act(a, verbs[i].verb, a->words[1],
                                verbs[i].words == 3 ? a->words[2] : a->comment);
        }
    return a->count == 1 ? incident_show(a, a->words[0])
                         : cmd_usage(a, "incidents [ID | ack ID | resolve ID | comment ID TEXT]");
}

/* --- devices ---------------------------------------------------------------------------------- */

static int
device_list(const struct cmd_args *a)
{
    static const char *const en[] = {"ENTITY", "STATE", "HEALTH",    "VENDOR",
                                     "MODEL",  "RACK",  "LAST SEEN", NULL};
    static const char *const zh[] = {"对象", "状态", "健康",     "厂商",
                                     "型号", "机架", "最近上报", NULL};
    int rc;
    struct doc *d =
        objects_get(a,
                    client_path("/api/v1/devices", "q", a->count ? a->words[0] : NULL, "kind",
                                a->kind, "state", a->state, "limit", a->limit, NULL),
                    &rc);
    if (!d)
        return rc;
    struct table *t = table_new(a->zh ? zh : en);
    for (const struct doc_node *n = objects_items(d); n; n = n->next)
        table_row(t, doc_get_str(n, "entity", ""), doc_get_str(n, "state", ""),
                  doc_get_str(n, "health", ""), doc_get_str(n, "vendor", ""),
                  doc_get_str(n, "model", ""), doc_get_str(n, "rack", ""),
                  doc_get_str(n, "last_seen", "-"));
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

static int
device_state(const struct cmd_args *a, const char *entity, const char *state)
{
    struct buf body;
    struct jsonw w;
    buf_init(&body, 65536);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    jsonw_kstr(&w, "state", state);
    if (a->comment)
        jsonw_kstr(&w, "note", a->comment);
    jsonw_end_object(&w);
    int rc = objects_send(a, "PUT", objects_path("/api/v1/devices", entity, ""), buf_str(&body),
                          body.len, a->zh ? "已完成" : "done");
    buf_done(&body);
    return rc;
}

int
cmd_devices(struct cmd_args *a)
{
    const char *verb = a->count > 1 ? a->words[0] : "";
    if (a->count < 2)
        return device_list(a);
    if (!strcmp(verb, "show") && a->count == 2) {
        struct cmd_args json = *a;
        int rc;
        json.format = "json";
        objects_get(&json, objects_path("/api/v1/devices", a->words[1], ""), &rc);
        return rc;
    }
    if (!strcmp(verb, "set") && a->count == 3)
        return objects_send_file(a, "PUT", objects_path("/api/v1/devices", a->words[1], ""),
                                 a->words[2], a->zh ? "已保存" : "saved");
    if (!strcmp(verb, "import") && a->count == 2)
        return objects_send_file(a, "POST", client_path("/api/v1/devices/import", NULL),
                                 a->words[1], a->zh ? "已导入" : "imported");
    if (!strcmp(verb, "maintenance") && a->count == 2)
        return device_state(a, a->words[1], "maintenance");
    if (!strcmp(verb, "retire") && a->count == 2)
        return objects_send(a, "DELETE", objects_path("/api/v1/devices", a->words[1], ""), NULL, 0,
                            a->zh ? "已退役" : "retired");
    return cmd_usage(a, "devices [QUERY | show ENTITY | set ENTITY FILE | import FILE | "
                        "maintenance ENTITY | retire ENTITY]");
}

/* --- clusters and agents ---------------------------------------------------------------------- */

static int
cluster_set(const struct cmd_args *a)
{
    struct buf body;
    struct jsonw w;
    char key[64];
    buf_init(&body, 65536);
    jsonw_init(&w, &body);
    jsonw_object(&w);
    for (int i = 1; i < a->count; i++) {
        const char *equals = strchr(a->words[i], '=');
        if (!equals) {
            buf_done(&body);
            return cmd_usage(a, "%s is not FIELD=VALUE", a->words[i]);
        }
        snprintf(key, sizeof key, "%.*s", (int)(equals - a->words[i]), a->words[i]);
        jsonw_kstr(&w, key, equals + 1);
    }
    jsonw_end_object(&w);
    int rc = objects_send(a, "PUT", objects_path("/api/v1/clusters", a->words[0], ""),
                          buf_str(&body), body.len, a->zh ? "已保存" : "saved");
    buf_done(&body);
    return rc;
}

int
cmd_cluster(struct cmd_args *a)
{
    static const char *const en[] = {"CLUSTER", "STATE", "HEALTH", "NODES", "GPUS", NULL};
    static const char *const zh[] = {"集群", "状态", "健康", "节点", "GPU", NULL};
    char nodes[24], gpus[24];
    int rc;
    if (a->count > 1)
        return cluster_set(a);
    struct doc *d = objects_get(a, client_path("/api/v1/clusters", NULL), &rc);
    if (!d)
        return rc;
    struct table *t = table_new(a->zh ? zh : en);
    for (const struct doc_node *n = objects_items(d); n; n = n->next) {
        snprintf(nodes, sizeof nodes, "%lld",
                 (long long)doc_get_int(doc_get(n, "counts"), "node", 0));
        snprintf(gpus, sizeof gpus, "%lld", (long long)doc_get_int(doc_get(n, "counts"), "gpu", 0));
        if (!a->count || !strcmp(a->words[0], doc_get_str(n, "name", "")))
            table_row(t, doc_get_str(n, "name", ""), doc_get_str(n, "state", ""),
                      doc_get_str(n, "health", ""), nodes, gpus);
    }
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

int
cmd_agents(struct cmd_args *a)
{
    static const char *const en[] = {"NODE", "STATE", "VERSION", "LAST SEEN", NULL};
    static const char *const zh[] = {"节点", "状态", "版本", "最近上报", NULL};
    int rc;
    struct doc *d = objects_get(
        a, client_path("/api/v1/agents", "state", a->state, "limit", a->limit, NULL), &rc);
    if (!d)
        return rc;
    struct table *t = table_new(a->zh ? zh : en);
    for (const struct doc_node *n = objects_items(d); n; n = n->next)
        table_row(t, doc_get_str(n, "node", ""), doc_get_str(n, "state", ""),
                  doc_get_str(n, "version", ""), doc_get_str(n, "last_seen", "-"));
    table_print(t);
    doc_free(d);
    return CMD_DONE;
}

/* --- topology --------------------------------------------------------------------------------- */

static int
topology_diff(const struct cmd_args *a)
{
    static const char *const en[] = {"PORT", "STATE", "PLANNED", "SEEN", NULL};
    static const char *const zh[] = {"端口", "状态", "规划", "实际", NULL};
    int rc;
    struct doc *d =
        objects_get(a, client_path("/api/v1/topology/diff", "state", a->state, NULL), &rc);
    if (!d)
        return rc;
    const struct doc_node *n = doc_get(doc_root(d), "counts");
    struct table *t = table_new(a->zh ? zh : en);
    for (const struct doc_node *i = objects_items(d); i; i = i->next)
        table_row(t, doc_get_str(i, "port", ""), doc_get_str(i, "state", ""),
                  doc_get_str(i, "planned", "-"), doc_get_str(i, "seen", "-"));
    table_print(t);
    printf(a->zh
               ? "%lld 台交换机, %lld 个端口与规划一致, 错接 %lld, 缺失 %lld, 规划外 %lld, "
                 "邻居未知 %lld\n"
               : "%lld switches, %lld ports as planned, %lld wrong, %lld missing, %lld unplanned, "
                 "%lld unknown\n",
           (long long)doc_get_int(n, "switches", 0), (long long)doc_get_int(n, "same", 0),
           (long long)doc_get_int(n, "wrong", 0), (long long)doc_get_int(n, "missing", 0),
           (long long)doc_get_int(n, "unplanned", 0), (long long)doc_get_int(n, "unknown", 0));
    doc_free(d);
    return CMD_DONE;
}

int
cmd_topology(struct cmd_args *a)
{
    struct buf raw;
    struct err err;
    if (a->count == 2 && !strcmp(a->words[0], "import"))
        return objects_send_file(a, "PUT", client_path("/api/v1/topology", NULL), a->words[1],
                                 a->zh ? "已导入" : "imported");
    if (a->count == 1 && !strcmp(a->words[0], "diff"))
        return topology_diff(a);
    if (a->count != 1 || strcmp(a->words[0], "export"))
        return cmd_usage(a, "topology import FILE, topology export, or topology diff");
    if (client_call(a, "GET", "/api/v1/topology", NULL, 0, NULL, &raw, &err))
        return cmd_fail(a, &err);
    int rc = CMD_DONE;
    if (a->output && file_write_atomic(a->output, buf_str(&raw), raw.len, 0644, &err))
        rc = cmd_fail(a, &err);
    else if (!a->output)
        fwrite(buf_str(&raw), 1, raw.len, stdout);
    buf_done(&raw);
    return rc;
}
