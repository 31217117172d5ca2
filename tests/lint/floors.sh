#!/bin/sh
# floors: includes go only downwards, and each foreign library is seen by one family of files.
. "$(dirname "$0")/tap.sh"

# header prefix, then the files that may include it
cat >"$tmp/owners" <<'END'
uv.h base/loop*
yaml.h base/doc_yaml.c
jansson.h base/doc_json.c
xxhash.h base/hash.c
pcre2.h base/regex*
curl/ base/httpc*
microhttpd.h base/httpd*
gnutls/ base/httpd* base/tls* base/hmac.c
snappy-c.h base/compress*
zlib.h base/compress*
zstd.h base/compress*
sqlite3.h store/*
hs/ kb/match*
pcap.h decode/pcap*
pcap/ decode/pcap*
net-snmp/ collector/snmp*
netlink/ agents/*
argon2.h web/*
systemd/ programs/*
seccomp.h programs/*
END

# ISO C, POSIX, Linux and the compiler's own
system='^((assert|byteswap|complex|cpuid|ctype|dirent|dlfcn|elf|endian|err|errno|execinfo|fcntl|features|fenv|float|fnmatch|ftw|getopt|glob|grp|ifaddrs|inttypes|langinfo|libgen|limits|link|locale|malloc|math|mntent|netdb|paths|poll|pthread|pty|pwd|regex|resolv|sched|search|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|ucontext|unistd|utime|wchar|wctype|nmmintrin|immintrin|x86intrin|arm_acle|arm_neon)\.h|(sys|net|netinet|arpa|linux|asm|scsi|mtd)/.*)$'

for floor in $floors; do
    floor_files "$floor"
done >"$tmp/files"

[ -s "$tmp/files" ] || fault "no C file under $MS_SRCDIR: this lint would see nothing"
while read -r f; do
    grep -nE '^[[:space:]]*#[[:space:]]*include' "$MS_SRCDIR/$f" /dev/null |
        sed -nE "s|^[^:]*:([0-9]+):[^\"<]*([\"<])([^\">]*)[\">].*|$f \\1 \\2 \\3|p"
done <"$tmp/files" >"$tmp/includes"
[ -s "$tmp/includes" ] || fault "no include found: this lint would see nothing"
result 'there are files and includes to look at'

for floor in $floors; do
    may=" $floor $(floor_may "$floor" | tr '\n' ' ') "
    awk -v floor="$floor" -v may="$may" '
        $3 == "\"" && index($1, floor "/") == 1 {
            if ($4 == "config.h") next
            slash = index($4, "/")
            of = slash ? substr($4, 1, slash - 1) : ""
            if (!slash) print $1 ":" $2 ": \"" $4 "\" names no folder"
            else if (!index(may, " " of " ")) print $1 ":" $2 ": " floor " may not include " $4
            else if (floor == "sim" && $4 == "base/metric.h") print $1 ":" $2 ": the simulator shares no metric table"
            else if (floor == "agents" && of == "kb" && $4 !~ /^kb\/matcher/)
                print $1 ":" $2 ": agents know the matcher of kb only, not " $4
        }' "$tmp/includes" >"$tmp/wrong"
    faults_of "$tmp/wrong"
    result "$floor includes only what lies below"
done

awk '$3 == "\""' "$tmp/includes" | while read -r f n _ h; do
    [ "$h" = config.h ] || [ -f "$MS_SRCDIR/$h" ] || [ -f "$MS_BUILDDIR/$h" ] || echo "$f:$n: there is no $h"
done >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'every included file of ours exists'

awk '$3 == "<"' "$tmp/includes" | while read -r f n _ h; do
    echo "$h" | grep -qE "$system" && continue
    owners=$(while read -r prefix files; do
        case $h in "$prefix"*) echo "$files" ;; esac
    done <"$tmp/owners")
    good=no
    set -f
    for o in $owners; do
        # shellcheck disable=SC2254 # a pattern
        case $f in $o) good=yes ;; esac
    done
    set +f
    [ $good = yes ] && continue
    if [ -n "$owners" ]; then
        echo "$f:$n: <$h> is for $owners"
    else
        echo "$f:$n: <$h> has no owner in the table of this lint"
    fi
done >"$tmp/wrong"
faults_of "$tmp/wrong"
result 'each foreign library is included by its own family of files'
done_testing
