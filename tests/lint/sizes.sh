#!/bin/sh
# sizes: functions of at most 60 lines (3 in 100 may have up to 120), files of at most 900.
. "$(dirname "$0")/tap.sh"

for floor in $floors; do
    floor_files "$floor" | grep '\.c$'
done >"$tmp/files"
[ -s "$tmp/files" ] || fault 'no file found: this lint would see nothing'

# A definition begins with its name in the first column, its body is between { and } in the first column.
(cd "$MS_SRCDIR" && xargs awk '
    FNR == 1 { name = "" }
    /^[A-Za-z_][A-Za-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name); start = FNR }
    /^\{/ { if (name == "") { name = "?"; start = FNR } open = 1 }
    /^\}/ { if (open) print FNR - start + 1, FILENAME ":" start, name; open = 0; name = "" }
' <"$tmp/files") >"$tmp/functions"
[ -s "$tmp/functions" ] || fault 'no function found: this lint would see nothing'
result 'there are functions to look at'

awk '$1 > 120 { print $2 ": " $3 " has " $1 " lines" }' "$tmp/functions" >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'no function has more than 120 lines'

awk '{ n++ } $1 > 60 { long++; line[long] = $2 ": " $3 " has " $1 " lines" }
    END { if (long * 100 > n * 3) for (i = 1; i <= long; i++) print line[i] }' "$tmp/functions" >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'at most 3 in 100 functions have more than 60 lines'

(cd "$MS_SRCDIR" && xargs wc -l <"$tmp/files") | awk '$2 != "total" && $1 > 900 { print $2 " has " $1 " lines" }' >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'no file has more than 900 lines'
done_testing
