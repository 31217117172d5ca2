#!/bin/sh
# config: a wrong configuration is told with file, line and sentence; a broken one leaves the old one in force.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need curl python3

wrong() { # YAML WORDS...: --check-config fails with exit code 2 and says each of the words
    printf '%s\n' "$1" >"$tmp/wrong.yaml"
    shift
    exits 2 "$bin/myriascoped" --config "$tmp/wrong.yaml" --check-config || return 1
    for word; do has "$(cat "$tmp/err")" "$word" || return 1; done
}
ok 'broken YAML: file and line' wrong 'http: {listen: 127.0.0.1:0
store: [' 'wrong.yaml:2'
ok 'an unknown key: file, line, and the nearest known key' wrong 'state: x

htpp: {listen: 127.0.0.1:0}' wrong.yaml:3 htpp http
ok 'an unknown key within a section' wrong 'http:
  listen: 127.0.0.1:0
  auht: none' wrong.yaml:3 auht auth
ok 'a word that is no choice' wrong 'http: {auth: maybe}' wrong.yaml:1 required none
ok 'a number out of range' wrong 'http: {threads: 4000}' wrong.yaml:1 threads
ok 'a duration that is none' wrong 'store: {retention: soon}' wrong.yaml:1 retention
ok 'a sequence where a mapping is wanted' wrong 'http: [1, 2]' wrong.yaml:1
ok 'no sign-in is refused off loopback' wrong 'http: {listen: 0.0.0.0:8686, auth: none}' auth loopback
ok 'a route to nobody' wrong 'alerts: {route: {receiver: nobody}}' nobody receivers
ok 'a file that is not there' exits 2 "$bin/myriascoped" --config "$tmp/absent.yaml" --check-config
ok 'it is named' has "$(cat "$tmp/err")" absent.yaml
ok 'an unknown option is wrong usage' exits 3 "$bin/myriascoped" --confg x
ok 'a stray argument is wrong usage' exits 3 "$bin/myriascoped" x
printf 'version: 1\ncluster: {name: c}\nnodes:\n  - {nmae: node1}\n' >"$tmp/topology.yaml"
conf_write 'topology: topology.yaml'
ok 'a broken topology stops the start' exits 2 "$bin/myriascoped" --config "$conf"
ok 'and is told with file and line' has "$(cat "$tmp/err")" topology.yaml:4

topology >"$tmp/topology.yaml"
ok 'the server starts' server_start
ok 'it has given up system calls that it never makes' has "$(cat "/proc/$daemon/status")" 'Seccomp:	2'
cp "$conf" "$tmp/sound"
echo 'nonsense: 1' >>"$conf"
lines=$(wc -l <"$conf")
kill -HUP "$daemon"
told() { grep -q "myriascope.yaml:$lines.*nonsense" "$daemon_log"; }
ok 'SIGHUP with a broken file is told in the log, with file and line' until_true 50 told
ok 'the server goes on' is "$(code "$url/readyz")" 200
ok 'reload says the same to the operator' exits 2 ask reload
ok 'with the line' has "$(cat "$tmp/err")" "myriascope.yaml:$lines"
cp "$tmp/sound" "$conf"
ok 'a sound file is applied' exits 0 ask reload
sed -i 's/leaf-1/leaf-9/' "$tmp/topology.yaml"
ok 'so is a changed topology' exits 0 ask reload
ok 'which is then in force' has "$(get /api/v1/topology)" leaf-9
printf 'nodes: [' >"$tmp/topology.yaml"
ok 'a broken topology is refused' exits 2 ask reload
ok 'the old topology stays in force' has "$(get /api/v1/topology)" leaf-9
sed -i "s,^state: .*,state: $tmp/other," "$conf"
topology >"$tmp/topology.yaml"
ok 'what cannot change while running is refused by name' exits 2 ask reload
ok 'state' has "$(cat "$tmp/err")" state
server_end TERM
ok 'SIGTERM ends it with 0' is "$?" 0
finish
