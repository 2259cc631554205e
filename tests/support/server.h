/*
 * A real primary for a test: MariaDB of the system or MySQL from the cache folder, on loopback, in a folder of its own.
 * It does not write data and does not look at binlogs: sql.h, writers.h and binlogs.h do.
 *
 * Layer: tests/support. Thread: one at a time per server.
 * Owns: the server process and its folder (datadir, socket, log, certificates). Both go with server_free, and also when the test
 *   dies (proc.h).
 * Errors: a server that does not start or stop ends the test with the end of its log.
 * What is in it: user repl@'%' (password "secret", REPLICATION SLAVE), database t, root without a password over the socket and
 *   127.0.0.1. Its binlogs are named mysql-bin.NNNNNN and start empty. sync_binlog=1, wait point AFTER_SYNC.
 * Environment: LT_MYSQL_CACHE is the folder with the unpacked MySQL (default /var/cache/logtailer/mysql-sid, or
 *   ~/.cache/logtailer/mysql-sid); fresh datadirs are copied from templates that are made once beside it.
 */
#ifndef LT_SUPPORT_SERVER_H
#define LT_SUPPORT_SERVER_H

#include "proc.h"
#include "sql.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_REPL_USER     "repl"
#define SERVER_REPL_PASSWORD "secret"

enum server_flavor { SERVER_MARIADB, SERVER_MYSQL };

enum server_semisync {
    SERVER_SEMISYNC_ON,
    SERVER_SEMISYNC_OFF,    /* installed, disabled */
    SERVER_SEMISYNC_MISSING /* MySQL: no plugin. MariaDB has it built in: the same as OFF */
};

enum server_tls {
    SERVER_TLS_NONE, /* the greeting has no CLIENT_SSL */
    SERVER_TLS_OURS /* certificates of a CA made for this server, file <dir>/certs/ca.pem, valid for localhost and 127.0.0.1 */
};

/* All zero is the usual primary. */
struct server_options {
    enum server_flavor flavor;
    enum server_semisync semisync;
    enum server_tls tls;
    unsigned semisync_timeout_ms; /* 0: 600000 */
    unsigned server_id;           /* 0: 1 */
    bool checksum_none;           /* binlog_checksum=NONE instead of CRC32 */
    bool gtid_off;                /* MySQL: GTID_MODE=OFF */
    bool performance_schema;
    char *const *args; /* more mysqld arguments, ended by NULL; they come last and so win */
};

struct server {
    enum server_flavor flavor;
    pid_t pid; /* 0 while stopped */
    uint16_t port;
    char *dir;
    char *datadir; /* the binlogs are in it */
    char *socket;
    char *log;
    char *ca; /* NULL without TLS */
    struct proc_args args;
};

/* Fresh datadir, started and ready for logins. */
struct server *server_start(const struct server_options *opt);
/* Stops it by SIGKILL when it runs and removes the folder. NULL is fine. */
void server_free(struct server *srv);

/* SIGTERM and wait. MySQL needs 11 s for it while a commit waits for an ACK. */
void server_stop(struct server *srv);
/* SIGKILL and wait. */
void server_kill(struct server *srv);
/* Stop when it runs, then start on the same datadir and port, with these arguments in addition (NULL: none) from now on. */
void server_restart(struct server *srv, char *const *more_args);
/* SIGSTOP or SIGCONT. */
void server_pause(struct server *srv, bool paused);

/* The process as the kernel sees it: false after a crash. Reaps it. */
bool server_alive(struct server *srv);
/* Ends the test with the end of the server's log when it crashed: without it every wait runs to its end and says nothing. */
void server_must_live(const struct server *srv);

/* A new root connection over the socket; the second one over TCP as any user. */
struct sql *server_root(const struct server *srv);
struct sql_target server_tcp(const struct server *srv, const char *user, const char *password);

/* MariaDB: a user with REPLICATION SLAVE that logs in by ed25519 (the plugin is loaded). */
void server_add_ed25519_user(struct server *srv, const char *user, const char *password);
bool server_log_contains(const struct server *srv, const char *text);
const char *server_flavor_name(enum server_flavor flavor);
/* False when the programs of this flavour are not installed; tests/install.sh says how. */
bool server_is_installed(enum server_flavor flavor);

/* ca.pem, server-cert.pem and server-key.pem in dir, made with the openssl command. */
void server_make_certs(const char *dir);

/* ---- for binlogs.c and server.c ---- */

/* Append program and loader arguments for a program of the unpacked MySQL ("sbin/mysqld", "bin/mysqlbinlog"). */
void server_mysql_program(struct proc_args *args, const char *name);
/* The program and the arguments that every start of this flavour has. */
void server_base_args(struct proc_args *args, enum server_flavor flavor);
/* The folder to copy for a fresh datadir; made on first use, by one process while the others wait. The caller frees. */
char *server_template(enum server_flavor flavor);
/* Wait until root can log in over the socket. False when the process ended (then it is reaped) or the time is over. */
bool server_wait_ready(pid_t *pid, const char *socket, unsigned timeout_ms);
/* End the test with the last lines of the server's log. */
_Noreturn void server_die(const char *what, const char *log);

#endif
