/* The same source under another name (server_id, server_uuid) goes on, since its bytes prove it; another server under the right address never does. */
#include "watching.h"

/* MariaDB is known by its server_id, MySQL by its server_uuid, which it makes anew when the file is gone. */
static void rename_source(struct rig *r)
{
    if (flavor == SERVER_MARIADB) {
        sql_must(r->root, "SET GLOBAL server_id = 77");
        return;
    }
    char *auto_cnf = proc_fmt("%s/auto.cnf", r->srv->datadir);
    server_stop(r->srv);
    CU_ASSERT_EQUAL(unlink(auto_cnf), 0);
    free(auto_cnf);
    server_restart(r->srv, NULL);
    sql_close(r->root);
    sql_close(r->other);
    r->root = server_root(r->srv);
    r->other = server_root(r->srv);
}

static void goes_on(struct rig *r, const char *old_id)
{
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_number_becomes(r, "last_error.at", -1, -1, 10000));
    sql_must(r->other, "INSERT INTO t.a VALUES (NULL)"); /* returns when it is acknowledged */
    CU_ASSERT_EQUAL(sql_semi_status(r->root, "no_tx"), 0);
    CU_ASSERT_TRUE(daemon_log_contains(r->dm, "the source calls itself"));
    char *id = watching_text(r, "source.id");
    CU_ASSERT_STRING_EQUAL(id, old_id);
    free(id);
    /* The monitor knows as well whom it asks. */
    CU_ASSERT_TRUE(watching_cleared(r, "monitor_blind", 20000));
    CU_ASSERT_TRUE(watching_number_becomes(r, "lag.source_seconds", 0, 0, 20000));
    rig_check_identical(r);
}

static void renamed(bool ended_by_rotate)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT)");
    sql_must(r.root, "INSERT INTO t.a VALUES (NULL)");
    char *id = watching_text(&r, "source.id");
    if (ended_by_rotate)
        sql_must(r.root, "FLUSH BINARY LOGS");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    rename_source(&r);
    daemon_restart(r.dm);
    goes_on(&r, id);
    /* Under its new name it is proved anew at each start, and a fence by the name of its history holds. */
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_restart(r.dm);
    goes_on(&r, id);
    json_decref(daemon_command_within(r.dm, "fence \"a test\"", 5000));
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "fenced", RIG_WAIT_MS));
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (NULL)");
    CU_ASSERT_FALSE(sql_async_wait(as, 1500));
    json_decref(daemon_command_within(r.dm, "unfence", 5000));
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    free(id);
    rig_end(&r);
}

static void test_renamed(void)
{
    renamed(false);
}

static void test_renamed_after_a_rotate(void)
{
    renamed(true);
}

/* Another server, whose next file has the name that the store waits for: nothing of it is stored, and the right one goes on afterwards. */
static void test_other_server_with_the_next_file(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    struct server *other =
        server_start(&(struct server_options){.flavor = flavor, .server_id = 77, .semisync = SERVER_SEMISYNC_OFF});
    struct sql *c = server_root(other);
    sql_must(c, "CREATE TABLE t.b (i INT PRIMARY KEY)");
    for (int i = 0; i < 2; i++)
        sql_must(c, "FLUSH BINARY LOGS");
    sql_must(r.root, "FLUSH BINARY LOGS");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    struct proc_args before = binlogs_segments(r.dm->dir, NULL);
    struct daemon *dm = daemon_start(&(struct daemon_options){.server = other, .dir = r.dm->dir});
    CU_ASSERT_TRUE(daemon_wait_error(dm, "wrong_source", RIG_WAIT_MS));
    daemon_free(dm);
    struct proc_args after = binlogs_segments(r.dm->dir, NULL);
    CU_ASSERT_EQUAL(before.n, after.n);
    proc_args_fini(&before);
    proc_args_fini(&after);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    sql_must(r.root, "INSERT INTO t.a VALUES (NULL)");
    rig_check_identical(&r);
    sql_close(c);
    server_free(other);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"renamed", test_renamed},
    {"renamed, and the newest file ended in a Rotate", test_renamed_after_a_rotate},
    {"another server that has the next file", test_other_server_with_the_next_file},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "identity", cases, sizeof cases / sizeof cases[0]);
}
