/* Another history under the same name: refused with code and cure, nothing acknowledged, nothing overwritten. */
#include "rig.h"

static const char *reset_statement(void)
{
    return flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER";
}

static void semi_sync(struct rig *r, const char *value)
{
    sql_semi_set(r->root, "enabled", value);
}

/* RESET while we are away; the new history grows past the old position; commits wait; none may return (F21). */
static void test_reset_while_away(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v TEXT)");
    for (int i = 0; i < 20; i++)
        sql_must(r.root, "INSERT INTO t.a VALUES (%d, 'old')", i);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    semi_sync(&r, "0");
    proc_sleep_ms(1200); /* a file's identity has a resolution of a second */
    sql_must(r.root, "%s", reset_statement());
    for (int i = 100; i < 160; i++)
        sql_must(r.root, "INSERT INTO t.a VALUES (%d, 'new history, longer than the old')", i);
    semi_sync(&r, "1");
    struct proc_args before = binlogs_segments(r.dm->dir, NULL);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1000, 'waits')");
    CU_ASSERT_FALSE(sql_async_wait(as, 300));
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "history_reset", RIG_WAIT_MS));
    CU_ASSERT_FALSE(sql_async_wait(as, 3000));
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "error", RIG_WAIT_MS));
    struct proc_args after = binlogs_segments(r.dm->dir, NULL);
    CU_ASSERT_EQUAL(before.n, after.n);
    proc_args_fini(&before);
    proc_args_fini(&after);
    semi_sync(&r, "0");
    sql_async_free(as);
    rig_end(&r);
}

/* RESET under a connected tailer: MariaDB keeps the stream open, with heartbeats and never an event again (case 24). */
static void test_reset_under_us(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v TEXT)");
    sql_must(r.root, "FLUSH BINARY LOGS");
    for (int i = 0; i < 20; i++)
        sql_must(r.root, "INSERT INTO t.a VALUES (%d, 'old')", i);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    sql_must(r.root, "%s", reset_statement());
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1000, 'waits')");
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "history_reset", RIG_WAIT_MS));
    CU_ASSERT_FALSE(sql_async_wait(as, 1000));
    semi_sync(&r, "0");
    sql_async_free(as);
    rig_end(&r);
}

static void test_purged(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    semi_sync(&r, "0");
    for (int i = 0; i < 3; i++) {
        sql_must(r.root, "INSERT INTO t.a VALUES (%d)", i);
        sql_must(r.root, "FLUSH BINARY LOGS");
    }
    char *last =
        flavor == SERVER_MYSQL ? sql_value(r.root, "SHOW BINARY LOG STATUS") : sql_value(r.root, "SHOW MASTER STATUS");
    sql_must(r.root, "PURGE BINARY LOGS TO '%s'", last);
    free(last);
    semi_sync(&r, "1");
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "purged", RIG_WAIT_MS));
    rig_end(&r);
}

/* What was purged is all held here: nothing is missing (F24). */
static void test_purged_what_we_hold(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    sql_must(r.root, "FLUSH BINARY LOGS");
    sql_must(r.root, "FLUSH BINARY LOGS");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    char *last =
        flavor == SERVER_MYSQL ? sql_value(r.root, "SHOW BINARY LOG STATUS") : sql_value(r.root, "SHOW MASTER STATUS");
    sql_must(r.root, "PURGE BINARY LOGS TO '%s'", last);
    free(last);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    sql_must(r.root, "INSERT INTO t.a VALUES (1)");
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_end(&r);
}

static void test_wrong_source(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    struct server *other = server_start(&(struct server_options){.flavor = flavor, .server_id = 77});
    struct sql *c = server_root(other);
    struct sql_async *as = sql_async_start(c, "CREATE TABLE t.b (i INT PRIMARY KEY)");
    struct daemon *dm = daemon_start(&(struct daemon_options){.server = other, .dir = r.dm->dir});
    CU_ASSERT_TRUE(daemon_wait_error(dm, "wrong_source", RIG_WAIT_MS));
    CU_ASSERT_FALSE(sql_async_wait(as, 1000));
    daemon_free(dm);
    sql_async_free(as);
    sql_close(c);
    server_free(other);
    rig_end(&r);
}

/* The datadir as it was before: the same identity and file names, but it lost what we hold; then it writes something else. */
static void test_restored_source(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v TEXT)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    server_stop(r.srv);
    char *copy = proc_fmt("%s.copy", r.srv->datadir);
    CU_ASSERT_EQUAL(proc_run((char *[]){"cp", "-a", r.srv->datadir, copy, NULL}, NULL, NULL), 0);
    server_restart(r.srv, NULL);
    sql_close(r.root);
    r.root = server_root(r.srv);
    sql_must(r.root, "INSERT INTO t.a VALUES (1, 'only in the first life')");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    server_stop(r.srv);
    CU_ASSERT_EQUAL(proc_run((char *[]){"rm", "-rf", r.srv->datadir, NULL}, NULL, NULL), 0);
    CU_ASSERT_EQUAL(proc_run((char *[]){"mv", copy, r.srv->datadir, NULL}, NULL, NULL), 0);
    server_restart(r.srv, NULL);
    sql_close(r.root);
    r.root = server_root(r.srv);
    semi_sync(&r, "0");
    for (int i = 0; i < 20; i++)
        sql_must(r.root, "INSERT INTO t.a VALUES (%d, 'of the second life, longer than the first')", i);
    semi_sync(&r, "1");
    sql_close(r.other);
    r.other = server_root(r.srv);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1000, 'waits')");
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "error", RIG_WAIT_MS));
    CU_ASSERT(rig_error_is(&r, "diverged") || rig_error_is(&r, "history_reset"));
    CU_ASSERT_FALSE(sql_async_wait(as, 1000));
    semi_sync(&r, "0");
    sql_async_free(as);
    free(copy);
    rig_end(&r);
}

static void test_semi_sync_off_and_on_again(void)
{
    struct rig r;
    rig_start(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, false, NULL);
    CU_ASSERT_TRUE(rig_error_is(&r, "semi_sync_off"));
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    semi_sync(&r, "1");
    int64_t before = sql_semi_status(r.root, "yes_tx");
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1)");
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "yes_tx") - before, 1);
    rig_check_identical(&r);
    rig_end(&r);
}

static void test_semi_sync_missing(void)
{
    if (flavor != SERVER_MYSQL)
        return; /* built in */
    struct rig r;
    rig_start(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_MISSING}, false, NULL);
    CU_ASSERT_TRUE(rig_error_is(&r, "semi_sync_missing"));
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    rig_check_identical(&r);
    rig_end(&r);
}

/* What a client can do with the time of what it writes: begins and ends of files of the year 1970 are stored like all others. */
static void test_times_of_zero(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    sql_must(r.root, "SET timestamp = %s", flavor == SERVER_MARIADB ? "0.5" : "1");
    for (int i = 0; i < 3; i++) {
        sql_must(r.root, "INSERT INTO t.a VALUES (%d)", i);
        sql_must(r.root, "FLUSH BINARY LOGS");
        sql_must(r.root, "CREATE TABLE t.b%d (i INT PRIMARY KEY)", i);
        if (i == 1) { /* compared, not stored, the second time */
            CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
            CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
            daemon_restart(r.dm);
            CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
        }
    }
    sql_must(r.root, "FLUSH BINARY LOGS"); /* an empty one */
    rig_check_identical(&r);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"files of the year 1970", test_times_of_zero},
    {"RESET while we are away, commits waiting", test_reset_while_away},
    {"RESET under us", test_reset_under_us},
    {"purged binlogs", test_purged},
    {"purged, but all held here", test_purged_what_we_hold},
    {"a wrong server behind the name", test_wrong_source},
    {"a restored primary", test_restored_source},
    {"semi-sync off, then on", test_semi_sync_off_and_on_again},
    {"semi-sync plugin missing", test_semi_sync_missing},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "history", cases, sizeof cases / sizeof cases[0]);
}
