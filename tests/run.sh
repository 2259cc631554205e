#!/bin/sh
# Installs what is missing, builds, runs every test; ends with one line "N passed, N failed". LT_FULL=1 runs the full counts.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
passed=0
failed=0
started=$(date +%s)
failures=$(mktemp)
trap 'rm -f "$failures"' EXIT

stage() {
    echo "== $(($(date +%s) - started)) s: $*"
}

# Count the tests of a meson run from its log, one JSON object a line; what failed is told again at the end, where it is found.
count() {
    log=$1
    python3 tests/support/failures.py "$log" >>"$failures"
    ok=$(grep -c '"result": "OK"' "$log" 2>/dev/null)
    all=$(grep -c '"result": ' "$log" 2>/dev/null)
    passed=$((passed + ok))
    failed=$((failed + all - ok))
}

check() {
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        echo "FAILED: $name" | tee -a "$failures"
        failed=$((failed + 1))
    fi
}

# build DIR SETUP-ARGUMENTS...: a failure to build is a failed test.
build() {
    dir=$1
    shift
    if [ -e "$dir/build.ninja" ]; then set -- --reconfigure "$@"; fi
    if ! meson setup "$dir" "$@" >"$dir.log" 2>&1 || ! ninja -C "$dir" >>"$dir.log" 2>&1; then
        tail -40 "$dir.log"
        echo "FAILED: build of $dir" | tee -a "$failures"
        failed=$((failed + 1))
        return 1
    fi
}

run() {
    dir=$1
    shift
    rm -f "$dir/meson-logs/testlog.json"
    # One more at a time than there are processors: many tests mostly wait.
    meson test -C "$dir" --no-rebuild --num-processes $(($(nproc) + 1)) --print-errorlogs "$@" || echo "FAILED: tests of $dir"
    count "$dir/meson-logs/testlog.json"
}

formatted() {
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

# The layers are separate include roots; this keeps a path from climbing out of one.
includes_one_way() {
    ! git grep -nE '#include "\.\./' -- src include
}

stage install
sh tests/install.sh test || exit 1

# Integration tests run in one build, the one that sees most: the next. At full speed run those in which it matters.
if [ "${LT_FULL:-0}" = 1 ]; then
    plain=
else
    plain="--suite unit --suite fault --suite replay --suite fuzz --suite full_speed"
fi
stage "build and test"
check formatting formatted
check include-direction includes_one_way
# shellcheck disable=SC2086 # words
build build --werror -Dtests=true -Dbench=true && run build --timeout-multiplier 3 $plain

stage "ASan and UBSan"
build build-asan --werror -Dtests=true -Db_sanitize=address,undefined -Db_lundef=false &&
    ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run build-asan --timeout-multiplier 4

# The other fault tests have one thread, and take forty times as long here.
stage "TSan"
build build-tsan --werror -Dtests=true -Db_sanitize=thread -Db_lundef=false -Dintegration=false &&
    TSAN_OPTIONS="suppressions=$top/tests/support/tsan.supp" run build-tsan --timeout-multiplier 6 --suite unit --suite threads

stage "fuzz targets, ${LT_FUZZ_SECONDS:-15} s each"
if CC=clang build build-fuzz -Dfuzz=libfuzzer -Dc_args=-fsanitize=fuzzer-no-link -Db_sanitize=address,undefined -Db_lundef=false \
    -Dtests=true -Dintegration=false; then
    # One for each processor at a time: each has one thread, and time is all it needs.
    fuzz() {
        name=$(basename "$1" | sed 's/^fuzz_//')
        mkdir -p "build-fuzz/corpus-$name"
        "$1" -max_total_time="${LT_FUZZ_SECONDS:-15}" -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=0 \
            "build-fuzz/corpus-$name" "tests/fuzz/corpus/$name" >"build-fuzz/corpus-$name.log" 2>&1
        echo $? >"build-fuzz/corpus-$name.rc"
    }
    fuzzed() {
        [ "$(cat "build-fuzz/corpus-$1.rc" 2>/dev/null)" = 0 ] && return
        tail -30 "build-fuzz/corpus-$1.log"
        return 1
    }
    targets=$(find build-fuzz/tests/fuzz -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort)
    running=0
    for target in $targets; do
        rm -f "build-fuzz/corpus-$(basename "$target" | sed 's/^fuzz_//').rc"
        fuzz "$target" &
        running=$((running + 1))
        if [ "$running" -ge "$(nproc)" ]; then
            wait
            running=0
        fi
    done
    wait
    for target in $targets; do
        name=$(basename "$target" | sed 's/^fuzz_//')
        check "fuzz $name" fuzzed "$name"
    done

    stage "clang-tidy"
    tidy() {
        git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$top/build-fuzz" >build-fuzz/tidy.log 2>/dev/null && return
        grep -E '(warning|error):' build-fuzz/tidy.log | tee -a "$failures"
        return 1
    }
    check clang-tidy tidy
fi

stage done
cat "$failures"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
