/*
 * The listener that speaks MySQL's own protocol, beside the primary it has its log from: the same files for the servers' own tools, the same data in a real
 * replica. The same packets: test_same.c.
 */
#include <stdio.h>

#include "listened.h"
#include "pair.h"

static struct listened l;

/* ---- the servers' own tools ---- */

struct tool {
    const char *name;
    const char *by;   /* "server" or "source=HOW" */
    const char *more; /* may be NULL */
    bool text;        /* else the files as they are */
};

static void run_tool(bool ours, const char *dir, const char *first, const struct tool *t)
{
    struct proc_args args = {0};
    char *said = proc_fmt("%s.log", dir);
    char *make = proc_fmt("%s", dir);
    char *mkdir_args[] = {"mkdir", "-p", make, NULL};
    CU_ASSERT_EQUAL(proc_run(mkdir_args, NULL, NULL), 0);
    if (flavor == SERVER_MYSQL)
        server_mysql_program(&args, "bin/mysqlbinlog");
    else
        proc_args_add(&args, "mariadb-binlog");
    proc_args_add(&args, "--no-defaults");
    proc_args_add(&args, "--read-from-remote-%s", t->by);
    proc_args_add(&args, "--host=127.0.0.1");
    proc_args_add(&args, "--port=%u", ours ? l.port : l.r.srv->port);
    proc_args_add(&args, "--user=%s", SERVER_REPL_USER);
    proc_args_add(&args, "--password=%s", SERVER_REPL_PASSWORD);
    if (flavor == SERVER_MYSQL) {
        proc_args_add(&args, "--ssl-mode=DISABLED");
        proc_args_add(&args, "--get-server-public-key");
    }
    if (t->more != NULL)
        proc_args_add(&args, "%s", t->more);
    if (!t->text)
        proc_args_add(&args, "--raw");
    proc_args_add(&args, "--to-last-log");
    proc_args_add(&args, "--result-file=%s/%s", dir, t->text ? "text" : "");
    proc_args_add(&args, "%s", first);
    int status = proc_run(args.v, NULL, said);
    if (status != 0)
        proc_show_log(said);
    CU_ASSERT_EQUAL(status, 0);
    proc_args_fini(&args);
    free(make);
    free(said);
}

/* But for made-up Rotates and lists, where the texts name the server that made them up. */
static void compare_tools(const char *first, const struct tool *t)
{
    char *a = proc_fmt("%s/%s-primary", l.folder, t->name);
    char *b = proc_fmt("%s/%s-ours", l.folder, t->name);
    char *diff = proc_fmt("%s/%s-diff", l.folder, t->name);
    run_tool(false, a, first, t);
    run_tool(true, b, first, t);
    char *argv[] = {"diff", "-r", "-I", "Rotate to", "-I", "Gtid list", a, b, NULL};
    int status = proc_run(argv, NULL, diff);
    if (status != 0)
        proc_show_log(diff);
    CU_ASSERT_EQUAL(status, 0);
    free(diff);
    free(a);
    free(b);
}

static void test_tools(void)
{
    listened_begin(&l);
    char *first = sql_value(l.r.root, "SHOW BINARY LOGS");
    compare_tools(first, &(struct tool){.name = "raw", .by = "server"});
    compare_tools(first, &(struct tool){.name = "text", .by = "server", .more = "--verbose", .text = true});
    if (flavor == SERVER_MYSQL) {
        char *uuid = sql_value(l.r.root, "SELECT @@server_uuid");
        char *exclude = proc_fmt("--exclude-gtids=%s:2-4", uuid);
        const char *by = "source=BINLOG-DUMP-GTIDS";
        compare_tools(first, &(struct tool){.name = "gtids", .by = by});
        compare_tools(first, &(struct tool){.name = "left-out", .by = by, .more = exclude});
        compare_tools(first, &(struct tool){.name = "left-out-text", .by = by, .more = exclude, .text = true});
        free(exclude);
        free(uuid);
    } else {
        compare_tools(first,
                      &(struct tool){.name = "gtids", .by = "server", .more = "--start-position=0-1-3", .text = true});
    }
    free(first);
    listened_end(&l);
}

/* ---- a replica ---- */

static int64_t checksum(struct sql *root)
{
    struct sql_rows *rows = sql_rows(root, "CHECKSUM TABLE lab.t");
    CU_ASSERT_FATAL(rows != NULL && rows->rows == 1 && rows->cells[1] != NULL);
    int64_t sum = strtoll(rows->cells[1], NULL, 10);
    sql_rows_free(rows);
    return sum;
}

/* It has all that the primary has, and goes on after a stop. */
static void test_replica(void)
{
    struct pair p;
    listened_begin(&l);
    pair_start(&p, 20);
    struct server us = *l.r.srv;
    us.port = l.port;
    pair_replicate(p.root, &us);
    CU_ASSERT(pair_wait_caught_up(p.root, l.r.root, RIG_WAIT_MS / 1000));
    CU_ASSERT_EQUAL(checksum(p.root), checksum(l.r.root));
    for (int i = 0; i < 5; i++)
        sql_must(l.r.root, "INSERT INTO lab.t (id, v) VALUES (%d, 'more')", 200 + i);
    CU_ASSERT(pair_wait_caught_up(p.root, l.r.root, RIG_WAIT_MS / 1000));
    pair_stop_receiving(p.root);
    sql_must(l.r.root, "FLUSH BINARY LOGS");
    sql_must(l.r.root, "DELETE FROM lab.t WHERE id = 203");
    sql_must(p.root, flavor == SERVER_MYSQL ? "START REPLICA IO_THREAD" : "START SLAVE IO_THREAD");
    CU_ASSERT(pair_wait_caught_up(p.root, l.r.root, RIG_WAIT_MS / 1000));
    CU_ASSERT_EQUAL(checksum(p.root), checksum(l.r.root));
    pair_end(&p);
    listened_end(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"the tools' files and texts", test_tools},
        {"a replica has the primary's data", test_replica},
    };
    return rig_main(argc, argv, "replicas", cases, sizeof cases / sizeof cases[0]);
}
