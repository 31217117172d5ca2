#!/bin/sh
# headers: each header compiles alone, twice in a row.
. "$(dirname "$0")/tap.sh"
[ -f "$MS_BUILDDIR/config.h" ] || skip_all 'not configured'

# Compiler and flags of this build, from its Makefile.
make_var() {
    sed -n "s/^$1 = //p" "$MS_BUILDDIR/Makefile" 2>/dev/null | head -n 1
}
cc=$(make_var CC)
flags="$(sed -n 's/^[A-Z0-9]*_CFLAGS = \(-I.*\)/\1/p' "$MS_BUILDDIR/Makefile" | tr '\n' ' ')"

for floor in $floors; do
    headers=$(floor_files "$floor" | grep '\.h$')
    [ -n "$headers" ] || continue
    for h in $headers; do
        printf '#include "%s"\n#include "%s"\n' "$h" "$h" >"$tmp/one.c"
        # shellcheck disable=SC2086 # lists of flags
        ${cc:-cc} -std=gnu17 -Wall -Wextra -Werror -fsyntax-only -I"$MS_SRCDIR" -I"$MS_BUILDDIR" \
            -include "$MS_BUILDDIR/config.h" $flags "$tmp/one.c" >"$tmp/out" 2>&1 || {
            fault "$h:"
            head -n 5 "$tmp/out" >"$tmp/wrong"
            faults_of "$tmp/wrong"
        }
    done
    result "each header of $floor compiles alone"
done
[ "$tap_count" -gt 0 ] || { fault 'no header found'; result 'there are headers'; }
done_testing
