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
print("1..4")
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
say("who paused is named", [(p["pfc"], p["pause"], p["priorities"][0]["xoff"] if p["priorities"] else 0) for p in got["pausing_ports"]],
    [(want["pfc"], want["pause"], want["pause"])] if got["pausing_ports"][0]["priorities"][0]["priority"] == 0 else
    [(want["pfc"], want["pause"], want["pfc"] // 2)])
if os.path.exists(d + "/referee"):
    theirs, ce = collections.Counter(), 0
    for line in open(d + "/referee"):
        op, qp, ecn, macc = (line.rstrip("\n").split("\t") + [""] * 4)[:4]
        if op: theirs[int(op, 0)] += 1; ce += ecn in ("3", "0x03", "0x00000003")
    ours = {o["opcode"]: o["packets"] for o in got["opcodes"]}
    say("tshark counts the same operations", (ours, got["ce"]), (dict(theirs), ce))
else:
    n += 1
    print("ok", n, "- tshark counts the same operations # SKIP no tshark")
PY
