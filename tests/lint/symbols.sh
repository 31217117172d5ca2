#!/bin/sh
# symbols: our global names begin with the name of a file of their floor, none is one of net-snmp's, and programs
# export nothing.
. "$(dirname "$0")/tap.sh"
command -v nm >/dev/null || skip_all 'nm is absent'

: >"$tmp/all"
for floor in $floors; do
    lib=$MS_BUILDDIR/lib$floor.a
    [ -f "$lib" ] || continue
    { floor_files "$floor" | sed -E 's|.*/||; s|\.[ch]$||'
      sed -n "s/^$floor //p" "$MS_SRCDIR/tests/lint/words.list" | tr ' ' '\n'
      # a folder inside the floor is a module of its own: store/promql
      floor_files "$floor" | sed -nE 's|^[^/]*/([^/]*)/.*|\1|p'
      echo "$floor"; } | sort -u >"$tmp/stems"
    nm -g --defined-only "$lib" 2>/dev/null | awk 'NF == 3 { print $3 }' | grep -vE '^(__|_GLOBAL|___asan|asan\.)' | sort -u >"$tmp/names"
    sed "s/^/$floor /" "$tmp/names" >>"$tmp/all"
    awk -v floor="$floor" '
        FILENAME == ARGV[1] { stem[$1] = 1; next }
        {
            s = $1
            while (!(s in stem) && sub(/_[^_]*$/, "", s)) { }
            if (!(s in stem)) print $1 " begins with no name of a file of " floor
        }' "$tmp/stems" "$tmp/names" >"$tmp/wrong"
    faults_of "$tmp/wrong"
    result "global names of $floor begin with a module of it"
done
[ -s "$tmp/all" ] || fault 'no symbol found: this lint would see nothing'
result 'there are symbols to look at'

find /usr/lib /usr/lib64 /usr/local/lib -name 'libnetsnmp*.so*' -type f 2>/dev/null >"$tmp/libs"
if [ -s "$tmp/libs" ]; then
    xargs nm -D --defined-only <"$tmp/libs" 2>/dev/null | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u >"$tmp/theirs"
    awk 'FILENAME == ARGV[1] { theirs[$1] = 1; next } ($2 in theirs) { print $1 " and net-snmp both define " $2 }' \
        "$tmp/theirs" "$tmp/all" >"$tmp/wrong"
    [ -s "$tmp/theirs" ] || fault 'net-snmp exports nothing: this lint would see nothing'
    faults_of "$tmp/wrong"
    result 'no global name is one of net-snmp'
fi

for p in myriascoped myriascope-agent myriascope myriascope-sim; do
    [ -f "$MS_BUILDDIR/$p" ] || continue
    # What the loader needs of a program, and what sanitizers put there, is not ours.
    nm -D --defined-only "$MS_BUILDDIR/$p" 2>/dev/null | awk 'NF == 3 { print $3 }' >"$tmp/exported"
    awk -v p="$p" 'FILENAME == ARGV[1] { ours[$2] = 1; next } ($1 in ours) { print p " exports " $1 }' \
        "$tmp/all" "$tmp/exported" >"$tmp/wrong"
    faults_of "$tmp/wrong"
    result "$p exports no name of ours"
done
done_testing
