/* Getting connected, or not: TLS in its modes, passwords, privileges, wrong input. Every refusal names what is wrong. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rig.h"

/* The daemon with these settings comes to streaming. */
static void expect_streaming(struct rig *r, char *const *settings, bool tls)
{
    rig_start_daemon(r, settings);
    bool ok = daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(r->dm);
    json_t *status = daemon_command(r->dm, "status");
    CU_ASSERT_EQUAL(json_is_string(json_object_get(json_object_get(status, "source"), "tls")), tls);
    json_decref(status);
    CU_ASSERT_EQUAL(daemon_stop(r->dm), 0);
    daemon_free(r->dm);
    r->dm = NULL;
}

static void expect_error(struct rig *r, char *const *settings, const char *code, const char *words)
{
    rig_start_daemon(r, settings);
    bool ok = daemon_wait_error(r->dm, code, RIG_WAIT_MS);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(r->dm);
    CU_ASSERT_TRUE(daemon_log_contains(r->dm, words));
    CU_ASSERT_EQUAL(daemon_stop(r->dm), 0);
    daemon_free(r->dm);
    r->dm = NULL;
}

static void test_tls_modes(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.tls = SERVER_TLS_OURS, .semisync = SERVER_SEMISYNC_OFF}, false);
    char *ca = proc_fmt("source.ssl_ca=%s", r.srv->ca);
    expect_streaming(&r, (char *[]){"source.ssl_mode=DISABLED", NULL}, false);
    expect_streaming(&r, (char *[]){"source.ssl_mode=PREFERRED", NULL}, true);
    expect_streaming(&r, (char *[]){"source.ssl_mode=REQUIRED", NULL}, true);
    expect_streaming(&r, (char *[]){"source.ssl_mode=VERIFY_CA", ca, NULL}, true);
    expect_streaming(&r, (char *[]){"source.ssl_mode=VERIFY_IDENTITY", "source.host=localhost", ca, NULL}, true);
    char *dir = proc_tempdir();
    server_make_certs(dir);
    char *wrong = proc_fmt("source.ssl_ca=%s/ca.pem", dir);
    expect_error(&r, (char *[]){"source.ssl_mode=VERIFY_CA", wrong, NULL}, "tls", "certificate");
    free(wrong);
    free(dir);
    free(ca);
    rig_end(&r);
}

/* A proxy that takes TLS out of the greeting: past REQUIRED it gets neither the user's name nor an ACK (F25). */
static void test_tls_stripping(void)
{
    static const char *const modes[] = {"source.ssl_mode=REQUIRED", "source.ssl_mode=VERIFY_CA",
                                        "source.ssl_mode=VERIFY_IDENTITY"};
    struct rig r;
    rig_start_server(&r, &(struct server_options){.tls = SERVER_TLS_OURS, .semisync = SERVER_SEMISYNC_OFF}, true);
    proxy_strip_tls(r.px, true);
    char *ca = proc_fmt("source.ssl_ca=%s", r.srv->ca);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        char *mode = proc_fmt("%s", modes[i]);
        expect_error(&r, (char *[]){mode, ca, NULL}, "tls", "TLS");
        free(mode);
    }
    CU_ASSERT_FALSE(proxy_client_sent(r.px, SERVER_REPL_USER));
    CU_ASSERT_EQUAL(proxy_dumps_seen(r.px), 0);
    CU_ASSERT_EQUAL(proxy_acks_seen(r.px), 0);
    free(ca);
    rig_end(&r);
}

/* PREFERRED and a source without TLS, nothing cached there: the password goes by RSA or as a hash, never in clear text. */
static void test_no_tls_no_clear_password(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, true);
    expect_streaming(&r, (char *[]){"source.ssl_mode=PREFERRED", NULL}, false);
    CU_ASSERT_TRUE(proxy_client_sent(r.px, SERVER_REPL_USER));
    CU_ASSERT_FALSE(proxy_client_sent(r.px, SERVER_REPL_PASSWORD));
    rig_end(&r);
}

static void test_unix_socket_and_ed25519(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, false);
    char *socket = proc_fmt("source.socket=%s", r.srv->socket);
    rig_start_daemon(&r, (char *[]){"source.host=", socket, NULL});
    bool ok = daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS);
    if (!ok)
        daemon_show_log(r.dm);
    CU_ASSERT_TRUE(ok);
    daemon_free(r.dm);
    r.dm = NULL;
    free(socket);
    if (flavor == SERVER_MARIADB) {
        server_add_ed25519_user(r.srv, "edward", "of the curve");
        struct daemon_options opt = {.server = r.srv, .user = "edward", .password = "of the curve"};
        r.dm = daemon_start(&opt);
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    }
    rig_end(&r);
}

static void test_wrong_password_then_right(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, false);
    struct daemon_options opt = {.server = r.srv, .password = "not this one"};
    r.dm = daemon_start(&opt);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "auth", RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_log_contains(r.dm, "Access denied"));
    CU_ASSERT_FALSE(daemon_log_contains(r.dm, "not this one"));
    char *file = proc_fmt("%s/password", r.dm->folder);
    proc_write_file(file, SERVER_REPL_PASSWORD "\n");
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS)); /* the file is read anew before each try */
    CU_ASSERT_EQUAL(unlink(file), 0);
    free(file);
    rig_end(&r);
}

static void test_no_privilege(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, false);
    sql_must(r.root, "REVOKE REPLICATION SLAVE ON *.* FROM '" SERVER_REPL_USER "'@'%%'");
    expect_error(&r, NULL, "privilege", "REPLICATION SLAVE");
    rig_end(&r);
}

static void test_nobody_there(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, true);
    proxy_set_accept(r.px, PROXY_REFUSE);
    expect_error(&r, NULL, "connect", "connect:");
    proxy_set_accept(r.px, PROXY_HANG);
    expect_error(&r, (char *[]){"source.connect_timeout=1s", NULL}, "connect", "connect:");
    expect_error(&r, (char *[]){"source.host=no-such-host.invalid", NULL}, "connect", "no-such-host.invalid");
    rig_end(&r);
}

/* Two daemons, one identity: the newcomer takes over on the server; the other waits instead of fighting (case 2). */
static void test_same_identity_twice(void)
{
    if (flavor != SERVER_MYSQL)
        return; /* MariaDB has no uuid, and every dump has another id there */
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    char *copy = proc_fmt("%s/copy", r.dm->folder);
    CU_ASSERT_EQUAL(proc_run((char *[]){"cp", "-a", r.dm->dir, copy, NULL}, NULL, NULL), 0);
    char *old_socket = proc_fmt("%s/admin.sock", copy);
    (void)unlink(old_socket);
    struct daemon *dm = daemon_start(&(struct daemon_options){.server = r.srv, .dir = copy});
    CU_ASSERT_TRUE(daemon_wait_state(dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "duplicate_identity", RIG_WAIT_MS));
    proc_sleep_ms(3000);
    CU_ASSERT_TRUE(daemon_wait_state(dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "error", RIG_WAIT_MS));
    daemon_free(dm);
    free(old_socket);
    free(copy);
    rig_end(&r);
}

static int run_with(const char *text, char *const *more, char **ret_output)
{
    char *dir = proc_tempdir();
    char *file = proc_fmt("%s/bad.ini", dir);
    proc_write_file(file, text);
    char *args[8] = {"--config", file};
    for (size_t i = 0; more != NULL && more[i] != NULL && i < 5; i++)
        args[2 + i] = more[i];
    int rc = daemon_run(args, ret_output);
    free(file);
    free(dir);
    return rc;
}

/* --check of a configuration that is right but for this setting. */
static void expect_check(const char *dir, const char *setting, int code, const char *words)
{
    char *text = proc_fmt("[source]\nhost = h\nuser = u\n[store]\ndir = %s/store\n[tail]\nlisten = off\n", dir);
    char *out = NULL;
    CU_ASSERT_EQUAL(run_with(text, (char *[]){"--check", "--set", (char *)setting, NULL}, &out), code);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, words));
    if (strstr(out, words) == NULL)
        (void)fprintf(stderr, "expected %s in: %s\n", words, out);
    free(out);
    free(text);
}

static void check_of_file(const char *dir, const char *key, const char *content, const char *words)
{
    char *file = proc_fmt("%s/some-file", dir);
    char *setting = proc_fmt("%s=%s", key, file);
    proc_write_file(file, content);
    (void)chmod(file, 0600);
    expect_check(dir, setting, 2, words);
    free(setting);
    free(file);
}

static void test_check_finds_what_fails_at_once(void)
{
    char *dir = proc_tempdir();
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&addr, len), 0);
    CU_ASSERT_EQUAL(listen(fd, 1), 0);
    (void)getsockname(fd, (struct sockaddr *)&addr, &len);
    char *taken = proc_fmt("tail.listen=127.0.0.1:%u", ntohs(addr.sin_port));
    char *taken_http = proc_fmt("http.listen=127.0.0.1:%u", ntohs(addr.sin_port));
    char *file = proc_fmt("store.dir=%s/some-file", dir);
    char *deep = proc_fmt("store.dir=%s/there/is/none", dir);
    expect_check(dir, "log.level=notice", 0, ": ok");
    expect_check(dir, taken, 2, "tail.listen");
    expect_check(dir, taken_http, 2, "http.listen");
    (void)close(fd);
    expect_check(dir, taken, 0, ": ok");
    expect_check(dir, "admin.group=no-such-group-x", 2, "admin.group: there is no group");
    expect_check(dir, "source.host=\"db1\"", 2, "source.host = \"db1\": values stand without quotes");
    check_of_file(dir, "source.ssl_ca", "not a certificate", "source.ssl_ca: ");
    check_of_file(dir, "source.password_file", "\n", "source.password_file: the first line");
    expect_check(dir, file, 2, "store.dir: ");
    expect_check(dir, deep, 2, "store.dir: ");
    free(deep);
    free(file);
    free(taken_http);
    free(taken);
    proc_remove_dir(dir);
    free(dir);
}

static void test_bad_configuration(void)
{
    static const struct {
        const char *text;
        const char *words;
    } bad[] = {
        {"[source]\nhost = h\nuser = u\nhosst = x\n[store]\ndir = /tmp/x\n", "hosst"},
        {"[source]\nhost = h\nuser = u\nport = many\n[store]\ndir = /tmp/x\n", "source.port"},
        {"[source]\nhost = h\nuser = u\npassword_file = /no/such/file\n[store]\ndir = /tmp/x\n", "/no/such/file"},
        {"[source]\nuser = u\n[store]\ndir = /tmp/x\n", "source.host"},
        {"[source]\nhost = h\nuser = u\n", "store.dir"},
        {"[tail]\nlisten = 0.0.0.0:1\n[source]\nhost = h\nuser = u\n[store]\ndir = /tmp/x\n", "tail.listen"},
        {"no section\n", "bad.ini:1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *out = NULL;
        CU_ASSERT_EQUAL(run_with(bad[i].text, (char *[]){"--check", NULL}, &out), 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(out, bad[i].words));
        if (strstr(out, bad[i].words) == NULL)
            fprintf(stderr, "expected %s in: %s\n", bad[i].words, out);
        free(out);
    }
    char *out = NULL;
    test_check_finds_what_fails_at_once();
    CU_ASSERT_EQUAL(daemon_run((char *[]){"--config", "/no/such.ini", NULL}, &out), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "/no/such.ini"));
    free(out);
    CU_ASSERT_EQUAL(daemon_run((char *[]){"--help-config", NULL}, &out), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "catchup_async"));
    free(out);
}

/* Start on that folder under that wrapper, to its end. */
static int exit_status_on(const char *dir, char *const *wrapper, const char *says)
{
    int status = -1;
    char *setting = proc_fmt("store.dir=%s", dir);
    struct daemon *dm =
        daemon_start(&(struct daemon_options){.wrapper = wrapper, .settings = (char *[]){setting, NULL}});
    free(setting);
    CU_ASSERT_TRUE(daemon_exited(dm, RIG_WAIT_MS, &status));
    CU_ASSERT_TRUE(daemon_log_contains(dm, says));
    daemon_free(dm);
    return status;
}

/* A wrong setting ends with 2 and its key; what may be over in a moment with 1. */
static void test_exit_codes_of_the_start(void)
{
    char *const *no_capabilities = (char *[]){"setpriv", "--bounding-set=-all", "--inh-caps=-all", NULL};
    char *const *few_descriptors = (char *[]){"sh", "-c", "ulimit -n 5; exec \"$@\"", "sh", NULL};
    char *dir = proc_tempdir();
    char *missing = proc_fmt("%s/there/is/none", dir);
    char *file = proc_fmt("%s/file", dir);
    char *closed = proc_fmt("%s/closed", dir);
    char *fine = proc_fmt("%s/fine", dir);
    proc_write_file(file, "x");
    CU_ASSERT_EQUAL(mkdir(closed, 0555), 0);
    CU_ASSERT_EQUAL(exit_status_on(missing, NULL, "store.dir: "), 2);
    CU_ASSERT_EQUAL(exit_status_on(file, NULL, "store.dir: "), 2);
    CU_ASSERT_EQUAL(exit_status_on(closed, no_capabilities, "store.dir: "), 2);
    CU_ASSERT_EQUAL(exit_status_on(fine, few_descriptors, ""), 1);
    proc_remove_dir(dir);
    free(fine);
    free(closed);
    free(file);
    free(missing);
    free(dir);
}

/* Under an account of its own, as it is installed: what is in /proc of it belongs to root, not to that account's other programs, and no core is left. */
static void test_memory_is_nobody_elses(void)
{
    static char as_nobody[] =
        "for last; do :; done; chown -R 65534:65534 \"$(dirname \"$last\")\"; ulimit -c unlimited; "
        "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    struct stat st;
    struct daemon *dm =
        daemon_start(&(struct daemon_options){.wrapper = (char *[]){"sh", "-c", as_nobody, "sh", NULL}, .port = 1});
    bool ok = daemon_wait_error(dm, "connect", RIG_WAIT_MS);
    if (!ok)
        daemon_show_log(dm);
    CU_ASSERT_TRUE(ok);
    char *path = proc_fmt("/proc/%d/environ", (int)dm->pid);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_uid, 0);
    free(path);
    daemon_signal(dm, SIGABRT);
    CU_ASSERT_TRUE(daemon_exited(dm, RIG_WAIT_MS, NULL));
    CU_ASSERT_FALSE(WCOREDUMP(dm->status));
    daemon_free(dm);
}

static void test_store_in_use_newer_or_unsafe(void)
{
    struct rig r;
    rig_start(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, false, NULL);
    struct daemon *second = daemon_start(&(struct daemon_options){.server = r.srv, .dir = r.dm->dir});
    int status = 0;
    CU_ASSERT_TRUE(daemon_exited(second, RIG_WAIT_MS, &status));
    CU_ASSERT_EQUAL(status, 1); /* whoever holds it may be about to end */
    CU_ASSERT_TRUE(daemon_log_contains(second, r.dm->dir));
    daemon_free(second);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    char *format = proc_fmt("%s/format", r.dm->dir);
    proc_write_file(format, "99\n");
    second = daemon_start(&(struct daemon_options){.server = r.srv, .dir = r.dm->dir});
    CU_ASSERT_TRUE(daemon_exited(second, RIG_WAIT_MS, &status));
    CU_ASSERT_EQUAL(status, 2);
    CU_ASSERT_TRUE(daemon_log_contains(second, "99"));
    daemon_free(second);
    free(format);
    char *shm = proc_fmt("/dev/shm/logtailer-test-%d", (int)getpid());
    second = daemon_start(&(struct daemon_options){
        .server = r.srv, .dir = shm, .settings = (char *[]){"store.allow_unsafe_fs=no", NULL}});
    CU_ASSERT_TRUE(daemon_exited(second, RIG_WAIT_MS, &status));
    CU_ASSERT_EQUAL(status, 2);
    CU_ASSERT_TRUE(daemon_log_contains(second, "tmpfs"));
    daemon_free(second);
    (void)proc_run((char *[]){"rm", "-rf", shm, NULL}, NULL, NULL);
    free(shm);
    rig_end(&r);
}

/* A commit that waits for nobody else's ACK returns. */
static bool commits_return(struct rig *r)
{
    struct sql_async *insert = sql_async_start(r->root, "INSERT INTO few.t VALUES (NULL)");
    bool ok = sql_async_wait(insert, RIG_WAIT_MS) && sql_async_errno(insert) == 0;
    if (!ok)
        daemon_show_log(r->dm);
    else
        ok = daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS) && daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS);
    sql_async_free(insert);
    return ok;
}

/* Two connections are all that the account may have: the stream and the monitor. It is proved and acknowledged with, also after restarts of both. */
static void test_two_connections(void)
{
    struct rig r;
    rig_start_server(&r, &(struct server_options){0}, false);
    sql_must(r.root, "SET SESSION sql_log_bin = 0");
    sql_must(r.root, "CREATE DATABASE few");
    sql_must(r.root, "CREATE TABLE few.t (id INT AUTO_INCREMENT PRIMARY KEY)");
    sql_must(r.root, "ALTER USER '" SERVER_REPL_USER "'@'%%' WITH MAX_USER_CONNECTIONS 2");
    sql_must(r.root, "SET SESSION sql_log_bin = 1");
    rig_start_daemon(&r, NULL);
    CU_ASSERT_TRUE(commits_return(&r));
    for (int i = 0; i < 3; i++) {
        char *id = sql_value(r.root, "SELECT id FROM information_schema.processlist WHERE user = '" SERVER_REPL_USER
                                     "' AND command LIKE 'Binlog Dump%%' LIMIT 1");
        CU_ASSERT_PTR_NOT_NULL(id);
        (void)sql_exec(r.root, "KILL %s", id != NULL ? id : "0");
        free(id);
        proc_sleep_ms(100);
        CU_ASSERT_TRUE(commits_return(&r));
    }
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(commits_return(&r));
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(commits_return(&r));
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"TLS modes", test_tls_modes},
    {"TLS stripped by a proxy", test_tls_stripping},
    {"no TLS, and no password in clear text", test_no_tls_no_clear_password},
    {"Unix socket, ed25519", test_unix_socket_and_ed25519},
    {"a wrong password, then the right one", test_wrong_password_then_right},
    {"no privilege", test_no_privilege},
    {"nobody there", test_nobody_there},
    {"two connections", test_two_connections},
    {"the same identity twice", test_same_identity_twice},
    {"bad configuration", test_bad_configuration},
    {"a store in use, newer, unsafe", test_store_in_use_newer_or_unsafe},
    {"memory is nobody else's", test_memory_is_nobody_elses},
    {"exit codes of the start", test_exit_codes_of_the_start},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "connect", cases, sizeof cases / sizeof cases[0]);
}
