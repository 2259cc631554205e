/* From one primary to the next: proved, persisted, never back to the old one by itself; refused where something would be lost. */
#include <fcntl.h>

#include "pair.h"
#include "watching.h"

static void begin(struct rig *r, struct pair *b)
{
    static char *mariadb_args[] = {"--log-slave-updates", NULL};
    struct server_options so = {.args = flavor == SERVER_MARIADB ? mariadb_args : NULL};
    rig_start(r, &so, false, NULL);
    pair_start(b, 2);
    pair_replicate(b->root, r->srv);
    sql_must(r->root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    sql_must(r->root, "INSERT INTO t.a VALUES (1), (2)");
    sql_must(r->root, "FLUSH BINARY LOGS");
    sql_must(r->root, "INSERT INTO t.a VALUES (3)");
    CU_ASSERT_TRUE(pair_wait_caught_up(b->root, r->root, 60));
}

static void end(struct rig *r, struct pair *b)
{
    pair_end(b);
    rig_end(r);
}

/* A commit that must not return; it is abandoned at the end. */
static void check_never_acknowledged(struct rig *r, int id)
{
    struct sql_async *as = sql_async_start(r->other, "INSERT INTO t.a VALUES (%d)", id);
    CU_ASSERT_FALSE(sql_async_wait(as, 1500));
    sql_async_free(as);
    sql_close(r->other);
    r->other = server_root(r->srv);
}

static void fence(struct rig *r)
{
    json_decref(pair_fence(r->dm));
}

static void expect_refusal(struct rig *r, const char *line, const char *code)
{
    json_t *answer = pair_command(r->dm, "%s", line);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), code);
    if (strcmp(pair_error(answer), code) != 0)
        fprintf(stderr, "%s: %s\n", line, json_dumps(answer, 0));
    json_decref(answer);
}

static void check_follows(struct rig *r, const struct pair *b)
{
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", 60000));
    CU_ASSERT_TRUE(watching_raised(r, "source_differs", RIG_WAIT_MS));
    json_t *status = pair_command(r->dm, "status");
    const json_t *source = json_object_get(status, "source");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(source, "port")), b->srv->port);
    CU_ASSERT_TRUE(json_is_true(json_object_get(source, "acknowledging")));
    CU_ASSERT_FALSE(json_is_true(json_object_get(json_object_get(status, "fence"), "current")));
    json_decref(status);
}

static void check_same_as(struct rig *r, const struct pair *b)
{
    char file[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, b->root, 30000));
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    CU_ASSERT_TRUE(binlogs_compare(b->srv, r->dm->dir, offset, NULL));
    CU_ASSERT_TRUE(binlogs_all_readable(flavor, r->dm->dir, offset));
}

/* The configuration names the source that is followed: read again, nothing differs any more; nor after the next start. */
static void write_the_new_address(struct rig *r, const struct pair *b)
{
    daemon_configure(r->dm, &(struct daemon_options){.server = b->srv});
    json_t *answer = pair_command(r->dm, "reload");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(answer, "restart")), 0);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(answer, "reload")), 1); /* source.port */
    json_decref(answer);
    CU_ASSERT_TRUE(watching_cleared(r, "source_differs", RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_log_contains(r->dm, "source_differs: over"));
    daemon_configure(r->dm, &(struct daemon_options){.server = r->srv});
    json_decref(pair_command(r->dm, "reload"));
    CU_ASSERT_TRUE(watching_raised(r, "source_differs", RIG_WAIT_MS));
    daemon_configure(r->dm, &(struct daemon_options){.server = b->srv});
    daemon_kill(r->dm);
    daemon_restart(r->dm);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS));
    proc_sleep_ms(1000); /* two judgements */
    CU_ASSERT_FALSE(watching_has(r, "source_differs", NULL));
}

static void test_there_and_crash(void)
{
    struct rig r;
    struct pair b;
    begin(&r, &b);
    pair_promote(b.root);
    fence(&r);
    json_t *answer = pair_command(r.dm, "repoint 127.0.0.1:%u", b.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    check_follows(&r, &b);
    sql_must(b.root, "INSERT INTO t.a VALUES (10)");
    CU_ASSERT_EQUAL(sql_semi_status(b.root, "no_tx"), 0);
    CU_ASSERT(sql_semi_status(b.root, "yes_tx") > 0);
    check_never_acknowledged(&r, 11);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    check_follows(&r, &b);
    sql_must(b.root, "INSERT INTO t.a VALUES (12)");
    CU_ASSERT_EQUAL(sql_semi_status(b.root, "no_tx"), 0);
    check_never_acknowledged(&r, 13);
    check_same_as(&r, &b);
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "DIR/source"));
    write_the_new_address(&r, &b);
    /* The same order again, after an answer that was lost. */
    answer = pair_command(r.dm, "repoint 127.0.0.1:%u", b.srv->port);
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "already")));
    json_decref(answer);
    end(&r, &b);
}

static char *listing(const char *dir)
{
    char *out_dir = proc_tempdir();
    char *out = proc_fmt("%s/out", out_dir);
    char *argv[] = {"find", (char *)dir, "-printf", "%P %s\n", NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, out), 0);
    char *text = proc_read_file(out, NULL);
    proc_remove_dir(out_dir);
    free(out_dir);
    free(out);
    return text;
}

static void test_dry_run_and_refusals(void)
{
    struct rig r;
    struct pair b;
    begin(&r, &b);
    char *to_b = proc_fmt("repoint 127.0.0.1:%u", b.srv->port);
    char *to_a = proc_fmt("repoint 127.0.0.1:%u", r.srv->port);
    expect_refusal(&r, "repoint", "bad_arguments");
    expect_refusal(&r, "repoint nowhere", "bad_arguments");
    expect_refusal(&r, "repoint 127.0.0.1:99999", "bad_arguments");
    expect_refusal(&r, to_b, "not_fenced");
    fence(&r);
    char *before = listing(r.dm->dir);
    json_t *answer = pair_command(r.dm, "%s --dry-run", to_b);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "dry_run")));
    CU_ASSERT_EQUAL(strncmp(json_string_value(json_object_get(answer, "verdict")), "GO: ", 4), 0);
    CU_ASSERT(strncmp(pair_text(answer, "start_file"), "mysql-bin.", 10) == 0);
    json_decref(answer);
    char *after = listing(r.dm->dir);
    if (flavor == SERVER_MYSQL) /* on MariaDB each connection's number is written down before it is used: same size */
        CU_ASSERT_STRING_EQUAL(before, after);
    CU_ASSERT_PTR_NULL(strstr(after, "source\n"));
    expect_refusal(&r, to_a, "fenced");
    expect_refusal(&r, "repoint 127.0.0.1:1", "connect");
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "fenced", 10000));
    free(before);
    free(after);
    json_decref(pair_command(r.dm, "unfence"));
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 60000));
    sql_must(r.root, "INSERT INTO t.a VALUES (20)");
    /* B stays behind: it lacks what was acknowledged here. */
    CU_ASSERT_TRUE(pair_wait_caught_up(b.root, r.root, 60));
    pair_stop_receiving(b.root);
    sql_must(r.root, "INSERT INTO t.a VALUES (21)");
    fence(&r);
    answer = pair_command(r.dm, "%s", to_b);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "only_here");
    char *executed = pair_executed(b.root);
    json_t *diff = pair_command(r.dm, "diff %s", executed);
    const json_t *details = json_object_get(answer, "details");
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_here"), pair_text(details, "only_here"));
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_there"), "");
    CU_ASSERT(strlen(pair_text(details, "only_here")) > 0);
    json_decref(diff);
    json_decref(answer);
    check_never_acknowledged(&r, 22);
    free(executed);
    free(to_a);
    free(to_b);
    end(&r, &b);
}

/* What B no longer has and this store never got. */
static void make_gap(struct rig *r, struct pair *b)
{
    fence(r);
    sql_semi_set(r->root, "enabled", "0");
    for (int i = 30; i < 40; i++)
        sql_must(r->root, "INSERT INTO t.a VALUES (%d)", i);
    CU_ASSERT_TRUE(pair_wait_caught_up(b->root, r->root, 60));
    pair_promote(b->root);
    sql_semi_set(b->root, "enabled", "0");
    sql_must(b->root, "FLUSH BINARY LOGS");
    sql_must(b->root, "INSERT INTO t.a VALUES (50)");
    struct sql_rows *logs = sql_rows(b->root, "SHOW BINARY LOGS");
    sql_must(b->root, "PURGE BINARY LOGS TO '%s'", logs->cells[(logs->rows - 1) * logs->columns]);
    sql_rows_free(logs);
    sql_semi_set(b->root, "enabled", "1");
}

static void test_gap_and_new_history(void)
{
    struct rig r;
    struct pair b;
    begin(&r, &b);
    make_gap(&r, &b);
    json_t *answer = pair_command(r.dm, "repoint 127.0.0.1:%u", b.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "gap");
    json_decref(answer);
    answer = pair_command(r.dm, "repoint 127.0.0.1:%u --new-history", b.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    CU_ASSERT(strlen(pair_text(answer, "gap")) > 0);
    CU_ASSERT_STRING_EQUAL(pair_text(answer, "only_here"), "");
    json_decref(answer);
    check_follows(&r, &b);
    sql_must(b.root, "INSERT INTO t.a VALUES (60)");
    CU_ASSERT_EQUAL(sql_semi_status(b.root, "no_tx"), 0);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    check_follows(&r, &b);
    json_t *status = pair_command(r.dm, "status");
    const json_t *safe = json_object_get(status, "failover_safe");
    CU_ASSERT_STRING_EQUAL(pair_text(safe, "answer"), "no");
    char *reasons = json_dumps(json_object_get(safe, "reasons"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(reasons, "new history"));
    free(reasons);
    json_decref(status);
    check_same_as(&r, &b);
    /* The history before is kept. */
    char *files = listing(r.dm->dir);
    CU_ASSERT_PTR_NOT_NULL(strstr(files, "lineages/0001-"));
    CU_ASSERT_PTR_NOT_NULL(strstr(files, "lineages/0002-"));
    free(files);
    end(&r, &b);
}

static void switch_over(struct rig *r, const struct server *to, struct sql *to_root)
{
    json_decref(pair_fence(r->dm));
    pair_promote(to_root);
    json_t *answer = pair_command(r->dm, "repoint 127.0.0.1:%u", to->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    if (strcmp(pair_error(answer), "") != 0)
        fprintf(stderr, "%s\n", json_dumps(answer, 0));
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", 60000));
}

/* A to B and back to A; every transaction is held in the end. */
static void test_there_and_back(void)
{
    struct rig r;
    struct pair b;
    begin(&r, &b);
    char *a_id = NULL;
    json_t *status = pair_command(r.dm, "status");
    a_id = proc_fmt("%s", pair_text(json_object_get(status, "source"), "id"));
    json_decref(status);
    switch_over(&r, b.srv, b.root);
    sql_must(b.root, "INSERT INTO t.a VALUES (100)");
    sql_semi_set(r.root, "enabled", "0");
    if (flavor == SERVER_MARIADB) {
        char *pos = sql_value(r.root, "SELECT @@global.gtid_binlog_pos");
        sql_must(r.root, "SET GLOBAL gtid_slave_pos='%s'", pos);
        free(pos);
    }
    pair_replicate(r.root, b.srv);
    CU_ASSERT_TRUE(pair_wait_caught_up(r.root, b.root, 60));
    json_t *answer = pair_command(r.dm, "unfence %s", a_id);
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "released")));
    json_decref(answer);
    sql_must(b.root, "INSERT INTO t.a VALUES (101)"); /* releasing A does not disturb B */
    CU_ASSERT_TRUE(pair_wait_caught_up(r.root, b.root, 60));
    switch_over(&r, r.srv, r.root);
    sql_must(r.root, "INSERT INTO t.a VALUES (102)");
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    char *executed = pair_executed(r.root);
    answer = pair_command(r.dm, "wait-gtid %s 30s", executed);
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "reached")));
    json_decref(answer);
    rig_check_identical(&r);
    free(executed);
    free(a_id);
    end(&r, &b);
}

/* The source's history began anew: the cure that its fault names. */
static void test_new_history_of_the_same_source(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    sql_must(r.root, flavor == SERVER_MYSQL ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
    sql_semi_set(r.root, "enabled", "0");
    sql_must(r.root, "CREATE TABLE t.b (i INT PRIMARY KEY)");
    sql_must(r.root, "INSERT INTO t.b VALUES (1), (2), (3)");
    sql_semi_set(r.root, "enabled", "1");
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(
        daemon_wait_state(r.dm, "error", 60000)); /* history_reset or diverged, by what is in the way first */
    json_t *answer = pair_command(r.dm, "repoint 127.0.0.1:%u --new-history", r.srv->port);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(answer, "fenced")), 0);
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 60000));
    sql_must(r.root, "INSERT INTO t.b VALUES (4)");
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 60000));
    sql_must(r.root, "INSERT INTO t.b VALUES (5)");
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    rig_end(&r);
}

static void test_wait_gtid(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    char *executed = pair_executed(r.root);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, 30000));
    json_t *answer = pair_command(r.dm, "wait-gtid %s 0", executed);
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "reached")));
    json_decref(answer);
    const char *far = flavor == SERVER_MYSQL ? "00000000-0000-0000-0000-000000000001:1-5" : "9-9-9";
    answer = pair_command(r.dm, "wait-gtid %s 300ms", far);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "timeout");
    CU_ASSERT_STRING_EQUAL(pair_text(json_object_get(answer, "details"), "missing"), far);
    json_decref(answer);
    expect_refusal(&r, "wait-gtid what? 1s", "bad_arguments");
    expect_refusal(&r, "wait-gtid", "bad_arguments");
    expect_refusal(&r, "diff 1:2:3", "bad_arguments");
    expect_refusal(&r, "diff", "bad_arguments");
    free(executed);
    rig_end(&r);
}

/* Until the monitor has seen the source. */
static bool wait_drain_refused(struct rig *r)
{
    bool refused = false;
    for (uint64_t until = proc_now_ms() + 30000; !refused && proc_now_ms() < until; proc_sleep_ms(50)) {
        json_t *answer = pair_command(r->dm, "drain");
        refused = strcmp(pair_error(answer), "acknowledger_needed") == 0;
        bool unknown = strcmp(pair_error(answer), "unknown_acknowledgers") == 0;
        CU_ASSERT_TRUE(refused || unknown);
        if (!refused && !unknown) {
            fprintf(stderr, "drain: %s\n", json_dumps(answer, 0));
            daemon_show_log(r->dm);
            break;
        }
        json_decref(answer);
    }
    return refused;
}

/* A planned stop that would leave commits waiting is refused. */
static void test_drain(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_TRUE(wait_drain_refused(&r));
    expect_refusal(&r, "drain now", "bad_arguments");
    expect_refusal(&r, "stop now", "bad_arguments");
    /* Just released it is about to acknowledge again: commits wait for it all the same. */
    for (int i = 0; i < 5; i++) {
        json_decref(pair_command(r.dm, "fence why"));
        json_decref(pair_command(r.dm, "unfence"));
        CU_ASSERT_TRUE(wait_drain_refused(&r));
    }
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 60000));
    struct daemon *second = daemon_start(&(struct daemon_options){.server = r.srv});
    CU_ASSERT_TRUE(daemon_wait_state(second, "streaming", 60000));
    CU_ASSERT_TRUE(sql_semi_wait(r.root, "clients", 2, 30000));
    json_t *answer = NULL;
    for (int i = 0; i < 600; i++) { /* the monitor looks once a second */
        json_decref(answer);
        answer = pair_command(second, "drain");
        if (pair_error(answer)[0] == '\0')
            break;
        proc_sleep_ms(50);
    }
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "stopping")));
    json_decref(answer);
    int status = -1;
    CU_ASSERT_TRUE(daemon_exited(second, 30000, &status));
    CU_ASSERT_EQUAL(status, 0);
    daemon_free(second);
    /* The other one left just now: what was counted a second ago is no reason to go. */
    for (uint64_t until = proc_now_ms() + 30000; sql_semi_status(r.root, "clients") != 1 && proc_now_ms() < until;)
        proc_sleep_ms(1);
    expect_refusal(&r, "drain", "acknowledger_needed");
    answer = pair_command(r.dm, "drain --force");
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "stopping")));
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_exited(r.dm, 30000, &status));
    CU_ASSERT_EQUAL(status, 0);
    rig_end(&r);
}

static void test_purge(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    for (int i = 0; i < 5; i++) {
        sql_must(r.root, "FLUSH BINARY LOGS");
        sql_must(r.root, "INSERT INTO t.a VALUES (%d)", i);
    }
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, 30000));
    char file[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r.dm, file, sizeof file, &offset));
    char *newest = proc_fmt("purge %s", file);
    expect_refusal(&r, newest, "last_segments");
    expect_refusal(&r, "purge mysql-bin.999999", "not_found");
    expect_refusal(&r, "purge", "bad_arguments");
    json_t *dry = pair_command(r.dm, "purge mysql-bin.000003 --dry-run");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(dry, "segments")), 2);
    struct proc_args before = binlogs_segments(r.dm->dir, NULL);
    json_t *done = pair_command(r.dm, "purge mysql-bin.000003");
    struct proc_args after = binlogs_segments(r.dm->dir, NULL);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(done, "bytes")),
                    json_integer_value(json_object_get(dry, "bytes")));
    CU_ASSERT_EQUAL(before.n, after.n + 2);
    CU_ASSERT_STRING_EQUAL(after.v[0], "mysql-bin.000003");
    json_t *again = pair_command(r.dm, "purge mysql-bin.000003");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(again, "segments")), 0);
    sql_must(r.root, "INSERT INTO t.a VALUES (100)");
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 60000));
    rig_check_identical(&r);
    json_decref(dry);
    json_decref(done);
    json_decref(again);
    proc_args_fini(&before);
    proc_args_fini(&after);
    free(newest);
    rig_end(&r);
}

static bool segments_become(struct rig *r, unsigned n)
{
    return watching_number_becomes(r, "store.segments", n, n, RIG_WAIT_MS);
}

static void set_retention(struct rig *r, const char *setting)
{
    char *settings[] = {(char *)setting, NULL};
    daemon_configure(r->dm, &(struct daemon_options){.server = r->srv, .settings = settings});
}

/*
 * The old primary stays fenced for ever; what is followed is not, and covers what was held: old segments go again, by hand and by the rules. That it
 * is covered is durable: a start that cannot reach the new source removes as well, or a full disk could never be left again.
 */
static void test_removal_after_a_failover(void)
{
    struct rig r;
    struct pair b;
    begin(&r, &b);
    for (int i = 0; i < 3; i++) {
        sql_must(r.root, "FLUSH BINARY LOGS");
        sql_must(r.root, "INSERT INTO t.a VALUES (%d)", 100 + i);
    }
    CU_ASSERT_TRUE(pair_wait_caught_up(b.root, r.root, 60));
    pair_promote(b.root);
    fence(&r);
    expect_refusal(&r, "purge mysql-bin.000002", "fenced");
    json_decref(pair_command(r.dm, "repoint 127.0.0.1:%u", b.srv->port));
    check_follows(&r, &b);
    json_t *done = pair_command(r.dm, "purge mysql-bin.000003");
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; *pair_error(done) != '\0' && proc_now_ms() < until;) {
        json_decref(done); /* a slow disk has not synced all of it yet, or another order is being carried out */
        proc_sleep_ms(100);
        done = pair_command(r.dm, "purge mysql-bin.000003");
    }
    CU_ASSERT_STRING_EQUAL(pair_error(done), "");
    CU_ASSERT(json_integer_value(json_object_get(done, "segments")) > 0);
    json_decref(done);
    CU_ASSERT(watching_number(&r, "store.segments") > 2);
    set_retention(&r, "store.retention_size=1B");
    json_decref(pair_command(r.dm, "reload"));
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_FALSE(watching_has(&r, "retention_fenced", NULL));

    set_retention(&r, "store.retention_size=0");
    json_decref(pair_command(r.dm, "reload"));
    for (int i = 0; i < 3; i++) {
        sql_must(b.root, "FLUSH BINARY LOGS");
        sql_must(b.root, "INSERT INTO t.a VALUES (%d)", 200 + i);
    }
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, b.root, 30000));
    double left = watching_number(&r, "store.segments");
    CU_ASSERT(left > 2);
    set_retention(&r, "store.retention_size=1B");
    server_pause(b.srv, true);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_FALSE(watching_has(&r, "retention_uncovered", NULL));
    json_t *status = pair_command(r.dm, "status");
    CU_ASSERT_TRUE(json_is_true(json_object_get(json_object_get(status, "durable"), "covered")));
    json_decref(status);
    server_pause(b.srv, false);
    end(&r, &b);
}

/* ---- what is held, when the source followed last died before its first bytes ---- */

/* position, fence, status and diff say the same: all that was held before, and that the present lineage does not cover it. */
static void check_told(struct rig *r, const json_t *before)
{
    static const char *const keys[] = {"gtid_executed", "file", "offset", "lineage", "last_transaction"};
    json_t *position = pair_command(r->dm, "position");
    json_t *diff = pair_command(r->dm, "diff \"\"");
    json_t *status = pair_command(r->dm, "status");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        CU_ASSERT_TRUE(json_equal(json_object_get(position, keys[i]), json_object_get(before, keys[i])));
    CU_ASSERT_TRUE(json_is_false(json_object_get(position, "covered")));
    CU_ASSERT(strlen(pair_text(position, "gtid_executed")) > 0);
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_here"), pair_text(position, "gtid_executed"));
    const json_t *durable = json_object_get(status, "durable");
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_TRUE(json_equal(json_object_get(durable, keys[i]), json_object_get(before, keys[i])));
    CU_ASSERT_TRUE(json_is_false(json_object_get(durable, "covered")));
    CU_ASSERT_STRING_EQUAL(pair_text(json_object_get(status, "failover_safe"), "answer"), "no");
    json_decref(position);
    json_decref(diff);
    json_decref(status);
}

static void check_fence_told(struct rig *r, const json_t *before)
{
    json_t *answer = pair_fence(r->dm);
    CU_ASSERT_TRUE(json_equal(json_object_get(answer, "gtid_executed"), json_object_get(before, "gtid_executed")));
    CU_ASSERT_TRUE(json_equal(json_object_get(answer, "file"), json_object_get(before, "file")));
    CU_ASSERT_TRUE(json_equal(json_object_get(answer, "offset"), json_object_get(before, "offset")));
    CU_ASSERT_TRUE(json_equal(json_object_get(answer, "lineage"), json_object_get(before, "lineage")));
    CU_ASSERT_TRUE(json_is_false(json_object_get(answer, "covered")));
    json_decref(answer);
}

/* Repointed to b, of which only what proves it gets through. */
static void repoint_to_the_dying(struct rig *r, struct proxy *px)
{
    size_t first = proxy_connections(px);
    json_t *answer = pair_command(r->dm, "repoint --dry-run 127.0.0.1:%u", proxy_port(px));
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    proxy_accept_more(px, (long)(proxy_connections(px) - first));
    answer = pair_command(r->dm, "repoint 127.0.0.1:%u", proxy_port(px));
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "connect", RIG_WAIT_MS));
}

static void purge_all_but_the_last(struct sql *root)
{
    sql_must(root, "FLUSH BINARY LOGS");
    struct sql_rows *logs = sql_rows(root, "SHOW BINARY LOGS");
    sql_must(root, "PURGE BINARY LOGS TO '%s'", logs->cells[(logs->rows - 1) * logs->columns]);
    sql_rows_free(logs);
}

/* Nothing of what is held may go while the new source's stream has not brought it, over a restart as well. */
static void check_nothing_goes(struct rig *r, double segments)
{
    CU_ASSERT_TRUE(watching_raised(r, "retention_uncovered", RIG_WAIT_MS));
    expect_refusal(r, "purge mysql-bin.000002", "not_covered");
    CU_ASSERT_EQUAL(watching_number(r, "store.segments"), segments);
}

/* A dies, B is promoted and dies before its first bytes, C is to be next. */
static void test_double_failover(void)
{
    struct rig r;
    struct pair b;
    struct pair c;
    begin(&r, &b);
    sql_must(r.root, "FLUSH BINARY LOGS");
    pair_start(&c, 3);
    pair_replicate(c.root, r.srv);
    CU_ASSERT_TRUE(pair_wait_caught_up(c.root, r.root, 60));
    pair_stop_receiving(c.root);
    sql_must(r.root, "INSERT INTO t.a VALUES (4)");
    CU_ASSERT_TRUE(pair_wait_caught_up(b.root, r.root, 60));
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, 30000));
    pair_promote(b.root);
    purge_all_but_the_last(b.root); /* held here and nowhere in B's files */
    struct proxy *px = proxy_start(b.srv->port);
    fence(&r);
    json_t *before = pair_command(r.dm, "position");
    CU_ASSERT_TRUE(json_is_true(json_object_get(before, "covered")));
    double segments = watching_number(&r, "store.segments");
    CU_ASSERT(segments > 2);
    repoint_to_the_dying(&r, px);
    check_told(&r, before);
    set_retention(&r, "store.retention_size=1B");
    json_decref(pair_command(r.dm, "reload"));
    check_nothing_goes(&r, segments);
    server_kill(b.srv);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "connect", RIG_WAIT_MS));
    check_told(&r, before);
    check_nothing_goes(&r, segments);
    check_fence_told(&r, before);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "fenced", RIG_WAIT_MS));
    check_told(&r, before);
    /* C lacks what only this store has of A and B: refused, then fed, then proved against all of it. */
    char *to_c = proc_fmt("repoint 127.0.0.1:%u", c.srv->port);
    expect_refusal(&r, to_c, "only_here");
    sql_must(c.root, flavor == SERVER_MYSQL ? "START REPLICA IO_THREAD" : "START SLAVE IO_THREAD");
    CU_ASSERT_TRUE(pair_wait_caught_up(c.root, r.root, 60));
    pair_promote(c.root);
    json_t *answer = pair_command(r.dm, "%s", to_c);
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_cleared(&r, "retention_uncovered", RIG_WAIT_MS));
    sql_must(c.root, "INSERT INTO t.a VALUES (5)");
    CU_ASSERT_EQUAL(sql_semi_status(c.root, "no_tx"), 0);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, c.root, 30000));
    char *executed = pair_executed(c.root);
    json_t *diff = pair_command(r.dm, "diff %s", executed);
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_here"), "");
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_there"), "");
    json_t *after = pair_command(r.dm, "position");
    CU_ASSERT_TRUE(json_is_true(json_object_get(after, "covered")));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(after, "lineage")), 3);
    json_decref(after);
    json_decref(diff);
    json_decref(before);
    free(executed);
    free(to_c);
    proxy_free(px);
    pair_end(&c);
    end(&r, &b);
}

/* What an operator gave up by a new history is told as held, apart from what a candidate lacks, and asked of no candidate after that. */
static void test_given_up(void)
{
    struct rig r;
    struct pair b;
    struct pair c;
    begin(&r, &b);
    pair_start(&c, 3);
    pair_replicate(c.root, b.srv);
    CU_ASSERT_TRUE(pair_wait_caught_up(b.root, r.root, 60));
    pair_stop_receiving(b.root);
    sql_must(r.root, "INSERT INTO t.a VALUES (70)"); /* the one that is lost */
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, 30000));
    pair_promote(b.root);
    fence(&r);
    json_t *before = pair_command(r.dm, "position");
    json_t *answer = pair_command(r.dm, "repoint --new-history 127.0.0.1:%u", b.srv->port);
    CU_ASSERT(strlen(pair_text(answer, "only_here")) > 0);
    char *lost = proc_fmt("%s", pair_text(answer, "only_here"));
    json_decref(answer);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    sql_must(b.root, "INSERT INTO t.a VALUES (71)");
    CU_ASSERT_TRUE(pair_wait_caught_up(c.root, b.root, 60));
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, b.root, 30000));
    for (int again = 0; again < 2; again++) {
        char *executed = pair_executed(b.root);
        json_t *diff = pair_command(r.dm, "diff %s", executed);
        CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_here"), ""); /* or the next candidate would be fed with it */
        CU_ASSERT_STRING_EQUAL(pair_text(diff, "given_up"), lost);
        CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_there"), "");
        json_decref(diff);
        diff = pair_command(r.dm, "diff %s", pair_text(before, "gtid_executed")); /* it is held all the same */
        CU_ASSERT_STRING_EQUAL(pair_text(diff, "given_up"), "");
        CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_there"), "");
        json_t *wait = pair_command(r.dm, "wait-gtid %s 100ms", lost);
        CU_ASSERT_STRING_EQUAL(pair_error(wait), "timeout");
        json_t *position = pair_command(r.dm, "position");
        CU_ASSERT_TRUE(json_is_false(json_object_get(position, "covered")));
        json_decref(position);
        json_decref(wait);
        json_decref(diff);
        free(executed);
        daemon_kill(r.dm);
        daemon_restart(r.dm);
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    }
    switch_over(&r, c.srv, c.root);
    sql_must(c.root, "INSERT INTO t.a VALUES (72)");
    CU_ASSERT_EQUAL(sql_semi_status(c.root, "no_tx"), 0);
    json_decref(before);
    free(lost);
    pair_end(&c);
    end(&r, &b);
}

static const struct test_case cases[] = {
    {"to a promoted replica, and kill -9", test_there_and_crash},
    {"a dry run, and what is refused", test_dry_run_and_refusals},
    {"a gap, and a new history", test_gap_and_new_history},
    {"there and back", test_there_and_back},
    {"a new history of the same source", test_new_history_of_the_same_source},
    {"the next one dies before its first bytes", test_double_failover},
    {"what was given up", test_given_up},
    {"wait-gtid and diff", test_wait_gtid},
    {"drain", test_drain},
    {"purge", test_purge},
    {"removal after a failover", test_removal_after_a_failover},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "repoint", cases, sizeof cases / sizeof cases[0]);
}
