#!/bin/sh
# Builds the Debian packages out of what meson has built and installs them into an empty root: check_debian.sh SOURCE BUILD
# First an older version, then an upgrade over what an operator has changed, removal, and purge.
set -u
source=$1
build=$2
work=$(mktemp -d "${LT_TMP:-/tmp}/logtailer-debian.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
bad=0

fail() {
    echo "FAILED: $*"
    bad=1
}

give_up() {
    echo "FAILED: $*"
    exit 1
}

for tool in dpkg-buildpackage systemd-sysusers systemd-tmpfiles systemd-analyze; do
    command -v $tool >/dev/null || give_up "$tool is not installed: run sh tests/install.sh test"
done
[ "$(id -u)" = 0 ] || give_up "packages are installed by root only"

sh "$source/docker/debian/build.sh" "$work/new" "$build" || give_up "docker/debian/build.sh"
[ "$(cd "$work/new" && ls | sed 's/_.*//' | tr '\n' ' ')" = "libbinlogtail-dev libbinlogtail0 logtailer " ] || fail "packages: $(ls "$work/new")"

# The same with another number, and another example: what an older release was.
mkdir "$work/old"
for deb in "$work"/new/*.deb; do
    dpkg-deb -R "$deb" "$work/unpacked"
    sed -i 's/^Version: .*/Version: 0.0.9-1/; s/(= [^)]*)/(= 0.0.9-1)/' "$work/unpacked/DEBIAN/control"
    example=$work/unpacked/etc/logtailer/example.conf
    [ ! -e "$example" ] || sed -i 's/200GiB/100GiB/' "$example"
    dpkg-deb --root-owner-group -Znone -b "$work/unpacked" "$work/old/$(basename "$deb")" >/dev/null || give_up "dpkg-deb"
    rm -rf "$work/unpacked"
done

mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$root/etc"
touch "$root/var/lib/dpkg/status"
# Maintainer scripts see DPKG_ROOT; what the packages depend on is of this machine. Nobody is asked anything: there is no terminal.
in_root() {
    dpkg --root="$root" --force-script-chrootless --force-depends --force-unsafe-io --log=/dev/null "$@" >"$work/log" 2>&1 </dev/null && return 0
    cat "$work/log"
    fail "dpkg $*"
    return 1
}

# expect PATH MODE OWNER
expect() {
    uid=$(awk -F: -v u="${3%:*}" '$1 == u { print $3 }' "$root/etc/passwd")
    gid=$(awk -F: -v g="${3#*:}" '$1 == g { print $3 }' "$root/etc/group")
    [ "${3%:*}" != root ] || uid=0
    [ "${3#*:}" != root ] || gid=0
    [ "$(stat -c '%a %u:%g' "$root/$1")" = "$2 $uid:$gid" ] || fail "$1 is $(stat -c '%a %u:%g' "$root/$1"), not $2 $uid:$gid"
}

in_root -i "$work"/old/*.deb || give_up "the first installation"
grep -q '^logtailer:.*:/var/lib/logtailer:.*nologin$' "$root/etc/passwd" || fail "the user: $(cat "$root/etc/passwd")"
expect etc/logtailer 750 root:logtailer
expect var/lib/logtailer 755 logtailer:logtailer
expect etc/logtailer/example.conf 644 root:root
expect usr/sbin/logtailerd 755 root:root
for file in $(sed 's/^? //; /^usr\/share\/man\//s/$/.gz/' "$source/tests/package/installed.txt"); do
    [ -e "$root/$file" ] || fail "$file is not installed"
done
for file in $(dpkg-deb -c "$work"/new/logtailer_*.deb | awk '$1 ~ /^[-d]/ && $2 != "root/root" { print $6 }'); do fail "$file is not root's"; done
[ -z "$(find "$root" -perm /6002 ! -type l -path '*/usr/*')" ] || fail "modes: $(find "$root" -perm /6002 ! -type l -path '*/usr/*')"
[ -z "$(find "$root/etc/systemd" 2>/dev/null)" ] || fail "something is enabled: nobody has configured it"

# The unit, as systemd reads it in that root, beside what it refers to.
ln -s usr/lib "$root/lib"
mkdir -p "$root/bin" "$root/run/systemd/system"
printf '#!/bin/sh\n' >"$root/bin/kill" && chmod 755 "$root/bin/kill"
for unit in sysinit basic shutdown network-online multi-user; do echo "[Unit]" >"$root/run/systemd/system/$unit.target"; done
systemd-analyze verify --man=no --root="$root" logtailerd@db1.service >"$work/lint" 2>&1 || { cat "$work/lint"; fail "systemd-analyze verify"; }
[ ! -s "$work/lint" ] || { cat "$work/lint"; fail "systemd-analyze has something to say"; }
grep -q '^ExecStart=/usr/sbin/logtailerd --config /etc/logtailer/%i.conf$' "$root/usr/lib/systemd/system/logtailerd@.service" || fail "the unit starts something else"

# The programs, with the libraries of that root before this machine's. An example that nobody has filled in is refused, with the key.
libdir=$(dirname "$(find "$root" -name libbinlogtail.so.0)")
inside() {
    program=$1
    shift
    LD_LIBRARY_PATH="$libdir" "$root/usr/$program" "$@" >"$work/said" 2>&1
}
inside sbin/logtailerd --config "$root/etc/logtailer/example.conf" --check
[ $? = 2 ] || { cat "$work/said"; fail "an unfinished configuration is taken"; }
grep -q 'source\.\|store\.' "$work/said" || { cat "$work/said"; fail "what is unfinished is not named"; }
install -d -m 750 "$root/var/lib/logtailer/db1"
echo secret >"$work/password"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
check_config() {
    inside sbin/logtailerd --config "$root/etc/logtailer/$1" --set store.dir="$root/var/lib/logtailer/db1" --set store.allow_unsafe_fs=yes --set source.password_file="$work/password" \
        --set source.ssl_ca="$work/ca.pem" --set tail.listen=127.0.0.1:0 --set http.listen=127.0.0.1:0 --check || { cat "$work/said"; fail "--check of $1"; }
}
check_config example.conf
for program in sbin/logtailerd bin/logtailerctl bin/binlogtail; do
    inside $program --version || { cat "$work/said"; fail "$program does not run"; }
done

# The library is found by pkg-config, and a program that uses it can be made.
flags=$(PKG_CONFIG_LIBDIR="$libdir/pkgconfig:$(pkg-config --variable pc_path pkg-config)" PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
    pkg-config --cflags --libs libbinlogtail) || fail "pkg-config"
# shellcheck disable=SC2086
cc -o "$work/follow" "$root"/usr/share/doc/libbinlogtail-dev/examples/follow.c $flags || fail "an example does not compile"
[ "$(LD_LIBRARY_PATH=$libdir ldd "$work/follow" | sed -n 's/.*binlogtail.so.0 => \([^ ]*\).*/\1/p')" = "$libdir/libbinlogtail.so.0" ] || fail "it is another library"

# An operator is at work; then an upgrade.
sed 's/^host = .*/host = db1.mine/' "$root/etc/logtailer/example.conf" >"$root/etc/logtailer/db1.conf"
echo "; mine" >>"$root/etc/logtailer/example.conf"
echo password >"$root/etc/logtailer/db1.password"
mkdir -p "$root/var/lib/logtailer/db1/lineages/0001-x" "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/systemd/system/logtailerd@db1.service.d"
echo segment >"$root/var/lib/logtailer/db1/lineages/0001-x/mysql-bin.000001"
ln -s /usr/lib/systemd/system/logtailerd@.service "$root/etc/systemd/system/multi-user.target.wants/logtailerd@db1.service"
echo "[Service]" >"$root/etc/systemd/system/logtailerd@db1.service.d/override.conf"
chmod 700 "$root/var/lib/logtailer/db1"
cp -a "$root/etc/logtailer" "$work/before"
in_root --force-confdef --force-confold -i "$work"/new/*.deb
[ "$(sed -n '/^Package: logtailer$/,/^$/s/^Version: //p' "$root/var/lib/dpkg/status")" = "$(cd "$work/new" && ls logtailer_* | cut -d_ -f2)" ] || fail "the upgrade has not taken place"
for file in example.conf db1.conf db1.password; do
    cmp "$work/before/$file" "$root/etc/logtailer/$file" || fail "an upgrade changes $file"
done
grep -q 200GiB "$root/etc/logtailer/example.conf.dpkg-dist" || fail "the new example is not beside the old one"
[ "$(cat "$root/var/lib/logtailer/db1/lineages/0001-x/mysql-bin.000001")" = segment ] || fail "an upgrade changes the store"
expect etc/logtailer 750 root:logtailer
[ "$(stat -c %a "$root/var/lib/logtailer/db1")" = 700 ] || fail "an upgrade changes the mode of a store"
[ -L "$root/etc/systemd/system/multi-user.target.wants/logtailerd@db1.service" ] || fail "an upgrade disables an instance"
check_config db1.conf

# Removed: the programs go, configuration and store stay. Purged: the store stays, and its user.
in_root -r logtailer libbinlogtail-dev libbinlogtail0
[ ! -e "$root/usr/sbin/logtailerd" ] || fail "removed, and still there"
cmp "$work/before/example.conf" "$root/etc/logtailer/example.conf" || fail "removal takes the configuration"
in_root -P logtailer libbinlogtail-dev libbinlogtail0
rm -rf "$root/lib" "$root/bin" "$root/run"
(cd "$root" && find . ! -type d ! -path './var/lib/dpkg/*' ! -path './etc/passwd*' ! -path './etc/group*' ! -path './etc/*shadow*' ! -path './etc/.*.lock') >"$work/left"
[ "$(cat "$work/left")" = ./var/lib/logtailer/db1/lineages/0001-x/mysql-bin.000001 ] || { cat "$work/left"; fail "purge leaves that"; }
[ ! -e "$root/etc/logtailer" ] && [ ! -e "$root/usr/share/doc/logtailer" ] || fail "purge leaves folders"
grep -q '^logtailer:' "$root/etc/passwd" || fail "the store's owner is gone"

# What the packages say of themselves.
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$source/meson.build")
[ "$(dpkg-deb -f "$work"/new/logtailer_*.deb Version | sed 's/-[^-]*$//')" = "$version" ] || fail "docker/debian/changelog has not the version $version of meson.build"
sed -n '/^packages="/,/"$/p' "$source/tests/install.sh" | tr -d '"' | sed 's/packages=//' | tr -s ' ' '\n' | while read -r package; do
    grep -q "[ ,]$package\\([ ,]\\|\$\\)" "$source/docker/debian/control" || echo "$package"
done >"$work/lacks"
[ ! -s "$work/lacks" ] || fail "Build-Depends lacks $(cat "$work/lacks")"

[ $bad = 0 ] && echo "all as expected"
exit $bad
