#!/bin/sh
# words: the tree speaks of the product alone: no paths of a build machine, no hosts of registries, no marks of an
# unfinished merge.
. "$(dirname "$0")/tap.sh"

if git -C "$MS_SRCDIR" rev-parse --git-dir >/dev/null 2>&1 && [ -e "$MS_SRCDIR/.git" ]; then
    git -C "$MS_SRCDIR" ls-files
else
    (cd "$MS_SRCDIR" && find . -type f ! -path './.git/*' ! -path './build*' ! -path './web/ui/node_modules/*' ! -path './web/ui/dist/*' \
        ! -name Makefile.in ! -name configure ! -name '*.m4' ! -path './autom4te.cache/*' | sed 's|^\./||')
fi | grep -v '^tests/lint/words\.sh$' >"$tmp/files"
[ -s "$tmp/files" ] || fault 'no file found: this lint would see nothing'
result 'there are files to look at'

look() {
    statement=$1
    shift
    (cd "$MS_SRCDIR" && tr '\n' '\0' <"$tmp/files" | xargs -0 grep -InE "$@" /dev/null 2>/dev/null) | cut -c1-160 >"$tmp/wrong"
    faults_of "$tmp/wrong"
    result "$statement"
}
look 'no file names a place of the machine it was written on' \
    -e '(^|[^A-Za-z0-9_.-])/(work|Users)/[A-Za-z0-9._-]' -e '(^|[^A-Za-z0-9_.-])/home/[a-z]+/' \
    -e '\.\./shared/'
look 'no file names a host of a package registry' \
    -e '(registry\.npmjs|registry\.yarnpkg|npmmirror|deb\.debian|archive\.ubuntu|pypi|files\.pythonhosted|proxy\.golang|crates|static\.crates)\.(org|com|io)'
look 'no file holds the marks of an unfinished merge' -e '^(<<<<<<<|>>>>>>>) '
done_testing
