#!/bin/sh
# PrologSlurmctld: tells Myriascope of a job that is about to start, and asks whether its nodes may take it.
#
# slurm.conf:  PrologSlurmctld=/etc/slurm/myriascope-prolog.sh
#
# Any code but 0 makes Slurm requeue the job, so `check --gate` answers 1 only when a node fails its check;
# when the server is away the job starts. Settings come from the environment or from the file below:
#   MYRIASCOPE_SERVER      address of the server
#   MYRIASCOPE_TOKEN_FILE  an operator's token
#   MYRIASCOPE             the command, if it is not in PATH
#   MYRIASCOPE_LOG         where what was said goes; nowhere unless given
# shellcheck source=/dev/null
[ -r "${MYRIASCOPE_CONF:-/etc/myriascope/slurm.env}" ] && . "${MYRIASCOPE_CONF:-/etc/myriascope/slurm.env}"
: "${MYRIASCOPE:=myriascope}" "${MYRIASCOPE_SERVER:=http://127.0.0.1:8686}" "${MYRIASCOPE_LOG:=/dev/null}"

# A name may hold anything: what would end a JSON text is left out.
plain() {
    printf '%s' "$1" | tr -d '"\\\000-\037'
}

document=$(mktemp) || exit 0
trap 'rm -f "$document"' EXIT
cat >"$document" <<END
{"id":"$(plain "$SLURM_JOB_ID")","name":"$(plain "$SLURM_JOB_NAME")","user":"$(plain "$SLURM_JOB_USER")",
 "state":"running","nodes":"$(plain "$SLURM_JOB_NODELIST")","start":"$(date -u +%Y-%m-%dT%H:%M:%SZ)",
 "labels":{"scheduler":"slurm","partition":"$(plain "$SLURM_JOB_PARTITION")","account":"$(plain "$SLURM_JOB_ACCOUNT")"}}
END
"$MYRIASCOPE" --server "$MYRIASCOPE_SERVER" job set "$SLURM_JOB_ID" "$document" >>"$MYRIASCOPE_LOG" 2>&1

"$MYRIASCOPE" --server "$MYRIASCOPE_SERVER" check --gate --nodes "$SLURM_JOB_NODELIST" >>"$MYRIASCOPE_LOG" 2>&1
