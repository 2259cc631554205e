#include "listened.h"

/* A line of a users file, copied from the primary's own table. */
static char *users_file(const struct listened *l)
{
    char *text =
        sql_value(l->r.root, flavor == SERVER_MYSQL
                                 ? "SELECT CONCAT('repl:replica:0x', HEX(authentication_string)) FROM mysql.user "
                                   "WHERE user = 'repl' LIMIT 1"
                                 : "SELECT CONCAT('repl:replica:', JSON_VALUE(Priv, '$.authentication_string')) FROM "
                                   "mysql.global_priv WHERE User = 'repl' LIMIT 1");
    char *path = proc_fmt("%s/users", l->folder);
    CU_ASSERT_FATAL(text != NULL);
    proc_write_file(path, text);
    free(text);
    return path;
}

static void write_history(struct sql *root)
{
    sql_must(root, "CREATE DATABASE lab");
    sql_must(root, "CREATE TABLE lab.t (id INT PRIMARY KEY, v LONGBLOB)");
    for (int i = 0; i < 6; i++) {
        sql_must(root, "INSERT INTO lab.t VALUES (%d, REPEAT('x', %d))", i, i * 300);
        if (i % 2 == 1)
            sql_must(root, "FLUSH BINARY LOGS");
    }
    sql_must(root, "INSERT INTO lab.t VALUES (100, REPEAT('large', 600000))");
    sql_must(root, "BEGIN");
    sql_must(root, "INSERT INTO lab.t VALUES (101, 'a')");
    sql_must(root, "UPDATE lab.t SET v = 'b' WHERE id = 101");
    sql_must(root, "COMMIT");
    sql_must(root, "ALTER TABLE lab.t ADD COLUMN w INT");
}

void listened_begin(struct listened *l)
{
    l->folder = proc_tempdir();
    l->port = proc_free_port();
    rig_start_server(&l->r, NULL, false);
    char *users = users_file(l);
    char *settings[] = {proc_fmt("replicas.listen=127.0.0.1:%u", l->port), proc_fmt("replicas.users_file=%s", users),
                        NULL};
    rig_start_daemon(&l->r, settings);
    write_history(l->r.root);
    CU_ASSERT(daemon_wait_caught_up(l->r.dm, l->r.root, RIG_WAIT_MS));
    free(settings[0]);
    free(settings[1]);
    free(users);
}

void listened_end(struct listened *l)
{
    rig_end(&l->r);
    free(l->folder);
}
