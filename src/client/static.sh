#!/bin/sh
# static.sh OUTPUT COMPILER OBJCOPY AR LIBCLIENT OTHER-LIBS...: one archive with one object, in which only binlogtail_* can be seen from outside.
set -eu
out=$1
compiler=$2
objcopy=$3
ar=$4
client=$5
shift 5
# shellcheck disable=SC2086 # a compiler may be several words (ccache gcc)
$compiler -nostdlib -r -o "$out.o" -Wl,--whole-archive "$client" -Wl,--no-whole-archive "$@"
"$objcopy" --localize-hidden "$out.o"
rm -f "$out"
"$ar" rcs "$out" "$out.o"
rm -f "$out.o"
