#!/bin/sh
# kubernetes: the manifests hang together and say to the programs what these take; no cluster is asked.
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null && python3 -c 'import yaml' 2>/dev/null || skip_all 'no python3 with yaml'

ok 'selectors, volumes, config maps and ports fit' python3 "$src/tests/packaging/manifests.py" "$src/packaging/kubernetes" "$tmp"
ok "the server's configuration is sound" env STATE_DIRECTORY="$tmp/state" "$bin/myriascoped" --config "$tmp/myriascope/myriascope.yaml" --check-config
ok "the agent's configuration is sound" "$bin/myriascope-agent" --config "$tmp/myriascope-agent/agent.yaml" --check-config
arguments() { # each option handed to a program is one it knows
    while read -r program option; do
        "$bin/$program" --help | grep -q -e "^  *$option\b" || echo "$program knows no $option"
    done <"$tmp/arguments" | nothing
}
ok 'each argument is known to its program' arguments
images() {
    version=$("$bin/myriascoped" --version | sed 's/.* //')
    grep -h 'image:' "$src"/packaging/kubernetes/*.yaml | grep -v ":$version\$" | nothing
}
ok 'images bear the version of the programs' images
host() { # what the agent reads below --root is mounted there
    for f in proc sys dev/kmsg; do grep -q "mountPath: /host/$f, readOnly: true" "$src/packaging/kubernetes/agent.yaml" || echo "$f"; done | nothing
}
ok "the host's proc, sys and kernel log are mounted, to be read only" host
finish
