/*
 * Proves the integration support itself against a real server: argument 1 is mariadb or mysql.
 * It does not use logtailerd. The acknowledger, where one is needed, is absent: commits must block.
 */
#include "binlogs.h"
#include "cunit_main.h"
#include "proxy.h"
#include "server.h"
#include "sql.h"
#include "writers.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum server_flavor flavor;

static struct server *start(enum server_semisync semisync, enum server_tls tls)
{
    struct server_options opt = {.flavor = flavor, .semisync = semisync, .tls = tls};
    return server_start(&opt);
}

static void test_commit_blocks_until_released(void)
{
    struct server *srv = start(SERVER_SEMISYNC_ON, SERVER_TLS_NONE);
    struct sql *root = server_root(srv);
    struct sql *other = server_root(srv);
    CU_ASSERT_EQUAL(sql_semi_status(root, "status"), 1);
    CU_ASSERT_EQUAL(sql_semi_status(root, "no_tx"), 0);
    CU_ASSERT_EQUAL(sql_semi_status(root, "nonsense"), -1);
    struct sql_async *as = sql_async_start(other, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_FALSE(sql_async_wait(as, 500));
    CU_ASSERT_TRUE(sql_semi_wait(root, "wait_sessions", 1, 90000));
    sql_semi_set(root, "enabled", "0");
    CU_ASSERT_TRUE(sql_async_wait(as, 90000));
    CU_ASSERT_EQUAL(sql_async_errno(as), 0);
    CU_ASSERT(sql_async_elapsed_ms(as) >= 500);
    sql_async_free(as);
    sql_close(other);
    sql_close(root);
    server_free(srv);
}

static void test_blocked_commit_is_abandoned(void)
{
    struct server *srv = start(SERVER_SEMISYNC_ON, SERVER_TLS_NONE);
    struct sql *other = server_root(srv);
    struct sql_async *as = sql_async_start(other, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_FALSE(sql_async_wait(as, 200));
    sql_async_free(as); /* must not hang */
    sql_close(other);
    server_free(srv);
}

static void test_missing_and_off(void)
{
    struct server *srv = start(SERVER_SEMISYNC_MISSING, SERVER_TLS_NONE);
    struct sql *root = server_root(srv);
    CU_ASSERT_EQUAL(sql_semi_status(root, "status"), flavor == SERVER_MYSQL ? -1 : 0);
    CU_ASSERT_EQUAL(sql_exec(root, "CREATE TABLE t.a (i INT)"), 0);
    CU_ASSERT_NOT_EQUAL(sql_exec(root, "CREATE TABLE t.a (i INT)"), 0);
    CU_ASSERT(strstr(sql_error(root), "exists") != NULL);
    sql_close(root);
    server_free(srv);
}

/* kill -9 under writers, restart on the same port: the writers go on, everything confirmed is in the binlogs. */
static void test_kill_and_restart(void)
{
    struct server *srv = start(SERVER_SEMISYNC_OFF, SERVER_TLS_NONE);
    struct writers *wr = writers_start(&(struct writers_options){.server = srv, .threads = 4});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 100, 90000));
    pid_t before = srv->pid;
    server_kill(srv);
    CU_ASSERT_EQUAL(srv->pid, 0);
    size_t n = writers_oked_count(wr);
    server_restart(srv, NULL);
    CU_ASSERT_NOT_EQUAL(srv->pid, before);
    CU_ASSERT_TRUE(server_alive(srv));
    CU_ASSERT_TRUE(writers_wait_oked(wr, n + 100, 90000));
    writers_stop(wr, 90000);
    CU_ASSERT(writers_errors(wr) > 0);
    CU_ASSERT(writers_max_latency_ms(wr) < 90000);
    uint64_t *ids = writers_oked(wr, &n);
    struct sql *root = server_root(srv);
    CU_ASSERT_EQUAL(sql_number(root, "SELECT COUNT(*) FROM t.w WHERE h <> CRC32(payload)"), 0);
    CU_ASSERT(sql_number(root, "SELECT COUNT(*) FROM t.w") >= (int64_t)n);
    sql_close(root);
    free(ids);
    writers_free(wr);
    server_free(srv);
}

/* File by file the same rows are found; and none before the first. */
static void check_each_file(const char *dir, const struct proc_args *names, size_t oked)
{
    struct proc_args lineages = binlogs_lineages(dir);
    size_t found = 0;
    CU_ASSERT_EQUAL(lineages.n, 1);
    for (size_t i = 0; i < names->n; i++) {
        char *path = proc_fmt("%s/lineages/%s/%s", dir, lineages.v[0], names->v[i]);
        size_t n = 0;
        free(binlogs_file_ids(path, UINT64_MAX, &n));
        found += n;
        free(binlogs_file_ids(path, 100, &n));
        CU_ASSERT_EQUAL(n, 0);
        free(path);
    }
    CU_ASSERT(found >= oked);
    proc_args_fini(&lineages);
}

/* Some rows are large, some are written under a false time; the ids join. */
static void test_odd_writers(void)
{
    struct server *srv = start(SERVER_SEMISYNC_OFF, SERVER_TLS_NONE);
    struct sql *root = server_root(srv);
    struct writers *wr = writers_start(&(struct writers_options){
        .server = srv, .threads = 2, .first_id = 100, .large_every = 10, .large_bytes = 5000, .lying_every = 7});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, 90000));
    writers_stop(wr, 90000);
    size_t n = writers_oked_count(wr);
    CU_ASSERT_EQUAL(writers_errors(wr), 0);
    CU_ASSERT_EQUAL(writers_next_id(wr), 100 + n);
    CU_ASSERT_EQUAL(sql_number(root, "SELECT COUNT(*) FROM t.w WHERE LENGTH(payload) = 5000"), (int64_t)(n + 9) / 10);
    CU_ASSERT_EQUAL(sql_number(root, "SELECT COUNT(*) FROM t.w WHERE h <> CRC32(payload)"), 0);
    char *events = proc_fmt("%s/mysql-bin.000001", srv->datadir);
    CU_ASSERT_TRUE(binlogs_readable(flavor, events, UINT64_MAX, "#380119")); /* 2147483647 */
    free(events);
    writers_free(wr);
    sql_close(root);
    server_free(srv);
}

/* A copy of the primary's own files stands for a store: the oracle accepts it, and refuses it with one byte changed. */
static void test_oracle(void)
{
    struct server *srv = start(SERVER_SEMISYNC_OFF, SERVER_TLS_NONE);
    struct writers *wr = writers_start(&(struct writers_options){.server = srv, .threads = 2});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, 90000));
    struct sql *root = server_root(srv);
    sql_must(root, "FLUSH BINARY LOGS");
    CU_ASSERT_TRUE(writers_wait_oked(wr, 100, 90000));
    writers_stop(wr, 90000);
    sql_must(root, "FLUSH BINARY LOGS");
    char *dir = proc_tempdir();
    char *script =
        proc_fmt("mkdir -p %s/lineages/0001-x && cp %s/mysql-bin.0* %s/lineages/0001-x/", dir, srv->datadir, dir);
    char *argv[] = {"sh", "-ec", script, NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, NULL), 0);
    struct proc_args names = binlogs_segments(dir, NULL);
    CU_ASSERT_EQUAL(names.n, 3);
    size_t compared = 0;
    CU_ASSERT_TRUE(binlogs_compare(srv, dir, 0, &compared));
    CU_ASSERT_EQUAL(compared, 2);
    CU_ASSERT_TRUE(binlogs_all_readable(flavor, dir, 4));
    char *first = binlogs_segment_path(dir, names.v[0]);
    CU_ASSERT_TRUE(binlogs_readable(flavor, first, UINT64_MAX, "id=1;"));
    size_t n;
    uint64_t *ids = writers_oked(wr, &n);
    CU_ASSERT_EQUAL(binlogs_missing_ids(dir, UINT64_MAX, ids, n), 0);
    uint64_t absent = 1000000;
    CU_ASSERT_EQUAL(binlogs_missing_ids(dir, UINT64_MAX, &absent, 1), 1);
    check_each_file(dir, &names, n);
    FILE *f = fopen(first, "r+e");
    if (f != NULL) {
        CU_ASSERT_EQUAL(fseek(f, 300, SEEK_SET), 0);
        CU_ASSERT_EQUAL(fwrite("?!?!", 1, 4, f), 4);
        CU_ASSERT_EQUAL(fclose(f), 0);
    }
    CU_ASSERT_FALSE(binlogs_compare(srv, dir, 0, NULL));
    CU_ASSERT_FALSE(binlogs_readable(flavor, first, UINT64_MAX, NULL));
    free(ids);
    free(first);
    proc_args_fini(&names);
    free(script);
    proc_remove_dir(dir);
    free(dir);
    sql_close(root);
    writers_free(wr);
    server_free(srv);
}

static void test_proxy(void)
{
    struct server *srv = start(SERVER_SEMISYNC_OFF, SERVER_TLS_NONE);
    struct proxy *px = proxy_start(srv->port);
    struct sql_target target = {.port = proxy_port(px), .read_timeout_s = 1};
    struct sql *sql = sql_must_open(&target);
    proxy_split(px, 3);
    CU_ASSERT_EQUAL(sql_number(sql, "SELECT 4711"), 4711);
    proxy_split(px, 0);
    CU_ASSERT_EQUAL(proxy_connections(px), 1);
    CU_ASSERT_TRUE(proxy_client_sent(px, "SELECT 4711"));
    proxy_drop(px, PROXY_TO_SERVER, true);
    CU_ASSERT_EQUAL(sql_number(sql, "SELECT 1"), -1);
    proxy_drop(px, PROXY_TO_SERVER, false);
    proxy_cut(px, PROXY_CUT_RST);
    CU_ASSERT_NOT_EQUAL(sql_exec(sql, "SELECT 1"), 0);
    CU_ASSERT_EQUAL(proxy_open_connections(px), 0);
    sql_close(sql);
    proxy_set_accept(px, PROXY_REFUSE);
    CU_ASSERT_PTR_NULL(sql_open(&target, NULL, 0));
    proxy_set_accept(px, PROXY_ACCEPT);
    sql = sql_must_open(&target);
    proxy_corrupt_text(px, "needle", 1);
    char *value = sql_value(sql, "SELECT CONCAT('nee', 'dle')");
    CU_ASSERT(value != NULL && strcmp(value, "needld") == 0);
    free(value);
    proxy_corrupt_near(px, "needle", 1, 0x02);
    value = sql_value(sql, "SELECT CONCAT('nee', 'dle', 'ABC')");
    CU_ASSERT(value != NULL && strcmp(value, "needleA@C") == 0);
    free(value);
    uint64_t began = proc_now_ms();
    proxy_delay(px, PROXY_TO_CLIENT, 100);
    CU_ASSERT_EQUAL(sql_number(sql, "SELECT 7"), 7);
    CU_ASSERT(proc_now_ms() - began >= 100);
    proxy_pause(px, PROXY_TO_CLIENT, true);
    CU_ASSERT_EQUAL(sql_number(sql, "SELECT 8"), -1);
    CU_ASSERT_FALSE(proxy_saw_quit_after_dump(px));
    CU_ASSERT_EQUAL(proxy_dumps_seen(px), 0);
    sql_close(sql);
    proxy_free(px);
    server_free(srv);
}

static void test_tls_and_users(void)
{
    struct server *srv = start(SERVER_SEMISYNC_OFF, SERVER_TLS_OURS);
    struct sql_target target = server_tcp(srv, SERVER_REPL_USER, SERVER_REPL_PASSWORD);
    target.ssl_ca = srv->ca;
    struct sql *sql = sql_must_open(&target);
    char *cipher = sql_value(sql, "SELECT VARIABLE_VALUE FROM %s.session_status WHERE VARIABLE_NAME = 'Ssl_cipher'",
                             flavor == SERVER_MYSQL ? "performance_schema" : "information_schema");
    CU_ASSERT(cipher != NULL && cipher[0] != '\0');
    free(cipher);
    sql_close(sql);
    struct proxy *px = proxy_start(srv->port);
    proxy_strip_tls(px, true);
    target.port = proxy_port(px);
    CU_ASSERT_PTR_NULL(sql_open(&target, NULL, 0));
    proxy_free(px);
    if (flavor == SERVER_MARIADB) {
        server_add_ed25519_user(srv, "ed", "pw");
        target = server_tcp(srv, "ed", "pw");
        sql = sql_must_open(&target);
        sql_close(sql);
    }
    target = server_tcp(srv, SERVER_REPL_USER, "wrong");
    char err[256];
    CU_ASSERT_PTR_NULL(sql_open(&target, err, sizeof(err)));
    CU_ASSERT(strstr(err, "denied") != NULL);
    server_free(srv);
}

/* A test that is killed leaves neither its server nor its folder. */
static void test_nothing_left_after_sigkill(const char *self)
{
    char *dir = proc_tempdir();
    char *out = proc_fmt("%s/out", dir);
    char *argv[] = {(char *)self, (char *)server_flavor_name(flavor), "--die", NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, out), 128 + SIGKILL);
    char *text = proc_read_file(out, NULL);
    CU_ASSERT_PTR_NOT_NULL(text);
    char *end = NULL;
    long pid = text != NULL ? strtol(text, &end, 10) : 0;
    CU_ASSERT(pid > 0);
    char *left = end != NULL ? end + strspn(end, " ") : NULL;
    if (left != NULL && pid > 0) {
        left[strcspn(left, "\n")] = '\0';
        uint64_t until = proc_now_ms() + 10000;
        while ((access(left, F_OK) == 0 || kill((pid_t)pid, 0) == 0) && proc_now_ms() < until)
            proc_sleep_ms(20);
        CU_ASSERT_NOT_EQUAL(access(left, F_OK), 0);
        CU_ASSERT_NOT_EQUAL(kill((pid_t)pid, 0), 0);
    }
    free(text);
    free(out);
    proc_remove_dir(dir);
    free(dir);
}

static const char *self_path;

static void test_guardian(void)
{
    test_nothing_left_after_sigkill(self_path);
}

_Noreturn static void start_and_die(void)
{
    struct server *srv = start(SERVER_SEMISYNC_OFF, SERVER_TLS_NONE);
    (void)printf("%d %s\n", (int)srv->pid, srv->dir);
    (void)fflush(stdout);
    (void)raise(SIGKILL);
    abort();
}

static const struct test_case cases[] = {
    {"a commit waits without an acknowledger and returns when released", test_commit_blocks_until_released},
    {"a blocked commit can be abandoned", test_blocked_commit_is_abandoned},
    {"semi-sync missing or off, errors are told", test_missing_and_off},
    {"kill -9 of the primary under writers and its restart", test_kill_and_restart},
    {"large rows and false times", test_odd_writers},
    {"the binlog oracle accepts a copy and refuses a changed byte", test_oracle},
    {"the proxy forwards, splits, loses, cuts, delays, pauses and corrupts", test_proxy},
    {"TLS with our CA, a stripping proxy, users", test_tls_and_users},
    {"nothing is left after SIGKILL of a test", test_guardian},
};

int main(int argc, char **argv)
{
    if (argc < 2)
        proc_die("usage: test_support mariadb|mysql");
    self_path = argv[0];
    flavor = strcmp(argv[1], "mysql") == 0 ? SERVER_MYSQL : SERVER_MARIADB;
    if (argc > 2 && strcmp(argv[2], "--die") == 0)
        start_and_die();
    return cunit_run("support", cases, sizeof(cases) / sizeof(cases[0]));
}
