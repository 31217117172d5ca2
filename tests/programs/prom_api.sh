#!/bin/sh
# prom_api: what Grafana and other clients ask is answered as Prometheus answers it: status, errors word by word, data.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
for tool in curl python3 prometheus; do command -v $tool >/dev/null 2>&1 || skip_all "no $tool"; done

conf_write 'analysis: {enabled: false}'
server_start || exit 1
free=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo 'global: {}' >"$tmp/prometheus.yml"
prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/prometheus" --web.enable-remote-write-receiver \
    --web.listen-address=127.0.0.1:$free >"$tmp/prometheus.log" 2>&1 </dev/null &
pids="$pids $!"
ok 'Prometheus is up' until_true 300 curl -sf -m 5 http://127.0.0.1:$free/-/ready
ok 'the same requests have the same answers' python3 "$src/tests/programs/prom_api.py" http://127.0.0.1:$free "$url/prometheus"
finish
