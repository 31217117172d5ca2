#!/bin/sh
# bench_agent: the agent beside prometheus-node-exporter on this host, in one run, for the same host series: CPU of a
# collection (both scraped equally often), and memory. Prints one line a measure, and the ratio.
agent=${MS_BUILDDIR:-.}/myriascope-agent
rounds=${1:-40}
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
for url in 127.0.0.1:$p1 127.0.0.1:$p2; do
    for i in $(seq 50); do curl -sf $url/metrics >/dev/null 2>&1 && break; python3 -c 'import time; time.sleep(0.1)'; done
done
python3 - $theirs $ours $p1 $p2 $rounds <<'PY'
import sys, time, urllib.request
theirs, ours, p1, p2, rounds = map(int, sys.argv[1:])
def cpu(pid):  # microseconds, of all threads, from the scheduler's account
    import os
    return sum(int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in os.listdir(f"/proc/{pid}/task")) / 1000
def memory(pid):
    s = dict(l.split(":", 1) for l in open(f"/proc/{pid}/status"))
    return {k: int(s[k].split()[0]) for k in ("VmRSS", "RssAnon")}
def scrape(port): return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
t0 = (cpu(theirs), cpu(ours))
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
PY
