#!/bin/sh
# remote_engine: the same product over its own files and over VictoriaMetrics: the same questions, rule, check, job path and
# incident; and nothing that was acknowledged is lost or told twice while the engine is away or the appliance is killed.
# ROUNDS: kills in each state (default 3).
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3 curl
command -v victoria-metrics >/dev/null 2>&1 || skip_all 'no victoria-metrics: the engine elsewhere is tested against it'
rounds=${ROUNDS:-3}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
remote() { python3 "$src/tests/programs/remote.py" "$@"; }
load() { python3 "$src/tests/programs/load.py" "$@"; }
now=$(($(date +%s) / 60 * 60))

# --- the engine ---
engine_port=$(free_port)
engine=http://127.0.0.1:$engine_port
engine_pid=
engine_start() {
    victoria-metrics -storageDataPath="$tmp/engine" -httpListenAddr=127.0.0.1:$engine_port -retentionPeriod=1y \
        -dedup.minScrapeInterval=1ms >>"$tmp/engine.log" 2>&1 </dev/null &
    engine_pid=$!
    pids="$pids $engine_pid"
    until_true 100 curl -sf -m 5 "$engine/health"
}
engine_end() {
    kill "-$1" "$engine_pid"
    wait "$engine_pid" 2>/dev/null
}
store_of() { # LABEL MORE
    echo "store: {engine: prometheus, write_url: '$engine/api/v1/write', query_url: '$engine', external_labels: {appliance: $1}$2}"
}
metric() { get /metrics | awk -v n="myriascope_engine_$1" '$1 == n {print $2}'; }
sent() { [ "$(metric up)" = 1 ] && awk -v l="$(metric lag_seconds)" 'BEGIN {exit !(l != "" && l < 2.5)}'; }
at_engine() { # QUERY: of the engine itself
    curl -s -m 20 --data-urlencode "query=$1" --data-urlencode "time=$((now - 30))" --data-urlencode nocache=1 "$engine/api/v1/query"
}

# --- one test, run for each engine ---
cat >"$tmp/rules.yaml" <<'YAML'
groups:
  - name: g
    interval: 1s
    rules:
      - {record: 'node:temp:avg', expr: avg by (node) (DCGM_FI_DEV_GPU_TEMP)}
      - {alert: Warm, expr: avg by (node) (DCGM_FI_DEV_GPU_TEMP) > 40, labels: {severity: info}}
YAML
exporter_port=$(free_port)
remote exporter "$exporter_port" >/dev/null 2>&1 &
pids="$pids $!"

firing() { get /prometheus/api/v1/alerts | grep -q '"alertname":"Warm"'; }
recorded() { get '/prometheus/api/v1/query?query=node:temp:avg' | grep -q node00001; }
scraped() { get '/prometheus/api/v1/query?query=exported_value' | grep -q '"42"'; }
# The others report again: accelerators that fell silent since the start are another fault.
opened() {
    for n in 1 2; do
        for g in 0 1 2 3 4 5 6 7; do echo "DCGM_FI_DEV_GPU_TEMP{node=\"node0000$n\",gpu=\"$g\"} 61"; done
    done | curl -s -o "$tmp/body" --data-binary @- "$url/prometheus/api/v1/import/prometheus"
    get '/api/v1/incidents?state=open' | grep -q 'gpu:node00001/2'
}
visible() { # a name that was asked for before it was there is unknown to VictoriaMetrics for ten seconds
    for m in DCGM_FI_DEV_GPU_TEMP DCGM_FI_DEV_POWER_USAGE node_network_receive_bytes_total otlp_value written_value; do
        get "/prometheus/api/v1/query?query=$m&time=$((now - 3600))" | grep -q node00002 || return 1
    done
}
same_product() { # ENGINE MORE
    name=$1
    state=$tmp/$name
    port=
    conf_write "$2
rules: [rules.yaml]
analysis: {settle: 1s}
scrape_configs: [{job_name: x, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:$exporter_port']}]}]"
    ok "$name: the appliance starts" server_start
    topology >"$tmp/topology.yaml"
    curl -s -X PUT --data-binary "@$tmp/topology.yaml" "$url/api/v1/topology" >/dev/null
    ok "$name: every input is taken" remote fill "$url" "$now"
    curl -s -X PUT -d '{"id":"4711","name":"t","user":"u","state":"running","nodes":"node[00001-00002]","gpus_per_node":8}' "$url/api/v1/jobs/4711" >/dev/null
    [ "$name" = sqlite ] || ok "$name: all of it is at the engine soon" until_true 150 sent
    [ "$name" = sqlite ] || ok "$name: the engine shows it" until_true 200 visible
    ok "$name: the dashboards' questions are answered" remote ask "$url" "$now" "$tmp/$name.json"
    ok "$name: an exporter is scraped" until_true 100 scraped
    ok "$name: a recording rule records" until_true 150 recorded
    ok "$name: an alerting rule fires" until_true 150 firing
    get /api/v1/jobs/4711/path >"$tmp/$name.path"
    ok "$name: the job path knows its accelerators" is "$(pick 'sum(len(l["items"]) for l in d["layers"] if l["name"] == "gpu")' <"$tmp/$name.path")" 16
    ok "$name: and their temperature" is "$(pick '[bool(i["kpi"]) for l in d["layers"] if l["name"] == "gpu" for i in l["items"]][0]' <"$tmp/$name.path")" True
    curl -s -m 30 -d '{"profile":"prejob","scope":{"nodes":"node[00001-00002]"}}' "$url/api/v1/checks" >"$tmp/$name.check"
    ok "$name: a check passes on what is measured" is "$(pick 'd["verdict"], d["counts"]["pass"] > 15' <"$tmp/$name.check")" "('pass', True)"
    for v in 0 1; do
        echo "DCGM_FI_DEV_ROW_REMAP_FAILURE{node=\"node00001\",gpu=\"2\"} $v" |
            curl -s -o "$tmp/body" --data-binary @- "$url/prometheus/api/v1/import/prometheus"
        sleep 2
    done
    ok "$name: a detector opens an incident at the part" until_true 600 opened
    get /api/v1/overview | pick 'sorted(d)' >"$tmp/$name.overview"
    ok "$name: lines stay here" has "$(get '/api/v1/logs?query=hello')" 'a line that says hello'
    server_end TERM
}
same_product sqlite ''
ok 'the engine starts' engine_start
same_product prometheus "$(store_of one)"
ok 'both answer the same' remote same "$tmp/sqlite.json" "$tmp/prometheus.json"
ok 'the overview has the same parts' cmp "$tmp/sqlite.overview" "$tmp/prometheus.overview"
ok 'what rules record is at the engine too' has "$(curl -s "$engine/api/v1/series?match[]=node:temp:avg")" '"appliance":"one"'

# --- nothing lost, nothing twice ---
state=$tmp/two
port=
conf_write "$(store_of two ', spool: 1GB')
analysis: {enabled: false}"
ok 'a second appliance writes to the same engine' server_start
load push "$url" "$tmp/notes" 6 >"$tmp/load.out" 2>&1 &
pushing=$!
sleep 1
engine_end TERM
sleep 2
ok 'while the engine is away samples are taken in, and cut from the journal' exits 0 curl -sf -m 30 -X POST "$url/api/v1/store/compact"
spooled() { [ "$(metric spool_bytes)" -gt 0 ]; }
ok 'they wait in the spool' spooled
ok 'an old question says which engine does not answer' has "$(get "/prometheus/api/v1/query?query=load_value&time=$((now - 7200))")" "the engine at $engine does not answer"
ok 'the engine comes back' engine_start
wait $pushing
ok 'then all of it is sent' until_true 300 sent
sleep 2
ok 'what was acknowledged is at the engine exactly once' remote exact "$engine" two "$tmp/notes"

killed() { # LABEL: one life under load, ended at a moment of its own
    i=0
    while [ $i -lt "$rounds" ]; do
        i=$((i + 1))
        load push "$url" "$tmp/notes" 1.5 >"$tmp/load.out" 2>&1 &
        pushing=$!
        sleep "0.$((3 + i * 7 % 6))"
        [ "$1" = cut ] && curl -sf -m 30 -X POST "$url/api/v1/store/compact" >/dev/null 2>&1 &
        sleep 0.2
        [ "$1" = back ] && engine_start >/dev/null
        server_end KILL
        wait $pushing
        [ "$1" = back ] && engine_end KILL
        server_start >"$tmp/start" 2>&1 || { cat "$tmp/start"; return 1; }
    done
}
ok "killed $rounds times while the engine is well" killed well
engine_end KILL # what it took and had not written yet is lost with it, and sent again
ok "killed $rounds times while the engine is away" killed away
ok "killed $rounds times while the journal is cut" killed cut
ok "killed $rounds times while the engine comes back" killed back
ok 'the engine comes back for good' engine_start
ok 'and all of it is sent' until_true 600 sent
sleep 2
ok 'what was acknowledged is at the engine exactly once, still' remote exact "$engine" two "$tmp/notes"
ok 'and the appliance says the same' load check "$url" "$tmp/notes"
server_end TERM
ok 'its files are sound' exits 0 "$bin/myriascope" store verify "$state"

# --- another engine ---
if command -v prometheus >/dev/null 2>&1; then
    other_port=$(free_port)
    printf 'global: {}\nstorage: {tsdb: {out_of_order_time_window: 1d}}\n' >"$tmp/prometheus.yml"
    other_start() {
        prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/other" --web.enable-remote-write-receiver \
            --web.listen-address=127.0.0.1:$other_port >>"$tmp/other.log" 2>&1 </dev/null &
        other=$!
        pids="$pids $other"
        until_true 200 curl -sf -m 5 "http://127.0.0.1:$other_port/-/ready"
    }
    state=$tmp/four
    port=
    conf_write "store: {engine: prometheus, write_url: 'http://127.0.0.1:$other_port/api/v1/write', query_url: 'http://127.0.0.1:$other_port', external_labels: {appliance: four}}
analysis: {enabled: false}"
    ok 'Prometheus starts as an engine' other_start
    ok 'an appliance writes to it' server_start
    load push "$url" "$tmp/other-notes" 4 >"$tmp/load.out" 2>&1 &
    pushing=$!
    sleep 1
    kill -KILL $other
    wait $other 2>/dev/null
    server_end KILL
    ok 'both are killed under load; the appliance starts again' server_start
    wait $pushing
    ok 'and Prometheus' other_start
    ok 'all of it is sent' until_true 300 sent
    ok 'what was acknowledged is there exactly once' remote exact "http://127.0.0.1:$other_port" four "$tmp/other-notes"
    ok 'and nothing was refused' is "$(metric refused_samples_total)" 0
    server_end TERM
    kill -TERM $other
else
    skip 'Prometheus as an engine' 'no prometheus'
fi

# --- one reads all ---
state=$tmp/three
port=
conf_write "$(store_of reader ', read: all')
analysis: {enabled: false}"
ok 'an appliance that reads all starts' server_start
ok 'it sees the others by their label' is "$(get "/prometheus/api/v1/query?query=count%20by%20(appliance)%20(last_over_time(%7B__name__=~%22load_value|written_value%22%7D%5B3h%5D))" |
    pick 'sorted((r["metric"]["appliance"], r["value"][1]) for r in d["data"]["result"])')" "[('one', '2'), ('two', '4')]"
ok 'and lists their labels' has "$(get "/prometheus/api/v1/label/appliance/values")" '"two"'
server_end TERM
finish
