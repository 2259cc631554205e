/* System and status variables of the fake primary: a table of fixed ones, which tests may change, and the ones that follow its state. */
#include "fake_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"

const char *fake_vars_get(const struct fake_vars *vars, const char *name)
{
    for (size_t i = 0; i < vars->count; i++)
        if (strcasecmp(vars->v[i].name, name) == 0)
            return vars->v[i].value;
    return NULL;
}

static struct fake_var *vars_find(const struct fake_vars *vars, const char *name)
{
    for (size_t i = 0; i < vars->count; i++)
        if (strcasecmp(vars->v[i].name, name) == 0)
            return &vars->v[i];
    return NULL;
}

void fake_vars_set(struct fake_vars *vars, const char *name, const char *value)
{
    struct fake_var *v = vars_find(vars, name);
    if (!v) {
        struct fake_var *grown = realloc(vars->v, (vars->count + 1) * sizeof *grown);
        lt_assert(grown);
        vars->v = grown;
        v = &vars->v[vars->count++];
        *v = (struct fake_var){.name = strdup(name)};
    }
    free(v->value);
    v->value = value ? strdup(value) : NULL;
}

void fake_vars_fini(struct fake_vars *vars)
{
    for (size_t i = 0; i < vars->count; i++) {
        free(vars->v[i].name);
        free(vars->v[i].value);
    }
    free(vars->v);
    *vars = (struct fake_vars){0};
}

static void set_semi_sync_vars(struct fake_primary *fp)
{
    bool new_names = fp->plugin == FAKE_PLUGIN_NEW || fp->plugin == FAKE_PLUGIN_97;
    const char *server = new_names ? "source" : "master";
    const char *client = new_names ? "replica" : "slave";
    const struct {
        const char *format;
        const char *value;
    } names[] = {
        {"rpl_semi_sync_%s_enabled", fp->opt.semi_sync_off ? "OFF" : "ON"},
        {"rpl_semi_sync_%s_timeout", "600000"},
        {"rpl_semi_sync_%s_trace_level", "32"},
        {"rpl_semi_sync_%s_wait_point", "AFTER_SYNC"},
        {"rpl_semi_sync_%s_wait_no_%s", "ON"},
        {"rpl_semi_sync_%s_wait_for_%s_count", "1"},
    };
    if (fp->plugin == FAKE_PLUGIN_MISSING)
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[80];
        size_t n = 0;
        unsigned words = 0;
        if (fp->plugin == FAKE_PLUGIN_MARIADB && strstr(names[i].format, "_count"))
            continue;
        for (const char *p = names[i].format; *p; p++) {
            if (*p != '%') {
                name[n++] = *p;
                continue;
            }
            n += (size_t)snprintf(name + n, sizeof name - n, "%s", words++ ? client : server);
            p++;
        }
        name[n] = '\0';
        fake_vars_set(&fp->vars, name, names[i].value);
    }
}

void fake_vars_defaults(struct fake_primary *fp)
{
    static const char *const both[][2] = {
        {"hostname", "fake"},
        {"log_bin", "ON"},
        {"binlog_format", "ROW"},
        {"binlog_row_image", "FULL"},
        {"sync_binlog", "1"},
        {"innodb_flush_log_at_trx_commit", "1"},
        {"read_only", "OFF"},
        {"max_allowed_packet", "67108864"},
        {"time_zone", "SYSTEM"},
        {"max_binlog_size", "1073741824"},
        {"net_write_timeout", "60"},
        {"log_bin_basename", "/var/lib/mysql/binlog"},
        {"sql_mode", ""},
        {"autocommit", "ON"},
        {"lower_case_table_names", "0"},
    };
    static const char *const mysql[][2] = {
        {"gtid_mode", "ON"},
        {"enforce_gtid_consistency", "ON"},
        {"gtid_purged", ""},
        {"super_read_only", "OFF"},
        {"binlog_transaction_compression", "OFF"},
        {"binlog_encryption", "OFF"},
        {"binlog_expire_logs_seconds", "2592000"},
    };
    static const char *const mariadb[][2] = {
        {"gtid_domain_id", "0"},   {"gtid_slave_pos", ""},    {"gtid_strict_mode", "OFF"},
        {"encrypt_binlog", "OFF"}, {"expire_logs_days", "0"}, {"binlog_legacy_event_pos", "OFF"},
    };
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
        fake_vars_set(&fp->vars, both[i][0], both[i][1]);
    if (fake_is_mariadb(fp))
        for (size_t i = 0; i < sizeof mariadb / sizeof mariadb[0]; i++)
            fake_vars_set(&fp->vars, mariadb[i][0], mariadb[i][1]);
    else
        for (size_t i = 0; i < sizeof mysql / sizeof mysql[0]; i++)
            fake_vars_set(&fp->vars, mysql[i][0], mysql[i][1]);
    set_semi_sync_vars(fp);
}

/* What follows the server's state. */
enum moving {
    MOVING_VERSION,
    MOVING_PORT,
    MOVING_SERVER_ID,
    MOVING_UUID,
    MOVING_CHECKSUM,
    MOVING_GTIDS,
    MOVING_UPTIME,
    MOVING_THREADS,
    MOVING_CLIENTS,
    MOVING_SEMI_STATUS,
    MOVING_YES_TX,
    MOVING_ZERO,
    MOVING_ACKS,
    MOVING_END_FILE,
    MOVING_END_POS,
};

struct moving_var {
    const char *name;
    enum moving what;
};

static const struct moving_var variables_both[] = {
    {"version", MOVING_VERSION},
    {"port", MOVING_PORT},
    {"server_id", MOVING_SERVER_ID},
    {"binlog_checksum", MOVING_CHECKSUM},
};
static const struct moving_var variables_mysql[] = {{"server_uuid", MOVING_UUID}, {"gtid_executed", MOVING_GTIDS}};
static const struct moving_var variables_mariadb[] = {
    {"gtid_binlog_pos", MOVING_GTIDS},
    {"gtid_current_pos", MOVING_GTIDS},
    {"gtid_binlog_state", MOVING_GTIDS},
};
static const struct moving_var status_both[] = {{"Uptime", MOVING_UPTIME}, {"Threads_connected", MOVING_THREADS}};
static const struct moving_var status_mariadb[] = {
    {"Binlog_snapshot_file", MOVING_END_FILE},
    {"Binlog_snapshot_position", MOVING_END_POS},
    {"Rpl_semi_sync_master_get_ack", MOVING_ACKS},
    {"Rpl_semi_sync_master_request_ack", MOVING_ACKS},
};
static const struct moving_var status_new[] = {
    {"Rpl_semi_sync_source_clients", MOVING_CLIENTS}, {"Rpl_semi_sync_source_status", MOVING_SEMI_STATUS},
    {"Rpl_semi_sync_source_yes_tx", MOVING_YES_TX},   {"Rpl_semi_sync_source_no_tx", MOVING_ZERO},
    {"Rpl_semi_sync_source_no_times", MOVING_ZERO},   {"Rpl_semi_sync_source_wait_sessions", MOVING_ZERO},
};
static const struct moving_var status_old[] = {
    {"Rpl_semi_sync_master_clients", MOVING_CLIENTS}, {"Rpl_semi_sync_master_status", MOVING_SEMI_STATUS},
    {"Rpl_semi_sync_master_yes_tx", MOVING_YES_TX},   {"Rpl_semi_sync_master_no_tx", MOVING_ZERO},
    {"Rpl_semi_sync_master_no_times", MOVING_ZERO},   {"Rpl_semi_sync_master_wait_sessions", MOVING_ZERO},
};

struct moving_set {
    const struct moving_var *v;
    size_t count;
};

static struct moving_set set_of(const struct moving_var *v, size_t count)
{
    return (struct moving_set){v, count};
}

static size_t moving_sets(const struct fake_primary *fp, bool status, struct moving_set out[3])
{
    size_t n = 0;
#define SET_OF(table) set_of((table), sizeof(table) / sizeof((table)[0]))
    bool mariadb = fake_is_mariadb(fp);
    if (!status) {
        out[n++] = SET_OF(variables_both);
        out[n++] = mariadb ? SET_OF(variables_mariadb) : SET_OF(variables_mysql);
        return n;
    }
    out[n++] = SET_OF(status_both);
    if (mariadb)
        out[n++] = SET_OF(status_mariadb);
    if (fp->plugin == FAKE_PLUGIN_NEW || fp->plugin == FAKE_PLUGIN_97)
        out[n++] = SET_OF(status_new);
    else if (fp->plugin != FAKE_PLUGIN_MISSING)
        out[n++] = SET_OF(status_old);
#undef SET_OF
    return n;
}

static void gtids_text(const struct fake_primary *fp, char *buf, size_t cap)
{
    unsigned long long last = fp->next_seq - 1;
    if (last == 0)
        buf[0] = '\0';
    else if (fake_is_mariadb(fp))
        (void)snprintf(buf, cap, "%u-%u-%llu", fp->gen.domain_id, fp->gen.server_id, last);
    else
        (void)snprintf(buf, cap, "%s:1-%llu", fp->uuid, last);
}

static void moving_value(struct fake_primary *fp, enum moving what, char *buf, size_t cap)
{
    unsigned long long n = 0;
    const struct fake_file *last = fp->file_count ? fp->files[fp->file_count - 1] : NULL;
    switch (what) {
    case MOVING_VERSION:
        (void)snprintf(buf, cap, "%s", strncmp(fp->opt.version, "5.5.5-", 6) ? fp->opt.version : fp->opt.version + 6);
        return;
    case MOVING_UUID:
        (void)snprintf(buf, cap, "%s", fp->uuid);
        return;
    case MOVING_CHECKSUM:
        (void)snprintf(buf, cap, "%s", fp->gen.crc ? "CRC32" : "NONE");
        return;
    case MOVING_GTIDS:
        gtids_text(fp, buf, cap);
        return;
    case MOVING_SEMI_STATUS:
        (void)snprintf(buf, cap, "%s", fp->opt.semi_sync_off ? "OFF" : "ON");
        return;
    case MOVING_END_FILE:
        (void)snprintf(buf, cap, "%s", last ? last->name : "");
        return;
    case MOVING_END_POS:
        n = last ? fake_file_end(last) : 0;
        break;
    case MOVING_PORT:
        n = fp->port;
        break;
    case MOVING_SERVER_ID:
        n = fp->server_id;
        break;
    case MOVING_UPTIME:
        n = 1000 + (clock_mono_us() - fp->started_us) / 1000000;
        break;
    case MOVING_THREADS:
        n = fp->counters.connections;
        break;
    case MOVING_CLIENTS:
        n = fp->counters.live_semi_sync;
        break;
    case MOVING_YES_TX:
    case MOVING_ACKS:
        n = fp->counters.acks;
        break;
    case MOVING_ZERO:
        break;
    }
    (void)snprintf(buf, cap, "%llu", n);
}

static const struct moving_var *find_moving(const struct fake_primary *fp, bool status, const char *name)
{
    struct moving_set sets[3];
    size_t n = moving_sets(fp, status, sets);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sets[i].count; k++)
            if (strcasecmp(sets[i].v[k].name, name) == 0)
                return &sets[i].v[k];
    return NULL;
}

bool fake_system_var(struct fake_primary *fp, const char *name, char *buf, size_t cap)
{
    const struct fake_var *fixed = vars_find(&fp->vars, name);
    const struct moving_var *moving = find_moving(fp, false, name);
    if (fixed && !fixed->value)
        return false;
    if (fixed)
        (void)snprintf(buf, cap, "%s", fixed->value);
    else if (moving)
        moving_value(fp, moving->what, buf, cap);
    return fixed || moving;
}

void fake_each_var(struct fake_primary *fp, bool status, fake_var_fn fn, void *arg)
{
    const struct fake_vars *fixed = status ? &fp->status : &fp->vars;
    struct moving_set sets[3];
    size_t n = moving_sets(fp, status, sets);
    char buf[512];
    for (size_t i = 0; i < fixed->count; i++)
        if (fixed->v[i].value)
            fn(fixed->v[i].name, fixed->v[i].value, arg);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sets[i].count; k++) {
            if (vars_find(fixed, sets[i].v[k].name))
                continue;
            moving_value(fp, sets[i].v[k].what, buf, sizeof buf);
            fn(sets[i].v[k].name, buf, arg);
        }
    }
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* SQL's LIKE, any case. A mismatch goes back to the last '%' and lets it take one character more. */
bool fake_like(const char *text, const char *pattern)
{
    const char *star = NULL;
    const char *from = NULL;
    while (*text) {
        bool escaped = pattern[0] == '\\' && pattern[1];
        if (*pattern == '%') {
            star = ++pattern;
            from = text;
        } else if ((*pattern == '_' && !escaped) || same_letter(pattern[escaped], *text)) {
            pattern += 1 + escaped;
            text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '%')
        pattern++;
    return *pattern == '\0';
}
