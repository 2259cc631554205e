/*
 * The file to go on with is not there any more, and the history goes on: where GTIDs prove it, logtailerd goes on by itself in a new lineage; where they
 * don't, it refuses, and the cure that it prints works.
 */
#include <stdio.h>

#include "pair.h"
#include "watching.h"

enum { WAIT_MS = 20000 };

static void begin(struct rig *r, const struct server_options *so)
{
    rig_start(r, so, false, NULL);
    sql_must(r->root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT)");
    sql_must(r->root, "INSERT INTO t.a VALUES (NULL), (NULL)");
    sql_must(r->root, "FLUSH BINARY LOGS");
    sql_must(r->root, "INSERT INTO t.a VALUES (NULL)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, WAIT_MS));
}

static void reconnect(struct rig *r)
{
    sql_close(r->root);
    sql_close(r->other);
    r->root = server_root(r->srv);
    r->other = server_root(r->srv);
}

/* The server under another base name; MariaDB keeps its GTIDs in a file of that name, MySQL in a table. keep: that file goes along. */
static void restart_as(struct rig *r, const char *base, bool keep_state)
{
    static char *args[2];
    server_stop(r->srv);
    if (flavor == SERVER_MARIADB && keep_state) {
        char *from = proc_fmt("%s/mysql-bin.state", r->srv->datadir);
        char *to = proc_fmt("%s/%s.state", r->srv->datadir, base);
        char *argv[] = {"cp", "-p", from, to, NULL};
        CU_ASSERT_EQUAL(proc_run(argv, NULL, NULL), 0);
        free(from);
        free(to);
    }
    args[0] = proc_fmt("--log-bin=%s", base);
    server_restart(r->srv, args);
    free(args[0]);
    reconnect(r);
}

static void insert_returns(struct rig *r)
{
    struct sql_async *as = sql_async_start(r->other, "INSERT INTO t.a VALUES (NULL)");
    CU_ASSERT_TRUE(sql_async_wait(as, WAIT_MS));
    sql_async_free(as);
    CU_ASSERT_EQUAL(sql_semi_status(r->root, "no_tx"), 0);
}

static int64_t lineage(struct rig *r)
{
    json_t *answer = daemon_command(r->dm, "position");
    int64_t n = json_integer_value(json_object_get(answer, "lineage"));
    json_decref(answer);
    return n;
}

static bool covered(struct rig *r)
{
    json_t *answer = daemon_command(r->dm, "position");
    bool is = json_is_true(json_object_get(answer, "covered"));
    json_decref(answer);
    return is;
}

static size_t times_said(const struct daemon *dm, const char *text)
{
    char *log = proc_read_file(dm->log, NULL);
    size_t n = 0;
    for (const char *at = log; at != NULL && (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    free(log);
    return n;
}

/* All that the source has executed is held, and the present lineage's files are the source's own. */
static void check_whole(struct rig *r)
{
    char file[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, WAIT_MS));
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    CU_ASSERT_TRUE(binlogs_compare(r->srv, r->dm->dir, offset, NULL));
    CU_ASSERT_TRUE(binlogs_all_readable(flavor, r->dm->dir, offset));
    CU_ASSERT_TRUE(covered(r));
}

static void refuses(struct rig *r, const char *code, int64_t in_lineage)
{
    bool is = daemon_wait_error(r->dm, code, WAIT_MS);
    CU_ASSERT_TRUE(is);
    if (!is)
        daemon_show_log(r->dm);
    CU_ASSERT_EQUAL(lineage(r), in_lineage);
}

static void goes_on(struct rig *r, int64_t in_lineage, size_t times)
{
    bool streams = daemon_wait_state(r->dm, "streaming", WAIT_MS);
    CU_ASSERT_TRUE(streams);
    if (!streams)
        daemon_show_log(r->dm);
    insert_returns(r);
    CU_ASSERT_EQUAL(lineage(r), in_lineage);
    CU_ASSERT_EQUAL(times_said(r->dm, "begins exactly where what is held ends"), times);
    check_whole(r);
}

static void semi_sync(struct rig *r, bool on)
{
    sql_must(r->root, "SET GLOBAL %s = %s",
             flavor == SERVER_MYSQL ? "rpl_semi_sync_source_enabled" : "rpl_semi_sync_master_enabled",
             on ? "ON" : "OFF");
}

static size_t binlog_files(struct rig *r)
{
    struct sql_rows *rows = sql_rows(r->root, "SHOW BINARY LOGS");
    size_t n = rows->rows;
    sql_rows_free(rows);
    return n;
}

/* Nothing but the newest file is left: again and again, while a dump whose client is gone keeps one. */
static void purge_all(struct rig *r)
{
    uint64_t until = proc_now_ms() + WAIT_MS;
    do {
        sql_must(r->root, "FLUSH BINARY LOGS");
        char *newest = sql_value(r->root, flavor == SERVER_MYSQL ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
        sql_must(r->root, "PURGE BINARY LOGS TO '%s'", newest);
        free(newest);
    } while (binlog_files(r) > 1 && proc_now_ms() < until);
    CU_ASSERT_EQUAL(binlog_files(r), 1);
}

static char *source_id(struct rig *r)
{
    char *id = watching_text(r, "source.id");
    return id != NULL ? id : proc_fmt("%s", "?");
}

static void remove_files(const struct daemon *dm, int64_t in_lineage, const char *id, const char *pattern)
{
    char *command = proc_fmt("rm %s/lineages/%04d-%s/%s", dm->dir, (int)in_lineage, id, pattern);
    char *argv[] = {"sh", "-c", command, NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, NULL), 0);
    free(command);
}

/* The lineage was begun and nothing of it stored; then also what a crash between its folder and its record leaves. */
static void crash_at_the_seam(struct rig *r, int64_t in_lineage, size_t times)
{
    char *id = source_id(r);
    daemon_kill(r->dm);
    remove_files(r->dm, in_lineage, id, "other.0*");
    daemon_restart(r->dm);
    goes_on(r, in_lineage, times);
    daemon_kill(r->dm);
    remove_files(r->dm, in_lineage, id, "*");
    daemon_restart(r->dm);
    goes_on(r, in_lineage, times + 1);
    free(id);
}

/* Same server, same history, other names; over rotations and restarts it stays one lineage. */
static void test_another_base_name(void)
{
    struct rig r;
    begin(&r, NULL);
    restart_as(&r, "other", true);
    goes_on(&r, 2, 1);
    char *safe = watching_text(&r, "failover_safe.answer");
    CU_ASSERT_STRING_NOT_EQUAL(safe, "no");
    free(safe);
    CU_ASSERT_FALSE(watching_has(&r, "source_differs", NULL));
    crash_at_the_seam(&r, 2, 1);
    sql_must(r.root, "FLUSH BINARY LOGS");
    insert_returns(&r);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    goes_on(&r, 2, 2);
    rig_end(&r);
}

/* Twenty calls while nothing streams: none is told that something does. */
static void twenty_calls(struct rig *r, const char *refused)
{
    for (int i = 0; i < 20; i++) {
        json_t *answer = pair_command(r->dm, "repoint --dry-run 127.0.0.1:%u", r->srv->port);
        CU_ASSERT_STRING_EQUAL(pair_error(answer), refused);
        json_decref(answer);
    }
}

static void cure_works(struct rig *r)
{
    char *cure = watching_text(r, "last_error.cure");
    CU_ASSERT(cure != NULL && strstr(cure, "--new-history") != NULL);
    free(cure);
    int64_t before = lineage(r);
    json_t *answer = pair_command(r->dm, "repoint 127.0.0.1:%u --new-history", r->srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", WAIT_MS));
    insert_returns(r);
    CU_ASSERT(lineage(r) > before);
}

/* Files go while nobody looks: where nothing is missing it goes on, else not; nor in a history that was begun anew and has counted as far. */
static void test_files_that_are_gone(void)
{
    struct rig r;
    begin(&r, NULL);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    purge_all(&r);
    daemon_restart(r.dm);
    goes_on(&r, 2, 1);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    semi_sync(&r, false);
    sql_must(r.root, "INSERT INTO t.a VALUES (NULL)");
    purge_all(&r);
    semi_sync(&r, true);
    daemon_restart(r.dm);
    refuses(&r, "purged", 2);
    twenty_calls(&r, "gap");
    cure_works(&r);
    int64_t held_in = lineage(&r);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    semi_sync(&r, false);
    sql_must(r.root, flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
    for (int i = 0; i < 40; i++)
        sql_must(r.root, "INSERT INTO t.a VALUES (NULL)");
    semi_sync(&r, true);
    daemon_restart(r.dm);
    refuses(&r, "history_reset", held_in);
    rig_end(&r);
}

/* MySQL without GTIDs; MariaDB whose GTIDs began anew: nothing proves it. */
static void test_nothing_proves_it(void)
{
    struct rig r;
    struct server_options so = {.gtid_off = true};
    begin(&r, &so);
    restart_as(&r, "other", false);
    refuses(&r, "history_reset", 1);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (NULL)");
    CU_ASSERT_FALSE(sql_async_wait(as, 1500));
    twenty_calls(&r, flavor == SERVER_MYSQL ? "no_gtids" : "only_here");
    json_t *answer = pair_command(r.dm, "repoint 127.0.0.1:%u --new-history", r.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    CU_ASSERT_TRUE(sql_async_wait(as, WAIT_MS));
    sql_async_free(as);
    CU_ASSERT_EQUAL(lineage(&r), 2);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"another base name", test_another_base_name},
    {"files that are gone", test_files_that_are_gone},
    {"nothing proves it", test_nothing_proves_it},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "rename", cases, sizeof cases / sizeof cases[0]);
}
