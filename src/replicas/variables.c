/*
 * System variables: what of a server's is asked for by replicas, binlog clients and shells, and has an answer here.
 *
 * - A row is a fixed text, or a function of what is stored. Rows of the other flavour are unknown, as they are there.
 * - There is no rpl_semi_sync_source_enabled: of a source that has it, also one that says 0, a replica with the plugin expects packets with a header more.
 * - binlog_format and binlog_row_image say what servers do by default: the log itself does not tell, and events that are otherwise speak for themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "feed/seek.h"
#include "replicas/internal.h"

enum flavor { ANY, MYSQL, MARIADB };

typedef char *(*value_fn)(struct replicas *r);

struct variable {
    const char *name;
    enum flavor flavor;
    const char *text; /* or */
    value_fn fn;
};

static char *copy_number(uint64_t v)
{
    char buf[24];
    (void)snprintf(buf, sizeof buf, "%llu", (unsigned long long)v);
    return strdup(buf);
}

static char *server_id(struct replicas *r)
{
    return copy_number(r->server_id);
}

static char *server_uuid(struct replicas *r)
{
    return strdup(r->server_uuid);
}

static char *port(struct replicas *r)
{
    return copy_number(atomic_load(&r->port));
}

static char *host_name(struct replicas *r)
{
    char buf[256] = "";
    (void)r;
    (void)gethostname(buf, sizeof buf - 1);
    return strdup(buf);
}

static char *version(struct replicas *r)
{
    char buf[VERSION_MAX];
    bool mariadb;
    bool crc;
    (void)replicas_flavor(r, &mariadb, &crc, buf);
    return strdup(buf);
}

static char *checksum(struct replicas *r)
{
    char buf[VERSION_MAX];
    bool mariadb;
    bool crc;
    (void)replicas_flavor(r, &mariadb, &crc, buf);
    return strdup(crc ? "CRC32" : "NONE");
}

static char *held(struct replicas *r)
{
    struct store_view v;
    if (store_view_get(r->store, &v) != 0)
        return NULL;
    char *text = gtid_set_format(&v.gtid_held);
    store_view_fini(&v);
    return text;
}

/* What the oldest file begins with. */
static char *purged(struct replicas *r)
{
    struct store_segment_info oldest;
    struct gtid_set list;
    struct lt_err err;
    gtid_set_init(&list);
    if (store_oldest(r->store, &oldest) == 0)
        lt_ignore(seek_list(&r->files, oldest.lineage, oldest.file, &list, &err)); /* a file without one: nothing */
    char *text = gtid_set_format(&list);
    gtid_set_fini(&list);
    return text;
}

/* MariaDB's position: the last GTID of each domain. */
static char *last_of_domains(struct replicas *r)
{
    struct store_view v;
    if (store_view_get(r->store, &v) != 0)
        return NULL;
    struct gtid_set last = {.kind = v.gtid_held.kind};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < v.gtid_held.state_count; i++) {
        const struct gtid_state *st = &v.gtid_held.states[i];
        struct gtid g = {.kind = GTID_MARIADB, .domain_id = st->domain_id, .server_id = st->server_id, .seq = st->seq};
        if (st->last_in_domain)
            rc = gtid_set_add(&last, &g);
    }
    char *text = rc == 0 ? gtid_set_format(&last) : NULL;
    gtid_set_fini(&last);
    store_view_fini(&v);
    return text;
}

/* As the last transaction says; a log that has none says what the list of a file says. */
static char *gtid_mode(struct replicas *r)
{
    struct store_view v;
    if (store_view_get(r->store, &v) != 0)
        return NULL;
    bool off = v.last_file[0] != '\0' && v.last_gtid.kind == GTID_NONE && gtid_set_is_empty(&v.gtid_held);
    store_view_fini(&v);
    return strdup(off ? "OFF" : "ON");
}

static const struct variable table[] = {
    {"autocommit", ANY, "ON", NULL},
    {"auto_increment_increment", ANY, "1", NULL},
    {"binlog_checksum", ANY, NULL, checksum},
    {"binlog_format", ANY, "ROW", NULL},
    {"binlog_row_image", ANY, "FULL", NULL},
    {"binlog_row_metadata", ANY, "", NULL},
    {"character_set_client", ANY, "utf8mb4", NULL},
    {"character_set_connection", ANY, "utf8mb4", NULL},
    {"character_set_results", ANY, "utf8mb4", NULL},
    {"character_set_server", ANY, "utf8mb4", NULL},
    {"collation_connection", ANY, "utf8mb4_general_ci", NULL},
    {"collation_server", ANY, "utf8mb4_general_ci", NULL},
    {"gtid_binlog_pos", MARIADB, NULL, last_of_domains},
    {"gtid_binlog_state", MARIADB, NULL, held},
    {"gtid_current_pos", MARIADB, NULL, last_of_domains},
    {"gtid_domain_id", MARIADB, "0", NULL},
    {"gtid_executed", MYSQL, NULL, held},
    {"gtid_mode", MYSQL, NULL, gtid_mode},
    {"gtid_purged", MYSQL, NULL, purged},
    {"gtid_slave_pos", MARIADB, "", NULL},
    {"gtid_strict_mode", MARIADB, "OFF", NULL},
    {"hostname", ANY, NULL, host_name},
    {"init_connect", ANY, "", NULL},
    {"interactive_timeout", ANY, "28800", NULL},
    {"license", ANY, "GPL", NULL},
    {"log_bin", ANY, "ON", NULL},
    {"lower_case_table_names", ANY, "0", NULL},
    {"max_allowed_packet", ANY, "1073741824", NULL},
    {"net_write_timeout", ANY, "60", NULL},
    {"performance_schema", ANY, "OFF", NULL},
    {"port", ANY, NULL, port},
    {"read_only", ANY, "ON", NULL},
    {"server_id", ANY, NULL, server_id},
    {"server_uuid", MYSQL, NULL, server_uuid},
    {"session_track_schema", ANY, "OFF", NULL},
    {"sql_mode", ANY, "", NULL},
    {"super_read_only", MYSQL, "ON", NULL},
    {"system_time_zone", ANY, "UTC", NULL},
    {"time_zone", ANY, "SYSTEM", NULL},
    {"transaction_isolation", ANY, "REPEATABLE-READ", NULL},
    {"tx_isolation", MARIADB, "REPEATABLE-READ", NULL},
    {"version", ANY, NULL, version},
    {"version_comment", ANY, "logtailer: a log of another server, without data", NULL},
    {"wait_timeout", ANY, "28800", NULL},
};

#define N_TABLE (sizeof table / sizeof table[0])

static bool is_here(const struct variable *v, bool mariadb)
{
    return v->flavor == ANY || v->flavor == (mariadb ? MARIADB : MYSQL);
}

static bool is_mariadb(struct replicas *r)
{
    char buf[VERSION_MAX];
    bool mariadb;
    bool crc;
    (void)replicas_flavor(r, &mariadb, &crc, buf);
    return mariadb;
}

static char *value_of(struct replicas *r, const struct variable *v)
{
    return v->fn != NULL ? v->fn(r) : strdup(v->text);
}

enum variable_found variables_get(struct replicas *r, const char *name, char **ret)
{
    bool mariadb = is_mariadb(r);
    for (size_t i = 0; i < N_TABLE; i++) {
        if (!is_here(&table[i], mariadb) || strcasecmp(table[i].name, name) != 0)
            continue;
        *ret = value_of(r, &table[i]);
        return *ret != NULL ? VARIABLE_VALUE : VARIABLE_FAILED;
    }
    return VARIABLE_UNKNOWN;
}

void variables_each(struct replicas *r, const char *like, void (*fn)(void *arg, const char *name, const char *value),
                    void *arg)
{
    bool mariadb = is_mariadb(r);
    for (size_t i = 0; i < N_TABLE; i++) {
        if (!is_here(&table[i], mariadb) || (like != NULL && !like_fits(table[i].name, like)))
            continue;
        char *value = value_of(r, &table[i]);
        if (value != NULL)
            fn(arg, table[i].name, value);
        free(value);
    }
}

/* Of a session: nothing that we do depends on them. */
bool variables_may_set(const char *name)
{
    static const char *const names[] = {"autocommit",
                                        "auto_increment_increment",
                                        "character_set_client",
                                        "character_set_connection",
                                        "character_set_results",
                                        "collation_connection",
                                        "foreign_key_checks",
                                        "group_concat_max_len",
                                        "interactive_timeout",
                                        "lock_wait_timeout",
                                        "max_execution_time",
                                        "max_statement_time",
                                        "net_read_timeout",
                                        "net_write_timeout",
                                        "session_track_gtids",
                                        "session_track_schema",
                                        "sql_auto_is_null",
                                        "sql_log_bin",
                                        "sql_mode",
                                        "sql_quote_show_create",
                                        "sql_safe_updates",
                                        "sql_select_limit",
                                        "time_zone",
                                        "transaction_isolation",
                                        "tx_isolation",
                                        "unique_checks",
                                        "wait_timeout",
                                        NULL};
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcasecmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static int folded(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch;
}

/* Without recursion: the last % is where it goes on when something does not fit. */
bool like_fits(const char *text, const char *pattern)
{
    const char *again_text = NULL;
    const char *again = NULL;
    while (*text != '\0') {
        size_t escaped = pattern[0] == '\\' && pattern[1] != '\0' ? 1 : 0;
        if (*pattern == '%') {
            again = ++pattern;
            again_text = text;
        } else if (*pattern != '\0' &&
                   ((*pattern == '_' && escaped == 0) || folded(pattern[escaped]) == folded(*text))) {
            pattern += 1 + escaped;
            text++;
        } else if (again != NULL) {
            pattern = again;
            text = ++again_text;
        } else {
            return false;
        }
    }
    pattern += strspn(pattern, "%");
    return *pattern == '\0';
}
