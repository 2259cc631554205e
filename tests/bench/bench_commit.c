/*
 * sysbench oltp_insert against a real primary with, in turn, nobody, an ideal acknowledger, logtailerd, and the server's own replica as
 * the one who acknowledges. Semi-sync is off while they change; each begins at the start of a fresh binlog.
 * The machine's speed drifts: so runs are short, those that are compared stand side by side, and who goes first changes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_util.h"
#include "daemon.h"
#include "server.h"
#include "sql.h"

#define READY_MS   20000
#define COUNTS_MAX 8

enum who { NOBODY, IDEAL, LOGTAILER, REPLICA_DURABLE, REPLICA_DEFAULT, WHOS };
static const char *const who_names[WHOS] = {
    "no semi-sync", "ideal acknowledger", "logtailerd", "replica, sync_relay_log=1", "replica, sync_relay_log default",
};

struct bench {
    enum server_flavor flavor;
    struct server *primary;
    struct server *replica;
    struct sql *root;
    struct sql *replica_root;
    struct daemon *dm;
    pid_t acker;
    const char *acker_path;
    char *acker_log;
    char *out;           /* sysbench's */
    char *relay_default; /* the server's own value of sync_relay_log */
    unsigned seconds;
    unsigned threads[COUNTS_MAX];
    size_t counts;
    struct bench_series tps[COUNTS_MAX][WHOS];
    struct bench_series ms[COUNTS_MAX]
                          [WHOS]; /* half of the commits take no longer: what a busy neighbour spoils least */
    bool unprotected[COUNTS_MAX][WHOS];
};

/* ------------------------------------------------------------------ those who acknowledge ---------------------------------------- */

static char *newest_binlog(struct bench *b)
{
    struct sql_rows *rows = sql_rows(b->root, "SHOW BINARY LOGS");
    if (rows->rows == 0)
        proc_die("the primary lists no binlogs");
    char *name = proc_fmt("%s", rows->cells[(rows->rows - 1) * rows->columns]);
    sql_rows_free(rows);
    return name;
}

static void start_replica(struct bench *b, const char *file, const char *sync_relay_log)
{
    sql_must(b->replica_root, "SET GLOBAL sync_relay_log=%s", sync_relay_log);
    if (b->flavor == SERVER_MYSQL) {
        sql_must(b->replica_root,
                 "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%u, SOURCE_USER='" SERVER_REPL_USER
                 "', SOURCE_PASSWORD='" SERVER_REPL_PASSWORD "', SOURCE_LOG_FILE='%s', SOURCE_LOG_POS=4, "
                 "SOURCE_AUTO_POSITION=0, SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, SOURCE_HEARTBEAT_PERIOD=1",
                 b->primary->port, file);
        sql_must(b->replica_root, "START REPLICA IO_THREAD");
    } else {
        sql_must(b->replica_root,
                 "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%u, MASTER_USER='" SERVER_REPL_USER
                 "', MASTER_PASSWORD='" SERVER_REPL_PASSWORD "', MASTER_LOG_FILE='%s', MASTER_LOG_POS=4, "
                 "MASTER_USE_GTID=no, MASTER_HEARTBEAT_PERIOD=1",
                 b->primary->port, file);
        sql_must(b->replica_root, "START SLAVE IO_THREAD");
    }
}

static void stop_replica(struct bench *b)
{
    const char *word = b->flavor == SERVER_MYSQL ? "REPLICA" : "SLAVE";
    sql_must(b->replica_root, "STOP %s", word);
    sql_must(b->replica_root, "RESET %s ALL", word);
}

static void start_acker(struct bench *b, const char *file)
{
    struct proc_args args = {0};
    proc_args_add(&args, "%s", b->acker_path);
    proc_args_add(&args, "%u", b->primary->port);
    proc_args_add(&args, "%s", SERVER_REPL_USER);
    proc_args_add(&args, "%s", SERVER_REPL_PASSWORD);
    proc_args_add(&args, "%s", file);
    proc_args_add(&args, "4");
    b->acker = proc_spawn(args.v, b->acker_log);
    proc_args_fini(&args);
}

static void start_daemon(struct bench *b, const char *file)
{
    char *start = proc_fmt("source.start=%s", file);
    /* The primary has no TLS. */
    char *settings[] = {start, "source.ssl_mode=DISABLED", NULL};
    b->dm = daemon_start(&(struct daemon_options){.server = b->primary, .settings = settings});
    free(start);
}

static void start_who(struct bench *b, enum who who)
{
    sql_must(b->root, "TRUNCATE TABLE t.sbtest1");
    sql_must(b->root, "FLUSH BINARY LOGS");
    char *file = newest_binlog(b);
    if (who == IDEAL)
        start_acker(b, file);
    if (who == LOGTAILER)
        start_daemon(b, file);
    if (who == REPLICA_DURABLE || who == REPLICA_DEFAULT)
        start_replica(b, file, who == REPLICA_DURABLE ? "1" : b->relay_default);
    free(file);
    if (who == NOBODY)
        return;
    sql_semi_set(b->root, "enabled", "ON");
    if (!sql_semi_wait(b->root, "clients", 1, READY_MS)) {
        if (b->dm)
            daemon_show_log(b->dm);
        proc_die("%s: %s does not connect", server_flavor_name(b->flavor), who_names[who]);
    }
    /* A MySQL primary looks for a new acknowledger only once a second. */
    sql_must(b->root, "INSERT INTO t.warm VALUES ()");
}

static void stop_who(struct bench *b, enum who who)
{
    int status;
    if (who == NOBODY)
        return;
    sql_semi_set(b->root, "enabled", "OFF");
    if (who == IDEAL) {
        proc_signal(b->acker, SIGTERM);
        (void)proc_wait(b->acker, READY_MS, &status);
    } else if (who == LOGTAILER) {
        daemon_free(b->dm);
        b->dm = NULL;
    } else {
        stop_replica(b);
    }
    uint64_t until = proc_now_ms() + READY_MS;
    while (sql_semi_status(b->root, "clients") > 0 && proc_now_ms() < until)
        proc_sleep_ms(50);
}

/* ------------------------------------------------------------------ sysbench ----------------------------------------------------- */

static void sysbench(struct bench *b, const char *command, unsigned threads, unsigned seconds)
{
    struct proc_args args = {0};
    proc_args_add(&args, "sysbench");
    proc_args_add(&args, "oltp_insert");
    proc_args_add(&args, "--db-driver=mysql");
    proc_args_add(&args, "--mysql-host=127.0.0.1");
    proc_args_add(&args, "--mysql-port=%u", b->primary->port);
    proc_args_add(&args, "--mysql-user=root");
    proc_args_add(&args, "--mysql-db=t");
    proc_args_add(&args, "--tables=1");
    proc_args_add(&args, "--table-size=1");
    proc_args_add(&args, "--threads=%u", threads);
    proc_args_add(&args, "--time=%u", seconds);
    proc_args_add(&args, "--percentile=50");
    proc_args_add(&args, "%s", command);
    int status = proc_run(args.v, NULL, b->out);
    if (status != 0) {
        char *text = proc_read_file(b->out, NULL);
        proc_die("sysbench %s ended with %d:\n%s", command, status, text ? text : "");
    }
    proc_args_fini(&args);
}

/* What stands behind the first `mark` after `name` in sysbench's output. */
static double printed(const struct bench *b, const char *name, char mark)
{
    char *text = proc_read_file(b->out, NULL);
    const char *line = text ? strstr(text, name) : NULL;
    const char *at = line ? strchr(line, mark) : NULL;
    if (!at)
        proc_die("sysbench did not print \"%s\":\n%s", name, text ? text : "");
    double v = strtod(at + 1, NULL);
    free(text);
    return v;
}

static void run_one(struct bench *b, enum who who, size_t i)
{
    start_who(b, who);
    int64_t unsafe = who == NOBODY ? 0 : sql_semi_status(b->root, "no_tx");
    sysbench(b, "run", b->threads[i], b->seconds);
    bench_add(&b->tps[i][who], printed(b, "transactions:", '('));
    bench_add(&b->ms[i][who], printed(b, "50th percentile:", ':'));
    if (who != NOBODY && sql_semi_status(b->root, "no_tx") != unsafe)
        b->unprotected[i][who] = true;
    stop_who(b, who);
}

/* ------------------------------------------------------------------ set up, print ------------------------------------------------ */

static void start_servers(struct bench *b)
{
    bool mysql = b->flavor == SERVER_MYSQL;
    char *mysql_args[] = {"--plugin-load-add=semisync_replica.so", "--rpl-semi-sync-replica-enabled=1",
                          "--relay-log=relay", NULL};
    char *mariadb_args[] = {"--rpl-semi-sync-slave-enabled=1", "--relay-log=relay", NULL};
    b->primary = server_start(&(struct server_options){.flavor = b->flavor, .semisync = SERVER_SEMISYNC_OFF});
    b->replica = server_start(&(struct server_options){.flavor = b->flavor,
                                                       .semisync = SERVER_SEMISYNC_OFF,
                                                       .server_id = 2,
                                                       .args = mysql ? mysql_args : mariadb_args});
    b->root = server_root(b->primary);
    b->replica_root = server_root(b->replica);
    b->relay_default = sql_value(b->replica_root, "SELECT @@global.sync_relay_log");
    b->acker_log = proc_fmt("%s/ideal_acker.log", b->primary->dir);
    b->out = proc_fmt("%s/sysbench.out", b->primary->dir);
    sql_must(b->root, "CREATE TABLE t.warm (id INT AUTO_INCREMENT PRIMARY KEY)");
    sysbench(b, "prepare", 1, 1);
    sysbench(b, "run", 4, 2);
}

static void stop_servers(struct bench *b)
{
    sql_close(b->root);
    sql_close(b->replica_root);
    server_free(b->replica);
    server_free(b->primary);
    free(b->relay_default);
    free(b->acker_log);
    free(b->out);
}

static void print(const struct bench *b, size_t i)
{
    (void)printf(
        "%s, %u threads: transactions per second [smallest-largest], share of the ideal acknowledger's (quartiles); "
        "median commit in ms, the ideal acknowledger's share of it (quartiles)\n",
        server_flavor_name(b->flavor), b->threads[i]);
    for (size_t w = 0; w < WHOS; w++) {
        struct bench_series share = bench_ratio(&b->tps[i][w], &b->tps[i][IDEAL]);
        struct bench_series quick = bench_ratio(&b->ms[i][IDEAL], &b->ms[i][w]);
        if (b->tps[i][w].n > 0)
            (void)printf("  %-34s %-20s %-18s  %-18s %s%s\n", who_names[w], bench_text(&b->tps[i][w], 0),
                         bench_quartiles(&share, 2), bench_text(&b->ms[i][w], 2), bench_quartiles(&quick, 2),
                         b->unprotected[i][w] ? " !" : "");
    }
    (void)fflush(stdout);
}

/* The ideal acknowledger and logtailerd one after the other, in an order that changes; LT_PAIR=1: only these two. */
static void run_round(struct bench *b, size_t i, unsigned round)
{
    static const enum who order[2][WHOS] = {{IDEAL, LOGTAILER, NOBODY, REPLICA_DURABLE, REPLICA_DEFAULT},
                                            {LOGTAILER, IDEAL, REPLICA_DEFAULT, REPLICA_DURABLE, NOBODY}};
    unsigned n = bench_env("LT_PAIR", 0) ? 2 : WHOS;
    for (unsigned w = 0; w < n; w++)
        run_one(b, order[round % 2][w], i);
}

static void run_flavor(struct bench *b, unsigned rounds)
{
    start_servers(b);
    for (size_t i = 0; i < b->counts; i++) {
        for (unsigned round = 0; round < rounds; round++)
            run_round(b, i, round);
        print(b, i);
    }
    stop_servers(b);
}

static size_t parse_threads(unsigned out[COUNTS_MAX])
{
    const char *text = secure_getenv("LT_THREADS");
    size_t n = 0;
    for (const char *p = text ? text : "1 16 64"; *p && n < COUNTS_MAX;) {
        char *end;
        unsigned long v = strtoul(p, &end, 10);
        if (end == p)
            break;
        out[n++] = (unsigned)v;
        p = end;
    }
    return n;
}

int main(int argc, char **argv)
{
    /* The acknowledger's program stands beside this one. */
    const char *slash = strrchr(argv[0], '/');
    char *acker = proc_fmt("%.*sideal_acker", slash ? (int)(slash - argv[0]) + 1 : 0, argv[0]);
    for (int f = SERVER_MARIADB; f <= SERVER_MYSQL; f++) {
        struct bench b = {.flavor = (enum server_flavor)f, .acker_path = acker, .seconds = bench_env("LT_SECONDS", 4)};
        b.counts = parse_threads(b.threads);
        if (argc > 1 && strcmp(argv[1], server_flavor_name(b.flavor)) != 0)
            continue;
        if (server_is_installed(b.flavor))
            run_flavor(&b, bench_env("LT_ROUNDS", 9));
        else
            (void)printf("%s is not installed\n", server_flavor_name(b.flavor));
    }
    free(acker);
    return 0;
}
