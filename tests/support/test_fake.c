/*
 * The fake primary and the raw replica against each other: logins, queries, dumps and acknowledgements of all releases. libmysqlclient is
 * the judge of the connection phase, the binlog layer that of the events.
 */
#include <sys/stat.h>
#include <unistd.h>

#include <mysql.h>

#include "fake_test.h"

static const char *const versions[] = {
    "5.7.44-log", "8.0.25", "8.0.46", "8.4.6", "9.7.4", "5.5.5-10.11.19-MariaDB-log", "11.8.6-MariaDB"};

static MYSQL *log_in(struct fake_primary *fp, const char *password, const char *ca)
{
    MYSQL *my = mysql_init(NULL);
    my_bool verify = ca ? 1 : 0;
    (void)mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (ca)
        (void)mysql_optionsv(my, MYSQL_OPT_SSL_CA, ca);
    if (mysql_real_connect(my, "127.0.0.1", "repl", password, NULL, fake_port(fp), NULL, 0))
        return my;
    mysql_close(my);
    return NULL;
}

static void expect_value(MYSQL *my, const char *sql, const char *want)
{
    MYSQL_RES *res = mysql_query(my, sql) == 0 ? mysql_store_result(my) : NULL;
    MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
    const char *last = row ? row[mysql_num_fields(res) - 1] : NULL;
    bool same = want ? last && strcmp(last, want) == 0 : last == NULL;
    CU_ASSERT(same);
    if (!same)
        (void)fprintf(stderr, "%s: got %s, want %s (%s)\n", sql, last ? last : "NULL", want ? want : "NULL",
                      mysql_error(my));
    if (res)
        mysql_free_result(res);
}

static void expect_error(MYSQL *my, const char *sql, unsigned code)
{
    CU_ASSERT(mysql_query(my, sql) != 0);
    CU_ASSERT_EQUAL(mysql_errno(my), code);
}

static void test_queries(void)
{
    struct fake_primary *fp = start_with_file("9.7.4");
    MYSQL *my = log_in(fp, "secret", NULL);
    CU_ASSERT_PTR_NOT_NULL(my);
    if (!my)
        goto out;
    expect_value(my, "SELECT @@GLOBAL.SERVER_ID", "33104");
    expect_value(my, "select  @@server_id , @@global.server_uuid", "68b1e7ed-e6ea-11f1-af30-02fc00000001");
    expect_value(my, "SET @a = 'x', @master_binlog_checksum= @@global.binlog_checksum", NULL);
    expect_value(my, "SELECT @master_binlog_checksum", "CRC32");
    expect_value(my, "SELECT VERSION()", "9.7.4");
    expect_value(
        my,
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('rpl_semi_sync_master_enabled','rpl_semi_sync_source_enabled')",
        "ON");
    expect_value(my, "SHOW GLOBAL STATUS LIKE 'rpl\\_semi\\_sync%clients'", "0");
    expect_value(my, "SELECT @@global.rpl_semi_sync_source_enabled AS v", "1");
    expect_error(my, "SELECT @@global.rpl_semi_sync_master_enabled", 1193);
    expect_error(my, "SHOW MASTER STATUS", 1064);
    (void)fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    expect_value(my, "SHOW BINARY LOG STATUS", "68b1e7ed-e6ea-11f1-af30-02fc00000001:1-1");
    fake_answer(fp, "gtid_mode", &(struct fake_answer){.rows = "v\nOFF"});
    fake_answer(fp, "gtid_executed", &(struct fake_answer){.err = 1227, .text = "no"});
    expect_value(my, "SELECT @@global.gtid_mode", "OFF");
    expect_error(my, "SELECT @@global.gtid_executed", 1227);
    CU_ASSERT_EQUAL(mysql_ping(my), 0);
    CU_ASSERT_EQUAL(fake_queries(fp, "gtid_mode"), 1);
out:
    mysql_close(my);
    fake_primary_stop(fp);
}

static void test_logins(void)
{
    const enum fake_auth kinds[] = {FAKE_AUTH_NATIVE, FAKE_AUTH_SHA2_FAST};
    for (size_t v = 0; v < sizeof versions / sizeof versions[0]; v++) {
        for (size_t i = 0; i < 2; i++) {
            struct fake_primary *fp =
                fake_primary_start(&(struct fake_options){.version = versions[v], .auth = kinds[i]});
            MYSQL *good = log_in(fp, "secret", NULL);
            MYSQL *bad = log_in(fp, "wrong", NULL);
            CU_ASSERT_PTR_NOT_NULL(good);
            CU_ASSERT_PTR_NULL(bad);
            mysql_close(good);
            fake_primary_stop(fp);
        }
    }
}

/* The full exchange without TLS; and Connector/C's trap: told to prefer TLS, it sends the password in clear text where there is none. */
static void test_rsa(void)
{
    struct fake_counters n;
    struct fake_primary *fp =
        fake_primary_start(&(struct fake_options){.version = "9.7.4", .auth = FAKE_AUTH_SHA2_FULL});
    MYSQL *good = log_in(fp, "secret", NULL);
    CU_ASSERT_PTR_NOT_NULL(good);
    mysql_close(good);
    CU_ASSERT_PTR_NULL(log_in(fp, "wrong", NULL));
    fake_counters(fp, &n);
    CU_ASSERT_EQUAL(n.clear_passwords, 0);
    MYSQL *my = mysql_init(NULL);
    my_bool yes = 1;
    (void)mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, &yes);
    CU_ASSERT_PTR_NULL(mysql_real_connect(my, "127.0.0.1", "repl", "secret", NULL, fake_port(fp), NULL, 0));
    mysql_close(my);
    fake_counters(fp, &n);
    CU_ASSERT_EQUAL(n.clear_passwords, 1);
    fake_primary_stop(fp);
}

static void test_denied(void)
{
    const uint16_t codes[] = {1040, 1129, 1130, 1045};
    for (size_t i = 0; i < 4; i++) {
        struct fake_primary *fp = fake_primary_start(&(struct fake_options){0});
        fake_login_rule(fp, &(struct fake_login_rule){.err = codes[i], .times = 1});
        MYSQL *my = mysql_init(NULL);
        CU_ASSERT_PTR_NULL(mysql_real_connect(my, "127.0.0.1", "repl", "secret", NULL, fake_port(fp), NULL, 0));
        CU_ASSERT_EQUAL(mysql_errno(my), codes[i]);
        mysql_close(my);
        my = log_in(fp, "secret", NULL);
        CU_ASSERT_PTR_NOT_NULL(my);
        mysql_close(my);
        fake_primary_stop(fp);
    }
}

static void test_tls(void)
{
    char dir[] = "/tmp/fake-tls-XXXXXX";
    struct fake_certs certs;
    struct lt_err err;
    if (!mkdtemp(dir))
        return;
    fake_certs_make(dir, "localhost", 30, &certs);
    struct fake_primary *fp = fake_primary_start(&(struct fake_options){
        .auth = FAKE_AUTH_SHA2_FULL, .tls_cert = certs.cert, .tls_key = certs.key, .tls_key_update_every = 10});
    MYSQL *my = log_in(fp, "secret", certs.ca);
    CU_ASSERT_PTR_NOT_NULL(my);
    if (my) {
        CU_ASSERT_PTR_NOT_NULL(mysql_get_ssl_cipher(my));
        expect_value(my, "SELECT @@server_id", "33104");
        mysql_close(my);
    }
    CU_ASSERT_PTR_NULL(log_in(fp, "secret", certs.other_ca));
    fake_open_file(fp, FILE1);
    struct raw_options opt = options_for(fp);
    opt.tls = true;
    struct raw_replica *r = raw_open(&opt, &err);
    CU_ASSERT_PTR_NOT_NULL(r);
    if (r && raw_dump(r, FILE1, 4) == 0) {
        struct raw_event ev;
        for (int i = 0; i < 50; i++) {
            struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 5000});
            CU_ASSERT(read_to(r, &end, &ev, NULL) > 0);
            CU_ASSERT(ev.ack_wanted);
            CU_ASSERT_EQUAL(raw_ack(r, ev.file, ev.end), 0);
            CU_ASSERT(fake_wait_ack(fp, &end, 30000));
        }
        struct fake_counters n;
        fake_counters(fp, &n);
        CU_ASSERT(n.key_updates >= 4);
        CU_ASSERT_EQUAL(n.split_acks, 0);
        CU_ASSERT_EQUAL(n.bad_acks, 0);
    }
    raw_close(r);
    fake_primary_stop(fp);
    const char *const paths[] = {certs.ca, certs.cert, certs.key, certs.other_ca};
    for (size_t i = 0; i < 4; i++)
        (void)unlink(paths[i]);
    (void)rmdir(dir);
}

/* All kinds of transactions of a release; the tracker must see as many transactions as were made. */
static void dump_release(const char *version, bool semi_sync)
{
    struct fake_primary *fp = start_with_file(version);
    bool mariadb = strstr(version, "MariaDB") != NULL;
    struct raw_options opt = options_for(fp);
    struct raw_event ev;
    struct txn_tracker t;
    struct fake_pos end = {0};
    opt.semi_sync = semi_sync;
    struct raw_replica *r = dump_with(&opt, FILE1, 4);
    if (!r)
        goto out;
    txn_reset(&t);
    for (int kind = FAKE_TXN_ROWS; kind <= FAKE_TXN_PAYLOAD; kind++) {
        if (kind == FAKE_TXN_PAYLOAD && mariadb)
            continue;
        end = fake_commit(fp, &(struct fake_txn_spec){
                                  .kind = (enum fake_txn_kind)kind, .blob_len = 300, .rows = 3, .annotate = kind == 0});
        CU_ASSERT(read_to(r, &end, &ev, &t) > 0);
        CU_ASSERT_EQUAL(ev.ack_wanted, semi_sync);
        CU_ASSERT(t.have_last && !t.open);
        CU_ASSERT_EQUAL(t.last_end, end.pos);
        CU_ASSERT_EQUAL(t.last_gtid.seq, (uint64_t)kind + 1);
    }
    CU_ASSERT_EQUAL(t.odd, 0);
    CU_ASSERT_EQUAL(raw_has_header(r), semi_sync);
    if (semi_sync) {
        CU_ASSERT_EQUAL(raw_ack(r, ev.file, ev.end), 0);
        CU_ASSERT(fake_wait_ack(fp, &end, 30000));
    }
    fake_rotate(fp);
    end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 30});
    CU_ASSERT(read_to(r, &end, &ev, NULL) > 0);
    CU_ASSERT_STRING_EQUAL(ev.file, "binlog.000002");
    CU_ASSERT_EQUAL(raw_next(r, &ev), 0);
    CU_ASSERT(ev.h.type == EVENT_HEARTBEAT || ev.h.type == EVENT_HEARTBEAT_V2);
    raw_close(r);
    CU_ASSERT(fake_wait_live(fp, FAKE_DUMP_ANY, 0, 30000));
    struct fake_dump d;
    struct fake_counters n;
    CU_ASSERT(fake_dump_get(fp, 1, &d));
    fake_counters(fp, &n);
    CU_ASSERT_EQUAL(d.semi_sync, semi_sync);
    CU_ASSERT_EQUAL(n.quits_on_dump, 0);
out:
    fake_primary_stop(fp);
}

static void test_releases(void)
{
    for (size_t v = 0; v < sizeof versions / sizeof versions[0]; v++) {
        dump_release(versions[v], true);
        dump_release(versions[v], false);
    }
}

static void test_tagged(void)
{
    struct fake_primary *fp = start_with_file("9.7.4");
    struct raw_event ev;
    struct txn_tracker t;
    txn_reset(&t);
    struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.seq = 7, .tag = "mytag", .blob_len = 40000});
    struct raw_replica *r = dump_from(fp, FILE1, 4);
    if (r) {
        CU_ASSERT(read_to(r, &end, &ev, &t) > 0);
        CU_ASSERT_STRING_EQUAL(t.last_gtid.tag, "mytag");
        CU_ASSERT_EQUAL(t.last_gtid.seq, 7);
        CU_ASSERT_EQUAL(t.odd, 0);
    }
    raw_close(r);
    fake_primary_stop(fp);
}

static void test_mid_file(void)
{
    struct fake_primary *fp = start_with_file("8.4.6");
    struct raw_event ev;
    struct fake_pos first = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    struct fake_pos second = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    struct raw_replica *r = dump_from(fp, FILE1, first.pos);
    CU_ASSERT(fake_wait_released(fp, &first, 30000));
    CU_ASSERT(!fake_wait_ack(fp, &first, 50));
    if (r) {
        CU_ASSERT_EQUAL(raw_next(r, &ev), 0);
        CU_ASSERT(ev.h.type == EVENT_ROTATE && ev.artificial);
        CU_ASSERT_EQUAL(raw_next(r, &ev), 0);
        CU_ASSERT(ev.h.type == EVENT_FORMAT_DESCRIPTION && ev.artificial);
        CU_ASSERT(read_to(r, &second, &ev, NULL) > 0);
    }
    raw_close(r);
    struct raw_options opt = options_for(fp);
    opt.server_id = 0;
    r = dump_with(&opt, FILE1, second.pos);
    while (r && raw_next(r, &ev) == 0)
        CU_ASSERT(ev.artificial);
    raw_close(r);
    r = dump_with(&opt, FILE1, second.pos - 3);
    CU_ASSERT_EQUAL(r ? raw_next(r, &ev) : 0, LT_EPROTO);
    CU_ASSERT_EQUAL(r ? raw_error_code(r) : 0, 1236);
    raw_close(r);
    fake_primary_stop(fp);
}

/* Payloads of the packet around the 16 MiB boundary. */
static void test_splits(void)
{
    struct fake_primary *fp = start_with_file("9.7.4");
    struct raw_event ev;
    struct raw_replica *r = dump_from(fp, FILE1, 4);
    for (uint32_t len = 16777210; r && len <= 16777220; len++) {
        struct fake_pos end = fake_append_virtual(fp, EVENT_WRITE_ROWS, len, len, true);
        CU_ASSERT(read_to(r, &end, &ev, NULL) > 0);
        CU_ASSERT_EQUAL(ev.h.length, len);
        CU_ASSERT_EQUAL(ev.parts, len + 3 >= 16777215 ? 2 : 1);
        CU_ASSERT(ev.ack_wanted);
    }
    struct fake_pos end = fake_append_virtual(fp, EVENT_WRITE_ROWS, 40u << 20, 1, true);
    CU_ASSERT(r && read_to(r, &end, &ev, NULL) > 0);
    end = fake_commit_huge(fp, 100, 1u << 20);
    CU_ASSERT(r && read_to(r, &end, &ev, NULL) == 104);
    raw_close(r);
    fake_primary_stop(fp);
}

static void test_far_offsets(void)
{
    struct fake_primary *fp = fake_primary_start(&(struct fake_options){.version = "9.7.4"});
    struct raw_event ev;
    fake_add_file(fp, FILE1, 4294960000ull);
    struct fake_gen *g = fake_gen_lock(fp);
    fake_gen_file_start(g, FILE1, "", false);
    (void)fake_gen_unlock(fp, false);
    struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 20000});
    CU_ASSERT(end.pos > UINT32_MAX);
    struct raw_options opt = options_for(fp);
    struct raw_replica *r = raw_open(&opt, NULL);
    if (r && raw_dump_gtid(r, FILE1, 4294960000ull, NULL, 0) == 0) {
        CU_ASSERT(read_to(r, &end, &ev, NULL) > 0);
        CU_ASSERT_EQUAL(raw_ack(r, ev.file, ev.end), 0);
        CU_ASSERT(fake_wait_ack(fp, &end, 30000));
    }
    raw_close(r);
    fake_primary_stop(fp);
}

static void test_files(void)
{
    struct fake_primary *fp = start_with_file("5.5.5-10.11.19-MariaDB-log");
    size_t len = 0;
    struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 100, .rows = 2});
    end = fake_append_virtual(fp, EVENT_WRITE_ROWS_V1, 100000, 5, false);
    uint8_t *bytes = fake_file_bytes(fp, FILE1, &len);
    CU_ASSERT_EQUAL(len, end.pos);
    if (bytes && len == end.pos) {
        CU_ASSERT_EQUAL(memcmp(bytes, binlog_magic, BINLOG_MAGIC_LEN), 0);
        CU_ASSERT(event_crc_ok(bytes + len - 100000, 100000));
    }
    free(bytes);
    fake_primary_stop(fp);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"queries a replica asks", test_queries},
        {"logins by both plugins on all versions", test_logins},
        {"caching_sha2_password by RSA", test_rsa},
        {"denied logins", test_denied},
        {"TLS, key updates in the stream", test_tls},
        {"dump and ACK on all releases", test_releases},
        {"tagged GTIDs", test_tagged},
        {"starts inside a file", test_mid_file},
        {"splits at 16 MiB, large events and transactions", test_splits},
        {"offsets past 4 GiB", test_far_offsets},
        {"files as on disk", test_files},
    };
    return cunit_run("fake", cases, sizeof cases / sizeof cases[0]);
}
