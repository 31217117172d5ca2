/* alert_conf: the `alerts:` section as structs, for insiders of alert. */
#ifndef ANALYZER_ALERT_CONF_H
#define ANALYZER_ALERT_CONF_H

#include "base/conf.h"

#include <stdbool.h>
#include <stdint.h>

enum alert_kind {
    ALERT_NONE,
    ALERT_WEBHOOK,
    ALERT_EMAIL,
    ALERT_DINGTALK,
    ALERT_FEISHU,
    ALERT_WECOM,
    ALERT_ALERTMANAGER,
    ALERT_COMMAND,
    ALERT_SLURM,
    ALERT_KUBERNETES,
    ALERT_KINDS
};

struct alert_http {
    char *url, *secret, *bearer_file, *ca;
    struct conf_strs headers;
    bool insecure;
};
struct alert_email {
    char *smarthost, *from, *user, *password_file, *ca;
    struct conf_strs to;
};
struct alert_command {
    struct conf_strs argv;
};
struct alert_hook {
    char *scontrol, *url, *token_file, *ca;
    bool dry_run, insecure, requeue, hurry;
    int64_t limit, window_ms;
    double confidence, share;
};

struct alert_receiver {
    char *name;
    struct alert_http webhook, dingtalk, feishu, wecom, alertmanager;
    struct alert_email email;
    struct alert_command command;
    struct alert_hook slurm, kubernetes;
    int64_t timeout_ms;
    bool send_resolved;
    int lang; /* 0 en, 1 zh, 2 both */
};
struct alert_match {
    char *severity, *class_name, *cause, *entity, *tenant;
};
struct alert_escalation {
    int64_t after_ms;
    char *receiver;
};
struct alert_subroute {
    char *receiver;
    struct alert_match match;
    bool go_on;
};
struct alert_route {
    char *receiver;
    int64_t group_wait_ms, repeat_ms;
    struct conf_list routes, escalate;
};
struct alert_heartbeat {
    char *receiver;
    int64_t every_ms;
};
struct alert_conf {
    struct conf_list receivers;
    struct alert_route route;
    struct alert_heartbeat heartbeat;
};

enum alert_kind alert_receiver_kind(const struct alert_receiver *r);
const char *alert_kind_word(enum alert_kind k);
const struct alert_receiver *alert_conf_receiver(const struct alert_conf *c, const char *name);
/* Names that routes use must be receivers, each receiver must be of exactly one kind. 0 or
 * ERR_SYNTAX. */
int alert_conf_check(const struct alert_conf *c, struct err *err);

#endif
