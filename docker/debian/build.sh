#!/bin/sh
# The Debian packages, out of this source: sh docker/debian/build.sh FOLDER [BUILT]
#   FOLDER gets the packages; BUILT is a folder that meson has built already. Without it what `sh tests/install.sh build` installs is needed too; and dpkg-dev.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/logtailer"
cp -a "$top/src" "$top/docker" "$work/logtailer/"
[ -n "${2:-}" ] || cp -a "$top/include" "$top/proto" "$top/tests" "$top/meson.build" "$top/meson_options.txt" "$top/README.md" "$work/logtailer/"
cp -a "$top/docker/debian" "$work/logtailer/debian"
chmod 755 "$work/logtailer/debian/rules"
cd "$work/logtailer"
if [ -n "${2:-}" ]; then
    LOGTAILER_BUILT=$(cd "$top" && cd "$2" && pwd)
    export LOGTAILER_BUILT
    set -- "$1" "$2" -d # the compiler has been run
fi
dpkg-buildpackage -b -us -uc ${3:+"$3"} >"$work/log" 2>&1 || { tail -40 "$work/log" >&2; exit 1; }
mv "$work"/*.deb "$out/"
