#include "cunit_main.h"

#include "sample.h"

#define ROTATE                                                                                                         \
    "00 00 00 00 04 50 81 00 00 2c 00 00 00 00 00 00 00 20 00 | 04 00 00 00 00 00 00 00 | 'binlog.000001' | "          \
    "68 0c 75 d8"
#define HEARTBEAT "00 00 00 00 1b 52 81 00 00 24 00 00 00 46 05 00 00 00 00 | 'binlog.000001' | be 49 7c 84"
#define XID       "0c af 03 6b 10 50 81 00 00 1f 00 00 00 96 07 00 00 00 00 | 32 00 00 00 00 00 00 00 | bd 25 51 3e"
#define UUID_TEXT "68b1e7ed-e6ea-11f1-af30-02fc00000001"
#define UUID_HEX  "68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01"
/* The uuid as 16 varlens: bytes from 0x80 on take two. */
#define UUID_VARLEN "d0 c5 02 9d 03 b5 03 99 03 a9 03 22 c5 03 bd 02 60 04 f1 03 00 00 00 02"
#define TAGGED_BODY                                                                                                    \
    "02 76 00 | 00 00 | 02 " UUID_VARLEN " | 04 04 | 06 0a 'mytag' | 08 00 | 0a 04 | 0c 7f d5 7c 56 43 e9 60 06 | "    \
    "10 69 04 | 12 83 12 0b"

static void test_header(void)
{
    struct sample s = sample_hex(XID);
    struct event_header h;
    CU_ASSERT_EQUAL(event_header_parse(s.data, s.len, &h), 0);
    CU_ASSERT_EQUAL(h.timestamp, 0x6b03af0c);
    CU_ASSERT_EQUAL(h.type, EVENT_XID);
    CU_ASSERT_EQUAL(h.server_id, 33104);
    CU_ASSERT_EQUAL(h.length, s.len);
    CU_ASSERT_EQUAL(h.log_pos, 0x796);
    CU_ASSERT_EQUAL(h.flags, 0);
    CU_ASSERT_FALSE(event_is_artificial(&h, 0x796 - s.len));
    CU_ASSERT_TRUE(event_crc_ok(s.data, s.len));
    s.data[20] ^= 1;
    CU_ASSERT_FALSE(event_crc_ok(s.data, s.len));
    event_crc_set(s.data, s.len);
    CU_ASSERT_TRUE(event_crc_ok(s.data, s.len));
    CU_ASSERT_EQUAL(event_header_parse(s.data, EVENT_HEADER_LEN - 1, &h), LT_ESHORT);
    store_u32(s.data + 9, EVENT_HEADER_LEN - 1);
    CU_ASSERT_EQUAL(event_header_parse(s.data, s.len, &h), LT_EPROTO);
    store_u32(s.data + 9, EVENT_LENGTH_MAX + 1);
    CU_ASSERT_EQUAL(event_header_parse(s.data, s.len, &h), LT_EPROTO);
    store_u32(s.data + 9, EVENT_LENGTH_MAX);
    CU_ASSERT_EQUAL(event_header_parse(s.data, s.len, &h), 0);
}

static void test_artificial(void)
{
    static const struct {
        struct event_header h;
        bool artificial;
        uint64_t offset;
    } rows[] = {
        {{.type = EVENT_ROTATE, .timestamp = 0, .flags = EVENT_FLAG_ARTIFICIAL}, true, 500},
        {{.type = EVENT_ROTATE, .timestamp = 0, .log_pos = 100}, false, 56}, /* SET timestamp = 0.5, then FLUSH */
        {{.type = EVENT_ROTATE, .timestamp = 0, .log_pos = 100}, false, 0},
        {{.type = EVENT_ROTATE, .timestamp = 0, .log_pos = 0, .length = 44},
         true,
         0}, /* without the flag: a server in between */
        {{.type = EVENT_ROTATE, .timestamp = 0, .log_pos = 0, .length = 44}, true, 500},
        {{.type = EVENT_ROTATE, .timestamp = 0, .log_pos = 0, .length = 44}, false, (UINT64_C(1) << 32) - 44},
        {{.type = EVENT_ROTATE, .timestamp = 5, .log_pos = 0, .length = 44}, false, 500},
        {{.type = EVENT_STOP, .timestamp = 0, .log_pos = 100}, false, 77},
        {{.type = EVENT_FORMAT_DESCRIPTION, .timestamp = 0, .log_pos = 256}, false, 4},
        {{.type = EVENT_PREVIOUS_GTIDS, .timestamp = 0, .log_pos = 197}, false, 126},
        {{.type = EVENT_ROTATE, .timestamp = 5, .log_pos = 100}, false, 500},
        {{.type = EVENT_HEARTBEAT, .log_pos = 100}, true, 500},
        {{.type = EVENT_HEARTBEAT_V2}, true, 500},
        {{.type = EVENT_FORMAT_DESCRIPTION, .timestamp = 5, .log_pos = 0}, true, 500},
        {{.type = EVENT_FORMAT_DESCRIPTION, .timestamp = 5, .log_pos = 126}, false, 500},
        {{.type = EVENT_MARIADB_START_ENCRYPTION, .timestamp = 5, .log_pos = 0}, true, 500},
        {{.type = EVENT_MARIADB_START_ENCRYPTION, .timestamp = 5, .log_pos = 290}, false, 500},
        {{.type = EVENT_MARIADB_GTID_LIST, .log_pos = 500, .flags = EVENT_FLAG_ARTIFICIAL}, true, 500},
        {{.type = EVENT_MARIADB_GTID_LIST, .timestamp = 5, .log_pos = 500}, false, 500},
        {{.type = EVENT_TABLE_MAP, .timestamp = 5, .log_pos = 0}, false, 500}, /* MariaDB 11.4+ */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CU_ASSERT_EQUAL(event_is_artificial(&rows[i].h, rows[i].offset), rows[i].artificial);
    CU_ASSERT_STRING_EQUAL(event_type_name(EVENT_XID), "Xid");
    CU_ASSERT_STRING_EQUAL(event_type_name(255), "Unknown");
}

static void test_rotate(void)
{
    struct sample s = sample_hex(ROTATE);
    struct event_rotate r;
    CU_ASSERT_TRUE(event_crc_ok(s.data, s.len));
    CU_ASSERT_EQUAL(event_rotate_parse(s.data, s.len, true, &r), 0);
    CU_ASSERT_EQUAL(r.pos, 4);
    CU_ASSERT_STRING_EQUAL(r.name, "binlog.000001");
    /* With its checksum taken for a part of it the name is none. */
    CU_ASSERT_EQUAL(event_rotate_parse(s.data, s.len, false, &r), LT_EPROTO);
    s.len -= EVENT_CRC_LEN;
    store_u32(s.data + 9, (uint32_t)s.len);
    CU_ASSERT_EQUAL(event_rotate_parse(s.data, s.len, false, &r), 0);
    CU_ASSERT_STRING_EQUAL(r.name, "binlog.000001");
    s.data[EVENT_HEADER_LEN + 8] = '/';
    CU_ASSERT_EQUAL(event_rotate_parse(s.data, s.len, false, &r), LT_EPROTO);
}

static void test_heartbeats(void)
{
    struct sample v1 = sample_hex(HEARTBEAT);
    struct event_heartbeat hb;
    CU_ASSERT_TRUE(event_crc_ok(v1.data, v1.len));
    CU_ASSERT_EQUAL(event_heartbeat_parse(v1.data, v1.len, true, &hb), 0);
    CU_ASSERT_EQUAL(hb.pos, 0x546);
    CU_ASSERT_STRING_EQUAL(hb.name, "binlog.000001");
    struct sample body = sample_hex("00 00 00 00 01 00 00 00 'binlog.000001'");
    struct sample big = sample_event(EVENT_HEARTBEAT, 0, 0, &body, true);
    CU_ASSERT_EQUAL(event_heartbeat_parse(big.data, big.len, true, &hb), 0);
    CU_ASSERT_EQUAL(hb.pos, UINT64_C(1) << 32);
    body = sample_hex("01 0d 'binlog.000001' | 02 03 fc 7e 06 | 00");
    struct sample v2 = sample_event(EVENT_HEARTBEAT_V2, 0, 0, &body, true);
    CU_ASSERT_EQUAL(event_heartbeat_parse(v2.data, v2.len, true, &hb), 0);
    CU_ASSERT_EQUAL(hb.pos, 0x67e);
    CU_ASSERT_STRING_EQUAL(hb.name, "binlog.000001");
    body = sample_hex("02 09 fe 00 00 00 00 02 00 00 00 | 07 01 55 | 01 0d 'binlog.000002' | 00");
    v2 = sample_event(EVENT_HEARTBEAT_V2, 0, 0, &body, false);
    CU_ASSERT_EQUAL(event_heartbeat_parse(v2.data, v2.len, false, &hb), 0);
    CU_ASSERT_EQUAL(hb.pos, UINT64_C(2) << 32);
    body = sample_hex("01 0d 'binlog.000002' | 00");
    v2 = sample_event(EVENT_HEARTBEAT_V2, 0, 0, &body, false);
    CU_ASSERT_EQUAL(event_heartbeat_parse(v2.data, v2.len, false, &hb), LT_EPROTO);
}

static void check_uuid(const struct gtid *g, uint64_t seq, const char *tag)
{
    char text[GTID_UUID_TEXT_LEN + 1];
    uuid_format(g->uuid, text);
    CU_ASSERT_EQUAL(g->kind, GTID_MYSQL);
    CU_ASSERT_STRING_EQUAL(text, UUID_TEXT);
    CU_ASSERT_EQUAL(g->seq, seq);
    CU_ASSERT_STRING_EQUAL(g->tag, tag);
}

static void test_gtid_tagged(void)
{
    struct sample body = sample_hex(TAGGED_BODY);
    struct event_gtid g;
    CU_ASSERT_EQUAL(body.len, 0x76 >> 1);
    struct sample s = sample_event(EVENT_GTID_TAGGED, 0, 0, &body, true);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, true, &g), 0);
    check_uuid(&g.gtid, 1, "mytag");
    CU_ASSERT_EQUAL(g.transaction_length, 282);
    CU_ASSERT_EQUAL(g.commit_us, UINT64_C(0x0660e943567cd5));
    body.data[0] = 0x04; /* another version of the format */
    s = sample_event(EVENT_GTID_TAGGED, 0, 0, &body, true);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, true, &g), LT_EUNSUPPORTED);
}

static void test_gtid_mysql(void)
{
    struct event_gtid g;
    struct sample short_body = sample_hex("01 " UUID_HEX "| 07 00 00 00 00 00 00 00 | 02 | 05 00 00 00 00 00 00 00 | "
                                          "06 00 00 00 00 00 00 00");
    struct sample s57 = sample_event(EVENT_GTID, 0, 0, &short_body, true);
    CU_ASSERT_EQUAL(s57.len, 65);
    CU_ASSERT_EQUAL(event_gtid_parse(s57.data, s57.len, true, &g), 0);
    check_uuid(&g.gtid, 7, "");
    CU_ASSERT_EQUAL(g.transaction_length, 0);
    CU_ASSERT_EQUAL(g.commit_us, 0);
    struct sample body = sample_hex("00 " UUID_HEX "| 07 00 00 00 00 00 00 00 | 02 | 05 00 00 00 00 00 00 00 | "
                                    "06 00 00 00 00 00 00 00 | d5 7c 56 43 e9 60 06 | fc 1a 01 | c3 89 01 00");
    struct sample s = sample_event(EVENT_GTID, 0, 0, &body, true);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, true, &g), 0);
    CU_ASSERT_EQUAL(g.transaction_length, 282);
    CU_ASSERT_EQUAL(g.commit_us, UINT64_C(0x0660e943567cd5));
    /* Bit 55 of the immediate time says that the original one follows. */
    body = sample_hex(
        "00 " UUID_HEX "| 07 00 00 00 00 00 00 00 | 02 | 05 00 00 00 00 00 00 00 | "
        "06 00 00 00 00 00 00 00 | d5 7c 56 43 e9 60 86 | 01 02 03 00 00 00 00 | fc 1a 01 | c3 89 01 80 c3 89 01 00");
    s = sample_event(EVENT_GTID, 0, 0, &body, false);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, false, &g), 0);
    CU_ASSERT_EQUAL(g.commit_us, 0x030201);
    CU_ASSERT_EQUAL(g.transaction_length, 282);
    s.data[4] = EVENT_ANONYMOUS_GTID;
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, false, &g), 0);
    CU_ASSERT_EQUAL(g.gtid.kind, GTID_NONE);
    s.data[4] = EVENT_GTID;
    memset(s.data + EVENT_HEADER_LEN + 17, 0, 8);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, false, &g), LT_EPROTO);
}

static void test_gtid_mariadb(void)
{
    struct event_gtid g;
    struct sample body = sample_hex("88 13 00 00 00 00 00 00 | 07 00 00 00 | 29 | 00 00 00 00 00 00");
    struct sample s = sample_event(EVENT_MARIADB_GTID, 42, 8, &body, true);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, true, &g), 0);
    CU_ASSERT_EQUAL(g.gtid.kind, GTID_MARIADB);
    CU_ASSERT_EQUAL(g.gtid.domain_id, 7);
    CU_ASSERT_EQUAL(g.gtid.server_id, 33104);
    CU_ASSERT_EQUAL(g.gtid.seq, 5000);
    CU_ASSERT_EQUAL(g.mariadb_flags2, MARIADB_GTID_STANDALONE | MARIADB_GTID_DDL | 8);
    /* Commit id and XA id. */
    body =
        sample_hex("01 00 00 00 00 00 00 00 | 00 00 00 00 | 46 | 09 00 00 00 00 00 00 00 | 01 00 00 00 03 01 'twob'");
    s = sample_event(EVENT_MARIADB_GTID, 42, 8, &body, true);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, true, &g), 0);
    body.len--;
    s = sample_event(EVENT_MARIADB_GTID, 42, 8, &body, true);
    CU_ASSERT_EQUAL(event_gtid_parse(s.data, s.len, true, &g), LT_ESHORT);
}

static enum query_kind kind_of(const char *sql, bool crc)
{
    struct sample body = sample_hex("01 00 00 00 00 00 00 00 04 00 00 05 00 | 11 22 33 44 55 | 'test' 00");
    enum query_kind kind = QUERY_OTHER;
    size_t n = strlen(sql);
    memcpy(body.data + body.len, sql, n);
    body.len += n;
    struct sample s = sample_event(EVENT_QUERY, 100, 0, &body, crc);
    CU_ASSERT_EQUAL(event_query_kind(s.data, s.len, s.len, crc, &kind), 0);
    return kind;
}

static void test_query_kind(void)
{
    static const struct {
        const char *sql;
        enum query_kind kind;
    } rows[] = {
        {"BEGIN", QUERY_BEGIN},
        {"begin", QUERY_BEGIN},
        {"COMMIT", QUERY_COMMIT},
        {"Commit ; ", QUERY_COMMIT},
        {"ROLLBACK", QUERY_ROLLBACK},
        {"ROLLBACK TO `a`", QUERY_OTHER},
        {"ROLLBACK TO SAVEPOINT `a`", QUERY_OTHER},
        {"COMMIT                                                    x", QUERY_OTHER},
        {"BEGINNING", QUERY_OTHER},
        {"BEGI", QUERY_OTHER},
        {"", QUERY_OTHER},
        {"SAVEPOINT `a`", QUERY_OTHER},
        {"XA START X'01',X'',1", QUERY_XA_START},
        {"xa begin X'01'", QUERY_XA_START},
        {"XA END X'01',X'',1", QUERY_XA_END},
        {"XA COMMIT X'01',X'',1", QUERY_XA_COMMIT},
        {"XA  ROLLBACK X'01',X'',1", QUERY_XA_ROLLBACK},
        {"XA PREPARE X'01'", QUERY_OTHER},
        {"XA COMMITTED", QUERY_OTHER},
        {"XACOMMIT X'01'", QUERY_OTHER},
        {"CREATE TABLE `c` (`id` int) START TRANSACTION", QUERY_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(kind_of(rows[i].sql, true), rows[i].kind);
        CU_ASSERT_EQUAL(kind_of(rows[i].sql, false), rows[i].kind);
    }
}

static void test_query_kind_from_a_head(void)
{
    struct sample body = sample_hex("01 00 00 00 00 00 00 00 00 00 00 00 00 | 00 | "
                                    "'XA COMMIT X-32-bytes-are-enough-to-tell-what-it-is-and-more'");
    struct sample s = sample_event(EVENT_QUERY, 100, 0, &body, true);
    enum query_kind kind;
    size_t start = EVENT_HEADER_LEN + 14;
    CU_ASSERT_EQUAL(event_query_kind(s.data, start + 31, s.len, true, &kind), LT_ESHORT);
    CU_ASSERT_EQUAL(event_query_kind(s.data, start + 32, s.len, true, &kind), 0);
    CU_ASSERT_EQUAL(kind, QUERY_XA_COMMIT);
    CU_ASSERT_EQUAL(event_query_kind(s.data, s.len, start + 3, true, &kind), LT_EPROTO);
    /* "COMMIT" in the looked-at part is not the statement. */
    memcpy(s.data + start, "COMMIT                          ", 32);
    CU_ASSERT_EQUAL(event_query_kind(s.data, start + 32, s.len, true, &kind), 0);
    CU_ASSERT_EQUAL(kind, QUERY_OTHER);
}

static void check_fde(const char *name, bool mariadb, enum checksum_alg alg)
{
    size_t len = 0;
    uint8_t *file = sample_file(name, &len);
    struct event_header h;
    struct event_fde fde;
    CU_ASSERT_PTR_NOT_NULL(file);
    if (file == NULL)
        return;
    uint8_t *event = file + BINLOG_MAGIC_LEN;
    CU_ASSERT_EQUAL(memcmp(file, binlog_magic, BINLOG_MAGIC_LEN), 0);
    CU_ASSERT_EQUAL(event_header_parse(event, len - 4, &h), 0);
    CU_ASSERT_EQUAL(event_fde_parse(event, h.length, &fde), 0);
    CU_ASSERT_EQUAL(fde.binlog_version, 4);
    CU_ASSERT_EQUAL(fde.is_mariadb, mariadb);
    CU_ASSERT_EQUAL(fde.checksum, alg);
    CU_ASSERT_TRUE(event_crc_ok(event, h.length));
    /* As it stands in an open file: the checksum is that of the unmarked event. */
    event[17] |= EVENT_FLAG_IN_USE;
    CU_ASSERT_TRUE(event_crc_ok(event, h.length));
    uint8_t *again = sample_exact(event, h.length);
    store_u32(again + 13, 0);
    store_u32(again + 71, 0);
    again[17] = 0;
    event_crc_set(again, h.length);
    CU_ASSERT_TRUE(event_fde_same_file(event, h.length, again, h.length));
    again[0] ^= 1;
    CU_ASSERT_FALSE(event_fde_same_file(event, h.length, again, h.length));
    again[0] ^= 1;
    again[h.length - 5] ^= 1;
    CU_ASSERT_FALSE(event_fde_same_file(event, h.length, again, h.length));
    again[h.length - 5] = 7;
    CU_ASSERT_EQUAL(event_fde_parse(again, h.length, &fde), LT_EUNSUPPORTED);
    again[h.length - 5] = 0;
    memcpy(again + 21, mariadb ? "5.2.9-MariaDB" : "5.5.62-log", 11);
    CU_ASSERT_EQUAL(event_fde_parse(again, h.length, &fde), LT_EUNSUPPORTED);
    for (size_t n = 0; n < h.length; n++) {
        uint8_t *cut = sample_exact(event, n);
        CU_ASSERT_NOT_EQUAL(event_fde_parse(cut, n, &fde), 0);
        if (n >= EVENT_HEADER_LEN) {
            store_u32(cut + 9, (uint32_t)n);
            (void)!event_fde_parse(cut, n, &fde);
        }
        free(cut);
    }
    free(again);
    free(file);
}

static void test_fde(void)
{
    check_fde("mysql_gtid.bin", false, CHECKSUM_CRC32);
    check_fde("mysql_none.bin", false, CHECKSUM_NONE);
    check_fde("mariadb_crc.bin", true, CHECKSUM_CRC32);
    check_fde("mariadb_none.bin", true, CHECKSUM_NONE);
}

static void test_names(void)
{
    static const char *const good[] = {"binlog.000001", "mysql-bin.999999", "a.b.1000000", "x.2147483647"};
    static const char *const bad[] = {"",
                                      "binlog",
                                      "binlog.",
                                      "binlog.00001",
                                      ".000001",
                                      "./binlog.000001",
                                      "a/b.000001",
                                      "bin\nlog.000001",
                                      "binlog.000001.idx",
                                      "binlog.00000a",
                                      "000001",
                                      "b.00000000000000000001",
                                      ".binlog.000001",
                                      "binlog.000001\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(binlog_name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(binlog_name_ok(bad[i]));
    char name[BINLOG_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    memcpy(name + BINLOG_NAME_MAX - 7, ".000001", 8);
    CU_ASSERT_TRUE(binlog_name_ok(name));
    memcpy(name + BINLOG_NAME_MAX - 6, ".000001", 8);
    CU_ASSERT_FALSE(binlog_name_ok(name));
    CU_ASSERT_EQUAL(binlog_name_number("binlog.000123"), 123);
    CU_ASSERT_EQUAL(binlog_name_number("binlog"), 0);
    CU_ASSERT_EQUAL(binlog_name_number("binlog.x"), 0);
    CU_ASSERT_TRUE(binlog_name_follows("binlog.000123", "binlog.000124"));
    CU_ASSERT_TRUE(binlog_name_follows("binlog.999999", "binlog.1000000"));
    CU_ASSERT_FALSE(binlog_name_follows("binlog.000123", "binlog.000125"));
    CU_ASSERT_FALSE(binlog_name_follows("binlog.000123", "binlog.000123"));
    CU_ASSERT_FALSE(binlog_name_follows("binlog.000123", "other.000124"));
    CU_ASSERT_FALSE(binlog_name_follows("binlog", "binlog.000001"));
}

static void test_encryption_stand_in(void)
{
    struct sample body = sample_hex("01 | 01 00 00 00 | 00 01 02 03 04 05 06 07 08 09 0a 0b");
    struct sample s = sample_event(EVENT_MARIADB_START_ENCRYPTION, 292, 0, &body, true);
    struct event_header h;
    event_make_encryption_stand_in(s.data, s.len, true);
    CU_ASSERT_EQUAL(event_header_parse(s.data, s.len, &h), 0);
    CU_ASSERT_EQUAL(h.type, EVENT_IGNORABLE);
    CU_ASSERT_EQUAL(h.flags, EVENT_FLAG_IGNORABLE);
    CU_ASSERT_EQUAL(h.log_pos, 292);
    CU_ASSERT_TRUE(event_crc_ok(s.data, s.len));
}

/* Every parser on every prefix of an event: an error while the header's length is honest, anything but a crash when it lies. */
static void cut_event(const struct sample *s, bool crc)
{
    for (size_t n = 0; n < s->len; n++) {
        uint8_t *cut = sample_exact(s->data, n);
        for (int lie = 0; lie < 2; lie++) {
            struct event_rotate r;
            struct event_heartbeat hb;
            struct event_gtid g;
            enum query_kind kind;
            if (lie && n >= EVENT_HEADER_LEN)
                store_u32(cut + 9, (uint32_t)n);
            int rc = event_rotate_parse(cut, n, crc, &r);
            CU_ASSERT(lie || rc != 0);
            rc = event_heartbeat_parse(cut, n, crc, &hb);
            CU_ASSERT(lie || rc != 0);
            rc = event_gtid_parse(cut, n, crc, &g);
            CU_ASSERT(lie || rc != 0);
            (void)!event_query_kind(cut, n, n, crc, &kind);
            (void)event_crc_ok(cut, n);
        }
        free(cut);
    }
}

static void test_truncation(void)
{
    struct sample body = sample_hex(TAGGED_BODY);
    struct sample samples[] = {
        sample_hex(ROTATE),
        sample_hex(HEARTBEAT),
        sample_hex(XID),
        sample_event(EVENT_GTID_TAGGED, 9, 0, &body, true),
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        cut_event(&samples[i], true);
        cut_event(&samples[i], false);
    }
}

static const struct test_case cases[] = {
    {"header and checksum", test_header},
    {"what is artificial", test_artificial},
    {"Rotate", test_rotate},
    {"heartbeats", test_heartbeats},
    {"GTID of MySQL, releases", test_gtid_mysql},
    {"GTID with a tag", test_gtid_tagged},
    {"GTID of MariaDB", test_gtid_mariadb},
    {"kinds of statements", test_query_kind},
    {"kind of a statement from its head", test_query_kind_from_a_head},
    {"format descriptions of real servers", test_fde},
    {"file names", test_names},
    {"stand-in for START_ENCRYPTION", test_encryption_stand_in},
    {"events cut at every byte", test_truncation},
};

int main(void)
{
    return cunit_run("event", cases, sizeof cases / sizeof cases[0]);
}
