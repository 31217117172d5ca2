# server.sh: read by the tests of programs: a server of the test's own, on a free port with a state of its own.
. "$src/tests/packaging/tap.sh"
pids=
url=
quit() {
    for p in $pids; do kill "$p" 2>/dev/null; done
    for p in $pids; do wait "$p" 2>/dev/null; done
    rm -rf "$tmp"
}
trap quit EXIT
trap 'exit 1' INT TERM
unset MYRIASCOPE_SERVER MYRIASCOPE_TOKEN_FILE
state=$tmp/state
conf=$tmp/myriascope.yaml
daemon_log=$tmp/myriascoped.log
daemon=

# until_true TENTHS COMMAND...: waits for a condition, not for a time.
until_true() {
    left=$1
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

# conf_write TEXT: the configuration; state and a free port come first.
conf_write() {
    { printf 'state: %s\nhttp: {listen: 127.0.0.1:%s, auth: %s}\n' "$state" "${port:-0}" "${auth:-none}"; printf '%s\n' "$1"; } >"$conf"
}
alive() { case $(awk '{print $3}' "/proc/$daemon/stat" 2>/dev/null) in '' | Z) false ;; esac; }
listening() { port=$(sed -n 's/.*listens on port \([0-9]*\).*/\1/p' "$daemon_log" | tail -1); [ -n "$port" ] || ! alive; }

# Starts the server and waits until it is ready. A restart takes the port it had.
server_start() {
    : >"$daemon_log" # here and not by the child, which may come to it after we have looked
    "$bin/myriascoped" --config "$conf" >"$daemon_log" 2>&1 </dev/null &
    daemon=$!
    pids="$pids $daemon"
    until_true 300 listening
    [ -n "$port" ] || { cat "$daemon_log"; return 1; }
    url=http://127.0.0.1:$port
    until_true 300 curl -sf -m 5 "$url/readyz" || { cat "$daemon_log"; curl -s -m 5 "$url/readyz"; false; }
}
server_end() { # SIGNAL
    kill "-$1" "$daemon"
    wait "$daemon" 2>/dev/null
}
get() { curl -s -m 20 "$url$1"; }
code() { curl -s -m 20 -o "$tmp/body" -w '%{http_code}' "$@"; }
ask() { "$bin/myriascope" --server "$url" "$@"; }
exits() { # CODE COMMAND...
    wanted=$1
    shift
    "$@" </dev/null >"$tmp/out" 2>"$tmp/err"
    got=$?
    [ $got = "$wanted" ] || { echo "exit code $got, wanted $wanted"; cat "$tmp/out" "$tmp/err"; false; }
}
# pick EXPRESSION: of the JSON on standard input, called d
pick() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
need() {
    for tool; do command -v "$tool" >/dev/null 2>&1 || skip_all "no $tool"; done
}
loki() { # NODE SOURCE LINE: one line of a log, now
    python3 - "$url" "$@" <<'PY'
import json, sys, time, urllib.request
url, node, source, line = sys.argv[1:]
body = {"streams": [{"stream": {"node": node, "source": source}, "values": [[str(time.time_ns()), line]]}]}
r = urllib.request.Request(url + "/loki/api/v1/push", json.dumps(body).encode(), {"Content-Type": "application/json"})
print(urllib.request.urlopen(r, timeout=20).status)
PY
}
# A cluster of two servers with 8 GPUs each under one leaf switch.
topology() {
    cat <<'YAML'
version: 1
cluster: {name: test}
switches: [{name: leaf-1, role: leaf, plane: parameter}]
nodes:
  - {name: node00001, gpus: {count: 8, vendor: nvidia, model: H100, pci: ['0000:10:00', '0000:20:00', '0000:30:00', '0000:3b:00', '0000:40:00', '0000:50:00', '0000:60:00', '0000:70:00']}, nics: [{name: mlx5_0, rail: 1, plane: parameter}]}
  - {name: node00002, gpus: {count: 8, vendor: nvidia, model: H100}, nics: [{name: mlx5_0, rail: 1, plane: parameter}]}
links:
  - {a: node00001/mlx5_0, b: leaf-1/Ethernet1, gbps: 400, optic: true}
  - {a: node00002/mlx5_0, b: leaf-1/Ethernet2, gbps: 400, optic: true}
YAML
}
