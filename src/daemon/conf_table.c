#include "daemon/conf_table.h"

#include <stdio.h>
#include <string.h>

#define MS 1000ULL
#define S  (1000 * MS)
#define H  (3600 * S)
#define D  (24 * H)

#define PATH_LIMIT   4095
#define SOCKET_LIMIT 107 /* sun_path with its terminator is 108 */

/* The order of enum conf_ssl_mode, conf_anonymous, log_level and log_format. */
static const char *const ssl_modes[] = {"DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY", NULL};
static const char *const anonymous[] = {"auto", "no", "loopback", "yes", NULL};
static const char *const log_levels[] = {"error", "warn", "notice", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

/* A member path cannot stand in parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define ROW(section_, key_, member_, type_, fallback_, min_, max_, flags_, names_, help_)                              \
    {                                                                                                                  \
        .section = #section_, .key = #key_, .fallback = (fallback_), .help = (help_), .names = (names_),               \
        .min = (min_), .max = (max_), .offset = offsetof(struct conf, section_.member_), .type = (type_),              \
        .flags = (flags_)                                                                                              \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
#define TEXT(section, key, type, fallback, max, flags, help)                                                           \
    ROW(section, key, key, type, fallback, 0, max, flags, NULL, help)
#define FILE_NAME(section, key, flags, help)        TEXT(section, key, CONF_FILE, "", PATH_LIMIT, flags, help)
#define YES_NO(section, key, fallback, flags, help) ROW(section, key, key, CONF_BOOL, fallback, 0, 1, flags, NULL, help)
#define NUMBER(section, key, fallback, min, max, flags, help)                                                          \
    ROW(section, key, key, CONF_U32, fallback, min, max, flags, NULL, help)
#define TIME(section, key, fallback, min, max, flags, help)                                                            \
    ROW(section, key, key##_us, CONF_DURATION, fallback, min, max, flags, NULL, help)
#define SIZE(section, key, member, fallback, flags, help)                                                              \
    ROW(section, key, member, CONF_BYTES, fallback, 0, INT64_MAX, flags, NULL, help)
#define ONE_OF(section, key, fallback, names, flags, help)                                                             \
    ROW(section, key, key, CONF_ENUM, fallback, 0, 0, flags, names, help)
#define ADDRESS(section, fallback, help) ROW(section, listen, listen, CONF_LISTEN, fallback, 0, 65535, 0, NULL, help)

const struct conf_row conf_rows[] = {
    TEXT(source, host, CONF_STRING, "", 255, 0,
         "Host name or address of the primary; of a name every address is tried. This or socket is required."),
    NUMBER(source, port, "3306", 1, 65535, 0, "Port of the primary."),
    TEXT(source, socket, CONF_PATH, "", SOCKET_LIMIT, 0, "Unix socket of the primary, instead of host and port."),
    TEXT(source, user, CONF_STRING, "", 128, 0,
         "Account on the primary; needs REPLICATION SLAVE, on MariaDB also REPLICATION SLAVE ADMIN. Required."),
    FILE_NAME(source, password_file, CONF_RELOAD | CONF_SECRET, "File whose first line is the account's password."),
    FILE_NAME(source, defaults_file, CONF_RELOAD | CONF_SECRET,
              "MySQL option file whose [client] section has the password; instead of password_file."),
    ONE_OF(source, ssl_mode, "PREFERRED", ssl_modes, CONF_RELOAD,
           "TLS to the primary. PREFERRED accepts clear text; REQUIRED and above never do."),
    FILE_NAME(source, ssl_ca, CONF_RELOAD,
              "Certificates that vouch for the primary's. Required with VERIFY_CA and VERIFY_IDENTITY."),
    FILE_NAME(source, ssl_cert, CONF_RELOAD, "Our client certificate; goes with ssl_key."),
    FILE_NAME(source, ssl_key, CONF_RELOAD, "Key of ssl_cert."),
    YES_NO(source, verified_login, "no", CONF_RELOAD,
           "Never give the password itself (caching_sha2_password, until the source has seen a login since its start) "
           "to a "
           "source whose certificate was not verified."),
    NUMBER(source, server_id, "0", 0, UINT32_MAX, 0,
           "Our server id; on MariaDB the first of 16. 0: made once and kept in the store."),
    YES_NO(source, semi_sync, "yes", 0, "Acknowledge what is durable. With no this is a plain asynchronous copy."),
    TIME(source, heartbeat_period, "1s", 10 * MS, H, CONF_RELOAD,
         "How often an idle primary shows that it lives; three missed end the connection."),
    TIME(source, connect_timeout, "5s", 100 * MS, H, CONF_RELOAD,
         "Time for one attempt to connect, shared among the addresses of a name (each has 1s at least)."),
    TIME(source, retry_min, "100ms", MS, H, CONF_RELOAD,
         "First pause between attempts to connect; doubled each time, with jitter."),
    TIME(source, retry_max, "10s", MS, D, CONF_RELOAD, "Longest pause between attempts to connect."),
    TEXT(source, start, CONF_START, "earliest", 255, 0,
         "Where an empty store begins: the oldest file, the beginning of the current one, or the named file."),
    SIZE(source, catchup_async, catchup_async_bytes, "16MiB", CONF_RELOAD,
         "When more than this is missing, catch up without acknowledging before taking part."),

    TEXT(store, dir, CONF_PATH, "", PATH_LIMIT, 0, "Where the segments are kept. Required."),
    TIME(store, retention_age, "0", 0, 36500 * D, CONF_RELOAD,
         "Age at which a segment may be removed: time since it ended that was seen to pass, whatever clocks say. 0: "
         "never."),
    SIZE(store, retention_size, retention_bytes, "0", CONF_RELOAD,
         "Size of all segments above which the oldest may be removed. 0: no limit."),
    SIZE(store, min_free, min_free_bytes, "1GiB", CONF_RELOAD, "Free space below which a warning is raised."),
    SIZE(
        store, consumer_max_lag, consumer_max_lag_bytes, "0", CONF_RELOAD,
        "A named consumer that is behind by no more than this keeps the segments it needs. 0: consumers keep nothing."),
    TIME(store, stall_disconnect, "5s", 100 * MS, H, CONF_RELOAD,
         "A disk that hangs for longer ends the source connection, so that the primary sees it."),
    YES_NO(store, allow_unsafe_fs, "no", 0, "Start on tmpfs or overlay, where a sync proves nothing."),

    ADDRESS(tail, "127.0.0.1:7306", "Address for consumers."),
    FILE_NAME(tail, users_file, CONF_RELOAD | CONF_SECRET, "Names and tokens of consumers."),
    FILE_NAME(tail, ssl_cert, CONF_RELOAD, "Server certificate for consumers: turns TLS on; goes with ssl_key."),
    FILE_NAME(tail, ssl_key, CONF_RELOAD, "Key of ssl_cert."),
    FILE_NAME(tail, ssl_ca, CONF_RELOAD,
              "Certificates that vouch for consumers' certificates, which are then asked for."),
    FILE_NAME(tail, ssl_crl, CONF_RELOAD,
              "Revocation lists of the CAs in ssl_ca, one of each: who is on one is refused, at a reload also who is "
              "connected. "
              "A list that is missing or past its time refuses all certificates of its CA."),
    ONE_OF(tail, allow_anonymous, "auto", anonymous, CONF_RELOAD,
           "Who needs neither token nor client certificate and reads every row: nobody, whoever is on this machine, or "
           "anybody "
           "(also to listen beyond loopback without users). auto: loopback while neither users_file "
           "nor ssl_ca is set, then no."),
    NUMBER(
        tail, max_consumers, "10000", 1, 1000000, CONF_RELOAD,
        "Consumers at one time; the newest is refused. The limit of open files is raised for them as far as it goes."),
    ROW(tail, memory, memory_bytes, CONF_BYTES, "256MiB", 4 << 20, INT64_MAX, CONF_RELOAD, NULL,
        "Memory that consumers' requests (GTID sets, frames that are not there whole) may take, all together; the "
        "newest "
        "that holds some goes."),
    NUMBER(tail, max_names, "1000", 1, 100000, CONF_RELOAD,
           "Names of consumers that are kept; each that commits is a file. A further one is refused, one that there is "
           "never."),
    NUMBER(tail, max_names_per_user, "250", 1, 100000, CONF_RELOAD,
           "Of them, those of one user; and those of all who have none, together."),
    TIME(tail, consumer_max_age, "0", 0, 36500 * D, CONF_RELOAD,
         "A named consumer that was away for so long is forgotten, as by consumers forget. Only time counts in which a "
         "running logtailerd saw it away and let consumers in, whatever clocks say. 0: none is forgotten."),
    TIME(tail, heartbeat_period, "1s", 10 * MS, H, CONF_RELOAD,
         "How often an idle consumer is told the durable position."),
    TIME(tail, send_timeout, "60s", 100 * MS, D, CONF_RELOAD, "A consumer that takes nothing for so long is closed."),

    ADDRESS(replicas, "off",
            "Address for replicas, mysqlbinlog and other binlog clients, which speak MySQL's own protocol."),
    FILE_NAME(replicas, users_file, CONF_RELOAD | CONF_SECRET,
              "Names of replicas with verifiers of their passwords, lines of NAME:replica:VERIFIER as SHOW CREATE USER "
              "prints them; lines of consumers are let be."),
    FILE_NAME(replicas, ssl_cert, CONF_RELOAD, "Server certificate for replicas: offers TLS; goes with ssl_key."),
    FILE_NAME(replicas, ssl_key, CONF_RELOAD, "Key of ssl_cert."),
    FILE_NAME(replicas, ssl_ca, CONF_RELOAD,
              "Certificates that vouch for replicas' certificates, which are then asked for; a user is needed all the "
              "same."),
    ONE_OF(
        replicas, allow_anonymous, "auto", anonymous, CONF_RELOAD,
        "Who needs no user, only a name without a password, and reads every row: nobody, whoever is on this machine, "
        "or anybody (also to listen beyond loopback without users). auto: loopback while users_file is not set, "
        "then no."),
    NUMBER(replicas, max_replicas, "1000", 1, 100000, CONF_RELOAD,
           "Replicas and clients at one time; the newest is refused."),
    SIZE(replicas, max_lag, max_lag_bytes, "0", CONF_RELOAD,
         "A connected replica that is behind by no more than this keeps the segments it needs. 0: replicas keep "
         "nothing."),
    TIME(replicas, send_timeout, "60s", 100 * MS, D, CONF_RELOAD,
         "A replica that takes nothing for so long is closed."),
    NUMBER(replicas, server_id, "0", 0, UINT32_MAX, 0,
           "Our server id towards replicas, another than theirs. 0: the one that is used towards the primary."),

    TEXT(admin, socket, CONF_PATH, "", SOCKET_LIMIT, 0, "Unix socket for commands. Not set: admin.sock in store.dir."),
    ROW(admin, mode, mode, CONF_MODE, "0660", 0, 0777, 0, NULL, "Mode of the socket."),
    TEXT(admin, group, CONF_STRING, "", 64, 0, "Group of the socket. Not set: the daemon's own."),

    ADDRESS(http, "off", "Address for metrics, health checks and the status page."),
    FILE_NAME(http, users_file, CONF_RELOAD | CONF_SECRET,
              "Names and tokens of those who may ask (Basic authentication), as tail.users_file has them; beyond "
              "loopback over TLS only. "
              "/healthz and /readyz answer everybody."),
    FILE_NAME(http, ssl_cert, CONF_RELOAD, "Server certificate for HTTP: turns TLS on; goes with ssl_key."),
    FILE_NAME(http, ssl_key, CONF_RELOAD, "Key of ssl_cert."),
    ONE_OF(http, allow_anonymous, "auto", anonymous, CONF_RELOAD,
           "Who may ask without a user: nobody, whoever is on this machine, or anybody (also to listen beyond loopback "
           "without users). "
           "auto: loopback while users_file is not set, then no."),
    TEXT(http, names, CONF_STRING, "", 1000, CONF_RELOAD,
         "Names, with commas between them, under which requests without TLS may come, beside addresses, names without "
         "a dot and the host's own; "
         "*: any. Keeps web pages from reading through a browser (DNS rebinding)."),

    ONE_OF(log, level, "notice", log_levels, CONF_RELOAD, "What is logged."),
    ONE_OF(log, format, "text", log_formats, CONF_RELOAD, "How it is logged."),
};

#define N_ROWS (sizeof conf_rows / sizeof conf_rows[0])

const size_t conf_n_rows = N_ROWS;
_Static_assert(N_ROWS <= CONF_KEYS_MAX, "origin has a place for every row");

const struct conf_row *conf_find(const char *section, const char *key)
{
    for (size_t i = 0; i < conf_n_rows; i++) {
        if (strcmp(conf_rows[i].section, section) == 0 && strcmp(conf_rows[i].key, key) == 0)
            return &conf_rows[i];
    }
    return NULL;
}

bool conf_has_section(const char *section)
{
    for (size_t i = 0; i < conf_n_rows; i++) {
        if (strcmp(conf_rows[i].section, section) == 0)
            return true;
    }
    return false;
}

static void append(char *buf, size_t cap, const char *text)
{
    size_t len = strlen(buf);
    (void)snprintf(buf + len, cap - len, "%s%s", len > 0 ? ", " : "", text);
}

void conf_list_sections(char *buf, size_t cap)
{
    buf[0] = '\0';
    for (size_t i = 0; i < conf_n_rows; i++) {
        if (i == 0 || strcmp(conf_rows[i].section, conf_rows[i - 1].section) != 0)
            append(buf, cap, conf_rows[i].section);
    }
}

void conf_list_keys(const char *section, char *buf, size_t cap)
{
    buf[0] = '\0';
    for (size_t i = 0; i < conf_n_rows; i++) {
        if (strcmp(conf_rows[i].section, section) == 0)
            append(buf, cap, conf_rows[i].key);
    }
}
