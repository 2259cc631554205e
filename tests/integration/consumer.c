#include "consumer.h"

#include <unistd.h>

int consumer_shell(const struct rig *r, const char *dir, const char *line)
{
    char *text = proc_fmt("B=%s A=127.0.0.1:%u D=%s F=%s L=%s; cd $D; %s", rig_program("LT_BINLOGTAIL"),
                          r->dm->tail_port, dir, rig_program("LT_FOLLOW"), rig_program("LT_IN_LIBEVENT"), line);
    char *argv[] = {"sh", "-c", text, NULL};
    int status = proc_run(argv, NULL, NULL);
    free(text);
    return status;
}

char *consumer_read(const char *dir, const char *name)
{
    char *path = proc_fmt("%s/%s", dir, name);
    size_t len = 0;
    char *text = proc_read_file(path, &len);
    free(path);
    return text != NULL ? text : proc_fmt("%s", "");
}

size_t consumer_count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

void consumer_history(struct rig *r, unsigned rows)
{
    sql_must(r->root, "CREATE TABLE IF NOT EXISTS t.a (i INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(2000))");
    sql_must(r->root, "CREATE DATABASE IF NOT EXISTS shop");
    sql_must(r->root, "CREATE TABLE IF NOT EXISTS shop.orders (i INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(200))");
    for (unsigned i = 0; i < rows; i++) {
        sql_must(r->root, "INSERT INTO t.a (s) VALUES (REPEAT('x', %u))", 10 + i * 37 % 1900);
        if (i % 5 == 0)
            sql_must(r->root, "INSERT INTO shop.orders (s) VALUES ('order %u')", i);
        if (i % 60 == 59)
            sql_must(r->root, "FLUSH BINARY LOGS");
    }
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, WAIT_MS));
}
