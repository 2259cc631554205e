/*
 * Every round: semi-sync status, the binlog's end; clock and executed GTIDs in one statement. Every fifth, and when semi-sync went
 * on or off: variables. Every tenth, and when an acknowledger came or went: dump threads and registered replicas, because a server walks all
 * its threads for them.
 * None of these waits for commits that wait for an ACK (tests/integration/test_watch.c asks them all beside four of them).
 */
#include "ops/watch/monitor_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/session.h"

#define VARIABLES_EVERY 5u
#define THREADS_EVERY   10u
#define UTC_NOW_US      "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"

/* Error numbers of the client library: the connection is gone, or did not answer in time. */
static bool is_lost(unsigned code)
{
    return code == 0 || (code >= 2000 && code < 3000);
}

int monitor_query(struct source *s, const char *sql, source_row_fn fn, void *arg, bool *ret_refused, struct lt_err *err)
{
    unsigned code = 0;
    *ret_refused = false;
    int rc = source_query(s, sql, fn, arg, &code, err);
    if (rc == 0)
        return LT_OK;
    if (is_lost(code))
        return rc;
    *ret_refused = true;
    return LT_OK;
}

static void copy_text(char *to, size_t cap, const char *from)
{
    (void)snprintf(to, cap, "%s", from);
}

/* -------------------------------------------------- clock and GTIDs -------------------------------------------------- */

struct now_row {
    struct monitor_view *v;
    int64_t server_us;
    int rc;
};

static void on_now(const struct source_row *row, void *arg)
{
    struct now_row *n = arg;
    if (row->columns < 2 || row->value[0] == NULL)
        return;
    n->server_us = (int64_t)strtoll(row->value[0], NULL, 10);
    enum gtid_kind kind = n->v->mariadb ? GTID_MARIADB : GTID_MYSQL;
    n->rc = row->value[1] != NULL ? gtid_set_parse(kind, row->value[1], &n->v->gtids) : LT_EPROTO;
    /* A MySQL that never used GTIDs shows an empty set, which says nothing about its transactions. */
    n->v->have_gtids = n->rc == 0 && (n->v->mariadb || strcasecmp(n->v->gtid_mode, "ON") == 0);
}

static int ask_now(struct source *s, struct monitor_view *v, struct lt_err *err)
{
    bool refused;
    struct now_row n = {.v = v};
    /* Never through a local time: that has an hour twice a year that it counts twice. */
    const char *sql = v->mariadb ? "SELECT " UTC_NOW_US ", @@global.gtid_binlog_state"
                                 : "SELECT " UTC_NOW_US ", @@global.gtid_executed";
    uint64_t before_us = clock_wall_us();
    int rc = monitor_query(s, sql, on_now, &n, &refused, err);
    uint64_t after_us = clock_wall_us();
    if (rc == 0 && n.server_us != 0) {
        v->server_us = n.server_us;
        v->server_at_us = clock_mono_us();
    }
    if (rc == 0 && n.server_us != 0)
        v->clock_offset_us = n.server_us - (int64_t)(before_us + (after_us - before_us) / 2);
    if (rc == 0 && refused)
        v->have_gtids = false;
    return rc;
}

/* -------------------------------------------------- status and variables -------------------------------------------------- */

/* The part of a name behind rpl_semi_sync_source_ or rpl_semi_sync_master_; NULL for other names. */
static const char *semi_sync_name(const char *name)
{
    static const char *const prefixes[] = {"rpl_semi_sync_source_", "rpl_semi_sync_master_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncasecmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return name + strlen(prefixes[i]);
    }
    return NULL;
}

static void on_semi_sync_status(const struct source_row *row, void *arg)
{
    struct monitor_semi_sync *ss = arg;
    const struct {
        const char *name;
        uint64_t *place;
    } counters[] = {
        {"clients", &ss->clients},  {"wait_sessions", &ss->wait_sessions}, {"yes_tx", &ss->yes_tx},
        {"no_tx", &ss->no_tx},      {"no_times", &ss->no_times},           {"tx_waits", &ss->tx_waits},
        {"get_ack", &ss->acks_got},
    };
    if (row->columns < 2 || row->value[0] == NULL || row->value[1] == NULL)
        return;
    const char *name = semi_sync_name(row->value[0]);
    if (name == NULL)
        return;
    ss->supported = true;
    ss->old_names = strncasecmp(row->value[0], "rpl_semi_sync_master_", 21) == 0;
    if (strcasecmp(name, "status") == 0)
        ss->active = source_value_is_on(row->value[1]);
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        if (strcasecmp(name, counters[i].name) == 0)
            *counters[i].place = source_value_number(row->value[1]);
    }
}

static void on_snapshot(const struct source_row *row, void *arg)
{
    struct monitor_view *v = arg;
    if (row->columns < 2 || row->value[0] == NULL || row->value[1] == NULL)
        return;
    if (strcasecmp(row->value[0], "Binlog_snapshot_file") == 0)
        copy_text(v->file, sizeof v->file, row->value[1]);
    else if (strcasecmp(row->value[0], "Binlog_snapshot_position") == 0)
        v->offset = source_value_number(row->value[1]);
}

static void semi_sync_variable(struct monitor_semi_sync *ss, const char *name, const char *value)
{
    if (strcasecmp(name, "enabled") == 0)
        ss->enabled = source_value_is_on(value);
    else if (strcasecmp(name, "wait_point") == 0)
        ss->wait_point = strcasecmp(value, "AFTER_SYNC") == 0 ? MONITOR_WAIT_AFTER_SYNC : MONITOR_WAIT_AFTER_COMMIT;
    else if (strcasecmp(name, "timeout") == 0)
        ss->timeout_ms = source_value_number(value);
    else if (strcasecmp(name, "wait_no_slave") == 0 || strcasecmp(name, "wait_no_replica") == 0)
        ss->wait_no_replica = source_value_is_on(value);
    else if (strcasecmp(name, "wait_for_slave_count") == 0 || strcasecmp(name, "wait_for_replica_count") == 0)
        ss->wait_count = source_value_number(value);
}

static void on_variable(const struct source_row *row, void *arg)
{
    struct monitor_view *v = arg;
    const struct {
        const char *name;
        char *place;
        size_t cap;
    } texts[] = {
        {"sync_binlog", v->sync_binlog, sizeof v->sync_binlog},
        {"innodb_flush_log_at_trx_commit", v->flush_log, sizeof v->flush_log},
        {"binlog_checksum", v->checksum, sizeof v->checksum},
        {"gtid_mode", v->gtid_mode, sizeof v->gtid_mode},
        {"hostname", v->host_name, sizeof v->host_name},
        {"binlog_storage_engine", v->binlog_engine, sizeof v->binlog_engine},
    };
    if (row->columns < 2 || row->value[0] == NULL || row->value[1] == NULL)
        return;
    const char *name = row->value[0];
    const char *value = row->value[1];
    const char *semi_sync = semi_sync_name(name);
    if (semi_sync != NULL)
        semi_sync_variable(&v->semi_sync, semi_sync, value);
    else if (strcasecmp(name, "log_bin") == 0)
        v->log_bin = source_value_is_on(value);
    else if (strcasecmp(name, "read_only") == 0 || strcasecmp(name, "super_read_only") == 0)
        v->read_only = v->read_only || (strcasecmp(value, "OFF") != 0 && strcmp(value, "0") != 0);
    else if (strcasecmp(name, "gtid_strict_mode") == 0)
        v->gtid_strict = source_value_is_on(value);
    else if (strcasecmp(name, "binlog_encryption") == 0)
        v->binlog_encrypted = source_value_is_on(value);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcasecmp(name, texts[i].name) == 0)
            copy_text(texts[i].place, texts[i].cap, value);
    }
}

static int ask_variables(struct source *s, struct monitor_view *v, struct lt_err *err)
{
    static const char sql[] =
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('rpl_semi_sync_source_enabled','rpl_semi_sync_master_enabled',"
        "'rpl_semi_sync_source_wait_point','rpl_semi_sync_master_wait_point','rpl_semi_sync_source_timeout',"
        "'rpl_semi_sync_master_timeout','rpl_semi_sync_source_wait_no_replica','rpl_semi_sync_master_wait_no_slave',"
        "'rpl_semi_sync_source_wait_for_replica_count','rpl_semi_sync_master_wait_for_slave_count','log_bin','read_"
        "only',"
        "'super_read_only','sync_binlog','innodb_flush_log_at_trx_commit','binlog_checksum','gtid_mode',"
        "'gtid_strict_mode','hostname','binlog_encryption','binlog_storage_engine')";
    bool refused;
    v->read_only = false;
    v->semi_sync.wait_count = 1; /* MariaDB has no such variable */
    int rc = monitor_query(s, sql, on_variable, v, &refused, err);
    v->have_variables = rc == 0 && !refused;
    return rc;
}

static int ask_status(struct source *s, struct monitor_view *v, struct lt_err *err)
{
    bool refused;
    struct monitor_semi_sync ss = v->semi_sync;
    ss.supported = false;
    int rc = monitor_query(s, "SHOW STATUS LIKE 'Rpl_semi_sync%'", on_semi_sync_status, &ss, &refused, err);
    if (rc == 0) /* no answer is not the answer that there is none */
        v->semi_sync = ss;
    if (rc != 0 || !v->mariadb)
        return rc;
    v->file[0] = '\0';
    rc = monitor_query(s, "SHOW STATUS LIKE 'Binlog_snapshot%'", on_snapshot, v, &refused, err);
    v->have_position = rc == 0 && binlog_name_ok(v->file);
    return rc;
}

/* -------------------------------------------------- who else streams -------------------------------------------------- */

struct threads_rows {
    struct monitor_view *v;
    const char *user;
};

/* n: of those before it. */
static void list_thread(struct monitor_dump_thread *list, unsigned n, const struct source_row *row)
{
    if (n >= MONITOR_LISTED_MAX)
        return;
    copy_text(list[n].user, sizeof list[n].user, row->value[1]);
    copy_text(list[n].host, sizeof list[n].host, row->value[2] != NULL ? row->value[2] : "");
}

static void on_thread(const struct source_row *row, void *arg)
{
    struct threads_rows *t = arg;
    struct monitor_view *v = t->v;
    const char *user = row->value[1];
    if (!session_is_dump(row) || user == NULL)
        return;
    if (strcmp(user, t->user) == 0) {
        list_thread(v->own, v->own_dumps++, row);
        return;
    }
    list_thread(v->others, v->other_dumps++, row);
}

/* MySQL: Server_Id, Host, Port, Source_Id, Replica_UUID. MariaDB: Server_id, Host, Port, Master_id. */
static void on_replica(const struct source_row *row, void *arg)
{
    struct monitor_view *v = arg;
    unsigned max = sizeof v->replica_ids / sizeof v->replica_ids[0];
    if (row->columns < 2 || row->value[0] == NULL)
        return;
    if (row->value[1] != NULL && strcmp(row->value[1], "logtailer") == 0)
        v->logtailers++;
    if (v->replicas == max)
        return;
    v->replica_ids[v->replicas] = (uint32_t)source_value_number(row->value[0]);
    const char *uuid = row->columns >= 5 && row->value[4] != NULL ? row->value[4] : "";
    copy_text(v->replica_uuids[v->replicas], sizeof v->replica_uuids[0], uuid);
    v->replicas++;
}

static int ask_threads(struct source *s, const char *user, struct monitor_view *v, struct lt_err *err)
{
    struct threads_rows t = {.v = v, .user = user};
    bool refused;
    v->own_dumps = 0;
    v->other_dumps = 0;
    /* Not information_schema.PROCESSLIST: see session.c. */
    int rc = monitor_query(s, "SHOW PROCESSLIST", on_thread, &t, &refused, err);
    v->have_dumps = rc == 0 && !refused;
    if (rc != 0)
        return rc;
    v->replicas = 0;
    v->logtailers = 0;
    rc = monitor_query(s, v->mariadb ? "SHOW SLAVE HOSTS" : "SHOW REPLICAS", on_replica, v, &refused, err);
    if (rc == 0 && refused && !v->mariadb) /* before 8.0.22 */
        rc = monitor_query(s, "SHOW SLAVE HOSTS", on_replica, v, &refused, err);
    v->have_replicas = rc == 0 && !refused;
    v->dump_clients = v->semi_sync.clients;
    v->may_list = refused ? MONITOR_NO : MONITOR_YES;
    return rc;
}

/* -------------------------------------------------- privileges, identity -------------------------------------------------- */

/* The privilege itself, not the beginning of a longer name. */
static bool grants(const char *line, const char *privilege)
{
    size_t len = strlen(privilege);
    for (const char *p = line; (p = strstr(p, privilege)) != NULL; p += len) {
        bool begins = p > line && (p[-1] == ' ' || p[-1] == ',');
        bool ends = p[len] == ',' || strncmp(p + len, " ON ", 4) == 0;
        if (begins && ends)
            return true;
    }
    return false;
}

void monitor_read_grant(const char *line, struct monitor_grants *g)
{
    const char *scope = strstr(line, " ON ");
    if (scope == NULL) {
        g->roles = g->roles || strncmp(line, "GRANT ", 6) == 0;
        return;
    }
    if (strncmp(scope, " ON *.* ", 8) != 0)
        return;
    bool all = grants(line, "ALL PRIVILEGES");
    g->replication_slave = g->replication_slave || all || grants(line, "REPLICATION SLAVE");
    g->process = g->process || all || grants(line, "PROCESS");
}

/* FNV-1a over what is granted, on what; not over whom to, where a MariaDB shows how the password is stored. */
static void add_to_sum(struct monitor_grants *g, const char *line)
{
    const char *end = strstr(line, " TO ");
    for (const char *p = line; *p != '\0' && p != end; p++)
        g->sum = (g->sum ^ (uint8_t)*p) * 0x100000001b3u;
}

static void on_grant(const struct source_row *row, void *arg)
{
    if (row->columns == 0 || row->value[0] == NULL)
        return;
    monitor_read_grant(row->value[0], arg);
    add_to_sum(arg, row->value[0]);
}

static enum monitor_known known(bool granted, const struct monitor_grants *g)
{
    if (granted)
        return MONITOR_YES;
    return g->roles ? MONITOR_UNKNOWN : MONITOR_NO;
}

static int ask_grants(struct source *s, struct monitor_view *v, struct lt_err *err)
{
    struct monitor_grants g = {0};
    bool refused;
    int rc = monitor_query(s, "SHOW GRANTS", on_grant, &g, &refused, err);
    if (rc != 0)
        return rc;
    v->may_stream = refused ? MONITOR_UNKNOWN : known(g.replication_slave, &g);
    v->sees_all_threads = refused ? MONITOR_UNKNOWN : known(g.process, &g);
    v->grants_sum = g.sum;
    return LT_OK;
}

bool monitor_grants_changed(struct source *s, unsigned round, struct monitor_view *v)
{
    struct lt_err ignored;
    uint64_t before = v->grants_sum;
    /* One that fails shows in the round that follows. */
    return round % THREADS_EVERY == 0 && ask_grants(s, v, &ignored) == 0 && v->grants_sum != before;
}

static void keep_first(const struct source_row *row, void *arg)
{
    char(*cells)[64] = arg;
    for (unsigned i = 0; i < 2 && i < row->columns; i++)
        copy_text(cells[i], sizeof cells[i], row->value[i] ? row->value[i] : "");
}

int monitor_ask_identity(struct source *s, struct monitor_view *v, struct lt_err *err)
{
    char id[2][64] = {"", ""};
    char uptime[2][64] = {"", ""};
    bool refused;
    v->mariadb = source_is_mariadb(s);
    v->have_position = v->have_gtids = v->have_variables = v->have_dumps = v->have_replicas = false;
    v->gtid_mode[0] = v->host_name[0] = '\0';
    v->written.count = 0;
    v->written_due_us = 0;
    copy_text(v->version, sizeof v->version, source_version(s));
    int rc = monitor_query(
        s, v->mariadb ? "SELECT @@global.server_id, ''" : "SELECT @@global.server_id, @@global.server_uuid", keep_first,
        id, &refused, err);
    if (rc == 0)
        rc = monitor_query(s, "SHOW STATUS LIKE 'Uptime'", keep_first, uptime, &refused, err);
    if (rc == 0)
        rc = ask_grants(s, v, err);
    if (rc != 0)
        return rc;
    v->server_id = (uint32_t)source_value_number(id[0]);
    if (v->mariadb)
        (void)snprintf(v->source_id, sizeof v->source_id, "mariadb-%u", v->server_id);
    else
        copy_text(v->source_id, sizeof v->source_id, id[1]);
    v->started_s = clock_wall_us() / 1000000 - source_value_number(uptime[1]);
    return LT_OK;
}

int monitor_ask(struct source *s, unsigned round, const char *user, struct monitor_view *v, struct lt_err *err)
{
    uint64_t clients = v->semi_sync.clients;
    bool active = v->semi_sync.active;
    int rc = ask_status(s, v, err);
    if (rc == 0 && (round % VARIABLES_EVERY == 0 || active != v->semi_sync.active))
        rc = ask_variables(s, v, err);
    if (rc == 0)
        rc = ask_now(s, v, err);
    if (rc == 0 && !v->mariadb)
        rc = monitor_ask_written(s, v, err);
    bool changed = clients != v->semi_sync.clients;
    if (rc == 0 && (round % THREADS_EVERY == 0 || changed || v->clients_changed))
        rc = ask_threads(s, user, v, err);
    v->clients_changed = changed; /* once more in the next round: what came is not always in all lists at once */
    return rc;
}
