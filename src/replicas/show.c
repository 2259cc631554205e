/*
 * SHOW of what a log knows: its files, its end, variables, who is connected.
 *
 * - Column names are those of the flavour's own servers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replicas/internal.h"

#define LIKE_MAX 256

#define COLUMNS(reply, ...)                                                                                            \
    do {                                                                                                               \
        static const struct reply_column columns_[] = {__VA_ARGS__};                                                   \
        reply_columns(reply, columns_, sizeof columns_ / sizeof columns_[0]);                                          \
    } while (0)

static bool is_mariadb(struct client *s)
{
    bool mariadb;
    bool crc;
    char version[VERSION_MAX];
    (void)replicas_flavor(s->r, &mariadb, &crc, version);
    return mariadb;
}

static void no_memory(struct reply *reply)
{
    reply_err(reply, 1037, "HY001", "Out of memory");
}

/* One line for each file of each lineage: two histories may have files of one name. */
static void binary_logs(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    char size[24];
    (void)c;
    if (store_list(s->r->store, &list, &n) != 0) {
        no_memory(reply);
        return;
    }
    bool mariadb = is_mariadb(s);
    if (mariadb)
        COLUMNS(reply, {"Log_name", REPLY_TEXT}, {"File_size", REPLY_NUMBER});
    else
        COLUMNS(reply, {"Log_name", REPLY_TEXT}, {"File_size", REPLY_NUMBER}, {"Encrypted", REPLY_TEXT});
    for (size_t i = 0; i < n; i++) {
        const char *row[] = {list[i].file, size, "No"};
        (void)snprintf(size, sizeof size, "%llu", (unsigned long long)list[i].bytes);
        reply_row(reply, row, mariadb ? 2 : 3);
    }
    reply_end(reply);
    free(list);
}

static void log_status(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    struct store_view v;
    char pos[24];
    (void)c;
    if (store_view_get(s->r->store, &v) != 0) {
        no_memory(reply);
        return;
    }
    bool mariadb = is_mariadb(s);
    char *set = gtid_set_format(&v.gtid_held);
    const char *row[] = {v.file, pos, "", "", set};
    (void)snprintf(pos, sizeof pos, "%llu", (unsigned long long)v.watermark);
    if (mariadb)
        COLUMNS(reply, {"File", REPLY_TEXT}, {"Position", REPLY_NUMBER}, {"Binlog_Do_DB", REPLY_TEXT},
                {"Binlog_Ignore_DB", REPLY_TEXT});
    else
        COLUMNS(reply, {"File", REPLY_TEXT}, {"Position", REPLY_NUMBER}, {"Binlog_Do_DB", REPLY_TEXT},
                {"Binlog_Ignore_DB", REPLY_TEXT}, {"Executed_Gtid_Set", REPLY_TEXT});
    if (v.file[0] != '\0')
        reply_row(reply, row, mariadb ? 4 : 5);
    reply_end(reply);
    free(set);
    store_view_fini(&v);
}

static void put_variable(void *arg, const char *name, const char *value)
{
    const char *row[] = {name, value};
    reply_row(arg, row, 2);
}

static void variables(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    char like[LIKE_MAX];
    if (c->count > 0)
        token_text(c->token[0], like, sizeof like);
    COLUMNS(reply, {"Variable_name", REPLY_TEXT}, {"Value", REPLY_TEXT});
    variables_each(s->r, c->count > 0 ? like : NULL, put_variable, reply);
    reply_end(reply);
}

static void status(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    char like[LIKE_MAX] = "%";
    char threads[24];
    if (c->count > 0)
        token_text(c->token[0], like, sizeof like);
    (void)snprintf(threads, sizeof threads, "%llu", (unsigned long long)atomic_load(&s->r->connected));
    const char *const rows[][2] = {{"Threads_connected", threads}};
    COLUMNS(reply, {"Variable_name", REPLY_TEXT}, {"Value", REPLY_TEXT});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (like_fits(rows[i][0], like))
            reply_row(reply, rows[i], 2);
    }
    reply_end(reply);
}

static void replica_list(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    char id[12];
    char port[8];
    char source[12];
    bool mariadb = is_mariadb(s);
    (void)c;
    if (mariadb)
        COLUMNS(reply, {"Server_id", REPLY_NUMBER}, {"Host", REPLY_TEXT}, {"Port", REPLY_NUMBER},
                {"Master_id", REPLY_NUMBER});
    else
        COLUMNS(reply, {"Server_Id", REPLY_NUMBER}, {"Host", REPLY_TEXT}, {"Port", REPLY_NUMBER},
                {"Source_Id", REPLY_NUMBER}, {"Replica_UUID", REPLY_TEXT});
    (void)snprintf(source, sizeof source, "%u", s->r->server_id);
    for (struct client *t = TAILQ_FIRST(&s->r->all); t != NULL; t = TAILQ_NEXT(t, link)) {
        if (!t->registered)
            continue;
        const char *uuid = client_uuid(t);
        const char *row[] = {id, t->replica.host, port, source, uuid != NULL ? uuid : ""};
        (void)snprintf(id, sizeof id, "%u", t->replica.server_id);
        (void)snprintf(port, sizeof port, "%u", t->replica.port);
        reply_row(reply, row, mariadb ? 4 : 5);
    }
    reply_end(reply);
}

static void processes(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    char id[12];
    (void)c;
    COLUMNS(reply, {"Id", REPLY_NUMBER}, {"User", REPLY_TEXT}, {"Host", REPLY_TEXT}, {"db", REPLY_TEXT},
            {"Command", REPLY_TEXT}, {"Time", REPLY_NUMBER}, {"State", REPLY_TEXT}, {"Info", REPLY_TEXT});
    for (struct client *t = TAILQ_FIRST(&s->r->all); t != NULL; t = TAILQ_NEXT(t, link)) {
        bool streams = t->state == CLIENT_STREAMING || t->state == CLIENT_LOCATING;
        const char *row[] = {id, t->user, t->address, NULL, streams ? "Binlog Dump" : "Sleep", "0", "", NULL};
        (void)snprintf(id, sizeof id, "%u", t->thread_id);
        reply_row(reply, row, sizeof row / sizeof row[0]);
    }
    reply_end(reply);
}

static void databases(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    (void)s;
    (void)c;
    COLUMNS(reply, {"Database", REPLY_TEXT});
    reply_end(reply);
}

static void warnings(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    (void)s;
    (void)c;
    COLUMNS(reply, {"Level", REPLY_TEXT}, {"Code", REPLY_NUMBER}, {"Message", REPLY_TEXT});
    reply_end(reply);
}

static void upstream(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    (void)c;
    show_upstream(s, is_mariadb(s), false, reply);
}

static void all_upstreams(struct client *s, const struct statement_captures *c, struct reply *reply)
{
    (void)c;
    show_upstream(s, is_mariadb(s), true, reply);
}

static const struct {
    const char *pattern;
    void (*answer)(struct client *s, const struct statement_captures *c, struct reply *reply);
} table[] = {
    {"SHOW BINARY|MASTER LOGS", binary_logs},
    {"SHOW MASTER|BINLOG STATUS", log_status},
    {"SHOW BINARY LOG STATUS", log_status},
    {"SHOW [GLOBAL|SESSION|LOCAL] VARIABLES", variables},
    {"SHOW [GLOBAL|SESSION|LOCAL] VARIABLES LIKE $", variables},
    {"SHOW [GLOBAL|SESSION|LOCAL] VARIABLES WHERE VARIABLE_NAME = $", variables},
    {"SHOW [GLOBAL|SESSION|LOCAL] STATUS", status},
    {"SHOW [GLOBAL|SESSION|LOCAL] STATUS LIKE $", status},
    {"SHOW REPLICAS", replica_list},
    {"SHOW REPLICA|SLAVE STATUS ...", upstream},
    {"SHOW ALL SLAVES|REPLICAS STATUS", all_upstreams},
    {"SHOW SLAVE|REPLICA HOSTS", replica_list},
    {"SHOW [FULL] PROCESSLIST", processes},
    {"SHOW DATABASES|SCHEMAS", databases},
    {"SHOW WARNINGS|ERRORS ...", warnings},
};

bool show_answer(struct client *s, const struct statement *st, struct reply *reply)
{
    struct statement_captures c;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (!statement_fits(st, table[i].pattern, &c))
            continue;
        table[i].answer(s, &c, reply);
        return true;
    }
    return false;
}
