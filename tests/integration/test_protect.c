/* What the service is for: every commit is acknowledged after it is durable, and the store is the primary's bytes, whatever is written. */
#include "rig.h"

static void test_commits_are_acknowledged(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v VARCHAR(100))");
    int64_t before = sql_semi_status(r.root, "yes_tx");
    for (int i = 0; i < 100; i++)
        sql_must(r.root, "INSERT INTO t.a VALUES (%d, 'id=%d;')", i, i);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "yes_tx") - before, 100);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "clients"), 1);
    rig_check_identical(&r);
    rig_end(&r);
}

static void test_without_us_commits_wait_and_return(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1)");
    CU_ASSERT_FALSE(sql_async_wait(as, 1000));
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(sql_async_errno(as), 0);
    sql_async_free(as);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    rig_end(&r);
}

/* A commit that waits when a tailer with an empty store comes is released only by bytes that are stored (cases 36, 106). */
static void test_empty_store_stores_before_it_releases(void)
{
    struct rig r;
    rig_start_server(&r, NULL, false);
    struct sql_async *as = sql_async_start(r.other, "CREATE TABLE t.waiting (i INT PRIMARY KEY)");
    CU_ASSERT_FALSE(sql_async_wait(as, 500));
    rig_start_daemon(&r, (char *[]){"source.start=latest", NULL});
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    rig_end(&r);
}

static void many_kinds(struct rig *r)
{
    struct sql *c = r->root;
    sql_must(c, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB) ENGINE=InnoDB");
    sql_must(c, "CREATE TABLE t.m (i INT PRIMARY KEY AUTO_INCREMENT, b TEXT) ENGINE=MyISAM");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('one'), ('two')");
    sql_must(c, "INSERT INTO t.m(b) VALUES ('one')");
    sql_must(c, "CREATE TABLE t.ctas AS SELECT * FROM t.i");
    sql_must(c, "BEGIN");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('three')");
    sql_must(c, "SAVEPOINT s1");
    if (flavor == SERVER_MARIADB) /* MySQL refuses both engines in one transaction with GTIDs */
        sql_must(c, "INSERT INTO t.m(b) VALUES ('two')");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('four')");
    (void)sql_exec(c, "ROLLBACK TO s1");
    sql_must(c, "COMMIT");
    sql_must(c, "XA START 'x1'");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('xa')");
    sql_must(c, "XA END 'x1'");
    sql_must(c, "XA PREPARE 'x1'");
    sql_must(c, "XA COMMIT 'x1'");
    sql_must(c, "XA START 'x2'");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('xa one phase')");
    sql_must(c, "XA END 'x2'");
    sql_must(c, "XA COMMIT 'x2' ONE PHASE");
    sql_must(c, "ALTER TABLE t.i ADD COLUMN c INT DEFAULT 7");
    sql_must(c, "DROP TABLE t.ctas");
}

static void flavour_kinds(struct rig *r)
{
    struct sql *c = r->root;
    if (flavor == SERVER_MYSQL) {
        sql_must(c, "SET SESSION binlog_transaction_compression=ON");
        sql_must(c, "INSERT INTO t.i(b) VALUES (REPEAT('compressible', 1000))");
        sql_must(c, "SET SESSION binlog_transaction_compression=OFF");
        sql_must(c, "SET SESSION gtid_next='AUTOMATIC:mytag'");
        sql_must(c, "INSERT INTO t.i(b) VALUES ('tagged')");
        sql_must(c, "SET SESSION gtid_next='AUTOMATIC'");
        return;
    }
    sql_must(c, "SET GLOBAL log_bin_compress=ON");
    sql_must(c, "INSERT INTO t.i(b) VALUES (REPEAT('compressible', 1000))");
    sql_must(c, "SET GLOBAL log_bin_compress=OFF");
    sql_must(c, "SET SESSION gtid_domain_id=7");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('another domain')");
    sql_must(c, "SET SESSION gtid_domain_id=0");
    sql_must(c, "SET SESSION binlog_format=STATEMENT");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('statement')");
    sql_must(c, "SET SESSION skip_replication=1");
    sql_must(c, "INSERT INTO t.i(b) VALUES ('marked to be skipped')");
    sql_must(c, "SET SESSION skip_replication=0");
}

static void test_every_kind_of_transaction(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    many_kinds(&r);
    flavour_kinds(&r);
    sql_must(r.root, "FLUSH BINARY LOGS");
    sql_must(r.root, "SET GLOBAL binlog_checksum=NONE");
    flavour_kinds(&r);
    sql_must(r.root, "SET GLOBAL binlog_checksum=CRC32");
    flavour_kinds(&r);
    sql_must(r.root, "FLUSH BINARY LOGS");
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    /* Parser and source agree where transactions end; test_odd shows that both of these change when they do not. */
    CU_ASSERT_EQUAL(rig_status_number(&r, "acks", "boundary_mismatches"), 0);
    CU_ASSERT_FALSE(daemon_log_contains(r.dm, "sees no end of a transaction"));
    rig_end(&r);
}

/* The same, and the store resumes in files of every kind. */
static void test_restart_after_every_kind(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    many_kinds(&r);
    for (int i = 0; i < 4; i++) {
        flavour_kinds(&r);
        sql_must(r.root, "SET GLOBAL binlog_checksum=%s", i % 2 ? "CRC32" : "NONE");
        sql_must(r.root, "INSERT INTO t.i(b) VALUES ('before the restart')");
        CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
        daemon_restart(r.dm);
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
        sql_must(r.root, "INSERT INTO t.i(b) VALUES ('after the restart')");
    }
    rig_check_identical(&r);
    rig_end(&r);
}

static void test_large_rows_and_rotation_by_size(void)
{
    struct rig r;
    char *args[] = {"--max-allowed-packet=1G", "--max-binlog-size=1M", NULL};
    rig_start(&r, &(struct server_options){.args = args}, false, NULL);
    sql_must(r.root, "CREATE TABLE t.b (i INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)");
    sql_must(r.root, "INSERT INTO t.b(b) VALUES (REPEAT('x', 40000000))");
    for (unsigned n = 16777160; n <= 16777216; n += 7)
        sql_must(r.root, "INSERT INTO t.b(b) VALUES (REPEAT('y', %u))", n);
    for (int i = 0; i < 50; i++)
        sql_must(r.root, "INSERT INTO t.b(b) VALUES (REPEAT('z', 100000))");
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    CU_ASSERT(daemon_peak_rss_kib(r.dm) < 64 * 1024);
    rig_end(&r);
}

/* wait_no_replica=OFF: without an acknowledger commits do not wait, and a tailer far behind must not count as one while it catches up. */
static void test_backlog_holds_no_commit_up(void)
{
    const char *off = flavor == SERVER_MYSQL ? "wait_no_replica" : "wait_no_slave";
    struct rig r;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", "source.catchup_async=1MiB", NULL});
    sql_must(r.root, "CREATE TABLE t.b (i INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)");
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    sql_semi_set(r.root, off, "0");
    for (unsigned i = 0; i < rig_rounds(20, 340); i++)
        sql_must(r.root, "INSERT INTO t.b(b) VALUES (REPEAT('backlog', 430000))");
    proxy_delay(r.px, PROXY_TO_CLIENT, 5); /* so that there is time for commits: every 64 KiB wait */
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "catching_up", RIG_WAIT_MS));
    unsigned during = 0;
    while (daemon_wait_state(r.dm, "catching_up", 0)) {
        sql_must(r.root, "INSERT INTO t.b(b) VALUES ('does not wait')");
        during++;
    }
    CU_ASSERT(during >= 5);
    proxy_delay(r.px, PROXY_TO_CLIENT, 0);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 4 * RIG_WAIT_MS));
    CU_ASSERT_TRUE(sql_semi_wait(r.root, "clients", 1, RIG_WAIT_MS));
    /* The source switches semi-sync on again with an ACK for its last commit. */
    sql_must(r.root, "INSERT INTO t.b(b) VALUES ('the last one that did not wait')");
    CU_ASSERT_TRUE(sql_semi_wait(r.root, "status", 1, RIG_WAIT_MS));
    int64_t before = sql_semi_status(r.root, "yes_tx");
    sql_must(r.root, "INSERT INTO t.b(b) VALUES ('waits for its ACK')");
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "yes_tx"), before + 1);
    printf("\n  %u commits while catching up ", during);
    rig_check_identical(&r);
    rig_end(&r);
}

static void test_primary_encrypts(void)
{
    if (flavor != SERVER_MARIADB)
        return; /* MySQL's encryption is outside the events: nothing of it is on the wire */
    char *dir = proc_tempdir();
    char *key = proc_fmt("%s/keys", dir);
    proc_write_file(key, "1;770A8A65DA156D24EE2A093277530142\n");
    char *file_key = proc_fmt("--loose-file-key-management-filename=%s", key);
    char *args[] = {"--plugin-load-add=file_key_management", file_key, "--encrypt-binlog=1", NULL};
    struct rig r;
    rig_start(&r, &(struct server_options){.args = args}, false, NULL);
    many_kinds(&r);
    sql_must(r.root, "FLUSH BINARY LOGS");
    sql_must(r.root, "INSERT INTO t.i(b) VALUES ('after')");
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    sql_must(r.root, "INSERT INTO t.i(b) VALUES ('after the restart')");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    char name[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r.dm, name, sizeof name, &offset));
    CU_ASSERT_TRUE(binlogs_all_readable(flavor, r.dm->dir, offset));
    rig_end(&r);
    free(file_key);
    free(key);
    free(dir);
}

static const struct test_case cases[] = {
    {"every commit is acknowledged", test_commits_are_acknowledged},
    {"without us commits wait, with us they return", test_without_us_commits_wait_and_return},
    {"an empty store stores before it releases", test_empty_store_stores_before_it_releases},
    {"every kind of transaction, checksums flipped", test_every_kind_of_transaction},
    {"restarts after every kind", test_restart_after_every_kind},
    {"large rows, rotation by size", test_large_rows_and_rotation_by_size},
    {"a backlog holds no commit up", test_backlog_holds_no_commit_up},
    {"a primary that encrypts its binlog", test_primary_encrypts},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "protect", cases, sizeof cases / sizeof cases[0]);
}
