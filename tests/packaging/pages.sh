#!/bin/sh
# pages: manual pages are sound and tell every option that their programs know.
. "$(dirname "$0")/tap.sh"
command -v man >/dev/null || skip_all 'no man'
pages="docs/man/myriascoped.8 docs/man/myriascope.1 docs/man/myriascope-sim.1 docs/man/myriascope-agent.8
docs/man/myriascope.yaml.5 docs/man/zh_CN/myriascope.1"

warned() { # PAGE
    [ -s "$bin/$1" ] || { echo "$1 is not there"; return 1; }
    (cd "$bin" && MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null) | grep -v 'cannot break line\|cannot adjust line' | nothing
}
for page in $pages; do
    ok "$page is sound" warned "$page"
done

text() { MANWIDTH=200 man -E UTF-8 -l "$bin/$1" 2>/dev/null | col -b 2>/dev/null || sed 's,\\,,g' "$bin/$1"; }
untold() { # PAGE PROGRAM
    plain=$(sed 's,\\-,-,g' "$bin/$1")
    "$bin/$2" --help | grep -o -E '^  +--[a-z-]+' | while read -r o; do
        case $plain in *"$o"*) ;; *) echo "$1 does not tell $o" ;; esac
    done | nothing
}
ok 'myriascoped.8 tells each option' untold docs/man/myriascoped.8 myriascoped
ok 'myriascope-agent.8 tells each option' untold docs/man/myriascope-agent.8 myriascope-agent
ok 'myriascope.1 tells each option' untold docs/man/myriascope.1 myriascope
ok 'myriascope-sim.1 tells each option' untold docs/man/myriascope-sim.1 myriascope-sim

commands() {
    "$bin/myriascope" --help | awk '/^  [a-z]/ {print $1}' | while read -r c; do
        grep -q "^\.SS $c" "$bin/docs/man/myriascope.1" || echo "myriascope.1 does not tell $c"
    done | nothing
}
ok 'myriascope.1 tells each command' commands

keys() {
    for p in myriascoped myriascope-agent; do
        "$bin/$p" --print-options | sed -n 's/^\.B //p' | while read -r key; do
            grep -q -F -x ".B $key" "$bin/docs/man/myriascope.yaml.5" || echo "myriascope.yaml.5 does not tell $key"
        done
    done | nothing
}
ok 'myriascope.yaml.5 tells each key' keys

other() { has "$(cat "$bin/docs/man/zh_CN/myriascope.1")" 诊断作业失败原因; }
ok 'the Chinese page is in Chinese' other
finish
