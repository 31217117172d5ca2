#!/bin/sh
# The same series and queries through Prometheus and through this engine over the real store: every value, label set, order,
# type and error must be the same. TAP. Skips where there is no prometheus.
for tool in prometheus curl python3; do
    command -v $tool >/dev/null 2>&1 || { echo "1..0 # SKIP no $tool"; exit 0; }
done
dir=$(mktemp -d) || exit 1
pid=
trap 'test -n "$pid" && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'global: {}\nstorage: {tsdb: {out_of_order_time_window: 2h}}\n' >"$dir/p.yml"
prometheus --config.file="$dir/p.yml" --storage.tsdb.path="$dir/data" --web.enable-remote-write-receiver \
    --storage.tsdb.retention.time=50y --web.listen-address=127.0.0.1:$port >"$dir/log" 2>&1 &
pid=$!
for i in $(seq 100); do
    curl -sf http://127.0.0.1:$port/-/ready >/dev/null 2>&1 && break
    python3 -c 'import time; time.sleep(0.1)'
done
"${MS_BUILDDIR:-.}/tests/store/promql_diff" http://127.0.0.1:$port "$dir/store"
