/* snmp: polls to come. */
#include "collector/snmp_conf.h"
#include "collector/source.h"

static int
snmp_start(const struct source_env *env, const void *conf, void **ret, struct err *err)
{
    (void)conf, (void)err;
    log_write(env->log, LOG_LEVEL_WARNING, "snmp is not polled yet");
    *ret = NULL;
    return 0;
}

static void
snmp_stop(void *source)
{
    (void)source;
}

const struct source_ops source_snmp = {"snmp", snmp_conf_rows, sizeof(struct snmp_conf), false, snmp_start, snmp_stop, NULL, NULL, NULL};
