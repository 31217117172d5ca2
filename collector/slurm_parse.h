/* slurm_parse: what Slurm's commands print, one line at a time.
 *
 *   scontrol show jobs --oneliner   JobId=4711 JobName=... UserId=u1(1001) ... ExitCode=1:0 ...
 *   sinfo -N -h -o '%N|%T|%E'       node00001|drained*|gpu check failed
 *   sacct -n -P -X --format=JobIDRaw,State,ExitCode,Start,End
 * Times are UTC (TZ=UTC is set for the commands). Lines are cut in place: texts point into them. */
#ifndef COLLECTOR_SLURM_PARSE_H
#define COLLECTOR_SLURM_PARSE_H

#include "base/buf.h"
#include "store/jobs.h"

struct slurm_job {
    const char *id, *name, *user, *account, *partition, *qos, *reason, *array, *nodes,
        *restarts; /* "" none */
    enum job_state state;
    unsigned gpus_per_node;
    int64_t start_ms, end_ms; /* 0: not yet */
    int exit_code;            /* of a job that ended; 128 + N where signal N ended it */
    bool has_exit_code;
};
/* 0, or ERR_SYNTAX for a line that is no job. */
int slurm_parse_job(char *line, struct slurm_job *ret);
int slurm_parse_ended(char *line,
                      struct slurm_job *ret); /* sacct's; fills id, state, times, exit code */

enum slurm_node_state { SLURM_NODE_WELL, SLURM_NODE_DRAINED, SLURM_NODE_AWAY };
struct slurm_node {
    const char *name, *state_word, *reason;
    enum slurm_node_state state;
};
int slurm_parse_node(char *line, struct slurm_node *ret);

/* The job document. tenant: "" none. */
void slurm_parse_document(const struct slurm_job *j, const char *tenant, const char *cluster,
                          struct buf *out);

#endif
