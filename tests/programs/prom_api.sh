#!/bin/sh
# prom_api: what Grafana and other clients ask is answered as Prometheus answers it: status, errors word by word, data.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
for tool in curl python3 prometheus; do command -v $tool >/dev/null 2>&1 || skip_all "no $tool"; done

cat >"$tmp/rules.yaml" <<'EOR'
groups:
- name: both
  interval: 1s
  rules:
  - record: answer
    expr: vector(42)
    labels: {to: everything}
  - alert: Always
    expr: vector(5) > 1
    labels: {severity: info}
    annotations: {summary: 'it is {{ $value }}'}
  - alert: Waits
    expr: vector(0.5)
    for: 1h
    keep_firing_for: 5m
  - alert: Never
    expr: vector(1) > 2
EOR
conf_write "rules: [$tmp/rules.yaml]"
server_start || exit 1
free=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'global: {evaluation_interval: 1s}\nrule_files: [rules.yaml]\n' >"$tmp/prometheus.yml"
prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/prometheus" --web.enable-remote-write-receiver \
    --web.listen-address=127.0.0.1:$free >"$tmp/prometheus.log" 2>&1 </dev/null &
pids="$pids $!"
ok 'Prometheus is up' until_true 300 curl -sf -m 5 http://127.0.0.1:$free/-/ready
ok 'the same requests have the same answers' python3 "$src/tests/programs/prom_api.py" http://127.0.0.1:$free "$url/prometheus"
finish
