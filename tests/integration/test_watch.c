/* The source monitor and its alarms, each provoked for real: raised within the time that matters, cleared when the cause is gone. */
#include <signal.h>

#include "documented.h"
#include "pair.h"
#include "raw_replica.h"
#include "watching.h"

static void set_var(struct rig *r, const char *name, const char *value)
{
    sql_semi_set(r->root, name, value);
}

static void insert(struct rig *r)
{
    sql_must(r->root, "INSERT INTO t.i(b) VALUES ('x')");
}

static void start(struct rig *r, unsigned timeout_ms)
{
    rig_start(r, &(struct server_options){.semisync_timeout_ms = timeout_ms, .tls = SERVER_TLS_OURS}, false, NULL);
    sql_must(r->root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(100))");
}

static const char *wait_no_name(void)
{
    return flavor == SERVER_MYSQL ? "wait_no_replica" : "wait_no_slave";
}

/* What the server was asked: nothing that waits for commits, and about three statements a second. */
static void check_statements(struct rig *r)
{
    static const char *const forbidden[] = {"SHOW MASTER STATUS", "SHOW BINARY LOG", "log_status"};
    char *path = proc_fmt("%s/general.log", r->srv->datadir);
    char *text = proc_read_file(path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        CU_ASSERT_PTR_NULL(strcasestr(text, forbidden[i]));
    unsigned asked = 0;
    for (const char *p = text; (p = strstr(p, "SHOW STATUS LIKE 'Rpl_semi_sync%'")) != NULL; p++)
        asked++;
    double rounds = watching_number(r, "monitor.rounds");
    CU_ASSERT(asked >= 5 && asked <= rounds + 1);
    free(text);
    free(path);
}

/* Warnings about the source and the stream: those about a disk that other tests keep busy are true, and not what is asked here. */
static size_t warnings_but_of_disk(const json_t *status)
{
    size_t n = 0;
    size_t i;
    const json_t *w;
    json_array_foreach(json_object_get(status, "warnings"), i, w)
    {
        const char *code = json_string_value(json_object_get(w, "code"));
        n += code == NULL || strncmp(code, "storage_", strlen("storage_")) != 0;
    }
    return n;
}

/* Nothing is wrong but that both run on one machine; and it stays so through what moves binlog positions in unusual ways. */
static void test_quiet_when_all_is_well(void)
{
    struct rig r;
    char result[16];
    char *args[] = {"--general-log=1", "--general-log-file=general.log", NULL};
    rig_start(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS, .args = args}, false, NULL);
    sql_must(r.root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(100))");
    sql_must(r.root, "CREATE TABLE t.m (i INT) ENGINE=MyISAM");
    sql_must(r.root, "INSERT INTO t.m VALUES (1)");
    sql_must(r.root, "FLUSH BINARY LOGS");
    insert(&r);
    sql_must(r.root, "FLUSH BINARY LOGS");
    CU_ASSERT_TRUE(watching_raised(&r, "same_host", RIG_WAIT_MS));
    proc_sleep_ms(6000); /* longer than every suspicion needs */
    json_t *status = daemon_command(r.dm, "status");
    CU_ASSERT_EQUAL(warnings_but_of_disk(status), 1);
    json_t *safe = json_object_get(status, "failover_safe");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(safe, "answer")), "weak");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(safe, "reasons")), 1);
    CU_ASSERT_TRUE(json_is_null(json_object_get(status, "protection")));
    if (warnings_but_of_disk(status) != 1)
        json_dumpf(status, stderr, JSON_INDENT(1));
    json_decref(status);
    CU_ASSERT_TRUE(watching_preflight(&r, "wait_point", result, sizeof result));
    CU_ASSERT_STRING_EQUAL(result, "ok");
    CU_ASSERT_TRUE(watching_preflight(&r, "introspection", result, sizeof result));
    CU_ASSERT_STRING_EQUAL(result, "warn");
    check_statements(&r);
    rig_end(&r);
}

static void test_settings_of_the_source(void)
{
    struct rig r;
    char result[16];
    static const char *const codes[] = {"wait_point_after_commit", "timeout_finite", "wait_no_replica_off",
                                        "source_read_only"};
    static const char *const checks[] = {"wait_point", "timeout", "wait_no_replica", "sync_binlog",
                                         "innodb_flush_log_at_trx_commit"};
    start(&r, WATCHING_NEVER_MS);
    set_var(&r, "wait_point", "AFTER_COMMIT");
    set_var(&r, "timeout", "60000");
    set_var(&r, wait_no_name(), "OFF");
    sql_must(r.root, "SET GLOBAL read_only=1, GLOBAL sync_binlog=0, GLOBAL innodb_flush_log_at_trx_commit=2");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        CU_ASSERT_TRUE(watching_raised(&r, codes[i], RIG_WAIT_MS));
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        CU_ASSERT_FALSE(watching_preflight(&r, checks[i], result, sizeof result));
        CU_ASSERT_STRING_EQUAL(result, "fail");
    }
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "wait_point_after_commit: the wait point is AFTER_COMMIT"));
    set_var(&r, "wait_point", "AFTER_SYNC");
    set_var(&r, "timeout", "864000000");
    set_var(&r, wait_no_name(), "ON");
    sql_must(r.root, "SET GLOBAL read_only=0, GLOBAL sync_binlog=1, GLOBAL innodb_flush_log_at_trx_commit=1");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        CU_ASSERT_TRUE(watching_cleared(&r, codes[i], RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "wait_point_after_commit: over"));
    /* What is mended shows at the next question, however soon; what is not says what to type. */
    for (int i = 0; i < 5; i++) {
        set_var(&r, "timeout", "60000");
        CU_ASSERT_FALSE(watching_preflight(&r, "timeout", result, sizeof result));
        CU_ASSERT_STRING_EQUAL(result, "fail");
        set_var(&r, "timeout", "864000000");
        CU_ASSERT_TRUE(watching_preflight(&r, "timeout", result, sizeof result));
        CU_ASSERT_STRING_EQUAL(result, "ok");
    }
    CU_ASSERT_TRUE(watching_preflight(&r, "timeout", result, sizeof result));
    if (flavor == SERVER_MYSQL) { /* MariaDB waits for one, always */
        set_var(&r, "wait_for_replica_count", "2");
        CU_ASSERT_TRUE(watching_raised(&r, "wait_count_short", RIG_WAIT_MS));
        set_var(&r, "wait_for_replica_count", "1");
        CU_ASSERT_TRUE(watching_cleared(&r, "wait_count_short", RIG_WAIT_MS));
    }
    set_var(&r, "enabled", "0");
    CU_ASSERT_TRUE(watching_raised(&r, "semi_sync_disabled", RIG_WAIT_MS));
    char *answer = watching_text(&r, "failover_safe.answer");
    CU_ASSERT_STRING_EQUAL(answer, "no");
    free(answer);
    set_var(&r, "enabled", "1");
    CU_ASSERT_TRUE(watching_cleared(&r, "semi_sync_disabled", RIG_WAIT_MS));
    rig_end(&r);
}

/* Protected, with a gap in the past; then without a primary: between them these answers have every field that there is. */
static void hold_against_the_document(struct rig *r)
{
    static const char *const commands[] = {"lag", "position", "preflight", "segments"};
    json_t *status[2];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        json_t *answer = daemon_command(r->dm, commands[i]);
        CU_ASSERT_TRUE(documented(commands[i], &answer, 1));
        json_decref(answer);
    }
    status[0] = daemon_command(r->dm, "status");
    size_t i;
    json_t *w;
    json_array_foreach(json_object_get(status[0], "warnings"), i, w)
        CU_ASSERT_TRUE(documented_row("Warnings", json_string_value(json_object_get(w, "code"))));
    server_kill(r->srv);
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "connect", 20000));
    status[1] = daemon_command(r->dm, "status");
    CU_ASSERT_TRUE(documented("status", status, 2));
    json_decref(status[0]);
    json_decref(status[1]);
}

/* The time-out of 700 ms passes while the daemon is stopped: commits go on unprotected, then protected again. */
static void test_fallback_to_asynchronous(void)
{
    struct rig r;
    start(&r, 700);
    insert(&r);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    proc_sleep_ms(2500); /* the monitor has seen that all was well */
    daemon_signal(r.dm, SIGSTOP);
    insert(&r);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_times"), 1);
    daemon_signal(r.dm, SIGCONT);
    CU_ASSERT_TRUE(watching_raised(&r, "semi_sync_fallback", RIG_WAIT_MS));
    char *answer = watching_text(&r, "failover_safe.answer");
    CU_ASSERT_STRING_EQUAL(answer, "no");
    free(answer);
    char *from = watching_text(&r, "protection.lost_after");
    CU_ASSERT_PTR_NOT_NULL(from);
    free(from);
    insert(&r); /* its ACK switches semi-sync on again */
    CU_ASSERT_TRUE(watching_cleared(&r, "semi_sync_fallback", RIG_WAIT_MS));
    char *to = watching_text(&r, "protection.restored_with");
    CU_ASSERT_PTR_NOT_NULL(to);
    free(to);
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "semi_sync_fallback: over"));
    hold_against_the_document(&r);
    rig_end(&r);
}

/* MariaDB lets a killed session's commit return without an ACK, while semi-sync stays on. MySQL makes it wait: nothing is lost there. */
static void test_kill_of_a_waiting_session(void)
{
    struct rig r;
    if (flavor != SERVER_MARIADB)
        return;
    start(&r, WATCHING_NEVER_MS);
    insert(&r);
    proc_sleep_ms(2500);
    daemon_signal(r.dm, SIGSTOP);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.i(b) VALUES ('killed')");
    CU_ASSERT_TRUE(sql_semi_wait(r.root, "wait_sessions", 1, RIG_WAIT_MS));
    sql_must(r.root, "KILL QUERY %llu", (unsigned long long)sql_thread_id(r.other));
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    CU_ASSERT_TRUE(sql_semi_wait(r.root, "no_tx", 1, RIG_WAIT_MS));
    daemon_signal(r.dm, SIGCONT);
    CU_ASSERT_TRUE(watching_raised(&r, "unprotected_commits", RIG_WAIT_MS));
    insert(&r);
    CU_ASSERT_TRUE(watching_cleared(&r, "unprotected_commits", RIG_WAIT_MS));
    rig_end(&r);
}

static struct raw_options raw_options(struct rig *r, const char *user, const char *password)
{
    return (struct raw_options){.port = r->srv->port,
                                .user = user,
                                .password = password,
                                .tls = true,
                                .server_id = 4242,
                                .uuid = "11111111-2222-3333-4444-555555555555",
                                .heartbeat_ms = 500,
                                .semi_sync = true};
}

/* A replica that is none of ours acknowledges a place that is not there yet: the source believes it, and asks nobody any more. */
static void test_ineffective_by_a_bogus_ack(void)
{
    struct rig r;
    struct lt_err err = {0};
    struct raw_event ev;
    start(&r, WATCHING_NEVER_MS);
    sql_must(r.root, "CREATE USER cdc@'%%' IDENTIFIED BY 'cdc'");
    sql_must(r.root, "GRANT REPLICATION SLAVE ON *.* TO cdc@'%%'");
    struct raw_options opt = raw_options(&r, "cdc", "cdc");
    struct raw_replica *raw = raw_open(&opt, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(raw);
    CU_ASSERT_EQUAL(raw_dump(raw, "mysql-bin.000001", 4), 0);
    CU_ASSERT_EQUAL(raw_next(raw, &ev), 0);
    CU_ASSERT_TRUE(watching_raised(&r, "foreign_acknowledger", RIG_WAIT_MS));
    CU_ASSERT_EQUAL(raw_ack(raw, "mysql-bin.900000", 4), 0);
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 2, .pause_ms = 50});
    uint64_t began = proc_now_ms();
    CU_ASSERT_TRUE(watching_raised(&r, "semi_sync_ineffective", RIG_WAIT_MS));
    printf("\n  ineffective after %llu ms ", (unsigned long long)(proc_now_ms() - began));
    raw_close(raw);
    set_var(&r, "enabled", "0");
    set_var(&r, "enabled", "1");
    CU_ASSERT_TRUE(watching_cleared(&r, "semi_sync_ineffective", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_cleared(&r, "foreign_acknowledger", RIG_WAIT_MS));
    writers_stop(wr, RIG_WAIT_MS);
    writers_free(wr);
    rig_end(&r);
}

/* The cure of both: numbers begin anew, and so does the history here. */
static void begin_numbers_anew(struct rig *r)
{
    sql_must(r->root, flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "history_reset", RIG_WAIT_MS));
    json_t *answer = pair_command(r->dm, "repoint 127.0.0.1:%u --new-history", r->srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    CU_ASSERT_TRUE(watching_cleared(r, "binlog_number_high", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_cleared(r, "binlog_number_broken", RIG_WAIT_MS));
}

/* MariaDB compares file names as text: 1000000 is "less" than 999999, and no ACK is asked for any more. */
static void test_binlog_number_crosses(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS}, false);
    sql_must(r.root, flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS TO 999999" : "RESET MASTER TO 999999");
    rig_start_daemon(&r, NULL);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_raised(&r, "binlog_number_high", RIG_WAIT_MS));
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 2, .pause_ms = 50});
    sql_must(r.root, "FLUSH BINARY LOGS");
    if (flavor == SERVER_MARIADB) {
        char result[16];
        CU_ASSERT_TRUE(watching_raised(&r, "binlog_number_broken", RIG_WAIT_MS));
        CU_ASSERT_TRUE(watching_raised(&r, "semi_sync_ineffective", RIG_WAIT_MS));
        CU_ASSERT_FALSE(watching_preflight(&r, "binlog_number", result, sizeof result));
    } else {
        CU_ASSERT_TRUE(writers_wait_oked(wr, writers_oked_count(wr) + 20, RIG_WAIT_MS));
        CU_ASSERT_FALSE(watching_has(&r, "semi_sync_ineffective", NULL));
    }
    writers_stop(wr, RIG_WAIT_MS);
    writers_free(wr);
    begin_numbers_anew(&r);
    rig_end(&r);
}

/* RESET MASTER under the stream: MariaDB's dump thread goes on with heartbeats of the old place for ever. */
static void test_zombie_stream_after_reset(void)
{
    struct rig r;
    start(&r, WATCHING_NEVER_MS);
    for (int i = 0; i < 20; i++)
        insert(&r);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    proc_sleep_ms(2500);
    uint64_t began = proc_now_ms();
    sql_must(r.root, flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "history_reset", RIG_WAIT_MS));
    printf("\n  found after %llu ms ", (unsigned long long)(proc_now_ms() - began));
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "zombie_stream: "));
    CU_ASSERT_TRUE(watching_cleared(&r, "zombie_stream", RIG_WAIT_MS));
    char *answer = watching_text(&r, "failover_safe.answer");
    CU_ASSERT_STRING_EQUAL(answer, "no");
    free(answer);
    rig_end(&r);
}

/* With PROCESS the strangers are named; without, they are counted. */
static void test_foreign_acknowledger_is_named(void)
{
    struct rig r;
    struct lt_err err = {0};
    struct raw_event ev;
    char *message = NULL;
    start(&r, WATCHING_NEVER_MS);
    sql_must(r.root, "CREATE USER cdc@'%%' IDENTIFIED BY 'cdc'");
    sql_must(r.root, "GRANT REPLICATION SLAVE ON *.* TO cdc@'%%'");
    sql_must(r.root, "GRANT PROCESS ON *.* TO repl@'%%'");
    daemon_restart(r.dm); /* a connection has the privileges it began with */
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    struct raw_options opt = raw_options(&r, "cdc", "cdc");
    struct raw_replica *raw = raw_open(&opt, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(raw);
    CU_ASSERT_EQUAL(raw_dump(raw, "mysql-bin.000001", 4), 0);
    CU_ASSERT_EQUAL(raw_next(raw, &ev), 0);
    CU_ASSERT_TRUE(watching_raised(&r, "foreign_acknowledger", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_has(&r, "foreign_acknowledger", &message));
    CU_ASSERT_PTR_NOT_NULL(message != NULL ? strstr(message, "cdc@") : NULL);
    free(message);
    raw_close(raw);
    sql_must(r.root, "CREATE TABLE t.y (i INT)"); /* dump threads notice a lost client when they send */
    CU_ASSERT_TRUE(watching_cleared(&r, "foreign_acknowledger", RIG_WAIT_MS));
    rig_end(&r);
}

/* MySQL lists replicas to the replication account: one with our server_id and another uuid is a copy. */
static void test_duplicate_server_id(void)
{
    struct rig r;
    struct lt_err err = {0};
    struct raw_event ev;
    if (flavor != SERVER_MYSQL)
        return;
    rig_start(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS, .tls = SERVER_TLS_OURS}, false,
              (char *[]){"source.server_id=4242", NULL});
    json_t *status = daemon_command(r.dm, "status");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(status, "server_id")), 4242);
    json_decref(status);
    struct raw_options opt = raw_options(&r, SERVER_REPL_USER, SERVER_REPL_PASSWORD);
    opt.register_first = true;
    struct raw_replica *raw = raw_open(&opt, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(raw);
    CU_ASSERT_EQUAL(raw_dump(raw, "mysql-bin.000001", 4), 0);
    CU_ASSERT_EQUAL(raw_next(raw, &ev), 0);
    CU_ASSERT_TRUE(watching_raised(&r, "duplicate_identity", RIG_WAIT_MS));
    raw_close(raw);
    sql_must(r.root, "CREATE TABLE t.y (i INT)");
    CU_ASSERT_TRUE(watching_cleared(&r, "duplicate_identity", RIG_WAIT_MS));
    rig_end(&r);
}

/* Every statement of the monitor beside four commits that wait for ever: it stays as fresh as ever, and says that they wait. */
static void test_monitor_beside_blocked_commits(void)
{
    struct rig r;
    struct sql *conn[4];
    struct sql_async *as[4];
    rig_start_server(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS, .performance_schema = true},
                     false);
    set_var(&r, "enabled", "0");
    if (flavor == SERVER_MYSQL) /* one more statement that must not wait */
        sql_must(r.root, "GRANT SELECT ON performance_schema.file_summary_by_instance TO " SERVER_REPL_USER "@'%%'");
    sql_must(r.root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(100))");
    set_var(&r, "enabled", "1");
    for (int i = 0; i < 4; i++) {
        conn[i] = server_root(r.srv);
        as[i] = sql_async_start(conn[i], "INSERT INTO t.i(b) VALUES ('waits')");
    }
    CU_ASSERT_TRUE(sql_semi_wait(r.root, "wait_sessions", 1, RIG_WAIT_MS)); /* one of each group counts */
    for (int i = 0; i < 4; i++)
        CU_ASSERT_FALSE(sql_async_wait(as[i], 100));
    rig_start_daemon(&r, (char *[]){"source.semi_sync=no", NULL});
    CU_ASSERT_TRUE(watching_raised(&r, "commits_waiting", RIG_WAIT_MS));
    double slowest = 0;
    for (int i = 0; i < 24; i++) { /* all kinds of rounds */
        double ms = watching_number(&r, "monitor.round_ms");
        slowest = ms > slowest ? ms : slowest;
        double age = watching_number(&r, "monitor.age_ms");
        CU_ASSERT(age >= 0 && age < 5000);
        proc_sleep_ms(500);
    }
    printf("\n  slowest round %.0f ms ", slowest);
    CU_ASSERT(watching_number(&r, "monitor.semi_sync.wait_sessions") >= 1);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_FALSE(sql_async_wait(as[i], 0));
    struct daemon *acknowledger = daemon_start(&(struct daemon_options){.server = r.srv});
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_TRUE(sql_async_wait(as[i], RIG_WAIT_MS));
        sql_async_free(as[i]);
        sql_close(conn[i]);
    }
    CU_ASSERT_TRUE(watching_cleared(&r, "commits_waiting", RIG_WAIT_MS));
    daemon_free(acknowledger);
    rig_end(&r);
}

/* A source that has just died or hangs is no GO, however fresh the last look is. */
static void test_preflight_of_a_source_that_is_gone(void)
{
    struct rig r;
    char result[16];
    rig_start(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS}, false, NULL);
    CU_ASSERT_TRUE(watching_raised(&r, "same_host", RIG_WAIT_MS));
    (void)watching_preflight(&r, "reachable", result, sizeof result);
    CU_ASSERT_STRING_EQUAL(result, "ok");
    server_pause(r.srv, true);
    CU_ASSERT_FALSE(watching_preflight(&r, "reachable", result, sizeof result));
    CU_ASSERT_STRING_EQUAL(result, "fail");
    server_pause(r.srv, false);
    sql_close(r.root);
    server_kill(r.srv);
    CU_ASSERT_FALSE(watching_preflight(&r, "reachable", result, sizeof result));
    CU_ASSERT_STRING_EQUAL(result, "fail");
    r.root = NULL;
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"quiet when all is well", test_quiet_when_all_is_well},
    {"settings of the source", test_settings_of_the_source},
    {"preflight of a source that is gone", test_preflight_of_a_source_that_is_gone},
    {"fall-back to asynchronous", test_fallback_to_asynchronous},
    {"KILL of a waiting session", test_kill_of_a_waiting_session},
    {"semi-sync that asks for nothing, by a bogus ACK", test_ineffective_by_a_bogus_ack},
    {"the binlog's number crosses 999999", test_binlog_number_crosses},
    {"zombie stream after RESET", test_zombie_stream_after_reset},
    {"a foreign acknowledger is named", test_foreign_acknowledger_is_named},
    {"a duplicate server_id", test_duplicate_server_id},
    {"the monitor beside blocked commits", test_monitor_beside_blocked_commits},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "watch", cases, sizeof cases / sizeof cases[0]);
}
