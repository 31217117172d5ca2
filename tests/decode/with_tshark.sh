#!/bin/sh
# tshark as referee: the same capture gives the same counts, operation by operation; and the faults that were put in are found.
# TAP. Skips where there is no python3; without tshark only what was put in is checked.
cmd=${MS_BUILDDIR:-.}/myriascope
here=$(dirname "$0")
command -v python3 >/dev/null 2>&1 || { echo '1..0 # SKIP no python3'; exit 0; }
[ -x "$cmd" ] || { echo '1..0 # SKIP no myriascope'; exit 0; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
python3 "$here/make_pcap.py" "$dir/a.pcap" >"$dir/want" || exit 1
"$cmd" pcap --format json "$dir/a.pcap" >"$dir/got" || { echo '1..1'; echo 'not ok 1 - pcap'; exit 1; }
if command -v tshark >/dev/null 2>&1; then
    tshark -n -r "$dir/a.pcap" -T fields -e infiniband.bth.opcode -e infiniband.bth.destqp -e ip.dsfield.ecn -e macc.opcode \
        >"$dir/referee" 2>/dev/null || rm -f "$dir/referee"
fi
python3 - "$dir" <<'PY'
import collections, json, os, sys
d = sys.argv[1]
want, got = json.load(open(d + "/want")), json.load(open(d + "/got"))
print("1..8")
n = 0
def say(text, a, b):
    global n
    n += 1
    print("ok" if a == b else "not ok", n, "-", text)
    if a != b: print("#", a, "is not", b)
say("frames are told apart", {k: got[k] for k in ("frames", "roce", "cnp", "ce", "pfc", "pause")},
    {k: want[k] for k in ("frames", "roce", "cnp", "ce", "pfc", "pause")})
total = lambda k: sum(f[k] for f in got["flows"])
say("gaps, repeats and refusals are found", [total(k) for k in ("psn_gaps", "packets_missing", "retransmitted", "nak_sequence", "rnr")],
    [want[k] for k in ("gaps", "missing", "repeated", "nak", "rnr")])
say("who paused is named", sorted((p["mac"][-2:], p["pfc"], p["pause"]) for p in got["pausing_ports"]),
    [("01", 12, want["pause"]), ("aa", 6000, 0), ("bb", 2999, 0)])
held = {p["mac"][-2:]: sum(x["paused_seconds"] for x in p["priorities"]) for p in got["pausing_ports"]}
say("a storm is found where it began, and how long others were held", (got["storm"]["mac"], 0.3 < held["aa"] < 0.5, 0.1 < held["bb"] < held["aa"]),
    (want["storm"], True, True))
say("answers are timed from what asked for them", (got["answers"]["count"], got["answers"]["max_us"], got["answers"]["p50_us"] <= 32),
    (want["answers"], want["slow"], True))
say("a mirror is looked through and elephants of one path are told", ([(c["path"], c["flows"]) for c in got["collisions"]], got["becn"]),
    ([(7, 2)], want["becn"]))
n0 = got["neighbours"][0] if got["neighbours"] else {}
say("a neighbour's own words and its priorities are read",
    [n0.get(k) for k in ("system", "port", "dcbx", "pfc_priorities", "applications")],
    ["leaf-g01-1", "Ethernet7", "ieee", [3, 4], [{"selector": 3, "protocol": 4791, "priority": 3}]])
if os.path.exists(d + "/referee"):
    theirs, ce = collections.Counter(), 0
    for line in open(d + "/referee"):
        op, qp, ecn, macc = (line.rstrip("\n").split("\t") + [""] * 4)[:4]
        if op: theirs[int(op.split(",")[-1], 0)] += 1; ce += ecn.split(",")[-1] in ("3", "0x03", "0x00000003")
    ours = {o["opcode"]: o["packets"] for o in got["opcodes"]}
    say("tshark counts the same operations", (ours, got["ce"]), (dict(theirs), ce))
else:
    n += 1
    print("ok", n, "- tshark counts the same operations # SKIP no tshark")
PY
