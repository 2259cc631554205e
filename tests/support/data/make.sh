#!/bin/sh
# Makes the binlog files beside it anew, from real servers: MariaDB of the system, MySQL unpacked under /var/cache/logtailer/mysql-sid
# (or $MYSQL_SID). Each file is one closed binlog of a server that was used for nothing else. The servers listen on a socket in a
# private folder only. Not part of the build: the files are committed, ids and timestamps differ on every run.
set -eu
out=$(cd "$(dirname "$0")" && pwd)
sid=${MYSQL_SID:-/var/cache/logtailer/mysql-sid}
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
[ "$(id -u)" = 0 ] && as_root=--user=root || as_root=

loader() {
    prog=$1
    shift
    lib=$sid/usr/lib/x86_64-linux-gnu
    exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$sid/usr/lib/mysql/private" "$sid/usr/$prog" "$@"
}

wait_ready() {
    n=0
    until echo 'SELECT 1' | "$1" >/dev/null 2>&1; do
        n=$((n + 1))
        [ "$n" -lt 100 ] || { tail -20 "$work/log" >&2; exit 1; }
        sleep 0.2
    done
}

# Run the SQL on stdin in a file of its own and keep that file: capture CLIENT DATADIR NAME
capture() {
    echo 'FLUSH BINARY LOGS' | "$1"
    file=$(tail -1 "$2/binlog.index")
    "$1"
    echo 'FLUSH BINARY LOGS' | "$1"
    install -m 644 "$2/${file##*/}" "$out/$3"
}

sql_mysql() { (loader bin/mysql --no-defaults --socket="$work/s" -uroot --force test); }
sql_mysql_bare() { (loader bin/mysql --no-defaults --socket="$work/s" -uroot); }
sql_mariadb() { mariadb --no-defaults --socket="$work/s" -uroot --force test; }
sql_mariadb_bare() { mariadb --no-defaults --socket="$work/s" -uroot; }

# What both flavours do in the same words: every way a transaction can begin and end.
common() {
    cat <<'SQL'
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100)) ENGINE=InnoDB;
CREATE TABLE m (id INT, v VARCHAR(100)) ENGINE=MyISAM;
INSERT INTO t (v) VALUES ('one');
INSERT INTO m VALUES (1, 'one');
BEGIN; INSERT INTO t (v) VALUES ('two'); SAVEPOINT a; INSERT INTO t (v) VALUES ('three'); ROLLBACK TO a; UPDATE t SET v = 'x'; COMMIT;
BEGIN; INSERT INTO t (v) VALUES ('four'); INSERT INTO m VALUES (2, 'two'); SAVEPOINT b; INSERT INTO m VALUES (3, 'b'); ROLLBACK TO b; COMMIT;
BEGIN; INSERT INTO t (v) VALUES ('five'); INSERT INTO m VALUES (4, 'three'); ROLLBACK;
XA START 'one'; INSERT INTO t (v) VALUES ('xa'); XA END 'one'; XA COMMIT 'one' ONE PHASE;
XA START 'two','b',7; INSERT INTO t (v) VALUES ('xa2'); XA END 'two','b',7; XA PREPARE 'two','b',7; XA COMMIT 'two','b',7;
XA START 'three'; INSERT INTO t (v) VALUES ('xa3'); XA END 'three'; XA PREPARE 'three'; XA ROLLBACK 'three';
CREATE TABLE c AS SELECT * FROM t;
CREATE TABLE cm ENGINE=MyISAM AS SELECT * FROM m;
SET binlog_format = 'STATEMENT';
INSERT INTO t (v) VALUES ('statement');
SET @u = 'user variable'; INSERT INTO t (v) VALUES (@u);
INSERT INTO t (v) VALUES (RAND());
INSERT INTO m VALUES (5, @u);
CREATE TEMPORARY TABLE tt (id INT);
DROP TEMPORARY TABLE tt;
BEGIN; SAVEPOINT s1; INSERT INTO t (v) VALUES ('s1'); SAVEPOINT s2; INSERT INTO m VALUES (6, 's2'); ROLLBACK TO s2; COMMIT;
SET binlog_format = 'ROW';
DELETE FROM t WHERE id > 2;
ALTER TABLE t ADD COLUMN w INT DEFAULT 0;
TRUNCATE TABLE m;
CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
DROP FUNCTION f;
CREATE USER 'u'@'localhost';
DROP USER 'u'@'localhost';
DROP TABLE IF EXISTS c, cm, m, t;
SQL
}

mariadb_files() {
    data=$work/mariadb
    mariadb-install-db --no-defaults $as_root --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
    /usr/sbin/mariadbd --no-defaults $as_root --datadir="$data" --socket="$work/s" --skip-networking --server-id=33104 \
        --log-bin="$data/binlog" --binlog-format=ROW --binlog-checksum=CRC32 --innodb-buffer-pool-size=16M >"$work/log" 2>&1 &
    pid=$!
    wait_ready sql_mariadb_bare
    echo 'CREATE DATABASE test' | sql_mariadb_bare
    common | capture sql_mariadb "$data" mariadb_crc.bin
    capture sql_mariadb "$data" mariadb_domains.bin <<'SQL'
CREATE TABLE d (id INT PRIMARY KEY) ENGINE=InnoDB;
SET gtid_domain_id = 1; INSERT INTO d VALUES (1); INSERT INTO d VALUES (2);
SET server_id = 33105; INSERT INTO d VALUES (3);
SET gtid_domain_id = 7; INSERT INTO d VALUES (4);
SET gtid_domain_id = 0; SET gtid_seq_no = 5000; INSERT INTO d VALUES (5); INSERT INTO d VALUES (6);
DROP TABLE d;
SQL
    echo "SET GLOBAL binlog_checksum = 'NONE'" | sql_mariadb_bare
    common | capture sql_mariadb "$data" mariadb_none.bin
    echo "SET GLOBAL binlog_checksum = 'CRC32'; SET GLOBAL log_bin_compress = ON; SET GLOBAL log_bin_compress_min_len = 10" |
        sql_mariadb_bare
    common | capture sql_mariadb "$data" mariadb_compressed.bin
    kill "$pid"
    wait "$pid" || true
    pid=
    # The last file ends in a Stop and begins with the lists of all that was before.
    file=$(tail -1 "$data/binlog.index")
    install -m 644 "$data/${file##*/}" "$out/mariadb_stop.bin"
}

mysql_files() {
    data=$work/mysql
    set -- --no-defaults $as_root --basedir="$sid/usr" --lc-messages-dir="$sid/usr/share/mysql" --character-sets-dir="$sid/usr/share/mysql/charsets" \
        --plugin-dir="$sid/usr/lib/mysql/plugin" --secure-file-priv=NULL --mysqlx=0 --datadir="$data" --innodb-buffer-pool-size=16M \
        --innodb-redo-log-capacity=8M
    (loader sbin/mysqld "$@" --initialize-insecure) >"$work/log" 2>&1
    loader sbin/mysqld "$@" --socket="$work/s" --skip-networking --server-id=33104 --log-bin="$data/binlog" --gtid-mode=OFF >"$work/log" 2>&1 &
    pid=$!
    wait_ready sql_mysql_bare
    echo 'CREATE DATABASE test' | sql_mysql_bare
    common | capture sql_mysql "$data" mysql_anonymous.bin
    for step in enforce_gtid_consistency=ON gtid_mode=OFF_PERMISSIVE gtid_mode=ON_PERMISSIVE gtid_mode=ON; do
        echo "SET GLOBAL $step" | sql_mysql_bare
    done
    # --force steps over what GTID_MODE=ON does not allow.
    common | capture sql_mysql "$data" mysql_gtid.bin
    {
        echo "SET gtid_next = 'AUTOMATIC:mytag';"
        common
        echo "SET gtid_next = 'AUTOMATIC:another_tag'; CREATE TABLE x (id INT PRIMARY KEY); INSERT INTO x VALUES (1);"
        echo "SET gtid_next = '68b1e7ed-e6ea-11f1-af30-0202fc000001:mytag:1'; INSERT INTO x VALUES (2);"
        echo "SET gtid_next = 'AUTOMATIC'; INSERT INTO x VALUES (3); DROP TABLE x;"
    } | capture sql_mysql "$data" mysql_tagged.bin
    { echo 'SET binlog_transaction_compression = ON;'; common; } | capture sql_mysql "$data" mysql_payload.bin
    echo "SET GLOBAL binlog_checksum = 'NONE'" | sql_mysql_bare
    common | capture sql_mysql "$data" mysql_none.bin
    kill "$pid"
    wait "$pid" || true
    pid=
    file=$(tail -1 "$data/binlog.index")
    install -m 644 "$data/${file##*/}" "$out/mysql_stop.bin"
}

mariadb_files
mysql_files
