/* slurm_parse: keys are looked up in the line, values end where the next key begins. */
#include "collector/slurm_parse.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *word;
    enum job_state state;
} slurm_parse_states[] = {
    {"PENDING", JOB_PENDING},      {"CONFIGURING", JOB_PENDING}, {"REQUEUED", JOB_PENDING},
    {"REQUEUE_HOLD", JOB_PENDING}, {"SPECIAL_EXIT", JOB_FAILED}, {"RUNNING", JOB_RUNNING},
    {"COMPLETING", JOB_RUNNING},   {"SUSPENDED", JOB_RUNNING},   {"STOPPED", JOB_RUNNING},
    {"RESIZING", JOB_RUNNING},     {"SIGNALING", JOB_RUNNING},   {"STAGE_OUT", JOB_RUNNING},
    {"COMPLETED", JOB_COMPLETED},  {"FAILED", JOB_FAILED},       {"OUT_OF_MEMORY", JOB_FAILED},
    {"DEADLINE", JOB_TIMEOUT},     {"TIMEOUT", JOB_TIMEOUT},     {"NODE_FAIL", JOB_NODE_FAIL},
    {"BOOT_FAIL", JOB_NODE_FAIL},  {"CANCELLED", JOB_CANCELLED}, {"PREEMPTED", JOB_CANCELLED},
    {"REVOKED", JOB_CANCELLED},
};

/* "CANCELLED by 1001" is CANCELLED. */
static int
slurm_parse_state(const char *text, enum job_state *ret)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    for (size_t i = 0; i < sizeof slurm_parse_states / sizeof *slurm_parse_states; i++)
        if (strlen(slurm_parse_states[i].word) == n &&
            !strncmp(slurm_parse_states[i].word, text, n)) {
            *ret = slurm_parse_states[i].state;
            return 0;
        }
    return ERR_SYNTAX;
}

/* Where " KEY=" stands, NULL. */
static char *
slurm_parse_find(char *line, const char *key)
{
    size_t n = strlen(key);
    for (char *p = line; (p = strstr(p, key)); p += n)
        if ((p == line || p[-1] == ' ') && p[n] == '=')
            return p + n + 1;
    return NULL;
}

/* Does a key begin here: capital letter, then letters and a few signs up to '='. */
static bool
slurm_parse_key(const char *p)
{
    if (!isupper((unsigned char)*p))
        return false;
    while (isalnum((unsigned char)*p) || strchr("_:/", *p)) {
        if (!*p)
            return false;
        p++;
    }
    return *p == '=';
}

struct slurm_parse_value {
    char *at;
    size_t len;
};

/* A name may hold spaces: it ends at the key that follows it, `next`, or at any key. */
static struct slurm_parse_value
slurm_parse_value(char *line, const char *key, const char *next)
{
    char *at = slurm_parse_find(line, key), *end;
    if (!at)
        return (struct slurm_parse_value){NULL, 0};
    for (end = at; *end; end++)
        if (*end == ' ' && (next ? str_prefix(end + 1, next) : slurm_parse_key(end + 1)))
            break;
    return (struct slurm_parse_value){at, (size_t)(end - at)};
}

static const char *
slurm_parse_text(struct slurm_parse_value v)
{
    if (!v.at || (v.len == 6 && !strncmp(v.at, "(null)", 6)) ||
        (v.len == 3 && !strncmp(v.at, "N/A", 3)))
        return "";
    v.at[v.len] = 0;
    return v.at;
}

static int64_t
slurm_parse_time(const char *text)
{
    char iso[32];
    int64_t ms;
    if (!isdigit((unsigned char)*text) || strlen(text) != 19)
        return 0;
    snprintf(iso, sizeof iso, "%sZ", text);
    return time_parse(iso, &ms) ? 0 : ms;
}

/* "exit:signal" */
static void
slurm_parse_exit(const char *text, struct slurm_job *j)
{
    char *end;
    long code = strtol(text, &end, 10), signal = *end == ':' ? strtol(end + 1, NULL, 10) : 0;
    if (end == text || j->state == JOB_PENDING || j->state == JOB_RUNNING)
        return;
    j->has_exit_code = true;
    j->exit_code = signal > 0 && signal < 65 ? 128 + (int)signal : (int)(code & 0xff);
}

/* gres:gpu:8, gres/gpu:h100:8, gres/gpu=1024, with more behind commas. */
static unsigned
slurm_parse_gpus(const char *text)
{
    const char *p = strstr(text, "gpu");
    if (!p)
        return 0;
    size_t n = strcspn(p, ",(");
    while (n && isdigit((unsigned char)p[n - 1]))
        n--;
    unsigned long v = n && (p[n - 1] == ':' || p[n - 1] == '=') ? strtoul(p + n, NULL, 10) : 0;
    return v > 1000000 ? 0 : (unsigned)v;
}

int
slurm_parse_job(char *line, struct slurm_job *ret)
{
    struct slurm_parse_value id = slurm_parse_value(line, "JobId", NULL);
    struct slurm_parse_value name = slurm_parse_value(line, "JobName", "UserId=");
    /* keys are sought behind the name, which its owner chose */
    char *rest = name.at ? name.at + name.len : line;
    struct slurm_parse_value state = slurm_parse_value(rest, "JobState", NULL);
    struct slurm_parse_value values[] = {
        slurm_parse_value(rest, "UserId", NULL),    slurm_parse_value(rest, "Account", NULL),
        slurm_parse_value(rest, "Partition", NULL), slurm_parse_value(rest, "QOS", NULL),
        slurm_parse_value(rest, "Reason", NULL),    slurm_parse_value(rest, "NodeList", NULL),
        slurm_parse_value(rest, "ExitCode", NULL),  slurm_parse_value(rest, "StartTime", NULL),
        slurm_parse_value(rest, "EndTime", NULL),   slurm_parse_value(rest, "TresPerNode", NULL),
        slurm_parse_value(rest, "TRES", NULL),      slurm_parse_value(rest, "NumNodes", NULL),
        slurm_parse_value(rest, "Restarts", NULL)};
    struct slurm_parse_value array = slurm_parse_value(line, "ArrayJobId", NULL);
    struct slurm_parse_value task = slurm_parse_value(line, "ArrayTaskId", NULL);
    struct slurm_job j = {.array = ""};
    if (!id.len || !state.len || id.len > 31 || !isdigit((unsigned char)*id.at))
        return ERR_SYNTAX;
    const char *text[sizeof values / sizeof *values];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        text[i] = slurm_parse_text(values[i]);
    j.id = slurm_parse_text(id);
    j.name = slurm_parse_text(name);
    if (slurm_parse_state(slurm_parse_text(state), &j.state))
        return ERR_SYNTAX;
    if (array.len && task.len && task.at[0] != '(') {
        task.at[task.len] = 0;
        j.array = task.at;
    }
    j.user = text[0];
    char *paren = values[0].len ? strchr(values[0].at, '(') : NULL;
    if (paren)
        *paren = 0;
    j.account = text[1];
    j.partition = text[2];
    j.qos = text[3];
    j.reason = strcmp(text[4], "None") ? text[4] : "";
    j.nodes = text[5];
    slurm_parse_exit(text[6], &j);
    j.start_ms = j.state == JOB_PENDING ? 0 : slurm_parse_time(text[7]);
    j.end_ms = j.state == JOB_PENDING || j.state == JOB_RUNNING ? 0 : slurm_parse_time(text[8]);
    unsigned nodes = (unsigned)strtoul(text[11], NULL, 10), all = slurm_parse_gpus(text[10]);
    j.gpus_per_node = slurm_parse_gpus(text[9]);
    if (!j.gpus_per_node && nodes)
        j.gpus_per_node = all / nodes;
    j.restarts = strcmp(text[12], "0") ? text[12] : "";
    *ret = j;
    return 0;
}

int
slurm_parse_ended(char *line, struct slurm_job *ret)
{
    char *fields[5];
    size_t n = 0;
    for (char *p = line; p && n < 5; n++) {
        fields[n] = p;
        if ((p = strchr(p, '|')))
            *p++ = 0;
    }
    struct slurm_job j = {.name = "",
                          .user = "",
                          .account = "",
                          .partition = "",
                          .qos = "",
                          .reason = "",
                          .restarts = "",
                          .array = "",
                          .nodes = ""};
    if (n < 5 || !isdigit((unsigned char)*fields[0]) || strlen(fields[0]) > 31 ||
        slurm_parse_state(fields[1], &j.state))
        return ERR_SYNTAX;
    j.id = fields[0];
    slurm_parse_exit(fields[2], &j);
    j.start_ms = slurm_parse_time(fields[3]);
    j.end_ms = j.state == JOB_PENDING || j.state == JOB_RUNNING ? 0 : slurm_parse_time(fields[4]);
    *ret = j;
    return 0;
}

int
slurm_parse_node(char *line, struct slurm_node *ret)
{
    char *state = strchr(line, '|'), *reason = state ? strchr(state + 1, '|') : NULL;
    if (!reason || state == line)
        return ERR_SYNTAX;
    *state++ = 0;
    *reason++ = 0;
    bool away = strchr(state, '*') || str_prefix(state, "down") || str_prefix(state, "fail");
    bool drained = str_prefix(state, "drain");
    *ret = (struct slurm_node){.name = line,
                               .state_word = state,
                               .reason = strcmp(reason, "none") ? reason : "",
                               .state = away      ? SLURM_NODE_AWAY
                                        : drained ? SLURM_NODE_DRAINED
                                                  : SLURM_NODE_WELL};
    return 0;
}

static void
slurm_parse_label(struct jsonw *w, const char *key, const char *value)
{
    if (*value)
        jsonw_kstr(w, key, value);
}

void
slurm_parse_document(const struct slurm_job *j, const char *tenant, const char *cluster,
                     struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    slurm_parse_label(&w, "id", j->id);
    slurm_parse_label(&w, "name", j->name);
    slurm_parse_label(&w, "user", j->user);
    slurm_parse_label(&w, "tenant", tenant);
    jsonw_kstr(&w, "state", job_state_word(j->state));
    slurm_parse_label(&w, "nodes", j->nodes);
    if (j->gpus_per_node)
        jsonw_kint(&w, "gpus_per_node", j->gpus_per_node);
    if (j->start_ms || j->state == JOB_PENDING) /* null where it waits again */
        jsonw_ktime(&w, "start", j->start_ms);
    jsonw_ktime(&w, "end", j->end_ms);
    jsonw_key(&w, "exit_code");
    if (j->has_exit_code)
        jsonw_int(&w, j->exit_code);
    else
        jsonw_null(&w);
    jsonw_key(&w, "labels");
    jsonw_object(&w);
    jsonw_kstr(&w, "scheduler", "slurm");
    slurm_parse_label(&w, "cluster", cluster);
    slurm_parse_label(&w, "partition", j->partition);
    slurm_parse_label(&w, "account", j->account);
    slurm_parse_label(&w, "qos", j->qos);
    slurm_parse_label(&w, "reason", j->reason);
    slurm_parse_label(&w, "array_task", j->array);
    slurm_parse_label(&w, "restarts", j->restarts);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
}
