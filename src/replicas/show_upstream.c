/*
 * SHOW REPLICA STATUS and its other names: our own source, so that tools that walk a topology see primary, logtailer, replica.
 *
 * - Columns, their order and their fixed texts are those of the flavour's own servers (captured from 9.7.4 and 10.11.19).
 * - What we have no part of is empty, 0 or NULL as on a server that does not use it. Nothing is applied here: received is durable, and the "SQL thread" runs
 *   while the other one does. A lag that nobody knows is NULL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replicas/internal.h"

#define FATAL_ERROR "1593"

enum shown {
    SHOWN_EMPTY,
    SHOWN_APPLIES,
    SHOWN_CIPHER,
    SHOWN_ERRNO,
    SHOWN_ERROR,
    SHOWN_HELD,
    SHOWN_HOST,
    SHOWN_IO,
    SHOWN_IO_POS,
    SHOWN_LOG_FILE,
    SHOWN_NONE_WORD,
    SHOWN_NOTHING,
    SHOWN_NO_WORD,
    SHOWN_ONE,
    SHOWN_OPTIMISTIC,
    SHOWN_PORT,
    SHOWN_POSITION,
    SHOWN_RETRY,
    SHOWN_SECONDS,
    SHOWN_SERVER_ID,
    SHOWN_SLAVE_POS,
    SHOWN_SQL,
    SHOWN_STATE,
    SHOWN_TLS,
    SHOWN_UUID,
    SHOWN_ZERO,
    SHOWN_COUNT,
};

struct column {
    const char *name;
    enum shown shown;
};

static const struct column of_mysql[] = {
    {"Replica_IO_State", SHOWN_STATE},
    {"Source_Host", SHOWN_HOST},
    {"Source_User", SHOWN_EMPTY},
    {"Source_Port", SHOWN_PORT},
    {"Connect_Retry", SHOWN_RETRY},
    {"Source_Log_File", SHOWN_LOG_FILE},
    {"Read_Source_Log_Pos", SHOWN_POSITION},
    {"Relay_Log_File", SHOWN_EMPTY},
    {"Relay_Log_Pos", SHOWN_ZERO},
    {"Relay_Source_Log_File", SHOWN_LOG_FILE},
    {"Replica_IO_Running", SHOWN_IO},
    {"Replica_SQL_Running", SHOWN_SQL},
    {"Replicate_Do_DB", SHOWN_EMPTY},
    {"Replicate_Ignore_DB", SHOWN_EMPTY},
    {"Replicate_Do_Table", SHOWN_EMPTY},
    {"Replicate_Ignore_Table", SHOWN_EMPTY},
    {"Replicate_Wild_Do_Table", SHOWN_EMPTY},
    {"Replicate_Wild_Ignore_Table", SHOWN_EMPTY},
    {"Last_Errno", SHOWN_ZERO},
    {"Last_Error", SHOWN_EMPTY},
    {"Skip_Counter", SHOWN_ZERO},
    {"Exec_Source_Log_Pos", SHOWN_POSITION},
    {"Relay_Log_Space", SHOWN_ZERO},
    {"Until_Condition", SHOWN_NONE_WORD},
    {"Until_Log_File", SHOWN_EMPTY},
    {"Until_Log_Pos", SHOWN_ZERO},
    {"Source_SSL_Allowed", SHOWN_TLS},
    {"Source_SSL_CA_File", SHOWN_EMPTY},
    {"Source_SSL_CA_Path", SHOWN_EMPTY},
    {"Source_SSL_Cert", SHOWN_EMPTY},
    {"Source_SSL_Cipher", SHOWN_CIPHER},
    {"Source_SSL_Key", SHOWN_EMPTY},
    {"Seconds_Behind_Source", SHOWN_SECONDS},
    {"Source_SSL_Verify_Server_Cert", SHOWN_NO_WORD},
    {"Last_IO_Errno", SHOWN_ERRNO},
    {"Last_IO_Error", SHOWN_ERROR},
    {"Last_SQL_Errno", SHOWN_ZERO},
    {"Last_SQL_Error", SHOWN_EMPTY},
    {"Replicate_Ignore_Server_Ids", SHOWN_EMPTY},
    {"Source_Server_Id", SHOWN_SERVER_ID},
    {"Source_UUID", SHOWN_UUID},
    {"Source_Info_File", SHOWN_EMPTY},
    {"SQL_Delay", SHOWN_ZERO},
    {"SQL_Remaining_Delay", SHOWN_NOTHING},
    {"Replica_SQL_Running_State", SHOWN_APPLIES},
    {"Source_Retry_Count", SHOWN_ZERO},
    {"Source_Bind", SHOWN_EMPTY},
    {"Last_IO_Error_Timestamp", SHOWN_EMPTY},
    {"Last_SQL_Error_Timestamp", SHOWN_EMPTY},
    {"Source_SSL_Crl", SHOWN_EMPTY},
    {"Source_SSL_Crlpath", SHOWN_EMPTY},
    {"Retrieved_Gtid_Set", SHOWN_HELD},
    {"Executed_Gtid_Set", SHOWN_HELD},
    {"Auto_Position", SHOWN_ONE},
    {"Replicate_Rewrite_DB", SHOWN_EMPTY},
    {"Channel_Name", SHOWN_EMPTY},
    {"Source_TLS_Version", SHOWN_EMPTY},
    {"Source_public_key_path", SHOWN_EMPTY},
    {"Get_Source_public_key", SHOWN_ZERO},
    {"Network_Namespace", SHOWN_EMPTY},
};

static const struct column of_mariadb[] = {
    {"Slave_IO_State", SHOWN_STATE},
    {"Master_Host", SHOWN_HOST},
    {"Master_User", SHOWN_EMPTY},
    {"Master_Port", SHOWN_PORT},
    {"Connect_Retry", SHOWN_RETRY},
    {"Master_Log_File", SHOWN_LOG_FILE},
    {"Read_Master_Log_Pos", SHOWN_POSITION},
    {"Relay_Log_File", SHOWN_EMPTY},
    {"Relay_Log_Pos", SHOWN_ZERO},
    {"Relay_Master_Log_File", SHOWN_LOG_FILE},
    {"Slave_IO_Running", SHOWN_IO},
    {"Slave_SQL_Running", SHOWN_SQL},
    {"Replicate_Do_DB", SHOWN_EMPTY},
    {"Replicate_Ignore_DB", SHOWN_EMPTY},
    {"Replicate_Do_Table", SHOWN_EMPTY},
    {"Replicate_Ignore_Table", SHOWN_EMPTY},
    {"Replicate_Wild_Do_Table", SHOWN_EMPTY},
    {"Replicate_Wild_Ignore_Table", SHOWN_EMPTY},
    {"Last_Errno", SHOWN_ZERO},
    {"Last_Error", SHOWN_EMPTY},
    {"Skip_Counter", SHOWN_ZERO},
    {"Exec_Master_Log_Pos", SHOWN_POSITION},
    {"Relay_Log_Space", SHOWN_ZERO},
    {"Until_Condition", SHOWN_NONE_WORD},
    {"Until_Log_File", SHOWN_EMPTY},
    {"Until_Log_Pos", SHOWN_ZERO},
    {"Master_SSL_Allowed", SHOWN_TLS},
    {"Master_SSL_CA_File", SHOWN_EMPTY},
    {"Master_SSL_CA_Path", SHOWN_EMPTY},
    {"Master_SSL_Cert", SHOWN_EMPTY},
    {"Master_SSL_Cipher", SHOWN_CIPHER},
    {"Master_SSL_Key", SHOWN_EMPTY},
    {"Seconds_Behind_Master", SHOWN_SECONDS},
    {"Master_SSL_Verify_Server_Cert", SHOWN_NO_WORD},
    {"Last_IO_Errno", SHOWN_ERRNO},
    {"Last_IO_Error", SHOWN_ERROR},
    {"Last_SQL_Errno", SHOWN_ZERO},
    {"Last_SQL_Error", SHOWN_EMPTY},
    {"Replicate_Ignore_Server_Ids", SHOWN_EMPTY},
    {"Master_Server_Id", SHOWN_SERVER_ID},
    {"Master_SSL_Crl", SHOWN_EMPTY},
    {"Master_SSL_Crlpath", SHOWN_EMPTY},
    {"Using_Gtid", SHOWN_SLAVE_POS},
    {"Gtid_IO_Pos", SHOWN_IO_POS},
    {"Replicate_Do_Domain_Ids", SHOWN_EMPTY},
    {"Replicate_Ignore_Domain_Ids", SHOWN_EMPTY},
    {"Parallel_Mode", SHOWN_OPTIMISTIC},
    {"SQL_Delay", SHOWN_ZERO},
    {"SQL_Remaining_Delay", SHOWN_NOTHING},
    {"Slave_SQL_Running_State", SHOWN_APPLIES},
    {"Slave_DDL_Groups", SHOWN_ZERO},
    {"Slave_Non_Transactional_Groups", SHOWN_ZERO},
    {"Slave_Transactional_Groups", SHOWN_ZERO},
    {"Replicate_Rewrite_DB", SHOWN_EMPTY},
};

static const struct column before_all[] = {{"Connection_name", SHOWN_EMPTY}, {"Slave_SQL_State", SHOWN_EMPTY}};
static const struct column after_all[] = {
    {"Retried_transactions", SHOWN_ZERO},   {"Max_relay_log_size", SHOWN_ZERO},
    {"Executed_log_entries", SHOWN_ZERO},   {"Slave_received_heartbeats", SHOWN_ZERO},
    {"Slave_heartbeat_period", SHOWN_ZERO}, {"Gtid_Slave_Pos", SHOWN_IO_POS},
};

#define MYSQL_COUNT   (sizeof of_mysql / sizeof of_mysql[0])
#define MARIADB_COUNT (sizeof of_mariadb / sizeof of_mariadb[0])
#define COLUMNS_MAX   64
_Static_assert(MYSQL_COUNT <= COLUMNS_MAX && MARIADB_COUNT + 8 <= COLUMNS_MAX, "columns");

struct texts {
    char port[12];
    char position[24];
    char seconds[24];
    char server_id[12];
    char *held;
    char *last;
};

static void number(char *buf, size_t cap, uint64_t v)
{
    (void)snprintf(buf, cap, "%llu", (unsigned long long)v);
}

static void fill(const struct replicas_upstream *u, const struct store_view *v, struct texts *t,
                 const char *ret[SHOWN_COUNT])
{
    bool broken = u->error[0] != '\0';
    number(t->port, sizeof t->port, u->port);
    number(t->position, sizeof t->position, v->held.offset);
    number(t->seconds, sizeof t->seconds, u->lag_s);
    number(t->server_id, sizeof t->server_id, u->server_id);
    for (int i = 0; i < SHOWN_COUNT; i++)
        ret[i] = "";
    ret[SHOWN_STATE] = u->connected ? "Waiting for source to send event" : broken ? "" : "Connecting to source";
    ret[SHOWN_HOST] = u->host;
    ret[SHOWN_PORT] = t->port;
    ret[SHOWN_RETRY] = ret[SHOWN_ONE] = "1";
    ret[SHOWN_LOG_FILE] = v->held.file;
    ret[SHOWN_POSITION] = t->position;
    ret[SHOWN_IO] = u->connected ? "Yes" : u->fenced ? "No" : "Connecting";
    ret[SHOWN_SQL] = u->fenced ? "No" : "Yes";
    ret[SHOWN_ZERO] = "0";
    ret[SHOWN_NONE_WORD] = "None";
    ret[SHOWN_TLS] = u->cipher[0] != '\0' ? "Yes" : "No";
    ret[SHOWN_CIPHER] = u->cipher;
    ret[SHOWN_NO_WORD] = "No";
    ret[SHOWN_SECONDS] = u->lag_known ? t->seconds : NULL;
    ret[SHOWN_ERRNO] = broken ? FATAL_ERROR : "0";
    ret[SHOWN_ERROR] = u->error;
    ret[SHOWN_SERVER_ID] = t->server_id;
    ret[SHOWN_UUID] = u->uuid;
    ret[SHOWN_NOTHING] = NULL;
    ret[SHOWN_APPLIES] = "logtailer applies nothing: what it has received is durable";
    ret[SHOWN_HELD] = t->held;
    ret[SHOWN_SLAVE_POS] = "Slave_Pos";
    ret[SHOWN_IO_POS] = t->last;
    ret[SHOWN_OPTIMISTIC] = "optimistic";
}

static bool is_number(enum shown s)
{
    return s == SHOWN_PORT || s == SHOWN_RETRY || s == SHOWN_POSITION || s == SHOWN_ZERO || s == SHOWN_SECONDS ||
           s == SHOWN_ERRNO || s == SHOWN_SERVER_ID || s == SHOWN_NOTHING || s == SHOWN_ONE;
}

struct row {
    struct reply_column columns[COLUMNS_MAX];
    const char *values[COLUMNS_MAX];
    size_t n;
};

static void add(struct row *row, const struct column *table, size_t count, const char *const by_kind[SHOWN_COUNT])
{
    for (size_t i = 0; i < count; i++, row->n++) {
        row->columns[row->n] =
            (struct reply_column){table[i].name, is_number(table[i].shown) ? REPLY_NUMBER : REPLY_TEXT};
        row->values[row->n] = by_kind[table[i].shown];
    }
}

/* MariaDB's SHOW ALL SLAVES STATUS has more, in front and behind. */
static void send_row(struct reply *reply, bool mariadb, bool all, const char *const by_kind[SHOWN_COUNT])
{
    struct row row = {.n = 0};
    if (all)
        add(&row, before_all, sizeof before_all / sizeof before_all[0], by_kind);
    if (mariadb)
        add(&row, of_mariadb, MARIADB_COUNT, by_kind);
    else
        add(&row, of_mysql, MYSQL_COUNT, by_kind);
    if (all)
        add(&row, after_all, sizeof after_all / sizeof after_all[0], by_kind);
    reply_columns(reply, row.columns, row.n);
    reply_row(reply, row.values, row.n);
    reply_end(reply);
}

void show_upstream(struct client *s, bool mariadb, bool all, struct reply *reply)
{
    struct replicas_upstream u;
    struct store_view v;
    struct texts t = {0};
    const char *by_kind[SHOWN_COUNT];
    if (store_view_get(s->r->store, &v) != 0) {
        reply_err(reply, 1037, "HY001", "Out of memory");
        return;
    }
    (void)pthread_mutex_lock(&s->r->lock);
    u = s->r->upstream;
    (void)pthread_mutex_unlock(&s->r->lock);
    t.held = gtid_set_format(&v.gtid_held);
    lt_ignore(variables_get(s->r, "gtid_binlog_pos", &t.last)); /* MySQL has none */
    fill(&u, &v, &t, by_kind);
    send_row(reply, mariadb, mariadb && all, by_kind);
    free(t.held);
    free(t.last);
    store_view_fini(&v);
}

void replicas_set_upstream(struct replicas *r, const struct replicas_upstream *u)
{
    (void)pthread_mutex_lock(&r->lock);
    r->upstream = *u;
    (void)pthread_mutex_unlock(&r->lock);
}
