#!/bin/sh
# slurm_hooks: the prolog and epilog of examples/slurm against a server of their own.
. "$(dirname "$0")/../lint/tap.sh"
bin=$MS_BUILDDIR
[ -x "$bin/myriascoped" ] && [ -x "$bin/myriascope" ] || skip_all 'the programs are not built'
command -v curl >/dev/null || skip_all 'curl is absent'
hooks=$MS_SRCDIR/examples/slurm

MYRIASCOPE=$bin/myriascope MYRIASCOPE_CONF=/nonexistent MYRIASCOPE_LOG=$tmp/log
SLURM_JOB_ID=4711 SLURM_JOB_NAME='a "job"' SLURM_JOB_USER=u1 SLURM_JOB_PARTITION=gpu SLURM_JOB_ACCOUNT=t1
SLURM_JOB_NODELIST='node[00001-00002]' SLURM_JOB_EXIT_CODE2=0:9
MYRIASCOPE_SERVER=http://127.0.0.1:9
export MYRIASCOPE MYRIASCOPE_CONF MYRIASCOPE_LOG MYRIASCOPE_SERVER SLURM_JOB_ID SLURM_JOB_NAME SLURM_JOB_USER \
    SLURM_JOB_PARTITION SLURM_JOB_ACCOUNT SLURM_JOB_NODELIST SLURM_JOB_EXIT_CODE2

"$hooks/prolog.sh" || fault "the prolog answers $?"
"$hooks/epilog.sh" || fault "the epilog answers $?"
result 'a server that is away holds no job up'

# A port that is free now; another try if somebody was faster.
for port in 38611 38617 38623 38629; do
    printf 'state: %s/state\nhttp: {listen: "127.0.0.1:%s", auth: none}\n' "$tmp" $port >"$tmp/c.yaml"
    "$bin/myriascoped" --config "$tmp/c.yaml" >"$tmp/server" 2>&1 &
    pid=$!
    MYRIASCOPE_SERVER=http://127.0.0.1:$port
    tries=0
    until "$bin/myriascope" --server $MYRIASCOPE_SERVER job >/dev/null 2>&1; do
        tries=$((tries + 1))
        kill -0 $pid 2>/dev/null && [ $tries -lt 100 ] || break
        sleep 0.1
    done
    kill -0 $pid 2>/dev/null && break
done
"$hooks/prolog.sh" || fault "the prolog answers $?"
"$bin/myriascope" --server $MYRIASCOPE_SERVER --format json job 4711 >"$tmp/job" 2>&1
grep -q '"state": *"running"' "$tmp/job" || fault "$(head -c 300 "$tmp/job")"
result 'the prolog makes the job known'

"$hooks/epilog.sh" || fault "the epilog answers $?"
"$bin/myriascope" --server $MYRIASCOPE_SERVER --format json job 4711 >"$tmp/job" 2>&1
grep -q '"state": *"failed"' "$tmp/job" && grep -q '"exit_code": *137' "$tmp/job" &&
    grep -q '"start": *"20' "$tmp/job" || fault "$(head -c 300 "$tmp/job")"
result 'the epilog tells how it ended'
kill $pid 2>/dev/null
wait $pid 2>/dev/null
done_testing
