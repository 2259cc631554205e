#!/bin/sh
# Installs what is missing on a Debian 12: sh tests/install.sh [build|demo|test]
#   build: compiler and libraries;  demo: and a MariaDB server;  test: and MySQL (Debian unstable, unpacked into a cache folder), tools.
# Does nothing, and asks no package source, when all is there. Needs root (or sudo) only when something is missing.
set -eu
level=${1:-test}

packages="gcc libc6-dev meson ninja-build pkg-config libevent-dev default-libmysqlclient-dev libcunit1-dev libinih-dev libjansson-dev
 libdeflate-dev libsystemd-dev libssl-dev libprotobuf-c-dev protobuf-c-compiler libyaml-dev ca-certificates"
[ "$level" = build ] || packages="$packages mariadb-server mariadb-client socat openssl"
[ "$level" != test ] || packages="$packages clang clang-format clang-tidy libclang-rt-14-dev dpkg-dev mmdebstrap sysbench strace e2fsprogs gcovr
 chromium fonts-dejavu-core mandoc prometheus systemd"

missing=""
for p in $packages; do
    dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
done

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Without this file Debian would start the packaged server; the tests start their own, on free ports.
no_services() {
    [ -e /usr/sbin/policy-rc.d ] && return 0
    printf '#!/bin/sh\nexit 101\n' >/tmp/policy-rc.d.$$
    as_root install -m 755 /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d
    rm -f /tmp/policy-rc.d.$$
    made_policy=yes
}

if [ -n "$missing" ]; then
    echo "installing:$missing"
    made_policy=no
    no_services
    as_root apt-get update -q >/dev/null || echo "apt-get update failed; going on with the lists that are there" >&2
    status=0
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/tmp/logtailer-apt.$$ 2>&1 || status=$?
    [ "$made_policy" = no ] || as_root rm -f /usr/sbin/policy-rc.d
    if [ $status != 0 ]; then
        tail -20 /tmp/logtailer-apt.$$ >&2
        echo "install.sh: apt-get failed" >&2
        exit 1
    fi
    rm -f /tmp/logtailer-apt.$$
fi

[ "$level" = test ] || exit 0

cache=${LT_MYSQL_CACHE:-/var/cache/logtailer/mysql-sid}
if [ ! -x "$cache/usr/sbin/mysqld" ]; then
    echo "unpacking a MySQL server from Debian unstable into $cache"
    as_root mkdir -p "$(dirname "$cache")"
    ok=no
    for try in 1 2; do
        as_root rm -rf "$cache.tmp"
        if as_root mmdebstrap --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
            --include=mysql-server-core,mysql-client-core,mysql-common sid "$cache.tmp" >/tmp/logtailer-mmdebstrap.$$ 2>&1; then
            ok=yes
            break
        fi
    done
    if [ $ok = no ]; then
        tail -20 /tmp/logtailer-mmdebstrap.$$ >&2
        echo "install.sh: MySQL could not be unpacked" >&2
        exit 1
    fi
    rm -f /tmp/logtailer-mmdebstrap.$$
    as_root rm -rf "$cache"
    as_root mv "$cache.tmp" "$cache"
fi
