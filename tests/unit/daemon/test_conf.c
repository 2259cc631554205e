/* Every key of the table: its default, a good value, a bad one; how errors read; help and JSON. */
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"

#include "daemon/conf_table.h"

/* One line for every key, in the order of the table. normal: how the good value comes back. */
static const struct key_case {
    const char *section;
    const char *key;
    const char *fallback;
    const char *good;
    const char *normal;
    const char *bad;
} keys[] = {
    {"source", "host", "", "db1.example", "db1.example", "db 1"},
    {"source", "port", "3306", "3307", "3307", "0"},
    {"source", "socket", "", "/run/mysqld.sock", "/run/mysqld.sock", "/run/\tx"},
    {"source", "user", "", "repl", "repl", "re pl"},
    {"source", "password_file", "", "/etc/pw", "/etc/pw", "/etc/\x01"},
    {"source", "defaults_file", "", "/etc/my.cnf", "/etc/my.cnf", "/etc/\x7f"},
    {"source", "ssl_mode", "PREFERRED", "VERIFY_CA", "VERIFY_CA", "preferred"},
    {"source", "ssl_ca", "", "/etc/ca.pem", "/etc/ca.pem", "\x02"},
    {"source", "ssl_cert", "", "/etc/cert.pem", "/etc/cert.pem", "\x02"},
    {"source", "ssl_key", "", "/etc/key.pem", "/etc/key.pem", "\x02"},
    {"source", "verified_login", "no", "yes", "yes", "true"},
    {"source", "server_id", "0", "4294967295", "4294967295", "4294967296"},
    {"source", "semi_sync", "yes", "no", "no", "true"},
    {"source", "heartbeat_period", "1s", "500ms", "500ms", "1"},
    {"source", "connect_timeout", "5s", "1.5s", "1500ms", "0"},
    {"source", "retry_min", "100ms", "1s", "1s", "2h"},
    {"source", "retry_max", "10s", "1min", "1min", "-1s"},
    {"source", "start", "earliest", "mysql-bin.000007", "mysql-bin.000007", "../mysql-bin.000007"},
    {"source", "catchup_async", "16MiB", "1024K", "1MiB", "16 MiB"},
    {"store", "dir", "", "/var/lib/logtailer", "/var/lib/logtailer", "/var\x1b"},
    {"store", "retention_age", "0", "7d", "7d", "7"},
    {"store", "retention_size", "0", "100GB", "97656250KiB", "200"},
    {"store", "min_free", "1GiB", "0", "0", "1073741824"},
    {"store", "consumer_max_lag", "0", "10GiB", "10GiB", "1.5GiB"},
    {"store", "stall_disconnect", "5s", "3s", "3s", "1ms"},
    {"store", "allow_unsafe_fs", "no", "yes", "yes", "YES"},
    {"tail", "listen", "127.0.0.1:7306", "[::1]:17306", "[::1]:17306", "::1:7306"},
    {"tail", "users_file", "", "/etc/users", "/etc/users", "\x02"},
    {"tail", "ssl_cert", "", "/etc/cert.pem", "/etc/cert.pem", "\x02"},
    {"tail", "ssl_key", "", "/etc/key.pem", "/etc/key.pem", "\x02"},
    {"tail", "ssl_ca", "", "/etc/ca.pem", "/etc/ca.pem", "\x02"},
    {"tail", "ssl_crl", "", "/etc/crl.pem", "/etc/crl.pem", "\x02"},
    {"tail", "allow_anonymous", "auto", "yes", "yes", "1"},
    {"tail", "max_consumers", "10000", "5", "5", "0"},
    {"tail", "memory", "256MiB", "8MiB", "8MiB", "1MiB"},
    {"tail", "max_names", "1000", "2000", "2000", "0"},
    {"tail", "max_names_per_user", "250", "5", "5", "100001"},
    {"tail", "consumer_max_age", "0", "30d", "30d", "30"},
    {"tail", "heartbeat_period", "1s", "2s", "2s", "1us"},
    {"tail", "send_timeout", "1min", "5min", "5min", "soon"},
    {"replicas", "listen", "off", "127.0.0.1:3307", "127.0.0.1:3307", "3307"},
    {"replicas", "users_file", "", "/etc/users", "/etc/users", "\x02"},
    {"replicas", "ssl_cert", "", "/etc/cert.pem", "/etc/cert.pem", "\x02"},
    {"replicas", "ssl_key", "", "/etc/key.pem", "/etc/key.pem", "\x02"},
    {"replicas", "ssl_ca", "", "/etc/ca.pem", "/etc/ca.pem", "\x02"},
    {"replicas", "allow_anonymous", "auto", "no", "no", "none"},
    {"replicas", "max_replicas", "1000", "5", "5", "0"},
    {"replicas", "max_lag", "0", "10GiB", "10GiB", "1.5GiB"},
    {"replicas", "send_timeout", "1min", "5min", "5min", "soon"},
    {"replicas", "server_id", "0", "4294967295", "4294967295", "-1"},
    {"admin", "socket", "", "/run/lt.sock", "/run/lt.sock", "\x02"},
    {"admin", "mode", "0660", "600", "0600", "0680"},
    {"admin", "group", "", "dba", "dba", "d b a"},
    {"http", "listen", "off", "localhost:9104", "localhost:9104", "localhost"},
    {"http", "users_file", "", "/etc/users", "/etc/users", "\x02"},
    {"http", "ssl_cert", "", "/etc/cert.pem", "/etc/cert.pem", "\x02"},
    {"http", "ssl_key", "", "/etc/key.pem", "/etc/key.pem", "\x02"},
    {"http", "allow_anonymous", "auto", "loopback", "loopback", "maybe"},
    {"http", "names", "", "a.example,b.example", "a.example,b.example", "a b"},
    {"log", "level", "notice", "debug", "debug", "loud"},
    {"log", "format", "text", "json", "json", "xml"},
};

#define N_KEYS (sizeof keys / sizeof keys[0])

static const char *value_of(const struct conf *conf, const struct key_case *k)
{
    static char buf[CONF_TEXT_MAX];
    buf[0] = '\0';
    const struct conf_row *row = conf_find(k->section, k->key);
    if (row != NULL)
        conf_value_format(row, conf, buf, sizeof buf);
    return buf;
}

static int parse(struct conf *conf, const char *text, struct lt_err *err)
{
    return conf_parse_text(conf, "test.ini", text, strlen(text), err);
}

/* All keys at their good values, as a file. */
static const char *good_file(void)
{
    static char text[8192];
    size_t len = 0;
    for (size_t i = 0; i < N_KEYS; i++) {
        if (i == 0 || strcmp(keys[i].section, keys[i - 1].section) != 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "[%s]\n", keys[i].section);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s = %s\n", keys[i].key, keys[i].good);
    }
    return text;
}

static void table_and_cases_agree(void)
{
    CU_ASSERT_EQUAL(conf_n_rows, N_KEYS);
    for (size_t i = 0; i < N_KEYS && i < conf_n_rows; i++) {
        CU_ASSERT_STRING_EQUAL(conf_rows[i].section, keys[i].section);
        CU_ASSERT_STRING_EQUAL(conf_rows[i].key, keys[i].key);
        CU_ASSERT(strlen(conf_rows[i].help) > 10);
    }
}

static void defaults(void)
{
    struct conf conf;
    CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
    for (size_t i = 0; i < N_KEYS; i++)
        CU_ASSERT_STRING_EQUAL(value_of(&conf, &keys[i]), keys[i].fallback);
    CU_ASSERT_PTR_NULL(conf.source.host);
    CU_ASSERT_EQUAL(conf.source.heartbeat_period_us, 1000000);
    CU_ASSERT_EQUAL(conf.source.catchup_async_bytes, 16 << 20);
    CU_ASSERT_EQUAL(conf.source.ssl_mode, CONF_SSL_PREFERRED);
    CU_ASSERT(conf.tail.listen.on && conf.tail.listen.loopback && conf.tail.listen.port == 7306);
    CU_ASSERT(!conf.http.listen.on);
    CU_ASSERT_EQUAL(conf.admin.mode, 0660);
    conf_fini(&conf);
}

static void good_values(void)
{
    struct conf conf;
    struct lt_err err = {0};
    CU_ASSERT_EQUAL(conf_init(&conf, &err), LT_OK);
    CU_ASSERT_EQUAL(parse(&conf, good_file(), &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    for (size_t i = 0; i < N_KEYS; i++) {
        CU_ASSERT_STRING_EQUAL(value_of(&conf, &keys[i]), keys[i].normal);
        CU_ASSERT_EQUAL(conf.origin[i], CONF_FROM_FILE);
    }
    CU_ASSERT_EQUAL(conf.source.ssl_mode, CONF_SSL_VERIFY_CA);
    CU_ASSERT_STRING_EQUAL(conf.tail.listen.host, "::1");
    conf_fini(&conf);
}

static void bad_values_name_the_key(void)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        char text[300];
        char name[100];
        struct conf conf;
        struct lt_err err = {0};
        CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
        (void)snprintf(text, sizeof text, "# line one\n[%s]\n%s = %s\n", keys[i].section, keys[i].key, keys[i].bad);
        (void)snprintf(name, sizeof name, "test.ini:3: %s.%s = \"", keys[i].section, keys[i].key);
        CU_ASSERT_EQUAL(parse(&conf, text, &err), LT_EINVAL);
        CU_ASSERT_EQUAL(strncmp(err.text, name, strlen(name)), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is not accepted; expected "));
        CU_ASSERT_STRING_EQUAL(value_of(&conf, &keys[i]), keys[i].fallback);
        conf_fini(&conf);
    }
}

static void set_overrides(void)
{
    struct conf conf;
    struct lt_err err = {0};
    CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
    CU_ASSERT_EQUAL(parse(&conf, "[source]\nport = 1\n", &err), LT_OK);
    for (size_t i = 0; i < N_KEYS; i++) {
        char set[300];
        (void)snprintf(set, sizeof set, "%s.%s=%s", keys[i].section, keys[i].key, keys[i].bad);
        CU_ASSERT_EQUAL(conf_set(&conf, set, &err), LT_EINVAL);
        CU_ASSERT_EQUAL(strncmp(err.text, "--set: ", 7), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, keys[i].key));
        (void)snprintf(set, sizeof set, "%s.%s=%s", keys[i].section, keys[i].key, keys[i].good);
        CU_ASSERT_EQUAL(conf_set(&conf, set, &err), LT_OK);
        CU_ASSERT_STRING_EQUAL(value_of(&conf, &keys[i]), keys[i].normal);
        CU_ASSERT_EQUAL(conf.origin[i], CONF_FROM_COMMAND_LINE);
    }
    static const char *const bad[] = {
        "",
        "source",
        "source.port",
        "=",
        ".=",
        "port=1",
        "source=1.1",
        "source.nope=1",
        "nope.port=1",
        "source.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(conf_set(&conf, bad[i], &err), LT_EINVAL);
    CU_ASSERT_EQUAL(conf_set(&conf, "source.user=", &err), LT_OK);
    CU_ASSERT_PTR_NULL(conf.source.user);
    conf_fini(&conf);
}

static void bad_files(void)
{
    static const struct {
        const char *text;
        const char *expect;
    } cases[] = {
        {"[source]\nhots = x\n", "test.ini:2: unknown key source.hots; source has host, port, "},
        {"[sauce]\nhost = x\n",
         "test.ini:1: unknown section sauce; the sections are source, store, tail, replicas, admin, http, log"},
        {"\n[empty]\n", "test.ini:2: unknown section empty"},
        {"host = x\n", "test.ini:1: host is in no section"},
        {"[source]\nport = 1\n[log]\n[source]\nport = 2\n",
         "test.ini:5: source.port is given a second time; the first is in line 2"},
        {"[source]\nport 3306\n", "test.ini:2: neither [section] nor key = value"},
        {"[source\nport = 1\n", "test.ini:1: neither [section]"},
        {"[source]\nport = 1 # no comment here\n", "test.ini:2: source.port = \"1 # no comment here\" is not accepted"},
        {"[store]\nretention_size = 200\n",
         "test.ini:2: store.retention_size = \"200\" is not accepted; expected a size with its unit, such as 200G"},
        {"[source]\nport =\n", "test.ini:2: source.port = \"\" is not accepted; expected a number from 1 to 65535"},
        {"[log]\nlevel = x\n", "expected one of error, warn, notice, info, debug"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf conf;
        struct lt_err err = {0};
        CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
        CU_ASSERT_EQUAL(parse(&conf, cases[i].text, &err), LT_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].expect));
        conf_fini(&conf);
    }
}

static void odd_lines(void)
{
    struct conf conf;
    struct lt_err err = {0};
    CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
    /* A byte order mark, CRLF, indentation, both comments, no newline at the end. */
    CU_ASSERT_EQUAL(
        parse(&conf, "\xef\xbb\xbf[source]\r\n  # c\r\n\tport = 12\r\n   host=h ; why\r\n;x\r\n\r\nuser: u", &err),
        LT_OK);
    CU_ASSERT_EQUAL(conf.source.port, 12);
    CU_ASSERT_STRING_EQUAL(conf.source.host, "h");
    CU_ASSERT_STRING_EQUAL(conf.source.user, "u");
    CU_ASSERT_EQUAL(conf_parse_text(&conf, "z", "[log]\0\n", 7, &err), LT_EINVAL);
    CU_ASSERT_STRING_EQUAL(err.text, "z:1: holds a zero byte");
    CU_ASSERT_EQUAL(conf_parse_text(&conf, "z", "", 0, &err), LT_OK);
    static char text[6000];
    (void)snprintf(text, sizeof text, "[store]\ndir = /%04000d\n", 0);
    CU_ASSERT_EQUAL(parse(&conf, text, &err), LT_OK);
    CU_ASSERT_EQUAL(strlen(conf.store.dir), 4001);
    (void)snprintf(text, sizeof text, "[store]\ndir = /%05000d\n", 0);
    CU_ASSERT_EQUAL(parse(&conf, text, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "test.ini:2: the line is longer than"));
    conf_fini(&conf);
}

static void listen_addresses(void)
{
    static const struct {
        const char *text;
        bool ok;
        bool loopback;
    } cases[] = {
        {"127.1.2.3:1", true, true},
        {"localhost:1", true, true},
        {"[::ffff:127.0.0.1]:1", true, true},
        {"0.0.0.0:1", true, false},
        {"[::]:1", true, false},
        {"db1:1", true, false},
        {"10.0.0.1:0", true, false},
        {"127.0.0.1", false, false},
        {":1", false, false},
        {"*:1", false, false},
        {"127.0.0.1:65536", false, false},
        {"[::1]", false, false},
        {"[]:1", false, false},
        {"[1.2.3.4]:1", false, false},
        {"[::1:1", false, false},
        {"a b:1", false, false},
        {"127.0.0.1:", false, false},
        {"127.0.0.1:-1", false, false},
        {"[", false, false},
        {"[:1", false, false},
    };
    const struct conf_row *row = conf_find("tail", "listen");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf conf;
        CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
        CU_ASSERT_EQUAL(conf_value_parse(row, cases[i].text, &conf) == LT_OK, cases[i].ok);
        if (cases[i].ok) {
            char back[300];
            conf_value_format(row, &conf, back, sizeof back);
            CU_ASSERT_STRING_EQUAL(back, cases[i].text);
            CU_ASSERT_EQUAL(conf.tail.listen.loopback, cases[i].loopback);
        }
        conf_fini(&conf);
    }
}

static void start_values(void)
{
    static const char *const good[] = {"earliest", "latest", "binlog.000001", "a.b.1"};
    static const char *const bad[] = {"", "newest", "binlog", "binlog.", ".000001", "binlog.00x", "a/b.1"};
    const struct conf_row *row = conf_find("source", "start");
    struct conf conf;
    CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_EQUAL(conf_value_parse(row, good[i], &conf), LT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(conf_value_parse(row, bad[i], &conf), LT_EINVAL);
    conf_fini(&conf);
}

static void help_mentions_every_key(void)
{
    char *text = conf_help_text();
    CU_ASSERT_PTR_NOT_NULL(text);
    for (size_t i = 0; text != NULL && i < N_KEYS; i++) {
        char line[300];
        (void)snprintf(line, sizeof line, "\n%s = %s\n", keys[i].key, conf_rows[i].fallback);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
        (void)snprintf(line, sizeof line, "\n[%s]\n", keys[i].section);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    }
    free(text);
}

/* Feed what the JSON says into a fresh conf; hidden values are not fed. */
static void apply_json(struct conf *conf, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        char set[CONF_TEXT_MAX];
        const char *value = json_string_value(json_object_get(row, "value"));
        if (value == NULL || strcmp(value, "(hidden)") == 0)
            continue;
        (void)snprintf(set, sizeof set, "%s.%s=%s", json_string_value(json_object_get(row, "section")),
                       json_string_value(json_object_get(row, "key")), value);
        CU_ASSERT_EQUAL(conf_set(conf, set, NULL), LT_OK);
    }
}

static void json_round_trip(void)
{
    struct conf conf;
    struct conf back;
    CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
    CU_ASSERT_EQUAL(conf_init(&back, NULL), LT_OK);
    CU_ASSERT_EQUAL(parse(&conf, good_file(), NULL), LT_OK);
    json_t *list = conf_to_json(&conf);
    CU_ASSERT_EQUAL(json_array_size(list), N_KEYS);
    apply_json(&back, list);
    unsigned hidden = 0;
    for (size_t i = 0; i < N_KEYS; i++) {
        if ((conf_rows[i].flags & CONF_SECRET) != 0) {
            hidden++;
            CU_ASSERT_STRING_EQUAL(value_of(&back, &keys[i]), "");
        } else {
            CU_ASSERT_STRING_EQUAL(value_of(&back, &keys[i]), keys[i].normal);
        }
    }
    CU_ASSERT_EQUAL(hidden, 5);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(list, 0), "from")), "file");
    json_decref(list);
    conf_fini(&conf);
    conf_fini(&back);
}

static void json_survives_odd_paths(void)
{
    struct conf conf;
    CU_ASSERT_EQUAL(conf_init(&conf, NULL), LT_OK);
    CU_ASSERT_EQUAL(conf_set(&conf, "store.dir=/\xff", NULL), LT_OK);
    json_t *list = conf_to_json(&conf);
    CU_ASSERT_EQUAL(json_array_size(list), N_KEYS);
    json_decref(list);
    conf_fini(&conf);
}

static void changes_are_sorted_by_kind(void)
{
    struct conf running;
    struct conf fresh;
    CU_ASSERT_EQUAL(conf_init(&running, NULL), LT_OK);
    CU_ASSERT_EQUAL(conf_init(&fresh, NULL), LT_OK);
    CU_ASSERT_EQUAL(
        parse(&fresh, "[source]\nhost = h\nport = 3306\n[log]\nlevel = debug\n[store]\nmin_free=1024M\n", NULL), LT_OK);
    json_t *changes = conf_changes(&running, &fresh);
    char *text = json_dumps(changes, JSON_COMPACT | JSON_SORT_KEYS);
    CU_ASSERT_STRING_EQUAL(text != NULL ? text : "", "{\"reload\":[\"log.level\"],\"restart\":[\"source.host\"]}");
    free(text);
    json_decref(changes);
    conf_fini(&running);
    conf_fini(&fresh);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"table and cases agree", table_and_cases_agree},
        {"defaults", defaults},
        {"good values", good_values},
        {"bad values name the key", bad_values_name_the_key},
        {"--set overrides", set_overrides},
        {"bad files", bad_files},
        {"odd lines", odd_lines},
        {"listen addresses", listen_addresses},
        {"start values", start_values},
        {"help mentions every key", help_mentions_every_key},
        {"JSON round trip", json_round_trip},
        {"JSON survives odd paths", json_survives_odd_paths},
        {"changes are sorted by kind", changes_are_sorted_by_kind},
    };
    return cunit_run("conf", cases, sizeof cases / sizeof cases[0]);
}
