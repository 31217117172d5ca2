#!/bin/sh
# rules_units: unit files of rules are judged by `myriascope rules test` as promtool judges them.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
for tool in promtool python3; do command -v $tool >/dev/null 2>&1 || skip_all "no $tool"; done

mkdir "$tmp/units"
ok 'both pass or both fail' python3 "$src/tests/programs/rules_units.py" "$tmp/units" "$bin/myriascope"
finish
