#!/bin/sh
# diagnose: with no server, from standard input, a file, folders; formats, languages, exit codes, quickness.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3
cat >"$tmp/oom.log" <<'LOG'
[rank37]: Traceback (most recent call last):
[rank37]:   File "/workspace/train.py", line 210, in <module>
[rank37]:     loss.backward()
[rank37]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 5 has a total capacity of 79.11 GiB of which 1.02 GiB is free.
LOG
cat >"$tmp/xid.log" <<'LOG'
2026-11-23T08:00:01.000000+00:00 worker-0 kernel: NVRM: Xid (PCI:0000:3b:00): 79, pid=4711, name=python, GPU has fallen off the bus.
LOG
diagnose() { "$bin/myriascope" diagnose "$@"; }
json() { pick "$1" <"$tmp/out"; }

ok 'a log on standard input is diagnosed' sh -c '"$0" diagnose --format json <"$1" >"$2"' "$bin/myriascope" "$tmp/oom.log" "$tmp/out"
ok 'out of memory is the user'\''s' is "$(json 'd["verdict"], d["hypotheses"][0]["class"]')" "('user', 'user-oom')"
ok 'confidence is a probability' is "$(json '0.5 <= d["confidence"] <= 1')" True
ok 'a file is diagnosed' exits 0 diagnose --format json "$tmp/xid.log"
ok 'a GPU off the bus is infrastructure' is "$(json 'd["verdict"], d["hypotheses"][0]["cause"]')" "('infrastructure', 'nvidia.xid.79')"
mkdir -p "$tmp/job/worker-0" "$tmp/job/worker-1"
cp "$tmp/xid.log" "$tmp/job/worker-0/kern.log"
echo "step 12 loss 2.1" >"$tmp/job/worker-1/rank.log"
ok 'folders, one a node' exits 0 diagnose --format json "$tmp/job/worker-0" "$tmp/job/worker-1"
ok "name the node of the fault" is "$(json '"worker-0" in d["hypotheses"][0]["entity"]')" True
ok 'text is in English' exits 0 diagnose --lang en "$tmp/xid.log"
ok 'with the line as evidence' has "$(cat "$tmp/out")" 'fallen off the bus'
ok 'and in Chinese' exits 0 diagnose --lang zh "$tmp/xid.log"
ok 'with Chinese in it' python3 -c 'import sys; sys.exit(not any("一" <= c <= "鿿" for c in open(sys.argv[1], encoding="utf-8").read()))' "$tmp/out"
echo '[rank7]: RuntimeError: CUDA error: uncorrectable ECC error encountered' >"$tmp/rank.log"
ok 'a pasted line of a rank' exits 0 diagnose --format json "$tmp/rank.log"
ok 'names the rank where no node is told' is "$(json 'd["hypotheses"][0]["entity"], d["victims"]')" "('rank:-/7', [])"
echo 'all is well' >"$tmp/well.log"
ok 'a log that says nothing is done, with 0' exits 0 diagnose --format json "$tmp/well.log"
ok 'its verdict is unknown' is "$(json 'd["verdict"], d["hypotheses"]')" "('unknown', [])"
ok 'an empty input is no failure' exits 0 diagnose --format json /dev/null
ok 'a file that is not there is a failure' exits 2 diagnose "$tmp/absent.log"
ok 'and is named' has "$(cat "$tmp/err")" absent.log
ok 'nothing is on standard output then' is "$(cat "$tmp/out")" ''
ok 'an unknown option is wrong usage' exits 3 diagnose --fromat json
ok 'options stand before the command too' exits 0 "$bin/myriascope" --format json diagnose "$tmp/xid.log"
ok '--output writes a file' exits 0 diagnose --format json --output "$tmp/saved" "$tmp/xid.log"
ok 'which holds the diagnosis' is "$(pick 'd["verdict"]' <"$tmp/saved")" infrastructure
head -c 1500000 /dev/zero | tr '\0' 'x' >"$tmp/long.log"
head -c 200000 /dev/urandom >>"$tmp/long.log"
cat "$tmp/xid.log" >>"$tmp/long.log"
ok 'a line of a megabyte and random bytes do no harm' exits 0 diagnose --format json "$tmp/long.log"
dumps() {
    python3 - "$tmp/dumps" <<'PY'
import os, pickle, sys
for r in range(8):
    node = "%s/worker-%d" % (sys.argv[1], r // 4)
    os.makedirs(node, exist_ok=True)
    last = 30 if r == 5 else 31
    entries = [{"record_id": i, "pg_id": 0, "process_group": ("0", "default_pg"), "collective_seq_id": i,
                "profiling_name": "nccl:all_reduce", "state": "completed" if i < 31 else "started"} for i in range(20, last + 1)]
    status = {"0": {"last_enqueued_collective": last, "last_started_collective": last, "last_completed_collective": 30}}
    with open("%s/nccl_trace_rank_%d" % (node, r), "wb") as f:
        f.write(pickle.dumps({"version": "2.4", "pg_config": {}, "pg_status": status, "entries": entries}, protocol=2))
PY
}
ok 'dumps of the flight recorder, one a rank' dumps
ok 'are recognised' exits 0 diagnose --format json "$tmp/dumps"
ok 'the rank that is behind is named' is "$(json 'd["hypotheses"][0]["entity"]')" rank:-/5
ok 'with its node' has "$(json 'd["hypotheses"][0]["summary"]["en"]')" worker-1
for i in 1 2 3 4; do echo "12:00:0$i solver warm, residual $i.1e-4"; done >"$tmp/good.log"
{ cat "$tmp/good.log"; echo '12:00:09 solver pivot vanished in block 77, leaving'; } >"$tmp/bad.log"
ok 'a line that a healthy run lacks' exits 0 diagnose --format json --healthy "$tmp/good.log" "$tmp/bad.log"
ok 'is pointed out' has "$(json 'd["hypotheses"][0]["evidence"][0]["text"]')" 'pivot vanished'
ok 'but the verdict stays unknown' is "$(json 'd["verdict"]')" unknown
quick() {
    python3 - "$bin/myriascope" "$tmp/xid.log" <<'PY'
import subprocess, sys, time
times = []
for _ in range(7):
    t = time.monotonic()
    subprocess.run([sys.argv[1], "diagnose", sys.argv[2]], stdout=subprocess.DEVNULL, check=True)
    times.append(time.monotonic() - t)
print("best", min(times))
sys.exit(min(times) > 0.2)
PY
}
ok 'it starts within 0.2 s' quick
ok 'kb search needs no server' exits 0 "$bin/myriascope" --lang en kb search 'fallen off the bus'
ok 'kb show tells an entry' exits 0 "$bin/myriascope" kb show nvidia.xid.79
ok 'kb lint finds the shipped site example sound' exits 0 "$bin/myriascope" kb lint "$src/examples/kb"
finish
