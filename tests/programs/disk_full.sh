#!/bin/sh
# disk_full: on a full disk nothing is acknowledged that is not kept, the server stays up, and goes on when there is room.
# Runs in a mount namespace of its own, where root may make one.
src=${MS_SRCDIR:-.}
if [ -z "${DISK_FULL_INSIDE:-}" ]; then
    keep=
    unshare -m true 2>/dev/null || keep='--propagation unchanged' # in a chroot the root is no mount
    unshare -m $keep true 2>/dev/null || { echo '1..0 # SKIP no mount namespace can be made here'; exit 0; }
    DISK_FULL_INSIDE=1 exec unshare -m $keep "$0"
fi
. "$src/tests/programs/server.sh"
need python3 curl
mkdir "$state"
mount -t tmpfs -o size=48m,mode=0700 none "$state" 2>/dev/null || skip_all 'no file system can be mounted here'
umounted() { umount -l "$state" 2>/dev/null; quit; }
trap umounted EXIT
conf_write 'analysis: {enabled: false}'
ok 'the server starts' server_start
python3 "$src/tests/programs/load.py" push "$url" "$tmp/notes" 1 >/dev/null 2>&1

dd if=/dev/zero of="$state/filler" bs=64k 2>/dev/null
now=$(date +%s)000
sample() { code --data-binary "full_value{node=\"w9\",n=\"$1\"} 1 $now
" "$url/prometheus/api/v1/import/prometheus"; }
# What is preallocated may take a few more; in the end it is refused.
refused() {
    n=$((n + 1))
    python3 -c 'print("".join(f"big_value{{node=\"w9\",k=\"{i}\"}} 1\n" for i in range(20000)))' >"$tmp/big"
    got=$(code --data-binary "@$tmp/big" "$url/prometheus/api/v1/import/prometheus")
    [ "$got" != 204 ]
}
n=0
ok 'a full disk refuses what cannot be kept' until_true 100 refused
ok 'with 503 or 429: come again' sh -c 'case $0 in 503 | 429 | 507) ;; *) echo "$0"; exit 1 ;; esac' "$got"
ok 'the server lives' is "$(code "$url/healthz")" 200
ok 'and answers questions' exits 0 ask query 'vector(1)'
rm "$state/filler"
again() { [ "$(sample back)" = 204 ]; }
ok 'when there is room it takes samples again' until_true 300 again
ok 'what was acknowledged before is there' python3 "$src/tests/programs/load.py" check "$url" "$tmp/notes"
server_end KILL
port=
ok 'it starts again' server_start
ok 'and has all of it' python3 "$src/tests/programs/load.py" check "$url" "$tmp/notes"
finish
