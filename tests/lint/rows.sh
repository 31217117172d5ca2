#!/bin/sh
# rows: each row of a table that users meet (options, routes, commands, probes, checks, metrics) carries its sentence.
. "$(dirname "$0")/tap.sh"

for floor in $floors; do
    floor_files "$floor" | grep '\.c$'
done >"$tmp/files"
[ -s "$tmp/files" ] || fault 'no file found: this lint would see nothing'
result 'there are files to look at'

# A row is an initialiser that begins with {.key = "...", {.method = "..." or {.command = "...", up to its brace;
# with .method it is a route only where it has a handler.
(cd "$MS_SRCDIR" && xargs awk '
    function count(s, c,   n, t) { t = s; n = gsub(c, "", t); return n }
    FNR == 1 { row = ""; depth = 0 }
    row == "" && /\{[[:space:]]*\.(key|method|command)[[:space:]]*=[[:space:]]*"/ {
        start = FNR; row = substr($0, match($0, /\{[[:space:]]*\.(key|method|command)/)); text = row
        depth = count(row, "\\{") - count(row, "\\}")
        if (depth <= 0) { check(); row = "" }
        next
    }
    row != "" {
        row = row " " $0; depth += count($0, "\\{") - count($0, "\\}")
        if (depth <= 0) { check(); row = "" }
    }
    function check() {
        rows++
        if (row ~ /^\{[[:space:]]*\.method/ && row !~ /\.handler/) return
        if (row !~ /\.(help|en)[[:space:]]*=[[:space:]]*"[^"][^"]/ && row !~ /\.help[[:space:]]*=[[:space:]]*[A-Z_(]/)
            print FILENAME ":" start ": this row has no sentence in .help"
    }
' <"$tmp/files") >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'each row has a help text'
done_testing
