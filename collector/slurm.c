/* slurm: polls to come. */
#include "collector/slurm_conf.h"
#include "collector/source.h"

static int
slurm_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    (void)conf, (void)err;
    log_write(env->log, LOG_LEVEL_WARNING, "slurm is not polled yet");
    *ret = NULL;
    return 0;
}

static void
slurm_stop(void *source)
{
    (void)source;
}

const struct source_ops source_slurm = {"slurm", slurm_conf_rows, sizeof(struct slurm_conf), false, slurm_start, slurm_stop, NULL, NULL, NULL};
