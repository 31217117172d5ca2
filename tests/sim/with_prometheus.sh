#!/bin/sh
# Prometheus as receiver: what the simulator writes is taken whole, and read back means what was simulated.
# TAP. Skips where there is no prometheus, curl or python3.
sim=${MS_BUILDDIR:-.}/myriascope-sim
for tool in prometheus curl python3; do
    command -v $tool >/dev/null 2>&1 || { echo "1..0 # SKIP no $tool"; exit 0; }
done
dir=$(mktemp -d) || exit 1
pid=
trap 'test -n "$pid" && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
echo 'global: {}' >"$dir/p.yml"
prometheus --config.file="$dir/p.yml" --storage.tsdb.path="$dir/data" --web.enable-remote-write-receiver \
    --web.listen-address=127.0.0.1:$port --web.route-prefix=/prometheus >"$dir/log" 2>&1 &
pid=$!
ready=no
for i in $(seq 100); do
    curl -sf $url/prometheus/-/ready >/dev/null 2>&1 && { ready=yes; break; }
    python3 -c 'import time; time.sleep(0.1)'
done
echo 1..4
n=0
say() {
    n=$((n + 1))
    if [ "$1" = "$2" ]; then echo "ok $n - $3"; else echo "not ok $n - $3"; echo "# '$1' is not '$2'"; fi
}
ask() {
    curl -s $url/prometheus/api/v1/query --data-urlencode "query=$1" --data-urlencode "time=$2" |
        python3 -c 'import json, sys; r = json.load(sys.stdin)["data"]["result"]; print(r[0]["value"][1] if r else "none")'
}
say $ready yes "prometheus is ready"
start=$(($(date +%s) - 600))
"$sim" --nodes 8 --server $url --start $start --duration 5m --quiet --no-noise --timer-scale 0.02 \
    --fault gpu-slow@60s+120s:node00003/2 --fault gpu-fallen-off@240s+60s:node00002/1 2>"$dir/err"
say "$(ask 'count(DCGM_FI_DEV_GPU_TEMP)' $((start + 200)))" 64 "every GPU has a temperature"
say "$(ask 'DCGM_FI_DEV_SM_CLOCK{Hostname="node00003",gpu="2"} < bool 1300' $((start + 170)))" 1 "the straggler's clock is low"
say "$(ask 'count(DCGM_FI_DEV_GPU_TEMP)' $((start + 290)))" 63 "a GPU off the bus ends its series at once"
