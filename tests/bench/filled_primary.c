#include "filled_primary.h"

#include <stdlib.h>

#include "proc.h"

static void fill(struct filled *b, const struct filled_load *load)
{
    sql_must(b->root, "CREATE TABLE t.big (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)");
    sql_must(b->root, "CREATE TABLE t.small (id INT AUTO_INCREMENT PRIMARY KEY, a INT, v VARCHAR(100))");
    sql_must(b->root, "CREATE PROCEDURE t.fill_small(n INT) BEGIN WHILE n > 0 DO INSERT INTO t.small (a, v) VALUES (n, "
                      "'a row of ordinary length, as an application would write it'); SET n = n - 1; END WHILE; END");
    for (unsigned i = 0; i < load->large_rows; i++)
        sql_must(b->root, "INSERT INTO t.big (v) VALUES (REPEAT('%08x', 131072))", i * 2654435761u);
    if (load->small_txns)
        sql_must(b->root, "CALL t.fill_small(%u)", load->small_txns);
}

static void look_at_binlogs(struct filled *b)
{
    struct sql_rows *rows = sql_rows(b->root, "SHOW BINARY LOGS");
    if (rows->rows == 0)
        proc_die("the primary lists no binlogs");
    b->bytes = 0;
    for (size_t i = 0; i < rows->rows; i++)
        b->bytes += strtod(rows->cells[i * rows->columns + 1], NULL);
    size_t last = (rows->rows - 1) * rows->columns;
    b->first = proc_fmt("%s", rows->cells[0]);
    b->last = proc_fmt("%s", rows->cells[last]);
    b->last_size = strtoull(rows->cells[last + 1], NULL, 10);
    sql_rows_free(rows);
}

void filled_start(struct filled *b, const struct filled_load *load)
{
    /* Quick to fill; what is measured only reads. */
    char *args[] = {"--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0", "--max-allowed-packet=64M", NULL};
    b->primary =
        server_start(&(struct server_options){.flavor = b->flavor, .semisync = SERVER_SEMISYNC_OFF, .args = args});
    b->root = server_root(b->primary);
    fill(b, load);
    look_at_binlogs(b);
}

void filled_stop(struct filled *b)
{
    sql_close(b->root);
    server_free(b->primary);
    free(b->first);
    free(b->last);
}

uint64_t filled_download(const struct filled *b, unsigned port, bool plain, const char *dir)
{
    struct proc_args args = {0};
    char *log = proc_fmt("%s/log", dir);
    if (b->flavor == SERVER_MYSQL)
        server_mysql_program(&args, "bin/mysqlbinlog");
    else
        proc_args_add(&args, "mariadb-binlog");
    proc_args_add(&args, "--no-defaults");
    proc_args_add(&args, "--read-from-remote-server");
    proc_args_add(&args, "--raw");
    proc_args_add(&args, "--to-last-log");
    proc_args_add(&args, "--host=127.0.0.1");
    proc_args_add(&args, "--port=%u", port);
    proc_args_add(&args, "--user=root");
    if (plain && b->flavor == SERVER_MYSQL)
        proc_args_add(&args, "--ssl-mode=DISABLED");
    proc_args_add(&args, "--result-file=%s/", dir);
    proc_args_add(&args, "%s", b->first);
    uint64_t from = proc_now_ms();
    int status = proc_run(args.v, NULL, log);
    uint64_t ms = proc_now_ms() - from;
    if (status != 0) {
        char *text = proc_read_file(log, NULL);
        proc_die("mysqlbinlog ended with %d: %s", status, text ? text : "");
    }
    proc_args_fini(&args);
    free(log);
    return ms;
}
