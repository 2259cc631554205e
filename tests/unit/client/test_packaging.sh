#!/bin/sh
# test_packaging.sh SOURCE BUILD: what is exported, that help, man page and completion name the same options, and every function is documented.
set -eu
source=$1
build=$2
failed=0

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

header=$source/include/binlogtail/binlogtail.h
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/^BINLOGTAIL_API .*[ *]\(binlogtail_[a-z_]*\)(.*/\1/p' "$header" | sort >"$work/declared"
[ "$(wc -l <"$work/declared")" -ge 17 ] || fail "the header declares too little"

nm -D --defined-only "$build/src/client/libbinlogtail.so" | sed -n 's/.* [TDRBVW] \([^@]*\).*/\1/p' | grep -v '^BINLOGTAIL_0$' | sort >"$work/exported"
cmp -s "$work/declared" "$work/exported" || { fail "the shared library exports something else than the header declares"; diff "$work/declared" "$work/exported" >&2 || :; }

nm -g --defined-only "$build/src/client/libbinlogtail.a" | sed -n 's/.* [TDRBVWCiu] \(.*\)/\1/p' | grep -v '^__asan_\|^__odr_asan\|^___asan_' | sort >"$work/static"
cmp -s "$work/declared" "$work/static" || { fail "the static library shows something else than the header declares"; diff "$work/declared" "$work/static" >&2 || :; }

readelf -d "$build/src/client/libbinlogtail.so" | grep -q 'SONAME.*libbinlogtail\.so\.0' || fail "no soname"
while read -r name; do
    grep -q "$name" "$source/src/client/libbinlogtail.3" || fail "$name is not in libbinlogtail.3"
done <"$work/declared"

"$build/src/client/binlogtail" --help | grep -o -- '--[a-z-]*[a-z]' | sort -u >"$work/help"
[ "$(wc -l <"$work/help")" -ge 25 ] || fail "the help names too few options"
sed 's/\\-/-/g' "$source/src/client/binlogtail.1" | grep -o -- '--[a-z-]*[a-z]' | sort -u >"$work/man"
grep -o -- '--[a-z-]*[a-z]' "$source/src/client/binlogtail.bash" | sort -u >"$work/bash"
sed -n 's/.*{"\([a-z-]*\)", [a-z]*_argument.*/--\1/p' "$source/src/client/binlogtail_opts.c" | sort -u >"$work/code"
for other in man bash code; do
    cmp -s "$work/help" "$work/$other" || { fail "help and $other name different options"; diff "$work/help" "$work/$other" >&2 || :; }
done

bash -n "$source/src/client/binlogtail.bash" || fail "the completion is no bash"
completed=$(bash -c '. "$1"; COMP_WORDS=(binlogtail --until-); COMP_CWORD=1; _binlogtail; echo "${COMPREPLY[@]}"' sh "$source/src/client/binlogtail.bash")
[ "$completed" = --until-end ] || fail "--until- is completed to $completed"

# The header stands by itself.
${CC:-cc} -std=c11 -Wall -Wextra -pedantic -Werror -x c -I"$source/include" -fsyntax-only - <<EOC || fail "the header is no C11"
#include <binlogtail/binlogtail.h>
int main(void) { struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT; return o.struct_size == 0; }
EOC
if command -v g++ >/dev/null; then
    g++ -std=c++17 -Wall -Wextra -Wmissing-field-initializers -pedantic -Werror -x c++ -I"$source/include" -fsyntax-only - <<EOC || fail "the header warns in C++"
#include <binlogtail/binlogtail.h>
int main() { binlogtail_options o = BINLOGTAIL_OPTIONS_INIT; o.port = 1; return o.struct_size == 0; }
EOC
fi
exit $failed
