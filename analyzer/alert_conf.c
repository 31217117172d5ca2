/* alert_conf: the option tables of receivers and routes. */
#include "analyzer/alert_conf.h"

#include "analyzer/alert.h"

#include <stddef.h>
#include <string.h>

#define ROW(key_, type_, at, help_)                                                                \
    {                                                                                              \
        .key = key_, .type = type_, .offset = at, .help = help_                                    \
    }
#define DFLT(key_, type_, at, dflt_, min_, max_, help_)                                            \
    {                                                                                              \
        .key = key_, .type = type_, .offset = at, .dflt = dflt_, .min = min_, .max = max_,         \
        .help = help_                                                                              \
    }
#define MAP(key_, at, rows_, help_)                                                                \
    {                                                                                              \
        .key = key_, .type = CONF_MAP, .offset = at, .rows = rows_, .help = help_                  \
    }

static const struct conf_row alert_http_rows[] = {
    ROW("url", CONF_STR, offsetof(struct alert_http, url), "Address to post to."),
    ROW("secret", CONF_STR, offsetof(struct alert_http, secret),
        "Signing secret that the chat service gave."),
    ROW("bearer_file", CONF_PATH, offsetof(struct alert_http, bearer_file),
        "File with a bearer token to send."),
    ROW("ca", CONF_PATH, offsetof(struct alert_http, ca), "Certificates to trust, a PEM file."),
    ROW("headers", CONF_STRS, offsetof(struct alert_http, headers),
        "Further header lines, each \"Name: value\"."),
    DFLT("insecure", CONF_BOOL, offsetof(struct alert_http, insecure), "false", 0, 0,
         "Do not verify the server's certificate."),
    {0}};

static const struct conf_row alert_email_rows[] = {
    DFLT("smarthost", CONF_STR, offsetof(struct alert_email, smarthost), "smtp://127.0.0.1:25", 0,
         0, "Mail server, smtp://host:port or smtps://host:port."),
    ROW("from", CONF_STR, offsetof(struct alert_email, from), "Sender's address."),
    ROW("to", CONF_STRS, offsetof(struct alert_email, to), "Recipients' addresses."),
    ROW("user", CONF_STR, offsetof(struct alert_email, user), "User to sign in as."),
    ROW("password_file", CONF_PATH, offsetof(struct alert_email, password_file),
        "File with the password."),
    ROW("ca", CONF_PATH, offsetof(struct alert_email, ca), "Certificates to trust, a PEM file."),
    {0}};

static const struct conf_row alert_command_rows[] = {
    ROW("argv", CONF_STRS, offsetof(struct alert_command, argv),
        "Program and its arguments, fixed; the payload comes as JSON on standard input."),
    {0}};

#define HOOK_ROWS                                                                                  \
    DFLT("dry_run", CONF_BOOL, offsetof(struct alert_hook, dry_run), "true", 0, 0,                 \
         "Say what would be done and do nothing."),                                                \
        DFLT("limit", CONF_INT, offsetof(struct alert_hook, limit), "5", 0, 100000,                \
             "Actions within the window at which the circuit breaker opens."),                     \
        DFLT("window", CONF_DURATION, offsetof(struct alert_hook, window_ms), "1h", 1000, 8.64e8,  \
             "The circuit breaker's window."),                                                     \
        DFLT("share", CONF_REAL, offsetof(struct alert_hook, share), "0.02", 0, 1,                 \
             "Share of all nodes that may be isolated within a day, one at the least; then it "    \
             "opens too."),                                                                        \
        DFLT("confidence", CONF_REAL, offsetof(struct alert_hook, confidence), "0.8", 0, 1,        \
             "Least confidence of the diagnosis to act on.")

static const struct conf_row alert_slurm_rows[] = {
    {.key = "scontrol",
     .type = CONF_STR,
     .offset = offsetof(struct alert_hook, scontrol),
     .required = true,
     .help = "Slurm's scontrol program, an absolute path."},
    DFLT("requeue", CONF_BOOL, offsetof(struct alert_hook, requeue), "false", 0, 0,
         "Put the jobs that a critical fault of the node hurts back into the queue."),
    DFLT("hurry", CONF_BOOL, offsetof(struct alert_hook, hurry), "true", 0, 0,
         "Ask Slurm to start a job that was put back at once, not after its pause of two minutes."),
    HOOK_ROWS,
    {0}};

static const struct conf_row alert_kubernetes_rows[] = {
    {.key = "url",
     .type = CONF_STR,
     .offset = offsetof(struct alert_hook, url),
     .required = true,
     .help = "Address of the Kubernetes API."},
    ROW("token_file", CONF_PATH, offsetof(struct alert_hook, token_file),
        "File with the service account's token."),
    ROW("ca", CONF_PATH, offsetof(struct alert_hook, ca), "Certificates to trust, a PEM file."),
    DFLT("insecure", CONF_BOOL, offsetof(struct alert_hook, insecure), "false", 0, 0,
         "Do not verify the server's certificate."),
    HOOK_ROWS,
    {0}};

static const char *const alert_langs[] = {"en", "zh", "both", NULL};

static const struct conf_row alert_receiver_rows[] = {
    {.key = "name",
     .type = CONF_STR,
     .offset = offsetof(struct alert_receiver, name),
     .required = true,
     .help = "Name that routes use."},
    MAP("webhook", offsetof(struct alert_receiver, webhook), alert_http_rows,
        "Alertmanager's webhook payload, version 4, with the incident."),
    MAP("email", offsetof(struct alert_receiver, email), alert_email_rows, "Mail."),
    MAP("dingtalk", offsetof(struct alert_receiver, dingtalk), alert_http_rows,
        "A DingTalk group robot."),
    MAP("feishu", offsetof(struct alert_receiver, feishu), alert_http_rows,
        "A Feishu or Lark group robot."),
    MAP("wecom", offsetof(struct alert_receiver, wecom), alert_http_rows, "A WeCom group robot."),
    MAP("alertmanager", offsetof(struct alert_receiver, alertmanager), alert_http_rows,
        "An Alertmanager, API version 2; url is its base address."),
    MAP("command", offsetof(struct alert_receiver, command), alert_command_rows,
        "A program of the site."),
    MAP("slurm_drain", offsetof(struct alert_receiver, slurm), alert_slurm_rows,
        "Drains the broken node in Slurm."),
    MAP("kubernetes_cordon", offsetof(struct alert_receiver, kubernetes), alert_kubernetes_rows,
        "Cordons the broken node in Kubernetes."),
    DFLT("timeout", CONF_DURATION, offsetof(struct alert_receiver, timeout_ms), "10s", 100, 120000,
         "How long one delivery may take."),
    DFLT("send_resolved", CONF_BOOL, offsetof(struct alert_receiver, send_resolved), "true", 0, 0,
         "Tell the end of an incident too."),
    {.key = "lang",
     .type = CONF_CHOICE,
     .offset = offsetof(struct alert_receiver, lang),
     .dflt = "both",
     .choices = alert_langs,
     .help = "Language of the text: en, zh or both."},
    {0}};

static const struct conf_row alert_match_rows[] = {
    ROW("severity", CONF_STR, offsetof(struct alert_match, severity),
        "Severity, several separated by |."),
    ROW("class", CONF_STR, offsetof(struct alert_match, class_name),
        "Class of the cause, several separated by |."),
    ROW("cause", CONF_STR, offsetof(struct alert_match, cause),
        "Knowledge-base id, * and ? allowed."),
    ROW("entity", CONF_STR, offsetof(struct alert_match, entity), "Entity, * and ? allowed."),
    ROW("tenant", CONF_STR, offsetof(struct alert_match, tenant), "Tenant."),
    {0}};

static const struct conf_row alert_subroute_rows[] = {
    {.key = "receiver",
     .type = CONF_STR,
     .offset = offsetof(struct alert_subroute, receiver),
     .required = true,
     .help = "Who is told."},
    MAP("match", offsetof(struct alert_subroute, match), alert_match_rows,
        "Which incidents; an absent condition holds for all."),
    DFLT("continue", CONF_BOOL, offsetof(struct alert_subroute, go_on), "false", 0, 0,
         "Try the following routes too."),
    {0}};

static const struct conf_row alert_escalation_rows[] = {
    DFLT("after", CONF_DURATION, offsetof(struct alert_escalation, after_ms), "15m", 1000, 8.64e7,
         "How long nobody has acknowledged."),
    {.key = "receiver",
     .type = CONF_STR,
     .offset = offsetof(struct alert_escalation, receiver),
     .required = true,
     .help = "Who is told then."},
    {0}};

static const struct conf_row alert_route_rows[] = {
    ROW("receiver", CONF_STR, offsetof(struct alert_route, receiver),
        "Who is told when no other route matches."),
    DFLT("group_wait", CONF_DURATION, offsetof(struct alert_route, group_wait_ms), "5s", 0, 3.6e6,
         "How long a new incident gathers its symptoms before the page."),
    DFLT("repeat_interval", CONF_DURATION, offsetof(struct alert_route, repeat_ms), "0s", 0, 8.64e8,
         "Page again while an incident stays open and unacknowledged; 0 never."),
    {.key = "routes",
     .type = CONF_LIST,
     .offset = offsetof(struct alert_route, routes),
     .rows = alert_subroute_rows,
     .size = sizeof(struct alert_subroute),
     .help = "Routes tried in order."},
    {.key = "escalate",
     .type = CONF_LIST,
     .offset = offsetof(struct alert_route, escalate),
     .rows = alert_escalation_rows,
     .size = sizeof(struct alert_escalation),
     .help = "Whom to tell when nobody acknowledges."},
    {0}};

static const struct conf_row alert_heartbeat_rows[] = {
    ROW("receiver", CONF_STR, offsetof(struct alert_heartbeat, receiver),
        "Who gets the sign of life."),
    DFLT("every", CONF_DURATION, offsetof(struct alert_heartbeat, every_ms), "1m", 1000, 8.64e7,
         "How often."),
    {0}};

const struct conf_row alert_conf_rows[] = {
    {.key = "receivers",
     .type = CONF_LIST,
     .offset = offsetof(struct alert_conf, receivers),
     .rows = alert_receiver_rows,
     .size = sizeof(struct alert_receiver),
     .help = "Who can be told, each by one way."},
    MAP("route", offsetof(struct alert_conf, route), alert_route_rows, "Who is told of what."),
    MAP("heartbeat", offsetof(struct alert_conf, heartbeat), alert_heartbeat_rows,
        "A regular sign of life, so that silence is an alarm."),
    {0}};

const size_t alert_conf_size = sizeof(struct alert_conf);

enum alert_kind
alert_receiver_kind(const struct alert_receiver *r)
{
    const struct {
        bool is;
        enum alert_kind kind;
    } kinds[] = {{r->webhook.url, ALERT_WEBHOOK},
                 {r->email.to.count > 0, ALERT_EMAIL},
                 {r->dingtalk.url, ALERT_DINGTALK},
                 {r->feishu.url, ALERT_FEISHU},
                 {r->wecom.url, ALERT_WECOM},
                 {r->alertmanager.url, ALERT_ALERTMANAGER},
                 {r->command.argv.count > 0, ALERT_COMMAND},
                 {r->slurm.scontrol, ALERT_SLURM},
                 {r->kubernetes.url, ALERT_KUBERNETES}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].is)
            return kinds[i].kind;
    return ALERT_NONE;
}

const char *
alert_kind_word(enum alert_kind k)
{
    static const char *const words[ALERT_KINDS] = {
        "none",  "webhook",      "email",   "dingtalk",    "feishu",
        "wecom", "alertmanager", "command", "slurm_drain", "kubernetes_cordon"};
    return words[k];
}

const struct alert_receiver *
alert_conf_receiver(const struct alert_conf *c, const char *name)
{
    const struct alert_receiver *r = c->receivers.at;
    for (size_t i = 0; name && i < c->receivers.count; i++)
        if (r[i].name && !strcmp(r[i].name, name))
            return &r[i];
    return NULL;
}

static int
alert_conf_name(const struct alert_conf *c, const char *name, const char *where, struct err *err)
{
    if (!name || alert_conf_receiver(c, name))
        return 0;
    return err_set(err, ERR_SYNTAX,
                   "alerts.%s names the receiver %s, which is not among alerts.receivers", where,
                   name);
}

int
alert_conf_check(const struct alert_conf *c, struct err *err)
{
    const struct alert_receiver *r = c->receivers.at;
    const struct alert_subroute *s = c->route.routes.at;
    const struct alert_escalation *e = c->route.escalate.at;
    for (size_t i = 0; i < c->receivers.count; i++)
        if (alert_receiver_kind(&r[i]) == ALERT_NONE)
            return err_set(err, ERR_SYNTAX,
                           "alerts.receivers: %s says no way to tell it (webhook, email, dingtalk, "
                           "feishu, wecom, alertmanager, command, slurm_drain, kubernetes_cordon)",
                           r[i].name);
    int rc = alert_conf_name(c, c->route.receiver, "route.receiver", err);
    for (size_t i = 0; !rc && i < c->route.routes.count; i++)
        rc = alert_conf_name(c, s[i].receiver, "route.routes", err);
    for (size_t i = 0; !rc && i < c->route.escalate.count; i++)
        rc = alert_conf_name(c, e[i].receiver, "route.escalate", err);
    return rc ? rc : alert_conf_name(c, c->heartbeat.receiver, "heartbeat", err);
}
