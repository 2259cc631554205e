/*
 * - One SELECT and three SHOWs tell who the source is; MariaDB and MySQL by their version string.
 * - Both spellings of every replica variable are set: user variables never fail, and releases read one or the other.
 * - The semi-sync variables are set only for the acknowledging dump.
 * - Threads are asked for by SHOW PROCESSLIST: information_schema.PROCESSLIST needs a temporary table on disk, and MariaDB 10.11.19 crashes when
 *   another instance with the same tmpdir starts and deletes it.
 * Failures: missing privileges keep their own code, since the cure is a GRANT; everything else is the connection's trouble.
 */
#include "ingest/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/units.h"
#include "binlog/packet.h"

#define DUMP_FLAG_MARIADB_ANNOTATE 0x0002u /* without it Annotate_rows events are left out: holes */
#define POS_32BIT_MAX              UINT32_MAX

static int query_fault(unsigned code, const struct lt_err *err, struct fault *f)
{
    enum fault_code fc = fault_of_server_error(code, err->text);
    return fault_set(f, fc == FAULT_PRIVILEGE || fc == FAULT_PRIVILEGE_OTHER ? fc : FAULT_CONNECT, "%s", err->text);
}

static int run(struct source *s, const char *sql, source_row_fn fn, void *arg, struct fault *f)
{
    struct lt_err err;
    unsigned code = 0;
    if (source_query(s, sql, fn, arg, &code, &err) == 0)
        return LT_OK;
    return query_fault(code, &err, f);
}

struct first_row {
    bool got;
    unsigned columns;
    char value[SOURCE_COLUMNS_MAX][256]; /* long enough for what is asked here */
};

static void keep_first(const struct source_row *row, void *arg)
{
    struct first_row *r = arg;
    if (r->got)
        return;
    r->got = true;
    r->columns = row->columns;
    for (unsigned i = 0; i < row->columns; i++)
        (void)snprintf(r->value[i], sizeof r->value[i], "%s", row->value[i] ? row->value[i] : "");
}

struct semi_sync_rows {
    enum session_semi_sync mode;
    bool old_names;
    struct session_waiting waiting;
    char binlog_engine[32];
};

/* rpl_semi_sync_master_NAME or rpl_semi_sync_source_NAME */
static void semi_sync_row(const struct source_row *row, void *arg)
{
    static const size_t prefix = sizeof "rpl_semi_sync_source_" - 1;
    struct semi_sync_rows *r = arg;
    if (row->columns < 2 || row->value[0] == NULL || row->value[1] == NULL)
        return;
    if (strcmp(row->value[0], "binlog_storage_engine") == 0)
        (void)snprintf(r->binlog_engine, sizeof r->binlog_engine, "%s", row->value[1]);
    if (strncmp(row->value[0], "rpl_semi_sync_", 14) != 0 || strlen(row->value[0]) <= prefix)
        return;
    const char *name = row->value[0] + prefix;
    const char *value = row->value[1];
    r->waiting.known = true;
    r->old_names = strncmp(row->value[0], "rpl_semi_sync_master_", prefix) == 0;
    if (strcmp(name, "enabled") == 0)
        r->mode = source_value_is_on(value) ? SESSION_SEMI_SYNC_ON : SESSION_SEMI_SYNC_OFF;
    else if (strcmp(name, "timeout") == 0)
        r->waiting.timeout_ms = source_value_number(value);
    else if (strcmp(name, "wait_point") == 0)
        r->waiting.after_commit = strcasecmp(value, "AFTER_SYNC") != 0;
    else if (strncmp(name, "wait_no_", 8) == 0)
        r->waiting.wait_no_replica = source_value_is_on(value);
    else if (strncmp(name, "wait_for_", 9) == 0)
        r->waiting.wait_count = source_value_number(value);
}

static int learn_semi_sync(struct source *s, struct semi_sync_rows *ret, struct fault *f)
{
    *ret = (struct semi_sync_rows){.waiting = {.wait_count = 1}};
    return run(s,
               "SHOW GLOBAL VARIABLES WHERE Variable_name IN "
               "('rpl_semi_sync_master_enabled','rpl_semi_sync_source_enabled','rpl_semi_sync_master_timeout',"
               "'rpl_semi_sync_source_timeout','rpl_semi_sync_master_wait_point','rpl_semi_sync_source_wait_point',"
               "'rpl_semi_sync_master_wait_no_slave','rpl_semi_sync_source_wait_no_replica',"
               "'rpl_semi_sync_master_wait_for_slave_count','rpl_semi_sync_source_wait_for_replica_count',"
               "'binlog_storage_engine')",
               semi_sync_row, ret, f);
}

static int learn_mysql(struct source *s, struct session_info *info, struct first_row *r, struct fault *f)
{
    int rc = run(
        s, "SELECT @@global.server_id, @@global.log_bin, UNIX_TIMESTAMP(), @@global.server_uuid, @@global.gtid_mode",
        keep_first, r, f);
    if (rc != 0)
        return rc;
    if (!r->got || r->columns < 5 || strlen(r->value[3]) != GTID_UUID_TEXT_LEN)
        return fault_set(f, FAULT_PROTOCOL, "the source did not say who it is");
    memcpy(info->server_uuid, r->value[3], sizeof info->server_uuid);
    info->gtid_mode_on = strcasecmp(r->value[4], "ON") == 0;
    info->gtid_mode_permissive = !info->gtid_mode_on && strcasecmp(r->value[4], "OFF") != 0;
    (void)snprintf(info->source_id, sizeof info->source_id, "%s", info->server_uuid);
    return LT_OK;
}

static int learn_mariadb(struct source *s, struct session_info *info, struct first_row *r, struct fault *f)
{
    int rc = run(s, "SELECT @@global.server_id, @@global.log_bin, UNIX_TIMESTAMP()", keep_first, r, f);
    if (rc != 0)
        return rc;
    if (!r->got || r->columns < 3)
        return fault_set(f, FAULT_PROTOCOL, "the source did not say who it is");
    (void)snprintf(info->source_id, sizeof info->source_id, "mariadb-%.10s", r->value[0]);
    return LT_OK;
}

/* MySQL before 8.0.26: what may be installed there says "master". */
static bool has_old_plugin(const char *version)
{
    char *end = NULL;
    unsigned long major = strtoul(version, &end, 10);
    unsigned long minor = strtoul(*end == '.' ? end + 1 : end, &end, 10);
    unsigned long patch = strtoul(*end == '.' ? end + 1 : end, &end, 10);
    return major < 8 || (major == 8 && minor == 0 && patch < 26);
}

int session_learn(struct source *s, struct session_info *ret, struct fault *ret_fault)
{
    struct session_info info = {.mariadb = source_is_mariadb(s), .thread_id = source_thread_id(s)};
    struct first_row r = {0};
    struct first_row uptime = {0};
    (void)snprintf(info.version, sizeof info.version, "%s", source_version(s));
    (void)snprintf(info.tls_cipher, sizeof info.tls_cipher, "%s", source_tls_cipher(s));
    int rc = info.mariadb ? learn_mariadb(s, &info, &r, ret_fault) : learn_mysql(s, &info, &r, ret_fault);
    if (rc != 0)
        return rc;
    memcpy(info.own_id, info.source_id, sizeof info.own_id);
    info.server_id = (uint32_t)source_value_number(r.value[0]);
    info.binlog_on = source_value_is_on(r.value[1]);
    uint64_t now_s = source_value_number(r.value[2]);
    /* Whole seconds: half of one is the expected error. */
    info.clock_offset_us = (int64_t)(now_s * 1000000 + 500000) - (int64_t)clock_wall_us();
    info.clock_mono_us = (int64_t)(now_s * 1000000 + 500000) - (int64_t)clock_mono_us();
    rc = run(s, "SHOW GLOBAL STATUS LIKE 'Uptime'", keep_first, &uptime, ret_fault);
    if (rc != 0)
        return rc;
    info.started_s = uptime.got && uptime.columns >= 2 ? now_s - source_value_number(uptime.value[1]) : 0;
    struct semi_sync_rows rows;
    rc = learn_semi_sync(s, &rows, ret_fault);
    if (rc != 0)
        return rc;
    info.semi_sync = rows.mode;
    info.old_names = info.mariadb || rows.old_names || (!rows.waiting.known && has_old_plugin(info.version));
    info.waiting = rows.waiting;
    memcpy(info.binlog_engine, rows.binlog_engine, sizeof info.binlog_engine);
    *ret = info;
    return LT_OK;
}

static void keep_value(const struct source_row *row, void *arg)
{
    uint64_t *n = arg;
    if (row->columns > 1 && row->value[1] != NULL)
        *n = source_value_number(row->value[1]);
}

int session_waiting_commits(struct source *s, uint64_t *ret, struct fault *ret_fault)
{
    *ret = 0;
    return run(s,
               "SHOW GLOBAL STATUS WHERE Variable_name IN "
               "('Rpl_semi_sync_master_wait_sessions','Rpl_semi_sync_source_wait_sessions')",
               keep_value, ret, ret_fault);
}

struct text_value {
    char *text;
};

static void keep_text(const struct source_row *row, void *arg)
{
    struct text_value *t = arg;
    if (t->text == NULL && row->columns > 0 && row->value[0] != NULL)
        t->text = strdup(row->value[0]);
}

static int query_set(struct source *s, const char *sql, enum gtid_kind kind, struct gtid_set *ret, struct fault *f)
{
    struct text_value t = {0};
    int rc = run(s, sql, keep_text, &t, f);
    if (rc == 0 && gtid_set_parse(kind, t.text ? t.text : "", ret) != 0)
        rc = fault_set(f, FAULT_PROTOCOL, "the source's set of GTIDs cannot be read");
    free(t.text);
    return rc;
}

int session_executed(struct source *s, const struct session_info *info, struct gtid_set *ret, struct fault *ret_fault)
{
    if (info->mariadb)
        return query_set(s, "SELECT @@global.gtid_binlog_state", GTID_MARIADB, ret, ret_fault);
    return query_set(s, "SELECT @@global.gtid_executed", GTID_MYSQL, ret, ret_fault);
}

int session_purged(struct source *s, const struct session_info *info, struct gtid_set *ret, struct fault *ret_fault)
{
    if (info->mariadb)
        return query_set(s, "SELECT @@global.gtid_slave_pos", GTID_MARIADB, ret, ret_fault);
    return query_set(s, "SELECT @@global.gtid_purged", GTID_MYSQL, ret, ret_fault);
}

int session_own_domain(struct source *s, uint32_t *ret, struct fault *ret_fault)
{
    struct text_value t = {0};
    uint64_t n = 0;
    int rc = run(s, "SELECT @@global.gtid_domain_id", keep_text, &t, ret_fault);
    if (rc == 0 && (t.text == NULL || units_parse_u64(t.text, UINT32_MAX, &n) < 0))
        rc = fault_set(ret_fault, FAULT_PROTOCOL, "the source's gtid_domain_id cannot be read");
    *ret = (uint32_t)n;
    free(t.text);
    return rc;
}

struct dump_search {
    uint64_t thread_id;
    bool found;
};

bool session_is_dump(const struct source_row *row)
{
    static const char command[] = "Binlog Dump"; /* or "Binlog Dump GTID" */
    return row->columns >= 5 && row->value[4] != NULL && strncmp(row->value[4], command, sizeof command - 1) == 0;
}

static void on_thread(const struct source_row *row, void *arg)
{
    struct dump_search *d = arg;
    if (session_is_dump(row) && row->value[0] != NULL && source_value_number(row->value[0]) == d->thread_id)
        d->found = true;
}

void session_kill_dump(struct source *s, uint64_t thread_id)
{
    char sql[64];
    struct dump_search d = {.thread_id = thread_id};
    struct fault ignored;
    /* Thread numbers are not used twice while a server runs; the check keeps us from anything that is no dump of ours. */
    if (run(s, "SHOW PROCESSLIST", on_thread, &d, &ignored) != 0 || !d.found)
        return;
    (void)snprintf(sql, sizeof sql, "KILL %" PRIu64, thread_id);
    (void)run(s, sql, NULL, NULL, &ignored);
}

int session_prepare(struct source *s, const struct session_dump *d, struct fault *ret_fault)
{
    char *sql = NULL;
    uint64_t period_ns = d->heartbeat_us * 1000;
    bool by_gtid = d->connect_state != NULL;
    int n =
        asprintf(&sql,
                 "SET @master_heartbeat_period=%" PRIu64 ", @source_heartbeat_period=%" PRIu64
                 ", @master_binlog_checksum=@@global.binlog_checksum, @source_binlog_checksum=@@global.binlog_checksum"
                 ", @slave_uuid='%s', @replica_uuid='%s', @mariadb_slave_capability=4%s%s%s%s",
                 period_ns, period_ns, d->uuid, d->uuid,
                 d->semi_sync ? ", @rpl_semi_sync_slave=1, @rpl_semi_sync_replica=1" : "",
                 by_gtid ? ", @slave_gtid_strict_mode=0, @slave_connect_state='" : "", by_gtid ? d->connect_state : "",
                 by_gtid ? "'" : "");
    if (n < 0)
        return fault_set(ret_fault, FAULT_CONNECT, "out of memory");
    int rc = run(s, sql, NULL, NULL, ret_fault);
    free(sql);
    return rc;
}

/* One whole short packet, within timeout_us. */
static int read_reply(struct wire *w, uint8_t *buf, size_t cap, size_t *ret_len, uint64_t timeout_us, struct fault *f)
{
    uint64_t until = clock_mono_us() + timeout_us;
    size_t len = 0;
    for (;;) {
        struct lt_err err;
        size_t n = 0;
        int rc = wire_read(w, buf + len, cap - len, &n, &err);
        if (rc != 0 && rc != LT_EAGAIN)
            return fault_set(f, FAULT_CONNECT, "registering as a replica: %s", err.text);
        if (rc == 0)
            len += n;
        if (len >= PACKET_HEADER_LEN && len >= PACKET_HEADER_LEN + load_u24(buf))
            break;
        uint64_t now = clock_mono_us();
        bool woken;
        if (now >= until || len == cap)
            return fault_set(f, FAULT_CONNECT, "registering as a replica: no answer");
        if (rc == LT_EAGAIN)
            lt_ignore(wire_wait(w, -1, until - now, &woken)); /* the loop looks again in any case */
    }
    *ret_len = len;
    return LT_OK;
}

int session_register(struct wire *w, const struct session_dump *d, uint64_t timeout_us, struct fault *ret_fault)
{
    uint8_t packet[128];
    uint8_t reply[1024];
    size_t len = 0;
    struct lt_err err;
    if (packet_write_register(packet, sizeof packet, d->server_id, "logtailer", d->report_port, &len) != 0)
        return fault_set(ret_fault, FAULT_PROTOCOL, "registering as a replica");
    if (wire_send_whole(w, packet, len, &err) != 0)
        return fault_set(ret_fault, FAULT_CONNECT, "registering as a replica: %s", err.text);
    int rc = read_reply(w, reply, sizeof reply, &len, timeout_us, ret_fault);
    if (rc != 0)
        return rc;
    if (len > PACKET_HEADER_LEN && reply[PACKET_HEADER_LEN] == 0)
        return LT_OK;
    struct packet_first first;
    if (packet_parse_first(reply + PACKET_HEADER_LEN, len - PACKET_HEADER_LEN, true, SEMI_SYNC_HEADER_ABSENT, &first) !=
            0 ||
        first.kind != PACKET_ERR)
        return fault_set(ret_fault, FAULT_PROTOCOL, "registering as a replica: odd answer");
    return fault_set(ret_fault, fault_of_server_error(first.err_code, first.err_text),
                     "registering as a replica: %s (error %u)", first.err_text, first.err_code);
}

int session_dump_packet(const struct session_info *info, const struct session_dump *d, uint8_t *out, size_t cap,
                        size_t *ret_len)
{
    static const uint8_t empty_set[8];
    uint16_t flags = info->mariadb ? DUMP_FLAG_MARIADB_ANNOTATE : 0;
    if (d->pos <= POS_32BIT_MAX)
        return packet_write_dump(out, cap, d->file, d->pos, flags, d->server_id, ret_len);
    if (info->mariadb || !info->gtid_mode_on)
        return LT_ETOOBIG;
    return packet_write_dump_gtid(out, cap, d->file, d->pos, flags, d->server_id, empty_set, sizeof empty_set, ret_len);
}

static void snapshot_row(const struct source_row *row, void *arg)
{
    if (row->columns >= 2 && row->value[1] != NULL)
        (void)snprintf(arg, BINLOG_NAME_MAX + 1, "%s", row->value[1]);
}

int session_current_file(struct source *s, const struct session_info *info, char *ret_file, size_t cap,
                         struct gtid_set *ret_by_gtid, struct fault *ret_fault)
{
    char file[BINLOG_NAME_MAX + 1] = "";
    struct first_row r = {0};
    int rc;
    ret_file[0] = '\0';
    if (info->mariadb) {
        rc = run(s, "SHOW STATUS LIKE 'Binlog_snapshot_file'", snapshot_row, file, ret_fault);
    } else if (info->gtid_mode_on) {
        return session_executed(s, info, ret_by_gtid, ret_fault);
    } else {
        /* Waits while two commits or more wait for an ACK; there is no other way to ask a MySQL without GTIDs. */
        rc = run(s, "SHOW BINARY LOG STATUS", keep_first, &r, ret_fault);
        if (rc != 0 && ret_fault->code == FAULT_CONNECT) /* before 8.2 */
            rc = run(s, "SHOW MASTER STATUS", keep_first, &r, ret_fault);
        (void)snprintf(file, sizeof file, "%.*s", BINLOG_NAME_MAX, r.value[0]);
    }
    if (rc != 0)
        return rc;
    if (!binlog_name_ok(file) || strlen(file) >= cap)
        return fault_set(ret_fault, FAULT_CONNECT,
                         "the source does not tell its current binlog file; set source.start to a file name");
    memcpy(ret_file, file, strlen(file) + 1);
    return LT_OK;
}
