/* power_conf: the section `power` of the configuration. */
#ifndef COLLECTOR_POWER_CONF_H
#define COLLECTOR_POWER_CONF_H

#include "base/conf.h"

struct power_conf {
    int64_t interval;
};
extern const struct conf_row power_conf_rows[];

#endif
