#!/bin/sh
# Installs into a folder and looks at what is there: check_package.sh SOURCE BUILD yes|no
#   yes: an ordinary build, whose libraries are those that an image needs; no: one with sanitizers
set -u
source=$1
build=$2
plain=$3
work=$(mktemp -d "${LT_TMP:-/tmp}/logtailer-package.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
bad=0

fail() {
    echo "FAILED: $*"
    bad=1
}

for tool in mandoc promtool systemd-analyze; do
    command -v $tool >/dev/null || fail "$tool is not installed: run sh tests/install.sh test"
done

# The prefix of a distribution, whatever this build was set up with.
DESTDIR=$work/image meson install -C "$build" --no-rebuild >"$work/log" 2>&1 || { cat "$work/log"; fail "meson install"; }
prefix=$(cd "$work/image" && find . -name logtailerctl -path '*/bin/*' | sed 's|^\./||; s|/bin/logtailerctl$||')
mkdir -p "$work/root"
mv "$work/image/$prefix" "$work/root/usr"

# Everything that is listed is there, and nothing else; "?" may be missing. Libraries have a folder of their machine's.
(cd "$work/root" && find usr ! -type d | sed "s|usr/lib64/|usr/lib/|; s|usr/lib/[^/]*-linux-gnu/|usr/lib/|" | grep -v '^usr/lib/libbinlogtail\|^usr/lib/pkgconfig/' | sort) >"$work/there"
sed 's/^? //' "$source/tests/package/installed.txt" | sort >"$work/known"
sed -n '/^?/!p' "$source/tests/package/installed.txt" | sort >"$work/wanted"
[ -z "$(comm -13 "$work/known" "$work/there")" ] || fail "installed, and not in installed.txt: $(comm -13 "$work/known" "$work/there")"
[ -z "$(comm -23 "$work/wanted" "$work/there")" ] || fail "not installed: $(comm -23 "$work/wanted" "$work/there")"

for page in "$work"/root/usr/share/man/man*/*; do
    # A year is date enough.
    mandoc -T lint -W warning "$page" 2>&1 | grep -v 'cannot parse date' >"$work/lint"
    [ ! -s "$work/lint" ] || { cat "$work/lint"; fail "$page"; }
done

# The unit, with the program where it stands now.
unit=$work/root/usr/lib/systemd/system/logtailerd@.service
grep -q "^ExecStart=/$prefix/sbin/logtailerd --config /etc/logtailer/%i.conf\$" "$unit" || fail "the unit starts something else"
for setting in LimitCORE=0 MemoryHigh= NoNewPrivileges=yes ProtectSystem=strict MemoryDenyWriteExecute=yes; do
    grep -q "^$setting" "$unit" || fail "the unit does not say $setting"
done
mkdir "$work/units"
sed "s|^ExecStart=[^ ]*|ExecStart=$work/root/usr/sbin/logtailerd|" "$unit" >"$work/units/logtailerd@.service"
systemd-analyze verify --man=no "$work/units/logtailerd@db1.service" >"$work/lint" 2>&1 || fail "systemd-analyze verify"
[ ! -s "$work/lint" ] || { cat "$work/lint"; fail "systemd-analyze has something to say"; }

promtool check config "$source/docker/prometheus/prometheus.yml" >"$work/lint" 2>&1 || { cat "$work/lint"; fail "prometheus.yml"; }
promtool test rules "$source/tests/package/alerts_test.yml" >"$work/lint" 2>&1 || { cat "$work/lint"; fail "alert rules"; }

# What the programs link to comes with the packages that the image installs.
if [ "$plain" = yes ]; then
    for library in $(ldd "$work"/root/usr/sbin/logtailerd "$work"/root/usr/bin/* | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | grep -v libbinlogtail | sort -u); do
        package=$(dpkg -S "$(readlink -f "$library")" "*$(basename "$library")" 2>/dev/null | head -1 | cut -d: -f1)
        case $package in
        libc6 | zlib1g | libzstd1 | liblzma5 | libgcrypt20 | libgpg-error0 | libcap2 | liblz4-1 | libgcc-s1) continue ;; # of every Debian, or of the others
        esac
        grep -qw "$package" "$source/docker/Dockerfile" || fail "docker/Dockerfile does not install $package ($library)"
    done
fi

# Completion, asked as bash asks it.
complete_line() {
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _logtailerctl; printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$work/root/usr/share/bash-completion/completions/logtailerctl" "$@" | tr '\n' ' '
}
[ "$(complete_line logtailerctl wai)" = "wait-gtid " ] || fail "completion of a command: $(complete_line logtailerctl wai)"
[ "$(complete_line logtailerctl --socket /x lag --max-)" = "--max-seconds --max-bytes " ] || fail "completion of an option"
[ "$(complete_line logtailerctl fence --mode d)" = "drop " ] || fail "completion of a value"
[ "$(complete_line logtailerctl log n)" = "notice " ] || fail "completion of a level"

[ $bad = 0 ] && echo "all as expected"
exit $bad
