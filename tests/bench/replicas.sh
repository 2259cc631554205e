#!/bin/sh
# Builds what is measured with optimisation and without sanitizers, then runs bench_replicas. README.md names the variables.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build="$top/build-bench"
[ -d "$build" ] || meson setup "$build" "$top" --buildtype=release -Dbench=true -Dintegration=false >/dev/null
ninja -C "$build" src/daemon/logtailerd tests/bench/bench_replicas >/dev/null
LT_DAEMON="${LT_DAEMON:-$build/src/daemon/logtailerd}"
export LT_DAEMON
exec "$build/tests/bench/bench_replicas" "$@"
