#!/bin/sh
# kill: kill -9 under load, compacting all the while, loses nothing that was acknowledged and keeps nothing twice. KILLS: how often (default 12).
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3 curl
kills=${KILLS:-12}
conf_write 'analysis: {enabled: false}'

round() { # one life under load, ended at a moment of its own
    port=
    server_start >"$tmp/start" 2>&1 || { sed "s/^/# kill $1: /" "$tmp/start"; server_end KILL; return 1; }
    python3 "$src/tests/programs/load.py" push "$url" "$tmp/notes" 1.5 >"$tmp/load.out" 2>&1 &
    load=$!
    while ask store compact >/dev/null 2>&1; do :; done & # ends when the server does
    compacting=$!
    sleep "0.$((3 + $1 * 7 % 6))"
    server_end KILL
    wait "$load" "$compacting"
}
i=0
lived=0
while [ $i -lt "$kills" ]; do
    i=$((i + 1))
    round $i && lived=$((lived + 1))
done
ok "it starts again after each of $kills kills" is $lived "$kills"
port=
ok 'and once more' server_start
ok 'what was acknowledged is there, nothing is there twice' python3 "$src/tests/programs/load.py" check "$url" "$tmp/notes"
echo "# $(tail -1 "$tmp/tap")"
server_end TERM
ok 'its files are sound' exits 0 "$bin/myriascope" store verify "$state"
finish
