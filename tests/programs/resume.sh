#!/bin/sh
# resume: a fault on a real Slurm: the node is drained and the job runs again on another, without a person; the chain of
# times is told; a dry run does nothing; the circuit breaker stops at its limit, says so, and pages.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3 curl slurmctld slurmd munged sbatch scontrol sinfo
host=$(hostname)
me=$(id -un)
[ "$me" = root ] || skip_all 'slurmd wants to be root'

# A cluster of three nodes on this machine; its daemons keep everything below $tmp.
slurm=$tmp/slurm
mkdir "$slurm" "$slurm/state"
chmod 755 "$tmp" "$slurm"
head -c 1024 /dev/urandom >"$slurm/key"
chmod 600 "$slurm/key"
python3 - >"$slurm/ports" <<'PY'
import socket
held = [socket.socket() for _ in range(5)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
PY
read -r ctld_port one_port two_port three_port hook_port <"$slurm/ports"
cat >"$slurm/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$slurm/munge.sock
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool-%n
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd-%n.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=1
KillWait=1
NodeName=node00001 NodeHostname=$host NodeAddr=127.0.0.1 Port=$one_port CPUs=1 Weight=1
NodeName=node00002 NodeHostname=$host NodeAddr=127.0.0.1 Port=$two_port CPUs=1 Weight=2
NodeName=node00003 NodeHostname=$host NodeAddr=127.0.0.1 Port=$three_port CPUs=1 Weight=3
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
SLURM_CONF=$slurm/slurm.conf
export SLURM_CONF
# The job's processes are the scheduler's, not ours: it ends them.
slurm_quit() {
    [ -z "$job" ] || timeout 5 scancel "$job" && sleep 2
    quit
}
job=
trap slurm_quit EXIT
started() { # NAME COMMAND...
    name=$1
    shift
    "$@" >"$slurm/$name.out" 2>&1 </dev/null &
    pids="$pids $!"
}
started munged munged --foreground --force "--socket=$slurm/munge.sock" "--key-file=$slurm/key" "--pid-file=$slurm/munge.pid" \
    "--log-file=$slurm/munge.log" "--seed-file=$slurm/seed"
until_true 50 test -S "$slurm/munge.sock" || skip_all 'munged does not start here'
started slurmctld slurmctld -D -f "$SLURM_CONF"
for n in 1 2 3; do started "slurmd$n" slurmd -D -N "node0000$n" -f "$SLURM_CONF"; done
idle() { [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c idle)" = 3 ]; }
until_true 300 idle || skip_all 'Slurm does not start here'

# Three nodes with a GPU each; the job tells the server of each step it makes.
topology3() {
    printf 'version: 1\ncluster: {name: test}\nnodes:\n'
    for n in 1 2 3; do
        printf "  - {name: node0000%s, gpus: {count: 1, vendor: nvidia, model: H100, pci: ['0000:3b:00']}}\n" $n
    done
}
topology3 >"$tmp/topology.yaml"
setup() { # DRY_RUN LIMIT
    conf_write "topology: topology.yaml
slurm: {interval: 1s, scontrol: $(command -v scontrol), sinfo: $(command -v sinfo)}
alerts:
  receivers:
    - {name: oncall, webhook: {url: 'http://127.0.0.1:$hook_port/hook'}}
    - {name: drain, slurm_drain: {scontrol: $(command -v scontrol), dry_run: $1, requeue: true, limit: $2, share: 1, confidence: 0.6}}
  route: {receiver: oncall, group_wait: 1s, routes: [{receiver: drain, match: {class: gpu}, continue: true}, {receiver: oncall}]}"
}
python3 "$src/tests/programs/hook.py" "$hook_port" "$tmp/pages" >"$tmp/hook.out" 2>&1 &
pids="$pids $!"
setup true 1
ok 'the server starts' server_start || exit 1
cat >"$slurm/train.sh" <<END
#!/bin/sh
step=0
while :; do
    printf 'training_step_seconds{job_id="%s"} 1\n' "\$SLURM_JOB_ID" | curl -s --data-binary @- $url/prometheus/api/v1/import/prometheus
    sleep 1
done
END
fault() { loki "$1" kernel 'NVRM: Xid (PCI:0000:3b:00): 79, pid=4711, name=python, GPU has fallen off the bus.' >/dev/null; }
state_of() { sinfo -h -N -n "$1" -o %T; }
recovery() { get "/api/v1/jobs/$job/recovery" | pick "$1"; }
step() { recovery "[s for s in d['items'][0]['steps'] if s['step'] == '$1'][0]['$2']"; }
runs_on() { [ "$(get "/api/v1/jobs/$job" | pick 'd["state"], d["nodes"]')" = "('running', '$1')" ]; }

job=$(sbatch --parsable -N1 --requeue -J train -o "$slurm/job.out" "$slurm/train.sh")
ok 'the job is known and runs' until_true 200 runs_on node00001 || exit 1
stepping() { [ "$(get "/prometheus/api/v1/query?query=training_step_seconds" | pick 'len(d["data"]["result"])')" -ge 1 ]; }
ok 'it makes steps' until_true 150 stepping

fault node00001
dry() { [ "$(recovery 'd["items"][0]["dry_run"]')" = True ]; }
ok 'a dry run says what it would do' until_true 300 dry
ok 'and does not drain' is "$(state_of node00001)" allocated

server_end TERM
rm -rf "$state"
setup false 1
ok 'a server starts anew, to act' server_start
ok 'the job still runs there' until_true 150 runs_on node00001
until_true 150 stepping
fault node00001
ok 'the job runs on another node' until_true 300 runs_on node00002 || { get /api/v1/reliability; get /api/v1/incidents | head -c 1500; cat "$daemon_log"; exit 1; }
ok 'the broken node is drained' is "$(state_of node00001)" drained
ok 'the reason names the incident' has "$(sinfo -h -N -n node00001 -o %E)" 'myriascope:'
again() { [ "$(step first_step time)" != None ]; }
ok 'the job steps again' until_true 100 again
ok 'the chain is whole and in order' is "$(recovery '(lambda t: all(t) and t == sorted(t))([{s["step"]: s["time"] for s in d["items"][0]["steps"]}[k] for k in ("fault", "detected", "isolated", "requeued", "restarted", "first_step")])')" True
ok 'the job keeps its former run' is "$(get "/api/v1/jobs/$job" | pick '[(r["nodes"], r["state"]) for r in d["runs"]]')" "[('node00001', 'requeued')]"
ask job "$job" >"$tmp/chain" 2>&1
cat "$tmp/chain"
ok 'the command shows it' has "$(cat "$tmp/chain")" 'First step again'
ok 'and in Chinese' has "$(ask --lang zh job "$job")" '恢复首步'

# The limit is one node: the second fault is refused.
pages=$(wc -l <"$tmp/pages")
fault node00002
refused() { get /api/v1/reliability | pick 'd["breaker"]["state"], [h["result"] for h in d["hooks"]][0]' | grep -q "('open', 'refused')"; }
ok 'the breaker refuses the second node' until_true 300 refused
ok 'which is not drained' is "$(state_of node00002)" allocated
told() { grep -q '"cause": *"myriascope.isolation-stopped"' "$tmp/pages"; }
ok 'the refusal is paged' until_true 300 told
server_end TERM
server_start
ok 'the breaker outlives a restart' is "$(get /api/v1/reliability | pick 'd["breaker"]["state"]')" open
finish
