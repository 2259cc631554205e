/* Times that lie: events that claim another year, and a source whose local time has just had an hour twice. Neither may make a lag look small, nor keep a
 * tailer from acknowledging. */
#include <time.h>

#include "watching.h"

#define LONG_AGO "SET timestamp=946684800"
#define IN_2033  "SET timestamp=2000000000"

/* Commits that wait for no disk of the source's: thousands a second, and never 50 ms without one. */
static char *const quick[] = {"--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", NULL};

/* A server's time zone in which clocks went back ten minutes ago. The caller frees. */
static char *zone_with_an_hour_twice(void)
{
    time_t back = time(NULL) - 600 + 3600; /* as the clocks showed it that were put back */
    time_t forth = time(NULL) - 100 * 86400;
    struct tm end;
    struct tm start;
    (void)gmtime_r(&back, &end);
    (void)gmtime_r(&forth, &start);
    return proc_fmt("WIN0SUM-1,%d/0,%d/%d:%02d:%02d", start.tm_yday, end.tm_yday, end.tm_hour, end.tm_min, end.tm_sec);
}

static void start_in_zone(struct rig *r, const char *zone)
{
    (void)setenv("TZ", zone, 1);
    rig_start_server(r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, false);
    (void)unsetenv("TZ");
    rig_start_daemon(r, (char *[]){"source.semi_sync=no", NULL});
    sql_must(r->root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT)");
    CU_ASSERT_TRUE(watching_number_becomes(r, "lag.source_bytes", 0, 0, 20000));
}

/* The stream dies and cannot come back; the monitor's connection lives on. */
static void lose_the_stream(struct rig *r)
{
    sql_must(r->root, "ALTER USER repl@'%%' IDENTIFIED BY 'another'");
    char *dump = sql_value(r->root, "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%%'");
    CU_ASSERT_PTR_NOT_NULL_FATAL(dump);
    sql_must(r->root, "KILL %s", dump);
    free(dump);
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "auth", 20000) || daemon_wait_error(r->dm, "privilege", 0));
}

/* Each event claims to be of `when`; the seconds go by what was seen of the source. */
static void lag_grows(struct rig *r, const char *when)
{
    sql_must(r->root, "%s", when);
    sql_must(r->root, "INSERT INTO t.i(b) VALUES ('the last that comes')");
    CU_ASSERT_TRUE(watching_number_becomes(r, "lag.source_bytes", 0, 0, 20000));
    lose_the_stream(r);
    sql_must(r->root, "INSERT INTO t.i(b) VALUES (REPEAT('x', 4000))");
    uint64_t wrote_ms = proc_now_ms();
    CU_ASSERT_TRUE(watching_number_becomes(r, "lag.source_seconds", 0.001, 1e9, 5000));
    CU_ASSERT_TRUE(watching_number_becomes(r, "lag.source_seconds", 3, 1e9, 10000));
    double real = (double)(proc_now_ms() - wrote_ms) / 1000;
    double said = watching_number(r, "lag.source_seconds");
    if (!(said >= real - 3 && said <= real + 3))
        fprintf(stderr, "%s: %.3f s behind, said to be %.3f\n", when, real, said);
    CU_ASSERT(said >= real - 3 && said <= real + 3);
    sql_must(r->root, "ALTER USER repl@'%%' IDENTIFIED BY '" SERVER_REPL_PASSWORD "'");
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_number_becomes(r, "lag.source_seconds", 0, 0, 20000));
}

static void test_clocks_went_back(void)
{
    struct rig r;
    char *zone = zone_with_an_hour_twice();
    start_in_zone(&r, zone);
    /* The zone is what it should be: the server counts this hour for the other one. */
    char *local = sql_value(r.root, "SELECT ABS(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), SYSDATE())) < 10");
    CU_ASSERT_STRING_EQUAL(local, "1");
    free(local);
    CU_ASSERT_TRUE(watching_number_becomes(&r, "monitor.rounds", 3, 1e9, 10000));
    double off_ms = watching_number(&r, "source.clock_offset_ms");
    CU_ASSERT(off_ms > -5000 && off_ms < 5000);
    CU_ASSERT_FALSE(watching_has(&r, "clock_offset", NULL));
    lag_grows(&r, "SET timestamp=DEFAULT");
    rig_end(&r);
    free(zone);
}

static void test_stream_dies_among_lies(void)
{
    static const char *const lies[] = {LONG_AGO, IN_2033};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct rig r;
        start_in_zone(&r, "UTC");
        lag_grows(&r, lies[i]);
        rig_end(&r);
    }
}

/* A busy source never says that it has nothing more, and the times in its events say nothing. */
static void test_second_tailer_beside_a_busy_source(void)
{
    static const char *const times[] = {"SET timestamp=DEFAULT", LONG_AGO, IN_2033};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct rig r;
        rig_start(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS}, false, NULL);
        struct writers *wr =
            writers_start(&(struct writers_options){.server = r.srv, .threads = 8, .session = times[i]});
        CU_ASSERT_TRUE(writers_wait_oked(wr, 500, RIG_WAIT_MS));
        uint64_t began_ms = proc_now_ms();
        struct daemon *second = daemon_start(&(struct daemon_options){.server = r.srv});
        CU_ASSERT_TRUE(daemon_wait_state(second, "streaming", 15000));
        fprintf(stderr, "%s: streaming after %llu ms\n", times[i], (unsigned long long)(proc_now_ms() - began_ms));
        writers_stop(wr, 10000);
        CU_ASSERT_EQUAL(writers_errors(wr), 0);
        rig_check_oked(&r, wr);
        writers_free(wr);
        daemon_free(second);
        rig_end(&r);
    }
}

/* The daemon stands still, commits fall back to asynchronous and rush on; once it moves again they are protected. */
static void protection_comes_back(const char *when, bool gtid_off)
{
    struct rig r;
    rig_start(&r, &(struct server_options){.semisync_timeout_ms = 500, .gtid_off = gtid_off, .args = quick}, false,
              NULL);
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 8, .session = when});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 200, RIG_WAIT_MS));
    daemon_kill(r.dm);
    size_t before = writers_oked_count(wr);
    CU_ASSERT_TRUE(writers_wait_oked(wr, before + 5000, RIG_WAIT_MS));
    uint64_t began_ms = proc_now_ms();
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 15000));
    json_int_t protected = sql_semi_status(r.root, "yes_tx");
    while (sql_semi_status(r.root, "yes_tx") < protected + 100 && proc_now_ms() < began_ms + 20000)
        proc_sleep_ms(20);
    uint64_t took_ms = proc_now_ms() - began_ms;
    fprintf(stderr, "%s: protected again after %llu ms\n", when, (unsigned long long)took_ms);
    CU_ASSERT(took_ms < 15000);
    writers_stop(wr, 10000);
    writers_free(wr);
    rig_end(&r);
}

static void test_protection_comes_back(void)
{
    protection_comes_back("SET timestamp=DEFAULT", false);
    protection_comes_back(LONG_AGO, false);
    if (flavor == SERVER_MYSQL) /* its transactions without GTIDs tell when the server committed them */
        protection_comes_back(LONG_AGO, true);
}

static const struct test_case cases[] = {
    {"clocks went back ten minutes ago", test_clocks_went_back},
    {"the stream dies among events of other years", test_stream_dies_among_lies},
    {"a second tailer beside a busy source", test_second_tailer_beside_a_busy_source},
    {"protection comes back after a fall-back", test_protection_comes_back},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "times", cases, sizeof cases / sizeof cases[0]);
}
