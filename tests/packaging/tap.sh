# tap.sh: read by the tests of packaging and of programs: statements in TAP, and where things are.
#
# Environment (make sets it): MS_SRCDIR, MS_BUILDDIR. By hand both default to the folder the test is called in.
src=$(cd "${MS_SRCDIR:-.}" && pwd)
bin=$(cd "${MS_BUILDDIR:-.}" && pwd)
PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C.UTF-8
LANG=C.UTF-8
export PATH LC_ALL LANG
tap_n=0

# ok STATEMENT COMMAND...: the statement holds where the command succeeds; what it says is shown where it does not.
ok() {
    tap_say=$1
    shift
    tap_n=$((tap_n + 1))
    if "$@" >"$tmp/tap" 2>&1; then
        echo "ok $tap_n - $tap_say"
    else
        echo "not ok $tap_n - $tap_say"
        head -30 "$tmp/tap" | sed 's/^/# /'
        return 1
    fi
}
skip() { # STATEMENT WHY
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}
skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}
is() { # GOT WANTED
    [ "$1" = "$2" ] || { echo "got:    $1"; echo "wanted: $2"; false; }
}
has() { # TEXT PART: the text has the part
    case $1 in *"$2"*) ;; *) printf 'no "%s" in:\n%s\n' "$2" "$1"; false ;; esac
}
lacks() {
    case $1 in *"$2"*) printf '"%s" in:\n%s\n' "$2" "$1"; false ;; esac
}
nothing() { # prints its input and fails where there is any
    tap_all=$(cat)
    [ -z "$tap_all" ] || { printf '%s\n' "$tap_all"; false; }
}
finish() { echo "1..$tap_n"; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/myriascope-test.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
