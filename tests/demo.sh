#!/bin/sh
# Shows logtailer at work in a minute: a throwaway MariaDB primary, commits that wait for a durable copy, the copy itself, a consumer that
# tails it, what operators see, a fence.
# Exits 0 when everything was as expected. Leaves nothing behind but the build in build/.
#   LT_TMP   where the primary and the store go while it runs (default /tmp)
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)

work=
primary=
tailer=
consumer=
waiting=

stop_process() {
    [ -n "$1" ] || return 0
    kill "-$2" "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || :
}

cleanup() {
    trap - EXIT
    stop_process "$waiting" KILL
    stop_process "$consumer" TERM
    stop_process "$tailer" TERM
    # Nothing in it is worth an orderly end, which would wait for commits that nobody acknowledges any more.
    stop_process "$primary" KILL
    [ -z "$work" ] || rm -rf "$work"
}

heading() {
    echo
    echo "== $*"
}

fail() {
    echo "demo.sh: $*" >&2
    for log in "$work/primary.log" "$work/logtailerd.log"; do
        if [ -s "$log" ]; then
            echo "---- the end of $log" >&2
            tail -n 15 "$log" >&2
        fi
    done
    exit 1
}

# wait_for SECONDS COMMAND…: try ten times a second.
wait_for() {
    tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

sql() {
    mariadb --no-defaults -uroot -S "$work/primary.sock" -N -B "$@"
}

semi_sync() {
    sql -e "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_$1'" | cut -f 2
}

primary_is_up() {
    sql -e 'SELECT 1' >/dev/null 2>&1
}

port_is_taken() {
    socat -u OPEN:/dev/null "TCP4:127.0.0.1:$1,connect-timeout=1" 2>/dev/null
}

free_port() {
    for candidate in "$@"; do
        port_is_taken "$candidate" || break
    done
    echo "$candidate"
}

ctl() {
    build/src/ctl/logtailerctl --dir "$work/store" "$@"
}

ask() {
    ctl --json "$@" 2>/dev/null
}

is_streaming() {
    ask status | grep -q '"state": *"streaming"'
}

# http PATH: head and body
http() {
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | socat -t 5 - "TCP4:127.0.0.1:$http_port" 2>/dev/null
}

is_ready() {
    http /readyz | head -n 1 | grep -q ' 200 '
}

contains() {
    grep -q "$1" "$2"
}

is_gone() {
    ! kill -0 "$1" 2>/dev/null
}

# field NAME: "file offset" of one place in a status answer on stdin.
place() {
    sed -n 's/.*"'"$1"'": *{"file": *"\([^"]*\)", *"offset": *\([0-9]*\).*/\1 \2/p'
}

# number OBJECT KEY: a number out of an object without objects in it; nothing where it is null.
number() {
    sed -n 's/.*"'"$1"'": *{[^{}]*"'"$2"'": *\([0-9][0-9.]*\).*/\1/p'
}

# The primary's heartbeats, one a second, tell that nothing is on the way.
lag_is_known() {
    [ -n "$(ask status | number lag source_bytes)" ]
}

trap cleanup EXIT
trap 'exit 1' HUP INT TERM

heading "What is missing is installed, the programs are built (build/)"
sh tests/install.sh demo
work=$(mktemp -d "${LT_TMP:-/tmp}/logtailer-demo.XXXXXX")
if [ ! -f build/build.ninja ]; then
    meson setup build >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "meson setup failed"; }
fi
programs="src/daemon/logtailerd src/ctl/logtailerctl"
[ ! -f src/client/binlogtail_main.c ] || programs="$programs src/client/binlogtail"
# shellcheck disable=SC2086 # a list
ninja -C build $programs >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; fail "the build failed"; }
for program in $programs; do
    echo "$top/build/$program"
done

heading "A MariaDB primary: semi-sync, wait point AFTER_SYNC, time-out a day"
as_user=
[ "$(id -u)" -ne 0 ] || as_user=--user=root
# A temporary folder of its own: a MariaDB that starts deletes every #sql* in it, another server's too.
# shellcheck disable=SC2086 # as_user is one word or none
mariadb-install-db --no-defaults $as_user --datadir="$work/data" --tmpdir="$work" --auth-root-authentication-method=normal \
    --skip-test-db --force >"$work/primary.log" 2>&1 ||
    { grep -i -m 5 error "$work/primary.log" >&2; fail "the primary's datadir could not be made"; }
port=$(free_port 17306 18306 19306 20306 21306 22306 23316 24306)
tail_port=$(free_port 17307 18307 19307 20307 21307 22307 23317 24307)
http_port=$(free_port 17308 18308 19308 20308 21308 22308 23318 24308)
# Not even SIGKILL of this script leaves a server behind.
# shellcheck disable=SC2086
setpriv --pdeathsig KILL /usr/sbin/mariadbd --no-defaults $as_user --datadir="$work/data" --socket="$work/primary.sock" --pid-file="$work/primary.pid" \
    --tmpdir="$work" --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --innodb-buffer-pool-size=32M --server-id=1 --log-bin=mysql-bin \
    --sync-binlog=1 --binlog-format=ROW --binlog-checksum=CRC32 --rpl-semi-sync-master-enabled=1 \
    --rpl-semi-sync-master-wait-point=AFTER_SYNC --rpl-semi-sync-master-timeout=86400000 >>"$work/primary.log" 2>&1 &
primary=$!
wait_for 20 primary_is_up || fail "the primary does not start"
# Not in the binlog: these would wait for an acknowledgement too.
sql -e "SET sql_log_bin = 0; CREATE DATABASE demo; CREATE TABLE demo.t (id INT PRIMARY KEY, word VARCHAR(40)) ENGINE=InnoDB;
    CREATE USER 'repl'@'%' IDENTIFIED BY 'secret'; GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'"
echo "MariaDB $(sql -e 'SELECT VERSION()'), 127.0.0.1:$port"

heading "Without logtailerd a commit waits"
sql -e "INSERT INTO demo.t VALUES (1, 'waits for a durable copy')" &
waiting=$!
sleep 2
is_gone $waiting && fail "the commit returned, nobody had acknowledged it"
[ "$(semi_sync wait_sessions)" = 1 ] || fail "no session waits for an acknowledgement"
[ "$(sql -e 'SELECT COUNT(*) FROM demo.t')" = 0 ] || fail "the row is visible before it is acknowledged"
echo "after 2 s: still waiting, and nobody else sees the row"

heading "With logtailerd it returns"
echo secret >"$work/password"
chmod 600 "$work/password"
mkdir "$work/store"
cat >"$work/logtailerd.conf" <<CONF
[source]
host = 127.0.0.1
port = $port
user = repl
password_file = $work/password

[store]
dir = $work/store
allow_unsafe_fs = yes

[tail]
listen = 127.0.0.1:$tail_port

[http]
listen = 127.0.0.1:$http_port
CONF
sed 's/^/    /' "$work/logtailerd.conf"
setpriv --pdeathsig KILL build/src/daemon/logtailerd --config "$work/logtailerd.conf" 2>"$work/logtailerd.log" &
tailer=$!
wait_for 20 is_gone $waiting || fail "the commit still waits"
wait $waiting || fail "the commit failed"
waiting=
wait_for 10 is_streaming || fail "logtailerd is not streaming"
echo "the commit has returned; logtailerd is streaming"

heading "More rows, each acknowledged after its sync"
for id in 2 3 4 5; do
    sql -e "INSERT INTO demo.t VALUES ($id, 'row number $id')"
done
sql -e "INSERT INTO demo.t VALUES (6, 'the newest row')"
yes_tx=$(semi_sync yes_tx)
no_tx=$(semi_sync no_tx)
echo "acknowledged commits (yes_tx): $yes_tx, commits that went without (no_tx): $no_tx"
[ "$yes_tx" -ge 6 ] || fail "six commits should have been acknowledged"
[ "$no_tx" = 0 ] || fail "a commit went without an acknowledgement"

heading "What an operator sees: logtailerctl status, and a lag check"
wait_for 5 lag_is_known || fail "the lag stays unknown"
ctl status | sed 's/^/    /'
ctl lag --max-seconds 10 --max-bytes 1MiB || fail "the lag check does not say OK"
status=$(ask status)
durable=$(echo "$status" | place durable)
[ -n "$durable" ] || fail "status names no durable position: $status"
[ "$durable" = "$(echo "$status" | place acked)" ] || fail "the last commit is not the last acknowledged: $status"

heading "What a monitoring system sees (http://127.0.0.1:$http_port/ is a page for people)"
wait_for 10 is_ready || fail "/readyz does not say ready: $(http /readyz)"
echo "/readyz: $(http /readyz | tail -n 1)"
http /metrics | grep -E '^logtailer_(acks_sent_total|source_lag_bytes|store_bytes|ack_duration_seconds_(sum|count)) ' ||
    fail "/metrics lacks the figures"

heading "The durable bytes, read by mariadb-binlog"
file=${durable% *}
bytes=${durable#* }
segment=$(echo "$work"/store/lineages/*/"$file")
echo "head -c $bytes ${segment#"$work/"} | mariadb-binlog --verbose -"
head -c "$bytes" "$segment" | mariadb-binlog --no-defaults --verify-binlog-checksum --base64-output=decode-rows --verbose - \
    >"$work/events" || fail "mariadb-binlog cannot read the segment"
grep -A 3 '^### INSERT' "$work/events" | tail -n 4
grep -q 'the newest row' "$work/events" || fail "the newest row is not in the segment"
# Bit 0 at offset 21 marks the file that a server has open; a closed one is the same to the last bit.
[ "$(head -c "$bytes" "$segment" | tail -c +23 | cksum)" = "$(head -c "$bytes" "$work/data/$file" | tail -c +23 | cksum)" ] ||
    fail "the segment and the primary's file differ"
echo "byte for byte the primary's $file"

heading "A consumer: tail -f for the binlog"
build/src/client/binlogtail --no-progress --from earliest "127.0.0.1:$tail_port" >"$work/tailed" 2>"$work/binlogtail.log" &
consumer=$!
gtid=$(sql -e "INSERT INTO demo.t VALUES (7, 'seen by a consumer'); SELECT @@last_gtid")
echo "the commit's GTID: $gtid"
wait_for 10 contains " $gtid\$" "$work/tailed" || { cat "$work/binlogtail.log" >&2; fail "the consumer does not see the row"; }
tail -n 5 "$work/tailed" | cut -c 1-150
ctl consumers || fail "consumers are not listed"
stop_process "$consumer" TERM
consumer=

heading "A fence: from its answer on nothing is acknowledged"
ctl fence "the demo says so" | sed 's/^/    /'
ask status | grep -q '"state": *"fenced"' || fail "status does not say fenced"
sql -e "INSERT INTO demo.t VALUES (8, 'waits behind the fence')" &
waiting=$!
sleep 2
is_gone $waiting && fail "a commit returned in spite of the fence"
[ "$(semi_sync wait_sessions)" = 1 ] || fail "no session waits for an acknowledgement"
echo "a commit has been waiting for 2 s"
ctl unfence | sed 's/^/    /'
wait_for 20 is_gone $waiting || fail "the commit still waits"
wait $waiting || fail "the commit failed"
waiting=
echo "released: the commit has returned"

heading "Orderly stop"
kill -TERM $tailer
status=0
wait $tailer || status=$?
tailer=
[ $status -eq 0 ] || fail "logtailerd exits $status"
echo "logtailerd exits 0"
echo
echo "All as expected."
