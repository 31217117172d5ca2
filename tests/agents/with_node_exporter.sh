#!/bin/sh
# node_exporter on this very machine: our series bear the same names, labels and, where the value stands still, values.
# TAP. Skips where there is no prometheus-node-exporter, curl or python3.
agent=${MS_BUILDDIR:-.}/myriascope-agent
for tool in prometheus-node-exporter curl python3; do
    command -v $tool >/dev/null 2>&1 || { echo "1..0 # SKIP no $tool"; exit 0; }
done
dir=$(mktemp -d) || exit 1
pid=
trap 'test -n "$pid" && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
prometheus-node-exporter --web.listen-address=127.0.0.1:$port >"$dir/log" 2>&1 &
pid=$!
for i in $(seq 100); do
    curl -sf http://127.0.0.1:$port/metrics >"$dir/theirs" 2>/dev/null && break
    python3 -c 'import time; time.sleep(0.1)'
done
[ -s "$dir/theirs" ] || { echo "1..0 # SKIP node_exporter does not answer"; exit 0; }
"$agent" --once >"$dir/ours" || { echo '1..1'; echo 'not ok 1 - --once'; exit 1; }
curl -sf http://127.0.0.1:$port/metrics >"$dir/after"
python3 - "$dir" <<'PY'
import re, sys
d = sys.argv[1]
line = re.compile(r'([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
def read(name):
    out = {}
    for text in open(d + "/" + name):
        m = line.match(text.rstrip("\n"))
        if text.startswith("#") or not m: continue
        labels = tuple(sorted(re.findall(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"', m.group(2) or "")))
        out[(m.group(1), labels)] = float(m.group(3))
    return out
ours, before, after = read("ours"), read("theirs"), read("after")
# Families that must be whole: every series that they have (in both readings) we have too.
families = ("node_cpu_ node_load node_memory_ node_vmstat_ node_pressure_ node_filefd_ node_intr_total node_forks_total "
            "node_context_switches_total node_procs_ node_boot_time node_disk_ node_filesystem_ node_network_ node_netstat_Tcp "
            "node_timex_sync_status node_uname_info node_hwmon_ node_edac_ node_infiniband_ node_nvme_ node_entropy_").split()
leave = ("node_disk_info", "node_network_receive_nohandler_total")
names = sorted(k for k in before if k in after and k[0].startswith(tuple(families)) and k[0] not in leave)
missing = [k for k in names if k not in ours]
# The value lies between their reading before and their reading after; gauges that wander are left to 20 %.
wrong = []
for k in names:
    if k in missing: continue
    lo, hi = sorted((before[k], after[k]))
    slack = max(0.2 * abs(hi), 0.2 * abs(lo), 64) if not k[0].endswith("_total") else 1e-6 * abs(hi) + 1e-9
    if k[0].startswith(("node_load", "node_procs", "node_disk_io_now")): slack = 1e9
    if not lo - slack <= ours[k] <= hi + slack: wrong.append((k, before[k], ours[k], after[k]))
print("1..3")
def say(n, ok, text, why):
    print(("ok" if ok else "not ok"), n, "-", text)
    for w in why[:10]: print("#", w)
say(1, len(names) > 100, "node_exporter has series to compare with", [len(names)])
say(2, not missing, "no series of theirs is missing", missing)
say(3, not wrong, "values agree", wrong)
PY
