#!/bin/sh
# archive: what a floor's archive needs of ours comes from itself or the floors below it, and exists.
. "$(dirname "$0")/tap.sh"
command -v nm >/dev/null || skip_all 'nm is absent'

: >"$tmp/defined"
seen=0
for floor in $floors; do
    lib=$MS_BUILDDIR/lib$floor.a
    [ -f "$lib" ] || continue
    seen=$((seen + 1))
    nm -g --defined-only "$lib" 2>/dev/null | awk -v f="$floor" 'NF == 3 { print $3, f }' | sort -u >>"$tmp/defined"
done
[ $seen -gt 0 ] || fault "no archive in $MS_BUILDDIR: this lint would see nothing"
[ -s "$tmp/defined" ] || fault 'the archives define nothing: this lint would see nothing'
result 'there are archives to look at'

# The words our names begin with, so that a function that nobody wrote is told from one of a library.
for floor in $floors; do
    floor_files "$floor" | sed -E 's|.*/||; s|\.[ch]$||'
done | sort -u >"$tmp/stems"

for floor in $floors; do
    lib=$MS_BUILDDIR/lib$floor.a
    [ -f "$lib" ] || continue
    may=" $floor $(floor_may "$floor" | tr '\n' ' ') "
    nm -g --undefined-only "$lib" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u |
        awk -v may="$may" -v floor="$floor" '
            FILENAME == ARGV[1] { at[$1] = at[$1] " " $2; next }
            FILENAME == ARGV[2] { stem[$1] = 1; next }
            ($1 in at) {
                n = split(at[$1], f, " "); good = 0
                for (i = 1; i <= n; i++) if (index(may, " " f[i] " ")) good = 1
                if (!good) print floor " needs " $1 " of" at[$1]
                next
            }
            {
                word = $1; sub(/_.*/, "", word)
                if (index($1, "_") > 1 && (word in stem) && ours(word)) print floor " needs " $1 ", which no archive defines"
            }
            # Stems that a library or the C library uses too tell nothing.
            function ours(w) { return w !~ /^(regex|time|log|path|match|search|clock|event|report|pcap|snmp|user|parse|print)$/ }
        ' "$tmp/defined" "$tmp/stems" - >"$tmp/wrong"
    faults_of "$tmp/wrong"
    result "lib$floor.a links with the floors below it alone"
done

sort "$tmp/defined" | awk '$1 == last { print $1 " is defined by " floor " and " $2 } { last = $1; floor = $2 }' >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'no name is defined by two floors'
done_testing
