/* snmp_conf: the section `snmp` of the configuration. */
#ifndef COLLECTOR_SNMP_CONF_H
#define COLLECTOR_SNMP_CONF_H

#include "base/conf.h"

#include <stdbool.h>

struct snmp_conf_target {
    char *name, *address; /* name: option `switch` */
    int version;
    char *community, *user, *auth_protocol, *auth_password, *priv_protocol, *priv_password;
    int64_t interval, sensor_interval, discovery_interval, timeout;
    bool sensors;
};
struct snmp_conf_user {
    char *user, *auth_protocol, *auth_password, *priv_protocol, *priv_password, *engine_id;
};
struct snmp_conf_trap {
    char *listen;
    struct conf_strs communities;
    struct conf_list users;
};
struct snmp_conf {
    struct conf_list targets;
    struct snmp_conf_trap trap;
};
extern const struct conf_row snmp_conf_rows[];

#endif
