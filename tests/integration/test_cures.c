/*
 * What status and preflight tell an operator to do, done literally, in the state in which it is told: statements are cut out of the text and
 * executed, orders are given to logtailerd; then it goes on. The table is in tests/README.md.
 */
#include "pair.h"
#include "watching.h"

enum { COMMIT_MS = 20000 };

/* The cure of the present error or of a warning with that code; "" where there is none such. The caller frees. */
static char *cure_of(struct rig *r, const char *code)
{
    size_t i;
    const json_t *w;
    json_t *status = daemon_command(r->dm, "status");
    const json_t *found = json_object_get(status, "last_error");
    if (strcmp(pair_text(found, "code"), code) != 0)
        found = NULL;
    json_array_foreach(json_object_get(status, "warnings"), i, w)
    {
        if (strcmp(pair_text(w, "code"), code) == 0)
            found = w;
    }
    char *text = proc_fmt("%s", pair_text(found, "cure"));
    json_decref(status);
    return text;
}

/* The first statement in a text: from its first word to what ends a clause. NULL: there is none. The caller frees. *ret_rest: what is behind a
 * semicolon, NULL for other ends. */
static char *statement_in(const char *text, const char **ret_rest)
{
    static const char *const verbs[] = {"SET SESSION ", "SET GLOBAL ", "SET PERSIST ", "INSTALL ", "GRANT "};
    static const char *const ends[] = {";", ": ", ", and ", " on the source", " (", " TO the account"};
    const char *begin = NULL;
    *ret_rest = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const char *p = strstr(text, verbs[i]);
        if (p != NULL && (begin == NULL || p < begin))
            begin = p;
    }
    if (begin == NULL)
        return NULL;
    size_t len = strlen(begin);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *p = strstr(begin, ends[i]);
        if (p != NULL && (size_t)(p - begin) < len)
            len = (size_t)(p - begin);
    }
    if (begin[len] == ';')
        *ret_rest = begin + len;
    return proc_fmt("%.*s", (int)len, begin);
}

/* A grant is to the account of source.user, which is left to the reader. Whatever is typed returns at once: nothing is there that acknowledges. */
static void execute_one(struct sql *sql, const char *statement)
{
    bool grant = strncmp(statement, "GRANT", strlen("GRANT")) == 0;
    struct sql_async *as = sql_async_start(sql, "%s%s", statement, grant ? " TO '" SERVER_REPL_USER "'@'%'" : "");
    bool returned = sql_async_wait(as, COMMIT_MS);
    CU_ASSERT_TRUE(returned);
    if (returned)
        CU_ASSERT_EQUAL(sql_async_errno(as), 0);
    if (!returned || sql_async_errno(as) != 0)
        fprintf(stderr, "does not work: %s\n", statement);
    sql_async_free(as);
}

static void execute(struct rig *r, const char *text)
{
    struct sql *sql = server_root(r->srv);
    unsigned n = 0;
    for (const char *rest = text; rest != NULL; n++) {
        char *statement = statement_in(rest, &rest);
        if (statement == NULL)
            break;
        execute_one(sql, statement);
        free(statement);
    }
    CU_ASSERT(n > 0);
    sql_close(sql);
}

static void follow_statement(struct rig *r, const char *code)
{
    char *cure = cure_of(r, code);
    execute(r, cure);
    free(cure);
}

/* Variables of the source are looked at now and then. */
static bool error_is_over(struct rig *r)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(50)) {
        json_t *status = daemon_command(r->dm, "status");
        bool has = json_is_true(json_object_get(json_object_get(status, "last_error"), "current"));
        json_decref(status);
        if (!has)
            return true;
    }
    return false;
}

/* It streams, and a commit returns for an ACK. */
static void check_goes_on(struct rig *r)
{
    bool ok = daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(r->dm);
    sql_must(r->root, "CREATE TABLE IF NOT EXISTS t.goes_on (i INT PRIMARY KEY AUTO_INCREMENT)");
    int64_t before = sql_semi_status(r->root, "yes_tx");
    struct sql_async *as = sql_async_start(r->root, "INSERT INTO t.goes_on VALUES ()");
    CU_ASSERT_TRUE(sql_async_wait(as, COMMIT_MS));
    sql_async_free(as);
    CU_ASSERT(sql_semi_status(r->root, "yes_tx") > before);
    CU_ASSERT_TRUE(error_is_over(r));
}

static void order(struct rig *r, const char *more)
{
    json_t *answer = pair_command(r->dm, "repoint 127.0.0.1:%u%s", r->srv->port, more);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    if (strcmp(pair_error(answer), "") != 0)
        json_dumpf(answer, stderr, 0);
    json_decref(answer);
}

static void reopen(struct rig *r)
{
    sql_close(r->root);
    sql_close(r->other);
    r->root = server_root(r->srv);
    r->other = server_root(r->srv);
}

static const char *reset_statement(void)
{
    return flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER";
}

static char *newest_file(struct rig *r)
{
    return sql_value(r->root, flavor == SERVER_MYSQL ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
}

/* INSTALL, then ON. */
static void semi_sync(struct rig *r)
{
    if (flavor == SERVER_MYSQL) {
        CU_ASSERT_TRUE(rig_error_is(r, "semi_sync_missing"));
        follow_statement(r, "semi_sync_missing");
    }
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "semi_sync_off", RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS)); /* it is no state of error: RUNBOOK.md */
    CU_ASSERT_TRUE(watching_raised(r, "semi_sync_disabled", RIG_WAIT_MS));
    sql_semi_set(r->root, "timeout", "86400000");
    follow_statement(r, "semi_sync_off");
    check_goes_on(r);
    sql_semi_set(r->root, "enabled", "0");
    CU_ASSERT_TRUE(watching_raised(r, "semi_sync_disabled", RIG_WAIT_MS));
    follow_statement(r, "semi_sync_disabled");
    CU_ASSERT_TRUE(watching_cleared(r, "semi_sync_disabled", RIG_WAIT_MS));
    check_goes_on(r);
}

static const json_t *preflight_check(const json_t *answer, const char *name)
{
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(answer, "checks"), i, check)
    {
        if (strcmp(pair_text(check, "name"), name) == 0)
            return check;
    }
    return NULL;
}

/* Failing checks of preflight say what to type; after that they are ok. */
static void follow_preflight(struct rig *r, const char *const *names, size_t n)
{
    json_t *answer = daemon_command_within(r->dm, "preflight", RIG_WAIT_MS);
    for (size_t i = 0; i < n; i++)
        execute(r, pair_text(preflight_check(answer, names[i]), "message"));
    json_decref(answer);
    answer = daemon_command_within(r->dm, "preflight", RIG_WAIT_MS);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_STRING_EQUAL(pair_text(preflight_check(answer, names[i]), "result"), "ok");
    json_decref(answer);
}

static void set_wrong(struct rig *r)
{
    sql_semi_set(r->root, "wait_point", "AFTER_COMMIT");
    sql_semi_set(r->root, "timeout", "60000");
    sql_semi_set(r->root, flavor == SERVER_MYSQL ? "wait_no_replica" : "wait_no_slave", "OFF");
}

/* What was set wrong is set right by the words of the alarm, or of preflight. */
static void settings(struct rig *r)
{
    static const char *const codes[] = {"wait_point_after_commit", "timeout_finite", "wait_no_replica_off"};
    static const char *const typed[] = {"wait_point",  "timeout",   "wait_no_replica",
                                        "sync_binlog", "read_only", "innodb_flush_log_at_trx_commit"};
    size_t n = sizeof codes / sizeof codes[0];
    set_wrong(r);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_TRUE(watching_raised(r, codes[i], RIG_WAIT_MS));
    for (size_t i = 0; i < n; i++)
        follow_statement(r, codes[i]);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_TRUE(watching_cleared(r, codes[i], RIG_WAIT_MS));
    set_wrong(r);
    sql_must(r->root, "SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 2, GLOBAL read_only = 1");
    follow_preflight(r, typed, sizeof typed / sizeof typed[0]);
    check_goes_on(r);
}

/* A privilege that is granted counts at once: for the monitor on its next question, for the stream at its next try. */
static void privileges(struct rig *r)
{
    static const char *const introspection[] = {"introspection"};
    static const char *const stream[] = {"privileges"};
    follow_preflight(r, introspection, 1);
    sql_must(r->root, "REVOKE REPLICATION SLAVE ON *.* FROM '" SERVER_REPL_USER "'@'%%'");
    follow_preflight(r, stream, 1);
    sql_must(r->root, "REVOKE REPLICATION SLAVE ON *.* FROM '" SERVER_REPL_USER "'@'%%'");
    daemon_kill(r->dm);
    daemon_restart(r->dm);
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "privilege", RIG_WAIT_MS));
    follow_statement(r, "privilege");
    check_goes_on(r);
}

/* MySQL knows replicas by server_uuid: the copy of a store has ours, until it has ids of its own. */
static void duplicate(struct rig *r)
{
    char *copy = proc_fmt("%s/copy", r->dm->folder);
    CU_ASSERT_EQUAL(proc_run((char *[]){"cp", "-a", r->dm->dir, copy, NULL}, NULL, NULL), 0);
    struct daemon *dm = daemon_start(&(struct daemon_options){.server = r->srv, .dir = copy});
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "duplicate_identity", RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(dm), 0);
    char *identity = proc_fmt("%s/identity", copy);
    CU_ASSERT_EQUAL(unlink(identity), 0);
    daemon_restart(dm);
    CU_ASSERT_TRUE(daemon_wait_state(dm, "streaming", RIG_WAIT_MS));
    json_decref(pair_command(r->dm, "reload")); /* by itself it tries again after half a minute or more */
    check_goes_on(r);
    CU_ASSERT_TRUE(daemon_wait_state(dm, "streaming", RIG_WAIT_MS));
    daemon_free(dm);
    free(identity);
    free(copy);
}

static void test_settings(void)
{
    struct rig r;
    rig_start(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_MISSING}, false, NULL);
    semi_sync(&r);
    settings(&r);
    privileges(&r);
    if (flavor == SERVER_MYSQL)
        duplicate(&r);
    rig_end(&r);
}

static void purged(struct rig *r)
{
    sql_must(r->root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_EQUAL(daemon_stop(r->dm), 0);
    sql_semi_set(r->root, "enabled", "0");
    for (int i = 0; i < 3; i++) {
        sql_must(r->root, "INSERT INTO t.a VALUES (%d)", i);
        sql_must(r->root, "FLUSH BINARY LOGS");
    }
    char *last = newest_file(r);
    sql_must(r->root, "PURGE BINARY LOGS TO '%s'", last);
    free(last);
    sql_semi_set(r->root, "enabled", "1");
    daemon_restart(r->dm);
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "purged", RIG_WAIT_MS));
    order(r, " --new-history");
    check_goes_on(r);
}

static void history_reset(struct rig *r)
{
    sql_must(r->root, "FLUSH BINARY LOGS"); /* by their begin, files of one second are the same */
    sql_must(r->root, "INSERT INTO t.a VALUES (10)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    sql_must(r->root, "%s", reset_statement());
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "history_reset", RIG_WAIT_MS));
    order(r, " --new-history");
    check_goes_on(r);
    CU_ASSERT_TRUE(watching_cleared(r, "zombie_stream", RIG_WAIT_MS));
}

static void test_gone(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    purged(&r);
    history_reset(&r);
    rig_end(&r);
}

/* The server as it was at a moment, as after a crash with sync_binlog = 0; it has lost what came after. */
static char *snapshot(struct rig *r)
{
    char *copy = proc_fmt("%s.copy", r->srv->datadir);
    server_pause(r->srv, true);
    CU_ASSERT_EQUAL(proc_run((char *[]){"cp", "-a", r->srv->datadir, copy, NULL}, NULL, NULL), 0);
    server_pause(r->srv, false);
    return copy;
}

static void crash_back_to(struct rig *r, char *copy)
{
    server_kill(r->srv);
    CU_ASSERT_EQUAL(proc_run((char *[]){"rm", "-rf", r->srv->datadir, NULL}, NULL, NULL), 0);
    CU_ASSERT_EQUAL(proc_run((char *[]){"mv", copy, r->srv->datadir, NULL}, NULL, NULL), 0);
    free(copy);
    server_restart(r->srv, NULL);
    reopen(r);
}

/* Three rows that it will not know. */
static void make_shorter(struct rig *r, int first)
{
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    char *copy = snapshot(r);
    sql_must(r->root, "INSERT INTO t.a VALUES (%d, 'lost'), (%d, 'lost as well')", first, first + 1);
    sql_must(r->root, "INSERT INTO t.a VALUES (%d, 'the last that is lost')", first + 2);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    crash_back_to(r, copy);
}

static void ahead(struct rig *r)
{
    make_shorter(r, 1);
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "ahead_of_source", RIG_WAIT_MS));
    CU_ASSERT_EQUAL(sql_number(r->root, "SELECT COUNT(*) FROM t.a"), 0);
    sql_semi_set(r->root, "enabled", "0");
    struct pair p = {.srv = r->srv, .root = r->root};
    pair_feed(&p, r->dm);
    CU_ASSERT_EQUAL(sql_number(r->root, "SELECT COUNT(*) FROM t.a"), 3);
    sql_semi_set(r->root, "enabled", "1");
    order(r, "");
    check_goes_on(r);
}

/* It goes on without them: two histories. */
static void diverged(struct rig *r)
{
    make_shorter(r, 4);
    sql_semi_set(r->root, "enabled", "0");
    for (int i = 10; i < 30; i++)
        sql_must(r->root, "INSERT INTO t.a VALUES (%d, 'of a second life, which is longer')", i);
    sql_semi_set(r->root, "enabled", "1");
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "error", RIG_WAIT_MS));
    order(r, " --new-history");
    check_goes_on(r);
}

static void test_lost(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v VARCHAR(100))");
    ahead(&r);
    diverged(&r);
    rig_end(&r);
}

/* The address leads to the server that was promoted: a plain repoint proves its history. */
static void test_wrong_source(void)
{
    struct rig r;
    struct pair b;
    static char *mariadb_args[] = {"--log-slave-updates", NULL};
    rig_start(&r, &(struct server_options){.args = flavor == SERVER_MARIADB ? mariadb_args : NULL}, false, NULL);
    pair_start(&b, 2);
    pair_replicate(b.root, r.srv);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_TRUE(pair_wait_caught_up(b.root, r.root, 60));
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    pair_promote(b.root);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_configure(r.dm, &(struct daemon_options){.server = b.srv});
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "wrong_source", RIG_WAIT_MS));
    json_t *answer = pair_command(r.dm, "repoint 127.0.0.1:%u", b.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    sql_must(b.root, "INSERT INTO t.a VALUES (1)");
    CU_ASSERT_EQUAL(sql_semi_status(b.root, "no_tx"), 0);
    CU_ASSERT_TRUE(error_is_over(&r));
    pair_end(&b);
    rig_end(&r);
}

/* Where a MySQL without GTIDs begins is told only to those with another privilege: the message names it. */
static void test_other_privilege(void)
{
    struct rig r;
    if (flavor != SERVER_MYSQL)
        return;
    rig_start_server(&r, &(struct server_options){.gtid_off = true}, false);
    rig_start_daemon(&r, (char *[]){"source.start=latest", NULL});
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "privilege", RIG_WAIT_MS));
    char *cure = cure_of(&r, "privilege");
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "REPLICATION CLIENT privilege(s)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(cure, "GRANT what the message names"));
    free(cure);
    sql_must(r.root, "SET SESSION sql_log_bin = 0");
    sql_must(r.root, "GRANT REPLICATION CLIENT ON *.* TO '" SERVER_REPL_USER "'@'%%'");
    sql_must(r.root, "SET SESSION sql_log_bin = 1");
    check_goes_on(&r);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"semi-sync, settings, privileges, a copy", test_settings},
    {"another privilege", test_other_privilege},
    {"the promoted server at the old address", test_wrong_source},
    {"files purged, a history that began anew", test_gone},
    {"transactions lost and fed back, two histories", test_lost},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "cures", cases, sizeof cases / sizeof cases[0]);
}
