#!/bin/sh
# bench_queries: six questions that a fleet's dashboards ask, of VictoriaMetrics, where it is installed, and of this store, over
# the same samples; a line each, and the ratios. PROMETHEUS=1 asks a Prometheus too.
#   bench_queries.sh [nodes=1250] [rounds=15] [ingest=SAMPLES/S]
bin=${MS_BUILDDIR:-.}
dir=$(mktemp -d) || exit 1
pids=
trap 'for p in $pids; do kill $p 2>/dev/null; done; wait 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
up() { # URL
    for i in $(seq 300); do curl -sf -m 5 "$1" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "bench_queries: no answer from $1"; cat "$dir"/*.log; exit 1
}
settle=:
if command -v victoria-metrics >/dev/null 2>&1; then
    p=$(port)
    victoria-metrics -storageDataPath="$dir/vm" -httpListenAddr=127.0.0.1:$p -retentionPeriod=2 >"$dir/vm.log" 2>&1 &
    pids="$pids $!"
    set -- "$@" VictoriaMetrics=$!=http://127.0.0.1:$p
    up http://127.0.0.1:$p/health
    settle="curl -s 127.0.0.1:$p/internal/force_flush; curl -s 127.0.0.1:$p/internal/force_merge; sleep 5"
fi
if [ -n "$PROMETHEUS" ]; then
    p=$(port)
    echo 'global: {}' >"$dir/p.yml"
    prometheus --config.file="$dir/p.yml" --storage.tsdb.path="$dir/prometheus" --web.enable-remote-write-receiver \
        --web.listen-address=127.0.0.1:$p >"$dir/p.log" 2>&1 &
    pids="$pids $!"
    set -- "$@" Prometheus=$!=http://127.0.0.1:$p
    up http://127.0.0.1:$p/-/ready
fi
p=$(port)
printf 'state: %s\nhttp: {listen: 127.0.0.1:%s, auth: none}\nanalysis: {enabled: false}\n' "$dir/state" "$p" >"$dir/m.yaml"
"$bin/myriascoped" --config "$dir/m.yaml" >"$dir/m.log" 2>&1 &
ours=$!
pids="$pids $ours"
up http://127.0.0.1:$p/readyz
settle="$settle; '$bin/myriascope' --server http://127.0.0.1:$p store compact >/dev/null"
"$bin/tests/bench/bench_queries" "settle=$settle" "$@" myriascope=$ours=http://127.0.0.1:$p/prometheus
