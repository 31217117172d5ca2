#!/bin/sh
# keep: backup while it runs, deletion, verification, restore, as an operator does them.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3 curl
conf_write 'analysis: {enabled: false}'
ok 'the server starts' server_start
now=$(date +%s)000
python3 -c "print(''.join(f'keep_value{{node=\"n{i}\"}} {i} $now\n' for i in range(50)))" >"$tmp/samples"
ok 'it takes samples' is "$(code --data-binary "@$tmp/samples" "$url/prometheus/api/v1/import/prometheus")" 204
count() { ask query 'count(keep_value)' | grep -o '[0-9]*$' | tail -1; }
ok 'they are there' is "$(count)" 50
ok 'a backup is made while it runs' exits 0 ask backup "$tmp/b1"
ok 'a second into the same folder is refused' exits 2 ask backup "$tmp/b1"
ok 'one on its base' exits 0 ask backup "$tmp/b2" --base "$tmp/b1"
ok 'deletion by matcher, as Prometheus has it' is "$(code -g -X POST "$url/prometheus/api/v1/admin/tsdb/delete_series?match[]=keep_value{node=\"n7\"}")" 204
ok 'without a matcher it is refused' is "$(code -X POST "$url/prometheus/api/v1/admin/tsdb/delete_series")" 400
ok 'one is gone' is "$(count)" 49
ok 'and by command' sh -c 'case $1 in "2 samples deleted") ;; *) echo "$1"; exit 1 ;; esac' - \
    "$(ask store delete 'keep_value{node=~"n[89]"}')"
ok 'three are gone' is "$(count)" 47
ok 'nothing is damaged' exits 0 ask store verify
ok 'compacting' exits 0 ask store compact
ok 'a folder in use is not restored into' exits 2 ask restore "$tmp/b1" "$state" --force
server_end TERM
ok 'nor one that holds a store, unless told' exits 2 ask restore "$tmp/b1" "$state"
ok 'told' exits 0 ask restore "$tmp/b1" "$state" --force
port=
ok 'it starts again' server_start
ok 'with all that was deleted' is "$(count)" 50
ask store compact >/dev/null
ok 'one more backup' exits 0 ask backup "$tmp/b3"
server_end TERM
day=$(ls "$state" | grep '^day-.*[.]db$' | head -1)
python3 - "$state/$day" <<'END'
import sys
f = open(sys.argv[1], 'r+b'); f.seek(8192 * 2 + 100); c = f.read(1); f.seek(-1, 1); f.write(bytes([c[0] ^ 16]))
END
verified() { ask store verify "$state" >"$tmp/said"; [ $? = 2 ] && grep -q "$day: page 3 is damaged.*--only" "$tmp/said"; }
ok 'a flipped bit is found, with what to do' verified
ok 'what it says helps' exits 0 ask restore "$tmp/b3" "$state" --only "$day"
ok 'and all is well' exits 0 ask store verify "$state"
finish
