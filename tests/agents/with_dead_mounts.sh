#!/bin/sh
# Mounts whose server stopped answering (FUSE, in a mount namespace of the test's own): found, told, and the agent neither
# stalls nor hangs at its end. TAP. Skips where mounts are not allowed.
agent=${MS_BUILDDIR:-.}/myriascope-agent
src=${MS_SRCDIR:-.}
cc=${CC:-cc}
command -v ${cc%% *} >/dev/null 2>&1 || { echo '1..0 # SKIP no compiler'; exit 0; }
dir=$(mktemp -d) || exit 1
pid=
trap 'rm -f "$dir/hold"; test -n "$pid" && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
$cc -o "$dir/fuse_mounts" "$src/tests/agents/fuse_mounts.c" 2>/dev/null || { echo '1..0 # SKIP cannot be built'; exit 0; }
: >"$dir/hold"
"$dir/fuse_mounts" "$dir" /bin/true
[ $? -eq 77 ] && { echo '1..0 # SKIP mounts are not allowed here'; exit 0; }
echo 1..5
n=0
say() {
    n=$((n + 1))
    text=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "ok $n - $text"; else echo "not ok $n - $text"; sed 's/^/# /' "$dir/out" | tail -20; fi
}
"$dir/fuse_mounts" "$dir" "${MS_BUILDDIR:-.}/tests/agents/test_netfs" "$dir" >"$dir/out" 2>&1
say 'mounts are asked by children that may hang (test_netfs)' test $? -eq 0
: >"$dir/hold"
cat >"$dir/run.sh" <<'SH'
dir=$1; agent=$2
start=$(date +%s)
"$agent" --once --node n1 >"$dir/once.prom" 2>/dev/null
echo $(($(date +%s) - start)) >"$dir/once.took"
# The daemon: three collections while three mounts are dead, then told to end.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'node: n1\ninterval: 1s\nlisten: 127.0.0.1:%s\n' "$port" >"$dir/agent.yaml"
"$agent" --config "$dir/agent.yaml" 2>"$dir/agent.err" &
pid=$!
for i in $(seq 150); do
    curl -sf "http://127.0.0.1:$port/metrics" >"$dir/daemon.prom" 2>/dev/null &&
        grep -q 'mount_stalled_seconds{[^}]*dead2"} [3-9]' "$dir/daemon.prom" && break
    python3 -c 'import time; time.sleep(0.1)'
done
curl -sf "http://127.0.0.1:$port/healthz" >"$dir/healthz" 2>/dev/null
start=$(date +%s)
kill $pid
wait $pid
echo $(($(date +%s) - start)) >"$dir/end.took"
rm -f "$dir/hold" # children that hang beyond SIGKILL would keep this namespace
exit 0
SH
# The namespace's own view of its mounts: /proc/1 is another's, so the agent is given a PID namespace too where it can be.
timeout 60 "$dir/fuse_mounts" "$dir" /usr/bin/unshare -p -f --mount-proc sh "$dir/run.sh" "$dir" "$agent" >"$dir/out" 2>&1
grep -h 'mount_stalled' "$dir/daemon.prom" "$dir/once.prom" >>"$dir/out" 2>/dev/null
say '--once tells which mounts hang, and ends in time' sh -c "[ \$(cat '$dir/once.took') -le 10 ] && \
    [ \$(grep -c 'node_filesystem_device_error{.*dead[0-9]\"} 1' '$dir/once.prom') -eq 3 ] && grep -q '^node_load1 ' '$dir/once.prom'"
say 'the mount that answers has its size' grep -q 'node_filesystem_size_bytes{.*/well"} 4096000' "$dir/once.prom"
say 'the daemon goes on collecting, and tells for how long they hang' sh -c "grep -q ok '$dir/healthz' && \
    grep -q 'mount_stalled_seconds{.*dead0\"} [1-9]' '$dir/daemon.prom' && grep -q 'mount_stalled_seconds{.*/well\"} 0' '$dir/daemon.prom'"
say 'and ends when told to' sh -c "[ \$(cat '$dir/end.took') -le 4 ]"
