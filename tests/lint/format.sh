#!/bin/sh
# format: clang-format would change nothing.
. "$(dirname "$0")/tap.sh"
for f in clang-format clang-format-14; do
    command -v $f >/dev/null && tool=$f
done
[ -n "$tool" ] || skip_all 'clang-format is absent'
# Its taste changes between releases; the project's is that of its distribution.
$tool --version | grep -q 'version 14\.' || skip_all 'this is not clang-format 14'

for floor in $floors tests; do
    floor_files "$floor"
done >"$tmp/files"
[ -s "$tmp/files" ] || fault 'no file found: this lint would see nothing'
result 'there are files to look at'

(cd "$MS_SRCDIR" && xargs $tool --dry-run -Werror <"$tmp/files" 2>&1) |
    sed -nE 's/^([^:]*):[0-9]+:[0-9]+: error.*/\1/p' | sort -u >"$tmp/changed"
faults_of "$tmp/changed"
result 'all files are formatted'
done_testing
