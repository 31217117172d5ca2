#!/bin/sh
# EpilogSlurmctld: tells Myriascope how a job ended, at once; the poll of the section `slurm` tells more later.
#
# slurm.conf:  EpilogSlurmctld=/etc/slurm/myriascope-epilog.sh
#
# SLURM_JOB_EXIT_CODE2 is "exit:signal". A job that did not end well is diagnosed as soon as this arrives.
# Settings as in prolog.sh; needs curl. Always exits 0: an epilog's failure would drain nothing, and help nobody.
# shellcheck source=/dev/null
[ -r "${MYRIASCOPE_CONF:-/etc/myriascope/slurm.env}" ] && . "${MYRIASCOPE_CONF:-/etc/myriascope/slurm.env}"
: "${MYRIASCOPE_SERVER:=http://127.0.0.1:8686}" "${MYRIASCOPE_LOG:=/dev/null}"

code=${SLURM_JOB_EXIT_CODE2%%:*} signal=${SLURM_JOB_EXIT_CODE2##*:}
case $code$signal in
'' | *[!0-9]*) exit 0 ;; # not told: the poll will
esac
[ "$signal" -gt 0 ] && code=$((128 + signal))
state=completed
[ "$code" -ne 0 ] && state=failed

token=
[ -r "${MYRIASCOPE_TOKEN_FILE:-}" ] && token=$(cat "$MYRIASCOPE_TOKEN_FILE")
# PATCH changes what is named and leaves the rest, such as when the job began
curl -fsS -m 10 -X PATCH -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    --data "{\"state\":\"$state\",\"exit_code\":$code,\"end\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"}" \
    "$MYRIASCOPE_SERVER/api/v1/jobs/$(printf '%s' "$SLURM_JOB_ID" | tr -cd '0-9_')" >>"$MYRIASCOPE_LOG" 2>&1
exit 0
