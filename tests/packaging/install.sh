#!/bin/sh
# install: what `make install` puts where, and takes away again.
. "$(dirname "$0")/tap.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL
root=$tmp/root

ok 'make install DESTDIR works' make -C "$bin" -s install DESTDIR="$root"

prefix=$(sed -n 's/^prefix = //p' "$bin/Makefile")
wanted="bin/myriascoped bin/myriascope bin/myriascope-agent bin/myriascope-sim
share/man/man8/myriascoped.8 share/man/man1/myriascope.1 share/man/man5/myriascope.yaml.5
lib/systemd/system/myriascoped.service lib/sysusers.d/myriascope.conf lib/tmpfiles.d/myriascope.conf
share/bash-completion/completions/myriascope share/zsh/site-functions/_myriascope"
absent() {
    for f in $wanted; do [ -s "$root$prefix/$f" ] || echo "$f is not there"; done | nothing
}
ok 'programs, pages, units and completion are installed' absent

unshipped() { # each line of debian/*.install is a file that make install makes
    for list in "$src"/packaging/debian/*.install; do
        while read -r f; do
            case $f in
            etc/*) at=$root$(sed -n 's/^sysconfdir = //p' "$bin/Makefile" | sed "s,\${prefix},$prefix,")/${f#etc/} ;;
            lib/systemd/*) at=$root$prefix/$f ;;
            *) at=$root$prefix/${f#usr/} ;;
            esac
            [ -e "$at" ] || echo "${list##*/}: $f is not installed"
        done <"$list"
    done | nothing
}
ok 'each file of the Debian packages is installed' unshipped

foreign() { # no path of the build in a text file
    find "$root" -type f ! -path '*/bin/*' -exec grep -l -F -e "$bin" -e "$root" {} + | nothing
}
ok 'no file names the build folder' foreign

conf=$(find "$root" -name myriascope.yaml)
echo '# changed by the site' >>"$conf"
again() { make -C "$bin" -s install DESTDIR="$root" && tail -1 "$conf" | grep -q 'changed by the site'; }
ok 'installing again leaves a changed configuration' again

uninstalled() {
    make -C "$bin" -s uninstall DESTDIR="$root" || return 1
    find "$root" -type f | grep -v '/myriascope\.yaml$' | nothing && [ -e "$conf" ]
}
ok 'uninstalling takes everything but a changed configuration' uninstalled
finish
