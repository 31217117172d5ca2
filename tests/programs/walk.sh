#!/bin/sh
# walk: a browser walks every page of a server that watches a simulated cluster with a fault, in both languages, wide and
# narrow, and finds no error. Run by `quickstart check`, not by `make check`: it takes minutes. Screenshots stay in
# BUILD/artefacts.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need node chromium curl python3
modules=$bin/web/ui-build
[ -d "$modules/node_modules/playwright-core" ] || modules=$src/web/ui
[ -d "$modules/node_modules/playwright-core" ] || skip_all 'no playwright-core (npm ci in web/ui)'
auth=required
conf_write ''
ok 'the server starts' server_start
MYRIASCOPE_TOKEN_FILE=$state/admin.token
export MYRIASCOPE_TOKEN_FILE
"$bin/myriascope-sim" --nodes 32 --nodes-per-group 16 --cluster walk --put-topology --timer-scale 0.02 --server "$url" --interval 5s \
    --quiet --fault optic-degrading@20s:leaf-g01-1/Ethernet1 >"$tmp/sim.log" 2>&1 &
pids="$pids $!"
opened() { [ "$(curl -s -u "x:$(cat "$state/admin.token")" "$url/api/v1/incidents" | pick 'len(d["items"])')" -ge 1 ]; }
ok 'an incident is there to look at' until_true 1500 opened
MYRIASCOPE_URL=$url MYRIASCOPE_SIGNIN=$(ask user signin) MYRIASCOPE_UI_MODULES=$modules MYRIASCOPE_ARTEFACTS=$bin/artefacts \
    CHROMIUM=$(command -v chromium) MYRIASCOPE_THEMES=${MYRIASCOPE_THEMES:-light} \
    node "$src/tests/ui/walk.mjs" >"$tmp/walk" 2>&1
rc=$?
awk -v n="$tap_n" '/^(not )?ok - / {sub(/ - /, " " ++n " - ")} {print (/^(not )?ok /) ? $0 : "# " $0}' "$tmp/walk"
tap_n=$((tap_n + $(grep -c -E '^(not )?ok - ' "$tmp/walk")))
ok 'the walk comes to its end' [ $rc -le 1 ]
finish
