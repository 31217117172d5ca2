/* slurm_conf: the section `slurm` of the configuration. */
#ifndef COLLECTOR_SLURM_CONF_H
#define COLLECTOR_SLURM_CONF_H

#include "base/conf.h"

struct slurm_conf {
    char *scontrol, *sinfo, *sacct;
    int64_t interval, timeout;
    char *user, *cluster, *tenant;
};
extern const struct conf_row slurm_conf_rows[];

#endif
