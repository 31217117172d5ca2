# tap.sh: read by the lints. A lint prints its complaints with `fault`, ends each statement with `result`, and the
# file with `done_testing`.
#
# Environment (make sets it): MS_SRCDIR, MS_BUILDDIR. By hand both default to the folder the lint is called in.
MS_SRCDIR=${MS_SRCDIR:-.}
MS_BUILDDIR=${MS_BUILDDIR:-$MS_SRCDIR}
LC_ALL=C
export LC_ALL
floors='base decode kb store sim agents collector analyzer web programs'
tap_count=0
tap_faults=0

# What a floor may include beside itself.
floor_may() {
    case $1 in
    base) ;;
    decode | kb | store | sim) echo base ;;
    agents) echo base decode kb ;;
    collector) echo base decode store ;;
    analyzer) echo base decode kb store ;;
    web) echo base kb store analyzer ;;
    programs) echo base decode kb store sim agents collector analyzer web ;;
    esac
}

# C files of a floor, relative to the source folder. web/ui is another language's.
floor_files() {
    (cd "$MS_SRCDIR" && find "$1" -path web/ui -prune -o -name '*.[ch]' -print 2>/dev/null | sort)
}

fault() {
    tap_faults=$((tap_faults + 1))
    echo "# $*"
}

# Faults printed by a pipe's last part, which is a process of its own, are counted by their lines.
faults_of() {
    [ -s "$1" ] || return 0
    while IFS= read -r line; do
        fault "$line"
    done <"$1"
}

result() {
    tap_count=$((tap_count + 1))
    if [ "$tap_faults" = 0 ]; then
        echo "ok $tap_count - $*"
    else
        echo "not ok $tap_count - $*"
    fi
    tap_faults=0
}

# A statement that need not hold yet.
result_todo() {
    why=$1
    shift
    tap_count=$((tap_count + 1))
    if [ "$tap_faults" = 0 ]; then
        echo "ok $tap_count - $*"
    else
        echo "not ok $tap_count - $* # TODO $why"
    fi
    tap_faults=0
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

done_testing() {
    echo "1..$tap_count"
}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/lint.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
