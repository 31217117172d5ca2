#!/bin/sh
# agent_reload: SIGHUP applies a changed configuration of the agent as a whole, or not at all.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need curl python3
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
agent_conf() { printf 'node: %s\ninterval: 1s\nlisten: 127.0.0.1:%s\nspool: {dir: %s}\n%s\n' "$1" "$port" "$tmp/spool" "$2" >"$tmp/agent.yaml"; }
log=$tmp/agent.log
agent_conf before ''
"$bin/myriascope-agent" --config "$tmp/agent.yaml" >"$log" 2>&1 </dev/null &
agent=$!
pids="$pids $agent"
serves() { has "$(curl -s -m 5 "http://127.0.0.1:$port/metrics")" "node=\"$1\""; }
ok 'the agent serves series of its node' until_true 150 serves before

agent_conf after 'nonsense: 1'
kill -HUP $agent
ok 'a broken file is told with file and line' until_true 50 grep -q 'not applied.*agent.yaml:5.*nonsense' "$log"
ok 'the old configuration stays in force' serves before
agent_conf after ''
kill -HUP $agent
ok 'a sound file is applied' until_true 150 serves after
ok 'by the same process' kill -0 $agent
kill -TERM $agent
wait $agent
ok 'SIGTERM ends it with 0' is $? 0
finish
