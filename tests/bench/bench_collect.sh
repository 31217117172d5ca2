#!/bin/sh
# bench_collect: what polling costs: 600 switches of 64 ports, counters each 15 s, sensors each 60 s;
# then a value's cost beside prometheus-snmp-exporter (Debian's, where it is installed) on 60 switches
# and the same columns, asked by their numbers.
# then packets of a capture, and how much quicker than tshark they are told, with the same counts;
# then log lines matched against the whole knowledge base.
# Takes four minutes. Each figure is CPU time of the one process.
set -eu
bench=$MS_BUILDDIR/tests/bench/bench_collect
tmp=$(mktemp -d)
trap 'kill $children 2>/dev/null || :; rm -rf "$tmp"' EXIT
children=

"$MS_BUILDDIR/tests/kb/bench_matcher" | grep lines/s

# --- packets: three readings of 4 M, the middle one counts; tshark on the first 200,000
for i in 1 2 3; do "$MS_BUILDDIR/tests/bench/bench_pcap" "$tmp/a.pcap" 4000000 4096; done | sort -t: -k2 -n | sed -n 2p
if command -v tshark >/dev/null 2>&1; then
    head -c $((24 + 200000 * 144)) "$tmp/a.pcap" >"$tmp/b.pcap"
    python3 - "$MS_BUILDDIR/myriascope" "$tmp/b.pcap" "$tmp/a.pcap" <<'PY'
import collections, json, os, resource, subprocess, sys
def run(*argv):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return out, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
cmd, small, large = sys.argv[1:]
theirs, cost = run("tshark", "-n", "-r", small, "-T", "fields", "-e", "infiniband.bth.opcode")
count = collections.Counter(int(x, 0) for x in theirs.split())
ours, _ = run(cmd, "pcap", "--format", "json", small)
mine = {o["opcode"]: o["packets"] for o in json.loads(ours)["opcodes"]}
_, whole = run(cmd, "pcap", "--format", "json", large)
print("pcap: %s tshark's counts; %.2f M packets a CPU-second against %.3f M: %.0f times tshark" % (
    "the same as" if mine == dict(count) else "NOT", 4 / whole, 0.2 / cost, 4 / whole / (0.2 / cost)))
sys.exit(mine != dict(count))
PY
else
    echo 'tshark: not installed, no comparison'
fi
if [ "${1:-}" != --quick ]; then
    "$bench" 600 64 all
fi
"$bench" 60 64 counters 20 60 | tee "$tmp/ours"

exporter=$(command -v prometheus-snmp-exporter || command -v snmp_exporter || :)
if [ -z "$exporter" ]; then
    echo 'prometheus-snmp-exporter: not installed, no comparison'
    exit 0
fi

"$bench" --serve >"$tmp/port" &
children="$children $!"
while [ ! -s "$tmp/port" ]; do sleep 0.1; done
port=$(cat "$tmp/port")

column() { # name oid type
    printf '      - {name: %s, oid: %s, type: %s, help: %s, indexes: [{labelname: ifIndex, type: gauge}],\n' "$1" "$2" "$3" "$1"
    printf '         lookups: [{labels: [ifIndex], labelname: ifName, oid: 1.3.6.1.2.1.31.1.1.1.1, type: DisplayString}]}\n'
}
{
    echo 'ports:'
    echo '  walk: [1.3.6.1.2.1.31.1.1.1.1, 1.3.6.1.2.1.2.2.1.7, 1.3.6.1.2.1.2.2.1.8, 1.3.6.1.2.1.31.1.1.1.15,'
    echo '    1.3.6.1.2.1.31.1.1.1.6, 1.3.6.1.2.1.31.1.1.1.10, 1.3.6.1.2.1.2.2.1.14, 1.3.6.1.2.1.2.2.1.20,'
    echo '    1.3.6.1.2.1.2.2.1.13, 1.3.6.1.2.1.2.2.1.19, 1.3.6.1.2.1.2.2.1.9]'
    echo '  metrics:'
    column ifAdminStatus 1.3.6.1.2.1.2.2.1.7 gauge
    column ifOperStatus 1.3.6.1.2.1.2.2.1.8 gauge
    column ifHighSpeed 1.3.6.1.2.1.31.1.1.1.15 gauge
    column ifHCInOctets 1.3.6.1.2.1.31.1.1.1.6 counter
    column ifHCOutOctets 1.3.6.1.2.1.31.1.1.1.10 counter
    column ifInErrors 1.3.6.1.2.1.2.2.1.14 counter
    column ifOutErrors 1.3.6.1.2.1.2.2.1.20 counter
    column ifInDiscards 1.3.6.1.2.1.2.2.1.13 counter
    column ifOutDiscards 1.3.6.1.2.1.2.2.1.19 counter
    column ifLastChange 1.3.6.1.2.1.2.2.1.9 gauge
    echo '  version: 2'
    echo '  max_repetitions: 25'
    echo '  auth: {community: public}'
} >"$tmp/snmp.yml"

listen=127.0.0.1:$((20000 + $$ % 20000))
"$exporter" --config.file="$tmp/snmp.yml" --web.listen-address="$listen" >"$tmp/log" 2>&1 &
pid=$!
children="$children $pid"
url="http://$listen/snmp?module=ports&target=127.0.0.1:$port"
for i in 1 2 3 4 5 6 7 8 9 10; do
    curl -sf "$url" >"$tmp/warm" && break
    sleep 0.3
done
grep -q '^ifOperStatus' "$tmp/warm" || { tail -3 "$tmp/log"; exit 1; }

ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
before=$(ticks)
for i in $(seq 60); do
    curl -sf "$url" >"$tmp/page"
    cat "$tmp/page"
done | grep -c '^if' >"$tmp/values"
after=$(ticks)
awk -v t="$((after - before))" -v hz="$(getconf CLK_TCK)" -v n="$(cat "$tmp/values")" -v ours="$(cat "$tmp/ours")" '
    BEGIN {
        theirs = 1e6 * t / hz / n
        printf "prometheus-snmp-exporter, 60 switches: %.0f values a CPU-second, %.2f us each\n", n / (t / hz), theirs
        match(ours, /[0-9.]+ us each/)
        mine = substr(ours, RSTART, RLENGTH) + 0
        printf "a value costs %.1f times what it costs here, where it is stored too\n", theirs / mine
    }'
