#!/bin/sh
# units: systemd takes the unit files, finds them confined, and the shipped configurations are sound.
. "$(dirname "$0")/tap.sh"

ok 'the shipped configuration is sound' env STATE_DIRECTORY="$tmp/state" "$bin/myriascoped" --config "$src/packaging/myriascope.yaml" --check-config
ok "the shipped agent's configuration is sound" "$bin/myriascope-agent" --config "$src/packaging/agent.yaml" --check-config

if ! command -v systemd-analyze >/dev/null; then
    skip 'systemd takes the units' 'no systemd-analyze'
    finish
    exit 0
fi
# The programs are not installed here: a program that is there stands for them, and pages are not looked for.
for u in myriascoped.service myriascoped.socket myriascope-agent.service; do
    sed -e 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' -e '/^Documentation=/d' "$bin/packaging/systemd/$u" >"$tmp/$u"
done
verify() { systemd-analyze verify "$tmp"/*.service "$tmp"/*.socket 2>&1 | grep -F "$tmp" | nothing; }
ok 'systemd takes the units' verify

exposure() { # UNIT TENTHS: the score of exposure is at most that
    score=$(systemd-analyze security --offline=true "$tmp/$1" 2>/dev/null | sed -n 's/.*Overall exposure level.*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
    [ -n "$score" ] || { echo 'no score'; return 1; }
    [ "$score" -le "$2" ] || { echo "exposure $score tenths, allowed $2"; false; }
}
if systemd-analyze security --offline=true "$tmp/myriascoped.service" >/dev/null 2>&1; then
    ok 'the appliance is confined: exposure at most 2.0' exposure myriascoped.service 20
    ok 'the agent, which starts as root, is confined: exposure at most 6.0' exposure myriascope-agent.service 60
else
    skip 'the appliance is confined' 'systemd-analyze scores no files'
    skip 'the agent is confined' 'systemd-analyze scores no files'
fi

if command -v systemd-sysusers >/dev/null; then
    users() { mkdir -p "$tmp/r/etc" && systemd-sysusers --root="$tmp/r" --dry-run "$src"/packaging/systemd/sysusers-*.conf; }
    ok 'systemd-sysusers takes the users' users
else
    skip 'systemd-sysusers takes the users' 'no systemd-sysusers'
fi
finish
