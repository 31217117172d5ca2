#!/bin/sh
# container: the Containerfile installs the libraries that the programs are linked with, and builds without npm.
. "$(dirname "$0")/tap.sh"
file=$src/packaging/container/Containerfile

ok 'it starts from a release of Debian that is named' grep -q '^FROM debian:1[0-9]' "$file"
ok 'no npm, no autotools in it' sh -c '! sed "s/^ *#.*//" "$0" | grep -E "npm|node|autoconf|automake"' "$file"

missing_build() { # each -dev package that quickstart knows
    awk '/^modules=/ {on = 1; next} /^\047/ {on = 0} on {print $2}' "$src/quickstart" | while read -r p; do
        grep -q -w -e "$p" "$file" || echo "$p is not in the Containerfile"
    done | nothing
}
ok 'the build stage has what configure asks for' missing_build

if command -v dpkg >/dev/null && grep -q '^VERSION_ID="12"' /etc/os-release; then
    unlisted() {
        for p in myriascoped myriascope myriascope-agent; do
            [ -x "$bin/$p" ] || echo "$p is not built"
            objdump -p "$bin/$p" | awk '$1 == "NEEDED" {print $2}'
        done | sort -u | while read -r lib; do
            case $lib in
            libc.so* | libm.so* | libgcc_s.so* | libstdc++.so* | ld-linux* | libpthread* | libasan* | libubsan*) continue ;;
            *.so*) ;;
            *) echo "$lib"; continue ;;
            esac
            package=$(dpkg -S "*/$lib" 2>/dev/null | sed -n '1s/:.*//p')
            [ -n "$package" ] || { echo "$lib belongs to no package"; continue; }
            sed -n '/AS base/,$p' "$file" | grep -q -w -F -e "$package" || echo "$package ($lib) is not installed in the image"
        done | nothing
    }
    ok 'the image has each library that the programs need' unlisted
else
    skip 'the image has each library that the programs need' 'not Debian 12'
fi
finish
