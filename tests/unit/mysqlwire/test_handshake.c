/* Logins and commands as clients write them, cut short at every byte, and with fields that are too long. */
#include "cunit_main.h"

#include "base/cursor.h"
#include "mysqlwire/capability.h"
#include "mysqlwire/command.h"
#include "mysqlwire/handshake.h"

#define CAPS_ALL                                                                                                       \
    (CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | CAP_LENENC_AUTH | CAP_PLUGIN_AUTH | CAP_CONNECT_WITH_DB |               \
     CAP_CONNECT_ATTRS)

/* A login of these capabilities; the proof is 20 bytes of 'p'. */
static size_t write_login(uint8_t *out, size_t cap, uint32_t caps)
{
    static const uint8_t filler[23];
    static const uint8_t proof[20] = "pppppppppppppppppppp";
    struct writer w = writer_on(out, cap);
    writer_u32(&w, caps);
    writer_u32(&w, 1u << 24);
    writer_u8(&w, 45);
    writer_bytes(&w, filler, sizeof filler);
    writer_bytes(&w, "repl", 5);
    if (caps & (CAP_LENENC_AUTH | CAP_SECURE_CONNECTION))
        writer_u8(&w, sizeof proof);
    writer_bytes(&w, proof, sizeof proof);
    if ((caps & (CAP_LENENC_AUTH | CAP_SECURE_CONNECTION)) == 0)
        writer_u8(&w, 0);
    if (caps & CAP_CONNECT_WITH_DB)
        writer_bytes(&w, "test", 5);
    if (caps & CAP_PLUGIN_AUTH)
        writer_bytes(&w, "mysql_native_password", 22);
    if (caps & CAP_CONNECT_ATTRS) {
        writer_u8(&w, 26);
        writer_bytes(&w, "\x03_os\x05Linux\x0cprogram_name\x02go", 26);
    }
    return w.failed ? 0 : w.len;
}

static void test_logins(void)
{
    static const uint32_t variants[] = {CAPS_ALL,
                                        CAPS_ALL & ~CAP_LENENC_AUTH,
                                        CAPS_ALL & ~(CAP_LENENC_AUTH | CAP_SECURE_CONNECTION),
                                        CAPS_ALL & ~CAP_CONNECT_WITH_DB,
                                        CAPS_ALL & ~CAP_PLUGIN_AUTH,
                                        CAPS_ALL & ~CAP_CONNECT_ATTRS,
                                        CAP_PROTOCOL_41};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        uint8_t out[256];
        char value[8];
        struct handshake_login l;
        uint32_t caps = variants[i];
        size_t len = write_login(out, sizeof out, caps);
        CU_ASSERT_EQUAL(handshake_parse_login(out, len, UINT32_MAX, &l), 0);
        CU_ASSERT_STRING_EQUAL(l.user, "repl");
        CU_ASSERT_TRUE(l.proof_len == 20 && memcmp(l.proof, "pppppppppppppppppppp", 20) == 0);
        CU_ASSERT_STRING_EQUAL(l.schema, caps & CAP_CONNECT_WITH_DB ? "test" : "");
        CU_ASSERT_STRING_EQUAL(l.plugin, caps & CAP_PLUGIN_AUTH ? "mysql_native_password" : "");
        CU_ASSERT_EQUAL(handshake_attr(&l, "program_name", value, sizeof value), (caps & CAP_CONNECT_ATTRS) != 0);
        CU_ASSERT_STRING_EQUAL(value, caps & CAP_CONNECT_ATTRS ? "go" : "");
        CU_ASSERT_FALSE(handshake_attr(&l, "program", value, sizeof value));
        CU_ASSERT_EQUAL(handshake_attr(&l, "_os", value, 3), (caps & CAP_CONNECT_ATTRS) != 0);
        CU_ASSERT_STRING_EQUAL(value, caps & CAP_CONNECT_ATTRS ? "Li" : "");
        CU_ASSERT_EQUAL(l.charset, 45);
    }
}

/* In memory of its own length, so that a byte too many is seen. */
static int parse_cut(const uint8_t *data, size_t len, struct handshake_login *ret)
{
    uint8_t *copy = malloc(len + (len == 0));
    if (copy == NULL)
        abort();
    memcpy(copy, data, len);
    int rc = handshake_parse_login(copy, len, UINT32_MAX, ret);
    free(copy);
    return rc;
}

static void test_cut_short(void)
{
    uint8_t out[256];
    struct handshake_login l;
    size_t len = write_login(out, sizeof out, CAPS_ALL);
    for (size_t n = 0; n < len; n++) {
        int rc = parse_cut(out, n, &l);
        /* Only where a string ends with the packet, or attributes are not there at all, it is one. */
        bool fine = n >= len - 27 - 22 - 5 && n <= len - 27;
        CU_ASSERT_EQUAL(rc == 0, fine);
    }
    /* A request for TLS is a login's first 32 bytes. */
    store_u32(out, CAPS_ALL | CAP_TLS);
    CU_ASSERT_EQUAL(handshake_parse_login(out, 32, UINT32_MAX, &l), 0);
    CU_ASSERT_TRUE(l.wants_tls);
    CU_ASSERT_EQUAL(handshake_parse_login(out, len, UINT32_MAX, &l), 0);
    CU_ASSERT_FALSE(l.wants_tls);
    store_u32(out, CAP_LONG_PASSWORD); /* before 4.1 */
    CU_ASSERT_EQUAL(handshake_parse_login(out, len, UINT32_MAX, &l), LT_EUNSUPPORTED);
}

static void test_too_long(void)
{
    static uint8_t out[1024];
    struct handshake_login l;
    memset(out, 'u', sizeof out);
    memset(out, 0, 32);
    store_u32(out, CAPS_ALL);
    for (size_t user = HANDSHAKE_USER_MAX - 1; user <= HANDSHAKE_USER_MAX + 1; user++) {
        out[32 + user] = '\0';
        out[33 + user] = 0; /* no proof */
        out[34 + user] = '\0';
        out[35 + user] = '\0';
        CU_ASSERT_EQUAL(handshake_parse_login(out, 36 + user, UINT32_MAX, &l),
                        user <= HANDSHAKE_USER_MAX ? 0 : LT_EPROTO);
        out[32 + user] = 'u';
    }
    /* A length that is larger than what follows. */
    size_t len = write_login(out, sizeof out, CAPS_ALL);
    out[37] = 0xfe;
    memset(out + 38, 0xff, 8);
    CU_ASSERT_EQUAL(handshake_parse_login(out, len, UINT32_MAX, &l), LT_EPROTO);
}

static void test_change_user(void)
{
    static const uint8_t full[] = "repl\0\x03xyztest\0\x2d\0caching_sha2_password\0\x08\x03_os\x03"
                                  "any";
    struct handshake_login l;
    char value[8];
    CU_ASSERT_EQUAL(handshake_parse_change_user(full, sizeof full - 1, CAPS_ALL, &l), 0);
    CU_ASSERT_STRING_EQUAL(l.user, "repl");
    CU_ASSERT_STRING_EQUAL(l.schema, "test");
    CU_ASSERT_STRING_EQUAL(l.plugin, "caching_sha2_password");
    CU_ASSERT_TRUE(l.proof_len == 3 && memcmp(l.proof, "xyz", 3) == 0);
    CU_ASSERT_TRUE(handshake_attr(&l, "_os", value, sizeof value));
    CU_ASSERT_EQUAL(handshake_parse_change_user(full, 14, CAPS_ALL, &l), 0); /* nothing behind the schema */
    CU_ASSERT_STRING_EQUAL(l.plugin, "");
    CU_ASSERT_EQUAL(handshake_parse_change_user(full, 15, CAPS_ALL, &l), LT_EPROTO);
    CU_ASSERT_EQUAL(handshake_parse_change_user(full, 7, CAPS_ALL, &l), LT_EPROTO);
}

static void test_greeting(void)
{
    static const uint8_t expected[] = "\x0a"
                                      "9.7.4\0"
                                      "\x05\0\0\0"
                                      "abcdefgh\0"
                                      "\x0b\x82\x2d\x02\0\x08\0\x15"
                                      "\0\0\0\0\0\0\0\0\0\0"
                                      "ijklmnopqrst\0"
                                      "caching_sha2_password";
    struct handshake_greeting g = {.version = "9.7.4",
                                   .thread_id = 5,
                                   .capabilities = CAP_LONG_PASSWORD | CAP_FOUND_ROWS | CAP_CONNECT_WITH_DB |
                                                   CAP_PROTOCOL_41 | CAP_SECURE_CONNECTION | CAP_PLUGIN_AUTH,
                                   .plugin = "caching_sha2_password"};
    uint8_t out[128];
    size_t len = 0;
    memcpy(g.nonce, "abcdefghijklmnopqrst", sizeof g.nonce);
    CU_ASSERT_EQUAL(handshake_write_greeting(&g, out, sizeof out, &len), 0);
    CU_ASSERT_TRUE(len == sizeof expected && memcmp(out, expected, len) == 0);
    CU_ASSERT_EQUAL(handshake_write_greeting(&g, out, len - 1, &len), LT_ETOOBIG);
}

static void test_dumps(void)
{
    static const uint8_t by_file[] = "\x04\0\0\0\x01\0\x67\0\0\0binlog.000007";
    static const uint8_t by_gtid[] = "\x04\0\x67\0\0\0\x03\0\0\0bin\x04\0\0\0\x01\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0";
    struct command_dump d;
    CU_ASSERT_EQUAL(command_parse_dump(by_file, sizeof by_file - 1, &d), 0);
    CU_ASSERT_STRING_EQUAL(d.file, "binlog.000007");
    CU_ASSERT_TRUE(d.pos == 4 && d.server_id == 103 && d.flags == COMMAND_DUMP_NON_BLOCK && !d.by_gtid);
    CU_ASSERT_EQUAL(command_parse_dump(by_file, 10, &d), 0);
    CU_ASSERT_STRING_EQUAL(d.file, "");
    CU_ASSERT_EQUAL(command_parse_dump(by_file, 9, &d), LT_EPROTO);
    CU_ASSERT_EQUAL(command_parse_dump_gtid(by_gtid, sizeof by_gtid - 1, &d), 0);
    CU_ASSERT_STRING_EQUAL(d.file, "bin");
    CU_ASSERT_TRUE(d.pos == 0x100000004 && d.server_id == 103 && d.flags == 4 && d.by_gtid);
    CU_ASSERT_TRUE(d.gtid_set_len == 8 && d.gtid_set == by_gtid + 25);
    for (size_t n = 0; n < sizeof by_gtid - 1; n++)
        CU_ASSERT_EQUAL(command_parse_dump_gtid(by_gtid, n, &d), LT_EPROTO);
}

static void test_register(void)
{
    static const uint8_t payload[] = "\x67\0\0\0\x03"
                                     "db2\x04repl\x06secret\xea\x0c\0\0\0\0\x01\0\0\0";
    struct command_replica r;
    CU_ASSERT_EQUAL(command_parse_register(payload, sizeof payload - 1, &r), 0);
    CU_ASSERT_STRING_EQUAL(r.host, "db2");
    CU_ASSERT_STRING_EQUAL(r.user, "repl");
    CU_ASSERT_TRUE(r.server_id == 103 && r.port == 3306 && r.source_id == 1);
    for (size_t n = 0; n < sizeof payload - 1; n++)
        CU_ASSERT_EQUAL(command_parse_register(payload, n, &r), LT_EPROTO);
}

static const struct test_case cases[] = {
    {"logins", test_logins},
    {"a login cut short", test_cut_short},
    {"fields that are too long", test_too_long},
    {"a change of user", test_change_user},
    {"a greeting", test_greeting},
    {"dumps", test_dumps},
    {"a replica registers", test_register},
};

int main(void)
{
    return cunit_run("handshake", cases, sizeof cases / sizeof cases[0]);
}
