/*
 * Happy path: copy the template datadir → start → log in over the socket.
 * Failure: a port taken between choosing and binding makes the server exit; a fresh one is tried with another port.
 */
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TRIES = 3, READY_MS = 120000, STOP_MS = 120000 };

static const char certs_script[] =
    "cd \"$1\"\n"
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=logtailer-test-ca \\\n"
    "  -keyout ca-key.pem -out ca.pem\n"
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \\\n"
    "  -keyout server-key.pem -out server.csr\n"
    "echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >san\n"
    "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 -extfile san \\\n"
    "  -out server-cert.pem\n";

const char *server_flavor_name(enum server_flavor flavor)
{
    return flavor == SERVER_MYSQL ? "mysql" : "mariadb";
}

void server_die(const char *what, const char *log)
{
    proc_show_log(log);
    proc_die("%s", what);
}

void server_make_certs(const char *dir)
{
    char *log = proc_fmt("%s/openssl.log", dir);
    char *argv[] = {"sh", "-ec", (char *)certs_script, "sh", (char *)dir, NULL};
    if (proc_run(argv, NULL, log) != 0)
        server_die("openssl could not make certificates", log);
    free(log);
}

bool server_wait_ready(pid_t *pid, const char *socket, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    struct sql_target target = {.socket = socket};
    while (proc_now_ms() < end) {
        struct sql *sql = access(socket, F_OK) == 0 ? sql_open(&target, NULL, 0) : NULL;
        if (sql != NULL) {
            sql_close(sql);
            return true;
        }
        if (proc_wait(*pid, 20, NULL)) {
            *pid = 0;
            return false;
        }
    }
    return false;
}

/* ---- arguments ---- */

static void add_semisync(struct proc_args *args, const struct server_options *opt)
{
    unsigned timeout = opt->semisync_timeout_ms != 0 ? opt->semisync_timeout_ms : 600000;
    int on = opt->semisync == SERVER_SEMISYNC_ON;
    if (opt->flavor == SERVER_MARIADB) {
        proc_args_add(args, "--rpl-semi-sync-master-enabled=%d", on);
        proc_args_add(args, "--rpl-semi-sync-master-timeout=%u", timeout);
        proc_args_add(args, "--rpl-semi-sync-master-wait-point=AFTER_SYNC");
    } else if (opt->semisync != SERVER_SEMISYNC_MISSING) {
        proc_args_add(args, "--plugin-load-add=semisync_source.so");
        proc_args_add(args, "--rpl-semi-sync-source-enabled=%d", on);
        proc_args_add(args, "--rpl-semi-sync-source-timeout=%u", timeout);
        proc_args_add(args, "--rpl-semi-sync-source-wait-point=AFTER_SYNC");
    }
}

static void add_tls(struct server *srv, const struct server_options *opt)
{
    if (opt->tls == SERVER_TLS_NONE) {
        proc_args_add(&srv->args,
                      opt->flavor == SERVER_MYSQL ? "--tls-version=" : "--skip-ssl"); /* 11.4 and later have it on */
        return;
    }
    char *dir = proc_fmt("%s/certs", srv->dir);
    if (mkdir(dir, 0755) != 0)
        proc_die_errno("mkdir %s", dir);
    server_make_certs(dir);
    proc_args_add(&srv->args, "--ssl-ca=%s/ca.pem", dir);
    proc_args_add(&srv->args, "--ssl-cert=%s/server-cert.pem", dir);
    proc_args_add(&srv->args, "--ssl-key=%s/server-key.pem", dir);
    srv->ca = proc_fmt("%s/ca.pem", dir);
    free(dir);
}

static void build_args(struct server *srv, const struct server_options *opt)
{
    struct proc_args *args = &srv->args;
    server_base_args(args, opt->flavor);
    proc_args_add(args, "--datadir=%s", srv->datadir);
    /* Its own: a MariaDB that starts deletes every #sql* in it, another server's too. */
    proc_args_add(args, "--tmpdir=%s", srv->dir);
    proc_args_add(args, "--socket=%s", srv->socket);
    proc_args_add(args, "--pid-file=%s/pid", srv->dir);
    proc_args_add(args, "--server-id=%u", opt->server_id != 0 ? opt->server_id : 1);
    proc_args_add(args, "--log-bin=mysql-bin");
    proc_args_add(args, "--sync-binlog=1");
    proc_args_add(args, "--binlog-format=ROW");
    proc_args_add(args, "--binlog-checksum=%s", opt->checksum_none ? "NONE" : "CRC32");
    proc_args_add(args, "--performance-schema=%s", opt->performance_schema ? "ON" : "OFF");
    if (opt->flavor == SERVER_MYSQL) {
        proc_args_add(args, "--gtid-mode=%s", opt->gtid_off ? "OFF" : "ON");
        proc_args_add(args, "--enforce-gtid-consistency=%s", opt->gtid_off ? "OFF" : "ON");
    }
    add_semisync(args, opt);
    add_tls(srv, opt);
    for (char *const *arg = opt->args; arg != NULL && *arg != NULL; arg++)
        proc_args_add(args, "%s", *arg);
}

/* ---- life ---- */

static void copy_template(struct server *srv)
{
    char *from = server_template(srv->flavor);
    char *argv[] = {"cp", "-a", "--reflink=auto", from, srv->datadir, NULL};
    if (proc_run(argv, NULL, srv->log) != 0)
        server_die("cannot copy the template datadir", srv->log);
    free(from);
}

/* False when the server ended before it was ready. */
static bool launch(struct server *srv)
{
    struct proc_args args = {0};
    for (size_t i = 0; i < srv->args.n; i++)
        proc_args_add(&args, "%s", srv->args.v[i]);
    proc_args_add(&args, "--port=%u", srv->port);
    srv->pid = proc_spawn(args.v, srv->log);
    proc_args_fini(&args);
    if (server_wait_ready(&srv->pid, srv->socket, READY_MS))
        return true;
    if (srv->pid != 0)
        server_die("the server did not become ready in time", srv->log);
    return false;
}

struct server *server_start(const struct server_options *opt)
{
    struct server *srv = calloc(1, sizeof(*srv));
    if (srv == NULL)
        proc_die("out of memory");
    srv->flavor = opt->flavor;
    srv->dir = proc_tempdir();
    srv->datadir = proc_fmt("%s/data", srv->dir);
    srv->socket = proc_fmt("%s/mysql.sock", srv->dir);
    srv->log = proc_fmt("%s/server.log", srv->dir);
    copy_template(srv);
    build_args(srv, opt);
    for (int i = 0; i < START_TRIES; i++) {
        srv->port = proc_free_port();
        if (launch(srv))
            return srv;
    }
    server_die("the server does not start", srv->log);
}

static void reap(struct server *srv, unsigned timeout_ms)
{
    if (!proc_wait(srv->pid, timeout_ms, NULL))
        server_die("the server does not end", srv->log);
    srv->pid = 0;
}

void server_stop(struct server *srv)
{
    if (srv->pid == 0)
        return;
    proc_signal(srv->pid, SIGTERM);
    reap(srv, STOP_MS);
}

void server_kill(struct server *srv)
{
    if (srv->pid == 0)
        return;
    proc_signal(srv->pid, SIGKILL);
    reap(srv, STOP_MS);
}

void server_restart(struct server *srv, char *const *more_args)
{
    server_stop(srv);
    for (char *const *arg = more_args; arg != NULL && *arg != NULL; arg++)
        proc_args_add(&srv->args, "%s", *arg);
    if (!launch(srv))
        server_die("the server does not start again", srv->log);
}

void server_pause(struct server *srv, bool paused)
{
    proc_signal(srv->pid, paused ? SIGSTOP : SIGCONT);
}

bool server_alive(struct server *srv)
{
    if (srv->pid != 0 && proc_wait(srv->pid, 0, NULL))
        srv->pid = 0;
    return srv->pid != 0;
}

void server_must_live(const struct server *srv)
{
    siginfo_t info = {0};
    if (srv->pid != 0 && waitid(P_PID, (id_t)srv->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
        server_die("the server ended by itself", srv->log);
}

void server_free(struct server *srv)
{
    if (srv == NULL)
        return;
    server_kill(srv);
    proc_remove_dir(srv->dir);
    proc_args_fini(&srv->args);
    free(srv->dir);
    free(srv->datadir);
    free(srv->socket);
    free(srv->log);
    free(srv->ca);
    free(srv);
}

/* ---- connections ---- */

struct sql *server_root(const struct server *srv)
{
    struct sql_target target = {.socket = srv->socket};
    return sql_must_open(&target);
}

struct sql_target server_tcp(const struct server *srv, const char *user, const char *password)
{
    return (struct sql_target){.port = srv->port, .user = user, .password = password};
}

void server_add_ed25519_user(struct server *srv, const char *user, const char *password)
{
    struct sql *sql = server_root(srv);
    /* Error 1968 or 1125 says that it is loaded; the CREATE USER below would tell of anything worse. */
    (void)sql_exec(sql, "INSTALL SONAME 'auth_ed25519'");
    sql_must(sql, "SET SESSION sql_log_bin = 0");
    sql_must(sql, "CREATE USER '%s'@'%%' IDENTIFIED VIA ed25519 USING PASSWORD('%s')", user, password);
    sql_must(sql, "GRANT REPLICATION SLAVE ON *.* TO '%s'@'%%'", user);
    sql_close(sql);
}

bool server_log_contains(const struct server *srv, const char *text)
{
    char *log = proc_read_file(srv->log, NULL);
    bool found = log != NULL && strstr(log, text) != NULL;
    free(log);
    return found;
}
