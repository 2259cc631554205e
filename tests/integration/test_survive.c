/* kill -9 of either side, lost ACKs, cut and half-open connections: streaming again by itself, nothing confirmed is lost. */
#include "rig.h"

static void test_kill_us_under_writers(void)
{
    struct rig r;
    unsigned rounds = rig_rounds(15, 200);
    rig_start(&r, NULL, false, NULL);
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 16});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, RIG_WAIT_MS));
    uint64_t longest_restart = 0;
    for (unsigned i = 0; i < rounds; i++) {
        size_t n = writers_oked_count(wr);
        proc_sleep_ms(50 + i * 7 % 200);
        uint64_t killed = proc_now_ms();
        daemon_kill(r.dm);
        daemon_restart(r.dm);
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
        uint64_t restart = proc_now_ms() - killed;
        longest_restart = restart > longest_restart ? restart : longest_restart;
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 20, RIG_WAIT_MS));
    }
    writers_stop(wr, RIG_WAIT_MS);
    /* Not longer than the restart took, and the commits that had piled up. */
    CU_ASSERT(writers_max_latency_ms(wr) < 2 * longest_restart + 5000);
    printf("\n  %u kills, %zu commits, longest restart %llu ms, longest commit %llu ms ", rounds,
           writers_oked_count(wr), (unsigned long long)longest_restart, (unsigned long long)writers_max_latency_ms(wr));
    rig_check_oked(&r, wr);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    writers_free(wr);
    rig_end(&r);
}

static void test_lost_ack(void)
{
    struct rig r;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    uint64_t longest = 0;
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
        proxy_drop(r.px, PROXY_TO_SERVER, true);
        struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (%d)", i);
        CU_ASSERT_FALSE(sql_async_wait(as, 500));
        proxy_drop(r.px, PROXY_TO_SERVER, false);
        proxy_cut(r.px, PROXY_CUT_RST);
        uint64_t cut = proc_now_ms();
        CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS)); /* no later commit helps it */
        uint64_t took = proc_now_ms() - cut;
        longest = took > longest ? took : longest;
        sql_async_free(as);
    }
    printf("\n  longest %llu ms after the cut ", (unsigned long long)longest);
    CU_ASSERT(longest < RIG_WAIT_MS / 3); /* under 2 s on a machine with nothing else to do */
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    CU_ASSERT_FALSE(proxy_saw_quit_after_dump(r.px));
    rig_check_identical(&r);
    rig_end(&r);
}

static void test_half_open(void)
{
    struct rig r;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", "source.heartbeat_period=300ms", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    proxy_pause(r.px, PROXY_TO_CLIENT, true);
    proxy_pause(r.px, PROXY_TO_SERVER, true);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1)");
    CU_ASSERT_FALSE(sql_async_wait(as, 4000));
    /* The primary must not freeze when we come back beside our own half-dead dump (case 1). */
    proxy_set_accept(r.px, PROXY_ACCEPT);
    proxy_pause(r.px, PROXY_TO_CLIENT, false);
    proxy_pause(r.px, PROXY_TO_SERVER, false);
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    struct sql *fresh = server_root(r.srv); /* a frozen primary takes no login: the test would end here */
    CU_ASSERT_EQUAL(sql_number(fresh, "SELECT 1"), 1);
    sql_close(fresh);
    rig_check_identical(&r);
    rig_end(&r);
}

/* A second daemon connects while the first one's sockets are open and dead: the primary goes on serving logins. */
static void test_reconnect_beside_living_dump(void)
{
    struct rig r;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    for (int i = 0; i < 3; i++) {
        proxy_pause(r.px, PROXY_TO_SERVER, true); /* our FIN does not arrive */
        proxy_pause(r.px, PROXY_TO_CLIENT, true);
        daemon_kill(r.dm);
        struct proxy *second = proxy_start(r.srv->port);
        struct daemon_options opt = {.server = r.srv, .port = proxy_port(second), .dir = r.dm->dir};
        struct daemon *dm = daemon_start(&opt);
        CU_ASSERT_TRUE(daemon_wait_state(dm, "streaming", RIG_WAIT_MS));
        struct sql *fresh = server_root(r.srv);
        CU_ASSERT_EQUAL(sql_number(fresh, "SELECT 1"), 1);
        struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (%d)", i);
        CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
        CU_ASSERT_EQUAL(sql_async_errno(as), 0);
        sql_async_free(as);
        sql_close(fresh);
        CU_ASSERT_EQUAL(daemon_stop(dm), 0);
        daemon_free(dm);
        proxy_free(second);
        proxy_pause(r.px, PROXY_TO_SERVER, false);
        proxy_pause(r.px, PROXY_TO_CLIENT, false);
        daemon_restart(r.dm);
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    }
    rig_end(&r);
}

static void reopen(struct rig *r)
{
    sql_close(r->root);
    sql_close(r->other);
    r->root = server_root(r->srv);
    r->other = server_root(r->srv);
}

static void test_primary_restarts_and_crashes(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 4});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, RIG_WAIT_MS));
    for (unsigned i = 0; i < rig_rounds(4, 50); i++) {
        size_t n = writers_oked_count(wr);
        if (i % 2 == 0) {
            server_kill(r.srv);
            server_restart(r.srv, NULL);
        } else {
            server_restart(r.srv, NULL);
        }
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 20, RIG_WAIT_MS));
    }
    writers_stop(wr, RIG_WAIT_MS);
    reopen(&r);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    rig_check_oked(&r, wr);
    rig_check_identical(&r);
    writers_free(wr);
    rig_end(&r);
}

static void test_cuts_everywhere(void)
{
    struct rig r;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", "source.retry_min=10ms", NULL});
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 4, .payload_bytes = 3000});
    for (unsigned i = 0; i < rig_rounds(30, 300); i++) {
        proc_sleep_ms(20 + i * 13 % 90);
        proxy_cut(r.px, i % 2 ? PROXY_CUT_RST : PROXY_CUT_FIN);
    }
    writers_stop(wr, RIG_WAIT_MS);
    CU_ASSERT_FALSE(proxy_saw_quit_after_dump(r.px));
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    rig_check_oked(&r, wr);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_identical(&r);
    writers_free(wr);
    rig_end(&r);
}

/* A bit flips on the wire: not stored, not acknowledged, asked again. */
static void test_corruption_on_the_wire(void)
{
    struct rig r;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", "source.retry_min=10ms", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v VARCHAR(100))");
    CU_ASSERT_TRUE(rig_wait_dumps(&r, 1)); /* the proving dump's connection must not take the fault */
    proxy_corrupt_text(r.px, "CORRUPT-ME", 1);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1, 'CORRUPT-ME')");
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "checksum is wrong"));
    rig_check_identical(&r);
    proxy_corrupt_text(r.px, "CORRUPT-TOO", 100);
    as = sql_async_start(r.other, "INSERT INTO t.a VALUES (2, 'CORRUPT-TOO')");
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "source_corrupt", RIG_WAIT_MS));
    CU_ASSERT_FALSE(sql_async_wait(as, 200));
    proxy_corrupt_text(r.px, "CORRUPT-TOO", 0);
    CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
    sql_async_free(as);
    rig_check_identical(&r);
    rig_end(&r);
}

/* DIR/identity as if it had been written on another machine. Returns the server id in it. */
static unsigned move_store(const struct daemon *dm)
{
    char *path = proc_fmt("%s/identity", dm->dir);
    char *text = proc_read_file(path, NULL);
    const char *machine = strstr(text, "machine=");
    const char *id = strstr(text, "server_id=");
    if (machine == NULL || id == NULL)
        proc_die("%s is no identity", path);
    unsigned server_id = (unsigned)strtoul(id + strlen("server_id="), NULL, 10);
    char *moved = proc_fmt("%.*smachine=elsewhere:0123%s", (int)(machine - text), text, strchr(machine, '\n'));
    proc_write_file(path, moved);
    free(moved);
    free(text);
    free(path);
    return server_id;
}

/*
 * New ids over an old store. MySQL, two ACKs for a commit: the one that the former id gave and that of the new id are of one copy, and the commit
 * must not return; with the former id configured it waits on, and returns with a second copy. MariaDB wants one ACK: it goes on at once.
 */
static void test_new_ids(void)
{
    struct rig r;
    bool mysql = flavor == SERVER_MYSQL;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, 30000));
    if (mysql)
        sql_must(r.root, "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 2");
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (1)");
    CU_ASSERT_EQUAL(sql_async_wait(as, mysql ? 1500 : 30000), !mysql); /* ours alone is acknowledged by then */
    daemon_kill(r.dm);
    unsigned former = move_store(r.dm);
    daemon_restart(r.dm);
    if (mysql) {
        CU_ASSERT_TRUE(daemon_wait_error(r.dm, "counted_twice", RIG_WAIT_MS));
        CU_ASSERT_FALSE(sql_async_wait(as, 2500));
        daemon_kill(r.dm);
        daemon_restart(r.dm); /* still the new id */
        CU_ASSERT_TRUE(daemon_wait_error(r.dm, "counted_twice", RIG_WAIT_MS));
        CU_ASSERT_FALSE(sql_async_wait(as, 1000));
        /* What the cure says. */
        daemon_kill(r.dm);
        char *setting = proc_fmt("source.server_id=%u", former);
        daemon_configure(r.dm, &(struct daemon_options){.server = r.srv, .settings = (char *[]){setting, NULL}});
        daemon_restart(r.dm);
        free(setting);
    }
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    if (mysql) {
        CU_ASSERT_FALSE(sql_async_wait(as, 1500));
        struct daemon *second = daemon_start(&(struct daemon_options){.server = r.srv});
        CU_ASSERT_TRUE(sql_async_wait(as, RIG_WAIT_MS));
        sql_must(r.root, "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1");
        daemon_free(second);
    }
    sql_async_free(as);
    sql_must(r.root, "INSERT INTO t.a VALUES (2)");
    rig_check_identical(&r);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"kill -9 of logtailerd under 16 writers", test_kill_us_under_writers},
    {"a lost ACK", test_lost_ack},
    {"new ids, and the former one's ACKs", test_new_ids},
    {"a half-open connection", test_half_open},
    {"a reconnect beside a dump that still lives", test_reconnect_beside_living_dump},
    {"restarts and crashes of the primary", test_primary_restarts_and_crashes},
    {"connections cut at any moment", test_cuts_everywhere},
    {"bits flipped on the wire", test_corruption_on_the_wire},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "survive", cases, sizeof cases / sizeof cases[0]);
}
