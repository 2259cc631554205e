#include "pair.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>

void pair_start(struct pair *p, unsigned server_id)
{
    static char *mariadb_args[] = {"--log-slave-updates", NULL};
    struct server_options so = {.flavor = flavor, .semisync = SERVER_SEMISYNC_OFF, .server_id = server_id};
    if (flavor == SERVER_MARIADB)
        so.args = mariadb_args;
    p->srv = server_start(&so);
    p->root = server_root(p->srv);
}

void pair_end(struct pair *p)
{
    sql_close(p->root);
    server_free(p->srv);
}

void pair_replicate(struct sql *root, const struct server *from)
{
    if (flavor == SERVER_MYSQL) {
        sql_must(root,
                 "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%u, SOURCE_USER='%s', "
                 "SOURCE_PASSWORD='%s', SOURCE_AUTO_POSITION=1, SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, "
                 "SOURCE_CONNECT_RETRY=1",
                 from->port, SERVER_REPL_USER, SERVER_REPL_PASSWORD);
        sql_must(root, "START REPLICA");
        return;
    }
    sql_must(root,
             "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%u, MASTER_USER='%s', MASTER_PASSWORD='%s', "
             "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
             from->port, SERVER_REPL_USER, SERVER_REPL_PASSWORD);
    sql_must(root, "START SLAVE");
}

void pair_stop_receiving(struct sql *root)
{
    sql_must(root, flavor == SERVER_MYSQL ? "STOP REPLICA IO_THREAD" : "STOP SLAVE IO_THREAD");
}

char *pair_executed(struct sql *root)
{
    char *set = sql_value(root, flavor == SERVER_MYSQL ? "SELECT REPLACE(@@global.gtid_executed, '\n', '')"
                                                       : "SELECT @@global.gtid_binlog_state");
    return set != NULL ? set : proc_fmt("%s", "");
}

bool pair_wait_caught_up(struct sql *root, struct sql *from, unsigned timeout_s)
{
    if (flavor == SERVER_MYSQL) {
        char *set = pair_executed(from);
        bool there = sql_number(root, "SELECT WAIT_FOR_EXECUTED_GTID_SET('%s', %u)", set, timeout_s) == 0;
        free(set);
        return there;
    }
    char *set = sql_value(from, "SELECT @@global.gtid_binlog_pos");
    bool there = sql_number(root, "SELECT MASTER_GTID_WAIT('%s', %u)", set != NULL ? set : "", timeout_s) == 0;
    free(set);
    return there;
}

void pair_promote(struct sql *root)
{
    if (flavor == SERVER_MYSQL) {
        sql_must(root, "STOP REPLICA");
        sql_must(root, "RESET REPLICA ALL");
    } else {
        sql_must(root, "STOP SLAVE");
        sql_must(root, "RESET SLAVE ALL");
    }
    sql_semi_set(root, "timeout", "600000");
    sql_semi_set(root, "enabled", "1");
}

/* ---- feeding ---- */

/* Copies of all files, in order, as arguments. */
static void copy_files(const struct daemon *dm, const char *dir, struct proc_args *tool)
{
    char *address = proc_fmt("127.0.0.1:%u", dm->tail_port);
    char *pattern = proc_fmt("%s/raw/0001-*/*", dir);
    char *out = proc_fmt("%s/raw", dir);
    const char *program = rig_program("LT_BINLOGTAIL");
    char *argv[] = {(char *)program, "--raw", "--out", out, "--from", "earliest", "--until-end", address, NULL};
    glob_t files;
    CU_ASSERT_EQUAL(proc_run(argv, NULL, NULL), 0);
    if (glob(pattern, 0, NULL, &files) != 0)
        proc_die("binlogtail copied no file to %s", out);
    for (size_t i = 0; i < files.gl_pathc; i++)
        proc_args_add(tool, "%s", files.gl_pathv[i]);
    globfree(&files);
    free(out);
    free(pattern);
    free(address);
}

static void add_tool(struct proc_args *args, struct sql *root)
{
    if (flavor == SERVER_MYSQL) {
        server_mysql_program(args, "bin/mysqlbinlog");
        return;
    }
    /* A MariaDB server does not pass over what it has: begin behind it. */
    char *pos = sql_value(root, "SELECT @@global.gtid_binlog_pos");
    proc_args_add(args, "mariadb-binlog");
    if (pos != NULL && pos[0] != '\0')
        proc_args_add(args, "--start-position=%s", pos);
    free(pos);
}

void pair_feed(struct pair *p, const struct daemon *dm)
{
    char *dir = proc_tempdir();
    char *sql_file = proc_fmt("%s/all.sql", dir);
    struct proc_args tool = {0};
    struct proc_args client = {0};
    add_tool(&tool, p->root);
    copy_files(dm, dir, &tool);
    CU_ASSERT_EQUAL(proc_run(tool.v, NULL, sql_file), 0);
    if (flavor == SERVER_MYSQL) {
        server_mysql_program(&client, "bin/mysql");
        proc_args_add(&client, "--no-defaults");
    } else {
        proc_args_add(&client, "mariadb");
        proc_args_add(&client, "--no-defaults");
    }
    proc_args_add(&client, "--user=root");
    proc_args_add(&client, "--socket=%s", p->srv->socket);
    char *said = proc_fmt("%s/said", dir);
    int status = proc_run(client.v, sql_file, said);
    CU_ASSERT_EQUAL(status, 0);
    if (status != 0) {
        char *words = proc_read_file(said, NULL);
        fprintf(stderr, "%s\n", words != NULL ? words : "");
        free(words);
    }
    free(said);
    proc_args_fini(&client);
    proc_args_fini(&tool);
    free(sql_file);
    proc_remove_dir(dir);
    free(dir);
}

/* ---- commands ---- */

json_t *pair_command(const struct daemon *dm, const char *fmt, ...)
{
    char *line = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&line, fmt, ap) < 0)
        proc_die("out of memory");
    va_end(ap);
    json_t *answer = daemon_command_within(dm, line, 60000);
    CU_ASSERT_PTR_NOT_NULL(answer);
    free(line);
    return answer;
}

const char *pair_error(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    return code != NULL ? code : "";
}

const char *pair_text(const json_t *answer, const char *key)
{
    const char *value = json_string_value(json_object_get(answer, key));
    return value != NULL ? value : "";
}

json_t *pair_fence(const struct daemon *dm)
{
    json_t *answer = pair_command(dm, "fence --epoch 1 --mode drop the primary died");
    for (int i = 0; i < 30 && !(json_is_true(json_object_get(answer, "persisted")) &&
                                json_is_true(json_object_get(answer, "final")));
         i++) {
        json_decref(answer);
        answer = pair_command(dm, "fence --epoch 1 --mode drop the primary died");
    }
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "persisted")));
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "final")));
    return answer;
}
