/* Who is let in, and what is answered before a dump. */
#include <stdlib.h>
#include <string.h>

#include "access/replica_users.h"
#include "mysqlwire/verifier.h"
#include "proc.h"
#include "replicas_rig.h"

static struct replicas_rig r;

/* The text of the error, or "" where it got in. */
static const char *log_in(const char *user, const char *password, bool tls)
{
    static char text[512];
    struct lt_err err = {0};
    struct raw_options o = {
        .port = replicas_port(r.replicas), .user = user, .password = password, .tls = tls, .timeout_ms = RIG_WAIT_MS};
    struct raw_replica *raw = raw_open(&o, &err);
    (void)snprintf(text, sizeof text, "%s", raw == NULL ? err.text : "");
    raw_close(raw);
    return text;
}

static const char *users_file(char *path, size_t cap)
{
    static const uint8_t salt[VERIFIER_SALT_LEN] = "0123456789abcdefghij";
    char sha2[VERIFIER_SHA2_TEXT_MAX];
    char text[1024];
    char dir[] = "/tmp/lt_users_XXXXXX";
    CU_ASSERT_EQUAL_FATAL(verifier_sha2_text("sesame", salt, sha2), 0);
    /* *HEX is of the password "secret" */
    (void)snprintf(text, sizeof text,
                   "# replicas\n"
                   "native:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\n"
                   "sha2:replica:%s\n"
                   "tail:sha256$salt$0000000000000000000000000000000000000000000000000000000000000000\n",
                   sha2);
    CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
    (void)snprintf(path, cap, "%s/users", dir);
    proc_write_file(path, text);
    return path;
}

static void test_users(void)
{
    char path[200];
    for (int mariadb = 0; mariadb < 2; mariadb++) {
        struct replicas_options opt = {.users_file = users_file(path, sizeof path), .auth_delay_us = 1000};
        replicas_rig_start(&r, mariadb, true, &opt);
        CU_ASSERT_STRING_EQUAL(log_in("native", "secret", false), "");
        CU_ASSERT_STRING_EQUAL(log_in("sha2", "sesame", false), ""); /* sealed by the RSA key, */
        CU_ASSERT_STRING_EQUAL(log_in("sha2", "sesame", false), ""); /* and by what that left */
        static const char *const wrong[][2] = {{"native", "sesame"}, {"native", ""}, {"sha2", "secret"}, {"sha2", ""},
                                               {"nobody", "secret"}, {"nobody", ""}, {"tail", "x"},      {"", ""}};
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            const char *text = log_in(wrong[i][0], wrong[i][1], false);
            CU_ASSERT(strstr(text, "1045: Access denied for user") != NULL);
        }
        struct replicas_view v;
        replicas_view_get(r.replicas, &v);
        CU_ASSERT_EQUAL(v.denied, 8);
        replicas_rig_end(&r);
        *strrchr(path, '/') = '\0';
        proc_remove_dir(path);
    }
}

static void test_tls(void)
{
    struct fake_certs certs;
    char path[200];
    struct serve_rig folder = {0};
    (void)snprintf(folder.dir, sizeof folder.dir, "/tmp/lt_certs_XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(folder.dir) != NULL);
    serve_rig_certs(&folder, "certs", "server", &certs);
    struct replicas_options opt = {.users_file = users_file(path, sizeof path),
                                   .auth_delay_us = 1000,
                                   .ssl_cert = certs.cert,
                                   .ssl_key = certs.key};
    replicas_rig_start(&r, false, true, &opt);
    CU_ASSERT_STRING_EQUAL(log_in("sha2", "sesame", true), "");
    CU_ASSERT_STRING_EQUAL(log_in("native", "secret", true), "");
    CU_ASSERT(strstr(log_in("sha2", "secret", true), "1045") != NULL);
    serve_rig_txns(&r.log, 3, 300000);
    struct received got;
    struct raw_replica *raw =
        replicas_rig_client(&r, &(struct raw_options){.user = "sha2", .password = "sesame", .tls = true});
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, RIG_FILE, 4), 0);
    receive_all(raw, RIG_FILE, &got);
    CU_ASSERT_EQUAL(got.end, LT_EOS);
    CU_ASSERT_EQUAL(got.len, r.log.gen.len - BINLOG_MAGIC_LEN);
    CU_ASSERT(memcmp(got.data, r.log.gen.data + BINLOG_MAGIC_LEN, got.len) == 0);
    received_fini(&got);
    raw_close(raw);
    replicas_rig_end(&r);
    *strrchr(path, '/') = '\0';
    proc_remove_dir(path);
    proc_remove_dir(folder.dir);
}

/* One bad line refuses the file, and says which; a verifier may hold colons and what looks like anything. */
static void test_files(void)
{
    static const struct {
        const char *text;
        const char *why; /* "": it is taken */
        size_t users;
    } cases[] = {
        {"", "", 0},
        {"# nobody\n\n", "", 0},
        {"a:sha256$salt$00\n", "", 0},
        {"a:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\r\n", "", 1},
        {"a:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\n"
         "a:replica:$A$005$:#::::::::::::::::::abcdefghijabcdefghijabcdefghijabcdefghijabc\n",
         "", 1},
        {"a\n", "f:1: not NAME:replica:VERIFIER", 0},
        {"\na:replica\n", "f:2: not NAME:replica:VERIFIER", 0},
        {"a:consumer:x\n", "f:1: the role is not 'replica'", 0},
        {"a:replica:\n", "f:1: not a verifier", 0},
        {"a:replica:secret\n", "f:1: not a verifier", 0},
        {":replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\n", "f:1: a name is", 0},
        {"a b:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\n", "f:1: a name is", 0},
        {"a:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\na:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\n",
         "f:2: user a has two verifiers of one kind", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct replica_users *us = NULL;
        struct lt_err err = {0};
        char *text = proc_fmt("%s", cases[i].text);
        int rc = replica_users_parse("f", text, &us, &err);
        if (strncmp(err.text, cases[i].why, strlen(cases[i].why)) != 0)
            (void)fprintf(stderr, "case %zu: %s\n", i, err.text);
        CU_ASSERT_EQUAL(rc, cases[i].why[0] != '\0' ? LT_EINVAL : LT_OK);
        CU_ASSERT(strncmp(err.text, cases[i].why, strlen(cases[i].why)) == 0 && strstr(err.text, "secret") == NULL);
        CU_ASSERT_EQUAL(replica_users_count(us), cases[i].users);
        CU_ASSERT((replica_users_find(us, "a", NULL) != NULL) == (cases[i].users > 0));
        replica_users_free(us);
        free(text);
    }
}

static const struct answer {
    const char *sql;
    const char *mysql;
    const char *mariadb; /* NULL: the same */
} answers[] = {
    {"SELECT @@GLOBAL.SERVER_ID", "4711", NULL},
    {"select  @@server_id /* why */ ;", "4711", NULL},
    {"SHOW VARIABLES LIKE 'SERVER_ID'", "server_id", NULL},
    {"SELECT @@GLOBAL.SERVER_UUID", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "ERR 1193"},
    {"SELECT @@GLOBAL.GTID_MODE", "ON", "ERR 1193"},
    {"SELECT @@GLOBAL.gtid_domain_id", "ERR 1193", "0"},
    {"SELECT @@global.rpl_semi_sync_source_enabled", "ERR 1193", NULL},
    {"SHOW VARIABLES LIKE 'rpl_semi_sync%'", "", NULL},
    {"SELECT @nope", "", NULL},
    {"SET @a = 'x', @b = @@global.binlog_checksum, @c = 5", "", NULL},
    {"SELECT @A", "x", NULL},
    {"SELECT @b", "CRC32", NULL},
    {"SELECT @c", "5", NULL},
    {"SET @a = 'y', @@global.nope = 1", "ERR 1193", NULL},
    {"SET nope = 1", "ERR 1193", NULL},
    {"SET NAMES utf8mb4", "", NULL},
    {"SET autocommit=1, @@session.sql_mode=''", "", NULL},
    {"SET GLOBAL binlog_checksum = NONE", "ERR 1290", NULL},
    {"SELECT 1", "1", NULL},
    {"SELECT 1 FROM DUAL", "1", NULL},
    {"SELECT @@read_only, 2", "1", NULL},
    {"SELECT binlog_gtid_pos('mysql-bin.000001',4)", "", NULL},
    {"SELECT GTID_SUBSET('11111111-2222-3333-4444-555555555555:1','11111111-2222-3333-4444-555555555555:1-2')", "1",
     NULL},
    {"SELECT * FROM t", "ERR 1235", NULL},
    {"SELECT column_name FROM information_schema.columns", "ERR 1235", NULL},
    {"INSERT INTO t VALUES (1)", "ERR 1290", NULL},
    {"DROP TABLE t", "ERR 1290", NULL},
    {"SHUTDOWN", "ERR 1290", NULL},
    {"nonsense", "ERR 1064", NULL},
    {"select 'no end", "ERR 1064", NULL},
    {"", "ERR 1065", NULL},
    {"BEGIN", "", NULL},
    {"SHOW BINARY LOGS", RIG_FILE, NULL},
    {"SHOW MASTER STATUS", RIG_FILE, NULL},
    {"SHOW BINARY LOG STATUS", RIG_FILE, NULL},
    {"SHOW REPLICAS", "", NULL},
    {"SHOW REPLICA STATUS", "Waiting for source to send event", NULL},
    {"SHOW SLAVE STATUS FOR CHANNEL ''", "Waiting for source to send event", NULL},
    {"SHOW ALL SLAVES STATUS", "Waiting for source to send event", ""},
    {"SHOW DATABASES", "", NULL},
};

static void check_answer(struct raw_replica *raw, const struct answer *a, bool mariadb)
{
    char got[1024];
    char want[1024];
    (void)snprintf(want, sizeof want, "%s", mariadb && a->mariadb != NULL ? a->mariadb : a->mysql);
    if (raw_query(raw, a->sql, got, sizeof got) != 0)
        (void)snprintf(got, sizeof got, "ERR %u", raw_error_code(raw));
    if (strcmp(got, want) != 0)
        (void)fprintf(stderr, "%s -> %s, not %s\n", a->sql, got, want);
    CU_ASSERT_STRING_EQUAL(got, want);
}

/* The connection survives all of them. */
static void test_answers(void)
{
    for (int mariadb = 0; mariadb < 2; mariadb++) {
        replicas_rig_start(&r, mariadb, true, NULL);
        serve_rig_txns(&r.log, 2, 100);
        replicas_set_upstream(r.replicas, &(struct replicas_upstream){.connected = true, .host = "db1", .port = 3306});
        struct raw_replica *raw = replicas_rig_client(&r, NULL);
        CU_ASSERT_EQUAL(raw_is_mariadb(raw), mariadb == 1);
        for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
            check_answer(raw, &answers[i], mariadb == 1);
        raw_close(raw);
        replicas_rig_end(&r);
    }
}

/* Nobody who has no user, where users are asked for; nobody at all past max_replicas. */
static void test_nameless(void)
{
    struct replicas_options opt = {.anonymous = ANONYMOUS_NO, .auth_delay_us = 1000};
    replicas_rig_start(&r, false, true, &opt);
    CU_ASSERT(strstr(log_in("root", "", false), "1045") != NULL);
    replicas_rig_end(&r);
    opt = (struct replicas_options){.max_replicas = 1};
    replicas_rig_start(&r, false, true, &opt);
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    CU_ASSERT(strstr(log_in("root", "", false), "1040") != NULL);
    raw_close(raw);
    replicas_rig_end(&r);
}

enum { STAYS, REMOVED, CHANGED, ROLE_TAKEN, THEY };
static const char *const they[THEY] = {"stays", "removed", "changed", "role"};

static void write_users(const char *path, bool after)
{
    static const char *const secret = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    char *text = after ? proc_fmt("changed:replica:*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19\n"
                                  "role:sha256$salt$0000000000000000000000000000000000000000000000000000000000000000\n"
                                  "stays:replica:%s\nnewcomer:replica:%s\n",
                                  secret, secret)
                       : proc_fmt("stays:replica:%s\nremoved:replica:%s\nchanged:replica:%s\nrole:replica:%s\n", secret,
                                  secret, secret, secret);
    proc_write_file(path, text);
    free(text);
}

/* After a reload those who could not come in any more are closed, in the middle of a dump and between commands; who may stays, and misses nothing. */
static void test_reload(void)
{
    struct raw_replica *streams[THEY];
    struct raw_replica *waits[THEY];
    struct raw_event ev;
    struct lt_err err;
    char path[200];
    char answer[32];
    struct replicas_policy *p = NULL;
    struct replicas_options opt = {.users_file = users_file(path, sizeof path), .auth_delay_us = 1000};
    write_users(path, false);
    replicas_rig_start(&r, false, true, &opt);
    for (int i = 0; i < THEY; i++) {
        struct raw_options o = {.user = they[i], .password = "secret", .server_id = 10 + (uint32_t)i};
        streams[i] = replicas_rig_client(&r, &o);
        waits[i] = replicas_rig_client(&r, &o);
        CU_ASSERT_EQUAL_FATAL(raw_dump(streams[i], RIG_FILE, 4), 0);
        do {
            CU_ASSERT_EQUAL_FATAL(raw_next(streams[i], &ev), 0);
        } while (ev.end < r.log.gen.len);
    }
    write_users(path, true);
    CU_ASSERT_EQUAL_FATAL(replicas_prepare(r.replicas, &opt, &p, &err), 0);
    replicas_adopt(r.replicas, p);
    for (int i = REMOVED; i < THEY; i++) {
        CU_ASSERT_EQUAL(raw_next(streams[i], &ev), LT_ECLOSED);
        uint64_t until = proc_now_ms() + RIG_WAIT_MS;
        while (raw_query(waits[i], "SELECT 1", answer, sizeof answer) == 0 && proc_now_ms() < until)
            proc_sleep_ms(1);
        CU_ASSERT(proc_now_ms() < until);
        CU_ASSERT(strstr(log_in(they[i], "secret", false), "1045") != NULL);
    }
    CU_ASSERT_STRING_EQUAL(log_in("newcomer", "secret", false), "");
    serve_rig_txns(&r.log, 1, 100);
    do {
        CU_ASSERT_EQUAL_FATAL(raw_next(streams[STAYS], &ev), 0);
    } while (ev.end < r.log.gen.len);
    CU_ASSERT_EQUAL(raw_query(waits[STAYS], "SELECT 1", answer, sizeof answer), 0);
    for (int i = 0; i < THEY; i++) {
        raw_close(streams[i]);
        raw_close(waits[i]);
    }
    replicas_rig_end(&r);
    *strrchr(path, '/') = '\0';
    proc_remove_dir(path);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"users files", test_files},  {"users and passwords", test_users}, {"TLS", test_tls},
        {"statements", test_answers}, {"without a user", test_nameless},   {"a reload", test_reload},
    };
    return cunit_run("replicas_login", cases, sizeof cases / sizeof cases[0]);
}
