#!/bin/sh
# bench_agent [ROUNDS [SECONDS]]: what the agent costs, in one run.
# 1. Beside prometheus-node-exporter on this host for the same host series: CPU of a collection (both scraped equally
#    often), and memory; netdata's share of a processor and memory, where it is installed.
# 2. Everything on, at 15 s, for SECONDS: the files of a large server (tests/agents/make_root.py: 192 processors, 8 NICs
#    and modules, 8 NVMe, 300 PCI functions), a stand-in for NVIDIA's library with 8 GPUs in its helper, a job's log of
#    200 lines a second, all sent to a server. Goal: 0.3 % of a processor and 24 MB, helper included.
agent=${MS_BUILDDIR:-.}/myriascope-agent
rounds=${1:-40}
seconds=${2:-120}
src=${MS_SRCDIR:-$(dirname "$0")/../..}
for tool in prometheus-node-exporter curl python3; do
    command -v $tool >/dev/null 2>&1 || { echo "bench_agent: no $tool"; exit 0; }
done
dir=$(mktemp -d) || exit 1
pids=
trap 'for p in $pids; do kill $p 2>/dev/null; done; wait 2>/dev/null; rm -rf "$dir"' EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
p1=$(port)
p2=$(port)
# Only the collectors whose series the agent has too. The agent also looks for RDMA, GPUs, PCIe, modules: left on.
prometheus-node-exporter --web.listen-address=127.0.0.1:$p1 --web.disable-exporter-metrics --collector.disable-defaults \
    --collector.cpu --collector.stat --collector.loadavg --collector.meminfo --collector.vmstat --collector.pressure \
    --collector.filefd --collector.conntrack --collector.entropy --collector.uname --collector.netdev --collector.netclass \
    --collector.netstat --collector.sockstat --collector.diskstats --collector.filesystem --collector.nvme --collector.hwmon \
    --collector.edac --collector.infiniband --collector.timex --collector.mountstats >"$dir/theirs.log" 2>&1 &
theirs=$!
printf 'node: bench\ninterval: 1s\nlisten: 127.0.0.1:%s\n' "$p2" >"$dir/agent.yaml"
"$agent" --config "$dir/agent.yaml" >"$dir/ours.log" 2>&1 &
ours=$!
pids="$theirs $ours"
netdata=0
if command -v netdata >/dev/null 2>&1; then
    mkdir -p "$dir/nd/cache" "$dir/nd/lib" "$dir/nd/log"
    printf '[global]\n  run as user = %s\n[directories]\n  cache = %s\n  lib = %s\n  log = %s\n[cloud]\n  enabled = no\n' \
        "$(id -un)" "$dir/nd/cache" "$dir/nd/lib" "$dir/nd/log" >"$dir/netdata.conf"
    netdata -D -c "$dir/netdata.conf" -i 127.0.0.1 -p "$(port)" -P "$dir/nd/pid" >"$dir/netdata.log" 2>&1 &
    netdata=$!
    pids="$pids $netdata"
    python3 -c 'import time; time.sleep(15)' # its start is not counted
fi
for url in 127.0.0.1:$p1 127.0.0.1:$p2; do
    for i in $(seq 50); do curl -sf $url/metrics >/dev/null 2>&1 && break; python3 -c 'import time; time.sleep(0.1)'; done
done
python3 - $theirs $ours $p1 $p2 $rounds $netdata <<'PY'
import os, sys, time, urllib.request
theirs, ours, p1, p2, rounds, netdata = map(int, sys.argv[1:])
def cpu(pid):  # microseconds, of all threads, from the scheduler's account
    return sum(int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in os.listdir(f"/proc/{pid}/task")) / 1000
def memory(pid):
    s = dict(l.split(":", 1) for l in open(f"/proc/{pid}/status"))
    return {k: int(s[k].split()[0]) for k in ("VmRSS", "RssAnon")}
def scrape(port): return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
def there(pid): return pid and os.path.exists(f"/proc/{pid}/status") and "zombie" not in open(f"/proc/{pid}/status").read()
def family(pid): return [pid] + [int(c) for t in os.listdir(f"/proc/{pid}/task") for c in open(f"/proc/{pid}/task/{t}/children").read().split()]
def apart(pid): return sum(cpu(p) for p in family(pid)), sum(memory(p)["VmRSS"] for p in family(pid))
t0 = (cpu(theirs), cpu(ours))
nd, began = apart(netdata) if there(netdata) else None, time.monotonic()
for i in range(rounds):      # the agent collects by itself once a second; node_exporter when asked
    a = scrape(p1); b = scrape(p2); time.sleep(1)
t1 = (cpu(theirs), cpu(ours))
n1, n2 = (sum(1 for l in x.splitlines() if l.startswith("node_")) for x in (a, b))
c1, c2 = (t1[0] - t0[0]) / rounds, (t1[1] - t0[1]) / rounds
m1, m2 = memory(theirs), memory(ours)
print(f"{'':28}{'node_exporter':>14}{'agent':>10}{'ratio':>8}")
def line(what, x, y, fmt="{:.0f}"): print(f"{what:28}{fmt.format(x):>14}{fmt.format(y):>10}{y / x if x else 0:>8.2f}")
line("host series", n1, n2)
line("CPU a collection, us", c1, c2)
line("resident memory, KiB", m1["VmRSS"], m2["VmRSS"])
line("anonymous memory, KiB", m1["RssAnon"], m2["RssAnon"])
if nd and there(netdata):
    now, passed = apart(netdata), time.monotonic() - began
    print(f"netdata, every second, with its children: {(now[0] - nd[0]) / passed / 1e4:.2f} % of a processor, {now[1]} KiB;"
          f" the agent every second: {(t1[1] - t0[1]) / passed / 1e4:.2f} %, {m2['VmRSS']} KiB")
else:
    print("netdata: not installed")
PY
for p in $pids; do kill $p 2>/dev/null; done
wait 2>/dev/null
pids=

# --- everything on ---
python3 "$src/tests/agents/make_root.py" "$dir/root" || exit 1
${CC:-cc} -shared -fPIC -O1 -I"$src" -o "$dir/libnvidia-ml.so.1" "$src/tests/agents/fake_nvml.c" || exit 1
p3=$(port)
printf 'state: %s/state\nhttp: {listen: "127.0.0.1:%s", auth: none}\n' "$dir" "$p3" >"$dir/server.yaml"
"${MS_BUILDDIR:-.}/myriascoped" --config "$dir/server.yaml" >"$dir/server.log" 2>&1 &
pids=$!
for i in $(seq 100); do curl -sf 127.0.0.1:$p3/readyz >/dev/null 2>&1 && break; python3 -c 'import time; time.sleep(0.1)'; done
: >"$dir/job.log"
cat >"$dir/all.yaml" <<YAML
node: node00001
root: $dir/root
server: {url: "http://127.0.0.1:$p3"}
spool: {dir: $dir/spool}
logs: {files: ["$dir/job.log"], forward: context, kernel: false}
probes: {nvml: $dir/libnvidia-ml.so.1}
YAML
FAKE_NVML_GPUS=8 "$agent" --config "$dir/all.yaml" >"$dir/all.log" 2>&1 &
all=$!
pids="$pids $all"
python3 - $all "$dir/job.log" $seconds $p3 <<'PY'
import json, os, sys, time, urllib.request
agent, log, seconds, port = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1), int(sys.argv[3]), int(sys.argv[4])
def family(): return [agent] + [int(c) for t in os.listdir(f"/proc/{agent}/task") for c in open(f"/proc/{agent}/task/{t}/children").read().split()]
def cpu(pid): return sum(int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in os.listdir(f"/proc/{pid}/task")) / 1e6
def field(pid, file, key): return next((int(l.split()[1]) for l in open(f"/proc/{pid}/{file}") if l.startswith(key + ":")), 0)
def lines(n):
    for i in range(n): log.write(f"[rank{i % 8}]: iteration {i} loss 2.{i:06d} grad norm 0.{i:03d} elapsed time per iteration (ms): 5123.{i}\n")
def run(s):
    end = time.monotonic() + s
    while time.monotonic() < end: lines(100); time.sleep(0.5)
run(20)  # the first collection and the start of the helper are not counted
before, began = {p: cpu(p) for p in family()}, time.monotonic()
run(seconds)
now, passed = family(), time.monotonic() - began
spent = {p: cpu(p) - before.get(p, 0) for p in now}
rss, pss, anon = (sum(field(p, f, k) for p in now) for f, k in (("status", "VmRSS"), ("smaps_rollup", "Pss"), ("status", "RssAnon")))
q = urllib.request.urlopen(f"http://127.0.0.1:{port}/prometheus/api/v1/query?query=count(%7Bnode%3D%22node00001%22%7D)").read()
series = json.loads(q)["data"]["result"]
print(f"everything on, every 15 s: {sum(spent.values()) / passed / 10:.3f} % of a processor (agent {spent[agent] / passed / 10:.3f}, "
      f"helper {sum(v for p, v in spent.items() if p != agent) / passed / 10:.3f}); goal 0.300")
print(f"  memory of {len(now)} processes: VmRSS {rss} KiB, of it anonymous {anon}; Pss {pss} KiB; goal 24576; "
      f"agent alone VmRSS {field(agent, 'status', 'VmRSS')}; series {series[0]['value'][1] if series else 'none arrived'}")
PY
