/* kube_conf: the section `kubernetes` of the configuration. */
#ifndef COLLECTOR_KUBE_CONF_H
#define COLLECTOR_KUBE_CONF_H

#include "base/conf.h"

#include <stdbool.h>

struct kube_conf {
    char *url, *token_file, *ca, *cert, *key, *namespace, *selector, *job_label, *tenant, *user;
    bool insecure, events;
    int64_t timeout;
};
extern const struct conf_row kube_conf_rows[];

#endif
