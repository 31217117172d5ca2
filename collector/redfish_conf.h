/* redfish_conf: the section `redfish` of the configuration. */
#ifndef COLLECTOR_REDFISH_CONF_H
#define COLLECTOR_REDFISH_CONF_H

#include "base/conf.h"

#include <stdbool.h>

enum redfish_auth { REDFISH_AUTH_SESSION, REDFISH_AUTH_BASIC, REDFISH_AUTH_NONE };

struct redfish_conf_target {
    char *nodes, *switches, *pdus, *cdus; /* host lists; one of them */
    char *address, *user, *password, *password_file;
};
struct redfish_conf {
    struct conf_list targets;
    char *user, *password, *password_file, *ca;
    bool insecure;
    int auth; /* enum redfish_auth */
    int64_t interval, log_interval, discovery_interval, timeout, log_past;
    struct conf_strs log_services;
};
extern const struct conf_row redfish_conf_rows[];

#endif
