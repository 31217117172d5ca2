#!/bin/sh
# active: three agents of this machine are asked for light tests, make them within a minute, and the report judges them.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3 curl
{
    printf 'version: 1\ncluster: {name: test}\nnodes:\n'
    for n in 1 2 3; do printf '  - {name: n%s}\n' $n; done
} >"$tmp/topology.yaml"
conf_write 'topology: topology.yaml'
ok 'the server starts' server_start || exit 1
agent() { # NAME EXTRA
    printf 'node: %s\ninterval: 1s\nserver: {url: "%s"}\nspool: {dir: %s}\nlogs: {kernel: false}\n%s\n' "$1" "$url" "$tmp/spool-$1" "$2" >"$tmp/$1.yaml"
    "$bin/myriascope-agent" --config "$tmp/$1.yaml" >"$tmp/$1.log" 2>&1 </dev/null &
    pids="$pids $!"
}
agent n1 ''
agent n2 ''
agent n3 'tests: {allow: false}'
reports() { [ "$(get '/prometheus/api/v1/query?query=count(myriascope_agent_info)' | pick 'd["data"]["result"][0]["value"][1]')" = 3 ]; }
ok 'three agents report' until_true 300 reports
began=$(date +%s)
ask check --active --busy --nodes 'n[1-3]' --format json >"$tmp/report" 2>"$tmp/err"
took=$(($(date +%s) - began))
cat "$tmp/err"
ok "the report is there within 60 s ($took s)" [ $took -le 60 ]
report() { is "$(pick "$1" <"$tmp/report")" "$2"; }
ok 'it is an active one, and done' report 'd["state"], d["active"]' "('done', True)"
ok 'two nodes made each test, the one that may not did none' report \
    'sorted((s["check"], s["pass"], s["unknown"]) for s in d["summary"] if s["check"].startswith("active-") and s["check"] not in ("active-gpu",) and "pair" not in s["check"])' \
    "[('active-disk', 2, 1), ('active-loopback', 2, 1), ('active-memory', 2, 1)]"
ok 'the pair of both talked' report '[s["pass"] >= 1 for s in d["summary"] if s["check"] == "active-pair-bandwidth"]' '[True]'
ok 'nothing stays on disk' is "$(find "$tmp" -name 'trial-*' | wc -l)" 0
curl -s -X PUT -H 'Content-Type: application/json' -H 'X-Requested-With: myriascope' --data '{"state":"running","nodes":"n[1-3]","start":"2026-01-01T00:00:00Z"}' "$url/api/v1/jobs/7" >/dev/null
known() { [ "$(get /api/v1/jobs/7 | pick 'd["state"]')" = running ]; }
until_true 50 known
sleep 1
ask check --active --nodes 'n[1-3]' --format json >"$tmp/report" 2>&1
ok 'where a job runs nothing is tested' report '[s["unknown"] for s in d["summary"] if s["check"] == "active-memory"]' '[3]'
ok 'a prolog may say how long it waits' exits 0 ask check --gate --timeout 5 --nodes 'n[1-3]'
finish
