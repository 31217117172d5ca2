#!/bin/sh
# format: clang-format would change nothing. Files in settled.list must hold to it, others are told only.
. "$(dirname "$0")/tap.sh"
for f in clang-format clang-format-14; do
    command -v $f >/dev/null && tool=$f
done
[ -n "$tool" ] || skip_all 'clang-format is absent'
# Its taste changes between releases; the project's is that of its distribution.
$tool --version | grep -q 'version 14\.' || skip_all 'this is not clang-format 14'

sed '/^#/d; /^$/d' "$MS_SRCDIR/tests/lint/settled.list" >"$tmp/settled"
is_settled() {
    while read -r pattern; do
        # shellcheck disable=SC2254 # a pattern
        case $1 in $pattern) return 0 ;; esac
    done <"$tmp/settled"
    return 1
}
for floor in $floors tests; do
    floor_files "$floor"
done >"$tmp/files"
[ -s "$tmp/files" ] || fault 'no file found: this lint would see nothing'
result 'there are files to look at'

(cd "$MS_SRCDIR" && xargs $tool --dry-run -Werror <"$tmp/files" 2>&1) |
    sed -nE 's/^([^:]*):[0-9]+:[0-9]+: error.*/\1/p' | sort -u >"$tmp/changed"
while read -r f; do
    is_settled "$f" && echo "$f"
done <"$tmp/changed" >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'settled files are formatted'

while read -r f; do
    is_settled "$f" || echo "$f"
done <"$tmp/changed" >"$tmp/wrong"
faults_of "$tmp/wrong"
result_todo 'not settled' 'all files are formatted'
done_testing
