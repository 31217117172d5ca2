#!/bin/sh
# campaign: the generator shares no table with what it judges: it neither reads nor names a file of the knowledge base, the
# analyzer, the metric table or the simulator.
. "$(dirname "$0")/tap.sh"

(cd "$MS_SRCDIR" && find tests/campaign -type f ! -name '*.pyc') >"$tmp/files"
[ -s "$tmp/files" ] || fault 'no file found: this lint would see nothing'
result 'there are files to look at'

(cd "$MS_SRCDIR" && xargs grep -nE '(^|[^a-z/])(kb|analyzer|sim|base)/[a-z_]|kb/entries|demo-faults|check-demo|myriascope-sim|#include|ctypes' /dev/null \
    <"$tmp/files") >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'no file of the generator names a file of what it judges'

(cd "$MS_SRCDIR" && xargs grep -n 'api/v1/kb' /dev/null <"$tmp/files" | grep -v '^tests/campaign/baselines\.py:') >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'only the baselines ask the server what a code means'

(cd "$MS_SRCDIR" && xargs grep -nE '^(import|from) ' /dev/null <"$tmp/files") |
    grep -vE ':(import|from) (argparse|collections|datetime|heapq|http\.client|itertools|json|math|os|random|shutil|signal|socket|statistics|struct|subprocess|sys|tempfile|time|urllib\.(parse|request)|zlib|baselines|faults|jobs|noise|score|site_plan|wire|world)( |$)' >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'it imports itself and the standard library alone'
done_testing
