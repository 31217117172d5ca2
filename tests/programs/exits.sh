#!/bin/sh
# exits: the exit codes that prologs, monitoring and scripts rely on, with and without a server.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need curl python3
topology >"$tmp/topology.yaml"
away="$bin/myriascope --server http://127.0.0.1:9"
ok 'check without a server is unknown' exits 3 $away check
ok 'a prolog without a server goes' exits 0 $away check --gate --nodes node00001
ok 'unless told otherwise' exits 1 $away check --gate --fail-closed --nodes node00001
ok 'any other command without a server has failed' exits 2 $away incidents
ok 'an unknown command is wrong usage' exits 3 "$bin/myriascope" incidnets
ok 'and the nearest is named' has "$(cat "$tmp/err")" incidents
ok 'no command is wrong usage' exits 3 "$bin/myriascope"
ok 'a wrong node list is wrong usage' exits 3 $away check --nodes 'node[1-'

auth=required
conf_write 'topology: topology.yaml'
ok 'the server starts' server_start
ok 'without a token: refused' exits 2 ask incidents --token-file /dev/null
ok 'the API says 401' is "$(code "$url/api/v1/incidents")" 401
ok 'health and readiness need no token' is "$(code "$url/healthz")$(code "$url/readyz")" 200200
mode() { is "$(stat -c %a "$state" "$state/admin.token" | tr '\n' ' ')" '700 600 '; }
ok 'state is 0700, the token 0600' mode
MYRIASCOPE_TOKEN_FILE=$state/admin.token
export MYRIASCOPE_TOKEN_FILE
ok 'with the token: done' exits 0 ask incidents
basic() { is "$(curl -s -o /dev/null -w '%{http_code}' -u "x:$(cat "$state/admin.token")" "$url/api/v1/incidents")" 200; }
ok 'HTTP Basic takes the token as password' basic
ok 'a sign-in link is made' has "$(ask user signin)" "$url/signin?code="
ok 'nodes that say nothing are unknown' exits 3 ask check --nodes 'node[00001-00002]'
ok 'for a prolog that is a go' exits 0 ask check --gate --nodes 'node[00001-00002]'
ok 'for a strict one it is not' exits 1 ask check --gate=strict --nodes 'node[00001-00002]'
ok 'nagios: one line, same code' exits 3 ask check --nodes node00001 --format nagios
ok 'it begins with the word' has "$(head -1 "$tmp/out")" UNKNOWN
ok 'junit' exits 3 ask check --nodes node00001 --format junit
ok 'is XML' python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$tmp/out"
ok 'html' exits 3 ask check --nodes node00001 --format html
ok 'is a whole page' has "$(cat "$tmp/out")" '</html>'
ok 'json' exits 3 ask check --nodes node00001 --format json
ok 'has the report' is "$(pick 'd["verdict"]' <"$tmp/out")" unknown
ok 'a topology document is exported' exits 0 ask topology export
ok 'a query is answered' exits 0 ask query 'vector(1)'
ok 'a wrong query has failed' exits 2 ask query 'sum('
ok 'an incident that is not there' exits 2 ask incidents i-none
ok 'the diagnosis of a job that is not there' exits 2 ask diagnose --job 999999
ok 'is not found' is "$(code -u "x:$(cat "$state/admin.token")" "$url/api/v1/jobs/999999/diagnosis")" 404
printf 'optic_rx_power_dbm{node="leaf-1",port="Ethernet%d",lane="%d"} %s\n' 1 1 -12.1 1 2 -3 2 1 -2 >"$tmp/optics"
printf 'optic_rx_power_dbm_low_alarm{node="leaf-1",port="Ethernet%d"} -9.6\n' 1 2 >>"$tmp/optics"
ok 'modules report' is "$(code -u "x:$(cat "$state/admin.token")" --data-binary "@$tmp/optics" "$url/prometheus/api/v1/import/prometheus")" 204
ok 'those of a switch are listed' exits 0 ask optics leaf-1
ok 'the weakest first, below its limit' has "$(sed -n 2p "$tmp/out")" ALARM
ok 'one is shown' exits 0 ask optics optic:leaf-1/Ethernet2
ok 'beside its limits' has "$(cat "$tmp/out")" 'ok     -9.6'
ok 'one that does not report has failed' exits 2 ask optics leaf-9
finish
